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
    """`stepwell explain`: what to write.

    Raises:
        InvalidProgramError: the program or an option is wrong, or the schedules asked for are carried out already.
    """
    from stepwell.ir.errors import InvalidProgramError

    form = "schedules" if arguments.emit_schedules else "json" if arguments.json else "text"
    text = _explanation(arguments, program, form)
    if form == "schedules" and not text:
        raise InvalidProgramError(
            f"{arguments.file}: error: its schedules are carried out already\nhint: give the program at step 'kernels' or before"
        )
    return text


def _explanation(arguments: argparse.Namespace, program: Any, form: str) -> str:
    """One form of the explanation of a program, from the cache if it is there."""
    from stepwell.compiling import place_of  # here: other commands are not to wait for it
    from stepwell.explanation.kept import keep_explanation, kept_explanation
    from stepwell.request import checked_request

    request = checked_request(
        arguments.entry,
        arguments.target,
        arguments.opt_level,
        arguments.simd,
        schedules=arguments.schedules,
        fp_contract=arguments.fp_contract,
        winograd=arguments.winograd,
        latency_target_ns=arguments.latency_target,
        unchecked_indices=arguments.unchecked_indices,
    )
    place = place_of(program, request)
    found = None if place is None else kept_explanation(place, form)
    if found is not None:
        return found
    from stepwell.explanation.explain import explain
    from stepwell.ir.diagnostics import Diagnostic, diagnostic_handler, emit

    said: list[Diagnostic] = []
    try:
        with diagnostic_handler(said.append):
            explanation = explain(
                program if place is None else place.program,
                request.entry,
                request.target,
                request.opt_level,
                simd=request.simd,
                schedules=arguments.schedules,
                fp_contract=request.fp_contract,
                winograd=request.winograd,
                latency_target_ns=request.latency_target_ns,
                unchecked_indices=request.unchecked_indices,
            )
    finally:
        for diagnostic in said:
            emit(diagnostic)
    forms = {"text": explanation.text, "json": explanation.json(), "schedules": explanation.schedules}
    if place is not None and not said:
        keep_explanation(place, forms)
    return forms[form]
