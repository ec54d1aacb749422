"""Arguments made up from a seed, by type: what programs are checked on when nobody gives inputs.

Two kinds. "ordinary": numbers of ordinary size, some of them equal, and small integers, so that sums mean something and indices
hit in and out of range. "edge": the same with NaN, infinities, signed zeros, denormals, the least and the largest numbers among
them; few enough that a sum over a large array is not all NaN.
The same seed, kind and position give the same array; nothing else is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import ml_dtypes
import numpy as np
from xdsl.dialects.builtin import DYNAMIC_INDEX, AnyFloat, IndexType, IntegerType, MemRefType, TensorType, VectorType
from xdsl.ir import Attribute

from stepwell.ir.dtypes import numpy_dtype

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Kind: TypeAlias = Literal["ordinary", "edge"]

KINDS: tuple[Kind, ...] = ("ordinary", "edge")
"""The input sets of one validation, in order."""

_MOST_EXTREMES = 4
"""Expected number of NaN and infinities, and of numbers whose sums overflow, in a large array."""
_INDICES = (-4, 13)
"""Ordinary integers: in and out of range of small extents."""


class NoInputError(Exception):
    """No argument can be made for a type; the message says why."""


def generated_inputs(types: Sequence[Attribute], seed: int, kind: Kind = "ordinary") -> list[Array]:
    """One array (0-d for a scalar) for each of `types`.

    Raises:
        NoInputError: a type no array can have, as a token or an unknown extent.
    """
    return [generated_input(type_, position, seed, kind) for position, type_ in enumerate(types)]


def generated_input(type_: Attribute, position: int, seed: int, kind: Kind = "ordinary") -> Array:
    """The array for an argument of `type_` at `position`.

    Raises:
        NoInputError: a type no array can have.
    """
    shape, dtype = array_form(type_)
    rng = np.random.default_rng([seed, KINDS.index(kind), position])
    return random_array(rng, shape, dtype, kind)


def array_form(type_: Attribute) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """(shape, dtype) of the arrays that are values of `type_`.

    Raises:
        NoInputError: there are none.
    """
    shape: tuple[int, ...] = ()
    element = type_
    if isinstance(type_, TensorType | MemRefType | VectorType):
        shape, element = tuple(type_.get_shape()), type_.get_element_type()
    elif not isinstance(type_, IntegerType | IndexType | AnyFloat):
        raise NoInputError(f"no array is a value of type {type_}")
    if DYNAMIC_INDEX in shape:
        raise NoInputError(f"the shape of {type_} is not known")
    try:
        return shape, numpy_dtype(element)
    except TypeError:
        raise NoInputError(f"no array has elements of type {element}") from None


def random_array(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any], kind: Kind) -> Array:
    """An array of any dtype, ml_dtypes included, drawn from `rng`."""
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(np.bool_)
    if dtype.kind == "c":
        part = np.dtype(f"f{dtype.itemsize // 2}")
        result = np.empty(shape, dtype)
        result.real, result.imag = (random_array(rng, shape, part, kind) for _ in range(2))
        return result
    if _is_integer(dtype):
        return _integers(rng, shape, dtype, kind)
    return _floats(rng, shape, dtype, kind)


def _is_integer(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "iu" or dtype.name.startswith(("int", "uint"))


def _integers(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any], kind: Kind) -> Array:
    info = ml_dtypes.iinfo(dtype)
    low, high = int(info.min), int(info.max)
    small = rng.integers(max(low, _INDICES[0]), min(high, _INDICES[1]), shape, endpoint=True)
    if kind == "ordinary":
        return small.astype(dtype)
    wide = np.uint64 if low == 0 else np.int64
    specials = np.array([low, high, low + 1, high - 1, high // 2 + 1, -1 if low else 1, 0, 1], wide)
    picked = specials[rng.integers(0, len(specials), shape)]
    return np.asarray(np.where(rng.random(shape) < 0.5, picked, small.astype(wide))).astype(dtype)


def _floats(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any], kind: Kind) -> Array:
    if kind == "edge" and dtype.itemsize == 1:
        return _any_bits(rng, shape, dtype)
    values = np.asarray(rng.standard_normal(shape))
    # Some whole numbers, so that there are ties, equal keys and exact quotients.
    values = np.where(rng.random(shape) < 0.125, np.round(values * 2), values)
    if dtype == np.dtype(ml_dtypes.float8_e8m0fnu):
        values = np.abs(values) + 0.125  # it has neither sign nor zero
    if kind == "ordinary":
        return _to_float(values, dtype)
    scaled = values * 2.0 ** np.asarray(rng.integers(-12, 13, shape))
    result = np.where(rng.random(shape) < 0.3, scaled, values)
    info = ml_dtypes.finfo(dtype)
    tiny, least = float(info.tiny), float(info.smallest_subnormal)
    mild = np.array(
        [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, tiny, -tiny, least, -least, tiny - least, 1 + float(info.eps)]
    )
    result = _sprinkle(rng, result, mild, 0.25)
    largest = float(info.max)
    size = max(1, int(np.prod(shape)))
    rare = min(0.15, _MOST_EXTREMES / size)
    result = _sprinkle(rng, result, np.array([largest, -largest, largest / 2, np.sqrt(largest)]), rare)
    result = _sprinkle(rng, result, np.array([np.nan, np.inf, -np.inf]), rare)
    return _to_float(result, dtype)


def _sprinkle(rng: np.random.Generator, values: Array, specials: Array, share: float) -> Array:
    """`values` with about `share` of them replaced by specials."""
    picked = specials[rng.integers(0, len(specials), values.shape)]
    return np.asarray(np.where(rng.random(values.shape) < share, picked, values))


def _to_float(values: Array, dtype: np.dtype[Any]) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(values).astype(dtype)


def _any_bits(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Every number of a small format, each as likely as any other."""
    bits = ml_dtypes.finfo(dtype).bits
    return np.asarray(rng.integers(0, 1 << bits, shape, dtype=np.uint8)).view(dtype)


__all__ = ["KINDS", "Kind", "NoInputError", "array_form", "generated_input", "generated_inputs", "random_array"]
