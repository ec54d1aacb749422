"""Verification: every op's own verifier, the structure of blocks, symbols, and SSA dominance; linear in ops.

xDSL checks no dominance and is quadratic in the blocks of a region. Here one walk visits each op once. In a region of one
block a value dominates what follows it; in a control-flow region the walk follows the dominator tree, so that a value is
visible exactly in the blocks its own dominates. Ops of unreachable blocks are verified, their operands' order is not.
"""

from __future__ import annotations

from typing import NoReturn

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Block, BlockArgument, Operation, OpResult, Region, SSAValue
from xdsl.ir.core import ErasedSSAValue
from xdsl.traits import IsolatedFromAbove, IsTerminator, NoTerminator, SymbolTable
from xdsl.utils.exceptions import VerifyException

from stepwell.ir.diagnostics import (
    Diagnostic,
    InvalidProgramDiagnosticError,
    location_of,
    op_diagnostic,
    value_location,
)
from stepwell.ir.recursion import deep_recursion

GRAPH_REGION_OPS = frozenset({"builtin.module"})
"""Ops whose regions have no order: uses may precede definitions."""


class VerifyDiagnosticError(InvalidProgramDiagnosticError):
    """The IR is not valid; the diagnostic names the op."""

    def __init__(self, diagnostic: Diagnostic, op: Operation):
        super().__init__(diagnostic)
        self.op = op


def verify_module(module: Operation) -> None:
    """Verify `module` and all ops in it (from the nearest isolated op, whose values its body may use).

    Raises:
        VerifyDiagnosticError: the first op that is not valid.
    """
    root = module
    while (
        not root.has_trait(IsolatedFromAbove, value_if_unregistered=False) and (parent := root.parent_op()) is not None
    ):
        root = parent
    with deep_recursion():
        _Verifier().verify(root)


class _Verifier:
    """One walk; `_visible` holds the values that may be used at the current op."""

    def __init__(self) -> None:
        self._visible: dict[SSAValue, None] = {}
        self._check_order = True

    def verify(self, root: Operation) -> None:
        """Verify `root` and what is inside."""
        self._verify_regions(root)
        self._check_own(root)

    def _verify_op(self, op: Operation) -> None:
        self._check_operands(op)
        if op.regions:
            self._verify_regions(op)
        self._check_own(op)

    def _verify_regions(self, op: Operation) -> None:
        """Verify what is inside `op` first, so that its own verifier sees valid regions."""
        outer, outer_order = self._visible, self._check_order
        if op.has_trait(IsolatedFromAbove, value_if_unregistered=False):
            self._visible = {}
            self._check_order = True
        graph = op.name in GRAPH_REGION_OPS
        needs_terminator = not op.has_trait(NoTerminator)
        for region in op.regions:
            self._verify_region(op, region, graph, needs_terminator)
        self._visible, self._check_order = outer, outer_order

    # Structure

    def _check_own(self, op: Operation) -> None:
        if op.has_trait(SymbolTable, value_if_unregistered=False):
            _check_symbols(op)
        try:
            op.verify_()
        except VerifyException as error:
            fail(op, _first_line(error))
        except (VerifyDiagnosticError, KeyboardInterrupt):
            raise
        except MemoryError:
            fail(op, "needs more memory to be verified than there is")
        except Exception as error:
            fail(op, f"cannot be verified: {type(error).__name__}: {_first_line(error)}")

    def _verify_region(self, op: Operation, region: Region, graph: bool, needs_terminator: bool) -> None:
        first = region.first_block
        if first is None:
            return
        if first is region.last_block:
            if first.last_op is None and needs_terminator:
                fail(op, "has an empty block; expected at least a terminator")
            self._forget(self._verify_block(first, graph, needs_terminator))
            return
        self._verify_control_flow(region)

    def _verify_block(self, block: Block, graph: bool, needs_terminator: bool) -> list[SSAValue]:
        """Verify one block; returns the values it made visible (they stay so while its region is open)."""
        added: list[SSAValue] = list(block.args)
        if graph:
            for op in block.ops:
                added.extend(op.results)
        visible = self._visible
        for value in added:
            visible[value] = None
        last = block.last_op
        for op in block.ops:
            if op.parent is not block:
                fail(op, "has a parent pointer that is not its block")
            if op is last:
                if needs_terminator and not op.has_trait(IsTerminator):
                    fail(op, "ends its block but is not a terminator")
            elif op.has_trait(IsTerminator, value_if_unregistered=False):
                fail(op, "is a terminator but not the last operation of its block")
            if op.successors:
                _check_successors(op, block)
            self._verify_op(op)
            if not graph:
                for result in op.results:
                    visible[result] = None
                added.extend(op.results)
        return added

    def _forget(self, values: list[SSAValue]) -> None:
        """Leave the scope in which `values` are visible."""
        for value in values:
            self._visible.pop(value, None)

    # Dominance

    def _check_operands(self, op: Operation) -> None:
        visible = self._visible
        for index, operand in enumerate(op._operands):  # pyright: ignore[reportPrivateUsage]
            if operand in visible:
                continue
            if isinstance(operand, ErasedSSAValue):
                fail(op, f"uses an erased value as operand #{index}")
            if op.parent is not None and self._check_order:
                self._fail_operand(op, index, operand)

    def _fail_operand(self, op: Operation, index: int, operand: SSAValue) -> None:
        diagnostic = op_diagnostic(op, f"operand #{index} does not dominate this use")
        if _is_outside_isolated(op, operand):
            diagnostic = op_diagnostic(op, f"operand #{index} is defined outside the enclosing isolated operation")
        what = "the operand is defined here"
        if isinstance(operand, BlockArgument):
            what = "the operand is a block argument defined here"
        elif isinstance(operand, OpResult) and operand.op is op:
            what = "the operand is a result of this very operation"
        raise VerifyDiagnosticError(diagnostic.with_note(what, value_location(operand)), op)

    def _verify_control_flow(self, region: Region) -> None:
        """Verify a region of several blocks along its dominator tree."""
        children, reachable = _dominator_tree(region)
        entry = region.first_block
        assert entry is not None
        stack: list[tuple[Block, list[SSAValue] | None]] = [(entry, None)]
        while stack:
            block, added = stack.pop()
            if added is not None:
                self._forget(added)
                continue
            if block.last_op is None:
                _fail_empty(block)
            stack.append((block, self._verify_block(block, graph=False, needs_terminator=True)))
            stack.extend((child, None) for child in reversed(children.get(block, [])))
        self._verify_unreachable(region, reachable)

    def _verify_unreachable(self, region: Region, reachable: dict[Block, int]) -> None:
        outer, self._check_order = self._check_order, False
        for block in region.blocks:
            if block not in reachable:
                if block.last_op is None:
                    _fail_empty(block)
                self._forget(self._verify_block(block, graph=False, needs_terminator=True))
        self._check_order = outer


def _check_symbols(table: Operation) -> None:
    """A symbol table names nothing twice; tables inside it have names of their own, which may be the same."""
    known: dict[str, Operation] = {}
    for region in table.regions:
        for block in region.blocks:
            for op in block.ops:
                name = op.get_attr_or_prop("sym_name")
                if not isinstance(name, StringAttr):
                    continue
                first = known.setdefault(name.data, op)
                if first is not op:
                    diagnostic = op_diagnostic(op, f"is a redefinition of symbol named '{name.data}'")
                    raise VerifyDiagnosticError(
                        diagnostic.with_note("see existing symbol definition here", location_of(first)), op
                    )


def _check_successors(op: Operation, block: Block) -> None:
    if op is not block.last_op:
        fail(op, "has successors but does not end its block")
    for successor in op.successors:
        if successor.parent is not block.parent:
            fail(op, "branches to a block of another region")


def _is_outside_isolated(op: Operation, operand: SSAValue) -> bool:
    """True when an isolated op stands between `op` and the region that defines `operand`."""
    owner = operand.owner
    home = owner.parent if isinstance(owner, Operation) else owner
    current: Operation | None = op
    crossed = False
    while current is not None:
        if current.parent is not None and home is not None and current.parent.parent is home.parent:
            return crossed
        current = current.parent_op()
        if current is not None and current.has_trait(IsolatedFromAbove, value_if_unregistered=False):
            crossed = True
    return True


def _dominator_tree(region: Region) -> tuple[dict[Block, list[Block]], dict[Block, int]]:
    """Children in the dominator tree, and the reachable blocks with their reverse postorder number."""
    order = _reverse_postorder(region)
    number = {block: index for index, block in enumerate(order)}
    predecessors: list[list[int]] = [[] for _ in order]
    for index, block in enumerate(order):
        for successor in _successors(block):
            predecessors[number[successor]].append(index)
    idom = [-1] * len(order)
    idom[0] = 0
    changed = True
    while changed:
        changed = False
        for index in range(1, len(order)):
            new = -1
            for predecessor in predecessors[index]:
                if idom[predecessor] >= 0:
                    new = predecessor if new < 0 else _intersect(idom, new, predecessor)
            if new != idom[index]:
                idom[index] = new
                changed = True
    children: dict[Block, list[Block]] = {}
    for index in range(1, len(order)):
        children.setdefault(order[idom[index]], []).append(order[index])
    return children, number


def _intersect(idom: list[int], first: int, second: int) -> int:
    while first != second:
        while first > second:
            first = idom[first]
        while second > first:
            second = idom[second]
    return first


def _successors(block: Block) -> list[Block]:
    last = block.last_op
    if last is None:
        return []
    return [successor for successor in last.successors if successor.parent is block.parent]


def _reverse_postorder(region: Region) -> list[Block]:
    entry = region.first_block
    assert entry is not None
    seen: dict[Block, None] = {entry: None}
    postorder: list[Block] = []
    stack: list[tuple[Block, list[Block]]] = [(entry, _successors(entry)[::-1])]
    while stack:
        block, pending = stack[-1]
        if not pending:
            postorder.append(block)
            stack.pop()
            continue
        successor = pending.pop()
        if successor not in seen:
            seen[successor] = None
            stack.append((successor, _successors(successor)[::-1]))
    return postorder[::-1]


def fail(op: Operation, message: str) -> NoReturn:
    """Raise the verification error `message` at `op`."""
    raise VerifyDiagnosticError(op_diagnostic(op, message), op)


def _fail_empty(block: Block) -> NoReturn:
    parent = block.parent_op()
    assert parent is not None
    fail(parent, "has an empty block; expected at least a terminator")


def _first_line(error: Exception) -> str:
    text = str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:600] if lines else type(error).__name__


__all__ = ["GRAPH_REGION_OPS", "VerifyDiagnosticError", "fail", "verify_module"]
