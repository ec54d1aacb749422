"""The machine description as passes read it: from `stepwell.target` on the module (see docs/decisions/0001)."""

from __future__ import annotations

from dataclasses import dataclass, fields

from xdsl.dialects.builtin import DictionaryAttr, IntegerAttr, StringAttr
from xdsl.ir import Attribute, Operation

HOST = "host"
"""The entry of a target that describes the machine driving it, and the `PLACE` of a kernel that runs there."""
PLACE = "kernel.place"
"""Name of the attribute on a kernel that says which of the two machines runs it."""


@dataclass(frozen=True)
class MachineDescription:
    """What cost models need to know; the defaults are those of a module without a target."""

    level: str = "sse4.2"
    vector_bits: int = 128
    cores: int = 1
    l1_bytes: int = 32 << 10
    l2_bytes: int = 256 << 10
    l3_bytes: int = 0
    """Bytes of the cache behind these; 0 where there is none, or none is known."""
    line_bytes: int = 64
    """Bytes that caches and memory exchange at once: a power of two."""
    subgroup: int = 1
    """Lanes that move together and hold a vector between them; 1 where a core has its vectors to itself."""
    block_threads: int = 1
    """The most threads that can share memory and meet at a barrier."""
    shared_bytes: int = 0
    """Memory those threads share without asking for more."""
    shared_limit: int = 0
    """The most they can share."""
    features: tuple[str, ...] = ("+fma",)

    @property
    def has_fma(self) -> bool:
        """Whether a product and a sum are one op, rounded once; lanes that move in groups always have it."""
        return self.subgroup > 1 or self.level == "neon" or "+fma" in self.features

    @property
    def has_gather_scatter(self) -> bool:
        """Whether lanes load from, and store to, places of their own in one op.

        Where they do not, a gathered vector is one load a lane: as quick as code without vectors, measured on SSE4.2, and what is computed
        of it is in vectors. So no schedule asks.
        """
        return self.subgroup > 1 or self.level == "avx512"

    @property
    def has_masked_ops(self) -> bool:
        """Whether any op can leave lanes out; elsewhere tails alone are masked, by a branch a lane where there is no masked move."""
        return self.subgroup > 1 or self.level == "avx512"

    @property
    def has_scaleb(self) -> bool:
        """Whether lanes times powers of two are one op."""
        return self.subgroup == 1 and self.level == "avx512"

    @property
    def has_estimates(self) -> bool:
        """Whether reciprocals and inverse square roots of lanes are to be had to fourteen bits, much sooner than all of them."""
        return self.subgroup == 1 and self.level == "avx512"

    @property
    def has_byte_dots(self) -> bool:
        """Whether sums of four products of bytes, with a sign and without, are one op per lane."""
        if self.level == "neon":
            return "+i8mm" in self.features
        wide = self.level == "avx512" and "+avx512vnni" in self.features
        return wide or (self.vector_bits <= 256 and "+avxvnni" in self.features)

    @property
    def has_half_dots(self) -> bool:
        """Whether sums of two products of halves with signs are one or two ops per lane."""
        return self.level != "neon"

    @property
    def vector_bytes(self) -> int:
        """Bytes of a vector register; 0 on a scalar machine."""
        return 0 if self.level == "scalar" else self.vector_bits // 8

    @property
    def registers(self) -> int:
        """Vector registers."""
        return 32 if self.level in ("avx512", "neon") else 16


_NAMES = tuple(field.name for field in fields(MachineDescription) if field.name != "features")


def _entries(attribute: Attribute | None) -> dict[str, Attribute]:
    """The dictionary of `#stepwell.target<{...}>` (or a plain dictionary)."""
    if isinstance(attribute, DictionaryAttr):
        return dict(attribute.data)
    for inner in getattr(attribute, "parameters", ()):
        if isinstance(inner, DictionaryAttr):
            return dict(inner.data)
    return {}


def _is_line(value: Attribute | None) -> bool:
    """Whether some bytes can be a cache line; others, which only a person can have written, would be divided by."""
    size = value.value.data if isinstance(value, IntegerAttr) else 0
    return 16 <= size <= 4096 and size & (size - 1) == 0


def _description(entries: dict[str, Attribute]) -> MachineDescription:
    known: dict[str, int | str | tuple[str, ...]] = {}
    for name in _NAMES:
        value = entries.get(name)
        if name == "line_bytes" and not _is_line(value):
            continue
        if isinstance(value, IntegerAttr):
            known[name] = value.value.data
        elif isinstance(value, StringAttr):
            known[name] = value.data
    features = entries.get("features")
    if entries:
        text = features.data if isinstance(features, StringAttr) else ""
        known["features"] = tuple(name.strip() for name in text.split(",") if name.strip())
    return MachineDescription(**known)  # pyright: ignore[reportArgumentType]


def machine_of(op: Operation) -> MachineDescription:
    """The machine `op` runs on, as the enclosing module describes it.

    That is the module's target, but the target's `host` for a kernel placed there and for what is inside of one.
    """
    owner: Operation | None = op
    on_host = False
    while owner is not None and "stepwell.target" not in owner.attributes:
        place = owner.attributes.get(PLACE)
        on_host = on_host or (isinstance(place, StringAttr) and place.data == HOST)
        owner = owner.parent_op()
    entries = _entries(owner.attributes["stepwell.target"]) if owner is not None else {}
    if on_host and HOST in entries:
        entries = _entries(entries[HOST])
    return _description(entries)
