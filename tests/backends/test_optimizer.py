"""LLVM's optimizer leaves no memory behind, whoever runs it."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable

import pytest
from llvmlite import binding as llvm

from stepwell.backends.assembly_worker import make_assembly
from stepwell.backends.object import compile_llvm
from stepwell.backends.target import target_for

TARGET = target_for("sse4.2", generic=True)
TEXT = """
define i64 @f(ptr %p, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %sum = phi i64 [ 0, %entry ], [ %more, %loop ]
  %at = getelementptr i64, ptr %p, i64 %i
  %value = load i64, ptr %at
  %more = add i64 %sum, %value
  %next = add i64 %i, 1
  %end = icmp uge i64 %next, %n
  br i1 %end, label %done, label %loop
done:
  ret i64 %more
}
"""
ROUNDS = 10
MOST = 12_000
"""Bytes a module may leave behind: some thousand are llvmlite's (its builder's callbacks); a pipeline never freed is 30,000 and more."""


class _Usage(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks used free keep".split()
    )


def left_behind(act: Callable[[], object]) -> float:
    """Bytes that a call allocates and does not free, once it has been made before."""
    try:
        usage = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        pytest.skip("the C library does not say what is allocated")
    usage.restype = _Usage

    def used() -> int:
        gc.collect()
        found = usage()
        return found.used + found.hblkhd

    act()
    act()
    before = used()
    for _ in range(ROUNDS):
        act()
    return (used() - before) / ROUNDS


@pytest.mark.parametrize("opt_level", [1, 2])
def test_modules_made_one_after_the_other_leave_no_memory_behind(opt_level):
    assert left_behind(lambda: compile_llvm(TEXT, TARGET, opt_level)) < MOST


def test_a_module_that_cannot_be_made_leaves_none_either():
    def refused() -> None:
        with pytest.raises(AssertionError, match="malformed"):
            compile_llvm(TEXT.replace("ret i64", "ret i32"), TARGET, 2)

    assert left_behind(refused) < MOST


def test_modules_of_a_gpu_leave_no_memory_behind():
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    assert left_behind(lambda: make_assembly(TEXT, "nvptx64-nvidia-cuda", "sm_80", "+ptx78", 2)) < MOST
