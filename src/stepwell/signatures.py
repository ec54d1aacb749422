"""What a program is compiled for: keys of program caches, and the signatures that functions are traced for.

A call makes its key in one walk over the arguments; only one that finds no program makes a `Signature`, which says the same in
words. Arrays count by shape and dtype, static values by value.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np

from stepwell.frontends.array import DEVICES, Array, DeviceData
from stepwell.frontends.dtypes import as_dtype, scalar_dtype
from stepwell.frontends.errors import LeakedTracerError, PromotionError, refuse
from stepwell.frontends.pytree import TreeDef, exact, flatten
from stepwell.frontends.tracer import Tracer, is_scalar, scalar_array

NumpyArray: TypeAlias = np.ndarray[Any, Any]
T = TypeVar("T", int, str)
Ints: TypeAlias = int | Sequence[int]
Names: TypeAlias = str | Sequence[str]


_CUDA = 2
"""DLPack's number for the memory of CUDA devices."""


class Static:
    """A leaf that counts by its value."""

    __slots__ = ("key", "value")

    def __init__(self, value: Any):
        self.value = value
        self.key = exact(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        return f"the static value {self.value!r}"


@dataclass(frozen=True)
class Abstract:
    """An array leaf of a signature; a Python number is weak."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    weak: bool = False

    def __str__(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]" + (" (weak)" if self.weak else "")


Leaf: TypeAlias = Static | Abstract


@dataclass(frozen=True)
class Signature:
    """What a program is compiled for; `names` says how the user writes each leaf."""

    structure: TreeDef
    leaves: tuple[Leaf, ...]

    @functools.cached_property
    def names(self) -> list[str]:
        """How the user writes each leaf."""
        return self.structure.paths()


def signature_of(tree: Any) -> Signature:
    """The signature of (args, kwargs), whose static leaves are marked."""
    leaves, structure = flatten(tree)
    return Signature(structure, tuple([abstract(leaf) for leaf in leaves]))


def abstract(value: Any) -> Leaf:
    """A leaf of a signature.

    Raises:
        TracingError: not an array, nor marked as static.
    """
    if isinstance(value, Static):
        return value
    if isinstance(value, Tracer):
        hint = "a value of one trace cannot be used in another, or after it"
        raise refuse(f"{value!r} is used outside of the trace it belongs to", hint, LeakedTracerError)
    if isinstance(value, np.ma.MaskedArray):
        raise refuse("an argument is a masked array, whose mask would be lost", "fill it first: x.filled(value)")
    imported = _on_device(value)
    if imported is not None:
        return Abstract(imported.dtype, imported.shape)
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return Abstract(_dtype_of(value), tuple(value.shape))
    if is_scalar(value):
        return Abstract(scalar_dtype(value), (), True)
    hint = "arguments are arrays, numbers and trees of them; name others in static_argnums or static_argnames"
    raise refuse(f"an argument of type {type(value).__name__} is not an array", hint)


def _on_device(value: Any) -> DeviceData | None:
    """Another library's array in the memory of a CUDA device, over the same memory."""
    ask = getattr(type(value), "__dlpack_device__", None)
    if ask is None or type(value) is Array or isinstance(value, np.ndarray) or int(ask(value)[0]) != _CUDA:
        return None
    return None if DEVICES.from_dlpack is None else DEVICES.from_dlpack(value)


def _dtype_of(value: Any) -> np.dtype[Any]:
    """The dtype of an array; another library's dtypes have no name here, but NumPy can view its arrays."""
    try:
        return as_dtype(value.dtype)
    except PromotionError:
        if not hasattr(value, "__array__") or isinstance(value, np.ndarray | np.generic):
            raise
        return as_dtype(np.asarray(value).dtype)


def arrays_of(leaves: list[Any], key: list[Hashable]) -> list[Any]:
    """The NumPy arrays, and arrays of devices, behind the leaves of a call; appends to `key` what of each a program depends on."""
    arrays: list[Any] = []
    for leaf in leaves:
        kind = type(leaf)
        if kind is Array:
            array = leaf.raw()
        elif kind is np.ndarray:
            array = leaf
        elif kind is Static:
            key.append(leaf.key)
            continue
        else:
            array = _other_array(leaf, key)
        arrays.append(array)
        key.append(array.dtype)
        key.append(array.shape)
    return arrays


def _other_array(leaf: Any, key: list[Hashable]) -> NumpyArray | DeviceData:
    """The array of a number, or of another library's array."""
    imported = _on_device(leaf)
    if imported is not None:
        return imported
    wanted = abstract(leaf)
    assert isinstance(wanted, Abstract)
    if wanted.weak:
        key.append("weak")
        return scalar_array(leaf, wanted.dtype)
    return np.asarray(leaf)


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a function; none if it does not say."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def _listed(given: T | Iterable[T], kind: type[T], expected: str) -> list[T]:
    """One value, or some, as a list.

    Raises:
        TracingError: it is not of that kind.
    """
    several: Any = [given] if isinstance(given, str | int) else given
    values = list(several) if isinstance(several, Iterable) else None
    if values is None or not all(type(value) is kind for value in values):
        raise refuse(f"{expected} not {given!r}")
    return values


class Chosen:
    """Some parameters of a function, by position and, for who passes them so, by name."""

    def __init__(self, parameters: Sequence[inspect.Parameter], numbers: Ints, names: Names, option: str):
        known = [p.name for p in parameters]
        kinds = {p.kind for p in parameters}
        wanted = _listed(names, str, f"{option}_argnames is a name of a parameter, or some,")
        places = _listed(numbers, int, f"{option}_argnums is a position of an argument, or some,")
        for place in places:
            if parameters and inspect.Parameter.VAR_POSITIONAL not in kinds and not -len(known) <= place < len(known):
                raise refuse(f"{option}_argnums: the function has no parameter {place}")
        for name in wanted:
            if parameters and inspect.Parameter.VAR_KEYWORD not in kinds and name not in known:
                raise refuse(f"{option}_argnames: the function has no parameter '{name}'")
        places = [n % len(known) if n < 0 < len(known) else n for n in places]
        self._places = frozenset([*places, *(known.index(name) for name in wanted if name in known)])
        self._names = frozenset([*wanted, *(known[n] for n in places if n < len(known))])

    def __bool__(self) -> bool:
        return bool(self._names or self._places)

    def overlaps(self, other: Chosen) -> bool:
        """Whether both choose some parameter."""
        return bool(self._places & other._places or self._names & other._names)

    def marked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a call, with the chosen ones wrapped as static leaves."""
        if not self:
            return args, kwargs
        marked = tuple([_static(a, f"argument {i}") if i in self._places else a for i, a in enumerate(args)])
        return marked, {k: _static(v, f"'{k}'") if k in self._names else v for k, v in kwargs.items()}

    def array_leaves(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, ...]:
        """The positions, among the array leaves of a call, of those of chosen arguments."""
        arguments = [(i in self._places, a) for i, a in enumerate(args)]
        arguments += [(k in self._names, kwargs[k]) for k in sorted(kwargs)]
        found: list[int] = []
        position = 0
        for is_chosen, argument in arguments if self else ():
            count = sum(not isinstance(v, Static) for v in flatten(argument)[0])
            found.extend(range(position, position + count) if is_chosen else ())
            position += count
        return tuple(found)


def _static(value: Any, what: str) -> Static:
    try:
        hash(value)
    except TypeError:
        hint = "pass a tuple instead of a list, an object with __hash__ and __eq__, or make it dynamic"
        raise refuse(f"the static {what} of type {type(value).__name__} is not hashable", hint) from None
    return Static(value)
