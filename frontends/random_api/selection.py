"""Permutations and samples of arrays, from a key."""

from __future__ import annotations

import math
from typing import Any

from stepwell.frontends.api import api
from stepwell.frontends.dtypes import INT32, inexact
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import broadcast, extents, lifted, one_axis
from stepwell.frontends.numpy_api.indexing import take
from stepwell.frontends.numpy_api.manipulation import reshape
from stepwell.frontends.numpy_api.reductions import cumsum, sum
from stepwell.frontends.numpy_api.sorting import argsort
from stepwell.frontends.random_api.distributions import between, draw_gumbel, randint
from stepwell.frontends.random_api.keys import checked, raw_bits, split_in_two
from stepwell.frontends.tracer import Tracer, body, converted, emit, emit_all, is_scalar, static_int


def _shuffled(key: Tracer, x: Tracer, axis: int) -> Tracer:
    """Sorted by random numbers along an axis, so often that equal ones hardly matter."""
    rounds = math.ceil(3 * math.log(max(1, x.size)) / math.log(2**32 - 1))
    for _ in range(rounds):
        key, sub = split_in_two(key)
        order = raw_bits(sub, 32, x.shape)
        x = emit_all("sort", [order, x], axis, body(lambda a, b, *_: [emit("compare", "LT", a, b)]))[1]
    return x


def _indices(key: Tracer, count: int) -> Tracer:
    return _shuffled(key, emit("iota", INT32, [count], 0), 0)


@api()
def permutation(key: Any, x: Any, axis: int = 0, independent: bool = False) -> Any:
    """The elements of an array along an axis (or the integers below x) in random order.

    `independent`: each line in an order of its own.
    """
    a_key = checked(key)
    if is_scalar(x):
        return _indices(a_key, _count(x))
    a = lifted(x)
    if not a.shape:
        raise refuse("a permutation of a 0-d array", "give a Python integer, or an array of at least one dim")
    dim = one_axis(axis, len(a.shape))
    if independent or len(a.shape) == 1:
        return _shuffled(a_key, a, dim)
    return take(a, _indices(a_key, a.shape[dim]), axis=dim)


def _count(x: Any) -> int:
    count = static_int(x, "the number of integers")
    if count < 0:
        raise refuse(f"there are no {count} integers to permute")
    return count


@api()
def choice(key: Any, a: Any, shape: Any = (), replace: bool = True, p: Any = None, axis: int = 0) -> Any:
    """Elements of an array along an axis (or integers below a), with replacement or without, of probabilities p."""
    a_key, size = checked(key), extents(shape)
    source = None if is_scalar(a) else lifted(a)
    if source is not None and not source.shape:
        raise refuse("a choice from a 0-d array", "give a Python integer, or an array of at least one dim")
    dim = 0 if source is None else one_axis(axis, len(source.shape))
    count = _count(a) if source is None else source.shape[dim]
    wanted = math.prod(size)
    if wanted and not count:
        raise refuse("a choice from nothing")
    if not replace and wanted > count:
        raise refuse(f"{wanted} of {count} elements cannot be chosen without replacement")
    places = _places(a_key, count, size, replace, p)
    return places if source is None else take(source, places, axis=dim)


def _places(key: Tracer, count: int, size: tuple[int, ...], replace: bool, p: Any) -> Tracer:
    wanted = math.prod(size)
    if p is None:
        if replace:
            return randint(key, size, 0, count)
        return reshape(emit("slice", _indices(key, count), [0], [wanted], [1]), size)
    chances = lifted(p)
    chances = converted(chances, inexact(chances.dtype))
    if chances.shape != (count,):
        raise refuse(f"p has shape {chances.shape}, there are {count} elements")
    if replace:
        ends = cumsum(chances, 0)
        total = reshape(emit("slice", ends, [count - 1], [count], [1]), ())
        u = between(key, size, chances.dtype, 0.0, 1.0)
        point = emit("binary", "multiply", broadcast(total, size), 1.0 - u)
        whole = (*size, count)
        before = emit("broadcast_in_dim", point, whole, list(range(len(size))))
        passed = emit("compare", "LT", broadcast(ends, whole), before)
        return sum(converted(passed, INT32), -1)
    noise = draw_gumbel(key, (count,), chances.dtype)
    keys = emit("binary", "subtract", emit("unary", "negate", noise), emit("unary", "log", chances))
    return reshape(emit("slice", argsort(keys), [0], [wanted], [1]), size)


__all__ = ["choice", "permutation"]
