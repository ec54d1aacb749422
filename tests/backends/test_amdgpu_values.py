"""What code for AMD GPUs computes: its LLVM text, run on the CPU by `emulated_device`, against NumPy, at 32 and 64 lanes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shuffle_programs import MODES, check_shuffles, shuffle_kernel, shuffled

from stepwell.backends.amdgpu import amd_target
from stepwell.dialects.gpu import FuncOp
from stepwell.dialects.interp.simt import launch
from stepwell.source import parse

DATA = Path(__file__).parent / "data"
RNG = np.random.default_rng(11)
WORKGROUP = "#gpu.address_space<workgroup>"
PRIVATE = "#gpu.address_space<private>"
DTYPES = {"i1": np.bool_, "i8": np.int8, "i32": np.int32, "i64": np.int64, "f16": np.float16, "f64": np.float64}


@pytest.fixture(params=["gfx90a", "gfx1100"])
def cpu(request):
    return request.param


@pytest.fixture
def lanes(cpu):
    return amd_target(cpu).subgroup


def elements(type_: str, *shape: int) -> np.ndarray:
    dtype = DTYPES[type_]
    if type_[0] == "f":
        return RNG.normal(size=shape).astype(dtype)
    return RNG.integers(-100, 100, shape).astype(dtype) if type_ != "i1" else RNG.integers(0, 2, shape).astype(dtype)


def kernel(body: str, threads: int, arguments: str) -> str:
    return f"""
    gpu.module @m {{
      gpu.func @phase0({arguments}) kernel attributes {{known_block_size = array<i32: {threads}, 1, 1>}} {{
        %t = gpu.thread_id x
        {body}
        gpu.return
      }}
    }}"""


def lanes_kernel(type_: str, body: str, threads: int) -> str:
    """Every thread computes `%r` of its element `%a`."""
    body = f"""%a = memref.load %x[%t] : memref<{threads}x{type_}>
        {body}
        memref.store %r, %o[%t] : memref<{threads}x{type_}>"""
    return kernel(body, threads, f"%x: memref<{threads}x{type_}>, %o: memref<{threads}x{type_}>")


# Whole kernels


def test_sums_over_lanes_and_subgroups(emulated, cpu):
    x, out = RNG.normal(size=(64, 4096)).astype(np.float32), np.zeros(64, np.float32)
    emulated((DATA / "block_sum.mlir").read_text(), cpu).launch(1, 256, x, out)
    np.testing.assert_allclose(out[:1], x[:1].sum(axis=1, dtype=np.float64), rtol=1e-5, atol=1e-4)
    assert not out[1:].any()


def test_a_masked_tail_and_wide_rows(emulated, cpu):
    x, y, out = (RNG.normal(size=1000).astype(np.float32) for _ in range(3))
    emulated((DATA / "saxpy.mlir").read_text(), cpu).launch(2, 128, np.float32(2.5), x, y, out)
    np.testing.assert_array_equal(out, (2.5 * x.astype(np.float64) + y).astype(np.float32))


# Lanes


def test_every_exchange_by_an_exclusive_or(emulated, cpu, lanes):
    """By moves within four, within sixteen, between rows, by swizzles and by addresses."""
    cases = [(step, lanes) for step in (0, 1, 2, 3, 4, 7, 8, 12, 15, 16, 17, 31, 32, 33, 48, 63)]
    device = emulated(shuffle_kernel("xor", cases, lanes, known=True), cpu)
    check_shuffles(lambda arguments: device.launch(1, lanes, *arguments), "xor", cases, lanes)


@pytest.mark.parametrize("type_", DTYPES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.every(6)
def test_a_shuffle_moves_values_of_every_type(emulated, cpu, lanes, mode, type_):
    body = (
        f"%offset = arith.constant 5 : i32 %width = arith.constant {lanes} : i32 "
        f"%r, %v = gpu.shuffle {mode} %a, %offset, %width : {type_}"
    )
    x = elements(type_, lanes)
    out = np.zeros_like(x)
    emulated(lanes_kernel(type_, body, lanes), cpu).launch(1, lanes, x, out)
    np.testing.assert_array_equal(out, shuffled(x, lanes, mode, 5, lanes)[0])


REDUCTIONS = {"add": np.add, "xor": np.bitwise_xor, "minsi": np.minimum, "maxui": np.maximum, "mul": np.multiply}


@pytest.mark.parametrize("type_", ["i8", "i32", "i64"])
@pytest.mark.parametrize("kind", REDUCTIONS)
@pytest.mark.every(5)
def test_integers_of_a_subgroup_are_combined(emulated, cpu, lanes, kind, type_):
    x = elements(type_, 2, lanes)
    out = np.zeros_like(x)
    text = lanes_kernel(type_, f"%r = gpu.subgroup_reduce {kind} %a uniform : ({type_}) -> {type_}", 2 * lanes)
    emulated(text, cpu).launch(1, 2 * lanes, x, out)
    values = x.view(f"u{x.dtype.itemsize}") if kind.endswith("ui") else x
    expected = REDUCTIONS[kind].reduce(values, axis=1, dtype=values.dtype, keepdims=True)
    np.testing.assert_array_equal(out, np.broadcast_to(expected, x.shape).astype(x.dtype))


def test_floats_are_combined_in_the_order_the_simulator_has(emulated, cpu, lanes):
    """To the bit, although sums of floats depend on their order: NaN, infinities and denormals included."""
    text = lanes_kernel("f64", "%r = gpu.subgroup_reduce add %a uniform : (f64) -> f64", lanes)
    level = f'level = "simt", subgroup = {lanes} : i64, block_threads = 1024 : i64'
    module = parse(f"builtin.module attributes {{stepwell.target = #stepwell.target<{{{level}}}>}} {{ {text} }}")
    (func,) = (op for op in module.walk() if isinstance(op, FuncOp))
    special = np.where(np.arange(lanes) == 3, np.nan, -0.0)
    for x in (RNG.normal(size=lanes) * 10.0 ** RNG.integers(-8, 8, lanes), np.full(lanes, 5e-324), special):
        out, simulated = np.zeros(lanes), np.zeros(lanes)
        emulated(text, cpu).launch(1, lanes, x, out)
        launch(func, [x.copy(), simulated], grid=[1], block=[lanes])
        np.testing.assert_array_equal(out, simulated)


@pytest.mark.parametrize("type_", ["i32", "i64"])
def test_ballots_votes_and_matches(emulated, cpu, lanes, type_):
    body = f"""%v = memref.load %x[%t] : memref<{lanes}x{type_}>
        %zero = arith.constant 0 : {type_}
        %p = arith.cmpi ne, %v, %zero : {type_}
        %ballot = gpu.ballot %p : i64
        %any = gpu.vote any %p : i1
        %all = gpu.vote all %p : i1
        %peers = gpu.match any %v : ({type_}) -> i64
        %everyone, %same = gpu.match all %v : ({type_}) -> (i64, i1)
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c2 = arith.constant 2 : index
        memref.store %ballot, %masks[%c0, %t] : memref<3x{lanes}xi64>
        memref.store %peers, %masks[%c1, %t] : memref<3x{lanes}xi64>
        memref.store %everyone, %masks[%c2, %t] : memref<3x{lanes}xi64>
        memref.store %any, %flags[%c0, %t] : memref<3x{lanes}xi1>
        memref.store %all, %flags[%c1, %t] : memref<3x{lanes}xi1>
        memref.store %same, %flags[%c2, %t] : memref<3x{lanes}xi1>"""
    arguments = f"%x: memref<{lanes}x{type_}>, %masks: memref<3x{lanes}xi64>, %flags: memref<3x{lanes}xi1>"
    device = emulated(kernel(body, lanes, arguments), cpu)
    whole = (1 << lanes) - 1
    high = np.where(np.arange(lanes) % 3 == 1, -(1 << 8 * np.dtype(DTYPES[type_]).itemsize - 1), 7)
    for x in (elements(type_, lanes) % 3, np.full(lanes, -5), high):
        x = x.astype(DTYPES[type_])
        masks, flags = np.zeros((3, lanes), np.uint64), np.zeros((3, lanes), np.bool_)
        device.launch(1, lanes, x, masks, flags)
        bits = [sum(1 << i for i in range(lanes) if x[i] == x[lane]) for lane in range(lanes)]
        same = bool((x == x[0]).all())
        np.testing.assert_array_equal(masks[0], np.uint64(sum(1 << i for i in range(lanes) if x[i] != 0)))
        np.testing.assert_array_equal(masks[1], np.array(bits, np.uint64))
        np.testing.assert_array_equal(masks[2], np.uint64(whole if same else 0))
        np.testing.assert_array_equal(flags[:, 0], [(x != 0).any(), (x != 0).all(), same])
        assert (flags == flags[:, :1]).all()


@pytest.mark.parametrize("count", [1, 4])
def test_integers_of_four_bits_and_signs_in_vectors(emulated, count):
    """What is done lane by lane for LLVM's sake; which lanes are whole in memory is told by a mask."""
    body = f"""%n = arith.constant {count} : index
        %pad = arith.constant 0 : i4
        %zero = arith.constant 0.0 : f64
        %i = arith.muli %t, %n : index
        %limit = arith.constant {8 * count - 2} : index
        %left = arith.subi %limit, %i : index
        %m = vector.create_mask %left : vector<{count}xi1>
        %a = vector.transfer_read %x[%i], %pad, %m {{in_bounds = [true]}} : memref<{8 * count}xi4>, vector<{count}xi4>
        %b = vector.transfer_read %y[%i], %pad {{in_bounds = [true]}} : memref<{8 * count}xi4>, vector<{count}xi4>
        %d = arith.divsi %a, %b : vector<{count}xi4>
        %c = arith.cmpi slt, %a, %b : vector<{count}xi4>
        %s = arith.muli %a, %b : vector<{count}xi4>
        %r = arith.select %c, %d, %s : vector<{count}xi1>, vector<{count}xi4>
        vector.transfer_write %r, %o[%i] {{in_bounds = [true]}} : vector<{count}xi4>, memref<{8 * count}xi4>
        %f = arith.sitofp %a : vector<{count}xi4> to vector<{count}xf64>
        %g = vector.transfer_read %z[%i], %zero {{in_bounds = [true]}} : memref<{8 * count}xf64>, vector<{count}xf64>
        %h = math.copysign %f, %g : vector<{count}xf64>
        vector.transfer_write %h, %p[%i] {{in_bounds = [true]}} : vector<{count}xf64>, memref<{8 * count}xf64>"""
    size = 8 * count
    arguments = f"%x: memref<{size}xi4>, %y: memref<{size}xi4>, %z: memref<{size}xf64>, %o: memref<{size}xi4>, %p: memref<{size}xf64>"
    x, y = (RNG.integers(-8, 8, size).astype(np.int8) for _ in range(2))
    y[y == 0] = 3
    y[y == -1] = 2
    z = RNG.normal(size=size)
    z[0] = -0.0
    out, signs = np.zeros(size, np.uint8), np.zeros(size)
    emulated(kernel(body, 8, arguments), "gfx90a").launch(
        1, 8, (x & 15).view(np.uint8), (y & 15).view(np.uint8), z, out, signs
    )
    seen = np.where(np.arange(size) < size - 2, x, 0).astype(np.int64)
    wanted = np.where(seen < y, np.trunc(seen / y).astype(np.int64), seen * y)
    np.testing.assert_array_equal(out, wanted & 15)
    np.testing.assert_array_equal(signs, np.copysign(seen.astype(np.float64), z))


# Memory


def test_threads_keep_memory_of_their_own_and_know_where_they_are(emulated, cpu, lanes):
    threads = 3 * lanes
    names = ("%t", "%b", "%lane", "%w", "%g", "%n", "%size")
    body = f"""%b = gpu.block_id x
        %lane = gpu.lane_id
        %w = gpu.subgroup_id : index
        %g = gpu.global_id x
        %n = gpu.num_subgroups : index
        %size = gpu.subgroup_size : index
        %mine = memref.alloca() : memref<8xi64, {PRIVATE}>
        {"".join(f"%c{i} = arith.constant {i} : index %v{i} = arith.index_cast {v} : index to i64 " for i, v in enumerate(names))}
        {"".join(f"memref.store %v{i}, %mine[%c{i}] : memref<8xi64, {PRIVATE}> " for i in range(7))}
        %first = memref.load %mine[%n] : memref<8xi64, {PRIVATE}>
        {"".join(f"%l{i} = memref.load %mine[%c{i}] : memref<8xi64, {PRIVATE}> " for i in range(7))}
        {"".join(f"memref.store %l{i}, %o[%b, %t, %c{i}] : memref<2x{threads}x8xi64> " for i in range(7))}
        %c7 = arith.constant 7 : index
        memref.store %first, %o[%b, %t, %c7] : memref<2x{threads}x8xi64>"""
    out = np.zeros((2, threads, 8), np.int64)
    emulated(kernel(body, threads, f"%o: memref<2x{threads}x8xi64>"), cpu).launch(2, threads, out)
    b, t = np.mgrid[:2, :threads]
    expected = np.stack([t, b, t % lanes, t // lanes, b * threads + t, 0 * t + 3, 0 * t + lanes, t // lanes], axis=-1)
    np.testing.assert_array_equal(out, expected)


def test_words_travel_through_shared_memory_and_across_barriers(emulated, cpu, lanes):
    body = f"""%a = memref.load %x[%t] : memref<{2 * lanes}xi32>
        memref.store %a, %s[%t] : memref<{2 * lanes}xi32, {WORKGROUP}>
        gpu.barrier
        %last = arith.constant {2 * lanes - 1} : index
        %other = arith.subi %last, %t : index
        %r = memref.load %s[%other] : memref<{2 * lanes}xi32, {WORKGROUP}>
        gpu.subgroup_barrier
        memref.store %r, %o[%t] : memref<{2 * lanes}xi32>"""
    text = kernel(body, 2 * lanes, f"%x: memref<{2 * lanes}xi32>, %o: memref<{2 * lanes}xi32>")
    text = text.replace(") kernel", f") workgroup(%s: memref<{2 * lanes}xi32, {WORKGROUP}>) kernel")
    x = elements("i32", 2 * lanes)
    out = np.zeros_like(x)
    emulated(text, cpu).launch(1, 2 * lanes, x, out)
    np.testing.assert_array_equal(out, x[::-1])
