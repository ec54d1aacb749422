"""From LLVM IR text to PTX, in a child process, and from PTX to machine code with `ptxas`.

LLVM aborts the process on what it cannot do, so PTX is made by a worker (`ptx_worker`): one child process for many modules,
started when first needed and again after it died.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from stepwell.backends.nvptx import GpuTarget
from stepwell.ir.diagnostics import Diagnostic, InternalDiagnosticError
from stepwell.ir.errors import UnsupportedError

_WORKER = "stepwell.backends.ptx_worker"
_PATIENCE = 5.0
"""Seconds an idle worker gets to end by itself."""
_SOURCE = re.compile(r'^source_filename = "([^"]*)"$', re.MULTILINE)


def compile_ptx(text: str, target: GpuTarget, opt_level: int = 2) -> str:
    """The PTX of an LLVM module; the same text gives the same bytes.

    Raises:
        InternalError: LLVM refused the module or aborted; names the module and says what LLVM said.
    """
    answer = _worker().ask(
        {"text": text, "cpu": target.cpu, "features": target.llvm_features, "opt": min(max(opt_level, 1), 3)}
    )
    if "ptx" in answer:
        return answer["ptx"]
    raise _refused(text, target, "LLVM made no PTX", answer["error"])


def _refused(text: str, target: GpuTarget, what: str, said: str) -> InternalDiagnosticError:
    found = _SOURCE.search(text)
    name = f" for device module @{found.group(1)}" if found else ""
    diagnostic = Diagnostic("error", None, f"{what}{name} on {target.cpu}")
    for line in _essence(said):
        diagnostic = diagnostic.with_note(line)
    return InternalDiagnosticError(diagnostic)


def _essence(said: str) -> list[str]:
    """The lines of LLVM's last words that say something: not the stack, not the request to report a bug."""
    lines: list[str] = []
    for line in said.splitlines():
        if line.startswith(("PLEASE submit", "Stack dump:", "Stack dump without")):
            break
        if line.strip():
            lines.append(line.strip())
    return lines[:20] or ["it gave no reason"]


class _Worker:
    """A child process that makes PTX; one request at a time."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[str] | None = None

    def ask(self, request: dict[str, Any]) -> dict[str, str]:
        """The worker's answer, or what it said when it died of the request."""
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            line = ""
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
            if line.endswith("\n"):
                return json.loads(line)
            return {"error": self._last_words(process)}

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._process is None:
            self._errors = tempfile.TemporaryFile("w+")
            path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", _WORKER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                encoding="utf-8",
                env={**os.environ, "PYTHONPATH": path},
            )
        return self._process

    def _last_words(self, process: subprocess.Popen[str]) -> str:
        code = process.wait()
        assert self._errors is not None
        self._errors.seek(0)
        said = self._errors.read()
        self.close()
        return said or f"the process ended with code {code}"

    def close(self) -> None:
        """End the child process; only the process that started it may."""
        if self.owner != os.getpid():
            return
        process, self._process = self._process, None
        if process is not None:
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:  # a forked child of ours still holds its input open
                process.kill()
                process.wait()
        if self._errors is not None:
            self._errors.close()
            self._errors = None


_workers: list[_Worker] = []


def _worker() -> _Worker:
    """This process's worker; a forked child does not share its parent's, and leaves that one alone."""
    if not _workers or _workers[0].owner != os.getpid():
        _workers.insert(0, _Worker())
        atexit.register(_workers[0].close)
    return _workers[0]


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
            raise _refused(ptx, target, "ptxas refused PTX", done.stderr or done.stdout)
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
