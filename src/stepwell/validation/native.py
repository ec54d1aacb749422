"""Code against the interpreter: the last step of a program, natively and in NumPy, on the same inputs.

A wrong program may crash, so that smaller ones are tried in processes of their own (`stepwell-opt --run-reproducer`).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from stepwell.backends.target import LEVELS, Target
from stepwell.generated_inputs import Array
from stepwell.ir.diagnostics import remark
from stepwell.ir.errors import CompileError
from stepwell.ir.instrumentation import reproducer
from stepwell.ir.printer import print_ir
from stepwell.runtime.executable import Executable
from stepwell.validate import Comparison, Difference, MiscompileDiagnosticError, Validation, report

CHILD_SECONDS = 60.0
_LEVELS = frozenset("0123")
MOST_TESTS = 80
"""Candidates that a reduction may run, each in a process."""


@dataclass(frozen=True)
class NativeSuspect:
    """Native code that computes something else than the last step: how to make it again."""

    entry: str
    opt_level: int
    simd: str | None
    seed: int
    command: tuple[str, ...] = (sys.executable, "-m", "stepwell.opt")
    """The tool that replays a reproducer."""

    what = "native code"
    pipeline = "builtin.module()"
    most_tests = MOST_TESTS

    @property
    def native(self) -> str:
        """The options, as a reproducer records them."""
        return f"{self.opt_level} {self.simd or '-'} {self.entry}"

    @classmethod
    def recorded(cls, text: str, seed: int) -> NativeSuspect:
        """What `native` wrote.

        Raises:
            ValueError: it wrote no such text.
        """
        level, simd, entry = text.split(" ", 2)
        if level not in _LEVELS:
            raise ValueError(f"no optimization level {level}")
        if simd not in ("-", *LEVELS):
            raise ValueError(f"no instruction set {simd}")
        return cls(entry, int(level), None if simd == "-" else simd, seed)

    def find(self, module: ModuleOp) -> Difference | None:
        """The difference between native code and the last step of a program, compiled and run in this process."""
        from stepwell.device_targets import TargetName, cpu_machine
        from stepwell.native import build_executable

        validation = Validation(self.seed, reduce=False)
        machine = cpu_machine(TargetName("cpu"), self.simd)
        try:
            executable = build_executable(module, self.entry, machine, self.opt_level, instrumentations=(validation,))
        except CompileError:
            return None
        assert validation.comparison is not None
        return native_difference(validation.comparison, executable)

    def is_interesting(self, module: ModuleOp) -> bool:
        """Whether there is one, found out in another process."""
        text = reproducer(print_ir(module, generic=True), self.pipeline, validate=self.seed, native=self.native)
        with tempfile.TemporaryDirectory(prefix="stepwell-reduce-") as folder:
            path = Path(folder, "candidate.mlir")
            path.write_text(text, encoding="utf-8")
            try:
                done = subprocess.run(
                    [*self.command, "--run-reproducer", str(path)],
                    capture_output=True,
                    timeout=CHILD_SECONDS,
                    stdin=subprocess.DEVNULL,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return False
        return done.returncode == 1 and f"{self.what} changes what".encode() in done.stderr


def native_difference(comparison: Comparison, executable: Executable) -> Difference | None:
    """The first difference between an executable and what the watched function gave last in the interpreter."""
    for name in comparison.names:
        for kind, (inputs, outcome) in comparison.results(name).items():
            if outcome.results is None:
                continue
            results = _run(executable, inputs)
            message = comparison.judge(name, kind, results, exact=False)
            if message is not None:
                return Difference(name, kind, message, tuple(inputs), outcome.results, tuple(results))
    return None


def _run(executable: Executable, inputs: Sequence[Array]) -> list[Array]:
    return [np.asarray(result) for result in executable(*(a.copy() for a in inputs))]


def check_native(
    validation: Validation, executable: Executable, module: ModuleOp, entry: str, opt_level: int, machine: Any
) -> None:
    """Hold the executable of a program against its last step in the interpreter.

    Raises:
        MiscompileError: they differ; says how, with the program reduced.
    """
    comparison = validation.comparison
    if comparison is None:
        return
    if entry not in comparison.names:
        remark(module, f"native code of @{entry} is not validated: nothing ran in the interpreter")
        return
    found = native_difference(comparison, executable)
    if found is None:
        return
    simd = machine.level if isinstance(machine, Target) else None
    suspect = NativeSuspect(entry, opt_level, simd, validation.seed)
    raise report(found, suspect, module, reduce=isinstance(machine, Target))


def replay(module: ModuleOp, suspect: NativeSuspect) -> None:
    """Compile and run as a reproducer says.

    Raises:
        MiscompileError: native code still differs.
    """
    found = suspect.find(module)
    if found is not None:
        raise report(found, suspect, module, reduce=False, write=False)


__all__ = ["MiscompileDiagnosticError", "NativeSuspect", "check_native", "native_difference", "replay"]
