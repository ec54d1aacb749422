"""The buffer form of control flow: loop carries and branch results are fixed memory updated in place.

A carry whose first value is dead after the loop uses that value's memory; one that the loop only passes on has no
memory of its own. What a branch yields is written to the one place of the result in both branches, which is the memory
of an outer value when the branches update that value and nothing needs it afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import scf
from xdsl.ir import Block, BlockArgument, Operation, Region, SSAValue

from stepwell.dialects.scf import ForallOp, InParallelOp
from stepwell.dialects.tensor import ParallelInsertSliceOp
from stepwell.passes.bufferization.engine import Bufferizer, Handler
from stepwell.passes.bufferization.handlers import put_slice
from stepwell.passes.bufferization.hints import tied_operand
from stepwell.passes.bufferization.homes import Home
from stepwell.passes.bufferization.reads import is_tensor


def _take(region: Region) -> Region:
    """The blocks of a region in a new one."""
    return Region(region.detach_block(region.block))


def _plain(values: Sequence[SSAValue]) -> list[SSAValue]:
    return [v for v in values if not is_tensor(v)]


def _replace(state: Bufferizer, op: Operation, new: Operation) -> None:
    new.attributes.update(op.attributes)
    state.builder(op).insert(new)
    results = iter(new.results)
    for old in op.results:
        if not is_tensor(old):
            fresh = next(results)
            fresh.name_hint = old.name_hint
            old.replace_all_uses_with(fresh)
    state.retire(op)


def _defined(home: Home) -> Home:
    return Home(home.place, home.memref)


# --- loops -----------------------------------------------------------------------------------------------------------


def _for(state: Bufferizer, op: Operation) -> None:
    assert isinstance(op, scf.ForOp)
    block = op.body.block
    terminator = block.last_op
    assert isinstance(terminator, scf.YieldOp)
    finals: list[Home | None] = []
    wanted: list[Home | None] = []
    for i, argument in enumerate(block.args[1:]):
        if not is_tensor(argument):
            finals.append(None)
            wanted.append(None)
            continue
        if terminator.operands[i] is argument:
            home = _unchanged(state, op.iter_args[i], op)
            state.define(argument, home)
            finals.append(home)
            wanted.append(None)
            continue
        outer = state.destination(
            op, 3 + i, op.res[i], others=_later(state, op, 3 + i), taken=[h for h in finals if h is not None]
        )
        finals.append(outer)
        wanted.append(state.inner(outer, argument, state.task, op))
    _run(state, block, terminator, wanted)
    terminator.operands = _plain(terminator.operands)
    state.retire_args(block, lambda a: not is_tensor(a))
    new = scf.ForOp(op.lb, op.ub, op.step, _plain(op.iter_args), _take(op.body))
    _replace(state, op, new)
    for result, home in zip(op.res, finals, strict=True):
        if home is not None:
            state.define(result, _after_loop(home))


def _unchanged(state: Bufferizer, value: SSAValue, op: Operation) -> Home:
    """The home of a carry that the loop passes on; a constant gets its memory outside of the loop."""
    if state.home(value).constant is not None:
        state.read(value, op)
    return state.home(value)


def _after_loop(home: Home) -> Home:
    return _defined(home) if home.place is not None else home


def _later(state: Bufferizer, op: Operation, index: int) -> list[SSAValue]:
    """Tensor operands after `index`: still to be read when operand `index` is decided."""
    return [v for v in op.operands[index + 1 :] if is_tensor(v)]


def _run(state: Bufferizer, block: Block, terminator: Operation, wanted: list[Home | None], skip: int = 0) -> None:
    """Bufferize a region whose terminator's operands after the first `skip` must end in `wanted`."""
    homes: list[Home | None] = [None] * skip + wanted
    state.wanted[terminator] = homes
    state.run_block(block)
    state.settle(terminator, list(terminator.operands), homes)


def _while(state: Bufferizer, op: Operation) -> None:
    assert isinstance(op, scf.WhileOp)
    before, after = op.before_region.block, op.after_region.block
    condition, terminator = before.last_op, after.last_op
    assert isinstance(condition, scf.ConditionOp)
    assert isinstance(terminator, scf.YieldOp)
    passed = [_position(before.args, v) for v in condition.args]
    outer, carried = _while_carries(state, op, passed)
    results: list[Home | None] = []
    wanted: list[Home | None] = []
    for j, value in enumerate(condition.args):
        k = passed[j]
        if not is_tensor(value):
            results.append(None)
            wanted.append(None)
        elif k is not None:
            results.append(outer[k])
            wanted.append(None)
            state.homes[after.args[j]] = state.home(before.args[k])
        else:
            home = state.storage(op, op.res[j], value.type, taken=[h for h in (*outer, *results) if h is not None])
            results.append(home)
            wanted.append(state.inner(home, after.args[j], state.task, op))
    _run(state, before, condition, wanted, skip=1)
    for argument in after.args:
        if is_tensor(argument):
            state.define(argument, _after_loop(state.home(argument)))
    _run(state, after, terminator, carried)
    condition.operands = [condition.condition, *_plain(condition.args)]
    terminator.operands = _plain(terminator.operands)
    for block in (before, after):
        state.retire_args(block, lambda a: not is_tensor(a))
    kept = [r.type for r in op.res if not is_tensor(r)]
    new = scf.WhileOp(_plain(op.arguments), kept, _take(op.before_region), _take(op.after_region))
    _replace(state, op, new)
    for result, home in zip(op.res, results, strict=True):
        if home is not None:
            state.define(result, _after_loop(home))


def _while_carries(
    state: Bufferizer, op: scf.WhileOp, passed: list[int | None]
) -> tuple[list[Home | None], list[Home | None]]:
    """Outside and inside home of each carry; the inside one is None when the loop leaves the carry alone."""
    before, after = op.before_region.block, op.after_region.block
    terminator = after.last_op
    assert terminator is not None
    outer: list[Home | None] = []
    carried: list[Home | None] = []
    for k, argument in enumerate(before.args):
        if not is_tensor(argument):
            outer.append(None)
            carried.append(None)
            continue
        j = _position(after.args, terminator.operands[k])
        if j is not None and passed[j] == k:
            home = _unchanged(state, op.arguments[k], op)
            state.define(argument, home)
            outer.append(home)
            carried.append(None)
            continue
        result = op.res[passed.index(k)] if k in passed else None
        home = state.destination(op, k, result, others=_later(state, op, k), taken=[h for h in outer if h is not None])
        outer.append(home)
        carried.append(state.inner(home, argument, state.task, op))
    return outer, carried


def _position(args: Sequence[BlockArgument], value: SSAValue) -> int | None:
    for i, argument in enumerate(args):
        if value is argument:
            return i
    return None


def _forall(state: Bufferizer, op: Operation) -> None:
    assert isinstance(op, ForallOp)
    if not op.outputs:
        outer_task, state.task = state.task, op
        state.run_block(op.body.block)
        state.task = outer_task
        return
    first = len(op.operands) - len(op.outputs)
    homes: list[Home] = []
    for i, result in enumerate(op.res):
        homes.append(state.destination(op, first + i, result, others=_later(state, op, first + i), taken=homes))
    inner = [state.inner(h, a, op, op) for h, a in zip(homes, op.region_outputs, strict=True)]
    outer_task, state.task = state.task, op
    terminator = op.terminator
    state.run_block(op.body.block)
    _insert_in_parallel(state, terminator, dict(zip(op.region_outputs, inner, strict=True)))
    state.task = outer_task
    rank = op.rank
    lower, upper, steps = op.lower_bounds, op.upper_bounds, op.steps
    block = op.body.block
    state.retire_args(block, lambda a: a.index < rank)
    new = ForallOp(upper, [], _take(op.body), lower, steps)
    if op.mapping is not None:
        new.properties["mapping"] = op.mapping
    _replace(state, op, new)
    for result, home in zip(op.res, homes, strict=True):
        state.define(result, _defined(home))


def _insert_in_parallel(state: Bufferizer, terminator: Operation, homes: dict[BlockArgument, Home]) -> None:
    for insert in terminator.regions[0].block.ops:
        assert isinstance(insert, ParallelInsertSliceOp)
        dest = insert.dest
        assert isinstance(dest, BlockArgument)
        put_slice(state, terminator, insert, insert.source, homes[dest])
        state.retire(insert)


def _in_parallel(state: Bufferizer, op: Operation) -> None:
    """Done with its loop."""
    assert isinstance(op, InParallelOp)


# --- branches --------------------------------------------------------------------------------------------------------


def _if(state: Bufferizer, op: Operation) -> None:
    assert isinstance(op, scf.IfOp)
    regions = [r for r in (op.true_region, op.false_region) if r.blocks]
    homes = _branches(state, op, regions)
    kept = [r.type for r in op.results if not is_tensor(r)]
    otherwise = _take(op.false_region) if op.false_region.blocks else Region()
    new = scf.IfOp(op.cond, kept, _take(op.true_region), otherwise)
    _replace(state, op, new)
    _define_results(state, op, homes)


def _index_switch(state: Bufferizer, op: Operation) -> None:
    assert isinstance(op, scf.IndexSwitchOp)
    homes = _branches(state, op, op.regions)
    kept = [r.type for r in op.results if not is_tensor(r)]
    new = type(op).create(
        operands=list(op.operands),
        result_types=kept,
        properties=dict(op.properties),
        regions=[_take(r) for r in list(op.regions)],
    )
    _replace(state, op, new)
    _define_results(state, op, homes)


def _define_results(state: Bufferizer, op: Operation, homes: list[Home | None]) -> None:
    for result, home in zip(op.results, homes, strict=True):
        if home is not None:
            state.define(result, _defined(home))


def _branches(state: Bufferizer, op: Operation, regions: Sequence[Region]) -> list[Home | None]:
    yields = [r.block.last_op for r in regions]
    homes: list[Home | None] = []
    for j, result in enumerate(op.results):
        if not is_tensor(result):
            homes.append(None)
            continue
        taken = [h for h in homes if h is not None]
        updated = _updated_in_branches(state, op, [y.operands[j] for y in yields if y is not None], taken)
        homes.append(updated if updated is not None else state.storage(op, result, result.type, taken=taken))
    for home in homes:
        if home is not None and home.place is not None:
            home.place.buffer.touch(state.table.end[op])
    for region, terminator in zip(regions, yields, strict=True):
        if terminator is None:
            state.run_block(region.block)
            continue
        _run(state, region.block, terminator, list(homes))
        terminator.operands = _plain(terminator.operands)
    return homes


def _updated_in_branches(
    state: Bufferizer, op: Operation, yielded: Sequence[SSAValue], taken: Sequence[Home]
) -> Home | None:
    """The memory of an outer value that a branch yields or yields an update of, if nothing needs it after `op`."""
    for value in yielded:
        source: SSAValue | None = value
        while source is not None and _inside(op, source):
            source = tied_operand(source)
        home = state.homes.get(source) if source is not None else None
        if home is None or home.place is None or home.undefined or source is None or source.type != value.type:
            continue
        buffer = home.place.buffer
        if any(t.place is not None and t.place.buffer is buffer for t in taken):
            continue
        if state.may_replace(op, home.place):
            return home
    return None


def _inside(op: Operation, value: SSAValue) -> bool:
    owner = value.owner
    block = owner if isinstance(owner, Block) else owner.parent
    while block is not None:
        parent = block.parent_op()
        if parent is op:
            return True
        block = parent.parent if parent is not None else None
    return False


def _nothing(state: Bufferizer, op: Operation) -> None:
    """Terminators: their region's op moves what they yield."""
    del state, op


CONTROL: dict[str, Handler] = {
    "scf.condition": _nothing,
    "scf.for": _for,
    "scf.forall": _forall,
    "scf.forall.in_parallel": _in_parallel,
    "scf.if": _if,
    "scf.index_switch": _index_switch,
    "scf.while": _while,
    "scf.yield": _nothing,
    "structured.yield": _nothing,
    "linalg.yield": _nothing,
}
