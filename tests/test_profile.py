"""Profiles: every launch is counted, nothing of it is in the program itself."""

import json

import numpy as np
import pytest

import stepwell
from stepwell.cli import main
from stepwell.profile import Profile
from stepwell.runtime.profiler import Piece, ProfiledEntry, Recording

LOOP = """
func.func @main(%x: tensor<40x30xf32>, %n: tensor<i32>) -> (tensor<40x30xf32>, tensor<40xf32>) {
  %one = stablehlo.constant dense<1> : tensor<i32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %r:2 = stablehlo.while(%a = %n, %y = %x) : tensor<i32>, tensor<40x30xf32>
    cond {
      %none = stablehlo.constant dense<0> : tensor<i32>
      %c = stablehlo.compare GT, %a, %none : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    } do {
      %d = stablehlo.subtract %a, %one : tensor<i32>
      %e = stablehlo.sine %y : tensor<40x30xf32>
      stablehlo.return %d, %e : tensor<i32>, tensor<40x30xf32>
    }
  %s = stablehlo.reduce(%r#1 init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<40x30xf32>, tensor<f32>) -> tensor<40xf32>
  return %r#1, %s : tensor<40x30xf32>, tensor<40xf32>
}
"""


@pytest.fixture(scope="module")
def executable():
    return stepwell.compile(LOOP, simd="avx2")


@pytest.fixture(scope="module")
def arguments():
    return np.linspace(0, 1, 1200, dtype=np.float32).reshape(40, 30), np.int32(5)


@pytest.fixture(scope="module")
def profile(executable, arguments):
    return executable.profile(*arguments, repeat=3)


def test_launches_are_counted_where_loops_repeat_them(profile):
    counts = {kernel.name: kernel.count for kernel in profile.kernels}
    sine = next(kernel for kernel in profile.kernels if kernel.flops and 15 in (kernel.count,))
    assert sine.count == 3 * 5
    assert 3 in counts.values()
    assert len(profile.calls) == 3
    for kernel in profile.kernels:
        assert 0 <= kernel.least <= kernel.mean <= kernel.most <= kernel.total
    assert sum(kernel.total for kernel in profile.kernels) <= sum(profile.calls)
    assert profile.outside >= 0


def test_the_results_are_those_of_a_call(profile, executable, arguments):
    for got, want in zip(profile.results, executable(*arguments), strict=True):
        np.testing.assert_array_equal(got, want)


def test_the_trace_has_every_launch_inside_of_its_call(profile):
    events = [e for e in json.loads(profile.trace())["traceEvents"] if e["ph"] == "X"]
    calls = [e for e in events if e["name"] == "call"]
    launches = [e for e in events if e["name"] != "call" and e["tid"] == 1]
    assert len(calls) == 3
    assert len(launches) == sum(kernel.count for kernel in profile.kernels)
    for launch in launches:
        assert any(c["ts"] <= launch["ts"] and launch["ts"] + launch["dur"] <= c["ts"] + c["dur"] for c in calls)


TASKS = """func.func @main(%x: tensor<512x1024xf32>) -> tensor<512x1024xf32> {
  %r = stablehlo.exponential %x : tensor<512x1024xf32>
  return %r : tensor<512x1024xf32>
}"""


def test_the_trace_has_a_row_for_each_worker_with_what_it_did_of_every_loop():
    profile = stepwell.compile(TASKS).profile(np.zeros((512, 1024), np.float32), repeat=4)
    (kernel,) = profile.kernels
    events = json.loads(profile.trace())["traceEvents"]
    rows = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert rows == {1: "host"} | {2 + i: f"worker {i}" for i in range(len(profile.workers))}
    timed = [e for e in events if e["ph"] == "X"]
    launches = sorted((e for e in timed if e["tid"] == 1 and e["name"] != "call"), key=lambda e: e["ts"])
    pieces = [e for e in timed if e["tid"] > 1]
    assert len(launches) == 4
    assert {e["name"] for e in pieces} == {kernel.name}
    done = []
    for launch in launches:
        end = launch["ts"] + launch["dur"]
        mine = [e for e in pieces if launch["ts"] <= e["ts"] and e["ts"] + e["dur"] <= end]
        tasks = sorted(i for e in mine for i in range(e["args"]["first"], e["args"]["last"] + 1))
        assert tasks == list(range(len(tasks)))
        done.append(len(tasks))
    assert len({*done}) == 1
    assert done[0] > 1
    assert sum(profile.workers) == pytest.approx(sum(e["dur"] for e in pieces) * 1e-6)
    assert "in loops: worker 0" in profile.text
    assert json.loads(profile.json())["workers"] == list(profile.workers)


def test_pieces_beyond_those_kept_are_said(monkeypatch):
    monkeypatch.setattr(ProfiledEntry.__init__, "__defaults__", (None, 1, None))
    profile = stepwell.compile(TASKS).profile(np.zeros((512, 1024), np.float32), repeat=2)
    assert len(profile.recording.pieces) == 1
    assert profile.recording.dropped_pieces > 0
    assert "pieces of loops are neither counted" in profile.text


def test_a_piece_inside_of_another_is_time_once():
    pieces = (Piece(0, 0, 4, 100, 900), Piece(0, 0, 1, 200, 300), Piece(1, 1, 2, 250, 350), Piece(0, 4, 5, 900, 1000))
    recording = Recording((), (), (), 0, pieces)
    profile = Profile("p", (1.0,), (), "", 0, recording, (), ())
    assert profile.workers == pytest.approx((900e-9, 100e-9))


def test_the_program_itself_is_as_it_was(executable, arguments):
    text = executable.ir("llvm")
    executable.profile(*arguments, repeat=1)
    assert executable.ir("llvm") == text
    assert "clock_gettime" not in text
    assert "profile" not in text


def test_launches_beyond_those_kept_are_counted(monkeypatch, arguments):
    fresh = stepwell.compile(LOOP, simd="avx2")
    monkeypatch.setattr(ProfiledEntry.__init__, "__defaults__", (None, 4, None))
    profile = fresh.profile(*arguments, repeat=2)
    kept = [e for e in json.loads(profile.trace())["traceEvents"] if e["ph"] == "X" and e["name"] != "call"]
    assert len([e for e in kept if e["tid"] == 1]) == 4
    assert profile.dropped == sum(kernel.count for kernel in profile.kernels) - 4
    assert "not in the trace" in profile.text


def test_a_donated_argument_is_given_anew_to_every_call():
    text = """func.func @main(%x: tensor<64xf32>) -> tensor<64xf32> {
      %r = stablehlo.add %x, %x : tensor<64xf32>
      return %r : tensor<64xf32>
    }"""
    given = np.ones(64, np.float32)
    profile = stepwell.compile(text, donate=[0]).profile(given, repeat=3)
    np.testing.assert_array_equal(profile.results[0], np.full(64, 2, np.float32))
    np.testing.assert_array_equal(given, np.ones(64, np.float32))


@pytest.mark.parametrize(
    ("target", "arrays", "repeat", "error", "message"),
    [
        ("interpreter", 2, 1, stepwell.UnsupportedError, "profiles are of native code; compile"),
        ("cpu", 1, 1, stepwell.InvalidProgramError, "takes 2 arguments"),
        ("cpu", 2, 0, stepwell.InvalidProgramError, "1 or more, not 0"),
    ],
)
def test_what_cannot_be_profiled_says_why(arguments, executable, target, arrays, repeat, error, message):
    exe = executable if target == "cpu" else stepwell.compile(LOOP, target=target)
    with pytest.raises(error, match=message):
        exe.profile(*arguments[:arrays], repeat=repeat)


def test_the_command_writes_a_trace_and_prints_a_table(tmp_path, capsys, arguments):
    (tmp_path / "p.mlir").write_text(LOOP)
    np.savez(tmp_path / "in.npz", **{"0@float32": arguments[0], "1@int32": arguments[1]})
    command = ["run", str(tmp_path / "p.mlir"), "--simd", "avx2", "--inputs", str(tmp_path / "in.npz"), "--repeat", "2"]
    assert main([*command, "--profile", str(tmp_path / "trace.json")]) == 0
    out = capsys.readouterr().out
    assert "2 calls" in out
    assert "of the limit" in out
    assert "result 1: float32[40]" in out
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert main([*command, "--profile", str(tmp_path / "none" / "trace.json")]) == 1
    assert "cannot write" in capsys.readouterr().err
