"""What `target=` may say: a kind of machine and, after a colon, a machine of that kind.

"cpu", "cpu:avx2", "cpu:znver4,-avx512bf16", "interpreter", "gpu-sim", "gpu-sim:sm_80", "cuda", "cuda:1", "cuda:sm_90",
"amdgpu:gfx90a". Without one, `STEPWELL_TARGET` says which. Nothing here needs a program, so nothing is imported that
is only needed for one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stepwell.backends.target import (
    LEVELS,
    NATIVE,
    PROCESSORS,
    X86,
    Target,
    cpu_target,
    host_target,
    missing_here,
    target_for,
)
from stepwell.ir.errors import InvalidProgramError

CPU, INTERPRETER, SIMULATOR, CUDA, AMDGPU = "cpu", "interpreter", "gpu-sim", "cuda", "amdgpu"
VARIABLE = "STEPWELL_TARGET"

KINDS = (CPU, INTERPRETER, SIMULATOR, CUDA, AMDGPU)


@dataclass(frozen=True)
class TargetName:
    """A target as it is asked for; `variant` is None for the machine at hand, `device` is the number of one of several."""

    kind: str
    variant: str | None = None
    device: int | None = None
    features: str = ""
    """Of a CPU: what it has beyond its name, or lacks: "+avxvnni,-avx512f"."""

    def __str__(self) -> str:
        if self.variant is None:
            return self.kind if self.device is None else f"{self.kind}:{self.device}"
        return f"{self.kind}:{self.variant}" + (f",{self.features}" if self.features else "")

    @property
    def on_gpu(self) -> bool:
        """Whether the program is compiled for a GPU."""
        return self.kind in (SIMULATOR, CUDA, AMDGPU)


def gpu_names() -> tuple[str, ...]:
    """The GPUs there is code for, by what NVIDIA calls their architecture."""
    from stepwell.backends.nvptx import PROCESSORS

    return PROCESSORS


def amd_names() -> tuple[str, ...]:
    """The AMD GPUs there is code for, by LLVM's names."""
    from stepwell.backends.amdgpu import PROCESSORS

    return PROCESSORS


def variants_of(kind: str) -> tuple[str, ...]:
    """The machines a kind of target can be told."""
    if kind == INTERPRETER:
        return ()
    if kind == CPU:
        return LEVELS
    return {SIMULATOR: (*gpu_names(), *amd_names()), CUDA: gpu_names(), AMDGPU: amd_names()}[kind]


def parse_target(text: Any) -> TargetName:
    """The target that a text names.

    Raises:
        InvalidProgramError: no such kind or machine; says what is near.
    """
    if isinstance(text, TargetName):
        return text
    if not isinstance(text, str):
        raise InvalidProgramError(f"a target is a name such as 'cpu' or 'cuda:sm_90', not {text!r}")
    kind, colon, variant = text.partition(":")
    if kind not in KINDS:
        hint = _close_name(kind, KINDS) or _near_variant(kind)
        raise _unknown(f"unknown target '{text}'; the targets are {', '.join(KINDS)}", hint)
    if not colon and kind == AMDGPU:
        raise InvalidProgramError(f"target '{kind}' does not say which: '{kind}:' and one of {', '.join(amd_names())}")
    if not colon:
        return TargetName(kind)
    if kind == CUDA and variant.isascii() and variant.isdigit() and len(variant) < 4:
        return TargetName(kind, device=int(variant))
    variants = variants_of(kind)
    if not variants:
        raise InvalidProgramError(f"unknown target '{text}'; '{kind}' takes nothing after it")
    if kind == CPU and (found := _cpu_of(variant)) is not None:
        return found
    if variant not in variants:
        more = {CUDA: " or a GPU's number", CPU: ", or by a processor's name (stepwell targets lists them)"}.get(
            kind, ""
        )
        message = f"unknown target '{text}'; '{kind}:' is followed by one of {', '.join(variants)}{more}"
        near = (*variants, *PROCESSORS, NATIVE) if kind == CPU else variants
        raise _unknown(message, _close_name(text, [f"{kind}:{name}" for name in near]))
    return TargetName(kind, variant)


def _cpu_of(variant: str) -> TargetName | None:
    """A CPU by level or by name, with features after a comma; None for an unknown one.

    Raises:
        InvalidProgramError: a feature is none.
    """
    cpu, _, features = variant.partition(",")
    if cpu == NATIVE and not features:
        return TargetName(CPU)
    if cpu not in PROCESSORS and cpu not in LEVELS and cpu != NATIVE:
        return None
    if cpu in PROCESSORS or features:
        cpu_target(cpu, features)
    return TargetName(CPU, cpu, features=features)


def _near_variant(text: str) -> str | None:
    """A hint for who names the machine only: `sm_90`."""
    kinds = [kind for kind in KINDS if text in variants_of(kind)]
    return f"did you mean {' or '.join(repr(f'{kind}:{text}') for kind in kinds)}?" if kinds else None


def _close_name(name: str, candidates: Sequence[str]) -> str | None:
    from stepwell.ir.diagnostics import close_name

    return close_name(name, candidates)


def _unknown(message: str, hint: str | None) -> InvalidProgramError:
    return InvalidProgramError(message + (f"\nhint: {hint}" if hint else ""))


def default_target() -> TargetName:
    """The target of who names none: `STEPWELL_TARGET`, else the CPU.

    Raises:
        InvalidProgramError: the variable names no target.
    """
    return target_of_environment() or TargetName(CPU)


def target_of_environment() -> TargetName | None:
    """The target that `STEPWELL_TARGET` names, if it does.

    Raises:
        InvalidProgramError: it names something else.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    try:
        return parse_target(text)
    except InvalidProgramError as error:
        raise InvalidProgramError(f"{error}\nnote: {VARIABLE} says so") from None


def cpu_machine(name: TargetName, simd: str | None = None, *, reproducible: bool = False, runs: bool = True) -> Target:
    """This machine at the instruction set that a target or `simd` asks for, or the processor that it names.

    With `reproducible` it is a fixed machine of the level instead; `runs` says whether the code is to run here.

    Raises:
        InvalidProgramError: it has no such instruction set, or is asked for two.
    """
    if name.variant is not None and simd is not None and simd != name.variant:
        raise InvalidProgramError(f"target '{name}' and simd='{simd}' are two instruction sets")
    if name.features or name.variant in PROCESSORS:
        assert name.variant is not None
        target = cpu_target(name.variant, name.features)
        missing = missing_here(target) if runs else []
        if missing:
            hint = "stepwell compile --emit=obj, asm or llvm makes code for other machines"
            why = f"it lacks {', '.join(missing[:6])}" if target.arch == X86 else f"it is no {target.arch}"
            message = f"this machine cannot run code for {target.cpu}: {why}"
            raise InvalidProgramError(f"{message}\nhint: {hint}")
        return target
    level = name.variant or simd
    return target_for(level or "avx2", generic=True) if reproducible else host_target(level)


__all__ = [
    "AMDGPU",
    "CPU",
    "CUDA",
    "INTERPRETER",
    "KINDS",
    "SIMULATOR",
    "VARIABLE",
    "TargetName",
    "amd_names",
    "cpu_machine",
    "default_target",
    "gpu_names",
    "parse_target",
    "target_of_environment",
    "variants_of",
]
