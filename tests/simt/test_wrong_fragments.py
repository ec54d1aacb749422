"""Matrix products whose lanes hold the wrong elements are reported; those that hold them in any right way are not."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from stepwell.dialects.interp.simt import ReportKind, SimulationError

RNG = np.random.default_rng(5)
SHARED = "#gpu.address_space<workgroup>"
HERE = "// here"
"""Ends the line of the op that must be reported."""

START = """
%t = gpu.thread_id x
%lane = gpu.lane_id
%w = gpu.subgroup_id : index
%c0 = arith.constant 0 : index
%c1 = arith.constant 1 : index
%c2 = arith.constant 2 : index
%z = arith.constant 0.0 : f16
%none = arith.constant dense<0.0> : vector<2x2xf32>
"""

Place = Callable[[int, int], Sequence[str]]
"""From (register, which of the pair) to the indices a lane `l` of subgroup `w` loads it from."""


def row_of_a(register: int, pair: int) -> str:
    return f"l floordiv 4 + {8 * (register % 2)}"


def column_of_a(register: int, pair: int) -> str:
    return f"(l mod 4) * 2 + {8 * (register // 2) + pair}"


def row_of_b(register: int, pair: int) -> str:
    return f"(l mod 4) * 2 + {8 * register + pair}"


def column_of_b(register: int, pair: int) -> str:
    return "l floordiv 4"


def a_by_rows(register: int, pair: int) -> list[str]:
    return [row_of_a(register, pair), column_of_a(register, pair)]


def b_by_rows(register: int, pair: int) -> list[str]:
    return [row_of_b(register, pair), column_of_b(register, pair)]


def index(name: str, expression: str) -> str:
    return f"%{name} = affine.apply affine_map<(l, w) -> ({expression})>(%lane, %w)\n"


def by_hand(name: str, source: str, kind: str, registers: int, place: Place) -> str:
    """A fragment loaded element by element."""
    lines = [f"%{name}_0 = vector.broadcast %z : f16 to vector<{registers}x2xf16>\n"]
    for n in range(2 * registers):
        register, pair = divmod(n, 2)
        indices = place(register, pair)
        lines += [index(f"{name}_{n}_{i}", expression) for i, expression in enumerate(indices)]
        listed = ", ".join(f"%{name}_{n}_{i}" for i in range(len(indices)))
        last = name if n == 2 * registers - 1 else f"{name}_{n + 1}"
        lines += [
            f"%{name}_v{n} = memref.load %{source}[{listed}] : {kind}\n",
            f"%{last} = vector.insert %{name}_v{n}, %{name}_{n}[{register}, {pair}] : f16 into vector<{registers}x2xf16>\n",
        ]
    return "".join(lines)


def tiles(
    name: str, source: str, kind: str, count: int, row: str, column: str, transposed: bool, slot: str = ""
) -> str:
    """A fragment loaded by `ldmatrix`."""
    return (
        index(f"{name}_r", row)
        + index(f"{name}_c", column)
        + f"%{name} = nvgpu.ldmatrix %{source}[{slot}%{name}_r, %{name}_c] "
        f"{{numTiles = {count} : i32, transpose = {str(transposed).lower()}}} : {kind} -> vector<{count}x2xf16>\n"
    )


def product(a: str = "fa", b: str = "fb", k: int = 16) -> str:
    types = f"(vector<{k // 4}x2xf16>, vector<{k // 8}x2xf16>, vector<2x2xf32>)"
    return f"%fd = nvgpu.mma.sync(%{a}, %{b}, %none) {{mmaShape = [16, 8, {k}]}} : {types} -> vector<2x2xf32> {HERE}\n"


STORE = "".join(
    index(f"d_r{half}", f"w * 16 + l floordiv 4 + {8 * half}")
    + index(f"d_c{half}", "(l mod 4) * 2")
    + f"%d_v{half} = vector.extract %fd[{half}] : vector<2xf32> from vector<2x2xf32>\n"
    f"vector.transfer_write %d_v{half}, %d[%d_r{half}, %d_c{half}] {{in_bounds = [true]}} : vector<2xf32>, memref<32x8xf32>\n"
    for half in range(2)
)

ROWS_OF_A = "w * 16 + l mod 16"
COLUMNS_OF_A = "(l floordiv 16) * 8"
FOR_A = f"memref<32x16xf16, {SHARED}>"
FOR_B = f"memref<16x16xf16, {SHARED}>"
SIGNATURE = (
    "(%a: memref<32x16xf16>, %b: memref<16x16xf16>, %d: memref<32x8xf32>) workgroup(%sa: "
    + FOR_A
    + ", %sb: "
    + FOR_B
    + ")"
)


THREAD = "(w * 32 + l)"
PLAIN = f"({THREAD} mod 2) * 8"
SWIZZLED = f"(({THREAD} + {THREAD} floordiv 2) mod 2) * 8"
"""Of two runs of a row the other one in odd rows."""


def staged(a_column: str = PLAIN, b_column: str = PLAIN) -> str:
    """Each of 64 threads copies a run of 8 of A, the first 32 one of B too; columns in shared memory as told."""
    return (
        index("row", f"{THREAD} floordiv 2")
        + index("from", PLAIN)
        + index("to_a", a_column)
        + index("to_b", b_column)
        + f"""
        %copied = vector.transfer_read %a[%row, %from], %z {{in_bounds = [true]}} : memref<32x16xf16>, vector<8xf16>
        vector.transfer_write %copied, %sa[%row, %to_a] {{in_bounds = [true]}} : vector<8xf16>, {FOR_A}
        %c32 = arith.constant 32 : index
        %copies = arith.cmpi ult, %t, %c32 : index
        scf.if %copies {{
          %token = nvgpu.device_async_copy %b[%row, %from], %sb[%row, %to_b], 8 : memref<16x16xf16> to {FOR_B}
        }}
        %group = nvgpu.device_async_create_group
        nvgpu.device_async_wait %group
        gpu.barrier
        """
    )


A_TILES = tiles("fa", "sa", FOR_A, 4, ROWS_OF_A, COLUMNS_OF_A, False)
OTHER_ROWS = "w * 16 + (l floordiv 16) * 8 + l mod 8"
OTHER_COLUMNS = "((l floordiv 8) mod 2) * 8"
OTHER_TILES = tiles("fa", "sa", FOR_A, 4, OTHER_ROWS, OTHER_COLUMNS, False)
B_TILES = tiles("fb", "sb", FOR_B, 2, "l mod 16", "0", True)


@dataclass(frozen=True)
class Case:
    """A kernel with `<wrong>` where it is wrong, or right with `right` in that place."""

    name: str
    body: str
    wrong: str
    right: str
    threads: tuple[int, ...]
    """The first threads reported."""
    message: str
    signature: str = SIGNATURE
    a_shape: tuple[int, ...] = (32, 16)
    b_shape: tuple[int, ...] = (16, 16)
    expected: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda a, b: a @ b[:, :8]


HAND_A, WIDE_A, HAND_B = "memref<16x16xf16>", "memref<16x24xf16>", "memref<16x8xf16>"
BY_HAND = f"(%a: {HAND_A}, %b: {HAND_B}, %d: memref<32x8xf32>)"
B_BY_HAND = by_hand("fb", "b", HAND_B, 2, b_by_rows)


def hand_case(name: str, wrong: str, right: str, threads: tuple[int, ...], message: str, k: int = 16) -> Case:
    return Case(
        name, START + "<wrong>" + product(k=k) + STORE, wrong, right, threads, message,
        f"(%a: memref<16x{k}xf16>, %b: memref<{k}x8xf16>, %d: memref<32x8xf32>)", (16, k), (k, 8),
        lambda a, b: np.concatenate([a @ b] * 2),
    )  # fmt: skip


A_BY_HAND = by_hand("fa", "a", HAND_A, 4, a_by_rows)

CASES = [
    Case(
        "A lies transposed in shared memory and is loaded without transposing it",
        START
        + staged()
        + OTHER_TILES.replace("transpose = false", "transpose = <wrong>")
        + B_TILES
        + product()
        + STORE,
        "false",
        "true",
        (0, 1, 2, 3),
        r"lane 0 of subgroup 0 gives, in register \[2, 0\], as element \(0, 8\) of A shared memory %sa\[8, 0\]: it comes from "
        r"memory row 8, others of its row from row 0",
        expected=lambda a, b: np.concatenate([a[:16].T @ b[:, :8], a[16:].T @ b[:, :8]]),
    ),
    Case(
        "B lies by rows and is loaded without transposing it",
        START + staged() + A_TILES + B_TILES.replace("true", "<wrong>") + product() + STORE,
        "false",
        "true",
        (0, 1, 2, 3),
        r"lane 0 of subgroup 0 gives, in register \[1, 0\], as element \(8, 0\) of B shared memory %sb\[8, 0\]: "
        r"it comes from memory row 8, others of its column from row 0",
    ),
    Case(
        "the lanes that address tiles 1 and 2 of A are exchanged",
        START + staged() + "<wrong>" + B_TILES + product() + STORE,
        OTHER_TILES,
        A_TILES,
        (0, 1, 2, 3),
        r"lane 0 of subgroup 0 gives, in register \[2, 0\], as element \(0, 8\) of A shared memory %sa\[8, 0\]: "
        r"it comes from memory row 8, others of its row from row 0",
    ),
    Case(
        "only the second subgroup exchanges tiles",
        START
        + staged()
        + index("row_right", ROWS_OF_A)
        + index("column_right", COLUMNS_OF_A)
        + index("row_other", OTHER_ROWS)
        + index("column_other", OTHER_COLUMNS)
        + f"""
        %second = arith.cmpi eq, %w, <wrong> : index
        %row_used = arith.select %second, %row_other, %row_right : index
        %column_used = arith.select %second, %column_other, %column_right : index
        %fa = nvgpu.ldmatrix %sa[%row_used, %column_used] {{numTiles = 4 : i32, transpose = false}} : {FOR_A} -> vector<4x2xf16>
        """
        + B_TILES
        + product()
        + STORE,
        "%c1",
        "%c2",
        (32, 33, 34, 35),
        r"lane 0 of subgroup 1 gives, in register \[2, 0\], as element \(0, 8\) of A shared memory %sa\[24, 0\]",
    ),
    Case(
        "a fragment of A is used as one of B",
        START
        + staged()
        + A_TILES
        + B_TILES
        + "%half = vector.extract_strided_slice %fa {offsets = [0], sizes = [2], strides = [1]} : vector<4x2xf16> to vector<2x2xf16>\n"
        + product(b="<wrong>")
        + STORE,
        "half",
        "fb",
        (0, 1, 2, 3),
        r"lane 0 of subgroup 0 gives, in register \[1, 0\], as element \(8, 0\) of B shared memory %sa\[8, 0\]",
    ),
    Case(
        "A is written swizzled and read as if it were not",
        START + staged(a_column="<wrong>") + A_TILES + B_TILES + product() + STORE,
        SWIZZLED,
        PLAIN,
        (4, 5, 6, 7),
        r"lane 4 of subgroup 0 gives, in register \[0, 0\], as element \(1, 0\) of A what was copied from %a\[1, 8\]: it "
        r"comes from another column than in other rows, as when only the write or only the read is swizzled",
    ),
    Case(
        "B is written swizzled and read as if it were not",
        START + staged(b_column="<wrong>") + A_TILES + B_TILES + product() + STORE,
        SWIZZLED,
        PLAIN,
        (0, 1, 2, 3),
        r"lane 0 of subgroup 0 gives, in register \[0, 1\], as element \(1, 0\) of B what was copied from %b\[1, 8\]",
    ),
    Case(
        "A is read swizzled and was not written so",
        START
        + staged(a_column="<wrong>")
        + tiles("fa", "sa", FOR_A, 4, ROWS_OF_A, "((l floordiv 16 + l) mod 2) * 8", False)
        + B_TILES
        + product()
        + STORE,
        PLAIN,
        SWIZZLED,
        (4, 5, 6, 7),
        r"lane 4 of subgroup 0 gives, in register \[0, 0\], as element \(1, 0\) of A what was copied from %a\[1, 8\]",
    ),
    Case(
        "the lanes of one row read different slots",
        START
        + index("slot", "<wrong>")
        + f"""
        %m = memref.expand_shape %sa [[0, 1], [2]] output_shape [2, 16, 16] : {FOR_A} into memref<2x16x16xf16, {SHARED}>
        """
        + staged()
        + tiles("fa", "m", f"memref<2x16x16xf16, {SHARED}>", 4, "l mod 16", COLUMNS_OF_A, False, "%slot, ")
        + B_TILES
        + product()
        + STORE,
        "l mod 2",
        "w",
        (4, 5, 6, 7),
        r"lane 4 of subgroup 0 gives, in register \[0, 0\], as element \(1, 0\) of A shared memory %sa\[1, 1, 0\]: it has "
        r"other leading indices than the rows before",
    ),
    Case(
        "a fragment loaded one turn ahead of a loop is wrong from the second turn on",
        START
        + staged()
        + A_TILES.replace("%fa", "%first")
        + B_TILES
        + f"""
        %fd, %left = scf.for %i = %c0 to %c2 step %c1 iter_args(%sum = %none, %now = %first) -> (vector<2x2xf32>, vector<4x2xf16>) {{
          %fd1 = nvgpu.mma.sync(%now, %fb, %sum) {{mmaShape = [16, 8, 16]}} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32> {HERE}
          <wrong>
          scf.yield %fd1, %next : vector<2x2xf32>, vector<4x2xf16>
        }}
        """
        + STORE,
        OTHER_TILES.replace("%fa", "%next"),
        A_TILES.replace("%fa", "%next"),
        (0, 1, 2, 3),
        r"lane 0 of subgroup 0 gives, in register \[2, 0\], as element \(0, 8\) of A",
        expected=lambda a, b: 2 * (a @ b[:, :8]),
    ),
    Case(
        "each lane takes eight elements in a row",
        START + staged() + "<wrong>" + B_TILES + product() + STORE,
        index("fa_r", "w * 16 + l floordiv 2")
        + index("fa_c", "(l mod 2) * 8")
        + f"""
        %run = vector.transfer_read %sa[%fa_r, %fa_c], %z {{in_bounds = [true]}} : {FOR_A}, vector<8xf16>
        %fa = vector.shape_cast %run : vector<8xf16> to vector<4x2xf16>
        """,
        A_TILES,
        (2, 3, 4, 5),
        r"lane 2 of subgroup 0 gives, in register \[0, 0\], as element \(0, 4\) of A shared memory %sa\[1, 0\]: it comes "
        r"from memory row 1, others of its row from row 0",
    ),
    Case(
        "l / 4 and l % 4 are exchanged",
        START + "<wrong>" + B_BY_HAND + product() + STORE,
        by_hand("fa", "a", WIDE_A, 4, lambda r, i: [f"l mod 4 + {8 * (r % 2)}", f"l floordiv 4 * 2 + {8 * (r // 2) + i}"]),
        by_hand("fa", "a", WIDE_A, 4, a_by_rows),
        (1, 2, 3, 5),
        r"lane 1 of subgroup 0 gives, in register \[0, 0\], as element \(0, 2\) of A %a\[1, 0\]: it comes from memory row 1, "
        r"others of its row from row 0",
        BY_HAND.replace(HAND_A, WIDE_A),
        (16, 24),
        (16, 8),
        lambda a, b: np.concatenate([a[:, :16] @ b] * 2),
    ),
    hand_case(
        "row and column of the lanes are exchanged",
        by_hand("fa", "a", HAND_A, 4, lambda r, i: [f"(l mod 4) * 2 + {i} + {8 * (r % 2)}", f"l floordiv 4 + {8 * (r // 2)}"])
        + B_BY_HAND,
        A_BY_HAND + B_BY_HAND,
        (0, 1, 2, 3),
        r"of A %a\[",
    ),
    hand_case(
        "every row is loaded by eight lanes",
        by_hand("fa", "a", HAND_A, 4, lambda r, i: [f"l floordiv 8 + {8 * (r % 2)}", column_of_a(r, i)]) + B_BY_HAND,
        A_BY_HAND + B_BY_HAND,
        (4, 5, 6, 7),
        r"lane 4 of subgroup 0 gives, in register \[1, 0\], as element \(9, 0\) of A %a\[8, 0\]: it comes from the memory "
        r"row of another row",
    ),
    hand_case(
        "a lane has one element twice",
        by_hand("fa", "a", HAND_A, 4, lambda r, i: [row_of_a(r, i), f"(l mod 4) * 2 + {8 * (r // 2)}"]) + B_BY_HAND,
        A_BY_HAND + B_BY_HAND,
        (1, 2, 5, 6),
        r"lane 1 of subgroup 0 gives, in register \[0, 1\], as element \(0, 3\) of A %a\[0, 2\]: it comes from the column "
        r"of another element of its row",
    ),
    hand_case(
        "B pairs rows that are four apart",
        A_BY_HAND + by_hand("fb", "b", HAND_B, 2, lambda r, i: [f"l mod 4 + {8 * r + 4 * i}", column_of_b(r, i)]),
        A_BY_HAND + B_BY_HAND,
        (0, 1, 2, 3),
        r"lane 0 of subgroup 0 gives, in register \[0, 1\], as element \(1, 0\) of B %b\[4, 0\], which meets %a\[0, 1\] of "
        r"A: A and B have the elements of K in different orders",
    ),
    hand_case(
        "the halves of K are exchanged in B",
        A_BY_HAND + by_hand("fb", "b", HAND_B, 2, lambda r, i: b_by_rows(1 - r, i)),
        A_BY_HAND + B_BY_HAND,
        (0, 1, 2, 3),
        r"lane 0 of subgroup 0 gives, in register \[1, 0\], as element \(8, 0\) of B %b\[0, 0\], which meets %a\[0, 8\]",
    ),
    hand_case(
        "A of depth 8 has its second half's rows in the order of the places",
        by_hand("fa", "a", "memref<16x8xf16>", 2, lambda r, i: ["l mod 8 + 8" if r else "l floordiv 4", column_of_a(0, i)])
        + by_hand("fb", "b", "memref<8x8xf16>", 1, b_by_rows),
        by_hand("fa", "a", "memref<16x8xf16>", 2, a_by_rows) + by_hand("fb", "b", "memref<8x8xf16>", 1, b_by_rows),
        (),
        r"of A %a\[",
        k=8,
    ),
]  # fmt: skip


def arguments(case: Case) -> list[np.ndarray]:
    a, b = (RNG.standard_normal(shape).astype(np.float16) for shape in (case.a_shape, case.b_shape))
    return [a, b, np.zeros((32, 8), np.float32)]


def texts(case: Case, part: str) -> tuple[str, str]:
    return case.signature, case.body.replace("<wrong>", part)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_wrong_fragment_is_reported(simulate, case: Case):
    signature, body = texts(case, case.wrong)
    with pytest.raises(SimulationError) as caught:
        simulate(signature, body, arguments(case), block=64)
    report = caught.value
    assert report.kind is ReportKind.WRONG_FRAGMENT, str(report)
    assert report.op.name == "nvgpu.mma.sync"
    (line,) = (n for n, text in enumerate(body.splitlines()) if text.endswith(HERE))
    assert report.location is not None
    assert report.location.line == line + simulate.first_line
    assert report.threads[: len(case.threads)] == case.threads
    assert re.search(case.message, report.message), report.message


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_the_right_twin_passes(simulate, case: Case):
    args = arguments(case)
    assert simulate(*texts(case, case.right), args, block=64) == ()
    want = case.expected(args[0].astype(np.float64), args[1].astype(np.float64))
    np.testing.assert_allclose(args[2], want, rtol=1e-5, atol=1e-5)


def by_hand_both(a: Place, b: Place, a_shape: str, b_shape: str) -> str:
    return by_hand("fa", "a", f"memref<{a_shape}xf16>", 4, a) + by_hand("fb", "b", f"memref<{b_shape}xf16>", 2, b)


def permuted(k: str) -> str:
    """K such that a lane's four elements lie in a row: a pair of each half in turn."""
    return f"(({k}) mod 8) floordiv 2 * 4 + ({k}) floordiv 8 * 2 + ({k}) mod 2"


RIGHT: dict[str, tuple[str, tuple[int, ...], tuple[int, ...], Callable[..., np.ndarray]]] = {
    "rows of A in another order": (
        by_hand_both(lambda r, i: [f"15 - ({row_of_a(r, i)})", column_of_a(r, i)], b_by_rows, "16x16", "16x8"),
        (16, 16),
        (16, 8),
        lambda a, b: a[::-1] @ b,
    ),
    "columns of B in another order": (
        by_hand_both(a_by_rows, lambda r, i: [row_of_b(r, i), f"({column_of_b(r, i)}) * 3 mod 8"], "16x16", "16x8"),
        (16, 16),
        (16, 8),
        lambda a, b: a @ b[:, np.arange(8) * 3 % 8],
    ),
    "K in another order in both": (
        by_hand_both(
            lambda r, i: [row_of_a(r, i), permuted(column_of_a(r, i))],
            lambda r, i: [permuted(row_of_b(r, i)), column_of_b(r, i)],
            "16x16",
            "16x8",
        ),
        (16, 16),
        (16, 8),
        lambda a, b: a @ b,
    ),
    "K backwards in B": (
        by_hand_both(a_by_rows, lambda r, i: [f"15 - ({row_of_b(r, i)})", column_of_b(r, i)], "16x16", "16x8"),
        (16, 16),
        (16, 8),
        lambda a, b: a @ b[::-1],
    ),
    "every second column of A": (
        by_hand_both(lambda r, i: [row_of_a(r, i), f"({column_of_a(r, i)}) * 2"], b_by_rows, "16x32", "16x8"),
        (16, 32),
        (16, 8),
        lambda a, b: a[:, ::2] @ b,
    ),
    "A by columns": (
        by_hand_both(lambda r, i: a_by_rows(r, i)[::-1], b_by_rows, "16x16", "16x8"),
        (16, 16),
        (16, 8),
        lambda a, b: a.T @ b,
    ),
    "A by columns, B too": (
        by_hand_both(lambda r, i: a_by_rows(r, i)[::-1], lambda r, i: b_by_rows(r, i)[::-1], "16x16", "8x16"),
        (16, 16),
        (8, 16),
        lambda a, b: a.T @ b.T,
    ),
    "columns that begin anywhere": (
        by_hand_both(lambda r, i: [row_of_a(r, i), column_of_a(r, i) + " + 3"], b_by_rows, "16x20", "16x8"),
        (16, 20),
        (16, 8),
        lambda a, b: a[:, 3:19] @ b,
    ),
    "one row for all": (
        by_hand_both(lambda r, i: ["0", column_of_a(r, i)], b_by_rows, "2x16", "16x8"),
        (2, 16),
        (16, 8),
        lambda a, b: np.repeat(a[:1], 16, axis=0) @ b,
    ),
    "one column for all": (
        by_hand_both(a_by_rows, lambda r, i: [row_of_b(r, i), "0"], "16x16", "16x2"),
        (16, 16),
        (16, 2),
        lambda a, b: a @ np.repeat(b[:, :1], 8, axis=1),
    ),
    "a matrix of tiles": (
        by_hand_both(lambda r, i: [str(r // 2), str(r % 2), "l floordiv 4", f"(l mod 4) * 2 + {i}"], b_by_rows, "2x2x8x8", "16x8"),
        (2, 2, 8, 8),
        (16, 8),
        lambda a, b: a.transpose(1, 2, 0, 3).reshape(16, 16) @ b,
    ),
    "a matrix of runs of eight": (
        by_hand_both(lambda r, i: [str(r // 2), row_of_a(r, i), f"(l mod 4) * 2 + {i}"], b_by_rows, "2x16x8", "16x8"),
        (2, 16, 8),
        (16, 8),
        lambda a, b: a.transpose(1, 0, 2).reshape(16, 16) @ b,
    ),
    "rows with a dimension between": (
        by_hand_both(lambda r, i: [row_of_a(r, i), "0", column_of_a(r, i)], b_by_rows, "16x1x16", "16x8"),
        (16, 1, 16),
        (16, 8),
        lambda a, b: a[:, 0] @ b,
    ),
    "a fragment stored as such": (
        by_hand_both(lambda r, i: ["l", str(2 * r + i)], b_by_rows, "32x8", "16x8"),
        (32, 8),
        (16, 8),
        lambda a, b: a.reshape(8, 4, 2, 2, 2).transpose(3, 0, 2, 1, 4).reshape(16, 16) @ b,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_other_right_layouts_pass(simulate, name: str):
    body, a_shape, b_shape, expected = RIGHT[name]
    a, b = (RNG.standard_normal(shape).astype(np.float16) for shape in (a_shape, b_shape))
    d = np.zeros((32, 8), np.float32)
    kinds = [f"memref<{'x'.join(map(str, shape))}xf16>" for shape in (a_shape, b_shape)]
    signature = f"(%a: {kinds[0]}, %b: {kinds[1]}, %d: memref<32x8xf32>)"
    assert simulate(signature, START + body + product() + STORE, [a, b, d]) == ()
    np.testing.assert_allclose(d[:16], expected(a.astype(np.float64), b.astype(np.float64)), rtol=1e-5, atol=1e-5)


def test_rows_beyond_an_edge_may_be_clamped_or_left_out(simulate):
    """Of 11 rows and 13 columns; what is left out is zero."""
    clamp = "".join(
        index(f"r{half}", f"l floordiv 4 + {8 * half}")
        + f"%rc{half} = arith.minsi %r{half}, %last : index\n"
        + "".join(
            index(f"c{half}{part}", f"(l mod 4) * 2 + {8 * part}")
            + f"%v{half}{part} = vector.transfer_read %a[%rc{half}, %c{half}{part}], %z : memref<11x13xf16>, vector<2xf16>\n"
            for part in range(2)
        )
        for half in range(2)
    )
    build = "%fa0 = arith.constant dense<0.0> : vector<4x2xf16>\n" + "".join(
        f"%fa{'' if n == 3 else n + 1} = vector.insert %v{n % 2}{n // 2}, %fa{n}[{n}] : vector<2xf16> into vector<4x2xf16>\n"
        for n in range(4)
    )
    body = START + "%last = arith.constant 10 : index\n" + clamp + build + B_BY_HAND + product() + STORE
    a, b = RNG.standard_normal((11, 13)).astype(np.float16), RNG.standard_normal((16, 8)).astype(np.float16)
    d = np.zeros((32, 8), np.float32)
    assert simulate(BY_HAND.replace(HAND_A, "memref<11x13xf16>"), body, [a, b, d]) == ()
    want = a.astype(np.float64) @ b[:13].astype(np.float64)
    np.testing.assert_allclose(d[:11], want, rtol=1e-5, atol=1e-5)


def test_computed_elements_are_never_wrong(simulate):
    """Even where the elements computed with are those of other lanes."""
    case = CASES[1]
    signature, body = texts(case, case.wrong)
    changed = "%changed = arith.negf %fb : vector<2x2xf16>\n"
    body = body.replace(product(), changed + product(b="changed"))
    assert simulate(signature, body, arguments(case), block=64) == ()


def test_elements_of_other_stores_are_forgotten(simulate):
    """A swizzled tile that is overwritten by computed numbers has no origin that could be wrong."""
    case = next(c for c in CASES if c.name.startswith("A is written swizzled"))
    signature, body = texts(case, case.wrong)
    zeros = f"""
        %zeros = arith.constant dense<0.0> : vector<8xf16>
        vector.transfer_write %zeros, %sa[%row, %from] {{in_bounds = [true]}} : vector<8xf16>, {FOR_A}
        gpu.barrier
        """
    body = body.replace(A_TILES, zeros + A_TILES)
    args = arguments(case)
    assert simulate(signature, body, args, block=64) == ()
    np.testing.assert_array_equal(args[2], 0)


def test_without_checks_a_wrong_fragment_is_only_a_wrong_number(simulate):
    case = CASES[1]
    assert simulate(*texts(case, case.wrong), arguments(case), block=64, check=False) == ()


def test_a_wrong_product_is_collected_once(simulate):
    case = next(c for c in CASES if c.name.startswith("a fragment loaded one turn ahead"))
    found = simulate(*texts(case, case.wrong), arguments(case), block=64, collect=9)
    assert [(r.kind, r.op.name) for r in found] == [(ReportKind.WRONG_FRAGMENT, "nvgpu.mma.sync")]
