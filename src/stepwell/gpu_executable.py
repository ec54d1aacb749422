"""Executables that the CUDA driver runs: images of the device modules, native code of what the host keeps, and a program of both."""

from __future__ import annotations

import weakref
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from stepwell.compiler import leaves_reproducer, lower
from stepwell.device_targets import GpuMachine
from stepwell.dialects.structured_host_call import HostCallOp
from stepwell.gpu_code import host_kernels, host_objects, host_symbol, images
from stepwell.gpu_program import cuda_executable, program_of
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.instrumentation import Instrumentation
from stepwell.limits import check_device_plan
from stepwell.native import Accept, Texts, parallel_for, signature_of
from stepwell.passes.prepare_entry import find_entry
from stepwell.runtime.executable import Executable
from stepwell.runtime.loader import PARALLEL_FOR, Library


def build_on_gpu(
    module: ModuleOp,
    entry: str,
    machine: GpuMachine,
    opt_level: int,
    donate: tuple[int, ...] = (),
    verify_each: bool = False,
    accept: Accept | None = None,
    instrumentations: tuple[Instrumentation, ...] = (),
) -> Executable:
    """An executable that the CUDA driver runs, made without one; `accept` as in `stepwell.native.build_executable`."""
    options: dict[str, Any] = {"entry": entry, "target": machine, "opt_level": opt_level, "donate": donate}
    lowered = lower(module.clone(), "entry", **options)
    if accept is not None:
        accept(signature_of(lowered)[1])
    with leaves_reproducer(module.clone, machine):
        lower(lowered, "device", verify_each=verify_each, instrumentations=instrumentations, **options)
    for op in lowered.walk():
        if isinstance(op, HostCallOp):
            raise unsupported(
                op, "a program on a GPU calls no Python", "compile it for the CPU, or call the function in between"
            )
    name, signature = signature_of(lowered)
    if machine.memory_bytes is not None:
        check_device_plan(find_entry(lowered, name), signature, machine.memory_bytes)
    names = host_kernels(lowered)
    library = _library(lowered, names, machine, opt_level)
    kept = Texts(module, **options)
    executable = cuda_executable(
        signature,
        program_of(lowered),
        images=images(lowered, machine, opt_level),
        device=machine.device,
        host_kernels={name: library.address(host_symbol(name)) for name in names} if library is not None else {},
        ir=kept.at,
        asm=kept.asm,
        keep_alive=library,
    )
    called = weakref.proxy(executable)  # what an executable holds must not hold it
    title = module.sym_name.data if module.sym_name is not None else name
    executable.profiler = lambda: _profiler(called, title)
    return executable


def _profiler(executable: Any, title: str) -> Any:
    from stepwell.gpu_profile import GpuProfiler  # here: few programs are profiled

    return GpuProfiler(executable, title)


def _library(module: ModuleOp, names: list[str], machine: GpuMachine, opt_level: int) -> Library | None:
    """The kernels of the host, linked into the process."""
    if not names:
        return None
    objects = host_objects(module, machine.host, opt_level)
    symbols = {PARALLEL_FOR: parallel_for(machine.host)}
    return Library(objects, [host_symbol(name) for name in names], symbols)
