"""raise-norm: recognize layer, batch and RMS normalization, and name them.

Before: %m = mean of %x along dims                 After: %y = stablehlo.composite "stepwell.layer_norm" %x, %scale, %offset
        %v = mean of (%x - %m)^2                               {composite_attributes = {dims = ...}, decomposition = @layer_norm}
        %n = (%x - %m) * rsqrt(%v + %eps)                 func.func private @layer_norm(...) { what was there }
        %y = %n * %scale + %offset

What is recognized: the variance of centered values, or the mean of squares less that of the mean (cut at 0 or not); a division by
the root, or a product with its inverse; with scale and offset, with a scale (also multiplied with the inverse root), or without.
Over the last dims it is a layer norm, over all but one a batch norm (in training); with a mean and a variance that are given, one
number a feature, a batch norm in inference; without a mean an RMS norm. Mean, variance and whatever else of it is read elsewhere
become results of the composite.

Needs: step 1, canonicalized.  Keeps: the ops, as the decomposition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from stepwell.dialects import stablehlo
from stepwell.ir.passes import Pass
from stepwell.passes.attention.tracing import dim_of, shape_of
from stepwell.passes.raising.outline import Form, Raiser
from stepwell.passes.raising.patterns import (
    Match,
    Pattern,
    constant,
    either,
    features,
    leaf,
    mean,
    pointwise,
    product,
    square,
)

Op = stablehlo


def _variance(centered: Pattern) -> Pattern:
    squares = pointwise(Op.SubtractOp, mean(square(leaf("x"))), square(mean(leaf("x"))))
    return either(mean(square(centered)), squares, pointwise(Op.MaximumOp, constant(0.0), squares))


def _scaled(centered: Pattern, spread: Pattern) -> tuple[Pattern, Pattern]:
    """(with an offset, without) of what is centered over the root of `spread` and a small number, scaled or not."""
    root_of = pointwise(Op.AddOp, spread, constant())
    inverse = pointwise(Op.RsqrtOp, root_of)
    divided = pointwise(Op.DivideOp, centered, pointwise(Op.SqrtOp, root_of))
    scaled = either(
        product(centered, inverse, features("scale")),
        pointwise(Op.MultiplyOp, divided, features("scale")),
        product(centered, inverse),
        divided,
    )
    return pointwise(Op.AddOp, scaled, features("offset")), scaled


def _forms() -> list[tuple[Callable[[Match], str | None], tuple[Pattern, Pattern]]]:
    centered = pointwise(Op.SubtractOp, leaf("x"), mean(leaf("x")))
    given = pointwise(Op.SubtractOp, leaf("x"), features("mean"))
    return [
        (_by_axes, _scaled(centered, _variance(centered))),
        (lambda found: "rms_norm" if _over_last_dims(found) else None, _scaled(leaf("x"), mean(square(leaf("x"))))),
        (
            lambda found: "batch_norm_inference" if _of_one_feature(found) else None,
            _scaled(given, features("variance")),
        ),
    ]


def _by_axes(found: Match) -> str | None:
    """Which norm it is that takes mean and variance over the dims of a match."""
    if _over_last_dims(found):
        return "layer_norm"
    left = [d for d, n in enumerate(found.shape) if n != 1 and d not in (found.axes or ())]
    return "batch_norm" if found.axes and len(left) == 1 else None


def _over_last_dims(found: Match) -> bool:
    axes = found.axes
    return bool(axes) and all(n == 1 or d in axes for d, n in enumerate(found.shape) if d >= min(axes))


def _of_one_feature(found: Match) -> bool:
    """Whether mean and variance are one number for each index of one dim, and the same dim."""
    dims: list[set[int | None]] = []
    for name in ("mean", "variance"):
        value, exprs = found.leaves[name]
        dims.append({dim_of(e) for e, n in zip(exprs, shape_of(value), strict=True) if n != 1})
    return dims[0] == dims[1] and len(dims[0]) == 1


def _table() -> dict[type[Operation], tuple[Form, ...]]:
    """The ops that end in a norm, each with the forms that may end in it."""
    forms = [(Form(offset, called), Form(scaled, called)) for called, (offset, scaled) in _forms()]
    with_offset, without = zip(*forms, strict=True)
    return {Op.AddOp: with_offset, Op.MultiplyOp: without, Op.DivideOp: without}


FORMS = _table()


@dataclass(frozen=True)
class RaiseNormPass(Pass):
    """Recognize layer, batch and RMS normalization and name them, keeping their ops as the decomposition."""

    name = "raise-norm"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Raise every normalization of the module."""
        del ctx
        assert isinstance(op, ModuleOp)
        Raiser(op, FORMS, (Op.RsqrtOp, Op.SqrtOp), reach=4).run()
