"""`quant`: element types whose elements are integers that stand for floats, `f = (i - zero_point) * scale`.

    !quant.uniform<i8:f32, 0.5:-3>                    one scale and zero point for the whole tensor
    !quant.uniform<u8<0:15>:f32, 2.0>                 unsigned storage, of which only 0 to 15 is used
    !quant.uniform<i8:f32:1, {0.1:-3, 0.2, 0.5:7}>    one pair per index of dim 1

A value of such a type is the array of its integers, wherever arrays come in or go out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import numpy as np
from xdsl.dialects.builtin import (
    ArrayAttr,
    BFloat16Type,
    Float16Type,
    Float32Type,
    Float64Type,
    FloatData,
    IntAttr,
    IntegerType,
    NoneAttr,
    Signedness,
    TensorType,
)
from xdsl.ir import Attribute, Dialect, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from stepwell.ir.dtypes import numpy_dtype

ExpressedType: TypeAlias = "Float16Type | BFloat16Type | Float32Type | Float64Type"

_STORAGE = re.compile(r"(s|u|si|ui|i)(\d+)")
_WIDTHS = (2, 4, 8, 16, 32, 64)


def storage_range(storage: IntegerType) -> tuple[int, int]:
    """The smallest and the largest integer of a storage type (signless ones are signed)."""
    width = storage.width.data
    if storage.signedness.data == Signedness.UNSIGNED:
        return 0, (1 << width) - 1
    return -(1 << (width - 1)), (1 << (width - 1)) - 1


@irdl_attr_definition
class UniformType(ParametrizedAttribute, TypeAttribute):
    """A uniformly quantized element type, per tensor or (with a `dimension`) per axis."""

    name = "quant.uniform"

    storage: IntegerType
    """What is stored: `i8` is signed."""
    storage_min: IntAttr
    """The smallest integer in use."""
    storage_max: IntAttr
    """The largest integer in use."""
    expressed: Attribute
    """The float type of the values that are meant."""
    dimension: IntAttr | NoneAttr
    """The dim whose slices have their own parameters."""
    scale_values: ArrayAttr[FloatData]
    """The scales, one or one a slice."""
    zero_point_values: ArrayAttr[IntAttr]
    """The integers that stand for 0.0, one a scale."""

    @classmethod
    def of(
        cls,
        storage: IntegerType,
        expressed: Attribute,
        scales: Sequence[float],
        zero_points: Sequence[int] | None = None,
        dimension: int | None = None,
        limits: tuple[int, int] | None = None,
    ) -> UniformType:
        """The type with these parameters; zero points are 0 and the whole range of the storage is used unless given.

        Raises:
            VerifyException: a constraint of the specification does not hold.
        """
        low, high = storage_range(storage) if limits is None else limits
        return cls(
            storage,
            IntAttr(low),
            IntAttr(high),
            expressed,
            NoneAttr() if dimension is None else IntAttr(dimension),
            ArrayAttr([FloatData(float(s)) for s in scales]),
            ArrayAttr([IntAttr(z) for z in (zero_points if zero_points is not None else [0] * len(scales))]),
        )

    @property
    def axis(self) -> int | None:
        """The dim with parameters of its own for each index; None when the whole tensor has one pair."""
        return self.dimension.data if isinstance(self.dimension, IntAttr) else None

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest integer in use."""
        return self.storage_min.data, self.storage_max.data

    @property
    def scales(self) -> tuple[float, ...]:
        """The scales as the expressed type has them."""
        dtype = numpy_dtype(self.expressed)
        with np.errstate(all="ignore"):
            return tuple(float(np.asarray(s.data).astype(dtype)) for s in self.scale_values.data)

    @property
    def zero_points(self) -> tuple[int, ...]:
        """The zero points."""
        return tuple(z.data for z in self.zero_point_values.data)

    @property
    def baseline(self) -> tuple[Attribute, tuple[int, int], Attribute, int | None]:
        """All but scales and zero points: what types agree in that differ only in their parameters."""
        return self.storage, self.limits, self.expressed, self.axis

    def along(self, dimension: int | None) -> UniformType:
        """The same parameters for another dim."""
        return UniformType.of(
            self.storage,
            self.expressed,
            [s.data for s in self.scale_values.data],
            self.zero_points,
            dimension,
            self.limits,
        )

    def verify(self) -> None:
        """C3, C5, C6, C7, C9, C10, C11; the others are the syntax's."""
        low, high = self.limits
        least, most = storage_range(self.storage)
        if self.storage.width.data not in _WIDTHS:
            raise VerifyException(f"!quant.uniform: storage type {self.storage} must have 2, 4, 8, 16, 32 or 64 bits")
        if not isinstance(self.expressed, Float16Type | BFloat16Type | Float32Type | Float64Type):
            raise VerifyException(f"!quant.uniform: expressed type {self.expressed} must be f16, bf16, f32 or f64")
        _require("C3", least <= low < high <= most, f"storage range {low}:{high} of {self.storage} ({least}:{most})")
        sizes = len(self.scale_values.data), len(self.zero_point_values.data)
        _require("C9", sizes[0] == sizes[1], f"{sizes[0]} scales and {sizes[1]} zero points")
        expressed = str(self.expressed)  # there may be many scales
        for written, scale in zip(self.scale_values.data, self.scales, strict=True):
            _require("C6", math.isfinite(scale), f"the scale {written.data} is not finite as {expressed}")
            _require("C5", scale > 0, f"the scale {written.data} is not positive as {expressed}")
        for zero in self.zero_points:
            _require("C7", low <= zero <= high, f"the zero point {zero} lies outside of {low}:{high}")
        if self.axis is None:
            _require("C10", sizes[0] == 1, f"{sizes[0]} scales, and no dimension that they belong to")
        else:
            _require("C11", self.axis >= 0, f"the dimension {self.axis} is negative")

    def verify_shape(self, shape: Sequence[int]) -> None:
        """C12, C13: a tensor of this shape has the dim, with as many indices as there are scales.

        Raises:
            VerifyException: it has not.
        """
        if (axis := self.axis) is None:
            return
        _require("C12", axis < len(shape), f"the dimension {axis} of a tensor of rank {len(shape)}")
        ok = shape[axis] < 0 or shape[axis] == len(self.scale_values.data)
        _require("C13", ok, f"{len(self.scale_values.data)} scales for the {shape[axis]} indices of dimension {axis}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        """`<storage[<min:max>]:expressed[:dim], scale[:zero]>` or `..., {scale[:zero], ...}>`."""
        start = parser.pos
        with parser.in_angle_brackets():
            storage = _parse_storage(parser)
            limits = storage_range(storage)
            if parser.parse_optional_punctuation("<") is not None:
                limits = (parser.parse_integer(), (parser.parse_punctuation(":"), parser.parse_integer())[1])
                parser.parse_punctuation(">")
            parser.parse_punctuation(":")
            expressed = parser.parse_type()
            dimension = parser.parse_integer() if parser.parse_optional_punctuation(":") is not None else None
            parser.parse_punctuation(",")
            pairs = parser.parse_optional_comma_separated_list(parser.Delimiter.BRACES, lambda: _parse_pair(parser))
            braces = pairs is not None
            if pairs is None:
                pairs = [_parse_pair(parser)]
        scales, zeros = [s for s, _ in pairs], [z for _, z in pairs]
        try:
            if dimension is not None and not braces:
                raise VerifyException("!quant.uniform: scales of a dimension are written in braces")
            made = cls.of(storage, expressed, scales, zeros, dimension, limits)
        except VerifyException as error:
            parser.raise_error(str(error), start, parser.pos)
        return made.parameters

    def print_parameters(self, printer: Printer) -> None:
        """The inverse of `parse_parameters`; the range is left out when it is the storage type's."""
        kind = "u" if self.storage.signedness.data == Signedness.UNSIGNED else "i"
        printer.print_string(f"<{kind}{self.storage.width.data}")
        if self.limits != storage_range(self.storage):
            printer.print_string(f"<{self.limits[0]}:{self.limits[1]}>")
        printer.print_string(":")
        printer.print_attribute(self.expressed)
        pairs = [
            _float_text(scale.data) + (f":{zero}" if zero else "")
            for scale, zero in zip(self.scale_values.data, self.zero_points, strict=True)
        ]
        if self.axis is None:
            printer.print_string(f", {pairs[0]}>")
        else:
            printer.print_string(f":{self.axis}, {{{', '.join(pairs)}}}>")


def _require(label: str, condition: bool, message: str) -> None:
    if not condition:
        raise VerifyException(f"!quant.uniform: {label}: {message}")


def _parse_storage(parser: AttrParser) -> IntegerType:
    start = parser.pos
    text = parser.parse_identifier()
    match = _STORAGE.fullmatch(text)
    if match is None or len(match[2]) > 3 or int(match[2]) not in _WIDTHS:
        parser.raise_error(f"expected a storage type like i8 or u8, got {text}", start, parser.pos)
    return IntegerType(int(match[2]), Signedness.UNSIGNED if match[1].startswith("u") else Signedness.SIGNLESS)


def _parse_pair(parser: AttrParser) -> tuple[float, int]:
    start = parser.pos
    scale = parser.parse_number(allow_boolean=False)
    if isinstance(scale, int):
        parser.raise_error("expected a scale with a decimal point", start, parser.pos)
    zero = parser.parse_integer() if parser.parse_optional_punctuation(":") is not None else 0
    return float(scale), zero


def _float_text(value: float) -> str:
    """The shortest text of a float that reads as a float literal again."""
    text = repr(value)
    mantissa, mark, exponent = text.partition("e")
    return text if "." in mantissa else f"{mantissa}.0{mark}{exponent}"


def quantized(type_: Attribute) -> UniformType | None:
    """The quantized element type of a tensor type (or the type itself); None for others."""
    element = type_.element_type if isinstance(type_, TensorType) else type_
    return element if isinstance(element, UniformType) else None


def storage_of(type_: Attribute) -> Attribute:
    """A tensor type with its quantized elements as the integers that are stored; other types as they are."""
    element = quantized(type_)
    if element is None:
        return type_
    if not isinstance(type_, TensorType):
        return element.storage
    tensor = cast("TensorType[Any]", type_)
    return TensorType(element.storage, tensor.get_shape(), tensor.encoding)


def expressed_of(type_: Attribute) -> Attribute:
    """A tensor type with its quantized elements as the floats that are meant; other types as they are."""
    element = quantized(type_)
    if element is None:
        return type_
    if not isinstance(type_, TensorType):
        return element.expressed
    tensor = cast("TensorType[Any]", type_)
    return TensorType(element.expressed, tensor.get_shape(), tensor.encoding)


Quant = Dialect("quant", [], [UniformType])
"""The dialect: only types."""


__all__ = ["Quant", "UniformType", "expressed_of", "quantized", "storage_of", "storage_range"]
