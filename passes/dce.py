"""dce: remove what nothing observable depends on, loop carries and branch results included.

Before:                                                After:
    %r:2 = scf.for ... iter_args(%a = %x, %b = %y) {       %r = scf.for ... iter_args(%a = %x) {
      %0 = arith.addf %a, %c                                 %0 = arith.addf %a, %c
      %1 = arith.mulf %b, %c                                 scf.yield %0
      scf.yield %0, %1                                     }
    }                                                      func.return %r
    func.return %r#0

One backward walk marks what effects, returns and conditions need; a carry is needed when its result is, or
when something needed reads it inside the loop. Everything unmarked goes, in one sweep: linear.

Needs: any step. Keeps: ops with effects (an endless loop has none), symbols, function signatures. Fails:
never.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.ir import Block, BlockArgument, Operation, OpResult, SSAValue
from xdsl.traits import IsTerminator

from stepwell.dialects.canonicalize.carries import keep_arguments, terminator, with_only
from stepwell.ir.effects import EffectCache, is_anchored
from stepwell.ir.passes import ANY_ANCHOR, Pass

_BRANCHES = frozenset({"scf.if", "scf.index_switch", "stablehlo.if", "stablehlo.case"})
_FOR = "scf.for"
_WHILE = "scf.while"
_TENSOR_WHILE = "stablehlo.while"
_CARRYING = _BRANCHES | {_FOR, _WHILE, _TENSOR_WHILE}

_IN_PARALLEL = "scf.forall.in_parallel"

_BOUNDS = 3
"""Operands of `scf.for` before the carries."""


def _is_carrying(op: Operation) -> bool:
    """True for the control flow whose carries and results are tracked one by one."""
    return op.name in _CARRYING and all(region.blocks for region in op.regions)


def _feeds(op: Operation, index: int) -> list[SSAValue]:
    """What result `index` of a carrying op comes from."""
    if op.name in _BRANCHES:
        return [terminator(region.block).operands[index] for region in op.regions]
    if op.name == _FOR:
        return [op.operands[_BOUNDS + index], terminator(op.regions[0].block).operands[index]]
    if op.name == _WHILE:
        return [terminator(op.regions[0].block).operands[1 + index]]
    return [op.operands[index], terminator(op.regions[1].block).operands[index]]


def _argument_feeds(argument: BlockArgument, op: Operation) -> list[SSAValue]:
    """What an argument of a region of a carrying op comes from."""
    index = argument.index
    if op.name == _FOR:
        return _feeds(op, index - 1) if index else []
    if op.name == _WHILE and argument.block is op.regions[1].block:
        return [terminator(op.regions[0].block).operands[1 + index]]
    if op.name == _WHILE:
        return [op.operands[index], terminator(op.regions[1].block).operands[index]]
    return _feeds(op, index)


def _belongs_to_end(op: Operation) -> bool:
    """True for terminators and the inserts a forall ends with: needed when what they end is."""
    return is_anchored(op) and (op.has_trait(IsTerminator) or op.name == "tensor.parallel_insert_slice")


@dataclass
class _Liveness:
    """What is needed: ops and values, marked from the ops with effects backward."""

    ops: set[Operation] = field(default_factory=set[Operation])
    values: set[SSAValue] = field(default_factory=set[SSAValue])
    _pending: list[SSAValue] = field(default_factory=list[SSAValue])

    def run(self, root: Operation) -> None:
        cache = EffectCache()
        self.ops.add(root)
        for op in root.walk():
            if op is root or _belongs_to_end(op):
                continue
            if not cache.is_removable(op):
                self._op(op)
        for block in (block for region in root.regions for block in region.blocks):
            self._end_of(block, root)
        while self._pending:
            self._follow(self._pending.pop())

    def _value(self, value: SSAValue) -> None:
        if value not in self.values:
            self.values.add(value)
            self._pending.append(value)

    def _follow(self, value: SSAValue) -> None:
        if isinstance(value, OpResult):
            self._op(value.op)
            if _is_carrying(value.op):
                for source in _feeds(value.op, value.index):
                    self._value(source)
        elif isinstance(value, BlockArgument) and (owner := value.block.parent_op()) is not None:
            self._op(owner)
            if _is_carrying(owner):
                for source in _argument_feeds(value, owner):
                    self._value(source)

    def _op(self, op: Operation) -> None:
        """Mark `op`, what it always needs, and everything around it."""
        while op not in self.ops:
            self.ops.add(op)
            for operand in self._always_needed(op):
                self._value(operand)
            for region in op.regions:
                for block in region.blocks:
                    self._end_of(block, op)
            parent = op.parent_op()
            if parent is None:
                return
            op = parent

    def _always_needed(self, op: Operation) -> list[SSAValue]:
        operands = list(op._operands)  # pyright: ignore[reportPrivateUsage]
        if not _is_carrying(op) or op.name in _BRANCHES:
            return operands
        return operands[:_BOUNDS] if op.name == _FOR else []

    def _end_of(self, block: Block, owner: Operation) -> None:
        """The terminator of a needed op's block: all of it, or just the condition of a loop."""
        if owner.name == _IN_PARALLEL:
            for op in block.ops:
                self._op(op)
            return
        last = block.last_op
        if last is None or not _belongs_to_end(last):
            return
        operands = last._operands  # pyright: ignore[reportPrivateUsage]
        if not _is_carrying(owner):
            self._op(last)
            return
        self.ops.add(last)
        if owner.name in (_WHILE, _TENSOR_WHILE) and block is owner.regions[0].block:
            self._value(operands[0])


def _kept_results(op: Operation, live: _Liveness) -> list[int]:
    """Results (for a for and a tensor while: carries) of a carrying op that are needed."""
    kept: list[int] = []
    for index, result in enumerate(op.results):
        needed = result in live.values
        if op.name == _FOR:
            needed = needed or op.regions[0].block.args[1 + index] in live.values
        elif op.name == _WHILE:
            needed = needed or op.regions[1].block.args[index] in live.values
        elif op.name == _TENSOR_WHILE:
            needed = needed or any(region.block.args[index] in live.values for region in op.regions)
        if needed:
            kept.append(index)
    return kept


@dataclass(frozen=True)
class _Shrink:
    """Which operands, results and arguments of a carrying op stay; None leaves the arguments alone."""

    op: Operation
    operands: list[int]
    results: list[int]
    ends: list[list[int]]
    arguments: list[list[int] | None]


def _plan(op: Operation, live: _Liveness) -> _Shrink | None:
    kept = _kept_results(op, live)
    everything = list(range(len(op.operands)))
    if op.name in _BRANCHES:
        shrink = _Shrink(op, everything, kept, [kept] * len(op.regions), [None] * len(op.regions))
    elif op.name == _FOR:
        carried = [0, 1, 2, *(_BOUNDS + i for i in kept)]
        shrink = _Shrink(op, carried, kept, [kept], [[0, *(1 + i for i in kept)]])
    elif op.name == _WHILE:
        inits = [i for i, argument in enumerate(op.regions[0].block.args) if argument in live.values]
        shrink = _Shrink(op, inits, kept, [[0, *(1 + i for i in kept)], inits], [inits, kept])
    else:
        shrink = _Shrink(op, kept, kept, [[0], kept], [kept, kept])
    changed = len(shrink.operands) != len(op.operands) or len(kept) != len(op.results)
    return shrink if changed else None


def _shrink_ends(shrink: _Shrink) -> None:
    for region, kept in zip(shrink.op.regions, shrink.ends, strict=True):
        end = terminator(region.block)
        end.operands = [end.operands[i] for i in kept]


def _rebuild(shrink: _Shrink) -> None:
    op = shrink.op
    for region, kept in zip(op.regions, shrink.arguments, strict=True):
        if kept is not None:
            keep_arguments(region.block, kept)
    new = with_only(op, shrink.operands, shrink.results)
    assert op.parent is not None
    op.parent.insert_op_before(new, op)
    for old, result in zip(shrink.results, new.results, strict=True):
        result.name_hint = op.results[old].name_hint
        op.results[old].replace_all_uses_with(result)
    op.detach()
    op.erase()


def eliminate_dead_code(root: Operation) -> None:
    """Remove everything inside `root` that nothing observable depends on."""
    live = _Liveness()
    live.run(root)
    dead: list[Operation] = []
    shrinks: list[_Shrink] = []
    for op in root.walk():
        if op not in live.ops:
            if (parent := op.parent_op()) is None or parent in live.ops:
                dead.append(op)
        elif _is_carrying(op) and op is not root and (shrink := _plan(op, live)) is not None:
            shrinks.append(shrink)
    for shrink in shrinks:
        _shrink_ends(shrink)
    for op in dead:
        op.detach()
        op.drop_all_references()
    for shrink in reversed(shrinks):  # inner loops first: outer ones move their regions
        _rebuild(shrink)
    for op in dead:
        op.erase(drop_references=False)


@dataclass(frozen=True)
class DCEPass(Pass):
    """Remove ops, loop carries and branch results that nothing observable depends on."""

    name = "dce"
    anchor = ANY_ANCHOR

    def apply(self, ctx: Context, op: Operation) -> None:
        """Remove dead code inside `op`."""
        eliminate_dead_code(op)
