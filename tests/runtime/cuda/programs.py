"""Small programs of the runtime, and the kernels they launch on the fake driver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from fake_driver import FakeDriver

from stepwell.runtime.cuda.executable import CudaExecutable
from stepwell.runtime.cuda.program import Block, Buffer, Function, Launch, Program
from stepwell.runtime.executable import ArrayType, Signature

IMAGE = b"//\n.entry double 2\n.entry add 3\n.entry fill 1\n"
N = 8


def install(fake: FakeDriver) -> None:
    """The kernels of `IMAGE`, on N floats each."""

    def double(memory: Any, grid: int, block: int, shared: int, pointers: Sequence[int]) -> None:
        memory(pointers[1], (N,))[:] = memory(pointers[0], (N,)) * 2

    def add(memory: Any, grid: int, block: int, shared: int, pointers: Sequence[int]) -> None:
        memory(pointers[2], (N,))[:] = memory(pointers[0], (N,)) + memory(pointers[1], (N,))

    def fill(memory: Any, grid: int, block: int, shared: int, pointers: Sequence[int]) -> None:
        memory(pointers[0], (N,))[:] = grid

    fake.kernels |= {"double": double, "add": add, "fill": fill}


def launch(name: str, *arguments: Buffer, grid: int = 1, shared: int = 0) -> Launch:
    """A launch of a kernel of `IMAGE`."""
    return Launch(("k", name), grid, 32, shared, arguments)


def floats(count: int = N) -> ArrayType:
    """An argument or result."""
    return ArrayType((count,), np.dtype(np.float32))


def executable(
    body: Block,
    *,
    inputs: int = 1,
    outputs: int = 1,
    registers: int = 0,
    donated: tuple[int, ...] = (),
    functions: dict[str, Function] | None = None,
    constants: tuple[np.ndarray[Any, Any], ...] = (),
    arena_bytes: int = 0,
    staging_bytes: int = 0,
    worker_bytes: int = 0,
    image: bytes = IMAGE,
    **options: Any,
) -> CudaExecutable:
    """An executable on arrays of N floats; slots are inputs, outputs, arena, workers, staging."""
    entry = Function(("device",) * (inputs + outputs + 1) + ("host", "host"), body, registers)
    program = Program("main", {"main": entry, **(functions or {})}, constants, arena_bytes, worker_bytes, staging_bytes)
    signature = Signature((floats(),) * inputs, (floats(),) * outputs, donated)
    return CudaExecutable(signature, program, {"k": image}, **options)


def ramp(start: float = 0) -> np.ndarray[Any, Any]:
    """N floats."""
    return np.arange(start, start + N, dtype=np.float32)
