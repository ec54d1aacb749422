"""A lexer for MLIR text that is one regular expression, linear on every input.

xDSL's own lexer backtracks exponentially on an unterminated string; this one never does (possessive quantifiers).
"""

from __future__ import annotations

import re
from typing import NoReturn

from xdsl.utils.exceptions import ParseError
from xdsl.utils.lexer import Span
from xdsl.utils.mlir_lexer import (
    KIND_BY_PUNCTUATION_SPELLING,
    MLIRLexer,
    MLIRToken,
    MLIRTokenKind,
    StringLiteral,
)

_SUFFIX = r"(?:[0-9]++|[a-zA-Z$._-][a-zA-Z0-9$._-]*+)"
_STRING = r'"[^"\\\n\v\f]*+(?:\\(?:["nt\\]|[0-9A-Fa-f]{2})[^"\\\n\v\f]*+)*+"'

_TOKEN = re.compile(
    rf"""(?:[ \t\r\n\v\f]++|//[^\n]*+)*+(?:
      (?P<bare>[a-zA-Z_][a-zA-Z0-9_$.]*+)
    | (?P<percent>%{_SUFFIX})
    | (?P<punct>->|\{{-\#|\#-\}}|\.\.\.|[:,()}}\[\]<>=+/*?|{{-])
    | (?P<float>[0-9]++\.[0-9]*+(?:[eE][+-]?[0-9]++)?)
    | (?P<int>0x[0-9a-fA-F]++|[0-9]++)
    | (?P<string>{_STRING})
    | (?P<hash>\#{_SUFFIX})
    | (?P<at>@(?:[a-zA-Z_][a-zA-Z0-9_$.]*+|{_STRING}))
    | (?P<caret>\^{_SUFFIX})
    | (?P<excl>!{_SUFFIX})
    | (?P<eof>\Z)
    )""",
    re.VERBOSE,
)
_BLANK = re.compile(r"(?:[ \t\r\n\v\f]++|//[^\n]*+)*+")
_STRING_PREFIX = re.compile(r'"[^"\\\n\v\f]*+(?:\\(?:["nt\\]|[0-9A-Fa-f]{2})[^"\\\n\v\f]*+)*+')

_KINDS = {
    "bare": MLIRTokenKind.BARE_IDENT,
    "percent": MLIRTokenKind.PERCENT_IDENT,
    "float": MLIRTokenKind.FLOAT_LIT,
    "int": MLIRTokenKind.INTEGER_LIT,
    "hash": MLIRTokenKind.HASH_IDENT,
    "at": MLIRTokenKind.AT_IDENT,
    "caret": MLIRTokenKind.CARET_IDENT,
    "excl": MLIRTokenKind.EXCLAMATION_IDENT,
    "eof": MLIRTokenKind.EOF,
}


class SourceLexer(MLIRLexer):
    """xDSL's lexer with its tokenizer replaced; see the module docstring."""

    def lex(self) -> MLIRToken:
        """The next token; advances `pos`."""
        match = _TOKEN.match(self.input.content, self.pos)
        if match is None:
            self._fail()
        group = match.lastgroup
        assert group is not None
        start, end = match.span(group)
        self.pos = end
        if group == "punct":
            return MLIRToken(KIND_BY_PUNCTUATION_SPELLING[match[group]], Span(start, end, self.input))
        if group == "string":
            return self._string_token(start, end)
        return MLIRToken(_KINDS[group], Span(start, end, self.input))

    def _string_token(self, start: int, end: int) -> MLIRToken:
        literal = StringLiteral(start, end, self.input)
        if "\\" in literal.content and not literal.bytes_contents.isascii():
            return MLIRToken(MLIRTokenKind.BYTES_LIT, literal)
        return MLIRToken(MLIRTokenKind.STRING_LIT, literal)

    def _fail(self) -> NoReturn:
        """Say what is wrong with the text at `pos`."""
        content = self.input.content
        blank = _BLANK.match(content, self.pos)
        start = blank.end() if blank is not None else self.pos
        char = content[start]
        quote = start + 1 if char == "@" and content[start + 1 : start + 2] == '"' else start
        if content[quote] == '"':
            prefix = _STRING_PREFIX.match(content, quote)
            stop = prefix.end() if prefix is not None else quote + 1
            if content[stop : stop + 1] == "\\":
                raise ParseError(
                    Span(stop, min(stop + 2, len(content)), self.input), "unknown escape in string literal"
                )
            raise ParseError(Span(quote, stop, self.input), "string literal is not terminated on its line")
        names = {"@": "symbol name", "%": "SSA value name", "^": "block name", "#": "attribute name", "!": "type name"}
        if char in names:
            raise ParseError(Span(start, start + 1, self.input), f"expected a {names[char]} after '{char}'")
        raise ParseError(Span(start, start + 1, self.input), f"unexpected character {char!r}")
