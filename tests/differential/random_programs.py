"""Random well-typed step-1 programs from a seed, with a bound on how far two right results may be apart.

Every value carries `bound` (its magnitude; infinite when special values may be in it), `error` (absolute) and `relative`:
what reassociated sums and transcendental functions may add, propagated through the ops above it. Both 0 means that only
exactly rounded ops made it, and it must then match bit for value. Ops that would tear small differences apart (comparisons,
rounding, conversions to integers, sorting) are only given exact values, so a difference is a bug and never bad luck.

As a program: random_programs.py SEED [--level L] [-O N] prints the program, and the first value that differs when each value
in turn is made the only result.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf, prod

import ml_dtypes
import numpy as np

DTYPES = {
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f16": np.dtype(np.float16),
    "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64),
    "i8": np.dtype(np.int8),
    "ui8": np.dtype(np.uint8),
    "ui32": np.dtype(np.uint32),
    "i1": np.dtype(np.bool_),
}
EPSILON = {"f32": 2.0**-23, "f64": 2.0**-52, "bf16": 2.0**-7, "f16": 2.0**-10}
SMALLEST = {"f32": 2.0**-149, "f64": 2.0**-1074, "bf16": 2.0**-133, "f16": 2.0**-24}
LARGEST = {"f32": 3e38, "f64": 1e308, "bf16": 3e38, "f16": 6e4}
FLOATS = tuple(EPSILON)
WIDTH = {"i32": 32, "ui32": 32, "f32": 32, "i64": 64, "f64": 64, "i8": 8, "ui8": 8, "bf16": 16, "f16": 16}
EXTENTS = (0, 1, 1, 2, 3, 4, 5, 7, 8, 9, 13, 15, 16, 17, 31, 33)
LARGE = (33, 64, 65, 96, 100, 127, 130, 256, 259)
MAX_ELEMENTS = 3000
MAX_LARGE = 120_000
ULPS = 8  # twice the largest bound in docs/floating-point.md, for two implementations


@dataclass(frozen=True)
class Value:
    """An SSA value and what is known of it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    bound: float = inf
    error: float = 0.0
    relative: float = 0.0

    @property
    def type(self) -> str:
        return tensor(self.shape, self.dtype)

    @property
    def exact(self) -> bool:
        return self.error == 0 and self.relative == 0

    @property
    def integer(self) -> bool:
        return self.dtype not in FLOATS


def tensor(shape: Sequence[int], dtype: str) -> str:
    return f"tensor<{''.join(f'{n}x' for n in shape)}{dtype}>"


def summed(count: int) -> float:
    """By how many roundings of the sum of the magnitudes two orders of summing may differ."""
    return min(count + 2, 8 + 4 * math.sqrt(count))


@dataclass
class Program:
    """Text, inputs and the values that are returned."""

    header: str
    lines: list[str]
    inputs: list[np.ndarray]
    results: list[Value]
    top: list[Value]

    def text(self, results: Sequence[Value] | None = None) -> str:
        chosen = self.results if results is None else results
        types = ", ".join(v.type for v in chosen)
        names = ", ".join(v.name for v in chosen)
        body = "\n".join(f"    {line}" for line in self.lines)
        return f"module {{\n  func.func @main({self.header}) -> ({types}) {{\n{body}\n    return {names} : {types}\n  }}\n}}\n"


@dataclass
class Generator:
    """Grows a program op by op; `scope` holds the values in sight."""

    rng: random.Random
    numbers: np.random.Generator
    scope: list[Value] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    arguments: list[Value] = field(default_factory=list)
    inputs: list[np.ndarray] = field(default_factory=list)
    count: int = 0
    depth: int = 0
    limit: int = MAX_ELEMENTS
    """Elements of the largest value: some programs are large enough for several tasks and for tiles."""

    # Making values.

    def fresh(self) -> str:
        self.count += 1
        return f"%v{self.count}"

    def emit(self, line: str) -> None:
        self.lines.append("  " * self.depth + line)

    def define(self, text: str, shape: Sequence[int], dtype: str, like: Value | None = None, **facts: float) -> Value:
        """`%new = text`; its facts are `like`'s, then `facts`."""
        known = {} if like is None else {"bound": like.bound, "error": like.error, "relative": like.relative}
        value = Value(self.fresh(), tuple(shape), dtype, **{**known, **facts})
        self.emit(f"{value.name} = {text}")
        self.scope.append(value)
        return value

    def shape(self, rank: int | None = None) -> tuple[int, ...]:
        rank = self.rng.choice((0, 1, 1, 2, 2, 2, 3, 4)) if rank is None else rank
        shape = self.extents(rank)
        while prod(shape) > self.limit:
            shape[self.rng.randrange(rank)] = self.rng.choice((1, 2, 3))
        return tuple(shape)

    def extents(self, count: int) -> list[int]:
        large = self.limit > MAX_ELEMENTS
        return [self.rng.choice(LARGE if large and self.rng.random() < 0.6 else EXTENTS) for _ in range(count)]

    def dtype(self) -> str:
        return self.rng.choice(("f32",) * 5 + ("f64", "bf16", "f16", "i32", "i32", "i64", "i8", "ui8", "ui32", "i1"))

    def argument(self, shape: Sequence[int], dtype: str, tame: bool | None = None) -> Value:
        tame = self.rng.random() < 0.6 if tame is None else tame
        if self.depth and self.rng.random() < 0.5:
            return self.constant(shape, dtype)
        value = Value(f"%a{len(self.arguments)}", tuple(shape), dtype, bound=2.0 if tame and dtype in FLOATS else inf)
        self.arguments.append(value)
        self.inputs.append(self.array(shape, dtype, tame))
        self.scope.insert(0, value)
        return value

    def array(self, shape: Sequence[int], dtype: str, tame: bool) -> np.ndarray:
        kind = DTYPES[dtype]
        if dtype == "i1":
            return self.numbers.integers(0, 2, shape).astype(kind)
        if dtype not in FLOATS:
            info = np.iinfo(kind)
            values = self.numbers.integers(info.min, info.max, shape, dtype=kind, endpoint=True)
            small = self.numbers.integers(0 if info.min == 0 else -4, 9, shape).astype(kind)
            return np.where(self.numbers.random(shape) < 0.7, small, values).astype(kind)
        values = self.numbers.uniform(-2, 2, shape)
        if not tame:
            tiny = SMALLEST[dtype]
            special = [
                math.nan,
                inf,
                -inf,
                0.0,
                -0.0,
                tiny,
                -3 * tiny,
                LARGEST[dtype],
                -LARGEST[dtype],
                1.0,
                0.5,
                2.5,
                -1.5,
            ]
            picks = self.numbers.choice(np.array(special), shape)
            values = np.where(
                self.numbers.random(shape) < 0.3, picks, values * 10.0 ** self.numbers.integers(-3, 4, shape)
            )
        with np.errstate(over="ignore"):
            return values.astype(kind)

    def constant(self, shape: Sequence[int], dtype: str) -> Value:
        if dtype == "i1":
            text = self.rng.choice(("true", "false"))
        elif dtype in FLOATS:
            text = self.rng.choice(("0.0", "-0.0", "1.0", "-1.5", "0.25", "2.0"))
        else:
            text = self.rng.choice(("0", "1", "3", "7"))
        bound = 2.0 if dtype in FLOATS else inf
        return self.define(f"stablehlo.constant dense<{text}> : {tensor(shape, dtype)}", shape, dtype, bound=bound)

    def pick(self, want: Callable[[Value], bool]) -> Value | None:
        """A value in sight, the recent ones more often."""
        found = [v for v in self.scope if want(v)]
        if not found:
            return None
        return found[-1 - min(int(self.rng.expovariate(0.5)), len(found) - 1)]

    def of(self, shape: Sequence[int], dtype: str, exact: bool = False, bounded: bool = False) -> Value:
        """A value of a type: one in sight, an argument, a constant, a broadcast scalar or an iota."""
        shape = tuple(shape)

        def fits(v: Value) -> bool:
            return v.shape == shape and v.dtype == dtype and (v.exact or not exact) and (v.bound < inf or not bounded)

        found = self.pick(fits) if self.rng.random() < 0.75 else None
        if found is not None:
            return found
        how = self.rng.random()
        if how < 0.15 or (self.depth and how < 0.5):
            return self.constant(shape, dtype)
        if how < 0.25 and shape:
            scalar = self.of((), dtype, exact, bounded)
            return self.define(
                f"stablehlo.broadcast_in_dim %s, dims = [] : ({scalar.type}) -> {tensor(shape, dtype)}".replace(
                    "%s", scalar.name
                ),
                shape,
                dtype,
                scalar,
            )
        if how < 0.3 and shape and dtype != "i1" and not (bounded and dtype in FLOATS):
            return self.define(
                f"stablehlo.iota dim = {self.rng.randrange(len(shape))} : {tensor(shape, dtype)}", shape, dtype
            )
        return self.argument(shape, dtype, True if bounded else None)

    def any(self, want: Callable[[Value], bool] = lambda v: True, exact: bool = False) -> Value:
        found = self.pick(lambda v: want(v) and (v.exact or not exact)) if self.rng.random() < 0.85 else None
        for _ in range(200):
            if found is not None:
                return found
            shape, dtype = self.shape(), self.dtype()
            if want(Value("", shape, dtype)):
                found = self.of(shape, dtype, exact)
        raise AssertionError("no value fits")

    def smooth(self, v: Value) -> Value:
        """`v` if its error is absolute, or can be made so; else an exact value of its type."""
        if v.relative == 0:
            return v
        if v.bound < inf:
            return replace(v, error=v.error + v.relative * v.bound, relative=0.0)
        return self.of(v.shape, v.dtype, exact=True)

    def some_float(self) -> Callable[[Value], bool]:
        return lambda v: not v.integer

    # Ops.

    def step(self) -> None:
        ops: list[tuple[int, Callable[[], object]]] = [
            (8, self.binary),
            (5, self.unary),
            (3, self.transcendental),
            (4, self.integer_op),
            (2, self.boolean_op),
            (3, self.compare),
            (3, self.select),
            (1, self.clamp),
            (3, self.convert),
            (1, self.bitcast),
            (3, self.broadcast),
            (3, self.transpose),
            (3, self.reshape),
            (3, self.slice),
            (1, self.reverse),
            (2, self.concatenate),
            (2, self.pad),
            (2, self.dynamic_slice),
            (3, self.dynamic_update_slice),
            (2, self.gather),
            (2, self.scatter),
            (5, self.reduce),
            (1, self.argmax),
            (1, self.reduce_window),
            (4, self.dot_general),
            (1, self.convolution),
            (1, self.sort),
        ]
        if self.depth < 2:
            ops += [(1, self.loop), (1, self.branch)]
        weights = [weight for weight, _ in ops]
        self.rng.choices([op for _, op in ops], weights)[0]()

    def rounding(self, v: Value, bound: float) -> float:
        return EPSILON.get(v.dtype, 0.0) * bound

    def binary(self) -> None:
        a = self.smooth(self.any(lambda v: v.dtype != "i1"))
        b = self.smooth(self.of(a.shape, a.dtype))
        op = self.rng.choice(("add", "subtract", "multiply", "multiply", "maximum", "minimum", "divide", "remainder"))
        if a.integer:
            self.define(f"stablehlo.{op} {a.name}, {b.name} : {a.type}", a.shape, a.dtype)
            return
        if op in ("divide", "remainder") and not (a.exact and b.exact):
            op = "add"
        bound, error = a.bound + b.bound, a.error + b.error
        if op == "multiply":
            bound = a.bound * b.bound if a.bound < inf and b.bound < inf else inf
            error = 0.0 if a.exact and b.exact else a.error * b.bound + b.error * a.bound + a.error * b.error
        elif op in ("maximum", "minimum"):
            bound, error = max(a.bound, b.bound), max(a.error, b.error)
        elif op == "divide":
            bound = inf
        elif op == "remainder":
            bound = a.bound if self.bounded_away(b) else inf
        if error != error or (error > 0 and bound == inf):
            a, b = self.of(a.shape, a.dtype, exact=True), self.of(a.shape, a.dtype, exact=True)
            bound, error = inf, 0.0
        if error > 0:
            error += self.rounding(a, bound)
        if bound > LARGEST[a.dtype] / 1e3:
            bound = inf
            if error > 0:
                return
        self.define(f"stablehlo.{op} {a.name}, {b.name} : {a.type}", a.shape, a.dtype, bound=bound, error=error)

    @staticmethod
    def bounded_away(v: Value) -> bool:
        return False

    def unary(self) -> None:
        op = self.rng.choice(
            ("abs", "negate", "sqrt", "floor", "ceil", "round_nearest_even", "round_nearest_afz", "sign")
        )
        lipschitz = op in ("abs", "negate")
        a = self.any(
            lambda v: (
                v.dtype != "i1"
                and not v.dtype.startswith("ui")
                and (lipschitz or v.exact)
                and (op in ("abs", "negate", "sign") or not v.integer)
            )
        )
        bound = {"sqrt": inf, "sign": 1.0}.get(op, a.bound if lipschitz else a.bound + 1)
        if a.integer or (op == "sign" and a.bound == inf):
            bound = inf
        self.define(f"stablehlo.{op} {a.name} : {a.type}", a.shape, a.dtype, a, bound=bound)

    def transcendental(self) -> None:
        op = self.rng.choice(
            ("exponential", "exponential_minus_one", "log", "log_plus_one", "tanh", "logistic", "sine", "cosine", "rsqrt", "cbrt",
             "tan", "atan2", "power", "erf", "sinh", "asin")
        )  # fmt: skip
        a = self.any(self.some_float(), exact=True)
        eps = ULPS * EPSILON[a.dtype]
        bound = 1.5 if op in ("tanh", "logistic", "sine", "cosine", "erf") and a.bound < inf else inf
        facts = {"bound": bound, "error": ULPS * SMALLEST[a.dtype], "relative": eps}
        if op in ("sine", "cosine", "tan") and a.bound == inf:
            return
        if op in ("atan2", "power"):
            b = self.of(a.shape, a.dtype, exact=True)
            self.define(f"stablehlo.{op} {a.name}, {b.name} : {a.type}", a.shape, a.dtype, **facts)
        elif op in ("erf", "sinh", "asin"):
            self.define(f"chlo.{op} {a.name} : {a.type} -> {a.type}", a.shape, a.dtype, **facts)
        else:
            self.define(f"stablehlo.{op} {a.name} : {a.type}", a.shape, a.dtype, **facts)

    def integer_op(self) -> None:
        a = self.any(lambda v: v.integer and v.dtype != "i1")
        op = self.rng.choice(
            (
                "and",
                "or",
                "xor",
                "shift_left",
                "shift_right_logical",
                "shift_right_arithmetic",
                "not",
                "popcnt",
                "count_leading_zeros",
            )
        )
        if op in ("not", "popcnt", "count_leading_zeros"):
            self.define(f"stablehlo.{op} {a.name} : {a.type}", a.shape, a.dtype)
            return
        b = self.of(a.shape, a.dtype)
        self.define(f"stablehlo.{op} {a.name}, {b.name} : {a.type}", a.shape, a.dtype)

    def boolean_op(self) -> None:
        a = self.any(lambda v: v.dtype == "i1")
        op = self.rng.choice(("and", "or", "xor", "not", "add", "multiply", "maximum", "minimum"))
        names = a.name if op == "not" else f"{a.name}, {self.of(a.shape, 'i1').name}"
        self.define(f"stablehlo.{op} {names} : {a.type}", a.shape, "i1")

    def compare(self) -> None:
        a = self.any(exact=True)
        b = self.of(a.shape, a.dtype, exact=True)
        direction = self.rng.choice(("EQ", "NE", "LT", "LE", "GT", "GE"))
        kind = "UNSIGNED" if a.dtype.startswith("ui") or a.dtype == "i1" else "SIGNED" if a.integer else "FLOAT"
        if kind == "FLOAT" and self.rng.random() < 0.15:
            kind = "TOTALORDER" if a.bound < inf else kind
        out = tensor(a.shape, "i1")
        self.define(
            f"stablehlo.compare {direction}, {a.name}, {b.name}, {kind} : ({a.type}, {b.type}) -> {out}", a.shape, "i1"
        )

    def join(self, *values: Value) -> dict[str, float]:
        """The facts of a value that takes each element from one of `values`."""
        return {
            "bound": max(v.bound for v in values),
            "error": max(v.error for v in values),
            "relative": max(v.relative for v in values),
        }

    def select(self) -> None:
        a = self.any()
        b = self.of(a.shape, a.dtype)
        p = self.of(() if self.rng.random() < 0.2 else a.shape, "i1")
        self.define(
            f"stablehlo.select {p.name}, {a.name}, {b.name} : {p.type}, {a.type}", a.shape, a.dtype, **self.join(a, b)
        )

    def clamp(self) -> None:
        a = self.any(lambda v: v.dtype != "i1", exact=True)
        low, high = (self.of(() if self.rng.random() < 0.5 else a.shape, a.dtype, exact=True) for _ in range(2))
        text = f"stablehlo.clamp {low.name}, {a.name}, {high.name} : ({low.type}, {a.type}, {high.type}) -> {a.type}"
        self.define(text, a.shape, a.dtype, **self.join(a, low, high))

    def convert(self) -> None:
        dtype = self.dtype()
        a = self.any(exact=dtype not in FLOATS)
        facts = {"bound": inf, "error": 0.0, "relative": 0.0}
        if dtype in FLOATS and not a.integer:
            a = self.smooth(a)
            if not a.exact and (a.bound == inf or a.bound > LARGEST[dtype] / 1e3):
                a = self.of(a.shape, a.dtype, exact=True)
            facts = {"bound": a.bound if a.bound < LARGEST[dtype] / 1e3 else inf, "error": a.error}
            if not a.exact:
                facts["error"] = a.error + EPSILON[dtype] * a.bound
        self.define(f"stablehlo.convert {a.name} : ({a.type}) -> {tensor(a.shape, dtype)}", a.shape, dtype, **facts)

    def bitcast(self) -> None:
        a = self.any(lambda v: v.dtype in WIDTH and v.exact and (v.integer or v.bound < inf))
        dtype = self.rng.choice([d for d in WIDTH if WIDTH[d] == WIDTH[a.dtype]])
        self.define(f"stablehlo.bitcast_convert {a.name} : ({a.type}) -> {tensor(a.shape, dtype)}", a.shape, dtype)

    def broadcast(self) -> None:
        a = self.any(lambda v: len(v.shape) < 4)
        rank = min(4, len(a.shape) + self.rng.choice((0, 1, 1, 2)))
        dims = sorted(self.rng.sample(range(rank), len(a.shape)))
        if self.rng.random() < 0.2:
            self.rng.shuffle(dims)
        shape = [self.rng.choice((1, 2, 3, 7, 8, 17)) for _ in range(rank)]
        for extent, dim in zip(a.shape, dims, strict=True):
            shape[dim] = self.rng.choice((1, 5, 16)) if extent == 1 else extent
        if prod(shape) <= self.limit:
            out = tensor(shape, a.dtype)
            self.define(f"stablehlo.broadcast_in_dim {a.name}, dims = {dims} : ({a.type}) -> {out}", shape, a.dtype, a)

    def transpose(self) -> None:
        a = self.any(lambda v: len(v.shape) > 1)
        order = self.rng.sample(range(len(a.shape)), len(a.shape))
        shape = [a.shape[i] for i in order]
        self.define(
            f"stablehlo.transpose {a.name}, dims = {order} : ({a.type}) -> {tensor(shape, a.dtype)}", shape, a.dtype, a
        )

    def reshape(self) -> None:
        a = self.any()
        shape, rest = [], prod(a.shape)
        for _ in range(self.rng.randrange(4)):
            divisors = [d for d in range(1, min(rest, 64) + 1) if rest % d == 0] or [self.rng.choice((0, 3))]
            shape.append(self.rng.choice(divisors))
            rest = rest // shape[-1] if shape[-1] else 0
        if rest != 1 or self.rng.random() < 0.3:
            shape.append(rest)
        self.rng.shuffle(shape)
        if prod(shape) == prod(a.shape):
            self.define(f"stablehlo.reshape {a.name} : ({a.type}) -> {tensor(shape, a.dtype)}", shape, a.dtype, a)

    def slice(self) -> None:
        a = self.any(lambda v: len(v.shape) > 0)
        parts, shape = [], []
        for extent in a.shape:
            start = self.rng.randrange(extent + 1) if self.rng.random() < 0.5 else 0
            limit = self.rng.randint(start, extent) if self.rng.random() < 0.5 else extent
            stride = self.rng.choice((1, 1, 1, 2, 3))
            parts.append(f"{start}:{limit}:{stride}")
            shape.append(-((start - limit) // stride))
        self.define(
            f"stablehlo.slice {a.name} [{', '.join(parts)}] : ({a.type}) -> {tensor(shape, a.dtype)}", shape, a.dtype, a
        )

    def reverse(self) -> None:
        a = self.any(lambda v: len(v.shape) > 0)
        dims = sorted(self.rng.sample(range(len(a.shape)), self.rng.randint(1, len(a.shape))))
        self.define(f"stablehlo.reverse {a.name}, dims = {dims} : {a.type}", a.shape, a.dtype, a)

    def concatenate(self) -> None:
        a = self.any(lambda v: len(v.shape) > 0)
        dim = self.rng.randrange(len(a.shape))
        parts = [a]
        for _ in range(self.rng.randint(0, 3)):
            shape = list(a.shape)
            shape[dim] = self.rng.choice((0, 1, 3, a.shape[dim]))
            parts.append(self.of(shape, a.dtype))
        shape = list(a.shape)
        shape[dim] = sum(p.shape[dim] for p in parts)
        names, types = ", ".join(p.name for p in parts), ", ".join(p.type for p in parts)
        text = f"stablehlo.concatenate {names}, dim = {dim} : ({types}) -> {tensor(shape, a.dtype)}"
        self.define(text, shape, a.dtype, **self.join(*parts))

    def pad(self) -> None:
        a = self.any()
        value = self.of((), a.dtype)
        low, high, interior, shape = [], [], [], []
        for extent in a.shape:
            low.append(self.rng.choice((0, 0, 1, 3, -1)))
            high.append(self.rng.choice((0, 0, 1, 2, -1)))
            interior.append(self.rng.choice((0, 0, 0, 1, 2)))
            shape.append(low[-1] + high[-1] + extent + max(extent - 1, 0) * interior[-1])
        if prod(shape) > self.limit or any(n < 0 for n in shape):
            return
        text = f"stablehlo.pad {a.name}, {value.name}, low = {low}, high = {high}, interior = {interior}"
        out = tensor(shape, a.dtype)
        self.define(f"{text} : ({a.type}, {value.type}) -> {out}", shape, a.dtype, **self.join(a, value))

    def indices(self, count: int) -> list[Value]:
        dtype = self.rng.choice(("i32", "i64", "ui32", "i8"))
        return [self.of((), dtype) for _ in range(count)]

    def dynamic_slice(self) -> None:
        a = self.any(lambda v: len(v.shape) > 0)
        sizes = [self.rng.randint(0 if self.rng.random() < 0.1 else min(1, extent), extent) for extent in a.shape]
        at = self.indices(len(a.shape))
        names, types = "".join(f", {i.name}" for i in at), "".join(f", {i.type}" for i in at)
        text = (
            f"stablehlo.dynamic_slice {a.name}{names}, sizes = {sizes} : ({a.type}{types}) -> {tensor(sizes, a.dtype)}"
        )
        self.define(text, sizes, a.dtype, a)

    def dynamic_update_slice(self) -> None:
        a = self.any(lambda v: len(v.shape) > 0)
        update = self.of([self.rng.randint(min(1, extent), extent) for extent in a.shape], a.dtype)
        at = self.indices(len(a.shape))
        names, types = "".join(f", {i.name}" for i in at), "".join(f", {i.type}" for i in at)
        text = f"stablehlo.dynamic_update_slice {a.name}, {update.name}{names} : ({a.type}, {update.type}{types}) -> {a.type}"
        self.define(text, a.shape, a.dtype, **self.join(a, update))

    def gather(self) -> None:
        """Slices of an operand at indices along some of its dims, out of range ones too."""
        a = self.any(lambda v: 0 < len(v.shape) < 4 and 0 not in v.shape)
        rank = len(a.shape)
        mapped = self.rng.sample(range(rank), self.rng.randint(1, rank))
        sizes = [1 if self.rng.random() < 0.5 else self.rng.randint(1, extent) for extent in a.shape]
        collapsed = sorted(d for d in range(rank) if sizes[d] == 1 and self.rng.random() < 0.7)
        batch = list(self.shape(self.rng.choice((0, 1, 1, 2))))
        indices = self.of([*batch, len(mapped)], self.rng.choice(("i32", "i64", "ui32")))
        window = [sizes[d] for d in range(rank) if d not in collapsed]
        offset = sorted(self.rng.sample(range(len(batch) + len(window)), len(window)))
        shape, w, b = [], iter(window), iter(batch)
        for position in range(len(batch) + len(window)):
            shape.append(next(w) if position in offset else next(b))
        if prod(shape) > MAX_ELEMENTS:
            return
        numbers = (
            f"#stablehlo.gather<offset_dims = {offset}, collapsed_slice_dims = {collapsed}, start_index_map = {mapped}, "
            f"index_vector_dim = {len(batch)}>"
        )
        slices = ", ".join(map(str, sizes))
        text = (
            f'"stablehlo.gather"({a.name}, {indices.name}) <{{dimension_numbers = {numbers}, slice_sizes = array<i64: {slices}>}}> '
            f": ({a.type}, {indices.type}) -> {tensor(shape, a.dtype)}"
        )
        self.define(text, shape, a.dtype, a)

    def scatter(self) -> None:
        """Updates at indices, some out of range, some equal; the regions are exact in any order or given exact integers."""
        a = self.any(lambda v: 0 < len(v.shape) < 4 and prod(v.shape) <= MAX_ELEMENTS, exact=True)
        rank = len(a.shape)
        mapped = self.rng.sample(range(rank), self.rng.randint(1, rank))
        inserted = sorted(d for d in range(rank) if self.rng.random() < 0.6)
        window = [self.rng.randint(min(1, a.shape[d]), a.shape[d]) for d in range(rank) if d not in inserted]
        batch = list(self.shape(self.rng.choice((0, 1, 1, 2))))
        indices = self.of([*batch, len(mapped)], self.rng.choice(("i32", "i64")))
        places = sorted(self.rng.sample(range(len(batch) + len(window)), len(window)))
        shape, w, b = [], iter(window), iter(batch)
        for position in range(len(batch) + len(window)):
            shape.append(next(w) if position in places else next(b))
        if prod(shape) > MAX_ELEMENTS or (0 in a.shape and inserted and 0 in [a.shape[d] for d in inserted]):
            return
        updates = self.of(shape, a.dtype, exact=True)
        # Which of several values is set last is only agreed on when windows come last: then updates are in index order.
        ordered = places == list(range(len(batch), len(shape)))
        op = self.rng.choice(
            ("set" if ordered else "minimum", "maximum", "add" if a.integer and a.dtype != "i1" else "minimum")
        )
        scalar = tensor((), a.dtype)
        numbers = (
            f"#stablehlo.scatter<update_window_dims = {places}, inserted_window_dims = {inserted}, "
            f"scatter_dims_to_operand_dims = {mapped}, index_vector_dim = {len(batch)}>"
        )
        compute = f"%r = stablehlo.{op} %x, %y : {scalar}" if op != "set" else ""
        self.define(
            f'"stablehlo.scatter"({a.name}, {indices.name}, {updates.name}) <{{scatter_dimension_numbers = {numbers}}}> ({{\n'
            f"    ^bb0(%x: {scalar}, %y: {scalar}):\n      {compute}\n"
            f"      stablehlo.return {'%r' if compute else '%y'} : {scalar}\n"
            f"    }}) : ({a.type}, {indices.type}, {updates.type}) -> {a.type}",
            a.shape,
            a.dtype,
            **self.join(a, updates),
        )

    def reduced(self, a: Value) -> tuple[list[int], list[int]]:
        dims = sorted(self.rng.sample(range(len(a.shape)), self.rng.randint(1, len(a.shape)) if a.shape else 0))
        return dims, [n for d, n in enumerate(a.shape) if d not in dims]

    def reduce(self) -> None:
        if self.rng.random() < 0.5:
            a = self.any(lambda v: v.integer and v.dtype != "i1" and len(v.shape) > 0)
            op = self.rng.choice(("add", "multiply", "maximum", "minimum", "and", "or", "xor"))
        elif self.rng.random() < 0.3:
            a, op = self.any(lambda v: v.dtype == "i1" and len(v.shape) > 0), self.rng.choice(("and", "or"))
        else:
            a = self.any(lambda v: not v.integer and len(v.shape) > 0)
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
        a = self.any(lambda v: prod(v.shape) <= MAX_ELEMENTS and 0 < len(v.shape) < 4 and v.dtype != "i1")
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

    def dot_general(self) -> None:
        dtype = self.rng.choice(("f32", "f32", "f32", "f64", "bf16", "f16", "i32", "i8", "ui8"))
        batch, free_a, free_b, inner = (self.extents(n) for n in self.rng.choices((0, 1, 1, 2), k=4))
        if self.rng.random() < 0.6:
            batch = []
        if max(prod(batch + free_a + free_b), prod(batch + free_a + inner), prod(batch + free_b + inner)) > self.limit:
            return
        sides, numbers = [], {}
        for side, free in (("lhs", free_a), ("rhs", free_b)):
            labels = [
                *(("b", i) for i in range(len(batch))),
                *(("k", i) for i in range(len(inner))),
                *(("f", i) for i in range(len(free))),
            ]
            extents = {"b": batch, "k": inner, "f": free}
            order = self.rng.sample(labels, len(labels))
            free_order = [label for label in order if label[0] == "f"]
            shape = [extents[label[0]][free_order.index(label) if label[0] == "f" else label[1]] for label in order]
            numbers[side] = [[order.index((what, i)) for i in range(len(extents[what]))] for what in "bk"]
            sides.append(self.of(shape, dtype, bounded=dtype in FLOATS))
        a, b = (self.smooth(v) for v in sides)
        result = "i32" if a.integer else self.rng.choice((dtype, dtype, "f32")) if dtype in ("bf16", "f16") else dtype
        shape = batch + free_a + free_b
        facts: dict[str, float] = {}
        if not a.integer:
            bound = max(prod(inner), 1) * a.bound * b.bound
            error = prod(inner) * (a.error * b.bound + b.error * a.bound + a.error * b.error)
            facts = {
                "bound": bound,
                "error": error + 2 * summed(prod(inner)) * EPSILON["f32" if result != "f64" else "f64"] * bound,
            }
            if result in ("bf16", "f16"):
                facts["error"] += 2 * EPSILON[result] * bound
            if bound > LARGEST[result] / 1e3:
                return
        (lb, lk), (rb, rk) = numbers["lhs"], numbers["rhs"]
        self.define(
            f"stablehlo.dot_general {a.name}, {b.name}, batching_dims = {lb} x {rb}, contracting_dims = {lk} x {rk} : "
            f"({a.type}, {b.type}) -> {tensor(shape, result)}",
            shape,
            result,
            **facts,
        )

    def convolution(self) -> None:
        """One or two spatial dims, random layouts, padding, dilations and groups."""
        dtype = self.rng.choice(("f32", "f32", "f64", "bf16", "i32", "i8"))
        spatial, groups = self.rng.randint(1, 2), self.rng.choice((1, 1, 2))
        batch, features, outputs = self.rng.randint(1, 3), self.rng.randint(1, 4), self.rng.randint(1, 9)
        sizes = [self.rng.randint(1, 17) for _ in range(spatial)]
        window = [self.rng.randint(1, 3) for _ in range(spatial)]
        strides, base, dilations = ([self.rng.choice((1, 1, 2)) for _ in range(spatial)] for _ in range(3))
        padding = [[self.rng.randint(0, 2), self.rng.randint(0, 2)] for _ in range(spatial)]
        out = []
        for d in range(spatial):
            room = (sizes[d] - 1) * base[d] + 1 + sum(padding[d]) - ((window[d] - 1) * dilations[d] + 1)
            out.append(0 if room < 0 else room // strides[d] + 1)
        layouts, shapes = [], []
        for names, extents in (
            ("bf", [batch, features * groups, *sizes]),
            ("io", [features, outputs * groups, *window]),
            ("bf", [batch, outputs * groups, *out]),
        ):
            labels = [*names, *map(str, range(spatial))]
            order = self.rng.sample(range(spatial + 2), spatial + 2)
            layouts.append(f"[{', '.join(labels[i] for i in order)}]")
            shapes.append([extents[i] for i in order])
        a, b = (self.smooth(self.of(shape, dtype, bounded=dtype in FLOATS)) for shape in shapes[:2])
        result = "i32" if dtype == "i8" else dtype
        facts: dict[str, float] = {}
        if dtype in FLOATS:
            count = features * prod(window)
            bound = count * a.bound * b.bound
            facts = {"bound": bound, "error": count * (a.error * b.bound + b.error * a.bound + a.error * b.error)}
            facts["error"] += (
                2 * summed(count) * EPSILON["f64" if dtype == "f64" else "f32"] * bound + 2 * EPSILON[dtype] * bound
            )
            if bound > LARGEST[dtype] / 1e3:
                return
        attributes = f"{{batch_group_count = 1 : i64, feature_group_count = {groups} : i64}}"
        self.define(
            f"stablehlo.convolution({a.name}, {b.name}) dim_numbers = {layouts[0]}x{layouts[1]}->{layouts[2]}, window = "
            f"{{stride = {strides}, pad = {padding}, lhs_dilate = {base}, rhs_dilate = {dilations}}} {attributes} : "
            f"({a.type}, {b.type}) -> {tensor(shapes[2], result)}",
            shapes[2],
            result,
            **facts,
        )

    def sort(self) -> None:
        a = self.any(
            lambda v: (
                prod(v.shape) <= MAX_ELEMENTS
                and len(v.shape) > 0
                and v.dtype not in ("i1",)
                and (v.integer or v.bound < inf)
            ),
            exact=True,
        )
        b = self.of(a.shape, self.dtype())
        direction = self.rng.choice(("LT", "GT"))
        kind = "UNSIGNED" if a.dtype.startswith("ui") else "SIGNED" if a.integer else "FLOAT"
        x, y = tensor((), a.dtype), tensor((), b.dtype)
        name = self.fresh()
        self.emit(
            f'{name}:2 = "stablehlo.sort"({a.name}, {b.name}) <{{dimension = {self.rng.randrange(len(a.shape))} : i64, is_stable = true}}> ({{\n'
            f"    ^bb0(%x: {x}, %y: {x}, %p: {y}, %q: {y}):\n"
            f"      %c = stablehlo.compare {direction}, %x, %y, {kind} : ({x}, {x}) -> tensor<i1>\n"
            f"      stablehlo.return %c : tensor<i1>\n    }}) : ({a.type}, {b.type}) -> ({a.type}, {b.type})"
        )
        self.scope.append(replace(a, name=f"{name}#0"))
        self.scope.append(replace(b, name=f"{name}#1"))

    # Control flow: the values of a nested block are in sight only there.

    def block(self, known: Sequence[Value], wanted: Sequence[Value], steps: int) -> None:
        """Some ops, then `stablehlo.return` of exact values of the types of `wanted`."""
        outer, self.scope = self.scope, [*self.scope, *known]
        held = set(v.name for v in self.scope)
        self.depth += 1
        for _ in range(steps):
            self.step()
        results = [self.of(v.shape, v.dtype, exact=True) for v in wanted]
        names, types = ", ".join(v.name for v in results), ", ".join(v.type for v in results)
        self.emit(f"stablehlo.return {names} : {types}")
        self.depth -= 1
        arguments = [v for v in self.scope if v.name.startswith("%a") and v.name not in held]
        self.scope = [*arguments, *outer]

    def loop(self) -> None:
        carried = [self.any(exact=True) for _ in range(self.rng.randint(1, 3))]
        zero = self.define("stablehlo.constant dense<0> : tensor<i32>", (), "i32")
        limit = self.define(f"stablehlo.constant dense<{self.rng.choice((0, 1, 2, 5))}> : tensor<i32>", (), "i32")
        one = self.define("stablehlo.constant dense<1> : tensor<i32>", (), "i32")
        inside = [Value(self.fresh(), v.shape, v.dtype) for v in carried]
        name, i = self.fresh(), self.fresh()
        heads = ", ".join(f"{w.name} = {v.name}" for w, v in zip(inside, carried, strict=True))
        types = ", ".join(["tensor<i32>", *(v.type for v in carried)])
        start = len(self.lines)
        self.emit(f"{name}:{len(carried) + 1} = stablehlo.while({i} = {zero.name}, {heads}) : {types}")
        self.emit(" cond {")
        self.emit(f"  %go = stablehlo.compare LT, {i}, {limit.name}, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>")
        self.emit("  stablehlo.return %go : tensor<i1>")
        self.emit("} do {")
        self.block([*inside, Value(i, (), "i32")], carried, self.rng.randint(1, 4))
        returned = self.lines[-1].split("stablehlo.return ")[1]
        names = returned.split(" : ")[0]
        self.lines[-1] = "  " * self.depth + f"  %next = stablehlo.add {i}, {one.name} : tensor<i32>"
        self.emit(f"  stablehlo.return %next, {names} : {types}")
        self.emit("}")
        assert start < len(self.lines)
        self.scope += [Value(f"{name}#{k + 1}", v.shape, v.dtype) for k, v in enumerate(carried)]

    def branch(self) -> None:
        wanted = [self.any() for _ in range(self.rng.randint(1, 2))]
        types = ", ".join(v.type for v in wanted)
        several = self.rng.random() < 0.4
        chosen = self.of((), "i32" if several else "i1")
        name = self.fresh()
        self.emit(f'{name}:{len(wanted)} = "stablehlo.{"case" if several else "if"}"({chosen.name}) ({{')
        for k in range(self.rng.randint(1, 3) if several else 2):
            if k:
                self.emit("}, {")
            self.block([], wanted, self.rng.randint(0, 3))
        self.emit(f"}}) : ({chosen.type}) -> ({types})")
        self.scope += [Value(f"{name}#{k}", v.shape, v.dtype) for k, v in enumerate(wanted)]


def generate(seed: int, size: int | None = None) -> Program:
    """The program of a seed."""
    rng = random.Random(seed)
    made = Generator(rng, np.random.default_rng(seed), limit=MAX_LARGE if rng.random() < 0.12 else MAX_ELEMENTS)
    for _ in range(rng.randint(3, 24) if size is None else size):
        made.step()
    if not made.scope:
        made.argument((), "f32")
    inner = [v for v in made.scope if not v.name.startswith("%a")] or made.scope
    results = [*rng.sample(inner, min(len(inner), rng.randint(0, 3))), inner[-1]]
    if rng.random() < 0.1:
        results.append(rng.choice(made.scope))
    header = ", ".join(f"{a.name}: {a.type}" for a in made.arguments)
    return Program(header, made.lines, made.inputs, results, inner)


def mismatch(got: np.ndarray, want: np.ndarray, value: Value) -> str | None:
    """None, or how a result differs by more than its value allows."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype}{list(got.shape)} for {want.dtype}{list(want.shape)}"
    if value.integer:
        bad = got != want
    else:
        g, w = got.astype(np.float64), want.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            near = np.abs(g - w) <= value.error + value.relative * np.abs(w)
        zeros = (w != 0) | (np.signbit(g) == np.signbit(w)) | (not value.exact)
        largest = float(ml_dtypes.finfo(want.dtype).max)
        overflow = (
            (not value.exact)
            & (np.abs(w) >= largest * (1 - 1e-2))
            & (np.abs(g) >= largest * (1 - 1e-2))
            & (np.sign(g) == np.sign(w))
        )
        bad = ~((((g == w) | near) & zeros) | (np.isnan(g) & np.isnan(w)) | overflow)
    if not np.any(bad):
        return None
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"{value.name} at {list(first)}: {got[first]!r} for {want[first]!r} ({int(np.sum(bad))} of {want.size}; error {value.error:g})"


def main() -> None:
    import stepwell

    parser = argparse.ArgumentParser()
    parser.add_argument("seed", type=int)
    parser.add_argument("--level", default=None)
    parser.add_argument("-O", dest="opt_level", type=int, default=2)
    parser.add_argument("--step", help="the interpreter at this step instead of native code")
    options = parser.parse_args()
    program = generate(options.seed)
    print(program.text())
    how = {"target": "interpreter", "step": options.step} if options.step else {"simd": options.level}
    for results in (program.results, *([v] for v in program.top)):
        text = program.text(results)
        want = stepwell.compile(text, target="interpreter")(*program.inputs)
        got = stepwell.compile(text, opt_level=options.opt_level, **how)(*program.inputs)
        bad = [m for g, w, v in zip(got, want, results, strict=True) if (m := mismatch(g, w, v))]
        if bad:
            print(f"as the results {[v.name for v in results]}: {bad[0]}")
            if len(results) == 1:
                return


if __name__ == "__main__":
    main()
