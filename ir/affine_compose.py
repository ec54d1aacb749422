"""Composing and simplifying index expressions with known loop bounds.

xDSL's own `simplify` knows nothing of bounds, so `(d0 * 8 + d1) floordiv 8` stays although `d1 < 8` makes it `d0`. Here an
expression is flattened to a linear form over atoms (dims, and the `floordiv`/`mod` that remain), and divisions are
resolved by the range of each part. All expressions index tensors, so they are never negative.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
)

Exprs = tuple[AffineExpr, ...]

_Linear = tuple[dict[AffineExpr, int], int]


def identity_exprs(count: int) -> Exprs:
    """`(d0, ..., d{count-1})`."""
    return tuple(AffineDimExpr(d) for d in range(count))


def compose(exprs: Sequence[AffineExpr], dims: Sequence[AffineExpr], bounds: Sequence[int]) -> Exprs:
    """`exprs` with dim i replaced by `dims[i]`, simplified for dims that run below `bounds`."""
    return tuple(_substitute(e, dims, bounds) for e in exprs)


def simplify(expr: AffineExpr, bounds: Sequence[int]) -> AffineExpr:
    """An equal, simpler expression where dim i runs over `0 .. bounds[i] - 1`."""
    if isinstance(expr, AffineDimExpr | AffineConstantExpr):
        return expr
    return _rebuild(_linear(expr, bounds))


def _substitute(expr: AffineExpr, dims: Sequence[AffineExpr], bounds: Sequence[int]) -> AffineExpr:
    if isinstance(expr, AffineDimExpr):
        return dims[expr.position]
    if isinstance(expr, AffineConstantExpr):
        return expr
    return simplify(expr.replace_dims_and_symbols(dims, ()), bounds)


def _linear(expr: AffineExpr, bounds: Sequence[int]) -> _Linear:
    """`expr` as (coefficient per atom, constant)."""
    if isinstance(expr, AffineConstantExpr):
        return {}, expr.value
    if isinstance(expr, AffineDimExpr):
        # A dim of extent one is always 0.
        return ({}, 0) if bounds[expr.position] == 1 else ({expr: 1}, 0)
    assert isinstance(expr, AffineBinaryOpExpr), f"index expression with symbols: {expr}"
    terms, const = _linear(expr.lhs, bounds)
    other, other_const = _linear(expr.rhs, bounds)
    match expr.kind:
        case AffineBinaryOpKind.Add:
            for atom, factor in other.items():
                terms[atom] = terms.get(atom, 0) + factor
            return {a: f for a, f in terms.items() if f}, const + other_const
        case AffineBinaryOpKind.Mul:
            if terms and other:
                raise ValueError(f"index expression is not affine: {expr}")
            if not other:
                return {a: f * other_const for a, f in terms.items() if other_const}, const * other_const
            return {a: f * const for a, f in other.items() if const}, const * other_const
        case AffineBinaryOpKind.FloorDiv:
            return _divide((terms, const), other_const, bounds)[0]
        case AffineBinaryOpKind.Mod:
            return _divide((terms, const), other_const, bounds)[1]
        case AffineBinaryOpKind.CeilDiv:
            return _divide((terms, const + other_const - 1), other_const, bounds)[0]


def _divide(linear: _Linear, divisor: int, bounds: Sequence[int]) -> tuple[_Linear, _Linear]:
    """Quotient and remainder of a linear form by a positive constant."""
    terms, const = linear
    whole = {a: f // divisor for a, f in terms.items() if f % divisor == 0}
    part: _Linear = ({a: f for a, f in terms.items() if f % divisor}, const % divisor)
    low, high = _linear_range(part, bounds)
    if 0 <= low and high < divisor:
        return (whole, const // divisor), part
    rest = _rebuild(part)
    quotient = AffineBinaryOpExpr(AffineBinaryOpKind.FloorDiv, rest, AffineConstantExpr(divisor))
    remainder = AffineBinaryOpExpr(AffineBinaryOpKind.Mod, rest, AffineConstantExpr(divisor))
    return ({**whole, quotient: whole.get(quotient, 0) + 1}, const // divisor), ({remainder: 1}, 0)


def _rebuild(linear: _Linear) -> AffineExpr:
    terms, const = linear
    dims = sorted((a for a in terms if isinstance(a, AffineDimExpr)), key=lambda a: a.position)
    others = [a for a in terms if not isinstance(a, AffineDimExpr)]
    result: AffineExpr | None = None
    for atom in (*dims, *others):
        term = atom if terms[atom] == 1 else atom * terms[atom]
        result = term if result is None else result + term
    if result is None:
        return AffineConstantExpr(const)
    return result + const if const else result


def expr_range(expr: AffineExpr, bounds: Sequence[int]) -> tuple[int, int]:
    """Smallest and largest value of `expr`."""
    return _linear_range(_linear(expr, bounds), bounds)


def _linear_range(linear: _Linear, bounds: Sequence[int]) -> tuple[int, int]:
    terms, low = linear
    high = low
    for atom, factor in terms.items():
        first, last = _atom_range(atom, bounds)
        low += factor * (first if factor > 0 else last)
        high += factor * (last if factor > 0 else first)
    return low, high


def _atom_range(atom: AffineExpr, bounds: Sequence[int]) -> tuple[int, int]:
    if isinstance(atom, AffineDimExpr):
        return 0, max(bounds[atom.position] - 1, 0)
    assert isinstance(atom, AffineBinaryOpExpr)
    assert isinstance(atom.rhs, AffineConstantExpr)
    divisor = atom.rhs.value
    if atom.kind is AffineBinaryOpKind.Mod:
        return 0, divisor - 1
    low, high = expr_range(atom.lhs, bounds)
    return low // divisor, high // divisor


def has_division(expr: AffineExpr) -> bool:
    """True when `expr` contains a floordiv, ceildiv or mod."""
    if not isinstance(expr, AffineBinaryOpExpr):
        return False
    if expr.kind not in (AffineBinaryOpKind.Add, AffineBinaryOpKind.Mul):
        return True
    return has_division(expr.lhs) or has_division(expr.rhs)


def offset_dim(expr: AffineExpr) -> tuple[int | None, int] | None:
    """`(dim, offset)` of `d + c`, `(None, c)` of a constant, None of anything else."""
    if isinstance(expr, AffineDimExpr):
        return expr.position, 0
    if isinstance(expr, AffineConstantExpr):
        return None, expr.value
    if isinstance(expr, AffineBinaryOpExpr) and expr.kind is AffineBinaryOpKind.Add:
        if isinstance(expr.lhs, AffineDimExpr) and isinstance(expr.rhs, AffineConstantExpr):
            return expr.lhs.position, expr.rhs.value
    return None


def unflatten(expr: AffineExpr, size: int, bounds: Sequence[int]) -> tuple[tuple[int, AffineExpr], ...] | None:
    """Split an index like `d1 * 8 + d3 + 16` into one index per factor of the dimension it walks.

    Returns `((n0, e0), (n1, e1), ...)` with `n0 * n1 * ... == size`, each `e` a constant or a dim plus a constant, such
    that a tensor whose dimension of `size` is expanded to `n0 x n1 x ...` is read at `e0, e1, ...`; None when the
    strides do not nest.
    """
    if has_division(expr):
        return None
    terms, const = _linear(expr, bounds)
    if not terms or const < 0 or any(f <= 0 for f in terms.values()):
        return None
    ordered = sorted(terms.items(), key=lambda item: -item[1])
    strides = [f for _, f in ordered]
    dims: list[AffineExpr | None] = [a for a, _ in ordered]
    if strides[-1] != 1:
        strides.append(1)
        dims.append(None)
    parts: list[tuple[int, AffineExpr]] = []
    outer = size
    for stride, dim in zip(strides, dims, strict=True):
        if outer % stride or outer == 0:
            return None
        extent, offset = outer // stride, const // stride
        last = offset + (bounds[dim.position] - 1 if isinstance(dim, AffineDimExpr) else 0)
        if last >= extent:
            return None
        const -= offset * stride
        parts.append((extent, AffineConstantExpr(offset) if dim is None else dim + offset if offset else dim))
        outer = stride
    return tuple(parts)


def expand_exprs(exprs: Sequence[AffineExpr], groups: Sequence[Sequence[int]], shape: Sequence[int]) -> Exprs:
    """Indices into the source of an `expand_shape` whose result of `shape` is read at `exprs`."""
    result: list[AffineExpr] = []
    for group in groups:
        index: AffineExpr = AffineConstantExpr(0)
        for dim in group:
            index = index * shape[dim] + exprs[dim]
        result.append(index)
    return tuple(result)


def collapse_exprs(exprs: Sequence[AffineExpr], groups: Sequence[Sequence[int]], shape: Sequence[int]) -> Exprs:
    """Indices into the source (of `shape`) of a `collapse_shape` whose result is read at `exprs`."""
    result: dict[int, AffineExpr] = {}
    for index, group in zip(exprs, groups, strict=True):
        for position in range(len(group) - 1, -1, -1):
            dim = group[position]
            if position == 0:
                result[dim] = index
            else:
                result[dim] = index % shape[dim] if shape[dim] != 1 else AffineConstantExpr(0)
                index = index // shape[dim] if shape[dim] != 1 else index
    return tuple(result.get(d, AffineConstantExpr(0)) for d in range(len(shape)))


def make_map(num_dims: int, exprs: Sequence[AffineExpr]) -> AffineMap:
    """The map `(d0, ..., dn) -> exprs`."""
    return AffineMap(num_dims, 0, tuple(exprs))
