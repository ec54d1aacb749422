"""docs/gpu-simulator.md says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from stepwell.dialects.interp.simt import ReportKind, SimulationError

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "gpu-simulator.md").read_text()


def test_the_example_runs():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    scope: dict[str, object] = {}
    exec(code, scope)
    np.testing.assert_array_equal(scope["x"], 2 * np.arange(64, dtype=np.float32))  # pyright: ignore


def test_every_kind_of_report_is_explained():
    assert re.findall(r"^\| `([A-Z_]+)`", PAGE, re.MULTILINE) == [kind.name for kind in ReportKind]


def test_the_report_shown_is_what_is_printed(simulate):
    (shown,) = re.findall(r"## A report\n```\n(.*?)```", PAGE, re.DOTALL)
    with pytest.raises(SimulationError) as caught:
        simulate(
            "() workgroup(%s: memref<64xf32, #gpu.address_space<workgroup>>)",
            "\n".join(
                [
                    "%t = gpu.thread_id x",
                    "%next = affine.apply affine_map<(d0) -> ((d0 + 1) mod 64)>(%t)",
                    "%v = arith.constant 1.0 : f32",
                    "memref.store %v, %s[%t] : memref<64xf32, #gpu.address_space<workgroup>>",
                    "%w = memref.load %s[%next] : memref<64xf32, #gpu.address_space<workgroup>>",
                ]
            ),
            [],
            block=64,
        )
    assert str(caught.value).replace("<string>", "kernel.mlir") == shown.strip()
