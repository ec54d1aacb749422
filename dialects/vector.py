"""The `vector` dialect: upstream's ops and those of MLIR's that schedules need and upstream lacks.

Added, in MLIR's syntax: `contract`, `outerproduct`, `transpose`, `shape_cast`, `gather`, `scatter`, `multi_reduction`,
`extract_strided_slice`, `insert_strided_slice`, `constant_mask`, `step`. All are pure, except gather and scatter on memrefs.
Offsets of `gather` and `scatter` count elements from the addressed one in row-major order, as MLIR's lowering does, so
they may cross rows of a contiguous base.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import ClassVar

from xdsl.dialects import vector as upstream
from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    DenseArrayBase,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
    StringAttr,
    TensorType,
    VectorType,
    i1,
    i64,
)
from xdsl.dialects.vector import CombiningKindAttr, CombiningKindFlag
from xdsl.ir import Attribute, Dialect, Operation, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineMap
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    ParsePropInAttrDict,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_result_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect, Pure
from xdsl.utils.exceptions import VerifyException

Value = SSAValue | Operation


def integer_array(values: Sequence[int]) -> ArrayAttr[IntegerAttr]:
    """`[1, 2]` as MLIR's array of i64 attributes."""
    return ArrayAttr(IntegerAttr(v, i64) for v in values)


def integers(attribute: ArrayAttr[IntegerAttr]) -> tuple[int, ...]:
    """The Python integers of an array of integer attributes."""
    return tuple(a.value.data for a in attribute.data)


def vector_shape(value: SSAValue) -> tuple[int, ...]:
    """The shape of a vector value; `()` for a scalar."""
    return value.type.get_shape() if isinstance(value.type, VectorType) else ()


def element_type(value: SSAValue) -> Attribute:
    """The element type of a shaped value, or the type itself of a scalar."""
    kind = value.type
    return kind.element_type if isinstance(kind, VectorType | TensorType | MemRefType) else kind


class _ReadEffectOnMemRef(MemoryReadEffect):
    """Reads when the base is a memref; a tensor is a value."""

    @classmethod
    def get_effects(cls, op: Operation):
        return set() if isinstance(op.operands[0].type, TensorType) else super().get_effects(op)


class _WriteEffectOnMemRef(MemoryWriteEffect):
    """Writes when the base is a memref; on a tensor the result is a new value."""

    @classmethod
    def get_effects(cls, op: Operation):
        return set() if isinstance(op.operands[0].type, TensorType) else super().get_effects(op)


@irdl_op_definition
class ContractOp(IRDLOperation):
    """Sum of products over the iteration space that two vectors and an accumulator span.

    Semantics: `acc[acc_map(i)] kind= lhs[lhs_map(i)] * rhs[rhs_map(i)]` for every point i; the reduction may be done
    in any order, and a multiply-add may be fused.
    Constraints: C1. three maps, one per operand, each a projected permutation of the iterators. C2. every iterator has
    one extent. C3. the result has the accumulator's type.
    """

    name = "vector.contract"

    lhs = operand_def(VectorType)
    rhs = operand_def(VectorType)
    acc = operand_def()
    indexing_maps = prop_def(ArrayAttr[AffineMapAttr])
    iterator_types = prop_def(ArrayAttr[StringAttr])
    kind = prop_def(CombiningKindAttr)
    result = result_def()

    traits = traits_def(Pure())

    def __init__(
        self,
        lhs: Value,
        rhs: Value,
        acc: Value,
        indexing_maps: Sequence[AffineMap],
        iterator_types: Sequence[str],
        kind: CombiningKindFlag = CombiningKindFlag.ADD,
    ):
        acc = SSAValue.get(acc)
        super().__init__(
            operands=[lhs, rhs, acc],
            result_types=[acc.type],
            properties={
                "indexing_maps": ArrayAttr(AffineMapAttr(m) for m in indexing_maps),
                "iterator_types": ArrayAttr(StringAttr(t) for t in iterator_types),
                "kind": CombiningKindAttr(kind),
            },
        )

    def verify_(self):
        """C1-C3."""
        maps = tuple(m.data for m in self.indexing_maps.data)
        if len(maps) != 3:
            raise VerifyException(f"vector.contract: C1: expected 3 indexing maps, got {len(maps)}")
        extents: dict[int, int] = {}
        for value, amap in zip((self.lhs, self.rhs, self.acc), maps, strict=True):
            shape = vector_shape(value)
            if amap.num_dims != len(self.iterator_types.data) or len(amap.results) != len(shape):
                raise VerifyException(f"vector.contract: C1: map {amap} does not fit operand {value.type}")
            for expr, size in zip(amap.results, shape, strict=True):
                if not isinstance(expr, AffineDimExpr):
                    raise VerifyException(f"vector.contract: C1: map {amap} is not a projected permutation")
                if extents.setdefault(expr.position, size) != size:
                    raise VerifyException(
                        f"vector.contract: C2: iterator d{expr.position} has extents {extents[expr.position]} and {size}"
                    )
        if self.result.type != self.acc.type:
            raise VerifyException(f"vector.contract: C3: result {self.result.type} but accumulator {self.acc.type}")

    def print(self, printer: Printer):
        """`{maps, iterators, kind} %lhs, %rhs, %acc : types into type`."""
        printer.print_op_attributes(self.attributes | self.properties)
        printer.print_string(" ")
        printer.print_list(self.operands, printer.print_ssa_value)
        printer.print_string(" : ")
        printer.print_attribute(self.lhs.type)
        printer.print_string(", ")
        printer.print_attribute(self.rhs.type)
        printer.print_string(" into ")
        printer.print_attribute(self.result.type)

    @classmethod
    def parse(cls, parser: Parser) -> ContractOp:
        """Inverse of `print`."""
        attributes = parser.parse_optional_attr_dict()
        names: list[str] = ["indexing_maps", "iterator_types", "kind"]
        for name in names:
            if name not in attributes and name != "kind":
                parser.raise_error(f"vector.contract: expected attribute '{name}'")
        attributes.setdefault("kind", CombiningKindAttr(CombiningKindFlag.ADD))
        operands = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_unresolved_operand)
        position = parser.pos
        if len(operands) != 3:
            parser.raise_error("vector.contract: expected 3 operands")
        parser.parse_punctuation(":")
        lhs = parser.parse_type()
        parser.parse_punctuation(",")
        rhs = parser.parse_type()
        parser.parse_keyword("into")
        result = parser.parse_type()
        return cls.create(
            operands=parser.resolve_operands(operands, (lhs, rhs, result), position),
            result_types=[result],
            properties={name: attributes.pop(name) for name in names},
            attributes=attributes,
        )


@irdl_op_definition
class OuterProductOp(IRDLOperation):
    """Outer product of two vectors (or vector times scalar), combined with an accumulator.

    Semantics: `result[i, j] = acc[i, j] kind (lhs[i] * rhs[j])`; may be fused.
    Constraints: C1. the result's shape is lhs's followed by rhs's.
    """

    name = "vector.outerproduct"

    lhs = operand_def(VectorType)
    rhs = operand_def()
    acc = opt_operand_def(VectorType)
    kind = prop_def(CombiningKindAttr, default_value=CombiningKindAttr(CombiningKindFlag.ADD))
    result = result_def(VectorType)

    irdl_options = (ParsePropInAttrDict(),)
    traits = traits_def(Pure())

    def __init__(
        self, lhs: Value, rhs: Value, acc: Value | None = None, kind: CombiningKindFlag = CombiningKindFlag.ADD
    ):
        lhs, rhs = SSAValue.get(lhs), SSAValue.get(rhs)
        super().__init__(
            operands=[lhs, rhs, acc],
            result_types=[VectorType(element_type(lhs), vector_shape(lhs) + vector_shape(rhs))],
            properties={"kind": CombiningKindAttr(kind)},
        )

    def verify_(self):
        """C1."""
        shape = vector_shape(self.lhs) + vector_shape(self.rhs)
        if vector_shape(self.result) != shape or (self.acc is not None and vector_shape(self.acc) != shape):
            raise VerifyException(f"vector.outerproduct: C1: result {self.result.type} should have shape {shape}")

    def print(self, printer: Printer):
        """`%lhs, %rhs, %acc {kind} : types`."""
        printer.print_string(" ")
        printer.print_list(self.operands, printer.print_ssa_value)
        printer.print_op_attributes(self.attributes | self.properties)
        printer.print_string(" : ")
        printer.print_list((self.lhs.type, self.rhs.type), printer.print_attribute)

    @classmethod
    def parse(cls, parser: Parser) -> OuterProductOp:
        """Inverse of `print`."""
        operands = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_unresolved_operand)
        attributes = parser.parse_optional_attr_dict()
        kind = attributes.pop("kind", CombiningKindAttr(CombiningKindFlag.ADD))
        parser.parse_punctuation(":")
        lhs = parser.parse_type()
        parser.parse_punctuation(",")
        rhs = parser.parse_type()
        if not isinstance(lhs, VectorType):
            parser.raise_error("vector.outerproduct: expected a vector type")
        tail = rhs.get_shape() if isinstance(rhs, VectorType) else ()
        result = VectorType(lhs.element_type, (*lhs.get_shape(), *tail))
        values = parser.resolve_operands(operands, (lhs, rhs, result)[: len(operands)], parser.pos)
        return cls.create(operands=values, result_types=[result], properties={"kind": kind}, attributes=attributes)


@irdl_op_definition
class TransposeOp(IRDLOperation):
    """Permute the dimensions of a vector: dim i of the result is dim `permutation[i]` of the source.

    Constraints: C1. `permutation` permutes the source's dims, and the result's shape follows it.
    """

    name = "vector.transpose"

    vector = operand_def(VectorType)
    permutation = prop_def(DenseArrayBase.constr(i64))
    result = result_def(VectorType)

    assembly_format = "$vector `,` $permutation attr-dict `:` type($vector) `to` type($result)"
    traits = traits_def(Pure())

    def __init__(self, vector: Value, permutation: Sequence[int]):
        vector = SSAValue.get(vector)
        shape = vector_shape(vector)
        super().__init__(
            operands=[vector],
            result_types=[VectorType(element_type(vector), [shape[p] for p in permutation])],
            properties={"permutation": DenseArrayBase.from_list(i64, permutation)},
        )

    def verify_(self):
        """C1."""
        shape, permutation = vector_shape(self.vector), self.permutation.get_values()
        if sorted(permutation) != list(range(len(shape))):
            raise VerifyException(f"vector.transpose: C1: {permutation} does not permute {self.vector.type}")
        if vector_shape(self.result) != tuple(shape[p] for p in permutation):
            raise VerifyException(f"vector.transpose: C1: result {self.result.type} does not follow {permutation}")


@irdl_op_definition
class ShapeCastOp(IRDLOperation):
    """Same elements in row-major order, another shape.

    Constraints: C1. as many elements of the same type.
    """

    name = "vector.shape_cast"

    source = operand_def(VectorType)
    result = result_def(VectorType)

    assembly_format = "$source attr-dict `:` type($source) `to` type($result)"
    traits = traits_def(Pure())

    def __init__(self, source: Value, result_type: VectorType):
        super().__init__(operands=[source], result_types=[result_type])

    def verify_(self):
        """C1."""
        if prod(vector_shape(self.source)) != prod(vector_shape(self.result)) or element_type(
            self.source
        ) != element_type(self.result):
            raise VerifyException(f"vector.shape_cast: C1: cannot cast {self.source.type} to {self.result.type}")


@irdl_op_definition
class GatherOp(IRDLOperation):
    """Read elements at offsets from `base[indices]`, where the mask is set; elsewhere `pass_thru`.

    Semantics: `result[i] = mask[i] ? base_flat[position(indices) + index_vec[i]] : pass_thru[i]`, offsets counting in
    row-major order. A masked-off lane reads nothing.
    Constraints: C1. one index per base dim. C2. mask, offsets, pass_thru and result have one shape.
    """

    name = "vector.gather"

    base = operand_def(MemRefType | TensorType)
    indices = var_operand_def(IndexType)
    index_vec = operand_def(VectorType)
    mask = operand_def(VectorType)
    pass_thru = operand_def(VectorType)
    result = result_def(VectorType)

    assembly_format = (
        "$base `[` $indices `]` `[` $index_vec `]` `,` $mask `,` $pass_thru attr-dict `:` type($base) `,` "
        "type($index_vec) `,` type($mask) `,` type($pass_thru) `into` type($result)"
    )
    traits = traits_def(_ReadEffectOnMemRef())

    def __init__(self, base: Value, indices: Sequence[Value], index_vec: Value, mask: Value, pass_thru: Value):
        pass_thru = SSAValue.get(pass_thru)
        super().__init__(operands=[base, indices, index_vec, mask, pass_thru], result_types=[pass_thru.type])

    def verify_(self):
        """C1, C2."""
        _verify_indexed(self, self.base, self.indices, (self.index_vec, self.mask, self.pass_thru, self.result))


@irdl_op_definition
class ScatterOp(IRDLOperation):
    """Write elements at offsets from `base[indices]`, where the mask is set, in lane order.

    Semantics: `base_flat[position(indices) + index_vec[i]] = value[i]` for i rising where `mask[i]`; on a tensor the
    result is the new tensor.
    Constraints: C1. one index per base dim. C2. mask, offsets and value have one shape. C3. a result iff base is a tensor.
    """

    name = "vector.scatter"

    base = operand_def(MemRefType | TensorType)
    indices = var_operand_def(IndexType)
    index_vec = operand_def(VectorType)
    mask = operand_def(VectorType)
    value = operand_def(VectorType)
    result = opt_result_def(TensorType)

    assembly_format = (
        "$base `[` $indices `]` `[` $index_vec `]` `,` $mask `,` $value attr-dict `:` type($base) `,` "
        "type($index_vec) `,` type($mask) `,` type($value) (`->` type($result)^)?"
    )
    traits = traits_def(_WriteEffectOnMemRef())

    def __init__(self, base: Value, indices: Sequence[Value], index_vec: Value, mask: Value, value: Value):
        base = SSAValue.get(base)
        super().__init__(
            operands=[base, indices, index_vec, mask, value],
            result_types=[base.type if isinstance(base.type, TensorType) else None],
        )

    def verify_(self):
        """C1-C3."""
        _verify_indexed(self, self.base, self.indices, (self.index_vec, self.mask, self.value))
        if isinstance(self.base.type, TensorType) != (self.result is not None):
            raise VerifyException("vector.scatter: C3: a tensor base needs a result, a memref has none")


def _verify_indexed(op: Operation, base: SSAValue, indices: Sequence[SSAValue], vectors: Sequence[SSAValue]) -> None:
    assert isinstance(base.type, MemRefType | TensorType)
    if len(indices) != base.type.get_num_dims():
        raise VerifyException(f"{op.name}: C1: {len(indices)} indices for {base.type}")
    shapes = [vector_shape(v) for v in vectors]
    if any(s != shapes[0] for s in shapes):
        raise VerifyException(f"{op.name}: C2: vectors of different shapes: {', '.join(str(v.type) for v in vectors)}")
    if element_type(vectors[1]) != i1:
        raise VerifyException(f"{op.name}: C2: mask {vectors[1].type} is not of i1")


@irdl_op_definition
class MultiReductionOp(IRDLOperation):
    """Reduce some dims of a vector into an accumulator, in any order.

    Constraints: C1. the result's shape is the source's without the reduced dims.
    """

    name = "vector.multi_reduction"

    T: ClassVar = VarConstraint("T", AnyAttr())

    kind = prop_def(CombiningKindAttr)
    source = operand_def(VectorType)
    acc = operand_def(T)
    reduction_dims = prop_def(DenseArrayBase.constr(i64))
    dest = result_def(T)

    assembly_format = "$kind `,` $source `,` $acc $reduction_dims attr-dict `:` type($source) `to` type($dest)"
    traits = traits_def(Pure())

    def __init__(self, source: Value, acc: Value, dims: Sequence[int], kind: CombiningKindFlag):
        acc = SSAValue.get(acc)
        super().__init__(
            operands=[source, acc],
            result_types=[acc.type],
            properties={"kind": CombiningKindAttr(kind), "reduction_dims": DenseArrayBase.from_list(i64, dims)},
        )

    def verify_(self):
        """C1."""
        dims = self.reduction_dims.get_values()
        kept = tuple(s for i, s in enumerate(vector_shape(self.source)) if i not in dims)
        if vector_shape(self.dest) != kept or self.acc.type != self.dest.type:
            raise VerifyException(
                f"vector.multi_reduction: C1: {self.source.type} reduced over {dims} is not {self.dest.type}"
            )


@irdl_op_definition
class ExtractStridedSliceOp(IRDLOperation):
    """A rectangular piece of a vector, by static offsets, sizes and unit strides of its leading dims.

    Constraints: C1. the piece lies inside the source and has the result's shape.
    """

    name = "vector.extract_strided_slice"

    source = operand_def(VectorType)
    offsets = prop_def(ArrayAttr[IntegerAttr])
    sizes = prop_def(ArrayAttr[IntegerAttr])
    strides = prop_def(ArrayAttr[IntegerAttr])
    result = result_def(VectorType)

    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$source attr-dict `:` type($source) `to` type($result)"
    traits = traits_def(Pure())

    def __init__(self, source: Value, offsets: Sequence[int], sizes: Sequence[int]):
        source = SSAValue.get(source)
        shape = (*sizes, *vector_shape(source)[len(sizes) :])
        super().__init__(
            operands=[source],
            result_types=[VectorType(element_type(source), shape)],
            properties={
                "offsets": integer_array(offsets),
                "sizes": integer_array(sizes),
                "strides": integer_array([1] * len(offsets)),
            },
        )

    def verify_(self):
        """C1."""
        source, sizes, offsets = vector_shape(self.source), integers(self.sizes), integers(self.offsets)
        fits = all(o >= 0 and o + n <= s for o, n, s in zip(offsets, sizes, source, strict=False))
        if len(sizes) > len(source) or not fits or vector_shape(self.result) != sizes + source[len(sizes) :]:
            raise VerifyException(
                f"vector.extract_strided_slice: C1: offsets {offsets}, sizes {sizes} of {self.source.type} "
                f"do not make {self.result.type}"
            )
        if any(s != 1 for s in integers(self.strides)):
            raise VerifyException("vector.extract_strided_slice: C1: strides must be 1")


@irdl_op_definition
class InsertStridedSliceOp(IRDLOperation):
    """Replace a rectangular piece of a vector, at static offsets.

    Constraints: C1. the source fits at the offsets inside the destination, aligned to its trailing dims.
    """

    name = "vector.insert_strided_slice"

    source = operand_def(VectorType)
    dest = operand_def(VectorType)
    offsets = prop_def(ArrayAttr[IntegerAttr])
    strides = prop_def(ArrayAttr[IntegerAttr])
    result = result_def(VectorType)

    irdl_options = (ParsePropInAttrDict(),)

    def __init__(self, source: Value, dest: Value, offsets: Sequence[int]):
        source, dest = SSAValue.get(source), SSAValue.get(dest)
        super().__init__(
            operands=[source, dest],
            result_types=[dest.type],
            properties={
                "offsets": integer_array(offsets),
                "strides": integer_array([1] * len(vector_shape(source))),
            },
        )

    assembly_format = "$source `,` $dest attr-dict `:` type($source) `into` type($dest) `->` type($result)"
    traits = traits_def(Pure())

    def verify_(self):
        """C1."""
        source, dest, offsets = vector_shape(self.source), vector_shape(self.dest), integers(self.offsets)
        padded = (1,) * (len(dest) - len(source)) + source
        if len(offsets) != len(dest) or any(o < 0 or o + n > d for o, n, d in zip(offsets, padded, dest, strict=True)):
            raise VerifyException(
                f"vector.insert_strided_slice: C1: {self.source.type} does not fit {self.dest.type} at {offsets}"
            )


@irdl_op_definition
class ConstantMaskOp(IRDLOperation):
    """A mask whose leading `mask_dim_sizes` lanes per dim are set.

    Constraints: C1. one size per dim, between 0 and the dim.
    """

    name = "vector.constant_mask"

    mask_dim_sizes = prop_def(DenseArrayBase.constr(i64))
    result = result_def(VectorType)

    assembly_format = "$mask_dim_sizes attr-dict `:` type($result)"
    traits = traits_def(Pure())

    def __init__(self, sizes: Sequence[int], shape: Sequence[int]):
        super().__init__(
            result_types=[VectorType(i1, shape)],
            properties={"mask_dim_sizes": DenseArrayBase.from_list(i64, sizes)},
        )

    def verify_(self):
        """C1."""
        sizes, shape = self.mask_dim_sizes.get_values(), vector_shape(self.result)
        if len(sizes) != len(shape) or any(not 0 <= n <= d for n, d in zip(sizes, shape, strict=True)):
            raise VerifyException(f"vector.constant_mask: C1: sizes {sizes} do not fit {self.result.type}")
        if element_type(self.result) != i1:
            raise VerifyException(f"vector.constant_mask: C1: {self.result.type} is not of i1")


@irdl_op_definition
class StepOp(IRDLOperation):
    """The vector 0, 1, 2, ... of indices (or, as an extension, of integers).

    Constraints: C1. a 1-D vector of index or integers.
    """

    name = "vector.step"

    result = result_def(VectorType)

    assembly_format = "attr-dict `:` type($result)"
    traits = traits_def(Pure())

    def __init__(self, length: int, element: Attribute | None = None):
        super().__init__(result_types=[VectorType(element if element is not None else IndexType(), [length])])

    def verify_(self):
        """C1."""
        if len(vector_shape(self.result)) != 1 or not isinstance(element_type(self.result), IndexType | IntegerType):
            raise VerifyException(f"vector.step: C1: {self.result.type} is not a 1-D vector of indices")


_ADDED = [
    ConstantMaskOp,
    ContractOp,
    ExtractStridedSliceOp,
    GatherOp,
    InsertStridedSliceOp,
    MultiReductionOp,
    OuterProductOp,
    ScatterOp,
    ShapeCastOp,
    StepOp,
    TransposeOp,
]


def _keep_other_attributes(op_class: type[upstream.TransferReadOp | upstream.TransferWriteOp]) -> None:
    """Let a transfer keep, when parsed, attributes that are not its own (`async`, `alignment`); upstream drops them."""
    read = op_class.parse

    def parse(cls: type[Operation], parser: Parser) -> Operation:
        del cls
        seen: dict[str, Attribute] = {}
        parse_attributes = parser.parse_optional_attr_dict

        def remember() -> dict[str, Attribute]:
            seen.update(parse_attributes())
            return seen

        parser.parse_optional_attr_dict = remember
        try:
            op = read(parser)
        finally:
            parser.parse_optional_attr_dict = parse_attributes
        op.attributes.update({name: value for name, value in seen.items() if name not in op.properties})
        return op

    op_class.parse = classmethod(parse)  # pyright: ignore[reportAttributeAccessIssue]


_keep_other_attributes(upstream.TransferReadOp)
_keep_other_attributes(upstream.TransferWriteOp)

Vector = Dialect("vector", [*upstream.Vector.operations, *_ADDED], [*upstream.Vector.attributes])
