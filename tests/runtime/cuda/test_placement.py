"""Where calls run: on the device of their arrays; what is copied on the way, what is refused, what is said."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from fake_driver import FakeDriver
from simulated_kernels import install

import stepwell
import stepwell.lax as lax
import stepwell.numpy as snp
from stepwell import dispatch
from stepwell.device_targets import TargetName, machine_for, parse_target
from stepwell.ir.diagnostics import Diagnostic, diagnostic_handler
from stepwell.program_cache import ProgramCache
from stepwell.runtime.cuda import WrongDeviceError
from stepwell.runtime.cuda.array import to_device

X = np.arange(64, dtype=np.float32)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No programs of other tests, which are for other drivers."""
    monkeypatch.delenv("STEPWELL_TARGET", raising=False)
    monkeypatch.setattr(dispatch, "_EAGER_PROGRAMS", ProgramCache(64))


@pytest.fixture
def two(two_gpus: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """Two GPUs whose kernels the simulator runs."""
    monkeypatch.setattr("stepwell.gpu_executable.images", lambda module, *options: install(two_gpus, module))
    return two_gpus


@pytest.fixture
def said() -> Iterator[list[Diagnostic]]:
    found: list[Diagnostic] = []
    with diagnostic_handler(found.append):
        yield found


def put(values: Any = X, device: str = "cuda") -> Any:
    return stepwell.device_put(values, device)


def downloads(fake: FakeDriver) -> int:
    return fake.calls.count("cuMemcpyDtoHAsync")


def uploads(fake: FakeDriver) -> int:
    return fake.calls.count("cuMemcpyHtoDAsync")


# On the device of the arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x + 1, X + 1),
        (lambda x: 2 - x, 2 - X),
        (lambda x: -x * X, -X * X),
        (lambda x: np.add(X, x), X + X),
        (lambda x: x + stepwell.Array(X), X + X),
        (lambda x: x[3:9], X[3:9]),
        (lambda x: x[np.array([5, 0])], X[[5, 0]]),
        (lambda x: x.at[2].set(7), np.where(np.arange(64) == 2, np.float32(7), X)),
        (lambda x: x.reshape(8, 8).T @ np.ones((8, 2), np.float32), X.reshape(8, 8).T @ np.ones((8, 2), np.float32)),
        (lambda x: x.sum(), X.sum()),
        (lambda x: x.astype(np.int32), X.astype(np.int32)),
        (lambda x: snp.asarray(x, dtype=np.int32), X.astype(np.int32)),
        (lambda x: snp.where(x > 3, x, 0), np.where(X > 3, X, 0)),
        (lambda x: snp.zeros_like(x), np.zeros_like(X)),
        (lambda x: snp.concatenate([x, X[:2]]), np.concatenate([X, X[:2]])),
        (lambda x: lax.rsqrt(x + 1), 1 / np.sqrt(X + 1)),
    ],
)
def test_what_is_done_to_an_array_of_a_device_is_done_there(
    simulated: FakeDriver, function: Callable[[Any], Any], expected: np.ndarray[Any, Any]
):
    x = put()
    result = function(x)
    assert (type(result), result.device) == (stepwell.Array, "cuda:0")
    assert downloads(simulated) == 0
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-6)


def test_operators_on_arrays_that_are_there_move_nothing(simulated: FakeDriver):
    x, y = put(), put(X + 1)
    operator.mul(x, y)
    moved = uploads(simulated), downloads(simulated)
    for _ in range(3):
        y = x * y
    assert (uploads(simulated), downloads(simulated)) == moved
    np.testing.assert_allclose(y.numpy(), X**3 * (X + 1))


def test_jitted_functions_follow_their_arguments(simulated: FakeDriver):
    traces: list[int] = []

    @stepwell.jit
    def step(params: Any, x: Any, scale: Any) -> Any:
        traces.append(1)
        return {"y": x @ params["w"] * scale, "n": params["n"] + 1}

    w, x = np.eye(4, dtype=np.float32), np.ones((2, 4), np.float32)
    here = step({"w": w, "n": 1}, x, 2.0)
    assert (here["y"].device, here["n"].device) == ("cpu", "cpu")
    for params in ({"w": put(w), "n": 1}, {"w": put(w), "n": 1}, {"w": w, "n": 1}):
        there = step(params, put(x), 2.0)
        assert (there["y"].device, there["n"].device) == ("cuda:0", "cuda:0")
        np.testing.assert_array_equal(there["y"].numpy(), here["y"].numpy())
    assert step({"w": w, "n": 1}, x, 2.0)["y"].device == "cpu"
    assert (len(traces), step.cache_size()) == (2, 2)


def test_lowering_a_function_is_for_the_device_too(simulated: FakeDriver):
    f = stepwell.jit(lambda x: x * 2)
    assert "gpu.launch_func" in f.lower(put()).ir("device")
    assert f.lower(put()).compile().device == "cuda:0"
    assert "gpu" not in f.lower(X).ir("device")


def test_arrays_of_other_libraries_say_where_they_are(simulated: FakeDriver):
    class Tensor:
        shape, dtype = (64,), "torch.float32"

        def __init__(self, array: Any):
            self._array = array

        def __dlpack_device__(self) -> Any:
            return self._array.__dlpack_device__()

        def __dlpack__(self, **options: Any) -> Any:
            return self._array.__dlpack__(**options)

    f = stepwell.jit(lambda x: x + 1)
    result = f(Tensor(to_device(X, 0)))
    assert result.device == "cuda:0"
    np.testing.assert_array_equal(result.numpy(), X + 1)
    assert f(put()).device == "cuda:0"
    assert f.cache_size() == 1


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16, np.bool_])
def test_results_are_not_shared_until_somebody_asks(simulated: FakeDriver, dtype: Any):
    """Memory that another library may use is freed only when the whole device is idle."""
    x = put(X.astype(dtype))
    y = snp.asarray(x, copy=True)
    assert (y.device, y.raw().buffer.exported) == ("cuda:0", False)
    np.testing.assert_array_equal(y.numpy(), X.astype(dtype))
    del x, y
    assert "cuCtxSynchronize" not in simulated.calls


# Several devices ---------------------------------------------------------------------------------------------------


def test_each_device_runs_what_its_arrays_are_given_to(two: FakeDriver):
    f = stepwell.jit(lambda x: x + 1)
    for device in ("cuda:1", "cuda:0", "cuda:1"):
        x = put(device=device)
        for result in (f(x), x + 1, 1 + x):
            assert result.device == device
            np.testing.assert_array_equal(result.numpy(), X + 1)
    assert f.cache_size() == 2


@pytest.mark.parametrize("named", [None, "cuda", "cuda:sm_90"])
def test_a_gpu_that_is_asked_for_is_the_one_of_the_arrays(two: FakeDriver, named: str | None):
    f = stepwell.jit(lambda x: x + 1, target=named)
    assert f(put(device="cuda:1")).device == "cuda:1"
    assert f(put(device="cuda:0")).device == "cuda:0"


def test_a_gpu_can_be_named_by_its_number(two: FakeDriver):
    assert stepwell.jit(lambda x: x + 1, target="cuda:1")(X).device == "cuda:1"
    exe = stepwell.compile(stepwell.jit(lambda x: x + 1).lower(X), target="cuda:1")
    assert exe(X)[0].device == "cuda:1"
    for call in (exe, stepwell.jit(lambda x: x + 1, target="cuda:1")):
        with pytest.raises(WrongDeviceError, match="argument 0 is on cuda:0, the program runs on cuda:1"):
            call(put())
    with pytest.raises(stepwell.InvalidProgramError, match="there is no device 'cuda:7'"):
        stepwell.jit(lambda x: x + 1, target="cuda:7")(X)


def test_devices_of_targets_are_written_and_read_alike(two: FakeDriver):
    for text, name in (("cuda", TargetName("cuda")), ("cuda:1", TargetName("cuda", device=1))):
        assert (parse_target(text), str(name)) == (name, text)
    assert str(parse_target("cuda:0")) == "cuda:0"
    assert machine_for(parse_target("cuda:1")).device == 1  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "call",
    [
        lambda x, y: x + y,
        lambda x, y: snp.where(x > 0, x, y),
        lambda x, y: stepwell.jit(lambda a, b: a + b)(x, y),
        lambda x, y: stepwell.jit(lambda a, b: a + b, target="cuda")({"x": 1}["x"] * x, y),
    ],
)
def test_arrays_of_two_devices_are_refused_by_name(two: FakeDriver, call: Callable[[Any, Any], Any]):
    with pytest.raises(WrongDeviceError, match=r"on cuda:0 and cuda:1, .*device_put\(x, 'cuda:0'\)"):
        call(put(device="cuda:0"), put(device="cuda:1"))


def test_another_machine_behind_the_same_number_gets_a_program_of_its_own(monkeypatch: pytest.MonkeyPatch):
    from stepwell.runtime.cuda import driver

    f, seen = stepwell.jit(lambda x: x + 1), []
    try:
        for minor in (0, 6):
            fake = FakeDriver(COMPUTE_CAPABILITY_MAJOR=8, COMPUTE_CAPABILITY_MINOR=minor, MULTIPROCESSOR_COUNT=7)
            driver.use(fake)

            def images(module: Any, machine: Any, level: int, fake: FakeDriver = fake) -> Any:
                seen.append((machine.cpu, machine.gpu.cores, machine.device))
                return install(fake, module)

            monkeypatch.setattr("stepwell.gpu_executable.images", images)
            np.testing.assert_array_equal(f(put()).numpy(), X + 1)
    finally:
        driver.use(None)
    assert seen == [("sm_80", 7, 0), ("sm_86", 7, 0)]


# Another target ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["cpu", "interpreter", "gpu-sim"])
def test_a_target_that_is_no_gpu_gets_copies_and_says_so_once(
    simulated: FakeDriver, said: list[Diagnostic], target: str
):
    f = stepwell.jit(lambda x: x * 2, target=target)
    x = put()
    for _ in range(3):
        result = f(x)
    assert result.device == "cpu"
    np.testing.assert_array_equal(result.numpy(), X * 2)
    assert downloads(simulated) == 1
    assert [(d.severity, str(d.location).startswith(__file__)) for d in said] == [("remark", True)]
    assert f"runs on {target}: its arguments on cuda:0 are copied to the host's memory" in said[0].message


def test_the_variable_names_a_target_like_any_other(
    simulated: FakeDriver, said: list[Diagnostic], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("STEPWELL_TARGET", "cpu")
    assert (put() + 1).device == "cpu"
    assert len(said) == 1
    monkeypatch.setenv("STEPWELL_TARGET", "cuda")
    assert (put() + 1).device == snp.add(X, 1).device == "cuda:0"
    assert len(said) == 1


def test_an_executable_of_the_cpu_says_what_it_copied(simulated: FakeDriver):
    exe = stepwell.compile(stepwell.jit(lambda x: x + 1).lower(X), target="cpu")
    np.testing.assert_array_equal(exe(put())[0], X + 1)
    assert exe.remarks == ["argument 0 is on cuda:0: copied to the host's memory"]


# Donation ----------------------------------------------------------------------------------------------------------


def test_donating_reads_no_elements(simulated: FakeDriver):
    f = stepwell.jit(lambda x, y: x + y, donate_argnums=0)
    x, y = put(), put()
    result = f(x, y)
    assert downloads(simulated) == 0
    np.testing.assert_array_equal(result.numpy(), X + X)
    with pytest.raises(stepwell.InvalidProgramError, match="was donated"):
        x.numpy()


def test_a_donated_array_cannot_be_another_argument_too(simulated: FakeDriver):
    f = stepwell.jit(lambda x, y: x + y, donate_argnums=0)
    x = put()
    for other in (x, snp.from_dlpack(x)):
        with pytest.raises(stepwell.TracingError, match=r"a donated array \(float32\[64\]\) is also part of another"):
            f(x, other)
    assert downloads(simulated) == 0
    np.testing.assert_array_equal(f(x, X).numpy(), X + X)


def test_what_is_donated_to_the_cpu_is_a_copy_that_is_given_up(simulated: FakeDriver, said: list[Diagnostic]):
    f = stepwell.jit(lambda x: x + 1, target="cpu", donate_argnums=0)
    x = put()
    np.testing.assert_array_equal(f(x).numpy(), X + 1)
    with pytest.raises(stepwell.InvalidProgramError, match="was donated"):
        x.numpy()
