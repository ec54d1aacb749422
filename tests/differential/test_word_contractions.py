"""Products of bytes and halves into i32, exact at every vector width, with an instruction for four bytes and without."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import stepwell

MACHINES = ["cpu", "cpu:x86-64-v4", "cpu:avx2", "cpu:sse4.2"]
"""This machine, which may have an instruction for four bytes; one of its vectors that has none; narrower ones."""
DTYPES = {"i8": np.int8, "ui8": np.uint8, "i16": np.int16, "ui16": np.uint16}
SHAPES = [
    (4, 3, 5),
    (5, 4, 16),
    (13, 67, 31),
    (14, 1, 33),
    (27, 64, 64),
    (30, 2100, 37),
    (6, 2, 9),
    (40, 129, 100),
    (1, 70, 50),
    (3, 130, 40),
]


def tensor(shape, kind: str) -> str:
    return f"tensor<{''.join(f'{s}x' for s in shape)}{kind}>"


def values(rng, shape, kind: str):
    """All values, and runs of the least and the largest, whose products are the ones that saturate."""
    limits = np.iinfo(DTYPES[kind])
    x = rng.integers(limits.min, limits.max + 1, shape).astype(DTYPES[kind])
    x[..., : x.shape[-1] // 3] = limits.min
    x[0] = limits.max
    return x


def product_program(a, b, contracted: tuple[int, int], kind: str) -> str:
    """Of two matrices, or of two stacks of them; `contracted` says along which of their dims."""
    first = a.ndim - 2
    rows, columns = a.shape[first + 1 - contracted[0]], b.shape[first + 1 - contracted[1]]
    types = tensor(a.shape, kind), tensor(b.shape, kind), tensor((*a.shape[:first], rows, columns), "i32")
    dims = "batching_dims = [0] x [0], " if first else ""
    return f"""func.func @main(%a: {types[0]}, %b: {types[1]}) -> {types[2]} {{
      %r = stablehlo.dot_general %a, %b, {dims}contracting_dims = [{first + contracted[0]}] x [{first + contracted[1]}]
        : ({types[0]}, {types[1]}) -> {types[2]}
      func.return %r : {types[2]}
    }}"""


def wrapped(a, b):
    """The product modulo 2**32."""
    return (a.astype(np.int64) @ b.astype(np.int64)).astype(np.int32)


def checked(a, b, contracted: tuple[int, int], kind: str, machine: str, **schedule):
    exe = stepwell.compile(product_program(a, b, contracted, kind), target=machine, **schedule)
    a, b = (np.ascontiguousarray(v) for v in (a, b))
    sides = a if contracted[0] else a.swapaxes(-1, -2), b.swapaxes(-1, -2) if contracted[1] else b
    np.testing.assert_array_equal(exe(a, b)[0], wrapped(*sides))
    return exe


def layouts(a, b, contracted: tuple[int, int]):
    return a if contracted[0] else a.swapaxes(-1, -2).copy(), b.swapaxes(-1, -2).copy() if contracted[1] else b


@pytest.mark.parametrize("kind", ["i8", "ui8", "i16"])
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("number", range(len(SHAPES)))
@pytest.mark.every(16)
def test_products_are_exact(number, machine, kind):
    """Every shape has another layout on each machine, and every layout occurs."""
    rng = np.random.default_rng(number)
    contracted = list(itertools.product((1, 0), (0, 1)))[(number + MACHINES.index(machine)) % 4]
    m, k, n = SHAPES[number]
    a, b = values(rng, (m, k), kind), values(rng, (k, n), kind)
    checked(*layouts(a, b, contracted), contracted, kind, machine)


@pytest.mark.parametrize("machine", MACHINES)
def test_stacks_of_matrices(machine):
    rng = np.random.default_rng(1)
    a, b = values(rng, (3, 9, 70), "i8"), values(rng, (3, 70, 33), "i8")
    contracted = (1, MACHINES.index(machine) % 2)
    checked(*layouts(a, b, contracted), contracted, "i8", machine)


@pytest.mark.parametrize("size", [(20, 4500, 70), (13, 1088, 33), (1, 128, 48)])
@pytest.mark.parametrize("machine", MACHINES[:2])
@pytest.mark.parametrize("kind", ["i8", "ui8"])
@pytest.mark.every(2)
def test_sums_in_runs_start_without_what_flipped_signs_add(kind, machine, size):
    """Each run of terms packs its part of B, and knows the sums of its columns; runs are whole steps of packing."""
    rng = np.random.default_rng(2)
    m, k, n = size
    a, b = values(rng, (m, k), kind), values(rng, (k, n), kind)
    exe = checked(a, b, (1, 0), kind, machine)
    assert "scf.if" in exe.ir("scheduled")


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("kinds", [("ui8", "i8"), ("i8", "ui8"), ("i8", "i16"), ("ui8", "i16")])
@pytest.mark.every(4)
def test_factors_of_two_types_that_are_converted_first(kinds, machine):
    """The conversions are done by what packs, or by nothing: words of A are read where they lie."""
    rng = np.random.default_rng(5)
    m, k, n = 17, 36, 33
    a, b = values(rng, (m, k), kinds[0]), values(rng, (k, n), kinds[1])
    types = [tensor(v.shape, kind) for v, kind in zip((a, b), kinds, strict=True)]
    wide = [tensor(v.shape, "i32") for v in (a, b)]
    exe = stepwell.compile(
        f"""func.func @main(%a: {types[0]}, %b: {types[1]}) -> {tensor((m, n), "i32")} {{
          %x = stablehlo.convert %a : ({types[0]}) -> {wide[0]}
          %y = stablehlo.convert %b : ({types[1]}) -> {wide[1]}
          %r = stablehlo.dot_general %x, %y, contracting_dims = [1] x [0] : ({wide[0]}, {wide[1]}) -> {tensor((m, n), "i32")}
          func.return %r : {tensor((m, n), "i32")}
        }}""",
        target=machine,
    )
    np.testing.assert_array_equal(exe(a, b)[0], wrapped(a, b))
    assert exe.ir("kernels").count("kernel.launch") == 1
    assert "kernel.dot" in exe.ir("scheduled")


def convolved(x, k):
    """NHWC, a pixel of padding all around, tap by tap."""
    x = np.pad(x.astype(np.int64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows, columns = x.shape[1] - k.shape[0] + 1, x.shape[2] - k.shape[1] + 1
    taps = itertools.product(range(k.shape[0]), range(k.shape[1]))
    return sum(x[:, i : i + rows, j : j + columns] @ k[i, j].astype(np.int64) for i, j in taps).astype(np.int32)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("channels", "side", "features", "window"), [(5, 9, 33, 3), (16, 6, 20, 1), (1, 12, 8, 5)])
@pytest.mark.every(3)
def test_convolutions_of_bytes_in_either_layout(channels, side, features, window, machine):
    rng = np.random.default_rng(6)
    x, k = values(rng, (2, side, side, channels), "i8"), values(rng, (window, window, channels, features), "i8")
    want = convolved(x, k)
    dims = "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]"
    if MACHINES.index(machine) % 2:
        dims = "[b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1]"
        x, k, want = x.transpose(0, 3, 1, 2).copy(), k.transpose(3, 2, 0, 1).copy(), want.transpose(0, 3, 1, 2)
    types = tensor(x.shape, "i8"), tensor(k.shape, "i8"), tensor(want.shape, "i32")
    exe = stepwell.compile(
        f"""func.func @main(%x: {types[0]}, %k: {types[1]}) -> {types[2]} {{
          %r = stablehlo.convolution(%x, %k) dim_numbers = {dims}, window = {{pad = [[1, 1], [1, 1]]}}
            {{batch_group_count = 1 : i64, feature_group_count = 1 : i64}} : ({types[0]}, {types[1]}) -> {types[2]}
          func.return %r : {types[2]}
        }}""",
        target=machine,
    )
    np.testing.assert_array_equal(exe(x, k)[0], want)


def test_the_words_of_a_machine_are_its_choice():
    rng = np.random.default_rng(3)
    a, b = values(rng, (16, 64), "i8"), values(rng, (64, 32), "i8")
    pairs = checked(a, b, (1, 0), "i8", "cpu:x86-64-v4").ir("scheduled")
    assert "lhs_factor = si16, rhs_factor = si16" in pairs
    plain = checked(a.astype(np.uint16), b.astype(np.uint16), (1, 0), "ui16", "cpu:x86-64-v4").ir("scheduled")
    assert "kernel.dot" not in plain


@pytest.mark.parametrize("step", ["scheduled", "buffers"])
def test_the_interpreter_computes_the_same(step):
    rng = np.random.default_rng(4)
    a, b = values(rng, (14, 35), "i8"), values(rng, (35, 20), "i8")
    exe = stepwell.compile(product_program(a, b, (1, 0), "i8"), target="interpreter", step=step)
    assert "kernel.dot" in exe.ir(step)
    np.testing.assert_array_equal(exe(a, b)[0], wrapped(a, b))
