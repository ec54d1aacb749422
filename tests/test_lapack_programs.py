"""JAX's linear algebra on a CPU (tests/data/lapack): the interpreter's rules on all programs, the expansions on all, natively on some."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stepwell
from stepwell.compare import first_difference
from stepwell.dialects.registry import context
from stepwell.ir.pass_manager import build_pipeline
from stepwell.passes.registry import PASSES, get_pass

DATA = Path(__file__).parent / "data" / "lapack"
NAMES = sorted(p.stem for p in DATA.glob("*.mlir") if not p.stem.startswith("refused"))
NATIVE = ["eigh", "lstsq", "qr_wide_complex", "solve"]
EXPANSIONS = "builtin.module(inline,symbol-dce,expand-custom-calls,expand-linear-algebra)"


@pytest.fixture(scope="module")
def arrays():
    with np.load(DATA / "arrays.npz") as file:
        return dict(file)


def check(executable, arrays, name: str) -> None:
    inputs = [v for key, v in arrays.items() if key.startswith(f"{name}/in")]
    expected = [v for key, v in arrays.items() if key.startswith(f"{name}/out")]
    results = executable(*inputs)
    assert len(results) == len(expected) > 0
    for i, (got, want) in enumerate(zip(results, expected, strict=True)):
        difference = first_difference(np.asarray(got), want)
        assert difference is None, f"{name}: result {i}: {difference}"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.every(2)
def test_the_interpreter_gives_what_lapack_gives(name, arrays):
    check(stepwell.compile(DATA / f"{name}.mlir", target="interpreter"), arrays, name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.every(2)
def test_the_expansion_gives_what_lapack_gives(name, arrays):
    module = stepwell.parse(DATA / f"{name}.mlir")
    build_pipeline(EXPANSIONS, get_pass, tuple(PASSES)).run(context(), module)
    found = {op.name for op in module.walk()}
    assert not found & {"stablehlo.custom_call", "stablehlo.cholesky", "stablehlo.triangular_solve"}
    check(stepwell.compile(module, target="interpreter"), arrays, name)


@pytest.mark.parametrize("name", NATIVE)
@pytest.mark.every(2)
def test_native_code_gives_what_lapack_gives(name, arrays):
    check(stepwell.compile(DATA / f"{name}.mlir"), arrays, name)


@pytest.mark.parametrize("target", ["cpu", "interpreter"])
@pytest.mark.parametrize(
    ("name", "callee", "hint"),
    [
        ("refused_eig", "lapack_sgeev_ffi", "symmetric eigenvalues"),
        ("refused_schur", "lapack_sgees_ffi", "symmetric eigenvalues"),
        ("refused_callback", "xla_ffi_python_cpu_callback", "without callbacks"),
    ],
)
def test_what_has_no_expansion_is_refused_by_name(name, callee, hint, target):
    with pytest.raises(stepwell.UnsupportedError) as caught:
        stepwell.compile(DATA / f"{name}.mlir", target=target)(
            np.zeros((3, 3) if "callback" not in name else 3, np.float32)
        )
    assert f"custom call target '{callee}' is not known" in str(caught.value)
    assert hint in str(caught.value)
    assert f"{name}.mlir:" in str(caught.value)
