"""raise-to-affine: loops with constant bounds and accesses at affine places, said in the affine dialect.

Before:
    scf.for %i = %c0 to %c8 step %c1 {
      %j = arith.addi %i, %c1 : index
      %x = memref.load %a[%j] : memref<16xf32>

After:
    affine.for %i = 0 to 8 {
      %x = affine.load %a[%i + 1] : memref<16xf32>

A loop is raised when its bounds and its positive step are constants, an access when each of its indices is a sum of
multiples of raised loops' indices and constants. Cost: one walk; each index expression is composed once per access and
given up on beyond a few terms.

Needs: `bufferize`. Keeps: every other loop and access; vector transfers.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import affine, arith, memref, scf
from xdsl.dialects.builtin import AffineMapAttr, IndexType, IntegerAttr
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.passes import Pass
from stepwell.passes.preconditions import needs_buffers

_DEPTH = 8


def _constant(value: SSAValue) -> int | None:
    owner = value.owner
    if isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr):
        return owner.value.value.data
    return None


def raise_loop(op: scf.ForOp) -> bool:
    """Make `op` an `affine.for` when its bounds are constants."""
    lower, upper, step = _constant(op.lb), _constant(op.ub), _constant(op.step)
    if lower is None or upper is None or step is None or step < 1 or not isinstance(op.lb.type, IndexType):
        return False
    region = Region(op.body.detach_block(op.body.block))
    last = region.block.last_op
    assert isinstance(last, scf.YieldOp)
    new = affine.ForOp.from_region([], [], op.iter_args, op.result_types, lower, upper, region, step)
    new.attributes.update(op.attributes)
    terminator = affine.YieldOp.get(*last.operands)
    terminator.location = last.location
    Rewriter.replace_op(last, terminator)
    new.location = op.location
    hints = [r.name_hint for r in op.results]
    bounds = (op.lb, op.ub, op.step)
    Rewriter.replace_op(op, new)
    for result, hint in zip(new.results, hints, strict=True):
        result.name_hint = hint
    for bound in bounds:
        _drop_unused(bound)
    return True


class _Composer:
    """Composes an access's indices into one map over the raised loops' indices."""

    def __init__(self) -> None:
        self.dims: list[SSAValue] = []

    def expression(self, value: SSAValue, depth: int = 0) -> AffineExpr | None:
        """`value` as an affine expression of `dims`, None when it is not provably one."""
        owner = value.owner
        if isinstance(owner, Block):
            if not isinstance(owner.parent_op(), affine.ForOp) or value is not owner.args[0]:
                return None
            return self._dim(value)
        constant = _constant(value)
        if constant is not None:
            return AffineExpr.constant(constant)
        if depth == _DEPTH:
            return None
        if isinstance(owner, affine.ApplyOp):
            return self._apply(owner, depth)
        if isinstance(owner, arith.AddiOp | arith.SubiOp | arith.MuliOp):
            return self._binary(owner, depth)
        return None

    def _dim(self, value: SSAValue) -> AffineExpr:
        for position, known in enumerate(self.dims):
            if known is value:
                return AffineExpr.dimension(position)
        self.dims.append(value)
        return AffineExpr.dimension(len(self.dims) - 1)

    def _apply(self, op: affine.ApplyOp, depth: int) -> AffineExpr | None:
        amap = op.map.data
        inner: list[AffineExpr] = []
        for operand in op.mapOperands:
            expression = self.expression(operand, depth + 1)
            if expression is None:
                return None
            inner.append(expression)
        return amap.results[0].replace_dims_and_symbols(inner[: amap.num_dims], inner[amap.num_dims :])

    def _binary(self, op: arith.AddiOp | arith.SubiOp | arith.MuliOp, depth: int) -> AffineExpr | None:
        if isinstance(op, arith.MuliOp) and _constant(op.rhs) is None and _constant(op.lhs) is None:
            return None
        lhs = self.expression(op.lhs, depth + 1)
        rhs = self.expression(op.rhs, depth + 1) if lhs is not None else None
        if lhs is None or rhs is None:
            return None
        if isinstance(op, arith.AddiOp):
            return lhs + rhs
        if isinstance(op, arith.SubiOp):
            return lhs - rhs
        return lhs * rhs if _constant(op.rhs) is not None else rhs * lhs


def raise_access(op: memref.LoadOp | memref.StoreOp) -> bool:
    """Make `op` an affine access when its indices are affine."""
    composer = _Composer()
    results: list[AffineExpr] = []
    for index in op.indices:
        expression = composer.expression(index)
        if expression is None:
            return False
        results.append(expression)
    amap = AffineMapAttr(AffineMap(len(composer.dims), 0, tuple(results)))
    indices = list(op.indices)
    builder = LocatedBuilder(InsertPoint.before(op), op.location)
    if isinstance(op, memref.LoadOp):
        load = builder.insert(affine.LoadOp(op.memref, composer.dims, amap))
        load.result.name_hint = op.res.name_hint
        op.res.replace_all_uses_with(load.result)
    else:
        builder.insert(affine.StoreOp(op.value, op.memref, composer.dims, amap))
    op.detach()
    op.erase()
    for index in indices:
        _drop_unused(index)
    return True


def _drop_unused(value: SSAValue) -> None:
    """Remove the index arithmetic that no one uses any more."""
    pending = [value]
    while pending:
        owner = pending.pop().owner
        if not isinstance(owner, arith.AddiOp | arith.SubiOp | arith.MuliOp | arith.ConstantOp | affine.ApplyOp):
            continue
        if owner.parent is not None and not owner.results[0].uses:
            pending.extend(owner.operands)
            owner.detach()
            owner.erase()


@dataclass(frozen=True)
class RaiseToAffinePass(Pass):
    """Constant loops and affine accesses in the affine dialect."""

    name = "raise-to-affine"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Raise the loops, then the accesses."""
        del ctx
        needs_buffers(op, self.name)
        loops = [inner for inner in op.walk() if isinstance(inner, scf.ForOp)]
        for loop in loops:
            raise_loop(loop)
        accesses = [inner for inner in op.walk() if isinstance(inner, memref.LoadOp | memref.StoreOp)]
        for access in accesses:
            raise_access(access)


__all__ = ["RaiseToAffinePass", "raise_access", "raise_loop"]
