"""Sorts in vectors: whose comparators compare keys, networks and merges on the interpreter, and whole programs at every level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

import stepwell
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.dialects.structured import SortOp
from stepwell.ir.interpreter import Interpreter
from stepwell.passes.registry import get_pass
from stepwell.passes.structured_loops.sort_form import form_of
from stepwell.passes.structured_loops.sort_keys import direct_form, key_of
from stepwell.passes.structured_loops.sort_network import batcher_layers

ORDERED = """
      %ab = arith.bitcast %a : f32 to i32
      %as = arith.shrsi %ab, %w : i32
      %am = arith.shrui %as, %one : i32
      %ak = arith.xori %ab, %am : i32
      %bb = arith.bitcast %b : f32 to i32
      %bs = arith.shrsi %bb, %w : i32
      %bm = arith.shrui %bs, %one : i32
      %bk = arith.xori %bb, %bm : i32
      %c = arith.cmpi PRED, %ak, %bk : i32"""
COMPARATORS = {
    "signed": ("i32", "%c = arith.cmpi slt, %a, %b : i32", ("same", False, False)),
    "descending": ("i32", "%c = arith.cmpi sgt, %a, %b : i32", ("same", True, False)),
    "turned around": ("i32", "%c = arith.cmpi slt, %b, %a : i32", ("same", True, False)),
    "unsigned": ("i16", "%c = arith.cmpi ult, %a, %b : i16", ("same", False, True)),
    "floats": ("f32", "%c = arith.cmpf olt, %a, %b : f32", ("float", False, False)),
    "total order": ("f32", ORDERED.replace("PRED", "slt"), ("ordered", False, False)),
    "magnitudes": ("i32", "%u = math.absi %a : i32\n %v = math.absi %b : i32\n %c = arith.cmpi slt, %u, %v : i32",
                   (None, False, False)),
}  # fmt: skip
OTHERS = {
    "not strict": ("i32", "%c = arith.cmpi sle, %a, %b : i32"),
    "one side": ("i32", "%u = arith.addi %a, %one : i32\n %c = arith.cmpi slt, %u, %b : i32"),
    "one element": ("i32", "%c = arith.cmpi slt, %a, %a : i32"),
    "two comparisons": ("i32", "%u = arith.cmpi slt, %a, %b : i32\n %v = arith.cmpi ne, %a, %one : i32\n"
                        " %c = arith.andi %u, %v : i1"),
    "both of both": ("i32", "%u = arith.addi %a, %b : i32\n %v = arith.addi %b, %b : i32\n %c = arith.cmpi slt, %u, %v : i32"),
}  # fmt: skip


def program(kind: str, comparator: str, length: int, keys: str = "", given: str = "") -> ModuleOp:
    text = f"""
    func.func @f(%x: memref<2x{length}x{kind}>, %s: memref<{length}x{kind}>{keys and ", " + keys.replace("K", "%k")}) {{
      structured.sort outs(%x : memref<2x{length}x{kind}>) {keys and "scratch(SCRATCH)"} {{dimension = 1 : i64, stable{given}}} {{
      ^bb0(%a: {kind}, %b: {kind}):
        %w = arith.constant 31 : i32
        %one = arith.constant 1 : i32
        {comparator}
        structured.yield %c : i1
      }}
      func.return
    }}"""
    names = [part.split(":")[0].strip() for part in keys.replace("K", "%k").split(",") if part]
    types = [part.split(":")[1].strip() for part in keys.split(",") if part]
    scratch = f"{', '.join(['%s', *names])} : {', '.join([f'memref<{length}x{kind}>', *types])}"
    module = Parser(context(), text.replace("SCRATCH", scratch)).parse_module()
    module.verify()
    return module


def sort_of(module: ModuleOp) -> SortOp:
    return next(op for op in module.walk() if isinstance(op, SortOp))


@pytest.mark.parametrize("name", COMPARATORS)
def test_a_comparison_of_equal_functions_of_two_elements_is_one_of_keys(name: str) -> None:
    kind, comparator, (direct, descending, unsigned) = COMPARATORS[name]
    key = key_of(sort_of(program(kind, comparator, 5)).comparator)
    assert key is not None
    assert (direct_form(key), key.descending, key.unsigned) == (direct, descending, unsigned)


@pytest.mark.parametrize("name", OTHERS)
def test_any_other_comparator_has_no_key(name: str) -> None:
    assert key_of(sort_of(program(*OTHERS[name], 5)).comparator) is None


def test_batchers_network_sorts_every_sequence_of_zeros_and_ones() -> None:
    for size in (2, 4, 8):
        rows = np.array([[bits >> i & 1 for i in range(size)] for bits in range(1 << size)])
        for layer in batcher_layers(size):
            for i, j in layer:
                rows[:, i], rows[:, j] = np.minimum(rows[:, i], rows[:, j]), np.maximum(rows[:, i], rows[:, j])
        assert (np.diff(rows, axis=1) >= 0).all()


@pytest.mark.parametrize(
    ("name", "length"),
    [("signed", 33), ("descending", 2), ("unsigned", 8), ("floats", 33), ("total order", 17), ("magnitudes", 9)],
)
def test_keys_are_sorted_by_the_loops_as_the_comparator_sorts(name: str, length: int) -> None:
    kind, comparator, _ = COMPARATORS[name]
    given = ", vector = 16 : i64"
    form = form_of(sort_of(program(kind, comparator, length, given=given)))
    assert form is not None
    shapes = ["x".join(map(str, shape)) for shape in form.buffers]
    keys = ", ".join(f"K{i}: memref<{shape}xi{form.bits}>" for i, shape in enumerate(shapes))
    module = program(kind, comparator, length, keys, given)
    dtype = {"i32": np.int32, "i16": np.int16, "f32": np.float32}[kind]
    rng = np.random.default_rng(length)
    x = rng.integers(-20, 20, (2, length)).astype(dtype)
    if kind == "f32":
        x[:, ::3], x[:, 1::4] = 0.0, -0.0
        x[1, -1] = np.nan
    buffers = [np.zeros(shape, f"i{form.bits // 8}") for shape in form.buffers]
    results: list[Any] = []
    for lower in (False, True):
        if lower:
            get_pass("lower-structured-to-loops")().apply(context(), module)
            module.verify()
            assert "vector.shuffle" in str(module)
        arrays = [x.copy(), np.zeros(length, dtype), *[b.copy() for b in buffers]]
        Interpreter(module, interpreter_rules()).call("f", arrays)
        results.append(arrays[0])
    np.testing.assert_array_equal(results[0].view(np.uint8), results[1].view(np.uint8))


CANONICAL = """
      %zero = stablehlo.constant dense<0.0> : tensor<KIND>
      %nan = stablehlo.constant dense<0x7FC00000> : tensor<KIND>
      %az = stablehlo.compare EQ, %a, %zero, FLOAT : (tensor<KIND>, tensor<KIND>) -> tensor<i1>
      %a0 = stablehlo.select %az, %zero, %a : tensor<i1>, tensor<KIND>
      %an = stablehlo.compare NE, %a, %a, FLOAT : (tensor<KIND>, tensor<KIND>) -> tensor<i1>
      %ac = stablehlo.select %an, %nan, %a0 : tensor<i1>, tensor<KIND>
      %bz = stablehlo.compare EQ, %b, %zero, FLOAT : (tensor<KIND>, tensor<KIND>) -> tensor<i1>
      %b0 = stablehlo.select %bz, %zero, %b : tensor<i1>, tensor<KIND>
      %bn = stablehlo.compare NE, %b, %b, FLOAT : (tensor<KIND>, tensor<KIND>) -> tensor<i1>
      %bc = stablehlo.select %bn, %nan, %b0 : tensor<i1>, tensor<KIND>
      %c = stablehlo.compare ORDER, %ac, %bc, TOTALORDER : (tensor<KIND>, tensor<KIND>) -> tensor<i1>"""


def sorts(cases: list[tuple[str, int, str, bool]]) -> str:
    """One function that sorts lines of each kind, length and order, alone or with their numbers."""
    arguments, results, names, body = [], [], [], ""
    for k, (kind, length, order, pairs) in enumerate(cases):
        type_, numbers = f"tensor<3x{length}x{kind}>", f"tensor<3x{length}xi32>"
        compare = (
            CANONICAL
            if kind in ("f32", "bf16", "f64")
            else (
                f"%c = stablehlo.compare ORDER, %a, %b, {'UNSIGNED' if kind.startswith('u') else 'SIGNED'} : "
                f"(tensor<{kind}>, tensor<{kind}>) -> tensor<i1>"
            )
        )
        nan = {"bf16": "0x7FC0", "f64": "0x7FF8000000000000"}.get(kind, "0x7FC00000")
        compare = compare.replace("KIND", kind).replace("ORDER, %", f"{order}, %").replace("0x7FC00000", nan)
        arguments.append(f"%x{k}: {type_}")
        results += [type_, numbers] if pairs else [type_]
        names += [f"%y{k}#0", f"%y{k}#1"] if pairs else [f"%y{k}"]
        operands, types = (f"%x{k}, %n{k}", f"{type_}, {numbers}") if pairs else (f"%x{k}", type_)
        more = ", %p: tensor<i32>, %q: tensor<i32>" if pairs else ""
        made = f"({types})" if pairs else types
        body += f"""
    %n{k} = stablehlo.iota dim = 1 : {numbers}
    %y{k}{":2" if pairs else ""} = "stablehlo.sort"({operands}) <{{dimension = 1 : i64, is_stable = true}}> ({{
    ^bb0(%a: tensor<{kind}>, %b: tensor<{kind}>{more}):
      {compare}
      stablehlo.return %c : tensor<i1>
    }}) : ({types}) -> {made}"""
    types = ", ".join(results)
    return (
        f"func.func @main({', '.join(arguments)}) -> ({types}) {{{body}\n  func.return {', '.join(names)} : {types}\n}}"
    )


CASES = [
    ("f32", 2, "LT", False), ("f32", 17, "GT", False), ("f32", 129, "LT", False), ("f32", 33, "LT", True),
    ("f64", 31, "LT", False), ("f64", 9, "LT", True), ("bf16", 65, "GT", True), ("i32", 10, "LT", False),
    ("i64", 7, "GT", False), ("ui8", 64, "LT", False), ("i16", 65, "GT", False), ("ui32", 16, "LT", True),
]  # fmt: skip


def inputs(rng: np.random.Generator, cases: list[tuple[str, int, str, bool]]) -> list[Any]:
    import ml_dtypes

    arrays: list[Any] = []
    for kind, length, _, _ in cases:
        if kind.startswith(("i", "ui")):
            dtype = np.dtype(kind.replace("ui", "uint") if kind.startswith("u") else kind.replace("i", "int"))
            info = np.iinfo(dtype)
            x = rng.integers(info.min, info.max, (3, length), dtype, endpoint=True)
            x[1] = x[1, 0] + np.arange(length, dtype=dtype) % 3
            x[2, ::2] = info.max
        else:
            dtype = {"f32": np.dtype(np.float32), "f64": np.dtype(np.float64)}.get(kind, np.dtype(ml_dtypes.bfloat16))
            x = rng.standard_normal((3, length)).astype(dtype)
            x[1, ::3], x[1, 1::4], x[2, 1::2] = 0.0, -0.0, np.inf
            nan = x[2, ::3]
            nan[:] = np.nan
            # NaNs of several kinds, both signs: all equal to this comparator.
            words = x.view(f"u{dtype.itemsize}")
            words[2, ::6] ^= np.asarray(1, words.dtype) << np.asarray(dtype.itemsize * 8 - 1, words.dtype)
            words[2, 3::6] ^= np.asarray(1, words.dtype)
        arrays.append(x)
    return arrays


def order_of(x: Any, descending: bool) -> Any:
    """The stable order of the lines, by keys: zeros are equal, NaNs are, and these are the greatest."""
    wide = x.astype(object if x.dtype.kind in "iu" else np.float64)
    rows = [[(k != k, 0 if k != k else k) for k in line] for line in wide]
    # sorted() keeps equal elements in order, in reverse too.
    return np.array([sorted(range(len(row)), key=row.__getitem__, reverse=descending) for row in rows])


@pytest.mark.parametrize(("level", "number"), [("avx512", 0), ("avx2", 1), ("sse4.2", 2)])
def test_sorts_are_stable_and_right_to_the_bit_at_every_level(level: str, number: int) -> None:
    cases = [case for k, case in enumerate(CASES) if k % 3 == number or k == 2]
    arrays = inputs(np.random.default_rng(3), cases)
    try:
        exe = stepwell.compile(sorts(cases), simd=level)
    except stepwell.UnsupportedError as error:
        pytest.skip(str(error))
    results = iter(exe(*arrays))
    for (kind, length, order, pairs), x in zip(cases, arrays, strict=True):
        want = order_of(x, order == "GT")
        got = np.asarray(next(results))
        np.testing.assert_array_equal(
            got.view(np.uint8),
            np.take_along_axis(x, want, 1).view(np.uint8),
            err_msg=f"{kind} {length} {order} {pairs}",
        )
        if pairs:
            np.testing.assert_array_equal(np.asarray(next(results)), want)


def test_long_lines_are_chunks_merged() -> None:
    x = np.random.default_rng(9).standard_normal((3, 10007)).astype(np.float32)
    exe = stepwell.compile(sorts([("f32", 10007, "LT", False)]))
    np.testing.assert_array_equal(np.asarray(exe(x)[0]), np.sort(x, 1))
