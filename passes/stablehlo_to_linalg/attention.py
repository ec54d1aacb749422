"""The claim of `stablehlo.composite "stepwell.attention"`: one `structured.attention` where the machine has a strategy for it.

What is refused is put back in place of the composite before anything is converted, so that it is as if nothing had been
recognized.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from xdsl.dialects import arith, func
from xdsl.dialects.builtin import ArrayAttr, Float32Type, Float64Type, IndexType, IntegerType, ModuleOp, StringAttr
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.rewriter import Rewriter

from stepwell.dialects import stablehlo
from stepwell.dialects.structured_attention import AttentionOp
from stepwell.dialects.structured_base import YieldOp
from stepwell.ir.machine import MachineDescription, machine_of
from stepwell.passes.attention.matching import Attention, match_attention
from stepwell.passes.attention.scores import CausalMask, Condition, causal_mask, collect, operands_at, triangle
from stepwell.passes.attention.tracing import ZERO, Exprs, dim_of, element_of, identity, splat_of
from stepwell.passes.inline import inline_composite
from stepwell.passes.raise_attention import COMPOSITE
from stepwell.passes.schedules.nest import is_contiguous
from stepwell.passes.stablehlo_to_linalg.lowering import REMARKS, Lowering
from stepwell.passes.stablehlo_to_linalg.scalar_rules import SCALAR_RULES
from stepwell.passes.stablehlo_to_linalg.scalars import Scalars, known, signless_element


def settle_composites(module: ModuleOp) -> tuple[dict[str, func.FuncOp], list[func.FuncOp]]:
    """Put back what is not claimed; returns the decompositions of what is, by name, and all that are not needed any more."""
    functions = {op.sym_name.data: op for op in module.body.block.ops if isinstance(op, func.FuncOp)}
    ops = list(module.walk())
    machine = machine_of(module)
    needed = _needed_otherwise(ops, functions)
    decided: dict[str, str | None] = {}
    for op in ops:
        if not isinstance(op, stablehlo.CompositeOp) or op.composite_name.data != COMPOSITE:
            continue
        name = op.decomposition.string_value()
        function = functions[name]
        if function.is_declaration or function.body.block.next_block is not None:
            continue
        if name not in decided:
            found = "its decomposition is called as well" if name in needed else decomposed(function)
            decided[name] = found if isinstance(found, str) else refusal(found, machine)
        reason = decided[name]
        if reason is not None:
            last = inline_composite(op, function)
            if isinstance(last, Operation):
                last.attributes[REMARKS] = ArrayAttr([StringAttr(f"attention as its parts: {reason}")])
    claimed = {name: functions[name] for name, reason in decided.items() if reason is None}
    # A decomposition may itself hold composites: what a copy of one still names stays, as a function that is called.
    left = {op.decomposition.string_value(): None for op in module.walk() if isinstance(op, stablehlo.CompositeOp)}
    gone = [functions[name] for name in decided if name not in needed and (name in claimed or name not in left)]
    return claimed, gone


def _needed_otherwise(ops: Sequence[Operation], functions: Mapping[str, func.FuncOp]) -> dict[str, None]:
    """The functions that are public, or that calls and other composites name."""
    needed = {
        name: None
        for name, function in functions.items()
        if function.sym_visibility is None or function.sym_visibility.data != "private"
    }
    for op in ops:
        if isinstance(op, func.CallOp):
            needed[op.callee.string_value()] = None
        elif isinstance(op, stablehlo.CompositeOp) and op.composite_name.data != COMPOSITE:
            needed[op.decomposition.string_value()] = None
    return needed


def drop(functions: Iterable[func.FuncOp]) -> None:
    """Erase functions that nothing names any more."""
    for function in functions:
        Rewriter.erase_op(function)


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


def refusal(found: Attention, machine: MachineDescription) -> str | None:
    """Why a machine does better with the parts."""
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
    made = collect(found)
    assert not isinstance(made, str)
    for value, exprs in made.leaves:
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

    region, extras = _Region(low, found).build()
    operands = (found.query, found.key, found.value)
    lines = [*batch, found.query_dim, found.column_dim]
    mask = causal_mask(found)
    result = low.result_type(op)
    target = low.empty([found.sizes[d] for d in lines], result.get_element_type())
    maps = [amap(o.exprs) for o in operands] + [amap(e) for _, e in extras]
    maps.append(amap([AffineExpr.dimension(d) for d in lines]))
    made = AttentionOp(
        (given[found.query.value], given[found.key.value], given[found.value.value]),
        [given[v] for v, _ in extras],
        target,
        maps,
        [found.sizes[d] for d in space],
        region,
        None if mask is None else (mask.offset, mask.fill),
    )
    made.attributes[REMARKS] = ArrayAttr([StringAttr(_described(found, mask, len(extras)))])
    value = low.builder.insert(made).res[0]
    if found.sizes[found.query_dim] == 1:
        # The program's result has no dim for one query, or one of one element: what follows goes by the larger ones.
        at = len(batch)
        lines.pop(at)
        groups = [[d] for d in range(at)] + [[at, at + 1]]
        value = low.collapse(value, groups, [found.sizes[d] for d in lines])
    return [_laid_out(low, value, lines, found, result.get_shape())]


def _laid_out(low: Lowering, value: SSAValue, lines: Sequence[int], found: Attention, shape: Sequence[int]) -> SSAValue:
    """What is made over the dims `lines`, as the program's last product has it."""
    dims = [dim_of(e) if n > 1 else None for e, n in zip(found.result, shape, strict=True)]
    large = [d for d in dims if d is not None]
    if large != list(lines):
        exprs = [AffineExpr.dimension(large.index(d)) for d in lines]
        value = low.remap(value, [found.sizes[d] for d in large], exprs)
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


class _Region:
    """Builds the region that makes a score of a product."""

    def __init__(self, low: Lowering, found: Attention):
        self.low = low
        self.found = found
        made = collect(found)
        assert not isinstance(made, str)
        self.leaves = list(made.leaves)
        self.kind = element_of(found.scores)
        elements = [signless_element(element_of(v)) for v, _ in self.leaves]
        self.block = Block(arg_types=[self.kind, IndexType(), IndexType(), *elements])
        for argument in self.block.args:
            argument.location = low.builder.location
        self.known: dict[tuple[SSAValue, Exprs], SSAValue] = {}

    def build(self) -> tuple[Region, list[tuple[SSAValue, Exprs]]]:
        """The region, and the operands that it reads."""
        mask = causal_mask(self.found)
        with self.low.inside(self.block):
            s = Scalars(self.low.builder)
            if mask is None:
                value = self._scalar(s, self.found.scores, identity(self.found.rank))
            else:
                value = self._scalar(s, mask.inner.value, mask.inner.exprs)
                conditions = [self._condition(s, c) for c in mask.others]
                for condition in conditions:
                    value = s.select(condition, value, s.constant(mask.fill, self.kind))
            self.low.builder.insert(YieldOp(value))
        return Region(self.block), self._used()

    def _used(self) -> list[tuple[SSAValue, Exprs]]:
        """The leaves that the region looks at; the arguments of the others go."""
        used: list[tuple[SSAValue, Exprs]] = []
        for leaf, argument in zip(self.leaves, list(self.block.args[3:]), strict=True):
            if argument.first_use is None:
                self.block.erase_arg(argument)
            else:
                used.append(leaf)
        return used

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
        found = self.found
        inner = operands_at(found, value, exprs)
        if inner is None:
            return self.block.args[3 + self.leaves.index((value, exprs))]
        op = value.owner
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
        product = self.block.args[0]
        return product if kind == self.kind else s(arith.TruncFOp, product, kind)

    def _constant(self, s: Scalars, value: SSAValue, exprs: Exprs) -> SSAValue:
        known = splat_of(value)
        if known is not None:
            kind = signless_element(element_of(value))
            return s.constant(known.value.data, kind)
        offset = triangle(self.found, value, exprs)
        assert offset is not None
        limit = s(arith.AddiOp, self.block.args[1], s.index_constant(offset))
        return s.cmpi("sle", self.block.args[2], limit)

    def _position(self, s: Scalars, op: stablehlo.IotaOp, exprs: Exprs) -> SSAValue:
        along = dim_of(exprs[op.iota_dimension.value.data])
        kind = signless_element(element_of(op.results[0]))
        if along is None:
            return s.constant(0, kind)
        index = self.block.args[1 if along == self.found.query_dim else 2]
        if isinstance(kind, IntegerType):
            return s(arith.IndexCastOp, index, kind)
        return s(arith.SIToFPOp, s(arith.IndexCastOp, index, IntegerType(64)), kind)


def _inverse(divisor: SSAValue) -> float | None:
    """1 over a constant, for scores that are divided by one: of f32 and f64, where it is a normal number."""
    value = known(divisor)
    if value is None or not isinstance(divisor.type, Float32Type | Float64Type) or not value:
        return None
    inverse = 1.0 / value
    smallest, largest = (2.0**-126, 2.0**126) if isinstance(divisor.type, Float32Type) else (2.0**-1022, 2.0**1022)
    return inverse if smallest <= abs(inverse) <= largest else None


__all__ = ["attention", "decomposed", "drop", "refusal", "settle_composites"]
