"""cse: compute equal things once.

Before:                                    After:
    %0 = arith.addi %a, %b : i32               %0 = arith.addi %a, %b : i32
    %1 = arith.addi %a, %b : i32               %2 = arith.muli %0, %0 : i32
    %2 = arith.muli %0, %1 : i32

Two ops are equal when name, operands, attributes, result types and the structure of their regions are; the
second goes when the first dominates it. One walk; regions are hashed only for ops that agree in everything
else.

Needs: any step. Keeps: ops with effects, and `tensor.empty`: each is its own destination. Fails: never.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.traits import IsolatedFromAbove

from stepwell.ir.effects import EffectCache, is_anchored
from stepwell.ir.passes import ANY_ANCHOR, Pass
from stepwell.ir.structural_hash import structure_of_regions

Key = tuple[
    str,
    tuple[SSAValue, ...],
    tuple[tuple[str, Attribute], ...],
    tuple[tuple[str, Attribute], ...],
    tuple[Attribute, ...],
]
RegionKey = tuple[str, tuple[SSAValue, ...]]

_KEPT_APART = frozenset({"tensor.empty"})


def _sorted_items(attributes: dict[str, Attribute]) -> tuple[tuple[str, Attribute], ...]:
    return tuple(sorted(attributes.items(), key=lambda item: item[0])) if attributes else ()


def _key(op: Operation) -> Key:
    return (
        op.name,
        tuple(op._operands),  # pyright: ignore[reportPrivateUsage]
        _sorted_items(op.properties),
        _sorted_items(op.attributes),
        tuple(result.type for result in op.results),
    )


class _Elimination:
    """One walk; `_available` maps keys to the ops that dominate the current point, undone on leaving a region."""

    def __init__(self) -> None:
        self._available: dict[Key, list[Operation]] = {}
        self._log: list[Key] = []
        self._effects = EffectCache()
        self._region_keys: dict[Operation, RegionKey] = {}

    def region(self, region: Region, isolated: bool) -> None:
        if isolated:
            outer = (self._available, self._log)
            self._available, self._log = {}, []
            self._blocks(region)
            self._available, self._log = outer
        else:
            mark = len(self._log)
            self._blocks(region)
            self._undo(mark)

    def _blocks(self, region: Region) -> None:
        for number, block in enumerate(region.blocks):
            mark = len(self._log)
            self._block(block)
            if number:  # the entry block dominates all; of the others we only know that they dominate themselves
                self._undo(mark)

    def _undo(self, mark: int) -> None:
        while len(self._log) > mark:
            self._available[self._log.pop()].pop()

    def _block(self, block: Block) -> None:
        op = block.first_op
        while op is not None:
            following = op.next_op
            if op.regions:
                isolated = op.has_trait(IsolatedFromAbove)
                for region in op.regions:
                    self.region(region, isolated)
            self._op(op)
            op = following

    def _op(self, op: Operation) -> None:
        if not op.results or op.name in _KEPT_APART or is_anchored(op) or not self._effects.is_pure(op):
            return
        key = _key(op)
        candidates = self._available.setdefault(key, [])
        for earlier in candidates:
            if not op.regions or self._region_key(op) == self._region_key(earlier):
                for result, same in zip(op.results, earlier.results, strict=True):
                    if same.name_hint is None:
                        same.name_hint = result.name_hint
                    result.replace_all_uses_with(same)
                op.detach()
                op.erase()
                return
        candidates.append(op)
        self._log.append(key)

    def _region_key(self, op: Operation) -> RegionKey:
        known = self._region_keys.get(op)
        if known is None:
            known = self._region_keys[op] = structure_of_regions(op)
        return known


def eliminate_common_subexpressions(op: Operation) -> None:
    """Merge equal pure ops inside `op`."""
    elimination = _Elimination()
    for region in op.regions:
        elimination.region(region, isolated=True)


@dataclass(frozen=True)
class CSEPass(Pass):
    """Merge equal ops without effects where one dominates the other."""

    name = "cse"
    anchor = ANY_ANCHOR

    def apply(self, ctx: Context, op: Operation) -> None:
        """Merge equal ops inside `op`."""
        eliminate_common_subexpressions(op)
