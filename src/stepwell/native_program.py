"""A program as native code: what is loaded, what the cache keeps. Loading it needs neither the program's IR nor the compiler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stepwell.arrays import dtype_of
from stepwell.runtime.executable import ArrayType, Executable, Signature
from stepwell.runtime.loader import Library, native_entry
from stepwell.runtime.pool import call_addresses, runtime_symbols, worker_count

if TYPE_CHECKING:
    from stepwell.ir.diagnostics import Diagnostic
    from stepwell.kept_texts import Record

Accept = Callable[[Signature], None]
"""Raises when a caller cannot use an entry called so."""


@dataclass(frozen=True)
class NativeProgram:
    """Objects, and how the entry in them is called."""

    signature: Signature
    symbol: str
    """The native entry's."""
    objects: tuple[bytes, ...]
    pool: bytes
    """The object of the thread pool."""
    calls_python: bool = False
    """Whether it calls functions of this process: what these raise is raised when the program is back."""

    def load(self, ir: Callable[[str], str], asm: Callable[[], str]) -> Executable:
        """Link the program into this process."""
        symbols, watched = runtime_symbols(self.pool), native_entry
        if self.calls_python:
            # Here: it needs the IR, which a program from the cache does without.
            from stepwell.runtime import host_calls

            symbols, watched = {**symbols, **host_calls.symbols()}, host_calls.checked_entry
        library = Library(self.objects, [self.symbol], symbols)
        address = library.address(self.symbol)
        return Executable(
            self.signature,
            watched(address),
            worker_count=worker_count(),
            ir=ir,
            asm=asm,
            keep_alive=library,
            addresses=None if self.calls_python else (address, *call_addresses(self.pool)),
        )


@dataclass(frozen=True)
class Compiled:
    """An executable, and the dtypes that the values of its program have."""

    executable: Executable
    element_dtypes: tuple[np.dtype[Any], ...]


@dataclass(frozen=True)
class Made:
    """What the compiler made of a program for a CPU, for the cache to keep."""

    native: NativeProgram
    element_dtypes: tuple[np.dtype[Any], ...]
    """Of the program's values."""
    diagnostics: tuple[Diagnostic, ...]
    """What was said on the way."""
    record: Record
    """Texts, and times of passes."""


def signature_as_json(signature: Signature) -> dict[str, Any]:
    """A signature without guards as what JSON can say."""
    assert signature.guard is None
    return {
        "inputs": [[list(t.shape), t.dtype.name] for t in signature.inputs],
        "outputs": [[list(t.shape), t.dtype.name] for t in signature.outputs],
        "donated": list(signature.donated),
        "arena_bytes": signature.arena_bytes,
        "worker_bytes": signature.worker_bytes,
        "lower_bound_bytes": signature.lower_bound_bytes,
    }


def signature_from_json(made: dict[str, Any]) -> Signature:
    """The inverse of `signature_as_json`.

    Raises:
        LookupError, TypeError, ValueError: it is not one.
    """
    inputs, outputs = (
        tuple(ArrayType(tuple(map(int, shape)), dtype_of(name)) for shape, name in made[which])
        for which in ("inputs", "outputs")
    )
    donated = tuple(map(int, made["donated"]))
    arena, workers, least = (int(made[name]) for name in ("arena_bytes", "worker_bytes", "lower_bound_bytes"))
    return Signature(inputs, outputs, donated, arena, workers, lower_bound_bytes=least)


__all__ = ["Accept", "Compiled", "Made", "NativeProgram", "signature_as_json", "signature_from_json"]
