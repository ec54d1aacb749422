"""Time whole training steps beside torch and JAX: training.py [--only RE] [--peers LIST] [--rounds N] [--markdown].

A step is a loss, its gradients and an optimizer's update, written once in JAX and given to Stepwell as StableHLO; torch has its
own layers, its own attention, and a fused optimizer. All are in one process and take turns, with a pause after each, so that
no worker thread spins into another's turn; a figure is the median over the rounds, and `ratio` the best peer's time over
Stepwell's (above 1: Stepwell is faster). Losses after two steps are compared first. `parts` is Stepwell without
`raise-attention-gradient`: attention's weights are stored for the gradient then. Rates count the products that the step needs.
"""

from __future__ import annotations

import argparse
import functools
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

PAUSE_SECONDS = 0.05
RATE, DECAY, SQUARES, SMALL = 1e-3, 0.9, 0.999, 1e-8

Array = Any
Step = Callable[[], float]
"""One step, which gives its loss."""


@dataclass(frozen=True)
class Case:
    """A layer of GPT, or a perceptron where it has no heads, and what updates it."""

    name: str
    batch: int
    length: int
    width: int
    heads: int
    optimizer: str = "sgd"
    kind: str = "f32"

    @property
    def inner(self) -> int:
        """The width of the perceptron in between."""
        return 4 * self.width

    @property
    def flops(self) -> float:
        """Of the products: each once forward and twice backward, half of the scores."""
        rows, width = self.batch * self.length, self.width
        weights = 2 * width * self.inner + (4 * width * width if self.heads else 0)
        scores = 2 * rows * self.length * width if self.heads else 0
        return 3 * 2 * rows * weights + 3.5 * scores

    def parameters(self) -> dict[str, np.ndarray[Any, Any]]:
        """Weights and biases of f32, by name."""
        rng = np.random.default_rng(0)
        width, inner = self.width, self.inner
        shapes = {"w1": (width, inner), "b1": (inner,), "w2": (inner, width), "b2": (width,)}
        if self.heads:
            shapes |= {"wqkv": (width, 3 * width), "bqkv": (3 * width,), "wo": (width, width), "bo": (width,)}
            shapes |= {"g1": (width,), "h1": (width,)}
        shapes |= {"g2": (width,), "h2": (width,)}
        made = {n: rng.standard_normal(s).astype(np.float32) * 0.02 for n, s in shapes.items()}
        return {n: a + 1 if n.startswith("g") else a for n, a in made.items()}

    def inputs(self) -> list[np.ndarray[Any, Any]]:
        """What the layer is given, and what it should give."""
        rng = np.random.default_rng(1)
        return [rng.standard_normal((self.batch, self.length, self.width)).astype(np.float32) for _ in range(2)]


def cases() -> Iterator[Case]:
    """All cases."""
    for optimizer in ("sgd", "adam"):
        yield Case(f"gpt2_layer_4x256x768_{optimizer}", 4, 256, 768, 12, optimizer)
    yield Case("gpt_layer_4x256x512_sgd", 4, 256, 512, 8)
    yield Case("gpt_layer_2x512x256_adam", 2, 512, 256, 4, "adam")
    yield Case("gpt_layer_1x1024x512_sgd", 1, 1024, 512, 8)
    yield Case("mlp_1x512x768_adam", 1, 512, 768, 0, "adam")
    yield Case("gpt2_layer_4x256x768_sgd_bf16", 4, 256, 768, 12, kind="bf16")


def jax_step(case: Case) -> tuple[Callable[..., Any], list[Any]]:
    """The step of state, input and target, which gives the next state and the loss; and what it begins with."""
    import jax
    import jax.numpy as jnp

    kind = {"f32": jnp.float32, "bf16": jnp.bfloat16}[case.kind]

    def norm(x: Array, scale: Array, shift: Array) -> Array:
        mean = x.mean(-1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(jnp.square(x - mean).mean(-1, keepdims=True) + 1e-5) * scale + shift

    def linear(x: Array, w: Array, b: Array) -> Array:
        return x.astype(kind) @ w.astype(kind) + b.astype(kind)

    def attention(p: dict[str, Array], x: Array) -> Array:
        qkv = linear(norm(x, p["g1"], p["h1"]), p["wqkv"], p["bqkv"])
        q, k, v = (a.reshape(case.batch, case.length, case.heads, -1) for a in jnp.split(qkv, 3, -1))
        s = jnp.einsum("bqhd,bkhd->bhqk", q, k, preferred_element_type=jnp.float32) * (q.shape[-1] ** -0.5)
        s = jnp.where(jnp.tril(jnp.ones((case.length, case.length), bool)), s, -jnp.inf)
        o = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(s, -1).astype(kind), v)
        return linear(o.reshape(case.batch, case.length, -1), p["wo"], p["bo"]).astype(jnp.float32)

    def loss(p: dict[str, Array], x: Array, y: Array) -> Array:
        if case.heads:
            x = x + attention(p, x)
        h = jax.nn.gelu(linear(norm(x, p["g2"], p["h2"]), p["w1"], p["b1"]))
        return jnp.square(x + linear(h, p["w2"], p["b2"]).astype(jnp.float32) - y).mean()

    def step(state: Any, x: Array, y: Array) -> Any:
        p, m, v, t = state
        value, g = jax.value_and_grad(loss)(p, x, y)
        if case.optimizer == "sgd":
            return ({n: p[n] - RATE * g[n] for n in p}, m, v, t), value
        t = t + 1
        m = {n: DECAY * m[n] + (1 - DECAY) * g[n] for n in p}
        v = {n: SQUARES * v[n] + (1 - SQUARES) * jnp.square(g[n]) for n in p}
        first, second = 1 - DECAY**t, jnp.sqrt(1 - SQUARES**t)
        p = {n: p[n] - RATE / first * m[n] / (jnp.sqrt(v[n]) / second + SMALL) for n in p}
        return (p, m, v, t), value

    p = case.parameters()
    zeros = {n: np.zeros_like(a) for n, a in p.items()} if case.optimizer == "adam" else {}
    state = (p, zeros, {n: a.copy() for n, a in zeros.items()}, np.float32(0))
    return step, [state, *case.inputs()]


def jax_runner(case: Case) -> Step:
    """JAX's own compiler."""
    import jax

    step, (state, x, y) = jax_step(case)
    compiled = jax.jit(step, donate_argnums=0)
    held = [jax.device_put(state)]

    def run() -> float:
        held[0], value = compiled(held[0], x, y)
        return float(value)

    return run


def stepwell_runner(case: Case, raised: bool = True) -> Step:
    """The same program, compiled here; the state is updated in place."""
    import jax

    import stepwell
    from stepwell.passes import raise_attention_gradient

    step, arguments = jax_step(case)
    flat, tree = jax.tree.flatten(arguments[0])
    count = len(flat)

    def flattened(*given: Any) -> Any:
        state, value = step(jax.tree.unflatten(tree, given[:-2]), *given[-2:])
        return (*jax.tree.leaves(state), value)

    text = (
        jax.jit(flattened, keep_unused=True, donate_argnums=tuple(range(count))).lower(*flat, *arguments[1:]).as_text()
    )
    known = raise_attention_gradient.match_gradient
    if not raised:
        raise_attention_gradient.match_gradient = lambda weights: None
    try:
        exe = stepwell.compile(text, cache=raised)
    finally:
        raise_attention_gradient.match_gradient = known
    held = [np.asarray(a) for a in flat]

    def run() -> float:
        *made, value = exe(*held, *arguments[1:])
        held[:] = made
        return float(value)

    return run


def torch_runner(case: Case, compiled: bool = False) -> Step:
    """torch's layers, its attention, and its fused optimizer."""
    import torch
    from torch.nn import functional

    p = {n: torch.from_numpy(a).requires_grad_() for n, a in case.parameters().items()}
    x, y = (torch.from_numpy(a) for a in case.inputs())
    values = list(p.values())
    optimizer = (
        torch.optim.SGD(values, RATE, fused=True)
        if case.optimizer == "sgd"
        else torch.optim.Adam(values, RATE, (DECAY, SQUARES), SMALL, fused=True)
    )
    narrow = functools.partial(torch.autocast, "cpu", torch.bfloat16, enabled=case.kind == "bf16")

    def loss(x: Array, y: Array) -> Array:
        with narrow():
            if case.heads:
                h = functional.layer_norm(x, (case.width,), p["g1"], p["h1"])
                qkv = functional.linear(h, p["wqkv"].T, p["bqkv"])
                q, k, v = (a.view(case.batch, case.length, case.heads, -1).transpose(1, 2) for a in qkv.chunk(3, -1))
                o = functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
                x = x + functional.linear(o.reshape(case.batch, case.length, -1), p["wo"].T, p["bo"])
            h = functional.layer_norm(x, (case.width,), p["g2"], p["h2"])
            h = functional.gelu(functional.linear(h, p["w1"].T, p["b1"]), approximate="tanh")
            return torch.square(x + functional.linear(h, p["w2"].T, p["b2"]) - y).mean()

    whole = torch.compile(loss) if compiled else loss

    def run() -> float:
        optimizer.zero_grad()
        value = whole(x, y)
        value.backward()
        optimizer.step()
        return float(value.detach())

    return run


RUNNERS: dict[str, Callable[[Case], Step]] = {
    "torch": torch_runner,
    "inductor": functools.partial(torch_runner, compiled=True),
    "jax": jax_runner,
    "parts": functools.partial(stepwell_runner, raised=False),
    "stepwell": stepwell_runner,
}


def turn(step: Step) -> float:
    """Seconds of a step."""
    time.sleep(PAUSE_SECONDS)
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def measure(case: Case, peers: list[str], rounds: int) -> dict[str, float]:
    """Medians of seconds."""
    runners = {peer: RUNNERS[peer](case) for peer in peers}
    losses = {peer: [step() for _ in range(2)] for peer, step in runners.items()}
    tolerance = 1e-3 if case.kind == "f32" else 3e-2
    for peer, values in losses.items():
        if not np.allclose(values, losses[peers[-1]], tolerance, tolerance):
            raise SystemExit(f"{case.name}: losses differ: {peer} {values}, {peers[-1]} {losses[peers[-1]]}")
    times = [[turn(step) for step in runners.values()] for _ in range(rounds)]
    return dict(zip(peers, map(float, np.median(np.asarray(times), axis=0)), strict=True))


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="RE", help="cases whose name matches")
    parser.add_argument(
        "--peers", default="torch,jax,stepwell", help=f"of {','.join(RUNNERS)}; the last is compared to"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", action="store_true", help="as rows of a table")
    arguments = parser.parse_args()
    between, ends = (" | ", ("| ", " |")) if arguments.markdown else ("  ", ("", ""))
    peers = arguments.peers.split(",")
    print(ends[0] + between.join([f"{'ms':32s}", *(f"{p:>9s}" for p in peers), "GFLOP/s", "ratio"]) + ends[1])
    for case in cases():
        if not re.search(arguments.only, case.name):
            continue
        seconds = measure(case, peers, arguments.rounds)
        ours = seconds[peers[-1]]
        others = [s for p, s in seconds.items() if p in ("torch", "inductor", "jax")]
        cells = [f"{case.name:32s}", *(f"{s * 1e3:9.2f}" for s in seconds.values())]
        cells += [f"{case.flops / ours / 1e9:7.0f}", f"{min(others, default=ours) / ours:5.2f}"]
        print(ends[0] + between.join(cells) + ends[1], flush=True)


if __name__ == "__main__":
    main()
