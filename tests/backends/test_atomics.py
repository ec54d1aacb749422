"""Atomic updates, fences, votes and matches as machine code: PTX that assembles, and values on the CPU."""

from __future__ import annotations

import re

import numpy as np
import pytest

from stepwell.backends.nvptx import gpu_target
from stepwell.backends.ptx import assemble, compile_ptx, ptxas
from stepwell.dialects.registry import interpreter_rules
from stepwell.ir.errors import UnsupportedError
from stepwell.ir.interpreter import Interpreter
from stepwell.source import parse

RNG = np.random.default_rng(23)
WORKGROUP = "#gpu.address_space<workgroup>"
INTEGERS = ("i8", "i16", "i32", "i64")
FLOATS = ("f32", "f64")
ON_INTEGERS = ("addi", "muli", "andi", "ori", "xori", "maxs", "mins", "maxu", "minu")
ON_FLOATS = ("addf", "mulf", "maximumf", "minimumf", "maxnumf", "minnumf")
CASES = [
    *((kind, type_) for kind in ON_INTEGERS for type_ in INTEGERS),
    *((kind, type_) for kind in ON_FLOATS for type_ in FLOATS),
    *(("assign", type_) for type_ in (*INTEGERS, *FLOATS, "f16", "bf16", "f8E4M3FN")),
]
SCOPES = ("block", "device", "system")
DTYPES = {"i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64, "f32": np.float32, "f64": np.float64}


def update(kind: str, type_: str, scope: str | None, space: str) -> str:
    """A kernel whose threads all update one element."""
    memory = f"memref<1x{type_}>" if space == "global" else f"memref<1x{type_}, {WORKGROUP}>"
    words = f' {{scope = "{scope}"}}' if scope else ""
    through = f"""
    %own = memref.load %m[%c0] : memref<1x{type_}>
    scf.if %is0 {{
      memref.store %own, %s[%c0] : {memory}
    }}
    gpu.barrier"""
    back = f"""
    gpu.barrier
    scf.if %is0 {{
      %sum = memref.load %s[%c0] : {memory}
      memref.store %sum, %m[%c0] : memref<1x{type_}>
    }}"""
    return f"""
  gpu.func @phase0(%x: memref<32x{type_}>, %m: memref<1x{type_}>, %o: memref<32x{type_}>)
      workgroup(%s: memref<1x{type_}, {WORKGROUP}>) kernel
      attributes {{known_block_size = array<i32: 32, 1, 1>, access = ["read", "readwrite", "write"]}} {{
    %c0 = arith.constant 0 : index
    %t = gpu.thread_id x
    %is0 = arith.cmpi eq, %t, %c0 : index
    %v = memref.load %x[%t] : memref<32x{type_}>{through if space == "shared" else ""}
    %old = memref.atomic_rmw {kind} %v, {"%s" if space == "shared" else "%m"}[%c0]{words} : ({type_}, {memory}) -> {type_}
    memref.store %old, %o[%t] : memref<32x{type_}>{back if space == "shared" else ""}
    gpu.return
  }}"""


def module(*kernels: str) -> str:
    named = (text.replace("@phase0", f"@phase{i}") for i, text in enumerate(kernels))
    return "gpu.module @m {" + "".join(named) + "\n}\n"


def lane_kernel(body: str, arguments: str = "%x: memref<32xi64>") -> str:
    return f"""
  gpu.func @phase0({arguments}) kernel attributes {{known_block_size = array<i32: 32, 1, 1>}} {{
    {body}
    gpu.return
  }}"""


ASKING = """
    %t = gpu.thread_id x
    %v = memref.load %x[%t] : memref<32xTYPE>
    %zero = arith.constant 0 : TYPE
    %p = arith.cmpi ne, %v, %zero : TYPE
    %mask = gpu.ballot %p : i32
    %any = gpu.vote any %p : i1
    %all = gpu.vote all %p : i1
    %peers = gpu.match any %v : (TYPE) -> i32
    %everyone, %same = gpu.match all %v : (TYPE) -> (i32, i1)
    gpu.fence {scope = "block"}
    memref.store %mask, %masks[%t] : memref<32xi32>
    memref.store %any, %anys[%t] : memref<32xi1>
    gpu.fence {scope = "device"}
    memref.store %all, %alls[%t] : memref<32xi1>
    memref.store %peers, %p1[%t] : memref<32xi32>
    gpu.fence {scope = "system"}
    memref.store %everyone, %p2[%t] : memref<32xi32>
    memref.store %same, %sames[%t] : memref<32xi1>"""
ASKED = (
    "%x: memref<32xTYPE>, %masks: memref<32xi32>, %anys: memref<32xi1>, %alls: memref<32xi1>, %p1: memref<32xi32>, "
    "%p2: memref<32xi32>, %sames: memref<32xi1>"
)


def asking(type_: str) -> str:
    return lane_kernel(ASKING.replace("TYPE", type_), ASKED.replace("TYPE", type_))


# PTX


@pytest.mark.skipif(ptxas() is None, reason="no ptxas here")
@pytest.mark.parametrize("cpu", ["sm_75", "sm_80", "sm_90", "sm_100"])
@pytest.mark.every(2)
def test_every_update_of_every_type_and_scope_assembles(llvm_of, cpu):
    kernels = [update(k, t, s, m) for k, t in CASES for s in SCOPES for m in ("global", "shared")]
    target = gpu_target(cpu)
    ptx = compile_ptx(llvm_of(module(*kernels, asking("i32"), asking("i64")), cpu), target)
    assert not re.search(r"\bcall\b", ptx)
    resources = assemble(ptx, target).resources
    assert len(resources) == len(kernels) + 2
    assert not [r for r in resources if r.spill_stores or r.spill_loads]


@pytest.mark.parametrize(
    ("kind", "type_", "scope", "space", "instruction"),
    [
        ("addi", "i32", None, "global", "atom.global.add.u32"),
        ("addi", "i32", "device", "shared", "atom.shared.add.u32"),
        ("addi", "i64", "block", "shared", "atom.relaxed.cta.shared.add.u64"),
        ("addf", "f32", "system", "global", "atom.relaxed.sys.global.add.f32"),
        ("addf", "f64", None, "global", "atom.global.add.f64"),
        ("maxs", "i32", "system", "global", "atom.relaxed.sys.global.max.s32"),
        ("maxu", "i64", "block", "global", "atom.relaxed.cta.global.max.u64"),
        ("assign", "f32", "system", "global", "atom.relaxed.sys.global.exch.b32"),
        ("xori", "i32", "block", "shared", "atom.relaxed.cta.shared.xor.b32"),
        ("maximumf", "f32", None, "global", "atom.relaxed.gpu.global.cas.b32"),
        ("mulf", "f64", "system", "global", "atom.relaxed.sys.global.cas.b64"),
        ("muli", "i32", "block", "shared", "atom.relaxed.cta.shared.cas.b32"),
        ("addi", "i8", "system", "global", "atom.relaxed.sys.global.cas.b32"),
    ],
)
def test_the_scope_of_an_update_reaches_its_instruction(llvm_of, kind, type_, scope, space, instruction):
    """Without one PTX means the device (`.gpu`)."""
    ptx = compile_ptx(llvm_of(module(update(kind, type_, scope, space))), gpu_target("sm_90"))
    assert set(re.findall(r"\batom\.[\w.]+", ptx)) == {instruction}


def test_fences_votes_and_matches_are_instructions(llvm_of):
    ptx = compile_ptx(llvm_of(module(asking("i32"), asking("i64"))), gpu_target("sm_90"))
    for scope in ("cta", "gpu", "sys"):
        assert ptx.count(f"fence.sc.{scope};") == 2
    for name in ("vote.sync.ballot.b32", "vote.sync.any.pred", "vote.sync.all.pred"):
        assert ptx.count(name) == 2
    for bits in (32, 64):
        assert ptx.count(f"match.any.sync.b{bits}") == ptx.count(f"match.all.sync.b{bits}") == 1


REFUSED = {
    "sums of f16": (update("addf", "f16", None, "global"), "'memref.atomic_rmw' op.*expanded to f32"),
    "sums of bf16": (update("addf", "bf16", None, "global"), "'memref.atomic_rmw' op.*expanded to f32"),
    "i1": (update("addi", "i1", None, "global"), "'memref.atomic_rmw' op.*an atomic update of i1; elements of 8 bits"),
    "a thread's own memory": (
        lane_kernel(
            "%c1 = arith.constant 1 : i32 %s = memref.alloca() : memref<i32> "
            "%r = memref.atomic_rmw addi %c1, %s[] : (i32, memref<i32>) -> i32"
        ),
        "'memref.atomic_rmw' op.*a thread's own memory has no atomic updates",
    ),
    "votes of half a subgroup": (
        lane_kernel("%p = arith.constant true %r = gpu.vote any %p : i1").replace("32, 1, 1>", "16, 1, 1>"),
        "'gpu.vote' op.*less than 32 lanes",
    ),
    "ballots of half a subgroup": (
        lane_kernel("%p = arith.constant true %r = gpu.ballot %p : i32").replace("32, 1, 1>", "16, 1, 1>"),
        "'gpu.ballot' op.*less than 32 lanes",
    ),
    "matches of half a subgroup": (
        lane_kernel("%p = arith.constant 1 : i32 %r = gpu.match any %p : (i32) -> i32").replace(
            "32, 1, 1>", "16, 1, 1>"
        ),
        "'gpu.match' op.*less than 32 lanes",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_written_is_refused_at_its_place(llvm_of, case):
    text, message = REFUSED[case]
    with pytest.raises(UnsupportedError, match=re.compile(message, re.DOTALL)) as caught:
        llvm_of(module(text))
    assert re.match(r"<string>:\d+:\d+: error: ", str(caught.value))


# Values


def values_of(type_: str) -> np.ndarray:
    """Values whose sums and products are exact, so that the order does not matter."""
    if type_[0] == "f":
        return RNG.choice([-2.0, -0.5, 0.5, 1.0, 2.0], 33).astype(DTYPES[type_])
    info = np.iinfo(DTYPES[type_])
    return RNG.integers(info.min, info.max, 33, dtype=DTYPES[type_], endpoint=True)


def combined(kind: str, x: np.ndarray) -> np.generic:
    unsigned = x.view(f"u{x.itemsize}")
    with np.errstate(all="ignore"):
        return {
            "add": lambda: x.sum(dtype=x.dtype),
            "mul": lambda: x.prod(dtype=x.dtype),
            "and": lambda: np.bitwise_and.reduce(x),
            "or": lambda: np.bitwise_or.reduce(x),
            "xor": lambda: np.bitwise_xor.reduce(x),
            "maxs": x.max,
            "mins": x.min,
            "maxu": lambda: unsigned.max().view(x.dtype),
            "minu": lambda: unsigned.min().view(x.dtype),
            "maximum": lambda: np.maximum.reduce(x),
            "minimum": lambda: np.minimum.reduce(x),
            "maxnum": lambda: np.fmax.reduce(x),
            "minnum": lambda: np.fmin.reduce(x),
        }[kind if kind in ("maxs", "mins", "maxu", "minu") else kind[:-1]]()


def with_nan(kind: str, x: np.ndarray) -> np.ndarray:
    if kind in ("maximumf", "minimumf", "maxnumf", "minnumf"):
        x[7] = np.nan
    return x


@pytest.mark.parametrize("space", ["global", "shared"])
@pytest.mark.parametrize("scope", ["device", "system"])
@pytest.mark.parametrize(("kind", "type_"), [c for c in CASES if c[0] != "assign"])
@pytest.mark.every(4)
def test_threads_at_once_lose_no_update(emulated, kind, type_, scope, space):
    x = with_nan(kind, values_of(type_))
    total, old = x[32:].copy(), np.zeros(32, x.dtype)
    emulated(module(update(kind, type_, scope, space))).launch(1, 32, x[:32].copy(), total, old)
    np.testing.assert_array_equal(total[0], combined(kind, x))


@pytest.mark.parametrize("scope", SCOPES)
def test_each_thread_gets_an_element_of_its_own(emulated, scope):
    """What was there before: a ticket from an addition, another thread's value from an exchange."""
    ones, turn, tickets = np.ones(32, np.int32), np.zeros(1, np.int32), np.zeros(32, np.int32)
    emulated(module(update("addi", "i32", scope, "global"))).launch(1, 32, ones, turn, tickets)
    assert sorted(tickets) == list(range(32))
    x, cell, before = np.arange(32, dtype=np.int32), np.full(1, -1, np.int32), np.zeros(32, np.int32)
    emulated(module(update("assign", "i32", scope, "global"))).launch(1, 32, x, cell, before)
    assert sorted([*before, *cell]) == list(range(-1, 32))


@pytest.mark.parametrize("type_", ["i32", "i64"])
@pytest.mark.parametrize("alike", [True, False])
def test_lanes_vote_and_match(emulated, type_, alike):
    x = (
        np.full(32, 5 << 33 if type_ == "i64" else 5)
        if alike
        else RNG.integers(0, 3, 32) * (1 << 31 if type_ == "i64" else 1)
    )
    x = x.astype(DTYPES[type_])
    masks, p1, p2 = (np.zeros(32, np.int32) for _ in range(3))
    anys, alls, sames = (np.zeros(32, np.bool_) for _ in range(3))
    emulated(module(asking(type_))).launch(1, 32, x, masks, anys, alls, p1, p2, sames)
    assert set(masks.view(np.uint32).tolist()) == {sum(1 << i for i in range(32) if x[i])}
    assert anys.all()
    assert set(alls.tolist()) == {bool(x.all())}
    assert p1.view(np.uint32).tolist() == [sum(1 << i for i in range(32) if x[i] == own) for own in x]
    assert set(p2.tolist()) == {-1 if alike else 0}
    assert set(sames.tolist()) == {alike}


# The CPU


def host_program(kind: str, type_: str) -> str:
    return f"""
func.func @main(%x: memref<33x{type_}>, %m: memref<1x{type_}>, %o: memref<33x{type_}>) attributes {{stepwell.abi}} {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 33 : index
  scf.for %i = %c0 to %n step %c1 {{
    %v = memref.load %x[%i] : memref<33x{type_}>
    %old = memref.atomic_rmw {kind} %v, %m[%c0] : ({type_}, memref<1x{type_}>) -> {type_}
    memref.store %old, %o[%i] : memref<33x{type_}>
  }}
  func.return
}}
"""


@pytest.mark.parametrize(("kind", "type_"), [c for c in CASES if c[1] in DTYPES])
@pytest.mark.every(4)
def test_a_cpu_and_the_interpreter_update_alike(native, kind, type_):
    x = with_nan(kind, values_of(type_))
    text = host_program(kind, type_)
    results = []
    for run in (native(text), lambda *a: Interpreter(parse(text), interpreter_rules()).call("main", a)):
        total, old = x[:1].copy(), np.zeros_like(x)
        run(x, total, old)
        results.append((total, old))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])
    expected = x[-1] if kind == "assign" else combined(kind, np.concatenate([x[:1], x]))
    np.testing.assert_array_equal(results[0][0][0], expected)
    assert results[0][1][0] == x[0]
