"""The workloads of benchmarks/workloads.py written with `stepwell.numpy`, each beside NumPy's form, at small sizes.

`WORKLOADS` maps a name to (function, the same in NumPy at float64, arguments).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import stepwell.lax as lax
import stepwell.numpy as snp

RNG = np.random.default_rng(3)
WORKLOADS: dict[str, tuple[Callable[..., Any], Callable[..., Any], list[Any]]] = {}


def f32(*shape: int, scale: float = 1.0) -> np.ndarray:
    return (RNG.standard_normal(shape) * scale).astype(np.float32)


def add(name: str, ours: Callable[..., Any], numpys: Callable[..., Any], *arguments: Any) -> None:
    WORKLOADS[name] = ours, numpys, list(arguments)


# Contractions and elementwise --------------------------------------------------------------------------------------

for m, k, n in [(16, 16, 16), (33, 33, 33), (12, 51, 30), (8, 96, 8), (1, 64, 64), (64, 8, 64)]:
    add(f"gemm_{m}x{k}x{n}", lambda a, b: a @ b, lambda a, b: a @ b, f32(m, k), f32(k, n))


def gelu(x: Any, np: Any) -> Any:
    return 0.5 * x * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)))


X, S, T = f32(24, 40), f32(40), f32(40)
add("bias_gelu", lambda x, s, t: gelu(x * s + t, snp), lambda x, s, t: gelu(x * s + t, np), X, S, T)
add("transpose_add", lambda x, y: x.T + y.T * 2, lambda x, y: x.T + y.T * 2, X, f32(24, 40))
add("exp_f32_4m", snp.exp, np.exp, X)
add("tiny_add", lambda a, b: a + b, lambda a, b: a + b, f32(16), f32(16))


# Rows and reductions -----------------------------------------------------------------------------------------------


def numpy_softmax(x: Any) -> Any:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def numpy_log_softmax(x: Any) -> Any:
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def log_softmax(x: Any) -> Any:
    return x - snp.logsumexp(x, axis=-1, keepdims=True)


def layer_norm(x: Any, gain: Any, bias: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * (variance + 1e-5) ** -0.5 * gain + bias


add("softmax", lambda x: snp.softmax(x, axis=-1), numpy_softmax, X)
add("layernorm", layer_norm, layer_norm, X, S, T)
add("reduce_sum_all", lambda x: x.sum(), lambda x: x.sum(), X)
add("reduce_rows_cols", lambda x: (x.max(0), x.sum(1)), lambda x: (x.max(0), x.sum(1)), X)
add("cumsum", lambda x: snp.cumsum(x, 1), lambda x: np.cumsum(x, 1), X)
add("sort", lambda x: snp.sort(x, -1), lambda x: np.sort(x, -1), X)
add(
    "embedding",
    lambda i, e: snp.take(e, i, axis=0),
    lambda i, e: e[i],
    RNG.integers(0, 50, (4, 9), np.int32),
    f32(50, 8),
)


# Networks ----------------------------------------------------------------------------------------------------------

MLP = [f32(28, 32, scale=0.2), f32(32), f32(32, 24, scale=0.2), f32(24), f32(24, 10, scale=0.2), f32(10)]
BATCH, LABELS = f32(12, 28), RNG.integers(0, 10, 12, np.int32)


def mlp(x: Any, *params: Any, maximum: Any, log_softmax: Any) -> Any:
    """(the log probabilities, what went into each layer)."""
    inputs = [x]
    for i in range(0, 4, 2):
        inputs.append(maximum(inputs[-1] @ params[i] + params[i + 1], 0))
    return log_softmax(inputs[-1] @ params[4] + params[5]), inputs


def train_step(x: Any, labels: Any, *params: Any, np: Any, log_softmax: Any) -> Any:
    """(loss, new parameters): back from the last layer."""
    log_p, inputs = mlp(x, *params, maximum=np.maximum, log_softmax=log_softmax)
    loss = -np.take_along_axis(log_p, labels[:, None], axis=1).mean()
    gradient = (np.exp(log_p) - (labels[:, None] == np.arange(10))) / len(labels)
    new: list[Any] = []
    for i in (4, 2, 0):
        weight, bias, into = params[i], params[i + 1], inputs[i // 2]
        new = [weight - 0.01 * (into.T @ gradient), bias - 0.01 * gradient.sum(0), *new]
        gradient = np.where(into > 0, gradient @ weight.T, 0)
    return loss, new


add(
    "mlp_fwd",
    lambda x, *p: mlp(x, *p, maximum=snp.maximum, log_softmax=log_softmax)[0],
    lambda x, *p: mlp(x, *p, maximum=np.maximum, log_softmax=numpy_log_softmax)[0],
    BATCH,
    *MLP,
)
add(
    "mlp_train_step",
    lambda *a: train_step(*a, np=snp, log_softmax=log_softmax),
    lambda *a: train_step(*a, np=np, log_softmax=numpy_log_softmax),
    BATCH,
    LABELS,
    *MLP,
)


def attention(q: Any, k: Any, v: Any, np: Any, softmax: Any, mask: Any = None) -> Any:
    scores = np.einsum("bhqd,bhkd->bhqk", q, k) / 8.0
    scores = scores if mask is None else np.where(mask, scores, -1e9)
    return np.einsum("bhqk,bhkd->bhqd", softmax(scores), v)


add(
    "attention",
    lambda q, k, v: attention(q, k, v, snp, snp.softmax),
    lambda q, k, v: attention(q, k, v, np, numpy_softmax),
    *[f32(2, 3, 20, 16) for _ in range(3)],
)


def gpt_block(x: Any, wqkv: Any, wo: Any, wu: Any, wd: Any, *norms: Any, np: Any, softmax: Any) -> Any:
    batch, length, width = x.shape
    q, k, v = (
        part.reshape(batch, length, 4, width // 4).transpose(0, 2, 1, 3)
        for part in np.split(layer_norm(x, *norms[:2]) @ wqkv, 3, -1)
    )
    attended = attention(q, k, v, np, softmax, np.tri(length, dtype=bool))
    x = x + attended.transpose(0, 2, 1, 3).reshape(batch, length, width) @ wo
    return x + gelu(layer_norm(x, *norms[2:]) @ wu, np) @ wd


D = 32
add(
    "gpt_block",
    lambda *a: gpt_block(*a, np=snp, softmax=snp.softmax),
    lambda *a: gpt_block(*a, np=np, softmax=numpy_softmax),
    f32(2, 18, D),
    *[f32(D, n, scale=0.1) for n in (3 * D, D, 4 * D)],
    f32(4 * D, D, scale=0.1),
    *[f32(D) for _ in range(4)],
)


# Windows -----------------------------------------------------------------------------------------------------------


def numpy_conv(x: Any, kernel: Any) -> Any:
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, kernel)


def numpy_max_pool(x: Any) -> Any:
    return np.lib.stride_tricks.sliding_window_view(x, (2, 2), (2, 3))[:, :, ::2, ::2].max((-1, -2))


IMAGES = f32(2, 5, 14, 14)
add("conv2d_3x3", lambda x, w: lax.conv(x, w, (1, 1), "SAME"), numpy_conv, IMAGES, f32(6, 5, 3, 3, scale=0.2))
add(
    "maxpool_2x2",
    lambda x: lax.reduce_window(x, -snp.inf, snp.maximum, (1, 1, 2, 2), (1, 1, 2, 2)),
    numpy_max_pool,
    IMAGES,
)
