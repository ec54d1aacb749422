"""The memory behind an access: its root, the indices into it, and what is known of the address.

Slices (`memref.subview`) are seen through, so that an access is always one of a whole buffer: layouts, swizzles and barriers
are facts about buffers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd, prod

from xdsl.dialects import affine, arith, memref, scf
from xdsl.dialects.builtin import DYNAMIC_INDEX, IndexType, IntegerAttr, MemRefType
from xdsl.dialects.utils import get_dynamic_index_list
from xdsl.ir import Block, Operation, SSAValue
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineSymExpr,
)

from stepwell.ir.dtypes import byte_width
from stepwell.ir.errors import UnsupportedError

BASE_ALIGNMENT = 16
"""Bytes: what the runtime promises of every buffer, and wider than any access of a lane."""


@dataclass(frozen=True)
class Linear:
    """`const + sum of value * factor`."""

    const: int = 0
    terms: tuple[tuple[SSAValue, int], ...] = ()

    def plus(self, other: Linear, factor: int = 1) -> Linear:
        """`self + other * factor`."""
        total = dict(self.terms)
        for value, count in other.terms:
            total[value] = total.get(value, 0) + count * factor
        return Linear(self.const + other.const * factor, tuple((v, c) for v, c in total.items() if c))


def linear(index: SSAValue | int) -> Linear:
    """An index as a linear form: a number where it is one."""
    if isinstance(index, int):
        return Linear(index)
    number = constant_of(index)
    return Linear(number) if number is not None else Linear(0, ((index, 1),))


def constant_of(value: SSAValue) -> int | None:
    """The integer a value is known to be."""
    owner = value.owner
    if isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr):
        return owner.value.value.data
    return None


@dataclass(frozen=True)
class Place:
    """A memref as a window of its root: dim d of it steps dim `dims[d]` of the root by `strides[d]`, from `offsets`."""

    root: SSAValue
    offsets: tuple[Linear, ...]
    dims: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def kind(self) -> MemRefType:
        """Type of the root."""
        assert isinstance(self.root.type, MemRefType)
        return self.root.type

    def at(self, indices: Sequence[SSAValue | int]) -> tuple[Linear, ...]:
        """Indices into the root of the window's element `indices`."""
        found = list(self.offsets)
        for dim, stride, index in zip(self.dims, self.strides, indices, strict=True):
            found[dim] = found[dim].plus(linear(index), stride)
        return tuple(found)

    def is_run(self, window: SSAValue) -> bool:
        """Whether the elements of the window follow each other in the root, as they do in a buffer of the window's shape."""
        assert isinstance(window.type, MemRefType)
        shape = self.kind.get_shape()
        step = 1
        for dim, stride, extent in reversed(list(zip(self.dims, self.strides, window.type.get_shape(), strict=True))):
            inner = shape[dim + 1 :]
            if extent != 1 and (step == 0 or DYNAMIC_INDEX in inner or prod(inner) * stride != step):
                return False
            # Rows of a size known at run time only have nothing known above them.
            step = 0 if extent == DYNAMIC_INDEX else step * extent
        return True


def place_of(value: SSAValue) -> Place:
    """The root behind a memref."""
    op = value.owner
    if not isinstance(op, memref.SubviewOp):
        assert isinstance(value.type, MemRefType)
        rank = len(value.type.get_shape())
        return Place(value, (Linear(),) * rank, tuple(range(rank)), (1,) * rank)
    source = place_of(op.source)
    offsets = get_dynamic_index_list(op.static_offsets.get_values(), op.offsets, DYNAMIC_INDEX)
    strides = get_dynamic_index_list(op.static_strides.get_values(), op.strides, DYNAMIC_INDEX)
    moved = source.at(offsets)
    dims: list[int] = []
    steps: list[int] = []
    for d in kept_dims(op):
        stride = strides[d]
        if not isinstance(stride, int):
            raise UnsupportedError(f"{op.name}: a dynamic stride has no form on lanes")
        dims.append(source.dims[d])
        steps.append(source.strides[d] * stride)
    return Place(source.root, moved, tuple(dims), tuple(steps))


def kept_dims(op: memref.SubviewOp) -> list[int]:
    """The dims of the source that the result still has: only one of static size one can be dropped."""
    assert isinstance(op.result.type, MemRefType)
    shape = op.result.type.get_shape()
    sizes = op.static_sizes.get_values()
    kept: list[int] = []
    for d, size in enumerate(sizes):
        if size != 1 or (len(kept) < len(shape) and shape[len(kept)] == 1):
            kept.append(d)
    return kept


_KEEP_DIVISORS = (arith.AddiOp, arith.SubiOp, arith.RemUIOp, arith.MinSIOp, arith.MaxSIOp)
"""What divides both operands divides the result."""


def divisor(value: SSAValue, depth: int = 8) -> int:
    """The largest number known to divide an index; 0 for zero itself."""
    number = constant_of(value)
    if number is not None:
        return abs(number)
    owner = value.owner
    if depth == 0:
        return 1
    if isinstance(owner, Block):
        return _loop_divisor(owner.parent_op(), value, depth)
    if isinstance(owner, affine.ApplyOp):
        operands = [divisor(o, depth - 1) for o in owner.mapOperands]
        return _expr_divisor(owner.map.data.results[0], operands, owner.map.data.num_dims)
    if isinstance(owner, arith.SubiOp) and isinstance(owner.rhs.owner, arith.RemUIOp):
        rest = owner.rhs.owner
        if rest.lhs is owner.lhs:  # rounded down: `x - x mod c`
            return divisor(rest.rhs, depth - 1)
    if isinstance(owner, _KEEP_DIVISORS):
        return gcd(divisor(owner.lhs, depth - 1), divisor(owner.rhs, depth - 1))
    if isinstance(owner, arith.MuliOp):
        return divisor(owner.lhs, depth - 1) * divisor(owner.rhs, depth - 1)
    return 1


def _loop_divisor(loop: Operation | None, value: SSAValue, depth: int) -> int:
    if isinstance(loop, scf.ForOp) and value is loop.body.block.args[0]:
        return gcd(divisor(loop.lb, depth - 1), divisor(loop.step, depth - 1))
    if isinstance(loop, affine.ForOp) and value is loop.body.block.args[0]:
        lower = loop.lowerBoundMap.data
        if len(lower.results) != 1:
            return 1
        operands = [divisor(o, depth - 1) for o in loop.lowerBoundOperands]
        return gcd(_expr_divisor(lower.results[0], operands, lower.num_dims), loop.step.value.data)
    return 1


def _expr_divisor(expr: AffineExpr, operands: Sequence[int], dims: int) -> int:
    if isinstance(expr, AffineConstantExpr):
        return abs(expr.value)
    if isinstance(expr, AffineDimExpr):
        return operands[expr.position]
    if isinstance(expr, AffineSymExpr):
        return operands[dims + expr.position]
    assert isinstance(expr, AffineBinaryOpExpr)
    lhs, rhs = _expr_divisor(expr.lhs, operands, dims), _expr_divisor(expr.rhs, operands, dims)
    match expr.kind:
        case AffineBinaryOpKind.Add | AffineBinaryOpKind.Mod:
            return gcd(lhs, rhs)
        case AffineBinaryOpKind.Mul:
            return lhs * rhs
        case AffineBinaryOpKind.FloorDiv | AffineBinaryOpKind.CeilDiv:
            return lhs // rhs if rhs and lhs % rhs == 0 else 1


def linear_divisor(form: Linear) -> int:
    """The largest number known to divide a linear form."""
    found = abs(form.const)
    for value, factor in form.terms:
        found = gcd(found, factor * divisor(value))
    return found


def root_alignment(value: SSAValue) -> int:
    """Bytes to which a buffer's first element is aligned (at most `BASE_ALIGNMENT`)."""
    owner = value.owner
    if isinstance(owner, memref.ViewOp):
        return gcd(root_alignment(owner.source), divisor(owner.byte_shift) or BASE_ALIGNMENT)
    if isinstance(owner, memref.CollapseShapeOp | memref.ExpandShapeOp):
        return root_alignment(owner.src)
    if isinstance(owner, memref.SubviewOp):
        assert isinstance(owner.result.type, MemRefType)
        return byte_width(owner.result.type.element_type)
    return BASE_ALIGNMENT


def access_alignment(root: SSAValue, indices: Sequence[Linear]) -> int:
    """Bytes known to divide the address of an element of a root buffer (at most `BASE_ALIGNMENT`)."""
    kind = root.type
    assert isinstance(kind, MemRefType)
    width = byte_width(kind.element_type)
    found = root_alignment(root)
    shape = kind.get_shape()
    for d, index in enumerate(indices):
        inner = shape[d + 1 :]
        if DYNAMIC_INDEX in inner:
            return width
        found = gcd(found, linear_divisor(index) * prod(inner) * width)
    return found


def evaluate(value: SSAValue, known: dict[SSAValue, int]) -> int | None:
    """The number an index is when the values in `known` are; None when it depends on others."""
    if value in known:
        return known[value]
    number = constant_of(value)
    if number is not None:
        return number
    owner = value.owner
    if isinstance(owner, affine.ApplyOp):
        operands: list[int] = []
        for operand in owner.mapOperands:
            found = evaluate(operand, known)
            if found is None:
                return None
            operands.append(found)
        dims = owner.map.data.num_dims
        return owner.map.data.eval(operands[:dims], operands[dims:])[0]
    if isinstance(owner, arith.AddiOp | arith.SubiOp | arith.MuliOp | arith.RemUIOp | arith.DivUIOp):
        lhs, rhs = evaluate(owner.lhs, known), evaluate(owner.rhs, known)
        if lhs is None or rhs is None or (isinstance(owner, arith.RemUIOp | arith.DivUIOp) and rhs <= 0):
            return None
        operations = {
            arith.AddiOp: int.__add__,
            arith.SubiOp: int.__sub__,
            arith.MuliOp: int.__mul__,
            arith.RemUIOp: int.__mod__,
            arith.DivUIOp: int.__floordiv__,
        }
        return operations[type(owner)](lhs, rhs)
    return None


def evaluate_linear(form: Linear, known: dict[SSAValue, int]) -> int | None:
    """`evaluate` of a linear form."""
    total = form.const
    for value, factor in form.terms:
        found = evaluate(value, known)
        if found is None:
            return None
        total += found * factor
    return total


INDEX = IndexType()

__all__ = [
    "BASE_ALIGNMENT",
    "INDEX",
    "Linear",
    "Place",
    "access_alignment",
    "constant_of",
    "divisor",
    "evaluate",
    "evaluate_linear",
    "kept_dims",
    "linear",
    "linear_divisor",
    "place_of",
    "root_alignment",
]
