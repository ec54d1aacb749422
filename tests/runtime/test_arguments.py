"""What may be passed to an executable, and that what is passed never gives a wrong number."""

from __future__ import annotations

import copy
import pickle

import ml_dtypes
import numpy as np
import pytest

import stepwell
from stepwell.runtime.executable import Executable

F32 = np.float32


def program(body: str, arguments: str, result: str) -> str:
    return f"func.func public @main({arguments}) -> {result} {{\n{body}\n}}"


def twice(element: str, target: str = "cpu") -> Executable:
    """x + x of a 0-d element type (x or x of i1)."""
    op = "or" if element == "i1" else "add"
    body = f" %0 = stablehlo.{op} %x, %x : tensor<{element}>\n return %0 : tensor<{element}>"
    return stepwell.compile(program(body, f"%x: tensor<{element}>", f"tensor<{element}>"), target=target)


@pytest.fixture(scope="module")
def add():
    body = " %0 = stablehlo.add %x, %y : tensor<4xf32>\n return %0 : tensor<4xf32>"
    return stepwell.compile(program(body, "%x: tensor<4xf32>, %y: tensor<4xf32>", "tensor<4xf32>"))


DONATED = program(
    """ %0 = stablehlo.dynamic_update_slice %x, %y, %i : (tensor<8xf32>, tensor<4xf32>, tensor<i32>) -> tensor<8xf32>
 %1 = stablehlo.slice %0 [0:4] : (tensor<8xf32>) -> tensor<4xf32>
 %2 = stablehlo.add %1, %y : tensor<4xf32>
 return %0, %2 : tensor<8xf32>, tensor<4xf32>""",
    "%x: tensor<8xf32>, %y: tensor<4xf32>, %i: tensor<i32>",
    "(tensor<8xf32>, tensor<4xf32>)",
)


@pytest.mark.parametrize("first", range(5))
def test_a_donated_argument_that_overlaps_another_is_copied(first):
    base = np.arange(8, dtype=F32)
    y = base[first : first + 4] if first < 4 else base[4:]
    x_before, y_before = base.copy(), y.copy()
    exe = stepwell.compile(DONATED, donate=(0,))
    updated, total = exe(base, y, np.int32(2))
    want = x_before.copy()
    want[2:6] = y_before
    assert np.array_equal(updated, want)
    assert np.array_equal(total, want[:4] + y_before)
    assert np.array_equal(y, y_before), "the argument that is not donated keeps its contents"
    assert exe.remarks == ["argument 0 is donated but overlaps argument 1: copied"]


def test_one_array_donated_twice_is_two_arrays():
    body = " %0 = stablehlo.add %x, %x : tensor<4xf32>\n %1 = stablehlo.multiply %y, %y : tensor<4xf32>\n"
    text = program(
        body + " return %0, %1 : tensor<4xf32>, tensor<4xf32>",
        "%x: tensor<4xf32>, %y: tensor<4xf32>",
        "(tensor<4xf32>, tensor<4xf32>)",
    )
    x = np.arange(4, dtype=F32)
    total, square = stepwell.compile(text, donate=(0, 1))(x, x)
    assert total.tolist() == [0, 2, 4, 6]
    assert square.tolist() == [0, 1, 4, 9]


def test_a_donated_argument_that_shares_nothing_is_not_copied():
    exe = stepwell.compile(DONATED, donate=(0,))
    base = np.arange(16, dtype=F32)
    exe(base[:8], base[8:12], np.int32(0))
    assert exe.remarks == []


def test_out_overlaps_nothing(add):
    x, y, base = np.ones(4, F32), np.ones(4, F32), np.zeros(8, F32)
    with pytest.raises(stepwell.InvalidProgramError, match=r"out\[0\] overlaps argument 1"):
        add(x, y, out=[y])
    with pytest.raises(stepwell.InvalidProgramError, match=r"out\[0\] overlaps argument 0"):
        add(base[2:6], y, out=[base[:4]])
    exe = stepwell.compile(DONATED)
    long = np.zeros(8, F32)
    with pytest.raises(stepwell.InvalidProgramError, match=r"out\[1\] overlaps out 0"):
        exe(long.copy(), x, np.int32(0), out=[long, long[4:]])
    (result,) = add(base[::2], y, out=[base[:4]])  # the argument is copied first, so nothing overlaps
    assert result.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ([None], r"out\[0\] must be float32\[4\], got NoneType"),
        ([None, None], "the program has 1 results, got 2 arrays in out"),
        (np.zeros(4, F32), "out must be a list of 1 arrays, got ndarray"),
        (3, "out must be a list of 1 arrays, got int"),
        ([np.ma.masked_array(np.zeros(4, F32))], r"out\[0\] must be float32\[4\], got MaskedArray"),
        ([np.zeros(8, F32)[::2]], r"out\[0\] must be C-contiguous"),
        ([np.zeros(4, ">f4")], r"out\[0\] must be float32\[4\], got float32\[4\] in big-endian byte order"),
    ],
)
def test_a_wrong_out_is_named(add, out, message):
    with pytest.raises(stepwell.InvalidProgramError, match=message):
        add(np.ones(4, F32), np.ones(4, F32), out=out)


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("i8", 3.7),
        ("i8", 3.0),
        ("i8", 300),
        ("i8", -129),
        ("ui8", -1),
        ("i4", 8),
        ("i32", 1 << 40),
        ("i64", 1 << 5000),
        ("f32", 1j),
        ("f32", (1 << 24) + 1),
        ("f32", 1e300),
        ("f16", 1e5),
        ("f8E4M3FN", 1e5),
        ("bf16", 257),
        ("i1", 1),
        ("i1", 1.0),
        ("f32", np.float64(0.5)),
        ("i32", np.int64(1)),
        ("f32", "1.0"),
        ("f32", None),
        ("f32", object()),
    ],
)
def test_a_scalar_that_its_type_cannot_hold_is_refused(element, value):
    exe = twice(element, "interpreter")
    with pytest.raises(stepwell.InvalidProgramError, match=r"argument 0 must be \w+\[\], got"):
        exe(value)


@pytest.mark.parametrize(
    ("element", "value", "want"),
    [
        ("i8", 63, 126),
        ("i8", True, 2),
        ("ui64", (1 << 63) - 1, (1 << 64) - 2),
        ("f32", 1 << 24, 1 << 25),
        ("f32", 0.1, F32(0.1) * 2),
        ("f32", float("inf"), float("inf")),
        ("f32", -0.0, 0.0),
        ("bf16", 1.5, 3.0),
        ("complex<f32>", 2, 4),
        ("complex<f32>", 1 + 2j, 2 + 4j),
        ("i1", True, True),
    ],
)
def test_a_scalar_that_its_type_holds_is_taken(element, value, want):
    target = "interpreter" if element.startswith("complex") else "cpu"
    assert twice(element, target)(value)[0] == want


def test_what_is_no_array_is_refused_by_name(add):
    y = np.ones(4, F32)
    cases = {
        "list that is no array": [[1], [1, 2]],
        "got a masked array": np.ma.masked_array(y, y > 0),
        "big-endian": y.astype(">f4"),
        "float32.3.": [F32(1)] * 3,
        "object.": object(),
    }
    for message, value in cases.items():
        with pytest.raises(
            stepwell.InvalidProgramError, match=f"argument 0 must be float32\\[4\\], got.*{message}|{message}"
        ):
            add(value, y)


ODD = np.arange(131, dtype=np.uint8)
ODD[::3], ODD[7] = 0, 255
TRUTHS = """func.func @main(%x: tensor<131xi1>, %p: tensor<i1>) -> (tensor<131xi1>, tensor<131xi1>, tensor<131xf32>, tensor<i32>, tensor<i1>, tensor<131xi1>) {
  %not = stablehlo.not %x : tensor<131xi1>
  %f = stablehlo.convert %x : (tensor<131xi1>) -> tensor<131xf32>
  %i = stablehlo.convert %x : (tensor<131xi1>) -> tensor<131xi32>
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %count = stablehlo.reduce(%i init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<131xi32>, tensor<i32>) -> tensor<i32>
  %reversed = stablehlo.reverse %x, dims = [0] : tensor<131xi1>
  %chosen = "stablehlo.if"(%p) ({
    stablehlo.return %x : tensor<131xi1>
  }, {
    stablehlo.return %reversed : tensor<131xi1>
  }) : (tensor<i1>) -> tensor<131xi1>
  return %x, %not, %f, %count, %p, %chosen : tensor<131xi1>, tensor<131xi1>, tensor<131xf32>, tensor<i32>, tensor<i1>, tensor<131xi1>
}"""


@pytest.mark.parametrize(
    "how",
    [{}, {"simd": "avx2"}, {"simd": "sse4.2"}, {"opt_level": 0}, {"target": "interpreter"}, {"donate": (0,)}],
    ids=lambda how: "-".join(map(str, how.values())) or "plain",
)
def test_any_byte_but_0_is_true_and_results_are_0_or_1(how):
    exe = stepwell.compile(TRUTHS, **how)
    given, want = ODD.copy(), ODD != 0
    for odd in (2, 0, 1, 128):
        p = np.array(odd, np.uint8).view(np.bool_)
        results = exe(given.view(np.bool_), p)
        wanted = (want, ~want, want, want.sum(), odd != 0, want if odd else want[::-1])
        for got, expected in zip(results, wanted, strict=True):
            np.testing.assert_array_equal(got.view(np.uint8) if got.dtype == np.bool_ else got, expected)
        if "donate" in how:
            given = ODD.copy()
    copied = any("neither 0 nor 1: copied" in remark for remark in exe.remarks)
    assert copied == ("donate" in how or "target" in how)


def test_bools_take_the_direct_way():
    exe = stepwell.compile(TRUTHS)
    first = exe(ODD.view(np.bool_), np.array(True))
    direct = exe._direct((ODD.view(np.bool_), np.array(True)))
    for got, expected in zip(direct, first, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_ordinary_arguments_take_the_short_path(add, monkeypatch):
    def never(*_: object) -> None:
        raise AssertionError("the long path")

    monkeypatch.setattr("stepwell.runtime.executable.prepare", never)
    x = np.ones(4, F32)
    x.flags.writeable = False
    assert add(x, np.ones(4, F32))[0].tolist() == [2, 2, 2, 2]
    with pytest.raises(AssertionError, match="the long path"):
        stepwell.compile(DONATED, donate=(0,))(np.zeros(8, F32), x, 3)


def test_an_executable_copies_as_itself_and_is_not_pickled(add):
    assert copy.copy(add) is add
    assert copy.deepcopy({"f": add})["f"] is add
    with pytest.raises(TypeError, match="cannot be pickled; compile the program there"):
        pickle.dumps(add)


def test_an_executable_that_was_never_built_dies_quietly(recwarn):
    exe = Executable.__new__(Executable)
    del exe
    with pytest.raises(TypeError):
        Executable()  # pyright: ignore[reportCallIssue]


def test_small_integers_whose_upper_bits_are_set_are_the_integers_they_show():
    exe = twice("i4")
    odd = np.array(0xF3, np.uint8).view(ml_dtypes.int4)
    assert int(exe(odd)[0][()]) == int(np.add(odd, odd))
