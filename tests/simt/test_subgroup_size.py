"""Subgroups are as large as the machine says: who is in one, what its barrier orders, what its lanes tell each other."""

from __future__ import annotations

import numpy as np
import pytest

from stepwell.dialects.interp.simt import ReportKind, SimulationError, launch
from stepwell.ir.errors import InvalidProgramError

SHARED = "#gpu.address_space<workgroup>"


def module(signature: str, body: str, lanes: int) -> str:
    target = f'#stepwell.target<{{level = "simt", subgroup = {lanes} : i64, block_threads = 1024 : i64, shared_bytes = 65536 : i64}}>'
    return f"""
builtin.module attributes {{stepwell.target = {target}}} {{
  gpu.module @m {{
    gpu.func @k{signature} kernel {{
      %t = gpu.thread_id x
      {body}
      gpu.return
    }}
  }}
}}
"""


@pytest.mark.parametrize("lanes", [32, 64])
def test_threads_know_their_subgroups(kernel, lanes):
    body = """
      %lane = gpu.lane_id
      %w = gpu.subgroup_id : index
      %n = gpu.num_subgroups : index
      %size = gpu.subgroup_size : index
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c2 = arith.constant 2 : index
      %c3 = arith.constant 3 : index
      memref.store %lane, %y[%c0, %t] : memref<4x192xindex>
      memref.store %w, %y[%c1, %t] : memref<4x192xindex>
      memref.store %n, %y[%c2, %t] : memref<4x192xindex>
      memref.store %size, %y[%c3, %t] : memref<4x192xindex>"""
    y = np.zeros((4, 192), np.int64)
    launch(kernel(module("(%y: memref<4x192xindex>)", body, lanes)), [y], grid=[1], block=[192])
    t = np.arange(192)
    np.testing.assert_array_equal(y, [t % lanes, t // lanes, 0 * t + 192 // lanes, 0 * t + lanes])


BESIDE = f"""
      %v = memref.load %x[%t] : memref<64xf32>
      memref.store %v, %s[%t] : memref<64xf32, {SHARED}>
      gpu.subgroup_barrier
      %c32 = arith.constant 32 : index
      %c64 = arith.constant 64 : index
      %far = arith.addi %t, %c32 : index
      %other = arith.remui %far, %c64 : index
      %w = memref.load %s[%other] : memref<64xf32, {SHARED}>
      memref.store %w, %x[%t] : memref<64xf32>"""


def test_a_barrier_of_a_subgroup_orders_as_many_threads_as_it_has_lanes(kernel):
    signature = f"(%x: memref<64xf32>) workgroup(%s: memref<64xf32, {SHARED}>)"
    x = np.arange(64, dtype=np.float32)
    launch(kernel(module(signature, BESIDE, 64)), [x], grid=[1], block=[64])
    np.testing.assert_array_equal(x, (np.arange(64) + 32) % 64)
    with pytest.raises(SimulationError) as caught:
        launch(kernel(module(signature, BESIDE, 32)), [x], grid=[1], block=[64])
    assert caught.value.kind is ReportKind.SHARED_RACE


def test_half_a_subgroup_of_64_is_reported(kernel):
    with pytest.raises(SimulationError, match=r"subgroup 1, of which the block has 32 lanes only") as caught:
        launch(kernel(module("()", "%p = arith.constant true %r = gpu.vote any %p : i1", 64)), [], grid=[1], block=[96])
    assert caught.value.kind is ReportKind.PARTIAL_SUBGROUP


ASKED = """
      %v = memref.load %x[%t] : memref<128xi32>
      %zero = arith.constant 0 : i32
      %p = arith.cmpi ne, %v, %zero : i32
      %mask = gpu.ballot %p : MASK
      %peers = gpu.match any %v : (i32) -> MASK
      %all, %same = gpu.match all %v : (i32) -> (MASK, i1)
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c2 = arith.constant 2 : index
      memref.store %mask, %y[%c0, %t] : memref<3x128xMASK>
      memref.store %peers, %y[%c1, %t] : memref<3x128xMASK>
      memref.store %all, %y[%c2, %t] : memref<3x128xMASK>"""


@pytest.mark.parametrize("lanes", [32, 64])
def test_masks_have_a_bit_for_each_lane(kernel, lanes):
    x = (np.arange(128) % 5 - 2).astype(np.int32)
    x[64:] = 7
    y = np.zeros((3, 128), np.int64)
    signature = "(%x: memref<128xi32>, %y: memref<3x128xi64>)"
    launch(kernel(module(signature, ASKED.replace("MASK", "i64"), lanes)), [x, y], grid=[1], block=[128])
    whole = (1 << lanes) - 1
    for first in range(0, 128, lanes):
        own = x[first : first + lanes]
        same = whole if (own == own[0]).all() else 0
        equal = [sum(1 << i for i in range(lanes) if own[i] == v) for v in own]
        seen = y[:, first : first + lanes].view(np.uint64)
        assert seen[0].tolist() == [sum(1 << i for i in range(lanes) if own[i])] * lanes
        assert seen[1].tolist() == equal
        assert seen[2].tolist() == [same] * lanes


def test_a_mask_with_fewer_bits_than_lanes_is_reported(kernel):
    x, y = np.zeros(128, np.int32), np.zeros((3, 128), np.int32)
    function = kernel(module("(%x: memref<128xi32>, %y: memref<3x128xi32>)", ASKED.replace("MASK", "i32"), 64))
    with pytest.raises(SimulationError, match="a mask of 32 bits of the 64 lanes of a subgroup"):
        launch(function, [x, y], grid=[1], block=[128])


def test_lanes_exchange_within_64(kernel):
    body = """
      %v = memref.load %x[%t] : memref<128xi32>
      %k = arith.constant 32 : i32
      %w = arith.constant 64 : i32
      %a, %ok = gpu.shuffle xor %v, %k, %w : i32
      %b = gpu.subgroup_reduce maxsi %v uniform : (i32) -> i32
      %r = arith.subi %b, %a : i32
      memref.store %r, %x[%t] : memref<128xi32>"""
    x = np.arange(128, dtype=np.int32) * 3 % 128
    want = np.repeat([x[:64].max(), x[64:].max()], 64) - x[np.arange(128) ^ 32]
    launch(kernel(module("(%x: memref<128xi32>)", body, 64)), [x], grid=[1], block=[128])
    np.testing.assert_array_equal(x, want)


def test_the_matrix_unit_takes_subgroups_of_32(kernel):
    body = f"""
      %c0 = arith.constant 0 : index
      %a = nvgpu.ldmatrix %s[%c0, %c0] {{numTiles = 4 : i32, transpose = false}} : memref<64x64xf16, {SHARED}> -> vector<4x2xf16>"""
    function = kernel(module(f"() workgroup(%s: memref<64x64xf16, {SHARED}>)", body, 64))
    with pytest.raises(SimulationError, match="takes subgroups of 32 lanes; this machine's have 64"):
        launch(function, [], grid=[1], block=[64])


def test_shared_memory_is_that_of_the_machine(kernel):
    signature = f"() workgroup(%s: memref<16385xf32, {SHARED}>)"
    with pytest.raises((SimulationError, InvalidProgramError), match="65540 bytes of declared shared memory; 65536"):
        launch(kernel(module(signature, "", 64)), [], grid=[1], block=[64])
