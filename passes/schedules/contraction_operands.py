"""The operands of a contraction as its tiles read them: where they are, or packed by the task into scratch of its own.

B is packed as panels `[panel][k..][nr]`, A as the rows of one tile, `[k..][row][k]` or, where rows are contiguous in it,
`[k..][k][row]`. Packing also converts, transposes in registers, and gathers what has no rows (a window with strides).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr, BoolAttr, TensorType, VectorType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap

from stepwell.dialects import kernel
from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.contraction_analysis import Contraction
from stepwell.passes.schedules.contraction_choice import Tiling, row_step, whole_vectors
from stepwell.passes.schedules.emit import Emitter, Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder
from stepwell.passes.schedules.lanes import (
    Lanes,
    Point,
    broadcast,
    is_tile,
    is_vector,
    read,
    transfer_write,
    vector_of,
)
from stepwell.passes.schedules.nest import Access, is_contiguous
from stepwell.passes.schedules.plan import WIDE_BYTES
from stepwell.passes.schedules.space import tiled_loop

LINES = 4
"""Cache lines of A that are copied at once, for each term, where its rows lie next to each other."""
ROWS_AT_ONCE = 4
"""Rows of B copied next to each other: whole lines of a panel, from few pages at a time."""

Copy = Callable[[Sequence[Index], int, SSAValue], SSAValue]
"""Copies what belongs to some terms: `(k dims, how many of the innermost, scratch)`, giving the new scratch."""


@dataclass(frozen=True)
class Sums:
    """A run of terms of the sums: the outermost k dim from `start`, `extent` points."""

    start: Index
    extent: Index
    first: SSAValue | bool
    """Whether the sums start here."""
    last: SSAValue | bool
    """Whether they end here."""


@dataclass(frozen=True)
class Operand:
    """What a tile reads: a tensor at `exprs` of the dims, k dims counted from the start of the run where it is packed."""

    access: Access
    packed: bool
    rows: int | None = None
    """The dim of the tensor along which the rows of a tile of A lie."""
    sums: SSAValue | None = None
    """Of a packed B: what each column's sums start with besides, panel by panel."""


@dataclass(frozen=True)
class Packer:
    """Packs the operands of one contraction."""

    builder: KernelBuilder
    found: Contraction
    tiling: Tiling
    terms: int
    """Points of the outermost k dim in a run, at most."""

    @property
    def step(self) -> int:
        """Terms that packing takes at once, along a row."""
        return 2 * max(1, self.tiling.vector_bytes // byte_width(self.found.accumulator))

    @property
    def em(self) -> Emitter:
        """Where ops go."""
        return self.builder.em

    # B.

    def direct_b(self, access: Access) -> Operand:
        """B where it is."""
        return Operand(access, packed=False)

    def pack_b(
        self, source: Access | SSAValue, index: Sequence[Index], first: Index, columns: Index, most: int, run: Sums
    ) -> Operand:
        """The columns from `first` (of the whole) as panels; `index` holds the outer dims, `most` bounds the columns."""
        found, nr, k = self.found, self.tiling.nr, self.found.reduced[-1]
        lanes = self.lanes(found.accumulator)
        line = whole_vectors(nr, lanes)
        target = self.panels(source, most)
        crossed = isinstance(source, Access) and is_contiguous(source.exprs, k)
        depth = lanes if crossed else ROWS_AT_ONCE

        def panel(ks: Sequence[Index], j: Index, width: int, steps: int, out: SSAValue) -> SSAValue:
            place = self.em.apply(AffineExpr.dimension(0) // nr, [j])
            for piece in range(0, width, lanes if crossed else line):
                at = self.moved(index, ks, run)
                at[found.n] = self.sum(first, self.sum(j, piece))
                shape, mask = (steps, min(lanes, width - piece) if crossed else width), None
                if not crossed and width != whole_vectors(width, lanes) and self.tiling.vector_bytes >= WIDE_BYTES:
                    shape = (steps, whole_vectors(width, lanes))
                    mask = self.em.constant_mask([steps, width], shape)
                value = self.piece(source, found.b_casts, at, (k, found.n), shape, mask)
                out = transfer_write(self.em, value, out, [place, *ks, piece])
            return out

        def over_panels(out: SSAValue, body: Callable[[Index, int, SSAValue], SSAValue]) -> SSAValue:
            edge = found.sizes[found.n] % nr
            return tiled_loop(self.em, columns, edge, nr, [out], lambda j, width, args: [body(j, width, args[0])])[0]

        if crossed:
            # Along rows of B: what comes next in each is near.
            target = over_panels(
                target,
                lambda j, width, out: self._over_terms(
                    run, depth, out, lambda ks, steps, inner: panel(ks, j, width, steps, inner)
                ),
            )
        else:
            target = self._over_terms(
                run,
                depth,
                target,
                lambda ks, steps, out: over_panels(out, lambda j, width, inner: panel(ks, j, width, steps, inner)),
            )
        return self.packed_b(target)

    def panels(self, source: Access | SSAValue, most: int) -> SSAValue:
        """Scratch for the panels of at most so many columns of B."""
        found, nr, lanes = self.found, self.tiling.nr, self.lanes(self.found.accumulator)
        inner = [self.terms, *(found.sizes[d] for d in found.reduced[1:])]
        shape = [-(-most // nr), *inner, whole_vectors(nr, lanes)]
        return self.builder.scratch(TensorType(_kind_of(source, found.b_casts), shape), kernel.ScratchScope.WORKER)

    def packed_b(self, panels: SSAValue) -> Operand:
        """Panels as tiles read them."""
        exprs: list[AffineExpr] = [AffineExpr.dimension(self.found.n) // self.tiling.nr]
        exprs += [AffineExpr.dimension(d) for d in self.found.reduced]
        return Operand(Access(panels, (*exprs, AffineExpr.constant(0))), packed=True)

    # A.

    def direct_a(self, access: Access) -> Operand:
        """A where it is."""
        place = row_step(access.exprs, self.found.m)
        return Operand(access, packed=False, rows=None if place is None else place[0])

    def pack_a(self, source: Access | SSAValue, index: Sequence[Index], rows: int, run: Sums) -> Operand:
        """The rows of one tile; `index` holds the outer dims and the first row."""
        m = self.found.m
        if m is not None and isinstance(source, Access) and is_contiguous(source.exprs, m):
            return self._pack_columns(source, index, (m, rows), run)
        found, dims = self.found, (-1 if m is None else m, self.found.reduced[-1])
        shape = self._rows_shape(source)
        target = self._scratch(source, shape)

        def copy(ks: Sequence[Index], steps: int, out: SSAValue) -> SSAValue:
            at = self.moved(index, ks, run)
            value = self.piece(source, found.a_casts, at, dims, (rows, steps))
            return transfer_write(self.em, value, out, [*ks[:-1], 0, ks[-1]])

        target = self._over_terms(run, self.step, target, copy)
        terms: list[AffineExpr] = [AffineExpr.dimension(d) for d in found.reduced]
        exprs = (*terms[:-1], AffineExpr.constant(0), terms[-1])
        return Operand(Access(target, exprs), packed=True, rows=len(shape) - 2)

    def _scratch(self, source: Access | SSAValue, shape: Sequence[int]) -> SSAValue:
        kind = _kind_of(source, self.found.a_casts)
        return self.builder.scratch(TensorType(kind, shape), kernel.ScratchScope.WORKER)

    def _rows_shape(self, source: Access | SSAValue) -> list[int]:
        """Rows of a tile, an odd number of lines apart, so that they spread over the sets of the cache."""
        line = self.em.line_bytes // byte_width(_kind_of(source, self.found.a_casts))
        inner = [self.terms, *(self.found.sizes[d] for d in self.found.reduced[1:])]
        return [*inner[:-1], self.tiling.mr, (-(-inner[-1] // line) // 2 * 2 + 1) * line]

    def _pack_columns(self, source: Access, index: Sequence[Index], over: tuple[int, int], run: Sums) -> Operand:
        """A as columns of its rows: what lies so stays so."""
        found, (m, rows) = self.found, over
        line = self.em.line_bytes // byte_width(_kind_of(source, found.a_casts))
        inner = [self.terms, *(found.sizes[d] for d in found.reduced[1:])]
        shape = [*inner, -(-self.tiling.mr // line) * line]
        target = self._scratch(source, shape)

        def copy(ks: Sequence[Index], steps: int, out: SSAValue) -> SSAValue:
            at = self.moved(index, ks, run)
            value = self.piece(source, found.a_casts, at, (found.reduced[-1], m), (steps, rows))
            return transfer_write(self.em, value, out, [*ks, 0])

        target = self._over_terms(run, ROWS_AT_ONCE, target, copy)
        exprs = [*(AffineExpr.dimension(d) for d in found.reduced), AffineExpr.constant(0)]
        return Operand(Access(target, tuple(exprs)), packed=True, rows=len(shape) - 1)

    def rows_together(self, source: Access | SSAValue) -> int:
        """Rows of A that are copied at once, whole tiles of them; 0: those of each tile by itself.

        Where rows lie next to each other a term of them is a piece of a line, and the next term a line of another page: lines
        are read as a whole, for several tiles.
        """
        found, m = self.found, self.found.m
        if m is None or not isinstance(source, Access) or not is_tile(source.exprs, (found.reduced[-1], m)):
            return 0
        lines = LINES * self.em.line_bytes // byte_width(source.element)
        return max(1, lines // self.tiling.mr) * self.tiling.mr

    def pack_rows(self, source: Access, index: Sequence[Index], rows: tuple[Index, Index], run: Sums) -> Operand:
        """So many rows from one of the task on, as columns `[tile][k..][row]`; `index` holds the outer dims and the first."""
        found, m, mr, (start, count) = self.found, self.found.m, self.tiling.mr, rows
        assert m is not None
        line = 1 << (mr - 1).bit_length()
        inner = [self.terms, *(found.sizes[d] for d in found.reduced[1:])]
        target = self._scratch(source, [self.rows_together(source) // mr, *inner, line])

        def tile(ks: Sequence[Index], steps: int, i: Index, width: int, out: SSAValue) -> SSAValue:
            at = self.moved(index, ks, run)
            at[m] = self.sum(index[m], i)
            shape, mask = (steps, width), None
            if width < line and self.tiling.vector_bytes >= WIDE_BYTES:
                shape = (steps, line)
                mask = self.em.constant_mask([steps, width], shape)
            value = self.piece(source, found.a_casts, at, (found.reduced[-1], m), shape, mask)
            return transfer_write(self.em, value, out, [self.em.apply(AffineExpr.dimension(0) // mr, [i]), *ks, 0])

        def copy(ks: Sequence[Index], steps: int, out: SSAValue) -> SSAValue:
            edge = found.sizes[m] % mr
            return tiled_loop(self.em, count, edge, mr, [out], lambda i, n, args: [tile(ks, steps, i, n, args[0])])[0]

        target = self._over_terms(run, ROWS_AT_ONCE, target, copy)
        row, first = AffineExpr.dimension(m), AffineExpr.symbol(0)
        terms = [AffineExpr.dimension(d) for d in found.reduced]
        symbols = () if isinstance(start, int) else (start,)
        exprs = ((row - (start if isinstance(start, int) else first)) // mr, *terms, AffineExpr.constant(0))
        return Operand(Access(target, exprs, symbols), packed=True, rows=len(inner) + 1)

    def prefetch_a(self, source: Access, at: Sequence[Index], tile: Index, tiles: int, terms: int) -> None:
        """Fetch so many terms of rows of the next tiles below: each of these `tiles`, side by side, fetches its share of them."""
        m, mr = self.found.m, self.tiling.mr
        assert m is not None
        share = -(-mr // tiles)
        index = list(at)
        row = self.em.apply(AffineExpr.dimension(0) // self.tiling.nr % -(-mr // share) * share + mr, [tile])
        index[m] = self.sum(at[m], row)
        places = self.em.indices([self.em.apply(e, index, source.symbols) for e in source.exprs])
        self.em.add(kernel.PrefetchOp(source.value, places, VectorType(source.element, [share, terms])))

    # Shared.

    def lanes(self, kind: Attribute) -> int:
        """Numbers of a type in a vector."""
        return max(1, self.tiling.vector_bytes // byte_width(kind))

    def sum(self, x: Index, y: Index) -> Index:
        """The sum of two indices."""
        return self.em.apply(AffineExpr.dimension(0) + AffineExpr.dimension(1), [x, y])

    def moved(self, index: Sequence[Index], ks: Sequence[Index], run: Sums) -> list[Index]:
        """The index with the k dims at `ks` of the run."""
        at = list(index)
        for i, (d, k) in enumerate(zip(self.found.reduced, ks, strict=True)):
            at[d] = self.sum(run.start, k) if i == 0 else k
        return at

    def _over_terms(self, run: Sums, step: int, target: SSAValue, body: Copy) -> SSAValue:
        """Loops over the k dims of a run, `step` points of the innermost at once, carrying what is written."""
        found = self.found

        def level(number: int, ks: list[Index], out: SSAValue) -> SSAValue:
            dim = found.reduced[number]
            extent = run.extent if number == 0 else found.sizes[dim]
            if number < len(found.reduced) - 1:
                return self.em.loop(0, extent, 1, [out], lambda k, args: [level(number + 1, [*ks, k], args[0])])[0]
            edge = found.sizes[dim] % step
            return tiled_loop(
                self.em, extent, edge, step, [out], lambda k, steps, args: [body([*ks, k], steps, args[0])]
            )[0]

        return level(0, [], target)

    def piece(
        self,
        source: Access | SSAValue,
        casts: Sequence[Operation],
        at: Sequence[Index],
        dims: tuple[int, ...],
        shape: tuple[int, ...],
        mask: SSAValue | None = None,
    ) -> SSAValue:
        """A piece of an operand, converted."""
        em = self.em
        lanes = Lanes(dims, shape, mask, picks=True)
        value = read(em, source, Point(list(at), lanes)) if isinstance(source, Access) else source
        return broadcast(em, self.converted(value, casts, shape), shape)

    def converted(self, value: SSAValue, casts: Sequence[Operation], shape: tuple[int, ...]) -> SSAValue:
        """A number, or a piece of an operand, after some casts."""
        for cast in casts:
            kind: Attribute = cast.results[0].type
            result = vector_of(kind, shape) if is_vector(value) else kind
            copy = type(cast).create(operands=[value], result_types=[result], properties=dict(cast.properties))
            value = self.em.add(copy).results[0]
        return value

    # Reading.

    def summed(self, initial: SSAValue, operand: Operand, column: Index, lanes: Lanes) -> tuple[Lanes, SSAValue]:
        """The lanes that a tile's sums are taken in, and what they start from: `initial` with what packing B added to it."""
        del operand, column
        return lanes, initial

    def column(self, operand: Operand, at: Sequence[Index], local: Sequence[Index], rows: int) -> SSAValue:
        """The numbers of A that a tile multiplies a row of B with."""
        return self._vector(operand, at, local, (rows, 1), (operand.rows if rows > 1 else None, None), None)

    def row(
        self, operand: Operand, at: Sequence[Index], local: Sequence[Index], width: int, mask: SSAValue | None
    ) -> SSAValue:
        """A row of B."""
        last = len(operand.access.exprs) - 1
        value = self._vector(operand, at, local, (1, width), (None, last), None if operand.packed else mask)
        return value if operand.packed else self.converted(value, self.found.b_casts, (1, width))

    def _vector(
        self,
        operand: Operand,
        at: Sequence[Index],
        local: Sequence[Index],
        shape: tuple[int, int],
        dims: tuple[int | None, int | None],
        mask: SSAValue | None,
    ) -> SSAValue:
        em, access = self.em, operand.access
        place = local if operand.packed else at
        indices = em.indices([em.apply(e, place, access.symbols) for e in access.exprs])
        results = [AffineConstantExpr(0) if d is None else AffineDimExpr(d) for d in dims]
        amap = AffineMapAttr(AffineMap(len(indices), 0, tuple(results)))
        kind = access.element
        op = upstream_vector.TransferReadOp(
            access.value,
            indices,
            em.zero(kind),
            VectorType(kind, shape),
            ArrayAttr([BoolAttr.from_bool(True)] * 2),
            amap,
            mask,
        )
        return em.add(op).result


def _kind_of(source: Access | SSAValue, casts: Sequence[Operation]) -> Attribute:
    if casts:
        return casts[-1].results[0].type
    return source.element if isinstance(source, Access) else source.type
