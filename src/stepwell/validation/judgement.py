"""Whether two results may differ: bit for bit, or as far as rounding explains it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from stepwell.compare import Tolerance, tolerance_for
from stepwell.generated_inputs import Array
from stepwell.validation.sensitivity import eps_of, is_float

_SLACK = 2.0
"""A result may move this many times as far as the noisy runs moved it."""

Runs = Callable[[], Iterator[Sequence[Array]]]
"""The results of noisy runs of the reference, one after the other."""


def difference(
    got: Sequence[Array], want: Sequence[Array], reference: Sequence[Array], runs: Runs | None
) -> str | None:
    """None when `got` is as good as `want`, else what differs first.

    Without `runs` they are equal bit for bit (any NaN equals any other). With them a float may differ within the tolerance table
    or by what noise does to the `reference`, and so may everything that depends on it.
    """
    for i, (mine, theirs) in enumerate(zip(got, want, strict=True)):
        if mine.shape != theirs.shape or mine.dtype != theirs.dtype:
            return f"result {i}: {_form(mine)} instead of {_form(theirs)}"
    bad = [_unequal(g, w) for g, w in zip(got, want, strict=True)]
    if runs is not None and any(b.any() for b in bad):
        bad = [b & ~_near(g, w) for b, g, w in zip(bad, got, want, strict=True)]
        spread = _Spread(reference)
        for results in runs() if any(b.any() for b in bad) else ():
            spread.add(results)
            bad = [b & ~spread.explains(i, got[i], want[i]) for i, b in enumerate(bad)]
            if not any(b.any() for b in bad):
                return None
    for i, wrong in enumerate(bad):
        if wrong.any():
            return f"result {i}: {_first(got[i], want[i], wrong)}"
    return None


def _form(array: Array) -> str:
    return f"{array.dtype.name}[{','.join(map(str, array.shape))}]"


def _first(got: Array, want: Array, wrong: Array) -> str:
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
    return (
        f"first difference at index {list(index)}: {want[index]!s} before, {got[index]!s} after "
        f"({int(wrong.sum())} of {wrong.size} elements differ)"
    )


def _unequal(got: Array, want: Array) -> Array:
    """Where two arrays differ in bits, and are not both NaN."""
    bad = np.asarray(got != want)
    if not is_float(want.dtype):
        return bad
    if want.dtype.kind == "c":
        return _unequal(np.real(got), np.real(want)) | _unequal(np.imag(got), np.imag(want))
    both = np.asarray(np.isnan(got) & np.isnan(want))
    signs = np.asarray(np.signbit(got) != np.signbit(want))
    return (bad | signs) & ~both


def _near(got: Array, want: Array) -> Array:
    """Where two floats are as near as the table asks; its absolute part shrinks with the largest number of the array."""
    if not is_float(want.dtype):
        return np.zeros(want.shape, np.bool_)
    a, b = _wide(got), _wide(want)
    limit = _scaled(tolerance_for(want.dtype), b)
    with np.errstate(all="ignore"):
        near = np.abs(a - b) <= limit.atol + limit.rtol * np.abs(b)
    return np.asarray((near | (a == b)) & ~_other_zero(a, b))


def _other_zero(a: Array, b: Array) -> Array:
    """Where one is +0.0 and the other -0.0 (complex numbers: not looked at)."""
    if a.dtype.kind == "c":
        return np.zeros(a.shape, np.bool_)
    return np.asarray((a == 0) & (b == 0) & (np.signbit(a) != np.signbit(b)))


def _scaled(table: Tolerance, values: Array) -> Tolerance:
    sizes = np.abs(values[np.isfinite(values)])
    largest = float(sizes.max()) if sizes.size else 0.0
    return Tolerance(table.rtol, table.atol * min(1.0, largest))


def _wide(array: Array) -> Array:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


class _Spread:
    """How far each element moved in the noisy runs so far."""

    def __init__(self, reference: Sequence[Array]):
        self._reference = reference
        self._distance = [np.zeros(a.shape) for a in reference]
        self._changed = [np.zeros(a.shape, np.bool_) for a in reference]

    def add(self, results: Sequence[Array]) -> None:
        """Count one run in."""
        for i, (noisy, plain) in enumerate(zip(results, self._reference, strict=True)):
            if noisy.shape != plain.shape:
                continue
            if not is_float(plain.dtype):
                self._changed[i] |= np.asarray(noisy != plain)
                continue
            a, b = _wide(noisy), _wide(plain)
            with np.errstate(all="ignore"):
                distance = np.abs(a - b)
            known = np.isfinite(a) & np.isfinite(b)
            self._distance[i] = np.maximum(self._distance[i], np.where(known, distance, 0.0))
            self._changed[i] |= np.asarray(~known & (a != b) & ~(np.isnan(a) & np.isnan(b))) | _other_zero(a, b)

    def explains(self, i: int, got: Array, want: Array) -> Array:
        """Where the difference between two results is no more than what the noise did."""
        if got.shape != self._changed[i].shape:
            return np.zeros(got.shape, np.bool_)
        if not is_float(got.dtype):
            return self._changed[i]
        a, b = _wide(got), _wide(want)
        with np.errstate(all="ignore"):
            ulp = eps_of(got.dtype)
            # Noise moves the wide value; both results are rounded.
            limit = _SLACK * self._distance[i] + np.where(self._distance[i] > 0, ulp * np.abs(b), 0.0)
            return np.asarray(self._changed[i] | ((np.abs(a - b) <= limit) & ((limit > 0) | ~_other_zero(a, b))))


__all__ = ["Runs", "difference"]
