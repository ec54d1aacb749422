"""One kernel text becomes AVX code or PTX: only its `#kernel.schedule` differs, and both compute the same."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell
from stepwell.backends.target import host_target
from stepwell.native import emit

KERNEL = """
kernel.func @scale_rows(%x: tensor<64x256xf32>, %s: tensor<64xf32>, %out: tensor<64x256xf32>) -> tensor<64x256xf32> attributes {{access = ["read", "read", "write"], schedule = {schedule}}} {{
  %e = tensor.empty() : tensor<64x256xf32>
  %r = linalg.generic {{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}} ins(%x, %s : tensor<64x256xf32>, tensor<64xf32>) outs(%out : tensor<64x256xf32>) {{
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %q = arith.addf %p, %a : f32
    linalg.yield %q : f32
  }} -> tensor<64x256xf32>
  kernel.return %r : tensor<64x256xf32>
}}
func.func public @main(%x: tensor<64x256xf32>, %s: tensor<64xf32>) -> tensor<64x256xf32> {{
  %d = tensor.empty() : tensor<64x256xf32>
  %r = kernel.launch @scale_rows ins(%x, %s : tensor<64x256xf32>, tensor<64xf32>) outs(%d : tensor<64x256xf32>) -> tensor<64x256xf32>
  func.return %r : tensor<64x256xf32>
}}
"""

CPU = '#kernel.schedule<"loops", {vector = 32 : i64, unroll = 2 : i64, tasks = 1 : i64, grain = 30000 : i64}>'
GPU = '#kernel.schedule<"loops", {vector = 512 : i64, unroll = 1 : i64, subgroup = 32 : i64, subgroups = 4 : i64, tasks = 8448 : i64}>'

PRODUCT = """
kernel.func @product(%a: tensor<64x48xf32>, %b: tensor<48x64xf32>, %out: tensor<64x64xf32>) -> tensor<64x64xf32> attributes {{access = ["read", "read", "write"], schedule = {schedule}}} {{
  %z = arith.constant 0.0 : f32
  %e = linalg.fill ins(%z : f32) outs(%out : tensor<64x64xf32>) -> tensor<64x64xf32>
  %r = linalg.generic {{indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]}} ins(%a, %b : tensor<64x48xf32>, tensor<48x64xf32>) outs(%e : tensor<64x64xf32>) {{
  ^bb0(%x: f32, %y: f32, %c: f32):
    %p = arith.mulf %x, %y : f32
    %q = arith.addf %c, %p : f32
    linalg.yield %q : f32
  }} -> tensor<64x64xf32>
  kernel.return %r : tensor<64x64xf32>
}}
func.func public @main(%a: tensor<64x48xf32>, %b: tensor<48x64xf32>) -> tensor<64x64xf32> {{
  %d = tensor.empty() : tensor<64x64xf32>
  %r = kernel.launch @product ins(%a, %b : tensor<64x48xf32>, tensor<48x64xf32>) outs(%d : tensor<64x64xf32>) -> tensor<64x64xf32>
  func.return %r : tensor<64x64xf32>
}}
"""

CPU_PRODUCT = (
    '#kernel.schedule<"contraction", {vector = 32 : i64, unroll = 4 : i64, tasks = 1 : i64, grain = 30000 : i64, mr = 4 : i64, '
    "nr = 16 : i64, k_unroll = 2 : i64, pack_a = 0 : i64, pack_b = 0 : i64, block = 64 : i64}>"
)
GPU_PRODUCT = (
    '#kernel.schedule<"block-contraction", {subgroup = 32 : i64, vector = 512 : i64, unroll = 1 : i64, tasks = 8448 : i64, form = "register", '
    "bm = 64 : i64, bn = 64 : i64, bk = 16 : i64, wm = 32 : i64, wn = 32 : i64, lanes_m = 8 : i64, lanes_n = 4 : i64, stages = 1 : i64, "
    "swizzle = 0 : i64, pad = 4 : i64}>"
)

CASES = {
    "elementwise": (KERNEL, CPU, GPU, ("vmulps", "ymm"), ("ld.global.nc.v4.b32", "st.global.v4.b32")),
    "contraction": (
        PRODUCT,
        CPU_PRODUCT,
        GPU_PRODUCT,
        ("vfmadd", "ymm"),
        ("fma.rn.f32", "bar.sync", "ld.shared.v4.b32"),
    ),
}


def inputs(text: str) -> list[np.ndarray]:
    shapes = [(64, 256), (64,)] if "scale_rows" in text else [(64, 48), (48, 64)]
    rng = np.random.default_rng(3)
    return [rng.integers(-4, 5, shape).astype(np.float32) for shape in shapes]


@pytest.mark.skipif(host_target().level not in ("avx2", "avx512"), reason="no AVX2 here")
@pytest.mark.parametrize("case", CASES)
def test_only_the_schedule_decides_between_avx_and_ptx(case):
    text, cpu, gpu, instructions, ptx_instructions = CASES[case]
    asm = emit(text.format(schedule=cpu), "asm", target="cpu:avx2")
    ptx = emit(text.format(schedule=gpu), "ptx", target="cuda:sm_90")
    assert isinstance(asm, str)
    assert isinstance(ptx, str)
    for word in instructions:
        assert word in asm
    for word in ptx_instructions:
        assert word in ptx
    given = inputs(text)
    on_cpu = stepwell.compile(text.format(schedule=cpu), target="cpu:avx2")(*given)
    on_gpu = stepwell.compile(text.format(schedule=gpu), target="gpu-sim")(*given)
    np.testing.assert_array_equal(on_cpu[0], on_gpu[0])


def test_a_schedule_for_subgroups_runs_on_a_cpu_too():
    """The levels say who does a task; a CPU does them one after the other."""
    given = inputs(KERNEL)
    expected = stepwell.compile(KERNEL.format(schedule=CPU), target="cpu")(*given)
    got = stepwell.compile(KERNEL.format(schedule=GPU), target="cpu")(*given)
    np.testing.assert_array_equal(got[0], expected[0])


def test_a_block_that_a_machine_does_not_have_is_refused():
    with pytest.raises(stepwell.InvalidProgramError, match="4 subgroups of 1 are more than the 1 threads of a block"):
        stepwell.compile(PRODUCT.format(schedule=GPU_PRODUCT), target="cpu")
