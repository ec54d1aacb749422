"""Memory of the tasks of mapped loops: an alloca at the start of the task that has it to itself.

Before: %s = tensor.empty() {scratch = #kernel.scratch<block>, swizzle = 8 : i64} : tensor<2x16x64xf16>
After:  %s = memref.alloca() {scratch = #kernel.scratch<block>, swizzle = 8 : i64} : memref<2x16x64xf16>
"""

from __future__ import annotations

from xdsl.dialects import memref, tensor
from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.rewriter import InsertPoint

from stepwell.dialects.kernel import Level, ScratchAttr, ScratchScope, level_of
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.diagnostics import invalid

_PRIVATE = {Level.BLOCK: ScratchScope.BLOCK, Level.SUBGROUP: ScratchScope.SUBGROUP, Level.THREAD: ScratchScope.WORKER}
"""What is private to a task, by who does it."""


def level_around(task: Operation | None) -> Level | None:
    """Who runs the code in `task`: the level of the nearest mapped loop, None where there is none."""
    while task is not None and level_of(task) is None:
        task = task.parent_op()
    return level_of(task) if task is not None else None


def is_task_memory(task: Operation | None, asked: tensor.EmptyOp | None) -> bool:
    """Whether memory needed in `task` belongs to a task of a mapped loop, or the program says that it does."""
    return level_around(task) is not None or scope_of(asked) in (ScratchScope.BLOCK, ScratchScope.SUBGROUP)


def scope_of(asked: tensor.EmptyOp | None) -> ScratchScope | None:
    """The scope in the `scratch` attribute of a `tensor.empty`."""
    attribute = asked.attributes.get("scratch") if asked is not None else None
    return attribute.data if isinstance(attribute, ScratchAttr) else None


def _chosen_scope(task: Operation | None, asked: tensor.EmptyOp | None) -> ScratchScope:
    """The scope of an alloca in `task`.

    Raises:
        InvalidProgramError: the memory asked for is not that of a task of this kind.
    """
    level, scope = level_around(task), scope_of(asked)
    if asked is not None and scope is ScratchScope.BLOCK and level is not Level.BLOCK:
        raise invalid(
            asked,
            "is scratch of a block, but what first writes it is not done by a block",
            "create it in a forall of blocks, and pass it to the foralls of subgroups inside as a shared output",
        )
    if asked is not None and scope is ScratchScope.SUBGROUP and level not in (Level.BLOCK, Level.SUBGROUP):
        raise invalid(
            asked,
            "is scratch of a subgroup, but what first writes it is done by neither a block nor a subgroup",
            "create it in a forall of subgroups, or with one part per subgroup in a forall of blocks",
        )
    if scope is ScratchScope.BLOCK or scope is ScratchScope.SUBGROUP:
        return scope
    assert level is not None
    return _PRIVATE[level]


class TaskMemory:
    """Makes the allocas of one kernel."""

    def __init__(self) -> None:
        self._made: list[memref.AllocaOp] = []

    def allocate(
        self,
        builder: LocatedBuilder,
        type: MemRefType[Attribute],
        task: Operation | None,
        asked: tensor.EmptyOp | None,
    ) -> SSAValue:
        """An alloca at the start of `task`, with the attributes of the `tensor.empty` that asks for it."""
        scope = _chosen_scope(task, asked)
        assert task is not None
        alloca = memref.AllocaOp.get(type.element_type, shape=type.get_shape())
        if asked is not None:
            alloca.attributes.update(asked.attributes)
            alloca.memref.name_hint = asked.tensor.name_hint
        alloca.attributes["scratch"] = ScratchAttr(scope)
        location = asked.location if asked is not None else builder.location
        LocatedBuilder(self._start(task), location).insert(alloca)
        self._made.append(alloca)
        return alloca.memref

    def _start(self, task: Operation) -> InsertPoint:
        """In front of the task's first op, behind the allocas made there already."""
        block = task.regions[0].block
        last = next((alloca for alloca in reversed(self._made) if alloca.parent is block), None)
        if last is not None:
            return InsertPoint.after(last)
        assert block.first_op is not None
        return InsertPoint.before(block.first_op)

    def finish(self) -> None:
        """Drop what nobody uses."""
        for alloca in self._made:
            if not alloca.memref.uses:
                alloca.detach()
                alloca.erase()


__all__ = ["TaskMemory", "is_task_memory", "level_around", "scope_of"]
