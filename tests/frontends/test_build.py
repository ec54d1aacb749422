"""`stepwell.build`: step-1 functions without text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import stepwell
from stepwell import build
from stepwell.dialects import stablehlo
from stepwell.ir.printer import print_ir


def test_a_function_is_built_printed_parsed_and_run():
    f = build.Function("main", [build.tensor("float32", 4, 8), build.tensor("float32", 8)])
    x, b = f.arguments
    y = f.unary("tanh", f.binary("add", x, f.broadcast_in_dim(b, (4, 8), (1,))))
    (total,) = f.reduce([y], [f.constant(0, "float32")], (1,), "add")
    module = f.finish(y, total)
    values = np.linspace(-1, 1, 32, dtype=np.float32).reshape(4, 8), np.ones(8, np.float32)
    wanted = np.tanh(values[0] + values[1])
    for program in (module, print_ir(module)):
        got, sums = stepwell.compile(program)(*values)
        np.testing.assert_allclose(got, wanted, rtol=1e-6)
        np.testing.assert_allclose(sums, wanted.sum(1), rtol=1e-5)


def test_regions_calls_and_control_flow():
    scalar = build.tensor("int32")
    double = build.Function("double", [scalar])
    double.return_(double.binary("add", double.arguments[0], double.arguments[0]))
    f = build.Function("main", [scalar, scalar])
    start, limit = f.arguments
    (result,) = f.while_([start], lambda s: [f.compare("LT", s[0], limit)], lambda s: f.call(double, [s[0]]))
    (chosen,) = f.if_(f.compare("EQ", start, limit), lambda _: [start], lambda _: [result])
    (out,) = stepwell.compile(f.finish(chosen))(np.int32(3), np.int32(40))
    assert out == 48


def test_violated_constraints_are_errors_at_the_callers_line():
    f = build.Function("main", [build.tensor("float32", 4, 8), build.tensor("float32", 3)])
    x, y = f.arguments
    with pytest.raises(stepwell.TracingError, match="the operands have types tensor<4x8xf32> and tensor<3xf32>") as e:
        f.binary("add", x, y)
    assert "test_build.py" in str(e.value)
    with pytest.raises(stepwell.TracingError, match=r"stablehlo.transpose: dims = .* is not a permutation"):
        f.transpose(x, (0, 0))
    with pytest.raises(stepwell.TracingError, match="no elementwise op is called 'tanhh'"):
        f.unary("tanhh", x)
    with pytest.raises(stepwell.TracingError, match="the loop body has types"):
        f.while_([x], lambda s: [f.constant(True)], lambda s: [y])
    f.finish(x)
    with pytest.raises(stepwell.TracingError, match="is finished"):
        f.unary("tanh", x)
    g = build.Function("main", [build.tensor("int32", 3)])
    with pytest.raises(stepwell.InvalidProgramError, match="I1: operand has element type i32"):
        g.finish(g.unary("tanh", g.arguments[0]))


def test_scans_carry_and_stack():
    f = build.Function("main", [build.tensor("int32")])

    def body(index: Any, carry: Any) -> Any:
        total = f.binary("add", carry[0], index)
        return [total], [total, f.broadcast_in_dim(index, (2,), ())]

    for reverse, order in ((False, [0, 1, 2, 3]), (True, [3, 2, 1, 0])):
        f = build.Function("main", [build.tensor("int32")])
        last, stacked = f.scan(f.arguments, 4, body, reverse)
        total, totals, indices = stepwell.compile(f.finish(*last, *stacked))(np.int32(10))
        sums = dict(zip(order, 10 + np.cumsum(order), strict=True))
        assert total == 16
        np.testing.assert_array_equal(totals, [sums[i] for i in range(4)])
        np.testing.assert_array_equal(indices, np.repeat(np.arange(4), 2).reshape(4, 2))
    f = build.Function("main", [build.tensor("int32")])
    with pytest.raises(stepwell.TracingError, match="the carry of the scan has types"):
        f.scan(f.arguments, 2, lambda i, c: ([f.convert(c[0], "float32")], []))


def test_convolutions_scatters_and_bits():
    x, k = build.tensor("float32", 1, 2, 5), build.tensor("float32", 3, 2, 2)
    f = build.Function("main", [x, k, build.tensor("int32", 2, 1)])
    numbers = stablehlo.ConvDimensionNumbers(0, 1, (2,), 1, 0, (2,), 0, 1, (2,))
    windows = f.convolution(*f.arguments[:2], numbers, strides=[2], padding=[(1, 0)])
    line = f.reshape(windows, (9,))
    updates = f.full(1, "float32", (2,))
    scatter = stablehlo.ScatterDimensionNumbers((), (0,), (), (), (0,), 1)
    added = f.scatter(line, f.arguments[2], updates, scatter, "add")
    bytes_ = f.bitcast(added, "uint8")
    back = f.bitcast(bytes_, "float32")
    values = np.arange(10, dtype=np.float32).reshape(1, 2, 5), np.ones((3, 2, 2), np.float32)
    got, parts, again = stepwell.compile(f.finish(added, bytes_, back))(*values, np.array([[0], [9]], np.int32))
    wide = np.pad(values[0][0].sum(0), (1, 0))
    wanted = np.tile(wide[0:-1:2] + wide[1::2], 3)
    wanted[0] += 1
    np.testing.assert_array_equal(got, wanted)
    assert parts.shape == (9, 4)
    np.testing.assert_array_equal(again, got)
