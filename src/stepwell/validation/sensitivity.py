"""How far results move when roundings move: the interpreter with noise of a few units of the last place.

What may round differently from one step to the next (docs/floating-point.md) is known op by op: sums, in any order; functions
such as `exp`, within their units of the last place; factorizations and transforms, as if their operands had been rounded. A *noisy*
interpreter adds noise of that size to just these results, and runs everything else as it is. How much the results of a function then
differ from run to run says what each of its elements may differ by, cancellation and branches included: an index of a maximum that
changes under the noise cannot be held against a pass, one that does not change can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
from xdsl.dialects.linalg.ops import GenericOp
from xdsl.ir import Operation

from stepwell.dialects.stablehlo import ReduceOp
from stepwell.generated_inputs import Array
from stepwell.ir.interpreter import Interpreter, Rule, Value
from stepwell.ir.structured import iterator_kinds

SCALES = (1.0, 1.0, 2.0, 2.0, 4.0, 4.0)
"""How loud the noise of each run is; later runs only happen while a difference is unexplained."""

_ULPS = {"float64": 64.0, "float32": 32.0, "float16": 2.0, "bfloat16": 2.0}
"""Noise on one result, in units of the last place; small types are computed in a wider one and rounded once."""
_SUM_ULPS = 2.0
"""Noise on a sum of n terms: so many units times the square root of n times the sum of the terms' sizes."""

_SUMS = frozenset(
    "stablehlo.dot stablehlo.dot_general stablehlo.convolution vector.contract vector.outerproduct "
    "chlo.ragged_dot chlo.scan".split()
)
_REDUCERS = frozenset(
    "stablehlo.reduce stablehlo.reduce_window stablehlo.scatter stablehlo.select_and_scatter stablehlo.all_reduce "
    "stablehlo.reduce_scatter linalg.generic vector.reduction vector.multi_reduction structured.scan "
    "structured.scatter structured.select_and_scatter".split()
)
_BACKWARD_STABLE = frozenset(
    "stablehlo.fft stablehlo.cholesky stablehlo.triangular_solve stablehlo.batch_norm_training stablehlo.custom_call "
    "stablehlo.batch_norm_inference stablehlo.batch_norm_grad".split()
)
_FUNCTIONS = frozenset(
    f"stablehlo.{name}"
    for name in "atan2 cbrt cosine exponential exponential_minus_one log log_plus_one logistic power rsqrt sine tan tanh".split()
)
_ROUNDED_MATH = frozenset(
    f"math.{n}" for n in "absf absi ceil floor trunc copysign fma ctpop ctlz cttz ipowi roundeven round sqrt".split()
)
_EXACT_CHLO = frozenset(
    f"chlo.{n}" for n in "constant constant_like is_inf is_neg_inf is_pos_inf mulhi next_after top_k".split()
)
_COMPLEX = frozenset(f"stablehlo.{name}" for name in "abs divide multiply sign sqrt".split())

_ADDS_AND_PRODUCTS = frozenset(
    "stablehlo.add stablehlo.multiply stablehlo.convert stablehlo.return arith.addf arith.mulf arith.extf arith.truncf "
    "arith.constant linalg.yield structured.yield".split()
)
_MOVES = frozenset(
    "stablehlo.maximum stablehlo.minimum stablehlo.compare stablehlo.select stablehlo.and stablehlo.or stablehlo.not "
    "stablehlo.xor stablehlo.convert stablehlo.constant stablehlo.return arith.cmpf arith.cmpi arith.select arith.andi "
    "arith.ori arith.xori arith.maximumf arith.minimumf arith.maxnumf arith.minnumf arith.maxsi arith.minsi arith.maxui "
    "arith.minui arith.addi arith.muli arith.constant arith.extf arith.truncf linalg.index linalg.yield structured.yield "
    "tensor.extract arith.index_cast".split()
)


def noisy_rules(rules: dict[str, Rule], rng: np.random.Generator, scale: float) -> dict[str, Rule]:
    """`rules` where each result that may round differently has noise of `scale` times its size."""
    noise = _Noise(rng, scale)
    return {name: noise.rule(name, rule) for name, rule in rules.items()}


def is_float(dtype: np.dtype[Any]) -> bool:
    """Floats of any width, ml_dtypes and complex included."""
    return dtype.kind in "fc" or dtype.name.startswith(("float", "bfloat"))


def _floats(args: Sequence[Value], change: Callable[[Array], Array]) -> tuple[Value, ...]:
    """Arguments with the float ones changed."""
    return tuple(change(np.asarray(a)) if is_float(np.asarray(a).dtype) else a for a in args)


def _sizes(array: Array) -> Array:
    """Magnitudes; what is not finite counts nothing."""
    return np.where(np.isfinite(array), np.abs(array), 0).astype(array.dtype)


def eps_of(dtype: np.dtype[Any]) -> float:
    """The unit of the last place at 1 (of a complex type: of its parts)."""
    return float(ml_dtypes.finfo(_part(dtype)).eps)


def _part(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def _one_by_one(base: Rule) -> Rule:
    """A reduction from the first to the last, where the interpreter combines pairs: regions need not be associative."""

    def rule(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
        count = len(args) // 2
        shape = np.shape(args[0])
        if not isinstance(op, ReduceOp) or 0 in shape:
            return base(interp, op, args)
        axes = [int(n) for n in op.dimensions.get_values()]
        results: Sequence[Value] = args[count:]
        for place in np.ndindex(*(shape[axis] for axis in axes)):
            at = dict(zip(axes, place, strict=True))
            where = tuple(slice(at[d], at[d] + 1) if d in at else slice(None) for d in range(len(shape)))
            slices = [np.asarray(a)[where] for a in args[:count]]
            results = base(interp, op, (*slices, *results))
        return results

    return rule


def _stays_finite(array: Array) -> bool:
    """Whether all numbers are finite, and so are sums of them."""
    return float(np.abs(_wide(array)).sum()) < 0.5 * float(ml_dtypes.finfo(_part(array.dtype)).max)


class _Noise:
    """Wraps rules by what their op may do."""

    def __init__(self, rng: np.random.Generator, scale: float):
        self._rng = rng
        self._scale = scale

    def rule(self, name: str, base: Rule) -> Rule:
        if name in _SUMS:
            return self._sum(base)
        if name in _REDUCERS:
            return self._reducer(base)
        if name in _BACKWARD_STABLE:
            return self._backward_stable(base)
        if name in _FUNCTIONS or (name.startswith("math.") and name not in _ROUNDED_MATH):
            return self._function(base)
        if name.startswith("chlo.") and name not in _EXACT_CHLO:
            return self._function(base)
        if name in _COMPLEX or name.startswith("complex."):
            return self._complex(base)
        return base

    # Kinds of op

    def _function(self, base: Rule) -> Rule:
        def rule(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
            return _floats(tuple(base(interp, op, args)), self._complex_noise)

        return rule

    def _complex(self, base: Rule) -> Rule:
        def rule(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
            results = tuple(base(interp, op, args))
            on_complex = any(np.asarray(v).dtype.kind == "c" for v in (*args, *results))
            return _floats(results, self._complex_noise) if on_complex else results

        return rule

    def _backward_stable(self, base: Rule) -> Rule:
        def rule(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
            results = _floats(tuple(base(interp, op, _floats(args, self._relative))), self._relative)
            # One number that is not finite spreads to all that an algorithm mixes it with.
            mixed = any(is_float(np.asarray(a).dtype) and not _stays_finite(np.asarray(a)) for a in args)
            return _floats(results, lambda r: self._lost(r, np.ones(r.shape, np.bool_))) if mixed else results

        return rule

    def _sum(self, base: Rule) -> Rule:
        def rule(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
            results = tuple(base(interp, op, args))
            if not any(is_float(np.asarray(r).dtype) for r in results):
                return results
            sizes = base(interp, op, _floats(args, _sizes))
            terms = max((np.size(a) for a in args), default=1)
            return tuple(self._summed(r, s, terms) for r, s in zip(results, sizes, strict=True))

        return rule

    def _product(self, base: Rule) -> Rule:
        """Products: relative noise, and anything at all where one order may overflow or lose all bits and another not."""

        def rule(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
            results = _floats(tuple(base(interp, op, args)), self._relative)
            most = base(interp, op, _floats(args, lambda a: np.maximum(_sizes(a), a.dtype.type(1))))
            least = base(
                interp, op, _floats(args, lambda a: np.where(a == 0, 1, np.minimum(_sizes(a), 1)).astype(a.dtype))
            )
            return tuple(self._unordered(r, m, t) for r, m, t in zip(results, most, least, strict=True))

        return rule

    def _unordered(self, result: Value, most: Value, least: Value) -> Value:
        array = np.asarray(result)
        if not is_float(array.dtype):
            return result
        tiny = float(ml_dtypes.finfo(_part(array.dtype)).tiny)
        return self._lost(array, ~np.isfinite(np.asarray(most)) | (np.abs(_wide(np.asarray(least))) < tiny))

    def _reducer(self, base: Rule) -> Rule:
        adding, multiplying, mixed = self._sum(base), self._product(base), self._backward_stable(_one_by_one(base))

        def rule(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
            kind = _reduction_kind(op)
            chosen = {"exact": base, "sum": adding, "product": multiplying}.get(kind, mixed)
            return chosen(interp, op, args)

        return rule

    # The noise

    def _relative(self, array: Array) -> Array:
        """Each number moved by a few units of its last place; a complex one by those of its size."""
        array = np.asarray(array)
        amount = self._scale * _ULPS.get(_part(array.dtype).name, 1.0) * eps_of(array.dtype)
        return self._moved(array, amount * np.abs(_wide(array)))

    def _complex_noise(self, array: Array) -> Array:
        """As `_relative`; of an infinity of the complex plane nobody promises the parts."""
        moved = self._relative(array)
        return self._lost(moved, ~np.isfinite(moved)) if moved.dtype.kind == "c" else moved

    def _summed(self, result: Value, sizes: Value, terms: int) -> Value:
        array = np.asarray(result)
        if not is_float(array.dtype):
            return result
        size = np.abs(_wide(np.asarray(sizes)))
        count = max(1.0, terms / max(1, array.size))
        # Sums of small floats run in f32 and are rounded once.
        amount = _SUM_ULPS * min(eps_of(array.dtype), eps_of(np.dtype(np.float32))) * np.sqrt(count) * size
        once = _SUM_ULPS * eps_of(array.dtype) * np.abs(_wide(array))
        moved = self._moved(array, self._scale * (amount + np.where(np.isfinite(once), once, 0.0)))
        # No order of a sum promises a sign of zero: a sum of -0.0 alone may start from +0.0.
        moved = np.where(moved == 0, np.copysign(np.real(moved), self._draw(array.shape)).astype(moved.dtype), moved)
        # Sums whose parts may overflow depend on the order altogether.
        limit = 0.5 * float(ml_dtypes.finfo(_part(array.dtype)).max)
        infinite = ~np.isfinite(array) if array.dtype.kind == "c" else False
        return self._lost(moved, ~np.isfinite(size) | (size >= limit) | infinite)

    def _lost(self, array: Array, lost: Array) -> Array:
        """`array` with anything at all where `lost`, another each time."""
        if not np.any(lost):
            return array
        if array.dtype.kind != "c":
            return np.asarray(np.where(lost, self._anything(array.shape), _wide(array))).astype(array.dtype)
        result = np.array(array)
        result.real, result.imag = (
            np.where(lost, self._anything(array.shape), part) for part in (np.real(array), np.imag(array))
        )
        return result

    def _anything(self, shape: tuple[int, ...]) -> Array:
        return np.asarray(np.array([np.nan, np.inf, -np.inf, 0.0])[self._rng.integers(0, 4, shape)])

    def _moved(self, array: Array, by: Array) -> Array:
        """`array` plus or minus between half and all of `by`, and of the least normal number's last place."""
        floor = 8 * self._scale * float(ml_dtypes.finfo(_part(array.dtype)).smallest_subnormal)
        wide = _wide(array)
        with np.errstate(all="ignore"):
            size = np.where(np.isfinite(by), by, 0.0) + np.where(by > 0, floor, 0.0)
            noise = self._draw(array.shape) * size
            if array.dtype.kind == "c":
                noise = noise + 1j * self._draw(array.shape) * size
            return np.where(np.isfinite(wide), wide + noise, wide).astype(array.dtype)

    def _draw(self, shape: tuple[int, ...]) -> Array:
        sign = self._rng.integers(0, 2, shape) * 2 - 1
        return np.asarray(sign * self._rng.uniform(0.5, 1.0, shape))


def _wide(array: Array) -> Array:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _reduction_kind(op: Operation) -> str:
    """What an op with a combining region (or a kind) does to floats: "exact" in any order, a "sum", or anything else."""
    if isinstance(op, GenericOp) and "reduction" not in iterator_kinds(op):
        return "exact"  # its body has rules of its own
    kind = op.properties.get("kind")
    if not op.regions:
        text = str(kind)
        return "sum" if "add" in text else "product" if "mul" in text else "exact"
    names = [inner.name for inner in op.regions[-1].walk()]
    if all(name in _MOVES for name in names):
        return "exact"
    if all(name in _ADDS_AND_PRODUCTS for name in names):
        return "sum" if any(name.endswith((".add", ".addf")) for name in names) else "product"
    return "mixed"


__all__ = ["SCALES", "eps_of", "is_float", "noisy_rules"]
