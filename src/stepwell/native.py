"""From a parsed module to executables and printed forms: the passes, the LLVM writer, objects, loading."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from xdsl.dialects.builtin import IntegerAttr, ModuleOp, TensorType
from xdsl.ir import Operation
from xdsl.parser import Parser
from xdsl.utils.exceptions import ParseError

from stepwell.backends.amdgpu import ARCH as AMD_ARCH
from stepwell.backends.llvm_ir import entry_symbol, write_llvm
from stepwell.backends.object import compile_linked, emit_asm
from stepwell.backends.target import Target, host_target
from stepwell.compiler import STEP_NAMES, current_step, leaves_reproducer, lower, no_garbage_collection
from stepwell.device_targets import Machine, TargetName, choose, machine_for, parse_target
from stepwell.dialects.registry import context
from stepwell.dialects.stepwell import ABI, AbiAttr
from stepwell.dialects.structured_host_call import HostCallOp
from stepwell.guards import guard_memory, guard_plan, guard_signature
from stepwell.interpreted import runner
from stepwell.ir.diagnostics import Diagnostic, diagnostic_handler, invalid
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.errors import InvalidProgramError
from stepwell.ir.instrumentation import Instrumentation, TimingInstrumentation
from stepwell.ir.printer import print_ir
from stepwell.kept_texts import Record
from stepwell.latency import ask_latency, checked_latency_target, promise_indices
from stepwell.limits import check_call, check_plan, check_tensors
from stepwell.native_program import Accept, NativeProgram
from stepwell.numerics import allow_contraction, allow_winograd
from stepwell.objects import compile_objects, pool_object
from stepwell.passes.prepare_entry import find_entry
from stepwell.runtime.executable import ArrayType, Executable, Signature
from stepwell.runtime.pool import parallel_for_address, worker_count
from stepwell.schedule_files import asked_schedules, attach, schedules_for
from stepwell.sections import phase
from stepwell.source import parse
from stepwell.steps import STAGING
from stepwell.target_names import INTERPRETER


def _array_type(text: str, op: Operation) -> ArrayType:
    try:
        type_ = Parser(context(), text).parse_type()
        if isinstance(type_, TensorType):
            return ArrayType(tuple(type_.get_shape()), numpy_dtype(type_.get_element_type()))
    except (ParseError, TypeError, ValueError):
        pass
    raise invalid(op, f"has a {ABI} with '{text}', which is no type of an array")


def signature_of(module: ModuleOp) -> tuple[str, Signature]:
    """(the entry's name, how it is called), from its `stepwell.abi`.

    Raises:
        InvalidProgramError: no function has a `stepwell.abi`, or it has types that no array has.
    """
    for op in module.body.block.ops:
        abi = op.attributes.get(ABI)
        if isinstance(abi, AbiAttr):
            entries = abi.entries.data
            sizes = [entries.get(name) for name in ("arena_bytes", "worker_bytes", "lower_bound_bytes")]
            guard = entries.get("guard")
            arena, workers, least = (s.value.data if isinstance(s, IntegerAttr) else 0 for s in sizes)
            return op.properties["sym_name"].data, Signature(  # pyright: ignore
                tuple(_array_type(t, op) for t in abi.inputs),
                tuple(_array_type(t, op) for t in abi.outputs),
                abi.donated,
                arena,
                workers,
                guard_plan(guard, entries) if guard is not None else None,
                least,
            )
    raise InvalidProgramError("no function of the module has a stepwell.abi: run prepare-entry first")


def staging_of(module: ModuleOp) -> int | None:
    """Bytes of host memory the entry asks for to copy through; None where its arguments are all of the host."""
    for op in module.body.block.ops:
        abi = op.attributes.get(ABI)
        if isinstance(abi, AbiAttr):
            size = abi.entries.data.get(STAGING)
            return size.value.data if isinstance(size, IntegerAttr) else None
    return None


_TEXTS = ("llvm", "asm", "ptx", "gcn", "resources")


class Texts:
    """The IR of an executable, made again when asked for: compiling keeps nothing."""

    def __init__(self, source: ModuleOp, **options: Any):
        self._source = source
        self._options = options

    def at(self, step: str) -> str:
        """The program at a step, or as code that is text: "llvm", of a GPU "ptx" or "gcn" and "resources"."""
        with no_garbage_collection():
            if step in _TEXTS:
                return self.code(step)
            return print_ir(self.module(step))

    def module(self, step: str) -> ModuleOp:
        """The program at a step; what passes have to say was said when it was compiled."""
        if step in STEP_NAMES and STEP_NAMES.index(step) < current_step(self._source):
            raise InvalidProgramError(f"the program is already below step '{step}'")
        with diagnostic_handler(_drop):
            return lower(self._source.clone(), step, **self._options)

    def code(self, what: str) -> str:
        """The program below the last step, as text."""
        made = emit_code(self.module("device"), what, self._options["target"], self._options["opt_level"])
        assert isinstance(made, str)
        return made

    def profiler(self) -> Any:
        """The build of the program whose host reads the clock."""
        from stepwell.profile import Profiler

        options = self._options
        lowered = self.module("device")
        return Profiler(self._source.clone(), lowered, options["entry"], options["target"], options["opt_level"])

    def asm(self) -> str:
        """The assembly of all of the program."""
        with no_garbage_collection():
            return self.code(codes_of(self._options["target"])[1])


def _drop(diagnostic: Diagnostic) -> None:
    del diagnostic


@functools.cache
def parallel_for(target: Target) -> int:
    """The address of the function that kernels call to share out their tasks."""
    return parallel_for_address(pool_object(target))


def build_executable(
    module: ModuleOp,
    entry: str,
    target: Target,
    opt_level: int,
    donate: tuple[int, ...] = (),
    verify_each: bool = False,
    instrumentations: tuple[Instrumentation, ...] = (),
    stages: dict[str, float] | None = None,
    accept: Accept | None = None,
    cache: bool = False,
    keep: Callable[[NativeProgram, Record], None] | None = None,
) -> Executable:
    """Compile a parsed module to native code and load it; `stages` collects CPU seconds per backend stage.

    `accept` is called with the entry's signature before anything is lowered, `keep` with the program and what it leaves to read unless it
    is guarded; `cache` says whether objects may be found instead of made.
    """
    record = Record()
    options: dict[str, Any] = {"entry": entry, "target": target, "opt_level": opt_level, "donate": donate}
    lowered = lower(module.clone(), "entry", **options)
    if accept is not None:
        accept(signature_of(lowered)[1])
    check_tensors(lowered, fused=True)
    guard_memory(lowered)
    with leaves_reproducer(module.clone, target):
        lower(
            lowered,
            "device",
            verify_each=verify_each,
            instrumentations=(*instrumentations, PassClock(record.seconds)),
            reached=None if keep is None else record.reached,
            **options,
        )
    name, signature = signature_of(lowered)
    signature = guard_signature(signature)
    check_call(find_entry(lowered, name), signature)
    check_plan(find_entry(lowered, name), signature, worker_count())
    clock = _Clock(record.seconds)
    with phase("write LLVM IR"):
        texts = write_llvm(lowered, target)
    clock.lap("write LLVM IR")
    with phase("LLVM"):
        objects = compile_objects([part.text for part in texts], target, opt_level, cache=cache)
    clock.lap("LLVM")
    calls_python = any(isinstance(op, HostCallOp) for op in lowered.walk())
    native = NativeProgram(signature, entry_symbol(name), tuple(objects), pool_object(target), calls_python)
    if keep is not None and signature.guard is None and not calls_python:
        record.llvm = tuple(part.text for part in texts)
        keep(native, record)
    kept = Texts(module, **options)
    with phase("load"):
        executable = native.load(kept.at, kept.asm)
    executable.profiler = kept.profiler
    seconds = record.seconds  # what is measured, without the texts
    executable.measured_by(lambda: seconds)
    clock.lap("link")
    if stages is not None:
        stages.update(record.seconds)
    return executable


class _Clock:
    def __init__(self, stages: dict[str, float]):
        self._stages = stages
        self._last = time.process_time()

    def lap(self, name: str) -> None:
        now = time.process_time()
        self._stages[name] = now - self._last
        self._last = now


def build_interpreted(
    module: ModuleOp,
    entry: str,
    target: Machine,
    opt_level: int = 2,
    step: str | None = None,
    donate: tuple[int, ...] = (),
    verify_each: bool = False,
    accept: Accept | None = None,
    instrumentations: tuple[Instrumentation, ...] = (),
) -> Executable:
    """An executable that the interpreter runs, at the program's own step or a later one; `accept` as above."""
    options: dict[str, Any] = {"entry": entry, "target": target, "opt_level": opt_level, "donate": donate}
    source = module.clone()
    index = current_step(module)
    lower(module, "entry", **options)
    if accept is not None:
        accept(signature_of(module)[1])
    check_tensors(module, fused=step in STEP_NAMES[STEP_NAMES.index("kernels") :])
    if step is not None:
        with leaves_reproducer(source.clone, target):
            lower(module, step, verify_each=verify_each, instrumentations=instrumentations, **options)
        index = STEP_NAMES.index(step)
    name, signature = signature_of(module)
    if index >= STEP_NAMES.index("buffers"):
        check_plan(find_entry(module, name), signature, workers=1)
    kept = Texts(source, **options)
    run = runner(module, name, signature, index, staging_of(module))
    return Executable(signature, None, runner=run, ir=kept.at, asm=kept.asm)


NATIVE_CODE = ("llvm", "asm", "obj")
"""What can be made of a program for a CPU below the last step."""
GPU_CODE = ("llvm", "ptx", "cubin", "resources")
"""What can be made of one for an NVIDIA GPU."""
AMD_CODE = ("llvm", "gcn", "resources")
"""What can be made of one for an AMD GPU."""


def codes_of(machine: Machine) -> tuple[str, ...]:
    """What can be made of a program for a machine below the last step; the second is its assembly."""
    if isinstance(machine, Target):
        return NATIVE_CODE
    return AMD_CODE if machine.gpu.arch == AMD_ARCH else GPU_CODE


def emit_code(module: ModuleOp, what: str, target: Machine, opt_level: int) -> str | bytes:
    """Code of a module on the last step: "llvm", "asm" or "obj" (one object) for a CPU; those of `codes_of` for a GPU.

    Raises:
        InvalidProgramError: there is no such code for the machine.
        UnsupportedError: an op has no code.
    """
    check_code(what, target)
    if not isinstance(target, Target):
        from stepwell import gpu_code

        return gpu_code.emit_code(module, what, target, opt_level)
    texts = [part.text for part in write_llvm(module, target)]
    if what == "obj":
        return compile_linked(texts, target, opt_level)
    if what == "llvm":
        return "\n".join(texts)
    return "\n".join(emit_asm(text, target, opt_level) for text in texts)


def emit(
    program: Any,
    what: str,
    *,
    entry: str = "main",
    target: str | TargetName | None = None,
    opt_level: int = 2,
    simd: str | None = None,
    verify_each: bool = False,
    timing: bool = False,
    reproducible: bool = False,
    validate: int | None = None,
    schedules: Any = None,
    fp_contract: bool = False,
    winograd: int = 0,
    latency_target_ns: int | None = None,
    unchecked_indices: bool = False,
) -> str | bytes:
    """The program at a step, or as code for its target (see `emit_code`).

    `validate` is the seed of a validation (`stepwell.validate`), which on a CPU runs the code too.
    `reproducible` describes a fixed machine of the level instead of this one, so that the text is the same everywhere;
    `fp_contract`, `winograd`, `latency_target_ns` and `unchecked_indices` are those of `stepwell.compile`.
    """
    asked = None if target is None else parse_target(target)
    timer = TimingInstrumentation() if timing else None
    validation = _validation(validate)
    watchers: list[Instrumentation] = [watcher for watcher in (validation, timer) if watcher is not None]
    with no_garbage_collection():
        module = parse(program)
        name = choose(asked, module)
        if name.kind == INTERPRETER and what not in STEP_NAMES:
            raise InvalidProgramError(
                f"'{what}' is code of a machine, not for the interpreter\nhint: take --target cpu"
            )
        machine = machine_for(name, simd, reproducible=reproducible)
        attach(module, schedules_for(asked_schedules(schedules), opt_level, machine))
        allow_contraction(module, fp_contract)
        allow_winograd(module, winograd)
        ask_latency(module, entry, checked_latency_target(latency_target_ns))
        promise_indices(module, entry, unchecked_indices)
        check_code(what, machine)
        step = what if what in STEP_NAMES else "device"
        if STEP_NAMES.index(step) < current_step(module):
            raise InvalidProgramError(f"the program is already below step '{step}'")
        with leaves_reproducer(lambda: parse(program), machine):
            lower(
                module,
                step,
                entry=entry,
                target=machine,
                opt_level=opt_level,
                verify_each=verify_each,
                instrumentations=watchers,
            )
        if validation is not None and step == STEP_NAMES[-1] and isinstance(machine, Target):
            _check_code(validation, program, module, entry, opt_level, machine)
        if what in STEP_NAMES:
            return print_ir(module) + "\n"
        return emit_code(module, what, machine, opt_level)


def _validation(seed: int | None) -> Any:
    if seed is None:
        return None
    from stepwell.validate import Validation

    return Validation(seed)


def _check_code(validation: Any, program: Any, lowered: ModuleOp, entry: str, opt_level: int, machine: Target) -> None:
    """Run a program on its last step natively and hold it against that step."""
    from stepwell.validation.native import check_native

    executable = build_executable(lowered, entry, machine, opt_level)
    check_native(validation, executable, parse(program), entry, opt_level, machine)


def check_code(what: str, machine: Machine) -> None:
    """Refuse what cannot be made for a machine before time is spent on it.

    Raises:
        InvalidProgramError: it cannot be.
    """
    if what in STEP_NAMES or what in codes_of(machine):
        return
    for codes, where, hint in _MADE_FOR:
        if what in codes:
            mine = codes_of(machine)
            raise InvalidProgramError(
                f"'{what}' is made for {where}, not for {machine.cpu}\n"
                f"hint: {hint if mine is NATIVE_CODE else f'take --emit={mine[1]} for this one'}"
            )
    raise InvalidProgramError(f"nothing called '{what}' to emit")


_MADE_FOR = (
    (NATIVE_CODE, "a CPU", ""),
    (("resources",), "a GPU", "name one: --target cuda:sm_90 or amdgpu:gfx90a"),
    (GPU_CODE, "an NVIDIA GPU", "name one: --target cuda:sm_90"),
    (AMD_CODE, "an AMD GPU", "name one: --target amdgpu:gfx90a"),
)
"""What is made for which machines, and what to do to get it."""


def compile_profiled(text: str, opt_level: int = 2) -> dict[str, float]:
    """CPU seconds per pass and backend stage of one compile, parsing included (for benchmarks/compile_time.py)."""
    stages: dict[str, float] = {}
    start = time.process_time()
    module = parse(text)
    stages["parse and verify"] = time.process_time() - start
    build_executable(module, "main", host_target(), opt_level, stages=stages)
    return stages


class PassClock(Instrumentation):
    """Adds each pass's CPU time to a table."""

    def __init__(self, stages: dict[str, float]):
        self._stages = stages
        self._start = 0.0

    def before_pass(self, item: Any, op: Any) -> None:
        """Start the clock."""
        self._start = time.process_time()

    def after_pass(self, item: Any, op: Any) -> None:
        """Stop the clock."""
        self._stages[item.name] = self._stages.get(item.name, 0.0) + time.process_time() - self._start
