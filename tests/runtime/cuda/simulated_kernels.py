"""Kernels of the fake driver that are those of a compiled module, run by the simulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fake_driver import FakeDriver

from stepwell.dialects import gpu
from stepwell.dialects.interp.simt.launch import launch
from stepwell.ir.dtypes import numpy_dtype


def install(fake: FakeDriver, module: Any) -> dict[str, bytes]:
    """Give the driver every kernel of a step-6 module; the images that name them."""
    made: dict[str, bytes] = {}
    for unit in module.body.block.ops:
        if not isinstance(unit, gpu.ModuleOp):
            continue
        lines: list[str] = []
        for function in unit.body.block.ops:
            if isinstance(function, gpu.FuncOp):
                key = f"{unit.sym_name.data}::{function.sym_name.data}#{len(fake.kernels)}"  # names are a program's own
                lines.append(f".entry {function.sym_name.data} {len(function.args)} {key}")
                fake.kernels[key] = kernel(function)
        made[unit.sym_name.data] = "\n".join(lines).encode()
    return made


def kernel(function: gpu.FuncOp) -> Any:
    """What runs a `gpu.func` on the memory its arguments point to."""

    def run(memory: Any, grid: int, block: int, shared: int, pointers: Sequence[int]) -> None:
        types: list[Any] = [a.type for a in function.args]
        views = [memory(p, t.get_shape(), numpy_dtype(t.element_type)) for p, t in zip(pointers, types, strict=True)]
        launch(function, views, grid=[grid], block=[block], shared_bytes=shared)

    return run
