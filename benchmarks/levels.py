"""What each optimization level brings on whole models: levels.py [--only RE] [--levels 0,1,2,3] [--rounds N] [--json F].

A multilayer perceptron, a block of GPT and a small convolutional network, at -O0 (each op by itself, scalar loops, one thread), -O1,
-O2 and -O3 (which takes what `stepwell tune` has recorded on this machine; without records it is -O2). Levels take turns call by
call; a figure is the median after a first call, or that of the first call where it takes more than two seconds. Results of all
levels are compared.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from peers import stablehlo

PAUSE_SECONDS = 0.005
LONG_SECONDS = 2.0
TOLERANCE = 2e-3


def convnet() -> dict[str, Any]:
    """Two convolutions with bias, activation and pooling, then a dense layer: eight images of 64x64 in three channels."""
    import jax
    import jax.numpy as jnp
    from workloads import f32

    def layer(x: Any, w: Any, b: Any) -> Any:
        y = jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return jax.lax.reduce_window(jax.nn.relu(y + b), -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    def forward(x: Any, w1: Any, b1: Any, w2: Any, b2: Any, w3: Any, b3: Any) -> Any:
        y = layer(layer(x, w1, b1), w2, b2)
        return jax.nn.log_softmax(y.reshape(y.shape[0], -1) @ w3 + b3)

    weights = [
        f32(3, 3, 3, 32, scale=0.2),
        f32(32),
        f32(3, 3, 32, 64, scale=0.05),
        f32(64),
        f32(16384, 10, scale=0.01),
        f32(10),
    ]
    return {"name": "convnet", "jax": forward, "args": [f32(8, 64, 64, 3), *weights]}


def programs(pattern: str) -> list[dict[str, Any]]:
    """The models whose names match."""
    from workloads import build

    models = [w for w in build() if w["name"] in ("mlp_fwd", "gpt_block")] + [convnet()]
    return [w for w in models if re.search(pattern, w["name"])]


def runners(w: dict[str, Any], levels: list[int]) -> dict[int, Callable[[], Any]]:
    """A call at each level, compiled."""
    import stepwell

    text, args = stablehlo(w), w["args"]
    made = {level: stepwell.compile(text, opt_level=level) for level in levels}
    return {level: lambda exe=exe: exe(*args) for level, exe in made.items()}


def same(first: Any, other: Any) -> bool:
    """Whether results agree as far as sums in another order do."""
    pairs = zip(first, other, strict=True)
    return all(
        np.allclose(x, y, rtol=TOLERANCE, atol=TOLERANCE * max(1e-6, np.abs(x).max(initial=0))) for x, y in pairs
    )


def arrays(result: Any) -> list[np.ndarray]:
    return [np.asarray(r) for r in (result if isinstance(result, (tuple, list)) else [result])]


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """A result and the seconds that it took."""
    time.sleep(PAUSE_SECONDS)
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def measure(made: dict[int, Callable[[], Any]], rounds: int) -> tuple[dict[int, float], list[int]]:
    """Seconds a call at each level, in turn, and the levels whose results are not those of the first."""
    first = {level: timed(call) for level, call in made.items()}
    results = {level: arrays(result) for level, (result, _) in first.items()}
    wrong = [level for level in made if not same(results[next(iter(made))], results[level])]
    times: dict[int, list[float]] = {level: [] for level in made}
    for _ in range(rounds):
        for level, call in made.items():
            if first[level][1] <= LONG_SECONDS:
                times[level].append(timed(call)[1])
    return {level: statistics.median(taken or [first[level][1]]) for level, taken in times.items()}, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="RE", help="models whose name matches")
    parser.add_argument("--levels", default="0,1,2,3", help="optimization levels (default: all)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the figures there, in seconds")
    options = parser.parse_args()
    levels = [int(level) for level in options.levels.split(",")]
    rows: dict[str, dict[int, float]] = {}
    print(
        f"| model | {' | '.join(f'-O{level}, ms' for level in levels)} | {' | '.join(f'-O{levels[0]} / -O{n}' for n in levels[1:])} |"
    )
    print("|---" * (2 * len(levels)) + "|")
    right = True
    for w in programs(options.only):
        seconds, wrong = measure(runners(w, levels), options.rounds)
        right = right and not wrong
        rows[w["name"]] = seconds
        cells = [
            *(f"{1e3 * seconds[n]:.2f}" for n in levels),
            *(f"{seconds[levels[0]] / seconds[n]:.1f}" for n in levels[1:]),
        ]
        mark = f" (-O{', -O'.join(map(str, wrong))} WRONG)" if wrong else ""
        print(f"| {w['name']}{mark} | {' | '.join(cells)} |", flush=True)
    if options.json:
        options.json.write_text(
            json.dumps({name: {f"O{n}": t for n, t in row.items()} for name, row in rows.items()}, indent=1)
        )
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
