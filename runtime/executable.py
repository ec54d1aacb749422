"""`Executable`: a compiled program that is called with arrays.

Arguments are checked (count, shape, dtype), copied only when not contiguous or not aligned to their elements; results
are NumPy arrays over pooled buffers. A call is exactly one foreign call, releases the GIL, and has its own
arena, so several threads may call at once.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from stepwell.ir.errors import CompileError, InvalidProgramError
from stepwell.runtime.memory import POOL, Block, pooled_array

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ArrayType:
    """Shape and dtype of one argument or result."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return f"{self.dtype.name}[{'x'.join(str(d) for d in self.shape)}]"

    @property
    def nbytes(self) -> int:
        """Bytes of such an array."""
        return prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Signature:
    """How the native entry is called: argument and result types, then an arena and one slab row per worker."""

    inputs: tuple[ArrayType, ...]
    outputs: tuple[ArrayType, ...]
    donated: tuple[int, ...] = ()
    arena_bytes: int = 0
    worker_bytes: int = 0


Runner = Callable[[Sequence[Array], Sequence[Array]], None]
"""Runs on checked, contiguous inputs and writes the outputs."""


class _Frame:
    """The pointer array of one call in flight, and its arena; reused by later calls."""

    __slots__ = ("address", "arena", "pointers", "workers")

    def __init__(self, signature: Signature, worker_count: int):
        count = len(signature.inputs) + len(signature.outputs) + 2
        self.pointers = (ctypes.c_void_p * count)()
        self.address = ctypes.addressof(self.pointers)
        self.arena: Block = POOL.take(max(signature.arena_bytes, 64))
        self.workers: Block = POOL.take(max(signature.worker_bytes * worker_count, 64))
        self.pointers[count - 2] = self.arena.address
        self.pointers[count - 1] = self.workers.address


class Executable:
    """A compiled program.

    Attributes:
        input_types: one `ArrayType` per argument.
        output_types: one `ArrayType` per result.
        remarks: what a user may want to know of past calls (an argument was copied, and why).
    """

    def __init__(
        self,
        signature: Signature,
        entry: Callable[[int], int] | None,
        *,
        runner: Runner | None = None,
        worker_count: int = 1,
        ir: Callable[[str], str] | None = None,
        asm: Callable[[], str] | None = None,
        keep_alive: Any = None,
    ):
        self.signature = signature
        self.remarks: list[str] = []
        self._entry = entry
        self._runner = runner
        self._worker_count = worker_count
        self._ir = ir
        self._asm = asm
        self._keep_alive = keep_alive
        self._frames: list[_Frame] = []
        self._lock = threading.Lock()
        self._expected = [(t.shape, t.dtype) for t in signature.inputs]
        self._results = [(t.shape, t.dtype, t.nbytes) for t in signature.outputs]

    @property
    def input_types(self) -> tuple[ArrayType, ...]:
        """One `ArrayType` per argument."""
        return self.signature.inputs

    @property
    def output_types(self) -> tuple[ArrayType, ...]:
        """One `ArrayType` per result."""
        return self.signature.outputs

    def ir(self, step: str) -> str:
        """The program at a step ("tensor" ... "device"), or as "llvm", as text."""
        if self._ir is None:
            raise CompileError("this executable keeps no IR")
        return self._ir(step)

    def asm(self) -> str:
        """The assembly of the program."""
        if self._asm is None:
            raise CompileError("this executable has no assembly")
        return self._asm()

    def __repr__(self) -> str:
        inputs = ", ".join(str(t) for t in self.input_types)
        outputs = ", ".join(str(t) for t in self.output_types)
        return f"<stepwell.Executable ({inputs}) -> ({outputs})>"

    def __call__(self, *arrays: Any, out: Sequence[Array] | None = None) -> tuple[Array, ...]:
        """Run on `arrays`.

        Args:
            *arrays: one per argument; NumPy arrays, or what `numpy.asarray` takes.
            out: preallocated results, C-contiguous, of the right shapes and dtypes, not overlapping the arguments.

        Returns:
            The results, as a tuple of NumPy arrays.

        Raises:
            InvalidProgramError: wrong count, shape or dtype, or results that do not fit in memory.
        """
        expected = self._expected
        if len(arrays) != len(expected):
            raise InvalidProgramError(f"the program takes {len(expected)} arguments, got {len(arrays)}")
        inputs: list[Array] = []
        addresses: list[int] = []
        for i, (array, (shape, dtype)) in enumerate(zip(arrays, expected, strict=True)):
            if type(array) is not np.ndarray or array.dtype != dtype or array.shape != shape or not array.flags.carray:
                array = self._prepared(i, array)
            inputs.append(array)
            addresses.append(array.__array_interface__["data"][0])
        try:
            if out is None:
                made = [pooled_array(*result) for result in self._results]
                outputs = [array for array, _ in made]
                out_addresses = [address for _, address in made]
            else:
                outputs = self._checked_out(out, inputs)
                out_addresses = [array.__array_interface__["data"][0] for array in outputs]
            self._run(inputs, addresses, outputs, out_addresses)
        except MemoryError as error:
            raise InvalidProgramError(f"the program needs more memory than there is: {error}") from None
        return tuple(outputs)

    def _run(self, inputs: list[Array], addresses: list[int], outputs: list[Array], out_addresses: list[int]) -> None:
        if self._runner is not None:
            self._runner(inputs, outputs)
            return
        assert self._entry is not None
        frame = self._take_frame()
        pointers = frame.pointers
        for i, address in enumerate(addresses + out_addresses):
            pointers[i] = address
        status = self._entry(frame.address)
        with self._lock:
            self._frames.append(frame)
        if status:
            raise CompileError(f"the program stopped with status {status}")

    def _take_frame(self) -> _Frame:
        with self._lock:
            if self._frames:
                return self._frames.pop()
        return _Frame(self.signature, self._worker_count)

    def __del__(self) -> None:
        for frame in self._frames:
            POOL.give(frame.arena)
            POOL.give(frame.workers)
        self._frames = []

    def _prepared(self, i: int, value: Any) -> Array:
        """Argument `i` as a C-contiguous, aligned array of its type, copied when it must be."""
        want = self.signature.inputs[i]
        array = value if isinstance(value, np.ndarray) else np.asarray(value)
        if not isinstance(value, np.ndarray) and isinstance(value, bool | int | float | complex):
            array = np.asarray(value, want.dtype)
        if array.dtype != want.dtype or array.shape != want.shape:
            got = ArrayType(tuple(array.shape), array.dtype)
            raise InvalidProgramError(f"argument {i} must be {want}, got {got}")
        if not (array.flags.c_contiguous and array.flags.aligned):
            reason = "not contiguous" if not array.flags.c_contiguous else "not aligned"
            self._remark(f"argument {i} is {reason}: copied")
            array = np.array(array, order="C", copy=True)
        elif i in self.signature.donated and not array.flags.writeable:
            self._remark(f"argument {i} is donated but read-only: copied")
            array = array.copy()
        return array

    def _remark(self, text: str) -> None:
        if text not in self.remarks:
            self.remarks.append(text)

    def _checked_out(self, out: Sequence[Array], inputs: Sequence[Array]) -> list[Array]:
        types = self.signature.outputs
        if len(out) != len(types):
            raise InvalidProgramError(f"the program has {len(types)} results, got {len(out)} arrays in out")
        for i, (array, want) in enumerate(zip(out, types, strict=True)):
            if array.dtype != want.dtype or array.shape != want.shape:
                raise InvalidProgramError(f"out[{i}] must be {want}, got {ArrayType(array.shape, array.dtype)}")
            if not (array.flags.c_contiguous and array.flags.aligned and array.flags.writeable):
                raise InvalidProgramError(f"out[{i}] must be C-contiguous, aligned and writable")
            for label, others in (("argument", inputs), ("out", out[:i])):
                for j, other in enumerate(others):
                    if np.may_share_memory(array, other):
                        raise InvalidProgramError(f"out[{i}] overlaps {label} {j}")
        return list(out)
