"""expand-math: write transcendental functions as polynomials, and arithmetic on small floats as f32.

Before: `%y = math.exp %x : vector<16xf32>`
After:  `%n = arith.addf ...`, `math.fma`, ... about fifteen ops of `arith`, on the same type (constants at the function's front)

Needs: any step from 2 on; runs on kernels. Keeps: `math.{sqrt, fma, absf, absi, floor, ceil, roundeven, copysign, ctpop, ctlz, cttz}`,
which the targets have; vectors scale by powers of two with `math.scaleb`, and wide ones take roots from `math.rsqrt_estimate` to the
same bits, where these are one op (`ir/machine.py` knows of the kernel's own machine). Arithmetic of small floats becomes extf, the
f32 op, truncf, so every op still rounds to its type; `truncf {exact}` rounds nothing: extending it again is its operand.
Without FMA products and sums stay apart. Where wide vectors are slow to divide, they are divided by one number, and by what a loop
does not change, through the reciprocal, to the same bits. ULP bounds: docs/floating-point.md.
Fails: a float type wider than f64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xdsl.context import Context
from xdsl.dialects import arith, math, vector
from xdsl.dialects.builtin import BFloat16Type, Float16Type, Float32Type, Float64Type, UnitAttr, f32
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.rewriter import Rewriter
from xdsl.utils.type import get_element_type_or_self

from stepwell.dialects.arith import RemFOp, with_element_type
from stepwell.dialects.math import BesselI1eOp, DigammaOp, ErfcOp, ErfInvOp, LgammaOp
from stepwell.ir.dtypes import is_byte_float
from stepwell.ir.errors import UnsupportedError
from stepwell.ir.machine import machine_of
from stepwell.ir.passes import Pass
from stepwell.passes.math_expansions import (
    division,
    error_function,
    exponential,
    gamma,
    hyperbolic,
    inverse_error_function,
    power,
    roots,
    rounding,
    trigonometric,
)
from stepwell.passes.math_expansions.emitter import Constants, Emitter, at
from stepwell.passes.schedules.small_floats import EXACT

Unary = Callable[[Emitter, SSAValue], SSAValue]
Binary = Callable[[Emitter, SSAValue, SSAValue], SSAValue]

UNARY: dict[type[Operation], Unary] = {
    math.AcosOp: trigonometric.acos,
    math.AcoshOp: hyperbolic.acosh,
    math.AsinOp: trigonometric.asin,
    math.AsinhOp: hyperbolic.asinh,
    math.AtanOp: trigonometric.atan,
    math.AtanhOp: hyperbolic.atanh,
    math.CbrtOp: roots.cbrt,
    math.CosOp: trigonometric.cos,
    math.CoshOp: hyperbolic.cosh,
    math.ErfOp: error_function.erf,
    BesselI1eOp: gamma.bessel_i1e,
    DigammaOp: gamma.digamma,
    ErfcOp: error_function.erfc,
    ErfInvOp: inverse_error_function.erf_inv,
    LgammaOp: gamma.lgamma,
    math.Exp2Op: exponential.exp2,
    math.ExpM1Op: exponential.expm1,
    math.ExpOp: exponential.exp,
    math.Log10Op: exponential.log10,
    math.Log1pOp: exponential.log1p,
    math.Log2Op: exponential.log2,
    math.LogOp: exponential.log,
    math.RoundOp: rounding.round_half_away,
    math.RsqrtOp: roots.rsqrt,
    math.SinOp: trigonometric.sin,
    math.SinhOp: hyperbolic.sinh,
    math.TanOp: trigonometric.tan,
    math.TanhOp: hyperbolic.tanh,
    math.TruncOp: rounding.trunc,
}

BINARY: dict[type[Operation], Binary] = {
    math.Atan2Op: trigonometric.atan2,
    math.PowFOp: power.powf,
    RemFOp: power.remf,
}

WIDE_BYTES = 64
"""Vectors of so many bytes take twice as long to divide as half of them, which other arithmetic does not."""

SHORT_NANS = "short_nans"
"""Attribute of a narrowing to bf16: the lower half of a NaN is zero, so that rounding leaves it one."""

_PLAIN = (arith.AddfOp, arith.SubfOp, arith.MulfOp, arith.DivfOp, math.ExpOp, math.SqrtOp, math.RsqrtOp)
"""Ops that are arithmetic all through: none makes a NaN by changing bits."""

_CHOOSING = (arith.MaximumfOp, arith.MinimumfOp, arith.MaxnumfOp, arith.MinnumfOp)
_CHOOSING_KINDS = ("maximumf", "minimumf", "maxnumf", "minnumf")
"""Ops, and kinds of reductions, whose result is one of their operands."""

_KEPT_ON_SMALL_FLOATS = (
    arith.ConstantOp,
    arith.ExtFOp,
    arith.TruncFOp,
    arith.SelectOp,
    arith.BitcastOp,
)


def is_small_float(type_: Attribute) -> bool:
    """True for bf16, f16 and the floats of 8 bits and less, and vectors of them."""
    element = get_element_type_or_self(type_)
    return isinstance(element, BFloat16Type | Float16Type) or is_byte_float(element)


def _widen_small_float(op: Operation, short: bool) -> list[Operation]:
    """Rebuild `op` on f32 between extf and truncf; the new ops that may need expanding themselves.

    `short`: what it computes of NaNs has the bits of one of them, or of the machine's own.
    """
    builder = at(op)
    operands: list[SSAValue] = []
    for operand in op.operands:
        if is_small_float(operand.type):
            operand = (
                _kept(operand) or builder.insert(arith.ExtFOp(operand, with_element_type(operand.type, f32))).result
            )
        operands.append(operand)
    types = [with_element_type(r.type, f32) if is_small_float(r.type) else r.type for r in op.results]
    wide = type(op).create(
        operands=operands, result_types=types, properties=dict(op.properties), attributes=dict(op.attributes)
    )
    builder.insert(wide)
    results: list[SSAValue] = []
    for old, new in zip(op.results, wide.results, strict=True):
        if new.type != old.type:
            narrow = builder.insert(arith.TruncFOp(new, old.type))
            if isinstance(op, _CHOOSING) or (isinstance(op, vector.ReductionOp) and op.kind.data in _CHOOSING_KINDS):
                narrow.attributes[EXACT] = UnitAttr()
            elif short and isinstance(op, _PLAIN):
                narrow.attributes[SHORT_NANS] = UnitAttr()
            new = narrow.result
        results.append(new)
    Rewriter.replace_op(op, [], results)
    return [wide]


def _kept(value: SSAValue) -> SSAValue | None:
    """The f32 that a small float was before it was narrowed, where that changed nothing."""
    op = value.owner
    if not isinstance(op, arith.TruncFOp) or EXACT not in op.attributes:
        return None
    return op.input if isinstance(get_element_type_or_self(op.input.type), Float32Type) else None


def _computes_on_small_floats(op: Operation) -> bool:
    if not op.name.startswith(("arith.", "math.")) and not isinstance(op, vector.ReductionOp | vector.FMAOp):
        return False
    if isinstance(op, _KEPT_ON_SMALL_FLOATS):
        return False
    if isinstance(op, arith.NegfOp | math.AbsFOp) and not is_byte_float(get_element_type_or_self(op.results[0].type)):
        return False  # of 16 bits, one is the sign
    return any(is_small_float(v.type) for v in (*op.operands, *op.results))


def _split_extension(op: arith.ExtFOp) -> None:
    """A small float to f64 through f32, both exact."""
    if not is_small_float(op.input.type) or not isinstance(get_element_type_or_self(op.result.type), Float64Type):
        return
    builder = at(op)
    middle = builder.insert(arith.ExtFOp(op.input, with_element_type(op.input.type, f32)))
    Rewriter.replace_op(op, [], [builder.insert(arith.ExtFOp(middle.result, op.result.type)).result])


def _check_float(op: Operation, type_: Attribute) -> None:
    if not isinstance(get_element_type_or_self(type_), Float32Type | Float64Type):
        raise UnsupportedError(f"{op.name}: no expansion for type {type_}; convert to f32 or f64 first")


class _Expansion:
    """State of one function's expansion."""

    def __init__(self, function: Operation):
        self.constants = Constants(function.regions[0].block)
        self.machine = machine_of(function)
        self.divides_slowly = self.machine.subgroup == 1 and self.machine.vector_bytes >= WIDE_BYTES

    def expand(self, op: Operation) -> None:
        if _computes_on_small_floats(op):
            # Cores give back a NaN they are given, and of numbers make one whose fraction is its first bit.
            for wide in _widen_small_float(op, short=self.machine.subgroup == 1):
                self.expand(wide)
            return
        if isinstance(op, arith.ExtFOp):
            kept = _kept(op.input)
            if kept is not None and kept.type == op.result.type:
                Rewriter.replace_op(op, [], [kept])
            else:
                _split_extension(op)
            return
        result = self._expanded(op)
        if result is not None:
            Rewriter.replace_op(op, [], [result])

    def _divided(self, op: arith.DivfOp) -> SSAValue | None:
        """A quotient by a reciprocal, where that is taken less often than the quotient."""
        emitter = Emitter(at(op), self.constants, op.result.type, self.machine)
        number = division.scalar_divisor(op)
        if number is not None:
            return division.divide(emitter, op.lhs, op.rhs, number)
        loop = division.invariant_divisor(op)
        if loop is None:
            return None
        before = Emitter(at(loop), self.constants, op.result.type, self.machine)
        return division.divide_in_loop(emitter, before, op.lhs, op.rhs)

    def _expanded(self, op: Operation) -> SSAValue | None:
        kind = type(op)
        if kind in UNARY or kind in BINARY:
            type_ = op.results[0].type
            _check_float(op, type_)
            emitter = Emitter(at(op), self.constants, type_, self.machine)
            rule: Any = UNARY.get(kind) or BINARY[kind]
            return rule(emitter, *op.operands)
        if isinstance(op, math.FmaOp) and not self.machine.has_fma:
            builder = at(op)
            product = builder.insert(arith.MulfOp(op.a, op.b)).result
            return builder.insert(arith.AddfOp(product, op.c)).result
        if isinstance(op, arith.DivfOp) and self.divides_slowly and self.machine.has_fma:
            return self._divided(op)
        if isinstance(op, math.SqrtOp):
            emitter = Emitter(at(op), self.constants, op.result.type, self.machine)
            return roots.sqrt(emitter, op.operand) if roots.refines_root(emitter, WIDE_BYTES) else None
        if isinstance(op, math.IPowIOp):
            return power.ipowi(at(op), self.constants, op.lhs, op.rhs)
        if isinstance(op, math.FPowIOp):
            emitter = Emitter(at(op), self.constants, op.result.type, self.machine)
            exponent = emitter.builder.insert(arith.SIToFPOp(op.rhs, op.result.type)).result  # pyright: ignore
            return power.powf(emitter, op.lhs, exponent)
        return None


@dataclass(frozen=True)
class ExpandMathPass(Pass):
    """Write transcendental functions as polynomials, and small-float arithmetic as f32."""

    name = "expand-math"
    anchor = "kernel.func"
    numerics = "rounding"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Expand every op of one function."""
        expansion: _Expansion | None = None
        for inner in list(op.walk()):
            if expansion is None and inner.name.startswith(("math.", "arith.", "vector.")):
                expansion = _Expansion(op)
            if expansion is not None:
                expansion.expand(inner)
