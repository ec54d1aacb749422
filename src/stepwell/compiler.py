"""`stepwell.compile`: a program in, an executable out, through every step of `stepwell.passes.pipelines`."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from stepwell.backends.target import Target, host_target
from stepwell.dialects.registry import context
from stepwell.ir.errors import InvalidProgramError
from stepwell.ir.instrumentation import Instrumentation, VerifyEach
from stepwell.ir.pass_manager import build_pipeline
from stepwell.passes.pipelines import Step, steps
from stepwell.passes.registry import PASSES, get_pass
from stepwell.runtime.executable import Executable
from stepwell.source import parse

STEP_NAMES = ("tensor", "structured", "kernels", "scheduled", "buffers", "device")


@contextmanager
def no_garbage_collection() -> Generator[None]:
    """IR is cyclic and long-lived: collecting while it is built costs a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def current_step(module: Operation) -> int:
    """Index into the steps of the lowest step a module's ops belong to."""
    names = {op.name for op in module.walk()}
    dialects = {name.split(".")[0] for name in names}
    if any(name.startswith("rt.") and name != "rt.worker_id" for name in names):
        return 5
    if "memref" in dialects:
        return 4
    if "kernel" in dialects:
        return 2 if "linalg" in dialects or not names & {"scf.forall"} else 3
    return 0 if dialects & {"stablehlo", "chlo"} or "linalg" not in dialects else 1


def lower(
    module: ModuleOp,
    to: str,
    *,
    entry: str = "main",
    target: Target | None = None,
    opt_level: int = 2,
    donate: Sequence[int] = (),
    verify_each: bool = False,
    instrumentations: Iterable[Instrumentation] = (),
) -> ModuleOp:
    """Lower `module`, in place, to the step named `to` and return it ("entry": only mark the entry).

    Raises:
        InvalidProgramError: no such step or entry.
        UnsupportedError: a pass cannot take the program.
    """
    if to == "entry":
        return _run_steps(
            module, [Step("entry", ((_entry_pass(entry, donate), ""),))], verify_each, tuple(instrumentations)
        )
    if to not in STEP_NAMES:
        raise InvalidProgramError(f"no step '{to}'; the steps are {', '.join(STEP_NAMES)}")
    if target is None:
        target = host_target()
    if "stepwell.target" not in module.attributes:
        module.attributes["stepwell.target"] = target.attribute()
    todo = _steps_to_run(current_step(module), STEP_NAMES.index(to), opt_level, _entry_pass(entry, donate))
    return _run_steps(module, todo, verify_each, tuple(instrumentations))


def _run_steps(
    module: ModuleOp, todo: list[Step], verify_each: bool, instrumentations: tuple[Instrumentation, ...]
) -> ModuleOp:
    watchers = (*instrumentations, VerifyEach()) if verify_each else instrumentations
    ctx = context()
    for step in todo:
        build_pipeline(step.pipeline(), get_pass, tuple(PASSES), instrumentations=watchers).run(ctx, module)
    return module


def _steps_to_run(first: int, last: int, opt_level: int, entry_pass: str) -> list[Step]:
    """The steps after `first` up to `last` (step 0 includes its own clean-up), `prepare-entry` with its options in front."""
    table = steps(opt_level)
    if first == 0:
        rest = tuple(item for item in table[0].passes if item[0] != "prepare-entry")
        return [Step("tensor", ((entry_pass, ""), *rest)), *table[1 : last + 1]]
    return [Step("entry", ((entry_pass, ""),)), *table[first + 1 : last + 1]]


def _entry_pass(entry: str, donate: Sequence[int]) -> str:
    donated = f" donate={','.join(str(i) for i in donate)}" if donate else ""
    return f'prepare-entry{{entry="{entry}"{donated}}}'


def compile(
    program: Any,
    entry: str = "main",
    target: str = "cpu",
    opt_level: int = 2,
    *,
    simd: str | None = None,
    donate: Sequence[int] = (),
    verify_each: bool = False,
    step: str | None = None,
) -> Executable:
    """Compile a program for this machine.

    Args:
        program: StableHLO (or any later step's) text, a path to it, a parsed module, or an object with `.as_text()` such as
            `jax.jit(f).lower(*args)`.
        entry: the function to run.
        target: "cpu" (native code) or "interpreter" (NumPy, for checking).
        opt_level: 0 (straight lowering) to 3.
        simd: "avx512", "avx2", "sse4.2" instead of the host's widest.
        donate: positions of arguments whose buffers the program may overwrite.
        verify_each: run the verifier after every pass.
        step: with the interpreter, the step to lower to first (default: none, the program as it is).

    Returns:
        An `Executable`: call it with arrays, get a tuple of NumPy arrays.

    Raises:
        InvalidProgramError: the program or an option is wrong.
        UnsupportedError: the program needs something Stepwell does not do.
    """
    from stepwell.native import build_executable, build_interpreted

    if target not in ("cpu", "interpreter"):
        raise InvalidProgramError(f"unknown target '{target}'; the targets are cpu, interpreter")
    if opt_level not in range(4):
        raise InvalidProgramError(f"opt_level is 0 to 3, not {opt_level!r}")
    with no_garbage_collection():
        module = parse(program)
        machine = host_target(simd)
        if target == "interpreter":
            return build_interpreted(module, entry, machine, opt_level, step)
        return build_executable(module, entry, machine, opt_level, tuple(donate), verify_each)


__all__ = ["STEP_NAMES", "compile", "current_step", "lower", "no_garbage_collection", "parse"]
