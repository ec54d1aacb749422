"""Parsing: locations, forward aliases, limits, and one located diagnostic for each kind of bad text."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import CallSiteLoc, FileLineColLoc, FusedLoc, LocationAttr, ModuleOp, NameLoc, UnknownLoc

from stepwell.dialects.registry import context
from stepwell.ir.dense import dense_to_array
from stepwell.ir.diagnostics import Diagnostic, source_location, unsupported
from stepwell.ir.errors import CompileError, InvalidProgramError, UnsupportedError
from stepwell.ir.parser import ParseDiagnosticError, ParseLimits, SourceParser, parse_module, read_source
from stepwell.ir.verify import verify_module

ADD = "func.func @f(%arg0: f32) -> f32 {\n  %0 = arith.addf %arg0, %arg0 : f32\n  return %0 : f32\n}\n"


def parse(text: str | bytes, *, unregistered: bool = False, **options: Any) -> ModuleOp:
    known = context(allow_unregistered=unregistered)
    return parse_module(text, "t.mlir", known, **options)


def failure(text: str | bytes, **options: Any) -> Diagnostic:
    started = time.process_time()
    with pytest.raises(ParseDiagnosticError) as caught:
        parse(text, **options)
    assert (
        time.process_time() - started < 20
    )  # milliseconds on a busy machine too; what grows without end takes minutes
    assert isinstance(caught.value, InvalidProgramError)
    assert str(caught.value).startswith("t.mlir:")
    return caught.value.diagnostic


def at(diagnostic: Diagnostic) -> tuple[int, int]:
    assert diagnostic.location is not None
    return diagnostic.location.line, diagnostic.location.col


def test_ops_and_arguments_get_their_position():
    func = next(iter(parse(ADD).ops))
    add, ret = func.regions[0].block.ops
    found = [source_location(o.location) for o in (func, add, ret)]
    assert [(f.line, f.col) for f in found if f is not None] == [(1, 1), (2, 8), (3, 3)]
    argument = source_location(func.regions[0].block.args[0].location)
    assert argument is not None
    assert (argument.line, argument.col) == (1, 14)


def test_line_offset_is_added():
    add = next(iter(next(iter(parse(ADD, line_offset=100).ops)).regions[0].block.ops))
    found = source_location(add.location)
    assert found is not None
    assert found.line == 102


def test_forward_location_aliases_resolve():
    module = parse(
        """#loc = loc(unknown)
func.func @f(%a: f32 loc("a[0]"), %b: f32 loc(#loc2)) -> f32 {
  %0 = arith.addf %a, %b : f32 loc(#loc3)
  %1 = arith.addf %0, %b : f32 loc(#loc4)
  return %1 : f32 loc(#loc)
} loc(#loc1)
#loc1 = loc("f.py":26:42 to :48)
#loc2 = loc("f.py":26:42 to 27:3)
#loc3 = loc("jit(f)/add"(#loc1))
#loc4 = loc(callsite(#loc3 at fused<"m">[#loc2, "x"]))
"""
    )
    func = next(iter(module.ops))
    add, add2, ret = func.regions[0].block.ops
    assert isinstance(func.location, FileLineColLoc)
    assert (func.location.filename.data, func.location.line.data, func.location.column.data) == ("f.py", 26, 42)
    assert isinstance(add.location, NameLoc)
    assert add.location.location == func.location
    assert isinstance(add2.location, CallSiteLoc)
    assert isinstance(add2.location.caller, FusedLoc)
    assert isinstance(ret.location, UnknownLoc)
    a, b = func.regions[0].block.args
    assert isinstance(a.location, NameLoc)
    assert source_location(b.location) == source_location(func.location)


def test_each_forward_alias_is_read_once(monkeypatch: pytest.MonkeyPatch):
    count = 300
    ops = "".join(f"  %{i} = arith.constant 1 : i32 loc(#loc{i})\n" for i in range(count))
    aliases = "".join(f'#loc{i} = loc("name"(#loc{i + 1}))\n' for i in range(count)) + f'#loc{count} = loc("f":1:1)\n'
    calls = 0
    original = SourceParser._parse_location  # pyright: ignore[reportPrivateUsage]

    def counted(self: SourceParser) -> LocationAttr:
        nonlocal calls
        calls += 1
        return original(self)

    monkeypatch.setattr(SourceParser, "_parse_location", counted)
    parse("func.func @f() {\n" + ops + "  return\n}\n" + aliases)
    assert calls == count + 2 * count + 1  # one a use, one an alias and one inside it


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        (ADD[:45], (2, 8), "unknown op 'arit'", ""),
        (ADD[:-2], (3, 18), "file ends here", "truncated"),
        (ADD.replace("arith.addf", "arith.adf"), (2, 8), "unknown op 'arith.adf'", "'arith.addf'"),
        (ADD.replace("arith.addf", "arit.addf"), (2, 8), "unknown op 'arit.addf'", "'arith'"),
        (ADD.replace("%0 : f32", "%1 : f32"), (3, 10), "use of undeclared SSA value name '%1'", ""),
        (ADD.replace("%arg0, %arg0", "%arg0, %argO"), (2, 26), "'%argO'", "'%arg0'"),
        (
            ADD.replace("  return", "  %0 = arith.constant 1 : i32\n  return"),
            (3, 3),
            "redefinition of SSA value '%0'",
            "",
        ),
        (ADD.replace("%arg0 : f32", "%arg0 : f64"), (2, 19), "'%arg0' is used as f64 but has type f32", ""),
        (ADD.replace("%arg0: f32", "%arg0: f31"), (1, 21), "unknown type 'f31'", "'f32'"),
        (ADD.replace("%arg0: f32", "%arg0: !foo.bar"), (1, 22), "unknown type '!foo.bar'", "no dialect 'foo'"),
        (ADD.replace("-> f32 {", "-> f32 attributes {a = #map} {"), (1, 49), "undefined alias '#map'", ""),
        ("#a = #b\n#b = #a\n", (1, 6), "defined by itself", ""),
        ('"' + "a" * 40, (1, 1), "not terminated", ""),
        ('"' + "a\\n" * 40, (1, 1), "not terminated", ""),
        ('"foo.a\\q"() : () -> ()', (1, 7), "unknown escape", ""),
        ("func.func @f() {" + "scf.if %a {" * 10_000, (1, 2832), "nesting is deeper", "split"),
        ("func.func @f() { %0 = arith.constant dense<" + "[" * 10_000, (1, 298), "nesting is deeper", ""),
        ("func.func @f(%a: tensor<99999999999999999999xf32>) { return }", (1, 25), "64 bits", ""),
        (f"func.func @f(%a: tensor<{'1x' * 65}f32>) {{ return }}", (1, 25), "rank 65", ""),
        ("func.func @f() { %0 = arith.constant dense<[1, 2]> : tensor<3xi8>\n return }", (1, 44), "shape [2]", ""),
        ("func.func @f() { %0 = arith.constant dense<300> : tensor<3xi8>\n return }", (1, 44), "does not fit", ""),
        (b"\x7fELF\0\0\0", (1, 1), "binary", ""),
        (b"module {\n  \xff\xfe }", (2, 3), "UTF-8", ""),
        ("&", (1, 1), "unexpected character '&'", ""),
    ],
)
def test_bad_text_gives_one_located_diagnostic(text: str | bytes, place: tuple[int, int], message: str, hint: str):
    diagnostic = failure(text)
    assert at(diagnostic) == place, diagnostic.render()
    assert message in diagnostic.message
    assert hint in (diagnostic.hint or "")


def test_the_diagnostic_shows_line_and_caret():
    rendered = failure(ADD.replace("%0 : f32", "%1 : f32")).render().splitlines()
    assert rendered[:3] == [
        "t.mlir:3:10: error: use of undeclared SSA value name '%1'",
        "  return %1 : f32",
        "         ^~",
    ]


def test_a_name_of_another_function_is_not_visible():
    text = ADD.replace("%0 : f32", "%b : f32") + "func.func @g(%b: f32) { return }\n"
    assert "undeclared SSA value name '%b'" in failure(text).message


def test_what_a_region_of_an_op_defines_is_no_operand_of_it():
    text = """func.func @f(%n: index) {
  scf.for %i = %j to %n step %n {
    %j = arith.constant 1 : index
    scf.yield
  }
  func.return
}
"""
    found = failure(text)
    assert "use of undeclared SSA value name '%j'" in found.message
    assert "defined here, in a region that does not enclose the use" in str(found.notes)


def test_names_may_be_used_again_in_another_region():
    text = "func.func @f(%c: i1) {\n" + "scf.if %c { %x = arith.constant 1 : i32\n }\n" * 2 + "return }"
    verify_module(parse(text))


def test_limits_are_adjustable():
    assert "above the limit" in failure(ADD, limits=ParseLimits(source_bytes=10)).message
    literal = "func.func @f() { %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi8>\n return }"
    assert "more than 2" in failure(literal, limits=ParseLimits(literal_elements=2)).message


def test_a_huge_splat_costs_nothing():
    module = parse("func.func @f() { %0 = arith.constant dense<0> : tensor<1000000000000xi8>\n return }")
    constant = next(iter(next(iter(module.ops)).regions[0].block.ops))
    assert len(constant.properties["value"].data.data) == 1  # pyright: ignore
    assert "dense<0> : tensor<1000000000000xi8>" in str(module)


def test_hexadecimal_floats_are_bit_patterns():
    module = parse(
        "func.func @f() { %0 = arith.constant dense<[0xFF800000, 0x3F800000, 2.0]> : tensor<3xf32>\n"
        "%1 = arith.constant dense<0x7F80> : tensor<2xbf16>\n return }"
    )
    first, second, _ = next(iter(module.ops)).regions[0].block.ops
    assert dense_to_array(first.properties["value"]).tolist() == [float("-inf"), 1.0, 2.0]  # pyright: ignore
    assert dense_to_array(second.properties["value"]).astype(float).tolist() == [float("inf")] * 2  # pyright: ignore


@pytest.mark.parametrize(
    ("element", "dtype"), [("f32", np.float32), ("f64", np.float64), ("i16", np.int16), ("ui64", np.uint64)]
)
def test_long_literals_read_as_short_ones_do(element: str, dtype: type[np.generic]):
    rng = np.random.default_rng(3)
    array: np.ndarray[Any, np.dtype[Any]] = rng.integers(-(2**15), 2**15, (40, 50))
    if element == "ui64":
        array = rng.integers(0, 2**64 - 1, (40, 50), np.uint64)
    if element[0] == "f":
        array = rng.standard_normal((40, 50)) * 10.0 ** rng.integers(-30, 30, (40, 50))
    array = array.astype(dtype)
    text = str(array.tolist())
    assert len(text) > 4096

    def values(literal: str, shape: str) -> np.ndarray[Any, np.dtype[Any]]:
        type_text = f"tensor<{shape}x{element}>"
        module = parse(f'"test.constant"() {{value = dense<{literal}> : {type_text}}} : () -> ()', unregistered=True)
        constant = next(iter(module.ops))
        return dense_to_array(constant.attributes["value"])  # pyright: ignore

    np.testing.assert_array_equal(values(text, "40x50"), array)
    np.testing.assert_array_equal(values(str(array[0].tolist()), "50"), array[0])
    assert "has shape [40, 50]" in failure(f"#a = dense<{text}> : tensor<50x40x{element}>").message
    ragged = text.replace("], [", ", 1], [", 1)
    assert "inconsistent" in failure(f"#a = dense<{ragged}> : tensor<40x50x{element}>").message


@pytest.mark.parametrize("text", ["", "\n", "// only a comment\n"])
def test_empty_text_is_an_empty_module(text: str):
    assert not list(parse(text).ops)


def test_bytecode_is_refused_by_name():
    with pytest.raises(UnsupportedError, match=r"t\.mlir:1:1: error: .*VHLO[\s\S]*as_text"):
        parse(b"ML\xefR\x0dStableHLO_v1.0.0\0")


def test_a_missing_file_is_an_error_without_a_traceback(tmp_path: Path):
    with pytest.raises(InvalidProgramError, match="cannot read"):
        read_source(str(tmp_path / "none.mlir"))


def test_mutated_programs_never_raise_anything_but_compile_errors():
    text = (
        'func.func @f(%a: tensor<4x?xf32> loc("a"), %c: i1) -> (f32, index) attributes {m = affine_map<(d0) -> (d0 * 2)>} {\n'
        "  %i = arith.constant 0 : index\n  %k = arith.constant dense<[[1.0, 2.5]]> : tensor<1x2xf32>\n"
        "  %e = tensor.extract %a[%i, %i] : tensor<4x?xf32>\n"
        "  %r:2 = scf.if %c -> (f32, index) {\n    scf.yield %e, %i : f32, index\n  } else {\n"
        "    scf.yield %e, %i : f32, index\n  }\n"
        '  "func.return"(%r#0, %r#1) : (f32, index) -> () loc(#l)\n}\n#l = loc("x":1:2)\n'
    )
    verify_module(parse(text))
    rng = random.Random(7)
    alphabet = '%#@!^"<>(){}[]:,=-x0179.af \n'
    for _ in range(300):
        mutated = list(text)
        for _ in range(rng.randint(1, 3)):
            position = rng.randrange(len(mutated))
            match rng.randrange(3):
                case 0:
                    del mutated[position : position + rng.randint(1, 6)]
                case 1:
                    mutated.insert(position, rng.choice(alphabet))
                case _:
                    mutated[position] = rng.choice(alphabet)
        with suppress(CompileError):
            verify_module(parse("".join(mutated)))


def test_a_known_op_that_is_not_there_is_refused_and_not_unknown():
    text = 'func.func @f(%x: tensor<2xf32>) {\n  %n = stablehlo.unary_einsum %x, config = "i->" : (tensor<2xf32>) -> tensor<f32>\n}'
    with pytest.raises(
        UnsupportedError, match=r"t.mlir:2:8: error: 'stablehlo.unary_einsum' op is not supported: deprecated"
    ):
        parse(text)


def test_a_location_that_names_another_file_does_not_open_it(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("password\n")
    module = parse(f'func.func @f() {{\n  return\n}} loc("{secret}":1:1)')
    message = str(unsupported(next(iter(module.body.ops)), "no"))
    assert message.startswith(f"{secret}:1:1: error: ")
    assert "password" not in message


def test_names_in_messages_cannot_write_lines_or_drive_a_terminal():
    module = parse('func.func @f() {\n  return\n} loc("a\\0Afake.mlir:1:1: error: b\\1B[2J":1:1)')
    message = str(unsupported(next(iter(module.body.ops)), "no"))
    assert message.isprintable()
    assert message.startswith(r"a\nfake.mlir:1:1: error: b\x1b[2J:1:1: error: ")
    module = parse('func.func @"g\\0A\\1B" () {\n  return\n}')
    assert str(unsupported(next(iter(module.body.ops)), "no")).splitlines()[0].isprintable()


def test_a_function_without_a_place_is_shown_at_what_is_in_it():
    """JAX prints `loc(unknown)` on functions and modules, and a place on what they hold."""
    module = parse('module {\nfunc.func @f() {\n  return loc("model.py":7:3)\n} loc(unknown)\n} loc(unknown)')
    assert str(unsupported(next(iter(module.body.ops)), "no")).startswith("model.py:7:3: error: 'func.func' op @f")
