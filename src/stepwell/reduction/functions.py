"""Changing how functions are called, with their calls and the signature recorded for the entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, MemRefType, ModuleOp, StringAttr, SymbolRefAttr, TensorType
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.dialects.stepwell import ABI, AbiAttr
from stepwell.generated_inputs import NoInputError, array_form
from stepwell.reduction.values import erase_unused, zeros


def symbol_name(op: Operation) -> str:
    """The name of a function, global, or the like."""
    name = op.properties.get("sym_name") or op.attributes.get("sym_name")
    return str(getattr(name, "data", name))


def on_tensors(module: ModuleOp) -> list[func.FuncOp]:
    """Functions with a body whose signature is free to change: no buffers, whose order the steps below rely on."""
    return [
        op
        for op in module.body.block.ops
        if isinstance(op, func.FuncOp)
        and not op.is_declaration
        and len(op.body.blocks) == 1
        and isinstance(op.body.block.last_op, func.ReturnOp)
        and not any(isinstance(a.type, MemRefType) for a in op.body.block.args)
    ]


def uncalled(module: ModuleOp) -> list[func.FuncOp]:
    """Those of `on_tensors` that nothing in the module refers to."""
    referred: dict[str, None] = {}
    for op in module.walk():
        for attribute in (*op.properties.values(), *op.attributes.values()):
            if isinstance(attribute, SymbolRefAttr):
                referred.setdefault(attribute.root_reference.data)
    return [f for f in on_tensors(module) if f.sym_name.data not in referred]


def can_be_passed(type_: Attribute) -> bool:
    """True when arrays are values of a tensor type."""
    if not isinstance(type_, TensorType):
        return False
    try:
        array_form(type_)
    except NoInputError:
        return False
    return True


def returned(function: func.FuncOp) -> list[SSAValue]:
    """What a function returns."""
    terminator = function.body.block.last_op
    assert terminator is not None
    return list(terminator.operands)


def set_results(function: func.FuncOp, results: Sequence[SSAValue], kept: Sequence[int] = ()) -> None:
    """Return other values; result `kept[i]` stays as result `i`, with what is recorded about it."""
    terminator = function.body.block.last_op
    assert terminator is not None
    old = list(terminator.operands)
    terminator.operands = list(results)
    function.update_function_type()
    _keep_attributes(function, "res_attrs", kept, len(results))
    _record(function, "outputs", kept, [r.type for r in results])
    erase_unused(v.owner for v in old if isinstance(v.owner, Operation))


def drop_results(module: ModuleOp, function: func.FuncOp, dropped: Sequence[int]) -> None:
    """Return less; who calls the function and used the results gets zeros."""
    old = returned(function)
    kept = [i for i in range(len(old)) if i not in dropped]
    _change_calls(module, function, lambda operands: operands, kept)
    set_results(function, [old[i] for i in kept], kept)


def drop_arguments(module: ModuleOp, function: func.FuncOp, dropped: Sequence[int]) -> None:
    """Take less; the arguments must be unused."""
    block = function.body.block
    kept = [i for i in range(len(block.args)) if i not in dropped]
    everything = list(range(len(function.function_type.outputs.data)))
    _change_calls(module, function, lambda operands: [operands[i] for i in kept], everything)
    for i in sorted(dropped, reverse=True):
        block.erase_arg(block.args[i])
    function.update_function_type()
    _keep_attributes(function, "arg_attrs", kept, len(kept))
    _record(function, "inputs", kept, [a.type for a in block.args])


def add_argument(function: func.FuncOp, type_: Attribute, name: str | None) -> SSAValue:
    """One more argument at the end, for a function that nobody calls."""
    block = function.body.block
    count = len(block.args)
    argument = block.insert_arg(type_, count)
    argument.name_hint = name
    function.update_function_type()
    _keep_attributes(function, "arg_attrs", range(count), count + 1)
    _record(function, "inputs", range(count), [a.type for a in block.args])
    return argument


def _change_calls(
    module: ModuleOp,
    function: func.FuncOp,
    operands: Callable[[list[SSAValue]], list[SSAValue]],
    kept: Sequence[int],
) -> None:
    """Call a function with other operands and only the results `kept`."""
    for call in [op for op in module.walk() if isinstance(op, func.CallOp)]:
        if call.callee.string_value() != function.sym_name.data:
            continue
        new = func.CallOp(call.callee, operands(list(call.operands)), [call.results[i].type for i in kept])
        new.location = call.location
        block = call.parent
        assert block is not None
        block.insert_op_before(new, call)
        for i, result in enumerate(call.results):
            if result.first_use is not None:
                result.replace_all_uses_with(new.results[list(kept).index(i)] if i in kept else zeros(result.type, new))
        call.detach()
        call.erase()


def _keep_attributes(function: func.FuncOp, name: str, kept: Sequence[int], count: int) -> None:
    """The dictionaries of arguments or results that stay; the list goes when it says nothing about a new one."""
    attributes: Any = function.properties.get(name)
    if isinstance(attributes, ArrayAttr) and len(kept) == count:
        function.properties[name] = ArrayAttr([attributes.data[i] for i in kept])
    else:
        function.properties.pop(name, None)


def _record(function: func.FuncOp, what: str, kept: Sequence[int], types: Sequence[Attribute]) -> None:
    """The entry's recorded signature after a change: as written where it stays, else as it is now."""
    abi = function.attributes.get(ABI)
    if not isinstance(abi, AbiAttr):
        return
    written = abi.inputs if what == "inputs" else abi.outputs
    texts = [written[kept[i]] if i < len(kept) else str(t) for i, t in enumerate(types)]
    entries: dict[str, Attribute] = {what: ArrayAttr([StringAttr(t) for t in texts])}
    if what == "inputs" and abi.donated:
        from xdsl.dialects.builtin import DenseArrayBase, i64

        donated = [list(kept).index(i) for i in abi.donated if i in kept]
        entries["donated"] = DenseArrayBase.from_list(i64, donated)
    function.attributes[ABI] = abi.with_entries(**entries)
