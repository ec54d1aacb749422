"""Arrays on devices: `stepwell.device_put`, and what `Array.to_device` and `from_dlpack` need of the CUDA runtime.

The runtime is imported when a CUDA device is named, so that nobody else pays for it.
"""

from __future__ import annotations

from typing import Any

from stepwell.frontends.array import DEVICES, Array, DeviceData, to_array
from stepwell.frontends.errors import refuse
from stepwell.frontends.pytree import flatten
from stepwell.frontends.tracer import is_tracing
from stepwell.ir.errors import InvalidProgramError


def device_put(x: Any, device: str) -> Any:
    """The arrays of a tree on `device`: "cpu", "cuda" or "cuda:1", ...; one that is there already is not copied.

    Raises:
        NoDriverError: a CUDA device, and there is no driver or no GPU.
        TracingError: there is no such device, or `x` is being traced.
        DeviceOutOfMemoryError: the device has not that much memory.
    """
    if is_tracing():
        raise refuse("arrays are moved between devices outside of jit", "a program runs on one device")
    leaves, structure = flatten(x)
    return structure.unflatten([_put(to_array(leaf), device) for leaf in leaves])


def _put(array: Array, device: str) -> Array:
    from stepwell.runtime.cuda.array import to_device
    from stepwell.runtime.cuda.device import parse_device

    try:
        ordinal = parse_device(device)
        if ordinal is None:
            return array if array.device == "cpu" else Array(array.numpy())
        data = array.raw()
        return array if array.device == f"cuda:{ordinal}" else Array(to_device(data, ordinal))
    except InvalidProgramError as error:
        if type(error) is InvalidProgramError:  # no such device: say so at the user's line
            raise refuse(str(error)) from None
        raise


def _from_dlpack(value: Any) -> DeviceData:
    from stepwell.runtime.cuda.array import from_dlpack

    return from_dlpack(value)


DEVICES.put, DEVICES.from_dlpack = _put, _from_dlpack

__all__ = ["device_put"]
