"""`stepwell reduce`: delta debugging on IR, by a test command; `reduce_module` is the same by a Python function.

The command gets the path of a candidate and says with exit code 0 that it is interesting, as `mlir-reduce` asks. It is run without
a shell unless asked for; the path is one of ours, so that no name in the program becomes a path or shell text.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from stepwell.ir.errors import InvalidProgramError
from stepwell.ir.printer import print_ir
from stepwell.reduction.reducer import NotInterestingError, count_ops, reduce_module
from stepwell.source import parse


class CommandTest:
    """A test of candidates: a command that exits with 0 on an interesting one."""

    def __init__(self, command: str, *, shell: bool = False, timeout: float = 60.0):
        """`command` is split as a shell would; with `shell` it is run by one, with the path as its `$1`.

        Raises:
            InvalidProgramError: there is no command in it.
        """
        try:
            words = ["/bin/sh", "-c", command, "stepwell-reduce"] if shell else shlex.split(command)
        except ValueError as error:
            raise InvalidProgramError(f"--test: {error}: {command}") from None
        if not words:
            raise InvalidProgramError("--test: no command is given")
        self._words = words
        self._timeout = timeout
        self.tests = 0

    def __call__(self, candidate: str) -> bool:
        """Whether a candidate, as text, is interesting.

        Raises:
            InvalidProgramError: the command cannot be run at all.
        """
        self.tests += 1
        with tempfile.TemporaryDirectory(prefix="stepwell-reduce-") as folder:
            path = Path(folder, "candidate.mlir")
            path.write_text(candidate, encoding="utf-8")
            return self._run(str(path)) == 0

    def _run(self, path: str) -> int | None:
        """The exit code; None when it took too long, and is ended with all it started."""
        try:
            process = subprocess.Popen(
                [*self._words, path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise InvalidProgramError(f"--test: cannot run '{self._words[0]}': {error.strerror}") from None
        try:
            return process.wait(self._timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def reduce_program(
    program: Any,
    test: Callable[[str], bool],
    *,
    most_tests: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> str:
    """The text of a small program that `test` finds interesting, made from `program`.

    Raises:
        InvalidProgramError: the program is malformed, or not interesting.
    """
    module = parse(program)
    tell = progress or _say_nothing
    tests = 0

    def is_interesting(candidate: ModuleOp) -> bool:
        nonlocal tests
        tests += 1
        return test(print_ir(candidate))

    tell(f"from {count_ops(module)} ops")
    try:
        reduced = reduce_module(module, is_interesting, most_tests=most_tests, progress=tell)
    except NotInterestingError as error:
        raise InvalidProgramError(str(error)) from None
    tell(f"to {count_ops(reduced)} ops in {tests} tests")
    return print_ir(reduced)


def _say_nothing(line: str) -> None:
    del line


__all__ = ["CommandTest", "NotInterestingError", "reduce_module", "reduce_program"]
