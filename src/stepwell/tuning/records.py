"""Tuning records: JSON lines, one a kernel and machine, that `compile` takes where they fit.

A line says which schedule a kernel is to have on a machine, and what was measured when it was found. Reading them imports no IR.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stepwell.backends.target import Target

FORMAT = "stepwell-record-2"


@dataclass(frozen=True)
class Record:
    """What was found for one kernel.

    Attributes:
        kernel: its structural hash before it is scheduled.
        machine: what it was measured on, see `machine_name`.
        schedule: the best schedule, as text.
        name, kind: of the kernel, for people.
        chosen: the schedule that it has without the record.
        seconds, chosen_seconds: of a call with each, medians of calls in turn.
        tried, refused: how many schedules were measured, and how many the kernel cannot have.
        measured: when, in UTC: `2026-11-27T01:02:03+00:00`.
        compiler: the version of Stepwell; records of others are not taken by themselves.
    """

    kernel: str
    machine: str
    schedule: str
    name: str
    kind: str
    chosen: str
    seconds: float
    chosen_seconds: float
    tried: int
    refused: int
    measured: str
    compiler: str

    def line(self) -> str:
        """The record as a line."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)


def machine_name(target: Target) -> str:
    """What records are of: the processor, its instruction set, cores and caches: all that schedules are chosen by."""
    caches = " ".join(
        f"l{n}={size >> 10}K" for n, size in enumerate((target.l1_bytes, target.l2_bytes, target.l3_bytes), 1)
    )
    return f"{target.cpu} {target.level} cores={target.cores} {caches} line={target.line_bytes}"


def now() -> str:
    """The time of a measurement, as records have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def records_file() -> Path:
    """Where records are kept: `tuning.jsonl` in the cache folder."""
    from stepwell.cache import folder

    return folder() / "tuning.jsonl"


def parse_record(line: str) -> Record:
    """The record of a line.

    Raises:
        ValueError: it is none; says why.
    """
    made = json.loads(line)
    if not isinstance(made, dict) or made.get("format") != FORMAT:
        raise ValueError(f'its "format" is not "{FORMAT}"')
    kinds = {"str": str, "float": (int, float), "int": int}
    values: dict[str, Any] = {}
    for field in fields(Record):
        value = made.get(field.name)
        if not isinstance(value, kinds[str(field.type)]):
            raise ValueError(f'it has no "{field.name}" that is one')
        values[field.name] = value
    return Record(**values)


def read_records(path: Path) -> list[Record]:
    """The records of a file, later ones last; what is damaged is left out, and a file that is not there has none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    found: list[Record] = []
    for line in lines:
        try:
            found.append(parse_record(line))
        except (ValueError, RecursionError):
            continue
    return found


def keep_records(path: Path, records: Iterable[Record]) -> None:
    """Write records to a file, in place of those of the same kernel and machine."""
    table = {(r.kernel, r.machine): r for r in read_records(path)}
    table.update({(r.kernel, r.machine): r for r in records})
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tuning-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(record.line() + "\n" for record in table.values())
    Path(name).replace(path)


def tuned_for(target: Target, compiler: str) -> tuple[tuple[str, str], ...]:
    """(kernel, schedule) of the records kept for a machine by this version."""
    machine = machine_name(target)
    kept = read_records(records_file())
    return tuple((r.kernel, r.schedule) for r in kept if r.machine == machine and r.compiler == compiler)


__all__ = [
    "FORMAT",
    "Record",
    "keep_records",
    "machine_name",
    "now",
    "parse_record",
    "read_records",
    "records_file",
    "tuned_for",
]
