"""The table of docs/stablehlo-status.md says what the code does."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from xdsl.dialects.builtin import FunctionType, ModuleOp
from xdsl.dialects.func import FuncOp

from stepwell.dialects import registry
from stepwell.ir.parser import parse_module
from stepwell.ir.verify import verify_module
from stepwell.passes.convert_stablehlo_to_linalg import RULES, STRUCTURED_FORMS, ConvertStablehloToLinalgPass
from stepwell.passes.pipelines import LEGALIZATIONS
from stepwell.passes.registry import PASSES

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "tests" / "dialects" / "stablehlo" / "constraints"
LOWERED = sorted(op.name.removeprefix("stablehlo.") for op in RULES if op.name.startswith("stablehlo."))


def example(op: str) -> ModuleOp:
    """The first program of an op's file, with the results of the op returned."""
    text = re.split(r"^// -----\n", (CONSTRAINTS / f"{op}.mlir").read_text(), flags=re.MULTILINE)[0]
    module = parse_module(text, f"{op}.mlir", registry.context())
    function = next(f for f in module.walk() if isinstance(f, FuncOp) and f.sym_name.data == "f")
    last = function.body.block.last_op
    assert last is not None
    made = next(o for o in function.body.block.ops if o.name == f"stablehlo.{op}")
    last.operands = list(made.results)
    inputs = [a.type for a in function.body.block.args]
    function.properties["function_type"] = FunctionType.from_lists(inputs, [r.type for r in made.results])
    verify_module(module)
    return module


@pytest.mark.parametrize("op", [op for op in LOWERED if (CONSTRAINTS / f"{op}.mlir").exists()])
@pytest.mark.every(2)
def test_what_the_table_says_of_a_lowering_is_what_it_makes(op: str):
    module = example(op)
    ConvertStablehloToLinalgPass().apply(registry.context(), module)
    verify_module(module)
    ops = list(module.walk())
    assert not any(o.name.startswith("stablehlo.") for o in ops)
    forms = {type(o) for o in ops if o.name.startswith("structured.") and o.name != "structured.yield"}
    stated = STRUCTURED_FORMS.get(f"stablehlo.{op}")
    assert forms == ({stated} if stated is not None else set())


def test_each_legalization_says_which_ops_it_takes_away():
    context = registry.context()
    for spec, _ in LEGALIZATIONS:
        name = spec.split("{")[0]
        replaces = import_module(f"stepwell.passes.{PASSES[name][0]}").REPLACES
        assert isinstance(replaces, tuple), name
        assert [op for op in replaces if context.get_optional_op(op) is None] == [], name


def test_the_page_has_a_row_for_each_op():
    rows = re.findall(r"^\| `([\w.]+)` \|", (ROOT / "docs" / "stablehlo-status.md").read_text(), re.MULTILINE)
    assert len(rows) == len(set(rows))
    known = [op.name for dialect in ("stablehlo", "chlo") for op in registry.get_dialect(dialect).operations]
    assert [name for name in known if name not in rows] == ["stablehlo.return"]
