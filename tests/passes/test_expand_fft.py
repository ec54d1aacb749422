"""Fourier transforms: the expansion against the interpreter, its accuracy, and how its size grows."""

from __future__ import annotations

import math

import numpy as np
import pytest

import stepwell
from stepwell.dialects import stablehlo
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module
from stepwell.passes.expand_fft import ExpandFftPass
from stepwell.passes.fft import tables

DTYPES = {"f32": (np.float32, np.complex64), "f64": (np.float64, np.complex128)}
KINDS = ("FFT", "IFFT", "RFFT", "IRFFT")


def tensor(shape, element):
    return f"tensor<{'x'.join([*map(str, shape), element])}>"


def case(kind, batch, lengths, element, seed=0):
    """A program, its input and the shape of its result."""
    full = (*batch, *lengths)
    half = (*full[:-1], full[-1] // 2 + 1 if full[-1] else 0)
    source, target = half if kind == "IRFFT" else full, half if kind == "RFFT" else full
    types = tensor(source, element if kind == "RFFT" else f"complex<{element}>")
    result = tensor(target, element if kind == "IRFFT" else f"complex<{element}>")
    text = (
        f"func.func @main(%x: {types}) -> {result} {{\n"
        f"%0 = stablehlo.fft %x, type = {kind}, length = [{', '.join(map(str, lengths))}] : ({types}) -> {result}\n"
        f"return %0 : {result}\n}}"
    )
    generator = np.random.default_rng(seed)
    x = generator.standard_normal(source) + (0 if kind == "RFFT" else 1j * generator.standard_normal(source))
    return text, x.astype(DTYPES[element][kind != "RFFT"]), target


def expanded(text):
    module = parse_module(text, "program.mlir", context())
    module.verify()
    ExpandFftPass().apply(context(), module)
    module.verify()
    return module


def interpret(module, x):
    (result,) = Interpreter(module, interpreter_rules()).call("main", [x])
    return result


def direct(text, x):
    return interpret(parse_module(text, "program.mlir", context()), x)


def error(got, want, element):
    """The largest error in units of the last place of what the results are like on the whole."""
    want = np.asarray(want).astype(np.complex128)
    size = math.sqrt(float((np.abs(want) ** 2).mean())) or 1.0
    return float(np.abs(np.asarray(got) - want).max() / size / np.finfo(DTYPES[element][0]).eps)


LENGTHS = [
    ((), (1,)), ((), (2,)), ((3,), (8,)), ((2,), (15,)), ((2,), (48,)), ((2,), (61,)), ((), (67,)), ((2,), (134,)),
    ((2,), (256,)), ((), (1000,)), ((), (5, 1)), ((), (1, 4)), ((2,), (4, 6)), ((2, 2), (3, 4, 5)), ((), (2, 3, 8)),
]  # fmt: skip


@pytest.mark.parametrize("element", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch", "lengths"), LENGTHS)
@pytest.mark.every(4)
def test_the_expansion_is_as_accurate_as_a_transform_can_be(kind, batch, lengths, element):
    text, x, shape = case(kind, batch, lengths, element)
    got, want = interpret(expanded(text), x), direct(text, x)
    assert got.shape == shape == want.shape
    assert got.dtype == want.dtype
    assert error(got, want, element) < 12


@pytest.mark.parametrize("n", [1 << 15, 20011, 3 << 15])
@pytest.mark.parametrize("kind", ["FFT", "IRFFT"])
def test_long_transforms_need_no_long_constants(kind, n):
    text, x, _ = case(kind, (), (n,), "f32")
    module = expanded(text)
    constants = [op for op in module.walk() if isinstance(op, stablehlo.ConstantOp)]
    assert sum(len(op.value.data.data) for op in constants) < 8 * 3 * tables.LARGEST_RADIX * 2048
    assert error(interpret(module, x), direct(text, x), "f32") < 15


def test_ops_grow_with_the_logarithm_of_the_length():
    counts = [sum(1 for _ in expanded(case("FFT", (), (1 << k,), "f32")[0]).walk()) for k in (8, 14, 20)]
    assert counts[2] - counts[1] <= counts[1] - counts[0] + 20
    assert counts[2] < 150


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch", "lengths"), [((2,), (6, 10))])
def test_native_code_agrees(kind, batch, lengths):
    text, x, _ = case(kind, batch, lengths, "f32")
    (got,) = stepwell.compile(text)(x)
    assert error(got, direct(text, x), "f32") < 12


@pytest.mark.parametrize("n", [8, 9, 2])
def test_imaginary_parts_that_no_real_signal_has_are_not_read(n):
    text, x, _ = case("IRFFT", (2,), (n,), "f64")
    other = x.copy()
    other[:, 0].imag = np.inf
    if n % 2 == 0:
        other[:, -1].imag = np.nan
    np.testing.assert_array_equal(interpret(expanded(text), other), interpret(expanded(text), x))


@pytest.mark.parametrize(("batch", "lengths"), [((0,), (4,)), ((2,), (0,)), ((), (3, 0))])
@pytest.mark.parametrize("kind", KINDS)
def test_transforms_without_elements_are_empty(kind, batch, lengths):
    text, x, shape = case(kind, batch, lengths, "f32")
    assert interpret(expanded(text), x).shape == shape == direct(text, x).shape


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 12, 61, 1000, 99991])
def test_roots_of_unity_are_right_to_the_last_place(n):
    k = np.arange(n)
    roots = tables.roots(k, n)
    angle = 2 * np.arccos(np.longdouble(-1)) * k.astype(np.longdouble) / n
    assert float(np.abs(roots.real - np.cos(angle)).max()) < 1.3e-16
    assert float(np.abs(roots.imag - np.sin(angle)).max()) < 1.3e-16


def test_tables_and_their_transform():
    z = np.random.default_rng(0).standard_normal((2, 240)) + 0j
    np.testing.assert_allclose(tables.transform(z), np.fft.fft(z), atol=1e-12)
    coarse, fine = tables.split_twiddles(8, 48, -1, 6)
    product = (coarse[:, :, None] * fine[:, None, :]).reshape(8, 48)
    np.testing.assert_allclose(product, tables.twiddles(8, 48, -1), atol=1e-15)


def test_radices_multiply_to_the_length_and_convolutions_fit():
    for n in range(1, 300):
        radices = tables.radices(n)
        assert radices is None or math.prod(radices) == n
        length = tables.convolution_length(n)
        assert 2 * n - 1 <= length <= 4 * n
        assert tables.radices(length) is not None
