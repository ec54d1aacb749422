"""Measure Stepwell on the GPU at hand: gpu.py [--only copy,gemm,launch,...] [--match RE] [--rounds N] [--json FILE].

copy      bandwidth of one elementwise kernel and of the driver's own copy, as a share of what the memory can move
gemm      matrix products in f32 and f16 beside torch, where it is installed (ratio above 1: Stepwell is faster)
launch    what a call costs: a kernel of sixteen floats, and ten of them, called without waiting
workloads what users run (`gpu_workloads.py`; needs JAX for the texts) beside torch, checked against torch in f64
programs  the programs of tests/data/jax, compiled for the GPU and checked against the results there

Every figure is a median over rounds; where there are two sides they take turns within each round, so that clocks and other users
disturb both alike. Calls are issued together and waited for once. Without a GPU this says so and ends.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import stepwell
from stepwell.arrays import load_arrays
from stepwell.compare import Tolerance, first_difference
from stepwell.runtime.cuda import CudaError, NoDriverError, driver_status
from stepwell.runtime.cuda.device import Device, device
from stepwell.runtime.cuda.memory import DeviceBuffer

DATA = Path(__file__).resolve().parent.parent / "tests" / "data" / "jax"
COPIED_ELEMENTS = 1 << 27
SQUARES_AND_ODD = ((512, 512, 512), (1024, 1024, 1024), (4096, 4096, 4096), (1000, 777, 513))
ROUND_SECONDS = 0.05

Figures = dict[str, Any]
Side = Callable[[], Any]
"""Issues one call and does not wait."""


# Timing ---------------------------------------------------------------------------------------------------------------


def synchronize(gpu: Device) -> None:
    with gpu.current:
        gpu.stream().synchronize()


def seconds(call: Side, wait: Side, count: int) -> float:
    """Seconds of a call, over `count` of them."""
    wait()
    start = time.perf_counter()
    for _ in range(count):
        call()
    wait()
    return (time.perf_counter() - start) / count


def compared(sides: dict[str, tuple[Side, Side]], rounds: int) -> dict[str, float]:
    """The median seconds of each side, (call, wait), the sides taking turns."""
    counts: dict[str, int] = {}
    for name, (call, wait) in sides.items():
        seconds(call, wait, 3)
        counts[name] = max(3, min(10_000, int(ROUND_SECONDS / max(seconds(call, wait, 3), 1e-6))))
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, (call, wait) in sides.items():
            times[name].append(seconds(call, wait, counts[name]))
    return {name: statistics.median(values) for name, values in times.items()}


# Copies ---------------------------------------------------------------------------------------------------------------


def copy(gpu: Device, rounds: int, elements: int = COPIED_ELEMENTS) -> Figures:
    text = f"""func.func @main(%x: tensor<{elements}xf32>) -> tensor<{elements}xf32> {{
      %r = stablehlo.negate %x : tensor<{elements}xf32>
      func.return %r : tensor<{elements}xf32>
    }}"""
    exe = stepwell.compile(text, target="cuda")
    x = stepwell.device_put(np.ones(elements, np.float32), str(gpu))
    with gpu.current:
        stream = gpu.stream()
        source, target = (DeviceBuffer(stream, 4 * elements) for _ in range(2))

    def by_driver() -> None:
        with gpu.current:
            gpu.copy(target.address, source.address, 4 * elements, stream)

    def wait() -> None:
        synchronize(gpu)

    medians = compared({"stepwell": (lambda: exe(x), wait), "driver": (by_driver, wait)}, rounds)
    moved = 8 * elements
    limit = gpu.properties.bandwidth
    rows: Figures = {}
    for name, median in medians.items():
        rate = moved / median
        rows[name] = {"bytes_per_second": rate, "share": rate / limit if limit else None}
        share = f", {rate / limit:.0%} of {limit / 1e9:.0f}" if limit else ""
        print(f"copy {4 * elements >> 20} MiB  {name:9s} {rate / 1e9:7.0f} GB/s{share}", flush=True)
    return rows


# Matrix products ------------------------------------------------------------------------------------------------------


def product(m: int, k: int, n: int, dtype: str) -> Any:
    """A compiled `a @ b`; f16 accumulates in f32."""
    return stepwell.compile(
        f"""func.func @main(%a: tensor<{m}x{k}x{dtype}>, %b: tensor<{k}x{n}x{dtype}>) -> tensor<{m}x{n}x{dtype}> {{
          %r = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0]
               : (tensor<{m}x{k}x{dtype}>, tensor<{k}x{n}x{dtype}>) -> tensor<{m}x{n}x{dtype}>
          func.return %r : tensor<{m}x{n}x{dtype}>
        }}""",
        target="cuda",
    )


def by_torch(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], gpu: Device) -> tuple[Side, Side] | None:
    """The same product by torch, in full f32; None where there is no torch with CUDA."""
    try:
        import torch
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    torch.backends.cuda.matmul.allow_tf32 = False
    left, right = (torch.from_numpy(x).to(f"cuda:{gpu.ordinal}") for x in (a, b))
    return (lambda: left @ right), torch.cuda.synchronize


def gemm(gpu: Device, rounds: int, sizes: tuple[tuple[int, int, int], ...] = SQUARES_AND_ODD) -> Figures:
    rows: Figures = {}
    random = np.random.default_rng(0)
    for dtype, numpy_dtype in (("f32", np.float32), ("f16", np.float16)):
        for m, k, n in sizes:
            name = f"{dtype} {m}x{k}x{n}"
            a = (random.standard_normal((m, k)) / k**0.5).astype(numpy_dtype)
            b = random.standard_normal((k, n)).astype(numpy_dtype)
            rows[name] = row = one_product(gpu, a, b, dtype, rounds)
            print(f"gemm {name:20s} {rendered(row)}", flush=True)
    return rows


def one_product(gpu: Device, a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], dtype: str, rounds: int) -> Figures:
    (m, k), n = a.shape, b.shape[1]
    try:
        exe = product(m, k, n, dtype)
        inputs = [stepwell.device_put(x, str(gpu)) for x in (a, b)]
        got = exe(*inputs)[0].numpy().astype(np.float64)
    except stepwell.CompileError as error:
        return {"error": str(error).splitlines()[0]}
    wanted = a.astype(np.float64) @ b.astype(np.float64)
    off = float(np.abs(got - wanted).max())
    if not off <= (1e-4 if dtype == "f32" else 2e-2):
        return {"error": f"wrong: off by {off:.3g}"}
    sides: dict[str, tuple[Side, Side]] = {"stepwell": (lambda: exe(*inputs), lambda: synchronize(gpu))}
    other = by_torch(a, b, gpu)
    if other is not None:
        sides["torch"] = other
    medians = compared(sides, rounds)
    row: Figures = {side: {"seconds": t, "flops": 2 * m * k * n / t} for side, t in medians.items()}
    if other is not None:
        row["torch_over_stepwell"] = medians["torch"] / medians["stepwell"]
    return row


def rendered(row: Figures) -> str:
    if "error" in row:
        return f"ERROR {row['error']}"
    sides = [
        f"{s} {v['seconds'] * 1e6:9.1f} us {v['flops'] / 1e12:6.1f} TFLOP/s" for s, v in row.items() if type(v) is dict
    ]
    ratio = row.get("torch_over_stepwell")
    return "  ".join(sides) + (f"  torch / Stepwell {ratio:.2f}" if ratio else "  (no torch with CUDA)")


# Calls ----------------------------------------------------------------------------------------------------------------


def chain(length: int) -> str:
    """A program of `length` kernels: each sum over all elements is needed before what follows."""
    lines = [
        "func.func @main(%v0: tensor<16xf32>) -> tensor<16xf32> {",
        "%zero = stablehlo.constant dense<0.0> : tensor<f32>",
    ]
    for i in range(length):
        lines += [
            f"%s{i} = stablehlo.reduce(%v{i} init: %zero) applies stablehlo.add across dimensions = [0]",
            "  : (tensor<16xf32>, tensor<f32>) -> tensor<f32>",
            f"%b{i} = stablehlo.broadcast_in_dim %s{i}, dims = [] : (tensor<f32>) -> tensor<16xf32>",
            f"%v{i + 1} = stablehlo.subtract %b{i}, %v{i} : tensor<16xf32>",
        ]
    return "\n".join([*lines, f"func.return %v{length} : tensor<16xf32>", "}"])


def calls(gpu: Device, rounds: int) -> Figures:
    rows: Figures = {}
    x = stepwell.device_put(np.ones(16, np.float32), str(gpu))
    for length in (1, 10):
        exe = stepwell.compile(chain(length), target="cuda")
        launches = len(exe.program.functions[exe.program.entry].body)
        median = compared({"call": (lambda exe=exe: exe(x), lambda: synchronize(gpu))}, rounds)["call"]
        rows[f"{launches} launches"] = {
            "seconds": median,
            "captures": exe.counts.captures,
            "replays": exe.counts.replays,
        }
        print(f"call of {launches:2d} launches {median * 1e6:8.1f} us", flush=True)
    return rows


# Workloads ------------------------------------------------------------------------------------------------------------


def workloads(gpu: Device, rounds: int, match: str = "") -> Figures:
    rows: Figures = {}
    try:
        import jax  # noqa: F401  # pyright: ignore
        import torch  # noqa: F401  # pyright: ignore
    except ImportError as error:
        print(f"workloads: {error.name} is not installed")
        return rows
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import gpu_workloads  # pyright: ignore

    for w in gpu_workloads.build():
        if re.search(match, w.name):
            rows[w.name] = row = one_workload(gpu, w, rounds)
            print(f"{w.name:32s} {shown(row, gpu.properties.bandwidth)}", flush=True)
            gc.collect()
    return rows


def one_workload(gpu: Device, w: Any, rounds: int) -> Figures:
    start = time.perf_counter()
    try:
        exe = stepwell.compile(w.stablehlo(), target="cuda")
        inputs = [stepwell.device_put(x, str(gpu)) for x in w.arrays]
        got = exe(*inputs)
        synchronize(gpu)
    except (stepwell.CompileError, CudaError) as error:
        return {"error": str(error).splitlines()[0]}
    row: Figures = {"compile_seconds": time.perf_counter() - start}
    there = Torch(w, gpu)
    off = there.difference([np.asarray(x) for x in got])
    if not off <= w.tolerance:
        return row | {"error": f"wrong: off by {off:.3g}"}
    sides = {"stepwell": (lambda: exe(*inputs), lambda: synchronize(gpu)), "torch": (there.call, there.wait)}
    medians = compared(sides, rounds)
    row["launches"] = len(exe.program.functions[exe.program.entry].body)
    for side, t in medians.items():
        row[side] = {"seconds": t, "flops": w.flops / t, "bytes_per_second": w.bytes / t}
    row["torch_over_stepwell"] = medians["torch"] / medians["stepwell"]
    return row


class Torch:
    """A workload by torch: on the GPU, in full f32, and in f64 for what is right."""

    def __init__(self, w: Any, gpu: Device):
        import torch

        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        self._torch = torch
        self._function = w.torch
        self._arrays = [self._moved(x).to(f"cuda:{gpu.ordinal}") for x in w.arrays]

    def _moved(self, x: Any) -> Any:
        torch = self._torch
        wide = x.dtype.name != "bfloat16"  # which torch does not take from NumPy
        return torch.from_numpy(x) if wide else torch.from_numpy(x.view(np.int16)).view(torch.bfloat16)

    def call(self) -> Any:
        return self._function(*self._arrays)

    def wait(self) -> None:
        self._torch.cuda.synchronize()

    def difference(self, got: list[np.ndarray[Any, Any]]) -> float:
        """How far results are off from those in f64, of all of a result; the worst result."""
        torch = self._torch
        wide = [a.double() if a.is_floating_point() else a for a in self._arrays]
        results = self._function(*wide)
        worst = 0.0
        for x, want in zip(got, results if isinstance(results, tuple | list) else [results], strict=True):
            have = self._moved(x).to(want.device).double()
            want = want.double()
            off = float(torch.linalg.vector_norm(have - want) / torch.linalg.vector_norm(want).clamp(min=1e-30))
            worst = max(worst, off if off == off else float("inf"))
        return worst


def shown(row: Figures, bandwidth: int) -> str:
    if "error" in row:
        return f"ERROR {row['error']}"
    ours = row["stepwell"]
    rate = f"{ours['flops'] / 1e12:6.1f} TFLOP/s"
    if not ours["flops"]:
        share = f" {ours['bytes_per_second'] / bandwidth:4.0%}" if bandwidth else ""
        rate = f"{ours['bytes_per_second'] / 1e9:5.0f} GB/s{share}"
    times = "  ".join(f"{side} {row[side]['seconds'] * 1e6:9.1f} us" for side in ("stepwell", "torch"))
    compiled = f"{row['launches']:3d} launches, {row['compile_seconds']:.1f} s to compile"
    return f"{times}  {rate:16s} torch / Stepwell {row['torch_over_stepwell']:.2f}  ({compiled})"


# Programs -------------------------------------------------------------------------------------------------------------


def check(case: dict[str, Any]) -> str | None:
    """Why a program's results are not those expected, or None."""
    try:
        exe = stepwell.compile(DATA / case["mlir"], target="cuda")
        results = exe(*load_arrays(DATA / case["inputs"]))
        for got, want, rule in zip(results, load_arrays(DATA / case["expected"]), case["checks"], strict=True):
            tolerance = Tolerance() if rule["kind"] == "eq" else Tolerance(rule["rtol"], rule["atol"])
            difference = first_difference(np.asarray(got), want, tolerance)
            if difference is not None:
                return str(difference)
    except stepwell.CompileError as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return None


def programs(gpu: Device, rounds: int) -> Figures:
    cases = [json.loads(line) for line in (DATA / "cases.jsonl").read_text().splitlines()]
    failures = {case["name"]: why for case in cases if (why := check(case)) is not None}
    for name, why in failures.items():
        print(f"programs {name}: {why}", flush=True)
    print(f"programs {len(cases) - len(failures)}/{len(cases)}", flush=True)
    return {"passed": len(cases) - len(failures), "of": len(cases), "failures": failures}


PARTS: dict[str, Callable[[Device, int], Figures]] = {
    "copy": copy,
    "gemm": gemm,
    "launch": calls,
    "workloads": workloads,
    "programs": programs,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", default=",".join(PARTS), metavar="PARTS", help="parts to measure, with commas between"
    )
    parser.add_argument("--match", default="", metavar="RE", help="the workloads to measure")
    parser.add_argument("--rounds", type=int, default=7, help="rounds that medians are taken over (default: 7)")
    parser.add_argument("--json", metavar="FILE", help="write the figures, with date, command and device")
    options = parser.parse_args(arguments)
    chosen = options.only.split(",")
    if unknown := [part for part in chosen if part not in PARTS]:
        parser.error(f"no part '{unknown[0]}'; the parts are {', '.join(PARTS)}")
    try:
        gpu = device()
        properties = gpu.properties
    except (NoDriverError, CudaError) as error:
        print(f"nothing to measure: {str(error).splitlines()[0]}")
        return 0
    print(f"{properties.name} ({properties.cpu}), {driver_status()}", flush=True)
    PARTS["workloads"] = lambda gpu, rounds: workloads(gpu, rounds, options.match)
    results = {part: PARTS[part](gpu, options.rounds) for part in chosen}
    if options.json:
        record = {
            "date": datetime.date.today().isoformat(),
            "command": " ".join(["python", "benchmarks/gpu.py", *(sys.argv[1:] if arguments is None else arguments)]),
            "device": {"name": properties.name, "cpu": properties.cpu, "driver": driver_status()},
            "results": results,
        }
        Path(options.json).write_text(json.dumps(record, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
