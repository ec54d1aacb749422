"""Replays the ops that were traced for one example on a batch of them, through the builder that made them.

A value of an example is either the same for all of them, or has become an array with the batch as its first dim. What reads only
the former is done once, as it was; for the rest its op has a rule, which emits what does the batch. So a function may read
values from outside (they are the same for all), and a map inside of a map is nothing special: its ops are ops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from stepwell.dialects import stablehlo
from stepwell.frontends.batching.flags import Flags, free_values
from stepwell.frontends.build import Function, Values, element_of, shape_of
from stepwell.frontends.errors import TracingError
from stepwell.ir.diagnostics import Diagnostic, location_of


class Batched(NamedTuple):
    """What became of a value."""

    value: SSAValue
    has_batch: bool
    """Whether its first dim is the batch; otherwise it is the same for all."""


Rule: TypeAlias = Callable[["Batcher", Any, Sequence[Batched]], Sequence[SSAValue]]
"""What an op becomes, of whose operands (or values read in its regions) one has the batch: its results, all with the batch."""
ControlRule: TypeAlias = Callable[["Batcher", Any, Sequence[Batched]], Sequence[Batched]]
"""The same for ops of control flow, some of whose results may be the same for all."""


class Batcher:
    """Replays blocks for a batch of `size` examples."""

    def __init__(
        self,
        function: Function,
        size: int,
        rule_of: Callable[[Operation], Rule | None],
        control: Mapping[type[Operation], ControlRule],
    ):
        self.function = function
        self.size = size
        self._rule_of = rule_of
        self._control = control
        self._known: dict[SSAValue, Batched] = {}

    def lookup(self, value: SSAValue) -> Batched:
        """What became of a value; one from outside of what is replayed is the same for all."""
        return self._known.get(value) or Batched(value, False)

    def run(self, block: Block, arguments: Sequence[Batched]) -> list[Batched]:
        """Replay a block on these arguments; gives what it returns (nothing, if it has no end)."""
        self._known.update(zip(block.args, arguments, strict=True))
        for op in block.ops:
            if isinstance(op, stablehlo.ReturnOp):
                return [self.lookup(v) for v in op.operands]
            with self.function.located(op.location):
                self._known.update(zip(op.results, self._replayed(op), strict=True))
        return []

    def _replayed(self, op: Operation) -> list[Batched]:
        operands = [self.lookup(v) for v in op.operands]
        outer = free_values(op) if op.regions else ()
        if not any(b.has_batch for b in operands) and not any(self.lookup(v).has_batch for v in outer):
            return [Batched(v, False) for v in self.copied(op, outer).results]
        if (control := self._control.get(type(op))) is not None:
            return list(control(self, op, operands))
        rule = self._rule_of(op)
        if rule is None:
            raise refused(op, f"{op.name} has no batching rule", "lax.scan does one element after the other")
        if any(self.lookup(v).has_batch for v in outer):
            message = f"the region of {op.name} reads a value that differs from element to element of the map"
            raise refused(op, message, "lax.scan does one element after the other")
        return [Batched(v, True) for v in rule(self, op, operands)]

    def copied(self, op: Operation, outer: Sequence[SSAValue] = ()) -> Operation:
        """The op once more, on what its operands became."""
        mapped: dict[SSAValue, SSAValue] = {v: self.lookup(v).value for v in (*op.operands, *outer)}
        return self.function.emit(op.clone, mapped)

    # For rules -----------------------------------------------------------------------------------------------------

    def full(self, value: Batched) -> SSAValue:
        """A value with the batch: repeated, if it is the same for all."""
        if value.has_batch:
            return value.value
        shape = shape_of(value.value)
        return self.function.broadcast_in_dim(value.value, (self.size, *shape), range(1, len(shape) + 1))

    def spread(self, value: SSAValue, shape: Sequence[int]) -> SSAValue:
        """A number an example, in the shape of a result with the batch."""
        return self.function.broadcast_in_dim(value, shape, (0,)) if len(shape) > 1 else value

    def again(
        self,
        op: Operation,
        operands: Values,
        types: Sequence[Attribute] | None = None,
        **changed: Attribute,
    ) -> Sequence[SSAValue]:
        """An op of the same kind on operands with the batch: results get it in front, properties change as given."""
        results = [batched_type(r.type, self.size) for r in op.results] if types is None else list(types)
        made = self.function.emit(
            type(op).create,
            operands=list(operands),
            result_types=results,
            properties={**op.properties, **changed},
            attributes=dict(op.attributes),
            regions=self.regions(op),
        )
        return made.results

    def regions(self, op: Operation) -> list[Region]:
        """Copies of the op's regions, which read no value that has the batch."""
        mapped = {v: self.lookup(v).value for v in (*op.operands, *(free_values(op) if op.regions else ()))}
        copy = op.clone(mapped)
        return [copy.detach_region(region) for region in tuple(copy.regions)]

    def moved(self, value: SSAValue, source: int, destination: int) -> SSAValue:
        """A dim moved to another place."""
        if source == destination:
            return value
        order = [d for d in range(len(shape_of(value))) if d != source]
        order.insert(destination, source)
        return self.function.transpose(value, order)

    def flags(self, block: Block, arguments: Sequence[bool]) -> list[bool]:
        """Which values that a block returns have the batch, if these arguments have."""
        return Flags(lambda v: self.lookup(v).has_batch).of_block(block, arguments)


def refused(op: Operation, message: str, hint: str | None = None) -> TracingError:
    """The error to raise at the line where the op was traced."""
    return TracingError(Diagnostic("error", location_of(op), f"cannot map over this: {message}", hint=hint))


def batched_type(a_type: Attribute, size: int) -> TensorType[Any]:
    """A tensor's type with the batch in front."""
    known = cast("TensorType[Any]", a_type)
    return TensorType(known.element_type, (size, *known.get_shape()))


__all__ = ["Batched", "Batcher", "ControlRule", "Rule", "batched_type", "element_of", "refused", "shape_of"]
