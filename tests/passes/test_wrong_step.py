"""Every pass on a module of every step: it works, or refuses with a located diagnostic; never a Python exception."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepwell.compiler import STEP_NAMES, lower
from stepwell.dialects.registry import context
from stepwell.ir.diagnostics import DiagnosticError
from stepwell.ir.pass_manager import build_pipeline
from stepwell.ir.verify import verify_module
from stepwell.passes.registry import PASSES, get_pass
from stepwell.source import parse

DATA = Path(__file__).resolve().parent.parent / "data/jax"


@pytest.mark.parametrize("step", STEP_NAMES)
@pytest.mark.parametrize("name", ["softmax", "sort_topk_arg"])
@pytest.mark.every(4)
def test_a_pass_takes_or_refuses_any_step(name, step):
    lowered = lower(parse(DATA / f"{name}.mlir"), step)
    refused: dict[str, DiagnosticError] = {}
    for pass_name in PASSES:
        module = lowered.clone()
        try:
            build_pipeline(pass_name, get_pass, tuple(PASSES)).run(context(), module)
        except DiagnosticError as error:
            refused[pass_name] = error
        else:
            verify_module(module)
    for pass_name, error in refused.items():
        assert error.diagnostic.location is not None, pass_name
        assert "internal error" not in str(error), pass_name
    on_tensors = STEP_NAMES.index(step) < STEP_NAMES.index("buffers")
    late = {"plan-memory", "lower-forall-to-rt", "raise-to-affine"}
    early = {"fuse-elementwise", "plan-kernels", "outline-kernels", "choose-schedules", "apply-schedule", "bufferize"}
    assert (late if on_tensors else early) <= set(refused)
