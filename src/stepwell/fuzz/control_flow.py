"""Loops and branches: the values of a nested block are in sight only there."""

from __future__ import annotations

from collections.abc import Sequence

from stepwell.fuzz.base import Base
from stepwell.fuzz.values import Value


class ControlFlow(Base):
    """Makers of ops; see the module."""

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
        """A counted `while` that carries values."""
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
        """`if` or `case`."""
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
