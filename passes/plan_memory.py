"""plan-memory: put the temporaries of each host function at fixed offsets of one arena.

Before:
    func.func @main(%x: memref<8xf32>, %out: memref<8xf32>, %workers: memref<?x0xi8>) {
      %t = memref.alloc() : memref<8xf32>
      kernel.launch @f ins(%x : memref<8xf32>) outs(%t : memref<8xf32>)
      kernel.launch @g ins(%t : memref<8xf32>) outs(%out : memref<8xf32>)

After:
    func.func @main(%x: memref<8xf32>, %out: memref<8xf32>, %arena: memref<?xi8>, %workers: memref<?x0xi8>)
        attributes {stepwell.memory = {arena_bytes = 64 : i64, lower_bound_bytes = 64 : i64, worker_bytes = 0 : i64}} {
      %c0 = arith.constant 0 : index
      %t = memref.view %arena[%c0][] : memref<?xi8> to memref<8xf32>
      ...

A module with `stepwell.guard` gets guarded memory instead (`memory_guards.py`): no sharing, poisoned before and after.

Two temporaries needed at the same time never overlap. A buffer is needed from its first to its last use; one that is used
in a loop it was not allocated in, for the whole loop. A call passes the callee a piece of the caller's arena.

Needs: `bufferize`. Keeps: kernels.
Fails: UnsupportedError on recursion, whose memory has no fixed size.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects import arith, func, memref, scf
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    DictionaryAttr,
    IndexType,
    IntegerAttr,
    MemRefType,
    ModuleOp,
    i8,
    i64,
)
from xdsl.ir import Attribute, Block, BlockArgument, Operation, SSAValue
from xdsl.rewriter import InsertPoint

from stepwell.dialects import kernel
from stepwell.dialects.stepwell import ABI, AbiAttr
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.diagnostics import invalid, unsupported
from stepwell.ir.dtypes import byte_width
from stepwell.ir.passes import Pass
from stepwell.passes.bufferization.order import number_ops
from stepwell.passes.memory_guards import GUARDS, Guarded, guard_of, guarded_plan, poison_after, poison_at_start
from stepwell.passes.memory_planning import Interval, Plan, align, assign_offsets
from stepwell.passes.preconditions import needs_buffers

MEMORY = "stepwell.memory"
"""On a planned host function without `stepwell.abi`: the bytes of its arena, of a worker's row, and the least any plan could need."""

_LOOPS = ("scf.for", "scf.while", "scf.forall")
_ALIASES = (
    memref.CollapseShapeOp,
    memref.ExpandShapeOp,
    memref.SubviewOp,
    memref.ViewOp,
    memref.CastOp,
    memref.ReinterpretCastOp,
)


class Liveness:
    """When the buffers of one function are needed."""

    def __init__(self, function: Operation):
        self.start, self.end = number_ops(function)

    def interval(self, alloc: memref.AllocOp) -> tuple[int, int]:
        """First and last position at which the buffer, or a view of it, is used."""
        home = alloc.parent
        first, last = self.end[alloc], self.start[alloc]
        values: list[SSAValue] = [alloc.memref]
        seen: dict[SSAValue, None] = {}
        while values:
            value = values.pop()
            if value in seen:
                continue
            seen[value] = None
            for use in value.uses:
                begin, end = self._span(home, use.operation)
                first, last = min(first, begin), max(last, end)
                values.extend(_aliases(use.operation, use.index))
        return min(first, last), last

    def _span(self, home: Block | None, op: Operation) -> tuple[int, int]:
        """When `op` needs a buffer of block `home`: the whole outermost loop around it, else when it runs."""
        begin, end = self.start[op], self.end[op]
        while op.parent is not home:
            parent = op.parent_op()
            assert parent is not None, "a use outside of the buffer's scope"
            if parent.name in _LOOPS:
                begin, end = self.start[parent], self.end[parent]
            op = parent
        return begin, end


def _aliases(op: Operation, operand: int) -> Sequence[SSAValue]:
    """The values that are the same memory as operand number `operand` of `op`."""
    if isinstance(op, _ALIASES):
        return [op.results[0]] if operand == 0 else []
    if isinstance(op, scf.ForOp):
        return [op.body.block.args[operand - 2], op.results[operand - 3]]
    if isinstance(op, scf.WhileOp):
        return [op.before_region.block.args[operand]]
    if isinstance(op, scf.ConditionOp | scf.YieldOp):
        parent = op.parent_op()
        assert parent is not None
        if isinstance(op, scf.ConditionOp):
            assert isinstance(parent, scf.WhileOp)
            return [parent.after_region.block.args[operand - 1], parent.results[operand - 1]]
        if isinstance(parent, scf.WhileOp):
            return [parent.before_region.block.args[operand]]
        found: list[SSAValue] = [parent.results[operand]]
        if isinstance(parent, scf.ForOp):
            found.append(parent.body.block.args[operand + 1])
        return found
    if isinstance(op, arith.SelectOp):
        return [op.results[0]]
    return []


def _bytes(kind: Attribute) -> int:
    assert isinstance(kind, MemRefType)
    return prod(kind.get_shape()) * byte_width(kind.element_type)


def _bottom_up(functions: Sequence[func.FuncOp]) -> list[func.FuncOp]:
    """Callees before callers.

    Raises:
        UnsupportedError: a function calls itself, directly or through others.
    """
    by_name = {f.sym_name.data: f for f in functions}
    order: list[func.FuncOp] = []
    state: dict[str, bool] = {}

    def visit(name: str) -> None:
        if state.get(name):
            return
        if name in state:
            raise unsupported(
                by_name[name],
                "it calls itself, so its temporaries have no fixed size",
                "write the recursion as a while loop",
            )
        state[name] = False
        for op in by_name[name].walk():
            if isinstance(op, func.CallOp) and op.callee.root_reference.data in by_name:
                visit(op.callee.root_reference.data)
        state[name] = True
        order.append(by_name[name])

    for function in functions:
        visit(function.sym_name.data)
    return order


def plan_function(function: func.FuncOp, arenas: dict[str, int], guards: dict[str, Guarded]) -> None:
    """Give `function` an arena argument and turn its allocations into views of it."""
    block = function.body.block
    arena = block.insert_arg(MemRefType(i8, [DYNAMIC_INDEX]), len(block.args) - 1)
    arena.name_hint = "arena"
    _reserve_for_callees(function, arenas)
    guard = guard_of(function)
    if guard is not None:
        _guard_constants(function)
    allocs = [op for op in function.walk() if isinstance(op, memref.AllocOp)]
    liveness = Liveness(function)
    intervals = [Interval(_bytes(a.memref.type), *liveness.interval(a)) for a in allocs]
    if guard is None:
        plan, guarded = assign_offsets(intervals), Guarded()
    else:
        inner = [_memory_of_several(a, guards) for a in allocs]
        plan, guarded = guarded_plan(intervals, guard, inner)
        _poison(allocs, intervals, inner, liveness)
    _replace(allocs, plan, arena)
    workers = block.args[-1].type
    assert isinstance(workers, MemRefType)
    record_memory(function, plan, workers.get_shape()[1], None if guard is None else guarded)
    guards[function.sym_name.data] = guarded
    arenas[function.sym_name.data] = plan.total
    function.update_function_type()


def _guard_constants(function: func.FuncOp) -> None:
    """Constants of an object file have no pages of their own: each use reads a copy."""
    for op in list(function.walk()):
        if isinstance(op, memref.GetGlobalOp):
            builder = LocatedBuilder(InsertPoint.after(op), op.location)
            kind = op.memref.type
            copy = builder.insert(memref.AllocOp.get(kind.element_type, shape=kind.get_shape()))
            op.memref.replace_all_uses_with(copy.memref)
            builder.insert(memref.CopyOp(op.memref, copy.memref))


def _memory_of_several(alloc: memref.AllocOp, guards: dict[str, Guarded]) -> Guarded | None:
    """The guards inside of a buffer that is a kernel's scratch or a callee's arena; None for other buffers."""
    for use in alloc.memref.uses:
        user = use.operation
        if isinstance(user, kernel.LaunchOp) and use.index >= len(user.ins) + len(user.outs):
            callee = user.kernel()
            entries = callee.attributes.get(GUARDS) if callee is not None else None
            return Guarded.of(entries.data) if isinstance(entries, DictionaryAttr) else Guarded()
        if isinstance(user, memref.CastOp):
            for call in user.dest.uses:
                if isinstance(call.operation, func.CallOp):
                    return guards.get(call.operation.callee.root_reference.data, Guarded())
    return None


def _poison(
    allocs: Sequence[memref.AllocOp],
    intervals: Sequence[Interval],
    inner: Sequence[Guarded | None],
    liveness: Liveness,
) -> None:
    """Poison every buffer where it comes to life and after its last use; those inside of others have their own owner."""
    ends: dict[Block, list[tuple[int, Operation]]] = {}
    for alloc, interval, nested in zip(allocs, intervals, inner, strict=True):
        block = alloc.parent
        assert block is not None
        if nested is not None or not interval.size:
            continue
        if block not in ends:
            ends[block] = [(liveness.end[op], op) for op in block.ops]
        found = bisect_left(ends[block], interval.last, key=lambda pair: pair[0])
        if found < len(ends[block]) - 1:  # a terminator hands it on
            poison_after(ends[block][found][1], alloc.memref)
        poison_at_start(alloc.memref)


def _check_signature(function: func.FuncOp) -> None:
    """Refuse a function that `bufferize` did not make, or whose memory is planned."""
    abi = function.attributes.get(ABI)
    if MEMORY in function.attributes or (isinstance(abi, AbiAttr) and "arena_bytes" in abi.entries.data):
        raise invalid(function, "cannot be transformed: its memory is already planned", "run plan-memory once")
    last = function.body.block.args[-1].type if function.body.block.args else None
    if not isinstance(last, MemRefType) or last.element_type != i8 or len(last.get_shape()) != 2:
        raise invalid(
            function,
            "cannot be transformed: 'plan-memory' needs the workers' memory (memref<?xNxi8>) as its last argument",
            "run bufferize first",
        )


def _reserve_for_callees(function: func.FuncOp, arenas: dict[str, int]) -> None:
    """Pass each callee a buffer of the size of its arena."""
    for op in list(function.walk()):
        if not isinstance(op, func.CallOp) or op.callee.root_reference.data not in arenas:
            continue
        size = align(arenas[op.callee.root_reference.data])
        builder = LocatedBuilder(InsertPoint.before(op), op.location)
        piece = builder.insert(memref.AllocOp.get(i8, shape=[size]))
        anywhere = builder.insert(memref.CastOp.get(piece.memref, MemRefType(i8, [DYNAMIC_INDEX])))
        operands = list(op.operands)
        op.operands = [*operands[:-1], anywhere.dest, operands[-1]]


def _replace(allocs: Sequence[memref.AllocOp], plan: Plan, arena: BlockArgument) -> None:
    for alloc, offset in zip(allocs, plan.offsets, strict=True):
        builder = LocatedBuilder(InsertPoint.before(alloc), alloc.location)
        kind = alloc.memref.type
        shift = builder.insert(arith.ConstantOp(IntegerAttr(offset, IndexType())))
        view = builder.insert(memref.ViewOp(arena, shift.result, [], kind))
        view.result.name_hint = alloc.memref.name_hint
        alloc.memref.replace_all_uses_with(view.result)
        alloc.detach()
        alloc.erase()


def record_memory(function: func.FuncOp, plan: Plan, worker_bytes: int, guarded: Guarded | None = None) -> None:
    """Write what the function needs on it: into its `stepwell.abi`, or beside as `stepwell.memory`."""
    entries: dict[str, Attribute] = {
        "arena_bytes": IntegerAttr(plan.total, i64),
        "lower_bound_bytes": IntegerAttr(plan.lower_bound, i64),
        "worker_bytes": IntegerAttr(worker_bytes, i64),
    }
    guard = guard_of(function)
    if guard is not None and guarded is not None:
        entries |= {**guarded.entries(), **_worker_guards(function).entries("worker_"), "guard": guard.attribute()}
    abi = function.attributes.get(ABI)
    if isinstance(abi, AbiAttr):
        function.attributes[ABI] = abi.with_entries(**entries)
    else:
        function.attributes[MEMORY] = DictionaryAttr(entries)


def _worker_guards(function: func.FuncOp) -> Guarded:
    """What is guarded in a worker's row: the sum over all kernels, which have parts of it of their own."""
    found = Guarded()
    module = function.parent_op()
    for op in module.regions[0].block.ops if module is not None else ():
        entries = op.attributes.get(GUARDS)
        if isinstance(op, kernel.FuncOp) and isinstance(entries, DictionaryAttr):
            found += Guarded.of(entries.data, "worker_")
    return found


@dataclass(frozen=True)
class PlanMemoryPass(Pass):
    """Host temporaries at fixed offsets of one arena per function."""

    name = "plan-memory"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Plan callees before their callers."""
        del ctx
        assert isinstance(op, ModuleOp)
        needs_buffers(op, self.name)
        arenas: dict[str, int] = {}
        guards: dict[str, Guarded] = {}
        functions = [f for f in op.ops if isinstance(f, func.FuncOp) and f.body.blocks]
        for function in functions:
            _check_signature(function)
        for function in _bottom_up(functions):
            plan_function(function, arenas, guards)


__all__ = ["MEMORY", "Liveness", "PlanMemoryPass"]
