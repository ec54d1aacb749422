"""convert-stablehlo-to-linalg: from the tensor step to the structured step.

One walk builds every function anew with a value map. Each op becomes `linalg.generic` with explicit index maps, a free
reshape, an insert, an op of the `structured` dialect, or host control flow; integer types become signless.

Before:
```mlir
%0 = stablehlo.add %a, %b : tensor<4xf32>
```
After:
```mlir
%e = tensor.empty() : tensor<4xf32>
%0 = linalg.generic {indexing_maps = [...], iterator_types = ["parallel"]} ins(%a, %b : ...) outs(%e : ...) {
^bb0(%x: f32, %y: f32, %unused: f32):
  %s = arith.addf %x, %y : f32
  linalg.yield %s : f32
} -> tensor<4xf32>
```
Needs: static shapes, no `chlo` but what `convert-chlo-to-stablehlo` leaves. Keeps: names, visibility, attributes, locations.
Fails: `UnsupportedError` naming the op that has no lowering, and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, Region
from xdsl.rewriter import InsertPoint

from stepwell.dialects import structured
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.passes import Pass
from stepwell.passes.stablehlo_to_linalg import (
    contractions,
    control_flow,
    data_movement,
    host_calls,
    indexing,
    maps,
    reductions,
    scans,
    top_k,
)
from stepwell.passes.stablehlo_to_linalg.composites import drop, settle_composites
from stepwell.passes.stablehlo_to_linalg.lowering import Lowering, Rule

RULES: dict[type[Operation], Rule] = {
    **maps.RULES,
    **data_movement.RULES,
    **reductions.RULES,
    **scans.RULES,
    **contractions.RULES,
    **indexing.RULES,
    **control_flow.RULES,
    **top_k.RULES,
}
"""The lowering of every op, by class."""

STRUCTURED_FORMS: dict[str, type[Operation]] = {
    "stablehlo.dynamic_update_slice": structured.UpdateSliceOp,
    "stablehlo.scatter": structured.ScatterOp,
    "stablehlo.select_and_scatter": structured.SelectAndScatterOp,
    "stablehlo.sort": structured.SortOp,
}
"""The op of the `structured` dialect that an op becomes, by name; every other one becomes linalg, tensor and scf ops."""


def convert_function(function: func.FuncOp, decompositions: Mapping[str, func.FuncOp] | None = None) -> func.FuncOp:
    """The step-2 counterpart of a function, not inserted anywhere; `decompositions` are those of claimed composites."""
    if function.is_declaration:
        raise unsupported(function, "a function without a body cannot be compiled", "define it or remove the call")
    if len(function.body.blocks) != 1:
        raise unsupported(function, "several blocks", "write control flow with stablehlo.if, case and while")
    builder = LocatedBuilder(InsertPoint.at_end(function.body.block), function.location)
    low = Lowering(builder, {**RULES, **host_calls.RULES}, decompositions or {})
    block, results = control_flow.convert_block(low, function.body.block)
    with low.inside(block):
        builder.insert(func.ReturnOp(*results))
    low.remove_unused()
    new = func.FuncOp.create(
        properties=dict(function.properties),
        attributes=dict(function.attributes),
        regions=[Region(block)],
    )
    new.properties["function_type"] = low.convert_type(function.function_type, function)
    new.location = function.location
    return new


@dataclass(frozen=True)
class ConvertStablehloToLinalgPass(Pass):
    """Convert StableHLO on tensors to linalg, structured and scf ops on tensors."""

    name = "convert-stablehlo-to-linalg"
    numerics = "rounding"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Convert every function of the module."""
        assert isinstance(op, ModuleOp)
        claimed, unneeded = settle_composites(op)
        gone = dict.fromkeys(unneeded)
        for function in list(op.body.block.ops):
            if isinstance(function, func.FuncOp) and function not in gone:
                new = convert_function(function, claimed)
                op.body.block.insert_op_before(new, function)
                function.detach()
                function.erase()
        drop(gone)
