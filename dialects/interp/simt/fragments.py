"""What `mma.sync` is given against what it takes: the check of fragment layouts.

PTX says which element of A (M x K) and of B (K x N) each lane's registers are. Where the elements came from is known
(`origins.py`), so a fragment is a matrix of elements of memory, and one of these must hold:

- *By rows*: along a row of the matrix the memory's row does not change; in a run of 8 columns its leading indices do not
  either; from row to row the columns within such a run change by an exclusive or at most, as a swizzle changes them.
- *By columns*: the same of the transposed matrix.
- *In the order of the lanes*: one index counts the lanes, the others do not depend on them: a fragment stored as such.

Elements may be used twice at the ends of what is used, where indices are clamped, or all over; nowhere else. Rows of A
and columns of B may come in any order, for those of D may too. K may not: what A and B have for one k must be as far
along in both, where both come from 16 elements in a row. Beyond shared memory there is no swizzle: where the rows of
the fragment are rows of global memory, its columns must be columns there.

Unknown elements are never wrong. Subgroups are checked apart from each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from stepwell.dialects.interp.simt.block import SUBGROUP, ThreadBlock
from stepwell.dialects.interp.simt.matrix import rows_of_a, rows_of_b
from stepwell.dialects.interp.simt.origins import PLACE_BITS, PLACE_MASK, UNKNOWN, Views
from stepwell.dialects.interp.simt.reports import ReportKind
from stepwell.dialects.interp.simt.subgroups import by_subgroup
from stepwell.dialects.interp.simt.values import Array, Mask
from stepwell.dialects.nvgpu import FRAGMENTS, MmaSyncOp

_RUN = 8
"""Elements that a swizzle keeps together, 16 bytes: a row of a tile."""
_RECENT = 16
"""Fragments whose patterns are remembered."""
_NOWHERE = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Elements:
    """Elements of memory, in whatever arrangement: their codes, and what these say; 0 where nothing is known."""

    codes: Array
    known: Mask
    line: Array
    """The row, of the whole memref."""
    lead: Array
    """The leading indices as one number, and the memref."""
    row: Array
    column: Array

    @staticmethod
    def of(codes: Array, views: Views) -> Elements:
        """What some codes say."""
        known = codes != UNKNOWN
        codes = np.where(known, codes, 0)
        views_of = codes >> PLACE_BITS
        place = codes & PLACE_MASK
        sizes = np.array([(view.height, view.width) for view in views.known] or [(1, 1)], np.int64)[views_of]
        line, column = np.divmod(place, sizes[..., 1])
        lead, row = np.divmod(line, sizes[..., 0])
        owner = views_of << PLACE_BITS
        return Elements(codes, known, line | owner, lead | owner, row, column)

    def arranged(self, how: Callable[[Array], Array]) -> Elements:
        """The same elements in another arrangement."""
        parts = (self.codes, self.known, self.line, self.lead, self.row, self.column)
        return Elements(*map(how, parts))


def first_known(values: Array, known: Mask, axis: int) -> Array:
    """Per line along an axis the first value that is known, ready to be compared."""
    place = np.argmax(known, axis=axis, keepdims=True)
    return np.take_along_axis(values, place, axis)


def repeated(values: Array, known: Mask) -> Mask:
    """Along the last axis what was there before, but for the least and the greatest: there indices are clamped."""
    count = values.shape[-1]
    same = (values[..., :, None] == values[..., None, :]) & known[..., :, None] & known[..., None, :]
    again = (same & np.tri(count, k=-1, dtype=np.bool_)).any(axis=-1)
    limits = np.iinfo(np.int64)
    least = np.where(known, values, limits.max).min(axis=-1, keepdims=True)
    greatest = np.where(known, values, limits.min).max(axis=-1, keepdims=True)
    return again & (values != least) & (values != greatest)


def distinct(values: Array, known: Mask) -> Mask:
    """Per line along the last axis whether no two known values are equal."""
    count = values.shape[-1]
    same = (values[..., :, None] == values[..., None, :]) & known[..., :, None] & known[..., None, :]
    return ~(same & np.tri(count, k=-1, dtype=np.bool_)).any(axis=(-2, -1))


def wrong_by_rows(matrix: Elements) -> Iterator[tuple[str, Mask]]:
    """Of a matrix (subgroup, row, column) whose rows should be rows of memory: what is wrong, and which elements."""
    known, shape = matrix.known, matrix.known.shape
    runs = (*shape[:2], shape[2] // _RUN, _RUN)
    known_runs, lead, column = (part.reshape(runs) for part in (known, matrix.lead, matrix.column))
    astray = known & (matrix.row != first_known(matrix.row, known, 2))
    yield "comes from memory row {row}, others of its {line} from row {other}", astray
    leads = first_known(lead, known_runs, 3)
    yield "has other leading indices than its neighbours", (known_runs & (lead != leads)).reshape(shape)
    rows = first_known(matrix.row, known, 2)[..., 0]
    apart = distinct(rows, np.any(known, axis=2))[:, None, None, None]
    astray = known_runs & apart & (leads != first_known(lead, known_runs, 1))
    yield "has other leading indices than the {line}s before", astray.reshape(shape)
    lines = first_known(matrix.line.reshape(runs), known_runs, 3)[..., 0]
    again = repeated(np.swapaxes(lines, 1, 2), np.swapaxes(np.any(known_runs, axis=3), 1, 2))
    again = known_runs & np.swapaxes(again, 1, 2)[..., None]
    yield "comes from the memory row of another {line}", again.reshape(shape)
    yield "comes from a column that is not that of the other {line}s", _torn_runs(matrix).reshape(shape)
    again = known_runs & repeated(column, known_runs)
    yield "comes from the column of another element of its {line}", again.reshape(shape)


def plainly_by_rows(matrix: Elements) -> bool:
    """True when all is known and each row is another row of one slot, swizzled or not: the common case, told quickly."""
    shape = matrix.known.shape
    line = matrix.line[:, :, :1]
    if not (matrix.known.all() and (matrix.line == line).all() and (matrix.lead == matrix.lead[:, :1, :1]).all()):
        return False
    runs = matrix.column.reshape(*shape[:2], shape[2] // _RUN, _RUN)
    change = runs ^ runs[:, :1]
    everywhere = np.ones((), np.bool_)
    return bool(
        (change == change[..., :1]).all()
        and distinct(line[..., 0], np.broadcast_to(everywhere, shape[:2])).all()
        and distinct(runs[:, 0], np.broadcast_to(everywhere, (shape[0], *runs.shape[2:]))).all()
    )


def _torn_runs(matrix: Elements) -> Mask:
    """Elements of runs of 8 columns that are other columns of memory than in another row, beyond an exclusive or."""
    known, shape = matrix.known, matrix.known.shape
    runs = (*shape[:2], shape[2] // _RUN, _RUN)
    known, column = known.reshape(runs), matrix.column.reshape(runs)
    whole = np.broadcast_to(known.all(axis=3, keepdims=True), runs)
    change = column ^ first_known(column, whole, 1)
    return known & np.any(whole, axis=1, keepdims=True) & (change != first_known(change, known, 3))


def in_order_of_lanes(fragments: Elements) -> Mask:
    """Which subgroups' fragments, (subgroup, lane, element), are stored as such: one index counts the lanes."""
    count = fragments.known.shape[0]
    lanes = np.arange(SUBGROUP)[:, None]
    counting = np.zeros(count, np.int64)
    fine = fragments.known.all(axis=(1, 2))
    for index in (fragments.lead, fragments.row, fragments.column):
        steps = index - index[:, :1]
        step = steps[:, 1:2, :1]
        fine &= (steps == step * lanes).all(axis=(1, 2))
        counting += step[:, 0, 0] != 0
    return fine & (counting == 1)


@dataclass(frozen=True)
class _Operand:
    """A or B of a product; its matrix has K along the columns (so B is transposed)."""

    name: str
    rows: str
    """What a row of the matrix is in the operand."""
    columns: str
    to_matrix: Callable[[Array], Array]

    def element(self, row: int, column: int) -> str:
        """An element of the matrix as one of the operand."""
        return f"({row}, {column})" if self.name == "A" else f"({column}, {row})"


_A = _Operand("A", "row", "column", rows_of_a)
_B = _Operand("B", "column", "row", lambda fragments: rows_of_b(fragments).transpose(0, 2, 1))


@dataclass(frozen=True)
class _Finding:
    """What is wrong with a fragment: where in its matrices, and how to say so."""

    operand: _Operand
    wrong: Mask
    message: Callable[[int, int, int], str]
    """From a place in the matrices to what is wrong there."""


@dataclass(frozen=True)
class _Path:
    """Per subgroup how far along in memory what a fragment has for each k is, where `sure`."""

    along: Array
    sure: Mask


class FragmentCheck:
    """Checks the operands of matrix products; what was fine once is not looked at again."""

    def __init__(self, views: Views):
        self.views = views
        self._paths: dict[tuple[str, bytes, bytes], _Path] = {}
        """Of fragments that are fine, by operand, pattern and active threads."""
        self._fine: set[tuple[bytes, bytes, bytes]] = set()
        """Products that are fine, by the patterns of A and B and active threads."""
        self._recent: deque[tuple[Array, bytes]] = deque(maxlen=_RECENT)

    def __call__(self, block: ThreadBlock, op: MmaSyncOp, a: Array, b: Array) -> None:
        """Report what is wrong with the fragments whose companions these are."""
        active = b"" if block.active is None else block.active.tobytes()
        patterns = (self._pattern(a), self._pattern(b))
        if (*patterns, active) in self._fine:
            return
        here = np.arange(block.count // SUBGROUP)  # what a subgroup lacks of its lanes has been reported
        if block.active is not None:
            here = here[by_subgroup(block.active, SUBGROUP)[: here.size].all(axis=1)]
        paths: list[_Path] = []
        for operand, companions, pattern in zip((_A, _B), (a, b), patterns, strict=True):
            path = self._paths.get((operand.name, pattern, active))
            if path is None:
                fragment = by_subgroup(companions, SUBGROUP)[here]
                for found in self._wrong_fragment(operand, fragment):
                    self._report(block, op, here, found)
                    return
                path = self._paths[operand.name, pattern, active] = _path(self._origins(operand, fragment))
            paths.append(path)
        crossed = _crossed(*paths)
        if crossed.any():
            fragments = [by_subgroup(part, SUBGROUP)[here] for part in (a, b)]
            self._report(block, op, here, self._wrong_pairs(crossed, *fragments))
            return
        self._fine.add((*patterns, active))

    def _pattern(self, companions: Array) -> bytes:
        """The pattern of a fragment; one is used by several products in turn."""
        for fragment, pattern in self._recent:
            if fragment is companions:
                return pattern
        pattern = self._relative(companions[..., 0], exact=True) + self._relative(companions[..., 1], exact=False)
        self._recent.append((companions, pattern))
        return pattern

    def _relative(self, codes: Array, *, exact: bool) -> bytes:
        """Elements from a first one on, which tells its view's size (and, if `exact`, its place in a slot of that)."""
        known = codes != UNKNOWN
        where = int(np.argmax(known))
        start = int(codes.flat[where])
        if start == UNKNOWN:
            return b"unknown"
        height, width = self.views.size_of(start)
        place = (start & PLACE_MASK) % (height * width) if exact else 0
        steps = codes - start
        if not known.all():
            steps = np.where(known, steps, _NOWHERE)
        return np.array([height, width, place]).tobytes() + steps.tobytes()

    def _origins(self, operand: _Operand, fragment: Array) -> Elements:
        """The matrix of the elements that a fragment's were copied from."""
        return Elements.of(fragment[..., 1], self.views).arranged(operand.to_matrix)

    def _wrong_fragment(self, operand: _Operand, fragment: Array) -> Iterator[_Finding]:
        yield from self._wrong_layout(operand, Elements.of(fragment[..., 0], self.views))
        yield from self._wrong_swizzle(operand, self._origins(operand, fragment))

    def _wrong_layout(self, operand: _Operand, fragment: Elements) -> Iterator[_Finding]:
        """The fragment as it lies in the memory that it was loaded from."""
        matrix = fragment.arranged(operand.to_matrix)
        if plainly_by_rows(matrix) or plainly_by_rows(matrix.arranged(_turned)):
            return
        ways: list[tuple[Elements, list[tuple[str, Mask]]]] = []
        suspects = np.ones(matrix.known.shape[0], np.bool_)
        for view in (matrix, matrix.arranged(_turned)):
            ways.append((view, list(wrong_by_rows(view))))
            suspects &= _union(ways[-1][1]).any(axis=(1, 2))
            if not suspects.any():
                return
        suspects &= ~in_order_of_lanes(fragment.arranged(lambda part: part.reshape(*part.shape[:2], -1)))
        if not suspects.any():
            return
        number = int(np.argmax(suspects))
        counts = [int(_union(wrong)[number].sum()) for _, wrong in ways]
        turned = counts[1] < counts[0]
        view, wrong = ways[turned]
        line = operand.columns if turned else operand.rows
        here = _union(wrong)
        here[np.arange(here.shape[0]) != number] = False

        def message(subgroup: int, row: int, column: int) -> str:
            at = (subgroup, column, row) if turned else (subgroup, row, column)
            why = next(why for why, mask in wrong if mask[at])
            other = view.row[at[:2]][view.known[at[:2]]][0]
            return f"{self.views.text(int(view.codes[at]))}: it {why.format(row=view.row[at], other=other, line=line)}"

        yield _Finding(operand, _turned(here) if turned else here, message)

    def _wrong_swizzle(self, operand: _Operand, matrix: Elements) -> Iterator[_Finding]:
        """Elements that were copied into shared memory by one swizzle and are read by another."""
        for turned in (False, True):
            view = matrix.arranged(_turned) if turned else matrix
            astray = view.known & (view.column != first_known(view.column, view.known, 1))
            in_lines = _lies_in_lines(view)[:, None, None]
            if not (astray & in_lines).any():
                continue
            astray &= in_lines & ~np.any(_torn_runs(view).reshape(astray.shape), axis=(1, 2), keepdims=True)
            if not astray.any():
                continue
            line = operand.columns if turned else operand.rows

            def message(subgroup: int, row: int, column: int, line: str = line) -> str:
                return (
                    f"what was copied from {self.views.text(int(matrix.codes[subgroup, row, column]))}: it comes from "
                    f"another column than in other {line}s, as when only the write or only the read is swizzled"
                )

            yield _Finding(operand, _turned(astray) if turned else astray, message)
            return

    def _wrong_pairs(self, crossed: Mask, fragment_a: Array, fragment_b: Array) -> _Finding:
        """What is wrong where A and B do not meet (subgroup, k)."""
        a, b = self._origins(_A, fragment_a), self._origins(_B, fragment_b)

        def message(subgroup: int, row: int, column: int) -> str:
            other = self.views.text(int(a.codes[subgroup, 0, column]))
            mine = self.views.text(int(b.codes[subgroup, row, column]))
            return f"{mine}, which meets {other} of A: A and B have the elements of K in different orders"

        return _Finding(_B, crossed[:, None, :] & b.known, message)

    def _report(self, block: ThreadBlock, op: MmaSyncOp, here: Array, found: _Finding) -> None:
        """Report the first wrong element, in the order of the lanes and their registers."""
        registers = FRAGMENTS[op.shape][0 if found.operand is _A else 1][0]
        order = found.operand.to_matrix(np.arange(SUBGROUP * registers * 2).reshape(1, SUBGROUP, registers, 2))[0]
        number = int(np.argmax(found.wrong.any(axis=(1, 2))))
        wrong = found.wrong[number]
        first = int(order[wrong].min())
        row, column = (int(at[0]) for at in np.nonzero(order == first))
        lane, register = divmod(first, registers * 2)
        subgroup = int(here[number])
        message = (
            f"lane {lane} of subgroup {subgroup} gives, in register [{register // 2}, {register % 2}], as element "
            f"{found.operand.element(row, column)} of {found.operand.name} {found.message(number, row, column)}"
        )
        lanes = np.unique(order[wrong] // (registers * 2)) + subgroup * SUBGROUP
        block.report(ReportKind.WRONG_FRAGMENT, op, message, lanes)


def _turned(part: Array) -> Array:
    return part.transpose(0, 2, 1)


def _union(found: list[tuple[str, Mask]]) -> Mask:
    return np.logical_or.reduce([mask for _, mask in found])


def _lies_in_lines(matrix: Elements) -> Mask:
    """Per subgroup whether the rows are different rows of memory, at least two."""
    known = matrix.known
    lines = first_known(matrix.line, known, 2)
    rows_known = np.any(known, axis=2)
    one_line = (~known | (matrix.line == lines)).all(axis=(1, 2))
    return one_line & distinct(lines[..., 0], rows_known) & (rows_known.sum(axis=1) > 1)


def _path(matrix: Elements) -> _Path:
    """How far along each k is; sure when these are elements in a row, without a gap."""
    known, depth = matrix.known, matrix.known.shape[2]
    line, column = matrix.line, matrix.column
    by_rows = ((column == column[:, :1]) & (line == line[:, :, :1])).all(axis=(1, 2))
    by_columns = ((line == line[:, :1]) & (column == column[:, :, :1])).all(axis=(1, 2))
    along = np.where(by_rows[:, None], column[:, 0], line[:, 0])
    in_a_row = distinct(along, np.ones_like(along, np.bool_)) & (np.ptp(along, axis=1) == depth - 1)
    return _Path(along, known.all(axis=(1, 2)) & (by_rows | by_columns) & in_a_row)


def _crossed(a: _Path, b: _Path) -> Mask:
    """Per subgroup each k for which A is not as far along as B is, nor as far from the other end; none if not sure."""
    ahead, back = (sums != sums[:, :1] for sums in (a.along - b.along, a.along + b.along))
    return ahead & (a.sure & b.sure & back.any(axis=1))[:, None]


__all__ = ["FragmentCheck"]
