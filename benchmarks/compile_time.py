"""Compile time: per pass for two JAX programs, whole compile, and growth with depth.

    python benchmarks/compile_time.py [--repeat 5] [--json FILE]

Process CPU time, minimum of `--repeat` compiles, garbage collector off. `growth` is the time of an N-layer MLP over that of N/2 layers
(2 is linear; distinct layer shapes are the same, so the kernels stay constant).
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "tests" / "data" / "jax"


def mlp_text(layers: int, width: int = 256, batch: int = 64) -> str:
    """StableHLO of `layers` dense layers with relu."""
    arguments = ", ".join(f"%w{i}: tensor<{width}x{width}xf32>, %b{i}: tensor<{width}xf32>" for i in range(layers))
    t = f"tensor<{batch}x{width}xf32>"
    lines = [
        f"func.func public @main(%x: {t}, {arguments}) -> {t} {{",
        "  %zero = stablehlo.constant dense<0.0> : tensor<f32>",
    ]
    value = "%x"
    for i in range(layers):
        lines += [
            f"  %d{i} = stablehlo.dot_general {value}, %w{i}, contracting_dims = [1] x [0] : ({t}, tensor<{width}x{width}xf32>) -> {t}",
            f"  %c{i} = stablehlo.broadcast_in_dim %b{i}, dims = [1] : (tensor<{width}xf32>) -> {t}",
            f"  %a{i} = stablehlo.add %d{i}, %c{i} : {t}",
            f"  %z{i} = stablehlo.broadcast_in_dim %zero, dims = [] : (tensor<f32>) -> {t}",
            f"  %r{i} = stablehlo.maximum %a{i}, %z{i} : {t}",
        ]
        value = f"%r{i}"
    return "\n".join([*lines, f"  return {value} : {t}", "}"])


def compile_once(text: str) -> tuple[float, dict[str, float]]:
    """(whole seconds, seconds per stage) of one compile from text to a loaded executable, in CPU time."""
    from stepwell.native import compile_profiled

    start = time.process_time()
    stages = compile_profiled(text)
    return time.process_time() - start, stages


def measure(text: str, repeat: int) -> tuple[float, dict[str, float]]:
    """The minimum over `repeat` compiles, whole and per stage."""
    best, stages = float("inf"), defaultdict(lambda: float("inf"))
    for _ in range(repeat):
        gc.collect()
        total, parts = compile_once(text)
        best = min(best, total)
        for name, seconds in parts.items():
            stages[name] = min(stages[name], seconds)
    return best, dict(stages)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    gc.disable()
    out: dict[str, Any] = {}
    compile_once("func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> { return %x : tensor<4xf32> }")  # imports
    for name in ("gpt_block", "mlp_adamw_step"):
        total, stages = measure((DATA / f"{name}.mlir").read_text(), arguments.repeat)
        out[name] = {"total": total, **stages}
        print(f"{name}: {total:.3f} s")
        for stage, seconds in stages.items():
            print(f"  {stage:32s} {1e3 * seconds:8.1f} ms")
    previous = None
    for layers in (8, 16, 32, 64):
        total, _ = measure(mlp_text(layers), arguments.repeat)
        growth = "" if previous is None else f"  growth {total / previous:.2f}"
        print(f"mlp of {layers:2d} layers: {total:.3f} s{growth}")
        out[f"mlp_{layers}"] = total
        previous = total
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
