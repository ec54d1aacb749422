"""Fourier transforms along one axis, on planes: tensors `[2, n, T]` of real parts and imaginary parts, one after the other.

A length with small factors is transformed by one radix r after the other (Stockham's self-sorting form): with n = r m and
input index `m j1 + j2`,

    X[k1 + r k2] = sum over j2 of  w_m^(j2 k2)  w_n^(j2 k1)  sum over j1 of  w_r^(j1 k1)  x[m j1 + j2]

The inner sum is the product of a real `[2 r, 2 r]` matrix (a complex number is a pair) with all else, `[2 r, m T]`; the
twiddles are one elementwise expression, which also brings k1 behind j2. What was transformed before is part of T. Other
lengths are Bluestein's: a convolution with a chirp, by transforms of a length with small factors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import f64, i64
from xdsl.ir import Attribute, SSAValue

from stepwell.passes.fft import tables
from stepwell.passes.fft.tables import Array
from stepwell.passes.hlo import Hlo, element_of, shape_of

LARGEST_TABLE = 1 << 14
"""Above so many roots of unity they are made of two smaller tables, or computed at run time."""


def transform_axis(h: Hlo, x: SSAValue, sign: int, *, only_real: bool = False) -> SSAValue:
    """The unscaled transform along dim 1 of planes; `[1, n, T]` are real numbers, also as the result of `only_real`."""
    planes, n, inner = shape_of(x)
    if n == 1:
        whole = with_zeros(h, x) if planes == 1 else x
        return h.slice_in_dim(whole, 0, 1, 0) if only_real else whole
    radices = tables.radices(n)
    if radices is None:
        result = _bluestein(h, x, sign)
        return h.slice_in_dim(result, 0, 1, 0) if only_real else result
    rest, columns = n, inner
    for r in radices:
        rest //= r
        x = _radix(h, x, r, sign, only_real=only_real and rest == 1)
        if rest > 1:
            x = _twiddled(h, h.reshape(x, [2, r, rest, columns]), sign)
        columns *= r
        x = h.reshape(x, [shape_of(x)[0], rest, columns])
    return h.reshape(x, [shape_of(x)[0], n, inner])


def with_zeros(h: Hlo, x: SSAValue) -> SSAValue:
    """Real numbers as planes."""
    return h.pad(x, 0.0, [0, 0, 0], [1, 0, 0])


def _radix(h: Hlo, x: SSAValue, r: int, sign: int, *, only_real: bool) -> SSAValue:
    """`[P, r m, T]` transformed along r: `[P', r, m T]`."""
    planes, n, columns = shape_of(x)
    matrix = tables.dft_matrix(r, sign, is_real=planes == 1, only_real=only_real)
    rows = matrix.shape[0] * r
    weights = h.constant(matrix.reshape(rows, planes * r), element_of(x))
    product = h.matmul(weights, h.reshape(x, [planes * r, n // r * columns]))
    return h.reshape(product, [matrix.shape[0], r, n // r * columns])


def _twiddled(h: Hlo, x: SSAValue, sign: int) -> SSAValue:
    """`[2, r, m, T]` to `[2, m, r, T]`, times `w^(k j)` for k along r and j along m."""
    _, r, m, t = shape_of(x)
    if r * m <= LARGEST_TABLE:
        x = rotated(h, x, tables.twiddles(r, m, sign), [1, 2])
    else:
        # For j = a q + b by two factors, whose tables are as small as the root of the whole one.
        q = max(d for d in range(1, math.isqrt(m) + 1) if m % d == 0)
        coarse, fine = tables.split_twiddles(r, m, sign, q)
        x = rotated(h, h.reshape(x, [2, r, m // q, q, t]), coarse, [1, 2])
        x = h.reshape(rotated(h, x, fine, [1, 3]), [2, r, m, t])
    return h.transpose(x, [0, 2, 1, 3])


def rotated(h: Hlo, x: SSAValue, factors: Array, dims: Sequence[int]) -> SSAValue:
    """Planes times complex constants whose dims lie along `dims`: `x * re + (planes of x exchanged) * (-im, im)`."""
    element = element_of(x)
    real = h.constant(np.real(factors), element)
    imag = h.constant(np.stack([-np.imag(factors), np.imag(factors)]), element)
    return _rotated_by(h, x, h.broadcast(real, shape_of(x), dims), h.broadcast(imag, shape_of(x), [0, *dims]))


def _rotated_by(h: Hlo, x: SSAValue, real: SSAValue, imag: SSAValue) -> SSAValue:
    return h.add(h.mul(x, real), h.mul(h.reverse(x, [0]), imag))


# Bluestein.


def _bluestein(h: Hlo, x: SSAValue, sign: int) -> SSAValue:
    """`w_k sum over j of (x_j w_j) conj(w_(k - j))` for the chirp `w_j = exp(pi i sign j^2 / n)`."""
    n = shape_of(x)[1]
    length = tables.convolution_length(n)
    x = x if shape_of(x)[0] == 2 else with_zeros(h, x)
    chirp, kernel = _chirp_and_filter(h, n, sign, element_of(x))
    padded = h.pad(_by_columns(h, x, chirp), 0.0, [0, 0, 0], [0, length - n, 0])
    spectrum = _by_columns(h, transform_axis(h, padded, -1), kernel)
    convolved = h.slice_in_dim(transform_axis(h, spectrum, 1), 0, n, 1)
    return _by_columns(h, convolved, chirp)


def _by_columns(h: Hlo, x: SSAValue, factors: SSAValue) -> SSAValue:
    """Planes `[2, n, T]` times planes `[2, n]`."""
    n = shape_of(x)[1]
    real, imag = (h.slice_in_dim(factors, i, i + 1, 0) for i in range(2))
    signs = h.constant(np.array([-1.0, 1.0]), element_of(x))
    turned = h.mul(h.broadcast(h.reshape(imag, [n]), [2, n], [1]), h.broadcast(signs, [2, n], [0]))
    both = h.broadcast(turned, shape_of(x), [0, 1])
    return _rotated_by(h, x, h.broadcast(h.reshape(real, [n]), shape_of(x), [1]), both)


def _chirp_and_filter(h: Hlo, n: int, sign: int, element: Attribute) -> tuple[SSAValue, SSAValue]:
    """Planes `[2, n]` and `[2, length]`: constants when they are small, else computed at run time."""
    length = tables.convolution_length(n)
    if length <= LARGEST_TABLE:
        pair = (tables.chirp(n, sign), tables.bluestein_filter(n, sign))
        chirp, kernel = (h.constant(np.stack([np.real(c), np.imag(c)]), element) for c in pair)
        return chirp, kernel
    real, imag = _chirp_at_run_time(h, n, sign)
    chirp = h.convert(h.stack([real, imag], 0), element)
    conjugate = h.convert(h.stack([real, h.neg(imag)], 0), element)
    backwards = h.reverse(h.slice_in_dim(conjugate, 1, n, 1), [1])
    gap = h.full(0.0, [2, length - 2 * n + 1], element)
    kernel = h.concatenate([conjugate, gap, backwards], 1)
    spectrum = transform_axis(h, h.reshape(kernel, [2, length, 1]), -1)
    return chirp, h.reshape(h.mul(spectrum, 1.0 / length), [2, length])


def _chirp_at_run_time(h: Hlo, n: int, sign: int) -> tuple[SSAValue, SSAValue]:
    """Cosine and sine of `pi j^2 / n` in f64: `j^2 mod 2 n` is exact in 64-bit integers, and taken in [-n, n)."""
    j = h.iota(0, [n], i64)
    turns = h.sub(h.binary("remainder", h.add(h.binary("remainder", h.mul(j, j), 2 * n), n), 2 * n), n)
    angle = h.mul(h.convert(turns, f64), sign * np.pi / n)
    return h.unary("cosine", angle), h.unary("sine", angle)


__all__ = ["LARGEST_TABLE", "rotated", "transform_axis", "with_zeros"]
