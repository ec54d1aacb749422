"""How many operations an op of a kernel does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

from xdsl.dialects.builtin import AnyFloat, DenseArrayBase, IntegerType, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation, Region, SSAValue

from stepwell.dialects.structured_winograd import TAPS, TRANSFORMS, WinogradOp
from stepwell.ir.structured import loop_bounds
from stepwell.passes.fusion.classify import op_cost

_FLOAT_ARITHMETIC = frozenset(
    f"arith.{name}"
    for name in ("addf", "subf", "mulf", "divf", "remf", "negf", "maximumf", "minimumf", "maxnumf", "minnumf")
)
_INTEGER_ARITHMETIC = frozenset(
    f"arith.{name}"
    for name in (
        "addi", "subi", "muli", "divsi", "divui", "remsi", "remui", "maxsi", "maxui", "minsi", "minui",
        "andi", "ori", "xori", "shli", "shrsi", "shrui",
    )
)  # fmt: skip
_SOFTMAX_FLOPS, _SOFTMAX_WORK = 4, 16
"""A score's part of a softmax: the maximum, the difference, the exponential, the sum."""
_HALVES = 2
"""An op that is no half of a multiply-add takes the place of both."""


@dataclass
class Counts:
    """Operations of an op or a kernel."""

    integer_ops: int = 0
    work: int = 0
    """Halves of a multiply-add that a core could do in the time."""
    by_element: dict[str, int] = field(default_factory=dict[str, int])
    """Flops by element type."""

    @property
    def flops(self) -> int:
        """Operations on floats."""
        return sum(self.by_element.values())

    @property
    def element(self) -> str:
        """The type that most flops are in; empty when there are none."""
        return max(sorted(self.by_element), key=lambda name: self.by_element[name], default="")

    def add(self, other: Counts, times: int = 1) -> None:
        """Count `other` too, so many times."""
        self.integer_ops += times * other.integer_ops
        self.work += times * other.work
        for name, flops in other.by_element.items():
            self.by_element[name] = self.by_element.get(name, 0) + times * flops


def body_counts(region: Region) -> Counts:
    """Operations of one run of a body on scalars."""
    counts = Counts()
    for op in region.walk():
        for result in op.results[:1]:
            _count_scalar(counts, op, result)
    return counts


def _count_scalar(counts: Counts, op: Operation, result: SSAValue) -> None:
    kind = result.type
    if isinstance(kind, AnyFloat) and (op.name in _FLOAT_ARITHMETIC or op.name.startswith("math.")):
        flops = 2 if op.name == "math.fma" else 1
        counts.by_element[kind.name] = counts.by_element.get(kind.name, 0) + flops
    elif isinstance(kind, IntegerType) and (op.name in _INTEGER_ARITHMETIC or op.name.startswith("math.")):
        counts.integer_ops += 1
    counts.work += 1 if _is_half(op) else _HALVES * op_cost(op)


def _is_half(op: Operation) -> bool:
    """Whether an op is the product or the sum of a multiply-add."""
    pair = {"arith.mulf": "arith.addf", "arith.muli": "arith.addi"}
    for product, total in pair.items():
        if op.name == product:
            return any(use.operation.name == total for use in op.results[0].uses)
        if op.name == total:
            return any(isinstance(o.owner, Operation) and o.owner.name == product for o in op.operands)
    return False


def operations_of(op: Operation) -> Counts:
    """Operations of one op of a kernel's body."""
    counts = Counts()
    if isinstance(op, linalg.GenericOp):
        counts.add(body_counts(op.body), prod(loop_bounds(op)))
        return counts
    special = _SPECIAL.get(op.name)
    if special is not None:
        return special(op)
    if op.name.startswith("structured.") and op.regions:
        # a body runs once for each element of the largest operand: scan, scatter, select_and_scatter
        points = max((volume(v) for v in op.operands), default=0)
        for region in op.regions:
            counts.add(body_counts(region), points)
    return counts


def volume(value: SSAValue) -> int:
    """Elements of a tensor; 1 of a scalar."""
    return prod(value.type.get_shape()) if isinstance(value.type, TensorType) else 1


def shape(value: SSAValue) -> tuple[int, ...]:
    """The shape of a tensor."""
    return tuple(value.type.get_shape()) if isinstance(value.type, TensorType) else ()


def _sort(op: Operation) -> Counts:
    """Comparisons of sorting every line along the dimension."""
    dimension = op.properties.get("dimension") or op.attributes.get("dimension")
    at = getattr(getattr(dimension, "value", None), "data", -1)
    sizes = shape(op.operands[0])
    length = sizes[at] if sizes else 1
    counts = Counts()
    comparisons = volume(op.operands[0]) * max(1, (max(1, length) - 1).bit_length())
    counts.add(body_counts(op.regions[0]), comparisons)
    counts.integer_ops += comparisons
    return counts


def _attention(op: Operation) -> Counts:
    """Two products a score, five for a gradient, maps and exponentials; half of the scores where those ahead are left out."""
    sizes = op.properties.get("sizes")
    assert isinstance(sizes, DenseArrayBase)
    *batch, queries, keys, depth, columns = (int(n) for n in sizes.get_values())
    scores = prod(batch) * queries * keys
    if op.properties.get("causal") is not None:
        scores = (scores + 1) // 2
    kind = op.operands[0].type
    element = kind.element_type.name if isinstance(kind, TensorType) else ""
    gradient = op.name == "structured.attention_gradient"
    products = 2 * scores * (3 * depth + 2 * columns if gradient else depth + columns)
    counts = Counts(0, products + _HALVES * _SOFTMAX_WORK * scores, {element: products + _SOFTMAX_FLOPS * scores})
    for region in op.regions:
        counts.add(body_counts(region), scores)
    return counts


def _winograd(op: Operation) -> Counts:
    """The sums and products of both halves of a transform, for each tile."""
    assert isinstance(op, WinogradOp)
    t = TRANSFORMS[op.m]
    side = op.m + TAPS - 1
    matrix, columns = {
        "structured.winograd_filter": (t.window, TAPS),
        "structured.winograd_input": (t.image, side),
    }.get(op.name, (t.result, side))
    sums = sum(sum(1 for c in row if c) - 1 for row in matrix)
    products = sum(1 for row in matrix for c in row if abs(c) not in (0, 1))
    # Rows of tiles share columns of the image: so many are transformed anew for each tile.
    first = op.m if op.name == "structured.winograd_input" else columns
    tiles = volume(op.operands[0] if op.name == "structured.winograd_output" else op.operands[1]) // side**2
    times = tiles * (first + len(matrix))
    kind = op.operands[0].type
    assert isinstance(kind, TensorType)
    return Counts(0, times * (2 * sums + products), {kind.element_type.name: times * (sums + products)})


_SPECIAL: dict[str, Callable[[Operation], Counts]] = {
    "structured.attention": _attention,
    "structured.attention_gradient": _attention,
    "structured.sort": _sort,
    "structured.winograd_filter": _winograd,
    "structured.winograd_input": _winograd,
    "structured.winograd_output": _winograd,
}
"""Ops whose body does not run once a point."""
