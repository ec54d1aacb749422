"""What a caller hands to an executable, checked and brought to the form native code reads.

An argument must have its type's shape and dtype; it is copied only where it must be (strided, misaligned, donated but not
the caller's alone to give, or then a bool whose bytes are not 0 or 1), and `remark` is told. Python scalars are taken where
no value is lost.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from stepwell.ir.errors import InvalidProgramError
from stepwell.runtime.memory import address_of

Array = np.ndarray[Any, Any]
Remark = Callable[[str], None]


@dataclass(frozen=True)
class ArrayType:
    """Shape and dtype of one argument or result; an extent that differs from call to call is -1."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return f"{self.dtype.name}[{'x'.join('?' if d < 0 else str(d) for d in self.shape)}]"

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether a shape is this one, up to extents that differ from call to call."""
        return len(shape) == len(self.shape) and all(w in (-1, d) for d, w in zip(shape, self.shape, strict=True))

    @property
    def nbytes(self) -> int:
        """Bytes of such an array."""
        return prod(self.shape) * self.dtype.itemsize


def describe(array: Array) -> str:
    """The type of an array, for messages; names a byte order that is not the machine's."""
    order = array.dtype.byteorder
    foreign = ">" if sys.byteorder == "little" else "<"
    note = f" in {'big' if foreign == '>' else 'little'}-endian byte order" if order == foreign else ""
    return f"{ArrayType(tuple(array.shape), array.dtype)}{note}"


def check_count(count: int, types: Sequence[ArrayType]) -> None:
    """Refuse a number of arguments that is not the program's.

    Raises:
        InvalidProgramError: names the types of those it takes.
    """
    if count != len(types):
        listed = f": it needs ({', '.join(str(t) for t in types)})" if 0 < len(types) <= 8 else ""
        plural = "argument" if len(types) == 1 else "arguments"
        raise InvalidProgramError(f"the program takes {len(types)} {plural}, got {count}{listed}")


def check_arguments(values: Sequence[Any], types: Sequence[ArrayType]) -> None:
    """Refuse arguments that an executable with arguments of `types` would refuse, without copying any.

    Raises:
        InvalidProgramError: as a call would.
    """
    check_count(len(values), types)
    for i, (value, want) in enumerate(zip(values, types, strict=True)):
        _checked(i, value, want)


def fitting(i: int, value: Any, want: ArrayType) -> tuple[int, ...]:
    """The shape of argument `i`, which its type takes; an array of a device is not copied to look at it.

    Raises:
        InvalidProgramError: no array, or one of another type.
    """
    known = isinstance(getattr(value, "dtype", None), np.dtype) and not isinstance(value, np.ma.MaskedArray)
    array = value if known else _as_array(i, value, want)
    shape = tuple(int(d) for d in array.shape)
    if array.dtype != want.dtype or not want.takes(shape):
        raise InvalidProgramError(f"argument {i} must be {want}, got {describe(array)}")
    return shape


def prepare(i: int, value: Any, want: ArrayType, donated: bool, remark: Remark) -> Array:
    """Argument `i` as a C-contiguous, aligned array of its type.

    Raises:
        InvalidProgramError: not an array of that type.
    """
    array = _checked(i, value, want)
    place = getattr(value, "device", None)
    if isinstance(place, str) and place != "cpu":
        remark(f"argument {i} is on {place}: copied to the host's memory")
    if not (array.flags.c_contiguous and array.flags.aligned):
        reason = "not contiguous" if not array.flags.c_contiguous else "not aligned"
        remark(f"argument {i} is {reason}: copied")
        array = np.array(array, order="C", copy=True)
    elif donated and not array.flags.writeable:
        remark(f"argument {i} is donated but read-only: copied")
        array = array.copy()
    return array


def canonical_bools(i: int, array: Array, remark: Remark) -> Array:
    """A bool argument whose bytes are all 0 or 1, which those of a view need not be.

    Native code takes any byte but 0 for true, and stores 0 or 1; so this is for who computes with the bytes as they are, and
    for arrays that become results.
    """
    data = array.view(np.uint8)
    if data.size and data.max() > 1:
        remark(f"argument {i} has booleans that are neither 0 nor 1: copied")
        return np.asarray(data != 0)
    return array


def unshare(inputs: list[Array], donated: Sequence[int], remark: Remark) -> None:
    """Replace each donated argument that overlaps another by a copy, so that overwriting it changes no other."""
    for i in donated:
        for j, other in enumerate(inputs):
            if i != j and np.may_share_memory(inputs[i], other):
                remark(f"argument {i} is donated but overlaps argument {j}: copied")
                inputs[i] = inputs[i].copy()
                break


def _checked(i: int, value: Any, want: ArrayType) -> Array:
    array = _as_array(i, value, want)
    if array.dtype != want.dtype or not want.takes(array.shape):
        raise InvalidProgramError(f"argument {i} must be {want}, got {describe(array)}")
    return array


def _as_array(i: int, value: Any, want: ArrayType) -> Array:
    if type(value) is np.ndarray:  # so most calls never load numpy.ma
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise InvalidProgramError(f"argument {i} must be {want}, got a masked array; fill it first (.filled(value))")
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    if isinstance(value, bool | int | float | complex) and not isinstance(value, np.generic):
        return _scalar(i, value, want)
    try:
        return np.asarray(value)
    except Exception as error:
        raise InvalidProgramError(
            f"argument {i} must be {want}, got a {type(value).__name__} that is no array: {error}"
        ) from None


def _scalar(i: int, value: bool | int | float | complex, want: ArrayType) -> Array:
    """A Python scalar as a 0-d array: integers exactly, floats rounded, never a kind with fewer values."""
    array = None
    if want.shape == () and _fits_kind(value, want.dtype):
        try:
            with np.errstate(all="ignore"):
                array = np.array(value, want.dtype)
            if not _kept(value, array):
                array = None
        except (OverflowError, ValueError, TypeError):
            array = None
    if array is None:
        text = repr(value) if not isinstance(value, int) or abs(value) < 1 << 128 else "beyond 128 bits"
        raise InvalidProgramError(f"argument {i} must be {want}, got the {type(value).__name__} {text}")
    return array


def _fits_kind(value: bool | int | float | complex, dtype: np.dtype[Any]) -> bool:
    if dtype.kind == "c" or isinstance(value, bool):
        return True
    if isinstance(value, complex) or dtype.kind == "b":
        return False
    return isinstance(value, int) or is_float(dtype)


def is_float(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype is a real float, those of ml_dtypes included."""
    return dtype.kind == "f" or dtype.name.startswith(("bfloat", "float"))


def _kept(value: bool | int | float | complex, array: Array) -> bool:
    """Whether the array still holds the integer, or a finite float did not overflow."""
    got = array[()]
    if isinstance(value, int):
        return int(got.real if array.dtype.kind == "c" else got) == value
    wide = complex(got)
    parts = ((value.real, wide.real), (value.imag, wide.imag))
    return all(not math.isfinite(v) or math.isfinite(g) for v, g in parts)


def check_out(out: Any, types: Sequence[ArrayType], inputs: Sequence[Array]) -> list[Array]:
    """The preallocated results, as a list.

    Raises:
        InvalidProgramError: not one writable array of the right type per result, or one overlaps another or an argument.
    """
    if not isinstance(out, list | tuple):
        raise InvalidProgramError(f"out must be a list of {len(types)} arrays, got {type(out).__name__}")
    arrays: list[Any] = list(out)  # pyright: ignore[reportUnknownArgumentType]
    if len(arrays) != len(types):
        raise InvalidProgramError(f"the program has {len(types)} results, got {len(arrays)} arrays in out")
    for i, (array, want) in enumerate(zip(arrays, types, strict=True)):
        if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
            raise InvalidProgramError(f"out[{i}] must be {want}, got {type(array).__name__}")
        if array.dtype != want.dtype or array.shape != want.shape:
            raise InvalidProgramError(f"out[{i}] must be {want}, got {describe(array)}")
        if not (array.flags.c_contiguous and array.flags.aligned and array.flags.writeable):
            raise InvalidProgramError(f"out[{i}] must be C-contiguous, aligned and writable")
    ends = [_ends(array) for array in arrays]
    checked = [_ends(array) for array in inputs]
    for i, (first, past) in enumerate(ends):
        for label, others in (("argument", checked), ("out", ends[:i])):
            for j, (start, end) in enumerate(others):
                if first < end and start < past:
                    raise InvalidProgramError(f"out[{i}] overlaps {label} {j}")
    return arrays


def _ends(array: Array) -> tuple[int, int]:
    """The address of a contiguous array's first byte, and that past its last; an empty one overlaps nothing."""
    address = address_of(array)
    return (address, address + array.nbytes) if array.nbytes else (0, 0)
