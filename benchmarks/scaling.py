"""How Stepwell's time follows threads and sizes: scaling.py [threads|growth] [--only RE] [--rounds N].

`threads`: the shared workloads on one thread and on all, each in a process of its own, asked in turn; medians and the speed-up.
`growth`: a kernel of each family at 1, 2, 4, 8 times the work, on one thread and in its own time, called in turn; the factors by which a
doubling costs more, of medians. A factor above 2.1 is marked: where the data leave a cache on the way, that is why.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import peers

Program = tuple[Callable[..., Any], list[np.ndarray]]


def families() -> dict[str, Callable[[int], Program]]:
    """A program of each family, by how many times the work."""
    import jax
    import jax.numpy as jnp

    def f32(*shape: int) -> np.ndarray:
        return np.random.default_rng(0).standard_normal(shape).astype(np.float32)

    def norm(x: Any) -> Any:
        centered = x - x.mean(-1, keepdims=True)
        return centered * jax.lax.rsqrt((centered**2).mean(-1, keepdims=True) + 1e-5)

    def attention(q: Any, k: Any, v: Any) -> Any:
        return jnp.einsum("bqk,bkd->bqd", jax.nn.softmax(jnp.einsum("bqd,bkd->bqk", q, k) / 8.0, -1), v)

    def conv(x: Any, w: Any) -> Any:
        return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME")

    ids = np.random.default_rng(0).integers(0, 4096, 4096).astype(np.int32)
    return {
        "product": lambda s: (lambda a, b: a @ b, [f32(128 * s, 256), f32(256, 256)]),
        "product, long": lambda s: (lambda a, b: a @ b, [f32(128, 256 * s), f32(256 * s, 256)]),
        "gemv": lambda s: (lambda a, b: a @ b, [f32(1, 1024), f32(1024, 512 * s)]),
        "attention": lambda s: (attention, [f32(2 * s, 256, 64) for _ in range(3)]),
        "convolution": lambda s: (conv, [f32(s, 32, 28, 28), f32(32, 32, 3, 3)]),
        "map": lambda s: (lambda x: jnp.tanh(x) * 2, [f32(128 * s, 512)]),
        "softmax": lambda s: (lambda x: jax.nn.softmax(x, -1), [f32(128 * s, 512)]),
        "softmax, long rows": lambda s: (lambda x: jax.nn.softmax(x, -1), [f32(64, 1024 * s)]),
        "norm": lambda s: (norm, [f32(128 * s, 512)]),
        "sum": lambda s: (lambda x: x.sum(), [f32(256 * s, 1024)]),
        "columns": lambda s: (lambda x: x.max(0), [f32(256 * s, 1024)]),
        "transpose": lambda s: (lambda x: x.T + 1, [f32(256 * s, 512)]),
        "cumsum": lambda s: (lambda x: jnp.cumsum(x, 1), [f32(128 * s, 512)]),
        "sort": lambda s: (lambda x: jnp.sort(x, -1), [f32(64 * s, 512)]),
        "take": lambda s: (lambda i, e: jnp.take(e, i, axis=0), [np.tile(ids[:512], s), f32(4096, 128)]),
    }


def compiled(program: Program) -> Callable[[], Any]:
    """What calls a program that is compiled, and was called."""
    import jax

    import stepwell

    function, arguments = program
    executable = stepwell.compile(jax.jit(function, keep_unused=True).lower(*arguments).as_text())
    executable(*arguments)
    return lambda: executable(*arguments)


def growth(arguments: argparse.Namespace) -> None:
    """Times at 1, 2, 4 and 8 times the work."""
    os.environ["STEPWELL_NUM_THREADS"] = "1"  # read when the first program is loaded
    for name, family in families().items():
        if not re.search(arguments.only, name):
            continue
        calls = [compiled(family(1 << step)) for step in range(4)]
        times: list[list[float]] = [[] for _ in calls]
        for _ in range(arguments.rounds * 8):
            for call, found in zip(calls, times, strict=True):
                start = time.thread_time()
                call()
                found.append(time.thread_time() - start)
        least = [median(found) for found in times]
        factors = [later / earlier for earlier, later in itertools.pairwise(least)]
        cells = " ".join(f"{f:5.2f}{'!' if f > 2.1 else ' '}" for f in factors)
        print(f"{name:20s} {1e6 * least[0]:9.1f} us   x2 {cells}", flush=True)


def threads(arguments: argparse.Namespace) -> None:
    """Times on one thread and on all."""
    import workloads

    counts = ["1", str(os.cpu_count())]
    running = peers.Peers(counts, __file__)
    print(f"{'workload':20s} " + " ".join(f"{c + ' thread' + 's' * (c != '1'):>12s}" for c in counts) + "  speed-up")
    for w in workloads.build():
        if not re.search(arguments.only, w["name"]):
            continue
        row = peers.measure(running, w, arguments.rounds)
        alone, all_ = (row[c].get("ms") for c in counts)
        speed = f"{alone / all_:8.2f}" if alone and all_ else "        ?"
        print(f"{w['name']:20s} {alone or 0:10.3f}ms {all_ or 0:10.3f}ms {speed}", flush=True)
    running.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("threads", "growth"), help="one of the two; both without")
    parser.add_argument("--only", default="", metavar="RE", help="what to measure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        os.environ["STEPWELL_NUM_THREADS"] = arguments.worker
        import workloads

        todo = {w["name"]: w for w in workloads.build()}
        peers.worker(arguments.worker, {arguments.worker: peers.stepwell_runner}, todo)
        return
    if arguments.what != "growth":
        threads(arguments)
    if arguments.what != "threads":
        growth(arguments)


if __name__ == "__main__":
    main()
