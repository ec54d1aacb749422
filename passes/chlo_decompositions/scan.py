"""`chlo.scan` as a `while` over the indices: slices of the inputs are read, those of the outputs written in place."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import i64
from xdsl.ir import SSAValue

from stepwell.dialects import chlo
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.hlo import Hlo, element_of, shape_of


def scan(h: Hlo, op: chlo.ScanOp) -> Sequence[SSAValue]:
    """The loop; nothing but empty outputs when it does not run.

    Raises:
        UnsupportedError: a dynamic shape.
    """
    values = [*op.inputs, *op.inits, *op.results]
    length = op.extent([shape_of(x) for x in op.inputs])
    if length < 0 or any(n < 0 for v in values for n in shape_of(v)):
        raise unsupported(op, "a scan of dynamic shapes", "refine the program to static shapes first")
    outputs = [h.full(0, shape_of(o), element_of(o)) for o in op.outputs]
    if length == 0:
        return [*outputs, *op.inits]
    return h.fori(0, length, [*outputs, *op.inits], lambda i, *carried: _step(h, op, length, i, carried), i64)


def _step(h: Hlo, op: chlo.ScanOp, length: int, i: SSAValue, carried: Sequence[SSAValue]) -> list[SSAValue]:
    """One run of the body, whose ops move here."""
    outputs, carries = carried[: len(op.outputs)], carried[len(op.outputs) :]
    axis = op.dimension.value.data
    index = h.sub(h.scalar(length - 1, i64), i) if op.backwards else i
    arguments = [*(_row(h, x, axis, index) for x in op.inputs), *carries]
    returned = _inlined(h, op, arguments)
    rows, following = returned[: len(outputs)], returned[len(outputs) :]
    updated = [_written(h, o, row, axis, index) for o, row in zip(outputs, rows, strict=True)]
    return [*updated, *following]


def _inlined(h: Hlo, op: chlo.ScanOp, arguments: Sequence[SSAValue]) -> Sequence[SSAValue]:
    block = op.body.block
    for old, new in zip(block.args, arguments, strict=True):
        old.replace_all_uses_with(new)
    for inner in list(block.ops):
        if inner is block.last_op:
            return tuple(inner.operands)
        inner.detach()
        h.builder.insert(inner)
    return ()


def _starts(h: Hlo, rank: int, axis: int, index: SSAValue) -> list[SSAValue]:
    zero = h.scalar(0, i64)
    return [index if d == axis else zero for d in range(rank)]


def _row(h: Hlo, x: SSAValue, axis: int, index: SSAValue) -> SSAValue:
    shape = shape_of(x)
    sizes = [1 if d == axis else n for d, n in enumerate(shape)]
    return h.reshape(
        h.dynamic_slice(x, _starts(h, len(shape), axis, index), sizes), [*shape[:axis], *shape[axis + 1 :]]
    )


def _written(h: Hlo, output: SSAValue, row: SSAValue, axis: int, index: SSAValue) -> SSAValue:
    shape = shape_of(row)
    update = h.reshape(h.convert(row, element_of(output)), [*shape[:axis], 1, *shape[axis:]])
    return h.dynamic_update_slice(output, update, _starts(h, len(shape) + 1, axis, index))
