"""What users run on a GPU, each written once in JAX, for its StableHLO, and once in torch, over the same arrays.

Sizes are a GPU's: what memory bounds is larger than its cache, what arithmetic bounds fills its multiprocessors. Those of
`workloads.py`, which are a CPU's, come with it: they show what small work costs here. `flops` and `bytes` are the least that
the result needs.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

FROM_CPU = ("mlp_fwd", "mlp_train_step", "attention", "gpt_block", "conv2d_3x3", "maxpool_2x2", "embedding", "cumsum")
"""The workloads of `workloads.py` that are taken over."""

Array = np.ndarray[Any, Any]
_TYPES: dict[str, Any] = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}


@dataclass(frozen=True)
class Workload:
    """One program: `jax` and `torch` compute the same of `arrays`."""

    name: str
    jax: Callable[..., Any]
    torch: Callable[..., Any]
    arrays: tuple[Array, ...]
    flops: int
    bytes: int

    def stablehlo(self) -> str:
        """The program's text, as JAX prints it."""
        import jax

        return jax.jit(self.jax, keep_unused=True).lower(*self.arrays).as_text()

    @property
    def tolerance(self) -> float:
        """How far results may be off, relative to all of them, by the narrowest type that is computed with."""
        kinds = {a.dtype for a in self.arrays}
        return 2e-2 if np.dtype(ml_dtypes.bfloat16) in kinds else 3e-3 if np.dtype(np.float16) in kinds else 2e-5


def normal(*shape: int, kind: str = "f32", scale: float = 1.0) -> Array:
    """The same numbers each time."""
    drawn = np.random.default_rng(math.prod(shape)).standard_normal(shape, dtype=np.float32)
    return (drawn * np.float32(scale)).astype(_TYPES[kind])


def build() -> Iterator[Workload]:
    """All of them, one at a time: together they would need gigabytes."""
    # Texts are made here only; the GPU is not JAX's.
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    yield from _elementwise()
    yield from _reductions()
    yield from _rows()
    yield from _moves()
    yield from _products()
    yield from _attention()
    yield from _from_cpu()


def _elementwise() -> Iterator[Workload]:
    import jax
    import jax.numpy as jnp
    import torch
    import torch.nn.functional as F

    for kind in ("f32", "bf16"):
        x, s, t = normal(4096, 8192, kind=kind), normal(8192, kind=kind), normal(8192, kind=kind)
        moved = 2 * x.nbytes
        yield Workload(f"exp_{kind}", jnp.exp, torch.exp, (x,), 0, moved)
        yield Workload(
            f"bias_gelu_{kind}",
            lambda x, s, t: jax.nn.gelu(x * s + t, approximate=True),
            lambda x, s, t: F.gelu(x * s + t, approximate="tanh"),
            (x, s, t),
            0,
            moved,
        )


def _reductions() -> Iterator[Workload]:
    import jax.numpy as jnp
    import torch

    x = normal(4096, 8192)
    both = (lambda x: (x.max(0), x.sum(1))), (lambda x: (x.amax(0), x.sum(1)))
    yield Workload("sum_all", jnp.sum, torch.sum, (x,), 0, x.nbytes)
    yield Workload("sum_rows", lambda x: x.sum(1), lambda x: x.sum(1), (x,), 0, x.nbytes)
    yield Workload("sum_columns", lambda x: x.sum(0), lambda x: x.sum(0), (x,), 0, x.nbytes)
    yield Workload("rows_and_columns", *both, (x,), 0, x.nbytes)
    yield Workload("argmax_rows", lambda x: jnp.argmax(x, 1), lambda x: torch.argmax(x, 1), (x,), 0, x.nbytes)


def _rows() -> Iterator[Workload]:
    import jax
    import torch.nn.functional as F

    def layer_norm(x: Any, g: Any, b: Any) -> Any:
        mean = x.mean(-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(-1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * g + b

    for shape in ((4096, 4096), (16384, 1024), (128, 131072), (8, 2000000)):
        x = normal(*shape)
        name = "softmax_{}x{}".format(*shape)
        yield Workload(name, lambda x: jax.nn.softmax(x, -1), lambda x: F.softmax(x, -1), (x,), 0, 2 * x.nbytes)
    for shape, kind in (((4096, 4096), "f32"), ((128, 131072), "f32"), ((8192, 4096), "bf16")):
        n = shape[1]
        x, g, b = normal(*shape, kind=kind), normal(n, kind=kind), normal(n, kind=kind)
        name = "layer_norm_{}x{}_{}".format(*shape, kind)
        theirs = lambda x, g, b, n=n: F.layer_norm(x, (n,), g, b)  # noqa: E731
        yield Workload(name, layer_norm, theirs, (x, g, b), 0, 2 * x.nbytes)


def _moves() -> Iterator[Workload]:
    for kind in ("f32", "bf16"):
        x, y = normal(4096, 8192, kind=kind), normal(8192, 4096, kind=kind)
        theirs = lambda x: x.T.contiguous()  # noqa: E731
        yield Workload(f"transpose_{kind}", lambda x: x.T, theirs, (x,), 0, 2 * x.nbytes)
        yield Workload(f"transpose_add_{kind}", lambda x, y: x.T + y, lambda x, y: x.T + y, (x, y), 0, 3 * x.nbytes)


def _products() -> Iterator[Workload]:
    for kind, shapes in (
        ("f32", ((1, 8192, 4096), (64, 4096, 64), (16, 4096, 4096), (256, 65536, 256))),
        ("f16", ((4096, 4096, 4096),)),
        ("bf16", ((4096, 4096, 4096), (1, 8192, 8192), (16, 8192, 8192), (512, 65536, 512), (1024, 4096, 1024))),
    ):
        for m, k, n in shapes:
            a, b = normal(m, k, kind=kind, scale=k**-0.5), normal(k, n, kind=kind)
            moved = a.nbytes + b.nbytes + m * n * a.itemsize
            name = f"product_{m}x{k}x{n}_{kind}"
            yield Workload(name, lambda a, b: a @ b, lambda a, b: a @ b, (a, b), 2 * m * k * n, moved)
    for kind in ("f32", "bf16"):
        a, b = normal(64, 512, 512, kind=kind, scale=512**-0.5), normal(64, 512, 512, kind=kind)
        name, flops = f"batched_64x512x512x512_{kind}", 2 * 64 * 512**3
        yield Workload(name, lambda a, b: a @ b, lambda a, b: a @ b, (a, b), flops, 3 * a.nbytes)
    layers = [normal(4096, 4096, kind="bf16", scale=4096**-0.5) for _ in range(2)]

    def perceptron(jnp: Any) -> Callable[..., Any]:
        zero = (lambda x: jnp.maximum(x, 0)) if jnp.__name__ != "torch" else jnp.relu
        return lambda x, u, v, b: zero(x @ u + b) @ v

    import jax.numpy as jnp
    import torch

    x, b = normal(2048, 4096, kind="bf16"), normal(4096, kind="bf16")
    moved = 2 * x.nbytes + sum(w.nbytes for w in layers)
    yield Workload("mlp_bf16", perceptron(jnp), perceptron(torch), (x, *layers, b), 4 * 2048 * 4096**2, moved)


def _attention() -> Iterator[Workload]:
    import jax
    import jax.numpy as jnp
    import torch.nn.functional as F

    def ours(q: Any, k: Any, v: Any) -> Any:
        scores = jnp.einsum("bhqd,bhkd->bhqk", q, k, preferred_element_type=np.float32) / 8.0
        return jnp.einsum("bhqk,bhkd->bhqd", jax.nn.softmax(scores, -1).astype(q.dtype), v)

    for shape in ((4, 16, 1024, 64), (1, 16, 4096, 64)):
        q, k, v = (normal(*shape, kind="bf16") for _ in range(3))
        b, h, s, d = shape
        theirs = lambda q, k, v: F.scaled_dot_product_attention(q, k, v)  # noqa: E731
        name = f"attention_{b}x{h}x{s}x{d}_bf16"
        yield Workload(name, ours, theirs, (q, k, v), 4 * b * h * s * s * d, 4 * q.nbytes)


def _from_cpu() -> Iterator[Workload]:
    import workloads

    for w in workloads.build():
        if w["name"] in FROM_CPU:
            yield Workload(w["name"], w["jax"], w["torch"], tuple(w["args"]), w["flops"], w["bytes"])
