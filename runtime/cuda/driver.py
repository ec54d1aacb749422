"""The CUDA driver's functions, found on first use; typed errors; what a fork leaves of them.

Every call goes through a module that has the functions of `cuda.bindings.driver` under their names: `use(module)` puts another in
its place, as the tests do where there is no GPU. Handles are opaque; addresses of device memory are plain ints.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from importlib import util
from typing import Any

from stepwell.runtime.cuda.errors import CudaError, DeviceOutOfMemoryError, NoDriverError

Api = Any
"""A module with the functions of `cuda.bindings.driver`."""

_OUT_OF_MEMORY = 2
_NO_DEVICE = 100

_lock = threading.RLock()
_on_change: list[Callable[[], None]] = []
"""Who forgets what it knows of the driver when another takes its place, or after a fork."""


class _State:
    """Which module is in use."""

    replacement: Api | None = None
    api: Api | None = None
    forked = False


def use(module: Api | None) -> None:
    """Call `module` instead of `cuda.bindings.driver`, or the latter again; devices are looked up anew."""
    with _lock:
        _State.replacement, _State.api, _State.forked = module, None, False
        for forget in _on_change:
            forget()


def on_change(forget: Callable[[], None]) -> None:
    """Have `forget` called whenever what was got from the driver is no longer of use."""
    _on_change.append(forget)


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()  # a thread that is gone may have held it
    if _State.api is not None:
        _State.api, _State.forked = None, True
        for forget in _on_change:
            forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def api() -> Api:
    """The driver's functions, initialized.

    Raises:
        NoDriverError: there is no driver, or no GPU.
        CudaError: this process was forked from one that used CUDA, which no driver supports.
    """
    found = _State.api
    return found if found is not None else _initialized()


def _initialized() -> Api:
    with _lock:
        if _State.forked:
            text = "this process was forked from one that had used CUDA; start it with multiprocessing's 'spawn'"
            raise CudaError("use CUDA", "CUDA_ERROR_NOT_INITIALIZED", text)
        if _State.api is None:
            found = _State.replacement if _State.replacement is not None else _bindings()
            try:
                status = found.cuInit(0)[0]
            except RuntimeError:  # of cuda.pathfinder: the library is not on this machine
                raise NoDriverError("no NVIDIA driver (libcuda) was found") from None
            if int(status) == _NO_DEVICE:
                raise NoDriverError("the driver finds no GPU")
            if int(status):
                raise NoDriverError("the driver does not start, {1} ({0})".format(*_described(found, status)))
            _State.api = found
        return _State.api


def _bindings() -> Api:
    try:
        from cuda.bindings import driver  # pyright: ignore
    except ImportError:
        raise NoDriverError("the package cuda-bindings is not installed (pip install 'stepwell[cuda]')") from None
    return driver


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def available() -> bool:
    """Whether there is a driver with a GPU."""
    try:
        api()
    except (NoDriverError, CudaError):
        return False
    return True


def checked(found: Api, result: tuple[Any, ...], doing: str) -> Any:
    """The value of a driver call, or its typed error; `doing` follows "cannot"."""
    if int(result[0]):
        raise failure(found, result[0], doing)
    return result[1] if len(result) > 1 else None


def failure(found: Api, status: Any, doing: str, kind: type[CudaError] = CudaError, log: str = "") -> CudaError:
    """The typed error of a status that is not success."""
    name, text = _described(found, status)
    if int(status) == _OUT_OF_MEMORY:
        kind = DeviceOutOfMemoryError
    return kind(doing, name, text, log)


def _described(found: Api, status: Any) -> tuple[str, str]:
    """(name, description) of a status."""
    parts: list[str] = []
    for function, otherwise in (
        (found.cuGetErrorName, f"CUDA error {int(status)}"),
        (found.cuGetErrorString, "failed"),
    ):
        known, value = function(status)
        text = value.decode(errors="replace") if isinstance(value, bytes) else value
        parts.append(otherwise if int(known) or not text else str(text))
    return parts[0], parts[1]


def driver_status() -> str:
    """One line about the driver: its version, or why there is none."""
    if _State.replacement is None and util.find_spec("cuda") is None:
        return "no (pip install stepwell[cuda] for NVIDIA GPUs)"
    try:
        found = api()
        version = int(checked(found, found.cuDriverGetVersion(), "ask for the driver's version"))
    except (NoDriverError, CudaError) as error:
        return f"no: {_first_line(error)}"
    return f"driver {version // 1000}.{version % 1000 // 10}"
