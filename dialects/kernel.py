"""The kernel dialect: the unit of scheduling, compilation, reuse and measuring.

A `kernel.func` is isolated from above and destination-passing: its arguments are the inputs, then the destinations, and on
memrefs the scratch. A `kernel.launch` on tensors returns one result per destination; on memrefs it writes them.

```mlir
kernel.func @k_map_0(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "write"]} {
  ...
  kernel.return %r : tensor<8xf32>
}
%r = kernel.launch @k_map_0 ins(%x : tensor<8xf32>) outs(%d : tensor<8xf32>) -> tensor<8xf32>
kernel.launch @k_map_0 ins(%a : memref<8xf32>) outs(%b : memref<8xf32>) scratch(%s : memref<64xi8>)
```

On a machine whose lanes move in groups, the `mapping` of a `scf.forall` says who does one of its tasks (`#kernel.level`):

```mlir
scf.forall (%b) in (96) {
  scf.forall (%w) in (8) {
    ...
  } {mapping = [#kernel.level<subgroup>]}
} {mapping = [#kernel.level<block>]}
```
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import ClassVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    FlatSymbolRefAttrConstr,
    FunctionType,
    IndexType,
    IntegerAttr,
    MemRefType,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    TensorType,
    UnitAttr,
    VectorType,
)
from xdsl.dialects.utils import AbstractYieldOperation, parse_func_op_like, print_func_op_like
from xdsl.dialects.utils.enum_attribute import EnumAttribute
from xdsl.ir import (
    Attribute,
    Block,
    BlockArgument,
    Dialect,
    Operation,
    ParametrizedAttribute,
    Region,
    SSAValue,
)
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer
from xdsl.traits import (
    EffectInstance,
    HasParent,
    IsolatedFromAbove,
    IsTerminator,
    MemoryEffect,
    MemoryEffectKind,
    Pure,
    SymbolOpInterface,
    SymbolTable,
    SymbolUserOpInterface,
)
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from stepwell.dialects.kernel_dot import DotOp
from stepwell.ir.definitions import CallableByType, InAngleBrackets

READ = "read"
WRITE = "write"
READWRITE = "readwrite"


class ScratchScope(StrEnum):
    """Who shares a scratch buffer: all tasks of a launch, one running task, the subgroups of a block, or one subgroup."""

    LAUNCH = "launch"
    WORKER = "worker"
    BLOCK = "block"
    SUBGROUP = "subgroup"


class Level(StrEnum):
    """Who does a task of a parallel loop: subgroups that share scratch, the lanes of one subgroup, or one thread."""

    BLOCK = "block"
    SUBGROUP = "subgroup"
    THREAD = "thread"


@irdl_attr_definition
class ScratchAttr(InAngleBrackets[ScratchScope], EnumAttribute[ScratchScope]):
    """`#kernel.scratch<launch|worker|block|subgroup>` on a `tensor.empty` inside a kernel: where its memory comes from."""

    name = "kernel.scratch"


@irdl_attr_definition
class LevelAttr(InAngleBrackets[Level], EnumAttribute[Level]):
    """`#kernel.level<block|subgroup|thread>` in the `mapping` of a `scf.forall`: who does one of its tasks."""

    name = "kernel.level"


def level_of(op: Operation) -> Level | None:
    """Who does a task of `op`, a `scf.forall`; None without a mapping, where a worker does it, and for any other op."""
    if op.name != "scf.forall":
        return None
    mapping = op.properties.get("mapping")
    if not isinstance(mapping, ArrayAttr):
        return None
    entries: tuple[Attribute, ...] = tuple(mapping)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return entries[0].data if len(entries) == 1 and isinstance(entries[0], LevelAttr) else None


@irdl_attr_definition
class ScheduleAttr(ParametrizedAttribute):
    """`#kernel.schedule<"strategy", {parameter = value, ...}>`: how a kernel is tiled, vectorized and mapped."""

    name = "kernel.schedule"

    strategy: StringAttr
    params: DictionaryAttr

    def __init__(self, strategy: str | StringAttr, params: DictionaryAttr | dict[str, Attribute]):
        if isinstance(strategy, str):
            strategy = StringAttr(strategy)
        if not isinstance(params, DictionaryAttr):
            params = DictionaryAttr(params)
        super().__init__(strategy, params)


@irdl_op_definition
class FuncOp(IRDLOperation):
    """A kernel.

    Semantics: arguments are the inputs (`access` `read`), then the destinations (`write`: contents unused on entry;
    `readwrite`: updated in place), then on memrefs at most one launch scratch and one worker scratch. On tensors result
    i is the final contents of destination i.

    Constraints:
        C1: the entry block's arguments have the types of the signature.
        C2: `access` names each argument but the scratch: reads, then writes and readwrites.
        C3: on tensors, the results have the types of the destinations; on memrefs there are none.
        C4: one scratch argument follows for each of `scratch_bytes` and `worker_bytes`, on memrefs only.

    Example:
        kernel.func @k(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "write"]}
    """

    name = "kernel.func"

    body = region_def("single_block")
    sym_name = prop_def(SymbolNameConstraint())
    function_type = prop_def(FunctionType)
    access = prop_def(ArrayAttr[StringAttr])
    schedule = opt_prop_def(ScheduleAttr)
    scratch_bytes = opt_prop_def(IntegerAttr)
    worker_bytes = opt_prop_def(IntegerAttr)

    traits = traits_def(IsolatedFromAbove(), SymbolOpInterface(), CallableByType())

    _RESERVED: ClassVar[tuple[str, ...]] = ("sym_name", "function_type")
    _SHOWN: ClassVar[tuple[str, ...]] = ("access", "schedule", "scratch_bytes", "worker_bytes")

    def __init__(
        self,
        name: str,
        function_type: FunctionType | tuple[Sequence[Attribute], Sequence[Attribute]],
        access: Sequence[str] | ArrayAttr[StringAttr],
        body: Region | None = None,
        *,
        schedule: ScheduleAttr | None = None,
    ):
        if isinstance(function_type, tuple):
            function_type = FunctionType.from_lists(*function_type)
        if not isinstance(access, ArrayAttr):
            access = ArrayAttr([StringAttr(a) for a in access])
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "function_type": function_type,
                "access": access,
                "schedule": schedule,
            },
            regions=[body if body is not None else Region(Block(arg_types=function_type.inputs))],
        )

    @property
    def args(self) -> tuple[BlockArgument, ...]:
        """Inputs, destinations, scratch."""
        return self.body.block.args

    @property
    def access_kinds(self) -> tuple[str, ...]:
        """`read`, `write` or `readwrite` per argument (scratch excluded)."""
        return tuple(a.data for a in self.access.data)

    @property
    def num_inputs(self) -> int:
        """How many leading arguments are only read."""
        return sum(1 for a in self.access.data if a.data == READ)

    @property
    def scratch_args(self) -> tuple[BlockArgument, ...]:
        """Launch scratch, then worker scratch, as present."""
        return self.args[len(self.access.data) :]

    @property
    def return_op(self) -> ReturnOp:
        """The terminator."""
        op = self.body.block.last_op
        assert isinstance(op, ReturnOp)
        return op

    def update_function_type(self) -> None:
        """Make the signature say what the block arguments and the return say."""
        self.properties["function_type"] = FunctionType.from_lists(
            [a.type for a in self.args], [v.type for v in self.return_op.operands]
        )

    def verify_(self) -> None:
        """Check C1 to C4."""
        types = self.function_type.inputs.data
        if types != tuple(self.body.block.arg_types):
            raise VerifyException("kernel.func: C1: entry block arguments differ from the function type")
        access = self.access_kinds
        for kind in access:
            if kind not in (READ, WRITE, READWRITE):
                raise VerifyException(f'kernel.func: C2: access "{kind}" is not "read", "write" or "readwrite"')
        if READ in access[self.num_inputs :]:
            raise VerifyException('kernel.func: C2: a "read" argument follows a destination')
        scratch = len([1 for s in (self.scratch_bytes, self.worker_bytes) if s is not None])
        if len(types) != len(access) + scratch:
            raise VerifyException(
                f"kernel.func: C2: {len(access)} access kinds and {scratch} scratch for {len(types)} arguments"
            )
        on_memrefs = any(isinstance(t, MemRefType) for t in types)
        if scratch and not on_memrefs:
            raise VerifyException("kernel.func: C4: scratch arguments need memref form")
        expected = () if on_memrefs else types[self.num_inputs : len(access)]
        if self.function_type.outputs.data != expected:
            raise VerifyException(
                f"kernel.func: C3: results {_types(self.function_type.outputs.data)} are not {_types(expected)}"
            )

    @classmethod
    def parse(cls, parser: Parser) -> FuncOp:
        """Parse `@name(args) -> results attributes {...} {body}`."""
        pos = parser.pos
        name, inputs, outputs, region, extra, _, _ = parse_func_op_like(parser, reserved_attr_names=cls._RESERVED)
        attributes = dict(extra.data) if extra is not None else {}
        access = attributes.pop("access", None)
        if access is None:
            parser.raise_error("kernel.func: expected an `access` attribute", pos, parser.pos)
        op = cls.create(
            properties={
                "sym_name": StringAttr(name),
                "function_type": FunctionType.from_lists(inputs, outputs),
                "access": access,
            },
            regions=[region],
        )
        for key in cls._SHOWN[1:]:
            if key in attributes:
                op.properties[key] = attributes.pop(key)
        op.attributes |= attributes
        return op

    def print(self, printer: Printer) -> None:
        """Print what `parse` reads."""
        shown = {k: self.properties[k] for k in self._SHOWN if k in self.properties} | self.attributes
        print_func_op_like(
            printer,
            self.sym_name,
            self.function_type,
            self.body,
            shown,
            reserved_attr_names=self._RESERVED,
        )


@irdl_op_definition
class ReturnOp(AbstractYieldOperation[Attribute]):
    """Ends a kernel: on tensors the final contents of each destination, on memrefs nothing.

    Constraints:
        C1: operand types are the result types of the kernel.

    Example:
        kernel.return %r : tensor<8xf32>
    """

    name = "kernel.return"

    traits = traits_def(IsTerminator(), HasParent(FuncOp), Pure())

    def verify_(self) -> None:
        """Check C1."""
        func = self.parent_op()
        assert isinstance(func, FuncOp)
        types = tuple(v.type for v in self.operands)
        if types != func.function_type.outputs.data:
            raise VerifyException(
                f"kernel.return: C1: {_types(types)} is not {_types(func.function_type.outputs.data)}"
            )


class _LaunchEffects(MemoryEffect):
    """A launch on tensors is pure; on memrefs it reads and writes its operands."""

    @classmethod
    def get_effects(cls, op: Operation) -> AbstractSet[EffectInstance] | None:
        assert isinstance(op, LaunchOp)
        reads = {EffectInstance(MemoryEffectKind.READ, v) for v in op.operands if isinstance(v.type, MemRefType)}
        written = (*op.outs, *op.scratch)
        writes = {EffectInstance(MemoryEffectKind.WRITE, v) for v in written if isinstance(v.type, MemRefType)}
        return reads | writes


class _LaunchSymbols(SymbolUserOpInterface):
    def verify(self, op: Operation) -> None:
        assert isinstance(op, LaunchOp)
        op.verify_callee()


@irdl_op_definition
class LaunchOp(IRDLOperation):
    """Runs a kernel.

    Semantics: on tensors, result i is what the kernel makes of destination i; no operand changes. On memrefs the
    destinations and the scratch are written in place. A `write` destination aliases no other operand, nor does a
    `readwrite` one.

    Constraints:
        C1: `callee` is a `kernel.func` of the same symbol table.
        C2: operand types are the argument types of the callee: inputs, destinations, scratch.
        C3: result types are those of the callee.

    Example:
        %r = kernel.launch @k ins(%x : tensor<8xf32>) outs(%d : tensor<8xf32>) -> tensor<8xf32>
    """

    name = "kernel.launch"

    callee = prop_def(FlatSymbolRefAttrConstr)
    ins = var_operand_def()
    outs = var_operand_def()
    scratch = var_operand_def()
    res = var_result_def()

    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    traits = traits_def(_LaunchEffects(), _LaunchSymbols())

    def __init__(
        self,
        callee: str | SymbolRefAttr,
        ins: Sequence[SSAValue],
        outs: Sequence[SSAValue],
        scratch: Sequence[SSAValue] = (),
    ):
        if isinstance(callee, str):
            callee = SymbolRefAttr(callee)
        results = [o.type for o in outs if not isinstance(o.type, MemRefType)]
        super().__init__(operands=[ins, outs, scratch], result_types=[results], properties={"callee": callee})

    def kernel(self) -> FuncOp | None:
        """The kernel this launches, or None when the symbol is missing or not a kernel."""
        callee = lookup_symbol(self, self.callee.root_reference.data)
        return callee if isinstance(callee, FuncOp) else None

    def verify_callee(self) -> None:
        """Check C1 to C3."""
        kernel = self.kernel()
        if kernel is None:
            raise VerifyException(f"kernel.launch: C1: {self.callee} is not a kernel.func of this module")
        split = kernel.num_inputs, len(kernel.access.data)
        types = kernel.function_type.inputs.data
        groups = (
            ("ins", self.ins, types[: split[0]]),
            ("outs", self.outs, types[split[0] : split[1]]),
            ("scratch", self.scratch, types[split[1] :]),
        )
        for label, values, expected in groups:
            given = tuple(v.type for v in values)
            if given != expected:
                raise VerifyException(
                    f"kernel.launch: C2: {label} {_types(given)} is not {_types(expected)} of {self.callee}"
                )
        results = tuple(r.type for r in self.res)
        if results != kernel.function_type.outputs.data:
            raise VerifyException(
                f"kernel.launch: C3: results {_types(results)} differ from those of {self.callee}, "
                f"{_types(kernel.function_type.outputs.data)}"
            )

    @classmethod
    def parse(cls, parser: Parser) -> LaunchOp:
        """Parse `@k ins(...) outs(...) scratch(...) {attributes} -> results`."""
        callee = SymbolRefAttr(parser.parse_symbol_name())
        segments = [_parse_segment(parser, keyword) for keyword in ("ins", "outs", "scratch")]
        attributes = parser.parse_optional_attr_dict()
        results: list[Attribute] = []
        if parser.parse_optional_punctuation("->"):
            many = parser.parse_optional_comma_separated_list(parser.Delimiter.PAREN, parser.parse_type)
            results = list(many) if many is not None else [parser.parse_type()]
        op = cls.build(operands=segments, result_types=[results], properties={"callee": callee})
        op.attributes |= attributes
        return op

    def print(self, printer: Printer) -> None:
        """Print what `parse` reads."""
        printer.print_string(" ")
        printer.print_symbol_name(self.callee.root_reference.data)
        for keyword, values in (("ins", self.ins), ("outs", self.outs), ("scratch", self.scratch)):
            if values:
                printer.print_string(f" {keyword}(")
                printer.print_list(values, printer.print_ssa_value)
                printer.print_string(" : ")
                printer.print_list([v.type for v in values], printer.print_attribute)
                printer.print_string(")")
        printer.print_op_attributes(self.attributes)
        if self.res:
            printer.print_string(" -> ")
            if len(self.res) == 1:
                printer.print_attribute(self.res[0].type)
            else:
                with printer.in_parens():
                    printer.print_list([r.type for r in self.res], printer.print_attribute)


@irdl_op_definition
class PrefetchOp(IRDLOperation):
    """Asks that a part of a tensor be brought near, where it will be read soon.

    Semantics: none; a hint that may be ignored. The part is what a `vector.transfer_read` of type `part` would read from
    there, along the tensor's last dims; it may lie outside of the tensor. With `once` it is read only once, so that it
    should not take the place of what is kept.

    Constraints:
        C1: as many indices as the tensor has dims, and at least as many as `part` has.

    Example:
        kernel.prefetch %x[%i, %j] {part = vector<13x32xf32>} : tensor<100x100xf32>
    """

    name = "kernel.prefetch"

    source = operand_def(TensorType | MemRefType)
    indices = var_operand_def(IndexType())
    part = prop_def(VectorType)
    once = opt_prop_def(UnitAttr)

    assembly_format = "$source `[` $indices `]` attr-dict `:` type($source)"
    irdl_options = (ParsePropInAttrDict(),)

    def __init__(self, source: SSAValue, indices: Sequence[SSAValue], part: VectorType, *, once: bool = False):
        properties = {"part": part, "once": UnitAttr() if once else None}
        super().__init__(operands=[source, indices], properties=properties)

    def verify_(self) -> None:
        """Check C1."""
        kind = self.source.type
        assert isinstance(kind, TensorType | MemRefType)
        if len(self.indices) != kind.get_num_dims():
            raise VerifyException(f"kernel.prefetch: C1: {len(self.indices)} indices for {kind}")
        if self.part.get_num_dims() > kind.get_num_dims():
            raise VerifyException(f"kernel.prefetch: C1: {self.part} has more dims than {kind}")


def _parse_segment(parser: Parser, keyword: str) -> Sequence[SSAValue]:
    if parser.parse_optional_keyword(keyword) is None:
        return ()
    pos = parser.pos
    parser.parse_punctuation("(")
    operands: list[UnresolvedOperand] = parser.parse_comma_separated_list(
        parser.Delimiter.NONE, parser.parse_unresolved_operand
    )
    parser.parse_punctuation(":")
    types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
    parser.parse_punctuation(")")
    return parser.resolve_operands(operands, types, pos)


def _types(types: Sequence[Attribute]) -> str:
    return "(" + ", ".join(str(t) for t in types) + ")"


_SYMBOLS: WeakKeyDictionary[Operation, WeakValueDictionary[str, Operation]] = WeakKeyDictionary()
"""Symbols last seen per module: a hit is checked against the IR, a miss rereads the module.

Weak values, too: an op leads to its module, which would live for ever.
"""


def lookup_symbol(user: Operation, name: str) -> Operation | None:
    """The op that `name` means at `user`, in constant time after the first look at a module.

    `SymbolTable.lookup_symbol` walks the module on each call, which is quadratic in launches.
    """
    table: Operation | None = user
    while table is not None and not table.has_trait(SymbolTable):
        table = table.parent_op()
    if table is None:
        return None
    block = table.regions[0].block
    known = _SYMBOLS.get(table)
    found = known.get(name) if known is not None else None
    if found is not None and found.parent is block and _symbol_name(found) == name:
        return found
    known = WeakValueDictionary[str, Operation]()
    for op in block.ops:
        symbol = _symbol_name(op)
        if symbol is not None:
            known.setdefault(symbol, op)
    _SYMBOLS[table] = known
    return known.get(name)


def _symbol_name(op: Operation) -> str | None:
    symbol = op.get_attr_or_prop("sym_name")
    return symbol.data if isinstance(symbol, StringAttr) else None


Kernel = Dialect("kernel", [FuncOp, ReturnOp, LaunchOp, PrefetchOp, DotOp], [LevelAttr, ScheduleAttr, ScratchAttr])
