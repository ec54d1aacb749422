"""The driver seam: typed errors, no driver, devices and their properties, forks."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from fake_driver import INVALID_VALUE, FakeDriver

import stepwell
from stepwell.runtime.cuda import (
    CudaError,
    DeviceOutOfMemoryError,
    NoDriverError,
    available,
    driver,
    driver_status,
)
from stepwell.runtime.cuda.device import device, device_count, parse_device
from stepwell.runtime.cuda.memory import DeviceBuffer


def test_importing_the_runtime_imports_no_bindings():
    code = (
        "import sys, stepwell.runtime.cuda.executable\nassert not [m for m in sys.modules if m.split('.')[0] == 'cuda']"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd="/")


def test_without_a_driver_every_use_is_one_clear_error_and_the_cpu_goes_on():
    class NoLibrary:
        def cuInit(self, flags: int) -> tuple[int]:
            raise RuntimeError("libcuda.so.1: cannot open shared object file\nand more")

    driver.use(NoLibrary())
    try:
        assert not available()
        with pytest.raises(NoDriverError, match=r"no NVIDIA driver .* was found \(target 'cpu' needs none of it\)"):
            device()
        with pytest.raises(stepwell.UnsupportedError):
            device_count()
        assert driver_status().startswith("no: CUDA cannot be used here")
        doubled = stepwell.compile(
            "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n"
            "  %r = stablehlo.add %x, %x : tensor<2xf32>\n  func.return %r : tensor<2xf32>\n}"
        )
        assert doubled(np.array([1, 2], np.float32))[0].tolist() == [2.0, 4.0]
    finally:
        driver.use(None)


def test_a_machine_without_the_bindings_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    driver.use(None)
    with pytest.raises(NoDriverError, match=r"pip install 'stepwell\[cuda\]'"):
        driver.api()


def test_a_driver_without_gpus_is_no_driver():
    driver.use(FakeDriver(devices=0))
    try:
        with pytest.raises(NoDriverError, match="the driver finds no GPU"):
            device()
    finally:
        driver.use(None)


def test_errors_carry_the_drivers_name_and_what_was_being_done(fake: FakeDriver):
    gpu = device()
    fake.fail["cuStreamSynchronize"] = INVALID_VALUE
    with pytest.raises(
        CudaError, match=r"cannot wait for the device: invalid argument \(CUDA_ERROR_INVALID_VALUE\)"
    ) as e:
        gpu.stream().synchronize()
    assert (e.value.name, e.value.doing) == ("CUDA_ERROR_INVALID_VALUE", "wait for the device")
    assert isinstance(e.value, stepwell.CompileError)


def test_an_error_the_driver_has_no_name_for_shows_its_number(fake: FakeDriver):
    assert "CUDA error 4711" in str(driver.failure(fake, 4711, "do this"))


def test_devices_are_opened_once_and_checked(two_gpus: FakeDriver):
    assert device(1) is device(1)
    assert (str(device(1)), device_count(), driver_status()) == ("cuda:1", 2, "driver 13.1")
    assert two_gpus.calls.count("cuDevicePrimaryCtxRetain") == 1
    with pytest.raises(stepwell.InvalidProgramError, match="no device 'cuda:2'; the devices are: cpu, cuda:0, cuda:1"):
        device(2)


@pytest.mark.parametrize(("name", "number"), [("cpu", None), ("cuda", 0), ("cuda:0", 0), ("cuda:13", 13)])
def test_device_names_are_numbers(name: str, number: int | None):
    assert parse_device(name) == number


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1234", "", None, 0, "cuda:²"])
def test_other_device_names_are_refused(name):
    with pytest.raises(stepwell.InvalidProgramError, match="there is no device"):
        parse_device(name)


def test_properties_are_the_numbers_of_a_machine_description(fake: FakeDriver):
    properties = device().properties
    assert (properties.name, properties.cpu, properties.memory_bytes) == ("Fake GPU", "sm_90", 1 << 30)
    assert properties.bandwidth == 2 * 2_619_000_000 * 5120 // 8
    assert properties.machine() == {
        "arch": "nvptx64",
        "level": "simt",
        "cpu": "sm_90",
        "subgroup": 32,
        "cores": 132,
        "block_threads": 1024,
        "shared_bytes": 49152,
        "shared_limit": 232448,
        "l2_bytes": 50 << 20,
    }
    assert repr(device()) == "<cuda:0: Fake GPU>"


def test_the_threads_own_context_is_left_as_it_was(two_gpus: FakeDriver):
    first, second = device(0), device(1)
    with first.current:
        with second.current:
            DeviceBuffer(second.stream(), 64)
        assert two_gpus._device() == 0
    assert two_gpus._stack == []


def test_memory_that_does_not_fit_is_a_typed_error_after_idle_memory_is_given_back(fake: FakeDriver):
    gpu = device()
    with gpu.current:
        kept = DeviceBuffer(gpu.stream(), 600 << 20)
        with pytest.raises(DeviceOutOfMemoryError, match=r"cannot allocate 629145600 bytes on cuda:0: out of memory"):
            DeviceBuffer(gpu.stream(), 600 << 20)
        assert "cuMemPoolTrimTo" in fake.calls
        assert kept.address
        del kept
        DeviceBuffer(gpu.stream(), 600 << 20)
    assert issubclass(DeviceOutOfMemoryError, stepwell.InvalidProgramError)
    assert gpu.memory_info() == (1 << 30, 1 << 30)


def test_a_device_without_memory_pools_uses_the_old_allocator():
    fake = FakeDriver(MEMORY_POOLS_SUPPORTED=0)
    driver.use(fake)
    try:
        gpu = device()
        with gpu.current:
            buffer = DeviceBuffer(gpu.stream(), 100)
            assert fake.live_bytes == 256
            del buffer
        assert fake.live_bytes == 0
    finally:
        driver.use(None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_is_told_to_spawn_and_touches_nothing(fake: FakeDriver):
    gpu = device()
    with gpu.current:
        buffer = DeviceBuffer(gpu.stream(), 64)
    calls = len(fake.calls)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            device()
            text = "no error"
        except CudaError as error:
            text = str(error)
        del buffer
        text += f" {len(fake.calls) - calls}"
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    assert "forked from one that had used CUDA" in text
    assert "'spawn'" in text
    assert text.endswith(" 0")
    assert fake.live_bytes == 256
    assert device() is gpu


def test_the_bindings_take_the_arguments_we_give_them():
    """They convert arguments before they look for a driver: a wrong type would be a TypeError."""
    bindings = pytest.importorskip("cuda.bindings.driver")
    if available():
        pytest.skip("there is a driver: calls would be made")
    mode = bindings.CUstreamCaptureMode(2)
    pool = bindings.CUmemPoolProps()
    pool.allocType = bindings.CUmemAllocationType.CU_MEM_ALLOCATION_TYPE_PINNED
    pool.location.type = bindings.CUmemLocationType.CU_MEM_LOCATION_TYPE_DEVICE
    pool.location.id = 0
    keep = bindings.CUmemPool_attribute.CU_MEMPOOL_ATTR_RELEASE_THRESHOLD
    options = [bindings.CUjit_option.CU_JIT_ERROR_LOG_BUFFER, bindings.CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES]
    shared = bindings.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    rows = bindings.CUDA_MEMCPY2D()
    rows.srcMemoryType = bindings.CUmemorytype.CU_MEMORYTYPE_DEVICE
    rows.dstMemoryType = bindings.CUmemorytype.CU_MEMORYTYPE_HOST
    rows.srcDevice, rows.dstHost, rows.WidthInBytes, rows.Height, rows.srcPitch, rows.dstPitch = 4096, 64, 4, 2, 8, 4
    calls = [
        ("cuMemPoolCreate", (pool,)),
        ("cuMemPoolSetAttribute", (1, keep, bindings.cuuint64_t((1 << 64) - 1))),
        ("cuMemPoolTrimTo", (1, 0)),
        ("cuMemAllocFromPoolAsync", (64, 1, bindings.CUstream(2))),
        ("cuMemAlloc", (64,)),
        ("cuMemFreeAsync", (4096, bindings.CUstream(2))),
        ("cuMemFree", (4096,)),
        ("cuMemHostAlloc", (64, 1)),
        ("cuMemcpyHtoDAsync", (4096, 64, 4, bindings.CUstream(2))),
        ("cuMemcpyDtoHAsync", (64, 4096, 4, bindings.CUstream(2))),
        ("cuMemcpyDtoDAsync", (4096, 8192, 4, bindings.CUstream(2))),
        ("cuMemcpy2DAsync", (rows, bindings.CUstream(2))),
        ("cuLaunchKernel", (bindings.CUfunction(9), 1, 1, 1, 32, 1, 1, 0, bindings.CUstream(2), 12345, 0)),
        ("cuModuleLoadDataEx", (b"x\0", 2, options, [bytearray(64), 64])),
        ("cuModuleGetFunction", (bindings.CUmodule(3), b"k")),
        ("cuModuleUnload", (bindings.CUmodule(3),)),
        ("cuFuncSetAttribute", (bindings.CUfunction(9), shared, 65536)),
        ("cuStreamCreate", (1,)),
        ("cuStreamSynchronize", (1,)),
        ("cuStreamBeginCapture", (bindings.CUstream(2), mode)),
        ("cuStreamEndCapture", (bindings.CUstream(2),)),
        ("cuGraphInstantiate", (bindings.CUgraph(1), 0)),
        ("cuGraphExecUpdate", (bindings.CUgraphExec(1), bindings.CUgraph(1))),
        ("cuGraphLaunch", (bindings.CUgraphExec(1), bindings.CUstream(2))),
        ("cuGraphDestroy", (bindings.CUgraph(1),)),
        ("cuGraphExecDestroy", (bindings.CUgraphExec(1),)),
        ("cuEventCreate", (2,)),
        ("cuEventRecord", (bindings.CUevent(1), 1)),
        ("cuEventQuery", (bindings.CUevent(1),)),
        ("cuEventSynchronize", (bindings.CUevent(1),)),
        ("cuStreamWaitEvent", (1, bindings.CUevent(1), 0)),
        ("cuCtxPushCurrent", (bindings.CUcontext(1),)),
        ("cuCtxPopCurrent", ()),
        ("cuCtxSynchronize", ()),
        ("cuDevicePrimaryCtxRetain", (bindings.CUdevice(0),)),
        ("cuDeviceGetName", (256, bindings.CUdevice(0))),
        ("cuDeviceTotalMem", (bindings.CUdevice(0),)),
        ("cuMemGetInfo", ()),
        ("cuDriverGetVersion", ()),
    ]
    for name, arguments in calls:
        with pytest.raises(RuntimeError, match="NVIDIA driver"):  # and no TypeError
            getattr(bindings, name)(*arguments)
    with pytest.raises(TypeError):
        bindings.cuMemcpyHtoDAsync(4096, "text", 4, bindings.CUstream(2))
    from stepwell.runtime.cuda.device import _ATTRIBUTES

    for name in [*_ATTRIBUTES.values(), "MEMORY_POOLS_SUPPORTED"]:
        assert hasattr(bindings.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}")
