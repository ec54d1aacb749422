"""How many kernels programs become, of which kind, by which schedule; and that depth adds launches, not kernels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

import stepwell
from stepwell.backends.target import target_for
from stepwell.compiler import lower
from stepwell.dialects.kernel import FuncOp, LaunchOp


def planned(text: str) -> tuple[list[tuple[str, str]], int]:
    """(kind, schedule) of each kernel, and how many launches."""
    module = stepwell.parse(text)
    lower(module, "kernels", target=target_for("avx2", generic=True))
    kinds = [str(op.attributes["kernel.kind"]).strip('"') for op in module.body.block.ops if isinstance(op, FuncOp)]
    launches = sum(isinstance(op, LaunchOp) for op in module.walk())
    module = stepwell.parse(text)
    lower(module, "scheduled", target=target_for("avx2", generic=True))
    kernels = [op for op in module.body.block.ops if isinstance(op, FuncOp)]
    schedules = [op.schedule.strategy.data if op.schedule is not None else "" for op in kernels]
    return list(zip(kinds, schedules, strict=True)), launches


class Program:
    """StableHLO text, op by op, on `f32`."""

    def __init__(self, **arguments: tuple[int, ...]):
        self.arguments = arguments
        self.shapes = {f"%{name}": shape for name, shape in arguments.items()}
        self.lines: list[str] = []

    def add(self, shape: tuple[int, ...], text: str) -> str:
        name = f"%v{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        self.shapes[name] = shape
        return name

    def type(self, shape: tuple[int, ...]) -> str:
        return f"tensor<{''.join(f'{n}x' for n in shape)}f32>"

    def map(self, op: str, *operands: str) -> str:
        shape = self.shapes[operands[0]]
        return self.add(shape, f"stablehlo.{op} {', '.join(operands)} : {self.type(shape)}")

    def constant(self, value: float, shape: tuple[int, ...] = ()) -> str:
        scalar = self.add((), f"stablehlo.constant dense<{value:e}> : tensor<f32>")
        return scalar if not shape else self.broadcast(scalar, shape, [])

    def broadcast(self, value: str, shape: tuple[int, ...], dims: list[int]) -> str:
        kinds = f"({self.type(self.shapes[value])}) -> {self.type(shape)}"
        return self.add(shape, f"stablehlo.broadcast_in_dim {value}, dims = {dims} : {kinds}")

    def reduce(self, value: str, dim: int, op: str = "add", init: str = "0.0") -> str:
        shape = self.shapes[value]
        start = self.add((), f"stablehlo.constant dense<{init}> : tensor<f32>")
        result = shape[:dim] + shape[dim + 1 :]
        kinds = f"({self.type(shape)}, tensor<f32>) -> {self.type(result)}"
        text = f"stablehlo.reduce({value} init: {start}) applies stablehlo.{op} across dimensions = [{dim}] : {kinds}"
        return self.add(result, text)

    def dot(self, a: str, b: str, contract: tuple[int, int] = (1, 0)) -> str:
        left, right = self.shapes[a], self.shapes[b]
        result = (left[1 - contract[0]], right[1 - contract[1]])
        kinds = f"({self.type(left)}, {self.type(right)}) -> {self.type(result)}"
        return self.add(
            result, f"stablehlo.dot_general {a}, {b}, contracting_dims = [{contract[0]}] x [{contract[1]}] : {kinds}"
        )

    def along(self, value: str, rows: str) -> str:
        """One number a row, repeated along the rows of another value."""
        return self.broadcast(value, self.shapes[rows], [0])

    def dense(self, x: str, w: str, b: str) -> str:
        y = self.dot(x, w)
        return self.map("add", y, self.broadcast(b, self.shapes[y], [1]))

    def relu(self, x: str) -> str:
        return self.map("maximum", x, self.constant(0.0, self.shapes[x]))

    def gelu(self, x: str) -> str:
        shape = self.shapes[x]
        cube = self.map("multiply", self.map("multiply", x, x), x)
        inner = self.map("add", x, self.map("multiply", cube, self.constant(0.044715, shape)))
        tanh = self.map("tanh", self.map("multiply", inner, self.constant(0.79788, shape)))
        half = self.map("multiply", x, self.constant(0.5, shape))
        return self.map("multiply", half, self.map("add", tanh, self.constant(1.0, shape)))

    def softmax(self, x: str) -> str:
        top = self.along(self.reduce(x, 1, "maximum", "0xFF800000"), x)
        e = self.map("exponential", self.map("subtract", x, top))
        return self.map("divide", e, self.along(self.reduce(e, 1), x))

    def layer_norm(self, x: str, gamma: str, beta: str) -> str:
        shape = self.shapes[x]
        count = self.constant(float(shape[1]), shape[:1])
        mean = self.map("divide", self.reduce(x, 1), count)
        centred = self.map("subtract", x, self.along(mean, x))
        variance = self.map("divide", self.reduce(self.map("multiply", centred, centred), 1), count)
        scale = self.map("rsqrt", self.map("add", variance, self.constant(1e-5, shape[:1])))
        y = self.map("multiply", centred, self.along(scale, x))
        y = self.map("multiply", y, self.broadcast(gamma, shape, [1]))
        return self.map("add", y, self.broadcast(beta, shape, [1]))

    def text(self, *results: str) -> str:
        arguments = ", ".join(f"%{name}: {self.type(shape)}" for name, shape in self.arguments.items())
        kinds = ", ".join(self.type(self.shapes[r]) for r in results)
        body = "\n  ".join(self.lines)
        return f"func.func public @main({arguments}) -> ({kinds}) {{\n  {body}\n  return {', '.join(results)} : {kinds}\n}}\n"


def test_softmax_is_one_kernel_of_rows():
    p = Program(x=(64, 100))
    assert planned(p.text(p.softmax("%x"))) == ([("rows", "rows")], 1)


def test_layer_norm_is_one_kernel_of_rows():
    p = Program(x=(64, 96), g=(96,), b=(96,))
    assert planned(p.text(p.layer_norm("%x", "%g", "%b"))) == ([("rows", "rows")], 1)


def test_log_softmax_with_its_gradient_is_one_kernel_of_rows():
    p = Program(x=(64, 100), t=(64, 100))
    top = p.along(p.reduce("%x", 1, "maximum", "0xFF800000"), "%x")
    shifted = p.map("subtract", "%x", top)
    total = p.along(p.reduce(p.map("exponential", shifted), 1), "%x")
    loss = p.map("subtract", shifted, p.map("log", total))
    gradient = p.map("subtract", p.map("divide", p.map("exponential", shifted), total), "%t")
    assert planned(p.text(loss, gradient)) == ([("rows", "rows")], 1)


def test_what_is_done_with_the_rows_of_one_large_array_is_one_kernel():
    p = Program(x=(128, 512), g=(512,), b=(512,))
    text = p.text(p.softmax("%x"), p.layer_norm("%x", "%g", "%b"))
    assert planned(text) == ([("rows", "rows")], 1)
    small = Program(x=(8, 32), g=(32,), b=(32,))
    assert planned(small.text(small.softmax("%x"), small.layer_norm("%x", "%g", "%b")))[1] == 2


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_dense_layer_is_one_contraction(activation: str):
    p = Program(x=(64, 32), w=(32, 48), b=(48,))
    assert planned(p.text(getattr(p, activation)(p.dense("%x", "%w", "%b")))) == ([("contraction", "contraction")], 1)


def test_bias_gelu_is_one_map():
    p = Program(x=(64, 100), b=(100,))
    y = p.gelu(p.map("add", "%x", p.broadcast("%b", (64, 100), [1])))
    assert planned(p.text(y)) == ([("map", "loops")], 1)


def forward(layers: int) -> str:
    weights = {k: v for i in range(layers) for k, v in ((f"w{i}", (32, 32)), (f"b{i}", (32,)))}
    p = Program(x=(64, 32), **weights)
    h = "%x"
    for i in range(layers):
        h = p.relu(p.dense(h, f"%w{i}", f"%b{i}"))
    return p.text(h)


def blocks(layers: int) -> str:
    """Residual blocks: layer norm, two dense layers with gelu between."""
    shapes = {"g": (32,), "h": (32,), "w": (32, 128), "b": (128,), "u": (128, 32), "c": (32,)}
    p = Program(x=(64, 32), **{f"{name}{i}": shape for i in range(layers) for name, shape in shapes.items()})
    x = "%x"
    for i in range(layers):
        h = p.layer_norm(x, f"%g{i}", f"%h{i}")
        h = p.gelu(p.dense(h, f"%w{i}", f"%b{i}"))
        x = p.map("add", x, p.dense(h, f"%u{i}", f"%c{i}"))
    return p.text(x)


def training_step(layers: int) -> str:
    """Forward, backward and update of an MLP with relu, for the sum of its outputs weighted by `t`."""
    weights = {k: v for i in range(layers) for k, v in ((f"w{i}", (32, 32)), (f"b{i}", (32,)))}
    p = Program(x=(64, 32), t=(64, 32), **weights)
    inputs, before = [], []
    h = "%x"
    for i in range(layers):
        inputs.append(h)
        before.append(p.dense(h, f"%w{i}", f"%b{i}"))
        h = p.relu(before[-1])
    gradient, updated = "%t", []
    for i in reversed(range(layers)):
        mask = p.add(
            (64, 32),
            f"stablehlo.compare GT, {before[i]}, {p.constant(0.0, (64, 32))} : "
            f"({p.type((64, 32))}, {p.type((64, 32))}) -> tensor<64x32xi1>",
        )
        zero = p.constant(0.0, (64, 32))
        gradient = p.add(
            (64, 32), f"stablehlo.select {mask}, {gradient}, {zero} : tensor<64x32xi1>, {p.type((64, 32))}"
        )
        dw, db = p.dot(inputs[i], gradient, (0, 0)), p.reduce(gradient, 0)
        for name, d in ((f"%w{i}", dw), (f"%b{i}", db)):
            updated.append(p.map("subtract", name, p.map("multiply", d, p.constant(0.01, p.shapes[d]))))
        gradient = p.dot(gradient, f"%w{i}", (1, 1))
    return p.text(h, *updated)


@pytest.mark.parametrize(("program", "kernels", "launches_per_layer"), [(forward, 1, 1), (blocks, 3, 3)])
def test_depth_adds_launches_only(program: Callable[[int], str], kernels: int, launches_per_layer: int):
    for layers in (2, 3, 8):
        found, launches = planned(program(layers))
        assert (len(found), launches) == (kernels, launches_per_layer * layers)
        assert {kind for kind, _ in found} <= {"contraction", "rows"}


def test_depth_of_a_training_step_adds_launches_only():
    counts = {layers: planned(training_step(layers)) for layers in (4, 6, 8)}
    assert len({len(found) for found, _ in counts.values()}) == 1
    assert counts[8][1] - counts[6][1] == counts[6][1] - counts[4][1]
    # Dense and relu; weight gradient and update; bias gradient with its update; input gradient and mask.
    assert counts[6][1] - counts[4][1] == 2 * 4, Counter(kind for kind, _ in counts[4][0])
