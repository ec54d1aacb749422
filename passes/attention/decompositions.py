"""Functions that composites name as their decomposition: one for equal ones."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Block, Operation, Region, SSAValue


class Decompositions:
    """Adds private functions to a module."""

    def __init__(self, module: ModuleOp, stem: str):
        self.module = module
        self.stem = stem
        self.names = {op.sym_name.data: None for op in module.body.block.ops if isinstance(op, func.FuncOp)}
        self.made: list[func.FuncOp] = []

    def of(
        self, ops: Sequence[Operation], operands: Sequence[SSAValue], results: Sequence[SSAValue], at: Operation
    ) -> func.FuncOp:
        """The function of `operands` that copies `ops` and returns `results`; one that is there already where it is the same."""
        block = Block(arg_types=[v.type for v in operands])
        values: dict[SSAValue, SSAValue] = dict(zip(operands, block.args, strict=True))
        for argument, operand in zip(block.args, operands, strict=True):
            argument.name_hint = operand.name_hint
            argument.location = at.location
        for op in ops:
            block.add_op(op.clone(values))
        end = func.ReturnOp(*(values[r] for r in results))
        end.location = at.location
        block.add_op(end)
        for known in self.made:
            if known.body.block.is_structurally_equivalent(block):
                return known
        kinds = (list(block.arg_types), [r.type for r in results])
        function = func.FuncOp(self._name(), kinds, Region(block), StringAttr("private"))
        function.location = at.location
        self.module.body.block.add_op(function)
        self.made.append(function)
        return function

    def _name(self) -> str:
        number, name = 0, self.stem
        while name in self.names:
            number += 1
            name = f"{self.stem}_{number}"
        self.names[name] = None
        return name


__all__ = ["Decompositions"]
