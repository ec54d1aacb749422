"""The structured interface: iteration space, iterator kinds and indexing maps of a `linalg.generic`.

Passes ask these functions instead of reading properties, so that other structured ops can join later.
"""

from __future__ import annotations

from xdsl.dialects.builtin import DYNAMIC_INDEX, MemRefType, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir.affine import AffineDimExpr, AffineMap


def indexing_maps(op: linalg.GenericOp) -> tuple[AffineMap, ...]:
    """One map per operand: loop dims -> operand indices."""
    return tuple(m.data for m in op.indexing_maps.data)


def iterator_kinds(op: linalg.GenericOp) -> tuple[str, ...]:
    """`"parallel"` or `"reduction"` per loop dim."""
    return tuple(str(i.data.value) for i in op.iterator_types.data)


def loop_bounds(op: linalg.GenericOp) -> tuple[int, ...]:
    """Extent of each loop dim: the smallest one that an operand indexes with the bare dim (-1 when dynamic).

    An input may be larger than the loop reaches (a slice that starts at 0); outputs never are.

    Raises:
        ValueError: a dim appears bare in no operand's map.
    """
    bounds: dict[int, int] = {}
    for operand, amap in zip(op.operands, indexing_maps(op), strict=True):
        if not isinstance(operand.type, TensorType | MemRefType):
            continue
        for size, expr in zip(operand.type.get_shape(), amap.results, strict=True):
            if isinstance(expr, AffineDimExpr):
                known = bounds.get(expr.position, DYNAMIC_INDEX)
                bounds[expr.position] = (
                    size if known == DYNAMIC_INDEX else min(known, known if size == DYNAMIC_INDEX else size)
                )
    count = len(op.iterator_types.data)
    missing = [d for d in range(count) if d not in bounds]
    if missing:
        raise ValueError(f"linalg.generic: loop dim d{missing[0]} appears bare in no operand's indexing map")
    return tuple(bounds[d] for d in range(count))


def is_identity_map(amap: AffineMap) -> bool:
    """True for `(d0, d1, ...) -> (d0, d1, ...)`."""
    return len(amap.results) == amap.num_dims and all(
        isinstance(e, AffineDimExpr) and e.position == i for i, e in enumerate(amap.results)
    )


def is_projected_permutation(amap: AffineMap) -> bool:
    """True when every result is a distinct bare dim."""
    seen: set[int] = set()
    for expr in amap.results:
        if not isinstance(expr, AffineDimExpr) or expr.position in seen:
            return False
        seen.add(expr.position)
    return True
