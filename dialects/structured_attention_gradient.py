"""`structured.attention_gradient`: what attention passes back to queries, keys and values, with no scores in memory."""

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

from stepwell.dialects.structured_attention import INNER, verify_reads, verify_scalar_ops
from stepwell.dialects.structured_base import (
    StructuredOp,
    element_type_of,
    i64_array,
    results_of,
    shape_of,
)

RESULTS = 3
"""The gradients of queries, keys and values."""


@irdl_op_definition
class AttentionGradientOp(StructuredOp):
    """The gradient of scaled dot product attention and its relatives, over dims `(batch..., query, key, depth, column)`.

    Semantics: `p[b, q, k] = sum_d Q[b, q, d] * K[b, k, d]`, in the type of the score region's first argument; scores are what
    that region makes of a product, its query and key numbers and the elements of the `extra` operands there, and `fill`
    wherever `causal = c` and `k > q + c`; weights are `w = exp(s - max_k s) / sum_k exp(s - max_k s)`. With G the gradient of
    attention's result, `g[b, q, k] = sum_c G[b, q, c] * V[b, k, c]` and `t = w * (g - sum_k w * g)`, the second region makes of
    t, p, the numbers and the extras what is passed back to the product, `u`: 0 where `causal` hides the key. Then
    `dQ[b, q, d] = sum_k u * K[b, k, d]`, `dK[b', k, d] = sum_q u * Q[b, q, d]` and `dV[b', k, c] = sum_q w * G[b, q, c]`, the
    last two also summed over the batch dims that their maps leave out. Whoever carries it out may reassociate the sums, divide
    by the sum of the weights before or after them, and leave hidden keys out where their weights are 0 and every operand is
    finite, and no product of G and V can overflow (docs/floating-point.md).

    Constraints:
        C1: one map per operand, over all dims, and as many sizes as dims: none of them negative.
        C2: query, key, value and gradient are indexed by (batch, query, depth), (batch, key, depth), (batch, key, column) and
            (batch, query, column) dims only, each extra by batch, query and key dims only, and every index is inside of its
            tensor.
        C3: the destinations' maps permute the batch dims, query and depth; some of the batch dims, key and depth; and the same
            batch dims, key and column: with depth or column last, and of these extents.
        C4: the score region takes a product (f32 or f64), two indices (query, key), and an element of each extra; the other
            region takes what is passed back to a score before these: both yield a number of the type of products, by arith
            and math ops alone.
        C5: `causal` and `fill` come together, and fill is a score.
        C6: query, key, value, gradient and destinations have float elements, none wider than a score.

    Example:
        ```mlir
        %dq, %dk, %dv = structured.attention_gradient
            ins(%q, %k, %v, %g : tensor<64x16xf32>, tensor<64x16xf32>, tensor<64x16xf32>, tensor<64x16xf32>)
            outs(%a, %b, %c : tensor<64x16xf32>, tensor<64x16xf32>, tensor<64x16xf32>) {sizes = array<i64: 64, 64, 16, 16>,
            indexing_maps = [affine_map<(q, k, d, c) -> (q, d)>, affine_map<(q, k, d, c) -> (k, d)>,
                             affine_map<(q, k, d, c) -> (k, c)>, affine_map<(q, k, d, c) -> (q, c)>,
                             affine_map<(q, k, d, c) -> (q, d)>, affine_map<(q, k, d, c) -> (k, d)>,
                             affine_map<(q, k, d, c) -> (k, c)>]} {
        ^bb0(%p: f32, %i: index, %j: index):
          %scale = arith.constant 0.25 : f32
          %s = arith.mulf %p, %scale : f32
          structured.yield %s : f32
        }, {
        ^bb0(%t: f32, %p: f32, %i: index, %j: index):
          %scale = arith.constant 0.25 : f32
          %u = arith.mulf %t, %scale : f32
          structured.yield %u : f32
        } -> (tensor<64x16xf32>, tensor<64x16xf32>, tensor<64x16xf32>)
        ```
    """

    name = "structured.attention_gradient"
    query = operand_def(TensorType | MemRefType)
    key = operand_def(TensorType | MemRefType)
    value = operand_def(TensorType | MemRefType)
    gradient = operand_def(TensorType | MemRefType)
    extras = var_operand_def(TensorType | MemRefType)
    out_query = operand_def(TensorType | MemRefType)
    out_key = operand_def(TensorType | MemRefType)
    out_value = operand_def(TensorType | MemRefType)
    indexing_maps = prop_def(ArrayAttr[AffineMapAttr])
    sizes = prop_def(DenseArrayBase.constr(i64))
    causal = opt_prop_def(IntegerAttr.constr(i64))
    fill = opt_prop_def(FloatAttr)
    score = region_def("single_block")
    slope = region_def("single_block")
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        operands: tuple[SSAValue, SSAValue, SSAValue, SSAValue],
        extras: Sequence[SSAValue],
        outs: tuple[SSAValue, SSAValue, SSAValue],
        maps: Sequence[AffineMap],
        sizes: Sequence[int],
        regions: tuple[Region, Region],
        mask: tuple[int, FloatAttr[Any]] | None = None,
    ):
        """`operands` are query, key, value and gradient; `regions` score and slope; `mask` is (`causal`, `fill`)."""
        properties: dict[str, Attribute | None] = {
            "indexing_maps": ArrayAttr(AffineMapAttr(m) for m in maps),
            "sizes": i64_array(sizes),
            "causal": None if mask is None else IntegerAttr(mask[0], i64),
            "fill": None if mask is None else mask[1],
        }
        super().__init__(
            operands=[*operands, extras, *outs],
            result_types=[results_of(outs)],
            properties=properties,
            regions=list(regions),
        )

    @property
    def destinations(self) -> Sequence[SSAValue]:
        """See `StructuredOp`."""
        return (self.out_query, self.out_key, self.out_value)

    @classmethod
    def split_operands(cls, ins: Sequence[SSAValue], outs: Sequence[SSAValue]) -> list[Any]:
        """See `StructuredOp`."""
        return [*ins[:4], ins[4:], *outs]

    @property
    def maps(self) -> tuple[AffineMap, ...]:
        """Where the elements of query, key, value, gradient, extras and destinations are, by the dims."""
        return tuple(m.data for m in self.indexing_maps.data)

    @property
    def extra_maps(self) -> tuple[AffineMap, ...]:
        """Those of the extras."""
        return self.maps[4:-RESULTS]

    @property
    def extents(self) -> tuple[int, ...]:
        """The extents of the dims."""
        return tuple(self.sizes.get_values())

    @property
    def batch(self) -> int:
        """How many batch dims there are."""
        return len(self.sizes) - INNER

    def places(self, number: int) -> tuple[int, ...]:
        """The dim that each dim of a destination is."""
        exprs = self.maps[number - RESULTS].results
        return tuple(e.position for e in exprs if isinstance(e, AffineDimExpr))

    @property
    def own(self) -> tuple[int, ...]:
        """The batch dims that the gradients of keys and values have; they are sums over the others."""
        return tuple(sorted(d for d in self.places(1) if d < self.batch))

    @property
    def score_type(self) -> Attribute:
        """The type that scores, weights and sums have."""
        return self.score.block.args[0].type

    def verify_(self) -> None:
        """Check the constraints."""
        self.verify_destinations()
        dims, operands = len(self.sizes), self.operands
        if dims < INNER or any(n < 0 for n in self.extents):
            raise VerifyException(f"{self.name}: C1: sizes must be those of batch, query, key, depth and column")
        if len(self.maps) != len(operands) or any(m.num_dims != dims or m.num_symbols for m in self.maps):
            raise VerifyException(f"{self.name}: C1: needs {len(operands)} indexing maps over {dims} dims")
        query, key, depth, column = range(self.batch, self.batch + INNER)
        allowed = [(query, depth), (key, depth), (key, column), (query, column), *[(query, key)] * len(self.extras)]
        verify_reads(self, self.batch, self.extents, [*zip(self.ins, self.maps[:-RESULTS], allowed, strict=True)])
        self._verify_destinations()
        self._verify_regions()

    def _verify_destinations(self) -> None:
        """C3."""
        query, key, depth, column = range(self.batch, self.batch + INNER)
        for number, (value, amap) in enumerate(zip(self.destinations, self.maps[-RESULTS:], strict=True)):
            dims = self.places(number)
            if len(dims) != len(amap.results) or tuple(self.extents[d] for d in dims) != shape_of(value):
                raise VerifyException(f"{self.name}: C3: map {amap} does not fit the destination {value.type}")
        wanted = [(*range(self.batch), query, depth), (*self.own, key, depth), (*self.own, key, column)]
        for number, dims in enumerate(wanted):
            places = self.places(number)
            if tuple(sorted(places)) != dims or places[-1] != dims[-1]:
                raise VerifyException(
                    f"{self.name}: C3: destinations must be over batch, query and depth, over batch, key and depth, and over batch,"
                    " key and column, the last two over the same batch dims, each with the last one of these last"
                )

    def _verify_regions(self) -> None:
        """C4 to C6."""
        args = self.score.block.args
        if not args or not isinstance(args[0].type, Float32Type | Float64Type):
            raise VerifyException(f"{self.name}: C4: scores must be f32 or f64")
        kind = args[0].type
        given = [kind, IndexType(), IndexType(), *(element_type_of(e) for e in self.extras)]
        self.verify_region(self.score, "C4: the score region", given, [kind])
        self.verify_region(self.slope, "C4: the second region", [kind, *given], [kind])
        for region in (self.score, self.slope):
            verify_scalar_ops(self, region)
        if (self.causal is None) != (self.fill is None) or (self.fill is not None and self.fill.type != kind):
            raise VerifyException(f"{self.name}: C5: causal needs a fill that is a score, and only then")
        for value in (self.query, self.key, self.value, self.gradient, *self.destinations):
            element = element_type_of(value)
            if not isinstance(element, AnyFloat) or element.bitwidth > kind.bitwidth:
                raise VerifyException(f"{self.name}: C6: elements of {element} are not floats as narrow as {kind}")


__all__ = ["RESULTS", "AttentionGradientOp"]
