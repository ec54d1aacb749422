"""JAX's calls of LAPACK on a CPU, `lapack_<s|d|c|z><routine>_ffi`: what each takes and gives, checked.

Matrices are the last two dims, all dims before are batch dims. Layouts, aliases and frontend attributes are about memory, and are
not looked at. `info` results count from 1 and are 0 when all went well, as LAPACK has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from xdsl.dialects.builtin import ComplexType, TensorType, f32, f64, i32
from xdsl.ir import Attribute, SSAValue

from stepwell.dialects.stablehlo.control_flow import CustomCallOp
from stepwell.dialects.stablehlo.custom_calls import attributes_of, python_value
from stepwell.ir.diagnostics import invalid, unsupported

_ELEMENTS: dict[str, Any] = {"s": f32, "d": f64, "c": ComplexType(f32), "z": ComplexType(f64)}
_TARGET = re.compile(r"lapack_([sdcz])(\w+)_ffi")
_SAME = {"ungqr": "orgqr", "unmqr": "ormqr", "heevd": "syevd", "gesvd": "gesdd", "hetrd": "sytrd"}
"""Names of complex routines, and of other ways to the same results."""


@dataclass(frozen=True)
class LapackCall:
    """A checked call of a routine."""

    op: CustomCallOp
    routine: str
    element: Any
    config: dict[str, Any]

    @property
    def batch(self) -> tuple[int, ...]:
        """The batch dims of the first operand."""
        return self.shape(0)[:-2]

    def shape(self, operand: int) -> tuple[int, ...]:
        """The shape of an operand."""
        return _tensor(self.op.operands[operand]).get_shape()

    def letter(self, name: str, allowed: str) -> str:
        """An attribute that is a character's code, one of `allowed`."""
        code = self.config.get(name)
        letter = chr(code) if isinstance(code, int) and 0 <= code < 128 else code
        if not isinstance(letter, str) or letter not in tuple(allowed):
            wanted = ", ".join(f"{c} ({ord(c)})" for c in allowed)
            raise invalid(self.op, f"has {name} = {code}, expected one of {wanted}")
        return letter

    def flag(self, name: str) -> bool:
        """An attribute that is a boolean."""
        value = self.config.get(name)
        if not isinstance(value, bool):
            raise invalid(self.op, f"has {name} = {value}, expected true or false")
        return value


def _tensor(value: SSAValue) -> Any:
    return value.type


def _matrix_types(call: LapackCall, *ends: tuple[Any, Sequence[int]]) -> list[Attribute]:
    return [TensorType(element, [*call.batch, *end]) for element, end in ends]


def _real(call: LapackCall) -> Any:
    return call.element.element_type if isinstance(call.element, ComplexType) else call.element


def _first(call: LapackCall) -> tuple[Any, Sequence[int]]:
    return call.element, call.shape(0)[-2:]


def _square(call: LapackCall) -> int:
    m, n = call.shape(0)[-2:]
    if m != n:
        raise invalid(call.op, f"takes square matrices, not {call.op.operands[0].type}")
    return n


def _potrf(call: LapackCall) -> list[Attribute]:
    _square(call)
    return _matrix_types(call, _first(call), (i32, []))


def _trsm(call: LapackCall) -> list[Attribute]:
    n = _square(call)
    shape = call.shape(1)
    side = -2 if call.letter("side", "LR") == "L" else -1
    if len(shape) != len(call.shape(0)) or shape[:-2] != call.batch or shape[side] != n:
        raise invalid(
            call.op, f"has operands {call.op.operands[0].type} and {call.op.operands[1].type} that do not match"
        )
    return [call.op.operands[1].type]


def _getrf(call: LapackCall) -> list[Attribute]:
    return _matrix_types(call, _first(call), (i32, [min(call.shape(0)[-2:])]), (i32, []))


def _geqrf(call: LapackCall) -> list[Attribute]:
    return _matrix_types(call, _first(call), (call.element, [min(call.shape(0)[-2:])]))


def _scales(call: LapackCall) -> int:
    shape = call.shape(1)
    k = shape[-1] if shape else -1
    if shape[:-1] != call.batch or not 0 <= k <= min(call.shape(0)[-2:]):
        raise invalid(
            call.op, f"has factors {call.op.operands[0].type} and scales {call.op.operands[1].type} that do not match"
        )
    return k


def _orgqr(call: LapackCall) -> list[Attribute]:
    _scales(call)
    m, n = call.shape(0)[-2:]
    if n > m:
        raise invalid(call.op, f"makes {n} orthogonal columns of {m} rows")
    return _matrix_types(call, _first(call))


def _ormqr(call: LapackCall) -> list[Attribute]:
    _scales(call)
    shape = call.shape(2)
    side = -2 if call.flag("left") else -1
    if len(shape) != len(call.shape(0)) or shape[:-2] != call.batch or shape[side] != call.shape(0)[-2]:
        raise invalid(
            call.op, f"has operands {call.op.operands[0].type} and {call.op.operands[2].type} that do not match"
        )
    return [call.op.operands[2].type]


def _syevd(call: LapackCall) -> list[Attribute]:
    return _matrix_types(call, _first(call), (_real(call), [_square(call)]), (i32, []))


def _gesdd(call: LapackCall) -> list[Attribute]:
    m, n = call.shape(0)[-2:]
    k = min(m, n)
    mode = call.letter("mode", "ASN")
    full = mode == "A"
    if mode == "N" and len(call.op.results) > 3:  # nothing is written there; both sizes are seen
        full = [_tensor(r).get_shape()[-2:] for r in call.op.results[2:4]] == [(m, m), (n, n)]
    u, vh = ((m, m), (n, n)) if full else ((m, k), (k, n))
    return _matrix_types(call, _first(call), (_real(call), [k]), (call.element, u), (call.element, vh), (i32, []))


_RESULTS: dict[str, tuple[int, Callable[[LapackCall], list[Attribute]]]] = {
    "geqrf": (1, _geqrf),
    "gesdd": (1, _gesdd),
    "getrf": (1, _getrf),
    "orgqr": (2, _orgqr),
    "ormqr": (3, _ormqr),
    "potrf": (1, _potrf),
    "syevd": (1, _syevd),
    "trsm": (2, _trsm),
}
"""Routine -> (how many operands, its result types from a call)."""


def is_lapack(target: str) -> bool:
    """Whether a target is a routine that is known here."""
    match = _TARGET.fullmatch(target)
    return match is not None and _SAME.get(match[2], match[2]) in _RESULTS


def lapack_call(op: CustomCallOp) -> LapackCall:
    """A call of a routine that `is_lapack` knows, checked: what does not fit is an error at the op.

    Raises:
        InvalidProgramError: operands, attributes or results are not those of the routine.
        UnsupportedError: a shape is dynamic.
    """
    match = _TARGET.fullmatch(op.call_target_name.data)
    assert match is not None
    config = {name: python_value(a) for name, a in attributes_of(op).items()}
    call = LapackCall(op, _SAME.get(match[2], match[2]), _ELEMENTS[match[1]], config)
    count, results = _RESULTS[call.routine]
    if len(op.operands) != count:
        raise invalid(op, f"of '{op.call_target_name.data}' has {len(op.operands)} operands, expected {count}")
    for value in (*op.operands, *op.results):
        if isinstance(value.type, TensorType) and not value.type.has_static_shape():
            raise unsupported(op, f"the dynamic shape of {value.type}", "run refine-shapes first")
    for value in op.operands:
        if not isinstance(value.type, TensorType) or value.type.element_type != call.element:
            raise invalid(
                op,
                f"of '{op.call_target_name.data}' has an operand of type {value.type}, its elements must be {call.element}",
            )
    if len(call.shape(0)) < 2:
        raise invalid(op, f"takes matrices, not {op.operands[0].type}")
    wanted, found = results(call), [r.type for r in op.results]
    if wanted != found:
        shown = [", ".join(map(str, types)) for types in (found, wanted)]
        raise invalid(op, f"of '{op.call_target_name.data}' has results ({shown[0]}), expected ({shown[1]})")
    return call


__all__ = ["LapackCall", "is_lapack", "lapack_call"]
