"""`stepwell.register_custom_call`: what a call becomes, and every way to be wrong."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import stepwell
import stepwell.numpy as snp
from stepwell.cli import main
from stepwell.dialects.stablehlo.custom_calls import registered_targets
from stepwell.opt import main as opt_main

X = np.array([-3, 0, 1, 5], np.float32)


def program(target: str, attributes: str = "", types: str = "(tensor<4xf32>) -> tensor<4xf32>") -> str:
    result = types.split("->")[1].strip()
    return f"""func.func @main(%x: tensor<4xf32>) -> {result} {{
  %0 = stablehlo.custom_call @{target}(%x) {{{attributes}}} : {types}
  return %0 : {result}
}}"""


@pytest.fixture
def register():
    names = []

    def register(target, function, **options):
        names.append(target)
        return stepwell.register_custom_call(target, function, **options)

    yield register
    for name in dict.fromkeys(names):
        stepwell.unregister_custom_call(name)


def error(target: str, attributes: str = "") -> str:
    with pytest.raises(stepwell.CompileError) as caught:
        stepwell.compile(program(target, attributes), target="interpreter")(X)
    text = str(caught.value)
    assert "<string>:2:" in text
    return text


@pytest.mark.parametrize("target", ["cpu", "interpreter"])
def test_attributes_are_keyword_arguments(target):
    @stepwell.register_custom_call("cap")
    def cap(x, *, limit, times=1, name="", even=True):
        assert (type(limit), times, name, even) == (float, 3, "n", False)
        return limit * snp.tanh(x / limit)

    attributes = 'mhlo.backend_config = {limit = 2.0 : f32, times = 3 : i64, name = "n", even = false}'
    try:
        (got,) = stepwell.compile(program("cap", attributes), target=target)(X)
    finally:
        stepwell.unregister_custom_call("cap")
    assert np.allclose(got, 2 * np.tanh(X / 2), atol=1e-6)


def test_a_config_that_is_a_dictionary_and_one_that_is_text(register):
    register("scaled", lambda x, by: x * by)
    config = "api_version = 4 : i32, backend_config = {by = 3 : i32}"
    assert (stepwell.compile(program("scaled", config), target="interpreter")(X)[0] == 3 * X).all()
    register("worded", lambda x, backend_config: x * len(backend_config))
    text = program("worded", 'backend_config = "four"')
    assert (stepwell.compile(text, target="interpreter")(X)[0] == 4 * X).all()


def test_several_results_and_python_numbers(register):
    register("two", lambda x: (x.sum(), 7))
    text = """func.func @main(%x: tensor<4xf32>) -> (tensor<f32>, tensor<i32>) {
      %0:2 = stablehlo.custom_call @two(%x) : (tensor<4xf32>) -> (tensor<f32>, tensor<i32>)
      return %0#0, %0#1 : tensor<f32>, tensor<i32>
    }"""
    total, number = stepwell.compile(text)(X)
    assert (total, number, number.dtype) == (3, 7, np.int32)


def test_registered_functions_may_use_loops_and_jit(register):
    @stepwell.jit
    def doubled(x):
        return stepwell.lax.fori_loop(0, 3, lambda i, y: y * 2, x)

    register("jitted", doubled)
    assert (stepwell.compile(program("jitted"), target="interpreter")(X)[0] == 8 * X).all()


def test_what_is_registered_replaces_stepwells_own(register):
    register("Sharding", lambda x: x + 1, replace=True)
    assert (stepwell.compile(program("Sharding"), target="interpreter")(X)[0] == X + 1).all()


def test_targets_are_registered_once():
    stepwell.register_custom_call("once", lambda x: x)
    with pytest.raises(stepwell.InvalidProgramError, match="'once' has a meaning"):
        stepwell.register_custom_call("once", lambda x: x)
    stepwell.register_custom_call("once", lambda x: -x, replace=True)
    assert (stepwell.compile(program("once"), target="interpreter")(X)[0] == -X).all()
    stepwell.unregister_custom_call("once")
    with pytest.raises(stepwell.InvalidProgramError, match="nothing is registered for the custom call target 'once'"):
        stepwell.unregister_custom_call("once")
    assert "is not known" in error("once")


@pytest.mark.parametrize("target", ["Sharding", "lapack_spotrf_ffi"])
def test_stepwells_own_targets_are_not_replaced_by_accident(target):
    with pytest.raises(stepwell.InvalidProgramError, match="is one of Stepwell's own; replace=True replaces it"):
        stepwell.register_custom_call(target, lambda x: x)


def test_only_functions_are_registered_and_only_under_names():
    with pytest.raises(stepwell.InvalidProgramError, match="takes a function, not 3"):
        stepwell.register_custom_call("three", 3)
    with pytest.raises(stepwell.InvalidProgramError, match="target is a name, not 3"):
        stepwell.register_custom_call(3, lambda x: x)


def test_an_unknown_target_is_refused_with_the_way_out(register):
    register("softcap", lambda x: x)
    text = error("softcup")
    assert "the custom call target 'softcup' is not known" in text
    assert "did you mean 'softcap'?" in text
    assert 'stepwell.register_custom_call("softcup")' in text


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: None, "does not fit the function that is registered for it: too many positional arguments"),
        (lambda x, *, by: x, "does not fit the function that is registered for it: missing a required"),
        (lambda x: (x, x), "has 1 results, the function that is registered for it returns 2"),
        (lambda x: "no", "returns a str as result 0"),
        (
            lambda x: x[:2],
            "has type tensor<4xf32> as result 0, the function that is registered for it returns tensor<2xf32>",
        ),
        (lambda x: x.astype("float64"), "hint: end the function with .astype('float32')"),
        (lambda x: x / [][0], "the function that is registered for it raised IndexError: list index out of range"),
    ],
)
def test_a_wrong_function_is_an_error_at_the_call(function, message, register):
    register("wrong", function)
    assert message in error("wrong")


def test_what_cannot_be_traced_is_an_error_at_the_functions_line(register):
    register("branching", lambda x: x if x[0] > 0 else -x)
    with pytest.raises(stepwell.TracingError) as caught:
        stepwell.compile(program("branching"))
    assert "test_custom_calls.py:" in str(caught.value)
    assert "note: in the function that is registered for the custom call target 'branching'" in str(caught.value)


@pytest.mark.parametrize("target", ["cpu", "interpreter"])
def test_a_function_that_calls_itself_is_refused(target, register):
    register("endless", lambda x: stepwell.lax.custom_call("endless", x, x))
    with pytest.raises(stepwell.InvalidProgramError, match="of 'endless' never ends"):
        stepwell.compile(program("endless"), target=target)(X)


def test_threads_register_and_compile_at_once():
    failures = []

    def work(i):
        try:
            for round_ in range(5):
                name = f"thread_{i}_{round_}"
                stepwell.register_custom_call(name, lambda x, i=i: x + i)
                got = stepwell.compile(program(name), target="interpreter")(X)[0]
                assert (got == X + i).all()
                stepwell.unregister_custom_call(name)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# From Python.


def test_jitted_functions_call_targets_by_name(register):
    register("axpy", lambda x, y, *, a, offsets, kind: a * x + y + offsets[1] + len(kind["name"]))

    @stepwell.jit
    def f(x, y):
        return stepwell.lax.custom_call("axpy", x, x, y, a=2.0, offsets=[1, 4], kind={"name": "abc"})

    assert (np.asarray(f(X, X)) == 3 * X + 7).all()
    assert (
        np.asarray(
            stepwell.lax.custom_call(
                "axpy", ((4,), "float32"), X, X, a=np.float32(1), offsets=[0, 0], kind={"name": ""}
            )
        )
        == 2 * X
    ).all()


def test_a_call_of_several_results_gives_a_tuple(register):
    register("both", lambda x, *, table: (x + table[0], x.sum()))

    @stepwell.jit
    def f(x):
        return stepwell.lax.custom_call("both", [x, ((), "float32")], x, table=np.array([5, 6], np.int32))

    first, second = f(X)
    assert (np.asarray(first) == X + 5).all()
    assert float(second) == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: stepwell.lax.custom_call("t", 3, x), "given by its shape and dtype, not by 3"),
        (lambda x: stepwell.lax.custom_call("t", x, x, a=object), "the attribute a of a custom call cannot be"),
    ],
)
def test_wrong_calls_from_python_are_errors_at_their_line(call, message):
    with pytest.raises(stepwell.TracingError) as caught:
        stepwell.jit(call)(X)
    assert message in str(caught.value)
    assert "test_custom_calls.py:" in str(caught.value)


# From the command line.

PLUGIN = """
import stepwell

@stepwell.register_custom_call("from_a_file")
def double(x):
    return x * 2
"""


@pytest.fixture
def plugin(tmp_path):
    (tmp_path / "plugin_of_a_test.py").write_text(PLUGIN)
    (tmp_path / "program.mlir").write_text(program("from_a_file"))
    np.save(tmp_path / "x.npy", X)
    yield tmp_path
    if "from_a_file" in registered_targets():
        stepwell.unregister_custom_call("from_a_file")


@pytest.mark.parametrize("module", ["plugin_of_a_test.py", "plugin_of_a_test"])
def test_the_command_line_imports_what_registers(module, plugin, monkeypatch, capsys):
    monkeypatch.chdir(plugin)
    monkeypatch.delitem(sys.modules, "plugin_of_a_test", raising=False)
    words = ["run", "program.mlir", "--inputs", "x.npy", "--target", "interpreter", "--import", module]
    assert main(words) == 0
    assert "[-6.0, 0.0, 2.0, 10.0]" in capsys.readouterr().out


def test_stepwell_opt_imports_what_registers(plugin, monkeypatch, capsys):
    monkeypatch.chdir(plugin)
    assert opt_main(["program.mlir", "-p", "expand-custom-calls", "--import", "plugin_of_a_test.py"]) == 0
    assert "stablehlo.multiply" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", "cannot import 'wrong.py': ZeroDivisionError: division by zero"),
        (None, "cannot import 'wrong.py': no such file"),
    ],
)
def test_what_cannot_be_imported_is_an_error(text, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "wrong.py").write_text(text)
    (tmp_path / "program.mlir").write_text(program("any"))
    assert main(["compile", "program.mlir", "--import", "wrong.py"]) == 1
    assert message in capsys.readouterr().err


def test_the_page_runs():
    page = (Path(__file__).parent.parent / "docs" / "linear-algebra.md").read_text()
    block, callback = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (call,) = re.findall(r"`(stablehlo.custom_call @my_softcap.*?)`", page)
    text = f"func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {{\n%r = {call}\nreturn %r : tensor<8xf32>\n}}"
    names: dict[str, object] = {}
    try:
        exec(compile(block + callback, "linear-algebra.md", "exec"), names)
        x = np.linspace(-90, 90, 8, dtype=np.float32)
        (got,) = stepwell.compile(text, target="interpreter")(x)
        looked_up = stepwell.jit(lambda i: stepwell.lax.custom_call("my_table", ((3,), "float32"), i, scale=2.0))
        np.testing.assert_allclose(looked_up(np.array([0, 51, 255], np.uint8)), [0, 0.4, 2], rtol=1e-6)
    finally:
        for name in ("my_softcap", "my_table"):
            stepwell.unregister_custom_call(name)
    assert np.allclose(got, 30 * np.tanh(x / 30), atol=1e-4)
