"""Comparing results: the one tolerance table (docs/floating-point.md) and the first difference.

Every suite of the project compares through `first_difference`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Tolerance:
    """`|got - want| <= atol + rtol * |want|`; both 0 means equal bit for value (NaN equals NaN)."""

    rtol: float = 0.0
    atol: float = 0.0


TOLERANCES: dict[str, Tolerance] = {
    "float64": Tolerance(1e-10, 1e-10),
    "complex128": Tolerance(1e-10, 1e-10),
    "float32": Tolerance(1e-4, 1e-4),
    "complex64": Tolerance(1e-4, 1e-4),
    "float16": Tolerance(1e-2, 1e-2),
    "bfloat16": Tolerance(2e-2, 2e-2),
}
"""By dtype of the result; integers and booleans compare equal."""


def tolerance_for(dtype: np.dtype[Any], through: Iterable[np.dtype[Any]] = ()) -> Tolerance:
    """The table's tolerance for a result of `dtype` whose program computes `through` these types: the loosest row.

    A float result that passed through bf16 has bf16's precision, whatever its own type; integers compare equal.
    """
    own = _row(dtype)
    if not _is_float(dtype):
        return own
    rows = [own, *(_row(other) for other in through if _is_float(other))]
    return max(rows, key=lambda row: row.rtol)


def _row(dtype: np.dtype[Any]) -> Tolerance:
    """The table's row of one dtype (float8s and smaller: one part in eight)."""
    if dtype.name.startswith("float") and dtype.itemsize == 1:
        return Tolerance(0.125, 0.125)
    return TOLERANCES.get(dtype.name, Tolerance())


def _is_float(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "fc" or dtype.name.startswith(("bfloat", "float"))


def first_difference(got: Array, want: Array, tolerance: Tolerance | None = None) -> str | None:
    """None when `got` matches `want`, else one line: what differs, the first index, both values, how many."""
    if got.shape != want.shape:
        return f"shape {list(got.shape)}, expected {list(want.shape)}"
    if got.dtype != want.dtype:
        return f"dtype {got.dtype.name}, expected {want.dtype.name}"
    if not want.size:
        return None
    limit = tolerance if tolerance is not None else tolerance_for(want.dtype)
    if not _is_float(want.dtype) or limit == Tolerance():
        bad = np.asarray(got != want)
        if _is_float(want.dtype):
            bad &= ~(np.asarray(got != got) & np.asarray(want != want))
    else:
        wide = np.complex128 if want.dtype.kind == "c" else np.float64
        bad = ~np.isclose(got.astype(wide), want.astype(wide), rtol=limit.rtol, atol=limit.atol, equal_nan=True)
    if not bad.any():
        return None
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))
    return (
        f"first difference at index {list(index)}: got {got[index]!s}, expected {want[index]!s} "
        f"({int(bad.sum())} of {bad.size} elements beyond rtol={limit.rtol:g}, atol={limit.atol:g})"
    )
