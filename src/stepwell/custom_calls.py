"""`stepwell.register_custom_call`: a Python function over arrays is what calls of a target mean, on every machine.

    @stepwell.register_custom_call("my_softcap")
    def softcap(x, *, limit=1.0):
        return limit * stepwell.numpy.tanh(x / limit)

The function gets a call's operands as arrays and its attributes (`backend_config`, or `mhlo.backend_config`, when it is a
dictionary) as keyword arguments; a `backend_config` that is text comes as `backend_config`. It is traced for each call, and what it
computes takes the call's place. So it is compiled, fused and run like the rest of the program. On the command line, `--import FILE.py`
(or `--import MODULE`) runs a module that registers.

    stepwell.register_custom_call("my_table", callback=lambda x: TABLE[np.asarray(x)])

A callback instead is not looked into: compiled programs call it, on NumPy arrays, while they run.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from xdsl.dialects.builtin import TensorType
from xdsl.dialects.func import FuncOp

from stepwell.dialects.stablehlo import CustomCallOp
from stepwell.dialects.stablehlo.custom_calls import (
    attributes_of,
    config_text,
    meaning_of,
    python_value,
    register_meaning,
    unregister_meaning,
)
from stepwell.dialects.stablehlo.lapack import is_lapack
from stepwell.frontends.build import Function, shape_of
from stepwell.frontends.pytree import flatten
from stepwell.frontends.tracer import Trace, Tracer, converted, is_array, is_scalar, tracing
from stepwell.ir.diagnostics import DiagnosticError, invalid, location_of, unsupported
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.errors import InvalidProgramError
from stepwell.ir.host_calls import callback_of, register_callback, unregister_callback
from stepwell.passes.expand_custom_calls import EXPANSIONS
from stepwell.passes.inline import inline_calls

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


@overload
def register_custom_call(target: str, function: FunctionT, *, replace: bool = False) -> FunctionT: ...
@overload
def register_custom_call(target: str, *, callback: FunctionT, replace: bool = False) -> FunctionT: ...
@overload
def register_custom_call(
    target: str, function: None = None, *, replace: bool = False
) -> Callable[[FunctionT], FunctionT]: ...
def register_custom_call(target: str, function: Any = None, *, callback: Any = None, replace: bool = False) -> Any:
    """Give the custom calls of a target a meaning: in programs that are compiled from now on, in all threads.

    Args:
        target: the name programs call.
        function: takes the operands as arrays, the attributes as keyword arguments; returns an array, or a tuple or list of them.
            Without it (and without a callback) a decorator is returned.
        callback: a Python function that programs call while they run, for what cannot be traced: NumPy, ctypes, a library. It gets the
            operands as read-only NumPy arrays, which it must not keep, and the attributes as keyword arguments, and returns arrays of the
            call's shapes and dtypes. It is a function of its operands: a call may be left out, or done once for several. Programs
            that call it are not kept in the cache on disk, and do not run on a GPU.
        replace: the target may have a meaning already, also one of Stepwell's own.

    Returns:
        The function, or the callback.

    Raises:
        InvalidProgramError: the target has a meaning and `replace` is not set, or something is not what it should be.
    """
    if not isinstance(target, str) or not target:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidProgramError(f"a custom call's target is a name, not {target!r}")

    if callback is not None and function is not None:
        raise InvalidProgramError(f"'{target}' is a function that is traced or a callback, not both")

    def register(function: Any) -> Any:
        if not callable(function):
            raise InvalidProgramError(f"register_custom_call takes a function, not {function!r}")
        if not replace and (is_lapack(target) or target in EXPANSIONS):
            raise InvalidProgramError(
                f"the custom call target '{target}' is one of Stepwell's own; replace=True replaces it"
            )
        if not _entered(target, function, callback is not None, replace):
            raise InvalidProgramError(
                f"the custom call target '{target}' has a meaning; replace=True replaces it, unregister_custom_call takes it away"
            )
        return function

    if callback is not None:
        return register(callback)
    return register if function is None else register(function)


def _entered(target: str, function: Callable[..., Any], is_callback: bool, replace: bool) -> bool:
    """Enter a function as a meaning or a callback, in place of either; False when there is one and it may not be replaced."""
    if not replace and is_registered(target):
        return False
    if is_callback:
        unregister_meaning(target)
        return register_callback(target, function, replace=replace)
    unregister_callback(target)
    return register_meaning(target, lambda op: _traced(function, op), replace=replace)


def unregister_custom_call(target: str) -> None:
    """Take away what `register_custom_call` gave a target.

    Raises:
        InvalidProgramError: it has nothing of that kind.
    """
    if not unregister_meaning(target) and not unregister_callback(target):
        raise InvalidProgramError(f"nothing is registered for the custom call target '{target}'")


def is_registered(target: str) -> bool:
    """Whether something is registered for a target."""
    return meaning_of(target) is not None or callback_of(target) is not None


def _traced(function: Callable[..., Any], op: CustomCallOp) -> FuncOp:
    """The function that a call stands for."""
    target = op.call_target_name.data
    for value in (*op.operands, *op.results):
        _require_array(op, value.type)
    attributes = {name: python_value(a) for name, a in attributes_of(op).items()}
    if text := config_text(op):
        attributes["backend_config"] = text
    builder = Function("custom_call", [v.type for v in op.operands])
    running = Trace(target, builder)
    with tracing(running):
        operands = [running.tracer(v) for v in builder.arguments]
        results = _called(function, op, operands, attributes)
        module = builder.finish(*_values(op, running, results))
    inline_calls(module, 1_000_000)
    made = module.body.block.first_op
    assert isinstance(made, FuncOp)
    made.detach()
    return made


def _require_array(op: CustomCallOp, a_type: Any) -> None:
    if not isinstance(a_type, TensorType) or not a_type.has_static_shape():
        raise unsupported(op, f"a registered function takes and gives arrays of known shape, not {a_type}")
    try:
        numpy_dtype(a_type.element_type)
    except TypeError:
        raise unsupported(op, f"no array holds what {a_type} does") from None


def _called(
    function: Callable[..., Any], op: CustomCallOp, operands: list[Tracer], attributes: dict[str, Any]
) -> list[Any]:
    """What the function returns, as a list."""
    target = op.call_target_name.data
    try:
        inspect.signature(function).bind(*operands, **attributes)
    except TypeError as error:
        given = f"{len(operands)} operands" + (f" and the attributes {', '.join(attributes)}" if attributes else "")
        message = f"of '{target}' does not fit the function that is registered for it: {error}"
        raise invalid(op, message, f"the call has {given}") from None
    except ValueError:  # a function that does not say what it takes
        pass
    try:
        return flatten(function(*operands, **attributes))[0]
    except DiagnosticError as error:
        note = f"in the function that is registered for the custom call target '{target}'"
        raise type(error)(error.diagnostic.with_note(note, location_of(op))) from None
    except Exception as error:
        message = f"of '{target}': the function that is registered for it raised {type(error).__name__}: {error}"
        raise invalid(op, message) from error


def _values(op: CustomCallOp, running: Trace, results: list[Any]) -> list[Any]:
    """The function's results as values of the call's result types; Python numbers take the type that is asked for."""
    target, wanted = op.call_target_name.data, [r.type for r in op.results]
    if len(results) != len(wanted):
        raise invalid(
            op,
            f"of '{target}' has {len(wanted)} results, the function that is registered for it returns {len(results)}",
        )
    values: list[Any] = []
    for i, (result, a_type) in enumerate(zip(results, wanted, strict=True)):
        if not is_array(result) and not is_scalar(result):
            message = (
                f"of '{target}': the function that is registered for it returns a {type(result).__name__} as result {i}"
            )
            raise invalid(op, message, "it returns an array, or a tuple or list of arrays")
        assert isinstance(a_type, TensorType)
        dtype = numpy_dtype(a_type.element_type)
        is_weak = is_scalar(result) or (isinstance(result, Tracer) and result.weak)
        value = running.value(converted(result, dtype) if is_weak else result)
        if value.type != a_type:
            message = f"of '{target}' has type {a_type} as result {i}, the function that is registered for it returns {value.type}"
            same = shape_of(value) == a_type.get_shape()
            raise invalid(op, message, f"end the function with .astype('{dtype.name}')" if same else None)
        values.append(value)
    return values


__all__ = ["is_registered", "register_custom_call", "unregister_custom_call"]
