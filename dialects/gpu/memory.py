"""Device memory as the host sees it: allocation, copies, and waiting for what was started."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

from xdsl.dialects.builtin import DYNAMIC_INDEX, IndexType, MemRefType, UnitAttr, UnrankedMemRefType
from xdsl.ir import SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    opt_result_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import MemoryAllocEffect, MemoryFreeEffect, MemoryReadEffect, MemoryWriteEffect
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects.gpu.attrs import AsyncDependencies, AsyncTokenType


def token_types(is_async: bool) -> list[AsyncTokenType]:
    """The result types of an op that returns a token when it is asynchronous."""
    return [AsyncTokenType()] if is_async else []


@irdl_op_definition
class AllocOp(IRDLOperation):
    """Allocates device memory; contents are undefined.

    Semantics: with `host_shared` the host can read and write it too.

    Constraints:
        C1: there is one size for each dynamic dim of the result.

    Example:
        %m = gpu.alloc (%n) : memref<64x?xf32>
        %m, %t = gpu.alloc async [%dep] host_shared () : memref<64xf32>
    """

    name = "gpu.alloc"

    async_dependencies = var_operand_def(AsyncTokenType())
    dynamic_sizes = var_operand_def(IndexType())
    host_shared = opt_prop_def(UnitAttr, prop_name="hostShared")
    memref = result_def(MemRefType)
    async_token = opt_result_def(AsyncTokenType())

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(MemoryAllocEffect())
    custom_directives = (AsyncDependencies,)

    assembly_format = (
        "custom<AsyncDependencies>(type($async_token), $async_dependencies) (`host_shared` $hostShared^)? "
        "` ` `(` $dynamic_sizes `)` attr-dict `:` type($memref)"
    )

    def __init__(
        self,
        kind: MemRefType,
        dynamic_sizes: Sequence[SSAValue] = (),
        *,
        host_shared: bool = False,
        async_dependencies: Sequence[SSAValue] = (),
        is_async: bool = False,
    ):
        super().__init__(
            operands=[async_dependencies, dynamic_sizes],
            result_types=[kind, token_types(is_async)],
            properties={"hostShared": UnitAttr() if host_shared else None},
        )

    def verify_(self) -> None:
        """Check C1."""
        assert isinstance(self.memref.type, MemRefType)
        dynamic = self.memref.type.get_shape().count(DYNAMIC_INDEX)
        if dynamic != len(self.dynamic_sizes):
            raise VerifyException(
                f"gpu.alloc: C1: {len(self.dynamic_sizes)} sizes for {dynamic} dynamic dims of {self.memref.type}"
            )


@irdl_op_definition
class DeallocOp(IRDLOperation):
    """Gives device memory back that `gpu.alloc` made.

    Example:
        gpu.dealloc %m : memref<64xf32>
    """

    name = "gpu.dealloc"

    async_dependencies = var_operand_def(AsyncTokenType())
    memref = operand_def(MemRefType)
    async_token = opt_result_def(AsyncTokenType())

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(MemoryFreeEffect())
    custom_directives = (AsyncDependencies,)

    assembly_format = (
        "custom<AsyncDependencies>(type($async_token), $async_dependencies) $memref attr-dict `:` type($memref)"
    )

    def __init__(self, memref: SSAValue, *, async_dependencies: Sequence[SSAValue] = (), is_async: bool = False):
        super().__init__(operands=[async_dependencies, memref], result_types=[token_types(is_async)])


@irdl_op_definition
class MemcpyOp(IRDLOperation):
    """Copies between device memory, or between device and host.

    Semantics: in the order of the host's other gpu ops; a copy that the host can see waits until it is done, unless it
    is `async`.

    Constraints:
        C1: both have one element type and the same static sizes.

    Example:
        gpu.memcpy %dst, %src : memref<64xf32>, memref<64xf32>
    """

    name = "gpu.memcpy"

    async_dependencies = var_operand_def(AsyncTokenType())
    dst = operand_def(MemRefType)
    src = operand_def(MemRefType)
    async_token = opt_result_def(AsyncTokenType())

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    custom_directives = (AsyncDependencies,)

    assembly_format = (
        "custom<AsyncDependencies>(type($async_token), $async_dependencies) $dst `,` $src attr-dict "
        "`:` type($dst) `,` type($src)"
    )

    def __init__(
        self, dst: SSAValue, src: SSAValue, *, async_dependencies: Sequence[SSAValue] = (), is_async: bool = False
    ):
        super().__init__(operands=[async_dependencies, dst, src], result_types=[token_types(is_async)])

    def verify_(self) -> None:
        """Check C1."""
        dst, src = self.dst.type, self.src.type
        assert isinstance(dst, MemRefType)
        assert isinstance(src, MemRefType)
        sizes = zip(dst.get_shape(), src.get_shape(), strict=False)
        if (
            dst.element_type != src.element_type
            or dst.get_num_dims() != src.get_num_dims()
            or any(a != b and DYNAMIC_INDEX not in (a, b) for a, b in sizes)
        ):
            raise VerifyException(f"gpu.memcpy: C1: {src} cannot be copied into {dst}")


@irdl_op_definition
class MemsetOp(IRDLOperation):
    """Stores one value into every element of device memory.

    Semantics: in the order of the host's other gpu ops.

    Constraints:
        C1: the value has the element type of the memory.

    Example:
        gpu.memset %dst, %value : memref<64xf32>, f32
    """

    name = "gpu.memset"

    async_dependencies = var_operand_def(AsyncTokenType())
    dst = operand_def(MemRefType)
    value = operand_def()
    async_token = opt_result_def(AsyncTokenType())

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(MemoryWriteEffect())
    custom_directives = (AsyncDependencies,)

    assembly_format = (
        "custom<AsyncDependencies>(type($async_token), $async_dependencies) $dst `,` $value attr-dict "
        "`:` type($dst) `,` type($value)"
    )

    def __init__(
        self, dst: SSAValue, value: SSAValue, *, async_dependencies: Sequence[SSAValue] = (), is_async: bool = False
    ):
        super().__init__(operands=[async_dependencies, dst, value], result_types=[token_types(is_async)])

    def verify_(self) -> None:
        """Check C1."""
        dst = self.dst.type
        assert isinstance(dst, MemRefType)
        if dst.element_type != self.value.type:
            raise VerifyException(f"gpu.memset: C1: {self.value.type} cannot be an element of {dst}")


@irdl_op_definition
class WaitOp(IRDLOperation):
    """Waits for tokens, or joins them into one.

    Semantics: without `async` the host waits until the tokens listed are done; with it the result is a token that is
    done when they are. It counts as reading and writing memory, so that nothing moves across.

    Example:
        gpu.wait [%t]
        %u = gpu.wait async [%s, %t]
    """

    name = "gpu.wait"

    async_dependencies = var_operand_def(AsyncTokenType())
    async_token = opt_result_def(AsyncTokenType())

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    custom_directives = (AsyncDependencies,)

    assembly_format = "custom<AsyncDependencies>(type($async_token), $async_dependencies) attr-dict"

    def __init__(self, async_dependencies: Sequence[SSAValue] = (), *, is_async: bool = False):
        super().__init__(operands=[async_dependencies], result_types=[token_types(is_async)])


class _HostMemoryOp(IRDLOperation, ABC):
    """What the ops share that change how the device sees host memory."""

    value = operand_def(UnrankedMemRefType)

    traits = traits_def(MemoryWriteEffect())

    assembly_format = "$value attr-dict `:` type($value)"

    def __init__(self, value: SSAValue):
        super().__init__(operands=[value])


@irdl_op_definition
class HostRegisterOp(_HostMemoryOp):
    """Makes host memory visible to the device.

    Example:
        gpu.host_register %m : memref<*xf32>
    """

    name = "gpu.host_register"


@irdl_op_definition
class HostUnregisterOp(_HostMemoryOp):
    """Ends what `gpu.host_register` began.

    Example:
        gpu.host_unregister %m : memref<*xf32>
    """

    name = "gpu.host_unregister"
