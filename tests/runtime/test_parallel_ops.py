"""Loops with statuses, nested loops and futures of `rt`: what native code on a pool does is what the interpreter says."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

import stepwell
from stepwell.backends.llvm_ir import entry_symbol, write_llvm
from stepwell.backends.object import compile_llvm
from stepwell.backends.pool import pool_object
from stepwell.backends.target import host_target
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.verify import verify_module
from stepwell.passes.lower_forall_to_rt import LowerForallToRtPass
from stepwell.runtime.loader import Library, native_entry
from stepwell.runtime.pool import Pool
from stepwell.source import parse


@pytest.fixture(scope="module")
def pool():
    return Pool(pool_object(host_target()), 4)


@pytest.fixture(scope="module")
def alone():
    return Pool(pool_object(host_target()), 1)


@pytest.fixture
def run(pool):
    """Runs @main on arrays: in place, once natively and once interpreted, with equal results."""

    def both(text, *arrays):
        module = parse(text)
        objects = [compile_llvm(t.text, host_target(), 1) for t in write_llvm(module, host_target())]
        library = Library(objects, [entry_symbol("main")], pool.symbols())
        copies = [a.copy() for a in arrays]
        pointers = (ctypes.c_void_p * len(copies))(*(a.__array_interface__["data"][0] for a in copies))
        assert native_entry(library.address(entry_symbol("main")))(ctypes.addressof(pointers)) == 0
        Interpreter(module, interpreter_rules()).call("main", arrays)
        for ours, meant in zip(copies, arrays, strict=True):
            assert np.array_equal(ours, meant)

    return both


def test_loops_in_loops_know_the_values_around_both(run):
    text = """
    func.func @main(%x: memref<9xi64>, %out: memref<9x40xi64>) attributes {stepwell.abi} {
      rt.parallel_for (%i) = 0 to 9 grain 1 {
        %a = memref.load %x[%i] : memref<9xi64>
        rt.parallel_for (%j) = 0 to 40 grain 3 {
          %k = arith.index_cast %j : index to i64
          %v = arith.muli %a, %k : i64
          memref.store %v, %out[%i, %j] : memref<9x40xi64>
        }
      }
      func.return
    }
    """
    run(text, np.arange(9), np.zeros((9, 40), np.int64))


@pytest.mark.parametrize("bad", [None, 0, 13, 63])
def test_the_status_of_a_loop_is_that_of_the_task_that_failed(run, bad):
    text = """
    func.func @main(%x: memref<64xi32>, %out: memref<1xi32>) attributes {stepwell.abi} {
      %c0 = arith.constant 0 : index
      %status = rt.parallel_for (%i) = 0 to 64 grain 1 -> i32 {
        %s = memref.load %x[%i] : memref<64xi32>
        rt.yield %s : i32
      }
      memref.store %status, %out[%c0] : memref<1xi32>
      func.return
    }
    """
    x, out = np.zeros(64, np.int32), np.full(1, 99, np.int32)
    if bad is not None:
        x[bad] = -bad - 1
    run(text, x, out)
    assert out[0] == (0 if bad is None else -bad - 1)


def test_a_task_that_failed_ends_its_chunk(run):
    text = """
    func.func @main(%ran: memref<8xi64>, %out: memref<1xi32>) attributes {stepwell.abi} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : i64
      %three = arith.constant 3 : index
      %status = rt.parallel_for (%i) = 0 to 8 grain 8 -> i32 {
        memref.store %c1, %ran[%i] : memref<8xi64>
        %bad = arith.cmpi eq, %i, %three : index
        %s = arith.extui %bad : i1 to i32
        rt.yield %s : i32
      }
      memref.store %status, %out[%c0] : memref<1xi32>
      func.return
    }
    """
    ran, out = np.zeros(8, np.int64), np.zeros(1, np.int32)
    run(text, ran, out)
    assert ran.tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert out[0] == 1


def test_futures_run_beside_loops_and_each_other_and_return_their_status(run):
    text = """
    func.func @main(%x: memref<50xi64>, %sums: memref<3x1xi64>, %out: memref<3xi32>) attributes {stepwell.abi} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c2 = arith.constant 2 : index
      %c50 = arith.constant 50 : index
      %seven = arith.constant 7 : i32
      %z = arith.constant 0 : i64
      %f = rt.spawn {
        %sum = scf.for %i = %c0 to %c50 step %c1 iter_args(%a = %z) -> (i64) {
          %v = memref.load %x[%i] : memref<50xi64>
          %n = arith.addi %a, %v : i64
          scf.yield %n : i64
        }
        memref.store %sum, %sums[%c0, %c0] : memref<3x1xi64>
      }
      %g = rt.spawn {
        %inner = rt.spawn {
          rt.parallel_for (%i) = 0 to 50 grain 2 {
            %v = memref.load %x[%i] : memref<50xi64>
            %o = rt.atomic_rmw add monotonic %v, %sums[%c1, %c0] : memref<3x1xi64>
          }
          rt.yield %seven : i32
        }
        %s = rt.await %inner
        rt.yield %s : i32
      }
      rt.parallel_for (%i) = 0 to 50 grain 2 {
        %v = memref.load %x[%i] : memref<50xi64>
        %o = rt.atomic_rmw add monotonic %v, %sums[%c2, %c0] : memref<3x1xi64>
      }
      %first = rt.await %f
      %second = rt.await %g
      memref.store %first, %out[%c0] : memref<3xi32>
      memref.store %second, %out[%c1] : memref<3xi32>
      func.return
    }
    """
    sums, out = np.zeros((3, 1), np.int64), np.full(3, 99, np.int32)
    for _ in range(2):  # again with the records of the first time
        sums[:], out[:] = 0, 99
        run(text, np.arange(50), sums, out)
    assert sums.ravel().tolist() == [1225] * 3
    assert out.tolist() == [0, 7, 99]


def test_a_sum_by_blocks_has_the_same_bits_for_any_number_of_threads():
    """A reduction is a loop over fixed blocks, and a loop over their results: who does a block does not matter."""
    text = """
    func.func @main(%x: memref<100x1000xf32>, %parts: memref<100xf32>, %out: memref<1xf32>) attributes {stepwell.abi} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c100 = arith.constant 100 : index
      %c1000 = arith.constant 1000 : index
      %zero = arith.constant 0.0 : f32
      rt.parallel_for (%i) = 0 to 100 grain 1 {
        %part = scf.for %j = %c0 to %c1000 step %c1 iter_args(%a = %zero) -> (f32) {
          %v = memref.load %x[%i, %j] : memref<100x1000xf32>
          %s = arith.addf %a, %v : f32
          scf.yield %s : f32
        }
        memref.store %part, %parts[%i] : memref<100xf32>
      }
      %total = scf.for %i = %c0 to %c100 step %c1 iter_args(%a = %zero) -> (f32) {
        %v = memref.load %parts[%i] : memref<100xf32>
        %s = arith.addf %a, %v : f32
        scf.yield %s : f32
      }
      memref.store %total, %out[%c0] : memref<1xf32>
      func.return
    }
    """
    objects = [compile_llvm(t.text, host_target(), 1) for t in write_llvm(parse(text), host_target())]
    x = np.random.default_rng(7).normal(size=(100, 1000)).astype(np.float32)
    found = set()
    for threads in (1, 2, 8):
        pool = Pool(pool_object(host_target()), threads)
        library = Library(objects, [entry_symbol("main")], pool.symbols())
        for _ in range(5):
            arrays = [x, np.zeros(100, np.float32), np.zeros(1, np.float32)]
            pointers = (ctypes.c_void_p * 3)(*(a.__array_interface__["data"][0] for a in arrays))
            assert native_entry(library.address(entry_symbol("main")))(ctypes.addressof(pointers)) == 0
            found.add(arrays[2].tobytes())
    assert len(found) == 1


REDUCTION = """
func.func @main(%x: memref<{n}xf32>, %total: memref<1xf32>, %mixed: memref<1xi64>, %least: memref<1xindex>) attributes {{stepwell.abi}} {{
  %i0 = arith.constant 0 : index
  %start = memref.load %total[%i0] : memref<1xf32>
  %seed = memref.load %mixed[%i0] : memref<1xi64>
  %s:3 = rt.parallel_reduce (%i) = 0 to {n} grain {grain} init(%start, %seed, %i0 : f32, i64, index) {{
    %v = memref.load %x[%i] : memref<{n}xf32>
    %k = arith.index_cast %i : index to i64
    rt.partial %v, %k, %i : f32, i64, index
  }} combine (%a : f32, %b : i64, %c : index, %d : f32, %e : i64, %f : index) {{
    %three = arith.constant 3 : i64
    %g = arith.addf %a, %d : f32
    %h = arith.muli %b, %three : i64
    %j = arith.subi %h, %e : i64
    %l = arith.maxui %c, %f : index
    rt.partial %g, %j, %l : f32, i64, index
  }}
  memref.store %s#0, %total[%i0] : memref<1xf32>
  memref.store %s#1, %mixed[%i0] : memref<1xi64>
  memref.store %s#2, %least[%i0] : memref<1xindex>
  func.return
}}
"""


@pytest.mark.parametrize(("n", "grain"), [(1, 1), (1, 64), (63, 64), (64, 64), (65, 64), (500, 64), (200, 1), (201, 2)])
def test_a_reduction_is_combined_in_the_order_it_says_by_any_number_of_workers(n, grain, pool, alone):
    x = np.random.default_rng(n).standard_normal(n).astype(np.float32) * np.float32(10) ** (np.arange(n) % 7)
    arrays = [x.astype(np.float32), np.array([0.5], np.float32), np.array([7]), np.zeros(1, np.int64)]
    module = parse(REDUCTION.format(n=n, grain=grain))
    meant = [a.copy() for a in arrays]
    Interpreter(module, interpreter_rules()).call("main", meant)
    LowerForallToRtPass().apply(context(), module)
    verify_module(module)
    lowered = [a.copy() for a in arrays]
    Interpreter(module, interpreter_rules()).call("main", lowered)
    objects = [compile_llvm(t.text, host_target(), 1) for t in write_llvm(module, host_target())]
    found = [lowered]
    for threads in (alone, pool):
        library = Library(objects, [entry_symbol("main")], threads.symbols())
        found.append([a.copy() for a in arrays])
        pointers = (ctypes.c_void_p * 4)(*(a.__array_interface__["data"][0] for a in found[-1]))
        assert native_entry(library.address(entry_symbol("main")))(ctypes.addressof(pointers)) == 0
    for results in found:
        assert [a.tobytes() for a in results] == [a.tobytes() for a in meant]
    assert meant[3][0] == n - 1


def test_a_program_of_step_5_may_reduce(tmp_path):
    text = """
    func.func @main(%x: memref<1000xi64>, %out: memref<i64>, %arena: memref<?xi8>, %workers: memref<?x0xi8>) attributes
        {stepwell.abi = #stepwell.abi<{inputs = ["tensor<1000xi64>"], outputs = ["tensor<i64>"], donated = array<i64>,
         arena_bytes = 0 : i64, worker_bytes = 0 : i64}>} {
      %zero = arith.constant 0 : i64
      %s = rt.parallel_reduce (%i) = 0 to 1000 grain 100 init(%zero : i64) {
        %v = memref.load %x[%i] : memref<1000xi64>
        rt.partial %v : i64
      } combine (%a : i64, %b : i64) {
        %c = arith.addi %a, %b : i64
        rt.partial %c : i64
      }
      memref.store %s, %out[] : memref<i64>
      func.return
    }
    """
    for target in ("cpu", "interpreter"):
        assert stepwell.compile(text, target=target)(np.arange(1000))[0] == 499500
