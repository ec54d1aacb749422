"""DLPack for device memory: capsules that share it with other libraries, both ways, without copies.

Structures are those of dlpack.h 1.0, versioned and not; a capsule that nobody takes gives its memory back when it is collected.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from math import prod
from typing import Any

import ml_dtypes
import numpy as np

from stepwell.ir.errors import InvalidProgramError

CUDA = 2
"""The device type of CUDA memory (`kDLCUDA`)."""

_VERSION = (1, 0)


class _Device(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int32), ("number", ctypes.c_int32))


class _DataType(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16))


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", _Device),
        ("ndim", ctypes.c_int32),
        ("dtype", _DataType),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class _Managed(ctypes.Structure):
    _fields_ = (("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p))


class _Versioned(ctypes.Structure):
    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    )


_PLAIN, _WITH_VERSION = b"dltensor", b"dltensor_versioned"
_USED = {_PLAIN: b"used_dltensor", _WITH_VERSION: b"used_dltensor_versioned"}
"""The names of capsules that were taken; a capsule keeps the pointer, so they live as long as this module."""
_STRUCTURES: dict[bytes, type[_Managed] | type[_Versioned]] = {_PLAIN: _Managed, _WITH_VERSION: _Versioned}

_python = ctypes.pythonapi
_object, _pointer, _text = ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p
_destructor_type = ctypes.PYFUNCTYPE(None, _pointer)
_deleter_type = ctypes.CFUNCTYPE(None, _pointer)
_new = ctypes.PYFUNCTYPE(_object, _pointer, _text, _destructor_type)(("PyCapsule_New", _python))
_rename = ctypes.PYFUNCTYPE(ctypes.c_int, _object, _text)(("PyCapsule_SetName", _python))
_get = ctypes.PYFUNCTYPE(_pointer, _object, _text)(("PyCapsule_GetPointer", _python))
_is = ctypes.PYFUNCTYPE(ctypes.c_int, _object, _text)(("PyCapsule_IsValid", _python))
# A destructor sees a capsule that is already dead: only its address may be touched.
_dead_is = ctypes.PYFUNCTYPE(ctypes.c_int, _pointer, _text)(("PyCapsule_IsValid", _python))
_dead_get = ctypes.PYFUNCTYPE(_pointer, _pointer, _text)(("PyCapsule_GetPointer", _python))

_exported: dict[int, tuple[Any, ...]] = {}
"""What keeps each exported structure and its memory alive, by the structure's address."""


@_deleter_type
def _delete(address: int, exported: dict[int, tuple[Any, ...]] = _exported) -> None:
    exported.pop(address, None)


@_destructor_type
def _destroy(
    capsule: int,
    exported: dict[int, tuple[Any, ...]] = _exported,
    is_: Callable[..., int] = _dead_is,
    get: Callable[..., int] = _dead_get,
    names: tuple[bytes, bytes] = (_PLAIN, _WITH_VERSION),
) -> None:
    for name in names:
        if is_(capsule, name):  # nobody took it: its name has not changed
            exported.pop(get(capsule, name), None)


for _callback in (_delete, _destroy):  # others may call these when this module is gone
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(_callback))

_CODES = {"i": 0, "u": 1, "f": 2, "c": 5, "b": 6}
_NAMED_CODES = {
    "bfloat16": 4,
    "float8_e3m4": 7,
    "float8_e4m3": 8,
    "float8_e4m3b11fnuz": 9,
    "float8_e4m3fn": 10,
    "float8_e4m3fnuz": 11,
    "float8_e5m2": 12,
    "float8_e5m2fnuz": 13,
    "float8_e8m0fnu": 14,
}


def _data_type(dtype: np.dtype[Any]) -> _DataType:
    code = _NAMED_CODES.get(dtype.name, _CODES.get(dtype.kind) if dtype.isbuiltin == 1 else None)
    if code is None:
        raise BufferError(f"DLPack has no form of {dtype.name} with an element a byte")
    return _DataType(code, dtype.itemsize * 8, 1)


def _dtype(found: _DataType) -> np.dtype[Any]:
    if found.lanes == 1 and found.bits % 8 == 0:
        for name, code in _NAMED_CODES.items():
            if code == found.code:
                return np.dtype(getattr(ml_dtypes, name))
        for kind, code in _CODES.items():
            if code == found.code:
                try:
                    return np.dtype(f"{kind}{found.bits // 8}")
                except TypeError:
                    break
    raise InvalidProgramError(
        f"the DLPack type with code {found.code}, {found.bits} bits, {found.lanes} lanes is not supported"
    )


def capsule(
    owner: Any, address: int, shape: tuple[int, ...], dtype: np.dtype[Any], device: int, versioned: bool
) -> Any:
    """A DLPack capsule of dense memory on CUDA device number `device`, which `owner` keeps alive.

    Raises:
        BufferError: DLPack has no such dtype.
    """
    name = _WITH_VERSION if versioned else _PLAIN
    managed = _STRUCTURES[name]()
    rank = len(shape)
    sizes = (ctypes.c_int64 * max(rank, 1))(*shape)
    strides = (ctypes.c_int64 * max(rank, 1))(*[prod(shape[i + 1 :]) for i in range(rank)])
    tensor = managed.tensor
    tensor.data, tensor.device, tensor.ndim = address, _Device(CUDA, device), rank
    tensor.dtype, tensor.byte_offset = _data_type(dtype), 0
    tensor.shape = ctypes.cast(sizes, ctypes.POINTER(ctypes.c_int64))
    tensor.strides = ctypes.cast(strides, ctypes.POINTER(ctypes.c_int64))
    managed.deleter = ctypes.cast(_delete, _pointer).value
    if isinstance(managed, _Versioned):
        managed.major, managed.minor = _VERSION
    place = ctypes.addressof(managed)
    _exported[place] = (managed, sizes, strides, owner)
    return _new(place, name, _destroy)


class Imported:
    """What a capsule of another library describes: dense memory, and how to give it back."""

    def __init__(self, taken: Any):
        name = next((n for n in _STRUCTURES if _is(taken, n)), None)
        if name is None:
            raise InvalidProgramError("not a DLPack capsule, or one that was taken before")
        place = _get(taken, name)
        managed = _STRUCTURES[name].from_address(place)
        if isinstance(managed, _Versioned) and managed.major != _VERSION[0]:
            raise InvalidProgramError(f"DLPack version {managed.major}.{managed.minor} is not supported")
        tensor = managed.tensor
        self.shape: tuple[int, ...] = tuple(tensor.shape[i] for i in range(tensor.ndim))
        self.dtype = _dtype(tensor.dtype)
        if tensor.strides and not _is_dense(self.shape, [tensor.strides[i] for i in range(tensor.ndim)]):
            raise InvalidProgramError("a device array that is not C-contiguous cannot be taken; copy it first")
        self.address: int = (tensor.data or 0) + tensor.byte_offset
        self.device: int = tensor.device.number
        self._place = place
        self._deleter: int | None = managed.deleter
        _rename(taken, _USED[name])

    def release(self) -> None:
        """Give the memory back to its owner."""
        if self._deleter:
            _deleter_type(self._deleter)(self._place)


def _is_dense(shape: tuple[int, ...], strides: list[int]) -> bool:
    expected = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size != 1 and stride != expected:
            return 0 in shape
        expected *= size
    return True
