"""Reading and writing arrays for the command line: `.npz` with `N@dtype` keys, plain `.npz`, `.npy`.

Key `N@dtype` gives the array's position and type; types NumPy lacks (bfloat16, float8s, int4) are stored as unsigned
views. A plain `.npz` is taken in file order, or by number when its names are `arr_0`, `arr_1`, ... or `0`, `1`, ....
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from stepwell.ir.errors import InvalidProgramError

Array = np.ndarray[Any, Any]

_NATIVE = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128".split()
)


def dtype_of(name: str) -> np.dtype[Any]:
    """The dtype called `name`, ml_dtypes included.

    Raises:
        InvalidProgramError: no such dtype.
    """
    if name in _NATIVE:
        return np.dtype(name)
    try:
        return np.dtype(getattr(ml_dtypes, name))
    except (AttributeError, TypeError):
        raise InvalidProgramError(f"unknown dtype '{name}' in an array file") from None


def load_arrays(path: str | Path) -> list[Array]:
    """The arrays of an `.npz` or `.npy` file, in argument order.

    Raises:
        InvalidProgramError: the file is missing, unreadable, truncated or its keys are not positions 0..n-1.
    """
    try:
        with open(path, "rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return [loaded]
            with loaded as archive:
                entries = {key: archive[key] for key in archive.files}
    except FileNotFoundError:
        raise InvalidProgramError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        raise InvalidProgramError(f"{path}: not a readable npz or npy file ({error})") from None
    return _in_order(path, entries)


def _in_order(path: str | Path, entries: dict[str, Array]) -> list[Array]:
    placed: dict[int, Array] = {}
    for position, (key, array) in enumerate(entries.items()):
        name, _, dtype = key.partition("@")
        numbered = re.fullmatch(r"(?:arr_)?(\d+)", name)
        index = int(numbered[1]) if numbered else position
        if dtype and dtype not in _NATIVE:
            array = array.view(dtype_of(dtype))
        if index in placed:
            raise InvalidProgramError(f"{path}: two arrays for position {index}")
        placed[index] = array
    if sorted(placed) != list(range(len(placed))):
        raise InvalidProgramError(f"{path}: array positions {sorted(placed)} are not 0..{len(placed) - 1}")
    return [placed[i] for i in range(len(placed))]


def save_arrays(path: str | Path, arrays: Sequence[Array]) -> None:
    """Write `arrays` as an `.npz` with `N@dtype` keys."""
    stored = {
        f"{i}@{a.dtype.name}": a if a.dtype.name in _NATIVE else a.view(f"u{a.dtype.itemsize}")
        for i, a in enumerate(arrays)
    }
    np.savez(path, allow_pickle=False, **stored)  # pyright: ignore[reportArgumentType]
