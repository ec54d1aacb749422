"""`@api`: one definition of a function for traces and for eager calls."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ParamSpec

from stepwell.frontends.tracer import is_tracing

P = ParamSpec("P")

Eager = Callable[[Callable[..., Any], frozenset[int | str], tuple[Any, ...], dict[str, Any]], Any]


@dataclass
class EagerHook:
    """Who runs a function when no trace is active: the dispatcher, above this room, sets it."""

    run: Eager | None = field(default=None)
    jit: Callable[..., Callable[..., Any]] | None = field(default=None)
    """`stepwell.jit`, for what keeps programs of its own."""


EAGER = EagerHook()
_MARK = "__stepwell_api__"


def api(*array_parameters: str) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """Mark a function of the Python API; `array_parameters` are those whose Python numbers are run-time values.

    Inside of a trace the function runs as it is and emits ops. Outside it is traced, compiled and run as a program.
    """

    def decorate(function: Callable[P, Any]) -> Callable[P, Any]:
        names = list(inspect.signature(function).parameters)
        dynamic: frozenset[int | str] = frozenset([*array_parameters, *(names.index(n) for n in array_parameters)])

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            if is_tracing():
                return function(*args, **kwargs)
            assert EAGER.run is not None, "import stepwell.numpy, not stepwell.frontends"
            return EAGER.run(function, dynamic, args, dict(kwargs))

        setattr(call, _MARK, True)
        return call

    return decorate


def is_api(function: Any) -> bool:
    """Whether a function was made by `api`, so that its meaning never changes."""
    return getattr(function, _MARK, False) is True
