"""Scheduled kernels mean what the unscheduled ones mean: shapes around tile and vector borders, all vector widths."""

from __future__ import annotations

import re
from io import StringIO
from itertools import product

import ml_dtypes
import numpy as np
import pytest
from xdsl.dialects.builtin import IntegerAttr, i64
from xdsl.printer import Printer

from stepwell.dialects.kernel import ScheduleAttr
from stepwell.dialects.registry import DIALECTS, get_dialect, interpreter_rules
from stepwell.ir.context import make_context
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module
from stepwell.passes.apply_schedule import ApplySchedulePass
from stepwell.passes.choose_schedules import ChooseSchedulesPass

pytestmark = pytest.mark.every(3)

LEVELS = {"avx512": 512, "avx2": 256, "sse4.2": 128, "scalar": 0}
DTYPES = {
    "f32": np.float32,
    "f64": np.float64,
    "bf16": ml_dtypes.bfloat16,
    "f16": np.float16,
    "i8": np.int8,
    "i32": np.int32,
    "i1": np.bool_,
}


def context():
    return make_context({name: (lambda name=name: get_dialect(name)) for name in DIALECTS})


def print_module(module) -> str:
    stream = StringIO()
    Printer(stream).print_op(module)
    return stream.getvalue()


def check(
    kernel: str, args, level: str, strategy: str = "", expect: str | None = None, tolerance=1e-5, cores=2, **numbers
):
    """Compare the kernel in the interpreter before and after scheduling; returns the scheduled text.

    `numbers` replace what the schedule says: with `grain`, tasks of so few nanoseconds are worth their while.
    """
    bits = LEVELS[level]
    target = f'{{level = "{level}", vector_bits = {bits} : i64, cores = {cores} : i64, l2_bytes = 1048576 : i64}}'
    module = parse_module(f"module attributes {{stepwell.target = {target}}} {{\n{kernel}\n}}", "k", context())
    rules = interpreter_rules()
    want = [np.array(w) for w in Interpreter(module, rules).call("k", args)]
    ChooseSchedulesPass(strategy=strategy).apply(context(), module)
    func = module.body.block.first_op
    if expect is not None:
        assert func.schedule.strategy.data == expect, func.schedule
    if numbers:
        parameters = {**func.schedule.params.data, **{name: IntegerAttr(n, i64) for name, n in numbers.items()}}
        func.properties["schedule"] = ScheduleAttr(func.schedule.strategy.data, parameters)
    ApplySchedulePass().apply(context(), func)
    module.verify()
    text = print_module(module)
    assert "linalg." not in text
    parse_module(text, "again", context()).verify()
    for got, reference in zip(Interpreter(module, rules).call("k", args), want, strict=True):
        assert got.dtype == reference.dtype
        if reference.dtype.kind in "biu":
            np.testing.assert_array_equal(got, reference)
        else:
            np.testing.assert_allclose(
                got.astype(np.float64), reference.astype(np.float64), rtol=tolerance, atol=tolerance
            )
    return text


def values(rng, shape, dtype: str):
    kind = DTYPES[dtype]
    if dtype == "i1":
        return rng.integers(0, 2, shape).astype(kind)
    if dtype.startswith("i"):
        return rng.integers(-100, 100, shape).astype(kind)
    return rng.standard_normal(shape).astype(kind)


def tensor(shape, dtype: str) -> str:
    return f"tensor<{''.join(f'{s}x' for s in shape)}{dtype}>"


def map_kernel(shape, dtype: str) -> str:
    """(x + b)**2, b broadcast along rows."""
    x, b = tensor(shape, dtype), tensor(shape[1:], dtype)
    add, mul = ("arith.addf", "arith.mulf") if "f" in dtype else ("arith.addi", "arith.muli")
    return f"""kernel.func @k(%x: {x}, %b: {b}, %o: {x}) -> {x} attributes {{access = ["read", "read", "write"]}} {{
      %e = tensor.empty() : {x}
      %r = linalg.generic {{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>,
          affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}}
          ins(%x, %b : {x}, {b}) outs(%e : {x}) {{
      ^bb0(%a: {dtype}, %c: {dtype}, %d: {dtype}):
        %y = {add} %a, %c : {dtype}
        %z = {mul} %y, %y : {dtype}
        linalg.yield %z : {dtype}
      }} -> {x}
      kernel.return %r : {x}
    }}"""


SHAPES = [(1, 1), (0, 5), (4, 0), (5, 41), (3, 63), (3, 64), (3, 65), (40, 100)]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", ["f32", "f64", "bf16", "i8"])
def test_maps(level, dtype):
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        args = [values(rng, shape, dtype), values(rng, shape[1:], dtype), np.zeros(shape, DTYPES[dtype])]
        check(map_kernel(shape, dtype), args, level, expect="loops")


def reduce_kernel(shape, keep: int, op: str, dtype: str, init: str) -> str:
    """Reduce a matrix to its rows (keep = 0) or its columns (keep = 1), starting from `init`."""
    x, out = tensor(shape, dtype), tensor((shape[keep],), dtype)
    kinds = '"parallel", "reduction"' if keep == 0 else '"reduction", "parallel"'
    return f"""kernel.func @k(%x: {x}, %o: {out}) -> {out} attributes {{access = ["read", "write"]}} {{
      %e = tensor.empty() : {out}
      %c = arith.constant {init}{"" if dtype == "i1" else f" : {dtype}"}
      %f = linalg.fill ins(%c : {dtype}) outs(%e : {out}) -> {out}
      %r = linalg.generic {{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d{keep})>],
          iterator_types = [{kinds}]}} ins(%x : {x}) outs(%f : {out}) {{
      ^bb0(%a: {dtype}, %b: {dtype}):
        %z = arith.{op} %a, %b : {dtype}
        linalg.yield %z : {dtype}
      }} -> {out}
      kernel.return %r : {out}
    }}"""


def reduce_all_kernel(shape, op: str, dtype: str, init: str) -> str:
    """Reduce a matrix to a number, starting from `init`."""
    x = tensor(shape, dtype)
    return f"""kernel.func @k(%x: {x}, %o: tensor<{dtype}>) -> tensor<{dtype}> attributes {{access = ["read", "write"]}} {{
      %e = tensor.empty() : tensor<{dtype}>
      %c = arith.constant {init} : {dtype}
      %f = linalg.fill ins(%c : {dtype}) outs(%e : tensor<{dtype}>) -> tensor<{dtype}>
      %r = linalg.generic {{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> ()>],
          iterator_types = ["reduction", "reduction"]}} ins(%x : {x}) outs(%f : tensor<{dtype}>) {{
      ^bb0(%a: {dtype}, %b: {dtype}):
        %z = arith.{op} %a, %b : {dtype}
        linalg.yield %z : {dtype}
      }} -> tensor<{dtype}>
      kernel.return %r : tensor<{dtype}>
    }}"""


@pytest.mark.parametrize(
    ("level", "op", "dtype", "init"),
    [("avx512", "addf", "f32", "0.5"), ("avx2", "maximumf", "f32", "0xff800000"), ("sse4.2", "muli", "i32", "3")],
)
def test_reductions_to_few_points_are_done_in_parts_merged_in_order(level, op, dtype, init):
    rng = np.random.default_rng(0)
    for shape in [(1, 1), (0, 5), (7, 1), (1, 257), (13, 65), (127, 3)]:
        x = values(rng, shape, dtype)
        if op == "maximumf" and x.size > 20:
            x[shape[0] // 2, 0] = np.nan
        args = [x, np.zeros((), DTYPES[dtype])]
        text = check(reduce_all_kernel(shape, op, dtype, init), args, level, expect="loops", grain=1)
        assert ("scratch<launch>" in text) == (x.size > 200)
    columns = [x, np.zeros(3, DTYPES[dtype])]
    text = check(reduce_kernel((127, 3), 1, op, dtype, init), columns, level, expect="loops", grain=1)
    assert "scratch<launch>" in text


def test_reductions_that_would_not_share_out_evenly_are_done_in_parts():
    rng = np.random.default_rng(0)
    for rows, parts in ((2, True), (5, True), (6, False), (7, True), (8, False), (16, False)):
        args = [values(rng, (rows, 641), "f32"), np.zeros(rows, np.float32)]
        text = check(reduce_kernel((rows, 641), 0, "addf", "f32", "0.5"), args, "avx512", expect="loops", grain=1)
        assert ("scratch<launch>" in text) == parts, rows


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("op", "dtype", "init"),
    [
        ("addf", "f32", "0.5"),
        ("mulf", "f64", "2.0"),
        ("maximumf", "f32", "0xff800000"),
        ("minimumf", "f64", "3.0"),
        ("addi", "i32", "7"),
        ("maxsi", "i8", "-128"),
        ("minui", "i32", "-1"),
        ("andi", "i1", "true"),
        ("ori", "i1", "false"),
        ("subf", "f32", "1.0"),
    ],
)
@pytest.mark.every(6)
def test_reductions(level, op, dtype, init):
    rng = np.random.default_rng(1)
    kernels = list(product(SHAPES[:-1], (0, 1)))
    for shape, keep in kernels:
        x = values(rng, shape, dtype)
        if dtype == "f64" and op == "mulf":
            x = np.exp(x / 8)
        if dtype == "f32" and shape[0] > 2 and shape[1] > 4 and op != "mulf":
            x[0, 3], x[1, 2], x[2, 1] = np.nan, -np.inf, -0.0
        check(reduce_kernel(shape, keep, op, dtype, init), [x, np.zeros(shape[keep], DTYPES[dtype])], level)


def softmax_kernel(rows: int, columns: int) -> str:
    x, m = tensor((rows, columns), "f32"), tensor((rows,), "f32")
    whole, row = "affine_map<(d0, d1) -> (d0, d1)>", "affine_map<(d0, d1) -> (d0)>"
    parallel, reduction = '["parallel", "parallel"]', '["parallel", "reduction"]'
    return f"""kernel.func @k(%x: {x}, %o: {x}) -> {x} attributes {{access = ["read", "write"]}} {{
      %e = tensor.empty() : {m}
      %E = tensor.empty() : {x}
      %c = arith.constant 0xff800000 : f32
      %z = arith.constant 0.0 : f32
      %f = linalg.fill ins(%c : f32) outs(%e : {m}) -> {m}
      %f0 = linalg.fill ins(%z : f32) outs(%e : {m}) -> {m}
      %max = linalg.generic {{indexing_maps = [{whole}, {row}], iterator_types = {reduction}}}
          ins(%x : {x}) outs(%f : {m}) {{
      ^bb0(%a: f32, %b: f32):
        %q = arith.maximumf %a, %b : f32
        linalg.yield %q : f32
      }} -> {m}
      %exp = linalg.generic {{indexing_maps = [{whole}, {row}, {whole}], iterator_types = {parallel}}}
          ins(%x, %max : {x}, {m}) outs(%E : {x}) {{
      ^bb0(%a: f32, %b: f32, %d: f32):
        %q = arith.subf %a, %b : f32
        %p = math.exp %q : f32
        linalg.yield %p : f32
      }} -> {x}
      %sum = linalg.generic {{indexing_maps = [{whole}, {row}], iterator_types = {reduction}}}
          ins(%exp : {x}) outs(%f0 : {m}) {{
      ^bb0(%a: f32, %b: f32):
        %q = arith.addf %b, %a : f32
        linalg.yield %q : f32
      }} -> {m}
      %res = linalg.generic {{indexing_maps = [{whole}, {row}, {whole}], iterator_types = {parallel}}}
          ins(%exp, %sum : {x}, {m}) outs(%E : {x}) {{
      ^bb0(%a: f32, %b: f32, %d: f32):
        %q = arith.divf %a, %b : f32
        linalg.yield %q : f32
      }} -> {x}
      kernel.return %res : {x}
    }}"""


@pytest.mark.parametrize("level", LEVELS)
def test_softmax_by_rows_and_by_loops(level):
    rng = np.random.default_rng(2)
    for shape in SHAPES:
        args = [values(rng, shape, "f32"), np.zeros(shape, np.float32)]
        check(softmax_kernel(*shape), args, level, strategy="rows", expect="rows")
        check(softmax_kernel(*shape), args, level, strategy="loops", expect="loops")


def test_softmax_is_three_passes_over_a_row():
    args = [np.ones((2, 1024), np.float32), np.zeros((2, 1024), np.float32)]
    text = check(softmax_kernel(2, 1024), args, "avx512", expect="rows")
    assert text.count("scf.for ") == 4  # rows, then three passes
    assert text.count("scratch = #kernel.scratch<worker>") == 1
    assert "scratch<launch>" not in text


def contraction_kernel(sizes, dtype="f32", total="f32", a_map="d0, d2", b_map="d2, d1", epilogue=True) -> str:
    rows, columns, depth = sizes
    extents = {"d0": rows, "d1": columns, "d2": depth}
    a, b = (tensor([extents[d] for d in m.split(", ")], dtype) for m in (a_map, b_map))
    c, bias = tensor((rows, columns), total), tensor((columns,), total)
    mul, add, top = ("mulf", "addf", "maximumf") if "f" in total else ("muli", "addi", "maxsi")
    zero = "0.0" if "f" in total else "0"
    casts, x, y = "", "%a", "%b"
    if dtype != total:
        cast = "arith.extf" if "f" in total else "arith.extsi"
        casts = f"%x = {cast} %a : {dtype} to {total}\n        %y = {cast} %b : {dtype} to {total}"
        x, y = "%x", "%y"
    space = "(d0, d1, d2)"
    tail = f"""%s = linalg.generic {{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>,
          affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}}
          ins(%r, %bias : {c}, {bias}) outs(%e : {c}) {{
      ^bb0(%p: {total}, %q: {total}, %u: {total}):
        %v = arith.{add} %p, %q : {total}
        %w = arith.{top} %v, %z : {total}
        linalg.yield %w : {total}
      }} -> {c}
      kernel.return %s : {c}"""
    return f"""kernel.func @k(%A: {a}, %B: {b}, %bias: {bias}, %o: {c}) -> {c}
        attributes {{access = ["read", "read", "read", "write"]}} {{
      %e = tensor.empty() : {c}
      %z = arith.constant {zero} : {total}
      %f = linalg.fill ins(%z : {total}) outs(%e : {c}) -> {c}
      %r = linalg.generic {{indexing_maps = [affine_map<{space} -> ({a_map})>, affine_map<{space} -> ({b_map})>,
          affine_map<{space} -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]}}
          ins(%A, %B : {a}, {b}) outs(%f : {c}) {{
      ^bb0(%a: {dtype}, %b: {dtype}, %c: {total}):
        {casts}
        %p = arith.{mul} {x}, {y} : {total}
        %q = arith.{add} %c, %p : {total}
        linalg.yield %q : {total}
      }} -> {c}
      {tail if epilogue else f"kernel.return %r : {c}"}
    }}"""


def unit_dims_kernel(count: int) -> str:
    """y[0, 0] = sum_k x[0, k] z[k, 0] w[k, 0, 0]."""
    shapes = [(1, count), (count, 1), (count, 1, 1)]
    x, z, w = (tensor(shape, "f32") for shape in shapes)
    space = "(d0, d1, d2)"
    return f"""kernel.func @k(%x: {x}, %z: {z}, %w: {w}, %o: tensor<1x1xf32>) -> tensor<1x1xf32>
        attributes {{access = ["read", "read", "read", "write"]}} {{
      %e = tensor.empty() : tensor<1x1xf32>
      %c = arith.constant 0.5 : f32
      %f = linalg.fill ins(%c : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
      %r = linalg.generic {{indexing_maps = [affine_map<{space} -> (d0, d2)>, affine_map<{space} -> (d2, d1)>,
          affine_map<{space} -> (d2, d0, 0)>, affine_map<{space} -> (d0, d1)>],
          iterator_types = ["parallel", "parallel", "reduction"]}}
          ins(%x, %z, %w : {x}, {z}, {w}) outs(%f : tensor<1x1xf32>) {{
      ^bb0(%a: f32, %b: f32, %d: f32, %s: f32):
        %p = arith.mulf %a, %b : f32
        %q = arith.mulf %p, %d : f32
        %t = arith.addf %s, %q : f32
        linalg.yield %t : f32
      }} -> tensor<1x1xf32>
      kernel.return %r : tensor<1x1xf32>
    }}"""


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_read_along_a_dim_of_columns_of_one_element_is_read_densely(level):
    rng = np.random.default_rng(8)
    for count, grain in ((0, 30000), (1, 30000), (2, 30000), (64, 30000), (65, 30000), (257, 1)):
        args = [values(rng, shape, "f32") for shape in [(1, count), (count, 1), (count, 1, 1), (1, 1)]]
        text = check(unit_dims_kernel(count), args, level, strategy="loops", expect="loops", grain=grain)
        assert "vector.gather" not in text
        assert ("vector.transfer_read" in text) == (level != "scalar" and count > 1)


CONTRACTIONS = [
    {},
    {"a_map": "d2, d0"},
    {"b_map": "d1, d2"},
    {"dtype": "bf16"},
    {"dtype": "i8", "total": "i32"},
    {"dtype": "f64", "total": "f64", "epilogue": False},
]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("form", CONTRACTIONS, ids=lambda f: "-".join(map(str, f.values())) or "plain")
@pytest.mark.every(6)
def test_contractions(level, form):
    rng = np.random.default_rng(3)
    sizes = [
        (14, 32, 8),
        (15, 33, 4),
        (5, 41, 7),
        (1, 64, 16),
        (2, 100, 9),
        (29, 65, 5),
        (7, 4, 5),
        (3, 0, 2),
        (3, 8, 0),
    ]
    for size in sizes:
        extents = dict(zip(("d0", "d1", "d2"), size, strict=True))
        dtype, total = form.get("dtype", "f32"), form.get("total", "f32")
        a, b = (
            values(rng, [extents[d] for d in form.get(name, default).split(", ")], dtype)
            for name, default in (("a_map", "d0, d2"), ("b_map", "d2, d1"))
        )
        out = np.zeros(size[:2], DTYPES[total])
        check(contraction_kernel(size, **form), [a, b, values(rng, size[1:2], total), out], level, tolerance=2e-4)


def test_large_contraction_cuts_tasks_and_edges():
    rng = np.random.default_rng(4)
    size = (150, 70, 130)
    args = [values(rng, s, "f32") for s in ((150, 130), (130, 70), (70,), (150, 70))]
    # A grain far below the default cuts even this into tasks whose last one has an edge tile.
    schedule = (
        'schedule = #kernel.schedule<"contraction", {vector = 64 : i64, unroll = 4 : i64, tasks = 4 : i64, '
        "grain = 100 : i64, mr = 14 : i64, nr = 32 : i64, k_unroll = 2 : i64, pack_a = 1 : i64, pack_b = 1 : i64, "
        "block = 1 : i64}>"
    )
    text = contraction_kernel(size).replace('"write"]}', f'"write"], {schedule}}}', 1)
    scheduled = check(text, args, "avx512", expect="contraction", tolerance=2e-4)
    assert re.search(r"scf.forall \(.*\) in \([2-4](, 2)?\) shared_outs", scheduled)
    assert "vector<14x32xf32>" in scheduled
    assert "vector<10x32xf32>" in scheduled


@pytest.mark.parametrize("level", ["avx512", "avx2", "sse4.2"])
@pytest.mark.parametrize("rows", [1, 3])
def test_few_rows_cut_the_lines_of_b_into_a_task_a_core(rows, level):
    """Two vectors of eight rows of B at a time; the last task, tile and run are smaller, and what is no number stays in its column."""
    rng = np.random.default_rng(rows)
    size = (rows, 2 * LEVELS[level] // 8 + 17, 19)
    a, b, bias = (values(rng, s, "f32") for s in ((rows, 19), (19, size[1]), size[1:2]))
    b[18, -1], b[0, 3], b[8, 4], bias[0] = np.nan, np.inf, 1e-41, -0.0
    args = [a, b, bias, np.zeros(size[:2], np.float32)]
    scheduled = check(contraction_kernel(size), args, level, expect="contraction", tolerance=2e-4, grain=1, tasks=8)
    assert re.search(r"scf.forall \(.*\) in \(2\) shared_outs", scheduled)
    assert f"vector<1x{2 * LEVELS[level] // 32}xf32>" in scheduled


def test_a_schedule_already_there_is_kept():
    kernel = map_kernel((5, 41), "f32").replace(
        '"write"]}', '"write"], schedule = #kernel.schedule<"loops", {vector = 0 : i64}>}', 1
    )
    args = [np.ones((5, 41), np.float32), np.ones(41, np.float32), np.zeros((5, 41), np.float32)]
    assert "vector<" not in check(kernel, args, "avx512")


@pytest.mark.parametrize("level", LEVELS)
def test_merged_dims_and_their_indices(level):
    """Short inner dims merge with outer ones, but not those the body asks for."""
    x = tensor((5, 3, 2, 2), "i32")
    maps = ", ".join(["affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>"] * 2)
    kernel = f"""kernel.func @k(%x: {x}, %o: {x}) -> {x} attributes {{access = ["read", "write"]}} {{
      %r = linalg.generic {{indexing_maps = [{maps}],
          iterator_types = ["parallel", "parallel", "parallel", "parallel"]}} ins(%x : {x}) outs(%o : {x}) {{
      ^bb0(%a: i32, %b: i32):
        %i = linalg.index 2 : index
        %j = arith.index_cast %i : index to i32
        %s = arith.addi %a, %j : i32
        linalg.yield %s : i32
      }} -> {x}
      kernel.return %r : {x}
    }}"""
    values_in = np.arange(60, dtype=np.int32).reshape(5, 3, 2, 2)
    text = check(kernel, [values_in, np.zeros_like(values_in)], level)
    assert "tensor.collapse_shape" in text or level == "scalar"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", ["f32", "i8", "f64"])
def test_transposes_go_through_registers(level, dtype):
    rng = np.random.default_rng(5)
    for shape in [(3, 5), (16, 16), (33, 130)]:
        x, y = tensor(shape, dtype), tensor(shape[::-1], dtype)
        add = "arith.addf" if "f" in dtype else "arith.addi"
        kernel = f"""kernel.func @k(%x: {x}, %y: {y}, %o: {y}) -> {y} attributes {{access = ["read", "read", "write"]}} {{
          %r = linalg.generic {{indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>,
              affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}}
              ins(%x, %y : {x}, {y}) outs(%o : {y}) {{
          ^bb0(%a: {dtype}, %b: {dtype}, %c: {dtype}):
            %s = {add} %a, %b : {dtype}
            linalg.yield %s : {dtype}
          }} -> {y}
          kernel.return %r : {y}
        }}"""
        args = [values(rng, shape, dtype), values(rng, shape[::-1], dtype), np.zeros(shape[::-1], DTYPES[dtype])]
        text = check(kernel, args, level, grain=1)
        assert "vector.transpose" in text or level == "scalar" or min(shape) < 4
        assert "vector.gather" not in text or min(shape) < 4


TURNS = {
    "one input": ("(d1, d0)", lambda w: [(w + 1, 2 * w + 3), (2 * w, w)]),
    "a batch": ("(d0, d2, d1)", lambda w: [(3, w + 1, w + 3)]),
    "outer dims too": ("(d1, d2, d0)", lambda w: [(3, w + 1, w + 3)]),
    "rows apart and turned": ("(d0, d3, d1, d2)", lambda w: [(2, w + 1, 2, w + 2)]),
    "whole rows": ("(d0, d2, d1, d3)", lambda w: [(2, 5, 3, 7)]),
}
"""Where results are read from, and shapes of inputs for tiles of w x w."""


def turning_kernel(shape, exprs: str, dtype: str, mixed: bool) -> tuple[str, tuple[int, ...]]:
    """`out[d] = x[exprs] + x[exprs]`, or with `mixed` `+ y[d]`, and `* w[last]`; and the shape of the result."""
    order = [int(e.strip()[1]) for e in exprs[1:-1].split(",")]
    sizes = tuple(shape[order.index(d)] for d in range(len(shape)))
    dims = ", ".join(f"d{d}" for d in range(len(shape)))
    x, out, w = tensor(shape, dtype), tensor(sizes, dtype), tensor(sizes[-1:], dtype)
    y = out if mixed else x
    maps = ", ".join(
        f"affine_map<({dims}) -> {e}>"
        for e in (exprs, f"({dims})" if mixed else exprs, f"(d{len(shape) - 1})", f"({dims})")
    )
    add, mul = ("arith.addf", "arith.mulf") if "f" in dtype else ("arith.addi", "arith.muli")
    parallel = ", ".join(['"parallel"'] * len(shape))
    access = ", ".join(['"read"'] * 3 + ['"write"'])
    return (
        f"""kernel.func @k(%x: {x}, %y: {y}, %w: {w}, %o: {out}) -> {out} attributes {{access = [{access}]}} {{
      %r = linalg.generic {{indexing_maps = [{maps}], iterator_types = [{parallel}]}}
          ins(%x, %y, %w : {x}, {y}, {w}) outs(%o : {out}) {{
      ^bb0(%a: {dtype}, %b: {dtype}, %c: {dtype}, %d: {dtype}):
        %s = {add} %a, %b : {dtype}
        %t = {mul} %s, %c : {dtype}
        linalg.yield %t : {dtype}
      }} -> {out}
      kernel.return %r : {out}
    }}""",
        sizes,
    )


@pytest.mark.parametrize(("level", "dtype"), [("avx512", "f32"), ("avx2", "f64"), ("sse4.2", "i8")])
@pytest.mark.parametrize("form", TURNS)
def test_large_transposes_go_through_scratch_in_blocks(level, form, dtype):
    """Blocks here are of one tile, tasks of a few blocks, the last ones smaller."""
    rng = np.random.default_rng(5)
    exprs, shapes = TURNS[form]
    size = np.dtype(DTYPES[dtype]).itemsize
    width = min(16, LEVELS[level] // 8 // size)
    for shape, mixed in product(shapes(width), [False, True] if form == "one input" else [False]):
        kernel, sizes = turning_kernel(shape, exprs, dtype, mixed)
        second = values(rng, sizes if mixed else shape, dtype)
        args = [values(rng, shape, dtype), second, values(rng, sizes[-1:], dtype), np.zeros(sizes, DTYPES[dtype])]
        text = check(kernel, args, level, grain=1, stage=width * size, run=width * size, prefetch=64)
        assert "#kernel.scratch<worker>" in text or form == "whole rows"


@pytest.mark.parametrize(("level", "dtype"), [("avx512", "f32"), ("avx512", "bf16"), ("avx2", "i8"), ("sse4.2", "f32")])
@pytest.mark.parametrize("form", TURNS)
def test_results_that_go_past_the_caches_are_written_in_whole_lines(level, dtype, form):
    """Tiles where the input is, and blocks in scratch; a line of results less one, one, and a line more."""
    rng = np.random.default_rng(5)
    exprs, shapes = TURNS[form]
    size = np.dtype(DTYPES[dtype]).itemsize
    for shape, stage in product(shapes(64 // size), [0, 64]):
        kernel, sizes = turning_kernel(shape, exprs, dtype, mixed=form == "a batch")
        second = values(rng, sizes if form == "a batch" else shape, dtype)
        args = [values(rng, shape, dtype), second, values(rng, sizes[-1:], dtype), np.zeros(sizes, DTYPES[dtype])]
        text = check(kernel, args, level, tolerance=2e-2, grain=1, stage=stage, run=64, bypass=1, fetch=256 + stage)
        assert ("nontemporal = true" in text) == (form != "whole rows")


@pytest.mark.parametrize("level", LEVELS)
def test_rows_picked_by_an_index_are_read_whole(level):
    rng = np.random.default_rng(6)
    table, picks, out = tensor((9, 37), "f32"), tensor((5,), "i32"), tensor((5, 37), "f32")
    kernel = f"""kernel.func @k(%t: {table}, %p: {picks}, %o: {out}) -> {out} attributes {{access = ["read", "read", "write"]}} {{
      %r = linalg.generic {{indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>],
          iterator_types = ["parallel", "parallel"]}} ins(%p : {picks}) outs(%o : {out}) {{
      ^bb0(%a: i32, %b: f32):
        %i = arith.index_cast %a : i32 to index
        %j = linalg.index 1 : index
        %v = tensor.extract %t[%i, %j] : {table}
        linalg.yield %v : f32
      }} -> {out}
      kernel.return %r : {out}
    }}"""
    args = [values(rng, (9, 37), "f32"), np.array([3, 0, 8, 8, 1], np.int32), np.zeros((5, 37), np.float32)]
    assert "vector.gather" not in check(kernel, args, level)


@pytest.mark.parametrize("level", LEVELS)
def test_scattered_elements_are_gathered(level):
    rng = np.random.default_rng(7)
    table, picks = tensor((9, 7), "f32"), tensor((45,), "i32")
    out = tensor((45,), "f32")
    kernel = f"""kernel.func @k(%t: {table}, %p: {picks}, %o: {out}) -> {out} attributes {{access = ["read", "read", "write"]}} {{
      %r = linalg.generic {{indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
          iterator_types = ["parallel"]}} ins(%p : {picks}) outs(%o : {out}) {{
      ^bb0(%a: i32, %b: f32):
        %i = arith.index_cast %a : i32 to index
        %c = arith.constant 4 : index
        %v = tensor.extract %t[%i, %c] : {table}
        linalg.yield %v : f32
      }} -> {out}
      kernel.return %r : {out}
    }}"""
    picked = rng.integers(0, 9, 45).astype(np.int32)
    args = [values(rng, (9, 7), "f32"), picked, np.zeros(45, np.float32)]
    assert "vector.gather" in check(kernel, args, level) or level == "scalar"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("step", [2, 3, 4, 5])
def test_elements_a_few_apart_are_picked_out_of_vectors(level, step):
    """Windows along a row, its end just what the last one needs."""
    rng = np.random.default_rng(7)
    for count in [1, 3, 16, 67]:
        x, out = tensor((3, step * (count - 1) + 2), "f32"), tensor((3, count), "f32")
        kernel = f"""kernel.func @k(%x: {x}, %o: {out}) -> {out} attributes {{access = ["read", "write"]}} {{
          %e = tensor.empty() : {out}
          %w = tensor.empty() : tensor<2xf32>
          %c = arith.constant 0xff800000 : f32
          %f = linalg.fill ins(%c : f32) outs(%e : {out}) -> {out}
          %r = linalg.generic {{indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1 * {step} + d2)>,
              affine_map<(d0, d1, d2) -> (d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>],
              iterator_types = ["parallel", "parallel", "reduction"]}}
              ins(%x, %w : {x}, tensor<2xf32>) outs(%f : {out}) {{
          ^bb0(%a: f32, %u: f32, %b: f32):
            %z = arith.maximumf %b, %a : f32
            linalg.yield %z : f32
          }} -> {out}
          kernel.return %r : {out}
        }}"""
        args = [values(rng, (3, step * (count - 1) + 2), "f32"), np.zeros((3, count), np.float32)]
        text = check(kernel, args, level, grain=1)
        short = LEVELS[level] < 256 and step > 2
        assert "vector.shuffle" in text or step == 5 or short or level == "scalar" or count < 16
        assert "vector.gather" not in text or step == 5
