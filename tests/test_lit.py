"""The lit files, run by pytest, in this process where their commands allow it.

`lit .` runs the same files in a shell; here `stepwell-opt`, `stepwell`, `filecheck`, `cat` and `not` are
called as functions, which saves a process start per command. Anything else in a RUN line goes to a shell.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from filecheck.matcher import Matcher
from filecheck.options import parse_argv_options

ROOT = Path(__file__).resolve().parent.parent
EXCLUDED = frozenset({"data", "Inputs"})
RUN_LINE = re.compile(r"//\s*RUN:(.*)$", re.MULTILINE)
TIMEOUT_SECONDS = 600


def lit_files() -> list[Path]:
    """Every .mlir file with a RUN line below tests/."""
    files = sorted((ROOT / "tests").rglob("*.mlir"))
    return [f for f in files if EXCLUDED.isdisjoint(f.parts) and RUN_LINE.search(f.read_text())]


def run_lines(path: Path, temporary: Path) -> list[str]:
    """The commands of a file, continuation lines joined, `%s`, `%S` and `%t` filled in."""
    lines: list[str] = []
    continued = False
    for text in RUN_LINE.findall(path.read_text()):
        text = text.strip()
        part = text.removesuffix("\\").rstrip()
        if continued:
            lines[-1] += " " + part
        else:
            lines.append(part)
        continued = text.endswith("\\")
    names = {"s": str(path), "S": str(path.parent), "t": str(temporary / path.stem), "%": "%"}
    return [re.sub(r"%([sSt%])(?!\w)", lambda m: names[m[1]], line) for line in lines]


@dataclass
class Stage:
    """One command of a pipe: its words, `not` taken off, and where its streams go."""

    words: list[str]
    negated: bool
    errors_to_output: bool
    output_dropped: bool


def parse_stages(line: str) -> list[Stage] | None:
    """The stages of a pipe of known commands; None when a shell is needed."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|<>;&")
    lexer.whitespace_split = True
    stages: list[Stage] = []
    for words in _split(list(lexer), "|"):
        stage = _parse_stage(words)
        if stage is None:
            return None
        stages.append(stage)
    return stages


def _split(words: Sequence[str], separator: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word == separator:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _parse_stage(words: list[str]) -> Stage | None:
    text = " ".join(words)
    merged = "2 >& 1" in text
    dropped = merged and text.endswith("> /dev/null")
    words = words[: words.index("2")] if merged and words[words.index("2") + 1 :][:1] == [">&"] else words
    if any(set(word) <= set("|<>;&") for word in words):
        return None
    negated = words[:1] == ["not"]
    words = words[1:] if negated else words
    known = bool(words) and words[0] in COMMANDS
    return Stage(words, negated, merged, dropped) if known else None


def _opt(arguments: list[str]) -> int:
    from stepwell.opt import main

    return main(arguments)


def _cli(arguments: list[str]) -> int:
    from stepwell.cli import main

    return main(arguments)


def _filecheck(arguments: list[str]) -> int:
    return Matcher.from_opts(parse_argv_options(["filecheck", *arguments])).run()


def _cat(arguments: list[str]) -> int:
    for name in arguments:
        sys.stdout.write(Path(name).read_text())
    return 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "cat": _cat,
    "filecheck": _filecheck,
    "stepwell": _cli,
    "stepwell-opt": _opt,
}


@dataclass
class Outcome:
    """What a command did."""

    code: int
    output: bytes
    errors: bytes


def call(stage: Stage, given: bytes) -> Outcome:
    """Run a command function with its standard streams replaced; `2>&1` makes the two one."""
    saved = sys.stdin, sys.stdout, sys.stderr
    output, errors = io.BytesIO(), io.BytesIO()
    if stage.errors_to_output and stage.output_dropped:
        output, errors = io.BytesIO(), output
    elif stage.errors_to_output:
        errors = output
    sys.stdin = io.TextIOWrapper(io.BytesIO(given))
    sys.stdout = io.TextIOWrapper(output, write_through=True)
    sys.stderr = io.TextIOWrapper(errors, write_through=True)
    try:
        code = COMMANDS[stage.words[0]](stage.words[1:])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        result = output.getvalue(), errors.getvalue()
        sys.stdin, sys.stdout, sys.stderr = saved
    return Outcome(code, *result)


def run_stages(stages: Sequence[Stage], line: str) -> None:
    """Run a pipe; any stage that fails (or, negated, does not) fails the test."""
    given = b""
    log: list[str] = []
    for stage in stages:
        outcome = call(stage, given)
        given = outcome.errors if stage.errors_to_output else outcome.output
        log.append(f"$ {shlex.join(stage.words)}  -> {outcome.code}\n{outcome.errors.decode(errors='replace')}")
        if (outcome.code == 0) == stage.negated:
            pytest.fail(f"{line}\n" + "\n".join(log) + given.decode(errors="replace")[-4000:], pytrace=False)


def run_in_shell(line: str) -> None:
    """Run a line that needs a shell, with this interpreter's tools first on the path."""
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        env={**os.environ, "PATH": path},
        check=False,
    )
    if done.returncode:
        pytest.fail(f"{line}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}", pytrace=False)


@pytest.mark.parametrize("path", lit_files(), ids=lambda p: str(p.relative_to(ROOT / "tests")))
def test_lit_file(path: Path, tmp_path: Path):
    for line in run_lines(path, tmp_path):
        stages = parse_stages(line)
        if stages is None:
            run_in_shell(line)
        else:
            run_stages(stages, line)


def test_a_failing_check_fails(tmp_path: Path):
    """The harness itself: a wrong CHECK, a failing command and a `not` that succeeds are failures."""
    source = tmp_path / "wrong.mlir"
    source.write_text("// CHECK: nowhere\nfunc.func @f() { func.return }\n")
    broken = tmp_path / "broken.mlir"
    broken.write_text("func.func @f( {")
    for line in (
        f"stepwell-opt {source} | filecheck {source}",
        f"stepwell-opt {broken} | cat {source}",
        f"not stepwell-opt {source}",
    ):
        stages = parse_stages(line)
        assert stages is not None
        with pytest.raises(pytest.fail.Exception):
            run_stages(stages, line)


def test_redirections_are_understood():
    stages = parse_stages("not stepwell-opt a.mlir 2>&1 >/dev/null | filecheck a.mlir --check-prefix=X")
    assert stages is not None
    assert stages[0] == Stage(["stepwell-opt", "a.mlir"], True, True, True)
    assert stages[1] == Stage(["filecheck", "a.mlir", "--check-prefix=X"], False, False, False)
    assert parse_stages("stepwell-opt a.mlir > out.txt") is None
    assert parse_stages("env X=1 stepwell-opt a.mlir") is None
