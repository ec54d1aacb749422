"""The parallel runtime as an object: `runtime/*.mlir`, compiled by this compiler like any other module."""

from __future__ import annotations

import functools
from importlib import resources

from stepwell.backends.llvm_ir import write_llvm
from stepwell.backends.object import compile_llvm
from stepwell.backends.target import Target
from stepwell.dialects.registry import context
from stepwell.ir.parser import parse_module

SOURCES = ("deque.mlir", "pool.mlir", "threads.mlir", "arena.mlir", "calls.mlir", "recorded.mlir")
"""Together one module."""


def pool_source() -> str:
    """The text of the module."""
    folder = resources.files("stepwell.runtime")
    return "\n".join(folder.joinpath(name).read_text() for name in SOURCES)


@functools.cache
def pool_object(target: Target) -> bytes:
    """The object that defines `stepwell_parallel_for` and what else `runtime/pool.py` names."""
    module = parse_module(pool_source(), "pool.mlir", context())
    (host,) = write_llvm(module, target)
    return compile_llvm(host.text, target, 2)
