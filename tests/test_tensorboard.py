"""What `Profiler.export_tensorboard` writes, read back byte for byte by a reader of its own."""

from __future__ import annotations

import gzip
import json
import struct
import threading

import pytest

from stepwell import Profiler, sections
from stepwell.errors import InvalidProgramError
from stepwell.profile_events import Recorded
from stepwell.tensorboard import checksum, events, record, varint, xspace

# A reader ------------------------------------------------------------------------------------------------------------


def crc32c(data):
    """The checksum bit by bit, as RFC 3720 defines it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def unmasked(value):
    rotated = (value - 0xA282EAD8) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


def records(data):
    """The records of an event file, their checksums right."""
    found = []
    while data:
        length, length_crc = struct.unpack("<QI", data[:12])
        assert unmasked(length_crc) == crc32c(data[:8])
        body = data[12 : 12 + length]
        assert unmasked(struct.unpack("<I", data[12 + length : 16 + length])[0]) == crc32c(body)
        found.append(body)
        data = data[16 + length :]
    return found


def number(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def message(data):
    """The fields of a protobuf message: {number: [values]}."""
    fields, at = {}, 0
    while at < len(data):
        key, at = number(data, at)
        kind = key & 7
        if kind == 0:
            value, at = number(data, at)
            value -= (value >> 63) << 64
        elif kind == 2:
            length, at = number(data, at)
            value, at = data[at : at + length], at + length
        else:
            size, code = {1: (8, "<d"), 5: (4, "<f")}[kind]
            (value,), at = struct.unpack(code, data[at : at + size]), at + size
        fields.setdefault(key >> 3, []).append(value)
    assert at == len(data)
    return fields


def names(entries):
    """A map from numbers to messages with a name."""
    return {message(e)[1][0]: message(message(e)[2][0])[2][0].decode() for e in entries}


def profile(data):
    """The lines of an XSpace: {thread: [(name, start, length, arguments)]}, times in nanoseconds."""
    (plane,) = map(message, message(data)[1])
    assert plane[2] == [b"/host:CPU"]
    events, stats = names(plane.get(4, [])), names(plane.get(5, []))
    lines = {}
    for line in map(message, plane.get(3, [])):
        rows = []
        for event in map(message, line[4]):
            said = {}
            for stat in map(message, event.get(4, [])):
                ((field, value),) = [(f, v[0]) for f, v in stat.items() if f != 1]
                said[stats[stat[1][0]]] = value.decode() if field == 5 else value
            rows.append((events[event[1][0]], event[2][0] // 1000, event[3][0] // 1000, said))
        lines[line[2][0].decode()] = rows
    return lines


def scalars(data):
    """What an event file has: {tag: [(step, value)]}, and the times of all its records."""
    first, *rest = map(message, records(data))
    assert first[3] == [b"brain.Event:2"]
    found = {}
    for event in rest:
        value = message(message(event[5][0])[1][0])
        found.setdefault(value[1][0].decode(), []).append((event[2][0], value[2][0]))
    return found, [event[1][0] for event in (first, *rest)]


# Tests ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch):
    """A clock that is a millisecond later each time."""
    now = iter(range(10**15, 10**16, 10**6))
    monkeypatch.setattr(sections.time, "monotonic_ns", lambda: next(now))


def test_the_reader_and_the_writer_agree_with_the_standards():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert unmasked(checksum(b"123456789")) == 0xE3069283
    assert [varint(n) for n in (0, 1, 127, 128, 300)] == [b"\0", b"\1", b"\x7f", b"\x80\1", b"\xac\2"]
    assert varint(-1) == b"\xff" * 9 + b"\1"
    assert records(record(b"") + record(b"abc")) == [b"", b"abc"]


def test_a_profile_has_a_line_for_each_thread_and_arguments(clock):
    profiler = Profiler(enabled=True)
    with profiler.section("step", number=3, low=-1, rate=0.5, what="input", none=None, yes=True, large=1 << 70):
        profiler.instant("saved")
    thread = threading.Thread(target=lambda: profiler.call("work", int), name="reader é")
    thread.start()
    thread.join()
    said = {"number": 3, "low": -1, "rate": 0.5, "what": "input", "none": "None", "yes": "True", "large": hex(1 << 70)}
    assert profile(xspace(profiler._recorded(), "host")) == {
        threading.current_thread().name: [("step", 0, 2 * 10**6, said), ("saved", 10**6, 0, {})],
        "reader é": [("work", 3 * 10**6, 10**6, {})],
    }
    assert message(xspace(profiler._recorded(), "host"))[4] == [b"host"]


def test_the_lines_of_several_processes_say_which():
    profiler = Profiler(enabled=True)
    with profiler.section("a"):
        pass
    (mine,) = profiler.sections
    other = mine._replace(process=mine.process + 1, start=mine.start - 5000)
    recorded = Recorded((mine, other), (), (), (), (), {0: "main"})
    lines = profile(xspace(recorded, "host"))
    assert list(lines) == [f"{mine.process} main", f"{mine.process + 1} main"]
    assert [rows[0][1] for rows in lines.values()] == [5000, 0]


def test_times_of_sections_counters_and_memory_are_scalars_by_step(clock):
    profiler = Profiler(enabled=True)
    with profiler:
        for loss in (0.5, 1e300, -1e300):
            with profiler.section("step"):
                profiler.counter("loss", loss)
            profiler.counter("queue", waiting=2)
    found, times = scalars(b"".join(map(record, events(profiler._recorded(), 10**18))))
    assert found.pop("memory/used MB")[0][0] == 0
    assert found == {
        "milliseconds/step": [(0, 2.0), (1, 2.0), (2, 2.0)],
        "loss": [(0, 0.5), (1, float("inf")), (2, float("-inf"))],
        "queue/waiting": [(0, 2.0), (1, 2.0), (2, 2.0)],
    }
    assert times == sorted(times)
    assert times[-1] > 1e9


def test_the_files_lie_where_tensorboard_looks(tmp_path):
    profiler = Profiler(enabled=True)
    with profiler.section("step"):
        profiler.counter("loss", float("nan"))
    first, second = (profiler.export_tensorboard(tmp_path / "log") for _ in range(2))
    named = profiler.export_tensorboard(tmp_path / "log", run="third")
    again = profiler.export_tensorboard(tmp_path / "log", run="third")
    assert len({first, second, named}) == 3
    assert named == again == tmp_path / "log" / "plugins" / "profile" / "third"
    assert first.parent == second.parent == named.parent
    for folder in (first, second, named):
        trace, space = sorted(folder.iterdir(), key=lambda path: path.suffix != ".gz")
        host = trace.name.removesuffix(".trace.json.gz")
        assert space.name == f"{host}.xplane.pb"
        assert json.loads(gzip.decompress(trace.read_bytes())) == json.loads(profiler.chrome_trace())
        assert [row[0] for rows in profile(space.read_bytes()).values() for row in rows] == ["step"]
    files = sorted((tmp_path / "log").glob("events.out.tfevents.*"))
    assert len(files) == 4
    assert all(set(scalars(f.read_bytes())[0]) == {"milliseconds/step", "loss"} for f in files)


def test_a_profiler_that_recorded_nothing_has_files_that_can_be_read(tmp_path):
    folder = Profiler(enabled=False).export_tensorboard(tmp_path)
    (space,) = folder.glob("*.xplane.pb")
    assert profile(space.read_bytes()) == {}
    (file,) = tmp_path.glob("events.out.tfevents.*")
    assert scalars(file.read_bytes())[0] == {}


@pytest.mark.parametrize("run", ["", ".", "..", "a/b", "a\\b", "a\0b"])
def test_what_is_no_name_of_a_run_is_refused(tmp_path, run):
    with pytest.raises(InvalidProgramError, match="a name without slashes"):
        Profiler().export_tensorboard(tmp_path, run=run)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidProgramError, match="cannot write the profile"):
        Profiler().export_tensorboard(tmp_path / "file")
