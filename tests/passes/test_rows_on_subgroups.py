"""Rows on a machine whose blocks can do a row together: how many kernels, by which schedule; a core's limits are not its own."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell
import stepwell.numpy as snp
from stepwell.backends.target import target_for
from stepwell.compiler import lower
from stepwell.dialects.kernel import FuncOp
from stepwell.native import emit


def softmax(x):
    return snp.softmax(x)


def log_softmax(x):
    top = x - x.max(-1, keepdims=True)
    return top - snp.log(snp.exp(top).sum(-1, keepdims=True))


def layer_norm(x):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / snp.sqrt(variance + 1e-5)


def reference(f, x):
    wide = x.astype(np.float64)
    top = wide - wide.max(-1, keepdims=True)
    if f is layer_norm:
        return (wide - wide.mean(-1, keepdims=True)) / np.sqrt(wide.var(-1, keepdims=True) + 1e-5)
    total = np.exp(top).sum(-1, keepdims=True)
    return np.exp(top) / total if f is softmax else top - np.log(total)


FUNCTIONS = [softmax, log_softmax, layer_norm]


def traced(f, *shape: int, dtype=np.float32) -> str:
    return stepwell.jit(f).lower(np.zeros(shape, dtype)).ir("tensor")


def kernels(text: str, target: str = "cuda:sm_90") -> list[str]:
    """The strategy of each kernel."""
    scheduled = emit(text, "scheduled", target=target)
    assert isinstance(scheduled, str)
    module = stepwell.parse(scheduled)
    return [op.schedule.strategy.data for op in module.body.block.ops if isinstance(op, FuncOp)]


def on_cores(text: str) -> int:
    module = stepwell.parse(text)
    module.attributes.pop("stepwell.target", None)  # of the machine that traced it
    lower(module, "kernels", target=target_for("avx2", generic=True))
    return sum(isinstance(op, FuncOp) for op in module.body.block.ops)


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("shape", [(6, 3000), (16, 3000), (2, 5, 3000), (64, 50257), (4096, 128256)])
@pytest.mark.every(2)
def test_long_rows_are_one_kernel_of_blocks(f, shape):
    assert kernels(traced(f, *shape)) == ["block-rows"]


@pytest.mark.parametrize("f", FUNCTIONS)
def test_rows_that_fit_registers_and_are_many_are_those_of_subgroups(f):
    assert kernels(traced(f, 4096, 1024)) == ["rows"]


def test_what_cores_do_not_share_out_stays_apart_for_them():
    assert on_cores(traced(softmax, 6, 3000)) > 1
    assert on_cores(traced(softmax, 64, 128256)) > 1
    assert on_cores(traced(softmax, 64, 3000)) == 1


@pytest.mark.parametrize("shape", [(1, 1 << 20), (4, 1 << 19)])
def test_few_rows_of_very_many_points_are_shared_by_the_whole_machine(shape):
    strategies = kernels(traced(softmax, *shape))
    assert "block-rows" not in strategies
    assert "rows" not in strategies


def test_rows_within_rows_are_not_one_blocks():
    """Normalized rows, then a sum of a thousand rows each: one subgroup would have to do it all."""

    def f(x):
        return layer_norm(x).sum((1, 2))

    assert "block-rows" not in kernels(traced(f, 64, 100, 512))[1:]
    assert len(kernels(traced(f, 64, 100, 512))) == 2


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("shape", [(6, 3000), (3, 5001), (2, 12000)])
def test_rows_of_blocks_are_right(f, shape):
    x = np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)
    exe = stepwell.compile(traced(f, *shape), target="gpu-sim")
    assert "block-rows" in exe.ir("device")
    np.testing.assert_allclose(exe(x)[0], reference(f, x), rtol=2e-5, atol=2e-5)


def test_rows_of_small_floats_are_right():
    x = np.random.default_rng(0).normal(size=(6, 3000)).astype(np.float16)
    exe = stepwell.compile(traced(softmax, *x.shape, dtype=np.float16), target="gpu-sim")
    np.testing.assert_allclose(exe(x)[0].astype(np.float64), reference(softmax, x), rtol=2e-2, atol=1e-5)


def both(x):
    """Softmax and the logarithm it is normalized by, with a dim of one point."""
    top = x.max(-1, keepdims=True)
    total = snp.exp(x - top).sum(-1, keepdims=True)
    return snp.exp(x - top) / total, top + snp.log(total)


@pytest.mark.parametrize(("shape", "strategy"), [((6, 3000), "block-rows"), ((40, 70), "rows"), ((300, 5), "rows")])
def test_numbers_of_rows_leave_the_kernel_with_the_dim_of_one_point_they_have(shape, strategy):
    assert strategy in kernels(traced(both, *shape))
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    weights, logarithm = stepwell.compile(traced(both, *shape), target="gpu-sim")(x)
    np.testing.assert_allclose(weights, reference(softmax, x), rtol=2e-5, atol=2e-5)
    assert logarithm.shape == (shape[0], 1)
    np.testing.assert_allclose(np.exp(logarithm - x) * weights, 1, rtol=1e-4)
    on_cpu = stepwell.compile(traced(both, *shape), target="cpu:avx2")(x)
    np.testing.assert_allclose(on_cpu[0], weights, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(on_cpu[1], logarithm, rtol=1e-5)


@pytest.mark.parametrize(("rows", "grid"), [(100, 100), (256, 256), (264, 132), (4096, 512)])
def test_rows_are_spread_over_the_cores_before_they_share_one(rows, grid):
    text = emit(traced(layer_norm, rows, 768), "device", target="cuda:sm_90")
    assert f"known_grid_size = array<i32: {grid}, 1, 1>" in text
