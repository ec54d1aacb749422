"""Who threads are, what they exchange, how barriers order them, what a launch may be."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from stepwell.dialects.interp.gpu import RULES as HOST_RULES
from stepwell.dialects.interp.simt import ReportKind, SimulationError, launch
from stepwell.dialects.interp.simt.launch import RULES
from stepwell.dialects.registry import get_dialect
from stepwell.ir.errors import InvalidProgramError, UnsupportedError

RNG = np.random.default_rng(5)
SHARED = "#gpu.address_space<workgroup>"


def test_threads_of_three_dimensions_are_numbered_along_x_first(simulate):
    ids = np.zeros((2 * 3 * 2, 24, 8), np.int64)
    simulate(
        "(%y: memref<12x24x8xindex>)",
        """
        %tx = gpu.thread_id x
        %ty = gpu.thread_id y
        %tz = gpu.thread_id z
        %bx = gpu.block_id x
        %by = gpu.block_id y
        %bz = gpu.block_id z
        %nx = gpu.block_dim x
        %gz = gpu.grid_dim z
        %lane = gpu.lane_id
        %w = gpu.subgroup_id : index
        %global = gpu.global_id y
        %n = gpu.num_subgroups : index
        %size = gpu.subgroup_size : index
        %all = arith.addi %n, %size : index
        %t = affine.apply affine_map<(d0, d1, d2) -> (d0 + d1 * 4 + d2 * 12)>(%tx, %ty, %tz)
        %b = affine.apply affine_map<(d0, d1, d2) -> (d0 + d1 * 2 + d2 * 6)>(%bx, %by, %bz)
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c2 = arith.constant 2 : index
        %c3 = arith.constant 3 : index
        %c4 = arith.constant 4 : index
        %c5 = arith.constant 5 : index
        %c6 = arith.constant 6 : index
        %c7 = arith.constant 7 : index
        memref.store %t, %y[%b, %t, %c0] : memref<12x24x8xindex>
        memref.store %lane, %y[%b, %t, %c1] : memref<12x24x8xindex>
        memref.store %w, %y[%b, %t, %c2] : memref<12x24x8xindex>
        memref.store %nx, %y[%b, %t, %c3] : memref<12x24x8xindex>
        memref.store %gz, %y[%b, %t, %c4] : memref<12x24x8xindex>
        memref.store %global, %y[%b, %t, %c5] : memref<12x24x8xindex>
        memref.store %all, %y[%b, %t, %c6] : memref<12x24x8xindex>
        memref.store %b, %y[%b, %t, %c7] : memref<12x24x8xindex>
        """,
        [ids],
        grid=(2, 3, 2),
        block=(4, 3, 2),
    )
    t, b = np.arange(24), np.arange(12)
    assert (ids[:, :, 0] == t).all()
    assert (ids[:, :, 1] == t % 32).all()
    assert (ids[:, :, 2] == 0).all()
    assert (ids[:, :, 3] == 4).all()
    assert (ids[:, :, 4] == 2).all()
    assert (ids[:, :, 5] == (b[:, None] // 2 % 3) * 3 + t // 4 % 3).all()
    assert (ids[:, :, 6] == 33).all()
    assert (ids[:, :, 7] == b[:, None]).all()


def shuffled(mode: str, offset: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """What each of 64 threads reads, and if that is in its segment of `width` lanes."""
    sources, valid = [], []
    for t in range(64):
        lane, first = t % 32, t % 32 // width * width
        source = {"xor": lane ^ offset, "up": lane - offset, "down": lane + offset, "idx": first + offset}[mode]
        valid.append(first <= source < first + width)
        sources.append(t - lane + source if valid[-1] else t)
    return np.array(sources), np.array(valid)


@pytest.mark.parametrize("width", [32, 8])
@pytest.mark.parametrize("offset", [0, 1, 5, 9])
@pytest.mark.parametrize("mode", ["xor", "up", "down", "idx"])
def test_shuffles_read_other_lanes_of_their_segment(simulate, mode, offset, width):
    x, y, ok = RNG.standard_normal((64, 2)).astype(np.float16), np.zeros((64, 2), np.float16), np.zeros(64, np.bool_)
    simulate(
        "(%x: memref<64x2xf16>, %y: memref<64x2xf16>, %ok: memref<64xi1>)",
        f"""
        %t = gpu.thread_id x
        %c0 = arith.constant 0 : index
        %zero = arith.constant 0.0 : f16
        %v = vector.transfer_read %x[%t, %c0], %zero {{in_bounds = [true]}} : memref<64x2xf16>, vector<2xf16>
        %offset = arith.constant {offset} : i32
        %width = arith.constant {width} : i32
        %r, %valid = gpu.shuffle {mode} %v, %offset, %width : vector<2xf16>
        vector.transfer_write %r, %y[%t, %c0] {{in_bounds = [true]}} : vector<2xf16>, memref<64x2xf16>
        memref.store %valid, %ok[%t] : memref<64xi1>
        """,
        [x, y, ok],
        block=64,
    )
    sources, valid = shuffled(mode, offset, width)
    np.testing.assert_array_equal(y, x[sources])
    np.testing.assert_array_equal(ok, valid)


def numbers(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    if kind == "i32":
        return RNG.integers(-1000, 1000, shape, np.int32)
    dtype = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f64": np.float64}[kind]
    return RNG.integers(-8, 8, shape).astype(dtype)


@pytest.mark.parametrize(
    ("how", "kind", "reference"),
    [
        ("add", "f32", np.sum),
        ("add", "i32", np.sum),
        ("add", "bf16", np.sum),
        ("maxnumf", "f16", np.max),
        ("minimumf", "f64", np.min),
        ("maxsi", "i32", np.max),
        ("minsi", "i32", np.min),
        ("maxui", "i32", lambda a, axis: a.view(np.uint32).max(axis=axis).view(np.int32)),
        ("xor", "i32", np.bitwise_xor.reduce),
        ("and", "i32", np.bitwise_and.reduce),
    ],
)
@pytest.mark.parametrize("op", ["subgroup_reduce", "all_reduce"])
def test_reductions_give_every_lane_the_result(simulate, op, how, kind, reference):
    x = numbers(kind, (96,))
    y = np.zeros_like(x)
    body = "{} " if op == "all_reduce" else ""
    simulate(
        f"(%x: memref<96x{kind}>, %y: memref<96x{kind}>)",
        f"""
        %t = gpu.thread_id x
        %v = memref.load %x[%t] : memref<96x{kind}>
        %r = gpu.{op} {how} %v uniform {body}: ({kind}) -> {kind}
        memref.store %r, %y[%t] : memref<96x{kind}>
        """,
        [x, y],
        block=96,
    )
    groups = x.reshape(3, 32) if op == "subgroup_reduce" else x.reshape(1, 96)
    wide = groups.astype(np.float64) if groups.dtype.kind not in "iu" else groups
    expected = np.repeat(np.asarray(reference(wide, axis=1)), groups.shape[1])
    np.testing.assert_array_equal(y.astype(expected.dtype), expected.astype(y.dtype).astype(expected.dtype))


NEIGHBOURS = f"""
%t = gpu.thread_id x
%lane = gpu.lane_id
%partner = affine.apply affine_map<(d0) -> (d0 + 1 - 2 * (d0 mod 2))>(%t)
%v = memref.load %x[%t] : memref<64xf32>
memref.store %v, %s[%t] : memref<64xf32, {SHARED}>
gpu.subgroup_barrier
%w = memref.load %s[%partner] : memref<64xf32, {SHARED}>
gpu.subgroup_barrier
memref.store %w, %s[%t] : memref<64xf32, {SHARED}>
gpu.subgroup_barrier
%u = memref.load %s[%partner] : memref<64xf32, {SHARED}>
memref.store %u, %y[%t] : memref<64xf32>
"""


def test_a_barrier_of_the_subgroup_orders_its_lanes(simulate):
    x, y = RNG.standard_normal(64).astype(np.float32), np.zeros(64, np.float32)
    signature = f"(%x: memref<64xf32>, %y: memref<64xf32>) workgroup(%s: memref<64xf32, {SHARED}>)"
    simulate(signature, NEIGHBOURS, [x, y], block=64)
    np.testing.assert_array_equal(y, x)
    first, second, third = (i for i, line in enumerate(NEIGHBOURS.splitlines()) if line == "gpu.subgroup_barrier")
    for missing, op in ((first, "memref.load"), (second, "memref.store"), (third, "memref.load")):
        lines = NEIGHBOURS.splitlines()
        del lines[missing]
        with pytest.raises(SimulationError) as caught:
            simulate(signature, "\n".join(lines), [x, y], block=64)
        assert (caught.value.kind, caught.value.op.name) == (ReportKind.SHARED_RACE, op)


def test_lanes_of_one_subgroup_read_what_all_write_after_a_barrier_only(simulate):
    """Many readers of one element, of one subgroup or of two, and then a writer."""

    def body(reading_subgroups: int) -> str:
        return f"""
        %t = gpu.thread_id x
        %c0 = arith.constant 0 : index
        %c = arith.constant {32 * reading_subgroups} : index
        %one = arith.constant 1.0 : f32
        %first = arith.cmpi eq, %t, %c0 : index
        scf.if %first {{
          memref.store %one, %s[%c0] : memref<1xf32, {SHARED}>
        }}
        gpu.barrier
        %reads = arith.cmpi ult, %t, %c : index
        scf.if %reads {{
          %v = memref.load %s[%c0] : memref<1xf32, {SHARED}>
        }}
        gpu.subgroup_barrier
        scf.if %first {{
          memref.store %one, %s[%c0] : memref<1xf32, {SHARED}>
        }}
        """

    signature = f"() workgroup(%s: memref<1xf32, {SHARED}>)"
    assert simulate(signature, body(1), [], block=64) == ()
    with pytest.raises(SimulationError) as caught:
        simulate(signature, body(2), [], block=64)
    assert caught.value.kind is ReportKind.SHARED_RACE


def test_races_are_found_across_element_types_and_views(simulate):
    """A half written through one view, a word read through another."""
    body = f"""
    %t = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %m = gpu.dynamic_shared_memory : memref<?xi8, {SHARED}>
    %halves = memref.view %m[%c0][] : memref<?xi8, {SHARED}> to memref<64xf16, {SHARED}>
    %words = memref.view %m[%c0][] : memref<?xi8, {SHARED}> to memref<32xf32, {SHARED}>
    %one = arith.constant 1.0 : f16
    memref.store %one, %halves[%t] : memref<64xf16, {SHARED}>
    BARRIER
    %w = affine.apply affine_map<(d0) -> (d0 floordiv 2)>(%t)
    %v = memref.load %words[%w] : memref<32xf32, {SHARED}>
    """
    assert simulate("()", body.replace("BARRIER", "gpu.barrier"), [], block=64, shared_bytes=128) == ()
    with pytest.raises(SimulationError) as caught:
        simulate("()", body.replace("BARRIER", ""), [], block=64, shared_bytes=128)
    assert caught.value.kind is ReportKind.SHARED_RACE
    assert caught.value.threads == (0, 1)


def test_arguments_that_overlap_share_their_memory(simulate):
    arena = np.zeros(96, np.float32)
    signature = "(%x: memref<64xf32>, %y: memref<64xf32>)"
    body = """
    %t = gpu.thread_id x
    %v = memref.load %x[%t] : memref<64xf32>
    memref.store %v, %y[%t] : memref<64xf32>
    """
    with pytest.raises(SimulationError) as caught:
        simulate(signature, body, [arena[:64], arena[32:]], block=64)
    assert caught.value.kind is ReportKind.GLOBAL_RACE
    assert simulate(signature, body, [arena[:64].copy(), arena[32:]], block=64) == ()


def test_strided_and_reversed_arrays_are_written_in_place(simulate):
    x = np.arange(64, dtype=np.float32)
    kind = "memref<16xf32, strided<[?], offset: ?>>"
    body = f"""
    %t = gpu.thread_id x
    %v = memref.load %x[%t] : {kind}
    memref.store %v, %y[%t] : {kind}
    """
    y = np.zeros((16, 3), np.float32)
    simulate(f"(%x: {kind}, %y: {kind})", body, [x[62::-4], y[:, 1]], block=16)
    np.testing.assert_array_equal(y, np.stack([np.zeros(16), x[62::-4], np.zeros(16)], axis=1))


def test_alignment_counts_from_the_start_of_the_array_that_owns_the_memory(simulate):
    body = """
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %v = vector.transfer_read %x[%c0], %zero {in_bounds = [true], alignment = 16 : i64} : memref<4xf32>, vector<4xf32>
    """
    owner = np.zeros(16, np.float32)
    assert simulate("(%x: memref<4xf32>)", body, [owner[4:8]], block=1) == ()
    with pytest.raises(SimulationError) as caught:
        simulate("(%x: memref<4xf32>)", body, [owner[1:5]], block=1)
    assert caught.value.kind is ReportKind.MISALIGNED


def test_branches_on_sets_of_indices(simulate):
    y = np.zeros(40, np.int64)
    simulate(
        "(%y: memref<40xindex>)",
        """
        %t = gpu.thread_id x
        %c7 = arith.constant 7 : index
        %r = "affine.if"(%t, %c7) <{condition = affine_set<(d0)[s0] : (d0 - s0 >= 0, d0 mod 2 == 0)>}> ({
          "affine.yield"(%t) : (index) -> ()
        }, {
          "affine.yield"(%c7) : (index) -> ()
        }) : (index, index) -> index
        memref.store %r, %y[%t] : memref<40xindex>
        """,
        [y],
        block=40,
    )
    t = np.arange(40)
    np.testing.assert_array_equal(y, np.where((t >= 7) & (t % 2 == 0), t, 7))


def test_copies_of_fewer_elements_fill_with_zeros_and_read_no_others(simulate):
    x, y = np.arange(1, 11, dtype=np.float32), np.full((4, 4), -1, np.float32)
    simulate(
        f"(%x: memref<10xf32>, %y: memref<4x4xf32>) workgroup(%s: memref<4x4xf32, {SHARED}>)",
        f"""
        %t = gpu.thread_id x
        %c0 = arith.constant 0 : index
        %c4 = arith.constant 4 : index
        %i = arith.muli %t, %c4 : index
        %left = affine.apply affine_map<(d0) -> (10 - d0)>(%i)
        %most = arith.minsi %left, %c4 : index
        %n = arith.maxsi %most, %c0 : index
        %token = nvgpu.device_async_copy %x[%i], %s[%t, %c0], 4, %n : memref<10xf32> to memref<4x4xf32, {SHARED}>
        nvgpu.device_async_create_group %token
        nvgpu.device_async_wait {{numGroups = 0 : i32}}
        %zero = arith.constant 9.0 : f32
        %v = vector.transfer_read %s[%t, %c0], %zero {{in_bounds = [true]}} : memref<4x4xf32, {SHARED}>, vector<4xf32>
        vector.transfer_write %v, %y[%t, %c0] {{in_bounds = [true]}} : vector<4xf32>, memref<4x4xf32>
        """.replace("nvgpu.device_async_create_group", "%group = nvgpu.device_async_create_group"),
        [x, y],
        block=4,
    )
    np.testing.assert_array_equal(y.reshape(-1), np.concatenate([x, np.zeros(6)]))


def test_memory_of_a_block_is_fresh(simulate):
    """What an earlier block wrote there does not count."""
    with pytest.raises(SimulationError) as caught:
        simulate(
            f"() workgroup(%s: memref<1xf32, {SHARED}>)",
            f"""
            %b = gpu.block_id x
            %c0 = arith.constant 0 : index
            %first = arith.cmpi eq, %b, %c0 : index
            scf.if %first {{
              %one = arith.constant 1.0 : f32
              memref.store %one, %s[%c0] : memref<1xf32, {SHARED}>
            }}
            %v = memref.load %s[%c0] : memref<1xf32, {SHARED}>
            """,
            [],
            grid=2,
            block=1,
        )
    assert (caught.value.kind, caught.value.block) == (ReportKind.UNINITIALIZED, (1, 0, 0))


def test_without_checks_races_pass_and_bounds_do_not(simulate):
    race = """
    %c0 = arith.constant 0 : index
    %t = gpu.thread_id x
    memref.store %t, %y[%c0] : memref<1xindex>
    """
    outside = """
    %t = gpu.thread_id x
    memref.store %t, %y[%t] : memref<1xindex>
    """
    assert simulate("(%y: memref<1xindex>)", race, [np.zeros(1, np.int64)], check=False) == ()
    with pytest.raises(SimulationError) as caught:
        simulate("(%y: memref<1xindex>)", outside, [np.zeros(1, np.int64)], check=False)
    assert caught.value.kind is ReportKind.OUT_OF_BOUNDS


def test_collecting_stops_at_the_limit_and_leaves_out_what_is_outside(simulate):
    body = """
    %t = gpu.thread_id x
    %c1 = arith.constant 1 : index
    %i = arith.addi %t, %c1 : index
    %v = memref.load %y[%i] : memref<4xindex>
    memref.store %t, %y[%i] : memref<4xindex>
    gpu.barrier
    memref.store %t, %y[%i] : memref<4xindex>
    """
    for limit in (1, 2, 3):
        y = np.zeros(5, np.int64)
        found = simulate("(%y: memref<4xindex>)", body, [y[:4]], block=4, collect=limit)
        assert [r.kind for r in found[:2]] == [ReportKind.OUT_OF_BOUNDS] * min(limit, 2)
        assert len(found) == limit
        assert y[4] == 0


def test_a_report_reads_as_a_diagnostic(simulate):
    with pytest.raises(SimulationError) as caught:
        simulate(
            "(%x: memref<4xf32>)",
            "%t = gpu.thread_id x\n%v = memref.load %x[%t] : memref<4xf32>",
            [np.zeros(4, np.float32)],
        )
    assert str(caught.value).splitlines() == [
        "<string>:5:6: error: out of bounds: 'memref.load' op in @m::@k, block (0, 0, 0): "
        "thread 4 accesses %x with index 4 of dimension 0, whose extent is 4",
        "%v = memref.load %x[%t] : memref<4xf32>",
        "     ^~~~~~~~~~~",
        "note: the op is `%v = memref.load %x[%t] : memref<4xf32>`",
    ]


SIMPLE = """
gpu.module @m {
  gpu.func @k(%x: memref<4xf32>) WORKGROUP kernel SIZES {
    gpu.return
  }
}
"""


@pytest.mark.parametrize(
    ("workgroup", "sizes", "launched", "message"),
    [
        ("", "", {"block": [33, 32]}, "a block of 1056 threads; at most 1024 are possible"),
        ("", "", {"block": [0]}, "a block of (0, 1, 1) threads"),
        ("", "", {"grid": [1, 65536]}, "a grid of (1, 65536, 1) blocks"),
        ("", "attributes {known_block_size = array<i32: 64, 1, 1>}", {"block": [32]}, "knows of (64, 1, 1)"),
        ("", "attributes {known_grid_size = array<i32: 2, 1, 1>}", {}, "knows of (2, 1, 1)"),
        (f"workgroup(%s: memref<12289xf32, {SHARED}>)", "", {}, "49156 bytes of declared shared memory; 49152"),
        (
            f"workgroup(%s: memref<4xf32, {SHARED}>)",
            "",
            {"shared_bytes": 232433},
            "232449 bytes of shared memory; 232448",
        ),
    ],
)
def test_a_launch_the_machine_refuses(kernel, workgroup, sizes, launched, message):
    function = kernel(SIMPLE.replace("WORKGROUP", workgroup).replace("SIZES", sizes))
    with pytest.raises(SimulationError) as caught:
        launch(function, [np.zeros(4, np.float32)], **{"grid": [1], "block": [32], **launched})
    assert caught.value.kind is ReportKind.LAUNCH
    assert message in caught.value.message


def test_limits_are_those_of_the_machine_the_module_is_for(kernel):
    target = '#stepwell.target<{arch = "nvptx64", level = "simt", subgroup = 32 : i64, block_threads = 64 : i64, shared_bytes = 64 : i64, shared_limit = 128 : i64}>'
    text = f"builtin.module attributes {{stepwell.target = {target}}} {{{SIMPLE}}}"
    wide = text.replace("WORKGROUP", f"workgroup(%s: memref<17xf32, {SHARED}>)").replace("SIZES", "")
    narrow = text.replace("WORKGROUP", "").replace("SIZES", "")
    x = np.zeros(4, np.float32)
    for source, options in (
        (wide, {"block": [32]}),
        (narrow, {"block": [65]}),
        (narrow, {"block": [32], "shared_bytes": 129}),
    ):
        with pytest.raises(SimulationError) as caught:
            launch(kernel(source), [x], grid=[1], **options)
        assert caught.value.kind is ReportKind.LAUNCH


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "takes 1 arguments, not 0"),
        ([2.0], "argument %x is memref<4xf32>, not a number"),
        ([np.zeros(5, np.float32)], "not an array of float32 and shape (5,)"),
        ([np.zeros(4, np.float64)], "not an array of float64 and shape (4,)"),
        ([np.zeros(8, np.float32)[::2]], "the array is not contiguous"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(kernel, args, message):
    function = kernel(SIMPLE.replace("WORKGROUP", "").replace("SIZES", ""))
    with pytest.raises(InvalidProgramError) as caught:
        launch(function, args, grid=[1], block=[32])
    assert message in str(caught.value)


def test_an_op_without_meaning_in_a_kernel_is_refused(simulate):
    with pytest.raises(UnsupportedError) as caught:
        simulate("()", "%c = arith.constant 1 : index\n%t = gpu.alloc (%c) : memref<?xf32>", [])
    assert "does not know this op" in str(caught.value)
    with pytest.raises(UnsupportedError) as caught:
        simulate(
            "(%x: memref<4x4xf32>)",
            """
            %c0 = arith.constant 0 : index
            %z = arith.constant 0.0 : f32
            %v = vector.transfer_read %x[%c0, %c0], %z {in_bounds = [true], permutation_map = affine_map<(d0, d1) -> (d0)>} : memref<4x4xf32>, vector<4xf32>
            """,
            [np.zeros((4, 4), np.float32)],
        )
    assert "other than the last dimensions" in str(caught.value)


def test_threads_print_in_the_order_of_their_numbers(simulate, capsys):
    simulate(
        "()",
        """
        %t = gpu.thread_id x
        %c1 = arith.constant 1 : index
        %odd = arith.andi %t, %c1 : index
        %is_odd = arith.cmpi eq, %odd, %c1 : index
        %m = arith.constant -1 : i8
        %h = arith.constant 0.5 : f16
        scf.if %is_odd {
          gpu.printf "thread %lld of 100%%: %u %hhd %.2f;", %t, %m, %m, %h : index, i8, i8, f16
        }
        """,
        [],
        block=4,
    )
    assert capsys.readouterr().out == "thread 1 of 100%: 255 -1 0.50;thread 3 of 100%: 255 -1 0.50;"


def test_every_op_of_the_gpu_dialects_is_simulated():
    """Inside of a kernel, or by the host's rules; what only holds or ends others needs no meaning."""
    structural = {"gpu.func", "gpu.module", "gpu.return"}
    known = structural | set(RULES) | set(HOST_RULES)
    ops = [op.name for name in ("gpu", "nvgpu") for op in get_dialect(name).operations]
    assert [name for name in ops if name not in known] == []


def test_lanes_that_hold_memrefs_of_different_memory_are_refused(simulate):
    body = """
    %t = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %first = arith.cmpi eq, %t, %c0 : index
    %z = arith.select %first, %x, %y : memref<4xf32>
    """
    with pytest.raises(SimulationError) as caught:
        simulate("(%x: memref<4xf32>, %y: memref<4xf32>)", body, [np.zeros(4, np.float32), np.zeros(4, np.float32)])
    assert caught.value.kind is ReportKind.UNDEFINED
    assert "different memory" in caught.value.message
