"""Index expressions: whatever is simplified, composed or split means the same at every point."""

from __future__ import annotations

import itertools
import random
from math import prod

import pytest
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap

from stepwell.ir.affine_compose import (
    collapse_exprs,
    compose,
    expand_exprs,
    has_division,
    make_map,
    offset_dim,
    simplify,
    unflatten,
)

D = [AffineDimExpr(i) for i in range(4)]


def points(bounds):
    return itertools.product(*(range(b) for b in bounds))


def random_expr(rng: random.Random, depth: int) -> AffineExpr:
    if depth == 0:
        return rng.choice([*D, AffineConstantExpr(rng.randrange(9))])
    left, right = random_expr(rng, depth - 1), random_expr(rng, depth - 1)
    match rng.randrange(4):
        case 0:
            return left + right
        case 1:
            return left * rng.randrange(1, 9)
        case 2:
            return left // rng.randrange(1, 9)
        case _:
            return left % rng.randrange(1, 9)


def test_simplify_keeps_every_value():
    rng = random.Random(1)
    bounds = (3, 1, 5, 2)
    for _ in range(300):
        expr = random_expr(rng, 3)
        simple = simplify(expr, bounds)
        assert all(simple.eval(p, ()) == expr.eval(p, ()) for p in points(bounds)), f"{expr} became {simple}"


def test_compose_is_substitution():
    rng = random.Random(2)
    bounds = (3, 2, 4, 2)
    for _ in range(100):
        outer = [random_expr(rng, 2) for _ in range(2)]
        inner = [random_expr(rng, 1) for _ in range(4)]
        both = make_map(4, compose(outer, inner, bounds))
        for p in points(bounds):
            middle = tuple(e.eval(p, ()) for e in inner)
            assert both.eval(p, ()) == AffineMap(4, 0, tuple(outer)).eval(middle, ())


@pytest.mark.parametrize(
    ("expr", "bounds", "text"),
    [
        ((D[0] * 8 + D[1]) // 8, (4, 8), "d0"),
        ((D[0] * 8 + D[1]) % 8, (4, 8), "d1"),
        ((D[0] * 8 + D[1] + 16) // 8, (4, 8), "(d0 + 2)"),
        ((D[0] * 8 + D[1]) // 8, (4, 9), "(d0 + (d1 floordiv 8))"),
        (D[0] * 4 + D[1], (4, 1), "(d0 * 4)"),
    ],
)
def test_divisions_that_bounds_resolve(expr, bounds, text):
    assert str(simplify(expr, bounds)) == text


@pytest.mark.parametrize(
    ("expr", "size", "bounds", "parts"),
    [
        (D[0] * 8 + D[1], 96, (4, 8), ["12 d0", "8 d1"]),
        (D[0] * 8 + D[1] + 32, 96, (4, 8), ["12 (d0 + 4)", "8 d1"]),
        (D[0] * 8 + D[1] + 36, 96, (4, 4), ["12 (d0 + 4)", "8 (d1 + 4)"]),
        (D[0] * 8, 96, (4,), ["12 d0", "8 0"]),
        (D[0] * 12 + D[1] * 4 + D[2], 24, (2, 3, 4), ["2 d0", "3 d1", "4 d2"]),
        (D[0] * 8 + D[1] + 36, 96, (4, 8), None),  # the inner index would leave its factor
        (D[0] + D[1], 10, (4, 7), None),
        (D[0] * 8 + D[1], 100, (4, 8), None),  # strides do not divide the dim
        (D[0] * -1 + 7, 8, (8,), None),
    ],
)
def test_unflatten(expr, size, bounds, parts):
    got = unflatten(expr, size, bounds)
    assert (None if got is None else [f"{n} {e}" for n, e in got]) == parts
    if got is None:
        return
    assert prod(n for n, _ in got) == size
    for p in points(bounds):
        linear = 0
        for n, e in got:
            index = e.eval(p, ())
            assert 0 <= index < n
            linear = linear * n + index
        assert linear == expr.eval(p, ())


def test_reshapes_undo_each_other():
    shape, groups = (2, 3, 4), [[0, 1], [2]]
    into = expand_exprs(D[:3], groups, shape)
    assert [str(e) for e in into] == ["((d0 * 3) + d1)", "d2"]
    back = [simplify(e, shape) for e in collapse_exprs(into, groups, shape)]
    assert back == D[:3]


def test_reshape_of_a_scalar():
    assert expand_exprs(D[:2], [], (1, 1)) == ()
    assert collapse_exprs((), [], (1, 1)) == (AffineConstantExpr(0), AffineConstantExpr(0))


def test_small_questions():
    assert offset_dim(D[1]) == (1, 0)
    assert offset_dim(D[1] + 3) == (1, 3)
    assert offset_dim(AffineConstantExpr(4)) == (None, 4)
    assert offset_dim(D[1] * 2) is None
    assert has_division(D[0] + D[1] // 2)
    assert not has_division(D[0] * 2 + 1)
