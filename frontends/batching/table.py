"""Every batching rule, by the class of the op."""

from __future__ import annotations

from xdsl.ir import Operation

from stepwell.dialects.stablehlo import CustomCallOp
from stepwell.dialects.stablehlo.custom_calls import meaning_of
from stepwell.dialects.stablehlo.lapack import is_lapack
from stepwell.frontends.batching import contractions, control_flow, elementwise, movement
from stepwell.frontends.batching.batcher import ControlRule, Rule
from stepwell.ir.host_calls import callback_of

RULES: dict[type[Operation], Rule] = {**elementwise.RULES, **movement.RULES, **contractions.RULES}
CONTROL: dict[type[Operation], ControlRule] = control_flow.RULES


def rule_of(op: Operation) -> Rule | None:
    """The rule of an op: that of its class or of one it is derived from. LAPACK's routines are the custom calls with one."""
    if isinstance(op, CustomCallOp):
        target = op.call_target_name.data
        if not is_lapack(target) or meaning_of(target) is not None or callback_of(target) is not None:
            return None
    return next((RULES[kind] for kind in type(op).__mro__ if kind in RULES), None)


def is_known(op: Operation) -> bool:
    """Whether an op can be done for a batch."""
    return type(op) in CONTROL or rule_of(op) is not None
