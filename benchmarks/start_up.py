"""Start-up: `import stepwell` over `import numpy`, and `stepwell-opt` on an empty module.

    python benchmarks/start_up.py

Each figure is the minimum CPU time of nine fresh processes.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path


def cpu_seconds(command: list[str], stdin: str = "") -> float:
    """User and system time of the quickest of nine runs."""
    best = float("inf")
    for _ in range(9):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, input=stdin, text=True, check=True, stdout=subprocess.DEVNULL, env=os.environ)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def main() -> None:
    """Print the table."""
    python = [sys.executable, "-c"]
    numpy, stepwell = cpu_seconds([*python, "import numpy"]), cpu_seconds([*python, "import numpy, stepwell"])
    opt = str(Path(sys.executable).parent / "stepwell-opt")
    print(f"import numpy                {numpy:.3f} s")
    print(f"import numpy, stepwell      {stepwell:.3f} s  ({stepwell - numpy:+.3f}; at most 0.1)")
    print(f"stepwell-opt, empty module  {cpu_seconds([opt, '-']):.3f} s  (at most 0.7)")


if __name__ == "__main__":
    main()
