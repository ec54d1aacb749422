"""The `math` ops that are instructions: everything else is expanded before the writer, and refused here by name."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import Operation

from stepwell.backends.llvm import soft_float
from stepwell.backends.llvm.arith import fast_math, intrinsic, lanes_of, per_row, refuse_small_float, register_type
from stepwell.backends.llvm.types import element_bytes, element_type, is_small_float, scalar_type, splat_literal
from stepwell.backends.llvm.vector import concatenate, shuffle
from stepwell.backends.llvm.writer import Emitter, FunctionWriter, unsupported


def _fma(w: FunctionWriter, op: Operation) -> None:
    type_ = op.results[0].type
    refuse_small_float(op, type_)
    name, lanes = scalar_type(element_type(type_)), lanes_of(type_)
    flags = fast_math(op)
    per_row(w, op, lambda a, b, c: soft_float.fma(w, name, lanes, a, b, c, flags))


def _absf(w: FunctionWriter, op: Operation) -> None:
    type_ = op.results[0].type
    if is_small_float(type_):
        name = scalar_type(element_type(type_))
        bits = "32767" if name == "i16" else "127"
        mask = bits if lanes_of(type_) is None else splat_literal(bits, name)
        per_row(w, op, lambda a: w.emit(f"and {register_type(type_)} {a}, {mask}"))
        return
    _FABS(w, op)


def _in_registers(w: FunctionWriter, op: Operation, known: Sequence[tuple[int, str]], *, rounds: bool) -> None:
    """Lanes in registers as wide as are filled, by masked intrinsics; the last ones with lanes to spare."""
    type_ = op.results[0].type
    name, lanes = scalar_type(element_type(type_)), lanes_of(type_)
    if not known or lanes is None:
        raise unsupported(op, f"this machine has no instruction for it on {type_}; expand-math writes others")
    names = dict(known)

    def computed(*values: str) -> str:
        parts: list[str] = []
        wide = next((n for n, _ in known if n >= lanes), known[-1][0])
        row = f"<{wide} x {name}>"
        for first in range(0, lanes, wide):
            picks = [first + i if first + i < lanes else -1 for i in range(wide)]
            operands = [(row, shuffle(w, v, "poison", name, lanes, picks)) for v in values]
            mask = [("i16" if wide > 8 else "i8", "-1")]
            rounding = [("i32", "4")] if rounds and wide * element_bytes(element_type(type_)) == _WIDE_BYTES else []
            parts.append(w.call(row, names[wide], [*operands, (row, "poison"), *mask, *rounding]))
        return shuffle(w, concatenate(w, parts, name, wide), "poison", name, wide * len(parts), range(lanes))

    per_row(w, op, computed)


def _scaleb(w: FunctionWriter, op: Operation) -> None:
    name = scalar_type(element_type(op.results[0].type))
    _in_registers(w, op, w.module.strategy.scales.get(name, ()), rounds=True)


def _estimate(w: FunctionWriter, op: Operation) -> None:
    name = scalar_type(element_type(op.results[0].type))
    _in_registers(w, op, w.module.strategy.estimates.get((op.name, name), ()), rounds=False)


_WIDE_BYTES = 64
"""Rows of so many bytes come with how they round: 4, as always."""

_FABS = intrinsic("fabs", floating=True)

EMITTERS: dict[str, Emitter] = {
    "math.absf": _absf,
    "math.absi": intrinsic("abs", floating=False, extra="false"),
    "math.ceil": intrinsic("ceil", floating=True),
    "math.copysign": intrinsic("copysign", floating=True),
    "math.ctlz": intrinsic("ctlz", floating=False, extra="false"),
    "math.ctpop": intrinsic("ctpop", floating=False),
    "math.cttz": intrinsic("cttz", floating=False, extra="false"),
    "math.floor": intrinsic("floor", floating=True),
    "math.fma": _fma,
    "math.reciprocal_estimate": _estimate,
    "math.roundeven": intrinsic("roundeven", floating=True),
    "math.rsqrt_estimate": _estimate,
    "math.scaleb": _scaleb,
    "math.sqrt": intrinsic("sqrt", floating=True),
    "math.trunc": intrinsic("trunc", floating=True),
}
