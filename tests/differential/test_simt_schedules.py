"""Kernels scheduled for subgroups of lanes mean what the unscheduled ones mean, and say who does each task."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from stepwell.arrays import load_arrays
from stepwell.compare import Tolerance, first_difference
from stepwell.compiler import lower
from stepwell.dialects import kernel
from stepwell.dialects.registry import DIALECTS, get_dialect, interpreter_rules
from stepwell.dialects.scf import ForallOp
from stepwell.ir.context import make_context
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module
from stepwell.ir.printer import print_ir
from stepwell.passes.apply_schedule import ApplySchedulePass
from stepwell.passes.choose_schedules import ChooseSchedulesPass
from stepwell.source import parse

pytestmark = pytest.mark.every(3)

DTYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "i32": np.int32, "i8": np.int8, "i1": np.bool_}
FORBIDDEN = ("vector.transpose", "vector.shape_cast", "vector.extract", "vector.insert", "scratch<worker>", "linalg.")


def context():
    return make_context({name: (lambda name=name: get_dialect(name)) for name in DIALECTS})


def target(cores: int) -> str:
    return (
        '#stepwell.target<{arch = "nvptx64", level = "simt", cpu = "sm_90", features = "", subgroup = 32 : i64, '
        f"vector_bits = 4096 : i64, cores = {cores} : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, "
        'shared_limit = 232448 : i64, host = {level = "avx2", vector_bits = 256 : i64, cores = 2 : i64}}>'
    )


def check(text: str, args, strategy="", expect=None, tolerance=1e-5, cores=2, parameters=None) -> str:
    """Compare the kernel in the interpreter before and after scheduling; returns the scheduled text."""
    module = parse_module(f"module attributes {{stepwell.target = {target(cores)}}} {{\n{text}\n}}", "k", context())
    rules = interpreter_rules()
    want = [np.array(w) for w in Interpreter(module, rules).call("k", args)]
    ChooseSchedulesPass(strategy=strategy).apply(context(), module)
    func = module.body.block.first_op
    assert isinstance(func, kernel.FuncOp)
    if expect is not None:
        assert func.schedule.strategy.data == expect, func.schedule
    if parameters:
        change(func, parameters)
    ApplySchedulePass().apply(context(), func)
    module.verify()
    scheduled = print_ir(module)
    parse_module(scheduled, "again", context()).verify()
    for name in FORBIDDEN:
        assert name not in scheduled, name
    for forall in [op for op in func.walk() if isinstance(op, ForallOp)]:
        assert kernel.level_of(forall) is not None
    with np.errstate(all="ignore"):
        got = Interpreter(module, rules).call("k", args)
    for value, reference in zip(got, want, strict=True):
        assert value.dtype == reference.dtype
        if reference.dtype.kind in "biu":
            np.testing.assert_array_equal(value, reference)
        else:
            wide = value.astype(np.float64), reference.astype(np.float64)
            np.testing.assert_allclose(*wide, rtol=tolerance, atol=tolerance)
    return scheduled


def change(func: kernel.FuncOp, parameters) -> None:
    """Edit the schedule as a person would."""
    from xdsl.dialects.builtin import IntegerAttr, i64

    entries = dict(func.schedule.params.data) | {n: IntegerAttr(v, i64) for n, v in parameters.items()}
    func.properties["schedule"] = kernel.ScheduleAttr(func.schedule.strategy, entries)


def values(rng, shape, dtype: str):
    kind = DTYPES[dtype]
    if dtype == "i1":
        return rng.integers(0, 2, shape).astype(kind)
    if dtype.startswith("i"):
        return rng.integers(-100, 100, shape).astype(kind)
    return rng.standard_normal(shape).astype(kind)


def tensor(shape, dtype: str) -> str:
    return f"tensor<{''.join(f'{s}x' for s in shape)}{dtype}>"


def space(rank: int, *exprs: str) -> str:
    return f"affine_map<({', '.join(f'd{i}' for i in range(rank))}) -> ({', '.join(exprs)})>"


def generic(name, inputs, out, maps, kinds, body, dest) -> str:
    """`%name = linalg.generic`; inputs and out are (name, type) pairs; body uses %a0, %a1, ... and %acc."""
    arguments = [
        f"%a{i}: {kind.split('x')[-1].removeprefix('tensor<').rstrip('>')}" for i, (_, kind) in enumerate(inputs)
    ]
    element = out.split("x")[-1].removeprefix("tensor<").rstrip(">")
    names, types = ", ".join(n for n, _ in inputs), ", ".join(t for _, t in inputs)
    ins = f"ins({names} : {types}) " if inputs else ""
    return f"""%{name} = linalg.generic {{indexing_maps = [{", ".join(maps)}],
        iterator_types = [{", ".join(f'"{k}"' for k in kinds)}]}} {ins}outs(%{dest} : {out}) {{
      ^bb0({", ".join([*arguments, f"%acc: {element}"])}):
        {body}
      }} -> {out}"""


def func(arguments, outs, body, returned) -> str:
    """`kernel.func @k` over (name, type) pairs."""
    access = ", ".join(['"read"'] * len(arguments) + ['"write"'] * len(outs))
    given = ", ".join(f"%{n}: {t}" for n, t in (*arguments, *outs))
    types = ", ".join(t for _, t in outs)
    results = types if len(outs) == 1 else f"({types})"
    return f"""kernel.func @k({given}) -> {results} attributes {{access = [{access}]}} {{
      {body}
      kernel.return {returned} : {types}
    }}"""


def map_kernel(shape, dtype: str) -> str:
    """(x + b)**2, b broadcast along the leading dim."""
    x, b = tensor(shape, dtype), tensor(shape[1:], dtype)
    add, mul = ("arith.addf", "arith.mulf") if "f" in dtype else ("arith.addi", "arith.muli")
    rank = len(shape)
    dims = [f"d{i}" for i in range(rank)]
    body = f"%y = {add} %a0, %a1 : {dtype}\n%z = {mul} %y, %y : {dtype}\nlinalg.yield %z : {dtype}"
    maps = [space(rank, *dims), space(rank, *dims[1:]), space(rank, *dims)]
    op = generic("r", [("%x", x), ("%b", b)], x, maps, ["parallel"] * rank, body, "o")
    return func([("x", x), ("b", b)], [("o", x)], op, "%r")


SHAPES = [(1, 1), (0, 5), (4, 0), (5, 41), (3, 31), (3, 33), (2, 128), (2, 129), (40, 100), (2, 1031), (700, 3)]


@pytest.mark.parametrize("dtype", ["f32", "f16", "i32", "i1", "i8"])
def test_maps(dtype):
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        args = [values(rng, shape, dtype), values(rng, shape[1:], dtype), np.zeros(shape, DTYPES[dtype])]
        check(map_kernel(shape, dtype), args, expect="loops")


def test_a_subgroup_does_vectors_and_a_thread_points():
    def run(shape) -> str:
        args = [np.ones(shape, np.float32), np.ones(shape[1:], np.float32), np.zeros(shape, np.float32)]
        return check(map_kernel(shape, "f32"), args)

    assert "[#kernel.level<subgroup>]" in run((40, 100))
    assert "vector<128xf32>" in run((40, 100))
    assert "[#kernel.level<thread>]" in run((700, 3))
    # Rows of 101 elements start at no multiple of 16 bytes: one element a lane.
    assert "vector<128xf32>" not in run((40, 101))


def test_dims_contiguous_everywhere_are_one_for_a_subgroup():
    x = tensor((7, 5, 3), "f32")
    dims = space(3, "d0", "d1", "d2")
    body = "%y = arith.addf %a0, %a0 : f32\nlinalg.yield %y : f32"
    text = func([("x", x)], [("o", x)], generic("r", [("%x", x)], x, [dims, dims], ["parallel"] * 3, body, "o"), "%r")
    args = [np.ones((7, 5, 3), np.float32), np.zeros((7, 5, 3), np.float32)]
    assert "tensor<105xf32>" in check(text, args)


def test_masked_and_special_values_stay_apart():
    shape = (3, 45)
    x = np.full(shape, np.nan, np.float32)
    x[0, :40], x[1, 3], x[2, 44] = 1.0, np.inf, -np.inf
    check(map_kernel(shape, "f32"), [x, np.zeros(45, np.float32), np.zeros(shape, np.float32)])


def reduce_kernel(shape, reduced, op: str, dtype: str, init: str) -> str:
    """Reduce a tensor over the dims `reduced`, starting from `init`."""
    rank = len(shape)
    kept = [d for d in range(rank) if d not in reduced]
    x, out = tensor(shape, dtype), tensor([shape[d] for d in kept], dtype)
    kinds = ["reduction" if d in reduced else "parallel" for d in range(rank)]
    body = f"%z = arith.{op} %a0, %acc : {dtype}\nlinalg.yield %z : {dtype}"
    maps = [space(rank, *(f"d{d}" for d in range(rank))), space(rank, *(f"d{d}" for d in kept))]
    reduction = generic("r", [("%x", x)], out, maps, kinds, body, "f")
    constant = f"arith.constant {init}{'' if dtype == 'i1' else f' : {dtype}'}"
    fill = f"%c = {constant}\n%f = linalg.fill ins(%c : {dtype}) outs(%o : {out}) -> {out}"
    return func([("x", x)], [("o", out)], f"{fill}\n{reduction}", "%r")


REDUCED = [
    ((5, 41), (1,)),
    ((5, 41), (0,)),
    ((70, 3), (1,)),
    ((300, 3), (0,)),
    ((1000,), (0,)),
    ((3, 5, 40), (1,)),
    ((3, 5, 40), (0, 2)),
    ((33, 31), (0, 1)),
    ((0, 5), (0,)),
    ((5, 0), (1,)),
    ((1, 1), (1,)),
]


@pytest.mark.parametrize(
    ("op", "dtype", "init"),
    [
        ("addf", "f32", "0.5"),
        ("maximumf", "f32", "0xff800000"),
        ("minimumf", "f16", "3.0"),
        ("addi", "i32", "7"),
        ("maxsi", "i8", "-128"),
        ("andi", "i1", "true"),
        ("subf", "f32", "1.0"),
    ],
)
def test_reductions(op, dtype, init):
    rng = np.random.default_rng(1)
    for shape, reduced in REDUCED:
        x = values(rng, shape, dtype)
        if dtype == "f32" and x.size > 150:
            x.ravel()[[3, 77, 140]] = np.nan, -np.inf, -0.0
        text = reduce_kernel(shape, reduced, op, dtype, init)
        out = np.zeros([s for d, s in enumerate(shape) if d not in reduced], DTYPES[dtype])
        check(text, [x, out], tolerance=1e-4)


@pytest.mark.parametrize("split", [2, 5, 1000])
def test_reductions_to_few_points_are_cut_into_parts_and_merged(split):
    rng = np.random.default_rng(2)
    for shape, reduced in [
        ((4000,), (0,)),
        ((300, 40), (0,)),
        ((90, 17, 3), (0, 1)),
        ((5, 700), (1,)),
        ((70, 3), (0,)),
    ]:
        x = values(rng, shape, "f32")
        out = np.zeros([s for d, s in enumerate(shape) if d not in reduced], np.float32)
        text = reduce_kernel(shape, reduced, "addf", "f32", "0.5")
        scheduled = check(text, [x, out], parameters={"split": split, "unroll": 1}, tolerance=1e-4)
        assert scheduled.count("scf.forall (") == 2
        assert "scratch<launch>" in scheduled


def test_the_machine_decides_whether_to_split():
    args = [np.ones(20000, np.float32), np.zeros((), np.float32)]
    text = reduce_kernel((20000,), (0,), "addf", "f32", "0.0")
    assert check(text, args, cores=4).count("scf.forall (") == 2
    rows = [np.ones((300, 40), np.float32), np.zeros(300, np.float32)]
    assert check(reduce_kernel((300, 40), (1,), "addf", "f32", "0.0"), rows).count("scf.forall (") == 1


def test_a_combiner_nobody_knows_is_never_split():
    args = [values(np.random.default_rng(3), (300,), "f32"), np.zeros((), np.float32)]
    scheduled = check(reduce_kernel((300,), (0,), "subf", "f32", "0.0"), args, parameters={"split": 8}, tolerance=1e-3)
    assert scheduled.count("scf.forall (") == 1
    assert "#kernel.level<thread>" in scheduled


def argmax_kernel(shape, axis: int) -> str:
    """The greatest element and its index: two results, a combiner of comparisons."""
    keep = 1 - axis
    x, best, where = tensor(shape, "f32"), tensor((shape[keep],), "f32"), tensor((shape[keep],), "i32")
    kinds = '"parallel", "reduction"' if axis == 1 else '"reduction", "parallel"'
    return f"""kernel.func @k(%x: {x}, %p: {best}, %q: {where}) -> ({best}, {where})
        attributes {{access = ["read", "write", "write"]}} {{
      %low = arith.constant 0xff800000 : f32
      %none = arith.constant 0 : i32
      %f = linalg.fill ins(%low : f32) outs(%p : {best}) -> {best}
      %g = linalg.fill ins(%none : i32) outs(%q : {where}) -> {where}
      %r:2 = linalg.generic {{indexing_maps = [{space(2, "d0", "d1")}, {space(2, f"d{keep}")}, {space(2, f"d{keep}")}],
          iterator_types = [{kinds}]}} ins(%x : {x}) outs(%f, %g : {best}, {where}) {{
      ^bb0(%a: f32, %b: f32, %i: i32):
        %n = linalg.index {axis} : index
        %j = arith.index_cast %n : index to i32
        %more = arith.cmpf ogt, %a, %b : f32
        %v = arith.select %more, %a, %b : f32
        %k = arith.select %more, %j, %i : i32
        linalg.yield %v, %k : f32, i32
      }} -> ({best}, {where})
      kernel.return %r#0, %r#1 : {best}, {where}
    }}"""


def test_the_index_of_the_greatest_is_found_along_either_dim():
    rng = np.random.default_rng(4)
    for shape, axis in product([(5, 41), (40, 100), (64, 2)], (0, 1)):
        keep = shape[1 - axis]
        check(
            argmax_kernel(shape, axis),
            [values(rng, shape, "f32"), np.zeros(keep, np.float32), np.zeros(keep, np.int32)],
        )


def transpose_kernel(shape, order, dtype: str) -> str:
    """y + x transposed: out dim i is dim order[i] of x."""
    rank = len(shape)
    x, y = tensor(shape, dtype), tensor([shape[d] for d in order], dtype)
    reads = ["d0"] * rank
    for i, d in enumerate(order):
        reads[d] = f"d{i}"
    whole = space(rank, *(f"d{i}" for i in range(rank)))
    add = "arith.addf" if "f" in dtype else "arith.addi"
    body = f"%s = {add} %a0, %a1 : {dtype}\nlinalg.yield %s : {dtype}"
    op = generic("r", [("%x", x), ("%y", y)], y, [space(rank, *reads), whole, whole], ["parallel"] * rank, body, "o")
    return func([("x", x), ("y", y)], [("o", y)], op, "%r")


@pytest.mark.parametrize("dtype", ["f32", "f16", "i32", "i1"])
def test_transposes_go_through_the_scratch_of_a_block(dtype):
    rng = np.random.default_rng(5)
    cases = [((33, 31), (1, 0)), ((64, 32), (1, 0)), ((9, 70), (1, 0)), ((3, 5), (1, 0))]
    cases += [((3, 40, 35), (0, 2, 1)), ((5, 34, 9), (2, 0, 1)), ((10, 3, 33), (2, 1, 0)), ((2, 3, 2), (1, 2, 0))]
    for shape, order in cases:
        out = [shape[d] for d in order]
        args = [values(rng, shape, dtype), values(rng, out, dtype), np.zeros(out, DTYPES[dtype])]
        text = check(transpose_kernel(shape, order, dtype), args)
        staged = dtype != "i1" and min(shape[order[-1]], shape[-1]) >= 16
        assert ("scratch<block>" in text) == staged
        assert ("[#kernel.level<block>]" in text) == staged


def test_the_tile_of_a_transpose_is_what_the_schedule_says():
    args = [np.ones((40, 40), np.float32), np.ones((40, 40), np.float32), np.zeros((40, 40), np.float32)]
    for tile, pad, subgroups in [(16, 3, 4), (64, 0, 3), (32, 1, 1)]:
        text = check(
            transpose_kernel((40, 40), (1, 0), "f32"),
            args,
            expect="block-transpose",
            parameters={"tile": tile, "pad": pad, "subgroups": subgroups},
        )
        lines = -(-tile // subgroups)
        assert f"tensor<{lines * -(-tile // lines)}x{tile + pad}xf32>" in text


def softmax_kernel(rows: int, columns: int, dtype: str = "f32") -> str:
    x, m = tensor((rows, columns), dtype), tensor((rows,), dtype)
    whole, row = space(2, "d0", "d1"), space(2, "d0")
    parallel, reduction = ["parallel", "parallel"], ["parallel", "reduction"]
    parts = [
        f"%c = arith.constant {'0xff800000' if dtype == 'f32' else '0xfc00'} : {dtype}",
        f"%z = arith.constant 0.0 : {dtype}",
        f"%e = tensor.empty() : {m}",
        f"%f = linalg.fill ins(%c : {dtype}) outs(%e : {m}) -> {m}",
        f"%g = linalg.fill ins(%z : {dtype}) outs(%e : {m}) -> {m}",
        generic("max", [("%x", x)], m, [whole, row], reduction, step("maximumf", dtype), "f"),
        generic(
            "exp",
            [("%x", x), ("%max", m)],
            x,
            [whole, row, whole],
            parallel,
            f"%q = arith.subf %a0, %a1 : {dtype}\n%p = math.exp %q : {dtype}\nlinalg.yield %p : {dtype}",
            "o",
        ),
        generic("sum", [("%exp", x)], m, [whole, row], reduction, step("addf", dtype), "g"),
        generic(
            "r",
            [("%exp", x), ("%sum", m)],
            x,
            [whole, row, whole],
            parallel,
            f"%q = arith.divf %a0, %a1 : {dtype}\nlinalg.yield %q : {dtype}",
            "o",
        ),
    ]
    return func([("x", x)], [("o", x)], "\n      ".join(parts), "%r")


def step(op: str, dtype: str) -> str:
    return f"%q = arith.{op} %a0, %acc : {dtype}\nlinalg.yield %q : {dtype}"


@pytest.mark.parametrize("strategy", ["rows", "block-rows", "loops"])
@pytest.mark.parametrize("dtype", ["f32", "f16"])
def test_softmax(strategy, dtype):
    rng = np.random.default_rng(6)
    for shape in [
        (1, 1),
        (0, 5),
        (4, 0),
        (5, 41),
        (3, 70),
        (3, 127),
        (2, 128),
        (2, 129),
        (2, 300),
        (40, 10),
        (9, 3),
        (2, 2050),
    ]:
        x = values(rng, shape, dtype)
        if shape == (5, 41):
            x[0, 3], x[1, 2], x[2, 1] = np.nan, np.inf, -np.inf
        check(
            softmax_kernel(*shape, dtype),
            [x, np.zeros_like(x)],
            strategy=strategy,
            tolerance=2e-3 if dtype == "f16" else 1e-5,
        )


def test_a_row_that_fits_is_read_once_and_kept_in_registers():
    args = [np.ones((600, 100), np.float32), np.zeros((600, 100), np.float32)]
    text = check(softmax_kernel(600, 100), args, expect="rows")
    assert "scratch<" not in text
    assert "scf.for " not in text
    assert "vector<128xf32>" in text


def test_a_row_that_does_not_fit_goes_through_scratch_or_memory():
    args = [np.ones((3, 300), np.float32), np.zeros((3, 300), np.float32)]
    kept = check(softmax_kernel(3, 300), args, strategy="rows", parameters={"kept": 1})
    assert "tensor.empty() {scratch = #kernel.scratch<subgroup>} : tensor<300xf32>" in kept
    spilled = check(softmax_kernel(3, 300), args, strategy="rows", parameters={"kept": 1, "shared": 1000})
    assert "tensor.empty() {scratch = #kernel.scratch<launch>} : tensor<3x300xf32>" in spilled


def test_rows_of_a_few_points_are_done_by_threads():
    args = [np.ones((90, 5), np.float32), np.zeros((90, 5), np.float32)]
    text = check(softmax_kernel(90, 5), args, expect="rows")
    assert text.count("scf.forall (") == 1
    assert "[#kernel.level<thread>]" in text
    assert "vector." not in text


def test_a_row_of_several_dims_is_gone_over_in_vectors_of_the_last():
    x, m = tensor((4, 6, 40), "f32"), tensor((4,), "f32")
    whole, row = space(3, "d0", "d1", "d2"), space(3, "d0")
    scale = "%y = arith.divf %a0, %a1 : f32\nlinalg.yield %y : f32"
    parts = [
        "%z = arith.constant 0.0 : f32",
        f"%e = tensor.empty() : {m}",
        f"%f = linalg.fill ins(%z : f32) outs(%e : {m}) -> {m}",
        generic("s", [("%x", x)], m, [whole, row], ["parallel", "reduction", "reduction"], step("addf", "f32"), "f"),
        generic("r", [("%x", x), ("%s", m)], x, [whole, row, whole], ["parallel"] * 3, scale, "o"),
    ]
    args = [values(np.random.default_rng(11), (4, 6, 40), "f32"), np.zeros((4, 6, 40), np.float32)]
    text = func([("x", x)], [("o", x)], "\n      ".join(parts), "%r")
    assert "vector<64xf32>" in check(text, args, expect="rows", tolerance=1e-4)


def test_long_rows_and_few_rows_are_done_by_blocks():
    args = [np.ones((2, 2000), np.float32), np.zeros((2, 2000), np.float32)]
    text = check(softmax_kernel(2, 2000), args, expect="block-rows")
    assert "tensor.empty() {scratch = #kernel.scratch<block>} : tensor<2000xf32>" in text
    spilled = check(softmax_kernel(2, 2000), args, expect="block-rows", parameters={"shared": 100, "subgroups": 3})
    assert "tensor.empty() {scratch = #kernel.scratch<launch>} : tensor<2x2000xf32>" in spilled


def norm_kernel(shape, centered: bool = True) -> str:
    """Mean and variance of rows, both returned beside the normalized rows: numbers of a row that leave the kernel."""
    rows, columns = shape[:-1], shape[-1]
    rank = len(shape)
    x, m = tensor(shape, "f32"), tensor(rows, "f32")
    dims = [f"d{i}" for i in range(rank)]
    whole, row, only = space(rank, *dims), space(rank, *dims[:-1]), space(rank - 1, *dims[:-1])
    parallel, reduction = ["parallel"] * rank, ["parallel"] * (rank - 1) + ["reduction"]
    scale = f"%n = arith.constant {float(columns)} : f32\n%y = arith.divf %a0, %n : f32\nlinalg.yield %y : f32"
    square = "%d = arith.subf %a0, %a1 : f32\n%s = arith.mulf %d, %d : f32\n%q = arith.addf %acc, %s : f32\nlinalg.yield %q : f32"
    normal = (
        "%e1 = arith.constant 1.0e-5 : f32\n%v = arith.addf %a2, %e1 : f32\n%s = math.sqrt %v : f32\n"
        "%d = arith.subf %a0, %a1 : f32\n%y = arith.divf %d, %s : f32\nlinalg.yield %y : f32"
    )
    parts = [
        "%z = arith.constant 0.0 : f32",
        f"%e = tensor.empty() : {m}",
        f"%f = linalg.fill ins(%z : f32) outs(%e : {m}) -> {m}",
        generic("sum", [("%x", x)], m, [whole, row], reduction, step("addf", "f32"), "f"),
        generic("mean", [("%sum", m)], m, [only, only], ["parallel"] * (rank - 1), scale, "p"),
        generic("squares", [("%x", x), ("%mean", m)], m, [whole, row, row], reduction, square, "f"),
        generic("var", [("%squares", m)], m, [only, only], ["parallel"] * (rank - 1), scale, "u"),
        generic("r", [("%x", x), ("%mean", m), ("%var", m)], x, [whole, row, row, whole], parallel, normal, "o"),
    ]
    outs = [("o", x), ("p", m), ("u", m)]
    return func([("x", x)], outs, "\n      ".join(parts), "%r, %mean, %var")


@pytest.mark.parametrize("strategy", ["rows", "block-rows", "loops"])
def test_normalized_rows_and_their_numbers(strategy):
    rng = np.random.default_rng(7)
    for shape in [(5, 40), (3, 7, 33), (2, 1500), (4, 1)]:
        x = values(rng, shape, "f32")
        args = [x, np.zeros_like(x), np.zeros(shape[:-1], np.float32), np.zeros(shape[:-1], np.float32)]
        check(norm_kernel(shape), args, strategy=strategy, tolerance=1e-4)


def test_padding_and_concatenation_are_phases_of_their_own():
    x, y, out = tensor((3, 33), "f32"), tensor((3, 40), "f32"), tensor((7, 80), "f32")
    body = f"""%z = arith.constant -1.0 : f32
      %f = linalg.fill ins(%z : f32) outs(%o : {out}) -> {out}
      %p = tensor.insert_slice %x into %f[1, 2] [3, 33] [2, 1] : {x} into {out}
      %r = tensor.insert_slice %y into %p[4, 40] [3, 40] [1, 1] : {y} into {out}"""
    rng = np.random.default_rng(8)
    args = [values(rng, (3, 33), "f32"), values(rng, (3, 40), "f32"), np.zeros((7, 80), np.float32)]
    text = check(func([("x", x), ("y", y)], [("o", out)], body, "%r"), args)
    assert text.count("scf.forall (") == 3
    assert text.count("in (3, 2) shared_outs") == 2  # rows two apart are cut over tasks, too


def test_slices_are_read_through():
    x, part, out = tensor((9, 70), "f32"), tensor((4, 33), "f32"), tensor((4, 33), "f32")
    body = "%y = arith.mulf %a0, %a0 : f32\nlinalg.yield %y : f32"
    whole = space(2, "d0", "d1")
    text = f"%s = tensor.extract_slice %x[1, 3] [4, 33] [2, 2] : {x} to {part}\n" + generic(
        "r", [("%s", part)], out, [whole, whole], ["parallel"] * 2, body, "o"
    )
    args = [values(np.random.default_rng(9), (9, 70), "f32"), np.zeros((4, 33), np.float32)]
    assert "vector.gather" in check(func([("x", x)], [("o", out)], text, "%r"), args)


@pytest.mark.parametrize("dtype", ["f32", "i1"])
def test_gathered_rows_and_elements(dtype):
    rng = np.random.default_rng(10)
    table, picks, out = tensor((9, 37), dtype), tensor((50,), "i32"), tensor((50, 37), dtype)
    body = f"""%i = arith.index_cast %a0 : i32 to index
        %j = linalg.index 1 : index
        %v = tensor.extract %t[%i, %j] : {table}
        linalg.yield %v : {dtype}"""
    maps = [space(2, "d0"), space(2, "d0", "d1")]
    op = generic("r", [("%p", picks)], out, maps, ["parallel"] * 2, body, "o")
    args = [values(rng, (9, 37), dtype), rng.integers(0, 9, 50).astype(np.int32), np.zeros((50, 37), DTYPES[dtype])]
    text = check(func([("t", table), ("p", picks)], [("o", out)], op, "%r"), args)
    assert ("#kernel.level<thread>" in text) == (dtype == "i1")


def test_scalar_code_is_a_thread_a_point():
    args = [np.ones((5, 41), np.float32), np.ones(41, np.float32), np.zeros((5, 41), np.float32)]
    module = parse_module(
        f"module attributes {{stepwell.target = {target(2)}}} {{\n{map_kernel((5, 41), 'f32')}\n}}", "k", context()
    )
    ChooseSchedulesPass(scalar=True).apply(context(), module)
    ApplySchedulePass().apply(context(), module.body.block.first_op)
    module.verify()
    text = print_ir(module)
    assert "vector." not in text
    assert "in (5, 41) shared_outs" in text
    np.testing.assert_array_equal(Interpreter(module, interpreter_rules()).call("k", args)[0], np.full((5, 41), 4.0))


def test_structured_ops_are_refused_by_name():
    from stepwell.ir.errors import UnsupportedError

    x = tensor((8,), "f32")
    text = f"""kernel.func @k(%o: {x}) -> {x} attributes {{access = ["readwrite"]}} {{
      %r = structured.sort outs(%o : {x}) {{dimension = 0 : i64, stable = true}} {{
      ^bb0(%a: f32, %b: f32):
        %c = arith.cmpf olt, %a, %b : f32
        structured.yield %c : i1
      }} -> {x}
      kernel.return %r : {x}
    }}"""
    module = parse_module(f"module attributes {{stepwell.target = {target(2)}}} {{\n{text}\n}}", "k", context())
    ChooseSchedulesPass().apply(context(), module)
    with pytest.raises(UnsupportedError, match="no form for subgroups"):
        ApplySchedulePass().apply(context(), module.body.block.first_op)


DATA = Path(__file__).parents[1] / "data" / "jax"
CASES = {c["name"]: c for c in map(json.loads, (DATA / "cases.jsonl").read_text().splitlines())}
PROGRAMS = [
    "softmax", "layer_norm", "batch_norm_train", "reductions", "shape_forms", "sort_topk_arg", "dynamic_slices",
    "cumulative", "zero_size", "integers", "embedding_grad", "while_loop",
]  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_jax_programs_mean_the_same_at_the_scheduled_step(name):
    """The whole road down to step 4, kernels of the host among them."""
    case = CASES[name]
    text = (DATA / case["mlir"]).read_text().replace("attributes {", f"attributes {{stepwell.target = {target(4)}, ", 1)
    module = lower(parse(text), "scheduled", verify_each=True)
    levels = [kernel.level_of(op) for op in module.walk() if isinstance(op, ForallOp)]
    assert any(level is not None for level in levels) or name == "zero_size"
    interpreter = Interpreter(module, interpreter_rules())
    with np.errstate(all="ignore"):
        results = interpreter.call("main", [signless(a) for a in load_arrays(DATA / case["inputs"])])
    for got, want, rule in zip(results, load_arrays(DATA / case["expected"]), case["checks"], strict=True):
        tolerance = Tolerance() if rule["kind"] == "eq" else Tolerance(rule["rtol"], rule["atol"])
        assert first_difference(np.asarray(got).view(want.dtype), want, tolerance) is None


def signless(array: np.ndarray) -> np.ndarray:
    return array.view(f"i{array.dtype.itemsize}") if array.dtype.kind == "u" else array
