"""`stepwell.Profiler`: sections of users and phases of Stepwell, in any thread; nothing of it where nobody asked."""

from __future__ import annotations

import gc
import gzip
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import stepwell
from stepwell import Profiler, sections
from stepwell.errors import InvalidProgramError
from stepwell.runtime.memory import POOL, pooled_array

ADD = """func.func @main(%x: tensor<5xf32>) -> tensor<5xf32> {
  %0 = stablehlo.add %x, %x : tensor<5xf32>
  return %0 : tensor<5xf32>
}"""
X = np.arange(5, dtype=np.float32)


@pytest.fixture
def clock(monkeypatch):
    """A clock that is a millisecond later each time."""
    now = iter(range(0, 10**12, 10**6))
    monkeypatch.setattr(sections.time, "monotonic_ns", lambda: next(now))


def names(profiler):
    return [section.name for section in profiler.sections]


def test_an_end_ends_the_latest_open_section_of_its_name(clock):
    profiler = Profiler(enabled=True)
    for name in ("a", "b", "a"):
        profiler.begin(name)
    for name in ("a", "a", "b"):
        profiler.end(name)
    profiler.begin("never ended")
    assert [(s.name, s.start // 10**6, s.end // 10**6) for s in profiler.sections] == [
        ("a", 2, 3),
        ("a", 0, 4),
        ("b", 1, 5),
    ]
    with pytest.raises(InvalidProgramError, match="no section 'c' was begun in this thread"):
        profiler.end("c")


def test_the_report_counts_what_ended_by_name(clock):
    profiler = Profiler(enabled=True)
    for length in (1, 3):
        with profiler.section("step"):
            for _ in range(length - 1):
                profiler.begin("open")
    lines = profiler.report().splitlines()
    assert lines[0].split() == ["section", "count", "total", "ms", "mean", "ms", "min", "ms", "max", "ms"]
    assert lines[1:] == ["step         2     4.000    2.000   1.000   3.000"]
    assert "open" not in profiler.report()
    profiler.clear()
    assert profiler.totals() == ()
    assert len(profiler.report().splitlines()) == 1


def test_the_trace_has_complete_events_of_each_thread(clock, tmp_path):
    profiler = Profiler(enabled=True)
    with profiler.section("outer"), profiler.section("inner"):
        pass
    thread = threading.Thread(target=lambda: profiler.call("work", int, "5"), name="helper")
    thread.start()
    thread.join()
    profiler.export_chrome_trace(tmp_path / "t.json")
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    rows = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert rows == {0: threading.current_thread().name, 1: "helper"}
    process = os.getpid()
    assert {e["pid"] for e in events} == {process}
    timed = [(e["name"], e["tid"], e["ts"], e["dur"], e["pid"]) for e in events if e["ph"] == "X"]
    assert timed == [
        ("outer", 0, 0.0, 3000.0, process),
        ("inner", 0, 1000.0, 1000.0, process),
        ("work", 1, 4000.0, 1000.0, process),
    ]
    with pytest.raises(InvalidProgramError, match="cannot write the trace"):
        profiler.export_chrome_trace(tmp_path / "no" / "t.json")


def test_nothing_is_recorded_until_it_is_turned_on(monkeypatch):
    monkeypatch.delenv("STEPWELL_PROFILE", raising=False)
    profiler = Profiler()
    profiler.begin("a")
    profiler.end("a")
    with profiler.section("b"):
        profiler.enabled = True
        profiler.call("c", int)
    assert names(profiler) == ["c"]
    monkeypatch.setenv("STEPWELL_PROFILE", "1")
    assert Profiler().enabled


def test_a_section_ends_where_its_block_raises_and_a_function_gives_what_it_gives():
    profiler = Profiler(enabled=True)

    @profiler.profiled
    def divide(a, b=1):
        """Halves and more."""
        return a // b

    assert divide(7, b=2) == 3
    assert divide.__doc__ == "Halves and more."
    with pytest.raises(ZeroDivisionError):
        divide(1, 0)
    assert [name.rpartition(".")[2] for name in names(profiler)] == ["divide", "divide"]


def test_threads_do_not_end_each_others_sections():
    profiler = Profiler(enabled=True)
    ready = threading.Barrier(4)

    def work():
        ready.wait()
        for _ in range(300):
            with profiler.section("shared"), profiler.section("inner"):
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {total.name: total.count for total in profiler.totals()} == {"shared": 1200, "inner": 1200}
    by_thread = {s.thread for s in profiler.sections}
    assert len(by_thread) == 4


def test_stepwells_phases_are_sections_inside_of_each_other():
    with Profiler() as profiler:
        exe = stepwell.compile(ADD, cache=False)
        with profiler.section("mine"):
            exe(X)
            exe(X)
    exe(X)
    found = {total.name: total.count for total in profiler.totals()}
    assert found["call"] == 2
    assert {"compile", "parse", "plan-kernels", "bufferize", "write LLVM IR", "LLVM", "load", "mine"} <= set(found)
    spans = {s.name: s for s in profiler.sections}
    assert all(
        spans["compile"].start <= s.start <= s.end <= spans["compile"].end
        for s in profiler.sections
        if s.category == "compile"
    )
    calls = [s for s in profiler.sections if s.name == "call"]
    assert all(spans["mine"].start <= s.start <= s.end <= spans["mine"].end for s in calls)
    assert spans["mine"].category == "user"


def test_tracing_is_a_phase_too():
    with Profiler() as profiler:
        stepwell.jit(lambda x: x + 1, cache=False)(X)
    assert {"trace", "compile", "call"} <= {total.name for total in profiler.totals()}


def test_calls_that_nobody_records_are_the_plain_ones():
    plain = stepwell.Executable.__call__
    with Profiler() as outer:
        recorded = stepwell.Executable.__call__
        with Profiler() as inner:
            assert stepwell.Executable.__call__ is recorded
            stepwell.compile(ADD, cache=False)(X)
        stepwell.compile(ADD, cache=False)(X)
    assert recorded is not plain
    assert stepwell.Executable.__call__ is plain
    assert (names(outer).count("call"), names(inner).count("call")) == (2, 1)
    assert not outer.enabled
    assert not sections.is_active()


def trace(profiler):
    """The events of a trace, as a reader that knows JSON and no more sees them."""
    return json.loads(profiler.chrome_trace(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))[
        "traceEvents"
    ]


def test_instants_and_counters_are_events_between_the_sections(clock):
    profiler = Profiler(enabled=True)
    with profiler.section("step", number=3, path=Path("a/b"), rate=np.float32(0.5)):
        profiler.instant("saved", size=np.int64(12))
        profiler.counter("loss", 0.25)
        profiler.counter("queue", waiting=np.int32(2), done=True)
    assert profiler.sections[0].arguments == {"number": 3, "path": "a/b", "rate": 0.5}
    assert [(i.name, i.arguments) for i in profiler.instants] == [("saved", {"size": 12})]
    assert [(c.name, dict(c.values)) for c in profiler.counters] == [
        ("loss", {"value": 0.25}),
        ("queue", {"waiting": 2, "done": 1}),
    ]
    process = os.getpid()
    step, saved, loss, queue = [e for e in trace(profiler) if e["ph"] != "M"]
    assert step == {
        "ph": "X", "pid": process, "tid": 0, "ts": 0.0, "dur": 4000.0, "name": "step", "cat": "user",
        "args": {"number": 3, "path": "a/b", "rate": 0.5},
    }  # fmt: skip
    assert saved == {
        "ph": "i", "s": "t", "pid": process, "tid": 0, "ts": 1000.0, "name": "saved", "cat": "user", "args": {"size": 12},
    }  # fmt: skip
    assert loss == {"ph": "C", "pid": process, "ts": 2000.0, "name": "loss", "args": {"value": 0.25}}
    assert queue == {"ph": "C", "pid": process, "ts": 3000.0, "name": "queue", "args": {"waiting": 2, "done": 1}}
    profiler.clear()
    assert trace(profiler) == []


def test_the_name_and_the_category_of_a_section_may_be_arguments_too():
    profiler = Profiler(enabled=True)
    with profiler.section("a", "io", name="b", self=1):
        profiler.begin("c", name="d", category="e")
        profiler.end("c")
    inner, outer = profiler.sections
    assert (outer.category, outer.arguments) == ("io", {"name": "b", "self": 1})
    assert (inner.category, inner.arguments) == ("user", {"name": "d", "category": "e"})


def test_what_no_counter_can_show_is_refused_or_left_out_of_the_trace():
    profiler = Profiler(enabled=True)
    with pytest.raises(InvalidProgramError, match="'value' of counter 'a' is a str, not a number"):
        profiler.counter("a", "1")
    with pytest.raises(InvalidProgramError, match="'x' of counter 'a' is a complex, not a number"):
        profiler.counter("a", x=1j)
    with pytest.raises(InvalidProgramError, match="counter 'a' is given no number"):
        profiler.counter("a")
    assert profiler.counters == ()
    profiler.counter("a", x=float("nan"), y=2)
    profiler.counter("b", float("inf"))
    profiler.instant("c", x=float("-inf"), y=1 << 80)
    events = {e["name"]: e.get("args") for e in trace(profiler)}
    assert events["a"] == {"y": 2}
    assert "b" not in events
    assert events["c"] == {"x": "-inf", "y": hex(1 << 80)}
    disabled = Profiler(enabled=False)
    disabled.counter("a", "not looked at")
    disabled.instant("b")
    assert (disabled.counters, disabled.instants, trace(disabled)) == ((), (), [])


def test_sections_that_are_open_begin_in_the_trace_and_do_not_end():
    profiler = Profiler(enabled=True)
    profiler.begin("waiting", what="input")
    with profiler.section("done"):
        pass
    found = {e["name"]: (e["ph"], e.get("args")) for e in trace(profiler) if e["ph"] != "M"}
    assert found == {"waiting": ("B", {"what": "input"}), "done": ("X", None)}


def test_threads_have_the_names_they_have_at_the_end():
    profiler = Profiler(enabled=True)

    def work():
        with profiler.section("work"):
            threading.current_thread().name = "reader 1"

    thread = threading.Thread(target=work, name="nobody")
    thread.start()
    thread.join()
    assert [e["args"]["name"] for e in trace(profiler) if e["name"] == "thread_name"] == ["reader 1"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_has_its_own_process_in_what_it_records():
    profiler = Profiler(enabled=True)
    with profiler.section("parent"):
        pass
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with profiler.section("child"):
                pass
            found = {(e["name"], e["pid"]) for e in trace(profiler) if e["ph"] == "X"}
            status = 0 if found == {("parent", os.getppid()), ("child", os.getpid())} else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


IDENTITY = """func.func @main(%x: tensor<300000xf32>) -> tensor<300000xf32> {
  return %x : tensor<300000xf32>
}"""


def test_memory_is_recorded_with_the_section_that_asked_for_it():
    identity = stepwell.compile(IDENTITY)
    x = np.zeros(300000, np.float32)
    identity(x)
    gc.collect()
    with Profiler() as profiler:
        with profiler.section("mine"):
            first = identity(x)
        second = identity(x)
        del first
        profiler.enabled = False
        identity(x)  # not wanted
    del second  # after the end
    start, taken, other, back = profiler.memory_events
    assert (start.size, start.section) == (0, "")
    assert (taken.section, other.section, back.section) == ("call", "call", "")
    assert taken.size == other.size == -back.size >= x.nbytes
    assert back.address == taken.address != other.address
    assert [e.used - start.used for e in profiler.memory_events] == [0, taken.size, 2 * taken.size, taken.size]
    assert profiler.memory.allocations == 2
    assert profiler.memory.most == other.used
    assert profiler.memory.used == back.used
    most = other.used / 2**20
    assert profiler.report().splitlines()[0].endswith(f"{most:.2f} MB at most, 2 allocations")
    graph = [e["args"]["used"] for e in trace(profiler) if e["ph"] == "C"]
    assert graph == [e.used for e in profiler.memory_events]
    assert POOL.watcher is None


def test_clearing_a_profiler_that_records_keeps_what_memory_is_used():
    identity = stepwell.compile(IDENTITY)
    x = np.zeros(300000, np.float32)
    with Profiler() as profiler:
        result = identity(x)
        profiler.clear()
        assert profiler.memory.allocations == 0
        assert profiler.memory.used == profiler.memory.most >= x.nbytes
    del result
    profiler.clear()
    assert profiler.memory is None


def test_memory_that_a_collection_frees_inside_of_the_profiler_does_not_hang_it():
    """Collections come anywhere, also while a section is being noted."""
    before = gc.get_threshold()
    with Profiler() as profiler:
        gc.set_threshold(1, 1, 1)
        try:
            for _ in range(50):
                array, _ = pooled_array((300000,), np.dtype(np.float32), 1200000)
                cycle = [array]
                cycle.append(cycle)
                del array, cycle
                with profiler.section("a", x=1):
                    profiler.instant("b", x=2)
        finally:
            gc.set_threshold(*before)
    assert len([e for e in profiler.memory_events if e.size < 0]) > 10


COMPILING = f"""
import numpy as np, stepwell
stepwell.compile({ADD!r}, cache=False)(np.ones(5, np.float32))
"""
SECTION = """
import stepwell
with stepwell.default_profiler().section("mine"):
    pass
"""


def run(script, value):
    environment = {**os.environ, "STEPWELL_PROFILE": value}
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)


def test_the_environment_has_a_process_write_a_trace(tmp_path):
    path = tmp_path / "trace.json"
    assert run(COMPILING + SECTION, str(path)).stderr == ""
    said = {e["name"] for e in json.loads(path.read_text())["traceEvents"]}
    assert {"compile", "LLVM", "call", "mine"} <= said
    assert "cannot write the trace" in run(SECTION, str(tmp_path / "no" / "trace.json")).stderr


def test_the_environment_has_a_process_write_for_tensorboard(tmp_path):
    assert run(SECTION, f"{tmp_path}/logs/").stderr == ""
    (trace,) = (tmp_path / "logs").glob("plugins/profile/*/*.trace.json.gz")
    assert "mine" in {e["name"] for e in json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]}


def test_the_environment_has_a_process_print_a_report():
    lines = run(SECTION, "1").stderr.splitlines()
    assert lines[0] == "memory: 0.00 MB at the end, 0.00 MB at most, 0 allocations"
    assert [line.split()[0] for line in lines[1:]] == ["section", "mine"]
