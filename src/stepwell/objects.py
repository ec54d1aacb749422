"""Objects of LLVM modules: found in the cache, or made and kept there."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from stepwell import cache as caches
from stepwell.backends import pool
from stepwell.backends.object import compile_llvm
from stepwell.backends.target import Target
from stepwell.runtime.cache_store import Store

_OBJECTS = "objects"


def compile_objects(texts: Sequence[str], target: Target, opt_level: int, *, cache: bool = True) -> list[bytes]:
    """The objects of LLVM modules, in their order; `cache` says whether they may be found, and are kept.

    Raises:
        UnsupportedError: the code would call a function that no library here provides.
    """
    store = caches.store() if cache else None
    if store is None:
        return [compile_llvm(text, target, opt_level) for text in texts]
    return [_object(text, target, opt_level, store) for text in texts]


def _object(text: str, target: Target, opt_level: int, store: Store) -> bytes:
    return _kept(store, caches.object_key(text, target, opt_level), lambda: compile_llvm(text, target, opt_level))


def _kept(store: Store, key: str, make: Callable[[], bytes]) -> bytes:
    """What is kept under a key, made if it is not."""
    entry = store.get(_OBJECTS, key)
    if entry is not None and len(entry.pieces) == 1:
        return entry.pieces[0]
    made = make()
    store.put(_OBJECTS, key, {}, [made])
    return made


@functools.cache
def pool_object(target: Target) -> bytes:
    """The object of the thread pool."""
    store = caches.store()
    key = caches.pool_key(target)
    if store is None or key is None:
        return pool.pool_object(target)
    return _kept(store, key, lambda: pool.pool_object(target))


__all__ = ["compile_objects", "pool_object"]
