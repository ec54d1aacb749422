"""The other programs of tests/data/jax, one feature each, written with `stepwell.numpy` and `stepwell.lax`."""

from __future__ import annotations

from typing import Any

import stepwell.lax as lax
import stepwell.numpy as snp


def while_loop(x: Any) -> Any:
    return lax.while_loop(lambda s: s[0] < 20, lambda s: (s[0] + 1, s[1] * 1.1 + snp.sin(s[1])), (0, x))


def cond_flip(p: Any, x: Any) -> Any:
    return lax.cond(p > 0, lambda x: x * 2, lambda x: snp.flip(x, 1), x)


def switch(i: Any, x: Any) -> Any:
    return lax.switch(i, [snp.sin, snp.cos, snp.exp], x)


def embedding(table: Any, ids: Any) -> Any:
    return snp.take(table, ids, axis=0)


def embedding_grad(table: Any, ids: Any) -> Any:
    """Of the sum of squares of the rows taken: a row taken twice counts twice."""
    return snp.zeros_like(table).at[ids].add(2 * table[ids])


def scatter_forms(x: Any, i: Any, u: Any) -> Any:
    return x.at[i].set(u), x.at[i].add(u), x.at[:, 1].multiply(3.0)


def dynamic_slices(x: Any, i: Any) -> Any:
    return lax.dynamic_update_slice(x, lax.dynamic_slice(x, (i, 1), (2, 3)) * 2, (i + 3, 0))


def sort_topk_arg(x: Any) -> Any:
    return snp.sort(x, 1), snp.argsort(x, 0), lax.top_k(x, 3), snp.argmax(x, 1), snp.argmin(x, 0)


def cumulative(x: Any) -> Any:
    return snp.cumsum(x, 1), snp.cumprod(x, 0), lax.cummax(x, 1)


def shape_forms(x: Any) -> Any:
    return (
        snp.pad(x, ((1, 2), (0, 3)), constant_values=7.0),
        snp.roll(x, 2, 1),
        snp.tile(x, (2, 1)),
        snp.concatenate([x, x[:, ::2]], 1),
        snp.stack([x, x]),
    )


def contractions(a: Any, b: Any) -> Any:
    return (
        snp.einsum("ijk,kl->ijl", a, b),
        snp.einsum("ijk,ijk->i", a, a),
        snp.outer(a[0, 0], b[:, 0]),
        snp.matmul(a, b),
        a[0] @ b[:, 0],
    )


def reductions(x: Any) -> Any:
    return (
        snp.mean(x, (0, 2)),
        snp.var(x),
        snp.prod(x, 1),
        snp.any(x > 1, 0),
        snp.all(x < 3),
        snp.max(x),
        snp.linalg.norm(x[0]),
    )


def integers(a: Any, b: Any) -> Any:
    return (
        a // b,
        a % b,
        a << 2,
        a & b,
        a | b,
        a ^ b,
        snp.bitwise_count(a),
        snp.count_leading_zeros(a),
        a.astype(snp.float32),
        (a > b).astype(snp.int8),
    )


def math(x: Any) -> Any:
    size = snp.abs(x)
    return (
        snp.exp(x),
        snp.log1p(size),
        snp.tanh(x),
        snp.sqrt(size),
        lax.rsqrt(size + 0.1),
        lax.erf(x),
        snp.floor(x),
        snp.round(x),
        snp.sign(x),
        snp.arctan2(x, x + 1),
        x**3,
        snp.cbrt(x),
    )


def matmul_bf16(x: Any, w: Any) -> Any:
    return (x.astype(snp.bfloat16) @ w.astype(snp.bfloat16)).astype(snp.float32)


def matmul_int8(x: Any, w: Any) -> Any:
    return snp.matmul(x, w, preferred_element_type=snp.int32)


def sum_1000(x: Any) -> Any:
    return snp.sum(x)


def zero_size(x: Any) -> Any:
    return x + 1, x.sum(0), x.T


def vmap_grad(x: Any) -> Any:
    """Per row, the gradient of `tanh(u).sum() ** 2`."""
    t = snp.tanh(x)
    return 2 * t.sum(1, keepdims=True) * (1 - t * t)


def hessian_vector_product(x: Any, v: Any) -> Any:
    """The gradient of `(sin(u) ** 3).sum()` at x, and its derivative along v."""
    s, c = snp.sin(x), snp.cos(x)
    return 3 * s**2 * c, (6 * s * c**2 - 3 * s**3) * v


# Random numbers: threefry 2x32 in integer ops ----------------------------------------------------------------------

_ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)


def threefry(key: Any, high: Any, low: Any) -> Any:
    """Two words of random bits for each counter (high, low)."""
    keys = key[0], key[1], key[0] ^ key[1] ^ 0x1BD11BDA
    a, b = high + keys[0], low + keys[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            a = a + b
            b = a ^ ((b << rotation) | (b >> (32 - rotation)))
        a = a + keys[(group + 1) % 3]
        b = b + keys[(group + 2) % 3] + (group + 1)
    return a, b


def uniform(key: Any, count: int, low: float, high: float) -> Any:
    counter = snp.arange(count, dtype=snp.uint32)
    a, b = threefry(key, snp.zeros_like(counter), counter)
    mantissa = ((a ^ b) >> 9) | 0x3F800000  # a float32 in [1, 2)
    unit = lax.bitcast_convert_type(mantissa, snp.float32) - 1
    return snp.maximum(unit * (snp.float32(high) - snp.float32(low)) + low, low)


def random_normal(key: Any) -> Any:
    normal = 2**0.5 * lax.erf_inv(uniform(key, 5, -0.99999994, 1.0))
    return normal, uniform(key, 9, 0.0, 1.0) < 0.3
