"""What kind of work a `linalg.generic` is, what it costs, and what an op of a block reads."""

from __future__ import annotations

from math import prod

from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.linalg.attrs import IteratorType
from xdsl.ir import Attribute, Block, BlockArgument, Operation, SSAValue

from stepwell.ir.dense import splat_value
from stepwell.ir.dtypes import byte_width
from stepwell.ir.structured import indexing_maps, is_projected_permutation, iterator_kinds

CHEAP = 4
"""Simple ops worth repeating rather than writing their result to memory and reading it back."""

COSTS = {
    "arith.constant": 0, "linalg.index": 0, "linalg.yield": 0, "structured.element": 0, "tensor.extract": 3,
    "arith.divf": 6, "arith.remf": 20, "arith.divsi": 12, "arith.divui": 12, "arith.remsi": 12, "arith.remui": 12,
    "math.absf": 1, "math.absi": 1, "math.copysign": 1, "math.fma": 1, "math.floor": 1, "math.ceil": 1,
    "math.roundeven": 1, "math.trunc": 1, "math.sqrt": 8, "math.rsqrt": 10, "math.powf": 36,
    "math.erf_inv": 40, "math.lgamma": 120, "math.digamma": 120, "math.bessel_i1e": 100,
}  # fmt: skip
"""Simple ops an op is worth, where it is not one; other ops of `math` and `complex` are worth twelve."""

_WIDENINGS = (arith.ExtFOp, arith.ExtSIOp, arith.ExtUIOp, arith.SIToFPOp, arith.UIToFPOp)

_NO_WORK = frozenset(("arith.constant", "linalg.index", "linalg.yield", "structured.element", "tensor.extract"))


def op_cost(op: Operation) -> int:
    """Simple ops that one op of a body is worth."""
    known = COSTS.get(op.name)
    if known is not None:
        return known
    return 12 if op.name.startswith(("math.", "complex.")) else 1


def body_cost(op: linalg.GenericOp) -> int:
    """Simple ops per point of the iteration space."""
    return sum(op_cost(inner) for inner in op.body.block.ops)


def body_flops(op: linalg.GenericOp) -> int:
    """Operations of a body that compute: all but constants, indices and reads."""
    return sum(1 for inner in op.body.block.ops if inner.name not in _NO_WORK)


def on_static_tensors(op: linalg.GenericOp) -> bool:
    """Whether all operands are tensors of known shape (or scalars)."""
    if not op.results:
        return False
    for operand in op._operands:  # pyright: ignore[reportPrivateUsage]
        kind = operand.type
        if not (kind.has_static_shape() if isinstance(kind, TensorType) else not hasattr(kind, "shape")):
            return False
    return True


def is_parallel(op: linalg.GenericOp) -> bool:
    """Whether no dim is reduced."""
    return all(kind.data is IteratorType.PARALLEL for kind in op.iterator_types.data)


def is_elementwise(op: linalg.GenericOp) -> bool:
    """All dims parallel, each in every output once, and the old contents of the outputs unused."""
    if not is_parallel(op) or not on_static_tensors(op):
        return False
    maps = indexing_maps(op)
    first = len(maps) - len(op.results)
    if any(arg.first_use is not None for arg in op.body.block.args[first:]):
        return False
    return all(is_projected_permutation(m) and len(m.results) == m.num_dims for m in maps[first:])


def is_movement(op: linalg.GenericOp) -> bool:
    """Whether an elementwise generic only moves data: it yields one of its inputs."""
    terminator = op.body.block.last_op
    if terminator is None or terminator is not op.body.block.first_op or len(terminator.operands) != 1:
        return False
    (moved,) = terminator.operands
    return isinstance(moved, BlockArgument) and moved.index < len(op.inputs)


def is_widening(op: linalg.GenericOp) -> bool:
    """Whether an elementwise generic only converts numbers to a wider type: what sums of products do while they pack."""
    cast, terminator = op.body.block.first_op, op.body.block.last_op
    if not isinstance(cast, _WIDENINGS) or cast.next_op is not terminator or terminator is None:
        return False
    (source,) = cast.operands
    narrower = byte_width(source.type) < byte_width(cast.results[0].type)
    return isinstance(source, BlockArgument) and source.index < len(op.inputs) and narrower


def is_sum_of_products(op: linalg.GenericOp) -> bool:
    """A contraction or a convolution: `accumulator + cast(a) * cast(b)`, where one factor misses a parallel dim.

    Where both have all parallel dims, nothing is used twice: that is a reduction of a product.
    """
    if len(op.results) != 1 or len(op.indexing_maps.data) != 3 or is_parallel(op):
        return False
    block = op.body.block
    terminator = block.last_op
    assert terminator is not None
    total = terminator.operands[0].owner
    if not isinstance(total, arith.AddfOp | arith.AddiOp) or block.args[2] not in total.operands:
        return False
    term = total.operands[1] if total.operands[0] is block.args[2] else total.operands[0]
    if not isinstance(term.owner, arith.MulfOp | arith.MuliOp):
        return False
    if {_behind_casts(f) for f in term.owner.operands} != {block.args[0], block.args[1]}:
        return False
    used = [m.used_dims() for m in indexing_maps(op)]
    return any(k == "parallel" and not (d in used[0] and d in used[1]) for d, k in enumerate(iterator_kinds(op)))


def _behind_casts(value: SSAValue) -> SSAValue:
    while isinstance(value.owner, Operation) and len(value.owner.operands) == 1:
        value = value.owner.operands[0]
    return value


def shape_of(value: SSAValue) -> tuple[int, ...]:
    """The shape of a tensor, `()` of a scalar."""
    return value.type.get_shape() if isinstance(value.type, TensorType) else ()


def volume(value: SSAValue) -> int:
    """Elements of a value."""
    return prod(shape_of(value))


def splat_of(value: SSAValue) -> Attribute | None:
    """The element of a constant tensor whose elements are all equal."""
    op = value.owner
    if not isinstance(op, arith.ConstantOp) or not isinstance(op.value, DenseIntOrFPElementsAttr):
        return None
    return splat_value(op.value) if volume(value) else None


def filled_with(value: SSAValue) -> SSAValue | None:
    """The scalar a tensor was filled with."""
    op = value.owner
    return op.inputs[0] if isinstance(op, linalg.FillOp) else None


def captures(op: Operation) -> list[SSAValue]:
    """Values the regions of `op` use from outside, in order of first use."""
    found: dict[SSAValue, None] = {}
    inside: dict[Block, None] = {}

    def visit(outer: Operation) -> None:
        # Not `walk`: each op it yields passes through a generator per level of nesting.
        for region in outer.regions:
            for block in region.blocks:
                inside[block] = None
                for inner in block.ops:
                    for operand in inner._operands:  # pyright: ignore[reportPrivateUsage]
                        found.setdefault(operand)
                    if inner.regions:
                        visit(inner)

    visit(op)
    return [v for v in found if _block_of(v) not in inside]


def _block_of(value: SSAValue) -> Block | None:
    owner = value.owner
    return owner if isinstance(owner, Block) else owner.parent


def is_free(op: Operation) -> bool:
    """Ops made again wherever they are needed: empty tensors, constants, fills with a constant."""
    if isinstance(op, tensor.EmptyOp | arith.ConstantOp):
        return True
    return isinstance(op, linalg.FillOp) and isinstance(op.inputs[0].owner, arith.ConstantOp)
