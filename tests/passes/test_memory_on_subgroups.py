"""How kernels of subgroups ask for memory: 16 bytes a lane, several on the way, tasks for the whole machine, nothing spilled."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

import stepwell
import stepwell.numpy as snp
from stepwell.native import emit

TARGET = "cuda:sm_90"
CORES = 132


def layer_norm(x):
    mean = x.mean(-1, keepdims=True)
    return (x - mean) / snp.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + 1e-5)


def traced(f, *shapes: tuple[int, ...]) -> str:
    return stepwell.jit(f).lower(*[np.broadcast_to(np.float32(0), s) for s in shapes]).ir("tensor")


def text_of(text: str, what: str) -> str:
    found = emit(text, what, target=TARGET)
    assert isinstance(found, str)
    return found


def accesses(text: str) -> list[Counter[str]]:
    """What each phase does to memory, in PTX."""
    phases = text_of(text, "ptx").split(".entry ")[1:]
    return [Counter(re.findall(r"\b((?:ld|st)\.(?:global|local|shared)[.\w]*)", p.replace(".nc", ""))) for p in phases]


def grids(text: str) -> list[int]:
    found = re.findall(r"known_grid_size = array<i32: (\d+)", text_of(text, "device"))
    return [int(n) for n in found]


WIDE = {
    "a map of 1e8": (lambda x: x * 2.0 + 1.0, [(10**8,)]),
    "a map of 1e8 + 1": (lambda x: x * 2.0 + 1.0, [(10**8 + 1,)]),
    "a map with a row repeated": (lambda x, b: snp.maximum(x + b, 0.0), [(4096, 1024), (1024,)]),
    "a sum of 1e6": (lambda x: x.sum(), [(10**6,)]),
    "a sum of 1e8": (lambda x: x.sum(), [(10**8,)]),
    "a maximum of 1e7": (lambda x: x.max(), [(10**7,)]),
    "sums of columns": (lambda x: x.sum(0), [(4096, 1024)]),
    "sums of rows": (lambda x: x.sum(1), [(4096, 1024)]),
    "sums of few long rows": (lambda x: x.sum(1), [(10, 10**6)]),
    "sums of a dim in the middle": (lambda x: x.sum(1), [(64, 512, 300)]),
    "softmax": (lambda x: snp.softmax(x), [(4096, 1024)]),
    "layer norm": (layer_norm, [(4096, 1024)]),
    "softmax of a vocabulary": (lambda x: snp.softmax(x), [(256, 50304)]),
}


@pytest.mark.parametrize("name", WIDE)
def test_lanes_read_sixteen_bytes_and_every_core_has_work(name):
    f, shapes = WIDE[name]
    text = traced(f, *shapes)
    first = accesses(text)[0]
    assert first["ld.global.v4.b32"] >= 2, first
    assert not [op for op in first if "local" in op]
    assert grids(text)[0] >= CORES


@pytest.mark.parametrize("name", [n for n in WIDE if n.startswith(("a sum", "a max", "sums of"))])
def test_loops_of_reductions_have_several_reads_on_the_way(name):
    f, shapes = WIDE[name]
    text = traced(f, *shapes)
    assert accesses(text)[0]["ld.global.v4.b32"] >= 4
    assert "unroll = " in text_of(text, "scheduled")


@pytest.mark.parametrize("shape", [(10**6,), (10**8,), (4096, 4096)])
def test_one_number_of_many_takes_two_stages(shape):
    assert len(grids(traced(lambda x: x.max(), shape))) == 2


def test_transposes_go_through_padded_tiles_row_by_row():
    text = traced(lambda x: x.T, (4096, 4096))
    (found,) = accesses(text)
    assert sorted(found) == ["ld.global.b32", "ld.shared.b32", "st.global.b32", "st.shared.b32"]
    assert min(found.values()) == 4
    assert "memref<32x33xf32" in text_of(text, "device")
    assert grids(text) == [128 * 128]


def test_heads_are_moved_in_whole_rows_of_a_subgroup():
    (found,) = accesses(traced(lambda x: x.transpose(0, 2, 1, 3), (2, 1024, 12, 64)))
    assert sorted(found) == ["ld.global.v2.b32", "st.global.v2.b32"]


@pytest.mark.parametrize("size", [10_000, 10_001, 100_000])
def test_values_with_several_reads_on_the_way(size):
    x = np.random.default_rng(size).normal(size=size).astype(np.float32)
    exe = stepwell.compile(traced(lambda x: (x * 2.0 + 1.0, x.sum(), x.max()), (size,)), target="gpu-sim")
    mapped, total, most = exe(x)
    np.testing.assert_array_equal(mapped, x * 2 + 1)
    np.testing.assert_allclose(total, x.astype(np.float64).sum(), rtol=1e-3, atol=1e-2)
    assert most == x.max()


def test_values_of_columns_with_several_reads_on_the_way():
    x = np.random.default_rng(2).normal(size=(531, 260)).astype(np.float32)
    (got,) = stepwell.compile(traced(lambda x: x.sum(0), x.shape), target="gpu-sim")(x)
    np.testing.assert_allclose(got, x.astype(np.float64).sum(0), rtol=1e-4, atol=1e-4)
