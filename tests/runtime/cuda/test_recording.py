"""Profiles of programs on a GPU: what is recorded of each launch, and that programs which are not profiled have none of it."""

from __future__ import annotations

import gc
import json
import weakref
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_driver import FakeDriver
from programs import N, executable, install, launch, ramp

import stepwell
from stepwell.arrays import load_arrays
from stepwell.runtime.cuda import recording
from stepwell.runtime.cuda.array import to_device
from stepwell.runtime.cuda.device import device
from stepwell.runtime.cuda.program import Buffer, Copy, For, Register
from stepwell.runtime.cuda.recording import Recorder

X, OUT, ARENA = Buffer(0), Buffer(1), Buffer(2)
MILLISECOND = 1_000_000
"""What the fake driver takes for each piece of work."""
DATA = Path(__file__).parents[2] / "data" / "jax"


@pytest.fixture
def gpu(fake: FakeDriver) -> FakeDriver:
    install(fake)
    return fake


def test_every_launch_and_copy_is_recorded_by_the_devices_clock(gpu: FakeDriver):
    body = (launch("double", X, ARENA), launch("add", ARENA, X, OUT), Copy(ARENA, X, 4 * N))
    exe = executable(body, arena_bytes=4 * N)
    found = exe.record((ramp(),), 3)
    assert found.names == ("k::double", "k::add", "copy")
    # The work between two events is one piece, and the second event comes with the next one.
    assert [(t.count, t.least, t.most) for t in found.recording.sites] == [(3, 2 * MILLISECOND, 2 * MILLISECOND)] * 3
    assert len(found.recording.calls) == 3
    for start, end in found.recording.calls:
        inside = [e for e in found.recording.events if start <= e.start and e.end <= end]
        assert [found.names[e.site] for e in inside] == list(found.names)
        assert all(a.end <= b.start for a, b in pairwise(inside))
    np.testing.assert_array_equal(found.results[0].numpy(), ramp() * 3)


def test_a_launch_in_a_loop_is_one_site(gpu: FakeDriver):
    loop = For(Register(0), 0, 5, 1, (launch("double", X, OUT),))
    found = executable((loop,), registers=1).record((ramp(),), 2)
    (times,) = found.recording.sites
    assert (found.names, times.count) == (("k::double",), 10)


def test_what_is_not_read_yet_is_bounded(gpu: FakeDriver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recording, "WAITING", 3)
    loop = For(Register(0), 0, 20, 1, (launch("double", X, OUT),))
    (times,) = executable((loop,), registers=1).record((ramp(),), 2).recording.sites
    assert (times.count, times.total) == (40, 80 * MILLISECOND)


def test_later_launches_are_counted_and_left_out_of_the_trace(gpu: FakeDriver):
    recorder = Recorder(device(0), most_events=2)
    loop = For(Register(0), 0, 5, 1, (launch("double", X, OUT),))
    exe = executable((loop,), registers=1)
    prepared = type(exe.load())(exe.program, device(0), {"k": exe._images["k"]}, {}, recorder=recorder)
    with device(0).current:
        recorder.record(device(0).stream(), lambda: exe._run_on(prepared, [ramp()]) and None)
    found = recorder.recording()
    assert (found.sites[0].count, len(found.events), found.dropped) == (5, 2, 3)


def test_donated_arguments_keep_their_contents(gpu: FakeDriver):
    exe = executable((launch("double", X, X), launch("double", X, OUT)), donated=(0,))
    x = to_device(ramp(), 0)
    found = exe.record((x,), 3)
    np.testing.assert_array_equal(found.results[0].numpy(), ramp() * 4)
    np.testing.assert_array_equal(x.numpy(), ramp())


def test_wrong_arguments_are_refused_as_by_a_call(gpu: FakeDriver):
    exe = executable((launch("double", X, OUT),))
    for wrong in ((), (ramp(), ramp()), (ramp().astype(np.float64),)):
        with pytest.raises(stepwell.InvalidProgramError):
            exe.record(wrong, 1)


def test_a_program_that_is_not_profiled_makes_no_event(gpu: FakeDriver, monkeypatch: pytest.MonkeyPatch):
    exe = executable((launch("double", X, OUT),))
    exe(ramp())

    def unexpected(*_: Any) -> Any:
        raise AssertionError("an event")

    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "_event", unexpected)
        exe(ramp())
    exe.record((ramp(),), 1)
    before = exe.counts.calls
    (result,) = exe(ramp())
    np.testing.assert_array_equal(result.numpy(), ramp() * 2)
    assert exe.counts.calls == before + 1


@pytest.mark.parametrize("name", ["softmax", "rnn_scan"])
def test_a_profile_of_a_program_has_its_grids_and_its_results(simulated: FakeDriver, name: str):
    case = next(c for c in map(json.loads, (DATA / "cases.jsonl").read_text().splitlines()) if c["name"] == name)
    exe = stepwell.compile(DATA / case["mlir"], target="cuda:sm_90")
    inputs = load_arrays(DATA / case["inputs"])
    profile = exe.profile(*inputs, repeat=2)
    assert len(profile.calls) == 2
    assert sum(k.count for k in profile.kernels) >= 2
    assert all(k.least <= k.mean <= k.most for k in profile.kernels)
    for mine, theirs in zip(profile.results, exe(*inputs), strict=True):
        np.testing.assert_array_equal(mine, np.asarray(theirs))
    events = [e for e in json.loads(profile.trace())["traceEvents"] if e["ph"] == "X"]
    assert len(events) == 2 + sum(k.count for k in profile.kernels)
    assert "2 calls" in str(profile)
    kept = weakref.ref(exe)
    del exe
    gc.disable()
    try:
        assert kept() is None  # a profiled program goes when nobody holds it
    finally:
        gc.enable()
