"""Why ops are not put together: a program for every reason that fusion gives, found in its code so that none is forgotten."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Sequence

import pytest
from xdsl.dialects.linalg import ops as linalg

from stepwell.dialects.registry import DIALECTS, get_dialect
from stepwell.ir.context import make_context
from stepwell.ir.machine import machine_of
from stepwell.ir.parser import parse_module
from stepwell.passes.fuse_elementwise import FuseElementwisePass
from stepwell.passes.fusion import decide, epilogue, join, rows
from stepwell.passes.plan_kernels import PlanKernelsPass

MODULES = (decide, epilogue, join, rows)
CORES = 'level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l2_bytes = 1048576 : i64'
SUBGROUPS = 'level = "simt", subgroup = 32 : i64, vector_bits = 4096 : i64, cores = 132 : i64, block_threads = 1024 : i64, l2_bytes = 52428800 : i64'
CANNOT_HAPPEN = ("not all of its ops are loops over tensors",)
"""Pairs are of generics, and groups are joined with others later: said for the case that this changes."""
NOT_STATIC = "not all shapes are static"


class Program:
    """Writes a function of generics, one dim a letter of `kinds`: parallel or reduction."""

    def __init__(self) -> None:
        self.arguments: list[str] = []
        self.lines: list[str] = []
        self.types: dict[str, str] = {}

    def argument(self, *shape: int | str, element: str = "f32") -> str:
        name = f"%x{len(self.arguments)}"
        self.types[name] = f"tensor<{'x'.join(map(str, (*shape, element)))}>"
        self.arguments.append(f"{name}: {self.types[name]}")
        return name

    def generic(
        self,
        reads: Sequence[tuple[str, str]],
        body: str,
        kinds: str = "pp",
        written: tuple[str, tuple[int | str, ...]] = ("d0, d1", (64, 64)),
        onto: str | None = None,
    ) -> str:
        """A generic whose body makes %y of %a0, %a1, ... and %o (without one it moves %a0); sums start from zero, or `onto`."""
        number, (out, shape) = len(self.lines), written
        kind, name = f"tensor<{'x'.join(map(str, (*shape, 'f32')))}>", f"%v{number}"
        start = onto
        if start is None:
            start = f"%e{number}"
            sizes = ", ".join(["%n"] * sum(n == "?" for n in shape))
            self.lines.append(f"{start} = tensor.empty({sizes}) : {kind}")
            if "r" in kinds:
                self.lines.append(f"%f{number} = linalg.fill ins(%zero : f32) outs({start} : {kind}) -> {kind}")
                start = f"%f{number}"
        dims = ", ".join(f"d{i}" for i in range(len(kinds)))
        maps = ", ".join(f"affine_map<({dims}) -> ({m})>" for m in (*(m for _, m in reads), out))
        words = ", ".join('"parallel"' if k == "p" else '"reduction"' for k in kinds)
        values, types = ", ".join(v for v, _ in reads), ", ".join(self.types[v] for v, _ in reads)
        element = [
            self.types[v].rsplit("x", 1)[1][:-1] if "complex" not in self.types[v] else "complex<f32>" for v, _ in reads
        ]
        block = ", ".join([*(f"%a{i}: {e}" for i, e in enumerate(element)), "%o: f32"])
        self.lines.append(
            f"{name} = linalg.generic {{indexing_maps = [{maps}], iterator_types = [{words}]}} "
            f"ins({values} : {types}) outs({start} : {kind}) {{\n^bb0({block}):\n{body}\nlinalg.yield {'%y' if body else '%a0'} : f32\n}} -> {kind}"
        )
        self.types[name] = kind
        return name

    def reshaped(self, value: str) -> str:
        """What no generic makes: a value of 64x64 as one dim and back."""
        number = len(self.lines)
        self.lines.append(
            f"%c{number} = tensor.collapse_shape {value} [[0 : i64, 1 : i64]] : tensor<64x64xf32> into tensor<4096xf32>"
        )
        self.lines.append(
            f"%v{number} = tensor.expand_shape %c{number} [[0 : i64, 1 : i64]] output_shape [64, 64] : tensor<4096xf32> into tensor<64x64xf32>"
        )
        self.types[f"%v{number}"] = "tensor<64x64xf32>"
        return f"%v{number}"

    def product(self, x: str, w: str, rows: int = 64, columns: int = 64) -> str:
        """`x` times `w`, as tiles."""
        body = "%p = arith.mulf %a0, %a1 : f32\n%y = arith.addf %o, %p : f32"
        return self.generic([(x, "d0, d2"), (w, "d2, d1")], body, "ppr", ("d0, d1", (rows, columns)))

    def text(self, results: Sequence[str], target: str) -> str:
        types = ", ".join(self.types[r] for r in results)
        body = "\n".join(self.lines)
        return (
            f"module attributes {{stepwell.target = {{{target}}}}} {{\nfunc.func @f({', '.join(self.arguments)}) -> ({types}) {{\n"
            f"%zero = arith.constant 0.0 : f32\n%n = arith.constant 64 : index\n{body}\n"
            f"func.return {', '.join(results)} : {types}\n}}\n}}"
        )


EXP, NEG = "%y = math.exp %a0 : f32", "%y = arith.negf %a0 : f32"
ADD, SUM, MAX = "%y = arith.addf %a0, %a1 : f32", "%y = arith.addf %o, %a0 : f32", "%y = arith.maximumf %o, %a0 : f32"
HERE, TURNED = "d0, d1", "d1, d0"
ROWS = ("d0", (64,))


def a_product(p: Program) -> str:
    return p.product(p.argument(64, 32), p.argument(32, 64))


# What fuse-elementwise stores.


def computing_before_a_product(p: Program) -> list[str]:
    x = p.generic([(p.argument(64, 64), HERE)], EXP)
    return [p.product(x, p.argument(64, 64))]


def a_reversed_product(p: Program) -> list[str]:
    x = p.generic([(p.argument(64, 64), "d0 * -1 + 63, d1")], "")
    return [p.product(x, p.argument(64, 64))]


def the_extent_of_a_sum(p: Program) -> list[str]:
    wide = p.generic([(p.argument(64), "d0"), (p.argument(64), "d0")], ADD)
    return [p.generic([(wide, HERE)], SUM, "pr", ROWS)]


def a_body_that_grows_too_large(p: Program) -> list[str]:
    steps = ["%b0 = math.exp %a0 : f32", *(f"%b{i} = math.exp %b{i - 1} : f32" for i in range(1, 55))]
    long = p.generic([(p.argument(64, 64), HERE)], "\n".join([*steps, "%y = arith.negf %b54 : f32"]))
    return [p.generic([(long, HERE)], NEG)]


def too_many_operands(p: Program) -> list[str]:
    first = p.generic([(p.argument(64, 64), HERE), (p.argument(64, 64), HERE)], ADD)
    steps = [f"%b{i} = arith.addf %a{i}, {'%a0' if i == 1 else f'%b{i - 1}'} : f32" for i in range(1, 24)]
    others = [(p.argument(64, 64), HERE) for _ in range(23)]
    return [p.generic([(first, HERE), *others], "\n".join([*steps, "%y = arith.negf %b23 : f32"]))]


def a_result_that_is_returned(p: Program) -> list[str]:
    written = (HERE, (1024, 1024))
    made = p.generic([(p.argument(1024, 1024), HERE)], EXP, written=written)
    return [made, p.generic([(made, HERE)], NEG, written=written)]


def an_epilogue_with_two_readers(p: Program) -> list[str]:
    made = p.generic([(a_product(p), HERE)], EXP)
    return [p.generic([(made, HERE)], SUM, "pr", ROWS), p.generic([(made, TURNED)], SUM, "pr", ROWS)]


def much_work_repeated(p: Program) -> list[str]:
    few = p.generic([(p.argument(4096), "d0")], EXP, "p", ("d0", (4096,)))
    return [p.generic([(p.argument(4096, 512), HERE), (few, "d0")], ADD, written=(HERE, (4096, 512)))]


# What plan-kernels keeps apart.


def a_value_that_leaves_and_comes_back(p: Program) -> list[str]:
    a = p.generic([(p.argument(64, 64), HERE)], EXP)
    away = p.reshaped(p.generic([(a, TURNED)], NEG))
    return [p.generic([(a, HERE), (away, HERE)], ADD)]


def what_ends_a_product(p: Program) -> list[str]:
    made, other = a_product(p), p.generic([(p.argument(64, 64), HERE)], EXP)
    return [p.generic([(made, HERE), (other, HERE)], ADD)]


def a_long_chain(p: Program) -> list[str]:
    value = p.argument(64, 64)
    for _ in range(33):
        value = p.generic([(value, HERE)], NEG)
    return [value]


def many_arrays(p: Program) -> list[str]:
    x, written = p.argument(256, 256), (HERE, (256, 256))
    return [p.generic([(x, HERE), (p.argument(256, 256), HERE)], ADD, written=written) for _ in range(9)]


def rows_of_a_product(p: Program) -> list[str]:
    made = a_product(p)
    map_ = p.generic([(made, HERE)], NEG)
    return [p.generic([(map_, HERE)], MAX, "pr", ROWS), p.generic([(made, TURNED)], NEG)]


def a_state_that_is_updated(p: Program) -> list[str]:
    made, written = p.product(p.argument(1024, 64), p.argument(64, 512), 1024, 512), (HERE, (1024, 512))
    state = p.generic([(made, HERE), (p.argument(1024, 512), HERE)], ADD, written=written)
    return [state, p.generic([(state, HERE), (p.argument(1024, 512), HERE)], ADD, written=written)]


def a_sum_of_a_product(p: Program) -> list[str]:
    return [p.generic([(a_product(p), HERE)], MAX, "pr", ROWS)]


def a_product_repeated(p: Program) -> list[str]:
    return [p.generic([(a_product(p), HERE)], NEG, "ppp", ("d0, d1, d2", (64, 64, 4)))]


def a_product_written_turned(p: Program) -> list[str]:
    return [p.generic([(a_product(p), HERE)], NEG, written=(TURNED, (64, 64)))]


def a_product_read_turned(p: Program) -> list[str]:
    return [p.generic([(a_product(p), TURNED)], NEG)]


GATHER = (
    "%i = linalg.index 1 : index\n%j = tensor.extract {0}[%i, %i] : tensor<64x64xf32>\n%y = arith.addf %a0, %j : f32"
)


def a_product_and_a_gather(p: Program) -> list[str]:
    made = a_product(p)
    return [p.generic([(made, HERE)], GATHER.format(made))]


def a_product_and_complex_numbers(p: Program) -> list[str]:
    other = p.argument(64, 64, element="complex<f32>")
    body = "%r = complex.re %a1 : complex<f32>\n%y = arith.addf %a0, %r : f32"
    return [p.generic([(a_product(p), HERE), (other, HERE)], body)]


def a_map_written_turned(p: Program) -> list[str]:
    return [p.generic([(p.generic([(p.argument(64, 64), HERE)], EXP), HERE)], NEG, written=(TURNED, (64, 64)))]


def a_map_read_turned(p: Program) -> list[str]:
    return [p.generic([(p.generic([(p.argument(64, 64), HERE)], EXP), TURNED)], NEG)]


def a_map_and_a_gather(p: Program) -> list[str]:
    made = p.generic([(p.argument(64, 64), HERE)], EXP)
    return [p.generic([(made, HERE)], GATHER.format(made))]


def columns_after_rows(p: Program) -> list[str]:
    return [
        p.generic(
            [(p.generic([(p.argument(64, 32), HERE)], EXP, written=(HERE, (64, 32))), TURNED)], MAX, "pr", ("d0", (32,))
        )
    ]


def no_rows_at_all(p: Program) -> list[str]:
    made = p.generic([(p.argument(0, 64), HERE)], EXP, written=(HERE, (0, 64)))
    return [p.generic([(made, HERE)], MAX, "pr", ("d0", (0,)))]


def rows_that_are_long(p: Program) -> list[str]:
    made = p.generic([(p.argument(16, 1 << 18), HERE)], EXP, written=(HERE, (16, 1 << 18)))
    return [p.generic([(made, HERE)], MAX, "pr", ("d0", (16,)))]


def rows_that_are_few(p: Program) -> list[str]:
    made = p.generic([(p.argument(4, 16384), HERE)], EXP, written=(HERE, (4, 16384)))
    return [p.generic([(made, HERE)], MAX, "pr", ("d0", (4,)))]


def rows_fewer_than_a_part_had(p: Program) -> list[str]:
    inner = p.generic([(p.argument(16, 256, 16), "d0, d1, d2")], MAX, "ppr", (HERE, (16, 256)))
    return [p.generic([(inner, HERE)], MAX, "pr", ("d0", (16,)))]


def rows_that_gather(p: Program) -> list[str]:
    made = p.generic([(p.argument(64, 64), HERE)], EXP)
    body = f"%i = linalg.index 0 : index\n%j = tensor.extract {made}[%i, %i] : tensor<64x64xf32>\n%s = arith.addf %a0, %j : f32\n%y = arith.addf %o, %s : f32"
    return [p.generic([(made, HERE)], body, "pr", ROWS)]


def a_sum_onto_a_result(p: Program) -> list[str]:
    x = p.argument(64, 64)
    first = p.generic([(x, HERE)], MAX, "pr", ROWS)
    return [
        p.generic(
            [(x, HERE), (first, "d0")],
            "%s = arith.addf %a0, %a1 : f32\n%y = arith.addf %o, %s : f32",
            "pr",
            ROWS,
            onto=first,
        )
    ]


def rows_across_memory(p: Program) -> list[str]:
    made = p.generic([(p.argument(64, 64), TURNED)], MAX, "pr", ROWS)
    return [p.generic([(p.argument(64, 64), HERE), (made, "d0")], ADD)]


def a_sibling_that_reads_across(p: Program) -> list[str]:
    x = p.argument(256, 256)
    first = p.generic([(x, HERE)], EXP, written=(HERE, (256, 256)))
    second = p.generic(
        [(p.argument(256, 256), HERE), (x, TURNED)],
        "%s = arith.addf %a0, %a1 : f32\n%y = arith.addf %o, %s : f32",
        "pr",
        ("d0", (256,)),
    )
    return [first, second]


def rows_too_few_for_subgroups(p: Program) -> list[str]:
    made = p.generic([(p.argument(2, 1 << 20), HERE)], EXP, written=(HERE, (2, 1 << 20)))
    return [p.generic([(made, HERE)], MAX, "pr", ("d0", (2,)))]


def rows_longer_than_those_of_a_part(p: Program) -> list[str]:
    inner = p.generic([(p.argument(256, 128, 64), "d0, d1, d2")], MAX, "ppr", (HERE, (256, 128)))
    return [p.generic([(inner, HERE)], MAX, "pr", ("d0", (256,)))]


FUSE, PLAN = FuseElementwisePass, PlanKernelsPass
CASES: dict[str, tuple[Callable[[Program], list[str]], type, str]] = {
    "it computes, and its reader is a sum of products": (computing_before_a_product, FUSE, CORES),
    "it is not a plain view for a sum of products": (a_reversed_product, FUSE, CORES),
    "it tells the extent of a reduced dim": (the_extent_of_a_sum, FUSE, CORES),
    "it would make the body of its reader too large": (a_body_that_grows_too_large, FUSE, CORES),
    "it would give its reader too many operands": (too_many_operands, FUSE, CORES),
    "its result is needed whole": (a_result_that_is_returned, FUSE, CORES),
    "it can be the epilogue of a contraction, and 2 readers would repeat it": (
        an_epilogue_with_two_readers,
        FUSE,
        CORES,
    ),
    "its reader would do its 12 simple ops 512 times and read 1 large operands, which takes longer than to store it": (
        much_work_repeated,
        FUSE,
        CORES,
    ),
    "a value would leave and come back": (a_value_that_leaves_and_comes_back, PLAN, CORES),
    "it is a sum of products": (what_ends_a_product, PLAN, CORES),
    "the kernel is long enough": (a_long_chain, PLAN, CORES),
    "the kernel would read and write too many arrays at once": (many_arrays, PLAN, CORES),
    "it is done by rows": (rows_of_a_product, PLAN, CORES),
    "2 tensors to read and 2 to write take longer on tiles than line after line": (
        a_state_that_is_updated,
        PLAN,
        CORES,
    ),
    "a reduction reads the result": (a_sum_of_a_product, PLAN, CORES),
    "the reader has another space": (a_product_repeated, PLAN, CORES),
    "the reader permutes the result": (a_product_written_turned, PLAN, CORES),
    "the reader does not read the result point by point": (a_product_read_turned, PLAN, CORES),
    "the reader gathers": (a_product_and_a_gather, PLAN, CORES),
    "the reader has no vector form": (a_product_and_complex_numbers, PLAN, CORES),
    "the reader permutes its result": (a_map_written_turned, PLAN, CORES),
    "the result is not read point by point": (a_map_read_turned, PLAN, CORES),
    "the reader gathers from the result": (a_map_and_a_gather, PLAN, CORES),
    "no leading parallel dims in common": (columns_after_rows, PLAN, CORES),
    "no rows": (no_rows_at_all, PLAN, CORES),
    "a row needs 1048580 bytes": (rows_that_are_long, PLAN, CORES),
    "only 4 rows": (rows_that_are_few, PLAN, CORES),
    "16 rows where one part has 4096": (rows_fewer_than_a_part_had, PLAN, CORES),
    "a row gathers from other rows": (rows_that_gather, PLAN, CORES),
    "a result is updated in place": (a_sum_onto_a_result, PLAN, CORES),
    "its rows are not contiguous": (rows_across_memory, PLAN, CORES),
    "not all read it by rows": (a_sibling_that_reads_across, PLAN, CORES),
    "2 rows of 1048576 points are too few for 132 cores": (rows_too_few_for_subgroups, PLAN, SUBGROUPS),
    "256 rows where one part has 32768": (rows_longer_than_those_of_a_part, PLAN, SUBGROUPS),
}


def made(program: Program, results: Sequence[str], target: str):
    context = make_context({name: (lambda name=name: get_dialect(name)) for name in DIALECTS})
    module = parse_module(program.text(results, target), "f.mlir", context)
    module.verify()
    return module, context


def refusals(make: Callable[[Program], list[str]], run: type, target: str) -> list[str]:
    """The reasons of the decisions that were not taken."""
    program = Program()
    module, context = made(program, make(program), target)
    run().apply(context, module)
    decisions = [
        d for op in module.walk() if "kernel.decisions" in op.attributes for d in op.attributes["kernel.decisions"]
    ]
    return [d.data["reason"].data for d in decisions if not d.data["taken"].value.data]


@pytest.mark.parametrize("reason", CASES)
def test_what_is_not_put_together_says_why(reason):
    found = refusals(*CASES[reason])
    said = [re.sub(r" \(it would save .*\)$", "", text).split(": ", 1)[1] for text in found]
    assert reason in said, found


def test_ops_of_unknown_extents_run_in_no_common_rows():
    p = Program()
    first = p.generic([(p.argument("?", 64), HERE)], EXP, written=(HERE, ("?", 64)))
    module, _ = made(p, [p.generic([(first, HERE)], MAX, "pr", ("d0", ("?",)))], CORES)
    ops = [op for op in module.walk() if isinstance(op, linalg.GenericOp)]
    assert rows.shared_rows(ops, machine_of(module)) == NOT_STATIC


COMPLEX = "%r = complex.re %a0 : complex<f32>\n%y = arith.addf %o, %r : f32"
ALONE: dict[str, Callable[[Program], str]] = {
    "no reduction makes what is read": lambda p: p.generic([(p.argument(64, 64), HERE)], EXP),
    "its results are written apart": lambda p: p.generic([(p.argument(64), "d0")], MAX, "r", ("0", (1,))),
    "the reduction has no vector form": lambda p: p.generic(
        [(p.argument(64, 64, element="complex<f32>"), HERE)], COMPLEX, "pr", ROWS
    ),
}
"""What stands against maps on the points of a reduction; decisions name why there are no rows instead."""


@pytest.mark.parametrize("reason", ALONE)
def test_maps_are_not_done_on_the_points_of_what_is_no_such_reduction(reason):
    p = Program()
    module, _ = made(p, [ALONE[reason](p)], CORES)
    (op,) = (op for op in module.walk() if isinstance(op, linalg.GenericOp))
    assert epilogue.not_of_a_reduction([op, op]) == reason


def reasons_in_the_code() -> list[str]:
    """What functions that decide return as text, as patterns."""
    found = [join.CYCLE]
    for module in MODULES:
        for function in ast.walk(ast.parse(inspect.getsource(module))):
            if not isinstance(function, ast.FunctionDef) or function.returns is None:
                continue
            refuses = "str" in re.findall(r"\w+", ast.unparse(function.returns)) and "|" in ast.unparse(
                function.returns
            )
            if refuses or function.name == "_why_not":
                found += [
                    _pattern(n.value) for n in ast.walk(function) if isinstance(n, ast.Return) and n.value is not None
                ]
    return [text for text in dict.fromkeys(found) if text]


def _pattern(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_pattern(v) if isinstance(v, ast.Constant) else ".+" for v in node.values)
    return ""


def test_every_reason_in_the_code_has_a_program():
    patterns = reasons_in_the_code()
    assert len(patterns) > 30
    missing = [
        p
        for p in patterns
        if not any(re.fullmatch(p, reason) for reason in (*CASES, *ALONE, *CANNOT_HAPPEN, NOT_STATIC))
    ]
    assert missing == []
