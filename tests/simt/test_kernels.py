"""Kernels that are right give NumPy's numbers, and no report."""

from __future__ import annotations

import numpy as np
import pytest

RNG = np.random.default_rng(11)
SHARED = "#gpu.address_space<workgroup>"


def test_saxpy_with_a_masked_tail(simulate):
    n = 1000
    x, y = RNG.standard_normal(n, np.float32), RNG.standard_normal(n, np.float32)
    expected = np.float32(2.5) * x + y
    simulate(
        "(%a: f32, %x: memref<1000xf32>, %y: memref<1000xf32>)",
        """
        %i = gpu.global_id x
        %c4 = arith.constant 4 : index
        %n = arith.constant 1000 : index
        %first = arith.muli %i, %c4 : index
        %left = arith.subi %n, %first : index
        %mask = vector.create_mask %left : vector<4xi1>
        %zero = arith.constant 0.0 : f32
        %vx = vector.transfer_read %x[%first], %zero, %mask {in_bounds = [true], alignment = 16 : i64} : memref<1000xf32>, vector<4xf32>
        %vy = vector.transfer_read %y[%first], %zero, %mask {in_bounds = [true]} : memref<1000xf32>, vector<4xf32>
        %va = vector.broadcast %a : f32 to vector<4xf32>
        %p = arith.mulf %va, %vx : vector<4xf32>
        %s = arith.addf %p, %vy : vector<4xf32>
        vector.transfer_write %s, %y[%first], %mask {in_bounds = [true]} : vector<4xf32>, memref<1000xf32>
        """,
        [2.5, x, y],
        grid=4,
        block=64,
    )
    np.testing.assert_array_equal(y, expected)


TRANSPOSE = f"""
%tx = gpu.thread_id x
%ty = gpu.thread_id y
%bx = gpu.block_id x
%by = gpu.block_id y
%rows = arith.constant 50 : index
%cols = arith.constant 70 : index
%i = affine.apply affine_map<(d0, d1) -> (d0 * 16 + d1)>(%by, %ty)
%j = affine.apply affine_map<(d0, d1) -> (d0 * 16 + d1)>(%bx, %tx)
%in_i = arith.cmpi ult, %i, %rows : index
%in_j = arith.cmpi ult, %j, %cols : index
%in = arith.andi %in_i, %in_j : i1
scf.if %in {{
  %v = memref.load %x[%i, %j] : memref<50x70xf16>
  memref.store %v, %tile[%ty, %tx] : memref<16x17xf16, {SHARED}>
}}
gpu.barrier
%oi = affine.apply affine_map<(d0, d1) -> (d0 * 16 + d1)>(%bx, %ty)
%oj = affine.apply affine_map<(d0, d1) -> (d0 * 16 + d1)>(%by, %tx)
%out_i = arith.cmpi ult, %oi, %cols : index
%out_j = arith.cmpi ult, %oj, %rows : index
%out = arith.andi %out_i, %out_j : i1
scf.if %out {{
  %v = memref.load %tile[%tx, %ty] : memref<16x17xf16, {SHARED}>
  memref.store %v, %y[%oi, %oj] : memref<70x50xf16>
}}
"""


def test_a_tiled_transpose_in_blocks_of_two_dimensions(simulate):
    x = RNG.standard_normal((50, 70)).astype(np.float16)
    y = np.zeros((70, 50), np.float16)
    simulate(
        f"(%x: memref<50x70xf16>, %y: memref<70x50xf16>) workgroup(%tile: memref<16x17xf16, {SHARED}>)",
        TRANSPOSE,
        [x, y],
        grid=(5, 4),
        block=(16, 16),
    )
    np.testing.assert_array_equal(y, x.T)


BLOCK_SUM = f"""
%t = gpu.thread_id x
%b = gpu.block_id x
%lane = gpu.lane_id
%w = gpu.subgroup_id : index
%c0 = arith.constant 0 : index
%n = arith.constant 1000 : index
%step = gpu.block_dim x
%zero = arith.constant 0.0 : f32
%part = scf.for %i = %t to %n step %step iter_args(%acc = %zero) -> (f32) {{
  %v = memref.load %x[%b, %i] : memref<3x1000xf32>
  %s = arith.addf %acc, %v : f32
  scf.yield %s : f32
}}
%c32 = arith.constant 32 : i32
%o16 = arith.constant 16 : i32
%o8 = arith.constant 8 : i32
%o4 = arith.constant 4 : i32
%o2 = arith.constant 2 : i32
%o1 = arith.constant 1 : i32
%r16, %v16 = gpu.shuffle xor %part, %o16, %c32 : f32
%s16 = arith.addf %part, %r16 : f32
%r8, %v8 = gpu.shuffle down %s16, %o8, %c32 : f32
%s8 = arith.addf %s16, %r8 : f32
%r4, %v4 = gpu.shuffle down %s8, %o4, %c32 : f32
%s4 = arith.addf %s8, %r4 : f32
%r2, %v2 = gpu.shuffle xor %s4, %o2, %c32 : f32
%s2 = arith.addf %s4, %r2 : f32
%r1, %v1 = gpu.shuffle xor %s2, %o1, %c32 : f32
%s1 = arith.addf %s2, %r1 : f32
%is_first = arith.cmpi eq, %lane, %c0 : index
scf.if %is_first {{
  memref.store %s1, %sums[%w] : memref<8xf32, {SHARED}>
}}
gpu.barrier
%is_first_subgroup = arith.cmpi eq, %w, %c0 : index
scf.if %is_first_subgroup {{
  %c8 = arith.constant 8 : index
  %has = arith.cmpi ult, %lane, %c8 : index
  %mine = scf.if %has -> (f32) {{
    %v = memref.load %sums[%lane] : memref<8xf32, {SHARED}>
    scf.yield %v : f32
  }} else {{
    scf.yield %zero : f32
  }}
  %total = gpu.subgroup_reduce add %mine uniform : (f32) -> f32
  scf.if %is_first {{
    memref.store %total, %y[%b] : memref<3xf32>
  }}
}}
"""


def test_a_block_reduction_with_shuffles(simulate):
    x = RNG.standard_normal((3, 1000), np.float32)
    y = np.zeros(3, np.float32)
    simulate(
        f"(%x: memref<3x1000xf32>, %y: memref<3xf32>) workgroup(%sums: memref<8xf32, {SHARED}>)",
        BLOCK_SUM,
        [x, y],
        grid=3,
        block=256,
    )
    np.testing.assert_allclose(y, x.astype(np.float64).sum(axis=1), rtol=1e-5, atol=1e-4)


MATMUL = f"""
%tx = gpu.thread_id x
%ty = gpu.thread_id y
%bx = gpu.block_id x
%by = gpu.block_id y
%i = affine.apply affine_map<(d0, d1) -> (d0 * 16 + d1)>(%by, %ty)
%j = affine.apply affine_map<(d0, d1) -> (d0 * 16 + d1)>(%bx, %tx)
%zero = arith.constant 0.0 : f32
%sum = affine.for %k0 = 0 to 96 step 16 iter_args(%acc = %zero) -> (f32) {{
  %ak = affine.apply affine_map<(d0, d1) -> (d0 + d1)>(%k0, %tx)
  %bk = affine.apply affine_map<(d0, d1) -> (d0 + d1)>(%k0, %ty)
  %va = memref.load %a[%i, %ak] : memref<64x96xf32>
  memref.store %va, %sa[%ty, %tx] : memref<16x16xf32, {SHARED}>
  %vb = memref.load %b[%bk, %j] : memref<96x80xf32>
  memref.store %vb, %sb[%ty, %tx] : memref<16x16xf32, {SHARED}>
  gpu.barrier
  %inner = affine.for %k = 0 to 16 iter_args(%in = %acc) -> (f32) {{
    %x = memref.load %sa[%ty, %k] : memref<16x16xf32, {SHARED}>
    %y = memref.load %sb[%k, %tx] : memref<16x16xf32, {SHARED}>
    %z = math.fma %x, %y, %in : f32
    affine.yield %z : f32
  }}
  gpu.barrier
  affine.yield %inner : f32
}}
memref.store %sum, %c[%i, %j] : memref<64x80xf32>
"""


def test_a_matmul_through_shared_memory(simulate):
    a, b = RNG.standard_normal((64, 96), np.float32), RNG.standard_normal((96, 80), np.float32)
    c = np.zeros((64, 80), np.float32)
    simulate(
        "(%a: memref<64x96xf32>, %b: memref<96x80xf32>, %c: memref<64x80xf32>) "
        f"workgroup(%sa: memref<16x16xf32, {SHARED}>, %sb: memref<16x16xf32, {SHARED}>)",
        MATMUL,
        [a, b, c],
        grid=(5, 4),
        block=(16, 16),
    )
    np.testing.assert_allclose(c, a.astype(np.float64) @ b.astype(np.float64), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("threads", [32, 48, 7])
def test_a_loop_that_each_lane_leaves_in_its_own_time(simulate, threads):
    """Steps of the Collatz sequence down to 1."""
    steps = np.zeros(threads, np.int32)
    simulate(
        f"(%y: memref<{threads}xi32>)",
        f"""
        %t = gpu.thread_id x
        %c1 = arith.constant 1 : index
        %c2 = arith.constant 2 : index
        %c3 = arith.constant 3 : index
        %zero = arith.constant 0 : i32
        %one = arith.constant 1 : i32
        %start = arith.addi %t, %c1 : index
        %end, %count = scf.while (%v = %start, %n = %zero) : (index, i32) -> (index, i32) {{
          %more = arith.cmpi ne, %v, %c1 : index
          scf.condition(%more) %v, %n : index, i32
        }} do {{
        ^bb0(%v: index, %n: i32):
          %rest = arith.remui %v, %c2 : index
          %odd = arith.cmpi eq, %rest, %c1 : index
          %next = scf.if %odd -> (index) {{
            %m = arith.muli %v, %c3 : index
            %o = arith.addi %m, %c1 : index
            scf.yield %o : index
          }} else {{
            %h = arith.divui %v, %c2 : index
            scf.yield %h : index
          }}
          %n1 = arith.addi %n, %one : i32
          scf.yield %next, %n1 : index, i32
        }}
        memref.store %count, %y[%t] : memref<{threads}xi32>
        """,
        [steps],
        block=threads,
    )

    def collatz(v: int) -> int:
        count = 0
        while v != 1:
            v, count = (3 * v + 1 if v % 2 else v // 2), count + 1
        return count

    np.testing.assert_array_equal(steps, [collatz(t + 1) for t in range(threads)])


def test_a_fused_multiply_add_rounds_once(simulate):
    """1 + 2^-23 and a product just below half of 2^-23: rounded to f64 first, the sum would be halfway and go up."""
    tiny, small = np.float32(2.0**-23), np.float32(2.0**-149)
    x = np.array([[(1 + tiny) / 2**24, 1 - tiny, 1 + tiny], [2, 3, 4], [small, 0.5, small], [1, 0, -0.0]], np.float32)
    y = np.zeros(4, np.float32)
    simulate(
        "(%x: memref<4x3xf32>, %y: memref<4xf32>)",
        """
        %t = gpu.thread_id x
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c2 = arith.constant 2 : index
        %a = memref.load %x[%t, %c0] : memref<4x3xf32>
        %b = memref.load %x[%t, %c1] : memref<4x3xf32>
        %c = memref.load %x[%t, %c2] : memref<4x3xf32>
        %r = math.fma %a, %b, %c : f32
        memref.store %r, %y[%t] : memref<4xf32>
        """,
        [x, y],
        block=4,
    )
    np.testing.assert_array_equal(y, np.array([1 + tiny, 10, 2 * small, 0], np.float32))


def test_a_prefetch_is_a_hint_that_may_point_anywhere(simulate):
    x = np.arange(32, dtype=np.float32)
    simulate(
        "(%x: memref<32xf32>)",
        """
        %i = gpu.thread_id x
        %far = arith.constant 4096 : index
        %j = arith.addi %i, %far : index
        memref.prefetch %x[%j], write, locality<0>, data : memref<32xf32>
        %v = memref.load %x[%i] : memref<32xf32>
        %w = arith.addf %v, %v : f32
        memref.store %w, %x[%i] : memref<32xf32>""",
        [x],
        block=32,
    )
    np.testing.assert_array_equal(x, 2 * np.arange(32))
