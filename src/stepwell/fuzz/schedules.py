"""Random schedules for the kernels of a random program: each must be refused with a reason, or change nothing but the time.

Values are drawn from the tuner's grids, from all a parameter may be and from its ends; strategies, now and then, from all there are.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

import stepwell
from stepwell.fuzz.generator import Generator
from stepwell.fuzz.outcome import Outcome, headline, place, unlocated
from stepwell.fuzz.values import MAX_LARGE, Program, mismatch
from stepwell.ir.errors import CompileError, InternalError

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from stepwell.dialects.kernel import ScheduleAttr
    from stepwell.ir.machine import MachineDescription
    from stepwell.passes.schedules.parameters import Parameter

MAKERS: tuple[tuple[int, Callable[[Generator], object]], ...] = (
    (6, Generator.dot_general),
    (4, Generator.layer),
    (3, Generator.convolution),
    (3, Generator.attention),
    (3, Generator.softmax),
    (3, Generator.normalized_rows),
    (4, Generator.reduce),
    (2, Generator.argmax),
    (2, Generator.reduce_window),
    (2, Generator.cumulative),
    (3, Generator.transpose),
    (2, Generator.gather),
    (1, Generator.concatenate),
    (1, Generator.pad),
    (2, Generator.convert),
    (2, Generator.transcendental),
    (2, Generator.binary),
)
"""Weight and maker of what strategies are for."""
_LARGEST = 1 << 12
"""No larger values but a parameter's own end: a schedule may ask for code of any length."""
_TRIES = 6


def scheduled_program(seed: int) -> Program:
    """The program of a seed: a few large ops, and all that is made of them."""
    rng = random.Random(seed)
    made = Generator(rng, np.random.default_rng(seed), limit=MAX_LARGE)
    weights, makers = [w for w, _ in MAKERS], [m for _, m in MAKERS]
    for _ in range(rng.randint(1, 4)):
        for _ in range(10):
            before = len(made.lines)
            rng.choices(makers, weights)[0](made)
            if len(made.lines) > before:
                break
    if not made.scope:
        made.argument((), "f32")
    inner = [v for v in made.scope if not v.name.startswith("%a")] or made.scope
    results = list(dict.fromkeys([*rng.sample(inner, min(len(inner), 2)), inner[-1]]))
    header = ", ".join(f"{a.name}: {a.type}" for a in made.arguments)
    return Program(header, made.lines, made.inputs, results, inner)


def check_schedules(seed: int, opt_levels: Sequence[int], sets: Sequence[str]) -> Outcome:
    """The program of a seed, its kernels scheduled at random, at a level and on an instruction set that change with the seed."""
    program = scheduled_program(seed)
    text = program.text()
    simd, opt_level = sets[seed % len(sets)], opt_levels[seed % len(opt_levels)]
    rng = random.Random(f"schedules of {seed}")
    asked: dict[str, str] = {}

    def failed(kind: str, detail: str) -> Outcome:
        how = f"-O{opt_level} {simd}"
        return Outcome(seed, kind, f"{how}: {detail}", text, program.inputs, asked)

    try:
        module = stepwell.parse(text)
        want = stepwell.compile(module, target="interpreter")(*program.inputs)
        asked, names = _drawn(rng, module, simd, opt_level)
    except Exception as error:
        return failed("error", f"{place(error)}: {headline(error)}")
    refused = ""
    for _ in range(_TRIES):
        try:
            exe = stepwell.compile(module, opt_level=opt_level, simd=simd, cache=False, schedules=asked)
            got = exe(*program.inputs)
        except InternalError as error:
            return failed("error", headline(error))
        except CompileError as error:
            if unlocated(error):
                return failed("error", f"a diagnostic without a place: {headline(error)}")
            refused = refused or headline(error)
            asked = _without(asked, names, str(error))
            continue
        except Exception as error:
            return failed("error", f"{place(error)}: {headline(error)}")
        misses = [mismatch(g, w, v) for g, w, v in zip(got, want, program.results, strict=True)]
        if any(misses):
            miss = next(filter(None, misses))
            return failed("wrong", str(miss))
        return Outcome(seed, "ok") if asked or not refused else Outcome(seed, "refused", refused)
    return Outcome(seed, "refused", refused)


def _drawn(rng: random.Random, module: ModuleOp, simd: str, opt_level: int) -> tuple[dict[str, str], dict[str, str]]:
    """Schedules by hash of the kernel, and the kernels' names by hash."""
    from stepwell.backends.target import host_target
    from stepwell.explanation.explain import to_kernels
    from stepwell.explanation.reading import kernels_of
    from stepwell.ir.machine import machine_of
    from stepwell.passes.schedules.records import kernel_hash

    lowered = module.clone()
    to_kernels(lowered, "main", host_target(simd), opt_level, [])
    asked: dict[str, str] = {}
    names: dict[str, str] = {}
    for op in kernels_of(lowered):
        if op.schedule is not None and rng.random() < 0.9:
            key = kernel_hash(op)
            names[key] = op.sym_name.data
            asked[key] = _changed(rng, op.schedule, machine_of(op))
    return asked, names


def _changed(rng: random.Random, current: ScheduleAttr, machine: MachineDescription) -> str:
    """A schedule with some parameters drawn anew."""
    from stepwell.passes.schedules.grids import given_by, other_strategies, values_of
    from stepwell.passes.schedules.parameters import STRATEGIES, schedule

    if rng.random() < 0.1:
        current = rng.choice([s for _, s in other_strategies(current)] or [current])
    strategy = STRATEGIES[current.strategy.data]
    given = given_by(current)
    parameters = [p for p in strategy.parameters("cores") if p.kind != "word"]
    own = [p for p in strategy.own if p in parameters]
    chosen = rng.sample(parameters, min(len(parameters), rng.choice((0, 1, 1, 2, 3, 5))))
    for parameter in (*rng.sample(own, rng.randint(0, len(own))), *chosen):
        given[parameter.name] = rng.choice(list(_values(rng, parameter, values_of(parameter, machine))))
    return str(schedule(current.strategy.data, given, ""))


def _values(rng: random.Random, parameter: Parameter, grid: tuple[int, ...]) -> Iterator[int]:
    """One of the grid, one near its lower end, one of all it may be, one at an end."""
    least, most = parameter.least, parameter.most
    if parameter.kind == "flag":
        least, most = 0, 1
    yield from grid
    power = parameter.power_of_two
    for high in (min(most, least + 20), min(most, _LARGEST)):
        value = rng.randint(least, high)
        yield 1 << value.bit_length() - 1 if power and value else value
    yield rng.choice((least, min(most, 1 << 40)) if parameter.name not in ("unroll", "k_unroll") else (least, 64))


def _without(asked: dict[str, str], names: dict[str, str], message: str) -> dict[str, str]:
    """The schedules but for those of the kernels that a diagnostic names; none when it names none of them."""
    said = dict.fromkeys(re.findall(r"\bk_\w+", message))
    left = {key: text for key, text in asked.items() if names[key] not in said and key not in message}
    return left if len(left) < len(asked) else {}


__all__ = ["check_schedules", "scheduled_program"]
