"""Every arithmetic op on every type it takes becomes PTX that assembles: nothing may reach LLVM that it aborts on."""

from __future__ import annotations

import pytest
from xdsl.dialects.builtin import ModuleOp

from stepwell.backends.llvm.nvptx import write_gpu_module
from stepwell.backends.nvptx import gpu_target
from stepwell.backends.ptx import assemble, compile_ptx, ptxas
from stepwell.source import parse

FLOATS = ("f32", "f64")
INTEGERS = ("i1", "i2", "i4", "i8", "i16", "i32", "i64")
SMALL = ("f16", "bf16", "f8E4M3FN", "f8E5M2")
VECTORS = ("f32", "f64", "i1", "i8", "i16", "i32", "i64")
FLOAT_PAIRS = ("addf", "subf", "mulf", "divf", "maximumf", "minimumf", "maxnumf", "minnumf")
FLOAT_UNARY = ("absf", "ceil", "floor", "roundeven", "sqrt", "trunc")
INTEGER_PAIRS = (
    *("addi", "subi", "muli", "divsi", "divui", "remsi", "remui", "andi", "ori", "xori", "shli", "shrsi", "shrui"),
    *("maxsi", "maxui", "minsi", "minui", "ceildivsi", "ceildivui", "floordivsi"),
)
INTEGER_UNARY = ("absi", "ctlz", "ctpop", "cttz")
FLOAT_PREDICATES = ("oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno")
INTEGER_PREDICATES = ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge")

Case = tuple[str, str, str]
"""Operand type, result type, the op that makes %r of %a and %b."""


def _cases() -> list[Case]:
    cases: list[Case] = []
    for t in FLOATS:
        cases += [(t, t, f"arith.{op} %a, %b : {t}") for op in FLOAT_PAIRS]
        cases += [(t, t, f"math.{op} %a : {t}") for op in FLOAT_UNARY]
        cases += [
            (t, t, f"math.copysign %a, %b : {t}"),
            (t, t, f"math.fma %a, %b, %a : {t}"),
            (t, t, f"arith.negf %a : {t}"),
        ]
        cases += [(t, "i1", f"arith.cmpf {p}, %a, %b : {t}") for p in FLOAT_PREDICATES]
        for i in INTEGERS:
            cases += [(i, t, f"arith.{op} %a : {i} to {t}") for op in ("sitofp", "uitofp")]
            cases += [(t, i, f"arith.{op} %a : {t} to {i}") for op in ("fptosi", "fptoui")]
        for s in SMALL:
            cases += [(s, t, f"arith.extf %a : {s} to {t}"), (t, s, f"arith.truncf %a : {t} to {s}")]
    cases += [("f32", "f64", "arith.extf %a : f32 to f64"), ("f64", "f32", "arith.truncf %a : f64 to f32")]
    for t in INTEGERS:
        cases += [(t, t, f"arith.{op} %a, %b : {t}") for op in INTEGER_PAIRS]
        cases += [(t, t, f"math.{op} %a : {t}") for op in INTEGER_UNARY]
        cases += [(t, "i1", f"arith.cmpi {p}, %a, %b : {t}") for p in INTEGER_PREDICATES]
    return cases


def _kernel(number: int, case: Case) -> str:
    source, result, op = case
    return f"""
  gpu.func @k{number}(%x: memref<64x{source}>, %y: memref<64x{source}>, %o: memref<64x{result}>) kernel {{
    %t = gpu.thread_id x
    %a = memref.load %x[%t] : memref<64x{source}>
    %b = memref.load %y[%t] : memref<64x{source}>
    %r = {op}
    memref.store %r, %o[%t] : memref<64x{result}>
    gpu.return
  }}"""


def _vector_kernel(number: int, type_: str, lanes: int) -> str:
    """Moves, selects and reduces vectors of a type, with and without a mask."""
    vector, floating = f"vector<{lanes}x{type_}>", type_[0] == "f"
    pad = "0.0" if floating else "0"
    return f"""
  gpu.func @v{number}(%n: index, %x: memref<256x{type_}>, %o: memref<256x{type_}>, %s: memref<64x{type_}>) kernel {{
    %lanes = arith.constant {lanes} : index
    %pad = arith.constant {pad} : {type_}
    %t = gpu.thread_id x
    %i = arith.muli %t, %lanes : index
    %left = arith.subi %n, %i : index
    %m = vector.create_mask %left : vector<{lanes}xi1>
    %a = vector.transfer_read %x[%i], %pad {{in_bounds = [true]}} : memref<256x{type_}>, {vector}
    %b = vector.transfer_read %x[%i], %pad, %m {{in_bounds = [true]}} : memref<256x{type_}>, {vector}
    %c = arith.{"addf" if floating else "addi"} %a, %b : {vector}
    %d = arith.select %m, %c, %a : vector<{lanes}xi1>, {vector}
    vector.transfer_write %d, %o[%i], %m {{in_bounds = [true]}} : {vector}, memref<256x{type_}>
    %r = vector.reduction <{"maximumf" if floating else "maxsi"}>, %d : {vector} into {type_}
    memref.store %r, %s[%t] : memref<64x{type_}>
    gpu.return
  }}"""


@pytest.fixture(scope="module")
def every_op() -> ModuleOp:
    """A device module with a kernel for each op and type, and for each width of vectors."""
    kernels = [_kernel(i, case) for i, case in enumerate(_cases())]
    widths = [(t, n) for t in VECTORS for n in (1, 2, 4, 8)] + [("f32", 3), ("i8", 3)]
    kernels += [_vector_kernel(i, t, n) for i, (t, n) in enumerate(widths)]
    return parse("gpu.module @all {" + "".join(kernels) + "\n}\n")


@pytest.mark.skipif(ptxas() is None, reason="no ptxas here")
@pytest.mark.parametrize("cpu", ["sm_75", "sm_80", "sm_90a", "sm_100", "sm_120"])
@pytest.mark.every(2)
def test_every_op_on_every_type_assembles(every_op, cpu):
    target = gpu_target(cpu)
    module = every_op.body.block.first_op
    ptx = compile_ptx(write_gpu_module(every_op, module, target), target)
    assert "call" not in ptx
    assert "__local_depot" not in ptx
    resources = assemble(ptx, target).resources
    assert len(resources) == len(list(module.body.block.ops))
    assert not [r for r in resources if r.spill_stores or r.spill_loads]


ROUNDING = """
gpu.module @m {{
  gpu.func @k(%x: memref<8xf32>, %o: memref<8x{kind}>) kernel attributes {{access = ["read", "write"]}} {{
    %c0 = arith.constant 0 : index
    %pad = arith.constant 0.0 : f32
    %v = vector.transfer_read %x[%c0], %pad {{in_bounds = [true], alignment = 16 : i64}} : memref<8xf32>, vector<8xf32>
    %r = arith.truncf %v : vector<8xf32> to vector<8x{kind}>
    vector.transfer_write %r, %o[%c0] {{in_bounds = [true], alignment = 16 : i64}} : vector<8x{kind}>, memref<8x{kind}>
    gpu.return
  }}
}}
"""


@pytest.mark.parametrize("kind", ["f16", "bf16"])
def test_small_floats_are_rounded_by_instructions_in_pairs(llvm_of, kind):
    ptx = compile_ptx(llvm_of(ROUNDING.format(kind=kind)), gpu_target("sm_90"))
    assert ptx.count(f"cvt.rn.{kind}x2.f32") == 4
    assert "st.global.v4.b32" in ptx


def test_an_old_processor_rounds_bf16_by_integers(llvm_of):
    ptx = compile_ptx(llvm_of(ROUNDING.format(kind="bf16"), "sm_75"), gpu_target("sm_75"))
    assert "cvt.rn.bf16" not in ptx
    assert "st.global" in ptx
