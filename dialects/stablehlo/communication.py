"""StableHLO's ops that talk to the host and to other processes, and asynchronous computations.

Those that talk declare no effects, so they are never removed, merged or moved; their tokens say what comes first.
"""

from __future__ import annotations

from abc import ABC
from typing import ClassVar, cast

from xdsl.dialects.builtin import ArrayAttr, BoolAttr, DenseIntOrFPElementsAttr, IntegerAttr, StringAttr, TensorType
from xdsl.ir import Attribute, Operation
from xdsl.irdl import (
    IRDLOperation,
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
from xdsl.traits import IsolatedFromAbove, RecursiveMemoryEffect

from stepwell.dialects.stablehlo.attrs import ChannelHandleAttr, FutureType, TokenType
from stepwell.dialects.stablehlo.base import StableHLOOp, single_block, type_list, types_compatible
from stepwell.dialects.stablehlo.distributed import verify_pairs
from stepwell.dialects.stablehlo.process_groups import declared_grid

DEVICE_TO_DEVICE, DEVICE_TO_HOST, HOST_TO_DEVICE = 1, 2, 3
"""Types of channels."""

_ASYNCHRONOUS = (
    *("all_gather", "all_reduce", "all_to_all", "collective_broadcast", "collective_permute", "reduce_scatter"),
    *("slice", "dynamic_slice", "dynamic_update_slice"),
)
"""What may run asynchronously."""


def _require_payload_and_token(op: StableHLOOp, some: str, payload: str, token: str) -> None:
    """Results: tensors, then a token; the labels are of each of the three constraints."""
    types = [r.type for r in op.results]
    op.require(some, len(types) > 0, lambda: "needs results: at least a token")
    tensors = all(isinstance(t, TensorType) for t in types[:-1])
    op.require(payload, tensors, lambda: f"results are {type_list(types)}, expected tensors before the last")
    op.require(token, isinstance(types[-1], TokenType), lambda: f"the last result is {types[-1]}, expected a token")


@irdl_op_definition
class InfeedOp(StableHLOOp):
    """Takes the next values that the host feeds to this process, and a token. C1 to C3: some results, tensors, a token.

    Example::

        %r:2 = "stablehlo.infeed"(%token) <{infeed_config = ""}> : (!stablehlo.token) -> (tensor<2xi64>, !stablehlo.token)
    """

    name = "stablehlo.infeed"

    token = operand_def(TokenType)
    infeed_config = opt_prop_def(StringAttr)
    layout = opt_prop_def(ArrayAttr)
    results_ = var_result_def()

    def verify_(self) -> None:
        """C1, C2, C3, and the layout: one list of integers for each tensor."""
        _require_payload_and_token(self, "C1", "C2", "C3")
        if self.layout is None:
            return
        count = len(self.results) - 1
        rows = self.layout.data
        self.require("layout", len(rows) == count, lambda: f"layout has {len(rows)} entries for {count} tensors")
        for row in rows:
            ok = isinstance(row, ArrayAttr) and all(
                isinstance(i, IntegerAttr) for i in cast("ArrayAttr[Attribute]", row).data
            )
            self.require("layout", ok, lambda row=row: f"layout entry {row} is not a list of integers")


@irdl_op_definition
class OutfeedOp(StableHLOOp):
    """Gives values to the host.

    Example: `%r = "stablehlo.outfeed"(%x, %token) <{outfeed_config = ""}> : (tensor<2xi64>, !stablehlo.token) -> !stablehlo.token`.
    """

    name = "stablehlo.outfeed"

    inputs = var_operand_def(TensorType)
    token = operand_def(TokenType)
    outfeed_config = opt_prop_def(StringAttr)
    result = result_def(TokenType)


class ChannelOp(StableHLOOp, ABC):
    """What `send` and `recv` share: a channel to the host or to other processes."""

    HOST_TYPE: ClassVar[int]
    """The type of the channel when its other end is the host."""

    @property
    def channel(self) -> int:
        """The channel's id."""
        return cast(ChannelHandleAttr, self.properties["channel_handle"]).data.handle

    @property
    def is_host(self) -> bool:
        """Whether the other end is the host."""
        flag = self.properties.get("is_host_transfer")
        return isinstance(flag, IntegerAttr) and bool(flag.value.data)

    @property
    def pairs(self) -> DenseIntOrFPElementsAttr | None:
        """Rows of (source, target)."""
        pairs = self.properties.get("source_target_pairs")
        return pairs if isinstance(pairs, DenseIntOrFPElementsAttr) else None

    def verify_channel(self) -> None:
        """C1 to C4: the pairs. C5: the type of the channel."""
        if self.pairs is not None:
            replicas, partitions = declared_grid(self)
            verify_pairs(self, self.pairs, partitions if self.channel > 0 else replicas)
        actual = cast(ChannelHandleAttr, self.properties["channel_handle"]).data.type
        expected = self.HOST_TYPE if self.is_host else DEVICE_TO_DEVICE
        where = "is_host_transfer is true" if self.is_host else "is_host_transfer is false"
        self.require("C5", actual == expected, lambda: f"the channel is of type {actual}, expected {expected}: {where}")


@irdl_op_definition
class SendOp(ChannelOp):
    """Sends values through a channel. C1 to C4: the pairs of processes. C5: the type of the channel.

    Example::

        %r = "stablehlo.send"(%x, %token) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 2>,
            is_host_transfer = true}> : (tensor<2xi64>, !stablehlo.token) -> !stablehlo.token
    """

    name = "stablehlo.send"
    HOST_TYPE: ClassVar = DEVICE_TO_HOST

    inputs = var_operand_def(TensorType)
    token = operand_def(TokenType)
    channel_handle = prop_def(ChannelHandleAttr)
    is_host_transfer = opt_prop_def(BoolAttr)
    source_target_pairs = opt_prop_def(DenseIntOrFPElementsAttr)
    result = result_def(TokenType)

    def verify_(self) -> None:
        """C1 to C5."""
        self.verify_channel()


@irdl_op_definition
class RecvOp(ChannelOp):
    """Receives values from a channel, and a token. C1 to C4: the pairs of processes. C5: the type of the channel.

    Example::

        %r:2 = "stablehlo.recv"(%token) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 3>,
            is_host_transfer = true}> : (!stablehlo.token) -> (tensor<2xi64>, !stablehlo.token)
    """

    name = "stablehlo.recv"
    HOST_TYPE: ClassVar = HOST_TO_DEVICE

    token = operand_def(TokenType)
    channel_handle = prop_def(ChannelHandleAttr)
    is_host_transfer = opt_prop_def(BoolAttr)
    source_target_pairs = opt_prop_def(DenseIntOrFPElementsAttr)
    results_ = var_result_def()

    def verify_(self) -> None:
        """C1 to C5, and the results: tensors, then a token."""
        self.verify_channel()
        _require_payload_and_token(self, "results", "results", "results")


@irdl_op_definition
class AsyncStartOp(StableHLOOp):
    """Begins one collective or slice, which may run beside what follows until `async_done`.

    C1: one op and a return. C2: which ops. C3: its operands are the arguments. C4: the future's types.

    Example::

        %f = "stablehlo.async_start"(%x) ({
        ^bb0(%a: tensor<8xf32>):
          %s = stablehlo.slice %a [0:4] : (tensor<8xf32>) -> tensor<4xf32>
          stablehlo.return %s : tensor<4xf32>
        }) : (tensor<8xf32>) -> !stablehlo.future<tensor<4xf32>>
    """

    name = "stablehlo.async_start"

    operands_ = var_operand_def(TensorType)
    body = region_def()
    result = result_def(FutureType)

    traits = traits_def(RecursiveMemoryEffect(), IsolatedFromAbove())

    def verify_(self) -> None:
        """C1 to C4."""
        block = single_block(self, "C1", self.body, "body")
        inner = block.first_op
        assert inner is not None
        alone = inner is not block.last_op and inner.next_op is block.last_op
        self.require("C1", alone, lambda: "body must hold one op and a return")
        allowed = inner.name.removeprefix("stablehlo.") in _ASYNCHRONOUS
        self.require("C2", allowed, lambda: f"body holds {inner.name}; it may be one of {', '.join(_ASYNCHRONOUS)}")
        types, arguments = [o.type for o in self._operands], [a.type for a in block.args]
        matching = len(types) == len(arguments) and all(map(types_compatible, types, arguments))
        self.require("C3", matching, lambda: f"body takes {type_list(arguments)}, the operands are {type_list(types)}")
        passed = list(inner.operands) == list(block.args)
        self.require("C3", passed, lambda: f"{inner.name} must take the arguments of body in order")
        self._verify_future(inner)

    def _verify_future(self, inner: Operation) -> None:
        returned = cast(IRDLOperation, inner.next_op)
        same = list(returned.operands) == list(inner.results)
        self.require("C4", same, lambda: f"body must return what {inner.name} gives")
        future = self.result.type
        given = [r.type for r in inner.results]
        self.require(
            "C4",
            len(given) == len(future.types.data) and all(map(types_compatible, given, future.types.data)),
            lambda: f"body returns {type_list(given)}, result is {future}",
        )


@irdl_op_definition
class AsyncDoneOp(StableHLOOp):
    """Waits for what `async_start` began and gives its values. C1: the future's types.

    Example: `%r = "stablehlo.async_done"(%f) : (!stablehlo.future<tensor<4xf32>>) -> tensor<4xf32>`.
    """

    name = "stablehlo.async_done"

    operand = operand_def(FutureType)
    results_ = var_result_def(TensorType)

    def verify_(self) -> None:
        """C1."""
        expected = cast(FutureType, self.operand.type).types.data
        types = [r.type for r in self.results]
        self.require(
            "C1",
            len(types) == len(expected) and all(map(types_compatible, types, expected)),
            lambda: f"results are {type_list(types)}, the future gives {type_list(expected)}",
        )


OPS: list[type[Operation]] = [AsyncDoneOp, AsyncStartOp, InfeedOp, OutfeedOp, RecvOp, SendOp]
