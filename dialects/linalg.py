"""`linalg` as MLIR prints it: upstream's ops, with the one form of `linalg.generic` that upstream prints but cannot parse.

Several results are printed as `-> (tensor<..>, tensor<..>)`; xDSL 0.74 reads that as a function type. The class object stays
upstream's, so `isinstance` agrees everywhere; only its `parse` is replaced, once, on import.
"""

from __future__ import annotations

from typing import Any

from xdsl.dialects import linalg
from xdsl.ir import Attribute, Dialect
from xdsl.parser import Parser


class _ResultListParser:
    """Answers the one question `GenericOp.parse` asks wrongly: the result types after `->`; else the parser itself."""

    def __init__(self, parser: Parser):
        self._parser = parser
        self.Delimiter = parser.Delimiter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def parse_comma_separated_list(self, delimiter: Any, parse: Any, context: str = "") -> list[Any]:
        """The list; where attributes are asked for without delimiters, one in parentheses is taken too."""
        if parse == self._parser.parse_attribute and delimiter is self._parser.Delimiter.NONE:
            several = self._parser.parse_optional_comma_separated_list(self._parser.Delimiter.PAREN, parse)
            if several is not None:
                return several
        return self._parser.parse_comma_separated_list(delimiter, parse, context)


def _parse_generic(cls: type[linalg.GenericOp], parser: Any) -> linalg.GenericOp:
    return _UPSTREAM_PARSE(cls, _ResultListParser(parser))


_UPSTREAM_PARSE: Any = linalg.GenericOp.parse.__func__  # pyright: ignore[reportFunctionMemberAccess]
_GENERIC: Any = linalg.GenericOp
_GENERIC.parse = classmethod(_parse_generic)

Linalg = Dialect("linalg", list(linalg.Linalg.operations), list[type[Attribute]](linalg.Linalg.attributes))
