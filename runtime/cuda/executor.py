"""Running a `Program` on a device: everything that does not change from call to call is prepared once.

The addresses a function uses are all known when it starts: each is an argument or a constant plus an offset. One vector operation makes
them for a call, in the very memory that the driver reads kernel arguments from, so a launch is one driver call and loops repeat it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stepwell.runtime.cuda.device import Device, Stream
from stepwell.runtime.cuda.driver import checked, failure
from stepwell.runtime.cuda.fill import filler
from stepwell.runtime.cuda.memory import DeviceBuffer, upload
from stepwell.runtime.cuda.modules import Module
from stepwell.runtime.cuda.program import (
    Assign,
    Block,
    Buffer,
    Call,
    Compute,
    Copy,
    Fill,
    For,
    Function,
    HostCall,
    If,
    Instruction,
    Launch,
    Load,
    Operand,
    Program,
    Register,
    Store,
    Switch,
    While,
)
from stepwell.runtime.cuda.recording import Recorder
from stepwell.runtime.cuda.scalars import operation, signed

Addresses = np.ndarray[Any, np.dtype[np.uint64]]
Step = Callable[["Activation"], None]
"""One prepared instruction."""

INDEX_BITS = 64


class CallState:
    """What the functions of one call share.

    `unread`: copies from host memory are on their way, and must be done before the host writes there; `arriving`: copies to
    host memory are, and must be done before it reads or writes.
    """

    __slots__ = ("arriving", "constants", "stream", "unread")

    def __init__(self, stream: Stream, constants: Sequence[int]):
        self.stream = stream
        self.constants = constants
        self.arriving = False
        self.unread = False

    def before_host_reads(self) -> None:
        """Wait if a copy may still write what the host is about to read."""
        if self.arriving:
            self._settle()

    def before_host_writes(self) -> None:
        """Wait if a copy may still read or write where the host is about to write."""
        if self.unread or self.arriving:
            self._settle()

    def _settle(self) -> None:
        self.stream.synchronize("wait for a kernel or a copy")
        self.arriving = self.unread = False


class Frame:
    """Memory for the addresses of one running function, as numbers and as the driver's array of pointers to arguments."""

    __slots__ = ("bases", "graphs", "parameters", "pointers", "values")

    def __init__(self, count: int):
        self.values: Addresses = np.zeros(max(count, 1), np.uint64)
        self.pointers: Addresses = np.arange(len(self.values), dtype=np.uint64) * np.uint64(8)
        self.pointers += np.uint64(self.values.ctypes.data)
        self.parameters = self.pointers.ctypes.data
        self.bases: list[int] = []
        self.graphs: Any = None  # what replays it, set by who captures


class Activation:
    """A function that is running: its frame, its registers, and its addresses as ints."""

    __slots__ = ("addresses", "frame", "registers", "state", "stream")

    def __init__(self, frame: Frame, registers: int, state: CallState):
        self.frame = frame
        self.addresses: list[int] = frame.values.tolist()
        self.registers = [0] * registers
        self.state = state
        self.stream = state.stream.handle

    def value(self, operand: Operand) -> int:
        """The bits of a scalar."""
        return self.registers[operand.index] if isinstance(operand, Register) else operand


@dataclass
class PreparedFunction:
    """A function whose kernels are loaded.

    Attributes:
        steps: what to do, in order.
        slots: for each address, where its base is among the arguments and then the constants.
        offsets: and how many bytes further.
        registers: how many scalars it has.
        frames: idle ones, reused.
    """

    steps: tuple[Step, ...] = ()
    slots: Any = None
    offsets: Any = None
    registers: int = 0
    frames: list[Frame] = field(default_factory=list[Frame])

    def take_frame(self, bases: list[int]) -> Frame:
        """A frame with the addresses that follow from those of arguments and constants."""
        try:
            frame = self.frames.pop()  # atomic, as append is
        except IndexError:
            frame = Frame(len(self.slots))
        if frame.bases != bases:
            frame.bases = bases
            if len(self.slots):
                np.take(np.array(bases, np.uint64), self.slots, out=frame.values)
                np.add(frame.values, self.offsets, out=frame.values)
        return frame

    def run(self, arguments: Sequence[int], state: CallState) -> None:
        """Run on these arguments' addresses."""
        frame = self.take_frame([*arguments, *state.constants])
        try:
            self.run_frame(frame, state)
        finally:
            self.frames.append(frame)  # the driver has copied what it needs of it

    def run_frame(self, frame: Frame, state: CallState) -> None:
        """Run on the addresses of a frame."""
        activation = Activation(frame, self.registers, state)
        for step in self.steps:
            step(activation)


class PreparedProgram:
    """A program on a device: kernels loaded, constants uploaded; `synchronous`: it waits for each thing it starts.

    `recorder`: it records when each of them runs.
    """

    def __init__(
        self,
        program: Program,
        device: Device,
        images: Mapping[str, bytes],
        host_kernels: Mapping[str, int],
        synchronous: bool = False,
        recorder: Recorder | None = None,
    ):
        self.program = program
        self.recorder = recorder
        self.synchronous = synchronous
        self.device = device
        shared: dict[tuple[str, str], int] = {}
        for instruction in program.instructions():
            if isinstance(instruction, Launch):
                shared[instruction.kernel] = max(shared.get(instruction.kernel, 0), instruction.shared)
        self._modules = {name: Module(device, name, images[name]) for name in dict.fromkeys(m for m, _ in shared)}
        self.kernels = {key: self._modules[key[0]].function(key[1], most) for key, most in shared.items()}
        self.host_kernels = host_kernels
        self._constants = [self._uploaded(array) for array in program.constants]
        self.constants = [buffer.address for buffer in self._constants]
        self.functions = {name: PreparedFunction() for name in program.functions}
        for name, function in program.functions.items():
            _Preparation(self, function, self.functions[name]).finish()
        self.entry = self.functions[program.entry]

    def _uploaded(self, array: np.ndarray[Any, Any]) -> DeviceBuffer:
        stream = self.device.stream()
        with self.device.current:
            buffer = DeviceBuffer(stream, array.nbytes)
            upload(np.ascontiguousarray(array), buffer.address, stream)
            stream.synchronize(f"copy a constant to {self.device}")  # every stream may read it from now on
        return buffer


class _Preparation:
    """Makes the steps of one function; each address it uses gets a place in the frame."""

    def __init__(self, program: PreparedProgram, function: Function, result: PreparedFunction):
        self._program = program
        self._function = function
        self._result = result
        self._slots: list[int] = []
        self._offsets: list[int] = []
        self._api = program.device.api

    def finish(self) -> None:
        result = self._result
        result.steps = self._block(self._function.body)
        result.registers = self._function.registers
        result.slots = np.array(self._slots, np.intp)
        result.offsets = np.array(self._offsets, np.uint64)

    def _place(self, *buffers: Buffer) -> int:
        """Where the addresses of these buffers begin in the frame."""
        first = len(self._slots)
        for buffer in buffers:
            self._slots.append(buffer.slot + (len(self._function.arguments) if buffer.constant else 0))
            self._offsets.append(buffer.offset)
        return first

    def _on_host(self, buffer: Buffer) -> bool:
        return not buffer.constant and self._function.arguments[buffer.slot] == "host"

    def _block(self, block: Block) -> tuple[Step, ...]:
        return tuple([self._step(instruction) for instruction in block])

    def _step(self, instruction: Instruction) -> Step:
        step: Step = getattr(self, "_" + type(instruction).__name__.lower())(instruction)
        if self._program.recorder is not None:
            step = self._program.recorder.around(instruction, step)
        if not self._program.synchronous or not isinstance(instruction, Launch | Copy | Fill):
            return step
        name = f"kernel '{'::'.join(instruction.kernel)}'" if isinstance(instruction, Launch) else "a copy or a fill"

        def run(a: Activation) -> None:
            step(a)
            a.state.stream.synchronize(f"finish {name}")

        return run

    # The device ---------------------------------------------------------------------------------------------------

    def _launch(self, launch: Launch) -> Step:
        api, call = self._api, self._api.cuLaunchKernel
        function = self._program.kernels[launch.kernel]
        first = 8 * self._place(*launch.arguments)
        grid, block, shared = launch.grid, launch.block, launch.shared
        doing = f"launch kernel '{'::'.join(launch.kernel)}' with {grid} blocks of {block} threads"

        def run(a: Activation) -> None:
            parameters = a.frame.parameters + first
            status = call(function, grid, 1, 1, block, 1, 1, shared, a.stream, parameters, 0)[0]
            if status:
                raise failure(api, status, doing)

        return run

    def _copy(self, copy: Copy) -> Step:
        to_host, from_host = self._on_host(copy.target), self._on_host(copy.source)
        place = self._place(copy.target, copy.source)
        move = self._rows(copy, to_host, from_host) if copy.height != 1 else self._bytes(copy, to_host, from_host)

        def run(a: Activation) -> None:
            if to_host and from_host:
                a.state.before_host_writes()
            move(a.addresses[place], a.addresses[place + 1], a)
            if to_host != from_host:
                a.state.arriving |= to_host
                a.state.unread |= from_host

        return run

    def _bytes(self, copy: Copy, to_host: bool, from_host: bool) -> Callable[[int, int, Activation], None]:
        """A copy of one piece."""
        api, size = self._api, copy.width
        if to_host and from_host:

            def move_on_host(target: int, source: int, a: Activation) -> None:
                ctypes.memmove(target, source, size)

            return move_on_host
        name = "cuMemcpyDtoHAsync" if to_host else "cuMemcpyHtoDAsync" if from_host else "cuMemcpyDtoDAsync"
        call, doing = getattr(api, name), f"copy {size} bytes"

        def move(target: int, source: int, a: Activation) -> None:
            status = call(target, source, size, a.stream)[0]
            if status:
                raise failure(api, status, doing)

        return move

    def _rows(self, copy: Copy, to_host: bool, from_host: bool) -> Callable[[int, int, Activation], None]:
        """A copy of rows."""
        api = self._api
        if to_host and from_host:

            def move_on_host(target: int, source: int, a: Activation) -> None:
                for i in range(copy.height):
                    ctypes.memmove(target + i * copy.target_pitch, source + i * copy.source_pitch, copy.width)

            return move_on_host

        def move(target: int, source: int, a: Activation) -> None:
            what = api.CUDA_MEMCPY2D()
            what.WidthInBytes, what.Height = copy.width, copy.height
            what.srcPitch, what.dstPitch = copy.source_pitch, copy.target_pitch
            kinds = api.CUmemorytype
            what.srcMemoryType = kinds.CU_MEMORYTYPE_HOST if from_host else kinds.CU_MEMORYTYPE_DEVICE
            what.dstMemoryType = kinds.CU_MEMORYTYPE_HOST if to_host else kinds.CU_MEMORYTYPE_DEVICE
            setattr(what, "srcHost" if from_host else "srcDevice", source)
            setattr(what, "dstHost" if to_host else "dstDevice", target)
            checked(api, api.cuMemcpy2DAsync(what, a.stream), f"copy {copy.height} rows of {copy.width} bytes")

        return move

    def _fill(self, fill: Fill) -> Step:
        place, value, size = self._place(fill.target), fill.value, fill.size
        store = filler(self._api, fill)

        def run(a: Activation) -> None:
            store(a.addresses[place], a.value(value).to_bytes(size, "little"), a.stream)

        return run

    # The host -----------------------------------------------------------------------------------------------------

    def _hostcall(self, call: HostCall) -> Step:
        count = len(call.arguments)
        place = self._place(*call.arguments)
        native = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * count)(self._program.host_kernels[call.kernel])

        def run(a: Activation) -> None:
            a.state.before_host_writes()
            native(*a.addresses[place : place + count])

        return run

    def _load(self, load: Load) -> Step:
        place, size, result = self._place(load.source), load.size, load.result.index

        def run(a: Activation) -> None:
            a.state.before_host_reads()
            a.registers[result] = int.from_bytes(ctypes.string_at(a.addresses[place], size), "little")

        return run

    def _store(self, store: Store) -> Step:
        place, size, value = self._place(store.target), store.size, store.value

        def run(a: Activation) -> None:
            a.state.before_host_writes()
            ctypes.memmove(a.addresses[place], a.value(value).to_bytes(size, "little"), size)

        return run

    # Scalars and control flow -------------------------------------------------------------------------------------

    def _compute(self, compute: Compute) -> Step:
        function, operands, bits = operation(compute.op), compute.operands, compute.bits
        result, mask = compute.result.index, (1 << bits) - 1

        def run(a: Activation) -> None:
            a.registers[result] = function(bits, *[a.value(o) for o in operands]) & mask

        return run

    def _assign(self, assign: Assign) -> Step:
        def run(a: Activation) -> None:
            values = [a.value(v) for v in assign.values]
            for register, value in zip(assign.results, values, strict=True):
                a.registers[register.index] = value

        return run

    def _if(self, branch: If) -> Step:
        then, otherwise = self._block(branch.then), self._block(branch.otherwise)

        def run(a: Activation) -> None:
            for step in then if a.value(branch.condition) else otherwise:
                step(a)

        return run

    def _switch(self, switch: Switch) -> Step:
        mask = (1 << INDEX_BITS) - 1
        blocks = {case & mask: self._block(block) for case, block in switch.cases}
        default = self._block(switch.default)

        def run(a: Activation) -> None:
            for step in blocks.get(a.value(switch.selector), default):
                step(a)

        return run

    def _while(self, loop: While) -> Step:
        before, body = self._block(loop.before), self._block(loop.body)

        def run(a: Activation) -> None:
            while True:
                for step in before:
                    step(a)
                if not a.value(loop.condition):
                    return
                for step in body:
                    step(a)

        return run

    def _for(self, loop: For) -> Step:
        body, mask = self._block(loop.body), (1 << INDEX_BITS) - 1

        def run(a: Activation) -> None:
            lower, upper, step_ = (signed(INDEX_BITS, a.value(o)) for o in (loop.lower, loop.upper, loop.step))
            for i in range(lower, upper, max(step_, 1)):
                a.registers[loop.iv.index] = i & mask
                for step in body:
                    step(a)

        return run

    def _call(self, call: Call) -> Step:
        place, count = self._place(*call.arguments), len(call.arguments)
        function = self._program.functions[call.function]

        def run(a: Activation) -> None:
            function.run(a.addresses[place : place + count], a.state)

        return run
