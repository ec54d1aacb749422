"""Folding against NumPy, and the clean-up passes on programs: linear, terminating, leaving the meaning alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, ModuleOp
from xdsl.ir import Operation

from stepwell.dialects.registry import DIALECTS, get_dialect
from stepwell.ir import rewriting
from stepwell.ir.context import make_context
from stepwell.ir.parser import parse_module
from stepwell.ir.rewriting import NonTerminationError, Rewriter, rewrite_greedily
from stepwell.passes.canonicalize import canonicalize

INTEGER_OPS: dict[str, Any] = {
    "addi": np.add,
    "subi": np.subtract,
    "muli": np.multiply,
    "andi": np.bitwise_and,
    "ori": np.bitwise_or,
    "xori": np.bitwise_xor,
    "minsi": np.minimum,
    "maxsi": np.maximum,
    "divsi": lambda a, b: np.trunc(np.float64(a) / np.float64(b)).astype(a.dtype),
    "remsi": np.fmod,
}
UNSIGNED_OPS: dict[str, Any] = {
    "divui": np.floor_divide,
    "remui": np.remainder,
    "minui": np.minimum,
    "maxui": np.maximum,
}
FLOAT_OPS: dict[str, Any] = {"addf": np.add, "subf": np.subtract, "mulf": np.multiply, "divf": np.divide}
FLOATS = {"f64": np.float64, "f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}


def parse(text: str) -> ModuleOp:
    return parse_module(text, "test.mlir", make_context({n: partial(get_dialect, n) for n in DIALECTS}))


def fold(expressions: Sequence[tuple[str, str, str, str]]) -> list[Any]:
    """What `op a, b : type` of each quadruple folds to; all in one function."""
    lines, results, types = [], [], []
    for i, (op, a, b, kind) in enumerate(expressions):
        lines += [f"%a{i} = arith.constant {a} : {kind}", f"%b{i} = arith.constant {b} : {kind}"]
        lines += [f"%r{i} = arith.{op} %a{i}, %b{i} : {kind}"]
        results.append(f"%r{i}")
        types.append(kind)
    body = "\n".join(lines)
    module = parse(
        f"func.func @f() -> ({', '.join(types)}) {{\n{body}\nfunc.return {', '.join(results)} : {', '.join(types)}\n}}"
    )
    canonicalize(module)
    end = module.body.block.first_op.regions[0].block.last_op  # pyright: ignore[reportOptionalMemberAccess]
    values: list[Any] = []
    for operand in end.operands:  # pyright: ignore[reportOptionalMemberAccess]
        assert operand.owner.name == "arith.constant"  # pyright: ignore[reportAttributeAccessIssue]
        value = operand.owner.properties["value"]  # pyright: ignore[reportAttributeAccessIssue]
        assert isinstance(value, IntegerAttr | FloatAttr)
        values.append(value.value.data)
    return values


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_integer_folding_wraps_as_numpy_does(bits: int):
    generator = np.random.default_rng(bits)
    info = np.iinfo(f"i{bits // 8}")
    span = 1 << 20 if bits == 64 else int(info.max)  # the oracle of divsi goes through float64
    expressions: list[tuple[str, str, str, str]] = []
    expected: list[int] = []
    for name in [*INTEGER_OPS, *UNSIGNED_OPS]:
        for _ in range(6):
            a, b = (int(v) for v in generator.integers(-span, span, 2))
            b = b or 1
            x, y = np.array([a], info.dtype), np.array([b], info.dtype)
            if name in UNSIGNED_OPS:
                unsigned = np.dtype(f"u{bits // 8}")
                result = UNSIGNED_OPS[name](x.view(unsigned), y.view(unsigned)).view(info.dtype)
            else:
                result = INTEGER_OPS[name](x, y)
            expressions.append((name, str(a), str(b), f"i{bits}"))
            expected.append(int(result[0]))
    assert fold(expressions) == expected


@pytest.mark.parametrize("kind", list(FLOATS))
def test_float_folding_rounds_once_in_its_type(kind: str):
    dtype = FLOATS[kind]
    generator = np.random.default_rng(7)
    expressions: list[tuple[str, str, str, str]] = []
    expected: list[float] = []
    for name, oracle in FLOAT_OPS.items():
        for _ in range(8):
            a, b = (dtype(v) for v in generator.normal(size=2) * 10.0 ** generator.integers(-3, 3, 2))
            expressions.append((name, f"{float(a):.20e}", f"{float(b):.20e}", kind))
            expected.append(float(oracle(a, b)))
    assert fold(expressions) == expected


def test_a_float_fold_overflows_to_infinity_and_nan_is_left():
    assert fold([("mulf", "1.0e30", "1.0e30", "f32"), ("divf", "-1.0", "0.0", "f32")]) == [np.inf, -np.inf]
    module = parse(
        "func.func @f() -> f32 {\n%a = arith.constant 0.0 : f32\n%r = arith.divf %a, %a : f32\nfunc.return %r : f32\n}"
    )
    canonicalize(module)
    assert "arith.divf" in str(module)


def test_patterns_that_undo_each_other_are_reported():
    module = parse("func.func @f(%x: i32, %y: i32) -> i32 {\n%0 = arith.addi %x, %y : i32\nfunc.return %0 : i32\n}")

    def swap_operands(op: Operation, rewriter: Rewriter) -> bool:
        op.operands = tuple(reversed(op.operands))
        rewriter.modified(op)
        return True

    with pytest.raises(NonTerminationError, match="still applying: swap_operands"):
        rewrite_greedily(module, {"arith.addi": (swap_operands,)}, max_rewrites=100)


def chain(length: int) -> str:
    lines = ["%v0 = arith.addi %x, %x : i32"]
    for i in range(1, length):
        lines.append(f"%c{i} = arith.constant {i % 7 + 1} : i32")
        lines.append(f"%v{i} = arith.addi %c{i}, %v{i - 1} : i32")
    body = "\n".join(lines)
    return f"func.func @f(%x: i32) -> i32 {{\n{body}\nfunc.return %v{length - 1} : i32\n}}"


def test_visits_grow_linearly(monkeypatch: pytest.MonkeyPatch):
    """Ops taken off the worklist for a chain in which every op folds into the next."""
    plain = rewriting.Worklist.pop
    visits = 0

    def counted(self: rewriting.Worklist) -> Operation | None:
        nonlocal visits
        visits += 1
        return plain(self)

    monkeypatch.setattr(rewriting.Worklist, "pop", counted)
    counts: list[int] = []
    for length in (200, 400, 800):
        visits = 0
        module = parse(chain(length))
        canonicalize(module)
        assert sum(op.name == "arith.addi" for op in module.walk()) == 2
        counts.append(visits)
    assert counts[1] <= 2.2 * counts[0]
    assert counts[2] <= 2.2 * counts[1]


def test_new_ops_take_the_location_of_the_op_they_replace():
    module = parse(
        'func.func @f(%x: f32) -> f32 {\n%m = arith.constant -1.0 : f32 loc("c.py":1:1)\n'
        '%0 = arith.mulf %x, %m : f32 loc("model.py":7:3)\nfunc.return %0 : f32\n}'
    )
    canonicalize(module)
    negation = next(op for op in module.walk() if op.name == "arith.negf")
    assert "model.py" in str(negation.location)
