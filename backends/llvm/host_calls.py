"""`structured.host_call` on buffers: its text and the addresses of its operands are handed to the runtime."""

from __future__ import annotations

from xdsl.ir import Operation

from stepwell.backends.llvm.types import constant_bytes_literal
from stepwell.backends.llvm.writer import Emitter, FunctionWriter, unsupported
from stepwell.dialects.structured_host_call import HostCallOp

SYMBOL = "stepwell_host_call"


def _host_call(w: FunctionWriter, op: Operation) -> None:
    assert isinstance(op, HostCallOp)
    if op.results:
        raise unsupported(op, "a call on tensors (run bufferize)")
    data = op.call().text().encode()
    name = w.module.fresh_symbol("host_call")
    w.module.globals[name] = f"@{name} = private constant [{len(data)} x i8] {constant_bytes_literal(data)}"
    count = max(len(op.operands), 1)
    pointers = w.alloca(f"[{count} x ptr]", 8)
    for i, value in enumerate(op.operands):
        slot = w.emit(f"getelementptr inbounds ptr, ptr {pointers}, i64 {i}")
        w.line(f"store ptr {w.buffer_pointer(w.buffer(value))}, ptr {slot}")
    w.module.declare(SYMBOL, f"declare void @{SYMBOL}(ptr, i64, ptr)")
    w.line(f"call void @{SYMBOL}(ptr @{name}, i64 {len(data)}, ptr {pointers})")


EMITTERS: dict[str, Emitter] = {"structured.host_call": _host_call}
