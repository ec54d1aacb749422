"""The layer of the parser for resources: constants whose data is at the end of the file.

```mlir
%w = stablehlo.constant dense_resource<weights> : tensor<2xf32>
{-#
  dialect_resources: { builtin: { weights: "0x040000000000803F00000040" } }
#-}
```
The data follows four bytes with its alignment. A constant becomes an ordinary dense one: nothing refers to resources afterwards.
"""

from __future__ import annotations

import re
from typing import Any

from xdsl.utils.mlir_lexer import MLIRTokenKind

from stepwell.ir.parse_types import TypeParser

_SECTION = re.compile(r"^[ \t]*+\{-#", re.MULTILINE)
_ALIGNMENT_BYTES = 4


class ResourceParser(TypeParser):
    """Reads the section of resources when the first constant needs it, and again, without effect, in its place."""

    _resources: dict[str, str] | None = None

    def _parse_dialect_resources(self) -> None:
        """`{ builtin: { key: "0x...", ... }, ... }`; the resources of other dialects are skipped."""
        self.parse_comma_separated_list(self.Delimiter.BRACES, self._parse_single_dialect_resources)

    def _parse_single_dialect_resources(self) -> None:
        dialect = self.parse_identifier()
        self.parse_punctuation(":")
        entries = self.parse_comma_separated_list(self.Delimiter.BRACES, self._parse_entry)
        if dialect == "builtin":
            self._resources = {**(self._resources or {}), **dict(entries)}

    def _parse_entry(self) -> tuple[str, str]:
        key = self._parse_key()
        self.parse_punctuation(":")
        return key, self.parse_str_literal()

    def _parse_key(self) -> str:
        if (quoted := self.parse_optional_str_literal()) is not None:
            return quoted
        return self.parse_identifier(" for a resource")

    def _parse_builtin_dense_resource_attr(self) -> Any:
        """`<key> : type`."""
        self.parse_punctuation("<", " in dense_resource attribute")
        span = self._current_token.span
        key = self._parse_key()
        self.parse_punctuation(">", " in dense_resource attribute")
        self.parse_punctuation(":", " in dense_resource attribute")
        type_ = self._parse_dense_literal_type()
        if self._resources is None:
            self._read_ahead()
        text = (self._resources or {}).get(key)
        if text is None:
            self.fail(f"there is no data for resource '{key}'", span, "print the module with its resources, not elided")
        try:
            if not text.startswith("0x"):
                raise ValueError
            data = bytes.fromhex(text[2:])
        except ValueError:
            self.fail(f"the data of resource '{key}' is not a hexadecimal string that starts with 0x", span)
        return self._dense_from_bytes(data[_ALIGNMENT_BYTES:], type_, span)

    def _read_ahead(self) -> None:
        """Parse the section at the end of the file now."""
        self._resources = {}
        sections = list(_SECTION.finditer(self._source.text, self._current_token.span.end))
        if not sections:
            return
        lexer, token, position = self.lexer, self._current_token, self.lexer.pos
        self._resume_from(sections[-1].start())
        if self._current_token.kind is MLIRTokenKind.FILE_METADATA_BEGIN:
            self._parse_file_metadata_dictionary()
        lexer.pos, self._parser_state.current_token = position, token
