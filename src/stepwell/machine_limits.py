"""What a machine can do at most: floating-point operations and bytes a second, measured or assumed.

Measured figures (`stepwell targets --measure`) only say which share of the limit was reached; no choice of the compiler reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stepwell.backends.target import Target
from stepwell.runtime.pool import worker_count

CLOCK = 2.5e9
"""Cycles a second of a core nobody measured."""
FMA_UNITS = 2
_L2_BYTES_A_CYCLE = 32.0
_L3_BYTES_A_CYCLE = 5.0
_MEMORY_BYTES_A_SECOND = 10e9


@dataclass(frozen=True)
class Rates:
    """What so many threads can do a second."""

    threads: int
    flops: Mapping[str, float]
    """By element type: "f32", "f64"."""
    read: Mapping[str, float]
    """Bytes read a second, by where they are: "L1", "L2", "L3", "memory"."""
    triad: float
    """Bytes a second of a triad in memory: two reads, one write."""
    copy: float
    """Bytes a second, read and written, of a copy in memory."""


@dataclass(frozen=True)
class Limits:
    """The limits of a machine, for one thread and for all."""

    source: str
    """"measured" or "assumed"."""
    one: Rates
    all: Rates
    capacities: Mapping[str, int]
    """Bytes of "L2" (of a core) and "L3" (shared)."""

    def roof(self, work: int, read: int, written: int, element: str, threads: int) -> tuple[float, str]:
        """(seconds at least, which limit that is) for so much work and so many bytes.

        `work` is in halves of a multiply-add; small floats are computed with as f32.
        """
        rates = self.one if threads == 1 else self.all
        peak = rates.flops["f64" if element == "f64" else "f32"]
        place = self._place(read + written, rates.threads)
        if place == "memory":
            rate = rates.read[place] if written * 10 < read else rates.triad
        else:
            rate = rates.read[place]
        compute, memory = work / peak, (read + written) / rate
        return (compute, "compute") if compute >= memory else (memory, place)

    def _place(self, size: int, threads: int) -> str:
        """Where that many bytes are at best."""
        if size <= self.capacities["L2"] * threads:
            return "L2"
        return "L3" if size <= self.capacities["L3"] else "memory"


def assumed_limits(target: Target) -> Limits:
    """The limits that a machine's description suggests."""

    def rates(threads: int) -> Rates:
        lanes = max(target.vector_bits, 64)
        halves = 2 if target.has_fma else 1  # without fused multiply-adds, products and sums are ops of their own
        vectors = threads * CLOCK * FMA_UNITS * halves
        return Rates(
            threads,
            {"f32": vectors * lanes / 32, "f64": vectors * lanes / 64},
            {
                "L1": threads * CLOCK * 2 * lanes / 8,
                "L2": threads * CLOCK * _L2_BYTES_A_CYCLE,
                "L3": threads * CLOCK * _L3_BYTES_A_CYCLE,
                "memory": threads * _MEMORY_BYTES_A_SECOND,
            },
            threads * _MEMORY_BYTES_A_SECOND,
            threads * _MEMORY_BYTES_A_SECOND,
        )

    capacities = {"L2": target.l2_bytes, "L3": target.l3_bytes}
    return Limits("assumed", rates(1), rates(worker_count()), capacities)


def limits_file() -> Path:
    """Where measured figures are kept: `machine.json` in the cache folder."""
    from stepwell.cache import folder

    return folder() / "machine.json"


def machine_key(target: Target) -> str:
    """What figures are of: the processor, the instruction set, and how many threads "all" were."""
    return f"{target.cpu} {target.level} cores={target.cores} threads={worker_count()}"


def read_limits(path: Path) -> dict[str, Any]:
    """Everything a file of figures says, by machine; nothing when there is none or it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    machines: Any = content.get("machines") if isinstance(content, dict) and content.get("format") == 1 else None
    return dict(machines) if isinstance(machines, dict) else {}


def limits_as_json(limits: Limits) -> dict[str, Any]:
    """Limits as what JSON can say."""
    return asdict(limits)


def limits_from_json(made: Any) -> Limits | None:
    """The inverse of `limits_as_json`; None for what is no such thing."""

    def rates(entry: Any) -> Rates:
        flops, read = ({str(k): float(v) for k, v in entry[which].items()} for which in ("flops", "read"))
        if not {"f32", "f64"} <= set(flops) or not {"L1", "L2", "L3", "memory"} <= set(read):
            raise ValueError("figures are missing")
        found = Rates(int(entry["threads"]), flops, read, float(entry["triad"]), float(entry["copy"]))
        if min(*flops.values(), *read.values(), found.triad, found.copy) <= 0:
            raise ValueError("figures that no machine has")
        return found

    try:
        capacities = {name: int(made["capacities"][name]) for name in ("L2", "L3")}
        return Limits(str(made["source"]), rates(made["one"]), rates(made["all"]), capacities)
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def limits_of(target: Target) -> Limits:
    """The measured limits of a target if there are any, else the assumed ones."""
    found = limits_from_json(read_limits(limits_file()).get(machine_key(target)))
    return found or assumed_limits(target)
