"""Memory effects of ops: what may be removed, merged or moved.

An op's effects come from, in this order: its own `memory_effects()` method (`HasMemoryEffects`), the table
below (upstream ops that declare none), its xDSL traits. Nothing of these means unknown effects, which
nobody may touch. What a class always has is looked up once per class; ops whose effects are those of their
bodies are summed over the body, and an `EffectCache` remembers that sum, so that a pass visiting every op
of a deep nest is linear.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntFlag
from typing import Protocol, runtime_checkable

from xdsl.dialects.builtin import MemRefType, ModuleOp, UnrankedMemRefType, UnregisteredOp
from xdsl.ir import Operation
from xdsl.traits import (
    IsTerminator,
    MemoryAllocEffect,
    MemoryEffect,
    MemoryFreeEffect,
    MemoryReadEffect,
    MemoryWriteEffect,
    NoMemoryEffect,
    RecursiveMemoryEffect,
    SymbolOpInterface,
    get_effects,
)


class Effects(IntFlag):
    """The kinds of effect an op may have; `UNKNOWN` means anything at all."""

    NONE = 0
    READ = 1
    WRITE = 2
    ALLOC = 4
    FREE = 8
    UNKNOWN = 16


@runtime_checkable
class HasMemoryEffects(Protocol):
    """Implemented by ops whose effects depend on the instance (tensor or memref form, an attribute)."""

    def memory_effects(self) -> Effects:
        """The effects of the op itself and of its regions."""
        ...


EffectRule = Callable[[Operation], Effects]


def _recursive(op: Operation) -> Effects:
    """Marks an op that does what its regions do; summed by `EffectCache`."""
    raise AssertionError("summed by the caller")


def _has_memref(op: Operation) -> bool:
    return any(isinstance(o.type, MemRefType | UnrankedMemRefType) for o in op._operands)  # pyright: ignore[reportPrivateUsage]


def _on_tensors_none(op: Operation) -> Effects:
    """Value semantics on tensors, reads and writes on memrefs."""
    return Effects.READ | Effects.WRITE if _has_memref(op) else Effects.NONE


def _on_tensors_read(op: Operation) -> Effects:
    return Effects.READ if _has_memref(op) else Effects.NONE


def _on_tensors_write(op: Operation) -> Effects:
    return Effects.WRITE if _has_memref(op) else Effects.NONE


def _always(effects: Effects) -> EffectRule:
    return lambda op: effects


_NONE = _always(Effects.NONE)
_UNKNOWN = _always(Effects.UNKNOWN)

_BY_NAME: dict[str, EffectRule] = {
    "affine.for": _recursive,
    "affine.load": _always(Effects.READ),
    "affine.min": _NONE,
    "affine.max": _NONE,
    "affine.parallel": _recursive,
    "affine.store": _always(Effects.WRITE),
    "affine.vector_load": _always(Effects.READ),
    "affine.vector_store": _always(Effects.WRITE),
    "arith.extsi": _NONE,
    "arith.remui": _NONE,
    "memref.alloca_scope": _recursive,
    "memref.assume_alignment": _NONE,
    "scf.execute_region": _recursive,
    "scf.forall": _recursive,
    "scf.forall.in_parallel": _recursive,
    "tensor.parallel_insert_slice": _NONE,
    "vector.gather": _on_tensors_read,
    "vector.load": _always(Effects.READ),
    "vector.maskedload": _always(Effects.READ),
    "vector.maskedstore": _always(Effects.WRITE),
    "vector.print": _always(Effects.WRITE),
    "vector.scatter": _on_tensors_write,
    "vector.store": _always(Effects.WRITE),
    "vector.transfer_read": _on_tensors_read,
    "vector.transfer_write": _on_tensors_write,
}
"""Upstream ops that declare no effects, and those whose effects depend on their operands."""

_BY_DIALECT: dict[str, EffectRule] = {
    "linalg": _on_tensors_none,
    "math": _NONE,
    "tensor": _NONE,
    "vector": _NONE,
}
"""What the ops of a dialect without traits and without a line above do."""

_TRAITS: tuple[tuple[type[MemoryEffect], Effects], ...] = (
    (NoMemoryEffect, Effects.NONE),
    (MemoryReadEffect, Effects.READ),
    (MemoryWriteEffect, Effects.WRITE),
    (MemoryAllocEffect, Effects.ALLOC),
    (MemoryFreeEffect, Effects.FREE),
)

_RULES: dict[type[Operation], EffectRule] = {}


def _from_trait_method(op: Operation) -> Effects:
    """The effects of an op with its own kind of `MemoryEffect` trait, asked each time."""
    found = get_effects(op)
    if found is None:
        return Effects.UNKNOWN
    total = Effects.NONE
    for instance in found:
        total |= Effects[instance.kind.name]
    return total


def _rule_from_traits(op: Operation) -> EffectRule | None:
    declared = op.get_traits_of_type(MemoryEffect)
    if not declared:
        return None
    total = Effects.NONE
    for trait in declared:
        if isinstance(trait, RecursiveMemoryEffect):
            return _recursive
        known = [effects for kind, effects in _TRAITS if isinstance(trait, kind)]
        if not known:
            return _from_trait_method
        total |= known[0]
    return _always(total)


def _make_rule(op: Operation) -> EffectRule:
    if isinstance(op, UnregisteredOp):
        return _UNKNOWN
    if isinstance(op, ModuleOp):
        return _recursive
    if isinstance(op, HasMemoryEffects):
        return lambda op: op.memory_effects() if isinstance(op, HasMemoryEffects) else Effects.UNKNOWN
    if (rule := _BY_NAME.get(op.name)) is not None:
        return rule
    if (rule := _rule_from_traits(op)) is not None:
        return rule
    if op.has_trait(IsTerminator):
        return _NONE
    return _BY_DIALECT.get(op.name.partition(".")[0], _UNKNOWN)


def _rule(op: Operation) -> EffectRule:
    cls = type(op)
    rule = _RULES.get(cls)
    if rule is None:
        rule = _RULES[cls] = _make_rule(op)
    return rule


class EffectCache:
    """Effects of ops, remembering what the bodies of nested ops sum up to.

    Valid as long as only ops without effects are added to or removed from the regions asked about (what
    clean-up passes do); make a new one per pass run.
    """

    def __init__(self) -> None:
        self._nested: dict[Operation, Effects] = {}

    def effects(self, op: Operation) -> Effects:
        """The effects of `op`, its regions included."""
        rule = _rule(op)
        if rule is not _recursive:
            return rule(op)
        known = self._nested.get(op)
        if known is None:
            known = self._nested[op] = self._sum(op)
        return known

    def _sum(self, op: Operation) -> Effects:
        total = Effects.NONE
        for region in op.regions:
            for block in region.blocks:
                for inner in block.ops:
                    total |= self.effects(inner)
                    if total & Effects.UNKNOWN:
                        return Effects.UNKNOWN
        return total

    def is_pure(self, op: Operation) -> bool:
        """True when running `op` has no effect but its results."""
        return self.effects(op) is Effects.NONE

    def is_removable(self, op: Operation) -> bool:
        """True when `op` may go once its results are unused: it writes, frees, ends and names nothing."""
        if is_anchored(op):
            return False
        return not self.effects(op) & ~(Effects.READ | Effects.ALLOC)


_ANCHORED: dict[type[Operation], bool] = {}


def is_anchored(op: Operation) -> bool:
    """True for ops that stay whatever their effects: terminators and their parts, symbols, modules."""
    cls = type(op)
    anchored = _ANCHORED.get(cls)
    if anchored is None:
        anchored = _ANCHORED[cls] = (
            op.has_trait(IsTerminator)
            or op.has_trait(SymbolOpInterface)
            or isinstance(op, ModuleOp)
            or op.name == "tensor.parallel_insert_slice"
        )
    return anchored


def effects(op: Operation) -> Effects:
    """The effects of `op`, its regions included; walks them on each call (a pass keeps an `EffectCache`)."""
    return EffectCache().effects(op)


def is_pure(op: Operation) -> bool:
    """True when running `op` has no effect but its results."""
    return effects(op) is Effects.NONE


def is_trivially_dead(op: Operation, cache: EffectCache | None = None) -> bool:
    """True when `op` may be erased now: no result is used and nothing else it does is seen."""
    if any(result.first_use is not None for result in op.results):
        return False
    return (cache if cache is not None else EffectCache()).is_removable(op)
