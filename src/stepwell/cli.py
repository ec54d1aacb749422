"""The `stepwell` command: run, compile, explain, tune, reduce, targets, doctor.

Errors go to standard error with their location and exit code 1; a wrong command line is exit code 2.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell import cache_command as cache
from stepwell.errors import CompileError, InternalError, InvalidProgramError
from stepwell.explanation import command as explanation
from stepwell.fuzz import command as fuzz
from stepwell.imports import IMPORT, IMPORT_HELP, import_modules
from stepwell.program_input import MOST_BYTES, NamedText
from stepwell.tuning import command as tuning

if TYPE_CHECKING:
    import numpy as np

    from stepwell.target_names import TargetName

EXAMPLES = """examples:
  stepwell run model.mlir --inputs in.npz --expect out.npz
  stepwell run model.mlir --inputs in.npz --outputs result.npz --simd avx2
  stepwell compile model.mlir --emit=kernels            # print the module at a step
  stepwell compile model.mlir --emit=asm -o model.s
  stepwell run model.mlir --inputs in.npz --target gpu-sim   # a GPU, simulated
  stepwell compile model.mlir --target cuda:sm_90 --emit=ptx
  stepwell compile model.mlir --target amdgpu:gfx90a --emit=gcn
  stepwell explain model.mlir                           # its kernels, their costs and schedules, and why
  stepwell explain model.mlir --emit-schedules -o s.json && stepwell compile model.mlir --schedules s.json --emit=obj -o m.o
  stepwell tune model.mlir --budget 2m                  # measure other schedules; -O3 takes what is better
  stepwell-opt model.mlir --pass-pipeline='builtin.module(canonicalize,cse)'
  stepwell compile model.mlir --validate-each          # hold every pass, and the code, against the interpreter
  stepwell reduce model.mlir --test ./is-interesting -o small.mlir
  stepwell fuzz --count 100                             # random programs against the interpreter
  stepwell doctor
"""

STEPS = ("tensor", "structured", "kernels", "scheduled", "buffers", "device")
EMIT = (*STEPS, "llvm", "asm", "obj", "ptx", "cubin", "gcn", "resources")
SIMD = ("avx512", "avx2", "sse4.2", "scalar")


REDUCE = """Delta debugging: drops functions, ops, results and arguments, bypasses ops, runs regions once, simplifies constants and shrinks
shapes, as long as COMMAND exits with 0 on what is left. Every candidate is a valid program; the same command gives the same result."""


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError(text)
    return value


_seconds.__name__ = "number of seconds"


def _add_program_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE.mlir", help="the program, at any step; '-' reads standard input")
    parser.add_argument("--entry", default="main", help="the function to run (default: main)")
    parser.add_argument(
        "--target",
        type=_target,
        metavar="TARGET",
        help="cpu, interpreter, gpu-sim, cuda or amdgpu, and a machine: cpu:avx2, cuda:sm_90 (stepwell targets lists them; "
        "default: STEPWELL_TARGET, else what the program is compiled for, else cpu)",
    )
    parser.add_argument(
        "--target-cpu",
        metavar="CPU",
        help="make code for this processor, such as haswell or znver4, instead of the machine at hand: short for --target cpu:CPU",
    )
    parser.add_argument(
        "--target-features",
        metavar="FEATURES",
        help="what it has beyond its name or lacks, as in +avx512vnni,-avx512bf16, with what follows from that; short for "
        "--target cpu:CPU,FEATURES; without a CPU, of the machine at hand",
    )
    parser.add_argument("-O", dest="opt_level", type=int, choices=range(4), default=2, help="optimization level")
    parser.add_argument(IMPORT, metavar="MODULE", action="append", default=[], dest="imports", help=IMPORT_HELP)
    parser.add_argument(
        "--simd", choices=SIMD, help="instruction set instead of the host's widest (default: STEPWELL_SIMD, if set)"
    )
    parser.add_argument(
        "--schedules",
        metavar="FILE",
        help="schedules for kernels instead of those chosen, as explain --emit-schedules writes them",
    )
    parser.add_argument(
        "--fp-contract",
        action="store_true",
        help="let a product and the sum it goes into be one op that rounds once (docs/floating-point.md)",
    )
    parser.add_argument(
        "--winograd",
        type=int,
        choices=(0, 2, 4),
        default=0,
        help="let convolutions be Winograd's F(2x2, 3x3), with 4 F(4x4, 3x3) as well, where quicker (docs/floating-point.md)",
    )
    parser.add_argument(
        "--latency-target",
        type=int,
        metavar="NS",
        help="nanoseconds that a call's code should take at most: no thread is woken for little work, and an estimate above is "
        "said (docs/latency.md)",
    )
    parser.add_argument(
        "--unchecked-indices",
        action="store_true",
        help="all indices of slices, gathers and scatters are in range, you promise: they are not checked, and one that is not may "
        "read or write any memory (docs/latency.md)",
    )
    parser.add_argument("--verify-each", action="store_true", help="run the verifier after every pass")
    parser.add_argument(
        "--validate-each",
        type=int,
        metavar="SEED",
        help="run the program in the interpreter before and after each pass, and natively at the end, on inputs made from "
        "SEED (default: 0; write --validate-each=SEED); exit code 1 at the first difference, reduced",
    )


def _target(text: str) -> TargetName:
    """A target on the command line: a wrong one is a wrong command line."""
    from stepwell.target_names import parse_target

    try:
        return parse_target(text)
    except InvalidProgramError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _combined_target(arguments: argparse.Namespace) -> TargetName | None:
    """The target that --target, --target-cpu and --target-features ask for together.

    Raises:
        InvalidProgramError: they ask for two.
    """
    cpu, features = arguments.target_cpu, arguments.target_features
    if cpu is None and features is None:
        return arguments.target
    from stepwell.target_names import parse_target

    target: TargetName | None = arguments.target
    if target is not None and (target.kind != "cpu" or (cpu is not None and target.variant is not None)):
        raise InvalidProgramError(f"--target {target} and --target-cpu or --target-features are two targets")
    name = cpu or (target.variant if target is not None else None) or "native"
    return parse_target(f"cpu:{name}" + (f",{features}" if features else ""))


def _tolerance(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError(text)
    return value


_tolerance.__name__ = "tolerance (a finite number, 0 or more)"


def _add_reduce(commands: Any) -> None:
    reduce = commands.add_parser(
        "reduce", help="make a program smaller while a test command goes on succeeding", description=REDUCE
    )
    reduce.add_argument("file", metavar="FILE.mlir", help="the program, at any step; '-' reads standard input")
    reduce.add_argument(
        "--test",
        required=True,
        metavar="COMMAND",
        help="called with the path of a candidate after its own words; exit code 0 means the candidate is interesting",
    )
    reduce.add_argument("--shell", action="store_true", help="run COMMAND by the shell, the path in place of its $1")
    reduce.add_argument("--timeout", type=_seconds, default=60.0, help="seconds a test may take (default: 60)")
    reduce.add_argument("--max-tests", type=int, metavar="N", help="end after N tests (default: when nothing helps)")
    reduce.add_argument("-o", dest="output", metavar="FILE", default="-", help="where to write ('-': standard output)")
    reduce.add_argument("--quiet", action="store_true", help="do not show progress on standard error")
    reduce.set_defaults(handler=reduce_command)


def _add_targets(commands: Any) -> None:
    targets = commands.add_parser("targets", help="list the targets, one a line, and what this machine is and can do")
    targets.add_argument(
        "--measure",
        action="store_true",
        help="measure peak and bandwidth of this machine (seconds, better while it is idle) and keep them for explain and profiles",
    )
    targets.add_argument("--simd", choices=SIMD, help="the instruction set to measure instead of the host's widest")
    targets.add_argument("--json", action="store_true", help="as JSON")
    targets.set_defaults(handler=targets_command)


def build_parser() -> argparse.ArgumentParser:
    """The command line of `stepwell`."""
    from stepwell import __version__

    parser = argparse.ArgumentParser(
        prog="stepwell",
        description="A multi-level tensor compiler: StableHLO programs down to AVX code or PTX, step by printable step.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"stepwell {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="compile a program, run it on arrays, show or compare its results")
    _add_program_arguments(run)
    run.add_argument("--inputs", metavar="IN.npz", help="arguments: npz with N@dtype keys, plain npz, or one npy")
    run.add_argument("--expect", metavar="OUT.npz", help="compare the results; exit code 1 on a difference")
    run.add_argument(
        "--step", choices=STEPS, help="with --target interpreter or gpu-sim: lower to this step, then interpret"
    )
    run.add_argument("--outputs", metavar="FILE.npz", help="write the results")
    run.add_argument(
        "--profile",
        metavar="TRACE.json",
        help="run a build that measures its kernels, print the times and write a trace for Chrome or Perfetto",
    )
    run.add_argument("--repeat", type=int, metavar="N", help="calls that --profile measures (default: 10)")
    run.add_argument(
        "--rtol", type=_tolerance, help="relative tolerance instead of the table's (docs/floating-point.md)"
    )
    run.add_argument("--atol", type=_tolerance, help="absolute tolerance instead of the table's")
    run.set_defaults(handler=run_command)

    compile_ = commands.add_parser(
        "compile",
        help="print or write a program at any step, or as code: of a CPU llvm, asm, obj; of a GPU llvm, ptx and cubin or gcn, resources",
    )
    _add_program_arguments(compile_)
    compile_.add_argument("--emit", choices=EMIT, default="device", help="what to make (default: device)")
    compile_.add_argument(
        "-o", dest="output", metavar="FILE", default="-", help="where to write ('-': standard output)"
    )
    compile_.add_argument("--mlir-timing", action="store_true", help="print each pass's time to standard error")
    compile_.set_defaults(handler=compile_command)

    explanation.add_parser(commands, _add_program_arguments)
    commands.choices["explain"].set_defaults(handler=explain_command)

    tuning.add_parser(commands, SIMD)
    commands.choices["tune"].set_defaults(handler=tune_command)

    _add_reduce(commands)
    _add_targets(commands)

    fuzz.add_parser(commands)

    cache.add_parser(commands)

    doctor = commands.add_parser("doctor", help="show versions, CPU features, LLVM, GPU and CUDA")
    doctor.set_defaults(handler=doctor_command)
    return parser


def _program(arguments: argparse.Namespace) -> Any:
    if arguments.file != "-":
        return Path(arguments.file)
    from stepwell.source import read_module

    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise InvalidProgramError("standard input is closed")
    return read_module(sys.stdin.buffer, "<stdin>")


def _read_program(file: str) -> Path | NamedText:
    """The program a command is to run: it may not have to be parsed."""
    if file != "-":
        return Path(file)
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise InvalidProgramError("standard input is closed")
    return NamedText(sys.stdin.buffer.read(MOST_BYTES + 1), "<stdin>")


def _preview(array: np.ndarray[Any, Any]) -> str:
    import numpy as np

    flat = array.reshape(-1)[:6]
    with np.printoptions(precision=6, suppress=False):
        values = ", ".join(str(v) for v in flat)
    return f"[{values}{', ...' if array.size > 6 else ''}]"


def run_command(arguments: argparse.Namespace) -> int:
    """`stepwell run`."""
    import numpy as np

    from stepwell.arrays import load_arrays, save_arrays
    from stepwell.compiling import compile_request
    from stepwell.request import checked_request
    from stepwell.runtime.arguments import check_arguments

    _check_belongs(arguments, "profile", ("repeat",))
    _check_belongs(arguments, "expect", ("rtol", "atol"))
    inputs = load_arrays(arguments.inputs) if arguments.inputs is not None else []
    expected = load_arrays(arguments.expect) if arguments.expect is not None else None
    for written in (arguments.outputs, arguments.profile):
        if written is not None:
            _check_writable(written)
    request = checked_request(
        entry=arguments.entry,
        target=arguments.target,
        opt_level=arguments.opt_level,
        simd=arguments.simd,
        verify_each=arguments.verify_each,
        validate=arguments.validate_each,
        step=arguments.step,
        schedules=arguments.schedules,
        fp_contract=arguments.fp_contract,
        winograd=arguments.winograd,
        latency_target_ns=arguments.latency_target,
        unchecked_indices=arguments.unchecked_indices,
    )
    program = _read_program(arguments.file)
    compiled = compile_request(program, request, lambda signature: check_arguments(inputs, signature.inputs))
    executable = compiled.executable
    if arguments.profile is None:
        made = executable(*inputs)
    else:
        profile = executable.profile(*inputs, repeat=10 if arguments.repeat is None else arguments.repeat)
        _write(arguments.profile, profile.trace())
        print(profile.text)
        made = profile.results
    results = [np.asarray(result) for result in made]
    for i, result in enumerate(results):
        shape = "x".join(str(d) for d in result.shape)
        print(f"result {i}: {result.dtype.name}[{shape}] {_preview(result)}")
    if arguments.outputs is not None:
        save_arrays(arguments.outputs, results)
    return 0 if expected is None else _compare(arguments, results, expected, compiled.element_dtypes)


def _check_belongs(arguments: argparse.Namespace, option: str, others: Sequence[str]) -> None:
    """Refuse options that would do nothing without another one."""
    for name in others:
        if getattr(arguments, name) is not None and getattr(arguments, option) is None:
            raise InvalidProgramError(f"--{name} does nothing without --{option}")


def _compare(
    arguments: argparse.Namespace, results: Sequence[Any], expected: Sequence[Any], through: Sequence[Any]
) -> int:
    from stepwell.compare import Tolerance, first_difference, tolerance_for

    if len(results) != len(expected):
        raise InvalidProgramError(f"{arguments.expect}: {len(expected)} arrays for {len(results)} results")
    failed = 0
    for i, (got, want) in enumerate(zip(results, expected, strict=True)):
        table = tolerance_for(want.dtype, through)
        tolerance = Tolerance(
            table.rtol if arguments.rtol is None else arguments.rtol,
            table.atol if arguments.atol is None else arguments.atol,
        )
        difference = first_difference(got, want, tolerance)
        if difference is not None:
            failed += 1
            print(f"{arguments.file}: error: result {i}: {difference}", file=sys.stderr)
    if failed:
        return 1
    print(f"all {len(expected)} results match {arguments.expect}")
    return 0


def _output_is_closed() -> bool:
    return sys.stdout is None  # pyright: ignore[reportUnnecessaryComparison]


def _check_writable(path: str) -> None:
    """Refuse a path that cannot be written before time is spent on what to write."""
    reason = None
    if Path(path).is_dir():
        reason = "is a directory"
    elif not Path(path).parent.is_dir():
        reason = f"no directory {Path(path).parent}"
    if reason is not None:
        raise InvalidProgramError(f"{path}: error: cannot write: {reason}")


def _write(path: str, content: str | bytes) -> None:
    data = content if isinstance(content, bytes) else content.encode()
    if path == "-":
        if _output_is_closed():
            raise InvalidProgramError("standard output is closed")
        sys.stdout.flush()
        buffer = getattr(sys.stdout, "buffer", None)
        if buffer is not None:
            buffer.write(data)
        else:
            sys.stdout.write(data.decode())
        return
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise InvalidProgramError(f"{path}: error: cannot write: {error.strerror}") from None


def compile_command(arguments: argparse.Namespace) -> int:
    """`stepwell compile`."""
    from stepwell.native import emit

    binary = {"obj": "an object file", "cubin": "a cubin"}.get(arguments.emit)
    if binary is not None and arguments.output == "-" and not _output_is_closed() and sys.stdout.isatty():
        raise InvalidProgramError(f"{binary} does not belong on a terminal; name a file with -o")
    if arguments.output != "-":
        _check_writable(arguments.output)
    content = emit(
        _program(arguments),
        arguments.emit,
        entry=arguments.entry,
        target=arguments.target,
        opt_level=arguments.opt_level,
        simd=arguments.simd,
        verify_each=arguments.verify_each,
        schedules=arguments.schedules,
        fp_contract=arguments.fp_contract,
        winograd=arguments.winograd,
        latency_target_ns=arguments.latency_target,
        unchecked_indices=arguments.unchecked_indices,
        timing=arguments.mlir_timing,
        validate=arguments.validate_each,
    )
    _write(arguments.output, content)
    return 0


def explain_command(arguments: argparse.Namespace) -> int:
    """`stepwell explain`."""
    if arguments.output != "-":
        _check_writable(arguments.output)
    _write(arguments.output, explanation.explain_command(arguments, _program(arguments)))
    return 0


def tune_command(arguments: argparse.Namespace) -> int:
    """`stepwell tune`."""
    if arguments.output is not None:
        _check_writable(arguments.output)
    return tuning.tune_command(arguments, _program(arguments))


def reduce_command(arguments: argparse.Namespace) -> int:
    """`stepwell reduce`."""
    from stepwell.reduce import CommandTest, reduce_program

    if arguments.output != "-":
        _check_writable(arguments.output)
    test = CommandTest(arguments.test, shell=arguments.shell, timeout=arguments.timeout)
    text = reduce_program(
        _program(arguments),
        test,
        most_tests=arguments.max_tests,
        progress=None if arguments.quiet else lambda line: print(line, file=sys.stderr, flush=True),
    )
    _write(arguments.output, text)
    return 0


def targets_command(arguments: argparse.Namespace) -> int:
    """`stepwell targets`."""
    from stepwell.measuring import describe

    show: Any = None if arguments.json else lambda line: print(line, file=sys.stderr, flush=True)
    print(describe(arguments.simd, measured=arguments.measure, as_json=arguments.json, progress=show))
    return 0


def doctor_command(arguments: argparse.Namespace) -> int:
    """`stepwell doctor`."""
    from stepwell.doctor import report

    print(report())
    return 0


def _run(arguments: argparse.Namespace) -> int:
    """The command, and what it printed on its way: a full disk must not pass for success."""
    import_modules(getattr(arguments, "imports", []))
    if "target_cpu" in arguments:
        arguments.target = _combined_target(arguments)
    code = arguments.handler(arguments)
    if not _output_is_closed():
        sys.stdout.flush()
    return code


def _drop_output() -> None:
    """Send what is still buffered nowhere, so that nothing is reported again when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    # A bare --validate-each takes none of the words after it.
    arguments = build_parser().parse_args([f"{w}=0" if w == "--validate-each" else w for w in words])
    try:
        return _run(arguments)
    except CompileError as error:
        if isinstance(error, InternalError) and os.environ.get("STEPWELL_DEBUG"):
            raise
        message = str(error)
        print(message if "error:" in message else f"stepwell: error: {message}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        _drop_output()
        return 1
    except OSError as error:
        what = "cannot write the output: " if error.filename is None else f"{error.filename}: "
        print(f"stepwell: error: {what}{error.strerror or error}", file=sys.stderr)
        _drop_output()
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if os.environ.get("STEPWELL_DEBUG"):
            raise
        reason = " ".join(str(error).split())[:500]
        print(f"stepwell: internal error: {type(error).__name__}: {reason}", file=sys.stderr)
        print("note: STEPWELL_DEBUG=1 shows where; please report it", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
