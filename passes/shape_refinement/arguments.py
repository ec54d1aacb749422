"""Which arguments of an entry sizes are computed from, by value: calls that differ in them need different programs.

One walk against the direction of data, from the shape operands of dynamic ops and the predicates of shape assertions, through
calls, branches and loops, to the entry. `get_dimension_size` ends it: extents are in the types.
"""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.dialects import func
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, ModuleOp, TensorType
from xdsl.ir import Block, BlockArgument, Operation, OpResult, SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.stablehlo.static_forms import SHAPE_OPERANDS
from stepwell.ir.dense import dense_to_array
from stepwell.passes.shape_refinement.folding import is_small_integer


def is_dynamic(op: Operation) -> bool:
    """Has a tensor of unknown shape."""
    return any(isinstance(v.type, TensorType) and not v.type.has_static_shape() for v in (*op.operands, *op.results))


def callee_of(op: Operation) -> str | None:
    """The function whose types, and results, are those of a call or a composite."""
    if isinstance(op, func.CallOp):
        return op.callee.string_value()
    return op.decomposition.string_value() if isinstance(op, stablehlo.CompositeOp) else None


def shape_values(op: Operation) -> list[SSAValue]:
    """The operands whose values say what shape the op's results have, or whether shapes are as they must be."""
    if isinstance(op, stablehlo.CustomCallOp):
        return _of_custom_call(op)
    if op.name in SHAPE_OPERANDS and is_dynamic(op):
        return [op.operands[i] for i in SHAPE_OPERANDS[op.name]]
    return []


def _of_custom_call(op: stablehlo.CustomCallOp) -> list[SSAValue]:
    target = op.call_target_name.data
    named = op.attributes.get("indices_of_shape_operands")
    if isinstance(named, DenseIntOrFPElementsAttr):
        indices = [int(i) for i in dense_to_array(named).reshape(-1)]  # pyright: ignore[reportUnknownArgumentType]
        return [op.operands[i] for i in indices if 0 <= i < len(op.operands)]
    if target == "shape_assertion" or target.startswith("stablehlo.dynamic_"):
        return [o for o in op.operands if is_small_integer(o.type)]
    return []


class _Sources:
    """Where a value comes from, one step back."""

    def __init__(self, module: ModuleOp):
        self._functions = {f.sym_name.data: f for f in module.body.block.ops if isinstance(f, func.FuncOp)}
        self._calls: dict[str, list[Operation]] = {}
        for op in module.walk():
            callee = callee_of(op)
            if callee is not None:
                self._calls.setdefault(callee, []).append(op)

    def of(self, value: SSAValue) -> Iterator[SSAValue]:
        """The values that `value` is computed from."""
        if isinstance(value, OpResult):
            yield from self._of_result(value)
        elif isinstance(value, BlockArgument):
            yield from self._of_argument(value)

    def _of_result(self, value: OpResult) -> Iterator[SSAValue]:
        op = value.op
        if isinstance(op, stablehlo.GetDimensionSizeOp):
            return
        name = callee_of(op)
        if name is not None:
            callee = self._functions.get(name)
            if callee is not None and not callee.is_declaration:
                yield from _yielded(callee.body.block, value.index)
            return
        if isinstance(op, stablehlo.WhileOp):
            yield op.operands[value.index]
        elif isinstance(op, stablehlo.IfOp | stablehlo.CaseOp):
            yield op.operands[0]
        else:
            yield from op.operands
            return
        for region in op.regions:
            if region is not op.regions[0] or not isinstance(op, stablehlo.WhileOp):
                yield from _yielded(region.block, value.index)

    def _of_argument(self, value: BlockArgument) -> Iterator[SSAValue]:
        parent = value.block.parent_op()
        if isinstance(parent, func.FuncOp):
            for call in self._calls.get(parent.sym_name.data, ()):
                yield call.operands[value.index]
        elif isinstance(parent, stablehlo.WhileOp):
            yield parent.operands[value.index]
            yield from _yielded(parent.body.block, value.index)
        elif parent is not None:
            yield from parent.operands


def _yielded(block: Block, index: int) -> Iterator[SSAValue]:
    last = block.last_op
    if last is not None and index < len(last.operands):
        yield last.operands[index]


def shape_arguments(module: ModuleOp, entry: func.FuncOp) -> tuple[int, ...]:
    """Positions of the entry's small integer arguments that some size is computed from."""
    sources = _Sources(module)
    pending = [v for op in module.walk() for v in shape_values(op)]
    seen: set[SSAValue] = set(pending)
    found: set[int] = set()
    while pending:
        value = pending.pop()
        if isinstance(value, BlockArgument) and value.block is entry.body.block and is_small_integer(value.type):
            found.add(value.index)
        for source in sources.of(value):
            if source not in seen:
                seen.add(source)
                pending.append(source)
    return tuple(sorted(found))


__all__ = ["callee_of", "is_dynamic", "shape_arguments", "shape_values"]
