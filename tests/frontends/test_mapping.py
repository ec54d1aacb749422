"""`vmap`, `vectorize` and `lax.map`: every batching rule against example after example, and what is refused, at its line."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import stepwell
import stepwell.lax as lax
import stepwell.numpy as snp
from stepwell.frontends.tracer import emit, emit_all
from stepwell.ir.diagnostics import location_of

RNG = np.random.default_rng(17)


def f32(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def i32(high: int, *shape: int) -> np.ndarray:
    return RNG.integers(0, high, shape).astype(np.int32)


def leaves_of(results: Any) -> list[np.ndarray]:
    leaves: list[np.ndarray] = []
    stepwell.tree_map(lambda leaf: leaves.append(np.asarray(leaf)), results)
    return leaves


def interpreted(function: Callable[..., Any]) -> Callable[..., list[np.ndarray]]:
    """The leaves of what the program gives at step 1."""
    program = stepwell.jit(function, target="interpreter")
    return lambda *args: leaves_of(program(*args))


def check(function: Callable[..., Any], one_by_one: Any, args: list[np.ndarray], mapped: tuple[bool, ...]) -> None:
    """`vmap(function)` with some arguments mapped gives what the function gives of one example after the other."""
    size = 2
    batches = [
        np.stack([RNG.permutation(a.reshape(-1)).reshape(a.shape) for _ in range(size)]) if m else a
        for a, m in zip(args, mapped, strict=True)
    ]
    got = interpreted(stepwell.vmap(function, tuple(0 if m else None for m in mapped)))(*batches)
    for i in range(size):
        one = [b[i] if m else b for b, m in zip(batches, mapped, strict=True)]
        for all_, alone in zip(got, one_by_one(*one), strict=True):
            np.testing.assert_allclose(all_[i], alone, rtol=2e-5, atol=1e-6)


def _scatter_add(x: Any, i: Any, y: Any) -> Any:
    return x.at[i].add(y)


def _fori(x: Any, y: Any) -> Any:
    return lax.fori_loop(0, 4, lambda i, c: c * 0.5 + x[i] + y, x)


def _while(x: Any, limit: Any) -> Any:
    return lax.while_loop(lambda s: (s[0] < limit) & (s[1] < 20), lambda s: (s[0] * 1.5 + 0.1, s[1] + 1), (x * x, 0))


def _scan(xs: Any, start: Any) -> Any:
    return lax.scan(lambda c, x: (c + x, c * x), start, xs, reverse=True)


def _cond(flag: Any, x: Any, y: Any) -> Any:
    return lax.cond(flag > 0, lambda a: (a + y, a * 2), lambda a: (a - 1, a), x)


def _switch(i: Any, x: Any) -> Any:
    return lax.switch(i, [lambda a: a + 1, lambda a: a * 3, lambda a: -a], x)


def _conv(x: Any, k: Any, **options: Any) -> Any:
    return lax.conv_general_dilated(x, k, (1,), [(1, 1)], dimension_numbers=("NWC", "WIO", "NWC"), **options)


CASES: dict[str, tuple[Callable[..., Any], list[np.ndarray]]] = {
    "elementwise": (lambda x, y: snp.tanh(x + y) * snp.exp(x), [f32(2, 3), f32(2, 3)]),
    "broadcasting": (lambda x, y: x[:, None] * y + 1, [f32(4), f32(3)]),
    "comparing": (lambda x, y: snp.where(x > y, x, 2 * y), [f32(5), f32(5)]),
    "one choice": (lambda i, x, y: emit("select", i > 1, x, y), [i32(3), f32(4), f32(4)]),
    "clamping": (lambda a, x, b: emit("clamp", a, x, b), [np.float32(-0.5), f32(6), np.float32(0.5)]),
    "converting": (lambda x: (x.astype("int32"), lax.bitcast_convert_type(x, "uint8")), [f32(3)]),
    "special functions": (lambda x, y: (lax.erf(x), emit("next_after", x, y)), [f32(3), f32(3)]),
    "complex": (lambda x, y: snp.imag(snp.exp(snp.make_complex(x, y))), [f32(3), f32(3)]),
    "shapes": (lambda x: x.reshape(2, 6).T[::-1, 1:].reshape(-1)[::2], [f32(3, 4)]),
    "padding": (lambda x, v: emit("pad", x, v, [1, -1], [0, 2], [0, 1]), [f32(2, 3), np.float32(7)]),
    "joining": (lambda x, y: snp.concatenate([x, y, x]), [f32(2, 2), f32(1, 2)]),
    "slices": (lambda x, i, j: lax.dynamic_slice(x, (i, j), (2, 3)), [f32(4, 5), i32(6), i32(6)]),
    "updates": (lambda x, u, i: lax.dynamic_update_slice(x, u, (i, 1)), [f32(4, 5), f32(2, 2), i32(6)]),
    "taking rows": (lambda x, i: x[i], [f32(5, 3), i32(5, 4)]),
    "taking elements": (lambda x, i, j: x[i, :, j], [f32(5, 2, 3), i32(5, 4), i32(3, 4)]),
    "taking along an axis": (lambda x, i: snp.take_along_axis(x, i, 1), [f32(3, 5), i32(5, 3, 2)]),
    "scattering": (_scatter_add, [f32(5, 3), i32(5, 4), f32(4, 3)]),
    "products": (lambda x, y: x @ y, [f32(3, 4), f32(4, 2)]),
    "vectors": (lambda x, y: x @ y, [f32(3, 4), f32(4)]),
    "inner products": (snp.dot, [f32(4), f32(4)]),
    "products of batches": (lambda x, y: snp.einsum("bij,bjk->bik", x, y), [f32(2, 3, 4), f32(2, 4, 2)]),
    "vectors of batches": (lambda x, y: snp.einsum("bij,bj->bi", x, y), [f32(2, 3, 4), f32(2, 4)]),
    "convolutions": (_conv, [f32(2, 6, 3), f32(3, 3, 4)]),
    "groups": (lambda x, k: _conv(x, k, feature_group_count=2), [f32(2, 6, 4), f32(3, 2, 6)]),
    "groups of the batch": (lambda x, k: _conv(x, k, batch_group_count=2), [f32(4, 6, 3), f32(3, 3, 4)]),
    "reductions": (lambda x: (x.sum(0), x.max(-1), snp.argmax(x, 0), x.mean()), [f32(3, 4)]),
    "windows": (lambda x: lax.reduce_window(x, 0.0, snp.add, (2, 1), (1, 2), [(1, 0), (0, 0)]), [f32(4, 5)]),
    "sorting": (lambda x: (snp.sort(x, 0), snp.argsort(x), lax.top_k(x, 2)), [f32(4, 3)]),
    "running sums": (lambda x: snp.cumsum(x, 1), [f32(2, 5)]),
    "transforms": (lambda x: snp.abs(snp.fft.rfft(x)), [f32(2, 8)]),
    "factors": (lambda x, b: snp.linalg.solve(x @ x.T + 4 * snp.eye(3), b), [f32(3, 3), f32(3)]),
    "triangles": (lambda x: snp.linalg.cholesky(x @ x.T + 4 * snp.eye(3)), [f32(3, 3)]),
    "counted loops": (_fori, [f32(4), f32()]),
    "loops": (_while, [f32(), np.float32(9)]),
    "scans": (_scan, [f32(5, 2), f32(2)]),
    "branches": (_cond, [np.float32(0.5) * i32(3, 2)[0], f32(3), f32(3)]),
    "switches": (_switch, [i32(5), f32(3)]),
}


@pytest.mark.parametrize("name", CASES)
def test_all_examples_at_once_are_one_after_the_other(name):
    function, args = CASES[name]
    one_by_one = interpreted(function)
    for mapped in itertools.product([True, False], repeat=len(args)):
        if any(mapped):
            check(function, one_by_one, args, mapped)


def test_chosen_branches_and_loops_that_end_at_different_times():
    flag, x = np.array([1, 0, 1], np.float32), f32(3, 2)
    got = stepwell.jit(stepwell.vmap(lambda a, b: _cond(a, b, b)), target="interpreter")(flag, x)
    want = np.where(flag[:, None] > 0, x + x, x - 1), np.where(flag[:, None] > 0, x * 2, x)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b)
    limits = np.array([0.5, 100.0, -1.0], np.float32)
    _, turns = stepwell.jit(stepwell.vmap(lambda limit: _while(snp.float32(1), limit)))(limits)
    np.testing.assert_array_equal(turns, [0, 11, 0])


def test_a_counter_stays_one_number():
    text = stepwell.jit(stepwell.vmap(_fori)).lower(f32(3, 4), f32(3)).as_text()
    assert "stablehlo.dynamic_slice" in text  # by the counter, which all share
    assert "stablehlo.gather" not in text


@pytest.mark.parametrize("size", [0, 1, 7])
def test_no_example_and_one(size):
    x, w = f32(size, 3), f32(3, 2)
    np.testing.assert_allclose(stepwell.vmap(lambda v: snp.tanh(v @ w).sum())(x), np.tanh(x @ w).sum(1), rtol=2e-5)


@dataclass
class Pair:
    a: Any
    b: Any


def test_axes_of_arguments_and_results():
    x, y = f32(4, 3), f32(3, 4)
    function = stepwell.vmap(
        lambda p, q: {"sum": p["x"] + q * p["y"], "x": p["x"]}, ({"x": 0, "y": None}, 1), {"sum": -1, "x": 0}
    )
    got = function({"x": x, "y": 3.0}, y)
    np.testing.assert_allclose(got["sum"], x.T + 3 * y, rtol=1e-5)
    np.testing.assert_array_equal(got["x"], x)
    pair = stepwell.vmap(lambda p: Pair(p.b, p.a), 0)(Pair(x, f32(4)))
    assert (pair.a.shape, pair.b.shape) == ((4,), (4, 3))
    outer = stepwell.vmap(lambda a, b: a * b, (1, None), 1)(x, np.float32(2))
    np.testing.assert_allclose(outer, 2 * x)
    same = stepwell.vmap(lambda a, *, b: b.sum() + 0 * a.sum(), 0)(x, b=x)
    np.testing.assert_allclose(same, x.sum(1), rtol=1e-5)
    kept = stepwell.vmap(lambda a: (a, snp.float32(5)), 0, (0, None), axis_size=4)(x)
    assert kept[1].shape == ()


def test_maps_of_maps_and_values_from_outside():
    x, y, w = f32(4, 3), f32(5, 3), f32(3, 3)

    def distances(x: Any, y: Any, w: Any) -> Any:
        scaled = w * 2

        def one(a: Any, b: Any) -> Any:
            apart = scaled @ (a - b)
            return snp.sqrt(apart @ apart)

        return stepwell.vmap(stepwell.vmap(one, (None, 0)), (0, None))(x, y)

    apart = np.einsum("ij,abj->abi", 2 * w, x[:, None] - y)
    np.testing.assert_allclose(stepwell.jit(distances)(x, y, w), np.sqrt((apart**2).sum(-1)), rtol=1e-4)
    looped = stepwell.jit(lambda x: lax.fori_loop(0, 2, lambda i, c: stepwell.vmap(lambda r: r / r.sum())(c), x))(x * x)
    np.testing.assert_allclose(looped, (x * x) / (x * x).sum(1, keepdims=True), rtol=1e-4)


def test_jitted_functions_are_mapped_and_python_numbers_stay_weak():
    x = np.arange(3, dtype=np.float16)
    doubled = stepwell.jit(lambda v, k: v * k)
    assert stepwell.vmap(lambda v: doubled(v, 2) + 1)(x).dtype == np.float16


def test_ops_keep_the_line_they_were_written_on():
    def squared(v: Any) -> Any:
        return v * v

    module = stepwell.jit(stepwell.vmap(squared)).lower(f32(3)).module
    (product,) = [op for op in module.walk() if op.name == "stablehlo.multiply"]
    assert location_of(product).line == squared.__code__.co_firstlineno + 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: stepwell.vmap(lambda a, b: a + b)(f32(3), f32(4)),
            r"there are 3 examples at \[0\]\[0\], but 4 at \[0\]\[1\]",
        ),
        (
            lambda: stepwell.vmap(lambda a, b: a + b)(f32(3), np.float32(1)),
            "has no axis 0: it is a float32 without dims",
        ),
        (lambda: stepwell.vmap(lambda a: a, 2)(f32(3)), "axis 2 is out of bounds for an array of 1 dims"),
        (lambda: stepwell.vmap(lambda a: a, (0, 0))(f32(3)), "in_axes has 2 entries for 1 arguments"),
        (lambda: stepwell.vmap(lambda a: a, ((0, 1),))({"x": f32(3)}), "does not begin as the values do"),
        (lambda: stepwell.vmap(lambda a: a, None)(f32(3)), "no argument has the axis that is mapped"),
        (lambda: stepwell.vmap(lambda a: a, 0, None)(f32(3)), "differs from example to example, out_axes says None"),
        (lambda: stepwell.vmap(lambda a: "text")(f32(3)), "returns a str, which is not an array"),
        (lambda: stepwell.vmap(lambda a: a if a > 0 else -a)(f32(3)), "the truth value needs the elements"),
        (lambda: stepwell.vmap(3), "vmap takes a function, not 3"),
        (
            lambda: stepwell.vmap(lambda a: lax.reduce(snp.arange(3.0), a, snp.add, 0))(f32(3)),
            "what stablehlo.reduce starts from differs",
        ),
        (
            lambda: stepwell.vmap(lambda a: lax.reduce(snp.arange(3.0), 0.0, lambda x, y: x + y * a, 0))(f32(3)),
            "the region of stablehlo.reduce reads a value that differs",
        ),
        (lambda: stepwell.vmap(lambda a: lax.custom_call("unknown", a, a))(f32(3)), "custom_call has no batching rule"),
    ],
)
def test_what_cannot_be_mapped_is_said_at_its_line(call, message):
    with pytest.raises(stepwell.TracingError, match=message) as caught:
        call()
    assert "test_mapping.py" in str(caught.value)


def test_a_kept_stand_in_is_refused():
    kept: list[Any] = []

    def keeps(a: Any) -> Any:
        kept.append(a)
        return a

    with pytest.raises(stepwell.TracingError, match="outside of the trace"):
        stepwell.jit(lambda x: stepwell.vmap(keeps)(x) + kept[0])(f32(3))


# vectorize -------------------------------------------------------------------------------------------------------------


def test_functions_of_core_dims_broadcast_like_numpys():
    def product(a: Any, b: Any) -> Any:
        return a @ b

    ours = stepwell.vectorize(product, signature="(m,n),(n)->(m)")
    for left, right in [((2, 3), (3,)), ((5, 2, 3), (3,)), ((2, 3), (4, 3)), ((5, 1, 2, 3), (4, 3)), ((0, 2, 3), (3,))]:
        a, b = f32(*left), f32(*right)
        np.testing.assert_allclose(
            ours(a, b), np.matvec(a, b) if hasattr(np, "matvec") else (a @ b[..., None])[..., 0], rtol=1e-5
        )


def test_functions_of_numbers_and_several_results():
    x, y = f32(3, 1), f32(4)
    got = stepwell.jit(stepwell.vectorize(lambda a, b: (snp.maximum(a, b), snp.where(a > b, 1, 0))))(x, y)
    np.testing.assert_array_equal(got[0], np.maximum(x, y))
    np.testing.assert_array_equal(got[1], x > y)
    two = stepwell.vectorize(lambda v: (v.sum(), v / v.sum()), signature="(n)->(),(n)")(f32(2, 3) ** 2)
    assert (two[0].shape, two[1].shape) == ((2,), (2, 3))
    assert float(snp.vectorize(lambda a: a + 1)(2.0)) == 3.0


def test_excluded_arguments_are_passed_as_they_are():
    @stepwell.vectorize
    def power(x: Any) -> Any:
        return x * x

    np.testing.assert_allclose(power(np.float32([1, 2])), [1, 4])
    polynomial = stepwell.vectorize(lambda p, x, n=1: snp.dot(p, x ** snp.arange(3)) * n, excluded={0, "n"})
    p, x = f32(3), f32(4, 2)
    np.testing.assert_allclose(
        polynomial(p, x, n=2), 2 * np.polyval(p[::-1].astype(float), x.astype(float)), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stepwell.vectorize(lambda a: a, signature="(n->n"), "is not a signature"),
        (
            lambda: stepwell.vectorize(lambda a: a, signature="(n)->(n)")(np.float32(1)),
            "the signature gives it 1 core dims",
        ),
        (
            lambda: stepwell.vectorize(lambda a, b: a, signature="(n),(n)->(n)")(f32(3), f32(4)),
            "'n' is 3, but 4 in argument 1",
        ),
        (lambda: stepwell.vectorize(lambda a: a, signature="(n)->()")(f32(3)), "result 0 has shape"),
        (
            lambda: stepwell.vectorize(lambda a: a, signature="(n)->(n),()")(f32(3)),
            "has 2 results, the function returns 1",
        ),
        (lambda: stepwell.vectorize(lambda a: a, signature="(n),()->(n)")(f32(3)), "has 2 arguments, 1 are given"),
        (lambda: stepwell.vectorize(lambda a, b: a)(f32(3), b=f32(3)), "'b' is given by name"),
        (lambda: stepwell.vectorize(lambda a, b: a + b)(f32(3), f32(4)), "do not broadcast together"),
    ],
)
def test_what_vectorize_refuses(call, message):
    with pytest.raises(stepwell.TracingError, match=message):
        call()


# map -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [None, 3, 7])
def test_a_function_of_each_element(size):
    x, y = f32(7, 3), f32(7)
    got = lax.map(lambda p: {"z": snp.sin(p[0]) * p[1]}, (x, y), batch_size=size)
    np.testing.assert_allclose(got["z"], np.sin(x) * y[:, None], rtol=1e-5)


def test_elements_are_one_kernel_unless_an_op_cannot_be_done_for_many():
    x = f32(64)
    assert "while" not in stepwell.jit(lambda x: lax.map(lambda a: a * a + 1, x)).lower(x).as_text()

    @stepwell.register_custom_call("mapping_test_double")
    def double(a: Any) -> Any:
        return a * 2

    try:
        once = stepwell.jit(lambda x: lax.map(lambda a: lax.custom_call("mapping_test_double", a, a) + 1, x))
        assert "while" in once.lower(x).as_text()
        np.testing.assert_allclose(once(x), x * 2 + 1)
    finally:
        stepwell.unregister_custom_call("mapping_test_double")


def test_what_map_refuses():
    with pytest.raises(stepwell.TracingError, match=r"map needs arrays of one length, got lengths \[3, 4\]"):
        lax.map(lambda p: p[0], (f32(3), f32(4)))
    with pytest.raises(stepwell.TracingError, match="batch_size of map is at least 1, not 0"):
        lax.map(lambda a: a, f32(3), batch_size=0)


def test_several_results_of_one_op():
    assert len(interpreted(stepwell.vmap(lambda x: tuple(emit_all("top_k", x, 2))))(f32(3, 5))) == 2
