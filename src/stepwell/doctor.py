"""`stepwell doctor`: what this installation and this machine offer."""

from __future__ import annotations

import platform
import sys
from importlib import metadata


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def report() -> str:
    """Versions, CPU level and features, LLVM and CUDA, one `name: value` a line."""
    from stepwell.backends.target import host_target
    from stepwell.backends.versions import host_cpu, llvm_version
    from stepwell.runtime.cuda import driver_status

    target = host_target()
    lines = [
        ("stepwell", _version("stepwell")),
        ("python", f"{platform.python_version()} ({sys.executable})"),
        ("platform", f"{platform.system()} {platform.machine()}"),
        *(
            (package, _version(package))
            for package in ("xdsl", "llvmlite", "numpy", "ml_dtypes", "jax", "torch", "onnx")
        ),
        ("llvm", llvm_version()),
        ("cpu", host_cpu()),
        *target.describe(),
        ("cuda", driver_status()),
    ]
    return "\n".join(f"{name + ':':<14}{value}" for name, value in lines)
