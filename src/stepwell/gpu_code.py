"""Code of a step-6 module for a GPU: LLVM IR of its kernels and of what its host keeps, assembly, machine code, what it takes.

To look at, all device modules are one, with functions named `<module>__<function>`. To run, each is an image of its own, so that
what one kernel needs is loaded without the others.
"""

from __future__ import annotations

from xdsl.dialects import memref
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation

from stepwell.backends.amdgpu import AmdTarget
from stepwell.backends.gcn import compile_gcn, gcn_resources
from stepwell.backends.gpu_target import DeviceTarget
from stepwell.backends.llvm import amdgpu, nvptx
from stepwell.backends.llvm_ir import write_llvm
from stepwell.backends.nvptx import GpuTarget
from stepwell.backends.ptx import assemble, compile_ptx, format_resources
from stepwell.backends.target import Target
from stepwell.device_targets import GpuMachine
from stepwell.dialects import gpu, kernel
from stepwell.ir.diagnostics import invalid
from stepwell.objects import compile_objects


def emit_code(module: ModuleOp, what: str, machine: GpuMachine, opt_level: int) -> str | bytes:
    """Code of a module on the last step; `what` is one of the `native.codes_of` its GPU.

    Raises:
        InvalidProgramError: no kernel runs on the GPU, or one is beyond what the machine has.
        UnsupportedError: an op has no device form, or there is no ptxas to make machine code.
    """
    device = _as_one(module)
    if what == "llvm":
        texts = [part.text for part in write_llvm(host_part(module), machine.host)] if host_kernels(module) else []
        return "\n".join([*texts, *([write_device(module, device, machine.gpu)] if device is not None else ())])
    if device is None:
        reason = f"has no kernel on the GPU, so there is no {what} of it"
        raise invalid(module, reason, "see kernel.place_reason of its kernels: --emit=kernels")
    text = write_device(module, device, machine.gpu)
    if isinstance(machine.gpu, AmdTarget):
        gcn = compile_gcn(text, machine.gpu, opt_level)
        return gcn if what == "gcn" else format_resources(gcn_resources(gcn)) + "\n"
    assert isinstance(machine.gpu, GpuTarget)
    ptx = compile_ptx(text, machine.gpu, opt_level)
    if what == "ptx":
        return ptx
    cubin = assemble(ptx, machine.gpu, opt_level)
    return cubin.data if what == "cubin" else format_resources(cubin.resources) + "\n"


def write_device(program: ModuleOp, module: gpu.ModuleOp, target: DeviceTarget) -> str:
    """The LLVM module of a device module.

    Raises:
        InvalidProgramError: a launch is beyond the machine.
        UnsupportedError: an op or type has no rule, or no form on this processor.
    """
    if isinstance(target, AmdTarget):
        return amdgpu.write_gpu_module(program, module, target)
    assert isinstance(target, GpuTarget)
    return nvptx.write_gpu_module(program, module, target)


def images(module: ModuleOp, machine: GpuMachine, opt_level: int) -> dict[str, bytes]:
    """PTX of each device module, by its name; a driver makes machine code of it for the GPU it drives."""
    assert isinstance(machine.gpu, GpuTarget)
    texts = {
        op.sym_name.data: write_device(module, op, machine.gpu)
        for op in module.body.block.ops
        if isinstance(op, gpu.ModuleOp)
    }
    return {name: compile_ptx(text, machine.gpu, opt_level).encode() for name, text in texts.items()}


def host_objects(module: ModuleOp, host: Target, opt_level: int) -> list[bytes]:
    """Objects of the kernels that the host runs and their constants; the symbol of each is `host_symbol` of its name."""
    return compile_objects([part.text for part in write_llvm(host_part(module), host)], host, opt_level)


def host_kernels(module: ModuleOp) -> list[str]:
    """The names of the kernels that the host runs."""
    return [op.sym_name.data for op in module.body.block.ops if isinstance(op, kernel.FuncOp)]


def host_symbol(name: str) -> str:
    """The symbol of a kernel of the host: none of C's or LLVM's, whatever the kernel is called."""
    return f"stepwell.kernel.{name}"


def host_part(module: ModuleOp) -> ModuleOp:
    """A module of the kernels that the host runs, and of the constants they name."""
    kernels = [op.clone() for op in module.body.block.ops if isinstance(op, kernel.FuncOp)]
    used = {op.name_.root_reference.data for k in kernels for op in k.walk() if isinstance(op, memref.GetGlobalOp)}
    for copy in kernels:
        copy.properties["sym_name"] = StringAttr(host_symbol(copy.sym_name.data))
    constants = [
        op.clone() for op in module.body.block.ops if isinstance(op, memref.GlobalOp) and op.sym_name.data in used
    ]
    return ModuleOp([*constants, *kernels])


def _as_one(module: ModuleOp) -> gpu.ModuleOp | None:
    """One device module of all there are; None without any."""
    ops: list[Operation] = []
    taken: dict[str, None] = {}
    for part in module.body.block.ops:
        if not isinstance(part, gpu.ModuleOp):
            continue
        for op in part.body.block.ops:
            copy = op.clone()
            ops.append(copy)
            if isinstance(copy, gpu.FuncOp):
                name = f"{part.sym_name.data}__{copy.sym_name.data}"
                while name in taken:
                    name += "_"
                taken[name] = None
                copy.properties["sym_name"] = StringAttr(name)
    if not ops:
        return None
    made = gpu.ModuleOp("device", ops)
    made.location = module.location
    return made
