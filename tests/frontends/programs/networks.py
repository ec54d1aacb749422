"""Networks of tests/data/jax written with `stepwell.numpy`; gradients are written by hand.

Each function takes the arrays of `NAME.in.npz` and gives those of `NAME.out.npz`, as a tree.
"""

from __future__ import annotations

from typing import Any

import stepwell.lax as lax
import stepwell.numpy as snp


def relu(x: Any) -> Any:
    return snp.maximum(x, 0)


def log_softmax(x: Any) -> Any:
    return x - snp.logsumexp(x, axis=-1, keepdims=True)


# MLP ---------------------------------------------------------------------------------------------------------------


def mlp(x: Any, w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
    return log_softmax(relu(x @ w1 + b1) @ w2 + b2)


def mlp_gradient(x: Any, labels: Any, w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
    """(the mean negative log likelihood, its gradients)."""
    hidden = relu(x @ w1 + b1)
    log_p = log_softmax(hidden @ w2 + b2)
    loss = -snp.take_along_axis(log_p, labels[:, None], axis=1).mean()
    target = (labels[:, None] == snp.arange(b2.shape[0])).astype(snp.float32)
    d_logits = (snp.exp(log_p) - target) / len(labels)
    d_hidden = snp.where(hidden > 0, d_logits @ w2.T, 0)
    return loss, (x.T @ d_hidden, d_hidden.sum(0), hidden.T @ d_logits, d_logits.sum(0))


def mlp_sgd_step(x: Any, labels: Any, *params: Any) -> Any:
    loss, gradients = mlp_gradient(x, labels, *params)
    return loss, [p - 0.1 * g for p, g in zip(params, gradients, strict=True)]


def mlp_adamw_step(x: Any, labels: Any, t: Any, *state: Any) -> Any:
    means, squares, params = state[:4], state[4:8], state[8:]
    _, gradients = mlp_gradient(x, labels, *params)
    means = [0.9 * m + 0.1 * g for m, g in zip(means, gradients, strict=True)]
    squares = [0.999 * v + 0.001 * g * g for v, g in zip(squares, gradients, strict=True)]
    new = [
        p * (1 - 1e-4) - 1e-3 * (m / (1 - 0.9**t)) / (snp.sqrt(v / (1 - 0.999**t)) + 1e-8)
        for p, m, v in zip(params, means, squares, strict=True)
    ]
    return new, means, squares


# Norms, activations ------------------------------------------------------------------------------------------------


def normalized(x: Any) -> Any:
    """(x with mean 0 and variance 1 in its last dim, one over its deviation)."""
    centered = x - x.mean(-1, keepdims=True)
    scale = lax.rsqrt((centered**2).mean(-1, keepdims=True) + 1e-5)
    return centered * scale, scale


def layer_norm(x: Any, gain: Any, bias: Any) -> Any:
    return normalized(x)[0] * gain + bias


def layer_norm_gradient(x: Any, gain: Any, d_out: Any) -> Any:
    """The gradients of x, gain and bias."""
    unit, scale = normalized(x)
    d_unit = d_out * gain
    along = (d_unit * unit).mean(-1, keepdims=True)
    d_x = scale * (d_unit - d_unit.mean(-1, keepdims=True) - unit * along)
    batch = tuple(range(x.ndim - 1))
    return d_x, (d_out * unit).sum(batch), d_out.sum(batch)


def softmax(x: Any) -> Any:
    return snp.softmax(x, -1)


_CUBIC, _SLOPE = 0.044715, (2 / snp.pi) ** 0.5


def gelu(x: Any) -> Any:
    return 0.5 * x * (1 + snp.tanh(_SLOPE * (x + _CUBIC * x**3)))


def gelu_derivative(x: Any) -> Any:
    t = snp.tanh(_SLOPE * (x + _CUBIC * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * _SLOPE * (1 + 3 * _CUBIC * x * x)


def gelu_silu(x: Any) -> Any:
    return gelu(x) + 0.5 * x * lax.erfc(-x * 2**-0.5) + x * snp.sigmoid(x)


def batch_norm_train(x: Any, gain: Any, bias: Any) -> Any:
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
    mean_, variance_, gain_, bias_ = (a[None, :, None, None] for a in (mean, variance, gain, bias))
    return (x - mean_) / snp.sqrt(variance_ + 1e-5) * gain_ + bias_, mean, variance


# Attention ---------------------------------------------------------------------------------------------------------


def causal_weights(q: Any, k: Any) -> Any:
    scores = snp.einsum("bhqd,bhkd->bhqk", q, k) * q.shape[-1] ** -0.5
    return snp.softmax(snp.where(snp.tri(*scores.shape[-2:], dtype=bool), scores, -snp.inf), -1)


def causal_attention(q: Any, k: Any, v: Any) -> Any:
    return snp.einsum("bhqk,bhkd->bhqd", causal_weights(q, k), v)


def attention_gradient(q: Any, k: Any, v: Any, d_out: Any) -> Any:
    """The gradients of queries, keys and values."""
    weights = causal_weights(q, k)
    d_weights = d_out @ v.mT
    d_scores = weights * (d_weights - (d_weights * weights).sum(-1, keepdims=True)) * q.shape[-1] ** -0.5
    return d_scores @ k, d_scores.mT @ q, weights.mT @ d_out


def causal_attention_grad(q: Any, k: Any, v: Any) -> Any:
    """Of the sum of squares."""
    return attention_gradient(q, k, v, 2 * causal_attention(q, k, v))


HEADS = 4


def split_heads(x: Any) -> Any:
    batch, length, width = x.shape
    return x.reshape(batch, length, HEADS, width // HEADS).transpose(0, 2, 1, 3)


def merge_heads(x: Any) -> Any:
    batch, heads, length, width = x.shape
    return x.transpose(0, 2, 1, 3).reshape(batch, length, heads * width)


def gpt_block(x: Any, wqkv: Any, wo: Any, wu: Any, wd: Any, g1: Any, b1: Any, g2: Any, b2: Any) -> Any:
    q, k, v = (split_heads(part) for part in snp.split(layer_norm(x, g1, b1) @ wqkv, 3, -1))
    x = x + merge_heads(causal_attention(q, k, v)) @ wo
    return x + gelu(layer_norm(x, g2, b2) @ wu) @ wd


def gpt_block_grad(x: Any, wqkv: Any, wo: Any, wu: Any, wd: Any, g1: Any, b1: Any, g2: Any, b2: Any) -> Any:
    """The gradients of the parameters, of the mean of squares."""
    first = layer_norm(x, g1, b1)
    q, k, v = (split_heads(part) for part in snp.split(first @ wqkv, 3, -1))
    attended = merge_heads(causal_attention(q, k, v))
    middle = x + attended @ wo
    second = layer_norm(middle, g2, b2)
    up = second @ wu
    out = middle + gelu(up) @ wd

    d_out = 2 * out / out.size
    d_wd = snp.tensordot(gelu(up), d_out, ((0, 1), (0, 1)))
    d_up = (d_out @ wd.T) * gelu_derivative(up)
    d_wu = snp.tensordot(second, d_up, ((0, 1), (0, 1)))
    d_middle, d_g2, d_b2 = layer_norm_gradient(middle, g2, d_up @ wu.T)
    d_middle = d_middle + d_out
    d_wo = snp.tensordot(attended, d_middle, ((0, 1), (0, 1)))
    d_qkv = attention_gradient(q, k, v, split_heads(d_middle @ wo.T))
    d_projected = snp.concatenate([merge_heads(d) for d in d_qkv], -1)
    d_wqkv = snp.tensordot(first, d_projected, ((0, 1), (0, 1)))
    _, d_g1, d_b1 = layer_norm_gradient(x, g1, d_projected @ wqkv.T)
    return d_wqkv, d_wo, d_wu, d_wd, d_g1, d_b1, d_g2, d_b2


# Convolutions ------------------------------------------------------------------------------------------------------


def max_pool(x: Any) -> Any:
    return lax.reduce_window(x, -snp.inf, snp.maximum, (1, 1, 2, 2), (1, 1, 2, 2))


def convnet(x: Any, w1: Any, w2: Any, w3: Any) -> Any:
    x = relu(lax.conv_general_dilated(x, w1, (1, 1), "SAME"))
    x = relu(lax.conv_general_dilated(max_pool(x), w2, (2, 2), [(1, 1), (1, 1)]))
    return x.reshape(x.shape[0], -1) @ w3


def max_pool_gradient(x: Any, d_out: Any) -> Any:
    """Each gradient goes to the first largest element of its window."""
    n, c, h, w = x.shape
    windows = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
    chosen = windows.argmax(-1)[..., None] == snp.arange(4)
    spread = snp.where(chosen, d_out[..., None], 0).reshape(n, c, h // 2, w // 2, 2, 2)
    return spread.transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h, w)


def kernel_gradient(x: Any, d_out: Any, stride: int, padding: Any) -> Any:
    """Batch and features change places: x is convolved with the gradient, spread by the stride."""
    numbers = ("CNHW", "IOHW", "CNHW")
    return lax.conv_general_dilated(x, d_out, (1, 1), padding, None, (stride, stride), numbers)


def convnet_grad(x: Any, w1: Any, w2: Any, w3: Any) -> Any:
    """The gradients of the kernels, of the mean of squares."""
    first = lax.conv_general_dilated(x, w1, (1, 1), "SAME")
    pooled = max_pool(relu(first))
    second = lax.conv_general_dilated(pooled, w2, (2, 2), [(1, 1), (1, 1)])
    flat = relu(second).reshape(x.shape[0], -1)
    out = flat @ w3

    d_out = 2 * out / out.size
    d_second = snp.where(second > 0, (d_out @ w3.T).reshape(second.shape), 0)
    mirrored = snp.flip(w2, (2, 3))
    numbers = ("NCHW", "IOHW", "NCHW")
    d_pooled = lax.conv_general_dilated(d_second, mirrored, (1, 1), [(1, 2), (1, 2)], (2, 2), None, numbers)
    d_first = snp.where(first > 0, max_pool_gradient(relu(first), d_pooled), 0)
    d_w1 = kernel_gradient(x, d_first, 1, [(1, 1), (1, 1)])
    d_w2 = kernel_gradient(pooled, d_second, 2, [(1, 0), (1, 0)])
    return d_w1, d_w2, flat.T @ d_out


# Recurrence --------------------------------------------------------------------------------------------------------


def rnn_scan(xs: Any, h0: Any, wx: Any, wh: Any) -> Any:
    def step(h: Any, x: Any) -> Any:
        new = snp.tanh(x @ wx + h @ wh)
        return new, new

    return lax.scan(step, h0, xs)


def rnn_scan_grad(xs: Any, h0: Any, wx: Any, wh: Any) -> Any:
    """The gradient of the recurrent weights, of the sum of squares of all states: back through time."""
    _, states = rnn_scan(xs, h0, wx, wh)
    before = snp.concatenate([h0[None], states[:-1]])

    def step(carry: Any, at: Any) -> Any:
        d_state, d_wh = carry
        state, previous = at
        d_inside = (d_state + 2 * state) * (1 - state**2)
        return (d_inside @ wh.T, d_wh + previous.T @ d_inside), None

    start = snp.zeros_like(h0), snp.zeros_like(wh)
    return lax.scan(step, start, (states, before), reverse=True)[0][1]
