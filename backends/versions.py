"""What LLVM this installation compiles with."""

from __future__ import annotations

import llvmlite
from llvmlite import binding


def llvm_version() -> str:
    """The LLVM version, `major.minor.patch`."""
    return ".".join(str(part) for part in binding.llvm_version_info)


def host_cpu() -> str:
    """LLVM's name for the processor of this machine."""
    return binding.get_host_cpu_name()


def toolchain() -> str:
    """The LLVM version, and that of the package it is called through."""
    return f"LLVM {llvm_version()}, llvmlite {llvmlite.__version__}"
