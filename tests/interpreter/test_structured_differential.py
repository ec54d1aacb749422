"""Random programs mean the same before and after `convert-stablehlo-to-linalg`.

The rules of StableHLO and of the structured step were written apart, so that agreement is evidence; integers make it exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module
from stepwell.ir.verify import verify_module
from stepwell.passes.registry import get_pass

Program = tuple[str, list[np.ndarray]]
RUNS = 40


def run(text: str, inputs: list[np.ndarray], passes: Iterable[str]) -> list[np.ndarray]:
    ctx = context()
    module = parse_module(text, "random.mlir", ctx)
    for name in passes:
        get_pass(name)().apply(ctx, module)
    verify_module(module)
    return [np.asarray(r) for r in Interpreter(module, interpreter_rules()).call("main", inputs)]


def tensor(shape: Iterable[int], element: str) -> str:
    return f"tensor<{''.join(f'{n}x' for n in shape)}{element}>"


def ints(values: Iterable[int]) -> str:
    items = ", ".join(str(int(v)) for v in values)
    return f"array<i64: {items}>" if items else "array<i64>"


def values(rng: np.random.Generator, shape: Iterable[int], dtype: str = "int32") -> np.ndarray:
    return rng.integers(-9, 10, tuple(shape)).astype(dtype)


def window_extent(n: int, base: int, low: int, high: int, window: int, dilation: int, stride: int) -> int:
    dilated = (0 if n == 0 else (n - 1) * base + 1) + low + high
    reach = (window - 1) * dilation + 1
    return 0 if dilated < reach else (dilated - reach) // stride + 1


def pad(rng: np.random.Generator) -> Program:
    rank = int(rng.integers(1, 4))
    shape = rng.integers(1, 6, rank)
    low, high = rng.integers(-3, 4, rank), rng.integers(-3, 4, rank)
    interior = rng.integers(0, 3, rank)
    result = [max(0, n + (n - 1) * g + lo + hi) for n, g, lo, hi in zip(shape, interior, low, high, strict=True)]
    low = np.where(
        [n + (n - 1) * g + lo + hi < 0 for n, g, lo, hi in zip(shape, interior, low, high, strict=True)], -low, low
    )
    result = [n + (n - 1) * g + lo + hi for n, g, lo, hi in zip(shape, interior, low, high, strict=True)]
    if min(result) < 0:
        return pad(rng)
    t, r = tensor(shape, "i32"), tensor(result, "i32")
    edges = f"edge_padding_low = {ints(low)}, edge_padding_high = {ints(high)}, interior_padding = {ints(interior)}"
    text = f"""func.func @main(%x: {t}, %v: tensor<i32>) -> {r} {{
      %0 = "stablehlo.pad"(%x, %v) <{{{edges}}}> : ({t}, tensor<i32>) -> {r}
      return %0 : {r}
    }}"""
    return text, [values(rng, shape), np.array(77, np.int32)]


def reduce_window(rng: np.random.Generator) -> Program:
    rank = int(rng.integers(1, 4))
    shape, window = rng.integers(1, 7, rank), rng.integers(1, 4, rank)
    strides, base, dilation = (rng.integers(1, 4, rank) for _ in range(3))
    padding = rng.integers(0, 3, (rank, 2))
    result = [
        window_extent(n, b, lo, hi, w, d, s)
        for n, b, (lo, hi), w, d, s in zip(shape, base, padding, window, dilation, strides, strict=True)
    ]
    t, r = tensor(shape, "i32"), tensor(result, "i32")
    pairs = ", ".join(f"[{lo}, {hi}]" for lo, hi in padding)
    text = f"""func.func @main(%x: {t}, %v: tensor<i32>) -> {r} {{
      %0 = "stablehlo.reduce_window"(%x, %v) <{{window_dimensions = {ints(window)}, window_strides = {ints(strides)},
        base_dilations = {ints(base)}, window_dilations = {ints(dilation)}, padding = dense<[{pairs}]> : tensor<{rank}x2xi64>}}> ({{
      ^bb0(%a: tensor<i32>, %b: tensor<i32>):
        %c = stablehlo.add %a, %b : tensor<i32>
        stablehlo.return %c : tensor<i32>
      }}) : ({t}, tensor<i32>) -> {r}
      return %0 : {r}
    }}"""
    return text, [values(rng, shape), np.array(5, np.int32)]


def convolution(rng: np.random.Generator) -> Program:
    spatial = int(rng.integers(1, 3))
    groups, batch_groups = ((1, 1), (2, 1), (1, 2))[int(rng.integers(0, 3))]
    batch, channels, features = (int(rng.integers(1, 3)) for _ in range(3))
    size, window = rng.integers(1, 6, spatial), rng.integers(1, 4, spatial)
    strides, base, dilation = (rng.integers(1, 3, spatial) for _ in range(3))
    padding = rng.integers(-1, 3, (spatial, 2))
    reverse = rng.integers(0, 2, spatial)
    out = [
        window_extent(n, b, lo, hi, w, d, s)
        for n, b, (lo, hi), w, d, s in zip(size, base, padding, window, dilation, strides, strict=True)
    ]
    lhs_order, rhs_order, out_order = (rng.permutation(spatial + 2) for _ in range(3))

    def place(order: np.ndarray, values: list[int]) -> list[int]:
        placed = [0] * len(order)
        for axis, value in zip(order, values, strict=True):
            placed[axis] = int(value)
        return placed

    lhs = place(lhs_order, [batch * batch_groups, channels * groups, *size])
    rhs = place(rhs_order, [channels, features * groups * batch_groups, *window])
    result = place(out_order, [batch, features * groups * batch_groups, *out])
    if min(a + b + (n - 1) * d + 1 for n, (a, b), d in zip(size, padding, base, strict=True)) < 0:
        return convolution(rng)

    def names(order: np.ndarray, letters: str) -> str:
        text = [""] * len(order)
        for axis, name in zip(order, [*letters, *map(str, range(spatial))], strict=True):
            text[axis] = name
        return f"[{', '.join(text)}]"

    numbers = f"{names(lhs_order, 'bf')}x{names(rhs_order, 'io')}->{names(out_order, 'bf')}"
    window_text = ", ".join(
        f"{key} = [{', '.join(items)}]"
        for key, items in {
            "stride": map(str, strides),
            "pad": (f"[{a}, {b}]" for a, b in padding),
            "lhs_dilate": map(str, base),
            "rhs_dilate": map(str, dilation),
            "reverse": ("true" if r else "false" for r in reverse),
        }.items()
    )
    x, k, r = tensor(lhs, "i32"), tensor(rhs, "i32"), tensor(result, "i32")
    text = f"""func.func @main(%x: {x}, %w: {k}) -> {r} {{
      %0 = stablehlo.convolution(%x, %w) dim_numbers = {numbers}, window = {{{window_text}}}
        {{batch_group_count = {batch_groups} : i64, feature_group_count = {groups} : i64}} : ({x}, {k}) -> {r}
      return %0 : {r}
    }}"""
    return text, [values(rng, lhs), values(rng, rhs)]


def dot_general(rng: np.random.Generator) -> Program:
    counts = rng.integers(0, 3, 4)
    batch, left, right, inner = (list(rng.integers(1, 4, n)) for n in counts)
    lhs_order, rhs_order = rng.permutation(len(batch + left + inner)), rng.permutation(len(batch + right + inner))

    def place(order: np.ndarray, sizes: list[int]) -> tuple[list[int], list[int], list[int]]:
        shape = [0] * len(order)
        for axis, n in zip(order, sizes, strict=True):
            shape[axis] = int(n)
        return shape, list(order[: len(batch)]), list(order[len(order) - len(inner) :])

    lhs, lhs_batch, lhs_inner = place(lhs_order, batch + left + inner)
    rhs, rhs_batch, rhs_inner = place(rhs_order, batch + right + inner)
    free = [
        [n for i, n in enumerate(s) if i not in (*b, *c)]
        for s, b, c in ((lhs, lhs_batch, lhs_inner), (rhs, rhs_batch, rhs_inner))
    ]
    result = [*(lhs[i] for i in lhs_batch), *free[0], *free[1]]
    dims = ", ".join(
        f"{name} = [{', '.join(str(int(i)) for i in axes)}]"
        for name, axes in {
            "lhs_batching_dimensions": lhs_batch,
            "rhs_batching_dimensions": rhs_batch,
            "lhs_contracting_dimensions": lhs_inner,
            "rhs_contracting_dimensions": rhs_inner,
        }.items()
        if len(axes)
    )
    x, k, r = tensor(lhs, "i8"), tensor(rhs, "ui8"), tensor(result, "i32")
    y = tensor(rhs, "i8")
    text = f"""func.func @main(%x: {x}, %y: {k}) -> {r} {{
      %z = stablehlo.convert %y : ({k}) -> {y}
      %0 = "stablehlo.dot_general"(%x, %z) <{{dot_dimension_numbers = #stablehlo.dot<{dims}>}}> : ({x}, {y}) -> {r}
      return %0 : {r}
    }}"""
    return text, [values(rng, lhs, "int8"), values(rng, rhs, "uint8")]


def gather(rng: np.random.Generator) -> Program:
    """Two batch dims, an index vector of two components, a window of three dims with one collapsed."""
    shape = rng.integers(3, 6, 4)
    sizes = np.array([1, *(int(rng.integers(1, n + 1)) for n in shape[1:])])
    start_map = rng.permutation(4)[:2]
    batch = rng.integers(1, 4, 2)
    vector_dim = int(rng.integers(0, 3))
    indices = [*batch[:vector_dim], 2, *batch[vector_dim:]]
    offset_dims = sorted(rng.permutation(5)[:3])
    result = [0] * 5
    window, batches = iter(sizes[1:]), iter(batch)
    for i in range(5):
        result[i] = int(next(window) if i in offset_dims else next(batches))
    t, s, r = tensor(shape, "f32"), tensor(indices, "i64"), tensor(result, "f32")
    numbers = (
        f"offset_dims = [{', '.join(map(str, offset_dims))}], collapsed_slice_dims = [0],"
        f" start_index_map = [{', '.join(map(str, start_map))}], index_vector_dim = {vector_dim}"
    )
    text = f"""func.func @main(%x: {t}, %i: {s}) -> {r} {{
      %0 = "stablehlo.gather"(%x, %i) <{{dimension_numbers = #stablehlo.gather<{numbers}>,
        slice_sizes = {ints(sizes)}}}> : ({t}, {s}) -> {r}
      return %0 : {r}
    }}"""
    return text, [values(rng, shape, "float32"), values(rng, indices, "int64")]


def scatter(rng: np.random.Generator) -> Program:
    shape = rng.integers(2, 6, 3)
    count = int(rng.integers(1, 7))
    window = [int(rng.integers(1, shape[1] + 1)), int(shape[2])]
    last = bool(rng.integers(0, 2))
    updates = [count, *window] if last else [*window, count]
    window_dims = [1, 2] if last else [0, 1]
    t, i, u = tensor(shape, "i32"), tensor([count, 2], "i32"), tensor(updates, "i32")
    numbers = (
        f"update_window_dims = [{', '.join(map(str, window_dims))}], inserted_window_dims = [0],"
        " scatter_dims_to_operand_dims = [0, 1], index_vector_dim = 1"
    )
    text = f"""func.func @main(%x: {t}, %i: {i}, %u: {u}) -> {t} {{
      %0 = "stablehlo.scatter"(%x, %i, %u) <{{scatter_dimension_numbers = #stablehlo.scatter<{numbers}>}}> ({{
      ^bb0(%a: tensor<i32>, %b: tensor<i32>):
        %c = stablehlo.add %a, %b : tensor<i32>
        stablehlo.return %c : tensor<i32>
      }}) : ({t}, {i}, {u}) -> {t}
      return %0 : {t}
    }}"""
    return text, [values(rng, shape), rng.integers(-1, 6, (count, 2)).astype(np.int32), values(rng, updates)]


def select_and_scatter(rng: np.random.Generator) -> Program:
    rank = int(rng.integers(1, 3))
    shape, window, strides = rng.integers(2, 7, rank), rng.integers(1, 4, rank), rng.integers(1, 3, rank)
    padding = np.minimum(rng.integers(0, 2, (rank, 2)), (window - 1)[:, None])
    source = [
        window_extent(n, 1, lo, hi, w, 1, s) for n, (lo, hi), w, s in zip(shape, padding, window, strides, strict=True)
    ]
    if min(source) == 0:
        return select_and_scatter(rng)
    t, s = tensor(shape, "i32"), tensor(source, "i32")
    pairs = ", ".join(f"[{lo}, {hi}]" for lo, hi in padding)
    text = f"""func.func @main(%x: {t}, %s: {s}, %v: tensor<i32>) -> {t} {{
      %0 = "stablehlo.select_and_scatter"(%x, %s, %v) <{{window_dimensions = {ints(window)}, window_strides = {ints(strides)},
        padding = dense<[{pairs}]> : tensor<{rank}x2xi64>}}> ({{
      ^bb0(%a: tensor<i32>, %b: tensor<i32>):
        %c = stablehlo.compare GE, %a, %b, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
        stablehlo.return %c : tensor<i1>
      }}, {{
      ^bb0(%a: tensor<i32>, %b: tensor<i32>):
        %c = stablehlo.add %a, %b : tensor<i32>
        stablehlo.return %c : tensor<i32>
      }}) : ({t}, {s}, tensor<i32>) -> {t}
      return %0 : {t}
    }}"""
    return text, [values(rng, shape), values(rng, source), np.array(2, np.int32)]


def sort(rng: np.random.Generator) -> Program:
    shape = rng.integers(1, 9, 2)
    axis = int(rng.integers(0, 2))
    t = tensor(shape, "i32")
    text = f"""func.func @main(%x: {t}, %y: {t}) -> ({t}, {t}) {{
      %0:2 = "stablehlo.sort"(%x, %y) <{{dimension = {axis} : i64, is_stable = true}}> ({{
      ^bb0(%a: tensor<i32>, %b: tensor<i32>, %c: tensor<i32>, %d: tensor<i32>):
        %e = stablehlo.compare GT, %a, %b, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
        stablehlo.return %e : tensor<i1>
      }}) : ({t}, {t}) -> ({t}, {t})
      return %0#0, %0#1 : {t}, {t}
    }}"""
    return text, [values(rng, shape) // 4, values(rng, shape)]


def dynamic_slices(rng: np.random.Generator) -> Program:
    shape = rng.integers(1, 6, 2)
    sizes = [int(rng.integers(1, n + 1)) for n in shape]
    t, s = tensor(shape, "i32"), tensor(sizes, "i32")
    text = f"""func.func @main(%x: {t}, %i: tensor<ui8>, %j: tensor<ui8>) -> ({s}, {t}) {{
      %0 = stablehlo.dynamic_slice %x, %i, %j, sizes = [{sizes[0]}, {sizes[1]}] : ({t}, tensor<ui8>, tensor<ui8>) -> {s}
      %1 = stablehlo.negate %0 : {s}
      %2 = stablehlo.dynamic_update_slice %x, %1, %j, %i : ({t}, {s}, tensor<ui8>, tensor<ui8>) -> {t}
      return %0, %2 : {s}, {t}
    }}"""
    return text, [values(rng, shape), np.uint8(rng.choice([0, 1, 2, 200])), np.uint8(rng.choice([0, 1, 3, 255]))]


def bitcasts(rng: np.random.Generator) -> Program:
    text = """func.func @main(%x: tensor<3x4xf32>) -> (tensor<3x4x2xui16>, tensor<3x2xf64>, tensor<3x4xf32>) {
      %0 = stablehlo.bitcast_convert %x : (tensor<3x4xf32>) -> tensor<3x4x2xui16>
      %1 = stablehlo.reshape %x : (tensor<3x4xf32>) -> tensor<3x2x2xf32>
      %2 = stablehlo.bitcast_convert %1 : (tensor<3x2x2xf32>) -> tensor<3x2xf64>
      %3 = stablehlo.bitcast_convert %0 : (tensor<3x4x2xui16>) -> tensor<3x4xf32>
      return %0, %2, %3 : tensor<3x4x2xui16>, tensor<3x2xf64>, tensor<3x4xf32>
    }"""
    return text, [rng.standard_normal((3, 4)).astype(np.float32)]


PROGRAMS: list[Callable[[np.random.Generator], Program]] = [
    bitcasts,
    convolution,
    dot_general,
    dynamic_slices,
    gather,
    pad,
    reduce_window,
    scatter,
    select_and_scatter,
    sort,
]


@pytest.mark.parametrize("make", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.every(2)
def test_random_programs_mean_the_same(make):
    rng = np.random.default_rng(2026)
    for i in range(RUNS):
        text, inputs = make(rng)
        before = run(text, inputs, [])
        signless = [a.view(f"i{a.dtype.itemsize}") if a.dtype.kind == "u" else a for a in inputs]
        after = run(text, signless, ["convert-stablehlo-to-linalg"])
        for want, got in zip(before, after, strict=True):
            same = got.view(want.dtype) if got.dtype != want.dtype else got
            np.testing.assert_array_equal(same, want, err_msg=f"run {i}:\n{text}")
