"""The state of one phase being written as a `gpu.func`: values, buffers, and the pieces of vectors a lane holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from xdsl.dialects import arith, scf
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import DYNAMIC_INDEX, DenseIntOrFPElementsAttr, IntegerAttr, MemRefType, VectorType, i1
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import vector
from stepwell.ir.dense import splat_value
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.dtypes import byte_width
from stepwell.passes.gpu_mapping.assignment import Assignment, is_line
from stepwell.passes.gpu_mapping.layouts import Layout, ProjectedLayout, Run
from stepwell.passes.gpu_mapping.places import Linear, Place
from stepwell.passes.schedules.emit import INDEX, Emitter, Index, number


@dataclass(frozen=True)
class Buffer:
    """Where a root of the old kernel is now: the new memref, indices before its own, and how rows are permuted."""

    value: SSAValue
    prefix: tuple[Index, ...] = ()
    swizzled: bool = False
    shared: bool = False
    """In memory that the threads of a block share."""


ALL = "all"
NONE = "none"
Mask = str | Index | SSAValue
"""Of one run: `ALL`, `NONE`, how many leading elements count, or (as a vector) which."""


@dataclass
class PhaseState:
    """One phase. `spread` holds the pieces of vectors by layout; `values` everything that is equal in all lanes."""

    em: Emitter
    assignment: Assignment
    values: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    buffers: dict[SSAValue, Buffer] = field(default_factory=dict[SSAValue, Buffer])
    registers: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    """Register buffers: the old root -> a private memref of a lane's pieces."""
    spread: dict[SSAValue, dict[Layout, list[SSAValue]]] = field(
        default_factory=dict[SSAValue, dict[Layout, list[SSAValue]]]
    )
    lane: Index = 0
    subgroup: Index = 0

    # Values

    def value(self, old: SSAValue) -> SSAValue:
        """What a scalar (or a root buffer) of the old kernel is here."""
        known = self.values.get(old)
        if known is not None:
            return known
        op = old.owner
        if isinstance(op, arith.ConstantOp):
            return self.em.constant(op.value, op.result.type)
        raise AssertionError(f"{op}: used before it was mapped")

    def repeat(self, op: Operation) -> None:
        """Do an op without vectors here too, the same in all lanes."""
        mapper = {o: self.value(o) for o in op._operands}  # pyright: ignore[reportPrivateUsage]
        copy = self.em.add(op.clone(mapper))
        for old, new in zip(op.results, copy.results, strict=True):
            self.values[old] = new
            if isinstance(new.type, MemRefType):
                self.buffers[old] = Buffer(new)

    def buffer_of(self, op: Operation, root: SSAValue) -> Buffer:
        """Where the memory is that an op accesses.

        Raises:
            UnsupportedError: it is none of the kernel's.
        """
        buffer = self.buffers.get(root)
        if buffer is None:
            raise unsupported(op, "it accesses memory that does not belong to the kernel")
        return buffer

    def pieces(self, old: SSAValue, layout: Layout) -> Sequence[SSAValue]:
        """The pieces of a vector in a layout, made now when it can be."""
        known = self.spread.get(old, {}).get(layout)
        if known is not None:
            return known
        return self.remade(old, layout)

    def set_pieces(self, old: SSAValue, layout: Layout, pieces: Sequence[SSAValue]) -> None:
        """Say what a lane holds of a vector."""
        self.spread.setdefault(old, {})[layout] = list(pieces)

    def remade(self, old: SSAValue, layout: Layout) -> Sequence[SSAValue]:
        """The pieces of a vector that can be made in any layout, made now."""
        made = self._make(old, layout)
        if made is None:
            raise AssertionError(f"{old}: not spread as {layout}")
        return made

    def _make(self, old: SSAValue, layout: Layout) -> Sequence[SSAValue] | None:
        op = old.owner
        assert isinstance(old.type, VectorType)
        element = old.type.element_type
        if isinstance(op, arith.ConstantOp):
            value = splat_value(op.value) if isinstance(op.value, DenseIntOrFPElementsAttr) else None
            if value is None:
                raise unsupported(op, "the elements of a vector that is spread over lanes must be equal")
            return [self.splat_of(value, element, layout.piece)] * layout.count
        if isinstance(op, upstream_vector.BroadcastOp):
            scalar = self.value(op.source)
            if isinstance(scalar.owner, arith.ConstantOp) and scalar.type != INDEX:
                return [self.splat_of(scalar.owner.value, element, layout.piece)] * layout.count
            kind = VectorType(element, layout.piece)
            return [self.em.add(upstream_vector.BroadcastOp(scalar, kind)).results[0]] * layout.count
        if isinstance(op, vector.ConstantMaskOp | upstream_vector.CreateMaskOp):
            return [self._mask_piece(old, layout, i) for i in range(layout.count)]
        if isinstance(op, vector.StepOp):
            return [self._step_piece(element, layout, i) for i in range(layout.count)]
        if isinstance(op, Operation) and is_line(op):
            return self._line(op, layout)
        return None

    def _line(self, op: Operation, layout: Layout) -> Sequence[SSAValue]:
        """Consecutive numbers from a scalar on; along a column, they are those of a row that goes down."""
        if isinstance(op, vector.ShapeCastOp):
            return self.pieces(op.source, ProjectedLayout(layout.shape[:1], layout, (0,)))
        lhs, rhs = (self.pieces(o, layout) for o in op.operands)
        return [self.em.add(arith.AddiOp(a, b)).result for a, b in zip(lhs, rhs, strict=True)]

    def splat_of(self, value: Attribute, element: Attribute, shape: tuple[int, ...]) -> SSAValue:
        """A constant piece of equal elements."""
        return self.em.splat(value, VectorType(element, shape))

    def splat(self, element: Attribute, shape: tuple[int, ...]) -> SSAValue:
        """A constant piece of zeros."""
        return self.splat_of(number(element, 0), element, shape)

    def from_runs(self, runs: Sequence[SSAValue], element: Attribute, layout: Layout) -> SSAValue:
        """A piece from its runs."""
        if len(layout.piece) == 1:
            return runs[0]
        piece = self.splat(element, layout.piece)
        for i, run in enumerate(runs):
            piece = self.em.add(upstream_vector.InsertOp(run, piece, [i])).result
        return piece

    def run_of(self, piece: SSAValue, run: Run) -> SSAValue:
        """One run of a piece, a vector of one dim."""
        if not run.prefix:
            return piece
        assert isinstance(piece.type, VectorType)
        kind = VectorType(piece.type.element_type, [piece.type.get_shape()[-1]])
        return self.em.add(upstream_vector.ExtractOp(piece, list(run.prefix), kind)).result

    def when(self, condition: SSAValue, body: Callable[[], None]) -> None:
        """Do `body` where the condition holds."""
        block = Block()

        def fill() -> None:
            body()
            self.em.add(scf.YieldOp())

        self.em.inside(block, fill)
        self.em.add(scf.IfOp(condition, [], Region(block)))

    # Positions

    def coordinate(self, expr: AffineExpr) -> Index:
        """A position of this lane."""
        return self.em.apply(expr, [self.lane])

    def _step_piece(self, element: Attribute, layout: Layout, index: int) -> SSAValue:
        width = layout.piece[-1]
        runs: list[SSAValue] = []
        for run in layout.runs(index):
            start = self.em.index(self.coordinate(run.start[-1]))
            if element != INDEX:
                start = self.em.add(arith.IndexCastOp(start, element)).result
            line = self.em.add(upstream_vector.BroadcastOp(start, VectorType(element, [width]))).results[0]
            if layout.axis is not None:
                steps = self.em.add(vector.StepOp(width, element)).result
                line = self.em.add(arith.AddiOp(line, steps)).result
            runs.append(line)
        return self.from_runs(runs, element, layout)

    # Masks

    def mask(self, mask: SSAValue | None, layout: Layout, index: int, run: int) -> Mask:
        """Which elements of a run count, given the mask of the whole vector."""
        op = mask.owner if mask is not None else None
        sizes: list[Index] = list(layout.shape)
        if isinstance(op, vector.ConstantMaskOp):
            sizes = [int(s) for s in op.mask_dim_sizes.get_values()]
        elif isinstance(op, upstream_vector.CreateMaskOp):
            sizes = [_known(self.value(s)) for s in op.mask_dim_sizes]
        elif isinstance(op, arith.ConstantOp) and mask is not None:
            return self._bounds(sizes, layout, index, run) if _all_true(op) else NONE
        elif mask is not None:
            piece = self.pieces(mask, layout)[index]
            return self._within(self.run_of(piece, layout.runs(index)[run]), layout, index, run)
        return self._bounds(sizes, layout, index, run)

    def _within(self, lanes: SSAValue, layout: Layout, index: int, run: int) -> Mask:
        bounds = self._bounds(list(layout.shape), layout, index, run)
        if bounds == ALL:
            return lanes
        if bounds == NONE:
            return NONE
        return self.em.add(arith.AndIOp(lanes, self.mask_vector(bounds, layout.piece[-1]))).result

    def _bounds(self, sizes: Sequence[Index], layout: Layout, index: int, run: int) -> Mask:
        """How many leading elements of a run lie below `sizes`."""
        start = layout.runs(index)[run].start
        width = layout.piece[-1] if layout.axis is not None else 1
        conditions: list[SSAValue] = []
        count: Index | None = None
        for d, (expr, size) in enumerate(zip(start, sizes, strict=True)):
            along = d == layout.axis
            if isinstance(size, int):
                covered = _covers(expr, size, width if along else 1, self.assignment.lanes)
                if covered == ALL:
                    continue
                if covered == NONE:
                    return NONE
            position = self.coordinate(expr)
            if along:
                count = self.em.apply(AffineExpr.dimension(0) - AffineExpr.dimension(1), [size, position])
            else:
                test = arith.CmpiOp(self.em.index(position), self.em.index(size), "slt")
                conditions.append(self.em.add(test).result)
        return self._counted(conditions, count, layout.piece[-1])

    def _counted(self, conditions: Sequence[SSAValue], count: Index | None, width: int) -> Mask:
        if not conditions:
            return ALL if count is None else count
        test = conditions[0]
        for other in conditions[1:]:
            test = self.em.add(arith.AndIOp(test, other)).result
        whole = self.em.index(width if count is None else count)
        return self.em.add(arith.SelectOp(test, whole, self.em.index(0))).result

    def mask_vector(self, mask: Mask, width: int) -> SSAValue:
        """A run's mask as a vector."""
        kind = VectorType(i1, [width])
        if mask == ALL or mask == NONE:
            return self.em.splat(IntegerAttr(-1 if mask == ALL else 0, i1), kind)
        if isinstance(mask, SSAValue) and isinstance(mask.type, VectorType):
            return mask
        assert not isinstance(mask, str)
        return self.em.add(upstream_vector.CreateMaskOp([self.em.index(mask)], kind)).results[0]

    def _mask_piece(self, old: SSAValue, layout: Layout, index: int) -> SSAValue:
        width = layout.piece[-1]
        count = len(layout.runs(index))
        runs = [self._splatted_mask(self.mask(old, layout, index, r), layout, width) for r in range(count)]
        return self.from_runs(runs, i1, layout)

    def _splatted_mask(self, mask: Mask, layout: Layout, width: int) -> SSAValue:
        if layout.axis is not None or mask in (ALL, NONE):
            return self.mask_vector(mask, width)
        single = self.mask_vector(mask, 1)
        bit = self.em.add(upstream_vector.ExtractOp(single, [0], i1)).result
        return self.em.add(upstream_vector.BroadcastOp(bit, VectorType(i1, [width]))).results[0]

    # Addresses

    def linear(self, form: Linear) -> Index:
        """A linear form of old values as an index."""
        return self._sum(form, [])

    def _sum(self, form: Linear, extra: Sequence[tuple[Index, int]]) -> Index:
        expr: AffineExpr = AffineExpr.constant(form.const)
        operands: list[Index] = []
        for value, factor in form.terms:
            expr = expr + AffineExpr.dimension(len(operands)) * factor
            operands.append(_known(self.value(value)))
        for index, factor in extra:
            expr = expr + AffineExpr.dimension(len(operands)) * factor
            operands.append(index)
        return self.em.apply(expr.simplify(len(operands), 0), operands)

    def indices(
        self, buffer: Buffer, place: Place, indices: Sequence[SSAValue], moved: dict[int, AffineExpr]
    ) -> list[Index]:
        """Indices into a buffer of element `indices` of a window, dims in `moved` stepped by expressions of the lane."""
        forms = place.at(list(indices))
        extra: dict[int, list[tuple[Index, int]]] = {}
        for d, expr in moved.items():
            at = d % len(place.dims)
            extra.setdefault(place.dims[at], []).append((self.coordinate(expr), place.strides[at]))
        found = [self._sum(form, extra.get(d, [])) for d, form in enumerate(forms)]
        if buffer.swizzled:
            found = self._swizzled(found, place)
        return [*buffer.prefix, *found]

    def _swizzled(self, indices: list[Index], place: Place) -> list[Index]:
        """Rows' 16-byte chunks permuted by the row, so that a column of chunks lies in different banks."""
        row_length = place.kind.get_shape()[-1]
        size = byte_width(place.kind.element_type)
        chunk = max(1, 16 // size)
        chunks = row_length // chunk
        if len(indices) < 2 or row_length == DYNAMIC_INDEX or chunks < 2 or row_length % chunk or chunks & (chunks - 1):
            return indices
        banks = min(8, chunks)
        row, column = AffineExpr.dimension(0), AffineExpr.dimension(1)
        which = (row // max(1, 8 // banks)) % banks if banks < 8 else row % 8
        turned = self.em.index(self.em.apply(which, indices[-2:]))
        position = self.em.index(self.em.apply((column // chunk), indices[-2:]))
        new = self.em.add(arith.XOrIOp(position, turned)).result
        within = column % chunk
        last = self.em.apply(AffineExpr.dimension(2) * chunk + within, [*indices[-2:], new])
        return [*indices[:-1], last]


def _known(value: SSAValue) -> Index:
    op = value.owner
    if isinstance(op, arith.ConstantOp) and isinstance(op.value, IntegerAttr):
        return op.value.value.data
    return value


def _all_true(op: arith.ConstantOp) -> bool:
    assert isinstance(op.value, DenseIntOrFPElementsAttr)
    return all(op.value.data.data)


@lru_cache(maxsize=4096)
def _covers(expr: AffineExpr, size: int, width: int, lanes: int) -> str:
    """Whether, whatever the lane, all (`ALL`) or none (`NONE`) of `width` elements from `expr` lie below `size`."""
    starts = [expr.eval([lane], []) for lane in range(lanes)]
    if all(s + width <= size for s in starts):
        return ALL
    return NONE if all(s >= size for s in starts) else ""


__all__ = ["ALL", "NONE", "Buffer", "Mask", "PhaseState"]
