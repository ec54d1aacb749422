"""Reading a generic as a contraction, and finding its epilogue: what the strategy decides on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from xdsl.dialects import arith
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, BlockArgument, Operation, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr, AffineMap

from stepwell.ir.structured import indexing_maps, iterator_kinds
from stepwell.passes.schedules.kernel_builder import is_scheduled
from stepwell.passes.schedules.lanes import (
    can_vectorize,
    is_tile,
    unused,
)
from stepwell.passes.schedules.nest import (
    generic_extents,
    is_contiguous,
    uses_dim,
)

CASTS = (arith.ExtFOp, arith.ExtSIOp, arith.ExtUIOp, arith.SIToFPOp, arith.UIToFPOp, arith.TruncFOp)
PRODUCTS: dict[type[Operation], type[Operation]] = {arith.AddfOp: arith.MulfOp, arith.AddiOp: arith.MuliOp}


@dataclass(frozen=True)
class Contraction:
    """A generic understood as a contraction: operand positions, casts, dims."""

    op: linalg.GenericOp
    sizes: tuple[int, ...]
    a: int
    b: int
    a_casts: tuple[Operation, ...]
    b_casts: tuple[Operation, ...]
    m: int | None
    n: int
    outer: tuple[int, ...]
    reduced: tuple[int, ...]

    @property
    def accumulator(self) -> Attribute:
        """The element type of C."""
        kind = self.op.results[0].type
        assert isinstance(kind, TensorType)
        return kind.element_type

    @property
    def maps(self) -> tuple[AffineMap, ...]:
        """Indexing maps of A, B, C."""
        maps = indexing_maps(self.op)
        return maps[self.a], maps[self.b], maps[-1]

    @property
    def rows(self) -> int:
        """Extent of m (1 when there is none)."""
        return 1 if self.m is None else self.sizes[self.m]

    @property
    def depth(self) -> int:
        """Terms of each sum."""
        return prod(self.sizes[d] for d in self.reduced)

    def inside(self, terms: int) -> tuple[Contraction, tuple[int, ...]]:
        """The sums without the dims of which so many terms would not be one point, and these dims: the outermost ones."""
        count = 0
        while prod(self.sizes[d] for d in self.reduced[count + 1 :]) > terms:
            count += 1
        return replace(self, reduced=self.reduced[count:]), self.reduced[:count]


def find_contraction(op: Operation) -> Contraction | str:
    """Read a generic as a contraction, or say why it is none."""
    if not isinstance(op, linalg.GenericOp) or len(op.results) != 1 or len(op.inputs) != 2:
        return "not a generic of two inputs and one output"
    chains = product_of(op)
    if chains is None:
        return "the body is no sum of products"
    maps = indexing_maps(op)
    if not all(isinstance(e, AffineDimExpr) for e in maps[2].results) or not maps[2].results:
        return "the output is a scalar"
    last = maps[2].results[-1]
    assert isinstance(last, AffineDimExpr)
    kinds = iterator_kinds(op)
    if all(kind == "parallel" for kind in kinds):
        return "nothing is summed: an outer product"
    used = [[uses_dim(m.results, d) for m in maps] for d in range(len(kinds))]
    for d, (kind, flags) in enumerate(zip(kinds, used, strict=True)):
        expected = [True, True, False] if kind != "parallel" else [flags[0], flags[1], True]
        if flags != expected or not (flags[0] or flags[1]):
            return f"d{d} is none of batch, m, n, k"
    if used[last.position][:2] == [True, True]:
        return "the last dim of the output is a batch dim"
    a, b = (0, 1) if used[last.position][1] else (1, 0)
    return _classify(op, (a, b), chains, last.position, used)


def _classify(
    op: linalg.GenericOp,
    order: tuple[int, int],
    chains: tuple[tuple[Operation, ...], tuple[Operation, ...]],
    n: int,
    used: Sequence[Sequence[bool]],
) -> Contraction:
    a, b = order
    sizes = generic_extents(op)
    maps = indexing_maps(op)
    rows = [d for d, flags in enumerate(used) if flags[a] and not flags[b] and flags[2]]
    preferred = [d for d in rows if is_tile(maps[2].results, (d, n))]
    m = max(preferred or rows, key=lambda d: sizes[d], default=None)
    if m is not None and preferred and sizes[m] * 4 < max(sizes[d] for d in rows):
        m = max(rows, key=lambda d: sizes[d])
    outer = tuple(d for d, flags in enumerate(used) if flags[2] and d not in (m, n))
    reduced = [d for d, flags in enumerate(used) if not flags[2]]
    reduced.sort(key=lambda d: is_contiguous(maps[a].results, d))
    return Contraction(op, sizes, a, b, chains[a], chains[b], m, n, outer, tuple(reduced))


def product_of(op: linalg.GenericOp) -> tuple[tuple[Operation, ...], tuple[Operation, ...]] | None:
    """The casts of both factors when the body is `acc + f(a) * g(b)`."""
    block = op.body.block
    yielded = block.last_op
    assert isinstance(yielded, linalg.YieldOp)
    total = yielded.operands[0].owner
    if not isinstance(total, Operation) or type(total) not in PRODUCTS:
        return None
    accumulator = block.args[2]
    terms = [o for o in total.operands if o is not accumulator]
    if len(terms) != 1 or not accumulator.has_one_use():
        return None
    product = terms[0].owner
    if not isinstance(product, Operation) or type(product) is not PRODUCTS[type(total)]:
        return None
    chains: dict[int, tuple[Operation, ...]] = {}
    for factor in product.operands:
        casts: list[Operation] = []
        while isinstance(factor.owner, Operation):
            if not isinstance(factor.owner, CASTS):
                return None
            casts.insert(0, factor.owner)
            factor = factor.owner.operands[0]
        if not isinstance(factor, BlockArgument) or factor.index in chains:
            return None
        chains[factor.index] = tuple(casts)
    count = 2 + sum(len(c) for c in chains.values())
    if set(chains) != {0, 1} or len(list(block.ops)) != count + 1:
        return None
    return chains[0], chains[1]


def epilogue_of(found: Contraction) -> list[linalg.GenericOp]:
    """The pointwise generics after a contraction that can be done on its tiles."""
    result = found.op.results[0]
    shape = result.type.get_shape()  # pyright: ignore[reportAttributeAccessIssue]
    taken: list[linalg.GenericOp] = []
    values: list[SSAValue] = [result]
    op: Operation | None = found.op.next_op
    while op is not None:
        if isinstance(op, linalg.GenericOp) and any(o in values for o in op.operands):
            if not _pointwise(op, values, shape):
                break
            taken.append(op)
            values += op.results
        elif any(o in values for o in op.operands) and not op.name.endswith("return"):
            break
        elif is_scheduled(op) and not isinstance(op, linalg.FillOp):
            break
        op = op.next_op
    return taken


def ops_between(first: Operation, ops: Sequence[Operation]) -> list[Operation]:
    """The ops from the first, one of them, to the last of `ops` that are none of them."""
    between: list[Operation] = []
    op = first.next_op
    while op is not None and op is not ops[-1] and len(ops) > 1:
        if op not in ops:
            between.append(op)
        op = op.next_op
    return between


def _pointwise(op: linalg.GenericOp, values: Sequence[SSAValue], shape: Sequence[int]) -> bool:
    maps = indexing_maps(op)
    rank = len(shape)
    identity = tuple(AffineExpr.dimension(d) for d in range(rank))
    if any(k != "parallel" for k in iterator_kinds(op)) or generic_extents(op) != tuple(shape):
        return False
    if any(m.results != identity for m in maps[len(op.inputs) :]):
        return False
    if any(o in values and m.results != identity for o, m in zip(op.inputs, maps, strict=False)):
        return False
    if any(o in values for o in op.outputs):
        return False
    body = op.body.block
    if any(not unused(a) for a in body.args[len(op.inputs) :]):
        return False
    return can_vectorize(body) and not any(o.name == "tensor.extract" for o in body.ops)
