"""Fourier transforms along one axis, on planes: tensors `[2, L, n, R]` of real parts and imaginary parts, one after the other.

A length with small factors is transformed by one radix r after the other (Stockham's self-sorting form): with n = r m and
input index `m j1 + j2`,

    X[k1 + r k2] = sum over j2 of  w_m^(j2 k2)  w_n^(j2 k1)  sum over j1 of  w_r^(j1 k1)  x[m j1 + j2]

The inner sum is one product with a real `[2 r, 2 r]` matrix (a complex number is a pair); the twiddles are one elementwise
expression, which also brings k1 behind j2. What was transformed before is part of R. Other lengths are Bluestein's: a
convolution with a chirp, by transforms of a length with small factors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import f64, i64
from xdsl.ir import SSAValue

from stepwell.passes.fft import tables
from stepwell.passes.fft.tables import Array
from stepwell.passes.hlo import Hlo, element_of, shape_of

LARGEST_TABLE = 1 << 14
"""Above so many roots of unity they are made of two smaller tables, or computed at run time."""


def transform_axis(h: Hlo, x: SSAValue, sign: int, *, only_real: bool = False) -> SSAValue:
    """The unscaled transform along dim 2 of planes; `[1, L, n, R]` are real numbers, also as the result of `only_real`."""
    planes, outer, n, inner = shape_of(x)
    if n == 1:
        return _resized(h, x, 1 if only_real else 2) if planes == 2 or only_real else with_zeros(h, x)
    radices = tables.radices(n)
    if radices is None:
        result = _bluestein(h, x, sign)
        return _resized(h, result, 1) if only_real else result
    rest, done = n, 1
    for i, r in enumerate(radices):
        rest //= r
        last = i == len(radices) - 1
        split = h.reshape(x, [shape_of(x)[0], outer, r, rest, done * inner])
        x = _radix(h, split, sign, only_real=only_real and last)
        x = _twiddled(h, x, sign)
        done *= r
        x = h.reshape(x, [shape_of(x)[0], outer, rest, done * inner])
    return h.reshape(x, [shape_of(x)[0], outer, n, inner])


def with_zeros(h: Hlo, x: SSAValue) -> SSAValue:
    """Real numbers as planes."""
    return h.pad(x, 0.0, [0] * 4, [1, 0, 0, 0])


def _resized(h: Hlo, x: SSAValue, planes: int) -> SSAValue:
    return h.slice_in_dim(x, 0, planes, 0)


def _radix(h: Hlo, x: SSAValue, sign: int, *, only_real: bool) -> SSAValue:
    """`[P, L, r, m, T]` to `[P', r, L, m, T]`, transformed along r."""
    planes, _, r, m, t = shape_of(x)
    matrix = tables.dft_matrix(r, sign, is_real=planes == 1, only_real=only_real)
    weights = h.constant(matrix, element_of(x))
    if m * t == 1:
        # Without anything behind it the product gives its columns in the right place.
        product = h.dot_general(x, weights, contracting=([0, 2], [2, 3]))
        return h.transpose(product, [3, 4, 0, 1, 2])
    return h.dot_general(weights, x, contracting=([2, 3], [0, 2]))


def _twiddled(h: Hlo, x: SSAValue, sign: int) -> SSAValue:
    """`[P, r, L, m, T]` to `[P, L, m, r, T]`, times `w^(k j)` for k along r and j along m."""
    _, r, _, m, _ = shape_of(x)
    if m > 1 and r * m <= LARGEST_TABLE:
        x = rotated(h, x, tables.twiddles(r, m, sign), [1, 3])
    elif m > 1:
        x = _twiddled_twice(h, x, sign)
    return h.transpose(x, [0, 2, 3, 1, 4])


def _twiddled_twice(h: Hlo, x: SSAValue, sign: int) -> SSAValue:
    """`_twiddled` by two factors, for j = a q + b, whose tables are as small as the root of the whole one."""
    p, r, outer, m, t = shape_of(x)
    q = max(d for d in range(1, int(m**0.5) + 1) if m % d == 0)
    coarse, fine = tables.split_twiddles(r, m, sign, q)
    x = h.reshape(x, [p, r, outer, m // q, q, t])
    x = rotated(h, rotated(h, x, coarse, [1, 3]), fine, [1, 4])
    return h.reshape(x, [p, r, outer, m, t])


def rotated(h: Hlo, x: SSAValue, factors: Array, dims: Sequence[int]) -> SSAValue:
    """Planes times complex constants whose dims lie along `dims`: `x * re + (planes of x exchanged) * (-im, im)`."""
    element = element_of(x)
    real = h.constant(factors.real, element)
    imag = h.constant(np.stack([-factors.imag, factors.imag]), element)
    return _rotated_by(h, x, h.broadcast(real, shape_of(x), dims), h.broadcast(imag, shape_of(x), [0, *dims]))


def _rotated_by(h: Hlo, x: SSAValue, real: SSAValue, imag: SSAValue) -> SSAValue:
    return h.add(h.mul(x, real), h.mul(h.reverse(x, [0]), imag))


# Bluestein.


def _bluestein(h: Hlo, x: SSAValue, sign: int) -> SSAValue:
    """`w_k sum over j of (x_j w_j) conj(w_(k - j))` for the chirp `w_j = exp(pi i sign j^2 / n)`."""
    n = shape_of(x)[2]
    length = tables.convolution_length(n)
    x = x if shape_of(x)[0] == 2 else with_zeros(h, x)
    chirp, kernel = _chirp_and_filter(h, x, sign)
    padded = h.pad(_by_columns(h, x, chirp), 0.0, [0] * 4, [0, 0, length - n, 0])
    spectrum = _by_columns(h, transform_axis(h, padded, -1), kernel)
    convolved = h.slice_in_dim(transform_axis(h, spectrum, 1), 0, n, 2)
    return _by_columns(h, convolved, chirp)


def _by_columns(h: Hlo, x: SSAValue, factors: SSAValue) -> SSAValue:
    """Planes `[2, L, n, R]` times planes `[2, n]`."""
    n = shape_of(x)[2]
    real = h.reshape(h.slice_in_dim(factors, 0, 1, 0), [n])
    imag = h.reshape(h.slice_in_dim(factors, 1, 2, 0), [n])
    both = h.stack([h.neg(imag), imag], 0)
    return _rotated_by(h, x, h.broadcast(real, shape_of(x), [2]), h.broadcast(both, shape_of(x), [0, 2]))


def _chirp_and_filter(h: Hlo, x: SSAValue, sign: int) -> tuple[SSAValue, SSAValue]:
    """Planes `[2, n]` and `[2, length]`: constants when they are small, else computed at run time."""
    n, element = shape_of(x)[2], element_of(x)
    length = tables.convolution_length(n)
    if length <= LARGEST_TABLE:
        pair = (tables.chirp(n, sign), tables.bluestein_filter(n, sign))
        chirp, kernel = (h.constant(np.stack([c.real, c.imag]), element) for c in pair)
        return chirp, kernel
    real, imag = _chirp_at_run_time(h, n, sign)
    chirp = h.convert(h.stack([real, imag], 0), element)
    conjugate = h.convert(h.stack([real, h.neg(imag)], 0), element)
    backwards = h.reverse(h.slice_in_dim(conjugate, 1, n, 1), [1])
    gap = h.full(0.0, [2, length - 2 * n + 1], element)
    kernel = h.concatenate([conjugate, gap, backwards], 1)
    spectrum = transform_axis(h, h.reshape(kernel, [2, 1, length, 1]), -1)
    return chirp, h.reshape(h.mul(spectrum, 1.0 / length), [2, length])


def _chirp_at_run_time(h: Hlo, n: int, sign: int) -> tuple[SSAValue, SSAValue]:
    """Cosine and sine of `pi j^2 / n` in f64: `j^2 mod 2 n` is exact in 64-bit integers, and taken in [-n, n)."""
    j = h.iota(0, [n], i64)
    turns = h.sub(h.binary("remainder", h.add(h.binary("remainder", h.mul(j, j), 2 * n), n), 2 * n), n)
    angle = h.mul(h.convert(turns, f64), sign * np.pi / n)
    return h.unary("cosine", angle), h.unary("sine", angle)


__all__ = ["LARGEST_TABLE", "rotated", "transform_axis", "with_zeros"]
