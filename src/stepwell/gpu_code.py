"""Code of a step-6 module for a GPU: LLVM IR of its kernels and of what its host keeps, PTX, cubin, a table of resources."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp

from stepwell.device_targets import Machine

CODE = ("llvm", "ptx", "cubin", "resources")
"""What can be made of a program for a GPU below the last step."""


def emit_code(module: ModuleOp, what: str, machine: Machine, opt_level: int) -> str | bytes:
    """Code of a module on the last step; `what` is one of `CODE`."""
    raise NotImplementedError
