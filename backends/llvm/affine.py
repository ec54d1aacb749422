"""`affine`: maps are written as index arithmetic; loops are those of `scf`.

`floordiv`, `ceildiv` and `mod` round as the affine dialect says (towards minus infinity; remainder never negative), for a
positive constant on the right.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import AffineMapAttr, AffineSetAttr, DenseArrayBase, IntegerAttr, VectorType
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineConstraintKind,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
    AffineSymExpr,
)

from stepwell.backends.llvm.control_flow import (
    Pieces,
    all_pieces,
    bind_all,
    branch_on,
    counted_loop,
    loop_metadata,
    models,
)
from stepwell.backends.llvm.memref import load_scalar, store_scalar
from stepwell.backends.llvm.vector_memory import load_rows, store_rows
from stepwell.backends.llvm.writer import Emitter, FunctionWriter, Index, attribute, operand


def write_expr(w: FunctionWriter, expr: AffineExpr, dims: Sequence[Index], symbols: Sequence[Index]) -> Index:
    """The value of an affine expression."""
    if isinstance(expr, AffineDimExpr):
        return dims[expr.position]
    if isinstance(expr, AffineSymExpr):
        return symbols[expr.position]
    if isinstance(expr, AffineConstantExpr):
        return expr.value
    assert isinstance(expr, AffineBinaryOpExpr)
    lhs = write_expr(w, expr.lhs, dims, symbols)
    rhs = write_expr(w, expr.rhs, dims, symbols)
    if expr.kind == AffineBinaryOpKind.Add:
        return w.add(lhs, rhs)
    if expr.kind == AffineBinaryOpKind.Mul:
        return w.mul(lhs, rhs)
    return _divide(w, expr.kind, lhs, rhs)


def _divide(w: FunctionWriter, kind: AffineBinaryOpKind, lhs: Index, rhs: Index) -> Index:
    if isinstance(lhs, int) and isinstance(rhs, int):
        if kind == AffineBinaryOpKind.FloorDiv:
            return lhs // rhs
        return -(-lhs // rhs) if kind == AffineBinaryOpKind.CeilDiv else lhs % rhs
    if kind == AffineBinaryOpKind.Mod:
        rest = w.emit(f"srem i64 {lhs}, {rhs}")
        negative = w.emit(f"icmp slt i64 {rest}, 0")
        return w.emit(f"select i1 {negative}, i64 {w.add(rest, rhs)}, i64 {rest}")
    quotient = w.emit(f"sdiv i64 {lhs}, {rhs}")
    rest = w.emit(f"srem i64 {lhs}, {rhs}")
    if kind == AffineBinaryOpKind.FloorDiv:
        step = w.emit(f"sext i1 {w.emit(f'icmp slt i64 {rest}, 0')} to i64")
    else:
        step = w.emit(f"zext i1 {w.emit(f'icmp sgt i64 {rest}, 0')} to i64")
    return w.add(quotient, step)


def map_values(w: FunctionWriter, amap: AffineMap, values: Sequence[SSAValue]) -> list[Index]:
    """The results of a map applied to operands (dims, then symbols)."""
    operands = [w.index(v) for v in values]
    dims, symbols = operands[: amap.num_dims], operands[amap.num_dims :]
    return [write_expr(w, e, dims, symbols) for e in amap.results]


def _map(op: Operation, name: str = "map") -> AffineMap:
    found = attribute(op, name)
    assert isinstance(found, AffineMapAttr)
    return found.data


def _apply(w: FunctionWriter, op: Operation) -> None:
    (value,) = map_values(w, _map(op), op.operands)
    w.values[op.results[0]] = str(value)


def _extreme(w: FunctionWriter, values: Sequence[Index], name: str) -> Index:
    best = values[0]
    for value in values[1:]:
        if isinstance(best, int) and isinstance(value, int):
            best = min(best, value) if name == "smin" else max(best, value)
        else:
            best = w.call("i64", f"llvm.{name}.i64", [("i64", str(best)), ("i64", str(value))])
    return best


def _min_max(name: str) -> Emitter:
    def emit(w: FunctionWriter, op: Operation) -> None:
        w.values[op.results[0]] = str(_extreme(w, map_values(w, _map(op), op.operands), name))

    return emit


def _for(w: FunctionWriter, op: Operation) -> None:
    segments = attribute(op, "operandSegmentSizes")
    assert isinstance(segments, DenseArrayBase)
    lowers, uppers, _ = (int(n) for n in segments.get_values())
    lower_operands, upper_operands = op.operands[:lowers], op.operands[lowers : lowers + uppers]
    inits = op.operands[lowers + uppers :]
    lower = _extreme(w, map_values(w, _map(op, "lowerBoundMap"), lower_operands), "smax")
    upper = _extreme(w, map_values(w, _map(op, "upperBoundMap"), upper_operands), "smin")
    step = attribute(op, "step")
    assert isinstance(step, IntegerAttr)
    block = op.regions[0].block
    forms = models(w, inits)

    def body(index: Index, carried: list[str]) -> list[str]:
        w.values[block.args[0]] = str(index)
        bind_all(w, block.args[1:], carried, forms)
        return [name for _, name in all_pieces(w, w.write_block(block).operands)]

    pieces: Pieces = all_pieces(w, inits)
    results = counted_loop(w, "i64", lower, upper, step.value.data, pieces, body, loop_metadata(w, op))
    bind_all(w, op.results, results, forms)


def _load(w: FunctionWriter, op: Operation) -> None:
    w.values[op.results[0]] = load_scalar(w, op, w.buffer(operand(op, 0)), map_values(w, _map(op), op.operands[1:]))


def _store(w: FunctionWriter, op: Operation) -> None:
    indices = map_values(w, _map(op), op.operands[2:])
    store_scalar(w, op, w.scalar(operand(op, 0)), w.buffer(operand(op, 1)), indices)


def _vector_load(w: FunctionWriter, op: Operation) -> None:
    result = op.results[0]
    assert isinstance(result.type, VectorType)
    indices = map_values(w, _map(op), op.operands[1:])
    w.values[result] = load_rows(w, op, w.buffer(operand(op, 0)), indices, result.type)


def _vector_store(w: FunctionWriter, op: Operation) -> None:
    value = operand(op, 0)
    assert isinstance(value.type, VectorType)
    indices = map_values(w, _map(op), op.operands[2:])
    store_rows(w, op, w.rows(value), w.buffer(operand(op, 1)), indices, value.type)


_RELATIONS = {
    AffineConstraintKind.eq: "eq",
    AffineConstraintKind.ge: "sge",
    AffineConstraintKind.le: "sle",
}


def _if(w: FunctionWriter, op: Operation) -> None:
    condition = attribute(op, "condition")
    assert isinstance(condition, AffineSetAttr)
    operands = [w.index(v) for v in op.operands]
    dims, symbols = operands[: condition.data.num_dims], operands[condition.data.num_dims :]
    holds = "true"
    for constraint in condition.data.constraints:
        lhs, rhs = (write_expr(w, e, dims, symbols) for e in (constraint.lhs, constraint.rhs))
        one = w.emit(f"icmp {_RELATIONS[constraint.kind]} i64 {lhs}, {rhs}")
        holds = one if holds == "true" else w.emit(f"and i1 {holds}, {one}")
    branch_on(w, op, holds)


EMITTERS: dict[str, Emitter] = {
    "affine.apply": _apply,
    "affine.for": _for,
    "affine.if": _if,
    "affine.load": _load,
    "affine.max": _min_max("smax"),
    "affine.min": _min_max("smin"),
    "affine.store": _store,
    "affine.vector_load": _vector_load,
    "affine.vector_store": _vector_store,
}
