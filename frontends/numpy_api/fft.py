"""`stepwell.numpy.fft`: Fourier transforms, with NumPy's names, axes and norms.

Single precision stays single: float32 has complex64 transforms (NumPy's are complex64 since version 2, too); integers are
transformed as float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from stepwell.frontends.api import api
from stepwell.frontends.dtypes import COMPLEX64, COMPLEX128, FLOAT32, FLOAT64, DType, as_dtype, kind
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import axes as all_axes
from stepwell.frontends.numpy_api.core import lifted, one_axis, scalar_like, shape_tuple
from stepwell.frontends.numpy_api.creation import asarray
from stepwell.frontends.numpy_api.elementwise import conj, multiply
from stepwell.frontends.numpy_api.manipulation import moveaxis, roll
from stepwell.frontends.tracer import Tracer, converted, current_trace, emit, static_int

_NORMS = ("backward", "ortho", "forward")
_MOST_AXES = 3
"""So many axes one op transforms."""


def _real(dtype: DType) -> DType:
    """The float type to transform in."""
    return FLOAT64 if dtype in (FLOAT64, COMPLEX128) else FLOAT32


def _complex(dtype: DType) -> DType:
    return COMPLEX128 if _real(dtype) == FLOAT64 else COMPLEX64


def _scale(norm: str | None, count: int, *, inverse: bool) -> float:
    """What the ops' results are multiplied by: they divide by the length in the inverse direction."""
    if norm is not None and norm not in _NORMS:
        raise refuse(f"there is no norm {norm!r}", f"the norms are {', '.join(_NORMS)}")
    wanted = {"forward": 1.0, "ortho": 0.5}.get(norm or "backward", 0.0)
    return float(count) ** wanted if inverse else float(count) ** -wanted


def _resized(x: Tracer, extents: Sequence[int]) -> Tracer:
    """The last dims cut or filled with zeros to these extents."""
    rank = len(x.shape)
    lead = rank - len(extents)
    cut = [*x.shape[:lead], *map(min, x.shape[lead:], extents)]
    if tuple(cut) != x.shape:
        x = emit("slice", x, [0] * rank, cut, [1] * rank)
    high = [*([0] * lead), *(n - m for n, m in zip(extents, cut[lead:], strict=True))]
    if any(high):
        x = emit("pad", x, current_trace().lift(0, x.dtype), [0] * rank, high, [0] * rank)
    return x


def _transform(x: Tracer, name: str, lengths: Sequence[int], norm: str | None) -> Tracer:
    """The transform over the last dims, which have the extents it wants; several ops where there are many axes."""
    inverse = name.startswith("I")
    result, rest = x, list(lengths)
    if name == "IRFFT":
        result = _leading(result, "IFFT", rest)
    last = rest[-_MOST_AXES:]
    result = emit("fft", result, name, last)
    if name != "IRFFT":
        result = _leading(result, "IFFT" if inverse else "FFT", rest)
    scale = _scale(norm, math.prod(lengths), inverse=inverse)
    return result if scale == 1 else multiply(result, scalar_like(scale, result))


def _leading(x: Tracer, name: str, lengths: Sequence[int]) -> Tracer:
    """The axes before those that one op takes."""
    before = len(lengths) - _MOST_AXES
    if before <= 0:
        return x
    rank = len(x.shape)
    places = list(range(rank - len(lengths), rank - _MOST_AXES))
    for place in places:
        moved = moveaxis(x, place, -1)
        x = moveaxis(emit("fft", moved, name, [moved.shape[-1]]), -1, place)
    return x


def _extent(n: Any, default: int) -> int:
    count = default if n is None else static_int(n, "the length of a transform")
    if count < 1:
        raise refuse(f"a transform of {count} points", "give a positive length n")
    return count


def _one(x: Any, name: str, n: Any, axis: int, norm: str | None) -> Tracer:
    a = lifted(x)
    dim = one_axis(axis, len(a.shape))
    if name == "RFFT" and kind(a.dtype) == 3:
        raise refuse("a real transform of complex numbers", "use fft")
    a = converted(a, _real(a.dtype) if name == "RFFT" else _complex(a.dtype))
    moved = moveaxis(a, dim, -1)
    count = _extent(n, moved.shape[-1] if name != "IRFFT" else 2 * (moved.shape[-1] - 1))
    moved = _resized(moved, [count // 2 + 1 if name == "IRFFT" else count])
    return moveaxis(_transform(moved, name, [count], norm), -1, dim)


def _several(x: Any, name: str, s: Any, axes: Any, norm: str | None) -> Tracer:
    a = lifted(x)
    if name == "RFFT" and kind(a.dtype) == 3:
        raise refuse("a real transform of complex numbers", "use fftn")
    a = converted(a, _real(a.dtype) if name == "RFFT" else _complex(a.dtype))
    sizes = None if s is None else shape_tuple(s)
    if axes is None:
        dims = list(range(len(a.shape) - len(sizes), len(a.shape))) if sizes is not None else list(range(len(a.shape)))
    else:
        all_axes(axes, len(a.shape))
        dims = [one_axis(d, len(a.shape)) for d in (axes if isinstance(axes, tuple | list) else (axes,))]
    if not dims:
        raise refuse("a transform over no axes", "give axes, or an array of at least one dim")
    if sizes is not None and len(sizes) != len(dims):
        raise refuse(f"s = {list(sizes)} gives {len(sizes)} lengths for {len(dims)} axes")
    moved = moveaxis(a, tuple(dims), tuple(range(-len(dims), 0)))
    default = list(moved.shape[-len(dims) :])
    if name == "IRFFT":
        default[-1] = 2 * (default[-1] - 1)
    given: Sequence[Any] = [None] * len(dims) if sizes is None else [None if n == -1 else n for n in sizes]
    lengths = [_extent(n, d) for n, d in zip(given, default, strict=True)]
    extents = [*lengths[:-1], lengths[-1] // 2 + 1] if name == "IRFFT" else lengths
    result = _transform(_resized(moved, extents), name, lengths, norm)
    return moveaxis(result, tuple(range(-len(dims), 0)), tuple(dims))


@api()
def fft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The discrete Fourier transform along an axis, cut or filled with zeros to n elements."""
    return _one(a, "FFT", n, axis, norm)


@api()
def ifft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of `fft`."""
    return _one(a, "IFFT", n, axis, norm)


@api()
def rfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The first `n // 2 + 1` elements of the transform of real numbers; the others are their conjugates."""
    return _one(a, "RFFT", n, axis, norm)


@api()
def irfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of `rfft`: n real numbers, `2 (m - 1)` of m elements by default."""
    return _one(a, "IRFFT", n, axis, norm)


_OPPOSITE = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def _opposite(norm: str | None) -> str:
    if norm not in _OPPOSITE:
        raise refuse(f"there is no norm {norm!r}", f"the norms are {', '.join(_NORMS)}")
    return _OPPOSITE[norm]


@api()
def hfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The transform, real, of a signal given by its first half, whose other half is the conjugates."""
    return _one(conj(lifted(a)), "IRFFT", n, axis, _opposite(norm))


@api()
def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of `hfft`."""
    return conj(_one(a, "RFFT", n, axis, _opposite(norm)))


@api()
def fftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    """The transform over several axes (all by default), of lengths s."""
    return _several(a, "FFT", s, axes, norm)


@api()
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    """The inverse of `fftn`."""
    return _several(a, "IFFT", s, axes, norm)


@api()
def rfftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    """The transform of real numbers over several axes; the last one has `n // 2 + 1` elements."""
    return _several(a, "RFFT", s, axes, norm)


@api()
def irfftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    """The inverse of `rfftn`."""
    return _several(a, "IRFFT", s, axes, norm)


@api()
def fft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None) -> Any:
    """The transform over two axes."""
    return _several(a, "FFT", s, axes, norm)


@api()
def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None) -> Any:
    """The inverse of `fft2`."""
    return _several(a, "IFFT", s, axes, norm)


@api()
def rfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None) -> Any:
    """The transform of real numbers over two axes."""
    return _several(a, "RFFT", s, axes, norm)


@api()
def irfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None) -> Any:
    """The inverse of `rfft2`."""
    return _several(a, "IRFFT", s, axes, norm)


def fftfreq(n: int, d: float = 1.0, *, dtype: Any = FLOAT32) -> Any:
    """The frequencies of `fft`'s elements: 0 up to the middle, then the negative ones, over `n d`."""
    count = _extent(n, 0)
    places = np.concatenate([np.arange((count + 1) // 2), np.arange(-(count // 2), 0)])
    return asarray((places / (count * d)).astype(as_dtype(dtype)))


def rfftfreq(n: int, d: float = 1.0, *, dtype: Any = FLOAT32) -> Any:
    """The frequencies of `rfft`'s elements, over `n d`."""
    count = _extent(n, 0)
    return asarray((np.arange(count // 2 + 1) / (count * d)).astype(as_dtype(dtype)))


def _shifts(x: Tracer, axes: Any, sign: int) -> Any:
    chosen = all_axes(axes, len(x.shape))
    by = tuple(x.shape[d] // 2 if sign > 0 else -(x.shape[d] // 2) for d in chosen)
    return roll(x, by, chosen) if chosen else x


@api()
def fftshift(x: Any, axes: Any = None) -> Any:
    """The frequency zero moved to the middle of axes (all by default)."""
    return _shifts(lifted(x), axes, 1)


@api()
def ifftshift(x: Any, axes: Any = None) -> Any:
    """The inverse of `fftshift`."""
    return _shifts(lifted(x), axes, -1)


__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]
