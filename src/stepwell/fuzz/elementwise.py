"""Elementwise ops: arithmetic with error bounds, integer and boolean ops, comparisons, conversions."""

from __future__ import annotations

from math import inf

from stepwell.fuzz.base import Base
from stepwell.fuzz.values import EPSILON, FLOATS, LARGEST, SMALLEST, ULPS, WIDTH, Value, tensor


class Elementwise(Base):
    """Makers of ops; see the module."""

    def binary(self) -> None:
        """Arithmetic of two operands."""
        a = self.smooth(self.any(lambda v: v.real and v.dtype != "i1"))
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
        """Whether no element is near zero."""
        return False

    def unary(self) -> None:
        """Exact ops of one operand."""
        op = self.rng.choice(
            ("abs", "negate", "sqrt", "floor", "ceil", "round_nearest_even", "round_nearest_afz", "sign")
        )
        lipschitz = op in ("abs", "negate")
        a = self.any(
            lambda v: (
                v.real
                and v.dtype != "i1"
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
        """Functions of exact values."""
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
        """Bits."""
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
        """Logic."""
        a = self.any(lambda v: v.dtype == "i1")
        op = self.rng.choice(("and", "or", "xor", "not", "add", "multiply", "maximum", "minimum"))
        names = a.name if op == "not" else f"{a.name}, {self.of(a.shape, 'i1').name}"
        self.define(f"stablehlo.{op} {names} : {a.type}", a.shape, "i1")

    def compare(self) -> None:
        """Comparisons of exact values."""
        a = self.any(lambda v: v.real, exact=True)
        b = self.of(a.shape, a.dtype, exact=True)
        direction = self.rng.choice(("EQ", "NE", "LT", "LE", "GT", "GE"))
        kind = "UNSIGNED" if a.dtype.startswith("ui") or a.dtype == "i1" else "SIGNED" if a.integer else "FLOAT"
        if kind == "FLOAT" and self.rng.random() < 0.15:
            kind = "TOTALORDER" if a.bound < inf else kind
        out = tensor(a.shape, "i1")
        self.define(
            f"stablehlo.compare {direction}, {a.name}, {b.name}, {kind} : ({a.type}, {b.type}) -> {out}", a.shape, "i1"
        )

    def select(self) -> None:
        """`stablehlo.select`."""
        a = self.any()
        b = self.of(a.shape, a.dtype)
        p = self.of(() if self.rng.random() < 0.2 else a.shape, "i1")
        self.define(
            f"stablehlo.select {p.name}, {a.name}, {b.name} : {p.type}, {a.type}", a.shape, a.dtype, **self.join(a, b)
        )

    def clamp(self) -> None:
        """`stablehlo.clamp`."""
        a = self.any(lambda v: v.real and v.dtype != "i1", exact=True)
        low, high = (self.of(() if self.rng.random() < 0.5 else a.shape, a.dtype, exact=True) for _ in range(2))
        text = f"stablehlo.clamp {low.name}, {a.name}, {high.name} : ({low.type}, {a.type}, {high.type}) -> {a.type}"
        self.define(text, a.shape, a.dtype, **self.join(a, low, high))

    def convert(self) -> None:
        """Between element types."""
        dtype = self.dtype()
        if dtype.startswith("complex"):
            return
        a = self.any(lambda v: v.real, exact=dtype not in FLOATS)
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
        """Between types of one width."""
        a = self.any(lambda v: v.dtype in WIDTH and v.exact and (v.integer or v.bound < inf))
        dtype = self.rng.choice([d for d in WIDTH if WIDTH[d] == WIDTH[a.dtype]])
        self.define(f"stablehlo.bitcast_convert {a.name} : ({a.type}) -> {tensor(a.shape, dtype)}", a.shape, dtype)
