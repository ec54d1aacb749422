"""`ApproxTopK` (`jax.lax.approx_max_k`, `approx_min_k`): sorted by the caller's comparator, then cut. No recall is below one."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.stablehlo import CustomCallOp
from stepwell.dialects.stablehlo.custom_calls import approximate_top_k
from stepwell.passes.hlo import Hlo, function_region


def expand_approximate_top_k(op: CustomCallOp) -> Sequence[SSAValue]:
    """The first elements of the arrays, sorted together.

    Raises:
        InvalidProgramError: the types or the comparator do not fit.
        UnsupportedError: a dynamic shape.
    """
    call = approximate_top_k(op)
    h = Hlo.before(op)
    arrays = op.operands[: len(op.results)]
    ordered = h.builder.insert(stablehlo.SortOp(arrays, call.dimension, True, function_region(op, call.comparator)))
    return [h.slice_in_dim(v, 0, call.count, call.dimension) for v in ordered.results]


__all__ = ["expand_approximate_top_k"]
