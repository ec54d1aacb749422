"""Executables of machines for which code is made but nothing here runs it: they have IR and code, and calls of them are refused."""

from __future__ import annotations

from typing import Any

from xdsl.dialects.builtin import ModuleOp

from stepwell.compiler import leaves_reproducer, lower
from stepwell.device_targets import Machine
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.instrumentation import Instrumentation
from stepwell.limits import check_tensors
from stepwell.native import Accept, Texts, emit_code, signature_of
from stepwell.passes.prepare_entry import find_entry
from stepwell.runtime.executable import Executable


def build_code_only(
    module: ModuleOp,
    entry: str,
    machine: Machine,
    opt_level: int,
    donate: tuple[int, ...] = (),
    verify_each: bool = False,
    accept: Accept | None = None,
    instrumentations: tuple[Instrumentation, ...] = (),
) -> Executable:
    """An executable of a program for a GPU that has no runtime here; `accept` as in `stepwell.native.build_executable`."""
    options: dict[str, Any] = {"entry": entry, "target": machine, "opt_level": opt_level, "donate": donate}
    source = module.clone()
    lower(module, "entry", **options)
    if accept is not None:
        accept(signature_of(module)[1])
    check_tensors(module, fused=True)
    with leaves_reproducer(source.clone, machine):
        lower(module, "device", verify_each=verify_each, instrumentations=instrumentations, **options)
    emit_code(module, "llvm", machine, opt_level)  # what has no code is refused now
    name, signature = signature_of(module)
    function = find_entry(module, name)

    def refuse(*_: Any) -> None:
        reason = f"@{name} is compiled for {machine.cpu}, and there is no runtime for AMD GPUs"
        raise unsupported(
            function, reason, f"simulate it with target 'gpu-sim:{machine.cpu}', or take its code: --emit=gcn"
        )

    kept = Texts(source, **options)
    return Executable(signature, None, runner=refuse, ir=kept.at, asm=kept.asm)


__all__ = ["build_code_only"]
