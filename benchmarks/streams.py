"""Time kernels bound by memory: streams.py [--only RE] [--mb 1,16,64] [--threads 1,2] [--peers torch] [--rounds N].

Each family is one pass over arrays of so many megabytes. A line gives the medians, the bytes a second that Stepwell moves (each
input read once, each result written once), the share of what a sum of two arrays reaches in the same process, and the best
peer's time over Stepwell's. Candidates take turns call by call; each number of threads has a process of its own. JAX's threads
disturb what runs after them, for longer than the pause between calls: with `--peers jax` only JAX's own figures hold.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

PAUSE_SECONDS = 0.02
SIDE = 1024
FLOOR = "add"

Family = tuple[str, tuple[Any, ...], Callable[..., Any], Callable[..., Any]]


def families(megabytes: int) -> list[Family]:
    """Name, inputs of about so many megabytes together, the function in JAX and in torch."""
    import jax.numpy as jnp
    import torch

    rng = np.random.default_rng(0)

    def array(dtype: str, inputs: int = 1) -> np.ndarray:
        rows = max(1, (megabytes << 20) // np.dtype(dtype).itemsize // SIDE // inputs)
        values = rng.standard_normal((rows, SIDE), np.float32)
        if dtype == "bool":
            return values > 9
        return (values * (40 if dtype[0] == "i" else 1)).astype(dtype)

    x, (a, b) = array("float32"), (array("float32", 2), array("float32", 2))
    i32, i8, flags = array("int32"), array("int8"), array("bool")
    near_one = (1 + 1e-6 * x).astype(np.float32)
    image = x.reshape(-1, 64, 16, 64)
    return [
        (FLOOR, (a, b), lambda x, y: x + y, torch.add),
        ("exp", (x,), jnp.exp, torch.exp),
        ("transpose", (x,), lambda x: x.T, lambda x: x.T.contiguous()),
        ("transpose_add", (a, b), lambda x, y: x.T + y.T * 2, lambda x, y: (x.T + y.T * 2).contiguous()),
        ("transpose_i8", (i8,), lambda x: x.T, lambda x: x.T.contiguous()),
        ("nchw_nhwc", (image,), lambda x: x.transpose(0, 2, 3, 1), lambda x: x.permute(0, 2, 3, 1).contiguous()),
        ("nhwc_nchw", (image,), lambda x: x.transpose(0, 3, 1, 2), lambda x: x.permute(0, 3, 1, 2).contiguous()),
        ("heads", (image,), lambda x: x.transpose(0, 2, 1, 3), lambda x: x.permute(0, 2, 1, 3).contiguous()),
        ("sum_all", (x,), jnp.sum, torch.sum),
        ("sum_rows", (x,), lambda x: x.sum(1), lambda x: x.sum(1)),
        ("sum_columns", (x,), lambda x: x.sum(0), lambda x: x.sum(0)),
        ("rows_columns", (x,), lambda x: (x.max(0), x.sum(1)), lambda x: (x.amax(0), x.sum(1))),
        ("argmax_rows", (x,), lambda x: jnp.argmax(x, 1), lambda x: x.argmax(1)),
        ("argmax_columns", (x,), lambda x: jnp.argmax(x, 0), lambda x: x.argmax(0)),
        ("argmax_all", (x,), jnp.argmax, torch.argmax),
        ("any", (flags,), jnp.any, torch.any),
        ("all_rows", (~flags,), lambda x: x.all(1), lambda x: x.all(1)),
        ("max_i8", (i8,), jnp.max, torch.max),
        ("min_i32_columns", (i32,), lambda x: x.min(0), lambda x: x.amin(0)),
        ("prod", (near_one,), jnp.prod, torch.prod),
    ]


def runners(family: Family, peers: list[str]) -> dict[str, Callable[[], Any]]:
    """What to time, compiled."""
    import jax
    import torch

    import stepwell

    _, inputs, in_jax, in_torch = family
    program = jax.jit(in_jax, keep_unused=True).lower(*inputs).as_text()
    exe = stepwell.compile(program)
    made: dict[str, Callable[[], Any]] = {"stepwell": lambda: exe(*inputs)}
    if "torch" in peers:
        tensors = [torch.from_numpy(i) for i in inputs]
        made["torch"] = lambda: in_torch(*tensors)
    if "jax" in peers:
        arrays, compiled = [jax.device_put(i) for i in inputs], jax.jit(in_jax)
        made["jax"] = lambda: jax.block_until_ready(compiled(*arrays))
    return made


def moved(inputs: tuple[Any, ...], results: Any) -> int:
    """Bytes of inputs and results."""
    results = results if isinstance(results, (tuple, list)) else [results]
    return sum(i.nbytes for i in inputs) + sum(np.asarray(r).nbytes for r in results)


def medians(made: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Seconds a call, in turn."""
    times: dict[str, list[float]] = {name: [] for name in made}
    for round_ in range(rounds + 1):
        for name, run in made.items():
            time.sleep(PAUSE_SECONDS)
            run()
            start = time.perf_counter()
            run()
            if round_:
                times[name].append(time.perf_counter() - start)
    return {name: float(np.median(t)) for name, t in times.items()}


def worker(arguments: argparse.Namespace) -> None:
    """Measure with the threads of this process."""
    import torch

    threads = int(arguments.threads)
    torch.set_num_threads(threads)
    peers = arguments.peers.split(",")
    for megabytes in map(int, arguments.mb.split(",")):
        floor = None
        for family in families(megabytes):
            name, inputs, *_ = family
            if name != FLOOR and not re.search(arguments.only, name):
                continue
            made = runners(family, peers)
            seconds = medians(made, arguments.rounds)
            rate = moved(inputs, made["stepwell"]()) / seconds["stepwell"] / 1e9
            floor = floor or rate
            others = [t for peer, t in seconds.items() if peer != "stepwell"]
            ratio = f"vs best {min(others) / seconds['stepwell']:5.2f}" if others else ""
            cells = "  ".join(f"{peer} {1e3 * t:8.3f}" for peer, t in seconds.items())
            print(
                f"{threads}T {megabytes:3d} MB {name:16s} {cells} ms  {rate:5.1f} GB/s {rate / floor:4.0%}  {ratio}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="RE", help="families whose name matches")
    parser.add_argument("--mb", default="1,16,64", help="megabytes of input")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--peers", default="torch")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        worker(arguments)
        return
    for threads in arguments.threads.split(","):
        # OpenMP's threads would spin into the next candidate's turn.
        environment = os.environ | {"STEPWELL_NUM_THREADS": threads, "OMP_WAIT_POLICY": "passive"}
        if threads == "1":
            environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        command = [sys.executable, __file__, "--worker", *sys.argv[1:], "--threads", threads]
        subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    main()
