"""Where the call of a function runs: where its arrays are, unless a target was named that is not a GPU.

NumPy arrays and numbers go to the device of the others; arrays of two devices are refused. A target that is not a GPU gets copies in the
host's memory.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stepwell.device_targets import CPU, CUDA, TargetName

_HERE = TargetName(CPU)
_ANYWHERE = TargetName(CUDA)


def target_for(named: TargetName | None, arrays: Sequence[Any], key: list[Hashable]) -> TargetName:
    """The target of a call on these arrays; appends to `key` what of it a program depends on beside `named`.

    Args:
        named: the target asked for; None for whoever asked for none.
        arrays: NumPy arrays, and arrays of devices.
        key: what the program of the call is found by.

    Raises:
        WrongDeviceError: the arrays are on several devices.
    """
    target = _HERE if named is None else named
    ordinal: int | None = None
    for array in arrays:
        if not isinstance(array, np.ndarray):
            number = array.__dlpack_device__()[1]
            if ordinal is not None and number != ordinal:
                raise _elsewhere(ordinal, number)
            ordinal = number
    wanted = named or _ANYWHERE
    if ordinal is not None and wanted.kind == CUDA and wanted.device is None:
        target = replace(wanted, device=ordinal)
    if target.kind == CUDA:
        key.append(target.device)
        if target.variant is None:
            key.append(_machine(target.device or 0))
    return target


def leaves_devices(target: TargetName, arrays: Sequence[Any]) -> str | None:
    """A device whose arrays a program for this target gets copies of; None when there is none."""
    if target.kind == CUDA:
        return None
    return next((array.device for array in arrays if not isinstance(array, np.ndarray)), None)


def _machine(ordinal: int) -> Hashable:
    """What code for a device depends on."""
    from stepwell.runtime.cuda.device import device

    properties = device(ordinal).properties
    return properties.capability, properties.multiprocessors


def _elsewhere(one: int, other: int) -> Exception:
    from stepwell.runtime.cuda.errors import WrongDeviceError

    return WrongDeviceError(
        f"the arguments are on cuda:{one} and cuda:{other}, and a program runs on one device;"
        f" move them with stepwell.device_put(x, 'cuda:{one}')"
    )


__all__ = ["leaves_devices", "target_for"]
