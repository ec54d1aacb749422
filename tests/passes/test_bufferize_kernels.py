"""Random kernel bodies: slices taken, changed and put back, old values read late, loops, branches and tasks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from xdsl.parser import Parser

from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.passes.registry import get_pass

FOUR, TWO = "tensor<4xf32>", "tensor<2xf32>"


class Generator:
    """Writes one random kernel: values of four and of two elements and scalars, any of them used again later."""

    def __init__(self, seed: int):
        self.rng = random.Random(seed)
        self.lines: list[str] = []
        self.fresh = 0

    def name(self) -> str:
        self.fresh += 1
        return f"%v{self.fresh}"

    def emit(self, text: str) -> str:
        name = self.name()
        self.lines.append(f"{name} = {text}")
        return name

    def body(self, pools: dict[str, list[str]], length: int, depth: int) -> None:
        for _ in range(length):
            self.step(pools, depth)

    def step(self, pools: dict[str, list[str]], depth: int) -> None:
        choose = self.rng.choice
        four, two, scalar = choose(pools["4"]), choose(pools["2"]), choose(pools["s"])
        kind = self.rng.randrange(10 if depth < 2 else 7)
        if kind == 0:
            pools["4"].append(self.emit(f"tensor.insert {scalar} into {four}[%c{self.rng.randrange(4)}] : {FOUR}"))
        elif kind == 1:
            pools["s"].append(self.emit(f"tensor.extract {four}[%c{self.rng.randrange(4)}] : {FOUR}"))
        elif kind == 2:
            pools["2"].append(
                self.emit(f"tensor.extract_slice {four}[{self.rng.randrange(3)}] [2] [1] : {FOUR} to {TWO}")
            )
        elif kind == 3:
            pools["2"].append(self.emit(f"tensor.insert {scalar} into {two}[%c{self.rng.randrange(2)}] : {TWO}"))
        elif kind == 4:
            pools["4"].append(
                self.emit(f"tensor.insert_slice {two} into {four}[{self.rng.randrange(3)}] [2] [1] : {TWO} into {FOUR}")
            )
        elif kind == 5:
            offset = self.rng.randrange(3)
            part = self.emit(f"tensor.extract_slice {four}[{offset}] [2] [1] : {FOUR} to {TWO}")
            changed = self.emit(f"tensor.insert {scalar} into {part}[%c{self.rng.randrange(2)}] : {TWO}")
            pools["2"] += [part, changed]
            pools["4"].append(
                self.emit(f"tensor.insert_slice {changed} into {four}[{offset}] [2] [1] : {TWO} into {FOUR}")
            )
        elif kind == 6:
            pools["s"].append(self.emit(f"arith.addf {scalar}, {choose(pools['s'])} : f32"))
        elif kind == 7:
            self.branch(pools, depth)
        elif kind == 8:
            self.loop(pools, depth)
        else:
            self.tasks(pools, depth)

    def branch(self, pools: dict[str, list[str]], depth: int) -> None:
        name = self.name()
        self.lines.append(f"{name}:2 = scf.if %p -> ({FOUR}, {TWO}) {{")
        for last in ("} else {", "}"):
            inner = {k: list(v) for k, v in pools.items()}
            self.body(inner, self.rng.randrange(4), depth + 1)
            self.lines.append(f"scf.yield {self.rng.choice(inner['4'])}, {self.rng.choice(inner['2'])} : {FOUR}, {TWO}")
            self.lines.append(last)
        pools["4"].append(f"{name}#0")
        pools["2"].append(f"{name}#1")

    def loop(self, pools: dict[str, list[str]], depth: int) -> None:
        name, a, b, c = (self.name() for _ in range(4))
        inits = [self.rng.choice(pools[k]) for k in ("4", "4", "2")]
        types = f"{FOUR}, {FOUR}, {TWO}"
        self.lines.append(
            f"{name}:3 = scf.for {name}i = %c0 to %c{self.rng.choice((0, 1, 3))} step %c1 "
            f"iter_args({a} = {inits[0]}, {b} = {inits[1]}, {c} = {inits[2]}) -> ({types}) {{"
        )
        inner = {"4": [*pools["4"], a, a, b, b], "2": [*pools["2"], c, c], "s": list(pools["s"])}
        self.body(inner, self.rng.randrange(1, 5), depth + 1)
        pick = self.rng.choice
        self.lines.append(f"scf.yield {pick(inner['4'])}, {pick(inner['4'])}, {pick(inner['2'])} : {types}")
        self.lines.append("}")
        pools["4"] += [f"{name}#0", f"{name}#1"]
        pools["2"].append(f"{name}#2")

    def tasks(self, pools: dict[str, list[str]], depth: int) -> None:
        name, shared, part = (self.name() for _ in range(3))
        self.lines.append(
            f"{name} = scf.forall ({name}i) in (2) shared_outs({shared} = {self.rng.choice(pools['4'])}) -> ({FOUR}) {{"
        )
        self.lines.append(f"{name}o = affine.apply affine_map<(d0) -> (d0 * 2)> ({name}i)")
        self.lines.append(f"{part} = tensor.extract_slice {shared}[{name}o] [2] [1] : {FOUR} to {TWO}")
        inner = {"4": [*pools["4"], shared], "2": [*pools["2"], part, part, part], "s": list(pools["s"])}
        self.body(inner, self.rng.randrange(1, 5), max(depth + 1, 1))
        self.lines.append("scf.forall.in_parallel {")
        self.lines.append(
            f"tensor.parallel_insert_slice {self.rng.choice(inner['2'][-4:])} into {shared}[{name}o] [2] [1] : {TWO} into {FOUR}"
        )
        self.lines.append("} }")
        pools["4"].append(name)

    def kernel(self) -> str:
        pools = {"4": ["%x", "%o", "%w", "%e"], "2": ["%y", "%f"], "s": ["%k", "%l"]}
        self.body(pools, 9, 0)
        results = [self.rng.choice(pools["4"]) for _ in range(2)]
        constants = "".join(f"%c{i} = arith.constant {i} : index\n" for i in range(4))
        head = (
            f"kernel.func @k(%x: {FOUR}, %y: {TWO}, %t: tensor<i1>, %o: {FOUR}, %q: {FOUR}) -> ({FOUR}, {FOUR}) "
            'attributes {access = ["read", "read", "read", "readwrite", "write"]} {\n'
            f"{constants}%k = arith.constant 7.0 : f32\n%l = arith.constant 0.5 : f32\n%p = tensor.extract %t[] : tensor<i1>\n"
            f"%e0 = tensor.empty() : {FOUR}\n%w = tensor.insert_slice %y into %x[1] [2] [1] : {TWO} into {FOUR}\n"
            f"%e = tensor.insert_slice %x into %e0[0] [4] [1] : {FOUR} into {FOUR}\n"
            f"%f = tensor.extract_slice %x[2] [2] [1] : {FOUR} to {TWO}\n"
        )
        end = f"kernel.return {results[0]}, {results[1]} : {FOUR}, {FOUR}\n}}\n"
        main = (
            f"func.func @main(%x: {FOUR}, %y: {TWO}, %t: tensor<i1>, %o: {FOUR}) -> ({FOUR}, {FOUR}) {{\n"
            f"%d = tensor.empty() : {FOUR}\n"
            f"%r:2 = kernel.launch @k ins(%x, %y, %t : {FOUR}, {TWO}, tensor<i1>) outs(%o, %d : {FOUR}, {FOUR}) -> ({FOUR}, {FOUR})\n"
            f"func.return %r#0, %r#1 : {FOUR}, {FOUR}\n}}\n"
        )
        return head + "\n".join(self.lines) + "\n" + end + main


def results(text: str, passes: Sequence[str], inputs: Sequence[Any]) -> tuple[Any, str]:
    from xdsl.dialects import func

    from stepwell.dialects.interp.entry import call_function

    module = Parser(context(), text).parse_module()
    module.verify()
    for name in passes:
        get_pass(name)().apply(context(), module)
        module.verify()
    main = next(f for f in module.ops if isinstance(f, func.FuncOp))
    values = call_function(Interpreter(module, interpreter_rules()), main, inputs)
    return [np.array(v) for v in values], str(module)


@pytest.mark.parametrize("seed", range(80))
@pytest.mark.every(6)
def test_random_kernels(seed: int) -> None:
    text = Generator(seed).kernel()
    rng = np.random.default_rng(seed)
    arrays = [rng.integers(-9, 9, n).astype(np.float32) for n in (4, 2, 4)]
    inputs = [arrays[0], arrays[1], np.array(bool(seed % 2)), arrays[2]]
    expected, _ = results(text, (), inputs)
    got, after = results(text, ("bufferize", "plan-memory", "raise-to-affine", "lower-forall-to-rt"), inputs)
    for value, want in zip(got, expected, strict=True):
        np.testing.assert_array_equal(value, want, err_msg=f"{text}\n{after}")


SLICES = """
kernel.func @k(%y: tensor<2xf32>, %o: tensor<4xf32>, %q: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
    attributes {access = ["read", "readwrite", "write"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %k = arith.constant 7.0 : f32
  %part = tensor.extract_slice %o[0] [2] [1] : tensor<4xf32> to tensor<2xf32>
  %new = tensor.insert %k into %part[%c1] : tensor<2xf32>
  BODY
  %b = tensor.insert_slice %new into %q[0] [2] [1] : tensor<2xf32> into tensor<4xf32>
  %c = tensor.insert_slice %y into %b[2] [2] [1] : tensor<2xf32> into tensor<4xf32>
  kernel.return %a, %c : tensor<4xf32>, tensor<4xf32>
}
func.func @main(%y: tensor<2xf32>, %o: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %d = tensor.empty() : tensor<4xf32>
  %r:2 = kernel.launch @k ins(%y : tensor<2xf32>) outs(%o, %d : tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  func.return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}
"""


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            """%other = tensor.extract_slice %o[1] [2] [1] : tensor<4xf32> to tensor<2xf32>
  %s = tensor.extract %other[%c0] : tensor<2xf32>
  %e = tensor.empty() : tensor<4xf32>
  %t = tensor.insert_slice %y into %e[0] [2] [1] : tensor<2xf32> into tensor<4xf32>
  %u = tensor.insert_slice %y into %t[2] [2] [1] : tensor<2xf32> into tensor<4xf32>
  %a = tensor.insert %s into %u[%c0] : tensor<4xf32>""",
            id="an overlapping slice is read later",
        ),
        pytest.param(
            "%a = tensor.insert_slice %y into %o[2] [2] [1] : tensor<2xf32> into tensor<4xf32>",
            id="another slice is put back",
        ),
        pytest.param(
            "%a = tensor.insert_slice %y into %o[1] [2] [1] : tensor<2xf32> into tensor<4xf32>",
            id="an overlapping slice is put back",
        ),
    ],
)
def test_a_changed_slice_does_not_show_in_the_old_tensor(body: str) -> None:
    text = SLICES.replace("BODY", body)
    inputs = [np.array([10, 20], np.float32), np.arange(1, 5, dtype=np.float32)]
    expected, _ = results(text, (), inputs)
    got, after = results(text, ("bufferize", "plan-memory"), inputs)
    for value, want in zip(got, expected, strict=True):
        np.testing.assert_array_equal(value, want, err_msg=after)


def test_a_slice_changed_and_put_back_is_not_copied() -> None:
    text = SLICES.replace("BODY", "%a = tensor.insert_slice %new into %o[0] [2] [1] : tensor<2xf32> into tensor<4xf32>")
    inputs = [np.array([10, 20], np.float32), np.arange(1, 5, dtype=np.float32)]
    expected, _ = results(text, (), inputs)
    got, after = results(text, ("bufferize",), inputs)
    for value, want in zip(got, expected, strict=True):
        np.testing.assert_array_equal(value, want)
    assert "scratch" not in after
