"""expand-fft: Fourier transforms as contractions with small matrices.

Before:
```mlir
%r = stablehlo.fft %x, type = FFT, length = [256] : (tensor<8x256xcomplex<f32>>) -> tensor<8x256xcomplex<f32>>
```
After, for 256 = 16 * 16:
```mlir
%planes = stablehlo.concatenate (real and imaginary parts)                 // 2x8x256
%a = stablehlo.dot_general %dft16, (%planes as 2x8x16x16)                  // 2x16x8x16
%b = stablehlo.add (stablehlo.multiply %a, %twiddles...), ...              // 2x8x16x16
%c = stablehlo.dot_general %dft16, %b
%r = stablehlo.complex (the planes of %c)
```
The flops are contractions, the rest is elementwise; the number of ops grows with the logarithm of the length. How one axis is
transformed is in `fft/axis.py`, where the constants come from in `fft/tables.py`. Several axes are transformed one after the
other. A real transform of even length n is a complex one of length n / 2 on pairs of neighbours; the imaginary parts of the
first and the middle coefficient of an inverse real transform are not read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ComplexType, Float32Type, Float64Type, TensorType
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.stablehlo import FftType
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.passes import Pass
from stepwell.passes.fft import tables
from stepwell.passes.fft.axis import LARGEST_TABLE, rotated, transform_axis
from stepwell.passes.hlo import Hlo, element_of, replace, shape_of

Shape = tuple[int, ...]


def _planes(h: Hlo, x: SSAValue) -> SSAValue:
    """Real and imaginary parts along a new first dim (real numbers alone: of extent 1)."""
    return h.stack([h.real(x), h.imag(x)] if isinstance(element_of(x), ComplexType) else [x], 0)


def _plane(h: Hlo, planes: SSAValue, index: int) -> SSAValue:
    return h.reshape(h.slice_in_dim(planes, index, index + 1, 0), shape_of(planes)[1:])


def _complex(h: Hlo, planes: SSAValue) -> SSAValue:
    return h.complex(_plane(h, planes, 0), _plane(h, planes, 1))


def _along(h: Hlo, planes: SSAValue, axis: int) -> tuple[SSAValue, Shape, Shape]:
    """Planes as `[P, L, n, R]` around an axis of the tensor, and the extents before and after it."""
    shape = shape_of(planes)
    before, after = shape[1 : axis + 1], shape[axis + 2 :]
    return h.reshape(planes, [shape[0], math.prod(before), shape[axis + 1], math.prod(after)]), before, after


def _back(h: Hlo, planes: SSAValue, before: Shape, after: Shape) -> SSAValue:
    shape = shape_of(planes)
    return h.reshape(planes, [shape[0], *before, shape[2], *after])


def complex_axis(h: Hlo, planes: SSAValue, axis: int, sign: int) -> SSAValue:
    """The unscaled complex transform of planes along an axis of the tensor."""
    whole, before, after = _along(h, planes, axis)
    return _back(h, transform_axis(h, whole, sign), before, after)


def real_axis(h: Hlo, x: SSAValue) -> SSAValue:
    """The first half of the transform of real numbers `[1, ..., n]` along the last axis, as planes."""
    n = shape_of(x)[-1]
    flat, before, after = _along(h, x, len(shape_of(x)) - 2)
    if n % 2:
        half = h.slice_in_dim(transform_axis(h, flat, -1), 0, n // 2 + 1, 2)
        return _back(h, half, before, after)
    middle, outer = n // 2, shape_of(flat)[1]
    pairs = h.transpose(h.reshape(flat, [outer, middle, 2]), [2, 0, 1])
    z = transform_axis(h, h.reshape(pairs, [2, outer, middle, 1]), -1)
    z = h.concatenate([z, h.slice_in_dim(z, 0, 1, 2)], 2)
    mirrored = h.reverse(z, [2])
    # The transforms of the even and of the odd elements: what is symmetric in z, and what is not, over i.
    even, odd = _halves(h, z, mirrored)
    return _back(h, h.add(even, _turned(h, odd, middle, -1)), before, after)


def _halves(h: Hlo, z: SSAValue, mirrored: SSAValue) -> tuple[SSAValue, SSAValue]:
    """`(z + conj(m)) / 2` and `(z - conj(m)) / 2i`."""
    conjugate = h.mul(mirrored, _signs(h, z))
    difference = h.mul(h.sub(z, conjugate), 0.5)
    return h.mul(h.add(z, conjugate), 0.5), rotated(h, difference, np.array(-1j), [])


def _signs(h: Hlo, z: SSAValue) -> SSAValue:
    """1 in the real plane, -1 in the imaginary one."""
    return h.broadcast(h.constant(np.array([1.0, -1.0]), element_of(z)), shape_of(z), [0])


def _turned(h: Hlo, z: SSAValue, middle: int, sign: int) -> SSAValue:
    """Planes `[2, L, count, 1]` times `exp(pi i sign k / middle)` for k along dim 2."""
    count = shape_of(z)[2]
    if count <= LARGEST_TABLE:
        return rotated(h, z, tables.roots(sign * np.arange(count), 2 * middle), [2])
    # The even part of the road: k = a q + b by two smaller tables, on a padded length.
    q = 1 << (count.bit_length() // 2)
    rows = -(-count // q)
    padded = h.pad(z, 0.0, [0] * 4, [0, 0, rows * q - count, 0])
    square = h.reshape(padded, [2, shape_of(z)[1], rows, q])
    square = rotated(h, square, tables.roots(sign * q * np.arange(rows), 2 * middle), [2])
    square = rotated(h, square, tables.roots(sign * np.arange(q), 2 * middle), [3])
    return h.slice_in_dim(h.reshape(square, shape_of(padded)), 0, count, 2)


def inverse_real_axis(h: Hlo, planes: SSAValue, n: int) -> SSAValue:
    """The unscaled inverse transform along the last axis of the first half of a spectrum, real numbers `[1, ..., n]`."""
    flat, before, after = _along(h, planes, len(shape_of(planes)) - 2)
    flat = _without_ends(h, flat, n)
    outer, middle = shape_of(flat)[1], n // 2
    if n % 2:
        rest = h.reverse(h.slice_in_dim(flat, 1, middle + 1, 2), [2]) if middle else None
        whole = h.concatenate([flat, h.mul(rest, _signs(h, rest))], 2) if rest is not None else flat
        return _back(h, transform_axis(h, whole, 1, only_real=True), before, after)
    # The transforms of the even and of the odd elements, the latter as imaginary parts.
    even, odd = _halves(h, flat, h.reverse(flat, [2]))
    turned = rotated(h, _turned(h, rotated(h, odd, np.array(1j), []), middle, 1), np.array(1j), [])
    z = h.slice_in_dim(h.add(even, turned), 0, middle, 2)
    z = transform_axis(h, h.mul(z, 2.0), 1)
    pairs = h.transpose(h.reshape(z, [2, outer, middle]), [1, 2, 0])
    return _back(h, h.reshape(pairs, [1, outer, n, 1]), before, after)


def _without_ends(h: Hlo, planes: SSAValue, n: int) -> SSAValue:
    """Without the imaginary parts of the first and, for even n, of the middle coefficient."""
    count, last = shape_of(planes)[2], int(n % 2 == 0)
    real, imag = (h.slice_in_dim(planes, i, i + 1, 0) for i in range(2))
    kept = h.slice_in_dim(imag, 1, count - last, 2) if count - last > 1 else None
    if kept is None:
        return h.pad(real, 0.0, [0] * 4, [1, 0, 0, 0])
    return h.concatenate([real, h.pad(kept, 0.0, [0, 0, 1, 0], [0, 0, last, 0])], 0)


def _scaled(h: Hlo, x: SSAValue, count: int) -> SSAValue:
    """Divided by a whole number, exactly where it is a power of two."""
    return h.mul(x, 1.0 / count) if count & (count - 1) == 0 else h.div(x, float(count))


def _transformed(h: Hlo, op: stablehlo.FftOp, lengths: Shape) -> SSAValue:
    rank = len(shape_of(op.operand))
    axes = list(range(rank - len(lengths), rank))
    planes = _planes(h, op.operand)
    count = math.prod(lengths)
    match op.fft_type.data:
        case FftType.FFT | FftType.IFFT:
            inverse = op.fft_type.data == FftType.IFFT
            for axis in reversed(axes):
                planes = complex_axis(h, planes, axis, 1 if inverse else -1)
            return _complex(h, _scaled(h, planes, count) if inverse else planes)
        case FftType.RFFT:
            planes = real_axis(h, planes)
            for axis in reversed(axes[:-1]):
                planes = complex_axis(h, planes, axis, -1)
            return _complex(h, planes)
        case FftType.IRFFT:
            for axis in axes[:-1]:
                planes = complex_axis(h, planes, axis, 1)
            return _plane(h, _scaled(h, inverse_real_axis(h, planes, lengths[-1]), count), 0)


def expand(op: stablehlo.FftOp) -> None:
    """Replace one op.

    Raises:
        UnsupportedError: dynamic shapes, or elements other than f32 and f64.
    """
    result = op.result.type
    assert isinstance(result, TensorType)
    shape = shape_of(op.operand) + result.get_shape()
    if any(n < 0 for n in shape):
        raise unsupported(op, f"dynamic shape {op.operand.type}", "refine the program to static shapes first")
    element = result.element_type
    part = element.element_type if isinstance(element, ComplexType) else element
    if not isinstance(part, Float32Type | Float64Type):
        raise unsupported(op, f"transforms of {element}", "convert to f32 or f64 first")
    h = Hlo.before(op)
    if 0 in shape:
        replace(op, [h.full(0, result.get_shape(), element)])
        return
    replace(op, [_transformed(h, op, tuple(op.fft_length.get_values()))])


REPLACES: tuple[str, ...] = ("stablehlo.fft",)
"""The ops it takes away, by name (`docs/stablehlo-status.md` reads this)."""


@dataclass(frozen=True)
class ExpandFftPass(Pass):
    """Expand Fourier transforms into contractions with small matrices."""

    name = "expand-fft"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Expand every op, wherever it is."""
        for old in list(op.walk()):
            if isinstance(old, stablehlo.FftOp):
                expand(old)
