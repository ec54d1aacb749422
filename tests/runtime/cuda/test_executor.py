"""What a program does on the device: order, scalars, control flow, host kernels, copies, graphs."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from fake_driver import FakeDriver
from programs import N, executable, install, launch, ramp

import stepwell
from stepwell.runtime.cuda.array import to_device
from stepwell.runtime.cuda.graph import MOST, TRIAL
from stepwell.runtime.cuda.program import (
    Assign,
    Buffer,
    Call,
    Compute,
    Copy,
    Fill,
    For,
    Function,
    HostCall,
    If,
    Load,
    Program,
    Register,
    Store,
    Switch,
    While,
)
from stepwell.runtime.cuda.scalars import operation, signed

X, OUT, ARENA, STAGING = Buffer(0), Buffer(1), Buffer(2), Buffer(4)
BYTES = 4 * N


@pytest.fixture
def gpu(fake: FakeDriver) -> FakeDriver:
    install(fake)
    return fake


def result(exe: Any, *arrays: Any) -> np.ndarray[Any, Any]:
    return exe(*arrays)[0].numpy()


def test_launches_run_in_order_through_the_arena(gpu: FakeDriver):
    middle = Buffer(2, 64)
    exe = executable((launch("double", X, middle), launch("add", X, middle, OUT)), arena_bytes=128)
    np.testing.assert_array_equal(result(exe, ramp()), ramp() * 3)
    assert [name for name, *_ in gpu.launches] == ["double", "add"]


def test_constants_are_uploaded_once(gpu: FakeDriver):
    exe = executable((launch("add", X, Buffer(0, constant=True), OUT),), constants=(ramp(10),))
    for start in range(3):
        np.testing.assert_array_equal(result(exe, ramp(start)), ramp(start) + ramp(10))
    assert gpu.calls.count("cuMemcpyHtoDAsync") == 1 + 3


def test_shared_memory_beyond_the_static_limit_is_asked_for_when_the_kernel_is_loaded(gpu: FakeDriver):
    exe = executable((launch("fill", OUT, grid=3, shared=100_000),), inputs=0)
    exe = executable((launch("fill", Buffer(0), grid=3, shared=100_000),), inputs=0)
    np.testing.assert_array_equal(result(exe), np.full(N, 3, np.float32))
    assert gpu.launches == [("fill", 3, 32, 100_000)]
    assert gpu.calls.count("cuFuncSetAttribute") == 1


def test_strided_rows_are_one_copy(gpu: FakeDriver):
    rows = Copy(Buffer(1), Buffer(0, 4), width=8, height=2, target_pitch=8, source_pitch=16)
    exe = executable((launch("fill", OUT, grid=7), rows))
    got = result(exe, ramp())
    np.testing.assert_array_equal(got[:4], [1, 2, 5, 6])
    np.testing.assert_array_equal(got[4:], [7, 7, 7, 7])


def test_a_loop_reads_its_condition_from_the_device_each_time(gpu: FakeDriver):
    """while out[0] < 100: out = out * 2, through staging memory."""
    condition = Register(1)
    before = (
        Copy(STAGING, OUT, 4),
        Load(Register(0), STAGING, 4),
        Compute(condition, "ult", (Register(0), int(np.float32(100).view(np.uint32))), 32),
    )
    exe = executable(
        (Copy(OUT, X, BYTES), While(before, condition, (launch("double", OUT, ARENA), Copy(OUT, ARENA, BYTES)))),
        registers=2,
        arena_bytes=64,
        staging_bytes=64,
    )
    np.testing.assert_array_equal(result(exe, ramp(1)), ramp(1) * 128)
    assert len(gpu.launches) == 7
    assert exe.counts.captures == 0


def test_host_memory_is_not_overwritten_before_the_copy_from_it_is_done(gpu: FakeDriver):
    """Two values pass through the same staging bytes; the fake driver reads them as late as it may."""
    exe = executable(
        (
            launch("fill", OUT),
            Store(0x3F800000, STAGING, 4),
            Copy(Buffer(1, 4), STAGING, 4),
            Store(0x40000000, STAGING, 4),
            Copy(Buffer(1, 8), STAGING, 4),
            Copy(STAGING, Buffer(0, 12), 4),
            Copy(Buffer(1, 12), STAGING, 4),
        ),
        staging_bytes=64,
    )
    np.testing.assert_array_equal(result(exe, ramp()), [1, 1, 2, 3, 1, 1, 1, 1])


def test_host_kernels_see_what_was_copied_and_what_they_write_is_copied_back(gpu: FakeDriver):
    seen: list[list[float]] = []

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    def reverse(source: int, target: int, workers: int) -> None:
        read = np.ctypeslib.as_array((ctypes.c_float * N).from_address(source))
        seen.append(read.tolist())
        np.ctypeslib.as_array((ctypes.c_float * N).from_address(target))[:] = read[::-1]
        ctypes.memset(workers, 1, 64)

    back = Buffer(4, 64)
    exe = executable(
        (
            launch("double", X, OUT),
            Copy(STAGING, OUT, BYTES),
            HostCall("reverse", (STAGING, back, Buffer(3))),
            Copy(OUT, back, BYTES),
        ),
        staging_bytes=128,
        worker_bytes=64,
        host_kernels={"reverse": ctypes.cast(reverse, ctypes.c_void_p).value or 0},
    )
    for start in (0, 5):
        np.testing.assert_array_equal(result(exe, ramp(start)), ramp(start)[::-1] * 2)
    assert seen == [(ramp(s) * 2).tolist() for s in (0, 5)]


def test_branches_and_switches_choose_by_scalars(gpu: FakeDriver):
    def run(value: int) -> list[float]:
        exe = executable(
            (
                Assign((Register(0), Register(1)), (value, 7)),
                Assign((Register(0), Register(1)), (Register(1), Register(0))),  # a swap: all at once
                Switch(
                    Register(1),
                    ((0, (launch("fill", OUT, grid=10),)), (-1, (launch("fill", OUT, grid=20),))),
                    (launch("fill", OUT, grid=30),),
                ),
                Compute(Register(2), "eq", (Register(0), 7), 64),
                If(Register(2), (launch("add", OUT, OUT, OUT),), (launch("fill", OUT),)),
            ),
            registers=3,
        )
        return result(exe, ramp())[:1].tolist()

    assert [run(v) for v in (0, (1 << 64) - 1, 5)] == [[20], [40], [60]]


def test_counted_loops_and_calls_use_the_callers_buffers(gpu: FakeDriver):
    step = Function(("device", "device", "device", "host", "host"), (launch("add", Buffer(0), Buffer(1), Buffer(1)),))
    loop = For(Register(0), (1 << 64) - 2, 3, 2, (Call("step", (X, OUT, ARENA, Buffer(3), Buffer(4))),))
    exe = executable((Copy(OUT, X, BYTES), loop), registers=1, functions={"step": step}, arena_bytes=64)
    np.testing.assert_array_equal(result(exe, ramp()), ramp() * 4)  # -2, 0, 2


def straight() -> Any:
    return executable((launch("double", X, ARENA), launch("double", ARENA, OUT)), arena_bytes=64)


def test_a_straight_program_is_captured_when_its_addresses_come_again_and_replayed(gpu: FakeDriver):
    exe = straight()
    for start in range(6):
        np.testing.assert_array_equal(result(exe, ramp(start)), ramp(start) * 4)
    assert vars(exe.counts) == {"calls": 6, "captures": 1, "replays": 4}
    assert gpu.calls.count("cuGraphInstantiate") == 1
    assert gpu.calls.count("cuLaunchKernel") == 2 * 2


def test_a_loop_that_keeps_its_last_result_alternates_between_two_graphs(gpu: FakeDriver):
    exe = straight()
    array = exe(ramp())[0]
    for _ in range(9):
        array = exe(array)[0]  # the new result is made before the old one is freed
    np.testing.assert_array_equal(array.numpy(), ramp() * 4.0**10)
    assert exe.counts.captures == 2
    assert exe.counts.replays >= 4


def test_results_that_all_live_on_are_not_captured(gpu: FakeDriver):
    exe = straight()
    kept = [exe(ramp(start))[0] for start in range(40)]
    for start, array in enumerate(kept):
        np.testing.assert_array_equal(array.numpy(), ramp(start) * 4)
    assert (exe.counts.captures, exe.counts.replays) == (0, 0)


@pytest.mark.parametrize("updates", [True, False])
def test_graphs_are_few_and_made_into_the_next(gpu: FakeDriver, updates: bool):
    """More sets of addresses than there are graphs; a graph that cannot be updated is made again."""
    exe = straight()
    if not updates:
        gpu.fail["cuGraphExecUpdate"] = 910
    inputs = [to_device(ramp(i), 0) for i in range(MOST + 1)]
    for _ in range(3):
        for i, x in enumerate(inputs):
            np.testing.assert_array_equal(result(exe, x), ramp(i) * 4)
    assert gpu.calls.count("cuGraphInstantiate") == (MOST if updates else MOST + 1)
    assert vars(exe.counts) == {"calls": 3 * (MOST + 1), "captures": MOST + 1, "replays": MOST}


def test_capturing_ends_when_it_does_not_pay(gpu: FakeDriver):
    exe = straight()
    inputs = [to_device(ramp(i), 0) for i in range(TRIAL + 5)]
    for i, x in enumerate(inputs):
        for _ in range(2):  # twice, and never again
            np.testing.assert_array_equal(result(exe, x), ramp(i) * 4)
    assert (exe.counts.captures, exe.counts.replays) == (TRIAL, 0)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("i1", 0xAB), ("u2", 0x1234), ("u4", 0x89ABCDEF), ("u8", 0x1234567812345678), ("u8", 0x123456789ABCDEF0)],
)
def test_fills_are_of_scalars_of_any_width(gpu: FakeDriver, dtype: str, value: int):
    size = np.dtype(dtype).itemsize
    body = (
        Copy(OUT, X, BYTES),
        Fill(value, Buffer(1, 8), size, 8 // size),
        Fill(value, Buffer(1, 16), size, 1, 2, 8),
    )
    exe = executable(body)
    expected = ramp(3)
    expected.view(np.uint8)[8:16].view(dtype)[:] = np.array(value, np.uint64).astype(dtype)
    expected.view(np.uint8)[16:].view(dtype)[:: 8 // size] = np.array(value, np.uint64).astype(dtype)
    expected.view(np.uint8)[16 + size : 24] = ramp(3).view(np.uint8)[16 + size : 24]
    x = to_device(ramp(3), 0)
    for _ in range(3):  # issued, captured, replayed
        np.testing.assert_array_equal(result(exe, x).view(np.uint8), expected.view(np.uint8))
    assert (exe.counts.captures, exe.counts.replays) == (1, 1)


def test_a_fill_may_be_with_what_the_host_computed(gpu: FakeDriver):
    body = (Copy(STAGING, X, 4), Load(Register(0), STAGING, 4), Fill(Register(0), OUT, 4, N))
    exe = executable(body, registers=1, staging_bytes=4)
    np.testing.assert_array_equal(result(exe, ramp(5)), np.full(N, 5, np.float32))


def test_a_fill_that_the_driver_refuses_says_what_it_was(gpu: FakeDriver):
    gpu.fail["cuMemsetD32Async"] = 1
    with pytest.raises(stepwell.CompileError, match="fill 1 rows of 8 scalars of 4 bytes"):
        executable((Fill(0, OUT, 4, N),))(ramp())


def test_a_program_with_host_memory_in_it_is_no_graph():
    stays = Function(("device", "host"), (Copy(Buffer(0, 4), Buffer(0), 4),))
    leaves = Function(("device", "host"), (Copy(Buffer(0), Buffer(1), 4),))
    constant = Function(("device", "host"), (Copy(Buffer(0), Buffer(1, constant=True), 4),))
    assert [Program("f", {"f": f}).straight for f in (stays, leaves, constant)] == [True, False, True]


def test_programs_list_their_kernels_once_nested_ones_too():
    inner = If(1, (launch("double", X, OUT),), (HostCall("h", ()), launch("add", X, X, OUT)))
    body = (launch("double", X, OUT), While((), 0, (For(Register(0), 0, 1, 1, (Switch(0, ((1, (inner,)),), ()),)),)))
    program = Program("f", {"f": Function(("device", "device"), body)})
    assert program.kernels == (("k", "double"), ("k", "add"))
    assert program.host_kernels == ("h",)


@pytest.mark.parametrize(
    ("name", "x", "y", "expected"),
    [
        ("addi", 0x7F, 2, 0x81),
        ("subi", 0, 1, 0xFF),
        ("muli", 0x80, 2, 0),
        ("divui", 0xFE, 4, 0x3F),
        ("remui", 0xFE, 4, 2),
        ("divsi", 0xF9, 2, 0xFD),  # -7 / 2 = -3
        ("remsi", 0xF9, 2, 0xFF),  # -7 % 2 = -1
        ("andi", 0b1100, 0b1010, 0b1000),
        ("ori", 0b1100, 0b1010, 0b1110),
        ("xori", 0b1100, 0b1010, 0b0110),
        ("shli", 0x81, 1, 0x02),
        ("shli", 0x81, 200, 0),
        ("shrui", 0x81, 1, 0x40),
        ("shrsi", 0x81, 1, 0xC0),
        ("shrsi", 0x81, 200, 0xFF),
        ("minui", 0x80, 1, 1),
        ("minsi", 0x80, 1, 0x80),
        ("maxui", 0x80, 1, 0x80),
        ("maxsi", 0x80, 1, 1),
        ("ult", 0x80, 1, 0),
        ("slt", 0x80, 1, 1),
        ("ule", 1, 1, 1),
        ("sle", 2, 1, 0),
        ("ugt", 0x80, 1, 1),
        ("sgt", 0x80, 1, 0),
        ("uge", 1, 1, 1),
        ("sge", 0xFF, 0, 0),
        ("eq", 3, 3, 1),
        ("ne", 3, 3, 0),
    ],
)
def test_integer_operations_on_eight_bits(name: str, x: int, y: int, expected: int):
    assert operation(name)(8, x, y) & 0xFF == expected


def test_widths_change_with_or_without_the_sign():
    assert operation("sign_extend_8")(16, 0x81) & 0xFFFF == 0xFF81
    assert operation("truncate")(4, 0x81) & 0xF == 1
    assert operation("select")(8, 1, 5, 6) == 5
    assert signed(8, 0x80) == -128


@pytest.mark.parametrize("name", ["divui", "remui", "divsi", "remsi"])
def test_dividing_by_zero_on_the_host_is_an_error(name: str):
    with pytest.raises(stepwell.InvalidProgramError, match="divides by zero"):
        operation(name)(8, 3, 0)
