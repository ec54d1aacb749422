"""What threads compute all at once is what the interpreter computes for one after the other."""

from __future__ import annotations

import numpy as np
import pytest

from stepwell.dialects.registry import interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.source import parse

THREADS = 37
ROWS = "memref<37x24xf32>"
ARGUMENTS = f"%x: {ROWS}, %i: memref<37x8xindex>, %y: {ROWS}, %n: memref<37x4xindex>"
READ8 = f"%v = vector.transfer_read %x[%t, %c0], %zero {{in_bounds = [true]}} : {ROWS}, vector<8xf32>"
READ24 = f"%v = vector.transfer_read %x[%t, %c0], %zero {{in_bounds = [true]}} : {ROWS}, vector<24xf32>"
PRELUDE = """
%c0 = arith.constant 0 : index
%c1 = arith.constant 1 : index
%c2 = arith.constant 2 : index
%c3 = arith.constant 3 : index
%c5 = arith.constant 5 : index
%c8 = arith.constant 8 : index
%zero = arith.constant 0.0 : f32
%three = arith.constant 3.0 : f32
%a = memref.load %i[%t, %c0] : memref<37x8xindex>
%b = memref.load %i[%t, %c1] : memref<37x8xindex>
%e = memref.load %x[%t, %c0] : memref<37x24xf32>
"""


def write(value: str, count: int) -> str:
    kind = f"vector<{count}xf32>"
    return f"vector.transfer_write {value}, %y[%t, %c0] {{in_bounds = [true]}} : {kind}, {ROWS}"


def put(value: str, column: str = "%c0") -> str:
    return f"memref.store {value}, %n[%t, {column}] : memref<37x4xindex>"


BODIES = {
    "integers": f"""
        %q = arith.divsi %a, %c3 : index
        %r = arith.remsi %a, %c3 : index
        %f = arith.floordivsi %a, %c3 : index
        %m = arith.minui %a, %b : index
        %s = arith.shli %m, %c2 : index
        %z = arith.xori %s, %r : index
        {put("%q")}
        {put("%f", "%c1")}
        {put("%z", "%c2")}
    """,
    "narrow integers wrap": f"""
        %k = arith.index_cast %a : index to i8
        %l = arith.constant 100 : i8
        %p = arith.muli %k, %l : i8
        %q = arith.addi %p, %l : i8
        %r = arith.index_castui %q : i8 to index
        {put("%r")}
    """,
    "booleans": f"""
        %p = arith.cmpi slt, %a, %b : index
        %q = arith.cmpf ogt, %e, %zero : f32
        %r = arith.xori %p, %q : i1
        %s = arith.addi %r, %q : i1
        %u = arith.extui %s : i1 to i32
        %w = arith.index_cast %u : i32 to index
        {put("%w")}
    """,
    "small floats": """
        %h = arith.truncf %e : f32 to bf16
        %h2 = arith.mulf %h, %h : bf16
        %w = arith.extf %h2 : bf16 to f32
        %g = arith.truncf %e : f32 to f16
        %g2 = arith.addf %g, %g : f16
        %u = arith.extf %g2 : f16 to f32
        %s = arith.subf %w, %u : f32
        memref.store %s, %y[%t, %c0] : memref<37x24xf32>
    """,
    "math": """
        %p = math.absf %e : f32
        %q = math.sqrt %p : f32
        %r = math.fma %q, %e, %three : f32
        %s = math.floor %r : f32
        %u = math.copysign %s, %e : f32
        memref.store %u, %y[%t, %c0] : memref<37x24xf32>
    """,
    "a scalar condition chooses vectors": f"""
        {READ8}
        %w = vector.broadcast %e : f32 to vector<8xf32>
        %p = arith.cmpi slt, %a, %b : index
        %s = arith.select %p, %v, %w : vector<8xf32>
        {write("%s", 8)}
    """,
    "broadcasts of vectors": f"""
        {READ8}
        %w = vector.broadcast %v : vector<8xf32> to vector<3x8xf32>
        %s = vector.shape_cast %w : vector<3x8xf32> to vector<24xf32>
        {write("%s", 24)}
    """,
    "a vector equal in all threads": f"""
        %k = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : vector<4xf32>
        %w = vector.broadcast %k : vector<4xf32> to vector<2x4xf32>
        %p = vector.transpose %w, [1, 0] : vector<2x4xf32> to vector<4x2xf32>
        %s = vector.shape_cast %p : vector<4x2xf32> to vector<8xf32>
        {write("%s", 8)}
    """,
    "transposes": f"""
        {READ24}
        %w = vector.shape_cast %v : vector<24xf32> to vector<2x3x4xf32>
        %p = vector.transpose %w, [2, 0, 1] : vector<2x3x4xf32> to vector<4x2x3xf32>
        %s = vector.shape_cast %p : vector<4x2x3xf32> to vector<24xf32>
        {write("%s", 24)}
    """,
    "extract and insert at static places": f"""
        {READ24}
        %w = vector.shape_cast %v : vector<24xf32> to vector<3x8xf32>
        %r = vector.extract %w[1] : vector<8xf32> from vector<3x8xf32>
        %p = vector.extract %w[2, 5] : f32 from vector<3x8xf32>
        %u = vector.insert %p, %r[3] : f32 into vector<8xf32>
        %q = vector.insert %u, %w[0] : vector<8xf32> into vector<3x8xf32>
        %s = vector.shape_cast %q : vector<3x8xf32> to vector<24xf32>
        {write("%s", 24)}
    """,
    "extract and insert at places of the lane": f"""
        {READ8}
        %j = arith.remui %a, %c8 : index
        %p = vector.extract %v[%j] : f32 from vector<8xf32>
        %k = arith.remui %b, %c8 : index
        %s = vector.insert %p, %v[%k] : f32 into vector<8xf32>
        {write("%s", 8)}
    """,
    "slices": f"""
        {READ24}
        %w = vector.shape_cast %v : vector<24xf32> to vector<4x6xf32>
        %p = vector.extract_strided_slice %w {{offsets = [1, 2], sizes = [2, 3], strides = [1, 1]}} : vector<4x6xf32> to vector<2x3xf32>
        %q = vector.insert_strided_slice %p, %w {{offsets = [2, 0], strides = [1, 1]}} : vector<2x3xf32> into vector<4x6xf32> -> vector<4x6xf32>
        %s = vector.shape_cast %q : vector<4x6xf32> to vector<24xf32>
        {write("%s", 24)}
    """,
    "reductions": f"""
        {READ24}
        %p = vector.reduction <add>, %v : vector<24xf32> into f32
        %q = vector.reduction <maximumf>, %v, %e : vector<24xf32> into f32
        %w = vector.shape_cast %v : vector<24xf32> to vector<4x6xf32>
        %acc = vector.broadcast %e : f32 to vector<6xf32>
        %r = vector.multi_reduction <add>, %w, %acc [0] : vector<4x6xf32> to vector<6xf32>
        %u = vector.insert %p, %r[0] : f32 into vector<6xf32>
        %s = vector.insert %q, %u[1] : f32 into vector<6xf32>
        {write("%s", 6)}
    """,
    "a contraction": f"""
        {READ24}
        %l = vector.shape_cast %v : vector<24xf32> to vector<4x6xf32>
        %r = vector.shape_cast %v : vector<24xf32> to vector<6x4xf32>
        %acc = arith.constant dense<1.0> : vector<4x4xf32>
        %p = vector.contract {{indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"], kind = #vector.kind<add>}} %l, %r, %acc : vector<4x6xf32>, vector<6x4xf32> into vector<4x4xf32>
        %s = vector.shape_cast %p : vector<4x4xf32> to vector<16xf32>
        {write("%s", 16)}
    """,
    "masks": f"""
        %j = arith.remui %a, %c8 : index
        %m = vector.create_mask %j : vector<8xi1>
        %k = vector.constant_mask [3] : vector<8xi1>
        %o = arith.xori %m, %k : vector<8xi1>
        %pad = arith.constant -1.0 : f32
        %v = vector.transfer_read %x[%t, %j], %pad, %o {{in_bounds = [true]}} : {ROWS}, vector<8xf32>
        vector.transfer_write %v, %y[%t, %c0], %m {{in_bounds = [true]}} : vector<8xf32>, {ROWS}
    """,
    "masks of two dimensions": f"""
        %j = arith.remui %a, %c3 : index
        %m = vector.create_mask %c1, %j : vector<1x8xi1>
        %v = vector.transfer_read %x[%t, %j], %e, %m {{in_bounds = [true, true]}} : {ROWS}, vector<1x8xf32>
        vector.transfer_write %v, %y[%t, %j] {{in_bounds = [true, true]}} : vector<1x8xf32>, {ROWS}
    """,
    "transfers that leave their memref": f"""
        %j = arith.remui %a, %c8 : index
        %at = affine.apply affine_map<(d0) -> (d0 * 3)>(%j)
        %v = vector.transfer_read %x[%t, %at], %three : {ROWS}, vector<8xf32>
        vector.transfer_write %v, %y[%t, %at] : vector<8xf32>, {ROWS}
    """,
    "loads and stores of vectors": f"""
        %j = arith.remui %a, %c8 : index
        %v = vector.load %x[%t, %j] : {ROWS}, vector<4xf32>
        %m = vector.create_mask %c2 : vector<4xi1>
        %w = vector.maskedload %x[%t, %c5], %m, %v : {ROWS}, vector<4xi1>, vector<4xf32> into vector<4xf32>
        vector.store %w, %y[%t, %j] : {ROWS}, vector<4xf32>
        vector.maskedstore %y[%t, %c0], %m, %v : {ROWS}, vector<4xi1>, vector<4xf32>
    """,
    "gathers": f"""
        %pass = vector.broadcast %e : f32 to vector<8xf32>
        %o = vector.transfer_read %i[%t, %c0], %c0 {{in_bounds = [true]}} : memref<37x8xindex>, vector<8xindex>
        %j = arith.remui %b, %c8 : index
        %m = vector.create_mask %j : vector<8xi1>
        %v = vector.gather %x[%c0, %c3] [%o], %m, %pass : {ROWS}, vector<8xindex>, vector<8xi1>, vector<8xf32> into vector<8xf32>
        {write("%v", 8)}
    """,
    "steps": """
        %o = vector.step : vector<4xindex>
        %w = vector.broadcast %a : index to vector<4xindex>
        %s = arith.muli %o, %w : vector<4xindex>
        vector.transfer_write %s, %n[%t, %c0] {in_bounds = [true]} : vector<4xindex>, memref<37x4xindex>
    """,
    "bitcasts": f"""
        {READ8}
        %w = vector.bitcast %v : vector<8xf32> to vector<16xi16>
        %u = vector.bitcast %w : vector<16xi16> to vector<8xf32>
        {write("%u", 8)}
    """,
    "views": f"""
        %j = arith.remui %a, %c5 : index
        %r = memref.subview %x[%t, %j] [1, 16] [1, 1] : {ROWS} to memref<16xf32, strided<[1], offset: ?>>
        %q = memref.expand_shape %r [[0, 1]] output_shape [4, 4] : memref<16xf32, strided<[1], offset: ?>> into memref<4x4xf32, strided<[4, 1], offset: ?>>
        %w = memref.subview %q[0, %c2] [4, 2] [1, 1] : memref<4x4xf32, strided<[4, 1], offset: ?>> to memref<4x2xf32, strided<[4, 1], offset: ?>>
        %p = memref.load %w[%c3, %c1] : memref<4x2xf32, strided<[4, 1], offset: ?>>
        %k = memref.collapse_shape %y [[0, 1]] : {ROWS} into memref<888xf32>
        %place = affine.apply affine_map<(d0) -> (d0 * 24 + 7)>(%t)
        memref.store %p, %k[%place] : memref<888xf32>
        %z = memref.reinterpret_cast %k to offset: [%place], sizes: [2, 2], strides: [4, 2] : memref<888xf32> to memref<2x2xf32, strided<[4, 2], offset: ?>>
        memref.store %e, %z[%c1, %c1] : memref<2x2xf32, strided<[4, 2], offset: ?>>
        %d = memref.dim %w, %c0 : memref<4x2xf32, strided<[4, 1], offset: ?>>
        {put("%d")}
    """,
    "slices of sizes of the lane": f"""
        %j = arith.remui %a, %c8 : index
        %size = affine.apply affine_map<(d0) -> (24 - d0)>(%j)
        %r = memref.subview %x[%t, %j] [1, %size] [1, 1] : {ROWS} to memref<?xf32, strided<[1], offset: ?>>
        %d = memref.dim %r, %c0 : memref<?xf32, strided<[1], offset: ?>>
        %last = arith.subi %d, %c1 : index
        %p = memref.load %r[%last] : memref<?xf32, strided<[1], offset: ?>>
        memref.store %p, %y[%t, %c0] : {ROWS}
    """,
    "copies of rows": f"""
        %r = memref.subview %x[%t, 2] [1, 4] [1, 1] : {ROWS} to memref<4xf32, strided<[1], offset: ?>>
        %w = memref.subview %y[%t, 1] [1, 4] [1, 2] : {ROWS} to memref<4xf32, strided<[2], offset: ?>>
        "memref.copy"(%r, %w) : (memref<4xf32, strided<[1], offset: ?>>, memref<4xf32, strided<[2], offset: ?>>) -> ()
    """,
    "affine accesses": f"""
        %p = affine.load %x[%t, %c2 + 3] : {ROWS}
        affine.store %p, %y[%t, %c0 + 1] : {ROWS}
        %m = affine.min affine_map<(d0)[s0] -> (d0 + s0, 10, d0 * 2)>(%t)[%a]
        {put("%m")}
        %q = affine.apply affine_map<(d0, d1) -> ((d0 * 5 + d1) mod 7 + (d0 floordiv 3) - (d1 ceildiv 4))>(%t, %a)
        {put("%q", "%c1")}
    """,
    "private memory": f"""
        %p = memref.alloca() : memref<2x3xf32>
        affine.for %r = 0 to 2 {{
          affine.for %q = 0 to 3 {{
            %w = memref.load %x[%t, %q] : {ROWS}
            memref.store %w, %p[%r, %q] : memref<2x3xf32>
          }}
        }}
        %j = arith.remui %a, %c3 : index
        %w = memref.load %p[%c1, %j] : memref<2x3xf32>
        memref.store %w, %y[%t, %c0] : {ROWS}
    """,
    "branches with results": f"""
        {READ8}
        %p = arith.cmpi slt, %a, %b : index
        %s, %u = scf.if %p -> (vector<8xf32>, index) {{
          %w = arith.addf %v, %v : vector<8xf32>
          scf.yield %w, %a : vector<8xf32>, index
        }} else {{
          %k = arith.constant dense<2.0> : vector<8xf32>
          scf.yield %k, %c5 : vector<8xf32>, index
        }}
        {write("%s", 8)}
        {put("%u")}
    """,
    "branches in branches": f"""
        %p = arith.cmpi slt, %a, %b : index
        %q = arith.cmpf ogt, %e, %zero : f32
        scf.if %p {{
          scf.if %q {{
            {put("%a")}
          }} else {{
            {put("%b")}
          }}
        }} else {{
          scf.if %q {{
            {put("%c5", "%c1")}
          }}
        }}
        {put("%c3", "%c2")}
    """,
    "loops of bounds of the lane": f"""
        %upper = arith.remui %a, %c8 : index
        %sum, %last = scf.for %k = %c1 to %upper step %c2 iter_args(%acc = %zero, %l = %c0) -> (f32, index) {{
          %w = memref.load %x[%t, %k] : {ROWS}
          %s = arith.addf %acc, %w : f32
          scf.yield %s, %k : f32, index
        }}
        memref.store %sum, %y[%t, %c0] : {ROWS}
        {put("%last")}
    """,
    "loops of steps of the lane": f"""
        %more = arith.remui %b, %c3 : index
        %step = arith.addi %more, %c1 : index
        %count = scf.for %k = %t to %c8 step %step iter_args(%acc = %c0) -> (index) {{
          %s = arith.addi %acc, %k : index
          scf.yield %s : index
        }}
        {put("%count")}
    """,
    "affine loops": f"""
        %sum = affine.for %k = max affine_map<(d0) -> (d0 - 30, 2)>(%t) to min affine_map<(d0) -> (d0, 9)>(%t) step 2 iter_args(%acc = %zero) -> (f32) {{
          %w = memref.load %x[%t, %k] : {ROWS}
          %s = arith.addf %acc, %w : f32
          affine.yield %s : f32
        }}
        memref.store %sum, %y[%t, %c0] : {ROWS}
    """,
    "loops that end by themselves": f"""
        %start = arith.remui %a, %c8 : index
        %left, %seen = scf.while (%k = %start, %s = %c0) : (index, index) -> (index, index) {{
          %more = arith.cmpi ugt, %k, %c2 : index
          %s1 = arith.addi %s, %c3 : index
          scf.condition(%more) %k, %s1 : index, index
        }} do {{
        ^bb0(%k: index, %s: index):
          %next = arith.subi %k, %c1 : index
          %s2 = arith.addi %s, %k : index
          scf.yield %next, %s2 : index, index
        }}
        {put("%left")}
        {put("%seen", "%c1")}
    """,
    "switches": f"""
        %j = arith.remui %a, %c5 : index
        %s = scf.index_switch %j -> index
        case 0 {{
          scf.yield %a : index
        }}
        case 3 {{
          scf.yield %b : index
        }}
        default {{
          scf.yield %c5 : index
        }}
        {put("%s")}
    """,
}


def arguments() -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [
        rng.standard_normal((THREADS, 24)).astype(np.float32),
        rng.integers(0, 60, (THREADS, 8)),
        np.zeros((THREADS, 24), np.float32),
        np.zeros((THREADS, 4), np.int64),
    ]


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.every(2)
def test_all_at_once_is_one_by_one(simulate, name):
    body = PRELUDE + BODIES[name]
    expected, got = arguments(), arguments()
    one = Interpreter(parse(f"func.func @f(%t: index, {ARGUMENTS}) {{\n{body}\nfunc.return\n}}"), interpreter_rules())
    for t in range(THREADS):
        one.call("f", (t, *expected))
    reports = simulate(
        f"({ARGUMENTS})",
        f"%t = gpu.thread_id x\n{body}".replace("memref<2x3xf32>", "memref<2x3xf32, #gpu.address_space<private>>"),
        got,
        block=THREADS,
    )
    assert reports == ()
    assert any(np.any(a) for a in expected[2:]), "the case writes something"
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)
