"""`Array`: what a compiled function returns. Immutable; its memory is a buffer that other libraries may view without copying.

The buffer is a NumPy array, or an array of the runtime in a device's memory: then what Python sees of the elements is a copy in the
host's memory, made once, when it is first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from stepwell.frontends.dtypes import DType, as_dtype
from stepwell.frontends.errors import TracingError, refuse
from stepwell.frontends.operators import METHODS, UFUNCS, Operators
from stepwell.ir.errors import InvalidProgramError


class DeviceData(Protocol):
    """An array in a device's memory, as the runtime makes it."""

    @property
    def dtype(self) -> DType:
        """The element type."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """One size a dimension."""
        ...

    @property
    def device(self) -> str:
        """Where it is: "cuda:0"."""
        ...

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]: ...

    def numpy(self) -> np.ndarray[Any, Any]:
        """The elements in the host's memory, read-only."""
        ...

    def copied(self) -> DeviceData:
        """A copy in the same memory."""
        ...

    def overlaps(self, other: Any) -> bool:
        """Whether the two share memory."""
        ...

    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[Any, int] | None = None,
        copy: bool | None = None,
    ) -> Any: ...

    def __dlpack_device__(self) -> tuple[Any, int]: ...


@dataclass
class DevicesHook:
    """Who moves arrays between devices and takes those of other libraries: set by the driver, above this room."""

    put: Callable[[Array, str], Array] | None = None
    from_dlpack: Callable[[Any], DeviceData] | None = None


DEVICES = DevicesHook()


ALIGNMENT = 64
"""Bytes whose multiple the memory of arrays starts at where nothing else is asked: a cache line, the widest vector."""
_MOST_ALIGNMENT = 1 << 30


class Array(Operators):
    """An n-dimensional array in this machine's memory or a device's; `stepwell.numpy.asarray` makes one."""

    __slots__ = ("__weakref__", "_data", "dtype", "shape")

    def __init__(self, data: Any):
        if type(data) is not np.ndarray:
            data = _buffer(data)
        self._data: Any = data
        self.dtype: DType = data.dtype
        self.shape = data.shape

    def raw(self) -> Any:
        """The buffer itself, for running programs: a NumPy array, or a device's array. Do not write it.

        Raises:
            InvalidProgramError: it was donated to a program.
        """
        if self._data is None:
            raise InvalidProgramError(f"{self._described()} was donated to a program and cannot be used again")
        return self._data

    def donate(self) -> None:
        """Forget the buffer: a program has overwritten it."""
        self._data = None

    def numpy(self) -> np.ndarray[Any, Any]:
        """The elements as a read-only NumPy array: over the same memory, or over a copy of a device's."""
        data = self._host()
        view = data.view()
        view.flags.writeable = False
        return view

    def _host(self) -> np.ndarray[Any, Any]:
        """The elements in the host's memory."""
        data = self.raw()
        return data if isinstance(data, np.ndarray) else data.numpy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if copy is False and not isinstance(self.raw(), np.ndarray):
            raise ValueError(f"an array on {self.device} cannot be had without a copy")
        view = self.numpy()
        if dtype is not None and np.dtype(dtype) != view.dtype:
            if copy is False:
                raise ValueError(f"a copy is needed to convert {view.dtype} to {dtype}")
            return view.astype(dtype)
        return view.copy() if copy else view

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "__call__" and not options and ufunc.__name__ in UFUNCS:
            return METHODS[UFUNCS[ufunc.__name__]](*inputs)
        plain = [i.numpy() if isinstance(i, Array) else i for i in inputs]
        return getattr(ufunc, method)(*plain, **options)

    def __dlpack__(self, **options: Any) -> Any:
        return self.raw().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[Any, int]:
        return self.raw().__dlpack_device__()

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        data = self.raw()
        if isinstance(data, np.ndarray):
            raise AttributeError("the array is not in a CUDA device's memory")
        return data.__cuda_array_interface__

    @property
    def device(self) -> str:
        """Where the elements are: "cpu" or "cuda:0", ...."""
        return "cpu" if self._data is None or isinstance(self._data, np.ndarray) else self._data.device

    def to_device(self, device: str) -> Array:
        """This array on `device`: "cpu", "cuda" or "cuda:1", ...; itself where it is there already.

        Raises:
            TracingError: there is no such device.
        """
        if device == self.device:
            return self
        assert DEVICES.put is not None, "import stepwell.numpy, not stepwell.frontends"
        return DEVICES.put(self, device)

    to = to_device

    def is_aligned(self, alignment: int = ALIGNMENT) -> bool:
        """Whether the memory starts at a multiple of so many bytes, a power of two; that of no elements always does.

        >>> from stepwell import numpy as snp
        >>> snp.zeros((3, 5)).is_aligned(), snp.zeros(7, alignment=4096).is_aligned(4096)
        (True, True)
        """
        alignment = checked_alignment(alignment)
        return self.size == 0 or self._address() % alignment == 0

    def aligned(self, alignment: int = ALIGNMENT) -> Array:
        """This array where its memory starts at a multiple of so many bytes, else a copy that does, for who takes no other.

        Raises:
            TracingError: it is in a device's memory, which has alignments of its own.
        """
        if self.is_aligned(alignment):
            return self
        data = self.raw()
        if not isinstance(data, np.ndarray):
            raise refuse(f"{self._described()} is on {self.device}", "copy it to the host first: to('cpu')")
        memory = np.empty(data.nbytes + alignment, np.uint8)
        start = -memory.__array_interface__["data"][0] % alignment
        copy = memory[start : start + data.nbytes].view(data.dtype).reshape(data.shape)
        copy[...] = data
        return Array(copy)

    def _address(self) -> int:
        data = self.raw()
        host = isinstance(data, np.ndarray)
        return (data.__array_interface__ if host else data.__cuda_array_interface__)["data"][0]

    def item(self) -> Any:
        """The only element as a Python number."""
        if self.size != 1:
            raise refuse(f"item() needs one element, {self._described()} has {self.size}", "use tolist() for several")
        return self._host().item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self._host().tolist()

    def __bool__(self) -> bool:
        return bool(self._scalar("the truth value"))

    def __int__(self) -> int:
        return int(self._scalar("int()"))

    def __float__(self) -> float:
        return float(self._scalar("float()"))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex()"))

    def __index__(self) -> int:
        if self.shape or self.dtype.kind not in "iu":
            raise TypeError(f"only 0-d integer arrays are indices, not {self._described()}")
        return int(self._host()[()])

    def _scalar(self, what: str) -> Any:
        if self.size != 1:
            raise refuse(f"{what} of {self._described()} is ambiguous", "reduce it first, with any() or all()")
        return self._host().reshape(-1)[0]

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a 0-d array has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Array]:
        if not self.shape:
            raise TypeError("a 0-d array has no elements to iterate over")
        data = self._host()
        return iter([Array(data[i : i + 1].reshape(self.shape[1:])) for i in range(self.shape[0])])

    def _described(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]"

    def __repr__(self) -> str:
        if self._data is None:
            return f"Array(donated, {self._described()})"
        shown = np.array2string(self._host(), separator=", ", prefix="Array(", threshold=100)
        place = "" if self.device == "cpu" else f", device='{self.device}'"
        return f"Array({shown}, dtype={self.dtype.name}, shape={self.shape}{place})"

    def __reduce__(self) -> Any:
        return (Array, (self._host(),))  # a device is this process's: the copy is in the host's memory

    def __format__(self, spec: str) -> str:
        return format(self.item() if spec and not self.shape else self, spec) if spec else repr(self)


def checked_alignment(alignment: Any) -> int:
    """A power of two, as what alignments are.

    Raises:
        TracingError: it is none, or larger than any memory needs.
    """
    good = isinstance(alignment, int) and 0 < alignment <= _MOST_ALIGNMENT and alignment & (alignment - 1) == 0
    if not good:
        raise refuse(
            f"an alignment is a power of two of bytes, {_MOST_ALIGNMENT} at most, not {alignment!r}",
            "64 is a cache line, 4096 a page",
        )
    return alignment


def _buffer(data: Any) -> Any:
    """What an `Array` made of `data` holds: another one's buffer, a device's array, or a new NumPy array."""
    if isinstance(data, Array):
        return data.raw()
    return data if _is_device_data(data) else to_array(data).raw()


def _is_device_data(data: Any) -> bool:
    """Whether this is the runtime's array in a device's memory; its properties are not asked, since asking shares it."""
    return hasattr(type(data), "copied") and hasattr(type(data), "overlaps")


def to_array(value: Any, dtype: Any = None, copy: bool | None = None) -> Array:
    """`value` (an array, a number, nested lists of numbers) as an `Array`; NumPy arrays are shared unless converted."""
    if isinstance(value, Array) and (dtype is None or as_dtype(dtype) == value.dtype) and not copy:
        return value
    if isinstance(value, Array):
        data = value.raw()
        if not isinstance(data, np.ndarray) and (dtype is None or as_dtype(dtype) == value.dtype):
            return Array(data.copied())
        value = value.numpy()
    if isinstance(value, np.ma.MaskedArray):
        raise refuse("a masked array would lose its mask", "fill it first: x.filled(value)")
    wanted = None if dtype is None else as_dtype(dtype)
    if wanted is None and not hasattr(value, "dtype"):
        wanted = _default_dtype(value)
    try:
        data = np.array(value, wanted, copy=True) if copy else np.asarray(value, wanted)
    except (ValueError, TypeError, OverflowError) as error:
        if isinstance(error, TracingError):
            raise
        raise refuse(f"cannot make an array of {type(value).__name__}: {error}") from None
    as_dtype(data.dtype)
    return Array(data)


def _default_dtype(value: Any) -> DType:
    """What Python numbers become: the dtypes of `bool`, `int`, `float` and `complex`."""
    try:
        found = np.asarray(value)
    except ValueError as error:
        raise refuse(f"cannot make an array of {type(value).__name__}: {error}") from None
    kinds = {"b": bool, "i": int, "f": float, "c": complex, "u": int}
    if any(hasattr(leaf, "dtype") for leaf in _leaves(value)) or found.dtype.kind not in kinds:
        return as_dtype(found.dtype)
    return as_dtype(kinds[found.dtype.kind])


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for child in value:
            yield from _leaves(child)
    else:
        yield value
