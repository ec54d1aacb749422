"""Time attention beside torch's scaled_dot_product_attention: attention.py [--only RE] [--backward] [--rounds N] [--markdown].

Each case is written once in JAX, as its decomposition, and given to Stepwell as StableHLO; torch has its own kernel. Both are
in one process and take turns, with a pause after each, so that no worker thread spins into the other's turn; a figure is the
median over the rounds. `ratio` is torch's time over Stepwell's (above 1: Stepwell is faster). Rates count what the
result needs: half of the products where scores are causal, each operand and the result once. Results are compared first.
`--backward` takes the cases that are differentiated: the result and what it passes back, of a gradient that is given.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

PAUSE_SECONDS = 0.02
TURN_SECONDS = 0.03


@dataclass(frozen=True)
class Case:
    """One attention: `heads` queries share `heads / groups` keys and values."""

    name: str
    batch: int
    heads: int
    groups: int
    queries: int
    keys: int
    depth: int
    kind: str = "f32"
    causal: bool = False
    gradient: bool = False

    @property
    def flops(self) -> float:
        """Of the products that the result needs; a gradient needs five for two."""
        made = 4 * self.batch * self.heads * self.queries * self.keys * self.depth * (0.5 if self.causal else 1)
        return made * 3.5 if self.gradient else made

    @property
    def bytes(self) -> int:
        """Of queries, keys, values and the result, and of the gradients of all four."""
        rows = (2 * self.heads * self.queries + 2 * self.groups * self.keys) * (2 if self.gradient else 1)
        return self.batch * rows * self.depth * {"f32": 4, "f64": 8, "bf16": 2}[self.kind]

    def inputs(self) -> list[np.ndarray[Any, Any]]:
        """Queries, keys and values in f32, and the gradient of the result where there is one."""
        rng = np.random.default_rng(0)
        lines = [(self.heads, self.queries), (self.groups, self.keys), (self.groups, self.keys)]
        if self.gradient:
            lines.append((self.heads, self.queries))
        return [rng.standard_normal((self.batch, *n, self.depth), dtype=np.float32) for n in lines]


def cases() -> Iterator[Case]:
    """All cases: training and prefill shapes, depths, primes, types, long sequences, decoding, gradients."""
    yield Case("bench_512x64", 4, 8, 8, 512, 512, 64)
    yield Case("gpt_256x64_causal", 4, 8, 8, 256, 256, 64, causal=True)
    yield from (Case(f"depth_{d}", 4, 8, 8, 512, 512, d) for d in (32, 80, 128))
    yield from (Case(f"prime_{n}x64", 4, 8, 8, n, n, 64) for n in (61, 251, 509))
    yield Case("prime_251x64_causal", 4, 8, 8, 251, 251, 64, causal=True)
    yield Case("f64_256x64", 2, 8, 8, 256, 256, 64, "f64")
    yield from (Case(f"bf16_512x{d}", 4, 8, 8, 512, 512, d, "bf16") for d in (32, 64, 80, 128))
    yield Case("bf16_509x64_causal", 4, 8, 8, 509, 509, 64, "bf16", causal=True)
    yield Case("batch1_1024x64_causal", 1, 8, 8, 1024, 1024, 64, causal=True)
    yield Case("long_2048x64", 1, 8, 8, 2048, 2048, 64)
    yield Case("long_4096x64_causal", 1, 4, 4, 4096, 4096, 64, causal=True)
    yield Case("long_4096x128_grouped", 1, 4, 1, 4096, 4096, 128, causal=True)
    yield from (Case(f"decode_{q}x2048x128_grouped", 1, 32, 8, q, 2048, 128) for q in (1, 2, 4, 8))
    yield Case("decode_1x2048x64", 8, 16, 16, 1, 2048, 64)
    yield Case("decode_1x2048x128_bf16", 1, 32, 8, 1, 2048, 128, "bf16")
    yield Case("decode_1x8192x128_one_head", 1, 1, 1, 1, 8192, 128)
    for causal in (False, True):
        name = "_causal" if causal else ""
        for batch, heads, n in ((4, 8, 256), (1, 8, 512), (4, 8, 512), (1, 8, 1024), (4, 12, 256), (1, 3, 509)):
            yield Case(
                f"gradient_{batch}x{heads}x{n}x64{name}", batch, heads, heads, n, n, 64, causal=causal, gradient=True
            )
    yield Case("gradient_1x1x2048x64", 1, 1, 1, 2048, 2048, 64, gradient=True)
    yield Case("gradient_2x8x512x128_grouped", 2, 8, 2, 512, 512, 128, causal=True, gradient=True)
    yield Case("gradient_f64_2x8x256x64", 2, 8, 8, 256, 256, 64, "f64", gradient=True)
    for batch, heads, n, causal in ((4, 8, 256, False), (4, 8, 512, False), (4, 12, 256, True), (1, 8, 1024, True)):
        name = f"gradient_bf16_{batch}x{heads}x{n}x64{'_causal' if causal else ''}"
        yield Case(name, batch, heads, heads, n, n, 64, "bf16", causal, gradient=True)


def stepwell_runner(case: Case) -> Callable[[], Any]:
    """Compile the decomposition."""
    import jax
    import jax.numpy as jnp

    import stepwell

    jax.config.update("jax_enable_x64", True)
    kind = {"f32": jnp.float32, "f64": jnp.float64, "bf16": jnp.bfloat16}[case.kind]
    shared = case.heads // case.groups
    wide = jnp.float64 if case.kind == "f64" else jnp.float32

    def attention(q: Any, k: Any, v: Any) -> Any:
        # Heads that share keys have a dim of their own.
        heads = "bgh" if shared > 1 else "bg"
        split = (case.groups, shared) if shared > 1 else (case.groups,)
        q = q.reshape(case.batch, *split, case.queries, case.depth)
        s = jnp.einsum(f"{heads}qd,bgkd->{heads}qk", q, k, preferred_element_type=wide) * (case.depth**-0.5)
        if case.causal:
            s = jnp.where(jnp.tril(jnp.ones((case.queries, case.keys), bool)), s, -jnp.inf)
        w = jax.nn.softmax(s, -1).astype(kind)
        o = jnp.einsum(f"{heads}qk,bgkd->{heads}qd", w, v)
        return o.reshape(case.batch, case.heads, case.queries, case.depth)

    def gradients(q: Any, k: Any, v: Any, g: Any) -> Any:
        result, backward = jax.vjp(attention, q, k, v)
        return (result, *backward(g))

    args = [np.asarray(jnp.asarray(x, kind)) for x in case.inputs()]
    f = gradients if case.gradient else attention
    exe = stepwell.compile(jax.jit(f).lower(*args).as_text())
    return lambda: exe(*args)


def torch_runner(case: Case) -> Callable[[], Any]:
    """The library's own kernel; its backward for a gradient."""
    import torch

    kind = {"f32": torch.float32, "f64": torch.float64, "bf16": torch.bfloat16}[case.kind]
    args = [torch.from_numpy(x).to(kind) for x in case.inputs()]

    def attention(q: Any, k: Any, v: Any) -> Any:
        grouped = case.heads != case.groups
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=case.causal, enable_gqa=grouped)

    def forward() -> Any:
        with torch.no_grad():
            return (attention(*args),)

    def gradients() -> Any:
        given = [a.detach().requires_grad_() for a in args[:3]]
        result = attention(*given)
        return (result.detach(), *torch.autograd.grad(result, given, args[3]))

    return gradients if case.gradient else forward


def turn(f: Callable[[], Any], count: int) -> float:
    """Seconds of a call, over `count` of them."""
    time.sleep(PAUSE_SECONDS)
    start = time.perf_counter()
    for _ in range(count):
        f()
    return (time.perf_counter() - start) / count


def differs(ours: Any, theirs: Any, kind: str) -> bool:
    """Whether results are further apart than sums in another order make them."""
    tolerance = {"f64": 1e-9, "f32": 1e-3, "bf16": 3e-2}[kind]
    ours = ours if isinstance(ours, list | tuple) else [ours]
    pairs = zip(ours, theirs, strict=True)
    return not all(np.allclose(np.asarray(o, np.float64), t.double().numpy(), tolerance, tolerance) for o, t in pairs)


def measure(case: Case, rounds: int) -> tuple[float, float]:
    """Medians of seconds: torch, Stepwell."""
    runners = [torch_runner(case), stepwell_runner(case)]
    theirs, ours = (f() for f in runners)
    if differs(ours, theirs, case.kind):
        raise SystemExit(f"{case.name}: results differ")
    counts = [max(1, min(200, int(TURN_SECONDS / min(turn(f, 1) for _ in range(2))))) for f in runners]
    times = [[turn(f, n) for f, n in zip(runners, counts, strict=True)] for _ in range(rounds)]
    torch_seconds, stepwell_seconds = np.median(np.asarray(times), axis=0)
    return float(torch_seconds), float(stepwell_seconds)


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="RE", help="cases whose name matches")
    parser.add_argument("--backward", action="store_true", help="cases that are differentiated")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--markdown", action="store_true", help="as rows of a table")
    arguments = parser.parse_args()
    between, ends = (" | ", ("| ", " |")) if arguments.markdown else ("  ", ("", ""))
    ratios: list[float] = []
    for case in cases():
        if not re.search(arguments.only, case.name) or (arguments.backward and not case.gradient):
            continue
        theirs, ours = measure(case, arguments.rounds)
        ratios.append(theirs / ours)
        rates = f"{case.flops / ours / 1e9:6.0f} GFLOP/s", f"{case.bytes / ours / 1e9:5.1f} GB/s"
        cells = (f"{case.name:30s}", f"{theirs * 1e3:8.3f}", f"{ours * 1e3:8.3f}", *rates, f"{ratios[-1]:5.2f}")
        print(ends[0] + between.join(cells) + ends[1], flush=True)
    if ratios:
        print(f"geometric mean of torch / Stepwell over {len(ratios)}: {np.exp(np.log(ratios).mean()):.2f}")


if __name__ == "__main__":
    main()
