"""Step 6 to LLVM IR text: one walk, no `llvm` dialect in between.

Input: a module of `func.func`, `kernel.func`, `memref.global` as step 6 has them. Output: one LLVM module for the host and
one per kernel, in a fixed order.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import func, memref
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation

from stepwell.backends.llvm.module import Program, entry_symbol, is_entry, unsupported, write_host, write_kernel
from stepwell.backends.llvm.strategy import Strategy
from stepwell.backends.target import Target


@dataclass(frozen=True)
class LlvmText:
    """One LLVM module: its name ("host" or the kernel's symbol) and its text."""

    name: str
    text: str


def cpu_strategy(target: Target) -> Strategy:
    """How the writer treats a CPU of the target's level."""
    modern = target.level in ("avx2", "avx512")
    wide = '"prefer-vector-width"="512"' if target.level == "avx512" else ""
    return Strategy(fma=modern, half=modern, attributes=wide)


def write_llvm(module: ModuleOp, target: Target) -> list[LlvmText]:
    """Write a step-6 module as LLVM IR; the host comes first, kernels follow in order.

    Raises:
        UnsupportedError: an op or a type has no rule; names it and where it came from.
    """
    program = Program(cpu_strategy(target))
    functions: list[func.FuncOp] = []
    globals_: list[memref.GlobalOp] = []
    kernels: list[tuple[str, Operation]] = []
    for op in module.body.block.ops:
        name = op.properties.get("sym_name")
        if isinstance(name, StringAttr):
            program.symbols[name.data] = op
        if isinstance(op, func.FuncOp):
            functions.append(op)
            program.has_entry = program.has_entry or is_entry(op)
        elif isinstance(op, memref.GlobalOp):
            globals_.append(op)
        elif op.name == "kernel.func" and isinstance(name, StringAttr):
            kernels.append((name.data, op))
        else:
            raise unsupported(op, "the LLVM writer takes func.func, kernel.func and memref.global at the top")
    texts = [LlvmText("host", write_host(program, functions, globals_))]
    for name, op in kernels:
        texts.append(LlvmText(name, write_kernel(program, op)))
    return texts


__all__ = ["LlvmText", "entry_symbol", "write_llvm"]
