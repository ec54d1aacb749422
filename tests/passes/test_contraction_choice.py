"""The model of tiles: what a tile, a run of terms and a block of panels take fits registers and caches, whatever the shape."""

from __future__ import annotations

import random
from math import prod

import pytest
from xdsl.dialects.linalg import ops as linalg

from stepwell.dialects.registry import DIALECTS, get_dialect
from stepwell.ir.context import make_context
from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription
from stepwell.ir.parser import parse_module
from stepwell.passes.schedules.contraction_analysis import Contraction, find_contraction
from stepwell.passes.schedules.contraction_choice import (
    Tiling,
    choose_grid,
    choose_tiling,
    must_pack_a,
    must_pack_b,
    reads_once,
    tiling_of,
    units_of,
)
from stepwell.passes.schedules.contraction_parts import choose_parts, terms_of

CACHES = ((32, 256), (32, 512), (32, 1024), (48, 1280), (48, 2048), (64, 1024), (128, 12288))
"""Kilobytes of the first and second caches that processors have."""
LEVELS = {"avx512": 512, "avx2": 256, "sse4.2": 128, "neon": 128}
EXTENTS = (
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    13,
    16,
    31,
    32,
    33,
    63,
    64,
    65,
    100,
    127,
    256,
    384,
    509,
    512,
    1000,
    1024,
    2048,
    4096,
    8191,
)
LAYOUTS = (
    (("d0, d2", "mk"), ("d2, d1", "kn")),
    (("d2, d0", "km"), ("d2, d1", "kn")),
    (("d0, d2", "mk"), ("d1, d2", "nk")),
)
CONTEXT = make_context({name: (lambda name=name: get_dialect(name)) for name in DIALECTS})
_ADD = {"f32": ("mulf", "addf"), "f64": ("mulf", "addf"), "i32": ("muli", "addi")}


def product(m: int, n: int, k: int, kinds: tuple[str, str] = ("f32", "f32"), layout: int = 0):
    """A sum of products of (factors, sums) of these types, and the module that it is in."""
    factor, total = kinds
    extents = {"m": m, "n": n, "k": k}
    (a_map, a_dims), (b_map, b_dims) = LAYOUTS[layout]
    a, b = (f"tensor<{'x'.join(str(extents[d]) for d in dims)}x{factor}>" for dims in (a_dims, b_dims))
    c = f"tensor<{m}x{n}x{total}>"
    cast = "" if factor == total else "ext" + ("si" if total == "i32" else "f")
    casts = f"%x = arith.{cast} %l : {factor} to {total}\n%y = arith.{cast} %r : {factor} to {total}\n" if cast else ""
    times, plus = _ADD[total]
    names = ("%x", "%y") if cast else ("%l", "%r")
    text = f"""func.func @f(%a: {a}, %b: {b}, %o: {c}) -> {c} {{
      %z = arith.constant {"0" if total == "i32" else "0.0"} : {total}
      %f = linalg.fill ins(%z : {total}) outs(%o : {c}) -> {c}
      %s = linalg.generic {{indexing_maps = [affine_map<(d0, d1, d2) -> ({a_map})>, affine_map<(d0, d1, d2) -> ({b_map})>,
        affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]}}
        ins(%a, %b : {a}, {b}) outs(%f : {c}) {{
      ^bb0(%l: {factor}, %r: {factor}, %t: {total}):
        {casts}%p = arith.{times} {names[0]}, {names[1]} : {total}
        %u = arith.{plus} %t, %p : {total}
        linalg.yield %u : {total}
      }} -> {c}
      func.return %s : {c}
    }}"""
    module = parse_module(text, "f.mlir", CONTEXT)
    found = next(find_contraction(op) for op in module.walk() if isinstance(op, linalg.GenericOp))
    assert isinstance(found, Contraction)
    return found, module


MACHINES = [
    MachineDescription(
        level=level, vector_bits=bits, cores=cores, l1_bytes=l1 << 10, l2_bytes=l2 << 10, features=("+fma", *more)
    )
    for level, bits in LEVELS.items()
    for (l1, l2), cores in zip(CACHES, (1, 2, 4, 8, 2, 16, 4), strict=True)
    for more in (("+avx512vnni",) if level == "avx512" else (),)
]
TYPES = (("f32", "f32"), ("f64", "f64"), ("bf16", "f32"), ("i8", "i32"))


def shapes(count: int, seed: int):
    """Shapes, types and layouts: each type and layout about as often, extents at and beside those of tiles."""
    rng = random.Random(seed)
    for number in range(count):
        m, n, k = (rng.choice(EXTENTS) for _ in range(3))
        yield m, n, k, TYPES[number % 4], number // 4 % 3


def tilings(found: Contraction):
    """What is chosen on each machine that has tiles for a contraction."""
    for machine in MACHINES:
        tiling = choose_tiling(found, machine)
        if isinstance(tiling, Tiling):
            yield machine, tiling


CASES = [
    *shapes(36, 7),
    (512, 512, 512, TYPES[0], 0),
    (2048, 2048, 2048, TYPES[0], 0),
    (7, 4096, 32, TYPES[0], 1),
    (8191, 64, 4096, TYPES[0], 0),
]


@pytest.fixture(scope="module")
def products() -> list[tuple[Contraction, object]]:
    return [product(*case) for case in CASES]


def test_some_shape_has_tiles_on_every_machine(products):
    for machine in MACHINES:
        assert sum(isinstance(choose_tiling(found, machine), Tiling) for found, _ in products) > len(CASES) // 2


def test_sums_and_a_row_of_b_are_held_in_registers(products):
    for found, _ in products:
        for machine, t in tilings(found):
            vectors = -(-t.nr * byte_width(found.accumulator) // machine.vector_bytes)
            # A number of A is an operand in memory where instructions repeat one for all lanes.
            number = 0 if machine.level == "avx512" else 1
            assert t.mr * vectors + vectors + number <= machine.registers, (found.sizes, machine, t)


def test_tiles_are_no_larger_than_what_there_is_to_do(products):
    for found, _ in products:
        for machine, t in tilings(found):
            lanes = machine.vector_bytes // byte_width(found.accumulator)
            assert 1 <= t.mr <= found.rows
            assert t.nr % lanes == 0
            assert t.nr == lanes or t.nr // 2 < found.sizes[found.n]  # one, two, four vectors
            assert 1 <= t.kc <= found.depth
            assert t.block >= 1
            assert t.word in (1, 2, 4)


def is_few(found: Contraction, machine: MachineDescription) -> bool:
    """Whether B is read once, so that its panels need no cache."""
    return reads_once(found, machine)


def test_the_panels_worked_on_together_stay_in_the_second_cache(products):
    for found, _ in products:
        width = byte_width(found.accumulator)
        for machine, t in tilings(found):
            if is_few(found, machine):
                # Here it is the results that are kept, in half of the first cache.
                assert t.block == 1 or t.block * t.nr * t.mr * width <= machine.l1_bytes // 2
                continue
            panel = t.kc * t.nr * width // t.word
            assert t.block == 1 or t.block * panel <= machine.l2_bytes * 5 // 8, (found.sizes, machine, t)
            assert panel <= machine.l2_bytes, (found.sizes, machine, t)


def test_the_rows_that_many_tiles_read_stay_in_the_first_cache(products):
    for found, _ in products:
        width = byte_width(found.accumulator)
        for machine, t in tilings(found):
            if is_few(found, machine):
                continue
            rows, columns = t.mr * t.kc * width // t.word, found.sizes[found.n]
            if columns <= 4 * t.nr and found.rows * columns * width > machine.l2_bytes // 2:
                # Few tiles read a row: longer runs, so that large results are read seldom; what they read of B stays near.
                assert t.kc * columns * width // t.word <= machine.l2_bytes, (found.sizes, machine, t)
            else:
                assert rows <= machine.l1_bytes // 2, (found.sizes, machine, t)


def test_runs_of_terms_are_of_about_equal_length(products):
    for found, _ in products:
        for machine, t in tilings(found):
            runs = -(-found.depth // t.kc)
            assert is_few(found, machine) or t.kc - 4 < -(-found.depth // runs) <= t.kc, (found.sizes, t)


def test_what_cannot_be_read_in_place_is_packed(products):
    for found, _ in products:
        for _, t in tilings(found):
            assert t.pack_a or not must_pack_a(found, t.word)
            assert t.pack_b or not must_pack_b(found)


def test_tasks_are_as_many_as_wanted_at_most_and_none_is_empty(products):
    for found, _ in products:
        for machine, t in [*tilings(found)][::5]:
            for tasks, grain in ((1, 1), (2, 1), (machine.cores * 4, 10_000), (64, 1)):
                cuts = choose_grid(found, t, tasks, grain).cuts
                assert prod(parts for _, parts in cuts) <= tasks
                assert all(1 < parts <= units_of(found, t, dim) for dim, parts in cuts)
                assert len({dim for dim, _ in cuts}) == len(cuts)


def test_numbers_of_a_schedule_are_kept_to_what_there_is(products):
    rng, kept = random.Random(3), 0
    for found, _ in products:
        for machine, chosen in tilings(found):
            numbers = {
                "mr": rng.randrange(1, 64),
                "nr": 16 * rng.randrange(1, 5),
                "kc": rng.randrange(1, 1 << 14),
                "block": 1,
            }
            numbers |= {"pack_a": 0, "pack_b": 0, "k_unroll": rng.randrange(1, 64), "word": rng.choice((1, 2, 4))}
            t = tiling_of(found, numbers, machine)
            if not isinstance(t, Tiling):
                assert "the most that are written out" in t
                assert numbers["mr"] * numbers["nr"] * numbers["k_unroll"] > 4096
                continue
            kept += 1
            assert (t.mr, t.nr, t.kc) == (
                min(numbers["mr"], found.rows),
                numbers["nr"],
                min(numbers["kc"], found.depth),
            )
            assert t.pack_a == must_pack_a(found, t.word)
            assert t.pack_b == must_pack_b(found)
            assert tiling_of(found, {}, machine) == chosen
    assert kept > len(products)


def test_lines_are_fetched_where_large_results_have_short_sums_or_rows_come_from_memory(products):
    machine = MachineDescription(level="avx512", vector_bits=512, cores=2, l1_bytes=32 << 10, l2_bytes=1 << 20)
    for shape, fetched in (
        ((25088, 256, 64), True),
        ((25088, 256, 1024), True),
        ((240, 16384, 1024), False),
        ((784, 256, 64), False),
    ):
        found, _ = product(*shape)
        tiling = choose_tiling(found, machine)
        assert isinstance(tiling, Tiling)
        assert bool(tiling.prefetch) == fetched
        assert ("prefetch" in tiling.numbers()) == fetched


def parts_of(found: Contraction, cores: int = 2) -> int:
    """Into how many parts the sums are cut on a machine of so many cores."""
    machine = MachineDescription(
        level="avx512", vector_bits=512, cores=cores, l1_bytes=32 << 10, l2_bytes=1 << 20, features=("+fma",)
    )
    tiling = choose_tiling(found, machine)
    assert isinstance(tiling, Tiling)
    return choose_parts(found, tiling, machine, 4 * cores if cores > 1 else 1)


def test_few_results_of_many_terms_are_summed_in_parts_where_there_are_cores_for_them():
    for layout in range(2):
        for m, n, k in ((8, 8, 100_000), (16, 32, 65_536), (4, 128, 30_000), (1, 16, 1_000_000)):
            found, _module = product(m, n, k, layout=layout)
            assert 2 <= parts_of(found) <= 8, (m, n, k)
            assert parts_of(found, cores=1) == 1
            assert parts_of(found, cores=8) <= 32


def test_sums_that_are_short_or_have_rows_and_columns_to_share_out_stay_whole():
    for m, n, k in (
        (512, 512, 512),
        (2048, 2048, 2048),
        (1000, 1000, 1000),
        (4096, 4096, 64),
        (16, 16, 64),
        (1, 64, 8),
    ):
        found, _module = product(m, n, k)
        assert parts_of(found) == 1, (m, n, k)


def test_parts_end_where_steps_do_and_hold_all_terms(products):
    rng = random.Random(11)
    for found, _ in products:
        for machine, chosen in [*tilings(found)][::3]:
            t = tiling_of(found, {"k_split": rng.choice((1, 2, 3, 7, 1 << 20)), "kc": rng.randrange(1, 600)}, machine)
            assert isinstance(t, Tiling)
            packs = bool(rng.randrange(2))
            terms = terms_of(found, t, packs)
            size = found.sizes[found.reduced[0]]
            assert (terms.parts.tasks - 1) * terms.parts.chunk < size <= terms.parts.tasks * terms.parts.chunk
            assert terms.parts.chunk % terms.run == 0
            assert terms.parts.tasks <= t.k_split
            if terms.run < size:
                lanes = machine.vector_bytes // byte_width(found.accumulator)
                assert terms.run % (2 * lanes if packs else t.unroll) == 0
            assert chosen.k_split == 1
