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


def _gpus() -> list[tuple[str, str]]:
    """A line for each GPU of this machine, as targets name it."""
    from stepwell.runtime.cuda import available
    from stepwell.runtime.cuda.device import device, device_count
    from stepwell.runtime.cuda.errors import CudaError

    if not available():
        return []
    try:
        found = [device(i).properties for i in range(device_count())]
    except CudaError as error:
        return [("gpu", f"cannot be asked: {str(error).splitlines()[0]}")]
    return [
        (f"gpu {i}", f"{p.name} ({p.cpu}, {p.multiprocessors} multiprocessors, {p.memory_bytes >> 20} MiB)")
        for i, p in enumerate(found)
    ]


def report() -> str:
    """Versions, CPU level and features, LLVM, GPUs and CUDA, one `name: value` a line."""
    from stepwell.backends.ptx import ptxas
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
        *_gpus(),
        (
            "ptxas",
            ptxas() or "no (pip install nvidia-cuda-nvcc), so no cubin and no table of resources; PTX needs none",
        ),
    ]
    return "\n".join(f"{name + ':':<14}{value}" for name, value in lines)
