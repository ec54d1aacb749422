"""Canonicalization of `tensor`: reshapes that cancel or compose, slices of everything, elements of constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IntegerAttr,
    TensorType,
    i64,
)
from xdsl.ir import Attribute, Operation, OpResult, SSAValue

from stepwell.dialects.canonicalize.constants import element_type, int_of, integer_like, scalar_of
from stepwell.ir.dense import dense_to_array
from stepwell.ir.rewriting import Folder, Pattern, Rewriter

Folded = Sequence[SSAValue | Attribute] | None
Constants = Sequence[Attribute | None]

_RESHAPES = ("tensor.collapse_shape", "tensor.expand_shape")


def static_shape(of: Attribute) -> tuple[int, ...] | None:
    """The shape of a ranked tensor without `?`."""
    if not isinstance(of, TensorType):
        return None
    shape: tuple[int, ...] = of.get_shape()
    return None if any(extent < 0 for extent in shape) else shape


def _producer(value: SSAValue, *names: str) -> Operation | None:
    return value.op if isinstance(value, OpResult) and value.op.name in names else None


def _fold_reshape(op: Operation, constants: Constants) -> Folded:
    """To the same type: the source, and the source of a reshape there and back."""
    source, result = op.operands[0], op.results[0]
    if static_shape(result.type) is None:
        return None
    if source.type == result.type:
        return (source,)
    inner = _producer(source, *_RESHAPES)
    if inner is not None and inner.operands[0].type == result.type:
        return (inner.operands[0],)
    return None


def _groups(op: Operation) -> list[list[int]]:
    reassociation: Any = op.properties["reassociation"]
    return [[index.value.data for index in group.data] for group in reassociation.data]


def _reassociation(groups: list[list[int]]) -> Attribute:
    return ArrayAttr([ArrayAttr([IntegerAttr(index, i64) for index in group]) for group in groups])


def _compose_reshapes(op: Operation, rewriter: Rewriter) -> bool:
    """`collapse(collapse(x))` is one collapse, `expand(expand(x))` is one expand (static shapes)."""
    inner = _producer(op.operands[0], op.name)
    if inner is None:
        return False
    result_shape = static_shape(op.results[0].type)
    if result_shape is None or static_shape(inner.operands[0].type) is None:
        return False
    if op.name == "tensor.collapse_shape":
        fine, coarse = _groups(inner), _groups(op)
    else:
        fine, coarse = _groups(op), _groups(inner)
    merged = [[index for part in group for index in fine[part]] for group in coarse]
    properties: dict[str, Attribute] = {"reassociation": _reassociation(merged)}
    if op.name == "tensor.expand_shape":
        properties["static_output_shape"] = DenseArrayBase.from_list(i64, list(result_shape))
    new = type(op).create(operands=[inner.operands[0]], result_types=[op.results[0].type], properties=properties)
    rewriter.replace_with(op, new)
    return True


def _slice_parts(op: Operation) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    parts: list[tuple[int, ...]] = []
    for name in ("static_offsets", "static_sizes", "static_strides"):
        values = op.properties[name]
        assert isinstance(values, DenseArrayBase)
        parts.append(tuple(values.get_values()))  # pyright: ignore[reportUnknownArgumentType]
    return parts[0], parts[1], parts[2]


def _covers(op: Operation, shape: tuple[int, ...]) -> bool:
    """True when a slice op takes all of a tensor of this shape."""
    offsets, sizes, strides = _slice_parts(op)
    return sizes == shape and all(o == 0 for o in offsets) and all(s == 1 for s in strides)


def _fold_extract_slice(op: Operation, constants: Constants) -> Folded:
    source = op.operands[0]
    shape = static_shape(source.type)
    if shape is not None and source.type == op.results[0].type and _covers(op, shape):
        return (source,)
    return None


def _fold_insert_slice(op: Operation, constants: Constants) -> Folded:
    """Replacing all of a tensor is the new value; putting a slice back where it came from changes nothing."""
    source, dest = op.operands[:2]
    shape = static_shape(dest.type)
    if shape is not None and source.type == dest.type and _covers(op, shape):
        return (source,)
    taken = _producer(source, "tensor.extract_slice")
    if taken is not None and taken.operands[0] is dest and tuple(taken.operands[1:]) == tuple(op.operands[2:]):
        if _slice_parts(taken) == _slice_parts(op):
            return (dest,)
    return None


def _fold_extract(op: Operation, constants: Constants) -> Folded:
    source = op.operands[0]
    positions = [int_of(constant) for constant in constants[1:]]
    producer = _producer(source, "tensor.from_elements", "tensor.splat")
    if producer is not None and producer.name == "tensor.splat":
        return (producer.operands[0],)
    shape = static_shape(source.type)
    if shape is None or any(p is None or not 0 <= p < extent for p, extent in zip(positions, shape, strict=True)):
        return _scalar_of_splat(constants[0])
    place = 0
    for position, extent in zip(positions, shape, strict=True):
        place = place * extent + (position or 0)
    if producer is not None:
        return (producer.operands[place],)
    return _element(constants[0], place)


def _scalar_of_splat(constant: Attribute | None) -> Folded:
    scalar = scalar_of(constant)
    return None if scalar is None else (scalar,)


def _element(constant: Attribute | None, place: int) -> Folded:
    if not isinstance(constant, DenseIntOrFPElementsAttr):
        return None
    element = element_type(constant.type)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
    value = dense_to_array(constant).reshape(-1)[place]
    if value.dtype.kind == "c":
        return None
    if (integer := integer_like(element, int(value)) if value.dtype.kind in "biu" else None) is not None:
        return (integer,)
    return (FloatAttr(float(value), element),)  # pyright: ignore[reportArgumentType, reportCallIssue]


def _fold_dim(op: Operation, constants: Constants) -> Folded:
    source_type, index = op.operands[0].type, int_of(constants[1])
    if isinstance(source_type, TensorType) and index is not None:
        shape: tuple[int, ...] = source_type.get_shape()
        if 0 <= index < len(shape) and shape[index] >= 0:
            extent = integer_like(op.results[0].type, shape[index])
            return None if extent is None else (extent,)
    return None


def _fold_cast(op: Operation, constants: Constants) -> Folded:
    source = op.operands[0]
    if source.type == op.results[0].type:
        return (source,)
    inner = _producer(source, "tensor.cast")
    if inner is not None and inner.operands[0].type == op.results[0].type:
        return (inner.operands[0],)
    return None


FOLDERS: dict[str, Folder] = {
    "tensor.cast": _fold_cast,
    "tensor.collapse_shape": _fold_reshape,
    "tensor.dim": _fold_dim,
    "tensor.expand_shape": _fold_reshape,
    "tensor.extract": _fold_extract,
    "tensor.extract_slice": _fold_extract_slice,
    "tensor.insert_slice": _fold_insert_slice,
}

PATTERNS: dict[str, tuple[Pattern, ...]] = {
    "tensor.collapse_shape": (_compose_reshapes,),
    "tensor.expand_shape": (_compose_reshapes,),
}

__all__ = ["FOLDERS", "PATTERNS", "static_shape"]
