"""The gradient of attention by tiles means what its definition means: shapes around tiles, masks, NaN and infinity, parts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

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
DTYPES = {"f32": np.float32, "f64": np.float64, "i1": np.bool_}
NAN, INF = float("nan"), float("inf")
SCALED = "%c = arith.constant 0.3 : f32\n%r = arith.mulf {0}, %c : f32"


@dataclass(frozen=True)
class Case:
    """One gradient over (a, b, q, k, d, c): keys and values have batch dim a, the queries that share them b."""

    sizes: tuple[int, int, int, int, int, int]
    kind: str = "f32"
    places: tuple[str, str, str, str] = ("a, b, q, d", "a, k, d", "a, k, c", "a, b, q, c")
    results: tuple[str, str, str] = ("a, b, q, d", "a, k, d", "a, k, c")
    extras: tuple[tuple[str, str], ...] = ()
    """Place and element type of each extra operand (%e0, ...)."""
    score: str = ""
    """What makes %r of %s, %i, %j, %e0, ...; nothing: the product itself."""
    slope: str = ""
    """What makes %r of %t, %s, %i, %j, %e0, ...; nothing: what is passed back itself."""
    mask: tuple[int, str] | None = None
    """`causal` and `fill`."""
    schedule: dict[str, int] = field(default_factory=dict)

    def shape(self, place: str) -> tuple[int, ...]:
        names = dict(zip("abqkdc", self.sizes, strict=True))
        return tuple(names[p.strip()] for p in place.split(","))

    def ins(self) -> list[tuple[tuple[int, ...], str]]:
        return [*((self.shape(p), self.kind) for p in self.places), *((self.shape(p), t) for p, t in self.extras)]

    def outs(self) -> list[tuple[int, ...]]:
        return [self.shape(p) for p in self.results]

    def function(self, head: str) -> str:
        """A `kernel.func` or `func.func` that is the op."""
        ins = [_tensor(*t) for t in self.ins()]
        outs = [_tensor(shape, self.kind) for shape in self.outs()]
        names = [f"%x{i}" for i in range(len(ins))]
        results = ", ".join(outs)
        places = [*self.places, *(p for p, _ in self.extras), *self.results]
        maps = ", ".join(f"affine_map<(a, b, q, k, d, c) -> ({p})>" for p in places)
        mask = "" if self.mask is None else f"causal = {self.mask[0]} : i64, fill = {self.mask[1]} : {self.kind}, "
        extras = "".join(f", %e{i}: {kind}" for i, (_, kind) in enumerate(self.extras))
        empties = "\n".join(f"%empty{i} = tensor.empty() : {t}" for i, t in enumerate(outs))
        body = f"""{empties}
          %o:3 = structured.attention_gradient ins({", ".join(names)} : {", ".join(ins)})
          outs(%empty0, %empty1, %empty2 : {results})
          {{{mask}sizes = array<i64: {", ".join(map(str, self.sizes))}>, indexing_maps = [{maps}]}} {{
          ^bb0(%s: {self.kind}, %i: index, %j: index{extras}):
            {self.score}
            structured.yield {"%r" if self.score else "%s"} : {self.kind}
          }}, {{
          ^bb0(%t: {self.kind}, %s: {self.kind}, %i: index, %j: index{extras}):
            {self.slope}
            structured.yield {"%r" if self.slope else "%t"} : {self.kind}
          }} -> ({results})"""
        arguments = ", ".join(f"{n}: {t}" for n, t in zip(names, ins, strict=True))
        if head == "func":
            return f"func.func @main({arguments}) -> ({results}) {{ {body}\nfunc.return %o#0, %o#1, %o#2 : {results} }}"
        given = ", ".join(f"%out{i}: {t}" for i, t in enumerate(outs))
        access = ", ".join(['"read"'] * len(ins) + ['"write"'] * 3)
        return f"""kernel.func @k({arguments}, {given}) -> ({results}) attributes {{access = [{access}]}} {{
          {body}
          kernel.return %o#0, %o#1, %o#2 : {results}
        }}"""

    def inputs(self, seed: int = 0) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        made = []
        for shape, kind in self.ins():
            values = rng.random(shape) < 0.7 if kind == "i1" else rng.standard_normal(shape)
            made.append(values.astype(DTYPES[kind]))
        return made


def _tensor(shape: Sequence[int], kind: str) -> str:
    return f"tensor<{''.join(f'{n}x' for n in shape)}{kind}>"


def context():
    return make_context({name: (lambda name=name: get_dialect(name)) for name in DIALECTS})


def chosen(case: Case, level: str = "sse4.2", cores: int = 2):
    """The case as a kernel, with the schedule that a machine gets."""
    target = f'{{level = "{level}", vector_bits = {BITS[level]} : i64, cores = {cores} : i64, l1_bytes = 2048 : i64}}'
    module = parse_module(
        f"module attributes {{stepwell.target = {target}}} {{\n{case.function('kernel')}\n}}", "k", context()
    )
    ChooseSchedulesPass().apply(context(), module)
    return module


def check(case: Case, inputs: list[np.ndarray] | None = None, level: str = "sse4.2") -> list[np.ndarray]:
    """Compare before and after scheduling in the interpreter; returns the results."""
    before, after = chosen(case, level), chosen(case, level)
    func = after.body.block.first_op
    assert func.schedule.strategy.data == "attention-gradient"
    given = {name: IntegerAttr(value, i64) for name, value in case.schedule.items()}
    func.properties["schedule"] = ScheduleAttr("attention-gradient", {**func.schedule.params.data, **given})
    ApplySchedulePass().apply(context(), func)
    after.verify()
    operands = [*(case.inputs() if inputs is None else inputs), *(np.zeros(s, DTYPES[case.kind]) for s in case.outs())]
    want, got = (Interpreter(m, interpreter_rules()).call("k", operands) for m in (before, after))
    compare(got, want, case.kind)
    return [np.asarray(w) for w in want]


def compare(got: Sequence[object], want: Sequence[object], kind: str) -> None:
    tolerance = {"f64": 1e-12, "f32": 2e-5}[kind]
    for g, w in zip(map(np.asarray, got), map(np.asarray, want), strict=True):
        assert g.dtype == w.dtype
        scale = np.abs(w[np.isfinite(w)]).max(initial=1.0)
        np.testing.assert_allclose(g, w, rtol=tolerance, atol=tolerance * scale, equal_nan=True)


# On SSE a tile is 4 keys by 8 queries; with this cache a block has two tiles.
SIZES = [*itertools.product((1, 7, 8, 9, 17), (1, 3, 4, 5, 8, 9, 23))]


@pytest.mark.parametrize(("queries", "keys"), SIZES, ids=[f"{q}x{k}" for q, k in SIZES])
@pytest.mark.every(8)
def test_shapes_around_tiles(queries, keys):
    odd = (queries + keys) % 2
    sizes = (2, 1 + odd, queries, keys, 3 + 2 * odd, 5 - odd)
    check(Case(sizes, score=SCALED.format("%s"), slope=SCALED.format("%t")))


@pytest.mark.parametrize("offset", [-9, -1, 0, 3, 40])
@pytest.mark.parametrize("fill", ["-1.0e9", "0xff800000", "-2.0"])
@pytest.mark.every(5)
def test_causal_masks(offset, fill):
    """Rows that see nothing, keys that are passed over, and fills that are not low enough for that."""
    check(Case((1, 1, 11, 13, 2, 3), mask=(offset, fill)))


EXTRAS = {
    "mask of both": (
        ("a, b, q, k", "i1"),
        "%c = arith.constant -1.0e4 : f32\n%r = arith.select %e0, %s, %c : f32",
        "%c = arith.constant 0.0 : f32\n%r = arith.select %e0, %t, %c : f32",
    ),
    "mask of keys": (
        ("a, k", "i1"),
        "%c = arith.constant 0xff800000 : f32\n%r = arith.select %e0, %s, %c : f32",
        "%c = arith.constant 0.0 : f32\n%r = arith.select %e0, %t, %c : f32",
    ),
    "bias across": (("k, q", "f32"), "%r = arith.addf %s, %e0 : f32", ""),
    "scale by rows": (("q, b", "f32"), "%r = arith.mulf %s, %e0 : f32", "%r = arith.mulf %t, %e0 : f32"),
    "cap": (
        ("k", "f32"),
        "%w = arith.mulf %s, %s : f32\n%r = arith.addf %w, %e0 : f32",
        "%w = arith.mulf %s, %t : f32\n%r = arith.addf %w, %w : f32",
    ),
    "numbers": (
        ("a", "f32"),
        "%d = arith.subi %j, %i : index\n%w = arith.index_cast %d : index to i32\n%f = arith.sitofp %w : i32 to f32\n"
        "%u = arith.mulf %f, %e0 : f32\n%r = arith.addf %s, %u : f32",
        "",
    ),
}


@pytest.mark.parametrize("name", EXTRAS)
@pytest.mark.every(3)
def test_masks_and_biases(name):
    extra, score, slope = EXTRAS[name]
    check(Case((1, 2, 9, 7, 4, 3), extras=(extra,), score=score, slope=slope))


LAYOUTS = [
    ("q, a, b, d", "k, a, d", "k, a, c", "q, a, b, c"),
    ("a, b, d, q", "a, d, k", "a, c, k", "a, b, c, q"),
    ("a, b, q, d", "k, d", "k, c", "a, b, q, c"),
]


@pytest.mark.parametrize("places", LAYOUTS, ids=["batch inside", "transposed", "shared"])
@pytest.mark.parametrize("pack", [0, 1])
@pytest.mark.every(3)
def test_layouts(places, pack):
    check(Case((2, 1, 9, 6, 5, 3), places=places, schedule={"pack": pack}))


def test_doubles():
    check(Case((2, 1, 5, 11, 3, 3), kind="f64", mask=(2, "-1.0e9")))


@pytest.mark.parametrize("parts", [1, 2])
def test_results_of_any_order(parts):
    results = ("q, b, a, d", "k, a, d", "k, a, c")
    check(Case((2, 2, 9, 6, 3, 5), results=results, schedule={"parts": parts}))


@pytest.mark.parametrize("parts", [2, 9])
@pytest.mark.every(2)
def test_parts_of_the_queries_are_added_up(parts):
    check(Case((1, 2, 19, 9, 3, 5), mask=(0, "-1.0e9"), schedule={"parts": parts, "key_block": 1, "columns": 2}))


def test_a_gradient_schedule_needs_a_gradient():
    text = """kernel.func @k(%x: tensor<8xf32>, %o: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "write"],
        schedule = #kernel.schedule<"attention-gradient", {vector = 16 : i64}>} { kernel.return %x : tensor<8xf32> }"""
    module = parse_module(f"module {{\n{text}\n}}", "k", context())
    with pytest.raises(InvalidProgramError, match="no op of the kernel is the gradient of an attention"):
        ApplySchedulePass().apply(context(), module.body.block.first_op)


def test_queries_are_cut_into_parts_where_batches_do_not_share_out_evenly():
    def parts(batches: int, cores: int) -> int:
        params = chosen(Case((batches, 1, 512, 512, 64, 64)), "avx512", cores).body.block.first_op.schedule.params
        return params.data["parts"].value.data

    assert parts(8, 2) == 1
    assert parts(1, 2) > 1
    assert parts(3, 2) > 1


def special(case: Case, *places: tuple[int, tuple[int, ...], float]) -> list[np.ndarray]:
    inputs = case.inputs()
    for number, where, value in places:
        inputs[number][where] = value
    return inputs


@pytest.mark.parametrize("number", range(4), ids=["query", "key", "value", "gradient"])
@pytest.mark.parametrize("value", [NAN, INF, -INF, 3e38, -0.0])
@pytest.mark.every(5)
def test_operands_that_are_no_numbers_under_a_causal_mask(number, value):
    """What is hidden is multiplied by 0 all the same, and that is NaN."""
    case = Case((1, 1, 17, 17, 3, 5), mask=(0, "-1.0e9"))
    check(case, special(case, (number, (0, 0, 16, 2)[4 - case.inputs()[number].ndim :], value)))


def test_a_row_that_is_no_number_in_the_block_that_overlaps_is_seen_once():
    """The last block of queries begins with queries that are done already: what they pass back must not count again."""
    case = Case((1, 1, 9, 8, 3, 4))
    want = check(case, special(case, (3, (0, 0, 3, 1), INF)))
    assert np.isinf(want[2]).any()


def test_rows_whose_scores_are_as_low_as_the_fill_see_all_keys():
    biased = ("q", "f32"), "%r = arith.addf %s, %e0 : f32"
    case = Case((1, 1, 17, 20, 2, 3), mask=(0, "-1.0e9"), extras=(biased[0],), score=biased[1])
    inputs = case.inputs()
    inputs[4][[3, 9]] = -1e9
    check(case, inputs)


# Natively: a few that go through much.

PROGRAMS = (
    Case((2, 2, 33, 29, 6, 17), mask=(0, "-1.0e9"), score=SCALED.format("%s"), slope=SCALED.format("%t")),
    Case((1, 1, 70, 50, 16, 15), extras=(EXTRAS["cap"][0],), score=EXTRAS["cap"][1], slope=EXTRAS["cap"][2]),
    Case((3, 1, 7, 45, 9, 8), places=LAYOUTS[0], mask=(40, "0xff800000")),
)


@pytest.mark.parametrize("level", BITS)
def test_native_code(level):
    order = list(BITS)
    if order.index(level) < order.index(host_target().level):
        pytest.skip(f"this machine has no {level}")
    case = dict(zip(BITS, PROGRAMS, strict=True))[level]
    text, inputs = case.function("func"), case.inputs(3)
    inputs[0][(0,) * inputs[0].ndim] = 0.0
    want = Interpreter(parse_module(f"module {{\n{text}\n}}", "k", context()), interpreter_rules()).call("main", inputs)
    exe = stepwell.compile(text, simd=level)
    first = exe(*inputs)
    compare(first, want, case.kind)
    before = stepwell.num_threads()
    stepwell.set_num_threads(1)
    try:
        again = exe(*inputs)
    finally:
        stepwell.set_num_threads(before)
    for one, two in zip(first, again, strict=True):
        assert np.asarray(one).tobytes() == np.asarray(two).tobytes()
