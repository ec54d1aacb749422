"""Explanations that were made, kept in the cache: what `stepwell explain` prints of a program it has seen."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping

from stepwell import cache as caches
from stepwell.compiling import Place
from stepwell.kept_texts import text_of
from stepwell.machine_limits import limits_of

_EXPLANATIONS = "explanations"


def kept_explanation(place: Place, form: str) -> str | None:
    """An explanation as "text", "json" or "schedules"; None when it is not there, or damaged."""
    key = _key(place)
    entry = None if key is None else place.store.get(_EXPLANATIONS, key)
    if entry is None:
        return None
    try:
        return text_of(entry.pieces[entry.header["forms"].index(form)])
    except (AttributeError, LookupError, TypeError, ValueError, zlib.error):
        return None


def keep_explanation(place: Place, forms: Mapping[str, str]) -> None:
    """Keep an explanation, unless the compiler's code changed meanwhile."""
    key = _key(place)
    if key is not None and caches.code_digest() == place.code:
        pieces = [zlib.compress(text.encode()) for text in forms.values()]
        place.store.put(_EXPLANATIONS, key, {"forms": list(forms)}, pieces)


def _key(place: Place) -> str | None:
    """The program's, with all else that is said: what its file is called, and the machine's limits.

    None for a parsed module: the places in its source are no part of its key.
    """
    if place.text is None:
        return None
    said = (place.key, place.text.name, limits_of(place.target))
    return hashlib.sha256(repr(said).encode()).hexdigest()


__all__ = ["keep_explanation", "kept_explanation"]
