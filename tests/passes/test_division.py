"""Division of vectors by one number through its reciprocal: to the bit what division gives."""

from __future__ import annotations

import numpy as np

import stepwell

ROWS, LENGTH = 512, 203
TEXT = f"""func.func @main(%x: tensor<{ROWS}x{LENGTH}xf32>, %s: tensor<{ROWS}xf32>) -> tensor<{ROWS}x{LENGTH}xf32> {{
  %b = stablehlo.broadcast_in_dim %s, dims = [0] : (tensor<{ROWS}xf32>) -> tensor<{ROWS}x{LENGTH}xf32>
  %r = stablehlo.divide %x, %b : tensor<{ROWS}x{LENGTH}xf32>
  return %r : tensor<{ROWS}x{LENGTH}xf32>
}}"""


def floats(rng: np.random.Generator, low: int, high: int, count: int) -> np.ndarray:
    """Random bits, with exponents in a range, and more often than not significands of few or almost all ones."""
    significand = rng.integers(0, 1 << 23, count)
    kind = rng.random(count)
    significand = np.where(kind < 0.2, (1 << 23) - 1 - rng.integers(0, 4, count), significand)
    significand = np.where(kind > 0.8, rng.integers(0, 4, count), significand)
    bits = (rng.integers(0, 2, count) << 31) | (rng.integers(127 + low, 128 + high, count) << 23) | significand
    return bits.astype(np.uint32).view(np.float32)


def test_quotients_are_those_of_division_to_the_bit() -> None:
    exe = stepwell.compile(TEXT, simd="avx512")
    rng = np.random.default_rng(11)

    def check(x: np.ndarray, s: np.ndarray) -> None:
        (got,) = (np.asarray(v) for v in exe(x, s))
        with np.errstate(all="ignore"):
            want = x / s[:, None]
        same = (got.view(np.uint32) == want.view(np.uint32)) | (np.isnan(got) & np.isnan(want))
        assert same.all(), (x[~same][:3], got[~same][:3], want[~same][:3])

    for case in range(8):
        s = floats(rng, -30, 30, ROWS)
        x = floats(rng, -90, 90, ROWS * LENGTH).reshape(ROWS, LENGTH)
        if case % 4 == 0:
            # As near to the middle between two quotients as a product gets.
            q = floats(rng, 0, 0, x.size).reshape(x.shape)
            x = ((q.astype(np.float64) + np.spacing(np.abs(q)) / 2) * s[:, None]).astype(np.float32)
        elif case % 4 == 1:
            x[:, ::17], x[:, 1::17] = 0.0, -0.0
        elif case % 4 == 2:
            x[::3, 5], x[1::3, 6], x[2::3, 7] = np.inf, np.nan, 1e-42
            s[:6] = 0.0, -0.0, np.inf, np.nan, 1e-40, 3e38
        else:
            x, s = floats(rng, -126, 127, x.size).reshape(x.shape), floats(rng, -126, 127, ROWS)
        check(x, s)
