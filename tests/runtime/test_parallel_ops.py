"""Loops with statuses, nested loops and futures of `rt`: what native code on a pool does is what the interpreter says."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from stepwell.backends.llvm_ir import entry_symbol, write_llvm
from stepwell.backends.object import compile_llvm
from stepwell.backends.pool import pool_object
from stepwell.backends.target import host_target
from stepwell.dialects.registry import interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.runtime.loader import Library, native_entry
from stepwell.runtime.pool import Pool
from stepwell.source import parse


@pytest.fixture(scope="module")
def pool():
    return Pool(pool_object(host_target()), 4)


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
