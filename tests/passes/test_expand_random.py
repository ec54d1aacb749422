"""Random bits are XLA's, in the interpreter, in the expansion and natively; random numbers have their distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest

import stepwell
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module
from stepwell.passes.expand_random import ExpandRandomPass

KEY, COUNTER, UPPER = 0x0123456789ABCDEF, 0xFFFFFFFFFFFFFFFD, 0x00000000FFFFFFFF
"""A counter that wraps around after three blocks."""

VECTORS = [
    # algorithm, words of the state, element type, shape, the state after it without the key, bits; made by XLA on a CPU.
    ("PHILOX", 2, "ui32", (), [0xfffffffffffffffe], [0x5cce3967]),
    ("PHILOX", 2, "ui32", (5,), [0xffffffffffffffff], [0x5cce3967, 0xa44081d, 0xd9ae917c, 0x7bab4396, 0xa485194]),
    ("PHILOX", 2, "ui32", (3, 3), [0x0], [0x5cce3967, 0xa44081d, 0xd9ae917c, 0x7bab4396, 0xa485194, 0x41c5f806, 0xd6822fee, 0x3885a3d4, 0x41eb59f3]),
    ("PHILOX", 2, "ui32", (2, 3), [0xffffffffffffffff], [0x5cce3967, 0xa44081d, 0xd9ae917c, 0x7bab4396, 0xa485194, 0x41c5f806]),
    ("PHILOX", 2, "ui32", (3, 0, 2), [0xfffffffffffffffd], []),
    ("PHILOX", 2, "i64", (5,), [0x0], [0xa44081d5cce3967, 0x7bab4396d9ae917c, 0x41c5f8060a485194, 0x3885a3d4d6822fee, 0x307385e041eb59f3]),
    ("PHILOX", 3, "ui32", (), [0xfffffffffffffffe, 0xffffffff], [0xd5989e68]),
    ("PHILOX", 3, "ui32", (5,), [0xffffffffffffffff, 0xffffffff], [0xd5989e68, 0xb702112c, 0x2b515d34, 0x545a83b, 0x75f6d524]),
    ("PHILOX", 3, "ui32", (3, 3), [0x0, 0x100000000], [0xd5989e68, 0xb702112c, 0x2b515d34, 0x545a83b, 0x75f6d524, 0xac0b6e34, 0xfa8bee85, 0x35c898be, 0x5890e3e5]),
    ("PHILOX", 3, "ui32", (2, 3), [0xffffffffffffffff, 0xffffffff], [0xd5989e68, 0xb702112c, 0x2b515d34, 0x545a83b, 0x75f6d524, 0xac0b6e34]),
    ("PHILOX", 3, "ui32", (3, 0, 2), [0xfffffffffffffffd, 0xffffffff], []),
    ("PHILOX", 3, "i64", (5,), [0x0, 0x100000000], [0xb702112cd5989e68, 0x545a83b2b515d34, 0xac0b6e3475f6d524, 0x35c898befa8bee85, 0x1a2ac01d5890e3e5]),
    ("PHILOX", 3, "i8", (2, 3), [0xffffffffffffffff, 0xffffffff], [0x68, 0x2c, 0x34, 0x3b, 0x24, 0x34]),
    ("PHILOX", 3, "f32", (2, 3), [0xffffffffffffffff, 0xffffffff], [0xd5989e68, 0xb702112c, 0x2b515d34, 0x545a83b, 0x75f6d524, 0xac0b6e34]),
    ("PHILOX", 3, "bf16", (2, 3), [0xffffffffffffffff, 0xffffffff], [0x9e68, 0x112c, 0x5d34, 0xa83b, 0xd524, 0x6e34]),
    ("PHILOX", 3, "i4", (2, 3), [0xffffffffffffffff, 0xffffffff], [-0x8, -0x4, 0x4, -0x5, 0x4, 0x4]),
    ("THREE_FRY", 2, "ui32", (), [0xfffffffffffffffe], [0x3fc5955f]),
    ("THREE_FRY", 2, "ui32", (5,), [0x0], [0x3fc5955f, 0x7e39c6dc, 0xb0f4215b, 0xe19a60b4, 0xb3d7494]),
    ("THREE_FRY", 2, "ui32", (3, 3), [0x3], [0x3fc5955f, 0xb0f4215b, 0xb3d7494, 0x7e39c6dc, 0xe19a60b4, 0xacf8c4dc, 0xaaa4d889, 0x75a52907, 0x35d0e5f1]),
    ("THREE_FRY", 2, "ui32", (2, 3), [0x0], [0x3fc5955f, 0xb0f4215b, 0xb3d7494, 0x7e39c6dc, 0xe19a60b4, 0xacf8c4dc]),
    ("THREE_FRY", 2, "ui32", (3, 0, 2), [0xfffffffffffffffd], []),
    ("THREE_FRY", 2, "i64", (5,), [0x2], [0x7e39c6dc3fc5955f, 0xe19a60b4b0f4215b, 0xacf8c4dc0b3d7494, 0x6b35c4f4aaa4d889, 0xd3dd861375a52907]),
    ("THREE_FRY", 2, "i8", (2, 3), [0x0], [0x5f, 0x5b, 0x94, 0xdc, 0xb4, 0xdc]),
    ("THREE_FRY", 2, "f32", (2, 3), [0x0], [0x3fc5955f, 0xb0f4215b, 0xb3d7494, 0x7e39c6dc, 0xe19a60b4, 0xacf8c4dc]),
    ("THREE_FRY", 2, "bf16", (2, 3), [0x0], [0x955f, 0x215b, 0x7494, 0xc6dc, 0x60b4, 0xc4dc]),
    ("THREE_FRY", 2, "i4", (2, 3), [0x0], [-0x1, -0x5, 0x4, -0x4, 0x4, -0x4]),
    ("DEFAULT", 2, "ui32", (5,), [0xffffffffffffffff], [0x5cce3967, 0xa44081d, 0xd9ae917c, 0x7bab4396, 0xa485194]),
    ("DEFAULT", 2, "i64", (5,), [0x0], [0xa44081d5cce3967, 0x7bab4396d9ae917c, 0x41c5f8060a485194, 0x3885a3d4d6822fee, 0x307385e041eb59f3]),
]  # fmt: skip


def bits_program(algorithm, words, element, shape):
    state, output = f"tensor<{words}xui64>", f"tensor<{'x'.join([*map(str, shape), element])}>"
    return (
        f"func.func @main(%s: {state}) -> ({state}, {output}) {{\n"
        f"%0, %1 = stablehlo.rng_bit_generator %s, algorithm = {algorithm} : ({state}) -> ({state}, {output})\n"
        f"return %0, %1 : {state}, {output}\n}}"
    )


def numbers_program(element, distribution, count, attributes=""):
    result = f"tensor<{count}x{element}>"
    return (
        f"func.func @main(%a: tensor<{element}>, %b: tensor<{element}>) -> {result} {{\n"
        f"%n = stablehlo.constant dense<{count}> : tensor<1xi64>\n"
        f"%0 = stablehlo.rng %a, %b, %n, distribution = {distribution} {attributes}"
        f" : (tensor<{element}>, tensor<{element}>, tensor<1xi64>) -> {result}\nreturn %0 : {result}\n}}"
    )


def element_dtype(element):
    module = parse_module(f"func.func private @f(tensor<{element}>)", "type.mlir", context())
    return numpy_dtype(module.body.block.first_op.function_type.inputs.data[0].element_type)


def interpret(text, *args, expand):
    module = parse_module(text, "program.mlir", context())
    module.verify()
    if expand:
        ExpandRandomPass().apply(context(), module)
        module.verify()
    return Interpreter(module, interpreter_rules()).call("main", [np.asarray(a) for a in args])


def unsigned(array):
    """The bits of every element."""
    if array.dtype.itemsize == 1 and array.dtype.kind == "V":
        return [int(v) for v in array.reshape(-1)]
    return np.ascontiguousarray(array).reshape(-1).view(f"u{array.dtype.itemsize}").tolist()


@pytest.mark.parametrize("expand", [False, True], ids=["interpreter", "expansion"])
@pytest.mark.parametrize(("algorithm", "words", "element", "shape", "after", "bits"), VECTORS)
@pytest.mark.every(2)
def test_bits_and_states_are_those_of_xla(algorithm, words, element, shape, after, bits, expand):
    state = np.array([KEY, COUNTER, UPPER][:words], np.uint64)
    new_state, output = interpret(bits_program(algorithm, words, element, shape), state, expand=expand)
    assert new_state.tolist() == [KEY, *after]
    assert output.shape == shape
    assert unsigned(output) == bits


@pytest.mark.parametrize("index", [i for i, v in enumerate(VECTORS) if v[3] in ((5,), (3, 3))][::3])
def test_native_bits_are_the_same(index):
    algorithm, words, element, shape, after, bits = VECTORS[index]
    state = np.array([KEY, COUNTER, UPPER][:words], np.uint64)
    new_state, output = stepwell.compile(bits_program(algorithm, words, element, shape))(state)
    assert np.asarray(new_state).tolist() == [KEY, *after]
    assert unsigned(np.asarray(output)) == bits


@pytest.mark.parametrize(
    ("element", "distribution", "a", "b", "mean", "deviation"),
    [
        ("f32", "UNIFORM", -1, 3, 1, 4 / math.sqrt(12)),
        ("f64", "UNIFORM", -1, 3, 1, 4 / math.sqrt(12)),
        ("bf16", "UNIFORM", 0, 1, 0.5, 1 / math.sqrt(12)),
        ("f32", "NORMAL", 1, 2, 1, 2),
        ("f64", "NORMAL", 1, 2, 1, 2),
        ("f16", "NORMAL", 0, 1, 0, 1),
        ("i32", "UNIFORM", -5, 7, 0.5, math.sqrt(143 / 12)),
        ("i8", "UNIFORM", -128, 127, -1, 255 / math.sqrt(12)),
        ("ui64", "UNIFORM", 0, 2**63 + 5, 2**62, 2**63 / math.sqrt(12)),
    ],
)
def test_numbers_have_their_distribution_and_the_expansion_gives_the_same(element, distribution, a, b, mean, deviation):
    count, text = 4000, numbers_program(element, distribution, 4000)
    bounds = [np.array(x, element_dtype(element)) for x in (a, b)]
    (direct,) = interpret(text, *bounds, expand=False)
    (expanded,) = interpret(text, *bounds, expand=True)
    wide = direct.astype(np.float64)
    np.testing.assert_allclose(expanded.astype(np.float64), wide, rtol=1e-6, atol=1e-6 * deviation)
    assert abs(wide.mean() - mean) < 4 * deviation / math.sqrt(count)
    assert abs(wide.std() / deviation - 1) < 0.05
    if distribution == "UNIFORM":
        assert wide.min() >= a
        assert (direct < bounds[1]).all()


def test_streams_differ_unless_they_are_named_alike():
    def draw(attributes, other):
        text = numbers_program("f32", "UNIFORM", 8, attributes)
        text = text.replace("return %0", numbers_line(other) + "return %1")
        return interpret(text, np.float32(0), np.float32(1), expand=True)[0]

    def numbers_line(attributes):
        types = "(tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<8xf32>"
        return f"%1 = stablehlo.rng %a, %b, %n, distribution = UNIFORM {attributes} : {types}\n"

    same = draw("", "{stepwell.stream = 0 : i64}")
    assert (same == interpret(numbers_program("f32", "UNIFORM", 8), np.float32(0), np.float32(1), expand=True)[0]).all()
    assert (same != draw("", "")).any()


def test_an_interval_never_yields_its_upper_end():
    low, high = np.float32(1), np.nextafter(np.float32(1), np.float32(2))
    (values,) = interpret(numbers_program("f32", "UNIFORM", 100), low, high, expand=True)
    assert (values == 1).all()
