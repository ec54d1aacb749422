"""Which machine a program is compiled for, and what runs it there.

What is asked for is a name (`target_names`); a program that is already scheduled says so itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from xdsl.dialects.builtin import DictionaryAttr, ModuleOp, StringAttr

from stepwell.backends.arm_cpus import ARM_CPUS
from stepwell.backends.target import Target
from stepwell.backends.x86_cpus import CPUS
from stepwell.dialects.stepwell import TARGET, TargetAttr
from stepwell.ir.diagnostics import invalid
from stepwell.ir.machine import machine_of
from stepwell.steps import STEP_NAMES, current_step
from stepwell.target_names import (
    AMDGPU,
    CPU,
    CUDA,
    INTERPRETER,
    SIMULATOR,
    VARIABLE,
    TargetName,
    amd_names,
    cpu_machine,
    default_target,
    gpu_names,
    parse_target,
    target_of_environment,
    variants_of,
)

if TYPE_CHECKING:
    from stepwell.backends.gpu_target import DeviceTarget

GPU_ARCHES = ("nvptx64", "amdgcn")
"""The `arch` of a GPU's `stepwell.target`."""
DEFAULT_GPU = "sm_90"
"""What is simulated when nobody names a GPU."""

_BOUND = STEP_NAMES.index("scheduled")
"""From this step on a program is written for one machine."""


@dataclass(frozen=True)
class GpuMachine:
    """A GPU, and the CPU that drives it."""

    gpu: DeviceTarget
    host: Target
    memory_bytes: int | None = None
    """What the GPU has, where it is the one at hand."""
    device: int = 0
    """Which of this machine's GPUs runs it."""

    @property
    def cpu(self) -> str:
        """The GPU's name, `sm_90`."""
        return self.gpu.cpu

    def attribute(self) -> TargetAttr:
        """The `#stepwell.target` attribute."""
        return self.gpu.attribute(self.host)


Machine: TypeAlias = Target | GpuMachine
"""What a program is compiled for."""


def choose(asked: TargetName | str | None, module: ModuleOp) -> TargetName:
    """The target for a program: what is asked for; else the default, unless the program is written for another machine.

    Raises:
        InvalidProgramError: unknown target.
    """
    gpu = gpu_of(module)
    name = parse_target(asked) if asked is not None else default_target()
    if asked is None and name.kind != INTERPRETER and is_bound(module) and name.on_gpu != (gpu is not None):
        name = TargetName(CPU if gpu is None else SIMULATOR)
    if name.on_gpu and name.variant is None and gpu in variants_of(name.kind):
        return replace(name, variant=gpu)
    return name


def machine_for(name: TargetName, simd: str | None = None, *, reproducible: bool = False) -> Machine:
    """The machine a target means; `simd` limits the CPU (of a GPU: the one that drives it).

    With `reproducible` the CPU is a fixed one of its level instead of this machine's.

    Raises:
        InvalidProgramError: the CPU has no such instruction set, or is asked for two.
        UnsupportedError: the GPU at hand is asked for, and there is none.
    """
    if not name.on_gpu:
        return cpu_machine(name, simd, reproducible=reproducible, runs=False)
    return _gpu_machine(name, cpu_machine(TargetName(CPU), simd, reproducible=reproducible))


def _gpu_machine(name: TargetName, host: Target) -> GpuMachine:
    """The GPU a target means, and what drives it."""
    from stepwell.backends.amdgpu import amd_target
    from stepwell.backends.nvptx import gpu_target

    if name.variant in amd_names():
        return GpuMachine(amd_target(name.variant), host)
    if name.variant is not None or name.kind == SIMULATOR:
        return GpuMachine(gpu_target(name.variant or DEFAULT_GPU), host, device=name.device or 0)
    from stepwell.runtime.cuda.device import device
    from stepwell.runtime.cuda.errors import NoDriverError

    try:
        properties = device(name.device or 0).properties
    except NoDriverError as error:
        hint = "name a GPU, as in 'cuda:sm_90', to get its code without one; 'gpu-sim' simulates it"
        error.args = (f"{error}\nhint: {hint}",)
        raise
    gpu = gpu_target(properties.cpu, cores=properties.multiprocessors)
    return GpuMachine(gpu, host, properties.memory_bytes, name.device or 0)


def _entry(module: ModuleOp, key: str) -> str | None:
    """An entry of the module's target, if it is a text."""
    target = module.attributes.get(TARGET)
    entries = target.entries if isinstance(target, TargetAttr) else target
    value = entries.data.get(key) if isinstance(entries, DictionaryAttr) else None
    return value.data if isinstance(value, StringAttr) else None


def gpu_of(module: ModuleOp) -> str | None:
    """The GPU a program is written for, or was compiled for so far; None for a CPU's, or nobody's."""
    if _entry(module, "arch") in GPU_ARCHES:
        return _entry(module, "cpu") or DEFAULT_GPU
    if TARGET not in module.attributes and any(op.name == "gpu.module" for op in module.body.block.ops):
        return DEFAULT_GPU
    return None


def is_bound(module: ModuleOp) -> bool:
    """Whether a program is on a step that is written for one machine, and says for which."""
    return current_step(module) >= _BOUND and (TARGET in module.attributes or gpu_of(module) is not None)


def _asks_too_much(module: ModuleOp, machine: Machine) -> bool:
    """Whether a program that no machine's schedules are in yet is said to be for wider vectors than a CPU has."""
    if isinstance(machine, GpuMachine) or is_bound(module):
        return False
    written = machine_of(module)
    return written.level != machine.level and written.vector_bits > machine.vector_bits


def set_machine(module: ModuleOp, machine: Machine) -> None:
    """Write on the module which machine it is compiled for.

    What it says already of a machine of that name is kept, unless it says more of a CPU than that has.

    Raises:
        InvalidProgramError: it is scheduled for another one.
    """
    gpu = gpu_of(module)
    wanted = machine.cpu if isinstance(machine, GpuMachine) else None
    if gpu != wanted and is_bound(module):
        written = "a CPU" if gpu is None else f"the GPU {gpu}"
        message = f"is written for {written} (its {TARGET}), not for {'a CPU' if wanted is None else wanted}"
        driver = AMDGPU if gpu in amd_names() else CUDA
        hint = "compile it again from an earlier step" + (
            f", or take target 'gpu-sim:{gpu}' or '{driver}:{gpu}'" if gpu is not None else ""
        )
        raise invalid(module, message, hint)
    if gpu != wanted or TARGET not in module.attributes or _asks_too_much(module, machine):
        module.attributes[TARGET] = machine.attribute()


def road_of(module: ModuleOp) -> str:
    """Which road of `passes.pipelines.ROADS` the machine of a module takes."""
    return "cpu" if gpu_of(module) is None else "gpu"


def listing() -> str:
    """`stepwell targets`: one target a line, with what it is."""
    lines = [
        ("cpu", "native code for this machine at its widest instruction set"),
        *((f"cpu:{level}", "native code") for level in variants_of(CPU)),
        *((f"cpu:{name}", f"code for a processor of level {level}") for name, (level, _) in CPUS.items()),
        *((f"cpu:{name}", "code for an AArch64 processor (NEON, Linux)") for name in ARM_CPUS),
        ("interpreter", "NumPy rules, op by op, at the program's own step"),
        ("gpu-sim", f"the kernels of a GPU simulated in NumPy, with checks; as {DEFAULT_GPU}"),
        *((f"gpu-sim:{gpu}", "simulated") for gpu in variants_of(SIMULATOR)),
        ("cuda", "the GPU of this machine; cuda:1, ... are its others"),
        *((f"cuda:{gpu}", "PTX, cubin, resources without a GPU; runs where there is one") for gpu in gpu_names()),
        *((f"amdgpu:{gpu}", "assembly and resources; nothing here runs it") for gpu in amd_names()),
    ]
    width = max(len(name) for name, _ in lines) + 2
    return "\n".join(f"{name:<{width}}{what}" for name, what in lines)


__all__ = [
    "AMDGPU",
    "CPU",
    "CUDA",
    "DEFAULT_GPU",
    "INTERPRETER",
    "SIMULATOR",
    "VARIABLE",
    "GpuMachine",
    "Machine",
    "TargetName",
    "choose",
    "cpu_machine",
    "default_target",
    "gpu_of",
    "is_bound",
    "listing",
    "machine_for",
    "parse_target",
    "road_of",
    "set_machine",
    "target_of_environment",
]
