"""expand-random: random bits and numbers as integer arithmetic.

Before:
```mlir
%state, %bits = stablehlo.rng_bit_generator %s, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>, tensor<9xui64>)
```
After:
```mlir
%counter = stablehlo.add %first, %iota : tensor<9xui64>
... 20 rounds of add, shift, or, xor on tensor<9xui32> ...
%bits = stablehlo.or %low, %high : tensor<9xui64>
%state = stablehlo.concatenate %key, %next, dim = 0
```
Counter-based generators: every element is computed on its own, so all of it fuses into one kernel. Which bits come out is
written in `dialects/interp/stablehlo_random.py`; they are XLA's on a CPU. A `stablehlo.rng` has no state to take numbers from:
each op has a stream of its own, element i of which is always the same number (`dialects/stablehlo/random_streams.py`).

Fails: bits of types whose width is no power of two; `stablehlo.rng` in a region that runs many times, where it would repeat its
numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import Float32Type, Float64Type, IntegerType, Signedness, TensorType, f32
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.dialects import chlo, stablehlo
from stepwell.dialects.stablehlo import RngAlgorithm, RngDistribution
from stepwell.dialects.stablehlo.base import PRED, SINT, UINT, bit_width, element_kind
from stepwell.dialects.stablehlo.random_streams import STREAM_TAG, stream_numbers
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.passes import Pass
from stepwell.passes.hlo import Hlo, element_of, replace, shape_of

_U32, _U64 = (IntegerType(width, Signedness.UNSIGNED) for width in (32, 64))
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_PHILOX_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_PHILOX_WEYL = (0x9E3779B9, 0xBB67AE85)

Shape = Sequence[int]


# Words.


def _low_high(h: Hlo, words: SSAValue) -> tuple[SSAValue, SSAValue]:
    """The halves of 64-bit words."""
    return h.convert(words, _U32), h.convert(h.binary("shift_right_logical", words, 32), _U32)


def _joined(h: Hlo, low: SSAValue, high: SSAValue) -> SSAValue:
    """64-bit words from their halves."""
    return h.logical_or(h.convert(low, _U64), h.binary("shift_left", h.convert(high, _U64), 32))


def _word(h: Hlo, state: SSAValue, index: int) -> SSAValue:
    """A word of the state, as a 0-d ui64 tensor."""
    return h.reshape(h.slice(state, [index], [index + 1]), [])


def _spread(h: Hlo, scalar: SSAValue, shape: Shape) -> SSAValue:
    return h.broadcast(scalar, shape, [])


def threefry_2x32(h: Hlo, key: tuple[SSAValue, SSAValue], low: SSAValue, high: SSAValue) -> tuple[SSAValue, SSAValue]:
    """Threefry-2x32 with 20 rounds; the key is 0-d, the counter of any shape, all ui32."""
    shape = shape_of(low)
    parity = h.binary("xor", h.binary("xor", key[0], key[1]), _PARITY)
    keys = [_spread(h, k, shape) for k in (key[0], key[1], parity)]
    x, y = h.add(low, keys[0]), h.add(high, keys[1])
    for group in range(5):
        for r in _ROTATIONS[group % 2]:
            x = h.add(x, y)
            turned = h.logical_or(h.binary("shift_left", y, r), h.binary("shift_right_logical", y, 32 - r))
            y = h.binary("xor", turned, x)
        x = h.add(x, keys[(group + 1) % 3])
        y = h.add(h.add(y, keys[(group + 2) % 3]), group + 1)
    return x, y


def philox_4x32(h: Hlo, key: tuple[SSAValue, SSAValue], counter: Sequence[SSAValue]) -> list[SSAValue]:
    """Philox-4x32 with 10 rounds; the key is 0-d, the four words of the counter of any shape, all ui32."""
    a, b, c, d = counter
    left, right = key
    for _ in range(10):
        products = [h.mul(h.convert(x, _U64), m) for x, m in zip((a, c), _PHILOX_MULTIPLIERS, strict=True)]
        (low0, high0), (low1, high1) = (_low_high(h, p) for p in products)
        a = h.binary("xor", h.binary("xor", high1, b), _spread(h, left, shape_of(b)))
        c = h.binary("xor", h.binary("xor", high0, d), _spread(h, right, shape_of(d)))
        b, d = low1, low0
        left, right = h.add(left, _PHILOX_WEYL[0]), h.add(right, _PHILOX_WEYL[1])
    return [a, b, c, d]


# Bits of the elements.


def _counters(h: Hlo, first: SSAValue, shape: Shape) -> SSAValue:
    """`first + i` for the i-th element in row-major order."""
    flat = h.iota(0, [math.prod(shape)], _U64)
    return h.reshape(h.add(flat, _spread(h, first, shape_of(flat))), shape)


def split_dimension(shape: Shape) -> int:
    """Where 32-bit Threefry cuts an output into pairs: the first even dimension, else the first of the largest."""
    even = [d for d, n in enumerate(shape) if n % 2 == 0]
    return even[0] if even else list(shape).index(max(shape))


def _threefry_bits(h: Hlo, state: SSAValue, shape: Shape, width: int) -> tuple[SSAValue, list[SSAValue]]:
    """The bits of the elements as ui32 or ui64, and the words of the next state."""
    key, first = _word(h, state, 0), _word(h, state, 1)
    dims = list(shape) or [1]
    cut = 0 if width == 64 else split_dimension(dims)
    half = dims if width == 64 else [*dims[:cut], -(-dims[cut] // 2), *dims[cut + 1 :]]
    low, high = threefry_2x32(h, _low_high(h, key), *_low_high(h, _counters(h, first, half)))
    following = [key, h.add(first, math.prod(half))]
    if width == 64:
        return h.reshape(_joined(h, low, high), shape), following
    whole = h.reshape(h.stack([low, high], cut + 1), [*half[:cut], 2 * half[cut], *half[cut + 1 :]])
    return h.reshape(h.slice_in_dim(whole, 0, dims[cut], cut), shape), following


def _philox_bits(h: Hlo, state: SSAValue, shape: Shape, width: int) -> tuple[SSAValue, list[SSAValue]]:
    """The bits of the elements as ui32 or ui64, and the words of the next state."""
    size = math.prod(shape)
    blocks = -(-size * (2 if width == 64 else 1) // 4)
    key, first = _word(h, state, 0), _word(h, state, 1)
    has_upper = shape_of(state)[0] == 3
    upper = _word(h, state, 2) if has_upper else key
    low = _counters(h, first, [blocks])
    high = _spread(h, upper, [blocks])
    high = h.add(high, h.convert(h.lt(low, _spread(h, first, [blocks])), _U64))
    words = philox_4x32(h, _low_high(h, key), [*_low_high(h, low), *_low_high(h, high)])
    if width == 64:
        words = [_joined(h, words[0], words[1]), _joined(h, words[2], words[3])]
    flat = h.reshape(h.stack(words), [blocks * len(words)])
    counter = h.add(first, blocks)
    following = [key, counter]
    if has_upper:
        following.append(h.add(upper, h.convert(h.lt(counter, first), _U64)))
    return h.reshape(h.slice_in_dim(flat, 0, size, 0), shape), following


def _as_element(h: Hlo, bits: SSAValue, element: Attribute) -> SSAValue:
    """The low bits of unsigned words as numbers of another type."""
    if element_kind(element) in (SINT, UINT):
        return h.convert(bits, element)
    return h.bitcast(h.convert(bits, IntegerType(bit_width(element), Signedness.UNSIGNED)), element)


def expand_bit_generator(op: stablehlo.RngBitGeneratorOp) -> None:
    """Replace one op.

    Raises:
        UnsupportedError: no bits of this type, or no state of this length.
    """
    output = op.output.type
    assert isinstance(output, TensorType)
    element, shape = output.element_type, output.get_shape()
    if any(n < 0 for n in shape):
        raise unsupported(op, f"bits of dynamic shape {output}", "refine the program to static shapes first")
    if bit_width(element) not in (2, 4, 8, 16, 32, 64):
        raise unsupported(op, f"no bits of type {element}", "ask for ui8 and take what you need of it")
    h = Hlo.before(op)
    state = op.initial_state
    words = shape_of(state)
    threefry = op.rng_algorithm.data == RngAlgorithm.THREE_FRY
    if words not in (((2,),) if threefry else ((2,), (3,))):
        raise unsupported(op, f"{op.rng_algorithm.data} with a state {state.type}", "a state is tensor<2xui64>")
    if bit_width(element_of(state)) != 64:
        raise unsupported(op, f"a state {state.type}", "a state is tensor<2xui64>")
    generate = _threefry_bits if threefry else _philox_bits
    bits, following = generate(h, h.convert(state, _U64), shape, bit_width(element))
    new_state = h.convert(h.stack(following), element_of(state))
    replace(op, [new_state, _as_element(h, bits, element)])


# Numbers of a distribution.


def _unit_interval(h: Hlo, low: SSAValue, high: SSAValue, element: Attribute) -> SSAValue:
    """Multiples of 2**-23 (2**-52) in [0, 1): mantissa bits under the exponent of one, less one."""
    if isinstance(element, Float64Type):
        bits = h.binary("shift_right_logical", _joined(h, low, high), 12)
        one = 0x3FF << 52
    else:
        bits, one = h.binary("shift_right_logical", low, 9), 0x7F << 23
    return h.sub(h.bitcast(h.logical_or(bits, one), element), 1.0)


def _floats(h: Hlo, op: stablehlo.RngOp, low: SSAValue, high: SSAValue) -> SSAValue:
    element, shape = element_of(op.result), shape_of(op.result)
    wide = element if isinstance(element, Float32Type | Float64Type) else f32
    a, b = (_spread(h, h.convert(x, wide), shape) for x in (op.a, op.b))
    unit = _unit_interval(h, low, high, wide)
    if op.rng_distribution.data == RngDistribution.NORMAL:
        step = 2.0**-52 if isinstance(wide, Float64Type) else 2.0**-23
        centered = h.sub(h.mul(unit, 2.0), 1.0 - step)
        normal = h.mul(h.insert(chlo.ErfInvOp(centered)), math.sqrt(2))
        return h.convert(h.add(a, h.mul(b, normal)), element)
    value = h.convert(h.add(a, h.mul(h.sub(b, a), unit)), element)
    # Rounding may reach the end that does not belong to the interval.
    return h.select(h.lt(value, _spread(h, op.b, shape)), value, _spread(h, op.a, shape))


def _integers(h: Hlo, op: stablehlo.RngOp, low: SSAValue, high: SSAValue) -> SSAValue:
    element, shape = element_of(op.result), shape_of(op.result)
    a, b = (h.convert(x, _U64) for x in (op.a, op.b))
    span = h.select(h.lt(op.a, op.b), h.sub(b, a), 1)
    offset = h.binary("remainder", _joined(h, low, high), _spread(h, span, shape))
    return h.convert(h.add(offset, _spread(h, a, shape)), element)


_REPEATED = (
    stablehlo.WhileOp,
    stablehlo.ReduceOp,
    stablehlo.ReduceWindowOp,
    stablehlo.SelectAndScatterOp,
    stablehlo.MapOp,
    stablehlo.SortOp,
    stablehlo.ScatterOp,
)


def _repeats(op: Operation) -> str | None:
    """The op around `op` that runs it many times, by name."""
    parent = op.parent_op()
    while parent is not None:
        if isinstance(parent, _REPEATED):
            return parent.name
        parent = parent.parent_op()
    return None


def expand_rng(op: stablehlo.RngOp, stream: int) -> None:
    """Replace one op by the numbers of a stream.

    Raises:
        UnsupportedError: the op runs many times.
    """
    around = _repeats(op)
    if around is not None:
        reason = f"inside of {around} it would give the same numbers each time"
        raise unsupported(op, reason, "carry a state and use rng_bit_generator, or draw the numbers before")
    if any(n < 0 for n in shape_of(op.result)):
        raise unsupported(op, f"numbers of dynamic shape {op.result.type}", "refine the program to static shapes first")
    h = Hlo.before(op)
    shape, kind = shape_of(op.result), element_kind(element_of(op.result))
    if kind == PRED:
        # The only boolean interval that is not empty is [false, true).
        replace(op, [_spread(h, op.a, shape)])
        return
    key = (h.scalar(stream, _U32), h.scalar(STREAM_TAG, _U32))
    low, high = threefry_2x32(h, key, *_low_high(h, _counters(h, h.scalar(0, _U64), shape)))
    numbers = _integers if kind in (SINT, UINT) else _floats
    replace(op, [numbers(h, op, low, high)])


REPLACES: tuple[str, ...] = ("stablehlo.rng", "stablehlo.rng_bit_generator")
"""The ops it takes away, by name (`docs/stablehlo-status.md` reads this)."""


@dataclass(frozen=True)
class ExpandRandomPass(Pass):
    """Expand random bits and numbers into integer arithmetic."""

    name = "expand-random"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Expand every op, wherever it is."""
        streams = stream_numbers(op)
        for old in list(op.walk()):
            if isinstance(old, stablehlo.RngBitGeneratorOp):
                expand_bit_generator(old)
            elif isinstance(old, stablehlo.RngOp):
                expand_rng(old, streams[old])
