"""GPU targets as values and attributes, and what a device module may not ask of one."""

from __future__ import annotations

import re

import pytest

from stepwell.backends.llvm.device_module import kernel_symbol
from stepwell.backends.nvptx import PROCESSORS, PTX_VERSIONS, gpu_target
from stepwell.backends.ptx import assemble, compile_ptx, ptxas
from stepwell.backends.target import target_for
from stepwell.ir.errors import InvalidProgramError, UnsupportedError
from stepwell.ir.machine import machine_of
from stepwell.source import parse

WORKGROUP = "#gpu.address_space<workgroup>"


def kernel(body: str = "", arguments: str = "%x: memref<64xf32>", attributes: str = "", memory: str = "") -> str:
    return f"""
gpu.module @m {{
  gpu.func @phase0({arguments}) {memory} kernel {attributes or "attributes {known_block_size = array<i32: 64, 1, 1>}"} {{
    {body}
    gpu.return
  }}
}}
"""


def test_the_attribute_says_what_passes_read_and_holds_the_host():
    attribute = gpu_target("sm_90").attribute(target_for("avx2", generic=True))
    module = parse("func.func private @f()")
    module.attributes["stepwell.target"] = attribute
    machine = machine_of(module)
    assert (machine.level, machine.subgroup, machine.vector_bits, machine.cores) == ("simt", 32, 4096, 132)
    assert (machine.block_threads, machine.shared_bytes, machine.shared_limit) == (1024, 49152, 232448)
    assert machine.features == ("mma_f16", "mma_bf16", "async_copy")
    assert str(attribute.entries.data["host"]).startswith('{arch = "x86_64", level = "avx2"')


def test_an_older_processor_lacks_features_and_memory():
    old, new = gpu_target("sm_75"), gpu_target("sm_80")
    assert (old.features, old.has("async_copy")) == ((), False)
    assert new.has("mma_bf16")
    assert old.shared_limit < new.shared_limit


@pytest.mark.parametrize("cpu", PROCESSORS)
@pytest.mark.skipif(ptxas() is None, reason="no ptxas here")
def test_every_processor_compiles_and_assembles_with_its_first_and_last_ptx_version(llvm_of, cpu):
    text = llvm_of(kernel("gpu.barrier"), cpu)
    for version in (None, PTX_VERSIONS[-1]):
        target = gpu_target(cpu, ptx=version)
        assert assemble(compile_ptx(text, target), target).resources[0].barriers == 1


def test_cores_can_be_those_of_the_card_at_hand():
    assert gpu_target("sm_90", cores=114).cores == 114
    assert dict(gpu_target("sm_90").describe())["shared memory"] == "48 KiB, up to 227 KiB"


@pytest.mark.parametrize(
    ("cpu", "ptx", "message"),
    [
        ("sm_91", None, r"unknown GPU processor 'sm_91'; did you mean .*sm_90.*processors are sm_75, sm_80"),
        ("volta", None, r"unknown GPU processor 'volta'; the processors are"),
        ("sm_90", 79, r"unknown PTX version 79"),
        ("sm_90a", 78, r"PTX version 78 does not know sm_90a; the first that does is 80"),
    ],
)
def test_a_target_that_llvm_would_abort_on_is_refused(cpu, ptx, message):
    with pytest.raises(InvalidProgramError, match=message):
        gpu_target(cpu, ptx=ptx)


TILE = f"memref<64x64xf16, {WORKGROUP}>"
MMA = (
    "%c0 = arith.constant 0 : index %s = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>> "
    f"%v = memref.view %s[%c0][] : memref<?xi8, {WORKGROUP}> to {TILE} "
    f"%a = nvgpu.ldmatrix %v[%c0, %c0] {{numTiles = 4 : i32, transpose = false}} : {TILE} -> vector<4x2xf16> "
    "%b = vector.extract_strided_slice %a {offsets = [0, 0], sizes = [2, 2], strides = [1, 1]} : vector<4x2xf16> to vector<2x2xf16> "
    "%c = arith.constant dense<0.0> : vector<2x2xf32> "
    "%d = nvgpu.mma.sync(%a, %b, %c) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>"
)
SIZES = "attributes {{known_block_size = array<i32: {block}>, known_grid_size = array<i32: {grid}>}}"

REFUSED = {
    "mma": (kernel(MMA), "sm_75", UnsupportedError, "'nvgpu.mma.sync' op.*sm_75 does not have it.*sm_80"),
    "bf16": (kernel(MMA.replace("xf16", "xbf16")), "sm_75", UnsupportedError, "'nvgpu.mma.sync' op.*sm_80"),
    "copy": (
        kernel(
            "%c0 = arith.constant 0 : index "
            f"%t = nvgpu.device_async_copy %x[%c0], %s[%c0], 4 : memref<64xf32> to memref<64xf32, {WORKGROUP}>",
            memory=f"workgroup(%s: memref<64xf32, {WORKGROUP}>)",
        ),
        "sm_75",
        UnsupportedError,
        "'nvgpu.device_async_copy' op.*sm_80",
    ),
    "static shared memory": (
        kernel(memory=f"workgroup(%s: memref<16000xf32, {WORKGROUP}>)"),
        "sm_90",
        UnsupportedError,
        "64000 bytes of workgroup memory; more than 49152 must be gpu.dynamic_shared_memory",
    ),
    "shared memory": (
        kernel(memory=f"workgroup(%s: memref<25000xf32, {WORKGROUP}>, %r: memref<2000xf32, {WORKGROUP}>)"),
        "sm_86",
        InvalidProgramError,
        "shares 108096 bytes in a block; sm_86 has at most 101376",
    ),
    "block": (
        kernel(attributes=SIZES.format(block="32, 2, 1", grid="1, 1, 1")),
        "sm_90",
        UnsupportedError,
        "a block of 32x2x1 threads",
    ),
    "grid": (
        kernel(attributes=SIZES.format(block="32, 1, 1", grid="1, 70000, 1")),
        "sm_90",
        InvalidProgramError,
        "a grid of 1x70000x1 blocks",
    ),
    "part of a subgroup": (
        kernel("gpu.subgroup_barrier", attributes=SIZES.format(block="40, 1, 1", grid="1, 1, 1")),
        "sm_90",
        UnsupportedError,
        "'gpu.subgroup_barrier' op.*the last subgroup of a block of 40 threads has less than 32 lanes",
    ),
    "missing lanes": (
        kernel("%v = arith.constant 1 : i32 %r = gpu.subgroup_reduce add %v : (i32) -> i32"),
        "sm_90",
        UnsupportedError,
        "must be uniform",
    ),
    "small floats": (
        kernel("%v = arith.constant 1.0 : bf16 %r = gpu.subgroup_reduce add %v uniform : (bf16) -> bf16"),
        "sm_90",
        UnsupportedError,
        "bf16 must be expanded to f32",
    ),
    "block reduction": (
        kernel("%v = arith.constant 1 : i32 %r = gpu.all_reduce add %v uniform {} : (i32) -> i32"),
        "sm_90",
        UnsupportedError,
        "'gpu.all_reduce' op.*shared memory and barriers",
    ),
    "arguments": (
        kernel(arguments=", ".join(f"%x{i}: memref<4xf32>" for i in range(513))),
        "sm_90",
        UnsupportedError,
        "4104 bytes of arguments; a launch passes at most 4096",
    ),
    "complex numbers": (
        kernel(
            "%t = gpu.thread_id x %v = memref.load %x[%t] : memref<64xcomplex<f32>>",
            arguments="%x: memref<64xcomplex<f32>>",
        ),
        "sm_90",
        UnsupportedError,
        "complex numbers have no device form",
    ),
    "tensors": (kernel("%t = tensor.empty() : tensor<4xf32>"), "sm_90", UnsupportedError, "run bufferize"),
    "exp": (
        kernel("%v = arith.constant 1.0 : f32 %r = math.exp %v : f32"),
        "sm_90",
        UnsupportedError,
        "'math.exp' op.*no rule for this op",
    ),
    "sums of bf16": (
        kernel("%v = arith.constant 1.0 : bf16 %r = arith.addf %v, %v : bf16"),
        "sm_90",
        UnsupportedError,
        r"'arith.addf' op.*run expand-math",
    ),
    "parallel loops": (
        kernel("rt.parallel_for (%i) = 0 to 4 grain 1 { }"),
        "sm_90",
        UnsupportedError,
        "'rt.parallel_for' op.*no rule",
    ),
    "shared stack": (
        kernel(f"%s = memref.alloca() : memref<4xf32, {WORKGROUP}>"),
        "sm_90",
        UnsupportedError,
        "'memref.alloca' op.*not a thread's own",
    ),
    "memory space": (
        kernel("%s = memref.alloca() : memref<4xf32, 7 : i32>"),
        "sm_90",
        UnsupportedError,
        "unknown memory space",
    ),
    "access": (
        kernel(attributes='attributes {access = ["read", "write"]}'),
        "sm_90",
        UnsupportedError,
        "2 kinds of access for 1 arguments",
    ),
    "functions": (
        kernel().replace(" kernel ", " "),
        "sm_90",
        UnsupportedError,
        "only kernels are compiled for the device",
    ),
    "variable globals": (
        '"memref.global"() <{sym_name = "g", sym_visibility = "private", type = memref<4xi32>, initial_value = dense<1> : tensor<4xi32>}> : () -> ()'
        + kernel("%g = memref.get_global @g : memref<4xi32>"),
        "sm_90",
        UnsupportedError,
        "@g is not a constant",
    ),
    "large globals": (
        '"memref.global"() <{sym_name = "g", sym_visibility = "private", constant, type = memref<20000xi32>, initial_value = dense<1> : tensor<20000xi32>}> : () -> ()'
        + kernel("%g = memref.get_global @g : memref<20000xi32>"),
        "sm_90",
        UnsupportedError,
        "pass it to the kernel",
    ),
    "no global": (
        kernel("%g = memref.get_global @g : memref<4xi32>"),
        "sm_90",
        UnsupportedError,
        "no memref.global named @g",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_device_cannot_do_is_refused_at_its_place(llvm_of, case):
    text, cpu, error, message = REFUSED[case]
    with pytest.raises(error, match=re.compile(message, re.DOTALL)) as caught:
        llvm_of(text, cpu)
    assert re.match(r"<string>:\d+:\d+: error: ", str(caught.value))


def test_the_same_modules_are_taken_by_a_processor_that_has_it(llvm_of):
    for case in ("mma", "bf16", "copy"):
        assert "llvm.nvvm." in llvm_of(REFUSED[case][0], "sm_80")


def test_kernel_names_are_ptx_identifiers():
    assert [kernel_symbol(n) for n in ("phase0", "a.b", "0x", "_", "_k", "$a")] == [
        "phase0",
        "a$2Eb",
        "$0x",
        "$_",
        "_k",
        "$24a",
    ]
    assert kernel_symbol("é") == "$C3$A9"
