"""The loops of structured ops compute what the ops mean: against NumPy, and against the ops' interpreter rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from stepwell.dialects.registry import context, interpreter_rules
from stepwell.dialects.structured import StructuredOp
from stepwell.ir.errors import UnsupportedError
from stepwell.ir.interpreter import Interpreter
from stepwell.passes.registry import get_pass


def parse(text: str) -> ModuleOp:
    module = Parser(context(), text).parse_module()
    module.verify()
    return module


def lowered(text: str, raised: bool) -> ModuleOp:
    module = parse(text)
    get_pass("lower-structured-to-loops")().apply(context(), module)
    if raised:
        get_pass("raise-to-affine")().apply(context(), module)
    module.verify()
    assert not any(isinstance(op, StructuredOp) for op in module.walk())
    return module


def call(module: ModuleOp, arrays: Sequence[Any]) -> list[Any]:
    """The arguments after @f ran on copies of them."""
    copies = [np.array(a) for a in arrays]
    Interpreter(module, interpreter_rules()).call("f", copies)
    return copies


def agree(text: str, arrays: Sequence[Any]) -> list[Any]:
    expected = call(parse(text), arrays)
    for raised in (False, True):
        for got, want in zip(call(lowered(text, raised), arrays), expected, strict=True):
            np.testing.assert_array_equal(got, want)
    return expected


def memref(array: Any) -> str:
    names = {"float32": "f32", "int32": "i32", "int64": "i64", "bool": "i1"}
    return "memref<" + "".join(f"{n}x" for n in array.shape) + names[str(array.dtype)] + ">"


def sort_text(keys: Any, payload: Any, dimension: int, predicate: str) -> str:
    n = keys.shape[dimension]
    kt, pt = memref(keys), memref(payload)
    ke, pe = (t.split("x")[-1].rstrip(">") for t in (kt, pt))
    compare = "arith.cmpf" if ke == "f32" else "arith.cmpi"
    return f"""
func.func @f(%k: {kt}, %p: {pt}, %s: memref<{n}x{ke}>, %t: memref<{n}x{pe}>) {{
  structured.sort outs(%k, %p : {kt}, {pt}) scratch(%s, %t : memref<{n}x{ke}>, memref<{n}x{pe}>)
      {{dimension = {dimension} : i64, stable}} {{
  ^bb0(%a: {ke}, %b: {ke}, %c: {pe}, %d: {pe}):
    %lt = {compare} {predicate}, %a, %b : {ke}
    structured.yield %lt : i1
  }}
  func.return
}}"""


@pytest.mark.parametrize("n", [0, 1, 2, 15, 16, 17, 31, 33, 64, 100, 257])
@pytest.mark.parametrize(("lead", "dimension"), [(1, 1), (3, 1), (2, 0)])
@pytest.mark.every(6)
def test_sort_is_stable(n: int, lead: int, dimension: int) -> None:
    rng = np.random.default_rng(n)
    shape = (lead, n) if dimension == 1 else (n, lead)
    keys = rng.integers(-4, 4, shape).astype(np.float32)
    payload = np.arange(lead * n, dtype=np.int32).reshape(shape)
    text = sort_text(keys, payload, dimension, "olt")
    scratch = [np.zeros(n, np.float32), np.zeros(n, np.int32)]
    order = np.argsort(keys, axis=dimension, kind="stable")
    got = call(lowered(text, raised=False), [keys, payload, *scratch])
    np.testing.assert_array_equal(got[0], np.take_along_axis(keys, order, dimension))
    np.testing.assert_array_equal(got[1], np.take_along_axis(payload, order, dimension))


def test_sort_descending_of_integers_keeps_the_order_of_equals() -> None:
    rng = np.random.default_rng(7)
    keys = rng.integers(0, 9, (2, 50)).astype(np.int32)
    payload = np.arange(100, dtype=np.int64).reshape(2, 50)
    got = call(
        lowered(sort_text(keys, payload, 1, "sgt"), raised=True),
        [keys, payload, np.zeros(50, np.int32), np.zeros(50, np.int64)],
    )
    order = np.argsort(-keys, axis=1, kind="stable")
    np.testing.assert_array_equal(got[1], np.take_along_axis(payload, order, 1))


def test_a_long_sort_without_scratch_is_refused() -> None:
    text = """
func.func @f(%k: memref<17xf32>) {
  structured.sort outs(%k : memref<17xf32>) {dimension = 0 : i64} {
  ^bb0(%a: f32, %b: f32):
    %lt = arith.cmpf olt, %a, %b : f32
    structured.yield %lt : i1
  }
  func.return
}"""
    with pytest.raises(UnsupportedError, match=r"a line of 17 elements has no scratch"):
        lowered(text, raised=False)


SCATTERS = [
    # operand, indices, updates, window, inserted, input batching, index batching, to operand, vector dim
    ((6,), (4, 1), (4,), [], [0], [], [], [0], 1),
    ((6,), (4,), (4,), [], [0], [], [], [0], 1),
    ((5, 4), (3, 1), (3, 4), [1], [0], [], [], [0], 1),
    ((5, 4), (3, 2), (3, 2, 2), [1, 2], [], [], [], [0, 1], 1),
    ((5, 4), (2, 3), (3, 2), [1], [1], [], [], [1, 0], 0),
    ((3, 7), (3, 2, 1), (3, 2), [], [1], [0], [0], [1], 2),
    ((3, 7), (2, 3, 1), (2, 3), [], [1], [0], [1], [1], 2),
    ((4, 5, 6), (2, 2), (5, 2), [0], [0, 2], [], [], [0, 2], 0),
]


@pytest.mark.parametrize("case", SCATTERS)
@pytest.mark.parametrize("kind", ["add", "replace"])
def test_scatter(case: Any, kind: str) -> None:
    operand, indices, updates, window, inserted, batching, index_batching, to_operand, vector_dim = case
    rng = np.random.default_rng(len(operand) * 10 + len(indices))
    target = rng.integers(0, 50, operand).astype(np.float32)
    index = rng.integers(-2, 8, indices).astype(np.int32)
    update = rng.integers(0, 50, updates).astype(np.float32)

    def array(values: Sequence[int]) -> str:
        return "array<i64: " + ", ".join(map(str, values)) + ">" if values else "array<i64>"

    body = "%r = arith.addf %a, %b : f32" if kind == "add" else "%r = arith.addf %b, %b : f32"
    text = f"""
func.func @f(%i: {memref(index)}, %u: {memref(update)}, %o: {memref(target)}) {{
  structured.scatter ins(%i, %u : {memref(index)}, {memref(update)}) outs(%o : {memref(target)})
    {{update_window_dims = {array(window)}, inserted_window_dims = {array(inserted)}, input_batching_dims = {array(batching)},
     scatter_indices_batching_dims = {array(index_batching)}, scatter_dims_to_operand_dims = {array(to_operand)},
     index_vector_dim = {vector_dim} : i64}} {{
  ^bb0(%a: f32, %b: f32):
    {body}
    structured.yield %r : f32
  }}
  func.return
}}"""
    result = agree(text, [index, update, target])[2]
    assert not np.array_equal(result, target)


@pytest.mark.parametrize(
    ("shape", "window", "strides", "low", "high"),
    [
        ((9,), (3,), (2,), (0,), (0,)),
        ((6, 7), (2, 3), (2, 2), (0, 1), (1, 1)),
        ((1, 5, 5, 2), (1, 2, 2, 1), (1, 1, 1, 1), (0, 0, 0, 0), (0, 1, 1, 0)),
    ],
)
def test_select_and_scatter(shape: Any, window: Any, strides: Any, low: Any, high: Any) -> None:
    rng = np.random.default_rng(sum(shape))
    operand = rng.integers(0, 9, shape).astype(np.float32)
    source_shape = tuple(
        (n + a + b - w) // s + 1 for n, w, s, a, b in zip(shape, window, strides, low, high, strict=True)
    )
    source = rng.integers(1, 9, source_shape).astype(np.float32)
    out = np.full(shape, np.nan, np.float32)
    arrays = {"window_dimensions": window, "window_strides": strides, "padding_low": low, "padding_high": high}
    attributes = ", ".join(f"{k} = array<i64: {', '.join(map(str, v))}>" for k, v in arrays.items())
    text = f"""
func.func @f(%x: {memref(operand)}, %s: {memref(source)}, %z: memref<f32>, %o: {memref(out)}) {{
  structured.select_and_scatter ins(%x, %s, %z : {memref(operand)}, {memref(source)}, memref<f32>) outs(%o : {memref(out)})
    {{{attributes}}} {{
  ^bb0(%a: f32, %b: f32):
    %r = arith.cmpf oge, %a, %b : f32
    structured.yield %r : i1
  }}, {{
  ^bb0(%a: f32, %b: f32):
    %r = arith.addf %a, %b : f32
    structured.yield %r : f32
  }}
  func.return
}}"""
    result = agree(text, [operand, source, np.array(0.5, np.float32), out])[3]
    assert result.sum() == source.sum() + 0.5 * operand.size


@pytest.mark.parametrize("start", [(-3, 0), (1, 2), (100, 100), (2, 1)])
@pytest.mark.parametrize("size", [(2, 3), (1, 1), (8, 6), (8, 1)])
def test_update_slice_clamps_its_start(start: Any, size: Any) -> None:
    target = np.arange(48, dtype=np.float32).reshape(8, 6)
    update = -np.ones(size, np.float32)
    u = memref(update)
    text = f"""
func.func @f(%u: {u}, %i: memref<i32>, %j: memref<i32>, %o: memref<8x6xf32>) {{
  structured.update_slice ins(%u, %i, %j : {u}, memref<i32>, memref<i32>) outs(%o : memref<8x6xf32>)
  func.return
}}"""
    got = call(lowered(text, raised=True), [update, *(np.array(s, np.int32) for s in start), target])[3]
    want = target.copy()
    i, j = (min(max(s, 0), n - k) for s, n, k in zip(start, (8, 6), size, strict=True))
    want[i : i + size[0], j : j + size[1]] = update
    np.testing.assert_array_equal(got, want)
