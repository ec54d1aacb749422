"""Interpreter rules of StableHLO's random numbers.

The specification leaves the bits of `rng_bit_generator` to the implementation; ours are those of XLA on CPUs. The state is a
key and a counter of one or two 64-bit words:

- Threefry-2x32-20 of (key, counter + i). Elements of 64 bits take both words of block i, the low one first. Narrower ones
  take the low bits of one word: the first even dimension (or the first of the largest) is cut into pairs along itself, blocks
  count the pairs in row-major order, and a pair is the two words of its block.
- Philox-4x32-10 of (key, counter + i), the upper half of the counter being the third word of the state, or the key when there
  is none. Words come out in order; an element takes two words (64 bits), or the low bits of one.

The output state has the counter after the last block. `DEFAULT` is Philox.

`stablehlo.rng` takes element i of its stream (`dialects/stablehlo/random_streams.py`) from Threefry of (stream, i).
"""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects import stablehlo as hlo
from stepwell.dialects.interp import numerics as num
from stepwell.dialects.interp.special import erf_inv
from stepwell.dialects.interp.stablehlo_data import Args, Array, shape_of
from stepwell.dialects.interp.stablehlo_elementwise import result_dtype
from stepwell.dialects.stablehlo.random_streams import STREAM_TAG, stream_of
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.errors import UnsupportedError
from stepwell.ir.interpreter import Interpreter, Rule, Value

_MASK = np.uint64(0xFFFFFFFF)
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def threefry_2x32(key: tuple[int, int], low: Array, high: Array) -> tuple[Array, Array]:
    """Threefry-2x32 with 20 rounds on arrays of 32-bit words (held in 64-bit ones)."""
    keys = [np.uint64(key[0]), np.uint64(key[1]), np.uint64(key[0] ^ key[1] ^ 0x1BD11BDA)]
    x, y = (low + keys[0]) & _MASK, (high + keys[1]) & _MASK
    for group in range(5):
        for r in _ROTATIONS[group % 2]:
            x = (x + y) & _MASK
            y = ((y << np.uint64(r)) | (y >> np.uint64(32 - r))) & _MASK
            y ^= x
        x = (x + keys[(group + 1) % 3]) & _MASK
        y = (y + keys[(group + 2) % 3] + np.uint64(group + 1)) & _MASK
    return x, y


def philox_4x32(key: tuple[int, int], counter: tuple[Array, Array, Array, Array]) -> tuple[Array, ...]:
    """Philox-4x32 with 10 rounds on arrays of 32-bit words (held in 64-bit ones)."""
    a, b, c, d = counter
    left, right = key
    for _ in range(10):
        first, second = np.uint64(0xD2511F53) * a, np.uint64(0xCD9E8D57) * c
        a, b, c, d = (
            (second >> np.uint64(32)) ^ b ^ np.uint64(left),
            second & _MASK,
            (first >> np.uint64(32)) ^ d ^ np.uint64(right),
            first & _MASK,
        )
        left, right = (left + 0x9E3779B9) & 0xFFFFFFFF, (right + 0xBB67AE85) & 0xFFFFFFFF
    return a, b, c, d


def _split(word: int) -> tuple[int, int]:
    return word & 0xFFFFFFFF, word >> 32


def _halves(words: Array) -> tuple[Array, Array]:
    return words & _MASK, words >> np.uint64(32)


def _counters(first: int, blocks: int) -> Array:
    """`first`, `first + 1`, ... modulo 2**64."""
    with np.errstate(over="ignore"):
        return np.uint64(first) + np.arange(blocks, dtype=np.uint64)


def _threefry_bits(state: list[int], shape: tuple[int, ...], width: int) -> tuple[Array, list[int]]:
    """The bits of every element as 64-bit numbers, and the next state."""
    size = math.prod(shape)
    if width == 64:
        low, high = threefry_2x32(_split(state[0]), *_halves(_counters(state[1], size)))
        return (low | high << np.uint64(32)).reshape(shape), [state[0], (state[1] + size) % 2**64]
    dims = list(shape) or [1]
    even = [d for d, n in enumerate(dims) if n % 2 == 0]
    cut = even[0] if even else dims.index(max(dims))
    half = [*dims[:cut], -(-dims[cut] // 2), *dims[cut + 1 :]]
    blocks = math.prod(half)
    words = threefry_2x32(_split(state[0]), *_halves(_counters(state[1], blocks)))
    pairs = np.stack([w.reshape(half) for w in words], cut + 1)
    whole = pairs.reshape(*half[:cut], 2 * half[cut], *half[cut + 1 :])
    return np.take(whole, range(dims[cut]), cut).reshape(shape), [state[0], (state[1] + blocks) % 2**64]


def _philox_bits(state: list[int], shape: tuple[int, ...], width: int) -> tuple[Array, list[int]]:
    """The bits of every element as 64-bit numbers, and the next state."""
    size = math.prod(shape)
    blocks = -(-size * (2 if width == 64 else 1) // 4)
    low = _counters(state[1], blocks)
    upper = state[2] if len(state) == 3 else state[0]
    high = np.where(low < np.uint64(state[1]), np.uint64((upper + 1) % 2**64), np.uint64(upper))
    words = np.stack(philox_4x32(_split(state[0]), (*_halves(low), *_halves(high))), -1)
    if width == 64:
        words = (words[:, ::2] | words[:, 1::2] << np.uint64(32)).reshape(-1)
    counter = (state[1] + (state[2] << 64 if len(state) == 3 else 0) + blocks) % 2 ** (64 * (len(state) - 1))
    following = [state[0], counter % 2**64, *([counter >> 64] if len(state) == 3 else [])]
    return words.reshape(-1)[:size].reshape(shape), following


def _from_bits(bits: Array, dtype: np.dtype[Any]) -> Array:
    """The low bits of each word as a number of type `dtype`."""
    if num.is_integer(dtype):
        return num.wrap(bits.astype(np.int64), dtype)
    return bits.astype(f"u{dtype.itemsize}").view(dtype)


def _rng_bit_generator(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.RngBitGeneratorOp)
    state = [int(v) for v in np.ascontiguousarray(args[0]).reshape(-1).view(np.uint64)]
    dtype, shape = numpy_dtype(cast(Any, op.output.type).element_type), shape_of(op.output)
    if num.is_bool(dtype):
        raise UnsupportedError(
            f"stablehlo.rng_bit_generator: no bits of type {op.output.type}; ask for ui8 and compare"
        )
    threefry = op.rng_algorithm.data == hlo.RngAlgorithm.THREE_FRY
    if len(state) not in ((2,) if threefry else (2, 3)):
        raise UnsupportedError(
            f"stablehlo.rng_bit_generator: {op.rng_algorithm.data} takes no state of {len(state)} words"
        )
    bits, following = (_threefry_bits if threefry else _philox_bits)(state, shape, num.bit_width(dtype))
    return np.array(following, np.uint64).view(args[0].dtype).reshape(args[0].shape), _from_bits(bits, dtype)


def _rng(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.RngOp)
    dtype, shape = result_dtype(op), shape_of(op.result)
    index = np.arange(math.prod(shape), dtype=np.uint64)
    low, high = threefry_2x32((stream_of(op), STREAM_TAG), *_halves(index))
    bits = (high << np.uint64(32) | low).reshape(shape)
    if not num.is_float(dtype):
        return (_uniform_integers(bits, args[0], args[1], dtype),)
    wide = dtype if dtype.itemsize >= 4 else np.dtype(np.float32)
    mantissa = 52 if wide == np.float64 else 23
    a, b = (num.convert(x, wide) for x in args[:2])
    # Numbers in [1, 2) less one: multiples of 2**-mantissa in [0, 1), exact in `wide`.
    count = bits >> np.uint64(12) if mantissa == 52 else low.reshape(shape) >> np.uint64(9)
    unit = (count.astype(np.float64) / 2.0**mantissa).astype(wide)
    with np.errstate(all="ignore"):
        if op.rng_distribution.data == hlo.RngDistribution.NORMAL:
            # In (-1, 1), without both ends.
            centered = unit * wide.type(2) - wide.type(1 - 2.0**-mantissa)
            inverse = [erf_inv(v) for v in centered.reshape(-1).tolist()]
            normal = num.round_to(math.sqrt(2) * np.array(inverse, np.float64).reshape(shape), wide)
            return (num.convert(a + b * normal, dtype),)
        value = num.convert(a + (b - a) * unit, dtype)
    # Rounding may reach the end that does not belong to the interval.
    return (np.where(num.widen(value) < num.widen(args[1]), value, args[0]).astype(dtype),)


def _uniform_integers(bits: Array, a: Array, b: Array, dtype: np.dtype[Any]) -> Array:
    """`a + bits % (b - a)` on the unsigned counterparts; `a` where the interval is empty."""
    if num.is_bool(dtype):
        return np.full(bits.shape, a, np.bool_)
    low, high = int(a), int(b)
    if low >= high:
        return np.full(bits.shape, a, dtype)
    offset = bits % np.uint64(high - low)
    with np.errstate(over="ignore"):
        return num.wrap((offset + np.uint64(low % 2**64)).astype(np.int64), dtype)


RULES: dict[str, Rule] = {
    "stablehlo.rng": _rng,
    "stablehlo.rng_bit_generator": _rng_bit_generator,
}
