"""Atomic updates, fences, votes and matches in the simulator: what they give, and what of them is wrong."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from stepwell.dialects.interp.simt import ReportKind, SimulationError

RNG = np.random.default_rng(3)
SHARED = "#gpu.address_space<workgroup>"
DTYPES = {
    "i1": np.bool_,
    "i8": np.int8,
    "i32": np.int32,
    "i64": np.int64,
    "f32": np.float32,
    "bf16": ml_dtypes.bfloat16,
}


def in_turn(kind: str, old: np.ndarray, values: np.ndarray) -> np.ndarray:
    """An update by one thread."""
    unsigned = {np.dtype(np.int32): np.uint32, np.dtype(np.int8): np.uint8}.get(old.dtype, old.dtype)
    with np.errstate(all="ignore"):
        return {
            "add": lambda a, b: a ^ b if a.dtype == np.bool_ else a + b,
            "mul": lambda a, b: a * b,
            "assign": lambda a, b: b,
            "and": lambda a, b: a & b,
            "or": lambda a, b: a | b,
            "xor": lambda a, b: a ^ b,
            "maxs": np.maximum,
            "mins": np.minimum,
            "maxu": lambda a, b: np.maximum(a.view(unsigned), b.view(unsigned)).view(a.dtype),
            "minu": lambda a, b: np.minimum(a.view(unsigned), b.view(unsigned)).view(a.dtype),
            "maximum": np.maximum,
            "minimum": np.minimum,
            "maxnum": np.fmax,
            "minnum": np.fmin,
        }[kind if kind in ("assign", "maxs", "mins", "maxu", "minu") else kind[:-1]](old, values)


KINDS = [
    *((k, t) for k in ("addi", "muli", "andi", "ori", "xori", "maxs", "mins", "maxu", "minu") for t in ("i8", "i32")),
    *((k, "f32") for k in ("addf", "mulf", "maximumf", "minimumf", "maxnumf", "minnumf", "assign")),
    *(("addf", "bf16"), ("addi", "i1"), ("assign", "i64")),
]


@pytest.mark.parametrize("memory", ["global", "shared"])
@pytest.mark.parametrize(("kind", "type_"), KINDS)
@pytest.mark.every(2)
def test_lanes_update_one_element_in_the_order_of_their_numbers(simulate, kind, type_, memory):
    dtype = np.dtype(DTYPES[type_])
    places = RNG.integers(0, 5, 64)
    values = (RNG.integers(-100, 100, 64) if dtype.kind in "ib" else RNG.normal(size=64)).astype(dtype)
    if kind in ("maximumf", "minimumf", "maxnumf", "minnumf"):
        values[17] = np.nan
    sums = np.array([3, 1, 4, 1, 5]).astype(dtype)
    expected, before = sums.copy(), np.zeros(64, dtype)
    for thread, place in enumerate(places):
        before[thread] = expected[place]
        expected[place] = in_turn(kind, expected[place : place + 1], values[thread : thread + 1])[0]
    old = np.zeros(64, dtype)
    kept = "%m" if memory == "global" else "%s"
    space = "" if memory == "global" else f", {SHARED}"
    through = f"""
        %few = arith.constant 5 : index
        %first = arith.cmpi ult, %t, %few : index
        scf.if %first {{
          %own = memref.load %FROM[%t] : memref<5x{type_}FROMSPACE>
          memref.store %own, %TO[%t] : memref<5x{type_}TOSPACE>
        }}
        gpu.barrier
    """
    into = (
        through.replace("%FROM", "%m").replace("FROMSPACE", "").replace("%TO", "%s").replace("TOSPACE", f", {SHARED}")
    )
    back = (
        through.replace("%FROM", "%s").replace("FROMSPACE", f", {SHARED}").replace("%TO", "%m").replace("TOSPACE", "")
    )
    simulate(
        f"(%p: memref<64xindex>, %x: memref<64x{type_}>, %m: memref<5x{type_}>, %o: memref<64x{type_}>) "
        f"workgroup(%s: memref<5x{type_}, {SHARED}>)",
        f"""
        %t = gpu.thread_id x
        {into if memory == "shared" else ""}
        %i = memref.load %p[%t] : memref<64xindex>
        %v = memref.load %x[%t] : memref<64x{type_}>
        %old = memref.atomic_rmw {kind} %v, {kept}[%i] : ({type_}, memref<5x{type_}{space}>) -> {type_}
        memref.store %old, %o[%t] : memref<64x{type_}>
        gpu.barrier
        {back.replace("%few", "%few2").replace("%first", "%first2").replace("%own", "%own2") if memory == "shared" else ""}
        """,
        [places, values, sums, old],
        block=64,
    )
    np.testing.assert_array_equal(old, before)
    np.testing.assert_array_equal(sums, expected)


def test_lanes_that_go_another_way_update_nothing(simulate):
    count = np.zeros((), np.int32)
    simulate(
        "(%m: memref<i32>)",
        """
        %t = gpu.thread_id x
        %c7 = arith.constant 7 : index
        %one = arith.constant 1 : i32
        %few = arith.cmpi ult, %t, %c7 : index
        scf.if %few {
          %old = memref.atomic_rmw addi %one, %m[] : (i32, memref<i32>) -> i32
        }
        """,
        [count],
        grid=3,
        block=64,
    )
    assert count == 21


def updates(first: str, then: str, between: str = "") -> str:
    return f"""
        %t = gpu.thread_id x
        %b = gpu.block_id x
        %c0 = arith.constant 0 : index
        %one = arith.constant 1 : i32
        %last = arith.constant 63 : index
        %is0 = arith.cmpi eq, %t, %c0 : index
        %is63 = arith.cmpi eq, %t, %last : index
        %block0 = arith.cmpi eq, %b, %c0 : index
        %zero = arith.constant 0 : i32
        scf.if %is0 {{
          memref.store %zero, %s[] : memref<i32, {SHARED}>
        }}
        gpu.barrier
        {first}
        {between}
        {then}
        """


SIGNATURE = f"(%m: memref<i32>) workgroup(%s: memref<i32, {SHARED}>)"
UPDATE = "%u = memref.atomic_rmw addi %one, MEMORY[] : (i32, KIND) -> i32"
UPDATE_2 = "%u2 = memref.atomic_rmw xori %one, MEMORY[] : (i32, KIND) -> i32"
LOAD = "%l = memref.load MEMORY[] : KIND"
STORE = "scf.if %is63 { memref.store %one, MEMORY[] : KIND }"
LAST_UPDATES = "scf.if %is63 { %w = memref.atomic_rmw addi %one, MEMORY[] : (i32, KIND) -> i32 }"
WAYS = {
    "a load after an update": (UPDATE, LOAD, "memref.load", "reads .*updated"),
    "a store after an update": (UPDATE, STORE, "memref.store", "writes .*updated"),
    "an update after a load": (LOAD, UPDATE, "memref.atomic_rmw", "updates .*read"),
    "an update after a store": (STORE, UPDATE, "memref.atomic_rmw", "updates .*wrote"),
    "a load after one update": (LAST_UPDATES, LOAD, "memref.load", "reads .*thread 63 updated"),
}


def named(text: str, memory: str) -> str:
    kind = "memref<i32>" if memory == "%m" else f"memref<i32, {SHARED}>"
    return text.replace("MEMORY", memory).replace("KIND", kind)


@pytest.mark.parametrize("memory", ["%m", "%s"])
@pytest.mark.parametrize("way", WAYS)
def test_a_plain_access_beside_an_update_is_a_race(simulate, way, memory):
    first, then, op, said = WAYS[way]
    with pytest.raises(SimulationError, match=said) as caught:
        simulate(SIGNATURE, named(updates(first, then), memory), [np.zeros((), np.int32)], block=64)
    assert caught.value.kind is (ReportKind.GLOBAL_RACE if memory == "%m" else ReportKind.SHARED_RACE)
    assert caught.value.op.name == op


@pytest.mark.parametrize("memory", ["%m", "%s"])
@pytest.mark.parametrize("way", WAYS)
def test_a_barrier_between_them_orders_them(simulate, way, memory):
    first, then, _, _ = WAYS[way]
    simulate(SIGNATURE, named(updates(first, then, "gpu.barrier"), memory), [np.zeros((), np.int32)], block=64)


@pytest.mark.parametrize("memory", ["%m", "%s"])
def test_updates_do_not_race_with_each_other(simulate, memory):
    body = updates(UPDATE, UPDATE_2)
    simulate(SIGNATURE, named(body, memory), [np.zeros((), np.int32)], grid=3, block=64)


def test_a_barrier_of_a_subgroup_orders_its_lanes_only(simulate):
    body = named(updates(UPDATE, LOAD, "gpu.subgroup_barrier"), "%s")
    simulate(SIGNATURE, body, [np.zeros((), np.int32)], block=32)
    with pytest.raises(SimulationError, match="updated"):
        simulate(SIGNATURE, body, [np.zeros((), np.int32)], block=64)


@pytest.mark.parametrize(
    ("first", "second", "wrong"),
    [("block", "block", True), ("block", "device", True), ("device", "block", True), ("system", "device", False)],
)
def test_updates_of_two_blocks_need_more_than_the_scope_of_a_block(simulate, first, second, wrong):
    text = "%u = memref.atomic_rmw addi %one, %m[] {scope = SCOPE} : (i32, memref<i32>) -> i32"
    one, other = (text.replace("SCOPE", f'"{scope}"') for scope in (first, second))
    body = updates(f"scf.if %block0 {{\n{one}\n}} else {{\n{other}\n}}", "")
    count = np.zeros((), np.int32)
    if not wrong:
        simulate(SIGNATURE, body, [count], grid=2, block=64)
        assert count == 128
        return
    with pytest.raises(
        SimulationError, match="of another block updated, one of them among the threads of a block only"
    ):
        simulate(SIGNATURE, body, [count], grid=2, block=64)


def test_what_another_block_updated_is_no_ones_to_load(simulate):
    """Also where this block updated it since, and has a barrier."""
    body = named(updates(UPDATE, f"scf.if %block0 {{\n}} else {{\n{LOAD}\n}}", "gpu.barrier"), "%m")
    with pytest.raises(SimulationError, match="updated, nothing orders blocks"):
        simulate(SIGNATURE, body, [np.zeros((), np.int32)], grid=2, block=64)


FIRST_UPDATE = (
    f"%c1 = arith.constant 1 : i32\n%u = memref.atomic_rmw KIND %c1, %s[] : (i32, memref<i32, {SHARED}>) -> i32"
)


def test_an_update_of_what_nobody_wrote_is_reported(simulate):
    shared = f"() workgroup(%s: memref<i32, {SHARED}>)"
    with pytest.raises(SimulationError, match="which nobody wrote") as caught:
        simulate(shared, FIRST_UPDATE.replace("KIND", "addi"), [])
    assert caught.value.kind is ReportKind.UNINITIALIZED
    simulate(shared, FIRST_UPDATE.replace("KIND", "assign"), [])
    with pytest.raises(SimulationError, match="which nobody wrote"):
        simulate(shared, FIRST_UPDATE.replace("KIND", "assign") + "\n%w = arith.addi %u, %u : i32", [])


def test_updates_out_of_bounds_and_of_constants_are_reported(simulate):
    outside = "%t = gpu.thread_id x\n%one = arith.constant 1 : i32\n%u = memref.atomic_rmw addi %one, %m[%t] : (i32, memref<8xi32>) -> i32"
    m = np.zeros(8, np.int32)
    (report,) = simulate("(%m: memref<8xi32>)", outside, [m], collect=5)
    assert (report.kind, report.threads[0]) == (ReportKind.OUT_OF_BOUNDS, 8)
    np.testing.assert_array_equal(m, np.ones(8))
    m.flags.writeable = False
    with pytest.raises(SimulationError, match="updates %m"):
        simulate(
            "(%m: memref<8xi32>)",
            outside.replace("%m[%t]", "%m[%c0]").replace("%one =", "%c0 = arith.constant 0 : index\n%one ="),
            [m],
        )


def test_a_fence_orders_nothing_for_the_checks(simulate):
    body = named(updates(UPDATE, LOAD, 'gpu.fence {scope = "device"}'), "%m")
    with pytest.raises(SimulationError, match="updated"):
        simulate(SIGNATURE, body, [np.zeros((), np.int32)], block=64)
    simulate("()", 'gpu.fence {scope = "system"}', [])


# Votes and matches

ASKING = """
        %t = gpu.thread_id x
        %v = memref.load %x[%t] : memref<96xi32>
        %zero = arith.constant 0 : i32
        %p = arith.cmpi ne, %v, %zero : i32
        %mask = gpu.ballot %p : i32
        %any = gpu.vote any %p : i1
        %all = gpu.vote all %p : i1
        %peers = gpu.match any %v : (i32) -> i32
        %everyone, %same = gpu.match all %v : (i32) -> (i32, i1)
        memref.store %mask, %masks[%t] : memref<96xi32>
        memref.store %any, %anys[%t] : memref<96xi1>
        memref.store %all, %alls[%t] : memref<96xi1>
        memref.store %peers, %p1[%t] : memref<96xi32>
        memref.store %everyone, %p2[%t] : memref<96xi32>
        memref.store %same, %sames[%t] : memref<96xi1>
        """
ASKED = (
    "(%x: memref<96xi32>, %masks: memref<96xi32>, %anys: memref<96xi1>, %alls: memref<96xi1>, %p1: memref<96xi32>, "
    "%p2: memref<96xi32>, %sames: memref<96xi1>)"
)


def test_subgroups_vote_and_match_apart_from_each_other(simulate):
    x = np.concatenate([RNG.integers(0, 3, 32), np.full(32, -7), np.zeros(32)]).astype(np.int32)
    masks, p1, p2 = (np.zeros(96, np.int32) for _ in range(3))
    anys, alls, sames = (np.zeros(96, np.bool_) for _ in range(3))
    simulate(ASKED, ASKING, [x, masks, anys, alls, p1, p2, sames], block=96)
    for first in (0, 32, 64):
        here, lanes = slice(first, first + 32), x[first : first + 32]
        ballot = sum(1 << i for i in range(32) if lanes[i])
        assert set(masks[here].view(np.uint32).tolist()) == {ballot}
        assert set(anys[here].tolist()) == {bool(lanes.any())}
        assert set(alls[here].tolist()) == {bool(lanes.all())}
        peers = [sum(1 << i for i in range(32) if lanes[i] == own) for own in lanes]
        assert p1[here].view(np.uint32).tolist() == peers
        alike = bool((lanes == lanes[0]).all())
        assert set(p2[here].tolist()) == {-1 if alike else 0}
        assert set(sames[here].tolist()) == {alike}


ASKS = {
    "gpu.ballot": "%r = gpu.ballot %p : i32",
    "gpu.vote": "%r = gpu.vote all %p : i1",
    "gpu.match": "%r = gpu.match any %v : (i32) -> i32",
}


@pytest.mark.parametrize("op", ASKS)
def test_a_part_of_a_subgroup_cannot_vote(simulate, op):
    body = f"""
        %t = gpu.thread_id x
        %c40 = arith.constant 40 : index
        %v = arith.constant 1 : i32
        %p = arith.constant true
        %few = arith.cmpi ult, %t, %c40 : index
        scf.if %few {{
          {ASKS[op]}
        }}
        """
    with pytest.raises(SimulationError, match="a part of subgroup 1: thread 40 and 23 more") as caught:
        simulate("()", body, [], block=96)
    assert (caught.value.kind, caught.value.op.name) == (ReportKind.PARTIAL_SUBGROUP, op)
    with pytest.raises(SimulationError, match="subgroup 1, of which the block has 8 lanes only"):
        simulate("()", body, [], block=40)
