"""Compiling the parallel runtime, `runtime/pool.mlir`, for a target."""

from __future__ import annotations

import functools
from importlib import resources

from stepwell.backends.llvm_ir import write_llvm
from stepwell.backends.object import compile_llvm
from stepwell.backends.target import Target
from stepwell.dialects.registry import context
from stepwell.ir.parser import parse_module


@functools.cache
def pool_object(target: Target) -> bytes:
    """The object of the pool; exports `stepwell_parallel_for` and what `runtime/pool.py` names."""
    text = resources.files("stepwell.runtime").joinpath("pool.mlir").read_text()
    (host,) = write_llvm(parse_module(text, "pool.mlir", context()), target)
    return compile_llvm(host.text, target, 2)
