"""Ranges of integers: they hold for every pair of numbers, and take away the clamps that they prove needless, no other."""

from __future__ import annotations

import random

import numpy as np
import pytest
from xdsl.dialects.builtin import IndexType

import stepwell
from stepwell.backends.target import target_for
from stepwell.compiler import lower
from stepwell.dialects.canonicalize.arith import INT_RULES
from stepwell.dialects.canonicalize.constants import wrap
from stepwell.dialects.canonicalize.ranges import MOST_ELEMENTS, range_of
from stepwell.source import parse

BINARY = [
    "minsi", "maxsi", "minui", "maxui", "addi", "subi", "muli", "remsi", "remui", "divsi", "divui", "andi", "shrsi", "shrui",
]  # fmt: skip


def yielded_range(text: str) -> tuple[int, int]:
    """The range of what the last generic of a program yields."""
    generic = [op for op in parse(text).walk() if op.name == "linalg.generic"][-1]
    return range_of(generic.body.block.last_op.operands[0])


def on_constants(a: list[int], b: list[int], body: str, result: str = "i8") -> str:
    same = "affine_map<(d0) -> (d0)>"
    return f"""func.func @f() -> tensor<{len(a)}x{result}> {{
      %a = arith.constant dense<{a}> : tensor<{len(a)}xi8>
      %b = arith.constant dense<{b}> : tensor<{len(b)}xi8>
      %e = tensor.empty() : tensor<{len(a)}x{result}>
      %r = linalg.generic {{indexing_maps = [{same}, {same}, {same}], iterator_types = ["parallel"]}}
          ins(%a, %b : tensor<{len(a)}xi8>, tensor<{len(b)}xi8>) outs(%e : tensor<{len(a)}x{result}>) {{
      ^bb0(%x: i8, %y: i8, %o: {result}):
        {body}
        linalg.yield %z : {result}
      }} -> tensor<{len(a)}x{result}>
      func.return %r : tensor<{len(a)}x{result}>
    }}"""


@pytest.mark.parametrize("name", BINARY)
def test_a_range_holds_for_every_pair_of_numbers(name: str):
    rng = random.Random(name)
    narrow = 0
    for _ in range(12):
        bounds = rng.choice(((0, 9), (-9, 9), (-128, 127), (1, 7), (100, 127), (-128, -100), (3, 3)))
        others = rng.choice(((0, 9), (-9, 9), (-128, 127), (1, 7), (2, 2), (5, 5), (0, 0)))
        a, b = ([rng.randint(*given) for _ in range(3)] for given in (bounds, others))
        low, high = yielded_range(on_constants(a, b, f"%z = arith.{name} %x, %y : i8"))
        for x in a:
            for y in b:
                found = INT_RULES[f"arith.{name}"](x, y, 8)
                if found is not None:
                    assert low <= wrap(found, 8, signed=True) <= high, (name, a, b, (low, high))
        narrow += (low, high) != (-128, 127)
    assert narrow > 0, "it is always the whole type"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("%z = arith.extsi %x : i8 to i32", (-5, 100)),
        ("%z = arith.extui %x : i8 to i32", (0, 255)),
        ("%z = arith.extui %y : i8 to i32", (3, 7)),
        ("%w = arith.extsi %x : i8 to i64\n%z = arith.trunci %w : i64 to i32", (-5, 100)),
        ("%c = arith.constant 1000 : i32\n%w = arith.extsi %x : i8 to i32\n%z = arith.addi %w, %c : i32", (995, 1100)),
        (
            "%c = arith.cmpi slt, %x, %y : i8\n%w = arith.select %c, %x, %y : i8\n%z = arith.extsi %w : i8 to i32",
            (-5, 100),
        ),
        ("%c = arith.cmpi slt, %x, %y : i8\n%z = arith.extui %c : i1 to i32", (0, 1)),
        ("%c = arith.constant 4294967295 : i32\n%w = arith.extsi %y : i8 to i32\n%z = arith.addi %w, %c : i32", (2, 6)),
        ("%i = linalg.index 0 : index\n%z = arith.index_cast %i : index to i32", (0, 2)),
        ("%f = arith.sitofp %x : i8 to f32\n%z = arith.fptosi %f : f32 to i32", (-(1 << 31), (1 << 31) - 1)),
    ],
)
def test_conversions_and_choices_have_ranges(body: str, found: tuple[int, int]):
    assert yielded_range(on_constants([-5, 0, 100], [3, 7, 5], body, "i32")) == found


def clamps(text: str) -> int:
    """How many clamps of an index are left at step 2."""
    module = parse(text)
    lower(module, "structured", entry="main", target=target_for("sse4.2", generic=True), opt_level=2, donate=())
    return sum(op.name in ("arith.minsi", "arith.maxsi") and op.results[0].type == IndexType() for op in module.walk())


GATHER = """func.func @main(%x: tensor<10x4xf32>, %i: tensor<{rows}x1x{kind}>, %k: tensor<{rows}x10xf32>) -> tensor<{rows}x4xf32> {{
  {made}
  %r = "stablehlo.gather"(%x, %j) <{{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>, indices_are_sorted = false}}> : (tensor<10x4xf32>, tensor<{rows}x1x{kind}>) -> tensor<{rows}x4xf32>
  return %r : tensor<{rows}x4xf32>
}}"""
SCALAR = "%{0} = stablehlo.constant dense<{1}> : tensor<{2}>"


def gather(made: str, rows: int = 3, kind: str = "i32") -> str:
    return GATHER.format(made=made, rows=rows, kind=kind)


def constants(*values: int) -> str:
    return f"%j = stablehlo.constant dense<{[[v] for v in values]}> : tensor<{len(values)}x1xi32>"


CLAMPED = f"{SCALAR.format('l', '{0}', 'i32')}\n{SCALAR.format('h', '{1}', 'i32')}\n%j = stablehlo.clamp %l, %i, %h : (tensor<i32>, tensor<3x1xi32>, tensor<i32>) -> tensor<3x1xi32>"
REMAINDER = f"{SCALAR.format('n', '{0}', '3x1xi32')}\n%q = stablehlo.abs %i : tensor<3x1xi32>\n%j = stablehlo.remainder %i, %n : tensor<3x1xi32>"
ARGMAX = """%z = stablehlo.constant dense<0> : tensor<i32>
  %m = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %p = stablehlo.iota dim = 1 : tensor<3x10xi32>
  %b, %a = stablehlo.reduce(%k init: %m), (%p init: %z) across dimensions = [1] : (tensor<3x10xf32>, tensor<3x10xi32>, tensor<f32>, tensor<i32>) -> (tensor<3xf32>, tensor<3xi32>)
    reducer(%u: tensor<f32>, %v: tensor<f32>) (%s: tensor<i32>, %t: tensor<i32>) {
      %g = stablehlo.compare GT, %u, %v : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %w = stablehlo.select %g, %u, %v : tensor<i1>, tensor<f32>
      %y = stablehlo.select %g, %s, %t : tensor<i1>, tensor<i32>
      stablehlo.return %w, %y : tensor<f32>, tensor<i32>
    }
  %j = stablehlo.reshape %a : (tensor<3xi32>) -> tensor<3x1xi32>"""
UNSIGNED = "%n = stablehlo.constant dense<10> : tensor<3x1xui32>\n%j = stablehlo.remainder %i, %n : tensor<3x1xui32>"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (gather(constants(1, 5, 9)), 0),
        (gather(constants(1, 5, 10)), 1),
        (gather(constants(-1, 5, 9)), 1),
        (gather(constants(-1, 5, 10)), 2),
        (gather(CLAMPED.format(0, 9)), 0),
        (gather(CLAMPED.format(0, 10)), 1),
        (gather(CLAMPED.format(-1, 9)), 1),
        (gather(REMAINDER.format(10)), 1),
        (gather(REMAINDER.format(11)), 2),
        (gather(UNSIGNED, kind="ui32"), 0),
        (gather("%j = stablehlo.iota dim = 0 : tensor<10x1xi32>", rows=10), 0),
        (gather("%j = stablehlo.iota dim = 0 : tensor<11x1xi32>", rows=11), 1),
        (gather(ARGMAX), 0),
        (gather("%j = stablehlo.convert %i : (tensor<3x1xi32>) -> tensor<3x1xi32>"), 2),
    ],
)
def test_a_clamp_is_dropped_where_the_index_is_known_to_be_inside_and_only_there(text: str, left: int):
    assert clamps(text) == left


@pytest.mark.parametrize("made", [constants(-1, 5, 10), CLAMPED.format(0, 9), ARGMAX])
def test_values_are_those_of_the_interpreter(made: str):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((10, 4)).astype(np.float32)
    k = rng.standard_normal((3, 10)).astype(np.float32)
    for i in ([[0], [9], [4]], [[-7], [10], [1 << 30]], [[-(1 << 31)], [(1 << 31) - 1], [-1]]):
        given = (x, np.array(i, np.int32), k)
        (native,), (meant,) = (stepwell.compile(gather(made), target=t)(*given) for t in ("cpu", "interpreter"))
        np.testing.assert_array_equal(np.asarray(native), np.asarray(meant))


def test_a_large_constant_is_not_looked_at():
    text = """func.func @f() -> tensor<{0}xi32> {{
      %c = arith.constant dense<"0x{1}"> : tensor<{0}xi32>
      %e = tensor.empty() : tensor<{0}xi32>
      %r = linalg.generic {{indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}}
          ins(%c : tensor<{0}xi32>) outs(%e : tensor<{0}xi32>) {{
      ^bb0(%x: i32, %o: i32):
        linalg.yield %x : i32
      }} -> tensor<{0}xi32>
      func.return %r : tensor<{0}xi32>
    }}"""
    for size, found in ((64, (3, 66)), (MOST_ELEMENTS + 1, (-(1 << 31), (1 << 31) - 1))):
        data = np.arange(3, 3 + size, dtype="<i4").tobytes().hex()
        assert yielded_range(text.format(size, data)) == found
