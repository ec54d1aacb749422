"""drop-distribution: drop what a program says about several processes, where there is one.

Before:
```mlir
module attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @mesh = <["a"=1]>
  func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = sdy.sharding_constraint %x <@mesh, [{"a"}]> : tensor<8xf32>
    %1 = "stablehlo.all_gather"(%0) <{all_gather_dim = 0 : i64, replica_groups = dense<0> : tensor<1x1xi64>}>
        : (tensor<8xf32>) -> tensor<8xf32>
    return %1 : tensor<8xf32>
```
After:
```mlir
module {
  func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
    return %x : tensor<8xf32>
```
A sharding says where values are, not what they are, so constraints vanish however many devices the mesh has; a manual computation is
inlined when its mesh has one. Collectives are what they are in a group of one, and process ids are zero, when the module
says that it has one replica and one partition. Asynchronous ops run at once. Attributes of `sdy` and `mhlo` about placement go.

Needs: `func`, `stablehlo`. Keeps: everything else. Fails: `UnsupportedError` for what needs several processes or the host while running.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from stepwell.dialects import sdy, stablehlo
from stepwell.dialects.quant import quantized
from stepwell.dialects.stablehlo.mesh import MeshError
from stepwell.dialects.stablehlo.process_groups import PARTITIONS, REPLICAS, ProcessGrid, ProcessId, declared_grid
from stepwell.ir.dense import dense_to_list
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.passes import Pass
from stepwell.passes.hlo import Hlo, element_of, replace, shape_of

_ONLY = ProcessId(0, 0)
_HINT = "stepwell.dialects.interp.processes.run_parallel runs several processes, or export the program for one device"
_MANUAL = "stepwell run --target interpreter runs the devices as processes, or export the program for one device"
_PLACEMENT = ("sdy.", "mhlo.sharding", "mhlo.frontend_attributes", "mhlo.layout_mode", "mhlo.memory_kind")
_HOST = {
    "stablehlo.infeed": "takes data from the host while it runs",
    "stablehlo.outfeed": "gives data to the host while it runs",
    "stablehlo.recv": "receives data while it runs",
    "stablehlo.send": "sends data while it runs",
}


def _alone(op: Operation) -> bool:
    """Whether the module says that one process runs it.

    Raises:
        UnsupportedError: it does not.
    """
    replicas, partitions = declared_grid(op)
    if replicas == 1 and partitions == 1:
        return True
    if replicas is None or partitions is None:
        reason = f"the module does not say that one process runs it ({REPLICAS} = 1 and {PARTITIONS} = 1)"
        raise unsupported(op, reason, _HINT)
    raise unsupported(op, f"it needs {replicas * partitions} processes", _HINT)


def _members(op: stablehlo.CollectiveOp) -> bool:
    """Whether the only process is in a group; it is then alone there.

    Raises:
        UnsupportedError: a group has another process too, or the groups are not known.
    """
    _alone(op)
    try:
        groups = op.process_groups(ProcessGrid())
    except MeshError as error:
        raise unsupported(op, str(error), _HINT) from None
    members = [process for group in groups for process in group]
    if any(process != _ONLY for process in members):
        raise unsupported(op, f"its groups {groups} hold other processes than the only one", _HINT)
    return bool(members)


def _zeros(h: Hlo, op: Operation) -> list[SSAValue]:
    if any(quantized(r.type) is not None for r in op.results):
        raise unsupported(op, "the only process is in none of its groups, and gets zeros of a quantized type", _HINT)
    return [h.full(0, shape_of(r), element_of(r)) for r in op.results]


def _same(op: Operation) -> list[SSAValue]:
    """The operands, in the results' element types."""
    h = Hlo.before(op)
    values = op.operands[: len(op.results)]
    if any(quantized(r.type) is not None and v.type != r.type for v, r in zip(values, op.results, strict=True)):
        raise unsupported(op, "it converts one quantized type to another", _HINT)
    return [h.convert(v, element_of(r)) for v, r in zip(values, op.results, strict=True)]


def _collective(op: Operation) -> Sequence[SSAValue]:
    assert isinstance(op, stablehlo.CollectiveOp)
    inside = _members(op)
    if inside:
        return _same(op)
    if op.LABELS.size is not None:
        raise unsupported(op, "its groups do not hold the only process", _HINT)
    return _zeros(Hlo.before(op), op)


def _permute(op: Operation) -> Sequence[SSAValue]:
    assert isinstance(op, stablehlo.CollectivePermuteOp)
    _alone(op)
    pairs = dense_to_list(cast(Any, op.source_target_pairs))
    if any(pair != [0, 0] for pair in pairs):
        raise unsupported(op, f"its pairs {pairs} name other processes than the only one", _HINT)
    return _same(op) if pairs else _zeros(Hlo.before(op), op)


def _process_number(op: Operation) -> Sequence[SSAValue]:
    _alone(op)
    return [Hlo.before(op).constant(np.zeros((), np.uint32), element_of(op.results[0]))]


def _operand(op: Operation) -> Sequence[SSAValue]:
    return [op.operands[0]]


def inline_block(block: Block, arguments: Sequence[SSAValue], anchor: Operation) -> list[SSAValue]:
    """Move the ops of a block before `anchor`; returns what the block returned."""
    end, parent = block.last_op, anchor.parent
    assert end is not None
    assert parent is not None
    for formal, actual in zip(block.args, arguments, strict=True):
        formal.replace_all_uses_with(actual)
    returned = list(end.operands)
    for op in list(block.ops):
        op.detach()
        if op is end:
            op.erase()
        else:
            parent.insert_op_before(op, anchor)
    return returned


def _manual_computation(op: Operation) -> Sequence[SSAValue]:
    assert isinstance(op, sdy.ManualComputationOp)
    mesh = op.mesh()
    if mesh is None:
        raise unsupported(op, "it does not say on which devices its body runs", _MANUAL)
    count = math.prod(axis.size for axis in mesh.axes)
    if count != 1:
        raise unsupported(op, f"its body runs on each of {count} devices", _MANUAL)
    return inline_block(op.body.block, op.operands, op)


def _async_start(op: Operation) -> Sequence[SSAValue]:
    """Run the body here, and let those who wait have its values at once."""
    assert isinstance(op, stablehlo.AsyncStartOp)
    waiting = [use.operation for use in op.result.uses]
    if (other := next((user for user in waiting if not isinstance(user, stablehlo.AsyncDoneOp)), None)) is not None:
        raise unsupported(other, "a future goes from stablehlo.async_start to stablehlo.async_done only")
    values = inline_block(op.body.block, op.operands, op)
    for done in waiting:
        replace(done, values)
    return []


_RULES: dict[str, Callable[[Operation], Sequence[SSAValue]]] = {
    "sdy.manual_computation": _manual_computation,
    "sdy.reshard": _operand,
    "sdy.sharding_constraint": _operand,
    "stablehlo.all_gather": _collective,
    "stablehlo.all_reduce": _collective,
    "stablehlo.all_to_all": _collective,
    "stablehlo.async_start": _async_start,
    "stablehlo.collective_broadcast": _collective,
    "stablehlo.collective_permute": _permute,
    "stablehlo.collective_reduce": _collective,
    "stablehlo.partition_id": _process_number,
    "stablehlo.reduce_scatter": _collective,
    "stablehlo.replica_id": _process_number,
}


def _drop_attributes(op: Operation) -> None:
    if any(name.startswith(_PLACEMENT) for name in op.attributes):
        op.attributes = {k: v for k, v in op.attributes.items() if not k.startswith(_PLACEMENT)}


def drop_distribution(module: ModuleOp) -> None:
    """Rewrite all ops of a module that speak of several processes."""
    meshes: list[Operation] = []
    for op in list(module.walk()):
        if op is module or op.parent is None:
            continue  # gone with another op
        if (reason := _HOST.get(op.name)) is not None:
            raise unsupported(op, reason, _HINT)
        if (rule := _RULES.get(op.name)) is not None:
            values = rule(op)
            replace(op, values) if values or not op.results else _erase(op)
        elif isinstance(op, sdy.MeshOp):
            meshes.append(op)
        else:
            _drop_attributes(op)
    for op in meshes:
        _erase(op)
    for name in (REPLICAS, PARTITIONS):
        module.attributes.pop(name, None)


def _erase(op: Operation) -> None:
    op.detach()
    op.erase()


REPLACES: tuple[str, ...] = (*_RULES, "sdy.mesh", "stablehlo.async_done")
"""The ops it takes away, by name (`docs/stablehlo-status.md` reads this)."""


@dataclass(frozen=True)
class DropDistributionPass(Pass):
    """Drop shardings, and collectives of one process; refuse what needs several."""

    name = "drop-distribution"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Rewrite the module."""
        assert isinstance(op, ModuleOp)
        drop_distribution(op)
