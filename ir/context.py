"""The context: which dialects a parser knows, each loaded when its first op, attribute or type is met."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from xdsl.context import Context
from xdsl.dialect_interfaces import DialectInterface
from xdsl.ir import Attribute, Dialect, Operation


class PartialDialect(Dialect):
    """A dialect of which some ops are known but not there: `missing` says per op why, and what would help."""

    def __init__(
        self,
        name: str,
        operations: Iterable[type[Operation]],
        attributes: Iterable[type[Attribute]] = (),
        interfaces: Iterable[DialectInterface] = (),
        *,
        missing: Mapping[str, str],
    ):
        super().__init__(name, list(operations), list(attributes), list(interfaces))
        self.missing = missing


def make_context(dialects: Mapping[str, Callable[[], Dialect]], *, allow_unregistered: bool = False) -> Context:
    """A context that knows `dialects` (name -> factory); `builtin` is loaded at once when present."""
    context = Context(allow_unregistered=allow_unregistered)
    for name, factory in dialects.items():
        context.register_dialect(name, factory)
    if "builtin" in dialects:
        context.load_registered_dialect("builtin")
    return context
