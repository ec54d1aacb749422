"""decompose-batch-norm: batch normalization as reductions and elementwise arithmetic.

Before:
```mlir
%y, %mean, %var = "stablehlo.batch_norm_training"(%x, %scale, %offset) <{epsilon = 1e-3 : f32, feature_index = 3 : i64}>
```
After:
```mlir
%sum = stablehlo.reduce(%x) applies stablehlo.add across dimensions = [0, 1, 2]
%mean = stablehlo.divide %sum, %count
%centered = stablehlo.subtract %x, %mean_in_all
... the mean of %centered * %centered, its square root, scale and offset ...
```
The variance is that of centered values: the mean of squares less the square of the mean would lose all digits where the mean is
large. Floats below f32 are computed in f32 and rounded once, at the results.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import Float32Type, Float64Type, f32
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import stablehlo
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.passes import Pass
from stepwell.passes.hlo import Hlo, element_of, replace, shape_of

BatchNormOp = stablehlo.BatchNormTrainingOp | stablehlo.BatchNormInferenceOp | stablehlo.BatchNormGradOp


class _Features:
    """The operands of one op in the type to compute in, and what is done per feature."""

    def __init__(self, op: BatchNormOp):
        shape = shape_of(op.operand)
        if any(n < 0 for n in shape):
            raise unsupported(op, f"dynamic shape {op.operand.type}", "refine the program to static shapes first")
        self.op = op
        self.h = Hlo.before(op)
        self.shape = shape
        self.feature = op.feature_index.value.data
        self.others = [d for d in range(len(shape)) if d != self.feature]
        self.count = math.prod(shape[d] for d in self.others)
        self.element = element_of(op.operand)
        self.wide = self.element if isinstance(self.element, Float32Type | Float64Type) else f32
        self.epsilon = op.epsilon.value.data

    def operands(self) -> list[SSAValue]:
        return [self.h.convert(value, self.wide) for value in self.op.operands]

    def spread(self, vector: SSAValue) -> SSAValue:
        """One number a feature, in the operand's shape."""
        return self.h.broadcast(vector, self.shape, [self.feature])

    def sum(self, x: SSAValue) -> SSAValue:
        return self.h.reduce("add", x, self.others)

    def mean(self, x: SSAValue) -> SSAValue:
        return self.h.div(self.sum(x), float(self.count))

    def deviation(self, variance: SSAValue) -> SSAValue:
        return self.h.sqrt(self.h.add(variance, self.epsilon))

    def normalized(self, x: SSAValue, mean: SSAValue, variance: SSAValue) -> SSAValue:
        return self.h.div(self.h.sub(x, self.spread(mean)), self.spread(self.deviation(variance)))

    def finish(self, values: Sequence[SSAValue]) -> None:
        replace(self.op, [self.h.convert(v, element_of(r)) for v, r in zip(values, self.op.results, strict=True)])


def _scaled(f: _Features, normalized: SSAValue, scale: SSAValue, offset: SSAValue) -> SSAValue:
    return f.h.add(f.h.mul(f.spread(scale), normalized), f.spread(offset))


def decompose_training(op: stablehlo.BatchNormTrainingOp) -> None:
    """Replace one op."""
    f = _Features(op)
    x, scale, offset = f.operands()
    mean = f.mean(x)
    centered = f.h.sub(x, f.spread(mean))
    variance = f.mean(f.h.mul(centered, centered))
    normalized = f.h.div(centered, f.spread(f.deviation(variance)))
    f.finish([_scaled(f, normalized, scale, offset), mean, variance])


def decompose_inference(op: stablehlo.BatchNormInferenceOp) -> None:
    """Replace one op."""
    f = _Features(op)
    x, scale, offset, mean, variance = f.operands()
    f.finish([_scaled(f, f.normalized(x, mean, variance), scale, offset)])


def decompose_grad(op: stablehlo.BatchNormGradOp) -> None:
    """Replace one op."""
    f = _Features(op)
    x, scale, mean, variance, grad = f.operands()
    h, count = f.h, float(f.count)
    centered = h.sub(x, f.spread(mean))
    grad_offset = f.sum(grad)
    product = f.sum(h.mul(grad, centered))
    slope = f.spread(h.div(product, h.add(variance, f.epsilon)))
    inner = h.sub(h.sub(h.mul(grad, count), f.spread(grad_offset)), h.mul(slope, centered))
    factor = h.div(h.div(scale, f.deviation(variance)), count)
    grad_scale = h.div(product, f.deviation(variance))
    f.finish([h.mul(f.spread(factor), inner), grad_scale, grad_offset])


REPLACES: tuple[str, ...] = (
    "stablehlo.batch_norm_grad",
    "stablehlo.batch_norm_inference",
    "stablehlo.batch_norm_training",
)
"""The ops it takes away, by name (`docs/stablehlo-status.md` reads this)."""


@dataclass(frozen=True)
class DecomposeBatchNormPass(Pass):
    """Decompose batch normalization into reductions and elementwise arithmetic."""

    name = "decompose-batch-norm"
    numerics = "rounding"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Decompose every op, wherever it is."""
        for old in list(op.walk()):
            if isinstance(old, stablehlo.BatchNormTrainingOp):
                decompose_training(old)
            elif isinstance(old, stablehlo.BatchNormInferenceOp):
                decompose_inference(old)
            elif isinstance(old, stablehlo.BatchNormGradOp):
                decompose_grad(old)
