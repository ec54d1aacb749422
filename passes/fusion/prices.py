"""What computing and moving cost a machine by its description, and what storing a value takes beside computing it again.

Times are cycles of one core as if it did everything: all cores together do both sides of a comparison equally fast. A kernel of
its own takes the longer of computing and moving, so what waits for memory computes a little more for nothing; what is done
with rows that stay in a cache takes the sum, since little of that waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stepwell.ir.machine import MachineDescription

MEMORY_RATE = 4.0
"""Bytes a cycle that a core moves from and to memory, or a cache that all share."""
LAUNCH = 500
"""Cycles of all cores that another kernel of one task has to save: a call takes about 75, and it has to be compiled as well."""
SHARED_LAUNCH = 2000
"""The same of one that is shared out, which is one that takes `LARGE` cycles: threads are woken."""
LARGE = 75_000.0
DRIVEN_LAUNCH = 8000
"""The same where a host starts it on another machine."""


@dataclass(frozen=True)
class Prices:
    """Rates of one core."""

    ops: float
    """Bytes of elements that one simple op a cycle is done on."""
    near: float
    """Bytes a cycle, of what stays in a core's own cache."""
    far: float
    """Bytes a cycle, of what does not."""
    own: int
    """Bytes that stay in the caches that cores have to themselves, all together."""
    launch: float
    """Cycles for starting another kernel, and one that is shared out."""
    shared_launch: float
    overlaps: bool
    """Whether a kernel that waits for memory computes meanwhile."""

    def computing(self, points: int, cost: int, width: int) -> float:
        """Cycles for so many points of so many simple ops, on elements of `width` bytes."""
        return points * cost * width / self.ops

    def moving(self, size: int, near: bool) -> float:
        """Cycles for so many bytes."""
        return size / (self.near if near or size <= self.own else self.far)


def prices_of(machine: MachineDescription) -> Prices:
    """The prices of a machine."""
    vector = float(max(machine.vector_bytes, 4))
    if machine.subgroup > 1:
        # Others compute while some wait: a kernel is busy as it is, and moving is as dear to it as on a core's own cache.
        launch = float(DRIVEN_LAUNCH * machine.cores)
        return Prices(vector, vector / 2, vector / 2, 0, launch, launch, overlaps=False)
    own = machine.l2_bytes * machine.cores
    launches = (float(LAUNCH * machine.cores), float(SHARED_LAUNCH * machine.cores))
    return Prices(vector, vector / 2, MEMORY_RATE, own, *launches, overlaps=True)


@dataclass(frozen=True)
class Producer:
    """A value and what making it once takes."""

    points: int
    cost: int
    flops: int
    width: int
    reads: int
    """Bytes of its operands."""
    size: int
    """Bytes of the value."""


@dataclass(frozen=True)
class Site:
    """A reader of the value as it is so far."""

    points: int
    """How often the value would be computed there."""
    cost: int
    """Simple ops it has at each of its own points."""
    own_points: int
    moves: int
    """Bytes it reads and writes, the value included."""
    read: int
    """Bytes of the value it reads."""
    instead: int
    """Bytes it would read instead."""
    loads: int
    """How many more operands it would have."""
    near: bool
    """Whether what it reads of the value is still in a core's cache."""


@dataclass(frozen=True)
class Comparison:
    """Computing a value in its readers beside storing it."""

    cycles: float
    """What computing it in the readers saves."""
    bytes_saved: int
    """As if nothing stayed in a cache."""
    flops_repeated: int

    @property
    def worth_it(self) -> bool:
        """Whether to compute it in the readers: also when nothing is lost by it."""
        return self.cycles >= 0


def compare(producer: Producer, sites: Sequence[Site], prices: Prices, *, whole: bool) -> Comparison:
    """What it saves to compute a value in its readers; `whole`: it is stored in any case."""
    saved = 0.0 if whole else _making(producer, prices, near=all(s.near for s in sites))
    saved -= sum(_difference(producer, site, prices) for site in sites)
    made = 0 if whole else producer.points
    moved = 0 if whole else producer.size + producer.reads
    return Comparison(
        saved,
        moved + sum(s.read - s.instead for s in sites),
        producer.flops * max(0, sum(s.points for s in sites) - made),
    )


def _making(producer: Producer, prices: Prices, *, near: bool) -> float:
    """Cycles for making the value and storing it."""
    computing = prices.computing(producer.points, producer.cost, producer.width)
    moving = prices.moving(producer.reads + producer.size, near)
    busy = max(computing, moving) if prices.overlaps and not near else computing + moving
    if near:
        return busy
    return busy + (prices.launch if busy < LARGE else prices.shared_launch)


def _difference(producer: Producer, site: Site, prices: Prices) -> float:
    """Cycles that a reader takes longer when it computes the value."""
    more = prices.computing(site.points, producer.cost, producer.width)
    more += prices.computing(site.own_points, site.loads, producer.width)
    if site.near or not prices.overlaps:
        return more + prices.moving(site.instead, near=True) - prices.moving(site.read, near=True)
    before = prices.computing(site.own_points, site.cost, producer.width)
    after = before + more
    moves = site.moves - site.read + site.instead
    return max(after, prices.moving(moves, near=False)) - max(before, prices.moving(site.moves, near=False))
