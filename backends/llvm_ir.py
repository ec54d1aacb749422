"""Step 6 to LLVM IR text: one walk, no `llvm` dialect in between.

Input: a module of `func.func`, `kernel.func`, `memref.global` as step 6 has them. Output: one LLVM module for the host and
one per kernel, in a fixed order; of a small program whose latency counts one for all, so that launches cost nothing
(docs/latency.md says what that gives).
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import func, memref
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation

from stepwell.backends.llvm.module import (
    Program,
    entry_symbol,
    is_entry,
    unsupported,
    write_host,
    write_joined,
    write_kernel,
)
from stepwell.backends.llvm.strategy import Strategy, WordDot
from stepwell.backends.target import ARM, Target
from stepwell.dialects.stepwell import LATENCY_TARGET

MOST_JOINED = 4000
"""Ops of kernels up to which they are one LLVM module with their host: larger ones are compiled side by side, and kept one by one."""


@dataclass(frozen=True)
class LlvmText:
    """One LLVM module: its name ("host" or the kernel's symbol) and its text."""

    name: str
    text: str


_SCALES = {
    name: tuple((bits // size, f"llvm.x86.avx512.mask.scalef.{suffix}.{bits}") for bits in (128, 256, 512))
    for name, size, suffix in (("float", 32, "ps"), ("double", 64, "pd"))
}
_ESTIMATES = {
    (op, name): tuple((bits // size, f"llvm.x86.avx512.{instruction}.{suffix}.{bits}") for bits in (128, 256, 512))
    for op, instruction in (("math.rsqrt_estimate", "rsqrt14"), ("math.reciprocal_estimate", "rcp14"))
    for name, size, suffix in (("float", 32, "ps"), ("double", 64, "pd"))
}


def cpu_strategy(target: Target) -> Strategy:
    """How the writer treats a CPU of the target's level."""
    if target.arch == ARM:
        hint = ("llvm.aarch64.hint", (("i32", "1"),))
        return Strategy(pause=hint, word_dots=_neon_dots(target), line_bytes=target.line_bytes)
    modern = target.level in ("avx2", "avx512")
    wide = '"prefer-vector-width"="512"' if target.level == "avx512" else ""
    dots = _word_dots(target)
    scales, estimates = (_SCALES, _ESTIMATES) if target.level == "avx512" else ({}, {})
    return Strategy(
        fma=modern,
        half=modern,
        word_dots=dots,
        scales=scales,
        estimates=estimates,
        line_bytes=target.line_bytes,
        attributes=wide,
    )


def _neon_dots(target: Target) -> dict[tuple[str, str], WordDot]:
    """The instruction that multiplies bytes without a sign with such that have one, where a feature says so."""
    if "+i8mm" not in target.features.split(","):
        return {}
    name = ((4, "llvm.aarch64.neon.usdot.v4i32.v16i8"),)
    return {
        ("ui8", "si8"): WordDot(name, accumulates=True),
        ("si8", "ui8"): WordDot(name, swapped=True, accumulates=True),
    }


_PAIRS = {"sse4.2": (4, "sse2.pmadd.wd"), "avx2": (8, "avx2.pmadd.wd"), "avx512": (16, "avx512.pmaddw.d.512")}
"""Products of two halves, added: lanes and LLVM's name of the instruction that each level adds."""


def _word_dots(target: Target) -> dict[tuple[str, str], WordDot]:
    """The instructions that multiply what words hold: halves on every level with vectors, bytes where a feature says so."""
    if target.level not in _PAIRS:
        return {}
    levels = list(_PAIRS)[: list(_PAIRS).index(target.level) + 1]
    found = {
        ("si16", "si16"): WordDot(
            tuple((lanes, f"llvm.x86.{name}") for lanes, name in (_PAIRS[level] for level in levels))
        )
    }
    features = target.features.split(",")
    bits = [128, 256] if "+avxvnni" in features else []
    if target.level == "avx512" and "+avx512vnni" in features:
        bits = [128, 256, 512]
    if bits:
        # The first of its operands has no sign.
        names = tuple((n // 32, f"llvm.x86.avx512.vpdpbusd.{n}") for n in bits)
        found["ui8", "si8"] = WordDot(names, accumulates=True)
        found["si8", "ui8"] = WordDot(names, swapped=True, accumulates=True)
    return found


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
    critical = any(is_entry(f) and LATENCY_TARGET in f.attributes for f in functions)
    if critical and kernels and sum(1 for _, op in kernels for _ in op.walk()) <= MOST_JOINED:
        return [LlvmText("host", write_joined(program, functions, globals_, [op for _, op in kernels]))]
    texts = [LlvmText("host", write_host(program, functions, globals_))]
    for name, op in kernels:
        texts.append(LlvmText(name, write_kernel(program, op)))
    return texts


__all__ = ["LlvmText", "entry_symbol", "write_llvm"]
