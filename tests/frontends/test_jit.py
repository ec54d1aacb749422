"""`stepwell.jit`: trees, caching and its reasons, static and donated arguments, errors at the user's line, threads, control flow."""

from __future__ import annotations

import gc
import math
import re
import sys
import threading
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest

import stepwell
import stepwell.lax as lax
import stepwell.numpy as snp
from stepwell.frontends.errors import ConcretizationError, LeakedTracerError
from stepwell.ir.diagnostics import diagnostic_handler

X = np.arange(12, dtype=np.float32).reshape(3, 4)


@dataclass
class Layer:
    weight: Any
    bias: Any
    name: str = field(default="layer", metadata={"static": True})


class Pair(NamedTuple):
    first: Any
    second: Any


def test_trees_go_in_and_come_out():
    @stepwell.jit
    def f(layer: Layer, data: dict[str, Any], pair: Pair) -> Any:
        y = data["x"] @ layer.weight + layer.bias
        return {"y": y, "none": None, "list": [pair.second, (data["x"], 2.0)], "layer": layer, "pair": pair}

    weight, bias = np.ones((4, 2), np.float32), np.ones(2, np.float32)
    out = f(Layer(weight, bias, "dense"), {"x": X}, Pair(1.0, X))
    assert set(out) == {"y", "none", "list", "layer", "pair"}
    assert out["none"] is None
    np.testing.assert_array_equal(out["y"].numpy(), X @ weight + bias)
    np.testing.assert_array_equal(out["list"][0].numpy(), X)
    assert out["list"][1][1].item() == 2.0
    assert isinstance(out["layer"], Layer)
    assert out["layer"].name == "dense"
    assert isinstance(out["pair"], Pair)
    assert out["pair"].first.dtype == np.float32


def test_keyword_arguments_defaults_and_methods():
    class Model:
        @stepwell.jit
        def scaled(self: Any, x: Any) -> Any:
            return x * 3

    f = stepwell.jit(lambda x, *, scale=2: x * scale)
    np.testing.assert_array_equal(f(X).numpy(), X * 2)
    np.testing.assert_array_equal(f(X, scale=np.float32(5)).numpy(), X * 5)
    with pytest.raises(stepwell.TracingError, match="an argument of type Model is not an array"):
        Model().scaled(X)


def test_nested_jit_inlines():
    inner = stepwell.jit(lambda x: snp.tanh(x) + 1)
    outer = stepwell.jit(lambda x: inner(inner(x)))
    np.testing.assert_allclose(outer(X).numpy(), np.tanh(np.tanh(X) + 1) + 1, rtol=1e-6)
    assert inner.cache_size() == 0


def test_arrays_from_outside_become_constants():
    table = snp.asarray(X)
    f = stepwell.jit(lambda x: x + table + X)
    np.testing.assert_array_equal(f(X).numpy(), 3 * X)


def remarks(call: Any) -> list[str]:
    found: list[str] = []
    with diagnostic_handler(lambda d: found.append(d.render())):
        call()
    return found


def test_a_log_of_something_else_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STEPWELL_LOG", "all")
    with pytest.raises(
        stepwell.InvalidProgramError, match="STEPWELL_LOG is 'trace' or, for nothing, not set, not 'all'"
    ):
        stepwell.jit(lambda x: x + 1)(X)


def test_programs_are_cached_and_a_retrace_says_why(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STEPWELL_LOG", "trace")
    traced: list[int] = []

    def f(x: Any, params: Any, mode: str) -> Any:
        traced.append(1)
        return x * params["scale"] if mode == "scale" else x

    g = stepwell.jit(f, static_argnames="mode")
    scale = {"scale": np.float32(2)}
    (first,) = remarks(lambda: g(X, scale, "scale"))
    assert "tracing 'f' for the first time" in first
    assert "test_jit.py" in first
    assert remarks(lambda: g(X + 1, {"scale": np.float32(7)}, "scale")) == []
    (shape,) = remarks(lambda: g(X[:2], scale, "scale"))
    assert "x is float32[2,4], it was float32[3,4]" in shape
    (dtype,) = remarks(lambda: g(X.astype(np.int32), scale, "scale"))
    assert "x is int32[3,4], it was float32[3,4]" in dtype
    (static,) = remarks(lambda: g(X, scale, "other"))
    assert "mode is the static value 'other', it was the static value 'scale'" in static
    (leaf,) = remarks(lambda: g(X, {"scale": np.float64(2)}, "scale"))
    assert "params['scale'] is float64[], it was float32[]" in leaf
    (structure,) = remarks(lambda: g(X, {"scale": np.float32(2), "more": X}, "scale"))
    assert "another structure" in structure
    assert len(traced) == g.cache_size() == 6
    g.clear_cache()
    assert g.cache_size() == 0


def test_the_cache_is_bounded():
    f = stepwell.jit(lambda x: x + 1, target="interpreter")
    f._cache.size = 3
    for n in range(6):
        assert f(np.zeros(n, np.float32)).shape == (n,)
    assert f.cache_size() == 3
    newest = [leaf.shape for signature in f._cache.signatures() for leaf in signature.leaves]
    assert newest == [(3,), (4,), (5,)]


def test_positions_of_static_arguments_may_come_from_an_iterator():
    f = stepwell.jit(lambda x, k: x * (2 if k == "twice" else 3), static_argnums=iter((1,)))
    assert f(np.ones(1, np.float32), "twice").numpy()[0] == 2


def test_equal_static_values_of_different_types_are_different_programs():
    f = stepwell.jit(lambda x, k: x * k, static_argnums=1)
    ints = np.arange(3, dtype=np.int32)
    assert f(ints, 2).dtype == np.int32
    assert f(ints, 2.0).dtype == np.float32
    with pytest.raises(stepwell.TracingError, match="static argument 1 of type list is not hashable"):
        f(ints, [1, 2])


def test_donated_arguments_are_overwritten_and_gone():
    f = stepwell.jit(lambda state, x: state + x, donate_argnums=0)
    state = snp.asarray(np.ones((64, 64), np.float32))
    new = f(state, np.ones((64, 64), np.float32))
    assert float(new[0, 0]) == 2
    assert repr(state) == "Array(donated, float32[64,64])"
    with pytest.raises(stepwell.InvalidProgramError, match="was donated"):
        state.numpy()
    with pytest.raises(stepwell.InvalidProgramError, match="was donated"):
        f(state, new)
    assert f.lower(new, new).compile().signature.donated == (0,)


@pytest.mark.parametrize("options", [{"donate_argnums": 1}, {"donate_argnums": -1}, {"donate_argnames": "state"}])
def test_arguments_are_donated_by_name_too(options: dict[str, Any]):
    f = stepwell.jit(lambda scale, state: {"state": state["w"] * scale}, **options)
    for call in (
        lambda w: f(2.0, {"w": w}),
        lambda w: f(2.0, state={"w": w}),
        lambda w: f(state={"w": w}, scale=2.0),
    ):
        w = snp.asarray(np.ones((64, 64), np.float32))
        assert float(call(w)["state"][0, 0]) == 2
        assert "donated" in repr(w)
    assert f.lower(2.0, state={"w": X}).compile().signature.donated == (1,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"static_argnums": 2}, "static_argnums: the function has no parameter 2"),
        ({"static_argnums": "a"}, "static_argnums is a position of an argument, or some, not 'a'"),
        ({"static_argnums": (1.0,)}, r"static_argnums is a position of an argument, or some, not \(1.0,\)"),
        ({"donate_argnums": None}, "donate_argnums is a position of an argument, or some, not None"),
        ({"donate_argnames": 0}, "donate_argnames is a name of a parameter, or some, not 0"),
        ({"donate_argnums": (-3,)}, "donate_argnums: the function has no parameter -3"),
        ({"static_argnames": ["c"]}, "static_argnames: the function has no parameter 'c'"),
        ({"donate_argnames": "c"}, "donate_argnames: the function has no parameter 'c'"),
        ({"donate_argnums": 0, "static_argnames": "a"}, "an argument cannot be both static and donated"),
    ],
)
def test_parameters_that_are_not_there_are_refused(options: dict[str, Any], message: str):
    with pytest.raises(stepwell.TracingError, match=message):
        stepwell.jit(lambda a, b: a, **options)
    stepwell.jit(lambda *rest, **named: rest, static_argnums=7, donate_argnames="any")


def test_an_array_that_is_donated_cannot_be_another_argument_too():
    f = stepwell.jit(lambda a, b: (a + 1, a * b), donate_argnums=0)
    shared = np.ones((8, 8), np.float32)
    for a, b in ((shared, shared), (snp.asarray(shared), shared[::2])):
        with pytest.raises(stepwell.TracingError, match=r"a donated array \(float32\[8,8\]\) is also part of another"):
            stepwell.jit(lambda a, b: (a + 1, b), donate_argnums=0)(a, b)
    assert f(shared, np.ones((8, 8), np.float32))[0].shape == (8, 8)


def test_a_failed_trace_leaves_nothing_behind():
    f = stepwell.jit(lambda x: x + snp.ones((5,)))
    for _ in range(2):
        with pytest.raises(stepwell.TracingError, match="broadcast"):
            f(X)
    assert f._cache._pending == {}
    np.testing.assert_array_equal(f(X[:, :1]).numpy(), X[:, :1] + np.ones(5))


def test_lowering_gives_the_module_with_the_users_lines_and_every_step():
    def f(x: Any) -> Any:
        y = snp.exp(x)
        return y.sum()

    lowered = stepwell.jit(f).lower(X)
    start = f.__code__.co_firstlineno
    lines = {op.name: op.location.line.data for op in lowered.module.walk() if op.name.startswith("stablehlo")}
    assert lines["stablehlo.exponential"] == start + 1
    assert lines["stablehlo.reduce"] == start + 2
    assert all("test_jit.py" in str(op.location) for op in lowered.module.walk() if op.name.startswith("stablehlo"))
    assert "stablehlo.exponential" in lowered.as_text()
    for step, text in {"structured": "linalg.generic", "kernels": "kernel.launch", "llvm": "define"}.items():
        assert text in lowered.ir(step)
    (total,) = stepwell.compile(lowered)(X)
    np.testing.assert_allclose(total, np.exp(X).sum(), rtol=1e-6)


# What cannot be traced ---------------------------------------------------------------------------------------------


def refused(f: Any, *args: Any) -> stepwell.TracingError:
    with pytest.raises(stepwell.TracingError) as caught:
        stepwell.jit(f)(*args)
    assert "test_jit.py" in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("f", "message", "hint"),
    [
        (lambda x: x if x.sum() > 0 else -x, "the truth value needs the elements of <traced bool[]", "lax.cond"),
        (lambda x: x * int(x[0, 0]), "int()", "static_argnums"),
        (lambda x: x * float(x[0, 0]), "float()", "static_argnums"),
        (lambda x: snp.zeros(x[0, 0].astype("int32")), "a Python integer", "must be static"),
        (lambda x: [i for i in range(x[0, 0])], "a Python integer", "fori_loop"),
        (lambda x: np.sin(x), "numpy.sin needs the elements", "use stepwell.numpy.sin"),
        (lambda x: np.mean(x), "numpy.mean needs the elements", "use stepwell.numpy.mean"),
        (lambda x: np.asarray(x), "a NumPy array needs the elements", "stepwell.numpy"),
        (lambda x: x[x > 0], "boolean masks cannot index", "stepwell.numpy.where"),
        (lambda x: snp.where(x > 0), "where(condition) alone", "three operands"),
        (lambda x: x.item(), "item()", "outside of jit"),
        (lambda x: np.from_dlpack(x), "DLPack", "outside of jit"),
        (lambda x: x.tolist(), "tolist()", "outside of jit"),
        (lambda x: {x: 1}, "a hash needs the elements", "compare traced arrays with =="),
        (lambda x: f"{x:.2f}", "the format '.2f' needs the elements", "outside of jit"),
        (lambda x: math.sqrt(x[0, 0]), "float()", "stepwell.numpy's function instead of math's"),
        (lambda x: 1.0 in x[0], "the truth value", "lax.cond"),
        (lambda x: x.reshape(x[0, 0].astype(int), -1), "a Python integer", "must be static"),
        (lambda x: snp.repeat(x, snp.arange(3)), "a Python integer", "must be static"),
        (lambda x: x[: x[0, 0].astype(int)], "a Python integer", "must be static"),
        (lambda x: snp.arange(x[0, 0].astype(int)), "a Python integer", "must be static"),
        (lambda x: snp.nonzero(x), "depends on data", "stepwell.numpy.where|use where"),
        (lambda x: np.linalg.norm(x), "numpy.norm needs the elements", "use stepwell.numpy"),
    ],
)
def test_what_needs_elements_is_refused(f: Any, message: str, hint: str):
    error = refused(f, X)
    assert isinstance(error, ConcretizationError) or "where" in message
    assert message in str(error)
    assert re.search(hint, error.diagnostic.hint or "")


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: x + snp.ones((2, 3)), r"the shapes \(3, 4\) and \(2, 3\) do not broadcast"),
        (lambda x: x @ x, "matmul: shapes .* do not fit: 4 is not 3"),
        (lambda x: x.reshape(5, 2), r"shape \(3, 4\) cannot be reshaped to \(5, 2\)"),
        (lambda x: x.sum(axis=2), "axis 2 is out of bounds for an array of 2 dims"),
        (lambda x: x[3], "index 3 is out of bounds for dim 0 of extent 3"),
        (lambda x: x[0, 0, 0], "takes no index with 3 parts"),
        (lambda x: snp.concatenate([x, x[:, :2]]), "stablehlo.concatenate"),
        (lambda x: snp.max(x[:0]), "an empty array"),
        (lambda x: snp.zeros((2, -1)), r"an array of shape \(2, -1\) cannot be"),
        (lambda x: snp.linspace(0, 1, -1), "extents are not negative"),
        (lambda x: snp.broadcast_to(x, (-1, 4)), "extents are not negative"),
        (lambda x: snp.repeat(x, -1), "extents are not negative"),
        (lambda x: snp.meshgrid(x), r"meshgrid takes 1-d arrays, got shape \(3, 4\)"),
        (lambda x: lax.top_k(x, 5), r"k = 5 does not fit an array of shape \(3, 4\)"),
        (lambda x: lax.top_k(x, x[0, 0]), "a Python integer needs the elements"),
        (lambda x: lax.dynamic_slice(x, (0.5, 0), (1, 1)), "a start must be a 0-d integer, not float32"),
        (lambda x: lax.dynamic_slice(x, (0,), (1, 1)), "1 start indices and 2 sizes"),
        (lambda x: lax.dynamic_update_slice(x, snp.ones((9, 9)), (0, 0)), "update extent 9 is larger"),
        (lambda x: x.__setitem__(0, 1), "arrays are immutable"),
        (lambda x: x & x, "a bitwise function is not defined for float32"),
        (lambda x: snp.einsum("ij,jk->ik", x, x), "'j' of 'ij,jk->ik' is both 4 and 3"),
        (lambda x: "text", "returns a value of type str, which is not an array"),
        (lambda x: lax.while_loop(lambda c: c, lambda c: c, x), "a condition must be a 0-d boolean"),
        (lambda x: lax.fori_loop(0, 3, lambda i, c: c[:1], x), r"the loop body\[2\] returns float32\[1, 4\]"),
        (lambda x: lax.cond(True, lambda: x, lambda: x[0]), r"a branch returns float32\[4\], but it starts as"),
        (lambda x: lax.scan(lambda c, e: c, x, x), "returns another structure|returns \\(carry, y\\)"),
    ],
)
def test_errors_show_the_users_line(f: Any, message: str):
    with pytest.raises(stepwell.TracingError, match=message) as caught:
        stepwell.jit(f)(X)
    location = caught.value.diagnostic.location
    assert location is not None
    assert location.file.endswith("test_jit.py")
    line = f.__code__.co_firstlineno
    assert location.line == line
    assert "^" in str(caught.value)


def test_only_functions_are_jitted_and_their_own_errors_pass_through():
    with pytest.raises(stepwell.TracingError, match="jit takes a function, not 3"):
        stepwell.jit(3)
    f = stepwell.jit(lambda x: {}["missing"])
    for _ in range(2):
        with pytest.raises(KeyError, match="missing"):
            f(X)
    np.testing.assert_array_equal(stepwell.jit(lambda x: x + 1)(X).numpy(), X + 1)


def test_what_has_no_native_code_is_refused_at_the_users_line():
    f = stepwell.jit(lambda x: x % 2)
    with pytest.raises(stepwell.UnsupportedError, match="not lowered on complex numbers") as caught:
        f(np.ones(3, np.complex64))
    assert "test_jit.py" in str(caught.value)


def test_the_process_survives_a_refusal():
    f = stepwell.jit(lambda x, flag: x if flag else -x)
    with pytest.raises(ConcretizationError):
        f(X, np.bool_(True))
    g = stepwell.jit(lambda x, flag: x if flag else -x, static_argnums=1)
    np.testing.assert_array_equal(g(X, False).numpy(), -X)


def test_tracers_that_leak_are_refused():
    kept: list[Any] = []

    def leak(x: Any) -> Any:
        kept.append(x)
        return x

    stepwell.jit(leak)(X)
    with pytest.raises(LeakedTracerError, match="outside of the trace"):
        kept[0] + 1
    with pytest.raises(LeakedTracerError, match="outside of the trace"):
        stepwell.jit(lambda x: x + kept[0])(X)

    def from_a_loop(x: Any) -> Any:
        lax.fori_loop(0, 3, lambda i, c: kept.append(c) or c + 1, x)
        return kept[-1] + 1

    with pytest.raises(LeakedTracerError, match="outside of the trace"):
        stepwell.jit(from_a_loop)(X)


# Control flow ------------------------------------------------------------------------------------------------------


def test_while_fori_and_nested_loops():
    collatz = stepwell.jit(
        lambda n: lax.while_loop(
            lambda s: s[0] != 1, lambda s: (snp.where(s[0] % 2 == 0, s[0] // 2, 3 * s[0] + 1), s[1] + 1), (n, 0)
        )
    )
    assert collatz(np.int32(27))[1].item() == 111

    @stepwell.jit
    def powers(x: Any, n: Any) -> Any:
        return lax.fori_loop(0, n, lambda i, c: lax.fori_loop(0, 2, lambda j, d: d * x, c) + i, snp.ones_like(x))

    expected = np.ones(3)
    x = np.array([0.5, 1.0, -1.5], np.float32)
    for i in range(4):
        expected = expected * x * x + i
    np.testing.assert_allclose(powers(x, np.int32(4)).numpy(), expected, rtol=1e-6)


def test_scan_stacks_and_carries():
    @stepwell.jit
    def f(xs: Any) -> Any:
        return lax.scan(lambda c, x: ({"sum": c["sum"] + x["a"]}, (c["sum"], x["a"] * 2)), {"sum": snp.zeros(4)}, xs)

    carry, (before, doubled) = f({"a": X})
    np.testing.assert_array_equal(carry["sum"].numpy(), X.sum(0))
    np.testing.assert_array_equal(before.numpy(), np.cumsum(X, 0) - X)
    np.testing.assert_array_equal(doubled.numpy(), X * 2)
    counted = stepwell.jit(lambda: lax.scan(lambda c, _: (c + 2, c), 0, length=4))()
    np.testing.assert_array_equal(counted[1].numpy(), [0, 2, 4, 6])
    empty = stepwell.jit(lambda xs: lax.scan(lambda c, x: (c + 1, x), 0, xs))(X[:0])
    assert (empty[0].item(), empty[1].shape) == (0, (0, 4))


def test_cond_and_switch():
    f = stepwell.jit(lambda x, i: (lax.cond(i > 0, lambda a: a + i, lambda a: -a, x), lax.switch(i, BRANCHES, x)))
    for i in (-5, 0, 1, 2, 9):
        chosen, switched = f(X, np.int32(i))
        np.testing.assert_array_equal(chosen.numpy(), X + i if i > 0 else -X)
        np.testing.assert_array_equal(switched.numpy(), (X, X * 2, X.sum(0) + X)[min(max(i, 0), 2)])


BRANCHES = [lambda x: x, lambda x: x * 2, lambda x: x.sum(0) + x]


def test_control_flow_outside_of_jit_sees_what_functions_close_over():
    step = 1
    for wanted in (4, 7):
        assert lax.fori_loop(0, 3, lambda i, c: c + step, 1).item() == wanted  # noqa: B023
        step += 1


def test_dynamic_slices_and_top_k():
    f = stepwell.jit(
        lambda x, i: (lax.dynamic_slice(x, (i, 1), (2, 2)), lax.dynamic_update_slice(x, x[:1, :2] * 0 - 1, (i, 0)))
    )
    part, changed = f(X, np.int32(1))
    np.testing.assert_array_equal(part.numpy(), X[1:3, 1:3])
    np.testing.assert_array_equal(changed.numpy()[1], [-1, -1, 6, 7])
    values, indices = lax.top_k(X, 2)
    np.testing.assert_array_equal(values.numpy(), X[:, ::-1][:, :2])
    np.testing.assert_array_equal(indices.numpy(), [[3, 2]] * 3)


# Threads and speed -------------------------------------------------------------------------------------------------


def test_threads_trace_at_once():
    f = stepwell.jit(lambda x: snp.tanh(x) * x.shape[0])
    failures: list[BaseException] = []
    barrier = threading.Barrier(4)

    def work(n: int) -> None:
        try:
            barrier.wait()
            for size in (n + 1, 3):
                x = np.full((size,), 0.5, np.float32)
                np.testing.assert_allclose(f(x).numpy(), np.tanh(x) * size, rtol=1e-6)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert f.cache_size() == 4


def calls(function: Any) -> int:
    """Python-level function calls."""
    count = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    gc.disable()
    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


def test_a_cached_call_adds_little_to_the_executables_own():
    f = stepwell.jit(lambda x, y: x + y)
    x = snp.asarray(X)
    f(x, x)
    executable = f.lower(x, x).compile()
    raw = x.raw()
    executable(raw, raw)
    assert calls(lambda: f(x, x)) <= calls(lambda: executable(raw, raw)) + 10


def test_tracing_a_thousand_ops_is_linear():
    def f(x: Any, n: int) -> Any:
        for _ in range(n):
            x = x + 1
        return x

    def count(n: int) -> int:
        g = stepwell.jit(f, static_argnums=1)
        return calls(lambda: g.lower(X, n))

    count(10)
    small, large = count(100), count(400)
    assert large < 4.5 * small


def test_nested_bodies_are_traced_once():
    traced: list[str] = []

    def nested(depth: int, x: Any) -> Any:
        traced.append("body")
        if depth == 0:
            return x * 2
        x = lax.cond(x.sum() > 0, lambda x: nested(depth - 1, x), lambda x: x - 1, x)
        return lax.scan(lambda c, _: (traced.append("scan") or c + depth, c.sum()), x, length=2)[0]

    stepwell.jit(lambda x: nested(6, x)).lower(X)
    assert (traced.count("body"), traced.count("scan")) == (7, 6)


def test_options_of_a_nested_function_that_are_not_obeyed_are_said_once():
    inner = stepwell.jit(lambda x: x + 1, target="interpreter", opt_level=0)
    outer = stepwell.jit(lambda x: inner(inner(x)))
    (said,) = remarks(lambda: outer.lower(X))
    assert "'<lambda>' becomes part of '<lambda>', whose options hold" in said
    assert "target='interpreter', opt_level='0' does nothing here" in said
    assert "test_jit.py" in said
    same = stepwell.jit(lambda x: inner(x), target="interpreter", opt_level=0)
    assert remarks(lambda: same.lower(X)) == []
    assert remarks(lambda: stepwell.jit(lambda x: stepwell.jit(lambda y: y * 2)(x)).lower(X)) == []
