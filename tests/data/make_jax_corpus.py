"""Exports small JAX programs of many kinds as jax_corpus/: make_jax_corpus.py.  Needs jax[cpu]==0.10.2.

Each is what `jax.jit(f).lower(*args).as_text()` prints, in NAME.mlir. arrays.npz has arguments and XLA's results on the CPU under
`NAME/in/N@dtype` and `NAME/out/N@dtype` (types that NumPy lacks as unsigned integers, as in caselib.py). Programs whose results
XLA:CPU does not get right (denormals, quotients near overflow) have no place here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import caselib
import jax
import jax.numpy as jnp
import jax.scipy.special as special
import ml_dtypes
import numpy as np
from jax import lax

OUT = Path(__file__).parent / "jax_corpus"
R = np.random.default_rng(23)
CASES: dict[str, tuple[Any, tuple[Any, ...], bool]] = {}


def case(name: str, function: Any, *args: Any, x64: bool = False) -> None:
    CASES[name] = (function, args, x64)


def floats(*shape: int, dtype: Any = np.float32) -> Any:
    return R.standard_normal(shape).astype(dtype)


def pairs(*shape: int) -> Any:
    return (R.standard_normal(shape) + 1j * R.standard_normal(shape)).astype(np.complex64)


def ints(low: int, high: int, *shape: int, dtype: Any = np.int32) -> Any:
    return R.integers(low, high, shape).astype(dtype)


def bits(dtype: Any, *shape: int) -> Any:
    return R.integers(0, 256, (*shape, np.dtype(dtype).itemsize), dtype=np.uint8).view(dtype).reshape(shape)


# Control flow.


def state_of_many_types(state):
    def body(s):
        return {
            "i": s["i"] + 1,
            "n": s["n"],
            "a": (s["a"][0] * 1.1, s["a"][1] + s["i"].astype(jnp.float16)),
            "b": ~s["b"],
            "c": s["c"] * (1 + 1j),
        }

    return lax.while_loop(lambda s: s["i"] < s["n"], body, state)


def nested(v, xs):
    def row(carry, x):
        def element(k, v):
            forms = [lambda v: v * 0.5, lambda v: v - 1, jnp.sin]
            return lax.cond(x[k] > 0, lambda v: v + x[k] * carry[1], lambda v: lax.switch(carry[2] % 3, forms, v), v)

        v = lax.fori_loop(0, x.shape[0], element, carry[0])
        return (v, carry[1] * 0.9, carry[2] + 1), (v.sum(), carry[2])

    return lax.scan(row, (v, jnp.float32(0.3), jnp.int32(0)), xs)


def backtracking(board):
    def free(b, i, v):
        row, column = i // 4, i % 4
        box = lax.dynamic_slice(b, (row // 2 * 2, column // 2 * 2), (2, 2))
        return ~((b[row] == v).any() | (b[:, column] == v).any() | (box == v).any())

    def step(state):
        b, i, direction, count = state
        row, column = i // 4, i % 4

        def place():
            empty = b.at[row, column].set(0)
            v = lax.while_loop(lambda v: (v <= 4) & ~free(empty, i, v), lambda v: v + 1, b[row, column] + 1)
            on, back = jnp.int32(1), jnp.int32(-1)
            return lax.cond(v <= 4, lambda: (b.at[row, column].set(v), i + 1, on), lambda: (empty, i - 1, back))

        b, i, direction = lax.cond(board[row, column] > 0, lambda: (b, i + direction, direction), place)
        return b, i, direction, count + 1

    start = (board, jnp.int32(0), jnp.int32(1), jnp.int32(0))
    end = lax.while_loop(lambda s: (s[1] < 16) & (s[3] < 3000), step, start)
    return end[0], end[3]


def edit_distance(a, b):
    def row(previous, x):
        def column(left, t):
            v = jnp.minimum(jnp.minimum(left + 1, t[2] + 1), t[1] + (x != t[0]))
            return v, v

        _, rest = lax.scan(column, previous[0] + 1, (b, previous[:-1], previous[1:]))
        return jnp.concatenate([previous[:1] + 1, rest]), None

    return lax.scan(row, jnp.arange(b.shape[0] + 1), a)[0][-1]


def crc32(data):
    def byte(i, crc):
        crc = crc ^ data[i].astype(jnp.uint32)
        return lax.fori_loop(0, 8, lambda _, c: jnp.where(c & 1, (c >> 1) ^ jnp.uint32(0xEDB88320), c >> 1), crc)

    return ~lax.fori_loop(0, data.shape[0], byte, jnp.uint32(0xFFFFFFFF))


def loops_in_loops(a):
    def third(k, a):
        return lax.while_loop(lambda s: s.sum() < 50, lambda s: s + k + 1, a) * 0.5

    def second(i):
        return lambda j, a: lax.fori_loop(j, 4, third, a)

    return lax.fori_loop(0, 3, lambda i, a: lax.fori_loop(0, i, second(i), a), a)


BOARD = np.array([[1, 0, 0, 0], [0, 0, 3, 0], [0, 4, 0, 0], [0, 0, 0, 2]], np.int32)
MANY = {"i": np.int32(0), "n": np.int32(5), "a": (floats(4), floats(3, dtype=np.float16)), "b": np.array([True, False])}
case("while_many_types", state_of_many_types, {**MANY, "c": pairs(2)})
case("nested_control_flow", nested, floats(6), floats(5, 4))
case("switch_vmap", jax.vmap(lambda i, a: lax.switch(i, [jnp.abs, jnp.exp, jnp.negative], a)), ints(-2, 5, 6), floats(6, 3))
case("backtracking", backtracking, BOARD)
case("edit_distance", edit_distance, ints(0, 3, 12), ints(0, 3, 9))
case("loops_in_loops", loops_in_loops, floats(4))
case("carries_rotate", lambda a: lax.fori_loop(0, 5, lambda _, s: (s[1], s[2], s[0] + s[1]), (a, a * 2, a * 3)), floats(4))
case("update_reads_old", lambda a: lax.fori_loop(0, 5, lambda i, s: (s[0].at[i].set(s[1][i] * 2), s[0]), (a, a + 1)), floats(6))
case("update_overlaps", lambda a, i: lax.dynamic_update_slice(a, lax.dynamic_slice(a, (i + 1,), (5,)), (i,)), floats(12), np.int32(2))
case("scan_of_nothing", lambda a: lax.scan(lambda c, x: (c * 0.5 + x, c), jnp.zeros(3), a), floats(0, 3))
case("scan_int4", lambda a: lax.scan(lambda c, r: (c + r.astype(jnp.int4), c.astype(jnp.int32)), jnp.int4(0), a)[1], ints(-8, 8, 9))
case("scan_complex", lambda a: lax.scan(lambda c, r: (c * 1j + r, (c.real, c)), jnp.complex64(1 + 1j), a), floats(9))
case("affine_scan", lambda a, b: lax.associative_scan(lambda p, q: (p[0] * q[0], p[1] * q[0] + q[1]), (a, b)), floats(13, 3), floats(13, 3))
case("transform_in_scan", lambda a: lax.scan(lambda c, _: (jnp.fft.ifft(jnp.fft.fft(c) * 0.9), jnp.abs(c).max()), a, None, length=3), pairs(8))

# Integers, bits and small floats.


def generator(state):
    def step(s, _):
        s = s * jnp.uint64(6364136223846793005) + jnp.uint64(1442695040888963407)
        return s, (s >> 33).astype(jnp.uint32)

    return lax.scan(step, state, None, length=10)


def integer_ops(a, b, s):
    shifts = (lax.shift_left(a, s), lax.shift_right_arithmetic(a, s), lax.shift_right_logical(a, s))
    quotients = (lax.div(a, b), lax.rem(a, b), a // b, a % b)
    return (a + b, a * b, *quotients, *shifts, lax.clz(a), lax.population_count(a), -a, abs(a), jnp.sign(a), jnp.clip(a, b, a))


SIGNED, DIVISORS = bits(np.int8, 24), bits(np.int8, 24)
DIVISORS[:3], SIGNED[3], DIVISORS[3] = 0, -128, -1
NARROW = np.concatenate([floats(20) * 3, np.array([0, -0.0, 1e-9, 1e9, -1e9, np.inf, np.nan, 448, 464, 465, 0.25], np.float32)])
ORDER = np.array([1, np.nan, -np.inf, 0.0, -0.0, np.inf, 2], np.float32)
case("crc32", crc32, bits(np.uint8, 20))
case("generator64", generator, np.uint64(12345), x64=True)
case("int8_ops", integer_ops, SIGNED, DIVISORS, ints(0, 14, 24, dtype=np.int8))
case("saturating_conversions", lambda a: tuple(lax.convert_element_type(a, t) for t in ("int8", "uint8", "int32")), abs(floats(20)) * 50)
case("float8_conversions", lambda a: tuple(a.astype(t).astype(jnp.float32) for t in ("float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu")), NARROW)
case("int4_arguments", lambda a: (a + a, a[::-1], a.reshape(2, 4).T), ints(-8, 8, 8).astype(ml_dtypes.int4))
case("packed_bits", lambda a: (jnp.packbits(a, axis=1), jnp.unpackbits(a.astype(jnp.uint8), axis=1)), ints(0, 2, 3, 17))
case("int8_contraction", lambda a, b: lax.dot(a, b, preferred_element_type=jnp.int32), bits(np.int8, 9, 13), bits(np.int8, 13, 7))
case("narrowing_float64", lambda a: tuple(a.astype(t) for t in ("float32", "float16", "bfloat16")), np.array([1e300, 65519.99, 65520, 1e-8, 1.00390625, 1.001953125 + 1e-10]), x64=True)

# Data movement, sorting, windows.


def first_of_window(p, q):
    larger = p[0] >= q[0]
    return jnp.where(larger, p[0], q[0]), jnp.where(larger, p[1], q[1])


def windows_of_pairs(a, i):
    return lax.reduce_window((a, i), (-jnp.inf, jnp.int32(-1)), first_of_window, (3,), (2,), "SAME")


BATCHED = lax.GatherDimensionNumbers((1,), (), (1,), (0,), (0,))
TURNED = lax.GatherDimensionNumbers((0, 2), (1,), (2, 0))
X, ANY_INDEX = floats(5, 7), ints(-12, 12, 6)
case("order_of_nan_and_zero", lambda a: (jnp.sort(a), jnp.argsort(a), lax.top_k(a, 4)), ORDER)
case("sort_complex", lambda a: (jnp.sort(a), jnp.argsort(a)), pairs(12).round())
case("approximate_top_k", lambda a: (lax.approx_max_k(a, 3), lax.approx_min_k(a, 2)), floats(4, 9))
case("scatter_out_of_bounds", lambda a, i, u: (a.at[:, i].add(u, mode="clip"), a.at[:, i].max(u, mode="drop")), X, ANY_INDEX, floats(6))
case("take_modes", lambda a, i: tuple(jnp.take(a, i, 1, mode=m) for m in ("fill", "clip", "wrap")), X, ANY_INDEX)
case("gather_batched", lambda a, i: lax.gather(a, i, BATCHED, (1, 2)), X, ints(0, 6, 5, 1))
case("gather_turned", lambda a, i: lax.gather(a, i, TURNED, (2, 1, 3), mode="clip"), floats(5, 4, 7), ints(-3, 8, 6, 2))
case("segments", lambda a, i: (jax.ops.segment_sum(a, i, 6), jax.ops.segment_max(a, i, 6)), floats(20), ints(-3, 9, 20))
case("window_of_pairs", windows_of_pairs, floats(11), np.arange(11, dtype=np.int32))
case("window_dilated", lambda a: lax.reduce_window(a, 1.0, lax.mul, (2, 3), (1, 2), ((1, 2), (0, 1)), (2, 1), (1, 2)), floats(5, 8))
case("seven_dimensions", lambda a: (a.transpose(6, 2, 4, 0, 5, 1, 3) * 2, a.sum((1, 4))), floats(2, 3, 1, 2, 3, 2, 2))
case("no_elements", lambda a: (a.T @ a, jnp.cumsum(a, 0), a[jnp.zeros((0,), int)], jnp.pad(a, 1), jnp.argsort(a)), floats(4, 0))

# Contractions, convolutions, special functions, complex numbers, random numbers.


def convolution(a, b):
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(a, b, (2, 3), ((2, -1), (0, 3)), (2, 3), (1, 2), dimension_numbers=numbers)


def batch_groups(a, b):
    return lax.conv_general_dilated(a, b, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), batch_group_count=2)


def squares(f):
    return jax.grad(lambda *a: (f(*a) ** 2).sum(), argnums=(0, 1))


def experts(x, gate, weights):
    value, index = lax.top_k(jax.nn.softmax(x @ gate), 2)
    return jnp.einsum("tk,tke,td,edf->tf", value / value.sum(-1, keepdims=True), jax.nn.one_hot(index, 4), x, weights)


POSITIVE = abs(floats(16)) + 0.1
case("convolution_gradients", squares(convolution), floats(1, 5, 5, 2), floats(3, 2, 2, 4))
case("batch_group_gradients", squares(batch_groups), floats(4, 4, 4, 2), floats(3, 3, 2, 4))
case("contraction_of_two", lambda a, b: lax.dot_general(a, b, (((3, 1), (1, 3)), ((0,), (2,)))), floats(2, 3, 4, 5), floats(6, 5, 2, 3))
case("ragged", lambda a, b, n: lax.ragged_dot(a, b, n), floats(11, 4), floats(3, 4, 5), np.array([3, 2, 6], np.int32))
case("experts", experts, floats(9, 8), floats(8, 4), floats(4, 8, 3))
case("resize", lambda a: jax.image.resize(a, (3, 9, 2), "linear"), floats(5, 7, 2))
case("special_functions", lambda a: (special.gammaln(a), special.digamma(a), lax.erf_inv(jnp.tanh(a))), POSITIVE)
case("transform_of_37", jnp.fft.fft, pairs(3, 37))
case("complex_scatter", lambda a, i, u: (a.at[i].add(u), a.at[i].multiply(u)), pairs(9), ints(0, 9, 5), pairs(5))
case("complex_arithmetic", lambda a, b: (a * b, a / b, jnp.sqrt(a), jnp.log(b), jnp.tanh(a), a == b), pairs(9), pairs(9))
case("philox", lambda seed: jax.random.uniform(jax.random.key(seed, impl="unsafe_rbg"), (9,)), np.int32(42))


def stored(arrays: Any, prefix: str) -> dict[str, Any]:
    named = {}
    for i, array in enumerate(map(np.asarray, arrays)):
        plain = array.dtype.name in caselib.NATIVE
        named[f"{prefix}/{i}@{array.dtype.name}"] = array if plain else array.view(f"u{array.dtype.itemsize}")
    return named


def main() -> None:
    OUT.mkdir(exist_ok=True)
    arrays: dict[str, Any] = {}
    for name, (function, args, x64) in CASES.items():
        jax.config.update("jax_enable_x64", x64)
        lowered = jax.jit(function, keep_unused=True).lower(*args)
        (OUT / f"{name}.mlir").write_text(lowered.as_text())
        arrays |= stored([jnp.asarray(a) for a in jax.tree.leaves(args)], f"{name}/in")
        arrays |= stored(jax.tree.leaves(lowered.compile()(*args)), f"{name}/out")
    np.savez_compressed(OUT / "arrays.npz", **arrays)


if __name__ == "__main__":
    main()
