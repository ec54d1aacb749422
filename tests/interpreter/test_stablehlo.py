"""StableHLO's meaning: the interpreter against NumPy, loops written out, and the specification's special cases."""

from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np
import pytest

from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.errors import UnsupportedError
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module

BF16 = ml_dtypes.bfloat16
NAMES = {"float32": "f32", "float64": "f64", "float16": "f16", "bfloat16": "bf16", "bool": "i1"}
INF, NAN = np.inf, np.nan


def type_of(array):
    name = array.dtype.name
    element = NAMES.get(name) or name.replace("int", "i")
    return "tensor<" + "x".join([*map(str, array.shape), element]) + ">"


def run(body, *args, extra=""):
    """Run a function body whose arguments are %0, %1, ... and that ends with its own return."""
    arrays = [np.asarray(a) for a in args]
    signature = ", ".join(f"%{i}: {type_of(a)}" for i, a in enumerate(arrays))
    returned = body.rsplit("return", 1)[1].split(":", 1)[1].strip()
    text = f"func.func @main({signature}) -> ({returned}) {{\n{body}\n}}\n{extra}"
    module = parse_module(text, "test.mlir", context())
    module.verify()
    results = Interpreter(module, interpreter_rules()).call("main", arrays)
    assert all(isinstance(r, np.ndarray) for r in results)
    return results[0] if len(results) == 1 else results


def apply(op, *args, result=None):
    """One elementwise op on arrays of one type (or with the result type given)."""
    arrays = [np.asarray(a) for a in args]
    types = [type_of(a) for a in arrays]
    out = result or types[0]
    names = ", ".join(f"%{i}" for i in range(len(arrays)))
    return run(f"%r = stablehlo.{op} {names} : ({', '.join(types)}) -> {out}\nfunc.return %r : {out}", *arrays)


def same(got, want):
    want = np.asarray(want)
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    wide = np.complex128 if got.dtype.kind == "c" else np.float64 if got.dtype.kind in "fV" else got.dtype
    np.testing.assert_array_equal(got.astype(wide), want.astype(wide))
    if got.dtype.kind == "f":
        number = ~np.isnan(want)
        np.testing.assert_array_equal(np.signbit(got)[number], np.signbit(want)[number])


I8 = np.int8


@pytest.mark.parametrize(
    ("op", "lhs", "rhs", "want"),
    [
        ("add", I8([127, -128]), I8([1, -1]), I8([-128, 127])),
        ("multiply", I8([100]), I8([3]), I8([44])),
        ("divide", I8([7, -7, 7, -7, 5, -128]), I8([2, 2, -2, -2, 0, -1]), I8([3, -3, -3, 3, -1, -128])),
        ("divide", np.uint8([200, 5]), np.uint8([7, 0]), np.uint8([28, 255])),
        ("remainder", I8([7, -7, 7, -7, 5, -128]), I8([3, 3, -3, -3, 0, -1]), I8([1, -1, 1, -1, 5, 0])),
        ("remainder", np.float32([5.5, -5.5, -4.0]), np.float32([2, 2, 2]), np.float32([1.5, -1.5, -0.0])),
        ("shift_left", I8([1, 1, 1, 1]), I8([3, 7, 8, -1]), I8([8, -128, 0, 0])),
        ("shift_right_logical", I8([-128, -128]), I8([7, 8]), I8([1, 0])),
        ("shift_right_arithmetic", I8([-128, -128, 64]), I8([7, 9, -1]), I8([-1, -1, 0])),
        ("power", I8([2, 3, 2, -1, -1, 1, 0]), I8([7, 5, -1, -3, -2, -9, 0]), I8([-128, -13, 0, -1, 1, 1, 1])),
        ("maximum", np.float32([NAN, 1, -0.0, 0.0]), np.float32([1, NAN, 0.0, -0.0]), np.float32([NAN, NAN, 0, 0])),
        ("minimum", np.float32([NAN, -0.0, 0.0, 2]), np.float32([1, 0.0, -0.0, 1]), np.float32([NAN, -0.0, -0.0, 1])),
        ("add", np.array([False, True]), np.array([True, True]), np.array([True, True])),
        ("multiply", np.array([False, True]), np.array([True, True]), np.array([False, True])),
        ("add", np.array([256.0, 1.0], BF16), np.array([1.0, 2**-8], BF16), np.array([256.0, 1.0], BF16)),
        (
            "add",
            np.array([7, -8], ml_dtypes.int4),
            np.array([1, -1], ml_dtypes.int4),
            np.array([-8, 7], ml_dtypes.int4),
        ),
        ("and", np.uint16([0xF0F0]), np.uint16([0xFF00]), np.uint16([0xF000])),
        (
            "atan2",
            np.float64([0.0, -0.0, 1.0]),
            np.float64([-1.0, -1.0, 0.0]),
            np.arctan2([0.0, -0.0, 1.0], [-1, -1, 0]),
        ),
    ],
)
def test_binary_ops(op, lhs, rhs, want):
    same(apply(op, lhs, rhs), want)


@pytest.mark.parametrize(
    ("op", "operand", "want"),
    [
        ("abs", I8([-128, -5]), I8([-128, 5])),
        ("negate", np.uint8([1, 0]), np.uint8([255, 0])),
        ("not", np.uint8([0xF0]), np.uint8([0x0F])),
        ("sign", np.float32([-3, -0.0, 0.0, 2, NAN]), np.float32([-1, -0.0, 0.0, 1, NAN])),
        ("sign", np.int32([-3, 0, 2]), np.int32([-1, 0, 1])),
        ("popcnt", I8([-1, 3, 0]), I8([8, 2, 0])),
        ("count_leading_zeros", np.int64([0, 1, -1, 2**53 + 1]), np.int64([64, 63, 0, 10])),
        ("count_leading_zeros", np.uint8([0, 1, 200]), np.uint8([8, 7, 0])),
        ("round_nearest_even", np.float32([0.5, 1.5, 2.5, -0.5, -0.4]), np.float32([0, 2, 2, -0.0, -0.0])),
        (
            "round_nearest_afz",
            np.float32([0.5, 2.5, -0.5, 0.49999997, 8388609.0]),
            np.float32([1, 3, -1, 0, 8388609]),
        ),
        ("rsqrt", np.float32([4, 0.0, -0.0, -1]), np.float32([0.5, INF, -INF, NAN])),
        ("cbrt", np.float32([-8, 27]), np.float32([-2, 3])),
        ("logistic", np.float32([-INF, 0, INF]), np.float32([0, 0.5, 1])),
        ("exponential_minus_one", np.float32([1e-10]), np.float32([1e-10])),
        ("log_plus_one", np.float32([1e-10, -1]), np.float32([1e-10, -INF])),
        ("exponential", np.array([1.0], BF16), np.array([np.e], BF16)),
    ],
)
def test_unary_ops(op, operand, want):
    same(apply(op, operand), want)


@pytest.mark.parametrize(
    ("operand", "want"),
    [
        (np.float32([NAN, INF, -INF, 3e9, -1.9, 1.9]), np.int32([0, 2**31 - 1, -(2**31), 2**31 - 1, -1, 1])),
        (np.float32([-5, 300, NAN, 2.5]), np.uint8([0, 255, 0, 2])),
        (np.float64([1e19, -1e19, 2.0**62]), np.int64([2**63 - 1, -(2**63), 2**62])),
        (np.int32([300, -1]), np.uint8([44, 255])),
        (np.float32([0.0, -0.0, 0.1, NAN]), np.array([False, False, True, True])),
        (np.array([True, False]), np.array([1, 0], BF16)),
        (np.int64([2**53 + 1]), np.float32([2.0**53])),
        (np.float32([1 + 2**-8, 1 + 2**-8 + 2**-9]), np.array([1.0, 1 + 2**-7], BF16)),
        (np.float64([1 + 2**-8 + 2**-40]), np.array([1 + 2**-7], BF16)),
        (np.int64([4, -3, 2**62 + 2**54 + 1, -(2**62 + 2**54)]), np.array([4, -3, 2**62 + 2**55, -(2**62)], BF16)),
        (np.float32([1.5]), np.complex64([1.5])),
        (np.complex64([1.5 + 2j]), np.float32([1.5])),
    ],
)
def test_convert_saturates_truncates_and_rounds_once(operand, want):
    kind = {"complex64": "complex<f32>"}
    types = [f"tensor<{a.size}x{kind[a.dtype.name]}>" if a.dtype.name in kind else type_of(a) for a in (operand, want)]
    text = f"func.func @main(%0: {types[0]}) -> {types[1]} {{\n%r = stablehlo.convert %0 : ({types[0]}) -> {types[1]}\n"
    module = parse_module(text + f"func.return %r : {types[1]}\n}}", "test.mlir", context())
    same(Interpreter(module, interpreter_rules()).call("main", [operand])[0], want)


@pytest.mark.parametrize("kind", ["FLOAT", "TOTALORDER"])
def test_compare_with_nan_and_zeros(kind):
    values = np.float32([-NAN, -INF, -0.0, 0.0, INF, NAN])
    values[0] = -np.float32(NAN)
    lhs, rhs = (np.ascontiguousarray(a) for a in np.broadcast_arrays(values[:, None], values[None, :]))
    body = f"%r = stablehlo.compare LT, %0, %1, {kind} : (tensor<6x6xf32>, tensor<6x6xf32>) -> tensor<6x6xi1>"
    got = run(body + "\nfunc.return %r : tensor<6x6xi1>", lhs, rhs)
    order = np.arange(6)
    same(got, order[:, None] < order[None, :] if kind == "TOTALORDER" else lhs < rhs)


def test_select_and_clamp_take_scalars():
    x = np.float32([-5, 0.5, NAN])
    got = run(
        "%r = stablehlo.clamp %0, %1, %2 : (tensor<f32>, tensor<3xf32>, tensor<f32>) -> tensor<3xf32>\n"
        "func.return %r : tensor<3xf32>",
        np.float32(-1),
        x,
        np.float32(1),
    )
    same(got, np.float32([-1, 0.5, NAN]))
    got = run(
        "%r = stablehlo.select %0, %1, %2 : tensor<i1>, tensor<3xf32>\nfunc.return %r : tensor<3xf32>",
        np.array(False),
        x,
        x + 1,
    )
    same(got, x + 1)


def test_reduce_precision_overflows_and_drops_denormals():
    x = np.float32([65520, 65519, 1e-5, 1 + 2**-11, -1e30])
    got = run("%r = stablehlo.reduce_precision %0, format = e5m10 : tensor<5xf32>\nfunc.return %r : tensor<5xf32>", x)
    same(got, np.float32([INF, 65504, 0, 1, -INF]))


def test_dynamic_slices_are_clamped():
    x = np.arange(20, dtype=np.float32).reshape(4, 5)
    starts = [np.int32(-3), np.int32(9)]
    body = "%r = stablehlo.dynamic_slice %0, %1, %2, sizes = [2, 3] : (tensor<4x5xf32>, tensor<i32>, tensor<i32>) -> tensor<2x3xf32>"
    same(run(body + "\nfunc.return %r : tensor<2x3xf32>", x, *starts), x[0:2, 2:5])
    body = "%r = stablehlo.dynamic_update_slice %0, %1, %2, %3 : "
    body += "(tensor<4x5xf32>, tensor<2x2xf32>, tensor<i32>, tensor<i32>) -> tensor<4x5xf32>"
    want = x.copy()
    want[0:2, 3:5] = -1
    same(run(body + "\nfunc.return %r : tensor<4x5xf32>", x, np.full((2, 2), -1, np.float32), *starts), want)
    assert x[0, 3] == 3, "the operand must not change"


def test_padding_may_be_negative_and_interior():
    x = np.arange(6, dtype=np.int32).reshape(2, 3)
    body = "%r = stablehlo.pad %0, %1, low = [-1, 2], high = [1, -2], interior = [0, 1] : (tensor<2x3xi32>, tensor<i32>) -> tensor<2x5xi32>"
    want = np.int32([[9, 9, 3, 9, 4], [9, 9, 9, 9, 9]])
    same(run(body + "\nfunc.return %r : tensor<2x5xi32>", x, np.int32(9)), want)


def test_gather_clamps_and_places_dims():
    x = np.arange(24, dtype=np.float32).reshape(4, 6)
    indices = np.int32([[0, 1], [9, -4], [2, 5]])
    body = """%r = "stablehlo.gather"(%0, %1) <{dimension_numbers = #stablehlo.gather<offset_dims = [0, 2],
      start_index_map = [0, 1], index_vector_dim = 1>, slice_sizes = array<i64: 2, 3>}>
      : (tensor<4x6xf32>, tensor<3x2xi32>) -> tensor<2x3x3xf32>
    func.return %r : tensor<2x3x3xf32>"""
    want = np.empty((2, 3, 3), np.float32)
    for n, (i, j) in enumerate(indices):
        i, j = np.clip(i, 0, 2), np.clip(j, 0, 3)
        want[:, n, :] = x[i : i + 2, j : j + 3]
    same(run(body, x, indices), want)


def test_gather_and_scatter_batch():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 5)).astype(np.float32)
    indices = rng.integers(0, 5, (2, 3)).astype(np.int32)
    body = """%r = "stablehlo.gather"(%0, %1) <{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [1],
      operand_batching_dims = [0], start_indices_batching_dims = [1], start_index_map = [1], index_vector_dim = 2>,
      slice_sizes = array<i64: 1, 1>}> : (tensor<3x5xf32>, tensor<2x3xi32>) -> tensor<2x3xf32>
    func.return %r : tensor<2x3xf32>"""
    same(run(body, x, indices), np.take_along_axis(x, indices.T, 1).T)
    body = """%r = "stablehlo.scatter"(%0, %1, %2) <{scatter_dimension_numbers = #stablehlo.scatter<
      inserted_window_dims = [1], input_batching_dims = [0], scatter_indices_batching_dims = [1],
      scatter_dims_to_operand_dims = [1], index_vector_dim = 2>}> ({
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %s = stablehlo.add %a, %b : tensor<f32>
      stablehlo.return %s : tensor<f32>
    }) : (tensor<3x5xf32>, tensor<2x3xi32>, tensor<2x3xf32>) -> tensor<3x5xf32>
    func.return %r : tensor<3x5xf32>"""
    updates = rng.normal(size=(2, 3)).astype(np.float32)
    want = x.copy()
    for i, j in np.ndindex(2, 3):
        want[j, indices[i, j]] += updates[i, j]
    same(run(body, x, indices, updates), want)


def test_scatter_is_sequential_and_drops_what_is_outside():
    body = """%r = "stablehlo.scatter"(%0, %1, %2) <{scatter_dimension_numbers = #stablehlo.scatter<
      update_window_dims = [1], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
    ^bb0(%a: tensor<i32>, %b: tensor<i32>):
      %two = stablehlo.constant dense<2> : tensor<i32>
      %d = stablehlo.multiply %a, %two : tensor<i32>
      %s = stablehlo.subtract %d, %b : tensor<i32>
      stablehlo.return %s : tensor<i32>
    }) : (tensor<5xi32>, tensor<4x1xi32>, tensor<4x2xi32>) -> tensor<5xi32>
    func.return %r : tensor<5xi32>"""
    x, indices = np.int32([1, 2, 3, 4, 5]), np.int32([[1], [1], [4], [-1]])
    updates = np.int32([[10, 20], [30, 40], [50, 60], [70, 80]])
    want = x.copy()
    for i, j in np.ndindex(4, 2):
        at = indices[i, 0] + j
        if 0 <= at < 5:
            want[at] = want[at] * 2 - updates[i, j]
    same(run(body, x, indices, updates), want)


CALLED = """func.func private @smaller(%a: tensor<i32>, %b: tensor<i32>) -> tensor<i32> {
  %r = stablehlo.minimum %a, %b : tensor<i32>
  func.return %r : tensor<i32>
}"""


def test_regions_that_are_not_elementwise_run_element_by_element():
    x = np.random.default_rng(1).integers(-50, 50, (3, 7)).astype(np.int32)
    body = """%r = stablehlo.reduce(%0 init: %1) across dimensions = [1] : (tensor<3x7xi32>, tensor<i32>) -> tensor<3xi32>
     reducer(%a: tensor<i32>, %b: tensor<i32>) {
      %m = func.call @smaller(%a, %b) : (tensor<i32>, tensor<i32>) -> tensor<i32>
      stablehlo.return %m : tensor<i32>
    }
    func.return %r : tensor<3xi32>"""
    same(run(body, x, np.int32(40), extra=CALLED), np.minimum(x.min(1), 40))


def test_reduce_of_pairs_keeps_the_first_of_equals():
    x = np.random.default_rng(2).integers(0, 3, (4, 11)).astype(np.float32)
    body = """%i = stablehlo.iota dim = 1 : tensor<4x11xi32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %v, %w = stablehlo.reduce(%0 init: %1), (%i init: %c) across dimensions = [1] :
      (tensor<4x11xf32>, tensor<4x11xi32>, tensor<f32>, tensor<i32>) -> (tensor<4xf32>, tensor<4xi32>)
     reducer(%a: tensor<f32>, %b: tensor<f32>) (%p: tensor<i32>, %q: tensor<i32>) {
      %ge = stablehlo.compare GE, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %m = stablehlo.select %ge, %a, %b : tensor<i1>, tensor<f32>
      %n = stablehlo.select %ge, %p, %q : tensor<i1>, tensor<i32>
      stablehlo.return %m, %n : tensor<f32>, tensor<i32>
    }
    func.return %v, %w : tensor<4xf32>, tensor<4xi32>"""
    values, places = run(body, x, np.float32(-INF))
    same(values, x.max(1))
    same(places, x.argmax(1).astype(np.int32))


def test_reduce_of_nothing_is_the_init_value():
    body = "%r = stablehlo.reduce(%0 init: %1) applies stablehlo.add across dimensions = [0] : "
    body += "(tensor<0x3xf32>, tensor<f32>) -> tensor<3xf32>"
    same(
        run(body + "\nfunc.return %r : tensor<3xf32>", np.zeros((0, 3), np.float32), np.float32(5)),
        np.float32([5, 5, 5]),
    )


@pytest.mark.parametrize("seed", range(6))
def test_reduce_window_of_any_window(seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(-9, 9, (int(rng.integers(1, 7)), int(rng.integers(1, 7)))).astype(np.int64)
    window, strides, base, dilation = (rng.integers(1, 4, 2) for _ in range(4))
    pads = rng.integers(-1, 3, (2, 2))
    spread = np.full([(n - 1) * b + 1 for n, b in zip(x.shape, base, strict=True)], 7)
    spread[:: base[0], :: base[1]] = x
    padded = np.pad(spread, np.maximum(pads, 0), constant_values=7)
    padded = padded[tuple(slice(-min(lo, 0), n + min(hi, 0)) for n, (lo, hi) in zip(padded.shape, pads, strict=True))]
    reach = (window - 1) * dilation + 1
    shape = tuple(
        max(0, (n - r) // s + 1) if n >= r else 0 for n, r, s in zip(padded.shape, reach, strides, strict=True)
    )
    want = np.empty(shape, np.int64)
    for i, j in np.ndindex(*shape):
        block = padded[i * strides[0] :, j * strides[1] :][: reach[0] : dilation[0], : reach[1] : dilation[1]]
        want[i, j] = block.sum() + 7

    def array(values):
        return f"array<i64: {', '.join(map(str, values))}>"

    body = f"""%r = "stablehlo.reduce_window"(%0, %1) <{{base_dilations = {array(base)}, padding = dense<{pads.tolist()}> : tensor<2x2xi64>,
      window_dilations = {array(dilation)}, window_dimensions = {array(window)}, window_strides = {array(strides)}}}> ({{
    ^bb0(%a: tensor<i64>, %b: tensor<i64>):
      %s = stablehlo.add %a, %b : tensor<i64>
      stablehlo.return %s : tensor<i64>
    }}) : ({type_of(x)}, tensor<i64>) -> {type_of(want)}
    func.return %r : {type_of(want)}"""
    same(run(body, x, np.int64(7)), want)


def test_select_and_scatter_ignores_padding_and_keeps_the_first_of_equals():
    x = np.float32([-3, -1, -1, -5, -2])
    source = np.float32([10, 20, 30])
    body = """%r = "stablehlo.select_and_scatter"(%0, %1, %2) <{padding = dense<[[1, 1]]> : tensor<1x2xi64>,
      window_dimensions = array<i64: 3>, window_strides = array<i64: 2>}> ({
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %p = stablehlo.compare GE, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return %p : tensor<i1>
    }, {
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %s = stablehlo.add %a, %b : tensor<f32>
      stablehlo.return %s : tensor<f32>
    }) : (tensor<5xf32>, tensor<3xf32>, tensor<f32>) -> tensor<5xf32>
    func.return %r : tensor<5xf32>"""
    same(run(body, x, source, np.float32(0)), np.float32([0, 30, 0, 0, 30]))


@pytest.mark.parametrize("call", [False, True])
def test_sort_is_stable_and_moves_all_inputs(call):
    rng = np.random.default_rng(3)
    keys, values = rng.integers(0, 4, (5, 9)).astype(np.int32), np.arange(45, dtype=np.int32).reshape(5, 9)
    # With the call the comparator is not elementwise, and runs pair by pair.
    call_or_negate = (
        "func.call @smaller({0}, {0}) : (tensor<i32>, tensor<i32>)" if call else "stablehlo.negate {0} : (tensor<i32>)"
    )
    left, right = (f"{call_or_negate.format(v)} -> tensor<i32>" for v in ("%a", "%b"))
    body = f"""%r:2 = "stablehlo.sort"(%0, %1) <{{dimension = 0 : i64, is_stable = true}}> ({{
    ^bb0(%a: tensor<i32>, %b: tensor<i32>, %c: tensor<i32>, %d: tensor<i32>):
      %l = {left}
      %m = {right}
      %p = stablehlo.compare LT, %l, %m : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %p : tensor<i1>
    }}) : (tensor<5x9xi32>, tensor<5x9xi32>) -> (tensor<5x9xi32>, tensor<5x9xi32>)
    func.return %r#0, %r#1 : tensor<5x9xi32>, tensor<5x9xi32>"""
    order = np.argsort(keys if call else -keys, 0, kind="stable")
    got = run(body, keys, values, extra=CALLED)
    same(got[0], np.take_along_axis(keys, order, 0))
    same(got[1], np.take_along_axis(values, order, 0))


def naive_convolution(x, w, strides, pads, lhs_dilation, rhs_dilation, reverse, features, batches):
    """Loops over every output element; x is [batch, feature, y, x], w is [out, in, y, x]."""
    n, c = x.shape[:2]
    spread = np.zeros((n, c, *[(e - 1) * d + 1 for e, d in zip(x.shape[2:], lhs_dilation, strict=True)]), x.dtype)
    spread[:, :, :: lhs_dilation[0], :: lhs_dilation[1]] = x
    padded = np.pad(spread, [(0, 0), (0, 0), *pads])
    w = np.flip(w, [2 + i for i, r in enumerate(reverse) if r])
    reach = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], rhs_dilation, strict=True)]
    shape = [(e - r) // s + 1 for e, r, s in zip(padded.shape[2:], reach, strides, strict=True)]
    out = np.zeros((n // batches, w.shape[0], *shape), x.dtype)
    for b, o, i, j in np.ndindex(*out.shape):
        group = o // (w.shape[0] // max(features, batches))
        batch = b + group * (n // batches) if batches > 1 else b
        first = group * (c // features) if features > 1 else 0
        patch = padded[batch, first : first + w.shape[1], i * strides[0] :, j * strides[1] :]
        patch = patch[:, : reach[0] : rhs_dilation[0], : reach[1] : rhs_dilation[1]]
        out[b, o, i, j] = (patch * w[o]).sum()
    return out


@pytest.mark.parametrize(("features", "batches"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize(
    "layout", ["[b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1]", "[0, b, f, 1]x[i, 0, 1, o]->[f, 1, 0, b]"]
)
def test_convolution_of_any_layout_and_groups(features, batches, layout):
    rng = np.random.default_rng(4)
    x = rng.integers(-4, 5, (4, 4, 6, 5)).astype(np.float64)
    w = rng.integers(-4, 5, (4, 4 // features, 3, 2)).astype(np.float64)
    window = ((2, 1), ((1, 2), (0, 1)), (1, 2), (2, 1), (True, False))
    want = naive_convolution(x, w, *window, features, batches)
    left, rest = layout.split("x[")
    kernel, result = rest.split("->")

    def place(array, text, letters):
        order = text.strip("[]").split(", ")
        return np.ascontiguousarray(np.transpose(array, [letters.index(t) for t in order]))

    lhs, rhs = place(x, left, "bf01"), place(w, kernel, "oi01")
    want = place(want, result, "bf01")
    body = f"""%r = stablehlo.convolution(%0, %1) dim_numbers = {layout}, window = {{stride = [2, 1], pad = [[1, 2], [0, 1]],
      lhs_dilate = [1, 2], rhs_dilate = [2, 1], reverse = [true, false]}}
      {{batch_group_count = {batches} : i64, feature_group_count = {features} : i64}} : ({type_of(lhs)}, {type_of(rhs)}) -> {type_of(want)}
    func.return %r : {type_of(want)}"""
    same(run(body, lhs, rhs), want)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_infinity_times_a_weight_of_zero_is_no_number(channels, zero):
    x = np.full((1, channels, 5), np.inf)
    w = np.full((channels, 1, 1), zero)
    body = f"""%r = stablehlo.convolution(%0, %1) dim_numbers = [b, f, 0]x[o, i, 0]->[b, f, 0], window = {{}}
      {{batch_group_count = 1 : i64, feature_group_count = {channels} : i64}} : ({type_of(x)}, {type_of(w)}) -> {type_of(x)}
    func.return %r : {type_of(x)}"""
    assert np.isnan(run(body, x, w)).all()


def test_dot_general_batches_and_contracts_any_dims():
    rng = np.random.default_rng(5)
    a, b = rng.integers(-9, 9, (3, 2, 4, 5)).astype(np.int8), rng.integers(-9, 9, (5, 4, 6, 2)).astype(np.int8)
    body = """%r = stablehlo.dot_general %0, %1, batching_dims = [1, 3] x [3, 0], contracting_dims = [2] x [1] :
      (tensor<3x2x4x5xi8>, tensor<5x4x6x2xi8>) -> tensor<2x5x3x6xi32>
    func.return %r : tensor<2x5x3x6xi32>"""
    same(run(body, a, b), np.einsum("abcd,dceb->bdae", a.astype(np.int32), b.astype(np.int32)))


def test_small_floats_are_contracted_in_wider_ones():
    ones = np.full((1, 1000), 1.0, BF16)
    body = """%r = stablehlo.dot_general %0, %1, contracting_dims = [1] x [1] :
      (tensor<1x1000xbf16>, tensor<1x1000xbf16>) -> tensor<1x1xbf16>
    func.return %r : tensor<1x1xbf16>"""
    same(run(body, ones, ones), np.array([[1000.0]], BF16))


def test_bitcasts_split_and_join():
    x = np.uint32([0x11223344, 0xAABBCCDD])
    body = "%r = stablehlo.bitcast_convert %0 : (tensor<2xui32>) -> tensor<2x2xui16>\nfunc.return %r : tensor<2x2xui16>"
    halves = run(body, x)
    same(halves, np.uint16([[0x3344, 0x1122], [0xCCDD, 0xAABB]]))
    body = "%r = stablehlo.bitcast_convert %0 : (tensor<2x2xui16>) -> tensor<2xf32>\nfunc.return %r : tensor<2xf32>"
    same(run(body, halves), x.view(np.float32))


def test_bitcasts_pack_elements_of_less_than_a_byte():
    body = "%r = stablehlo.bitcast_convert %0 : (tensor<2xi8>) -> tensor<2x2xui4>\nfunc.return %r : tensor<2x2xui4>"
    nibbles = run(body, np.int8([0x12, -1]))
    same(nibbles, np.array([[2, 1], [15, 15]], ml_dtypes.uint4))
    body = "%r = stablehlo.bitcast_convert %0 : (tensor<2x8xi1>) -> tensor<2xi8>\nfunc.return %r : tensor<2xi8>"
    bits = np.zeros((2, 8), np.bool_)
    bits[0, 1], bits[1, :] = True, True
    same(run(body, bits), np.int8([2, -1]))


@pytest.mark.parametrize(("index", "want"), [(0, 10), (1, 20), (2, 20), (-1, 20)])
def test_case_takes_the_last_branch_when_out_of_range(index, want):
    body = """%r = "stablehlo.case"(%0) ({
      %a = stablehlo.constant dense<10> : tensor<i32>
      stablehlo.return %a : tensor<i32>
    }, {
      %b = stablehlo.constant dense<20> : tensor<i32>
      stablehlo.return %b : tensor<i32>
    }) : (tensor<i32>) -> tensor<i32>
    func.return %r : tensor<i32>"""
    same(run(body, np.int32(index)), np.int32(want))


def test_while_sees_values_from_outside():
    body = """%r:2 = stablehlo.while(%i = %0, %x = %1) : tensor<i32>, tensor<i32>
    cond {
      %c = stablehlo.compare LT, %i, %2 : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    } do {
      %j = stablehlo.add %i, %2 : tensor<i32>
      %y = stablehlo.multiply %x, %2 : tensor<i32>
      stablehlo.return %j, %y : tensor<i32>, tensor<i32>
    }
    func.return %r#0, %r#1 : tensor<i32>, tensor<i32>"""
    same(np.stack(run(body, np.int32(-7), np.int32(2), np.int32(3))), np.int32([5, 162]))


def test_a_custom_call_is_refused_by_name():
    body = "%r = stablehlo.custom_call @mystery(%0) : (tensor<i32>) -> tensor<i32>\nfunc.return %r : tensor<i32>"
    with pytest.raises(UnsupportedError, match="mystery"):
        run(body, np.int32(0))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2)])
def test_empty_and_scalar_tensors(shape):
    x = np.ones(shape, np.float32)
    type_ = type_of(x)
    same(run(f"%r = stablehlo.add %0, %0 : {type_}\nfunc.return %r : {type_}", x), x + x)


def test_iota_and_broadcast():
    body = """%i = stablehlo.iota dim = 1 : tensor<2x3xf32>
    %r = stablehlo.broadcast_in_dim %i, dims = [2, 0] : (tensor<2x3xf32>) -> tensor<3x4x2xf32>
    func.return %r : tensor<3x4x2xf32>"""
    want = np.broadcast_to(np.arange(3, dtype=np.float32)[:, None, None], (3, 4, 2))
    same(run(body), np.ascontiguousarray(want))


def test_random_generators_match_the_published_vectors():
    from stepwell.dialects.interp.stablehlo_random import philox_4x32, threefry_2x32

    zero = np.zeros(1, np.uint64)
    assert [int(w[0]) for w in threefry_2x32((0, 0), zero, zero)] == [0x6B200159, 0x99BA4EFE]
    words = philox_4x32((0, 0), (zero, zero, zero, zero))
    assert [int(w[0]) for w in words] == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


@pytest.mark.parametrize("algorithm", ["THREE_FRY", "PHILOX"])
def test_random_bits_go_on_where_the_state_says(algorithm):
    def bits(state, count):
        type_ = f"tensor<{count}xui32>"
        body = f"%s, %r = stablehlo.rng_bit_generator %0, algorithm = {algorithm} : "
        body += f"(tensor<2xui64>) -> (tensor<2xui64>, {type_})\nfunc.return %s, %r : tensor<2xui64>, {type_}"
        return run(body, state)

    state, first = bits(np.uint64([42, 7]), 8)
    _, second = bits(state, 8)
    same(np.concatenate([first, second]), bits(np.uint64([42, 7]), 16)[1])
    assert len(set(first.tolist() + second.tolist())) == 16


def test_every_op_of_the_dialects_has_a_rule():
    from stepwell.dialects.chlo import Chlo
    from stepwell.dialects.stablehlo import StableHLO

    rules = interpreter_rules()
    missing = [op.name for op in itertools.chain(StableHLO.operations, Chlo.operations) if op.name not in rules]
    assert not missing
