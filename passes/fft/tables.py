"""Constants of Fourier transforms, in double precision: roots of unity, DFT matrices, twiddles, Bluestein's filters.

Angles are reduced exactly, in integers, to the first octant before a sine or cosine is taken: each entry is right to about
one unit in the last place of a double, and roots that are equal up to sign are so to the last bit.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

LARGEST_RADIX = 16
"""Factors are gathered into radices up to this one."""

LARGEST_PRIME = 61
"""A larger prime factor makes the whole length Bluestein's."""


def roots(numerators: Array, denominator: int) -> Array:
    """`exp(2 pi i k / denominator)` for integers k."""
    k = np.asarray(numerators, np.int64) % denominator
    octant, eighths = np.divmod(8 * k, denominator)
    # In every other octant the angle is counted from its far end, so that it stays below pi / 4.
    near = np.where(octant % 2 == 0, eighths, denominator - eighths)
    angle = near * (np.pi / 4 / denominator)
    cosine, sine = np.cos(angle), np.sin(angle)
    swap = np.isin(octant, (1, 2, 5, 6))
    x, y = np.where(swap, sine, cosine), np.where(swap, cosine, sine)
    x = np.where(np.isin(octant, (2, 3, 4, 5)), -x, x)
    y = np.where(octant >= 4, -y, y)
    return x + 1j * y


def radices(n: int) -> list[int] | None:
    """Factors of `n` to transform by one after the other, the largest first; None when a prime is too large for that."""
    primes: list[int] = []
    rest, p = n, 2
    while rest > 1 and p <= LARGEST_PRIME:
        while rest % p == 0:
            primes.append(p)
            rest //= p
        p += 1
    if rest > 1:
        return None
    groups: list[int] = []
    for prime in sorted(primes, reverse=True):
        fitting = [i for i, g in enumerate(groups) if g * prime <= LARGEST_RADIX]
        if fitting:
            groups[min(fitting, key=lambda i: groups[i])] *= prime
        else:
            groups.append(prime)
    return sorted(groups, reverse=True)


def dft_matrix(n: int, sign: int, *, is_real: bool = False, only_real: bool = False) -> Array:
    """What takes real and imaginary parts, `[2, n]`, to those of the transform, `[2, n]`: shape `[2, n, 2, n]`.

    Without the columns of the imaginary parts where the input is real, or the rows where only the real parts are wanted.
    """
    index = np.arange(n)
    w = roots(sign * np.outer(index, index), n)
    real, imag = np.real(w), np.imag(w)
    whole = np.stack([np.stack([real, -imag], 1), np.stack([imag, real], 1)])
    whole = whole[:, :, :1] if is_real else whole
    return whole[:1] if only_real else whole


def twiddles(r: int, m: int, sign: int) -> Array:
    """`exp(2 pi i sign k j / (r m))` for k below r, j below m."""
    return roots(sign * np.outer(np.arange(r), np.arange(m)), r * m)


def split_twiddles(r: int, m: int, sign: int, q: int) -> tuple[Array, Array]:
    """Two tables, `[r, m / q]` and `[r, q]`, with `twiddles[k, a q + b]` the product of their entries `[k, a]` and `[k, b]`."""
    k = np.arange(r)
    return roots(sign * np.outer(k, np.arange(m // q) * q), r * m), roots(sign * np.outer(k, np.arange(q)), r * m)


def chirp(n: int, sign: int) -> Array:
    """`exp(pi i sign j^2 / n)` for j below n."""
    j = np.arange(n, dtype=np.int64)
    return roots(sign * (j * j % (2 * n)), 2 * n)


def convolution_length(n: int) -> int:
    """A length with small factors that holds the linear convolution of `n` by `2 n - 1` numbers where it is wanted."""
    least = 2 * n - 1
    return min(c << max(0, (-(-least // c) - 1).bit_length()) for c in (1, 3, 5, 9, 15))


def transform(z: Array) -> Array:
    """The discrete Fourier transform along the last axis, for tables: halves, down to an odd length."""
    n = z.shape[-1]
    if n % 2:
        return z @ roots(-np.outer(np.arange(n), np.arange(n)), n) if n > 1 else z
    halves = transform(np.stack([z[..., ::2], z[..., 1::2]], -2))
    even, odd = halves[..., 0, :], halves[..., 1, :] * roots(-np.arange(n // 2), n)
    return np.concatenate([even + odd, even - odd], -1)


@functools.lru_cache(16)
def bluestein_filter(n: int, sign: int) -> Array:
    """The transform of the conjugate chirp, wrapped around, over the length of the convolution, which it divides by."""
    length = convolution_length(n)
    conjugate = np.conj(chirp(n, sign))
    kernel = np.zeros(length, np.complex128)
    kernel[:n] = conjugate
    kernel[length - n + 1 :] = conjugate[:0:-1]
    return transform(kernel) / length


__all__ = [
    "LARGEST_PRIME",
    "LARGEST_RADIX",
    "bluestein_filter",
    "chirp",
    "convolution_length",
    "dft_matrix",
    "radices",
    "roots",
    "split_twiddles",
    "transform",
    "twiddles",
]
