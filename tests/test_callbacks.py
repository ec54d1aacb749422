"""`register_custom_call(target, callback=...)`: Python called from compiled programs, and every way to be wrong."""

from __future__ import annotations

import threading
import traceback
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import stepwell
import stepwell.lax as lax
import stepwell.numpy as snp
from stepwell.compiling import place_of
from stepwell.request import checked_request

X = np.array([3.0, 1.0, 2.0, 0.5], np.float32)


@pytest.fixture
def register():
    names = []

    def register(target: str, callback: Any, **options: Any) -> Any:
        names.append(target)
        return stepwell.register_custom_call(target, callback=callback, **options)

    yield register
    for name in dict.fromkeys(names):
        if stepwell.custom_calls.is_registered(name):
            stepwell.unregister_custom_call(name)


def program(target: str, result: str = "tensor<4xf32>", attributes: str = "") -> str:
    return f"""func.func @main(%x: tensor<4xf32>) -> {result} {{
  %0 = stablehlo.custom_call @{target}(%x) {{{attributes}}} : (tensor<4xf32>) -> {result}
  return %0 : {result}
}}"""


@pytest.mark.parametrize("target", ["cpu", "interpreter", "gpu-sim"])
def test_a_callback_gets_arrays_and_attributes_and_gives_arrays(register, target):
    seen: list[Any] = []

    def ranks(x: np.ndarray, y: np.ndarray, **attributes: Any) -> tuple[np.ndarray, np.ndarray]:
        seen.append((x.copy(), y.dtype, x.flags.writeable, attributes))
        return np.argsort(x).astype(np.uint32), x > y

    register("ranks", ranks)

    @stepwell.jit(target=target)
    def main(x: Any, y: Any) -> Any:
        order, above = lax.custom_call(
            "ranks", [((4,), "uint32"), ((4,), "bool")], x * 2, y, a=1, b=[2.5, "t"], c={"d": True}, e=np.array([7, 8])
        )
        return order + 1, snp.where(above, x, 0)

    order, kept = main(X, np.ones(4, np.float32))
    np.testing.assert_array_equal(order, np.argsort(X) + 1)
    np.testing.assert_array_equal(kept, np.where(2 * X > 1, X, 0))
    ((x, dtype, writable, attributes),) = seen
    np.testing.assert_array_equal(x, 2 * X)
    assert (dtype, writable) == (np.float32, False)
    np.testing.assert_array_equal(attributes.pop("e"), [7, 8])
    assert attributes == {"a": 1, "b": [2.5, "t"], "c": {"d": True}}


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "uint8", "int64", "bool", "float8_e5m2"])
@pytest.mark.parametrize("shape", [(), (0, 3), (5,)])
def test_types_and_shapes_go_through_as_they_are(register, dtype, shape):
    register("same", lambda x: x)
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    x = (np.arange(np.prod(shape, dtype=int)) % 2).astype(kind).reshape(shape)
    (got,) = stepwell.compile(
        stepwell.jit(lambda x: lax.custom_call("same", x, x)).lower(x).module, target="interpreter", step="device"
    )(x)
    np.testing.assert_array_equal(got, x)
    if dtype in ("bfloat16", "bool") or shape == ():
        np.testing.assert_array_equal(stepwell.jit(lambda x: lax.custom_call("same", x, x))(x), x)


class MyError(Exception):
    pass


def test_an_exception_comes_back_with_its_traceback_and_no_callback_is_called_any_more(register):
    calls: list[int] = []

    def fails_at_the_second(x: np.ndarray) -> np.ndarray:
        calls.append(1)
        if len(calls) == 2:
            raise MyError("no such thing")
        return x + 1

    register("fails", fails_at_the_second)
    function = stepwell.jit(lambda x: lax.fori_loop(0, 5, lambda i, c: lax.custom_call("fails", c, c), x))
    with pytest.raises(MyError, match="no such thing") as caught:
        function(X)
    assert len(calls) == 2
    assert "fails_at_the_second" in "".join(traceback.format_tb(caught.value.__traceback__))
    assert "in the callback of the custom call 'fails' at" in caught.value.__notes__[0]
    assert "test_callbacks.py" in caught.value.__notes__[0]
    np.testing.assert_array_equal(function(X), X + 5)
    calls.clear()
    with pytest.raises(MyError):
        stepwell.compile(function.lower(X).module).profile(X, repeat=1)


@pytest.mark.parametrize("target", ["cpu", "interpreter"])
@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (lambda x: x[:3], r"returns float32\[3\] as result 0, the call says float32\[4\]"),
        (lambda x: x.astype(np.float64), r"returns float64\[4\] as result 0, the call says float32\[4\]"),
        (lambda x: (x, x), "returns 2 results, the call has 1"),
        (lambda x: None, "as result 0, the call says"),
    ],
)
def test_results_that_are_not_what_the_call_says(register, callback, message, target):
    register("wrong", callback)
    with pytest.raises(stepwell.InvalidProgramError, match=message) as caught:
        stepwell.compile(program("wrong"), target=target)(X)
    assert "<string>:2:" in str(caught.value)


def test_an_operand_may_not_be_kept(register):
    kept: list[np.ndarray] = []

    def keeps(x: np.ndarray) -> np.ndarray:
        kept.append(x[1:])
        return x

    def circles(x: np.ndarray) -> np.ndarray:
        circle: list[Any] = [x]
        circle.append(circle)
        return x + 1

    register("circles", circles)
    np.testing.assert_array_equal(stepwell.compile(program("circles"))(X)[0], X + 1)
    register("keeps", keeps)
    with pytest.raises(stepwell.InvalidProgramError, match="keeps an operand, whose memory is used again"):
        stepwell.compile(program("keeps"))(X)


def test_numbers_are_results_without_dims(register):
    register("total", lambda x: float(x.sum()))
    (got,) = stepwell.compile(program("total", "tensor<f32>"))(X)
    assert got == X.sum()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (program("it", attributes="has_side_effect = true"), "a side effect of the callback of 'it'"),
        (program("it", "tensor<4xcomplex<f32>>"), "integers and floats of whole bytes, not complex<f32>"),
        (
            program("it", attributes="backend_config = {a = [i32]}, api_version = 4 : i32"),
            "an attribute of the callback of 'it'",
        ),
        (program("it", "tensor<4xi4>"), "integers and floats of whole bytes, not i4"),
    ],
)
def test_what_a_callback_cannot_do(register, text, message):
    register("it", lambda x: x)
    for target in ("cpu", "interpreter"):
        with pytest.raises(stepwell.UnsupportedError, match=message):
            stepwell.compile(text, target=target)(X)


def test_a_program_on_a_gpu_calls_no_python(register):
    register("host", lambda x: x)
    with pytest.raises(stepwell.UnsupportedError, match="a program on a GPU calls no Python"):
        stepwell.compile(program("host"), target="cuda:sm_90")


def test_control_flow_and_maps(register):
    register("root", lambda x: np.sqrt(x))
    one = lambda x: lax.custom_call("root", x, x)  # noqa: E731
    got = stepwell.jit(lambda x: lax.cond(x.sum() > 0, one, lambda x: x, x))(X)
    np.testing.assert_allclose(got, np.sqrt(X), rtol=1e-6)
    np.testing.assert_allclose(lax.map(one, X), np.sqrt(X), rtol=1e-6)
    with pytest.raises(stepwell.TracingError, match=r"stablehlo\.custom_call has no batching rule"):
        stepwell.vmap(one)(X)


def test_threads_have_exceptions_of_their_own(register):
    def odd(x: np.ndarray) -> np.ndarray:
        if x[0] % 2:
            raise MyError(str(x[0]))
        return x * 2

    register("odd", odd)
    exe = stepwell.compile(program("odd"))
    wrong: list[Any] = []

    def run(number: int) -> None:
        for _ in range(50):
            x = np.full(4, number, np.float32)
            try:
                (got,) = exe(x)
                if number % 2 or not np.array_equal(got, 2 * x):
                    wrong.append(got)
            except MyError as error:
                if not number % 2 or str(error) != str(x[0]):
                    wrong.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_registering_replacing_and_taking_away(register):
    register("which", lambda x: x + 1)
    exe = stepwell.compile(program("which"))
    assert place_of(program("which"), checked_request()) is None  # what Python does is not in any key
    np.testing.assert_array_equal(stepwell.compile(exe.ir("device"))(X)[0], X + 1)
    with pytest.raises(stepwell.InvalidProgramError, match="'which' has a meaning; replace=True replaces it"):
        register("which", lambda x: x)
    register("which", lambda x: x + 2, replace=True)
    np.testing.assert_array_equal(exe(X)[0], X + 2)
    stepwell.register_custom_call("which", lambda x: x + 3, replace=True)  # traced: of programs compiled from now on
    np.testing.assert_array_equal(stepwell.compile(program("which"))(X)[0], X + 3)
    with pytest.raises(stepwell.InvalidProgramError, match="the callback of 'which' is gone"):
        exe(X)
    with pytest.raises(stepwell.InvalidProgramError, match="a function that is traced or a callback, not both"):
        stepwell.register_custom_call("both", lambda x: x, callback=lambda x: x)
    with pytest.raises(stepwell.InvalidProgramError, match="takes a function, not 3"):
        stepwell.register_custom_call("three", callback=3)


def test_equal_calls_are_one_and_results_may_be_written_in_place(register):
    calls: list[int] = []
    register("count", lambda x: calls.append(1) or x)
    function = stepwell.jit(lambda x: lax.custom_call("count", x, x) + lax.custom_call("count", x, x))
    np.testing.assert_array_equal(function(X), 2 * X)
    assert len(calls) == 1
    out = np.empty(4, np.float32)
    stepwell.compile(program("count"))(X, out=(out,))
    np.testing.assert_array_equal(out, X)
