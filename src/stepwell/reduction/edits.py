"""The edits of the reducer, in the order in which they are tried.

An edit lists its targets in a module, always in the same order, and carries itself out on some of them. A target that an earlier one
of the same call took away is passed over. An edit need not keep the meaning, nor even make valid IR: the search looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.dialects import func, scf
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, ModuleOp, SymbolRefAttr, TensorType
from xdsl.ir import Block, Operation, SSAValue
from xdsl.traits import IsolatedFromAbove, SymbolTable

from stepwell.ir.dense import array_to_dense, dense_to_array
from stepwell.reduction import functions, shapes, values


@dataclass(frozen=True)
class Edit:
    """One kind of change: what it can be done to, and how."""

    name: str
    targets: Callable[[ModuleOp], Sequence[Any]]
    apply: Callable[[ModuleOp, Sequence[Any]], None]
    in_chunks: bool = True
    """Whether to try many targets at once before single ones."""


# Functions and what they return


def _symbols(module: ModuleOp) -> list[Operation]:
    return [op for op in module.body.block.ops if values.is_symbol(op)]


def _drop_symbols(module: ModuleOp, chosen: Sequence[Operation]) -> None:
    names = [functions.symbol_name(op) for op in chosen]
    for op in list(module.walk()):
        if values.is_attached(op, module) and op not in chosen and _refers_to(op, names):
            values.replace_by_zeros(op)
    for op in chosen:
        op.detach()
        op.erase(safe_erase=False)


def _refers_to(op: Operation, names: Sequence[str]) -> bool:
    attributes = [*op.properties.values(), *op.attributes.values()]
    return any(isinstance(a, SymbolRefAttr) and a.root_reference.data in names for a in attributes)


def _results(module: ModuleOp) -> list[tuple[func.FuncOp, int]]:
    return [(f, i) for f in functions.on_tensors(module) for i in range(len(f.function_type.outputs.data))]


def _drop_results(module: ModuleOp, chosen: Sequence[tuple[func.FuncOp, int]]) -> None:
    for function in functions.on_tensors(module):
        dropped = [i for f, i in chosen if f is function]
        if dropped:
            functions.drop_results(module, function, dropped)


def _top_level(module: ModuleOp) -> list[Operation]:
    """Ops directly in functions that nobody calls, whose results arrays can be."""
    return [
        op
        for function in functions.uncalled(module)
        for op in function.body.block.ops
        if op.results and op.next_op is not None and all(functions.can_be_passed(r.type) for r in op.results)
    ]


def _return_operands(module: ModuleOp, chosen: Sequence[Operation]) -> None:
    """Return what the chosen ops read instead of what they make."""
    taken = dict.fromkeys(chosen)
    for function in functions.uncalled(module):
        returned: dict[SSAValue, None] = {}
        pending = list(reversed(functions.returned(function)))
        while pending:
            value = pending.pop()
            if isinstance(value.owner, Operation) and value.owner in taken:
                pending.extend(reversed([o for o in value.owner.operands if functions.can_be_passed(o.type)]))
            elif isinstance(value.owner, Operation) or value in functions.returned(function):
                returned.setdefault(value)
        if list(returned) != functions.returned(function):
            functions.set_results(function, list(returned))
    values.erase_unused(reversed(chosen))


def _to_arguments(module: ModuleOp, chosen: Sequence[Operation]) -> None:
    """Make arguments of what ops compute."""
    del module
    for op in chosen:
        if op.parent is None:
            continue
        function = op.parent_op()
        assert isinstance(function, func.FuncOp)
        for result in op.results:
            if result.first_use is not None:
                result.replace_all_uses_with(functions.add_argument(function, result.type, result.name_hint))
        values.erase(op)


def _arguments(module: ModuleOp) -> list[tuple[func.FuncOp, int]]:
    return [
        (f, i) for f in functions.on_tensors(module) for i, a in enumerate(f.body.block.args) if a.first_use is None
    ]


def _drop_arguments(module: ModuleOp, chosen: Sequence[tuple[func.FuncOp, int]]) -> None:
    for function in functions.on_tensors(module):
        dropped = [i for f, i in chosen if f is function]
        if dropped:
            functions.drop_arguments(module, function, dropped)


def _twice_used_types(module: ModuleOp) -> list[tuple[func.FuncOp, int, int]]:
    """(function, argument, an earlier one of its type)."""
    found: list[tuple[func.FuncOp, int, int]] = []
    for function in functions.uncalled(module):
        first: dict[Any, int] = {}
        for i, argument in enumerate(function.body.block.args):
            earlier = first.setdefault(argument.type, i)
            if earlier != i:
                found.append((function, i, earlier))
    return found


def _merge_arguments(module: ModuleOp, chosen: Sequence[tuple[func.FuncOp, int, int]]) -> None:
    for function, i, earlier in chosen:
        arguments = function.body.block.args
        arguments[i].replace_all_uses_with(arguments[earlier])
    _drop_arguments(module, [(f, i) for f, i, _ in chosen])


def _calls(module: ModuleOp) -> list[func.CallOp]:
    return [op for op in module.walk() if isinstance(op, func.CallOp)]


def _inline_calls(module: ModuleOp, chosen: Sequence[func.CallOp]) -> None:
    for call in chosen:
        callee = SymbolTable.lookup_symbol(module, call.callee.string_value())
        assert isinstance(callee, func.FuncOp)
        body = callee.body.clone()
        results = values.inline_block(body.block, list(call.operands), call)
        _replace(call, results)


# Ops


def _ops(module: ModuleOp) -> list[Operation]:
    return values.inner_ops(module)


def _unused(module: ModuleOp) -> list[Operation]:
    return [op for op in _ops(module) if values.is_unused(op)]


def _each(change: Callable[[Operation], None]) -> Callable[[ModuleOp, Sequence[Operation]], None]:
    """Carry out a change on the chosen ops that are still there, the last ones first."""

    def apply(module: ModuleOp, chosen: Sequence[Operation]) -> None:
        for op in reversed(chosen):
            if values.is_attached(op, module):
                change(op)

    return apply


def _bypasses(module: ModuleOp) -> list[Operation]:
    return [op for op in _ops(module) if op.results and _stand_ins(op) is not None]


def _stand_ins(op: Operation) -> list[SSAValue] | None:
    """An operand of the same type for each used result: the one at its place, if that fits, else the first."""
    found: list[SSAValue] = []
    for i, result in enumerate(op.results):
        fitting = [o for o in op.operands[i : i + 1] if o.type == result.type]
        fitting += [o for o in op.operands if o.type == result.type]
        if not fitting:
            return None
        found.append(fitting[0])
    return found


def _bypass(op: Operation) -> None:
    stand_ins = _stand_ins(op)
    if stand_ins is not None:
        _replace(op, stand_ins)


def _bypass_by_last(op: Operation) -> None:
    """As `_bypass`, with the last operand that fits."""
    fitting = [[o for o in op.operands if o.type == r.type] for r in op.results]
    if all(fitting):
        _replace(op, [f[-1] for f in fitting])


def _replace(op: Operation, results: Sequence[SSAValue]) -> None:
    for old, new in zip(op.results, results, strict=True):
        old.replace_all_uses_with(new)
    values.erase(op)


def _zero(op: Operation) -> None:
    if values.dense_of(op) is None and op.name != "arith.constant":
        values.replace_by_zeros(op)


def _regions(module: ModuleOp) -> list[tuple[Operation, int]]:
    """(op, region) where the region can run once in the op's place."""
    return [
        (op, i)
        for op in _ops(module)
        if op.results and not op.has_trait(IsolatedFromAbove, value_if_unregistered=False)
        for i, region in enumerate(op.regions)
        if len(region.blocks) == 1 and _once(op, region.block) is not None
    ]


def _once(op: Operation, block: Block) -> tuple[Sequence[SSAValue], int] | None:
    """(what the block's arguments are when it runs once in place of `op`, operands of its terminator that are no results)."""
    arguments: Sequence[SSAValue] = list(op.operands) if block.args else ()
    if isinstance(op, scf.ForOp):
        arguments = [op.lb, *op.iter_args]
    terminator = block.last_op
    if terminator is None or [a.type for a in block.args] != [a.type for a in arguments]:
        return None
    skipped = 1 if terminator.name == "scf.condition" else 0
    if [o.type for o in terminator.operands[skipped:]] != [r.type for r in op.results]:
        return None
    return arguments, skipped


def _run_once(module: ModuleOp, chosen: Sequence[tuple[Operation, int]]) -> None:
    for op, i in reversed(chosen):
        if not values.is_attached(op, module):
            continue
        block = op.regions[i].block
        once = _once(op, block)
        assert once is not None
        arguments, skipped = once
        _replace(op, values.inline_block(block, arguments, op)[skipped:])


# Constants and attributes


def _constants(*settled: int) -> Callable[[ModuleOp], list[Operation]]:
    """Dense constants that are not a splat of one of the numbers `settled` already."""

    def targets(module: ModuleOp) -> list[Operation]:
        return [op for op in _ops(module) if (dense := values.dense_of(op)) is not None and is_open(dense)]

    def is_open(dense: DenseIntOrFPElementsAttr) -> bool:
        array = dense_to_array(dense)
        return bool(array.size) and not any(bool(np.all(array == np.asarray(n).astype(array.dtype))) for n in settled)

    return targets


def _mixed_constants(module: ModuleOp) -> list[Operation]:
    """Dense constants with several numbers."""
    return [op for op in _ops(module) if (dense := values.dense_of(op)) is not None and _is_mixed(dense)]


def _is_mixed(dense: DenseIntOrFPElementsAttr) -> bool:
    array = dense_to_array(dense)
    return bool(array.size) and not bool(np.all(array == array.reshape(-1)[0]))


def _splat(pick: Callable[[Any], Any]) -> Callable[[Operation], None]:
    """Make all elements of a constant what `pick` makes of its first one."""

    def change(op: Operation) -> None:
        dense = values.dense_of(op)
        assert dense is not None
        array = dense_to_array(dense)
        if array.size:
            value = np.full(array.shape, np.asarray(pick(array.reshape(-1)[0])).astype(array.dtype))
            element = dense.type.get_element_type()
            new = array_to_dense(value, element, vector=not isinstance(dense.type, TensorType))
            (op.properties if "value" in op.properties else op.attributes)["value"] = new

    return change


def _attributes(module: ModuleOp) -> list[tuple[Operation, str]]:
    return [(op, name) for op in module.walk() for name in op.attributes]


def _drop_attributes(module: ModuleOp, chosen: Sequence[tuple[Operation, str]]) -> None:
    del module
    for op, name in chosen:
        op.attributes.pop(name, None)


EDITS: tuple[Edit, ...] = (
    Edit("drop functions", _symbols, _drop_symbols),
    Edit("drop results", _results, _drop_results),
    Edit("return operands", _top_level, _return_operands),
    Edit("drop unused ops", _unused, _each(values.erase)),
    Edit("make arguments", _top_level, _to_arguments),
    Edit("bypass ops", _bypasses, _each(_bypass)),
    Edit("bypass ops by their last operand", _bypasses, _each(_bypass_by_last)),
    Edit("make zeros", _ops, _each(_zero)),
    Edit("run regions once", _regions, _run_once),
    Edit("inline calls", _calls, _inline_calls),
    Edit("drop unused arguments", _arguments, _drop_arguments),
    Edit("merge arguments", _twice_used_types, _merge_arguments),
    Edit("shrink shapes", shapes.shrinkable, shapes.shrink, in_chunks=False),
    Edit("constants to zero", _constants(0), _each(_splat(lambda v: 0))),
    Edit("constants to one", _constants(0, 1), _each(_splat(lambda v: 1))),
    Edit("constants to splats", _mixed_constants, _each(_splat(lambda v: v))),
    Edit("drop attributes", _attributes, _drop_attributes),
)
"""Every edit: what removes much comes first."""
