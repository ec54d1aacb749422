"""Time matrix products beside NumPy, and torch where it is installed:
       matmul.py [--suite S]... [--type T] [--size N]... [--simd L]... [--csv F] [--json F] [--plot F]
       matmul.py --ladder [--csv F] [--plot F] | --tune SECONDS

Suites: square (32 to 2048), rectangular, small (2 to 32: what a call costs), edge (one row, one term, primes). Types: f32, f64, bf16
(into bf16, as torch.mm) and i8 (into i32, as torch._int_mm); NumPy, which has no quick form of the last two, is timed on f32 for
them. Inputs are normal (whole numbers for i8) with seed 42; three calls warm up, then everyone has turns of 5 ms of calls,
`--iterations` of them (10; `small` 100, `edge` 50); a figure is the median of the turns, `std` their deviation. A row is correct when
the largest difference from the product in f64 is below the type's tolerance times the largest element (f32: 1e-4). `--simd` times
the code of lower levels too (scalar, sse4.2, avx2, avx512), so that what vectors bring can be seen. The suite `levels`, which is run
only when it is named, is about that alone: squares of 100, 500 and 1000 in f64 and f32 (or the `--type`), by every level that this
machine has, and a table of how many times as fast as scalar code each is.

`--ladder` times squares under a ladder of schedules instead, each with one thing more than the one before: loops, vectors, a row of
sums in registers, a tile of them, packed operands, runs of terms (`kc`), blocks of panels, two threads (what is chosen). `--tune` asks
the tuner for the best schedule of each of five sizes, so many seconds each, and reports it beside the one that is chosen.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

SUITES: dict[str, tuple[list[tuple[int, int, int]], int]] = {
    "square": ([(n, n, n) for n in (32, 64, 128, 256, 512, 1024, 2048)], 10),
    "rectangular": ([(1024, 512, 256), (2048, 1024, 512), (512, 2048, 1024), (4096, 256, 1024)], 10),
    "small": ([(n, n, n) for n in (2, 4, 8, 16, 32)], 100),
    "edge": ([(1, 1, 1), (1, 1000, 1), (1000, 1, 1000), (17, 31, 63)], 50),
    "levels": ([(n, n, n) for n in (100, 500, 1000)], 3),
}
LEVELS = "levels"
"""The suite that is run only when it is named: scalar code takes its time."""
WARM_UP = 3
WARM_UP_SECONDS = 0.5
"""No more calls warm up after so long."""
PAUSE_SECONDS = 0.002
TURN_SECONDS = 0.005
TOLERANCES = {"f32": 1e-4, "f64": 1e-12, "bf16": 1e-2, "i8": 0.0}


@dataclass(frozen=True)
class Row:
    """One product by one implementation: times in ms, the largest difference from the product in f64."""

    suite: str
    type: str
    m: int
    n: int
    k: int
    who: str
    time_ms: float
    std_ms: float
    gflops: float
    speedup: float
    max_difference: float
    relative_error: float
    correct: bool


def implementations(kind: str, levels: list[str]) -> dict[str, Callable[[Any, Any], Callable[[], Any]]]:
    """By name: what makes a call of two arrays."""
    found: dict[str, Callable[[Any, Any], Callable[[], Any]]] = {"numpy": numpy_product}
    if importlib.util.find_spec("torch") is None:
        print("torch is not installed: its column is left out", file=sys.stderr)
    else:
        found["torch"] = torch_product
    found["stepwell"] = lambda a, b: stepwell_product(a, b, kind, None)
    for level in levels:
        found[f"stepwell {level}"] = lambda a, b, level=level: stepwell_product(a, b, kind, level)
    return found


def numpy_product(a: np.ndarray, b: np.ndarray) -> Callable[[], Any]:
    x, y = (v if v.dtype.name in ("float32", "float64") else v.astype(np.float32) for v in (a, b))
    return lambda: x @ y


def torch_product(a: np.ndarray, b: np.ndarray) -> Callable[[], Any]:
    import torch
    from peers import tensor

    x, y = tensor(a), tensor(b)
    return (lambda: torch._int_mm(x, y)) if a.dtype == np.int8 else (lambda: torch.mm(x, y))


def stepwell_product(a: np.ndarray, b: np.ndarray, kind: str, level: str | None) -> Callable[[], Any]:
    from matmul_schedules import product_text

    import stepwell

    (m, k), n = a.shape, b.shape[1]
    exe = stepwell.compile(product_text(m, k, n, kind), **({"simd": level} if level else {}))
    return lambda: exe(a, b)


def operands(m: int, k: int, n: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(42)
    if kind == "i8":
        return rng.integers(-128, 128, (m, k), dtype=np.int8), rng.integers(-128, 128, (k, n), dtype=np.int8)
    a, b = rng.standard_normal((m, k), dtype=np.float32), rng.standard_normal((k, n), dtype=np.float32)
    if kind == "bf16":
        import ml_dtypes

        return a.astype(ml_dtypes.bfloat16), b.astype(ml_dtypes.bfloat16)
    return (a, b) if kind == "f32" else (a.astype(np.float64), b.astype(np.float64))


def one(result: Any) -> np.ndarray:
    """The only array of a result, in f64."""
    from peers import plain

    return plain(result[0] if isinstance(result, (tuple, list)) else result).astype(np.float64)


def warmed_up(call: Callable[[], Any]) -> Any:
    """What a call gives, after a few."""
    start = time.perf_counter()
    result = call()
    for _ in range(WARM_UP - 1):
        if time.perf_counter() - start > WARM_UP_SECONDS:
            break
        result = call()
    return result


def turn(call: Callable[[], Any]) -> float:
    """Seconds of a call: a pause in which others' workers go to sleep, one call to wake ours, then the mean of some milliseconds."""
    time.sleep(PAUSE_SECONDS)
    call()
    start, calls = time.perf_counter(), 0
    while (taken := time.perf_counter() - start) < TURN_SECONDS:
        call()
        calls += 1
    return taken / calls


def measure(
    suite: str, size: tuple[int, int, int], iterations: int, kind: str, makers: Mapping[str, Callable[[Any, Any], Any]]
) -> Iterator[Row]:
    """Time one product by everyone, in turn."""
    m, k, n = size
    a, b = operands(m, k, n, kind)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    calls = {who: make(a, b) for who, make in makers.items()}
    results = {who: one(warmed_up(call)) for who, call in calls.items()}
    times: dict[str, list[float]] = {who: [] for who in calls}
    for _ in range(iterations):
        for who, call in calls.items():
            times[who].append(1e3 * turn(call))
    base = statistics.median(times["numpy"])
    for who, taken in times.items():
        middle, difference = statistics.median(taken), float(np.abs(results[who] - exact).max())
        relative = difference / (float(np.abs(exact).max()) + 1e-8)
        right = relative <= TOLERANCES["f32" if who == "numpy" else kind]
        rate = 2e-6 * m * n * k / middle
        spread = statistics.pstdev(taken)
        yield Row(suite, kind, m, n, k, who, middle, spread, rate, base / middle, difference, relative, right)


def ladder(kind: str, iterations: int, sizes: Sequence[int] | None) -> list[Row]:
    """Squares under every rung, beside NumPy and torch."""
    import matmul_schedules as schedules

    rows: list[Row] = []
    slow: dict[str, float] = {}
    for size in schedules.LADDER if sizes is None else [(n, n, n) for n in sizes]:
        peers = {who: make for who, make in implementations(kind, []).items() if who != "stepwell"}
        found = list(measure("ladder", size, iterations, kind, peers | schedules.rungs(size, kind, slow)))
        # What is left out stays so.
        slow = {**dict.fromkeys(slow, float("inf")), **{r.who: r.time_ms / 1e3 for r in found}}
        rows += found
    return rows


def tune(kind: str, iterations: int, seconds: float) -> list[Row]:
    """Sizes with the schedule that is chosen and the best that the tuner finds, which is printed."""
    import matmul_schedules as schedules

    schedules.own_cache()
    rows: list[Row] = []
    for size in schedules.TUNED:
        ours, schedule = schedules.tuned(size, kind, seconds)
        peers = {who: make for who, make in implementations(kind, []).items() if who != "stepwell"}
        rows += measure("tune", size, iterations, kind, peers | ours)
        print(f"{'x'.join(map(str, size))}: {schedule}", flush=True)
    return rows


def run_suite(suite: str, options: argparse.Namespace) -> list[Row]:
    """Every product of a suite; `levels` by every level of this machine."""
    sizes, iterations = SUITES[suite]
    kinds, levels = [options.type or "f32"], options.simd
    if suite == LEVELS:
        from stepwell.backends.target import LEVELS as NAMES
        from stepwell.backends.target import host_level

        kinds = [options.type] if options.type else ["f64", "f32"]
        levels = NAMES[: NAMES.index(host_level()) + 1]
    rows: list[Row] = []
    for kind in kinds:
        for size in sizes:
            if options.size is None or (size[0] in options.size and len({*size}) == 1):
                makers = implementations(kind, list(levels))
                rows += measure(suite, size, options.iterations or iterations, kind, makers)
    return rows


def table(rows: list[Row]) -> str:
    """All rows in Markdown."""
    lines = [
        "| suite | type | M | N | K | who | ms | std | GFLOP/s | NumPy / it | error |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        mark = "" if r.correct else " WRONG"
        lines.append(
            f"| {r.suite} | {r.type} | {r.m} | {r.n} | {r.k} | {r.who} | {r.time_ms:.4f} | {r.std_ms:.4f} | {r.gflops:.1f} "
            f"| {r.speedup:.2f} | {r.relative_error:.1e}{mark} |"
        )
    return "\n".join(lines)


def levels_table(rows: list[Row]) -> str:
    """GFLOP/s of each level, and how many times as fast as scalar code that is, in Markdown."""
    levels = list(dict.fromkeys(r.who for r in rows if r.who.startswith("stepwell ")))
    lines = [
        f"| type | size | {' | '.join(['NumPy', *levels])} |",
        "|---" * (len(levels) + 3) + "|",
    ]
    for kind, m in dict.fromkeys((r.type, r.m) for r in rows):
        found = {r.who: r for r in rows if (r.type, r.m) == (kind, m)}
        scalar = found["stepwell scalar"].time_ms
        cells = [f"{found[who].gflops:.1f} ({scalar / found[who].time_ms:.1f}x)" for who in ("numpy", *levels)]
        lines.append(f"| {kind} | {m} | {' | '.join(cells)} |")
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """What was measured on, for a file of results."""
    import platform
    from datetime import UTC, datetime

    from stepwell.backends.target import host_target

    target = host_target()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["matmul.py", *sys.argv[1:]]),
        "cpu": target.cpu,
        "level": target.level,
        "cores": target.cores,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def summary(rows: list[Row]) -> str:
    """Mean, best and worst speed-up over NumPy, the highest rates, and the worst error."""
    ours, theirs = [r for r in rows if r.who == "stepwell"], [r for r in rows if r.who == "numpy"]
    best, worst = max(ours, key=lambda r: r.speedup), min(ours, key=lambda r: r.speedup)
    geometric = statistics.geometric_mean(r.speedup for r in ours)
    right = all(r.correct for r in rows)
    return (
        f"\nNumPy / Stepwell: geometric mean {geometric:.2f}, best {best.speedup:.2f} at {best.m}x{best.k}x{best.n}, "
        f"worst {worst.speedup:.2f} at {worst.m}x{worst.k}x{worst.n}; highest rate {max(r.gflops for r in ours):.0f} GFLOP/s "
        f"(NumPy {max(r.gflops for r in theirs):.0f}); {'all correct' if right else 'SOME ARE WRONG'}, "
        f"largest relative error {max(r.relative_error for r in ours):.1e}"
    )


def plot(rows: list[Row], path: Path) -> None:
    """Rate, speed-up, time and error against the size of squares from 32 on, as one picture of four."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    squares = [r for r in rows if r.m == r.n == r.k and r.m >= 32 and r.suite in ("square", "ladder", "tune")]
    figure, axes = pyplot.subplots(2, 2, figsize=(12, 9))
    panels = [
        ("gflops", "GFLOP/s", None),
        ("speedup", "NumPy / it", 1.0),
        ("time_ms", "ms", None),
        ("relative_error", "relative error", TOLERANCES["f32"]),
    ]
    for axis, (name, label, line) in zip(axes.flat, panels, strict=True):
        for who in dict.fromkeys(r.who for r in squares):
            mine = [r for r in squares if r.who == who]
            axis.plot([r.m for r in mine], [getattr(r, name) for r in mine], marker="o", label=who)
        axis.set_xscale("log", base=2)
        axis.set_yscale("log" if name in ("time_ms", "relative_error") else "linear")
        axis.set_xlabel("size")
        axis.set_ylabel(label)
        if line is not None:
            axis.axhline(line, linestyle="--", color="grey")
        axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=300)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--suite", action="append", choices=list(SUITES), help="may be repeated (default: all but `levels`)"
    )
    parser.add_argument("--type", choices=list(TOLERANCES), help="of the elements (default: f32)")
    parser.add_argument("--size", type=int, action="append", help="only squares of this size; may be repeated")
    parser.add_argument(
        "--simd", action="append", default=[], metavar="LEVEL", help="time that level's code too; may be repeated"
    )
    parser.add_argument("--ladder", action="store_true", help="one product under a ladder of schedules")
    parser.add_argument("--tune", type=float, metavar="SECONDS", help="tune five sizes for so long each")
    parser.add_argument("--iterations", type=int, help="turns of everyone (default: by the suite)")
    parser.add_argument("--csv", type=Path, help="write the rows there")
    parser.add_argument("--json", type=Path, help="write the rows there, with date and machine")
    parser.add_argument("--plot", type=Path, help="write a picture there (PNG; needs matplotlib: the extra `bench`)")
    options = parser.parse_args()
    by_schedule = "--ladder" if options.ladder else "--tune" if options.tune else ""
    if by_schedule and (options.suite or options.simd or (options.size and options.tune)):
        parser.error(f"{by_schedule} has sizes and code of its own: leave --suite, --simd and (with --tune) --size out")
    rows: list[Row] = []
    if options.ladder:
        rows += ladder(options.type or "f32", options.iterations or 5, options.size)
    if options.tune:
        rows += tune(options.type or "f32", options.iterations or 10, options.tune)
    for suite in [] if rows else options.suite or [name for name in SUITES if name != LEVELS]:
        rows += run_suite(suite, options)
    print(table(rows))
    print(summary(rows))
    by_level = [r for r in rows if r.suite == LEVELS]
    if by_level:
        print(f"\nGFLOP/s, and how many times as fast as scalar code:\n{levels_table(by_level)}")
    if options.json:
        options.json.write_text(json.dumps({**machine(), "rows": [asdict(r) for r in rows]}, indent=1) + "\n")
    if options.csv:
        with options.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, [f.name for f in fields(Row)])
            writer.writeheader()
            writer.writerows(asdict(r) for r in rows)
    if options.plot:
        plot(rows, options.plot)
    return 0 if all(r.correct for r in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
