"""`CudaExecutable`: a program compiled for a GPU, called with arrays.

A call uploads the NumPy arrays among its arguments, uses arrays on its device in place, and returns as soon as all work is on its way.
Each call has its own memory, taken and given back in the order of the calling thread's stream, so several threads may call at once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stepwell.ir.errors import InvalidProgramError
from stepwell.runtime.arguments import ArrayType, canonical_bools, check_count, check_out, prepare
from stepwell.runtime.cuda.array import DeviceArray, from_dlpack, on_gpu
from stepwell.runtime.cuda.device import ALIGNMENT, Device, Stream, device
from stepwell.runtime.cuda.errors import WrongDeviceError
from stepwell.runtime.cuda.executor import CallState, Frame, PreparedProgram
from stepwell.runtime.cuda.graph import FEWEST, FrameGraphs
from stepwell.runtime.cuda.memory import DeviceBuffer, pinned_pool, upload
from stepwell.runtime.cuda.program import Program
from stepwell.runtime.cuda.recording import Recorder
from stepwell.runtime.executable import Executable, Signature
from stepwell.runtime.memory import POOL
from stepwell.runtime.pool import worker_count
from stepwell.runtime.profiler import Recording

HostArray = np.ndarray[Any, Any]

_GAP = 256
"""Uploaded arguments start at multiples of this in a call's memory."""


SYNCHRONOUS = "STEPWELL_CUDA_SYNC"
"""Set to 1, programs wait for each kernel and copy, so that an error names the one that failed."""


def is_synchronous() -> bool:
    """Whether programs that are loaded now wait for each thing they start."""
    return os.environ.get(SYNCHRONOUS, "0") not in ("", "0")


@dataclass(frozen=True)
class Recorded:
    """What `CudaExecutable.record` saw: the times, what each of their sites is, and the results of the last call."""

    recording: Recording
    names: tuple[str, ...]
    results: tuple[DeviceArray, ...]


class Counts:
    """How often things happened; tests and profiles read them."""

    def __init__(self) -> None:
        self.calls = 0
        self.captures = 0
        self.replays = 0


class CudaExecutable(Executable):
    """A program on one GPU; the device is opened and the kernels are loaded at the first call.

    Attributes:
        counts: calls, how many of them captured a CUDA graph, and how many replayed one.
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
        self._ready_program: PreparedProgram | None = None
        self._may_graph = program.straight and len(program.functions[program.entry].body) >= FEWEST
        self._graphs = self._may_graph

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
        prepared = self._ready_program
        if prepared is None or not prepared.device.alive:
            with self._lock:
                prepared = self._ready_program
                if prepared is None or not prepared.device.alive:
                    where = device(self._ordinal)
                    waits = is_synchronous()
                    self._graphs = self._may_graph and not waits
                    prepared = PreparedProgram(self.program, where, self._images, self._host_kernels, waits)
                    self._ready_program = prepared
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
        targets = None
        if out is not None:
            targets = check_out(out, self.signature.outputs, [a for a in found if isinstance(a, np.ndarray)])
        if self.signature.donated:
            self._give_away(found)
        with prepared.device.current:
            results = self._run_on(prepared, found)
        if targets is None:
            return tuple(results) if self._wrap is None else tuple([self._wrap(r) for r in results])
        for result, target in zip(results, targets, strict=True):
            result.copy_to(target)
        return tuple(targets)

    def record(self, arrays: Sequence[Any], repeat: int) -> Recorded:
        """Call so often, after once to warm up, and record when each kernel, copy and fill runs.

        The kernels are loaded again, with events around each launch; donated arguments keep their contents.

        Raises:
            InvalidProgramError, CudaError: as a call.
        """
        check_count(len(arrays), self.signature.inputs)
        where = device(self._ordinal)
        recorder = Recorder(where)
        prepared = PreparedProgram(self.program, where, self._images, self._host_kernels, recorder=recorder)
        results: list[DeviceArray] = []

        def call() -> None:
            found = [self._argument(i, v, where) for i, v in enumerate(arrays)]
            for i in self.signature.donated:
                mine = found[i]
                found[i] = mine.copied() if isinstance(mine, DeviceArray) else mine
            results[:] = self._run_on(prepared, found)

        with where.current:
            for number in range(repeat + 1):
                recorder.record(where.stream(), call)
                if not number:
                    recorder.clear()
        return Recorded(recorder.recording(), tuple(recorder.names), tuple(results))

    def _inputs(self, arrays: Sequence[Any]) -> Any:
        """As they are: they are checked where they are used."""
        return arrays

    def _argument(self, i: int, value: Any, where: Device) -> HostArray | DeviceArray:
        """Argument `i` checked: on this device, where kernels can use it, or a NumPy array to upload."""
        if type(value) is not DeviceArray:
            raw = getattr(value, "raw", None)
            if callable(raw):  # stepwell.Array
                value = raw()
        want = self.signature.inputs[i]
        if type(value) is not DeviceArray:
            if not on_gpu(value):
                array = prepare(i, value, want, False, self._remark)
                return canonical_bools(i, array, self._remark) if want.dtype == np.bool_ else array
            value = _foreign(i, value, where)
        buffer = value.buffer
        if buffer.device is not where:
            raise _elsewhere(i, value.device, where)
        if value.dtype != want.dtype or value.shape != want.shape:
            got = ArrayType(value.shape, value.dtype)
            raise InvalidProgramError(f"argument {i} must be {want}, got {got} on {value.device}")
        if buffer.address % ALIGNMENT:
            self._remark(f"argument {i} is not at a multiple of {ALIGNMENT} bytes: copied")
            return value.copied()
        return value

    def _give_away(self, arguments: list[HostArray | DeviceArray]) -> None:
        """Replace donated arguments that must keep their contents by copies; the others lose theirs."""
        for i in self.signature.donated:
            mine = arguments[i]
            if not isinstance(mine, DeviceArray):
                continue  # its upload is ours already
            other = _overlapped(i, mine, arguments)
            if other is None:
                mine.overwritten()
            else:
                self._remark(f"argument {i} is donated but overlaps argument {other}: copied")
                arguments[i] = mine.copied()

    def _run_on(self, prepared: PreparedProgram, arguments: Sequence[HostArray | DeviceArray]) -> list[DeviceArray]:
        """Put a call's work on the thread's stream; the results may still be on their way."""
        program, where = self.program, prepared.device
        stream = where.stream()
        size, bases, uploads = program.arena_bytes, [], []
        for argument in arguments:
            if isinstance(argument, DeviceArray):
                bases.append(argument.buffer.acquire(stream))
                continue
            size = -(-size // _GAP) * _GAP  # arguments from the host go behind the arena
            uploads.append((len(bases), size, argument))
            bases.append(0)
            size += argument.nbytes
        outputs = [DeviceBuffer(stream, t.nbytes) for t in self.signature.outputs]
        memory = DeviceBuffer(stream, size) if size else None
        start = memory.address if memory is not None else 0
        for position, offset, array in uploads:
            upload(array, start + offset, stream)
            bases[position] = start + offset
        bases += [buffer.address for buffer in outputs]
        bases.append(start)
        workers = POOL.take(program.worker_bytes * worker_count()) if program.worker_bytes else None
        staging = pinned_pool(where).take(program.staging_bytes) if program.staging_bytes else None
        bases += (workers.address if workers is not None else 0, staging.address if staging is not None else 0)
        self.counts.calls += 1
        frame = prepared.entry.take_frame(bases + prepared.constants)
        try:
            self._run_frame(prepared, frame, stream)
        finally:
            prepared.entry.frames.append(frame)
            if workers is not None:
                POOL.give(workers)
            if staging is not None:
                pinned_pool(where).give(staging, stream)
        if memory is not None:
            memory.release()
        return [DeviceArray(b, t.shape, t.dtype) for b, t in zip(outputs, self.signature.outputs, strict=True)]

    def _run_frame(self, prepared: PreparedProgram, frame: Frame, stream: Stream) -> None:
        """Issue the entry's work: as a graph where that pays."""
        if self._graphs and prepared.recorder is None:
            graphs: FrameGraphs | None = frame.graphs
            if graphs is None:
                graphs = frame.graphs = FrameGraphs(prepared.device)
            captures = graphs.captures
            if graphs.launch(frame, prepared, stream):
                self.counts.captures += graphs.captures - captures
                self.counts.replays += graphs.captures == captures
                return
        prepared.entry.run_frame(frame, CallState(stream, prepared.constants))


def _foreign(i: int, value: Any, where: Device) -> DeviceArray:
    """Another library's array; one of another device is not touched."""
    name = f"cuda:{value.__dlpack_device__()[1]}"
    if name != str(where):
        raise _elsewhere(i, name, where)
    return from_dlpack(value)


def _elsewhere(i: int, name: str, where: Device) -> WrongDeviceError:
    return WrongDeviceError(
        f"argument {i} is on {name}, the program runs on {where}; move it with stepwell.device_put(x, '{where}')"
    )


def _overlapped(i: int, mine: DeviceArray, arguments: Sequence[HostArray | DeviceArray]) -> int | None:
    """Which other argument the memory of argument `i` is also part of."""
    for j, other in enumerate(arguments):
        if j != i and isinstance(other, DeviceArray) and mine.overlaps(other):
            return j
    return None
