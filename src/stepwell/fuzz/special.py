"""What is said by other ops on the way down (transforms, factorizations, random bits, normalization, tuples), and special functions."""

from __future__ import annotations

import math
from math import inf, prod

from stepwell.fuzz.base import Base
from stepwell.fuzz.values import EPSILON, MAX_ELEMENTS, SMALLEST, ULPS, Value, tensor

_SPECIAL = {
    "erfc": 1,
    "asinh": 1,
    "acosh": 1,
    "atanh": 1,
    "cosh": 1,
    "lgamma": 16,
    "digamma": 16,
    "erf_inv": 2,
    "bessel_i1e": 16,
}
"""CHLO's functions, and by how many times `ULPS` two right implementations may differ."""


class Special(Base):
    """Makers of ops; see the module."""

    def special_function(self) -> None:
        """A CHLO function of exact, ordinary values."""
        a = self.of(self.shape(), self.rng.choice(("f32", "f32", "f64")), exact=True, bounded=True)
        name, factor = self.rng.choice(tuple(_SPECIAL.items()))
        loose = ULPS * factor * EPSILON[a.dtype]
        facts = {"bound": inf, "error": loose if factor > 2 else ULPS * SMALLEST[a.dtype], "relative": loose}
        self.define(f"chlo.{name} {a.name} : {a.type} -> {a.type}", a.shape, a.dtype, **facts)

    def reduce_precision(self) -> None:
        """Fewer exponent and mantissa bits."""
        a = self.any(lambda v: v.dtype in ("f32", "f64", "bf16", "f16"), exact=True)
        form = f"e{self.rng.randint(2, 9)}m{self.rng.randint(1, 25)}"
        self.define(f"stablehlo.reduce_precision {a.name}, format = {form} : {a.type}", a.shape, a.dtype)

    def cumulative(self) -> None:
        """A window that reaches back to the start: sums of integers, running maxima."""
        a = self.any(lambda v: v.real and v.dtype != "i1" and len(v.shape) in (1, 2) and prod(v.shape) <= 300)
        if not a.exact or 0 in a.shape:
            return
        op = self.rng.choice(("maximum", "minimum", "add" if a.integer else "maximum"))
        dim, rank = self.rng.randrange(len(a.shape)), len(a.shape)
        init = self.of((), a.dtype, exact=True)
        window = [a.shape[d] if d == dim else 1 for d in range(rank)]
        padding = [[a.shape[d] - 1, 0] if d == dim else [0, 0] for d in range(rank)]
        scalar = tensor((), a.dtype)
        self.define(
            f'"stablehlo.reduce_window"({a.name}, {init.name}) <{{window_dimensions = array<i64: {", ".join(map(str, window))}>, '
            f"padding = dense<{padding}> : tensor<{rank}x2xi64>}}> ({{\n    ^bb0(%x: {scalar}, %y: {scalar}):\n"
            f"      %r = stablehlo.{op} %x, %y : {scalar}\n      stablehlo.return %r : {scalar}\n"
            f"    }}) : ({a.type}, {scalar}) -> {a.type}",
            a.shape,
            a.dtype,
            bound=max(a.bound, init.bound),
        )

    def select_and_scatter(self) -> None:
        """Windows without overlap or with it; sums of integers."""
        a = self.any(lambda v: v.dtype in ("i32", "i64", "i8", "ui32") and 0 < len(v.shape) < 4 and 0 not in v.shape)
        if prod(a.shape) > MAX_ELEMENTS:
            return
        window = [self.rng.randint(1, min(3, n)) for n in a.shape]
        strides = [self.rng.randint(1, 2) for _ in a.shape]
        shape = [(n - w) // s + 1 for n, w, s in zip(a.shape, window, strides, strict=True)]
        source, init = self.of(shape, a.dtype), self.of((), a.dtype)
        kind, scalar = ("UNSIGNED" if a.dtype.startswith("ui") else "SIGNED"), tensor((), a.dtype)
        self.define(
            f'"stablehlo.select_and_scatter"({a.name}, {source.name}, {init.name}) <{{window_dimensions = array<i64: '
            f"{', '.join(map(str, window))}>, window_strides = array<i64: {', '.join(map(str, strides))}>}}> ({{\n"
            f"    ^bb0(%x: {scalar}, %y: {scalar}):\n"
            f"      %c = stablehlo.compare GE, %x, %y, {kind} : ({scalar}, {scalar}) -> tensor<i1>\n"
            "      stablehlo.return %c : tensor<i1>\n    }, {\n"
            f"    ^bb0(%x: {scalar}, %y: {scalar}):\n      %r = stablehlo.add %x, %y : {scalar}\n"
            f"      stablehlo.return %r : {scalar}\n    }}) : ({a.type}, {source.type}, {scalar}) -> {a.type}",
            a.shape,
            a.dtype,
        )

    def top_k(self) -> None:
        """The largest of each row and where they are."""
        a = self.any(
            lambda v: (
                v.dtype in ("f32", "i32", "i8", "ui32", "bf16") and len(v.shape) > 0 and (v.integer or v.bound < inf)
            ),
            exact=True,
        )
        if prod(a.shape) > MAX_ELEMENTS:
            return
        k = self.rng.randint(0, a.shape[-1])
        shape = (*a.shape[:-1], k)
        name = self.fresh()
        self.emit(
            f"{name}:2 = chlo.top_k({a.name}, k = {k}) : {a.type} -> ({tensor(shape, a.dtype)}, {tensor(shape, 'i32')})"
        )
        self.scope.append(Value(f"{name}#0", shape, a.dtype, bound=a.bound))
        self.scope.append(Value(f"{name}#1", shape, "i32"))

    def fft(self) -> None:
        """A transform along the last dim: of complex numbers, or of real ones to half a spectrum and back."""
        part = self.rng.choice(("f32", "f64"))
        kind = self.rng.choice(("FFT", "IFFT", "RFFT", "IRFFT"))
        length = self.rng.choice((1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 32, 33, 60))
        batch = [self.rng.choice((1, 2, 3))] if self.rng.random() < 0.5 else []
        half = length // 2 + 1
        complex_ = f"complex<{part}>"
        source = {"RFFT": part}.get(kind, complex_)
        result = {"IRFFT": part}.get(kind, complex_)
        a = self.smooth(self.of([*batch, half if kind == "IRFFT" else length], source, bounded=True))
        if a.bound > 1e6:
            return
        shape = [*batch, half if kind == "RFFT" else length]
        scale = 2 / length if kind in ("IFFT", "IRFFT") else 1.0
        bound = max(length * a.bound * scale, a.bound)
        error = length * scale * (a.error + 8 * math.log2(length + 1) * EPSILON[part] * a.bound)
        text = f"stablehlo.fft {a.name}, type = {kind}, length = [{length}] : ({a.type}) -> {tensor(shape, result)}"
        self.define(text, shape, result, bound=bound, error=error)

    def definite(self, n: int, dtype: str, shift: float) -> tuple[Value, Value]:
        """(a matrix of elements up to 2, a multiple of the unit matrix), n by n and exact."""
        matrix = self.of((n, n), dtype, exact=True, bounded=True)
        kind = tensor((n, n), dtype)
        rows, columns = (
            self.define(f"stablehlo.iota dim = {d} : {tensor((n, n), 'i32')}", (n, n), "i32") for d in range(2)
        )
        on = self.define(
            f"stablehlo.compare EQ, {rows.name}, {columns.name}, SIGNED : ({rows.type}, {rows.type}) -> {tensor((n, n), 'i1')}",
            (n, n),
            "i1",
        )
        large = self.define(f"stablehlo.constant dense<{shift:.1f}> : {kind}", (n, n), dtype, bound=shift)
        zero = self.define(f"stablehlo.constant dense<0.0> : {kind}", (n, n), dtype, bound=0.0)
        unit = self.define(
            f"stablehlo.select {on.name}, {large.name}, {zero.name} : {on.type}, {kind}", (n, n), dtype, bound=shift
        )
        return matrix, unit

    def cholesky(self) -> None:
        """Of M Mᵀ + (4 n + 1) I, whose condition is at most about n + 1."""
        n, dtype = self.rng.choice((0, 1, 2, 3, 5, 8, 9)), self.rng.choice(("f32", "f64"))
        matrix, unit = self.definite(n, dtype, 4.0 * n + 1)
        kind = tensor((n, n), dtype)
        square = self.define(
            f"stablehlo.dot_general {matrix.name}, {matrix.name}, contracting_dims = [1] x [1] : ({kind}, {kind}) -> {kind}",
            (n, n),
            dtype,
            bound=4.0 * max(n, 1),
            error=8 * max(n, 1) ** 2 * EPSILON[dtype],
        )
        total = self.define(
            f"stablehlo.add {square.name}, {unit.name} : {kind}",
            (n, n),
            dtype,
            bound=8.0 * n + 8,
            error=square.error + EPSILON[dtype] * (8.0 * n + 8),
        )
        lower = self.rng.choice(("true", "false"))
        facts = {"bound": 4.0 * n + 4, "error": 64 * (n + 1) ** 2 * EPSILON[dtype] * (n + 1)}
        value = self.define(f"stablehlo.cholesky {total.name}, lower = {lower} : {kind}", (n, n), dtype, **facts)
        self.scope.remove(value)  # the other triangle's contents are not defined
        keep = self.define(
            f"stablehlo.iota dim = {0 if lower == 'true' else 1} : {tensor((n, n), 'i32')}", (n, n), "i32"
        )
        other = self.define(
            f"stablehlo.iota dim = {1 if lower == 'true' else 0} : {tensor((n, n), 'i32')}", (n, n), "i32"
        )
        inside = self.define(
            f"stablehlo.compare GE, {keep.name}, {other.name}, SIGNED : ({keep.type}, {keep.type}) -> {tensor((n, n), 'i1')}",
            (n, n),
            "i1",
        )
        zero = self.define(f"stablehlo.constant dense<0.0> : {kind}", (n, n), dtype, bound=0.0)
        text = f"stablehlo.select {inside.name}, {value.name}, {zero.name} : {inside.type}, {kind}"
        self.define(text, (n, n), dtype, value)

    def triangular_solve(self) -> None:
        """With M + (2 n + 1) I, whose triangles are diagonally dominant."""
        n, m = self.rng.choice((0, 1, 2, 3, 5, 8, 9)), self.rng.choice((0, 1, 2, 7))
        dtype = self.rng.choice(("f32", "f64"))
        matrix, unit = self.definite(n, dtype, 2.0 * n + 3)
        kind = tensor((n, n), dtype)
        a = self.define(
            f"stablehlo.add {matrix.name}, {unit.name} : {kind}",
            (n, n),
            dtype,
            bound=2.0 * n + 5,
            error=EPSILON[dtype] * (2 * n + 5),
        )
        left = self.rng.choice((True, False))
        b = self.of((n, m) if left else (m, n), dtype, exact=True, bounded=True)
        mode = self.rng.choice(("NO_TRANSPOSE", "TRANSPOSE", "ADJOINT"))
        text = (
            f'"stablehlo.triangular_solve"({a.name}, {b.name}) <{{left_side = {str(left).lower()}, '
            f"lower = {self.rng.choice(('true', 'false'))}, unit_diagonal = false, "
            f"transpose_a = #stablehlo<transpose {mode}>}}> : ({a.type}, {b.type}) -> {b.type}"
        )
        facts = {"bound": 2 * b.bound, "error": 64 * (n + 1) ** 2 * EPSILON[dtype] * max(b.bound, 1.0)}
        self.define(text, b.shape, dtype, **facts)

    def random_bits(self) -> None:
        """Bits, and the state after them."""
        algorithm, words = self.rng.choice((("THREE_FRY", 2), ("PHILOX", 2), ("PHILOX", 3)))
        state = self.of((words,), "ui64")
        dtype, shape = self.rng.choice(("ui32", "ui64", "ui8", "ui16", "i32")), self.shape(self.rng.choice((0, 1, 2)))
        name = self.fresh()
        self.emit(
            f"{name}:2 = stablehlo.rng_bit_generator {state.name}, algorithm = {algorithm} : "
            f"({state.type}) -> ({state.type}, {tensor(shape, dtype)})"
        )
        self.scope.append(Value(f"{name}#0", (words,), "ui64"))
        self.scope.append(Value(f"{name}#1", tuple(shape), dtype))

    def batch_norm(self) -> None:
        """Inference, of ordinary values."""
        shape, dtype = self.shape(self.rng.choice((1, 2, 3))), self.rng.choice(("f32", "f64"))
        feature = self.rng.randrange(len(shape))
        a = self.of(shape, dtype, exact=True, bounded=True)
        scale, offset, mean = (self.of((shape[feature],), dtype, exact=True, bounded=True) for _ in range(3))
        raw = self.of((shape[feature],), dtype, exact=True, bounded=True)
        variance = self.define(f"stablehlo.abs {raw.name} : {raw.type}", raw.shape, dtype, raw)
        operands = (a, scale, offset, mean, variance)
        bound = (a.bound + mean.bound) * 3.2 * scale.bound + offset.bound
        text = (
            f'"stablehlo.batch_norm_inference"({", ".join(v.name for v in operands)}) <{{epsilon = 0.1 : f32, '
            f"feature_index = {feature} : i64}}> : ({', '.join(v.type for v in operands)}) -> {a.type}"
        )
        if bound < 1e6:
            self.define(text, shape, dtype, bound=bound, error=16 * EPSILON[dtype] * bound)

    def map(self) -> None:
        """An integer computation as a region."""
        a = self.any(lambda v: v.dtype in ("i32", "ui8", "i64") and len(v.shape) > 0)
        b = self.of(a.shape, a.dtype)
        scalar, dims = tensor((), a.dtype), ", ".join(map(str, range(len(a.shape))))
        op = self.rng.choice(("add", "multiply", "xor", "maximum"))
        self.define(
            f'"stablehlo.map"({a.name}, {b.name}) <{{dimensions = array<i64: {dims}>}}> ({{\n'
            f"    ^bb0(%x: {scalar}, %y: {scalar}):\n      %z = stablehlo.{op} %x, %y : {scalar}\n"
            f"      %r = stablehlo.subtract %z, %x : {scalar}\n      stablehlo.return %r : {scalar}\n"
            f"    }}) : ({a.type}, {b.type}) -> {a.type}",
            a.shape,
            a.dtype,
        )

    def barrier(self) -> None:
        """Two values through an `optimization_barrier`."""
        a, b = self.any(), self.any()
        name = self.fresh()
        self.emit(f"{name}:2 = stablehlo.optimization_barrier {a.name}, {b.name} : {a.type}, {b.type}")
        for number, v in enumerate((a, b)):
            self.scope.append(Value(f"{name}#{number}", v.shape, v.dtype, v.bound, v.error, v.relative))

    def tuple(self) -> None:
        """A member of a tuple."""
        a, b = self.any(), self.any()
        name, chosen = self.fresh(), self.rng.randrange(2)
        kind = f"tuple<{a.type}, {b.type}>"
        self.emit(f"{name} = stablehlo.tuple {a.name}, {b.name} : {kind}")
        v = (a, b)[chosen]
        text = f"stablehlo.get_tuple_element {name}[{chosen}] : ({kind}) -> {v.type}"
        self.define(text, v.shape, v.dtype, v)


__all__ = ["Special"]
