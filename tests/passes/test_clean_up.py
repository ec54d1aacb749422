"""The clean-up passes change no bit of any result: JAX programs and random ones, in the interpreter before and after."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

from stepwell.arrays import load_arrays
from stepwell.dialects.registry import DIALECTS, get_dialect, interpreter_rules
from stepwell.ir.context import make_context
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module
from stepwell.passes.registry import get_pass

DATA = Path(__file__).resolve().parent.parent / "data" / "jax"
PROGRAMS = sorted(path.stem for path in DATA.glob("*.mlir"))
CLEAN_UP = ("inline", "symbol-dce", "canonicalize", "cse", "dce", "canonicalize")


def parse(text: str) -> ModuleOp:
    return parse_module(text, "test.mlir", make_context({n: partial(get_dialect, n) for n in DIALECTS}))


def run(module: ModuleOp, arguments: list[Any]) -> list[np.ndarray[Any, Any]]:
    with np.errstate(all="ignore"):
        results = Interpreter(module, interpreter_rules()).call("main", arguments)
    return [np.asarray(result) for result in results]


def cleaned(module: ModuleOp) -> ModuleOp:
    ctx = make_context({n: partial(get_dialect, n) for n in DIALECTS})
    for name in CLEAN_UP:
        get_pass(name)().apply(ctx, module)
        module.verify()
    return module


def assert_same_bits(got: list[np.ndarray[Any, Any]], want: list[np.ndarray[Any, Any]]) -> None:
    """Equal bit for bit; any NaN equals any NaN."""
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        if a.dtype.kind in "biu":
            np.testing.assert_array_equal(a, b)
            continue
        nan = np.isnan(b)
        np.testing.assert_array_equal(np.isnan(a), nan)
        np.testing.assert_array_equal(a[~nan], b[~nan])
        np.testing.assert_array_equal(np.signbit(a[~nan]), np.signbit(b[~nan]))


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.every(2)
def test_jax_program(name: str):
    text = (DATA / f"{name}.mlir").read_text()
    arguments = load_arrays(DATA / f"{name}.in.npz")
    before, after = parse(text), cleaned(parse(text))
    assert sum(1 for _ in after.walk()) <= sum(1 for _ in before.walk())
    assert_same_bits(run(after, arguments), run(before, arguments))


INTEGERS = ["0", "1", "-1", "2", "7", "31", "-2147483648", "2147483647", "-5"]
FLOATS = ["0.0", "-0.0", "1.0", "-1.0", "0x7F800000", "0xFF800000", "0x7FC00000", "1.0e-40", "2.5", "3.0e38"]
INTEGER_OPS = "addi subi muli andi ori xori minsi maxsi minui maxui".split()
FLOAT_OPS = "addf subf mulf divf minimumf maximumf".split()
INTEGER_PREDICATES = "eq ne slt sle sgt sge ult ule ugt uge".split()
FLOAT_PREDICATES = "oeq ogt oge olt ole one ord ueq ugt uge ult ule une uno".split()


class RandomProgram:
    """Straight-line and branching scalar code over the values most identities get wrong."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.names: dict[str, list[str]] = {"i32": ["%i0", "%i1"], "f32": ["%f0", "%f1"], "i1": ["%b0"]}
        self.count = 0

    def fresh(self) -> str:
        self.count += 1
        return f"%v{self.count}"

    def pick(self, kind: str) -> str:
        if kind != "i1" and self.random.random() < 0.4:
            name = self.fresh()
            value = self.random.choice(INTEGERS if kind == "i32" else FLOATS)
            self.lines.append(f"{name} = arith.constant {value} : {kind}")
            return name
        return self.random.choice(self.names[kind])

    def step(self) -> None:
        """Append one random op."""
        shape = self.random.randrange(8)
        name = self.fresh()
        kind = self.random.choice(["i32", "f32"])
        if shape < 4:
            op = self.random.choice(INTEGER_OPS if kind == "i32" else FLOAT_OPS)
            self.lines.append(f"{name} = arith.{op} {self.pick(kind)}, {self.pick(kind)} : {kind}")
        elif shape == 4:
            compare = "cmpi" if kind == "i32" else "cmpf"
            predicate = self.random.choice(INTEGER_PREDICATES if kind == "i32" else FLOAT_PREDICATES)
            self.lines.append(f"{name} = arith.{compare} {predicate}, {self.pick(kind)}, {self.pick(kind)} : {kind}")
            kind = "i1"
        elif shape == 5:
            a, b, c = self.pick(kind), self.pick(kind), self.pick("i1")
            self.lines.append(f"{name} = arith.select {c}, {a}, {b} : {kind}")
        elif shape == 6:
            a, b, c = self.pick(kind), self.pick(kind), self.pick("i1")
            self.lines.append(f"{name} = scf.if {c} -> ({kind}) {{ scf.yield {a} : {kind} }}")
            self.lines.append(f"else {{ scf.yield {b} : {kind} }}")
        else:
            self.loop(name)
            kind = "f32"
        self.names[kind].append(name)

    def loop(self, name: str) -> None:
        """A loop with one carry that is used, one invariant and one dead."""
        a, b, c = self.pick("f32"), self.pick("f32"), self.pick("f32")
        trips = self.random.randrange(4)
        n = self.count
        self.lines += [
            f"%lo{n} = arith.constant 0 : index",
            f"%hi{n} = arith.constant {trips} : index",
            f"%st{n} = arith.constant 1 : index",
            f"%all{n}:3 = scf.for %k{n} = %lo{n} to %hi{n} step %st{n} "
            f"iter_args(%x{n} = {a}, %y{n} = {b}, %z{n} = {c}) -> (f32, f32, f32) {{",
            f"%s{n} = arith.addf %x{n}, %y{n} : f32",
            f"%t{n} = arith.mulf %z{n}, %s{n} : f32",
            f"scf.yield %s{n}, %y{n}, %t{n} : f32, f32, f32",
            "}",
            f"{name} = arith.mulf %all{n}#0, %all{n}#1 : f32",
        ]

    def text(self) -> str:
        for _ in range(40):
            self.step()
        results = [(n, k) for k in ("i32", "f32", "i1") for n in self.names[k][-4:]]
        types = ", ".join(k for _, k in results)
        body = "\n".join(self.lines)
        return (
            f"func.func @main(%i0: i32, %i1: i32, %f0: f32, %f1: f32, %b0: i1) -> ({types}) {{\n{body}\n"
            f"func.return {', '.join(n for n, _ in results)} : {types}\n}}"
        )


@pytest.mark.parametrize("seed", range(25))
def test_random_program(seed: int):
    text = RandomProgram(seed).text()
    before, after = parse(text), cleaned(parse(text))
    special = [np.float32(v) for v in (-0.0, 0.0, np.inf, np.nan, -1.5)]
    for trial in range(5):
        arguments = [
            np.int32(-7 + trial),
            np.int32(2**31 - 1),
            special[trial],
            special[-1 - trial],
            np.bool_(trial % 2),
        ]
        assert_same_bits(run(after, arguments), run(before, arguments))
