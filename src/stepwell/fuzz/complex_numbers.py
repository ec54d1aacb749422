"""Complex numbers: arithmetic, functions, parts, contractions and sums. Errors are of the magnitude, not of each part."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, prod

from stepwell.fuzz.base import Base
from stepwell.fuzz.values import EPSILON, LARGEST, SMALLEST, ULPS, Value, summed, tensor

_FUNCTIONS = ("exponential", "log", "sqrt", "rsqrt", "tanh", "sine", "cosine", "log_plus_one", "exponential_minus_one")


class ComplexNumbers(Base):
    """Makers of ops; see the module."""

    def complex_step(self) -> None:
        """One op on complex numbers."""
        makers: list[tuple[int, Callable[[], None]]] = [
            (3, self.complex_from_parts),
            (3, self.complex_arithmetic),
            (2, self.complex_function),
            (2, self.part_of_complex),
            (1, self.complex_compare),
            (1, self.complex_dot),
            (1, self.complex_sum),
        ]
        self.rng.choices([maker for _, maker in makers], [weight for weight, _ in makers])[0]()

    def bounded_complex(self, exact: bool = False) -> Value:
        """A complex value of finite, moderate magnitude and absolute error."""
        found = self.pick(lambda v: not v.real and v.bound < 1e6 and (v.exact or not exact))
        if found is None or self.rng.random() < 0.3:
            found = self.of(self.shape(), self.rng.choice(("complex<f32>", "complex<f64>")), exact=exact, bounded=True)
        return self.smooth(found)

    def complex_from_parts(self) -> None:
        """`stablehlo.complex`."""
        a = self.smooth(self.any(lambda v: v.dtype in ("f32", "f64")))
        b = self.smooth(self.of(a.shape, a.dtype))
        dtype = f"complex<{a.dtype}>"
        facts = {"bound": a.bound + b.bound, "error": max(a.error, b.error), "relative": 0.0}
        self.define(f"stablehlo.complex {a.name}, {b.name} : {tensor(a.shape, dtype)}", a.shape, dtype, **facts)

    def complex_arithmetic(self) -> None:
        """Sums, products, negation and division by constants."""
        a = self.bounded_complex()
        op = self.rng.choice(("add", "subtract", "multiply", "negate", "divide"))
        eps = EPSILON[a.part]
        if op == "negate":
            self.define(f"stablehlo.negate {a.name} : {a.type}", a.shape, a.dtype, a)
            return
        if op == "divide":
            constant = f"stablehlo.constant dense<({self.rng.choice((1.5, -2.0))}, 0.75)> : {a.type}"
            b = self.define(constant, a.shape, a.dtype, bound=3.0)
            bound, error = a.bound, a.error + 8 * eps * a.bound
        else:
            b = self.smooth(self.of(a.shape, a.dtype, bounded=True))
            if op == "multiply":
                bound = a.bound * b.bound
                error = a.error * b.bound + b.error * a.bound + a.error * b.error + 4 * eps * bound
            else:
                bound = a.bound + b.bound
                error = 0.0 if a.exact and b.exact else a.error + b.error + eps * bound
        if bound < 1e6:
            text = f"stablehlo.{op} {a.name}, {b.name} : {a.type}"
            self.define(text, a.shape, a.dtype, bound=bound, error=error)

    def complex_function(self) -> None:
        """A function of exact values."""
        a = self.bounded_complex(exact=True)
        if a.bound > 100:
            return
        facts = {"bound": inf, "error": ULPS * SMALLEST[a.part], "relative": ULPS * EPSILON[a.part]}
        self.define(f"stablehlo.{self.rng.choice(_FUNCTIONS)} {a.name} : {a.type}", a.shape, a.dtype, **facts)

    def part_of_complex(self) -> None:
        """`real`, `imag` and `abs`."""
        a = self.bounded_complex()
        op = self.rng.choice(("real", "imag", "abs"))
        error = a.error if op != "abs" else 2 * a.error + ULPS * EPSILON[a.part] * a.bound
        text = f"stablehlo.{op} {a.name} : ({a.type}) -> {tensor(a.shape, a.part)}"
        self.define(text, a.shape, a.part, bound=a.bound, error=error)

    def complex_compare(self) -> None:
        """`EQ` and `NE`."""
        a = self.any(lambda v: not v.real, exact=True)
        b = self.of(a.shape, a.dtype, exact=True)
        out = tensor(a.shape, "i1")
        text = f"stablehlo.compare {self.rng.choice(('EQ', 'NE'))}, {a.name}, {b.name}, FLOAT : ({a.type}, {b.type}) -> {out}"
        self.define(text, a.shape, "i1")

    def complex_dot(self) -> None:
        """A matrix product."""
        dtype = self.rng.choice(("complex<f32>", "complex<f64>"))
        m, k, n = self.extents(3)
        if max(m * k, k * n, m * n) > self.limit:
            return
        a, b = (self.smooth(self.of(shape, dtype, bounded=True)) for shape in ((m, k), (k, n)))
        bound = max(k, 1) * a.bound * b.bound
        if bound > LARGEST[a.part] / 1e3:
            return
        error = k * (a.error * b.bound + b.error * a.bound + a.error * b.error)
        error += 4 * summed(2 * k) * EPSILON[a.part] * bound
        text = f"stablehlo.dot_general {a.name}, {b.name}, contracting_dims = [1] x [0] : ({a.type}, {b.type})"
        self.define(f"{text} -> {tensor((m, n), dtype)}", (m, n), dtype, bound=bound, error=error)

    def complex_sum(self) -> None:
        """A reduction by `add`."""
        a = self.bounded_complex()
        if not a.shape:
            return
        dims = sorted(self.rng.sample(range(len(a.shape)), self.rng.randint(1, len(a.shape))))
        shape = [n for d, n in enumerate(a.shape) if d not in dims]
        init = self.constant((), a.dtype)
        count = prod(a.shape[d] for d in dims) + 1
        bound = count * max(a.bound, init.bound)
        if bound > LARGEST[a.part] / 1e3:
            return
        text = (
            f"stablehlo.reduce({a.name} init: {init.name}) applies stablehlo.add across dimensions = {dims} : "
            f"({a.type}, {init.type}) -> {tensor(shape, a.dtype)}"
        )
        error = count * a.error + summed(count) * EPSILON[a.part] * bound
        self.define(text, shape, a.dtype, bound=bound, error=error)


__all__ = ["ComplexNumbers"]
