"""Kernels of shuffles, and what the dialect says they give: for whatever runs one, a simulator or the text of a target."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

MODES = ("xor", "up", "down", "idx")
LOWEST, HIGHEST = -(1 << 31), (1 << 31) - 1

Case = tuple[int, int]
"""An offset and the width of a segment."""
Run = Callable[[Sequence[np.ndarray]], None]
"""Runs a kernel with its arguments."""


def shuffled(x: np.ndarray, lanes: int, mode: str, offset: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Each thread's result, and whether the lane it reads is one of its segment: a loop over threads, in integers without bounds."""
    out, valid = x.copy(), np.zeros(len(x), np.bool_)
    for thread in range(len(x)):
        lane = thread % lanes
        first = lane - lane % width
        source = {"xor": lane ^ offset, "up": lane - offset, "down": lane + offset, "idx": first + offset}[mode]
        valid[thread] = first <= source < first + width
        if valid[thread]:
            out[thread] = x[thread - lane + source]
    return out, valid


def cases(lanes: int, widths: Sequence[int]) -> list[Case]:
    """The offsets at the edges of segments of these widths, to both sides, and those that wrap around in 32 bits or five."""
    edges = [(offset, w) for w in widths for offset in (0, 1, w // 2, w - 1, w)]
    far = [(8, 31), (8, 33), (lanes, 32), (lanes, LOWEST), (lanes, LOWEST + 1), (8, HIGHEST)]
    return sorted({(sign * offset, w) for offset, w in edges for sign in (1, -1)} | {(offset, w) for w, offset in far})


def shuffle_kernel(mode: str, given: Sequence[Case], lanes: int, *, known: bool) -> str:
    """A module of one kernel of several shuffles, whose offsets and widths are constants or read from memory."""
    rows = len(given)
    body = [f"%a = memref.load %x[%t] : memref<{lanes}xi32>"]
    for i, numbers in enumerate(given):
        constants = [f"arith.constant {n} : i32" for n in numbers]
        loaded = [f"memref.load %{name}[%c{i}] : memref<{rows}xi32>" for name in ("offsets", "widths")]
        offset, width = constants if known else loaded
        body += [
            f"%c{i} = arith.constant {i} : index",
            f"%offset{i} = {offset}",
            f"%width{i} = {width}",
            f"%r{i}, %v{i} = gpu.shuffle {mode} %a, %offset{i}, %width{i} : i32",
            f"memref.store %r{i}, %o[%c{i}, %t] : memref<{rows}x{lanes}xi32>",
            f"memref.store %v{i}, %valid[%c{i}, %t] : memref<{rows}x{lanes}xi1>",
        ]
    inputs = f"%x: memref<{lanes}xi32>, %offsets: memref<{rows}xi32>, %widths: memref<{rows}xi32>"
    outputs = f"%o: memref<{rows}x{lanes}xi32>, %valid: memref<{rows}x{lanes}xi1>"
    lines = "\n        ".join(body)
    return f"""
    gpu.module @m {{
      gpu.func @phase0({inputs}, {outputs}) kernel attributes {{known_block_size = array<i32: {lanes}, 1, 1>}} {{
        %t = gpu.thread_id x
        {lines}
        gpu.return
      }}
    }}"""


def check_shuffles(run: Run, mode: str, given: Sequence[Case], lanes: int) -> None:
    """Run a `shuffle_kernel`, and compare values and what it says of them."""
    x = np.random.default_rng(3).permutation(1000)[:lanes].astype(np.int32)
    out, flags = np.zeros((len(given), lanes), np.int32), np.zeros((len(given), lanes), np.bool_)
    offsets, widths = (np.array(column, np.int32) for column in zip(*given, strict=True))
    run([x, offsets, widths, out, flags])
    for row, (offset, width) in enumerate(given):
        expected, valid = shuffled(x, lanes, mode, offset, width)
        np.testing.assert_array_equal(out[row], expected, f"{mode} {offset}, {width}")
        np.testing.assert_array_equal(flags[row], valid, f"{mode} {offset}, {width}")
