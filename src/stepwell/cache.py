"""Whether, where and under which keys compiled programs and objects are kept on disk (docs/cache.md).

A program's key is made of its bytes before they are parsed and of all else that decides its code; an object's of its LLVM IR and what LLVM
is asked for. Both are digests, and nothing here needs the compiler: a program that is found is loaded without it.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np

import stepwell
from stepwell.backends.object import recipe
from stepwell.backends.target import Target
from stepwell.backends.versions import toolchain
from stepwell.ir.errors import InvalidProgramError
from stepwell.request import Request
from stepwell.runtime.cache_store import Store, why_unsafe

SWITCH = "STEPWELL_CACHE"
FOLDER = "STEPWELL_CACHE_DIR"
LIMIT = "STEPWELL_CACHE_LIMIT"
DEFAULT_LIMIT = 2 << 30
FORMAT = 1
"""Of the entries' headers and pieces; part of every key."""

_UNITS = {"K": 10, "M": 20, "G": 30}
_ROOMS = ("ir", "dialects", "passes", "frontends", "backends", "runtime")
_CODE = (".py", ".mlir")


# Where ---------------------------------------------------------------------------------------------------------------


def is_on() -> bool:
    """Whether the environment lets anything be kept or found.

    Raises:
        InvalidProgramError: `STEPWELL_CACHE` says neither.
    """
    value = os.environ.get(SWITCH, "")
    if value not in ("", "0", "1"):
        raise InvalidProgramError(f"{SWITCH} is 1 (the default) or 0, not '{value}'")
    return value != "0"


def folder() -> Path:
    """The folder of the cache: `STEPWELL_CACHE_DIR`, else the user's cache folder."""
    named = os.environ.get(FOLDER)
    if named:
        return Path(named).absolute()
    from platformdirs import user_cache_dir

    try:
        return Path(user_cache_dir("stepwell", appauthor=False))
    except RuntimeError:  # there is no home
        return Path("~/.cache/stepwell")


def limit() -> int:
    """Bytes the cache may take: `STEPWELL_CACHE_LIMIT`.

    Raises:
        InvalidProgramError: it is no number of bytes.
    """
    text = os.environ.get(LIMIT, "")
    if not text:
        return DEFAULT_LIMIT
    digits, shift = (text[:-1], _UNITS[text[-1]]) if text[-1] in _UNITS else (text, 0)
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
        raise InvalidProgramError(f"{LIMIT} is a number of bytes, such as 500000000 or 512M, not '{text}'")
    return int(digits) << shift


def any_store() -> Store:
    """The cache's store, in use or not."""
    return Store(folder(), limit())


def store() -> Store | None:
    """The store to find and keep things in; None when the cache is off, or its folder is not safe, which is said once."""
    if not is_on():
        return None
    return _safe_store(folder(), limit())


def why_off(found: Store) -> str | None:
    """Why nothing is found or kept in a store; None when the cache is in use."""
    if not is_on():
        return f"{SWITCH} is 0"
    reason = _why_unusable(found.folder)
    return None if reason is None else f"it {reason}"


def _why_unusable(place: Path) -> str | None:
    if not place.is_absolute():  # or it would be a folder called ~ wherever one happens to be
        return "is relative: this user has no home"
    return why_unsafe(place)


@functools.cache
def _safe_store(place: Path, most: int) -> Store | None:
    reason = _why_unusable(place)
    if reason is None:
        return Store(place, most)
    from stepwell.ir.diagnostics import Diagnostic, emit

    hint = f"chmod 700 it if it is yours, set {FOLDER} to a folder of your own, or {SWITCH}=0"
    emit(Diagnostic("warning", None, f"nothing is cached: the folder {place} {reason}", hint=hint))
    return None


# Keys ----------------------------------------------------------------------------------------------------------------


def object_key(text: str, target: Target, opt_level: int) -> str:
    """The key of the object of an LLVM module."""
    return _key(["object", FORMAT, recipe(target, opt_level)], text.encode())


def pool_key(target: Target) -> str | None:
    """The key of the thread pool's object, whose source is part of the compiler; None as of `program_key`."""
    code = code_digest()
    return None if code is None else _key(["pool", FORMAT, code, recipe(target, 2)], b"")


def program_key(data: bytes, request: Request, target: Target) -> str | None:
    """The key of a program; None when it cannot be told what code makes the program."""
    code = code_digest()
    if code is None:
        return None
    allowed = (request.fp_contract, request.winograd, request.latency_target_ns, request.unchecked_indices)
    decides = (request.entry, request.opt_level, request.donate, request.schedules, *allowed)
    versions = (code, toolchain(), sys.version, np.__version__, ml_dtypes.__version__)
    return _key(["program", FORMAT, repr(decides), repr(target), versions], data)


def _key(parts: object, data: bytes) -> str:
    digest = hashlib.sha256(json.dumps(parts).encode() + b"\0")
    digest.update(data)
    return digest.hexdigest()


# The compiler's own code -----------------------------------------------------------------------------------------------


@dataclass
class _Scanned:
    digest: str | None
    modules: int


_lock = threading.Lock()
_scanned: list[_Scanned] = []


def code_digest() -> str | None:
    """A digest of names, sizes and times of the compiler's files, xDSL's included; None when memory may hold other code than the disk.

    That is so where a file is younger than this process, or changed while there still were modules to load.
    """
    with _lock:
        modules = len(sys.modules)
        if _scanned and (_scanned[0].modules == modules or _scanned[0].digest is None):
            return _scanned[0].digest
        digest = _digest_of_files(stepwell.IMPORTED_NS)
        if _scanned and digest != _scanned[0].digest:
            digest = None
        _scanned[:] = [_Scanned(digest, modules)]
        return digest


def _digest_of_files(before: int) -> str | None:
    """The digest; None when a file was changed after the time `before`, or there are no files to look at."""
    listing: list[tuple[str, int, int]] = []
    places = _places()
    if places is None:
        return None
    try:
        for name, place in places:
            listing.extend((name + path[len(place) :], size, changed) for path, size, changed in _files(place))
    except OSError:
        return None
    if not listing or max(changed for _, _, changed in listing) >= before:
        return None
    return hashlib.sha256(repr(sorted(listing)).encode()).hexdigest()


def _places() -> list[tuple[str, str]] | None:
    """(name, folder) of each package whose code decides what is made; the rooms of a checkout lie beside `stepwell`."""
    found: list[tuple[str, str]] = []
    for name in ("stepwell", *(f"stepwell.{room}" for room in _ROOMS), "xdsl"):
        spec = importlib.util.find_spec(name)
        places = list(spec.submodule_search_locations or ()) if spec is not None else []
        if not places:
            return None
        found.extend((name, place) for place in places if not any(place.startswith(p + os.sep) for _, p in found))
    return found


def _files(place: str) -> Iterator[tuple[str, int, int]]:
    """(path, size, time of the last change) of each file of code in a folder and those in it or linked from it."""
    with os.scandir(place) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != "__pycache__" and not (entry.is_symlink() and _leads_back(entry.path)):
                    yield from _files(entry.path)
            elif entry.name.endswith(_CODE):
                status = entry.stat()
                yield entry.path, status.st_size, status.st_mtime_ns


def _leads_back(link: str) -> bool:
    """Whether a link to a folder leads to one that it lies in."""
    return (os.path.realpath(os.path.dirname(link)) + os.sep).startswith(os.path.realpath(link) + os.sep)


__all__ = [
    "FOLDER",
    "LIMIT",
    "SWITCH",
    "any_store",
    "code_digest",
    "is_on",
    "object_key",
    "pool_key",
    "program_key",
    "store",
]
