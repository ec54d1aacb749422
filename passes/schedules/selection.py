"""Reductions that select: the greatest (or least) element of a line and where it is, argmax and argmin.

```
^bb0(%x, %v, %i):  %j = linalg.index 1;  %b = x is better than v, by whatever comparisons;  yield select(b, v, x), select(b, i, j)
```
A body of comparisons alone can only tell how its operands are ordered, so it is tried on every order there is. Where it takes
what is strictly better, the first NaN before all numbers, and the first of equals, any split of the line gives the same result:
lanes and tasks select on their own, and what they found is merged. What is not so, is reduced element by element, as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan

from xdsl.dialects import arith
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.arith import FastMathFlagsAttr
from xdsl.dialects.builtin import AnyFloat, IndexType, IntegerAttr, IntegerType
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.vector import CombiningKindAttr, CombiningKindFlag
from xdsl.ir import Attribute, Block, Operation, SSAValue

from stepwell.dialects import structured
from stepwell.passes.schedules.emit import Emitter
from stepwell.passes.schedules.lanes import broadcast, vector_of
from stepwell.passes.schedules.nest import Nest, Output, Selection

_Case = dict[SSAValue, float]


@dataclass(frozen=True)
class _Parts:
    """The values a selecting body compares: the accumulators and the element, of each what is compared and its number."""

    old: SSAValue
    old_index: SSAValue
    new: SSAValue
    new_index: SSAValue

    def case(self, old: float, old_index: int, new: float, new_index: int) -> _Case:
        return {self.old: old, self.old_index: old_index, self.new: new, self.new_index: new_index}


def selecting(nest: Nest, used: Sequence[SSAValue]) -> Nest:
    """The nest, marked and with the least body that does it where it selects; `used` are the results that somebody reads."""
    given, nest = nest, _unmarked(nest)
    found = _find(nest, used)
    if found is None:
        return given
    selection, parts = found
    assert nest.body is not None
    arguments = {a: i for i, a in enumerate(nest.body.args)}
    body = Block(arg_types=[a.type for a in nest.body.args])
    mapper: dict[SSAValue, SSAValue] = {a: body.args[i] for a, i in arguments.items()}
    needed = _cone([parts.new, parts.new_index])
    for op in nest.body.ops:
        if op in needed:
            body.add_op(op.clone(mapper))
    first = len(nest.inputs)
    old = [body.args[first + selection.value], body.args[first + selection.index]]
    _close(body, selection, old, [mapper[parts.new], mapper[parts.new_index]])
    return replace(nest, body=body, selection=selection)


def _unmarked(nest: Nest) -> Nest:
    """The nest with a body that does not say where its region begins."""
    if nest.body is None or not any(isinstance(op, structured.ElementOp) for op in nest.body.ops):
        return nest
    body = Block(arg_types=[a.type for a in nest.body.args])
    mapper: dict[SSAValue, SSAValue] = dict(zip(nest.body.args, body.args, strict=True))
    for op in nest.body.ops:
        if isinstance(op, structured.ElementOp):
            mapper[op.result] = mapper.get(op.value, op.value)
        else:
            body.add_op(op.clone(mapper))
    return replace(nest, body=body)


def merging_selection(selection: Selection, kinds: Sequence[Attribute]) -> Block:
    """The body that merges what parts, in order, have selected."""
    body = Block(arg_types=[*kinds, *kinds])
    places = (selection.value, selection.index)
    _close(body, selection, [body.args[len(kinds) + p] for p in places], [body.args[p] for p in places])
    return body


def _close(body: Block, selection: Selection, old: Sequence[SSAValue], new: Sequence[SSAValue]) -> None:
    """Take the new element where it is strictly better, and yield."""
    if isinstance(old[0].type, AnyFloat):
        # NaN is better than numbers, and nothing is better than NaN.
        better: Operation = arith.CmpfOp(old[0], new[0], "ult" if selection.greatest else "ugt")
        number = arith.CmpfOp(old[0], old[0], "ord")
        take = arith.AndIOp(better.results[0], number.result)
        ops: list[Operation] = [better, number, take]
    else:
        sign = "s" if selection.signed else "u"
        take = arith.CmpiOp(old[0], new[0], f"{sign}{'lt' if selection.greatest else 'gt'}")
        ops = [take]
    selected = [arith.SelectOp(take.result, n, o) for n, o in zip(new, old, strict=True)]
    results = [s.result for s in selected]
    order = results if selection.value == 0 else results[::-1]
    body.add_ops([*ops, *selected, linalg.YieldOp(*order)])


def combine_selection(
    em: Emitter, selection: Selection, outputs: Sequence[Output], values: Sequence[SSAValue]
) -> list[SSAValue]:
    """What the lanes selected, as the value and the number of one: the best, and the least number among equals."""
    value, index = values[selection.value], values[selection.index]
    kind, numbers = outputs[selection.value].element, outputs[selection.index].element
    assert isinstance(numbers, IntegerType)
    (width,) = value.type.get_shape()  # pyright: ignore[reportAttributeAccessIssue]
    best = _reduced(em, value, kind, _kind_of(selection, kind))
    everywhere = broadcast(em, best, width)
    if isinstance(kind, AnyFloat):
        among = em.add(arith.CmpfOp(value, everywhere, "oeq")).result
        nans = em.add(arith.CmpfOp(value, value, "uno")).result
        is_nan = broadcast(em, em.add(arith.CmpfOp(best, best, "uno")).result, width)
        among = em.add(arith.SelectOp(is_nan, nans, among)).result
    else:
        among = em.add(arith.CmpiOp(value, everywhere, "eq")).result
    last = IntegerAttr((1 << (numbers.width.data - 1)) - 1, numbers)
    candidates = em.add(arith.SelectOp(among, index, em.splat(last, vector_of(numbers, width)))).result
    first = _reduced(em, candidates, numbers, CombiningKindFlag.MINSI)
    return [best, first] if selection.value == 0 else [first, best]


def _kind_of(selection: Selection, kind: Attribute) -> CombiningKindFlag:
    if isinstance(kind, AnyFloat):
        return CombiningKindFlag.MAXIMUMF if selection.greatest else CombiningKindFlag.MINIMUMF
    if selection.signed:
        return CombiningKindFlag.MAXSI if selection.greatest else CombiningKindFlag.MINSI
    return CombiningKindFlag.MAXUI if selection.greatest else CombiningKindFlag.MINUI


def _reduced(em: Emitter, value: SSAValue, kind: Attribute, how: CombiningKindFlag) -> SSAValue:
    properties = {"kind": CombiningKindAttr(how), "fastmath": FastMathFlagsAttr("none")}
    op = upstream_vector.ReductionOp.create(operands=[value], result_types=[kind], properties=properties)
    return em.add(op).results[0]


# Finding one.


def _find(nest: Nest, used: Sequence[SSAValue]) -> tuple[Selection, _Parts] | None:
    """What a nest selects by, where any split of its line would give the same."""
    along = [d for d in nest.dims if nest.reduction[d]]
    if nest.body is None or len(along) != 1 or len(nest.outputs) != 2 or nest.sizes[along[0]] < 2:
        return None
    if any(not o.reduced or not isinstance(o.init, SSAValue) for o in nest.outputs):
        return None
    for value in (0, 1):
        parts = _parts(nest, value, along[0])
        if parts is None:
            continue
        selection = _judged(nest, parts, value, used)
        if selection is not None:
            return selection, parts
    return None


def _parts(nest: Nest, value: int, along: int) -> _Parts | None:
    """The values compared, if output `value` and the other are selected between the accumulators and an element."""
    assert nest.body is not None
    end = nest.body.last_op
    assert isinstance(end, linalg.YieldOp)
    old = [nest.body.args[len(nest.inputs) + i] for i in (value, 1 - value)]
    new: list[SSAValue] = []
    for result, argument in zip((end.operands[value], end.operands[1 - value]), old, strict=True):
        select = result.owner
        if not isinstance(select, arith.SelectOp) or argument not in (select.lhs, select.rhs):
            return None
        new.append(select.rhs if select.lhs is argument else select.lhs)
    cone = _cone(new)
    if (
        any(o in old for op in cone for o in op.operands)
        or any(n in old for n in new)
        or not _counts(nest, new[1], along)
    ):
        return None
    return _Parts(old[0], old[1], *new)


def _counts(nest: Nest, value: SSAValue, along: int) -> bool:
    """Whether a value is the number of the element along a dim."""
    cast = value.owner
    if not isinstance(cast, arith.IndexCastOp) or not isinstance(cast.result.type, IntegerType):
        return False
    index = cast.input.owner
    if not isinstance(index, linalg.IndexOp) or nest.sizes[along] > 1 << (cast.result.type.width.data - 1):
        return False
    dim = index.dim.value.data
    return (nest.body_dims[dim] if nest.body_dims else dim) == along


def _cone(values: Sequence[SSAValue]) -> dict[Operation, None]:
    """The ops that values are computed by."""
    found: dict[Operation, None] = {}
    waiting = [v.owner for v in values]
    while waiting:
        op = waiting.pop()
        if isinstance(op, Operation) and op not in found and op.parent is not None:
            found[op] = None
            waiting += [o.owner for o in op.operands]
    return found


def _judged(nest: Nest, parts: _Parts, value: int, used: Sequence[SSAValue]) -> Selection | None:
    """The selection, when the body makes the right choice for every order of its operands."""
    kind = parts.old.type
    floats = isinstance(kind, AnyFloat)
    if not floats and (not isinstance(kind, IntegerType) or isinstance(kind, IndexType)):
        return None
    assert nest.body is not None
    end = nest.body.last_op
    assert end is not None
    results = (end.operands[value], end.operands[1 - value])
    signed = _signed(nest.body, kind)
    init = nest.outputs[1 - value].init
    assert isinstance(init, SSAValue)
    if signed is None:
        return None
    try:
        for greatest in (True, False):
            if _chooses(parts, results, floats, greatest, floats and nest.outputs[value].original in used):
                usable = _early(init) or _keeps_equals(parts, results[1], floats)
                return Selection(value, 1 - value, greatest, signed) if usable else None
    except _UnknownError:
        pass
    return None


def _early(init: SSAValue) -> bool:
    """Whether a number is that of no element, or of the first."""
    op = init.owner
    return isinstance(op, arith.ConstantOp) and isinstance(op.value, IntegerAttr) and op.value.value.data <= 0


def _keeps_equals(parts: _Parts, index: SSAValue, floats: bool) -> bool:
    """Whether the accumulated number stays, whatever it is, where elements are equal."""
    equals = (1.0, nan) if floats else (1.0,)
    return all(_chosen(index, parts.case(e, i, e, 5)) is parts.old_index for e in equals for i in (4, 5, 6))


def _chooses(parts: _Parts, results: tuple[SSAValue, SSAValue], floats: bool, greatest: bool, exact: bool) -> bool:
    """Whether the strictly better element is taken, else the accumulated one kept; `exact`: in its every bit."""
    pairs = [(1.0, 2.0), (2.0, 1.0), (1.0, 1.0)]
    if floats:
        pairs += [(nan, 1.0), (1.0, nan), (nan, nan)]
    for old, new in pairs:
        equal = old == new or (old != old and new != new)
        better = new > old if greatest else new < old
        take = not equal and (new != new or better)
        # An accumulated number that is not less is what the reduction starts from.
        for number in (4, 5) if equal else (4, 5, 6):
            case = parts.case(old, number, new, 5)
            if number != 5 and _chosen(results[1], case) is not (parts.new_index if take else parts.old_index):
                return False
            if (exact or not equal) and _chosen(results[0], case) is not (parts.new if take else parts.old):
                return False
    return True


class _UnknownError(Exception):
    """A body does more than compare."""


_INTEGER = ("==", "!=", "<", "<=", ">", ">=", "<", "<=", ">", ">=")
_FLOAT = ("==", ">", ">=", "<", "<=", "!=")


def _compare(symbol: str, a: float, b: float) -> bool:
    return {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[symbol]


def _compare_floats(predicate: int, a: float, b: float) -> bool:
    """What `arith.cmpf` with a predicate's number gives."""
    unordered = a != a or b != b
    if predicate in (0, 15):
        return predicate == 15
    if predicate in (7, 14):
        return unordered == (predicate == 14)
    ordered = predicate < 7
    return not ordered if unordered else _compare(_FLOAT[predicate - (1 if ordered else 8)], a, b)


def _chosen(value: SSAValue, case: _Case) -> SSAValue:
    """Which of the values compared a chain of selects gives."""
    while value not in case:
        op = value.owner
        if not isinstance(op, arith.SelectOp):
            raise _UnknownError
        value = op.lhs if _holds(op.cond, case) else op.rhs
    return value


def _holds(value: SSAValue, case: _Case) -> bool:
    """Whether a condition made of comparisons holds."""
    op = value.owner
    if isinstance(op, arith.ConstantOp) and isinstance(op.value, IntegerAttr):
        return bool(op.value.value.data)
    if isinstance(op, arith.AndIOp):
        return _holds(op.lhs, case) and _holds(op.rhs, case)
    if isinstance(op, arith.OrIOp):
        return _holds(op.lhs, case) or _holds(op.rhs, case)
    if isinstance(op, arith.XOrIOp):
        return _holds(op.lhs, case) != _holds(op.rhs, case)
    if isinstance(op, arith.SelectOp):
        return _holds(op.lhs if _holds(op.cond, case) else op.rhs, case)
    if not isinstance(op, arith.CmpfOp | arith.CmpiOp):
        raise _UnknownError
    return _compared(op, [_chosen(o, case) for o in op.operands], case)


def _compared(op: arith.CmpfOp | arith.CmpiOp, operands: Sequence[SSAValue], case: _Case) -> bool:
    """A comparison of two values, or of two numbers."""
    places = [list(case).index(o) % 2 for o in operands]
    if places[0] != places[1]:
        raise _UnknownError
    a, b = (case[o] for o in operands)
    predicate = op.predicate.value.data
    return _compare_floats(predicate, a, b) if isinstance(op, arith.CmpfOp) else _compare(_INTEGER[predicate], a, b)


def _signed(body: Block, kind: Attribute) -> bool | None:
    """Whether a body compares elements as signed numbers; None where it does both."""
    predicates = [op.predicate.value.data for op in body.ops if isinstance(op, arith.CmpiOp) and op.lhs.type == kind]
    signed, unsigned = any(2 <= p <= 5 for p in predicates), any(p >= 6 for p in predicates)
    return None if signed and unsigned else not unsigned
