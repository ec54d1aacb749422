"""From LLVM IR text to the assembly of an AMD GPU, and what its kernels take as LLVM counts it.

A code object that a driver loads (`.hsaco`) is a linked shared object; LLVM makes what is to be linked, but its wheel has no linker.
"""

from __future__ import annotations

import re

from stepwell.backends.amdgpu import AmdTarget
from stepwell.backends.assembly import compile_assembly
from stepwell.backends.ptx import KernelResources


def compile_gcn(text: str, target: AmdTarget, opt_level: int = 2) -> str:
    """The assembly of an LLVM module; the same text gives the same bytes.

    Raises:
        InternalError: LLVM refused the module or aborted; names the module and says what LLVM said.
    """
    return compile_assembly(text, target, "assembly", opt_level)


_KERNEL = re.compile(r"^  - ", re.MULTILINE)
_NUMBER = re.compile(r"^    \.(\w+): +(\d+)$", re.MULTILINE)
_NAME = re.compile(r"^    \.name: +'?([^'\n]+)'?$", re.MULTILINE)
_FUNCTION = re.compile(r"^(\S+):\n((?:(?!\.Lfunc_end).*\n)*)\.Lfunc_end", re.MULTILINE)
_WORD = 4


def gcn_resources(assembly: str) -> tuple[KernelResources, ...]:
    """What each kernel takes, in the order of the assembly; vector registers, and spills of both kinds of registers, are per lane.

    A workgroup has one barrier: 1 for a kernel that waits at it.
    """
    code = {found.group(1): found.group(2) for found in _FUNCTION.finditer(assembly)}
    start = assembly.find("amdhsa.kernels:")
    end = assembly.find("\namdhsa.target:", start)
    kernels: list[KernelResources] = []
    for part in _KERNEL.split(assembly[start:end])[1:] if start >= 0 else []:
        text = f"    {part}"
        numbers = {name: int(value) for name, value in _NUMBER.findall(text)}
        found = _NAME.search(text)
        name = found.group(1) if found else ""
        spilled = _WORD * (numbers["vgpr_spill_count"] + numbers["sgpr_spill_count"])
        kernels.append(
            KernelResources(
                kernel=name,
                registers=numbers["vgpr_count"],
                shared=numbers["group_segment_fixed_size"],
                stack=numbers["private_segment_fixed_size"],
                spill_stores=spilled,
                spill_loads=spilled,
                barriers=int("\ts_barrier" in code.get(name, "")),
            )
        )
    return tuple(kernels)
