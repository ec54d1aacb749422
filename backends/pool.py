"""The thread pool as an object: `runtime/pool.mlir`, compiled by this compiler like any other module."""

from __future__ import annotations

import functools
from importlib import resources

from stepwell.backends.llvm_ir import write_llvm
from stepwell.backends.object import compile_llvm
from stepwell.backends.target import Target
from stepwell.dialects.registry import context
from stepwell.ir.parser import parse_module

SOURCE = "pool.mlir"


@functools.cache
def pool_object(target: Target) -> bytes:
    """The object that defines `stepwell_parallel_for` and `stepwell_set_workers`."""
    text = resources.files("stepwell.runtime").joinpath(SOURCE).read_text()
    module = parse_module(text, SOURCE, context())
    (host,) = write_llvm(module, target)
    return compile_llvm(host.text, target, 2)
