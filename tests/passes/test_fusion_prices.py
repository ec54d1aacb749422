"""What fusion weighs: storing a value beside computing it again, by the machine's description."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepwell.ir.machine import MachineDescription
from stepwell.passes.fusion.prices import Producer, Site, compare, prices_of

LARGE = 1 << 24
PRODUCER = Producer(points=LARGE, cost=12, flops=1, width=4, reads=4 * LARGE, size=4 * LARGE)
READER = Site(
    points=LARGE, cost=1, own_points=LARGE, moves=8 * LARGE, read=4 * LARGE, instead=4 * LARGE, loads=0, near=False
)
LEVELS = {"avx512": 512, "avx2": 256, "sse4.2": 128}


def prices(level: str = "avx512", **entries: int):
    machine = MachineDescription(level=level, vector_bits=LEVELS[level], cores=2, l2_bytes=1 << 20)
    return prices_of(replace(machine, **entries))


@pytest.mark.parametrize("level", LEVELS)
def test_one_reader_that_repeats_nothing_always_computes_the_value(level: str):
    for near in (False, True):
        found = compare(PRODUCER, [replace(READER, near=near)], prices(level), whole=False)
        assert found.worth_it
        assert found.flops_repeated == 0
        assert found.bytes_saved == 2 * PRODUCER.size


@pytest.mark.parametrize("level", LEVELS)
def test_more_work_is_repeated_for_readers_that_wait_for_memory_than_for_those_that_find_the_value_in_a_cache(
    level: str,
):
    def dearest(near: bool) -> int:
        sites = [replace(READER, near=near)] * 2
        costs = (
            c for c in range(200) if compare(replace(PRODUCER, cost=c), sites, prices(level), whole=False).worth_it
        )
        return max(costs)

    assert dearest(True) == 4
    assert dearest(False) > 8


def test_a_value_that_is_stored_anyway_is_computed_again_where_that_reads_less():
    assert compare(replace(PRODUCER, cost=1), [replace(READER, instead=0)], prices(), whole=True).worth_it
    again = compare(replace(PRODUCER, cost=1), [replace(READER, instead=8 * LARGE)], prices(), whole=True)
    assert not again.worth_it
    assert again.bytes_saved == -4 * LARGE


def test_what_is_read_at_many_points_is_stored_unless_it_is_not_worth_a_kernel():
    few = Producer(points=4, cost=17, flops=1, width=4, reads=16, size=16)
    reader = Site(points=64, cost=1, own_points=64, moves=256, read=16, instead=16, loads=0, near=False)
    assert compare(few, [reader], prices(), whole=False).worth_it
    many = replace(reader, points=LARGE, own_points=LARGE)
    assert not compare(few, [many], prices(), whole=False).worth_it


def test_work_repeated_is_counted_beyond_what_is_done_once():
    found = compare(PRODUCER, [READER] * 3, prices(), whole=False)
    assert found.flops_repeated == 2 * LARGE
    assert compare(PRODUCER, [READER] * 3, prices(), whole=True).flops_repeated == 3 * LARGE
