"""argmax and argmin on a GPU: lanes select on their own, then among each other; the first of equals, and NaN before all."""

from __future__ import annotations

import re

import ml_dtypes
import numpy as np
import pytest

import stepwell
from stepwell.native import emit

DTYPES = {"f32": np.float32, "f64": np.float64, "bf16": ml_dtypes.bfloat16, "i8": np.int8, "i64": np.int64}
LEAST = {
    "f32": "0xFF800000",
    "f64": "0xFFF0000000000000",
    "bf16": "0xFF80",
    "i8": "-128",
    "i64": "-9223372036854775808",
}


def argmax(rows: int, columns: int, dtype: str, number: str = "i32", axis: int = 1) -> str:
    kept = (columns, rows)[axis]
    kind = "SIGNED" if dtype[0] == "i" else "FLOAT"
    array, numbers = f"tensor<{rows}x{columns}x{dtype}>", f"tensor<{rows}x{columns}x{number}>"
    values, places = f"tensor<{kept}x{dtype}>", f"tensor<{kept}x{number}>"
    t, i = f"tensor<{dtype}>", f"tensor<{number}>"
    return f"""func.func public @main(%x: {array}) -> {places} {{
      %0 = stablehlo.iota dim = {axis} : {numbers}
      %least = stablehlo.constant dense<{LEAST[dtype]}> : {t}
      %zero = stablehlo.constant dense<0> : {i}
      %1:2 = stablehlo.reduce(%x init: %least), (%0 init: %zero) across dimensions = [{axis}]
        : ({array}, {numbers}, {t}, {i}) -> ({values}, {places})
       reducer(%a: {t}, %b: {t}) (%i: {i}, %j: {i})  {{
        %2 = stablehlo.compare GT, %a, %b, {kind} : ({t}, {t}) -> tensor<i1>
        %3 = stablehlo.compare NE, %a, %a, {kind} : ({t}, {t}) -> tensor<i1>
        %4 = stablehlo.or %2, %3 : tensor<i1>
        %5 = stablehlo.compare EQ, %a, %b, {kind} : ({t}, {t}) -> tensor<i1>
        %6 = stablehlo.compare LT, %i, %j, SIGNED : ({i}, {i}) -> tensor<i1>
        %7 = stablehlo.and %5, %6 : tensor<i1>
        %8 = stablehlo.or %4, %7 : tensor<i1>
        %9 = stablehlo.select %4, %a, %b : tensor<i1>, {t}
        %10 = stablehlo.select %8, %i, %j : tensor<i1>, {i}
        stablehlo.return %9, %10 : {t}, {i}
      }}
      return %1#1 : {places}
    }}"""


CASES = [
    (4, 300, "f32", "i32", 1), (3, 1, "f32", "i32", 1), (5, 33, "f32", "i64", 1), (2, 70, "bf16", "i32", 1),
    (2, 67, "f64", "i64", 1), (2, 131, "i8", "i32", 1), (2, 31, "i64", "i64", 1), (130, 70, "f32", "i32", 0),
    (1, 9000, "f32", "i32", 1),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "columns", "dtype", "number", "axis"), CASES)
def test_what_is_selected_is_what_the_program_says(rows, columns, dtype, number, axis):
    text = argmax(rows, columns, dtype, number, axis)
    kind = DTYPES[dtype]
    x = np.random.default_rng(rows * columns).integers(-20, 20, (rows, columns)).astype(kind)
    arrays = [x]
    if dtype[0] != "i":
        some_nans, lowest = x.copy(), np.full_like(x, -np.inf)
        some_nans[-1, columns // 2 :] = np.nan
        arrays += [some_nans, lowest]
    on_gpu, reference = (stepwell.compile(text, target=t) for t in ("gpu-sim", "interpreter"))
    for array in arrays:
        np.testing.assert_array_equal(on_gpu(array)[0], reference(array)[0])


def test_lanes_share_a_row_and_subgroups_a_long_one():
    text = emit(argmax(4096, 8192, "f32"), "scheduled", target="cuda:sm_90")
    assert isinstance(text, str)
    assert "#kernel.level<subgroup>" in text
    assert "#kernel.level<thread>" not in text
    one = emit(argmax(1, 1 << 20, "f32"), "scheduled", target="cuda:sm_90")
    assert isinstance(one, str)
    found = re.search(r"split = (\d+) : i64", one)
    assert found is not None
    assert int(found.group(1)) > 100
