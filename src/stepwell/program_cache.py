"""`ProgramCache`: compiled programs by key, bounded, least recently used out first."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

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


class _Entry:
    __slots__ = ("program", "used")

    def __init__(self, program: Program, used: int):
        self.program = program
        self.used = used


class ProgramCache:
    """Programs by key; one thread compiles a key, others wait for it.

    Finding takes no lock: a use is a new time stamp, and only what puts a program in looks for the oldest.
    """

    def __init__(self, size: int):
        self.size = size
        self._entries: dict[Hashable, _Entry] = {}
        self._clock = itertools.count()
        self._lock = threading.Lock()
        self._pending: dict[Hashable, threading.RLock] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def signatures(self) -> list[Signature]:
        """What the programs were compiled for, the latest used last."""
        with self._lock:
            entries = sorted(self._entries.values(), key=lambda entry: entry.used)
        return [entry.program.signature for entry in entries]

    def clear(self) -> None:
        """Forget all programs."""
        with self._lock:
            self._entries.clear()

    def find(self, key: Hashable) -> Program | None:
        """The program of a key, if there is one.

        Raises:
            TracingError: a static part of the key is not hashable.
        """
        try:
            entry = self._entries.get(key)
        except TypeError as error:
            hint = "static values, and static fields of dataclasses, need __hash__ and __eq__"
            raise refuse(f"an argument is neither an array nor hashable: {error}", hint) from None
        if entry is None:
            return None
        entry.used = next(self._clock)
        return entry.program

    def make(self, key: Hashable, make: Callable[[], Program]) -> Program:
        """The program of a key that was not found, made unless another thread has done so."""
        with self._lock:
            mutex = self._pending.setdefault(key, threading.RLock())
        with mutex:
            program = self.find(key)
            if program is None:
                try:
                    program = make()
                    self._put(key, program)
                finally:
                    with self._lock:
                        self._pending.pop(key, None)
        return program

    def _put(self, key: Hashable, program: Program) -> None:
        with self._lock:
            self._entries[key] = _Entry(program, next(self._clock))
            while len(self._entries) > self.size:
                oldest: Any = min(self._entries, key=lambda k: self._entries[k].used)
                del self._entries[oldest]


__all__ = ["Program", "ProgramCache"]
