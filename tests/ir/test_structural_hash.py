"""What the structural hash counts and what it does not."""

from __future__ import annotations

import pytest
from xdsl.context import Context
from xdsl.dialects import arith, builtin, func, scf
from xdsl.ir import Operation
from xdsl.parser import Parser

from stepwell.ir.structural_hash import structural_hash, structurally_equal

BASE = """
func.func @f(%a: f32, %c: i1) -> f32 {
  %k = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %0 = arith.addf %a, %a {x = 1 : i32, y = "s"} : f32
  %1 = scf.if %c -> (f32) {
    scf.yield %0 : f32
  } else {
    %2 = arith.mulf %a, %0 : f32
    scf.yield %2 : f32
  }
  func.return %1 : f32
}
"""


def function(text: str) -> Operation:
    ctx = Context()
    for dialect in (arith.Arith, builtin.Builtin, func.Func, scf.Scf):
        ctx.load_dialect(dialect)
    return next(iter(Parser(ctx, text).parse_module().body.block.ops))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@f", "@g"),
        ("%0", "%sum"),
        ('{x = 1 : i32, y = "s"} : f32', '{y = "s", x = 1 : i32} : f32 loc("a":1:2)'),
    ],
)
def test_names_locations_and_attribute_order_do_not_count(old: str, new: str):
    assert old in BASE
    assert structurally_equal(function(BASE), function(BASE.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("arith.mulf %a, %0", "arith.mulf %0, %a"),
        ("arith.mulf", "arith.divf"),
        ("dense<[1.0, 2.0]>", "dense<[1.0, 2.5]>"),
        ("x = 1 : i32", "x = 1 : i64"),
        ('"s"', '"t"'),
        ("scf.yield %0", "scf.yield %a"),
        ("func.return %1", "func.return %0"),
        ("arith.addf %a, %a", "arith.addf %a, %a fastmath<fast>"),
    ],
)
def test_meaning_counts(old: str, new: str):
    assert old in BASE
    assert not structurally_equal(function(BASE), function(BASE.replace(old, new)))


def test_signed_zeros_differ():
    text = "func.func @f() -> f32 {{\n %0 = arith.constant {} : f32\n func.return %0 : f32\n}}"
    assert structural_hash(function(text.format("0.0"))) != structural_hash(function(text.format("-0.0")))


def test_a_recursive_call_is_the_same_under_another_name():
    text = "func.func @f(%a: f32) -> f32 {{\n %0 = func.call @{}(%a) : (f32) -> f32\n func.return %0 : f32\n}}"
    recursive = function(text.format("f"))
    renamed = function(text.format("f").replace("@f", "@g"))
    assert structurally_equal(recursive, renamed)
    assert not structurally_equal(recursive, function(text.format("h")))


def test_the_hash_is_the_same_in_every_process():
    """Guards against anything that depends on object identity or hash seeds."""
    text = "func.func @f(%a: i32) -> i32 {\n func.return %a : i32\n}"
    assert structural_hash(function(text)) == structural_hash(function(text))
    assert len(structural_hash(function(text))) == 64
