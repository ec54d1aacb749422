"""gpu-outline-kernels: phases of kernels become grids, launches become `gpu.launch_func`s and copies.

Before:
    kernel.func @k(%x: memref<1000xf32>, %y: memref<1000xf32>) attributes {access = ["read", "write"], ...} {
      scf.forall (%t) in (8) { ... vector<128xf32> ... } {mapping = [#kernel.level<subgroup>]}
      kernel.return
    }
    func.func @main(%x, %y, %arena, %workers) { kernel.launch @k ins(%x) outs(%y) ... }

After:
    gpu.module @k {
      gpu.func @phase0(%x, %y) kernel attributes {known_block_size = array<i32: 128, 1, 1>, ...} { ... vector<4xf32> ... }
    }
    func.func @main(%x, %y, %arena, %workers, %staging) {
      gpu.launch_func @k::@phase0 blocks in (%c2, %c1, %c1) threads in (%c128, %c1, %c1) args(%x, %y) ...

A subgroup's vectors are spread over its lanes, scratch becomes shared memory or registers, and threads wait for each other
where the parts of a task depend on each other (`passes/gpu_mapping`). What runs on the host works on copies in the staging
memory. docs/decisions/0005-gpu-road.md has the whole contract.

Needs: step 5, `stepwell.target` of a machine with subgroups.  Keeps: kernels placed on the host.
Fails: UnsupportedError for an op without a form on lanes; InvalidProgramError for a schedule beyond the machine's limits.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, StringAttr, UnitAttr
from xdsl.ir import Operation
from xdsl.rewriter import InsertPoint

from stepwell.dialects import gpu, kernel
from stepwell.dialects.scf import ForallOp
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.diagnostics import invalid, unsupported
from stepwell.ir.machine import HOST, PLACE, machine_of
from stepwell.ir.passes import Pass
from stepwell.passes.gpu_mapping.host import HostWriter
from stepwell.passes.gpu_mapping.ordering import accessed
from stepwell.passes.gpu_mapping.phases import Phase, map_phase
from stepwell.passes.preconditions import needs_buffers


@dataclass(frozen=True)
class GpuOutlineKernelsPass(Pass):
    """Kernels of the device as `gpu.module`s, the host as launches and copies."""

    name = "gpu-outline-kernels"
    numerics = "rounding"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Map every kernel that is placed on the device, then rewrite the host."""
        del ctx
        if not isinstance(op, ModuleOp):
            raise invalid(op, f"'{self.name}' runs on a module")
        needs_buffers(op, self.name)
        machine = machine_of(op)
        if machine.subgroup <= 1:
            raise invalid(op, f"'{self.name}' needs a target with subgroups", "compile with --target gpu-sim")
        phases: dict[str, list[Phase]] = {}
        for function in list(op.body.block.ops):
            if isinstance(function, kernel.FuncOp) and not _on_host(function):
                phases[function.sym_name.data] = _outline(function)
        host = HostWriter(dict(phases))
        functions = [f for f in op.body.block.ops if isinstance(f, func.FuncOp) and f.body.blocks.first is not None]
        for function in functions:
            host.rewrite(function)
        for function in functions:
            host.finish(function)
        if phases:
            op.attributes["gpu.container_module"] = UnitAttr()


def _on_host(function: kernel.FuncOp) -> bool:
    place = function.attributes.get(PLACE)
    return isinstance(place, StringAttr) and place.data == HOST


def _outline(function: kernel.FuncOp) -> list[Phase]:
    """Replace a kernel by a `gpu.module` of its phases."""
    machine = machine_of(function)
    found: list[Phase] = []
    for op in function.body.block.ops:
        if isinstance(op, ForallOp):
            phase = map_phase(function, op, f"phase{len(found)}", machine)
            if phase.grid:
                found.append(phase)
        elif accessed(op):
            raise unsupported(op, "it stands between the phases of a kernel")
    module = gpu.ModuleOp(function.sym_name.data, [p.function for p in found])
    for name, value in function.attributes.items():
        module.attributes[name] = value
    if function.schedule is not None:
        module.attributes["schedule"] = function.schedule
    LocatedBuilder(InsertPoint.before(function), function.location).insert(module)
    function.detach()
    function.erase()
    return found


__all__ = ["GpuOutlineKernelsPass"]
