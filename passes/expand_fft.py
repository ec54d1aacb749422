"""expand-fft: Fourier transforms as contractions with small matrices.

Before:
```mlir
%r = stablehlo.fft %x, type = FFT, length = [256] : (tensor<8x256xcomplex<f32>>) -> tensor<8x256xcomplex<f32>>
```
After, for 256 = 16 * 16:
```mlir
%planes = stablehlo.select ... (real parts, then imaginary parts; the axis in front)    // 2x256x8
%a = stablehlo.dot_general %dft16, (%planes as 32x128)                                  // 2x16x128
%b = stablehlo.add (stablehlo.multiply %a, %twiddles...), ...                           // 2x16x16x8
%c = stablehlo.dot_general %dft16, (%b as 32x128)
%r = stablehlo.complex (the planes of %c, the axis behind)
```
The flops are contractions, the rest is elementwise; the number of ops grows with the logarithm of the length. How one axis is
transformed is in `fft/axis.py`, where the constants come from in `fft/tables.py`. Several axes are transformed one after the
other. A real transform of even length n is a complex one of length n / 2 on pairs of neighbours; the imaginary parts of the
first and the middle coefficient of an inverse real transform are not read.

Fails: dynamic shapes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ComplexType, Float32Type, Float64Type, TensorType, i1, i32
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
    if not isinstance(element_of(x), ComplexType):
        return h.reshape(x, [1, *shape_of(x)])
    return _joined(h, h.real(x), h.imag(x))


def _joined(h: Hlo, real: SSAValue, imag: SSAValue) -> SSAValue:
    """Two tensors along a new first dim, as one expression: nothing is written twice."""
    shape = [2, *shape_of(real)]
    dims = list(range(1, len(shape)))
    first = h.broadcast(h.constant(np.array([True, False]), i1), shape, [0])
    return h.select(first, h.broadcast(real, shape, dims), h.broadcast(imag, shape, dims))


def _plane(h: Hlo, planes: SSAValue, index: int) -> SSAValue:
    return h.reshape(h.slice_in_dim(planes, index, index + 1, 0), shape_of(planes)[1:])


def _complex(h: Hlo, planes: SSAValue) -> SSAValue:
    return h.complex(_plane(h, planes, 0), _plane(h, planes, 1))


def _in_front(h: Hlo, planes: SSAValue, axis: int) -> tuple[SSAValue, Shape]:
    """Planes `[P, ...]` as `[P, n, T]` with an axis of the tensor in front, and the extents of the others."""
    shape = shape_of(planes)
    others = [d for d in range(1, len(shape)) if d != axis + 1]
    moved = h.transpose(planes, [0, axis + 1, *others])
    extents = tuple(shape[d] for d in others)
    return h.reshape(moved, [shape[0], shape[axis + 1], math.prod(extents)]), extents


def _back(h: Hlo, flat: SSAValue, axis: int, others: Shape) -> SSAValue:
    """The inverse of `_in_front`."""
    planes, n, _ = shape_of(flat)
    order = [*range(2, axis + 2), 1, *range(axis + 2, len(others) + 2)]
    return h.transpose(h.reshape(flat, [planes, n, *others]), [0, *order])


def complex_axis(h: Hlo, planes: SSAValue, axis: int, sign: int) -> SSAValue:
    """The unscaled complex transform of planes along an axis of the tensor."""
    flat, others = _in_front(h, planes, axis)
    return _back(h, transform_axis(h, flat, sign), axis, others)


def real_axis(h: Hlo, x: SSAValue) -> SSAValue:
    """The first half of the transform of real numbers `[1, ..., n]` along the last axis, as planes."""
    axis = len(shape_of(x)) - 2
    n = shape_of(x)[-1]
    if n % 2:
        flat, others = _in_front(h, x, axis)
        half = h.slice_in_dim(transform_axis(h, flat, -1), 0, n // 2 + 1, 1)
        return _back(h, half, axis, others)
    others, middle = shape_of(x)[1:-1], n // 2
    pairs = h.transpose(h.reshape(x, [math.prod(others), middle, 2]), [2, 1, 0])
    z = transform_axis(h, pairs, -1)
    z = h.concatenate([z, h.slice_in_dim(z, 0, 1, 1)], 1)
    # The transforms of the even and of the odd elements: what is symmetric in z, and what is not, over i.
    even, odd = _halves(h, z, h.reverse(z, [1]))
    return _back(h, h.add(even, _turned(h, odd, middle, -1)), axis, others)


def _halves(h: Hlo, z: SSAValue, mirrored: SSAValue) -> tuple[SSAValue, SSAValue]:
    """`(z + conj(m)) / 2` and `(z - conj(m)) / 2i`."""
    conjugate = h.mul(mirrored, _signs(h, z))
    difference = h.mul(h.sub(z, conjugate), 0.5)
    return h.mul(h.add(z, conjugate), 0.5), _times_i(h, difference, -1)


def _times_i(h: Hlo, z: SSAValue, sign: int) -> SSAValue:
    """Planes times i, or -i: exchanged, one of them negated."""
    factors = h.constant(np.array([-1.0, 1.0]) * sign, element_of(z))
    return h.mul(h.reverse(z, [0]), h.broadcast(factors, shape_of(z), [0]))


def _signs(h: Hlo, z: SSAValue) -> SSAValue:
    """1 in the real plane, -1 in the imaginary one."""
    return h.broadcast(h.constant(np.array([1.0, -1.0]), element_of(z)), shape_of(z), [0])


def _turned(h: Hlo, z: SSAValue, middle: int, sign: int) -> SSAValue:
    """Planes `[2, count, T]` times `exp(pi i sign k / middle)` for k along dim 1."""
    _, count, columns = shape_of(z)
    if count <= LARGEST_TABLE:
        return rotated(h, z, tables.roots(sign * np.arange(count), 2 * middle), [1])
    # For k = a q + b by two smaller tables, on a padded length.
    q = 1 << (count.bit_length() // 2)
    rows = -(-count // q)
    square = h.reshape(h.pad(z, 0.0, [0] * 3, [0, rows * q - count, 0]), [2, rows, q, columns])
    square = rotated(h, square, tables.roots(sign * q * np.arange(rows), 2 * middle), [1])
    square = rotated(h, square, tables.roots(sign * np.arange(q), 2 * middle), [2])
    return h.slice_in_dim(h.reshape(square, [2, rows * q, columns]), 0, count, 1)


def inverse_real_axis(h: Hlo, planes: SSAValue, n: int) -> SSAValue:
    """The unscaled inverse transform along the last axis of the first half of a spectrum: real numbers `[1, ..., n]`."""
    axis = len(shape_of(planes)) - 2
    flat, others = _in_front(h, planes, axis)
    flat = _without_ends(h, flat, n)
    middle = n // 2
    if n % 2:
        if middle:
            rest = h.reverse(h.slice_in_dim(flat, 1, middle + 1, 1), [1])
            flat = h.concatenate([flat, h.mul(rest, _signs(h, rest))], 1)
        return _back(h, transform_axis(h, flat, 1, only_real=True), axis, others)
    # The transforms of the even elements and of the odd ones, which become imaginary parts.
    even, odd = _halves(h, flat, h.reverse(flat, [1]))
    odd = _turned(h, _times_i(h, odd, 1), middle, 1)
    z = h.slice_in_dim(h.mul(h.add(even, _times_i(h, odd, 1)), 2.0), 0, middle, 1)
    pairs = h.transpose(transform_axis(h, z, 1), [2, 1, 0])
    return h.reshape(pairs, [1, *others, n])


def _without_ends(h: Hlo, planes: SSAValue, n: int) -> SSAValue:
    """Without the imaginary parts of the first and, for even n, of the middle coefficient."""
    _, count, columns = shape_of(planes)
    k = h.iota(0, [count], i32)
    ends = h.eq(k, 0)
    if n % 2 == 0:
        ends = h.logical_or(ends, h.eq(k, count - 1))
    imaginary = h.constant(np.array([False, True]), i1)
    dropped = h.logical_and(h.broadcast(imaginary, [2, count], [0]), h.broadcast(ends, [2, count], [1]))
    return h.select(h.broadcast(dropped, [2, count, columns], [0, 1]), 0.0, planes)


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
    if any(extent < 0 for extent in shape):
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
    numerics = "rounding"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Expand every op, wherever it is."""
        for old in list(op.walk()):
            if isinstance(old, stablehlo.FftOp):
                expand(old)
