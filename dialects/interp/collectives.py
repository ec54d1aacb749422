"""Interpreter rules of collective ops, of ops that talk to the host and other processes, and of asynchronous ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from xdsl.ir import Attribute, Operation, Region

from stepwell.dialects import stablehlo as hlo
from stepwell.dialects.interp import numerics as num
from stepwell.dialects.interp import regions
from stepwell.dialects.interp.processes import Process, Values, process_of
from stepwell.dialects.interp.quantization import dequantize, quantize
from stepwell.dialects.quant import expressed_of, quantized
from stepwell.dialects.stablehlo.mesh import MeshError
from stepwell.dialects.stablehlo.process_groups import ProcessId
from stepwell.ir.dense import dense_to_array
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter, InterpreterError, Rule

Array = np.ndarray[Any, np.dtype[Any]]
Args = Sequence[Array]


def _zeros(type_: Attribute) -> Array:
    """What a process in no group gets; of a quantized type, the integers that stand for zero."""
    element, shape = cast(Any, type_).element_type, cast(Any, type_).get_shape()
    zeros = np.zeros(shape, numpy_dtype(expressed_of(element)))
    of = quantized(element)
    return zeros if of is None else quantize(zeros, of)


def _converted(value: Any, source: Attribute, target: Attribute) -> Array:
    """`to_destination_type` of the specification."""
    given, wanted = quantized(source), quantized(target)
    if given is not None and wanted is not None and given != wanted:
        return quantize(dequantize(np.asarray(value), given), wanted)
    return num.convert(np.asarray(value), numpy_dtype(target))


def _group(process: Process, op: hlo.CollectiveOp) -> list[ProcessId] | None:
    """The group a process is in; None when it is in none.

    Raises:
        InterpreterError: the groups do not fit the grid.
    """
    grid = process.world.grid
    try:
        groups = op.process_groups(grid)
    except MeshError as error:
        raise InterpreterError(op, str(error)) from None
    members = [p for group in groups for p in group]
    known = dict.fromkeys(grid.processes)
    outside = next((p for p in members if p not in known), None)
    size = f"{grid.replicas} replicas and {grid.partitions} partitions"
    if outside is not None:
        raise InterpreterError(op, f"process {outside} of its groups does not exist: there are {size}")
    if op.LABELS.size is not None and len(members) != len(known):
        raise InterpreterError(op, f"its groups hold {len(members)} processes, but there are {size}")
    return next((group for group in groups if process.id in group), None)


def _meet(process: Process, op: hlo.CollectiveOp, group: list[ProcessId], values: Args) -> list[Values]:
    """What all members of the group bring, in its order.

    Raises:
        InterpreterError: they bring arrays of different shapes or types.
    """
    brought = process.meet(op, op.channel, group, tuple(values))
    kinds = [[(v.dtype, v.shape) for v in each] for each in brought]
    for member, kind in zip(group, kinds, strict=True):
        if kind != kinds[0]:
            shown = [", ".join(f"{d.name}{list(s)}" for d, s in k) for k in (kinds[0], kind)]
            raise InterpreterError(op, f"process {group[0]} brings {shown[0]}, process {member} brings {shown[1]}")
    return brought


def _all_gather(interp: Interpreter, op: Operation, args: Args) -> Values:
    assert isinstance(op, hlo.AllGatherOp)
    process = process_of(interp, op)
    group = _group(process, op)
    assert group is not None  # every process is in a group
    brought = _meet(process, op, group, args)
    axis = op.all_gather_dim.value.data
    return tuple(np.concatenate([each[i] for each in brought], axis) for i in range(len(args)))


def _combined(interp: Interpreter, op: hlo.CollectiveOp, computation: Region, brought: Sequence[Values]) -> list[Array]:
    """Each operand of all processes, combined in their order."""
    element = cast(Any, computation.block.args[0].type).element_type
    combine = regions.combiner(interp, computation)
    results: list[Array] = []
    for value, operand in zip(op.data_operands(), zip(*brought, strict=True), strict=True):
        source = cast(Any, value.type).element_type
        items = [[_converted(each, source, element)] for each in operand]
        folded = regions.fold(combine, items)
        assert folded is not None
        results.append(folded[0])
    return results


def _all_reduce(interp: Interpreter, op: Operation, args: Args) -> Values:
    assert isinstance(op, hlo.AllReduceOp)
    process = process_of(interp, op)
    group = _group(process, op)
    assert group is not None  # every process is in a group
    return tuple(_combined(interp, op, op.computation, _meet(process, op, group, args)))


def _reduce_scatter(interp: Interpreter, op: Operation, args: Args) -> Values:
    assert isinstance(op, hlo.ReduceScatterOp)
    process = process_of(interp, op)
    group = _group(process, op)
    assert group is not None  # every process is in a group
    (reduced,) = _combined(interp, op, op.computation, _meet(process, op, group, args))
    axis = op.scatter_dimension.value.data
    if reduced.shape[axis] % len(group):
        raise InterpreterError(op, f"{reduced.shape[axis]} does not split into {len(group)} parts")
    return (np.split(reduced, len(group), axis)[group.index(process.id)],)


def _all_to_all(interp: Interpreter, op: Operation, args: Args) -> Values:
    assert isinstance(op, hlo.AllToAllOp)
    process = process_of(interp, op)
    group = _group(process, op)
    assert group is not None  # every process is in a group
    brought = _meet(process, op, group, args)
    place, count = group.index(process.id), op.split_count.value.data
    split, concat = op.split_dimension.value.data, op.concat_dimension.value.data
    results: list[Array] = []
    for operand in zip(*brought, strict=True):
        parts = [np.split(each, count, split)[place] for each in operand]
        results.append(np.concatenate(parts, concat))
    return tuple(results)


def _roots(op: hlo.CollectiveOp, group: list[ProcessId], args: Args) -> list[ProcessId]:
    """For each result, the process it is sent from or to."""
    if not op.dynamic_root:
        return [group[0]] * len(op.results)
    roots = [int(i) for i in args[-1]]
    outside = next((i for i in roots if not 0 <= i < len(group)), None)
    if outside is not None:
        raise InterpreterError(op, f"root {outside} is not in [0, {len(group)})")
    return [group[i] for i in roots]


def _collective_broadcast(interp: Interpreter, op: Operation, args: Args) -> Values:
    assert isinstance(op, hlo.CollectiveBroadcastOp)
    process = process_of(interp, op)
    group = _group(process, op)
    if group is None:
        return tuple(_zeros(r.type) for r in op.results)
    brought = dict(zip(group, _meet(process, op, group, args[: len(op.results)]), strict=True))
    return tuple(brought[root][i] for i, root in enumerate(_roots(op, group, args)))


def _collective_reduce(interp: Interpreter, op: Operation, args: Args) -> Values:
    assert isinstance(op, hlo.CollectiveReduceOp)
    process = process_of(interp, op)
    group = _group(process, op)
    if group is None:
        return tuple(_zeros(r.type) for r in op.results)
    combined = _combined(interp, op, op.computation, _meet(process, op, group, args[: len(op.results)]))
    roots = _roots(op, group, args)
    return tuple(
        value if root == process.id else _zeros(result.type)
        for value, root, result in zip(combined, roots, op.results, strict=True)
    )


def _collective_permute(interp: Interpreter, op: Operation, args: Args) -> Values:
    assert isinstance(op, hlo.CollectivePermuteOp)
    process = process_of(interp, op)
    channel = (op.name, op.channel)
    pairs = op.process_groups(process.world.grid)
    known = dict.fromkeys(process.world.grid.processes)
    if (outside := next((p for pair in pairs for p in pair if p not in known), None)) is not None:
        raise InterpreterError(op, f"process {outside} of source_target_pairs does not exist")
    return _exchanged(process, op, channel, pairs, tuple(args))


def _exchanged(
    process: Process, op: Operation, channel: Any, pairs: Sequence[Sequence[ProcessId]], values: Values
) -> Values:
    """Send to this process's targets, and receive from its source: zeros without one."""
    for source, target in pairs:
        if source == process.id:
            process.send((channel, source, target), values)
    for source, target in pairs:
        if target == process.id:
            return process.receive(op, (channel, source, target), f"process {source}")
    return tuple(_zeros(r.type) for r in op.results)


def _replica_id(interp: Interpreter, op: Operation, args: Args) -> Values:
    del args
    return (np.array(process_of(interp, op).id.replica, np.uint32),)


def _partition_id(interp: Interpreter, op: Operation, args: Args) -> Values:
    del args
    return (np.array(process_of(interp, op).id.partition, np.uint32),)


# The host and single processes.


def _checked(op: Operation, values: Values, what: str) -> Values:
    """Values of the types of an op's results (but for the token at the end)."""
    results = op.results[:-1]
    wanted = [(numpy_dtype(cast(Any, r.type).element_type), cast(Any, r.type).get_shape()) for r in results]
    arrays = [np.asarray(v) for v in values]
    if [(a.dtype, a.shape) for a in arrays] != wanted:
        given = ", ".join(f"{a.dtype.name}{list(a.shape)}" for a in arrays)
        expected = ", ".join(str(r.type) for r in results)
        raise InterpreterError(op, f"{what} ({given}), expected ({expected})")
    return tuple(arrays)


def _infeed(interp: Interpreter, op: Operation, args: Args) -> Values:
    del args
    return (*_checked(op, process_of(interp, op).next_infeed(op), "the infeed has"), None)


def _outfeed(interp: Interpreter, op: Operation, args: Args) -> Values:
    process_of(interp, op).give_outfeed(tuple(args[:-1]))
    return (None,)


def _pairs(process: Process, op: hlo.ChannelOp) -> list[list[ProcessId]]:
    """Pairs of processes (source, target) of a channel between processes."""
    if op.pairs is None or not op.pairs.get_shape()[0]:
        raise InterpreterError(op, "a transfer between processes needs source_target_pairs")
    rows = cast("list[list[int]]", dense_to_array(cast(Any, op.pairs)).tolist())
    grid = process.world.grid
    pairs = grid.cross_partition(rows) if op.channel > 0 else grid.cross_replica(rows)
    known = dict.fromkeys(grid.processes)
    if (outside := next((p for pair in pairs for p in pair if p not in known), None)) is not None:
        raise InterpreterError(op, f"process {outside} of source_target_pairs does not exist")
    return pairs


def _send(interp: Interpreter, op: Operation, args: Args) -> Values:
    assert isinstance(op, hlo.SendOp)
    process, values = process_of(interp, op), tuple(args[:-1])
    if op.is_host:
        process.send((op.channel, None), values)
        return (None,)
    for source, target in _pairs(process, op):
        if source == process.id:
            process.send((op.channel, source, target), values)
    return (None,)


def _recv(interp: Interpreter, op: Operation, args: Args) -> Values:
    del args
    assert isinstance(op, hlo.RecvOp)
    process = process_of(interp, op)
    if op.is_host:
        values = process.receive(op, (op.channel, None), f"channel {op.channel} of the host")
        return (*_checked(op, values, f"channel {op.channel} has"), None)
    for source, target in _pairs(process, op):
        if target == process.id:
            values = process.receive(op, (op.channel, source, target), f"process {source} on channel {op.channel}")
            return (*_checked(op, values, f"process {source} sent"), None)
    return (*(_zeros(r.type) for r in op.results[:-1]), None)


# Asynchronous ops: a future is the tuple of its values, computed at once.


def _async_start(interp: Interpreter, op: Operation, args: Args) -> Values:
    assert isinstance(op, hlo.AsyncStartOp)
    return (tuple(interp.run_block(op.body.block, tuple(args))),)


def _async_done(interp: Interpreter, op: Operation, args: Args) -> Values:
    del interp, op
    return tuple(args[0])


RULES: dict[str, Rule] = {
    "stablehlo.all_gather": _all_gather,
    "stablehlo.all_reduce": _all_reduce,
    "stablehlo.all_to_all": _all_to_all,
    "stablehlo.async_done": _async_done,
    "stablehlo.async_start": _async_start,
    "stablehlo.collective_broadcast": _collective_broadcast,
    "stablehlo.collective_permute": _collective_permute,
    "stablehlo.collective_reduce": _collective_reduce,
    "stablehlo.infeed": _infeed,
    "stablehlo.outfeed": _outfeed,
    "stablehlo.partition_id": _partition_id,
    "stablehlo.recv": _recv,
    "stablehlo.reduce_scatter": _reduce_scatter,
    "stablehlo.replica_id": _replica_id,
    "stablehlo.send": _send,
}
