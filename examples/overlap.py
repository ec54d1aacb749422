"""Futures: the next batch is fetched, and the last one counted, while the program is at work on the one between."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np

import stepwell
import stepwell.numpy as snp

BATCHES, ROWS, FEATURES = 12, 256, 512


@stepwell.jit
def layer(x: Any, weight: Any) -> Any:
    """Which values of a layer are above one half."""
    return snp.tanh(x @ weight) > 0.5


def batches(seed: int = 0) -> Iterator[np.ndarray[Any, Any]]:
    """Batches that come as slowly as from a network."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(ROWS, FEATURES)).astype(np.float32)
    for number in range(BATCHES):
        time.sleep(0.002)
        yield base * np.float32(number)


def one_after_the_other(weight: Any) -> list[int]:
    """How many values of each batch are above one half."""
    return [int(np.count_nonzero(layer(x, weight))) for x in batches()]


def overlapped(weight: Any) -> list[int]:
    """The same, a batch ahead."""
    counts: list[int] = []
    running: Future[Any] | None = None
    for x in batches():
        before, running = running, stepwell.submit(layer, x, weight)
        if before is not None:
            counts.append(int(np.count_nonzero(before.result())))
    if running is not None:
        counts.append(int(np.count_nonzero(running.result())))
    return counts


def main() -> None:
    """Do both, and say how long they take."""
    weight = np.random.default_rng(1).normal(size=(FEATURES, FEATURES)).astype(np.float32) / 16
    for way in (one_after_the_other, overlapped):
        way(weight)
        with stepwell.Timer() as timer:
            counts = way(weight)
        print(f"{way.__name__}: {sum(counts)} values in {timer.elapsed_ms:.1f} ms")


if __name__ == "__main__":
    main()
