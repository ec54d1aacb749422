"""The reducer: small results, few tests, always a valid program; by a function, and by a command without a shell."""

from __future__ import annotations

import stat
import sys
import time
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from stepwell.cli import main
from stepwell.ir.printer import print_ir
from stepwell.ir.verify import verify_module
from stepwell.reduce import CommandTest, NotInterestingError, reduce_module
from stepwell.reduction.reducer import count_ops
from stepwell.source import parse


def chain(length: int) -> str:
    """A program of so many ops with one sine of a cosine in the middle."""
    lines = ["func.func @main(%v0: tensor<16x8xf32>, %b: tensor<16x8xf32>) -> tensor<16x8xf32> {"]
    for i in range(length):
        if i == length // 2:
            lines.append(f"  %v{i + 1} = stablehlo.cosine %v{i} : tensor<16x8xf32>")
        elif i == length // 2 + 1:
            lines.append(f"  %v{i + 1} = stablehlo.sine %v{i} : tensor<16x8xf32>")
        elif i % 3 == 0:
            lines.append(f"  %v{i + 1} = stablehlo.add %v{i}, %b : tensor<16x8xf32>")
        elif i % 3 == 1:
            lines.append(f"  %c{i} = stablehlo.constant dense<1.5> : tensor<16x8xf32>")
            lines.append(f"  %v{i + 1} = stablehlo.multiply %v{i}, %c{i} : tensor<16x8xf32>")
        else:
            lines.append(f"  %v{i + 1} = stablehlo.tanh %v{i} : tensor<16x8xf32>")
    return "\n".join([*lines, f"  return %v{length} : tensor<16x8xf32>", "}"])


def has_pair(module: ModuleOp, user: str, used: str) -> bool:
    """Whether some op `user` reads the result of an op `used`."""
    return any(
        op.name == user and any(isinstance(o.owner, Operation) and o.owner.name == used for o in op.operands)
        for op in module.walk()
    )


class Counted:
    """A test of modules that counts its calls and looks that each module is valid."""

    def __init__(self, test):
        self.test = test
        self.calls = 0

    def __call__(self, module: ModuleOp) -> bool:
        self.calls += 1
        verify_module(module)
        return self.test(module)


def names(module: ModuleOp) -> list[str]:
    return [op.name for op in module.walk()][1:]


def test_a_long_chain_is_reduced_to_what_matters():
    module = parse(chain(60))
    assert count_ops(module) > 60
    before = print_ir(module)
    test = Counted(lambda m: has_pair(m, "stablehlo.sine", "stablehlo.cosine"))
    reduced = reduce_module(module, test)
    assert names(reduced) == ["func.func", "stablehlo.cosine", "stablehlo.sine", "func.return"]
    assert "tensor<1x1xf32>" in print_ir(reduced)
    assert print_ir(module) == before
    assert test.calls < 60


def test_the_number_of_tests_grows_slower_than_the_program():
    calls: list[int] = []
    for length in (20, 80):
        test = Counted(lambda m: has_pair(m, "stablehlo.sine", "stablehlo.cosine"))
        reduce_module(parse(chain(length)), test)
        calls.append(test.calls)
    assert calls[1] < 2 * calls[0]


def test_the_same_program_and_test_give_the_same_result():
    texts = {print_ir(reduce_module(parse(chain(30)), lambda m: "stablehlo.tanh" in names(m))) for _ in range(2)}
    assert len(texts) == 1


NESTED = """
func.func private @inner(%x: tensor<8xf32>, %unused: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %0 = stablehlo.exponential %x : tensor<8xf32>
  %1 = stablehlo.negate %x : tensor<8xf32>
  return %0, %1 : tensor<8xf32>, tensor<8xf32>
}
func.func private @other(%x: tensor<8xf32>) -> tensor<8xf32> { return %x : tensor<8xf32> }
func.func @main(%p: tensor<i1>, %x: tensor<8xf32>) -> (tensor<8xf32>, tensor<i32>) {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %ten = stablehlo.constant dense<10> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %o = func.call @other(%x) : (tensor<8xf32>) -> tensor<8xf32>
  %r:2 = stablehlo.while(%i = %zero, %v = %o) : tensor<i32>, tensor<8xf32>
    cond {
      %c = stablehlo.compare LT, %i, %ten : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    } do {
      %n = stablehlo.add %i, %one : tensor<i32>
      %w = "stablehlo.if"(%p) ({
        %a:2 = func.call @inner(%v, %v) : (tensor<8xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>)
        %b = stablehlo.logistic %a#0 : tensor<8xf32>
        stablehlo.return %b : tensor<8xf32>
      }, {
        stablehlo.return %v : tensor<8xf32>
      }) : (tensor<i1>) -> tensor<8xf32>
      stablehlo.return %n, %w : tensor<i32>, tensor<8xf32>
    }
  return %r#1, %r#0 : tensor<8xf32>, tensor<i32>
}
"""


def test_regions_run_once_and_calls_are_inlined():
    reduced = reduce_module(
        parse(NESTED),
        lambda m: (
            has_pair(m, "stablehlo.logistic", "stablehlo.exponential")
            or (has_pair(m, "stablehlo.logistic", "func.call") and "stablehlo.exponential" in names(m))
        ),
    )
    assert sorted(names(reduced)) == ["func.func", "func.return", "stablehlo.exponential", "stablehlo.logistic"]


def test_a_call_that_matters_stays_with_fewer_operands_and_results():
    reduced = reduce_module(parse(NESTED), lambda m: "func.call" in names(m) and "stablehlo.exponential" in names(m))
    (call,) = (op for op in reduced.walk() if op.name == "func.call")
    assert len(call.operands) + len(call.results) <= 2
    assert count_ops(reduced) <= 7


def test_constants_become_splats_and_shapes_small():
    text = """
      func.func @main() -> tensor<4x3xf32> {
        %0 = stablehlo.constant dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 10.0, 11.0, 12.0]]> : tensor<3x4xf32>
        %1 = stablehlo.transpose %0, dims = [1, 0] : (tensor<3x4xf32>) -> tensor<4x3xf32>
        return %1 : tensor<4x3xf32>
      }"""
    reduced = reduce_module(
        parse(text), lambda m: has_pair(m, "stablehlo.transpose", "stablehlo.constant") and "x2xf32" not in str(m)
    )
    assert "stablehlo.constant dense<0.000000e+00> : tensor<1x1xf32>" in print_ir(reduced)


def test_a_reshape_shrinks_with_the_factors_of_its_extent():
    text = """
      func.func @main(%a: tensor<12x10xf32>) -> tensor<120xf32> {
        %0 = stablehlo.reshape %a : (tensor<12x10xf32>) -> tensor<120xf32>
        return %0 : tensor<120xf32>
      }"""
    reduced = reduce_module(parse(text), lambda m: "stablehlo.reshape" in names(m))
    assert "tensor<1xf32>" in print_ir(reduced)


def test_the_recorded_signature_follows_the_entry():
    from stepwell.compiler import lower

    module = lower(parse(chain(12)), "tensor")
    reduced = reduce_module(
        module, lambda m: has_pair(m, "stablehlo.sine", "stablehlo.cosine") and "stepwell.abi" in str(m)
    )
    assert 'inputs = ["tensor<1x1xf32>"], outputs = ["tensor<1x1xf32>"]' in print_ir(reduced)


def test_steps_below_are_reduced_too():
    from stepwell.compiler import lower

    module = lower(parse(chain(5)), "scheduled")
    reduced = reduce_module(module, lambda m: "vector.transfer_write" in names(m) and "kernel.launch" in names(m))
    assert count_ops(reduced) < count_ops(module) / 2


def test_a_start_that_is_not_interesting_is_refused():
    with pytest.raises(NotInterestingError):
        reduce_module(parse(chain(5)), lambda m: False)


# By a command


@pytest.fixture
def script(tmp_path):
    """Writes an executable test of candidates: a Python script, whose argument is the path."""

    def write(body: str, name: str = "test.py") -> str:
        path = tmp_path / name
        path.write_text(
            f"#!{sys.executable}\nimport pathlib, sys, time\ntext = pathlib.Path(sys.argv[-1]).read_text()\n{body}\n"
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return write


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.mlir"
    path.write_text(chain(6))
    return str(path)


def test_the_command_decides_by_its_exit_code(script, program, tmp_path, capsys):
    out = tmp_path / "small.mlir"
    test = script("sys.exit(0 if 'stablehlo.sine' in text else 1)")
    assert main(["reduce", program, "--test", test, "-o", str(out)]) == 0
    assert names(parse(out)) == ["func.func", "stablehlo.sine", "func.return"]
    progress = capsys.readouterr().err
    assert progress.startswith("from 9 ops\n")
    assert "to 3 ops in " in progress


def test_a_test_that_fails_on_the_program_itself_is_an_error(script, program, capsys):
    assert main(["reduce", program, "--test", script("sys.exit(3)")]) == 1
    assert "the test must succeed on it" in capsys.readouterr().err


def test_a_command_that_is_not_there_is_an_error(program, capsys):
    assert main(["reduce", program, "--test", "/nowhere/at/all --flag"]) == 1
    assert "cannot run '/nowhere/at/all'" in capsys.readouterr().err


def test_a_test_that_takes_too_long_is_ended_and_not_interesting(script):
    started = time.monotonic()
    assert not CommandTest(script("time.sleep(3600)"), timeout=0.5)(chain(1))
    assert time.monotonic() - started < 600


def test_names_of_the_program_are_no_shell_text(script, tmp_path):
    hostile = (
        'func.func @"$(touch pwned); touch pwned"(%a: tensor<2xf32>) -> tensor<2xf32> { return %a : tensor<2xf32> }'
    )
    path = tmp_path / "hostile.mlir"
    path.write_text(hostile)
    for extra in ([], ["--shell"]):
        test = script("sys.exit(0 if 'touch' in text and '/' in sys.argv[-1] and 'touch' not in sys.argv[-1] else 1)")
        command = f'{test} "$1"' if extra else test
        assert (
            main(
                [
                    "reduce",
                    str(path),
                    "--quiet",
                    "--max-tests",
                    "4",
                    "--test",
                    command,
                    *extra,
                    "-o",
                    str(tmp_path / "o"),
                ]
            )
            == 0
        )
    assert not list(tmp_path.glob("**/pwned"))
    assert not Path("pwned").exists()
