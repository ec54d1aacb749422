"""Verification: dominance in structured and control-flow regions, structure, and where errors point."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import ModuleOp

from stepwell.dialects.registry import context
from stepwell.ir.parser import parse_module
from stepwell.ir.verify import VerifyDiagnosticError, verify_module


def parse(text: str) -> ModuleOp:
    return parse_module(text, "t.mlir", context(allow_unregistered=True))


def failure(text: str) -> VerifyDiagnosticError:
    module = parse(text)
    with pytest.raises(VerifyDiagnosticError) as caught:
        verify_module(module)
    return caught.value


def test_use_before_definition_in_a_block():
    error = failure("func.func @f(%a: f32) {\n %0 = arith.addf %1, %a : f32\n %1 = arith.negf %a : f32\n return }")
    assert str(error).splitlines()[0] == "t.mlir:2:7: error: 'arith.addf' op operand #0 does not dominate this use"
    assert "t.mlir:3:7: note: the operand is defined here" in str(error)


def test_an_op_cannot_use_its_own_result():
    error = failure("func.func @f(%a: f32) {\n %0 = arith.addf %a, %0 : f32\n return }")
    assert "operand #1 does not dominate" in str(error)


def test_a_region_does_not_leak_values():
    error = failure(
        'func.func @f(%c: i1) {\n scf.if %c { %x = arith.constant 1 : i32\n }\n "test.use"(%y) : (i32) -> ()\n'
        " scf.if %c { %y2 = arith.constant 1 : i32\n }\n %y = arith.constant 1 : i32\n return }"
    )
    assert "'test.use' op operand #0" in str(error)


def test_nested_isolated_op_cannot_use_outer_values():
    error = failure("func.func @f(%a: f32) {\n func.func @g() {\n %0 = arith.negf %a : f32\n return }\n return }")
    assert "outside the enclosing isolated operation" in str(error)


DIAMOND = """func.func @f(%c: i1) {{
  "test.cond"(%c)[^l, ^r] : (i1) -> ()
^l:
  %x = "test.make"() : () -> i32
  "test.br"()[^m] : () -> ()
^r:
  "test.br"()[^m] : () -> ()
^m:
  {use}
  return
}}"""


def test_a_branch_does_not_dominate_the_merge():
    error = failure(DIAMOND.format(use='"test.use"(%x) : (i32) -> ()'))
    assert "t.mlir:9:3: error: 'test.use' op operand #0 does not dominate" in str(error)


def test_the_entry_dominates_the_merge():
    verify_module(parse(DIAMOND.format(use='"test.use"(%c) : (i1) -> ()')))


def test_loops_and_blocks_in_any_order():
    verify_module(
        parse(
            """func.func @f(%c: i1) {
  "test.br"()[^b] : () -> ()
^a:
  "test.use"(%x) : (i32) -> ()
  "test.cond"(%c)[^b, ^e] : (i1) -> ()
^b:
  %x = "test.make"() : () -> i32
  "test.br"()[^a] : () -> ()
^dead:
  "test.use"(%z) : (i32) -> ()
  %z = "test.make"() : () -> i32
  "test.br"()[^e] : () -> ()
^e:
  "test.use"(%x) : (i32) -> ()
  return
}"""
        )
    )


def lines_run(act: Callable[[], object]) -> int:
    """How many lines of Python a call runs: its work, whatever else the machine does."""
    count = 0

    def trace(frame: object, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


def test_many_blocks_are_not_quadratic():
    """As they are for xDSL's own verifier."""
    counts: dict[int, int] = {}
    for count in (200, 400, 800):
        blocks = "".join(f'^b{i}:\n "test.br"(%a)[^b{i + 1}, ^b{max(0, i - 1)}] : (f32) -> ()\n' for i in range(count))
        module = parse(f'func.func @f(%a: f32) {{\n "test.br"()[^b0] : () -> ()\n{blocks}^b{count}:\n return }}')
        counts[count] = lines_run(lambda module=module: verify_module(module))
    assert counts[400] < 2.1 * counts[200]
    assert counts[800] < 2.1 * counts[400]


def test_symbols_are_checked_in_linear_time():
    counts: dict[int, int] = {}
    for count in (200, 400):
        module = parse("\n".join(f"func.func private @f{i}()" for i in range(count)))
        counts[count] = lines_run(lambda module=module: verify_module(module))
    assert counts[400] < 2.1 * counts[200]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("func.func @f() { %0 = arith.constant 1 : i32 }", "is not a terminator"),
        ("func.func @f() {\n return\n return }", "is a terminator but not the last"),
        ("func.func @f(%a: f32) -> f64 { return %a : f32 }", "'func.return' op"),
        ('func.func @f() {\n "test.br"()[^a] : () -> ()\n^a:\n}', "empty block"),
    ],
)
def test_structure(text: str, message: str):
    error = failure(text)
    assert message in str(error)
    assert str(error).startswith("t.mlir:")
    assert len(str(error)) < 1500


@pytest.mark.parametrize(
    "op",
    [
        '%r = "stablehlo.all_gather"(%a) <{all_gather_dim = 0 : i64, replica_groups = dense<0> : tensor<1x9999999999xi64>}>',
        '%r = "stablehlo.collective_permute"(%a) <{source_target_pairs = dense<0> : tensor<9999999999x2xi64>}>',
        "%r = stablehlo.custom_call @f(%a) {operand_layouts = [dense<0> : tensor<9999999999xindex>], result_layouts = [dense<0> : tensor<1xindex>]}",
    ],
)
def test_a_list_longer_than_memory_is_refused_and_not_made(op: str):
    error = failure(f"func.func @f(%a: tensor<4xf32>) {{\n {op} : (tensor<4xf32>) -> tensor<4xf32>\n return }}")
    assert str(error).startswith("t.mlir:2:7: error: 'stablehlo.")
    assert "a list of " in str(error)


def test_a_verifier_that_runs_out_of_memory_says_where(monkeypatch: pytest.MonkeyPatch):
    def exhausted(op: ConstantOp) -> None:
        raise MemoryError

    monkeypatch.setattr(ConstantOp, "verify_", exhausted)
    error = failure("func.func @f() {\n %0 = arith.constant 1 : i32\n return }")
    assert str(error).startswith("t.mlir:2:7: error: 'arith.constant' op needs more memory")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("func.func private @f()", "func.func private @f() -> f32"),
        ("func.func private @f()", "builtin.module @f {\n }"),
        ('sdy.mesh @f = <["a"=2]>', "gpu.module @f {\n }"),
        (
            'kernel.func @f(%0: memref<4xf32>) attributes {access = ["read"]} {\n kernel.return }',
            "func.func private @f()",
        ),
    ],
)
@pytest.mark.parametrize("table", ["module {{\n {}\n {}\n}}", "gpu.module @f {{\n {}\n {}\n}}"])
def test_a_symbol_table_names_nothing_twice(table: str, first: str, second: str):
    text = table.format(first, second)
    error = failure(text)
    line = text[: text.index(second, text.index(first) + len(first))].count("\n") + 1
    assert str(error).startswith(
        f"t.mlir:{line}:2: error: '{second.split()[0]}' op @f is a redefinition of symbol named 'f'"
    )
    assert "t.mlir:2:2: note: see existing symbol definition here" in str(error)


def test_tables_inside_a_table_have_names_of_their_own():
    verify_module(
        parse(
            "func.func private @f()\n module @m {\n func.func private @f()\n func.func private @m() }\n"
            "gpu.module @g {\n func.func private @f()\n func.func private @g() }"
        )
    )
