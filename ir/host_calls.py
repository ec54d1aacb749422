"""Calls of Python functions from compiled programs: what such a call says, who is called, and how its results are looked at.

`stepwell.register_custom_call(target, callback=...)` fills the table. It is read when a program runs, by the interpreter and by native code
(`runtime/host_calls.py`), which knows of a call only the text that `HostCall.text` makes: types, attributes and the user's line.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from stepwell.ir.diagnostics import Diagnostic, InvalidProgramDiagnosticError, SourceLocation

Array = Any
Callback = Callable[..., Any]

_lock = threading.Lock()
_callbacks: dict[str, Callback] = {}


def register_callback(target: str, callback: Callback, *, replace: bool = False) -> bool:
    """Say who is called for `target`; False (and nothing done) when somebody is, unless `replace`."""
    with _lock:
        if target in _callbacks and not replace:
            return False
        _callbacks[target] = callback
        return True


def unregister_callback(target: str) -> bool:
    """Call nobody for `target` any more; False when nobody was."""
    with _lock:
        return _callbacks.pop(target, None) is not None


def callback_of(target: str) -> Callback | None:
    """Who is called for `target`."""
    with _lock:
        return _callbacks.get(target)


def callback_targets() -> list[str]:
    """The targets for which somebody is called, sorted."""
    with _lock:
        return sorted(_callbacks)


class ArrayKind(NamedTuple):
    """Dtype (by name) and shape of an array."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def numpy(self) -> np.dtype[Any]:
        """The dtype."""
        return np.dtype(getattr(ml_dtypes, self.dtype, self.dtype))

    @property
    def nbytes(self) -> int:
        """Bytes of the elements."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.numpy.itemsize

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class HostCall:
    """One call: of which target, on and to what, with which attributes, from where."""

    target: str
    operands: tuple[ArrayKind, ...]
    results: tuple[ArrayKind, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    location: SourceLocation | None = None

    def text(self) -> str:
        """The call as text, equal where calls are."""
        place = self.location
        entries = {
            "target": self.target,
            "operands": self.operands,
            "results": self.results,
            "attributes": _plain(dict(self.attributes)),
            "location": None if place is None else (place.file, place.line, place.col, place.length),
        }
        return json.dumps(entries)

    @staticmethod
    def parse(text: str | bytes) -> HostCall:
        """The inverse of `text`."""
        entries = json.loads(text)
        kinds = [tuple(ArrayKind(d, tuple(s)) for d, s in entries[name]) for name in ("operands", "results")]
        place = entries["location"]
        location = None if place is None else SourceLocation(*place)
        return HostCall(entries["target"], kinds[0], kinds[1], _arrays(entries["attributes"]), location)

    def error(self, message: str, hint: str | None = None) -> InvalidProgramDiagnosticError:
        """The error to raise at the user's line."""
        return InvalidProgramDiagnosticError(
            Diagnostic("error", self.location, f"the callback of '{self.target}' {message}", hint=hint)
        )

    def perform(self, operands: Sequence[Array], targets: Sequence[Array]) -> None:
        """Call who is registered on read-only arrays, and write what is returned to the targets.

        Raises:
            InvalidProgramError: nobody is registered, or what is returned is not what the call says.
        """
        callback = callback_of(self.target)
        if callback is None:
            raise self.error("is gone", "register it again before the program is called")
        returned = callback(*operands, **self.attributes)
        results = list(returned) if isinstance(returned, tuple | list) else [returned]  # pyright: ignore
        if returned is None and not self.results:
            return
        if len(results) != len(self.results):
            raise self.error(f"returns {len(results)} results, the call has {len(self.results)}")
        for i, (result, kind, target) in enumerate(zip(results, self.results, targets, strict=True)):
            target[...] = self._checked(i, result, kind)

    def _checked(self, number: int, result: Any, kind: ArrayKind) -> Array:
        try:
            array = np.asarray(result)
        except (TypeError, ValueError) as error:
            raise self.error(f"returns a {type(result).__name__} as result {number}: {error}") from None
        if isinstance(result, bool | int | float) and kind.shape == () and not isinstance(result, np.generic):
            array = array.astype(kind.numpy)  # a Python number has no dtype of its own
        if array.dtype != kind.numpy or array.shape != kind.shape:
            got = ArrayKind(array.dtype.name, array.shape)
            hint = f"end it with .astype('{kind.dtype}')" if array.shape == kind.shape else None
            raise self.error(f"returns {got} as result {number}, the call says {kind}", hint)
        return array


def _plain(value: Any) -> Any:
    """A value in words of JSON; arrays are dictionaries of a kind of their own."""
    if isinstance(value, np.ndarray):
        return {"": "array", "dtype": value.dtype.name, "shape": value.shape, "elements": value.reshape(-1).tolist()}
    if isinstance(value, dict):
        items: dict[Any, Any] = value
        return {"": "dict", "items": [(str(k), _plain(v)) for k, v in items.items()]}
    if isinstance(value, list | tuple):
        parts: Sequence[Any] = value
        return [_plain(v) for v in parts]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a callback cannot be given {value!r}")


def _arrays(value: Any) -> Any:
    """The inverse of `_plain`."""
    if isinstance(value, list):
        parts: list[Any] = value
        return [_arrays(v) for v in parts]
    if not isinstance(value, dict):
        return value
    entries: dict[str, Any] = value
    if entries[""] == "dict":
        return {k: _arrays(v) for k, v in entries["items"]}
    kind = ArrayKind(entries["dtype"], tuple(entries["shape"]))
    return np.array(entries["elements"]).astype(kind.numpy).reshape(kind.shape)


__all__ = [
    "ArrayKind",
    "HostCall",
    "callback_of",
    "callback_targets",
    "register_callback",
    "unregister_callback",
]
