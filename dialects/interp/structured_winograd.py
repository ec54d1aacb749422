"""Interpreter rules of `structured.winograd_*`: the matrices of a transform along two dims, one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects.structured_winograd import (
    TAPS,
    TRANSFORMS,
    Matrix,
    WinogradFilterOp,
    WinogradInputOp,
    WinogradOutputOp,
)
from stepwell.ir.interpreter import Interpreter, Value

Array = Any


def _along(matrix: Matrix, array: Array, axis: int) -> Array:
    """The matrix times the array along one axis; what a coefficient of 0 stands before is not read."""
    parts = np.moveaxis(array, axis, 0)
    rows: list[Array] = []
    for row in matrix:
        terms = [array.dtype.type(c) * p for c, p in zip(row, parts, strict=True) if c]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        rows.append(total)
    return np.moveaxis(np.stack(rows), 0, axis)


def _both(matrix: Matrix, array: Array, axes: tuple[int, int]) -> Array:
    with np.errstate(all="ignore"):
        return _along(matrix, _along(matrix, array, axes[0]), axes[1])


def winograd_filter(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    """G on both dims of the windows."""
    del interp
    assert isinstance(op, WinogradFilterOp)
    window, target = args
    if op.channels_first is not None:
        window = np.moveaxis(window, 0, 2)
    return (_both(TRANSFORMS[op.m].window, window, (0, 1)).reshape(target.shape),)


def winograd_input(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    """Tiles cut out of the image in a border of zeros, Bᵀ on both of their dims."""
    del interp
    assert isinstance(op, WinogradInputOp)
    image, target = args
    (down, across), m = op.tiles.get_values(), op.m
    batch, rows, columns, channels = image.shape
    side = m + TAPS - 1
    border = np.zeros((batch, m * down + TAPS - 1, m * across + TAPS - 1, channels), image.dtype)
    top, left = op.low.get_values()
    inner = image[:, : max(0, border.shape[1] - top), : max(0, border.shape[2] - left)]
    border[:, top : top + rows, left : left + columns] = inner
    cut = np.stack([border[:, i : i + m * down : m, j : j + m * across : m] for i in range(side) for j in range(side)])
    cut = cut.reshape(side, side, *cut.shape[1:])
    return (_both(TRANSFORMS[m].image, cut, (0, 1)).reshape(target.shape),)


def winograd_output(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    """Aᵀ on both dims of the products, tiles put next to each other, what is beyond the result dropped."""
    del interp
    assert isinstance(op, WinogradOutputOp)
    products, target = args
    (down, across), m = op.tiles, op.m
    batch, rows, columns, features = target.shape
    side = m + TAPS - 1
    tiles = _both(TRANSFORMS[m].result, products.reshape(side, side, batch, down, across, features), (0, 1))
    whole = tiles.transpose(2, 3, 0, 4, 1, 5).reshape(batch, m * down, m * across, features)
    return (np.ascontiguousarray(whole[:, :rows, :columns]),)


__all__ = ["winograd_filter", "winograd_input", "winograd_output"]
