"""The score: StableHLO's own tests, JAX programs, random programs, constraints. conformance.py [--suite S] [--only RE] ...

Every case is compiled, run and compared with the expected results, in a worker process that is replaced when a case kills
it. Per suite and per op it prints how many pass, and why the others do not:

    pass       every result within the case's own check
    refused    `UnsupportedError`: says what is missing (a gap)
    sharp      a result misses the case's own check and is within docs/floating-point.md (sums in another order,
               expected values less exact than ours): to be looked at, and known to tests/test_conformance_sample.py
    wrong      a result differs by more (a bug)
    error      any other exception (a bug)
    crash      the process died: a signal, LLVM aborting (a bug)
    timeout    no answer in --timeout seconds (a bug)

The suites: `testdata`, `interpret`, `math` (StableHLO's), `jax` (programs as JAX prints them), `constraints` (each labelled constraint of
the specification is broken once, and must be rejected with its label), `fuzz` (`--fuzz-count` random programs, at -O0 and -O2).
The cases are found by STEPWELL_CONFORMANCE or in ../shared/conformance beside the checkout (`stablehlo.tar.xz`, or the
folder it unpacks to), JAX's by STEPWELL_CASES or in ../shared/cases. Native programs run with guarded memory (`--guard`).
`--out FILE` keeps one JSON line a case: a run that is stopped goes on where it was, `--redo wrong,crash`
takes those again. The process exits with 1 when anything is wrong, crashed or in error.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import select
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SUITES = ("testdata", "interpret", "math", "jax")
"""Suites of files."""
OWN_SUITES = ("constraints", "fuzz")
"""Suites that this project makes."""
BUGS = ("wrong", "error", "crash", "timeout")
Case = dict[str, Any]
Record = dict[str, Any]


def caselib() -> Any:
    """tests/data/caselib.py: the format of the cases."""
    sys.path.insert(0, str(ROOT / "tests" / "data"))
    try:
        import caselib as module  # pyright: ignore
    finally:
        sys.path.pop(0)
    return module


def find_cases() -> Path | None:
    """The folder with `testdata.jsonl` and the others, unpacked once; None when the machine has no copy."""
    place = Path(os.environ.get("STEPWELL_CONFORMANCE") or ROOT.parent / "shared" / "conformance")
    if (place / "testdata.jsonl").exists():
        return place
    archive = place / "stablehlo.tar.xz"
    if not archive.exists():
        return None
    stamp = archive.stat()
    cache = Path(tempfile.gettempdir()) / f"stepwell-conformance-{os.getuid()}-{stamp.st_size}-{int(stamp.st_mtime)}"
    if not cache.exists():
        with tempfile.TemporaryDirectory(dir=cache.parent) as fresh:
            with tarfile.open(archive) as packed:
                packed.extractall(fresh, filter="data")
            try:
                os.rename(fresh, cache)
            except OSError:
                pass  # another process was first
            os.makedirs(fresh, exist_ok=True)
    return cache


def jax_folder() -> Path:
    """The folder of the JAX programs; they may not be there."""
    return Path(os.environ.get("STEPWELL_CASES") or ROOT.parent / "shared" / "cases") / "jax"


def load_cases(folder: Path, suites: Iterable[str] = SUITES) -> list[Case]:
    """The cases of some suites, in file order, with absolute paths."""
    found: list[Case] = []
    for suite in suites:
        place = folder / f"{suite}.jsonl"
        if suite == "jax":
            place = jax_folder() / "cases.jsonl"
        if suite in OWN_SUITES or not place.exists():
            continue
        for case in caselib().cases(place):
            files = {key: str(place.parent / case[key]) for key in ("mlir", "inputs", "expected")}
            found.append({**case, "suite": suite, **files})
    return found


def ops_of(case: Case) -> list[str]:
    """The ops a case is about: all but what its harness needs."""
    harness = {"stablehlo.constant", "stablehlo.custom_call"}
    return [tag for tag in case["tags"] if tag not in harness] or case["tags"]


@dataclass(frozen=True)
class Configuration:
    """How the cases are compiled."""

    target: str = "cpu"
    simd: str | None = None
    opt_level: int = 2
    step: str | None = None
    verify_each: bool = False
    guard: str = "0"

    def __str__(self) -> str:
        where = (
            f"interpreter at {self.step or 'the program'}" if self.target == "interpreter" else self.simd or "widest"
        )
        guard = "" if self.guard == "0" else f" guard {self.guard}"
        return f"{self.target} {where} -O{self.opt_level}{guard}"


# The worker: reads a case a line, answers a record a line.


def run_case(case: Case, folder: Path, how: Configuration) -> Record:
    """Compile, run and compare one case, in this process."""
    import numpy as np

    import stepwell
    from stepwell.compare import first_difference

    lib = caselib()
    start = time.process_time()
    try:
        exe = stepwell.compile(
            folder / case["mlir"],
            entry=case["entry"],
            cache=False,
            target=how.target,
            opt_level=how.opt_level,
            simd=how.simd,
            step=how.step,
            verify_each=how.verify_each,
        )
        results = [np.asarray(result) for result in exe(*lib.load(folder / case["inputs"]))]
        expected = lib.load(folder / case["expected"])
        outcome, why = "pass", ""
        if len(results) != len(expected):
            outcome, why = "wrong", f"{len(results)} results for {len(expected)}"
        for i, (got, want, check) in enumerate(zip(results, expected, case["checks"], strict=False)):
            miss = lib.compare(got, want, check)
            if miss and outcome == "pass":
                outcome, why = "sharp", f"result {i} ({want.dtype.name}): {miss}"
            if miss and first_difference(got, want) is not None:
                outcome, why = "wrong", f"result {i} ({want.dtype.name}): {miss}"
                break
    except stepwell.UnsupportedError as error:
        outcome, why = "refused", _headline(error)
    except Exception as error:
        outcome, why = "error", f"{type(error).__name__} at {_place(error)}: {_headline(error)}"
    seconds = round(time.process_time() - start, 3)
    return {"name": case["name"], "outcome": outcome, "why": why, "seconds": seconds}


def _headline(error: BaseException) -> str:
    """The message without its source line, caret and file name."""
    for line in str(error).splitlines():
        match = re.search(r"(?:error|unsupported): (.*)", line)
        if match:
            return match[1][:300]
    return (str(error).splitlines() or [""])[0][:300]


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if str(ROOT) in f.filename] or list(frames)
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"


def serve(folder: Path, how: Configuration) -> None:
    """The worker's loop; LLVM's complaints and stray prints go to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(run_case(json.loads(line), folder, how)), file=answers, flush=True)


# The parent: hands cases out, replaces workers that die.


class Worker:
    """A process that runs cases one at a time."""

    def __init__(self, folder: Path, how: Configuration):
        self._folder = folder
        self._how = how
        self._process: subprocess.Popen[str] | None = None

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            command = [sys.executable, __file__, "--worker", str(self._folder), json.dumps(vars(self._how))]
            self._log = tempfile.TemporaryFile("w+")
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                env={**os.environ, "STEPWELL_GUARD": self._how.guard, "STEPWELL_CACHE": "0"},
            )
        return self._process

    def run(self, case: Case, timeout: float) -> Record:
        """The record of one case; a worker that dies or hangs is this case's outcome."""
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        start = time.perf_counter()
        try:
            process.stdin.write(json.dumps(case) + "\n")
            process.stdin.flush()
            ready = select.select([process.stdout], [], [], timeout)[0]
            line = process.stdout.readline() if ready else ""
        except BrokenPipeError:
            ready, line = True, ""
        if line:
            return json.loads(line)
        outcome, why = ("crash", self._last_words()) if ready else ("timeout", f"no answer in {timeout:g} s")
        self.close()
        return {"name": case["name"], "outcome": outcome, "why": why, "seconds": round(time.perf_counter() - start, 3)}

    def _last_words(self) -> str:
        assert self._process is not None
        code = self._process.wait()
        self._log.seek(0)
        lines = [line.strip() for line in self._log.read().splitlines() if line.strip()]
        said = next((line for line in reversed(lines) if "error" in line.lower()), lines[-1] if lines else "")
        return f"exit {code}: {said[:200]}"

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._log.close()
            self._process = None


def run_all(
    cases: list[Case],
    folder: Path,
    how: Configuration,
    *,
    jobs: int = 1,
    budget: float = float("inf"),
    timeout: float = 60,
) -> Iterator[Record]:
    """The records of `cases` as they come, until the budget (seconds) is spent."""
    deadline = time.monotonic() + budget
    todo, lock = iter(cases), threading.Lock()
    done: list[Record] = []
    arrived = threading.Condition()
    left = jobs

    def work() -> None:
        nonlocal left
        worker = Worker(folder, how)
        while time.monotonic() < deadline:
            with lock:
                case = next(todo, None)
            if case is None:
                break
            record = worker.run(case, timeout)
            with arrived:
                done.append(record)
                arrived.notify()
        worker.close()
        with arrived:
            left -= 1
            arrived.notify()

    for _ in range(jobs):
        threading.Thread(target=work, daemon=True).start()
    while True:
        with arrived:
            arrived.wait_for(lambda: done or not left)
            batch = done[:]
            done.clear()
            if not batch and not left:
                return
        yield from batch


# The report.


def _reason(record: Record) -> str:
    """A miss's reason with what varies (numbers, types, names) left out, so that equal reasons add up."""
    text = re.sub(r"tensor<[^>]*>+", "tensor<..>", record["why"])
    return f"{record['outcome']:8} {re.sub(r'[0-9]+', 'N', text)[:150]}"


def report(cases: list[Case], records: dict[str, Record], per_op: bool) -> None:
    """Print N/M per suite and op, and the reasons of the misses, most frequent first."""
    ran = [case for case in cases if case["name"] in records]
    for suite in SUITES:
        mine = Counter(records[c["name"]]["outcome"] for c in ran if c["suite"] == suite)
        if mine:
            others = ", ".join(f"{n} {kind}" for kind, n in sorted(mine.items()) if kind != "pass")
            seconds = [records[c["name"]]["seconds"] for c in ran if c["suite"] == suite]
            cost = f"{statistics.median(seconds):.2f} s of CPU each, the worst {max(seconds):.1f}"
            print(f"{suite:12} {mine['pass']}/{mine.total()}  {others}{'; ' if others else ''}{cost}")
    if per_op:
        _report_ops(ran, records)
    reasons: dict[str, list[str]] = {}
    for case in ran:
        record = records[case["name"]]
        if record["outcome"] != "pass":
            reasons.setdefault(_reason(record), []).append(case["name"])
    for text, names in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0])):
        print(f"{len(names):5}  {text}\n         e.g. {', '.join(names[:3])}")


def _report_ops(ran: list[Case], records: dict[str, Record]) -> None:
    table: dict[str, Counter[str]] = {}
    for case in ran:
        for op in ops_of(case):
            table.setdefault(op, Counter())[records[case["name"]]["outcome"]] += 1
    for op, counts in sorted(table.items()):
        others = ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items()) if kind != "pass")
        print(f"  {op:40} {counts['pass']}/{counts.total()}  {others}")


# The suites of our own.


def run_constraints() -> int:
    """Print how many labelled constraints have a case that is rejected with its label; the number of misses."""
    place = ROOT / "tests" / "dialects" / "stablehlo" / "constraints" / "test_constraints.py"
    spec = importlib.util.spec_from_file_location("test_constraints", place)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    misses: list[str] = []
    total = 0
    for op, labels in module.labels().items():
        found = {e: module.problem(op, e, text) for e, text in module.cases(op) if e != "ok"}
        total += len(labels)
        misses += [f"{op} {label}" for label in labels if found.get(label, "no case") is not None]
    print(f"{'constraints':12} {total - len(misses)}/{total}")
    for miss in misses:
        print(f"         {miss}")
    return len(misses)


def run_fuzz(options: argparse.Namespace) -> int:
    """Run random programs at -O0 and -O2, print the tally; 1 when one failed."""
    from stepwell.fuzz.run import Plan, run

    os.environ["STEPWELL_GUARD"] = options.guard
    plan = Plan(options.fuzz_seed, options.fuzz_count, options.jobs, options.budget)
    return run(plan, ROOT / "fuzz-failures", lambda text: print(f"{'fuzz':12} {text}", flush=True))


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the StableHLO conformance cases.")
    parser.add_argument(
        "--suite", action="append", choices=(*SUITES, *OWN_SUITES), help="only this suite (may be repeated)"
    )
    parser.add_argument("--fuzz-count", type=int, default=200, metavar="N", help="random programs (default: 200)")
    parser.add_argument("--fuzz-seed", type=int, default=0, metavar="S", help="the first random program (default: 0)")
    parser.add_argument("--only", default="", metavar="RE", help="only cases whose name or ops match")
    parser.add_argument("--target", default="cpu", choices=("cpu", "interpreter", "gpu-sim", "cuda"))
    parser.add_argument("--step", help="with the interpreter: lower to this step first")
    parser.add_argument("--simd", choices=("avx512", "avx2", "sse4.2"))
    parser.add_argument("-O", dest="opt_level", type=int, default=2, choices=range(4))
    parser.add_argument("--verify-each", action="store_true", help="run the verifier after every pass")
    parser.add_argument(
        "--guard",
        default="1",
        choices=("0", "1", "2"),
        help="a page without access behind (1, the default) or in front of (2) every buffer",
    )
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument(
        "--budget", type=float, default=float("inf"), metavar="SECONDS", help="stop handing out cases then"
    )
    parser.add_argument("--timeout", type=float, default=60, metavar="SECONDS", help="per case")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth case only")
    parser.add_argument("--out", type=Path, help="keep the records here, and take up from here")
    parser.add_argument(
        "--redo", default="", metavar="KINDS", help="take these outcomes of --out again: wrong,crash,..."
    )
    parser.add_argument("--per-op", action="store_true", help="print the table of ops")
    parser.add_argument("--verbose", action="store_true", help="print every miss as it comes")
    return parser.parse_args(argv)


def _earlier(path: Path | None, how: Configuration, redo: str) -> dict[str, Record]:
    if path is None or not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    latest = {record["name"]: record for record in lines if record["how"] == str(how)}
    again = redo.split(",")
    return {name: record for name, record in latest.items() if record["outcome"] not in again}


def main(argv: list[str]) -> int:
    """Run what the command line says; 1 when something is wrong, in error or crashed."""
    options = _arguments(argv)
    folder = find_cases()
    if folder is None:
        print("no conformance cases: set STEPWELL_CONFORMANCE to the folder of stablehlo.tar.xz", file=sys.stderr)
        return 2
    guard = options.guard if options.target == "cpu" else "0"
    suites = options.suite or (SUITES if options.only or options.target != "cpu" else (*SUITES, *OWN_SUITES))
    how = Configuration(options.target, options.simd, options.opt_level, options.step, options.verify_each, guard)
    wanted = re.compile(options.only)
    cases = load_cases(folder, suites)
    cases = [c for c in cases if wanted.search(c["name"]) or any(wanted.search(op) for op in ops_of(c))][
        :: options.every
    ]
    records = _earlier(options.out, how, options.redo)
    todo = [case for case in cases if case["name"] not in records]
    start = time.monotonic()
    log = open(options.out, "a") if options.out else None
    for record in run_all(todo, folder, how, jobs=options.jobs, budget=options.budget, timeout=options.timeout):
        records[record["name"]] = record
        if log is not None:
            print(json.dumps({**record, "how": str(how)}), file=log, flush=True)
        if options.verbose and record["outcome"] != "pass":
            print(f"{record['name']}: {record['outcome']}: {record['why']}", flush=True)
    if log is not None:
        log.close()
    report(cases, records, options.per_op)
    bugs = sum(records[c["name"]]["outcome"] in BUGS for c in cases if c["name"] in records)
    ran = sum(c["name"] in records for c in cases)
    print(f"{how}: {ran} of {len(cases)} cases, {bugs} bugs, {time.monotonic() - start:.0f} s")
    bugs += run_constraints() if "constraints" in suites else 0
    bugs += run_fuzz(options) if "fuzz" in suites else 0
    return 1 if bugs else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        serve(Path(sys.argv[2]), Configuration(**json.loads(sys.argv[3])))
    else:
        sys.exit(main(sys.argv[1:]))
