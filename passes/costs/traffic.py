"""How many bytes a kernel has to read and to write: each input once, as far as it is reached, each output once."""

from __future__ import annotations

from math import prod

from xdsl.dialects import tensor
from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr, DenseArrayBase, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import BlockArgument, Operation, SSAValue, Use
from xdsl.ir.affine import AffineMap

from stepwell.dialects import kernel
from stepwell.ir.destinations import destination_index
from stepwell.ir.dtypes import byte_width
from stepwell.ir.structured import indexing_maps, loop_bounds
from stepwell.passes.costs.counts import shape, volume

_RESHAPES = (tensor.CollapseShapeOp, tensor.ExpandShapeOp)


def bytes_of(function: kernel.FuncOp) -> tuple[int, int]:
    """(bytes read, bytes written) of one launch."""
    read = written = 0
    for argument, access in zip(function.args, function.access_kinds, strict=False):
        size = byte_width(argument.type.element_type) if isinstance(argument.type, TensorType) else 0
        if access == kernel.WRITE:
            written += size * volume(argument)
            continue
        read += size * _reached(argument)
        if access == kernel.READWRITE:
            updated, old = _updated(argument)
            written += size * updated
            read += size * old
    return read, written


def _reached(value: SSAValue) -> int:
    """Elements of a tensor that its readers can reach, at most all of them."""
    return min(volume(value), sum(_reached_by(value, use) for use in value.uses))


def _reached_by(value: SSAValue, use: Use) -> int:
    op = use.operation
    if isinstance(op, _RESHAPES):
        return _reached(op.results[0])
    if isinstance(op, tensor.ExtractSliceOp):
        return _reached(op.results[0])
    if isinstance(op, tensor.ExtractOp):
        return _points_around(op)
    if isinstance(op, linalg.GenericOp):
        if use.index >= len(op.inputs) or not op.body.block.args[use.index].uses:
            return 0  # only its extents are used, or it is a destination
        return _reached_through(indexing_maps(op)[use.index], shape(value), loop_bounds(op))
    if op.name in ("structured.attention", "structured.attention_gradient") and not _is_destination(op, use.index):
        return _reached_by_attention(op, use.index)
    if isinstance(op, kernel.ReturnOp) or _is_destination(op, use.index):
        return 0
    return volume(value)


def _reached_by_attention(op: Operation, index: int) -> int:
    """Elements that attention reads of an operand: its map places them."""
    maps, sizes = op.properties["indexing_maps"], op.properties["sizes"]
    assert isinstance(maps, ArrayAttr)
    assert isinstance(sizes, DenseArrayBase)
    amap = maps.data[index]
    assert isinstance(amap, AffineMapAttr)
    return _reached_through(amap.data, shape(op.operands[index]), tuple(int(n) for n in sizes.get_values()))


def _reached_through(amap: AffineMap, sizes: tuple[int, ...], bounds: tuple[int, ...]) -> int:
    """Elements that a generic reads through a map: along a dim as many as the loops in its index have trips."""
    return prod(
        min(size, prod(bounds[d] for d in sorted(expr.used_dims())))
        for size, expr in zip(sizes, amap.results, strict=True)
    )


def _points_around(op: Operation) -> int:
    """How often an op in a body runs."""
    around = op.parent_op()
    while around is not None and not isinstance(around, kernel.FuncOp):
        if isinstance(around, linalg.GenericOp):
            return prod(loop_bounds(around))
        around = around.parent_op()
    return 1


def _is_destination(op: Operation, index: int) -> bool:
    return any(destination_index(op, result) == index for result in range(len(op.results)))


def _updated(argument: BlockArgument) -> tuple[int, int]:
    """(elements written, elements read because of it) of a tensor that is updated in place."""
    written = read = 0
    pending: list[SSAValue] = [argument]
    while pending:
        value = pending.pop()
        for use in value.uses:
            op = use.operation
            if isinstance(op, _RESHAPES):
                pending.append(op.results[0])
                continue
            for result in range(len(op.results)):
                if destination_index(op, result) == use.index:
                    some, old = _updated_by(op)
                    written, read = written + some, read + old
                    pending.append(op.results[result])
    whole = volume(argument)
    return min(whole, written), min(whole, read)


def _updated_by(op: Operation) -> tuple[int, int]:
    if isinstance(op, tensor.InsertSliceOp):
        return volume(op.source), 0
    if op.name == "structured.update_slice":
        return volume(op.operands[0]), 0
    if op.name == "structured.scatter":
        updates = volume(op.operands[1])
        return updates, updates
    whole = volume(op.results[0])
    return whole, 0 if isinstance(op, linalg.FillOp) else whole
