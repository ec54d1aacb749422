"""Making extents smaller, everywhere at once.

A target is (an extent, what to make of it, how): the extent is replaced in every type of the module, in the values of constants, and,
where `in_attributes`, in the numbers of attributes; where `multiples`, so are its multiples (a reshape's 32 = 4 x 8 with the 8). The
search looks whether what comes out is a module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    DictionaryAttr,
    FunctionType,
    IntegerType,
    MemRefType,
    ModuleOp,
    StringAttr,
    TensorType,
    VectorType,
)
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.parser import Parser
from xdsl.rewriter import Rewriter

from stepwell.dialects.registry import context
from stepwell.dialects.stepwell import ABI, AbiAttr
from stepwell.ir.dense import array_to_dense, dense_to_array
from stepwell.reduction.values import dense_of


@dataclass(frozen=True)
class Shrink:
    """Replace the extent `old` by `new`."""

    old: int
    new: int
    in_attributes: bool
    multiples: bool

    def extent(self, n: int) -> int:
        """What becomes of an extent."""
        if n == self.old:
            return self.new
        if self.multiples and n > 0 and n % self.old == 0:
            return n // self.old * self.new
        return n


def shrinkable(module: ModuleOp) -> list[Shrink]:
    """What to try, the last one first: large extents, made as small as can be, in every way."""
    extents: dict[int, None] = {}
    for op in module.walk():
        for type_ in _types(op):
            if isinstance(type_, MemRefType):
                return []  # buffers have offsets and sizes in bytes
            if isinstance(type_, TensorType | VectorType):
                extents.update(dict.fromkeys(n for n in type_.get_shape() if n > 1))
    found: list[Shrink] = []
    for old in sorted(extents):
        for new in sorted({1, 2, 3, old // 2}, reverse=True):
            if 0 < new < old:
                found += [
                    Shrink(old, new, in_attributes, multiples)
                    for multiples in (True, False)
                    for in_attributes in (False, True)
                ]
    return found


def _types(op: Operation) -> list[Attribute]:
    arguments = [a.type for region in op.regions for block in region.blocks for a in block.args]
    return [*(r.type for r in op.results), *arguments]


def shrink(module: ModuleOp, chosen: Sequence[Shrink]) -> None:
    """Replace the extents, one after the other."""
    for change in reversed(chosen):
        for op in module.walk():
            _shrink_op(op, change)


def _shrink_op(op: Operation, change: Shrink) -> None:
    for result in op.results:
        _retype(result, change)
    for region in op.regions:
        for block in region.blocks:
            for argument in block.args:
                _retype(argument, change)
    dense = dense_of(op)
    for attributes in (op.properties, op.attributes):
        for name, value in attributes.items():
            if dense is not None and value is dense:
                attributes[name] = _resized(dense, change)
            elif name == ABI and isinstance(value, AbiAttr):
                attributes[name] = _resigned(value, change)
            else:
                attributes[name] = _shrunk(value, change)


def _retype(value: SSAValue, change: Shrink) -> None:
    new = _shrunk_type(value.type, change)
    if new != value.type:
        Rewriter.replace_value_with_new_type(value, new)


def _shrunk_type(type_: Any, change: Shrink) -> Any:
    if isinstance(type_, TensorType):
        return TensorType(type_.element_type, [change.extent(n) for n in type_.get_shape()], type_.encoding)
    if isinstance(type_, VectorType):
        return VectorType(type_.element_type, [change.extent(n) for n in type_.get_shape()], type_.scalable_dims)
    return type_


def _shrunk(attribute: Attribute, change: Shrink) -> Attribute:
    """An attribute with its types, and if asked its numbers, made smaller."""
    match attribute:
        case TensorType() | VectorType():
            return _shrunk_type(attribute, change)
        case FunctionType():
            both = [[_shrunk_type(t, change) for t in part.data] for part in (attribute.inputs, attribute.outputs)]
            return FunctionType.from_lists(*both)
        case DenseArrayBase() if change.in_attributes:
            array: Any = attribute
            if not isinstance(array.elt_type, IntegerType):
                return attribute
            return DenseArrayBase.from_list(array.elt_type, [change.extent(n) for n in array.get_values()])
        case DenseIntOrFPElementsAttr() if change.in_attributes:
            numbers = dense_to_array(attribute)
            if numbers.dtype.kind not in "iu":
                return attribute
            changed = np.vectorize(change.extent, otypes=[numbers.dtype])(numbers)
            return array_to_dense(changed, attribute.type.get_element_type())
        case ArrayAttr():
            return ArrayAttr([_shrunk(a, change) for a in attribute.data])
        case DictionaryAttr():
            return DictionaryAttr({k: _shrunk(v, change) for k, v in attribute.data.items()})
        case _:
            return attribute


def _resized(value: DenseIntOrFPElementsAttr, change: Shrink) -> DenseIntOrFPElementsAttr:
    """A constant's value cut to smaller extents."""
    array = dense_to_array(value)
    kept = array[tuple(slice(change.extent(n)) for n in array.shape)]
    return array_to_dense(kept, value.type.get_element_type(), vector=isinstance(value.type, VectorType))


def _resigned(abi: AbiAttr, change: Shrink) -> AbiAttr:
    def texts(written: Sequence[str]) -> ArrayAttr[StringAttr]:
        types = [Parser(context(), text).parse_type() for text in written]
        return ArrayAttr([StringAttr(str(_shrunk_type(t, change))) for t in types])

    return abi.with_entries(inputs=texts(abi.inputs), outputs=texts(abi.outputs))


__all__ = ["Shrink", "shrink", "shrinkable"]
