"""The table of strategies and parameters: what schedules are written from, what hints come from it, what the manual says."""

from __future__ import annotations

from dataclasses import MISSING, fields

import pytest

from stepwell.dialects import kernel
from stepwell.dialects.registry import DIALECTS, get_dialect
from stepwell.ir.context import make_context
from stepwell.ir.errors import InvalidProgramError
from stepwell.ir.parser import parse_module
from stepwell.passes.apply_schedule import ApplySchedulePass
from stepwell.passes.choose_schedules import ChooseSchedulesPass
from stepwell.passes.schedules.block_tiles import BlockTile
from stepwell.passes.schedules.parameters import STRATEGIES, checked, schedule

KERNEL = """
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"]SCHEDULE} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}
"""


def parsed(text: str = ""):
    given = f", schedule = #kernel.schedule<{text}>" if text else ""
    context = make_context({name: (lambda name=name: get_dialect(name)) for name in DIALECTS})
    return parse_module(KERNEL.replace("SCHEDULE", given), "k.mlir", context), context


HINTS = {
    '"loop", {}': "did you mean 'loops'?",
    '"magic", {}': "there are loops, rows, contraction, dots, window, attention, attention-gradient, block-rows, block-transpose, block-contraction",
    '"block-rows", {vector = 512 : i64}': "only subgroups of lanes do it: say subgroup = 32 : i64, or use 'loops'",
    '"contraction", {subgroup = 32 : i64}': "use 'block-contraction', or leave 'subgroup' away",
    '"loops", {vektor = 32 : i64}': "did you mean 'vector'?",
    '"loops", {tile = 32 : i64}': "it is one of block-transpose",
    '"loops", {subgroups = 4 : i64}': "it is for subgroups of lanes only",
    '"loops", {subgroup = 32 : i64, grain = 4 : i64}': "it is for cores with vectors of their own only",
    '"loops", {xyz = 4 : i64}': "there are vector, unroll, tasks, grain, prefetch, parallel, chunk, reason",
    '"loops", {subgroup = 32 : i64, subgroups = "x"}': "subgroups: subgroups of a block",
    '"loops", {unroll = 0 : i64}': "unroll: vectors at once",
    '"block-contraction", {subgroup = 32 : i64, form = "registers"}': "did you mean 'register'?",
    '"block-contraction", {subgroup = 32 : i64, form = "xyz"}': "there are matrix, register, shared",
    '"block-transpose", {subgroup = 32 : i64}': "tile: points along each side of a tile",
    '"loops", {subgroup = 32 : i64, vector = 16 : i64}': "128 is 4 bytes for each lane",
    '"rows", {vector = 16 : i64}': "use 'loops'",
}


@pytest.mark.parametrize("text", HINTS)
def test_a_wrong_schedule_comes_with_a_hint_at_the_kernel(text):
    module, context = parsed(text)
    with pytest.raises(InvalidProgramError) as error:
        ApplySchedulePass().apply(context, module.body.block.first_op)
    assert "k.mlir:2:1: error: 'kernel.func' op @k has a " in str(error.value)
    assert f"hint: {HINTS[text]}" in str(error.value)


def test_what_is_not_said_has_the_default_of_the_table():
    module, _ = parsed('"loops", {subgroup = 32 : i64, vector = 512 : i64}')
    func = module.body.block.first_op
    values = checked(func, func.schedule)
    assert values == {
        "subgroup": 32, "vector": 512, "unroll": 1, "tasks": 1, "subgroups": 4, "threads": 128, "reason": "", "vectors": 1,
        "split": 1,
    }  # fmt: skip


def test_flags_are_numbers_or_truth_values():
    for text, value in (("false", 0), ("true", 1), ("0 : i64", 0), ("1 : i64", 1)):
        module, _ = parsed(f'"loops", {{parallel = {text}}}')
        func = module.body.block.first_op
        assert checked(func, func.schedule)["parallel"] == value


def test_no_schedule_can_be_chosen_that_the_table_does_not_know():
    with pytest.raises(AssertionError, match="'loops' has no parameter 'tile'"):
        schedule("loops", {"vector": 32, "tile": 32}, "because")


def test_every_parameter_can_be_left_out_or_must_be_said():
    for strategy in STRATEGIES.values():
        for where in ("cores", "subgroups"):
            names = [p.name for p in strategy.parameters(where)]
            assert len(names) == len(set(names))
            for parameter in strategy.parameters(where):
                assert parameter.meaning
                assert parameter.default is None or not parameter.derived
                if isinstance(parameter.default, int):
                    none = parameter.zero and parameter.default == 0
                    assert none or parameter.least <= parameter.default <= parameter.most


def test_tiles_of_blocks_have_the_defaults_of_the_table():
    known = {p.name: p.default for p in STRATEGIES["block-contraction"].own}
    for field in fields(BlockTile):
        assert known[field.name] == (None if field.default is MISSING else field.default)


def test_a_strategy_asked_for_must_exist():
    module, context = parsed()
    with pytest.raises(
        InvalidProgramError, match=r"asked for a strategy that does not exist: 'rosw'(?s:.*)did you mean 'rows'"
    ):
        ChooseSchedulesPass(strategy="rosw").apply(context, module)


def test_what_is_chosen_is_what_the_check_accepts():
    module, context = parsed()
    ChooseSchedulesPass().apply(context, module)
    func = module.body.block.first_op
    assert isinstance(func, kernel.FuncOp)
    assert checked(func, func.schedule)["reason"]


PRODUCT = """
kernel.func @k(%a: tensor<3x3xf32>, %b: tensor<3x3xf32>, %o: tensor<3x3xf32>) -> tensor<3x3xf32> attributes {access = ["read", "read", "write"]} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%o : tensor<3x3xf32>) -> tensor<3x3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<3x3xf32>, tensor<3x3xf32>) outs(%f : tensor<3x3xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<3x3xf32>
  kernel.return %r : tensor<3x3xf32>
}
"""


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        ("", "no register tiles: too small for tiles"),
        ("contraction", "'contraction' was asked for, but no register tiles: too small for tiles"),
        ("window", "'window' was asked for, but no op of the kernel is a sum of products over a window"),
        ("attention", "'attention' was asked for, but no op of the kernel is an attention"),
        ("attention-gradient", "but no op of the kernel is the gradient of an attention"),
        ("rows", "'rows' was asked for, but the kernel has no rows: "),
        ("block-rows", "'block-rows' was asked for, but only subgroups of lanes do it"),
    ],
)
def test_loops_say_what_stood_against_another_strategy(strategy, reason):
    context = make_context({name: (lambda name=name: get_dialect(name)) for name in DIALECTS})
    module = parse_module(PRODUCT, "k.mlir", context)
    ChooseSchedulesPass(strategy=strategy).apply(context, module)
    func = module.body.block.first_op
    assert func.schedule.strategy.data == "loops"
    assert reason in func.schedule.params.data["reason"].data
