"""Rebuilding generics: one body out of several, index expressions as operands' maps."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    IndexType,
    IntegerAttr,
    TensorType,
    i64,
)
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
)
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.ir.affine_compose import Exprs, make_map
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.structured import indexing_maps
from stepwell.passes.fusion.classify import shape_of
from stepwell.passes.fusion.roots import Instance, Key, Root, factored

_INDEX_OPS: dict[AffineBinaryOpKind, type[arith.AddiOp | arith.MuliOp | arith.DivUIOp | arith.RemUIOp]] = {
    AffineBinaryOpKind.Add: arith.AddiOp,
    AffineBinaryOpKind.Mul: arith.MuliOp,
    AffineBinaryOpKind.FloorDiv: arith.DivUIOp,
    AffineBinaryOpKind.Mod: arith.RemUIOp,
}


class BodyBuilder:
    """The body of a generic under construction: inputs appear as they are read, constants and indices once."""

    def __init__(self, num_dims: int):
        self.block = Block()
        self.inputs: dict[Key, SSAValue] = {}
        self._num_dims = num_dims
        self._builder = LocatedBuilder(InsertPoint.at_end(self.block))
        self._constants: dict[tuple[Attribute, Attribute], SSAValue] = {}
        self._indices: dict[AffineExpr, SSAValue] = {}

    def read(self, value: SSAValue, exprs: Exprs) -> SSAValue:
        """The element of an operand at index expressions."""
        key = (value, exprs)
        if key not in self.inputs:
            kind = value.type.element_type if isinstance(value.type, TensorType) else value.type
            self.inputs[key] = self.block.insert_arg(kind, len(self.inputs))
        return self.inputs[key]

    def constant(self, value: Attribute, kind: Attribute) -> SSAValue:
        """A scalar constant."""
        key = (value, kind)
        if key not in self._constants:
            self._constants[key] = self._builder.insert(arith.ConstantOp(value, kind)).result  # pyright: ignore
        return self._constants[key]

    def index(self, expr: AffineExpr) -> SSAValue:
        """The value of an index expression over the loops."""
        known = self._indices.get(expr)
        if known is None:
            known = self._indices[expr] = self._index(expr)
        return known

    def _index(self, expr: AffineExpr) -> SSAValue:
        if isinstance(expr, AffineDimExpr):
            return self._builder.insert(linalg.IndexOp(expr.position)).result
        if isinstance(expr, AffineConstantExpr):
            return self.constant(IntegerAttr(expr.value, IndexType()), IndexType())
        assert isinstance(expr, AffineBinaryOpExpr)
        lhs, rhs = self.index(expr.lhs), self.index(expr.rhs)
        return self._builder.insert(_INDEX_OPS[expr.kind](lhs, rhs)).result

    def inline(self, op: linalg.GenericOp, dims: Exprs, arguments: Sequence[SSAValue]) -> list[SSAValue]:
        """Copy the body of a generic whose loop dims are `dims`; returns what it yields."""
        source = op.body.block
        mapper: dict[SSAValue, SSAValue] = dict(zip(source.args, arguments, strict=False))
        for inner in source.ops:
            self._builder.location = inner.location
            if isinstance(inner, linalg.YieldOp):
                return [mapper.get(v, v) for v in inner.operands]
            if isinstance(inner, linalg.IndexOp):
                mapper[inner.result] = self.index(dims[inner.dim.value.data])
            elif isinstance(inner, arith.ConstantOp):
                mapper[inner.result] = self.constant(inner.value, inner.result.type)
            else:
                self._builder.insert(inner.clone(mapper))
        raise AssertionError("linalg.generic without a terminator")

    def finish(
        self, op: linalg.GenericOp, yielded: Sequence[SSAValue], outs: Sequence[SSAValue], maps: Sequence[Exprs]
    ):
        """The new generic, with the iterators and attributes of `op`; operands that nothing uses are dropped."""
        self._builder.location = op.location
        self._builder.insert(linalg.YieldOp(*yielded))
        self._drop_unused()
        exprs = [*(e for _, e in self.inputs), *maps]
        attributes = [AffineMapAttr(make_map(self._num_dims, e)) for e in exprs]
        made = linalg.GenericOp(
            [v for v, _ in self.inputs],
            outs,
            Region(self.block),
            ArrayAttr(attributes),
            op.iterator_types,
            [o.type for o in outs],
        )
        made.location = op.location
        return made

    def _drop_unused(self) -> None:
        """Drop inputs the body does not use while their loop dims still show elsewhere; dead body ops first."""
        for inner in reversed(list(self.block.ops)):
            if inner.results and not any(r.uses for r in inner.results):
                Rewriter.erase_op(inner)
        for key, argument in list(self.inputs.items()):
            if not argument.uses and not any(isinstance(e, AffineDimExpr) for e in key[1]):
                del self.inputs[key]
                self.block.erase_arg(argument)  # pyright: ignore[reportArgumentType]


class Reshapes:
    """Expanded views of tensors, made once per block; and what rebuilt results have become."""

    def __init__(self):
        self.rebuilt: dict[SSAValue, SSAValue] = {}
        self._known: dict[tuple[SSAValue, tuple[tuple[int, ...], ...]], SSAValue] = {}

    def expanded(self, key: Key, bounds: tuple[int, ...], before: Operation) -> Key:
        """The same element read from a view whose indices are plain where they can be."""
        value, exprs = self.rebuilt.get(key[0], key[0]), key[1]
        parts = factored(value, exprs, bounds)
        read = tuple(e for dim in parts for _, e in dim)
        sizes = tuple(tuple(n for n, _ in dim) for dim in parts)
        if all(len(s) == 1 for s in sizes):
            return value, read
        if (value, sizes) not in self._known:
            self._known[value, sizes] = self._expand(value, sizes, before)
        return self._known[value, sizes], read

    @staticmethod
    def _expand(value: SSAValue, sizes: tuple[tuple[int, ...], ...], before: Operation) -> SSAValue:
        assert isinstance(value.type, TensorType)
        shape = [n for dim in sizes for n in dim]
        groups: list[ArrayAttr[IntegerAttr]] = []
        first = 0
        for dim in sizes:
            groups.append(ArrayAttr([IntegerAttr(first + i, i64) for i in range(len(dim))]))
            first += len(dim)
        op = tensor.ExpandShapeOp(value, [], ArrayAttr(groups), shape, TensorType(value.type.element_type, shape))
        return LocatedBuilder(InsertPoint.before(before), before.location).insert(op).result


def rebuild(root: Root, reshapes: Reshapes) -> linalg.GenericOp:
    """The generic of a root with its instances folded in, inserted before the old one."""
    body = BodyBuilder(len(root.bounds))
    values: dict[Key, SSAValue] = {}

    def resolve(key: Key) -> SSAValue:
        while key in root.aliases:
            key = root.aliases[key]
        if key in values:
            return values[key]
        scalar = root.scalars.get(key)
        if isinstance(scalar, SSAValue):
            constant = scalar.owner
            if isinstance(constant, arith.ConstantOp):
                return body.constant(constant.value, scalar.type)
            return scalar
        if scalar is not None:
            kind = key[0].type
            assert isinstance(kind, TensorType)
            return body.constant(scalar, kind.element_type)
        return body.read(*reshapes.expanded(key, root.bounds, root.op))

    # Producers were met last first.
    instances: list[tuple[Key, Instance]] = list(root.instances.items())
    for key, instance in reversed(instances):
        (values[key],) = body.inline(instance.op, instance.dims, [resolve(k) for k in instance.reads])
    outs = [body.block.insert_arg(_element(o), len(body.block.args)) for o in root.op.outputs]
    arguments = [resolve(k) for k in root.reads]
    yielded = body.inline(root.op, root.dims, [*arguments, *outs])
    maps = [tuple(_at(e, root) for e in m.results) for m in indexing_maps(root.op)[len(root.op.inputs) :]]
    made = body.finish(root.op, yielded, list(root.op.outputs), maps)
    made.attributes |= root.op.attributes
    LocatedBuilder(InsertPoint.before(root.op)).insert(made)
    for old, new in zip(root.op.results, made.results, strict=True):
        new.name_hint = old.name_hint
        old.replace_all_uses_with(new)
        reshapes.rebuilt[old] = new
    return made


def _element(value: SSAValue) -> Attribute:
    assert isinstance(value.type, TensorType)
    return value.type.element_type


def _at(expr: AffineExpr, root: Root) -> AffineExpr:
    assert isinstance(expr, AffineDimExpr)
    return root.dims[expr.position]


__all__ = ["BodyBuilder", "Reshapes", "rebuild", "shape_of"]
