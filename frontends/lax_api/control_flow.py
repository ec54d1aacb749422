"""Loops, branches and scans. The functions passed to them are traced once, into regions; they take and return pytrees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xdsl.ir import SSAValue

from stepwell.frontends.api import api
from stepwell.frontends.build import Values, tensor
from stepwell.frontends.dtypes import BOOL, INT32, is_integer
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import lifted
from stepwell.frontends.numpy_api.elementwise import strengthened
from stepwell.frontends.numpy_api.manipulation import reshape
from stepwell.frontends.pytree import TreeDef, flatten
from stepwell.frontends.tracer import Tracer, converted, current_trace, emit, emit_all, is_scalar
from stepwell.ir.dtypes import numpy_dtype

Leaves = list[Tracer]


def _carried(tree: Any) -> tuple[Leaves, TreeDef]:
    leaves, structure = flatten(tree)
    return [lifted(leaf) for leaf in leaves], structure


def _matched(what: str, result: Any, types: Sequence[Tracer], structure: TreeDef) -> Leaves:
    """The leaves of what a body returns, which must be of the carried types; weak ones are converted."""
    leaves, got = flatten(result)
    if got != structure:
        raise refuse(f"{what} returns another structure than it is given: {got.paths()}, not {structure.paths()}")
    tracers: Leaves = []
    for path, leaf, wanted in zip(structure.paths(), leaves, types, strict=True):
        tracer = lifted(leaf)
        if tracer.weak and tracer.dtype != wanted.dtype:
            tracer = converted(leaf if is_scalar(leaf) else tracer, wanted.dtype)
        if (tracer.shape, tracer.dtype) != (wanted.shape, wanted.dtype):
            got_type, type_ = (f"{t.dtype.name}{list(t.shape)}" for t in (tracer, wanted))
            hint = "start with a value of that type, or convert with astype in the body"
            raise refuse(f"{what}{path} returns {got_type}, but it starts as {type_}", hint)
        tracers.append(tracer)
    return tracers


def _tracers(arguments: Values) -> Leaves:
    trace = current_trace()
    return [trace.tracer(a) for a in arguments]


def _values(tracers: Sequence[Tracer]) -> Values:
    trace = current_trace()
    return [t.value_in(trace) for t in tracers]


@api("init")
def while_loop(condition: Callable[[Any], Any], body: Callable[[Any], Any], init: Any) -> Any:
    """`body` applied while `condition` holds; the carry keeps its structure, shapes and dtypes."""
    leaves, structure = _carried(init)
    leaves = [strengthened(leaf) for leaf in leaves]  # Python numbers get their default dtype

    def test(arguments: Values) -> Values:
        return [_predicate(condition(structure.unflatten(_tracers(arguments))))]

    def step(arguments: Values) -> Values:
        result = body(structure.unflatten(_tracers(arguments)))
        return _values(_matched("the loop body", result, leaves, structure))

    return structure.unflatten(emit_all("while_", leaves, test, step))


def _predicate(value: Any) -> Any:
    tracer = lifted(value)
    if tracer.dtype != BOOL or tracer.shape:
        hint = "reduce with stepwell.numpy.any or all; compare numbers with zero"
        raise refuse(f"a condition must be a 0-d boolean, not {tracer.dtype.name}{list(tracer.shape)}", hint)
    return tracer.value_in(current_trace())


@api("lower", "upper", "init")
def fori_loop(lower: Any, upper: Any, body: Callable[[Any, Any], Any], init: Any) -> Any:
    """`carry = body(i, carry)` for i from lower to upper - 1."""
    first, last = _bounds(lower, upper)
    return while_loop(
        lambda state: state[0] < state[1],
        lambda state: (state[0] + 1, state[1], body(state[0], state[2])),
        (first, last, init),
    )[2]


def _bounds(lower: Any, upper: Any) -> tuple[Tracer, Tracer]:
    first, last = lifted(lower), lifted(upper)
    for bound in (first, last):
        if bound.shape or not is_integer(bound.dtype):
            raise refuse(f"a loop bound must be a 0-d integer, not {bound.dtype.name}{list(bound.shape)}")
    dtype = INT32 if first.weak and last.weak else last.dtype if first.weak else first.dtype
    return converted(lower, dtype), converted(upper, dtype)


@api("init", "xs")
def scan(
    body: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
) -> Any:
    """`carry, y = body(carry, x)` over the first axis of `xs`; gives (the last carry, the ys stacked).

    `reverse` goes from the last element to the first; each y still stands where its x does.
    """
    carry, carry_tree = _carried(init)
    inputs, input_tree = _carried(xs)
    count = _scan_length(inputs, length)
    carry = [strengthened(leaf) for leaf in carry]
    trees: list[TreeDef] = []

    def step(arguments: Leaves, element: Any) -> tuple[Values, Values]:
        new, y = _split(body(carry_tree.unflatten(arguments), element))
        rows, tree = _carried(y)
        trees.append(tree)
        return _values(_matched("the carry of the scan body", new, carry, carry_tree)), _values(rows)

    def at(index: SSAValue, arguments: Values) -> tuple[Values, Values]:
        (i,) = _tracers([index])
        return step(_tracers(arguments), input_tree.unflatten([_row(x, i) for x in inputs]))

    if count == 0:
        return carry_tree.unflatten(carry), _nothing(step, carry, inputs, input_tree, trees)
    last, stacked = current_trace().function.scan(_values(carry), count, at, reverse)
    return carry_tree.unflatten(_tracers(last)), trees[0].unflatten(_tracers(stacked))


def _nothing(
    step: Callable[[Leaves, Any], tuple[Values, Values]],
    carry: Leaves,
    inputs: Leaves,
    input_tree: TreeDef,
    trees: list[TreeDef],
) -> Any:
    """What a scan over no elements stacks: the body is traced, for the types, into a region that is thrown away."""
    function = current_trace().function
    types: list[Any] = []

    def probe(arguments: Values) -> Values:
        tracers = _tracers(arguments)
        _, rows = step(tracers[: len(carry)], input_tree.unflatten(tracers[len(carry) :]))
        types.extend(row.type for row in rows)
        return []

    arguments = [*(v.type for v in _values(carry)), *(tensor(x.dtype, *x.shape[1:]) for x in inputs)]
    with function.sketch(arguments, probe):
        pass
    empty = [function.full(0, numpy_dtype(t.element_type), (0, *t.get_shape())) for t in types]
    return trees[0].unflatten(_tracers(empty))


def _scan_length(inputs: Leaves, length: int | None) -> int:
    extents = [x.shape[0] if x.shape else -1 for x in inputs]
    if length is not None:
        extents.append(length)
    if not extents or any(e != extents[0] or e < 0 for e in extents):
        raise refuse(f"scan needs arrays of one length (or `length`), got lengths {extents}")
    return extents[0]


def _split(result: Any) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 2:
        raise refuse("the body of a scan returns (carry, y)", "return (carry, None) when nothing is stacked")
    return result


def _row(x: Tracer, i: Tracer) -> Tracer:
    zeros = [converted(0, i.dtype)] * (len(x.shape) - 1)
    return reshape(emit("dynamic_slice", x, [i, *zeros], [1, *x.shape[1:]]), x.shape[1:])


@api("operands")
def cond(predicate: Any, on_true: Callable[..., Any], on_false: Callable[..., Any], *operands: Any) -> Any:
    """`on_true(*operands)` if the predicate holds, else `on_false(*operands)`; only the one chosen runs."""
    return _branches("if_", _predicate(predicate), [on_true, on_false], operands)


@api("index", "operands")
def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """`branches[index](*operands)`, the index clamped to the branches there are."""
    position = lifted(index)
    if position.shape or not is_integer(position.dtype):
        raise refuse("the index of a switch must be a 0-d integer")
    if not branches:
        raise refuse("a switch needs at least one branch")
    trace = current_trace()
    limits = [trace.lift(b, position.dtype) for b in (0, len(branches) - 1)]
    chosen = converted(emit("clamp", limits[0], position, limits[1]), INT32)
    return _branches("case", chosen.value_in(trace), branches, operands)


def _branches(op: str, chooser: Any, branches: Sequence[Callable[..., Any]], operands: tuple[Any, ...]) -> Any:
    """The first branch says what all return."""
    arguments = [_lifted_tree(o) for o in operands]
    types: list[tuple[Leaves, TreeDef]] = []

    def region(branch: Callable[..., Any]) -> Callable[[Values], Values]:
        def run(_: Values) -> Values:
            result = branch(*arguments)
            if not types:
                types.append(_carried(result))
                return _values(types[0][0])
            return _values(_matched("a branch", result, *types[0]))

        return run

    regions = [region(b) for b in branches]
    results = emit_all(op, chooser, *regions) if op == "if_" else emit_all(op, chooser, regions)
    return types[0][1].unflatten(results)


def _lifted_tree(tree: Any) -> Any:
    leaves, structure = _carried(tree)
    return structure.unflatten(leaves)
