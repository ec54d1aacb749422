"""Offsets: buffers alive at the same time are apart, and the total is near the least possible."""

from __future__ import annotations

import itertools
import random

import pytest

from stepwell.passes import memory_planning
from stepwell.passes.memory_planning import ALIGNMENT, Interval, Plan, assign_offsets


def random_intervals(seed: int, count: int) -> list[Interval]:
    rng = random.Random(seed)
    starts = [rng.randrange(count) for _ in range(count)]
    return [Interval(rng.choice((0, 4, 64, 100, 4096, 70000)), s, s + rng.randrange(1 + count // 4)) for s in starts]


def check(intervals: list[Interval], plan: Plan) -> None:
    """Walk over time with a map of bytes: no live byte is given out twice."""
    for time in range(max(i.last for i in intervals) + 1):
        spans = sorted(
            (o, o + i.size)
            for o, i in zip(plan.offsets, intervals, strict=True)
            if i.first <= time <= i.last and i.size
        )
        for (_, end), (start, _) in itertools.pairwise(spans):
            assert end <= start
        assert all(end <= plan.total for _, end in spans)
    assert all(o % ALIGNMENT == 0 for o in plan.offsets)
    assert plan.lower_bound <= plan.total


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("exhaustive", [True, False])
def test_live_buffers_never_overlap(seed: int, exhaustive: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exhaustive:
        monkeypatch.setattr(memory_planning, "_EXHAUSTIVE", 0)
    intervals = random_intervals(seed, 5 + seed * 4)
    plan = assign_offsets(intervals)
    check(intervals, plan)
    assert plan.total <= 2 * plan.lower_bound


@pytest.mark.parametrize("seed", range(30))
def test_no_arena_is_a_tenth_over_what_is_needed_at_once(seed: int) -> None:
    rng = random.Random(seed)
    sizes, times = (64, 128, 192, 256, 512, 1024, 1088, 2112, 4096, 6400), (1, 1, 2, 2, 3, 5, 10, 30)
    starts = [rng.randrange(40) for _ in range(rng.randrange(5, 80))]
    plan = assign_offsets([Interval(rng.choice(sizes), s, s + rng.choice(times)) for s in starts])
    assert plan.total <= 1.1 * plan.lower_bound


def test_another_order_is_taken_where_large_buffers_first_need_more() -> None:
    """Both of 5 at 0 leave one of 3 nothing but the top: 5, then 8; where those of 3 lie apart, 8 is enough."""
    plan = assign_offsets(
        intervals := [Interval(320, 0, 1), Interval(192, 1, 3), Interval(192, 3, 4), Interval(320, 4, 5)]
    )
    check(intervals, plan)
    assert plan.total == plan.lower_bound


def test_a_chain_needs_two_buffers() -> None:
    plan = assign_offsets([Interval(1000, i, i + 1) for i in range(100)])
    assert plan.total == plan.lower_bound == 2048


def test_no_buffers_need_no_memory() -> None:
    assert assign_offsets([]) == Plan((), 0, 0)
