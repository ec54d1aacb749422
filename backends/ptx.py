"""From LLVM IR text to PTX, in a child process, and from PTX to machine code with `ptxas`."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stepwell.backends.assembly import compile_assembly, refused
from stepwell.backends.nvptx import GpuTarget
from stepwell.ir.errors import UnsupportedError


def compile_ptx(text: str, target: GpuTarget, opt_level: int = 2) -> str:
    """The PTX of an LLVM module; the same text gives the same bytes.

    Raises:
        InternalError: LLVM refused the module or aborted; names the module and says what LLVM said.
    """
    return compile_assembly(text, target, "PTX", opt_level)


# Machine code


@dataclass(frozen=True)
class KernelResources:
    """What one kernel takes of a multiprocessor, as ptxas counts it; bytes but for registers."""

    kernel: str
    registers: int
    shared: int
    stack: int
    spill_stores: int
    spill_loads: int
    barriers: int


@dataclass(frozen=True)
class Cubin:
    """Machine code of a device module for one processor."""

    data: bytes
    resources: tuple[KernelResources, ...]


@functools.cache
def ptxas() -> str | None:
    """The `ptxas` of the pip package `nvidia-cuda-nvcc`, else the one on the path or of a CUDA toolkit; None without any."""
    spec = importlib.util.find_spec("nvidia")
    for root in (spec.submodule_search_locations or ()) if spec is not None else ():
        for path in sorted(Path(root).glob("**/bin/ptxas")):
            return str(path)
    found = shutil.which("ptxas")
    if found is not None:
        return found
    for home in (os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda"):
        if home and (path := Path(home) / "bin" / "ptxas").is_file():
            return str(path)
    return None


def assemble(ptx: str, target: GpuTarget, opt_level: int = 3) -> Cubin:
    """Machine code of a PTX module.

    Raises:
        UnsupportedError: there is no ptxas here.
        InternalError: ptxas refused the PTX; says what it said.
    """
    program = ptxas()
    if program is None:
        raise UnsupportedError(
            "no ptxas here to assemble PTX with; pip install nvidia-cuda-nvcc, or put a CUDA toolkit's ptxas on the path"
        )
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder) / "module.ptx", Path(folder) / "module.cubin"
        source.write_text(ptx, encoding="utf-8")
        command = [program, "--verbose", "--fmad=false", f"--gpu-name={target.cpu}", f"-O{opt_level}"]
        done = subprocess.run(
            [*command, str(source), "--output-file", str(result)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise refused(ptx, target, "ptxas refused PTX", done.stderr or done.stdout)
        return Cubin(result.read_bytes(), parse_resources(done.stderr + done.stdout))


_ENTRY = re.compile(r"Compiling entry function '([^']+)'")
_STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers(?:, used (\d+) barriers)?")
_SHARED = re.compile(r"(\d+) bytes smem")


def parse_resources(text: str) -> tuple[KernelResources, ...]:
    """What `ptxas -v` says of each kernel, in its order."""
    kernels: list[KernelResources] = []
    starts = [*_ENTRY.finditer(text)]
    for position, start in enumerate(starts):
        end = starts[position + 1].start() if position + 1 < len(starts) else len(text)
        part = text[start.end() : end]
        stack, used, shared = _STACK.search(part), _USED.search(part), _SHARED.search(part)
        kernels.append(
            KernelResources(
                kernel=start.group(1),
                registers=int(used.group(1)) if used else 0,
                shared=int(shared.group(1)) if shared else 0,
                stack=int(stack.group(1)) if stack else 0,
                spill_stores=int(stack.group(2)) if stack else 0,
                spill_loads=int(stack.group(3)) if stack else 0,
                barriers=int(used.group(2) or 0) if used else 0,
            )
        )
    return tuple(kernels)


_COLUMNS = ("kernel", "registers", "shared bytes", "stack bytes", "spill stores", "spill loads", "barriers")


def format_resources(resources: Sequence[KernelResources]) -> str:
    """A table, one line a kernel; ends without a newline."""
    rows: list[tuple[str, ...]] = [_COLUMNS]
    for r in resources:
        numbers = (r.registers, r.shared, r.stack, r.spill_stores, r.spill_loads, r.barriers)
        rows.append((r.kernel, *map(str, numbers)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines: list[str] = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
