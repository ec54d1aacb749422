"""`structured.winograd_*`: the transforms of a convolution by Winograd's algorithm F(m x m, 3 x 3).

A tile of m x m results of a 3 x 3 window takes (m + 2)² products instead of 9 m²: with matrices A, B and G for m,

    Y = Aᵀ [(G g Gᵀ) ∘ (Bᵀ d B)] A

for the window g and the (m + 2) x (m + 2) points d that it reads. Summed over channels, the products in the middle are
(m + 2)² independent products of matrices, points by channels times channels by features, which are plain contractions. What is
left are three transforms, each an op here; all have channels or features last, so that these are lanes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xdsl.dialects.builtin import DenseArrayBase, Float32Type, Float64Type, IntegerAttr, TensorType, UnitAttr, i64
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects.structured_base import StructuredOp, element_type_of, i64_array, results_of, shape_of

Matrix = tuple[tuple[float, ...], ...]

TAPS = 3
"""Points of a window along each side."""


@dataclass(frozen=True)
class Transforms:
    """The matrices of F(m, 3), rows first."""

    image: Matrix
    """Bᵀ, of m + 2 rows and columns."""
    window: Matrix
    """G, of m + 2 rows and 3 columns."""
    result: Matrix
    """Aᵀ, of m rows and m + 2 columns."""


TRANSFORMS = {
    # The polynomials are those of the points 0, 1, -1 and infinity.
    2: Transforms(
        image=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
        window=((1, 0, 0), (1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (0, 0, 1)),
        result=((1, 1, 1, 0), (0, 1, -1, -1)),
    ),
    # 0, 1, -1, 2, -1/2 and infinity: half the error of the usual 0, 1, -1, 2, -2, since what cancels is smaller.
    4: Transforms(
        image=(
            (1, 3 / 2, -2, -3 / 2, 1, 0),
            (0, -1, -5 / 2, -1 / 2, 1, 0),
            (0, 1, 1 / 2, -5 / 2, 1, 0),
            (0, -1 / 2, -1, 1 / 2, 1, 0),
            (0, 2, -1, -2, 1, 0),
            (0, 1, 3 / 2, -2, -3 / 2, 1),
        ),
        window=(
            (1, 0, 0),
            (-1 / 3, -1 / 3, -1 / 3),
            (1 / 3, -1 / 3, 1 / 3),
            (1 / 15, 2 / 15, 4 / 15),
            (-16 / 15, 8 / 15, -4 / 15),
            (0, 0, 1),
        ),
        result=(
            (1, 1, 1, 1, 1, 0),
            (0, 1, -1, 2, -1 / 2, 0),
            (0, 1, 1, 4, 1 / 4, 0),
            (0, 1, -1, 8, -1 / 8, 1),
        ),
    ),
}
"""Transforms by m."""


class WinogradOp(StructuredOp):
    """What the transforms share: one input, one destination, and the tile; on tensors only: step 4 makes loops of them."""

    input = operand_def(TensorType)
    out = operand_def(TensorType)
    tile = prop_def(IntegerAttr.constr(i64))

    @property
    def m(self) -> int:
        """Results of a tile along each side."""
        return self.tile.value.data

    @property
    def products(self) -> int:
        """Products of a tile."""
        return (self.m + TAPS - 1) ** 2

    @property
    def destinations(self) -> Sequence[SSAValue]:
        """See `StructuredOp`."""
        return (self.out,)

    @classmethod
    def split_operands(cls, ins: Sequence[SSAValue], outs: Sequence[SSAValue]) -> list[Any]:
        """See `StructuredOp`."""
        return [ins[0], outs[0]]

    def verify_tile(self) -> None:
        """Check what the ops have in common (C1, C2)."""
        self.verify_destinations()
        if self.m not in TRANSFORMS:
            raise VerifyException(
                f"{self.name}: C1: tile must be one of {', '.join(map(str, TRANSFORMS))}, not {self.m}"
            )
        kinds = element_type_of(self.input), element_type_of(self.out)
        if kinds[0] != kinds[1] or not isinstance(kinds[0], Float32Type | Float64Type):
            raise VerifyException(
                f"{self.name}: C2: needs elements of one type, f32 or f64, not {kinds[0]} and {kinds[1]}"
            )
        if any(n < 1 for v in (self.input, self.out) for n in shape_of(v)):
            raise VerifyException(f"{self.name}: C2: every extent must be known and at least 1")

    def expect(self, value: SSAValue, shape: Sequence[int], what: str) -> None:
        """Check the shape of an operand (C3)."""
        if shape_of(value) != tuple(shape):
            raise VerifyException(
                f"{self.name}: C3: {what} must have the shape {list(shape)}, not {list(shape_of(value))}"
            )

    def expect_rank(self, value: SSAValue, rank: int, what: str) -> None:
        """Check the rank of an operand (C3)."""
        if len(shape_of(value)) != rank:
            raise VerifyException(f"{self.name}: C3: {what} must have {rank} dims, not {len(shape_of(value))}")


@irdl_op_definition
class WinogradFilterOp(WinogradOp):
    """Transforms windows: `r[a (m + 2) + b, c, f] = sum over k, l of G[a, k] G[b, l] w[k, l, c, f]`.

    Semantics: the input is `3 x 3 x channels x features`, with `channels_first` `channels x 3 x 3 x features`; the result a
    matrix of channels by features for each product.

    Constraints:
        C1: tile (m) is 2 or 4.
        C2: elements of one type, f32 or f64; no extent of 0.
        C3: the input is `3 x 3 x C x F`, or `C x 3 x 3 x F`, the destination `(m + 2)² x C x F`.

    Example:
        ```mlir
        %u = structured.winograd_filter ins(%w : tensor<3x3x8x16xf32>) outs(%e : tensor<16x8x16xf32>) {tile = 2 : i64}
            -> tensor<16x8x16xf32>
        ```
    """

    name = "structured.winograd_filter"
    channels_first = opt_prop_def(UnitAttr)

    def __init__(self, value: SSAValue, out: SSAValue, tile: int, *, channels_first: bool = False):
        super().__init__(
            operands=[value, out],
            result_types=[results_of([out])],
            properties={"channels_first": UnitAttr() if channels_first else None, "tile": IntegerAttr(tile, i64)},
        )

    def verify_(self) -> None:
        """Check the constraints."""
        self.verify_tile()
        self.expect_rank(self.input, 4, "the input")
        features = shape_of(self.input)[-1]
        channels = shape_of(self.input)[0 if self.channels_first else 2]
        taps = (TAPS, TAPS)
        self.expect(
            self.input, (channels, *taps, features) if self.channels_first else (*taps, channels, features), "the input"
        )
        self.expect(self.out, (self.products, channels, features), "the destination")


@irdl_op_definition
class WinogradInputOp(WinogradOp):
    """Transforms the tiles of images: `r[a (m + 2) + b, p, c] = sum over i, j of Bᵀ[a, i] Bᵀ[b, j] x[n, m t + i - top, m u + j - left, c]`.

    Semantics: p is `(n * T + t) * U + u` for the tile (t, u) of T x U (`tiles`) of image n; (top, left) is `low`. Points outside of
    the image are 0.

    Constraints:
        C1: tile (m) is 2 or 4.
        C2: elements of one type, f32 or f64; no extent of 0.
        C3: the input is `N x H x W x C`, the destination `(m + 2)² x N T U x C`.
        C4: tiles are two positive numbers, low two that are not negative.

    Example:
        ```mlir
        %v = structured.winograd_input ins(%x : tensor<1x7x7x8xf32>) outs(%e : tensor<16x16x8xf32>)
            {tile = 2 : i64, tiles = array<i64: 4, 4>, low = array<i64: 1, 1>} -> tensor<16x16x8xf32>
        ```
    """

    name = "structured.winograd_input"
    tiles = prop_def(DenseArrayBase.constr(i64))
    low = prop_def(DenseArrayBase.constr(i64))

    def __init__(self, value: SSAValue, out: SSAValue, tile: int, tiles: Sequence[int], low: Sequence[int]):
        super().__init__(
            operands=[value, out],
            result_types=[results_of([out])],
            properties={"tiles": i64_array(tiles), "low": i64_array(low), "tile": IntegerAttr(tile, i64)},
        )

    def verify_(self) -> None:
        """Check the constraints."""
        self.verify_tile()
        tiles, low = self.tiles.get_values(), self.low.get_values()
        if len(tiles) != 2 or len(low) != 2 or min(tiles) < 1 or min(low) < 0:
            raise VerifyException(
                f"{self.name}: C4: tiles must be two positive numbers and low two that are not negative,"
                f" not {list(tiles)} and {list(low)}"
            )
        self.expect_rank(self.input, 4, "the input")
        batch, _, _, channels = shape_of(self.input)
        self.expect(self.out, (self.products, batch * tiles[0] * tiles[1], channels), "the destination")


@irdl_op_definition
class WinogradOutputOp(WinogradOp):
    """Transforms products back: `r[n, m t + i, m u + j, f] = sum over a, b of Aᵀ[i, a] Aᵀ[j, b] y[a (m + 2) + b, p, f]`.

    Semantics: p is `(n * T + t) * U + u`, with as many tiles T x U as the result needs; what the last tiles have beyond
    it is dropped.

    Constraints:
        C1: tile (m) is 2 or 4.
        C2: elements of one type, f32 or f64; no extent of 0.
        C3: the destination is `N x H x W x F`, the input `(m + 2)² x N T U x F` with T = ceil(H / m), U = ceil(W / m).

    Example:
        ```mlir
        %y = structured.winograd_output ins(%p : tensor<16x16x8xf32>) outs(%e : tensor<1x7x7x8xf32>) {tile = 2 : i64}
            -> tensor<1x7x7x8xf32>
        ```
    """

    name = "structured.winograd_output"

    def __init__(self, value: SSAValue, out: SSAValue, tile: int):
        super().__init__(
            operands=[value, out], result_types=[results_of([out])], properties={"tile": IntegerAttr(tile, i64)}
        )

    @property
    def tiles(self) -> tuple[int, int]:
        """Tiles along each side of an image."""
        _, rows, columns, _ = shape_of(self.out)
        return tiles_of(rows, self.m), tiles_of(columns, self.m)

    def verify_(self) -> None:
        """Check the constraints."""
        self.verify_tile()
        self.expect_rank(self.out, 4, "the destination")
        batch, _, _, features = shape_of(self.out)
        down, across = self.tiles
        self.expect(self.input, (self.products, batch * down * across, features), "the input")


def tiles_of(extent: int, m: int) -> int:
    """Tiles of m results that so many results take."""
    return -(-extent // m)


__all__ = [
    "TAPS",
    "TRANSFORMS",
    "Matrix",
    "Transforms",
    "WinogradFilterOp",
    "WinogradInputOp",
    "WinogradOp",
    "WinogradOutputOp",
    "tiles_of",
]
