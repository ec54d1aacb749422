"""Runs handwritten kernels in the simulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from stepwell.dialects.gpu import FuncOp
from stepwell.dialects.interp.simt import SimulationError, launch
from stepwell.source import parse


def kernel_of(text: str) -> FuncOp:
    """The kernel of a module of one."""
    (function,) = (op for op in parse(text).walk() if isinstance(op, FuncOp))
    return function


def run_kernel(
    signature: str,
    body: str,
    args: Sequence[object],
    *,
    grid: int | Sequence[int] = 1,
    block: int | Sequence[int] = 32,
    **options: object,
) -> tuple[SimulationError, ...]:
    """Run `gpu.func @k<signature> kernel { <body> gpu.return }` with arguments written in place."""
    text = f"gpu.module @m {{\ngpu.func @k{signature} kernel {{\n{body}\ngpu.return\n}}\n}}\n"
    sizes = [[n] if isinstance(n, int) else list(n) for n in (grid, block)]
    return launch(kernel_of(text), args, grid=sizes[0], block=sizes[1], **options)  # pyright: ignore


@pytest.fixture
def simulate() -> Callable[..., tuple[SimulationError, ...]]:
    return run_kernel


@pytest.fixture
def kernel() -> Callable[[str], FuncOp]:
    return kernel_of
