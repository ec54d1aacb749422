"""Tiles of 16-bit matrices: `ldmatrix`, `mma.sync`, and copies that arrive while others are computed with."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from stepwell.dialects.interp.simt import ReportKind, SimulationError

RNG = np.random.default_rng(12)
SHARED = "#gpu.address_space<workgroup>"

# A lane's place in a fragment: group = lane / 4, pair = 2 * (lane % 4).
LANES = """
%lane = gpu.lane_id
%g = affine.apply affine_map<(d0) -> (d0 floordiv 4)>(%lane)
%p = affine.apply affine_map<(d0) -> ((d0 mod 4) * 2)>(%lane)
%c0 = arith.constant 0 : index
"""


def fragments_by_scalar_loads(kind: str, k: int) -> str:
    """One mma whose operands every lane loads element by element, as the PTX manual's tables say."""
    lines = []
    lines.append(f"%z = arith.constant 0.0 : {kind}")
    lines.append(f"%a0 = vector.broadcast %z : {kind} to vector<{k // 4}x2x{kind}>")
    for n, (half, rows, i) in enumerate((h, r, i) for h in range(k // 8) for r in range(2) for i in range(2)):
        lines += [
            f"%ar{n} = affine.apply affine_map<(d0) -> (d0 + {8 * rows})>(%g)",
            f"%ac{n} = affine.apply affine_map<(d0) -> (d0 + {8 * half + i})>(%p)",
            f"%av{n} = memref.load %a[%ar{n}, %ac{n}] : memref<16x{k}x{kind}>",
            f"%a{n + 1} = vector.insert %av{n}, %a{n}[{half * 2 + rows}, {i}] : {kind} into vector<{k // 4}x2x{kind}>",
        ]
    lines.append(f"%b0 = vector.broadcast %z : {kind} to vector<{k // 8}x2x{kind}>")
    for n, (half, i) in enumerate((h, i) for h in range(k // 8) for i in range(2)):
        lines += [
            f"%br{n} = affine.apply affine_map<(d0) -> (d0 + {8 * half + i})>(%p)",
            f"%bv{n} = memref.load %b[%br{n}, %g] : memref<{k}x8x{kind}>",
            f"%b{n + 1} = vector.insert %bv{n}, %b{n}[{half}, {i}] : {kind} into vector<{k // 8}x2x{kind}>",
        ]
    return "\n".join(lines).replace(f"%a{k // 2} =", "%fa =").replace(f"%b{k // 4} =", "%fb =")


@pytest.mark.parametrize(
    ("kind", "dtype", "k"),
    [("f16", np.float16, 16), ("bf16", ml_dtypes.bfloat16, 16), ("f16", np.float16, 8)],
)
def test_mma_multiplies_fragments_laid_out_as_in_ptx(simulate, kind, dtype, k):
    a, b = RNG.standard_normal((16, k)).astype(dtype), RNG.standard_normal((k, 8)).astype(dtype)
    c = RNG.standard_normal((16, 8)).astype(np.float32)
    d = np.zeros((16, 8), np.float32)
    parts = f"(vector<{k // 4}x2x{kind}>, vector<{k // 8}x2x{kind}>, vector<2x2xf32>)"
    simulate(
        f"(%a: memref<16x{k}x{kind}>, %b: memref<{k}x8x{kind}>, %c: memref<16x8xf32>, %d: memref<16x8xf32>)",
        LANES
        + fragments_by_scalar_loads(kind, k)
        + f"""
        %zero = arith.constant 0.0 : f32
        %g8 = affine.apply affine_map<(d0) -> (d0 + 8)>(%g)
        %c_low = vector.transfer_read %c[%g, %p], %zero {{in_bounds = [true]}} : memref<16x8xf32>, vector<2xf32>
        %c_high = vector.transfer_read %c[%g8, %p], %zero {{in_bounds = [true]}} : memref<16x8xf32>, vector<2xf32>
        %none = arith.constant dense<0.0> : vector<2x2xf32>
        %c1 = vector.insert %c_low, %none[0] : vector<2xf32> into vector<2x2xf32>
        %fc = vector.insert %c_high, %c1[1] : vector<2xf32> into vector<2x2xf32>
        %fd = nvgpu.mma.sync(%fa, %fb, %fc) {{mmaShape = [16, 8, {k}]}} : {parts} -> vector<2x2xf32>
        %d_low = vector.extract %fd[0] : vector<2xf32> from vector<2x2xf32>
        %d_high = vector.extract %fd[1] : vector<2xf32> from vector<2x2xf32>
        vector.transfer_write %d_low, %d[%g, %p] {{in_bounds = [true]}} : vector<2xf32>, memref<16x8xf32>
        vector.transfer_write %d_high, %d[%g8, %p] {{in_bounds = [true]}} : vector<2xf32>, memref<16x8xf32>
        """,
        [a, b, c, d],
    )
    np.testing.assert_allclose(d, a.astype(np.float64) @ b.astype(np.float64) + c, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("tiles", [1, 2, 4])
def test_ldmatrix_gives_each_lane_its_pair_of_every_tile(simulate, tiles, transposed):
    x = np.arange(8 * 32, dtype=np.int16).reshape(8, 32)
    y = np.zeros((32, tiles, 2), np.int16)
    simulate(
        f"(%x: memref<8x32xi16>, %y: memref<32x{tiles}x2xi16>) workgroup(%s: memref<8x32xi16, {SHARED}>)",
        f"""
        %t = gpu.thread_id x
        %r = affine.apply affine_map<(d0) -> (d0 mod 8)>(%t)
        %c = affine.apply affine_map<(d0) -> ((d0 floordiv 8) * 8)>(%t)
        %c0 = arith.constant 0 : index
        %zero = arith.constant 0 : i16
        %v = vector.transfer_read %x[%r, %c], %zero {{in_bounds = [true]}} : memref<8x32xi16>, vector<8xi16>
        vector.transfer_write %v, %s[%r, %c] {{in_bounds = [true]}} : vector<8xi16>, memref<8x32xi16, {SHARED}>
        gpu.subgroup_barrier
        %m = nvgpu.ldmatrix %s[%r, %c] {{numTiles = {tiles} : i32, transpose = {str(transposed).lower()}}} : memref<8x32xi16, {SHARED}> -> vector<{tiles}x2xi16>
        vector.transfer_write %m, %y[%t, %c0, %c0] {{in_bounds = [true, true]}} : vector<{tiles}x2xi16>, memref<32x{tiles}x2xi16>
        """,
        [x, y],
    )
    for lane in range(32):
        for tile in range(tiles):
            matrix = x[:, 8 * tile : 8 * tile + 8]
            matrix = matrix.T if transposed else matrix
            np.testing.assert_array_equal(y[lane, tile], matrix[lane // 4, lane % 4 * 2 : lane % 4 * 2 + 2])


M, N, K, BK, STAGES = 45, 40, 104, 16, 3
TILES = -(-K // BK)


def copy_tile(tile: str, tag: str) -> str:
    """Threads 0 to 63 copy 8 elements each of A's tile, the others of B's; what is outside is zero."""
    return f"""
    %slot{tag} = affine.apply affine_map<(d0) -> (d0 mod {STAGES})>({tile})
    scf.if %copies_a {{
      %col = affine.apply affine_map<(d0, d1) -> (d0 * {BK} + (d1 mod 2) * 8)>({tile}, %t)
      %to = affine.apply affine_map<(d0) -> ((d0 mod 2) * 8)>(%t)
      %left = affine.apply affine_map<(d0) -> ({K} - d0)>(%col)
      %most = arith.minsi %left, %c8 : index
      %inside = arith.maxsi %most, %c0 : index
      %elements = arith.select %row_is_inside, %inside, %c0 : index
      %token = nvgpu.device_async_copy %a[%global_row, %col], %sa[%slot{tag}, %half, %to], 8, %elements : memref<{M}x{K}xf16> to memref<{STAGES}x32x24xf16, {SHARED}>
    }} else {{
      %k = affine.apply affine_map<(d0, d1) -> (d0 * {BK} + (d1 - 64) floordiv 4)>({tile}, %t)
      %row = affine.apply affine_map<(d0) -> ((d0 - 64) floordiv 4)>(%t)
      %to = affine.apply affine_map<(d0) -> ((d0 mod 4) * 8)>(%t)
      %col = affine.apply affine_map<(d0, d1) -> (d0 * 32 + d1)>(%bx, %to)
      %end = arith.constant {K} : index
      %k_is_inside = arith.cmpi slt, %k, %end : index
      %left = affine.apply affine_map<(d0) -> ({N} - d0)>(%col)
      %most = arith.minsi %left, %c8 : index
      %inside = arith.maxsi %most, %c0 : index
      %elements = arith.select %k_is_inside, %inside, %c0 : index
      %token = nvgpu.device_async_copy %b[%k, %col], %sb[%slot{tag}, %row, %to], 8, %elements : memref<{K}x{N}xf16> to memref<{STAGES}x16x40xf16, {SHARED}>
    }}
    """


def pipelined_matmul(pending: int) -> str:
    """Blocks of 2 x 2 subgroups, a 16 x 16 tile each; `pending` groups may be under way when a tile is read."""
    return f"""
    %t = gpu.thread_id x
    %bx = gpu.block_id x
    %by = gpu.block_id y
    %w = gpu.subgroup_id : index
    %c1 = arith.constant 1 : index
    %c8 = arith.constant 8 : index
    %c64 = arith.constant 64 : index
    {LANES}
    %copies_a = arith.cmpi ult, %t, %c64 : index
    %half = affine.apply affine_map<(d0) -> (d0 floordiv 2)>(%t)
    %global_row = affine.apply affine_map<(d0, d1) -> (d0 * 32 + d1)>(%by, %half)
    %m = arith.constant {M} : index
    %row_is_inside = arith.cmpi slt, %global_row, %m : index
    {copy_tile("%c0", "0")}
    %group0 = nvgpu.device_async_create_group {{}}
    {copy_tile("%c1", "1")}
    %group1 = nvgpu.device_async_create_group {{}}
    %wm = affine.apply affine_map<(d0) -> ((d0 floordiv 2) * 16)>(%w)
    %wn = affine.apply affine_map<(d0) -> ((d0 mod 2) * 16)>(%w)
    %arow = affine.apply affine_map<(d0, d1) -> (d0 + d1 mod 16)>(%wm, %lane)
    %acol = affine.apply affine_map<(d0) -> ((d0 floordiv 16) * 8)>(%lane)
    %brow = affine.apply affine_map<(d0) -> (d0 mod 16)>(%lane)
    %bcol = affine.apply affine_map<(d0, d1) -> (d0 + (d1 floordiv 16) * 8)>(%wn, %lane)
    %none = arith.constant dense<0.0> : vector<2x2xf32>
    %last = arith.constant {TILES} : index
    %left, %right = scf.for %tile = %c0 to %last step %c1 iter_args(%l = %none, %r = %none) -> (vector<2x2xf32>, vector<2x2xf32>) {{
      nvgpu.device_async_wait {{numGroups = {pending} : i32}}
      gpu.barrier
      %next = affine.apply affine_map<(d0) -> (d0 + 2)>(%tile)
      %more = arith.cmpi ult, %next, %last : index
      scf.if %more {{
        {copy_tile("%next", "n")}
      }}
      %group = nvgpu.device_async_create_group {{}}
      %slot = affine.apply affine_map<(d0) -> (d0 mod {STAGES})>(%tile)
      %fa = nvgpu.ldmatrix %sa[%slot, %arow, %acol] {{numTiles = 4 : i32, transpose = false}} : memref<{STAGES}x32x24xf16, {SHARED}> -> vector<4x2xf16>
      %fb = nvgpu.ldmatrix %sb[%slot, %brow, %bcol] {{numTiles = 4 : i32, transpose = true}} : memref<{STAGES}x16x40xf16, {SHARED}> -> vector<4x2xf16>
      %bl = vector.extract_strided_slice %fb {{offsets = [0], sizes = [2], strides = [1]}} : vector<4x2xf16> to vector<2x2xf16>
      %br = vector.extract_strided_slice %fb {{offsets = [2], sizes = [2], strides = [1]}} : vector<4x2xf16> to vector<2x2xf16>
      %ln = nvgpu.mma.sync(%fa, %bl, %l) {{mmaShape = [16, 8, 16]}} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      %rn = nvgpu.mma.sync(%fa, %br, %r) {{mmaShape = [16, 8, 16]}} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      scf.yield %ln, %rn : vector<2x2xf32>, vector<2x2xf32>
    }}
    """ + "".join(
        f"""
        %row{half}{side} = affine.apply affine_map<(d0, d1, d2) -> (d0 * 32 + d1 + d2 + {8 * half})>(%by, %wm, %g)
        %col{half}{side} = affine.apply affine_map<(d0, d1, d2) -> (d0 * 32 + d1 + d2 + {8 * (side == "right")})>(%bx, %wn, %p)
        %rows{half}{side} = arith.cmpi slt, %row{half}{side}, %m : index
        scf.if %rows{half}{side} {{
          %part = vector.extract %{side}[{half}] : vector<2xf32> from vector<2x2xf32>
          vector.transfer_write %part, %c[%row{half}{side}, %col{half}{side}] : vector<2xf32>, memref<{M}x{N}xf32>
        }}
        """
        for half in range(2)
        for side in ("left", "right")
    )


MATMUL_SIGNATURE = (
    f"(%a: memref<{M}x{K}xf16>, %b: memref<{K}x{N}xf16>, %c: memref<{M}x{N}xf32>) "
    f"workgroup(%sa: memref<{STAGES}x32x24xf16, {SHARED}>, %sb: memref<{STAGES}x16x40xf16, {SHARED}>)"
)


def matmul_arguments():
    a, b = RNG.standard_normal((M, K)).astype(np.float16), RNG.standard_normal((K, N)).astype(np.float16)
    return a, b, np.zeros((M, N), np.float32)


def test_a_matmul_with_a_ring_of_asynchronous_copies(simulate):
    a, b, c = matmul_arguments()
    simulate(MATMUL_SIGNATURE, pipelined_matmul(pending=1), [a, b, c], grid=(2, 2), block=128)
    np.testing.assert_allclose(c, a.astype(np.float64) @ b.astype(np.float64), rtol=1e-4, atol=1e-4)


def test_a_ring_that_waits_for_too_few_copies_is_caught(simulate):
    with pytest.raises(SimulationError) as caught:
        simulate(MATMUL_SIGNATURE, pipelined_matmul(pending=2), matmul_arguments(), grid=(2, 2), block=128)
    assert caught.value.kind is ReportKind.ASYNC_PENDING
    assert caught.value.op.name == "nvgpu.ldmatrix"
