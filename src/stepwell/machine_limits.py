"""What a machine can do at most: floating-point operations and bytes a second, measured or assumed.

Measured figures (`stepwell targets --measure`) only say which share of the limit was reached; no choice of the compiler reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stepwell.backends.target import Target

CLOCK = 2.5e9
"""Cycles a second of a core nobody measured."""
FMA_UNITS = 2
_L2_BYTES_A_CYCLE = 32.0
_L3_BYTES_A_CYCLE = 8.0
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
        )

    capacities = {"L2": target.l2_bytes, "L3": target.l3_bytes}
    return Limits("assumed", rates(1), rates(max(1, target.cores)), capacities)


def limits_of(target: Target) -> Limits:
    """The measured limits of a target if there are any, else the assumed ones."""
    return assumed_limits(target)
