"""Compile time grows linearly, by noise-free counts: Python calls per pass, kernels, lines of LLVM IR."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import stepwell
from stepwell.backends.llvm_ir import write_llvm
from stepwell.backends.target import target_for
from stepwell.compiler import lower
from stepwell.dialects.kernel import FuncOp
from stepwell.ir.instrumentation import Instrumentation

_SPEC = importlib.util.spec_from_file_location(
    "compile_time", Path(__file__).parent.parent / "benchmarks" / "compile_time.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
mlp_text = _MODULE.mlp_text


class CallCounter(Instrumentation):
    """Python function calls per pass: the work, whatever else the machine does."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._count = 0

    def _event(self, frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            self._count += 1

    def before_pass(self, item: Any, op: Any) -> None:
        self._count = 0
        sys.setprofile(self._event)

    def after_pass(self, item: Any, op: Any) -> None:
        sys.setprofile(None)
        self.calls[item.name] += self._count


def calls_per_pass(layers: int) -> Counter[str]:
    counter = CallCounter()
    module = stepwell.parse(mlp_text(layers, width=64, batch=16))
    lower(module, "device", target=target_for("avx2", generic=True), instrumentations=(counter,))
    return counter.calls


@pytest.fixture(scope="module")
def lowered():
    modules = {}
    for layers in (4, 8, 16):
        module = stepwell.parse(mlp_text(layers, width=64, batch=16))
        modules[layers] = lower(module, "device", target=target_for("avx2", generic=True))
    return modules


def test_work_per_pass_at_most_doubles_with_twice_the_layers():
    calls_per_pass(2)  # first-use imports and caches
    counts = {layers: calls_per_pass(layers) for layers in (16, 32, 64)}
    for small, large in ((16, 32), (32, 64)):
        for name, calls in counts[large].items():
            assert calls <= 2.1 * counts[small][name] + 200, f"{name}: {counts[small][name]} -> {calls} calls"


def test_kernel_count_does_not_depend_on_depth(lowered):
    kernels = {n: sum(isinstance(op, FuncOp) for op in m.body.block.ops) for n, m in lowered.items()}
    assert len(set(kernels.values())) == 1, kernels


def test_llvm_lines_per_kernel_do_not_depend_on_depth(lowered):
    target = target_for("avx2", generic=True)
    lines = {
        n: sorted(part.text.count("\n") for part in write_llvm(m, target) if part.name != "host")
        for n, m in lowered.items()
    }
    assert lines[4] == lines[8] == lines[16]
