"""`BoundedCache`: what was made for a key, at most so many, least recently used out first; each key is made once."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class _Entry(Generic[T]):
    __slots__ = ("used", "value")

    def __init__(self, value: T, used: int):
        self.value = value
        self.used = used


class BoundedCache(Generic[T]):
    """Values by key; one thread makes a key's, others wait for it.

    Finding takes no lock: a use is a new time stamp, and only what puts a value in looks for the oldest.
    """

    def __init__(self, size: int):
        self.size = size
        self._entries: dict[Hashable, _Entry[T]] = {}
        self._clock = itertools.count()
        self._lock = threading.Lock()
        self._pending: dict[Hashable, threading.RLock] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def values(self) -> list[T]:
        """All values, the latest used last."""
        with self._lock:
            entries = sorted(self._entries.values(), key=lambda entry: entry.used)
        return [entry.value for entry in entries]

    def clear(self) -> None:
        """Forget all values."""
        with self._lock:
            self._entries.clear()

    def find(self, key: Hashable) -> T | None:
        """The value of a key, if there is one."""
        try:
            entry = self._entries.get(key)
        except TypeError as error:
            raise self.unhashable(error) from None
        if entry is None:
            return None
        entry.used = next(self._clock)
        return entry.value

    def unhashable(self, error: TypeError) -> Exception:
        """What to raise for a key that is not hashable."""
        return error

    def make(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key that was not found, made unless another thread has done so."""
        with self._lock:
            mutex = self._pending.setdefault(key, threading.RLock())
        with mutex:
            value = self.find(key)
            if value is None:
                try:
                    value = make()
                    self._put(key, value)
                finally:
                    with self._lock:
                        self._pending.pop(key, None)
        return value

    def _put(self, key: Hashable, value: T) -> None:
        with self._lock:
            self._entries[key] = _Entry(value, next(self._clock))
            while len(self._entries) > self.size:
                oldest: Any = min(self._entries, key=lambda k: self._entries[k].used)
                del self._entries[oldest]


__all__ = ["BoundedCache"]
