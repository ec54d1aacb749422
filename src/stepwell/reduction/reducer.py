"""`reduce_module`: the smallest module found that is still interesting.

Each edit (of `stepwell.reduction.edits`) knows its targets in a module: ops to drop, results, attributes. The search tries it on all
of them at once, then on halves, quarters, ... and single ones, and keeps what stays interesting; about two tests for each target
that stays. Edits run in rounds until a round changes nothing. Every candidate is a clone that verifies, and none is tested twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from xdsl.dialects.builtin import ModuleOp

from stepwell.ir.diagnostics import DiagnosticError
from stepwell.ir.recursion import deep_recursion
from stepwell.ir.structural_hash import structural_hash
from stepwell.ir.verify import verify_module
from stepwell.reduction.edits import EDITS, Edit

Interesting: TypeAlias = Callable[[ModuleOp], bool]
"""Whether a module still shows what one is after; it may change the module, which is a copy."""

MOST_ROUNDS = 20


class NotInterestingError(Exception):
    """The module one starts from is not interesting."""


def reduce_module(
    module: ModuleOp,
    is_interesting: Interesting,
    *,
    most_tests: int | None = None,
    progress: Callable[[str], None] | None = None,
    edits: Sequence[Edit] = EDITS,
) -> ModuleOp:
    """A small module for which `is_interesting` holds, made from `module`, which stays as it is; it verifies.

    Args:
        module: where to start; must be interesting itself.
        is_interesting: the test; it gets a copy.
        most_tests: how often to ask it at most.
        progress: is told about each step forward, in one line.
        edits: what may be done to a module, in this order.

    Raises:
        NotInterestingError: `module` is not interesting.
    """
    with deep_recursion():
        if not is_interesting(module.clone()):
            raise NotInterestingError("the program one starts from is not interesting: the test must succeed on it")
        search = _Search(module.clone(), is_interesting, most_tests, progress or _say_nothing)
        for _ in range(MOST_ROUNDS):
            before = search.best
            for edit in edits:
                search.run(edit)
            if search.best is before or search.is_over:
                break
        return search.best


def count_ops(module: ModuleOp) -> int:
    """The ops in a module, itself not counted."""
    return sum(1 for _ in module.walk()) - 1


def _say_nothing(line: str) -> None:
    del line


@dataclass
class _Search:
    best: ModuleOp
    is_interesting: Interesting
    most_tests: int | None
    progress: Callable[[str], None]
    tests: int = 0
    _seen: dict[str, None] = field(default_factory=dict[str, None])

    def __post_init__(self) -> None:
        self._seen[structural_hash(self.best)] = None

    @property
    def is_over(self) -> bool:
        """True when no test is left."""
        return self.most_tests is not None and self.tests >= self.most_tests

    def run(self, edit: Edit) -> None:
        """Carry out `edit` on as many of its targets as stay interesting."""
        ops, tests, done = count_ops(self.best), self.tests, 0
        size = len(edit.targets(self.best)) if edit.in_chunks else 1
        while size > 0 and not self.is_over:
            # What larger chunks took away is gone from here on, so that later candidates are small.
            done += self._run_level(edit, size)
            size = min(size // 2, len(edit.targets(self.best)))
        if done:
            self.progress(
                f"{edit.name}: {done} times, {ops} -> {count_ops(self.best)} ops ({self.tests - tests} tests)"
            )

    def _run_level(self, edit: Edit, size: int) -> int:
        """Try chunks of one size on the best module so far; how many targets the edit was carried out on."""
        base = self.best
        count = len(edit.targets(base))
        done: list[int] = []
        # From the end: who uses goes before who is used.
        for end in range(count, 0, -size):
            chunk = range(max(0, end - size), end)
            if self._try(edit, base, [*chunk, *done]):
                done = [*chunk, *done]
        return len(done)

    def _try(self, edit: Edit, base: ModuleOp, chosen: Sequence[int]) -> bool:
        if self.is_over:
            return False
        candidate = _edited(edit, base, chosen)
        if candidate is None:
            return False
        digest = structural_hash(candidate)
        if digest in self._seen:
            return False
        self._seen[digest] = None
        self.tests += 1
        if not self.is_interesting(candidate.clone()):
            return False
        self.best = candidate
        return True


def _edited(edit: Edit, base: ModuleOp, chosen: Sequence[int]) -> ModuleOp | None:
    """A copy of `base` with the edit carried out on some targets; None where that makes no valid module."""
    candidate = base.clone()
    targets: Sequence[Any] = edit.targets(candidate)
    try:
        edit.apply(candidate, [targets[i] for i in chosen])
        verify_module(candidate)
    except DiagnosticError:
        return None
    except Exception:  # an edit knows nothing about most ops: where it does not fit there is no candidate
        return None
    return candidate


__all__ = ["Interesting", "NotInterestingError", "count_ops", "reduce_module"]
