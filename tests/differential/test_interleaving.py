"""Parts of a result put into each other, with maps of it: the bits of NumPy's, at every vector width, whole vectors and tails."""

from __future__ import annotations

from itertools import product

import ml_dtypes
import numpy as np
import pytest

import stepwell

pytestmark = pytest.mark.every(4)

DTYPES = {
    "f32": np.float32,
    "f64": np.float64,
    "bf16": ml_dtypes.bfloat16,
    "i32": np.int32,
    "i8": np.int8,
}
CASES = [
    # shape of the result, how far apart the elements of a part are
    ((3, 64), (1, 2)),
    ((2, 31), (1, 2)),
    ((5, 33), (2, 2)),
    ((1, 2), (1, 2)),
    ((7, 127), (3, 2)),
    ((2, 5, 48), (1, 2, 1)),
    ((3, 4, 3), (2, 2, 1)),
    ((2, 95), (1, 3)),
    ((4, 97), (2, 4)),
    ((3, 3), (1, 3)),
    ((129, 300), (1, 2)),
    ((40, 6, 129), (2, 1, 1)),
]
LEVELS = ["avx512", "avx2", "sse4.2"]


def text_of(shape, kind):
    return f"tensor<{'x'.join(map(str, shape))}x{kind}>"


def program(shape, steps, kind, maps=False, keep=False):
    """Parts, then a bias along the last dim, one to scale by everywhere; the inserts themselves are kept where asked for."""
    places = list(product(*(range(s) for s in steps)))
    parts = [tuple(-(-(n - o) // s) for n, o, s in zip(shape, place, steps, strict=True)) for place in places]
    whole, bias = text_of(shape, kind), text_of(shape[-1:], kind)
    arguments = [f"%p{i}: {text_of(p, kind)}" for i, p in enumerate(parts)]
    lines = [f"%y0 = tensor.empty() : {whole}"]
    for i, (place, part) in enumerate(zip(places, parts, strict=True)):
        lines.append(
            f"%y{i + 1} = tensor.insert_slice %p{i} into %y{i}{list(place)} {list(part)} {list(steps)}"
            f" : {text_of(part, kind)} into {whole}"
        )
    result, types = f"%y{len(parts)}", [whole]
    if maps:
        dims = ", ".join(f"d{i}" for i in range(len(shape)))
        identity, last = f"affine_map<({dims}) -> ({dims})>", f"affine_map<({dims}) -> (d{len(shape) - 1})>"
        kinds = ", ".join(['"parallel"'] * len(shape))
        arguments += [f"%bias: {bias}", f"%scale: {whole}"]
        add, mul = ("arith.addi", "arith.muli") if kind.startswith("i") else ("arith.addf", "arith.mulf")
        for name, read, other, op in (("s", last, ("%bias", bias), add), ("m", identity, ("%scale", whole), mul)):
            lines += [
                f"%e{name} = tensor.empty() : {whole}",
                f"%{name} = linalg.generic {{indexing_maps = [{identity}, {read}, {identity}], iterator_types = [{kinds}]}}"
                f" ins({result}, {other[0]} : {whole}, {other[1]}) outs(%e{name} : {whole}) {{",
                f"^bb0(%a: {kind}, %b: {kind}, %c: {kind}):",
                f"  %r = {op} %a, %b : {kind}",
                f"  linalg.yield %r : {kind}",
                f"}} -> {whole}",
            ]
            result = f"%{name}"
        if keep:
            result, types = f"%y{len(parts)}, {result}", [whole, whole]
    body = "\n".join(lines)
    results = types[0] if len(types) == 1 else f"({', '.join(types)})"
    text = f"""func.func @main({", ".join(arguments)}) -> {results} {{
    {body}
    func.return {result} : {", ".join(types)}
    }}"""
    return text, parts, places


def numbers(rng, shape, kind):
    if kind.startswith("i"):
        return rng.integers(-9, 9, shape).astype(DTYPES[kind])
    made = rng.standard_normal(shape).astype(DTYPES[kind])
    flat = made.reshape(-1)
    for place, value in enumerate((np.nan, -0.0, np.inf, -np.inf)):
        if len(flat) > 8:
            flat[(place + 1) * len(flat) // 5] = value
    return made


def expected(shape, steps, places, args):
    whole = np.zeros(shape, args[0].dtype)
    for place, part in zip(places, args, strict=False):
        whole[tuple(slice(o, None, s) for o, s in zip(place, steps, strict=True))] = part
    return whole


def same_bits(got, want):
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype
    both = np.isnan(got.astype(np.float64)) & np.isnan(want.astype(np.float64))
    assert np.array_equal(
        np.where(both, 0, got.view(f"u{got.itemsize}")), np.where(both, 0, want.view(f"u{got.itemsize}"))
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("number", range(len(CASES)))
def test_parts_are_put_into_each_other(number, level):
    shape, steps = CASES[number]
    text, parts, places = program(shape, steps, "f32")
    exe = stepwell.compile(text, simd=level)
    scheduled = exe.ir("scheduled")
    assert scheduled.count("scf.forall (") == 1
    assert ("vector.shuffle" in scheduled) == (steps[-1] > 1)
    rng = np.random.default_rng(number)
    args = [numbers(rng, p, "f32") for p in parts]
    same_bits(exe(*args)[0], expected(shape, steps, places, args))


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize("number", range(0, len(CASES), 2))
def test_maps_are_done_where_parts_are_put_into_each_other(number, kind):
    shape, steps = CASES[number]
    text, parts, places = program(shape, steps, kind, maps=True)
    exe = stepwell.compile(text, simd=LEVELS[number % 3])
    assert exe.ir("kernels").count("kernel.launch") == 1
    assert "put into each other, with maps" in exe.ir("kernels")
    rng = np.random.default_rng(number)
    args = [numbers(rng, p, kind) for p in [*parts, shape[-1:], shape]]
    with np.errstate(all="ignore"):
        want = (expected(shape, steps, places, args) + args[-2]) * args[-1]
    same_bits(exe(*args)[0], want)


@pytest.mark.parametrize("number", [2, 5])
def test_what_is_read_elsewhere_is_kept_beside_the_maps_of_it(number):
    shape, steps = CASES[number]
    text, parts, places = program(shape, steps, "f32", maps=True, keep=True)
    exe = stepwell.compile(text)
    assert exe.ir("kernels").count("kernel.launch") == 1
    rng = np.random.default_rng(number)
    args = [numbers(rng, p, "f32") for p in [*parts, shape[-1:], shape]]
    whole, mapped = exe(*args)
    want = expected(shape, steps, places, args)
    same_bits(whole, want)
    with np.errstate(all="ignore"):
        same_bits(mapped, (want + args[-2]) * args[-1])


def test_inserts_that_leave_gaps_or_meet_are_done_one_after_the_other():
    shape, steps = (4, 40), (1, 2)
    text, parts, _ = program(shape, steps, "f32")
    rng = np.random.default_rng(1)
    args = [numbers(rng, p, "f32") for p in parts]
    # The second part over the first one: what is between is not written.
    over = text.replace("into %y1[0, 1]", "into %y1[0, 0]")
    assert over != text
    exe = stepwell.compile(over)
    assert "vector.shuffle" not in exe.ir("scheduled")
    same_bits(np.asarray(exe(*args)[0])[:, ::2], args[1])
