"""`structured.attention`: sums of values weighted by the softmax of scores, with the scores never in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects.builtin import (
    AffineMapAttr,
    AnyFloat,
    ArrayAttr,
    DenseArrayBase,
    Float32Type,
    Float64Type,
    FloatAttr,
    IndexType,
    IntegerAttr,
    MemRefType,
    TensorType,
    i64,
)
from xdsl.ir import Attribute, Region, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineMap
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    var_operand_def,
)
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects.linalg import expression_range
from stepwell.dialects.structured_base import (
    StructuredOp,
    element_type_of,
    i64_array,
    results_of,
    shape_of,
)

INNER = 4
"""The dims after the batch dims: query, key, depth, column."""


def verify_reads(
    op: StructuredOp,
    batch: int,
    extents: Sequence[int],
    reads: Sequence[tuple[SSAValue, AffineMap, Sequence[int]]],
) -> None:
    """C2: each operand's map uses batch dims and the dims given with it, and stays inside of the tensor."""
    for number, (value, amap, allowed) in enumerate(reads):
        shape = shape_of(value)
        used = {d for e in amap.results for d in e.used_dims() if d >= batch}
        if len(shape) != len(amap.results) or not used <= set(allowed):
            raise VerifyException(f"{op.name}: C2: map {amap} does not fit operand {number} ({value.type})")
        if 0 in extents:
            continue
        for expr, size in zip(amap.results, shape, strict=True):
            low, high = expression_range(expr, extents)
            if low < 0 or high >= size:
                raise VerifyException(
                    f"{op.name}: C2: index {expr} of operand {number} runs from {low} to {high}, outside of {value.type}"
                )


def verify_scalar_ops(op: StructuredOp, region: Region) -> None:
    """C4: a region on scores has arith and math ops alone."""
    for inner in region.block.ops:
        if inner is not region.block.last_op and (inner.regions or not inner.name.startswith(("arith.", "math."))):
            raise VerifyException(f"{op.name}: C4: the region has {inner.name}: only arith and math ops may be")


@irdl_op_definition
class AttentionOp(StructuredOp):
    """Scaled dot product attention and its relatives, over dims `(batch..., query, key, depth, column)`.

    Semantics: `s[b, q, k] = sum_d Q[b, q, d] * K[b, k, d]`, in the type of the region's first argument; the region makes of
    a score, its query and key numbers and the elements of the `extra` operands there (masks, biases) the score to use; with
    `causal = c` it is `fill` wherever `k > q + c`. Then `w[b, q, k] = exp(s[b, q, k] - max_k s)` and
    `O[b, q, c] = sum_k w[b, q, k] * V[b, k, c] / sum_k w[b, q, k]`. `indexing_maps` place the elements of each operand in its
    tensor, `sizes` are the extents of the dims. Whoever carries it out may reassociate the sums, and divide before or after
    the last one (docs/floating-point.md). A row whose scores are all -inf, or that has a NaN or +inf, is NaN; one without keys
    is 0.

    Constraints:
        C1: one map per operand, over all dims, and as many sizes as dims: none of them negative.
        C2: query, key and value are indexed by (batch, query, depth), (batch, key, depth) and (batch, key, column) dims only,
            each extra by batch, query and key dims only, and every index is inside of its tensor.
        C3: the destination's map permutes the batch, query and column dims, with column last, and has their extents.
        C4: the region takes a score (f32 or f64), two indices (query, key), and an element of each extra; it yields a score,
            by arith and math ops alone.
        C5: `causal` and `fill` come together, and fill is a score.
        C6: query, key, value and destination have float elements, none wider than a score.

    Example:
        ```mlir
        %o = structured.attention ins(%q, %k, %v : tensor<8x64x16xf32>, tensor<8x64x16xf32>, tensor<8x64x16xf32>)
            outs(%e : tensor<8x64x16xf32>) {causal = 0 : i64, fill = -1.0e9 : f32, sizes = array<i64: 8, 64, 64, 16, 16>,
            indexing_maps = [affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (b, k, d)>,
                             affine_map<(b, q, k, d, c) -> (b, k, c)>, affine_map<(b, q, k, d, c) -> (b, q, c)>]} {
        ^bb0(%s: f32, %i: index, %j: index):
          %scale = arith.constant 0.25 : f32
          %t = arith.mulf %s, %scale : f32
          structured.yield %t : f32
        } -> tensor<8x64x16xf32>
        ```
    """

    name = "structured.attention"
    query = operand_def(TensorType | MemRefType)
    key = operand_def(TensorType | MemRefType)
    value = operand_def(TensorType | MemRefType)
    extras = var_operand_def(TensorType | MemRefType)
    out = operand_def(TensorType | MemRefType)
    indexing_maps = prop_def(ArrayAttr[AffineMapAttr])
    sizes = prop_def(DenseArrayBase.constr(i64))
    causal = opt_prop_def(IntegerAttr.constr(i64))
    fill = opt_prop_def(FloatAttr)
    score = region_def("single_block")
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        operands: tuple[SSAValue, SSAValue, SSAValue],
        extras: Sequence[SSAValue],
        out: SSAValue,
        maps: Sequence[AffineMap],
        sizes: Sequence[int],
        score: Region,
        mask: tuple[int, FloatAttr[Any]] | None = None,
    ):
        """`operands` are query, key and value; `mask` is (`causal`, `fill`)."""
        properties: dict[str, Attribute | None] = {
            "indexing_maps": ArrayAttr(AffineMapAttr(m) for m in maps),
            "sizes": i64_array(sizes),
            "causal": None if mask is None else IntegerAttr(mask[0], i64),
            "fill": None if mask is None else mask[1],
        }
        super().__init__(
            operands=[*operands, extras, out],
            result_types=[results_of([out])],
            properties=properties,
            regions=[score],
        )

    @property
    def destinations(self) -> Sequence[SSAValue]:
        """See `StructuredOp`."""
        return (self.out,)

    @classmethod
    def split_operands(cls, ins: Sequence[SSAValue], outs: Sequence[SSAValue]) -> list[Any]:
        """See `StructuredOp`."""
        return [*ins[:3], ins[3:], *outs]

    @property
    def maps(self) -> tuple[AffineMap, ...]:
        """Where the elements of query, key, value, extras and destination are, by the dims."""
        return tuple(m.data for m in self.indexing_maps.data)

    @property
    def extra_maps(self) -> tuple[AffineMap, ...]:
        """Those of the extras."""
        return self.maps[3:-1]

    @property
    def extents(self) -> tuple[int, ...]:
        """The extents of the dims."""
        return tuple(self.sizes.get_values())

    @property
    def batch(self) -> int:
        """How many batch dims there are."""
        return len(self.sizes) - INNER

    @property
    def score_type(self) -> Attribute:
        """The type that scores, weights and sums have."""
        return self.score.block.args[0].type

    def verify_(self) -> None:
        """Check the constraints."""
        self.verify_destinations()
        dims, operands = len(self.sizes), self.operands
        if dims < INNER or any(n < 0 for n in self.extents):
            raise VerifyException(
                "structured.attention: C1: sizes must be those of batch, query, key, depth and column"
            )
        if len(self.maps) != len(operands) or any(m.num_dims != dims or m.num_symbols for m in self.maps):
            raise VerifyException(f"structured.attention: C1: needs {len(operands)} indexing maps over {dims} dims")
        self._verify_reads()
        self._verify_destination()
        self._verify_score()

    def _verify_reads(self) -> None:
        """C2."""
        query, key, depth, column = range(self.batch, self.batch + INNER)
        allowed = [(query, depth), (key, depth), (key, column), *[(query, key)] * len(self.extras)]
        verify_reads(self, self.batch, self.extents, [*zip(self.ins, self.maps[:-1], allowed, strict=True)])

    def _verify_destination(self) -> None:
        """C3."""
        count, amap, shape = self.batch, self.maps[-1], shape_of(self.out)
        places = [e.position for e in amap.results if isinstance(e, AffineDimExpr)]
        wanted = [*range(count + 1), count + INNER - 1]
        if sorted(places) != wanted or len(amap.results) != len(wanted) or places[-1] != wanted[-1]:
            raise VerifyException(
                f"structured.attention: C3: map {amap} must permute batch, query and column, with column last"
            )
        if tuple(self.extents[d] for d in places) != shape:
            raise VerifyException(f"structured.attention: C3: the destination {self.out.type} must have the extents")

    def _verify_score(self) -> None:
        """C4 to C6."""
        args = self.score.block.args
        if not args or not isinstance(args[0].type, Float32Type | Float64Type):
            raise VerifyException("structured.attention: C4: scores must be f32 or f64")
        kind = args[0].type
        elements = [element_type_of(e) for e in self.extras]
        self.verify_region(self.score, "C4: the region", [kind, IndexType(), IndexType(), *elements], [kind])
        verify_scalar_ops(self, self.score)
        for value in (self.query, self.key, self.value, self.out):
            element = element_type_of(value)
            if not isinstance(element, AnyFloat) or element.bitwidth > kind.bitwidth:
                raise VerifyException(
                    f"structured.attention: C6: elements of {element} are not floats as narrow as {kind}"
                )
        if (self.causal is None) != (self.fill is None) or (self.fill is not None and self.fill.type != kind):
            raise VerifyException("structured.attention: C5: causal needs a fill that is a score, and only then")


__all__ = ["INNER", "AttentionOp", "verify_reads", "verify_scalar_ops"]
