"""What every maker of ops uses: the values in sight, arguments, constants, and how to get a value of a type."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf, prod

import ml_dtypes
import numpy as np

from stepwell.fuzz.values import (
    DTYPES,
    EPSILON,
    EXTENTS,
    FLOATS,
    LARGE,
    LARGEST,
    MAX_ELEMENTS,
    SMALLEST,
    WIDE_FLOATS,
    Array,
    Value,
    tensor,
)

RARE = ("i16", "ui16", "ui64", "i4", "ui4", "f8E4M3FN", "f8E5M2", "complex<f32>", "complex<f64>")
"""Element types that are picked less often."""
DRAWN = (*("f32",) * 7, "f64", "bf16", "f16", "i32", "i32", "i64", "i8", "ui8", "ui32", "i1", *RARE)
"""Element types, as often as programs have them."""
NO_IOTA = ("i1", "i4", "ui4", "f8E4M3FN", "f8E5M2")
"""Types that do not hold the numbers of a long iota."""


def _tame_bound(dtype: str) -> float:
    if dtype.startswith("complex"):
        return 3.0
    return 2.0 if dtype in FLOATS else inf


def _paired(real: Array, imag: Array) -> Array:
    """Complex numbers with exactly these parts (`x + 1j * y` makes NaNs of infinities)."""
    pair = np.empty(real.shape, np.complex128)
    pair.real, pair.imag = real, imag
    return pair


@dataclass
class Base:
    """Grows a program op by op; `scope` holds the values in sight."""

    rng: random.Random
    numbers: np.random.Generator
    scope: list[Value] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    arguments: list[Value] = field(default_factory=list)
    inputs: list[Array] = field(default_factory=list)
    count: int = 0
    depth: int = 0
    limit: int = MAX_ELEMENTS
    """Elements of the largest value: some programs are large enough for several tasks and for tiles."""

    def step(self) -> None:
        """Append one op (or a few that belong together), or nothing when what was picked does not fit."""
        raise NotImplementedError

    def fresh(self) -> str:
        """A new name."""
        self.count += 1
        return f"%v{self.count}"

    def emit(self, line: str) -> None:
        """Append a line."""
        self.lines.append("  " * self.depth + line)

    def define(
        self, text: str, shape: Sequence[int], dtype: str, like: Value | None = None, /, **facts: float
    ) -> Value:
        """`%new = text`; its facts are `like`'s, then `facts`."""
        known = {} if like is None else {"bound": like.bound, "error": like.error, "relative": like.relative}
        value = Value(self.fresh(), tuple(shape), dtype, **{**known, **facts})
        self.emit(f"{value.name} = {text}")
        self.scope.append(value)
        return value

    def shape(self, rank: int | None = None) -> tuple[int, ...]:
        """A shape of a rank, or of a random one."""
        rank = self.rng.choice((0, 1, 1, 2, 2, 2, 3, 4)) if rank is None else rank
        shape = self.extents(rank)
        while prod(shape) > self.limit:
            shape[self.rng.randrange(rank)] = self.rng.choice((1, 2, 3))
        return tuple(shape)

    def extents(self, count: int) -> list[int]:
        """Extents around vectors and tiles."""
        large = self.limit > MAX_ELEMENTS
        return [self.rng.choice(LARGE if large and self.rng.random() < 0.6 else EXTENTS) for _ in range(count)]

    def dtype(self) -> str:
        """An element type, the common ones more often."""
        return self.rng.choice(DRAWN)

    def argument(self, shape: Sequence[int], dtype: str, tame: bool | None = None) -> Value:
        """A new argument of the function; in nested blocks half of the time a constant."""
        tame = self.rng.random() < 0.6 if tame is None else tame
        if self.depth and self.rng.random() < 0.5:
            return self.constant(shape, dtype)
        value = Value(f"%a{len(self.arguments)}", tuple(shape), dtype, bound=_tame_bound(dtype) if tame else inf)
        self.arguments.append(value)
        self.inputs.append(self.array(shape, dtype, tame))
        self.scope.insert(0, value)
        return value

    def array(self, shape: Sequence[int], dtype: str, tame: bool) -> Array:
        """Values of a type; `tame` floats are small and ordinary."""
        kind = DTYPES[dtype]
        if kind.kind == "c":
            part = dtype[8:-1]
            pair = [self.array(shape, part, tame) for _ in range(2)]
            return (pair[0] + 1j * pair[1]).astype(kind) if tame else _paired(*pair).astype(kind)
        if dtype == "i1":
            return self.numbers.integers(0, 2, shape).astype(kind)
        if dtype not in FLOATS:
            low, high = int(ml_dtypes.iinfo(kind).min), int(ml_dtypes.iinfo(kind).max)
            wide = np.uint64 if low == 0 else np.int64
            values = self.numbers.integers(low, high, shape, dtype=wide, endpoint=True).astype(kind)
            small = self.numbers.integers(0 if low == 0 else -4, min(9, high), shape).astype(kind)
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
        """A splat constant."""
        if dtype == "i1":
            text = self.rng.choice(("true", "false"))
        elif dtype.startswith("complex"):
            text = self.rng.choice(("(0.0, -0.0)", "(1.0, -0.5)", "(0.25, 2.0)"))
        elif dtype in FLOATS:
            text = self.rng.choice(("0.0", "-0.0", "1.0", "-1.5", "0.25", "2.0"))
        else:
            text = self.rng.choice(("0", "1", "3", "7"))
        bound = 2.0 if dtype in FLOATS else 3.0 if dtype.startswith("complex") else inf
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
        if (
            how < 0.3
            and shape
            and dtype not in NO_IOTA
            and not (bounded and (dtype in FLOATS or dtype.startswith("complex")))
        ):
            return self.define(
                f"stablehlo.iota dim = {self.rng.randrange(len(shape))} : {tensor(shape, dtype)}", shape, dtype
            )
        return self.argument(shape, dtype, True if bounded else None)

    def any(self, want: Callable[[Value], bool] = lambda v: True, exact: bool = False) -> Value:
        """A value that `want` accepts, made when none is in sight."""
        found = self.pick(lambda v: want(v) and (v.exact or not exact)) if self.rng.random() < 0.85 else None
        for _ in range(200):
            if found is not None:
                return found
            shape, dtype = self.shape(), self.dtype()
            if want(Value("", shape, dtype)):
                found = self.of(shape, dtype, exact)
        for _ in range(200):  # what is seldom drawn
            shape = self.shape()
            for dtype in dict.fromkeys(DRAWN):
                if want(Value("", shape, dtype)):
                    return self.of(shape, dtype, exact)
        raise AssertionError("no value fits")

    def smooth(self, v: Value) -> Value:
        """`v` if its error is absolute, or can be made so; else an exact value of its type."""
        if v.relative == 0:
            return v
        if v.bound < inf:
            return replace(v, error=v.error + v.relative * v.bound, relative=0.0)
        return self.of(v.shape, v.dtype, exact=True)

    def some_float(self) -> Callable[[Value], bool]:
        """Accepts floats."""
        return lambda v: v.dtype in WIDE_FLOATS

    def rounding(self, v: Value, bound: float) -> float:
        """What one rounding adds to the error."""
        return EPSILON.get(v.dtype, 0.0) * bound

    def join(self, *values: Value) -> dict[str, float]:
        """The facts of a value that takes each element from one of `values`."""
        return {
            "bound": max(v.bound for v in values),
            "error": max(v.error for v in values),
            "relative": max(v.relative for v in values),
        }

    def indices(self, count: int) -> list[Value]:
        """0-d index values."""
        dtype = self.rng.choice(("i32", "i64", "ui32", "i8"))
        return [self.of((), dtype) for _ in range(count)]
