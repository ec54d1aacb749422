"""inline-composites: put the parts of recognized computations back, and say on the last of them what they are.

Before: %y = stablehlo.composite "stepwell.softmax" %x {composite_attributes = {dims = ...}, decomposition = @softmax}
After:  ... the ops of @softmax ..., the last one with kernel.remarks = ["softmax over dim 1 of 64x96xf32"]

A composite that a strategy wants whole (attention) stays for `convert-stablehlo-to-linalg` to claim; those of other authors too.
Functions that nothing names any more are dropped.

Needs: step 1.  Keeps: everything else.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, ModuleOp, StringAttr, SymbolRefAttr, TensorType
from xdsl.ir import Operation
from xdsl.rewriter import Rewriter

from stepwell.dialects import stablehlo
from stepwell.ir.passes import Pass
from stepwell.passes.inline import inline_composite
from stepwell.passes.raising.outline import DIMS, REMARKS

TITLES = {
    "stepwell.softmax": "softmax",
    "stepwell.log_softmax": "log-softmax",
    "stepwell.layer_norm": "layer norm",
    "stepwell.rms_norm": "RMS norm",
    "stepwell.batch_norm": "batch norm in training",
    "stepwell.batch_norm_inference": "batch norm in inference",
    "stepwell.gelu": "gelu",
    "stepwell.gelu_tanh": "gelu by tanh",
    "stepwell.silu": "silu",
    "stepwell.convolution_bias": "convolution with bias",
    "stepwell.convolution_relu": "convolution with bias and relu",
    "stepwell.convolution_tanh": "convolution with bias and tanh",
    "stepwell.convolution_logistic": "convolution with bias and logistic",
    "stepwell.convolution_silu": "convolution with bias and silu",
    "stepwell.convolution_gelu": "convolution with bias and gelu",
    "stepwell.convolution_gelu_tanh": "convolution with bias and gelu by tanh",
}
"""What is put back, and how it is called."""


def title(op: stablehlo.CompositeOp) -> str:
    """A recognized computation as a remark: what, over which dims, of what."""
    text = TITLES[op.composite_name.data]
    attributes = op.composite_attributes.data if op.composite_attributes is not None else {}
    dims = attributes.get(DIMS)
    if isinstance(dims, DenseArrayBase):
        numbers = [str(int(d)) for d in dims.get_values()]
        text += f" over dim{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"
    kind = op.results[0].type
    if isinstance(kind, TensorType):
        text += " of " + "x".join([*map(str, kind.get_shape()), str(kind.element_type)])
    return text


@dataclass(frozen=True)
class InlineCompositesPass(Pass):
    """Put the parts of recognized computations back, saying what they are."""

    name = "inline-composites"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Inline every composite that no strategy wants whole."""
        del ctx
        assert isinstance(op, ModuleOp)
        ops = list(op.walk())
        composites = [o for o in ops if isinstance(o, stablehlo.CompositeOp) and o.composite_name.data in TITLES]
        if not composites:
            return
        functions = {f.sym_name.data: f for f in op.body.block.ops if isinstance(f, func.FuncOp)}
        inlined: dict[str, None] = {}
        for composite in composites:
            name = composite.decomposition.string_value()
            function = functions[name]
            if function.is_declaration or function.body.block.next_block is not None:
                continue
            text = title(composite)
            last = inline_composite(composite, function)
            if last is not None:
                before = last.attributes.get(REMARKS)
                known = list(before.data) if isinstance(before, ArrayAttr) else []
                last.attributes[REMARKS] = ArrayAttr([*known, StringAttr(text)])
            inlined[name] = None
        _drop_unused(op, [functions[name] for name in inlined])


def _drop_unused(module: ModuleOp, functions: list[func.FuncOp]) -> None:
    """Erase private functions that nothing names any more."""
    named: dict[str, None] = {}
    for op in module.walk():
        if isinstance(op, func.FuncOp):
            continue
        for attribute in (*op.properties.values(), *op.attributes.values()):
            if isinstance(attribute, SymbolRefAttr):
                named[attribute.root_reference.data] = None
    for function in functions:
        private = function.sym_visibility is not None and function.sym_visibility.data == "private"
        if private and function.sym_name.data not in named:
            Rewriter.erase_op(function)
