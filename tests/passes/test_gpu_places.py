"""What is known of an index: which numbers divide it, whatever it is."""

from __future__ import annotations

import pytest

from stepwell.passes.gpu_mapping.places import divisor
from stepwell.source import parse

PROGRAM = """
func.func @f(%n: index, %k: index) {
  %c12 = arith.constant 12 : index
  %c256 = arith.constant 256 : index
  %rest = arith.remui %n, %c256 : index
  %whole = arith.subi %n, %rest : index
  %other = arith.subi %k, %rest : index
  %row = affine.apply affine_map<(d0) -> (d0 * 48)> (%n)
  %odd = affine.apply affine_map<(d0) -> (d0 * 48 + 6)> (%n)
  %least = arith.minsi %row, %c12 : index
  %lanes = arith.remui %row, %c256 : index
  %shifted = arith.addi %row, %c12 : index
  %times = arith.muli %row, %c12 : index
  %unknown = arith.divui %row, %c12 : index
  func.return
}
"""
KNOWN = {
    "c12": 12, "rest": 1, "whole": 256, "other": 1, "row": 48, "odd": 6, "least": 12, "lanes": 16, "shifted": 12, "times": 576,
    "unknown": 1,
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_what_divides_an_index(name):
    ops = next(iter(parse(PROGRAM).body.block.ops)).regions[0].block.ops
    value = next(r for op in ops for r in op.results if r.name_hint == name)
    assert divisor(value) == KNOWN[name]
