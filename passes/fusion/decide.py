"""Deciding which producers are computed inside their consumers.

One backward walk over a block. Every generic that stays (a root) reads values at index expressions over its own loops; a
producer sees all these accesses before it is visited, and either disappears into every root that reads it or stays and
becomes a root itself. Reshapes are looked through: their index arithmetic joins the expressions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from xdsl.dialects import tensor
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr

from stepwell.ir.affine_compose import (
    Exprs,
    collapse_exprs,
    compose,
    expand_exprs,
    has_division,
    identity_exprs,
    offset_dim,
    simplify,
    unflatten,
)
from stepwell.ir.structured import indexing_maps, iterator_kinds, loop_bounds
from stepwell.passes.fusion.classify import (
    CHEAP,
    body_cost,
    captures,
    filled_with,
    is_elementwise,
    is_movement,
    is_parallel,
    is_sum_of_products,
    on_static_tensors,
    shape_of,
    splat_of,
    volume,
)

MAX_OPERANDS = 24
MAX_WEIGHT = 600
"""Bounds on what one generic may take in, so that bodies stay compilable."""

Key = tuple[SSAValue, Exprs]
"""A value read at index expressions over a root's loops."""


@dataclass
class Instance:
    """A producer computed inside a root: its loop dims as expressions of the root's, and what it reads."""

    op: linalg.GenericOp
    dims: Exprs
    reads: list[Key]


@dataclass
class Root:
    """A generic that stays."""

    op: linalg.GenericOp
    number: int
    bounds: tuple[int, ...]
    dims: Exprs
    """The loop dims of `op` as expressions of the rebuilt op's (elementwise: outputs become identities)."""
    strict: bool
    """A sum of products: only moved data may be folded in."""
    reduced: tuple[int, ...]
    weight: int
    reads: list[Key] = field(default_factory=list[Key])
    instances: dict[Key, Instance] = field(default_factory=dict[Key, Instance])
    aliases: dict[Key, Key] = field(default_factory=dict[Key, Key])
    scalars: dict[Key, SSAValue | Attribute] = field(default_factory=dict[Key, "SSAValue | Attribute"])
    frontier: dict[Key, None] = field(default_factory=dict[Key, None])
    remarks: list[str] = field(default_factory=list[str])

    @property
    def volume(self) -> int:
        """Points of the iteration space."""
        return prod(self.bounds)

    @property
    def changed(self) -> bool:
        """Whether anything was folded in."""
        return bool(self.instances or self.aliases or self.scalars) or self.dims != identity_exprs(len(self.dims))


Factor = tuple[int, AffineExpr]


def factored(value: SSAValue, exprs: Exprs, bounds: tuple[int, ...]) -> list[tuple[Factor, ...]]:
    """Per dim of `value`, the dims it is best read as: expanded where that leaves bare loop dims."""
    result: list[tuple[Factor, ...]] = []
    for size, expr in zip(shape_of(value), exprs, strict=True):
        parts = None if offset_dim(expr) is not None else unflatten(expr, size, bounds)
        result.append(parts if parts is not None else ((size, expr),))
    return result


def _bare_dims(key: Key, bounds: tuple[int, ...]) -> list[int]:
    """Loop dims whose extent this access tells."""
    return [
        e.position
        for parts in factored(*key, bounds)
        for size, e in parts
        if isinstance(e, AffineDimExpr) and size == bounds[e.position]
    ]


def is_plain(key: Key, bounds: tuple[int, ...]) -> bool:
    """Whether each index, after expanding, is a loop dim plus a constant."""
    return all(offset_dim(e) is not None for parts in factored(*key, bounds) for _, e in parts)


def _full_reads(op: linalg.GenericOp) -> int:
    """How many of its operands are about as large as its result."""
    size = volume(op.results[0])
    return sum(1 for v in op.inputs if 2 * volume(v) > size)


def _reads_too_much(op: linalg.GenericOp, readers: int) -> bool:
    """Whether computing a result in each reader moves more than writing it once and reading it back."""
    full = _full_reads(op)
    return readers * full >= full + 1 + readers


class Decider:
    """Decides for one block; `roots` lists what stays, last first."""

    def __init__(self, block: Block):
        self.ops = list(block.ops)
        self.roots: list[Root] = []
        self._block = block
        self._accesses: dict[SSAValue, dict[tuple[int, Exprs], Root]] = {}  # by (root number, indices)
        self._opaque: dict[SSAValue, None] = {}
        self._total_cost: dict[Operation, int] = {}
        self._on_tiles: dict[Operation, None] = {}

    def run(self) -> list[Root]:
        """Decide everything; the roots in block order."""
        self._measure()
        for op in reversed(self.ops):
            if isinstance(op, linalg.GenericOp) and on_static_tensors(op):
                self._visit(op)
            elif not isinstance(op, linalg.FillOp | tensor.EmptyOp):
                self._use_whole(op)
        self.roots.reverse()
        return self.roots

    def _measure(self) -> None:
        """Cost per point of each elementwise generic with what would be recomputed with it."""
        for op in self.ops:
            if not isinstance(op, linalg.GenericOp) or not is_elementwise(op):
                continue
            total = body_cost(op)
            for value in dict.fromkeys(op.inputs):
                before = self._total_cost.get(value.owner) if isinstance(value.owner, Operation) else None
                alone = value.has_one_use() and volume(value) >= volume(op.results[0])
                if before is not None and (alone or (before <= CHEAP and not self._likely_stays(value))):
                    total += before
            self._total_cost[op] = total
            if any(self._is_on_tiles(value) for value in op.inputs):
                self._on_tiles[op] = None

    def _is_on_tiles(self, value: SSAValue) -> bool:
        """Whether a value is the result of a sum of products, or of an epilogue that nothing else reads."""
        op = value.owner
        if not isinstance(op, linalg.GenericOp):
            return False
        return is_sum_of_products(op) or (op in self._on_tiles and value.has_one_use())

    def _likely_stays(self, value: SSAValue) -> bool:
        """Whether a value read several times will be in memory anyway: its cost goes no further."""
        op = value.owner
        return (
            isinstance(op, linalg.GenericOp)
            and not value.has_one_use()
            and (op in self._on_tiles or _reads_too_much(op, value.uses.get_length()))
        )

    def _use_whole(self, op: Operation) -> None:
        if isinstance(op, tensor.ExpandShapeOp | tensor.CollapseShapeOp):
            result = op.results[0]
            if result not in self._opaque and not self._accesses.get(result):
                return  # every reader looks through it
        for operand in op._operands:  # pyright: ignore[reportPrivateUsage]
            self._opaque[operand] = None
        if op.regions:
            for operand in captures(op):
                self._opaque[operand] = None

    def _visit(self, op: linalg.GenericOp) -> None:
        if not any(r.uses for r in op.results):
            return
        result = op.results[0]
        accesses = self._accesses.pop(result, {})
        stays = len(op.results) > 1 or result in self._opaque or not accesses or not is_elementwise(op)
        reason = ""
        if accesses and is_elementwise(op) and len(op.results) == 1:
            taken, reason = self._choose(op, accesses, whole=stays)
            # Folding one access may take away what made the next one legal.
            folded = [self._fold(root, op, exprs) for root, exprs in taken if not self._refusal(root, op, exprs)]
            stays = stays or len(folded) < len(accesses)
        if stays:
            self._keep(op, reason)
        for value in captures(op):
            self._opaque[value] = None

    def _keep(self, op: linalg.GenericOp, reason: str) -> None:
        bounds = loop_bounds(op)
        dims = identity_exprs(len(bounds))
        outer = [m.results for m in indexing_maps(op)[len(op.inputs) :]]
        if is_elementwise(op) and all(results == outer[0] for results in outer):
            # Renumber the loops so that outputs are written in order.
            order = [e.position for e in outer[0] if isinstance(e, AffineDimExpr)]
            inverse = {old: new for new, old in enumerate(order)}
            dims = tuple(AffineDimExpr(inverse[d]) for d in range(len(bounds)))
            bounds = tuple(bounds[d] for d in order)
        reduced = tuple(d for d, k in enumerate(iterator_kinds(op)) if k != "parallel")
        root = Root(op, len(self.roots), bounds, dims, is_sum_of_products(op), reduced, body_cost(op))
        if reason:
            root.remarks.append(reason)
        self.roots.append(root)
        for value, amap in zip(op.inputs, indexing_maps(op), strict=False):
            key = (value, compose(amap.results, dims, bounds))
            root.reads.append(key)
            self._read(root, key)
        for value in op.outputs:
            self._opaque[value] = None

    # What a root reads.

    def _read(self, root: Root, key: Key) -> None:
        """A root reads a value: fold constants, look through reshapes, else tell the producer."""
        value, exprs = key
        if key in root.frontier or key in root.aliases or key in root.scalars or key in root.instances:
            return
        root.frontier[key] = None
        scalar = splat_of(value)
        scalar = scalar if scalar is not None else filled_with(value)
        if scalar is not None and not root.strict and self._may_replace(root, key, []):
            del root.frontier[key]
            root.scalars[key] = scalar
            return
        source = self._behind_reshape(root, key)
        if source is not None and self._may_replace(root, key, [source]):
            del root.frontier[key]
            root.aliases[key] = source
            self._read(root, source)
            return
        if isinstance(value.owner, Operation) and value.owner.parent is self._block:
            self._accesses.setdefault(value, {})[root.number, exprs] = root

    def _behind_reshape(self, root: Root, key: Key) -> Key | None:
        """The same element read from the source of a reshape; None when that takes a division."""
        value, exprs = key
        op = value.owner
        if not isinstance(op, tensor.ExpandShapeOp | tensor.CollapseShapeOp) or op.parent is not self._block:
            return None
        assert isinstance(op.src.type, TensorType)
        if not op.src.type.has_static_shape() or 0 in op.src.type.get_shape():
            return None
        groups = [[i.value.data for i in group.data] for group in op.reassociation.data]
        if isinstance(op, tensor.ExpandShapeOp):
            read = expand_exprs(exprs, groups, shape_of(value))
        else:
            read = collapse_exprs(exprs, groups, shape_of(op.src))
        read = tuple(simplify(e, root.bounds) for e in read)
        if any(has_division(e) for e in read):
            return None
        if root.strict and not is_plain((op.src, read), root.bounds):
            return None
        return op.src, read

    def _may_replace(self, root: Root, key: Key, by: list[Key]) -> bool:
        """Whether every reduced dim keeps an operand that tells its extent."""
        if not root.reduced:
            return True
        lost = [d for d in _bare_dims(key, root.bounds) if d in root.reduced]
        if not lost:
            return True
        known = (root.aliases, root.scalars, root.instances)
        others = [k for k in (*root.frontier, *by) if k != key and not any(k in gone for gone in known)]
        left = [d for other in others for d in _bare_dims(other, root.bounds)]
        return all(d in left for d in lost)

    # Producers.

    def _reads_at(self, root: Root, op: linalg.GenericOp, exprs: Exprs) -> tuple[Exprs, list[Key]]:
        maps = indexing_maps(op)
        dims: dict[int, AffineExpr] = {}
        for target, expr in zip(maps[len(op.inputs)].results, exprs, strict=True):
            assert isinstance(target, AffineDimExpr)
            dims[target.position] = expr
        ordered = tuple(dims[d] for d in range(len(dims)))
        reads = [(v, compose(m.results, ordered, root.bounds)) for v, m in zip(op.inputs, maps, strict=False)]
        return ordered, reads

    def _refusal(self, root: Root, op: linalg.GenericOp, exprs: Exprs) -> str | None:
        """Why a producer cannot be computed inside a root."""
        _, reads = self._reads_at(root, op, exprs)
        if root.strict:
            if not is_movement(op):
                return "computes, and the reader is a sum of products"
            if not all(is_plain(key, root.bounds) for key in reads):
                return "is not a plain view for a sum of products"
        if not self._may_replace(root, (op.results[0], exprs), reads):
            return "tells the extent of a reduced dim"
        if root.weight + body_cost(op) > MAX_WEIGHT:
            return "would make the body too large"
        if len(root.frontier) + len(op.inputs) > MAX_OPERANDS:
            return "would give the body too many operands"
        return None

    def _choose(
        self, op: linalg.GenericOp, accesses: dict[tuple[int, Exprs], Root], *, whole: bool
    ) -> tuple[list[tuple[Root, Exprs]], str]:
        """The accesses that recompute `op`, and why the others do not. `whole`: the result is needed anyway."""
        sites = [(root, exprs) for (_, exprs), root in accesses.items()]
        refusals = [self._refusal(root, op, exprs) for root, exprs in sites]
        legal = [s for s, r in zip(sites, refusals, strict=True) if r is None]
        reason = next((r for r in refusals if r is not None), "")
        size = volume(op.results[0])
        full = _full_reads(op)
        cost = self._total_cost[op]
        if whole or len(legal) < len(sites):
            if full == 0 and cost <= 1:
                return legal, reason
            return [], reason or "its result is needed whole"
        if len(sites) == 1:
            root, _ = sites[0]
            if cost > CHEAP and root.volume > size:
                return [], f"costs {cost} and would be repeated {root.volume // max(size, 1)} times"
            return sites, ""
        if cost > CHEAP:
            return [], f"costs {cost} and has {len(sites)} readers"
        if _reads_too_much(op, len(sites)):
            return [], f"reads {full} tensors and has {len(sites)} readers"
        if cost and op in self._on_tiles:
            return [], f"can be the epilogue of a contraction and has {len(sites)} readers"
        return sites, ""

    def _fold(self, root: Root, op: linalg.GenericOp, exprs: Exprs) -> None:
        dims, reads = self._reads_at(root, op, exprs)
        key = (op.results[0], exprs)
        root.instances[key] = Instance(op, dims, reads)
        root.frontier.pop(key, None)
        root.weight += body_cost(op)
        for read in reads:
            self._read(root, read)


__all__ = ["Decider", "Instance", "Key", "Root", "factored", "is_parallel"]
