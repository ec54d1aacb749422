"""Merging loop dims that are contiguous in every tensor: short inner dims become long ones.

`x[i, j]` over all of `tensor<100000x3xf32>` is `collapse(x)[k]` over 300000 elements when every access agrees. The
tensors are collapsed by free reshapes; results are expanded back by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

from xdsl.dialects import tensor
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, TensorType, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr, AffineSymExpr

from stepwell.passes.schedules.emit import Emitter
from stepwell.passes.schedules.nest import Access, Nest, Output, uses_dim

Groups = list[list[int]]


def merge_groups(nests: Sequence[Nest], worth_bytes: int | None, reductions: bool = False) -> Groups | None:
    """Runs of dims that can be one dim; None when nothing merges or the innermost dim is long enough.

    No dim is long enough without `worth_bytes`; with `reductions`, dims that are reduced merge with one another.
    """
    first = nests[0]
    if len(first.sizes) < 2 or (worth_bytes is not None and first.sizes[-1] * 4 >= worth_bytes):
        return None
    if not reductions and any(any(n.reduction) for n in nests):
        return None
    indexed = [_indexed_dims(n) for n in nests]
    groups: Groups = [[0]]
    for dim in range(1, len(first.sizes)):
        free = not any(dim in used or dim - 1 in used for used in indexed)
        free = free and all(n.reduction[dim] == n.reduction[dim - 1] for n in nests)
        if free and all(_mergeable(n, dim) for n in nests):
            groups[-1].append(dim)
        else:
            groups.append([dim])
    return groups if len(groups) < len(first.sizes) else None


def _indexed_dims(nest: Nest) -> list[int]:
    if nest.body is None:
        return []
    dims = [op.dim.value.data for op in nest.body.ops if isinstance(op, linalg.IndexOp)]
    return [nest.body_dims[d] for d in dims] if nest.body_dims else dims


def _mergeable(nest: Nest, dim: int) -> bool:
    """In every access, dims `dim - 1` and `dim` are absent or adjacent, bare, and the second spans its tensor dim."""
    accesses = [a for i, a in enumerate(nest.inputs) if isinstance(a, Access) and i not in nest.forwarded]
    if any(isinstance(o.init, Access) for o in nest.outputs) or any(a.symbols for a in accesses):
        return False
    pairs = [(a.exprs, a.shape) for a in accesses] + [(o.exprs, o.shape) for o in nest.outputs]
    return all(_adjacent(exprs, shape, dim, nest.sizes[dim]) for exprs, shape in pairs)


def _adjacent(exprs: Sequence[AffineExpr], shape: Sequence[int], dim: int, size: int) -> bool:
    using = [i for i, e in enumerate(exprs) if uses_dim([e], dim) or uses_dim([e], dim - 1)]
    if not using:
        return True
    if len(using) != 2 or using[1] != using[0] + 1 or shape[using[1]] != size:
        return False
    return exprs[using[0]] == AffineExpr.dimension(dim - 1) and exprs[using[1]] == AffineExpr.dimension(dim)


def merged_nest(nest: Nest, groups: Groups, collapsed: Callable[[SSAValue, list[list[int]]], SSAValue]) -> Nest:
    """The nest over the merged dims, its inputs `collapsed` by runs of their dims."""
    inputs: list[Access | SSAValue] = []
    for position, access in enumerate(nest.inputs):
        if isinstance(access, Access) and position not in nest.forwarded:
            runs = result_runs(access.exprs, groups)
            inputs.append(Access(collapsed(access.value, runs), merged_exprs(access.exprs, groups)))
        else:
            inputs.append(access)
    outputs: list[Output] = []
    for output in nest.outputs:
        extents = tuple(prod(output.shape[d] for d in run) for run in result_runs(output.exprs, groups))
        outputs.append(replace(output, exprs=merged_exprs(output.exprs, groups), extents=extents))
    sizes = tuple(prod(nest.sizes[d] for d in g) for g in groups)
    place = {d: i for i, g in enumerate(groups) for d in g}
    body_dims = tuple(place[d] for d in (nest.body_dims or range(len(nest.sizes))))
    return replace(
        nest,
        sizes=sizes,
        reduction=tuple(nest.reduction[g[0]] for g in groups),
        inputs=inputs,
        outputs=outputs,
        body_dims=body_dims,
    )


def dense_nests(nests: Sequence[Nest], collapsed: Callable[[SSAValue, list[list[int]]], SSAValue]) -> Sequence[Nest]:
    """The nests with their inputs `collapsed` so that dims of one element are part of their neighbours.

    What is read as `x[k, 0]` is then seen to be as dense as `x[k]`.
    """
    known: dict[SSAValue, SSAValue] = {}

    def dense(access: Access) -> Access:
        runs = _unit_runs(access.shape)
        if len(runs) == len(access.shape):
            return access
        if access.value not in known:
            known[access.value] = collapsed(access.value, runs)
        said = [next((d for d in run if access.shape[d] != 1), run[0]) for run in runs]
        return replace(access, value=known[access.value], exprs=tuple(access.exprs[d] for d in said))

    return [
        replace(
            nest,
            inputs=[
                dense(a) if isinstance(a, Access) and i not in nest.forwarded else a for i, a in enumerate(nest.inputs)
            ],
        )
        for nest in nests
    ]


def _unit_runs(shape: Sequence[int]) -> list[list[int]]:
    """The dims of a tensor, those of one element with the one before them, or the first longer one."""
    runs: list[list[int]] = []
    for dim, size in enumerate(shape):
        if runs and (size == 1 or all(shape[d] == 1 for d in runs[-1])):
            runs[-1].append(dim)
        else:
            runs.append([dim])
    return runs


def _group_of(expr: AffineExpr, groups: Groups) -> int | None:
    """The group a bare dim belongs to, when that group has several dims."""
    if not isinstance(expr, AffineDimExpr):
        return None
    return next((i for i, g in enumerate(groups) if expr.position in g and len(g) > 1), None)


def result_runs(exprs: Sequence[AffineExpr], groups: Groups) -> list[list[int]]:
    """Which tensor dims become one."""
    runs: list[list[int]] = []
    last: int | None = None
    for position, expr in enumerate(exprs):
        group = _group_of(expr, groups)
        if group is not None and group == last:
            runs[-1].append(position)
        else:
            runs.append([position])
        last = group
    return runs


def merged_exprs(exprs: Sequence[AffineExpr], groups: Groups) -> tuple[AffineExpr, ...]:
    """Positions over the merged dims; symbols stay."""
    symbols = [e.position for expr in exprs for e in expr.dfs() if isinstance(e, AffineSymExpr)]
    kept = [AffineExpr.symbol(i) for i in range(1 + max(symbols, default=-1))]
    dims = [AffineExpr.constant(0)] * sum(len(g) for g in groups)
    for i, group in enumerate(groups):
        for d in group:
            dims[d] = AffineExpr.dimension(i)
    return tuple(exprs[run[0]].replace_dims_and_symbols(dims, kept) for run in result_runs(exprs, groups))


def _reassociation(runs: list[list[int]]) -> ArrayAttr[ArrayAttr[IntegerAttr]]:
    return ArrayAttr(ArrayAttr(IntegerAttr(d, i64) for d in run) for run in runs)


def collapsed_type(kind: Attribute, runs: list[list[int]]) -> TensorType[Attribute]:
    """The type of a tensor with runs of dims made one."""
    assert isinstance(kind, TensorType)
    shape = kind.get_shape()
    return TensorType(kind.element_type, [prod(shape[d] for d in run) for run in runs])


def collapse(em: Emitter, value: SSAValue, runs: list[list[int]]) -> SSAValue:
    """A tensor with runs of dims made one."""
    result = collapsed_type(value.type, runs)
    if result == value.type:
        return value
    op = tensor.CollapseShapeOp.create(
        operands=[value], result_types=[result], properties={"reassociation": _reassociation(runs)}
    )
    return em.add(op).results[0]


def expand(em: Emitter, value: SSAValue, runs: list[list[int]], like: TensorType) -> SSAValue:
    """The inverse of `collapse`."""
    if len(runs) == len(like.get_shape()):
        return value
    return em.add(tensor.ExpandShapeOp(value, [], _reassociation(runs), like.get_shape(), like)).result
