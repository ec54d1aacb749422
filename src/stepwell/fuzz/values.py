"""Values of random programs: their types, and how far two right results of one may be apart.

Every value carries `bound` (its magnitude; infinite when special values may be in it), `error` (absolute) and `relative`:
what reassociated sums and transcendental functions may add, propagated through the ops above it. Both 0 means that only
exactly rounded ops made it, and it must then match bit for value. Ops that would tear small differences apart (comparisons,
rounding, conversions to integers, sorting) are only given exact values, so a difference is a bug and never bad luck.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import ml_dtypes
import numpy as np

Array = np.ndarray[Any, Any]

DTYPES: dict[str, np.dtype[Any]] = {
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f16": np.dtype(np.float16),
    "f8E4M3FN": np.dtype(ml_dtypes.float8_e4m3fn),
    "f8E5M2": np.dtype(ml_dtypes.float8_e5m2),
    "i4": np.dtype(ml_dtypes.int4),
    "ui4": np.dtype(ml_dtypes.uint4),
    "i8": np.dtype(np.int8),
    "ui8": np.dtype(np.uint8),
    "i16": np.dtype(np.int16),
    "ui16": np.dtype(np.uint16),
    "i32": np.dtype(np.int32),
    "ui32": np.dtype(np.uint32),
    "i64": np.dtype(np.int64),
    "ui64": np.dtype(np.uint64),
    "i1": np.dtype(np.bool_),
    "complex<f32>": np.dtype(np.complex64),
    "complex<f64>": np.dtype(np.complex128),
}
EPSILON = {"f32": 2.0**-23, "f64": 2.0**-52, "bf16": 2.0**-7, "f16": 2.0**-10, "f8E4M3FN": 2.0**-3, "f8E5M2": 2.0**-2}
SMALLEST = {
    "f32": 2.0**-149,
    "f64": 2.0**-1074,
    "bf16": 2.0**-133,
    "f16": 2.0**-24,
    "f8E4M3FN": 2.0**-9,
    "f8E5M2": 2.0**-16,
}
LARGEST = {"f32": 3e38, "f64": 1e308, "bf16": 3e38, "f16": 6e4, "f8E4M3FN": 440.0, "f8E5M2": 5e4}
FLOATS = tuple(EPSILON)
WIDE_FLOATS = ("f32", "f64", "bf16", "f16")
"""Those that transcendental functions and contractions are made of."""
WIDTH = {
    name: 8 * dtype.itemsize for name, dtype in DTYPES.items() if name not in ("i1", "i4", "ui4") and dtype.kind != "c"
}
"""Bits of the types that `bitcast_convert` is tried on."""
EXTENTS = (0, 1, 1, 2, 3, 4, 5, 7, 8, 9, 13, 15, 16, 17, 31, 33)
LARGE = (33, 64, 65, 96, 100, 127, 130, 256, 259)
MAX_ELEMENTS = 3000
MAX_LARGE = 120_000
ULPS = 8  # twice the largest bound in docs/floating-point.md, for two implementations


@dataclass(frozen=True)
class Value:
    """An SSA value and what is known of it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    bound: float = inf
    error: float = 0.0
    relative: float = 0.0

    @property
    def type(self) -> str:
        """The tensor type, as text."""
        return tensor(self.shape, self.dtype)

    @property
    def exact(self) -> bool:
        """Whether two right results are equal, value for value."""
        return self.error == 0 and self.relative == 0

    @property
    def real(self) -> bool:
        """Whether its elements are no complex numbers."""
        return not self.dtype.startswith("complex")

    @property
    def integer(self) -> bool:
        """Whether its elements are integers or booleans."""
        return self.real and self.dtype not in FLOATS

    @property
    def part(self) -> str:
        """The type of a complex element's parts; else its own."""
        return self.dtype if self.real else self.dtype[8:-1]


def tensor(shape: Sequence[int], dtype: str) -> str:
    """A tensor type as text."""
    return f"tensor<{''.join(f'{n}x' for n in shape)}{dtype}>"


def summed(count: int) -> float:
    """By how many roundings of the sum of the magnitudes two orders of summing may differ."""
    return min(count + 2, 8 + 4 * math.sqrt(count))


def mismatch(got: Array, want: Array, value: Value) -> str | None:
    """None, or how a result differs by more than its value allows."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{value.name}: {got.dtype}{list(got.shape)} for {want.dtype}{list(want.shape)}"
    bad = got != want if value.integer else _off(got, want, value)
    if not np.any(bad):
        return None
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"{value.name} at {list(first)}: {got[first]!r} for {want[first]!r} ({int(np.sum(bad))} of {want.size}; error {value.error:g})"


def _off(got: Array, want: Array, value: Value) -> Array:
    if not value.real:
        parts = [_off_part(np.real(got), np.real(want), value, np.abs(want))]
        return parts[0] | _off_part(np.imag(got), np.imag(want), value, np.abs(want))
    return _off_part(got, want, value, None)


def _off_part(got: Array, want: Array, value: Value, size: Array | None) -> Array:
    """Where a float, or a part of a complex number of magnitude `size`, is too far off."""
    g, w = got.astype(np.float64), want.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        allowed = value.error + value.relative * (np.abs(w) if size is None else size.astype(np.float64))
        near = np.abs(g - w) <= allowed
    zeros = (w != 0) | (np.signbit(g) == np.signbit(w)) | (not value.exact)
    largest = float(ml_dtypes.finfo(want.dtype).max)
    edge = largest * (1 - 1e-2)
    overflow = (not value.exact) & (np.abs(w) >= edge) & (np.abs(g) >= edge) & (np.sign(g) == np.sign(w))
    return ~((((g == w) | near) & zeros) | (np.isnan(g) & np.isnan(w)) | overflow)


@dataclass
class Program:
    """Text, inputs and the values that are returned."""

    header: str
    lines: list[str]
    inputs: list[Array]
    results: list[Value]
    top: list[Value]

    def text(self, results: Sequence[Value] | None = None) -> str:
        """The module, with other results than those chosen when given."""
        chosen = self.results if results is None else results
        types = ", ".join(v.type for v in chosen)
        names = ", ".join(v.name for v in chosen)
        body = "\n".join(f"    {line}" for line in self.lines)
        return f"module {{\n  func.func @main({self.header}) -> ({types}) {{\n{body}\n    return {names} : {types}\n  }}\n}}\n"
