"""What all tests share: how many of them run by default, and what makes them quick.

`@pytest.mark.every(n)` on a test (or on a module) runs one in n of its parameter sets, a fixed sample; `pytest --thorough` runs all.
`pytest --gpu` has the GPU at hand run what tests have simulated: those that compile for `gpu-sim`.
A test that runs code of an instruction set the processor lacks is skipped, whatever the compiler makes of the processor.
"""

from __future__ import annotations

import functools
import gc
import os
import re
import sys
import zlib
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
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


_FLAGS = {"avx512": ("avx512f", "avx512bw", "avx512dq", "avx512vl"), "avx2": ("avx2", "fma"), "sse4.2": ("sse4_2",)}
"""What the system says of a processor that has a level: not what the compiler says, which is tested."""


@functools.cache
def _processor() -> frozenset[str]:
    try:
        found = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return frozenset(found[1].split() if found else ())


def _is_missing(level: str) -> bool:
    return not _processor().issuperset(_FLAGS.get(level, ()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Skip what this machine cannot run, where the compiler says so and it is true."""
    del item
    try:
        return (yield)
    except ValueError as error:
        refused = re.search(r"this machine has \S+, not (\S+)", str(error))
        if refused is not None and _is_missing(refused[1]):
            pytest.skip(refused[0])
        raise


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
