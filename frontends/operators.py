"""What traced and concrete arrays have in common: Python's operators and NumPy's methods.

The functions themselves are `stepwell.numpy`'s, which stands above the arrays and enters its functions into `METHODS`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stepwell.frontends.errors import TracingError, refuse

METHODS: dict[str, Callable[..., Any]] = {}
"""The function behind each operator and method, by `stepwell.numpy`'s name."""

UFUNCS: dict[str, str] = {
    "add": "add",
    "subtract": "subtract",
    "multiply": "multiply",
    "divide": "divide",
    "true_divide": "divide",
    "floor_divide": "floor_divide",
    "remainder": "remainder",
    "power": "power",
    "matmul": "matmul",
    "less": "less",
    "less_equal": "less_equal",
    "greater": "greater",
    "greater_equal": "greater_equal",
    "equal": "equal",
    "not_equal": "not_equal",
    "bitwise_and": "bitwise_and",
    "bitwise_or": "bitwise_or",
    "bitwise_xor": "bitwise_xor",
    "left_shift": "left_shift",
    "right_shift": "right_shift",
}
"""NumPy's ufuncs behind operators, which a NumPy array on the left calls: ours by the same name take over."""

_OPERAND_TYPES = (bool, int, float, complex, np.ndarray, np.generic)


class Operators:
    """Mixin: every operator and method calls the function of `stepwell.numpy` of that name."""

    __slots__ = ()
    __array_priority__ = 1000
    __hash__ = None  # pyright: ignore[reportAssignmentType]

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """Number of dims."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        product = 1
        for extent in self.shape:
            product *= extent
        return product

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.dtype.itemsize

    @property
    def T(self) -> Any:
        """All dims in opposite order."""
        return METHODS["transpose"](self)

    @property
    def mT(self) -> Any:
        """The last two dims swapped."""
        return METHODS["matrix_transpose"](self)

    @property
    def real(self) -> Any:
        """The real part."""
        return METHODS["real"](self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return METHODS["imag"](self)

    @property
    def at(self) -> At:
        """`x.at[index].set(value)`: a copy of `x` with some elements replaced."""
        return At(self)

    def _binary(self, name: str, other: Any, swapped: bool = False) -> Any:
        if not isinstance(other, (Operators, *_OPERAND_TYPES)):
            return NotImplemented
        return METHODS[name](other, self) if swapped else METHODS[name](self, other)

    def __add__(self, other: Any) -> Any:
        return self._binary("add", other)

    def __radd__(self, other: Any) -> Any:
        return self._binary("add", other, True)

    def __sub__(self, other: Any) -> Any:
        return self._binary("subtract", other)

    def __rsub__(self, other: Any) -> Any:
        return self._binary("subtract", other, True)

    def __mul__(self, other: Any) -> Any:
        return self._binary("multiply", other)

    def __rmul__(self, other: Any) -> Any:
        return self._binary("multiply", other, True)

    def __truediv__(self, other: Any) -> Any:
        return self._binary("divide", other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._binary("divide", other, True)

    def __floordiv__(self, other: Any) -> Any:
        return self._binary("floor_divide", other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._binary("floor_divide", other, True)

    def __mod__(self, other: Any) -> Any:
        return self._binary("remainder", other)

    def __rmod__(self, other: Any) -> Any:
        return self._binary("remainder", other, True)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __pow__(self, other: Any) -> Any:
        return METHODS["integer_power"](self, other) if type(other) is int else self._binary("power", other)

    def __rpow__(self, other: Any) -> Any:
        return self._binary("power", other, True)

    def __matmul__(self, other: Any) -> Any:
        return self._binary("matmul", other)

    def __rmatmul__(self, other: Any) -> Any:
        return self._binary("matmul", other, True)

    def __and__(self, other: Any) -> Any:
        return self._binary("bitwise_and", other)

    def __rand__(self, other: Any) -> Any:
        return self._binary("bitwise_and", other, True)

    def __or__(self, other: Any) -> Any:
        return self._binary("bitwise_or", other)

    def __ror__(self, other: Any) -> Any:
        return self._binary("bitwise_or", other, True)

    def __xor__(self, other: Any) -> Any:
        return self._binary("bitwise_xor", other)

    def __rxor__(self, other: Any) -> Any:
        return self._binary("bitwise_xor", other, True)

    def __lshift__(self, other: Any) -> Any:
        return self._binary("left_shift", other)

    def __rlshift__(self, other: Any) -> Any:
        return self._binary("left_shift", other, True)

    def __rshift__(self, other: Any) -> Any:
        return self._binary("right_shift", other)

    def __rrshift__(self, other: Any) -> Any:
        return self._binary("right_shift", other, True)

    def __lt__(self, other: Any) -> Any:
        return self._binary("less", other)

    def __le__(self, other: Any) -> Any:
        return self._binary("less_equal", other)

    def __gt__(self, other: Any) -> Any:
        return self._binary("greater", other)

    def __ge__(self, other: Any) -> Any:
        return self._binary("greater_equal", other)

    def __eq__(self, other: object) -> Any:
        return self._binary("equal", other)

    def __ne__(self, other: object) -> Any:
        return self._binary("not_equal", other)

    def __neg__(self) -> Any:
        return METHODS["negative"](self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return METHODS["abs"](self)

    def __round__(self, ndigits: int | None = None) -> Any:
        return METHODS["round"](self, ndigits or 0)

    def __invert__(self) -> Any:
        return METHODS["bitwise_invert"](self)

    def __getitem__(self, index: Any) -> Any:
        return METHODS["getitem"](self, encode_index(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        hint = "use x = x.at[index].set(value), which gives a new array"
        raise refuse("arrays are immutable: their elements cannot be assigned to", hint)

    def astype(self, dtype: Any) -> Any:
        """The elements converted to `dtype`."""
        return METHODS["astype"](self, dtype)

    def reshape(self, *shape: Any) -> Any:
        """The elements in another shape; one extent may be -1."""
        return METHODS["reshape"](self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        """The dims permuted."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return METHODS["transpose"](self, order or None)

    def flatten(self) -> Any:
        """All elements in one dim."""
        return METHODS["reshape"](self, (-1,))

    ravel = flatten

    def squeeze(self, axis: int | Sequence[int] | None = None) -> Any:
        """Without dims of extent one."""
        return METHODS["squeeze"](self, axis)

    def sum(self, axis: Any = None, *, dtype: Any = None, keepdims: bool = False) -> Any:
        """The sum of the elements."""
        return METHODS["sum"](self, axis, dtype=dtype, keepdims=keepdims)

    def prod(self, axis: Any = None, *, dtype: Any = None, keepdims: bool = False) -> Any:
        """The product of the elements."""
        return METHODS["prod"](self, axis, dtype=dtype, keepdims=keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The mean of the elements."""
        return METHODS["mean"](self, axis, keepdims=keepdims)

    def var(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The variance of the elements."""
        return METHODS["var"](self, axis, keepdims=keepdims)

    def std(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The standard deviation of the elements."""
        return METHODS["std"](self, axis, keepdims=keepdims)

    def max(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The largest element."""
        return METHODS["max"](self, axis, keepdims=keepdims)

    def min(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The smallest element."""
        return METHODS["min"](self, axis, keepdims=keepdims)

    def any(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """Whether some element is true."""
        return METHODS["any"](self, axis, keepdims=keepdims)

    def all(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """Whether all elements are true."""
        return METHODS["all"](self, axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> Any:
        """Where the first largest element is."""
        return METHODS["argmax"](self, axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, *, keepdims: bool = False) -> Any:
        """Where the first smallest element is."""
        return METHODS["argmin"](self, axis, keepdims=keepdims)

    def cumsum(self, axis: int | None = None) -> Any:
        """Running sums."""
        return METHODS["cumsum"](self, axis)

    def clip(self, min: Any = None, max: Any = None) -> Any:
        """The elements limited to [min, max]."""
        return METHODS["clip"](self, min, max)

    def cumprod(self, axis: int | None = None) -> Any:
        """Running products."""
        return METHODS["cumprod"](self, axis)

    def round(self, decimals: int = 0) -> Any:
        """The elements rounded to a number of decimals, ties to even."""
        return METHODS["round"](self, decimals)

    def conj(self) -> Any:
        """The complex conjugate."""
        return METHODS["conj"](self)

    def argsort(self, axis: int | None = -1) -> Any:
        """The indices that sort each line."""
        return METHODS["argsort"](self, axis)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """Two dims swapped."""
        return METHODS["swapaxes"](self, axis1, axis2)

    def repeat(self, repeats: int, axis: int | None = None) -> Any:
        """Each element `repeats` times."""
        return METHODS["repeat"](self, repeats, axis)

    def copy(self) -> Any:
        """The array itself, which never changes."""
        return self

    def dot(self, other: Any) -> Any:
        """NumPy's dot."""
        return METHODS["dot"](self, other)

    def take(self, indices: Any, axis: int | None = None) -> Any:
        """Elements (or slices along `axis`) at indices."""
        return METHODS["take"](self, indices, axis)


class At:
    """`x.at`: what `[index]` then names."""

    __slots__ = ("_array",)

    def __init__(self, array: Any):
        self._array = array

    def __getitem__(self, index: Any) -> AtIndex:
        return AtIndex(self._array, encode_index(index))


class AtIndex:
    """`x.at[index]`: the updates of these elements, each giving a new array."""

    __slots__ = ("_array", "_index")

    def __init__(self, array: Any, index: Any):
        self._array = array
        self._index = index

    def set(self, value: Any) -> Any:
        """A copy with these elements replaced."""
        return self._updated(value, "set")

    def add(self, value: Any) -> Any:
        """A copy with `value` added to these elements."""
        return self._updated(value, "add")

    def subtract(self, value: Any) -> Any:
        """A copy with `value` subtracted from these elements."""
        return self._updated(value, "subtract")

    def multiply(self, value: Any) -> Any:
        """A copy with these elements multiplied by `value`."""
        return self._updated(value, "multiply")

    def min(self, value: Any) -> Any:
        """A copy with the smaller of these elements and `value`."""
        return self._updated(value, "minimum")

    def max(self, value: Any) -> Any:
        """A copy with the larger of these elements and `value`."""
        return self._updated(value, "maximum")

    def _updated(self, value: Any, combine: str) -> Any:
        return METHODS["at_update"](self._array, self._index, value, combine)


class EncodedSlice(tuple[Any, Any, Any]):
    """A slice as a hashable leaf: (start, stop, step)."""


class NewAxis:
    """None in an index, which as a part of a tree would be no leaf."""


NEWAXIS = NewAxis()


def encode_index(index: Any) -> tuple[Any, ...]:
    """An index as a tuple whose parts are hashable or arrays: slices become `EncodedSlice`, None `NEWAXIS`."""
    parts = index if isinstance(index, tuple) else (index,)
    return tuple([_encode_part(part) for part in parts])


def _encode_part(part: Any) -> Any:
    if isinstance(part, slice):
        return EncodedSlice([None if b is None else _bound(b) for b in (part.start, part.stop, part.step)])
    if part is None:
        return NEWAXIS
    return np.asarray(part) if isinstance(part, list) else part


def _bound(value: Any) -> int:
    try:
        return operator.index(value)
    except TracingError:
        raise
    except TypeError:
        raise refuse(f"a bound of a slice must be an integer, not {value!r}") from None
