"""`stepwell doctor`: what this installation and this machine offer."""

from __future__ import annotations

import platform
import sys
from importlib import metadata, util


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _cuda() -> str:
    if util.find_spec("cuda") is None:
        return "no (pip install stepwell[cuda] for NVIDIA GPUs)"
    try:
        from cuda.bindings import driver  # pyright: ignore

        status, version = driver.cuDriverGetVersion()
    except Exception as error:  # the bindings raise driver-specific types when there is no driver
        return f"bindings installed, no driver ({type(error).__name__})"
    return f"driver {version}" if int(status) == 0 else f"no driver (status {int(status)})"


def report() -> str:
    """Versions, CPU level and features, LLVM and CUDA, one `name: value` a line."""
    from llvmlite import binding

    from stepwell.backends.target import host_target

    target = host_target()
    lines = [
        ("stepwell", _version("stepwell")),
        ("python", f"{platform.python_version()} ({sys.executable})"),
        ("platform", f"{platform.system()} {platform.machine()}"),
        *((package, _version(package)) for package in ("xdsl", "llvmlite", "numpy", "ml_dtypes", "jax", "torch", "onnx")),
        ("llvm", ".".join(str(part) for part in binding.llvm_version_info)),
        ("cpu", binding.get_host_cpu_name()),
        *target.describe(),
        ("cuda", _cuda()),
    ]
    return "\n".join(f"{name + ':':<14}{value}" for name, value in lines)
