"""`--validate-each`: what a program computes before a pass and after it, held against each other in the interpreter.

A `Validation` watches pipelines. At the first pass it makes inputs for every function that can be called with arrays (the entry,
or all public ones), and runs them; after each pass that changed the module it runs them again. Results must stay as they are, bit
for bit where the pass says so (`Pass.numerics`), else as far as rounding explains. A difference is a `MiscompileError`: it names
the pass, the function, reduced, the inputs, both results, and a file that `stepwell-opt --run-reproducer` replays.
What cannot be run is never skipped silently: a remark says what is not validated, and why.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from stepwell.arrays import save_arrays
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.dialects.stepwell import ABI
from stepwell.generated_inputs import KINDS, Array, Kind, NoInputError, generated_inputs
from stepwell.ir.diagnostics import Diagnostic, DiagnosticError, emit, location_of, op_diagnostic
from stepwell.ir.errors import InvalidProgramError, MiscompileError
from stepwell.ir.instrumentation import Instrumentation, reproducer
from stepwell.ir.pass_manager import Nested, Pipeline
from stepwell.ir.passes import ANY_ANCHOR, Pass
from stepwell.ir.printer import print_ir
from stepwell.ir.structural_hash import structural_hash
from stepwell.reduction.reducer import NotInterestingError, count_ops, reduce_module
from stepwell.validation.execution import Interface, Outcome, call, find_function
from stepwell.validation.judgement import difference
from stepwell.validation.sensitivity import SCALES, noisy_rules

REDUCTION_TESTS = 400
"""How many candidates the reduction of a miscompiled function may try."""


_MOST_SHOWN = 4000
"""Characters of a module that a message shows."""


class MiscompileDiagnosticError(DiagnosticError, MiscompileError):
    """A pass, or native code, changed what a function computes; `files` are what was written about it."""

    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Difference:
    """One function on one set of inputs, before and after a pass."""

    function: str
    kind: Kind
    message: str
    inputs: tuple[Array, ...]
    before: tuple[Array, ...] | None
    after: tuple[Array, ...] | None


@dataclass
class _Subject:
    """A function that is watched: its inputs, and what it gave last on each set."""

    name: str
    interface: Interface
    reference: ModuleOp
    """The module as it was when the function was first run: rounding is judged by how it reacts to noise."""
    inputs: dict[Kind, list[Array]]
    last: dict[Kind, Outcome]
    first: dict[Kind, Outcome] = field(default_factory=dict[Kind, Outcome])
    noisy: dict[Kind, list[tuple[Array, ...]]] = field(default_factory=dict[Kind, list[tuple[Array, ...]]])

    def runs(self, kind: Kind) -> Iterator[Sequence[Array]]:
        """Results of the reference under noise, each made once."""
        known = self.noisy.setdefault(kind, [])
        for number, scale in enumerate(SCALES):
            if number == len(known):
                rng = np.random.default_rng([number, KINDS.index(kind)])
                with np.errstate(all="ignore"):
                    rules = noisy_rules(interpreter_rules(), rng, scale)
                    outcome = call(self.reference, self.name, self.interface, self.inputs[kind], rules)
                known.append(outcome.results or ())
            if known[number]:
                yield known[number]


class Comparison:
    """The functions of one module, run on generated inputs again and again."""

    def __init__(self, module: ModuleOp, seed: int, report: bool = True):
        self._seed = seed
        self._report = report
        self._said: dict[tuple[str, str], None] = {}
        self._subjects: dict[str, _Subject] = {}
        self.adopt(module, "")

    @property
    def names(self) -> list[str]:
        """The functions that are watched."""
        return list(self._subjects)

    def adopt(self, module: ModuleOp, when: str) -> None:
        """Watch the functions of `module` that can be called and are not watched yet."""
        for function in _callable(module):
            name = function.sym_name.data
            if name in self._subjects:
                continue
            try:
                interface = Interface.of(function)
                inputs: dict[Kind, list[Array]] = {
                    kind: generated_inputs(interface.inputs, self._seed, kind) for kind in KINDS
                }
            except NoInputError as error:
                self._remark(function, f"is not validated{when}: {error}", str(error))
                continue
            subject = _Subject(name, interface, module.clone(), inputs, {})
            for kind in KINDS:
                subject.last[kind] = subject.first[kind] = call(subject.reference, name, interface, inputs[kind])
                self._remark_outcome(function, kind, subject.last[kind], when)
            self._subjects[name] = subject

    def advance(self, module: ModuleOp, numerics: str, when: str) -> Difference | None:
        """Run everything on `module`, which a pass has changed in its way (`Pass.numerics`); the first difference there is."""
        there = {function.sym_name.data: function for function in _callable(module)}
        for name in [n for n in self._subjects if n not in there and find_function(module, n) is not None]:
            del self._subjects[name]  # private now: what it computes is for the others to use
        for subject in self._subjects.values():
            for kind in KINDS:
                if numerics == "finite" and kind == "edge":
                    self._restart(subject, kind, module)
                    found = None
                else:
                    found = self._advance(subject, kind, module, numerics == "exact")
                if found is not None:
                    return found
                if subject.name in there:
                    self._remark_outcome(there[subject.name], kind, subject.last[kind], when)
        self.adopt(module, when)
        return None

    def results(self, name: str) -> dict[Kind, tuple[list[Array], Outcome]]:
        """The inputs of a function and what it gave last, by kind of input."""
        subject = self._subjects.get(name)
        return {} if subject is None else {kind: (subject.inputs[kind], subject.last[kind]) for kind in KINDS}

    def judge(self, name: str, kind: Kind, results: Sequence[Array], exact: bool) -> str | None:
        """What is wrong with other `results` of a function (say, of native code), None when nothing is."""
        subject = self._subjects[name]
        last, first = subject.last[kind].results, subject.first[kind].results
        if last is None:
            return None
        runs = None if exact else lambda: subject.runs(kind)
        return difference(results, last, first if first is not None else last, runs)

    def _restart(self, subject: _Subject, kind: Kind, module: ModuleOp) -> None:
        """Take what a function gives now for what it is to give."""
        subject.reference = module.clone()
        subject.last[kind] = call(subject.reference, subject.name, subject.interface, subject.inputs[kind])
        subject.first[kind] = subject.last[kind]
        subject.noisy.pop(kind, None)

    def _advance(self, subject: _Subject, kind: Kind, module: ModuleOp, exact: bool) -> Difference | None:
        before = subject.last[kind]
        if before.fault is not None or before.too_long:
            return None  # the program is wrong on these inputs, and may do anything; or will not end
        after = call(module, subject.name, subject.interface, subject.inputs[kind])
        if before.results is None or after.unknown is not None:
            if after.unknown is None:
                subject.first[kind], subject.reference = after, module.clone()
                subject.noisy.pop(kind, None)
            subject.last[kind] = after
            return None
        message = after.fault
        if message is None:
            assert after.results is not None
            message = self.judge(subject.name, kind, after.results, exact)
        if message is None:
            subject.last[kind] = after
            return None
        return Difference(subject.name, kind, message, tuple(subject.inputs[kind]), before.results, after.results)

    def _remark_outcome(self, function: func.FuncOp, kind: Kind, outcome: Outcome, when: str) -> None:
        why = outcome.unknown or outcome.fault
        if why is not None:
            self._remark(function, f"is not validated{when} on {kind} inputs: {why}", f"{kind} {why}")

    def _remark(self, function: func.FuncOp, text: str, why: str) -> None:
        key = (function.sym_name.data, why)
        if self._report and key not in self._said:
            self._said[key] = None
            emit(op_diagnostic(function, text, severity="remark"))


def _callable(module: ModuleOp) -> list[func.FuncOp]:
    """The functions a user may call: the entry if one is marked, else all that are not private."""
    functions = [op for op in module.body.block.ops if isinstance(op, func.FuncOp) and not op.is_declaration]
    entries = [op for op in functions if ABI in op.attributes]
    return entries or [op for op in functions if _visibility(op) != "private"]


def _visibility(function: func.FuncOp) -> str:
    return "" if function.sym_visibility is None else function.sym_visibility.data


class Validation(Instrumentation):
    """Holds the module against itself, before and after each pass; see the module's docstring.

    A pass that runs on many ops, one after the other, is judged once, when it is done with all of them.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        reduce: bool = True,
        most_tests: int = REDUCTION_TESTS,
        folder: str | Path | None = None,
    ):
        """Inputs are made from `seed`; a wrong function is reduced, if at all, by so many tests; files go to `folder`.

        Raises:
            InvalidProgramError: the seed is no whole number from 0 on.
        """
        if type(seed) is not int or seed < 0:
            raise InvalidProgramError(f"a seed is a whole number from 0 on, not {seed!r}")
        self.seed = seed
        self.comparison: Comparison | None = None
        self._reduce = reduce
        self._most_tests = most_tests
        self._folder = folder
        self._module: ModuleOp | None = None
        self._running: Pass | None = None
        self._nested: str | None = None
        self._before: ModuleOp | None = None
        self._digest = ""

    def before_pipeline(self, pipeline: object, op: Operation) -> None:
        """Run the functions as they are, unless the pipeline goes on where another ended."""
        del pipeline
        if op is self._module or not isinstance(op, ModuleOp):
            return
        self._module, self._running = op, None
        self._before, self._digest = op.clone(), structural_hash(op)
        self.comparison = Comparison(op, self.seed)

    def before_pass(self, item: Pass, op: Operation) -> None:
        """Judge the pass that ran before, if it is another one."""
        if item is not self._running:
            self._judge()
        self._running = item
        self._nested = op.name if op.parent is not None and item.anchor == ANY_ANCHOR else None

    def after_pipeline(self, pipeline: object, op: Operation) -> None:
        """Judge the last pass."""
        self._judge()

    def pipeline_failed(self, pipeline: object, op: Operation, error: BaseException) -> None:
        """Forget the module: nobody knows what it holds."""
        self._module = self._running = None

    def _judge(self) -> None:
        item, module, before = self._running, self._module, self._before
        self._running = None
        if item is None or module is None or before is None or self.comparison is None:
            return
        digest = structural_hash(module)
        if digest == self._digest:
            return
        found = self.comparison.advance(module, item.numerics, f" after '{item.name}'")
        if found is not None:
            raise self._report(found, item, before)
        self._before, self._digest = module.clone(), digest

    def _report(self, found: Difference, item: Pass, before: ModuleOp) -> MiscompileDiagnosticError:
        suspect = PassSuspect(item, self._nested, self.seed, self._most_tests)
        return report(found, suspect, before, self._reduce, self._folder)


class Suspect(Protocol):
    """What may have changed a result, and how to try it on other modules."""

    @property
    def what(self) -> str:
        """How messages call it."""
        ...

    @property
    def pipeline(self) -> str:
        """The pipeline that its reproducers run."""
        ...

    @property
    def native(self) -> str | None:
        """The options of native code, if that is it."""
        ...

    @property
    def seed(self) -> int:
        """What inputs are made from."""
        ...

    @property
    def most_tests(self) -> int:
        """How many modules a reduction may try."""
        ...

    def find(self, module: ModuleOp) -> Difference | None:
        """The difference it makes to a module, which may be changed; None when it makes none."""
        ...

    def is_interesting(self, module: ModuleOp) -> bool:
        """Whether there is one."""
        ...


@dataclass(frozen=True)
class PassSuspect:
    """A pass that changed what a function computes: how to run it alone."""

    item: Pass
    nested: str | None
    seed: int
    most_tests: int = REDUCTION_TESTS

    native = None

    @property
    def what(self) -> str:
        """How messages call it."""
        return f"pass '{self.item.name}'"

    @property
    def pipeline(self) -> str:
        """The text of a pipeline of this pass alone."""
        return str(self._pipeline())

    def find(self, module: ModuleOp) -> Difference | None:
        """The difference it makes to a module, which it changes; None when it makes none, or fails."""
        comparison = Comparison(module, self.seed, report=False)
        if not comparison.names:
            return None
        try:
            self._pipeline().run(context(), module)
        except Exception:  # another bug, if one at all
            return None
        return comparison.advance(module, self.item.numerics, "")

    def is_interesting(self, module: ModuleOp) -> bool:
        """Whether it makes a difference to a module, which it changes."""
        return self.find(module) is not None

    def _pipeline(self) -> Pipeline:
        return Pipeline((self.item if self.nested is None else Nested(self.nested, (self.item,)),))


def report(
    found: Difference,
    suspect: Suspect,
    before: ModuleOp,
    reduce: bool = True,
    folder: str | Path | None = None,
    write: bool = True,
) -> MiscompileDiagnosticError:
    """The error that says all about a difference, with its function reduced and its files written."""
    smallest = before
    if reduce:
        smallest = _reduced(before, suspect)
        found = suspect.find(smallest.clone()) or found
    function = next((f for f in _callable(smallest) if f.sym_name.data == found.function), None)
    where = location_of(function if function is not None else smallest)
    text = Diagnostic("error", where, f"{suspect.what} changes what @{found.function} computes")
    for note in _notes(found, suspect, smallest):
        text = text.with_note(note)
    files = _write_files(found, suspect, smallest, folder) if write else ()
    if files:
        text = text.with_note(f"inputs and results are in '{files[1]}' and beside it")
        text = text.with_note(f"replay it with: stepwell-opt --run-reproducer {files[0]}")
    error = MiscompileDiagnosticError(text)
    error.files = files
    return error


def _reduced(module: ModuleOp, suspect: Suspect) -> ModuleOp:
    try:
        return reduce_module(module, suspect.is_interesting, most_tests=suspect.most_tests)
    except NotInterestingError:  # it does not happen alone, or not every time
        return module


def _notes(found: Difference, suspect: Suspect, module: ModuleOp) -> Iterator[str]:
    yield f"on {found.kind} inputs of seed {suspect.seed}: {found.message}"
    for i, array in enumerate(found.inputs):
        yield f"input {i}: {_preview(array)}"
    for what, arrays in (("before", found.before), ("after", found.after)):
        for i, array in enumerate(arrays or ()):
            yield f"{what}, result {i}: {_preview(array)}"
    shown = print_ir(module)
    if len(shown) <= _MOST_SHOWN:
        yield f"it takes {count_ops(module)} ops:\n{shown.rstrip()}"


def _preview(array: Array) -> str:
    flat = np.asarray(array).reshape(-1)[:8]
    values = ", ".join(str(v) for v in flat)
    shape = "x".join(map(str, array.shape))
    return f"{array.dtype.name}[{shape}] [{values}{', ...' if array.size > 8 else ''}]"


def _write_files(found: Difference, suspect: Suspect, module: ModuleOp, folder: str | Path | None) -> tuple[Path, ...]:
    """The reproducer, and beside it the inputs and both results as far as there are any; none where nothing can be written."""
    text = print_ir(module, generic=True, debug_info=True)
    try:
        descriptor, name = tempfile.mkstemp(prefix="stepwell-miscompile-", suffix=".mlir", dir=folder)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(reproducer(text, suspect.pipeline, validate=suspect.seed, native=suspect.native))
        files = [Path(name)]
        for part, arrays in (("in", found.inputs), ("before", found.before), ("after", found.after)):
            if arrays is not None:
                files.append(Path(name).with_suffix(f".{part}.npz"))
                save_arrays(files[-1], list(arrays))
    except (OSError, InvalidProgramError):
        return ()
    return tuple(files)


__all__ = ["Comparison", "Difference", "MiscompileDiagnosticError", "PassSuspect", "Validation", "report"]
