"""Reading and writing arrays for the command line: `.npz` with `N@dtype` keys, plain `.npz`, `.npy`.

Key `N@dtype` gives the array's position and type; types NumPy lacks (bfloat16, float8s, int4) are stored as unsigned
views. A plain `.npz` is taken in file order, or by number when its names are `arr_0`, `arr_1`, ... or `0`, `1`, ....
"""

from __future__ import annotations

import io
import re
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
        dtype = np.dtype(getattr(ml_dtypes, name))
    except (AttributeError, TypeError):
        dtype = None
    if dtype is None or dtype.kind == "O":  # any other class of ml_dtypes
        raise InvalidProgramError(f"unknown dtype '{name}' in an array file")
    return dtype


def load_arrays(path: str | Path) -> list[Array]:
    """The arrays of an `.npz` or `.npy` file, in argument order.

    Raises:
        InvalidProgramError: the file is missing, unreadable, damaged, its keys are not positions 0..n-1, or an array is not
            of the type its key names.
    """
    try:
        with open(path, "rb") as file:
            loaded = np.load(file if file.seekable() else io.BytesIO(file.read()), allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return [loaded]
            with loaded as archive:
                entries = {key: _member(path, archive, key) for key in archive.files}
    except FileNotFoundError:
        raise InvalidProgramError(f"{path}: no such file") from None
    except InvalidProgramError:
        raise
    except (
        Exception
    ) as error:  # the readers below raise many kinds for a damaged file, tokenize and zlib errors among them
        raise InvalidProgramError(f"{path}: not a readable npz or npy file ({_reason(error)})") from None
    return _in_order(path, entries)


def _reason(error: Exception) -> str:
    text = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return "it is of another kind, or holds Python objects" if "pickle" in text else text


def _member(path: str | Path, archive: Any, key: str) -> Array:
    try:
        array = archive[key]
    except Exception as error:
        raise InvalidProgramError(f"{path}: cannot read array '{key}' ({_reason(error)})") from None
    if not isinstance(array, np.ndarray):
        raise InvalidProgramError(f"{path}: member '{key}' is not an npy array")
    return array


def _typed(path: str | Path, key: str, array: Array, name: str) -> Array:
    """The array as the dtype its key names: stored as such or, where NumPy lacks it, as unsigned (or void) of equal width."""
    try:
        dtype = dtype_of(name)
    except InvalidProgramError as error:
        raise InvalidProgramError(f"{path}: key '{key}': {error}") from None
    if array.dtype == dtype:
        return array
    if name in _NATIVE or array.dtype.kind not in "uV" or array.dtype.itemsize != dtype.itemsize:
        raise InvalidProgramError(f"{path}: key '{key}' holds {array.dtype} of {array.dtype.itemsize} bytes an element")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array.view(dtype)


def _in_order(path: str | Path, entries: dict[str, Array]) -> list[Array]:
    placed: dict[int, Array] = {}
    for position, (key, array) in enumerate(entries.items()):
        name, _, dtype = key.partition("@")
        numbered = re.fullmatch(r"(?:arr_)?([0-9]{1,9})", name)
        index = int(numbered[1]) if numbered else position
        if dtype:
            array = _typed(path, key, array, dtype)
        if index in placed:
            raise InvalidProgramError(f"{path}: two arrays for position {index}")
        placed[index] = array
    if sorted(placed) != list(range(len(placed))):
        raise InvalidProgramError(f"{path}: array positions {sorted(placed)} are not 0..{len(placed) - 1}")
    return [placed[i] for i in range(len(placed))]


def save_arrays(path: str | Path, arrays: Sequence[Array]) -> None:
    """Write `arrays` as an `.npz` with `N@dtype` keys, to exactly `path`.

    Raises:
        InvalidProgramError: the file cannot be written.
    """
    stored = {
        f"{i}@{a.dtype.name}": a if a.dtype.name in _NATIVE else a.view(f"u{a.dtype.itemsize}")
        for i, a in enumerate(arrays)
    }
    try:
        with open(path, "wb") as file:
            np.savez(file, allow_pickle=False, **stored)  # pyright: ignore[reportArgumentType]
    except (OSError, ValueError) as error:
        raise InvalidProgramError(f"{path}: cannot write: {getattr(error, 'strerror', None) or error}") from None
