"""What a phase uses of the kernel around it."""

from __future__ import annotations

from xdsl.dialects import arith, memref
from xdsl.dialects.builtin import MemRefType, SymbolRefAttr
from xdsl.ir import Block, Operation, SSAValue

from stepwell.dialects import kernel, rt
from stepwell.dialects.scf import ForallOp
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.gpu_mapping.assignment import is_vector
from stepwell.passes.gpu_mapping.ordering import accessed
from stepwell.passes.gpu_mapping.state import Buffer, PhaseState

Argument = int | SymbolRefAttr
"""Position of a kernel's argument, or the constant a phase reads."""


class Outside:
    """Arguments, constants, and ops that only name memory."""

    def __init__(self, func: kernel.FuncOp, loop: ForallOp):
        self.func = func
        self.arguments: list[SSAValue] = []
        self.positions: list[Argument] = []
        self.copied: list[Operation] = []
        self.constants: list[arith.ConstantOp] = []
        inside = dict.fromkeys(loop.walk())
        for op in inside:
            for operand in op._operands:  # pyright: ignore[reportPrivateUsage]
                owner = operand.owner
                holder = owner.parent_op() if isinstance(owner, Block) else owner
                if holder not in inside:
                    self._need(operand, op)

    def _need(self, value: SSAValue, user: Operation) -> None:
        owner = value.owner
        if value in self.arguments or owner in self.copied:
            return
        if isinstance(owner, Block):
            self.arguments.append(value)
            self.positions.append(owner.args.index(value))
        elif isinstance(owner, memref.GetGlobalOp):
            self.arguments.append(value)
            self.positions.append(owner.name_)
        elif isinstance(owner, arith.ConstantOp):
            self.constants.append(owner)
        elif owner.regions or accessed(owner) or isinstance(owner, rt.WorkerIdOp):
            raise unsupported(user, f"it uses the result of {owner.name} outside of the phase")
        else:
            for operand in owner._operands:  # pyright: ignore[reportPrivateUsage]
                self._need(operand, owner)
            self.copied.append(owner)

    def copy_into(self, state: PhaseState, *, vectors: bool) -> None:
        """Repeat the ops around the phase at its start; those of vectors only where a thread has them to itself."""
        for op in self.constants:
            if vectors or not is_vector(op.result):
                state.values[op.result] = state.em.constant(op.value, op.result.type)
        for argument in self.arguments:
            if isinstance(argument.type, MemRefType):
                state.buffers[argument] = Buffer(state.values[argument])
        for op in self.copied:
            if not vectors and any(is_vector(r) for r in op.results):
                continue
            state.em.location = op.location
            state.repeat(op)

    def base(self, value: SSAValue) -> SSAValue:
        """The argument whose memory a value is."""
        while not isinstance(value.owner, Block) and not isinstance(value.owner, memref.GetGlobalOp | memref.AllocaOp):
            value = value.owner.operands[0]
        return value


__all__ = ["Argument", "Outside"]
