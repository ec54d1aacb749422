"""Whole programs through the runtime: host functions of the real pipeline, on the fake driver, whose kernels the simulator runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fake_driver import FakeDriver

import stepwell
from stepwell.arrays import load_arrays
from stepwell.compare import Tolerance, first_difference
from stepwell.runtime.cuda.executable import CudaExecutable

DATA = Path(__file__).parents[2] / "data" / "jax"
CASES = {case["name"]: case for case in map(json.loads, (DATA / "cases.jsonl").read_text().splitlines())}
CHOSEN = [
    "softmax",  # one graph of launches
    "cond_flip",
    "switch",
    "while_loop",
    "rnn_scan",  # a loop that updates its result in place
    "embedding_grad",
    "dynamic_slices",
    "sort_topk_arg",
    "zero_size",
    "matmul_bf16",
    "mlp_sgd_step",
    "random_normal",
    "contractions",
]


@pytest.mark.parametrize("name", CHOSEN)
def test_programs_give_what_xla_gives(simulated: FakeDriver, name: str):
    case = CASES[name]
    exe = stepwell.compile(DATA / case["mlir"], target="cuda:sm_90")
    assert isinstance(exe, CudaExecutable)
    inputs = [stepwell.device_put(a, "cuda") for a in load_arrays(DATA / case["inputs"])]
    for _ in range(3 if exe.program.straight else 1):  # the second and third replay a graph
        results = exe(*inputs)
        for got, want, rule in zip(results, load_arrays(DATA / case["expected"]), case["checks"], strict=True):
            assert isinstance(got, stepwell.Array)
            assert got.device == "cuda:0"
            tolerance = Tolerance() if rule["kind"] == "eq" else Tolerance(rule["rtol"], rule["atol"])
            difference = first_difference(np.asarray(got), want, tolerance)
            assert difference is None, f"{name}: {difference}"
    held = sum(-(-array.nbytes // 256) * 256 or 256 for array in (*inputs, *results))
    constants = sum(-(-array.nbytes // 256) * 256 for array in exe.program.constants)
    assert simulated.live_bytes == held + constants


def test_a_loop_of_the_host_issues_its_kernels_each_time(simulated: FakeDriver):
    case = CASES["rnn_scan"]
    exe = stepwell.compile(DATA / case["mlir"], target="cuda:sm_90")
    assert isinstance(exe, CudaExecutable)
    assert exe.program.host_kernels == ()
    exe(*load_arrays(DATA / case["inputs"]))[0].numpy()
    launches = [name for name, *_ in simulated.launches]
    trips = load_arrays(DATA / case["inputs"])[0].shape[0]
    assert max(launches.count(name) for name in launches) in (trips, trips + 1)


def copies(fake: FakeDriver) -> dict[str, int]:
    """Copies so far, by kind."""
    kinds = {"in": "cuMemcpyHtoDAsync", "out": "cuMemcpyDtoHAsync", "inside": "cuMemcpyDtoDAsync"}
    return {kind: fake.calls.count(name) for kind, name in kinds.items()}


@pytest.mark.parametrize(("name", "most_inside"), [("while_loop", 2), ("rnn_scan", 1)])
def test_a_trip_of_a_loop_brings_its_condition_to_the_host_and_nothing_else(
    simulated: FakeDriver, name: str, most_inside: int
):
    case = CASES[name]
    exe = stepwell.compile(DATA / case["mlir"], target="cuda:sm_90")
    assert isinstance(exe, CudaExecutable)
    inputs = [stepwell.device_put(a, "cuda") for a in load_arrays(DATA / case["inputs"])]
    exe.load()
    before = copies(simulated)
    results = exe(*inputs)
    made = {kind: count - before[kind] for kind, count in copies(simulated).items()}
    trips = made["out"] - 1
    assert trips == (int(results[0]) if name == "while_loop" else inputs[0].shape[0])
    assert made["in"] == 0
    assert made["inside"] <= trips * most_inside + 1
    assert exe.program.staging_bytes == 64


def test_constants_that_are_results_are_made_on_the_device(simulated: FakeDriver):
    exe = stepwell.compile(
        """func.func public @main(%x: tensor<3xf32>) -> (tensor<70x80xf32>, tensor<2x2xf64>, tensor<i1>, tensor<2xi32>) {
          %a = stablehlo.constant dense<1.5> : tensor<70x80xf32>
          %b = stablehlo.constant dense<0.1> : tensor<2x2xf64>
          %c = stablehlo.constant dense<true> : tensor<i1>
          %d = stablehlo.constant dense<[3, 4]> : tensor<2xi32>
          return %a, %b, %c, %d : tensor<70x80xf32>, tensor<2x2xf64>, tensor<i1>, tensor<2xi32>
        }""",
        target="cuda:sm_90",
    )
    assert isinstance(exe, CudaExecutable)
    assert exe.program.straight
    exe.load()
    x = stepwell.device_put(np.zeros(3, np.float32), "cuda")
    uploads = copies(simulated)["in"]
    for _ in range(3):
        a, b, c, d = exe(x)
        np.testing.assert_array_equal(a.numpy(), np.full((70, 80), 1.5, np.float32))
        np.testing.assert_array_equal(b.numpy(), np.full((2, 2), 0.1))
        assert c.item() is True
        assert d.tolist() == [3, 4]
    assert copies(simulated)["in"] == uploads
    assert [array.tolist() for array in exe.program.constants] == [[3, 4]]


def test_jit_keeps_arrays_on_the_device_between_calls(simulated: FakeDriver):
    step = stepwell.jit(lambda w, g: w - g * 2, target="cuda:sm_90")
    w, g = (stepwell.device_put(np.full(64, v, np.float32), "cuda") for v in (8, 1))
    uploads = simulated.calls.count("cuMemcpyHtoDAsync")
    for _ in range(3):
        w = step(w, g)
    assert (type(w), w.device) == (stepwell.Array, "cuda:0")
    np.testing.assert_array_equal(np.asarray(w), np.full(64, 2, np.float32))
    assert simulated.calls.count("cuMemcpyHtoDAsync") == uploads


def test_jit_overwrites_donated_arrays_of_the_device(simulated: FakeDriver):
    step = stepwell.jit(lambda w, g: w - g, target="cuda:sm_90", donate_argnums=0)
    w, g = (stepwell.device_put(np.full(64, v, np.float32), "cuda") for v in (8, 1))
    result = step(w, g)
    np.testing.assert_array_equal(result.numpy(), np.full(64, 7, np.float32))
    with pytest.raises(stepwell.InvalidProgramError, match="was donated"):
        w.numpy()
