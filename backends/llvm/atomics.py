"""Atomic updates of `memref.atomic_rmw`: an instruction where the machine has one, a loop around compare-and-swap else.

They order no other memory. Floats are 32 or 64 bits wide, integers 8 to 64.
"""

from __future__ import annotations

from xdsl.ir import Attribute, Operation

from stepwell.backends.llvm.arith import refuse_small_float
from stepwell.backends.llvm.types import SUB_BYTE, is_float, scalar_type
from stepwell.backends.llvm.vector_combine import combine
from stepwell.backends.llvm.writer import Buffer, Emitter, FunctionWriter, unsupported
from stepwell.dialects.memref import AtomicKind, AtomicRMWOp

_ORDER = "monotonic"
_INSTRUCTIONS = {
    AtomicKind.ADDF: "fadd",
    AtomicKind.ADDI: "add",
    AtomicKind.ANDI: "and",
    AtomicKind.ASSIGN: "xchg",
    AtomicKind.MAXS: "max",
    AtomicKind.MAXU: "umax",
    AtomicKind.MINS: "min",
    AtomicKind.MINU: "umin",
    AtomicKind.ORI: "or",
    AtomicKind.XORI: "xor",
}
"""LLVM's `atomicrmw` operations that machines have; the others are written as loops here, the same on all."""


def _atomic_rmw(w: FunctionWriter, op: Operation) -> None:
    assert isinstance(op, AtomicRMWOp)
    element = op.value.type
    name = scalar_type(element)
    if name in SUB_BYTE:
        raise unsupported(op, f"an atomic update of {element}; elements of 8 bits or more can be updated")
    if op.combination is not AtomicKind.ASSIGN:
        refuse_small_float(op, element)
    buffer = w.buffer(op.memref)
    pointer = w.address(buffer, [w.index(i) for i in op.indices])
    value = w.scalar(op.value)
    instruction = _INSTRUCTIONS.get(op.combination)
    scope = w.module.strategy.sync_scope(op.scope, buffer.space)
    if instruction is None:
        w.values[op.result] = _update_in_loop(w, op.combination, element, buffer, pointer, value, scope)
        return
    assembly = w.module.strategy.atomic_assembly(instruction, name, op.scope, buffer.space)
    if assembly is not None:
        place = f"{buffer.pointer} {pointer}, {name} {value}"
        register = {"i32": "r", "i64": "l", "float": "f", "double": "d"}[name]
        constraints = f"={register},l,{register},~{{memory}}"
        w.values[op.result] = w.emit(f'call {name} asm sideeffect "{assembly}", "{constraints}"({place})')
        return
    w.values[op.result] = w.emit(
        f"atomicrmw {instruction} {buffer.pointer} {pointer}, {name} {value}{scope} {_ORDER}, align {_bytes(name)}"
    )


def _bytes(name: str) -> int:
    return {"float": 4, "double": 8}.get(name) or int(name[1:]) // 8


def _update_in_loop(
    w: FunctionWriter, kind: AtomicKind, element: Attribute, buffer: Buffer, pointer: str, value: str, scope: str
) -> str:
    """Compute the new element of the one seen last, until nobody came between; bits are compared, so NaN is no matter."""
    combining = kind.combining
    assert combining is not None
    name, align = scalar_type(element), _bytes(scalar_type(element))
    bits = f"i{8 * align}"
    place = f"{buffer.pointer} {pointer}"
    before, retry, done = w.block, *w.fresh_labels("update", "updated")
    first = w.emit(f"load atomic {bits}, {place}{scope} {_ORDER}, align {align}")
    w.branch(retry)
    w.start_block(retry)
    old, seen = w.fresh(), w.fresh()
    w.line(f"{old} = phi {bits} [ {first}, %{before} ], [ {seen}, %{retry} ]")
    own = w.emit(f"bitcast {bits} {old} to {name}") if is_float(element) else old
    new = combine(w, combining, element, None, own, value)
    wanted = w.emit(f"bitcast {name} {new} to {bits}") if is_float(element) else new
    pair = w.emit(f"cmpxchg {place}, {bits} {old}, {bits} {wanted}{scope} {_ORDER} {_ORDER}, align {align}")
    w.line(f"{seen} = extractvalue {{ {bits}, i1 }} {pair}, 0")
    swapped = w.emit(f"extractvalue {{ {bits}, i1 }} {pair}, 1")
    w.line(f"br i1 {swapped}, label %{done}, label %{retry}")
    w.start_block(done)
    return own


EMITTERS: dict[str, Emitter] = {"memref.atomic_rmw": _atomic_rmw}
