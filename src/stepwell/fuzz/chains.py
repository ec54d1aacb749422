"""Ops that belong together and become one kernel: softmax, normalized rows, attention, a layer with its bias and activation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import inf, prod

from stepwell.fuzz.base import Base
from stepwell.fuzz.values import EPSILON, ULPS, Value, summed, tensor


class Chains(Base):
    """Makers of runs of ops; see the module."""

    def softmax(self) -> None:
        """Along any dim."""
        a = self._rows(("f32", "f32", "f32", "f64", "bf16"))
        if a is None:
            return
        dim = self.rng.randrange(len(a.shape))
        if a.shape[dim]:
            self._softmax(a, dim)

    def normalized_rows(self) -> None:
        """(x - mean) * rsqrt(variance + epsilon) along the last dim."""
        a = self._rows(("f32", "f32", "f64"))
        if a is None:
            return
        dim, count = len(a.shape) - 1, a.shape[-1]
        loose = summed(count) * EPSILON[a.dtype] * a.bound + a.error
        mean = self._mean(a, dim, a.bound, loose)
        centred = self._binary("subtract", a, mean, 2 * a.bound, 2 * loose)
        squares = self._binary("multiply", centred, centred, 4 * a.bound**2, 8 * a.bound * loose)
        bound, error = squares.bound, squares.error + summed(count) * EPSILON[a.dtype] * squares.bound
        variance = self._mean(squares, dim, bound, error)
        tiny = self.define(f"stablehlo.constant dense<0.01> : {a.type}", a.shape, a.dtype, bound=0.01)
        moved = self._binary("add", variance, tiny, bound + 0.01, error)
        # The derivative of rsqrt is 500 at 0.01.
        scale = self.define(
            f"stablehlo.rsqrt {moved.name} : {a.type}", a.shape, a.dtype, bound=10.0, error=500 * error + 2 * loose
        )
        self._binary(
            "multiply", centred, scale, 10 * centred.bound, 10 * centred.error + centred.bound * scale.error + loose
        )

    def attention(self) -> None:
        """softmax(q k^T * scale) v, over batches; head sizes, lengths and groups of any size."""
        dtype = self.rng.choice(("f32", "f32", "f32", "f64", "bf16"))
        batch = self.extents(self.rng.choice((0, 1, 1, 2)))
        queries, keys, depth, columns = self.extents(4)
        queried, keyed = [*batch, queries, depth], [*batch, keys, depth]
        sizes = map(
            prod, (queried, keyed, [*batch, keys, columns], [*batch, queries, keys], [*batch, queries, columns])
        )
        if max(sizes) > self.limit or not keys:
            return
        q, k = (self.smooth(self.of(shape, dtype, bounded=True)) for shape in (queried, keyed))
        v = self.smooth(self.of([*batch, keys, columns], dtype, bounded=True))
        if max(q.bound, k.bound, v.bound) > 100:
            return
        rank = len(batch)
        scores = self._product(q, k, [*batch, queries, keys], batch, (rank + 1, rank + 1))
        factor = 0.125 if depth > 16 else 0.5
        splat = self.define(f"stablehlo.constant dense<{factor}> : {scores.type}", scores.shape, dtype, bound=factor)
        scaled = self._binary("multiply", scores, splat, factor * scores.bound, factor * scores.error)
        weights = self._softmax(scaled, rank + 1)
        self._product(weights, v, [*batch, queries, columns], batch, (rank + 1, rank))

    def layer(self) -> None:
        """A product of matrices, either stored by rows or by columns, with a bias and an activation."""
        dtype = self.rng.choice(("f32", "f32", "f32", "f64", "bf16"))
        rows, terms, columns = self.extents(3)
        if max(rows * terms, terms * columns, rows * columns) > self.limit:
            return
        ends = self.rng.randint(0, 1), self.rng.randint(0, 1)
        shapes = ([rows, terms], [terms, columns])
        sides = [shape[::-1] if end else shape for shape, end in zip(shapes, ends, strict=True)]
        a, b = (self.smooth(self.of(shape, dtype, bounded=True)) for shape in sides)
        if a.bound * b.bound > 1e4:
            return
        made = self._product(a, b, [rows, columns], [], (1 - ends[0], ends[1]))
        bias = self.smooth(self.of((columns,), dtype, bounded=True))
        wide = self.define(
            f"stablehlo.broadcast_in_dim {bias.name}, dims = [1] : ({bias.type}) -> {made.type}",
            made.shape,
            dtype,
            bias,
        )
        rounding = EPSILON[dtype] * (made.bound + bias.bound)
        moved = self._binary("add", made, wide, made.bound + bias.bound, made.error + bias.error + rounding)
        if self.rng.random() < 0.5:
            zero = self.define(f"stablehlo.constant dense<0.0> : {made.type}", made.shape, dtype, bound=0.0)
            self._binary("maximum", moved, zero, moved.bound, moved.error)
        else:
            text = f"stablehlo.tanh {moved.name} : {made.type}"
            self.define(text, made.shape, dtype, bound=1.0, error=moved.error + ULPS * EPSILON[dtype])

    # Parts --------------------------------------------------------------------------------------------------------------

    def _rows(self, dtypes: Sequence[str]) -> Value | None:
        """A bounded value of one to three dims."""
        dtype = self.rng.choice(dtypes)
        shape = self.shape(self.rng.choice((1, 2, 2, 2, 3)))
        a = self.smooth(self.of(shape, dtype, bounded=True))
        return a if a.bound <= 100 and a.error <= 0.1 else None

    def _binary(self, name: str, a: Value, b: Value, bound: float, error: float) -> Value:
        return self.define(
            f"stablehlo.{name} {a.name}, {b.name} : {a.type}", a.shape, a.dtype,
            bound=bound, error=error + EPSILON[a.dtype] * bound,
        )  # fmt: skip

    def _reduced(self, name: str, a: Value, dim: int, bound: float, error: float) -> Value:
        """A reduction along a dim, spread over it again."""
        shape = [n for d, n in enumerate(a.shape) if d != dim]
        start, scalar = ("0xFF800000" if name == "maximum" else "0.0"), tensor((), a.dtype)
        infinity = {"f64": "0xFFF0000000000000", "bf16": "0xFF80", "f16": "0xFC00"}
        start = infinity.get(a.dtype, start) if name == "maximum" else start
        init = self.define(f"stablehlo.constant dense<{start}> : {scalar}", (), a.dtype, bound=inf)
        made = self.define(
            f"stablehlo.reduce({a.name} init: {init.name}) applies stablehlo.{name} across dimensions = [{dim}] : "
            f"({a.type}, {scalar}) -> {tensor(shape, a.dtype)}",
            shape, a.dtype, bound=bound, error=error,
        )  # fmt: skip
        dims = [d for d in range(len(a.shape)) if d != dim]
        return self.define(
            f"stablehlo.broadcast_in_dim {made.name}, dims = {dims} : ({made.type}) -> {a.type}", a.shape, a.dtype, made
        )

    def _mean(self, a: Value, dim: int, bound: float, error: float) -> Value:
        count = a.shape[dim]
        total = self._reduced("add", a, dim, count * bound, count * error)
        number = self.define(
            f"stablehlo.constant dense<{float(max(count, 1))}> : {a.type}", a.shape, a.dtype, bound=float(max(count, 1))
        )
        return self._binary("divide", total, number, bound, error)

    def _softmax(self, a: Value, dim: int) -> Value:
        """The largest error of a weight: that of two exponents, and of a sum of so many."""
        count, epsilon = a.shape[dim], EPSILON[a.dtype]
        largest = self._reduced("maximum", a, dim, a.bound, a.error)
        apart = a.error + 2 * epsilon * a.bound
        moved = self._binary("subtract", a, largest, 2 * a.bound, 2 * apart)
        wrong = math.expm1(min(2 * moved.error + ULPS * epsilon, 30.0))
        powers = self.define(f"stablehlo.exponential {moved.name} : {a.type}", a.shape, a.dtype, bound=1.0, error=wrong)
        total = self._reduced("add", powers, dim, float(count), count * (wrong + summed(count) * epsilon))
        return self._binary("divide", powers, total, 1.0, 2 * wrong + 2 * summed(count) * epsilon)

    def _product(self, a: Value, b: Value, shape: list[int], batch: list[int], dims: tuple[int, int]) -> Value:
        """A product of matrices with leading batch dims."""
        count, both = a.shape[dims[0]], list(range(len(batch)))
        bound = max(count, 1) * a.bound * b.bound
        error = count * (a.error * b.bound + b.error * a.bound + a.error * b.error)
        error += (
            2 * summed(count) * EPSILON["f64" if a.dtype == "f64" else "f32"] * bound + 2 * EPSILON[a.dtype] * bound
        )
        return self.define(
            f"stablehlo.dot_general {a.name}, {b.name}, batching_dims = {both} x {both}, contracting_dims = [{dims[0]}] x [{dims[1]}] : "
            f"({a.type}, {b.type}) -> {tensor(shape, a.dtype)}",
            shape, a.dtype, bound=bound, error=error,
        )  # fmt: skip
