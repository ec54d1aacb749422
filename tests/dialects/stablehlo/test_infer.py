"""Type inference agrees with the types that are written, for every op."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from xdsl.dialects.builtin import TensorType
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects.registry import context, get_dialect
from stepwell.dialects.stablehlo.base import types_compatible
from stepwell.dialects.stablehlo.infer import RULES, infer_types
from stepwell.dialects.stablehlo.static_forms import DYNAMIC_OPS
from stepwell.ir.errors import CompileError
from stepwell.ir.parser import parse_module

TESTS = Path(__file__).parent.parent.parent
OPS = [op.name for name in ("stablehlo", "chlo") for op in get_dialect(name).operations]
PROGRAMS = [
    *sorted((TESTS / "data" / "jax").glob("*.mlir"))[::6],
    *sorted((TESTS / "data" / "dynamic").glob("*.mlir")),
    *sorted((TESTS / "dialects" / "stablehlo").glob("*.mlir")),
    *sorted((TESTS / "dialects" / "stablehlo" / "constraints").glob("*.mlir")),
    *sorted((TESTS / "dialects" / "chlo").glob("*.mlir")),
]


def test_every_op_has_a_rule_and_every_rule_an_op():
    assert sorted(set(OPS) - RULES.keys()) == []
    assert sorted(RULES.keys() - set(OPS)) == []


def modules(path: Path):
    """The programs of a file that verify; those of constraints/ are the ones that say so."""
    for text in re.split(r"^// -----$", path.read_text(), flags=re.MULTILINE):
        if path.parent.name == "constraints" and "// expect: ok" not in text:
            continue
        if "expected-error" in text:
            continue
        try:
            yield parse_module(text, path.name, context())
        except CompileError:
            assert "RUN" not in text


def is_static(op) -> bool:
    types = [v.type for v in (*op.operands, *op.results)]
    return op.name not in (*DYNAMIC_OPS, "stablehlo.rng") and all(
        not isinstance(t, TensorType) or t.has_static_shape() for t in types
    )


def plain(type_):
    """Without an encoding: bounds of a static type say nothing."""
    return TensorType(type_.element_type, type_.get_shape()) if isinstance(type_, TensorType) else type_


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_inferred_types_agree_with_the_written_ones(path):
    for module in modules(path):
        for op in module.walk():
            if op.name not in RULES:
                continue
            written, inferred = [r.type for r in op.results], infer_types(op)
            if is_static(op):
                assert [*map(plain, inferred)] == [*map(plain, written)], op.name
            assert len(inferred) == len(written)
            assert all(map(types_compatible, inferred, written)), f"{op.name}: {inferred} {written}"


def only(text: str, name: str):
    module = parse_module(
        f"func.func @f({text.partition('|')[0]}) {{\n{text.partition('|')[2]}\nreturn\n}}", "t", context()
    )
    return next(op for op in module.walk() if op.name == name)


B5 = "#stablehlo.bounds<5>"
UNKNOWN = [
    # operands | op, the type that is inferred for a result that nobody wrote
    ("%x: tensor<?x3xf32> | %r = stablehlo.negate %x : (tensor<?x3xf32>) -> tensor<?x?xf32>", "tensor<?x3xf32>"),
    (
        "%x: tensor<?x3xf32>, %y: tensor<2x?xf32> | %r = stablehlo.add %x, %y : (tensor<?x3xf32>, tensor<2x?xf32>) -> tensor<?x?xf32>",
        "tensor<2x3xf32>",
    ),
    ("%x: tensor<4x3xf32> | %r = stablehlo.reshape %x : (tensor<4x3xf32>) -> tensor<?x2xf32>", "tensor<6x2xf32>"),
    ("%x: tensor<?x3xf32> | %r = stablehlo.reshape %x : (tensor<?x3xf32>) -> tensor<?x2xf32>", "tensor<?x2xf32>"),
    ("%x: tensor<0x3xf32> | %r = stablehlo.reshape %x : (tensor<0x3xf32>) -> tensor<?x0xf32>", "tensor<?x0xf32>"),
    (
        "%x: tensor<3x1xf32> | %r = stablehlo.broadcast_in_dim %x, dims = [1, 0] : (tensor<3x1xf32>) -> tensor<?x?xf32>",
        "tensor<?x3xf32>",
    ),
    (
        "%x: tensor<?xf32>, %y: tensor<2xf32> | %r = stablehlo.concatenate %x, %y, dim = 0 : (tensor<?xf32>, tensor<2xf32>) -> tensor<?xf32>",
        "tensor<?xf32>",
    ),
    (
        "%x: tensor<6xf32> | %s = stablehlo.constant dense<[2, 3]> : tensor<2xi32>\n"
        "%r = stablehlo.dynamic_reshape %x, %s : (tensor<6xf32>, tensor<2xi32>) -> tensor<?x?xf32>",
        "tensor<2x3xf32>",
    ),
    (
        "%x: tensor<6xf32>, %s: tensor<1xi32> | %r = stablehlo.dynamic_reshape %x, %s : (tensor<6xf32>, tensor<1xi32>) -> tensor<?xf32>",
        "tensor<6xf32>",
    ),
    (
        "%x: tensor<4x3xf32>, %n: tensor<i32> | %r = stablehlo.set_dimension_size %x, %n, dim = 1 : (tensor<4x3xf32>, tensor<i32>) -> tensor<4x?xf32>",
        "tensor<4x?xf32, #stablehlo.bounds<?, 3>>",
    ),
    # Bounds.
    (
        f"%x: tensor<?xf32, {B5}> | %r = stablehlo.negate %x : (tensor<?xf32, {B5}>) -> tensor<?xf32>",
        f"tensor<?xf32, {B5}>",
    ),
    (
        f"%x: tensor<?xf32, {B5}>, %y: tensor<?xf32, #stablehlo.bounds<7>> | "
        f"%r = stablehlo.add %x, %y : (tensor<?xf32, {B5}>, tensor<?xf32, #stablehlo.bounds<7>>) -> tensor<?xf32>",
        f"tensor<?xf32, {B5}>",
    ),
    (
        f"%x: tensor<?xf32, {B5}>, %y: tensor<2xf32> | "
        f"%r = stablehlo.concatenate %x, %y, dim = 0 : (tensor<?xf32, {B5}>, tensor<2xf32>) -> tensor<?xf32>",
        "tensor<?xf32, #stablehlo.bounds<7>>",
    ),
    (
        f"%x: tensor<?xf32, {B5}>, %v: tensor<f32> | "
        f"%r = stablehlo.pad %x, %v, low = [1], high = [0], interior = [1] : (tensor<?xf32, {B5}>, tensor<f32>) -> tensor<?xf32>",
        "tensor<?xf32, #stablehlo.bounds<10>>",
    ),
    (
        f"%x: tensor<?xf32, {B5}>, %y: tensor<?xf32> | %r = stablehlo.add %x, %y : (tensor<?xf32, {B5}>, tensor<?xf32>) -> tensor<?xf32>",
        f"tensor<?xf32, {B5}>",
    ),
]


@pytest.mark.parametrize(("text", "expected"), UNKNOWN)
def test_what_is_not_written_is_inferred_as_far_as_it_is_known(text, expected):
    name = re.findall(r"stablehlo\.\w+(?= %| dim| dense)", text)[-1]
    assert [str(t) for t in infer_types(only(text, name))] == [expected]


def test_operands_that_do_not_fit_are_an_error_with_the_label():
    text = "%x: tensor<2xf32> | %r = stablehlo.concatenate %x, %x, dim = 0 : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>"
    op = only(text, "stablehlo.concatenate")
    op.operands[1]._type = op.operands[0]._type = TensorType(op.operands[0].type.element_type, [])
    with pytest.raises(VerifyException, match=r"stablehlo\.concatenate: C4"):
        infer_types(op)
