"""Reductions along many lines that are shorter than a vector: vectors of whole lines, whose lanes are then added up.

```
r[c] = sum_i x[i, c], c < 3      becomes      p[l] = sum_q x[q * 48 + l];   r[c] = sum_j p[3 j + c] + what is left of x
```
Sixteen lines of three numbers are three vectors, none of whose lanes is idle; what the lanes of one column make are parts of
its sum, like those of tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import lcm

from xdsl.dialects import tensor
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, TensorType, i1, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel
from stepwell.passes.schedules.kernel_builder import KernelBuilder
from stepwell.passes.schedules.lanes import can_vectorize
from stepwell.passes.schedules.merge import collapse
from stepwell.passes.schedules.nest import Access, Nest, Output, uses_dim
from stepwell.passes.schedules.plan import Machine, element_bytes, plan_space
from stepwell.passes.schedules.space import Target
from stepwell.passes.schedules.split_reduction import Split, from_neutral
from stepwell.passes.schedules.tasks import Cut

MOST_VECTORS = 16
"""Vectors of whole lines: as many accumulators are registers."""
FEWEST_VECTORS = 4
"""So many sums are added to while one is on its way."""
REPEATS = 8
"""Times that lines are taken at once, for adding up lanes not to matter."""


@dataclass(frozen=True)
class ShortColumns:
    """The reduced dim and that of the columns, and how many lines are taken at once."""

    reduced: int
    column: int
    lines: int


def find_short_columns(nests: Sequence[Nest], machine: Machine) -> ShortColumns | None:
    """The lines of a reduction, the first of some nests, where they are shorter than a vector and lie one after the other."""
    nest = nests[0]
    if machine.vector_bytes < 16 or len(nest.sizes) != 2 or sorted(nest.reduction) != [False, True]:
        return None
    reduced = nest.reduction.index(True)
    column = 1 - reduced
    lanes, length = machine.vector_bytes // element_bytes([nest]), nest.sizes[column]
    if not 1 < length < lanes or any(not n.after for n in nests[1:]) or not _adds_up(nest, column):
        return None
    if not all(_dense(a, nest, reduced, column) for a in nest.inputs if isinstance(a, Access)):
        return None
    vector = lcm(length, lanes)
    if vector > MOST_VECTORS * lanes:
        return None
    while vector < FEWEST_VECTORS * lanes:
        vector *= 2
    lines = vector // length
    return ShortColumns(reduced, column, lines) if nest.sizes[reduced] >= REPEATS * lines else None


def _adds_up(nest: Nest, column: int) -> bool:
    """Whether results are one number a column, made by something that may be done in any order."""
    if nest.selection is not None or nest.fold is not None or nest.forwarded or not can_vectorize(nest.body):
        return False
    if nest.body is None or any(isinstance(op, linalg.IndexOp) or op.name == "tensor.extract" for op in nest.body.ops):
        return False
    place = (AffineExpr.dimension(column),)
    return all(o.reduced and o.combiner is not None and o.exprs == place and o.element != i1 for o in nest.outputs)


def _dense(access: Access, nest: Nest, reduced: int, column: int) -> bool:
    """Whether lines of an operand lie one after the other, or it is the same for all of them."""
    if access.element == i1 or access.symbols:
        return False
    if not uses_dim(access.exprs, reduced):
        return True  # a number, or one a column
    whole = (AffineExpr.dimension(reduced), AffineExpr.dimension(column))
    return access.exprs == whole and access.shape == (nest.sizes[reduced], nest.sizes[column])


Phase = Callable[[Sequence[Nest], Sequence[Target], Sequence[SSAValue], Machine], Sequence[SSAValue]]
"""Makes a phase of nests, given where results go."""
Merge = Callable[[Sequence[Nest], Split, Sequence[Target], Sequence[SSAValue], Machine], Sequence[SSAValue]]
"""Makes the phase that merges parts of the first of some nests, given where all its results would go."""


def short_columns(
    builder: KernelBuilder, nests: Sequence[Nest], found: ShortColumns, machine: Machine, phase: Phase, merge: Merge
) -> Sequence[SSAValue]:
    """The phases: vectors of whole lines, the lines left over, and the lanes of each column with these."""
    nest = nests[0]
    alone = replace(machine, tasks=1)
    whole, rest = divmod(nest.sizes[found.reduced], found.lines)

    def single(nest: Nest, home: SSAValue) -> SSAValue:
        return phase([nest], [Target(o, o.exprs) for o in nest.outputs], [home], alone)[0]

    main, places = _by_vectors(builder, nest, found, whole, single)
    wide = phase([main], places, [_scratch(builder, o, o.shape) for o in main.outputs], machine)
    parts = [_as_lines(builder, p, found.lines) for p in wide]
    if rest:
        left = _last_lines(nest, found, whole * found.lines)
        targets = [Target(o, o.exprs) for o in left.outputs]
        sums = phase([left], targets, [_scratch(builder, o, o.shape) for o in left.outputs], alone)
        inits = [Access(s, (AffineExpr.dimension(found.column),)) for s in sums]
        nest = replace(nest, outputs=[replace(o, init=i) for o, i in zip(nest.outputs, inits, strict=True)])
    cut = Cut(found.reduced, 1, found.lines)
    split = Split(plan_space([nest], machine), cut, leading=True)
    return merge([nest, *nests[1:]], split, [Target(o, o.exprs) for o in nest.outputs], parts, alone)


def _by_vectors(
    builder: KernelBuilder, nest: Nest, found: ShortColumns, whole: int, phase: Callable[[Nest, SSAValue], SSAValue]
) -> tuple[Nest, list[Target]]:
    """The nest over as many lines at once as are whole vectors, each lane a number of its own; where results go."""
    vector = found.lines * nest.sizes[found.column]
    lane, step = AffineExpr.dimension(found.column), AffineExpr.dimension(found.reduced)

    def moved(given: Access | SSAValue) -> Access | SSAValue:
        if not isinstance(given, Access) or not given.exprs:
            return given
        if uses_dim(given.exprs, found.reduced):
            return Access(collapse(builder.em, given.value, [[0, 1]]), (step * vector + lane,))
        home = _scratch(builder, given, [vector])
        return Access(phase(_repeated(nest, found, given, home), home), (lane,))

    sizes = list(nest.sizes)
    sizes[found.reduced], sizes[found.column] = whole, vector
    outputs = [replace(from_neutral(builder, o), extents=(vector,)) for o in nest.outputs]
    main = replace(nest, sizes=tuple(sizes), inputs=[moved(i) for i in nest.inputs], outputs=outputs)
    return main, [Target(o, o.exprs) for o in outputs]


def _repeated(nest: Nest, found: ShortColumns, given: Access, home: SSAValue) -> Nest:
    """The nest that copies an operand of one number a column for every lane."""
    length = nest.sizes[found.column]
    lane = AffineExpr.dimension(0)
    exprs = tuple(e.replace_dims_and_symbols([lane % length, lane % length], []) for e in given.exprs)
    output = Output(home, (lane,), reduced=False)
    return Nest((found.lines * length,), (False,), [replace(given, exprs=exprs)], [output], None, nest.location)


def _last_lines(nest: Nest, found: ShortColumns, first: int) -> Nest:
    """The nest over the lines from `first` on."""
    places = [AffineExpr.dimension(0), AffineExpr.dimension(1)]
    places[found.reduced] = places[found.reduced] + first

    def moved(given: Access | SSAValue) -> Access | SSAValue:
        if not isinstance(given, Access):
            return given
        return replace(given, exprs=tuple(e.replace_dims_and_symbols(places, []) for e in given.exprs))

    sizes = list(nest.sizes)
    sizes[found.reduced] -= first
    return replace(nest, sizes=tuple(sizes), inputs=[moved(i) for i in nest.inputs])


def _scratch(builder: KernelBuilder, like: Output | Access, shape: Sequence[int]) -> SSAValue:
    kind: TensorType[Attribute] = TensorType(like.element, list(shape))
    return builder.scratch(kind, kernel.ScratchScope.LAUNCH)


def _as_lines(builder: KernelBuilder, value: SSAValue, lines: int) -> SSAValue:
    """Lanes as lines of columns."""
    assert isinstance(value.type, TensorType)
    (count,) = value.type.get_shape()
    shape = [lines, count // lines]
    groups = ArrayAttr([ArrayAttr([IntegerAttr(0, i64), IntegerAttr(1, i64)])])
    kind: TensorType[Attribute] = TensorType(value.type.element_type, shape)
    return builder.em.add(tensor.ExpandShapeOp(value, [], groups, shape, kind)).result


__all__ = ["ShortColumns", "find_short_columns", "short_columns"]
