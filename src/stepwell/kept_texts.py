"""What a compilation leaves to read: the program at each step and its LLVM IR, kept beside the program in the cache, compressed.

Printing takes time: when a program is compiled, the steps that say most are printed, a tenth of compiling, and the others when somebody
asks for them. Constants that would take long to print are no part of any text: their program keeps none.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stepwell.runtime.cache_store import Store

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from stepwell.backends.target import Target

_TEXTS = "texts"
_LLVM = "llvm"
_AT_ONCE = ("tensor", "kernels", "scheduled", "device")
_MOST_CONSTANT_BYTES = 1 << 16
MOST_BYTES = 32 << 20
"""Texts that are longer, all together, are not kept."""


@dataclass
class Record:
    """What a compilation leaves: text by step, the LLVM IR of each module, CPU seconds of each pass and stage."""

    steps: dict[str, str] = field(default_factory=dict[str, str])
    llvm: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    def reached(self, step: str, module: ModuleOp) -> None:
        """Keep the text of a module that came to a step, if it says much and has no large constants."""
        if step in _AT_ONCE and _constant_bytes(module) <= _MOST_CONSTANT_BYTES:
            from stepwell.ir.printer import print_ir

            self.steps[step] = print_ir(module)


def _constant_bytes(module: ModuleOp) -> int:
    from xdsl.dialects.builtin import DenseIntOrFPElementsAttr

    attributes = [
        value
        for op in module.walk()
        for value in (*op.properties.values(), *op.attributes.values())
        if isinstance(value, DenseIntOrFPElementsAttr)
    ]
    return sum(len(value.data.data) for value in attributes)


def keep_texts(store: Store, key: str, record: Record) -> None:
    """Keep the texts and times of the program that is kept under a key."""
    named = [*record.steps.items(), *((_LLVM, text) for text in record.llvm)]
    if sum(len(text) for _, text in named) > MOST_BYTES:
        named = []
    seconds = [[name, round(value, 6)] for name, value in record.seconds.items()]
    _put(store, key, named, seconds)


def _put(store: Store, key: str, named: Sequence[tuple[str, str]], seconds: object) -> None:
    pieces = [zlib.compress(text.encode()) for _, text in named]
    store.put(_TEXTS, key, {"names": [name for name, _ in named], "seconds": seconds}, pieces)


@dataclass(frozen=True)
class KeptTexts:
    """The texts of a program that was found; `remade` makes those that are not there, by lowering the program again.

    Attributes:
        store, key: where they are.
        target, opt_level: what the program was compiled for.
        remade: a `stepwell.native.Texts`.
        unchanged: whether what `remade` gives is of the compiler that the key says.
    """

    store: Store
    key: str
    target: Target
    opt_level: int
    remade: Callable[[], Any]
    unchanged: Callable[[], bool]

    def at(self, step: str) -> str:
        """The program at a step, or as "llvm" or "asm"."""
        if step == "asm":
            return self.asm()
        kept = self._kept()
        found = [text for name, text in kept if name == step]
        if found:
            return "\n".join(found)
        made: str = self.remade().at(step)
        from stepwell.steps import STEP_NAMES

        if step in STEP_NAMES and sum(len(text) for _, text in kept) + len(made) <= MOST_BYTES and self.unchanged():
            _put(self.store, self.key, [*kept, (step, made)], [*self.seconds().items()])
        return made

    def asm(self) -> str:
        """The assembly of all of the program."""
        found = [text for name, text in self._kept() if name == _LLVM]
        if not found:
            return self.remade().asm()
        from stepwell.backends.object import emit_asm

        return "\n".join(emit_asm(text, self.target, self.opt_level) for text in found)

    def seconds(self) -> dict[str, float]:
        """CPU seconds of each pass and stage of the compilation; none when they are not there, or damaged."""
        entry = self.store.get(_TEXTS, self.key)
        try:
            return {} if entry is None else {str(name): float(value) for name, value in entry.header["seconds"]}
        except (LookupError, TypeError, ValueError):
            return {}

    def _kept(self) -> list[tuple[str, str]]:
        """The texts by name; none when they are not there, or damaged."""
        entry = self.store.get(_TEXTS, self.key)
        if entry is None:
            return []
        try:
            return [
                (str(name), text_of(piece)) for name, piece in zip(entry.header["names"], entry.pieces, strict=True)
            ]
        except (LookupError, TypeError, ValueError, zlib.error):
            return []


def text_of(piece: bytes) -> str:
    """A text again; what would not be kept is not read either.

    Raises:
        ValueError, zlib.error: it is none.
    """
    reader = zlib.decompressobj()
    data = reader.decompress(piece, MOST_BYTES * 4)
    if not reader.eof:
        raise ValueError("a text is cut off")
    return data.decode()


__all__ = ["MOST_BYTES", "KeptTexts", "Record", "keep_texts", "text_of"]
