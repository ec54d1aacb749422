"""The command line of `stepwell fuzz`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

DESCRIPTION = """Build random well-typed programs over the whole tensor step, compile them natively and compare them with the interpreter.
What differs is cut down to the ops it needs and written, with its inputs, as a program that fails again. With --mutants, broken texts
are compiled instead: each must end in code or in a diagnostic. With --schedules, kernels get schedules drawn at random: each must be
refused with a reason, or give the same results."""


def add_parser(commands: Any) -> None:
    """Add the command to the commands of `stepwell`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "fuzz", help="random programs, native code against the interpreter", description=DESCRIPTION
    )
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help="with --mutants: files, or folders of .mlir files, to mutate, too"
    )
    parser.add_argument("--seed", type=_seed, default=0, metavar="S", help="the first seed (default: 0)")
    parser.add_argument("--count", type=int, default=100, metavar="N", help="how many seeds (default: 100)")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="worker processes (default: 1)")
    parser.add_argument(
        "--budget", type=float, default=float("inf"), metavar="SECONDS", help="hand out no seed after that time"
    )
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="of CPU, per seed (default: 60, mutants 10)")
    parser.add_argument(
        "-O",
        dest="opt_levels",
        type=int,
        choices=range(4),
        action="append",
        help="optimization level, may be repeated (default: 0 and 2)",
    )
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--mutants", action="store_true", help="mutated texts instead of programs")
    other.add_argument(
        "--schedules", action="store_true", help="programs of large ops, each kernel with a schedule drawn at random"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("fuzz-failures"), metavar="DIR", help="where failures are written"
    )
    parser.set_defaults(handler=fuzz_command)


def _seed(text: str) -> int:
    """A seed on the command line."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"a seed is a whole number from 0 on, not '{text}'")
    return int(text)


def fuzz_command(arguments: argparse.Namespace) -> int:
    """`stepwell fuzz`; 1 when something failed."""
    from stepwell.fuzz.run import Plan, corpus_files, run

    mutants: bool = arguments.mutants
    limit: float = arguments.timeout or (10.0 if mutants else 60.0)
    plan = Plan(
        first=arguments.seed,
        count=arguments.count,
        jobs=max(1, arguments.jobs),
        budget=arguments.budget,
        timeout=6 * limit,
        cpu_limit=limit,
        opt_levels=tuple(arguments.opt_levels or ((2,) if arguments.schedules else (0, 2))),
        mutants=mutants,
        schedules=arguments.schedules,
        corpus=corpus_files(arguments.files),
    )
    return run(plan, arguments.out)


__all__ = ["add_parser"]
