"""Compile time: per pass for two JAX programs, whole compile, growth with depth, and what the cache and other processes save.

    python benchmarks/compile_time.py [--repeat 5] [--json FILE] [--only passes|growth|cache|processes]

Process CPU time, minimum of `--repeat` compiles, garbage collector off. `growth` is the time of an N-layer MLP over that of N/2 layers
(2 is linear; distinct layer shapes are the same, so the kernels stay constant). `cache` is the whole of `stepwell.compile` with an empty
cache, with one that has the objects only, and with one that has the program: median time on the clock, in turn. `processes` is LLVM's
part alone, on the clock, in this process and shared with others.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data" / "jax"
PROGRAMS = {
    "gpt_block": DATA / "gpt_block.mlir",
    "mlp_adamw_step": DATA / "mlp_adamw_step.mlir",
    "examples/gpt_block": ROOT / "examples" / "gpt_block.mlir",
}


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


def _seconds(path: Path) -> float:
    import stepwell

    gc.collect()
    start = time.perf_counter()
    stepwell.compile(path)
    return time.perf_counter() - start


def measure_cache(path: Path, repeat: int) -> dict[str, float]:
    """Median seconds to compile a program with nothing in the cache, only its objects, and the program itself."""
    times: dict[str, list[float]] = {"empty": [], "objects": [], "program": []}
    before = {name: os.environ.get(name) for name in ("STEPWELL_CACHE", "STEPWELL_CACHE_DIR")}
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(STEPWELL_CACHE="1", STEPWELL_CACHE_DIR=folder)
        try:
            for _ in range(repeat):
                for kind in ("programs", "objects"):
                    shutil.rmtree(Path(folder) / kind, ignore_errors=True)
                times["empty"].append(_seconds(path))
                if not (Path(folder) / "programs").exists():
                    raise SystemExit("nothing was kept: files of the compiler changed while this ran")
                shutil.rmtree(Path(folder) / "programs")
                times["objects"].append(_seconds(path))
                times["program"].append(_seconds(path))
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
    return {name: median(values) for name, values in times.items()}


def measure_processes(paths: list[Path], repeat: int) -> dict[str, float]:
    """Median seconds LLVM takes for the modules of programs, all in this process and shared with others, in turn."""
    from stepwell.backends.llvm_ir import write_llvm
    from stepwell.backends.object import compile_llvm
    from stepwell.backends.object_pool import Team
    from stepwell.backends.target import host_target
    from stepwell.compiler import lower
    from stepwell.source import parse

    target = host_target()
    modules = [lower(parse(path), "device", target=target) for path in paths]
    texts = [part.text for module in modules for part in write_llvm(module, target)]
    team = Team()
    times: dict[str, list[float]] = {"alone": [], "shared": []}
    try:
        start = time.perf_counter()
        shared = team.compile(texts, target, 2)
        first = time.perf_counter() - start
        for _ in range(repeat):
            start = time.perf_counter()
            alone = [compile_llvm(text, target) for text in texts]
            times["alone"].append(time.perf_counter() - start)
            start = time.perf_counter()
            shared = team.compile(texts, target, 2)
            times["shared"].append(time.perf_counter() - start)
            if alone != shared:
                raise SystemExit("the objects differ")
    finally:
        team.end()
    return {"modules": len(texts), **{k: median(v) for k, v in times.items()}, "shared, first": first}


def report_passes(repeat: int) -> dict[str, Any]:
    """Print the table of passes."""
    out: dict[str, Any] = {}
    for name in ("gpt_block", "mlp_adamw_step"):
        total, stages = measure(PROGRAMS[name].read_text(), repeat)
        out[name] = {"total": total, **stages}
        print(f"{name}: {total:.3f} s")
        for stage, seconds in stages.items():
            print(f"  {stage:32s} {1e3 * seconds:8.1f} ms")
    return out


def report_growth(repeat: int) -> dict[str, Any]:
    """Print how compile time grows with depth."""
    out: dict[str, Any] = {}
    previous = None
    for layers in (8, 16, 32, 64):
        total, _ = measure(mlp_text(layers), repeat)
        growth = "" if previous is None else f"  growth {total / previous:.2f}"
        print(f"mlp of {layers:2d} layers: {total:.3f} s{growth}")
        out[f"mlp_{layers}"] = total
        previous = total
    return out


def report_cache(repeat: int) -> dict[str, Any]:
    """Print what the cache saves."""
    out: dict[str, Any] = {}
    print(f"{'from the cache':24s} {'nothing':>10s} {'objects':>10s} {'program':>10s}   (at most 3 s, and 150 ms)")
    for name, path in PROGRAMS.items():
        times = measure_cache(path, repeat)
        out[f"cache {name}"] = times
        print(f"{name:24s}" + "".join(f"{1e3 * seconds:8.1f} ms" for seconds in times.values()))
    return out


def report_processes(repeat: int) -> dict[str, Any]:
    """Print what other processes save."""
    times = measure_processes([PROGRAMS["gpt_block"], PROGRAMS["mlp_adamw_step"]], repeat)
    print(
        f"LLVM, {times['modules']} modules: " + ", ".join(f"{k} {v:.3f} s" for k, v in times.items() if k != "modules")
    )
    return {"processes": times}


REPORTS = {"passes": report_passes, "growth": report_growth, "cache": report_cache, "processes": report_processes}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json")
    parser.add_argument("--only", choices=REPORTS, help="one of the tables")
    arguments = parser.parse_args()
    gc.disable()
    out: dict[str, Any] = {}
    compile_once("func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> { return %x : tensor<4xf32> }")  # imports
    for name in [arguments.only] if arguments.only else REPORTS:
        out.update(REPORTS[name](arguments.repeat))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
