"""Time what works by rows beside its peers: rows.py [--only RE] [--peers a,b] [--threads 1,2] [--rounds N].

Normalizations and softmax with their gradients, math functions, top-k, gathers and running sums, lines of a few numbers, in
f32 and bf16, small enough for the L2 cache and too large for it. Measured as `peers.py` does it, each library in its own process and asked
in turn; a line has the times, GB/s of the least a result needs to move, and the best peer's time over Stepwell's.
`copy` moves what it must and nothing else: what the machine gives on the day.
"""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import peers

MATH = {
    "exp": (0.0, 3.0), "log": (5.0, 1.0), "log1p": (5.0, 1.0), "tanh": (0.0, 2.0), "logistic": (0.0, 2.0),
    "erf": (0.0, 1.5), "sin": (0.0, 20.0), "cos": (0.0, 20.0), "pow": (3.0, 0.5), "sqrt": (5.0, 1.0), "rsqrt": (5.0, 1.0),
    "tan": (0.0, 20.0), "erfinv": (0.5, 0.1), "lgamma": (8.0, 3.0), "digamma": (8.0, 3.0), "i1e": (0.0, 10.0),
}  # fmt: skip
"""Functions, with the mean and the deviation of their arguments."""


def normal(*shape: int, mean: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return (np.random.default_rng(0).standard_normal(shape) * scale + mean).astype(np.float32)


def bf16(x: np.ndarray) -> np.ndarray:
    return x.astype(ml_dtypes.bfloat16)


def workload(jax: Callable[..., Any], torch: Callable[..., Any], args: list[np.ndarray], moved: int) -> dict[str, Any]:
    loose = any(a.dtype == ml_dtypes.bfloat16 for a in args)
    return {"jax": jax, "torch": torch, "args": args, "flops": 0, "bytes": moved, "rtol": 3e-2 if loose else 2e-3}


def normalizations() -> dict[str, Callable[[], dict[str, Any]]]:
    import jax
    import torch
    import torch.nn.functional as F

    def layer_norm(x: Any, g: Any, b: Any) -> Any:
        m = x.mean(-1, keepdims=True)
        v = ((x - m) ** 2).mean(-1, keepdims=True)
        return (x - m) * jax.lax.rsqrt(v + 1e-5) * g + b

    def rms_norm(x: Any, g: Any) -> Any:
        return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * g

    def batch_norm(x: Any, g: Any, b: Any) -> Any:
        m, v = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
        return (x - m) * jax.lax.rsqrt(v + 1e-5) * g[:, None, None] + b[:, None, None]

    def gradient(f: Callable[..., Any], *which: int) -> Callable[..., Any]:
        return lambda d, *a: jax.vjp(f, *a)[1](d)[: len(which) or None]

    def torch_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
        def run(d: Any, *a: Any) -> Any:
            with torch.enable_grad():
                a = [x.detach().requires_grad_() for x in a]
                return torch.autograd.grad(f(*a), a, d)

        return run

    n = 1024
    t_layer, t_rms = (lambda x, g, b: F.layer_norm(x, (n,), g, b)), (lambda x, g: F.rms_norm(x, (n,), g, 1e-5))
    t_batch = lambda x, g, b: F.batch_norm(x, None, None, g, b, training=True)  # noqa: E731
    rows, image = (4096, n), (32, 64, 56, 56)
    size, pixels = 4 * 4096 * n, 4 * 32 * 64 * 56 * 56
    found = {
        "copy": lambda: workload(lambda x: x + 1, lambda x: x + 1, [normal(*rows)], 2 * size),
        "layernorm": lambda: workload(layer_norm, t_layer, [normal(*rows), normal(n), normal(n)], 2 * size),
        "layernorm_bf16": lambda: workload(
            layer_norm, t_layer, [bf16(normal(*rows)), bf16(normal(n)), bf16(normal(n))], size
        ),
        "layernorm_grad": lambda: workload(
            gradient(layer_norm),
            torch_gradient(t_layer),
            [normal(*rows), normal(*rows), normal(n), normal(n)],
            3 * size,
        ),
        "rmsnorm": lambda: workload(rms_norm, t_rms, [normal(*rows), normal(n)], 2 * size),
        "batchnorm": lambda: workload(batch_norm, t_batch, [normal(*image), normal(64), normal(64)], 2 * pixels),
    }
    for kind, j, t in (("softmax", jax.nn.softmax, F.softmax), ("log_softmax", jax.nn.log_softmax, F.log_softmax)):
        jf, tf = (lambda x, j=j: j(x, axis=-1)), (lambda x, t=t: t(x, -1))
        for shape in (rows, (64, 65536), (8, 1000000), (1, 4000000)):
            name = kind + ("" if shape == rows else "_{}x{}".format(*shape))
            moved = 8 * math.prod(shape)
            found[name] = lambda jf=jf, tf=tf, s=shape, m=moved: workload(jf, tf, [normal(*s)], m)
        found[kind + "_bf16"] = lambda jf=jf, tf=tf: workload(jf, tf, [bf16(normal(*rows))], size)
        found[kind + "_grad"] = lambda jf=jf, tf=tf: workload(
            gradient(jf), torch_gradient(tf), [normal(*rows), normal(*rows)], 3 * size
        )
    return found


def functions() -> dict[str, Callable[[], dict[str, Any]]]:
    import jax
    import jax.numpy as jnp
    import torch

    own: dict[str, Callable[..., Any]] = {
        "logistic": jax.nn.sigmoid, "erf": jax.scipy.special.erf, "pow": lambda x: jnp.power(x, 1.7), "rsqrt": jax.lax.rsqrt,
        "erfinv": jax.scipy.special.erfinv, "lgamma": jax.scipy.special.gammaln, "digamma": jax.scipy.special.digamma,
        "i1e": jax.scipy.special.i1e,
    }  # fmt: skip
    theirs: dict[str, Callable[..., Any]] = {
        "logistic": torch.sigmoid, "pow": lambda x: torch.pow(x, 1.7), "i1e": torch.special.i1e,
    }  # fmt: skip
    found = {}
    for name, (mean, scale) in MATH.items():
        jf, tf = own.get(name) or getattr(jnp, name), theirs.get(name) or getattr(torch, name)
        for count, size in ((1 << 15, "l2"), (1 << 22, "4m")):
            found[f"{name}_{size}"] = lambda jf=jf, tf=tf, n=count, m=mean, s=scale: workload(
                jf, tf, [np.abs(normal(n, mean=m, scale=s)) if m else normal(n, scale=s)], 8 * n
            )
    return found


def choices() -> dict[str, Callable[[], dict[str, Any]]]:
    import jax
    import jax.numpy as jnp
    import torch
    import torch.nn.functional as F

    found = {}
    for rows, length in ((1024, 1000), (256, 8192), (16, 100000), (1, 1000000)):
        for k in (1, 8, 50, 256):
            found[f"topk_{rows}x{length}_{k}"] = lambda k=k, s=(rows, length): workload(
                lambda x: jax.lax.top_k(x, k)[0], lambda x: torch.topk(x, k).values, [normal(*s)], 4 * math.prod(s)
            )
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 32000, (16, 512)).astype(np.int32)
    places = rng.integers(0, 1024, (4096, 1024)).astype(np.int32)
    size = 4 * 4096 * 1024
    found["embedding"] = lambda: workload(
        lambda i, e: jnp.take(e, i, axis=0),
        lambda i, e: F.embedding(i, e),
        [ids, normal(32000, 256)],
        2 * 16 * 512 * 1024,
    )
    found["embedding_bf16"] = lambda: workload(
        lambda i, e: jnp.take(e, i, axis=0),
        lambda i, e: F.embedding(i, e),
        [ids, bf16(normal(32000, 256))],
        16 * 512 * 1024,
    )
    found["take_along_axis"] = lambda: workload(
        lambda x, i: jnp.take_along_axis(x, i, 1),
        lambda x, i: torch.gather(x, 1, i.long()),
        [normal(4096, 1024), places],
        3 * size,
    )
    found["one_hot"] = lambda: workload(
        lambda i: jax.nn.one_hot(i, 1024), lambda i: F.one_hot(i.long(), 1024).float(), [places[:, 0]], size
    )
    found["cumsum"] = lambda: workload(
        lambda x: jnp.cumsum(x, 1), lambda x: torch.cumsum(x, 1), [normal(4096, 1024)], 2 * size
    )
    return found


def short_lines() -> dict[str, Callable[[], dict[str, Any]]]:
    """Rows and columns of a vector or less, and one long row, of f32 and bf16."""
    import jax
    import jax.numpy as jnp
    import torch
    import torch.nn.functional as F

    def layer_norm(x: Any) -> Any:
        m = x.mean(-1, keepdims=True)
        v = ((x - m) ** 2).mean(-1, keepdims=True)
        return (x - m) * jax.lax.rsqrt(v + 1e-5)

    found = {}

    def add(name: str, j: Callable[..., Any], t: Callable[..., Any], *shape: int, results: int = 0) -> None:
        for suffix, kind in (("", np.asarray), ("_bf16", bf16)):
            moved = (math.prod(shape) + results) * (2 if suffix else 4)
            found["{}_{}x{}{}".format(name, *shape, suffix)] = lambda m=moved, kind=kind: workload(
                j, t, [kind(normal(*shape))], m
            )

    for n in (3, 17, 33):
        count = 65536 * n
        add("short_softmax", lambda x: jax.nn.softmax(x, -1), lambda x: F.softmax(x, -1), 65536, n, results=count)
        add("short_layernorm", layer_norm, lambda x: F.layer_norm(x, x.shape[-1:]), 65536, n, results=count)
        add("short_max", lambda x: jnp.max(x, -1), lambda x: torch.amax(x, -1), 65536, n)
    for n in (3, 7):
        add("columns_sum", lambda x: jnp.sum(x, 0), lambda x: torch.sum(x, 0), 1000000, n)
        add("columns_var", lambda x: jnp.var(x, 0), lambda x: torch.var(x, 0, correction=0), 1000000, n)
    add("columns_mean", lambda x: jnp.mean(x, 0), lambda x: torch.mean(x, 0), 4096, 1024)
    add("one_row_sum", lambda x: jnp.sum(x, -1), lambda x: torch.sum(x, -1), 1, 1000000)
    return found


class Workloads(Mapping[str, dict[str, Any]]):
    """All workloads by name, inputs made when one is asked for."""

    def __init__(self):
        self._made = {**normalizations(), **functions(), **choices(), **short_lines()}

    def __getitem__(self, name: str) -> dict[str, Any]:
        return {"name": name, **self._made[name]()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


def use_threads(count: int) -> None:
    """Let the processes started from now on have so many cores and threads."""
    os.environ["STEPWELL_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(count)
    os.sched_setaffinity(0, set(list(range(os.cpu_count() or 1))[:count]))


def run(arguments: argparse.Namespace) -> None:
    workloads = Workloads()
    for threads in map(int, arguments.threads.split(",")):
        use_threads(threads)
        group = peers.Peers(arguments.peers.split(","), script=__file__)
        logs: list[float] = []
        for name in workloads:
            if not re.search(arguments.only, name):
                continue
            w = workloads[name]
            row = peers.measure(group, w, arguments.rounds)
            ratio = peers.ratio_to_best(row)
            if ratio and not name.startswith("copy"):
                logs.append(math.log(ratio))
            ours = row.get("stepwell", {}).get("ms")
            rate = f"  {w['bytes'] / ours / 1e6:.1f} GB/s" if ours else ""
            print(f"{threads}T " + peers.render(name, row, ratio) + rate, flush=True)
        group.close()
        if logs:
            print(
                f"{threads} threads: geometric mean vs best peer {math.exp(sum(logs) / len(logs)):.3f} over {len(logs)}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="RE", help="workloads whose name matches")
    parser.add_argument("--peers", default="torch,jax,stepwell")
    parser.add_argument("--threads", default="1,2", help="numbers of threads to measure with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        peers.worker(arguments.worker, peers.RUNNERS, Workloads())
    else:
        run(arguments)


if __name__ == "__main__":
    main()
