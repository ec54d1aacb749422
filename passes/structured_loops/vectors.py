"""The emitter of loops over memrefs with vectors in them: loads and stores, masked ones, moves of lanes, regions on lanes."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith
from xdsl.dialects import vector as upstream
from xdsl.dialects.builtin import (
    ComplexType,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    MemRefType,
    NoneAttr,
    StridedLayoutAttr,
    VectorType,
    i1,
    i64,
)
from xdsl.ir import Attribute, Operation, Region, SSAValue

from stepwell.dialects import vector
from stepwell.ir.dtypes import byte_width
from stepwell.passes.structured_loops.emit import Emitter, Index, Values

VECTOR = "vector"
"""The attribute on an op of the structured dialect that says how many bytes its vectors have; without it: scalar code."""


class VectorEmitter(Emitter):
    """Adds vectors of a number of lanes to the emitter of scalar loops."""

    def __init__(self, op: Operation, lanes: int):
        super().__init__(op)
        self.lanes = lanes
        self._splats: dict[tuple[Attribute, VectorType], SSAValue] = {}

    # Memory.

    def load_lanes(self, source: SSAValue, indices: Sequence[Index], mask: SSAValue | None = None) -> SSAValue:
        """Consecutive elements from `indices` on; lanes that are masked off are zero."""
        kind = VectorType(element_of(source), [self.lanes])
        at = [self.value(i) for i in indices]
        if mask is None:
            return self.builder.insert(upstream.LoadOp(source, at, kind)).result
        return self.builder.insert(upstream.MaskedLoadOp(source, at, mask, self.zeros(kind.element_type))).result

    def store_lanes(
        self, value: SSAValue, target: SSAValue, indices: Sequence[Index], mask: SSAValue | None = None
    ) -> None:
        """Set consecutive elements from `indices` on, where the mask says so."""
        at = [self.value(i) for i in indices]
        if mask is None:
            self.builder.insert(upstream.StoreOp(value, target, at))
        else:
            self.builder.insert(upstream.MaskedStoreOp(target, at, mask, value))

    def mask(self, count: Index) -> SSAValue:
        """The first `count` lanes."""
        kind = VectorType(i1, [self.lanes])
        if isinstance(count, int):
            return self.builder.insert(vector.ConstantMaskOp([count], [self.lanes])).result
        return self.builder.insert(upstream.CreateMaskOp([count], kind)).results[0]

    # Lanes.

    def zeros(self, element: Attribute) -> SSAValue:
        """A vector of zeros."""
        return self.splat(_zero(element), VectorType(element, [self.lanes]))

    def splat(self, value: Attribute, kind: VectorType) -> SSAValue:
        """A constant with equal elements, one op each at the top."""
        known = self._splats.get((value, kind))
        if known is None:
            assert isinstance(value, IntegerAttr | FloatAttr)
            data: Attribute = DenseIntOrFPElementsAttr.from_list(kind, [value.value.data])  # pyright: ignore
            known = self.at_top(arith.ConstantOp.create(result_types=[kind], properties={"value": data}))
            self._splats[value, kind] = known
        return known

    def broadcast(self, value: SSAValue) -> SSAValue:
        """A scalar in all lanes."""
        if isinstance(value.type, VectorType):
            return value
        kind = VectorType(value.type, [self.lanes])
        if isinstance(value.owner, arith.ConstantOp):
            return self.splat(value.owner.value, kind)
        return self.builder.insert(upstream.BroadcastOp(value, kind)).results[0]

    def shuffle(self, first: SSAValue, second: SSAValue, picks: Sequence[int]) -> SSAValue:
        """Lanes (rows, of vectors of rows) of two vectors, counted through both."""
        assert isinstance(first.type, VectorType)
        kind = VectorType(first.type.element_type, [len(picks), *first.type.get_shape()[1:]])
        mask = DenseArrayBase.from_list(i64, list(picks))
        op = upstream.ShuffleOp.create(operands=[first, second], result_types=[kind], properties={"mask": mask})
        return self.builder.insert(op).results[0]

    def lane(self, value: SSAValue, lane: int) -> SSAValue:
        """One lane in all lanes."""
        return self.shuffle(value, value, [lane] * self.lanes)

    def inline_lanes(self, region: Region, arguments: Values) -> Values:
        """The scalar body of `region` on vectors; what its terminator yields, as vectors."""
        block = region.block
        values: dict[SSAValue, SSAValue] = dict(zip(block.args, arguments, strict=True))
        last = block.last_op
        assert last is not None
        for op in block.ops:
            if op is not last:
                self.on_lanes(op, values)
        return [self.broadcast(values.get(v, v)) for v in last.operands]

    def on_lanes(self, op: Operation, values: dict[SSAValue, SSAValue]) -> None:
        """A scalar op on vectors: `values` has what its operands are, and gets what its results are."""
        if isinstance(op, arith.ConstantOp):
            values[op.result] = self.splat(op.value, VectorType(op.result.type, [self.lanes]))
            return
        copy = type(op).create(
            operands=[self.broadcast(values.get(o, o)) for o in op.operands],
            result_types=[VectorType(r.type, [self.lanes]) for r in op.results],
            properties=dict(op.properties),
            attributes=dict(op.attributes),
        )
        self.builder.insert(copy)
        values.update(zip(op.results, copy.results, strict=True))


def element_of(value: SSAValue) -> Attribute:
    """The element type of a memref."""
    assert isinstance(value.type, MemRefType)
    return value.type.get_element_type()


def _zero(kind: Attribute) -> Attribute:
    return IntegerAttr(0, kind) if isinstance(kind, IntegerType) else FloatAttr(0.0, kind)  # pyright: ignore


def number(value: Attribute) -> float | int:
    """The number in an attribute."""
    assert isinstance(value, IntegerAttr | FloatAttr)
    return value.value.data


def vector_bytes(op: Operation) -> int:
    """Bytes of the vectors that the schedule gives an op; 0: none."""
    given = op.attributes.get(VECTOR)
    return given.value.data if isinstance(given, IntegerAttr) else 0


def is_contiguous(value: SSAValue) -> bool:
    """Whether neighbours along the last dim of a memref are neighbours in memory."""
    assert isinstance(value.type, MemRefType)
    layout = value.type.layout
    if isinstance(layout, NoneAttr):
        return True
    return isinstance(layout, StridedLayoutAttr) and layout.get_strides()[-1] == 1


def has_lanes(region: Region, kinds: Sequence[Attribute]) -> bool:
    """Whether a scalar region can run on vectors: all of it arithmetic, on types that vectors have in memory."""
    block = region.block
    for op in block.ops:
        if op is block.last_op:
            return all(_is_lane_type(k) for k in kinds)
        if op.regions or not op.name.startswith(("arith.", "math.")):
            return False
        if any(isinstance(v.type, ComplexType) for v in (*op.operands, *op.results)):
            return False
    return False


def _is_lane_type(kind: Attribute) -> bool:
    return kind != i1 and not isinstance(kind, ComplexType)


def widest(region: Region) -> int:
    """Bytes of the widest value of a scalar region."""
    block = region.block
    kinds = [*(a.type for a in block.args), *(r.type for op in block.ops for r in op.results)]
    return max(1 if k == i1 else byte_width(k) for k in kinds)


__all__ = [
    "VECTOR",
    "VectorEmitter",
    "element_of",
    "has_lanes",
    "is_contiguous",
    "number",
    "vector_bytes",
    "widest",
]
