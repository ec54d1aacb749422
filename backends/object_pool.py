"""Objects of several LLVM modules at once: here and in child processes, where the time that takes repays them.

LLVM is called under one lock in a process, so other processes help; they are started, never forked, when first needed, reused, and end
with this one. What comes of it is the same as of `compile_llvm` one after the other: whatever a child does not make is made here.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict

from stepwell.backends.object import compile_llvm
from stepwell.backends.object_worker import read_piece, write_piece
from stepwell.backends.target import Target
from stepwell.ir.cores import usable_cores

_WORKER = "stepwell.backends.object_worker"
_SECONDS = 2e-6, 5e-3
"""What LLVM takes: per byte of text, and per module."""
_START_SECONDS = 1.0
"""Predicted work from which on starting children repays itself."""
_SHARE_SECONDS = 0.1
"""Predicted work from which on children that were started are given some."""
_PATIENCE = 60.0, 20.0
"""How long a child may take until it counts as lost: seconds, and times what is predicted."""
_MOST_CHILDREN = 15


def predicted_seconds(text: str) -> float:
    """What LLVM will take for a module, roughly."""
    return len(text) * _SECONDS[0] + _SECONDS[1]


def compile_all(texts: Sequence[str], target: Target, opt_level: int = 2) -> list[bytes]:
    """The objects of LLVM modules, in their order.

    Raises:
        UnsupportedError: as `compile_llvm`.
    """
    total = sum(map(predicted_seconds, texts))
    if len(texts) < 2 or total < (_SHARE_SECONDS if _team.is_running() else _START_SECONDS):
        return [compile_llvm(text, target, opt_level) for text in texts]
    return _team.compile(texts, target, opt_level)


class Child:
    """A child process that makes objects; one request at a time."""

    def __init__(self) -> None:
        path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", _WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # an interrupt is for this process: its end is the children's
        )

    def ask(self, request: bytes, text: str) -> bytes | None:
        """The object; None when there is none, or the child is lost."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            write_piece(self._process.stdin, request)
            write_piece(self._process.stdin, text.encode())
            self._process.stdin.flush()
            return read_piece(self._process.stdout) or None
        except (OSError, EOFError, ValueError):
            self.end()
            return None

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None


class _Work:
    """Modules to compile, the largest first, each by whoever takes it."""

    def __init__(self, texts: Sequence[str]):
        self.texts = texts
        self.made: list[bytes | None] = [None] * len(texts)
        self._left = sorted(range(len(texts)), key=lambda i: (len(texts[i]), i))
        self._lock = threading.Lock()

    def take(self) -> int | None:
        """A module that nobody has taken."""
        with self._lock:
            return self._left.pop() if self._left else None


class Team:
    """The children of this process; a fork of it has none."""

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._parents: list[Child] = []
        self._lock = threading.Lock()
        self._ends_at_exit = False

    def is_running(self) -> bool:
        """Whether some child was started."""
        return bool(self._children)

    def compile(self, texts: Sequence[str], target: Target, opt_level: int) -> list[bytes]:
        """The objects of modules, made by the children and by this process; one caller at a time has the children's help."""
        work = _Work(texts)
        request = json.dumps({"target": asdict(target), "opt_level": opt_level}).encode()
        if self._lock.acquire(blocking=False):
            try:
                self._share(work, request, target, opt_level)
            finally:
                self._lock.release()
        objects: list[bytes] = []
        for text, made in zip(texts, work.made, strict=True):
            objects.append(compile_llvm(text, target, opt_level) if made is None else made)
        return objects

    def forget(self) -> None:
        """What a fork of the process does: the children are its parent's, as is whoever holds the lock."""
        self._parents += self._children
        self._children, self._lock, self._ends_at_exit = [], threading.Lock(), False

    def _share(self, work: _Work, request: bytes, target: Target, opt_level: int) -> None:
        helpers = [(child, self._helper(child, work, request)) for child in self._ready(len(work.texts) - 1)]
        try:
            while (i := work.take()) is not None:
                work.made[i] = compile_llvm(work.texts[i], target, opt_level)
        finally:
            limit = _PATIENCE[0] + _PATIENCE[1] * max(map(predicted_seconds, work.texts))
            for child, thread in helpers:
                thread.join(limit)
                if thread.is_alive():
                    child.end()
                    thread.join()

    @staticmethod
    def _helper(child: Child, work: _Work, request: bytes) -> threading.Thread:
        """A thread that has `child` make objects while there are modules left."""

        def help_out() -> None:
            while child.is_alive and (i := work.take()) is not None:
                work.made[i] = child.ask(request, work.texts[i])

        thread = threading.Thread(target=help_out, name="stepwell-objects", daemon=True)
        thread.start()
        return thread

    def _ready(self, most: int) -> list[Child]:
        """The children to ask, started as far as they are missing: one a core but for this process's."""
        wanted = min(usable_cores() - 1, most, _MOST_CHILDREN)
        if not self._ends_at_exit:
            atexit.register(self.end)
            self._ends_at_exit = True
        self._children = [child for child in self._children if child.is_alive]
        with contextlib.suppress(OSError):
            while len(self._children) < wanted:
                self._children.append(Child())
        return self._children[:wanted]

    def end(self) -> None:
        """End the children."""
        for child in self._children:
            child.end()
        self._children = []


_team = Team()
os.register_at_fork(after_in_child=_team.forget)

__all__ = ["Child", "Team", "compile_all", "predicted_seconds"]
