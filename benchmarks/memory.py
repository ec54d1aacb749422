"""Peak memory of Stepwell and its peers on the workloads: memory.py [--only RE] [--peers a,b] [--out FILE].

Each workload is run by each peer in a process of its own, forked from one that has imported torch and jax, and made the inputs, and done
nothing else. When the program is at hand as the peer takes it, the high-water mark of the process's resident memory is set back; figures
are of that mark over what was resident then. `calls`: what five calls take over the program's being compiled, results included (each is
dropped before the next call); `whole`: the same with compiling, by Stepwell once with an empty cache and once from it (`cached`). torch
compiles nothing: both say the same. `import`: what importing the library takes, over NumPy's. Pages of the libraries' own code count when
they are touched: Stepwell's compiler and LLVM are imported when they are needed. Peers: torch (eager), jax, stepwell. Linux only.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

CALLS = 5
Workload = dict[str, Any]
Prepared = Callable[[], Callable[[], Any]]
"""Compiles, and gives what calls."""


def status(field: str) -> int:
    """Bytes that the system says of this process."""
    text = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"{field}:\s+(\d+)", text).group(1))


def reset_peak() -> int:
    """Set the high-water mark back; the bytes resident now."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def prepared_torch(w: Workload) -> Prepared:
    import torch

    torch.set_num_threads(os.cpu_count())
    arguments = [torch.from_numpy(x) for x in w["args"]]
    mode = torch.enable_grad if "train" in w["name"] else torch.no_grad

    def run() -> Any:
        with mode():
            return w["torch"](*arguments)

    return lambda: run


def prepared_jax(w: Workload) -> Prepared:
    import jax

    arguments = [jax.block_until_ready(jax.device_put(x)) for x in w["args"]]
    lowered = jax.jit(w["jax"]).lower(*arguments)

    def compile_it() -> Callable[[], Any]:
        f = lowered.compile()
        return lambda: jax.block_until_ready(f(*arguments))

    return compile_it


def prepared_stepwell(w: Workload) -> Prepared:
    import jax

    import stepwell

    text = jax.jit(w["jax"], keep_unused=True).lower(*w["args"]).as_text()

    def compile_it() -> Callable[[], Any]:
        executable = stepwell.compile(text)
        return lambda: executable(*w["args"])

    return compile_it


PEERS: dict[str, Callable[[Workload], Prepared]] = {
    "torch": prepared_torch,
    "jax": prepared_jax,
    "stepwell": prepared_stepwell,
}


def figures(peer: str, w: Workload) -> dict[str, Any]:
    """Bytes over what was resident before compiling, and before the first call."""
    compile_it = PEERS[peer](w)
    start = reset_peak()
    f = compile_it()
    compiling = status("VmHWM")
    before = reset_peak()
    for _ in range(CALLS):
        f()
    calls = status("VmHWM")
    return {"whole": max(compiling, calls) - start, "calls": calls - before}


def ask(peer: str, w: Workload, cache: str) -> dict[str, Any]:
    """What a new process says of a workload."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.environ["STEPWELL_CACHE_DIR"] = cache
        try:
            answer = figures(peer, w)
        except BaseException:
            answer = {"error": traceback.format_exc(limit=1).strip()}
        with os.fdopen(writer, "w") as out:
            out.write(json.dumps(answer))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answers:
        text = answers.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else {"error": "the process ended"}


IMPORTED = """
import numpy, re, sys
def resident():
    return 1024 * int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read()).group(1))
before = resident()
__import__(sys.argv[1])
print(resident() - before)
"""


def imported(peer: str) -> int:
    """Bytes that importing a peer takes."""
    return int(
        subprocess.run([sys.executable, "-c", IMPORTED, peer], capture_output=True, text=True, check=True).stdout
    )


def measure(w: Workload, peers: list[str]) -> dict[str, Any]:
    """Each peer's figures, Stepwell's with an empty cache and from it."""
    row: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as cache:
        for peer in peers:
            row[peer] = ask(peer, w, cache)
            if peer == "stepwell" and "whole" in row[peer]:
                cached = ask(peer, w, cache)
                row[peer]["cached"] = cached.get("whole")
                row[peer]["calls"] = min(row[peer]["calls"], cached.get("calls", row[peer]["calls"]))
    return row


def ratio(row: dict[str, Any]) -> float | None:
    """The least of the others' calls over Stepwell's: above 1, Stepwell needs less."""
    others = [r["calls"] for p, r in row.items() if p != "stepwell" and "calls" in r]
    ours = row.get("stepwell", {}).get("calls")
    return min(others) / ours if others and ours else None


def render(name: str, row: dict[str, Any]) -> str:
    cells: list[str] = []
    for peer, r in row.items():
        if "error" in r:
            cells.append(f"{peer} ERR {r['error'][-60:]}")
            continue
        figures = " ".join(
            f"{what} {r[what] / 1e6:.1f}" for what in ("calls", "whole", "cached") if r.get(what) is not None
        )
        cells.append(f"{peer} {figures}")
    least = ratio(row)
    return f"{name:20s} " + "  ".join(cells) + (f"  least / ours {least:.2f}" if least else "")


def run(arguments: argparse.Namespace) -> None:
    import workloads

    results: dict[str, Any] = {}
    print("MB over what was resident before")
    print(
        "import: " + ", ".join(f"{peer} {imported(peer) / 1e6:.1f}" for peer in arguments.peers.split(",")), flush=True
    )
    for w in workloads.build():
        if re.search(arguments.only, w["name"]):
            results[w["name"]] = measure(w, arguments.peers.split(","))
            print(render(w["name"], results[w["name"]]), flush=True)
    if arguments.out:
        Path(arguments.out).write_text(json.dumps(results, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="RE", help="workloads whose name matches")
    parser.add_argument("--peers", default="torch,jax,stepwell")
    parser.add_argument("--out", metavar="FILE", help="write the figures as JSON")
    arguments = parser.parse_args()
    run(arguments)


if __name__ == "__main__":
    main()
