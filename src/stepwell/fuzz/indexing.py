"""Gathers, scatters and sorts, with indices out of range and equal keys."""

from __future__ import annotations

from dataclasses import replace
from math import inf, prod

from stepwell.fuzz.base import Base
from stepwell.fuzz.values import MAX_ELEMENTS, tensor


class Indexing(Base):
    """Makers of ops; see the module."""

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
        a = self.any(lambda v: 0 < len(v.shape) < 4 and v.real and prod(v.shape) <= MAX_ELEMENTS, exact=True)
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

    def sort(self) -> None:
        """Two operands, stable, by the first."""
        a = self.any(
            lambda v: (
                prod(v.shape) <= MAX_ELEMENTS
                and len(v.shape) > 0
                and v.real
                and v.dtype != "i1"
                and (v.integer or v.bound < inf)
            ),
            exact=True,
        )
        b = self.of(a.shape, self.dtype())
        direction = self.rng.choice(("LT", "GT"))
        kind = "UNSIGNED" if a.dtype.startswith("ui") else "SIGNED" if a.integer else "FLOAT"
        x, y = tensor((), a.dtype), tensor((), b.dtype)
        name, dim = self.fresh(), self.rng.randrange(len(a.shape))
        self.emit(
            f'{name}:2 = "stablehlo.sort"({a.name}, {b.name}) <{{dimension = {dim} : i64, is_stable = true}}> ({{\n'
            f"    ^bb0(%x: {x}, %y: {x}, %p: {y}, %q: {y}):\n"
            f"      %c = stablehlo.compare {direction}, %x, %y, {kind} : ({x}, {x}) -> tensor<i1>\n"
            f"      stablehlo.return %c : tensor<i1>\n    }}) : ({a.type}, {b.type}) -> ({a.type}, {b.type})"
        )
        self.scope.append(replace(a, name=f"{name}#0"))
        self.scope.append(replace(b, name=f"{name}#1"))
