"""What JAX prints is read verbatim, and what we print is read back as the same program, pretty and generic, with its locations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module
from stepwell.ir.printer import print_ir
from stepwell.ir.structural_hash import structural_hash
from stepwell.ir.verify import verify_module

DATA = Path(__file__).resolve().parent.parent / "data"
PRINTED = sorted((DATA / "printed").glob("*.mlir"))
SHARDED = sorted((DATA / "sharded").glob("*.mlir"))
KNOWN = context()


def test_there_are_programs():
    assert len(PRINTED) >= 39
    assert len(SHARDED) >= 18


@pytest.mark.parametrize("path", PRINTED, ids=lambda path: path.stem)
def test_a_printed_program_is_the_same_after_a_round_trip(path: Path):
    module = parse_module(path.read_text(), str(path), KNOWN)
    verify_module(module)
    wanted = structural_hash(module)
    text = print_ir(module, debug_info=True)
    again = parse_module(text, "pretty.mlir", KNOWN)
    assert structural_hash(again) == wanted
    assert print_ir(again, debug_info=True) == text
    generic = parse_module(print_ir(module, generic=True), "generic.mlir", KNOWN)
    assert structural_hash(generic) == wanted


@pytest.mark.parametrize("path", SHARDED, ids=lambda path: path.stem)
def test_a_program_over_eight_devices_computes_what_jax_computes(path: Path):
    """Manual computations run on eight processes, each with its part; the results are put together."""
    module = parse_module(path.read_text(), str(path), KNOWN)
    verify_module(module)
    with np.load(path.parent / "arrays.npz") as arrays:
        prefix = f"{path.stem}."
        named = {key.removeprefix(prefix): arrays[key] for key in arrays.files if key.startswith(prefix)}
    inputs = [named[f"in{n}"] for n in range(sum(key.startswith("in") for key in named))]
    wanted = [named[f"out{n}"] for n in range(sum(key.startswith("out") for key in named))]
    found = Interpreter(module, interpreter_rules()).call("main", inputs)
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-5)
