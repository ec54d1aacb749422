"""What was compiled, on disk: entries by key in one folder of the user's, bounded in size, least recently used out first.

An entry is a JSON header and pieces of bytes in a length-prefixed container that ends up under its key by an atomic rename. It carries
a SHA-256 digest of its kind, its key and its contents, so that an entry which is damaged, cut off, of another version or under a wrong
name is a miss, like one that is not there. Nothing that goes wrong with the disk is an error: what cannot be read is missing, what
cannot be written is not kept. What decides a key is whoever calls' business (`docs/cache.md`).
"""

from __future__ import annotations

import array
import contextlib
import hashlib
import json
import os
import re
import stat
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAGIC = b"stepwell cache\n\0"
VERSION = 1
"""Of the container; another one is a miss."""
KINDS = ("objects", "programs", "texts", "explanations")
"""Entries of one kind are in one folder."""

_PREFIX = struct.Struct("<16sI32s")
_LENGTH = struct.Struct("<Q")
_KEY = re.compile(r"[0-9a-f]{64}")
_SUFFIX = ".entry"
_SIZES = "sizes"
_MOST_SIZES = 4096
"""Entries written before the folder is measured again."""
_STALE_SECONDS = 3600.0
"""An unfinished file of that age belongs to nobody who still writes."""
_LEFT = 0.8
"""What eviction leaves of the limit, so that not every write evicts."""


@dataclass(frozen=True)
class Entry:
    """What was kept under a key."""

    header: dict[str, Any]
    pieces: tuple[bytes, ...]


@dataclass(frozen=True)
class Info:
    """What a store holds: (entries, bytes) of each kind."""

    folder: str
    limit: int
    kinds: dict[str, tuple[int, int]]

    @property
    def total_bytes(self) -> int:
        """Bytes of all entries."""
        return sum(size for _, size in self.kinds.values())


def why_unsafe(folder: Path) -> str | None:
    """Why nothing in a folder may be trusted: others may write in it. None when it may, or it is not there."""
    try:
        status = folder.stat()
    except OSError:
        return None
    if not stat.S_ISDIR(status.st_mode):
        return "is not a folder"
    if status.st_uid != os.geteuid():
        return "belongs to another user"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"may be written by others (mode {stat.S_IMODE(status.st_mode):04o})"
    return None


class Store:
    """The entries in a folder, which is made when something is kept; all methods may be called from many processes at once."""

    def __init__(self, folder: Path, limit: int):
        self.folder = folder
        self.limit = limit

    def get(self, kind: str, key: str) -> Entry | None:
        """What is kept under a key; counts as a use."""
        path = self._path(kind, key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        entry = unpacked(data, kind, key)
        if entry is not None:
            with contextlib.suppress(OSError):
                os.utime(path)
        return entry

    def put(self, kind: str, key: str, header: dict[str, Any], pieces: Sequence[bytes] = ()) -> bool:
        """Keep something under a key; whether it is kept."""
        data = packed(kind, key, header, pieces)
        if len(data) > self.limit:
            return False
        path = self._path(kind, key)
        try:
            for folder in (self.folder, path.parent.parent, path.parent):
                folder.mkdir(mode=0o700, parents=folder is self.folder, exist_ok=True)
            if why_unsafe(self.folder) is not None:
                return False
            _write_whole(path, data)
        except OSError:
            return False
        self._count(len(data))
        return True

    def info(self) -> Info:
        """How much there is."""
        found = {kind: (0, 0) for kind in KINDS}
        for kind, _, status in self._entries():
            count, size = found[kind]
            found[kind] = (count + 1, size + status.st_size)
        return Info(str(self.folder), self.limit, found)

    def clear(self) -> int:
        """Remove all entries; how many there were."""
        removed = sum(_removed(path) for _, path, _ in self._entries())
        for path in self._unfinished():
            _removed(path)
        _removed(self.folder / _SIZES)
        return removed

    def verify(self) -> tuple[int, list[str]]:
        """(how many entries are whole, the paths of those that are not, which are removed)."""
        whole, damaged = 0, list[str]()
        for kind, path, _ in self._entries():
            try:
                data = path.read_bytes()
            except FileNotFoundError:  # evicted meanwhile
                continue
            except OSError:
                data = b""
            if unpacked(data, kind, path.name.removesuffix(_SUFFIX)) is None:
                damaged.append(str(path))
                _removed(path)
            else:
                whole += 1
        return whole, damaged

    def evict(self) -> None:
        """Remove what was used least recently while there is more than the limit, and what was left unfinished."""
        entries = sorted(self._entries(), key=lambda entry: (entry[2].st_mtime_ns, entry[1]))
        total = sum(status.st_size for _, _, status in entries)
        goal = total if total <= self.limit else int(self.limit * _LEFT)
        for _, path, status in entries:
            if total <= goal:
                break
            total -= status.st_size if _removed(path) else 0
        oldest = time.time() - _STALE_SECONDS
        for path in self._unfinished():
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()
        with contextlib.suppress(OSError):
            _write_whole(self.folder / _SIZES, struct.pack("<q", total))

    def _path(self, kind: str, key: str) -> Path:
        assert kind in KINDS
        assert _KEY.fullmatch(key)
        return self.folder / kind / key[:2] / f"{key}{_SUFFIX}"

    def _count(self, size: int) -> None:
        """Add to the sizes written since the folder was measured; evict when they, or their number, are too much.

        Appending needs no lock, and what two processes write at once is at worst counted when the folder is measured again.
        """
        try:
            new = not (self.folder / _SIZES).exists()
            handle = os.open(self.folder / _SIZES, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, struct.pack("<q", size))
                data = os.pread(handle, 8 * (_MOST_SIZES + 1), 0)
            finally:
                os.close(handle)
        except OSError:
            return
        sizes = array.array("q", data[: len(data) // 8 * 8])
        if new or len(sizes) > _MOST_SIZES or sum(sizes) > self.limit:
            self.evict()

    def _entries(self) -> Iterator[tuple[str, Path, os.stat_result]]:
        for kind in KINDS:
            for name, path in _files(self.folder / kind):
                if not name.endswith(_SUFFIX) or not _KEY.fullmatch(name.removesuffix(_SUFFIX)):
                    continue
                with contextlib.suppress(OSError):
                    yield kind, path, path.stat()

    def _unfinished(self) -> list[Path]:
        files = _listed(self.folder) + [path for kind in KINDS for _, path in _files(self.folder / kind)]
        return [path for path in files if path.suffix == ".tmp"]


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """(name, path) of the files in the folders of a folder, sorted."""
    for inner in _listed(folder):
        for path in _listed(inner):
            yield path.name, path


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _removed(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file that others see whole or not at all."""
    name = path.parent / f"{os.getpid()}-{os.urandom(8).hex()}.tmp"
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def packed(kind: str, key: str, header: dict[str, Any], pieces: Sequence[bytes]) -> bytes:
    """The container of an entry."""
    parts = [json.dumps(header, sort_keys=True, separators=(",", ":")).encode(), *pieces]
    body = b"".join(part for piece in parts for part in (_LENGTH.pack(len(piece)), piece))
    return _PREFIX.pack(MAGIC, VERSION, _digest(kind, key, body)) + body


def unpacked(data: bytes, kind: str, key: str) -> Entry | None:
    """The entry in a container; None unless every byte is what was written for this kind and key."""
    if len(data) < _PREFIX.size:
        return None
    magic, version, digest = _PREFIX.unpack_from(data)
    if magic != MAGIC or version != VERSION or digest != _digest(kind, key, memoryview(data)[_PREFIX.size :]):
        return None
    pieces: list[bytes] = []
    at = _PREFIX.size
    while at < len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        pieces.append(data[at : at + length])
        at += length
    return Entry(json.loads(pieces[0]), tuple(pieces[1:]))


def _digest(kind: str, key: str, body: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(f"{kind}/{key}\0".encode())
    digest.update(body)
    return digest.digest()


__all__ = ["KINDS", "Entry", "Info", "Store", "packed", "unpacked", "why_unsafe"]
