"""`stepwell.lax`: control flow and what NumPy has no name for, with JAX's names."""

from __future__ import annotations

from stepwell.frontends.lax_api.control_flow import cond, fori_loop, scan, switch, while_loop
from stepwell.frontends.lax_api.custom import custom_call
from stepwell.frontends.lax_api.mapping import map
from stepwell.frontends.lax_api.slicing import bitcast_convert_type, dynamic_slice, dynamic_update_slice
from stepwell.frontends.lax_api.windows import conv, conv_general_dilated, reduce, reduce_window
from stepwell.frontends.numpy_api.elementwise import erf, erf_inv, erfc, rsqrt
from stepwell.frontends.numpy_api.reductions import cummax, cummin
from stepwell.frontends.numpy_api.sorting import top_k

__all__ = [
    "bitcast_convert_type",
    "cond",
    "conv",
    "conv_general_dilated",
    "cummax",
    "cummin",
    "custom_call",
    "dynamic_slice",
    "dynamic_update_slice",
    "erf",
    "erf_inv",
    "erfc",
    "fori_loop",
    "map",
    "reduce",
    "reduce_window",
    "rsqrt",
    "scan",
    "switch",
    "top_k",
    "while_loop",
]
