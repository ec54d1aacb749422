"""Loops that are written out give what they give as loops, to the bit; and so become one kernel."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell
from stepwell.backends.target import host_target
from stepwell.passes.unroll_loops import LEAST_NUMBERS

LEVELS = ("sse4.2", "avx2", "avx512")


def mixed(count: int) -> str:
    """Five rounds of additions, rotations and exclusive ors on two arrays, by words that change places: Threefry's."""
    t = f"tensor<{count}xui32>"
    lines: list[str] = []
    for i, right in enumerate((13, 15, 26, 6)):
        left = "%a" if i == 0 else f"%s{i - 1}"
        other = "%b" if i == 0 else f"%x{i - 1}"
        lines += [
            f"%s{i} = stablehlo.add {left}, {other} : {t}",
            f"%w{i} = stablehlo.slice %r [{i}:{i + 1}] : (tensor<4xui32>) -> tensor<1xui32>",
            f"%n{i} = stablehlo.reshape %w{i} : (tensor<1xui32>) -> tensor<ui32>",
            f"%l{i} = stablehlo.broadcast_in_dim %n{i}, dims = [] : (tensor<ui32>) -> {t}",
            f"%h{i} = stablehlo.shift_left {other}, %l{i} : {t}",
            f"%m{i} = stablehlo.subtract %bits, %n{i} : tensor<ui32>",
            f"%k{i} = stablehlo.broadcast_in_dim %m{i}, dims = [] : (tensor<ui32>) -> {t}",
            f"%g{i} = stablehlo.shift_right_logical {other}, %k{i} : {t}",
            f"%o{i} = stablehlo.or %h{i}, %g{i} : {t}",
            f"%x{i} = stablehlo.xor %s{i}, %o{i} : {t}  // {right}",
        ]
    rounds = "\n    ".join(lines)
    words = "tensor<4xui32>"
    kinds = f"tensor<i32>, {t}, {t}, {words}, {words}"
    return f"""func.func @main(%x: {t}, %y: {t}) -> ({t}, {t}) {{
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %five = stablehlo.constant dense<5> : tensor<i32>
  %bits = stablehlo.constant dense<32> : tensor<ui32>
  %first = stablehlo.constant dense<[13, 15, 26, 6]> : {words}
  %second = stablehlo.constant dense<[17, 29, 16, 24]> : {words}
  %out:5 = stablehlo.while(%i = %zero, %a = %x, %b = %y, %r = %first, %q = %second) : {kinds}
  cond {{
    %c = stablehlo.compare LT, %i, %five, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  }} do {{
    {rounds}
    %j = stablehlo.add %i, %one : tensor<i32>
    %ju = stablehlo.convert %j : (tensor<i32>) -> tensor<ui32>
    %jb = stablehlo.broadcast_in_dim %ju, dims = [] : (tensor<ui32>) -> {t}
    %z = stablehlo.add %x3, %jb : {t}
    stablehlo.return %j, %s3, %z, %q, %r : {kinds}
  }}
  func.return %out#1, %out#2 : {t}, {t}
}}"""


@pytest.mark.parametrize("count", [LEAST_NUMBERS // 2 - 5, LEAST_NUMBERS // 2])
def test_rounds_of_random_numbers_are_the_same_bits(count):
    text = mixed(count)
    rng = np.random.default_rng(count)
    x, y = (rng.integers(0, 1 << 32, count, dtype=np.uint32) for _ in range(2))
    want = stepwell.compile(text, target="interpreter")(x, y)
    levels = LEVELS[: LEVELS.index(host_target().level) + 1]
    level = levels[count % len(levels)]
    exe = stepwell.compile(text, simd=level, cache=False)
    for got, expected in zip(exe(x, y), want, strict=True):
        np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))
    launches = exe.ir("kernels").count("kernel.launch")
    # Both arrays and eight words and a counter are carried.
    assert (launches == 1) == (2 * count + 9 >= LEAST_NUMBERS)
