"""`stepwell.Profiler`: sections of users and phases of Stepwell, in any thread; nothing of it where nobody asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import stepwell
from stepwell import Profiler, sections
from stepwell.errors import InvalidProgramError

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
    rows = {e["tid"]: e["args"]["name"] for e in events if e["ph"] == "M"}
    assert rows[1] == "helper"
    timed = [(e["name"], e["tid"], e["ts"], e["dur"], e["pid"]) for e in events if e["ph"] == "X"]
    assert timed == [("outer", 0, 0.0, 3000.0, 1), ("inner", 0, 1000.0, 1000.0, 1), ("work", 1, 4000.0, 1000.0, 1)]
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


def test_the_environment_has_a_process_print_a_report():
    lines = run(SECTION, "1").stderr.splitlines()
    assert [line.split()[0] for line in lines] == ["section", "mine"]
