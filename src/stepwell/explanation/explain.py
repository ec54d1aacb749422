"""Explaining a program: lowered to the kernels, their schedules chosen and costs written down, then read; memory is planned on a copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from xdsl.dialects import func
from xdsl.dialects.builtin import DictionaryAttr, IntegerAttr, ModuleOp, StringAttr

from stepwell.backends.target import Target
from stepwell.compiler import current_step, lower, no_garbage_collection
from stepwell.device_targets import Machine, choose, machine_for, parse_target, road_of
from stepwell.dialects import kernel
from stepwell.dialects.registry import context
from stepwell.dialects.stepwell import ABI, AbiAttr
from stepwell.dynamic import is_dynamic_program
from stepwell.explanation.model import Explanation, Kernel, Node
from stepwell.explanation.reading import (
    Names,
    Often,
    Reader,
    entries_of,
    host_functions,
    kernels_of,
    location_text,
    text_of,
)
from stepwell.explanation.text import render
from stepwell.ir.diagnostics import Diagnostic, diagnostic_handler, emit
from stepwell.ir.errors import InvalidProgramError, UnsupportedError
from stepwell.ir.pass_manager import Nested, build_pipeline
from stepwell.ir.passes import Pass
from stepwell.latency import ask_latency, checked_latency_target, promise_indices
from stepwell.machine_limits import Limits, limits_of
from stepwell.numerics import allow_contraction, allow_winograd
from stepwell.passes.choose_schedules import ChooseSchedulesPass
from stepwell.passes.critical_path import CriticalPathPass
from stepwell.passes.estimate_costs import COST, EstimateCostsPass
from stepwell.passes.pipelines import steps
from stepwell.passes.prepare_entry import find_entry
from stepwell.passes.registry import PASSES, get_pass
from stepwell.passes.schedules.parameters import checked, numbers_of
from stepwell.passes.schedules.records import kernel_hash
from stepwell.schedule_files import asked_schedules, attach, schedules_for, schedules_text
from stepwell.source import parse
from stepwell.steps import STEP_NAMES

_KERNELS, _BUFFERS = STEP_NAMES.index("kernels"), STEP_NAMES.index("buffers")
_ALONE = 60e-6
"""Seconds of work below which a kernel is taken to run on one thread."""


def explain(
    program: Any,
    entry: str = "main",
    target: Any = None,
    opt_level: int = 2,
    *,
    simd: str | None = None,
    schedules: Any = None,
    fp_contract: bool = False,
    winograd: int = 0,
    latency_target_ns: int | None = None,
    unchecked_indices: bool = False,
) -> Explanation:
    """What a program becomes, kernel by kernel, and why.

    Args:
        program: as for `stepwell.compile`.
        entry: the function to explain.
        target: as for `stepwell.compile`.
        opt_level: 0 to 3.
        simd: "avx512", "avx2", "sse4.2", "scalar" instead of the host's widest.
        schedules: schedules to take, as for `stepwell.compile`.
        fp_contract: as for `stepwell.compile`.
        winograd: as for `stepwell.compile`.
        latency_target_ns: as for `stepwell.compile`.
        unchecked_indices: as for `stepwell.compile`.

    Returns:
        The explanation; print it, or ask its kernels.

    Raises:
        InvalidProgramError: the program or an option is wrong.
        UnsupportedError: the program has unknown extents, or needs something Stepwell does not do.
    """
    asked = None if target is None else parse_target(target)
    wanted = asked_schedules(schedules)
    with no_garbage_collection():
        module = parse(program)
        machine = machine_for(choose(asked, module), simd)
        attach(module, schedules_for(wanted, opt_level, machine))
        allow_contraction(module, fp_contract)
        allow_winograd(module, winograd)
        ask_latency(module, entry, checked_latency_target(latency_target_ns))
        promise_indices(module, entry, unchecked_indices)
        return explain_module(module, entry, machine, opt_level)


def explain_module(module: ModuleOp, entry: str, machine: Machine, opt_level: int) -> Explanation:
    """The explanation of a parsed module, which is lowered on the way."""
    if is_dynamic_program(module):
        raise UnsupportedError(
            "a program with unknown extents has kernels only for the shapes of a call\nhint: run refine-shapes with types first"
        )
    remarks: list[str] = []
    to_kernels(module, entry, machine, opt_level, remarks)
    explanation = read_explanation(module, entry, machine, opt_level, tuple(remarks))
    complete = _with_memory(explanation, module, entry, machine, opt_level)
    return replace(complete, text=render(complete))


def to_kernels(module: ModuleOp, entry: str, machine: Machine, opt_level: int, remarks: list[str]) -> None:
    """Lower a module to kernels that have schedules and costs; what passes remark goes to `remarks`."""

    def keep(diagnostic: Diagnostic) -> None:
        if diagnostic.severity == "remark":
            text = "; ".join([diagnostic.message, *(note.message for note in diagnostic.notes)])
            remarks.append(f"{diagnostic.location}: {text}" if diagnostic.location else text)
        else:
            warnings.append(diagnostic)

    warnings: list[Diagnostic] = []
    with diagnostic_handler(keep):
        if current_step(module) <= _KERNELS:
            lower(module, "kernels", entry=entry, target=machine, opt_level=opt_level)
            for item in _until_chosen(opt_level, road_of(module)):
                assert isinstance(item, Pass)
                item.apply(context(), module)
    for warning in warnings:
        emit(warning)


def _until_chosen(opt_level: int, road: str) -> Sequence[Pass | Nested]:
    """The passes after step 3 up to the choice of schedules, and what counts before they change the kernels."""
    step = steps(opt_level, road)[STEP_NAMES.index("scheduled")]
    items = build_pipeline(step.pipeline(), get_pass, tuple(PASSES)).items
    last = max(i for i, item in enumerate(items) if isinstance(item, ChooseSchedulesPass | CriticalPathPass))
    return (*items[: last + 1], EstimateCostsPass())


def read_explanation(
    module: ModuleOp, entry: str, machine: Machine, opt_level: int, remarks: tuple[str, ...]
) -> Explanation:
    """What the attributes of a module on step 3 or later say."""
    functions = host_functions(module)
    main = find_entry(module, entry)
    assert isinstance(main, func.FuncOp)
    names = Names()
    inputs = tuple(names.argument(a, i) for i, a in enumerate(main.body.block.args))
    reader = Reader(names)
    graph = reader.block(main.body.block, Often())
    others = _called(functions, reader)
    limits = limits_of(machine) if isinstance(machine, Target) else None
    kernels = tuple(_kernel(op, reader, limits) for op in kernels_of(module))
    terminator = main.body.block.last_op
    outputs = tuple(names.value(v) for v in terminator.operands) if terminator is not None else ()
    return Explanation(
        program=_name(module),
        entry=entry,
        target=_target_text(machine),
        opt_level=opt_level,
        inputs=inputs,
        outputs=outputs,
        graph=graph,
        functions=others,
        kernels=kernels,
        remarks=remarks,
        limits=limits.source if limits is not None else "",
        schedules=schedules_text(module, machine),
    )


def _called(functions: dict[str, func.FuncOp], main: Reader) -> dict[str, tuple[Node, ...]]:
    """The nodes of every function that is called, whose launches are added to those of the entry."""
    others: dict[str, tuple[Node, ...]] = {}
    pending = [(name, _how_often(main, name)) for name in main.calls]
    while pending:
        name, often = pending.pop(0)
        function = functions.get(name)
        if function is None:
            continue
        if name in others:  # again, or by itself: not followed a second time
            for kernel_name in main.launches_in(function):
                main.repeated[kernel_name] = None
            continue
        names = Names()
        for i, argument in enumerate(function.body.block.args):
            names.argument(argument, i)
        reader = Reader(names)
        others[name] = reader.block(function.body.block, often)
        for kernel_name, launches in reader.launches.items():
            main.launches[kernel_name] = main.launches.get(kernel_name, 0) + launches
            main.certain[kernel_name] = main.certain.get(kernel_name, 0) + reader.certain[kernel_name]
        main.repeated.update(reader.repeated)
        pending.extend((called, _how_often(reader, called)) for called in reader.calls)
    return others


def _how_often(reader: Reader, function: str) -> Often:
    return Often(reader.calls[function], reader.certain[function], function in reader.repeated)


def _name(module: ModuleOp) -> str:
    name = module.sym_name
    return name.data if isinstance(name, StringAttr) else "program"


def _target_text(machine: Machine) -> str:
    if isinstance(machine, Target):
        return f"{machine.cpu} ({machine.level}, {machine.cores} cores)"
    return machine.cpu


def _kernel(op: kernel.FuncOp, reader: Reader, limits: Limits | None) -> Kernel:
    cost = entries_of(op.attributes.get(COST))
    schedule = op.schedule
    because = schedule.params.data.get("reason") if schedule is not None else None
    place = text_of(op, "kernel.place")
    seconds, bound = (None, "") if limits is None or not cost else _roof(op, cost, limits)
    name = op.sym_name.data
    return Kernel(
        name=name,
        hash=kernel_hash(op),
        kind=text_of(op, "kernel.kind"),
        reason=text_of(op, "kernel.reason"),
        schedule=str(schedule) if schedule is not None else "",
        because=because.data if isinstance(because, StringAttr) else "",
        launches=reader.launches.get(name, 0),
        certain=reader.certain.get(name, 0),
        repeated=name in reader.repeated,
        place=place,
        flops=cost.get("flops"),
        integer_ops=cost.get("integer_ops"),
        work=cost.get("work"),
        element=cost.get("element", ""),
        bytes_read=cost.get("bytes_read"),
        bytes_written=cost.get("bytes_written"),
        seconds=seconds,
        bound=bound,
        location=location_text(op),
    )


def _roof(op: kernel.FuncOp, cost: dict[str, Any], limits: Limits) -> tuple[float, str]:
    """What the limits allow: on all threads where the schedule has tasks and there is work for them."""
    numbers = (cost["work"], cost["bytes_read"], cost["bytes_written"], cost["element"])
    alone = limits.roof(*numbers, threads=1)
    values = numbers_of(checked(op, op.schedule)) if op.schedule is not None else {}
    serial = values.get("tasks", 1) == 1 or not values.get("parallel", 1)
    return alone if serial or alone[0] < _ALONE else limits.roof(*numbers, threads=limits.all.threads)


def _with_memory(
    explanation: Explanation, module: ModuleOp, entry: str, machine: Machine, opt_level: int
) -> Explanation:
    """The explanation with what planning the memory says."""
    with diagnostic_handler(lambda _: None):
        lower(module, STEP_NAMES[max(_BUFFERS, current_step(module))], entry=entry, target=machine, opt_level=opt_level)
    abi = find_entry(module, entry).attributes.get(ABI)
    entries = abi.entries if isinstance(abi, AbiAttr) else DictionaryAttr({})
    sizes = {k: v.value.data for k, v in entries.data.items() if isinstance(v, IntegerAttr)}
    return replace(
        explanation,
        arena_bytes=sizes.get("arena_bytes"),
        lower_bound_bytes=sizes.get("lower_bound_bytes"),
        worker_bytes=sizes.get("worker_bytes"),
    )


__all__ = ["InvalidProgramError", "explain", "explain_module", "read_explanation", "to_kernels"]
