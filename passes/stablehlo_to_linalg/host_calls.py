"""Custom calls that call back into Python: `structured.host_call`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from xdsl.dialects.builtin import DictionaryAttr, TensorType
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.stablehlo.custom_calls import config_of, unknown_target
from stepwell.dialects.structured_host_call import HostCallOp
from stepwell.ir.host_calls import callback_of, callback_targets
from stepwell.passes.stablehlo_to_linalg.lowering import Lowering, Rule


def host_call(low: Lowering, op: stablehlo.CustomCallOp) -> Sequence[SSAValue]:
    """The call on destinations of its own; its attributes as a dictionary."""
    target = op.call_target_name.data
    if callback_of(target) is None:
        raise unknown_target(op, callback_targets())
    config = config_of(op)
    types = [cast("TensorType[Attribute]", v.type) for v in (*op.operands, *op.results)]
    shaped = [low.result_type(op, i) for i in range(len(op.results))]
    outs = [low.empty(t.get_shape(), t.element_type) for t in shaped]
    made = HostCallOp(
        target, [low.get(v) for v in op.operands], outs, types, DictionaryAttr(config) if config else None
    )
    return low.builder.insert(made).results


RULES: dict[type[Operation], Rule] = {stablehlo.CustomCallOp: host_call}
