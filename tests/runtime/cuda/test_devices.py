"""What is known of devices and their memory, how long they take, and waiting for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_driver import ILLEGAL_ADDRESS, DeviceError, FakeDriver
from programs import executable, install, launch, ramp

import stepwell
from stepwell.runtime.cuda import CudaError, NoDriverError, driver
from stepwell.runtime.cuda.array import to_device
from stepwell.runtime.cuda.device import device
from stepwell.runtime.cuda.event import Event
from stepwell.runtime.cuda.program import Buffer, Copy

X, OUT, ARENA = Buffer(0), Buffer(1), Buffer(2)
MIB = 1 << 20


def test_devices_are_listed_as_they_are_named(two_gpus: FakeDriver):
    assert stepwell.available_devices() == ("cpu", "cuda:0", "cuda:1")
    for name in stepwell.available_devices():
        assert stepwell.device_put(ramp(), name).device == name


def test_without_a_driver_there_is_the_cpu(monkeypatch: pytest.MonkeyPatch):
    def missing() -> Any:
        raise NoDriverError("there is none")

    monkeypatch.setattr(driver, "_bindings", missing)
    driver.use(None)
    assert stepwell.available_devices() == ("cpu",)
    for ask in (stepwell.device_properties, stepwell.memory_statistics, stepwell.synchronize):
        with pytest.raises(NoDriverError):
            ask()


def test_a_device_says_what_it_has(two_gpus: FakeDriver):
    p = stepwell.device_properties("cuda:1")
    assert (p.name, p.cpu, p.capability, p.memory_bytes) == ("Fake GPU", "sm_90", (9, 0), 1 << 30)
    assert (p.multiprocessors, p.core_threads, p.block_threads, p.subgroup) == (132, 2048, 1024, 32)
    assert (p.shared_bytes, p.shared_limit, p.registers) == (49152, 232448, 65536)


@pytest.mark.parametrize("ask", [stepwell.device_properties, stepwell.memory_statistics, stepwell.synchronize])
def test_what_is_no_gpu_is_refused_by_name(fake: FakeDriver, ask: Any):
    wrong = [("cuda:3", "there is no device 'cuda:3'"), ("gpu", "no device 'gpu'")]
    if ask is stepwell.synchronize:
        wrong.append(("cpu", "is no GPU"))
    for name, message in wrong:
        with pytest.raises(stepwell.InvalidProgramError, match=message):
            ask(name)


def test_memory_is_counted_while_it_is_used(fake: FakeDriver):
    before = stepwell.memory_statistics()
    assert (before.used, before.most, before.free, before.total) == (0, 0, 1 << 30, 1 << 30)
    kept, dropped = to_device(np.zeros(MIB, np.uint8), 0), to_device(np.zeros(2 * MIB, np.uint8), 0)
    assert stepwell.memory_statistics().used == 3 * MIB
    del dropped
    after = stepwell.memory_statistics()
    assert (after.used, after.most, after.reserved) == (MIB, 3 * MIB, 3 * MIB)
    assert kept.nbytes == MIB


def test_a_device_without_pools_tells_what_is_free(monkeypatch: pytest.MonkeyPatch):
    made = FakeDriver(MEMORY_POOLS_SUPPORTED=0)
    driver.use(made)
    try:
        array = to_device(np.zeros(MIB, np.uint8), 0)
        found = stepwell.memory_statistics()
        assert (found.used, found.free) == (0, (1 << 30) - array.nbytes)
    finally:
        driver.use(None)


# Events ------------------------------------------------------------------------------------------------------------


def test_events_time_what_is_between_them(fake: FakeDriver):
    install(fake)
    gpu, x = device(0), to_device(ramp(), 0)
    start, end = Event(gpu), Event(gpu)
    assert start.done
    start.record()
    copy = x.copied()
    end.record()
    assert not end.done
    assert end.seconds_since(start) > 0
    assert end.done
    assert start.seconds_since(start) == 0
    end.record()
    end.synchronize()
    assert end.done
    np.testing.assert_array_equal(copy.numpy(), ramp())


def test_time_between_events_that_are_not_comparable_is_an_error(two_gpus: FakeDriver):
    one, other = Event(device(0)), Event(device(1))
    one.record()
    with pytest.raises(CudaError, match="tell the time between two events"):
        one.seconds_since(Event(device(0)))
    other.record()
    with pytest.raises(CudaError, match="tell the time between two events"):
        one.seconds_since(other)


def test_events_go_back_to_the_driver(fake: FakeDriver):
    event = Event(device(0))
    del event
    assert fake.calls.count("cuEventDestroy") == 1


# Waiting -----------------------------------------------------------------------------------------------------------


def broken(fake: FakeDriver) -> Any:
    """A program whose second kernel fails."""
    install(fake)

    def fails(*arguments: Any) -> None:
        raise DeviceError(ILLEGAL_ADDRESS)

    fake.kernels["add"] = fails
    return executable((launch("double", X, ARENA), Copy(OUT, ARENA, 32), launch("add", X, X, OUT)), arena_bytes=32)


def test_waiting_for_a_device_brings_out_what_failed(fake: FakeDriver):
    exe = broken(fake)
    results = exe(ramp())
    with pytest.raises(CudaError, match="cannot wait for cuda:0: an illegal memory access"):
        stepwell.synchronize()
    assert results


def test_waiting_for_a_device_that_is_well(fake: FakeDriver):
    install(fake)
    exe = executable((launch("double", X, OUT),))
    (result,) = exe(to_device(ramp(), 0))
    assert fake.launches == []
    stepwell.synchronize("cuda:0")
    assert [name for name, *_ in fake.launches] == ["double"]
    np.testing.assert_array_equal(result.numpy(), ramp() * 2)


@pytest.mark.parametrize(("value", "message"), [("1", "finish kernel 'k::add': an illegal"), ("0", "wait for cuda:0")])
def test_programs_that_wait_name_the_kernel_that_fails(
    fake: FakeDriver, monkeypatch: pytest.MonkeyPatch, value: str, message: str
):
    monkeypatch.setenv("STEPWELL_CUDA_SYNC", value)
    exe = broken(fake)

    def call() -> None:
        results = exe(ramp())
        stepwell.synchronize()
        del results

    with pytest.raises(CudaError, match=message):
        call()


def test_programs_that_wait_are_no_graphs(fake: FakeDriver, monkeypatch: pytest.MonkeyPatch):
    install(fake)
    monkeypatch.setenv("STEPWELL_CUDA_SYNC", "1")
    exe = executable((launch("double", X, ARENA), launch("double", ARENA, OUT)), arena_bytes=32)
    x = to_device(ramp(), 0)
    for _ in range(3):
        np.testing.assert_array_equal(exe(x)[0].numpy(), ramp() * 4)
    assert (exe.counts.captures, exe.counts.replays) == (0, 0)
