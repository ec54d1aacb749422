"""`vector` ops that compute: fma, reductions, outer products and contractions.

A contraction may be done in any order and may fuse multiply with add: that is its meaning, not a fast-math liberty.
`vector.reduction` keeps the order of lanes unless its `fastmath` has `reassoc`; `vector.multi_reduction` has no order.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr, VectorType
from xdsl.dialects.vector import CombiningKindAttr
from xdsl.ir import Attribute, Operation
from xdsl.ir.affine import AffineDimExpr

from stepwell.backends.llvm import soft_float
from stepwell.backends.llvm.arith import (
    convert_float,
    fast_math,
    per_row,
    refuse_small_float,
    suffix_of,
)
from stepwell.backends.llvm.rows import splat
from stepwell.backends.llvm.straight_line import typed
from stepwell.backends.llvm.types import (
    element_type,
    float_literal,
    is_float,
    scalar_type,
    splat_literal,
    vector_shape,
)
from stepwell.backends.llvm.vector import (
    extract_lane,
    insert_lane,
    integers,
    positions,
    row_index,
    shuffle,
    vector_type,
)
from stepwell.backends.llvm.writer import Emitter, FunctionWriter, attribute, operand, unsupported

_INSTRUCTIONS = {"and": "and", "or": "or", "xor": "xor"}
_INTRINSICS = {
    "minui": "umin",
    "maxui": "umax",
    "minsi": "smin",
    "maxsi": "smax",
    "minnumf": "minnum",
    "maxnumf": "maxnum",
    "minimumf": "minimum",
    "maximumf": "maximum",
}
_REDUCE_FLOAT = {
    "minnumf": "fmin",
    "maxnumf": "fmax",
    "minimumf": "fminimum",
    "maximumf": "fmaximum",
}
_REDUCE_INTEGER = {
    "add": "add",
    "mul": "mul",
    "and": "and",
    "or": "or",
    "xor": "xor",
    "minui": "umin",
    "maxui": "umax",
    "minsi": "smin",
    "maxsi": "smax",
}


def combining_kind(op: Operation) -> str:
    """The name of the op's combining kind."""
    kind = attribute(op, "kind")
    if kind is None:
        return "add"
    assert isinstance(kind, CombiningKindAttr)
    return str(kind.data)


def combine(
    w: FunctionWriter, kind: str, element: Attribute, lanes: int | None, a: str, b: str, flags: str = ""
) -> str:
    """`a kind b` on scalars or rows."""
    name = scalar_type(element)
    type_ = typed(name, lanes)
    if kind in ("add", "mul"):
        opcode = f"f{kind} {flags}".strip() if is_float(element) else kind
        return w.emit(f"{opcode} {type_} {a}, {b}")
    if kind in _INSTRUCTIONS:
        return w.emit(f"{_INSTRUCTIONS[kind]} {type_} {a}, {b}")
    full = f"llvm.{_INTRINSICS[kind]}.{suffix_of(name, lanes)}"
    return w.call(type_, full, [(type_, a), (type_, b)], flags if is_float(element) else "")


def reduce_row(w: FunctionWriter, kind: str, element: Attribute, lanes: int, row: str, flags: str) -> str:
    """All lanes of a row combined into a scalar; `add` and `mul` of floats start from their neutral element."""
    name = scalar_type(element)
    if lanes == 1:
        return extract_lane(w, row, name, 1, 0)
    type_ = f"<{lanes} x {name}>"
    suffix = suffix_of(name, lanes)
    if is_float(element):
        if kind in ("add", "mul"):
            start = float_literal(-0.0 if kind == "add" else 1.0, name)
            pairs = [(name, start), (type_, row)]
            return w.call(name, f"llvm.vector.reduce.f{kind}.{suffix}", pairs, flags)
        return _reduce_by_halves(w, kind, element, lanes, row, flags)
    return w.call(name, f"llvm.vector.reduce.{_REDUCE_INTEGER[kind]}.{suffix}", [(type_, row)])


def _reduce_by_halves(w: FunctionWriter, kind: str, element: Attribute, lanes: int, row: str, flags: str) -> str:
    """Float minima and maxima, which have no order: halves against each other."""
    name = scalar_type(element)
    while lanes > 1:
        half = lanes // 2
        low = shuffle(w, row, "poison", name, lanes, range(half))
        high = shuffle(w, row, "poison", name, lanes, range(half, 2 * half))
        combined = combine(w, kind, element, half, low, high, flags)
        if lanes % 2:
            last = extract_lane(w, row, name, lanes, lanes - 1)
            first = extract_lane(w, combined, name, half, 0)
            joined = combine(w, kind, element, None, first, last, flags)
            combined = insert_lane(w, combined, joined, name, half, 0)
        row, lanes = combined, half
    return extract_lane(w, row, name, 1, 0)


def _fma(w: FunctionWriter, op: Operation) -> None:
    type_ = vector_type(op.results[0].type)
    refuse_small_float(op, type_)
    name, lanes = scalar_type(type_.element_type), vector_shape(type_)[-1]
    flags = fast_math(op)
    per_row(w, op, lambda a, b, c: soft_float.fma(w, name, lanes, a, b, c, flags))


def multiply_add(w: FunctionWriter, element: Attribute, lanes: int | None, a: str, b: str, c: str) -> str:
    """`a * b + c` inside a contraction: fused where the machine can."""
    name = scalar_type(element)
    type_ = typed(name, lanes)
    if is_float(element):
        return soft_float.fma(w, name, lanes, a, b, c, "contract ")
    product = w.emit(f"mul {type_} {a}, {b}")
    return w.emit(f"add {type_} {product}, {c}")


def _reduction(w: FunctionWriter, op: Operation) -> None:
    source, result = operand(op, 0), op.results[0]
    type_ = vector_type(source.type)
    refuse_small_float(op, type_)
    kind, flags = combining_kind(op), fast_math(op)
    element, lanes = type_.element_type, vector_shape(type_)[-1]
    row = w.rows(source)[0]
    ordered = is_float(element) and kind in ("add", "mul") and "reassoc" not in flags
    if ordered and len(op.operands) > 1:
        name = scalar_type(element)
        pairs = [(name, w.scalar(operand(op, 1))), (f"<{lanes} x {name}>", row)]
        w.values[result] = w.call(name, f"llvm.vector.reduce.f{kind}.{suffix_of(name, lanes)}", pairs, flags)
        return
    value = reduce_row(w, kind, element, lanes, row, flags)
    if len(op.operands) > 1:
        value = combine(w, kind, element, None, w.scalar(operand(op, 1)), value, flags)
    w.values[result] = value


def _multi_reduction(w: FunctionWriter, op: Operation) -> None:
    source, acc, result = operand(op, 0), operand(op, 1), op.results[0]
    type_ = vector_type(source.type)
    refuse_small_float(op, type_)
    kind, element, shape = combining_kind(op), type_.element_type, vector_shape(type_)
    dims = integers(op, "reduction_dims")
    rows, lanes, last = w.rows(source), shape[-1], len(shape) - 1
    flags = "reassoc " if is_float(element) and kind in ("add", "mul") else ""
    kept = [d for d in range(last) if d not in dims]
    groups: dict[tuple[int, ...], str] = {}
    for position, row in zip(positions(shape[:-1]), rows, strict=True):
        key = tuple(position[d] for d in kept)
        groups[key] = combine(w, kind, element, lanes, groups[key], row) if key in groups else row
    accs = w.values[acc]
    name = scalar_type(element)
    if last not in dims:
        assert isinstance(accs, list)
        w.values[result] = [
            combine(w, kind, element, lanes, a, row) for a, row in zip(accs, groups.values(), strict=True)
        ]
        return
    scalars = [reduce_row(w, kind, element, lanes, row, flags) for row in groups.values()]
    if not isinstance(accs, list):
        assert isinstance(accs, str)
        w.values[result] = combine(w, kind, element, None, accs, scalars[0])
        return
    width = vector_shape(vector_type(acc.type))[-1]
    results: list[str] = []
    for r, a in enumerate(accs):
        row = "poison"
        for lane in range(width):
            row = insert_lane(w, row, scalars[r * width + lane], name, width, lane)
        results.append(combine(w, kind, element, width, a, row))
    w.values[result] = results


def _outer_product(w: FunctionWriter, op: Operation) -> None:
    lhs, rhs, result = operand(op, 0), operand(op, 1), op.results[0]
    type_ = vector_type(result.type)
    refuse_small_float(op, type_)
    kind, element = combining_kind(op), type_.element_type
    name, lanes = scalar_type(element), vector_shape(type_)[-1]
    height = vector_shape(vector_type(lhs.type))[-1]
    accs = w.rows(operand(op, 2)) if len(op.operands) > 2 else None
    left = w.rows(lhs)[0]
    if not isinstance(rhs.type, VectorType):
        pairs = [(left, splat(w, w.scalar(rhs), name, lanes))]
    else:
        right = w.rows(rhs)[0]
        pairs = [(splat(w, extract_lane(w, left, name, height, i), name, lanes), right) for i in range(height)]
    rows: list[str] = []
    for i, (a, b) in enumerate(pairs):
        if accs is not None and kind == "add":
            rows.append(multiply_add(w, element, lanes, a, b, accs[i]))
            continue
        product = combine(w, "mul", element, lanes, a, b)
        rows.append(product if accs is None else combine(w, kind, element, lanes, accs[i], product))
    w.values[result] = rows


def _shape_of(type_: Attribute) -> tuple[int, ...]:
    return vector_shape(type_) if isinstance(type_, VectorType) else ()


class _Contraction:
    """The operands of a `vector.contract` by iteration point."""

    def __init__(self, w: FunctionWriter, op: Operation):
        self.w, self.op = w, op
        maps = attribute(op, "indexing_maps")
        assert isinstance(maps, ArrayAttr)
        self.maps = [_dims(op, m) for m in maps.data]
        self.acc_value = w.values[operand(op, 2)]
        self.element = element_type(op.results[0].type)
        self.name = scalar_type(self.element)
        self.shapes = [_shape_of(operand(op, i).type) for i in range(3)]
        self.extents: dict[int, int] = {}
        for dims, shape in zip(self.maps, self.shapes, strict=True):
            self.extents.update(zip(dims, shape, strict=False))
        self.operands = [self._converted(i) for i in range(2)]
        self._splats: dict[tuple[int, int, int], str] = {}

    def _converted(self, index: int) -> list[str]:
        value = operand(self.op, index)
        type_ = vector_type(value.type)
        if type_.element_type == self.element:
            return self.w.rows(value)
        if not is_float(type_.element_type):
            raise unsupported(self.op, f"operand type {type_} with accumulator of {self.element}; extend it first")
        lanes = vector_shape(type_)[-1]
        wide = VectorType(self.element, [lanes])
        return [convert_float(self.w, row, type_, wide) for row in self.w.rows(value)]

    def row(self, index: int, point: dict[int, int]) -> str:
        """The row of an operand at a point (its minor dim ignored)."""
        dims, shape = self.maps[index], self.shapes[index]
        return self.operands[index][row_index(shape[:-1], [point[d] for d in dims[:-1]])]

    def scalar(self, index: int, point: dict[int, int]) -> str:
        """One element of an operand."""
        lanes = self.shapes[index][-1]
        return extract_lane(self.w, self.row(index, point), self.name, lanes, point[self.maps[index][-1]])

    def factor(self, index: int, point: dict[int, int], minor: int, lanes: int) -> str:
        """An operand as a row along the loop dim `minor`: itself, or one element in all lanes."""
        if self.maps[index][-1] == minor:
            return self.row(index, point)
        dims, shape = self.maps[index], self.shapes[index]
        number = row_index(shape, [point[d] for d in dims])
        key = (index, number, lanes)
        if key not in self._splats:
            self._splats[key] = splat(self.w, self.scalar(index, point), self.name, lanes)
        return self._splats[key]


def _dims(op: Operation, amap: Attribute) -> list[int]:
    assert isinstance(amap, AffineMapAttr)
    dims = [e.position for e in amap.data.results if isinstance(e, AffineDimExpr)]
    if len(dims) != len(amap.data.results):
        raise unsupported(op, f"the indexing map {amap} is not a projected permutation")
    return dims


def _points(extents: dict[int, int], dims: Sequence[int]) -> list[dict[int, int]]:
    ranges = itertools.product(*(range(extents[d]) for d in dims))
    return [dict(zip(dims, values, strict=True)) for values in ranges]


def _contract(w: FunctionWriter, op: Operation) -> None:
    kind = combining_kind(op)
    if kind != "add":
        raise unsupported(op, f"combining kind {kind}; only sums of products have a rule")
    refuse_small_float(op, op.results[0].type)
    c = _Contraction(w, op)
    acc_dims = c.maps[2]
    minor = acc_dims[-1] if acc_dims else None
    others = [dims for dims in c.maps[:2] if minor in dims]
    if minor is not None and all(dims[-1] == minor for dims in others):
        w.values[op.results[0]] = _contract_rows(c, minor)
    elif c.maps[0][-1] == c.maps[1][-1] and c.maps[0][-1] not in acc_dims:
        w.values[op.results[0]] = _contract_dots(c, c.maps[0][-1])
    else:
        w.values[op.results[0]] = _contract_scalars(c)


def _contract_rows(c: _Contraction, minor: int) -> list[str]:
    """The accumulator's minor dim is the lane dim of every operand that has it: one fma per row and reduction step."""
    assert isinstance(c.acc_value, list)
    rows, lanes = list(c.acc_value), c.shapes[2][-1]
    reduced = [d for d in sorted(c.extents) if d not in c.maps[2]]
    for step in _points(c.extents, reduced):
        for point in _points(c.extents, c.maps[2][:-1]):
            number = row_index(c.shapes[2][:-1], [point[d] for d in c.maps[2][:-1]])
            full = point | step
            a, b = c.factor(0, full, minor, lanes), c.factor(1, full, minor, lanes)
            rows[number] = multiply_add(c.w, c.element, lanes, a, b, rows[number])
    return rows


def _contract_dots(c: _Contraction, inner: int) -> list[str] | str:
    """Both operands have the reduced dim in their lanes: products are summed in lanes, then across."""
    w, lanes = c.w, c.extents[inner]
    zero = splat_literal(float_literal(0.0, c.name) if is_float(c.element) else "0", c.name)
    reduced = [d for d in sorted(c.extents) if d not in c.maps[2] and d != inner]
    scalars: list[str] = []
    for point in _points(c.extents, c.maps[2]):
        total = zero
        for step in _points(c.extents, reduced):
            full = point | step
            total = multiply_add(w, c.element, lanes, c.row(0, full), c.row(1, full), total)
        flags = "reassoc " if is_float(c.element) else ""
        scalars.append(reduce_row(w, "add", c.element, lanes, total, flags))
    return _added_to_acc(c, scalars)


def _added_to_acc(c: _Contraction, scalars: Sequence[str]) -> list[str] | str:
    w = c.w
    if not isinstance(c.acc_value, list):
        assert isinstance(c.acc_value, str)
        return combine(w, "add", c.element, None, c.acc_value, scalars[0])
    width = c.shapes[2][-1]
    rows: list[str] = []
    for r, acc in enumerate(c.acc_value):
        row = "poison"
        for lane in range(width):
            row = insert_lane(w, row, scalars[r * width + lane], c.name, width, lane)
        rows.append(combine(w, "add", c.element, width, acc, row))
    return rows


def _contract_scalars(c: _Contraction) -> list[str] | str:
    """No common lane dim: element by element."""
    w = c.w
    reduced = [d for d in sorted(c.extents) if d not in c.maps[2]]
    scalars: list[str] = []
    zero = float_literal(0.0, c.name) if is_float(c.element) else "0"
    for point in _points(c.extents, c.maps[2]):
        total = zero
        for step in _points(c.extents, reduced):
            full = point | step
            total = multiply_add(w, c.element, None, c.scalar(0, full), c.scalar(1, full), total)
        scalars.append(total)
    return _added_to_acc(c, scalars)


EMITTERS: dict[str, Emitter] = {
    "vector.contract": _contract,
    "vector.fma": _fma,
    "vector.multi_reduction": _multi_reduction,
    "vector.outerproduct": _outer_product,
    "vector.reduction": _reduction,
}
