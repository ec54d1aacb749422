"""Interpreter rules of StableHLO, collected from the files of each theme."""

from __future__ import annotations

from stepwell.dialects.interp import (
    stablehlo_batch_norm,
    stablehlo_contractions,
    stablehlo_data,
    stablehlo_dynamic,
    stablehlo_elementwise,
    stablehlo_fft,
    stablehlo_linear_algebra,
    stablehlo_random,
    stablehlo_regions,
)
from stepwell.dialects.interp.quantization import with_quantization
from stepwell.ir.interpreter import Rule

RULES: dict[str, Rule] = with_quantization(
    {
        **stablehlo_batch_norm.RULES,
        **stablehlo_contractions.RULES,
        **stablehlo_data.RULES,
        **stablehlo_dynamic.RULES,
        **stablehlo_elementwise.RULES,
        **stablehlo_fft.RULES,
        **stablehlo_linear_algebra.RULES,
        **stablehlo_random.RULES,
        **stablehlo_regions.RULES,
    }
)
