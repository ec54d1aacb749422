"""Guarded memory: what is read or written outside of a buffer is found, what is undefined shows, and right programs stay right."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

import stepwell
from stepwell.dialects.registry import context
from stepwell.errors import CompileError, InvalidProgramError
from stepwell.passes.memory_guards import GUARD, Guard
from stepwell.passes.registry import get_pass

PROGRAM = """
module attributes {stepwell.step = "buffers"} {
  kernel.func @k(%x: memref<8xf32>, %o: memref<8xf32>)
      attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {reason = ""}>} {
    %from = arith.constant FROM : index
    %to = arith.constant TO : index
    %v = memref.load %x[%from] : memref<8xf32>
    memref.store %v, %o[%to] : memref<8xf32>
    kernel.return
  }
  func.func @main(%a: memref<8xf32>, %out: memref<8xf32>, %workers: memref<?x0xi8>)
      attributes {stepwell.abi = #stepwell.abi<{inputs = ["tensor<8xf32>"], outputs = ["tensor<8xf32>"], donated = array<i64>}>} {
    %t = memref.alloc() : memref<8xf32>
    kernel.launch @k ins(%a : memref<8xf32>) outs(%t : memref<8xf32>)
    kernel.launch @k ins(%t : memref<8xf32>) outs(%out : memref<8xf32>)
    func.return
  }
}
"""

LAYERS = """
func.func @main(%x: tensor<5x7xf32>, %w: tensor<7x9xf32>, %u: tensor<9x3xf32>) -> tensor<5x3xf32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<5x7xf32>, tensor<7x9xf32>) -> tensor<5x9xf32>
  %1 = stablehlo.tanh %0 : tensor<5x9xf32>
  %2 = stablehlo.dot_general %1, %u, contracting_dims = [1] x [0] : (tensor<5x9xf32>, tensor<9x3xf32>) -> tensor<5x3xf32>
  return %2 : tensor<5x3xf32>
}
"""


def planned(read: int, write: int, mode: str) -> ModuleOp:
    """The program above with its memory planned, guarded, reading and writing element numbers of every buffer."""
    module = stepwell.parse(PROGRAM.replace("FROM", str(read)).replace("TO", str(write)))
    module.attributes[GUARD] = Guard(mode, 4096).attribute()
    get_pass("plan-memory")().apply(context(), module)
    return module


def run_in_a_child(read: int, write: int, mode: str) -> subprocess.CompletedProcess[str]:
    script = (
        f"import numpy, stepwell\nstepwell.compile({str(planned(read, write, mode))!r})(numpy.zeros(8, numpy.float32))"
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize(("read", "write", "mode"), [(8, 0, "end"), (-1, 0, "start"), (0, 8, "end"), (0, -1, "start")])
def test_an_access_next_to_a_buffer_is_a_fault_where_it_happens(read: int, write: int, mode: str) -> None:
    child = run_in_a_child(read, write, mode)
    assert child.returncode == -11
    assert "Segmentation fault" in child.stderr


@pytest.mark.parametrize(("write", "mode"), [(-1, "end"), (8, "start")])
def test_a_write_on_the_same_page_but_outside_of_the_buffer_is_found_after_the_call(write: int, mode: str) -> None:
    with pytest.raises(CompileError, match="wrote outside of its buffers: 4 bytes of"):
        stepwell.compile(planned(0, write, mode))(np.zeros(8, np.float32))


def test_what_was_never_written_is_nan() -> None:
    (result,) = stepwell.compile(planned(3, 0, "end"))(np.ones(8, np.float32))
    assert np.isnan(result[0])  # element 3 of the temporary
    assert np.isnan(result[1:]).all()


@pytest.mark.parametrize("value", ["1", "2"])
def test_programs_have_the_same_results_under_guard(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in ((5, 7), (7, 9), (9, 3))]
    (plain,) = stepwell.compile(LAYERS)(*arrays)
    monkeypatch.setenv("STEPWELL_GUARD", value)
    guarded = stepwell.compile(LAYERS)
    assert guarded.signature.guard is not None
    assert guarded.signature.guard.arena.pages
    np.testing.assert_array_equal(guarded(*arrays)[0], plain)


def test_a_program_that_comes_with_its_memory_planned_has_its_arguments_guarded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = PROGRAM.replace("FROM", "0").replace("TO", "-1")
    # Without the temporary: what is in front of an arena that was planned without guards is anybody's.
    lines = [line for line in text.splitlines() if "memref.alloc" not in line and "outs(%t" not in line]
    module = stepwell.parse("\n".join(lines).replace("ins(%t", "ins(%a"))
    get_pass("plan-memory")().apply(context(), module)
    monkeypatch.setenv("STEPWELL_GUARD", "1")
    with pytest.raises(CompileError, match="of result 0"):
        stepwell.compile(module)(np.zeros(8, np.float32))


def test_another_value_of_the_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_GUARD", "yes")
    with pytest.raises(InvalidProgramError, match="STEPWELL_GUARD is 1"):
        stepwell.compile(LAYERS)
