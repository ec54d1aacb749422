"""The `nvgpu` dialect: matrix units and asynchronous copies into shared memory, by MLIR's names and in its text.

What the lanes of a subgroup hold of a matrix (a fragment) is laid out as PTX's `mma.m16n8k16` and `ldmatrix` say. Of
MLIR's dialect these ops are here; without MLIR's demand that a wait names its group: a thread's groups complete in order.

```mlir
%t = nvgpu.device_async_copy %x[%i], %s[%j], 8 : memref<4096xf16> to memref<512xf16, #gpu.address_space<workgroup>>
%g = nvgpu.device_async_create_group %t
nvgpu.device_async_wait %g {numGroups = 0 : i32}
%a = nvgpu.ldmatrix %m[%r, %c] {numTiles = 4 : i32, transpose = false} : memref<64x64xf16, #gpu.address_space<workgroup>> -> vector<4x2xf16>
%d = nvgpu.mma.sync(%a, %b, %acc) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
```
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import (
    AnyFloat,
    ArrayAttr,
    BoolAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
    UnitAttr,
    VectorType,
    bf16,
    f16,
    f32,
    i16,
    i32,
    i64,
)
from xdsl.ir import Attribute, Dialect, ParametrizedAttribute, SSAValue, TypeAttribute
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
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
from stepwell.dialects.gpu import AddressSpace, address_space

COPY_BYTES = (4, 8, 16)
"""Bytes that one thread copies asynchronously at once."""

TILES = (1, 2, 4)
"""How many 8x8 tiles an `ldmatrix` reads."""

FRAGMENTS: dict[tuple[int, ...], tuple[tuple[int, int], tuple[int, int], tuple[int, int]]] = {
    (16, 8, 16): ((4, 2), (2, 2), (2, 2)),
    (16, 8, 8): ((2, 2), (1, 2), (2, 2)),
}
"""(M, N, K) of a matrix product: the vectors one lane holds of A, of B, and of C and D."""

PRODUCTS: dict[tuple[int, ...], tuple[tuple[Attribute, Attribute], ...]] = {
    (16, 8, 16): ((f16, f32), (bf16, f32), (f16, f16)),
    (16, 8, 8): ((f16, f32), (f16, f16)),
}
"""(M, N, K) of a matrix product: (type of A and B, type of C and D) that the matrix unit knows."""


@irdl_attr_definition
class DeviceAsyncTokenType(ParametrizedAttribute, TypeAttribute):
    """`!nvgpu.device.async.token`: an asynchronous copy, or a group of them."""

    name = "nvgpu.device.async.token"


def _check_access(op: IRDLOperation, label: str, memref: SSAValue, indices: Sequence[SSAValue]) -> None:
    """One index a dim, and neighbours along the last dim are neighbours in memory."""
    kind = memref.type
    assert isinstance(kind, MemRefType)
    if len(indices) != kind.get_num_dims():
        raise VerifyException(f"{op.name}: {label}: {len(indices)} indices for {kind}")
    strides = kind.get_strides()
    if not strides or strides[-1] != 1:
        raise VerifyException(f"{op.name}: {label}: {kind} has no last dim of stride 1")


@irdl_op_definition
class LdMatrixOp(IRDLOperation):
    """The lanes of a subgroup together read 8x8 tiles of 16-bit elements from shared memory.

    Semantics: lane `8 * t + r` addresses the start of row `r` of tile `t`, at a multiple of 16 bytes; lanes past the
    tiles read nothing. Of tile `t` lane `l` gets elements `2 * (l % 4)` and the one after of row `l / 4`, as
    `result[t]`; with `transpose` of the transposed tile.

    Constraints:
        C1: the source is in workgroup memory and has 16-bit elements (f16, bf16, i16).
        C2: there is one index a dim, and the last dim has stride 1.
        C3: there are 1, 2 or 4 tiles.
        C4: the result is `vector<numTiles x 2>` of the elements.

    Example:
        %a = nvgpu.ldmatrix %m[%i, %j] {numTiles = 4 : i32, transpose = false}
            : memref<64x64xf16, #gpu.address_space<workgroup>> -> vector<4x2xf16>
    """

    name = "nvgpu.ldmatrix"

    source = operand_def(MemRefType)
    indices = var_operand_def(IndexType())
    num_tiles = prop_def(IntegerAttr[IntegerType], prop_name="numTiles")
    transpose = prop_def(BoolAttr)
    result = result_def(VectorType)

    irdl_options = (ParsePropInAttrDict(),)
    traits = traits_def(MemoryReadEffect())

    assembly_format = "$source `[` $indices `]` attr-dict `:` type($source) `->` type($result)"

    def __init__(self, source: SSAValue, indices: Sequence[SSAValue], num_tiles: int, *, transpose: bool = False):
        assert isinstance(source.type, MemRefType)
        super().__init__(
            operands=[source, indices],
            result_types=[VectorType(source.type.element_type, [num_tiles, 2])],
            properties={"numTiles": IntegerAttr(num_tiles, i32), "transpose": BoolAttr.from_bool(transpose)},
        )

    def verify_(self) -> None:
        """Check C1 to C4."""
        source = self.source.type
        assert isinstance(source, MemRefType)
        if address_space(source) is not AddressSpace.WORKGROUP or source.element_type not in (f16, bf16, i16):
            raise VerifyException(f"nvgpu.ldmatrix: C1: {source} is not 16-bit elements in workgroup memory")
        _check_access(self, "C2", self.source, self.indices)
        tiles = self.num_tiles.value.data
        if tiles not in TILES:
            raise VerifyException(f"nvgpu.ldmatrix: C3: {tiles} tiles; 1, 2 or 4 are possible")
        expected = VectorType(source.element_type, [tiles, 2])
        if self.result.type != expected:
            raise VerifyException(f"nvgpu.ldmatrix: C4: the result {self.result.type} is not {expected}")


@irdl_op_definition
class MmaSyncOp(IRDLOperation):
    """The lanes of a subgroup together compute D = A * B + C on the matrix unit.

    Semantics: A is M x K, B is K x N, C and D are M x N, each spread over the lanes as PTX's `mma` says; products are
    exact, sums are rounded to the type of D in an order of the hardware's.

    Constraints:
        C1: `mmaShape` (M, N, K) is [16, 8, 16] or [16, 8, 8].
        C2: the vectors are a lane's parts: for [16, 8, 16] 4x2 of A, 2x2 of B, for [16, 8, 8] 2x2 and 1x2; 2x2 of C.
        C3: A and B are f16 and C is f32 or f16, or for [16, 8, 16] bf16 and f32.
        C4: the result has the type of C.

    Example:
        %d = nvgpu.mma.sync(%a, %b, %c) {mmaShape = [16, 8, 16]}
            : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
    """

    name = "nvgpu.mma.sync"

    a = operand_def(VectorType)
    b = operand_def(VectorType)
    c = operand_def(VectorType)
    mma_shape = prop_def(ArrayAttr[IntegerAttr[IntegerType]], prop_name="mmaShape")
    result = result_def(VectorType)

    irdl_options = (ParsePropInAttrDict(),)
    traits = traits_def(Pure())

    assembly_format = (
        "`` `(` $a `,` $b `,` $c `)` attr-dict `:` `(` type($a) `,` type($b) `,` type($c) `)` `->` type($result)"
    )

    def __init__(self, a: SSAValue, b: SSAValue, c: SSAValue, shape: Sequence[int] = (16, 8, 16)):
        super().__init__(
            operands=[a, b, c],
            result_types=[c.type],
            properties={"mmaShape": ArrayAttr([IntegerAttr(n, i64) for n in shape])},
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """(M, N, K)."""
        return tuple(n.value.data for n in self.mma_shape.data)

    def verify_(self) -> None:
        """Check C1 to C4."""
        shape = self.shape
        if shape not in FRAGMENTS:
            raise VerifyException(f"nvgpu.mma.sync: C1: shape {list(shape)} is not [16, 8, 16] or [16, 8, 8]")
        elements: list[Attribute] = []
        for label, operand, expected in zip("ABC", self.operands, FRAGMENTS[shape], strict=True):
            kind = operand.type
            assert isinstance(kind, VectorType)
            if kind.get_shape() != expected or kind.get_num_scalable_dims():
                size = "x".join(map(str, expected))
                raise VerifyException(
                    f"nvgpu.mma.sync: C2: {label} is {kind}, not {size} elements as of shape {list(shape)}"
                )
            elements.append(kind.element_type)
        if elements[0] != elements[1] or (elements[0], elements[2]) not in PRODUCTS[shape]:
            raise VerifyException(
                f"nvgpu.mma.sync: C3: {elements[0]} * {elements[1]} + {elements[2]} is not a product of shape {list(shape)}"
            )
        if self.result.type != self.c.type:
            raise VerifyException(f"nvgpu.mma.sync: C4: the result {self.result.type} is not of the type {self.c.type}")


@irdl_op_definition
class DeviceAsyncCopyOp(IRDLOperation):
    """A thread starts to copy some elements from global into workgroup memory.

    Semantics: with `src_elements` only so many are read, the rest is zero. Both addresses are multiples of the bytes
    copied. The copy is complete when the group it is put into is waited for; until then the source may not be written
    nor the destination touched.

    Constraints:
        C1: both have one element type, of whole bytes.
        C2: the source is in global memory, the destination in workgroup memory.
        C3: there is one index a dim, and the last dim of both has stride 1.
        C4: 4, 8 or 16 bytes are copied; `bypassL1` needs 16.
        C5: a constant `src_elements` is at least 0 and at most the elements copied.

    Example:
        %t = nvgpu.device_async_copy %x[%i], %s[%j], 8, %n
            : memref<4096xf16> to memref<512xf16, #gpu.address_space<workgroup>>
    """

    name = "nvgpu.device_async_copy"

    src = operand_def(MemRefType)
    src_indices = var_operand_def(IndexType())
    dst = operand_def(MemRefType)
    dst_indices = var_operand_def(IndexType())
    dst_elements = prop_def(IntegerAttr[IndexType], prop_name="dstElements")
    src_elements = opt_operand_def(IndexType())
    bypass_l1 = opt_prop_def(UnitAttr, prop_name="bypassL1")
    token = result_def(DeviceAsyncTokenType())

    irdl_options = (AttrSizedOperandSegments(as_property=True), ParsePropInAttrDict())
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = (
        "$src `[` $src_indices `]` `,` $dst `[` $dst_indices `]` `,` $dstElements (`,` $src_elements^)? attr-dict "
        "`:` type($src) `to` type($dst)"
    )

    def __init__(
        self,
        src: SSAValue,
        src_indices: Sequence[SSAValue],
        dst: SSAValue,
        dst_indices: Sequence[SSAValue],
        elements: int,
        src_elements: SSAValue | None = None,
        *,
        bypass_l1: bool = False,
    ):
        super().__init__(
            operands=[src, src_indices, dst, dst_indices, src_elements],
            result_types=[DeviceAsyncTokenType()],
            properties={
                "dstElements": IntegerAttr(elements, IndexType()),
                "bypassL1": UnitAttr() if bypass_l1 else None,
            },
        )

    @property
    def elements(self) -> int:
        """How many elements are written."""
        return self.dst_elements.value.data

    @property
    def bytes(self) -> int:
        """How many bytes are written."""
        assert isinstance(self.dst.type, MemRefType)
        return self.elements * _element_bytes(self.dst.type)

    def verify_(self) -> None:
        """Check C1 to C5."""
        src, dst = self.src.type, self.dst.type
        assert isinstance(src, MemRefType)
        assert isinstance(dst, MemRefType)
        if src.element_type != dst.element_type or not _element_bytes(dst):
            raise VerifyException(f"nvgpu.device_async_copy: C1: cannot copy elements of {src} to {dst}")
        if address_space(src) is not AddressSpace.GLOBAL or address_space(dst) is not AddressSpace.WORKGROUP:
            raise VerifyException(f"nvgpu.device_async_copy: C2: {src} to {dst} is not from global to workgroup memory")
        _check_access(self, "C3", self.src, self.src_indices)
        _check_access(self, "C3", self.dst, self.dst_indices)
        if self.bytes not in COPY_BYTES or (self.bypass_l1 is not None and self.bytes != COPY_BYTES[-1]):
            allowed = "16 with bypassL1" if self.bypass_l1 is not None else "4, 8 or 16"
            raise VerifyException(f"nvgpu.device_async_copy: C4: {self.bytes} bytes; {allowed} are possible")
        read = None if self.src_elements is None else int_of(constant_of(self.src_elements))
        if read is not None and not 0 <= read <= self.elements:
            raise VerifyException(f"nvgpu.device_async_copy: C5: {read} of {self.elements} elements are read")


def _element_bytes(kind: MemRefType) -> int:
    """Bytes of an element; 0 for elements that are not whole bytes."""
    element = kind.element_type
    if not isinstance(element, IntegerType | AnyFloat) or element.bitwidth % 8:
        return 0
    return element.bitwidth // 8


@irdl_op_definition
class DeviceAsyncCreateGroupOp(IRDLOperation):
    """Makes one group of all asynchronous copies this thread has started since its last group.

    Semantics: as PTX's `cp.async.commit_group`: the tokens listed only say so.

    Example:
        %g = nvgpu.device_async_create_group %t, %u
    """

    name = "nvgpu.device_async_create_group"

    tokens = var_operand_def(DeviceAsyncTokenType())
    group = result_def(DeviceAsyncTokenType())

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    def __init__(self, tokens: Sequence[SSAValue] = ()):
        super().__init__(operands=[tokens], result_types=[DeviceAsyncTokenType()])

    @classmethod
    def parse(cls, parser: Parser) -> DeviceAsyncCreateGroupOp:
        """Parse `%t, %u {attributes}`; without tokens `{}`."""
        tokens = parser.parse_optional_undelimited_comma_separated_list(
            parser.parse_optional_unresolved_operand, parser.parse_unresolved_operand
        )
        position = parser.pos
        attributes = parser.parse_optional_attr_dict()
        given = tokens or []
        op = cls(parser.resolve_operands(given, [DeviceAsyncTokenType()] * len(given), position))
        op.attributes.update(attributes)
        return op

    def print(self, printer: Printer) -> None:
        """Print what `parse` reads: `{}` keeps the name of the next line's result from being taken for a token."""
        if self.tokens:
            printer.print_string(" ")
            printer.print_list(self.tokens, printer.print_ssa_value)
        if self.attributes:
            printer.print_op_attributes(self.attributes)
        elif not self.tokens:
            printer.print_string(" {}")


@irdl_op_definition
class DeviceAsyncWaitOp(IRDLOperation):
    """Waits until all but the latest `numGroups` groups of this thread are complete; without it until all are.

    Semantics: as PTX's `cp.async.wait_group`: what other threads copied is seen after a barrier only.

    Constraints:
        C1: `numGroups` is not negative.

    Example:
        nvgpu.device_async_wait %g {numGroups = 1 : i32}
    """

    name = "nvgpu.device_async_wait"

    group = opt_operand_def(DeviceAsyncTokenType())
    num_groups = opt_prop_def(IntegerAttr[IntegerType], prop_name="numGroups")

    irdl_options = (ParsePropInAttrDict(),)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = "($group^)? attr-dict"

    def __init__(self, num_groups: int | None = None, group: SSAValue | None = None):
        super().__init__(
            operands=[group],
            properties={"numGroups": None if num_groups is None else IntegerAttr(num_groups, i32)},
        )

    @property
    def pending(self) -> int:
        """How many groups may still be incomplete after it."""
        return 0 if self.num_groups is None else self.num_groups.value.data

    def verify_(self) -> None:
        """Check C1."""
        if self.pending < 0:
            raise VerifyException(f"nvgpu.device_async_wait: C1: {self.pending} groups")


Nvgpu = Dialect(
    "nvgpu",
    [DeviceAsyncCopyOp, DeviceAsyncCreateGroupOp, DeviceAsyncWaitOp, LdMatrixOp, MmaSyncOp],
    [DeviceAsyncTokenType],
)
