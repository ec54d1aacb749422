"""`memref.prefetch`: the instruction that each hint becomes, and that it changes nothing."""

from __future__ import annotations

import re

import numpy as np
import pytest

from stepwell.backends.llvm_ir import write_llvm
from stepwell.backends.object import emit_asm
from stepwell.backends.target import cpu_target, target_for
from stepwell.dialects.registry import interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.source import parse

KERNEL = """
kernel.func @k(%x: memref<4x8xf32>) attributes {{access = ["read"]}} {{
  %c2 = arith.constant 2 : index
  memref.prefetch %x[%c2, %c2], {hint} : memref<4x8xf32>
  kernel.return
}}
"""
PROGRAM = """
kernel.func @k(%x: memref<1000xf32>, %y: memref<1000xf32>) attributes {access = ["read", "write"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 1000 : index
  %far = arith.constant 5000 : index
  scf.for %i = %c0 to %n step %c1 {
    %there = arith.addi %i, %far : index
    memref.prefetch %x[%there], read, locality<3>, data : memref<1000xf32>
    memref.prefetch %y[%there], write, locality<3>, data : memref<1000xf32>
    %v = memref.load %x[%i] : memref<1000xf32>
    %w = arith.addf %v, %v : f32
    memref.store %w, %y[%i] : memref<1000xf32>
  }
  kernel.return
}
func.func @main(%x: memref<1000xf32>, %y: memref<1000xf32>) attributes {stepwell.abi} {
  kernel.launch @k ins(%x : memref<1000xf32>) outs(%y : memref<1000xf32>)
  func.return
}
"""


def asm(hint: str, target=None) -> list[str]:
    target = target or target_for("sse4.2", generic=True)
    text = write_llvm(parse(KERNEL.format(hint=hint)), target)[-1].text
    return re.findall(r"\b(prefetch\w*|prfm\s+\w+)", emit_asm(text, target))


@pytest.mark.parametrize(
    ("hint", "instruction"),
    [
        ("read, locality<3>, data", ["prefetcht0"]),
        ("read, locality<2>, data", ["prefetcht1"]),
        ("read, locality<1>, data", ["prefetcht2"]),
        ("read, locality<0>, data", ["prefetchnta"]),
        ("read, locality<3>, instr", []),
    ],
)
def test_each_locality_is_an_instruction_of_its_own(hint, instruction):
    assert asm(hint) == instruction


def test_a_processor_that_can_be_told_of_writes_is_told():
    assert asm("write, locality<3>, data", cpu_target("skylake")) == ["prefetchw"]
    assert asm("write, locality<3>, data", cpu_target("neoverse-n1")) == ["prfm\tpstl1keep"]


def test_hints_change_nothing_and_may_point_outside_of_a_buffer(native):
    x, ours, meant = np.arange(1000, dtype=np.float32), np.zeros(1000, np.float32), np.zeros(1000, np.float32)
    native(PROGRAM)(x, ours)
    Interpreter(parse(PROGRAM), interpreter_rules()).call("main", (x, meant))
    np.testing.assert_array_equal(ours, 2 * x)
    np.testing.assert_array_equal(meant, 2 * x)


def test_no_ptx_asks_for_a_line(llvm_of):
    text = """
    gpu.module @m {
      gpu.func @k(%x: memref<64xf32>) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
        %i = gpu.thread_id x
        memref.prefetch %x[%i], read, locality<3>, data : memref<64xf32>
        gpu.return
      }
    }"""
    assert "@k" in llvm_of(text)
    assert "prefetch" not in llvm_of(text)
