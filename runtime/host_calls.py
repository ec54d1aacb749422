"""What native code calls to call a Python function: `stepwell_host_call(text, its length, pointers)`.

Native code cannot be left in the middle. So an exception of a callback is kept, what the callback should have written becomes
zeros, no callback is called any more, and whoever called the program raises the exception when it is back (`checked_entry`).
"""

from __future__ import annotations

import ctypes
import functools
import gc
import sys
import threading
from typing import Any

import numpy as np

from stepwell.ir.host_calls import ArrayKind, HostCall
from stepwell.runtime.loader import Entry, native_entry

SYMBOL = "stepwell_host_call"
_TYPE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)


class _Pending(threading.local):
    def __init__(self) -> None:
        self.error: BaseException | None = None


_PENDING = _Pending()


@functools.lru_cache(maxsize=1024)
def _parsed(text: bytes) -> HostCall:
    return HostCall.parse(text)


def _array_at(address: int, kind: ArrayKind, *, writable: bool) -> np.ndarray[Any, Any]:
    """The memory at an address as an array."""
    if kind.nbytes == 0:
        return np.zeros(kind.shape, kind.numpy)
    memory: Any = (ctypes.c_char * kind.nbytes).from_address(address)
    array: np.ndarray[Any, Any] = np.ndarray(kind.shape, kind.numpy, memory)
    array.flags.writeable = writable
    return array


def _counts(operands: list[np.ndarray[Any, Any]]) -> list[int]:
    """How many refer to each array; views of it do."""
    return [sys.getrefcount(operand) for operand in operands]


def _perform(call: HostCall, addresses: list[int]) -> None:
    count = len(call.operands)
    operands = [_array_at(a, k, writable=False) for a, k in zip(addresses[:count], call.operands, strict=True)]
    targets = [_array_at(a, k, writable=True) for a, k in zip(addresses[count:], call.results, strict=True)]
    if _PENDING.error is not None:
        for target in targets:
            target.fill(0)
        return
    before = _counts(operands)
    try:
        call.perform(operands, targets)
        if _counts(operands) != before:
            gc.collect()  # what refers to itself is kept by nobody
        if _counts(operands) != before:
            raise call.error("keeps an operand, whose memory is used again after the call", "keep a copy of it")
    except BaseException as error:
        error.add_note(
            f"in the callback of the custom call '{call.target}'" + (f" at {call.location}" if call.location else "")
        )
        _PENDING.error = error
        for target in targets:
            target.fill(0)


def _called(text: int, length: int, pointers: int) -> None:
    call = _parsed(ctypes.string_at(text, length))
    total = len(call.operands) + len(call.results)
    _perform(call, [int(a or 0) for a in (ctypes.c_void_p * total).from_address(pointers)] if total else [])


_FUNCTION = _TYPE(_called)


def symbols() -> dict[str, int]:
    """What code that calls Python needs, by name."""
    return {SYMBOL: ctypes.cast(_FUNCTION, ctypes.c_void_p).value or 0}


def raise_pending() -> None:
    """Raise what a callback of the program that this thread has called raised."""
    error, _PENDING.error = _PENDING.error, None
    if error is not None:
        raise error


def checked_entry(address: int) -> Entry:
    """The callable of a native entry, which raises what its callbacks raised."""
    entry = native_entry(address)

    def call(arguments: int) -> int:
        status = entry(arguments)
        raise_pending()
        return status

    return call


__all__ = ["SYMBOL", "checked_entry", "raise_pending", "symbols"]
