"""What Python costs: tracing a thousand ops, and calling what is compiled over calling the executable itself.

    python benchmarks/tracing.py

Times are this process's CPU time with the collector off. Tracing: the minimum of nine. Calls: rounds of calls through `jit` and of
the executable's own alternate; the figure is the median of the differences.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import stepwell
import stepwell.numpy as snp

OPS, CALLS, ROUNDS = 1000, 500, 41
X = np.ones(16, np.float32)


def cpu_seconds(function: Callable[[], Any], times: int = 1) -> float:
    """CPU time of one of `times` calls."""
    start = time.process_time()
    for _ in range(times):
        function()
    return (time.process_time() - start) / times


def chain(x: Any) -> Any:
    """A thousand ops with no two alike next to each other."""
    for _ in range(OPS // 5):
        x = snp.tanh(x) * x - x + snp.sqrt(x)
    return x


def network(x: Any, layers: Any) -> Any:
    """A residual network, with the broadcasts, reductions and contractions of real programs."""
    for weight, bias in layers:
        centered = x - x.mean(-1, keepdims=True)
        x = x + snp.maximum(centered @ weight + bias, 0)
    return snp.softmax(x)


def traced(function: Any, *args: Any) -> tuple[float, int]:
    """(seconds to trace and verify, ops traced)."""
    jitted = stepwell.jit(function)
    jitted.lower(*args)
    best = min(cpu_seconds(lambda: jitted.lower(*args)) for _ in range(9))
    return best, sum(1 for op in jitted.lower(*args).module.walk() if op.name.startswith("stablehlo."))


def over(call: Callable[[], Any], own: Callable[[], Any]) -> float:
    """Microseconds a call takes longer than the executable's own."""
    call(), own()
    differences = [cpu_seconds(call, CALLS) - cpu_seconds(own, CALLS) for _ in range(ROUNDS)]
    return statistics.median(differences) * 1e6


def calls() -> dict[str, float]:
    """Microseconds over the executable's own call, by how one calls."""
    a, raw = snp.asarray(X), X
    add = stepwell.jit(lambda x, y: x + y)
    own = add.lower(a, a).compile()
    tree = stepwell.jit(lambda params, x: params["w"] * x + params["b"])
    tree_own, params = tree.lower({"w": a, "b": a}, a).compile(), {"w": a, "b": a}
    static = stepwell.jit(lambda x, y, n: x + y * n, static_argnums=2)
    number = stepwell.jit(lambda x, n: x + n)
    donating = stepwell.jit(lambda state, x: state + x, donate_argnums=0)
    state = donating(a + 0, a)

    def donate() -> None:
        nonlocal state
        state = donating(state, a)

    def keyword() -> Any:
        return add(x=a, y=a)

    return {
        "two arrays": over(lambda: add(a, a), lambda: own(raw, raw)),
        "two NumPy arrays": over(lambda: add(raw, raw), lambda: own(raw, raw)),
        "by keyword": over(keyword, lambda: own(raw, raw)),
        "a dict and an array": over(lambda: tree(params, a), lambda: tree_own(raw, raw, raw)),
        "a static argument": over(lambda: static(a, a, 3), lambda: own(raw, raw)),
        "an array and a number": over(lambda: number(a, 2.0), lambda: own(raw, raw)),
        "a donated array": over(donate, lambda: own(raw, raw)),
        "an operator outside of jit": over(lambda: a + a, lambda: own(raw, raw)),
    }


def main() -> None:
    """Print the table."""
    gc.disable()
    layers = [(np.ones((16, 16), np.float32), X)] * 60
    for name, function, args in (("elementwise chain", chain, (X,)), ("residual network", network, (X[None], layers))):
        seconds, ops = traced(function, *args)
        per_thousand = seconds * 1000 / ops
        print(f"tracing, {name:<18} {seconds:.3f} s for {ops} ops, {per_thousand:.3f} s a thousand  (at most 0.5)")
    for name, microseconds in calls().items():
        print(f"call over executable, {name:<27} {microseconds:5.1f} us" + "  (at most 20)" * (name == "two arrays"))


if __name__ == "__main__":
    main()
