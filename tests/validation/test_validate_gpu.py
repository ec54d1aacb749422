"""Validation on the road to a GPU: lanes add up in an order of their own, which is no miscompile; what is wrong still is one."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import pytest
import wrong_passes as wrong
from xdsl.context import Context
from xdsl.dialects import affine
from xdsl.dialects.builtin import AffineMapAttr, ModuleOp
from xdsl.ir import Operation
from xdsl.ir.affine import AffineMap

import stepwell
from stepwell.cli import main
from stepwell.compiler import lower
from stepwell.device_targets import machine_for, parse_target
from stepwell.dialects import gpu
from stepwell.dialects.registry import context
from stepwell.errors import MiscompileError
from stepwell.ir.pass_manager import Pipeline
from stepwell.passes.gpu_outline_kernels import GpuOutlineKernelsPass
from stepwell.source import parse
from stepwell.validate import Validation

SUMS = """
func.func @main(%a: tensor<5x70xf32>) -> (tensor<5x70xf32>, tensor<70xf32>) {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.reduce(%a init: %z) applies stablehlo.add across dimensions = [1] : (tensor<5x70xf32>, tensor<f32>) -> tensor<5xf32>
  %1 = stablehlo.broadcast_in_dim %0, dims = [0] : (tensor<5xf32>) -> tensor<5x70xf32>
  %2 = stablehlo.subtract %a, %1 : tensor<5x70xf32>
  %3 = stablehlo.reduce(%a init: %z) applies stablehlo.add across dimensions = [0] : (tensor<5x70xf32>, tensor<f32>) -> tensor<70xf32>
  return %2, %3 : tensor<5x70xf32>, tensor<70xf32>
}
"""


@functools.cache
def buffers() -> ModuleOp:
    return lower(parse(SUMS), "buffers", target=machine_for(parse_target("gpu-sim")))


@dataclass(frozen=True)
class WrongOutlinePass(GpuOutlineKernelsPass):
    """The pass with a mistake in what it makes."""

    name = "wrong-outline"

    change: object = None

    def apply(self, ctx: Context, op: Operation) -> None:
        super().apply(ctx, op)
        for inner in list(op.walk()):
            if inner.parent is not None:
                self.change(inner)  # pyright: ignore


def keep_to_itself(op: Operation) -> None:
    """A lane takes its own sum for that of all."""
    if isinstance(op, gpu.SubgroupReduceOp):
        wrong.bypass(op, 0)


def overlap_pieces(op: Operation) -> None:
    """The second piece of a row begins an element early."""
    if isinstance(op, affine.ApplyOp) and "(d0 * 2) + 64" in str(op.map.data):
        op.properties["map"] = AffineMapAttr(AffineMap.from_callable(lambda i: (i * 2 + 63,)))


def forget_columns(op: Operation) -> None:
    """One block where there is work for nine."""
    if isinstance(op, gpu.LaunchFuncOp) and "single" in str(op.callee):
        op.operands[0] = op.operands[1]


def validated(item: GpuOutlineKernelsPass, folder: Path) -> None:
    Pipeline((item,), [Validation(reduce=False, folder=folder)]).run(context(), buffers().clone())


def test_sums_in_the_order_of_lanes_are_no_miscompile(monkeypatch, tmp_path):
    validated(GpuOutlineKernelsPass(), tmp_path)
    monkeypatch.setattr(GpuOutlineKernelsPass, "numerics", "exact")
    with pytest.raises(MiscompileError):  # so there was something to explain
        validated(GpuOutlineKernelsPass(), tmp_path)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (keep_to_itself, "first difference at index"),
        (overlap_pieces, "the simulator stops: .*misaligned access"),
        (forget_columns, "the simulator stops: .*invalid launch"),
    ],
)
def test_a_wrong_kernel_is_found_although_sums_may_round(change, why, tmp_path):
    """Also one that does what no GPU allows, of which there is no result."""
    with pytest.raises(MiscompileError, match=f"pass 'wrong-outline' changes what @main computes(.|\n)*{why}"):
        validated(WrongOutlinePass(change), tmp_path)


def test_whole_programs_are_validated_for_gpus(tmp_path, capsys):
    text = """func.func @main(%a: tensor<3x40xf32>) -> tensor<3xf32> {
      %z = stablehlo.constant dense<0.0> : tensor<f32>
      %0 = stablehlo.reduce(%a init: %z) applies stablehlo.add across dimensions = [1] : (tensor<3x40xf32>, tensor<f32>) -> tensor<3xf32>
      return %0 : tensor<3xf32>
    }"""
    stepwell.compile(text, target="gpu-sim:gfx90a", validate=True)
    (tmp_path / "sums.mlir").write_text(text)
    assert (
        main(["compile", str(tmp_path / "sums.mlir"), "--target", "cuda:sm_80", "--emit=ptx", "--validate-each"]) == 0
    )
    assert ".visible .entry" in capsys.readouterr().out
