"""`Matrices`: a builder for algorithms on batches of matrices, and how they are cut into blocks.

All algorithms here work on values of type `[batch, rows, columns]` with one batch dim, in the type that `working_element` says. Loops
are `stablehlo.while`s over blocks of columns, and inside of them over the columns of a block, so that the code does not grow with the
matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from xdsl.dialects.builtin import ComplexType, Float64Type, TensorType, f32, f64, i32, i64
from xdsl.ir import Attribute, SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.stablehlo import GatherDimensionNumbers
from stepwell.ir.dtypes import numpy_dtype
from stepwell.passes.hlo import Hlo, element_of, shape_of

Index: TypeAlias = "int | SSAValue"
"""A place in a dim: known, or a 0-d i32."""

SINGLE = 48
"""Matrices up to this many columns are one block."""
WIDTH = 32
"""Columns of a block of larger ones, about."""


def real_element(element: Any) -> Any:
    """The element type of magnitudes."""
    return element.element_type if isinstance(element, ComplexType) else element


def is_complex(value: SSAValue) -> bool:
    """Whether a value has complex elements."""
    return isinstance(element_of(value), ComplexType)


def working_element(element: Any) -> Any:
    """The type to compute in: the type itself, f32 for narrower floats."""
    return element if isinstance(element, ComplexType | Float64Type) else f32


def least_size(element: Any) -> float:
    """What is nothing beside one: far below the square of `epsilon`, with room for its own digits."""
    limits = np.finfo(numpy_dtype(real_element(element)))
    return float(limits.smallest_normal / limits.eps)


def epsilon(element: Any) -> float:
    """Distance from one to the next number of the (real part of the) working type."""
    return float(np.finfo(numpy_dtype(real_element(element))).eps)


class Blocks:
    """How `columns` columns are cut: `count` blocks of `width`, the last one padded."""

    def __init__(self, columns: int):
        self.count = 1 if columns <= SINGLE else math.ceil(columns / WIDTH)
        self.width = columns if self.count == 1 else 8 * math.ceil(columns / self.count / 8)
        self.count = math.ceil(columns / self.width) if columns else 0

    @property
    def columns(self) -> int:
        """Columns with the padding."""
        return self.count * self.width


class Matrices(Hlo):
    """`Hlo` with what algorithms on `[batch, rows, columns]` need."""

    # Places.

    def index(self, place: Index) -> SSAValue:
        """A place as a 0-d i32."""
        return place if isinstance(place, SSAValue) else self.scalar(place, i32)

    def plus(self, a: Index, b: Index) -> Index:
        """The sum of two places."""
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0 or b == 0:
            return b if a == 0 else a
        return self.add(self.index(a), self.index(b))

    def times(self, a: Index, factor: int) -> Index:
        """A place times a known factor."""
        return a * factor if isinstance(a, int) else self.mul(a, factor)

    def read(self, x: SSAValue, starts: Sequence[Index], sizes: Sequence[int]) -> SSAValue:
        """A part of `x` at places that may be run-time values."""
        if all(isinstance(s, int) for s in starts):
            known = [s for s in starts if isinstance(s, int)]
            return self.slice(x, known, [s + n for s, n in zip(known, sizes, strict=True)])
        return self.dynamic_slice(x, [self.index(s) for s in starts], sizes)

    def write(self, x: SSAValue, update: SSAValue, starts: Sequence[Index]) -> SSAValue:
        """`x` with a part replaced."""
        if shape_of(x) == shape_of(update):
            return update
        return self.dynamic_update_slice(x, update, [self.index(s) for s in starts])

    def numbers(self, shape: Sequence[int], dimension: int) -> SSAValue:
        """The place of each element along a dim (negative: from the last), as i32."""
        return self.iota(dimension % len(shape), shape, i32)

    def spread(self, x: SSAValue, shape: Sequence[int], *dimensions: int) -> SSAValue:
        """Dim i of `x` is dim `dimensions[i]` of the result; without any, the first ones."""
        places = dimensions or range(len(shape_of(x)))
        return self.broadcast(x, shape, list(places))

    def where_place(self, direction: str, shape: Sequence[int], dimension: int, place: Index) -> SSAValue:
        """Where the place along a dim compares so with `place`: "EQ", "LT", ..."""
        numbers = self.numbers(shape, dimension)
        other = place if isinstance(place, int) else self.spread(place, shape)
        return self.compare(direction, numbers, other)

    # Loops.

    def repeat(
        self, count: Index, inits: Sequence[SSAValue], body: Callable[..., Sequence[SSAValue] | SSAValue]
    ) -> tuple[SSAValue, ...]:
        """`inits = body(i, *inits)` for i from 0 to `count`; known counts of 0 and 1 need no loop."""
        if isinstance(count, int) and count <= 1:
            made = body(0, *inits) if count else inits
            return (made,) if isinstance(made, SSAValue) else tuple(made)
        if isinstance(count, int):
            return self.fori(0, count, inits, body, i32)
        results = self.while_(
            [self.scalar(0, i32), *inits],
            lambda i, *_: self.lt(i, count),
            lambda i, *carries: self._next(i, body, carries),
        )
        return results[1:]

    # Values.

    def divide_by_real(self, x: SSAValue, by: SSAValue) -> SSAValue:
        """`x / by` for a real `by` of the same shape, without a complex division."""
        if not is_complex(x):
            return self.div(x, by)
        return self.complex(self.div(self.real(x), by), self.div(self.imag(x), by))

    def times_real(self, x: SSAValue, by: SSAValue) -> SSAValue:
        """`x * by` for a real `by` of the same shape, without a complex multiplication."""
        if not is_complex(x):
            return self.mul(x, by)
        return self.complex(self.mul(self.real(x), by), self.mul(self.imag(x), by))

    def cast_real(self, x: SSAValue, element: Attribute) -> SSAValue:
        """A real `x` as numbers of `element`, which may be complex."""
        return self.complex(x, self.like(0.0, x)) if isinstance(element, ComplexType) else x

    def nan_like(self, x: SSAValue) -> SSAValue:
        """NaN in every element (and part)."""
        value = math.nan
        return self.full(complex(value, value) if is_complex(x) else value, shape_of(x), element_of(x))

    def squares(self, x: SSAValue) -> SSAValue:
        """The squared magnitude of each element."""
        if not is_complex(x):
            return self.mul(x, x)
        real, imag = self.real(x), self.imag(x)
        return self.add(self.mul(real, real), self.mul(imag, imag))

    def largest_part(self, x: SSAValue) -> SSAValue:
        """The larger magnitude of the real and imaginary part of each element; NaN when one of them is."""
        return self.maximum(self.abs(self.real(x)), self.abs(self.imag(x))) if is_complex(x) else self.abs(x)

    def sum_of_parts(self, x: SSAValue) -> SSAValue:
        """The magnitude of the real part plus that of the imaginary part: a cheap size of each element."""
        return self.add(self.abs(self.real(x)), self.abs(self.imag(x))) if is_complex(x) else self.abs(x)

    def sum(self, x: SSAValue, *dimensions: int) -> SSAValue:
        """Sums along dims (negative: from the last)."""
        return self.reduce("add", x, sorted(d % len(shape_of(x)) for d in dimensions))

    def max_of_positive(self, x: SSAValue, *dimensions: int) -> SSAValue:
        """The largest element along dims, of elements that are not negative; NaN when one is NaN."""
        return self.reduce("maximum", x, sorted(d % len(shape_of(x)) for d in dimensions), 0)

    def power_of_two(self, x: SSAValue) -> SSAValue:
        """The largest power of two up to each element (not negative), at least the least normal number; infinity for NaN."""
        element = element_of(x)
        bits, exponent, least = (i64, 0x7FF << 52, 1 << 52) if element == f64 else (i32, 0xFF << 23, 1 << 23)
        masked = self.logical_and(self.bitcast(x, bits), exponent)
        return self.bitcast(self.maximum(masked, least), element)

    def largest(self, sizes: SSAValue, mask: SSAValue) -> SSAValue:
        """Per row of `[batch, n]`, the first place where sizes (not negative) are largest under the mask; NaN is no size.

        Where nothing is, the first place under the mask, which has one.
        """
        n = shape_of(sizes)[1]
        sizes = self.select(self.logical_and(mask, self.ge(sizes, 0.0)), sizes, -1.0)
        best = self.reduce("maximum", sizes, [1], -1.0)
        found = self.logical_and(mask, self.eq(sizes, self.spread(best, shape_of(sizes), 0)))
        places = self.select(found, self.numbers(shape_of(sizes), 1), n - 1)
        return self.reduce("minimum", places, [1], n - 1)

    # Matrices.

    def diagonal(self, x: SSAValue, offset: int = 0, count: int | None = None) -> SSAValue:
        """The elements `x[:, i, i + offset]` as `[batch, count]`; as many as there are of a square matrix by default."""
        batch, rows, columns = shape_of(x)
        size = min(rows, columns - offset) if count is None else count
        if size <= 0:
            return self.reshape(self.slice(x, [0, 0, 0], [batch, 0, columns]), [batch, 0])
        flat = self.reshape(x, [batch, rows * columns])
        return self.slice(flat, [0, offset], [batch, offset + (size - 1) * (columns + 1) + 1], [1, columns + 1])

    def identity(self, batch: int, rows: int, columns: int, element: Attribute) -> SSAValue:
        """Ones on the diagonal."""
        shape = [batch, rows, columns]
        on = self.eq(self.numbers(shape, 1), self.numbers(shape, 2))
        return self.select(on, self.full(1, shape, element), self.full(0, shape, element))

    def padded(self, x: SSAValue, rows: int, columns: int) -> SSAValue:
        """`x` with zeros after its rows and columns."""
        m, n = shape_of(x)[1:]
        if (m, n) == (rows, columns):
            return x
        return self.pad(x, 0, [0, 0, 0], [0, rows - m, columns - n])

    def cropped(self, x: SSAValue, rows: int, columns: int) -> SSAValue:
        """The first rows and columns of `x`."""
        return self.slice(x, [0, 0, 0], [shape_of(x)[0], rows, columns])

    def adjoint(self, x: SSAValue) -> SSAValue:
        """The conjugate transpose."""
        return self.matrix_transpose(self.conj(x))

    def product(self, a: SSAValue, b: SSAValue, *, a_rows: bool = False, b_rows: bool = True) -> SSAValue:
        """Products of a batch, contracting columns of `a` (its rows if `a_rows`) with rows of `b` (its columns if not `b_rows`)."""
        return self.dot_general(a, b, ([0], [0]), ([1 if a_rows else 2], [1 if b_rows else 2]))

    def rows_at(self, x: SSAValue, places: SSAValue) -> SSAValue:
        """`x[b, places[b, i], ...]`: other rows (dim 1) of each member of the batch."""
        batch, _, *rest = shape_of(x)
        kept = tuple(range(2, 2 + len(rest)))
        numbers = GatherDimensionNumbers(kept, (1,), (0,), (0,), (1,), 2)
        return self.insert(stablehlo.GatherOp(x, places, numbers, [min(batch, 1), 1, *rest]))


def to_batch(h: Hlo, x: SSAValue) -> SSAValue:
    """A value `[..., rows, columns]` as `[batch, rows, columns]` in its working type."""
    *batch, rows, columns = shape_of(x)
    return h.convert(h.reshape(x, [math.prod(batch), rows, columns]), working_element(element_of(x)))


def from_batch(h: Hlo, x: SSAValue, result: Attribute) -> SSAValue:
    """A value `[batch, ...]` as a tensor of type `result`."""
    assert isinstance(result, TensorType)
    return h.convert(h.reshape(x, result.get_shape()), result.element_type)


__all__ = [
    "Blocks",
    "Index",
    "Matrices",
    "epsilon",
    "from_batch",
    "is_complex",
    "least_size",
    "real_element",
    "to_batch",
    "working_element",
]
