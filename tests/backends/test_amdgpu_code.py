"""Code for AMD GPUs: targets, what a device module may not ask of one, and the assembly that LLVM makes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_nvptx_ops import _cases, _kernel, _vector_kernel

from stepwell.backends.amdgpu import PROCESSORS, amd_target
from stepwell.backends.gcn import compile_gcn, gcn_resources
from stepwell.backends.target import target_for
from stepwell.ir.errors import InternalError, InvalidProgramError, UnsupportedError
from stepwell.ir.machine import machine_of
from stepwell.source import parse

DATA = Path(__file__).parent / "data"
WORKGROUP = "#gpu.address_space<workgroup>"
KERNELS = ("saxpy", "transpose", "block_sum", "matmul_shared")


def kernel(body: str = "", arguments: str = "%x: memref<64xf32>", block: int = 64, memory: str = "") -> str:
    return f"""
gpu.module @m {{
  gpu.func @phase0({arguments}) {memory} kernel attributes {{known_block_size = array<i32: {block}, 1, 1>}} {{
    {body}
    gpu.return
  }}
}}
"""


@pytest.fixture
def gcn_of(llvm_of):
    """The assembly of a device module."""
    return lambda text, cpu="gfx90a": compile_gcn(llvm_of(text, cpu), amd_target(cpu))


def instructions(assembly: str) -> str:
    """The code alone."""
    return assembly[assembly.index(":\n") : assembly.index("s_endpgm")]


# Targets


@pytest.mark.parametrize(("cpu", "lanes"), [("gfx90a", 64), ("gfx942", 64), ("gfx1030", 32), ("gfx1100", 32)])
def test_the_attribute_says_what_passes_read(cpu, lanes):
    module = parse("func.func private @f()")
    module.attributes["stepwell.target"] = amd_target(cpu).attribute(target_for("avx2", generic=True))
    machine = machine_of(module)
    assert (machine.level, machine.subgroup, machine.vector_bits) == ("simt", lanes, 128 * lanes)
    assert (machine.block_threads, machine.shared_bytes, machine.shared_limit) == (1024, 65536, 65536)
    assert machine.features == ()


def test_an_unknown_processor_says_what_is_near():
    with pytest.raises(InvalidProgramError, match=r"unknown AMD processor 'gfx90b'; did you mean .*gfx90a"):
        amd_target("gfx90b")
    assert amd_target("gfx90a", cores=104).cores == 104
    assert dict(amd_target("gfx1100").describe())["lanes of a wavefront"] == "32"


REFUSED = {
    "matrix unit": (
        kernel(
            "%c0 = arith.constant 0 : index "
            f"%a = nvgpu.ldmatrix %s[%c0, %c0] {{numTiles = 4 : i32, transpose = false}} : memref<64x64xf16, {WORKGROUP}> -> vector<4x2xf16>",
            memory=f"workgroup(%s: memref<64x64xf16, {WORKGROUP}>)",
        ),
        UnsupportedError,
        "'nvgpu.ldmatrix' op.*an instruction of NVIDIA's GPUs, for which gfx90a has no equal",
    ),
    "copies that complete later": (
        kernel(
            "%c0 = arith.constant 0 : index "
            f"%t = nvgpu.device_async_copy %x[%c0], %s[%c0], 4 : memref<64xf32> to memref<64xf32, {WORKGROUP}>",
            memory=f"workgroup(%s: memref<64xf32, {WORKGROUP}>)",
        ),
        UnsupportedError,
        "'nvgpu.device_async_copy' op.*no equal",
    ),
    "shared memory": (
        kernel(memory=f"workgroup(%s: memref<16385xf32, {WORKGROUP}>)"),
        InvalidProgramError,
        "shares 65540 bytes in a block; gfx90a has at most 65536",
    ),
    "half a subgroup": (
        kernel("gpu.subgroup_barrier", block=96),
        UnsupportedError,
        "'gpu.subgroup_barrier' op.*a block of 96 threads has less than 64 lanes",
    ),
    "a mask that is too short": (
        kernel("%p = arith.constant true %r = gpu.ballot %p : i32"),
        UnsupportedError,
        "'gpu.ballot' op.*a mask of 32 bits of the 64 lanes of a subgroup; its type must be i64",
    ),
    "a mask of equals that is too short": (
        kernel("%v = arith.constant 1 : i32 %r = gpu.match any %v : (i32) -> i32"),
        UnsupportedError,
        "'gpu.match' op.*its type must be i64",
    ),
    "a thread's own memory": (
        kernel(
            "%c1 = arith.constant 1 : i32 %s = memref.alloca() : memref<i32> "
            "%r = memref.atomic_rmw addi %c1, %s[] : (i32, memref<i32>) -> i32"
        ),
        UnsupportedError,
        "'memref.atomic_rmw' op.*a thread's own memory has no atomic updates",
    ),
    "shared stack": (
        kernel(f"%s = memref.alloca() : memref<4xf32, {WORKGROUP}>"),
        UnsupportedError,
        "'memref.alloca' op.*not a thread's own",
    ),
    "exp": (
        kernel("%v = arith.constant 1.0 : f32 %r = math.exp %v : f32"),
        UnsupportedError,
        "'math.exp' op.*no rule for this op",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_device_cannot_do_is_refused_at_its_place(llvm_of, case):
    text, error, message = REFUSED[case]
    with pytest.raises(error, match=re.compile(message, re.DOTALL)) as caught:
        llvm_of(text, "gfx90a")
    assert re.match(r"<string>:\d+:\d+: error: ", str(caught.value))


def test_a_subgroup_of_32_lanes_has_what_one_of_64_lacks(llvm_of):
    assert "llvm.amdgcn.ballot.i32" in llvm_of(REFUSED["a mask that is too short"][0], "gfx1100")
    assert "llvm.amdgcn.wave.barrier" in llvm_of(REFUSED["half a subgroup"][0], "gfx1100")


def test_an_abort_of_llvm_is_an_error_and_the_next_module_compiles(gcn_of):
    wrong = 'source_filename = "k7"\n\ndefine amdgpu_kernel void @phase0() {\n  %x = alloca i32\n  store i32 1, ptr %x\n  ret void\n}\n'
    with pytest.raises(InternalError, match=r"LLVM made no assembly for device module @k7 on gfx90a"):
        compile_gcn(wrong, amd_target("gfx90a"))
    assert "s_endpgm" in gcn_of(kernel())


# Every op


def _on_vectors(number: int, case: tuple[str, str, str], lanes: int) -> str:
    """A kernel of an op on vectors of a thread."""
    source, result, op = case
    head, types = op.rsplit(" : ", 1)
    types = re.sub(r"\b(?:f8\w+|bf16|[fi]\d+)\b", lambda m: f"vector<{lanes}x{m[0]}>", types)
    pad = "0.0" if "f" in source else "0"
    memory = f"memref<{64 * lanes}x{source}>, vector<{lanes}x{source}>"
    return f"""
  gpu.func @k{number}(%x: memref<{64 * lanes}x{source}>, %o: memref<{64 * lanes}x{result}>) kernel {{
    %lanes = arith.constant {lanes} : index
    %pad = arith.constant {pad} : {source}
    %t = gpu.thread_id x
    %i = arith.muli %t, %lanes : index
    %a = vector.transfer_read %x[%i], %pad {{in_bounds = [true]}} : {memory}
    %b = vector.transfer_read %x[%t], %pad {{in_bounds = [true]}} : {memory}
    %r = {head} : {types}
    vector.transfer_write %r, %o[%i] {{in_bounds = [true]}} : vector<{lanes}x{result}>, memref<{64 * lanes}x{result}>
    gpu.return
  }}"""


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("lanes", [1, 2, 4, 3, 8, 16])
@pytest.mark.every(9)
def test_every_op_on_vectors_of_types_that_llvm_has_trouble_with(gcn_of, lanes, part):
    """It aborts on integers smaller than a byte in vectors, and on the copied sign of one lane of f64."""
    cases = [c for c in _cases() if "copysign" in c[2] or {"i2", "i4"} & set(c[:2])][part::3]
    kernels = [_on_vectors(i, case, lanes) for i, case in enumerate(cases)]
    resources = gcn_resources(gcn_of("gpu.module @all {" + "".join(kernels) + "\n}\n"))
    assert len(resources) == len(cases)
    assert not [r for r in resources if r.spill_stores]


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("cpu", PROCESSORS)
@pytest.mark.every(8)
def test_every_op_on_every_type_is_instructions_of_its_own(gcn_of, cpu, part):
    """No calls, no memory of a thread: all of it is in registers."""
    cases = _cases()[part::4]
    kernels = [_kernel(i, case) for i, case in enumerate(cases)]
    widths = [*((t, n) for t in ("f32", "f64", "i1", "i8", "i64") for n in (1, 4)), ("f32", 3), ("i8", 3)][part::4]
    kernels += [_vector_kernel(i, t, n) for i, (t, n) in enumerate(widths)]
    assembly = gcn_of("gpu.module @all {" + "".join(kernels) + "\n}\n", cpu)
    assert not re.search(r"^\s*(s_swappc|s_setpc|scratch_|buffer_load|buffer_store)", assembly, re.MULTILINE)
    resources = gcn_resources(assembly)
    assert [r.kernel for r in resources] == [
        *(f"k{i}" for i in range(len(cases))),
        *(f"v{i}" for i in range(len(widths))),
    ]
    assert not [r for r in resources if r.stack or r.spill_stores]


# Whole kernels


def source(name: str) -> str:
    return (DATA / f"{name}.mlir").read_text()


@pytest.mark.parametrize("cpu", ["gfx90a", "gfx942", "gfx1100"])
@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.every(2)
def test_a_kernel_is_all_in_registers_and_the_same_each_time(gcn_of, name, cpu):
    assembly = gcn_of(source(name), cpu)
    (resources,) = gcn_resources(assembly)
    assert (resources.kernel, resources.stack, resources.spill_stores) == ("phase0", 0, 0)
    assert resources.barriers == (name != "saxpy")
    assert 8 <= resources.registers <= 128
    assert assembly == gcn_of(source(name), cpu)


def counts(assembly: str, *names: str) -> list[int]:
    return [len(re.findall(rf"^\s*{re.escape(i)}[\s_]", assembly, re.MULTILINE)) for i in names]


def test_products_and_sums_are_not_contracted_and_denormals_are_kept(gcn_of):
    text = source("saxpy").replace("math.fma %va, %vx, %vy", "arith.mulf %va, %vx")
    for cpu in ("gfx90a", "gfx1100"):
        assembly = gcn_of(text, cpu)
        assert not re.search(r"v_(dual_|pk_)?(fma|mac|mad|fmac)", assembly)
        assert ".amdhsa_float_denorm_mode_32 3" in assembly
        assert ".amdhsa_float_denorm_mode_16_64 3" in assembly
    assert re.search(r"v_(pk_)?fma", gcn_of(source("saxpy")))


def test_a_kernel_says_how_large_its_blocks_are_and_which_format_it_has(gcn_of):
    assembly = gcn_of(source("block_sum"))
    assert ".max_flat_workgroup_size: 256" in assembly
    assert ".wavefront_size: 64" in assembly
    assert ".amdhsa_code_object_version 5" in assembly
    assert 'amdgcn_target "amdgcn-amd-amdhsa--gfx90a"' in assembly
    assert ".amdhsa_wavefront_size32 1" in gcn_of(source("block_sum"), "gfx1100")


def test_lanes_exchange_by_moves_where_the_processor_has_them(gcn_of):
    old, new = gcn_of(source("block_sum")), gcn_of(source("block_sum"), "gfx1100")
    assert counts(old, "ds_bpermute_b32", "ds_swizzle_b32", "s_barrier") == [2, 6, 1]
    assert len(re.findall(r"quad_perm:", old)) == 4
    assert counts(new, "ds_bpermute_b32", "ds_swizzle_b32", "v_permlanex16_b32", "s_barrier") == [0, 0, 2, 1]
    assert len(re.findall(r"row_xmask:", new)) == 4


def test_one_lane_gives_all_its_value_through_a_scalar(gcn_of):
    body = """%t = gpu.thread_id x
    %a = memref.load %x[%t] : memref<64xf32>
    %k = arith.constant 37 : i32
    %w = arith.constant 64 : i32
    %r, %v = gpu.shuffle idx %a, %k, %w : f32
    memref.store %r, %x[%t] : memref<64xf32>"""
    code = instructions(gcn_of(kernel(body)))
    assert counts(code, "v_readlane_b32", "ds_bpermute_b32") == [1, 0]


@pytest.mark.parametrize("barrier", ["gpu.barrier", "gpu.subgroup_barrier"])
@pytest.mark.parametrize("cpu", ["gfx90a", "gfx1100"])
def test_what_another_thread_writes_is_read_again_after_a_barrier(gcn_of, barrier, cpu):
    text = kernel(
        f"""%t = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %a = memref.load %s[%c0] : memref<64xf32, {WORKGROUP}>
    memref.store %a, %s[%t] : memref<64xf32, {WORKGROUP}>
    {barrier}
    %b = memref.load %s[%c0] : memref<64xf32, {WORKGROUP}>
    %r = arith.addf %a, %b : f32
    memref.store %r, %x[%t] : memref<64xf32>""",
        memory=f"workgroup(%s: memref<64xf32, {WORKGROUP}>)",
    )
    code = re.sub(r"ds_(load|store)", lambda m: {"load": "ds_read", "store": "ds_write"}[m[1]], gcn_of(text, cpu))
    first, second = (m.start() for m in re.finditer(r"ds_read_b32", code))
    assert first < code.index("ds_write_b32") < second
    if barrier == "gpu.barrier" and cpu == "gfx1100":
        assert code.index("ds_write_b32") < code.index("s_barrier") < second


def test_sizes_that_nobody_knows_come_from_the_packet_of_the_launch(gcn_of):
    body = """
  gpu.func @phase0(%o: memref<2xindex>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %n = gpu.block_dim x
    %g = gpu.grid_dim x
    memref.store %n, %o[%c0] : memref<2xindex>
    memref.store %g, %o[%c1] : memref<2xindex>
    gpu.return
  }"""
    assembly = gcn_of(f"gpu.module @m {{{body}}}\n")
    assert ".amdhsa_user_sgpr_dispatch_ptr 1" in assembly
    assert ".max_flat_workgroup_size: 1024" in assembly


def test_memory_whose_size_the_launch_says_takes_none_of_the_static_one(gcn_of):
    body = f"""%t = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %d = gpu.dynamic_shared_memory : memref<?xi8, {WORKGROUP}>
    %s = memref.view %d[%c0][] : memref<?xi8, {WORKGROUP}> to memref<64xf32, {WORKGROUP}>
    %a = memref.load %x[%t] : memref<64xf32>
    memref.store %a, %s[%t] : memref<64xf32, {WORKGROUP}>
    gpu.barrier
    %b = memref.load %s[%c0] : memref<64xf32, {WORKGROUP}>
    memref.store %b, %x[%t] : memref<64xf32>"""
    assembly = gcn_of(kernel(body))
    assert counts(assembly, "ds_write_b32", "ds_read_b32") == [1, 1]
    assert gcn_resources(assembly)[0].shared == 0


def test_memory_of_a_thread_is_not_put_into_that_of_its_block(gcn_of):
    """How much of that there is for how many blocks is what schedules count on."""
    private, row = "#gpu.address_space<private>", "memref<8xf32, strided<[1], offset: ?>>"
    body = f"""%t = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %r = memref.subview %x[%t, 0] [1, 8] [1, 1] : memref<64x8xf32> to {row}
    %p = memref.alloca() : memref<8xf32, {private}>
    "memref.copy"(%r, %p) : ({row}, memref<8xf32, {private}>) -> ()
    %a = memref.load %p[%c0] : memref<8xf32, {private}>
    %b = arith.addf %a, %a : f32
    memref.store %b, %p[%c0] : memref<8xf32, {private}>
    %q = memref.subview %o[%t, 0] [1, 8] [1, 1] : memref<64x8xf32> to {row}
    "memref.copy"(%p, %q) : (memref<8xf32, {private}>, {row}) -> ()"""
    (resources,) = gcn_resources(gcn_of(kernel(body, "%x: memref<64x8xf32>, %o: memref<64x8xf32>")))
    assert (resources.shared, resources.stack) == (0, 32)


# Memory that threads share


@pytest.mark.parametrize(
    ("kind", "type_", "scope", "instruction"),
    [
        ("addi", "i32", "device", "global_atomic_add"),
        ("addi", "i64", "block", "global_atomic_add_x2"),
        ("maxu", "i64", "device", "global_atomic_cmpswap_x2"),
        ("assign", "f32", "system", "global_atomic_swap"),
        ("maximumf", "f32", "device", "global_atomic_cmpswap"),
        ("addf", "f64", "device", "global_atomic_cmpswap_x2"),
    ],
)
def test_an_update_is_an_instruction_or_a_loop(gcn_of, kind, type_, scope, instruction):
    """What the host's memory, which a kernel may be given, cannot do is a loop."""
    body = f"""%c0 = arith.constant 0 : index
    %t = gpu.thread_id x
    %v = memref.load %x[%t] : memref<64x{type_}>
    %old = memref.atomic_rmw {kind} %v, %m[%c0] {{scope = "{scope}"}} : ({type_}, memref<1x{type_}>) -> {type_}
    memref.store %old, %x[%t] : memref<64x{type_}>"""
    assembly = gcn_of(kernel(body, f"%x: memref<64x{type_}>, %m: memref<1x{type_}>"))
    assert set(re.findall(r"\bglobal_atomic_\w+", assembly)) == {instruction}


def test_fences_order_memory_of_their_scope(llvm_of, gcn_of):
    text = kernel("".join(f'gpu.fence {{scope = "{scope}"}}\n' for scope in ("block", "device", "system")))
    assert re.findall(r"fence(.*) seq_cst", llvm_of(text, "gfx90a")) == [
        ' syncscope("workgroup")',
        ' syncscope("agent")',
        "",
    ]
    assert "buffer_wbl2" in gcn_of(text)
