"""Objects of LLVM modules: found in the cache, or made and kept there."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from stepwell import cache as caches
from stepwell.backends import pool
from stepwell.backends.object_pool import compile_all
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
        return compile_all(texts, target, opt_level)
    keys = [caches.object_key(text, target, opt_level) for text in texts]
    found = {key: _found(store, key) for key in keys}
    missing = {key: text for key, text in zip(keys, texts, strict=True) if found[key] is None}
    made = dict(zip(missing, compile_all(list(missing.values()), target, opt_level), strict=True))
    for key, data in made.items():
        store.put(_OBJECTS, key, {}, [data])
    return [found[key] or made[key] for key in keys]


def _found(store: Store, key: str) -> bytes | None:
    entry = store.get(_OBJECTS, key)
    return entry.pieces[0] if entry is not None and len(entry.pieces) == 1 else None


@functools.cache
def pool_object(target: Target) -> bytes:
    """The object of the thread pool."""
    store = caches.store()
    key = caches.pool_key(target)
    found = None if store is None or key is None else _found(store, key)
    if found is not None:
        return found
    made = pool.pool_object(target)
    if store is not None and key is not None:
        store.put(_OBJECTS, key, {}, [made])
    return made


__all__ = ["compile_objects", "pool_object"]
