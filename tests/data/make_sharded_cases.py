"""Makes tests/data/sharded: programs over eight devices as JAX prints them, arguments and JAX's own results.

<python with jax> tests/data/make_sharded_cases.py
"""

import os
from pathlib import Path

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

HERE = Path(__file__).parent / "sharded"
DEVICES = np.array(jax.devices())
MESH = Mesh(DEVICES.reshape(2, 4), ("a", "b"))
REVERSED = Mesh(DEVICES[::-1].reshape(4, 2), ("a", "b"))
RNG = np.random.default_rng(3)
X = RNG.normal(size=(8, 16)).astype(np.float32)
W = RNG.normal(size=(16, 5)).astype(np.float32)
I = RNG.integers(-50, 50, size=(8, 8)).astype(np.int32)  # noqa: E741
AB = P("a", "b")


def mapped(f, ins, outs, mesh=MESH, **options):
    return jax.jit(jax.shard_map(f, mesh=mesh, in_specs=ins, out_specs=outs, **options))


def ring(x):
    def body(carry, _):
        return lax.ppermute(carry, "b", [(k, (k + 1) % 4) for k in range(4)]), lax.psum(carry.sum(), "b")

    return lax.scan(body, x, None, length=3)


def gather(axes, axis):
    return lambda x: lax.all_gather(x, axes, axis=axis, tiled=True)


def sharded_loss(x):
    return mapped(lambda x: lax.psum((x * x * x).sum(), ("a", "b")), AB, P())(x)


def place(x):
    return x + lax.axis_index("a") * 100 + lax.axis_index("b")


CASES = {
    "all_gather": (mapped(gather("b", 1), AB, P("a", None), check_vma=False), X),
    "all_gather_reversed": (mapped(gather(("a", "b"), 0), P(("a", "b"), None), P(), REVERSED, check_vma=False), X),
    "all_gather_untiled": (mapped(lambda x: lax.all_gather(x, "a"), AB, P(None, None, "b"), check_vma=False), X),
    "all_to_all": (mapped(lambda x: lax.all_to_all(x, "b", 0, 1, tiled=True), AB, AB), X),
    "axis_index": (mapped(place, AB, AB), I),
    "axis_index_reversed": (mapped(place, AB, AB, REVERSED), I),
    "gradient": (jax.jit(jax.grad(sharded_loss)), X),
    "major_minor": (mapped(lambda x: x * (1 + lax.axis_index("a")), P(("b", "a"), None), P(("b", "a"), None)), X),
    "matmul": (mapped(lambda x, w: lax.psum(x @ w, "b"), (AB, P("b", None)), P("a", None)), X, W),
    "named_sharding": (
        jax.jit(
            lambda x: jnp.tanh(x @ x.T).sum(0),
            in_shardings=NamedSharding(MESH, AB),
            out_shardings=NamedSharding(MESH, P("b")),
        ),
        X,
    ),
    "partial_manual": (mapped(lambda x: lax.psum(x, "a") * 2, P("a"), P(), axis_names={"a"}), X),
    "pmax_pmin": (mapped(lambda x: (lax.pmax(x, "a"), lax.pmin(x, "b")), AB, (P(None, "b"), P("a", None))), I),
    "ppermute": (mapped(lambda x: lax.ppermute(x, "b", [(0, 1), (1, 2), (2, 3), (3, 0)]), AB, AB), X),
    "ppermute_partial": (mapped(lambda x: lax.ppermute(x, "b", [(0, 2), (3, 1)]), AB, AB), I),
    "psum": (mapped(lambda x: lax.psum(x, "a"), AB, P(None, "b")), X),
    "psum_of_all": (mapped(lambda x: lax.psum(x, ("a", "b")), AB, P()), X),
    "psum_scatter": (
        mapped(lambda x: lax.psum_scatter(x, "b", scatter_dimension=0, tiled=True), AB, P(("a", "b"), None)),
        X,
    ),
    "ring": (mapped(ring, AB, (AB, P(None)), check_vma=False), X),
}


def main():
    HERE.mkdir(exist_ok=True)
    arrays = {}
    for name, (function, *arguments) in CASES.items():
        (HERE / f"{name}.mlir").write_text(function.lower(*arguments).as_text())
        results = jax.tree.leaves(function(*arguments))
        arrays |= {f"{name}.in{n}": np.asarray(a) for n, a in enumerate(arguments)}
        arrays |= {f"{name}.out{n}": np.asarray(r) for n, r in enumerate(results)}
    np.savez_compressed(HERE / "arrays.npz", **arrays)


if __name__ == "__main__":
    main()
