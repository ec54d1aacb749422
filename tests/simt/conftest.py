"""Runs handwritten kernels in the simulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from stepwell.dialects.gpu import FuncOp
from stepwell.dialects.interp.simt import SimulationError, launch
from stepwell.source import parse

_PREAMBLE = (
    "gpu.module @m {{",
    '"memref.global"() <{{sym_name = "numbers", type = memref<64xf32>, initial_value = dense<2.5> : tensor<64xf32>, constant, sym_visibility = "private"}}> : () -> ()',
    "gpu.func @k{signature} kernel {{",
)


def kernel_of(text: str) -> FuncOp:
    """The kernel of a module of one."""
    (function,) = (op for op in parse(text).walk() if isinstance(op, FuncOp))
    return function


@dataclass(frozen=True)
class Simulate:
    """Runs `gpu.func @k<signature> kernel { <body> gpu.return }` with arguments written in place."""

    first_line: int = len(_PREAMBLE) + 1
    """Where the body's first line stands."""

    def __call__(
        self,
        signature: str,
        body: str,
        args: Sequence[object],
        *,
        grid: int | Sequence[int] = 1,
        block: int | Sequence[int] = 32,
        **options: object,
    ) -> tuple[SimulationError, ...]:
        head = "\n".join(_PREAMBLE).format(signature=signature)
        function = kernel_of(f"{head}\n{body}\ngpu.return\n}}\n}}\n")
        sizes = [[n] if isinstance(n, int) else list(n) for n in (grid, block)]
        return launch(function, args, grid=sizes[0], block=sizes[1], **options)  # pyright: ignore


@pytest.fixture
def simulate() -> Simulate:
    return Simulate()


@pytest.fixture
def kernel() -> Callable[[str], FuncOp]:
    return kernel_of
