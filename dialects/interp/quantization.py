"""The meaning of quantized tensors: an array of their integers, and what ops do with it.

Ops that compute are defined by floats: dequantize the operands, run the op on them, quantize the result (`dequantize_op_quantize`
of the specification). So each of them runs here as an op of the same name and attributes on the expressed types, by its own rule.
Ops that move elements move integers. A zero point is subtracted in more bits than the storage has, as the formula
`(i - zero_point) * scale` reads, not modulo the storage's width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from xdsl.ir import Attribute, Block, Operation

from stepwell.dialects import stablehlo as hlo
from stepwell.dialects.interp import numerics as num
from stepwell.dialects.quant import UniformType, expressed_of, quantized
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.errors import UnsupportedError
from stepwell.ir.interpreter import Interpreter, Rule, Value

Array = np.ndarray[Any, np.dtype[Any]]
Args = tuple[Value, ...]


def _parameters(of: UniformType, rank: int) -> tuple[Array, Array]:
    """Scales (of the expressed type) and zero points (as 64-bit numbers), in a shape that broadcasts."""
    shape = () if of.axis is None else tuple(-1 if d == of.axis else 1 for d in range(rank))
    scales = np.asarray(of.scales, np.float64).astype(numpy_dtype(of.expressed))
    zeros = np.asarray(of.zero_points, np.int64 if of.limits[1] < 1 << 63 else np.uint64)
    return scales.reshape(shape), zeros.reshape(shape)


def dequantize(x: Array, of: UniformType) -> Array:
    """The floats that integers stand for.

    Raises:
        UnsupportedError: 64-bit integers with a zero point other than 0.
    """
    scales, zeros = _parameters(of, x.ndim)
    wide = x.astype(zeros.dtype)
    if zeros.any():
        if of.storage.width.data == 64:
            raise UnsupportedError(f"{of}: zero points other than 0 of 64-bit integers")
        wide = wide - zeros
    with np.errstate(all="ignore"):
        return np.asarray(np.multiply(num.round_to(wide, scales.dtype), scales))


def quantize(x: Array, of: UniformType) -> Array:
    """The integers that floats become: scaled, shifted, clamped to the range in use, rounded to nearest even."""
    scales, zeros = _parameters(of, x.ndim)
    dtype = scales.dtype
    low, high = (num.round_to(np.asarray(v, zeros.dtype), dtype) for v in of.limits)
    with np.errstate(all="ignore"):
        shifted = np.add(np.divide(x, scales), num.round_to(zeros, dtype))
        clamped = num.minimum(num.maximum(np.asarray(shifted), low), high)
        return num.convert(num.via_wide(np.rint)(clamped), numpy_dtype(of.storage))


def requantize(x: Array, source: Attribute, target: Attribute) -> Array:
    """Integers of one quantized type as those of another; other arrays as they are."""
    of, to = quantized(source), quantized(target)
    if of is None or to is None or of == to:
        return x
    return quantize(dequantize(x, of), to)


def _float_twin(op: Operation) -> Operation:
    """The op on expressed types; it stands nowhere."""
    block = Block(arg_types=[expressed_of(o.type) for o in op.operands])
    types = [expressed_of(r.type) for r in op.results]
    return type(op).create(
        operands=block.args, result_types=types, properties=dict(op.properties), attributes=dict(op.attributes)
    )


def _expressed(op: Operation, args: Args) -> Args:
    """The arguments with dequantized arrays for quantized ones."""
    types = [quantized(o.type) for o in op.operands]
    return tuple(a if of is None else dequantize(a, of) for a, of in zip(args, types, strict=True))


def _any_quantized(op: Operation) -> bool:
    values = (*op._operands, *op.results)  # pyright: ignore[reportPrivateUsage]
    return any(quantized(v.type) is not None for v in values)


def _by_floats(rule: Rule) -> Rule:
    """Dequantize, run the op on floats, quantize."""

    def run(interp: Interpreter, op: Operation, args: Args) -> Sequence[Value]:
        if not _any_quantized(op):
            return rule(interp, op, args)
        results = rule(interp, _float_twin(op), _expressed(op, args))
        types = [quantized(r.type) for r in op.results]
        return tuple(r if of is None else quantize(r, of) for r, of in zip(results, types, strict=True))

    return run


def _select(rule: Rule) -> Rule:
    """Where all have one type the integers themselves are selected."""
    by_floats = _by_floats(rule)

    def run(interp: Interpreter, op: Operation, args: Args) -> Sequence[Value]:
        assert isinstance(op, hlo.SelectOp)
        types = {quantized(v.type) for v in (op.on_true, op.on_false, op.result)}
        return (rule if len(types) == 1 else by_floats)(interp, op, args)

    return run


def _compare(rule: Rule) -> Rule:
    """The floats are compared as floats."""

    def run(interp: Interpreter, op: Operation, args: Args) -> Sequence[Value]:
        if not _any_quantized(op):
            return rule(interp, op, args)
        twin = _float_twin(op)
        twin.properties.pop("compare_type", None)
        return rule(interp, twin, _expressed(op, args))

    return run


def _is_finite(rule: Rule) -> Rule:
    def run(interp: Interpreter, op: Operation, args: Args) -> Sequence[Value]:
        return (np.ones(args[0].shape, np.bool_),) if _any_quantized(op) else rule(interp, op, args)

    return run


def _constant(rule: Rule) -> Rule:
    """The value's bits are the stored integers, whatever sign its type gives them."""

    def run(interp: Interpreter, op: Operation, args: Args) -> Sequence[Value]:
        (value,) = rule(interp, op, args)
        of = quantized(op.results[0].type)
        return (value if of is None else num.wrap(value, numpy_dtype(of.storage)),)

    return run


def _accumulating(rule: Rule) -> Rule:
    """Reductions: inputs and inits become numbers of the region's own quantization first."""

    def run(interp: Interpreter, op: Operation, args: Args) -> Sequence[Value]:
        if not _any_quantized(op):
            return rule(interp, op, args)
        return rule(interp, op, tuple(_accumulators(op, args)))

    return run


def _accumulators(op: Operation, args: Args) -> Sequence[Value]:
    types = [a.type for a in op.regions[-1].block.args]
    names: dict[str, Sequence[int]] = {
        "stablehlo.select_and_scatter": (-1, 0, 0),  # the operand is only compared
        "stablehlo.scatter": [*range(len(types) // 2), -1, *range(len(types) // 2)],
    }
    places = names.get(op.name, [*range(len(types) // 2)] * 2)
    return [
        a if place < 0 else requantize(a, o.type, types[place])
        for a, o, place in zip(args, op.operands, places, strict=True)
    ]


def _uniform_quantize(interp: Interpreter, op: Operation, args: Args) -> Sequence[Value]:
    del interp
    of, to = quantized(op.operands[0].type), quantized(op.results[0].type)
    assert to is not None
    return (quantize(args[0] if of is None else dequantize(args[0], of), to),)


def _uniform_dequantize(interp: Interpreter, op: Operation, args: Args) -> Sequence[Value]:
    del interp
    of = quantized(op.operands[0].type)
    assert of is not None
    return (dequantize(args[0], of),)


_BY_FLOATS = (
    "abs add atan2 batch_norm_grad batch_norm_inference batch_norm_training cbrt ceil cholesky clamp convolution cosine"
    " divide dot_general dynamic_conv dynamic_iota exponential exponential_minus_one floor iota log log_plus_one logistic"
    " maximum minimum multiply negate power reduce_precision remainder round_nearest_afz round_nearest_even rsqrt sign"
    " sine sqrt subtract tan tanh triangular_solve"
).split()
_ACCUMULATING = ("reduce", "reduce_window", "scatter", "select_and_scatter")
_SPECIAL = {"compare": _compare, "constant": _constant, "is_finite": _is_finite, "select": _select}


def with_quantization(rules: dict[str, Rule]) -> dict[str, Rule]:
    """The rules, each of which also takes quantized operands where the specification allows them; and the conversions."""
    result = dict(rules)
    wrappers = {
        **dict.fromkeys(_BY_FLOATS, _by_floats),
        **dict.fromkeys(_ACCUMULATING, _accumulating),
        **_SPECIAL,
    }
    for name, wrap in wrappers.items():
        full = f"stablehlo.{name}"
        if full in rules:
            result[full] = wrap(rules[full])
    result["stablehlo.uniform_quantize"] = _uniform_quantize
    result["stablehlo.uniform_dequantize"] = _uniform_dequantize
    return result


def without_quantization(rules: dict[str, Rule]) -> dict[str, Rule]:
    """The rules of ops that have no meaning on quantized operands, which refuse them."""

    def refusing(rule: Rule) -> Rule:
        def run(interp: Interpreter, op: Operation, args: Args) -> Sequence[Value]:
            if _any_quantized(op):
                raise UnsupportedError(f"{op.name}: no meaning on quantized operands; dequantize them first")
            return rule(interp, op, args)

        return run

    return {name: refusing(rule) for name, rule in rules.items()}


__all__ = ["dequantize", "quantize", "requantize", "with_quantization", "without_quantization"]
