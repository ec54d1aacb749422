"""Every pass by name: kebab-case name -> (module, class). Imported on use, never scanned."""

from __future__ import annotations

from importlib import import_module

from stepwell.ir.passes import Pass

PASSES: dict[str, tuple[str, str]] = {
    # name: (module under stepwell.passes, class); keep sorted.
    "bufferize": ("bufferize", "BufferizePass"),
    "canonicalize": ("canonicalize", "CanonicalizePass"),
    "cse": ("cse", "CSEPass"),
    "dce": ("dce", "DCEPass"),
    "expand-math": ("expand_math", "ExpandMathPass"),
    "inline": ("inline", "InlinePass"),
    "symbol-dce": ("symbol_dce", "SymbolDCEPass"),
}


def get_pass(name: str) -> type[Pass]:
    """The class of the pass called `name`.

    Raises:
        KeyError: no such pass.
    """
    module, cls = PASSES[name]
    return getattr(import_module(f"stepwell.passes.{module}"), cls)
