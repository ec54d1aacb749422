"""Reading what is passed back through attention to queries, keys and values: five products around one softmax.

Matching starts at a softmax, whose scores are a product of queries and keys, and at a product of its weights that sums over the
queries: what it multiplies them with is the gradient of the result. The gradients of queries and keys are products of these
two with one slope for each score, which is what the softmax passes back (`algebra.py`) and pointwise ops after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, prod

from xdsl.dialects.builtin import Float32Type, Float64Type, FloatAttr
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import stablehlo
from stepwell.passes.attention.algebra import PASSED, Algebra
from stepwell.passes.attention.matching import (
    DOT,
    FLOATS,
    MOST_OPS,
    Attention,
    Operand,
    Softmax,
    factors_of,
    find_product,
    holds,
    is_float_cast,
    is_lossless,
    is_pointwise,
    places_of,
    query_dim_of,
    softmax_of,
    sums_in_another_type,
)
from stepwell.passes.attention.scores import CausalMask, ScoreOps, causal_mask, collect, mask_of
from stepwell.passes.attention.tracing import (
    ZERO,
    Exprs,
    dim_of,
    element_of,
    identity,
    moved,
    same_place,
    shape_of,
    splat_of,
    trace,
)

MOVES = (stablehlo.BroadcastInDimOp, stablehlo.ReshapeOp, stablehlo.TransposeOp)
MOST_USES = 64
"""Readers of a value that are looked at."""
MOST_SLOPE_OPS = 16
"""Ops after the softmax's own that are looked through."""


@dataclass(frozen=True)
class Result:
    """A gradient: the product that makes it, and the dim that each dim of its result is; 0 where it has one element."""

    product: DOT
    exprs: Exprs


@dataclass(frozen=True)
class Gradient:
    """What was recognized."""

    attention: Attention
    """Its scores; `last` is the product that makes the gradient of the values."""
    passed: Operand
    """The gradient of attention's result, over the same space."""
    core: Operand
    """What the softmax passes back."""
    slope: Operand
    """What is passed back to the product."""
    mask: CausalMask | None
    """The mask of the scores, where the slope is 0 wherever it hides a key."""
    masking: tuple[Operation, CausalMask] | None
    """The selection that makes it so, with what else has to hold."""
    parts: ScoreOps
    """The ops that make scores and slopes, and what they read."""
    results: tuple[Result, Result, Result]
    """Of queries, keys, values."""
    own: tuple[int, ...]
    """The large batch dims that the gradients of keys and values have."""

    @property
    def operands(self) -> tuple[Operand, ...]:
        """Queries, keys, values and the gradient of the result."""
        found = self.attention
        return (found.query, found.key, found.value, self.passed)


@dataclass(frozen=True)
class _Product:
    """A product of something over the space of the scores with something else: where the elements of both are."""

    dot: DOT
    other: Operand
    """Its dim that scores do not have is `rank`."""
    result: Exprs
    summed: tuple[int, ...]
    """Large dims of the scores that it sums over."""
    extent: int


def match_gradient(weights: stablehlo.DivideOp) -> tuple[DOT, Gradient | str] | None:
    """The gradient that a softmax's weights are part of, or why it is none, with the product of weights it is about.

    None where weights are no softmax, or nothing is summed over the queries.
    """
    softmax = softmax_of(weights.result)
    if not isinstance(softmax, Softmax):
        return None
    found = find_product(softmax.scores)
    if isinstance(found, str) or not _is_static(found[0]):
        return None
    rank = len(shape_of(softmax.scores))
    whole = Operand(weights.result, identity(rank))
    # Weights are not rounded to what they are multiplied with, as in attention.
    dots = _dots_of(weights.result, is_float_cast)
    products = [p for d in dots if (p := _product(d, whole, rank, is_float_cast)) is not None]
    of_values = [p for p in products if softmax.axis not in p.summed and p.summed]
    if not of_values:
        return None
    last = of_values[0]
    if len(of_values) > 1:
        return last.dot, "several products sum its weights over the queries"
    return last.dot, _Matcher(weights, softmax, found, last).run()


def _dots_of(value: SSAValue, casts: Callable[[Operation], bool] = is_lossless) -> list[DOT]:
    """The products that read a value, as it is, moved, or through converts that `casts` says are looked through."""
    dots: dict[DOT, None] = {}
    pending, seen = [value], {value}
    while pending and len(seen) <= MOST_USES:
        for use in list(pending.pop().uses)[:MOST_USES]:
            op = use.operation
            if isinstance(op, DOT) and _is_static(op):
                dots[op] = None
            elif (isinstance(op, MOVES) or casts(op)) and op.results[0] not in seen:
                seen.add(op.results[0])
                pending.append(op.results[0])
    return list(dots)


def _is_static(dot: DOT) -> bool:
    return all(n >= 0 for value in (*dot.operands, dot.result) for n in shape_of(value))


def _product(dot: DOT, source: Operand, rank: int, casts: Callable[[Operation], bool] = is_lossless) -> _Product | None:
    """A product one of whose operands is `source`, moved; the other one has one large dim of its own."""
    volume = prod(shape_of(source.value))
    sides = [places_of(o, source.value, casts) if prod(shape_of(o)) == volume else None for o in dot.operands]
    found = next(((i, s[0]) for i, s in enumerate(sides) if s is not None), None)
    if found is None:
        return None
    side, places_in_source = found
    ours = tuple(e.replace_dims_and_symbols(list(source.exprs), []) for e in places_in_source)
    numbers = dot.dot_dimension_numbers.data
    batching = (numbers.lhs_batching_dimensions, numbers.rhs_batching_dimensions)
    contracting = (numbers.lhs_contracting_dimensions, numbers.rhs_contracting_dimensions)
    other, shapes = 1 - side, [shape_of(o) for o in dot.operands]
    pairs = [
        *zip(batching[side], batching[other], strict=True),
        *zip(contracting[side], contracting[other], strict=True),
    ]
    places = {theirs: ours[mine] for mine, theirs in pairs}
    free = [d for d in range(len(shapes[other])) if d not in places]
    large = [d for d in free if shapes[other][d] > 1]
    if len(large) != 1:
        return None
    places |= {d: AffineExpr.dimension(rank) if d in large else ZERO for d in free}
    exprs = tuple(places[d] if n > 1 else ZERO for d, n in enumerate(shapes[other]))
    kept = [d for d in range(len(ours)) if d not in batching[side] and d not in contracting[side]]
    lines = [[ours[d] for d in kept], [places[d] for d in free]]
    result = (*(ours[d] for d in batching[side]), *lines[side], *lines[other])
    summed = [dim_of(ours[d]) for d in contracting[side] if shapes[side][d] > 1]
    return _Product(
        dot,
        Operand(dot.operands[other], exprs),
        result,
        tuple(d for d in summed if d is not None),
        shapes[other][large[0]],
    )


def _at(operand: Operand, rank: int, dim: int) -> Operand:
    """An operand where its own dim is another one, behind its moves."""
    places = [*identity(rank), AffineExpr.dimension(dim)]
    exprs = tuple(e.replace_dims_and_symbols([*places, *identity(dim + 1)[rank + 1 :]], []) for e in operand.exprs)
    return _traced(Operand(operand.value, exprs))


def _traced(operand: Operand) -> Operand:
    """An operand behind its moves and what widens it; what is spread of a constant stays, since anything else may be made of that."""
    value, exprs = trace(operand.value, operand.exprs)
    while isinstance(value.owner, Operation) and is_lossless(value.owner):
        value, exprs = trace(value.owner.operands[0], exprs)
    return operand if isinstance(value.owner, stablehlo.ConstantOp) else Operand(value, exprs)


def _same(a: Operand, b: Operand) -> bool:
    return a.value is b.value and same_place(a.exprs, b.exprs, shape_of(a.value))


class _Matcher:
    """Matches one gradient; each step gives what is wrong as a text."""

    def __init__(self, weights: stablehlo.DivideOp, softmax: Softmax, product: tuple[DOT, Exprs], of_values: _Product):
        self.weights = weights
        self.softmax = softmax
        self.product, self.product_exprs = product
        self.of_values = of_values
        self.rank = len(shape_of(softmax.scores))

    def run(self) -> Gradient | str:
        """The gradient, or why it is none."""
        found = self._attention()
        if isinstance(found, str):
            return found
        slopes = self._slopes(found)
        if len(slopes) != 1:
            return "what its keys are multiplied with is not what a softmax passes back to its scores"
        return self._with_slope(found, slopes[0])

    def _attention(self) -> Attention | str:
        """The scores; the values are not known yet."""
        softmax, shape = self.softmax, shape_of(self.softmax.scores)
        kind = element_of(softmax.scores)
        if not isinstance(kind, Float32Type | Float64Type):
            return f"the softmax is computed in {kind}"
        pair = factors_of(self.product, self.product_exprs, softmax.axis, self.rank)
        if isinstance(pair, str):
            return pair
        query, key, own, depth = pair
        query, key = _traced(query), _traced(key)
        if shape[softmax.axis] < 2:
            return "there is one key"
        sizes = (*shape, depth, self.of_values.extent, 1)
        found = Attention(
            self.of_values.dot,
            self.product,
            self.product_exprs,
            softmax.scores,
            query,
            key,
            query,
            sizes,
            query_dim_of(own, shape),
            softmax.axis,
            (),
            softmax.ops,
        )
        return found

    def _slopes(self, found: Attention) -> list[Operand]:
        """What keys are multiplied with and has an element a score, behind its moves."""
        slopes: dict[SSAValue, Operand] = {}
        for dot in _dots_of(found.key.value):
            if dot is self.product:
                continue
            for operand in dot.operands:
                value = trace_whole(operand)
                if value in slopes or prod(shape_of(value)) != prod(shape_of(found.scores)):
                    continue
                frame = self._frame(value)
                slope = None if frame is None else Operand(value, frame)
                if slope is not None and self._core(found, slope) is not None:
                    slopes[value] = slope
        return list(slopes.values())

    def _frame(self, slope: SSAValue) -> Exprs | None:
        """The dim of the scores that each dim of a slope is: what it is made of element by element has the exponentials."""
        exponentials = self.weights.lhs
        volume, rank = prod(shape_of(slope)), len(shape_of(slope))
        pending: list[tuple[SSAValue, Exprs]] = [(slope, identity(rank))]
        seen: set[SSAValue] = set()
        while pending and len(seen) < MOST_OPS:
            value, exprs = pending.pop()
            if value is exponentials:
                dims = [dim_of(e) for e in exprs]
                places = [AffineExpr.dimension(dims.index(d)) if d in dims else ZERO for d in range(rank)]
                large = [d for d, n in enumerate(shape_of(slope)) if n > 1]
                return tuple(places) if all(d in dims for d in large) else None
            op = value.owner
            if value in seen or not isinstance(op, Operation) or prod(shape_of(value)) != volume:
                continue
            seen.add(value)
            before = moved(op, exprs)
            if before is not None:
                pending.append((op.operands[0], before))
            elif is_pointwise(op):
                pending += [(o, exprs) for o in reversed(op.operands)]
        return None

    def _core(self, found: Attention, slope: Operand) -> tuple[Operand, Algebra, list[Operand]] | None:
        """What the softmax passes back, how it was read, and what is on the way from a slope to it."""
        exponentials = self.weights.lhs
        pending: list[tuple[Operand, list[Operand]]] = [(slope, [])]
        seen: set[SSAValue] = set()
        while pending and len(seen) < MOST_SLOPE_OPS:
            at, path = pending.pop()
            value, exprs = at.value, at.exprs
            if value in seen or prod(shape_of(value)) != prod(shape_of(found.scores)):
                continue
            seen.add(value)
            algebra = Algebra(found, exponentials)
            if algebra.terms(value, exprs) == PASSED:
                return at, algebra, path
            op = value.owner
            before = moved(op, exprs) if isinstance(op, Operation) else None
            if isinstance(op, Operation) and before is not None:
                pending.append((Operand(op.operands[0], before), [*path, at]))
            elif isinstance(op, Operation) and is_pointwise(op):
                pending += [(Operand(o, exprs), [*path, at]) for o in reversed(op.operands)]
        return None

    def _with_slope(self, found: Attention, slope: Operand) -> Gradient | str:
        core = self._core(found, slope)
        assert core is not None
        value, algebra, path = core
        if algebra.passed is None:
            return "nothing is passed back to its weights"
        sides = self._passed(found, *algebra.passed)
        if isinstance(sides, str):
            return sides
        passed, values = sides
        found = _with_values(found, values)
        products = self._products(found, slope)
        if isinstance(products, str):
            return products
        reason = self._kinds(found, passed, products)
        if reason is not None:
            return reason
        parts = collect(found, ((slope.value, slope.exprs), (value.value, value.exprs)))
        if isinstance(parts, str):
            return parts
        mask = causal_mask(found)
        masking = None if mask is None else _masking(found, mask, path)
        return Gradient(
            found,
            passed,
            value,
            slope,
            None if masking is None else mask,
            masking,
            parts,
            (products[0], products[1], products[2]),
            self._own(found),
        )

    def _passed(self, found: Attention, dot: DOT, exprs: Exprs) -> tuple[Operand, Operand] | str:
        """The gradient of the result and the values, which are multiplied for what is passed back to the weights."""
        pair = factors_of(dot, exprs, found.key_dim, self.rank)
        if isinstance(pair, str):
            return "what is passed back to its weights is no product of values and a gradient"
        passed, values, _, columns = pair
        if columns != self.of_values.extent:
            return "what is passed back to its weights is no product of values and a gradient"
        passed, values = (_at(o, self.rank, found.column_dim) for o in (passed, values))
        if not _same(passed, _at(self.of_values.other, self.rank, found.column_dim)):
            return "the gradients of values and of weights are made of different gradients"
        return passed, values

    def _products(self, found: Attention, slope: Operand) -> list[Result] | str:
        """The products that make the three gradients."""
        made = [p for d in _dots_of(slope.value) if (p := _product(d, slope, self.rank)) is not None]
        sums = [d for d in range(self.rank) if found.sizes[d] > 1 and d in self.of_values.summed]
        of_queries = [p for p in made if p.summed == (found.key_dim,) and self._reads(p, found.key)]
        of_keys = [p for p in made if sorted(p.summed) == sums and self._reads(p, found.query)]
        if found.query_dim not in sums:
            return "the gradient of the values is no sum over the queries"
        if len(of_queries) != 1 or len(of_keys) != 1:
            return "queries or keys have no gradient, or several"
        results = [Result(p.dot, self._labelled(p, found.depth_dim)) for p in (of_queries[0], of_keys[0])]
        return [*results, Result(self.of_values.dot, self._labelled(self.of_values, found.column_dim))]

    def _reads(self, product: _Product, operand: Operand) -> bool:
        return _same(_at(product.other, self.rank, self.rank), operand)

    def _labelled(self, product: _Product, dim: int) -> Exprs:
        return tuple(AffineExpr.dimension(dim) if dim_of(e) == self.rank else e for e in product.result)

    def _own(self, found: Attention) -> tuple[int, ...]:
        large = [d for d in found.batch_dims if found.sizes[d] > 1]
        return tuple(d for d in large if d not in self.of_values.summed)

    def _kinds(self, found: Attention, passed: Operand, products: Sequence[Result]) -> str | None:
        """Nothing is wider than the scores, and sums are plain."""
        kind = element_of(found.scores)
        for operand in (found.query, found.key, found.value, passed):
            if not isinstance(element_of(operand.value), FLOATS) or not holds(kind, element_of(operand.value)):
                return f"an operand of {element_of(operand.value)} does not fit into the softmax's {kind}"
        for dot in (found.product, *(r.product for r in products)):
            if not isinstance(element_of(dot.result), FLOATS) or not holds(kind, element_of(dot.result)):
                return f"a product is of {element_of(dot.result)}, the softmax of {kind}"
            if (reason := sums_in_another_type(dot)) is not None:
                return reason
        return None


def trace_root(value: SSAValue) -> SSAValue:
    """The value behind moves."""
    while isinstance(value.owner, MOVES):
        value = value.owner.operands[0]
    return value


def trace_whole(value: SSAValue) -> SSAValue:
    """The value behind moves that repeat and drop nothing."""
    while isinstance(value.owner, MOVES):
        before = value.owner.operands[0]
        if (
            prod(shape_of(before)) != prod(shape_of(value))
            or moved(value.owner, identity(len(shape_of(value)))) is None
        ):
            break
        value = before
    return value


def _with_values(found: Attention, values: Operand) -> Attention:
    """The attention with its values."""
    return Attention(
        found.last,
        found.product,
        found.product_exprs,
        found.scores,
        found.query,
        found.key,
        values,
        found.sizes,
        found.query_dim,
        found.key_dim,
        (),
        found.softmax,
    )


def _masking(found: Attention, mask: CausalMask, path: Sequence[Operand]) -> tuple[Operation, CausalMask] | None:
    """The selection on the way to a slope that makes it 0 wherever the mask hides a key: what follows it keeps zeros."""
    for at in path:
        op, made = at.value.owner, mask_of(found, at.value, at.exprs)
        assert isinstance(op, Operation)
        if made is not None and made.offset == mask.offset and made.fill.value.data == 0.0:
            return op, made
        if not _keeps_zeros(op):
            return None
    return None


def _keeps_zeros(op: Operation) -> bool:
    """Whether what an op makes of 0 is 0."""
    if isinstance(op, (stablehlo.NegateOp, *MOVES)) or is_float_cast(op):
        return True
    if not isinstance(op, stablehlo.MultiplyOp | stablehlo.DivideOp):
        return False
    constants = [splat_of(o) for o in op.operands]
    known = [c.value.data for c in constants if isinstance(c, FloatAttr)]
    if isinstance(op, stablehlo.DivideOp):
        return isinstance(constants[1], FloatAttr) and constants[1].value.data != 0.0
    return len(known) == 1 and isfinite(known[0])


__all__ = ["Gradient", "Result", "match_gradient", "trace_root", "trace_whole"]
