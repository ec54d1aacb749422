"""inline: replace calls by the bodies of what they call.

Before:                                          After:
    func.func @main(%x: tensor<4xf32>) ... {         func.func @main(%x: tensor<4xf32>) ... {
      %0 = func.call @relu(%x) : ...                   %c = stablehlo.constant dense<0.0> : ...
      ...                                              %0 = stablehlo.maximum %x, %c : ...

Works bottom-up over the call graph, so each body is copied in its final form. A call stays when its callee
can reach itself, has no body or several blocks, or when the caller would grow beyond `max_ops`. The copies'
locations are call sites: callee location at caller location. Callees stay; `symbol-dce` removes those
nobody can call any more.

Needs: `func`. Keeps: the order of effects. Fails: never (a call that cannot go, stays).
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import CallSiteLoc, LocationAttr, UnknownLoc
from xdsl.ir import Operation, SSAValue

from stepwell.ir.passes import Pass


class _CallGraph:
    """The functions of one module, their calls and their sizes."""

    def __init__(self, module: Operation):
        self.functions: dict[str, func.FuncOp] = {}
        for op in module.regions[0].block.ops:
            if isinstance(op, func.FuncOp):
                self.functions[op.sym_name.data] = op
        self.calls: dict[str, list[func.CallOp]] = {}
        self.sizes: dict[str, int] = {}
        for name, function in self.functions.items():
            ops = list(function.walk())
            self.sizes[name] = len(ops)
            self.calls[name] = [op for op in ops if isinstance(op, func.CallOp)]

    def callees(self, name: str) -> list[str]:
        """Functions of the module that `name` calls, once each, in order."""
        names = dict.fromkeys(call.callee.string_value() for call in self.calls[name])
        return [callee for callee in names if callee in self.functions]

    def bottom_up(self) -> tuple[list[str], set[str]]:
        """Functions, callees before callers, and those on a cycle of calls (Tarjan, without recursion)."""
        order: list[str] = []
        recursive: set[str] = set()
        number: dict[str, int] = {}
        low: dict[str, int] = {}
        stack: list[str] = []
        waiting: set[str] = set()
        for start in self.functions:
            if start in number:
                continue
            path = [(start, iter(self.callees(start)))]
            number[start] = low[start] = len(number)
            stack.append(start)
            waiting.add(start)
            while path:
                name, rest = path[-1]
                callee = next(rest, None)
                if callee is None:
                    path.pop()
                    if path:
                        low[path[-1][0]] = min(low[path[-1][0]], low[name])
                    if low[name] == number[name]:
                        order.extend(self._component(name, stack, waiting, recursive))
                elif callee not in number:
                    number[callee] = low[callee] = len(number)
                    stack.append(callee)
                    waiting.add(callee)
                    path.append((callee, iter(self.callees(callee))))
                elif callee in waiting:
                    low[name] = min(low[name], number[callee])
        return order, recursive

    def _component(self, name: str, stack: list[str], waiting: set[str], recursive: set[str]) -> list[str]:
        members: list[str] = []
        while not members or members[-1] != name:
            members.append(stack.pop())
            waiting.discard(members[-1])
        if len(members) > 1 or name in self.callees(name):
            recursive.update(members)
        return members


def _call_site(callee: LocationAttr, caller: LocationAttr) -> LocationAttr:
    if isinstance(caller, UnknownLoc):
        return callee
    return caller if isinstance(callee, UnknownLoc) else CallSiteLoc(callee, caller)


def _inline_call(call: Operation, callee: func.FuncOp) -> list[func.CallOp]:
    """Copy the body of `callee` before `call` and erase the call; returns the calls in the copy."""
    block = callee.body.block
    values: dict[SSAValue, SSAValue] = dict(zip(block.args, call.operands, strict=True))
    copied_calls: list[func.CallOp] = []
    parent, end = call.parent, block.last_op
    assert parent is not None
    assert end is not None
    for op in block.ops:
        if op is end:
            break
        copy = op.clone(values)
        for inner in copy.walk():
            inner.location = _call_site(inner.location, call.location)
            if isinstance(inner, func.CallOp):
                copied_calls.append(inner)
        parent.insert_op_before(copy, call)
    for result, returned in zip(call.results, end.operands, strict=True):
        value = values.get(returned, returned)
        if value.name_hint is None:
            value.name_hint = result.name_hint
        result.replace_all_uses_with(value)
    call.detach()
    call.erase()
    return copied_calls


def inline_composite(op: Operation, decomposition: func.FuncOp) -> Operation | None:
    """Copy a decomposition in place of the op that names it, and erase that; returns the last op of the copy."""
    following = op.next_op
    assert following is not None, "a terminator"
    _inline_call(op, decomposition)
    return following.prev_op


def _can_inline(callee: func.FuncOp) -> bool:
    """True for a body of one block that returns."""
    first = callee.body.blocks.first
    return first is not None and first.next_block is None and isinstance(first.last_op, func.ReturnOp)


def inline_calls(module: Operation, max_ops: int) -> None:
    """Inline every call in `module` that `inline` promises to."""
    graph = _CallGraph(module)
    order, recursive = graph.bottom_up()
    for name in order:
        kept: list[func.CallOp] = []
        for call in graph.calls[name]:
            callee = call.callee.string_value()
            function = graph.functions.get(callee)
            if function is None or callee in recursive or not _can_inline(function):
                kept.append(call)
            elif graph.sizes[name] + graph.sizes[callee] > max_ops:
                kept.append(call)
            else:
                kept.extend(_inline_call(call, function))
                graph.sizes[name] += graph.sizes[callee]
        graph.calls[name] = kept


@dataclass(frozen=True)
class InlinePass(Pass):
    """Replace calls by the bodies of what they call, bottom-up over the call graph."""

    name = "inline"

    max_ops: int = 1_000_000
    """No function grows beyond this many ops by inlining."""

    def apply(self, ctx: Context, op: Operation) -> None:
        """Inline the calls of the module `op`."""
        inline_calls(op, self.max_ops)
