"""Greedy rewriting: patterns indexed by op name, applied until nothing changes or the cap is hit.

One worklist holds the ops to visit. A rewrite puts back only what it may have enabled: the new ops, the
users of replaced values, the definers of dropped operands. So the cost is linear in the ops plus the
rewrites; the region is never scanned again. Every op a pattern inserts gets the location of the op it was
made for.

A pattern is a function `(op, rewriter) -> bool`: it returns False and changes nothing, or changes the IR
only through the rewriter and returns True. A folder is a function `(op, constants) -> results | None`:
`constants[i]` is the attribute of operand i when that is a constant, the answer has an SSA value or an
attribute per result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from xdsl.dialects.builtin import LocationAttr, UnknownLoc
from xdsl.ir import Attribute, Block, Operation, OpResult, SSAValue
from xdsl.rewriter import InsertPoint
from xdsl.rewriter import Rewriter as BlockRewriter

from stepwell.ir.effects import EffectCache, is_trivially_dead
from stepwell.ir.errors import CompileError
from stepwell.ir.instrumentation import count as count_statistic

Pattern = Callable[[Operation, "Rewriter"], bool]
Folder = Callable[[Operation, Sequence[Attribute | None]], Sequence[SSAValue | Attribute] | None]
Visitor = Callable[[Operation, "Rewriter"], bool]


class Worklist:
    """A stack of ops, each at most once; pushing, popping and removing take constant time."""

    def __init__(self) -> None:
        self._stack: list[Operation] = []
        self._waiting: set[Operation] = set()

    def push(self, op: Operation) -> None:
        """Add `op` on top unless it is waiting already."""
        if op not in self._waiting:
            self._waiting.add(op)
            self._stack.append(op)

    def remove(self, op: Operation) -> None:
        """Forget `op`; its place on the stack is skipped later."""
        self._waiting.discard(op)

    def pop(self) -> Operation | None:
        """The latest waiting op, None when there is none."""
        while self._stack:
            op = self._stack.pop()
            if op in self._waiting:
                self._waiting.discard(op)
                return op
        return None


class Rewriter:
    """What patterns change the IR through; keeps the worklist and the locations right."""

    def __init__(self, worklist: Worklist):
        self._worklist = worklist
        self.location: LocationAttr = UnknownLoc()

    def _push_users(self, value: SSAValue) -> None:
        for use in value.uses:
            self._worklist.push(use.operation)

    def dropping(self, op: Operation, operands: Iterable[SSAValue]) -> None:
        """Say that `op` will not use `operands` any more: what defines them may have become dead."""
        self._worklist.push(op)
        self._push_definers(operands)

    def _push_definers(self, operands: Iterable[SSAValue]) -> None:
        for operand in operands:
            if isinstance(operand, OpResult):
                self._worklist.push(operand.op)
            elif (owner := operand.owner.parent_op()) is not None:
                self._worklist.push(owner)  # dropping the last use of an argument may simplify its op

    def modified(self, op: Operation) -> None:
        """Say that `op` was changed in place: it and the users of its results are visited again."""
        self._worklist.push(op)
        for result in op.results:
            self._push_users(result)

    def insert_before(self, anchor: Operation, new_ops: Iterable[Operation]) -> None:
        """Insert `new_ops`, in order, before `anchor`."""
        block = anchor.parent
        assert block is not None, "the anchor is in a block"
        for op in new_ops:
            for inner in op.walk():
                if isinstance(inner.location, UnknownLoc):
                    inner.location = self.location
                self._worklist.push(inner)
            block.insert_op_before(op, anchor)

    def insert_alone_before(self, anchor: Operation, op: Operation) -> None:
        """Insert `op` before `anchor`, putting only itself (not what its regions hold) on the worklist."""
        block = anchor.parent
        assert block is not None, "the anchor is in a block"
        if isinstance(op.location, UnknownLoc):
            op.location = self.location
        self._worklist.push(op)
        block.insert_op_before(op, anchor)

    def replace_value(self, old: SSAValue, new: SSAValue) -> None:
        """Make all users of `old` use `new`."""
        if old is new:
            return
        self._push_users(old)
        if new.name_hint is None:
            new.name_hint = old.name_hint
        old.replace_all_uses_with(new)

    def replace(self, op: Operation, values: Sequence[SSAValue]) -> None:
        """Replace the results of `op` by `values` and erase it."""
        for result, value in zip(op.results, values, strict=True):
            self.replace_value(result, value)
        self.erase(op)

    def replace_with(self, op: Operation, *new_ops: Operation) -> None:
        """Insert `new_ops` before `op` and replace it by the results of the last one."""
        self.insert_before(op, new_ops)
        self.replace(op, new_ops[-1].results)

    def erase(self, op: Operation) -> None:
        """Erase `op`, whose results have no uses."""
        self._push_definers(op._operands)  # pyright: ignore[reportPrivateUsage]
        for inner in op.walk():
            self._worklist.remove(inner)
            if inner is not op:
                self._push_outside_definers(inner, op)
        op.detach()
        op.erase()

    def _push_outside_definers(self, inner: Operation, erased: Operation) -> None:
        for operand in inner._operands:  # pyright: ignore[reportPrivateUsage]
            if isinstance(operand, OpResult) and not erased.is_ancestor(operand.op):
                self._worklist.push(operand.op)

    def inline_before(self, block: Block, anchor: Operation, arguments: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """Move the ops of `block` before `anchor`, its terminator dropped; returns what the terminator yielded."""
        terminator = block.last_op
        assert terminator is not None, "the block has a terminator"
        for formal, actual in zip(block.args, arguments, strict=True):
            self.replace_value(formal, actual)
        yielded = tuple(terminator.operands)
        self.erase(terminator)
        for op in block.ops:
            self._worklist.push(op)
        BlockRewriter.inline_block(block, InsertPoint.before(anchor), arg_values=arguments)
        return yielded


class NonTerminationError(CompileError):
    """The rewrite cap was hit: some patterns undo each other."""


def rewrite_greedily(
    root: Operation,
    patterns: Mapping[str, Sequence[Pattern]],
    *,
    visit: Visitor | None = None,
    max_rewrites: int | None = None,
) -> int:
    """Apply `patterns` (op name -> patterns, tried in order) to all ops inside `root`; remove what becomes dead.

    Args:
        root: The op whose regions are rewritten; itself stays.
        patterns: Patterns by the name of the op they match.
        visit: Called on each op before its patterns (folding and constants); True when it changed the op.
        max_rewrites: The cap; by default a generous multiple of the ops.

    Returns:
        How many rewrites happened.

    Raises:
        NonTerminationError: the cap was hit; names the patterns that were still applying.
    """
    worklist = Worklist()
    ops = [op for op in root.walk() if op is not root]
    for op in reversed(ops):
        worklist.push(op)
    limit = max_rewrites if max_rewrites is not None else 32 * len(ops) + 1024
    rewriter = Rewriter(worklist)
    cache = EffectCache()
    count = 0
    recent: list[str] = []
    visited = 0
    while (op := worklist.pop()) is not None:
        visited += 1
        rewriter.location = op.location
        if is_trivially_dead(op, cache):
            rewriter.erase(op)
            continue
        name = _apply_one(op, patterns.get(op.name, ()), visit, rewriter)
        if name is None:
            continue
        count += 1
        if count > limit - 16:
            recent.append(name)
        if count >= limit:
            names = ", ".join(dict.fromkeys(recent))
            raise NonTerminationError(f"rewriting did not end after {count} rewrites; still applying: {names}")
    count_statistic("visited", visited)
    count_statistic("rewritten", count)
    return count


def _apply_one(op: Operation, patterns: Sequence[Pattern], visit: Visitor | None, rewriter: Rewriter) -> str | None:
    """Apply the first thing that matches; returns its name."""
    if visit is not None and visit(op, rewriter):
        return "fold"
    for pattern in patterns:
        if pattern(op, rewriter):
            return pattern.__name__
    return None
