"""Which processes take part in a collective op together: the specification's process grid and its four strategies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, IntegerAttr, ModuleOp, SymbolRefAttr
from xdsl.ir import Attribute, Operation
from xdsl.traits import SymbolTable

from stepwell.dialects.stablehlo.mesh import (
    AxisRefAttr,
    Groups,
    HasMesh,
    MeshAttr,
    ReplicaGroupMeshAxesAttr,
    mesh_groups,
)
from stepwell.ir.dense import dense_to_list

REPLICAS, PARTITIONS = "mhlo.num_replicas", "mhlo.num_partitions"
"""Attributes of a module that say how many processes run it."""


class ProcessId(NamedTuple):
    """Where a process stands in the grid."""

    replica: int
    partition: int

    def __str__(self) -> str:
        return f"({self.replica}, {self.partition})"


ProcessGroups = list[list[ProcessId]]


@dataclass(frozen=True)
class ProcessGrid:
    """The `replicas` x `partitions` processes that run a program."""

    replicas: int = 1
    partitions: int = 1

    @property
    def processes(self) -> list[ProcessId]:
        """All of them, replica by replica."""
        return [ProcessId(r, p) for r in range(self.replicas) for p in range(self.partitions)]

    def index(self, process: ProcessId) -> int:
        """The place of a process in `processes`: its flattened id."""
        return process.replica * self.partitions + process.partition

    def cross_replica(self, groups: Groups) -> ProcessGroups:
        """Groups of replica ids, each within every partition."""
        return [[ProcessId(r, p) for r in group] for group in groups for p in range(self.partitions)]

    def cross_partition(self, groups: Groups) -> ProcessGroups:
        """Groups of partition ids, each within every replica."""
        return [[ProcessId(r, p) for p in group] for group in groups for r in range(self.replicas)]

    def cross_replica_and_partition(self, groups: Groups) -> ProcessGroups:
        """Groups of replica ids with all their partitions."""
        return [[ProcessId(r, p) for p in range(self.partitions) for r in group] for group in groups]

    def flattened_ids(self, groups: Groups) -> ProcessGroups:
        """Groups of flattened ids `replica * partitions + partition`."""
        return [[ProcessId(*divmod(i, self.partitions)) for i in group] for group in groups]


def declared_grid(op: Operation) -> tuple[int | None, int | None]:
    """(replicas, partitions) as the module around `op` says, None for what it does not say."""
    module: Operation | None = op
    while module is not None and not isinstance(module, ModuleOp):
        module = module.parent_op()
    if module is None:
        return None, None
    values = (module.attributes.get(name) for name in (REPLICAS, PARTITIONS))
    replicas, partitions = (v.value.data if isinstance(v, IntegerAttr) else None for v in values)
    return replicas, partitions


def _symbol(op: Operation, name: SymbolRefAttr) -> Operation | None:
    """What a name stands for around `op`."""
    top: Operation | None = op
    while top is not None and not top.has_trait(SymbolTable):
        top = top.parent_op()
    return None if top is None else SymbolTable.lookup_symbol(top, name)


def find_mesh(op: Operation, mesh: Attribute) -> HasMesh | None:
    """The mesh an attribute of `op` is or names; None when there is none of that name."""
    if isinstance(mesh, MeshAttr):
        return mesh
    found = _symbol(op, mesh) if isinstance(mesh, SymbolRefAttr) else None
    return found if isinstance(found, HasMesh) else None


def names_something(op: Operation, mesh: Attribute) -> bool:
    """Whether an attribute is a mesh or names an op; other dialects may have meshes that we do not know."""
    return not isinstance(mesh, SymbolRefAttr) or _symbol(op, mesh) is not None


def group_rows(op: Operation, attribute: Attribute) -> Groups | None:
    """The ids in each group, without the -1 that fill up ragged groups; None when the mesh they refer to is not known.

    Raises:
        MeshError: the mesh does not have the axes they refer to.
    """
    if isinstance(attribute, DenseIntOrFPElementsAttr):
        rows = dense_to_list(cast(Any, attribute))
        return [[i for i in row if i != -1] for row in rows]
    assert isinstance(attribute, ReplicaGroupMeshAxesAttr)
    mesh = find_mesh(op, attribute.mesh)
    parts = [axis.part for axis in attribute.axes.data if isinstance(axis, AxisRefAttr)]
    return None if mesh is None else mesh_groups(mesh.axes, mesh.devices, parts)
