"""Choosing a layout for every vector of a phase.

Values that must agree (operands and results of elementwise ops, loop carries, what goes through one register buffer) form
classes. A contraction gives its accumulator's class a layout; a vector about to be repeated along another dim follows what it
becomes; the rest is spread linearly, as wide a lane as every access of that length can be aligned to. What can be made anew
where it is needed (constants, masks, splats, reads of memory) belongs to no class and is written in each layout asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod

from xdsl.dialects import affine, arith, memref, scf
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import MemRefType, VectorType
from xdsl.ir import Attribute, Block, Operation, SSAValue

from stepwell.dialects import kernel, vector
from stepwell.ir.diagnostics import invalid, unsupported
from stepwell.ir.dtypes import byte_width
from stepwell.passes.gpu_mapping.layouts import Layout, LinearLayout, ProjectedLayout, TileLayout
from stepwell.passes.gpu_mapping.places import Linear, access_alignment, place_of
from stepwell.passes.gpu_mapping.products import contraction_layout, operand_layout

WIDEST = 16
"""Bytes a lane reads or writes at once."""

Transfer = upstream_vector.TransferReadOp | upstream_vector.TransferWriteOp
TRANSFERS = (upstream_vector.TransferReadOp, upstream_vector.TransferWriteOp)

_REMADE = (
    arith.ConstantOp,
    vector.ConstantMaskOp,
    upstream_vector.CreateMaskOp,
    vector.StepOp,
)
_OTHERS = (upstream_vector.ReductionOp, vector.ContractOp, upstream_vector.ExtractOp)


def shape_of(value: SSAValue) -> tuple[int, ...]:
    """The shape of a vector."""
    assert isinstance(value.type, VectorType)
    return tuple(value.type.get_shape())


def is_vector(value: SSAValue) -> bool:
    """Whether a value is a vector."""
    return isinstance(value.type, VectorType)


def is_remade(value: SSAValue) -> bool:
    """Whether a vector can be written anew in any layout where it is needed, without reading memory."""
    op = value.owner
    if isinstance(op, upstream_vector.BroadcastOp):
        return not is_vector(op.source)
    return isinstance(op, _REMADE) or (isinstance(op, Operation) and is_line(op))


def is_line(op: Operation) -> bool:
    """Whether an op makes consecutive numbers from a scalar on, along a row or (as a shape of one column) along a column."""
    if isinstance(op, vector.ShapeCastOp):
        source, shape = op.source.owner, shape_of(op.result)
        column = len(shape_of(op.source)) == 1 and len(shape) == 2 and shape[1] == 1
        return column and (isinstance(source, vector.StepOp) or _is_counted(source))
    return _is_counted(op)


def _is_counted(op: Operation | Block) -> bool:
    """A step added to a scalar."""
    if not isinstance(op, arith.AddiOp):
        return False
    for step, start in ((op.lhs.owner, op.rhs.owner), (op.rhs.owner, op.lhs.owner)):
        if isinstance(step, vector.StepOp) and isinstance(start, upstream_vector.BroadcastOp):
            return not is_vector(start.source)
    return False


def is_elementwise(op: Operation) -> bool:
    """Whether lane values of the results depend on the same lane's values of the operands only."""
    if not op.results or op.regions or not is_vector(op.results[0]) or isinstance(op, (*TRANSFERS, *_OTHERS)):
        return False
    shape = shape_of(op.results[0])
    vectors = [o for o in op._operands if is_vector(o)]  # pyright: ignore[reportPrivateUsage]
    if isinstance(op, vector.GatherOp):
        return True
    if not op.name.startswith(("arith.", "math.", "vector.fma")):
        return False
    return all(shape_of(o) == shape for o in vectors) and all(shape_of(r) == shape for r in op.results)


@dataclass
class Assignment:
    """Layouts of a phase; `lanes_m`, `lanes_n` arrange the lanes for outer products."""

    lanes: int
    lanes_m: int
    lanes_n: int
    registers: dict[SSAValue, None] = field(default_factory=dict[SSAValue, None])
    """Scratch that each lane can hold its part of: the roots of register buffers."""
    _parents: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    _seeds: dict[SSAValue, Layout] = field(default_factory=dict[SSAValue, Layout])
    _widths: dict[tuple[int, ...], int] = field(default_factory=dict[tuple[int, ...], int])

    def layout(self, value: SSAValue) -> Layout:
        """The layout of a vector's (or register buffer's) class."""
        root = self._find(value)
        found = self._seeds.get(root)
        return found if found is not None else self.default(self._shape(value))

    def default(self, shape: tuple[int, ...]) -> Layout:
        """The layout of a vector that nothing says more about."""
        width = self._widths.get(shape, 1)
        if len(shape) == 2 and shape[1] % width == 0 and self.lanes % (shape[1] // width) == 0:
            return TileLayout(shape, self.lanes, width)
        return LinearLayout(shape, self.lanes, width)

    def wanted(self, op: Operation, position: int) -> Layout:
        """The layout in which `op` needs its vector operand `position`."""
        operand = op._operands[position]  # pyright: ignore[reportPrivateUsage]
        if isinstance(op, vector.ContractOp):
            if position == 2:
                return self.layout(op.result)
            return operand_layout(op, position, self.layout(op.result))
        if isinstance(op, upstream_vector.BroadcastOp):
            return projected(shape_of(operand), self.layout(op.results[0]))
        if isinstance(op, upstream_vector.TransferWriteOp):
            root = place_of(op.source).root
            if root in self.registers:
                return self.layout(root)
            value = op.vector
            return self.default(shape_of(value)) if _is_free(value, self) else self.layout(value)
        if op.results and is_elementwise(op):
            return self.layout(op.results[0])
        target = carried_result(op, position)
        if target is not None:
            return self.layout(target)
        return self.default(shape_of(operand)) if _is_free(operand, self) else self.layout(operand)

    def _shape(self, value: SSAValue) -> tuple[int, ...]:
        if isinstance(value.type, MemRefType):
            return self._register_shapes[value]
        return shape_of(value)

    _register_shapes: dict[SSAValue, tuple[int, ...]] = field(default_factory=dict[SSAValue, tuple[int, ...]])

    # Classes

    def _find(self, value: SSAValue) -> SSAValue:
        while value in self._parents:
            value = self._parents[value]
        return value

    def join(self, first: SSAValue, second: SSAValue) -> None:
        """Both have one layout."""
        a, b = self._find(first), self._find(second)
        if a is b:
            return
        self._parents[b] = a
        seed = self._seeds.pop(b, None)
        if seed is not None:
            self.seed(a, seed)

    def seed(self, value: SSAValue, layout: Layout) -> None:
        """The class of a value has this layout."""
        root = self._find(value)
        known = self._seeds.setdefault(root, layout)
        if known != layout:
            op = value.owner if isinstance(value.owner, Operation) else value.owner.parent_op()
            assert op is not None
            raise unsupported(op, "its value would have to be spread over the lanes in two ways")

    def has_seed(self, value: SSAValue) -> bool:
        """Whether something determines the layout of a value."""
        return self._find(value) in self._seeds


def _is_free(value: SSAValue, assignment: Assignment) -> bool:
    """Made anew, or read from memory, in whatever layout is asked for."""
    op = value.owner
    if isinstance(op, upstream_vector.TransferReadOp):
        return place_of(op.source).root not in assignment.registers
    return is_remade(value)


def is_free(value: SSAValue, assignment: Assignment) -> bool:
    """Whether a vector belongs to no class."""
    return _is_free(value, assignment)


def projected(shape: tuple[int, ...], parent: Layout) -> ProjectedLayout:
    """The layout of a vector that is repeated to become one of layout `parent`."""
    missing = len(parent.shape) - len(shape)
    dims = tuple(None if size == 1 and parent.shape[missing + d] != 1 else missing + d for d, size in enumerate(shape))
    return ProjectedLayout(shape, parent, dims)


def carried_result(op: Operation, position: int) -> SSAValue | None:
    """The result that an operand of a loop, or of a terminator, becomes."""
    if isinstance(op, scf.ForOp):
        return op.results[position - 3] if position >= 3 else None
    if isinstance(op, affine.ForOp):
        first = len(op.lowerBoundOperands) + len(op.upperBoundOperands)
        return op.results[position - first] if position >= first else None
    if isinstance(op, scf.YieldOp | affine.YieldOp):
        parent = op.parent_op()
        if isinstance(parent, scf.ForOp | affine.ForOp | scf.IfOp | affine.IfOp):
            return parent.results[position]
    return None


def assign(loop: Operation, lanes: int, grid: tuple[int, int]) -> Assignment:
    """Layouts for all vectors of a phase (a top-level forall).

    Raises:
        UnsupportedError: an op has no form on lanes, or two uses need different layouts.
    """
    found = Assignment(lanes, *grid)
    _find_registers(loop, found)
    ops = list(loop.walk())
    found._widths.update(_lane_widths(ops, found))  # pyright: ignore[reportPrivateUsage]
    for op in ops:
        _join(op, found)
    for op in ops:
        if isinstance(op, vector.ContractOp):
            found.seed(op.result, contraction_layout(op, found.lanes_m, found.lanes_n))
    for op in reversed(ops):
        if isinstance(op, upstream_vector.BroadcastOp) and is_vector(op.source) and not is_free(op.source, found):
            if not found.has_seed(op.source):
                found.seed(op.source, projected(shape_of(op.source), found.layout(op.results[0])))
    return found


def _join(op: Operation, found: Assignment) -> None:
    """What must agree because of one op."""

    def join(first: SSAValue, second: SSAValue) -> None:
        if is_vector(first) and not is_free(first, found) and not is_free(second, found):
            found.join(second, first)

    if isinstance(op, scf.ForOp | affine.ForOp):
        _join_carried(op, found, join)
    elif isinstance(op, scf.YieldOp | affine.YieldOp):
        for position, operand in enumerate(op.operands):
            target = carried_result(op, position)
            if target is not None:
                join(operand, target)
    elif isinstance(op, vector.ContractOp):
        join(op.acc, op.result)
    elif isinstance(op, TRANSFERS):
        _join_registers(op, found)
    elif is_elementwise(op):
        for operand in op._operands:  # pyright: ignore[reportPrivateUsage]
            join(operand, op.results[0])
        for result in op.results[1:]:
            found.join(op.results[0], result)
    elif any(is_vector(r) for r in op.results) and not _known(op):
        raise unsupported(
            op, f"{op.name} has no form on the lanes of a subgroup", "schedule it with one-dimensional vectors"
        )


def _join_registers(op: Transfer, found: Assignment) -> None:
    """What goes through one register buffer."""
    root = place_of(op.source).root
    value = op.result if isinstance(op, upstream_vector.TransferReadOp) else op.vector
    if root in found.registers and not is_free(value, found):
        found.join(root, value)


def _join_carried(op: scf.ForOp | affine.ForOp, found: Assignment, join: Callable[[SSAValue, SSAValue], None]) -> None:
    """What a loop starts from, carries and leaves."""
    inits = op.iter_args if isinstance(op, scf.ForOp) else op.inits
    for init, argument, result in zip(inits, op.body.block.args[1:], op.results, strict=True):
        if is_vector(init):
            found.join(result, argument)
            join(init, result)


def _known(op: Operation) -> bool:
    return all(is_remade(r) for r in op.results) or isinstance(op, (upstream_vector.BroadcastOp, scf.IfOp))


def _find_registers(loop: Operation, found: Assignment) -> None:
    """Scratch of a subgroup that is only read and written whole, by its own subgroup: the lanes keep it in registers."""
    accesses: dict[SSAValue, list[Operation]] = {}
    for op in loop.walk():
        if isinstance(op, memref.AllocaOp) and scope_of(op) is kernel.ScratchScope.SUBGROUP:
            accesses[op.memref] = []
    if not accesses:
        return
    for op in loop.walk():
        for operand in op._operands:  # pyright: ignore[reportPrivateUsage]
            if isinstance(operand.type, MemRefType) and not isinstance(op, memref.SubviewOp):
                root = place_of(operand).root
                if root in accesses:
                    accesses[root].append(op)
    for root, ops in accesses.items():
        shapes = [_whole(op, root) for op in ops]
        if shapes and shapes[0] is not None and all(s == shapes[0] for s in shapes):
            found.registers[root] = None
            found._register_shapes[root] = shapes[0]  # pyright: ignore[reportPrivateUsage]


def _whole(op: Operation, root: SSAValue) -> tuple[int, ...] | None:
    """The shape of a transfer of all that a subgroup has of a scratch; None when the op is anything else."""
    if not isinstance(op, TRANSFERS) or op.mask is not None:
        return None
    value = op.result if isinstance(op, upstream_vector.TransferReadOp) else op.vector
    shape = shape_of(value)
    assert isinstance(root.type, MemRefType)
    extents = tuple(root.type.get_shape())
    indices = place_of(op.source).at(list(op.indices))
    if extents[len(extents) - len(shape) :] != shape or len(extents) - len(shape) > 1:
        return None
    inner = indices[len(extents) - len(shape) :]
    return shape if all(i == Linear(0) for i in inner) else None


def scope_of(op: memref.AllocaOp) -> kernel.ScratchScope:
    """Who shares a scratch buffer.

    Raises:
        InvalidProgramError: it does not say.
    """
    scope = op.attributes.get("scratch")
    if not isinstance(scope, kernel.ScratchAttr):
        raise invalid(op, "says nothing of who shares it", "add scratch = #kernel.scratch<block> or <subgroup>")
    return scope.data


def _lane_widths(ops: Sequence[Operation], found: Assignment) -> dict[tuple[int, ...], int]:
    """Consecutive elements a lane takes of a vector, per shape of vectors: the least that any access allows."""
    widths: dict[tuple[int, ...], int] = {}
    for op in ops:
        for value in (*op.results, *op._operands):  # pyright: ignore[reportPrivateUsage]
            if is_vector(value):
                shape = shape_of(value)
                widths.setdefault(shape, _power(max(1, prod(shape) // found.lanes)))
        if isinstance(op, TRANSFERS) and place_of(op.source).root not in found.registers:
            value = op.result if isinstance(op, upstream_vector.TransferReadOp) else op.vector
            shape = shape_of(value)
            widths[shape] = min(widths[shape], _aligned_width(op, element_of(value)))
    for shape, width in widths.items():
        while len(shape) > 1 and shape[-1] % width:
            width //= 2
        widths[shape] = width
    return widths


def element_of(value: SSAValue) -> Attribute:
    """Element type of a vector."""
    assert isinstance(value.type, VectorType)
    return value.type.element_type


def _aligned_width(op: Transfer, element: Attribute) -> int:
    """How many elements a lane may take at once: aligned, at most 16 bytes."""
    place = place_of(op.source)
    size = byte_width(element)
    if not place.dims or place.strides[-1] != 1 or place.dims[-1] != len(place.kind.get_shape()) - 1:
        return max(1, WIDEST // size)
    return max(1, _power(access_alignment(place.root, place.at(list(op.indices))) // size))


def _power(number: int) -> int:
    """The largest power of two not above a number."""
    return 1 << (max(1, number).bit_length() - 1)


__all__ = [
    "TRANSFERS",
    "Assignment",
    "Transfer",
    "assign",
    "carried_result",
    "element_of",
    "is_elementwise",
    "is_free",
    "is_line",
    "is_remade",
    "is_vector",
    "projected",
    "scope_of",
    "shape_of",
]
