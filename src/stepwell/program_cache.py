"""`ProgramCache`: compiled programs by key, bounded, least recently used out first."""

from __future__ import annotations

from dataclasses import dataclass

from stepwell.bounded_cache import BoundedCache
from stepwell.frontends.errors import refuse
from stepwell.frontends.pytree import TreeDef
from stepwell.runtime.executable import Executable
from stepwell.signatures import Signature


@dataclass(frozen=True)
class Program:
    """A compiled signature: the executable, the structure of its results, which array leaves it overwrites."""

    executable: Executable
    results: TreeDef
    donated: tuple[int, ...]
    signature: Signature


class ProgramCache(BoundedCache[Program]):
    """Programs by key."""

    def signatures(self) -> list[Signature]:
        """What the programs were compiled for, the latest used last."""
        return [program.signature for program in self.values()]

    def unhashable(self, error: TypeError) -> Exception:
        """A static part of the key is not hashable."""
        hint = "static values, and static fields of dataclasses, need __hash__ and __eq__"
        return refuse(f"an argument is neither an array nor hashable: {error}", hint)


__all__ = ["Program", "ProgramCache"]
