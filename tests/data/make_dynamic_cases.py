"""Write tests/data/dynamic/*.mlir: functions of symbolic shapes as `jax.export` prints them (needs `jax==0.10.2`).

python tests/data/make_dynamic_cases.py
"""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import export, lax
from jax._src.interpreters import mlir
from jaxlib.mlir import ir

FOLDER = Path(__file__).parent / "dynamic"


def spec(shape, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(tuple(shape), dtype)


def write(name, function, *specs):
    text = export.export(jax.jit(function))(*specs).mlir_module()
    with mlir.make_ir_context():
        plain = ir.Module.parse(text).operation.get_asm(enable_debug_info=False)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.mlir").write_text(plain)


def attention(q, k, v):
    scores = jnp.einsum("bsd,btd->bst", q, k) / np.sqrt(8)
    return jnp.einsum("bst,btd->bsd", jax.nn.softmax(scores), v)


def layernorm(x, gain, bias):
    mean = x.mean(-1, keepdims=True)
    variance = x.var(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(variance + 1e-5) * gain + bias


def convolution(x, kernel):
    return lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def accumulate(x):
    return lax.fori_loop(0, x.shape[0], lambda i, carry: carry + x[i] * i, jnp.zeros_like(x))


def average_pool(x):
    return lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "SAME")


def update(x, i):
    return lax.dynamic_update_slice(x, lax.dynamic_slice(x, (i, 0), (2, 3)) * 2, (0, 0))


def main():
    b, n = export.symbolic_shape("b, n")
    write("mlp", lambda x, w, c, v: jax.nn.relu(x @ w + c) @ v, *map(spec, ((b, 8), (8, 16), (16,), (16, 4))))
    write("attention", attention, *[spec((b, n, 8))] * 3)
    write("layernorm", layernorm, spec((b, n)), spec((1,)), spec((1,)))
    image = export.symbolic_shape("b, h, w")
    write("convolution", convolution, spec((*image, 3)), spec((3, 3, 3, 4)))
    write("average_pool", average_pool, spec((*image, 3)))
    write("reshape", lambda x: x.reshape(-1) * 2, spec((b, n)))
    write("concatenate", lambda x, y: jnp.concatenate([x, y]), spec((b,)), spec((2 * b,)))
    write("embedding", lambda table, i: table[i], spec((10, 4)), spec((n,), jnp.int32))
    write("cumulative_sum", lambda x: jnp.cumsum(x, axis=0), spec((b, 3)))
    write("arange", lambda x: jnp.arange(x.shape[0]) + x, spec((b,), jnp.int32))
    write("pad", lambda x: jnp.pad(x, ((1, 2), (0, 1))), spec((b, n)))
    at_least = export.symbolic_shape("b, n", constraints=("b >= 2", "n >= 3"))
    write("update_slice", update, spec(at_least), spec((), jnp.int32))
    write("accumulate", accumulate, spec((b,)))
    write("halves", lambda x: x[: x.shape[0] // 2] + x[x.shape[0] // 2 :], spec(export.symbolic_shape("2*b")))
    even = export.symbolic_shape("b, n", constraints=("b >= 2", "mod(b, 2) == 0"))
    write("constraints", lambda x: x * 2, spec(even))
    write("top_k", lambda x: lax.top_k(x, 3), spec((b, 5)))
    write("random", lambda key, x: x + jax.random.uniform(key, x.shape), spec((2,), jnp.uint32), spec((b,)))


if __name__ == "__main__":
    main()
