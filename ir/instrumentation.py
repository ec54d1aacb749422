"""What watches a pipeline: timing, IR printing, verification, statistics and the crash reproducer.

An `Instrumentation` gets a call around the pipeline and around each pass on each op. All text goes to a stream (standard error
by default), so that a tool's standard output holds only IR.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from xdsl.ir import Operation

from stepwell.ir.passes import Pass
from stepwell.ir.printer import print_ir
from stepwell.ir.verify import VerifyDiagnosticError, verify_module


class Instrumentation:
    """Base class; every hook does nothing."""

    def before_pipeline(self, pipeline: object, op: Operation) -> None:
        """Called once before the first pass."""

    def after_pipeline(self, pipeline: object, op: Operation) -> None:
        """Called once after the last pass."""

    def pipeline_failed(self, pipeline: object, op: Operation, error: BaseException) -> None:
        """Called when an exception leaves the pipeline."""

    def before_pass(self, item: Pass, op: Operation) -> None:
        """Called before `item` runs on `op`."""

    def after_pass(self, item: Pass, op: Operation) -> None:
        """Called after `item` ran on `op`."""

    def pass_failed(self, item: Pass, op: Operation, error: Exception) -> None:
        """Called when `item` raised `error` on `op`."""


def symbol_of(op: Operation) -> str | None:
    """The symbol name of `op`, if it has one."""
    symbol = op.properties.get("sym_name") or op.attributes.get("sym_name")
    return None if symbol is None else str(getattr(symbol, "data", symbol))


# Statistics


@dataclass
class PassStatistics:
    """Counters of one pass over all ops it ran on."""

    runs: int = 0
    counters: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, name: str, amount: int) -> None:
        """Add to a counter."""
        self.counters[name] = self.counters.get(name, 0) + amount


_current: list[PassStatistics] = []


def count(name: str, amount: int = 1) -> None:
    """Add to a counter of the running pass (`visited`, `rewritten`, ...); free when nobody collects."""
    if _current:
        _current[-1].add(name, amount)


class StatisticsInstrumentation(Instrumentation):
    """Counts runs, ops before and after, and whatever passes `count`."""

    def __init__(self) -> None:
        self.passes: dict[str, PassStatistics] = {}

    def before_pass(self, item: Pass, op: Operation) -> None:
        """Open the pass's counters."""
        statistics = self.passes.setdefault(item.name, PassStatistics())
        statistics.runs += 1
        statistics.add("ops-before", sum(1 for _ in op.walk()))
        _current.append(statistics)

    def after_pass(self, item: Pass, op: Operation) -> None:
        """Close the pass's counters."""
        _current.pop().add("ops-after", sum(1 for _ in op.walk()))

    def pass_failed(self, item: Pass, op: Operation, error: Exception) -> None:
        """Close the pass's counters."""
        _current.pop()

    def report(self) -> str:
        """A table, one pass a block."""
        lines = [
            "===" + "-" * 73 + "===",
            "                         ... Pass statistics report ...",
            "===" + "-" * 73 + "===",
        ]
        for name, statistics in self.passes.items():
            lines.append(f"{name}: {statistics.runs} run(s)")
            lines.extend(f"  {value:>10} {counter}" for counter, value in statistics.counters.items())
        return "\n".join(lines) + "\n"


# Timing


@dataclass
class _Timer:
    name: str
    seconds: float = 0.0
    children: dict[str, _Timer] = field(default_factory=dict[str, "_Timer"])

    def child(self, name: str) -> _Timer:
        return self.children.setdefault(name, _Timer(name))


class TimingInstrumentation(Instrumentation):
    """Wall time per pass as a tree: op names, then passes."""

    def __init__(self) -> None:
        self.root = _Timer("total")
        self._starts: list[float] = []

    def before_pass(self, item: Pass, op: Operation) -> None:
        """Start the clock."""
        self._starts.append(time.perf_counter())

    def after_pass(self, item: Pass, op: Operation) -> None:
        """Stop the clock."""
        seconds = time.perf_counter() - self._starts.pop()
        timer = self.root
        if op.parent is not None:
            timer = timer.child(f"'{op.name}' pipeline")
            timer.seconds += seconds
        timer.child(item.name).seconds += seconds

    def pass_failed(self, item: Pass, op: Operation, error: Exception) -> None:
        """Stop the clock."""
        self.after_pass(item, op)

    def add(self, name: str, seconds: float) -> None:
        """Add time spent outside of passes (parsing, printing)."""
        self.root.child(name).seconds += seconds

    def report(self) -> str:
        """The tree with seconds and percent of the total."""
        total = sum(child.seconds for child in self.root.children.values())
        lines = [
            "===" + "-" * 73 + "===",
            "                         ... Execution time report ...",
            "===" + "-" * 73 + "===",
        ]
        lines += [f"  Total Execution Time: {total:.4f} seconds", "", "  ----Wall Time----  ----Name----"]

        def add(timer: _Timer, depth: int) -> None:
            percent = 100 * timer.seconds / total if total else 0.0
            lines.append(f"  {timer.seconds:8.4f} ({percent:5.1f}%)  {'  ' * depth}{timer.name}")
            for child in timer.children.values():
                add(child, depth + 1)

        for child in self.root.children.values():
            add(child, 0)
        lines.append(f"  {total:8.4f} (100.0%)  Total")
        return "\n".join(lines) + "\n"


# Printing


@dataclass
class PrintOptions:
    """When and how `IRPrinter` prints; a set of pass names, or all."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    before_all: bool = False
    after_all: bool = False
    after_change: bool = False
    after_failure: bool = False
    module_scope: bool = False
    generic: bool = False
    debug_info: bool = False
    tree_dir: str | None = None

    @property
    def active(self) -> bool:
        """True when something would be printed."""
        return bool(
            self.before or self.after or self.before_all or self.after_all or self.after_failure or self.tree_dir
        )


class IRPrinter(Instrumentation):
    """Prints the IR before or after passes, to a stream or as files of a directory tree."""

    def __init__(self, options: PrintOptions, stream: TextIO | None = None):
        self.options = options
        self.stream = stream
        self._digests: list[bytes] = []
        self._numbers: dict[str, int] = {}

    def before_pass(self, item: Pass, op: Operation) -> None:
        """Print before `item` if asked."""
        if self.options.before_all or item.name in self.options.before:
            self._write("Before", item, op)
        if self.options.after_change:
            self._digests.append(self._digest(op))

    def after_pass(self, item: Pass, op: Operation) -> None:
        """Print after `item` if asked (and, with after-change, if the IR differs)."""
        options = self.options
        unchanged = options.after_change and self._digests.pop() == self._digest(op)
        wanted = options.after_all or item.name in options.after
        implied = options.tree_dir is not None and not (options.before or options.before_all or options.after)
        if (wanted or implied) and not unchanged:
            self._write("After", item, op)

    def pass_failed(self, item: Pass, op: Operation, error: Exception) -> None:
        """Print what a failed pass left behind if asked."""
        if self.options.after_change:
            self._digests.pop()
        if self.options.after_failure:
            self._write("After", item, op, " Failed")

    def _digest(self, op: Operation) -> bytes:
        return hashlib.sha256(print_ir(op, generic=True).encode()).digest()

    def _write(self, when: str, item: Pass, op: Operation, suffix: str = "") -> None:
        symbol = symbol_of(op)
        where = f" ('{op.name}' operation{f': @{symbol}' if symbol is not None else ''})"
        if op.parent is None and symbol is None:
            where = f" ({op.name})"
        shown = op
        if self.options.module_scope:
            while (parent := shown.parent_op()) is not None:
                shown = parent
        text = f"// -----// IR Dump {when} {item.name}{suffix}{where} //----- //\n"
        text += _print_even_if_broken(shown, self.options)
        if self.options.tree_dir is not None:
            self._write_file(self.options.tree_dir, item, op, text, when)
        else:
            print(text, file=self.stream or sys.stderr)

    def _write_file(self, root: str, item: Pass, op: Operation, text: str, when: str) -> None:
        parts: list[str] = []
        current: Operation | None = op
        while current is not None:
            parts.append(f"{current.name.replace('.', '_')}_{_file_part(symbol_of(current))}")
            current = current.parent_op()
        folder = Path(root, *reversed(parts))
        number = self._numbers.get(str(folder), 0)
        self._numbers[str(folder)] = number + 1
        folder.mkdir(parents=True, exist_ok=True)
        before = "_before" if when == "Before" else ""
        (folder / f"{number}_{item.name}{before}.mlir").write_text(text, encoding="utf-8")


def _file_part(symbol: str | None) -> str:
    if symbol is None:
        return "no-symbol-name"
    return "".join(c if c.isalnum() or c in "_-." else "_" for c in symbol)[:100]


def _print_even_if_broken(op: Operation, options: PrintOptions) -> str:
    try:
        return print_ir(op, generic=options.generic, debug_info=options.debug_info)
    except Exception:
        try:
            return print_ir(op, generic=True)
        except Exception as error:
            return f"// cannot be printed: {type(error).__name__}: {error}\n"


# Verification


class VerifyEach(Instrumentation):
    """Verifies the op after each pass and names the pass that broke it."""

    def after_pass(self, item: Pass, op: Operation) -> None:
        """Verify `op`."""
        try:
            verify_module(op)
        except VerifyDiagnosticError as error:
            note = f"the IR is not valid after pass '{item.name}'"
            raise VerifyDiagnosticError(error.diagnostic.with_note(note), error.op) from None


# Reproducer


class CrashReproducer(Instrumentation):
    """Writes the module as it was before the pipeline, and the pipeline, to a file when a pass fails."""

    def __init__(self, path: str, verify_each: bool = True):
        self.path = path
        self.verify_each = verify_each
        self._text = ""

    def before_pipeline(self, pipeline: object, op: Operation) -> None:
        """Remember the module."""
        self._text = print_ir(op, generic=True, debug_info=True)

    def pipeline_failed(self, pipeline: object, op: Operation, error: BaseException) -> None:
        """Write the file and say so."""
        Path(self.path).write_text(reproducer(self._text, str(pipeline), self.verify_each), encoding="utf-8")
        print(f"note: a reproducer was written to '{self.path}'", file=sys.stderr)


def reproducer(
    module: str, pipeline: str, verify_each: bool = True, *, validate: int | None = None, native: str | None = None
) -> str:
    """A module's text with the pipeline that fails on it, as `stepwell-opt --run-reproducer` reads it.

    `validate`: the seed of the inputs on which a pass changes results. `native`: the options of native code that differs.
    """
    lines = [f"pipeline: {_quoted(pipeline)}", "disable_threading: true", f"verify_each: {str(verify_each).lower()}"]
    if validate is not None:
        lines.append(f"validate_each: {validate}")
    if native is not None:
        lines.append(f"native: {_quoted(native)}")
    entries = ",\n".join(f"      {line}" for line in lines)
    return f"{module}\n{{-#\n  external_resources: {{\n    mlir_reproducer: {{\n{entries}\n    }}\n  }}\n#-}}\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def write_reproducer(module: Operation, pipeline: str) -> str | None:
    """Write a reproducer of an internal error to a new temporary file; its path, or None where none can be written."""
    text = reproducer(print_ir(module, generic=True, debug_info=True), pipeline)
    try:
        descriptor, path = tempfile.mkstemp(prefix="stepwell-reproducer-", suffix=".mlir")
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return None
    return path


def render_reports(instrumentations: Sequence[Instrumentation]) -> str:
    """The reports of the timing and statistics among `instrumentations`."""
    return "".join(
        instrumentation.report()
        for instrumentation in instrumentations
        if isinstance(instrumentation, TimingInstrumentation | StatisticsInstrumentation)
    )
