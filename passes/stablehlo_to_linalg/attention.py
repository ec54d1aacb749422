"""The claim of `stablehlo.composite "stepwell.attention"`: one `structured.attention` where the machine has a strategy for it."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith, func
from xdsl.dialects.builtin import ArrayAttr, Float32Type, Float64Type, IndexType, IntegerType, StringAttr
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from stepwell.dialects import stablehlo
from stepwell.dialects.structured_attention import AttentionOp
from stepwell.dialects.structured_base import YieldOp
from stepwell.ir.machine import MachineDescription
from stepwell.passes.attention.matching import Attention, Operand, match_attention
from stepwell.passes.attention.scores import CausalMask, Condition, causal_mask, collect, operands_at, triangle
from stepwell.passes.attention.tracing import ZERO, Exprs, dim_of, element_of, identity, splat_of
from stepwell.passes.schedules.nest import is_contiguous
from stepwell.passes.stablehlo_to_linalg.lowering import REMARKS, Lowering
from stepwell.passes.stablehlo_to_linalg.scalar_rules import SCALAR_RULES
from stepwell.passes.stablehlo_to_linalg.scalars import Scalars, known, signless_element


def decomposed(function: func.FuncOp) -> Attention | str:
    """The attention that a decomposition is."""
    end = function.body.block.last_op
    assert end is not None
    last = end.operands[0].owner if len(end.operands) == 1 else None
    found = match_attention(last) if isinstance(last, stablehlo.DotGeneralOp) else None
    if found is None:
        return "its decomposition is none"
    if isinstance(found, str):
        return found
    made = collect(found)
    if isinstance(made, str):
        return made
    outside = [found.query.value, found.key.value, found.value.value, *(v for v, _ in made.leaves)]
    if any(isinstance(v.owner, Operation) for v in outside):
        return "its decomposition does more than attention"
    return found


def refused(function: func.FuncOp, machine: MachineDescription) -> str | None:
    """Why a machine does better with the parts of a decomposition."""
    found = decomposed(function)
    if isinstance(found, str):
        return found
    made = collect(found)
    assert not isinstance(made, str)
    return refusal(found, list(made.leaves), machine)


def refusal(found: Attention, leaves: Sequence[tuple[SSAValue, Exprs]], machine: MachineDescription) -> str | None:
    """Why a machine does better with the parts of what was recognized."""
    if machine.subgroup > 1:
        return "lanes that move in groups have no strategy for it"
    if machine.vector_bytes == 0:
        return "scalar code"
    queries, keys = found.sizes[found.query_dim], found.sizes[found.key_dim]
    if 0 in found.sizes:
        return "it is empty"
    lanes = machine.vector_bytes // (8 if isinstance(element_of(found.scores), Float64Type) else 4)
    few = queries * 2 < lanes
    if keys < (lanes if few else 4) or min(found.sizes[found.depth_dim], found.sizes[found.column_dim]) < 4:
        return "too small for tiles"
    if few and (reason := _apart(found)) is not None:
        return f"{queries} queries do not fill the lanes of a vector, and {reason}"
    for value, exprs in leaves:
        lines = [d for d in (found.query_dim, found.key_dim) if d in [dim_of(e) for e in exprs]]
        apart = not any(is_contiguous(exprs, d) for d in lines if d == found.key_dim or not few)
        if element_of(value) == IntegerType(1) and (few or found.query_dim in lines) and lines and apart:
            return "a mask's elements are apart in memory"
    return None


def _apart(found: Attention) -> str | None:
    """Why keys and values cannot be read in vectors."""
    for name, operand, dims in (
        ("keys", found.key, (found.key_dim, found.depth_dim)),
        ("values", found.value, (found.key_dim, found.column_dim)),
    ):
        if not any(is_contiguous(operand.exprs, d) for d in dims):
            return f"its {name} are apart in memory"
    return None


def attention(low: Lowering, op: stablehlo.CompositeOp, function: func.FuncOp) -> Sequence[SSAValue]:
    """`structured.attention` and, where the result has another layout, a transpose."""
    found = decomposed(function)
    assert isinstance(found, Attention)
    given: dict[SSAValue, SSAValue] = dict(
        zip(function.body.block.args, (low.get(o) for o in op.operands), strict=True)
    )
    # Dims of one element have no loop.
    batch = [d for d in found.batch_dims if found.sizes[d] > 1]
    space = [*batch, found.query_dim, found.key_dim, found.depth_dim, found.column_dim]
    place = [AffineExpr.dimension(space.index(d)) if d in space else ZERO for d in range(len(found.sizes))]

    def amap(exprs: Sequence[AffineExpr]) -> AffineMap:
        return AffineMap(len(space), 0, tuple(e.replace_dims_and_symbols(place, []) for e in exprs))

    made = collect(found)
    assert not isinstance(made, str)
    scores = ScoreRegion(low, found, list(made.leaves))
    scores.score(causal_mask(found))
    extras = used_leaves(list(made.leaves), [scores])
    region = Region(scores.block)
    operands = (found.query, found.key, found.value)
    lines = [*batch, found.query_dim, found.column_dim]
    mask = causal_mask(found)
    result = low.result_type(op)
    target = low.empty([found.sizes[d] for d in lines], result.get_element_type())
    maps = [amap(o.exprs) for o in operands] + [amap(e) for _, e in extras]
    maps.append(amap([AffineExpr.dimension(d) for d in lines]))
    attended = AttentionOp(
        (given[found.query.value], given[found.key.value], given[found.value.value]),
        [given[v] for v, _ in extras],
        target,
        maps,
        [found.sizes[d] for d in space],
        region,
        None if mask is None else (mask.offset, mask.fill),
    )
    attended.attributes[REMARKS] = ArrayAttr([StringAttr(_described(found, mask, len(extras)))])
    value = low.builder.insert(attended).res[0]
    if found.sizes[found.query_dim] == 1:
        # The program's result has no dim for one query, or one of one element: what follows goes by the larger ones.
        at = len(batch)
        lines.pop(at)
        groups = [[d] for d in range(at)] + [[at, at + 1]]
        value = low.collapse(value, groups, [found.sizes[d] for d in lines])
    return [laid_out(low, value, lines, found, found.result, result.get_shape())]


def laid_out(
    low: Lowering, value: SSAValue, lines: Sequence[int], found: Attention, exprs: Exprs, shape: Sequence[int]
) -> SSAValue:
    """What is made over the dims `lines`, as a product of the program has it, whose dims are `exprs`."""
    dims = [dim_of(e) if n > 1 else None for e, n in zip(exprs, shape, strict=True)]
    large = [d for d in dims if d is not None]
    if large != list(lines):
        order = [AffineExpr.dimension(large.index(d)) for d in lines]
        value = low.remap(value, [found.sizes[d] for d in large], order)
    groups: list[list[int]] = []
    for number, dim in enumerate(dims):
        begins = dim is not None and not (groups and all(dims[d] is None for d in groups[-1]))
        if begins or not groups:
            groups.append([number])
        else:
            groups[-1].append(number)
    return low.expand(value, groups, shape)


def _described(found: Attention, mask: CausalMask | None, extras: int) -> str:
    queries, keys = found.sizes[found.query_dim], found.sizes[found.key_dim]
    text = f"recognized as attention of {queries} queries and {keys} keys"
    if mask is not None:
        text += f", causal from {mask.offset}"
    return f"{text}, {extras} masks or biases" if extras else text


class ScoreRegion:
    """Builds a region on scores: of a product, the numbers of query and key, and what the leaves have there."""

    def __init__(
        self,
        low: Lowering,
        found: Attention,
        leaves: Sequence[tuple[SSAValue, Exprs]],
        passed: SSAValue | None = None,
        masking: tuple[Operation, CausalMask] | None = None,
    ):
        """`passed` is what the region takes before all that, if it does; `masking` a selection whose mask is not its business."""
        self.low = low
        self.found = found
        self.leaves = leaves
        self.passed = passed
        self.masking = masking
        self.kind = element_of(found.scores)
        elements = [signless_element(element_of(v)) for v, _ in leaves]
        self.first = 0 if passed is None else 1
        """The argument that is the product."""
        self.block = Block(arg_types=[*[self.kind] * (self.first + 1), IndexType(), IndexType(), *elements])
        for argument in self.block.args:
            argument.location = low.builder.location
        self.known: dict[tuple[SSAValue, Exprs], SSAValue] = {}

    @property
    def extras(self) -> Sequence[SSAValue]:
        """The arguments that are elements of leaves."""
        return self.block.args[self.first + 3 :]

    def score(self, mask: CausalMask | None) -> None:
        """Make a score, but for the mask."""
        with self.low.inside(self.block):
            s = Scalars(self.low.builder)
            if mask is None:
                value = self._scalar(s, self.found.scores, identity(self.found.rank))
            else:
                value = self._widened(s, self._selected(s, mask))
            self.low.builder.insert(YieldOp(value))

    def slope(self, end: Operand) -> None:
        """Make of what is passed back to a score what is passed back to the product."""
        with self.low.inside(self.block):
            s = Scalars(self.low.builder)
            value = self._scalar(s, end.value, end.exprs)
            self.low.builder.insert(YieldOp(self._widened(s, value)))

    def _selected(self, s: Scalars, mask: CausalMask) -> SSAValue:
        """What a mask leaves, but for where it hides keys by their number."""
        value = self._scalar(s, mask.inner.value, mask.inner.exprs)
        for condition in [self._condition(s, c) for c in mask.others]:
            value = s.select(condition, value, s.constant(mask.fill, value.type))
        return value

    def _widened(self, s: Scalars, value: SSAValue) -> SSAValue:
        """A number as a score."""
        return value if value.type == self.kind else s(arith.ExtFOp, value, self.kind)

    def _condition(self, s: Scalars, condition: Condition) -> SSAValue:
        value = self._scalar(s, condition.value, condition.exprs)
        return s(arith.XOrIOp, value, s.constant(1, IntegerType(1))) if condition.negated else value

    def _scalar(self, s: Scalars, value: SSAValue, exprs: Exprs) -> SSAValue:
        """An element as a scalar of the region."""
        key = (value, exprs)
        if key not in self.known:
            self.known[key] = self._make(s, value, exprs)
        return self.known[key]

    def _make(self, s: Scalars, value: SSAValue, exprs: Exprs) -> SSAValue:
        found, op = self.found, value.owner
        if value is self.passed:
            return self.block.args[0]
        if self.masking is not None and op is self.masking[0]:
            return self._selected(s, self.masking[1])
        inner = operands_at(found, value, exprs)
        if inner is None:
            return self.extras[self.leaves.index((value, exprs))]
        if op is found.product:
            return self._product(s, value)
        if isinstance(op, stablehlo.ConstantOp):
            return self._constant(s, value, exprs)
        if isinstance(op, stablehlo.IotaOp):
            return self._position(s, op, exprs)
        assert isinstance(op, Operation)
        made = [self._scalar(s, v, e) for v, e in inner]
        if isinstance(op, stablehlo.DivideOp) and (inverse := _inverse(made[1])) is not None:
            return s(arith.MulfOp, made[0], s.constant(inverse, made[0].type))
        rule = SCALAR_RULES.get(type(op))
        return made[0] if rule is None else rule(s, op, made)

    def _product(self, s: Scalars, value: SSAValue) -> SSAValue:
        """The sum of products, rounded as the program's own product is."""
        kind = element_of(value)
        product = self.block.args[self.first]
        return product if kind == self.kind else s(arith.TruncFOp, product, kind)

    def _constant(self, s: Scalars, value: SSAValue, exprs: Exprs) -> SSAValue:
        known = splat_of(value)
        if known is not None:
            kind = signless_element(element_of(value))
            return s.constant(known.value.data, kind)
        offset = triangle(self.found, value, exprs)
        assert offset is not None
        limit = s(arith.AddiOp, self.block.args[self.first + 1], s.index_constant(offset))
        return s.cmpi("sle", self.block.args[self.first + 2], limit)

    def _position(self, s: Scalars, op: stablehlo.IotaOp, exprs: Exprs) -> SSAValue:
        along = dim_of(exprs[op.iota_dimension.value.data])
        kind = signless_element(element_of(op.results[0]))
        if along is None:
            return s.constant(0, kind)
        index = self.block.args[self.first + (1 if along == self.found.query_dim else 2)]
        if isinstance(kind, IntegerType):
            return s(arith.IndexCastOp, index, kind)
        return s(arith.SIToFPOp, s(arith.IndexCastOp, index, IntegerType(64)), kind)


def used_leaves(
    leaves: Sequence[tuple[SSAValue, Exprs]], regions: Sequence[ScoreRegion]
) -> list[tuple[SSAValue, Exprs]]:
    """The leaves that some region looks at; the arguments of the others go."""
    used: list[tuple[SSAValue, Exprs]] = []
    for leaf, arguments in zip(leaves, list(zip(*(list(r.extras) for r in regions), strict=True)), strict=True):
        if any(a.first_use is not None for a in arguments):
            used.append(leaf)
            continue
        for region, argument in zip(regions, arguments, strict=True):
            region.block.erase_arg(argument)
    return used


def _inverse(divisor: SSAValue) -> float | None:
    """1 over a constant, for scores that are divided by one: of f32 and f64, where it is a normal number."""
    value = known(divisor)
    if value is None or not isinstance(divisor.type, Float32Type | Float64Type) or not value:
        return None
    inverse = 1.0 / value
    smallest, largest = (2.0**-126, 2.0**126) if isinstance(divisor.type, Float32Type) else (2.0**-1022, 2.0**1022)
    return inverse if smallest <= abs(inverse) <= largest else None


__all__ = ["ScoreRegion", "attention", "decomposed", "laid_out", "refusal", "refused", "used_leaves"]
