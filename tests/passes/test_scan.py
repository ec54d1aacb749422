"""Scans: what the op means, what its loops compute with and without vectors, and whole programs at every level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

import stepwell
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.passes.registry import get_pass

NUMPY = {"addi": np.add, "muli": np.multiply, "maxsi": np.maximum, "minsi": np.minimum}
NEUTRAL = {"addi": 0, "muli": 1, "maxsi": -(1 << 31), "minsi": (1 << 31) - 1}


def expected(op: Any, x: Any, axis: int, init: Any, reverse: bool, exclusive: bool) -> Any:
    """The scan as NumPy's accumulation, from an initial value."""
    x = np.flip(x, axis) if reverse else x
    first = np.full_like(np.take(x, [0], axis), init) if x.shape[axis] else np.take(x, [], axis)
    sums = op.accumulate(np.concatenate([first, x], axis), axis, dtype=x.dtype)
    count = x.shape[axis]
    kept = np.take(sums, np.arange(count) + (0 if exclusive else 1), axis) if count else x
    return np.flip(kept, axis) if reverse else kept


def program(op: str, shape: tuple[int, ...], axis: int, flags: str) -> ModuleOp:
    dims = "x".join(map(str, shape))
    lines = "x".join(str(n) for d, n in enumerate(shape) if d != axis)
    init = f"memref<{lines}xi32>" if lines else "memref<i32>"
    text = f"""
    func.func @f(%x: memref<{dims}xi32>, %i: {init}, %y: memref<{dims}xi32>) {{
      structured.scan ins(%x, %i : memref<{dims}xi32>, {init}) outs(%y : memref<{dims}xi32>) {{dimension = {axis} : i64{flags}}} {{
      ^bb0(%a: i32, %b: i32):
        %s = arith.{op} %a, %b : i32
        structured.yield %s : i32
      }}
      func.return
    }}"""
    module = Parser(context(), text).parse_module()
    module.verify()
    return module


def run(module: ModuleOp, *arrays: Any) -> Any:
    """The last argument after @f ran on copies."""
    copies = [np.array(a) for a in arrays]
    Interpreter(module, interpreter_rules()).call("f", copies)
    return copies[-1]


def cases() -> list[Any]:
    """Lines along either dim, around a vector of four lanes."""
    return [
        (shape, axis)
        for n in (0, 1, 11)
        for shape, axis in (((n,), 0), ((2, n), 1), ((n, 5), 0), ((2, n, 4), 1))
        if axis != 1 or len(shape) < 3 or shape[1]
    ]


@pytest.mark.parametrize(
    ("op", "flags"), [("addi", ""), ("muli", ", reverse"), ("maxsi", ", exclusive"), ("addi", ", reverse, exclusive")]
)
def test_a_scan_is_an_accumulation_however_it_is_carried_out(op: str, flags: str) -> None:
    rng = np.random.default_rng(len(op + flags))
    for shape, axis in cases():
        x = rng.integers(-9, 9, shape, np.int32)
        init = rng.integers(-9, 9, [n for d, n in enumerate(shape) if d != axis], np.int32)
        inits = np.expand_dims(init, axis)
        y = np.zeros(shape, np.int32)
        want = expected(NUMPY[op], x, axis, inits, "reverse" in flags, "exclusive" in flags)
        np.testing.assert_array_equal(run(program(op, shape, axis, flags), x, init, y), want)
        for given in ("", f", vector = 16 : i64, neutral = {NEUTRAL[op]} : i32"):
            module = program(op, shape, axis, flags + given)
            get_pass("lower-structured-to-loops")().apply(context(), module)
            module.verify()
            np.testing.assert_array_equal(run(module, x, init, y), want, err_msg=f"{shape} {axis} {given}")


def test_a_region_that_is_not_associative_keeps_its_order_in_reverse() -> None:
    text = """
    func.func @f(%x: memref<4xi32>, %i: memref<i32>, %y: memref<4xi32>) {
      structured.scan ins(%x, %i : memref<4xi32>, memref<i32>) outs(%y : memref<4xi32>) {dimension = 0 : i64 REVERSE} {
      ^bb0(%a: i32, %b: i32):
        %s = arith.subi %a, %b : i32
        structured.yield %s : i32
      }
      func.return
    }"""
    x, i, y = np.array([1, 2, 4, 8], np.int32), np.int32(100), np.zeros(4, np.int32)
    for flag, want in (
        ("", [99, 97, 93, 85]),
        (", reverse", [1 - (2 - (4 - (8 - 100))), 2 - (4 - (8 - 100)), 4 - (8 - 100), 8 - 100]),
    ):
        module = Parser(context(), text.replace(" REVERSE", flag)).parse_module()
        assert list(run(module, x, i, y)) == want
        get_pass("lower-structured-to-loops")().apply(context(), module)
        assert list(run(module, x, i, y)) == want


def test_a_scan_of_pairs_runs_together() -> None:
    text = """
    func.func @f(%v: memref<5x3xi32>, %w: memref<5x3xi32>, %i: memref<i32>, %y: memref<5x3xi32>, %z: memref<5x3xi32>) {
      structured.scan ins(%v, %w, %i, %i : memref<5x3xi32>, memref<5x3xi32>, memref<i32>, memref<i32>)
          outs(%y, %z : memref<5x3xi32>, memref<5x3xi32>) {dimension = 0 : i64 VECTOR} {
      ^bb0(%a: i32, %b: i32, %c: i32, %d: i32):
        %s = arith.addi %a, %d : i32
        %t = arith.maxsi %b, %c : i32
        structured.yield %s, %t : i32, i32
      }
      func.return
    }"""
    rng = np.random.default_rng(5)
    v, w = rng.integers(-9, 9, (2, 5, 3), np.int32)
    for given in ("", ", vector = 16 : i64"):
        module = Parser(context(), text.replace(" VECTOR", given)).parse_module()
        get_pass("lower-structured-to-loops")().apply(context(), module)
        arrays = [v, w, np.int32(0), np.zeros_like(v), np.zeros_like(v)]
        copies = [np.array(a) for a in arrays]
        Interpreter(module, interpreter_rules()).call("f", copies)
        np.testing.assert_array_equal(copies[3], np.add.accumulate(w, 0))
        np.testing.assert_array_equal(copies[4], np.maximum.accumulate(np.maximum(v, 0), 0))


WINDOWS = [
    ("add", "f32", (3, 70), 1, False), ("add", "f32", (3, 70), 1, True), ("add", "f32", (70, 3), 0, False),
    ("maximum", "f32", (33,), 0, False), ("minimum", "f32", (2, 16, 3), 1, True), ("multiply", "f32", (2, 17), 1, True),
    ("add", "f64", (2, 15), 1, False), ("add", "i8", (2, 130), 1, True), ("maximum", "i64", (2, 9), 1, False),
    ("add", "bf16", (2, 37), 1, False), ("maximum", "f16", (5, 33), 1, True), ("or", "i1", (3, 5), 1, False),
    ("add", "ui16", (1, 1, 31), 2, False), ("maximum", "ui8", (2, 66), 1, False),
]  # fmt: skip
INITS = {"add": "0", "multiply": "1", "or": "false"}
EXTREMES = {
    ("maximum", "f32"): "0xFF800000", ("minimum", "f32"): "0x7F800000", ("maximum", "f16"): "0xFC00",
    ("maximum", "i64"): str(-(1 << 63)), ("maximum", "ui8"): "0",
}  # fmt: skip
DTYPES = {"f32": np.float32, "f64": np.float64, "i8": np.int8, "i64": np.int64, "f16": np.float16, "i1": np.bool_,
          "ui16": np.uint16, "ui8": np.uint8}  # fmt: skip
UFUNCS = {"add": np.add, "multiply": np.multiply, "maximum": np.maximum, "minimum": np.minimum, "or": np.logical_or}


def windows(cases: list[Any]) -> str:
    """One function of several scans, as reduce_window says them."""
    arguments, results, lines = [], [], []
    for k, (op, kind, shape, axis, reverse) in enumerate(cases):
        type_ = f"tensor<{'x'.join(map(str, shape))}x{kind}>"
        arguments.append(f"%x{k}: {type_}")
        results.append(type_)
        init = EXTREMES.get((op, kind), INITS.get(op, "0"))
        if kind.startswith(("f", "bf")) and not init.startswith("0x"):
            init += ".0"
        edges = ", ".join(
            f"[0, {shape[d] - 1}]" if d == axis and reverse else f"[{shape[d] - 1}, 0]" if d == axis else "[0, 0]"
            for d in range(len(shape))
        )
        sizes = ", ".join(str(n) if d == axis else "1" for d, n in enumerate(shape))
        lines.append(f"""
      %i{k} = stablehlo.constant dense<{init}> : tensor<{kind}>
      %y{k} = "stablehlo.reduce_window"(%x{k}, %i{k}) <{{window_dimensions = array<i64: {sizes}>,
          padding = dense<[{edges}]> : tensor<{len(shape)}x2xi64>}}> ({{
      ^bb0(%a: tensor<{kind}>, %b: tensor<{kind}>):
        %s = stablehlo.{op} %a, %b : tensor<{kind}>
        stablehlo.return %s : tensor<{kind}>
      }}) : ({type_}, tensor<{kind}>) -> {type_}""")
    names = ", ".join(f"%y{k}" for k in range(len(cases)))
    types = ", ".join(results)
    body = "".join(lines)
    return f"func.func @main({', '.join(arguments)}) -> ({types}) {{{body}\n  func.return {names} : {types}\n}}"


@pytest.mark.parametrize(
    ("how", "number"), [({"simd": "avx512"}, 0), ({"simd": "avx2"}, 1), ({"simd": "sse4.2"}, 2), ({"opt_level": 0}, 3)]
)
def test_running_sums_and_maxima_are_scans_and_right_at_every_level(how: dict[str, Any], number: int) -> None:
    import ml_dtypes

    cases = [case for k, case in enumerate(WINDOWS) if k % 4 == number or k in (0, 3)]
    rng = np.random.default_rng(7)
    inputs: list[Any] = []
    for _, kind, shape, _, _ in cases:
        dtype = np.dtype(DTYPES.get(kind, ml_dtypes.bfloat16))
        numbers = rng.standard_normal(shape) if kind.startswith(("f", "bf")) else rng.integers(0, 100, shape)
        inputs.append((numbers > 0.5 if kind == "i1" else numbers).astype(dtype))
    for (_, kind, _, _, _), x in zip(cases, inputs, strict=True):
        if kind in ("f16", "f32") and x.ndim == 1:
            x[[2, 5, 20]] = [-np.inf, np.nan, np.inf]
        elif kind in ("f16", "f32"):
            x[0, 1], x[1, 2] = np.inf, np.nan
    try:
        exe = stepwell.compile(windows(cases), **how)
    except stepwell.UnsupportedError as error:
        pytest.skip(str(error))
    assert exe.ir("structured").count("structured.scan") == len(cases)
    for (op, kind, _, axis, reverse), x, got in zip(cases, inputs, exe(*inputs), strict=True):
        wide = x.astype(np.float64) if kind.startswith(("f", "bf")) else x
        line = np.flip(wide, axis) if reverse else wide
        want = UFUNCS[op].accumulate(line, axis, dtype=wide.dtype)
        want = np.flip(want, axis) if reverse else want
        rtol = {"f32": 2e-6, "f64": 1e-14, "f16": 0.0, "bf16": 2**-8}.get(kind, 0.0)
        np.testing.assert_allclose(
            np.asarray(got).astype(wide.dtype), want, rtol, 8 * rtol, err_msg=f"{op} {kind} {reverse}"
        )


def test_minus_zero_is_the_sum_of_minus_zeros_only_from_minus_zero() -> None:
    x = np.full((2, 33), -0.0, np.float32)
    text = windows_of_zeros("0.0")
    assert not np.signbit(np.asarray(stepwell.compile(text)(x))).any()
    assert np.signbit(np.asarray(stepwell.compile(windows_of_zeros("-0.0"))(x))).all()


def windows_of_zeros(init: str) -> str:
    return f"""
    func.func @main(%x: tensor<2x33xf32>) -> tensor<2x33xf32> {{
      %i = stablehlo.constant dense<{init}> : tensor<f32>
      %y = "stablehlo.reduce_window"(%x, %i) <{{window_dimensions = array<i64: 1, 33>, padding = dense<[[0, 0], [32, 0]]> : tensor<2x2xi64>}}> ({{
      ^bb0(%a: tensor<f32>, %b: tensor<f32>):
        %s = stablehlo.add %a, %b : tensor<f32>
        stablehlo.return %s : tensor<f32>
      }}) : (tensor<2x33xf32>, tensor<f32>) -> tensor<2x33xf32>
      func.return %y : tensor<2x33xf32>
    }}"""


def test_a_window_that_starts_from_something_else_than_its_padding_is_no_scan() -> None:
    x = np.arange(4, dtype=np.float32)
    text = windows_of_zeros("0.5").replace("2x33", "4").replace("1, 33", "4").replace("[[0, 0], [32, 0]]", "[[3, 0]]")
    exe = stepwell.compile(text.replace("tensor<2x2xi64>", "tensor<1x2xi64>"))
    assert "structured.scan" not in exe.ir("structured")
    np.testing.assert_allclose(exe(x)[0], np.cumsum(x) + 0.5 * np.array([4, 3, 2, 1]))


def windows_of_region(init: str, reverse: bool) -> str:
    edges = "[0, 8]" if reverse else "[8, 0]"
    return f"""
    func.func @main(%x: tensor<2x9xi32>, %n: tensor<2x9xi32>) -> (tensor<2x9xi32>, tensor<2x9xi32>) {{
      %i = stablehlo.constant dense<{init}> : tensor<i32>
      %z = stablehlo.constant dense<0> : tensor<i32>
      %y:2 = "stablehlo.reduce_window"(%x, %n, %i, %z) <{{window_dimensions = array<i64: 1, 9>, padding = dense<[[0, 0], {edges}]> : tensor<2x2xi64>}}> ({{
      ^bb0(%a: tensor<i32>, %p: tensor<i32>, %b: tensor<i32>, %q: tensor<i32>):
        %c = stablehlo.compare GE, %b, %a : (tensor<i32>, tensor<i32>) -> tensor<i1>
        %v = stablehlo.select %c, %b, %a : tensor<i1>, tensor<i32>
        %k = stablehlo.select %c, %q, %p : tensor<i1>, tensor<i32>
        %w = stablehlo.SUM
        stablehlo.return %w, %k : tensor<i32>, tensor<i32>
      }}) : (tensor<2x9xi32>, tensor<2x9xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x9xi32>, tensor<2x9xi32>)
      func.return %y#0, %y#1 : tensor<2x9xi32>, tensor<2x9xi32>
    }}"""


@pytest.mark.parametrize("reverse", [False, True])
def test_a_running_maximum_with_its_number_is_a_scan_of_pairs(reverse: bool) -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(-5, 5, (2, 9), np.int32)
    n = np.broadcast_to(np.arange(9, dtype=np.int32), (2, 9)).copy()
    text = windows_of_region("-2147483648", reverse).replace("SUM", "optimization_barrier %v : tensor<i32>")
    exe = stepwell.compile(text)
    assert exe.ir("structured").count("structured.scan") == 1
    best, number = exe(x, n)
    line = np.flip(x, 1) if reverse else x
    want = np.maximum.accumulate(line, 1)
    np.testing.assert_array_equal(best, np.flip(want, 1) if reverse else want)
    np.testing.assert_array_equal(np.take_along_axis(x, number, 1), best)


def test_a_region_that_makes_something_else_of_two_initial_values_is_no_scan() -> None:
    text = windows_of_region("-7", False).replace("SUM", "add %v, %v : tensor<i32>")
    assert "structured.scan" not in stepwell.compile(text, target="interpreter").ir("structured")


@pytest.mark.parametrize("flag", ["", ", reverse"])
@pytest.mark.parametrize("length", [2049, 5000])
def test_chunks_of_a_long_line_go_on_from_each_other(length: int, flag: str) -> None:
    kind = f"tensor<{length}xi32>"
    text = f"""
    kernel.func @k(%x: {kind}, %i: tensor<i32>, %y: {kind}) -> {kind} attributes {{access = ["read", "read", "write"],
        schedule = #kernel.schedule<"loops", {{vector = 64 : i64, tasks = 4 : i64, grain = 512 : i64}}>}} {{
      %e = tensor.empty() : {kind}
      %r = structured.scan ins(%x, %i : {kind}, tensor<i32>) outs(%e : {kind}) {{dimension = 0 : i64{flag}}} {{
      ^bb0(%a: i32, %b: i32):
        %s = arith.addi %a, %b : i32
        structured.yield %s : i32
      }} -> {kind}
      kernel.return %r : {kind}
    }}
    func.func @f(%x: {kind}, %i: tensor<i32>) -> {kind} {{
      %e = tensor.empty() : {kind}
      %r = kernel.launch @k ins(%x, %i : {kind}, tensor<i32>) outs(%e : {kind}) -> {kind}
      func.return %r : {kind}
    }}"""
    module = Parser(context(), text).parse_module()
    x = np.random.default_rng(length).integers(-99, 99, length, np.int32)
    want = np.cumsum(x[::-1] if flag else x, dtype=np.int32) + np.int32(7)
    for op in module.walk():
        if op.name == "kernel.func":
            get_pass("apply-schedule")().apply(context(), op)
    module.verify()
    assert str(module).count("scf.forall") >= 6  # three phases, each with its end
    (got,) = Interpreter(module, interpreter_rules()).call("f", [x, np.int32(7)])
    np.testing.assert_array_equal(got, want[::-1] if flag else want)
