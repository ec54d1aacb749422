"""The fake driver for every test of this folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import simulated_kernels
from fake_driver import FakeDriver

from stepwell.runtime.cuda import driver


@pytest.fixture
def fake() -> Iterator[FakeDriver]:
    """One GPU of 1 GiB."""
    yield from using(FakeDriver())


@pytest.fixture
def two_gpus() -> Iterator[FakeDriver]:
    """Two GPUs."""
    yield from using(FakeDriver(devices=2))


@pytest.fixture
def simulated(fake: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """A driver that runs the kernels of whatever is compiled for it, in the simulator."""
    monkeypatch.setattr(
        "stepwell.gpu_executable.images", lambda module, *options: simulated_kernels.install(fake, module)
    )
    return fake


def using(made: FakeDriver) -> Iterator[FakeDriver]:
    driver.use(made)
    try:
        yield made
    finally:
        driver.use(None)
