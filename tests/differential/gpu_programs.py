"""Random step-1 programs from a seed that aim at what groups of lanes get wrong: sizes around lanes and vectors, rows, tiles.

The ops and the bounds of error are those of `random_programs`; here are the shapes, and whole patterns that become one kernel:
normalized rows, products with what follows them, reductions with several results, permutations.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from math import prod

import numpy as np

from stepwell.fuzz import generator as base
from stepwell.fuzz.values import EPSILON, LARGEST, SMALLEST, ULPS, Program, Value, summed, tensor
from stepwell.fuzz.values import WIDE_FLOATS as FLOATS

EDGES = (0, 1, 2, 3, 7, 8, 17, 31, 32, 33, 61, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1021)
SMALL = (1, 2, 3, 4, 5, 8, 13)
PRODUCT = (1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200)
LENGTHS = (1, 2, 31, 32, 33, 63, 100, 127, 128, 129, 500, 1000, 1023, 1024, 1025, 2047, 4096, 5000)
MOST = 30_000
"""Elements of the largest value: several blocks, and fast in NumPy."""


class Generator(base.Generator):
    """Grows a program for lanes op by op."""

    def extents(self, count: int) -> list[int]:
        """One or two sizes at the edges of lanes and vectors, the others small."""
        shape = [self.rng.choice(SMALL) for _ in range(count)]
        for _ in range(min(count, self.rng.choice((1, 1, 2)))):
            shape[self.rng.randrange(count)] = self.rng.choice(EDGES)
        return shape

    def shape(self, rank: int | None = None) -> tuple[int, ...]:
        rank = self.rng.choice((0, 1, 1, 2, 2, 2, 3, 3, 4, 5)) if rank is None else rank
        shape = self.extents(rank)
        while prod(shape) > MOST:
            shape[self.rng.randrange(rank)] = self.rng.choice((1, 2, 3))
        return tuple(shape)

    def dtype(self) -> str:
        return self.rng.choice(
            ("f32",) * 5 + ("f64", "bf16", "f16", "f16", "i32", "i32", "i64", "i8", "ui8", "i16", "ui16", "ui32", "ui64", "i1", "i1")
        )  # fmt: skip

    def step(self) -> None:
        ops: list[tuple[int, Callable[[], object]]] = [
            (4, self.binary),
            (2, self.unary),
            (1, self.transcendental),
            (2, self.integer_op),
            (2, self.boolean_op),
            (2, self.compare),
            (2, self.select),
            (3, self.convert),
            (1, self.broadcast),
            (3, self.transpose),
            (2, self.reshape),
            (2, self.slice),
            (1, self.reverse),
            (2, self.concatenate),
            (2, self.pad),
            (1, self.dynamic_slice),
            (2, self.dynamic_update_slice),
            (1, self.gather),
            (1, self.scatter),
            (3, self.reduce),
            (1, self.argmax),
            (1, self.sort),
            (3, self.rows),
            (2, self.moments),
            (3, self.product),
            (2, self.permuted),
            (2, self.several),
        ]
        if self.depth < 1:
            ops += [(1, self.loop), (1, self.branch)]
        weights = [weight for weight, _ in ops]
        self.rng.choices([op for _, op in ops], weights)[0]()

    # Patterns.

    def over(self, a, op: str, init: str, dims: list[int]):
        """A reduction to the rows of `a`, as an unnamed value of known type."""
        scalar = tensor((), a.dtype)
        zero, name = self.fresh(), self.fresh()
        self.emit(f"{zero} = stablehlo.constant dense<{init}> : {scalar}")
        shape = [n for d, n in enumerate(a.shape) if d not in dims]
        self.emit(
            f"{name} = stablehlo.reduce({a.name} init: {zero}) applies stablehlo.{op} across dimensions = {dims} : "
            f"({a.type}, {scalar}) -> {tensor(shape, a.dtype)}"
        )
        return Value(name, tuple(shape), a.dtype)

    def back(self, rows, shape, dims: list[int]):
        """Rows repeated along what was reduced."""
        kept = [d for d in range(len(shape)) if d not in dims]
        out, name = tensor(shape, rows.dtype), self.fresh()
        self.emit(f"{name} = stablehlo.broadcast_in_dim {rows.name}, dims = {kept} : ({rows.type}) -> {out}")
        return name

    def row_input(self, dtype: str):
        """Something bounded with rows of an interesting length, and which dims are a row."""
        length, rank = self.rng.choice(LENGTHS), self.rng.choice((1, 2, 2, 2, 3, 4))
        shape = [self.rng.choice((1, 2, 3, 5, 33)) for _ in range(rank - 1)] + [length]
        while prod(shape) > MOST:
            shape[self.rng.randrange(rank - 1)] = 1
        dims = [rank - 1]
        how = self.rng.random()
        if how < 0.15:
            self.rng.shuffle(shape)
            dims = [shape.index(length)]
        elif how < 0.3:
            dims = sorted(self.rng.sample(range(rank), self.rng.randint(1, rank)))
        return self.of(shape, dtype, exact=True, bounded=True), dims

    def rows(self) -> None:
        """Softmax of rows, in a small type through f32 as frameworks do; the sums sometimes leave, too."""
        narrow = self.rng.choice(("f32", "f32", "f64", "f16", "bf16"))
        dtype = "f32" if narrow in ("f16", "bf16") else narrow
        a, dims = self.row_input(narrow)
        if a.bound > 50:
            return
        if narrow != dtype:
            a = self.define(f"stablehlo.convert {a.name} : ({a.type}) -> {tensor(a.shape, dtype)}", a.shape, dtype, a)
        top = self.over(a, "maximum", "0xFFF0000000000000" if dtype == "f64" else "0xFF800000", dims)
        d, e = self.fresh(), self.fresh()
        self.emit(f"{d} = stablehlo.subtract {a.name}, {self.back(top, a.shape, dims)} : {a.type}".replace("\n", ""))
        self.emit(f"{e} = stablehlo.exponential {d} : {a.type}")
        total = self.over(Value(e, a.shape, dtype), "add", "0.0", dims)
        count = prod(a.shape[i] for i in dims)
        relative = (2 * ULPS + summed(count)) * EPSILON[dtype]
        if self.rng.random() < 0.3:
            self.scope.append(Value(total.name, total.shape, dtype, bound=float(count), error=relative * count))
        repeated = self.back(total, a.shape, dims)
        made = self.define(
            f"stablehlo.divide {e}, {repeated} : {a.type}", a.shape, dtype, bound=1.0, relative=2 * relative, error=SMALLEST[dtype]
        )  # fmt: skip
        if narrow != dtype:
            out = tensor(a.shape, narrow)
            facts = {"bound": 1.0, "error": 2 * EPSILON[narrow], "relative": 0.0}
            self.define(f"stablehlo.convert {made.name} : ({made.type}) -> {out}", a.shape, narrow, **facts)

    def moments(self) -> None:
        """Mean, variance and normalized rows; scale and shift by row or column."""
        dtype = self.rng.choice(("f32", "f32", "f64"))
        a, dims = self.row_input(dtype)
        count = prod(a.shape[i] for i in dims)
        if a.bound > 50 or count == 0:
            return
        size, b = self.fresh(), a.bound
        total = self.over(a, "add", "0.0", dims)
        self.emit(f"{size} = stablehlo.constant dense<{float(count)}> : {total.type}")
        mean = self.fresh()
        self.emit(f"{mean} = stablehlo.divide {total.name}, {size} : {total.type}")
        eps = EPSILON[dtype]
        mean_error = (summed(count) + 2) * eps * b
        self.scope.append(Value(mean, total.shape, dtype, bound=b, error=mean_error))
        repeated = self.back(Value(mean, total.shape, dtype), a.shape, dims)
        d, s = self.fresh(), self.fresh()
        self.emit(f"{d} = stablehlo.subtract {a.name}, {repeated} : {a.type}")
        self.emit(f"{s} = stablehlo.multiply {d}, {d} : {a.type}")
        squares = self.over(Value(s, a.shape, dtype), "add", "0.0", dims)
        variance = self.fresh()
        self.emit(f"{variance} = stablehlo.divide {squares.name}, {size} : {squares.type}")
        error = 8 * b * mean_error + (summed(count) + 4) * eps * 4 * b * b
        self.scope.append(Value(variance, total.shape, dtype, bound=4 * b * b, error=error))
        one, shifted, root = self.fresh(), self.fresh(), self.fresh()
        self.emit(f"{one} = stablehlo.constant dense<1.0> : {total.type}")
        self.emit(f"{shifted} = stablehlo.add {variance}, {one} : {total.type}")
        self.emit(f"{root} = stablehlo.rsqrt {shifted} : {total.type}")
        wide = self.back(Value(root, total.shape, dtype), a.shape, dims)
        error = 2 * b * (error + ULPS * eps) + 2 * mean_error + 8 * b * eps
        self.define(f"stablehlo.multiply {d}, {wide} : {a.type}", a.shape, dtype, bound=2 * b, error=error)

    def product(self) -> None:
        """A product of matrices with sizes around tiles, factors in any order of dims, and what follows it."""
        dtype, result = self.rng.choice(
            (("f32", "f32"), ("f32", "f32"), ("f64", "f64"), ("f16", "f32"), ("f16", "f16"), ("bf16", "f32"), ("bf16", "bf16"),
             ("i8", "i32"), ("i32", "i32"))
        )  # fmt: skip
        m, n, k = (self.rng.choice(PRODUCT) for _ in range(3))
        batch = [self.rng.choice((1, 2, 3))] if self.rng.random() < 0.3 else []
        nb = len(batch)
        if prod(batch) * max(m * n, m * k, k * n) > 2 * MOST:
            batch, nb = [], 0
        flips = [self.rng.random() < 0.4 for _ in range(2)]
        left, right = [*batch, k, m] if flips[0] else [*batch, m, k], [*batch, n, k] if flips[1] else [*batch, k, n]
        a = self.argument(left, dtype, True) if self.rng.random() < 0.5 else self.of(left, dtype, True, dtype in FLOATS)
        b = self.of(right, dtype, True, dtype in FLOATS)
        shape = [*batch, m, n]
        facts = {}
        wide = "f64" if dtype == "f64" else "f32"
        if dtype in FLOATS:
            bound = k * a.bound * b.bound
            facts = {"bound": bound, "error": 2 * summed(k) * EPSILON[wide] * bound}
            if result in ("f16", "bf16"):
                facts["error"] += 2 * EPSILON[result] * bound
            if bound > LARGEST[result] / 1e3:
                return
        ranges = [list(range(nb))] * 2, [nb if flips[0] else nb + 1], [nb + 1 if flips[1] else nb]
        value = self.define(
            f"stablehlo.dot_general {a.name}, {b.name}, batching_dims = {ranges[0][0]} x {ranges[0][1]}, contracting_dims = "
            f"{ranges[1]} x {ranges[2]} : ({a.type}, {b.type}) -> {tensor(shape, result)}",
            shape,
            result,
            **facts,
        )
        for _ in range(self.rng.choice((0, 1, 1, 2, 3))):
            value = self.epilogue(value)

    def epilogue(self, v):
        """One op on a product: a bias along rows or columns, a residual, an activation, a cast."""
        how = self.rng.choice(("row", "column", "residual", "relu", "cast", "tanh"))
        if how in ("row", "column", "residual"):
            dim = len(v.shape) - (1 if how == "row" else 2)
            if how == "residual":
                other = self.of(v.shape, v.dtype, exact=True, bounded=not v.integer)
            else:
                bias = self.of([v.shape[dim]], v.dtype, exact=True, bounded=not v.integer)
                name, out = self.fresh(), tensor(v.shape, v.dtype)
                self.emit(f"{name} = stablehlo.broadcast_in_dim {bias.name}, dims = [{dim}] : ({bias.type}) -> {out}")
                other = Value(name, v.shape, v.dtype, bias.bound)
            op = "add" if v.integer else self.rng.choice(("add", "multiply"))
            scale = other.bound if op == "multiply" else 1.0
            bound = v.bound * other.bound if op == "multiply" else v.bound + other.bound
            facts = {} if v.integer else {"bound": bound, "error": v.error * scale + 2 * EPSILON[v.dtype] * bound}
            if not v.integer and bound > LARGEST[v.dtype] / 1e3:
                return v
            return self.define(f"stablehlo.{op} {v.name}, {other.name} : {v.type}", v.shape, v.dtype, v, **facts)
        if how == "relu":
            zero = self.define(
                f"stablehlo.constant dense<{'0' if v.integer else '0.0'}> : {v.type}", v.shape, v.dtype, bound=0.0
            )
            return self.define(f"stablehlo.maximum {v.name}, {zero.name} : {v.type}", v.shape, v.dtype, v)
        if how == "tanh" and not v.integer:
            error = v.error + ULPS * EPSILON[v.dtype]
            return self.define(f"stablehlo.tanh {v.name} : {v.type}", v.shape, v.dtype, bound=1.0, error=error)
        if v.integer:
            return v
        dtype = self.rng.choice(("f32", "f16", "bf16"))
        if v.bound > LARGEST[dtype] / 1e3:
            return v
        facts = {"bound": v.bound, "error": v.error + 2 * max(EPSILON[dtype], EPSILON[v.dtype]) * v.bound}
        return self.define(
            f"stablehlo.convert {v.name} : ({v.type}) -> {tensor(v.shape, dtype)}", v.shape, dtype, **facts
        )

    def permuted(self) -> None:
        """A permutation of three or four odd dims, beside values that lie the other way."""
        rank = self.rng.choice((2, 3, 3, 4, 5))
        shape = [self.rng.choice((1, 2, 3, 5, 7, 16, 17, 31, 33, 40, 65)) for _ in range(rank)]
        while prod(shape) > MOST:
            shape[self.rng.randrange(rank)] = self.rng.choice((1, 2, 3))
        a = self.of(shape, self.dtype())
        order = self.rng.sample(range(rank), rank)
        out = [shape[d] for d in order]
        t = self.define(
            f"stablehlo.transpose {a.name}, dims = {order} : ({a.type}) -> {tensor(out, a.dtype)}", out, a.dtype, a
        )
        if self.rng.random() < 0.5:
            b = self.of(out, a.dtype)
            p = self.of(out, "i1")
            self.define(
                f"stablehlo.select {p.name}, {t.name}, {b.name} : {p.type}, {t.type}", out, a.dtype, **self.join(t, b)
            )

    def several(self) -> None:
        """Reductions of one tensor of different kinds, to be one kernel with several results."""
        a = self.of(
            self.shape(self.rng.choice((1, 2, 2, 3))), self.rng.choice(("i32", "i8", "ui16", "f32", "f16", "i64", "i1"))
        )
        dims = sorted(self.rng.sample(range(len(a.shape)), self.rng.randint(1, len(a.shape))))
        kinds = ["and", "or", "xor"] if a.integer else []
        kinds += [] if a.dtype == "i1" else ["maximum", "minimum"]
        kinds += ["add", "multiply"] if a.integer and a.dtype != "i1" else []
        for op in self.rng.sample(kinds, min(len(kinds), self.rng.randint(1, 3))):
            if a.dtype == "i1" and op == "xor":
                continue
            if not a.exact:
                continue
            init = self.constant((), a.dtype)
            shape = [n for d, n in enumerate(a.shape) if d not in dims]
            self.define(
                f"stablehlo.reduce({a.name} init: {init.name}) applies stablehlo.{op} across dimensions = {dims} : "
                f"({a.type}, {init.type}) -> {tensor(shape, a.dtype)}",
                shape,
                a.dtype,
                **self.join(a, init),
            )


def generate(seed: int, size: int | None = None):
    """The program of a seed."""
    rng = random.Random(seed + 10**6)
    made = Generator(rng, np.random.default_rng(seed), limit=MOST)
    for _ in range(rng.choice((1, 1, 2, 3, 5, 8, 12)) if size is None else size):
        made.step()
    if not made.scope:
        made.argument((), "f32")
    return finished(made, rng, 3)


def finished(made: Generator, rng: random.Random, others: int):
    """The program with the last value as a result, and at most so many others."""
    inner = [v for v in made.scope if not v.name.startswith("%a")] or made.scope
    results = [*rng.sample(inner, min(len(inner), rng.randint(0, others))), inner[-1]]
    header = ", ".join(f"{a.name}: {a.type}" for a in made.arguments)
    return Program(header, made.lines, made.inputs, results, inner)


def patterns(seed: int):
    """A program of one or two patterns, to be scheduled in other ways."""
    rng = random.Random(seed)
    made = Generator(rng, np.random.default_rng(seed), limit=MOST)
    choices = [made.rows, made.moments, made.product, made.permuted, made.several, made.reduce, made.binary, made.pad]
    while not any(not v.name.startswith("%a") for v in made.scope):
        for _ in range(rng.choice((1, 1, 2))):
            rng.choices(choices, [3, 3, 6, 3, 2, 2, 1, 1])[0]()
    return finished(made, rng, 1)
