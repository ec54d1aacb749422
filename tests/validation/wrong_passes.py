"""Passes that are wrong on purpose, each as a real bug would be: what validation must find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, MemRefType, i64
from xdsl.ir import Operation

from stepwell.dialects import kernel, vector
from stepwell.dialects import stablehlo as hlo
from stepwell.ir.passes import Pass
from stepwell.passes.hlo import Hlo


def replace(op: Operation, new: Operation) -> None:
    op.parent.insert_op_before(new, op)
    for old, value in zip(op.results, new.results, strict=True):
        old.replace_all_uses_with(value)
    op.detach()
    op.erase()


def bypass(op: Operation, operand: int) -> None:
    op.results[0].replace_all_uses_with(op.operands[operand])
    op.detach()
    op.erase()


def swap_add(op: Operation) -> None:
    """a + b becomes a - b."""
    if isinstance(op, hlo.AddOp):
        replace(op, hlo.SubtractOp.create(operands=op.operands, result_types=[op.results[0].type]))


def drop_clamp(op: Operation) -> None:
    """clamp(low, x, high) becomes x."""
    if isinstance(op, hlo.ClampOp):
        bypass(op, 1)


def shift_slice(op: Operation) -> None:
    """A slice starts one late."""
    if isinstance(op, hlo.SliceOp):
        for name, by in (("start_indices", 1), ("limit_indices", 1)):
            numbers = [n + by for n in op.properties[name].get_values()]
            op.properties[name] = DenseArrayBase.from_list(i64, numbers)


def weaken_compare(op: Operation) -> None:
    """a < b becomes a <= b: only ties differ."""
    if isinstance(op, hlo.CompareOp) and op.comparison_direction.data == hlo.ComparisonDirection.LT:
        op.properties["comparison_direction"] = type(op.comparison_direction)(hlo.ComparisonDirection.LE)


def negate_by_subtraction(op: Operation) -> None:
    """-x becomes 0 - x: only the sign of zero differs."""
    if isinstance(op, hlo.NegateOp):
        h = Hlo.before(op)
        zero = h.sub(op.operands[0], op.operands[0])
        zero = h.select(h.eq(zero, zero), zero, zero)
        replace(op, hlo.SubtractOp.create(operands=[zero, op.operands[0]], result_types=[op.results[0].type]))


def lose_nan(op: Operation) -> None:
    """maximum(a, b) becomes a > b ? a : b: only NaN and -0.0 differ."""
    if isinstance(op, hlo.MaximumOp):
        h = Hlo.before(op)
        a, b = op.operands
        picked = h.select(h.gt(a, b), a, b)
        op.results[0].replace_all_uses_with(picked)
        op.detach()
        op.erase()


def merge_iotas(op: Operation) -> None:
    """Equal types are taken for equal ops, as by a cse that forgets attributes."""
    if isinstance(op, hlo.IotaOp):
        op.properties["iota_dimension"] = IntegerAttr(0, 64)


def loosen_index(op: Operation) -> None:
    """An index is no longer clamped from above."""
    if op.name in ("arith.minsi", "arith.minui"):
        bypass(op, 0)


def unmask(op: Operation) -> None:
    """A tail is one element too short."""
    if isinstance(op, vector.ConstantMaskOp):
        *leading, last = op.mask_dim_sizes.get_values()
        op.properties["mask_dim_sizes"] = DenseArrayBase.from_list(i64, [*leading, last - 1])


def write_the_input(op: Operation) -> None:
    """A launch writes the memory of the first input: a wrong alias."""
    if isinstance(op, kernel.LaunchOp) and isinstance(op.outs[0].type, MemRefType):
        first = op.parent.args[0]
        if first.type == op.outs[0].type:
            op.operands[len(op.ins)] = first


def overlap_temporaries(op: Operation) -> None:
    """Every temporary lies at the start of the arena."""
    if op.name == "memref.view":
        offset = op.operands[1].owner
        if isinstance(offset, Operation) and offset.name == "arith.constant":
            offset.properties["value"] = IntegerAttr.from_index_int_value(0)


def shorten_loop(op: Operation) -> None:
    """A loop runs once less."""
    if isinstance(op, scf.ForOp) and op.parent_op() is not None and op.parent_op().name != "func.func":
        less = arith.SubiOp(op.ub, op.step)
        op.parent.insert_op_before(less, op)
        op.operands[1] = less.result


@dataclass(frozen=True)
class WrongPass(Pass):
    """Does one wrong thing to every op of the module it fits."""

    name = "wrong"

    change: Callable[[Operation], None] = swap_add

    def apply(self, ctx: Context, op: Operation) -> None:
        for inner in list(op.walk()):
            if inner.parent is not None:
                self.change(inner)


@dataclass(frozen=True)
class WrongRoundingPass(WrongPass):
    """The same in a pass that may round."""

    name = "wrong-rounding"
    numerics = "rounding"
