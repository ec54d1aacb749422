"""Effects of upstream ops, of nests, and what they allow."""

from __future__ import annotations

import pytest
from xdsl.context import Context
from xdsl.ir import Operation
from xdsl.parser import Parser

from stepwell.dialects.registry import get_dialect
from stepwell.ir.effects import EffectCache, Effects, effects, is_pure, is_trivially_dead

DIALECTS = "affine arith builtin func linalg math memref scf tensor vector".split()


def parse(text: str) -> Operation:
    ctx = Context(allow_unregistered=True)
    for name in DIALECTS:
        ctx.load_dialect(get_dialect(name))
    return Parser(ctx, text).parse_module()


def first(module: Operation, name: str) -> Operation:
    return next(op for op in module.walk() if op.name == name)


PROGRAM = """
func.func @f(%t: tensor<4xf32>, %m: memref<4xf32>, %i: index, %x: i32, %c: i1) {
  %f = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%f : f32) outs(%t : tensor<4xf32>) -> tensor<4xf32>
  %1 = arith.remui %x, %x : i32
  %2 = memref.load %m[%i] : memref<4xf32>
  %3 = "test.unknown"() : () -> i32
  %4 = scf.for %j = %i to %i step %i iter_args(%s = %t) -> (tensor<4xf32>) {
    %5 = tensor.insert %f into %s[%j] : tensor<4xf32>
    scf.yield %5 : tensor<4xf32>
  }
  scf.if %c {
    memref.store %f, %m[%i] : memref<4xf32>
  }
  %6 = scf.if %c -> (f32) {
    %7 = memref.load %m[%i] : memref<4xf32>
    scf.yield %7 : f32
  } else {
    scf.yield %f : f32
  }
  "affine.store"(%f, %m, %i) <{map = affine_map<(d0) -> (d0)>}> : (f32, memref<4xf32>, index) -> ()
  func.return
}
"""


@pytest.mark.parametrize(
    ("name", "want", "dead"),
    [
        ("linalg.fill", Effects.NONE, True),
        ("arith.remui", Effects.NONE, True),
        ("memref.load", Effects.READ, True),
        ("builtin.unregistered", Effects.UNKNOWN, False),
        ("scf.for", Effects.NONE, True),
        ("affine.store", Effects.WRITE, False),
        ("func.return", Effects.NONE, False),
    ],
)
def test_effects_of_ops(name: str, want: Effects, dead: bool):
    op = first(parse(PROGRAM), name)
    assert effects(op) == want
    assert is_trivially_dead(op) == dead


def test_effects_of_branches_are_those_of_their_bodies():
    stores, loads = [op for op in parse(PROGRAM).walk() if op.name == "scf.if"]
    assert effects(stores) == Effects.WRITE
    assert not is_trivially_dead(stores)
    assert effects(loads) == Effects.READ
    assert is_trivially_dead(loads)
    assert not is_pure(loads)


def test_fill_of_a_memref_writes():
    module = parse(
        "func.func @f(%m: memref<4xf32>, %f: f32) {\n"
        "  linalg.fill ins(%f : f32) outs(%m : memref<4xf32>)\n  func.return\n}"
    )
    assert not is_trivially_dead(first(module, "linalg.fill"))


def test_a_deep_nest_is_summed_once(monkeypatch: pytest.MonkeyPatch):
    depth = 60
    loops = "".join(f"scf.for %a{n} = %i to %i step %i {{\n" for n in range(depth))
    module = parse("func.func @f(%i: index) {\n" + loops + "}\n" * depth + "func.return\n}")
    summed: list[Operation] = []
    plain = EffectCache._sum

    def counted(self: EffectCache, op: Operation) -> Effects:
        summed.append(op)
        return plain(self, op)

    monkeypatch.setattr(EffectCache, "_sum", counted)
    cache = EffectCache()
    assert all(cache.is_pure(op) for op in module.walk() if op.name == "scf.for")
    assert len(summed) == depth
