"""Building scheduled code: constants kept at the kernel's top, index arithmetic, loops that fold when they can.

An index is a Python int while it is known, else an SSA value; a loop of one known trip is its body, a loop of none is
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import affine, arith, scf
from xdsl.dialects.builtin import (
    AffineMapAttr,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IndexType,
    IntegerAttr,
    LocationAttr,
    VectorType,
    i1,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap, AffineSymExpr
from xdsl.rewriter import InsertPoint

from stepwell.dialects import vector
from stepwell.ir.builder import LocatedBuilder, OpT

Index = int | SSAValue
INDEX = IndexType()


class Emitter:
    """Inserts ops into one kernel's new body."""

    def __init__(self, entry: Block, location: LocationAttr, line_bytes: int = 64):
        self.entry = entry
        self.line_bytes = line_bytes
        """Bytes of a cache line of the machine that the kernel is for."""
        self._builder = LocatedBuilder(InsertPoint.at_end(entry), location)
        self._constants: dict[tuple[Attribute, Attribute], SSAValue] = {}
        self._last_constant: Operation | None = None
        self._applied: dict[tuple[Block, AffineExpr, tuple[Index, ...]], SSAValue] = {}

    @property
    def location(self) -> LocationAttr:
        """The location new ops get."""
        return self._builder.location

    @location.setter
    def location(self, location: LocationAttr) -> None:
        self._builder.location = location

    @property
    def block(self) -> Block:
        """The block being filled."""
        return self._builder.insertion_point.block

    def add(self, op: OpT) -> OpT:
        """Insert an op here."""
        return self._builder.insert(op)

    def inside(self, block: Block, body: Callable[[], None]) -> None:
        """Run `body` inserting at the end of `block`."""
        saved = self._builder.insertion_point
        self._builder.insertion_point = InsertPoint.at_end(block)
        body()
        self._builder.insertion_point = saved

    def constant(self, value: Attribute, kind: Attribute) -> SSAValue:
        """A scalar (or dense vector) constant, one op per distinct value, at the kernel's top."""
        known = self._constants.get((value, kind))
        if known is not None:
            return known
        result = self._at_top(arith.ConstantOp.create(result_types=[kind], properties={"value": value}))
        self._constants[value, kind] = result
        return result

    def constant_mask(self, sizes: Sequence[int], shape: Sequence[int]) -> SSAValue:
        """A mask of the leading lanes, one op per distinct mask, at the kernel's top."""
        op = vector.ConstantMaskOp(sizes, shape)
        key = (op.mask_dim_sizes, op.result.type)
        if key not in self._constants:
            self._constants[key] = self._at_top(op)
        return self._constants[key]

    def _at_top(self, op: Operation) -> SSAValue:
        saved = self._builder.insertion_point
        if self._last_constant is not None:
            point = InsertPoint.after(self._last_constant)
        else:
            point = InsertPoint.at_start(self.entry)
        self._builder.insertion_point = point
        self.add(op)
        # Inserting at the start moves no other point: points name an op or a block's end.
        self._builder.insertion_point = saved
        self._last_constant = op
        return op.results[0]

    def index(self, value: Index) -> SSAValue:
        """An index as an SSA value."""
        return value if isinstance(value, SSAValue) else self.constant(IntegerAttr(value, INDEX), INDEX)

    def indices(self, values: Sequence[Index]) -> list[SSAValue]:
        """Several indices as SSA values."""
        return [self.index(v) for v in values]

    def zero(self, kind: Attribute) -> SSAValue:
        """The zero of a scalar type."""
        return self.constant(number(kind, 0), kind)

    def splat(self, value: Attribute, kind: VectorType) -> SSAValue:
        """A vector constant with equal lanes."""
        data: Attribute = DenseIntOrFPElementsAttr.from_list(kind, [_payload(value)])  # pyright: ignore[reportCallIssue, reportArgumentType, reportUnknownVariableType]
        return self.constant(data, kind)

    def splat_zero(self, element: Attribute, width: int) -> SSAValue:
        """A 1-D vector of zeros."""
        return self.splat(number(element, 0), VectorType(element, [width]))

    def apply(self, expr: AffineExpr, dims: Sequence[Index], symbols: Sequence[SSAValue] = ()) -> Index:
        """Evaluate an affine expression over indices, folding what is known."""
        if isinstance(expr, AffineDimExpr):
            return dims[expr.position]
        if isinstance(expr, AffineConstantExpr):
            return expr.value
        values: list[Index] = [*dims, *symbols]
        used: list[SSAValue] = []
        slots: dict[SSAValue, AffineExpr] = {}
        replaced: list[AffineExpr] = []
        mentioned = _mentioned(expr, len(dims))
        for position, value in enumerate(values):
            if isinstance(value, int):
                replaced.append(AffineExpr.constant(value))
                continue
            if value not in slots and position in mentioned:
                slots[value] = AffineExpr.dimension(len(used))
                used.append(value)
            replaced.append(slots.get(value, AffineExpr.constant(0)))
        folded = expr.replace_dims_and_symbols(replaced[: len(dims)], replaced[len(dims) :])
        folded = folded.simplify(len(used), 0)
        if isinstance(folded, AffineConstantExpr):
            return folded.value
        if isinstance(folded, AffineDimExpr):
            return used[folded.position]
        key = (self.block, folded, tuple(used))
        if key not in self._applied:
            op = self.add(affine.ApplyOp(used, AffineMapAttr(AffineMap(len(used), 0, (folded,)))))
            self._applied[key] = op.result
        return self._applied[key]

    def minimum(self, x: Index, y: Index) -> Index:
        """The smaller of two indices."""
        if isinstance(x, int) and isinstance(y, int):
            return min(x, y)
        return self.add(arith.MinSIOp(self.index(x), self.index(y))).result

    def loop(
        self,
        lower: Index,
        upper: Index,
        step: int,
        carried: Sequence[SSAValue],
        body: Callable[[Index, Sequence[SSAValue]], Sequence[SSAValue]],
        at_once: int = 1,
    ) -> Sequence[SSAValue]:
        """`for i = lower to upper step step` carrying values; returns their last versions.

        `at_once` asks for so many trips next to each other, so that what they read is on its way together.
        """
        if isinstance(lower, int) and isinstance(upper, int):
            trips = max(0, -(-(upper - lower) // step))
            if trips == 0:
                return carried
            if trips == 1:
                return body(lower, carried)
        block = Block(arg_types=[INDEX, *(c.type for c in carried)])

        def fill() -> None:
            self.add(scf.YieldOp(*body(block.args[0], block.args[1:])))

        first, last, by = self.indices((lower, upper, step))
        self.inside(block, fill)
        loop = self.add(scf.ForOp(first, last, by, carried, Region(block)))
        if at_once > 1:
            loop.attributes["unroll"] = IntegerAttr(at_once, i64)
        return loop.results


def _mentioned(expr: AffineExpr, num_dims: int) -> set[int]:
    """Positions (dims, then symbols) an expression uses; asked only for membership."""
    found: set[int] = set()
    for part in expr.dfs():
        if isinstance(part, AffineDimExpr):
            found.add(part.position)
        elif isinstance(part, AffineSymExpr):
            found.add(num_dims + part.position)
    return found


def number(kind: Attribute, value: float) -> Attribute:
    """`value` as an attribute of a scalar int, index or float type."""
    if isinstance(kind, IndexType) or hasattr(kind, "signedness"):
        return IntegerAttr(int(value), kind)  # pyright: ignore[reportArgumentType, reportCallIssue]
    return FloatAttr(float(value), kind)  # pyright: ignore[reportArgumentType, reportCallIssue]


def _payload(value: Attribute) -> float | int:
    assert isinstance(value, IntegerAttr | FloatAttr)
    return value.value.data


def boolean(value: bool) -> Attribute:
    """An i1 attribute."""
    return IntegerAttr(int(value), i1)
