"""Pipelines: text, options, anchors, failures, instrumentation."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp, StringAttr, i32
from xdsl.ir import Operation
from xdsl.utils.exceptions import PassFailedException

from stepwell.dialects.registry import context
from stepwell.ir import instrumentation as tools
from stepwell.ir.diagnostics import DiagnosticError, InternalDiagnosticError, unsupported
from stepwell.ir.errors import InternalError, UnsupportedError
from stepwell.ir.parser import parse_module, parse_with_resources
from stepwell.ir.pass_manager import Pipeline, PipelineError, build_pipeline
from stepwell.ir.passes import ANY_ANCHOR, Pass
from stepwell.ir.verify import VerifyDiagnosticError

TEXT = "func.func @f() {\n  return\n}\nmodule @inner {\n  func.func @g() {\n    return\n  }\n}\nfunc.func @h() {\n  return\n}\n"
LOG: list[str] = []


@dataclass(frozen=True)
class MarkPass(Pass):
    """Logs the op and its options."""

    name = "mark"
    tile: tuple[int, ...] = ()
    mode: Literal["fast", "safe"] = "safe"
    factor: float = 1.0
    max_size: int | None = None
    loud: bool = False
    text: str = ""

    def apply(self, ctx: Context, op: Operation) -> None:
        LOG.append(
            f"{op.name}:{tools.symbol_of(op)}:{self.tile}:{self.mode}:{self.factor}:{self.max_size}:{self.loud}:{self.text}"
        )


@dataclass(frozen=True)
class FuncPass(Pass):
    """Runs on functions."""

    name = "on-func"
    anchor: ClassVar[str] = "func.func"

    def apply(self, ctx: Context, op: Operation) -> None:
        LOG.append(f"func:{tools.symbol_of(op)}")
        op.attributes["seen"] = StringAttr("yes")
        tools.count("visited", 2)


@dataclass(frozen=True)
class AnyPass(Pass):
    """Runs anywhere, changes nothing."""

    name = "any-op"
    anchor: ClassVar[str] = ANY_ANCHOR

    def apply(self, ctx: Context, op: Operation) -> None:
        LOG.append(f"any:{op.name}")


@dataclass(frozen=True)
class FailPass(Pass):
    """Fails in the way asked for."""

    name = "fail"
    how: str = "unsupported"

    def apply(self, ctx: Context, op: Operation) -> None:
        func = op.regions[0].block.first_op
        assert func is not None
        match self.how:
            case "unsupported":
                raise unsupported(func, "it is only a test", "do not ask")
            case "plain":
                raise UnsupportedError("test.op: no reason; nothing helps")
            case "xdsl":
                raise PassFailedException("cannot")
            case "break":
                block = func.regions[0].block
                assert block.last_op is not None
                block.insert_op_after(arith.ConstantOp.from_int_and_width(1, i32), block.last_op)
            case _:
                raise AssertionError("a bug")


PASSES: dict[str, type[Pass]] = {p.name: p for p in (MarkPass, FuncPass, AnyPass, FailPass)}


def pipeline(text: str, *watchers: tools.Instrumentation) -> Pipeline:
    return build_pipeline(text, PASSES.__getitem__, list(PASSES), context(), watchers)


def run(text: str, *watchers: tools.Instrumentation) -> tuple[ModuleOp, list[str]]:
    LOG.clear()
    module = parse_module(TEXT, "t.mlir", context())
    pipeline(text, *watchers).run(context(), module)
    return module, list(LOG)


def test_a_pass_runs_on_its_anchor():
    assert run("on-func")[1] == ["func:f", "func:h"]
    assert run("builtin.module(func.func(on-func, any_op), any-op)")[1] == [
        *("func:f", "any:func.func", "func:h", "any:func.func", "any:builtin.module")
    ]


def test_options_of_every_kind():
    log = run(
        'mark{tile=4,8 mode=fast factor=2.5 max-size=7 loud text="a b}"},mark{max_size=none tile={3} loud=false}'
    )[1]
    assert log == [
        "builtin.module:None:(4, 8):fast:2.5:7:True:a b}",
        "builtin.module:None:(3,):safe:1.0:None:False:",
    ]


def test_a_pipeline_prints_as_it_is_written():
    text = 'builtin.module(mark{tile=4,8 mode=fast text="a b"},func.func(on-func,any-op),mark{text="\\"\\\\"})'
    assert str(pipeline(text)) == text
    assert str(pipeline(str(pipeline(text)))) == text


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ("mark,on-fun", 6, "unknown pass 'on-fun'", "'on-func'"),
        ("mark{tiles=1}", 6, "no option 'tiles'", "'tile'"),
        ("mark{tile=a}", 6, "expects an integer", "tile=VALUE"),
        ("mark{mode=slow}", 6, "one of fast, safe", ""),
        ("mark{loud=maybe}", 6, "true or false", ""),
        ("mark{factor}", 6, "no value is given", ""),
        ("mark{loud loud}", 11, "given twice", ""),
        ("builtin.module(func.fun(on-func))", 16, "unknown op 'func.fun'", "'func.func'"),
        ("builtin.module(mark(on-func))", 16, "unknown op 'mark'", "is a pass"),
        ("builtin.module(func.func(mark))", 26, "runs on 'builtin.module', not inside 'func.func'", "outside"),
        ("builtin.module(on-func", 23, "expected ',' or ')'", "balanced"),
        ("on-func)", 8, "unexpected ')'", "balanced"),
        ("mark{tile=1", 5, "not closed", "}"),
        ('mark{text="a}', 11, "quoted value is not closed", ""),
        (
            "func.func(on-func)",
            1,
            "a pipeline on 'func.func' cannot run on 'builtin.module'",
            "builtin.module(func.func",
        ),
        ("on-func,", 9, "expected a pass name or an op name after ','", "remove"),
        ("builtin.module(on-func, )", 25, "expected a pass name or an op name after ','", "remove"),
        ("on-func on-func", 9, "unexpected 'o'", ""),
    ],
)
def test_bad_pipelines_are_located(text: str, column: int, message: str, hint: str):
    with pytest.raises(PipelineError) as caught:
        pipeline(text)
    diagnostic = caught.value.diagnostic
    assert diagnostic.location is not None
    assert diagnostic.location.col == column, str(caught.value)
    assert message in diagnostic.message
    assert hint in (diagnostic.hint or "")
    assert text in str(caught.value)


@pytest.mark.parametrize("how", ["unsupported", "plain"])
def test_an_unsupported_error_stays_one_and_names_the_pass(how: str):
    with pytest.raises(UnsupportedError) as caught:
        run(f"fail{{how={how}}}")
    assert isinstance(caught.value, DiagnosticError)
    assert "t.mlir:1:1: error:" in str(caught.value)
    assert "while running pass 'fail' on 'builtin.module'" in str(caught.value)


def test_a_failed_pass_is_located():
    with pytest.raises(DiagnosticError, match=r"t\.mlir:1:1: error: cannot"):
        run("fail{how=xdsl}")


def test_a_bug_in_a_pass_is_an_internal_error_with_its_pipeline():
    with pytest.raises(
        InternalError, match=r"t\.mlir:1:1: error: internal error: pass 'fail': AssertionError: a bug"
    ) as caught:
        run("fail{how=bug}")
    assert isinstance(caught.value, InternalDiagnosticError)
    assert isinstance(caught.value.__cause__, AssertionError)
    assert caught.value.pipeline == "builtin.module(fail{how=bug})"


def test_verify_each_names_the_pass():
    with pytest.raises(VerifyDiagnosticError) as caught:
        run("any-op,fail{how=break},on-func", tools.VerifyEach())
    assert "the IR is not valid after pass 'fail'" in str(caught.value)
    assert LOG == ["any:builtin.module"]


def test_printing_only_after_a_change():
    stream = StringIO()
    run("on-func,on-func,any-op", tools.IRPrinter(tools.PrintOptions(after_all=True, after_change=True), stream))
    heads = [line for line in stream.getvalue().splitlines() if line.startswith("// -----//")]
    assert heads == [
        "// -----// IR Dump After on-func ('func.func' operation: @f) //----- //",
        "// -----// IR Dump After on-func ('func.func' operation: @h) //----- //",
    ]


def test_printing_to_a_tree(tmp_path: Path):
    run("any-op,on-func", tools.IRPrinter(tools.PrintOptions(tree_dir=str(tmp_path))))
    found = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.mlir"))
    assert found == [
        "builtin_module_no-symbol-name/0_any-op.mlir",
        "builtin_module_no-symbol-name/func_func_f/0_on-func.mlir",
        "builtin_module_no-symbol-name/func_func_h/0_on-func.mlir",
    ]


def test_statistics_and_timing():
    statistics, timing = tools.StatisticsInstrumentation(), tools.TimingInstrumentation()
    run("on-func,any-op", statistics, timing)
    assert statistics.passes["on-func"].runs == 2
    assert statistics.passes["on-func"].counters["visited"] == 4
    assert "'func.func' pipeline" in timing.report()
    assert "any-op" in timing.report()


def test_the_reproducer_holds_module_and_pipeline(tmp_path: Path):
    path = tmp_path / "crash.mlir"
    with pytest.raises(UnsupportedError):
        run("on-func,fail", tools.CrashReproducer(str(path)))
    module, resources = parse_with_resources(path.read_text(), str(path), context())
    assert resources["mlir_reproducer"]["pipeline"] == "builtin.module(on-func,fail)"
    assert resources["mlir_reproducer"]["verify_each"] is True
    assert "seen" not in str(module)
