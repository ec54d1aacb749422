"""Running LLVM's optimizer on a module, in whatever process."""

from __future__ import annotations

from llvmlite import binding as llvm
from llvmlite.binding.newpassmanagers import NewPassManager


def optimize(module: llvm.ModuleRef, machine: llvm.TargetMachine, options: llvm.PipelineTuningOptions) -> None:
    """Run the default pipeline of `options` on a module, which it changes.

    A pipeline is made for each module: its builder keeps callbacks of the run, which are gone when that ends.
    """
    with llvm.create_pass_builder(machine, options) as builder:
        manager = builder.getModulePassManager()
        try:
            manager.run(module, builder)
        finally:
            # llvmlite 0.50 never frees one: `close` finds the `_dispose` of another base class, which does nothing. That is
            # 30 KB a pipeline, and another 70 KB of what its passes keep after a run.
            NewPassManager._dispose(manager)  # pyright: ignore[reportPrivateUsage]
            manager.detach()


__all__ = ["optimize"]
