"""Device code and its launch: `gpu.module`, `gpu.func`, `gpu.return`, `gpu.launch_func`."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import ClassVar

from xdsl.dialects.builtin import (
    DenseArrayBase,
    FunctionType,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    UnitAttr,
    i32,
    i64,
)
from xdsl.dialects.utils import AbstractYieldOperation
from xdsl.ir import Attribute, Block, BlockArgument, Operation, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    opt_result_def,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer
from xdsl.traits import (
    HasParent,
    IsolatedFromAbove,
    IsTerminator,
    MemoryReadEffect,
    MemoryWriteEffect,
    NoTerminator,
    Pure,
    SymbolOpInterface,
    SymbolTable,
    SymbolUserOpInterface,
)
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects.canonicalize.constants import constant_of, int_of
from stepwell.dialects.gpu.attrs import AddressSpace, AsyncTokenType, address_space, types_text
from stepwell.dialects.gpu.memory import token_types
from stepwell.dialects.kernel import lookup_symbol
from stepwell.ir.definitions import CallableByType

MAX_BLOCK_THREADS = 1024
"""Threads of the largest block that any device runs."""


@irdl_op_definition
class ModuleOp(IRDLOperation):
    """Device code that is compiled as one unit.

    Semantics: a symbol table of functions (and globals), named `@module::@function` from outside.

    Example:
        gpu.module @k0 {
          gpu.func @phase0() kernel {
            gpu.return
          }
        }
    """

    name = "gpu.module"

    sym_name = prop_def(SymbolNameConstraint())
    sym_visibility = opt_prop_def(StringAttr)
    body = region_def("single_block")

    traits = traits_def(IsolatedFromAbove(), NoTerminator(), SymbolOpInterface(), SymbolTable())

    def __init__(self, name: str, ops: Sequence[Operation] = ()):
        super().__init__(properties={"sym_name": StringAttr(name)}, regions=[Region(Block(ops))])

    def function(self, name: str) -> FuncOp | None:
        """The function called `name`, or None."""
        found = lookup_symbol(self, name)
        return found if isinstance(found, FuncOp) else None

    @classmethod
    def parse(cls, parser: Parser) -> ModuleOp:
        """Parse `@name attributes {...} {body}`."""
        name = parser.parse_symbol_name()
        attributes = parser.parse_optional_attr_dict_with_keyword(("sym_name",))
        region = parser.parse_region()
        if not region.blocks:
            region.add_block(Block())
        op = cls.create(properties={"sym_name": name}, regions=[region])
        if attributes is not None:
            op.attributes |= attributes.data
        visibility = op.attributes.pop("sym_visibility", None)
        if visibility is not None:
            op.properties["sym_visibility"] = visibility
        return op

    def print(self, printer: Printer) -> None:
        """Print what `parse` reads."""
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        shown = dict(self.attributes)
        if self.sym_visibility is not None:
            shown["sym_visibility"] = self.sym_visibility
        printer.print_op_attributes(shown, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body, print_empty_block=False)


@irdl_op_definition
class FuncOp(IRDLOperation):
    """What each thread of a grid runs (a `kernel`), or a function that device code calls.

    Semantics: `workgroup` memory is shared by the threads of a block, `private` memory is one thread's; both begin
    undefined. `known_block_size` and `known_grid_size` promise how it is launched.

    Constraints:
        C1: the block's arguments are those of the signature, then the workgroup memory, then the private memory.
        C2: a kernel returns nothing.
        C3: workgroup and private memory are memrefs of static shape in their address space.
        C4: the memrefs a kernel takes are in global memory.
        C5: known sizes are three positive numbers; a block has at most 1024 threads.

    Example:
        gpu.func @phase0(%x: memref<64xf32>) workgroup(%s: memref<32xf32, #gpu.address_space<workgroup>>)
            kernel attributes {known_block_size = array<i32: 256, 1, 1>} {
          gpu.return
        }
    """

    name = "gpu.func"

    sym_name = prop_def(SymbolNameConstraint())
    function_type = prop_def(FunctionType)
    workgroup_attributions = opt_prop_def(IntegerAttr)
    kernel = opt_prop_def(UnitAttr)
    known_block_size = opt_prop_def(DenseArrayBase.constr(i32))
    known_grid_size = opt_prop_def(DenseArrayBase.constr(i32))
    body = region_def("single_block")

    traits = traits_def(IsolatedFromAbove(), HasParent(ModuleOp), SymbolOpInterface(), CallableByType())

    def __init__(
        self,
        name: str,
        input_types: Sequence[Attribute],
        result_types: Sequence[Attribute] = (),
        *,
        workgroup: Sequence[Attribute] = (),
        private: Sequence[Attribute] = (),
        known_block_size: Sequence[int] | None = None,
        known_grid_size: Sequence[int] | None = None,
        kernel: bool = True,
        body: Region | None = None,
    ):
        if body is None:
            body = Region(Block(arg_types=[*input_types, *workgroup, *private]))
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "function_type": FunctionType.from_lists(input_types, result_types),
                "workgroup_attributions": IntegerAttr(len(workgroup), i64) if workgroup else None,
                "kernel": UnitAttr() if kernel else None,
                "known_block_size": _sizes(known_block_size),
                "known_grid_size": _sizes(known_grid_size),
            },
            regions=[body],
        )

    @property
    def args(self) -> tuple[BlockArgument, ...]:
        """What the launch passes."""
        return self.body.block.args[: len(self.function_type.inputs)]

    @property
    def workgroup_args(self) -> tuple[BlockArgument, ...]:
        """Memory shared by the threads of a block."""
        first = len(self.function_type.inputs)
        return self.body.block.args[first : first + self._num_workgroup]

    @property
    def private_args(self) -> tuple[BlockArgument, ...]:
        """Memory of one thread."""
        return self.body.block.args[len(self.function_type.inputs) + self._num_workgroup :]

    @property
    def block_size(self) -> tuple[int, ...] | None:
        """`known_block_size` as integers."""
        return None if self.known_block_size is None else tuple(self.known_block_size.get_values())

    @property
    def grid_size(self) -> tuple[int, ...] | None:
        """`known_grid_size` as integers."""
        return None if self.known_grid_size is None else tuple(self.known_grid_size.get_values())

    @property
    def _num_workgroup(self) -> int:
        return 0 if self.workgroup_attributions is None else self.workgroup_attributions.value.data

    def verify_(self) -> None:
        """Check C1 to C5."""
        inputs = self.function_type.inputs.data
        given = tuple(self.body.block.arg_types)
        if given[: len(inputs)] != inputs or len(given) < len(inputs) + self._num_workgroup:
            raise VerifyException(
                f"gpu.func: C1: block arguments {types_text(given)} do not begin with {types_text(inputs)} and "
                f"{self._num_workgroup} of workgroup memory"
            )
        if self.kernel is not None and self.function_type.outputs.data:
            raise VerifyException(
                f"gpu.func: C2: the kernel returns {types_text(self.function_type.outputs.data)}, not nothing"
            )
        for space, args in (
            (AddressSpace.WORKGROUP, self.workgroup_args),
            (AddressSpace.PRIVATE, self.private_args),
        ):
            for arg in args:
                if not _is_static_in(arg.type, space):
                    raise VerifyException(f"gpu.func: C3: {arg.type} is not a memref of static shape in {space} memory")
        for kind in inputs if self.kernel is not None else ():
            if isinstance(kind, MemRefType) and address_space(kind) is not AddressSpace.GLOBAL:  # pyright: ignore[reportUnknownArgumentType]
                raise VerifyException(f"gpu.func: C4: the kernel takes {kind}, which is not in global memory")
        self._verify_known_sizes()

    def _verify_known_sizes(self) -> None:
        for label, sizes in (("known_block_size", self.block_size), ("known_grid_size", self.grid_size)):
            if sizes is not None and (len(sizes) != 3 or min(sizes) < 1):
                raise VerifyException(f"gpu.func: C5: {label} {list(sizes)} is not three positive numbers")
        if self.block_size is not None and prod(self.block_size) > MAX_BLOCK_THREADS:
            raise VerifyException(
                f"gpu.func: C5: a block of {prod(self.block_size)} threads; at most {MAX_BLOCK_THREADS} are possible"
            )

    _RESERVED: ClassVar[tuple[str, ...]] = ("sym_name", "function_type", "workgroup_attributions", "kernel")
    _SHOWN: ClassVar[tuple[str, ...]] = ("known_block_size", "known_grid_size")

    @classmethod
    def parse(cls, parser: Parser) -> FuncOp:
        """Parse `@name(args) -> results workgroup(...) private(...) kernel attributes {...} {body}`."""
        name = parser.parse_symbol_name()
        args = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_argument)
        results: Sequence[Attribute] = ()
        if parser.parse_optional_punctuation("->"):
            many = parser.parse_optional_comma_separated_list(parser.Delimiter.PAREN, parser.parse_type)
            results = many if many is not None else [parser.parse_type()]
        workgroup = _parse_memory(parser, "workgroup")
        private = _parse_memory(parser, "private")
        is_kernel = parser.parse_optional_keyword("kernel") is not None
        attributes = parser.parse_optional_attr_dict_with_keyword(cls._RESERVED)
        region = parser.parse_region([*args, *workgroup, *private])
        op = cls(
            name.data,
            [a.type for a in args],
            results,
            workgroup=[a.type for a in workgroup],
            kernel=is_kernel,
            body=region,
        )
        if attributes is not None:
            op.attributes |= attributes.data
        for key in cls._SHOWN:
            if key in op.attributes:
                op.properties[key] = op.attributes.pop(key)
        return op

    def print(self, printer: Printer) -> None:
        """Print what `parse` reads."""
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        with printer.in_parens():
            printer.print_list(self.args, printer.print_block_argument)
        outputs = self.function_type.outputs.data
        if outputs:
            printer.print_string(" -> ")
            if len(outputs) == 1 and not isinstance(outputs[0], FunctionType):
                printer.print_attribute(outputs[0])
            else:
                with printer.in_parens():
                    printer.print_list(outputs, printer.print_attribute)
        for keyword, memory in (("workgroup", self.workgroup_args), ("private", self.private_args)):
            if memory:
                printer.print_string(f" {keyword}(")
                printer.print_list(memory, printer.print_block_argument)
                printer.print_string(")")
        if self.kernel is not None:
            printer.print_string(" kernel")
        shown = {k: self.properties[k] for k in self._SHOWN if k in self.properties} | self.attributes
        printer.print_op_attributes(shown, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False)


def _sizes(values: Sequence[int] | None) -> DenseArrayBase[IntegerType] | None:
    return None if values is None else DenseArrayBase.from_list(i32, tuple(values))


def _parse_memory(parser: Parser, keyword: str) -> list[Parser.Argument]:
    if parser.parse_optional_keyword(keyword) is None:
        return []
    return parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_argument)


def _is_static_in(kind: Attribute, space: AddressSpace) -> bool:
    return isinstance(kind, MemRefType) and kind.has_static_shape() and address_space(kind) is space


@irdl_op_definition
class ReturnOp(AbstractYieldOperation[Attribute]):
    """Ends a `gpu.func`.

    Constraints:
        C1: operand types are the result types of the function.

    Example:
        gpu.return
    """

    name = "gpu.return"

    traits = traits_def(IsTerminator(), HasParent(FuncOp), Pure())

    def verify_(self) -> None:
        """Check C1."""
        func = self.parent_op()
        assert isinstance(func, FuncOp)
        types = tuple(v.type for v in self.operands)
        if types != func.function_type.outputs.data:
            raise VerifyException(
                f"gpu.return: C1: {types_text(types)} is not {types_text(func.function_type.outputs.data)}"
            )


class _LaunchSymbols(SymbolUserOpInterface):
    def verify(self, op: Operation) -> None:
        assert isinstance(op, LaunchFuncOp)
        op.verify_callee()


_SIZE_TYPES = (IndexType(), i32, i64)


@irdl_op_definition
class LaunchFuncOp(IRDLOperation):
    """Runs a kernel on a grid of thread blocks.

    Semantics: in the order of the host's other gpu ops; with `async` the result is a token that is done when the grid
    is. `dynamic_shared_memory_size` bytes are what `gpu.dynamic_shared_memory` means in each block.

    Constraints:
        C1: the callee `@module::@function` is a kernel `gpu.func` of a `gpu.module`.
        C2: argument types are those of the kernel.
        C3: sizes are all index, all i32 or all i64.
        C4: constant block sizes are positive, make at most 1024 threads, and are the kernel's `known_block_size`.
        C5: constant grid sizes are positive and are the kernel's `known_grid_size`.
        C6: a constant size of shared memory is not negative.

    Example:
        gpu.launch_func @k0::@phase0 blocks in (%g, %c1, %c1) threads in (%b, %c1, %c1)
            dynamic_shared_memory_size %s args(%x : memref<64xf32>)
    """

    name = "gpu.launch_func"

    callee = prop_def(SymbolRefAttr, prop_name="kernel")
    async_dependencies = var_operand_def(AsyncTokenType())
    grid_x = operand_def()
    grid_y = operand_def()
    grid_z = operand_def()
    block_x = operand_def()
    block_y = operand_def()
    block_z = operand_def()
    dynamic_shared_memory_size = opt_operand_def(i32)
    args = var_operand_def()
    async_token = opt_result_def(AsyncTokenType())

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect(), _LaunchSymbols())

    def __init__(
        self,
        module_name: str,
        func_name: str,
        grid: Sequence[SSAValue],
        block: Sequence[SSAValue],
        args: Sequence[SSAValue] = (),
        shared: SSAValue | None = None,
        *,
        async_dependencies: Sequence[SSAValue] = (),
        is_async: bool = False,
    ):
        super().__init__(
            operands=[async_dependencies, *grid, *block, shared, args],
            result_types=[token_types(is_async)],
            properties={"kernel": SymbolRefAttr(module_name, [func_name])},
        )

    @property
    def grid(self) -> tuple[SSAValue, SSAValue, SSAValue]:
        """Blocks of the grid along x, y and z."""
        return self.grid_x, self.grid_y, self.grid_z

    @property
    def block(self) -> tuple[SSAValue, SSAValue, SSAValue]:
        """Threads of a block along x, y and z."""
        return self.block_x, self.block_y, self.block_z

    def kernel_func(self) -> FuncOp | None:
        """The function this launches, or None when the symbol is missing or is not one."""
        nested = self.callee.nested_references.data
        if len(nested) != 1:
            return None
        module = lookup_symbol(self, self.callee.root_reference.data)
        return module.function(nested[0].data) if isinstance(module, ModuleOp) else None

    def verify_(self) -> None:
        """Check C3 to C6, as far as the op alone says."""
        types = [v.type for v in (*self.grid, *self.block)]
        if types[0] not in _SIZE_TYPES or any(t != types[0] for t in types):
            raise VerifyException(f"gpu.launch_func: C3: sizes {types_text(types)} are not all index, i32 or i64")
        block, grid = _constants(self.block), _constants(self.grid)
        if min((s for s in block if s is not None), default=1) < 1:
            raise VerifyException("gpu.launch_func: C4: a block size is not positive")
        threads = prod(s for s in block if s is not None)
        if threads > MAX_BLOCK_THREADS:
            raise VerifyException(
                f"gpu.launch_func: C4: a block of {threads} threads; at most {MAX_BLOCK_THREADS} are possible"
            )
        if min((s for s in grid if s is not None), default=1) < 1:
            raise VerifyException("gpu.launch_func: C5: a grid size is not positive")
        shared = self.dynamic_shared_memory_size
        if shared is not None and (size := int_of(constant_of(shared))) is not None and size < 0:
            raise VerifyException(f"gpu.launch_func: C6: {size} bytes of shared memory")

    def verify_callee(self) -> None:
        """Check C1 and C2, and that constant sizes are those the kernel knows."""
        func = self.kernel_func()
        if func is None or func.kernel is None:
            raise VerifyException(f"gpu.launch_func: C1: {self.callee} is not a kernel of a gpu.module")
        given = tuple(a.type for a in self.args)
        if given != func.function_type.inputs.data:
            raise VerifyException(
                f"gpu.launch_func: C2: arguments {types_text(given)} are not "
                f"{types_text(func.function_type.inputs.data)} of {self.callee}"
            )
        for label, values, known in (
            ("C4: block", self.block, func.block_size),
            ("C5: grid", self.grid, func.grid_size),
        ):
            for size, expected in zip(_constants(values), known or (), strict=False):
                if size is not None and size != expected:
                    raise VerifyException(
                        f"gpu.launch_func: {label} size {size} is not {expected} of {list(known or ())} "
                        f"that {self.callee} knows"
                    )

    @classmethod
    def parse(cls, parser: Parser) -> LaunchFuncOp:
        """Parse the form of the example, with `async [%tokens]` in front and `: type` after sizes that are no index."""
        is_async = parser.parse_optional_keyword("async") is not None
        tokens = parser.parse_optional_comma_separated_list(
            parser.Delimiter.SQUARE, lambda: parser.resolve_operand(parser.parse_unresolved_operand(), AsyncTokenType())
        )
        pos = parser.pos
        callee = parser.parse_attribute()
        if not isinstance(callee, SymbolRefAttr):
            parser.raise_error("gpu.launch_func: expected @module::@function", pos, parser.pos)
        sizes = [*_parse_sizes(parser, "blocks"), *_parse_sizes(parser, "threads")]
        kind = parser.parse_type() if parser.parse_optional_punctuation(":") else IndexType()
        shared: list[SSAValue] = []
        if parser.parse_optional_keyword("dynamic_shared_memory_size") is not None:
            shared = [parser.resolve_operand(parser.parse_unresolved_operand(), i32)]
        args: list[SSAValue] = []
        if parser.parse_optional_keyword("args") is not None:
            args = parser.parse_comma_separated_list(parser.Delimiter.PAREN, lambda: _parse_typed_operand(parser))
        attributes = parser.parse_optional_attr_dict()
        dims = [[parser.resolve_operand(s, kind)] for s in sizes]
        return cls.build(
            operands=[tokens or [], *dims, shared, args],
            result_types=[token_types(is_async)],
            properties={"kernel": callee},
            attributes=attributes,
        )

    def print(self, printer: Printer) -> None:
        """Print what `parse` reads."""
        if self.async_token is not None:
            printer.print_string(" async")
        if self.async_dependencies:
            printer.print_string(" ")
            with printer.in_square_brackets():
                printer.print_list(self.async_dependencies, printer.print_ssa_value)
        printer.print_string(" ")
        printer.print_attribute(self.callee)
        for keyword, sizes in (("blocks", self.grid), ("threads", self.block)):
            printer.print_string(f" {keyword} in (")
            printer.print_list(sizes, printer.print_ssa_value)
            printer.print_string(")")
        if self.grid_x.type != IndexType():
            printer.print_string(" : ")
            printer.print_attribute(self.grid_x.type)
        if self.dynamic_shared_memory_size is not None:
            printer.print_string(" dynamic_shared_memory_size ")
            printer.print_ssa_value(self.dynamic_shared_memory_size)
        if self.args:
            printer.print_string(" args(")
            printer.print_list(self.args, lambda arg: _print_typed_operand(printer, arg))
            printer.print_string(")")
        printer.print_op_attributes(self.attributes)


def _constants(values: Sequence[SSAValue]) -> list[int | None]:
    return [int_of(constant_of(v)) for v in values]


def _parse_sizes(parser: Parser, keyword: str) -> list[UnresolvedOperand]:
    parser.parse_keyword(keyword)
    parser.parse_keyword("in")
    pos = parser.pos
    sizes = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_unresolved_operand)
    if len(sizes) != 3:
        parser.raise_error(f"gpu.launch_func: expected three sizes of {keyword}", pos, parser.pos)
    return sizes


def _parse_typed_operand(parser: Parser) -> SSAValue:
    operand = parser.parse_unresolved_operand()
    parser.parse_punctuation(":")
    return parser.resolve_operand(operand, parser.parse_type())


def _print_typed_operand(printer: Printer, value: SSAValue) -> None:
    printer.print_ssa_value(value)
    printer.print_string(" : ")
    printer.print_attribute(value.type)
