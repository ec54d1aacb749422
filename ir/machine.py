"""The machine description as passes read it: from `stepwell.target` on the module (see docs/decisions/0001)."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.builtin import DictionaryAttr, IntegerAttr, StringAttr
from xdsl.ir import Attribute, Operation


@dataclass(frozen=True)
class MachineDescription:
    """What cost models need to know; the defaults are those of a module without a target."""

    level: str = "sse4.2"
    vector_bits: int = 128
    cores: int = 1
    l1_bytes: int = 32 << 10
    l2_bytes: int = 256 << 10

    @property
    def vector_bytes(self) -> int:
        """Bytes of a vector register; 0 on a scalar machine."""
        return 0 if self.level == "scalar" else self.vector_bits // 8

    @property
    def registers(self) -> int:
        """Vector registers."""
        return 32 if self.level == "avx512" else 16


def _entries(attribute: Attribute | None) -> dict[str, Attribute]:
    """The dictionary of `#stepwell.target<{...}>` (or a plain dictionary)."""
    if isinstance(attribute, DictionaryAttr):
        return dict(attribute.data)
    for inner in getattr(attribute, "parameters", ()):
        if isinstance(inner, DictionaryAttr):
            return dict(inner.data)
    return {}


def machine_of(op: Operation) -> MachineDescription:
    """The description the enclosing module carries."""
    owner: Operation | None = op
    while owner is not None and "stepwell.target" not in owner.attributes:
        owner = owner.parent_op()
    entries = _entries(owner.attributes["stepwell.target"]) if owner is not None else {}
    known: dict[str, int | str] = {}
    for name in ("level", "vector_bits", "cores", "l1_bytes", "l2_bytes"):
        value = entries.get(name)
        if isinstance(value, IntegerAttr):
            known[name] = value.value.data
        elif isinstance(value, StringAttr):
            known[name] = value.data
    return MachineDescription(**known)  # pyright: ignore[reportArgumentType]
