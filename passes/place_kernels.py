"""place-kernels: say which kernels the device runs and which its host, and why.

Before: kernel.func @k0(%x: tensor<8xf32>, ...) {        After: kernel.func @k0(...) attributes {kernel.place = "device",
          linalg.generic ...                                      kernel.place_reason = "every op has a device form"} {
        kernel.func @k1(%x: tensor<8xi32>, ...) {               kernel.func @k1(...) attributes {kernel.place = "host",
          structured.sort ...                                     kernel.place_reason = "structured.sort has no device form"} {

A kernel goes to the host when something in it has no device form: an op of the `structured` dialect (its tasks depend on each
other; not so those of `update_slice`), complex numbers (a program's are pairs of reals since step 1), floats below 16 bits (converted
bit by bit, on the host only), extents that are not known (the grid and the memory of a block are fixed before the program runs).
Each is reported once, as a remark at what stands in the way.

Needs: step 3.  Keeps: the ops; only attributes are written, and a kernel that has a place already is left as it is.
Fails: InvalidProgramError for a place that is neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import (
    AnyFloat,
    BFloat16Type,
    ComplexType,
    Float16Type,
    Float32Type,
    Float64Type,
    ModuleOp,
    ShapedType,
    StringAttr,
)
from xdsl.ir import Attribute, Operation
from xdsl.utils.type import get_element_type_or_self

from stepwell.dialects import kernel
from stepwell.ir.diagnostics import close_name, invalid, remark
from stepwell.ir.instrumentation import count
from stepwell.ir.machine import HOST, PLACE
from stepwell.ir.passes import Pass
from stepwell.passes.preconditions import needs_tensors
from stepwell.passes.schedules.updates import has_subgroup_form

DEVICE = "device"
REASON = "kernel.place_reason"
_EVERY = "every op has a device form"


@dataclass(frozen=True)
class Obstacle:
    """What keeps a kernel from the device: the op it is met at, and why it has no device form."""

    op: Operation
    reason: str


def find_obstacle(function: kernel.FuncOp) -> Obstacle | None:
    """The first thing in a kernel that has no device form; None when all have one."""
    seen: dict[Attribute, None] = {}
    for op in function.walk():
        if op.name.startswith("structured.") and not has_subgroup_form(op):
            return Obstacle(op, f"{op.name} has no device form")
        for type_ in _types(op):
            if type_ in seen:
                continue
            seen[type_] = None
            reason = type_obstacle(type_)
            if reason is not None:
                return Obstacle(op, reason)
    return None


def type_obstacle(type_: Attribute) -> str | None:
    """Why values of a type have no device form; None when they have one."""
    if isinstance(type_, ShapedType) and not type_.has_static_shape():
        return f"{type_} is not static, and a grid is"
    element = get_element_type_or_self(type_)
    if isinstance(element, ComplexType):
        return f"numbers of type {element} have no device form"
    known = Float64Type | Float32Type | Float16Type | BFloat16Type
    if isinstance(element, AnyFloat) and not isinstance(element, known):
        return f"{element} is converted in host code only"
    return None


def _types(op: Operation) -> Iterator[Attribute]:
    """The types of what an op uses, makes and binds; each value is made or bound somewhere in the kernel."""
    for result in op.results:
        yield result.type
    for region in op.regions:
        for block in region.blocks:
            yield from block.arg_types


def place(function: kernel.FuncOp) -> None:
    """Write the place of a kernel and the reason; report a kernel of the host."""
    obstacle = find_obstacle(function)
    function.attributes[PLACE] = StringAttr(DEVICE if obstacle is None else HOST)
    function.attributes[REASON] = StringAttr(_EVERY if obstacle is None else obstacle.reason)
    if obstacle is not None:
        count("host kernels")
        remark(obstacle.op, f"{obstacle.op.name}: kernel @{function.sym_name.data} runs on the host: {obstacle.reason}")


def _check_place(function: kernel.FuncOp, written: Attribute) -> None:
    value = written.data if isinstance(written, StringAttr) else str(written)
    if value not in (DEVICE, HOST):
        message = f'has the {PLACE} "{value}", which is neither "{DEVICE}" nor "{HOST}"'
        raise invalid(function, message, close_name(value, (DEVICE, HOST)))


@dataclass(frozen=True)
class PlaceKernelsPass(Pass):
    """Say which kernels the device runs and which its host, and why."""

    name = "place-kernels"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Place each kernel that has no place yet."""
        del ctx
        assert isinstance(op, ModuleOp)
        needs_tensors(op, self.name, "step 3")
        for function in op.body.block.ops:
            if not isinstance(function, kernel.FuncOp):
                continue
            written = function.attributes.get(PLACE)
            if written is not None:
                _check_place(function, written)
            else:
                place(function)


__all__ = ["DEVICE", "Obstacle", "PlaceKernelsPass", "find_obstacle", "place", "type_obstacle"]
