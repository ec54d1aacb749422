"""Whole kernels, written by hand as step 6 has them, become PTX with the expected instructions and assemble without spills."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stepwell.backends.nvptx import gpu_target
from stepwell.backends.ptx import assemble, compile_ptx, ptxas

DATA = Path(__file__).parent / "data"
PROCESSORS = ("sm_80", "sm_90", "sm_100")

needs_ptxas = pytest.mark.skipif(ptxas() is None, reason="no ptxas here")


def source(name: str) -> str:
    """The IR of a kernel; `mma_bf16` is `mma_f16` with the other type."""
    if name.startswith("mma_"):
        return (DATA / "mma.mlir").read_text().replace("xf16", f"x{name[4:]}")
    return (DATA / f"{name}.mlir").read_text()


@pytest.fixture
def ptx_of(llvm_of):
    """The PTX of a device module."""
    return lambda text, cpu="sm_90": compile_ptx(llvm_of(text, cpu), gpu_target(cpu))


KERNELS = ("saxpy", "transpose", "block_sum", "matmul_shared", "mma_f16", "mma_bf16")


@needs_ptxas
@pytest.mark.parametrize("cpu", PROCESSORS)
@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_assembles_without_spills(ptx_of, name, cpu):
    cubin = assemble(ptx_of(source(name), cpu), gpu_target(cpu))
    assert cubin.data.startswith(b"\x7fELF")
    (kernel,) = cubin.resources
    assert (kernel.kernel, kernel.spill_stores, kernel.spill_loads, kernel.stack) == ("phase0", 0, 0, 0)
    assert 8 <= kernel.registers <= 128


@pytest.mark.parametrize("name", KERNELS)
def test_two_compilations_give_the_same_bytes(ptx_of, name):
    assert ptx_of(source(name)) == ptx_of(source(name))


def counts(ptx: str, *instructions: str) -> list[int]:
    return [len(re.findall(rf"^\s*(?:@\S+ )?{re.escape(i)}[.\s;]", ptx, re.MULTILINE)) for i in instructions]


def test_a_masked_tail_keeps_wide_accesses_where_the_vector_is_whole(ptx_of):
    ptx = ptx_of(source("saxpy"))
    assert counts(ptx, "ld.global.nc.v4.b32", "st.global.v4.b32") == [2, 1]
    assert counts(ptx, "ld.global.nc.b32", "st.global.b32") == [8, 4]
    assert counts(ptx, "fma.rn.f32") == [4]
    assert ".reqntid 128, 1, 1" in ptx
    assert "generic" not in ptx


def test_a_transpose_reads_and_writes_rows_and_unrolls_its_loops(ptx_of):
    ptx = ptx_of(source("transpose"))
    assert counts(ptx, "ld.global.nc.b32", "st.shared.b32", "bar.sync", "ld.shared.b32", "st.global.b32") == [
        4,
        4,
        1,
        4,
        4,
    ]
    assert "[4224]" in ptx


def test_a_block_sum_exchanges_between_lanes_then_through_shared_memory(ptx_of):
    ptx = ptx_of(source("block_sum"))
    assert counts(ptx, "shfl.sync.bfly.b32", "bar.sync", "st.shared.b32", "ld.shared.b32") == [10, 1, 1, 1]
    assert counts(ptx, "ld.global.nc.v4.b32")[0] >= 1


def test_a_shared_memory_product_works_on_wide_rows_in_registers(ptx_of):
    ptx = ptx_of(source("matmul_shared"))
    assert counts(ptx, "ld.shared.v4.b32", "fma.rn.f32", "st.global.v4.b32", "bar.sync") == [32, 256, 4, 2]
    assert "local" not in ptx


@pytest.mark.parametrize("kind", ["f16", "bf16"])
def test_a_matrix_product_copies_ahead_and_uses_the_matrix_unit(ptx_of, kind):
    ptx = ptx_of(source(f"mma_{kind}"))
    assert counts(ptx, f"mma.sync.aligned.m16n8k16.row.col.f32.{kind}.{kind}.f32") == [16]
    assert counts(
        ptx, "ldmatrix.sync.aligned.m8n8.x4.shared.b16", "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16"
    ) == [4, 4]
    assert counts(ptx, "cp.async.cg.shared.global", "cp.async.commit_group", "cp.async.wait_group") == [8, 2, 1]
    assert ".extern .shared .align 128 .b8 stepwell_dynamic_shared[]" in ptx


def test_products_and_sums_are_not_contracted(ptx_of):
    ptx = ptx_of(source("saxpy").replace("math.fma %va, %vx, %vy", "arith.mulf %va, %vx"))
    assert counts(ptx, "mul.rn.f32", "fma.rn.f32") == [4, 0]
    assert "ftz" not in ptx


SHARED_NUMBER = """gpu.module @m {{
  gpu.func @phase0(%x: memref<64xf32>, %o: memref<64x64xf32>) kernel attributes {{known_block_size = array<i32: 64, 1, 1>,
      access = ["{access}", "write"]}} {{
    %t = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %first = arith.cmpi eq, %t, %c0 : index
    scf.for %i = %c0 to %c64 step %c1 {{
      %v = memref.load %x[%c0] : memref<64xf32>
      memref.store %v, %o[%i, %t] : memref<64x64xf32>
      {barrier}
      scf.if %first {{
        %w = arith.mulf %v, %v : f32
        memref.store %w, %x[%c0] : memref<64xf32>
        scf.yield
      }}
      {barrier}
      scf.yield
    }}
    gpu.return
  }}
}}
"""


@pytest.mark.parametrize("barrier", ["gpu.barrier", "gpu.subgroup_barrier"])
def test_what_another_thread_writes_is_read_again_after_a_barrier(ptx_of, barrier):
    """LLVM took what comes through a `noalias` argument to be a thread's own, and read it once before the loop."""
    ptx = ptx_of(SHARED_NUMBER.format(access="readwrite", barrier=barrier))
    (loads, *barriers) = counts(ptx, "ld.global.b32", "bar.sync", "bar.warp.sync")
    assert sum(barriers) == 2 * loads
    before_the_loop = ptx[: re.search(r"^\$L", ptx, re.MULTILINE).start()]  # pyright: ignore[reportOptionalMemberAccess]
    assert counts(before_the_loop, "ld.global.b32") == [0]


def test_arguments_that_threads_only_read_or_only_write_stand_alone(llvm_of):
    text = llvm_of(SHARED_NUMBER.format(access="readwrite", barrier="gpu.barrier"), "sm_90")
    assert (
        "(ptr addrspace(1) nonnull noundef align 4 %a0, ptr addrspace(1) noalias nonnull noundef align 4 %a1)" in text
    )
