"""`stepwell.nn` against definitions in float64, at special values, with what its functions are recognized as; and jax.nn where it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import stepwell
import stepwell.nn as nn
import stepwell.numpy as snp

INF, NAN = float("inf"), float("nan")
POINTS = [0.0, -0.0, 1e-40, -1e-30, 0.3, -0.3, 1.0, -1.0, 2.9, -3.0, 5.5, -6.5, 20.0, -20.0, 90.0, -90.0, 3e4, -3e4]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))


def _normal(x: np.ndarray) -> np.ndarray:
    return 0.5 * np.vectorize(math.erfc)(-x * math.sqrt(0.5))


def _tanh_gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "celu": _elu,
    "elu": _elu,
    "gelu": _tanh_gelu,
    "hard_sigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "hard_silu": lambda x: x * (np.clip(x + 3, 0, 6) / 6),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "identity": lambda x: x,
    "leaky_relu": lambda x: np.where(x >= 0, x, 0.01 * x),
    "log_sigmoid": lambda x: -np.logaddexp(0, -x),
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "selu": lambda x: 1.0507009873554805 * _elu(x, 1.6732632423543772),
    "sigmoid": _sigmoid,
    "silu": lambda x: x * _sigmoid(x),
    "soft_sign": lambda x: x / (1 + np.abs(x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "sparse_plus": lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4)),
    "sparse_sigmoid": lambda x: 0.5 * np.clip(x + 1, 0, 2),
    "squareplus": lambda x: 0.5 * (x + np.sqrt(x**2 + 4)),
    "tanh": np.tanh,
}


def _all(x: Any) -> dict[str, Any]:
    return {name: getattr(nn, name)(x) for name in ACTIVATIONS}


ALL = {"float32": stepwell.jit(_all), "float64": stepwell.jit(_all, target="interpreter")}


@pytest.mark.parametrize("dtype", ALL)
def test_activations_are_their_definitions(dtype):
    x = np.array(POINTS, dtype)
    got = ALL[dtype](x)
    bound = 4e-6 if dtype == "float32" else 1e-13
    for name, definition in ACTIVATIONS.items():
        assert got[name].dtype == x.dtype
        loss = (
            {"gelu": 1e-7, "squareplus": 1e-3}.get(name, 1e-43) if dtype == "float32" else 1e-12
        )  # they cancel, as JAX's do
        np.testing.assert_allclose(got[name], definition(x.astype(np.float64)), rtol=bound, atol=loss, err_msg=name)


def test_activations_of_infinities_and_nan():
    x = np.array([INF, -INF, NAN] * 6, np.float32)  # as many as above: the same program, and its kernels
    got = ALL["float32"](x)
    with np.errstate(invalid="ignore"):
        for name in ACTIVATIONS:
            result = np.asarray(got[name])
            assert np.isnan(result[2::3]).all(), name
            want = ACTIVATIONS[name](x.astype(np.float64))
            np.testing.assert_array_equal(result[:2], want[:2].astype(np.float32), err_msg=name)


def test_the_exact_gelu_is_accurate_far_below_zero():
    x = np.array([-0.0, 0.5, -1.0, -6.0, -9.0, -12.0, 8.0], np.float64)
    np.testing.assert_allclose(nn.gelu(x, approximate=False), x * _normal(x), rtol=1e-13)


def test_other_parameters_and_integers():
    x = np.array([-2, -1, 0, 3], np.int32)
    np.testing.assert_allclose(nn.elu(x, 0.5), _elu(x.astype(float), 0.5), rtol=1e-6)
    np.testing.assert_allclose(nn.leaky_relu(x, np.float32(0.5)), [-1, -0.5, 0, 3])
    np.testing.assert_allclose(nn.celu(x, alpha=2.0), np.maximum(x, 0) + 2 * np.expm1(np.minimum(x, 0) / 2), rtol=1e-6)
    assert nn.relu(x).dtype == np.int32
    assert nn.silu(x).dtype == np.float32


def test_glu_halves_an_axis_and_refuses_an_odd_one():
    x = np.arange(12, dtype=np.float32).reshape(3, 4) / 5
    np.testing.assert_allclose(nn.glu(x), x[:, :2] * _sigmoid(x[:, 2:]), rtol=1e-6)
    with pytest.raises(stepwell.TracingError, match=r"axis 0 of shape \(3, 4\) is odd"):
        nn.glu(x, 0)
    with pytest.raises(stepwell.TracingError, match="defined for floats, not int32"):
        nn.glu(np.zeros((2, 2), np.int32))


X = np.random.default_rng(3).normal(size=(3, 4, 17)).astype(np.float32) * 4
MASK = np.arange(17) % 3 != 1


@pytest.mark.parametrize("axis", [-1, 0, (0, 2)])
def test_softmax_and_its_logarithm_of_what_is_chosen(axis):
    def made(x: Any, mask: Any) -> Any:
        return nn.softmax(x, axis), nn.log_softmax(x, axis), nn.softmax(x, axis, mask), nn.log_softmax(x, axis, mask)

    for got, with_mask, is_log in zip(stepwell.jit(made)(X, MASK), (0, 0, 1, 1), (0, 1, 0, 1), strict=True):
        powers = np.exp(X.astype(np.float64)) * (MASK if with_mask else 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            want = powers / powers.sum(axis, keepdims=True)
            if with_mask:
                want = np.where(MASK, want, 0)  # also where nothing is chosen
            np.testing.assert_allclose(got, np.log(want) if is_log else want, rtol=3e-6, atol=5e-7 if is_log else 0)


def test_softmax_keeps_infinities_and_nan():
    x = np.array([[1000.0, 1000.0], [-INF, 0.0], [INF, 0.0], [-INF, -INF], [NAN, 0.0]], np.float32)
    np.testing.assert_array_equal(nn.softmax(x), [[0.5, 0.5], [0, 1], [NAN, NAN], [NAN, NAN], [NAN, NAN]])
    logs = np.asarray(snp.log_softmax(x))
    np.testing.assert_allclose(logs[0], math.log(0.5), rtol=1e-7)
    np.testing.assert_array_equal(logs[1:], [[-INF, 0], [NAN, NAN], [NAN, NAN], [NAN, NAN]])
    np.testing.assert_array_equal(nn.logsumexp(x, -1)[1:], [0, INF, -INF, NAN])


def test_sums_of_exponentials_with_factors_and_signs():
    x, b = np.array([1000.0, 1001.0, INF], np.float32), np.array([1.0, -2.0, 0.0], np.float32)
    total = 1 - 2 * math.e
    logarithm, sign = nn.logsumexp(x, b=b, return_sign=True)
    np.testing.assert_allclose([logarithm, sign], [1000 + math.log(-total), -1], rtol=1e-6)
    assert np.isnan(float(nn.logsumexp(x, b=b)))
    assert float(nn.logsumexp(x, where=np.array([False, False, False]))) == -INF
    np.testing.assert_allclose(nn.logsumexp(X, (0, 2), where=MASK), np.log((np.exp(X) * MASK).sum((0, 2))), rtol=1e-6)


def test_what_where_must_be():
    with pytest.raises(stepwell.TracingError, match="where must be booleans, not float32"):
        nn.softmax(X, where=np.ones(17, np.float32))
    with pytest.raises(stepwell.TracingError, match="exponentials of complex64 have no largest one"):
        nn.logsumexp(np.ones(3, np.complex64))


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_standardized_values_do_not_cancel(offset):
    x = X + np.float32(offset)
    wide = x.astype(np.float64)

    def expected(mean: Any, var: Any) -> np.ndarray:
        return (wide - mean) / np.sqrt(var + 1e-5)

    want = expected(wide.mean(-1, keepdims=True), wide.var(-1, keepdims=True))
    np.testing.assert_allclose(nn.standardize(x), want, rtol=1e-3 if offset else 2e-5, atol=1e-4 if offset else 1e-6)
    part = wide[..., MASK]
    want = expected(part.mean(-1, keepdims=True), part.var(-1, keepdims=True))
    np.testing.assert_allclose(nn.standardize(x, where=MASK), want, rtol=2e-5, atol=1e-3 if offset else 1e-6)


def test_standardizing_with_what_is_known():
    np.testing.assert_allclose(
        nn.standardize(X, 0, np.float32(1), np.float32(3), 1.0), (X - 1) / 2, rtol=1e-6, atol=1e-6
    )


def test_classes_along_any_axis():
    np.testing.assert_array_equal(nn.one_hot(np.array([0, 2, 3]), 3, axis=0), np.eye(3, 4)[:, [0, 2, 3]])


def _attention(q: Any, k: Any, v: Any, bias: Any, seen: Any) -> np.ndarray:
    group = q.shape[2] // k.shape[2]
    k, v = (np.repeat(a.astype(np.float64), group, 2) for a in (k, v))
    scores = np.einsum("btnh,bsnh->bnts", q, k) / math.sqrt(q.shape[3]) + bias
    scores = np.where(seen, scores, -INF)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return np.einsum("bnts,bsnh->btnh", weights / weights.sum(-1, keepdims=True), v)


@pytest.mark.parametrize("groups", [2, 4])
def test_attention_is_recognized_and_is_its_definition(groups):
    rng = np.random.default_rng(5)
    q = rng.normal(size=(2, 7, 4, 8)).astype(np.float32)
    k, v = (rng.normal(size=(2, 9, groups, 8)).astype(np.float32) for _ in range(2))
    bias, mask = rng.normal(size=(4, 7, 9)).astype(np.float32), rng.random((2, 1, 1, 9)) > 0.2
    mask[..., 0] = True

    def plain(q: Any, k: Any, v: Any) -> Any:
        return nn.dot_product_attention(q, k, v)

    def masked(q: Any, k: Any, v: Any, bias: Any, mask: Any) -> Any:
        return nn.dot_product_attention(q, k, v, bias, mask, is_causal=True)

    for function, args, added, seen in [
        (plain, (q, k, v), 0, True),
        (masked, (q, k, v, bias, mask), bias, mask & np.tri(7, 9, dtype=bool)),
    ]:
        assert 'composite "stepwell.attention"' in stepwell.jit(function).lower(*args).ir("tensor")
        target = "cpu" if (function is masked) == (groups == 2) else "interpreter"
        got = stepwell.jit(function, target=target)(*args)
        np.testing.assert_allclose(got, _attention(q, k, v, added, seen), rtol=1e-4, atol=1e-5)
    alone = stepwell.jit(plain, target="interpreter")(q[0], k[0], v[0])
    np.testing.assert_allclose(alone, _attention(q, k, v, 0, True)[0], rtol=1e-4, atol=1e-5)


def test_attention_refuses_what_does_not_fit():
    q = np.zeros((1, 2, 3, 4), np.float32)
    with pytest.raises(stepwell.TracingError, match="do not fit together"):
        nn.dot_product_attention(q, q[:, :, :2], q[:, :, :2])
    with pytest.raises(stepwell.TracingError, match="needs 3 or 4 dims of floats"):
        nn.dot_product_attention(q, q[0, 0], q)
    with pytest.raises(stepwell.TracingError, match="the mask must be booleans, not float32"):
        nn.dot_product_attention(q, q, q, mask=q[0, 0, :, :2])


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (nn.softmax, "softmax"),
        (nn.log_softmax, "log_softmax"),
        (nn.gelu, "gelu_tanh"),
        (lambda x: nn.gelu(x, approximate=False), "gelu"),
        (nn.silu, "silu"),
        (nn.standardize, "layer_norm"),
    ],
)
def test_what_is_written_by_name_is_recognized(function, name):
    assert f'composite "stepwell.{name}"' in stepwell.jit(function).lower(X).ir("tensor")


def test_small_floats_sum_in_f32():
    x = np.full((2, 1000), 0.5, ml_dtypes.bfloat16)
    np.testing.assert_array_equal(nn.softmax(x), np.full((2, 1000), 0.001, ml_dtypes.bfloat16))
    assert nn.log_softmax(x).dtype == ml_dtypes.bfloat16


def test_every_name_is_jaxs():
    jax = pytest.importorskip("jax")
    for name in nn.__all__:
        assert hasattr(jax.nn, name), name
    x = np.array(POINTS, np.float32)
    for name in ACTIVATIONS:
        np.testing.assert_allclose(getattr(nn, name)(x), getattr(jax.nn, name)(x), rtol=1e-5, atol=1e-6, err_msg=name)
    for name in ("softmax", "log_softmax", "logsumexp", "standardize", "glu"):
        got, want = (getattr(space, name)(X[..., :16], axis=1) for space in (nn, jax.nn))
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5, err_msg=name)
    for name in ("softmax", "log_softmax"):
        got, want = (getattr(space, name)(X, where=MASK) for space in (nn, jax.nn))
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6, err_msg=name)
    q, k = X[:1, :, None, :16].repeat(4, 2), X[:1, :, None, :16].repeat(2, 2)
    got, want = (space.dot_product_attention(q, k, k, is_causal=True) for space in (nn, jax.nn))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
