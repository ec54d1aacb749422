"""Every labelled constraint of the specification has a program that breaks it, and is rejected with its label.

`<op>.mlir` has the cases of one op, separated by `// -----`. The first line of a case says what becomes of it:

    // expect: ok      it verifies; at least one per file, which the others differ from in one thing
    // expect: C3      rejected with "stablehlo.<op>: C3: ...", located at a line that names the op

A label that labels.txt marks as `declarative` is rejected too, but by the op's definition, so with a message without label.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import FunctionType, IntegerAttr, ModuleOp, StringAttr, i64
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Operation

from stepwell.dialects import registry
from stepwell.dialects.stablehlo import TokenType
from stepwell.ir.diagnostics import InvalidProgramDiagnosticError
from stepwell.ir.parser import parse_module
from stepwell.ir.verify import verify_module

HERE = Path(__file__).resolve().parent
LABELED = re.compile(r"^[\w.!]+: [CI]\d+: ")
LITERALS = frozenset(
    {
        "quantized_type",
        "integer_constant",
        "float_constant",
        "complex_constant",
        "tensor_constant",
        "quantized_tensor_constant",
    }
)
"""What labels.txt has beside ops: its cases are in files of the same name."""


@functools.cache
def labels() -> dict[str, dict[str, bool]]:
    """Op -> label -> whether it is declarative."""
    found: dict[str, dict[str, bool]] = {}
    for line in (HERE / "labels.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            op, *rest = line.split()
            assert rest[1:] in ([], ["declarative"]), line
            found.setdefault(op, {}).update({label: bool(rest[1:]) for label in rest[:1]})
    return found


@functools.cache
def cases(op: str) -> tuple[tuple[str, str], ...]:
    """(expected, program) of each case of an op; lines stay where they are in the file."""
    path = HERE / f"{op}.mlir"
    if not path.exists():
        return ()
    found: list[tuple[str, str]] = []
    skipped = 0
    for part in re.split(r"^// -----\n", path.read_text(), flags=re.MULTILINE):
        match = re.match(r"\s*// expect: (ok|[CI]\d+)\n", part)
        assert match is not None, f"{path.name}: a case without `// expect:`\n{part}"
        found.append((match[1], "\n" * skipped + part))
        skipped += part.count("\n") + 1
    return tuple(found)


@functools.cache
def context() -> Context:
    """One for all cases."""
    return registry.context()


def rejection(op: str, program: str) -> InvalidProgramDiagnosticError | None:
    """How the program is rejected, if it is; anything but a located diagnostic escapes."""
    try:
        verify_module(parse_module(program, f"{op}.mlir", context()))
    except InvalidProgramDiagnosticError as error:
        return error
    return None


def problem(op: str, expected: str, program: str) -> str | None:
    """What is wrong with a case."""
    error = rejection(op, program)
    if expected == "ok" or error is None:
        return None if (expected == "ok") == (error is None) else f"expected {expected}, got {error or 'no error'}"
    diagnostic = error.diagnostic
    if diagnostic.location is None or diagnostic.location.file != f"{op}.mlir":
        return f"expected {expected} at a place in the file, got {error}"
    if "cannot be verified" in diagnostic.message:
        return f"expected {expected}, and the verifier stumbled: {error}"
    if labels().get(op, {}).get(expected):
        return f"{expected} is marked as declarative, got {error}" if LABELED.match(diagnostic.message) else None
    name = "!quant.uniform" if op == "quantized_type" else "stablehlo.constant" if op in LITERALS else f"stablehlo.{op}"
    if not diagnostic.message.startswith(f"{name}: {expected}: "):
        return f"expected {name}: {expected}, got {error}"
    line = program.splitlines()[diagnostic.location.line - 1]
    return None if name in line else f"expected {expected} at a line with {name}, got {error}"


OPS = sorted(labels())


@pytest.mark.parametrize("op", sorted(path.stem for path in HERE.glob("*.mlir")))
def test_each_violation_is_rejected_with_its_label(op: str):
    found = [p for expected, program in cases(op) if (p := problem(op, expected, program)) is not None]
    assert not found, "\n\n".join(found)


@pytest.mark.parametrize("op", OPS)
def test_each_label_has_a_case(op: str):
    seen = [expected for expected, _ in cases(op)]
    missing = [label for label in labels()[op] if label not in seen]
    assert not missing, f"{op}.mlir has no case for {', '.join(missing)}"
    assert seen[:1] == ["ok"], f"{op}.mlir must begin with a program that verifies"


def test_the_list_has_every_constraint_of_the_specification():
    ops = {op: found for op, found in labels().items() if op not in LITERALS}
    assert (len(ops), sum(map(len, ops.values()))) == (108, 453)
    assert sum(len(labels()[name]) for name in LITERALS) == 22
    for op, found in labels().items():
        assert list(found) == [f"C{i + 1}" for i in range(len(found))], op


def test_each_file_is_of_something_that_has_labels():
    """Ops without constraints may have cases of their inputs."""
    names = [path.stem for path in HERE.glob("*.mlir")]
    assert [n for n in names if n not in labels() and context().get_optional_op(f"stablehlo.{n}") is None] == []


FILES = sorted(path.stem for path in HERE.glob("*.mlir") if path.stem not in LITERALS)
ANYTHING = frozenset({("custom_call", "operand"), ("custom_call", "backend_config"), ("custom_call", "result")})
"""Inputs and results that may be of any type."""


def unknown_extents(program: str) -> str:
    """The program with `?` for every extent."""
    return re.sub(r"tensor<((?:\d+x)+)", lambda m: "tensor<" + re.sub(r"\d+", "?", m[1]), program)


@pytest.mark.parametrize("op", FILES)
def test_unknown_extents_violate_nothing(op: str):
    fixed = re.compile(r"<\{.*?\}>", re.DOTALL)
    for expected, program in cases(op):
        if expected == "ok" and "stablehlo.constant" not in program:
            outside, properties = fixed.split(program), [*fixed.findall(program), ""]
            dynamic = "".join(unknown_extents(a) + b for a, b in zip(outside, properties, strict=True))
            error = rejection(op, dynamic)
            assert error is None, error


def operation(op: str) -> tuple[ModuleOp, Operation]:
    """The module of the first case of an op, and the op in it."""
    module = parse_module(cases(op)[0][1], f"{op}.mlir", context())
    return module, next(o for o in module.walk() if o.name == f"stablehlo.{op}")


def other_type(type_: Attribute) -> Attribute:
    """A type of another sort."""
    return i64 if isinstance(type_, TokenType) else TokenType()


def with_operand(op: str, index: int) -> ModuleOp:
    """The program with an operand of another sort."""
    module, found = operation(op)
    function = next(o for o in module.walk() if isinstance(o, FuncOp) and o.sym_name.data == "f")
    block = function.body.block
    found.operands[index] = block.insert_arg(other_type(found.operands[index].type), len(block.args))
    function.properties["function_type"] = FunctionType.from_lists([a.type for a in block.args], [])
    return module


def with_property(op: str, name: str) -> ModuleOp:
    """The program with a property of another sort."""
    module, found = operation(op)
    found.properties[name] = IntegerAttr(7, i64) if isinstance(found.properties[name], StringAttr) else StringAttr("x")
    return module


def with_result(op: str, index: int) -> ModuleOp:
    """The program with a result of another sort."""
    module, found = operation(op)
    types = [r.type if i != index else other_type(r.type) for i, r in enumerate(found.results)]
    regions = [found.detach_region(found.regions[0]) for _ in range(len(found.regions))]
    new = type(found).create(
        operands=list(found.operands), result_types=types, properties=dict(found.properties), regions=regions
    )
    new.location = found.location
    assert found.parent is not None
    found.parent.insert_op_before(new, found)
    found.detach()
    return module


@pytest.mark.parametrize("op", FILES)
def test_inputs_and_results_of_another_sort_are_rejected(op: str):
    _, found = operation(op)
    changed = [(f"operand {i}", with_operand(op, i)) for i in range(len(found.operands))]
    changed += [(f"{name}", with_property(op, name)) for name in found.properties]
    changed += [(f"result {i}", with_result(op, i)) for i in range(len(found.results))]
    for what, module in changed:
        if (op, what.split()[0]) not in ANYTHING:
            with pytest.raises(InvalidProgramDiagnosticError, match=f"stablehlo.{op}|operand|result") as caught:
                verify_module(module)
            assert "cannot be verified" not in str(caught.value), what
