"""Ops done lane by lane, as scalars: for vectors that LLVM has no working code for on a machine."""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects.builtin import VectorType
from xdsl.ir import Attribute, Block, Operation

from stepwell.backends.llvm.types import element_type, row_count, row_type, scalar_type, vector_shape
from stepwell.backends.llvm.writer import Emitter, FunctionWriter

Wanted = Callable[[Operation], bool]


def lane_by_lane(emitter: Emitter, wanted: Wanted) -> Emitter:
    """An emitter of an elementwise op that does the vectors of those that are `wanted` as scalars, others as before."""

    def emit(w: FunctionWriter, op: Operation) -> None:
        if isinstance(op.results[0].type, VectorType) and wanted(op):
            _emit_lanes(w, op, emitter)
        else:
            emitter(w, op)

    return emit


def _emit_lanes(w: FunctionWriter, op: Operation, emitter: Emitter) -> None:
    """Give the op one lane after the other, as an op on scalars whose operands are the arguments of a block of nobody's."""
    result = op.results[0]
    assert isinstance(result.type, VectorType)
    lanes = vector_shape(result.type)[-1]
    block = Block(arg_types=[element_type(operand.type) for operand in op.operands])
    scalar = type(op).create(
        operands=block.args,
        result_types=[element_type(result.type)],
        properties=op.properties,
        attributes=op.attributes,
    )
    name, element = row_type(result.type), scalar_type(element_type(result.type))
    made: list[str] = []
    for row in range(row_count(result.type)):
        whole = "poison"
        for lane in range(lanes):
            for argument, operand in zip(block.args, op.operands, strict=True):
                w.values[argument] = _lane(w, operand.type, w.values[operand], row, lane)
            emitter(w, scalar)
            one = w.scalar(scalar.results[0])
            whole = w.emit(f"insertelement {name} {whole}, {element} {one}, i64 {lane}")
        made.append(whole)
    w.values[result] = made
    scalar.drop_all_references()


def _lane(w: FunctionWriter, type_: Attribute, value: object, row: int, lane: int) -> str:
    """One lane of an operand; scalars are the same in all."""
    if not isinstance(type_, VectorType):
        assert isinstance(value, str)
        return value
    assert isinstance(value, list)
    return w.emit(f"extractelement {row_type(type_)} {value[row]}, i64 {lane}")
