"""The interpreter's base: one rule per op name, NumPy values, structured control flow by recursion.

Values: a tensor, memref or vector is an `np.ndarray` (a memref is written in place, so views alias as buffers do);
integers and floats are NumPy scalars of their dtype; `index` is a Python int. A rule is a function
`(interp, op, args) -> results`, registered in `dialects/interp/<dialect>.py` in a dict `RULES: dict[str, Rule]`.
Rules compute what the op means, plainly; speed does not matter here, exactness does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xdsl.ir import Block, Operation, SSAValue
from xdsl.traits import IsTerminator, SymbolOpInterface, SymbolTable

Value = Any
Rule = Callable[["Interpreter", Operation, tuple[Value, ...]], Sequence[Value]]


class InterpreterError(Exception):
    """An op has no rule, or its rule found the program wrong (out of bounds, missing symbol)."""

    def __init__(self, op: Operation, message: str):
        super().__init__(f"{op.name}: {message}")
        self.op = op


class Interpreter:
    """Runs functions of one module; `rules` maps op names to rules."""

    def __init__(self, module: Operation, rules: dict[str, Rule]):
        self.module = module
        self.rules = rules
        self.state: dict[str, Any] = {}
        """What rules keep during a run, by a name of their own."""
        self._scopes: list[dict[SSAValue, Value]] = [{}]

    def get(self, value: SSAValue) -> Value:
        """The current value of an SSA name."""
        return self._scopes[-1][value]

    def call(self, symbol: str, args: Sequence[Value]) -> tuple[Value, ...]:
        """Call the function-like op (func.func, kernel.func) named `symbol` with fresh scope; returns its results."""
        callee = SymbolTable.lookup_symbol(self.module, symbol)
        if callee is None:
            raise InterpreterError(self.module, f"no function named @{symbol}")
        return self.call_op(callee, args)

    def call_op(self, callee: Operation, args: Sequence[Value]) -> tuple[Value, ...]:
        """Call a function-like op whose first region is its body."""
        self._scopes.append({})
        try:
            return self.run_block(callee.regions[0].block, args)
        finally:
            self._scopes.pop()

    def run_block(self, block: Block, args: Sequence[Value] = ()) -> tuple[Value, ...]:
        """Run a single-block region; returns the operands of its terminator (`()` when it has none)."""
        scope = self._scopes[-1]
        for formal, actual in zip(block.args, args, strict=True):
            scope[formal] = actual
        for op in block.ops:
            operands = tuple(scope[o] for o in op._operands)  # pyright: ignore[reportPrivateUsage]
            if op.has_trait(IsTerminator) and op.name not in self.rules:
                return operands
            rule = self.rules.get(op.name)
            if rule is None:
                raise InterpreterError(op, "no interpreter rule")
            results = tuple(rule(self, op, operands))
            if op.has_trait(IsTerminator):
                return results
            for result, value in zip(op.results, results, strict=True):
                scope[result] = value
        return ()


__all__ = ["Interpreter", "InterpreterError", "Rule", "SymbolOpInterface", "Value"]
