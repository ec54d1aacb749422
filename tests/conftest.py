"""What all tests share: how many of them run by default, and what makes them quick.

`@pytest.mark.every(n)` on a test (or on a module) runs one in n of its parameter sets, a fixed sample; `pytest --thorough` runs all.
"""

from __future__ import annotations

import gc
import os
import sys
import zlib
from collections import defaultdict

import pytest

# The many processes that tests start find their modules compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# What is tested is made, not found: the tests of the cache turn it on, each in a folder of its own.
os.environ["STEPWELL_CACHE"] = "0"

# IR is cyclic, and much of it is made and dropped: what the suite imports need not be looked through again for each program.
gc.set_threshold(100_000, 50, 100)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="run every parameter set, not samples")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "every(n): run one in n parameter sets of a test, all with --thorough")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    gc.freeze()
    if config.getoption("--thorough"):
        return
    sampled: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for item in items:
        mark = item.get_closest_marker("every")
        if mark is not None:
            sampled[item.nodeid.partition("[")[0], mark.args[0]].append(item.nodeid)
    dropped: set[str] = set()
    for (_, n), names in sampled.items():
        # By a checksum: in order of parameters, one in n would always be the same value of one of them.
        by_chance = sorted(names, key=lambda name: zlib.crc32(name.encode()))
        dropped.update(by_chance[-(-len(names) // n) :])
    if dropped:
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in dropped])
        items[:] = [item for item in items if item.nodeid not in dropped]
