"""What a `stepwell.Profiler` recorded as files that TensorBoard reads, written byte for byte: there is no TensorFlow to import.

TensorBoard's profile plugin looks below `plugins/profile/RUN/` of its folder, its newer versions (xprof) for `HOST.xplane.pb`, a protobuf
message (tsl/profiler/protobuf/xplane.proto), its older ones for `HOST.trace.json.gz`, Chrome's format. Its scalars are in an event file:
records, each with its length and checksums, that are protobuf messages (tensorflow/core/util/event.proto) too.
"""

from __future__ import annotations

import gzip
import itertools
import json
import os
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from stepwell.ir.errors import InvalidProgramError
from stepwell.profile_events import Argument, Arguments, Recorded, chrome_trace

_CASTAGNOLI = 0x82F63B78
_MASK = 0xA282EAD8
_HOST_PLANE = "/host:CPU"
"""The plane whose lines the plugin shows as threads of the host."""
_MIB = 1 << 20
_exports = itertools.count()


def export(recorded: Recorded, logdir: str | Path, run: str | None) -> Path:
    """Write what was recorded below `logdir`; the folder of the profile.

    Args:
        recorded: what to write.
        logdir: TensorBoard's folder; it is made.
        run: what TensorBoard is to call the profile; by default, the time.

    Raises:
        InvalidProgramError: `run` is no name, or something cannot be written.
    """
    if run is not None and (not run or run in (".", "..") or any(c in run for c in "/\\\0")):
        raise InvalidProgramError(f"a run of TensorBoard is called by a name without slashes, not {run!r}")
    root = Path(logdir)
    host = socket.gethostname() or "localhost"
    to_wall = time.time_ns() - time.monotonic_ns()
    trace = json.dumps(chrome_trace(recorded), allow_nan=False).encode()
    try:
        folder = _folder(root / "plugins" / "profile", run)
        (folder / f"{host}.trace.json.gz").write_bytes(gzip.compress(trace, mtime=0))
        (folder / f"{host}.xplane.pb").write_bytes(xspace(recorded, host))
        name = f"events.out.tfevents.{time.time_ns() // 10**9:010d}.{host}.{os.getpid()}.{next(_exports)}"
        (root / name).write_bytes(b"".join(map(record, events(recorded, to_wall))))
    except OSError as error:
        raise InvalidProgramError(f"cannot write the profile: {error}") from None
    return folder


def _folder(above: Path, run: str | None) -> Path:
    """The folder of a run, made; one of its own where it has no name yet."""
    if run is not None:
        folder = above / run
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    now = time.strftime("%Y_%m_%d_%H_%M_%S")
    for number in itertools.count():
        folder = above / (f"{now}_{number}" if number else now)
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:  # another profile of this second
            continue
    raise AssertionError("numbers end")


# Protobuf ------------------------------------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    """An integer in groups of seven bits, the lowest first; negative ones as 64 bits."""
    value &= (1 << 64) - 1
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _int(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode("utf-8", "replace"))


def _double(field: int, value: float) -> bytes:
    return varint(field << 3 | 1) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    try:
        return varint(field << 3 | 5) + struct.pack("<f", value)
    except OverflowError:  # beyond f32
        return varint(field << 3 | 5) + struct.pack("<f", float("inf") if value > 0 else float("-inf"))


# The profile ---------------------------------------------------------------------------------------------------------


class _Names:
    """Names by number, in the order in which they came: what XEventMetadata and XStatMetadata are."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers) + 1)

    def messages(self, field: int) -> Iterator[bytes]:
        """The entries of the map `field`."""
        for name, number in self._numbers.items():
            yield _bytes(field, _int(1, number) + _bytes(2, _int(1, number) + _text(2, name)))


class _Row(NamedTuple):
    """A section or an instant on the line of its thread."""

    start: int
    end: int
    name: str
    arguments: Arguments


def xspace(recorded: Recorded, host: str) -> bytes:
    """An XSpace: a plane of the host with a line for each thread, from the first event on.

    Sections that are open, counters and memory are not in it: the plugin has no place for them.
    """
    rows: dict[tuple[int, int], list[_Row]] = {}
    for s in recorded.sections:
        rows.setdefault((s.process, s.thread), []).append(_Row(s.start, s.end, s.name, s.arguments))
    for i in recorded.instants:
        rows.setdefault((i.process, i.thread), []).append(_Row(i.time, i.time, i.name, i.arguments))
    origin = min((row.start for line in rows.values() for row in line), default=0)
    several = len({process for process, _ in rows}) > 1
    names, stats = _Names(), _Names()
    lines: list[bytes] = []
    for number, ((process, thread), line) in enumerate(sorted(rows.items(), key=lambda item: item[0])):
        title = recorded.threads.get(thread, f"thread {thread}")
        head = _int(1, number + 1) + _text(2, f"{process} {title}" if several else title)
        inner_last = sorted(line, key=lambda row: (row.start, -row.end))
        lines.append(_bytes(3, head + b"".join(_bytes(4, _event(row, origin, names, stats)) for row in inner_last)))
    plane = [_int(1, 1), _text(2, _HOST_PLANE), *lines, *names.messages(4), *stats.messages(5)]
    return _bytes(1, b"".join(plane)) + _text(4, host)


def _event(row: _Row, origin: int, names: _Names, stats: _Names) -> bytes:
    """An XEvent; its times are in picoseconds."""
    times = _int(2, 1000 * (row.start - origin)) + _int(3, 1000 * (row.end - row.start))
    said = [_bytes(4, _stat(stats.number(key), value)) for key, value in row.arguments.items()]
    return b"".join((_int(1, names.number(row.name)), times, *said))


def _stat(key: int, value: Argument) -> bytes:
    if isinstance(value, float):
        return _int(1, key) + _double(2, value)
    if isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63:
        return _int(1, key) + _int(4, value)
    return _int(1, key) + _text(5, hex(value) if type(value) is int else str(value))


# Scalars -------------------------------------------------------------------------------------------------------------


def events(recorded: Recorded, to_wall: int) -> Iterable[bytes]:
    """The messages of an event file: how long each section took, counters and memory, as scalars."""
    points: list[tuple[int, str, float]] = [
        (s.end, f"milliseconds/{s.name}", (s.end - s.start) / 1e6) for s in recorded.sections
    ]
    for c in recorded.counters:
        points += [(c.time, c.name if key == "value" else f"{c.name}/{key}", v) for key, v in c.values.items()]
    points += [(m.time, "memory/used MB", m.used / _MIB) for m in recorded.memory]
    points.sort(key=lambda point: point[0])
    start = points[0][0] if points else time.monotonic_ns()
    yield _double(1, (start + to_wall) / 1e9) + _text(3, "brain.Event:2")
    steps: dict[str, int] = {}
    for now, tag, value in points:
        step = steps[tag] = steps.get(tag, -1) + 1
        summary = _bytes(1, _text(1, tag) + _float(2, value))
        yield _double(1, (now + to_wall) / 1e9) + _int(2, step) + _bytes(5, summary)


def record(data: bytes) -> bytes:
    """A record of an event file: the length, its checksum, the data, its checksum."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", checksum(length)) + data + struct.pack("<I", checksum(data))


def _table() -> list[int]:
    table: list[int] = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_CASTAGNOLI if value & 1 else 0)
        table.append(value)
    return table


_CRC = _table()


def checksum(data: bytes) -> int:
    """CRC-32C, masked as event files have it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


__all__ = ["checksum", "events", "export", "record", "varint", "xspace"]
