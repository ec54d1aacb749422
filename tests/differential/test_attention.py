"""Attention by tiles means what attention means: shapes around tiles, masks and biases of every kind, NaN and infinity."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import ml_dtypes
import numpy as np
import pytest
from xdsl.dialects.builtin import IntegerAttr, i64

import stepwell
from stepwell.backends.target import host_target
from stepwell.dialects.kernel import ScheduleAttr
from stepwell.dialects.registry import DIALECTS, get_dialect, interpreter_rules
from stepwell.ir.context import make_context
from stepwell.ir.errors import InvalidProgramError
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module
from stepwell.passes.apply_schedule import ApplySchedulePass
from stepwell.passes.choose_schedules import ChooseSchedulesPass

BITS = {"avx512": 512, "avx2": 256, "sse4.2": 128}
DTYPES = {"f32": np.float32, "f64": np.float64, "bf16": ml_dtypes.bfloat16, "f16": np.float16, "i1": np.bool_}
SCALED = "%c = arith.constant 0.3 : f32\n%r = arith.mulf %s, %c : f32"


@dataclass(frozen=True)
class Case:
    """One attention over (b, q, k, d, c): where its operands' elements are, and what its region does."""

    sizes: tuple[int, int, int, int, int]
    kind: str = "f32"
    narrow: str = ""
    """The element type of queries, keys and values, where it is another one."""
    places: tuple[str, str, str, str] = ("b, q, d", "b, k, d", "b, k, c", "b, q, c")
    extras: tuple[tuple[str, str], ...] = ()
    """Place and element type of each extra operand (%e0, ...)."""
    region: str = ""
    """What makes %r of %s, %i, %j, %e0, ...; nothing: the score itself."""
    mask: tuple[int, str] | None = None
    """`causal` and `fill`."""
    schedule: dict[str, int] = field(default_factory=dict)

    def shape(self, place: str) -> tuple[int, ...]:
        names = dict(zip("bqkdc", self.sizes, strict=True))
        return tuple(names[p.strip()] for p in place.split(","))

    def types(self) -> list[tuple[tuple[int, ...], str]]:
        """Shape and element type of each operand; the destination last."""
        kind = self.narrow or self.kind
        made = [(self.shape(p), kind) for p in self.places[:3]]
        return [*made, *((self.shape(p), t) for p, t in self.extras), (self.shape(self.places[3]), kind)]

    def op(self, names: Sequence[str], result: str, destination: str) -> str:
        """The op as text."""
        tensors = [f"tensor<{''.join(f'{n}x' for n in shape)}{kind}>" for shape, kind in self.types()]
        places = [*self.places[:3], *(p for p, _ in self.extras), self.places[3]]
        maps = ", ".join(f"affine_map<(b, q, k, d, c) -> ({p})>" for p in places)
        mask = "" if self.mask is None else f"causal = {self.mask[0]} : i64, fill = {self.mask[1]} : {self.kind}, "
        extras = "".join(f", %e{i}: {kind}" for i, (_, kind) in enumerate(self.extras))
        made = "%r" if self.region else "%s"
        return f"""%empty{result[1:]} = tensor.empty() : {tensors[-1]}
          {result} = structured.attention ins({", ".join(names)} : {", ".join(tensors[:-1])})
          outs({destination or f"%empty{result[1:]}"} : {tensors[-1]})
          {{{mask}sizes = array<i64: {", ".join(map(str, self.sizes))}>, indexing_maps = [{maps}]}} {{
          ^bb0(%s: {self.kind}, %i: index, %j: index{extras}):
            {self.region}
            structured.yield {made} : {self.kind}
          }} -> {tensors[-1]}"""

    def function(self, head: str) -> str:
        """A `kernel.func` or `func.func` that is the op."""
        *given, (shape, kind) = self.types()
        tensors = [f"tensor<{''.join(f'{n}x' for n in s)}{k}>" for s, k in given]
        result = f"tensor<{''.join(f'{n}x' for n in shape)}{kind}>"
        names = [f"%x{i}" for i in range(len(given))]
        arguments = ", ".join(f"{n}: {t}" for n, t in zip(names, tensors, strict=True))
        if head == "func":
            body = self.op(names, "%o", "")
            return f"func.func @main({arguments}) -> {result} {{ {body}\nfunc.return %o : {result} }}"
        access = ", ".join(['"read"'] * len(given) + ['"write"'])
        body = self.op(names, "%o", "")
        return f"""kernel.func @k({arguments}, %out: {result}) -> {result} attributes {{access = [{access}]}} {{
          {body}
          kernel.return %o : {result}
        }}"""

    def inputs(self, seed: int = 0) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        made = []
        for shape, kind in self.types()[:-1]:
            values = rng.random(shape) < 0.7 if kind == "i1" else rng.standard_normal(shape)
            made.append(values.astype(DTYPES[kind]))
        return made


def context():
    return make_context({name: (lambda name=name: get_dialect(name)) for name in DIALECTS})


def scheduled(case: Case, level: str = "sse4.2", cores: int = 2):
    """The case as a kernel before and after its schedule: what to call."""
    target = f'{{level = "{level}", vector_bits = {BITS[level]} : i64, cores = {cores} : i64, l1_bytes = 2048 : i64}}'
    text = f"module attributes {{stepwell.target = {target}}} {{\n{case.function('kernel')}\n}}"
    before, after = (parse_module(text, "k", context()) for _ in range(2))
    ChooseSchedulesPass().apply(context(), after)
    func = after.body.block.first_op
    assert func.schedule.strategy.data == "attention"
    if case.schedule:
        given = {name: IntegerAttr(value, i64) for name, value in case.schedule.items()}
        func.properties["schedule"] = ScheduleAttr("attention", {**func.schedule.params.data, **given})
    ApplySchedulePass().apply(context(), func)
    after.verify()
    return before, after


def compare(got: np.ndarray, want: np.ndarray, kind: str) -> None:
    assert got.dtype == want.dtype
    tolerance = {"f64": 1e-12, "f32": 2e-5}.get(kind, 0.02)
    np.testing.assert_allclose(
        got.astype(np.float64), want.astype(np.float64), rtol=tolerance, atol=tolerance, equal_nan=True
    )


def check(case: Case, inputs: list[np.ndarray] | None = None, level: str = "sse4.2") -> np.ndarray:
    """Compare before and after scheduling in the interpreter; returns the result."""
    before, after = scheduled(case, level)
    shape, kind = case.types()[-1]
    given = [*(case.inputs() if inputs is None else inputs), np.zeros(shape, DTYPES[kind])]
    want, got = (Interpreter(m, interpreter_rules()).call("k", given)[0] for m in (before, after))
    compare(np.asarray(got), np.asarray(want), case.narrow or case.kind)
    return np.asarray(want)


# On SSE a tile is 4 keys (or columns) by 8 queries; with this cache a block has few tiles.
SIZES = [*itertools.product((1, 7, 8, 9, 17), (1, 3, 4, 5, 9, 23))]


@pytest.mark.parametrize(("queries", "keys"), SIZES, ids=[f"{q}x{k}" for q, k in SIZES])
@pytest.mark.every(5)
def test_shapes_around_tiles(queries, keys):
    odd = (queries + keys) % 2
    check(Case((2, queries, keys, 3 + 2 * odd, 5 - odd), region=SCALED))


@pytest.mark.parametrize("offset", [-9, -1, 0, 3, 40])
@pytest.mark.parametrize("fill", ["-1.0e9", "0xff800000", "-2.0"])
@pytest.mark.every(4)
def test_causal_masks(offset, fill):
    """Rows that see nothing, keys that are passed over, and fills that are not low enough for that."""
    check(Case((1, 19, 21, 2, 3), mask=(offset, fill)))


EXTRAS = {
    "mask of both": (("b, q, k", "i1"), "%c = arith.constant -1.0e4 : f32\n%r = arith.select %e0, %s, %c : f32"),
    "mask across": (("b, k, q", "i1"), "%c = arith.constant 0xff800000 : f32\n%r = arith.select %e0, %s, %c : f32"),
    "mask of keys": (("b, k", "i1"), "%c = arith.constant 0xff800000 : f32\n%r = arith.select %e0, %s, %c : f32"),
    "bias": (("q, k", "f32"), "%r = arith.addf %s, %e0 : f32"),
    "bias across": (("k, q", "f32"), "%r = arith.addf %s, %e0 : f32"),
    "narrow bias": (("b, q, k", "bf16"), "%w = arith.extf %e0 : bf16 to f32\n%r = arith.addf %s, %w : f32"),
    "bias of queries": (("q, b", "f32"), "%r = arith.mulf %s, %e0 : f32"),
    "slope of batches": (
        ("b", "f32"),
        "%d = arith.subi %j, %i : index\n%w = arith.index_cast %d : index to i32\n%f = arith.sitofp %w : i32 to f32\n"
        "%t = arith.mulf %f, %e0 : f32\n%r = arith.addf %s, %t : f32",
    ),
}


@pytest.mark.parametrize("name", EXTRAS)
@pytest.mark.every(2)
def test_masks_and_biases(name):
    extra, region = EXTRAS[name]
    sizes = (3, 7, 11, 4, 4) if name in ("mask of both", "mask across", "bias of queries") else (2, 10, 9, 4, 4)
    check(Case(sizes, extras=(extra,), region=region))


@pytest.mark.parametrize("kind", ["f64", "bf16", "f16"])
def test_element_types(kind):
    """Narrow ones are computed in f32, whether a task copies its keys and values or a phase before does."""
    if kind == "f64":
        check(Case((2, 5, 11, 3, 3), kind="f64", mask=(2, "-1.0e9")))
        return
    for pack in (0, 1):
        check(Case((1, 9, 6, 5, 3), narrow=kind, schedule={"pack": pack}))


LAYOUTS = [
    ("q, b, d", "k, b, d", "k, b, c", "q, b, c"),
    ("b, d, q", "b, d, k", "b, c, k", "b, q, c"),
    ("q, d", "k, d", "b, k, c", "b, q, c"),
]


@pytest.mark.parametrize("places", LAYOUTS, ids=["batch inside", "transposed", "shared"])
@pytest.mark.parametrize("pack", [0, 1])
@pytest.mark.every(2)
def test_layouts(places, pack):
    check(Case((2, 9, 6, 5, 3), places=places, schedule={"pack": pack}))


def test_schedules_by_hand_are_rounded_to_what_the_shape_allows():
    schedule = {"queries": 3, "keys": 50, "columns": 2, "key_block": 1, "tasks": 7, "unroll": 1}
    check(Case((2, 13, 11, 3, 5), schedule=schedule, mask=(0, "-1.0e9")))


def test_an_attention_schedule_needs_an_attention():
    text = """kernel.func @k(%x: tensor<8xf32>, %o: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "write"],
        schedule = #kernel.schedule<"attention", {vector = 16 : i64}>} { kernel.return %x : tensor<8xf32> }"""
    module = parse_module(f"module {{\n{text}\n}}", "k", context())
    with pytest.raises(InvalidProgramError, match="no op of the kernel is an attention"):
        ApplySchedulePass().apply(context(), module.body.block.first_op)


def special(inputs: list[np.ndarray], **places: tuple[int, tuple[int, ...], float]) -> list[np.ndarray]:
    for number, where, value in places.values():
        inputs[number][where] = value
    return inputs


NAN, INF = float("nan"), float("inf")


def test_numbers_that_are_none_stay_in_their_rows():
    case = Case((1, 9, 10, 3, 4))
    inputs = special(case.inputs(), a=(0, (0, 2, 1), NAN), b=(0, (0, 8, 0), INF), c=(0, (0, 4), -0.0))
    want = check(case, inputs)
    assert np.isnan(want[0, 2]).all()
    assert not np.isnan(want[0, [0, 1, 3, 4, 5, 6, 7]]).any()


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_a_key_that_is_no_number_is_seen_by_all_queries(value):
    case = Case((1, 9, 10, 1, 4))
    inputs = [np.abs(x) for x in case.inputs()]
    check(case, special(inputs, a=(1, (0, 7, 0), value)))


@pytest.mark.parametrize("value", [NAN, INF])
def test_a_hidden_value_that_is_no_number_is_multiplied_by_a_weight_of_zero(value):
    """Keys behind the diagonal are passed over; what 0 times their values is counts all the same."""
    case = Case((1, 17, 17, 3, 5), mask=(0, "-1.0e9"))
    want = check(case, special(case.inputs(), a=(2, (0, 16, 2), value)))
    assert np.isnan(want[0, :-1, 2]).all()
    assert not np.isnan(want[0, :, :2]).any()


def test_rows_whose_scores_are_as_low_as_the_fill_see_all_keys():
    case = Case((1, 17, 20, 2, 3), mask=(0, "-1.0e9"))
    inputs = case.inputs()
    inputs[0][0, 3], inputs[1][...] = -1e30, 1e30
    inputs[0][0, 9] = -2.5e-22
    want = check(case, inputs)
    # What a row of -inf sees is all hidden: the mean of what the mask fills.
    np.testing.assert_allclose(want[0, 3], inputs[2][0, 4:].mean(axis=0), rtol=1e-5)


def test_values_near_the_largest_number_do_not_overflow():
    case = Case((1, 8, 40, 2, 4))
    inputs = case.inputs()
    inputs[1][...] = 0
    inputs[2][...] = 3e38
    assert np.isfinite(check(case, inputs)).all()


# Few queries: rows of tiles. On SSE 8 sums are held at once, a line has 4 keys; blocks of 8 keys make several parts.

FEW = {"few": 1}
IN_PARTS = {"few": 1, "key_block": 8, "tasks": 8}
FEW_SIZES = [*itertools.product((1, 3, 5), (4, 5, 8, 9, 23))]


@pytest.mark.parametrize(("queries", "keys"), FEW_SIZES, ids=[f"{q}x{k}" for q, k in FEW_SIZES])
@pytest.mark.every(4)
def test_few_queries_around_tiles(queries, keys):
    odd = (queries + keys) % 2
    check(Case((2, queries, keys, 3 + 2 * odd, 5 - odd), region=SCALED, schedule=FEW if odd else IN_PARTS))


@pytest.mark.parametrize("name", ["mask of keys", "bias", "narrow bias", "slope of batches"])
@pytest.mark.every(2)
def test_masks_and_biases_of_few_queries(name):
    extra, region = EXTRAS[name]
    check(Case((2, 3, 11, 4, 4), extras=(extra,), region=region, schedule=IN_PARTS, mask=(7, "-1.0e9")))


@pytest.mark.parametrize("places", [*LAYOUTS, ("q, b, d", "k, d", "c, k", "q, b, c")])
@pytest.mark.every(2)
def test_layouts_of_few_queries(places):
    """Batches that share keys and values are rows beside the queries."""
    check(Case((3, 2, 13, 5, 6), places=places, narrow="bf16" if places == LAYOUTS[2] else "", schedule=IN_PARTS))


def test_numbers_that_are_none_in_one_part_of_the_keys():
    """Keys that are -inf to a whole part, a NaN score, an infinite score, a value of NaN whose weight is 0."""
    case = Case((1, 4, 24, 1, 4), schedule=IN_PARTS)
    inputs = [np.abs(x) for x in case.inputs()]
    inputs[0][0, :, 0] = 1, NAN, INF, 2
    inputs[1][0, 8:16], inputs[1][0, 16] = -INF, 300
    inputs[2][0, 0, 1] = NAN
    want = check(case, inputs)
    assert np.isnan(want[0, 1:3]).all()
    assert np.isnan(want[0, :, 1]).all()
    assert np.isfinite(want[0, [0, 3]][:, [0, 2, 3]]).all()


def test_rows_of_nothing_but_minus_infinity_are_nan_in_parts_as_well():
    case = Case((1, 2, 16, 1, 4), schedule=IN_PARTS)
    inputs = [np.abs(x) for x in case.inputs()]
    inputs[1][...] = -INF
    assert np.isnan(check(case, inputs)).all()


def test_few_queries_need_lines_of_keys_and_values():
    case = Case((4, 2, 8, 4, 4), places=("b, q, d", "k, d, b", "b, k, c", "b, q, c"), schedule=FEW)
    with pytest.raises(InvalidProgramError, match="queries cannot be rows: its keys are apart in memory"):
        scheduled(case)


def chosen(case: Case, cores: int) -> dict[str, int]:
    """The numbers of the schedule on a machine with long vectors."""
    target = f'{{level = "avx512", vector_bits = 512 : i64, cores = {cores} : i64, l1_bytes = 32768 : i64}}'
    module = parse_module(
        f"module attributes {{stepwell.target = {target}}} {{\n{case.function('kernel')}\n}}", "k", context()
    )
    ChooseSchedulesPass().apply(context(), module)
    params = module.body.block.first_op.schedule.params.data
    return {name: value.value.data for name, value in params.items() if isinstance(value, IntegerAttr)}


def test_queries_are_rows_where_they_would_fill_few_lanes():
    assert chosen(Case((8, 1, 2048, 128, 128)), 2)["few"] == 1
    assert "few" not in chosen(Case((8, 64, 2048, 128, 128)), 2)
    shared = ("b, q, d", "k, d", "k, c", "b, q, c")
    assert chosen(Case((4, 8, 2048, 128, 128), places=shared), 2)["few"] == 1
    assert "few" not in chosen(Case((8, 16, 16, 64, 64)), 2)
    assert "few" not in chosen(Case((8, 12, 2048, 64, 64), mask=(0, "-1.0e9")), 2)


def test_few_batches_are_cut_along_the_keys_where_there_is_work_for_several_cores():
    assert chosen(Case((1, 1, 4096, 128, 128)), 4)["tasks"] > 4
    assert chosen(Case((1, 1, 64, 16, 16)), 4)["tasks"] == 1


# Natively: a few that go through much.

PROGRAMS = (
    Case((2, 33, 29, 6, 17), mask=(0, "-1.0e9"), region=SCALED),
    Case((1, 20, 50, 16, 15), extras=(EXTRAS["mask of both"][0],), region=EXTRAS["mask of both"][1]),
    Case(
        (3, 7, 45, 9, 8), narrow="bf16", places=LAYOUTS[0], extras=(("b, k", "i1"),), region=EXTRAS["mask of keys"][1]
    ),
    Case(
        (2, 3, 301, 40, 24), mask=(290, "-1.0e9"), extras=(EXTRAS["mask of keys"][0],), region=EXTRAS["mask of keys"][1]
    ),
    Case((3, 1, 6007, 33, 35), narrow="bf16", places=("q, b, d", "k, d", "c, k", "q, b, c")),
)


@pytest.mark.parametrize("level", BITS)
def test_native_code(level):
    order = list(BITS)
    if order.index(level) < order.index(host_target().level):
        pytest.skip(f"this machine has no {level}")
    for case in {"avx512": (*PROGRAMS[:2], PROGRAMS[4]), "avx2": PROGRAMS[2:4], "sse4.2": (PROGRAMS[0], PROGRAMS[3])}[
        level
    ]:
        text = case.function("func")
        inputs = case.inputs(3)
        inputs[0][(0,) * inputs[0].ndim] = NAN
        want = Interpreter(parse_module(f"module {{\n{text}\n}}", "k", context()), interpreter_rules()).call(
            "main", inputs
        )
        compare(
            np.asarray(stepwell.compile(text, simd=level)(*inputs)[0]), np.asarray(want[0]), case.narrow or case.kind
        )
