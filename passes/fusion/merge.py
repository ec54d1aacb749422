"""Joining generics over one iteration space into one with several results.

Joined are a producer that had to stay and the map that reads it point by point, generics that read the same tensor in the
same way, and work on 0-d tensors. Reductions join when they reduce the same dims and none needs the other's result.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.builtin import ArrayAttr, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.ir.affine_compose import Exprs, identity_exprs
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.structured import indexing_maps, is_identity_map, iterator_kinds, loop_bounds
from stepwell.passes.fusion.classify import (
    body_cost,
    captures,
    is_elementwise,
    is_parallel,
    is_sum_of_products,
    on_static_tensors,
    volume,
)
from stepwell.passes.fusion.decide import MAX_OPERANDS, MAX_WEIGHT
from stepwell.passes.fusion.graph import Group, Groups, sort_block
from stepwell.passes.fusion.rewrite import BodyBuilder

MAX_RESULTS = 12
MAX_SCALARS = 32
"""Results of one generic at most, on tensors and on 0-d tensors."""

Reads = list[tuple[SSAValue, Exprs]]


@dataclass
class _Space:
    """What must agree for generics to join."""

    bounds: tuple[int, ...]
    kinds: tuple[str, ...]


class _Merger:
    def __init__(self, block: Block):
        self.block = block
        self.groups = Groups(block)
        self.spaces: dict[Operation, _Space] = {}
        self.fed_by: dict[Group, tuple[Operation, ...]] = {}
        self.results: dict[Group, int] = {}
        self.reads: dict[Group, dict[tuple[SSAValue, Exprs], None]] = {}
        self.weight: dict[Group, int] = {}

    def run(self) -> None:
        last: dict[tuple[SSAValue, Exprs], linalg.GenericOp] = {}
        scalars: linalg.GenericOp | None = None
        generics = [op for op in self.block.ops if isinstance(op, linalg.GenericOp) and self._note(op)]
        for op in generics:
            for value in dict.fromkeys(op.inputs):
                owner = value.owner
                if isinstance(owner, linalg.GenericOp) and owner in self.spaces:
                    self._join(owner, op)
            for key in _reads(op):
                if 2 * volume(key[0]) > volume(op.results[0]) and key in last:
                    self._join(last[key], op)
                last[key] = op
            if not self.spaces[op].bounds:
                if scalars is not None:
                    self._join(scalars, op)
                scalars = op
        joined = [g for g in self.groups.all() if len(g.ops) > 1]
        if joined:
            sort_block(self.block, [g.ops for g in joined])
            for group in joined:
                _rebuild([op for op in group.ops if isinstance(op, linalg.GenericOp)])

    def _note(self, op: linalg.GenericOp) -> bool:
        """Take an op into account if it can be joined at all."""
        if is_sum_of_products(op) or not on_static_tensors(op):
            return False
        if is_parallel(op):
            identities = all(is_identity_map(m) for m in indexing_maps(op)[len(op.inputs) :])
            if not is_elementwise(op) or not identities:
                return False
        self.spaces[op] = _Space(loop_bounds(op), iterator_kinds(op))
        group = self.groups.of[op]
        producers = (v.owner for v in op.inputs)
        self.fed_by[group] = tuple(p for p in producers if isinstance(p, linalg.GenericOp) and is_sum_of_products(p))
        self.results[group] = len(op.results)
        self.reads[group] = dict.fromkeys(_reads(op))
        self.weight[group] = body_cost(op)
        return True

    def _join(self, first: linalg.GenericOp, second: linalg.GenericOp) -> None:
        before, after = self.groups.of[first], self.groups.of[second]
        if before is after or self.spaces[first] != self.spaces[second]:
            return
        fed = tuple(dict.fromkeys((*self.fed_by[before], *self.fed_by[after])))
        linked = any(v.owner in before.ops for op in after.ops for v in op.operands)
        if len(fed) > 1 or (fed and not linked and self.fed_by[before] != self.fed_by[after]):
            return  # each is the epilogue of its own contraction
        limit = MAX_RESULTS if self.spaces[first].bounds else MAX_SCALARS
        reads = self.reads[before] | self.reads[after]
        if self.results[before] + self.results[after] > limit or len(reads) > 2 * MAX_OPERANDS:
            return
        if self.weight[before] + self.weight[after] > MAX_WEIGHT or not _point_by_point(before, after):
            return
        results, weight = self.results[before] + self.results[after], self.weight[before] + self.weight[after]
        joined = self.groups.merge(before, after)
        if joined is not None:
            self.fed_by[joined], self.results[joined], self.weight[joined] = fed, results, weight
            self.reads[joined] = reads


def _reads(op: linalg.GenericOp) -> Reads:
    return [(v, m.results) for v, m in zip(op.inputs, indexing_maps(op), strict=False)]


def _point_by_point(before: Group, after: Group) -> bool:
    """Whether each value one group takes from the other is read where it is written, by maps only."""
    for source, reader in ((before, after), (after, before)):
        for op in reader.ops:
            assert isinstance(op, linalg.GenericOp)
            if any(v.owner in source.ops for v in op.outputs) or any(v.owner in source.ops for v in captures(op)):
                return False
            for value, amap in zip(op.inputs, indexing_maps(op), strict=False):
                if value.owner in source.ops and not (is_parallel(op) and is_identity_map(amap)):
                    return False
    return True


def _rebuild(ops: list[linalg.GenericOp]) -> None:
    """One generic in the place of adjacent ones."""
    last = ops[-1]
    dims = identity_exprs(len(iterator_kinds(last)))
    body = BodyBuilder(len(dims))
    values: dict[SSAValue, SSAValue] = {}
    outs: list[SSAValue] = []
    maps: list[Exprs] = []
    yielded: list[SSAValue] = []
    kept: list[SSAValue] = []
    for op in ops:
        arguments = [values[v] if v in values else body.read(v, exprs) for v, exprs in _reads(op)]
        own = [body.block.insert_arg(_element(o), len(body.block.args)) for o in op.outputs]
        made = body.inline(op, dims, [*arguments, *own])
        exprs = [m.results for m in indexing_maps(op)[len(op.inputs) :]]
        for position, (result, value) in enumerate(zip(op.results, made, strict=True)):
            values[result] = value
            if not own[position].uses and all(u.operation in ops for u in result.uses):
                continue  # an accumulator that the body reads stays, used outside or not
            outs.append(op.outputs[position])
            maps.append(exprs[position])
            yielded.append(value)
            kept.append(result)
        for position, (result, argument) in enumerate(zip(op.results, own, strict=True)):
            if result not in kept:
                assert not argument.uses, f"dropped a reduction, result {position}"
                body.block.erase_arg(argument)
    joined = body.finish(last, yielded, outs, maps)
    LocatedBuilder(InsertPoint.before(last)).insert(joined)
    for op in ops:
        for name, attribute in op.attributes.items():
            known = joined.attributes.get(name)
            if isinstance(known, ArrayAttr) and isinstance(attribute, ArrayAttr) and known != attribute:
                joined.attributes[name] = ArrayAttr(dict.fromkeys([*known.data, *attribute.data]))
            else:
                joined.attributes.setdefault(name, attribute)
    for old, new in zip(kept, joined.results, strict=True):
        new.name_hint = old.name_hint
        old.replace_all_uses_with(new)
    for op in reversed(ops):
        Rewriter.erase_op(op)


def _element(value: SSAValue):
    assert isinstance(value.type, TensorType)
    return value.type.element_type


def merge_siblings(block: Block) -> None:
    """Join what shares an iteration space, within one block."""
    _Merger(block).run()
