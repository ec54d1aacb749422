"""What is done with one seed: a program compiled natively and compared with the interpreter, or a mutated text compiled.

See `stepwell.fuzz.outcome` for what may come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import stepwell
from stepwell.errors import CompileError, InternalError, UnsupportedError
from stepwell.fuzz.generator import generate
from stepwell.fuzz.mutation import mutant
from stepwell.fuzz.outcome import Outcome, headline, place, unlocated
from stepwell.fuzz.values import Array, Program, Value, mismatch

OPT_LEVELS = (0, 2)


def levels() -> list[str]:
    """The instruction sets this machine has."""
    from stepwell.backends.target import host_target

    known = ["sse4.2", "avx2", "avx512"]
    host = host_target().level
    return known[: known.index(host) + 1] if host in known else [host]


def _differences(text: str, program: Program, results: Sequence[Value], opt_level: int, simd: str) -> str | None:
    want = stepwell.compile(text, target="interpreter")(*program.inputs)
    got = stepwell.compile(text, opt_level=opt_level, simd=simd, cache=False)(*program.inputs)
    misses = (mismatch(g, w, v) for g, w, v in zip(got, want, results, strict=True))
    return next(filter(None, misses), None)


def check_program(seed: int, opt_levels: Sequence[int] = OPT_LEVELS) -> Outcome:
    """The program of a seed, at optimization levels, on an instruction set that changes with the seed."""
    program = generate(seed)
    text = program.text()
    sets = levels()
    refused = ""
    try:
        module = stepwell.parse(text)
        want = stepwell.compile(module, target="interpreter")(*program.inputs)
    except Exception as error:
        return Outcome(seed, "error", f"interpreter: {place(error)}: {headline(error)}", text, program.inputs)
    for number, opt_level in enumerate(opt_levels):
        simd = sets[(seed + number) % len(sets)]
        how = f"-O{opt_level} {simd}"
        try:
            got = stepwell.compile(module, opt_level=opt_level, simd=simd, cache=False)(*program.inputs)
        except UnsupportedError as error:
            refused = f"{how}: {headline(error)}"
            continue
        except Exception as error:
            return Outcome(seed, "error", f"{how}: {place(error)}: {headline(error)}", text, program.inputs)
        misses = [mismatch(g, w, v) for g, w, v in zip(got, want, program.results, strict=True)]
        if any(misses):
            miss = next(filter(None, misses))
            return Outcome(seed, "wrong", f"{how}: {miss}", *_smaller(program, opt_level, simd))
    return Outcome(seed, "refused", refused, text, program.inputs) if refused else Outcome(seed, "ok")


def _smaller(program: Program, opt_level: int, simd: str) -> tuple[str, list[Array]]:
    """The program with its first wrong value as the only result, and only the ops it needs; as it is when none is wrong alone."""
    for value in program.top:
        text = program.text([value])
        try:
            if _differences(text, program, [value], opt_level, simd):
                return _without_dead_ops(text), program.inputs
        except Exception:
            continue
    return program.text(), program.inputs


def _without_dead_ops(text: str) -> str:
    from stepwell.dialects.registry import context
    from stepwell.ir.printer import print_ir
    from stepwell.passes.dce import DCEPass

    module = stepwell.parse(text)
    DCEPass().apply(context(), module)
    return print_ir(module)


def check_mutant(seed: int, corpus: Sequence[Path]) -> Outcome:
    """A mutated text compiled: it works, or there is a diagnostic."""
    data = mutant(seed, corpus)
    text = data.decode("utf-8", "surrogateescape")
    try:
        stepwell.compile(data, cache=False)
    except InternalError as error:
        return Outcome(seed, "error", f"internal: {headline(error)}", text)
    except CompileError as error:
        if not str(error).strip():
            return Outcome(seed, "error", "a diagnostic without words", text)
        if unlocated(error):
            return Outcome(seed, "error", f"a diagnostic without a place: {headline(error)}", text)
    except Exception as error:
        return Outcome(seed, "error", f"{place(error)}: {headline(error)}", text)
    return Outcome(seed, "ok")


__all__ = ["OPT_LEVELS", "Outcome", "check_mutant", "check_program", "levels"]
