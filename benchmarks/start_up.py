"""Start-up: `import stepwell` over `import numpy`, `stepwell-opt` on an empty module, `stepwell run` with and without the cache.

    python benchmarks/start_up.py

Each figure is the minimum CPU time of nine fresh processes; for `stepwell run` also the least time on the clock from the start of the
process to its end, results printed.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


def seconds(command: list[str], stdin: str = "", environment: dict[str, str] | None = None) -> tuple[float, float]:
    """(user and system time, time on the clock) of the quickest of nine runs."""
    best = clock = float("inf")
    for _ in range(9):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(
            command, input=stdin, text=True, check=True, stdout=subprocess.DEVNULL, env=os.environ | (environment or {})
        )
        clock = min(clock, time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best, clock


def cpu_seconds(command: list[str], stdin: str = "") -> float:
    """User and system time of the quickest of nine runs."""
    return seconds(command, stdin)[0]


def run_seconds(cache: bool) -> tuple[float, float]:
    """`seconds` of `stepwell run` on an example, found in the cache or compiled."""
    example = ROOT / "examples" / "gpt_block"
    stepwell = str(Path(sys.executable).parent / "stepwell")
    with tempfile.TemporaryDirectory() as folder:
        environment = {"STEPWELL_CACHE": "1" if cache else "0", "STEPWELL_CACHE_DIR": folder}
        return seconds([stepwell, "run", f"{example}.mlir", "--inputs", f"{example}.in.npz"], "", environment)


def main() -> None:
    """Print the table."""
    python = [sys.executable, "-c"]
    numpy, stepwell = cpu_seconds([*python, "import numpy"]), cpu_seconds([*python, "import numpy, stepwell"])
    opt = str(Path(sys.executable).parent / "stepwell-opt")
    print(f"import numpy                {numpy:.3f} s")
    print(f"import numpy, stepwell      {stepwell:.3f} s  ({stepwell - numpy:+.3f}; at most 0.1)")
    print(f"stepwell-opt, empty module  {cpu_seconds([opt, '-']):.3f} s  (at most 0.7)")
    for cache in (True, False):
        cpu, clock = run_seconds(cache)
        what = "from cache" if cache else "no cache"
        print(f"stepwell run, {what:12s}  {cpu:.3f} s  ({clock:.3f} on the clock{'; at most 1' if cache else ''})")


if __name__ == "__main__":
    main()
