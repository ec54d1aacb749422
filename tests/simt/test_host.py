"""The ordinary interpreter runs a whole module: its host part by its rules, the kernels in the simulator."""

from __future__ import annotations

import numpy as np
import pytest

from stepwell.dialects.interp.gpu import simulator_rules
from stepwell.dialects.interp.simt import ReportKind, SimulationError
from stepwell.dialects.registry import interpreter_rules
from stepwell.ir.interpreter import Interpreter, InterpreterError
from stepwell.source import parse

PROGRAM = """
gpu.module @k0 {
  gpu.func @phase0(%x: memref<100xf32>, %s: memref<100xf32>, %n: index) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %i = gpu.global_id x
    %in = arith.cmpi ult, %i, %n : index
    scf.if %in {
      %v = memref.load %x[%i] : memref<100xf32>
      %w = arith.addf %v, %v : f32
      memref.store %w, %s[%i] : memref<100xf32>
    }
    gpu.return
  }
  gpu.func @phase1(%s: memref<100xf32>, %y: memref<100xf32>) kernel {
    %m = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
    %t = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %n = gpu.block_dim x
    %row = memref.view %m[%c0][%n] : memref<?xi8, #gpu.address_space<workgroup>> to memref<?xf32, #gpu.address_space<workgroup>>
    %v = memref.load %s[%t] : memref<100xf32>
    memref.store %v, %row[%t] : memref<?xf32, #gpu.address_space<workgroup>>
    gpu.barrier
    %last = affine.apply affine_map<(d0)[s0] -> (s0 - 1 - d0)>(%t)[%n]
    %w = memref.load %row[%last] : memref<?xf32, #gpu.address_space<workgroup>>
    memref.store %w, %y[%t] : memref<100xf32>
    gpu.return
  }
}
func.func @main(%x: memref<100xf32>, %y: memref<100xf32>) {
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c32 = arith.constant 32 : index
  %c100 = arith.constant 100 : index
  %bytes = arith.constant 400 : i32
  %d, %t0 = gpu.alloc async () : memref<100xf32>
  %e = gpu.alloc (%c100) : memref<?xf32>
  gpu.wait [%t0]
  %f = "memref.cast"(%e) : (memref<?xf32>) -> memref<100xf32>
  %t1 = gpu.memcpy async %f, %x : memref<100xf32>, memref<100xf32>
  %t2 = gpu.launch_func async [%t1] @k0::@phase0 blocks in (%c4, %c1, %c1) threads in (%c32, %c1, %c1) args(%f : memref<100xf32>, %d : memref<100xf32>, %c100 : index)
  gpu.launch_func @k0::@phase1 blocks in (%c1, %c1, %c1) threads in (%c100, %c1, %c1) dynamic_shared_memory_size %bytes args(%d : memref<100xf32>, %f : memref<100xf32>)
  gpu.memcpy %y, %f : memref<100xf32>, memref<100xf32>
  gpu.dealloc %d : memref<100xf32>
  func.return
}
"""


def test_a_program_of_launches_and_copies():
    x, y = np.arange(100, dtype=np.float32), np.zeros(100, np.float32)
    Interpreter(parse(PROGRAM), interpreter_rules()).call("main", (x, y))
    np.testing.assert_array_equal(y, 2 * x[::-1])


def test_what_a_kernel_does_wrong_comes_out_of_the_host():
    broken = PROGRAM.replace("gpu.barrier", "")
    arrays = np.zeros(100, np.float32), np.zeros(100, np.float32)
    with pytest.raises(SimulationError) as caught:
        Interpreter(parse(broken), interpreter_rules()).call("main", arrays)
    assert caught.value.function == "@k0::@phase1"
    assert caught.value.kind is ReportKind.SHARED_RACE


def test_reports_of_all_launches_can_be_collected():
    found: list[SimulationError] = []
    rules = interpreter_rules() | simulator_rules(collect=10, found=found)
    arrays = np.zeros(100, np.float32), np.zeros(100, np.float32)
    broken = PROGRAM.replace("gpu.barrier", "").replace("arith.cmpi ult", "arith.cmpi ule")
    Interpreter(parse(broken), rules).call("main", arrays)
    assert [(r.kind, r.op.name, r.function) for r in found] == [
        (ReportKind.OUT_OF_BOUNDS, "memref.load", "@k0::@phase0"),
        (ReportKind.OUT_OF_BOUNDS, "memref.store", "@k0::@phase0"),
        (ReportKind.SHARED_RACE, "memref.load", "@k0::@phase1"),
    ]


def test_without_checks_only_wrong_numbers_show():
    rules = interpreter_rules() | simulator_rules(check=False)
    x, y = np.arange(100, dtype=np.float32), np.zeros(100, np.float32)
    Interpreter(parse(PROGRAM.replace("gpu.barrier", "")), rules).call("main", (x, y))
    np.testing.assert_array_equal(y, 2 * x[::-1])


def test_a_wrong_launch_is_blamed_on_the_launch():
    text = PROGRAM.replace("blocks in (%c4, %c1, %c1)", "blocks in (%n, %c1, %c1)").replace(
        "%bytes =", "%n = arith.subi %c1, %c1 : index\n  %bytes ="
    )
    with pytest.raises(SimulationError) as caught:
        Interpreter(parse(text), interpreter_rules()).call(
            "main", (np.zeros(100, np.float32), np.zeros(100, np.float32))
        )
    assert caught.value.kind is ReportKind.LAUNCH
    assert caught.value.op.name == "gpu.launch_func"


def test_a_copy_between_sizes_that_differ_is_an_error():
    text = """
    func.func @main(%x: memref<?xf32>, %y: memref<?xf32>) {
      gpu.memcpy %y, %x : memref<?xf32>, memref<?xf32>
      func.return
    }
    """
    with pytest.raises(InterpreterError, match="shape"):
        Interpreter(parse(text), interpreter_rules()).call("main", (np.zeros(3, np.float32), np.zeros(4, np.float32)))
