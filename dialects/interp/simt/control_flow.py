"""Control flow of threads: one way while the threads agree, else each way in turn under a mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xdsl.dialects import affine, scf
from xdsl.dialects.builtin import AffineMapAttr, AffineSetAttr
from xdsl.ir import Operation
from xdsl.ir.affine.affine_set import AffineConstraintKind

from stepwell.dialects.interp.simt.affine_maps import greatest, least, prepared, prepared_map
from stepwell.dialects.interp.simt.block import ThreadBlock
from stepwell.dialects.interp.simt.program import Body, Builder, Prepare, Run
from stepwell.dialects.interp.simt.values import Mask, Value, choose, collapse, is_lanes
from stepwell.ir.interpreter import InterpreterError


def _merge(op: Operation, mask: Mask, on_true: Sequence[Value], on_false: Sequence[Value], ranks: Sequence[int]):
    """Per lane the values of one way or the other."""
    try:
        return tuple(choose(mask, a, b, rank) for a, b, rank in zip(on_true, on_false, ranks, strict=True))
    except ValueError as error:
        raise InterpreterError(op, str(error)) from None


def _branch(
    block: ThreadBlock, op: Operation, condition: Value, then: Body, otherwise: Body | None, ranks: Sequence[int]
) -> Sequence[Value]:
    """Run one body, the other, or each for the threads that go there."""
    if is_lanes(condition):
        active = block.active
        taken = condition if active is None else condition & active
        count = int(np.count_nonzero(taken))
        if 0 < count < block.active_count:
            left = ~condition if active is None else active & ~condition
            on_true = block.run_under(taken, then)
            on_false = block.run_under(left, otherwise) if otherwise is not None else ()
            return _merge(op, condition, on_true, on_false, ranks)
        condition = count > 0
    if condition:
        return block.run(then)
    return block.run(otherwise) if otherwise is not None else ()


def _if(op: Operation, builder: Builder) -> Run:
    assert isinstance(op, scf.IfOp)
    then = builder.region(op.true_region)
    otherwise = builder.region(op.false_region) if op.false_region.blocks else None
    ranks = builder.ranks(op)
    return lambda block, condition: _branch(block, op, condition, then, otherwise, ranks)


_HOLDS: dict[AffineConstraintKind, Callable[[Any, Any], Any]] = {
    AffineConstraintKind.ge: lambda a, b: a >= b,
    AffineConstraintKind.le: lambda a, b: a <= b,
    AffineConstraintKind.eq: lambda a, b: a == b,
}


def _affine_if(op: Operation, builder: Builder) -> Run:
    assert isinstance(op, affine.IfOp)
    assert isinstance(op.condition, AffineSetAttr)
    wanted = op.condition.data
    parts = [
        (_HOLDS[c.kind], prepared(c.lhs, wanted.num_dims), prepared(c.rhs, wanted.num_dims)) for c in wanted.constraints
    ]
    then = builder.region(op.then_region)
    otherwise = builder.region(op.else_region) if op.else_region.blocks else None
    ranks = builder.ranks(op)

    def run(block: ThreadBlock, *args: Value) -> Sequence[Value]:
        condition: Value = True
        for holds, left, right in parts:
            condition = condition & holds(left(args), right(args))
        return _branch(block, op, condition, then, otherwise, ranks)

    return run


def _index_switch(op: Operation, builder: Builder) -> Run:
    assert isinstance(op, scf.IndexSwitchOp)
    cases = [int(c) for c in op.cases.get_values()]
    bodies = [builder.region(r) for r in op.case_regions]
    default = builder.region(op.default_region)
    ranks = builder.ranks(op)

    def run(block: ThreadBlock, value: Value) -> Sequence[Value]:
        value = collapse(value, block.active)
        if not is_lanes(value):
            return block.run(bodies[cases.index(value)] if value in cases else default)
        left = np.ones(block.count, np.bool_) if block.active is None else block.active
        results: Sequence[Value] | None = None
        for case, body in [*zip(cases, bodies, strict=True), (None, default)]:
            mine = left if case is None else left & (value == case)
            if not mine.any():
                continue
            here = block.run_under(mine, body)
            results = here if results is None else _merge(op, mine, here, results, ranks)
            left = left & ~mine
        assert results is not None
        return results

    return run


def _loop(
    block: ThreadBlock,
    op: Operation,
    body: Body,
    bounds: tuple[Value, Value, Value],
    carried: tuple[Value, ...],
    ranks: Sequence[int],
) -> Sequence[Value]:
    """A counted loop: unmasked while the bounds are uniform, else until the last thread is done."""
    lower, upper, step = (collapse(b, block.active) for b in bounds)
    low = step if not is_lanes(step) else step[block.active_threads()].min()
    if low <= 0:
        raise InterpreterError(op, f"step {int(low)} is not positive")
    if not (is_lanes(lower) or is_lanes(upper) or is_lanes(step)):
        kind = type(lower)
        for i in range(int(lower), int(upper), int(step)):
            carried = block.run(body, (kind(i), *carried))
        return carried
    here, everyone = block.active_count, block.active
    at = lower
    while True:
        alive = at < upper
        alive = np.broadcast_to(alive, (block.count,)) if everyone is None else everyone & alive
        left = int(np.count_nonzero(alive))
        if not left:
            return carried
        if left == here:
            carried = block.run(body, (at, *carried))
        else:
            carried = _merge(op, alive, block.run_under(alive, body, (at, *carried)), carried, ranks)
        at = at + step


def _for(op: Operation, builder: Builder) -> Run:
    assert isinstance(op, scf.ForOp)
    body = builder.region(op.body)
    ranks = builder.ranks(op)
    return lambda block, *args: _loop(block, op, body, args[:3], args[3:], ranks)


def _affine_for(op: Operation, builder: Builder) -> Run:
    assert isinstance(op, affine.ForOp)
    lower, upper = prepared_map(op.lowerBoundMap.data), prepared_map(op.upperBoundMap.data)
    first, second = len(op.lowerBoundOperands), len(op.lowerBoundOperands) + len(op.upperBoundOperands)
    step = op.step.value.data
    body = builder.region(op.body)
    ranks = builder.ranks(op)

    def run(block: ThreadBlock, *args: Value) -> Sequence[Value]:
        start = greatest(lower(args[:first]))
        end = least(upper(args[first:second]))
        return _loop(block, op, body, (start, end, step), args[second:], ranks)

    return run


def _while(op: Operation, builder: Builder) -> Run:
    assert isinstance(op, scf.WhileOp)
    before, after = builder.region(op.before_region), builder.region(op.after_region)
    ranks = builder.ranks(op)

    def run(block: ThreadBlock, *args: Value) -> Sequence[Value]:
        everyone = block.active
        results: Sequence[Value] | None = None
        running = everyone
        while True:
            block.active = running
            condition, *passed = block.run(before, args)
            here = np.ones(block.count, np.bool_) if running is None else running
            leaving = here & ~condition if is_lanes(condition) else here & (not condition)
            if leaving.any():
                results = passed if results is None else _merge(op, leaving, passed, results, ranks)
                running = here & ~leaving
                if not running.any():
                    block.active = everyone
                    return results
                block.active = running
            args = block.run(after, passed)

    return run


def _execute_region(op: Operation, builder: Builder) -> Run:
    assert isinstance(op, scf.ExecuteRegionOp)
    body = builder.region(op.region)
    return lambda block: block.run(body)


def _apply(op: Operation, builder: Builder) -> Run:
    del builder
    attribute = op.properties["map"]
    assert isinstance(attribute, AffineMapAttr)
    results = prepared_map(attribute.data)
    if op.name == "affine.min":
        return lambda block, *args: (least(results(args)),)
    if op.name == "affine.max":
        return lambda block, *args: (greatest(results(args)),)
    return lambda block, *args: results(args)


RULES: dict[str, Prepare] = {
    "affine.apply": _apply,
    "affine.for": _affine_for,
    "affine.if": _affine_if,
    "affine.max": _apply,
    "affine.min": _apply,
    "scf.execute_region": _execute_region,
    "scf.for": _for,
    "scf.if": _if,
    "scf.index_switch": _index_switch,
    "scf.while": _while,
}
