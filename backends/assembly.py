"""From LLVM IR text to the assembly of a GPU, in a child process.

LLVM aborts the process on what it cannot do, so assembly is made by a worker (`assembly_worker`): one child process for many
modules and all GPUs, started when first needed and again after it died.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from typing import IO, Any

from stepwell.backends.gpu_target import DeviceTarget
from stepwell.ir.diagnostics import Diagnostic, InternalDiagnosticError

_WORKER = "stepwell.backends.assembly_worker"
_PATIENCE = 5.0
"""Seconds an idle worker gets to end by itself."""
_SOURCE = re.compile(r'^source_filename = "([^"]*)"$', re.MULTILINE)


def compile_assembly(text: str, target: DeviceTarget, what: str, opt_level: int = 2) -> str:
    """The assembly of an LLVM module, which is called `what`; the same text gives the same bytes.

    Raises:
        InternalError: LLVM refused the module or aborted; names the module and says what LLVM said.
    """
    request = {
        "text": text,
        "triple": target.llvm_triple,
        "cpu": target.cpu,
        "features": target.llvm_features,
        "opt": min(max(opt_level, 1), 3),
    }
    answer = _worker().ask(request)
    if "assembly" in answer:
        return answer["assembly"]
    raise refused(text, target, f"LLVM made no {what}", answer["error"])


def refused(text: str, target: DeviceTarget, what: str, said: str) -> InternalDiagnosticError:
    """The error for a module that a tool refused, with what it said."""
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
    """A child process that makes assembly; one request at a time."""

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
