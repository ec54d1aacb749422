"""A process that checks seeds: one JSON job a line in, one outcome a line out. Started by `run.py`."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from stepwell.fuzz.check import check_mutant, check_program, levels
from stepwell.fuzz.generator import generate
from stepwell.fuzz.mutation import mutant
from stepwell.fuzz.outcome import Outcome
from stepwell.fuzz.schedules import check_schedules, scheduled_program

ADDRESS_SPACE = 6 << 30
"""Bytes a worker may map; what asks for more fails there instead of on the machine."""


RESIDENT = 2 << 30
"""Bytes that no broken text may make resident."""

SEEDS_PER_COLLECTION = 20
"""IR is cyclic and dies with its seed: collected now and then, not while it is built, which costs a third of the time."""


def job_text(job: dict[str, Any]) -> str:
    """The text that a job is about, made again."""
    if job["what"] == "mutant":
        return mutant(job["seed"], [Path(name) for name in job["corpus"]]).decode("utf-8", "surrogateescape")
    made = scheduled_program if job["what"] == "schedules" else generate
    return made(job["seed"]).text()


def _checked(job: dict[str, Any]) -> Outcome:
    """The outcome of one job."""
    if job["what"] == "mutant":
        return check_mutant(job["seed"], [Path(name) for name in job["corpus"]])
    if job["what"] == "schedules":
        return check_schedules(job["seed"], job["opt_levels"], levels())
    return check_program(job["seed"], job["opt_levels"])


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # no such limits on this system
        return
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, resource.RLIM_INFINITY))


def _forget_peak_memory() -> None:
    """Let the kernel count the process's largest memory anew; no more than a wrong verdict less where it cannot."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory() -> int:
    """The most bytes that were resident since `_forget_peak_memory`; 0 where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) << 10 if found else 0


def _answer(outcome: Outcome) -> dict[str, Any]:
    """What goes back; inputs go by a file."""
    record: dict[str, Any] = {
        "seed": outcome.seed,
        "kind": outcome.kind,
        "detail": outcome.detail,
        "text": outcome.text,
    }
    if outcome.schedules:
        record["schedules"] = outcome.schedules
    if outcome.inputs:
        from stepwell.arrays import save_arrays

        handle, name = tempfile.mkstemp(suffix=".npz", prefix="stepwell-fuzz-")
        os.close(handle)
        save_arrays(name, outcome.inputs)
        record["inputs"] = name
    return record


def main() -> None:
    """Answer jobs until standard input ends; what programs and LLVM print goes to standard error."""
    _limit_memory()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    gc.disable()
    for number, line in enumerate(sys.stdin):
        job = json.loads(line)
        if number % SEEDS_PER_COLLECTION == 0:
            gc.collect()
        _forget_peak_memory()
        start = time.process_time()
        outcome = _checked(job)
        seconds, peak = time.process_time() - start, _peak_memory()
        if outcome.kind == "ok" and seconds > job["cpu_limit"]:
            outcome = Outcome(outcome.seed, "timeout", f"took {seconds:.1f} s of CPU", job_text(job))
        elif outcome.kind == "ok" and job["what"] == "mutant" and peak > RESIDENT:
            outcome = Outcome(outcome.seed, "memory", f"took {peak >> 20} MiB", job_text(job))
        print(json.dumps(_answer(outcome)), file=answers, flush=True)


if __name__ == "__main__":
    main()
