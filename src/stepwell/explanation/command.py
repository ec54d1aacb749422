"""The command line of `stepwell explain`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

DESCRIPTION = """Show what a program becomes: the kernels the host launches, in order; for each why its ops are together and others are not,
its schedule and why, the flops and bytes it needs, and the least time the machine's limits allow. docs/explain.md reads one."""


def add_parser(commands: Any, add_program_arguments: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add the command to the commands of `stepwell`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "explain", help="show the kernels of a program, their costs and schedules, and why", description=DESCRIPTION
    )
    add_program_arguments(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--json", action="store_true", help="the explanation as JSON")
    what.add_argument(
        "--emit-schedules", action="store_true", help="the schedules as a file for --schedules, to edit and to keep"
    )
    parser.add_argument("-o", dest="output", metavar="FILE", default="-", help="where to write ('-': standard output)")


def explain_command(arguments: argparse.Namespace, program: Any) -> str:
    """`stepwell explain`: what to write."""
    from stepwell.explanation.explain import explain

    explanation = explain(
        program,
        arguments.entry,
        arguments.target,
        arguments.opt_level,
        simd=arguments.simd,
        schedules=arguments.schedules,
    )
    if arguments.emit_schedules:
        return explanation.schedules
    return explanation.json() if arguments.json else explanation.text
