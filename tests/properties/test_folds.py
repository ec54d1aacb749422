"""Every fold and simplification of `canonicalize` against the interpreter: bit for bit, on random shapes and edge values.

The programs are made to meet the rules (constants that are units, ops that undo each other, loops that change nothing); each rule
must have fired in some of them, so a new rule without a program that meets it fails the last test, in whichever process it runs.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest

from stepwell.dialects import canonicalize as tables
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module
from stepwell.ir.verify import verify_module
from stepwell.passes import canonicalize

FIRED: Counter[str] = Counter()
"""How often each rule changed something, by name."""

FLOAT_EDGES = ("0.0", "-0.0", "1.0", "-1.0", "1.5", "2.5", "INF", "-INF", "NAN", "TINY", "HUGE")
BITS = {
    "f16": ("0x7C00", "0xFC00", "0x7E00", "0x0001", "0x7BFF"),
    "bf16": ("0x7F80", "0xFF80", "0x7FC0", "0x0001", "0x7F7F"),
    "f32": ("0x7F800000", "0xFF800000", "0x7FC00000", "0x00000001", "0x7F7FFFFF"),
    "f64": ("0x7FF0000000000000", "0xFFF0000000000000", "0x7FF8000000000000", "0x1", "0x7FEFFFFFFFFFFFFF"),
}
INT_TYPES = ("i1", "i8", "i32", "i64")
HLO_INT_TYPES = ("i1", "i8", "ui8", "i32", "ui32", "i64", "ui64")
FLOAT_TYPES = tuple(BITS)
SPECIAL = ("INF", "-INF", "NAN", "TINY", "HUGE")


def edges(dtype: str) -> tuple[str, ...]:
    """Constants of a type that rules may look for, as text."""
    if dtype in BITS:
        named = dict(zip(SPECIAL, BITS[dtype], strict=True))
        return tuple(named.get(e, e) for e in FLOAT_EDGES)
    if dtype == "i1":
        return ("false", "true")
    width = int(dtype.lstrip("ui"))
    if dtype.startswith("u"):
        return ("0", "1", "2", "5", str((1 << width) - 1), str(1 << (width - 1)))
    return ("0", "1", "-1", "2", "5", str((1 << (width - 1)) - 1), str(-(1 << (width - 1))))


def values(dtype: str) -> np.ndarray:
    """An array with the edge values of a type and some ordinary ones."""
    if dtype in BITS:
        kind = {"bf16": np.dtype(ml_dtypes.bfloat16)}.get(dtype) or np.dtype(dtype.replace("f", "float"))
        info = ml_dtypes.finfo(kind)
        tiny, huge = float(info.smallest_subnormal), float(info.max)
        some = [0.0, -0.0, 1.0, -1.0, 1.5, 2.5, np.inf, -np.inf, np.nan, tiny, -tiny, huge, -huge, 0.1, -7.25, 100.5]
        return np.array(some).astype(kind)
    if dtype == "i1":
        return np.array([False, True] * 8)
    width, unsigned = int(dtype.lstrip("ui")), dtype.startswith("u")
    low, high = (0, (1 << width) - 1) if unsigned else (-(1 << (width - 1)), (1 << (width - 1)) - 1)
    some = [0, 1, 2, 5, 7, 100, high, high - 1, low, low + 1, 3, 4, 31, 63, 64, 6]
    return np.array([min(v, high) for v in some], f"{'u' if unsigned else ''}int{width}")


RAN: set[str] = set()
"""Tests of this file that this process ran."""


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Rules that count what they change."""
    RAN.add(request.node.nodeid)

    def folder(name: str, rule: Callable) -> Callable:
        def counting(op, constants):
            made = rule(op, constants)
            FIRED[name] += made is not None
            return made

        return counting

    def pattern(name: str, rule: Callable) -> Callable:
        def counting(op, rewriter):
            changed = rule(op, rewriter)
            FIRED[name] += changed
            return changed

        return counting

    folders, patterns = tables.all_folders(), tables.all_patterns()
    wrapped = {op: folder(f"{op}: fold", rule) for op, rule in folders.items()}
    counted_patterns = {op: tuple(pattern(f"{op}: {r.__name__}", r) for r in rules) for op, rules in patterns.items()}
    monkeypatch.setattr(canonicalize, "all_folders", lambda: wrapped)
    monkeypatch.setattr(canonicalize, "all_patterns", lambda: counted_patterns)


def run(module, arguments):
    with np.errstate(all="ignore"):
        return Interpreter(module, interpreter_rules()).call("main", arguments)


def bits(value) -> bytes:
    """What must be equal; a NaN is a NaN."""
    array = np.asarray(value)
    if array.dtype.kind in "fc" or array.dtype == ml_dtypes.bfloat16:
        array = np.where(np.isnan(array.astype(np.complex128)), np.array(np.nan, array.dtype), array)
    return str(array.shape).encode() + str(array.dtype).encode() + np.ascontiguousarray(array).tobytes()


def check(text: str, *calls: tuple) -> None:
    """`canonicalize` changes no bit of what a program returns for any of the calls, and leaves a program."""
    before = parse_module(text, "before.mlir", context())
    verify_module(before)
    after = before.clone()
    canonicalize.CanonicalizePass().apply(context(), after)
    verify_module(after)
    for arguments in calls:
        want, got = run(before, arguments), run(after, arguments)
        for number, (a, b) in enumerate(zip(want, got, strict=True)):
            assert bits(a) == bits(b), f"result {number} for {arguments}: {b!r} for {a!r}\n{text}\n{after}"


def constant(name: str, text: str, dtype: str) -> str:
    """`%name = arith.constant`; booleans are written without their type."""
    return f"{name} = arith.constant {text}" + ("" if dtype == "i1" else f" : {dtype}")


def function(arguments: str, lines: list[str], results: list[tuple[str, str]]) -> str:
    body = "\n".join(f"  {line}" for line in lines)
    types = ", ".join(t for _, t in results)
    return f"func.func @main({arguments}) -> ({types}) {{\n{body}\n  return {', '.join(n for n, _ in results)} : {types}\n}}\n"


# arith and math: every op on constants, on a constant and a value, on a value twice, in chains.


def defined(op: str, a, b, width: int) -> bool:
    """Whether an integer op is defined on two values (those of a constant and an argument alike)."""
    if "div" in op or "rem" in op:
        lowest = -(1 << (width - 1))
        signed = not op.endswith("ui")
        return b != 0 and not (signed and a == lowest and b == -1)
    if op.startswith("arith.sh"):
        return 0 <= b < width
    return True


INTEGER_OPS = [
    op
    for op in sorted(tables.all_folders())
    if op in tables.import_module("stepwell.dialects.canonicalize.arith").INT_RULES
]
FLOAT_OPS = [
    "arith.addf",
    "arith.subf",
    "arith.mulf",
    "arith.divf",
    "arith.minimumf",
    "arith.maximumf",
    "arith.minnumf",
    "arith.maxnumf",
]


def safe(op: str, dtype: str) -> list:
    """Values for which an integer op is defined on either side of any constant it is defined for."""
    width = int(dtype[1:])
    found = []
    for x in values(dtype):
        number = -int(x) if dtype == "i1" else int(x)
        unusable = number in (0, -1, -(1 << (width - 1))) if "div" in op or "rem" in op else not 0 <= number < width
        if not unusable or not ("div" in op or "rem" in op or op.startswith("arith.sh")):
            found.append(x)
    return found


def calls(dtype: str) -> list[tuple]:
    return [(x,) for x in values(dtype)]


@pytest.mark.parametrize("op", INTEGER_OPS)
def test_integer_ops_of_constants_and_units(op: str):
    for dtype in INT_TYPES if "div" not in op else INT_TYPES[1:]:
        width = int(dtype[1:])
        constants = [-1 if c == "true" else 0 if c == "false" else int(c) for c in edges(dtype)]
        xs = safe(op, dtype)
        lines, names = [], []
        for number, (c, text) in enumerate(zip(constants, edges(dtype), strict=True)):
            lines.append(constant(f"%c{number}", text, dtype))
            forms = [("%x", f"%c{number}")] if defined(op, 1, c, width) else []
            forms += [(f"%c{number}", "%x"), ("%x", "%x")] if xs else []
            for form, (left, right) in enumerate(forms):
                names.append((f"%r{number}_{form}", dtype))
                lines.append(f"{names[-1][0]} = {op} {left}, {right} : {dtype}")
            for other, d in enumerate(constants[: number + 1]):
                if defined(op, c, d, width):
                    names.append((f"%k{number}_{other}", dtype))
                    lines.append(f"{names[-1][0]} = {op} %c{number}, %c{other} : {dtype}")
        check(function(f"%x: {dtype}", lines, names), *((x,) for x in xs or values(dtype)[:2]))


@pytest.mark.parametrize("op", [f"arith.{name}" for name in ("addi", "muli", "andi", "ori", "xori")])
def test_chains_of_an_op_with_constants(op: str):
    for dtype in INT_TYPES:
        lines, names = [], []
        for number, (a, b) in enumerate(itertools.combinations_with_replacement(edges(dtype), 2)):
            lines += [
                constant(f"%a{number}", a, dtype),
                constant(f"%b{number}", b, dtype),
                f"%i{number} = {op} %x, %a{number} : {dtype}",
                f"%r{number} = {op} %i{number}, %b{number} : {dtype}",
            ]
            names.append((f"%r{number}", dtype))
        check(function(f"%x: {dtype}", lines, names), *calls(dtype)[:8])


def float_program(
    op: str, dtype: str, attributes: str = "", result: str = "", pairs: bool = True
) -> tuple[list[str], list[tuple[str, str]]]:
    """`op` on pairs of constants (all, or with the first two), and on each constant and a value, and on the value twice."""
    lines = [constant(f"%c{number}", c, dtype) for number, c in enumerate(edges(dtype))]
    operands = [f"%c{number}" for number in range(len(edges(dtype)))]
    chosen = [*((c, "%x") for c in operands), *(("%x", c) for c in operands), ("%x", "%x")]
    chosen += itertools.product(operands, operands if pairs else operands[:2])
    names = [(f"%r{number}", result or dtype) for number in range(len(chosen))]
    lines += [f"{n} = {op} {attributes}{a}, {b} : {dtype}" for (n, _), (a, b) in zip(names, chosen, strict=True)]
    return lines, names


@pytest.mark.parametrize("dtype", FLOAT_TYPES)
@pytest.mark.parametrize("op", FLOAT_OPS)
def test_float_ops_of_constants_and_units(op: str, dtype: str):
    check(function(f"%x: {dtype}", *float_program(op, dtype)), *calls(dtype))


@pytest.mark.parametrize("dtype", FLOAT_TYPES)
def test_functions_of_floats(dtype: str):
    lines, names = [], []
    for op in ("arith.negf", "math.absf", "math.ceil", "math.floor", "math.roundeven", "math.sqrt", "math.trunc"):
        stem = f"%{op.split('.')[1]}"
        lines += [f"{stem}i = {op} %x : {dtype}", f"{stem}j = {op} {stem}i : {dtype}"]
        names.append((f"{stem}j", dtype))
        for number, c in enumerate(edges(dtype)):
            lines += [constant(f"{stem}c{number}", c, dtype), f"{stem}{number} = {op} {stem}c{number} : {dtype}"]
            names.append((f"{stem}{number}", dtype))
    check(function(f"%x: {dtype}", lines, names), *calls(dtype))


def test_absolute_values_of_integers():
    for dtype in ("i8", "i32", "i64"):
        lines, names = ["%i = math.absi %x : " + dtype, "%j = math.absi %i : " + dtype], [("%j", dtype)]
        for number, c in enumerate(edges(dtype)):
            lines += [constant(f"%c{number}", c, dtype), f"%r{number} = math.absi %c{number} : {dtype}"]
            names.append((f"%r{number}", dtype))
        check(function(f"%x: {dtype}", lines, names), *calls(dtype))


INTEGER_PREDICATES = "eq ne slt sle sgt sge ult ule ugt uge".split()
FLOAT_PREDICATES = "false oeq ogt oge olt ole one ord ueq ugt uge ult ule une uno true".split()


@pytest.mark.parametrize("dtype", ["i1", "i8", "i64", "f32"])
def test_comparisons(dtype: str):
    op, predicates = ("arith.cmpi", INTEGER_PREDICATES) if dtype in INT_TYPES else ("arith.cmpf", FLOAT_PREDICATES)
    for predicate in predicates:
        program = function(f"%x: {dtype}", *float_program(op, dtype, f"{predicate}, ", "i1", pairs=False))
        check(program, *calls(dtype)[:10])


def test_selects():
    for dtype in (*INT_TYPES, "f32"):
        lines = ["%t = arith.constant true", "%f = arith.constant false", "%n = arith.xori %p, %t : i1"]
        lines.append(constant("%k", edges(dtype)[1], dtype))
        names = []
        choices = itertools.product(("%p", "%t", "%f", "%n"), ("%x", "%k"), ("%x", "%k"))
        for number, (c, left, right) in enumerate(choices):
            lines.append(f"%r{number} = arith.select {c}, {left}, {right} : {dtype}")
            names.append((f"%r{number}", dtype))
        for number, (left, right) in enumerate(itertools.product(("%t", "%f", "%p"), repeat=2)):
            lines.append(f"%b{number} = arith.select %p, {left}, {right} : i1")
            names.append((f"%b{number}", "i1"))
        predicates = (np.bool_(False), np.bool_(True))
        check(function(f"%x: {dtype}, %p: i1", lines, names), *itertools.product(values(dtype)[:3], predicates))


def test_conversions_of_scalars():
    def casts(source: str, targets: tuple[str, ...], *ops: str) -> None:
        lines, names = [], []
        for (number, c), target, op in itertools.product(enumerate(edges(source)), targets, ops):
            stem = f"{op.split('.')[1]}_{target}_{number}"
            lines += [constant(f"%c_{stem}", c, source), f"%r_{stem} = {op} %c_{stem} : {source} to {target}"]
            names.append((f"%r_{stem}", target))
        check(function(f"%x: {source}", lines, names), *calls(source)[:1])

    casts("i8", ("i32", "i64"), "arith.extsi", "arith.extui")
    casts("i1", ("i8", "i32"), "arith.extsi", "arith.extui")
    casts("i64", ("i8", "i32", "i1"), "arith.trunci")
    for integer in ("i8", "i32", "i64"):
        casts(integer, FLOAT_TYPES, "arith.sitofp", "arith.uitofp")
        casts(integer, ("index",), "arith.index_cast", "arith.index_castui")
    casts("f16", ("f32", "f64"), "arith.extf")
    casts("bf16", ("f32", "f64"), "arith.extf")
    casts("f32", ("f16", "bf16"), "arith.truncf")
    casts("f64", ("f32", "f16", "bf16"), "arith.truncf")


def test_conversions_there_and_back():
    for source, up, wide, down in (
        ("i8", "arith.extsi", "i32", "arith.trunci"),
        ("i8", "arith.extui", "i64", "arith.trunci"),
        ("f16", "arith.extf", "f32", "arith.truncf"),
        ("bf16", "arith.extf", "f64", "arith.truncf"),
        ("i32", "arith.index_cast", "index", "arith.index_cast"),
        ("i8", "arith.index_castui", "index", "arith.index_castui"),
    ):
        lines = [f"%u = {up} %x : {source} to {wide}", f"%r = {down} %u : {wide} to {source}"]
        if source == "i32":
            lines.append(f"%same = arith.bitcast %r : {source} to {source}")
        check(function(f"%x: {source}", lines, [(lines[-1].split(" ")[0], source)]), *calls(source))


def test_floats_as_integers():
    for dtype, target, op in itertools.product(("f32", "f64"), ("i8", "i32", "i64"), ("arith.fptosi", "arith.fptoui")):
        lines = [f"%c{n} = arith.constant {c} : {dtype}" for n, c in enumerate(("0.0", "1.5", "2.5", "100.0", "-0.0"))]
        lines += [f"%r{n} = {op} %c{n} : {dtype} to {target}" for n in range(5)]
        check(function(f"%x: {dtype}", lines, [(f"%r{n}", target) for n in range(5)]), *calls(dtype)[:1])


# stablehlo: elementwise ops with splats, moves that cancel or compose, control flow.

SPLATTED = """add subtract multiply divide remainder maximum minimum and or xor shift_left shift_right_arithmetic
    shift_right_logical""".split()


@pytest.mark.parametrize("dtype", [*HLO_INT_TYPES, *FLOAT_TYPES])
def test_elementwise_ops_with_splats(dtype: str):
    kind = f"tensor<16x{dtype}>"
    floats = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "remainder")
    booleans = ("add", "multiply", "and", "or", "xor", "maximum", "minimum")
    ops = floats if dtype in FLOAT_TYPES else booleans if dtype == "i1" else SPLATTED
    names = []
    lines = [f"%c{number} = stablehlo.constant dense<{c}> : {kind}" for number, c in enumerate(edges(dtype))]
    for number, c in enumerate(edges(dtype)):
        lines.append(f"%s{number} = stablehlo.constant dense<{c}> : tensor<{dtype}>")
        lines.append(f"%b{number} = stablehlo.broadcast_in_dim %s{number}, dims = [] : (tensor<{dtype}>) -> {kind}")
        for op, (form, (left, right)) in itertools.product(
            ops,
            enumerate(
                (
                    ("%x", f"%c{number}"),
                    (f"%c{number}", "%x"),
                    ("%x", f"%b{number}"),
                    ("%x", "%x"),
                    (f"%c{number}", "%c1"),
                )
            ),
        ):
            names.append((f"%{op}_{number}_{form}", kind))
            lines.append(f"{names[-1][0]} = stablehlo.{op} {left}, {right} : {kind}")
    check(function(f"%x: {kind}", lines, names), (values(dtype),))


@pytest.mark.parametrize("dtype", ["i1", "i8", "ui8", "i32", "f32", "bf16"])
def test_negations_comparisons_and_selects_of_splats(dtype: str):
    kind, mask = f"tensor<16x{dtype}>", "tensor<16xi1>"
    how = "FLOAT" if dtype in FLOAT_TYPES else "UNSIGNED" if dtype in ("i1", "ui8") else "SIGNED"
    lines, names = [], []
    unary = ("not",) if dtype == "i1" else ("negate",) if dtype in FLOAT_TYPES else ("negate", "not")
    unary = tuple(op for op in unary if not (op == "negate" and dtype.startswith("u")))
    for op in unary:
        lines += [f"%{op}1 = stablehlo.{op} %x : {kind}", f"%{op}2 = stablehlo.{op} %{op}1 : {kind}"]
        names.append((f"%{op}2", kind))
    for number, c in enumerate(edges(dtype)):
        lines.append(f"%c{number} = stablehlo.constant dense<{c}> : {kind}")
        for op in unary:
            lines.append(f"%{op}c{number} = stablehlo.{op} %c{number} : {kind}")
            names.append((f"%{op}c{number}", kind))
        for direction, (form, right) in itertools.product(
            ("EQ", "NE", "LT", "LE", "GT", "GE"), enumerate(("%x", "%c0", f"%c{number}"))
        ):
            left = "%x" if form == 0 else f"%c{number}"
            name = f"%{direction}{number}_{form}"
            lines.append(f"{name} = stablehlo.compare {direction}, {left}, {right}, {how} : ({kind}, {kind}) -> {mask}")
            names.append((name, mask))
    for number, predicate in enumerate(("true", "false")):
        lines.append(f"%p{number} = stablehlo.constant dense<{predicate}> : {mask}")
        lines.append(f"%sel{number} = stablehlo.select %p{number}, %x, %c0 : {mask}, {kind}")
        names.append((f"%sel{number}", kind))
    lines.append(f"%same = stablehlo.select %EQ0_0, %x, %x : {mask}, {kind}")
    names.append(("%same", kind))
    check(function(f"%x: {kind}", lines, names), (values(dtype),))


def test_conversions_of_splats():
    types = [*HLO_INT_TYPES, *FLOAT_TYPES]
    for source in types:
        lines, names = [], []
        for number, c in enumerate(edges(source)):
            lines.append(f"%c{number} = stablehlo.constant dense<{c}> : tensor<3x{source}>")
            for target in types:
                name = f"%{target}_{number}"
                lines.append(f"{name} = stablehlo.convert %c{number} : (tensor<3x{source}>) -> tensor<3x{target}>")
                names.append((name, f"tensor<3x{target}>"))
        check(function("", lines, names), ())


def random_shape(rng: random.Random, rank: int) -> list[int]:
    return [rng.choice((0, 1, 1, 2, 3, 5)) for _ in range(rank)]


def tensor(shape, dtype: str = "f32") -> str:
    return f"tensor<{''.join(f'{n}x' for n in shape)}{dtype}>"


def a_move(rng: random.Random, shape: list[int], x: str, out: str) -> tuple[str, list[int]]:
    """A random op that moves elements (or does nothing), and the shape it makes."""
    rank, kind = len(shape), tensor(shape)
    op = rng.choice(("reshape", "transpose", "slice", "broadcast", "reverse", "pad", "concatenate"))
    if op == "transpose":
        order = rng.sample(range(rank), rank)
        made = [shape[d] for d in order]
        return f"{out} = stablehlo.transpose {x}, dims = {order} : ({kind}) -> {tensor(made)}", made
    if op == "slice" and rank:
        parts, made = [], []
        for n in shape:
            start = rng.randint(0, n) if rng.random() < 0.5 else 0
            limit = rng.randint(start, n) if rng.random() < 0.5 else n
            stride = rng.choice((1, 1, 2, 3))
            parts.append(f"{start}:{limit}:{stride}")
            made.append(-((start - limit) // stride))
        return f"{out} = stablehlo.slice {x} [{', '.join(parts)}] : ({kind}) -> {tensor(made)}", made
    if op == "broadcast" and rank < 4:
        more = rng.choice((0, 0, 1))
        dims = sorted(rng.sample(range(rank + more), rank))
        made = [rng.choice((1, 2, 3)) for _ in range(rank + more)]
        for d, n in zip(dims, shape, strict=True):
            made[d] = n if n != 1 or rng.random() < 0.7 else 4
        return f"{out} = stablehlo.broadcast_in_dim {x}, dims = {dims} : ({kind}) -> {tensor(made)}", made
    if op == "reverse" and rank:
        dims = sorted(rng.sample(range(rank), rng.randint(1, rank)))
        return f"{out} = stablehlo.reverse {x}, dims = {dims} : {kind}", shape
    if op == "pad":
        amounts = [[rng.choice((0, 0, 0, 1)) for _ in shape] for _ in range(3)]
        made = [n + low + high + max(n - 1, 0) * gap for n, low, high, gap in zip(shape, *amounts, strict=True)]
        text = f"low = {amounts[0]}, high = {amounts[1]}, interior = {amounts[2]}"
        return f"{out} = stablehlo.pad {x}, %zero, {text} : ({kind}, tensor<f32>) -> {tensor(made)}", made
    if op == "concatenate" and rank:
        return f"{out} = stablehlo.concatenate {x}, dim = {rng.randrange(rank)} : ({kind}) -> {kind}", shape
    size = int(np.prod(shape, dtype=int))
    options = [shape, [size], [1, *shape], [*shape, 1], list(reversed(shape))]
    made = rng.choice([o for o in options if len(o) < 6])
    return f"{out} = stablehlo.reshape {x} : ({kind}) -> {tensor(made)}", made


@pytest.mark.parametrize("seed", range(120))
@pytest.mark.every(3)
def test_chains_of_moves(seed: int):
    rng = random.Random(seed)
    shape = random_shape(rng, rng.randint(0, 3))
    kind = tensor(shape)
    lines = ["%zero = stablehlo.constant dense<-0.0> : tensor<f32>"]
    name, results = "%x", []
    if rng.random() < 0.25:
        lines.append(f"%spread = stablehlo.broadcast_in_dim %s, dims = [] : (tensor<f32>) -> {kind}")
        name = "%spread"
    for step in range(rng.randint(1, 6)):
        line, shape = a_move(rng, shape, name, f"%m{step}")
        lines.append(line)
        name = f"%m{step}"
        if np.prod(shape, dtype=int) > 2000:
            break
    results.append((name, tensor(shape)))
    data = np.random.default_rng(seed).standard_normal(
        [int(n) for n in kind[7:-4].split("x") if n] if "x" in kind else ()
    )
    call = np.asarray(data, np.float32), np.array(2.5, np.float32)
    check(function(f"%x: {kind}, %s: tensor<f32>", lines, results), call)


def test_slices_and_updates_of_everything():
    kind = "tensor<3x4xf32>"
    lines = [
        f"%a = stablehlo.dynamic_slice %x, %i, %i, sizes = [3, 4] : ({kind}, tensor<i32>, tensor<i32>) -> {kind}",
        f"%b = stablehlo.dynamic_update_slice %x, %y, %i, %i : ({kind}, {kind}, tensor<i32>, tensor<i32>) -> {kind}",
        "%u = stablehlo.subtract %i, %i : tensor<i32>",
        "%v = stablehlo.xor %i, %i : tensor<i32>",
    ]
    x, y = (np.arange(12, dtype=np.float32).reshape(3, 4) + n for n in (0, 100))
    results = [("%a", kind), ("%b", kind), ("%u", "tensor<i32>"), ("%v", "tensor<i32>")]
    starts = [np.array(i, np.int32) for i in (-5, 0, 9)]
    check(function(f"%x: {kind}, %y: {kind}, %i: tensor<i32>", lines, results), *((x, y, i) for i in starts))


@pytest.mark.parametrize("index", [-1, 0, 1, 2, 5])
def test_branches_of_constants_and_loops_that_keep_values(index: int):
    lines = [
        f"%k = stablehlo.constant dense<{index}> : tensor<i32>",
        f"%p = stablehlo.constant dense<{'true' if index & 1 else 'false'}> : tensor<i1>",
        "%one = stablehlo.constant dense<1> : tensor<i32>",
        "%five = stablehlo.constant dense<5> : tensor<i32>",
        '%c = "stablehlo.case"(%k) ({', "  stablehlo.return %x : tensor<i32>", "}, {",
        "  %n = stablehlo.add %x, %one : tensor<i32>", "  stablehlo.return %n : tensor<i32>", "}) : (tensor<i32>) -> tensor<i32>",
        '%i = "stablehlo.if"(%p) ({', "  stablehlo.return %x : tensor<i32>", "}, {",
        "  stablehlo.return %five : tensor<i32>", "}) : (tensor<i1>) -> tensor<i32>",
        '%j:2 = "stablehlo.if"(%q) ({', "  stablehlo.return %x, %one : tensor<i32>, tensor<i32>", "}, {",
        "  stablehlo.return %x, %five : tensor<i32>, tensor<i32>", "}) : (tensor<i1>) -> (tensor<i32>, tensor<i32>)",
        '%m:2 = "stablehlo.case"(%x) ({', "  stablehlo.return %five, %one : tensor<i32>, tensor<i32>", "}, {",
        "  stablehlo.return %five, %x : tensor<i32>, tensor<i32>", "}) : (tensor<i32>) -> (tensor<i32>, tensor<i32>)",
        "%w:3 = stablehlo.while(%a = %one, %b = %x, %d = %five) : tensor<i32>, tensor<i32>, tensor<i32>",
        "cond {", "  %go = stablehlo.compare LT, %a, %d, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>",
        "  stablehlo.return %go : tensor<i1>", "} do {", "  %next = stablehlo.add %a, %one : tensor<i32>",
        "  stablehlo.return %next, %b, %five : tensor<i32>, tensor<i32>, tensor<i32>", "}",
    ]  # fmt: skip
    names = ["%c", "%i", "%j#0", "%j#1", "%m#0", "%m#1", "%w#0", "%w#1", "%w#2"]
    text = function("%x: tensor<i32>, %q: tensor<i1>", lines, [(n, "tensor<i32>") for n in names])
    check(text, *((np.array(x, np.int32), np.array(q)) for x in (-3, 0, 1, 7) for q in (False, True)))


def test_dynamic_ops_of_known_sizes():
    lines = [
        "%s = stablehlo.constant dense<[3, 4]> : tensor<2xi64>",
        "%t = stablehlo.constant dense<[2, 12]> : tensor<2xi32>",
        "%zero = stablehlo.constant dense<0> : tensor<2xi64>",
        "%one = stablehlo.constant dense<1> : tensor<2xi64>",
        "%pad = stablehlo.constant dense<7.0> : tensor<f32>",
        "%a = stablehlo.dynamic_reshape %x, %s : (tensor<12xf32>, tensor<2xi64>) -> tensor<3x4xf32>",
        "%b = stablehlo.dynamic_broadcast_in_dim %x, %t, dims = [1] : (tensor<12xf32>, tensor<2xi32>) -> tensor<2x12xf32>",
        "%c = stablehlo.dynamic_iota %s, dim = 1 : (tensor<2xi64>) -> tensor<3x4xi32>",
        "%d = stablehlo.dynamic_pad %a, %pad, %one, %zero, %one : (tensor<3x4xf32>, tensor<f32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<6x8xf32>",
        "%e = stablehlo.real_dynamic_slice %a, %one, %s, %one : (tensor<3x4xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<2x3xf32>",
        "%f = stablehlo.get_dimension_size %a, dim = 1 : (tensor<3x4xf32>) -> tensor<i32>",
        "%four = stablehlo.constant dense<4> : tensor<i32>",
        "%r = stablehlo.set_dimension_size %a, %four, dim = 1 : (tensor<3x4xf32>, tensor<i32>) -> tensor<3x4xf32>",
        "%n = stablehlo.constant dense<[[0], [2]]> : tensor<2x1xi32>",
        "%sizes = stablehlo.constant dense<[1, 4]> : tensor<2xi32>",
        '%g = "stablehlo.dynamic_gather"(%a, %n, %sizes) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], '
        "start_index_map = [0], index_vector_dim = 1>}> : (tensor<3x4xf32>, tensor<2x1xi32>, tensor<2xi32>) -> tensor<2x4xf32>",
        "%im = stablehlo.reshape %x : (tensor<12xf32>) -> tensor<1x4x3x1xf32>",
        "%k = stablehlo.constant dense<2.0> : tensor<2x2x1x1xf32>",
        "%p = stablehlo.constant dense<0> : tensor<2x2xi64>",
        '%h = "stablehlo.dynamic_conv"(%im, %k, %p) <{dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>, '
        "feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<1x4x3x1xf32>, tensor<2x2x1x1xf32>, tensor<2x2xi64>) -> tensor<1x3x2x1xf32>",
    ]
    results = [("%a", tensor([3, 4])), ("%b", tensor([2, 12])), ("%c", tensor([3, 4], "i32")), ("%d", tensor([6, 8]))]
    results += [
        ("%e", tensor([2, 3])),
        ("%r", tensor([3, 4])),
        ("%f", "tensor<i32>"),
        ("%g", tensor([2, 4])),
        ("%h", tensor([1, 3, 2, 1])),
    ]
    check(function("%x: tensor<12xf32>", lines, results), (np.arange(12, dtype=np.float32),))


# scf and tensor.


@pytest.mark.parametrize(("lower", "upper", "step"), [(0, 0, 1), (3, 1, 1), (0, 1, 1), (2, 4, 2), (2, 5, 4), (0, 4, 1)])
def test_loops_of_known_trips(lower: int, upper: int, step: int):
    lines = [
        *(f"%{n} = arith.constant {v} : index" for n, v in (("l", lower), ("u", upper), ("s", step))),
        "%r:3 = scf.for %i = %l to %u step %s iter_args(%a = %x, %b = %y, %c = %x) -> (i32, i32, i32) {",
        "  %k = arith.index_cast %i : index to i32", "  %n = arith.addi %a, %k : i32",
        "  scf.yield %n, %b, %x : i32, i32, i32", "}",
        "%e = scf.for %i = %l to %l step %s iter_args(%a = %x) -> (i32) {", "  %n = arith.addi %a, %y : i32",
        "  scf.yield %n : i32", "}",
    ]  # fmt: skip
    names = [(n, "i32") for n in ("%r#0", "%r#1", "%r#2", "%e")]
    check(function("%x: i32, %y: i32", lines, names), (np.int32(5), np.int32(-9)))


@pytest.mark.parametrize("constant", ["true", "false"])
def test_branches_and_loops_of_scalars(constant: str):
    lines = [
        f"%p = arith.constant {constant}", f"%z = arith.constant {'2' if constant == 'true' else '7'} : index",
        "%a = scf.if %p -> (i32) {", "  scf.yield %x : i32", "} else {", "  scf.yield %y : i32", "}",
        "%b:2 = scf.if %q -> (i32, i32) {", "  scf.yield %x, %y : i32, i32", "} else {", "  scf.yield %x, %x : i32, i32", "}",
        "%c = scf.index_switch %z -> i32", "case 2 {", "  scf.yield %x : i32", "}", "default {", "  scf.yield %y : i32", "}",
        "%o = arith.index_cast %x : i32 to index",
        "%d:2 = scf.index_switch %o -> i32, i32", "case 2 {", "  scf.yield %y, %x : i32, i32", "}", "default {",
        "  scf.yield %y, %y : i32, i32", "}",
        "%one = arith.constant 1 : i32", "%ten = arith.constant 10 : i32",
        "%w:3 = scf.while (%i = %x, %k = %y, %m = %one) : (i32, i32, i32) -> (i32, i32, i32) {",
        "  %go = arith.cmpi slt, %i, %ten : i32", "  scf.condition(%go) %i, %k, %ten : i32, i32, i32", "} do {",
        "^bb0(%i: i32, %k: i32, %t: i32):", "  %n = arith.addi %i, %one : i32",
        "  scf.yield %n, %k, %one : i32, i32, i32", "}",
    ]  # fmt: skip
    names = [(n, "i32") for n in ("%a", "%b#0", "%b#1", "%c", "%d#0", "%d#1", "%w#0", "%w#1", "%w#2")]
    text = function("%x: i32, %y: i32, %q: i1", lines, names)
    check(text, *((np.int32(x), np.int32(40), np.bool_(q)) for x in (-3, 2, 12) for q in (False, True)))


def test_reshapes_slices_and_elements_of_tensors():
    lines = [
        "%c0 = arith.constant 0 : index", "%c1 = arith.constant 1 : index", "%k = arith.constant dense<[1.0, -0.0, 3.0]> : tensor<3xf32>",
        "%splat = arith.constant dense<2.5> : tensor<4xf32>", "%three = arith.constant 3.0 : f32",
        "%a = tensor.collapse_shape %x [[0, 1]] : tensor<2x3xf32> into tensor<6xf32>",
        "%b = tensor.expand_shape %a [[0, 1]] output_shape [2, 3] : tensor<6xf32> into tensor<2x3xf32>",
        "%c = tensor.expand_shape %a [[0, 1]] output_shape [3, 2] : tensor<6xf32> into tensor<3x2xf32>",
        "%d = tensor.expand_shape %c [[0], [1, 2]] output_shape [3, 1, 2] : tensor<3x2xf32> into tensor<3x1x2xf32>",
        "%e = tensor.collapse_shape %d [[0, 1], [2]] : tensor<3x1x2xf32> into tensor<3x2xf32>",
        "%f = tensor.collapse_shape %e [[0, 1]] : tensor<3x2xf32> into tensor<6xf32>",
        "%g = tensor.extract_slice %x[0, 0] [2, 3] [1, 1] : tensor<2x3xf32> to tensor<2x3xf32>",
        "%h = tensor.insert_slice %g into %y[0, 0] [2, 3] [1, 1] : tensor<2x3xf32> into tensor<2x3xf32>",
        "%i = tensor.extract_slice %x[1, 0] [1, 3] [1, 1] : tensor<2x3xf32> to tensor<1x3xf32>",
        "%j = tensor.insert_slice %i into %x[1, 0] [1, 3] [1, 1] : tensor<1x3xf32> into tensor<2x3xf32>",
        "%l = tensor.extract %k[%c1] : tensor<3xf32>", "%m = tensor.extract %splat[%z] : tensor<4xf32>",
        "%n = tensor.from_elements %three, %l : tensor<2xf32>", "%o = tensor.extract %n[%c0] : tensor<2xf32>",
        "%p = tensor.dim %x, %c1 : tensor<2x3xf32>", "%q = tensor.cast %x : tensor<2x3xf32> to tensor<?x3xf32>",
        "%r = tensor.cast %q : tensor<?x3xf32> to tensor<2x3xf32>",
    ]  # fmt: skip
    results = [
        ("%b", tensor([2, 3])),
        ("%f", tensor([6])),
        ("%h", tensor([2, 3])),
        ("%j", tensor([2, 3])),
        ("%l", "f32"),
    ]
    results += [("%m", "f32"), ("%o", "f32"), ("%p", "index"), ("%r", tensor([2, 3])), ("%d", tensor([3, 1, 2]))]
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    check(function("%x: tensor<2x3xf32>, %y: tensor<2x3xf32>, %z: index", lines, results), (x, x + 10, 2))


def test_clamps_that_change_nothing():
    lines = ["%a = arith.extui %x : i8 to i32", "%k = arith.constant 300 : i32", "%l = arith.constant 255 : i32", "%n = arith.constant -5 : i32", "%m = arith.constant 254 : i32"]  # fmt: skip
    pairs = [(name, other) for name in ("minsi", "maxsi", "minui", "maxui") for other in "klnm"]
    lines += [f"%r{i} = arith.{name} %a, %{other} : i32" for i, (name, other) in enumerate(pairs)]
    text = function("%x: i8", lines, [(f"%r{i}", "i32") for i in range(len(pairs))])
    check(text, *((np.int8(x),) for x in (0, 1, 127, -128, -2, -1)))


def test_a_broadcast_of_a_broadcast():
    lines = [
        "%b = stablehlo.broadcast_in_dim %x, dims = [1] : (tensor<3xf32>) -> tensor<2x3xf32>",
        "%c = stablehlo.broadcast_in_dim %b, dims = [2, 0] : (tensor<2x3xf32>) -> tensor<3x4x2xf32>",
    ]
    x = np.array([1.0, -0.0, np.nan], np.float32)
    check(function("%x: tensor<3xf32>", lines, [("%c", tensor([3, 4, 2]))]), (x,))


def test_each_rule_fired_in_these_programs(request: pytest.FixtureRequest):
    """Programs that another process of pytest-xdist has, or that nobody selected, are run here as long as a rule did not fire."""
    rules = [f"{op}: fold" for op in tables.all_folders()]
    rules += [f"{op}: {rule.__name__}" for op, patterns in tables.all_patterns().items() for rule in patterns]

    def idle() -> list[str]:
        return [rule for rule in sorted(rules) if not FIRED[rule]]

    selected = {item.nodeid for item in request.session.items}
    module = request.node.getparent(pytest.Module)
    others = [item for item in module.collect() if item.nodeid not in RAN]
    for item in sorted(others, key=lambda item: item.nodeid not in selected):
        if not idle():
            break
        item.obj(**(item.callspec.params if hasattr(item, "callspec") else {}))
    assert not idle()
