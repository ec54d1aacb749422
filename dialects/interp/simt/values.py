"""Values of a thread block: one for all threads while it can be, one lane per thread else.

A *uniform* value is what the interpreter uses everywhere: a Python int for `index`, a NumPy scalar, an array of a vector's
shape. A value of *lanes* is an array with one leading axis more, the threads of the block. The rank of a value's type
tells them apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.dialects.builtin import VectorType
from xdsl.ir import Attribute

Array = np.ndarray[Any, np.dtype[Any]]
Value = Any
Mask = np.ndarray[Any, np.dtype[np.bool_]]


def rank_of(kind: Attribute) -> int:
    """Axes of a uniform value of this type."""
    return kind.get_num_dims() if isinstance(kind, VectorType) else 0


def is_lanes(value: Value, rank: int = 0) -> bool:
    """True when the threads may hold different values."""
    return isinstance(value, np.ndarray) and value.ndim > rank


def spread(value: Value, rank: int, count: int) -> Array:
    """The value as lanes."""
    array = np.asarray(value)
    return array if array.ndim > rank else np.broadcast_to(array, (count, *array.shape))


def fitted(array: Value, shape: tuple[int, ...]) -> Array:
    """The array at a shape it may have to be broadcast to (which costs more than to see that it need not)."""
    array = np.asarray(array)
    return array if array.shape == shape else np.broadcast_to(array, shape)


def as_mask(lanes: Array, rank: int) -> Array:
    """Scalars of lanes, ready to be combined with lanes of `rank`."""
    return lanes.reshape(-1, *(1,) * rank) if rank else lanes


def choose(mask: Mask, on_true: Value, on_false: Value, rank: int) -> Value:
    """Each lane's value from one side or the other; uniform when both sides are one and the same."""
    if on_true is on_false:
        return on_true
    merger = getattr(on_true, "merged", None)
    if merger is not None:
        return merger(mask, on_false)
    if type(on_true) is int and type(on_false) is int and on_true == on_false:
        return on_true
    return np.where(as_mask(mask, rank), on_true, on_false)


def collapse(value: Value, active: Mask | None) -> Value:
    """A scalar of lanes as a uniform one, when all active lanes agree."""
    if not is_lanes(value):
        return value
    first = value[0 if active is None else int(np.argmax(active))]
    same = value == first
    if not (same if active is None else same | ~active).all():
        return value
    return int(first) if value.dtype == np.int64 else first
