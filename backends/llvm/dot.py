"""`kernel.dot`: products of what words hold, by an instruction of the machine where it has one, else widened and added.

Lanes go through the widest instruction that they fill, the last ones through one with lanes to spare.
"""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Operation

from stepwell.backends.llvm.rows import splat
from stepwell.backends.llvm.strategy import WordDot
from stepwell.backends.llvm.types import vector_shape
from stepwell.backends.llvm.vector import concatenate, extract_lane, shuffle, vector_type, widen_row
from stepwell.backends.llvm.writer import Emitter, FunctionWriter, attribute, operand
from stepwell.dialects.kernel_dot import WORD_BITS

Piece = Callable[[str, str, str, int], str]
"""`(word in all lanes, words, sums, lanes) -> sums` of so many lanes."""


def _dot(w: FunctionWriter, op: Operation) -> None:
    factors = attribute(op, "lhs_factor"), attribute(op, "rhs_factor")
    assert isinstance(factors[0], IntegerType)
    assert isinstance(factors[1], IntegerType)
    kinds = str(factors[0]), str(factors[1])
    width = factors[0].width.data
    found = w.module.strategy.word_dots.get(kinds)
    widths = [lanes for lanes, _ in found.intrinsics] if found is not None else []
    lanes = vector_shape(vector_type(op.results[0].type))[-1]
    words = w.rows(operand(op, 1))[0]
    sums: list[str] = []
    for column, row in zip(w.rows(operand(op, 0)), w.rows(operand(op, 2)), strict=True):
        word = extract_lane(w, column, "i32", 1, 0)
        parts: list[tuple[str, int]] = []
        for first, count, wide in _pieces(lanes, widths):
            row_part, words_part = (_part(w, v, lanes, first, count, wide) for v in (row, words))
            spread = splat(w, word, "i32", wide)
            if found is None:
                part = _widened(w, kinds, width, spread, words_part, row_part, wide)
            else:
                part = _instruction(w, found, width, spread, words_part, row_part, wide)
            parts.append((shuffle(w, part, "poison", "i32", wide, range(count)), count))
        sums.append(_joined(w, parts))
    w.values[op.results[0]] = sums


def _pieces(lanes: int, widths: list[int]) -> list[tuple[int, int, int]]:
    """Runs of lanes: the first, how many, and the lanes of what does them."""
    if not widths:
        return [(0, lanes, lanes)]
    pieces: list[tuple[int, int, int]] = []
    first = 0
    while first < lanes:
        left = lanes - first
        wide = min((n for n in widths if n >= left), default=max(widths))
        pieces.append((first, min(left, wide), wide))
        first += wide
    return pieces


def _part(w: FunctionWriter, row: str, lanes: int, first: int, count: int, wide: int) -> str:
    """Some lanes of a row, with lanes of any value appended."""
    return widen_row(w, shuffle(w, row, "poison", "i32", lanes, range(first, first + count)), "i32", count, wide)


def _joined(w: FunctionWriter, parts: list[tuple[str, int]]) -> str:
    """One row from parts, of which only the last may be shorter."""
    *whole, (last, count) = parts
    if not whole:
        return last
    lanes = whole[0][1]
    row = concatenate(w, [part for part, _ in whole], "i32", lanes)
    if count == lanes:
        return concatenate(w, [part for part, _ in parts], "i32", lanes)
    first = lanes * len(whole)
    wide = max(first, count)
    both = widen_row(w, row, "i32", first, wide), widen_row(w, last, "i32", count, wide)
    return shuffle(w, *both, "i32", wide, [*range(first), *range(wide, wide + count)])


def _instruction(w: FunctionWriter, found: WordDot, width: int, word: str, words: str, sums: str, lanes: int) -> str:
    """One instruction: on factors as it wants them, with the sum so far or without."""
    name = dict(found.intrinsics)[lanes]
    row, narrow = f"<{lanes} x i32>", f"<{lanes * WORD_BITS // width} x i{width}>"
    a, b = (w.emit(f"bitcast {row} {v} to {narrow}") for v in ((words, word) if found.swapped else (word, words)))
    if found.accumulates:
        return w.call(row, name, [(row, sums), (narrow, a), (narrow, b)])
    return w.emit(f"add {row} {sums}, {w.call(row, name, [(narrow, a), (narrow, b)])}")


def _widened(
    w: FunctionWriter, kinds: tuple[str, str], width: int, word: str, words: str, sums: str, lanes: int
) -> str:
    """Factor by factor: shifted to the top of its lane and back, which extends it."""
    row = f"<{lanes} x i32>"

    def factor(kind: str, value: str, term: int) -> str:
        above = WORD_BITS - width * (term + 1)
        high = w.emit(f"shl {row} {value}, splat (i32 {above})") if above else value
        back = "lshr" if kind.startswith("u") else "ashr"
        return w.emit(f"{back} {row} {high}, splat (i32 {WORD_BITS - width})")

    for term in range(WORD_BITS // width):
        a, b = factor(kinds[0], word, term), factor(kinds[1], words, term)
        product = w.emit(f"mul {row} {a}, {b}")
        sums = w.emit(f"add {row} {sums}, {product}")
    return sums


EMITTERS: dict[str, Emitter] = {"kernel.dot": _dot}
