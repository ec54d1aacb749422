"""The command line of `stepwell tune`."""

from __future__ import annotations

import argparse
import math
import sys
from typing import Any

DESCRIPTION = """Measure other schedules for the kernels of a program on this machine, each alone and in turn with the one chosen, and
keep a record of those that are faster and give the same results. -O3 takes the records, --schedules RECORDS takes them at any level
(docs/tuning.md)."""


def _budget(text: str) -> float:
    """Seconds, or minutes: `60`, `60s`, `5m`."""
    scale = {"s": 1.0, "m": 60.0}.get(text[-1:], 0.0)
    value = float(text[:-1]) * scale if scale else float(text)
    if not 0 < value < math.inf:
        raise ValueError(text)
    return value


_budget.__name__ = "budget (seconds, such as 60s, or minutes, such as 5m)"


def add_parser(commands: Any, simd: tuple[str, ...]) -> None:
    """Add the command to the commands of `stepwell`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "tune", help="measure schedules for the kernels of a program and keep the best", description=DESCRIPTION
    )
    parser.add_argument(
        "file", metavar="FILE.mlir", help="the program, at a step up to kernels; '-' reads standard input"
    )
    parser.add_argument("--entry", default="main", help="the function whose kernels are tuned (default: main)")
    parser.add_argument("-O", dest="opt_level", type=int, choices=(1, 2, 3), default=2, help="optimization level")
    parser.add_argument("--simd", choices=simd, help="instruction set instead of the host's widest")
    parser.add_argument(
        "--budget",
        type=_budget,
        default=60.0,
        metavar="60s",
        help="time to spend on all kernels together (default: 60s)",
    )
    parser.add_argument(
        "-o",
        dest="output",
        metavar="RECORDS.jsonl",
        help="where to keep records (default: in the cache folder, for -O3)",
    )
    parser.add_argument("--quiet", action="store_true", help="do not show progress on standard error")


def tune_command(arguments: argparse.Namespace, program: Any) -> int:
    """`stepwell tune`."""
    from stepwell.tuning.tune import tune

    def show(line: str) -> None:
        if not arguments.quiet:
            print(line, file=sys.stderr, flush=True)

    tuning = tune(
        program,
        arguments.entry,
        arguments.opt_level,
        simd=arguments.simd,
        budget=arguments.budget,
        progress=show,
    )
    for line in tuning.lines:
        print(line)
    if tuning.records or arguments.output is not None:  # a file that was asked for is there for --schedules in any case
        path = tuning.keep(arguments.output)
        print(f"{len(tuning.records) or 'no'} record{'' if len(tuning.records) == 1 else 's'} kept in {path}")
    return 0
