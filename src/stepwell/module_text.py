"""All that a module says, as bytes: what a program that is given as a module is known by in the cache."""

from __future__ import annotations

import hashlib
from io import StringIO

from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, DenseResourceAttr, FloatAttr, ModuleOp
from xdsl.ir import Attribute

from stepwell.ir.printer import SourcePrinter


class _Unprintable(Exception):
    pass


class _IdentityPrinter(SourcePrinter):
    """Prints constants as digests of their bytes and floats exactly: nothing is rounded, and large arrays cost little."""

    def print_attribute(self, attribute: Attribute) -> None:
        if isinstance(attribute, DenseIntOrFPElementsAttr):
            self.print_string(f"dense {hashlib.sha256(attribute.data.data).hexdigest()} ")
            super().print_attribute(attribute.type)
        elif isinstance(attribute, FloatAttr):
            self.print_string(f"{attribute.value.data.hex()} ")
            super().print_attribute(attribute.type)
        elif isinstance(attribute, DenseResourceAttr):  # its values are elsewhere
            raise _Unprintable
        else:
            super().print_attribute(attribute)


def identity(module: ModuleOp) -> bytes | None:
    """The bytes a module is known by, the same for modules that only differ in locations; None where it cannot be told."""
    stream = StringIO()
    try:
        _IdentityPrinter(stream, print_generic_format=True).print_op(module)
        return stream.getvalue().encode()
    except Exception:  # a module that is wrong: whoever compiles it says how
        return None


__all__ = ["identity"]
