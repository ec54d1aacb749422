"""Keys, and the bits they give: Threefry-2x32, element i from the counter (i >> 32, i), as JAX's "partitionable" generator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stepwell.frontends.api import api
from stepwell.frontends.array import to_array
from stepwell.frontends.dtypes import UINT32, DType, as_dtype, is_integer, is_unsigned
from stepwell.frontends.dtypes import bits as width_of
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import broadcast, extents, lifted, scalar_like
from stepwell.frontends.numpy_api.manipulation import reshape, stack
from stepwell.frontends.tracer import Tracer, converted, current_trace, emit

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_MASK = 0xFFFFFFFF


def key(seed: Any) -> Any:
    """The key (two uint32) that a seed gives."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise refuse(f"a seed is an integer, not {type(seed).__name__}", "fold_in takes arrays")
    words = int(seed) % 2**64
    return to_array(np.array([words >> 32, words & _MASK], np.uint32))


PRNGKey = key
"""`key`, under JAX's older name."""


def checked(a_key: Any) -> Tracer:
    """A key as a tracer: two uint32."""
    tracer = lifted(a_key)
    if tracer.shape != (2,) or tracer.dtype != UINT32:
        raise refuse(
            f"a key is uint32[2], not {tracer.dtype.name}{list(tracer.shape)}", "make one with random.key(seed)"
        )
    return tracer


def _word(a_key: Tracer, index: int) -> Tracer:
    return reshape(emit("slice", a_key, [index], [index + 1], [1]), ())


def _constant(value: int) -> Tracer:
    return current_trace().lift(np.uint32(value), UINT32)


def threefry(a_key: Tracer, high: Tracer, low: Tracer) -> tuple[Tracer, Tracer]:
    """Threefry-2x32 with 20 rounds of counters of any shape."""
    shape = high.shape
    first, second = _word(a_key, 0), _word(a_key, 1)
    parity = emit("binary", "xor", emit("binary", "xor", first, second), _constant(_PARITY))
    keys = [broadcast(k, shape) for k in (first, second, parity)]
    x, y = emit("binary", "add", high, keys[0]), emit("binary", "add", low, keys[1])
    for group in range(5):
        for r in _ROTATIONS[group % 2]:
            x = emit("binary", "add", x, y)
            left = emit("binary", "shift_left", y, scalar_like(r, y))
            right = emit("binary", "shift_right_logical", y, scalar_like(32 - r, y))
            y = emit("binary", "xor", emit("binary", "or", left, right), x)
        x = emit("binary", "add", x, keys[(group + 1) % 3])
        step = emit("binary", "add", keys[(group + 2) % 3], scalar_like(group + 1, y))
        y = emit("binary", "add", y, step)
    return x, y


def _counted(a_key: Tracer, shape: tuple[int, ...]) -> tuple[Tracer, Tracer]:
    """The two words of each element of `shape`."""
    size = math.prod(shape)
    wide = as_dtype("uint64") if size > 1 << 32 else UINT32
    index = emit("iota", wide, [size], 0)
    low = converted(index, UINT32)
    zero = scalar_like(0, low)
    high = (
        zero
        if wide == UINT32
        else converted(emit("binary", "shift_right_logical", index, scalar_like(32, index)), UINT32)
    )
    x, y = threefry(a_key, high, low)
    return reshape(x, shape), reshape(y, shape)


def raw_bits(a_key: Tracer, width: int, shape: tuple[int, ...]) -> Tracer:
    """Random bits as unsigned numbers of 8, 16, 32 or 64 bits."""
    x, y = _counted(a_key, shape)
    wanted = as_dtype(f"uint{width}")
    if width == 64:
        x, y = converted(x, wanted), converted(y, wanted)
        return emit("binary", "or", emit("binary", "shift_left", x, scalar_like(32, x)), y)
    return converted(emit("binary", "xor", x, y), wanted)


@api()
def bits(key: Any, shape: Any = (), dtype: Any = UINT32) -> Any:
    """Uniformly distributed unsigned numbers."""
    wanted: DType = as_dtype(dtype)
    if not (is_integer(wanted) and is_unsigned(wanted)) or width_of(wanted) < 8:
        raise refuse(
            f"random bits are unsigned integers of at least 8 bits, not {wanted.name}", "convert them with astype"
        )
    return raw_bits(checked(key), width_of(wanted), extents(shape))


@api()
def split(key: Any, num: Any = 2) -> Any:
    """New keys that have nothing to do with each other or with the old one: `uint32[num, 2]`."""
    return stack(list(_counted(checked(key), extents(num))), axis=-1)


def split_in_two(a_key: Tracer) -> tuple[Tracer, Tracer]:
    """Two new keys."""
    both = stack(list(_counted(a_key, (2,))), axis=-1)
    first, second = (reshape(emit("slice", both, [i, 0], [i + 1, 2], [1, 1]), (2,)) for i in range(2))
    return first, second


@api("data")
def fold_in(key: Any, data: Any) -> Any:
    """The key that belongs to a key and a number."""
    number = lifted(data)
    if number.shape or not is_integer(number.dtype):
        raise refuse(f"fold_in takes a 0-d integer, not {number.dtype.name}{list(number.shape)}")
    low = reshape(converted(number, UINT32), (1,))
    x, y = threefry(checked(key), scalar_like(0, low), low)
    return reshape(stack([x, y], axis=-1), (2,))


__all__ = ["PRNGKey", "bits", "checked", "fold_in", "key", "raw_bits", "split", "split_in_two", "threefry"]
