"""Executables of programs for a GPU: simulated, or run by the CUDA driver."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp

from stepwell.device_targets import Machine
from stepwell.ir.errors import SimulationError
from stepwell.native import Accept, build_interpreted
from stepwell.runtime.executable import Executable


def build_simulated(
    module: ModuleOp,
    entry: str,
    machine: Machine,
    opt_level: int,
    step: str,
    donate: tuple[int, ...] = (),
    verify_each: bool = False,
    accept: Accept | None = None,
) -> Executable:
    """An executable that simulates the kernels of a GPU, lowered to a step (the last one, to simulate threads)."""
    return build_interpreted(module, entry, machine, opt_level, step, donate, verify_each, accept, SimulationError)


def build_on_gpu(
    module: ModuleOp,
    entry: str,
    machine: Machine,
    opt_level: int,
    donate: tuple[int, ...] = (),
    verify_each: bool = False,
    accept: Accept | None = None,
) -> Executable:
    """An executable that the CUDA driver runs."""
    raise NotImplementedError
