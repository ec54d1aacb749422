"""Ops that move data: broadcasts, reshapes, slices, pads, dynamic slices and updates."""

from __future__ import annotations

from math import prod

from stepwell.fuzz.base import Base
from stepwell.fuzz.values import tensor


class Movement(Base):
    """Makers of ops; see the module."""

    def broadcast(self) -> None:
        """`broadcast_in_dim`, also of extents of 1."""
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
        """`stablehlo.transpose`."""
        a = self.any(lambda v: len(v.shape) > 1)
        order = self.rng.sample(range(len(a.shape)), len(a.shape))
        shape = [a.shape[i] for i in order]
        self.define(
            f"stablehlo.transpose {a.name}, dims = {order} : ({a.type}) -> {tensor(shape, a.dtype)}", shape, a.dtype, a
        )

    def reshape(self) -> None:
        """`stablehlo.reshape`."""
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
        """`stablehlo.slice`."""
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
        """`stablehlo.reverse`."""
        a = self.any(lambda v: len(v.shape) > 0)
        dims = sorted(self.rng.sample(range(len(a.shape)), self.rng.randint(1, len(a.shape))))
        self.define(f"stablehlo.reverse {a.name}, dims = {dims} : {a.type}", a.shape, a.dtype, a)

    def concatenate(self) -> None:
        """Up to four operands."""
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
        """Negative and interior padding, too."""
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

    def dynamic_slice(self) -> None:
        """At indices in and out of range."""
        a = self.any(lambda v: len(v.shape) > 0)
        sizes = [self.rng.randint(0 if self.rng.random() < 0.1 else min(1, extent), extent) for extent in a.shape]
        at = self.indices(len(a.shape))
        names, types = "".join(f", {i.name}" for i in at), "".join(f", {i.type}" for i in at)
        text = (
            f"stablehlo.dynamic_slice {a.name}{names}, sizes = {sizes} : ({a.type}{types}) -> {tensor(sizes, a.dtype)}"
        )
        self.define(text, sizes, a.dtype, a)

    def dynamic_update_slice(self) -> None:
        """At indices in and out of range; the old value may be used later."""
        a = self.any(lambda v: len(v.shape) > 0)
        update = self.of([self.rng.randint(min(1, extent), extent) for extent in a.shape], a.dtype)
        at = self.indices(len(a.shape))
        names, types = "".join(f", {i.name}" for i in at), "".join(f", {i.type}" for i in at)
        text = f"stablehlo.dynamic_update_slice {a.name}, {update.name}{names} : ({a.type}, {update.type}{types}) -> {a.type}"
        self.define(text, a.shape, a.dtype, **self.join(a, update))
