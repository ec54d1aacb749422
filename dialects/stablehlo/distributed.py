"""StableHLO's collective ops: what the processes of a grid compute together.

None of them declares effects: each is a meeting point of several processes, so it is never removed, merged or moved.
"""

from __future__ import annotations

from abc import ABC
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Self, cast

from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, IntegerAttr, IntegerType, TensorType, UnitAttr, i32, i64
from xdsl.ir import Attribute, Operation, Region, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure

from stepwell.dialects.stablehlo.attrs import ChannelHandleAttr
from stepwell.dialects.stablehlo.base import (
    AnyTensor,
    StableHLOOp,
    build,
    parse_attr_dict,
    print_attr_dict,
    tensor_of,
    type_list,
    types_compatible,
)
from stepwell.dialects.stablehlo.mesh import Groups, MeshError, ReplicaGroupMeshAxesAttr
from stepwell.dialects.stablehlo.process_groups import (
    ProcessGrid,
    ProcessGroups,
    declared_grid,
    group_rows,
    names_something,
)
from stepwell.ir.dense import dense_to_list
from stepwell.ir.shapes import DYNAMIC

_I64 = IntegerAttr.constr(IntegerType(64))


class _GroupLabels(NamedTuple):
    """The labels of an op's constraints on its groups; None for what it does not demand."""

    unique: str
    range: str
    size: str | None = None
    """All ids there are belong to a group."""
    global_ids: str | None = None
    """Flattened ids need a channel."""
    ragged: bool = False
    """Groups may differ in size: -1 fills them up."""


class CollectiveOp(StableHLOOp, ABC):
    """What collective ops share: a channel, and groups of processes."""

    LABELS: ClassVar[_GroupLabels]
    CROSS_PARTITION: ClassVar[bool] = False
    """With a channel, groups are of partitions (else of replicas with all their partitions)."""

    @property
    def channel(self) -> int:
        """The channel's id, 0 when there is none."""
        handle = self.properties.get("channel_handle")
        return handle.data.handle if isinstance(handle, ChannelHandleAttr) else 0

    @property
    def global_ids(self) -> bool:
        """Whether the groups are of flattened process ids."""
        return "use_global_device_ids" in self.properties

    @property
    def dynamic_root(self) -> bool:
        """Whether the last operand says which member of its group each operand is sent from or to."""
        return "has_dynamic_root" in self.properties

    def group_rows(self) -> Groups | None:
        """The ids in each group; None when they refer to a mesh that is not known."""
        return group_rows(self, self.properties["replica_groups"])

    def process_groups(self, grid: ProcessGrid) -> ProcessGroups:
        """The groups of a grid's processes by the op's strategy.

        Raises:
            MeshError: the mesh that the op refers to is not known, or lacks an axis.
        """
        rows = self.group_rows()
        if rows is None:
            raise MeshError("the mesh of its groups is not known")
        if self.global_ids:
            return grid.flattened_ids(rows)
        if self.channel <= 0:
            return grid.cross_replica(rows)
        return grid.cross_partition(rows) if self.CROSS_PARTITION else grid.cross_replica_and_partition(rows)

    def id_count(self, replicas: int | None, partitions: int | None) -> int | None:
        """How many ids there are for the groups to hold; None when the grid is not known."""
        if self.global_ids:
            return None if replicas is None or partitions is None else replicas * partitions
        return partitions if self.CROSS_PARTITION and self.channel > 0 else replicas

    def group_size(self, rows: Groups) -> tuple[int, bool]:
        """(members of the first group, whether each stands for an unknown number of partitions)."""
        size = len(rows[0]) if rows else 0
        if self.global_ids or self.channel <= 0 or self.CROSS_PARTITION:
            return size, False
        _, partitions = declared_grid(self)
        return (size, True) if partitions is None else (size * partitions, False)

    def verify_groups(self) -> Groups | None:
        """Check what the groups must be; returns them, or None when they refer to a mesh that is not known."""
        labels, attribute = self.LABELS, self.properties["replica_groups"]
        if labels.global_ids is not None:
            ok = not self.global_ids or self.channel > 0
            self.require(
                labels.global_ids, ok, lambda: f"use_global_device_ids needs a positive channel, got {self.channel}"
            )
        if isinstance(attribute, ReplicaGroupMeshAxesAttr):
            known = names_something(self, attribute.mesh)
            self.require(labels.range, known, lambda: f"there is no mesh {attribute.mesh} in this module")
        else:
            self._verify_dense_groups(attribute)
        try:
            rows = self.group_rows()
        except MeshError as error:
            text = str(error)
            self.require(labels.range, False, lambda: text)
            raise AssertionError from error
        self._verify_ids(rows or [])
        return rows

    def _verify_dense_groups(self, attribute: Attribute) -> None:
        labels = self.LABELS
        dense = isinstance(attribute, DenseIntOrFPElementsAttr) and attribute.type.get_element_type() == i64
        self.require(
            labels.range, dense, lambda: f"replica_groups is {attribute}, expected a dense tensor of i64 or mesh axes"
        )
        shape = cast(Any, attribute).get_shape()
        self.require(labels.range, len(shape) == 2, lambda: f"replica_groups has rank {len(shape)}, expected 2")
        ids = dense_to_list(cast(Any, attribute), flat=True)
        if not labels.ragged:
            self.require(labels.range, -1 not in ids, lambda: "replica_groups holds -1, but its groups are of one size")

    def _verify_ids(self, rows: Groups) -> None:
        labels = self.LABELS
        ids = [i for row in rows for i in row]
        repeated = next((i for i, times in Counter(ids).items() if times > 1), None)
        self.require(labels.unique, repeated is None, lambda: f"id {repeated} is in the groups twice")
        count = self.id_count(*declared_grid(self))
        if labels.size is not None:
            whole = count is None or len(ids) == count
            self.require(labels.size, whole, lambda: f"the groups hold {len(ids)} ids, but there are {count}")
            count = len(ids)
        outside = next((i for i in ids if i < 0 or (count is not None and i >= count)), None)
        self.require(
            labels.range, outside is None, lambda: f"id {outside} is not in [0, {'N' if count is None else count})"
        )

    def verify_computation(self, label: str, region: Region, operands: Sequence[SSAValue]) -> Attribute:
        """A region of two scalars of one element type that all operands promote to; returns that type."""
        block = region.blocks.first
        self.require(
            label,
            block is not None and len(block.args) == 2 and isinstance(block.args[0].type, TensorType),
            lambda: "computation must take two 0-d tensors",
        )
        assert block is not None
        element = cast(AnyTensor, block.args[0].type).element_type
        scalar = tensor_of(element, ())
        self.require_region(label, region, [scalar, scalar], [scalar], "computation")
        for operand in operands:
            self.require_promotable(label, operand, scalar, "operand")
        return element

    def require_pairs(self, label: str, operands: Sequence[SSAValue]) -> None:
        """As many results as operands, and at least one."""
        count, results = len(operands), len(self.results)
        self.require(label, count == results, lambda: f"{count} operands, {results} results")
        self.require(label, count > 0, lambda: "needs at least one operand")

    def require_same_types(self, label: str, operands: Sequence[SSAValue]) -> None:
        """Results of the operands' types."""
        types, results = [o.type for o in operands], [r.type for r in self.results]
        self.require(
            label,
            len(types) == len(results) and all(map(types_compatible, types, results)),
            lambda: f"operands {type_list(types)}, results {type_list(results)}",
        )

    def data_operands(self) -> Sequence[SSAValue]:
        """The operands, without the roots."""
        return self._operands[:-1] if self.dynamic_root else self._operands

    def require_roots(self, label: str) -> None:
        """With a dynamic root, the last operand has one i32 for each other operand."""
        if not self.dynamic_root:
            self.require(label, len(self._operands) >= 1, lambda: "needs at least one operand")
            return
        self.require(label, len(self._operands) >= 2, lambda: "has_dynamic_root needs an operand and the roots")
        expected = TensorType(i32, [len(self._operands) - 1])
        roots = self._operands[-1].type
        self.require(label, types_compatible(roots, expected), lambda: f"the roots are {roots}, expected {expected}")


def _scaled(size: int, by: int) -> int:
    """An extent times a number; `?` stays."""
    return size if size < 0 else size * by


def _divided(size: int, by: int) -> int:
    """An extent by a number; `?` stays."""
    return size if size < 0 or by == 0 else size // by


@irdl_op_definition
class AllGatherOp(CollectiveOp):
    """The operands of all processes of a group, concatenated along `all_gather_dim` in the group's order.

    C1: the dimension. C2 to C5: the groups. C6: the results' types.

    Example::

        %r = "stablehlo.all_gather"(%x) <{all_gather_dim = 1 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}>
            : (tensor<2x2xi64>) -> tensor<2x4xi64>
    """

    name = "stablehlo.all_gather"
    LABELS: ClassVar = _GroupLabels("C2", "C4", size="C3", global_ids="C5")

    operands_ = var_operand_def(TensorType)
    all_gather_dim = prop_def(_I64)
    replica_groups = prop_def()
    channel_handle = opt_prop_def(ChannelHandleAttr)
    use_global_device_ids = opt_prop_def(UnitAttr)
    results_ = var_result_def(TensorType)

    def verify_(self) -> None:
        """C1 to C6."""
        rows = self.verify_groups()
        self.require_pairs("C6", self._operands)
        dimension = self.all_gather_dim.value.data
        for operand, result in zip(self._operands, self.results, strict=True):
            self._verify_result(cast(AnyTensor, operand.type), cast(AnyTensor, result.type), dimension, rows)

    def _verify_result(self, operand: AnyTensor, result: AnyTensor, dimension: int, rows: Groups | None) -> None:
        shape, actual = list(operand.get_shape()), result.get_shape()
        self.require("C1", 0 <= dimension < len(shape), lambda: f"all_gather_dim {dimension} of rank {len(shape)}")
        extent = actual[dimension] if len(actual) == len(shape) else DYNAMIC
        if rows is None:
            shape[dimension] = DYNAMIC
        else:
            count, several = self.group_size(rows)
            least = _scaled(shape[dimension], count)
            multiple = least >= 0 and extent >= 0 and (extent % least == 0 if least else extent == 0)
            shape[dimension] = extent if several and multiple else least
        expected = tensor_of(operand.element_type, shape)
        self.require("C6", types_compatible(result, expected), lambda: f"result is {result}, expected {expected}")


@irdl_op_definition
class AllReduceOp(CollectiveOp):
    """The operands of all processes of a group, combined by `computation` in the group's order.

    C1 to C4: the groups. C5: the region. C6, C7: the results' shapes and element types.

    Example::

        %r = "stablehlo.all_reduce"(%x) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> ({
        ^bb0(%a: tensor<f32>, %b: tensor<f32>):
          %s = stablehlo.add %a, %b : tensor<f32>
          stablehlo.return %s : tensor<f32>
        }) : (tensor<4xf32>) -> tensor<4xf32>
    """

    name = "stablehlo.all_reduce"
    LABELS: ClassVar = _GroupLabels("C1", "C3", size="C2", global_ids="C4", ragged=True)

    operands_ = var_operand_def(TensorType)
    replica_groups = prop_def()
    channel_handle = opt_prop_def(ChannelHandleAttr)
    use_global_device_ids = opt_prop_def(UnitAttr)
    computation = region_def()
    results_ = var_result_def(TensorType)

    def verify_(self) -> None:
        """C1 to C7."""
        self.verify_groups()
        self.require_pairs("C6", self._operands)
        element = self.verify_computation("C5", self.computation, self._operands)
        for operand, result in zip(self._operands, self.results, strict=True):
            actual = cast(AnyTensor, result.type)
            self.require(
                "C7", actual.element_type == element, lambda a=actual: f"result is {a}, the computation gives {element}"
            )
            expected = tensor_of(element, cast(AnyTensor, operand.type).get_shape())
            self.require_type("C6", result, expected, "result")


@irdl_op_definition
class ReduceScatterOp(CollectiveOp):
    """The operands of all processes of a group, combined by `computation`; each gets its part along `scatter_dimension`.

    C1, C2: the dimension. C3 to C6: the groups. C7: the region. C8, C9: the result's shape and element type.

    Example::

        %r = "stablehlo.reduce_scatter"(%x)
            <{scatter_dimension = 1 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> ({ ... })
            : (tensor<2x4xf32>) -> tensor<2x2xf32>
    """

    name = "stablehlo.reduce_scatter"
    LABELS: ClassVar = _GroupLabels("C3", "C5", size="C4", global_ids="C6")

    operand = operand_def(TensorType)
    scatter_dimension = prop_def(_I64)
    replica_groups = prop_def()
    channel_handle = opt_prop_def(ChannelHandleAttr)
    use_global_device_ids = opt_prop_def(UnitAttr)
    computation = region_def()
    result = result_def(TensorType)

    def verify_(self) -> None:
        """C1 to C9."""
        rows = self.verify_groups()
        element = self.verify_computation("C7", self.computation, self._operands)
        shape = list(cast(AnyTensor, self.operand.type).get_shape())
        result = cast(AnyTensor, self.result.type)
        dimension = self.scatter_dimension.value.data
        self.require("C2", 0 <= dimension < len(shape), lambda: f"scatter_dimension {dimension} of rank {len(shape)}")
        self.require(
            "C9", result.element_type == element, lambda: f"result is {result}, the computation gives {element}"
        )
        self.require(
            "C8", len(result.get_shape()) == len(shape), lambda: f"result is {result}, expected rank {len(shape)}"
        )
        extent, actual = shape[dimension], result.get_shape()[dimension]
        if rows is not None:
            count, several = self.group_size(rows)
            fits = extent < 0 or (count > 0 and extent % count == 0)
            self.require("C1", fits, lambda: f"extent {extent} is not a multiple of the {count} members of a group")
            most = _divided(extent, count)
            divides = several and actual >= 0 and most >= 0 and (most % actual == 0 if actual else most == 0)
            shape[dimension] = actual if divides else most
        else:
            shape[dimension] = DYNAMIC
        self.require_type("C8", self.result, tensor_of(element, shape), "result")


@irdl_op_definition
class AllToAllOp(CollectiveOp):
    """Splits the operands into parts and gives the i-th to the i-th process of the group, which concatenates what it gets.

    C1 to C4: the dimensions and the number of parts. C5 to C8: the groups. C9: the results' types.

    Example::

        %r = "stablehlo.all_to_all"(%x) <{split_dimension = 1 : i64, concat_dimension = 0 : i64, split_count = 2 : i64,
            replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2x4xi64>) -> tensor<4x2xi64>
    """

    name = "stablehlo.all_to_all"
    LABELS: ClassVar = _GroupLabels("C5", "C7", size="C6")
    CROSS_PARTITION: ClassVar = True

    operands_ = var_operand_def(TensorType)
    split_dimension = prop_def(_I64)
    concat_dimension = prop_def(_I64)
    split_count = prop_def(_I64)
    replica_groups = prop_def()
    channel_handle = opt_prop_def(ChannelHandleAttr)
    results_ = var_result_def(TensorType)

    def verify_(self) -> None:
        """C1 to C9."""
        count = self.split_count.value.data
        self.require("C4", count > 0, lambda: f"split_count {count} must be positive")
        rows = self.verify_groups()
        if rows is not None:
            size = len(rows[0]) if rows else 0
            self.require("C8", size == count, lambda: f"groups of {size} processes, but {count} parts")
        self.require_pairs("C9", self._operands)
        for operand, result in zip(self._operands, self.results, strict=True):
            self._verify_result(cast(AnyTensor, operand.type), result, count)

    def _verify_result(self, operand: AnyTensor, result: SSAValue, count: int) -> None:
        split, concat = self.split_dimension.value.data, self.concat_dimension.value.data
        shape = list(operand.get_shape())
        self.require("C1", 0 <= split < len(shape), lambda: f"split_dimension {split} of rank {len(shape)}")
        self.require("C3", 0 <= concat < len(shape), lambda: f"concat_dimension {concat} of rank {len(shape)}")
        extent = shape[split]
        self.require(
            "C2", extent < 0 or extent % count == 0, lambda: f"extent {extent} does not split into {count} parts"
        )
        if split != concat:
            shape[split] = _divided(extent, count)
            shape[concat] = _scaled(shape[concat], count)
        self.require_type("C9", result, tensor_of(operand.element_type, shape), "result")


@irdl_op_definition
class CollectiveBroadcastOp(CollectiveOp):
    """The operands of one process of each group, its first or the one `has_dynamic_root` picks; zeros in no group.

    C1, C2: the groups. C3 to C5: operands and results. C6: the roots are in range (when run).

    Example::

        %r = "stablehlo.collective_broadcast"(%x) <{replica_groups = dense<[[2, 1]]> : tensor<1x2xi64>}>
            : (tensor<1x2xi64>) -> tensor<1x2xi64>
    """

    name = "stablehlo.collective_broadcast"
    LABELS: ClassVar = _GroupLabels("C1", "C2", ragged=True)
    CROSS_PARTITION: ClassVar = True

    operands_ = var_operand_def(TensorType)
    replica_groups = prop_def()
    channel_handle = opt_prop_def(ChannelHandleAttr)
    has_dynamic_root = opt_prop_def(UnitAttr)
    results_ = var_result_def(TensorType)

    def verify_(self) -> None:
        """C1 to C6."""
        rows = self.verify_groups()
        label = "C4" if self.dynamic_root else "C3"
        self.require_roots(label)
        data = self.data_operands()
        self.require("C5", len(data) == len(self.results), lambda: f"{len(data)} operands, {len(self.results)} results")
        self.require_same_types(label, data)
        self.require_roots_in_groups("C6", rows)

    def require_roots_in_groups(self, label: str, rows: Groups | None) -> None:
        """Constant roots name members of the groups."""
        if not self.dynamic_root or not rows:
            return
        owner = self._operands[-1].owner
        values = owner.properties.get("value") if isinstance(owner, Operation) else None
        if isinstance(values, DenseIntOrFPElementsAttr):
            size = len(rows[0])
            roots = dense_to_list(cast(Any, values), flat=True)
            ok = all(0 <= r < size for r in roots)
            self.require(label, ok, lambda: f"roots {roots} are not all in [0, {size})")


@irdl_op_definition
class CollectivePermuteOp(CollectiveOp):
    """The operand of the process that `source_target_pairs` pairs with this one as its target; zeros without one.

    C1 to C4: the pairs. C5: the result's type.

    Example::

        %r = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<[[0, 1], [1, 2]]> : tensor<2x2xi64>}>
            : (tensor<2x2xi64>) -> tensor<2x2xi64>
    """

    name = "stablehlo.collective_permute"
    CROSS_PARTITION: ClassVar = True

    operand = operand_def(TensorType)
    source_target_pairs = prop_def(DenseIntOrFPElementsAttr)
    channel_handle = opt_prop_def(ChannelHandleAttr)
    result = result_def(TensorType)

    def group_rows(self) -> Groups:
        """The pairs."""
        return dense_to_list(cast(Any, self.source_target_pairs))

    def verify_(self) -> None:
        """C1 to C5."""
        verify_pairs(self, self.source_target_pairs, self.id_count(*declared_grid(self)))
        self.require_same_types("C5", self._operands)


def verify_pairs(op: StableHLOOp, attribute: DenseIntOrFPElementsAttr[Any], count: int | None) -> None:
    """C1 to C4 of ops with `source_target_pairs`: rows of two ids below `count`, no source and no target twice."""
    shape = attribute.get_shape()
    op.require(
        "C1", attribute.type.get_element_type() == i64, lambda: f"source_target_pairs is {attribute.type}, expected i64"
    )
    op.require(
        "C1", len(shape) == 2 and shape[1] == 2, lambda: f"source_target_pairs has shape {list(shape)}, expected [N, 2]"
    )
    rows = dense_to_list(attribute)
    for label, column, what in (("C2", 0, "source"), ("C3", 1, "target")):
        ids = [row[column] for row in rows]
        op.require(label, len(dict.fromkeys(ids)) == len(ids), lambda i=ids, w=what: f"a {w} is given twice: {i}")
    outside = next((i for row in rows for i in row if i < 0 or (count is not None and i >= count)), None)
    op.require("C4", outside is None, lambda: f"id {outside} is not in [0, {'N' if count is None else count})")


@irdl_op_definition
class CollectiveReduceOp(CollectiveOp):
    """The operands of all processes of a group, combined by `computation` on one of them; zeros on all others.

    That one is the first of the group, or the one that `has_dynamic_root` picks. `use_global_device_ids`, which the specification does
    not have, makes the groups ones of flattened ids, as in the other collectives.

    C1, C2: the groups. C3: operands and results. C4: the region.

    Example::

        %r = "stablehlo.collective_reduce"(%x) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> ({ ... })
            : (tensor<4xf32>) -> tensor<4xf32>
    """

    name = "stablehlo.collective_reduce"
    LABELS: ClassVar = _GroupLabels("C1", "C2", global_ids="C2", ragged=True)
    CROSS_PARTITION: ClassVar = True

    operands_ = var_operand_def(TensorType)
    replica_groups = prop_def()
    channel_handle = opt_prop_def(ChannelHandleAttr)
    use_global_device_ids = opt_prop_def(UnitAttr)
    has_dynamic_root = opt_prop_def(UnitAttr)
    computation = region_def()
    results_ = var_result_def(TensorType)

    def verify_(self) -> None:
        """C1 to C4."""
        self.verify_groups()
        self.require_roots("C3")
        data = self.data_operands()
        self.require_pairs("C3", data)
        element = self.verify_computation("C4", self.computation, data)
        for operand, result in zip(data, self.results, strict=True):
            expected = tensor_of(element, cast(AnyTensor, operand.type).get_shape())
            self.require_type("C3", result, expected, "result")


class _ProcessNumberOp(StableHLOOp, ABC):
    """Format `: type`."""

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`: tensor<ui32>`."""
        position = parser.pos
        attributes = parse_attr_dict(parser, cls, {})
        parser.parse_punctuation(":")
        return build(cls, parser, position, [], ([], [parser.parse_type()]), {}, attributes)

    def print(self, printer: Printer) -> None:
        """`: tensor<ui32>`."""
        print_attr_dict(printer, self)
        printer.print_string(" : ")
        printer.print_attribute(self.results[0].type)

    def verify_(self) -> None:
        """A 0-d tensor of ui32."""
        expected, actual = "tensor<ui32>", str(self.results[0].type)
        self.require("O1", actual == expected, lambda: f"result is {actual}, expected {expected}")


@irdl_op_definition
class PartitionIdOp(_ProcessNumberOp):
    """The partition id of this process. Example: `%r = stablehlo.partition_id : tensor<ui32>`."""

    name = "stablehlo.partition_id"

    result = result_def(TensorType)

    traits = traits_def(Pure())


@irdl_op_definition
class ReplicaIdOp(_ProcessNumberOp):
    """The replica id of this process. Example: `%r = stablehlo.replica_id : tensor<ui32>`."""

    name = "stablehlo.replica_id"

    result = result_def(TensorType)

    traits = traits_def(Pure())


OPS: list[type[Operation]] = [
    AllGatherOp,
    AllReduceOp,
    AllToAllOp,
    CollectiveBroadcastOp,
    CollectivePermuteOp,
    CollectiveReduceOp,
    PartitionIdOp,
    ReduceScatterOp,
    ReplicaIdOp,
]
