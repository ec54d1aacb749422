"""Random programs mean the same before and after fusion and outlining, and run natively to the same bits.

Programs are graphs of integer ops (so that equality is exact) with values used several times, views of all kinds,
reductions and products.
"""

from __future__ import annotations

import numpy as np
import pytest

import stepwell
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module
from stepwell.ir.verify import verify_module
from stepwell.passes.registry import get_pass

pytestmark = pytest.mark.every(2)

STRUCTURED = ("prepare-entry", "convert-stablehlo-to-linalg", "canonicalize", "cse")
FUSED = ("fuse-elementwise", "cse", "plan-kernels", "outline-kernels", "deduplicate-kernels")

Shape = tuple[int, ...]


def tensor(shape: Shape, element: str = "i32") -> str:
    return f"tensor<{''.join(f'{n}x' for n in shape)}{element}>"


class Graph:
    """A program under construction: SSA names with their shapes."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.lines: list[str] = []
        self.values: list[tuple[str, Shape]] = []
        self.inputs: list[Shape] = []
        for _ in range(int(self.rng.integers(1, 4))):
            shape = tuple(int(n) for n in self.rng.choice([1, 2, 3, 4, 6], int(self.rng.integers(1, 4))))
            self.values.append((f"%a{len(self.inputs)}", shape))
            self.inputs.append(shape)
        for _ in range(int(self.rng.integers(6, 22))):
            self.step()

    def pick(self) -> tuple[str, Shape]:
        # Recent values more often: chains grow, but old ones are used again.
        recent = self.values[-5:] if self.rng.random() < 0.7 else self.values
        return recent[int(self.rng.integers(len(recent)))]

    def emit(self, shape: Shape, text: str) -> None:
        name = f"%v{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        self.values.append((name, shape))

    def step(self) -> None:
        kinds = ("binary", "binary", "unary", "costly", "transpose", "slice", "reverse", "broadcast", "reshape")
        kinds += ("reduce", "iota", "select", "concatenate", "pad", "dot", "constant")
        getattr(self, str(self.rng.choice(kinds)))()

    def like(self, shape: Shape) -> str:
        """A value of a shape: one there already, else a broadcast of a constant."""
        known = [n for n, s in self.values if s == shape]
        if known:
            return known[int(self.rng.integers(len(known)))]
        self.constant(shape)
        return self.values[-1][0]

    def binary(self) -> None:
        a, shape = self.pick()
        op = self.rng.choice(["add", "subtract", "multiply", "maximum", "minimum", "xor"])
        self.emit(shape, f"stablehlo.{op} {a}, {self.like(shape)} : {tensor(shape)}")

    def unary(self) -> None:
        a, shape = self.pick()
        self.emit(shape, f"stablehlo.{self.rng.choice(['negate', 'abs', 'not'])} {a} : {tensor(shape)}")

    def costly(self) -> None:
        a, shape = self.pick()
        self.emit(shape, f"stablehlo.divide {a}, {self.like(shape)} : {tensor(shape)}")

    def transpose(self) -> None:
        a, shape = self.pick()
        order = [int(d) for d in self.rng.permutation(len(shape))]
        result = tuple(shape[d] for d in order)
        self.emit(result, f"stablehlo.transpose {a}, dims = {order} : ({tensor(shape)}) -> {tensor(result)}")

    def slice(self) -> None:
        a, shape = self.pick()
        bounds, result = [], []
        for n in shape:
            low = int(self.rng.integers(0, n))
            high = int(self.rng.integers(low + 1, n + 1))
            stride = int(self.rng.integers(1, 3))
            bounds.append(f"{low}:{high}:{stride}")
            result.append(-(-(high - low) // stride))
        self.emit(
            tuple(result), f"stablehlo.slice {a} [{', '.join(bounds)}] : ({tensor(shape)}) -> {tensor(tuple(result))}"
        )

    def reverse(self) -> None:
        a, shape = self.pick()
        dims = [d for d in range(len(shape)) if self.rng.random() < 0.5]
        self.emit(shape, f"stablehlo.reverse {a}, dims = {dims} : {tensor(shape)}")

    def broadcast(self) -> None:
        a, shape = self.pick()
        if len(shape) > 3:
            return
        position = int(self.rng.integers(0, len(shape) + 1))
        result = (*shape[:position], int(self.rng.choice([1, 2, 5])), *shape[position:])
        dims = [d if d < position else d + 1 for d in range(len(shape))]
        self.emit(result, f"stablehlo.broadcast_in_dim {a}, dims = {dims} : ({tensor(shape)}) -> {tensor(result)}")

    def reshape(self) -> None:
        a, shape = self.pick()
        factors = [f for n in shape for f in ((2, n // 2) if n % 2 == 0 and self.rng.random() < 0.6 else (n,))]
        result: list[int] = []
        for factor in factors:
            if result and self.rng.random() < 0.4:
                result[-1] *= factor
            else:
                result.append(factor)
        if self.rng.random() < 0.3:
            result.insert(int(self.rng.integers(len(result) + 1)), 1)
        self.emit(tuple(result), f"stablehlo.reshape {a} : ({tensor(shape)}) -> {tensor(tuple(result))}")

    def reduce(self) -> None:
        a, shape = self.pick()
        dims = [d for d in range(len(shape)) if self.rng.random() < 0.6]
        result = tuple(n for d, n in enumerate(shape) if d not in dims)
        op, init = (("add", 0), ("maximum", -(2**31)))[int(self.rng.integers(2))]
        zero = f"%z{len(self.lines)}"
        self.lines.append(f"{zero} = stablehlo.constant dense<{init}> : tensor<i32>")
        self.emit(
            result,
            f"stablehlo.reduce({a} init: {zero}) applies stablehlo.{op} across dimensions = {dims} "
            f": ({tensor(shape)}, tensor<i32>) -> {tensor(result)}",
        )

    def iota(self) -> None:
        _, shape = self.pick()
        if shape:
            self.emit(shape, f"stablehlo.iota dim = {int(self.rng.integers(len(shape)))} : {tensor(shape)}")

    def select(self) -> None:
        a, shape = self.pick()
        b = self.like(shape)
        mask = f"%m{len(self.lines)}"
        kinds = f"({tensor(shape)}, {tensor(shape)}) -> {tensor(shape, 'i1')}"
        self.lines.append(f"{mask} = stablehlo.compare LT, {a}, {b}, SIGNED : {kinds}")
        self.emit(shape, f"stablehlo.select {mask}, {a}, {self.like(shape)} : {tensor(shape, 'i1')}, {tensor(shape)}")

    def concatenate(self) -> None:
        a, shape = self.pick()
        if not shape:
            return
        b, dim = self.like(shape), int(self.rng.integers(len(shape)))
        result = tuple(2 * n if d == dim else n for d, n in enumerate(shape))
        kinds = f"({tensor(shape)}, {tensor(shape)}) -> {tensor(result)}"
        self.emit(result, f"stablehlo.concatenate {a}, {b}, dim = {dim} : {kinds}")

    def pad(self) -> None:
        a, shape = self.pick()
        low = [int(n) for n in self.rng.integers(0, 3, len(shape))]
        zero = f"%z{len(self.lines)}"
        self.lines.append(f"{zero} = stablehlo.constant dense<7> : tensor<i32>")
        result = tuple(n + lo for n, lo in zip(shape, low, strict=True))
        zeros = [0] * len(shape)
        self.emit(
            result,
            f"stablehlo.pad {a}, {zero}, low = {low}, high = {zeros}, interior = {zeros} "
            f": ({tensor(shape)}, tensor<i32>) -> {tensor(result)}",
        )

    def dot(self) -> None:
        a, shape = self.pick()
        if not shape:
            return
        other = (shape[-1], int(self.rng.choice([1, 3, 4])))
        b = self.like(other)
        result = (*shape[:-1], other[1])
        self.emit(
            result,
            f"stablehlo.dot_general {a}, {b}, contracting_dims = [{len(shape) - 1}] x [0] "
            f": ({tensor(shape)}, {tensor(other)}) -> {tensor(result)}",
        )

    def constant(self, shape: Shape | None = None) -> None:
        shape = self.pick()[1] if shape is None else shape
        self.emit(shape, f"stablehlo.constant dense<{int(self.rng.integers(-3, 9))}> : {tensor(shape)}")

    def program(self) -> str:
        results = [self.values[-1], *(v for v in self.values[:-1] if v[0][1] == "v" and self.rng.random() < 0.15)]
        args = ", ".join(f"%a{i}: {tensor(s)}" for i, s in enumerate(self.inputs))
        kinds = ", ".join(tensor(s) for _, s in results)
        body = "\n  ".join(self.lines)
        names = ", ".join(n for n, _ in results)
        return f"func.func public @main({args}) -> ({kinds}) {{\n  {body}\n  return {names} : {kinds}\n}}\n"

    def arguments(self) -> list[np.ndarray]:
        return [self.rng.integers(-9, 10, s).astype(np.int32) for s in self.inputs]


def module_after(text: str, passes: tuple[str, ...]):
    ctx = context()
    module = parse_module(text, "random.mlir", ctx)
    for name in passes:
        get_pass(name)().apply(ctx, module)
        verify_module(module)
    return module


def run(module, arguments: list[np.ndarray]) -> list[np.ndarray]:
    with np.errstate(all="ignore"):
        return [np.asarray(r) for r in Interpreter(module, interpreter_rules()).call("main", arguments)]


@pytest.mark.parametrize("block", range(8))
@pytest.mark.every(4)
def test_fusion_changes_no_value(block):
    for seed in range(block * 25, block * 25 + 25):
        graph = Graph(seed)
        text, arguments = graph.program(), graph.arguments()
        want = run(module_after(text, STRUCTURED), arguments)
        kernels = module_after(text, (*STRUCTURED, *FUSED))
        left = [op.name for f in kernels.body.block.ops if f.name == "func.func" for op in f.walk()]
        assert not [n for n in left if n.startswith(("linalg.", "structured.", "tensor.insert"))], text
        for got, expected in zip(run(kernels, arguments), want, strict=True):
            np.testing.assert_array_equal(got, expected, err_msg=f"seed {seed}\n{text}")


@pytest.mark.parametrize("block", range(3))
def test_fused_programs_run_natively(block):
    for seed in range(1000 + block * 5, 1000 + block * 5 + 5):
        graph = Graph(seed)
        text, arguments = graph.program(), graph.arguments()
        want = run(module_after(text, STRUCTURED), arguments)
        for got, expected in zip(stepwell.compile(text)(*arguments), want, strict=True):
            np.testing.assert_array_equal(got, expected, err_msg=f"seed {seed}\n{text}")
