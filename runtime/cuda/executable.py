"""`CudaExecutable`: a program compiled for a GPU, called with arrays.

A call uploads the NumPy arrays among its arguments, uses arrays on its device in place, and returns as soon as all work is on its way.
Each call has its own memory, taken and given back in the order of the calling thread's stream, so several threads may call at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from stepwell.ir.errors import InvalidProgramError
from stepwell.runtime.arguments import ArrayType, canonical_bools, check_count, check_out, prepare
from stepwell.runtime.cuda.array import DeviceArray, from_dlpack, on_gpu
from stepwell.runtime.cuda.device import ALIGNMENT, Device, Stream, device
from stepwell.runtime.cuda.errors import WrongDeviceError
from stepwell.runtime.cuda.executor import CallState, Frame, PreparedProgram
from stepwell.runtime.cuda.graph import FEWEST, FrameGraph
from stepwell.runtime.cuda.memory import Buffer, DeviceBuffer, pinned_pool, upload
from stepwell.runtime.cuda.program import Program
from stepwell.runtime.executable import Executable, Signature
from stepwell.runtime.memory import POOL
from stepwell.runtime.pool import worker_count

HostArray = np.ndarray[Any, Any]

_GAP = 256
"""Uploaded arguments start at multiples of this in a call's memory."""


class Counts:
    """How often things happened; tests and profiles read them."""

    def __init__(self) -> None:
        self.calls = 0
        self.captures = 0
        self.replays = 0


class CudaExecutable(Executable):
    """A program on one GPU; the device is opened and the kernels are loaded at the first call.

    Attributes:
        counts: calls, captures of a CUDA graph, replays of one.
        program: what a call does.
    """

    def __init__(
        self,
        signature: Signature,
        program: Program,
        images: Mapping[str, bytes],
        *,
        host_kernels: Mapping[str, int] | None = None,
        ordinal: int = 0,
        wrap: Callable[[DeviceArray], Any] | None = None,
        ir: Callable[[str], str] | None = None,
        asm: Callable[[], str] | None = None,
        keep_alive: Any = None,
    ):
        super().__init__(signature, None, ir=ir, asm=asm, keep_alive=keep_alive)
        self.program = program
        self.counts = Counts()
        self._images = images
        self._host_kernels = host_kernels or {}
        self._ordinal = ordinal
        self._wrap = wrap
        self._lock = threading.Lock()
        self._prepared: PreparedProgram | None = None
        self._graphs = program.straight and len(program.functions[program.entry].body) >= FEWEST

    @property
    def device(self) -> str:
        """Where it runs."""
        return f"cuda:{self._ordinal}"

    def load(self) -> PreparedProgram:
        """Open the device, load the kernels, upload the constants, unless done.

        Raises:
            NoDriverError: there is no driver or no GPU.
            KernelLoadError: the driver does not take a kernel.
            DeviceOutOfMemoryError: the constants do not fit.
        """
        prepared = self._prepared
        if prepared is None or not prepared.device.alive:
            with self._lock:
                prepared = self._prepared
                if prepared is None or not prepared.device.alive:
                    where = device(self._ordinal)
                    prepared = PreparedProgram(self.program, where, self._images, self._host_kernels)
                    self._prepared = prepared
        return prepared

    def __call__(self, *arrays: Any, out: Sequence[HostArray] | None = None) -> tuple[Any, ...]:
        """Run on `arrays`.

        Args:
            *arrays: one per argument: arrays on this device, or what a CPU executable takes.
            out: NumPy arrays for the results; then the call waits for them.

        Returns:
            The results: arrays on the device, or `out`.

        Raises:
            InvalidProgramError: wrong count, shape or dtype.
            WrongDeviceError: an array is on another device.
            NoDriverError, KernelLoadError: at the first call.
            DeviceOutOfMemoryError: the device has not enough memory.
            CudaError: the driver refused; a failure inside of a kernel comes out when its results are read.
        """
        check_count(len(arrays), self.signature.inputs)
        prepared = self.load()
        found = [self._argument(i, v, prepared.device) for i, v in enumerate(arrays)]
        hosts = [a for a in found if isinstance(a, np.ndarray)]
        targets = None if out is None else check_out(out, self.signature.outputs, hosts)
        with prepared.device.current:
            results = _Call(self, prepared).run(found)
        if targets is None:
            return tuple(results) if self._wrap is None else tuple([self._wrap(r) for r in results])
        for result, target in zip(results, targets, strict=True):
            result.copy_to(target)
        return tuple(targets)

    def _argument(self, i: int, value: Any, where: Device) -> HostArray | DeviceArray:
        """Argument `i` checked: on this device, or a NumPy array to upload."""
        raw = getattr(value, "raw", None)
        if callable(raw):  # stepwell.Array
            value = raw()
        want = self.signature.inputs[i]
        if not on_gpu(value):
            array = prepare(i, value, want, False, self._remark)
            return canonical_bools(i, array, self._remark) if want.dtype == np.bool_ else array
        if not isinstance(value, DeviceArray):
            name = f"cuda:{value.__dlpack_device__()[1]}"
            if name != str(where):
                raise WrongDeviceError(_elsewhere(i, name, where))
            value = from_dlpack(value)
        if value.buffer.device is not where:
            raise WrongDeviceError(_elsewhere(i, value.device, where))
        if value.dtype != want.dtype or value.shape != want.shape:
            got = ArrayType(value.shape, value.dtype)
            raise InvalidProgramError(f"argument {i} must be {want}, got {got} on {value.device}")
        return value

    def remark(self, text: str) -> None:
        """Note, once, what a user may want to know."""
        self._remark(text)

    def run_frame(self, prepared: PreparedProgram, frame: Frame, stream: Stream) -> None:
        """Issue the entry's work: as a graph from the second time on, where that pays."""
        frame.runs += 1
        if self._graphs and frame.runs > 1:
            graph = frame.graph
            if graph is None:
                graph = frame.graph = FrameGraph(prepared.device)
            if not graph.gave_up:
                self.counts.replays += 1
                self.counts.captures += graph.launch(frame, prepared, stream)
                return
        state = CallState(stream, prepared.constants)
        prepared.entry.run_frame(frame, state)


def _elsewhere(i: int, name: str, where: Device) -> str:
    return f"argument {i} is on {name}, the program runs on {where}; move it with stepwell.device_put(x, '{where}')"


class _Call:
    """One call: its memory, and the addresses it runs on."""

    def __init__(self, executable: CudaExecutable, prepared: PreparedProgram):
        self._executable = executable
        self._signature = executable.signature
        self._prepared = prepared
        self._stream = prepared.device.stream()

    def run(self, arguments: list[HostArray | DeviceArray]) -> list[DeviceArray]:
        """Put the call's work on the stream; the results, which may still be on their way."""
        executable, prepared, program, stream = self._executable, self._prepared, self._prepared.program, self._stream
        arguments = self._unshared(arguments)
        arena_bytes = max(program.arena_bytes, 1)
        offsets, size = _layout(arguments, arena_bytes)
        outputs = [DeviceBuffer(stream, t.nbytes) for t in self._signature.outputs]
        memory = DeviceBuffer(stream, size)  # the arena, and the arguments from the host behind it
        bases = [self._base(a, memory.address + offset) for a, offset in zip(arguments, offsets, strict=True)]
        bases += [*[b.address for b in outputs], memory.address]
        workers = POOL.take(max(program.worker_bytes * worker_count(), 64)) if program.worker_bytes else None
        staging = pinned_pool(prepared.device).take(program.staging_bytes) if program.staging_bytes else None
        bases += [block.address if block is not None else 0 for block in (workers, staging)]
        executable.counts.calls += 1
        frame = prepared.entry.take_frame([*bases, *prepared.constants])
        try:
            executable.run_frame(prepared, frame, stream)
        finally:
            prepared.entry.frames.append(frame)
            if workers is not None:
                POOL.give(workers)
            if staging is not None:
                pinned_pool(prepared.device).give(staging, stream)
        pairs = zip(outputs, self._signature.outputs, strict=True)
        return [DeviceArray(buffer, t.shape, t.dtype) for buffer, t in pairs]

    def _base(self, argument: HostArray | DeviceArray, place: int) -> int:
        """The address of an argument; one from the host is copied to `place`."""
        if isinstance(argument, DeviceArray):
            return argument.acquire(self._stream)
        upload(argument, place, self._stream)
        return place

    def _unshared(self, arguments: list[HostArray | DeviceArray]) -> list[HostArray | DeviceArray]:
        """The arguments, copied on the device where kernels could not use them as they are."""
        donated = self._signature.donated
        result = list(arguments)
        for i, argument in enumerate(arguments):
            if not isinstance(argument, DeviceArray):
                continue
            reason = None
            if argument.buffer.address % ALIGNMENT:
                reason = f"not at a multiple of {ALIGNMENT} bytes"
            elif i in donated:
                reason = _overlap(i, arguments)
            if reason is not None:
                self._executable.remark(f"argument {i} is {reason}: copied")
                result[i] = argument.copied()
            elif i in donated:
                argument.overwritten()
        return result


def _layout(arguments: Sequence[HostArray | DeviceArray], start: int) -> tuple[list[int], int]:
    """(where each argument from the host goes behind `start` bytes, the size of all)."""
    offsets: list[int] = []
    for argument in arguments:
        start = -(-start // _GAP) * _GAP
        offsets.append(start)
        if not isinstance(argument, DeviceArray):
            start += argument.nbytes
    return offsets, start


def _overlap(i: int, arguments: Sequence[HostArray | DeviceArray]) -> str | None:
    """Why a donated argument may not be overwritten, if so."""
    mine = arguments[i]
    assert isinstance(mine, DeviceArray)
    for j, other in enumerate(arguments):
        if j != i and isinstance(other, DeviceArray) and _touch(mine.buffer, other.buffer):
            return f"donated but overlaps argument {j}"
    return None


def _touch(a: Buffer, b: Buffer) -> bool:
    return a.address < b.address + b.size and b.address < a.address + a.size
