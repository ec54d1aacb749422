"""The `gpu` dialect: what a thread of a grid does, and how the host launches grids and moves memory.

The ops, their names and their text are MLIR's; they are defined here, with memory effects and complete verifiers.
`subgroup_barrier`, `fence`, `vote` and `match` are ours. Left out of MLIR's dialect: clusters, sparse and
matrix-library ops, `gpu.launch` with an inline body, reductions by a region, binaries. Memory spaces of memrefs are
`#gpu.address_space<workgroup>` and `<private>`; none is global memory. Atomic updates are `memref.atomic_rmw`.

```mlir
gpu.module @k0 {
  gpu.func @phase0(%x: memref<64xf32>) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %t = gpu.thread_id x
    %v = memref.load %x[%t] : memref<64xf32>
    %s = gpu.subgroup_reduce add %v uniform : (f32) -> f32
    memref.store %s, %x[%t] : memref<64xf32>
    gpu.return
  }
}
func.func @main(%x: memref<64xf32>) {
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  gpu.launch_func @k0::@phase0 blocks in (%c1, %c1, %c1) threads in (%c64, %c1, %c1) args(%x : memref<64xf32>)
  func.return
}
```
"""

from __future__ import annotations

from xdsl.ir import Dialect

from stepwell.dialects.gpu.attrs import (
    PRIVATE,
    WORKGROUP,
    AddressSpace,
    AddressSpaceAttr,
    AsyncTokenType,
    DimensionAttr,
    ReduceKind,
    ReduceKindAttr,
    ShuffleMode,
    ShuffleModeAttr,
    VoteMode,
    VoteModeAttr,
    address_space,
)
from stepwell.dialects.gpu.functions import MAX_BLOCK_THREADS, FuncOp, LaunchFuncOp, ModuleOp, ReturnOp
from stepwell.dialects.gpu.lanes import BallotOp, MatchOp, VoteOp
from stepwell.dialects.gpu.memory import (
    AllocOp,
    DeallocOp,
    HostRegisterOp,
    HostUnregisterOp,
    MemcpyOp,
    MemsetOp,
    WaitOp,
)
from stepwell.dialects.gpu.threads import (
    AllReduceOp,
    BarrierOp,
    BlockDimOp,
    BlockIdOp,
    DynamicSharedMemoryOp,
    FenceOp,
    GlobalIdOp,
    GridDimOp,
    LaneIdOp,
    NumSubgroupsOp,
    PrintfOp,
    ShuffleOp,
    SubgroupBarrierOp,
    SubgroupIdOp,
    SubgroupReduceOp,
    SubgroupSizeOp,
    ThreadIdOp,
)

Gpu = Dialect(
    "gpu",
    [
        AllReduceOp,
        AllocOp,
        BallotOp,
        BarrierOp,
        BlockDimOp,
        BlockIdOp,
        DeallocOp,
        DynamicSharedMemoryOp,
        FenceOp,
        FuncOp,
        GlobalIdOp,
        GridDimOp,
        HostRegisterOp,
        HostUnregisterOp,
        LaneIdOp,
        LaunchFuncOp,
        MatchOp,
        MemcpyOp,
        MemsetOp,
        ModuleOp,
        NumSubgroupsOp,
        PrintfOp,
        ReturnOp,
        ShuffleOp,
        SubgroupBarrierOp,
        SubgroupIdOp,
        SubgroupReduceOp,
        SubgroupSizeOp,
        ThreadIdOp,
        VoteOp,
        WaitOp,
    ],
    [AddressSpaceAttr, AsyncTokenType, DimensionAttr, ReduceKindAttr, ShuffleModeAttr, VoteModeAttr],
)

__all__ = [
    "MAX_BLOCK_THREADS",
    "PRIVATE",
    "WORKGROUP",
    "AddressSpace",
    "AddressSpaceAttr",
    "AllReduceOp",
    "AllocOp",
    "AsyncTokenType",
    "BallotOp",
    "BarrierOp",
    "BlockDimOp",
    "BlockIdOp",
    "DeallocOp",
    "DimensionAttr",
    "DynamicSharedMemoryOp",
    "FenceOp",
    "FuncOp",
    "GlobalIdOp",
    "Gpu",
    "GridDimOp",
    "HostRegisterOp",
    "HostUnregisterOp",
    "LaneIdOp",
    "LaunchFuncOp",
    "MatchOp",
    "MemcpyOp",
    "MemsetOp",
    "ModuleOp",
    "NumSubgroupsOp",
    "PrintfOp",
    "ReduceKind",
    "ReduceKindAttr",
    "ReturnOp",
    "ShuffleMode",
    "ShuffleModeAttr",
    "ShuffleOp",
    "SubgroupBarrierOp",
    "SubgroupIdOp",
    "SubgroupReduceOp",
    "SubgroupSizeOp",
    "ThreadIdOp",
    "VoteMode",
    "VoteModeAttr",
    "VoteOp",
    "WaitOp",
    "address_space",
]
