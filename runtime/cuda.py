"""The CUDA driver, where there is one."""

from __future__ import annotations

from importlib import util


def driver_status() -> str:
    """One line about the driver: its version, or why there is none."""
    if util.find_spec("cuda") is None:
        return "no (pip install stepwell[cuda] for NVIDIA GPUs)"
    try:
        from cuda.bindings import driver  # pyright: ignore

        status, version = driver.cuDriverGetVersion()  # pyright: ignore
    except Exception as error:  # the bindings raise driver-specific types when there is no driver
        return f"bindings installed, no driver ({type(error).__name__})"
    return f"driver {version}" if int(status) == 0 else f"no driver (status {int(status)})"  # pyright: ignore
