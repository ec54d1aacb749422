"""Rebuilding one kernel as a sequence of phases: value map, destinations, views, parallel phases.

`KernelBuilder` owns what every strategy shares. A strategy takes the kernel's ops in order and makes phases of them;
free reshapes stay as they are, slices become part of the accesses that read them, and each op's result lands where it
belongs: straight in an output argument, in place in the tensor it updates, or in launch scratch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    DenseIntOrFPElementsAttr,
    TensorType,
)
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.utils import get_dynamic_index_list
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel, structured
from stepwell.dialects.scf import ForallOp, InParallelOp
from stepwell.dialects.tensor import ParallelInsertSliceOp
from stepwell.ir.dense import splat_value
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.errors import UnsupportedError
from stepwell.ir.machine import machine_of
from stepwell.ir.structured import indexing_maps, iterator_kinds
from stepwell.passes.schedules.emit import Emitter, Index
from stepwell.passes.schedules.nest import (
    Access,
    Nest,
    Output,
    generic_extents,
    generic_outputs,
    scalar_of_fill,
    slice_dims,
    static_shape,
)

Slice = tuple[SSAValue, Sequence[Index], Sequence[Index]]
"""What a task leaves of a shared output: value, offsets, sizes."""

RESHAPES = (tensor.CollapseShapeOp, tensor.ExpandShapeOp)


@dataclass(frozen=True)
class _View:
    """A slice of another tensor of the old kernel, read through."""

    source: SSAValue
    exprs: tuple[AffineExpr, ...]
    symbols: tuple[SSAValue, ...]


def is_uniform(value: SSAValue) -> bool:
    """Whether a tensor is a fill or a splat constant: all its elements are one number."""
    if scalar_of_fill(value) is not None:
        return True
    op = value.owner
    if not isinstance(op, arith.ConstantOp) or not isinstance(op.value, DenseIntOrFPElementsAttr):
        return False
    return splat_value(op.value) is not None


class KernelBuilder:
    """The new body of one kernel.func, under construction."""

    def __init__(self, func: kernel.FuncOp, copy: Callable[[KernelBuilder, SSAValue, SSAValue], SSAValue]):
        self.func = func
        self.copy = copy
        """Makes a phase that copies a tensor, or a scalar, into a tensor."""
        self.block = Block(arg_types=[a.type for a in func.args])
        self.em = Emitter(self.block, func.location, machine_of(func).line_bytes)
        self._values: dict[SSAValue, SSAValue] = dict(zip(func.args, self.block.args, strict=True))
        for old, new in self._values.items():
            new.name_hint = old.name_hint
        self._views: dict[SSAValue, _View] = {}
        self._homes: dict[SSAValue, SSAValue] = {a: a for a in self.block.args}
        self._assigned: dict[SSAValue, SSAValue] = {}
        self._assign_outputs()

    # Values and accesses.

    def value(self, old: SSAValue) -> SSAValue:
        """The new kernel's version of a value; a slice is materialized."""
        known = self._values.get(old)
        if known is not None:
            return known
        view = self._views.get(old)
        if view is not None:
            assert isinstance(old.owner, tensor.ExtractSliceOp)
            return self.clone(old.owner)[0]
        op = old.owner
        if isinstance(op, arith.ConstantOp) and not isinstance(op.result.type, TensorType):
            return self.em.constant(op.value, op.result.type)
        raise AssertionError(f"{op}: used before it was scheduled")

    def define(self, old: SSAValue, new: SSAValue, home: SSAValue) -> None:
        """Say what a result has become and which destination holds it."""
        self._values[old] = new
        self._homes[new] = home
        if new.name_hint is None:
            new.name_hint = old.name_hint

    def clone(self, op: Operation) -> Sequence[SSAValue]:
        """Copy an op (with its regions) onto the new values."""
        mapper = dict(self._values)
        for operand in op._operands:  # pyright: ignore[reportPrivateUsage]
            mapper[operand] = self.value(operand)
        copy = op.clone(mapper)
        self.em.add(copy)
        for old, new in zip(op.results, copy.results, strict=True):
            self._values[old] = new
            self._homes[new] = new
        return copy.results

    def resolve(self, old: SSAValue, exprs: Sequence[AffineExpr]) -> Access:
        """An access to a tensor of the old kernel, through slices, as one of the new kernel."""
        view = self._views.get(old)
        if view is None:
            return Access(self.value(old), tuple(exprs))
        composed = tuple(e.replace_dims_and_symbols(list(exprs), []) for e in view.exprs)
        if view.symbols:
            # Symbols follow the nest's own; nests have none of theirs.
            composed = tuple(e.replace_dims_and_symbols(list(exprs), _symbols(len(view.symbols))) for e in view.exprs)
        return Access(self.value(view.source), composed, view.symbols)

    def uniform(self, value: SSAValue) -> SSAValue | None:
        """The scalar that a tensor of equal elements holds, when it is a fill or a splat constant."""
        filled = scalar_of_fill(value)
        if filled is not None:
            return self.value(filled)
        op = value.owner
        if isinstance(op, arith.ConstantOp) and isinstance(op.value, DenseIntOrFPElementsAttr):
            assert isinstance(value.type, TensorType)
            splat = splat_value(op.value)
            if splat is not None:
                return self.em.constant(splat, value.type.element_type)
        return None

    # Destinations.

    def _assign_outputs(self) -> None:
        """Let each returned value be computed straight in its output argument, back through reshapes and updates."""
        arguments = self.block.args[self.func.num_inputs : len(self.func.access.data)]
        for old, argument in zip(self.func.return_op.operands, arguments, strict=True):
            self._assign(old, argument)

    def _assign(self, old: SSAValue, target: SSAValue) -> None:
        while old not in self._assigned:
            op = old.owner
            if isinstance(op, RESHAPES) and old.uses.get_length() == 1:
                target = reshape_like(self.em, target, op.src, op)
                old = op.src
                continue
            if not isinstance(op, Operation) or not is_scheduled(op):
                return
            self._assigned[old] = target
            before = destination_of(op, old)
            if before is None or isinstance(before.owner, tensor.EmptyOp) or not before.has_one_use():
                return
            if scalar_of_fill(before) is not None and isinstance(op, linalg.GenericOp):
                return
            old = before

    def destination(self, op: Operation, old: SSAValue) -> SSAValue:
        """Where a result goes: in place in what it updates, its assigned output, or fresh launch scratch.

        An op that updates a tensor it may not overwrite (an input, a constant, a value still used) gets a copy; a
        reduction reads such an init point by point instead.
        """
        before = destination_of(op, old)
        if before is not None and not isinstance(before.owner, tensor.EmptyOp):
            if self._may_overwrite(before) and not (
                isinstance(op, linalg.GenericOp) and self.uniform(before) is not None
            ):
                return self.value(before)
            if not isinstance(op, linalg.GenericOp):
                return self._copied(before, self._fresh(old))
        return self._fresh(old)

    def _fresh(self, old: SSAValue) -> SSAValue:
        if old in self._assigned:
            return self._assigned[old]
        return self.scratch(old.type, kernel.ScratchScope.LAUNCH)

    def _may_overwrite(self, old: SSAValue) -> bool:
        if not old.has_one_use() or isinstance(old.owner, arith.ConstantOp):
            return False
        home = self.root(self.value(old)) if old in self._values else None
        return home is None or home not in self.block.args[: self.func.num_inputs]

    def _copied(self, old: SSAValue, target: SSAValue) -> SSAValue:
        scalar = self.uniform(old)
        result = self.copy(self, scalar if scalar is not None else self.value(old), target)
        self._homes[result] = self.home(target)
        return result

    def root(self, new: SSAValue) -> SSAValue:
        """The argument or scratch tensor a value lives in, behind reshapes."""
        home = self.home(new)
        while isinstance(home.owner, RESHAPES):
            home = self.home(home.owner.src)
        return home

    def scratch(self, kind: object, scope: kernel.ScratchScope) -> SSAValue:
        """A temporary tensor."""
        op = tensor.EmptyOp([], kind)  # pyright: ignore[reportArgumentType]
        op.attributes["scratch"] = kernel.ScratchAttr(scope)
        return self.em.add(op).tensor

    def home(self, new: SSAValue) -> SSAValue:
        """The destination a value of the new kernel lives in."""
        return self._homes.get(new, new)

    # Phases.

    def phase(
        self,
        counts: Sequence[int],
        destinations: Sequence[SSAValue],
        body: Callable[[Sequence[Index], Sequence[SSAValue]], Sequence[Slice]],
        level: kernel.Level | None = None,
    ) -> Sequence[SSAValue]:
        """One parallel loop: `body(task indices, shared outputs)` gives the slice each task leaves of each output.

        `level` says who does a task (None: a worker); subgroups of a block have their loops inside of a block's task.
        """
        mapping = None if level is None else [kernel.LevelAttr(level)]
        forall = ForallOp(list(counts), list(destinations), mapping=mapping)
        block = forall.body.block
        ivs: list[Index] = [0 if n == 1 else iv for n, iv in zip(counts, forall.induction_vars, strict=True)]

        def fill() -> None:
            inserts: list[Operation] = []
            for (value, offsets, sizes), out in zip(
                body(ivs, forall.region_outputs), forall.region_outputs, strict=True
            ):
                inserts.append(ParallelInsertSliceOp(value, out, list(offsets), list(sizes)))
            end = InParallelOp(inserts)
            for insert in inserts:
                insert.location = self.em.location
            self.em.add(end)

        self.em.inside(block, fill)
        return self.em.add(forall).res

    def whole(self, value: SSAValue) -> Slice:
        """A task's result that is the whole output."""
        assert isinstance(value.type, TensorType)
        shape = value.type.get_shape()
        return value, [0] * len(shape), list(shape)

    def slice_of(self, out: SSAValue, offsets: Sequence[Index], sizes: Sequence[Index]) -> SSAValue:
        """A task's part of a shared output, or all of it."""
        assert isinstance(out.type, TensorType)
        if list(sizes) == list(out.type.get_shape()):
            return out
        shape = [s if isinstance(s, int) else DYNAMIC_INDEX for s in sizes]
        op = tensor.ExtractSliceOp(
            out, list(offsets), list(sizes), [1] * len(sizes), TensorType(out.type.element_type, shape)
        )
        return self.em.add(op).result

    # Ops that are no phase, and ops as nests.

    def pass_through(self, op: Operation) -> bool:
        """Handle ops that make no phase: empties, constants, scalars, reshapes, slices. False for the others."""
        self.em.location = op.location
        if isinstance(op, tensor.EmptyOp):
            return True
        if isinstance(op, arith.ConstantOp):
            if isinstance(op.result.type, TensorType):
                if self._needs_constant(op.result):
                    self.clone(op)
            else:
                self._values[op.result] = self.em.constant(op.value, op.result.type)
            return True
        if isinstance(op, tensor.ExtractSliceOp):
            self._views[op.result] = self._view(op)
            return True
        if isinstance(op, RESHAPES):
            home = self.home(self.value(op.src))
            new = self.clone(op)[0]
            self._homes[new] = home
            return True
        if is_scheduled(op):
            return False
        if op.name.startswith(("arith.", "math.")) or isinstance(op, tensor.ExtractOp | tensor.FromElementsOp):
            self.clone(op)
            return True
        raise unsupported(op, "it has no schedule inside a kernel", "lower it to linalg or structured ops first")

    def _needs_constant(self, value: SSAValue) -> bool:
        return self.uniform(value) is None or any(not isinstance(u.operation, linalg.GenericOp) for u in value.uses)

    def _view(self, op: tensor.ExtractSliceOp) -> _View:
        offsets = get_dynamic_index_list(op.static_offsets.get_values(), op.offsets, DYNAMIC_INDEX)
        strides = get_dynamic_index_list(op.static_strides.get_values(), op.strides, DYNAMIC_INDEX)
        shape = static_shape(op.result, op)
        symbols: list[SSAValue] = []
        exprs: list[AffineExpr] = []
        for dim, offset, stride in zip(slice_dims(op, shape), offsets, strides, strict=True):
            if not isinstance(stride, int):
                raise UnsupportedError(f"{op.name}: a dynamic stride cannot be scheduled; use static strides")
            expr = AffineExpr.constant(0) if dim is None else AffineExpr.dimension(dim) * stride
            exprs.append(expr + self._offset(offset, symbols))
        base = self._views.get(op.source)
        if base is None:
            return _View(op.source, tuple(exprs), tuple(symbols))
        shifted = [AffineExpr.symbol(len(symbols) + i) for i in range(len(base.symbols))]
        composed = tuple(e.replace_dims_and_symbols(exprs, shifted) for e in base.exprs)
        return _View(base.source, composed, (*symbols, *base.symbols))

    def _offset(self, offset: SSAValue | int, symbols: list[SSAValue]) -> AffineExpr:
        if isinstance(offset, int):
            return AffineExpr.constant(offset)
        symbols.append(self.value(offset))
        return AffineExpr.symbol(len(symbols) - 1)

    def nest(self, op: Operation) -> Nest:
        """An op as a nest (generic, fill, insert_slice)."""
        if isinstance(op, linalg.GenericOp):
            return self._generic_nest(op)
        if isinstance(op, linalg.FillOp):
            result = op.res[0]
            shape = static_shape(result, op)
            exprs = _identity(len(shape))
            scalar = self.value(op.inputs[0])
            output = Output(result, exprs, reduced=False)
            return Nest(shape, (False,) * len(shape), [scalar], [output], None, op.location)
        assert isinstance(op, tensor.InsertSliceOp)
        shape = static_shape(op.source, op)
        static_shape(op.dest, op)
        output = Output(op.result, self.insert_exprs(op)[0], reduced=False)
        source: Access | SSAValue | None = self.uniform(op.source)
        if source is None:
            source = self.resolve(op.source, _identity(len(shape)))
        return Nest(shape, (False,) * len(shape), [source], [output], None, op.location)

    def insert_exprs(self, op: tensor.InsertSliceOp) -> tuple[tuple[AffineExpr, ...], tuple[SSAValue, ...]]:
        """Where element d of the source of an insert_slice goes; dynamic offsets are symbols."""
        offsets = get_dynamic_index_list(op.static_offsets.get_values(), op.offsets, DYNAMIC_INDEX)
        symbols: list[SSAValue] = []
        exprs: list[AffineExpr] = []
        shape = static_shape(op.source, op)
        if DYNAMIC_INDEX in op.static_strides.get_values():
            raise UnsupportedError(f"{op.name}: a dynamic stride cannot be scheduled; use static strides")
        for dim, offset, stride in zip(slice_dims(op, shape), offsets, op.static_strides.get_values(), strict=True):
            expr = AffineExpr.constant(0) if dim is None else AffineExpr.dimension(dim) * stride
            exprs.append(expr + self._offset(offset, symbols))
        return tuple(exprs), tuple(symbols)

    def _generic_nest(self, op: linalg.GenericOp) -> Nest:
        sizes = generic_extents(op)
        inputs: list[Access | SSAValue] = []
        for operand, amap in zip(op.inputs, indexing_maps(op), strict=False):
            inputs.append(self._input(operand, amap.results))
        outputs = generic_outputs(op)
        body = op.body.block
        for i, (output, before) in enumerate(zip(outputs, op.outputs, strict=True)):
            if body.args[len(inputs) + i].first_use is None and not output.reduced:
                continue
            outputs[i] = Output(
                output.original, output.exprs, output.reduced, output.combiner, self._init(before, output)
            )
        kinds = tuple(k != "parallel" for k in iterator_kinds(op))
        return Nest(sizes, kinds, inputs, outputs, body, op.location)

    def _input(self, operand: SSAValue, exprs: Sequence[AffineExpr]) -> Access | SSAValue:
        if not isinstance(operand.type, TensorType):
            return self.value(operand)
        scalar = self.uniform(operand)
        if scalar is not None:
            return scalar
        if isinstance(operand.owner, tensor.EmptyOp):
            # Shape-only operand: never read.
            return operand
        return self.resolve(operand, exprs) if self._known(operand) else Access(operand, tuple(exprs))

    def _known(self, operand: SSAValue) -> bool:
        return operand in self._values or operand in self._views

    def _init(self, before: SSAValue, output: Output) -> SSAValue | Access | None:
        scalar = self.uniform(before)
        if scalar is not None:
            return scalar
        if isinstance(before.owner, tensor.EmptyOp):
            return None
        return self.resolve(before, output.exprs)

    def finish(self) -> None:
        """Return the results (copying those computed elsewhere) and replace the kernel's body."""
        results: list[SSAValue] = []
        arguments = self.block.args[self.func.num_inputs : len(self.func.access.data)]
        for old, argument in zip(self.func.return_op.operands, arguments, strict=True):
            new = self.value(old)
            results.append(new if self.root(new) is argument else self.copy(self, new, argument))
        self.em.location = self.func.return_op.location
        self.em.add(kernel.ReturnOp(*results))
        self.func.body.detach_block(0)
        self.func.body.add_block(self.block)


def _symbols(count: int) -> list[AffineExpr]:
    return [AffineExpr.symbol(i) for i in range(count)]


def _identity(rank: int) -> tuple[AffineExpr, ...]:
    return tuple(AffineExpr.dimension(d) for d in range(rank))


def is_scheduled(op: Operation) -> bool:
    """Ops that become phases."""
    return isinstance(op, linalg.GenericOp | linalg.FillOp | tensor.InsertSliceOp | structured.StructuredOp)


def destination_of(op: Operation, result: SSAValue) -> SSAValue | None:
    """The operand a result is tied to."""
    if isinstance(op, linalg.GenericOp | linalg.FillOp):
        return op.outputs[op.results.index(result)]  # pyright: ignore[reportArgumentType]
    if isinstance(op, tensor.InsertSliceOp):
        return op.dest
    if isinstance(op, structured.StructuredOp):
        return op.destinations[op.results.index(result)]  # pyright: ignore[reportArgumentType]
    return None


def reshape_like(em: Emitter, target: SSAValue, source: SSAValue, op: Operation) -> SSAValue:
    """`target`, of the type of a reshape's result, as the type of its source: the inverse reshape."""
    kind = source.type
    assert isinstance(kind, TensorType)
    if isinstance(op, tensor.ExpandShapeOp):
        inverse: Operation = tensor.CollapseShapeOp.create(
            operands=[target], result_types=[kind], properties={"reassociation": op.reassociation}
        )
    else:
        assert isinstance(op, tensor.CollapseShapeOp)
        inverse = tensor.ExpandShapeOp(target, [], op.reassociation, kind.get_shape(), kind)
    return em.add(inverse).results[0]


__all__ = ["KernelBuilder", "Region", "Slice", "destination_of", "is_scheduled", "is_uniform"]
