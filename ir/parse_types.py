"""The layer of the parser for types, shapes and dense literals."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    AnyFloat,
    BytesAttr,
    ComplexType,
    DenseIntOrFPElementsAttr,
    IndexType,
    IntegerType,
    RankedStructure,
    Signedness,
    UnregisteredAttr,
)
from xdsl.ir import Attribute
from xdsl.irdl import base, irdl_attr_definition
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.lexer import Span
from xdsl.utils.mlir_lexer import MLIRTokenKind

from stepwell.ir.diagnostics import close_name
from stepwell.ir.parse_base import LocatedParser

_BUILTIN_TYPES = (
    *("i1", "i2", "i4", "i8", "i16", "i32", "i64", "ui8", "ui16", "ui32", "ui64", "si32", "index", "none"),
    *("f16", "bf16", "f32", "f64", "f80", "f128", "tf32", "complex", "tuple", "tensor", "memref", "vector"),
)
_BOOLEAN = re.compile("true|false")
_HEX_HINT = 'write the data as one hexadecimal string: dense<"0x...">'
_NUMBERS = re.compile(r"\[[\[\]0-9eE+., \t\r\n-]*+")
_LONG_LITERAL = 4096
_INT64_MAX = (1 << 63) - 1
_LITERAL_TYPE = base(RankedStructure[IntegerType | IndexType | AnyFloat | ComplexType])


@irdl_attr_definition(init=False)
class ForeignAttr(UnregisteredAttr):
    """An attribute of a dialect that we do not have."""


class TypeParser(LocatedParser):
    """Types by name with hints, limits on shapes, and dense literals that cost no more than their text."""

    _literal_count = 0

    def _parse_dialect_type_or_attribute_body(
        self, attr_name: str, is_type: bool, is_opaque: bool, starting_opaque_pos: int | None
    ) -> Any:
        known = self.ctx.get_optional_type(attr_name) if is_type else self.ctx.get_optional_attr(attr_name)
        dialect = attr_name.split(".", 1)[0]
        if known is None and not is_type and self._is_foreign(dialect):
            return self._parse_foreign_attribute(attr_name, is_opaque, starting_opaque_pos)
        if known is None and "." in attr_name:
            kind, prefix = ("type", "!") if is_type else ("attribute", "#")
            loaded = self.ctx.loaded_types if is_type else self.ctx.loaded_attrs
            message = f"unknown {kind} '{prefix}{attr_name}'"
            span = self._previous_span(attr_name if not is_opaque else attr_name.split(".", 1)[1])
            names = (a.name for a in loaded)
            self.fail(message, span, self._dialect_hint(dialect) or close_name(attr_name, names))
        return super()._parse_dialect_type_or_attribute_body(attr_name, is_type, is_opaque, starting_opaque_pos)

    def _is_foreign(self, dialect: str) -> bool:
        """A dialect that we do not have, unless its name looks like one of ours written wrong."""
        names = list(self.ctx.registered_dialect_names)
        return dialect not in names and close_name(dialect, names) is None

    def _parse_foreign_attribute(self, name: str, is_opaque: bool, start: int | None) -> ForeignAttr:
        """`#dialect.name<...>` or `#dialect<name ...>` of a dialect that we do not have: its text is carried along."""
        if start is not None:
            end = self._raw_scan_balanced(start)
            body = self.lexer.input.content[start:end]
            self._resume_from(end)
        elif self._current_token.kind is MLIRTokenKind.LESS:
            body = self._parse_dialect_symbol_body()
        else:
            body = ""
        return ForeignAttr(name, False, is_opaque, body)

    def _dialect_hint(self, dialect: str) -> str | None:
        names = list(self.ctx.registered_dialect_names)
        if dialect in names:
            return None
        guess = close_name(dialect, names)
        return f"there is no dialect '{dialect}'" + (f"; {guess}" if guess else "")

    def parse_type(self) -> Any:
        """A type, or an error that names what stands there instead."""
        if (found := self.parse_optional_type()) is None:
            self._unknown_type("expected a type")
        return found

    def parse_ranked_shape(self) -> tuple[list[int], Attribute]:
        """`4x?xf32`: extents and the element type."""
        sizes = self.parse_dimension_list()
        if sizes:
            self.parse_shape_delimiter()
        span = self._current_token.span
        if (found := self.parse_optional_type()) is None:
            self._unknown_type("expected an element type")
        if (verify_shape := getattr(found, "verify_shape", None)) is not None:  # an element type may ask for a shape
            try:
                verify_shape(sizes)
            except VerifyException as error:
                self.fail(str(error), span)
        return sizes, found

    def _parse_tensor_attrs(self) -> Any:
        """A tensor type; what is written after its element type may ask for a shape."""
        span = self._current_token.span
        found: Any = super()._parse_tensor_attrs()
        if (verify_shape := getattr(getattr(found, "encoding", None), "verify_shape", None)) is not None:
            try:
                verify_shape(found.get_shape())
            except VerifyException as error:
                self.fail(str(error), span)
        return found

    def _unknown_type(self, expected: str) -> NoReturn:
        token = self._current_token
        if token.kind is MLIRTokenKind.BARE_IDENT:
            self.fail(f"unknown type '{token.text}'", token.span, close_name(token.text, _BUILTIN_TYPES))
        if token.kind is MLIRTokenKind.MINUS:
            self.fail("a dimension cannot be negative", token.span, "write ? for a dynamic dimension")
        self.fail(expected, token.span)

    def parse_shape_dimension(self, allow_dynamic: bool = True) -> int:
        """One extent of a shape; it must fit in 64 bits."""
        span = self._current_token.span
        if span.end - span.start > 20:
            self.fail("the dimension does not fit in 64 bits", span)
        size = super().parse_shape_dimension(allow_dynamic)
        if size > _INT64_MAX:
            self.fail("the dimension does not fit in 64 bits", span)
        return size

    def parse_dimension_list(self) -> list[int]:
        """The extents of a shape; the rank is limited."""
        span = self._current_token.span
        sizes = super().parse_dimension_list()
        if len(sizes) > self._limits.rank:
            self.fail(f"a shape of rank {len(sizes)} is above the limit of {self._limits.rank}", span)
        return sizes

    def parse_optional_integer(self, allow_boolean: bool = True, allow_negative: bool = True) -> int | None:
        """An integer, if present; absurdly long ones are refused before Python converts them."""
        span = self._current_token.span
        if span.end - span.start > 4096 and self._current_token.kind is MLIRTokenKind.INTEGER_LIT:
            self.fail("the integer is too long", span)
        return super().parse_optional_integer(allow_boolean, allow_negative)

    def parse_dense_int_or_fp_elements_attr(self, type: Any | None) -> DenseIntOrFPElementsAttr[Any]:
        """`dense<...>`; a splat larger than the limit is stored as its single value (see `stepwell.ir.dense`)."""
        self.parse_punctuation("<", " in dense attribute")
        start = self._current_token.span
        text: str | None = None
        elements: list[Any] = []
        shape: list[int] = []
        if self._current_token.kind is MLIRTokenKind.GREATER:
            shape = [0]
        elif (text := self.parse_optional_str_literal()) is None:
            self._literal_count = 0
            if (numbers := self._read_numbers()) is not None:
                return self._dense_from_numbers(numbers, type, start)
            elements, shape = self._parse_tensor_literal()
        self.parse_punctuation(">", " in dense attribute")
        if type is None:
            self.parse_punctuation(":", " in dense attribute")
            type = self._parse_dense_literal_type()
        if text is not None:
            return self._dense_from_hex(text, type, start)
        return self._dense_from_elements(elements, shape, type, start)

    def _parse_dense_literal_type(self) -> Any:
        """The type of a literal. xDSL makes the constraint anew for each, which costs more than all else of a small literal."""
        span = self._current_token.span
        literal_type: Any = self.expect(self.parse_optional_type, "Dense attribute must be typed!")
        if not _LITERAL_TYPE.verifies(literal_type):
            self.fail("a dense literal is a tensor, vector or memref of numbers", span)
        if DYNAMIC_INDEX in literal_type.get_shape():
            self.fail("a dense literal has a static shape", span)
        return literal_type

    def _read_numbers(self) -> Any | None:
        """The nested lists of a long literal of decimal numbers, read in one go; None when it is short or otherwise."""
        start = self._current_token.span.start
        match = _NUMBERS.match(self.lexer.input.content, start)
        if match is None or match.end() - start < _LONG_LITERAL:
            return None
        text = match[0].rstrip()
        if text.count(",") > self._limits.literal_elements:
            self.fail(
                f"a dense literal of more than {self._limits.literal_elements} written elements",
                self._current_token.span,
                _HEX_HINT,
            )
        try:
            numbers = np.array(json.loads(text), dtype=object)
        except ValueError:
            return None  # Not rectangular, or a form JSON lacks: the slow path says what is wrong.
        if list in set(map(type, numbers.ravel().tolist())):
            return None
        self._resume_from(start + len(text))
        return numbers

    def _dense_from_numbers(self, numbers: Any, type: Any, span: Span) -> DenseIntOrFPElementsAttr[Any]:
        self.parse_punctuation(">", " in dense attribute")
        if type is None:
            self.parse_punctuation(":", " in dense attribute")
            type = self._parse_dense_literal_type()
        shape, type_shape = list(numbers.shape), list(type.get_shape())
        if shape != type_shape:
            self.fail(f"the literal has shape {shape} but its type {type} has {type_shape}", span)
        values = numbers.ravel().tolist()
        if not isinstance(type.element_type, AnyFloat) and any(isinstance(value, float) for value in values):
            self.fail(f"the literal has elements that are not integers, but its type is {type}", span)
        return DenseIntOrFPElementsAttr(type, BytesAttr(self._packed(type.element_type, (), values, span)))

    def _packed(self, element_type: Any, elements: Sequence[Any], values: Sequence[Any], span: Span) -> bytes:
        try:
            return _pack(element_type, elements, values)
        except Exception as error:
            self.fail(f"an element does not fit in {element_type}: {error}", span)

    def _parse_optional_complex(self) -> Any:
        """`(real, imaginary)`; one of them may be a bit pattern and the other a float, as infinities print."""
        if self._current_token.kind != MLIRTokenKind.L_PAREN:
            return None
        start = self._consume_token(MLIRTokenKind.L_PAREN).span
        real, _ = self._parse_bool_int_or_float()
        self.parse_punctuation(",")
        imaginary, _ = self._parse_bool_int_or_float()
        end = self._parse_token(MLIRTokenKind.R_PAREN, "')' expected after a complex value").span
        value: Any = (real, imaginary) if type(real) is type(imaginary) else (float(real), float(imaginary))
        return value, Span(start.start, end.end, start.input)

    def _parse_tensor_literal_element(self) -> Any:
        self._literal_count += 1
        if self._literal_count > self._limits.literal_elements:
            self.fail(
                f"a dense literal of more than {self._limits.literal_elements} written elements",
                self._current_token.span,
                _HEX_HINT,
            )
        return super()._parse_tensor_literal_element()

    def _dense_from_hex(self, text: str, type: Any, span: Span) -> DenseIntOrFPElementsAttr[Any]:
        try:
            if not text.startswith("0x"):
                raise ValueError
            data = bytes.fromhex(text[2:])
        except ValueError:
            self.fail("expected a hexadecimal string that starts with 0x", span)
        return self._dense_from_bytes(data, type, span)

    def _dense_from_bytes(self, data: bytes, type: Any, span: Span) -> DenseIntOrFPElementsAttr[Any]:
        """Elements one after the other, or one for all of them."""
        count = math.prod(type.get_shape())
        size = type.element_type.compile_time_size
        if isinstance(type.element_type, IntegerType) and type.element_type.width.data < 8:
            data = self._narrow_elements(data, count, type.element_type, span)
        if len(data) == size:
            return self._splat(data, count, type)
        if len(data) != count * size:
            self.fail(f"{type} needs {count * size} bytes of data, but {len(data)} are given", span)
        return DenseIntOrFPElementsAttr(type, BytesAttr(data))

    def _narrow_elements(self, data: bytes, count: int, element_type: IntegerType, span: Span) -> bytes:
        """Integers below a byte, a byte each, in the one form that equal values have; older texts pack eight `i1` in one."""
        width = element_type.width.data
        values = np.frombuffer(data, np.uint8)
        if width == 1:
            if len(data) == -(-count // 8) and len(data) not in (1, count):
                values = np.unpackbits(values, count=count, bitorder="little")
            elif not np.isin(values, (0, 1, 255)).all():
                self.fail("a byte of an i1 is neither 00, 01 nor FF", span)
            return np.where(values != 0, np.uint8(255), np.uint8(0)).tobytes()
        low = values & np.uint8((1 << width) - 1)
        if element_type.signedness.data != Signedness.UNSIGNED:
            low = np.where(low >> np.uint8(width - 1) != 0, low | np.uint8(256 - (1 << width)), low)
        return low.tobytes()

    def _dense_from_elements(
        self, elements: list[Any], shape: list[int], type: Any, span: Span
    ) -> DenseIntOrFPElementsAttr[Any]:
        type_shape = list(type.get_shape())
        count = math.prod(type_shape)
        self._check_kinds(elements, type.element_type)
        values = [element.to_type(self, type.element_type) for element in elements]
        if shape == [0] and count == 0:
            return DenseIntOrFPElementsAttr.from_list(type, [])
        if shape and shape != type_shape:
            self.fail(f"the literal has shape {shape} but its type {type} has {type_shape}", span)
        data = self._packed(type.element_type, elements, values, span)
        if not shape:
            return self._splat(data, count, type)
        return DenseIntOrFPElementsAttr(type, BytesAttr(data))

    def _check_kinds(self, elements: Sequence[Any], element_type: Any) -> None:
        """Pairs are complex numbers and nothing else is; booleans are neither floats nor parts of them."""
        is_complex = isinstance(element_type, ComplexType)
        if not is_complex and not isinstance(element_type, AnyFloat):
            return
        for element in elements:
            if isinstance(element.value, tuple) != is_complex:
                expected = "a pair of numbers" if is_complex else "one number"
                self.fail(f"expected {expected} for an element of type {element_type}", element.span)
            if isinstance(element.value, bool) or (is_complex and _BOOLEAN.search(element.span.content)):
                self.fail(f"a boolean is not an element of type {element_type}", element.span)

    def _splat(self, data: bytes, count: int, type: Any) -> DenseIntOrFPElementsAttr[Any]:
        if count * len(data) <= self._limits.splat_bytes:
            data *= count
        return DenseIntOrFPElementsAttr(type, BytesAttr(data))


def _pack(element_type: Any, elements: Sequence[Any], values: Sequence[Any]) -> bytes:
    """The bytes of dense elements; a hexadecimal literal of a float type is its bit pattern, as MLIR prints inf."""
    if isinstance(element_type, AnyFloat) and any(e.span.content.startswith("0x") for e in elements):
        size = element_type.compile_time_size
        return b"".join(
            int(e.span.content, 16).to_bytes(size, "little")
            if e.span.content.startswith("0x")
            else element_type.pack((v,))
            for e, v in zip(elements, values, strict=True)
        )
    if isinstance(element_type, ComplexType) and any("0x" in e.span.content for e in elements):
        part = element_type.element_type
        texts = (text.strip() for e in elements for text in e.span.content.strip("()").split(","))
        size = part.compile_time_size
        return b"".join(
            int(text, 16).to_bytes(size, "little") if text.startswith("0x") else part.pack((float(text),))
            for text in texts
        )
    if isinstance(element_type, IntegerType):
        values = [element_type.get_normalized_value(value) for value in values]
    return element_type.pack(values)
