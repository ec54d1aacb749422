"""`stepwell.compile`: a program in, an executable out; from the cache where it was compiled before, else by the compiler.

A program that is found is loaded without its being parsed: nothing here imports the compiler before it is needed.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stepwell import cache as caches
from stepwell.arrays import dtype_of
from stepwell.ir.errors import CompileError
from stepwell.kept_texts import KeptTexts, keep_texts
from stepwell.latency import ask_latency, promise_indices
from stepwell.native_program import (
    Accept,
    Compiled,
    Made,
    NativeProgram,
    signature_as_json,
    signature_from_json,
)
from stepwell.numerics import allow_contraction, allow_winograd
from stepwell.program_input import NamedText, named_text
from stepwell.request import Request, checked_request
from stepwell.runtime.cache_store import Entry, Store
from stepwell.runtime.executable import Executable, Signature
from stepwell.runtime.memory import memory_bytes
from stepwell.runtime.pool import worker_count
from stepwell.schedule_files import attach
from stepwell.sections import phase, start_from_environment
from stepwell.target_names import CPU, TargetName, cpu_machine, default_target

if TYPE_CHECKING:
    from stepwell.backends.target import Target

_PROGRAMS = "programs"


def compile(
    program: Any,
    entry: str = "main",
    target: str | TargetName | None = None,
    opt_level: int = 2,
    *,
    simd: str | None = None,
    donate: Sequence[int] = (),
    verify_each: bool = False,
    step: str | None = None,
    validate: bool = False,
    seed: int = 0,
    cache: bool = True,
    schedules: Any = None,
    fp_contract: bool = False,
    winograd: int = 0,
    latency_target_ns: int | None = None,
    unchecked_indices: bool = False,
) -> Executable:
    """Compile a program for this machine, or for a GPU.

    Args:
        program: StableHLO (or any later step's) text, a path to it, a parsed module, or an object with `.as_text()` such as
            `jax.jit(f).lower(*args)`.
        entry: the function to run.
        target: "cpu" (native code, the default), "interpreter" (NumPy, for checking), "gpu-sim" (a GPU's kernels, simulated),
            "cuda"; a machine may follow: "cpu:avx2", "gpu-sim:sm_80", "cuda:sm_90", "cuda:1". `STEPWELL_TARGET` changes the default.
        opt_level: 0 (straight lowering) to 3.
        simd: "avx512", "avx2", "sse4.2", "scalar" instead of the host's widest.
        donate: positions of arguments whose buffers the program may overwrite.
        verify_each: run the verifier after every pass.
        step: with the interpreter and gpu-sim, the step to lower to first (default: none, the program as it is; on gpu-sim
            the last).
        validate: run the program before and after each pass in the interpreter, on inputs made up from `seed`, and at the
            end natively (docs/validation.md).
        seed: what `validate` makes inputs from.
        cache: False neither looks for native code in the cache on disk nor keeps it there (docs/cache.md); `STEPWELL_CACHE=0` does
            so everywhere.
        schedules: a schedule file's path, or a mapping from kernels (by hash or name) to schedules, to obey instead of what
            Stepwell would choose (docs/schedules.md).
        fp_contract: whether `a * b + c` may be one op that rounds once, where the machine has it (docs/floating-point.md).
        winograd: 2 or 4: convolutions with windows of 3 x 3 may be Winograd's F(2x2, 3x3), or F(4x4, 3x3) as well, where that is
            quicker; these round differently, and infinities may become NaN (docs/floating-point.md). 0: none.
        latency_target_ns: a call should take no more than so many nanoseconds in compiled code (on CPUs): no thread is woken for
            little work, what allocates or calls Python is refused, and a remark says where an estimate is above (docs/latency.md).
        unchecked_indices: you promise that all indices of slices, gathers and scatters are in range: they are not checked (on CPUs),
            and one that is not may read or write any memory (docs/latency.md).

    Returns:
        An `Executable`: call it with arrays, get a tuple of NumPy arrays.

    Raises:
        InvalidProgramError: the program or an option is wrong.
        UnsupportedError: the program needs something Stepwell does not do, or the machine has no GPU.
        MiscompileError: `validate` found a pass, or native code, that changes a result.
    """
    wanted = seed if validate else None
    options = (entry, target, opt_level, simd, donate, verify_each, step, wanted, cache, schedules, fp_contract)
    request = checked_request(*options, winograd, latency_target_ns, unchecked_indices)
    return compile_request(program, request).executable


def compile_request(program: Any, request: Request, accept: Accept | None = None) -> Compiled:
    """Compile a program as `request` says; `accept` may refuse the entry's signature (by raising) before anything is lowered."""
    start_from_environment()
    with phase("compile"):
        place = place_of(program, request)
        if place is not None:
            with phase("load"):
                found = place.find(accept)
            if found is not None:
                return found
            program = place.program
        from stepwell.compiler import build

        return build(program, request, accept, None if place is None else place.keep)


# The cache -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a program is kept."""

    store: Store
    key: str
    code: str | None
    request: Request
    target: Target
    program: Any
    """For the compiler."""
    text: NamedText | None
    """None of a module."""

    def find(self, accept: Accept | None) -> Compiled | None:
        """The program, loaded, if it is there and fits into this machine's memory."""
        entry = self.store.get(_PROGRAMS, self.key)
        if entry is None:
            return None
        try:
            native, dtypes, said = _unpacked(entry)
        except (CompileError, LookupError, TypeError, ValueError):
            return None
        if not _fits(native.signature):
            return None
        if accept is not None:
            accept(native.signature)
        source = self.program if self.text is not None else self.program.clone()
        texts = functools.cache(lambda: self._texts(source))
        unchanged = self._is_unchanged
        kept = KeptTexts(self.store, self.key, self.target, self.request.opt_level, texts, unchanged)
        executable = native.load(kept.at, kept.asm)
        executable.profiler = lambda: texts().profiler()
        executable.measured_by(kept.seconds)
        if said:
            from stepwell.kept_diagnostics import emit_again

            emit_again(said, self.text)
        return Compiled(executable, dtypes)

    def keep(self, made: Made) -> None:
        """Keep what the compiler made, unless its code changed meanwhile."""
        native = made.native
        if not self._is_unchanged():
            return
        diagnostics: list[dict[str, Any]] = []
        if made.diagnostics:
            from stepwell.kept_diagnostics import diagnostics_as_json

            diagnostics = diagnostics_as_json(made.diagnostics, "" if self.text is None else self.text.name)
        header = {
            "signature": signature_as_json(native.signature),
            "symbol": native.symbol,
            "element_dtypes": [dtype.name for dtype in made.element_dtypes],
            "diagnostics": diagnostics,
        }
        self.store.put(_PROGRAMS, self.key, header, (native.pool, *native.objects))
        keep_texts(self.store, self.key, made.record)

    def _is_unchanged(self) -> bool:
        return caches.code_digest() == self.code

    def _texts(self, source: Any) -> Any:
        from stepwell.native import Texts
        from stepwell.source import parse

        request = self.request
        options = {"entry": request.entry, "opt_level": request.opt_level, "donate": request.donate}
        module = parse(source)
        attach(module, request.schedules)
        allow_contraction(module, request.fp_contract)
        allow_winograd(module, request.winograd)
        ask_latency(module, request.entry, request.latency_target_ns)
        promise_indices(module, request.entry, request.unchecked_indices)
        return Texts(module, target=self.target, **options)


def _unpacked(entry: Entry) -> tuple[NativeProgram, tuple[np.dtype[Any], ...], list[dict[str, Any]]]:
    """(the program, the dtypes of its values, what was said of it)."""
    header = entry.header
    pool, *objects = entry.pieces
    native = NativeProgram(signature_from_json(header["signature"]), str(header["symbol"]), tuple(objects), pool)
    return native, tuple(dtype_of(name) for name in header["element_dtypes"]), list(header["diagnostics"])


def _fits(signature: Signature) -> bool:
    """Whether a call's memory is within this machine's; what is not is compiled again, to say where it comes from."""
    results = sum(t.nbytes for t in signature.outputs)
    planned = signature.arena_bytes + signature.worker_bytes * worker_count() + results
    return max(planned, *(t.nbytes for t in signature.inputs), 0) <= memory_bytes()


def place_of(program: Any, request: Request) -> Place | None:
    """Where a program is kept; None for one that is not."""
    store = caches.store()
    if store is None or not _is_plain(request):
        return None
    try:
        target = request.target or default_target()
        machine = cpu_machine(target, request.simd) if target.kind == CPU else None
    except CompileError:  # said again, after what there is to say of the program
        return None
    if machine is None:
        return None
    module = _is_module(program)
    text = None if module else named_text(program)
    data = _module_bytes(program) if module else text.data if text is not None else None
    if data is None or _calls_python(data):
        return None
    code = caches.code_digest()
    key = caches.program_key(data, request, machine)
    if key is None:
        return None
    return Place(store, key, code, request, machine, program if module else text, text)


def _is_plain(request: Request) -> bool:
    """Whether code is all that is asked for, and nothing else than the request decides it."""
    watched = request.verify_each or request.validate is not None or request.step is not None
    return request.cache and not watched and os.environ.get("STEPWELL_GUARD", "") in ("", "0")


def _is_module(program: Any) -> bool:
    """Whether a program is a parsed module: then what defines modules was imported."""
    builtin = sys.modules.get("xdsl.dialects.builtin")
    return builtin is not None and isinstance(program, builtin.ModuleOp)


def _module_bytes(module: Any) -> bytes | None:
    from stepwell.module_text import identity

    return identity(module)


def _calls_python(data: bytes) -> bool:
    """Whether a program may call what a user registered in Python, of which no key can tell what it does."""
    calls = sys.modules.get("stepwell.dialects.stablehlo.custom_calls")
    if calls is None or not calls.registered_targets():
        return False
    signs = b"custom_call", b"host_call", b"\\"  # the name of an op may be written with escapes
    return any(sign in data for sign in signs)


__all__ = ["Place", "compile", "compile_request", "place_of"]
