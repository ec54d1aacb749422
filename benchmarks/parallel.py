"""The parallel runtime: what sharing out a loop costs, and what is gained by it.

    python benchmarks/parallel.py [--threads 1,2] [--rounds 15]

Loops are started by native code, a batch of them a measurement; the numbers are the median and the least of the rounds, in which the
pools take turns.
"alone": a loop that is one call of its function. "empty n": n tasks that do nothing: what a loop costs its caller whether
anybody helps or not. "meet": two tasks that wait for each other, so a loop with one hand-off for sure, to a thread that spins or
(after 2 ms without work) sleeps. Then work of about 20 us and 2 ms, balanced or growing with the index, flat and nested: its speed-up
over one thread, of both numbers. On a busy machine believe only the first group, and the least.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import time
from collections.abc import Callable
from typing import Any

from stepwell.backends.llvm_ir import write_llvm
from stepwell.backends.object import compile_llvm
from stepwell.backends.pool import pool_object
from stepwell.backends.target import host_target
from stepwell.dialects.registry import context
from stepwell.ir.parser import parse_module
from stepwell.runtime.loader import Library
from stepwell.runtime.pool import Pool

CODE = """
func.func @repeat(%pool: !rt.ptr, %body: !rt.ptr, %ctx: !rt.ptr, %n: i64, %times: i64) {
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %c1 = arith.constant 1 : i64
  %count = arith.index_cast %times : i64 to index
  scf.for %k = %i0 to %count step %i1 {
    %s = rt.call_indirect %pool(%body, %ctx, %n, %c1) : (!rt.ptr, !rt.ptr, i64, i64) -> i32
  }
  func.return
}
func.func @empty(%ctx: !rt.ptr, %begin: i64, %end: i64, %worker: i64) -> i32 {
  %ok = arith.constant 0 : i32
  func.return %ok : i32
}
// Arrives, and waits until all tasks of as many rounds as there were have.
func.func @meet(%ctx: !rt.ptr, %begin: i64, %end: i64, %worker: i64) -> i32 {
  %i0 = arith.constant 0 : index
  %c1 = arith.constant 1 : i64
  %ok = arith.constant 0 : i32
  %words = rt.ptr_to_memref %ctx : !rt.ptr to memref<4xi64>
  %before = rt.atomic_rmw add seq_cst %c1, %words[%i0] : memref<4xi64>
  %both = arith.ori %before, %c1 : i64
  scf.while () : () -> () {
    %now = rt.atomic_load acquire %words[%i0] : memref<4xi64>
    %waits = arith.cmpi sle, %now, %both : i64
    scf.condition(%waits)
  } do {
    rt.pause
    scf.yield
  }
  func.return %ok : i32
}
// ctx[0] + index * ctx[1] steps of a recurrence for each index.
func.func @busy(%ctx: !rt.ptr, %begin: i64, %end: i64, %worker: i64) -> i32 {
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %i2 = arith.constant 2 : index
  %c1 = arith.constant 1 : i64
  %ok = arith.constant 0 : i32
  %odd = arith.constant 6364136223846793005 : i64
  %words = rt.ptr_to_memref %ctx : !rt.ptr to memref<4xi64>
  %base = memref.load %words[%i0] : memref<4xi64>
  %slope = memref.load %words[%i1] : memref<4xi64>
  %from = arith.index_cast %begin : i64 to index
  %to = arith.index_cast %end : i64 to index
  %sum = scf.for %i = %from to %to step %i1 iter_args(%x = %c1) -> (i64) {
    %number = arith.index_cast %i : index to i64
    %more = arith.muli %number, %slope : i64
    %steps = arith.addi %base, %more : i64
    %count = arith.index_cast %steps : i64 to index
    %y = scf.for %j = %i0 to %count step %i1 iter_args(%z = %x) -> (i64) {
      %p = arith.muli %z, %odd : i64
      %q = arith.addi %p, %number : i64
      scf.yield %q : i64
    }
    scf.yield %y : i64
  }
  // Zero, but nobody knows.
  %even = arith.cmpi eq, %sum, %base : i64
  %status = arith.extui %even : i1 to i32
  func.return %status : i32
}
// A loop of ctx[3] tasks of `busy` for each index; ctx[2] is the pool.
func.func @nested(%ctx: !rt.ptr, %begin: i64, %end: i64, %worker: i64) -> i32 {
  %i2 = arith.constant 2 : index
  %i3 = arith.constant 3 : index
  %c1 = arith.constant 1 : i64
  %ok = arith.constant 0 : i32
  %words = rt.ptr_to_memref %ctx : !rt.ptr to memref<4xi64>
  %address = memref.load %words[%i2] : memref<4xi64>
  %n = memref.load %words[%i3] : memref<4xi64>
  %pool = rt.int_to_ptr %address : i64 to !rt.ptr
  %body = rt.func_addr @busy : !rt.ptr
  %count = arith.subi %end, %begin : i64
  func.call @repeat(%pool, %body, %ctx, %n, %count) : (!rt.ptr, !rt.ptr, !rt.ptr, i64, i64) -> ()
  func.return %ok : i32
}
"""

NAMES = ("repeat", "empty", "meet", "busy", "nested")
STEP_NS = 1.6
"""About what a step of `busy` takes: a multiplication and an addition that wait for each other."""


class Bench:
    """The native code, and the memory its tasks look at."""

    def __init__(self) -> None:
        (host,) = write_llvm(parse_module(CODE, "bench.mlir", context()), host_target())
        self._library = Library([compile_llvm(host.text, host_target(), 2)], NAMES)
        arguments = [ctypes.c_void_p] * 3 + [ctypes.c_int64] * 2
        self._repeat = ctypes.CFUNCTYPE(None, *arguments)(self._library.address("repeat"))
        self._bodies = {name: self._library.address(name) for name in NAMES}
        self.words = (ctypes.c_int64 * 4)()

    def seconds(self, pool: Pool, body: str, n: int, times: int, setting: tuple[int, ...] = (0, 0, 0, 0)) -> float:
        """Of one loop, on average over `times`."""
        for i, value in enumerate(setting):
            self.words[i] = value
        self.words[2] = pool.parallel_for
        address = ctypes.addressof(self.words)
        start = time.perf_counter()
        self._repeat(pool.parallel_for, self._bodies[body], address, n, times)
        return (time.perf_counter() - start) / times


Times = dict[int, tuple[float, float]]
"""Median and least, by number of threads."""


def _times(pools: dict[int, Pool], rounds: int, measure: Callable[[Pool], float], *, asleep: bool = False) -> Times:
    """Pools in turn, after a rest in which the threads of the others go to sleep: who spins keeps a core from who is measured."""
    times: dict[int, list[float]] = {threads: [] for threads in pools}
    for _ in range(rounds):
        for threads, pool in pools.items():
            time.sleep(0.002)
            if not asleep:
                measure(pool)
            times[threads].append(measure(pool))
    return {threads: (statistics.median(found), min(found)) for threads, found in times.items()}


def _latencies(bench: Bench, pools: dict[int, Pool], rounds: int) -> None:
    cases: list[tuple[str, str, int, int]] = [("alone", "empty", 1, 2000)]
    cases += [(f"empty {n}", "empty", n, max(50, 4000 // n)) for n in (2, 8, 64, 4096)]
    for label, body, n, times in cases:
        _print(label, _times(pools, rounds, lambda pool, b=body, n=n, t=times: bench.seconds(pool, b, n, t)), 1e9, "ns")
    several = {threads: pool for threads, pool in pools.items() if threads > 1}

    _print("meet, awake", _times(several, rounds, lambda pool: bench.seconds(pool, "meet", 2, 100)), 1e9, "ns")
    found = _times(several, rounds, lambda pool: bench.seconds(pool, "meet", 2, 1), asleep=True)
    _print("meet, asleep", found, 1e9, "ns")


def _speed_ups(bench: Bench, pools: dict[int, Pool], rounds: int) -> None:
    for total_us, times in ((20, 100), (2000, 3)):
        steps = int(total_us * 1000 / STEP_NS)
        cases: list[tuple[str, str, int, tuple[int, ...]]] = [
            ("balanced, 2 tasks", "busy", 2, (steps // 2, 0)),
            ("balanced, 64 tasks", "busy", 64, (steps // 64, 0)),
            ("growing, 64 tasks", "busy", 64, (0, steps // (32 * 63))),
            ("nested 4 x 16", "nested", 4, (steps // 64, 0, 0, 16)),
            ("nested 1 x 64", "nested", 1, (steps // 64, 0, 0, 64)),
        ]
        for label, body, n, setting in cases:
            found = _times(pools, rounds, lambda pool, b=body, n=n, s=setting, t=times: bench.seconds(pool, b, n, t, s))
            _print(f"{label}, {total_us} us", found, 1e6, "us", _gains(found))


def _gains(found: Times) -> str:
    if 1 not in found:
        return ""
    ratios = [[alone / some for alone, some in zip(found[1], found[t], strict=True)] for t in found if t != 1]
    return "  ".join(f"x{median:.2f} {least:.2f}" for median, least in ratios)


def _print(label: str, found: Times, scale: float, unit: str, more: str = "") -> None:
    columns = [
        f"{threads:3} threads {median * scale:9.1f} {least * scale:9.1f} {unit}"
        for threads, (median, least) in found.items()
    ]
    print(f"{label:28} {'  '.join(columns)}  {more}".rstrip(), flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2", help="pools to compare, by their number of threads")
    parser.add_argument("--rounds", type=int, default=15)
    options: Any = parser.parse_args(arguments)
    bench = Bench()
    pools = {int(t): Pool(pool_object(host_target()), int(t)) for t in options.threads.split(",")}
    _latencies(bench, pools, options.rounds)
    _speed_ups(bench, pools, options.rounds)


if __name__ == "__main__":
    main()
