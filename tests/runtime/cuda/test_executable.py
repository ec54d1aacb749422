"""Calling a GPU executable: arguments, devices, donation, threads, what goes wrong."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from fake_driver import OUT_OF_MEMORY, FakeDriver
from programs import IMAGE, N, executable, install, launch, ramp

import stepwell
from stepwell import gpu_program, sections
from stepwell.runtime.cuda import (
    CudaError,
    DeviceOutOfMemoryError,
    KernelLoadError,
    NoDriverError,
    WrongDeviceError,
    driver,
)
from stepwell.runtime.cuda.array import DeviceArray, from_dlpack, to_device
from stepwell.runtime.cuda.device import device
from stepwell.runtime.cuda.executable import CudaExecutable
from stepwell.runtime.cuda.memory import Buffer as Memory
from stepwell.runtime.cuda.program import Buffer, Copy

X, OUT, ARENA = Buffer(0), Buffer(1), Buffer(2)
DOUBLE = (launch("double", X, OUT),)


@pytest.fixture
def gpu(fake: FakeDriver) -> FakeDriver:
    install(fake)
    return fake


def on_cpu() -> list[float]:
    """The CPU target still works."""
    text = (
        "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n"
        "  %r = stablehlo.add %x, %x : tensor<2xf32>\n  func.return %r : tensor<2xf32>\n}"
    )
    return stepwell.compile(text)(np.array([1, 2], np.float32))[0].tolist()


def test_results_are_device_arrays_and_a_call_does_not_wait(gpu: FakeDriver):
    exe = executable(DOUBLE)
    (result,) = exe(ramp())
    assert isinstance(result, DeviceArray)
    assert (result.device, result.shape, result.dtype, exe.device) == ("cuda:0", (N,), np.float32, "cuda:0")
    assert gpu.launches == []
    np.testing.assert_array_equal(result.numpy(), ramp() * 2)
    assert repr(exe) == "<stepwell.Executable (float32[8]) -> (float32[8])>"


def test_an_uploaded_argument_may_be_changed_after_the_call(gpu: FakeDriver):
    x = ramp()
    (result,) = executable(DOUBLE)(x)
    x[:] = -1
    np.testing.assert_array_equal(result.numpy(), ramp() * 2)


def test_arrays_of_the_device_are_used_in_place(gpu: FakeDriver):
    exe = executable(DOUBLE)
    x = to_device(ramp(), 0)
    uploads = gpu.calls.count("cuMemcpyHtoDAsync")
    (once,) = exe(x)
    (twice,) = exe(once)
    np.testing.assert_array_equal(twice.numpy(), ramp() * 4)
    assert gpu.calls.count("cuMemcpyHtoDAsync") == uploads


def test_everything_is_freed_when_the_last_reference_goes(gpu: FakeDriver):
    exe = executable((launch("double", X, ARENA), launch("double", ARENA, OUT)), arena_bytes=4096)
    for _ in range(3):
        (result,) = exe(ramp())
        np.testing.assert_array_equal(result.numpy(), ramp() * 4)
        del result
        assert gpu.live_bytes == 0


def test_an_argument_that_dies_before_its_kernel_ran_is_kept_until_then(gpu: FakeDriver):
    x = to_device(ramp(), 0)
    (result,) = executable(DOUBLE)(x)
    del x
    np.testing.assert_array_equal(result.numpy(), ramp() * 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "takes 1 argument, got 0"),
        ((np.zeros(3, np.float32),), r"argument 0 must be float32\[8\], got float32\[3\]"),
        ((np.zeros(N),), r"argument 0 must be float32\[8\], got float64\[8\]"),
    ],
)
def test_wrong_arguments_are_refused_as_on_the_cpu(gpu: FakeDriver, arguments: tuple[Any, ...], message: str):
    with pytest.raises(stepwell.InvalidProgramError, match=message):
        executable(DOUBLE)(*arguments)


def test_a_device_array_of_another_type_is_refused(gpu: FakeDriver):
    with pytest.raises(stepwell.InvalidProgramError, match=r"must be float32\[8\], got int32\[2\] on cuda:0"):
        executable(DOUBLE)(to_device(np.zeros(2, np.int32), 0))


def test_strided_and_other_arguments_are_copied_with_a_remark(gpu: FakeDriver):
    exe = executable(DOUBLE)
    wide = np.arange(2 * N, dtype=np.float32)
    np.testing.assert_array_equal(exe(wide[::2])[0].numpy(), wide[::2] * 2)
    assert exe.remarks == ["argument 0 is not contiguous: copied"]


def test_an_array_on_another_device_names_both(two_gpus: FakeDriver):
    install(two_gpus)
    exe = executable(DOUBLE, ordinal=1)
    with pytest.raises(WrongDeviceError, match=r"argument 0 is on cuda:0, the program runs on cuda:1; move it with"):
        exe(to_device(ramp(), 0))
    np.testing.assert_array_equal(exe(to_device(ramp(), 1))[0].numpy(), ramp() * 2)
    assert issubclass(WrongDeviceError, stepwell.InvalidProgramError)


def test_a_foreign_array_on_another_device_is_refused_before_it_is_touched(two_gpus: FakeDriver):
    class Foreign:
        def __dlpack_device__(self) -> tuple[int, int]:
            return 2, 1

        def __dlpack__(self, **options: Any) -> Any:
            raise AssertionError("taken")

    with pytest.raises(WrongDeviceError, match="argument 0 is on cuda:1, the program runs on cuda:0"):
        executable(DOUBLE)(Foreign())


def test_a_misaligned_array_is_copied_with_a_remark(gpu: FakeDriver):
    exe = executable(DOUBLE)
    where = device()
    base = to_device(np.arange(N + 1, dtype=np.float32), 0)

    class Inside(Memory):
        """The same memory, four bytes further on."""

        __slots__ = ("base",)

    part = Inside(where.stream(), base.buffer.address + 4, 4 * N)
    part.base = base
    odd = DeviceArray(part, (N,), np.dtype(np.float32))
    np.testing.assert_array_equal(exe(odd)[0].numpy(), ramp(1) * 2)
    assert exe.remarks == ["argument 0 is not at a multiple of 16 bytes: copied"]


def test_a_donated_array_is_overwritten_and_its_copy_on_the_host_forgotten(gpu: FakeDriver):
    exe = executable((launch("double", X, X), launch("double", X, OUT)), donated=(0,))
    x = to_device(ramp(), 0)
    np.testing.assert_array_equal(x.numpy(), ramp())
    np.testing.assert_array_equal(exe(x)[0].numpy(), ramp() * 4)
    np.testing.assert_array_equal(x.numpy(), ramp() * 2)
    mine = ramp()
    exe(mine)
    np.testing.assert_array_equal(mine, ramp())


def test_a_donated_array_that_is_also_another_argument_is_copied(gpu: FakeDriver):
    exe = executable((launch("double", X, X), launch("add", X, OUT, Buffer(2))), inputs=2, donated=(0,))
    x = to_device(ramp(), 0)
    np.testing.assert_array_equal(exe(x, x)[0].numpy(), ramp() * 3)
    np.testing.assert_array_equal(x.numpy(), ramp())
    assert exe.remarks == ["argument 0 is donated but overlaps argument 1: copied"]


def test_out_takes_the_results_to_the_host(gpu: FakeDriver):
    exe = executable(DOUBLE)
    out = np.zeros(N, np.float32)
    (got,) = exe(ramp(), out=[out])
    assert got is out
    np.testing.assert_array_equal(out, ramp() * 2)
    with pytest.raises(stepwell.InvalidProgramError, match=r"out\[0\] must be float32"):
        exe(ramp(), out=[np.zeros(3, np.float32)])


def test_threads_have_their_own_streams_and_results_may_cross_them(gpu: FakeDriver):
    exe = executable((launch("double", X, ARENA), launch("double", ARENA, OUT)), arena_bytes=64)
    found: dict[int, DeviceArray] = {}
    streams: set[int] = set()
    barrier = threading.Barrier(4)

    def work(i: int) -> None:
        barrier.wait()
        array = to_device(ramp(i), 0)
        for _ in range(5):
            (array,) = exe(array)
        found[i] = array
        streams.add(int(array.buffer.stream.handle))
        barrier.wait()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(streams) == 4
    for i in range(4):
        (more,) = exe(found[i])  # on this thread's stream, behind the other's
        np.testing.assert_array_equal(more.numpy(), ramp(i) * 4**6)
    assert exe.counts.calls == 24
    assert len(gpu._streams) <= 4 + 1 + 1  # theirs, one for capturing, perhaps ours: a stream is used again


def test_calls_are_recorded_by_a_profiler_and_come_as_futures_too(gpu: FakeDriver):
    assert gpu_program.CudaExecutable in sections._classes
    exe, plain = executable(DOUBLE), CudaExecutable.__call__
    with stepwell.Profiler() as profiler:
        (direct,) = exe(ramp())
        (result,) = exe.submit(direct).result(60)
    assert CudaExecutable.__call__ is plain
    assert [section.name for section in profiler.sections] == ["call", "call"]
    assert len({section.thread for section in profiler.sections}) == 2
    np.testing.assert_array_equal(result.numpy(), 4 * ramp())


def test_memory_used_in_another_thread_is_freed_after_that_use(gpu: FakeDriver):
    exe = executable(DOUBLE)
    x = to_device(ramp(), 0)
    results: list[DeviceArray] = []

    def work(array: DeviceArray) -> None:
        results.extend(exe(array))

    thread = threading.Thread(target=work, args=(x,))
    thread.start()
    thread.join()
    del x, thread  # its own stream would free it now; the other has not read it yet
    with device().current:
        again = to_device(ramp(100), 0)
        device().stream().synchronize()
    np.testing.assert_array_equal(results[0].numpy(), ramp() * 2)
    np.testing.assert_array_equal(again.numpy(), ramp(100))


def test_no_driver_is_told_at_the_first_call_only():
    exe = executable(DOUBLE, ir=lambda step: f"the {step}", asm=lambda: "ptx")
    assert (exe.ir("device"), exe.asm()) == ("the device", "ptx")
    driver.use(FakeDriver(devices=0))
    try:
        with pytest.raises(NoDriverError, match="finds no GPU"):
            exe(ramp())
    finally:
        driver.use(None)
    assert on_cpu() == [2.0, 4.0]


def test_a_kernel_that_the_driver_refuses_shows_the_drivers_log(gpu: FakeDriver):
    exe = executable(DOUBLE, image=b".version 7\nnonsense\n")
    with pytest.raises(
        KernelLoadError, match=r"cannot load kernel 'k' on cuda:0: a PTX JIT .*\n.*near 'nonsense'"
    ) as e:
        exe(ramp())
    assert e.value.name == "CUDA_ERROR_INVALID_PTX"
    assert on_cpu() == [2.0, 4.0]
    np.testing.assert_array_equal(executable(DOUBLE)(ramp())[0].numpy(), ramp() * 2)


def test_a_function_that_is_not_in_its_image_is_named(gpu: FakeDriver):
    with pytest.raises(KernelLoadError, match="cannot find function 'double' of kernel 'k' on cuda:0: named symbol"):
        executable(DOUBLE, image=b".entry other 2\n")(ramp())


def test_more_shared_memory_than_a_block_can_have_is_refused(gpu: FakeDriver):
    exe = executable((launch("double", X, OUT, shared=300_000),))
    with pytest.raises(KernelLoadError, match=r"give kernel 'k' 300000 bytes of shared memory \(cuda:0 has 232448 a"):
        exe(ramp())


def test_too_much_memory_is_a_typed_error_and_the_next_call_works(gpu: FakeDriver):
    big = executable(DOUBLE, arena_bytes=2 << 30)
    with pytest.raises(DeviceOutOfMemoryError, match=r"cannot allocate .* bytes on cuda:0: out of memory"):
        big(ramp())
    assert gpu.live_bytes == 0
    np.testing.assert_array_equal(executable(DOUBLE)(ramp())[0].numpy(), ramp() * 2)
    assert on_cpu() == [2.0, 4.0]


def test_page_locked_memory_that_is_not_there_is_a_typed_error(gpu: FakeDriver):
    gpu.fail["cuMemHostAlloc"] = OUT_OF_MEMORY
    with pytest.raises(DeviceOutOfMemoryError, match="page-locked bytes of the host for cuda:0"):
        executable(DOUBLE)(ramp())
    gpu.fail.clear()
    np.testing.assert_array_equal(executable(DOUBLE)(ramp())[0].numpy(), ramp() * 2)


def test_a_failure_inside_of_a_kernel_comes_out_when_results_are_read(gpu: FakeDriver):
    exe = executable((Copy(Buffer(1, 1 << 20), X, 4),))  # beyond the output
    (result,) = exe(ramp())
    with pytest.raises(CudaError, match="CUDA_ERROR_ILLEGAL_ADDRESS"):
        result.numpy()
    with pytest.raises(CudaError, match="CUDA_ERROR_ILLEGAL_ADDRESS"):
        exe(ramp())  # the context is lost
    assert on_cpu() == [2.0, 4.0]


def test_a_launch_that_is_refused_says_which(gpu: FakeDriver):
    exe = executable((launch("double", X, OUT, grid=0),))
    with pytest.raises(
        CudaError, match="cannot launch kernel 'k::double' with 0 blocks of 32 threads: invalid argument"
    ):
        exe(ramp())


def test_another_librarys_array_is_used_without_a_copy(gpu: FakeDriver):
    ours = to_device(ramp(), 0)

    class Foreign:
        """As `torch.Tensor` gives it."""

        def __dlpack_device__(self) -> tuple[int, int]:
            return ours.__dlpack_device__()

        def __dlpack__(self, **options: Any) -> Any:
            return ours.__dlpack__(**options)

    copies = gpu.calls.count("cuMemcpyDtoDAsync")
    np.testing.assert_array_equal(executable(DOUBLE)(Foreign())[0].numpy(), ramp() * 2)
    assert gpu.calls.count("cuMemcpyDtoDAsync") == copies
    assert from_dlpack(Foreign()).buffer.address == ours.buffer.address


def test_the_image_is_loaded_once(gpu: FakeDriver):
    exe = executable(DOUBLE)
    for _ in range(3):
        exe(ramp())
    assert gpu.calls.count("cuModuleLoadDataEx") == 1
    assert IMAGE.count(b".entry") == 3
    del exe
