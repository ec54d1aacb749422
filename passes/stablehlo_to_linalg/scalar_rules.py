"""The scalar code of every elementwise op of the tensor step: StableHLO's and CHLO's."""

from __future__ import annotations

from xdsl.ir import Operation

from stepwell.passes.stablehlo_to_linalg.elementwise import ELEMENTWISE_RULES, ScalarRule
from stepwell.passes.stablehlo_to_linalg.special_functions import SPECIAL_RULES

SCALAR_RULES: dict[type[Operation], ScalarRule] = {**ELEMENTWISE_RULES, **SPECIAL_RULES}
"""Scalar code by op class."""
