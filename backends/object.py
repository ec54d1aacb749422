"""From LLVM IR text to a position-independent x86-64 object, or its assembly.

Explicitly vectorized code needs no vectorizer: LLVM's own are off, and its effort is O1 for -O0/-O1 and O2 above. Nothing that
llvmlite aborts the process on may reach it: the writer refuses by name what has no instruction.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from llvmlite import binding as llvm

from stepwell.backends.target import Target
from stepwell.ir.errors import UnsupportedError

TRIPLE = "x86_64-unknown-linux-gnu"


@functools.cache
def _initialize() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()


@functools.cache
def target_machine(target: Target, opt_level: int) -> llvm.TargetMachine:
    """The LLVM target machine: PIC, small code model, 512-bit registers preferred where the level has them."""
    _initialize()
    features = target.features + (",-prefer-256-bit" if target.level == "avx512" else "")
    return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=target.cpu, features=features, opt=min(opt_level, 2), reloc="pic", codemodel="small"
    )


def _parsed(text: str) -> llvm.ModuleRef:
    try:
        module = llvm.parse_assembly(text)
        module.verify()
    except RuntimeError as error:
        raise AssertionError(f"the LLVM IR written is malformed: {error}") from error
    return module


def _optimized(text: str, target: Target, opt_level: int) -> tuple[llvm.ModuleRef, llvm.TargetMachine]:
    machine = target_machine(target, opt_level)
    module = _parsed(text)
    module.triple = llvm.get_process_triple()
    options = llvm.create_pipeline_tuning_options(speed_level=1 if opt_level < 2 else 2)
    options.loop_vectorization = False
    options.slp_vectorization = False
    options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module, machine


def compile_llvm(text: str, target: Target, opt_level: int = 2) -> bytes:
    """The object file of an LLVM module.

    Raises:
        UnsupportedError: the code would call a function that no library here provides.
    """
    module, machine = _optimized(text, target, opt_level)
    return machine.emit_object(module)


def compile_linked(texts: Sequence[str], target: Target, opt_level: int = 2) -> bytes:
    """One object of several LLVM modules."""
    target_machine(target, opt_level)
    first, *others = (_parsed(text) for text in texts)
    for other in others:
        first.link_in(other)
    return compile_llvm(str(first), target, opt_level)


def emit_asm(text: str, target: Target, opt_level: int = 2) -> str:
    """The assembly text of an LLVM module."""
    module, machine = _optimized(text, target, opt_level)
    return machine.emit_assembly(module)


__all__ = ["UnsupportedError", "compile_llvm", "emit_asm", "target_machine"]
