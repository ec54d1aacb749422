"""Attributes of the CHLO dialect: its own spelling of StableHLO's enumerations, and ragged dimension numbers."""

from __future__ import annotations

from typing import NamedTuple

from xdsl.dialects.utils.enum_attribute import EnumAttribute
from xdsl.ir import Attribute, SpacedOpaqueSyntaxAttribute
from xdsl.irdl import irdl_attr_definition

from stepwell.dialects.stablehlo.attrs import (
    ComparisonDirection,
    ComparisonType,
    Ints,
    Precision,
    StructAttr,
)


@irdl_attr_definition
class ChloPrecisionAttr(EnumAttribute[Precision], SpacedOpaqueSyntaxAttribute):
    """`#chlo<precision DEFAULT>`."""

    name = "chlo.precision"


@irdl_attr_definition
class ChloComparisonDirectionAttr(EnumAttribute[ComparisonDirection], SpacedOpaqueSyntaxAttribute):
    """`#chlo<comparison_direction LT>`."""

    name = "chlo.comparison_direction"


@irdl_attr_definition
class ChloComparisonTypeAttr(EnumAttribute[ComparisonType], SpacedOpaqueSyntaxAttribute):
    """`#chlo<comparison_type SIGNED>`."""

    name = "chlo.comparison_type"


class RaggedDotDimensionNumbers(NamedTuple):
    """Which dimensions of a `ragged_dot` are batched and contracted, and which are cut into groups."""

    lhs_batching_dimensions: Ints = ()
    rhs_batching_dimensions: Ints = ()
    lhs_contracting_dimensions: Ints = ()
    rhs_contracting_dimensions: Ints = ()
    lhs_ragged_dimensions: Ints = ()
    rhs_group_dimensions: Ints = ()


@irdl_attr_definition
class RaggedDotDimensionNumbersAttr(StructAttr):
    """`#chlo.ragged_dot<lhs_contracting_dimensions = [1], ..., lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>`."""

    name = "chlo.ragged_dot"
    fields = RaggedDotDimensionNumbers
    data: RaggedDotDimensionNumbers


ATTRIBUTES: list[type[Attribute]] = [
    ChloComparisonDirectionAttr,
    ChloComparisonTypeAttr,
    ChloPrecisionAttr,
    RaggedDotDimensionNumbersAttr,
]
