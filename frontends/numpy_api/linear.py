"""Contractions: matmul and its kin, einsum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stepwell.frontends.api import api
from stepwell.frontends.dtypes import BOOL, INT32, as_dtype
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api import reductions
from stepwell.frontends.numpy_api.core import broadcast, broadcast_shapes, lifted, one_axis
from stepwell.frontends.numpy_api.indexing import diagonal
from stepwell.frontends.numpy_api.manipulation import expand_dims, moveaxis, reshape, transpose
from stepwell.frontends.numpy_api.reductions import reduced
from stepwell.frontends.tracer import Tracer, converted, current_trace, emit, promoted, static_int

Dims = Sequence[int]


def contract(a: Tracer, b: Tracer, batch: tuple[Dims, Dims], summed: tuple[Dims, Dims], dtype: Any = None) -> Tracer:
    """`dot_general` of arrays of one dtype; of booleans it is any-of-ands."""
    for i, j in zip(summed[0], summed[1], strict=True):
        if a.shape[i] != b.shape[j]:
            raise refuse(f"shapes {a.shape} and {b.shape} do not fit: dim {i} and dim {j} are summed together")
    if a.dtype == BOOL:
        counted = contract(converted(a, INT32), converted(b, INT32), batch, summed)
        return converted(emit("compare", "NE", counted, broadcast(current_trace().lift(0, INT32), counted.shape)), BOOL)
    return emit("dot_general", a, b, batch, summed, dtype)


def _wanted(preferred: Any) -> Any:
    return None if preferred is None else as_dtype(preferred)


@api()
def matmul(x1: Any, x2: Any, /, *, preferred_element_type: Any = None) -> Any:
    """The matrix product over the last two dims, the others broadcast; a 1-d operand is a row or a column.

    `preferred_element_type` is the dtype of the sum and the result (int32 for int8 operands, say).

    >>> from stepwell import numpy as snp
    >>> a, b = snp.asarray([[1, 2], [3, 4]]), snp.asarray([[5, 6], [7, 8]])
    >>> snp.matmul(a, b).tolist()
    [[19, 22], [43, 50]]
    """
    (a, b), _, _ = promoted(x1, x2)
    if not a.shape or not b.shape:
        raise refuse("matmul takes no 0-d operands", "use multiply")
    row, column = len(a.shape) == 1, len(b.shape) == 1
    inner = a.shape[-1], b.shape[0 if column else -2]
    if inner[0] != inner[1]:
        hint = "the last dim of x1 must equal the second-to-last (or only) dim of x2"
        raise refuse(f"matmul: shapes {a.shape} and {b.shape} do not fit: {inner[0]} is not {inner[1]}", hint)
    dtype = _wanted(preferred_element_type)
    if column or len(b.shape) == 2:
        return contract(a, b, ((), ()), ((len(a.shape) - 1,), (0,)), dtype)
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if row:
        a = expand_dims(a, 0)
    a = broadcast(a, (*batch, *a.shape[-2:]))
    b = broadcast(b, (*batch, *b.shape[-2:]))
    outer, rank = tuple(range(len(batch))), len(batch)
    result = contract(a, b, (outer, outer), ((rank + 1,), (rank,)), dtype)
    return reshape(result, (*batch, result.shape[-1])) if row else result


@api("x1", "x2")
def dot(x1: Any, x2: Any, /, *, preferred_element_type: Any = None) -> Any:
    """NumPy's dot: over the last dim of x1 and the second-to-last of x2; with a 0-d operand a product.

    >>> from stepwell import numpy as snp
    >>> snp.dot(snp.asarray([1.0, 2.0]), snp.asarray([3.0, 4.0])).item()
    11.0
    """
    (a, b), _, _ = promoted(x1, x2)
    if not a.shape or not b.shape:
        shape = broadcast_shapes(a.shape, b.shape)
        return emit("binary", "multiply", broadcast(a, shape), broadcast(b, shape))
    summed = ((len(a.shape) - 1,), (max(len(b.shape) - 2, 0),))
    return contract(a, b, ((), ()), summed, _wanted(preferred_element_type))


@api()
def vdot(x1: Any, x2: Any, /) -> Any:
    """The product of all elements, summed; x1 is conjugated."""
    (a, b), dtype, _ = promoted(x1, x2)
    a = emit("unary", "conj", a) if dtype.kind == "c" else a
    return dot(reshape(a, (-1,)), reshape(b, (-1,)))


@api()
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """The dot product of vectors along an axis, the other dims broadcast; x1 is conjugated."""
    (a, b), dtype, _ = promoted(x1, x2)
    a = emit("unary", "conj", a) if dtype.kind == "c" else a
    if not a.shape or not b.shape:
        raise refuse("vecdot takes no 0-d operands", "use multiply")
    dims = one_axis(axis, len(a.shape)), one_axis(axis, len(b.shape))
    left, right = moveaxis(a, dims[0], -1), moveaxis(b, dims[1], -1)
    if left.shape[-1] != right.shape[-1]:
        raise refuse(f"vecdot: shapes {a.shape} and {b.shape} differ in the summed dim")
    shape = broadcast_shapes(left.shape, right.shape)
    outer, last = tuple(range(len(shape) - 1)), (len(shape) - 1,)
    return contract(broadcast(left, shape), broadcast(right, shape), (outer, outer), (last, last))


@api()
def outer(x1: Any, x2: Any, /) -> Any:
    """All products of elements."""
    (a, b), _, _ = promoted(x1, x2)
    a, b = reshape(a, (-1, 1)), reshape(b, (1, -1))
    shape = (a.shape[0], b.shape[1])
    return emit("binary", "multiply", broadcast(a, shape), broadcast(b, shape))


@api()
def tensordot(x1: Any, x2: Any, /, axes: Any = 2, *, preferred_element_type: Any = None) -> Any:
    """The product summed over `axes`: their number, or two lists of them."""
    (a, b), _, _ = promoted(x1, x2)
    if isinstance(axes, tuple | list):
        first, second = (x if isinstance(x, tuple | list) else (x,) for x in axes)
    else:
        count = static_int(axes, "axes")
        first, second = range(len(a.shape) - count, len(a.shape)), range(count)
    left, right = ([one_axis(d, len(x.shape)) for d in dims] for x, dims in ((a, first), (b, second)))
    if len(left) != len(right):
        raise refuse(f"tensordot: {len(left)} axes of x1, {len(right)} of x2")
    return contract(a, b, ((), ()), (left, right), _wanted(preferred_element_type))


@api()
def trace(x: Any, /) -> Any:
    """The sum of the diagonal of the first two dims."""
    a = lifted(x)
    if len(a.shape) < 2:
        raise refuse(f"trace needs at least two dims, got shape {a.shape}")
    return reductions.sum(diagonal(moveaxis(a, (0, 1), (-2, -1))), -1)


# einsum ------------------------------------------------------------------------------------------------------------


@api()
def einsum(subscripts: str, /, *operands: Any, preferred_element_type: Any = None) -> Any:
    """Sums of products over labelled dims, in an order chosen from the shapes.

    >>> from stepwell import numpy as snp
    >>> a = snp.asarray([[1, 2], [3, 4]])
    >>> snp.einsum("ij,ij->i", a, a).tolist()
    [5, 25]
    """
    tracers, _, _ = promoted(*operands)
    labels, output = _parsed(subscripts, [t.shape for t in tracers])
    terms = list(zip(labels, tracers, strict=True))
    dtype = _wanted(preferred_element_type)
    for chosen in _order(labels, output, terms):
        picked = [terms[i] for i in chosen]
        terms = [term for i, term in enumerate(terms) if i not in chosen]
        needed = output + "".join(t for t, _ in terms)
        if len(picked) == 1:
            terms.append(_summed(*_diagonal(*picked[0]), needed))
        else:
            first, second = picked
            terms.append(_pair(first, second, needed, dtype))
    label, result = terms[0]
    return transpose(result, tuple(label.index(c) for c in output))


def _order(labels: list[str], output: str, terms: list[tuple[str, Tracer]]) -> list[tuple[int, ...]]:
    """Which terms to contract together, step by step; each step's result goes to the end."""
    if len(terms) == 1:
        return [(0,)]
    if len(terms) == 2:
        return [(0, 1)]
    shapes = [np.broadcast_to(np.int8(0), t.shape) for _, t in terms]
    path, _ = np.einsum_path(f"{','.join(labels)}->{output}", *shapes, optimize=("greedy", 2**62))
    steps: list[tuple[int, ...]] = []
    for step in path[1:]:
        numbers = tuple(int(i) for i in step)
        steps.extend([numbers] if len(numbers) <= 2 else [(0, 1)] * (len(numbers) - 1))
    return steps


def _parsed(subscripts: str, shapes: Sequence[tuple[int, ...]]) -> tuple[list[str], str]:
    text = subscripts.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    parts = inputs.split(",")
    if len(parts) != len(shapes):
        raise refuse(f"einsum: '{subscripts}' describes {len(parts)} operands, got {len(shapes)}")
    free = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBAzyxwvutsrqponmlkjihgfedcba" if c not in text]
    ranks = [len(s) - len(p.replace("...", "")) if "..." in p else 0 for p, s in zip(parts, shapes, strict=True)]
    dots = "".join(free[: max(ranks, default=0)])
    labels = [p.replace("...", dots[len(dots) - r :]) for p, r in zip(parts, ranks, strict=True)]
    if not arrow:
        joined = "".join(labels)
        output = dots + "".join(c for c in sorted({*joined}) if joined.count(c) == 1 and c not in dots)
    output = output.replace("...", dots)
    _check_labels(subscripts, labels, output, shapes)
    return labels, output


def _check_labels(subscripts: str, labels: list[str], output: str, shapes: Sequence[tuple[int, ...]]) -> None:
    extents: dict[str, int] = {}
    for label, shape in zip(labels, shapes, strict=True):
        if len(label) != len(shape) or not all(c.isalpha() for c in label):
            raise refuse(f"einsum: '{label}' of '{subscripts}' does not describe an array of shape {shape}")
        for c, extent in zip(label, shape, strict=True):
            if extents.setdefault(c, extent) != extent:
                raise refuse(f"einsum: '{c}' of '{subscripts}' is both {extents[c]} and {extent}")
    for c in output:
        if c not in extents or output.count(c) > 1:
            raise refuse(f"einsum: the output label '{c}' of '{subscripts}' is repeated or not an input's")


def _diagonal(label: str, x: Tracer) -> tuple[str, Tracer]:
    """One dim instead of two with the same label: all but the diagonal masked, then summed away."""
    for c in label:
        while label.count(c) > 1:
            i, j = label.index(c), label.rindex(c)
            mask = emit("compare", "EQ", emit("iota", INT32, x.shape, i), emit("iota", INT32, x.shape, j))
            zero = broadcast(current_trace().lift(0, x.dtype), x.shape)
            x = reduced(emit("select", mask, x, zero), (j,), "or" if x.dtype == BOOL else "add", 0, False)
            label = label[:j] + label[j + 1 :]
    return label, x


def _summed(label: str, x: Tracer, needed: str) -> tuple[str, Tracer]:
    """The dims that nothing else needs, summed."""
    dims = tuple(i for i, c in enumerate(label) if c not in needed)
    if not dims:
        return label, x
    total = reductions.any(x, dims) if x.dtype == BOOL else reductions.sum(x, dims, dtype=x.dtype)
    return "".join(c for c in label if c in needed), total


def _pair(first: tuple[str, Tracer], second: tuple[str, Tracer], needed: str, dtype: Any) -> tuple[str, Tracer]:
    (la, a), (lb, b) = _diagonal(*first), _diagonal(*second)
    la, a = _summed(la, a, needed + lb)
    lb, b = _summed(lb, b, needed + la)
    common = [c for c in la if c in lb]
    batch = [c for c in common if c in needed]
    summed = [c for c in common if c not in needed]
    result = contract(
        a,
        b,
        ([la.index(c) for c in batch], [lb.index(c) for c in batch]),
        ([la.index(c) for c in summed], [lb.index(c) for c in summed]),
        dtype,
    )
    rest = [c for c in la if c not in common] + [c for c in lb if c not in common]
    return "".join(batch + rest), result
