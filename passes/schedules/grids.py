"""The values of schedules' parameters that are worth trying: what `stepwell tune` enumerates around the schedule of a kernel.

A grid is data beside the table of parameters: for each parameter its values, the machine's own ones by name. Those of blocks and tiles are
what tuners of matrix products are usually asked to search.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from stepwell.dialects import kernel
from stepwell.ir.machine import MachineDescription
from stepwell.passes.schedules.parameters import STRATEGIES, Parameter, is_for_subgroups, schedule

BLOCKS = (64, 128, 192, 256, 384, 512)
"""Extents of blocks for caches."""

GRIDS: dict[str, tuple[int, ...]] = {
    "mr": (1, 2, 3, 4, 6, 8, 12, 13, 14),
    "nr": (8, 16, 24, 32, 48, 64),
    "k_unroll": (1, 2, 4, 8),
    "k_split": (1, 2, 4, 8, 16),
    "pack_a": (0, 1),
    "pack_b": (0, 1),
    "kc": BLOCKS,
    "block": (1, 2, 4, 8, 16, 32, 64),
    "unroll": (1, 2, 4, 8),
    "prefetch": (0, 512, 1024, 2048, 4096),
    "bypass": (0, 1),
    "lines": (0, 2, 4, 8),
    "run": (64, 128, 256, 512),
    "parallel": (0, 1),
    "chunk": (1, 2, 4),
    "grain": (10_000, 30_000, 100_000),
    "queries": (16, 32, 64),
    "keys": (4, 8, 12),
    "rows": (1, 2, 3, 4, 6, 8, 12),
    "columns": (4, 8, 12),
    "key_block": BLOCKS,
    "bm": (32, 64, 128),
    "bn": (32, 64, 128),
    "bk": (8, 16, 32),
    "lanes_m": (4, 8),
    "lanes_n": (4, 8),
    "stages": (1, 2, 3, 4),
    "tile": (16, 32, 64),
    "vectors": (1, 2, 4),
    "split": (1, 2, 4, 8),
    "subgroups": (1, 2, 4, 8),
    "threads": (64, 128, 256, 512),
}
"""Values by parameter, whatever the strategy."""

TOGETHER = (("mr", "nr"), ("bm", "bn"), ("queries", "keys"))
"""Parameters of one tile: changing one alone seldom helps, so pairs are tried too."""
_TASKS_A_CORE = (1, 2, 4, 8, 16)


def values_of(parameter: Parameter, machine: MachineDescription) -> tuple[int, ...]:
    """What a parameter is worth trying at."""
    if parameter.name == "tasks":
        return tuple(dict.fromkeys((1, *(machine.cores * n for n in _TASKS_A_CORE))))
    if parameter.name == "vector":
        return tuple(size for size in (16, 32, 64) if size <= machine.vector_bytes)
    return tuple(v for v in GRIDS.get(parameter.name, ()) if parameter.least <= v <= parameter.most)


def neighbours(current: kernel.ScheduleAttr, machine: MachineDescription) -> Iterator[tuple[str, kernel.ScheduleAttr]]:
    """Schedules that differ from one in a parameter, or in the two of a tile; each with what is different.

    Whether a kernel can have one is for `apply-schedule` to say. The order is that of the table of parameters, the strategy's own first.
    """
    name = current.strategy.data
    where = "subgroups" if is_for_subgroups(current) else "cores"
    own = {p.name: None for p in STRATEGIES[name].own}
    parameters = sorted(STRATEGIES[name].parameters(where), key=lambda p: p.name not in own)
    grid = {p.name: values_of(p, machine) for p in parameters}
    given = given_by(current)
    for parameter, values in grid.items():
        for value in values:
            if given.get(parameter) != value:
                yield _changed(name, given, {parameter: value})
    for first, second in TOGETHER:
        for one, other in product(grid.get(first, ()), grid.get(second, ())):
            if given.get(first) != one and given.get(second) != other:
                yield _changed(name, given, {first: one, second: other})


def other_strategies(current: kernel.ScheduleAttr) -> Iterator[tuple[str, kernel.ScheduleAttr]]:
    """The schedule's common parameters under every other strategy of the same kind of machine that asks for no more."""
    where = "subgroups" if is_for_subgroups(current) else "cores"
    given = given_by(current)
    for strategy in STRATEGIES.values():
        if strategy.name == current.strategy.data or strategy.where not in ("", where):
            continue
        known = {p.name: p for p in strategy.parameters(where)}
        if any(p.default is None and not p.derived and p.name not in given for p in known.values()):
            continue
        common = {name: value for name, value in given.items() if name in known}
        yield strategy.name, schedule(strategy.name, common, f"tuned: {strategy.name}")


def given_by(current: kernel.ScheduleAttr) -> dict[str, int | str]:
    """What a schedule says, but for its reason."""
    values: dict[str, int | str] = {}
    for name, attribute in current.params.data.items():
        if name == "reason":
            continue
        number = getattr(getattr(attribute, "value", None), "data", None)
        values[name] = number if isinstance(number, int) else str(getattr(attribute, "data", ""))
    return values


def _changed(
    strategy: str, given: Mapping[str, int | str], change: Mapping[str, int]
) -> tuple[str, kernel.ScheduleAttr]:
    text = ", ".join(f"{name} = {value}" for name, value in change.items())
    return text, schedule(strategy, {**given, **change}, f"tuned: {text}")


__all__ = ["BLOCKS", "GRIDS", "TOGETHER", "given_by", "neighbours", "other_strategies", "values_of"]
