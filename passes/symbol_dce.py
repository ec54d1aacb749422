"""symbol-dce: remove private symbols that nothing reachable refers to.

Before:                                            After:
    func.func public @main() { ... }                   func.func public @main() { ... }
    func.func private @relu(...) { ... }

Reachable is what the public symbols and the other ops of the module refer to, directly or through reachable
symbols.

Needs: any step. Keeps: public symbols (a symbol without visibility is public). Fails: never.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    DictionaryAttr,
    StringAttr,
    SymbolRefAttr,
)
from xdsl.ir import Attribute, Operation, ParametrizedAttribute
from xdsl.traits import SymbolOpInterface

from stepwell.ir.passes import Pass


def symbol_name(op: Operation) -> str | None:
    """The symbol `op` defines, None when it defines none."""
    name = op.get_attr_or_prop("sym_name") if op.has_trait(SymbolOpInterface) else None
    return name.data if isinstance(name, StringAttr) else None


def is_private(op: Operation) -> bool:
    """True when nothing outside the module may refer to the symbol of `op`."""
    visibility = op.get_attr_or_prop("sym_visibility")
    return isinstance(visibility, StringAttr) and visibility.data in ("private", "nested")


def symbols_in(attribute: Attribute) -> Iterator[str]:
    """Root symbols that an attribute refers to, however deep inside; constants are not searched."""
    if isinstance(attribute, SymbolRefAttr):
        yield attribute.root_reference.data
    elif isinstance(attribute, DenseIntOrFPElementsAttr | DenseArrayBase):
        return
    elif isinstance(attribute, ArrayAttr):
        for item in attribute.data:  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
            yield from symbols_in(item)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(attribute, DictionaryAttr):
        for item in attribute.data.values():
            yield from symbols_in(item)
    elif isinstance(attribute, ParametrizedAttribute):
        for item in attribute.parameters:
            yield from symbols_in(item)


def referenced_symbols(op: Operation) -> list[str]:
    """Symbols that `op` or anything inside it refers to, once each, in order."""
    found: dict[str, None] = {}
    for inner in op.walk():
        for attributes in (inner.properties, inner.attributes):
            for attribute in attributes.values():
                for name in symbols_in(attribute):
                    found[name] = None
    return list(found)


def eliminate_dead_symbols(module: Operation) -> None:
    """Remove the private symbols of `module` that nothing reachable refers to."""
    private: dict[str, Operation] = {}
    pending: list[Operation] = []
    for op in module.regions[0].block.ops:
        name = symbol_name(op)
        if name is not None and is_private(op):
            private[name] = op
        else:
            pending.append(op)
    dead = dict(private)
    while pending:
        for name in referenced_symbols(pending.pop()):
            if (found := dead.pop(name, None)) is not None:
                pending.append(found)
    for op in dead.values():
        op.detach()
        op.erase()


@dataclass(frozen=True)
class SymbolDCEPass(Pass):
    """Remove private symbols that nothing reachable refers to."""

    name = "symbol-dce"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Remove the dead symbols of the module `op`."""
        eliminate_dead_symbols(op)
