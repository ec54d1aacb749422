"""Meshes of StableHLO: process groups said by the axes of a named grid of devices.

```mlir
replica_groups = #stablehlo.replica_group_mesh_axes<
  mesh = #stablehlo.mesh<axes = [#stablehlo.mesh_axis<name = "x", size = 2>, #stablehlo.mesh_axis<name = "y", size = 4>]>,
  axes = [#stablehlo.axis_ref<name = "y", sub_axis_info = (1)2>]>
```
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    NoneAttr,
    StringAttr,
    SymbolRefAttr,
    i64,
)
from xdsl.ir import Attribute, ParametrizedAttribute
from xdsl.irdl import irdl_attr_definition, param_def
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from stepwell.ir.dense import MOST_LISTED, dense_to_list

Groups = list[list[int]]


class MeshError(ValueError):
    """A reference to an axis that the mesh does not have."""


class Axis(NamedTuple):
    """A named axis of a mesh."""

    name: str
    size: int


class AxisPart(NamedTuple):
    """An axis, or the part of it that has `size` and stands behind parts of the product `before`."""

    name: str
    before: int = 1
    size: int | None = None


@runtime_checkable
class HasMesh(Protocol):
    """An op that names a mesh."""

    @property
    def axes(self) -> Sequence[Axis]:
        """The axes, major first."""
        ...

    @property
    def devices(self) -> Sequence[int] | None:
        """The device at each place in row-major order, None when they are 0, 1, 2, ..."""
        ...


def mesh_groups(axes: Sequence[Axis], devices: Sequence[int] | None, parts: Sequence[AxisPart]) -> Groups:
    """The devices that differ only along `parts`, in the order of `parts`, major first.

    Raises:
        MeshError: a part is of no axis of the mesh, does not divide it, or is given twice.
    """
    shape = [axis.size for axis in axes]
    if math.prod(shape) > MOST_LISTED:
        raise MeshError(f"the mesh has {math.prod(shape)} places, more than the limit of {MOST_LISTED}")
    grid = np.arange(math.prod(shape)) if devices is None else np.asarray(devices, np.int64)
    if grid.size != math.prod(shape):
        raise MeshError(f"the mesh has {math.prod(shape)} places and {grid.size} devices")
    sizes: list[int] = []
    chosen: dict[int, int] = {}
    for axis in axes:
        wanted = [(i, part) for i, part in enumerate(parts) if part.name == axis.name]
        rest = axis.size
        for number, part in sorted(wanted, key=lambda item: item[1].before):
            done = axis.size // rest
            size = axis.size if part.size is None else part.size
            if part.before % done or size < 1 or rest % (part.before // done * size):
                raise MeshError(
                    f'({part.before}){size} is no part of what is left of axis "{axis.name}" of {axis.size}'
                )
            sizes.append(part.before // done)
            chosen[number] = len(sizes)
            sizes.append(size)
            rest = axis.size // (part.before * size)
        sizes.append(rest)
    for number, part in enumerate(parts):
        if number not in chosen:
            raise MeshError(f'the mesh has no axis "{part.name}"; it has {", ".join(a.name for a in axes) or "none"}')
    order = [chosen[number] for number in range(len(parts))]
    others = [d for d in range(len(sizes)) if d not in chosen.values()]
    group = math.prod(sizes[d] for d in order)
    return np.transpose(grid.reshape(sizes), [*others, *order]).reshape(-1, group).tolist()


def _parse_name(parser: AttrParser, name: str) -> None:
    parser.parse_keyword(name)
    parser.parse_punctuation("=")


@irdl_attr_definition
class MeshAxisAttr(ParametrizedAttribute):
    """`#stablehlo.mesh_axis<name = "x", size = 2>`."""

    name = "stablehlo.mesh_axis"
    axis_name: StringAttr = param_def()
    size: IntegerAttr = param_def()

    def verify(self) -> None:
        """The size is positive."""
        if self.size.value.data < 1:
            raise VerifyException(f"mesh_axis: size {self.size.value.data} must be positive")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> list[Attribute]:
        """`<name = "x", size = 2>`."""
        with parser.in_angle_brackets():
            _parse_name(parser, "name")
            name = StringAttr(parser.parse_str_literal())
            parser.parse_punctuation(",")
            _parse_name(parser, "size")
            return [name, IntegerAttr(parser.parse_integer(), i64)]

    def print_parameters(self, printer: Printer) -> None:
        """`<name = "x", size = 2>`."""
        printer.print_string("<name = ")
        printer.print_string_literal(self.axis_name.data)
        printer.print_string(f", size = {self.size.value.data}>")


@irdl_attr_definition
class MeshAttr(ParametrizedAttribute):
    """`#stablehlo.mesh<axes = [...]>`: a grid of devices with named axes, major first; `device_ids` when not 0, 1, 2, ..."""

    name = "stablehlo.mesh"
    mesh_axes: ArrayAttr[MeshAxisAttr] = param_def()
    device_ids: Attribute = param_def()

    @property
    def axes(self) -> list[Axis]:
        """The axes, major first."""
        return [Axis(a.axis_name.data, a.size.value.data) for a in self.mesh_axes.data]

    @property
    def devices(self) -> list[int] | None:
        """The device at each place in row-major order, None when they are 0, 1, 2, ..."""
        ids = self.device_ids
        return dense_to_list(ids, flat=True) if isinstance(ids, DenseIntOrFPElementsAttr) else None

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> list[Attribute]:
        """`<axes = [...]>` or `<axes = [...], device_ids = dense<...>>`."""
        devices: Attribute = NoneAttr()
        with parser.in_angle_brackets():
            _parse_name(parser, "axes")
            axes = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_attribute)
            if parser.parse_optional_punctuation(",") is not None:
                _parse_name(parser, "device_ids")
                devices = parser.parse_attribute()
        return [ArrayAttr(axes), devices]

    def print_parameters(self, printer: Printer) -> None:
        """`<axes = [...]>` or `<axes = [...], device_ids = dense<...>>`."""
        with printer.in_angle_brackets():
            printer.print_string("axes = ")
            printer.print_attribute(self.mesh_axes)
            if not isinstance(self.device_ids, NoneAttr):
                printer.print_string(", device_ids = ")
                printer.print_attribute(self.device_ids)


@irdl_attr_definition
class AxisRefAttr(ParametrizedAttribute):
    """`#stablehlo.axis_ref<name = "x", sub_axis_info = (1)2>`: an axis, or the part of size 2 behind parts of size 1."""

    name = "stablehlo.axis_ref"
    axis_name: StringAttr = param_def()
    before: IntegerAttr = param_def()
    size: IntegerAttr = param_def()
    """0 for a whole axis."""

    @property
    def part(self) -> AxisPart:
        """What it refers to."""
        size = self.size.value.data
        return AxisPart(self.axis_name.data, self.before.value.data, size) if size else AxisPart(self.axis_name.data)

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> list[Attribute]:
        """`<name = "x">` or `<name = "x", sub_axis_info = (1)2>`."""
        before, size = 1, 0
        with parser.in_angle_brackets():
            _parse_name(parser, "name")
            name = StringAttr(parser.parse_str_literal())
            if parser.parse_optional_punctuation(",") is not None:
                _parse_name(parser, "sub_axis_info")
                before, size = parse_axis_part(parser)
        return [name, IntegerAttr(before, i64), IntegerAttr(size, i64)]

    def print_parameters(self, printer: Printer) -> None:
        """`<name = "x">` or `<name = "x", sub_axis_info = (1)2>`."""
        printer.print_string("<name = ")
        printer.print_string_literal(self.axis_name.data)
        if self.size.value.data:
            printer.print_string(f", sub_axis_info = ({self.before.value.data}){self.size.value.data}")
        printer.print_string(">")


def parse_axis_part(parser: AttrParser) -> tuple[int, int]:
    """`(1)2`: the product of the parts before, and the size."""
    with parser.in_parens():
        before = parser.parse_integer(allow_negative=False)
    position = parser.pos
    size = parser.parse_integer(allow_negative=False)
    if before < 1 or size < 1:
        parser.raise_error("the sizes of a part of an axis are positive", position, parser.pos)
    return before, size


@irdl_attr_definition
class ReplicaGroupMeshAxesAttr(ParametrizedAttribute):
    """`#stablehlo.replica_group_mesh_axes<mesh = @mesh, axes = [...]>`: the groups of devices that differ only along `axes`."""

    name = "stablehlo.replica_group_mesh_axes"
    mesh: Attribute = param_def()
    axes: ArrayAttr[Attribute] = param_def()

    def verify(self) -> None:
        """A mesh, or the name of one, and references to axes."""
        if not isinstance(self.mesh, MeshAttr | SymbolRefAttr):
            raise VerifyException(f"replica_group_mesh_axes: expected a mesh or the symbol of one, got {self.mesh}")
        for axis in self.axes.data:
            if not isinstance(axis, AxisRefAttr):
                raise VerifyException(f"replica_group_mesh_axes: expected #stablehlo.axis_ref, got {axis}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> list[Attribute]:
        """`<mesh = ..., axes = [...]>`."""
        with parser.in_angle_brackets():
            _parse_name(parser, "mesh")
            mesh = parser.parse_attribute()
            parser.parse_punctuation(",")
            _parse_name(parser, "axes")
            return [mesh, ArrayAttr(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_attribute))]

    def print_parameters(self, printer: Printer) -> None:
        """`<mesh = ..., axes = [...]>`."""
        with printer.in_angle_brackets():
            printer.print_string("mesh = ")
            printer.print_attribute(self.mesh)
            printer.print_string(", axes = ")
            printer.print_attribute(self.axes)


ATTRIBUTES: list[type[Attribute]] = [MeshAxisAttr, MeshAttr, AxisRefAttr, ReplicaGroupMeshAxesAttr]
