"""contract-products: a product and the sum it goes into become one op that rounds once, where the program allows it.

Before: %p = arith.mulf %a, %b : vector<16xf32>       After: %s = math.fma %a, %b, %c : vector<16xf32>
        %s = arith.addf %p, %c : vector<16xf32>

The module says that it does: `stepwell.fp_contract`, written for who compiles with `fp_contract=True`, and kept, so that the code can
be made again from any step. Without it a pass may not do this: `a * b + c` of a user rounds twice (docs/floating-point.md).
Differences are contracted too, with a negation that costs nothing in the end. Of a sum of two products the left one goes in.

Needs: step 4, before expand-math, whose own arithmetic is exact as it stands and has its products contracted already.
Keeps: products that something else reads, types other than f32 and f64 (they round after every op), regions of structured ops,
and everything on a machine that cannot do it in one op.  Fails: the attribute is no truth value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, math
from xdsl.dialects.builtin import Float32Type, Float64Type, IntegerAttr, UnitAttr
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.type import get_element_type_or_self

from stepwell.dialects.stepwell import FP_CONTRACT
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.diagnostics import invalid
from stepwell.ir.instrumentation import count
from stepwell.ir.machine import machine_of
from stepwell.ir.passes import Pass


def allows_contraction(op: Operation) -> bool:
    """Whether the module around an op says that products may be contracted.

    Raises:
        InvalidProgramError: it says something else.
    """
    owner: Operation | None = op
    while owner is not None and FP_CONTRACT not in owner.attributes:
        owner = owner.parent_op()
    if owner is None:
        return False
    said = owner.attributes[FP_CONTRACT]
    if isinstance(said, UnitAttr):
        return True
    if isinstance(said, IntegerAttr) and said.value.data in (0, 1, -1):
        return said.value.data != 0
    raise invalid(owner, f"has {FP_CONTRACT} = {said}, which is neither true nor false")


def _sums(op: Operation) -> Iterator[arith.AddfOp | arith.SubfOp]:
    """Sums and differences inside of an op, in order, but for regions of structured ops: these are looked at as they are."""
    for region in op.regions:
        for block in region.blocks:
            for inner in tuple(block.ops):
                if isinstance(inner, arith.AddfOp | arith.SubfOp):
                    yield inner
                elif not inner.name.startswith("structured."):
                    yield from _sums(inner)


def _product(value: SSAValue) -> arith.MulfOp | None:
    """The product that a sum alone reads."""
    owner = value.owner
    return owner if isinstance(owner, arith.MulfOp) and value.has_one_use() else None


def contract(op: arith.AddfOp | arith.SubfOp) -> bool:
    """Make one op of a sum or difference and a product that it reads; False where there is none."""
    if not isinstance(get_element_type_or_self(op.result.type), Float32Type | Float64Type):
        return False
    left, right = _product(op.lhs), _product(op.rhs)
    product = left or right
    if product is None:
        return False
    builder = LocatedBuilder(InsertPoint.before(op), op.location)
    factor, rest = product.lhs, op.rhs if product is left else op.lhs
    if isinstance(op, arith.SubfOp):
        if product is left:
            rest = builder.insert(arith.NegfOp(rest)).result
        else:
            factor = builder.insert(arith.NegfOp(factor)).result
    Rewriter.replace_op(op, math.FmaOp(factor, product.rhs, rest))
    Rewriter.erase_op(product)
    return True


@dataclass(frozen=True)
class ContractProductsPass(Pass):
    """Make one op, rounded once, of products and the sums they go into, where the module allows it."""

    name = "contract-products"
    anchor = "kernel.func"
    numerics = "rounding"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Contract the products of one kernel."""
        if not allows_contraction(op) or not machine_of(op).has_fma:
            return
        for found in _sums(op):
            if contract(found):
                count("rewritten")
