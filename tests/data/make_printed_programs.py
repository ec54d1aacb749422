"""Makes tests/data/printed: programs of all kinds as JAX prints them, some with locations, some over eight devices.

<python with jax> tests/data/make_printed_programs.py
"""

import os
from functools import partial
from pathlib import Path

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax import export, lax
from jax.experimental import io_callback
from jax.experimental.layout import Format, Layout
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

HERE = Path(__file__).parent / "printed"
DEVICES = np.array(jax.devices())
ONE, EIGHT = Mesh(DEVICES[:1].reshape(1, 1), ("a", "b")), Mesh(DEVICES.reshape(2, 4), ("a", "b"))
X = jnp.ones((8, 16), jnp.float32)
PROGRAMS = {}


def program(function, *arguments, name=None, locations=False, **options):
    """Lower a function and keep its text."""
    text = jax.jit(function, **options).lower(*arguments).as_text(debug_info=locations)
    PROGRAMS[name or function.__name__] = text


def sharded(function, ins, outs, mesh):
    return jax.shard_map(function, mesh=mesh, in_specs=ins, out_specs=outs)


def control_flow():
    program(lambda x: lax.scan(lambda c, r: (c + r.sum(), c * r), 0.0, x), X, name="scan")
    program(lambda p, x: lax.cond(p, lambda x: (x * 2, x.sum()), lambda x: (x - 1, x.max()), x), True, X, name="cond")
    step = lambda c: (c[0] + 1, jnp.cos(c[1]))  # noqa: E731
    program(lambda x: lax.while_loop(lambda c: c[0] < 5, step, (0, x)), X, name="while", locations=True)
    program(lambda i, x: lax.switch(i, [jnp.sin, jnp.cos, lambda x: x * x], x), 1, X, name="switch")
    program(lambda n, x: lax.fori_loop(0, n, lambda i, x: x.at[i].set(x[i] * 2), x), 3, X, name="fori")
    program(lambda x: lax.optimization_barrier((x, x * 2, {"a": x})), X, name="optimization_barrier")
    inner = jax.jit(lambda d: {"s": d["a"] + d["b"][0]})
    program(lambda d: inner(d)["s"] * 2, {"a": X, "b": (X, X)}, name="inner_jit_of_a_pytree")


def differentiation():
    @jax.custom_vjp
    def f(x):
        return jnp.sin(x)

    f.defvjp(lambda x: (f(x), x), lambda r, g: (jnp.cos(r) * g,))
    program(jax.grad(lambda x: f(x).sum()), X, name="custom_vjp")
    program(jax.grad(lambda x: jax.nn.relu(x).sum() + jax.nn.silu(x).sum()), X, name="custom_jvp", locations=True)
    again = jax.checkpoint(lambda x: jnp.sin(jnp.sin(x @ x.T)))
    program(jax.grad(lambda x: again(x).sum()), X, name="remat")


def attributes():
    @partial(lax.composite, name="my.tangent")
    def tangent(x, k=1.0):
        return jnp.sin(x) / jnp.cos(x) * k

    @partial(lax.composite, name="my.op", version=3)
    def op(x, *, dims, name, table):
        return x.sum(dims) + table.sum()

    program(lambda x: tangent(x, k=np.float32(2.0)), X, name="composite")
    table = np.arange(3, dtype=np.float32)
    program(lambda x: op(x, dims=(0,), name="hi", table=table), X, name="composite_attributes")
    program(lambda x, y: (x + 1, y * 2), X, X, name="donate", donate_argnums=0)
    numbers = ("NHWC", "HWIO", "NHWC")
    conv = partial(lax.conv_general_dilated, window_strides=(2, 1), padding="SAME", dimension_numbers=numbers)
    program(lambda a, b: conv(a, b, precision="highest"), jnp.ones((1, 8, 8, 3)), jnp.ones((3, 3, 3, 4)), name="conv")
    preset = lax.DotAlgorithmPreset.BF16_BF16_F32_X3
    program(lambda a: lax.dot(a, a.T, precision=preset), X, name="dot_algorithm")
    tolerance = lax.Tolerance(atol=1e-3, rtol=0.0, ulps=2)
    highest = lax.AccuracyMode.HIGHEST
    program(lambda x: (lax.exp(x, accuracy=tolerance), lax.tan(x, accuracy=highest)), X, name="accuracy")
    program(lambda x: jax.vmap(jax.named_scope("outer")(lambda x: jnp.sin(x) * 2))(x), X, name="scope", locations=True)


def literals():
    narrow = "bfloat16 float8_e4m3fn float8_e5m2 float8_e4m3b11fnuz float8_e4m3 float8_e3m4 float8_e8m0fnu float4_e2m1fn"
    names = [*"int8 uint8 int16 uint32 int32 bool float16 complex64".split(), *narrow.split(), "int4", "uint4", "int2", "uint2"]
    dtypes = [getattr(ml_dtypes, n) if hasattr(ml_dtypes, n) else np.dtype(n) for n in names]
    constants = [np.array([[0, 1, 2], [1, 0, 1]]).astype(t) for t in dtypes]
    program(lambda: tuple(map(jnp.asarray, constants)), name="constants")
    special = np.array([np.inf, -np.inf, np.nan, 1.5, -0.0], np.float32)
    infinite = complex(np.inf, 1)
    program(
        lambda x: (
            x + special,
            jnp.where(x > 0, jnp.inf, jnp.nan),
            x.astype(jnp.float16) * jnp.float16(np.inf),
            (x + special).astype(jnp.complex64) * infinite,
        ),
        jnp.ones(5),
        name="infinities",
    )
    rng = np.random.default_rng(0)
    weights, mask = rng.normal(size=(20, 30)).astype(np.float32), rng.random(200) > 0.5
    program(lambda x: (x @ weights, jnp.asarray(mask)), jnp.ones((4, 20)), name="hexadecimal_constants")
    with jax.enable_x64(True):
        program(lambda x: (x * 2, x.astype(jnp.complex128) * 1j, jnp.arange(5)), np.ones(3), name="doubles")


def library():
    program(lambda x: lax.top_k(x, 3), X, name="top_k")
    program(lambda x: lax.approx_max_k(x, 3), X, name="approx_max_k")
    program(lambda x: lax.sort((x, x * 2), num_keys=2), X, name="sort")
    program(lambda x: (jnp.fft.fft(x), jnp.fft.rfft2(x), jnp.fft.irfft(x + 0j)), X, name="fft")
    program(lambda a: (jnp.linalg.cholesky(a), jnp.linalg.eig(a)), jnp.eye(4), name="linalg", locations=True)
    program(lambda k: jax.random.normal(k, (3, 4)), jax.random.key(0, impl="rbg"), name="random_bits")
    program(lax.ragged_dot, jnp.ones((8, 4)), jnp.ones((2, 4, 5)), jnp.array([3, 5], jnp.int32), name="ragged_dot")
    program(lambda x: (jnp.cumsum(x, 0), jnp.cumprod(x, 1)), X, name="cumulative")
    shape = jax.ShapeDtypeStruct(X.shape, X.dtype)
    program(lambda x: jax.pure_callback(lambda x: x, shape, x), X, name="callback")

    def ordered(x):
        first = io_callback(lambda x: x, shape, x, ordered=True)
        return lax.fori_loop(0, 3, lambda i, c: io_callback(lambda x: x, shape, c, ordered=True), first)

    program(ordered, X, name="ordered_callbacks")


def devices():
    x = X
    program(lambda x: jnp.sin(x) @ x.T, x, name="shardings", locations=True, in_shardings=NamedSharding(EIGHT, P("a", "b")))
    two = NamedSharding(EIGHT, P(("a", "b"), None))
    program(lambda x: lax.with_sharding_constraint(x * 2, two) + 1, x, name="constraint")
    for mesh, count in ((ONE, "one"), (EIGHT, "eight")):
        total = sharded(lambda x: (lax.pmean(x, ("a", "b")), lax.axis_index("a")[None]), P("a", "b"), (P(), P("a")), mesh)
        program(total, x, name=f"shard_map_on_{count}", locations=True)
    layout = Format(Layout((1, 0)), NamedSharding(ONE, P()))
    program(lambda x: x.T, x, name="layouts", in_shardings=layout)
    explicit = jax.make_mesh((8,), ("x",), axis_types=(AxisType.Explicit,))
    with jax.set_mesh(explicit):
        split = jax.device_put(np.asarray(x), NamedSharding(explicit, P("x", None)))
        program(lambda a: (jnp.sin(a) @ jnp.ones((16, 4)), jax.sharding.reshard(a, P(None, "x"))), split, name="explicit_mesh")


def exports():
    PROGRAMS["export"] = export.export(jax.jit(jnp.sin))(X).mlir_module()
    shape = jax.ShapeDtypeStruct(export.symbolic_shape("b, 2*c"), jnp.float32)
    text = export.export(jax.jit(lambda x: (x.reshape(-1), x.sum(0), jnp.arange(x.shape[0]))))(shape).mlir_module()
    PROGRAMS["export_symbolic"] = text


def main():
    HERE.mkdir(exist_ok=True)
    for make in (control_flow, differentiation, attributes, literals, library, devices, exports):
        make()
    for name, text in PROGRAMS.items():
        (HERE / f"{name}.mlir").write_text(text.replace(str(Path(__file__)), "program.py").replace(__file__, "program.py"))
    print(len(PROGRAMS), "programs")


if __name__ == "__main__":
    main()
