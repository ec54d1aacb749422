"""Reductions down columns, a few lines at once into lines of results: what NumPy gives, and the bits of strips in registers."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import stepwell

VECTORS = {"avx512": 64, "avx2": 32, "sse4.2": 16}
DTYPES = {"f32": np.float32, "f64": np.float64, "bf16": ml_dtypes.bfloat16, "i8": np.int8}


def reduction(shape, dims, dtype: str, op: str, init: str) -> str:
    """A reduction over some dims."""
    given = "x".join(map(str, shape)) + f"x{dtype}"
    kept = "".join(f"{s}x" for d, s in enumerate(shape) if d not in dims) + dtype
    return f"""func.func @main(%x: tensor<{given}>) -> tensor<{kept}> {{
      %i = stablehlo.constant dense<{init}> : tensor<{dtype}>
      %r = stablehlo.reduce(%x init: %i) applies stablehlo.{op} across dimensions = [{", ".join(map(str, dims))}]
        : (tensor<{given}>, tensor<{dtype}>) -> tensor<{kept}>
      return %r : tensor<{kept}>
    }}"""


def compiled(program: str, level: str = "avx512", **numbers: int):
    """What calls it, its one kernel reduced in lines unless something else is said."""
    said = {"vector": VECTORS[level], "unroll": 4, "tasks": 4, "grain": 1, "lines": 4} | numbers
    executable = stepwell.compile(
        program, simd=level, schedules={"k_single_0": stepwell.schedule("loops", **said)}, cache=False
    )
    scheduled = executable.ir("scheduled")
    assert ("scratch = #kernel.scratch<worker>" in scheduled) == bool(said["lines"])
    return lambda *inputs: executable(*inputs)[0]


@pytest.mark.parametrize(("level", "shape", "dims"), [
    ("avx512", (33, 331), (0,)),
    ("avx512", (300, 1024), (0,)),
    ("avx2", (3, 41, 300), (1,)),
    ("sse4.2", (5, 26, 259), (0, 1)),
    ("avx512", (4, 4099), (0,)),
    ("avx2", (17, 9000), (0,)),
])  # fmt: skip
def test_sums_are_those_of_every_column(level, shape, dims):
    """Blocks of lines and one line more or less, batches, several dims, a strip of columns and a column more."""
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    made = compiled(reduction(shape, dims, "f32", "add", "0.5"), level)(x)
    np.testing.assert_allclose(made, x.astype(np.float64).sum(dims) + 0.5, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("dtype", "op", "init"), [("f64", "add", "0.0"), ("i8", "maximum", "-128"), ("bf16", "add", "0.0")]
)
def test_other_types_are_reduced_as_they_are(dtype, op, init):
    shape = (37, 1100)
    x = (np.random.default_rng(1).integers(-120, 120, shape) / (1 if dtype == "i8" else 64)).astype(DTYPES[dtype])
    program = reduction(shape, (0,), dtype, op, init)
    made, strips = (compiled(program, lines=n, tasks=1)(x) for n in (4, 0))
    assert made.tobytes() == strips.tobytes()
    if dtype != "bf16":
        np.testing.assert_array_equal(made, x.max(0) if op == "maximum" else x.sum(0))


def test_one_task_adds_in_the_order_of_strips_in_registers_and_keeps_what_is_no_number():
    shape = (129, 700)
    x = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    x[:, 3] = -0.0
    x[5, 4], x[6, 4], x[7, 5], x[8, 6] = np.inf, -np.inf, np.nan, 1e-42
    program = reduction(shape, (0,), "f32", "add", "-0.0")
    lines, strips = (compiled(program, lines=n, tasks=1)(x) for n in (4, 0))
    assert lines.tobytes() == strips.tobytes()
    assert np.signbit(lines[3])
    assert np.isnan(lines[4:6]).all()


BODY = """
  %better = stablehlo.compare GT, %a, %b, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
  %nan = stablehlo.compare NE, %a, %a, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
  %keep = stablehlo.or %better, %nan : tensor<i1>
  %equal = stablehlo.compare EQ, %a, %b, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
  %first = stablehlo.compare LT, %i, %j, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %tie = stablehlo.and %equal, %first : tensor<i1>
  %keep_index = stablehlo.or %keep, %tie : tensor<i1>
  %v = stablehlo.select %keep, %a, %b : tensor<i1>, tensor<f32>
  %k = stablehlo.select %keep_index, %i, %j : tensor<i1>, tensor<i32>"""


@pytest.mark.parametrize(("level", "shape"), [("avx512", (300, 270)), ("avx2", (41, 2111)), ("sse4.2", (290, 131))])
def test_the_first_of_the_best_of_each_column_is_found(level, shape):
    source, kept = f"tensor<{shape[0]}x{shape[1]}xf32>", f"tensor<{shape[1]}x"
    program = f"""func.func @main(%x: {source}) -> {kept}i32> {{
      %n = stablehlo.iota dim = 0 : tensor<{shape[0]}x{shape[1]}xi32>
      %w = stablehlo.constant dense<0xFF800000> : tensor<f32>
      %z = stablehlo.constant dense<0> : tensor<i32>
      %r:2 = stablehlo.reduce(%x init: %w), (%n init: %z) across dimensions = [0]
        : ({source}, tensor<{shape[0]}x{shape[1]}xi32>, tensor<f32>, tensor<i32>) -> ({kept}f32>, {kept}i32>)
      reducer(%a: tensor<f32>, %b: tensor<f32>) (%i: tensor<i32>, %j: tensor<i32>) {{{BODY}
        stablehlo.return %v, %k : tensor<f32>, tensor<i32>
      }}
      return %r#1 : {kept}i32>
    }}"""
    x = np.random.default_rng(3).integers(-5, 5, shape).astype(np.float32)
    x[7, 2] = np.nan
    x[:, 4] = -np.inf
    np.testing.assert_array_equal(compiled(program, level)(x), x.argmax(0))


@pytest.mark.parametrize("tasks", [1, 4])
def test_maps_of_the_sums_are_done_on_the_lines(tasks):
    program = """func.func @main(%x: tensor<300x1025xf32>, %w: tensor<1025xf32>) -> tensor<1025xf32> {
      %z = stablehlo.constant dense<0.0> : tensor<f32>
      %c = stablehlo.constant dense<0.01> : tensor<1025xf32>
      %s = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [0]
        : (tensor<300x1025xf32>, tensor<f32>) -> tensor<1025xf32>
      %m = stablehlo.multiply %s, %c : tensor<1025xf32>
      %r = stablehlo.subtract %w, %m : tensor<1025xf32>
      return %r : tensor<1025xf32>
    }"""
    rng = np.random.default_rng(4)
    x, w = rng.standard_normal((300, 1025)).astype(np.float32), rng.standard_normal(1025).astype(np.float32)
    made = compiled(program, tasks=tasks)(x, w)
    np.testing.assert_allclose(made, w - 0.01 * x.astype(np.float64).sum(0), rtol=1e-4, atol=1e-5)
