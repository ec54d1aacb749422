"""Interpreter rules of `scf`: host and kernel control flow (`scf.forall` has its rules beside its dialect)."""

from __future__ import annotations

from xdsl.dialects import scf
from xdsl.ir import Operation

from stepwell.ir.interpreter import Interpreter, InterpreterError, Rule, Value


def _if(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, scf.IfOp)
    if bool(args[0]):
        return interp.run_block(op.true_region.block)
    return interp.run_block(op.false_region.block) if op.false_region.blocks else ()


def _for(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, scf.ForOp)
    lower, upper, step = args[:3]
    kind = type(lower)
    if int(step) <= 0:
        raise InterpreterError(op, f"step {int(step)} is not positive")
    carried = args[3:]
    for i in range(int(lower), int(upper), int(step)):
        carried = interp.run_block(op.body.block, (kind(i), *carried))
    return carried


def _while(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, scf.WhileOp)
    while True:
        condition, *passed = interp.run_block(op.before_region.block, args)
        if not bool(condition):
            return tuple(passed)
        args = interp.run_block(op.after_region.block, tuple(passed))


def _index_switch(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, scf.IndexSwitchOp)
    cases = list(op.cases.get_values())
    wanted = int(args[0])
    region = op.case_regions[cases.index(wanted)] if wanted in cases else op.default_region
    return interp.run_block(region.block)


def _execute_region(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del args
    assert isinstance(op, scf.ExecuteRegionOp)
    return interp.run_block(op.region.block)


def _terminator(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp, op
    return args


RULES: dict[str, Rule] = {
    "scf.condition": _terminator,
    "scf.execute_region": _execute_region,
    "scf.for": _for,
    "scf.if": _if,
    "scf.index_switch": _index_switch,
    "scf.while": _while,
    "scf.yield": _terminator,
}
