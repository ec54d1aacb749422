"""`vector` ops that only move lanes: broadcast, extract, insert, slices, shuffles, transposes, casts.

Leading dims cost nothing: they choose rows while compiling. Only what crosses lanes of a row is an instruction.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, IntegerAttr, VectorType
from xdsl.ir import Attribute, Operation

from stepwell.backends.llvm.arith import register_type
from stepwell.backends.llvm.rows import splat
from stepwell.backends.llvm.types import lane_bytes, row_count, row_type, scalar_type, vector_shape
from stepwell.backends.llvm.writer import (
    DYNAMIC,
    Emitter,
    FunctionWriter,
    attribute,
    operand,
    unsupported,
)


def vector_type(type_: Attribute) -> VectorType[Attribute]:
    """`type_`, known to be a vector."""
    assert isinstance(type_, VectorType)
    return type_


def integers(op: Operation, name: str) -> list[int]:
    """An integer array attribute, dense or not."""
    found = attribute(op, name)
    if isinstance(found, DenseArrayBase):
        return [int(v) for v in found.get_values()]
    assert isinstance(found, ArrayAttr)
    return [v.value.data for v in found.data if isinstance(v, IntegerAttr)]


def shuffle(w: FunctionWriter, a: str, b: str, name: str, lanes: int, picks: Sequence[int]) -> str:
    """Lanes `picks` of `a` followed by `b` (rows of `lanes`); -1 is any value."""
    if list(picks) == list(range(lanes)):
        return a
    row = f"<{lanes} x {name}>"
    mask = ", ".join("i32 poison" if p < 0 else f"i32 {p}" for p in picks)
    return w.emit(f"shufflevector {row} {a}, {row} {b}, <{len(picks)} x i32> <{mask}>")


def extract_lane(w: FunctionWriter, row: str, name: str, lanes: int, lane: int | str) -> str:
    """One lane of a row."""
    return w.emit(f"extractelement <{lanes} x {name}> {row}, i64 {lane}")


def insert_lane(w: FunctionWriter, row: str, value: str, name: str, lanes: int, lane: int | str) -> str:
    """A row with one lane replaced."""
    return w.emit(f"insertelement <{lanes} x {name}> {row}, {name} {value}, i64 {lane}")


def all_lanes(w: FunctionWriter, rows: Sequence[str], name: str, lanes: int) -> list[str]:
    """Every element as a scalar, in row-major order."""
    return [extract_lane(w, row, name, lanes, lane) for row in rows for lane in range(lanes)]


def from_lanes(w: FunctionWriter, values: Sequence[str], name: str, lanes: int) -> list[str]:
    """Rows built from scalars in row-major order."""
    rows: list[str] = []
    for start in range(0, len(values), lanes):
        row = "poison"
        for lane in range(lanes):
            row = insert_lane(w, row, values[start + lane], name, lanes, lane)
        rows.append(row)
    return rows


def row_index(shape: Sequence[int], position: Sequence[int]) -> int:
    """The row-major number of a position in `shape`."""
    number = 0
    for size, index in zip(shape, position, strict=True):
        number = number * size + index
    return number


def positions(shape: Sequence[int]) -> list[tuple[int, ...]]:
    """All positions of `shape`, row-major."""
    return list(itertools.product(*(range(n) for n in shape)))


def _broadcast(w: FunctionWriter, op: Operation) -> None:
    source, result = operand(op, 0), op.results[0]
    type_ = vector_type(result.type)
    shape = vector_shape(type_)
    name, lanes = scalar_type(type_.element_type), shape[-1]
    if not isinstance(source.type, VectorType):
        w.values[result] = [splat(w, w.scalar(source), name, lanes)] * row_count(type_)
        return
    rows = w.rows(source)
    inner = vector_shape(source.type)
    padded = (1,) * (len(shape) - len(inner)) + inner
    if padded[-1] != lanes:
        rows = [splat(w, extract_lane(w, row, name, 1, 0), name, lanes) for row in rows]
    w.values[result] = [
        rows[row_index(padded[:-1], [0 if n == 1 else p for p, n in zip(position, padded[:-1], strict=True)])]
        for position in positions(shape[:-1])
    ]


def _position(w: FunctionWriter, op: Operation, first_dynamic: int) -> list[int | str]:
    dynamic = iter(op.operands[first_dynamic:])
    return [w.index(next(dynamic)) if p == DYNAMIC else p for p in integers(op, "static_position")]


def _leading_rows(op: Operation, shape: Sequence[int], position: Sequence[int | str]) -> tuple[int, int]:
    """First row and row count that a position of leading dims selects."""
    known = [p for p in position if isinstance(p, int)]
    if len(known) != len(position):
        raise unsupported(op, "a dynamic position in a leading dim; leading dims are unrolled, so it must be constant")
    count = math.prod(shape[len(position) : -1])
    return row_index(shape[: len(position)], known) * count, count


def _extract(w: FunctionWriter, op: Operation) -> None:
    source, result = operand(op, 0), op.results[0]
    type_ = vector_type(source.type)
    shape, name = vector_shape(type_), scalar_type(type_.element_type)
    position = _position(w, op, 1)
    rows = w.rows(source)
    if type_.get_num_dims() == 0:
        position = [0]
    if len(position) == len(shape):
        row, _ = _leading_rows(op, shape, position[:-1])
        value = extract_lane(w, rows[row], name, shape[-1], position[-1])
        w.values[result] = [_one_lane(w, value, name)] if isinstance(result.type, VectorType) else value
        return
    first, count = _leading_rows(op, shape, position)
    w.values[result] = rows[first : first + count]


def _one_lane(w: FunctionWriter, value: str, name: str) -> str:
    return insert_lane(w, "poison", value, name, 1, 0)


def _insert(w: FunctionWriter, op: Operation) -> None:
    source, dest = operand(op, 0), operand(op, 1)
    type_ = vector_type(dest.type)
    shape, name = vector_shape(type_), scalar_type(type_.element_type)
    position = _position(w, op, 2)
    rows = list(w.rows(dest))
    if type_.get_num_dims() == 0:
        position = [0]
    if len(position) == len(shape):
        row, _ = _leading_rows(op, shape, position[:-1])
        value = w.values[source]
        scalar = extract_lane(w, value[0], name, 1, 0) if isinstance(value, list) else w.scalar(source)
        rows[row] = insert_lane(w, rows[row], scalar, name, shape[-1], position[-1])
    else:
        first, count = _leading_rows(op, shape, position)
        rows[first : first + count] = w.rows(source)
    w.values[op.results[0]] = rows


def _extract_strided_slice(w: FunctionWriter, op: Operation) -> None:
    source, result = operand(op, 0), op.results[0]
    type_ = vector_type(source.type)
    shape, wanted = vector_shape(type_), vector_shape(vector_type(result.type))
    name = scalar_type(type_.element_type)
    offsets = integers(op, "offsets")
    offsets += [0] * (len(shape) - len(offsets))
    rows = w.rows(source)
    picks = range(offsets[-1], offsets[-1] + wanted[-1])
    w.values[result] = [
        _slice_row(
            w,
            rows[row_index(shape[:-1], [o + p for o, p in zip(offsets, position, strict=False)])],
            name,
            shape[-1],
            picks,
        )
        for position in positions(wanted[:-1])
    ]


def _slice_row(w: FunctionWriter, row: str, name: str, lanes: int, picks: range) -> str:
    return shuffle(w, row, "poison", name, lanes, list(picks))


def widen_row(w: FunctionWriter, row: str, name: str, lanes: int, wide: int) -> str:
    """A row with lanes of any value appended."""
    if lanes == wide:
        return row
    return shuffle(w, row, "poison", name, lanes, [i if i < lanes else -1 for i in range(wide)])


def _insert_strided_slice(w: FunctionWriter, op: Operation) -> None:
    source, dest = operand(op, 0), operand(op, 1)
    type_ = vector_type(dest.type)
    shape, name = vector_shape(type_), scalar_type(type_.element_type)
    piece = vector_shape(vector_type(source.type))
    piece = (1,) * (len(shape) - len(piece)) + piece
    offsets = integers(op, "offsets")
    rows = list(w.rows(dest))
    lanes, first = shape[-1], offsets[-1]
    picks = [lanes + i - first if first <= i < first + piece[-1] else i for i in range(lanes)]
    for row, position in zip(w.rows(source), positions(piece[:-1]), strict=True):
        target = row_index(shape[:-1], [o + p for o, p in zip(offsets, position, strict=False)])
        if piece[-1] == lanes:
            rows[target] = row
            continue
        wide = widen_row(w, row, name, piece[-1], lanes)
        rows[target] = shuffle(w, rows[target], wide, name, lanes, picks)
    w.values[op.results[0]] = rows


def _shuffle(w: FunctionWriter, op: Operation) -> None:
    lhs, rhs = operand(op, 0), operand(op, 1)
    type_ = vector_type(lhs.type)
    picks = integers(op, "mask")
    if type_.get_num_dims() > 1:
        blocks: list[list[str]] = []
        for value in (lhs, rhs):
            rows = w.rows(value)
            count = vector_shape(vector_type(value.type))[0]
            size = len(rows) // count
            blocks += [rows[i * size : (i + 1) * size] for i in range(count)]
        w.values[op.results[0]] = [row for p in picks for row in blocks[p]]
        return
    left, right = vector_shape(type_)[-1], vector_shape(vector_type(rhs.type))[-1]
    lanes, name = max(left, right), scalar_type(type_.element_type)
    a = widen_row(w, w.rows(lhs)[0], name, left, lanes)
    b = widen_row(w, w.rows(rhs)[0], name, right, lanes)
    moved = [p if p < left else p - left + lanes for p in picks]
    w.values[op.results[0]] = [shuffle(w, a, b, name, lanes, moved)]


def _transpose(w: FunctionWriter, op: Operation) -> None:
    source, result = operand(op, 0), op.results[0]
    type_ = vector_type(source.type)
    shape, name = vector_shape(type_), scalar_type(type_.element_type)
    order = integers(op, "permutation")
    rows = w.rows(source)
    wanted = vector_shape(vector_type(result.type))
    last = len(shape) - 1
    if not order or order[-1] == last:
        w.values[result] = [
            rows[row_index(shape[:-1], _unpermute(position, order[:-1]))] for position in positions(wanted[:-1])
        ]
        return
    minor_source = order[-1]
    minor_target = order.index(last)
    columns: dict[tuple[int, ...], list[str]] = {}
    result_rows: list[str] = []
    for position in positions(wanted[:-1]):
        rest = [p for i, p in enumerate(position) if i != minor_target]
        key = tuple(rest)
        if key not in columns:
            columns[key] = _transposed_block(w, rows, shape, order, key, minor_source, minor_target, name)
        result_rows.append(columns[key][position[minor_target]])
    w.values[result] = result_rows


def _unpermute(position: Sequence[int], order: Sequence[int]) -> list[int]:
    source = [0] * len(order)
    for index, dim in zip(position, order, strict=True):
        source[dim] = index
    return source


def _transposed_block(
    w: FunctionWriter,
    rows: Sequence[str],
    shape: Sequence[int],
    order: Sequence[int],
    key: Sequence[int],
    minor_source: int,
    minor_target: int,
    name: str,
) -> list[str]:
    """The 2-d transpose over (minor_source, last dim) with the other dims fixed by `key` (result order)."""
    fixed: dict[int, int] = {}
    remaining = [d for i, d in enumerate(order[:-1]) if i != minor_target]
    for dim, index in zip(remaining, key, strict=True):
        fixed[dim] = index
    block: list[str] = []
    for index in range(shape[minor_source]):
        at = [index if d == minor_source else fixed[d] for d in range(len(shape) - 1)]
        block.append(rows[row_index(shape[:-1], at)])
    return transpose_block(w, block, name, shape[-1])


def transpose_block(w: FunctionWriter, block: Sequence[str], name: str, lanes: int) -> list[str]:
    """Transpose `len(block)` rows of `lanes`: log2 stages of two-row shuffles on a power-of-two square."""
    count = len(block)
    if _is_tall(count, lanes, name):
        return _turn_segments(w, block, name, lanes)
    size = 1 << (max(count, lanes) - 1).bit_length()
    if count == 1:
        return [shuffle(w, block[0], "poison", name, lanes, [i]) for i in range(lanes)]
    square = [widen_row(w, row, name, lanes, size) for row in block]
    square += ["poison"] * (size - count)
    step = size // 2
    while step:
        nexts = list(square)
        low = [i if not i & step else size + i - step for i in range(size)]
        high = [i + step if not i & step else size + i for i in range(size)]
        for row in range(size):
            if not row & step:
                a, b = square[row], square[row + step]
                if a == b == "poison":
                    continue
                nexts[row] = shuffle(w, a, b, name, size, low)
                nexts[row + step] = shuffle(w, a, b, name, size, high)
        square = nexts
        step //= 2
    return [shuffle(w, row, "poison", name, size, list(range(count))) for row in square[:lanes]]


SEGMENT = 16
"""Bytes of a register that are shuffled among themselves by the quickest instructions."""


def _is_tall(count: int, lanes: int, name: str) -> bool:
    """Whether a block is so high that its columns are registers, of segments that hold one of its rows each."""
    size = lane_bytes(name)
    if not size or lanes * size > SEGMENT:
        return False
    width, rest = divmod(count, SEGMENT // size)
    return not rest and width > 1 and width & (width - 1) == 0


def _turn_segments(w: FunctionWriter, block: Sequence[str], name: str, lanes: int) -> list[str]:
    """Squares of `lanes` next to each other, each turned in a segment of its own, all by the same shuffles.

    Lanes of two rows half a square apart are put one after the other, again and again.
    """
    count, wanted, lanes = len(block), lanes, SEGMENT // lane_bytes(name)
    filled = [widen_row(w, row, name, wanted, lanes) for row in block]
    rows = [concatenate(w, filled[i::lanes], name, lanes) for i in range(lanes)]
    half = lanes // 2
    step = half
    while step:
        turned: list[str] = []
        for a, b in zip(rows[:half], rows[half:], strict=True):
            for first in (0, half):
                picks = [
                    s + first + i // 2 + (count if i % 2 else 0) for s in range(0, count, lanes) for i in range(lanes)
                ]
                turned.append(shuffle(w, a, b, name, count, picks))
        rows, step = turned, step // 2
    return rows[:wanted]


def _shape_cast(w: FunctionWriter, op: Operation) -> None:
    source, result = operand(op, 0), op.results[0]
    rows = w.rows(source)
    type_ = vector_type(source.type)
    before, after = vector_shape(type_)[-1], vector_shape(vector_type(result.type))[-1]
    name = scalar_type(type_.element_type)
    if before == after:
        w.values[result] = rows
    elif before % after == 0:
        w.values[result] = [
            shuffle(w, row, "poison", name, before, list(range(first, first + after)))
            for row in rows
            for first in range(0, before, after)
        ]
    elif after % before == 0:
        group = after // before
        w.values[result] = [concatenate(w, rows[i : i + group], name, before) for i in range(0, len(rows), group)]
    else:
        w.values[result] = from_lanes(w, all_lanes(w, rows, name, before), name, after)


def concatenate(w: FunctionWriter, rows: Sequence[str], name: str, lanes: int) -> str:
    """One row from several of equal length, joined pairwise."""
    parts = [(row, lanes) for row in rows]
    while len(parts) > 1:
        joined: list[tuple[str, int]] = []
        for i in range(0, len(parts) - 1, 2):
            (a, left), (b, right) = parts[i], parts[i + 1]
            wide = max(left, right)
            a, b = widen_row(w, a, name, left, wide), widen_row(w, b, name, right, wide)
            picks = [*range(left), *range(wide, wide + right)]
            joined.append((shuffle(w, a, b, name, wide, picks), left + right))
        if len(parts) % 2:
            joined.append(parts[-1])
        parts = joined
    return parts[0][0]


def _bitcast(w: FunctionWriter, op: Operation) -> None:
    source, target = operand(op, 0).type, op.results[0].type
    if register_type(source) == register_type(target):
        w.values[op.results[0]] = w.rows(operand(op, 0))
        return
    before, after = row_type(vector_type(source)), row_type(vector_type(target))
    w.values[op.results[0]] = [w.emit(f"bitcast {before} {row} to {after}") for row in w.rows(operand(op, 0))]


def _step(w: FunctionWriter, op: Operation) -> None:
    type_ = vector_type(op.results[0].type)
    name = scalar_type(type_.element_type)
    w.values[op.results[0]] = ["<" + ", ".join(f"{name} {i}" for i in range(vector_shape(type_)[-1])) + ">"]


def _from_elements(w: FunctionWriter, op: Operation) -> None:
    type_ = vector_type(op.results[0].type)
    values = [w.scalar(v) for v in op.operands]
    w.values[op.results[0]] = from_lanes(w, values, scalar_type(type_.element_type), vector_shape(type_)[-1])


EMITTERS: dict[str, Emitter] = {
    "vector.bitcast": _bitcast,
    "vector.broadcast": _broadcast,
    "vector.extract": _extract,
    "vector.extract_strided_slice": _extract_strided_slice,
    "vector.from_elements": _from_elements,
    "vector.insert": _insert,
    "vector.insert_strided_slice": _insert_strided_slice,
    "vector.shape_cast": _shape_cast,
    "vector.shuffle": _shuffle,
    "vector.splat": _broadcast,
    "vector.step": _step,
    "vector.transpose": _transpose,
}
