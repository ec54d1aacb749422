"""Bufferized programs compute what the tensor programs do, in the interpreter, where memory may be reused."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from xdsl.dialects import func, memref
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.parser import Parser

from stepwell.dialects import kernel
from stepwell.dialects.interp.entry import call_function
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.passes.registry import get_pass

pytestmark = pytest.mark.every(2)

BUFFERS = ("bufferize", "lower-structured-to-loops", "plan-memory", "raise-to-affine", "lower-forall-to-rt")

KERNELS = """
kernel.func @add(%x: tensor<4xf32>, %y: tensor<4xf32>, %o: tensor<4xf32>) -> tensor<4xf32>
    attributes {access = ["read", "read", "write"]} {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %r = scf.forall (%i) in (1) shared_outs(%s = %o) -> (tensor<4xf32>) {
    %a = vector.transfer_read %x[%c0], %z {in_bounds = [true]} : tensor<4xf32>, vector<4xf32>
    %b = vector.transfer_read %y[%c0], %z {in_bounds = [true]} : tensor<4xf32>, vector<4xf32>
    %v = arith.addf %a, %b : vector<4xf32>
    %p = tensor.extract_slice %s[0] [4] [1] : tensor<4xf32> to tensor<4xf32>
    %w = vector.transfer_write %v, %p[%c0] {in_bounds = [true]} : vector<4xf32>, tensor<4xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %w into %s[0] [4] [1] : tensor<4xf32> into tensor<4xf32>
    }
  }
  kernel.return %r : tensor<4xf32>
}
kernel.func @two(%x: tensor<4xf32>, %o: tensor<4xf32>, %q: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
    attributes {access = ["read", "write", "write"]} {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %a = vector.transfer_read %x[%c0], %z {in_bounds = [true]} : tensor<4xf32>, vector<4xf32>
  %v = arith.mulf %a, %a : vector<4xf32>
  %r = vector.transfer_write %v, %o[%c0] {in_bounds = [true]} : vector<4xf32>, tensor<4xf32>
  %n = arith.negf %a : vector<4xf32>
  %s = vector.transfer_write %n, %q[%c0] {in_bounds = [true]} : vector<4xf32>, tensor<4xf32>
  kernel.return %r, %s : tensor<4xf32>, tensor<4xf32>
}
kernel.func @update(%u: tensor<1xf32>, %i: tensor<i32>, %o: tensor<4xf32>) -> tensor<4xf32>
    attributes {access = ["read", "read", "readwrite"]} {
  %r = structured.update_slice ins(%u, %i : tensor<1xf32>, tensor<i32>) outs(%o : tensor<4xf32>) -> tensor<4xf32>
  kernel.return %r : tensor<4xf32>
}
kernel.func @first(%x: tensor<4xf32>, %o: tensor<1xf32>) -> tensor<1xf32> attributes {access = ["read", "write"]} {
  %c0 = arith.constant 0 : index
  %e = tensor.extract %x[%c0] : tensor<4xf32>
  %r = tensor.insert %e into %o[%c0] : tensor<1xf32>
  kernel.return %r : tensor<1xf32>
}
kernel.func @next(%i: tensor<i32>, %o: tensor<i32>) -> tensor<i32> attributes {access = ["read", "write"]} {
  %c1 = arith.constant 1 : i32
  %e = tensor.extract %i[] : tensor<i32>
  %n = arith.addi %e, %c1 : i32
  %r = tensor.insert %n into %o[] : tensor<i32>
  kernel.return %r : tensor<i32>
}
kernel.func @below(%i: tensor<i32>, %n: tensor<i32>, %o: tensor<i1>) -> tensor<i1>
    attributes {access = ["read", "read", "write"]} {
  %e = tensor.extract %i[] : tensor<i32>
  %m = tensor.extract %n[] : tensor<i32>
  %c = arith.cmpi slt, %e, %m : i32
  %r = tensor.insert %c into %o[] : tensor<i1>
  kernel.return %r : tensor<i1>
}
"""


def parse(text: str) -> ModuleOp:
    module = Parser(context(), text).parse_module()
    module.verify()
    return module


def run(module: ModuleOp, inputs: Sequence[Any], name: str = "main") -> list[Any]:
    function = next(f for f in module.ops if isinstance(f, func.FuncOp) and f.sym_name.data == name)
    rules = {**interpreter_rules(), "kernel.launch": checked_launch}
    return [np.array(r) for r in call_function(Interpreter(module, rules), function, inputs)]


def checked_launch(interp: Interpreter, op: Operation, args: tuple[Any, ...]) -> Sequence[Any]:
    """Kernel arguments are `noalias`: on buffers, no destination or scratch may overlap another operand."""
    assert isinstance(op, kernel.LaunchOp)
    if not op.res:
        for i in range(len(op.ins), len(args)):
            for j, other in enumerate(args):
                assert i == j or not np.shares_memory(args[i], other), f"operands {i} and {j} of {op} overlap"
    return interpreter_rules()["kernel.launch"](interp, op, args)


def lower(text: str, passes: Sequence[str] = BUFFERS) -> ModuleOp:
    module = parse(text)
    for name in passes:
        get_pass(name)().apply(context(), module)
        module.verify()
    return module


def check(text: str, inputs: Sequence[Any]) -> ModuleOp:
    """The program means the same after each of the passes; returns the last form."""
    expected = run(parse(text), inputs)
    for last in range(1, len(BUFFERS) + 1):
        module = lower(text, BUFFERS[:last])
        for got, want in zip(run(module, inputs), expected, strict=True):
            np.testing.assert_array_equal(got, want, err_msg=f"after {BUFFERS[last - 1]}:\n{module}")
    return module


def count(module: ModuleOp, op: type[Any]) -> int:
    return sum(isinstance(o, op) for o in module.walk())


X = np.arange(1, 5, dtype=np.float32)
I32 = np.int32


def test_an_updated_value_that_is_read_later_is_copied() -> None:
    text = (
        KERNELS
        + """
func.func @main(%x: tensor<4xf32>, %u: tensor<1xf32>, %i: tensor<i32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %d = tensor.empty() : tensor<4xf32>
  %a = kernel.launch @add ins(%x, %x : tensor<4xf32>, tensor<4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  %b = kernel.launch @update ins(%u, %i : tensor<1xf32>, tensor<i32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %c = kernel.launch @add ins(%a, %b : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  func.return %b, %c : tensor<4xf32>, tensor<4xf32>
}"""
    )
    module = check(text, [X, np.array([9], np.float32), np.array(2, I32)])
    assert count(module, memref.CopyOp) == 1


def test_a_dead_value_is_updated_in_place_and_an_input_never() -> None:
    dead = (
        KERNELS
        + """
func.func @main(%x: tensor<4xf32>, %u: tensor<1xf32>, %i: tensor<i32>) -> tensor<4xf32> {
  %d = tensor.empty() : tensor<4xf32>
  %a = kernel.launch @add ins(%x, %x : tensor<4xf32>, tensor<4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  %b = kernel.launch @update ins(%u, %i : tensor<1xf32>, tensor<i32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}"""
    )
    values = [X, np.array([9], np.float32), np.array(2, I32)]
    module = check(dead, values)
    assert count(module, memref.CopyOp) == 0
    assert "arena_bytes = 0" in str(module)
    module = check(dead.replace("outs(%a", "outs(%x"), values)
    assert count(module, memref.CopyOp) == 1


def test_results_that_are_inputs_constants_or_repeated_are_copied() -> None:
    text = (
        KERNELS
        + """
func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<2x2xf32>, tensor<4xf32>) {
  %d = tensor.empty() : tensor<4xf32>
  %k = arith.constant dense<[1.0, 2.0, 3.0, 5.0]> : tensor<4xf32>
  %a = kernel.launch @add ins(%x, %k : tensor<4xf32>, tensor<4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  %e = tensor.expand_shape %a [[0, 1]] output_shape [2, 2] : tensor<4xf32> into tensor<2x2xf32>
  func.return %x, %a, %e, %k : tensor<4xf32>, tensor<4xf32>, tensor<2x2xf32>, tensor<4xf32>
}"""
    )
    check(text, [X])


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_a_while_loop_updates_its_carry_in_place(steps: int) -> None:
    text = (
        KERNELS
        + """
func.func @main(%x: tensor<4xf32>, %n: tensor<i32>) -> (tensor<4xf32>, tensor<i32>, tensor<4xf32>) {
  %zero = arith.constant dense<0> : tensor<i32>
  %r:4 = scf.while (%i = %zero, %a = %x, %m = %n, %y = %x)
      : (tensor<i32>, tensor<4xf32>, tensor<i32>, tensor<4xf32>)
     -> (tensor<i32>, tensor<4xf32>, tensor<i32>, tensor<4xf32>) {
    %d = tensor.empty() : tensor<i1>
    %c = kernel.launch @below ins(%i, %m : tensor<i32>, tensor<i32>) outs(%d : tensor<i1>) -> tensor<i1>
    %b = tensor.extract %c[] : tensor<i1>
    scf.condition(%b) %i, %a, %m, %y : tensor<i32>, tensor<4xf32>, tensor<i32>, tensor<4xf32>
  } do {
  ^bb0(%i: tensor<i32>, %a: tensor<4xf32>, %m: tensor<i32>, %y: tensor<4xf32>):
    %d = tensor.empty() : tensor<1xf32>
    %u = kernel.launch @first ins(%y : tensor<4xf32>) outs(%d : tensor<1xf32>) -> tensor<1xf32>
    %b = kernel.launch @update ins(%u, %i : tensor<1xf32>, tensor<i32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
    %e = tensor.empty() : tensor<i32>
    %j = kernel.launch @next ins(%i : tensor<i32>) outs(%e : tensor<i32>) -> tensor<i32>
    scf.yield %j, %b, %m, %y : tensor<i32>, tensor<4xf32>, tensor<i32>, tensor<4xf32>
  }
  func.return %r#1, %r#0, %r#3 : tensor<4xf32>, tensor<i32>, tensor<4xf32>
}"""
    )
    module = check(text, [X, np.array(steps, I32)])
    loop = next(o for o in module.walk() if o.name == "scf.while")
    assert not loop.operands
    assert not any(isinstance(o, memref.CopyOp) for o in loop.walk())


def test_a_value_from_outside_a_loop_is_the_same_in_each_iteration() -> None:
    text = (
        KERNELS
        + """
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %d = tensor.empty() : tensor<4xf32>
  %outer = kernel.launch @add ins(%x, %x : tensor<4xf32>, tensor<4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  %lb = arith.constant 0 : index
  %ub = arith.constant 3 : index
  %one = arith.constant 1 : index
  %zero = arith.constant dense<0> : tensor<i32>
  %r:2 = scf.for %k = %lb to %ub step %one iter_args(%a = %x, %i = %zero) -> (tensor<4xf32>, tensor<i32>) {
    %e = tensor.empty() : tensor<1xf32>
    %u = kernel.launch @first ins(%a : tensor<4xf32>) outs(%e : tensor<1xf32>) -> tensor<1xf32>
    %b = kernel.launch @update ins(%u, %i : tensor<1xf32>, tensor<i32>) outs(%outer : tensor<4xf32>) -> tensor<4xf32>
    %f = tensor.empty() : tensor<4xf32>
    %c = kernel.launch @add ins(%a, %b : tensor<4xf32>, tensor<4xf32>) outs(%f : tensor<4xf32>) -> tensor<4xf32>
    %g = tensor.empty() : tensor<i32>
    %j = kernel.launch @next ins(%i : tensor<i32>) outs(%g : tensor<i32>) -> tensor<i32>
    scf.yield %c, %j : tensor<4xf32>, tensor<i32>
  }
  func.return %r#0 : tensor<4xf32>
}"""
    )
    check(text, [X])


def test_a_carry_that_starts_undefined_is_whole_when_copied() -> None:
    text = (
        KERNELS
        + """
kernel.func @rows(%x: tensor<4xf32>, %o: tensor<4xf32>) -> tensor<4xf32> attributes {access = ["read", "write"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %r:2 = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %o, %b = %x) -> (tensor<4xf32>, tensor<4xf32>) {
    %e = tensor.extract %x[%i] : tensor<4xf32>
    %f = arith.addf %e, %e : f32
    %n = tensor.insert %f into %a[%i] : tensor<4xf32>
    scf.yield %n, %a : tensor<4xf32>, tensor<4xf32>
  }
  %l = tensor.extract %r#1[%c1] : tensor<4xf32>
  %s = tensor.insert %l into %r#0[%c0] : tensor<4xf32>
  kernel.return %s : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %d = tensor.empty() : tensor<4xf32>
  %a = kernel.launch @rows ins(%x : tensor<4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  func.return %a : tensor<4xf32>
}"""
    )
    check(text, [X])


def test_carries_that_trade_places() -> None:
    text = (
        KERNELS
        + """
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>, %n: index) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %lb = arith.constant 0 : index
  %ub = arith.constant 5 : index
  %one = arith.constant 1 : index
  %r:3 = scf.for %i = %lb to %ub step %one iter_args(%a = %x, %b = %y, %c = %x)
      -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
    %d = tensor.empty() : tensor<4xf32>
    %s = kernel.launch @add ins(%a, %b : tensor<4xf32>, tensor<4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %b, %s, %a : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  }
  func.return %r#0, %r#1, %r#2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}"""
    )
    check(text.replace(", %n: index)", ")"), [X, X * X])


@pytest.mark.parametrize("condition", [False, True])
def test_branches_write_one_place_and_update_in_place(condition: bool) -> None:
    text = (
        KERNELS
        + """
func.func @main(%x: tensor<4xf32>, %u: tensor<1xf32>, %i: tensor<i32>, %p: tensor<i1>)
    -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %d = tensor.empty() : tensor<4xf32>
  %a = kernel.launch @add ins(%x, %x : tensor<4xf32>, tensor<4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  %c = tensor.extract %p[] : tensor<i1>
  %r:3 = scf.if %c -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
    %b = kernel.launch @update ins(%u, %i : tensor<1xf32>, tensor<i32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
    %e = tensor.empty() : tensor<4xf32>
    %f:2 = kernel.launch @two ins(%b : tensor<4xf32>) outs(%e, %d : tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
    scf.yield %b, %f#0, %x : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  } else {
    scf.yield %a, %x, %a : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  }
  func.return %r#0, %r#1, %r#2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}"""
    )
    module = check(text, [X, np.array([7], np.float32), np.array(9, I32), np.array(condition)])
    branch = next(o for o in module.walk() if o.name == "scf.if")
    copies = [sum(isinstance(o, memref.CopyOp) for o in r.walk()) for r in branch.regions]
    assert copies == [1, 2]


@pytest.mark.parametrize("case", [-1, 0, 1, 2])
def test_index_switch_and_calls(case: int) -> None:
    text = (
        KERNELS
        + """
func.func private @helper(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %d = tensor.empty() : tensor<4xf32>
  %a = kernel.launch @add ins(%x, %x : tensor<4xf32>, tensor<4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  %f:2 = kernel.launch @two ins(%a : tensor<4xf32>) outs(%d, %d : tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  func.return %f#1, %f#0 : tensor<4xf32>, tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %p: tensor<i32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c = tensor.extract %p[] : tensor<i32>
  %s = arith.index_cast %c : i32 to index
  %r:2 = scf.index_switch %s -> tensor<4xf32>, tensor<4xf32>
  case 0 {
    scf.yield %x, %x : tensor<4xf32>, tensor<4xf32>
  }
  case 1 {
    %h:2 = func.call @helper(%x) : (tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
    scf.yield %h#0, %h#1 : tensor<4xf32>, tensor<4xf32>
  }
  default {
    %h:2 = func.call @helper(%x) : (tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
    scf.yield %h#1, %x : tensor<4xf32>, tensor<4xf32>
  }
  %h:2 = func.call @helper(%r#0) : (tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  func.return %h#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}"""
    )
    check(text, [X, np.array(case, I32)])


def random_program(seed: int) -> str:
    """A host function of random launches, reshapes, branches and loops over a pool of values, old ones included."""
    rng = random.Random(seed)
    lines: list[str] = []
    fresh = iter(range(10000))

    def emit(text: str) -> str:
        name = f"%v{next(fresh)}"
        lines.append(f"{name} = {text}")
        return name

    four, one = "tensor<4xf32>", "tensor<1xf32>"

    def body(pool: list[str], length: int, depth: int) -> None:
        for _ in range(length):
            kind = rng.randrange(8 if depth < 2 else 5)
            a, b = rng.choice(pool), rng.choice(pool)
            if kind == 0:
                d = emit(f"tensor.empty() : {four}")
                pool.append(emit(f"kernel.launch @add ins({a}, {b} : {four}, {four}) outs({d} : {four}) -> {four}"))
            elif kind in (1, 2):
                d = emit(f"tensor.empty() : {one}")
                u = emit(f"kernel.launch @first ins({b} : {four}) outs({d} : {one}) -> {one}")
                pool.append(
                    emit(
                        f"kernel.launch @update ins({u}, %i{rng.randrange(3)} : {one}, tensor<i32>) outs({a} : {four}) -> {four}"
                    )
                )
            elif kind == 3:
                e = emit(f"tensor.expand_shape {a} [[0, 1]] output_shape [2, 2] : {four} into tensor<2x2xf32>")
                pool.append(emit(f"tensor.collapse_shape {e} [[0, 1]] : tensor<2x2xf32> into {four}"))
            elif kind == 4:
                d = emit(f"tensor.empty() : {four}")
                n = f"%v{next(fresh)}"
                lines.append(
                    f"{n}:2 = kernel.launch @two ins({a} : {four}) outs({d}, {d} : {four}, {four}) -> ({four}, {four})"
                )
                pool += [f"{n}#0", f"{n}#1"]
            elif kind in (5, 6):
                branch(pool, depth)
            else:
                loop(pool, depth)

    def branch(pool: list[str], depth: int) -> None:
        name = f"%v{next(fresh)}"
        lines.append(f"{name}:2 = scf.if %p{rng.randrange(2)} -> ({four}, {four}) {{")
        for last in ("} else {", "}"):
            inner = list(pool)
            body(inner, rng.randrange(3), depth + 1)
            lines.append(f"scf.yield {rng.choice(inner)}, {rng.choice(inner)} : {four}, {four}")
            lines.append(last)
        pool += [f"{name}#0", f"{name}#1"]

    def loop(pool: list[str], depth: int) -> None:
        name = f"%v{next(fresh)}"
        args = [f"%v{next(fresh)}" for _ in range(3)]
        inits = ", ".join(f"{a} = {rng.choice(pool)}" for a in args)
        types = ", ".join([four] * 3)
        lines.append(
            f"{name}:3 = scf.for {name}i = %c0 to %c{rng.choice((0, 1, 3))} step %c1 iter_args({inits}) -> ({types}) {{"
        )
        inner = [*pool, *args, *args]
        body(inner, rng.randrange(4), depth + 1)
        lines.append(f"scf.yield {', '.join(rng.choice(inner) for _ in range(3))} : {types}")
        lines.append("}")
        pool += [f"{name}#{i}" for i in range(3)]

    pool = ["%x", "%y", "%k"]
    body(pool, 6, 0)
    results = [rng.choice(pool) for _ in range(3)]
    head = f"func.func @main(%x: {four}, %y: {four}, %t0: tensor<i1>, %t1: tensor<i1>) -> ({four}, {four}, {four}) {{\n"
    constants = "".join(f"%c{i} = arith.constant {i} : index\n" for i in (0, 1, 3))
    constants += "".join(f"%i{i} = arith.constant dense<{i}> : tensor<i32>\n" for i in range(3))
    constants += f"%k = arith.constant dense<[3.0, 1.0, 4.0, 1.5]> : {four}\n"
    constants += "".join(f"%p{i} = tensor.extract %t{i}[] : tensor<i1>\n" for i in range(2))
    end = f"func.return {', '.join(results)} : {four}, {four}, {four}\n}}\n"
    return KERNELS + head + constants + "\n".join(lines) + "\n" + end


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.every(4)
def test_random_programs(seed: int) -> None:
    text = random_program(seed)
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(-2, 3, 4).astype(np.float32) for _ in range(2))
    with np.errstate(all="ignore"):
        for bits in (0, 1, 2, 3):
            check_last(text, [x, y, np.array(bool(bits & 1)), np.array(bool(bits & 2))])


def check_last(text: str, inputs: Sequence[Any]) -> None:
    expected = run(parse(text), inputs)
    module = lower(text, BUFFERS[:3])
    for got, want in zip(run(module, inputs), expected, strict=True):
        np.testing.assert_array_equal(got, want, err_msg=f"{text}\n{module}")
