"""The strategies and their parameters as data: what `#kernel.schedule` may say, what it means, what holds when it does not.

`choose-schedules` writes schedules out of this table, `apply-schedule` checks those written by hand against it, and
docs/schedules.md is made from it. A machine whose vectors are held by subgroups of lanes has parameters that cores, with
vectors of their own, have not, and the other way round; `subgroup` in a schedule says which of the two it is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from xdsl.dialects.builtin import IntegerAttr, StringAttr, i64
from xdsl.ir import Attribute

from stepwell.dialects import kernel
from stepwell.ir.diagnostics import InvalidProgramDiagnosticError, close_name, invalid

Kind = Literal["number", "word", "flag"]
Where = Literal["", "cores", "subgroups"]

GRAIN = 30_000
"""Nanoseconds of estimated work worth a task."""
MOST_SUMS, MOST_STEPS = 1024, 4096
"""Vectors of a register tile, and products of one step of the loop around it, at most: far more than there are registers for, and
as many as compile in seconds."""


@dataclass(frozen=True)
class Parameter:
    """One entry of a schedule."""

    name: str
    meaning: str
    default: int | str | None = None
    """What holds when the schedule does not say it; None: see `derived`."""
    derived: str = ""
    """What decides then, where it is no fixed value; a parameter with neither has to be said."""
    kind: Kind = "number"
    least: int = 0
    most: int = 1 << 40
    power_of_two: bool = False
    """Zero, where it may be that, aside."""
    zero: bool = False
    """Whether it may be 0 though `least` is more: there is none of it."""
    words: tuple[str, ...] = ()
    """The words there are; none: any."""
    where: Where = ""
    """On which of the two kinds of machines it means something; both when empty."""

    def values(self) -> str:
        """What it may be, for the manual."""
        if self.kind == "flag":
            return "0 or 1"
        if self.kind == "word":
            return ", ".join(f"`{w}`" for w in self.words) or "text"
        powers = ("0 or " if self.zero else "") + ("powers of two, " if self.power_of_two else "")
        return f"{powers}{self.least} to {self.most}" if self.most < 1 << 40 else f"{powers}{self.least} or more"


@dataclass(frozen=True)
class Strategy:
    """A way to carry out a kernel."""

    name: str
    meaning: str
    own: tuple[Parameter, ...] = ()
    """Parameters beside those of every strategy."""
    where: Where = ""
    """The kind of machines it is for; both when empty."""

    def parameters(self, where: Where) -> tuple[Parameter, ...]:
        """Everything a schedule of it may say on one kind of machine."""
        by_name = {p.name: p for p in (*COMMON, *self.own) if p.where in ("", where)}
        return tuple(by_name.values())


COMMON = (
    Parameter("vector", "bytes of a vector: of a core's register, or of a few; 0: scalar code", 0, least=16, most=256,
              power_of_two=True, zero=True, where="cores"),
    Parameter("vector", "bytes of a vector: of all lanes of a subgroup; 0: scalar code", 0, most=1 << 16, power_of_two=True,
              where="subgroups"),
    Parameter("unroll", "vectors at once", 1, least=1, most=256),
    Parameter("tasks", "tasks of a phase: at most so many, or as many as fill the machine", 1, least=1),
    Parameter("grain", "nanoseconds of estimated work that a task has at least", GRAIN, least=1, where="cores"),
    Parameter("prefetch", "bytes ahead of what loops write that its cache lines are fetched; tiles of contractions fetch their own "
              "and what they read next, whatever the number; 0: none", 0, most=1 << 20, where="cores"),
    Parameter("parallel", "whether tasks go to several workers", 1, kind="flag", where="cores"),
    Parameter("chunk", "tasks that a worker takes at once", 1, least=1, where="cores"),
    Parameter("subgroup", "lanes that hold a vector between them", where="subgroups", least=2, most=128, power_of_two=True),
    Parameter("subgroups", "subgroups of a block", 4, least=1, most=128, where="subgroups"),
    Parameter("threads", "threads of a block, in phases that do a point a thread", 128, least=1, most=1 << 16,
              where="subgroups"),
    Parameter("reason", "why it was chosen; changes nothing", "", kind="word"),
)  # fmt: skip
"""What every strategy has."""

_LOOPS = (
    Parameter("vectors", "vectors of a subgroup's task, where there is work for all", 1, least=1, where="subgroups"),
    Parameter("split", "parts that a reduction is cut into, merged by a second phase", 1, least=1, where="subgroups"),
)

_STREAMS = (
    Parameter("fetch", "bytes ahead of what loops read once that its cache lines are fetched, and whether rows are before "
              "they are gathered from; 0: none", 0, most=1 << 20, where="cores"),
    Parameter("lines", "lines of an array that are reduced at once into a line of results in a cache; 0: line after line down a "
              "strip of columns, whose results are in registers", 0, most=64, where="cores"),
    Parameter("stage", "bytes of a row that are copied to scratch first, where rows are read along another dim than they "
              "are written along; 0: none", 0, most=1 << 16, where="cores"),
    Parameter("run", "bytes of a result's row that are written at once out of such copies", 128, least=1, most=1 << 12,
              where="cores"),
    Parameter("bypass", "whether whole cache lines of results go past the caches, where nobody is to read them soon", 0,
              kind="flag", where="cores"),
)  # fmt: skip

_SHARED = Parameter("shared", "bytes of scratch that a block has for rows; what does not fit goes to memory", 0,
                    where="subgroups")  # fmt: skip

_TILE = (
    Parameter("subgroups", "subgroups of a block, as many as parts of its tile", derived="the tile", least=1, most=128,
              where="subgroups"),
    Parameter("form", "who multiplies: a matrix unit, lanes with sums in registers, lanes along rows", kind="word",
              words=("matrix", "register", "shared")),
    Parameter("bm", "rows of the result that a block makes", least=1, most=1 << 16),
    Parameter("bn", "columns of the result that a block makes", least=1, most=1 << 16),
    Parameter("bk", "terms of the sums that a block brings to scratch at once", least=1, most=1 << 16),
    Parameter("wm", "rows that a subgroup of it makes", least=1, most=1 << 16),
    Parameter("wn", "columns that a subgroup of it makes", least=1, most=1 << 16),
    Parameter("lanes_m", "lanes along the rows", least=1, most=128),
    Parameter("lanes_n", "lanes along the columns", least=1, most=128),
    Parameter("stages", "steps whose operands are in scratch, so that copies overlap products", 1, least=1, most=64),
    Parameter("swizzle", "16-byte chunks of a scratch row that are permuted, against bank conflicts; 0: none", 0,
              most=64, power_of_two=True),
    Parameter("pad", "elements that a scratch row of A stored by columns is longer, against bank conflicts", 0, most=256),
    Parameter("k_unroll", "steps along the sums at once", 4, least=1, most=256),
    Parameter("k_split", "parts that the sums are cut into, added up by a second phase", 1, least=1),
    Parameter("pack_a", "copy A to rows that start at multiples of 16 bytes first", 0, kind="flag"),
    Parameter("pack_b", "copy B to rows that start at multiples of 16 bytes first", 0, kind="flag"),
)  # fmt: skip

_REGISTER_TILES = (
    Parameter("mr", "rows of a register tile", derived="the machine", least=1, most=64),
    Parameter("nr", "columns of a register tile", derived="the machine", least=1, most=1 << 12),
    Parameter("k_unroll", "terms of the sums at once, where they divide", derived="the shape", least=1, most=256),
    Parameter("pack_a", "copy A into rows first; so it is in any case where it cannot be read in place",
              derived="the layout", kind="flag"),
    Parameter("pack_b", "copy B into panels first; so it is in any case where it cannot be read in place",
              derived="the layout", kind="flag"),
    Parameter("kc", "terms of the sums done in one pass over the result, in whole steps", derived="the L1 cache", least=1),
    Parameter("block", "panels of B worked on together", derived="the L2 cache", least=1),
    Parameter("word", "terms of the sums taken at once: 4 bytes or 2 halves of a word, where factors are so narrow",
              derived="the machine", least=1, most=4, power_of_two=True),
    Parameter("k_split", "parts that the sums are cut into, a task's each, added up by a second phase", 1, least=1),
)  # fmt: skip

_BORDER = Parameter("border", "bytes of an image that tasks copy at once into a border of zeros, say; 0: it is stored so as a whole",
                    0, where="cores")  # fmt: skip

STRATEGIES: dict[str, Strategy] = {
    s.name: s
    for s in (
        Strategy("loops", "each op, or run of pointwise ops over one space, is a phase of vectorized loops",
                 (*_LOOPS, *_STREAMS)),
        Strategy(
            "rows",
            "ops that share leading dims run row by row; a subgroup does a row, or a thread one of a few points",
            (
                Parameter("kept", "registers of a lane for a row that passes hand on", 0, most=256, where="subgroups"),
                Parameter("across", "whether lanes are rows, for short ones next to each other, turned in registers", 0,
                          kind="flag", where="cores"),
                _SHARED,
            ),
        ),
        Strategy("contraction", "sums of products in register tiles, with the maps of their result",
                 (*_REGISTER_TILES, _BORDER), where="cores"),
        Strategy(
            "dots",
            "sums of products along lines of both factors, whose terms are lanes; the rest as `loops`",
            (
                Parameter("rows", "lines of A multiplied at once", derived="the machine", least=1, most=64),
                Parameter("columns", "lines of B read at once", derived="the machine", least=1, most=64),
            ),
            where="cores",
        ),
        Strategy(
            "window",
            "sums of products over a window whose factors are not shared by rows and columns, such as depthwise convolutions",
            (
                Parameter("points", "neighbours done together, that read the same numbers", derived="the machine", least=1,
                          most=64),
                Parameter("columns", "points of the last dim that are a vector", derived="the machine", least=1,
                          most=1 << 12),
                _BORDER,
            ),
            where="cores",
        ),
        Strategy(
            "attention",
            "softmax of scores online, over tiles `keys x queries`, and the sums they weight over tiles `columns x queries`",
            (
                Parameter("queries", "queries done together: lanes of a tile", derived="the machine", least=1, most=1 << 12),
                Parameter("keys", "keys of a tile of scores", derived="the machine", least=1, most=64),
                Parameter("columns", "columns of a tile of results", derived="the machine", least=1, most=1 << 10),
                Parameter("key_block", "keys between two corrections of the results, in whole tiles",
                          derived="the L1 cache", least=1),
                Parameter("pack", "tasks copy their keys and values first, dense and in the type of scores",
                          derived="the layout", kind="flag"),
                Parameter("few", "queries are rows of tiles, whose lanes are depths, keys and columns; tasks are runs of keys",
                          0, kind="flag"),
            ),
            where="cores",
        ),
        Strategy(
            "attention-gradient",
            "gradients of attention: scores of a few queries made again in scratch, tiles `keys x queries`, and sums over queries"
            " in tiles `keys x columns`, over keys in tiles `depths x queries`",
            (
                Parameter("queries", "queries done together: lanes of a tile", derived="the machine", least=1, most=1 << 12),
                Parameter("keys", "keys of a tile", derived="the machine", least=1, most=64),
                Parameter("columns", "depths of a tile of gradients of queries", derived="the machine", least=1, most=1 << 10),
                Parameter("key_block", "keys whose weights are used right after they are made, in whole tiles",
                          derived="the L1 cache", least=1),
                Parameter("pack", "tasks copy their keys and values first, dense and in the type of scores",
                          derived="the layout", kind="flag"),
                Parameter("parts", "runs of queries whose gradients of keys and values are made apart, and then added up", 1,
                          least=1, most=1 << 12),
            ),
            where="cores",
        ),
        Strategy("block-rows", "rows as above, but a block does a row and each of its subgroups a segment", (_SHARED,),
                 where="subgroups"),
        Strategy(
            "block-transpose",
            "`loops`, but points read along another dim than they are written along go through tiles in scratch",
            (
                *_LOOPS,
                Parameter("tile", "points along each side of a tile", least=1, most=1 << 10),
                Parameter("pad", "elements that a line of a tile is longer, against bank conflicts", 1, most=256),
            ),
            where="subgroups",
        ),
        Strategy("block-contraction", "sums of products by blocks, with the maps of their result; the rest as `loops`",
                 (*_LOOPS, *_TILE), where="subgroups"),
    )
}  # fmt: skip
"""Every strategy, by name."""


class WrongScheduleError(Exception):
    """What is wrong with a schedule, and what would help."""

    def __init__(self, problem: str, hint: str | None = None):
        super().__init__(problem)
        self.hint = hint


def wrong(func: kernel.FuncOp, strategy: str, problem: str, hint: str | None = None) -> InvalidProgramDiagnosticError:
    """The error to raise for a kernel whose schedule cannot be carried out as written."""
    article = "an" if strategy.startswith("a") else "a"
    return invalid(func, f"has {article} {strategy} schedule that is wrong: {problem}", hint)


def is_for_subgroups(schedule: kernel.ScheduleAttr) -> bool:
    """Whether a schedule is for a machine whose vectors are held by subgroups of lanes."""
    return "subgroup" in schedule.params.data


def checked(func: kernel.FuncOp, schedule: kernel.ScheduleAttr) -> dict[str, int | str]:
    """The value of every parameter of a schedule, given or by default; those that something else decides are left out.

    Raises:
        InvalidProgramError: no such strategy or parameter, a value of the wrong kind or out of range, one that is missing.
    """
    name = schedule.strategy.data
    strategy = STRATEGIES.get(name)
    if strategy is None:
        hint = close_name(name, STRATEGIES) or f"there are {', '.join(STRATEGIES)}"
        raise invalid(func, f"has a schedule of a strategy that does not exist: '{name}'", hint)
    where: Where = "subgroups" if is_for_subgroups(schedule) else "cores"
    try:
        _check_machine(strategy, where)
        return _values(strategy, where, schedule.params.data)
    except WrongScheduleError as error:
        raise wrong(func, name, str(error), error.hint) from None


def problem_of(schedule: kernel.ScheduleAttr) -> str | None:
    """What is wrong with a schedule that no kernel has yet, with what would help; None when nothing is."""
    name = schedule.strategy.data
    strategy = STRATEGIES.get(name)
    if strategy is None:
        return f"there is no strategy '{name}'\nhint: {close_name(name, STRATEGIES) or 'there are ' + ', '.join(STRATEGIES)}"
    where: Where = "subgroups" if is_for_subgroups(schedule) else "cores"
    try:
        _check_machine(strategy, where)
        _values(strategy, where, schedule.params.data)
    except WrongScheduleError as error:
        return f"{error}\nhint: {error.hint}" if error.hint else str(error)
    return None


def _check_machine(strategy: Strategy, where: Where) -> None:
    if strategy.where == "subgroups" and where == "cores":
        raise WrongScheduleError(
            "it does not say 'subgroup'", "only subgroups of lanes do it: say subgroup = 32 : i64, or use 'loops'"
        )
    if strategy.where == "cores" and where == "subgroups":
        raise WrongScheduleError(
            "subgroups of lanes have no such strategy", f"use 'block-{strategy.name}', or leave 'subgroup' away"
        )


def _values(strategy: Strategy, where: Where, given: Mapping[str, Attribute]) -> dict[str, int | str]:
    known = {p.name: p for p in strategy.parameters(where)}
    for name in given:
        if name not in known:
            raise WrongScheduleError(f"it has no parameter '{name}'", _where_known(name, known))
    values = {name: _value(known[name], attribute) for name, attribute in given.items()}
    missing = [p.name for p in known.values() if p.default is None and not p.derived and p.name not in values]
    if missing:
        meanings = "; ".join(f"{name}: {known[name].meaning}" for name in missing[:2])
        raise WrongScheduleError(f"it does not say {', '.join(missing)}", meanings)
    _check_lanes(values)
    return {p.name: p.default for p in known.values() if p.default is not None} | values


def _check_lanes(values: Mapping[str, int | str]) -> None:
    """A vector is shared out among the lanes of a subgroup, each the same bytes."""
    numbers = numbers_of(values)
    vector, lanes = numbers.get("vector", 0), numbers.get("subgroup", 1)
    if vector % lanes:
        raise WrongScheduleError(
            f"vector = {vector} must be a multiple of subgroup = {lanes}", f"{4 * lanes} is 4 bytes for each lane"
        )


def _where_known(name: str, known: Mapping[str, Parameter]) -> str:
    """What to do about a parameter that a strategy has not: a similar one, or where it belongs."""
    near = close_name(name, known)
    if near is not None:
        return near
    if any(p.name == name for p in COMMON):
        kind = next(p.where for p in COMMON if p.name == name)
        return f"it is for {'subgroups of lanes' if kind == 'subgroups' else 'cores with vectors of their own'} only"
    others = [s.name for s in STRATEGIES.values() if any(p.name == name for p in s.own)]
    return f"it is one of {', '.join(others)}" if others else f"there are {', '.join(known)}"


def _value(parameter: Parameter, attribute: Attribute) -> int | str:
    """The value of one parameter."""
    name, kind = parameter.name, parameter.kind
    if kind == "word":
        if not isinstance(attribute, StringAttr):
            raise WrongScheduleError(f"{name} = {attribute} is no text", f"{name}: {parameter.meaning}; in quotes")
        if parameter.words and attribute.data not in parameter.words:
            near = close_name(attribute.data, parameter.words) or f"there are {', '.join(parameter.words)}"
            raise WrongScheduleError(f"there is no {name} '{attribute.data}'", near)
        return attribute.data
    if not isinstance(attribute, IntegerAttr):
        raise WrongScheduleError(f"{name} = {attribute} is no number", f"{name}: {parameter.meaning}")
    value = attribute.value.data
    if kind == "flag":
        if value not in (0, 1, -1):
            raise WrongScheduleError(f"{name} = {value} must be 0 or 1", f"{name}: {parameter.meaning}")
        return abs(value)
    problem = _out_of_range(parameter, value)
    if problem is not None:
        raise WrongScheduleError(f"{name} = {value} must be {problem}", f"{name}: {parameter.meaning}")
    return value


def _out_of_range(parameter: Parameter, value: int) -> str | None:
    if value == 0 and parameter.zero:
        return None
    if value < parameter.least:
        return f"{'0 or ' if parameter.zero else ''}at least {parameter.least}"
    if value > parameter.most:
        return f"at most {parameter.most}"
    if parameter.power_of_two and value & (value - 1):
        return "a power of two"
    return None


def too_many_sums(rows: int, columns: int, lanes: int, times: int = 1) -> str | None:
    """Why a register tile cannot be so large, if it cannot: it is written out, so that its code grows with it.

    Args:
        rows: rows of the tile.
        columns: columns of it, which are lanes of vectors.
        lanes: lanes of a vector.
        times: how often a step of the loop around it does all of it.
    """
    vectors = rows * -(-columns // max(1, lanes))
    if vectors <= MOST_SUMS and vectors * times <= MOST_STEPS:
        return None
    what = f"{vectors} vectors" if vectors > MOST_SUMS else f"{vectors} vectors {times} times over"
    most = f"{MOST_SUMS} are the most" if vectors > MOST_SUMS else f"{MOST_STEPS} products are the most"
    return f"a tile of {rows} x {columns} is {what}, and {most} that are written out"


def numbers_of(values: Mapping[str, int | str]) -> dict[str, int]:
    """The parameters that are numbers."""
    return {name: value for name, value in values.items() if isinstance(value, int)}


def schedule(strategy: str, parameters: Mapping[str, int | str], reason: str) -> kernel.ScheduleAttr:
    """A schedule attribute of plain numbers and words."""
    known = [p.name for p in STRATEGIES[strategy].parameters("subgroups" if "subgroup" in parameters else "cores")]
    entries: dict[str, Attribute] = {}
    for name, value in parameters.items():
        assert name in known, f"'{strategy}' has no parameter '{name}'"
        entries[name] = StringAttr(value) if isinstance(value, str) else IntegerAttr(value, i64)
    return kernel.ScheduleAttr(strategy, {**entries, "reason": StringAttr(reason)})


__all__ = [
    "COMMON",
    "GRAIN",
    "MOST_STEPS",
    "MOST_SUMS",
    "STRATEGIES",
    "Parameter",
    "Strategy",
    "Where",
    "checked",
    "is_for_subgroups",
    "numbers_of",
    "problem_of",
    "schedule",
    "too_many_sums",
    "wrong",
]
