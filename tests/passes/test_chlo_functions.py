"""CHLO's functions: special functions against exact values (mpmath, 40 digits), decompositions against the interpreter."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import stepwell
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module
from stepwell.passes.convert_chlo_to_stablehlo import ConvertChloToStablehloPass

INF, NAN = float("inf"), float("nan")

EXACT = {
    "lgamma": [
        (0.19412977289079358, 1.5555729375873613),
        (0.6340699793474432, 0.34779226374776556),
        (0.7991963797161148, 0.1528359217482173),
        (2.1726007071815685, 0.08225037544490302),
        (2.8873555304583753, 0.5917437758002112),
        (1.0357828417939505, -0.019619246688776276),
        (18.944386846811817, 36.23325566356431),
        (10.868752755197619, 14.796574616773569),
        (4.277255812837321, 2.150660487768271),
        (9.177733861259217e-20, 43.83492154179447),
        (9.126392563347039e-12, 25.41985061841653),
        (4.095091817876374e+25, 2.374105585072803e+27),
        (-0.033585575305464355, 3.4139879991142768),
        (-0.08401534358238483, 2.531308286962744),
        (-15.929928313562343, -27.809235903754455),
        (-16.98502831263528, -29.260262729988263),
        (-3.437803260219502e-09, 19.488433158674567),
        (-1.2164245949056983e-11, 25.13252012690222),
    ],
    "digamma": [
        (0.9275588094659627, -0.7031269014003079),
        (0.16394265320782597, -6.435418961518014),
        (0.9704494067485071, -0.6269028670078542),
        (1.5484139139066484, 0.08080197473521712),
        (2.5800306359615996, 0.7416624593878532),
        (2.62882861599933, 0.7644449871218724),
        (13.555451273139173, 2.569449976816174),
        (3.2620239940597537, 1.0213078854554176),
        (15.990714887825746, 2.740414317004577),
        (1193.2703410124761, 7.084033927415385),
        (1.1403190872382654e+16, 36.97266961223233),
        (2094445366.1747494, 21.46255461334882),
        (-0.033585575305464355, 29.14082722686081),
        (-0.08401534358238483, 11.177989422010121),
        (-15.929928313562343, -11.240565725211392),
        (-16.98502831263528, -63.881995220585864),
        (-3.437803260219502e-09, 290883428.25988144),
        (-1.2164245949056983e-11, 82208137206.44165),
    ],
    "bessel_i1e": [
        (0.6417678081403646, 0.17774687616597362),
        (0.5222459329102984, 0.16023581202720139),
        (0.8001925768935053, 0.19451535235550604),
        (2.601944790382152, 0.204614422989301),
        (2.665522070298791, 0.20337401034893085),
        (1.100672566391083, 0.21222601842511446),
        (5.7789458844879675, 0.1544782007923379),
        (8.457686707596608, 0.1308425458186381),
        (3.177266492766916e-22, 1.588633246383458e-22),
        (2.1433404144023127e-07, 1.0716699775057805e-07),
        (1.4022761956533655e-28, 7.011380978266828e-29),
        (-0.27874715668162764, -0.10649601972835143),
        (-6.887228364792911, -0.1433007779111788),
        (-3.0, -0.19682671329730086),
    ],
    "erf_inv": [
        (-0.42719494956195914, -0.39875532122311463),
        (0.5300536852295743, 0.5109316042527265),
        (-0.8444096904718315, -1.0041338238952873),
        (-0.9838637841698841, -1.7011715919891048),
        (0.6806156292241285, 0.7040830397435196),
        (0.4707190332151645, 0.4448437100337044),
        (-0.7611817388757134, -0.832933380486762),
        (0.9999995612112715, 3.571816028063143),
        (0.9823267091592942, 1.6775350361828527),
        (0.679528160659169, 0.7025026189348444),
        (0.9999999430995006, 3.8383718822506108),
        (0.9999999997766074, 4.486120166935609),
        (0.9999999999999998, 5.805018683193453),
        (1.681564764522062e-05, 1.490247971322398e-05),
        (9.090034230642838e-28, 8.055833088482929e-28),
        (9.013270130754805e-21, 7.98780267625401e-21),
    ],
}  # fmt: skip
"""Arguments and values, rounded once."""

ULP = {"lgamma": 2.5, "digamma": 2.5, "bessel_i1e": 3, "erf_inv": 4}

ZETA = [
    (5.60688280067761, 504.4082462406216, 7.712132948841819e-14),
    (2.2072412335272356, 0.26222730928549376, 20.19455046146306),
    (6.611784310081967, 45.719206695381, 9.146513030890348e-11),
    (2.332150400028824, 82.74853520082152, 0.002109597828635595),
    (8.520287379285968, 0.049120973380011757, 141508187346.3706),
    (6.943538069304189, 0.029738126427068294, 39866225068.527084),
    (1.9541852091292127, 6.294477365911508, 0.19557541973093376),
    (3.3209702678516324, 37.91151983992995, 9.623480090205815e-05),
    (92.1125657555744, 33.0410477683024, 1.273570324496111e-140),
    (20.791733190075426, 2.9197635410849947, 2.116283926457808e-10),
    (64.61043727158065, 83.96116164728772, 9.107388073632422e-125),
    (5.0, -13.283666702114852, -539.379140274793),
    (3.0, -24.18107122581371, -167.13632587471648),
    (6.0, -6.675205978388173, 862.6218061828026),
    (3.0, -23.482814037785054, -1.6797228714678354),
    (5.0, -5.603810380614256, 90.08361354813422),
    (2.0, 1.0, 1.6449340668482264),
    (2.0, 0.0, INF),
    (3.0, -2.0, NAN),
    (1.0, 3.0, INF),
    (0.5, 1.0, NAN),
    (2.5, -0.5, NAN),
    (300.0, 0.01, INF),
    (1.5, 10000000000.0, 2.00000000005e-05),
]  # fmt: skip
POLYGAMMA = [
    (8.0, 0.12742424128717053, -4552521623982.444),
    (7.0, 56.88625109324049, 3.9700993214188856e-10),
    (6.0, 2.667057399726176, -0.8516715062453948),
    (10.0, 0.18477098274054637, -423439704391905.6),
    (5.0, 0.47316440824920003, 10705.583505818564),
    (7.0, 14.033921526613494, 8.548261301310857e-06),
    (11.0, 0.01826399844249332, 2.8973794844521914e+28),
    (6.0, 0.34861737538686954, -1150597.8263219),
    (4.0, -12.977015080238981, -3741073847.3971987),
    (4.0, -19.67499858546575, -6451.876499661199),
    (0.0, -1.368192710834446, 2.017100913207222),
    (0.0, -5.6634211313893275, 0.04838554372333722),
    (1.0, -3.5565156713421175, 9.942094484217945),
    (67.0, 29.002494166192143, 1.453478753667769e-05),
    (138.0, 18.569201150202794, -3.0061159112441497e+60),
]  # fmt: skip


def interpret(text, *args, decompose=False):
    module = parse_module(text, "program.mlir", context())
    module.verify()
    if decompose:
        ConvertChloToStablehloPass().apply(context(), module)
        module.verify()
        assert not [op for op in module.walk() if op.name in ("chlo.scan", "chlo.ragged_dot", "chlo.zeta")]
    return Interpreter(module, interpreter_rules()).call("main", [np.asarray(a) for a in args])


def functions_program(element, arguments):
    """All functions of one argument, each of its own."""
    names = list(EXACT)
    types = [f"tensor<{len(x)}x{element}>" for x in arguments]
    signature = ", ".join(f"%{n}: {t}" for n, t in zip(names, types, strict=True))
    body = "".join(f"%r_{n} = chlo.{n} %{n} : {t} -> {t}\n" for n, t in zip(names, types, strict=True))
    results = ", ".join(f"%r_{n}" for n in names)
    return f"func.func @main({signature}) -> ({', '.join(types)}) {{\n{body}return {results} : {', '.join(types)}\n}}"


def errors(name, got, dtype):
    """Errors in units of the last place; of what cancels below zero, of the larger terms."""
    x, want = (np.array(v) for v in zip(*EXACT[name], strict=True))
    inside = np.isfinite(x.astype(dtype)) & (np.abs(want) < float(ml_dtypes.finfo(dtype).max)) & (x.astype(dtype) == x)
    size = np.maximum(np.abs(want), 1) if name in ("lgamma", "digamma") else np.abs(want)
    size = np.where((x < 0), size * 4, np.abs(want))
    unit = np.spacing(size.astype(dtype)).astype(np.float64)
    return (np.abs(np.asarray(got).astype(np.float64) - want) / unit)[inside]


def test_special_functions_are_right_to_the_last_places():
    arguments = [np.array([x for x, _ in EXACT[name]]) for name in EXACT]
    results = stepwell.compile(functions_program("f64", arguments))(*arguments)
    for name, got in zip(EXACT, results, strict=True):
        assert errors(name, got, np.float64).max() <= ULP[name], name


SPECIAL = {
    "lgamma": ([0.0, -0.0, -1.0, -3.0, INF, -INF, NAN], [INF, INF, INF, INF, INF, INF, NAN]),
    "digamma": ([0.0, -1.0, -7.0, INF, -INF, NAN], [NAN, NAN, NAN, INF, NAN, NAN]),
    "bessel_i1e": ([0.0, -0.0, INF, -INF, NAN], [0.0, -0.0, 0.0, -0.0, NAN]),
    "erf_inv": ([0.0, -0.0, 1.0, -1.0, 1.5, -2.0, NAN], [0.0, -0.0, INF, -INF, NAN, NAN, NAN]),
}


def test_narrow_special_functions_are_the_wide_ones_rounded_and_special_values_exact():
    with np.errstate(over="ignore"):
        ordinary = [np.array([x for x, _ in EXACT[name]]).astype(np.float32) for name in EXACT]
    ordinary = [x[np.isfinite(x)] for x in ordinary]
    arguments = [
        np.concatenate([x, SPECIAL[name][0]]).astype(np.float32) for name, x in zip(EXACT, ordinary, strict=True)
    ]
    results = stepwell.compile(functions_program("f32", arguments))(*arguments)
    wide = [x.astype(np.float64) for x in arguments]
    direct = interpret(functions_program("f64", wide), *wide)
    for name, x, got, want in zip(EXACT, ordinary, results, direct, strict=True):
        with np.errstate(over="ignore"):
            rounded = want.astype(np.float32)
        np.testing.assert_array_max_ulp(np.asarray(got)[: len(x)], rounded[: len(x)], 3.5 if name == "erf_inv" else 1)
        exact = np.array(SPECIAL[name][1], np.float32)
        for values in (np.asarray(got)[len(x) :], rounded[len(x) :]):
            np.testing.assert_array_equal(values, exact, err_msg=name)
            known = ~np.isnan(exact)
            np.testing.assert_array_equal(np.signbit(values)[known], np.signbit(exact)[known], err_msg=name)


def pair_program(element):
    types = [f"tensor<{len(t)}x{element}>" for t in (ZETA, POLYGAMMA)]
    a, b = types
    return (
        f"func.func @main(%x: {a}, %q: {a}, %n: {b}, %y: {b}) -> ({a}, {b}) {{\n"
        f"%0 = chlo.zeta %x, %q : {a}, {a} -> {a}\n%1 = chlo.polygamma %n, %y : {b}, {b} -> {b}\nreturn %0, %1 : {a}, {b}\n}}"
    )


def run_pairs(text, run, dtype):
    arguments = [
        np.array(column, dtype) for table in (ZETA, POLYGAMMA) for column in list(zip(*table, strict=True))[:2]
    ]
    return run(text, *arguments)


WAYS = {
    "interpreter": interpret,
    "decomposition": lambda text, *args: interpret(text, *args, decompose=True),
    "native": lambda text, *args: stepwell.compile(text)(*args),
}


@pytest.mark.parametrize("way", WAYS)
def test_zeta_and_polygamma_of_doubles(way):
    with np.errstate(all="ignore"):
        zeta, polygamma = run_pairs(pair_program("f64"), WAYS[way], np.float64)
    np.testing.assert_allclose(np.asarray(zeta), [w for *_, w in ZETA], rtol=1e-12)
    np.testing.assert_allclose(np.asarray(polygamma), [w for *_, w in POLYGAMMA], rtol=1e-12)


def test_narrow_zeta_and_polygamma_are_the_wide_ones_rounded():
    text = pair_program("f32")
    direct = run_pairs(text, WAYS["interpreter"], np.float32)
    decomposed = run_pairs(text, WAYS["decomposition"], np.float32)
    for got, want in zip(decomposed, direct, strict=True):
        np.testing.assert_array_max_ulp(got, want, 1)


# Broadcasting.


def test_operands_are_broadcast_as_in_numpy_or_by_dimensions():
    text = """func.func @main(%x: tensor<3x1xf32>, %y: tensor<4xf32>, %z: tensor<3xf32>, %p: tensor<3x1xi1>)
        -> (tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xi1>, tensor<3x4xf32>) {
      %0 = chlo.broadcast_subtract %x, %y : (tensor<3x1xf32>, tensor<4xf32>) -> tensor<3x4xf32>
      %1 = chlo.broadcast_divide %z, %0 {broadcast_dimensions = array<i64: 0>} : (tensor<3xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
      %2 = chlo.broadcast_next_after %x, %y : (tensor<3x1xf32>, tensor<4xf32>) -> tensor<3x4xf32>
      %3 = chlo.broadcast_compare %x, %y {comparison_direction = #chlo<comparison_direction GE>}
        : (tensor<3x1xf32>, tensor<4xf32>) -> tensor<3x4xi1>
      %4 = chlo.broadcast_select %p, %x, %y : (tensor<3x1xi1>, tensor<3x1xf32>, tensor<4xf32>) -> tensor<3x4xf32>
      return %0, %1, %2, %3, %4 : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xi1>, tensor<3x4xf32>
    }"""
    generator = np.random.default_rng(0)
    x, y, z = (generator.uniform(1, 2, s).astype(np.float32) for s in ((3, 1), (4,), (3,)))
    p = np.array([[True], [False], [True]])
    wanted = [x - y, z[:, None] / (x - y), np.nextafter(x, y), x >= y, np.where(p, x, y)]
    for run in (WAYS["interpreter"], WAYS["decomposition"]):
        for got, want in zip(run(text, x, y, z, p), wanted, strict=True):
            np.testing.assert_array_equal(got, want)


def test_a_broadcast_zeta_is_decomposed_like_zeta():
    text = """func.func @main(%x: tensor<2x1xf64>, %q: tensor<3xf64>) -> tensor<2x3xf64> {
      %0 = chlo.broadcast_zeta %x, %q : (tensor<2x1xf64>, tensor<3xf64>) -> tensor<2x3xf64>
      return %0 : tensor<2x3xf64>
    }"""
    (got,) = WAYS["decomposition"](text, np.array([[2.0], [4.0]]), np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(got[0], np.pi**2 / 6 - np.array([0, 1, 1.25]), rtol=1e-14)
    np.testing.assert_allclose(got[1], np.pi**4 / 90 - np.array([0, 1, 1.0625]), rtol=1e-13)


# Scans.

SCAN = """func.func @main(%x: tensor<2x{n}xf32>, %c: tensor<2xf32>) -> (tensor<2x{n}xf32>, tensor<2xf32>) {{
  %0:2 = chlo.scan(%x) inits (%c) dimension=1 {attributes} {{
  ^bb0(%input: tensor<2xf32>, %carry: tensor<2xf32>):
    %1 = stablehlo.multiply %carry, %input : tensor<2xf32>
    %2 = stablehlo.add %1, %input : tensor<2xf32>
    stablehlo.return %1, %2 : tensor<2xf32>, tensor<2xf32>
  }} : (tensor<2x{n}xf32>, tensor<2xf32>) -> (tensor<2x{n}xf32>, tensor<2xf32>)
  return %0#0, %0#1 : tensor<2x{n}xf32>, tensor<2xf32>
}}"""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("n", "backwards"), [(5, False), (5, True), (0, False), (1, True)])
def test_a_scan_runs_its_body_along_the_dimension(way, n, backwards):
    if way == "native" and (n, backwards) != (5, True):
        pytest.skip("one compiled program is enough")
    text = SCAN.format(n=n, attributes="attributes {is_reverse = true}" if backwards else "")
    generator = np.random.default_rng(1)
    x, carry = generator.uniform(-1, 1, (2, n)).astype(np.float32), np.array([1, 2], np.float32)
    outputs, last = WAYS[way](text, x, carry)
    want = np.zeros_like(x)
    for i in reversed(range(n)) if backwards else range(n):
        want[:, i] = carry * x[:, i]
        carry = want[:, i] + x[:, i]
    np.testing.assert_allclose(np.asarray(outputs), want, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(last), carry, rtol=1e-6)


# Ragged products.


def ragged_program(lhs, rhs, sizes, result, numbers):
    types = [
        f"tensor<{'x'.join(map(str, s))}x{e}>" for s, e in ((lhs, "f32"), (rhs, "f32"), (sizes, "i64"), (result, "f32"))
    ]
    return (
        f"func.func @main(%a: {types[0]}, %b: {types[1]}, %s: {types[2]}) -> {types[3]} {{\n"
        f'%0 = "chlo.ragged_dot"(%a, %b, %s) <{{ragged_dot_dimension_numbers = #chlo.ragged_dot<{numbers}>}}> : '
        f"({', '.join(types[:3])}) -> {types[3]}\nreturn %0 : {types[3]}\n}}"
    )


RAGGED = {
    "free": (
        (2, 7, 3), (4, 2, 3, 5), (2, 4), (2, 7, 5), [[2, 0, 3, 1], [0, 0, 5, 2]],
        "lhs_batching_dimensions = [0], rhs_batching_dimensions = [1], lhs_contracting_dimensions = [2],"
        " rhs_contracting_dimensions = [2], lhs_ragged_dimensions = [1], rhs_group_dimensions = [0]",
    ),
    "contracting": (
        (2, 3, 7), (2, 7, 5), (4,), (4, 2, 3, 5), [2, 0, 3, 1],
        "lhs_batching_dimensions = [0], rhs_batching_dimensions = [0], lhs_contracting_dimensions = [2],"
        " rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [2]",
    ),
    "batch": (
        (4, 2, 3), (4, 3, 5), (3,), (4, 2, 5), [2, 1, 1],
        "lhs_batching_dimensions = [0], rhs_batching_dimensions = [0], lhs_contracting_dimensions = [2],"
        " rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0]",
    ),
}  # fmt: skip


def ragged_direct(kind, a, b, sizes):
    if kind == "batch":
        return a @ b
    if kind == "free":
        result = np.zeros((2, 7, 5))
        for i in range(2):
            ends = np.cumsum(sizes[i])
            for g, (start, end) in enumerate(zip(ends - sizes[i], ends, strict=True)):
                result[i, start:end] = a[i, start:end] @ b[g, i]
        return result
    ends = np.cumsum(sizes)
    return np.stack([a[:, :, s:e] @ b[:, s:e] for s, e in zip(ends - sizes, ends, strict=True)])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", RAGGED)
def test_ragged_products_are_products_of_groups(kind, way):
    if way == "native" and kind != "free":
        pytest.skip("one compiled program is enough")
    *shapes, sizes, numbers = RAGGED[kind]
    generator = np.random.default_rng(2)
    a, b = (generator.normal(size=s).astype(np.float32) for s in shapes[:2])
    if kind == "free":
        b[1] = np.inf  # of a group without rows: stays out of the others
    if kind == "contracting":
        b[:, 6] = np.inf  # in no group
    (got,) = WAYS[way](ragged_program(*shapes, numbers), a, b, np.array(sizes, np.int64))
    want = ragged_direct(kind, a.astype(np.float64), b.astype(np.float64), np.array(sizes))
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=1e-5)
