"""Each way to write a wrong kernel is reported: its kind, the op, where it stands; the corrected twin passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from stepwell.dialects.interp.simt import ReportKind, SimulationError

SHARED = "#gpu.address_space<workgroup>"
PRIVATE = "#gpu.address_space<private>"
HERE = "// here"
"""Ends the line of the op that must be reported."""


@dataclass(frozen=True)
class Case:
    """A kernel with `<wrong>` where it is wrong, or right with `right` in that place."""

    name: str
    kind: ReportKind
    op: str
    signature: str
    body: str
    wrong: str
    right: str
    args: Callable[[], Sequence[object]]
    grid: int = 1
    block: int = 64
    threads: tuple[int, ...] | None = None
    expected: Callable[..., dict[int, np.ndarray]] | None = None
    options: dict[str, int] = field(default_factory=dict)


def floats(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


NEXT = """
%t = gpu.thread_id x
%c1 = arith.constant 1 : index
%n = gpu.block_dim x
%t1 = arith.addi %t, %c1 : index
%next = arith.remui %t1, %n : index
"""

SHIFT = "(%x: memref<64xf32>, %y: memref<64xf32>) workgroup(%s: memref<64xf32, " + SHARED + ">)"
LOAD_X = "%v = memref.load %x[%t] : memref<64xf32>\n"
PUT = f"memref.store %v, %s[%t] : memref<64xf32, {SHARED}>\n"
GET_NEXT = f"%w = memref.load %s[%next] : memref<64xf32, {SHARED}> {HERE}\n"
STORE_Y = "memref.store %w, %y[%t] : memref<64xf32>\n"


def shifted(x: np.ndarray, y: np.ndarray) -> dict[int, np.ndarray]:
    return {1: np.roll(x, -1)}


CASES = [
    Case(
        "a barrier is missing after a store",
        ReportKind.SHARED_RACE,
        "memref.load",
        SHIFT,
        NEXT + LOAD_X + PUT + "<wrong>" + GET_NEXT + STORE_Y,
        "",
        "gpu.barrier\n",
        lambda: [floats(64), floats(64)],
        expected=shifted,
    ),
    Case(
        "a barrier is missing before memory is used again",
        ReportKind.SHARED_RACE,
        "memref.store",
        SHIFT,
        NEXT
        + LOAD_X
        + PUT
        + "gpu.barrier\n"
        + GET_NEXT.replace(HERE, "")
        + f"<wrong>memref.store %w, %s[%t] : memref<64xf32, {SHARED}> {HERE}\n"
        + STORE_Y,
        "",
        "gpu.barrier\n",
        lambda: [floats(64), floats(64)],
        expected=shifted,
    ),
    Case(
        "a barrier of the subgroup does not order subgroups",
        ReportKind.SHARED_RACE,
        "memref.load",
        SHIFT,
        NEXT + LOAD_X + PUT + "<wrong>\n" + GET_NEXT + STORE_Y,
        "gpu.subgroup_barrier",
        "gpu.barrier",
        lambda: [floats(64), floats(64)],
        expected=shifted,
    ),
    Case(
        "a barrier inside of a branch that half the threads take",
        ReportKind.DIVERGENT_BARRIER,
        "gpu.barrier",
        "()",
        NEXT
        + f"""
        %c32 = arith.constant <wrong> : index
        %low = arith.cmpi ult, %t, %c32 : index
        scf.if %low {{
          gpu.barrier {HERE}
        }}
        """,
        "32",
        "64",
        lambda: [],
        threads=tuple(range(32, 64)),
    ),
    Case(
        "a barrier in a loop whose trip count differs between the lanes",
        ReportKind.DIVERGENT_BARRIER,
        "gpu.barrier",
        "()",
        NEXT
        + f"""
        %c0 = arith.constant 0 : index
        scf.for %i = %c0 to <wrong> step %c1 {{
          gpu.barrier {HERE}
        }}
        """,
        "%t",
        "%n",
        lambda: [],
        threads=(0,),
    ),
    Case(
        "a barrier of which both sides of a branch have their own",
        ReportKind.DIVERGENT_BARRIER,
        "gpu.barrier",
        "()",
        NEXT
        + f"""
        %c5 = arith.constant <wrong> : index
        %low = arith.cmpi ult, %t, %c5 : index
        scf.if %low {{
          gpu.barrier {HERE}
        }} else {{
          gpu.barrier
        }}
        """,
        "5",
        "0",
        lambda: [],
    ),
    Case(
        "a barrier of the subgroup that one lane does not reach",
        ReportKind.DIVERGENT_BARRIER,
        "gpu.subgroup_barrier",
        "()",
        NEXT
        + f"""
        %c = arith.constant <wrong> : index
        %low = arith.cmpi ult, %t, %c : index
        scf.if %low {{
          gpu.subgroup_barrier {HERE}
        }}
        """,
        "31",
        "32",
        lambda: [],
        threads=(31,),
    ),
    Case(
        "a read one past the end",
        ReportKind.OUT_OF_BOUNDS,
        "memref.load",
        "(%x: memref<64xf32>, %y: memref<64xf32>)",
        NEXT + f"%w = memref.load %x[<wrong>] : memref<64xf32> {HERE}\n" + STORE_Y,
        "%t1",
        "%next",
        lambda: [floats(64), floats(64)],
        threads=(63,),
        expected=shifted,
    ),
    Case(
        "a write one past the end",
        ReportKind.OUT_OF_BOUNDS,
        "memref.store",
        "(%x: memref<64xf32>, %y: memref<64xf32>)",
        NEXT + LOAD_X + f"memref.store %v, %y[<wrong>] : memref<64xf32> {HERE}\n",
        "%t1",
        "%next",
        lambda: [floats(64), floats(64)],
        threads=(63,),
        expected=lambda x, y: {1: np.roll(x, 1)},
    ),
    Case(
        "a vector that reaches past the end where the mask would not let it",
        ReportKind.OUT_OF_BOUNDS,
        "vector.transfer_read",
        "(%x: memref<254xf32>, %y: memref<256xf32>)",
        NEXT
        + f"""
        %i = affine.apply affine_map<(d0) -> (d0 * 4)>(%t)
        %left = affine.apply affine_map<(d0) -> (<wrong> - d0)>(%i)
        %mask = vector.create_mask %left : vector<4xi1>
        %zero = arith.constant 0.0 : f32
        %v = vector.transfer_read %x[%i], %zero, %mask {{in_bounds = [true]}} : memref<254xf32>, vector<4xf32> {HERE}
        vector.transfer_write %v, %y[%i] {{in_bounds = [true]}} : vector<4xf32>, memref<256xf32>
        """,
        "255",
        "254",
        lambda: [floats(254), floats(256)],
        threads=(63,),
        expected=lambda x, y: {1: np.concatenate([x, [0, 0]])},
    ),
    Case(
        "a view that reaches past the shared memory of the launch",
        ReportKind.OUT_OF_BOUNDS,
        "memref.view",
        "()",
        f"""
        %m = gpu.dynamic_shared_memory : memref<?xi8, {SHARED}>
        %shift = arith.constant <wrong> : index
        %v = memref.view %m[%shift][] : memref<?xi8, {SHARED}> to memref<16xf32, {SHARED}> {HERE}
        """,
        "68",
        "64",
        lambda: [],
        options={"shared_bytes": 128},
    ),
    Case(
        "a slice that leaves its memref",
        ReportKind.OUT_OF_BOUNDS,
        "memref.subview",
        "(%x: memref<64xf32>)",
        f"""
        %t = gpu.thread_id x
        %v = memref.subview %x[%t] [<wrong>] [1] : memref<64xf32> to memref<<wrong>xf32, strided<[1], offset: ?>> {HERE}
        """,
        "2",
        "1",
        lambda: [floats(64)],
        threads=(63,),
    ),
    Case(
        "two threads write one element of shared memory",
        ReportKind.SHARED_RACE,
        "memref.store",
        SHIFT,
        NEXT
        + LOAD_X
        + f"""
        %place = affine.apply affine_map<(d0) -> (d0 mod <wrong>)>(%t)
        memref.store %v, %s[%place] : memref<64xf32, {SHARED}> {HERE}
        """,
        "63",
        "64",
        lambda: [floats(64), floats(64)],
        threads=(0, 63),
    ),
    Case(
        "all threads write the same value to one element",
        ReportKind.SHARED_RACE,
        "memref.store",
        f"() workgroup(%s: memref<1xi32, {SHARED}>)",
        NEXT
        + f"""
        %c0 = arith.constant 0 : index
        %v = arith.constant 7 : i32
        %first = arith.cmpi ult, %t, <wrong> : index
        scf.if %first {{
          memref.store %v, %s[%c0] : memref<1xi32, {SHARED}> {HERE}
        }}
        """,
        "%n",
        "%c1",
        lambda: [],
    ),
    Case(
        "shared memory that nobody wrote",
        ReportKind.UNINITIALIZED,
        "memref.load",
        SHIFT,
        NEXT
        + LOAD_X
        + f"""
        %c63 = arith.constant <wrong> : index
        %low = arith.cmpi ult, %t, %c63 : index
        scf.if %low {{
          {PUT}
        }}
        gpu.barrier
        """
        + GET_NEXT
        + STORE_Y,
        "63",
        "64",
        lambda: [floats(64), floats(64)],
        threads=(62,),
        expected=shifted,
    ),
    Case(
        "private memory that the thread did not write",
        ReportKind.UNINITIALIZED,
        "memref.load",
        "(%x: memref<64xf32>, %y: memref<64xf32>)",
        NEXT
        + LOAD_X
        + f"""
        %c0 = arith.constant 0 : index
        %p = memref.alloca() : memref<2xf32, {PRIVATE}>
        memref.store %v, %p[%c1] : memref<2xf32, {PRIVATE}>
        %w = memref.load %p[<wrong>] : memref<2xf32, {PRIVATE}> {HERE}
        """
        + STORE_Y,
        "%c0",
        "%c1",
        lambda: [floats(64), floats(64)],
        expected=lambda x, y: {1: x},
    ),
    Case(
        "a row of a tile outside of its memory",
        ReportKind.OUT_OF_BOUNDS,
        "nvgpu.ldmatrix",
        f"() workgroup(%s: memref<16x16xf16, {SHARED}>)",
        f"""
        %lane = gpu.lane_id
        %r = affine.apply affine_map<(d0) -> (d0 mod 16)>(%lane)
        %first = affine.apply affine_map<(d0) -> ((d0 floordiv 16) * 8)>(%lane)
        %c0 = arith.constant 0 : index
        %zeros = arith.constant dense<0.0> : vector<8xf16>
        vector.transfer_write %zeros, %s[%r, %first] {{in_bounds = [true]}} : vector<8xf16>, memref<16x16xf16, {SHARED}>
        gpu.subgroup_barrier
        %row = affine.apply affine_map<(d0) -> (d0 mod 16 + <wrong>)>(%lane)
        %m = nvgpu.ldmatrix %s[%row, %first] {{numTiles = 4 : i32, transpose = false}} : memref<16x16xf16, {SHARED}> -> vector<4x2xf16> {HERE}
        """,
        "1",
        "0",
        lambda: [],
        block=32,
        threads=(15, 31),
    ),
    Case(
        "a row of a tile that does not begin at 16 bytes",
        ReportKind.MISALIGNED,
        "nvgpu.ldmatrix",
        f"() workgroup(%s: memref<8x<wrong>xf16, {SHARED}>)",
        f"""
        %lane = gpu.lane_id
        %c0 = arith.constant 0 : index
        %r = affine.apply affine_map<(d0) -> (d0 mod 8)>(%lane)
        %c8 = arith.constant 8 : index
        %low = arith.cmpi ult, %lane, %c8 : index
        scf.if %low {{
          %zeros = arith.constant dense<0.0> : vector<8xf16>
          vector.transfer_write %zeros, %s[%r, %c0] {{in_bounds = [true]}} : vector<8xf16>, memref<8x<wrong>xf16, {SHARED}>
        }}
        gpu.barrier
        %m = nvgpu.ldmatrix %s[%r, %c0] {{numTiles = 1 : i32, transpose = false}} : memref<8x<wrong>xf16, {SHARED}> -> vector<1x2xf16> {HERE}
        """,
        "12",
        "16",
        lambda: [],
        block=32,
        threads=(1, 3, 5, 7),
    ),
    Case(
        "copies are read that nobody waited for",
        ReportKind.ASYNC_PENDING,
        "memref.load",
        SHIFT,
        NEXT
        + f"""
        %token = nvgpu.device_async_copy %x[%t], %s[%t], 1 : memref<64xf32> to memref<64xf32, {SHARED}>
        %group = nvgpu.device_async_create_group %token
        <wrong>
        gpu.barrier
        """
        + GET_NEXT
        + STORE_Y
        + "nvgpu.device_async_wait {numGroups = 0 : i32}\n",
        "",
        "nvgpu.device_async_wait {numGroups = 0 : i32}",
        lambda: [floats(64), floats(64)],
        expected=shifted,
    ),
    Case(
        "a wait lets the group that is read stay under way",
        ReportKind.ASYNC_PENDING,
        "memref.load",
        SHIFT,
        NEXT
        + f"""
        %token = nvgpu.device_async_copy %x[%t], %s[%t], 1 : memref<64xf32> to memref<64xf32, {SHARED}>
        %group = nvgpu.device_async_create_group %token
        nvgpu.device_async_wait %group {{numGroups = <wrong> : i32}}
        gpu.barrier
        """
        + GET_NEXT
        + STORE_Y
        + "nvgpu.device_async_wait {numGroups = 0 : i32}\n",
        "1",
        "0",
        lambda: [floats(64), floats(64)],
        expected=shifted,
    ),
    Case(
        "copies of other threads are read without a barrier after the wait",
        ReportKind.SHARED_RACE,
        "memref.load",
        SHIFT,
        NEXT
        + f"""
        %token = nvgpu.device_async_copy %x[%t], %s[%t], 1 : memref<64xf32> to memref<64xf32, {SHARED}>
        %group = nvgpu.device_async_create_group %token
        nvgpu.device_async_wait %group {{numGroups = 0 : i32}}
        <wrong>
        """
        + GET_NEXT
        + STORE_Y,
        "",
        "gpu.barrier",
        lambda: [floats(64), floats(64)],
        expected=shifted,
    ),
    Case(
        "copies under way when the kernel ends",
        ReportKind.ASYNC_NEVER_AWAITED,
        "nvgpu.device_async_copy",
        SHIFT,
        NEXT
        + f"""
        %token = nvgpu.device_async_copy %x[%t], %s[%t], 1 : memref<64xf32> to memref<64xf32, {SHARED}> {HERE}
        %group = nvgpu.device_async_create_group %token
        <wrong>
        """,
        "",
        "nvgpu.device_async_wait {numGroups = 0 : i32}",
        lambda: [floats(64), floats(64)],
    ),
    Case(
        "blocks write one element",
        ReportKind.GLOBAL_RACE,
        "memref.store",
        "(%x: memref<64xf32>, %y: memref<128xf32>)",
        NEXT
        + LOAD_X
        + f"""
        %b = gpu.block_id x
        %i = affine.apply affine_map<(d0, d1) -> (d0 + d1 * <wrong>)>(%t, %b)
        memref.store %v, %y[%i] : memref<128xf32> {HERE}
        """,
        "63",
        "64",
        lambda: [floats(64), floats(128)],
        grid=2,
        threads=(0,),
        expected=lambda x, y: {1: np.concatenate([x, x])},
    ),
    Case(
        "a block reads what another block writes",
        ReportKind.GLOBAL_RACE,
        "memref.load",
        "(%y: memref<128xf32>)",
        NEXT
        + f"""
        %b = gpu.block_id x
        %v = arith.constant 1.0 : f32
        %i = affine.apply affine_map<(d0, d1) -> (d0 + d1 * 64)>(%t, %b)
        memref.store %v, %y[%i] : memref<128xf32>
        gpu.barrier
        %j = affine.apply affine_map<(d0, d1) -> (d0 + d1 * <wrong>)>(%t, %b)
        %w = memref.load %y[%j] : memref<128xf32> {HERE}
        """,
        "0",
        "64",
        lambda: [floats(128)],
        grid=2,
    ),
    Case(
        "a block writes what an earlier block read",
        ReportKind.GLOBAL_RACE,
        "memref.store",
        "(%y: memref<128xf32>)",
        NEXT
        + f"""
        %b = gpu.block_id x
        %j = affine.apply affine_map<(d0, d1) -> (d0 + (d1 + <wrong>) mod 2 * 64)>(%t, %b)
        %w = memref.load %y[%j] : memref<128xf32>
        gpu.barrier
        %c0 = arith.constant 0 : index
        %late = arith.cmpi ne, %b, %c0 : index
        scf.if %late {{
          %i = affine.apply affine_map<(d0, d1) -> (d0 + d1 * 64)>(%t, %b)
          memref.store %w, %y[%i] : memref<128xf32> {HERE}
        }}
        """,
        "1",
        "0",
        lambda: [floats(128)],
        grid=2,
    ),
    Case(
        "threads of one block pass values through global memory without a barrier",
        ReportKind.GLOBAL_RACE,
        "memref.load",
        "(%y: memref<64xf32>)",
        NEXT
        + f"""
        %v = arith.constant 1.0 : f32
        memref.store %v, %y[%t] : memref<64xf32>
        <wrong>
        %w = memref.load %y[%next] : memref<64xf32> {HERE}
        """,
        "",
        "gpu.barrier",
        lambda: [floats(64)],
    ),
    Case(
        "a shuffle that reads a lane which took another way",
        ReportKind.INACTIVE_LANE,
        "gpu.shuffle",
        "()",
        NEXT
        + f"""
        %half = arith.constant <wrong> : index
        %low = arith.cmpi ult, %t, %half : index
        scf.if %low {{
          %offset = arith.constant 16 : i32
          %width = arith.constant 32 : i32
          %v = arith.index_cast %t : index to i32
          %r, %valid = gpu.shuffle xor %v, %offset, %width : i32 {HERE}
        }}
        """,
        "16",
        "32",
        lambda: [],
        threads=tuple(range(16)),
    ),
    Case(
        "a shuffle that only some lanes of the subgroup execute",
        ReportKind.PARTIAL_SUBGROUP,
        "gpu.shuffle",
        "()",
        NEXT
        + f"""
        %half = arith.constant <wrong> : index
        %low = arith.cmpi ult, %t, %half : index
        scf.if %low {{
          %offset = arith.constant 8 : i32
          %width = arith.constant 32 : i32
          %v = arith.index_cast %t : index to i32
          %r, %valid = gpu.shuffle xor %v, %offset, %width : i32 {HERE}
        }}
        """,
        "16",
        "32",
        lambda: [],
        threads=tuple(range(16, 32)),
    ),
    Case(
        "a reduction over a subgroup that the block has only in part",
        ReportKind.PARTIAL_SUBGROUP,
        "gpu.subgroup_reduce",
        "()",
        NEXT
        + f"""
        %c32 = arith.constant 32 : index
        %some = arith.cmpi ult, %t, <wrong> : index
        scf.if %some {{
          %v = arith.index_cast %t : index to i32
          %r = gpu.subgroup_reduce add %v uniform : (i32) -> i32 {HERE}
        }}
        """,
        "%n",
        "%c32",
        lambda: [],
        block=48,
        threads=tuple(range(32, 48)),
    ),
    Case(
        "a vector at an address that is not aligned as claimed",
        ReportKind.MISALIGNED,
        "vector.transfer_read",
        "(%x: memref<256xf32>, %y: memref<64xf32>)",
        NEXT
        + f"""
        %i = affine.apply affine_map<(d0) -> (d0 * 2 + <wrong>)>(%t)
        %zero = arith.constant 0.0 : f32
        %v = vector.transfer_read %x[%i], %zero {{in_bounds = [true], alignment = 8 : i64}} : memref<256xf32>, vector<2xf32> {HERE}
        """,
        "1",
        "0",
        lambda: [floats(256), floats(64)],
    ),
    Case(
        "an asynchronous copy of 16 bytes to an address that is not aligned",
        ReportKind.MISALIGNED,
        "nvgpu.device_async_copy",
        f"(%x: memref<512xf32>) workgroup(%s: memref<512xf32, {SHARED}>)",
        f"""
        %t = gpu.thread_id x
        %i = affine.apply affine_map<(d0) -> (d0 * 4)>(%t)
        %j = affine.apply affine_map<(d0) -> (d0 * <wrong>)>(%t)
        %token = nvgpu.device_async_copy %x[%i], %s[%j], 4 : memref<512xf32> to memref<512xf32, {SHARED}> {HERE}
        %group = nvgpu.device_async_create_group %token
        nvgpu.device_async_wait %group
        """,
        "6",
        "8",
        lambda: [floats(512)],
        threads=tuple(range(1, 64, 2)),
    ),
    Case(
        "a division by zero in an active lane",
        ReportKind.UNDEFINED,
        "arith.remui",
        "()",
        NEXT
        + f"""
        %c0 = arith.constant 0 : index
        %some = arith.cmpi ne, %t, <wrong> : index
        scf.if %some {{
          %r = arith.remui %n, %t : index {HERE}
        }}
        """,
        "%n",
        "%c0",
        lambda: [],
    ),
    Case(
        "a store into a constant",
        ReportKind.READ_ONLY,
        "memref.store",
        "(%y: memref<64xf32>)",
        NEXT
        + f"""
        %k = memref.get_global @numbers : memref<64xf32>
        %v = memref.load %k[%t] : memref<64xf32>
        memref.store %v, <wrong>[%t] : memref<64xf32> {HERE}
        """,
        "%k",
        "%y",
        lambda: [floats(64)],
        expected=lambda y: {0: np.full(64, 2.5, np.float32)},
    ),
]


def text_of(case: Case, part: str) -> tuple[str, str]:
    return case.signature.replace("<wrong>", part), case.body.replace("<wrong>", part)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_the_wrong_kernel_is_reported(simulate, case: Case):
    signature, body = text_of(case, case.wrong)
    with pytest.raises(SimulationError) as caught:
        simulate(signature, body, case.args(), grid=case.grid, block=case.block, **case.options)
    report = caught.value
    assert report.kind is case.kind, str(report)
    assert report.op.name == case.op
    (line,) = (n for n, text in enumerate(body.splitlines()) if text.endswith(HERE))
    assert report.location is not None
    assert report.location.line == line + simulate.first_line
    assert report.function == "@m::@k"
    assert report.block == (case.grid - 1, 0, 0)
    assert report.threads
    if case.threads is not None:
        assert sorted(report.threads) == list(case.threads)
    assert case.kind in str(report)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_the_right_twin_passes(simulate, case: Case):
    args = case.args()
    before = [np.copy(a) for a in args]
    assert simulate(*text_of(case, case.right), args, grid=case.grid, block=case.block, **case.options) == ()
    if case.expected is not None:
        for place, values in case.expected(*before).items():
            np.testing.assert_array_equal(args[place], values)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_reports_can_be_collected(simulate, case: Case):
    """The run goes on, and what is wrong is among what was found, once."""
    signature, body = text_of(case, case.wrong)
    found = simulate(signature, body, case.args(), grid=case.grid, block=case.block, collect=20, **case.options)
    assert len([r for r in found if r.kind is case.kind and r.op.name == case.op]) >= 1
    assert len({(r.kind, r.op) for r in found}) == len(found)


def test_the_note_of_a_race_stands_at_the_other_access(simulate):
    case = CASES[1]
    signature, body = text_of(case, case.wrong)
    with pytest.raises(SimulationError) as caught:
        simulate(signature, body, case.args())
    (line,) = (n for n, text in enumerate(body.splitlines()) if text.startswith("%w = memref.load %s"))
    other = [n for n in caught.value.diagnostic.notes if n.location is not None]
    assert [n.location.line for n in other] == [line + simulate.first_line]
