"""Linking objects into the process with LLVM's ORC, and the one foreign call of an executable.

Objects come as bytes (from the compiler or a cache); nothing here compiles. `FOREIGN_CALLS` counts calls into native entries, so that
a test can hold an executable to exactly one.
"""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections.abc import Sequence
from typing import Any

from llvmlite import binding as llvm

_lock = threading.Lock()
_counter = itertools.count()
_state: dict[str, Any] = {}

Entry = Any
"""`i32 (ptr)`: takes the array of argument pointers."""

PARALLEL_FOR = "stepwell_parallel_for"


def _jit() -> Any:
    if "jit" not in _state:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
            opt=2, reloc="pic", codemodel="small", jit=True
        )
        _state["jit"] = llvm.create_lljit_compiler(machine, use_jit_link=True)
    return _state["jit"]


class Library:
    """Objects linked together; alive as long as this object."""

    def __init__(self, objects: Sequence[bytes], exports: Sequence[str], symbols: dict[str, int] | None = None):
        with _lock:
            builder = llvm.JITLibraryBuilder()
            for data in objects:
                builder.add_object_img(data)
            builder.add_current_process()
            for name, address in (symbols or {}).items():
                builder.import_symbol(name, address)
            for name in exports:
                builder.export_symbol(name)
            self._tracker = builder.link(_jit(), f"stepwell.{next(_counter)}")

    def address(self, symbol: str) -> int:
        """The address of an exported symbol."""
        return int(self._tracker[symbol])


class Counter:
    """A number that tests read."""

    def __init__(self) -> None:
        self.value = 0


FOREIGN_CALLS = Counter()

_ENTRY_TYPE = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)


def native_entry(address: int) -> Entry:
    """The callable of a native entry; ctypes releases the GIL while it runs."""
    function = _ENTRY_TYPE(address)
    counter = FOREIGN_CALLS

    def call(arguments: int) -> int:
        counter.value += 1
        return function(arguments)

    return call
