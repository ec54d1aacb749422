"""The oracle itself: every program of tests/data/jax means at the tensor step what XLA computed, and reads back as printed."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from xdsl.printer import Printer

from stepwell.arrays import load_arrays
from stepwell.compare import Tolerance, first_difference
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module

DATA = Path(__file__).parents[1] / "data" / "jax"
CASES = [json.loads(line) for line in (DATA / "cases.jsonl").read_text().splitlines()]


def parse(case):
    module = parse_module((DATA / case["mlir"]).read_text(), case["mlir"], context())
    module.verify()
    return module


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_interpreter_matches_xla(case):
    results = Interpreter(parse(case), interpreter_rules()).call(case["entry"], load_arrays(DATA / case["inputs"]))
    expected = load_arrays(DATA / case["expected"])
    assert len(results) == len(expected)
    for got, want, rule in zip(results, expected, case["checks"], strict=True):
        tolerance = Tolerance() if rule["kind"] == "eq" else Tolerance(rule["rtol"], rule["atol"])
        assert first_difference(got, want, tolerance) is None


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
@pytest.mark.every(3)
def test_printed_form_reads_back(case, generic):
    module = parse(case)
    text = StringIO()
    Printer(text, print_generic_format=generic).print_op(module)
    again = parse_module(text.getvalue(), "printed.mlir", context())
    assert module.is_structurally_equivalent(again)
