"""`fp_contract`: one rounding where it is asked for, two where it is not, the same on every machine that can, and kept in the IR."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import stepwell
import stepwell.numpy as snp
from stepwell.cli import main
from stepwell.compiling import place_of
from stepwell.request import checked_request

PROGRAM = """func.func public @main(%a: tensor<{n}x{t}>, %b: tensor<{n}x{t}>, %c: tensor<{n}x{t}>) -> tensor<{n}x{t}> {{
  %0 = stablehlo.multiply %a, %b : tensor<{n}x{t}>
  %1 = stablehlo.{op} %0, %c : tensor<{n}x{t}>
  return %1 : tensor<{n}x{t}>
}}
"""
RNG = np.random.default_rng(23)


def operands(dtype: str, n: int) -> list[np.ndarray]:
    """Products that cancel but for their rounding, and one that overflows alone."""
    a, b = (RNG.normal(size=n).astype(dtype) for _ in range(2))
    c = -(a * b)
    if n > 3:
        a[0] = b[0] = np.sqrt(np.finfo(dtype).max) * 1.1
        c[0] = -np.finfo(dtype).max
        a[1], c[2] = np.nan, np.inf
        a[3] = c[3] = -0.0
    return [a, b, c]


def fused(a: Any, b: Any, c: Any, sign: int = 1) -> Any:
    """`a * b + sign * c`, rounded once."""
    if not all(map(np.isfinite, (a, b, c))):
        return a * b + sign * c
    exact = Fraction(float(a)) * Fraction(float(b)) + sign * Fraction(float(c))
    if exact == 0:
        return a * b + type(a)(sign) * c  # a zero, and its sign
    return type(a)(float(exact))  # exact in f64 for f32: what is left of a product needs no more bits


@pytest.mark.parametrize(
    ("dtype", "n", "simd", "op"),
    [("float32", 37, "avx512", "add"), ("float32", 19, "avx2", "subtract"), ("float64", 1, "avx512", "subtract")],
)
def test_a_product_and_a_sum_round_once(dtype, n, simd, op):
    sign = 1 if op == "add" else -1
    a, b, c = operands(dtype, n)
    c = c * sign
    text = PROGRAM.format(n=n, t="f32" if dtype == "float32" else "f64", op=op)
    with np.errstate(all="ignore"):
        want = np.array([fused(x, y, z, sign) for x, y, z in zip(a, b, c, strict=True)])
        apart = a * b + sign * c
    (got,) = stepwell.compile(text, simd=simd, fp_contract=True)(a, b, c)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.signbit(got[~np.isnan(got)]), np.signbit(want[~np.isnan(want)]))
    (plain,) = stepwell.compile(text, simd=simd)(a, b, c)
    np.testing.assert_array_equal(plain, apart)
    if n > 1:
        assert np.count_nonzero(got != plain) > n // 2


def test_a_machine_without_the_op_rounds_twice():
    a, b, c = operands("float32", 37)
    (got,) = stepwell.compile(PROGRAM.format(n=37, t="f32", op="add"), simd="sse4.2", fp_contract=True)(a, b, c)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got, a * b + c)


def test_the_interpreter_and_a_simulated_gpu_agree_to_the_bit():
    a, b, c = operands("float32", 37)
    text = PROGRAM.format(n=37, t="f32", op="add")
    (native,) = stepwell.compile(text, fp_contract=True)(a, b, c)
    for options in ({"target": "interpreter", "step": "scheduled"}, {"target": "gpu-sim"}):
        (got,) = stepwell.compile(text, fp_contract=True, **options)(a, b, c)
        np.testing.assert_array_equal(got, native)
    stepwell.compile(text, fp_contract=True, validate=True)


def test_the_ir_of_a_step_gives_the_same_code_again():
    a, b, c = operands("float32", 8)
    exe = stepwell.compile(PROGRAM.format(n=8, t="f32", op="add"), fp_contract=True)
    assert "math.fma" in exe.ir("device")
    for step in ("tensor", "device"):
        assert "stepwell.fp_contract" in exe.ir(step)
        np.testing.assert_array_equal(stepwell.compile(exe.ir(step))(a, b, c)[0], exe(a, b, c)[0])


def test_jitted_functions_and_what_they_show():
    a, b, c = operands("float32", 37)
    f = stepwell.jit(lambda a, b, c: a * b + c, fp_contract=True)
    (want,) = stepwell.compile(PROGRAM.format(n=37, t="f32", op="add"), fp_contract=True)(a, b, c)
    np.testing.assert_array_equal(f(a, b, c), want)
    assert "math.fma" in f.lower(a, b, c).ir("scheduled")


def test_functions_keep_their_bits_and_what_is_in_two_kernels_stays_two():
    x = np.linspace(-5, 5, 101, dtype=np.float32)

    def functions(x: Any) -> Any:
        return snp.exp(x), snp.sin(x), snp.tanh(x)

    for plain, contracted in zip(stepwell.jit(functions)(x), stepwell.jit(functions, fp_contract=True)(x), strict=True):
        np.testing.assert_array_equal(plain, contracted)
    text = PROGRAM.format(n=3, t="f32", op="add")
    a, b, c = operands("float32", 3)
    np.testing.assert_array_equal(stepwell.compile(text, opt_level=0, fp_contract=True)(a, b, c)[0], a * b + c)


def test_what_is_kept_in_the_cache_is_told_apart(monkeypatch, tmp_path):
    monkeypatch.setenv("STEPWELL_CACHE_DIR", str(tmp_path / "kept"))
    text = PROGRAM.format(n=8, t="f32", op="add")
    places = [place_of(text, checked_request(fp_contract=allowed)) for allowed in (False, True)]
    if None not in places:  # the compiler's own files are being changed
        assert places[0].key != places[1].key


def test_the_option_is_a_truth_value(tmp_path, capsys):
    text = PROGRAM.format(n=8, t="f32", op="add")
    with pytest.raises(stepwell.InvalidProgramError, match="fp_contract is True or False, not 'fast'"):
        stepwell.compile(text, fp_contract="fast")
    file = tmp_path / "p.mlir"
    file.write_text(text)
    assert main(["compile", str(file), "--emit=scheduled", "--fp-contract", "--simd", "avx2"]) == 0
    assert "math.fma" in capsys.readouterr().out
    assert main(["compile", str(file), "--emit=scheduled", "--simd", "avx2"]) == 0
    assert "math.fma" not in capsys.readouterr().out
