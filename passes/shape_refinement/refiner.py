"""The walk of `refine-shapes`: types from the entry's arguments on, functions specialized where they are called.

Ops are visited once, in order. A small integer op on constants becomes a constant; a dynamic op whose sizes are constants its
static op; every other op gets the result types that inference finds. What is known of sizes is in the IR, as constants, so it
flows by use: into regions, and into the copies of the functions that are called with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, FunctionType, ModuleOp, StringAttr, SymbolRefAttr, TensorType, TupleType
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects import stablehlo
from stepwell.dialects.stablehlo.base import AnyTensor, bounds_of, types_compatible, within_bounds
from stepwell.dialects.stablehlo.infer import RULES, infer_types
from stepwell.dialects.stablehlo.static_forms import DYNAMIC_OPS, SHAPE_OPERANDS, static_form
from stepwell.ir import shapes
from stepwell.ir.dense import dense_to_array
from stepwell.ir.diagnostics import (
    Diagnostic,
    InvalidProgramDiagnosticError,
    invalid,
    location_of,
    op_label,
    unsupported,
    value_location,
)
from stepwell.ir.shapes import DYNAMIC, ShapeError
from stepwell.passes.shape_refinement.arguments import callee_of, is_dynamic
from stepwell.passes.shape_refinement.custom_calls import check_assertion, static_call
from stepwell.passes.shape_refinement.folding import cause, constant_like, fold, is_small_integer, size_constant

_RETURNS = ("func.return", "stablehlo.return")


def is_static(type_: Attribute) -> bool:
    """Not a tensor with a `?`, nor a tuple of one."""
    if isinstance(type_, TupleType):
        return all(map(is_static, type_.types.data))
    return not isinstance(type_, TensorType) or type_.has_static_shape()


def _compatible(a: Attribute, b: Attribute) -> bool:
    """Equal up to extents that are unknown in one, in tuples too."""
    if isinstance(a, TupleType) and isinstance(b, TupleType):
        pairs = a.types.data, b.types.data
        return len(pairs[0]) == len(pairs[1]) and all(map(_compatible, *pairs))
    return types_compatible(a, b)


def _static(type_: Attribute) -> Attribute:
    """The type without bounds, once there is nothing left to bound."""
    if isinstance(type_, TensorType) and type_.has_static_shape() and any(b != DYNAMIC for b in bounds_of(type_)):
        return TensorType(cast(Attribute, type_.element_type), type_.get_shape())
    return type_


def _fits_but_bounds(type_: Attribute, declared: Attribute) -> bool:
    """Whether only a bound is in the way of `type_` being one that refines another."""
    return not within_bounds(type_, declared) and types_compatible(_plain(type_), _plain(declared))


def _plain(type_: Attribute) -> Attribute:
    """Without bounds."""
    tensor = cast("AnyTensor", type_)
    return TensorType(tensor.element_type, tensor.get_shape()) if isinstance(type_, TensorType) else type_


def _place(value: SSAValue) -> str:
    """A value as a message names it."""
    if isinstance(value.owner, Block):
        return f"argument {cast(Any, value).index} of '{getattr(value.owner.parent_op(), 'name', 'a block')}'"
    return f"the result of '{value.owner.name}'"


@dataclass
class _Specialized:
    """A function for certain argument types and sizes, and its results that are constant sizes."""

    function: func.FuncOp
    constants: list[stablehlo.ConstantOp | None]

    @property
    def is_computed(self) -> bool:
        """Whether all it does is to return sizes that are known."""
        return None not in self.constants and all(
            isinstance(op, stablehlo.ConstantOp | func.ReturnOp) for op in self.function.body.block.ops
        )


class Refiner:
    """Refines a module from its entry on; functions that the entry does not reach are dropped."""

    def __init__(self, module: ModuleOp, entry: func.FuncOp):
        self._module = module
        self._entry = entry
        self._functions: dict[str, func.FuncOp] = {}
        for op in list(module.body.block.ops):
            if isinstance(op, func.FuncOp) and op is not entry:
                op.detach()
                self._functions[op.sym_name.data] = op
        self._dynamic = self._dynamic_functions()
        self._kept: set[str] = set()
        self._taken: set[str] = {entry.sym_name.data, *self._functions}
        self._specialized: dict[tuple[Any, ...], _Specialized] = {}
        self._named: set[str] = set()
        self._active: list[str] = [entry.sym_name.data]
        self._refined: set[SSAValue] = set()

    def run(self, types: Sequence[Attribute | None], values: dict[int, Any]) -> None:
        """Refine the entry for these argument types (None: as declared) and values of arguments.

        Raises:
            InvalidProgramError: the types do not fit the program, or a shape assertion fails.
            UnsupportedError: a size depends on data.
        """
        for index, (argument, type_) in enumerate(zip(self._entry.body.block.args, types, strict=True)):
            if type_ is not None:
                self._check_argument(index, argument, type_)
                self._set_type(argument, type_)
        self._function(self._entry, values)
        signature = self._entry.function_type
        for what, kinds in (("argument", signature.inputs.data), ("result", signature.outputs.data)):
            for index, type_ in enumerate(kinds):
                if not is_static(type_):
                    hint = "give the types of all arguments" if what == "argument" else None
                    raise unsupported(self._entry, f"{what} {index} has type {type_}, which is not known", hint)

    def _check_argument(self, index: int, argument: SSAValue, type_: Attribute) -> None:
        declared = argument.type
        if _compatible(type_, declared):
            return
        beyond = _fits_but_bounds(type_, declared)
        what = "is beyond the bounds of" if beyond else "does not refine"
        message = f"{op_label(self._entry)} argument {index}: {type_} {what} {declared}"
        place = value_location(argument) or location_of(self._entry)
        raise InvalidProgramDiagnosticError(Diagnostic("error", place, message))

    def _set_type(self, value: SSAValue, type_: Attribute) -> None:
        """Give a value another type in place; its users look at it again, since they follow."""
        if value.type != type_:
            value._type = type_  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
            self._refined.add(value)

    # Functions.

    def _dynamic_functions(self) -> set[str]:
        """Functions with an op that refinement may change, or that call one."""
        callers: dict[str, list[str]] = {}
        pending: list[str] = []
        for name, function in self._functions.items():
            dynamic = not all(map(is_static, function.function_type.inputs.data))
            for op in function.walk():
                callee = callee_of(op)
                if callee is not None:
                    callers.setdefault(callee, []).append(name)
                dynamic = dynamic or op.name in DYNAMIC_OPS or is_dynamic(op) or _is_about_shapes(op)
            if dynamic:
                pending.append(name)
        found: set[str] = set(pending)
        while pending:
            for caller in callers.get(pending.pop(), ()):
                if caller not in found:
                    found.add(caller)
                    pending.append(caller)
        return found

    def _keep(self, name: str) -> None:
        """Put a function that is static, and those it refers to, back into the module."""
        pending = [name]
        while pending:
            current = pending.pop()
            function = self._functions.get(current)
            if function is None or current in self._kept:
                continue
            if current in self._dynamic:
                raise unsupported(function, "it is not called but referred to, so its shapes cannot be known")
            self._kept.add(current)
            self._named.add(current)
            self._module.body.block.add_op(function)
            pending.extend(reversed([s for op in function.walk() for s in _symbols(op)]))

    def _function(self, function: func.FuncOp, values: dict[int, Any]) -> list[stablehlo.ConstantOp | None]:
        """Refine a function whose arguments have their types; returns its results that are constant sizes."""
        block = function.body.block
        if block.next_block is not None:
            raise unsupported(function, "it has several blocks", "StableHLO's control flow is in regions")
        for index in sorted(values, reverse=True):
            argument = block.args[index]
            constant = constant_like(values[index], argument.type)
            constant.location = argument.location
            argument.replace_all_uses_with(constant.output)
            Rewriter.insert_op(constant, InsertPoint.at_start(block))
        self._block(block)
        end = block.last_op
        assert end is not None
        results = [o.type for o in end.operands]
        function.properties["function_type"] = FunctionType.from_lists([a.type for a in block.args], results)
        return [size_constant(o) for o in end.operands]

    def _specialize(self, call: Operation, name: str, operands: Sequence[SSAValue]) -> _Specialized:
        """The function `name` for the types, and constant sizes, of these operands."""
        original = self._functions.get(name)
        if name in self._active:
            hint = "a recursive function cannot be refined: its copies could be without number"
            raise unsupported(call, f"@{name} calls itself with shapes that are not known", hint)
        if original is None or original.is_declaration:
            raise invalid(call, f"@{name} is not a function with a body")
        declared = original.function_type.inputs.data
        if len(declared) != len(operands):
            raise invalid(call, f"@{name} takes {len(declared)} arguments, not {len(operands)}")
        for index, (operand, type_) in enumerate(zip(operands, declared, strict=True)):
            if not _compatible(operand.type, type_):
                raise invalid(call, f"operand {index} has type {operand.type}, @{name} takes {type_}")
        constants = [size_constant(o) for o in operands]
        key = (name, tuple(o.type for o in operands), tuple(c and c.value for c in constants))
        found = self._specialized.get(key)
        if found is None:
            found = self._specialized[key] = self._copy(original, operands, constants)
        return found

    def _copy(
        self, original: func.FuncOp, operands: Sequence[SSAValue], constants: Sequence[stablehlo.ConstantOp | None]
    ) -> _Specialized:
        function = original.clone()
        function.properties["sym_name"] = StringAttr(self._fresh_name(original.sym_name.data))
        self._module.body.block.add_op(function)
        for argument, operand in zip(function.body.block.args, operands, strict=True):
            self._set_type(argument, operand.type)
        values = {i: _array(c) for i, c in enumerate(constants) if c is not None}
        self._active.append(original.sym_name.data)
        try:
            made = _Specialized(function, self._function(function, values))
        finally:
            self._active.pop()
        if made.is_computed:
            function.detach()
        return made

    def _fresh_name(self, name: str) -> str:
        """The name itself for the first copy (a static function may be needed as it is), then with a number."""
        number = 0 if name in self._dynamic else 1
        made = f"{name}_{number}" if number else name
        while made in self._named or (number and made in self._taken):
            number += 1
            made = f"{name}_{number}"
        self._named.add(made)
        return made

    # Ops.

    def _block(self, block: Block) -> None:
        for op in list(block.ops):
            self._op(op)
        for op in reversed(list(block.ops)):
            if isinstance(op, stablehlo.ConstantOp) and op.output.first_use is None:
                op.detach()
                op.erase()

    def _op(self, op: Operation) -> None:
        if op.name in _RETURNS:
            return
        if isinstance(op, func.CallOp):
            self._call(op)
        elif isinstance(op, stablehlo.CompositeOp):
            self._composite(op)
        elif isinstance(op, stablehlo.CustomCallOp):
            self._custom_call(op)
        elif isinstance(op, stablehlo.WhileOp):
            self._while(op)
        elif isinstance(op, stablehlo.IfOp | stablehlo.CaseOp) and (known := size_constant(op.operands[0])) is not None:
            self._known_branch(op, int(_array(known).reshape(-1)[0]))
        else:
            for region in op.regions:
                for block in region.blocks:
                    self._block(block)
            self._plain(op)

    def _plain(self, op: Operation) -> None:
        """An op that means the same with other types."""
        constants = fold(op)
        if constants is None:
            if op.name in DYNAMIC_OPS:
                op = self._resolved(op)
            if not self._is_settled(op):
                self._infer(op)
            constants = fold(op)
        if constants is not None:
            self._replace(op, constants)

    def _is_settled(self, op: Operation) -> bool:
        """Nothing of it is new or unknown."""
        return self._refined.isdisjoint(op.operands) and all(is_static(r.type) for r in op.results)

    def _resolved(self, op: Operation) -> Operation:
        """The static form of a dynamic op, in its place; the op itself where values are not known but sizes are."""
        try:
            made = static_form(op)
        except ShapeError as error:
            raise invalid(op, f"{error.label}: {error}") from error
        if made is None:
            return op
        written = op.results[0].type
        if not _compatible(made.results[0].type, written):
            beyond = _fits_but_bounds(made.results[0].type, written)
            what = "beyond the bounds of" if beyond else "not"
            raise invalid(op, f"its sizes make a result of type {made.results[0].type}, {what} {written}")
        self._replace(op, [made])
        return made

    def _replace(self, op: Operation, made: Sequence[Operation]) -> None:
        """Put ops with one result each in the place of the results of `op`."""
        block = op.parent
        assert block is not None
        for new in made:
            new.location = op.location
            block.insert_op_before(new, op)
        self._take_over(op, [new.results[0] for new in made])

    def _take_over(self, op: Operation, values: Sequence[SSAValue]) -> None:
        """Make users of the results of `op` use `values`, and erase it."""
        for result, value in zip(op.results, values, strict=True):
            if value.name_hint is None:
                value.name_hint = result.name_hint
            if value.type != result.type:
                self._refined.add(value)
            result.replace_all_uses_with(value)
        op.detach()
        op.erase()

    def _infer(self, op: Operation) -> None:
        """Give the results of `op` their types, which have to be static.

        Raises:
            InvalidProgramError: the operands' types do not fit the op, or one another.
            UnsupportedError: a type depends on data.
        """
        if op.name in RULES:
            try:
                inferred = infer_types(op)
            except VerifyException as error:
                raise invalid(op, str(error)) from error
            for result, type_ in zip(op.results, inferred, strict=True):
                self._refine(op, result, type_)
        for result in op.results:
            if not is_static(result.type):
                raise self._unknown(op, result.type)
        if isinstance(op, stablehlo.StableHLOOp):
            try:
                op.verify_()
            except VerifyException as error:
                raise invalid(op, str(error)) from error

    def _refine(self, op: Operation, result: SSAValue, inferred: Attribute) -> None:
        written = result.type
        if not _compatible(inferred, written):
            what = "beyond the bounds of" if _fits_but_bounds(inferred, written) else "not"
            raise invalid(op, f"for these operands its result has type {inferred}, {what} {written}")
        if not isinstance(inferred, TensorType):
            self._set_type(result, inferred)
            return
        shape = shapes.join([inferred.get_shape(), cast(AnyTensor, written).get_shape()])
        refined = TensorType(cast(AnyTensor, written).element_type, shape, cast(AnyTensor, written).encoding)
        self._set_type(result, _static(refined))

    def _unknown(self, op: Operation, type_: Attribute) -> Exception:
        for index in SHAPE_OPERANDS.get(op.name, ()):
            if size_constant(op.operands[index]) is None:
                source = _place(cause(op.operands[index]))
                reason = f"its result has type {type_}: the sizes in operand {index} depend on {source}"
                return unsupported(op, reason, "sizes may be computed from shapes and from small integer arguments")
        return unsupported(op, f"the shape of its result is not known: {type_}")

    # Calls.

    def _call(self, op: func.CallOp) -> None:
        name = op.callee.string_value()
        if name in self._functions and name not in self._dynamic and not self._computes_sizes(op, name):
            self._check_static_call(op, self._functions[name])
            self._keep(name)
            return
        made = self._specialize(op, name, op.operands)
        self._set_results(op, made)
        for result, constant in zip(op.results, made.constants, strict=True):
            if constant is not None and (result.first_use is not None or made.is_computed):
                copy = stablehlo.ConstantOp(cast(Any, constant.value))
                copy.location = op.location
                Rewriter.insert_op(copy, InsertPoint.after(op))
                result.replace_all_uses_with(copy.output)
        if made.is_computed:
            op.detach()
            op.erase()
        else:
            op.properties["callee"] = SymbolRefAttr(made.function.sym_name)

    def _computes_sizes(self, op: func.CallOp, name: str) -> bool:
        """Whether a call of a static function may be arithmetic on known sizes."""
        return (
            name not in self._active
            and not self._functions[name].is_declaration
            and all(is_small_integer(r.type) for r in op.results)
            and all(size_constant(o) is not None for o in op.operands)
            and bool(op.operands)
        )

    def _check_static_call(self, op: func.CallOp, callee: func.FuncOp) -> None:
        for index, (operand, type_) in enumerate(zip(op.operands, callee.function_type.inputs.data, strict=True)):
            if operand.type != type_:
                raise invalid(op, f"operand {index} has type {operand.type}, @{callee.sym_name.data} takes {type_}")

    def _set_results(self, op: Operation, made: _Specialized) -> None:
        for result, type_ in zip(op.results, made.function.function_type.outputs.data, strict=True):
            if not _compatible(type_, result.type):
                raise invalid(op, f"@{made.function.sym_name.data} returns {type_}, not {result.type}")
            self._set_type(result, type_)

    def _composite(self, op: stablehlo.CompositeOp) -> None:
        name = op.decomposition.string_value()
        if name in self._functions and name not in self._dynamic:
            self._keep(name)
            return
        made = self._specialize(op, name, op.operands)
        op.properties["decomposition"] = SymbolRefAttr(made.function.sym_name)
        self._set_results(op, made)

    def _custom_call(self, op: stablehlo.CustomCallOp) -> None:
        if op.call_target_name.data == "shape_assertion":
            check_assertion(op)
            return
        self._infer_if_static(op)
        made = static_call(op, self._functions.get)
        current: Operation = op
        if made is not None:
            block = op.parent
            assert block is not None
            block.insert_op_before(made, op)
            self._infer(made)
            for old, new in zip(op.results, made.results, strict=True):
                if not _compatible(old.type, new.type):
                    raise invalid(op, f"its sizes make a result of type {new.type}, not {old.type}")
            self._take_over(op, made.results)
            current = made
        for name in _symbols(current):
            self._keep(name)

    def _infer_if_static(self, op: stablehlo.CustomCallOp) -> None:
        """Types of a custom call that no op replaces."""
        if not op.call_target_name.data.startswith("stablehlo.dynamic_"):
            self._infer(op)

    # Control flow.

    def _while(self, op: stablehlo.WhileOp) -> None:
        cond, body = op.cond.block, op.body.block
        end = body.last_op
        assert end is not None
        for index, operand in enumerate(op.operands):
            for block in (cond, body):
                self._set_type(block.args[index], operand.type)
            self._set_type(op.results[index], operand.type)
            constant = size_constant(operand)
            if constant is not None and end.operands[index] is body.args[index]:
                for value in (cond.args[index], body.args[index], op.results[index]):
                    value.replace_all_uses_with(operand)
        self._block(cond)
        self._block(body)
        for index, (yielded, operand) in enumerate(zip(end.operands, op.operands, strict=True)):
            if not _compatible(yielded.type, operand.type):
                reason = f"carry {index} goes in as {operand.type} and comes out of its body as {yielded.type}"
                raise unsupported(op, reason, "a carry has one shape")

    def _known_branch(self, op: Operation, index: int) -> None:
        """Only the branch that is taken, in the place of the op: the others may have no static form."""
        if isinstance(op, stablehlo.IfOp):
            region = op.true_branch if index & 1 else op.false_branch
        else:
            region = op.regions[index if 0 <= index < len(op.regions) else -1]
        block = region.block
        self._block(block)
        end = block.last_op
        assert end is not None
        values = tuple(end.operands)
        end.detach()
        end.erase()
        Rewriter.inline_block(block, InsertPoint.before(op))
        for result, value in zip(op.results, values, strict=True):
            if not _compatible(result.type, value.type):
                raise invalid(op, f"the branch returns {value.type}, not {result.type}")
        self._take_over(op, values)


def _array(constant: stablehlo.ConstantOp) -> Any:
    return dense_to_array(cast(Any, constant.value))


def _is_about_shapes(op: Operation) -> bool:
    if not isinstance(op, stablehlo.CustomCallOp):
        return False
    target = op.call_target_name.data
    return target == "shape_assertion" or target.startswith("stablehlo.dynamic_")


def _symbols(op: Operation) -> list[str]:
    """The functions an op refers to."""
    found: list[str] = []
    for attribute in (*op.properties.values(), *op.attributes.values()):
        items = attribute.data if isinstance(attribute, ArrayAttr) else (attribute,)
        found.extend(item.string_value() for item in items if isinstance(item, SymbolRefAttr))
    return found


__all__ = ["Refiner", "is_static"]
