"""What passes read of `stepwell.target`."""

from __future__ import annotations

import pytest

from stepwell.ir.machine import MachineDescription, machine_of
from stepwell.source import parse

SIMT = """
module attributes {stepwell.target = #stepwell.target<{arch = "nvptx64", level = "simt", cpu = "sm_90",
    features = "mma_f16, async_copy", subgroup = 32 : i64, vector_bits = 4096 : i64, cores = 132 : i64,
    block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64,
    host = {level = "avx2", vector_bits = 256 : i64, cores = 8 : i64, features = "+avx2,+fma"}}>} {
  kernel.func @device(%x: memref<4xf32>) attributes {access = ["write"], kernel.place = "device"} {
    kernel.return
  }
  kernel.func @host(%x: memref<4xf32>) attributes {access = ["write"], kernel.place = "host"} {
    %c = arith.constant 1.0 : f32
    kernel.return
  }
}
"""

PLAIN = """
module attributes {stepwell.target = #stepwell.target<{level = "avx512", vector_bits = 512 : i64, cores = 2 : i64}>} {
  kernel.func @k(%x: memref<4xf32>) attributes {access = ["write"], kernel.place = "host"} {
    kernel.return
  }
}
"""


def test_a_simt_machine_has_subgroups_and_shared_memory():
    device = next(iter(parse(SIMT).body.block.ops))
    machine = machine_of(device)
    assert machine == MachineDescription(
        level="simt",
        vector_bits=4096,
        cores=132,
        subgroup=32,
        block_threads=1024,
        shared_bytes=49152,
        shared_limit=232448,
        features=("mma_f16", "async_copy"),
    )


@pytest.mark.parametrize("inside", [False, True])
def test_a_kernel_placed_on_the_host_sees_the_host(inside):
    module = parse(SIMT)
    _, host = module.body.block.ops
    machine = machine_of(host.regions[0].block.first_op if inside else host)
    assert (machine.level, machine.cores, machine.subgroup) == ("avx2", 8, 1)
    assert machine.features == ("+avx2", "+fma")
    assert machine_of(module).level == "simt"


def test_a_target_without_a_host_is_its_own():
    (kernel,) = parse(PLAIN).body.block.ops
    machine = machine_of(kernel)
    assert (machine.level, machine.subgroup, machine.shared_bytes) == ("avx512", 1, 0)


def target(entries: str, place: str = "device") -> str:
    return f"""
module attributes {{stepwell.target = #stepwell.target<{{{entries}}}>}} {{
  kernel.func @k(%x: memref<4xf32>) attributes {{access = ["write"], kernel.place = "{place}"}} {{
    kernel.return
  }}
}}
"""


OLD_HOST = 'host = {level = "sse4.2", features = "+sse4.2"}'
NEW_HOST = 'host = {level = "avx2", features = "+avx2,+fma"}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (target('level = "avx2", features = "+avx2,+fma"'), True),
        (target('level = "sse4.2", features = "+sse4.2"'), False),
        (target('level = "avx2", features = "+avx2,+fma4"'), False),
        (target('level = "sse4.2"'), False),
        (target(f'level = "simt", subgroup = 32 : i64, features = "", {OLD_HOST}'), True),
        (target(f'level = "simt", subgroup = 32 : i64, features = "", {OLD_HOST}', "host"), False),
        (target(f'level = "simt", subgroup = 32 : i64, features = "", {NEW_HOST}', "host"), True),
        ('kernel.func @k(%x: memref<4xf32>) attributes {access = ["write"]} {\n  kernel.return\n}', True),
    ],
)
def test_whether_products_and_sums_are_one_op_is_asked_of_the_kernels_own_machine(text, expected):
    (kernel,) = parse(text).body.block.ops
    assert machine_of(kernel).has_fma == expected


@pytest.mark.parametrize(
    ("level", "subgroup", "expected"),
    [
        ("avx512", 1, True),
        ("avx2", 1, False),
        ("sse4.2", 1, False),
        ("neon", 1, False),
        ("scalar", 1, False),
        ("simt", 32, True),
    ],
)
def test_what_lanes_can_do_by_themselves_goes_by_the_level(level, subgroup, expected):
    machine = MachineDescription(level=level, subgroup=subgroup)
    assert machine.has_gather_scatter == expected
    assert machine.has_masked_ops == expected
