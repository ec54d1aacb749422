"""Arrays in device memory: copies to NumPy, DLPack and the CUDA array interface without, `stepwell.Array` over them."""

from __future__ import annotations

import gc
import pickle
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from fake_driver import FakeDriver
from programs import executable, install, launch, ramp

import stepwell
import stepwell.numpy as snp
from stepwell.runtime.cuda import WrongDeviceError, dlpack
from stepwell.runtime.cuda.array import DeviceArray, from_dlpack, to_device
from stepwell.runtime.cuda.device import device
from stepwell.runtime.cuda.memory import CHUNK, PINNED_LIMIT, DeviceBuffer, download, pinned_pool, upload
from stepwell.runtime.cuda.program import Buffer

DTYPES = [
    np.bool_,
    np.int8,
    np.uint64,
    np.float16,
    np.float32,
    np.complex64,
    ml_dtypes.bfloat16,
    ml_dtypes.float8_e4m3fn,
]


class Foreign:
    """A tensor of another library over our memory; without versions, as old libraries are, if so asked."""

    def __init__(self, array: DeviceArray, *, old: bool = False):
        self._array = array
        self._old = old

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()

    def __dlpack__(self, **options: Any) -> Any:
        if self._old and "max_version" in options:
            raise TypeError("unexpected keyword argument 'max_version'")
        return self._array.__dlpack__(**options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (3, 5), (0, 4)])
def test_arrays_go_there_and_back(fake: FakeDriver, dtype: Any, shape: tuple[int, ...]):
    values = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    array = to_device(values, 0)
    assert (array.shape, array.dtype, array.device, array.nbytes) == (shape, values.dtype, "cuda:0", values.nbytes)
    assert array.numpy().tobytes() == values.tobytes()
    assert not array.numpy().flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        array.numpy()[...] = 0


def test_the_host_gets_its_copy_once(fake: FakeDriver):
    array = to_device(ramp(), 0)
    assert array.numpy() is array.numpy()
    assert fake.calls.count("cuMemcpyDtoHAsync") == 1
    assert np.asarray(array) is array.numpy()
    assert np.array(array, copy=True) is not array.numpy()
    np.testing.assert_array_equal(np.asarray(array, np.float64), ramp())
    with pytest.raises(ValueError, match="cannot be had without a copy"):
        to_device(ramp(), 0).__array__(copy=False)
    with pytest.raises(ValueError, match="a copy is needed"):
        array.__array__(np.float64, copy=False)


def test_large_arrays_pass_through_page_locked_memory_in_pieces(fake: FakeDriver):
    values = np.arange(CHUNK // 4 * 3 + 7, dtype=np.float32)
    array = to_device(values, 0)
    values[:] = 0
    np.testing.assert_array_equal(array.numpy(), np.arange(len(values), dtype=np.float32))
    assert fake.calls.count("cuMemcpyHtoDAsync") == fake.calls.count("cuMemcpyDtoHAsync") == 4
    assert sum(len(block) for block in fake.pinned.values()) <= 8 * CHUNK


def test_page_locked_memory_is_used_again_when_copies_are_done(fake: FakeDriver):
    for i in range(20):
        array = to_device(ramp(i), 0)
        np.testing.assert_array_equal(array.numpy(), ramp(i))
    assert len(fake.pinned) <= 2


def test_page_locked_memory_is_bounded_by_waiting(fake: FakeDriver):
    gpu = device()
    size = PINNED_LIMIT // 4
    with gpu.current:
        pool, stream = pinned_pool(gpu), gpu.stream()
        for _ in range(8):
            pool.give(pool.take(size), stream)
    assert sum(len(block) for block in fake.pinned.values()) <= PINNED_LIMIT


def test_copies_are_exact_at_any_place(fake: FakeDriver):
    gpu = device()
    with gpu.current:
        stream = gpu.stream()
        buffer = DeviceBuffer(stream, 64)
        upload(ramp(3), buffer.address + 32, stream)
        back = np.zeros(8, np.float32)
        download(buffer.address + 32, back, stream)
    np.testing.assert_array_equal(back, ramp(3))


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_dlpack_shares_device_memory(fake: FakeDriver, dtype: Any, old: bool):
    values = np.random.default_rng(0).integers(0, 2, (2, 3)).astype(dtype)
    ours = to_device(values, 0)
    theirs = from_dlpack(Foreign(ours, old=old))
    assert (theirs.shape, theirs.dtype, theirs.buffer.address) == (ours.shape, ours.dtype, ours.buffer.address)
    del ours
    assert theirs.numpy().tobytes() == values.tobytes()
    del theirs
    assert fake.live_bytes == 0
    assert dlpack._exported == {}


def test_a_capsule_nobody_takes_gives_its_memory_back(fake: FakeDriver):
    for version in (None, (1, 0)):
        capsule = to_device(ramp(), 0).__dlpack__(max_version=version)
        assert fake.live_bytes
        del capsule
        assert fake.live_bytes == 0


def test_a_capsule_is_taken_once(fake: FakeDriver):
    capsule = to_device(ramp(), 0).__dlpack__()
    taken = dlpack.Imported(capsule)
    with pytest.raises(stepwell.InvalidProgramError, match="not a DLPack capsule, or one that was taken before"):
        dlpack.Imported(capsule)
    taken.release()
    assert fake.live_bytes == 0


def test_the_structure_of_a_capsule_is_dlpacks(fake: FakeDriver):
    array = to_device(np.zeros((2, 3, 4), np.float16), 0)
    capsule = array.__dlpack__(max_version=(1, 2))
    place = dlpack._get(capsule, b"dltensor_versioned")
    tensor = dlpack._Versioned.from_address(place).tensor
    assert (tensor.data, tensor.ndim, tensor.byte_offset) == (array.buffer.address, 3, 0)
    assert (tensor.device.kind, tensor.device.number) == (2, 0)
    assert (tensor.dtype.code, tensor.dtype.bits, tensor.dtype.lanes) == (2, 16, 1)
    assert (tensor.shape[:3], tensor.strides[:3]) == ([2, 3, 4], [12, 4, 1])


@pytest.mark.parametrize(("strides", "dense"), [((3, 1), True), ((1, 2), False), ((6, 1), False)])
def test_only_dense_arrays_are_taken(fake: FakeDriver, strides: tuple[int, int], dense: bool):
    capsule = to_device(np.zeros((2, 3), np.float32), 0).__dlpack__()
    tensor = dlpack._Managed.from_address(dlpack._get(capsule, b"dltensor")).tensor
    tensor.strides[0], tensor.strides[1] = strides
    if dense:
        dlpack.Imported(capsule).release()
    else:
        with pytest.raises(stepwell.InvalidProgramError, match="not C-contiguous cannot be taken; copy it first"):
            dlpack.Imported(capsule)
    del capsule
    assert fake.live_bytes == 0


@pytest.mark.parametrize(("code", "bits", "lanes"), [(2, 32, 4), (0, 4, 1), (3, 64, 1), (2, 24, 1)])
def test_types_without_a_dtype_are_refused(fake: FakeDriver, code: int, bits: int, lanes: int):
    capsule = to_device(ramp(), 0).__dlpack__()
    dtype = dlpack._Managed.from_address(dlpack._get(capsule, b"dltensor")).tensor.dtype
    dtype.code, dtype.bits, dtype.lanes = code, bits, lanes
    with pytest.raises(stepwell.InvalidProgramError, match=f"code {code}, {bits} bits, {lanes} lanes is not supported"):
        dlpack.Imported(capsule)


def test_dtypes_dlpack_lacks_are_refused_when_given(fake: FakeDriver):
    with pytest.raises(BufferError, match="no form of int4"):
        to_device(np.zeros(3, ml_dtypes.int4), 0).__dlpack__()


def test_who_takes_an_array_in_another_stream_waits_for_ours(fake: FakeDriver):
    array = to_device(ramp(), 0)
    theirs = device().new_stream()
    capsule = array.__dlpack__(stream=int(theirs.handle))
    theirs.synchronize()
    np.testing.assert_array_equal(fake.memory_at(array.buffer.address, 32, 0).view(np.float32), ramp())
    reads: list[np.ndarray[Any, Any]] = []
    theirs.handle.value.work.append(lambda: reads.append(fake.memory_at(address, 32, 0).copy()))
    address = array.buffer.address
    del array, capsule
    device().stream().synchronize()  # our stream frees it, after theirs has read it
    np.testing.assert_array_equal(reads[0].view(np.float32), ramp())


@pytest.mark.parametrize("stream", [None, 1, 2, -1])
def test_the_streams_dlpack_names_are_taken(fake: FakeDriver, stream: int | None):
    assert to_device(ramp(), 0).__dlpack__(stream=stream) is not None


def test_what_dlpack_cannot_say_is_refused(fake: FakeDriver):
    array = to_device(ramp(), 0)
    with pytest.raises(BufferError, match="stream 0 is ambiguous"):
        array.__dlpack__(stream=0)
    with pytest.raises(BufferError, match="cannot be given on DLPack device"):
        array.__dlpack__(dl_device=(2, 1))
    with pytest.raises(BufferError, match="cannot be given on DLPack device"):
        array.__dlpack__(dl_device=(1, 0), copy=False)
    with pytest.raises(stepwell.InvalidProgramError, match="is not in CUDA memory"):
        from_dlpack(ramp())


def test_dlpack_copies_when_asked_to(fake: FakeDriver):
    array = to_device(ramp(), 0)
    capsule = array.__dlpack__(copy=True)
    taken = dlpack.Imported(capsule)
    assert taken.address != array.buffer.address
    np.testing.assert_array_equal(np.from_dlpack(_OnHost(array)), ramp())
    taken.release()


class _OnHost:
    """Asks for the host's memory, as `numpy.from_dlpack(x, device="cpu")` does."""

    def __init__(self, array: DeviceArray):
        self._array = array

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(dl_device=(1, 0))


def test_memory_of_others_is_given_back_when_our_work_on_it_is_done(fake: FakeDriver):
    install(fake)
    ours = to_device(ramp(), 0)
    theirs = from_dlpack(Foreign(ours))
    exe = executable((launch("double", Buffer(0), Buffer(1)),))
    (result,) = exe(theirs)
    assert fake.launches == []
    del theirs
    assert [name for name, *_ in fake.launches] == ["double"]
    np.testing.assert_array_equal(result.numpy(), ramp() * 2)


def test_the_cuda_array_interface_names_memory_and_stream(fake: FakeDriver):
    array = to_device(np.zeros((2, 3), np.float32), 0)
    described = array.__cuda_array_interface__
    assert described == {
        "shape": (2, 3),
        "typestr": "<f4",
        "data": (array.buffer.address, False),
        "strides": None,
        "stream": int(array.buffer.stream.handle),
        "version": 3,
    }
    before = fake.calls.count("cuCtxSynchronize")
    del array  # whoever has the address may still use it: everything is waited for
    assert fake.calls.count("cuCtxSynchronize") == before + 1
    with pytest.raises(AttributeError, match="no form of bfloat16; use DLPack"):
        _ = to_device(np.zeros(2, ml_dtypes.bfloat16), 0).__cuda_array_interface__


# stepwell.Array ----------------------------------------------------------------------------------------------------


def test_device_put_moves_arrays_and_trees(two_gpus: FakeDriver):
    x = stepwell.device_put(ramp(), "cuda")
    assert isinstance(x, stepwell.Array)
    assert (x.device, x.shape, x.dtype, x.ndim, len(x)) == ("cuda:0", (8,), np.float32, 1, 8)
    assert stepwell.device_put(x, "cuda:0") is x
    other = x.to("cuda:1")
    assert (other.device, x.to_device("cuda:0")) == ("cuda:1", x)
    back = other.to("cpu")
    assert back.device == "cpu"
    assert isinstance(back.raw(), np.ndarray)
    np.testing.assert_array_equal(back.numpy(), ramp())
    tree = stepwell.device_put({"w": ramp(), "n": 2.0}, "cuda:1")
    assert [tree["w"].device, tree["n"].device, tree["n"].dtype] == ["cuda:1", "cuda:1", np.float32]


def test_an_array_on_a_device_is_an_array_in_python(fake: FakeDriver):
    x = stepwell.device_put(np.arange(3, dtype=np.int32), "cuda:0")
    assert repr(x) == "Array([0, 1, 2], dtype=int32, shape=(3,), device='cuda:0')"
    assert x.tolist() == [0, 1, 2]
    assert [int(row) for row in x] == [0, 1, 2]
    assert np.asarray(x).dtype == np.int32
    with pytest.raises(ValueError, match="without a copy"):
        np.array(x, copy=False)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(x)).numpy(), [0, 1, 2])
    one = stepwell.device_put(7, "cuda:0")
    assert (int(one), float(one), bool(one), one.item(), list(range(one))[:2]) == (7, 7.0, True, 7, [0, 1])
    assert x.__cuda_array_interface__["shape"] == (3,)
    assert not hasattr(snp.asarray([1]), "__cuda_array_interface__")
    x.donate()
    assert repr(x) == "Array(donated, int32[3])"
    with pytest.raises(stepwell.InvalidProgramError, match="was donated"):
        x.numpy()


def test_arrays_on_a_device_are_operands_of_programs_on_the_cpu(fake: FakeDriver):
    x = stepwell.device_put(ramp(), "cuda:0")
    doubled = stepwell.jit(lambda a: a * 2, target="cpu")
    for _ in range(2):
        np.testing.assert_array_equal(doubled(x).numpy(), ramp() * 2)
    np.testing.assert_array_equal(stepwell.jit(lambda: x * 3)().numpy(), ramp() * 3)


def test_arrays_are_operands_of_executables_on_their_device(two_gpus: FakeDriver):
    install(two_gpus)
    exe = executable((launch("double", Buffer(0), Buffer(1)),), wrap=stepwell.Array)
    x = stepwell.device_put(ramp(), "cuda:0")
    uploads = two_gpus.calls.count("cuMemcpyHtoDAsync")
    (result,) = exe(x)
    assert isinstance(result, stepwell.Array)
    assert result.device == "cuda:0"
    assert two_gpus.calls.count("cuMemcpyHtoDAsync") == uploads
    np.testing.assert_array_equal(result.numpy(), ramp() * 2)
    np.testing.assert_array_equal(exe(stepwell.device_put(x, "cpu"))[0].numpy(), ramp() * 2)
    with pytest.raises(WrongDeviceError, match="argument 0 is on cuda:1"):
        exe(x.to("cuda:1"))


def test_from_dlpack_takes_cuda_arrays_without_a_copy(fake: FakeDriver):
    ours = to_device(ramp(), 0)
    taken = snp.from_dlpack(Foreign(ours))
    assert taken.device == "cuda:0"
    assert taken.raw().buffer.address == ours.buffer.address
    again = snp.from_dlpack(taken)
    assert again.raw().buffer.address == ours.buffer.address
    np.testing.assert_array_equal(again.numpy(), ramp())
    del taken, again
    gc.collect()
    assert dlpack._exported == {}


def test_devices_that_are_not_there_are_named(fake: FakeDriver):
    with pytest.raises(stepwell.TracingError, match="there is no device 'cuda:3'; the devices are: cpu, cuda:0"):
        stepwell.device_put(ramp(), "cuda:3")
    with pytest.raises(stepwell.TracingError, match="there is no device 'tpu'"):
        stepwell.device_put(ramp(), "tpu")
    with pytest.raises(stepwell.TracingError, match="outside of jit"):
        stepwell.jit(lambda a: stepwell.device_put(a, "cuda:0"))(ramp())
