"""From LLVM IR text to a position-independent object (x86-64 or AArch64, ELF), or its assembly.

An object may call what its text declares and the C memory functions; anything else is a library call that LLVM made of an
instruction the target lacks, and is refused by name.

LLVM's loop vectorizer works only on modules without a vector of their own, that of straight code only on modules of a whole program
(what one kernel stores in scalars, the next loads as a vector), and its unroller only where a loop asks. Its effort is O1 for
-O0/-O1 and O2 above. Nothing that llvmlite aborts the process on may reach it: the writer refuses by name what has no
instruction.
"""

from __future__ import annotations

import functools
import hashlib
import re
import struct
from collections.abc import Sequence
from pathlib import Path

from llvmlite import binding as llvm

from stepwell.backends.marks import WHOLE_PROGRAM
from stepwell.backends.optimizer import optimize
from stepwell.backends.target import ARM, Target
from stepwell.backends.versions import toolchain
from stepwell.ir.errors import UnsupportedError

_SYMTAB = 2
_C_MEMORY = frozenset({"memcpy", "memmove", "memset", "memcmp", "_GLOBAL_OFFSET_TABLE_"})
_DECLARED = re.compile(r"""^(?:declare[^@]*|)@("[^"]*"|[\w.$]+)(?=\(| = external)""", re.MULTILINE)
_VECTOR = re.compile(r"<\d+ x ")

TRIPLE = "x86_64-unknown-linux-gnu"
_FOREIGN = {ARM: "aarch64-unknown-linux-gnu"}
"""What code of another architecture than this machine's is made for."""

_SELF = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
"""This file decides what LLVM is asked for."""


@functools.cache
def _initialize() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()


@functools.cache
def _initialize_all() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


def triple_of(target: Target) -> str:
    """LLVM's name of the architecture and system that code for a target is for."""
    return _FOREIGN.get(target.arch) or llvm.get_process_triple()


@functools.cache
def target_machine(target: Target, opt_level: int) -> llvm.TargetMachine:
    """The LLVM target machine: PIC, small code model, 512-bit registers preferred where the level has them."""
    _initialize()
    if target.arch in _FOREIGN:
        _initialize_all()
    features = target.features + (",-prefer-256-bit" if target.level == "avx512" else "")
    return llvm.Target.from_triple(triple_of(target)).create_target_machine(
        cpu=target.cpu, features=features, opt=min(opt_level, 2), reloc="pic", codemodel="small"
    )


def recipe(target: Target, opt_level: int) -> str:
    """All that decides an object beside its text: who has kept an object of the same recipe and text need not make it again."""
    return repr((_SELF, toolchain(), triple_of(target), target.level, target.cpu, target.features, opt_level))


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
    module.triple = triple_of(target)
    options = llvm.create_pipeline_tuning_options(speed_level=1 if opt_level < 2 else 2)
    options.loop_vectorization = opt_level >= 2 and _VECTOR.search(text) is None
    options.slp_vectorization = opt_level >= 2 and WHOLE_PROGRAM in text
    options.loop_unrolling = False
    optimize(module, machine, options)
    return module, machine


def compile_llvm(text: str, target: Target, opt_level: int = 2) -> bytes:
    """The object file of an LLVM module.

    Raises:
        UnsupportedError: the code would call a function that no library here provides.
    """
    module, machine = _optimized(text, target, opt_level)
    data = machine.emit_object(module)
    declared = set(_DECLARED.findall(text))
    for name in undefined_symbols(data):
        if name not in _C_MEMORY and name not in declared and f'"{name}"' not in declared:
            raise UnsupportedError(
                f"LLVM turned an op into a call of '{name}', which no library here provides; the target {target.level} has no "
                "instruction for it, so expand it in an earlier pass"
            )
    return data


def undefined_symbols(data: bytes) -> list[str]:
    """The names an ELF object needs from elsewhere, in symbol-table order."""
    (section_table,) = struct.unpack_from("<Q", data, 40)
    entry_size, count, _ = struct.unpack_from("<HHH", data, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, section_table + i * entry_size) for i in range(count)]
    names: list[str] = []
    for section in sections:
        if section[1] != _SYMTAB:
            continue
        strings = sections[section[6]][4]
        for at in range(section[4] + 24, section[4] + section[5], 24):
            name, _, _, index = struct.unpack_from("<IBBH", data, at)
            if index == 0 and name:
                end = data.index(b"\0", strings + name)
                names.append(data[strings + name : end].decode())
    return names


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


__all__ = ["UnsupportedError", "compile_llvm", "emit_asm", "recipe", "target_machine"]
