"""What one product owes to each part of its schedule, and what the tuner finds: `--ladder` and `--tune` of matmul.py."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import stepwell

LADDER = [(n, n, n) for n in (64, 128, 256, 512, 1024)]
TUNED = [(512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048), (512, 1024, 512), (1024, 2048, 1024)]
"""(M, K, N): squares, and A of 512x1024 and 1024x2048 with a square result."""
PATIENCE_SECONDS = 0.7
"""A rung that is slower at half the size than an eighth of this is left out: it would take all the time."""

Call = Callable[[], Any]
Maker = Callable[[np.ndarray, np.ndarray], Call]


def product_text(m: int, k: int, n: int, kind: str) -> str:
    """A product of this shape as a program."""
    x, y, z = f"tensor<{m}x{k}x{kind}>", f"tensor<{k}x{n}x{kind}>", f"tensor<{m}x{n}x{'i32' if kind == 'i8' else kind}>"
    return f"""func.func @main(%a: {x}, %b: {y}) -> {z} {{
      %r = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : ({x}, {y}) -> {z}
      func.return %r : {z}
    }}"""


def chosen(text: str) -> tuple[str, dict[str, int]]:
    """The name of the kernel of a product, and the numbers of the schedule it has."""
    (kernel,) = stepwell.explain(text).kernels
    return kernel.name, {name: int(value) for name, value in re.findall(r"(\w+) = (\d+)", kernel.schedule)}


def steps(numbers: Mapping[str, int], size: tuple[int, int, int], width: int) -> dict[str, dict[str, int] | None]:
    """The rungs, each with what the one before lacks; None: the schedule that is chosen.

    The first two are loops in the order of the product's dims; all but the last are done by one thread.
    """
    m, k, n = size
    lanes, vector = numbers["vector"] // width, numbers["vector"]
    tile = {"mr": min(numbers["mr"], m), "nr": numbers["nr"], "k_unroll": numbers["k_unroll"]}
    whole = {"kc": k, "block": -(-n // numbers["nr"]), "tasks": 1, "vector": vector}
    packed = {**whole, **tile, "pack_a": 1, "pack_b": 1}
    return {
        "1 naive": {"vector": 0, "tasks": 1},
        "2 vector": {"vector": vector, "unroll": 1, "tasks": 1},
        "3 row in registers": {**whole, "mr": 1, "nr": 2 * lanes, "k_unroll": 1, "pack_a": 0, "pack_b": 0},
        "4 tile in registers": {**whole, **tile, "pack_a": 0, "pack_b": 0},
        "5 packed": packed,
        "6 runs of terms (kc)": {**packed, "kc": numbers["kc"]},
        "7 blocks of panels": {**packed, "kc": numbers["kc"], "block": numbers["block"]},
        "8 as chosen, one thread": {**numbers, "tasks": 1},
        "stepwell": None,
    }


def rungs(size: tuple[int, int, int], kind: str, slow: dict[str, float]) -> dict[str, Maker]:
    """What makes a call of each rung; those that were too slow at the size before are left out."""
    text = product_text(*size, kind)
    kernel, numbers = chosen(text)
    if "mr" not in numbers:
        raise SystemExit(f"{size}: too small a product for tiles, so it has no ladder")
    width = {"f64": 8}.get(kind, 4)
    made: dict[str, Maker] = {}
    for rung, parameters in steps(numbers, size, width).items():
        if slow.get(rung, 0.0) * 8 > PATIENCE_SECONDS:
            continue
        schedules = None
        if parameters is not None:
            strategy = "contraction" if "mr" in parameters else "loops"
            schedules = {kernel: stepwell.schedule(strategy, **parameters)}
        exe = stepwell.compile(text, schedules=schedules)
        made[rung] = lambda a, b, exe=exe: lambda: exe(a, b)
    return made


def tuned(size: tuple[int, int, int], kind: str, seconds: float) -> tuple[dict[str, Maker], str]:
    """Products with the schedule that is chosen and, where so many seconds find a better one, with that; and the best schedule."""
    text = product_text(*size, kind)
    found = stepwell.tune(text, budget=seconds)
    made: dict[str, Maker] = {}
    schedule = f"{stepwell.explain(text).kernels[0].schedule}, as chosen: nothing better in {seconds:g} s"
    before = stepwell.compile(text)
    made["stepwell"] = lambda a, b: lambda: before(a, b)
    if found.records:
        with tempfile.TemporaryDirectory() as folder:
            after = stepwell.compile(text, schedules=found.keep(Path(folder) / "records.jsonl"))
        schedule = found.records[0].schedule
        made["stepwell tuned"] = lambda a, b: lambda: after(a, b)
    return made, re.sub(r', reason = "[^"]*"| : i64', "", schedule)


def own_cache() -> None:
    """Records and programs of a benchmark go to a folder of its own: it neither finds others' nor leaves any."""
    folder = tempfile.TemporaryDirectory(prefix="stepwell-matmul-")
    os.environ["STEPWELL_CACHE_DIR"] = folder.name
    _KEPT.append(folder)


_KEPT: list[Any] = []
