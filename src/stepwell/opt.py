"""`stepwell-opt`: parse, verify, transform and print IR of any step, with mlir-opt's habits."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.imports import IMPORT, IMPORT_HELP, import_modules

if TYPE_CHECKING:
    from xdsl.context import Context
    from xdsl.dialects.builtin import ModuleOp

    from stepwell.ir.diagnostics import Diagnostic
    from stepwell.ir.instrumentation import Instrumentation
    from stepwell.ir.pass_manager import Pipeline

SPLIT_MARKER = "// -----"

_EPILOG = """examples:
  stepwell-opt model.mlir --canonicalize --cse
  stepwell-opt model.mlir --pass-pipeline='builtin.module(inline,func.func(canonicalize),kernel.func(apply-schedule))'
  stepwell-opt tests.mlir --split-input-file --verify-diagnostics
  jax-export | stepwell-opt - --convert-stablehlo-to-linalg -o out.mlir

Every pass of --list-passes is also a flag: --my-pass or --my-pass="option=value other=1,2"; flags run in order.
"""


VALIDATE = "--validate-each"
VALIDATE_HELP = (
    "run the program in the interpreter before and after each pass, on inputs made from SEED (default: 0; write "
    "--validate-each=SEED), and stop at the first pass that changes a result"
)


def with_default_seed(arguments: Sequence[str]) -> list[str]:
    """The command line with a seed for a bare `--validate-each`, which takes none of the words after it."""
    return [f"{VALIDATE}=0" if argument == VALIDATE else argument for argument in arguments]


def build_argument_parser() -> argparse.ArgumentParser:
    """The options (pass flags are taken off the command line before)."""
    parser = argparse.ArgumentParser(
        prog="stepwell-opt",
        description="Parse, verify, transform and print IR of any step.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("input", nargs="?", help="input file; - (or a pipe) is standard input")
    add("-o", dest="output", default="-", metavar="FILE", help="output file (default: standard output)")
    add("-p", "--pass-pipeline", metavar="TEXT", help="pipeline, e.g. builtin.module(func.func(cse))")
    add("--split-input-file", action="store_true", help=f"process each part between '{SPLIT_MARKER}' lines on its own")
    add("--verify-diagnostics", action="store_true", help="check diagnostics against expected-error comments")
    add(IMPORT, metavar="MODULE", action="append", default=[], dest="imports", help=IMPORT_HELP)
    add("--verify-each", **_boolean(True), help="verify after each pass (default: true)")
    add(VALIDATE, metavar="SEED", type=int, help=VALIDATE_HELP)
    add("--verify-roundtrip", action="store_true", help="check that printing and parsing again gives the same IR")
    add("--allow-unregistered-dialect", action="store_true", help="accept ops of unknown dialects in generic form")
    add("--mlir-print-op-generic", action="store_true", help="print ops in the generic form")
    add("--mlir-print-debuginfo", action="store_true", help="print locations")
    add("--mlir-print-ir-before", metavar="PASS,...", action="append", default=[], help="print IR before passes")
    add("--mlir-print-ir-after", metavar="PASS,...", action="append", default=[], help="print IR after passes")
    add("--mlir-print-ir-before-all", action="store_true", help="print IR before each pass")
    add("--mlir-print-ir-after-all", action="store_true", help="print IR after each pass")
    add("--mlir-print-ir-after-change", action="store_true", help="print after a pass only if the IR changed")
    add("--mlir-print-ir-after-failure", action="store_true", help="print IR after a pass that failed")
    add("--mlir-print-ir-module-scope", action="store_true", help="print the whole module, not the pass's op")
    add("--mlir-print-ir-tree-dir", metavar="DIR", help="write the printed IR as files of a directory tree")
    add("--mlir-timing", action="store_true", help="report the time of each pass on standard error")
    add("--mlir-pass-statistics", action="store_true", help="report counters of each pass on standard error")
    add("--mlir-pass-pipeline-crash-reproducer", metavar="FILE", help="on failure, write module and pipeline here")
    add("--run-reproducer", action="store_true", help="run the pipeline written in the input file")
    add("--list-passes", action="store_true", help="list all passes with their options and exit")
    add("--show-dialects", action="store_true", help="list all dialects and exit")
    add("--version", action="store_true", help="print the version and exit")
    return parser


def _boolean(default: bool) -> dict[str, Any]:
    def parse(text: str) -> bool:
        if text.lower() in ("true", "1"):
            return True
        if text.lower() in ("false", "0"):
            return False
        raise argparse.ArgumentTypeError("expected true or false")

    return {"nargs": "?", "const": True, "default": default, "type": parse, "metavar": "BOOL"}


def split_pass_flags(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """(pass flags as pipeline items, the other arguments); a pass flag is `--name` or `--name=options`."""
    from stepwell.passes.registry import PASSES

    items: list[str] = []
    rest: list[str] = []
    for argument in arguments:
        flag, equals, options = argument.partition("=")
        name = flag.lstrip("-").replace("_", "-")
        if flag.startswith("-") and name in PASSES:
            options = options.strip()
            if options.startswith("{") and options.endswith("}"):
                options = options[1:-1]
            items.append(f"{name}{{{options}}}" if equals and options else name)
        else:
            rest.append(argument)
    return items, rest


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code (0, 1 for a bad program, 2 for a wrong command line)."""
    if callable(reconfigure := getattr(sys.stdout, "reconfigure", None)):
        reconfigure(errors="backslashreplace")
    gc.set_threshold(200_000, 20, 100)  # IR is cyclic and lives as long as the process.
    pass_flags, rest = split_pass_flags(with_default_seed(sys.argv[1:] if arguments is None else arguments))
    parser = build_argument_parser()
    options, unknown = parser.parse_known_args(rest)
    if unknown:
        return _usage_error(parser, unknown[0])
    for flag, values in (("before", options.mlir_print_ir_before), ("after", options.mlir_print_ir_after)):
        for name in _names(values):
            if not _is_pass(name):
                return _unknown_pass(f"--mlir-print-ir-{flag}", name)
    if (listing := _listing(options)) is not None:
        sys.stdout.write(listing)
        return 0
    if options.pass_pipeline is not None and pass_flags:
        print("stepwell-opt: error: give either --pass-pipeline or pass flags, not both", file=sys.stderr)
        return 2
    if options.input is None and sys.stdin.isatty():
        print("stepwell-opt: error: no input file; write - to read standard input", file=sys.stderr)
        return 2
    pipeline = options.pass_pipeline if options.pass_pipeline is not None else ",".join(pass_flags)
    try:
        return _run(options, pipeline)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if os.environ.get("STEPWELL_DEBUG"):
            traceback.print_exc()
        reason = " ".join(str(error).split())[:300]
        print(f"stepwell-opt: internal error: {type(error).__name__}: {reason}", file=sys.stderr)
        return 1


def _usage_error(parser: argparse.ArgumentParser, argument: str) -> int:
    from difflib import get_close_matches

    from stepwell.passes.registry import PASSES

    name = argument.partition("=")[0]
    known = [o for a in parser._actions for o in a.option_strings] + [f"--{p}" for p in PASSES]  # pyright: ignore[reportPrivateUsage]
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    what = "unknown option or pass" if argument.startswith("-") else "unexpected argument"
    print(f"stepwell-opt: error: {what} '{argument}'", file=sys.stderr)
    if close:
        print(f"hint: did you mean '{close[0]}'?", file=sys.stderr)
    return 2


def _unknown_pass(flag: str, name: str) -> int:
    from stepwell.ir.diagnostics import close_name
    from stepwell.passes.registry import PASSES

    print(f"stepwell-opt: error: {flag}: unknown pass '{name}'", file=sys.stderr)
    print(f"hint: {close_name(name, PASSES) or 'stepwell-opt --list-passes lists all passes'}", file=sys.stderr)
    return 2


def _is_pass(name: str) -> bool:
    from stepwell.passes.registry import PASSES

    return name in PASSES


def _listing(options: argparse.Namespace) -> str | None:
    if options.version:
        from stepwell import __version__

        return f"stepwell-opt {__version__}\n"
    if options.show_dialects:
        from stepwell.dialects.registry import DIALECTS

        return "".join(f"{name}\n" for name in sorted(DIALECTS))
    if options.list_passes:
        return _list_passes()
    return None


def _list_passes() -> str:
    from stepwell.ir.pass_manager import option_infos
    from stepwell.passes.registry import PASSES, get_pass

    lines: list[str] = []
    for name in sorted(PASSES):
        try:
            cls = get_pass(name)
        except (ImportError, AttributeError) as error:
            lines.append(f"{name}: cannot be loaded: {error}")
            continue
        summary = (cls.__doc__ or "").strip().split("\n")[0]
        lines.append(f"{name}: {summary}")
        for option, kind, default in option_infos(cls):
            lines.append(f"    {option}: {kind}" + (f" (default: {default})" if default is not None else ""))
    return "\n".join(lines) + "\n" if lines else ""


# Running


@dataclass
class _Job:
    """What one run of the tool shares between the chunks of its input."""

    options: argparse.Namespace
    pipeline_text: str
    filename: str
    output: list[str]
    instrumentations: list[Instrumentation]


def _run(options: argparse.Namespace, pipeline: str) -> int:
    from stepwell.ir.errors import CompileError

    try:
        import_modules(options.imports)
        text, filename = _read(options.input)
        job = _Job(options, pipeline, filename, [], _instrumentations(options))
        code = _run_chunks(job, text)
    except CompileError as error:
        print(error, file=sys.stderr)
        return 1
    except RecursionError:
        print(f"{options.input or '-'}: error: the program is nested too deep", file=sys.stderr)
        return 1
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"{error.filename}: error: {error.strerror or error}", file=sys.stderr)
        return 1
    if code == 0 or options.split_input_file:
        try:
            _write(options.output, job.output)
        except OSError as error:
            print(f"{options.output}: error: cannot write: {error.strerror or error}", file=sys.stderr)
            return 1
    _report(job)
    return code


def _read(path: str | None) -> tuple[str, str]:
    from stepwell.ir.source_text import read_source, read_stream

    if path is None or path == "-":
        return read_stream(sys.stdin.buffer), "-"
    return read_source(path), path


def _write(path: str, output: Sequence[str]) -> None:
    text = f"{SPLIT_MARKER}\n".join(output)
    if path == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        Path(path).write_text(text, encoding="utf-8")


def _report(job: _Job) -> None:
    from stepwell.ir.instrumentation import render_reports

    sys.stderr.write(render_reports(job.instrumentations))


def _instrumentations(options: argparse.Namespace) -> list[Instrumentation]:
    from stepwell.ir import instrumentation as tools

    found: list[Instrumentation] = []
    if options.mlir_pass_pipeline_crash_reproducer is not None:
        found.append(tools.CrashReproducer(options.mlir_pass_pipeline_crash_reproducer, options.verify_each))
    printing = tools.PrintOptions(
        before=_names(options.mlir_print_ir_before),
        after=_names(options.mlir_print_ir_after),
        before_all=options.mlir_print_ir_before_all,
        after_all=options.mlir_print_ir_after_all,
        after_change=options.mlir_print_ir_after_change,
        after_failure=options.mlir_print_ir_after_failure,
        module_scope=options.mlir_print_ir_module_scope,
        generic=options.mlir_print_op_generic,
        debug_info=options.mlir_print_debuginfo,
        tree_dir=options.mlir_print_ir_tree_dir,
    )
    if options.mlir_print_ir_after_change and not printing.after:
        printing.after_all = True
    if printing.active:
        found.append(tools.IRPrinter(printing))
    if options.mlir_pass_statistics:
        found.append(tools.StatisticsInstrumentation())
    if options.verify_each:
        found.append(tools.VerifyEach())
    if options.validate_each is not None:
        found.append(_validation(options.validate_each))
    if options.mlir_timing:
        # Last, so that its clock holds the passes only.
        found.append(tools.TimingInstrumentation())
    return found


def _validation(seed: int) -> Instrumentation:
    from stepwell.validate import Validation

    return Validation(seed)


def _names(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.strip() for value in values for name in value.split(",") if name.strip())


def _run_chunks(job: _Job, text: str) -> int:
    """Process each chunk; a chunk that fails is reported and the others still run."""
    from stepwell.ir.diagnostics import DiagnosticError, diagnostic_handler
    from stepwell.ir.errors import CompileError

    code = 0
    for chunk, line_offset in _split(text) if job.options.split_input_file else [(text, 0)]:
        emitted: list[Diagnostic] = []
        try:
            if job.options.verify_diagnostics:
                with diagnostic_handler(emitted.append):
                    printed = _process(job, chunk, line_offset)
            else:
                printed = _process(job, chunk, line_offset)
            job.output.append(printed)
        except DiagnosticError as error:
            emitted.append(error.diagnostic)
            if not job.options.verify_diagnostics:
                print(error, file=sys.stderr)
                _print_cause(error)
                code = 1
        except CompileError as error:
            print(error, file=sys.stderr)
            code = 1
        if job.options.verify_diagnostics and not _check_expected(job.filename, chunk, line_offset, emitted):
            code = 1
    if job.options.verify_diagnostics:
        job.output.clear()
    return code


def _check_expected(filename: str, chunk: str, line_offset: int, emitted: Sequence[Diagnostic]) -> bool:
    from stepwell.expected import check_diagnostics

    problems = check_diagnostics(filename, chunk, line_offset, emitted)
    for problem in problems:
        print(problem.render(), file=sys.stderr)
    return not problems


def _split(text: str) -> list[tuple[str, int]]:
    """(chunk, lines before it), split at lines that start with the marker."""
    chunks: list[tuple[str, int]] = []
    current: list[str] = []
    start = 0
    for number, line in enumerate(text.split("\n")):
        if line.startswith(SPLIT_MARKER):
            chunks.append(("\n".join(current) + "\n", start))
            current, start = [], number + 1
        else:
            current.append(line)
    chunks.append(("\n".join(current), start))
    return chunks


def _process(job: _Job, chunk: str, line_offset: int) -> str:
    """Parse, verify, run the pipeline, verify and print one chunk."""
    from stepwell.dialects.registry import context as stepwell_context
    from stepwell.ir.parser import parse_with_resources
    from stepwell.ir.printer import print_ir
    from stepwell.ir.recursion import deep_recursion
    from stepwell.ir.verify import verify_module

    options = job.options
    started = time.perf_counter()
    context = stepwell_context(allow_unregistered=options.allow_unregistered_dialect)
    module, resources = parse_with_resources(chunk, job.filename, context, line_offset=line_offset)
    parsed = time.perf_counter()
    with deep_recursion():
        verify_module(module)
        verified = time.perf_counter()
        text = job.pipeline_text
        watchers = job.instrumentations
        if options.run_reproducer:
            text = _reproducer_pipeline(resources, job.filename)
            watchers = [*watchers, *_reproducer_watchers(resources, options, job.filename)]
        pipeline = _pipeline(text, context, watchers)
        if options.run_reproducer:
            _replay_native(resources, module, job.filename)
        if pipeline is not None:
            _run_pipeline(job, pipeline, module, chunk, line_offset, context)
            if not options.verify_each:
                verify_module(module)
        if options.verify_roundtrip:
            _verify_roundtrip(job, module, context)
        printing = time.perf_counter()
        printed = print_ir(module, generic=options.mlir_print_op_generic, debug_info=options.mlir_print_debuginfo)
    _add_times(
        job, {"Parser": parsed - started, "Verifier": verified - parsed, "Output": time.perf_counter() - printing}
    )
    return printed


def _run_pipeline(
    job: _Job, pipeline: Pipeline, module: ModuleOp, chunk: str, line_offset: int, context: Context
) -> None:
    """Run it; an internal error leaves a reproducer behind unless the command line names a file for it."""
    from stepwell.ir.diagnostics import InternalDiagnosticError
    from stepwell.ir.instrumentation import write_reproducer
    from stepwell.ir.parser import parse_with_resources

    try:
        pipeline.run(context, module)
    except InternalDiagnosticError as error:
        if job.options.mlir_pass_pipeline_crash_reproducer is not None:
            raise
        original, _ = parse_with_resources(chunk, job.filename, context, line_offset=line_offset)
        raise error.with_reproducer(write_reproducer(original, str(pipeline))) from error.__cause__


def _print_cause(error: BaseException) -> None:
    """With STEPWELL_DEBUG=1, where an internal error came from."""
    from stepwell.ir.errors import InternalError

    if isinstance(error, InternalError) and os.environ.get("STEPWELL_DEBUG"):
        traceback.print_exception(error)


def _pipeline(text: str, context: Context, instrumentations: Sequence[Instrumentation]) -> Pipeline | None:
    from stepwell.ir.pass_manager import build_pipeline
    from stepwell.passes.registry import PASSES, get_pass

    if not text.strip():
        return None
    return build_pipeline(text, get_pass, list(PASSES), context, instrumentations)


def _reproducer_error(filename: str, message: str, hint: str | None = None) -> Exception:
    from stepwell.ir.diagnostics import Diagnostic, InvalidProgramDiagnosticError, SourceLocation

    return InvalidProgramDiagnosticError(Diagnostic("error", SourceLocation(filename, 1, 1), message, hint=hint))


def _reproducer_pipeline(resources: dict[str, dict[str, Any]], filename: str) -> str:
    pipeline = resources.get("mlir_reproducer", {}).get("pipeline")
    if isinstance(pipeline, str):
        return pipeline
    hint = "--mlir-pass-pipeline-crash-reproducer=FILE writes one when a pass fails"
    raise _reproducer_error(filename, "the file holds no reproducer", hint)


def _reproducer_seed(resources: dict[str, dict[str, Any]], filename: str) -> int | None:
    seed = resources["mlir_reproducer"].get("validate_each")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool) or seed < 0):
        raise _reproducer_error(filename, f"the reproducer's validate_each is {seed}, expected the seed of its inputs")
    return seed


def _reproducer_watchers(
    resources: dict[str, dict[str, Any]], options: argparse.Namespace, filename: str
) -> list[Instrumentation]:
    """The validation that a reproducer asks for, unless the command line asks for one."""
    seed = _reproducer_seed(resources, filename)
    return [] if seed is None or options.validate_each is not None else [_validation(seed)]


def _replay_native(resources: dict[str, dict[str, Any]], module: ModuleOp, filename: str) -> None:
    """Compile and run the module as a reproducer of native code that differs says."""
    how = resources["mlir_reproducer"].get("native")
    if how is None:
        return
    from stepwell.validation.native import NativeSuspect, replay

    try:
        suspect = NativeSuspect.recorded(how, _reproducer_seed(resources, filename) or 0)
    except (AttributeError, ValueError):
        raise _reproducer_error(filename, f"the reproducer's native is {how!r}, expected level, simd, entry") from None
    replay(module, suspect)


def _verify_roundtrip(job: _Job, module: ModuleOp, context: Context) -> None:
    """Print and parse again, in both forms, and compare the structures: names of values and order of attributes may change."""
    from stepwell.ir.diagnostics import Diagnostic, InvalidProgramDiagnosticError, SourceLocation
    from stepwell.ir.parser import DEFAULT_LIMITS, ParseLimits, parse_module
    from stepwell.ir.printer import print_ir
    from stepwell.ir.structural_hash import structural_hash

    limits = ParseLimits(nesting=4 * DEFAULT_LIMITS.nesting)
    expected = structural_hash(module)
    for generic in (True, False):
        again = parse_module(print_ir(module, generic=generic), "<roundtrip>", context, limits=limits)
        if structural_hash(again) == expected:
            continue
        form = "generic" if generic else "custom"
        diagnostic = Diagnostic(
            "error", SourceLocation(job.filename, 1, 1), f"the {form} form does not read back as the same IR"
        )
        lines = zip(
            print_ir(module, generic=True).splitlines(), print_ir(again, generic=True).splitlines(), strict=False
        )
        for number, (before, after) in enumerate(lines, 1):
            if before != after:
                diagnostic = diagnostic.with_note(f"line {number} of the generic form printed: {before.strip()}")
                diagnostic = diagnostic.with_note(f"read back: {after.strip()}")
                break
        raise InvalidProgramDiagnosticError(diagnostic)


def _add_times(job: _Job, times: dict[str, float]) -> None:
    from stepwell.ir.instrumentation import TimingInstrumentation

    for instrumentation in job.instrumentations:
        if isinstance(instrumentation, TimingInstrumentation):
            for name, seconds in times.items():
                instrumentation.add(name, seconds)


if __name__ == "__main__":
    sys.exit(main())
