"""What the text and the machine code look like, where it matters: aliasing facts, no library calls, no spills, exact flags."""

from __future__ import annotations

import re

import pytest

from stepwell.backends.llvm_ir import write_llvm
from stepwell.backends.object import compile_llvm, emit_asm, undefined_symbols
from stepwell.backends.target import target_for
from stepwell.ir.errors import UnsupportedError
from stepwell.source import parse

MICRO_KERNEL = """
kernel.func @k(%a: memref<{m}x64xf32>, %b: memref<64x{n}xf32>, %c: memref<{m}x{n}xf32>) attributes {{access = ["read", "read", "write"]}} {{
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : vector<{m}x{n}xf32>
  %pad = arith.constant 0.0 : f32
  %r = affine.for %k = 0 to 64 iter_args(%acc = %zero) -> (vector<{m}x{n}xf32>) {{
    %x = vector.transfer_read %a[%c0, %k], %pad {{in_bounds = [true, true]}} : memref<{m}x64xf32>, vector<{m}x1xf32>
    %y = vector.transfer_read %b[%k, %c0], %pad {{in_bounds = [true, true]}} : memref<64x{n}xf32>, vector<1x{n}xf32>
    %t = vector.contract {{indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>,
      affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"],
      kind = #vector.kind<add>}} %x, %y, %acc : vector<{m}x1xf32>, vector<1x{n}xf32> into vector<{m}x{n}xf32>
    affine.yield %t : vector<{m}x{n}xf32>
  }}
  vector.transfer_write %r, %c[%c0, %c0] {{in_bounds = [true, true]}} : vector<{m}x{n}xf32>, memref<{m}x{n}xf32>
  kernel.return
}}
"""


def kernel_text(source: str, level: str) -> str:
    return write_llvm(parse(source), target_for(level))[-1].text


@pytest.mark.parametrize(("level", "rows", "lanes", "register"), [("avx512", 12, 32, "zmm"), ("avx2", 6, 16, "ymm")])
def test_a_register_tile_stays_in_registers(level, rows, lanes, register):
    text = kernel_text(MICRO_KERNEL.format(m=rows, n=lanes), level)
    asm = emit_asm(text, target_for(level))
    fused = rows * lanes * 4 // (64 if register == "zmm" else 32)
    loops = re.findall(r"(\.LBB\w+):.*?\bj\w+\s+\1\b", asm, re.DOTALL)
    assert len(loops) == 1
    body = re.search(rf"{re.escape(loops[0])}:(.*?)\bj\w+\s+{re.escape(loops[0])}\b", asm, re.DOTALL).group(1)
    assert len(re.findall(rf"vfmadd\w+\s.*%{register}", body)) == fused
    assert "rsp" not in body
    assert "vmulps" not in body


def test_kernel_arguments_do_not_alias():
    text = kernel_text(MICRO_KERNEL.format(m=2, n=8), "avx2")
    assert "define void @k(ptr noalias readonly nonnull noundef align 4 %a0" in text
    assert "ptr noalias nonnull noundef align 4 %a2" in text
    assert "getelementptr" in text
    assert "inttoptr" not in text


ARITHMETIC = """
func.func @main(%x: memref<8xf32>) attributes {{stepwell.abi}} {{
  %c0 = arith.constant 0 : index
  %v = vector.load %x[%c0] : memref<8xf32>, vector<8xf32>
  %p = arith.mulf %v, %v{flags} : vector<8xf32>
  %s = arith.addf %p, %v{flags} : vector<8xf32>
  vector.store %s, %x[%c0] : memref<8xf32>, vector<8xf32>
  func.return
}}
"""


def test_fast_math_only_where_the_op_asks():
    plain = kernel_text(ARITHMETIC.format(flags=""), "avx2")
    assert re.search(r"fmul <8 x float>", plain)
    assert "vfmadd" not in emit_asm(plain, target_for("avx2"))
    asked = kernel_text(ARITHMETIC.format(flags=" fastmath<contract,nnan>"), "avx2")
    assert "fmul nnan contract <8 x float>" in asked
    assert "vfmadd" in emit_asm(asked, target_for("avx2"))


@pytest.mark.parametrize("level", ["sse4.2", "avx2", "avx512"])
@pytest.mark.parametrize(
    "op",
    [
        "math.roundeven %v",
        "math.floor %v",
        "math.fma %v, %v, %v",
        "arith.maximumf %v, %v",
        "math.sqrt %v",
        "math.copysign %v, %v",
    ],
)
@pytest.mark.parametrize("type_", ["f32", "f64", "vector<7xf32>", "vector<16xf64>"])
@pytest.mark.every(2)
def test_no_op_becomes_a_library_call(level, op, type_):
    memref = f"memref<1x{type_}>" if type_ in ("f32", "f64") else type_.replace("vector", "memref")
    load, store = ("memref.load", "memref.store") if type_ in ("f32", "f64") else ("vector.load", "vector.store")
    suffix = "" if load == "memref.load" else f", {type_}"
    text = f"""func.func @main(%x: {memref}) attributes {{stepwell.abi}} {{
      %c0 = arith.constant 0 : index
      %v = {load} %x[%c0] : {memref}{suffix}
      %r = {op} : {type_}
      {store} %r, %x[%c0] : {memref}{suffix}
      func.return
    }}"""
    assert undefined_symbols(compile_llvm(kernel_text(text, level), target_for(level))) == []


def test_a_library_call_is_refused_by_name():
    text = """define float @f(float %a, float %b) {
      %r = frem float %a, %b
      ret float %r
    }"""
    with pytest.raises(UnsupportedError, match="'fmodf'"):
        compile_llvm(text, target_for("avx2"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "%r = math.exp %v : f32",
            r"m\.mlir:4:\d+: error: 'math.exp' op is not supported: the LLVM writer has no rule",
        ),
        ("%r = arith.remf %v, %v : f32", "'arith.remf' op is not supported: the LLVM writer has no rule"),
        (
            "%t = arith.truncf %v : f32 to bf16\n%u = arith.addf %t, %t : bf16\n%r = arith.extf %u : bf16 to f32",
            "'arith.addf' op is not supported: arithmetic on bf16 must be expanded",
        ),
        (
            "%t = arith.fptosi %v : f32 to i7\n%r = arith.sitofp %t : i7 to f32",
            r"m\.mlir:4:\d+: error: 'arith.fptosi' op is not supported: the LLVM writer has no register form for i7",
        ),
    ],
)
def test_what_has_no_instruction_is_refused_with_its_place(body, message, tmp_path):
    path = tmp_path / "m.mlir"
    path.write_text(f"""func.func @main(%x: memref<1xf32>) attributes {{stepwell.abi}} {{
%c0 = arith.constant 0 : index
%v = memref.load %x[%c0] : memref<1xf32>
{body}
memref.store %r, %x[%c0] : memref<1xf32>
func.return
}}""")
    with pytest.raises(UnsupportedError, match=message):
        write_llvm(parse(str(path)), target_for("avx2"))


def test_writing_twice_gives_the_same_text():
    source = MICRO_KERNEL.format(m=3, n=16)
    assert kernel_text(source, "avx2") == kernel_text(source, "avx2")


def test_constants_of_zeros_take_no_room():
    text = """
    "memref.global"() <{sym_name = "z", sym_visibility = "private", constant, type = memref<1000000xf32>,
      initial_value = dense<0.0> : tensor<1000000xf32>}> : () -> ()
    func.func @main(%x: memref<1xf32>) attributes {stepwell.abi} {
      %c0 = arith.constant 0 : index
      %z = memref.get_global @z : memref<1000000xf32>
      %v = memref.load %z[%c0] : memref<1000000xf32>
      memref.store %v, %x[%c0] : memref<1xf32>
      func.return
    }"""
    assert len(compile_llvm(kernel_text(text, "avx2"), target_for("avx2"))) < 4096


def test_odd_symbols_and_unroll_hints():
    text = """
    kernel.func @"odd name-1"(%x: memref<64x8xf32>) attributes {access = ["readwrite"]} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c8 = arith.constant 8 : index
      rt.parallel_for (%i) = 0 to 64 grain 1 {
        scf.for %j = %c0 to %c8 step %c1 {
          %v = vector.load %x[%i, %j] : memref<64x8xf32>, vector<1xf32>
          %w = arith.addf %v, %v : vector<1xf32>
          vector.store %w, %x[%i, %j] : memref<64x8xf32>, vector<1xf32>
        } {unroll = 4 : i64}
      }
      kernel.return
    }"""
    written = kernel_text(text, "avx2")
    assert 'define internal void @"odd name-1$body.1.loop"' in written
    assert '!{!"llvm.loop.unroll.count", i32 4}' in written
    assert undefined_symbols(compile_llvm(written, target_for("avx2"))) == ["stepwell_parallel_for"]
    assert len(re.findall(r"vaddss", emit_asm(written, target_for("avx2")))) == 4


STREAM = """
func.func @main(%x: memref<256xf32>, %y: memref<256xf32>) attributes {stepwell.abi} {
  %c0 = arith.constant 0 : index
  %pad = arith.constant 0.0 : f32
  %v = vector.transfer_read %x[%c0], %pad {in_bounds = [true]} : memref<256xf32>, vector<64xf32>
  vector.transfer_write %v, %y[%c0] {in_bounds = [true], prefetch = 512 : i64} : vector<64xf32>, memref<256xf32>
  func.return
}
"""


def test_wide_stores_go_up_a_line_at_a_time_after_fetching_lines_ahead():
    asm = emit_asm(kernel_text(STREAM, "avx512"), target_for("avx512"))
    stored = [int(offset or 0) for offset in re.findall(r"vmovups\s+%zmm\d+, (\d*)\(", asm)]
    assert stored == [0, 64, 128, 192]
    assert re.findall(r"prefetch\w+\s+(\d+)\(", asm) == ["512", "576", "640", "704"]
