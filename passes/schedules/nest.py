"""What one structured op does, as a nest: extents, accesses, a scalar body; and the analyses of accesses.

A nest abstracts `linalg.generic`, `linalg.fill` and copies (`tensor.insert_slice`): for every point of a rectangular
space it reads inputs at affine positions, evaluates a body, and writes or accumulates outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod

from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    ComplexType,
    Float8E8M0FNUType,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    LocationAttr,
    TensorType,
)
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Block, BlockArgument, Operation, SSAValue
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
)

from stepwell.ir.dtypes import float_limits
from stepwell.ir.errors import UnsupportedError
from stepwell.ir.structured import indexing_maps, iterator_kinds, loop_bounds


@dataclass(frozen=True)
class Access:
    """A tensor read or written at `exprs` of the nest's dims (then `symbols`, the dynamic offsets of a slice)."""

    value: SSAValue
    exprs: tuple[AffineExpr, ...]
    symbols: tuple[SSAValue, ...] = ()
    ahead: int = 0
    """Bytes further on that are fetched with it, for a later read."""
    small: Attribute | None = None
    """The small float that its numbers are, where they are kept in a wider one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape."""
        assert isinstance(self.value.type, TensorType)
        return self.value.type.get_shape()

    @property
    def element(self) -> Attribute:
        """The tensor's element type."""
        assert isinstance(self.value.type, TensorType)
        return self.value.type.element_type


@dataclass(frozen=True)
class Output:
    """One result: where it goes, what it starts from.

    `original` is the op's result in the kernel being scheduled; `exprs` place it in that tensor. `combiner` is the body op
    that accumulates, when it is one of the known ones. `init` is None when the old contents do not matter, an SSA scalar,
    or an access.
    """

    original: SSAValue
    exprs: tuple[AffineExpr, ...]
    reduced: bool
    combiner: Operation | None = None
    init: SSAValue | Access | None = None
    extents: tuple[int, ...] | None = None
    """The shape that `exprs` see, where dims of the result were merged."""

    @property
    def element(self) -> Attribute:
        """Element type of the result."""
        assert isinstance(self.original.type, TensorType)
        return self.original.type.element_type

    def updates(self, home: SSAValue) -> bool:
        """Whether the result replaces in its home what it starts from."""
        return isinstance(self.init, Access) and self.init.value is home

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result, its dims merged as those of the nest."""
        if self.extents is not None:
            return self.extents
        assert isinstance(self.original.type, TensorType)
        return self.original.type.get_shape()


@dataclass(frozen=True)
class Selection:
    """That a nest reduces to the best element of a line and its number: which of its outputs are these."""

    value: int
    index: int
    greatest: bool
    signed: bool
    """How integers are compared."""


@dataclass(frozen=True)
class Fold:
    """That results of a nest are combined by a region: which outputs, and the region on two of each, in their order.

    The nest's body gives their elements. The region is associative and no more: who cuts a line keeps the order.
    """

    outputs: tuple[int, ...]
    body: Block
    empty: bool = False
    """Whether the results start with the first element of the line rather than from what the op starts from."""


@dataclass
class Nest:
    """One structured op. `body` is None for a copy of input 0."""

    sizes: tuple[int, ...]
    reduction: tuple[bool, ...]
    inputs: list[Access | SSAValue]
    outputs: list[Output]
    body: Block | None
    location: LocationAttr
    forwarded: dict[int, SSAValue] = field(default_factory=dict[int, SSAValue])
    """Inputs that a fused producer gives in registers: position -> the producer's original result."""
    body_dims: tuple[int, ...] = ()
    """After renumbering: what the body's `linalg.index d` means now; empty for no change."""
    selection: Selection | None = None
    """Set where the body selects, and the line may be split."""
    fold: Fold | None = None
    """Set where a region combines what the body gives (`fold.py`)."""
    after: bool = False
    """Whether it is done at each point of a reduction's result, of which it has the dims, once that is reduced."""

    @property
    def points(self) -> int:
        """Size of the space."""
        return prod(self.sizes)

    @property
    def reads(self) -> list[Access]:
        """The tensors read, but those that a fused producer gives in registers."""
        return [a for i, a in enumerate(self.inputs) if isinstance(a, Access) and i not in self.forwarded]

    @property
    def dims(self) -> range:
        """The dim numbers."""
        return range(len(self.sizes))

    @property
    def bodies(self) -> list[Block]:
        """What is evaluated at a point."""
        return [b for b in (self.body, self.fold.body if self.fold is not None else None) if b is not None]

    def folds(self, output: Output) -> bool:
        """Whether a region combines a result."""
        return self.fold is not None and output.original in [self.outputs[i].original for i in self.fold.outputs]


def renumber(nest: Nest, order: Sequence[int]) -> Nest:
    """The same nest with dims reordered: new dim i is old dim `order[i]`; one not in `order` has a single point."""
    place = [order.index(d) if d in order else -1 for d in nest.dims]
    dims = [AffineExpr.constant(0) if p < 0 else AffineExpr.dimension(p) for p in place]

    def moved(exprs: Sequence[AffineExpr], symbols: int) -> tuple[AffineExpr, ...]:
        kept = [AffineExpr.symbol(i) for i in range(symbols)]
        return tuple(e.replace_dims_and_symbols(dims, kept) for e in exprs)

    def access(given: Access | SSAValue | None) -> Access | SSAValue | None:
        if not isinstance(given, Access):
            return given
        return replace(given, exprs=moved(given.exprs, len(given.symbols)))

    inputs = [access(i) for i in nest.inputs]
    outputs = [replace(o, exprs=moved(o.exprs, 0), init=access(o.init)) for o in nest.outputs]
    return replace(
        nest,
        sizes=tuple(nest.sizes[d] for d in order),
        reduction=tuple(nest.reduction[d] for d in order),
        inputs=[i for i in inputs if i is not None],
        outputs=outputs,
        forwarded=dict(nest.forwarded),
        body_dims=tuple(place[d] if d >= 0 else -1 for d in nest.body_dims or nest.dims),
    )


def following(nest: Nest, reduction: Nest) -> Nest:
    """A map of what a reduction makes as a nest over the dims of the reduction, done when a point is reduced."""
    output = reduction.outputs[0]
    places = [e.position for e in output.exprs if isinstance(e, AffineDimExpr)]
    dims: list[AffineExpr] = [AffineExpr.dimension(p) for p in places]
    made = [o.original for o in reduction.outputs]

    def moved(access: Access) -> Access:
        kept = [AffineExpr.symbol(i) for i in range(len(access.symbols))]
        return replace(access, exprs=tuple(e.replace_dims_and_symbols(dims, kept) for e in access.exprs))

    inputs = [moved(a) if isinstance(a, Access) else a for a in nest.inputs]
    forwarded = {i: a.value for i, a in enumerate(nest.inputs) if isinstance(a, Access) and a.value in made}
    outputs = [replace(o, exprs=tuple(e.replace_dims_and_symbols(dims, []) for e in o.exprs)) for o in nest.outputs]
    return replace(
        nest,
        sizes=reduction.sizes,
        reduction=reduction.reduction,
        inputs=inputs,
        outputs=outputs,
        forwarded=forwarded,
        body_dims=tuple(places),
        after=True,
    )


def linear_form(expr: AffineExpr) -> tuple[dict[int, int], int] | None:
    """`(coefficient per dim, constant)` of a linear expression without symbols, else None."""
    if isinstance(expr, AffineDimExpr):
        return {expr.position: 1}, 0
    if isinstance(expr, AffineConstantExpr):
        return {}, expr.value
    if not isinstance(expr, AffineBinaryOpExpr):
        return None
    lhs, rhs = linear_form(expr.lhs), linear_form(expr.rhs)
    if lhs is None or rhs is None:
        return None
    if expr.kind is AffineBinaryOpKind.Add:
        total = dict(lhs[0])
        for dim, factor in rhs[0].items():
            total[dim] = total.get(dim, 0) + factor
        return {d: f for d, f in total.items() if f}, lhs[1] + rhs[1]
    if expr.kind is AffineBinaryOpKind.Mul and not (lhs[0] and rhs[0]):
        terms, factor = (lhs, rhs[1]) if lhs[0] else (rhs, lhs[1])
        return {d: f * factor for d, f in terms[0].items() if f * factor}, terms[1] * factor
    return None


def coefficient(expr: AffineExpr, dim: int) -> int | None:
    """By how much `expr` grows per step of `dim`; None when that is not a constant."""
    if dim not in expr.used_dims():
        return 0
    if isinstance(expr, AffineBinaryOpExpr) and expr.kind is AffineBinaryOpKind.Add:
        lhs, rhs = coefficient(expr.lhs, dim), coefficient(expr.rhs, dim)
        return None if lhs is None or rhs is None else lhs + rhs
    form = linear_form(expr)
    return None if form is None else form[0].get(dim, 0)


def strides_of(shape: Sequence[int]) -> tuple[int, ...]:
    """Row-major strides in elements."""
    strides = [1] * len(shape)
    for i in range(len(shape) - 2, -1, -1):
        strides[i] = strides[i + 1] * shape[i + 1]
    return tuple(strides)


def step_in_memory(access: Access | Output, dim: int) -> int | None:
    """Elements moved in the row-major tensor per step of `dim`; None when not constant; 0 when unused."""
    total = 0
    for expr, stride in zip(access.exprs, strides_of(access.shape), strict=True):
        factor = coefficient(expr, dim)
        if factor is None:
            return None
        total += factor * stride
    return total


def uses_dim(exprs: Sequence[AffineExpr], dim: int) -> bool:
    """Whether any expression mentions the dim."""
    return any(dim in e.used_dims() for e in exprs)


def is_contiguous(exprs: Sequence[AffineExpr], dim: int) -> bool:
    """Stepping `dim` moves by one along the last index and along nothing else."""
    return bool(exprs) and coefficient(exprs[-1], dim) == 1 and not uses_dim(exprs[:-1], dim)


COMBINERS: dict[type[Operation], tuple[str, str]] = {
    arith.AddfOp: ("add", "-0.0"),
    arith.AddiOp: ("add", "0"),
    arith.MulfOp: ("mul", "1.0"),
    arith.MuliOp: ("mul", "1"),
    arith.MaximumfOp: ("maximumf", "-inf"),
    arith.MinimumfOp: ("minimumf", "inf"),
    arith.MaxnumfOp: ("maxnumf", "-inf"),
    arith.MinnumfOp: ("minnumf", "inf"),
    arith.MaxSIOp: ("maxsi", "smin"),
    arith.MinSIOp: ("minsi", "smax"),
    arith.MaxUIOp: ("maxui", "0"),
    arith.MinUIOp: ("minui", "-1"),
    arith.AndIOp: ("and", "-1"),
    arith.OrIOp: ("or", "0"),
    arith.XOrIOp: ("xor", "0"),
}
"""Combiners that may be reassociated: `#vector.kind` and neutral element."""


def neutral(combiner: Operation, kind: Attribute) -> Attribute:
    """The neutral element of a combiner over a scalar type."""
    text = COMBINERS[type(combiner)][1]
    if isinstance(kind, IntegerType):
        width = kind.width.data
        if width == 1:
            # Signed order on i1: true is -1, so the greatest is 0 and the least -1.
            return IntegerAttr({"smin": -1, "smax": 0, "-1": -1, "0": 0, "1": -1}[text], kind)
        values = {"smin": -(1 << (width - 1)), "smax": (1 << (width - 1)) - 1}
        return IntegerAttr(values[text] if text in values else int(text), kind)
    if isinstance(kind, IndexType):
        return IntegerAttr(int(text), kind)
    value = float_limits(kind)[text == "inf"] if text.endswith("inf") else float(text)
    return FloatAttr(value, kind)  # pyright: ignore[reportArgumentType, reportCallIssue]


def known_combiner(body: Block, accumulator: BlockArgument, result: SSAValue) -> Operation | None:
    """The op `result = combine(accumulator, x)` when it is known and the accumulator has no other use."""
    op = result.owner
    if not isinstance(op, Operation) or type(op) not in COMBINERS or op.parent is not body:
        return None
    if isinstance(op.results[0].type, ComplexType) or not accumulator.has_one_use():
        return None
    if isinstance(op, arith.AddfOp) and isinstance(op.result.type, Float8E8M0FNUType):
        return None  # it has no zero
    return op if accumulator in op._operands else None  # pyright: ignore[reportPrivateUsage]


def static_shape(value: SSAValue, op: Operation) -> tuple[int, ...]:
    """The shape of a tensor.

    Raises:
        UnsupportedError: a dim is dynamic.
    """
    assert isinstance(value.type, TensorType)
    shape = value.type.get_shape()
    if DYNAMIC_INDEX in shape:
        raise UnsupportedError(
            f"{op.name}: schedules need static shapes, got {value.type}; specialize the program to a shape"
        )
    return shape


def scalar_of_fill(value: SSAValue) -> SSAValue | None:
    """The scalar that fills a tensor: of a `linalg.fill`; None when the tensor is not filled."""
    op = value.owner
    return op.inputs[0] if isinstance(op, linalg.FillOp) else None


def generic_extents(op: linalg.GenericOp) -> tuple[int, ...]:
    """The loop bounds of a generic, all static.

    Raises:
        UnsupportedError: a shape is dynamic.
    """
    for operand in op._operands:  # pyright: ignore[reportPrivateUsage]
        if isinstance(operand.type, TensorType):
            static_shape(operand, op)
    return loop_bounds(op)


def generic_outputs(op: linalg.GenericOp) -> list[Output]:
    """The outputs of a generic; their inits are the op's `outs`, still to be resolved."""
    body = op.body.block
    count = len(op.inputs)
    reduction = [k != "parallel" for k in iterator_kinds(op)]
    yielded = body.last_op
    assert isinstance(yielded, linalg.YieldOp)
    outputs: list[Output] = []
    maps = indexing_maps(op)[count:]
    for amap, argument, value, result in zip(maps, body.args[count:], yielded.operands, op.results, strict=True):
        reduced = any(reduction) and not all(uses_dim(amap.results, d) for d, r in enumerate(reduction) if r)
        combiner = known_combiner(body, argument, value) if reduced else None
        outputs.append(Output(result, amap.results, reduced, combiner))
    return outputs


def slice_dims(op: tensor.ExtractSliceOp | tensor.InsertSliceOp, small: Sequence[int]) -> list[int | None]:
    """For each dim of the big tensor, the dim of the small one it corresponds to; None where a unit size is dropped."""
    positions: list[int | None] = []
    at = 0
    for size in op.static_sizes.get_values():
        if at < len(small) and size == small[at]:
            positions.append(at)
            at += 1
        else:
            positions.append(None)
    return positions
