"""Which step a module is on: what it says of itself, corrected by what its ops prove.

The driver writes `stepwell.step = "kernels"` and the like on the module after each step. Passes run by hand move a module on
without rewriting the attribute, and hand-written IR has none, so the ops are looked at too: they can only prove that
a module is at least on some step (a kernel on buffers is never step 3), or that it is still on the first.
"""

from __future__ import annotations

from xdsl.dialects.builtin import FunctionType, MemRefType, ModuleOp, StringAttr
from xdsl.ir import Operation

from stepwell.dialects.stepwell import ABI, AbiAttr
from stepwell.ir.diagnostics import close_name, invalid

STEP_NAMES = ("tensor", "structured", "kernels", "scheduled", "buffers", "device")
STEP = "stepwell.step"
STAGING = "staging_bytes"
"""The entry of `stepwell.abi` on step 6 of a machine with a host: memory of the host that copies go through."""

_TENSOR, _STRUCTURED, _KERNELS, _SCHEDULED, _BUFFERS, _DEVICE = range(6)
_ON_BUFFERS = ("rt.parallel_reduce", "rt.partial", "rt.poison", "rt.worker_id")
"""Ops of the runtime that step 5 has already."""
_ON_DEVICE = ("gpu", "nvgpu")
"""Dialects of step 6: kernels of a device, and how its host launches them and copies."""
_NO_STEP = ("builtin", "func")


def mark_step(module: ModuleOp, name: str) -> None:
    """Write on the module that it is on the step called `name`."""
    module.attributes[STEP] = StringAttr(name)


def current_step(module: ModuleOp) -> int:
    """Index into the steps of the step a module is on.

    Raises:
        InvalidProgramError: its `stepwell.step` names no step.
    """
    proven, is_first = _evidence(module)
    if is_first:
        return _TENSOR
    return max(_claimed(module), proven)


def _claimed(module: ModuleOp) -> int:
    claim = module.attributes.get(STEP)
    if claim is None:
        return _TENSOR
    name = claim.data if isinstance(claim, StringAttr) else str(claim)
    if name not in STEP_NAMES:
        message = f"there is no step '{name}'; the steps are {', '.join(STEP_NAMES)}"
        raise invalid(module, f"has an attribute {STEP} that is wrong: {message}", close_name(name, STEP_NAMES))
    return STEP_NAMES.index(name)


def _evidence(module: ModuleOp) -> tuple[int, bool]:
    """(the least step the ops belong to, whether ops of step 1 prove that it is no later one)."""
    kernels: list[Operation] = []
    functions: list[Operation] = []
    names: dict[str, None] = {}
    for op in module.body.block.ops:
        if op.name == "kernel.func":
            kernels.append(op)
        if op.name in ("kernel.func", "func.func"):
            functions.append(op)
        names.update(dict.fromkeys(inner.name for inner in op.walk()))
    dialects = dict.fromkeys(name.split(".", 1)[0] for name in names)
    if "stablehlo" in dialects or "chlo" in dialects:
        return _TENSOR, True
    if any(d in dialects for d in _ON_DEVICE) or any(n.startswith("rt.") and n not in _ON_BUFFERS for n in names):
        return _DEVICE, False
    if "memref" in dialects or any(_takes_buffers(function) for function in functions):
        return _BUFFERS, False
    if kernels or "kernel" in dialects:
        return (_SCHEDULED if kernels and _all_scheduled(kernels) else _KERNELS), False
    return (_STRUCTURED if any(d not in _NO_STEP for d in dialects) else _TENSOR), False


def _takes_buffers(function: Operation) -> bool:
    kind = function.properties.get("function_type")
    return isinstance(kind, FunctionType) and any(isinstance(t, MemRefType) for t in kind.inputs.data)


def _all_scheduled(kernels: list[Operation]) -> bool:
    """True when a kernel is tiled and none has an op that `apply-schedule` would still take."""
    tiled = False
    for kernel in kernels:
        for op in kernel.walk():
            if op.name.startswith("linalg."):
                return False
            tiled = tiled or op.name == "scf.forall"
    return tiled


def check_planned(module: ModuleOp) -> None:
    """Refuse a module on buffers whose entry does not take what native code is handed.

    Raises:
        InvalidProgramError: the entry's memory is not planned, or its arguments are not those of its `stepwell.abi`.
    """
    for op in module.body.block.ops:
        abi = op.attributes.get(ABI)
        if not isinstance(abi, AbiAttr):
            continue
        if "arena_bytes" not in abi.entries.data:
            raise invalid(op, "cannot be run: its memory is not planned", "run plan-memory after bufferize")
        staged = STAGING in abi.entries.data
        expected = len(abi.inputs) + len(abi.outputs) + (3 if staged else 2)
        found = len(op.regions[0].block.args)
        if found != expected:
            memory = (
                "the arena, the workers' memory and the staging memory"
                if staged
                else "the arena and the workers' memory"
            )
            raise invalid(
                op,
                f"cannot be run: it has {found} arguments; its stepwell.abi asks for {expected}: "
                f"{len(abi.inputs)} inputs, {len(abi.outputs)} outputs, {memory}",
            )


__all__ = ["STAGING", "STEP", "STEP_NAMES", "check_planned", "current_step", "mark_step"]
