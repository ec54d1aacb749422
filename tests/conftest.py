"""What all tests share: how many of them run by default, and what makes them quick.

`@pytest.mark.every(n)` on a test (or on a module) runs one in n of its parameter sets, a fixed sample; `pytest --thorough` runs all.
`pytest --gpu` has the GPU at hand run what tests have simulated: those that compile for `gpu-sim`.
"""

from __future__ import annotations

import gc
import os
import sys
import zlib
from collections import defaultdict
from collections.abc import Generator
from typing import Any

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
    parser.addoption("--gpu", action="store_true", help="run on the GPU at hand what is simulated otherwise")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "every(n): run one in n parameter sets of a test, all with --thorough")
    if config.getoption("--gpu"):
        _run_on_the_gpu_at_hand()


def _run_on_the_gpu_at_hand() -> None:
    """Have `stepwell.compile` take `cuda`, whichever GPU it is, for `gpu-sim`."""
    import stepwell

    compile_for = stepwell.compile

    def compile_(*arguments: Any, target: Any = None, **options: Any) -> Any:
        if isinstance(target, str) and target.split(":")[0] == "gpu-sim":
            if options.get("step") is not None:
                pytest.skip("only a simulator runs a program on an earlier step")
            executable = compile_for(*arguments, target="cuda", **options)
            executable._wrap = lambda array: array.numpy()  # what the simulator gives
            return executable
        return compile_for(*arguments, target=target, **options)

    stepwell.compile = compile_


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
    """A kernel that fails leaves a GPU useless to its process: end it, for pytest-xdist to start another."""
    report = yield
    if item.config.getoption("--gpu") and call.excinfo is not None and type(call.excinfo.value).__name__ == "CudaError":
        print(f"{item.nodeid}: {call.excinfo.value}", file=sys.__stderr__, flush=True)
        if "PYTEST_XDIST_WORKER" in os.environ:
            os._exit(1)
    return report


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
