"""Dot products and convolutions of any layout."""

from __future__ import annotations

from math import prod

from stepwell.fuzz.base import Base
from stepwell.fuzz.values import EPSILON, FLOATS, LARGEST, summed, tensor


class Contractions(Base):
    """Makers of ops; see the module."""

    def dot_general(self) -> None:
        """Batch and contracting dims in any order."""
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
