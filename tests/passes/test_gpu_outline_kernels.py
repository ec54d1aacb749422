"""What gpu-outline-kernels makes of a kernel computes what the kernel does: step 5 in the interpreter, step 6 in the simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import MemRefType

from stepwell.dialects import gpu, kernel
from stepwell.dialects.interp.simt import launch
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.diagnostics import DiagnosticError
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.pass_manager import Pipeline, build_pipeline
from stepwell.ir.verify import verify_module
from stepwell.passes.registry import PASSES, get_pass
from stepwell.source import parse

TARGET = (
    "stepwell.target = #stepwell.target<{subgroup = 32 : i64, block_threads = 1024 : i64, "
    "shared_bytes = 49152 : i64, shared_limit = 232448 : i64}>"
)
LIT = Path(__file__).with_name("gpu-outline-kernels.mlir").read_text().split("// -----")
UNDEFINED = ("@ring", "@outer_product", "@sorted", "@large", "memref.subview %out")
"""Cases that read scratch nobody wrote (their CHECKs are about something else), or have no device kernel."""


def outlined(text: str):
    module = parse(text)
    items = build_pipeline("builtin.module(gpu-outline-kernels,cse,dce)", get_pass, tuple(PASSES)).items
    Pipeline(items, []).run(context(), module)
    verify_module(module)
    return module


def arguments(function: kernel.FuncOp, rng: np.random.Generator):
    arrays = []
    for argument in function.args:
        assert isinstance(argument.type, MemRefType)
        dtype = numpy_dtype(argument.type.element_type)
        values = rng.integers(-4, 5, argument.type.get_shape())
        arrays.append(values.astype(dtype) if dtype != np.bool_ else values > 0)
    return arrays


def agree(text: str) -> None:
    """Run every device kernel of a module both ways, on small whole numbers (so that any order of sums is exact)."""
    before, after = parse(text), outlined(text)
    rng = np.random.default_rng(7)
    found = 0
    for function in before.body.block.ops:
        if not isinstance(function, kernel.FuncOp) or "kernel.place" in function.attributes:
            continue
        given = arguments(function, rng)
        expected = [a.copy() for a in given]
        Interpreter(before, interpreter_rules()).call_op(function, expected)
        modules = [op for op in after.body.block.ops if isinstance(op, gpu.ModuleOp)]
        (module,) = (op for op in modules if op.sym_name == function.sym_name)
        names = [a.name_hint for a in function.args]
        for phase in module.body.block.ops:
            assert isinstance(phase, gpu.FuncOp)
            chosen = [given[names.index(a.name_hint)] for a in phase.args]
            launch(phase, chosen, grid=phase.grid_size, block=phase.block_size, shared_bytes=1 << 16)
        for want, got in zip(expected, given, strict=True):
            np.testing.assert_array_equal(got, want)
        found += 1
    assert found


@pytest.mark.parametrize("text", [text for text in LIT if not any(name in text for name in UNDEFINED)])
def test_kernels_of_the_lit_file_agree(text):
    agree(text)


def product(
    kind: str, m: int, n: int, k: int, lhs: str, rhs: str, swizzle: bool, acc: str = "f32", lanes: str = ""
) -> str:
    """C = A B of one block of one subgroup, both factors staged whole; `lhs`, `rhs` say in which order the scratch keeps them."""
    a_shape = {"mk": (m, k), "km": (k, m)}[lhs]
    b_shape = {"kn": (k, n), "nk": (n, k)}[rhs]
    a, b = ("x".join(map(str, s)) for s in (a_shape, b_shape))
    extra = ", swizzle = 8 : i64" if swizzle else ""
    maps = {"mk": "(d0, d2)", "km": "(d2, d0)", "kn": "(d2, d1)", "nk": "(d1, d2)"}
    zero = "0.0" if acc.startswith(("f", "b")) else "0"
    outer = bool(lanes)
    read_a = f"vector<{a}x{kind}>" if not outer else f"vector<1x{m}x{kind}>"
    read_b = f"vector<{b}x{kind}>" if not outer else f"vector<1x{n}x{kind}>"
    at = "%k" if outer else "%c0"
    return f"""
builtin.module attributes {{{TARGET}}} {{
  kernel.func @product(%a: memref<{a}x{kind}>, %b: memref<{b}x{kind}>, %c: memref<{m}x{n}x{acc}>) attributes {{access = ["read", "read", "write"], schedule = #kernel.schedule<"block-contraction", {{{lanes}}}>}} {{
    %z = arith.constant {zero} : {kind}
    %zf = arith.constant {zero} : {acc}
    %c0 = arith.constant 0 : index
    scf.forall (%t) in (1) {{
      %as = memref.alloca() {{scratch = #kernel.scratch<block>{extra}}} : memref<{a}x{kind}>
      %bs = memref.alloca() {{scratch = #kernel.scratch<block>{extra}}} : memref<{b}x{kind}>
      %acc = memref.alloca() {{scratch = #kernel.scratch<subgroup>}} : memref<1x{m}x{n}x{acc}>
      scf.forall (%w) in (1) {{
        %va = vector.transfer_read %a[%c0, %c0], %z {{in_bounds = [true, true]}} : memref<{a}x{kind}>, vector<{a}x{kind}>
        vector.transfer_write %va, %as[%c0, %c0] {{in_bounds = [true, true], async}} : vector<{a}x{kind}>, memref<{a}x{kind}>
        %vb = vector.transfer_read %b[%c0, %c0], %z {{in_bounds = [true, true]}} : memref<{b}x{kind}>, vector<{b}x{kind}>
        vector.transfer_write %vb, %bs[%c0, %c0] {{in_bounds = [true, true], async}} : vector<{b}x{kind}>, memref<{b}x{kind}>
        %zero = arith.constant dense<{zero}> : vector<{m}x{n}x{acc}>
        vector.transfer_write %zero, %acc[%w, %c0, %c0] {{in_bounds = [true, true]}} : vector<{m}x{n}x{acc}>, memref<1x{m}x{n}x{acc}>
      }} {{mapping = [#kernel.level<subgroup>]}}
      affine.for %k = 0 to {k if outer else 1} {{
      scf.forall (%w) in (1) {{
        %old = vector.transfer_read %acc[%w, %c0, %c0], %zf {{in_bounds = [true, true]}} : memref<1x{m}x{n}x{acc}>, vector<{m}x{n}x{acc}>
        %l = vector.transfer_read %as[{at}, %c0], %z {{in_bounds = [true, true]}} : memref<{a}x{kind}>, {read_a}
        %r = vector.transfer_read %bs[{at}, %c0], %z {{in_bounds = [true, true]}} : memref<{b}x{kind}>, {read_b}
        %new = vector.contract {{indexing_maps = [affine_map<(d0, d1, d2) -> {maps[lhs]}>, affine_map<(d0, d1, d2) -> {maps[rhs]}>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"], kind = #vector.kind<add>}} %l, %r, %old : {read_a}, {read_b} into vector<{m}x{n}x{acc}>
        vector.transfer_write %new, %acc[%w, %c0, %c0] {{in_bounds = [true, true]}} : vector<{m}x{n}x{acc}>, memref<1x{m}x{n}x{acc}>
      }} {{mapping = [#kernel.level<subgroup>], wait = 0 : i64}}
      }}
      scf.forall (%w) in (1) {{
        %new = vector.transfer_read %acc[%w, %c0, %c0], %zf {{in_bounds = [true, true]}} : memref<1x{m}x{n}x{acc}>, vector<{m}x{n}x{acc}>
        vector.transfer_write %new, %c[%c0, %c0] {{in_bounds = [true, true]}} : vector<{m}x{n}x{acc}>, memref<{m}x{n}x{acc}>
      }} {{mapping = [#kernel.level<subgroup>]}}
    }} {{mapping = [#kernel.level<block>]}}
    kernel.return
  }}
}}
"""


@pytest.mark.parametrize("swizzle", [False, True])
@pytest.mark.parametrize("rhs", ["kn", "nk"])
@pytest.mark.parametrize("lhs", ["mk", "km"])
@pytest.mark.parametrize(("kind", "m", "n", "k"), [("f16", 32, 24, 32), ("bf16", 16, 16, 64), ("f16", 64, 32, 16)])
@pytest.mark.every(2)
def test_the_matrix_unit_takes_factors_in_any_order(kind, m, n, k, lhs, rhs, swizzle):
    text = product(kind, m, n, k, lhs, rhs, swizzle)
    assert "nvgpu.mma.sync" in str(outlined(text))
    agree(text)


@pytest.mark.parametrize(
    ("kind", "acc", "m", "n", "lanes"),
    [
        ("f32", "f32", 32, 64, (4, 8)),
        ("f32", "f32", 64, 32, (8, 4)),
        ("f64", "f64", 16, 32, (4, 8)),
        ("i32", "i32", 8, 32, (1, 32)),
        ("f16", "f32", 32, 32, (4, 8)),
        ("i8", "i32", 32, 32, (8, 4)),
    ],
)
def test_outer_products_over_a_grid_of_lanes(kind, acc, m, n, lanes):
    numbers = f"lanes_m = {lanes[0]} : i64, lanes_n = {lanes[1]} : i64"
    agree(product(kind, m, n, 7, "km", "kn", False, acc, numbers))


def vector_kernel(body: str, x: str = "memref<300xf32>", y: str = "memref<300xf32>", setup: str = "") -> str:
    return f"""
builtin.module attributes {{{TARGET}}} {{
  kernel.func @k(%x: {x}, %y: {y}) attributes {{access = ["read", "write"]}} {{
    %z = arith.constant 0.0 : f32
    %c0 = arith.constant 0 : index
    %c3 = arith.constant 3 : index
    {setup}
    scf.forall (%t) in (1) {{
      {body}
    }} {{mapping = [#kernel.level<subgroup>]}}
    kernel.return
  }}
}}
"""


@pytest.mark.parametrize("length", [1, 2, 5, 16, 31, 32, 33, 64, 96, 100, 128, 129, 250, 300])
@pytest.mark.parametrize("offset", ["%c0", "%c3"])
def test_vectors_of_any_length_are_spread(length, offset):
    if offset == "%c3" and length > 290:
        pytest.skip("beyond the buffer")
    agree(
        vector_kernel(
            f"""
      %v = vector.transfer_read %x[{offset}], %z {{in_bounds = [true]}} : memref<300xf32>, vector<{length}xf32>
      %w = arith.addf %v, %v : vector<{length}xf32>
      %s = vector.reduction <add>, %w : vector<{length}xf32> into f32
      %m = vector.reduction <maximumf>, %w, %s : vector<{length}xf32> into f32
      %e = vector.extract %w[{length - 1}] : f32 from vector<{length}xf32>
      %t0 = arith.addf %m, %e : f32
      %b = vector.broadcast %t0 : f32 to vector<{length}xf32>
      %u = arith.addf %w, %b : vector<{length}xf32>
      vector.transfer_write %u, %y[{offset}] {{in_bounds = [true]}} : vector<{length}xf32>, memref<300xf32>"""
        )
    )


@pytest.mark.parametrize("count", [0, 1, 31, 64, 99, 100])
def test_masks_of_known_and_computed_size(count):
    agree(
        vector_kernel(
            f"""
      %n = arith.constant {count} : index
      %c1 = arith.constant 1 : index
      %more = arith.addi %n, %c1 : index
      %less = arith.subi %more, %c1 : index
      %mask = vector.create_mask %less : vector<100xi1>
      %v = vector.transfer_read %x[%c0], %z, %mask {{in_bounds = [true]}} : memref<300xf32>, vector<100xf32>
      %step = vector.step : vector<100xindex>
      %i = arith.index_cast %step : vector<100xindex> to vector<100xi32>
      %f = arith.sitofp %i : vector<100xi32> to vector<100xf32>
      %w = arith.addf %v, %f : vector<100xf32>
      %odd = arith.cmpf ogt, %v, %f : vector<100xf32>
      %both = arith.andi %odd, %fixed : vector<100xi1>
      vector.transfer_write %w, %y[%c0], %both {{in_bounds = [true]}} : vector<100xf32>, memref<300xf32>
      %sel = arith.select %fixed, %w, %v : vector<100xi1>, vector<100xf32>
      vector.transfer_write %sel, %y[%c200], %fixed {{in_bounds = [true]}} : vector<100xf32>, memref<300xf32>""",
            setup=f"%fixed = vector.constant_mask [{max(1, count)}] : vector<100xi1>\n%c200 = arith.constant 200 : index",
        )
    )


def test_rows_of_a_matrix_repeated_along_it_and_columns_too():
    agree(
        vector_kernel(
            """
      %tile = vector.transfer_read %x[%c0, %c0], %z {in_bounds = [true, true]} : memref<12x16xf32>, vector<12x16xf32>
      %row = vector.transfer_read %x[%c3, %c0], %z {in_bounds = [true]} : memref<12x16xf32>, vector<16xf32>
      %twice = arith.addf %row, %row : vector<16xf32>
      %rows = vector.broadcast %twice : vector<16xf32> to vector<12x16xf32>
      %column = vector.transfer_read %x[%c0, %c3], %z {in_bounds = [true, true]} : memref<12x16xf32>, vector<12x1xf32>
      %columns = vector.broadcast %column : vector<12x1xf32> to vector<12x16xf32>
      %s = arith.addf %tile, %rows : vector<12x16xf32>
      %r = arith.mulf %s, %columns : vector<12x16xf32>
      %five = arith.constant 5 : index
      %mask = vector.create_mask %five, %c3 : vector<12x16xi1>
      vector.transfer_write %r, %y[%c0, %c0], %mask {in_bounds = [true, true]} : vector<12x16xf32>, memref<12x16xf32>""",
            "memref<12x16xf32>",
            "memref<12x16xf32>",
        )
    )


def test_what_one_part_of_a_task_writes_another_reads():
    agree(
        vector_kernel(
            """
      %s = memref.alloca() {scratch = #kernel.scratch<subgroup>} : memref<100xf32>
      affine.for %i = 0 to 4 {
        %at = affine.apply affine_map<(d0) -> (d0 * 25)>(%i)
        %v = vector.transfer_read %x[%at], %z {in_bounds = [true]} : memref<300xf32>, vector<25xf32>
        vector.transfer_write %v, %s[%at] {in_bounds = [true]} : vector<25xf32>, memref<100xf32>
      }
      affine.for %i = 0 to 2 {
        %at = affine.apply affine_map<(d0) -> (d0 * 50)>(%i)
        %v = vector.transfer_read %s[%at], %z {in_bounds = [true]} : memref<100xf32>, vector<50xf32>
        vector.transfer_write %v, %y[%at] {in_bounds = [true]} : vector<50xf32>, memref<300xf32>
      }
      %last = memref.load %s[%c3] : memref<100xf32>
      memref.store %last, %y[%c299] : memref<300xf32>
      %again = memref.load %y[%c299] : memref<300xf32>
      memref.store %again, %y[%c298] : memref<300xf32>""",
            setup="%c299 = arith.constant 299 : index\n%c298 = arith.constant 298 : index",
        )
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "%v = arith.constant dense<0.0> : vector<4x8xf32>\n%w = vector.transpose %v, [1, 0] : vector<4x8xf32> to vector<8x4xf32>",
            "vector.transpose has no form on the lanes of a subgroup",
        ),
        (
            "scf.forall (%i) in (2) { memref.store %z, %y[%i] : memref<300xf32> }",
            "a subgroup's task has no parallel loops inside of it",
        ),
        (
            "%s = memref.alloca() : memref<4xf32>\nmemref.store %z, %s[%c0] : memref<4xf32>",
            "says nothing of who shares it",
        ),
        ("%w = rt.worker_id : index\nmemref.store %z, %y[%w] : memref<300xf32>", "no form on the lanes of a subgroup"),
    ],
)
def test_what_has_no_form_on_lanes_is_refused_by_name(body, message):
    with pytest.raises(DiagnosticError, match=message):
        outlined(vector_kernel(body))


def test_limits_of_a_block_are_checked():
    scratch = "%s = memref.alloca() {scratch = #kernel.scratch<subgroup>} : memref<100000xf32>\nmemref.store %z, %s[%c0] : memref<100000xf32>"
    with pytest.raises(
        DiagnosticError, match="asks for 400000 bytes of memory shared by a block; this machine has 232448"
    ):
        outlined(vector_kernel(scratch))
    many = vector_kernel("memref.store %z, %y[%t] : memref<300xf32>").replace("in (1)", "in (300)")
    many = many.replace('"write"]}', '"write"], schedule = #kernel.schedule<"loops", {subgroups = 64 : i64}>}')
    with pytest.raises(DiagnosticError, match="asks for blocks of 2048 threads; this machine has at most 1024"):
        outlined(many)


@pytest.mark.parametrize(
    ("kind", "window"),
    [
        ("3x7x16", "[2, 0, 0] [1, 7, 16] [1, 1, 1] : memref<3x7x16xf32> to memref<1x7x16xf32, strided<[112, 16, 1], offset: 224>>"),
        ("3x7x16", "[1, 0, 0] [1, 7, 16] [1, 1, 1] : memref<3x7x16xf32> to memref<7x16xf32, strided<[16, 1], offset: 112>>"),
        ("3x112", "[1, 0] [2, 112] [1, 1] : memref<3x112xf32> to memref<2x112xf32, strided<[112, 1], offset: 112>>"),
    ],
)  # fmt: skip
def test_offsets_count_along_a_window_without_gaps(kind, window):
    agree(gathered(kind, window))


def gathered(kind: str, window: str) -> str:
    rank = window.split(" to ")[1].split(",")[0].count("x")
    return vector_kernel(
        f"""
      %s = memref.subview %x{window}
      %i = vector.step : vector<40xi32>
      %two = arith.constant dense<2> : vector<40xi32>
      %at = arith.muli %i, %two : vector<40xi32>
      %m = vector.constant_mask [37] : vector<40xi1>
      %p = arith.constant dense<5.0> : vector<40xf32>
      %g = vector.gather %s[{", ".join(["%c0"] * (rank - 1) + ["%c3"])}] [%at], %m, %p : {window.split(" to ")[1]}, vector<40xi32>, vector<40xi1>, vector<40xf32> into vector<40xf32>
      vector.transfer_write %g, %y[%c3] {{in_bounds = [true]}} : vector<40xf32>, memref<300xf32>""",
        x=f"memref<{kind}xf32>",
    )


def test_offsets_do_not_jump_over_the_gaps_of_a_window():
    narrow = "[0, 0, 0] [3, 7, 8] [1, 1, 1] : memref<3x7x16xf32> to memref<3x7x8xf32, strided<[112, 16, 1]>>"
    with pytest.raises(DiagnosticError, match="needs a buffer or a part of one without gaps"):
        outlined(gathered("3x7x16", narrow))
