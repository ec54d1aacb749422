"""raise-attention: recognize attention, whoever wrote it, and name it.

Before: %s = stablehlo.dot_general %q, %k ...          After: %o = stablehlo.composite "stepwell.attention" %q, %k, %v
        %t = stablehlo.multiply %s, %scale                      {decomposition = @attention}
        %w = softmax of %t, seven ops                         func.func private @attention(...) { what was there }
        %o = stablehlo.dot_general %w, %v ...

What is recognized: any layout and order of the two products, queries that share keys and values (grouped, multi-query), scores
scaled, biased, masked or capped by pointwise ops between the first product and the softmax, masks that are read or computed from
positions, float operands narrower than the softmax. What looks like it and is not (a softmax of another form, scores that
something else reads, such as a gradient) stays, with a remark on its last product saying why.

Needs: step 1, canonicalized.  Keeps: the ops, as the composite's decomposition; what one road or another has no strategy for is put
back by `convert-stablehlo-to-linalg`.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr, SymbolRefAttr, TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import Rewriter

from stepwell.dialects import stablehlo
from stepwell.ir.passes import Pass
from stepwell.passes.attention.decompositions import Decompositions
from stepwell.passes.attention.matching import DOT, Attention, match_attention
from stepwell.passes.attention.scores import collect, on_path
from stepwell.passes.attention.tracing import splat_of

COMPOSITE = "stepwell.attention"
"""The name of the composite."""
REMARKS = "kernel.remarks"


@dataclass(frozen=True)
class Outline:
    """What becomes the decomposition: ops, operands first, and the values they take."""

    ops: tuple[Operation, ...]
    operands: tuple[SSAValue, ...]


def outline_of(found: Attention) -> Outline | str:
    """The ops of a recognized attention, or why they cannot leave their block."""
    made = collect(found)
    if isinstance(made, str):
        return made
    casts = [op for o, t in zip((found.query, found.key), _sides(found), strict=True) for op in _casts(t, o.value)]
    casts += _casts(_value_side(found), found.value.value)
    ops = list(dict.fromkeys([*casts, *made.inside, *found.softmax, found.last]))
    softmax = [op for op in found.softmax if splat_of(op.results[0]) is None]
    path = [*on_path(list(made.inside), found.product), *softmax]
    members = dict.fromkeys(ops)
    for op in path:
        if op.parent is not found.last.parent:
            return "its scores are made in another block"
        if any(use.operation not in members for result in op.results for use in result.uses):
            return f"{op.name} of its scores or weights is read by something else"
    values: list[SSAValue] = [found.query.value, found.key.value, found.value.value]
    values += [v for v, _ in made.leaves]
    return Outline(tuple(ops), tuple(dict.fromkeys(values)))


def _sides(found: Attention) -> tuple[SSAValue, SSAValue]:
    """The product's operands as query and key."""
    left, right = found.product.operands
    first = _casts(left, found.query.value)
    is_query = left is found.query.value or bool(first)
    return (left, right) if is_query else (right, left)


def _value_side(found: Attention) -> SSAValue:
    left, right = found.last.operands
    return left if left is found.value.value or _casts(left, found.value.value) else right


def _casts(value: SSAValue, source: SSAValue) -> list[Operation]:
    """The converts from `source` to `value`; none when it does not lead there."""
    casts: list[Operation] = []
    while value is not source:
        if not isinstance(value.owner, stablehlo.ConvertOp):
            return []
        casts.insert(0, value.owner)
        value = value.owner.operands[0]
    return casts


class _Raiser:
    """Replaces what is recognized in one module."""

    def __init__(self, module: ModuleOp):
        self.module = module
        self.decompositions = Decompositions(module, "attention")

    def run(self) -> None:
        dots = [op for op in self.module.walk() if isinstance(op, DOT)]
        for dot in dots:
            found = match_attention(dot) if _is_static(dot) else None
            if found is None:
                continue
            outline = outline_of(found) if isinstance(found, Attention) else found
            if isinstance(outline, str):
                # A gradient that was not recognized has its reason already.
                if REMARKS in dot.attributes:
                    continue
                dot.attributes[REMARKS] = ArrayAttr([StringAttr(f"no attention: {outline}")])
            else:
                self._replace(dot, outline)

    def _replace(self, dot: DOT, outline: Outline) -> None:
        function = self.decompositions.of(outline.ops, outline.operands, [dot.result], dot)
        composite = stablehlo.CompositeOp.create(
            operands=list(outline.operands),
            result_types=[dot.result.type],
            properties={"name": StringAttr(COMPOSITE), "decomposition": SymbolRefAttr(function.sym_name)},
        )
        composite.location = dot.location
        composite.results[0].name_hint = dot.result.name_hint
        block = dot.parent
        assert block is not None
        block.insert_op_before(composite, dot)
        dot.result.replace_all_uses_with(composite.results[0])
        for op in reversed(outline.ops):
            if all(r.first_use is None for r in op.results):
                Rewriter.erase_op(op)


def _is_static(op: Operation) -> bool:
    types = [v.type for v in (*op.operands, *op.results)]
    return all(isinstance(t, TensorType) and t.has_static_shape() for t in types)


@dataclass(frozen=True)
class RaiseAttentionPass(Pass):
    """Recognize attention and name it, keeping its ops as the decomposition."""

    name = "raise-attention"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Raise every attention of the module."""
        del ctx
        assert isinstance(op, ModuleOp)
        _Raiser(op).run()
