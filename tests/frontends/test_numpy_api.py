"""Every function of `stepwell.numpy` against NumPy, in one program per theme."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import stepwell
import stepwell.numpy as snp
from stepwell.ir.dtypes import numpy_dtype

RNG = np.random.default_rng(7)
X = RNG.uniform(-2, 2, (3, 4, 5)).astype(np.float32)
Y = RNG.uniform(0.1, 0.9, (4, 1)).astype(np.float32)
P = RNG.uniform(0.1, 0.9, (6,)).astype(np.float32)
I = RNG.integers(-20, 20, (4, 5)).astype(np.int32)  # noqa: E741
J = np.where(RNG.integers(0, 2, (4, 5)) == 1, 3, -4).astype(np.int32)
U = RNG.integers(0, 200, (4, 5)).astype(np.uint8)
B = RNG.integers(0, 2, (4, 5)).astype(bool)
M = RNG.normal(size=(4, 6)).astype(np.float32)
N = RNG.normal(size=(6, 3)).astype(np.float32)
S = RNG.normal(size=(2, 4, 6)).astype(np.float32)

Cases = dict[str, tuple[Callable[..., Any], Callable[..., Any]]]


def same(*names: str, **renamed: str) -> Cases:
    """Functions with NumPy's name, or (ours = NumPy's), of one operand."""
    pairs = {**{n: n for n in names}, **renamed}
    return {
        ours: (lambda x, o=ours: getattr(snp, o)(x), lambda x, t=theirs: getattr(np, t)(x))
        for ours, theirs in pairs.items()
    }


def check(cases: Cases, *arrays: np.ndarray, rtol: float = 2e-6, atol: float = 2e-6) -> None:
    """All results of one jitted program agree with NumPy's in shape and values, and in the kind of dtype."""
    got = stepwell.jit(lambda *a: {name: ours(*a) for name, (ours, _) in cases.items()})(*arrays)
    for name, (_, theirs) in cases.items():
        with np.errstate(all="ignore"):
            wanted = np.asarray(theirs(*arrays))
        result = got[name].numpy()
        assert result.shape == wanted.shape, name
        assert (result.dtype.kind in "fV") == (wanted.dtype.kind in "fV"), (name, result.dtype, wanted.dtype)
        np.testing.assert_allclose(
            result.astype(wanted.dtype), wanted, rtol=rtol, atol=atol, err_msg=name, equal_nan=True
        )


def test_unary_functions_of_floats():
    names = "exp expm1 sin cos tan tanh sinh cosh arctan arcsinh floor ceil trunc round abs sign negative square isnan"
    check(same(*names.split(), "isfinite", "isinf", "signbit", "cbrt", "exp2"), X, rtol=5e-6)
    inside = same(*"log log2 log10 log1p sqrt arcsin arccos arctanh reciprocal positive".split())
    inside["rsqrt"] = (snp.rsqrt, lambda x: 1 / np.sqrt(x))
    inside["sigmoid"] = (snp.sigmoid, lambda x: 1 / (1 + np.exp(-x)))
    inside["erf"] = (snp.erf, np.vectorize(math.erf, otypes=[np.float32]))
    inside["erfc"] = (snp.erfc, np.vectorize(math.erfc, otypes=[np.float32]))
    inside["lgamma"] = (snp.lgamma, np.vectorize(math.lgamma, otypes=[np.float32]))
    check(inside, P, rtol=2e-5)
    check(same("arccosh"), P + 1, rtol=1e-5)


def test_special_values():
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.5], np.float32)
    check(same(*"isnan isfinite isinf signbit floor round trunc abs sign sqrt square nan_to_num".split()), special)
    pairs = np.array([1.0, -0.0, np.inf, np.nan, -np.inf, np.inf, 2.5], np.float32)
    names = "add divide maximum minimum remainder copysign arctan2 hypot logaddexp less equal".split()
    binary = {n: (lambda a, b, n=n: getattr(snp, n)(a, b), lambda a, b, n=n: getattr(np, n)(a, b)) for n in names}
    check(binary, special, pairs)


def binary(names: str) -> Cases:
    return {n: (lambda a, b, n=n: getattr(snp, n)(a, b), lambda a, b, n=n: getattr(np, n)(a, b)) for n in names.split()}


def test_binary_functions_broadcast():
    names = "add subtract multiply divide maximum minimum arctan2 hypot copysign logaddexp floor_divide remainder fmod"
    comparisons = "equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor isclose"
    check(binary(f"{names} {comparisons}"), X, Y, rtol=1e-5)
    check(binary("power"), np.abs(X), Y, rtol=1e-5)


def test_integer_arithmetic_rounds_as_numpy_does():
    names = "add subtract multiply divide floor_divide remainder fmod bitwise_and bitwise_or bitwise_xor maximum less"
    check(binary(names), I, J)
    check(binary("left_shift right_shift"), I, np.abs(J))
    check(same("bitwise_invert" if hasattr(np, "bitwise_invert") else "invert", "abs", "sign", "negative"), I)
    check(same("bitwise_count"), U)
    check(binary("bitwise_and bitwise_or bitwise_xor logical_and"), B, I > 0)


def test_scalars_operators_and_powers():
    cases: Cases = {
        "mixed": (lambda x: 2 * x + 1 - x / 3, lambda x: 2 * x + 1 - x / 3),
        "reflected": (lambda x: 1 - 1 / (x + 5), lambda x: 1 - 1 / (x + 5)),
        "cube": (lambda x: x**3, lambda x: x**3),
        "inverse": (lambda x: (x + 5) ** -2, lambda x: (x + 5) ** -2),
        "root": (lambda x: (x + 5) ** 0.5, lambda x: (x + 5) ** 0.5),
        "mod": (lambda x: x % 0.7, lambda x: x % np.float32(0.7)),
        "floor": (lambda x: x // 0.7, lambda x: x // np.float32(0.7)),
        "compare": (lambda x: (x > 0.5) & ~(x < 1), lambda x: (x > 0.5) & ~(x < 1)),
        "negated": (lambda x: -abs(x), lambda x: -abs(x)),
    }
    check(cases, X, rtol=1e-5)


def test_where_and_clip():
    cases: Cases = {
        "where": (lambda b, x, y: snp.where(b, x, y[:, 0, None]), lambda b, x, y: np.where(b, x, y[:, 0, None])),
        "scalar": (lambda b, x, y: snp.where(b, x, 0), lambda b, x, y: np.where(b, x, np.float32(0))),
        "clip": (lambda b, x, y: snp.clip(x, -0.5, y), lambda b, x, y: np.clip(x, np.float32(-0.5), y)),
        "low": (lambda b, x, y: x.clip(0), lambda b, x, y: x.clip(0)),
    }
    check(cases, B, X, Y)


def test_reductions():
    cases: Cases = {}
    for name in "sum mean max min prod any all var std argmax argmin count_nonzero".split():
        for axis in (None, 0, -1):
            cases[f"{name}{axis}"] = (
                lambda x, n=name, a=axis: getattr(snp, n)(x, axis=a),
                lambda x, n=name, a=axis: getattr(np, n)(x, axis=a),
            )
    for name in "sum mean max min var".split():
        cases[f"{name} two"] = (
            lambda x, n=name: getattr(snp, n)(x, axis=(0, 2), keepdims=True),
            lambda x, n=name: getattr(np, n)(x, axis=(0, 2), keepdims=True),
        )
    cases["cumsum"] = (lambda x: snp.cumsum(x, axis=1), lambda x: np.cumsum(x, axis=1))
    cases["cumsum flat"] = (snp.cumsum, np.cumsum)
    cases["cumprod"] = (lambda x: snp.cumprod(x, axis=-1), lambda x: np.cumprod(x, axis=-1))
    cases["logsumexp"] = (lambda x: snp.logsumexp(x, -1), lambda x: np.log(np.exp(x).sum(-1)))
    cases["softmax"] = (lambda x: snp.softmax(x, -1), lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True))
    check(cases, X, rtol=1e-5, atol=1e-5)
    check({k: v for k, v in cases.items() if k[:3] in ("sum", "max", "min", "arg", "cum") and "two" not in k}, I)


def test_arguments_of_extremes_take_the_first_and_nan():
    x = np.array([[1, 3, 3, 2], [np.nan, 1, 5, np.nan], [-0.0, 0.0, 0.0, -0.0]], np.float32)
    cases: Cases = {
        n: (
            lambda x, n=n: getattr(snp, n)(x, axis=1, keepdims=True),
            lambda x, n=n: getattr(np, n)(x, 1, keepdims=True),
        )
        for n in ("argmax", "argmin", "max", "min")
    }
    check(cases, x)


def test_small_floats_are_summed_in_float32():
    x = np.full((4096,), 0.1, ml_dtypes.bfloat16)
    total = snp.sum(x)
    assert total.dtype == ml_dtypes.bfloat16
    assert float(total) == float(np.asarray(x.astype(np.float32).sum()).astype(ml_dtypes.bfloat16))
    assert float(snp.mean(np.full((70000,), 4.0, np.float16))) == 4.0


def test_moving_elements():
    cases: Cases = {}

    def add(name: str, *args: Any, **kwargs: Any) -> None:
        cases[f"{name}{args}{kwargs}"] = (
            lambda x: getattr(snp, name)(x, *args, **kwargs),
            lambda x: getattr(np, name)(x, *args, **kwargs),
        )

    for shape in ((60,), (5, -1), (2, 2, 3, 5)):
        add("reshape", shape)
    add("transpose")
    add("transpose", (1, 2, 0))
    add("swapaxes", 0, -1)
    add("moveaxis", 0, 2)
    add("moveaxis", (0, 1), (-1, 0))
    add("expand_dims", 1)
    add("expand_dims", (0, -1))
    add("ravel")
    add("flip")
    add("flip", 1)
    add("roll", 2)
    add("roll", -7, 2)
    add("roll", (1, 2), (0, 1))
    add("tile", (2, 3))
    add("tile", (2, 1, 1, 2))
    add("repeat", 3)
    add("repeat", 2, 1)
    add("broadcast_to", (2, 3, 4, 5))
    add("pad", 1)
    add("pad", ((0, 1), (2, 0), (1, 1)), constant_values=3)
    add("tril")
    add("triu", k=1)
    add("tril", k=-2)
    add("take", np.array([[0, 2], [-1, 1]]), 1)
    add("take", np.array([5, 59, -3]))
    add("sort")
    add("sort", 0)
    add("sort", None)
    add("argsort", 1)
    check(cases, X)
    more: Cases = {
        "concatenate": (lambda x: snp.concatenate([x, x[:1]], 0), lambda x: np.concatenate([x, x[:1]], 0)),
        "stack": (lambda x: snp.stack([x, x + 1], 1), lambda x: np.stack([x, x + 1], 1)),
        "vstack": (lambda x: snp.vstack([x[0], x[1]]), lambda x: np.vstack([x[0], x[1]])),
        "hstack": (lambda x: snp.hstack([x[0], x[1]]), lambda x: np.hstack([x[0], x[1]])),
        "split": (lambda x: snp.split(x, 2, 1)[1], lambda x: np.split(x, 2, 1)[1]),
        "split at": (lambda x: snp.split(x, [1, 3], 2)[1], lambda x: np.split(x, [1, 3], 2)[1]),
        "squeeze": (lambda x: snp.squeeze(x[:, :1, :1]), lambda x: np.squeeze(x[:, :1, :1])),
        "meshgrid": (lambda x: snp.meshgrid(x[0, 0], x[0, :, 0])[0], lambda x: np.meshgrid(x[0, 0], x[0, :, 0])[0]),
        "diag": (lambda x: snp.diag(x[0, 0]), lambda x: np.diag(x[0, 0])),
        "diagonal": (lambda x: snp.diagonal(x[0]), lambda x: np.diagonal(x[0])),
    }
    check(more, X)


def test_take_along_axis_undoes_argsort():
    cases: Cases = {
        "along": (
            lambda x: snp.take_along_axis(x, snp.argsort(x, axis=1), axis=1),
            lambda x: np.sort(x, axis=1),
        ),
        "descending": (lambda x: snp.sort(x, descending=True), lambda x: -np.sort(-x)),
    }
    check(cases, X)
    with_nan = np.array([3, np.nan, -0.0, 0.0, -np.inf, 1], np.float32)
    np.testing.assert_array_equal(snp.sort(with_nan).numpy(), np.sort(with_nan))
    np.testing.assert_array_equal(snp.argsort(with_nan).numpy(), np.argsort(with_nan, stable=True))


def test_indexing():
    indices: dict[str, Callable[[Any], Any]] = {
        "integer": lambda x: x[1],
        "negative": lambda x: x[-1, ..., -2],
        "slices": lambda x: x[1:, :3, 1:4:2],
        "backwards": lambda x: x[::-1, 3:0:-2],
        "newaxis": lambda x: x[:, None, 1, ..., None],
        "empty": lambda x: x[2:1],
        "beyond": lambda x: x[:, 1:99],
        "array": lambda x: x[np.array([2, 0, -1])],
        "inner array": lambda x: x[:, np.array([[0, 1], [3, 2]])],
        "two arrays": lambda x: x[np.array([0, 2]), np.array([1, -1])],
        "array and integer": lambda x: x[1:, np.array([0, 2]), 1],
    }
    check({n: (f, f) for n, f in indices.items()}, X)

    def numpy_set(x: np.ndarray, index: Any, value: Any) -> np.ndarray:
        copy = x.copy()
        copy[index] = value
        return copy

    sets: dict[str, tuple[Any, Any]] = {
        "row": ((1,), 3.0),
        "box": ((slice(1, 3), slice(None), 2), -1.0),
        "steps": ((slice(None, None, 2), slice(3, None, -2)), 9.0),
        "array": ((0, slice(0, 2)), np.arange(10, dtype=np.float32).reshape(2, 5)),
    }
    cases: Cases = {
        n: (lambda x, i=i, v=v: x.at[i].set(v), lambda x, i=i, v=v: numpy_set(x, i, v)) for n, (i, v) in sets.items()
    }
    cases["add"] = (lambda x: x.at[1].add(2), lambda x: numpy_set(x, 1, x[1] + 2))
    check(cases, X)


def test_run_time_indices_count_from_the_end_and_are_clamped():
    pick = stepwell.jit(lambda x, i: (x[i], x[1, i], x.at[i, 0].set(0), x[snp.stack([i, i])]))
    for i, used in ((1, 1), (-1, 3), (99, 3)):
        row, element, cleared, rows = pick(M, np.int32(i))
        np.testing.assert_array_equal(row.numpy(), M[used])
        np.testing.assert_array_equal(element.numpy(), M[1, used if i != 99 else 5] if i != -1 else M[1, -1])
        assert cleared[used, 0].item() == 0
        np.testing.assert_array_equal(rows.numpy(), M[[used, used]])


def test_contractions():
    cases: Cases = {
        "matmul": (lambda m, n, s: m @ n, lambda m, n, s: m @ n),
        "vector": (lambda m, n, s: m[0] @ n, lambda m, n, s: m[0] @ n),
        "column": (lambda m, n, s: s @ n[:, 0], lambda m, n, s: s @ n[:, 0]),
        "inner": (lambda m, n, s: m[0] @ n[:, 0], lambda m, n, s: m[0] @ n[:, 0]),
        "batched": (lambda m, n, s: s @ s.mT, lambda m, n, s: s @ s.swapaxes(1, 2)),
        "batch broadcast": (lambda m, n, s: m @ s.mT, lambda m, n, s: m @ s.swapaxes(1, 2)),
        "row of batch": (lambda m, n, s: m[0] @ s.mT, lambda m, n, s: m[0] @ s.swapaxes(1, 2)),
        "dot": (lambda m, n, s: snp.dot(s, n), lambda m, n, s: np.dot(s, n)),
        "vdot": (lambda m, n, s: snp.vdot(m, m), lambda m, n, s: np.vdot(m, m)),
        "outer": (lambda m, n, s: snp.outer(m, n[0]), lambda m, n, s: np.outer(m, n[0])),
        "tensordot": (
            lambda m, n, s: snp.tensordot(s, m, axes=([1, 2], [0, 1])),
            lambda m, n, s: np.tensordot(s, m, axes=([1, 2], [0, 1])),
        ),
        "tensordot 1": (lambda m, n, s: snp.tensordot(s, n, 1), lambda m, n, s: np.tensordot(s, n, 1)),
        "trace": (lambda m, n, s: snp.trace(m), lambda m, n, s: np.trace(m)),
    }
    for subscripts, operands in {
        "ij,jk->ik": "mn",
        "ij,jk": "mn",
        "bij,jk->kbi": "sn",
        "bij,cij->bc": "ss",
        "bij,bkj->bik": "ss",
        "ij->j": "m",
        "ij->": "m",
        "ii->i": "q",
        "ii": "q",
        "iij,ij->i": "rm",
        "...ij,jk->...ik": "sn",
        "bij,jk,ij->bk": "snm",
        "i,j->ij": "vv",
    }.items():

        def run(module: Any, m: Any, n: Any, s: Any, text: str = subscripts, names: str = operands) -> Any:
            known = {"m": m, "n": n, "s": s, "q": m[:, :4], "r": s[:2, :2], "v": m[0]}
            if text == "iij,ij->i":
                known["m"] = m[:2]
            return module.einsum(text, *[known[c] for c in names])

        cases[subscripts] = (lambda *a, f=run: f(snp, *a), lambda *a, f=run: f(np, *a))
    check(cases, M, N, S, rtol=1e-5, atol=1e-5)


def test_contractions_of_other_types():
    a, b = RNG.integers(-100, 100, (5, 8)).astype(np.int8), RNG.integers(-100, 100, (8, 3)).astype(np.int8)
    wide = snp.matmul(a, b, preferred_element_type="int32")
    np.testing.assert_array_equal(wide.numpy(), a.astype(np.int32) @ b.astype(np.int32))
    np.testing.assert_array_equal(snp.matmul(I[:4, :4], J[:4]).numpy(), I[:4, :4] @ J[:4])
    np.testing.assert_array_equal(snp.matmul(B[:, :4], B).numpy(), B[:, :4] @ B)
    half = (M.astype(np.float16), N.astype(np.float16))
    result = snp.matmul(*half)
    assert result.dtype == np.float16
    np.testing.assert_allclose(result.numpy(), half[0].astype(np.float32) @ half[1].astype(np.float32), rtol=2e-3)


def test_creation():
    cases: Cases = {
        "zeros": (lambda: snp.zeros((2, 3)), lambda: np.zeros((2, 3))),
        "ones": (lambda: snp.ones(4, dtype="int8"), lambda: np.ones(4, np.int8)),
        "full": (lambda: snp.full((2, 2), 7), lambda: np.full((2, 2), 7)),
        "arange": (lambda: snp.arange(5), lambda: np.arange(5)),
        "arange down": (lambda: snp.arange(9, 0, -2), lambda: np.arange(9, 0, -2)),
        "arange floats": (lambda: snp.arange(0.5, 3, 0.25), lambda: np.arange(0.5, 3, 0.25)),
        "linspace": (lambda: snp.linspace(-1.0, 2.0, 7), lambda: np.linspace(-1, 2, 7)),
        "linspace open": (
            lambda: snp.linspace(0, 1, 4, endpoint=False),
            lambda: np.linspace(0, 1, 4, endpoint=False),
        ),
        "eye": (lambda: snp.eye(3, 5, k=1), lambda: np.eye(3, 5, k=1)),
        "tri": (lambda: snp.tri(3, 4, -1), lambda: np.tri(3, 4, -1)),
        "like": (lambda: snp.ones_like(I), lambda: np.ones_like(I)),
        "dtype in place": (lambda: snp.ones((2, 2), bool), lambda: np.ones((2, 2), bool)),
        "full in place": (lambda: snp.full(3, 2.5, "int8"), lambda: np.full(3, 2.5, np.int8)),
        "eye in place": (lambda: snp.eye(3, 4, -1), lambda: np.eye(3, 4, -1)),
        "triangle in place": (lambda: snp.tril(snp.ones((3, 3)), -1), lambda: np.tril(np.ones((3, 3)), -1)),
        "constant": (lambda: snp.asarray([[1, 2], [3, 4]]) * 2, lambda: np.array([[1, 2], [3, 4]]) * 2),
    }
    check(cases)
    for bound in ("a", math.inf, (2,)):
        with pytest.raises(stepwell.TracingError, match="a bound of arange must be a number"):
            snp.arange(1, bound)
    assert snp.zeros(2).dtype == np.float32
    assert snp.arange(3).dtype == np.int32
    assert snp.full((), 2.5).dtype == np.float32


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "uint32", "float16", "bfloat16", "float64", "complex64"])
def test_arithmetic_keeps_every_dtype(dtype: str):
    wanted = np.dtype(getattr(ml_dtypes, dtype, dtype))
    x = np.array([[1, 2, 3], [4, 5, 6]]).astype(wanted)
    target = "interpreter" if wanted.kind == "c" else "cpu"  # complex numbers have no native code yet
    f = stepwell.jit(lambda x: (x + x, x * 3, x.sum(0), x.astype("float32")), target=target)
    total, product, doubled, back = f(x)
    assert total.dtype == product.dtype == wanted
    np.testing.assert_array_equal(total.numpy(), x + x)
    np.testing.assert_array_equal(product.numpy(), x * x.dtype.type(3))
    np.testing.assert_array_equal(doubled.numpy().astype(np.complex64), x.astype(np.complex64).sum(0))
    assert back.dtype == np.float32


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1, 1)])
def test_zero_dims_and_empty_arrays(shape: tuple[int, ...]):
    x = np.full(shape, 2.0, np.float32)
    cases: Cases = {
        "tanh": (snp.tanh, np.tanh),
        "sum": (snp.sum, np.sum),
        "prod": (snp.prod, np.prod),
        "all": (snp.all, np.all),
        "flat": (snp.ravel, np.ravel),
        "add": (lambda x: x + 1, lambda x: x + 1),
        "stack": (lambda x: snp.stack([x, x]), lambda x: np.stack([x, x])),
        "transpose": (lambda x: x.T, lambda x: x.T),
    }
    check(cases, x)


DTYPES = [np.dtype(t) for t in ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")]


def test_promotion_of_integers_is_the_array_apis():
    for a in DTYPES[1:]:
        for b in DTYPES[1:]:
            wanted = np.result_type(a, b)
            if wanted.kind == "f":
                with pytest.raises(stepwell.TracingError, match="no common integer type"):
                    snp.result_type(a, b)
            else:
                assert snp.result_type(a, b) == wanted, (a, b)


@pytest.mark.parametrize(
    ("operands", "wanted"),
    [
        (("bool", "int8"), "int8"),
        (("int64", "float32"), "float32"),
        (("float16", "bfloat16"), "float32"),
        (("bfloat16", "float32"), "float32"),
        (("float32", "float64"), "float64"),
        (("float64", "complex64"), "complex128"),
        (("int8", 1), "int8"),
        (("uint8", 1.5), "float32"),
        (("int64", 1.5), "float64"),
        (("float16", 3), "float16"),
        (("bfloat16", 1.5), "bfloat16"),
        (("float64", 1j), "complex128"),
        (("bool", 1), "int32"),
        ((1, 2.0), "float32"),
        ((True, 2), "int32"),
    ],
)
def test_promotion_between_kinds_and_of_numbers(operands: tuple[Any, Any], wanted: str):
    values = [getattr(ml_dtypes, o, None) or np.dtype(o) if isinstance(o, str) else o for o in operands]
    assert snp.result_type(*values) == wanted
    assert snp.result_type(*reversed(values)) == wanted
    arrays = [np.ones(2, v) if not isinstance(v, int | float | complex) else v for v in values]
    traced = stepwell.jit(lambda *a: a[0] + a[1]).lower(*arrays)
    (function,) = traced.module.ops
    (result,) = function.function_type.outputs
    assert numpy_dtype(result.element_type) == wanted


def test_numbers_that_do_not_fit_are_refused():
    with pytest.raises(stepwell.TracingError, match="300 does not fit in int8"):
        stepwell.jit(lambda x: x + 300)(np.ones(2, np.int8))


def test_dtypes_are_not_taken_from_other_kinds():
    with pytest.raises(stepwell.TracingError, match="float8_e4m3fn and float8_e5m2 have no common type"):
        snp.result_type(ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2)
    with pytest.raises(stepwell.TracingError, match="'float31' is not a dtype"):
        snp.zeros(2, dtype="float31")


def test_norms():
    options: list[dict[str, Any]] = [
        {},
        {"axis": 1},
        {"axis": (0, 2)},
        {"axis": (2, 0), "ord": 1},
        {"axis": (0, 2), "ord": -1, "keepdims": True},
        {"axis": (0, 2), "ord": np.inf},
        {"axis": (-1, 0), "ord": -np.inf},
        {"axis": -1, "ord": 3},
        {"axis": 0, "ord": 0},
        {"axis": 0, "ord": 1, "keepdims": True},
        {"axis": (0, 1), "ord": "fro"},
        {"axis": 1, "ord": np.inf},
        {"axis": 1, "ord": -np.inf},
    ]
    check({str(o): (lambda x, o=o: snp.linalg.norm(x, **o), lambda x, o=o: np.linalg.norm(x, **o)) for o in options}, X)
    dots: Cases = {
        str(d): (lambda a, b, d=d: snp.vecdot(a, b, axis=d), lambda a, b, d=d: np.vecdot(a, b, axis=d)) for d in (0, -1)
    }
    check(dots, X, X + 1, rtol=1e-5)
    assert snp.linalg.norm(I).dtype == np.float32
    for wrong, message in (
        (lambda: snp.linalg.norm(X, 3), "needs one or two axes"),
        (lambda: snp.linalg.norm(X, "sup", (0, 1)), "a matrix norm has no order 'sup'"),
        (lambda: snp.linalg.norm(X, "fro", 1), "a vector norm has no order 'fro'"),
        (lambda: snp.linalg.matrix_norm(X, axis=(0, 0)), "names a dim twice"),
    ):
        with pytest.raises(stepwell.TracingError, match=message):
            wrong()


def test_methods_are_the_functions():
    cases: Cases = {
        "divmod": (lambda x: divmod(x, 0.7)[0], lambda x: np.divmod(x, np.float32(0.7))[0]),
        "rest": (lambda x: divmod(x, 0.7)[1], lambda x: np.divmod(x, np.float32(0.7))[1]),
        "reflected": (lambda x: divmod(3, x + 3)[0], lambda x: np.divmod(np.float32(3), x + 3)[0]),
        "round": (round, np.round),
        "round method": (lambda x: x.round(1), lambda x: x.round(1)),
        "tens": (lambda x: snp.round(x * 100, -1), lambda x: np.round(x * 100, -1)),
        "argsort": (lambda x: x.argsort(1), lambda x: x.argsort(1, kind="stable")),
        "swapaxes": (lambda x: x.swapaxes(0, 2), lambda x: x.swapaxes(0, 2)),
        "repeat": (lambda x: x.repeat(2, 1), lambda x: x.repeat(2, 1)),
        "cumprod": (lambda x: x.cumprod(2), lambda x: x.cumprod(2)),
        "conj": (lambda x: x.conj(), lambda x: x.conj()),
        "real": (lambda x: x.real, lambda x: x.real),
        "imag": (lambda x: x.imag, lambda x: x.imag),
        "copy": (lambda x: x.copy(), lambda x: x.copy()),
        "diff": (lambda x: snp.diff(x, axis=1), lambda x: np.diff(x, axis=1)),
        "diff twice": (lambda x: snp.diff(x, 2), lambda x: np.diff(x, 2)),
        "diff of truth": (lambda x: snp.diff(x > 0), lambda x: np.diff(x > 0)),
        "no differences": (lambda x: snp.diff(x[:, :, :1], 2), lambda x: np.diff(x[:, :, :1], 2)),
        "unstack": (lambda x: snp.unstack(x, axis=1)[2], lambda x: x[:, 2]),
    }
    check(cases, X, rtol=1e-5)


@pytest.mark.parametrize("name", ["nonzero", "flatnonzero", "argwhere", "extract"])
def test_shapes_that_depend_on_data_are_refused_inside_and_outside_of_jit(name: str):
    for call in (getattr(snp, name), stepwell.jit(getattr(snp, name))):
        with pytest.raises(stepwell.TracingError, match=f"{name}: .* have a shape that depends on data") as caught:
            call(X)
        assert "test_numpy_api.py" in str(caught.value)
        assert caught.value.diagnostic.hint


def test_variances_take_numpys_names_and_complex_numbers():
    z = (X[0] + 1j * X[1]).astype(np.complex64)
    for name in ("var", "std"):
        ours, theirs = getattr(snp, name), getattr(np, name)
        for options in ({"ddof": 1}, {"correction": 1}, {"axis": 0, "ddof": 2, "keepdims": True}):
            for x in (X[0], z):
                got, want = ours(x, **options), theirs(x, **options)
                assert (got.dtype, got.shape) == (np.float32, want.shape)
                np.testing.assert_allclose(got, want, rtol=1e-5)
        with pytest.raises(stepwell.TracingError, match="ddof is another name of correction"):
            ours(X, ddof=1, correction=1)
        with pytest.raises(stepwell.TracingError, match="is a number, not 'x'"):
            ours(X, ddof="x")
    assert np.isnan(float(snp.var(np.zeros(0, np.complex64))))
    assert float(snp.var(np.float64(3), ddof=0)) == 0
    assert np.isinf(float(snp.var(np.arange(2.0), ddof=3)))
