"""Tracing: a trace owns a function under construction, tracers stand for its values, a thread has a stack of traces."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeGuard

import numpy as np
from xdsl.ir import SSAValue

from stepwell.frontends.array import Array
from stepwell.frontends.build import Function, Values, shape_of
from stepwell.frontends.dtypes import DType, as_dtype, result_type, scalar_dtype
from stepwell.frontends.errors import ConcretizationError, LeakedTracerError, PromotionError, TracingError, refuse
from stepwell.frontends.operators import METHODS, UFUNCS, Operators
from stepwell.ir.dtypes import numpy_dtype


class Tracer(Operators):
    """A value of a function being traced: shape and dtype, but no elements yet."""

    __slots__ = ("_trace", "_value", "dtype", "shape", "weak")

    def __init__(self, trace: Trace, value: SSAValue, dtype: DType, weak: bool = False):
        self._trace = trace
        self._value = value
        self.shape = shape_of(value)
        self.dtype = dtype
        self.weak = weak

    def __repr__(self) -> str:
        return f"<traced {self.dtype.name}[{','.join(map(str, self.shape))}] in {self._trace.name}>"

    def value_in(self, trace: Trace) -> SSAValue:
        """The step-1 value, for use in `trace`.

        Raises:
            LeakedTracerError: this tracer is another trace's, or of a region that has ended.
        """
        if self._trace is not trace or not trace.function.is_visible(self._value):
            hint = "return the value from the function (or loop body) it was computed in; do not keep it elsewhere"
            raise refuse(f"{self!r} is used outside of the trace it belongs to", hint, LeakedTracerError)
        return self._value

    def _concrete(self, what: str, hint: str) -> NoReturn:
        message = f"{what} needs the elements of {self!r}, which are known only when the program runs"
        raise refuse(message, hint, ConcretizationError)

    def __bool__(self) -> bool:
        hint = "use stepwell.numpy.where or stepwell.lax.cond; '&', '|', '~' for 'and', 'or', 'not'"
        self._concrete("the truth value", hint + "; or make the argument static")

    def __int__(self) -> int:
        self._concrete("int()", "use astype('int32'), or make the argument static (static_argnums)")

    def __index__(self) -> int:
        hint = "shapes, axes and loop bounds must be static (static_argnums); loop with stepwell.lax.fori_loop"
        self._concrete("a Python integer", hint)

    def __float__(self) -> float:
        hint = (
            "use stepwell.numpy's function instead of math's, astype('float32'), or a static argument (static_argnums)"
        )
        self._concrete("float()", hint)

    def __complex__(self) -> complex:
        self._concrete("complex()", "use astype('complex64'), or make the argument static (static_argnums)")

    def item(self) -> Any:
        """Refused: there is no element yet."""
        self._concrete("item()", "return the array and call item() outside of jit")

    def tolist(self) -> Any:
        """Refused: there are no elements yet."""
        self._concrete("tolist()", "return the array and call tolist() outside of jit")

    def numpy(self) -> Any:
        """Refused: there are no elements yet."""
        self._concrete("numpy()", "return the array and call numpy() outside of jit")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        self._concrete("a NumPy array", "use the function of stepwell.numpy, or call NumPy outside of jit")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "__call__" and not options and ufunc.__name__ in UFUNCS:
            return METHODS[UFUNCS[ufunc.__name__]](*inputs)
        self._concrete(f"numpy.{ufunc.__name__}", f"use stepwell.numpy.{ufunc.__name__}")

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        self._concrete(f"numpy.{function.__name__}", f"use stepwell.numpy.{function.__name__}")

    def __dlpack__(self, **options: Any) -> Any:
        self._concrete("DLPack", "exchange arrays outside of jit")

    def __hash__(self) -> int:
        self._concrete("a hash", "sets and the keys of dicts hold Python values; compare traced arrays with ==")

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        self._concrete(f"the format '{spec}'", "return the array and format it outside of jit; print it as it is here")

    def __len__(self) -> int:
        if not self.shape:
            raise refuse("a 0-d array has no length", kind=ConcretizationError)
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        for i in range(len(self)):
            yield self[i]


class Trace:
    """One function being traced."""

    def __init__(self, name: str, function: Function):
        self.name = name
        self.function = function

    def tracer(self, value: SSAValue, weak: bool = False) -> Tracer:
        """A tracer of a value of this trace."""
        return Tracer(self, value, numpy_dtype(_element(value)), weak)

    def lift(self, value: Any, dtype: DType | None = None) -> Tracer:
        """`value` as a tracer: itself, or a constant (a Python scalar of `dtype`, weak when that is None).

        Raises:
            TracingError: not an array, or a tracer that has leaked.
        """
        if isinstance(value, Tracer):
            value.value_in(self)
            return value
        if isinstance(value, Array):
            return self.tracer(self.function.constant(value.numpy()))
        if isinstance(value, bool | int | float | complex) and not isinstance(value, np.generic):
            made = scalar_array(value, scalar_dtype(value) if dtype is None else dtype)
            return self.tracer(self.function.constant(made), weak=dtype is None)
        if isinstance(value, np.ndarray | np.generic):
            array = np.asarray(value)
            return self.tracer(self.function.constant(array, as_dtype(array.dtype)))
        raise refuse(
            f"a value of type {type(value).__name__} is not an array",
            "arrays are stepwell.Array, numpy.ndarray and Python numbers; convert lists with stepwell.numpy.asarray",
            PromotionError,
        )

    def value(self, operand: Any) -> SSAValue:
        """The step-1 value of an operand."""
        return self.lift(operand).value_in(self)


def scalar_array(value: bool | int | float | complex, dtype: DType) -> np.ndarray[Any, Any]:
    """A Python scalar as a 0-d array.

    Raises:
        PromotionError: an integer that does not fit.
    """
    try:
        return np.asarray(value, dtype)
    except (OverflowError, TypeError, ValueError):
        hint = "give an array of a wider dtype, such as numpy.int64(...)"
        raise refuse(f"{value!r} does not fit in {dtype.name}", hint, PromotionError) from None


def _element(value: SSAValue) -> Any:
    return value.type.element_type  # pyright: ignore


class _Stack(threading.local):
    def __init__(self) -> None:
        self.traces: list[Trace] = []


_STACK = _Stack()


def is_tracing() -> bool:
    """Whether this thread is inside of a trace."""
    return bool(_STACK.traces)


def current_trace() -> Trace:
    """This thread's innermost trace."""
    return _STACK.traces[-1]


@contextmanager
def tracing(trace: Trace) -> Generator[None]:
    """Make `trace` this thread's innermost one."""
    _STACK.traces.append(trace)
    try:
        yield
    finally:
        _STACK.traces.pop()


def is_scalar(value: Any) -> TypeGuard[bool | int | float | complex]:
    """A Python number, which is weak (NumPy's float64 is a float, but not weak)."""
    return isinstance(value, bool | int | float | complex) and not isinstance(value, np.generic)


def is_array(value: Any) -> bool:
    """An array, traced or not, or NumPy's."""
    return isinstance(value, Operators | np.ndarray | np.generic)


def promoted(*operands: Any, at_least: Callable[[DType], DType] | None = None) -> tuple[list[Tracer], DType, bool]:
    """(the operands as tracers of their common dtype, that dtype, weak); `at_least` maps the common dtype first."""
    trace = current_trace()
    pairs = [
        (scalar_dtype(o), True)
        if is_scalar(o)
        else (o.dtype, o.weak if isinstance(o, Tracer) else False)
        if is_array(o)
        else (trace.lift(o).dtype, False)
        for o in operands
    ]
    dtype, weak = result_type(pairs)
    wanted = dtype if at_least is None else at_least(dtype)
    return [converted(o, wanted) for o in operands], wanted, weak


def converted(operand: Any, dtype: DType) -> Tracer:
    """`operand` as a tracer of `dtype`; Python scalars become constants of it at once."""
    trace = current_trace()
    if is_scalar(operand):
        return trace.lift(operand, dtype)
    tracer = trace.lift(operand)
    if tracer.dtype == dtype:
        return tracer
    return trace.tracer(trace.function.convert(tracer.value_in(trace), dtype), tracer.weak)


def emit(method: str, *operands: Any, weak: bool = False) -> Tracer:
    """The result of a `Function` method: tracers and arrays (also in lists) stand for their values."""
    trace = current_trace()
    result = getattr(trace.function, method)(*[_unwrapped(trace, o) for o in operands])
    return trace.tracer(result, weak)


def emit_all(method: str, *operands: Any) -> list[Tracer]:
    """The results of a `Function` method that has several."""
    trace = current_trace()
    return [trace.tracer(v) for v in getattr(trace.function, method)(*[_unwrapped(trace, o) for o in operands])]


def _unwrapped(trace: Trace, operand: Any) -> Any:
    if isinstance(operand, Tracer):
        return operand.value_in(trace)
    if isinstance(operand, Array):
        return trace.value(operand)
    if isinstance(operand, list):
        return [_unwrapped(trace, o) for o in operand]
    return operand


def body(function: Callable[..., Sequence[Any]], weak: Sequence[bool] | None = None) -> Callable[[Values], Values]:
    """A region's body from a function on tracers that returns tracers."""
    trace = current_trace()

    def run(arguments: Values) -> Values:
        flags = weak or [False] * len(arguments)
        return [trace.value(r) for r in function(*map(trace.tracer, arguments, flags))]

    return run


def static_int(value: Any, what: str) -> int:
    """`value` as a Python int.

    Raises:
        TracingError: it is not one; what is traced is refused with its own hint.
    """
    try:
        return operator.index(value)
    except ConcretizationError:
        raise
    except TypeError:
        raise refuse(f"{what} must be an integer, not {value!r}", kind=TracingError) from None
