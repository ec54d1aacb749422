"""The compiler: a program in, an executable out, through every step of `stepwell.passes.pipelines`."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from stepwell.backends.target import host_target
from stepwell.device_targets import (
    AMDGPU,
    CPU,
    CUDA,
    SIMULATOR,
    GpuMachine,
    Machine,
    choose,
    cpu_machine,
    machine_for,
    road_of,
    set_machine,
)
from stepwell.dialects.registry import context
from stepwell.dialects.stepwell import TARGET
from stepwell.dynamic import DynamicExecutable, is_dynamic_program
from stepwell.ir.diagnostics import Diagnostic, InternalDiagnosticError, diagnostic_handler, emit
from stepwell.ir.errors import InvalidProgramError
from stepwell.ir.instrumentation import Instrumentation, VerifyEach, write_reproducer
from stepwell.ir.pass_manager import Nested, Pipeline, build_pipeline
from stepwell.ir.passes import Pass
from stepwell.kept_texts import Record
from stepwell.latency import ask_latency, promise_indices
from stepwell.native_program import Accept, Compiled, Made, NativeProgram
from stepwell.numerics import allow_contraction, allow_winograd
from stepwell.passes.pipelines import Step, steps
from stepwell.passes.prepare_entry import PrepareEntryPass
from stepwell.passes.registry import PASSES, get_pass
from stepwell.request import Request
from stepwell.runtime.executable import Executable
from stepwell.schedule_files import attach
from stepwell.sections import is_active, phase
from stepwell.source import element_dtypes, parse
from stepwell.steps import STEP_NAMES, check_planned, current_step, mark_step


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


def lower(
    module: ModuleOp,
    to: str,
    *,
    entry: str = "main",
    target: Machine | None = None,
    opt_level: int = 2,
    donate: Sequence[int] = (),
    verify_each: bool = False,
    instrumentations: Iterable[Instrumentation] = (),
    reached: Callable[[str, ModuleOp], None] | None = None,
) -> ModuleOp:
    """Lower `module`, in place, to the step named `to` and return it ("entry": only mark the entry).

    `reached` is called with the name of each step that the module comes to, and the module.

    Raises:
        InvalidProgramError: no such step or entry, or the program is scheduled for another machine than `target`.
        UnsupportedError: a pass cannot take the program.
    """
    mark = PrepareEntryPass(entry, tuple(donate))
    if to == "entry":
        return _run_steps(module, [_Lowering(None, (mark,))], verify_each, tuple(instrumentations))
    if to not in STEP_NAMES:
        raise InvalidProgramError(f"no step '{to}'; the steps are {', '.join(STEP_NAMES)}")
    if target is not None or TARGET not in module.attributes:
        set_machine(module, host_target() if target is None else target)
    first, last = current_step(module), STEP_NAMES.index(to)
    todo = _lowerings(steps(opt_level, road_of(module)), first, last, mark)
    try:
        _run_steps(module, todo, verify_each, tuple(instrumentations), reached)
    except InternalDiagnosticError as error:
        error.pipeline = str(Pipeline(tuple(item for lowering in todo for item in lowering.passes)))
        raise
    if last >= STEP_NAMES.index("buffers"):
        check_planned(module)
    return module


@contextmanager
def leaves_reproducer(source: Callable[[], ModuleOp], target: Machine) -> Generator[None]:
    """When a pass has a bug, write the program as it was, made again by `source`, and the pipeline to a file."""
    try:
        yield
    except InternalDiagnosticError as error:
        module = source()
        set_machine(module, target)
        raise error.with_reproducer(write_reproducer(module, error.pipeline or "")) from error.__cause__


@dataclass(frozen=True)
class _Lowering:
    """Passes to run, and the step they lead to (None when they stay on theirs)."""

    step: str | None
    passes: tuple[Pass | Nested, ...]


def _run_steps(
    module: ModuleOp,
    todo: list[_Lowering],
    verify_each: bool,
    instrumentations: tuple[Instrumentation, ...],
    reached: Callable[[str, ModuleOp], None] | None = None,
) -> ModuleOp:
    watchers = (*instrumentations, VerifyEach()) if verify_each else instrumentations
    if is_active():
        watchers = (*watchers, _PassSections())
    ctx = context()
    for item in todo:
        Pipeline(item.passes, list(watchers)).run(ctx, module)
        if item.step is not None:
            mark_step(module, item.step)
            if reached is not None:
                reached(item.step, module)
    return module


class _PassSections(Instrumentation):
    """Every pass as a phase, of whoever profiles the compiler."""

    def __init__(self) -> None:
        self._open: list[AbstractContextManager[None]] = []

    def before_pass(self, item: Any, op: Any) -> None:
        self._open.append(phase(item.name))
        self._open[-1].__enter__()

    def after_pass(self, item: Any, op: Any) -> None:
        self._open.pop().__exit__(None, None, None)

    def pass_failed(self, item: Any, op: Any, error: Exception) -> None:
        self.after_pass(item, op)


def _lowerings(table: tuple[Step, ...], first: int, last: int, mark: PrepareEntryPass) -> list[_Lowering]:
    """The steps after `first` up to `last` (step 0 includes its own clean-up); `mark` goes first."""
    if first > 0:
        return [_Lowering(None, (mark,)), *(_lowering(step) for step in table[first + 1 : last + 1])]
    tensor = _lowering(table[0])
    rest = tuple(item for item in tensor.passes if not isinstance(item, PrepareEntryPass))
    return [_Lowering("tensor", (mark, *rest)), *(_lowering(step) for step in table[1 : last + 1])]


def _lowering(step: Step) -> _Lowering:
    return _Lowering(step.name, build_pipeline(step.pipeline(), get_pass, tuple(PASSES)).items)


def build(
    program: Any, request: Request, accept: Accept | None = None, keep: Callable[[Made], None] | None = None
) -> Compiled:
    """What `stepwell.compile` does when nothing is found: parse a program, and compile it as `request` says.

    Args:
        program: what `stepwell.source.parse` takes.
        request: the options.
        accept: may refuse the entry's signature (by raising) before anything is lowered.
        keep: called with what native code was made.

    Raises:
        InvalidProgramError: the program or an option is wrong.
        UnsupportedError: the program needs something Stepwell does not do, or the machine has no GPU.
        MiscompileError: a validation found a pass, or native code, that changes a result.
    """
    said: list[Diagnostic] = []
    watched = diagnostic_handler(said.append) if keep is not None else nullcontext()
    try:
        with no_garbage_collection(), watched:
            with phase("parse"):
                module = parse(program)
            dtypes = tuple(element_dtypes(module))
            kept = None if keep is None else lambda native, record: keep(Made(native, dtypes, tuple(said), record))
            executable = _built(module, request, accept, kept)
    finally:
        for diagnostic in said:
            emit(diagnostic)
    return Compiled(executable, dtypes)


def _built(
    module: ModuleOp, request: Request, accept: Accept | None, keep: Callable[[NativeProgram, Record], None] | None
) -> Executable:
    """The executable of a parsed module, which is the compiler's to change."""
    from stepwell.native import build_executable, build_interpreted

    entry, opt_level, donated, verify_each = request.entry, request.opt_level, request.donate, request.verify_each
    watchers = _validation(request.validate)
    name, step = choose(request.target, module), request.step
    if step is not None and name.kind in (CPU, CUDA, AMDGPU):
        raise InvalidProgramError(
            f"step='{step}' is for target='interpreter' and 'gpu-sim'; native code is always made from the last step"
        )
    allow_contraction(module, request.fp_contract)
    allow_winograd(module, request.winograd)
    ask_latency(module, entry, request.latency_target_ns)
    promise_indices(module, entry, request.unchecked_indices)
    if is_dynamic_program(module):
        return _dynamic(module, request, accept)
    if name.kind == CPU:
        machine = cpu_machine(name, request.simd)
        attach(module, request.schedules)
        executable = build_executable(
            module,
            entry,
            machine,
            opt_level,
            donated,
            verify_each,
            watchers,
            accept=accept,
            cache=request.cache and not watchers,
            keep=keep,
        )
        return _checked(executable, watchers, module, entry, opt_level, machine)
    machine = machine_for(name, request.simd)
    attach(module, request.schedules)
    if isinstance(machine, GpuMachine) and name.kind == CUDA:
        from stepwell.gpu_executable import build_on_gpu

        executable = build_on_gpu(module, entry, machine, opt_level, donated, verify_each, accept, watchers)
        return _checked(executable, watchers, module, entry, opt_level, machine)
    if name.kind == AMDGPU:
        from stepwell.code_only import build_code_only

        return build_code_only(module, entry, machine, opt_level, donated, verify_each, accept, watchers)
    if name.kind == SIMULATOR and step is None:
        step = STEP_NAMES[-1]
    return build_interpreted(module, entry, machine, opt_level, step, donated, verify_each, accept, watchers)


def _validation(seed: int | None) -> tuple[Instrumentation, ...]:
    if seed is None:
        return ()
    from stepwell.validate import Validation

    return (Validation(seed),)


def _checked(
    executable: Executable,
    watchers: tuple[Instrumentation, ...],
    module: ModuleOp,
    entry: str,
    opt_level: int,
    machine: Machine,
) -> Executable:
    """The executable, once it gave what the last step gives, where a validation watched."""
    if not watchers:
        return executable
    from stepwell.validate import Validation

    for watcher in watchers:
        if isinstance(watcher, Validation):
            from stepwell.validation.native import check_native

            check_native(watcher, executable, module, entry, opt_level, machine)
    return executable


def _dynamic(module: ModuleOp, request: Request, accept: Accept | None) -> Executable:
    """An executable that compiles per shapes; a static one at once where all that is unknown follows from the program."""

    def made(static: ModuleOp) -> Executable:
        with no_garbage_collection():
            return _built(parse(static), request, None, None)

    executable = DynamicExecutable(module, request.entry, made, donated=request.donate, verify_each=request.verify_each)
    if accept is not None:
        accept(executable.signature)
    if executable.size_arguments or any(-1 in t.shape for t in executable.input_types):
        return executable
    return executable.specialize(*(t.shape for t in executable.input_types))


__all__ = ["STEP_NAMES", "build", "current_step", "lower", "no_garbage_collection", "parse"]
