"""Reductions of one and two operands, and windows."""

from __future__ import annotations

from math import inf, prod

from stepwell.fuzz.base import Base
from stepwell.fuzz.values import EPSILON, LARGEST, MAX_ELEMENTS, WIDE_FLOATS, Value, summed, tensor


class Reductions(Base):
    """Makers of ops; see the module."""

    def reduced(self, a: Value) -> tuple[list[int], list[int]]:
        """(dims to reduce, the shape left)."""
        dims = sorted(self.rng.sample(range(len(a.shape)), self.rng.randint(1, len(a.shape)) if a.shape else 0))
        return dims, [n for d, n in enumerate(a.shape) if d not in dims]

    def reduce(self) -> None:
        """One operand, one op."""
        if self.rng.random() < 0.5:
            a = self.any(lambda v: v.integer and v.dtype != "i1" and len(v.shape) > 0)
            op = self.rng.choice(("add", "multiply", "maximum", "minimum", "and", "or", "xor"))
        elif self.rng.random() < 0.3:
            a, op = self.any(lambda v: v.dtype == "i1" and len(v.shape) > 0), self.rng.choice(("and", "or"))
        else:
            a = self.any(lambda v: v.dtype in WIDE_FLOATS and len(v.shape) > 0)
            op = self.rng.choice(("add", "add", "maximum", "minimum"))
        dims, shape = self.reduced(a)
        count = prod(a.shape[d] for d in dims) + 1
        facts: dict[str, float] = {}
        init = self.of((), a.dtype)
        if op == "add" and not a.integer:
            if a.bound == inf:
                a = self.of(a.shape, a.dtype, bounded=True)
            a, init = self.smooth(a), self.of((), a.dtype, exact=True, bounded=True)
            bound = count * max(a.bound, init.bound)
            facts = {"bound": bound, "error": count * a.error + summed(count) * EPSILON[a.dtype] * bound}
            if bound > LARGEST[a.dtype] / 1e3:
                return
        elif not a.integer:
            facts = self.join(a, init)
        text = (
            f"stablehlo.reduce({a.name} init: {init.name}) applies stablehlo.{op} across dimensions = {dims} : "
            f"({a.type}, {init.type}) -> {tensor(shape, a.dtype)}"
        )
        self.define(text, shape, a.dtype, **facts)

    def argmax(self) -> None:
        """A reduction of two operands: the largest value's first index."""
        a = self.any(
            lambda v: (
                prod(v.shape) <= MAX_ELEMENTS
                and len(v.shape) > 0
                and v.dtype in ("f32", "f64", "i32", "i8")
                and (v.integer or v.bound < inf)
            ),
            exact=True,
        )
        dim = self.rng.randrange(len(a.shape))
        shape = [n for d, n in enumerate(a.shape) if d != dim]
        index_type, scalar = tensor(a.shape, "i32"), tensor((), a.dtype)
        kind = "SIGNED" if a.integer else "FLOAT"
        indices = self.define(f"stablehlo.iota dim = {dim} : {index_type}", a.shape, "i32")
        zero = self.define("stablehlo.constant dense<0> : tensor<i32>", (), "i32")
        init = self.constant((), a.dtype)
        out, out_index = tensor(shape, a.dtype), tensor(shape, "i32")
        name = self.fresh()
        self.emit(
            f"{name}:2 = stablehlo.reduce({a.name} init: {init.name}), ({indices.name} init: {zero.name}) across dimensions = [{dim}] : "
            f"({a.type}, {index_type}, {scalar}, tensor<i32>) -> ({out}, {out_index})\n"
            f"     reducer(%x: {scalar}, %y: {scalar}) (%i: tensor<i32>, %j: tensor<i32>) {{\n"
            f"      %gt = stablehlo.compare GT, %x, %y, {kind} : ({scalar}, {scalar}) -> tensor<i1>\n"
            f"      %eq = stablehlo.compare EQ, %x, %y, {kind} : ({scalar}, {scalar}) -> tensor<i1>\n"
            "      %lt = stablehlo.compare LT, %i, %j, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>\n"
            "      %tie = stablehlo.and %eq, %lt : tensor<i1>\n"
            "      %first = stablehlo.or %gt, %tie : tensor<i1>\n"
            f"      %v = stablehlo.select %gt, %x, %y : tensor<i1>, {scalar}\n"
            "      %k = stablehlo.select %first, %i, %j : tensor<i1>, tensor<i32>\n"
            f"      stablehlo.return %v, %k : {scalar}, tensor<i32>\n    }}"
        )
        self.scope.append(Value(f"{name}#0", tuple(shape), a.dtype, bound=max(a.bound, 2.0)))
        self.scope.append(Value(f"{name}#1", tuple(shape), "i32"))

    def reduce_window(self) -> None:
        """Windows with strides, dilation and padding."""
        a = self.any(lambda v: prod(v.shape) <= MAX_ELEMENTS and 0 < len(v.shape) < 4 and v.real and v.dtype != "i1")
        op = self.rng.choice(("maximum", "minimum", "add" if a.integer else "maximum"))
        init = self.of((), a.dtype)
        window, strides, dilations, padding, shape = [], [], [], [], []
        for extent in a.shape:
            window.append(self.rng.randint(1, 3))
            strides.append(self.rng.choice((1, 1, 2)))
            dilations.append(self.rng.choice((1, 1, 2)))
            padding.append([self.rng.randint(0, 2), self.rng.randint(0, 2)])
            room = extent + sum(padding[-1]) - ((window[-1] - 1) * dilations[-1] + 1)
            shape.append(0 if room < 0 else room // strides[-1] + 1)
        if prod(shape) > MAX_ELEMENTS:
            return
        scalar = tensor((), a.dtype)
        listed = [", ".join(map(str, items)) for items in (window, strides, dilations)]
        self.define(
            f'"stablehlo.reduce_window"({a.name}, {init.name}) <{{window_dimensions = array<i64: {listed[0]}>, '
            f"window_strides = array<i64: {listed[1]}>, window_dilations = array<i64: {listed[2]}>, "
            f"padding = dense<{padding}> : tensor<{len(a.shape)}x2xi64>}}> ({{\n    ^bb0(%x: {scalar}, %y: {scalar}):\n"
            f"      %r = stablehlo.{op} %x, %y : {scalar}\n      stablehlo.return %r : {scalar}\n"
            f"    }}) : ({a.type}, {scalar}) -> {tensor(shape, a.dtype)}",
            shape,
            a.dtype,
            **self.join(a, init),
        )
