"""Building gpu and nvgpu ops in Python, their memory effects, and the structure of device modules."""

from __future__ import annotations

import pytest
from xdsl.dialects import arith, func
from xdsl.dialects.builtin import IndexType, MemRefType, ModuleOp, NoneAttr, f16, f32, i32
from xdsl.ir import Operation

from stepwell.dialects import gpu, nvgpu
from stepwell.dialects.kernel import Level, LevelAttr, level_of
from stepwell.dialects.memref import AtomicKind, AtomicRMWOp, Scope
from stepwell.dialects.registry import context
from stepwell.dialects.scf import ForallOp, InParallelOp
from stepwell.ir.effects import Effects, effects, is_pure
from stepwell.ir.parser import parse_module
from stepwell.ir.structural_hash import structural_hash
from stepwell.ir.verify import verify_module

GLOBAL = MemRefType(f32, [64])
SHARED = MemRefType(f32, [32], NoneAttr(), gpu.WORKGROUP)
OWN = MemRefType(f32, [4], NoneAttr(), gpu.PRIVATE)


def kernel_module() -> tuple[gpu.ModuleOp, gpu.FuncOp]:
    """A kernel with all three kinds of memory."""
    kernel = gpu.FuncOp(
        "phase0",
        [GLOBAL, IndexType()],
        workgroup=[SHARED],
        private=[OWN],
        known_block_size=(64, 1, 1),
        known_grid_size=(8, 1, 1),
    )
    kernel.body.block.add_op(gpu.ReturnOp())
    return gpu.ModuleOp("k", [kernel]), kernel


def test_a_function_knows_its_arguments_and_its_memory():
    module, kernel = kernel_module()
    verify_module(module)
    assert [a.type for a in kernel.args] == [GLOBAL, IndexType()]
    assert [a.type for a in kernel.workgroup_args] == [SHARED]
    assert [a.type for a in kernel.private_args] == [OWN]
    assert kernel.block_size == (64, 1, 1)
    assert kernel.grid_size == (8, 1, 1)
    assert module.function("phase0") is kernel
    assert module.function("phase1") is None


def test_a_launch_finds_its_kernel():
    module, kernel = kernel_module()
    host = func.FuncOp("main", ([GLOBAL, IndexType(), i32], []))
    x, n, bytes_ = host.args
    one = arith.ConstantOp.from_int_and_width(1, IndexType())
    sizes = (n, one.result, one.result)
    launch = gpu.LaunchFuncOp("k", "phase0", sizes, sizes, [x, n], bytes_)
    host.body.block.add_ops([one, launch, gpu.MemcpyOp(x, x), func.ReturnOp()])
    verify_module(ModuleOp([module, host]))
    assert launch.kernel_func() is kernel
    assert launch.grid == sizes
    assert launch.block == sizes
    assert launch.dynamic_shared_memory_size is bytes_
    assert tuple(launch.args) == (x, n)


def thread_ops() -> list[tuple[Operation, Effects]]:
    """One op of each kind and what it does to memory."""
    module = parse_module(
        """
        func.func @values(%v: f32, %n: i32, %p: i1, %i: index, %x: memref<64xf16>, %c: memref<4xi32>,
                          %s: memref<64x64xf16, #gpu.address_space<workgroup>>) { func.return }
        """,
        "values.mlir",
        context(),
    )
    host = next(iter(module.ops))
    v, n, p, i, x, c, s = host.regions[0].block.args
    both = Effects.READ | Effects.WRITE
    a, b = nvgpu.LdMatrixOp(s, [i, i], 4), nvgpu.LdMatrixOp(s, [i, i], 2)
    copy = nvgpu.DeviceAsyncCopyOp(x, [i], s, [i, i], 8)
    return [
        (gpu.ThreadIdOp("x"), Effects.NONE),
        (gpu.BlockIdOp("x"), Effects.NONE),
        (gpu.BlockDimOp("y"), Effects.NONE),
        (gpu.GridDimOp("z"), Effects.NONE),
        (gpu.GlobalIdOp("x"), Effects.NONE),
        (gpu.LaneIdOp(upper_bound=32), Effects.NONE),
        (gpu.SubgroupIdOp(), Effects.NONE),
        (gpu.NumSubgroupsOp(), Effects.NONE),
        (gpu.SubgroupSizeOp(), Effects.NONE),
        (gpu.ShuffleOp(v, n, n, "xor"), Effects.NONE),
        (gpu.SubgroupReduceOp(v, "add", uniform=True), Effects.NONE),
        (gpu.AllReduceOp(v, "maxnumf"), Effects.NONE),
        (gpu.DynamicSharedMemoryOp(), Effects.NONE),
        (gpu.PrintfOp("%f", [v]), Effects.WRITE),
        (gpu.BarrierOp(), both),
        (gpu.SubgroupBarrierOp(), both),
        (gpu.FenceOp(Scope.DEVICE), both),
        (gpu.BallotOp(p), Effects.NONE),
        (gpu.VoteOp(p, "any"), Effects.NONE),
        (gpu.MatchOp(n, "all"), Effects.NONE),
        (AtomicRMWOp(AtomicKind.MAXU, n, c, [i], Scope.BLOCK), both),
        (gpu.AllocOp(GLOBAL), Effects.ALLOC),
        (gpu.DeallocOp(x), Effects.FREE),
        (gpu.MemcpyOp(x, x), both),
        (gpu.WaitOp(), both),
        (a, Effects.READ),
        (nvgpu.MmaSyncOp(a.result, b.result, a.result), Effects.NONE),
        (copy, both),
        (nvgpu.DeviceAsyncCreateGroupOp([copy.token]), both),
        (nvgpu.DeviceAsyncWaitOp(1), both),
    ]


@pytest.mark.parametrize(("op", "expected"), thread_ops(), ids=lambda x: getattr(x, "name", ""))
def test_the_effects_of_an_op_are_declared(op: Operation, expected: Effects):
    assert effects(op) is expected


def test_an_asynchronous_copy_knows_its_bytes():
    copy = next(op for op, _ in thread_ops() if isinstance(op, nvgpu.DeviceAsyncCopyOp))
    assert copy.elements == 8
    assert copy.bytes == 16


def test_a_wait_without_a_number_waits_for_all():
    assert nvgpu.DeviceAsyncWaitOp().pending == 0
    assert nvgpu.DeviceAsyncWaitOp(2).pending == 2


def test_an_update_knows_its_kind_and_scope():
    built = next(op for op, _ in thread_ops() if isinstance(op, AtomicRMWOp))
    built.verify()
    assert (built.combination, built.combination.combining, built.scope) == (AtomicKind.MAXU, "maxui", Scope.BLOCK)
    del built.attributes["scope"]
    assert built.scope is Scope.DEVICE
    assert AtomicKind.ASSIGN.combining is None


@pytest.mark.parametrize(("mode", "results"), [("any", 1), ("all", 2)])
def test_a_match_of_all_lanes_says_if_they_are_alike(mode: str, results: int):
    ballot = next(op for op, _ in thread_ops() if isinstance(op, gpu.BallotOp))
    built = gpu.MatchOp(ballot.result, mode)
    built.verify()
    assert len(built.results) == results


def test_a_name_that_is_no_dimension_or_mode_is_refused():
    with pytest.raises(ValueError, match="w"):
        gpu.ThreadIdOp("w")
    with pytest.raises(ValueError, match="rotate"):
        gpu.SubgroupReduceOp(gpu.ThreadIdOp("x").result, "rotate")


def test_device_modules_are_compared_by_what_they_hold():
    text = """
    gpu.module @NAME {{
      gpu.func @f(%x: memref<8x{0}>) {1}kernel attributes {{known_block_size = array<i32: {2}, 1, 1>}} {{
        gpu.return
      }}
    }}
    """

    def digest(name: str, *parts: object) -> str:
        module = parse_module(text.format(*parts).replace("NAME", name), "m.mlir", context())
        return structural_hash(next(iter(module.ops)))

    shared = "workgroup(%s: memref<4xf32, #gpu.address_space<workgroup>>) "
    private = "private(%s: memref<4xf32, #gpu.address_space<private>>) "
    same = digest("a", "f32", "", 64)
    assert digest("b", "f32", "", 64) == same
    different = [digest("a", "f16", "", 64), digest("a", "f32", "", 32), digest("a", "f32", shared, 64)]
    different.append(digest("a", "f32", private, 64))
    assert len({same, *different}) == 5


def test_the_level_of_a_loop_is_what_its_mapping_says():
    def loop(mapping: list[LevelAttr] | None) -> ForallOp:
        forall = ForallOp([4], [], mapping=mapping)
        forall.body.block.add_op(InParallelOp())
        return forall

    assert level_of(loop([LevelAttr(Level.BLOCK)])) is Level.BLOCK
    assert level_of(loop([LevelAttr(Level.THREAD)])) is Level.THREAD
    assert level_of(loop(None)) is None
    assert level_of(gpu.BarrierOp()) is None
    assert is_pure(loop([LevelAttr(Level.SUBGROUP)]))
    loop([LevelAttr(Level.SUBGROUP)]).verify()


def test_the_address_space_of_a_type_is_global_by_default():
    assert gpu.address_space(GLOBAL) is gpu.AddressSpace.GLOBAL
    assert gpu.address_space(SHARED) is gpu.AddressSpace.WORKGROUP
    assert gpu.address_space(OWN) is gpu.AddressSpace.PRIVATE
    assert gpu.address_space(MemRefType(f16, [2], NoneAttr(), i32)) is None
    assert gpu.address_space(f32) is None
