"""What a GPU executable runs, as data: the host function of step 6 without its IR.

`stepwell.gpu_program.program_of(module)` makes a `Program` of a module; `executor.py` runs it. A function has buffer arguments
(device or host memory) in slots and scalar registers. A scalar is its bits, as an unsigned int, whatever its type.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

Space: TypeAlias = Literal["device", "host"]
"""Where the memory of a function's argument is; constants are on the device."""


@dataclass(frozen=True)
class Buffer:
    """An address: `offset` bytes into argument `slot` of the function, or into constant `slot` of the program."""

    slot: int
    offset: int = 0
    constant: bool = False


@dataclass(frozen=True)
class Register:
    """A scalar of a running function."""

    index: int


Operand: TypeAlias = Register | int
"""A scalar: a register, or the bits themselves."""


@dataclass(frozen=True)
class Launch:
    """Run a kernel, (module, function), with one address per argument."""

    kernel: tuple[str, str]
    grid: int
    block: int
    shared: int
    arguments: tuple[Buffer, ...]


@dataclass(frozen=True)
class Copy:
    """Copy `height` rows of `width` bytes, `*_pitch` bytes apart; one row is a plain copy."""

    target: Buffer
    source: Buffer
    width: int
    height: int = 1
    target_pitch: int = 0
    source_pitch: int = 0


@dataclass(frozen=True)
class Fill:
    """Store a scalar of `size` bytes in `height` rows of `width` scalars, `pitch` bytes apart, of device memory."""

    value: Operand
    target: Buffer
    size: int
    width: int
    height: int = 1
    pitch: int = 0


@dataclass(frozen=True)
class HostCall:
    """Run a kernel of the host, on host memory, when all copies to the host are done."""

    kernel: str
    arguments: tuple[Buffer, ...]


@dataclass(frozen=True)
class Load:
    """Read `size` bytes of host memory into a register."""

    result: Register
    source: Buffer
    size: int


@dataclass(frozen=True)
class Store:
    """Write a scalar of `size` bytes to host memory."""

    value: Operand
    target: Buffer
    size: int


@dataclass(frozen=True)
class Compute:
    """`result = op(operands)` on integers of `bits` bits; `op` is a key of `scalars.OPERATIONS`."""

    result: Register
    op: str
    operands: tuple[Operand, ...]
    bits: int


@dataclass(frozen=True)
class Assign:
    """Copy scalars into registers, all at once."""

    results: tuple[Register, ...]
    values: tuple[Operand, ...]


@dataclass(frozen=True)
class If:
    """Run `then` where the condition is not 0, else `otherwise`."""

    condition: Operand
    then: Block
    otherwise: Block = ()


@dataclass(frozen=True)
class Switch:
    """Run the block of the case that the selector equals, else the default."""

    selector: Operand
    cases: tuple[tuple[int, Block], ...]
    default: Block


@dataclass(frozen=True)
class While:
    """Run `before`; where the condition then is not 0, run `body` and start again."""

    before: Block
    condition: Operand
    body: Block


@dataclass(frozen=True)
class For:
    """Run `body` with `iv` = lower, lower + step, ... below upper (signed)."""

    iv: Register
    lower: Operand
    upper: Operand
    step: Operand
    body: Block


@dataclass(frozen=True)
class Call:
    """Run a function of the program on buffers."""

    function: str
    arguments: tuple[Buffer, ...]


Instruction: TypeAlias = (
    Launch | Copy | Fill | HostCall | Load | Store | Compute | Assign | If | Switch | While | For | Call
)  # fmt: skip
Block: TypeAlias = tuple[Instruction, ...]


@dataclass(frozen=True)
class Function:
    """Its arguments' memory, how many registers it needs, and what it does."""

    arguments: tuple[Space, ...]
    body: Block
    registers: int = 0


@dataclass(frozen=True)
class Program:
    """The functions by name; `entry` takes inputs, outputs, arena, workers (host) and staging (host).

    Attributes:
        entry: the name of the function to run.
        functions: every function it may call, itself included.
        constants: what each constant holds, in order.
        arena_bytes: device memory for temporaries of a call.
        worker_bytes: host memory for each worker of a host kernel.
        staging_bytes: host memory that is copied to and from.
    """

    entry: str
    functions: dict[str, Function]
    constants: tuple[np.ndarray[Any, Any], ...] = field(default=(), compare=False)
    arena_bytes: int = 0
    worker_bytes: int = 0
    staging_bytes: int = 0

    def instructions(self) -> Iterator[Instruction]:
        """All instructions, nested ones included, in order."""
        for function in self.functions.values():
            yield from walk(function.body)

    @property
    def kernels(self) -> tuple[tuple[str, str], ...]:
        """The kernels it launches, (module, function), each once."""
        return tuple(dict.fromkeys(i.kernel for i in self.instructions() if isinstance(i, Launch)))

    @property
    def host_kernels(self) -> tuple[str, ...]:
        """The kernels it runs on the host, each once."""
        return tuple(dict.fromkeys(i.kernel for i in self.instructions() if isinstance(i, HostCall)))

    @property
    def straight(self) -> bool:
        """Whether the entry only launches, copies and fills within the device, so that a CUDA graph can hold it."""
        entry = self.functions[self.entry]
        return all(_stays_on_device(entry, i) for i in entry.body)


def _stays_on_device(function: Function, instruction: Instruction) -> bool:
    if isinstance(instruction, Copy):
        return all(
            b.constant or function.arguments[b.slot] == "device" for b in (instruction.target, instruction.source)
        )
    if isinstance(instruction, Fill):
        return not isinstance(instruction.value, Register)
    return isinstance(instruction, Launch)


def walk(block: Block) -> Iterator[Instruction]:
    """The instructions of a block and of the blocks inside them."""
    for instruction in block:
        yield instruction
        for inner in _blocks(instruction):
            yield from walk(inner)


def _blocks(instruction: Instruction) -> tuple[Block, ...]:
    match instruction:
        case If():
            return (instruction.then, instruction.otherwise)
        case Switch():
            return (*(block for _, block in instruction.cases), instruction.default)
        case While():
            return (instruction.before, instruction.body)
        case For():
            return (instruction.body,)
        case _:
            return ()
