"""What device code computes: its LLVM text, run on the CPU by `emulated_device`, against NumPy."""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from shuffle_programs import MODES, shuffled

DATA = Path(__file__).parent / "data"
RNG = np.random.default_rng(7)
WORKGROUP = "#gpu.address_space<workgroup>"
PRIVATE = "#gpu.address_space<private>"


def normal(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return RNG.normal(size=shape).astype(dtype)


def source(name: str, *changes: tuple[str, str]) -> str:
    text = (DATA / f"{name}.mlir").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def guarded(count: int, dtype: type) -> np.ndarray:
    """Memory that ends where a page begins that nobody may touch."""
    size = -(-count * np.dtype(dtype).itemsize // mmap.PAGESIZE) * mmap.PAGESIZE
    area = mmap.mmap(-1, size + mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    libc = ctypes.CDLL(None)
    assert libc.mprotect(ctypes.c_void_p(start + size), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    return np.frombuffer(area, np.uint8, size)[size - count * np.dtype(dtype).itemsize :].view(dtype)


# Whole kernels


@pytest.mark.parametrize("count", [1000, 1001, 1003, 900])
def test_a_masked_tail_reads_and_writes_nothing_beyond_the_end(emulated, count):
    aligned = "4" if count % 4 else "16"
    changes = [("1000", str(count)), ("alignment = 16", f"alignment = {aligned}")]
    x, y, out = (guarded(count, np.float32) for _ in range(3))
    x[:], y[:] = normal(count), normal(count)
    emulated(source("saxpy", *changes)).launch(2, 128, np.float32(2.5), x, y, out)
    exact = (2.5 * x.astype(np.float64) + y).astype(np.float32)
    np.testing.assert_array_equal(out, exact)


def test_a_transpose_through_padded_shared_memory(emulated):
    x, out = normal(1024, 768), np.zeros((768, 1024), np.float32)
    emulated(source("transpose")).launch(5, 256, x, out)
    np.testing.assert_array_equal(out[:160, :32], x.T[:160, :32])
    assert not out[160:].any()
    assert not out[:, 32:].any()


def test_sums_over_lanes_and_subgroups(emulated):
    x, out = normal(64, 4096), np.zeros(64, np.float32)
    emulated(source("block_sum")).launch(2, 256, x, out)
    np.testing.assert_allclose(out[:2], x[:2].sum(axis=1, dtype=np.float64), rtol=1e-5, atol=1e-4)


def test_a_product_of_tiles_in_shared_memory(emulated):
    text = source("matmul_shared", ("256x512", "256x48"), ("512x192", "48x192"), ("constant 512 ", "constant 48 "))
    a, b, out = normal(256, 48), normal(48, 192), np.zeros((256, 192), np.float32)
    emulated(text).launch(3, 256, a, b, out)
    np.testing.assert_allclose(out[:64], a[:64].astype(np.float64) @ b, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", ["f16", "bf16"])
def test_a_product_on_the_matrix_unit_with_copies_ahead(emulated, kind):
    dtype = np.float16 if kind == "f16" else ml_dtypes.bfloat16
    text = source(
        "mma",
        ("256x512", "64x96"),
        ("512x256", "96x64"),
        ("256x256", "64x64"),
        ("constant 512 ", "constant 96 "),
        ("constant 480 ", "constant 64 "),
        ("i32: 16, 1, 1", "i32: 1, 1, 1"),
        ("xf16", f"x{kind}"),
    )
    a, b, out = normal(64, 96, dtype=dtype), normal(96, 64, dtype=dtype), np.zeros((64, 64), np.float32)
    emulated(text).launch(1, 128, a, b, out)
    np.testing.assert_allclose(out, a.astype(np.float32) @ b.astype(np.float32), rtol=1e-5, atol=1e-4)


# Lanes


def lanes_kernel(type_: str, body: str, threads: int = 32, out: str = "") -> str:
    """Every thread computes `%r` of its element `%a`."""
    out = out or type_
    return f"""
    gpu.module @m {{
      gpu.func @phase0(%x: memref<{threads}x{type_}>, %o: memref<{threads}x{out}>) kernel
          attributes {{known_block_size = array<i32: {threads}, 1, 1>, access = ["read", "write"]}} {{
        %t = gpu.thread_id x
        %a = memref.load %x[%t] : memref<{threads}x{type_}>
        {body}
        memref.store %r, %o[%t] : memref<{threads}x{out}>
        gpu.return
      }}
    }}
    """


DTYPES = {
    "i1": np.bool_,
    "i8": np.int8,
    "i16": np.int16,
    "i32": np.int32,
    "i64": np.int64,
    "f16": np.float16,
    "f32": np.float32,
    "f64": np.float64,
}


def elements(type_: str, count: int = 32) -> np.ndarray:
    if type_ == "i1":
        return RNG.integers(0, 2, count).astype(np.bool_)
    if type_[0] == "i":
        info = np.iinfo(DTYPES[type_])
        return RNG.integers(info.min, info.max, count, dtype=DTYPES[type_], endpoint=True)
    return normal(count, dtype=DTYPES[type_])


@pytest.mark.parametrize("type_", DTYPES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.every(2)
def test_a_shuffle_moves_values_of_every_type(emulated, mode, type_):
    text = lanes_kernel(
        type_,
        f"%offset = arith.constant 3 : i32 %width = arith.constant 32 : i32 "
        f"%r, %v = gpu.shuffle {mode} %a, %offset, %width : {type_}",
    )
    x = elements(type_)
    out = np.zeros_like(x)
    emulated(text).launch(1, 32, x, out)
    np.testing.assert_array_equal(out, shuffled(x, 32, mode, 3, 32)[0])


@pytest.mark.parametrize("type_", ["vector<4xf32>", "vector<2xf16>", "vector<3xi8>", "vector<2xi64>", "vector<4xi1>"])
def test_vectors_are_shuffled_and_reduced_element_by_element(emulated, type_):
    lanes, element = int(type_[7]), type_[9:-1]
    body = f"""
        %c0 = arith.constant 0 : index
        %pad = arith.constant {"0.0" if element[0] == "f" else "0"} : {element}
        %v = vector.transfer_read %x[%t, %c0], %pad {{in_bounds = [true]}} : memref<32x{lanes}x{element}>, {type_}
        %one = arith.constant 1 : i32
        %width = arith.constant 32 : i32
        %r, %valid = gpu.shuffle xor %v, %one, %width : {type_}
        vector.transfer_write %r, %o[%t, %c0] {{in_bounds = [true]}} : {type_}, memref<32x{lanes}x{element}>"""
    text = f"""
    gpu.module @m {{
      gpu.func @phase0(%x: memref<32x{lanes}x{element}>, %o: memref<32x{lanes}x{element}>) kernel
          attributes {{known_block_size = array<i32: 32, 1, 1>}} {{
        %t = gpu.thread_id x
        {body}
        gpu.return
      }}
    }}"""
    x = elements(element, 32 * lanes).reshape(32, lanes)
    out = np.zeros_like(x)
    emulated(text).launch(1, 32, x, out)
    np.testing.assert_array_equal(out, x[np.arange(32) ^ 1])
    if element in ("i64", "f32"):
        reduced = text.replace("gpu.shuffle xor %v, %one, %width : " + type_, "REDUCE").replace(
            "%r, %valid = REDUCE", (f"%r = gpu.subgroup_reduce add %v uniform : ({type_}) -> {type_}")
        )
        emulated(reduced).launch(1, 32, x, out)
        np.testing.assert_allclose(out, np.broadcast_to(x.sum(axis=0), x.shape), rtol=1e-4, atol=1e-4)


UNSIGNED = {np.int8: np.uint8, np.int16: np.uint16, np.int32: np.uint32, np.int64: np.uint64}
REDUCTIONS = {
    "add": np.add,
    "mul": np.multiply,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "minsi": np.minimum,
    "maxsi": np.maximum,
    "minui": np.minimum,
    "maxui": np.maximum,
}


@pytest.mark.parametrize("cpu", ["sm_75", "sm_90"])
@pytest.mark.parametrize("type_", ["i8", "i16", "i32", "i64"])
@pytest.mark.parametrize("kind", REDUCTIONS)
@pytest.mark.every(3)
def test_integers_of_a_subgroup_are_combined(emulated, kind, type_, cpu):
    x = elements(type_)
    out = np.zeros_like(x)
    text = lanes_kernel(type_, f"%r = gpu.subgroup_reduce {kind} %a uniform : ({type_}) -> {type_}")
    emulated(text, cpu).launch(1, 32, x, out)
    values = x.view(UNSIGNED[DTYPES[type_]]) if kind.endswith("ui") else x
    expected = REDUCTIONS[kind].reduce(values, dtype=values.dtype)
    np.testing.assert_array_equal(out, np.full(32, expected).view(x.dtype))


@pytest.mark.parametrize("type_", ["f32", "f64"])
@pytest.mark.parametrize("kind", ["add", "mul", "minnumf", "maxnumf", "minimumf", "maximumf"])
def test_floats_of_a_subgroup_are_combined(emulated, kind, type_):
    x = elements(type_)
    x[5] = np.nan if kind not in ("add", "mul") else x[5]
    out = np.zeros_like(x)
    emulated(lanes_kernel(type_, f"%r = gpu.subgroup_reduce {kind} %a uniform : ({type_}) -> {type_}")).launch(
        1, 32, x, out
    )
    act = {
        "add": np.add,
        "mul": np.multiply,
        "minnumf": np.fmin,
        "maxnumf": np.fmax,
        "minimumf": np.minimum,
        "maximumf": np.maximum,
    }
    np.testing.assert_allclose(out, np.full(32, act[kind[:3] if kind in ("add", "mul") else kind].reduce(x)), rtol=1e-5)


# Memory


@pytest.mark.parametrize("limit", [0, 1, 3, 4, 7, 32, 37])
@pytest.mark.parametrize("type_", ["i1", "i8", "f64"])
def test_masks_of_any_kind_move_only_what_they_say(emulated, type_, limit):
    """A prefix and a pattern; strided and not; what is masked off keeps the padding or the old value."""
    pad = "0.0" if type_[0] == "f" else "0"
    text = f"""
    gpu.module @m {{
      gpu.func @phase0(%n: index, %x: memref<?x{type_}>, %p: memref<40xi1>, %o: memref<40x{type_}>, %q: memref<40x{type_}>)
          kernel attributes {{known_block_size = array<i32: 10, 1, 1>, access = ["read", "read", "read", "readwrite", "readwrite"]}} {{
        %c4 = arith.constant 4 : index
        %off = arith.constant false
        %pad = arith.constant {pad} : {type_}
        %t = gpu.thread_id x
        %i = arith.muli %t, %c4 : index
        %left = arith.subi %n, %i : index
        %m = vector.create_mask %left : vector<4xi1>
        %v = vector.transfer_read %x[%i], %pad, %m {{in_bounds = [true]}} : memref<?x{type_}>, vector<4x{type_}>
        vector.transfer_write %v, %o[%i], %m {{in_bounds = [true]}} : vector<4x{type_}>, memref<40x{type_}>
        %some = vector.transfer_read %p[%i], %off {{in_bounds = [true]}} : memref<40xi1>, vector<4xi1>
        %both = arith.andi %some, %m : vector<4xi1>
        %w = vector.transfer_read %x[%i], %pad, %both {{in_bounds = [true]}} : memref<?x{type_}>, vector<4x{type_}>
        vector.transfer_write %w, %q[%i], %some {{in_bounds = [true]}} : vector<4x{type_}>, memref<40x{type_}>
        gpu.return
      }}
    }}"""
    dtype = DTYPES[type_]
    x = guarded(limit, dtype) if limit else guarded(1, dtype)[:0]
    x[:] = elements(type_, limit)
    pattern = RNG.integers(0, 2, 40).astype(np.bool_)
    pattern[8:12] = True
    pattern[20:24] = False
    out, other = elements(type_, 40), elements(type_, 40)
    before, between = out.copy(), other.copy()
    emulated(text).launch(1, 10, np.int64(limit), x, pattern, out, other)
    np.testing.assert_array_equal(out[:limit], x)
    np.testing.assert_array_equal(out[limit:], before[limit:])
    padded = np.concatenate([x, np.zeros(40 - limit, dtype)])
    np.testing.assert_array_equal(other, np.where(pattern, padded, between))


def test_masked_columns_are_gathered_and_scattered(emulated):
    text = """
    gpu.module @m {
      gpu.func @phase0(%n: index, %x: memref<8x5xi64>, %o: memref<8x5xi64>) kernel
          attributes {known_block_size = array<i32: 5, 1, 1>, access = ["read", "read", "readwrite"]} {
        %c0 = arith.constant 0 : index
        %pad = arith.constant -1 : i64
        %t = gpu.thread_id x
        %m = vector.create_mask %n : vector<4xi1>
        %v = vector.transfer_read %x[%c0, %t], %pad, %m {in_bounds = [true], permutation_map = affine_map<(d0, d1) -> (d0)>}
          : memref<8x5xi64>, vector<4xi64>
        %one = arith.constant dense<1> : vector<4xi64>
        %w = arith.addi %v, %one : vector<4xi64>
        vector.transfer_write %w, %o[%c0, %t], %m {in_bounds = [true], permutation_map = affine_map<(d0, d1) -> (d0)>}
          : vector<4xi64>, memref<8x5xi64>
        gpu.return
      }
    }"""
    x = elements("i64", 40).reshape(8, 5) // 2
    for rows in (0, 2, 4, 9):
        out = np.zeros_like(x)
        emulated(text).launch(1, 5, np.int64(rows), x, out)
        expected = np.zeros_like(x)
        expected[: min(rows, 4)] = x[: min(rows, 4)] + 1
        np.testing.assert_array_equal(out, expected)


def test_asynchronous_copies_fill_with_zeros(emulated):
    text = f"""
    gpu.module @m {{
      gpu.func @phase0(%x: memref<100xf32>, %o: memref<128xf32>) workgroup(%s: memref<128xf32, {WORKGROUP}>) kernel
          attributes {{known_block_size = array<i32: 32, 1, 1>, access = ["read", "write"]}} {{
        %c0 = arith.constant 0 : index
        %c4 = arith.constant 4 : index
        %n = arith.constant 99 : index
        %pad = arith.constant 0.0 : f32
        %t = gpu.thread_id x
        %i = arith.muli %t, %c4 : index
        %left = arith.subi %n, %i : index
        %few = arith.minsi %left, %c4 : index
        %read = arith.maxsi %few, %c0 : index
        %k = nvgpu.device_async_copy %x[%i], %s[%i], 4, %read : memref<100xf32> to memref<128xf32, {WORKGROUP}>
        %g = nvgpu.device_async_create_group %k
        nvgpu.device_async_wait %g
        gpu.subgroup_barrier
        %v = vector.transfer_read %s[%i], %pad {{in_bounds = [true], alignment = 16 : i64}} : memref<128xf32, {WORKGROUP}>, vector<4xf32>
        vector.transfer_write %v, %o[%i] {{in_bounds = [true]}} : vector<4xf32>, memref<128xf32>
        gpu.return
      }}
    }}"""
    x, out = guarded(100, np.float32), np.ones(128, np.float32)
    x[:] = normal(100)
    emulated(text).launch(1, 32, x, out)
    np.testing.assert_array_equal(out, np.concatenate([x[:99], np.zeros(29, np.float32)]))


def test_threads_keep_memory_of_their_own_and_know_where_they_are(emulated):
    text = f"""
    gpu.module @m {{
      gpu.func @phase0(%o: memref<3x96x8xi64>) private(%mine: memref<4xi64, {PRIVATE}>) kernel
          attributes {{known_block_size = array<i32: 96, 1, 1>, access = ["write"]}} {{
        %t = gpu.thread_id x
        %b = gpu.block_id x
        %lane = gpu.lane_id
        %w = gpu.subgroup_id : index
        %g = gpu.global_id x
        %bd = gpu.block_dim x
        %gd = gpu.grid_dim x
        %n = gpu.num_subgroups : index
        %more = memref.alloca() : memref<2xi64, {PRIVATE}>
        {"".join(f"%c{i} = arith.constant {i} : index " for i in range(8))}
        {"".join(f"%v{i} = arith.index_cast %{v} : index to i64 " for i, v in enumerate(["t", "b", "lane", "w", "g", "bd", "gd", "n"]))}
        {"".join(f"memref.store %v{i}, %mine[%c{i}] : memref<4xi64, {PRIVATE}> " for i in range(4))}
        {"".join(f"memref.store %v{i}, %more[%c{i - 4}] : memref<2xi64, {PRIVATE}> " for i in (4, 5))}
        {"".join(f"%l{i} = memref.load %mine[%c{i}] : memref<4xi64, {PRIVATE}> " for i in range(4))}
        {"".join(f"%l{i} = memref.load %more[%c{i - 4}] : memref<2xi64, {PRIVATE}> " for i in (4, 5))}
        {"".join(f"memref.store %{'l' if i < 6 else 'v'}{i}, %o[%b, %t, %c{i}] : memref<3x96x8xi64> " for i in range(8))}
        gpu.return
      }}
    }}"""
    out = np.zeros((3, 96, 8), np.int64)
    emulated(text).launch(3, 96, out)
    b, t = np.mgrid[:3, :96]
    expected = np.stack([t, b, t % 32, t // 32, b * 96 + t, 0 * t + 96, 0 * t + 3, 0 * t + 3], axis=-1)
    np.testing.assert_array_equal(out, expected)


def test_affine_conditions_and_constants_of_the_program(emulated):
    text = """
    "memref.global"() <{sym_name = "table", sym_visibility = "private", type = memref<4xi32>, constant,
      initial_value = dense<[10, 20, 30, 40]> : tensor<4xi32>}> : () -> ()
    gpu.module @m {
      gpu.func @phase0(%o: memref<8xi32>) kernel attributes {known_block_size = array<i32: 8, 1, 1>, access = ["write"]} {
        %t = gpu.thread_id x
        %zero = arith.constant 0 : i32
        %table = memref.get_global @table : memref<4xi32>
        %r = "affine.if"(%t) <{condition = affine_set<(d0) : (d0 + -2 >= 0, d0 <= 5)>}> ({
          %i = affine.apply affine_map<(d) -> (d - 2)>(%t)
          %v = memref.load %table[%i] : memref<4xi32>
          "affine.yield"(%v) : (i32) -> ()
        }, {
          "affine.yield"(%zero) : (i32) -> ()
        }) : (index) -> i32
        memref.store %r, %o[%t] : memref<8xi32>
        gpu.return
      }
    }"""
    out = np.ones(8, np.int32)
    emulated(text).launch(1, 8, out)
    np.testing.assert_array_equal(out, [0, 0, 10, 20, 30, 40, 0, 0])
