"""`stepwell fuzz`: seeds handed to worker processes, failures written as programs that fail again.

A worker that dies or hangs is its seed's outcome ("crash", "timeout") and is replaced. A seed always makes the same program, so a
run can be cut into pieces: `--seed 0 --count 5000`, then `--seed 5000 --count 5000`.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stepwell.fuzz.worker import job_text
from stepwell.schedule_files import FORMAT

Record = dict[str, Any]
FAILURES = ("wrong", "error", "crash", "timeout", "memory")
JOBS_PER_PROCESS = 250
"""LLVM's optimizer keeps some 100 KB a module: a process that compiled hundreds of programs is replaced."""


@dataclass(frozen=True)
class Plan:
    """What to run."""

    first: int = 0
    count: int = 100
    jobs: int = 1
    budget: float = float("inf")
    """Seconds after which no new seed is handed out."""
    timeout: float = 60.0
    """Seconds a seed may take before its process is ended."""
    cpu_limit: float = 60.0
    """Seconds of CPU that a seed may take; more is a failure, too."""
    opt_levels: tuple[int, ...] = (0, 2)
    mutants: bool = False
    corpus: tuple[str, ...] = ()
    """Files to mutate, beside generated programs."""
    schedules: bool = False

    def job(self, seed: int) -> Record:
        """What a worker is told."""
        common: Record = {"seed": seed, "cpu_limit": self.cpu_limit}
        if self.mutants:
            return {"what": "mutant", "corpus": list(self.corpus), **common}
        return {"what": "schedules" if self.schedules else "program", "opt_levels": list(self.opt_levels), **common}


class Worker:
    """One worker process, started when first needed and again when it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._jobs = 0

    def run(self, job: Record, timeout: float) -> Record:
        """The record of one job."""
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            ready = bool(select.select([process.stdout], [], [], timeout)[0])
            line = process.stdout.readline() if ready else ""
        except BrokenPipeError:
            ready, line = True, ""
        if line:
            self._jobs += 1
            if self._jobs >= JOBS_PER_PROCESS:
                self.close()
            return json.loads(line)
        kind, detail = ("crash", f"exit code {process.wait()}") if ready else ("timeout", f"no answer in {timeout:g} s")
        self.close()
        return {"seed": job["seed"], "kind": kind, "detail": detail, "text": _text_of(job)}

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            command = [sys.executable, "-m", "stepwell.fuzz.worker"]
            pipe = subprocess.PIPE
            # Programs that nobody has again are not worth keeping, and those found would not be compiled.
            env = {**os.environ, "STEPWELL_CACHE": "0"}
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env=env
            )
        return self._process

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
            self._jobs = 0


def _text_of(job: Record) -> str:
    """What a process died of, if it can be made again: making it may be what fails."""
    try:
        return job_text(job)
    except Exception as error:
        return f"// its text cannot be made: {error!r}\n"


def records(plan: Plan) -> Iterator[Record]:
    """The outcome of every seed, as they come."""
    deadline = time.monotonic() + plan.budget
    seeds, lock = iter(range(plan.first, plan.first + plan.count)), threading.Lock()
    done: list[Record] = []
    arrived = threading.Condition()
    left = plan.jobs

    def work() -> None:
        nonlocal left
        worker = Worker()
        while time.monotonic() < deadline:
            with lock:
                seed = next(seeds, None)
            if seed is None:
                break
            record = worker.run(plan.job(seed), plan.timeout)
            with arrived:
                done.append(record)
                arrived.notify()
        worker.close()
        with arrived:
            left -= 1
            arrived.notify()

    for _ in range(plan.jobs):
        threading.Thread(target=work, daemon=True).start()
    while True:
        with arrived:
            arrived.wait_for(lambda: done or not left)
            batch = done[:]
            done.clear()
            if not batch and not left:
                return
        yield from batch


@dataclass
class Tally:
    """Counts of a run, and why programs were refused."""

    kinds: Counter[str] = field(default_factory=Counter[str])
    refusals: Counter[str] = field(default_factory=Counter[str])
    failures: list[Record] = field(default_factory=list[Record])

    def add(self, record: Record) -> None:
        """Count one outcome."""
        self.kinds[record["kind"]] += 1
        if record["kind"] == "refused":
            self.refusals[_reason(record["detail"])] += 1
        if record["kind"] in FAILURES:
            self.failures.append(record)

    def summary(self) -> str:
        """`N/M`, the other outcomes, and the refusals by reason."""
        others = ", ".join(f"{n} {kind}" for kind, n in sorted(self.kinds.items()) if kind != "ok")
        lines = [f"{self.kinds['ok']}/{self.kinds.total()} ok" + (f", {others}" if others else "")]
        lines += [f"  {n:5} refused: {reason}" for reason, n in self.refusals.most_common(12)]
        return "\n".join(lines)


def _reason(detail: str) -> str:
    return detail.partition(": ")[2].partition("error: ")[2] or detail.partition(": ")[2] or detail


def run(plan: Plan, folder: Path, say: Callable[[str], None] = print) -> int:
    """Run a plan, write what failed into `folder`, print the tally; 1 when something failed."""
    tally = Tally()
    start = time.monotonic()
    for record in records(plan):
        tally.add(record)
        if record["kind"] in FAILURES:
            say(f"seed {record['seed']}: {record['kind']}: {record['detail']}")
            say(f"  written to {write_reproducer(record, plan, folder)}")
        elif "inputs" in record:
            Path(record["inputs"]).unlink(missing_ok=True)
        if tally.kinds.total() % 500 == 0:
            say(f"  {tally.kinds.total()} of {plan.count} after {time.monotonic() - start:.0f} s")
    say(tally.summary())
    say(
        f"seeds {plan.first} to {plan.first + plan.count - 1}: {tally.kinds.total()} run in {time.monotonic() - start:.0f} s"
    )
    return 1 if tally.failures else 0


def write_reproducer(record: Record, plan: Plan, folder: Path) -> Path:
    """The failing program (reduced where that was possible) with how to run it, and its inputs beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    kind = "mutant" if plan.mutants else "scheduled" if plan.schedules else "program"
    path = folder / f"{kind}-{record['seed']}.mlir"
    mode = "--mutants " if plan.mutants else "--schedules " if plan.schedules else ""
    again = f"stepwell fuzz {mode}--seed {record['seed']} --count 1"
    detail = " ".join(record["detail"].split())
    if plan.mutants:  # the bytes as they are: a comment in front would change where it fails
        path.write_bytes(record["text"].encode("utf-8", "surrogateescape"))
        path.with_suffix(".txt").write_text(f"{record['kind']}: {detail}\n{again}\n")
        return path
    lines = [f"// {record['kind']}: {detail}", f"// {again}"]
    if "inputs" in record:
        inputs = path.with_suffix(".npz")
        shutil.move(record["inputs"], inputs)
        asked = ""
        if "schedules" in record:
            file = path.with_suffix(".json")
            file.write_text(_schedule_file(record["schedules"]))
            asked = f" --schedules {file.name}"
        lines.append(f"// stepwell run {path.name} --inputs {inputs.name}{asked}, and with --target interpreter")
    path.write_text("\n".join([*lines, record["text"]]))
    return path


def _schedule_file(schedules: Record) -> str:
    """A file that `--schedules` reads (stepwell.schedule_files)."""
    kernels = [{"kernel": key, "schedule": text} for key, text in schedules.items()]
    return json.dumps({"format": FORMAT, "kernels": kernels}, indent=1) + "\n"


def corpus_files(paths: Sequence[str]) -> tuple[str, ...]:
    """The files named, and the `.mlir` files in the folders named, sorted."""
    found: list[str] = []
    for path in map(Path, paths):
        found += [str(p) for p in sorted(path.rglob("*.mlir"))] if path.is_dir() else [str(path)]
    return tuple(found)


__all__ = ["Plan", "Tally", "corpus_files", "records", "run", "write_reproducer"]
