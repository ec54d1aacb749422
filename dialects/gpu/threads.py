"""What one thread of a grid asks and does: who it is, barriers, exchange with the other lanes."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Sequence
from typing import ClassVar, Self

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    AnyFloat,
    FunctionType,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
    NoneAttr,
    StringAttr,
    UnitAttr,
    VectorType,
    i1,
    i8,
    i32,
)
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    ParsePropInAttrDict,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect, Pure
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects.canonicalize.constants import constant_of, int_of
from stepwell.dialects.gpu.attrs import (
    ON_BOTH,
    ON_FLOATS,
    WORKGROUP,
    DimensionAttr,
    DimensionEnum,
    ReduceKind,
    ReduceKindAttr,
    ShuffleMode,
    ShuffleModeAttr,
)
from stepwell.dialects.memref import Scope, check_scope

WIDEST_BITS = 64
"""Bits of the widest scalar that lanes exchange."""


def element_of(kind: Attribute) -> Attribute:
    """The element type of a vector, another type itself."""
    return kind.element_type if isinstance(kind, VectorType) else kind  # pyright: ignore[reportUnknownVariableType]


def is_exchangeable(kind: Attribute) -> bool:
    """True for what lanes exchange: integers and floats of 1 to 64 bits, and 1-D vectors of them."""
    if isinstance(kind, VectorType) and (kind.get_num_dims() != 1 or kind.get_num_scalable_dims()):
        return False
    element = element_of(kind)
    return isinstance(element, IntegerType | AnyFloat) and 1 <= element.bitwidth <= WIDEST_BITS


def _check_exchangeable(name: str, kind: Attribute) -> None:
    if not is_exchangeable(kind):
        raise VerifyException(f"{name}: C1: {kind} is not an integer or float of 1 to 64 bits or a 1-D vector of them")


def _bound(upper_bound: int | None) -> IntegerAttr[IndexType] | None:
    return None if upper_bound is None else IntegerAttr(upper_bound, IndexType())


class _BoundedOp(IRDLOperation, ABC):
    """What the ops share that return an index less than a bound some of them know (C1: positive)."""

    upper_bound = opt_prop_def(IntegerAttr[IndexType])
    result = result_def(IndexType())

    traits = traits_def(Pure())

    def verify_(self) -> None:
        """Check C1."""
        if self.upper_bound is not None and self.upper_bound.value.data < 1:
            raise VerifyException(f"{self.name}: C1: the upper bound {self.upper_bound.value.data} is not positive")


class _DimensionOp(_BoundedOp, ABC):
    """What the ops share that ask about one dimension of the grid."""

    dimension = prop_def(DimensionAttr)

    assembly_format = "$dimension (`upper_bound` $upper_bound^)? attr-dict"

    def __init__(self, dimension: str, *, upper_bound: int | None = None):
        super().__init__(
            result_types=[IndexType()],
            properties={"dimension": DimensionAttr(DimensionEnum(dimension)), "upper_bound": _bound(upper_bound)},
        )


class _SubgroupOp(_BoundedOp, ABC):
    """What the ops share that ask about subgroups."""

    assembly_format = "(`upper_bound` $upper_bound^)? attr-dict `:` type($result)"

    def __init__(self, *, upper_bound: int | None = None):
        super().__init__(result_types=[IndexType()], properties={"upper_bound": _bound(upper_bound)})


@irdl_op_definition
class ThreadIdOp(_DimensionOp):
    """Which thread of its block this is, along a dimension.

    Constraints:
        C1: `upper_bound`, when given, is positive; the result is less than it.

    Example:
        %t = gpu.thread_id x upper_bound 256
    """

    name = "gpu.thread_id"


@irdl_op_definition
class BlockIdOp(_DimensionOp):
    """Which block of the grid this thread is in, along a dimension.

    Constraints:
        C1: `upper_bound`, when given, is positive; the result is less than it.

    Example:
        %b = gpu.block_id x
    """

    name = "gpu.block_id"


@irdl_op_definition
class BlockDimOp(_DimensionOp):
    """How many threads a block has along a dimension.

    Constraints:
        C1: `upper_bound`, when given, is positive; the result is at most it.

    Example:
        %n = gpu.block_dim x
    """

    name = "gpu.block_dim"


@irdl_op_definition
class GridDimOp(_DimensionOp):
    """How many blocks the grid has along a dimension.

    Constraints:
        C1: `upper_bound`, when given, is positive; the result is at most it.

    Example:
        %n = gpu.grid_dim x
    """

    name = "gpu.grid_dim"


@irdl_op_definition
class GlobalIdOp(_DimensionOp):
    """Which thread of the whole grid this is along a dimension: block_id * block_dim + thread_id.

    Constraints:
        C1: `upper_bound`, when given, is positive; the result is less than it.

    Example:
        %i = gpu.global_id x
    """

    name = "gpu.global_id"


@irdl_op_definition
class LaneIdOp(_BoundedOp):
    """Which lane of its subgroup this thread is: its number in the block modulo the size of a subgroup.

    Constraints:
        C1: `upper_bound`, when given, is positive; the result is less than it.

    Example:
        %l = gpu.lane_id
    """

    name = "gpu.lane_id"

    assembly_format = "(`upper_bound` $upper_bound^)? attr-dict"

    def __init__(self, *, upper_bound: int | None = None):
        super().__init__(result_types=[IndexType()], properties={"upper_bound": _bound(upper_bound)})


@irdl_op_definition
class SubgroupIdOp(_SubgroupOp):
    """Which subgroup of its block this thread is in: its number in the block divided by the size of a subgroup.

    Constraints:
        C1: `upper_bound`, when given, is positive; the result is less than it.

    Example:
        %w = gpu.subgroup_id : index
    """

    name = "gpu.subgroup_id"


@irdl_op_definition
class NumSubgroupsOp(_SubgroupOp):
    """How many subgroups a block has.

    Constraints:
        C1: `upper_bound`, when given, is positive; the result is at most it.

    Example:
        %n = gpu.num_subgroups : index
    """

    name = "gpu.num_subgroups"


@irdl_op_definition
class SubgroupSizeOp(_SubgroupOp):
    """How many lanes a subgroup has.

    Constraints:
        C1: `upper_bound`, when given, is positive; the result is at most it.

    Example:
        %n = gpu.subgroup_size : index
    """

    name = "gpu.subgroup_size"


@irdl_op_definition
class BarrierOp(IRDLOperation):
    """Waits until all threads of the block are here.

    Semantics: what a thread of the block wrote before is seen by all of them after. Every thread of the block must
    reach the same barrier. It counts as reading and writing memory, so that nothing moves across.

    Example:
        gpu.barrier
    """

    name = "gpu.barrier"

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()


@irdl_op_definition
class SubgroupBarrierOp(IRDLOperation):
    """Waits until all lanes of the subgroup are here (ours; MLIR has none).

    Semantics: what a lane of the subgroup wrote before is seen by all of them after. Every lane must reach it.

    Example:
        gpu.subgroup_barrier
    """

    name = "gpu.subgroup_barrier"

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()


@irdl_op_definition
class FenceOp(IRDLOperation):
    """Orders this thread's accesses to memory, before and after, for other threads; waits for nobody (ours).

    Semantics: sequentially consistent among the threads of `scope`. What this thread did to memory before the fence is
    seen by a thread that sees what it did after, when that one passes a fence too. Where threads meet, a barrier does
    the same. It counts as reading and writing memory, so that nothing moves across.

    Constraints:
        C1: the scope is "block", "device" or "system".

    Example:
        gpu.fence {scope = "device"}
    """

    name = "gpu.fence"

    scope = prop_def(StringAttr)

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    irdl_options = (ParsePropInAttrDict(),)

    assembly_format = "attr-dict"

    def __init__(self, scope: Scope):
        super().__init__(properties={"scope": StringAttr(scope.value)})

    def verify_(self) -> None:
        """Check C1."""
        check_scope(self.name, "C1", self.scope)


@irdl_op_definition
class ShuffleOp(IRDLOperation):
    """Reads the value of another lane of the subgroup.

    Semantics: lanes are taken in segments of `width`. The lane read is this one's number XOR `offset`, minus it (`up`),
    plus it (`down`), or `offset` (`idx`) within the segment. Out of the segment the result is the lane's own value and
    `valid` is false. `offset` has a sign: up by a negative one is down, and negative ones of the other modes leave the segment.
    Offsets and widths may differ from lane to lane. A width that is no power of two, or more than a subgroup, has no meaning.

    Constraints:
        C1: the value is an integer or float of 1 to 64 bits, or a 1-D vector of them.
        C2: `width`, where it is a constant, is a power of two.

    Example:
        %r, %valid = gpu.shuffle xor %v, %offset, %width : f32
    """

    name = "gpu.shuffle"
    T: ClassVar = VarConstraint("T", AnyAttr())

    mode = prop_def(ShuffleModeAttr)
    value = operand_def(T)
    offset = operand_def(i32)
    width = operand_def(i32)
    result = result_def(T)
    valid = result_def(i1)

    traits = traits_def(Pure())

    assembly_format = "$mode $value `,` $offset `,` $width attr-dict `:` type($value)"

    def __init__(self, value: SSAValue, offset: SSAValue, width: SSAValue, mode: str):
        super().__init__(
            operands=[value, offset, width],
            result_types=[value.type, i1],
            properties={"mode": ShuffleModeAttr(ShuffleMode(mode))},
        )

    def verify_(self) -> None:
        """Check C1 and C2."""
        _check_exchangeable(self.name, self.value.type)
        width = int_of(constant_of(self.width))
        if width is not None and (width < 1 or width & (width - 1)):
            raise VerifyException(f"gpu.shuffle: C2: the width {width} is not a power of two")


class _ReduceOp(IRDLOperation, ABC):
    """What the reductions over threads share."""

    kind = prop_def(ReduceKindAttr, prop_name="op")
    uniform = opt_prop_def(UnitAttr)
    value = operand_def()
    result = result_def()

    traits = traits_def(Pure())

    def __init__(self, value: SSAValue, kind: str, *, uniform: bool = False):
        super().__init__(
            operands=[value],
            result_types=[value.type],
            properties={"op": ReduceKindAttr(ReduceKind(kind)), "uniform": UnitAttr() if uniform else None},
        )

    def verify_(self) -> None:
        """Check C1 to C3."""
        _check_exchangeable(self.name, self.value.type)
        kind = self.kind.data
        on_float = isinstance(element_of(self.value.type), AnyFloat)
        if kind not in ON_BOTH and on_float != (kind in ON_FLOATS):
            raise VerifyException(f"{self.name}: C2: {kind} does not combine {self.value.type}")
        if self.result.type != self.value.type:
            raise VerifyException(
                f"{self.name}: C3: the result {self.result.type} is not of the type {self.value.type} of the value"
            )

    _BODY: ClassVar[str] = ""
    """The text between the operands and the attributes."""

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """Parse `kind %value uniform {attributes} : (T) -> T`; `uniform` may also be among the attributes."""
        kind = parser.parse_str_enum(ReduceKind)
        operand = parser.parse_unresolved_operand()
        uniform = parser.parse_optional_keyword("uniform") is not None
        for character in cls._BODY:
            parser.parse_punctuation(character)  # pyright: ignore[reportArgumentType]
        attributes = parser.parse_optional_attr_dict()
        uniform = attributes.pop("uniform", None) is not None or uniform
        parser.parse_punctuation(":")
        pos = parser.pos
        signature = parser.parse_type()
        if not isinstance(signature, FunctionType) or (len(signature.inputs), len(signature.outputs)) != (1, 1):
            parser.raise_error(f"{cls.name}: expected one operand type and one result type", pos, parser.pos)
        op = cls.create(
            operands=[parser.resolve_operand(operand, signature.inputs.data[0])],
            result_types=signature.outputs.data,
            properties={"op": ReduceKindAttr(kind)},
            attributes=attributes,
        )
        if uniform:
            op.uniform = UnitAttr()
        return op

    def print(self, printer: Printer) -> None:
        """Print what `parse` reads."""
        printer.print_string(f" {self.kind.data} ")
        printer.print_ssa_value(self.value)
        if self.uniform is not None:
            printer.print_string(" uniform")
        if self._BODY:
            printer.print_string(f" {self._BODY}")
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_attribute(FunctionType.from_lists([self.value.type], [self.result.type]))


@irdl_op_definition
class SubgroupReduceOp(_ReduceOp):
    """Combines the values of all lanes of the subgroup; every lane gets the result.

    Semantics: in any order. `uniform` says that all lanes of the subgroup are here.

    Constraints:
        C1: the value is an integer or float of 1 to 64 bits, or a 1-D vector of them.
        C2: the kind is one for such elements: `add` and `mul` for both, `minnumf`, `maxnumf`, `minimumf` and `maximumf`
            for floats, the others for integers.
        C3: the result has the type of the value.

    Example:
        %s = gpu.subgroup_reduce add %v uniform : (f32) -> f32
    """

    name = "gpu.subgroup_reduce"


@irdl_op_definition
class AllReduceOp(_ReduceOp):
    """Combines the values of all threads of the block; every thread gets the result.

    Semantics: in any order; by one of the kinds, never by a region. `uniform` says that all threads of the block are
    here.

    Constraints:
        C1: the value is an integer or float of 1 to 64 bits, or a 1-D vector of them.
        C2: the kind is one for such elements, as for `gpu.subgroup_reduce`.
        C3: the result has the type of the value.

    Example:
        %s = gpu.all_reduce add %v uniform {} : (f32) -> f32
    """

    name = "gpu.all_reduce"

    _BODY: ClassVar[str] = "{}"


@irdl_op_definition
class DynamicSharedMemoryOp(IRDLOperation):
    """The shared memory whose size the launch says, as bytes; each such op means the same memory.

    Constraints:
        C1: the result is `memref<?xi8, #gpu.address_space<workgroup>>`.

    Example:
        %m = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
    """

    name = "gpu.dynamic_shared_memory"

    result = result_def(MemRefType)

    traits = traits_def(Pure())

    assembly_format = "attr-dict `:` type($result)"

    TYPE: ClassVar = MemRefType(i8, [DYNAMIC_INDEX], NoneAttr(), WORKGROUP)

    def __init__(self) -> None:
        super().__init__(result_types=[self.TYPE])

    def verify_(self) -> None:
        """Check C1."""
        if self.result.type != self.TYPE:
            raise VerifyException(f"gpu.dynamic_shared_memory: C1: {self.result.type} is not {self.TYPE}")


_CONVERSION = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?(?:hh|h|ll|l)?([diouxXeEfFgGc%])")


@irdl_op_definition
class PrintfOp(IRDLOperation):
    """Prints from a thread, by a format as in C.

    Constraints:
        C1: there is one argument for each conversion of the format.
        C2: arguments are integers or floats of 1 to 64 bits, or indices.

    Example:
        gpu.printf "thread %lld: %f", %t, %v : index, f32
    """

    name = "gpu.printf"

    format = prop_def(StringAttr)
    args = var_operand_def()

    traits = traits_def(MemoryWriteEffect())

    assembly_format = "$format (`,` $args^ `:` type($args))? attr-dict"

    def __init__(self, text: str, args: Sequence[SSAValue] = ()):
        super().__init__(operands=[args], properties={"format": StringAttr(text)})

    def verify_(self) -> None:
        """Check C1 and C2."""
        conversions = [c for c in _CONVERSION.findall(self.format.data) if c != "%"]
        if len(conversions) != len(self.args):
            raise VerifyException(f"gpu.printf: C1: {len(self.args)} arguments for {len(conversions)} conversions")
        for arg in self.args:
            if isinstance(arg.type, VectorType) or not (isinstance(arg.type, IndexType) or is_exchangeable(arg.type)):
                raise VerifyException(f"gpu.printf: C2: cannot print a {arg.type}")
