"""Generics that stay, what is computed inside of them, and how they read values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr

from stepwell.ir.affine_compose import Exprs, compose, identity_exprs, offset_dim, unflatten
from stepwell.ir.structured import indexing_maps
from stepwell.passes.fusion.classify import (
    body_cost,
    is_elementwise,
    is_movement,
    is_sum_of_products,
    is_widening,
    on_static_tensors,
    shape_of,
)
from stepwell.passes.fusion.decisions import Decision

Key = tuple[SSAValue, Exprs]
"""A value read at index expressions over a root's loops."""
Factor = tuple[int, AffineExpr]


class Facts:
    """What one walk asks of a generic again and again."""

    def __init__(self, op: linalg.GenericOp):
        self.op = op
        self.maps = indexing_maps(op)
        self.inputs: tuple[SSAValue, ...] = tuple(op.operands[: len(self.maps) - len(op.results)])
        self.outputs = self.maps[len(self.inputs) :]
        self.elementwise = is_elementwise(op)

    @cached_property
    def static(self) -> bool:
        """Whether all shapes are known."""
        return self.elementwise or on_static_tensors(self.op)

    @cached_property
    def product(self) -> bool:
        """Whether it is a sum of products."""
        return not self.elementwise and is_sum_of_products(self.op)

    @cached_property
    def moves(self) -> bool:
        """Whether it only moves data."""
        return self.elementwise and is_movement(self.op)

    @cached_property
    def widens(self) -> bool:
        """Whether it only converts to a wider type."""
        return self.elementwise and is_widening(self.op)

    @cached_property
    def cost(self) -> int:
        """Simple ops a point."""
        return body_cost(self.op)

    def reads_at(self, exprs: Exprs, bounds: Sequence[int]) -> tuple[Exprs, list[Key]]:
        """The loop dims, and what is read, when the result's element at `exprs` over other loops is computed."""
        dims: dict[int, AffineExpr] = {}
        for target, expr in zip(self.outputs[0].results, exprs, strict=True):
            assert isinstance(target, AffineDimExpr)
            dims[target.position] = expr
        ordered = tuple(dims[d] for d in range(len(dims)))
        reads = [(v, compose(m.results, ordered, bounds)) for v, m in zip(self.inputs, self.maps, strict=False)]
        return ordered, reads


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
    """A sum of products: only moved data may be folded in, and where it is packed conversions."""
    reduced: tuple[int, ...]
    weight: int
    rows: Exprs = ()
    """The leading dims of its first result, as far as they are loops that run in parallel."""
    reads: list[Key] = field(default_factory=list[Key])
    instances: dict[Key, Instance] = field(default_factory=dict[Key, Instance])
    aliases: dict[Key, Key] = field(default_factory=dict[Key, Key])
    scalars: dict[Key, SSAValue | Attribute] = field(default_factory=dict[Key, "SSAValue | Attribute"])
    frontier: dict[Key, None] = field(default_factory=dict[Key, None])
    decisions: list[Decision] = field(default_factory=list[Decision])

    @cached_property
    def volume(self) -> int:
        """Points of the iteration space."""
        return prod(self.bounds)

    @cached_property
    def windows(self) -> bool:
        """Whether an operand is read through a window: such are read in place."""
        return any(len(e.used_dims()) > 1 for m in indexing_maps(self.op) for e in m.results)

    @property
    def changed(self) -> bool:
        """Whether anything was folded in."""
        return bool(self.instances or self.aliases or self.scalars) or self.dims != identity_exprs(len(self.dims))


def leading(written: Sequence[AffineExpr], dims: Exprs, reduced: Sequence[int]) -> Exprs:
    """The leading dims of a result that are loops in parallel, as the loops of a root."""
    rows: list[AffineExpr] = []
    for expr in written:
        if not isinstance(expr, AffineDimExpr) or expr.position in reduced:
            break
        rows.append(dims[expr.position])
    return tuple(rows)


def factored(value: SSAValue, exprs: Exprs, bounds: tuple[int, ...]) -> list[tuple[Factor, ...]]:
    """Per dim of `value`, the dims it is best read as: expanded where that leaves bare loop dims."""
    result: list[tuple[Factor, ...]] = []
    for size, expr in zip(shape_of(value), exprs, strict=True):
        parts = None if offset_dim(expr) is not None else unflatten(expr, size, bounds)
        result.append(parts if parts is not None else ((size, expr),))
    return result


def bare_dims(key: Key, bounds: tuple[int, ...]) -> list[int]:
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
