"""What LLVM is told of kernels: only what is true of them, on their definition and where the host declares them; and one module of all."""

from __future__ import annotations

import re

import numpy as np
import pytest
from llvmlite import binding as llvm

import stepwell
from stepwell.backends import llvm_ir
from stepwell.backends.llvm_ir import write_llvm
from stepwell.backends.marks import WHOLE_PROGRAM
from stepwell.backends.object import emit_asm
from stepwell.backends.target import host_target
from stepwell.ir.diagnostics import diagnostic_handler
from stepwell.native import emit
from stepwell.source import parse

ALL = "mustprogress nofree norecurse nosync nounwind willreturn"


def kernel(body: str, more: str = "") -> str:
    """A program of one kernel on step 6."""
    return f"""module {{ {more}
      func.func @main(%x: memref<8xf32>, %y: memref<8xf32>, %arena: memref<?xi8>, %workers: memref<?x64xi8>)
          attributes {{stepwell.abi = #stepwell.abi<{{inputs = ["tensor<8xf32>"], outputs = ["tensor<8xf32>"],
            donated = array<i64>, arena_bytes = 0 : i64, worker_bytes = 64 : i64}}>}} {{
        kernel.launch @k ins(%x : memref<8xf32>) outs(%y : memref<8xf32>)
        return
      }}
      kernel.func @k(%x: memref<8xf32>, %y: memref<8xf32>) attributes {{access = ["read", "write"]}} {{
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c8 = arith.constant 8 : index
        {body}
        kernel.return
      }} }}"""


MOVE = "%v = memref.load %x[%c1] : memref<8xf32>\n memref.store %v, %y[%c0] : memref<8xf32>"


@pytest.mark.parametrize(
    ("body", "more", "promised"),
    [
        (MOVE, "", f"{ALL} memory(argmem: readwrite)"),
        (
            "memref.prefetch %x[%c0], read, locality<3>, data : memref<8xf32>",
            "",
            f"{ALL} memory(argmem: readwrite, inaccessiblemem: readwrite)",
        ),
        (
            """%p = arith.constant 0.0 : f32
               %v = vector.transfer_read %x[%c0], %p {in_bounds = [true], prefetch = 64 : i64} : memref<8xf32>, vector<8xf32>
               vector.transfer_write %v, %y[%c0] {in_bounds = [true]} : vector<8xf32>, memref<8xf32>""",
            "",
            f"{ALL} memory(argmem: readwrite, inaccessiblemem: readwrite)",
        ),
        (
            "%g = memref.get_global @table : memref<8xf32>\n %v = memref.load %g[%c1] : memref<8xf32>\n memref.store %v, %y[%c0] : memref<8xf32>",
            """"memref.global"() <{sym_name = "table", sym_visibility = "private", constant, type = memref<8xf32>,
               initial_value = dense<2.0> : tensor<8xf32>}> : () -> ()""",
            ALL,
        ),
        (f"rt.parallel_for (%i) = 0 to 8 grain 1 {{ {MOVE}\n rt.yield }}", "", ""),
        (
            f"""%r = scf.while (%i = %c0) : (index) -> index {{
                 %c = arith.cmpi ne, %i, %c8 : index
                 scf.condition(%c) %i : index
               }} do {{ ^bb0(%i: index):
                 {MOVE}
                 scf.yield %i : index
               }}""",
            "",
            "",
        ),
    ],
    ids=["moves", "prefetch", "transfer", "constant", "shared", "endless"],
)
def test_a_kernel_promises_what_it_keeps(body, more, promised):
    host, part = write_llvm(parse(kernel(body, more)), host_target())
    words = f" {promised}".rstrip()
    assert re.search(rf"^define void @stepwell\.kernel\.k\([^()]*\){re.escape(words)} #0 \{{", part.text, re.M)
    assert re.search(rf"^declare void @stepwell\.kernel\.k\(ptr, ptr\){re.escape(words)}$", host.text, re.M)
    for text in (host.text, part.text):
        llvm.parse_assembly(text).verify()


CHAIN = """func.func @main(%x: tensor<5x5xf32>) -> (tensor<5x5xf32>, tensor<f32>) {
  %0 = stablehlo.dot_general %x, %x, contracting_dims = [1] x [0] : (tensor<5x5xf32>, tensor<5x5xf32>) -> tensor<5x5xf32>
  %1 = stablehlo.dot_general %0, %x, contracting_dims = [1] x [0] : (tensor<5x5xf32>, tensor<5x5xf32>) -> tensor<5x5xf32>
  %2 = stablehlo.dot_general %1, %x, contracting_dims = [1] x [0] : (tensor<5x5xf32>, tensor<5x5xf32>) -> tensor<5x5xf32>
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %3 = stablehlo.reduce(%2 init: %z) applies stablehlo.add across dimensions = [0, 1] : (tensor<5x5xf32>, tensor<f32>) -> tensor<f32>
  return %2, %3 : tensor<5x5xf32>, tensor<f32> }"""


def llvm_of(target: int | None) -> str:
    with diagnostic_handler(lambda _: None):
        return str(emit(CHAIN, "llvm", simd="avx2", reproducible=True, latency_target_ns=target))


def test_a_program_whose_latency_counts_is_one_module_without_calls_of_kernels():
    several, one = llvm_of(None), llvm_of(1_000_000)
    assert several.count("; ModuleID") > 2
    assert one.count("; ModuleID") == one.count(WHOLE_PROGRAM) == 1
    assert "define internal void @stepwell.kernel." in one
    assert "declare void @stepwell.kernel." not in one
    llvm.parse_assembly(one).verify()


def test_a_large_one_is_compiled_in_parts(monkeypatch):
    monkeypatch.setattr(llvm_ir, "MOST_JOINED", 3)
    assert llvm_of(1_000_000) == llvm_of(None)


@pytest.mark.parametrize("simd", ["avx512", "avx2", "sse4.2"])
def test_one_module_gives_the_same_bits_as_several(simd):
    x = np.random.default_rng(3).standard_normal((5, 5)).astype(np.float32)
    x[0, :3] = np.inf, -0.0, 1e-42
    plain = stepwell.compile(CHAIN, target="cpu", simd=simd)
    quick = stepwell.compile(CHAIN, target="cpu", simd=simd, latency_target_ns=1_000_000)
    for given in (x, np.nan_to_num(x, posinf=2)):
        for a, b in zip(plain(given), quick(given), strict=True):
            assert np.array_equal(a, b, equal_nan=True)


def test_one_module_is_profiled_too():
    made = stepwell.compile(CHAIN, target="cpu", latency_target_ns=1_000_000)
    profile = made.profile(np.ones((5, 5), np.float32), repeat=2)
    assert len(profile.sites) > 2
    assert sum(k.count for k in profile.kernels) == 2 * len(profile.sites)


SCALARS = """define void @f(ptr noalias %a, ptr noalias %b) {
  %p = getelementptr float, ptr %a, i64 1
  %q = getelementptr float, ptr %b, i64 1
  %x = load float, ptr %a, align 4
  %y = load float, ptr %p, align 4
  %s = fadd float %x, %x
  %t = fadd float %y, %y
  store float %s, ptr %b, align 4
  store float %t, ptr %q, align 4
  ret void }
"""


@pytest.mark.parametrize(("level", "mark", "name"), [(2, True, "addps"), (2, False, "addss"), (1, True, "addss")])
def test_scalars_become_vectors_in_a_module_of_a_whole_program(level, mark, name):
    asm = emit_asm(SCALARS + f"{WHOLE_PROGRAM}\n" * mark, host_target("sse4.2"), level)
    assert re.search(rf"\s{name}\s", asm)
