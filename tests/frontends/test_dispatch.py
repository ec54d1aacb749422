"""What tells calls apart, what is kept and for how long, what many threads do at once, what the log says."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import stepwell
import stepwell.lax as lax
import stepwell.numpy as snp
from stepwell import dispatch
from stepwell.frontends.errors import LeakedTracerError
from stepwell.program_cache import ProgramCache

X = np.arange(12, dtype=np.float32).reshape(3, 4)


# Keys --------------------------------------------------------------------------------------------------------------


@dataclass
class Layer:
    weight: Any
    mode: Any = field(default="up", metadata={"static": True})


def counted(function: Any, **options: Any) -> tuple[Any, list[int]]:
    """(the function jitted for the interpreter, a list that grows with each trace)."""
    traces: list[int] = []

    def f(*args: Any, **kwargs: Any) -> Any:
        traces.append(1)
        return function(*args, **kwargs)

    return stepwell.jit(f, target="interpreter", **options), traces


def test_equal_calls_are_traced_once_whatever_their_trees():
    f, traces = counted(lambda tree, *rest, **named: (tree, rest, named))
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((X,), {}),
        (([X, (X, None)],), {}),
        (({"a": X, "b": X},), {}),
        ((Layer(X),), {}),
        ((X, 1.0), {}),
        ((X, 1), {}),
        ((X, True), {}),
        ((X, {"a": X}), {}),
        ((X,), {"a": X}),
        ((X,), {"b": X}),
        ((Layer(X, "down"),), {}),
        (([X, [X, None]],), {}),
        (([X], X), {}),
        (([X, X],), {}),
        ((np.float32(1),), {}),
    ]
    for number, (args, kwargs) in enumerate(calls, 1):
        for _ in range(2):
            f(*args, **kwargs)
        assert len(traces) == number, (args, kwargs)
    f({"b": X, "a": X})
    f(snp.asarray(X))
    f(X, 2.0)
    assert len(traces) == len(calls) == f.cache_size()


@pytest.mark.parametrize(
    ("first", "second"),
    [(1, True), (1, 1.0), (0.0, -0.0), ((1, 2), (1.0, 2)), ((1, (2,)), (1, [2][0])), ("1", 1), (None, False)],
)
def test_static_values_that_python_finds_equal_are_told_apart(first: Any, second: Any):
    f, traces = counted(lambda x, k: x, static_argnums=1)
    for value in (first, second, first, second):
        f(X, value)
    assert len(traces) == 2
    g, traces = counted(lambda layer: layer.weight)
    for value in (first, second, first, second):
        g(Layer(X, value))
    assert len(traces) == 2


def test_a_static_nan_is_found_again():
    f, traces = counted(lambda x, k: x * k, static_argnums=1)
    for value in (float("nan"), -float("nan") * 0, float("nan")):
        f(X, value)
    assert len(traces) == 1


def test_the_sign_of_a_static_zero_reaches_the_program():
    f = stepwell.jit(lambda x, k: x * k, static_argnums=1)
    one = np.ones(1, np.float32)
    assert [np.signbit(f(one, k).numpy()[0]) for k in (0.0, -0.0)] == [False, True]


# What is no argument -----------------------------------------------------------------------------------------------


class Foreign:
    """Another library's array: dtypes of its own, and NumPy can read it."""

    shape, dtype = (3, 4), "foreign.float"

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return X


def test_other_libraries_arrays_are_arguments():
    f, traces = counted(lambda x: x + 1)
    np.testing.assert_array_equal(f(Foreign()).numpy(), X + 1)
    f(X)
    assert len(traces) == 1


def endless() -> list[Any]:
    tree: list[Any] = [X]
    tree.append(tree)
    return tree


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("text", "an argument of type str is not an array"),
        (object(), "an argument of type object is not an array"),
        ({1, 2}, "an argument of type set is not an array"),
        (len, "an argument of type builtin_function_or_method is not an array"),
        (np.array([object()]), "arrays cannot have the dtype object"),
        (np.array(["a"]), "arrays cannot have the dtype str"),
        (np.ma.masked_array(X, X > 3), "a masked array, whose mask would be lost"),
        ({"a": X, 1: X}, "the keys of a dict of arrays cannot be sorted"),
        (endless(), "the tree is too deep, or contains itself"),
        (Layer(X, ["list"]), "neither an array nor hashable: unhashable type: 'list'"),
        (2**40, "does not fit in int32"),
    ],
)
def test_what_is_no_argument_is_refused_at_the_call(argument: Any, message: str):
    f = stepwell.jit(lambda x: x)
    with pytest.raises(stepwell.TracingError, match=message) as caught:
        f(argument)
    assert f"{__file__}:{caught.value.diagnostic.location.line}" in str(caught.value)  # type: ignore[union-attr]
    assert f.cache_size() == 0
    assert f._cache._pending == {}


def test_a_tracer_of_another_thread_or_an_ended_trace_is_refused():
    kept: list[Any] = []
    stepwell.jit(lambda x: kept.append(x) or x)(X)
    for use in (lambda: stepwell.jit(lambda x: x)(kept[0]), lambda: snp.sin(kept[0]), lambda: kept[0] + 1):
        with pytest.raises(LeakedTracerError, match="used outside of the trace it belongs to"):
            use()
    caught: list[BaseException] = []

    def elsewhere(x: Any) -> None:
        try:
            snp.sin(x)
        except LeakedTracerError as error:
            caught.append(error)

    def f(x: Any) -> Any:
        thread = threading.Thread(target=elsewhere, args=(x,))
        thread.start()
        thread.join()
        return x

    stepwell.jit(f)(X)
    assert len(caught) == 1


# What is kept ------------------------------------------------------------------------------------------------------


def test_the_least_recently_used_program_goes_first():
    f, traces = counted(lambda x: x)
    f._cache.size = 3
    sizes = [np.zeros(n, np.float32) for n in range(4)]
    for x in (*sizes[:3], sizes[0], sizes[3]):
        f(x)
    assert (len(traces), f.cache_size()) == (4, 3)
    f(sizes[0])
    assert len(traces) == 4
    f(sizes[1])
    assert len(traces) == 5


def test_programs_of_eager_calls_are_bounded(monkeypatch: pytest.MonkeyPatch):
    cache = ProgramCache(2)
    monkeypatch.setattr(dispatch, "_EAGER_PROGRAMS", cache)
    for n in range(5):
        snp.add(np.zeros(n, np.float32), 1)
    assert len(cache) == 2
    assert [s.leaves[0].shape for s in cache.signatures()] == [(3,), (4,)]  # type: ignore[union-attr]
    assert dispatch.EAGER_CACHE_SIZE >= 1000
    assert dispatch.CACHE_SIZE >= 100


def test_eager_calls_with_functions_of_the_api_are_kept_and_with_others_not(monkeypatch: pytest.MonkeyPatch):
    cache = ProgramCache(8)
    monkeypatch.setattr(dispatch, "_EAGER_PROGRAMS", cache)
    for _ in range(2):
        lax.reduce_window(X, 0, snp.add, (1, 2))
    assert len(cache) == 1
    lax.reduce_window(X, 0, lambda a, b: a + b, (1, 2))
    assert len(cache) == 1


# Threads -----------------------------------------------------------------------------------------------------------


def test_eight_threads_trace_different_functions_at_once():
    barrier = threading.Barrier(8)
    failures: list[BaseException] = []

    def chain(n: int, x: Any) -> Any:
        for i in range(40):
            x = x * 0.5 + (n + i % 3)
        return lax.fori_loop(0, n, lambda i, c: c + snp.tanh(c), x)

    def expected(n: int) -> np.ndarray:
        x = X.astype(np.float64)
        for i in range(40):
            x = x * 0.5 + (n + i % 3)
        for _ in range(n):
            x = x + np.tanh(x)
        return x

    def work(n: int) -> None:
        try:
            barrier.wait()
            for _ in range(2):
                f = stepwell.jit(lambda x: chain(n, x))
                np.testing.assert_allclose(f(X).numpy(), expected(n), rtol=1e-5)
                assert f"dense<{n}.0" in f.lower(X).as_text() or n == 0
                with pytest.raises(stepwell.TracingError, match=f"cannot be reshaped to \\({n}, 99\\)"):
                    stepwell.jit(lambda x: x.reshape(n, 99))(X)
                np.testing.assert_array_equal((snp.asarray(X) + n).numpy(), X + n)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_threads_that_need_one_program_wait_for_it():
    traces: list[int] = []

    def slow(x: Any) -> Any:
        traces.append(1)
        for _ in range(200):
            x = x + 1
        return x

    f = stepwell.jit(slow, target="interpreter")
    barrier = threading.Barrier(6)
    results: list[float] = []

    def work() -> None:
        barrier.wait()
        results.append(float(f(np.float32(1))))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [201.0] * 6
    assert traces == [1]


# The log -----------------------------------------------------------------------------------------------------------

SCRIPT = textwrap.dedent(
    """
    import numpy as np
    import stepwell

    @stepwell.jit
    def scaled(x, params):
        return x * params["scale"]

    for size in (3, 3, 4):
        scaled(np.ones(size, np.float32), {"scale": 2.0})
    """
)


@pytest.mark.parametrize("log", ["trace", ""])
def test_the_log_says_on_standard_error_why_a_function_is_traced(log: str, tmp_path: Any):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "STEPWELL_LOG": log}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    if not log:
        assert done.stderr == ""
        return
    lines = [line for line in done.stderr.splitlines() if "remark" in line]
    assert len(lines) == 2
    assert all(line.startswith(f"{script}:10:") for line in lines)
    assert "tracing 'scaled' for the first time" in lines[0]
    assert "tracing 'scaled' again: x is float32[4], it was float32[3]" in lines[1]
