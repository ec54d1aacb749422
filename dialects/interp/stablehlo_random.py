"""Interpreter rules of StableHLO's random numbers.

The specification leaves the bits of `rng_bit_generator` to the implementation; ours are Random123's generators in counter
mode. The state is a key and a counter, as 64-bit words: Threefry-2x32-20 takes (key, counter), Philox-4x32-10 takes
(key, low counter[, high counter]); each block of output takes the next counter value, and words come out in order.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects import stablehlo as hlo
from stepwell.dialects.interp import numerics as num
from stepwell.dialects.interp.stablehlo_data import Args, Array, shape_of
from stepwell.dialects.interp.stablehlo_elementwise import result_dtype
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


def _rng_bit_generator(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.RngBitGeneratorOp)
    state = np.ascontiguousarray(args[0]).reshape(-1).view(np.uint64).copy()
    dtype, shape = numpy_dtype(cast(Any, op.output.type).element_type), shape_of(op.output)
    if num.is_bool(dtype) or num.bit_width(dtype) < 8:
        raise UnsupportedError(f"stablehlo.rng_bit_generator: no bits of type {op.output.type}; ask for ui8 and shift")
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    threefry = op.rng_algorithm.data == hlo.RngAlgorithm.THREE_FRY
    if len(state) not in ((2,) if threefry else (2, 3)):
        raise UnsupportedError(
            f"stablehlo.rng_bit_generator: {op.rng_algorithm.data} takes no state of {len(state)} words"
        )
    blocks = -(-size // (8 if threefry else 16))
    counters = state[1] + np.arange(blocks, dtype=np.uint64)
    key = _split(int(state[0]))
    if threefry:
        words = threefry_2x32(key, *_halves(counters))
    else:
        high = state[2] if len(state) == 3 else np.uint64(0)
        carried = np.where(counters < state[1], high + np.uint64(1), high)
        words = philox_4x32(key, (*_halves(counters), *_halves(carried)))
        if len(state) == 3 and int(state[1]) + blocks >= 1 << 64:
            state[2] += np.uint64(1)
    state[1] += np.uint64(blocks)
    data = np.stack(words, -1).astype(np.uint32).tobytes()[:size]
    bits = np.frombuffer(data, dtype).reshape(shape)
    return state.view(args[0].dtype).reshape(args[0].shape), bits


def _rng(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    """Fresh numbers each time: the op promises only their distribution."""
    del interp
    assert isinstance(op, hlo.RngOp)
    dtype, generator = result_dtype(op), np.random.default_rng()
    shape = tuple(int(n) for n in args[2])
    if op.rng_distribution.data == hlo.RngDistribution.NORMAL:
        return (num.round_to(generator.normal(float(args[0]), float(args[1]), shape), dtype),)
    if num.is_float(dtype):
        return (num.round_to(generator.uniform(float(args[0]), float(args[1]), shape), dtype),)
    low, high = int(args[0]), int(args[1])
    wide = np.int64 if num.is_signed(dtype) or num.is_bool(dtype) else np.uint64
    return (np.asarray(generator.integers(low, high, shape, wide)).astype(dtype),)


RULES: dict[str, Rule] = {
    "stablehlo.rng": _rng,
    "stablehlo.rng_bit_generator": _rng_bit_generator,
}
