"""Results that go past the caches: right wherever they lie, and there before whoever waited for them goes on."""

from __future__ import annotations

import re

import numpy as np
import pytest

import stepwell
from stepwell.backends.llvm_ir import write_llvm
from stepwell.backends.object import emit_asm
from stepwell.backends.target import target_for
from stepwell.source import parse

LINE = 64
FENCE = re.compile(r"\b(mfence|lock)\b")
"""What waits for stores that were combined: a fence, or an instruction that locks."""


def transpose(shape: tuple[int, ...], order: tuple[int, ...], dtype: str) -> str:
    """A program that transposes."""
    given = "x".join(map(str, shape))
    made = "x".join(str(shape[d]) for d in order)
    dims = ", ".join(map(str, order))
    return f"""func.func @main(%x: tensor<{given}x{dtype}>) -> tensor<{made}x{dtype}> {{
      %r = stablehlo.transpose %x, dims = [{dims}] : (tensor<{given}x{dtype}>) -> tensor<{made}x{dtype}>
      func.return %r : tensor<{made}x{dtype}>
    }}"""


def scheduled(program: str, level: str, **numbers: int) -> stepwell.Executable:
    """It, compiled with a schedule that sends what it writes past the caches."""
    vector = {"avx512": 64, "avx2": 32, "sse4.2": 16}[level]
    schedule = stepwell.schedule("loops", vector=vector, bypass=1, grain=1, tasks=4, **numbers)
    return stepwell.compile(program, simd=level, schedules={"k_map_0": schedule}, cache=False)


TYPES = {"i8": np.int8, "i16": np.int16, "f32": np.float32, "f64": np.float64, "complex<f64>": np.complex128}


CASES = [
    ("avx512", "i8"), ("avx512", "i16"), ("avx512", "f32"), ("avx512", "complex<f64>"),
    ("avx2", "f64"), ("sse4.2", "i8"), ("sse4.2", "f32"),
]  # fmt: skip


@pytest.mark.parametrize(("level", "dtype"), CASES)
def test_results_are_the_same_bytes(level, dtype):
    """In whole lines and beside them, from where the input is and from copies; results on a line and off it."""
    kind = np.dtype(TYPES[dtype])
    line = max(4, LINE // kind.itemsize)
    rng = np.random.default_rng(1)
    for (rows, columns), stage in [((2 * line, line + 3), 0), ((2 * line, line - 1), LINE)]:
        x = rng.integers(0, 256, (rows, columns * kind.itemsize), np.uint8).view(kind)
        exe = scheduled(transpose(x.shape, (1, 0), dtype), level, stage=stage, run=LINE)
        for start in (0, kind.itemsize, LINE - kind.itemsize):
            store = np.zeros(x.nbytes + 2 * LINE, np.uint8)
            begin = -store.ctypes.data % LINE + start
            out = store[begin : begin + x.nbytes].view(kind).reshape(columns, rows)
            exe(x, out=[out])
            assert out.tobytes() == x.T.tobytes()
            assert not store[:begin].any()
            assert not store[begin + x.nbytes :].any()


@pytest.mark.parametrize("level", ["avx512", "avx2", "sse4.2"])
def test_whole_lines_are_stored_past_the_caches_and_seen_when_a_task_ends(level):
    exe = scheduled(transpose((64, 64), (1, 0), "f32"), level)
    asm = exe.asm()
    stores = re.findall(r"\bv?movnt(?:ps|dq)\b.*", asm)
    assert len(stores) >= 16 * LINE // {"avx512": 64, "avx2": 32, "sse4.2": 16}[level] // 4
    assert FENCE.search(asm[asm.rindex(stores[-1]) :])


def test_lines_that_lie_across_two_are_stored_through_the_caches():
    asm = scheduled(transpose((60, 64), (1, 0), "f32"), "avx512").asm()
    assert "movnt" not in asm
    assert not FENCE.search(asm)


SCALAR = """
kernel.func @k(%x: memref<8xf32>, %y: memref<8xf32>) attributes {{access = ["read", "write"]}} {{
  %c2 = arith.constant 2 : index
  %v = memref.load %x[%c2]{load} : memref<8xf32>
  memref.store %v, %y[%c2]{store} : memref<8xf32>
  kernel.return
}}
"""


@pytest.mark.parametrize(("load", "store"), [("", ""), (" {nontemporal = true}", ""), ("", " {nontemporal = true}")])
def test_only_what_stores_past_the_caches_waits_for_its_stores(load, store):
    target = target_for("avx2", generic=True)
    text = write_llvm(parse(SCALAR.format(load=load, store=store)), target)[-1].text
    assert ("fence seq_cst" in text) == bool(store)
    assert ("nosync" in text) == (not load and not store)
    assert bool(FENCE.search(emit_asm(text, target))) == bool(store)
