"""Arithmetic of bf16 on every number there is: rounded as NumPy's is, and NaN wherever that is, whatever its bits."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import stepwell
import stepwell.numpy as sn

EVERY = np.arange(1 << 16, dtype=np.uint16).view(ml_dtypes.bfloat16)
OTHERS = np.array([0x3F80, 0x4049, 0x7F80, 0xFF80, 0x7FFF, 0xFF81, 0x0001, 0x8000], np.uint16).view(ml_dtypes.bfloat16)
"""1, 3.14, infinities, NaNs of most and of fewest bits, the least denormal, -0."""


def arithmetic(x, y):
    a, b = x[None, :], y[:, None]
    return a + b, a - b, a * b, a / b, (a * b) * b + a, sn.exp(x), sn.sqrt(x), sn.maximum(a, b)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("level", ["avx512", "sse4.2"])
def test_every_number_rounds_as_it_does_one_by_one(level):
    text = stepwell.jit(arithmetic).lower(EVERY, OTHERS).as_text()
    got = stepwell.compile(text, simd=level)(EVERY, OTHERS)
    a, b = EVERY[None, :], OTHERS[:, None]
    want = [a + b, a - b, a * b, a / b, (a * b) * b + a, np.exp(EVERY), np.sqrt(EVERY)]
    for g, w, ulps in zip(got, want, (0, 0, 0, 0, 0, 1, 0), strict=False):
        g, w = np.asarray(g), np.broadcast_to(w, g.shape)
        nan = np.isnan(w.astype(np.float32))
        np.testing.assert_array_equal(np.isnan(g.astype(np.float32)), nan)
        apart = np.abs(g.view(np.int16).astype(np.int32) - w.view(np.int16))
        assert np.where(nan, 0, apart).max() <= ulps
    largest = np.maximum(a, b).astype(np.float32)  # whose zero may have either sign
    np.testing.assert_array_equal(np.asarray(got[-1]).astype(np.float32), largest)
