"""Packing B along lines of terms: where several dims of the sums lie behind each other in it, as the channels and taps of weights.

`w[f, c, k, l]` with columns `f` is read a run of taps and channels at a time, of as many columns as a vector has lanes, turned in
registers, and each term's columns are written to where the tile reads them, in whatever order its loops take the terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr

from stepwell.dialects import vector
from stepwell.passes.schedules.contraction_analysis import Contraction
from stepwell.passes.schedules.contraction_operands import Operand, Packer, Sums
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.lanes import transfer_write, vector_of
from stepwell.passes.schedules.merge import collapse
from stepwell.passes.schedules.nest import Access, uses_dim
from stepwell.passes.schedules.plan import WIDE_BYTES
from stepwell.passes.schedules.space import tiled_loop


def line_dims(found: Contraction, access: Access) -> tuple[int, ...]:
    """The dims of the sums that are the last ones of B, outermost first, so that all but the first are walked from end to end."""
    kind = access.value.type
    assert isinstance(kind, TensorType)
    shape, dims = kind.get_shape(), list[int]()
    for position in reversed(range(len(shape))):
        expr = access.exprs[position]
        rest = access.exprs[:position]
        if not isinstance(expr, AffineDimExpr) or expr.position not in found.reduced or uses_dim(rest, expr.position):
            break
        dims.insert(0, expr.position)
        if found.sizes[expr.position] != shape[position]:
            break
    return tuple(dims)


@dataclass(frozen=True)
class TermLines:
    """B with its last dims made one, and how it is packed so."""

    packer: Packer
    access: Access
    """Of the dims of the contraction and one more, along the lines."""
    dims: tuple[int, ...]

    @property
    def inner(self) -> int:
        """Terms that belong to a point of the outermost of the dims."""
        return prod(self.packer.found.sizes[d] for d in self.dims[1:])

    @property
    def step(self) -> int:
        """Points of the outermost dim taken at once: about a vector of terms."""
        return max(1, self._lanes // self.inner)

    @property
    def _lanes(self) -> int:
        return self.packer.lanes(self.packer.found.accumulator)

    def pack(self, index: Sequence[Index], first: Index, columns: Index, most: int, run: Sums) -> Operand:
        """The columns from `first` (of the whole) as panels; `index` holds the outer dims, `most` bounds the columns."""
        packer, found, nr = self.packer, self.packer.found, self.packer.tiling.nr
        target = packer.panels(self.access, most)
        outer = [d for d in found.reduced if d not in self.dims]
        head = self.dims[0]

        def terms(place: dict[int, Index], j: Index, width: int, out: SSAValue) -> SSAValue:
            if len(place) < len(outer):
                dim = outer[len(place)]
                extent = run.extent if dim == found.reduced[0] else found.sizes[dim]
                return packer.em.loop(
                    0, extent, 1, [out], lambda k, args: [terms({**place, dim: k}, j, width, args[0])]
                )[0]
            extent = run.extent if head == found.reduced[0] else found.sizes[head]
            return tiled_loop(
                packer.em,
                extent,
                found.sizes[head] % self.step,
                self.step,
                [out],
                lambda k, count, args: [
                    self._chunk({**place, head: k}, count, (index, first, run), (j, width), args[0])
                ],
            )[0]

        edge = found.sizes[found.n] % nr
        target = tiled_loop(
            packer.em, columns, edge, nr, [target], lambda j, width, args: [terms({}, j, width, args[0])]
        )[0]
        return packer.packed_b(target)

    def _chunk(
        self,
        place: dict[int, Index],
        count: int,
        where: tuple[Sequence[Index], Index, Sums],
        columns: tuple[Index, int],
        out: SSAValue,
    ) -> SSAValue:
        """Some points of the outermost dim, with all that belongs to them, of one panel."""
        packer, em, found = self.packer, self.packer.em, self.packer.found
        index, first, run = where
        j, width = columns
        panel = em.apply(AffineExpr.dimension(0) // packer.tiling.nr, [j])
        ks = [place.get(d, 0) for d in found.reduced]
        start = em.apply(AffineExpr.dimension(0) * self.inner, [packer.moved(index, ks, run)[self.dims[0]]])
        for begin in range(0, count * self.inner, self._lanes):
            terms = min(self._lanes, count * self.inner - begin)
            for piece in range(0, width, self._lanes):
                at = [*packer.moved(index, ks, run), packer.sum(start, begin)]
                at[found.n] = packer.sum(first, packer.sum(j, piece))
                rows = self._turned(at, min(self._lanes, width - piece), terms)
                for term, row in enumerate(rows, begin):
                    out = transfer_write(em, row, out, [panel, *self._place(place, term), piece])
        return out

    def _place(self, place: dict[int, Index], term: int) -> list[Index]:
        """Where a term of a chunk belongs, by the dims of the sums."""
        there = dict(place)
        for dim in reversed(self.dims[1:]):
            term, there[dim] = divmod(term, self.packer.found.sizes[dim])
        there[self.dims[0]] = self.packer.sum(place[self.dims[0]], term)
        return [there[d] for d in self.packer.found.reduced]

    def _turned(self, at: Sequence[Index], columns: int, terms: int) -> list[SSAValue]:
        """Columns of some terms that lie behind each other."""
        packer, em, found = self.packer, self.packer.em, self.packer.found
        shape, mask = (columns, terms), None
        if terms < self._lanes and packer.tiling.vector_bytes >= WIDE_BYTES:
            shape = (columns, self._lanes)
            mask = em.constant_mask([columns, terms], shape)
        dims = (found.n, len(found.sizes))
        value = em.add(
            vector.TransposeOp(packer.piece(self.access, found.b_casts, at, dims, shape, mask), [1, 0])
        ).result
        kind = value.type.get_shape(), value.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
        return [
            em.add(upstream_vector.ExtractOp(value, [t], vector_of(kind[1], kind[0][1]))).result for t in range(terms)
        ]


def term_lines(packer: Packer, access: Access | SSAValue) -> TermLines | None:
    """How B is packed along lines of terms: where these are several dims, or one that the loops take further out; None otherwise.

    Emits a view of B, so before the phase that reads it.
    """
    found = packer.found
    if not isinstance(access, Access):
        return None
    dims = line_dims(found, access)
    if not dims or dims == found.reduced[-1:] or uses_dim(access.exprs[-len(dims) :], found.n):
        return None
    whole = packer.terms >= found.sizes[found.reduced[0]]
    if not whole and found.reduced[0] in dims[1:]:
        return None
    kept = len(access.exprs) - len(dims)
    runs = [*([i] for i in range(kept)), list(range(kept, len(access.exprs)))]
    flat = collapse(packer.em, access.value, runs)
    exprs = (*access.exprs[:kept], AffineExpr.dimension(len(found.sizes)))
    lines = TermLines(packer, Access(flat, exprs, access.symbols), dims)
    # Only the last run may end within a step.
    uneven = not whole and dims[0] == found.reduced[0] and packer.terms % lines.step > 0
    return None if uneven else lines


__all__ = ["TermLines", "line_dims", "term_lines"]
