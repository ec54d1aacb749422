"""`rt`: parallel loops are outlined here; atomics, calls of C functions and addresses are instructions.

The body of `rt.parallel_for` becomes two functions: `i32 body(ptr ctx, i64 begin, i64 end, i64 worker)`, which unpacks the
captured values, and the loop itself, whose parameters keep the `noalias` of the buffers they are. That of `rt.spawn` is
the same, for one index; its future is memory on the stack.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from xdsl.dialects.builtin import IntegerAttr, MemRefType, SymbolRefAttr, VectorType
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.backends.llvm.control_flow import counted_loop
from stepwell.backends.llvm.types import element_bytes, quoted, row_type, scalar_type
from stepwell.backends.llvm.writer import (
    Buffer,
    Emitter,
    FunctionWriter,
    Index,
    Value,
    attribute,
    operand,
    static_buffer,
    unsupported,
)
from stepwell.dialects import rt

PARALLEL_FOR = "stepwell_parallel_for"
SPAWN = "stepwell_spawn"
AWAIT = "stepwell_await"
FUTURE = "[16 x i64]"
"""What a future takes, by runtime/pool.mlir."""

_BODY = "ptr, i64, i64, i64"


def _free_values(op: Operation) -> list[SSAValue]:
    """What the body uses but does not define, by first use."""
    inside: dict[SSAValue, None] = {}
    free: dict[SSAValue, None] = {}
    for region in op.regions:
        for block in region.blocks:
            inside.update(dict.fromkeys(block.args))
        for inner in region.walk():
            for value in inner._operands:  # pyright: ignore[reportPrivateUsage]
                if value not in inside:
                    free[value] = None
            inside.update(dict.fromkeys(inner.results))
            for nested in inner.regions:
                for block in nested.blocks:
                    inside.update(dict.fromkeys(block.args))
    return list(free)


class _Captures:
    """LLVM names that go into the outlined body, each once, with their types and parameter attributes."""

    def __init__(self, w: FunctionWriter):
        self.w = w
        self.types: dict[str, str] = {}

    def add(self, name: object, type_: str) -> None:
        if isinstance(name, str) and name.startswith("%"):
            self.types[name] = type_

    def add_value(self, value: SSAValue) -> None:
        found = self.w.values[value]
        if isinstance(found, Buffer):
            self.add(found.root, "ptr")
            for part in (*found.sizes, *found.strides, found.offset, found.dynamic_bytes):
                self.add(part, "i64")
        elif isinstance(found, list):
            assert isinstance(value.type, VectorType)
            for row in found:
                self.add(row, row_type(value.type))
        else:
            self.add(found, scalar_type(value.type))

    def parameters(self) -> list[str]:
        """`type attributes` of each parameter of the loop function."""
        roots = self.w.noalias_roots
        pointers = [name for name, type_ in self.types.items() if type_ == "ptr"]
        trusted = all(name in roots for name in pointers)
        return [f"{type_} {roots[name]}" if type_ == "ptr" and trusted else type_ for name, type_ in self.types.items()]


def _renamed(value: Value, names: dict[str, str]) -> Value:
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, list):
        return [names.get(row, row) for row in value]

    def index(part: Index) -> Index:
        return names.get(part, part) if isinstance(part, str) else part

    return replace(
        value,
        root=names.get(value.root, value.root),
        sizes=tuple(index(s) for s in value.sizes),
        strides=tuple(index(s) for s in value.strides),
        offset=index(value.offset),
        dynamic_bytes=None if value.dynamic_bytes is None else names.get(value.dynamic_bytes, value.dynamic_bytes),
    )


def _parallel_for(w: FunctionWriter, op: Operation) -> None:
    symbol, context = _outlined(w, op)
    count = attribute(op, "count")
    total = str(count.value.data) if isinstance(count, IntegerAttr) else w.scalar(operand(op, 0))
    grain = attribute(op, "grain")
    assert isinstance(grain, IntegerAttr)
    w.module.declare(PARALLEL_FOR, f"declare i32 @{PARALLEL_FOR}(ptr, ptr, i64, i64)")
    arguments = f"ptr @{quoted(symbol)}, ptr {context}, i64 {total}, i64 {grain.value.data}"
    status = w.emit(f"call i32 @{PARALLEL_FOR}({arguments})")
    if op.results:
        w.values[op.results[0]] = status


def _spawn(w: FunctionWriter, op: Operation) -> None:
    symbol, context = _outlined(w, op)
    future = w.alloca(FUTURE, 64)
    w.module.declare(SPAWN, f"declare void @{SPAWN}(ptr, ptr, ptr)")
    w.line(f"call void @{SPAWN}(ptr @{quoted(symbol)}, ptr {context}, ptr {future})")
    w.values[op.results[0]] = future


def _await(w: FunctionWriter, op: Operation) -> None:
    w.module.declare(AWAIT, f"declare i32 @{AWAIT}(ptr)")
    w.values[op.results[0]] = w.emit(f"call i32 @{AWAIT}(ptr {w.scalar(operand(op, 0))})")


def _outlined(w: FunctionWriter, op: Operation) -> tuple[str, str]:
    """Write the region of `op` as a function of its own: the symbol, and the captured values in memory."""
    free = _free_values(op)
    captures = _Captures(w)
    for value in free:
        captures.add_value(value)
    symbol = w.module.fresh_symbol(f"{w.symbol}$body")
    _write_loop(w, op, symbol, free, captures)
    _write_trampoline(w, symbol, captures, has_status(op))
    return symbol, _pack(w, list(captures.types.items()))


def has_status(op: Operation) -> bool:
    """Whether the region of `op` yields one."""
    last = op.regions[0].block.last_op
    return last is not None and bool(last.operands)


def _struct(types: Iterable[str]) -> str:
    return "{ " + ", ".join(types) + " }"


def _pack(w: FunctionWriter, captured: list[tuple[str, str]]) -> str:
    """The captured values in a struct on the stack."""
    if not captured:
        return "null"
    struct = _struct(type_ for _, type_ in captured)
    context = w.alloca(struct, 64)
    for position, (name, type_) in enumerate(captured):
        field = w.emit(f"getelementptr inbounds {struct}, ptr {context}, i32 0, i32 {position}")
        w.line(f"store {type_} {name}, ptr {field}")
    return context


def _write_trampoline(w: FunctionWriter, symbol: str, captures: _Captures, status: bool) -> None:
    types = list(captures.types.values())
    struct = _struct(types)
    lines = [f"define internal i32 @{quoted(symbol)}(ptr %ctx, i64 %begin, i64 %end, i64 %worker) #0 {{", "entry:"]
    for position, type_ in enumerate(types):
        lines.append(f"  %p{position} = getelementptr inbounds {struct}, ptr %ctx, i32 0, i32 {position}")
        lines.append(f"  %c{position} = load {type_}, ptr %p{position}")
    arguments = [f"{type_} %c{i}" for i, type_ in enumerate(types)]
    arguments += ["i64 %begin", "i64 %end", "i64 %worker"]
    call = f"@{quoted(f'{symbol}.loop')}({', '.join(arguments)})"
    lines += [f"  %s = call i32 {call}", "  ret i32 %s", "}"] if status else [f"  call void {call}", "  ret i32 0", "}"]
    w.module.functions.append("\n".join(lines))


def _write_loop(w: FunctionWriter, op: Operation, symbol: str, free: list[SSAValue], captures: _Captures) -> None:
    inner = FunctionWriter(w.module, f"{symbol}.loop")
    inner.worker = "%worker"
    names = {name: f"%c{i}" for i, name in enumerate(captures.types)}
    for value in free:
        inner.values[value] = _renamed(w.values[value], names)
    inner.noalias_roots = {names[n]: a for n, a in w.noalias_roots.items() if n in names}
    parameters = [f"{text} %c{i}" for i, text in enumerate(captures.parameters())]
    parameters += ["i64 %begin", "i64 %end", "i64 %worker"]
    status = _write_indices(inner, op)
    kind = "i32" if has_status(op) else "void"
    inner.leave(f"ret {kind} {status}".rstrip())
    head = f"define internal {kind} @{quoted(f'{symbol}.loop')}({', '.join(parameters)}) #1 {{"
    w.module.functions.append(inner.text(head))


def _write_indices(inner: FunctionWriter, op: Operation) -> str:
    """Run the region for each index from %begin to %end, or once if it takes none; the status, if it has one."""
    block = op.regions[0].block
    if not block.args:
        yielded = inner.write_block(block).operands
        return inner.scalar(yielded[0]) if yielded else ""

    def body(index: Index, _: list[str]) -> list[str]:
        inner.values[block.args[0]] = str(index)
        yielded = inner.write_block(block).operands
        if yielded:
            status = inner.scalar(yielded[0])
            failed, going = inner.fresh_labels("failed", "going")
            inner.line(f"br i1 {inner.emit(f'icmp ne i32 {status}, 0')}, label %{failed}, label %{going}")
            inner.start_block(failed)
            inner.leave(f"ret i32 {status}")
            inner.start_block(going)
        return []

    counted_loop(inner, "i64", "%begin", "%end", 1, [], body)
    return "0" if has_status(op) else ""


def _worker_id(w: FunctionWriter, op: Operation) -> None:
    w.values[op.results[0]] = w.worker


def _order(op: Operation) -> str:
    order = attribute(op, "order")
    assert order is not None
    return str(order.data.value)  # pyright: ignore


def _atomic_place(w: FunctionWriter, memref: SSAValue, indices: Iterable[SSAValue]) -> tuple[str, str, int]:
    """(pointer, type, alignment) of an atomic element."""
    buffer = w.buffer(memref)
    kind = scalar_type(buffer.element)
    return w.address(buffer, [w.index(i) for i in indices]), kind, int(kind[1:]) // 8


def _atomic_load(w: FunctionWriter, op: Operation) -> None:
    memref, *indices = op.operands
    pointer, kind, align = _atomic_place(w, memref, indices)
    w.values[op.results[0]] = w.emit(f"load atomic {kind}, ptr {pointer} {_order(op)}, align {align}")


def _atomic_store(w: FunctionWriter, op: Operation) -> None:
    value, memref, *indices = op.operands
    pointer, kind, align = _atomic_place(w, memref, indices)
    w.line(f"store atomic {kind} {w.scalar(value)}, ptr {pointer} {_order(op)}, align {align}")


def _atomic_rmw(w: FunctionWriter, op: Operation) -> None:
    value, memref, *indices = op.operands
    pointer, kind, align = _atomic_place(w, memref, indices)
    what = attribute(op, "kind")
    assert what is not None
    name = str(what.data.value)  # pyright: ignore
    w.values[op.results[0]] = w.emit(
        f"atomicrmw {name} ptr {pointer}, {kind} {w.scalar(value)} {_order(op)}, align {align}"
    )


def _compare_exchange(w: FunctionWriter, op: Operation) -> None:
    expected, desired, memref, *indices = op.operands
    pointer, kind, align = _atomic_place(w, memref, indices)
    order = _order(op)
    failure = {"release": "monotonic", "acq_rel": "acquire"}.get(order, order)
    pair = w.emit(
        f"cmpxchg ptr {pointer}, {kind} {w.scalar(expected)}, {kind} {w.scalar(desired)} {order} {failure}, "
        f"align {align}"
    )
    for position, result in enumerate(op.results):
        w.values[result] = w.emit(f"extractvalue {{ {kind}, i1 }} {pair}, {position}")


def _poison(w: FunctionWriter, op: Operation) -> None:
    assert isinstance(op, rt.PoisonOp)
    buffer = w.buffer(op.memref)
    kind = op.memref.type
    assert isinstance(kind, MemRefType)
    size = math.prod(kind.get_shape()) * element_bytes(kind.element_type)
    name = "llvm.memset.p0.i64"
    w.module.declare(name, f"declare void @{name}(ptr, i8, i64, i1)")
    start = w.address(buffer, [0] * len(kind.get_shape()))
    w.line(f"call void @{name}(ptr {start}, i8 -1, i64 {size}, i1 false)")


def _fence(w: FunctionWriter, op: Operation) -> None:
    w.line(f"fence {_order(op)}")


def _pause(w: FunctionWriter, _: Operation) -> None:
    w.call("void", *w.module.strategy.pause)


def _arguments(w: FunctionWriter, values: Iterable[SSAValue]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for value in values:
        if isinstance(value.type, MemRefType):
            pairs.append(("ptr", w.buffer_pointer(w.buffer(value))))
        else:
            pairs.append((scalar_type(value.type), w.scalar(value)))
    return pairs


def _call_text(w: FunctionWriter, op: Operation, callee: str, arguments: list[tuple[str, str]], types: str) -> None:
    result = scalar_type(op.results[0].type) if op.results else "void"
    text = f"call {result} {types}{callee}({', '.join(f'{t} {v}' for t, v in arguments)})"
    if op.results:
        w.values[op.results[0]] = w.emit(text)
    else:
        w.line(text)


def _symbol(op: Operation) -> str:
    callee = attribute(op, "callee")
    assert isinstance(callee, SymbolRefAttr)
    return callee.root_reference.data


def _call_external(w: FunctionWriter, op: Operation) -> None:
    name = _symbol(op)
    arguments = _arguments(w, op.operands)
    result = scalar_type(op.results[0].type) if op.results else "void"
    named = attribute(op, "variadic_from")
    kinds = [t for t, _ in arguments]
    types = ""
    if isinstance(named, IntegerAttr):
        types = f"({', '.join([*kinds[: named.value.data], '...'])}) "
    signature = types.strip() or f"({', '.join(kinds)})"
    w.module.declare(name, f"declare {result} @{name}{signature}")
    _call_text(w, op, f"@{name}", arguments, types)


def _call_indirect(w: FunctionWriter, op: Operation) -> None:
    callee, *arguments = op.operands
    _call_text(w, op, w.scalar(callee), _arguments(w, arguments), "")


def _func_addr(w: FunctionWriter, op: Operation) -> None:
    w.values[op.results[0]] = f"@{w.module.use_function(_symbol(op), op)}"


def _ptr_to_int(w: FunctionWriter, op: Operation) -> None:
    w.values[op.results[0]] = w.emit(f"ptrtoint ptr {w.scalar(operand(op, 0))} to i64")


def _int_to_ptr(w: FunctionWriter, op: Operation) -> None:
    w.values[op.results[0]] = w.emit(f"inttoptr i64 {w.scalar(operand(op, 0))} to ptr")


def _memref_to_ptr(w: FunctionWriter, op: Operation) -> None:
    w.values[op.results[0]] = w.buffer_pointer(w.buffer(operand(op, 0)))


def _ptr_to_memref(w: FunctionWriter, op: Operation) -> None:
    type_: Attribute = op.results[0].type
    if not isinstance(type_, MemRefType):
        raise unsupported(op, f"{type_} is not a memref")
    w.values[op.results[0]] = static_buffer(w.scalar(operand(op, 0)), type_)


EMITTERS: dict[str, Emitter] = {
    "rt.atomic_load": _atomic_load,
    "rt.atomic_rmw": _atomic_rmw,
    "rt.atomic_store": _atomic_store,
    "rt.await": _await,
    "rt.call_external": _call_external,
    "rt.call_indirect": _call_indirect,
    "rt.compare_exchange": _compare_exchange,
    "rt.fence": _fence,
    "rt.poison": _poison,
    "rt.func_addr": _func_addr,
    "rt.int_to_ptr": _int_to_ptr,
    "rt.memref_to_ptr": _memref_to_ptr,
    "rt.parallel_for": _parallel_for,
    "rt.pause": _pause,
    "rt.ptr_to_int": _ptr_to_int,
    "rt.ptr_to_memref": _ptr_to_memref,
    "rt.spawn": _spawn,
    "rt.worker_id": _worker_id,
}
