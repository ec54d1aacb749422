"""How what a core reads along another dim than it writes along goes to memory: in copies first or not, past the caches or not.

A result that is written through the caches is read first, a line at a time, and rows of it are pages apart: where they are a
power of two apart, in few sets of a cache. Lines that are written whole, past the caches, are not. They are then in no cache for
whoever reads the result, so this is for kernels after which a cache would not hold it either.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import TensorType

from stepwell.dialects import kernel
from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription
from stepwell.passes.schedules.nest import Nest, is_contiguous, strides_of
from stepwell.passes.schedules.plan import Machine, element_bytes, plan_space, tile_of

PAGE = 4096
"""Bytes of a row that are copied at once: what hardware foresees reads within."""


def turning_numbers(func: kernel.FuncOp, nests: Sequence[Nest], machine: MachineDescription) -> dict[str, int]:
    """The parameters for a kernel with large results, of which `nests` read along another dim than they write along."""
    if not nests:
        return {}
    line = machine.line_bytes
    if not _leaves_caches(func, machine) or not all(_writes_lines(n, line) for n in nests):
        return {"stage": PAGE, "run": 2 * line}
    if all(_in_place(n, machine) for n in nests):
        return {"bypass": 1, "stage": 0}
    return {"bypass": 1, "stage": PAGE, "run": 4 * line}


def _leaves_caches(func: kernel.FuncOp, machine: MachineDescription) -> bool:
    """Whether the beginning of a result is in no cache any more when the kernel ends: others have half of the last one."""
    types = [a.type for a in func.args[: len(func.access.data)]]
    moved = sum(prod(t.get_shape()) * byte_width(t.element_type) for t in types if isinstance(t, TensorType))
    return moved > max(machine.l2_bytes, machine.l3_bytes // 2)


def _writes_lines(nest: Nest, line: int) -> bool:
    """Whether rows of tiles are whole cache lines of all results, wherever they are."""
    size = element_bytes([nest])
    return all(
        byte_width(o.element) == size and all(s * size % line == 0 for s in strides_of(o.shape)[:-1])
        for o in nest.outputs
    )


def _in_place(nest: Nest, machine: MachineDescription) -> bool:
    """Whether tiles are turned where they are read: whole lines both ways, and nothing is read in pieces of lines."""
    vectors = Machine(machine.vector_bytes, bypass=True, line_bytes=machine.line_bytes)
    width, height = tile_of(vectors, element_bytes([nest]))
    along = plan_space([nest], vectors).vector
    assert along is not None
    return width == height and not any(is_contiguous(a.exprs, along) for a in nest.reads)


__all__ = ["turning_numbers"]
