"""Shardy's dialect as far as JAX writes it: meshes, and how tensors are spread over them.

```mlir
sdy.mesh @mesh = <["a"=2, "b"=4]>
func.func @main(%x: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"a"}, {}]>}) -> tensor<8x16xf32> {
  %0 = sdy.sharding_constraint %x <@mesh, [{"a", "b"}, {}]> : tensor<8x16xf32>
```
Where the program is one for all devices, a sharding changes where values are, never what they are. Only inside of
`sdy.manual_computation` does a program speak of one device: its body runs once for each, on that device's part of the operands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Self, cast

from xdsl.dialects.builtin import ArrayAttr, SymbolNameConstraint, SymbolRefAttr, TensorType
from xdsl.ir import (
    Attribute,
    Data,
    Dialect,
    ParametrizedAttribute,
    SpacedOpaqueSyntaxAttribute,
    SSAValue,
)
from xdsl.irdl import (
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    param_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, IsTerminator, Pure, RecursiveMemoryEffect, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects.stablehlo.base import (
    StableHLOOp,
    build,
    parse_attr_dict,
    parse_function_type,
    parse_operand_list,
    parse_operands,
    print_attr_dict,
    print_function_type,
    print_operands,
    type_list,
    types_compatible,
)
from stepwell.dialects.stablehlo.mesh import Axis, AxisPart, HasMesh, parse_axis_part
from stepwell.dialects.stablehlo.process_groups import find_mesh

Parts = tuple[AxisPart, ...]


class MeshData(NamedTuple):
    """A named grid of devices."""

    axes: tuple[Axis, ...] = ()
    devices: tuple[int, ...] | None = None


class DimSharding(NamedTuple):
    """The axes that a dimension is split over, major first; open ones may be split further."""

    axes: Parts = ()
    is_open: bool = False
    priority: int | None = None


class Layout(NamedTuple):
    """How each dimension is split, over which axes the tensor is repeated, and over which it still has to be summed."""

    dims: tuple[DimSharding, ...] = ()
    replicated: Parts = ()
    unreduced: Parts = ()


def _parse_mesh_body(parser: AttrParser) -> MeshData:
    """`<["a"=2], device_ids=[1, 0]>`."""

    def axis() -> Axis:
        name = parser.parse_str_literal()
        parser.parse_punctuation("=")
        return Axis(name, parser.parse_integer(allow_negative=False))

    devices: tuple[int, ...] | None = None
    with parser.in_angle_brackets():
        axes = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, axis)
        if parser.parse_optional_punctuation(",") is not None:
            parser.parse_keyword("device_ids")
            parser.parse_punctuation("=")
            devices = tuple(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer))
    return MeshData(tuple(axes), devices)


def _mesh_text(mesh: MeshData) -> str:
    axes = ", ".join(f'"{axis.name}"={axis.size}' for axis in mesh.axes)
    devices = "" if mesh.devices is None else f", device_ids=[{', '.join(map(str, mesh.devices))}]"
    return f"<[{axes}]{devices}>"


def _parse_part(parser: AttrParser) -> AxisPart:
    """`"a"` or `"a":(1)2`."""
    name = parser.parse_str_literal()
    if parser.parse_optional_punctuation(":") is None:
        return AxisPart(name)
    return AxisPart(name, *parse_axis_part(parser))


def _part_text(part: AxisPart) -> str:
    return f'"{part.name}"' if part.size is None else f'"{part.name}":({part.before}){part.size}'


def _parts_text(parts: Sequence[AxisPart]) -> str:
    return "{" + ", ".join(map(_part_text, parts)) + "}"


def _parse_dim(parser: AttrParser) -> DimSharding:
    """`{"a", "b":(1)2, ?}p1`."""
    axes: list[AxisPart] = []
    is_open = False

    def entry() -> None:
        nonlocal is_open
        if is_open:
            parser.raise_error("'?' comes last")
        if parser.parse_optional_punctuation("?") is not None:
            is_open = True
        else:
            axes.append(_parse_part(parser))

    parser.parse_comma_separated_list(parser.Delimiter.BRACES, entry)
    name = parser.parse_optional_identifier()
    if name is None:
        return DimSharding(tuple(axes), is_open)
    if name[0] != "p" or not name[1:].isdecimal() or len(name) > 10:
        parser.raise_error(f"expected a priority as p0, got '{name}'")
    return DimSharding(tuple(axes), is_open, int(name[1:]))


def _dim_text(dim: DimSharding) -> str:
    entries = [*map(_part_text, dim.axes), *(["?"] if dim.is_open else [])]
    return "{" + ", ".join(entries) + "}" + ("" if dim.priority is None else f"p{dim.priority}")


@irdl_attr_definition
class MeshAttr(Data[MeshData]):
    """`#sdy.mesh<["a"=2, "b"=4]>`: a grid of devices with named axes, major first; `device_ids` when not 0, 1, 2, ..."""

    name = "sdy.mesh"

    @property
    def axes(self) -> Sequence[Axis]:
        """The axes, major first."""
        return self.data.axes

    @property
    def devices(self) -> Sequence[int] | None:
        """The device at each place in row-major order, None when they are 0, 1, 2, ..."""
        return self.data.devices

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> MeshData:
        """`<["a"=2], device_ids=[1, 0]>`."""
        return _parse_mesh_body(parser)

    def print_parameter(self, printer: Printer) -> None:
        """`<["a"=2], device_ids=[1, 0]>`."""
        printer.print_string(_mesh_text(self.data))


@irdl_attr_definition
class LayoutAttr(Data[Layout]):
    """The part of a sharding that does not name the mesh: `[{"a"}, {}], replicated={"b"}`."""

    name = "sdy.layout"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Layout:
        """`[{"a"}, {}], replicated={"b"}, unreduced={"c"}`."""
        dims = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, lambda: _parse_dim(parser))
        rest: dict[str, Parts] = {}
        while parser.parse_optional_punctuation(",") is not None:
            name = parser.parse_optional_keyword_in(("replicated", "unreduced"))
            if name is None or name in rest:
                parser.raise_error("expected replicated or unreduced, once each")
            parser.parse_punctuation("=")
            rest[name] = tuple(parser.parse_comma_separated_list(parser.Delimiter.BRACES, lambda: _parse_part(parser)))
        return Layout(tuple(dims), **rest)

    def print_parameter(self, printer: Printer) -> None:
        """`[{"a"}, {}], replicated={"b"}, unreduced={"c"}`."""
        printer.print_string("[" + ", ".join(map(_dim_text, self.data.dims)) + "]")
        for name, parts in (("replicated", self.data.replicated), ("unreduced", self.data.unreduced)):
            if parts:
                printer.print_string(f", {name}={_parts_text(parts)}")


@irdl_attr_definition
class ShardingAttr(ParametrizedAttribute):
    """`#sdy.sharding<@mesh, [{"a"}, {"b", ?}], replicated={"c"}>`: how a tensor is spread over a mesh."""

    name = "sdy.sharding"
    mesh: Attribute = param_def()
    layout: LayoutAttr = param_def()

    def verify(self) -> None:
        """A mesh, or the name of one."""
        if not isinstance(self.mesh, SymbolRefAttr | MeshAttr):
            raise VerifyException(f"sdy.sharding: expected a mesh or the symbol of one, got {self.mesh}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> list[Attribute]:
        """`<@mesh, [{"a"}, {}]>`."""
        with parser.in_angle_brackets():
            mesh: Attribute
            if parser.parse_optional_keyword("mesh") is not None:
                mesh = MeshAttr(_parse_mesh_body(parser))
            else:
                mesh = SymbolRefAttr(parser.parse_symbol_name())
            parser.parse_punctuation(",")
            return [mesh, LayoutAttr(LayoutAttr.parse_parameter(parser))]

    def print_parameters(self, printer: Printer) -> None:
        """`<@mesh, [{"a"}, {}]>`."""
        with printer.in_angle_brackets():
            if isinstance(self.mesh, MeshAttr):
                printer.print_string("mesh")
                self.mesh.print_parameter(printer)
            else:
                printer.print_attribute(self.mesh)
            printer.print_string(", ")
            self.layout.print_parameter(printer)


def _parse_shardings(parser: AttrParser) -> ArrayAttr[Attribute]:
    """`[<@mesh, [{"a"}, {}]>, <@mesh, []>]`."""
    return ArrayAttr(
        parser.parse_comma_separated_list(
            parser.Delimiter.SQUARE, lambda: ShardingAttr.new(ShardingAttr.parse_parameters(parser))
        )
    )


def _print_shardings(printer: Printer, shardings: ArrayAttr[Attribute]) -> None:
    with printer.in_square_brackets():
        printer.print_list(shardings.data, lambda s: cast(ShardingAttr, s).print_parameters(printer))


@irdl_attr_definition
class ShardingPerValueAttr(ParametrizedAttribute):
    """`#sdy.sharding_per_value<[<@mesh, [{"a"}, {}]>, <@mesh, []>]>`: the sharding of each of several values."""

    name = "sdy.sharding_per_value"
    shardings: ArrayAttr[Attribute] = param_def()

    def verify(self) -> None:
        """Shardings only."""
        for sharding in self.shardings.data:
            if not isinstance(sharding, ShardingAttr):
                raise VerifyException(f"sdy.sharding_per_value: expected shardings, got {sharding}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> list[Attribute]:
        """`<[<@mesh, []>, ...]>`."""
        with parser.in_angle_brackets():
            return [_parse_shardings(parser)]

    def print_parameters(self, printer: Printer) -> None:
        """`<[<@mesh, []>, ...]>`."""
        with printer.in_angle_brackets():
            _print_shardings(printer, self.shardings)


@irdl_attr_definition
class ManualAxesAttr(Data[tuple[str, ...]], SpacedOpaqueSyntaxAttribute):
    """`#sdy<manual_axes {"a", "b"}>`: the axes along which a manual computation speaks of one device."""

    name = "sdy.manual_axes"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> tuple[str, ...]:
        """`{"a", "b"}`."""
        return tuple(parser.parse_comma_separated_list(parser.Delimiter.BRACES, parser.parse_str_literal))

    def print_parameter(self, printer: Printer) -> None:
        """`{"a", "b"}`."""
        printer.print_string(_parts_text([AxisPart(axis) for axis in self.data]))


@irdl_attr_definition
class OpShardingRuleAttr(Data[str]):
    """`#sdy.op_sharding_rule<...>`: how the operands of a custom call may be split; kept as it is written."""

    name = "sdy.op_sharding_rule"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> str:
        """Everything between the angle brackets."""
        return parser._parse_dialect_symbol_body()  # pyright: ignore[reportPrivateUsage]

    def print_parameter(self, printer: Printer) -> None:
        """Everything between the angle brackets."""
        printer.print_string(f"<{self.data}>")


@irdl_op_definition
class MeshOp(StableHLOOp):
    """Names a mesh. Example: `sdy.mesh @mesh = <["a"=2, "b"=4]>`."""

    name = "sdy.mesh"
    ELIDED: ClassVar = ("sym_name", "mesh")

    sym_name = prop_def(SymbolNameConstraint())
    mesh = prop_def(MeshAttr)

    traits = traits_def(SymbolOpInterface())

    @property
    def axes(self) -> Sequence[Axis]:
        """The axes, major first."""
        return self.mesh.axes

    @property
    def devices(self) -> Sequence[int] | None:
        """The device at each place in row-major order, None when they are 0, 1, 2, ..."""
        return self.mesh.devices

    def verify_(self) -> None:
        """Axes have different names and positive sizes; each place has a device."""
        axes, devices = self.axes, self.devices
        names = [axis.name for axis in axes]
        self.require("axes", len(dict.fromkeys(names)) == len(names), lambda: f"axes {names} repeat a name")
        small = next((axis for axis in axes if axis.size < 1), None)
        self.require("axes", small is None, lambda: f"axis {small} must have a positive size")
        count = math.prod(axis.size for axis in axes)
        if devices is not None and axes:
            fits = sorted(devices) == list(range(count))
            self.require("device_ids", fits, lambda: f"{list(devices)} do not name each of {count} devices once")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`@mesh = <["a"=2]> {...}`."""
        properties: dict[str, Attribute] = {"sym_name": parser.parse_symbol_name()}
        parser.parse_punctuation("=")
        properties["mesh"] = MeshAttr(_parse_mesh_body(parser))
        attributes = parse_attr_dict(parser, cls, properties)
        return cls.create(properties=properties, attributes=attributes)

    def print(self, printer: Printer) -> None:
        """`@mesh = <["a"=2]> {...}`."""
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        printer.print_string(f" = {_mesh_text(self.mesh.data)}")
        print_attr_dict(printer, self)


class _ShardedOp(StableHLOOp):
    """Format `%x <@mesh, [{"a"}, {}]> : type`."""

    ELIDED: ClassVar = ("sharding",)

    def verify_(self) -> None:
        """The result is the operand."""
        types = [v.type for v in (*self._operands, *self.results)]
        self.require("type", types_compatible(*types), lambda: f"{type_list(types)} differ")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """Parse the format above."""
        position = parser.pos
        operands = parse_operands(parser, 1)
        properties: dict[str, Attribute] = {"sharding": ShardingAttr.new(ShardingAttr.parse_parameters(parser))}
        attributes = parse_attr_dict(parser, cls, properties)
        parser.parse_punctuation(":")
        types = [parser.parse_type()]
        return build(cls, parser, position, operands, (types, types), properties, attributes)

    def print(self, printer: Printer) -> None:
        """Print the format above."""
        print_operands(printer, self)
        printer.print_string(" ")
        cast(ShardingAttr, self.properties["sharding"]).print_parameters(printer)
        print_attr_dict(printer, self)
        printer.print_string(" : ")
        printer.print_attribute(self.results[0].type)


@irdl_op_definition
class ShardingConstraintOp(_ShardedOp):
    """The operand, spread over devices as asked.

    Example: `%y = sdy.sharding_constraint %x <@mesh, [{"a"}, {}]> : tensor<8x16xf32>`.
    """

    name = "sdy.sharding_constraint"

    input = operand_def(TensorType)
    sharding = prop_def(ShardingAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())


@irdl_op_definition
class ReshardOp(_ShardedOp):
    """The operand, spread over devices in another way. Example: `%y = sdy.reshard %x <@mesh, [{}, {"a"}]> : tensor<8x16xf32>`."""

    name = "sdy.reshard"

    input = operand_def(TensorType)
    sharding = prop_def(ShardingAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())


@irdl_op_definition
class ReturnOp(StableHLOOp):
    """Ends a manual computation and hands its values on. Example: `sdy.return %x : tensor<4x16xf32>`."""

    name = "sdy.return"

    results_ = var_operand_def()

    traits = traits_def(IsTerminator(), Pure())

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%a, %b : types`, or nothing."""
        position = parser.pos
        operands = parse_operand_list(parser)
        attributes = parse_attr_dict(parser, cls, {})
        types: Sequence[Attribute] = []
        if parser.parse_optional_punctuation(":") is not None:
            types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        return build(cls, parser, position, operands, (types, []), {}, attributes)

    def print(self, printer: Printer) -> None:
        """`%a, %b : types`, or nothing."""
        print_operands(printer, self)
        print_attr_dict(printer, self)
        if self._operands:
            printer.print_string(" : ")
            printer.print_list([o.type for o in self._operands], printer.print_attribute)


@irdl_op_definition
class ManualComputationOp(StableHLOOp):
    """Runs its body once for each device of a mesh, on that device's parts of the operands; the results are put together again.

    Example::

        %0 = sdy.manual_computation(%x) in_shardings=[<@mesh, [{"a"}, {}]>] out_shardings=[<@mesh, [{"a"}, {}]>]
            manual_axes={"a"} (%part: tensor<4x16xf32>) {
          sdy.return %part : tensor<4x16xf32>
        } : (tensor<8x16xf32>) -> tensor<8x16xf32>
    """

    name = "sdy.manual_computation"
    ELIDED: ClassVar = ("in_shardings", "out_shardings", "manual_axes")

    tensors = var_operand_def()
    in_shardings = prop_def(ShardingPerValueAttr)
    out_shardings = prop_def(ShardingPerValueAttr)
    manual_axes = prop_def(ManualAxesAttr)
    body = region_def("single_block")
    results_ = var_result_def()

    traits = traits_def(IsolatedFromAbove(), RecursiveMemoryEffect())

    def shardings(self) -> tuple[list[ShardingAttr], list[ShardingAttr]]:
        """Those of the operands, and those of the results."""
        both = (self.in_shardings.shardings.data, self.out_shardings.shardings.data)
        operands, results = (cast("list[ShardingAttr]", list(each)) for each in both)
        return operands, results

    def mesh(self) -> HasMesh | None:
        """The mesh it runs on; None when there are no shardings, or its name is not known."""
        for sharding in (*self.shardings()[0], *self.shardings()[1]):
            mesh = sharding.mesh
            return mesh if isinstance(mesh, MeshAttr) else find_mesh(self, mesh)
        return None

    def verify_(self) -> None:
        """One sharding a value, of one mesh; the body takes and returns the parts of a device."""
        given, returned = self.shardings()
        block = self.body.block
        inner = block.last_op
        self.require("body", isinstance(inner, ReturnOp), lambda: "must end with sdy.return")
        assert inner is not None
        counts = [len(given), len(self._operands), len(block.args)]
        self.require("in_shardings", counts[0] == counts[1] == counts[2], lambda: f"counts differ: {counts}")
        outs = [len(returned), len(self.results), len(inner.operands)]
        self.require("out_shardings", outs[0] == outs[1] == outs[2], lambda: f"counts differ: {outs}")
        meshes = [sharding.mesh for sharding in (*given, *returned)]
        self.require("mesh", all(m == meshes[0] for m in meshes), lambda: "its shardings are of several meshes")
        mesh = self.mesh()
        self.require("mesh", mesh is not None or not meshes, lambda: f"there is no mesh {meshes[0]}")
        if mesh is None:
            return
        for outer, local, sharding in zip(self._operands, block.args, given, strict=True):
            self._verify_part("in_shardings", outer, local, sharding, mesh)
        for outer, local, sharding in zip(self.results, inner.operands, returned, strict=True):
            self._verify_part("out_shardings", outer, local, sharding, mesh)

    def _verify_part(self, label: str, outer: SSAValue, local: SSAValue, sharding: ShardingAttr, mesh: HasMesh) -> None:
        whole = outer.type
        if not isinstance(whole, TensorType):
            self.require(label, whole == local.type, lambda: f"{whole} has a part of type {local.type}")
            return
        tensor = cast("TensorType[Any]", whole)
        counts = self.splits(sharding, len(tensor.get_shape()), mesh)
        self.require(label, counts is not None, lambda: f"{sharding} is no sharding of {whole} over this mesh")
        assert counts is not None
        fits = all(n < 0 or n % c == 0 for n, c in zip(tensor.get_shape(), counts, strict=True))
        self.require(label, fits, lambda: f"{whole} does not split into {counts}")
        shape = [n if n < 0 else n // c for n, c in zip(tensor.get_shape(), counts, strict=True)]
        expected = TensorType(tensor.element_type, shape)
        same = types_compatible(local.type, expected)
        self.require(label, same, lambda: f"the part of {whole} is {local.type}, expected {expected}")

    def splits(self, sharding: ShardingAttr, rank: int, mesh: HasMesh) -> list[int] | None:
        """Into how many parts each dimension is split by the manual axes; None when the sharding does not fit."""
        dims = sharding.layout.data.dims
        sizes = {axis.name: axis.size for axis in mesh.axes}
        if len(dims) != rank:
            return None
        counts: list[int] = []
        for dim in dims:
            manual = [part for part in dim.axes if part.name in self.manual_axes.data]
            if any(part.name not in sizes for part in manual):
                return None
            counts.append(math.prod(part.size or sizes[part.name] for part in manual))
        return counts

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`(%x) in_shardings=[...] out_shardings=[...] manual_axes={...} (%part: type) {...} : types`."""
        position = parser.pos
        operands = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_unresolved_operand)
        properties: dict[str, Attribute] = {}
        for name in ("in_shardings", "out_shardings"):
            parser.parse_keyword(name)
            parser.parse_punctuation("=")
            properties[name] = ShardingPerValueAttr(_parse_shardings(parser))
        parser.parse_keyword("manual_axes")
        parser.parse_punctuation("=")
        properties["manual_axes"] = ManualAxesAttr(ManualAxesAttr.parse_parameter(parser))
        arguments = parser.parse_comma_separated_list(
            parser.Delimiter.PAREN, lambda: parser.parse_argument(expect_type=True)
        )
        region = parser.parse_region(arguments)
        attributes = parse_attr_dict(parser, cls, properties)
        types = parse_function_type(parser)
        return build(cls, parser, position, operands, types, properties, attributes, [region])

    def print(self, printer: Printer) -> None:
        """`(%x) in_shardings=[...] out_shardings=[...] manual_axes={...} (%part: type) {...} : types`."""
        with printer.in_parens():
            printer.print_list(self._operands, printer.print_ssa_value)
        for name, attribute in (("in_shardings", self.in_shardings), ("out_shardings", self.out_shardings)):
            printer.print_string(f" {name}=")
            _print_shardings(printer, attribute.shardings)
        printer.print_string(" manual_axes=")
        self.manual_axes.print_parameter(printer)
        printer.print_string(" ")
        with printer.in_parens():
            printer.print_list(self.body.block.args, printer.print_block_argument)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False)
        print_attr_dict(printer, self)
        print_function_type(printer, self)


Sdy = Dialect(
    "sdy",
    [ManualComputationOp, MeshOp, ReshardOp, ReturnOp, ShardingConstraintOp],
    [
        LayoutAttr,
        ManualAxesAttr,
        MeshAttr,
        OpShardingRuleAttr,
        ShardingAttr,
        ShardingPerValueAttr,
    ],
)
