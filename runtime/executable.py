"""`Executable`: a compiled program that is called with arrays.

Arguments are checked and copied only where they must be (`runtime/arguments.py`); results are NumPy arrays over pooled
buffers. A call is exactly one foreign call, releases the GIL, and has its own arena, so several threads may call at once.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from stepwell.ir.errors import CompileError, InvalidProgramError, UnsupportedError
from stepwell.runtime.arguments import Array, ArrayType, canonical_bools, check_count, check_out, prepare, unshare
from stepwell.runtime.direct_calls import (
    ALIGNED,
    CONTIGUOUS,
    WRITEABLE,
    Plan,
    Wanted,
    direct_call,
    direct_call_into,
    layout_is_known,
    native_call,
)
from stepwell.runtime.guards import GuardPlan, run_guarded
from stepwell.runtime.memory import POOL, Block, address_of, pooled_array
from stepwell.runtime.results import Result

if TYPE_CHECKING:
    from concurrent.futures import Future

_DIRECT_BYTES = 1 << 20
"""Results up to so many bytes may be made before the arguments are looked at."""


@dataclass(frozen=True)
class Signature:
    """How the native entry is called: argument and result types, then an arena and one slab row per worker.

    Attributes:
        inputs, outputs: types.
        donated: positions of arguments that are overwritten.
        arena_bytes, worker_bytes: memory for temporaries, and scratch for each worker.
        guard: where memory is guarded, how.
        lower_bound_bytes: the least that any arena could need.
    """

    inputs: tuple[ArrayType, ...]
    outputs: tuple[ArrayType, ...]
    donated: tuple[int, ...] = ()
    arena_bytes: int = 0
    worker_bytes: int = 0
    guard: GuardPlan | None = None
    lower_bound_bytes: int = 0


Runner = Callable[[Sequence[Array], Sequence[Array]], None]
"""Runs on checked, contiguous inputs and writes the outputs."""


class _Frame:
    """The pointer array of one call in flight, and its arena; reused by later calls.

    The first word, at `base`, is for direct calls: the address of their plan. The pointers are from `address` on.
    """

    __slots__ = ("_give", "address", "arena", "base", "pointers", "results", "workers")

    def __init__(self, signature: Signature, worker_count: int, plan: int):
        self.results: list[Result] | None = None
        """Where direct calls with this frame have their results; made by the first of them."""
        self._give = POOL.give  # kept: the module may be gone when the interpreter ends
        count = 1 + len(signature.inputs) + len(signature.outputs) + 2
        self.pointers = (ctypes.c_void_p * count)(plan)
        self.base = ctypes.addressof(self.pointers)
        self.address = self.base + ctypes.sizeof(ctypes.c_void_p)
        self.arena: Block = POOL.take(max(signature.arena_bytes, 64))
        self.workers: Block = POOL.take(max(signature.worker_bytes * worker_count, 64))
        self.pointers[count - 2] = self.arena.address
        self.pointers[count - 1] = self.workers.address

    def __del__(self) -> None:
        for name in ("arena", "workers"):  # the second is missing when there was no memory for it
            block = getattr(self, name, None)
            if block is not None:
                self._give(block)


class Executable:
    """A compiled program.

    Attributes:
        input_types: one `ArrayType` per argument.
        output_types: one `ArrayType` per result.
        remarks: what a user may want to know of past calls (an argument was copied, and why).
        profiler: makes the build that `profile` runs; None where there is none.
    """

    profiler: Callable[[], Any] | None = None

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
        addresses: tuple[int, int, int] | None = None,
    ):
        """Make an executable of native code, or of a runner.

        Args:
            signature: how it is called.
            entry: calls the native code with the address of its pointers.
            runner: what runs instead of native code.
            worker_count: threads that need scratch.
            ir: the program at a step.
            asm: the program's assembly.
            keep_alive: what the native code is in.
            addresses: of the native entry, and of `stepwell_call` and `stepwell_call_into`, for calls that need no closer
                look at their arguments.
        """
        self.signature = signature
        self.remarks: list[str] = []
        self._entry = entry
        self._runner = runner
        self._worker_count = worker_count
        self._ir = ir
        self._asm = asm
        self._keep_alive = keep_alive
        self._frames: list[_Frame] = []
        self._profiled: Any = None
        self._measured: Callable[[], Mapping[str, float]] = dict
        needs = CONTIGUOUS | ALIGNED
        self._expected = [
            (t.shape, t.dtype, needs | WRITEABLE if i in signature.donated else needs)
            for i, t in enumerate(signature.inputs)
        ]
        self._donated = signature.donated if len(signature.inputs) > 1 else ()
        self._truths = tuple(
            i
            for i, t in enumerate(signature.inputs)
            if t.dtype == np.bool_ and (runner is not None or i in signature.donated)
        )
        """Arguments whose bytes must be 0 or 1: those NumPy computes with, or that a result may be made of."""
        self._careful = bool(self._donated or self._truths)
        self._results = [(t.shape, t.dtype, t.nbytes) for t in signature.outputs]
        self._plan: Plan | None = None
        self._direct: Callable[[tuple[Any, ...]], tuple[Array, ...] | None] | None = None
        self._direct_into: Callable[[tuple[Any, ...], tuple[Any, ...]], tuple[Array, ...] | None] | None = None
        if addresses is not None and self._may_be_direct():
            own = [Wanted(t.shape, t.dtype, needs | WRITEABLE) for t in signature.outputs]
            self._plan = Plan(addresses[0], [Wanted(*one) for one in self._expected], own)
            self._direct_into = direct_call_into(native_call(addresses[2]), self._frames)
            if sum(size for _, _, size in self._results) <= _DIRECT_BYTES:
                self._direct = direct_call(native_call(addresses[1]), self._results, self._frames)

    def _may_be_direct(self) -> bool:
        """Whether arguments that are what they should be need no other look."""
        return self.signature.guard is None and not self._careful and layout_is_known()

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

    @property
    def timings(self) -> dict[str, float]:
        """CPU seconds of each pass and stage when the program was compiled, in order; none where nobody measured."""
        return dict(self._measured())

    def measured_by(self, timings: Callable[[], Mapping[str, float]]) -> None:
        """Say who knows the `timings`."""
        self._measured = timings

    def profile(self, *arrays: Any, repeat: int = 10) -> Any:
        """Call the program `repeat` times and measure its kernels (docs/explain.md).

        What runs is another build, whose host reads the clock around each launch: the executable itself has nothing of it.

        Args:
            *arrays: one per argument, as for a call; a donated one is copied for each.
            repeat: how many calls are measured, after one that is not.

        Returns:
            A `stepwell.profile.Profile`: print it, ask its `kernels`, or keep its `trace()`.

        Raises:
            InvalidProgramError: wrong arguments, or `repeat` is none.
            UnsupportedError: the program does not run as native code, on a CPU or a GPU.
        """
        if type(repeat) is not int or repeat < 1:
            raise InvalidProgramError(f"repeat is how many calls to measure, 1 or more, not {repeat!r}")
        if self.profiler is None:
            raise UnsupportedError("profiles are of native code; compile for target 'cpu' or 'cuda'")
        if self._profiled is None:
            self._profiled = self.profiler()
        return self._profiled.profile(self._inputs(arrays), repeat)

    def submit(self, *arrays: Any, out: Sequence[Array] | None = None) -> Future[tuple[Any, ...]]:
        """Call the program on another thread, beside what this one does next (docs/python.md).

        Args:
            *arrays: one per argument, as for a call. They are not copied: leave them as they are until the call is done.
            out: preallocated results, as for a call; nobody may read them before.

        Returns:
            A `concurrent.futures.Future` of the results; what a call would raise comes out of it too.
        """
        from stepwell.runtime.futures import submit

        return submit(self, *arrays, out=out)

    def __repr__(self) -> str:
        inputs = ", ".join(str(t) for t in self.input_types)
        outputs = ", ".join(str(t) for t in self.output_types)
        return f"<stepwell.Executable ({inputs}) -> ({outputs})>"

    def __copy__(self) -> Executable:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Executable:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an Executable holds native code of this process and cannot be pickled; compile the program there"
        )

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
        try:
            if out is None:
                results = None if self._direct is None else self._direct(arrays)
            else:
                own = tuple(out) if isinstance(out, list | tuple) else None
                results = None if self._direct_into is None or own is None else self._direct_into(arrays, own)
            if results is not None:
                return results
            inputs = self._inputs(arrays)
            if out is None:
                made = [pooled_array(*result) for result in self._results]
                outputs = [array for array, _ in made]
                addresses = [address for _, address in made]
            else:
                outputs = check_out(out, self.signature.outputs, inputs)
                addresses = [address_of(array) for array in outputs]
            self._run(inputs, outputs, addresses)
        except MemoryError as error:
            raise InvalidProgramError(f"the program needs more memory than there is: {error}") from None
        return tuple(outputs)

    def _inputs(self, arrays: Sequence[Any]) -> Sequence[Array]:
        """The arguments, checked, in the form native code reads: themselves where they are."""
        if len(arrays) != len(self._expected) or self._careful:
            return self._prepared(arrays)
        for array, (shape, dtype, needs) in zip(arrays, self._expected, strict=True):
            if (
                type(array) is not np.ndarray
                or array.dtype != dtype
                or array.shape != shape
                or array.flags.num & needs != needs
            ):
                return self._prepared(arrays)
        return arrays

    def _prepared(self, arrays: Sequence[Any]) -> list[Array]:
        """The arguments, each checked and copied where it must be."""
        signature = self.signature
        check_count(len(arrays), signature.inputs)
        inputs: list[Array] = []
        for i, (array, (shape, dtype, needs)) in enumerate(zip(arrays, self._expected, strict=True)):
            if (
                type(array) is not np.ndarray
                or array.dtype != dtype
                or array.shape != shape
                or array.flags.num & needs != needs
            ):
                array = prepare(i, array, signature.inputs[i], i in signature.donated, self._remark)
            if i in self._truths:
                array = canonical_bools(i, array, self._remark)
            inputs.append(array)
        if self._donated:
            unshare(inputs, self._donated, self._remark)
        return inputs

    def _run(self, inputs: Sequence[Array], outputs: list[Array], out_addresses: list[int]) -> None:
        if self._runner is not None:
            self._runner(inputs, outputs)
            return
        assert self._entry is not None
        if self.signature.guard is not None:
            self._run_guarded(self._entry, self.signature.guard, inputs, outputs)
            return
        frame = self._take_frame()
        addresses = [address_of(array) for array in inputs]
        addresses += out_addresses
        frame.pointers[1 : 1 + len(addresses)] = addresses
        status = self._entry(frame.address)
        self._frames.append(frame)
        if status:
            raise CompileError(f"the program stopped with status {status}")

    def _run_guarded(
        self, entry: Callable[[int], int], guard: GuardPlan, inputs: Sequence[Array], outputs: list[Array]
    ) -> None:
        sizes = self.signature.arena_bytes, self.signature.worker_bytes
        status = run_guarded(entry, guard, *sizes, self._worker_count, inputs, outputs)
        if status:
            raise CompileError(f"the program stopped with status {status}")

    def _take_frame(self) -> _Frame:
        try:
            return self._frames.pop()  # atomic, as append is: no lock that a fork could leave locked
        except IndexError:
            return _Frame(self.signature, self._worker_count, 0 if self._plan is None else self._plan.address)

    def _remark(self, text: str) -> None:
        if text not in self.remarks:
            self.remarks.append(text)
