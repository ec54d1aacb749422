"""The context: which dialects a parser knows, each loaded when its first op, attribute or type is met."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from xdsl.context import Context
from xdsl.ir import Dialect


def make_context(dialects: Mapping[str, Callable[[], Dialect]], *, allow_unregistered: bool = False) -> Context:
    """A context that knows `dialects` (name -> factory); `builtin` is loaded at once when present."""
    context = Context(allow_unregistered=allow_unregistered)
    for name, factory in dialects.items():
        context.register_dialect(name, factory)
    if "builtin" in dialects:
        context.load_registered_dialect("builtin")
    return context
