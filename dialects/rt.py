"""The parallel runtime: parallel loops of the CPU form (step 6), and what a thread pool in our IR is made of.

`rt.parallel_for` and `rt.worker_id` are what lowered kernels use; `rt.parallel_reduce` (rt_reduce.py) is a loop of step 5
that step 6 makes of these; `rt.spawn` and `rt.await` are single tasks beside the code that made them. The rest (atomics on
memref elements, fences, calls of C functions and through function pointers) is what the runtime's own source,
`runtime/pool.mlir`, is written in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from xdsl.dialects.builtin import (
    I64,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
    NoneAttr,
    SymbolRefAttr,
    i32,
    i64,
)
from xdsl.dialects.utils.enum_attribute import EnumAttribute
from xdsl.ir import (
    Attribute,
    Block,
    Dialect,
    ParametrizedAttribute,
    Region,
    SpacedOpaqueSyntaxAttribute,
    SSAValue,
    TypeAttribute,
)
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    VarConstraint,
    base,
    irdl_attr_definition,
    irdl_op_definition,
    lazy_traits_def,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    opt_result_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import (
    HasParent,
    IsTerminator,
    MemoryReadEffect,
    MemoryWriteEffect,
    Pure,
    RecursiveMemoryEffect,
    SingleBlockImplicitTerminator,
    ensure_terminator,
)
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from stepwell.dialects.rt_reduce import ParallelReduceOp, PartialOp


@irdl_attr_definition
class PtrType(ParametrizedAttribute, TypeAttribute):
    """`!rt.ptr`: a machine address (of code, or of memory handed through C)."""

    name = "rt.ptr"


class MemoryOrder(StrEnum):
    """The C++ memory orders, by LLVM's names (`monotonic` is C++'s relaxed)."""

    MONOTONIC = "monotonic"
    ACQUIRE = "acquire"
    RELEASE = "release"
    ACQ_REL = "acq_rel"
    SEQ_CST = "seq_cst"


class AtomicKind(StrEnum):
    """What an `rt.atomic_rmw` does: LLVM's `atomicrmw` operations on integers."""

    XCHG = "xchg"
    ADD = "add"
    SUB = "sub"
    AND = "and"
    OR = "or"
    XOR = "xor"
    MAX = "max"
    MIN = "min"
    UMAX = "umax"
    UMIN = "umin"


@irdl_attr_definition
class MemoryOrderAttr(EnumAttribute[MemoryOrder], SpacedOpaqueSyntaxAttribute):
    """A memory order."""

    name = "rt.order"


@irdl_attr_definition
class AtomicKindAttr(EnumAttribute[AtomicKind], SpacedOpaqueSyntaxAttribute):
    """A read-modify-write operation."""

    name = "rt.kind"


@irdl_attr_definition
class FutureType(ParametrizedAttribute, TypeAttribute):
    """`!rt.future`: a task that was spawned and not awaited yet."""

    name = "rt.future"


@irdl_op_definition
class YieldOp(IRDLOperation):
    """Ends the body of `rt.parallel_for` or `rt.spawn`, with a status or without; implicit in the text if without."""

    name = "rt.yield"

    status = opt_operand_def(i32)

    traits = lazy_traits_def(lambda: (IsTerminator(), HasParent(ParallelForOp, SpawnOp), Pure()))

    assembly_format = "($status^ `:` type($status))? attr-dict"

    def __init__(self, status: SSAValue | None = None):
        super().__init__(operands=[status])


@irdl_op_definition
class ParallelForOp(IRDLOperation):
    """Runs the body for every index of [0, count), in any order, on any worker; returns when all are done.

    Semantics: the index range is cut into chunks of about `grain` indices; a chunk runs on one worker, its
    indices in
    order. Iterations must not touch memory that another one writes, except through `rt.atomic_*`.
    The count is static (`count`) or an index operand, never both. Where the body yields a status, the first one
    (in time) that is not 0 is the result, iterations that have not begun by then are left out, and 0 says that all
    were done.

    Constraints: C1 exactly one of the static count and the operand; C2 a static count is not negative;
    C3 grain is positive; C4 the body takes one index; C5 there is a result exactly if the body yields a status.

    Example: `rt.parallel_for (%i) = 0 to 64 grain 4 { ... }` or `rt.parallel_for (%i) = 0 to %n grain 1 { ...
    }` or `%status = rt.parallel_for (%i) = 0 to 64 grain 4 -> i32 { ... rt.yield %s : i32 }`
    """

    name = "rt.parallel_for"

    dynamic_count = opt_operand_def(IndexType)
    count = opt_prop_def(IntegerAttr)
    grain = prop_def(IntegerAttr)
    body = region_def("single_block")
    status = opt_result_def(i32)

    traits = traits_def(SingleBlockImplicitTerminator(YieldOp), RecursiveMemoryEffect())

    def __init__(self, count: int | SSAValue, body: Region | None = None, grain: int = 1, with_status: bool = False):
        static = isinstance(count, int)
        if body is None:
            body = Region(Block(arg_types=[IndexType()]))
        super().__init__(
            operands=[None if static else count],
            properties={
                "count": IntegerAttr(count, IndexType()) if static else None,
                "grain": IntegerAttr(grain, IndexType()),
            },
            regions=[body],
            result_types=[[i32] if with_status else []],
        )

    @property
    def static_count(self) -> int | None:
        """The number of iterations when it is a constant."""
        return self.count.value.data if self.count is not None else None

    @property
    def induction_variable(self) -> SSAValue:
        """The index of one iteration."""
        return self.body.block.args[0]

    def verify_(self) -> None:
        """Check the constraints above."""
        if (self.count is None) == (self.dynamic_count is None):
            raise VerifyException("rt.parallel_for: C1: expects a static count or a count operand, and not both")
        if self.count is not None and self.count.value.data < 0:
            raise VerifyException(f"rt.parallel_for: C2: count {self.count.value.data} is negative")
        if self.grain.value.data < 1:
            raise VerifyException(f"rt.parallel_for: C3: grain {self.grain.value.data} is not positive")
        arg_types = list(self.body.block.arg_types)
        if len(arg_types) != 1 or not isinstance(arg_types[0], IndexType):
            raise VerifyException(f"rt.parallel_for: C4: the body takes one index, not {arg_types}")
        last = self.body.block.last_op
        yields = last is not None and bool(last.operands)
        if yields != (self.status is not None):
            said = "a status but there is no result" if yields else "no status but there is a result"
            raise VerifyException(f"rt.parallel_for: C5: the body yields {said}")

    def print(self, printer: Printer) -> None:
        """Print the custom form."""
        printer.print_string(" (")
        printer.print_ssa_value(self.body.block.args[0])
        printer.print_string(") = 0 to ")
        if self.count is not None:
            printer.print_string(str(self.count.value.data))
        elif self.dynamic_count is not None:
            printer.print_ssa_value(self.dynamic_count)
        printer.print_string(f" grain {self.grain.value.data} ")
        if self.status is not None:
            printer.print_string("-> i32 ")
        printer.print_region(self.body, print_entry_block_args=False, print_block_terminators=self.status is not None)
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> ParallelForOp:
        """Parse the custom form."""
        parser.parse_punctuation("(")
        index = parser.parse_argument(expect_type=False).resolve(IndexType())
        parser.parse_punctuation(")")
        parser.parse_punctuation("=")
        if parser.parse_integer() != 0:
            parser.raise_error("rt.parallel_for counts from 0")
        parser.parse_keyword("to")
        count: int | SSAValue | None = parser.parse_optional_integer()
        if count is None:
            count = parser.resolve_operand(parser.parse_unresolved_operand(), IndexType())
        parser.parse_keyword("grain")
        grain = parser.parse_integer()
        with_status = parser.parse_optional_punctuation("->") is not None
        if with_status and parser.parse_type() != i32:
            parser.raise_error("a status of rt.parallel_for is an i32")
        body = parser.parse_region((index,))
        op = cls(count, body, grain, with_status)
        ensure_terminator(op, SingleBlockImplicitTerminator(YieldOp))
        attributes = parser.parse_optional_attr_dict_with_keyword()
        if attributes is not None:
            op.attributes |= attributes.data
        return op


@irdl_op_definition
class SpawnOp(IRDLOperation):
    """Starts the body as a task of its own, on any worker, at any time until it is awaited.

    The body must not touch memory that the code up to the `rt.await` writes, except through `rt.atomic_*`. A body that
    yields no status has status 0.

    Constraints: C1 the future is used once, by an `rt.await` in the same block; C2 the body takes nothing.

    Example: `%f = rt.spawn { ... }` and later `%status = rt.await %f`
    """

    name = "rt.spawn"

    body = region_def("single_block")
    future = result_def(FutureType())

    traits = traits_def(SingleBlockImplicitTerminator(YieldOp), MemoryReadEffect(), MemoryWriteEffect())

    def __init__(self, body: Region):
        super().__init__(regions=[body], result_types=[FutureType()])

    def verify_(self) -> None:
        """Check the constraints above."""
        uses = list(self.future.uses)
        if len(uses) != 1 or not isinstance(uses[0].operation, AwaitOp) or uses[0].operation.parent != self.parent:
            raise VerifyException("rt.spawn: C1: the future must be awaited once, in the block that made it")
        if self.body.block.args:
            raise VerifyException(f"rt.spawn: C2: the body takes nothing, not {len(self.body.block.args)} values")

    def print(self, printer: Printer) -> None:
        """Print the custom form."""
        printer.print_string(" ")
        last = self.body.block.last_op
        printer.print_region(self.body, print_block_terminators=last is not None and bool(last.operands))
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> SpawnOp:
        """Parse the custom form."""
        op = cls(parser.parse_region())
        ensure_terminator(op, SingleBlockImplicitTerminator(YieldOp))
        attributes = parser.parse_optional_attr_dict_with_keyword()
        if attributes is not None:
            op.attributes |= attributes.data
        return op


@irdl_op_definition
class AwaitOp(IRDLOperation):
    """Waits until a task is done, or does it, and returns its status."""

    name = "rt.await"

    future = operand_def(FutureType)
    status = result_def(i32)

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = "$future attr-dict"

    def __init__(self, future: SSAValue):
        super().__init__(operands=[future], result_types=[i32])


@irdl_op_definition
class WorkerIdOp(IRDLOperation):
    """The number of the worker that runs the enclosing task, in [0, workers); 0 outside of any.

    No two tasks of one call of the program have the same number at the same time, but that a task which runs a loop or
    awaits a future may do other tasks of the call meanwhile: what a worker keeps by its number does not outlive that.
    """

    name = "rt.worker_id"

    worker = result_def(IndexType)

    traits = traits_def(MemoryReadEffect())

    assembly_format = "attr-dict `:` type($worker)"

    def __init__(self) -> None:
        super().__init__(result_types=[IndexType()])


class _AtomicOp(IRDLOperation):
    """What the ops on one memref element share: an index for each dimension (C1), an integer element (C2)."""

    def verify_(self) -> None:
        """Check the constraints above."""
        memref_type = self.memref.type  # pyright: ignore
        assert isinstance(memref_type, MemRefType)
        indices: Sequence[SSAValue] = self.indices  # pyright: ignore
        if memref_type.get_num_dims() != len(indices):
            raise VerifyException(
                f"{self.name}: C1: {len(indices)} indices for a memref of rank {memref_type.get_num_dims()}"
            )
        element = memref_type.element_type
        if not isinstance(element, IntegerType) or element.width.data not in (8, 16, 32, 64):
            raise VerifyException(f"{self.name}: C2: element type {element} is not i8, i16, i32 or i64")


@irdl_op_definition
class AtomicLoadOp(_AtomicOp):
    """Atomically read an element. C3: the order is monotonic, acquire or seq_cst."""

    name = "rt.atomic_load"
    T: ClassVar = VarConstraint("T", AnyAttr())

    order = prop_def(MemoryOrderAttr)
    memref = operand_def(MemRefType.constr(T))
    indices = var_operand_def(IndexType())
    value = result_def(T)

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = "$order $memref `[` $indices `]` attr-dict `:` type($memref)"

    def __init__(self, memref: SSAValue, indices: Sequence[SSAValue], order: MemoryOrder):
        assert isinstance(memref.type, MemRefType)
        super().__init__(
            operands=[memref, indices],
            result_types=[memref.type.element_type],
            properties={"order": MemoryOrderAttr(order)},
        )

    def verify_(self) -> None:
        """Check the constraints above."""
        super().verify_()
        if self.order.data in (MemoryOrder.RELEASE, MemoryOrder.ACQ_REL):
            raise VerifyException(f"rt.atomic_load: C3: a load cannot be {self.order.data.value}")


@irdl_op_definition
class AtomicStoreOp(_AtomicOp):
    """Atomically write an element. C3: the order is monotonic, release or seq_cst."""

    name = "rt.atomic_store"
    T: ClassVar = VarConstraint("T", AnyAttr())

    order = prop_def(MemoryOrderAttr)
    value = operand_def(T)
    memref = operand_def(MemRefType.constr(T))
    indices = var_operand_def(IndexType())

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = "$order $value `,` $memref `[` $indices `]` attr-dict `:` type($memref)"

    def __init__(self, value: SSAValue, memref: SSAValue, indices: Sequence[SSAValue], order: MemoryOrder):
        super().__init__(operands=[value, memref, indices], properties={"order": MemoryOrderAttr(order)})

    def verify_(self) -> None:
        """Check the constraints above."""
        super().verify_()
        if self.order.data in (MemoryOrder.ACQUIRE, MemoryOrder.ACQ_REL):
            raise VerifyException(f"rt.atomic_store: C3: a store cannot be {self.order.data.value}")


@irdl_op_definition
class AtomicRMWOp(_AtomicOp):
    """Atomically replace an element by `kind(element, value)`; the result is the element before."""

    name = "rt.atomic_rmw"
    T: ClassVar = VarConstraint("T", AnyAttr())

    kind = prop_def(AtomicKindAttr)
    order = prop_def(MemoryOrderAttr)
    value = operand_def(T)
    memref = operand_def(MemRefType.constr(T))
    indices = var_operand_def(IndexType())
    old = result_def(T)

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = "$kind $order $value `,` $memref `[` $indices `]` attr-dict `:` type($memref)"

    def __init__(
        self,
        kind: AtomicKind,
        value: SSAValue,
        memref: SSAValue,
        indices: Sequence[SSAValue],
        order: MemoryOrder,
    ):
        super().__init__(
            operands=[value, memref, indices],
            result_types=[value.type],
            properties={"kind": AtomicKindAttr(kind), "order": MemoryOrderAttr(order)},
        )


@irdl_op_definition
class CompareExchangeOp(_AtomicOp):
    """Atomically store `desired` where the element equals `expected`: strong compare-and-swap.

    The results are the element before and whether it was exchanged. On failure the order is that of a load
    (`release` becomes monotonic, `acq_rel` acquire).
    """

    name = "rt.compare_exchange"
    T: ClassVar = VarConstraint("T", AnyAttr())

    order = prop_def(MemoryOrderAttr)
    expected = operand_def(T)
    desired = operand_def(T)
    memref = operand_def(MemRefType.constr(T))
    indices = var_operand_def(IndexType())
    old = result_def(T)
    exchanged = result_def(IntegerType(1))

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = "$order $expected `,` $desired `,` $memref `[` $indices `]` attr-dict `:` type($memref)"

    def __init__(
        self,
        expected: SSAValue,
        desired: SSAValue,
        memref: SSAValue,
        indices: Sequence[SSAValue],
        order: MemoryOrder,
    ):
        super().__init__(
            operands=[expected, desired, memref, indices],
            result_types=[expected.type, IntegerType(1)],
            properties={"order": MemoryOrderAttr(order)},
        )


@irdl_op_definition
class FenceOp(IRDLOperation):
    """A memory fence. C1: not monotonic."""

    name = "rt.fence"

    order = prop_def(MemoryOrderAttr)

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = "$order attr-dict"

    def __init__(self, order: MemoryOrder):
        super().__init__(properties={"order": MemoryOrderAttr(order)})

    def verify_(self) -> None:
        """Check the constraints above."""
        if self.order.data == MemoryOrder.MONOTONIC:
            raise VerifyException("rt.fence: C1: a fence cannot be monotonic")


@irdl_op_definition
class PoisonOp(IRDLOperation):
    """Says that the contents of a buffer are undefined from here on, and writes 0xFF there (a NaN, -1) to make it show.

    C1: the buffer is dense.

    Example: `rt.poison %buffer : memref<8xf32>`
    """

    name = "rt.poison"

    memref = operand_def(MemRefType)

    traits = traits_def(MemoryWriteEffect())

    assembly_format = "$memref attr-dict `:` type($memref)"

    def __init__(self, memref: SSAValue):
        super().__init__(operands=[memref])

    def verify_(self) -> None:
        """Check the constraints above."""
        assert isinstance(self.memref.type, MemRefType)
        if not isinstance(self.memref.type.layout, NoneAttr):
            raise VerifyException("rt.poison: C1: the buffer must be dense")


@irdl_op_definition
class PauseOp(IRDLOperation):
    """Tells the core that this is a spin loop (x86 `pause`)."""

    name = "rt.pause"

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = "attr-dict"


@irdl_op_definition
class CallExternalOp(IRDLOperation):
    """Calls a C function by symbol.

    Arguments: integers, floats, `!rt.ptr` and memrefs (as the address of their first element).

    C1: at most one result. A variadic C function (such as `syscall`) has `variadic_from`, the number of its
    named
    arguments.

    Example: `%r = rt.call_external @sched_yield() : () -> i32`
    """

    name = "rt.call_external"

    callee = prop_def(SymbolRefAttr)
    variadic_from = opt_prop_def(IntegerAttr[I64])
    args = var_operand_def(AnyAttr())
    res = var_result_def(AnyAttr())

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = "$callee `(` $args `)` (`variadic` $variadic_from^)? attr-dict `:` functional-type($args, $res)"

    def __init__(self, callee: str, args: Sequence[SSAValue], result_types: Sequence[Attribute]):
        super().__init__(operands=[args], result_types=[result_types], properties={"callee": SymbolRefAttr(callee)})

    def verify_(self) -> None:
        """Check the constraints above."""
        if len(self.res) > 1:
            raise VerifyException(f"rt.call_external: C1: a C function has one result, not {len(self.res)}")


@irdl_op_definition
class FuncAddrOp(IRDLOperation):
    """The address of a function of this module."""

    name = "rt.func_addr"

    callee = prop_def(SymbolRefAttr)
    address = result_def(PtrType)

    traits = traits_def(Pure())

    assembly_format = "$callee attr-dict `:` type($address)"

    def __init__(self, callee: str):
        super().__init__(result_types=[PtrType()], properties={"callee": SymbolRefAttr(callee)})


@irdl_op_definition
class CallIndirectOp(IRDLOperation):
    """Calls the function at an address, in C's calling convention. C1: at most one result."""

    name = "rt.call_indirect"

    callee = operand_def(PtrType)
    args = var_operand_def(AnyAttr())
    res = var_result_def(AnyAttr())

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = "$callee `(` $args `)` attr-dict `:` functional-type($args, $res)"

    def __init__(self, callee: SSAValue, args: Sequence[SSAValue], result_types: Sequence[Attribute]):
        super().__init__(operands=[callee, args], result_types=[result_types])

    def verify_(self) -> None:
        """Check the constraints above."""
        if len(self.res) > 1:
            raise VerifyException(f"rt.call_indirect: C1: a C function has one result, not {len(self.res)}")


@irdl_op_definition
class PtrToIntOp(IRDLOperation):
    """An address as an integer, to keep it in memory."""

    name = "rt.ptr_to_int"

    ptr = operand_def(PtrType)
    value = result_def(i64)

    traits = traits_def(Pure())

    assembly_format = "$ptr attr-dict `:` type($ptr) `to` type($value)"

    def __init__(self, ptr: SSAValue):
        super().__init__(operands=[ptr], result_types=[i64])


@irdl_op_definition
class IntToPtrOp(IRDLOperation):
    """An integer that was an address, as an address again."""

    name = "rt.int_to_ptr"

    value = operand_def(i64)
    ptr = result_def(PtrType)

    traits = traits_def(Pure())

    assembly_format = "$value attr-dict `:` type($value) `to` type($ptr)"

    def __init__(self, value: SSAValue):
        super().__init__(operands=[value], result_types=[PtrType()])


@irdl_op_definition
class MemRefToPtrOp(IRDLOperation):
    """The address of a memref's first element."""

    name = "rt.memref_to_ptr"

    memref = operand_def(base(MemRefType))
    ptr = result_def(PtrType)

    traits = traits_def(Pure())

    assembly_format = "$memref attr-dict `:` type($memref) `to` type($ptr)"

    def __init__(self, memref: SSAValue):
        super().__init__(operands=[memref], result_types=[PtrType()])


@irdl_op_definition
class PtrToMemRefOp(IRDLOperation):
    """The memory at an address as a memref of identity layout (its first dimension may be `?`)."""

    name = "rt.ptr_to_memref"

    ptr = operand_def(PtrType)
    memref = result_def(base(MemRefType))

    traits = traits_def(Pure())

    assembly_format = "$ptr attr-dict `:` type($ptr) `to` type($memref)"

    def __init__(self, ptr: SSAValue, result_type: MemRefType[Attribute]):
        super().__init__(operands=[ptr], result_types=[result_type])


Rt = Dialect(
    "rt",
    [
        AtomicLoadOp,
        AtomicRMWOp,
        AtomicStoreOp,
        AwaitOp,
        CallExternalOp,
        CallIndirectOp,
        CompareExchangeOp,
        FenceOp,
        FuncAddrOp,
        IntToPtrOp,
        MemRefToPtrOp,
        ParallelForOp,
        ParallelReduceOp,
        PartialOp,
        PauseOp,
        PoisonOp,
        PtrToIntOp,
        PtrToMemRefOp,
        SpawnOp,
        WorkerIdOp,
        YieldOp,
    ],
    [AtomicKindAttr, FutureType, MemoryOrderAttr, PtrType],
)
