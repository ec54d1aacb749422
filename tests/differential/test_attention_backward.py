"""Programs that differentiate attention: recognized, they give what they give as they are written."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import ml_dtypes
import numpy as np
import pytest

import stepwell
from stepwell.backends.target import host_target
from stepwell.passes.stablehlo_to_linalg import attention_gradient


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch):
    """Sizes that would stay in a cache are taken whole all the same: they are what tests can afford."""
    monkeypatch.setattr(attention_gradient, "STORED", 1 << 40)


DTYPES = {"f32": np.float32, "bf16": ml_dtypes.bfloat16, "f16": np.float16}
LEVELS = ("sse4.2", "avx2", "avx512")
LOWEST = {"f32": "0xff800000", "bf16": "0xff80", "f16": "0xfc00"}
ALGORITHM = (
    ", algorithm = <lhs_precision_type = bf16, rhs_precision_type = bf16, accumulation_type = f32, lhs_component_count = 1,"
    " rhs_component_count = 1, num_primitive_operations = 1, allow_imprecise_accumulation = false>"
)
TOLERANCES = {"f32": 2e-5, "f16": 5e-3, "bf16": 2e-2}


@dataclass(frozen=True)
class Program:
    """Forward and backward pass as StableHLO: queries `b g h q d`, keys `b g k d`, values `b g k c`."""

    batch: int = 1
    groups: int = 2
    shared: int = 1
    queries: int = 8
    keys: int = 8
    depth: int = 8
    columns: int = 8
    form: str = "jax"
    """How the backward pass of the softmax is written: `jax`, `weights` (w * (g - sum(w g))), `parts` (w g - w sum(w g)), `turned`."""
    mask: str = ""
    """`causal` (-inf), `keys` (a mask given, -inf), `bias` (added) or nothing."""
    forward: bool = True
    """Whether the result of attention is a result as well."""
    kind: str = "f32"
    """The type of the operands and the results; the softmax is computed in f32."""
    rounded: bool = False
    """Whether scores and what is passed back to them are rounded to that type before and after the softmax."""
    mixed: bool = False
    """Whether what is passed back is multiplied with operands of another type, as `jax.nn.dot_product_attention` has it."""

    def text(self) -> str:
        b, g, h, q, k, d, c = (
            self.batch,
            self.groups,
            self.shared,
            self.queries,
            self.keys,
            self.depth,
            self.columns,
        )
        types = {"q": (b, g, h, q, d), "k": (b, g, k, d), "v": (b, g, k, c), "g": (b, g, h, q, c)}
        types |= {"keys": {"m": (b, k)}, "bias": {"m": (q, k)}}.get(self.mask, {})
        s, row = f"{b}x{g}x{h}x{q}x{k}", f"{b}x{g}x{h}x{q}"
        kind = self.kind
        arguments = ", ".join(f"%{n}: {_type(t, self._kind(n))}" for n, t in types.items())
        results = [types["q"], types["k"], types["v"], *([types["g"]] if self.forward else [])]
        dims = "dims = [0, 1, 2, 3]"
        scores = f"{s}x{self._scores}"
        batches = "batching_dims = [0, 1] x [0, 1], contracting_dims ="
        lines = [
            "%zero = stablehlo.constant dense<0.0> : tensor<f32>",
            "%one = stablehlo.constant dense<1.0> : tensor<f32>",
            "%low = stablehlo.constant dense<0xff800000> : tensor<f32>",
            f"%half = stablehlo.constant dense<0.5> : tensor<{scores}>",
            f"%zeros = stablehlo.constant dense<0.0> : tensor<{scores}>",
            f"%lows = stablehlo.constant dense<{LOWEST[self._scores]}> : tensor<{scores}>",
            f"%p = stablehlo.dot_general %q, %k, {batches} [4] x [3] :"
            f" ({_type(types['q'], kind)}, {_type(types['k'], kind)}) -> tensor<{scores}>",
            f"%ps = stablehlo.multiply %p, %half : tensor<{scores}>",
            *self._masked(s),
            f"%s = stablehlo.convert %sn : (tensor<{scores}>) -> tensor<{s}xf32>",
            f"%mx = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [4] :"
            f" (tensor<{s}xf32>, tensor<f32>) -> tensor<{row}xf32>",
            f"%mxb = stablehlo.broadcast_in_dim %mx, {dims} : (tensor<{row}xf32>) -> tensor<{s}xf32>",
            f"%sd = stablehlo.subtract %s, %mxb : tensor<{s}xf32>",
            f"%e = stablehlo.exponential %sd : tensor<{s}xf32>",
            f"%z = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [4] :"
            f" (tensor<{s}xf32>, tensor<f32>) -> tensor<{row}xf32>",
            f"%zb = stablehlo.broadcast_in_dim %z, {dims} : (tensor<{row}xf32>) -> tensor<{s}xf32>",
            f"%wide = stablehlo.divide %e, %zb : tensor<{s}xf32>",
            f"%wn = stablehlo.convert %wide : (tensor<{s}xf32>) -> tensor<{s}x{kind}>",
            # As torch has it, what is passed back is made of the weights that were rounded.
            f"%w = stablehlo.convert %wn : (tensor<{s}x{kind}>) -> tensor<{s}xf32>",
            f"%o = stablehlo.dot_general %wn, %v, {batches} [4] x [2] :"
            f" (tensor<{s}x{kind}>, {_type(types['v'], kind)}) -> {_type(types['g'], kind)}",
            f"%dv = stablehlo.dot_general %wn, %g, {batches} [2, 3] x [2, 3] :"
            f" (tensor<{s}x{kind}>, {_type(types['g'], kind)}) -> {_type(types['v'], kind)}",
            f"%dwn = stablehlo.dot_general %g, %v, {batches} [4] x [3] :"
            f" ({_type(types['g'], kind)}, {_type(types['v'], kind)}) -> tensor<{s}x{kind}>",
            f"%dw = stablehlo.convert %dwn : (tensor<{s}x{kind}>) -> tensor<{s}xf32>",
            *self._softmax_backward(s, row),
            f"%dsn = stablehlo.convert %ds : (tensor<{s}xf32>) -> tensor<{scores}>",
            *(
                [f"%du = stablehlo.select %mask, %dsn, %zeros : tensor<{s}xi1>, tensor<{scores}>"]
                if self._selects
                else []
            ),
            *self._products(s, "%du" if self._selects else "%dsn", types),
        ]
        names = ", ".join(["%dq", "%dk", "%dv", *(["%o"] if self.forward else [])])
        kinds = ", ".join(_type(t, kind) for t in results)
        body = "\n  ".join([*lines, f"func.return {names} : {kinds}"])
        return f"func.func @main({arguments}) -> ({kinds}) {{\n  {body}\n}}"

    @property
    def _scores(self) -> str:
        """The type of what is around the softmax."""
        return self.kind if self.rounded else "f32"

    def _kind(self, name: str) -> str:
        return {"keys": "i1", "bias": self._scores}[self.mask] if name == "m" else self.kind

    def _products(self, s: str, slope: str, types: dict[str, tuple[int, ...]]) -> list[str]:
        """What is passed back, scaled, times keys and times queries; `turned` has the keys before the queries."""
        keys, queries = "[4] x [2]", "[2, 3] x [2, 3]"
        scores = self._scores
        if self.form == "turned":
            turned = f"{self.batch}x{self.groups}x{self.keys}x{self.shared}x{self.queries}"
            lines = [
                f"%turned = stablehlo.transpose {slope}, dims = [0, 1, 4, 2, 3] : (tensor<{s}x{scores}>)"
                f" -> tensor<{turned}x{scores}>",
                f"%halves = stablehlo.constant dense<0.5> : tensor<{turned}x{scores}>",
                f"%dp = stablehlo.multiply %turned, %halves : tensor<{turned}x{scores}>",
            ]
            s, keys, queries = turned, "[2] x [2]", "[3, 4] x [2, 3]"
        else:
            lines = [f"%dp = stablehlo.multiply {slope}, %half : tensor<{s}x{scores}>"]
        for result, operand, dims in (("q", "k", keys), ("k", "q", queries)):
            kind = self.kind if self.mixed else scores
            lines += [
                f"%{operand}w = stablehlo.convert %{operand} : ({_type(types[operand], self.kind)})"
                f" -> {_type(types[operand], kind)}",
                f"%d{result}w = stablehlo.dot_general %dp, %{operand}w, batching_dims = [0, 1] x [0, 1],"
                f" contracting_dims = {dims}{ALGORITHM if self.mixed else ''} :"
                f" (tensor<{s}x{scores}>, {_type(types[operand], kind)}) -> {_type(types[result], scores)}",
                f"%d{result} = stablehlo.convert %d{result}w : ({_type(types[result], scores)})"
                f" -> {_type(types[result], self.kind)}",
            ]
        return lines

    @property
    def _selects(self) -> bool:
        return self.mask in ("causal", "keys")

    def _masked(self, s: str) -> list[str]:
        q, k, scores = self.queries, self.keys, self._scores
        if self.mask == "bias":
            return [
                f"%mb = stablehlo.broadcast_in_dim %m, dims = [3, 4] : (tensor<{q}x{k}x{scores}>) -> tensor<{s}x{scores}>",
                f"%sn = stablehlo.add %ps, %mb : tensor<{s}x{scores}>",
            ]
        made = {
            "": [f"%mask = stablehlo.constant dense<true> : tensor<{s}xi1>"],
            "keys": [
                f"%mask = stablehlo.broadcast_in_dim %m, dims = [0, 4] :"
                f" (tensor<{self.batch}x{k}xi1>) -> tensor<{s}xi1>"
            ],
            "causal": [
                f"%i = stablehlo.iota dim = 0 : tensor<{q}x{k}xi32>",
                f"%j = stablehlo.iota dim = 1 : tensor<{q}x{k}xi32>",
                f"%ij = stablehlo.compare GE, %i, %j, SIGNED : (tensor<{q}x{k}xi32>, tensor<{q}x{k}xi32>) -> tensor<{q}x{k}xi1>",
                f"%mask = stablehlo.broadcast_in_dim %ij, dims = [3, 4] : (tensor<{q}x{k}xi1>) -> tensor<{s}xi1>",
            ],
        }[self.mask]
        return [*made, f"%sn = stablehlo.select %mask, %ps, %lows : tensor<{s}xi1>, tensor<{s}x{scores}>"]

    def _softmax_backward(self, s: str, row: str) -> list[str]:
        dims, whole = "dims = [0, 1, 2, 3]", f"tensor<{s}xf32>"

        def total(name: str, of: str) -> list[str]:
            return [
                f"%{name}r = stablehlo.reduce({of} init: %zero) applies stablehlo.add across dimensions = [4] :"
                f" ({whole}, tensor<f32>) -> tensor<{row}xf32>",
                f"%{name} = stablehlo.broadcast_in_dim %{name}r, {dims} : (tensor<{row}xf32>) -> {whole}",
            ]

        if self.form == "jax":
            return [
                f"%zz = stablehlo.multiply %z, %z : tensor<{row}xf32>",
                f"%ones = stablehlo.broadcast_in_dim %one, dims = [] : (tensor<f32>) -> tensor<{row}xf32>",
                f"%iz = stablehlo.divide %ones, %zz : tensor<{row}xf32>",
                f"%izb = stablehlo.broadcast_in_dim %iz, {dims} : (tensor<{row}xf32>) -> {whole}",
                f"%wi = stablehlo.multiply %dw, %izb : {whole}",
                f"%we = stablehlo.multiply %wi, %e : {whole}",
                *total("t", "%we"),
                f"%nt = stablehlo.negate %t : {whole}",
                f"%dwz = stablehlo.divide %dw, %zb : {whole}",
                f"%sum = stablehlo.add %dwz, %nt : {whole}",
                f"%ds = stablehlo.multiply %sum, %e : {whole}",
            ]
        passed = [f"%wg = stablehlo.multiply %w, %dw : {whole}", *total("t", "%wg")]
        if self.form == "weights":
            return [
                *passed,
                f"%dif = stablehlo.subtract %dw, %t : {whole}",
                f"%ds = stablehlo.multiply %dif, %w : {whole}",
            ]
        return [*passed, f"%wt = stablehlo.multiply %t, %w : {whole}", f"%ds = stablehlo.subtract %wg, %wt : {whole}"]

    def inputs(self) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        b, g, h = self.batch, self.groups, self.shared
        shapes = [
            (b, g, h, self.queries, self.depth),
            (b, g, self.keys, self.depth),
            (b, g, self.keys, self.columns),
            (b, g, h, self.queries, self.columns),
        ]
        made = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
        if self.mask == "keys":
            made.append(rng.random((b, self.keys)) < 0.6)
        if self.mask == "bias":
            made.append(rng.standard_normal((self.queries, self.keys)).astype(np.float32))
        return [
            m if m.dtype == np.bool_ else m.astype(DTYPES[self._scores if i == 4 else self.kind])
            for i, m in enumerate(made)
        ]


def _type(shape: tuple[int, ...], kind: str) -> str:
    return f"tensor<{'x'.join(map(str, shape))}x{kind}>"


def check(program: Program, level: str, inputs: list[np.ndarray] | None = None) -> str:
    """Compare with the interpreter on the program as it is; returns the kernels."""
    text, given = program.text(), program.inputs() if inputs is None else inputs
    exe = stepwell.compile(text, simd=level, cache=False)
    want = stepwell.compile(text, target="interpreter")(*given)
    for got, expected in zip(exe(*given), want, strict=True):
        got, expected = np.asarray(got), np.asarray(expected)
        assert got.dtype == expected.dtype
        got, expected = got.astype(np.float32), expected.astype(np.float32)
        scale, tolerance = np.abs(expected[np.isfinite(expected)]).max(initial=1.0), TOLERANCES[program.kind]
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * scale, equal_nan=True)
    return exe.ir("kernels")


# Tiles of SSE: 4 keys by 8 queries.
GRID = [
    *itertools.product(
        (5, 7, 8, 9, 17), (4, 5, 8, 13), ("jax", "weights", "parts", "turned"), ("", "causal", "keys", "bias")
    ),
]


@pytest.mark.parametrize(("queries", "keys", "form", "mask"), GRID, ids=["-".join(map(str, g)) for g in GRID])
@pytest.mark.every(111)
def test_gradients_are_those_of_the_program(queries, keys, form, mask):
    shared = 1 + (queries + keys) % 2
    program = Program(2, 1 + keys % 2, shared, queries, keys, 4 + queries % 3, 5, form, mask)
    kernels = check(program, "sse4.2")
    assert kernels.count("structured.attention_gradient") == 1
    assert kernels.count("structured.attention ") == 1


NARROW = [
    ("sse4.2", Program(2, 1, 2, 9, 13, 8, 5, "jax", "causal", kind="bf16", mixed=True)),
    ("sse4.2", Program(1, 2, 1, 7, 8, 5, 8, "weights", "keys", kind="f16", rounded=True)),
    ("avx2", Program(1, 2, 1, 17, 19, 8, 6, "parts", "bias", kind="bf16", rounded=True)),
    ("avx2", Program(2, 1, 1, 16, 16, 7, 8, "jax", "", kind="f16")),
    ("avx512", Program(1, 1, 2, 33, 37, 16, 8, "turned", "causal", kind="bf16", rounded=True)),
    ("avx512", Program(1, 2, 1, 32, 24, 8, 16, "weights", "causal", kind="f16")),
]


@pytest.mark.every(3)
@pytest.mark.parametrize(("level", "program"), NARROW, ids=[f"{p.kind}-{p.form}-{level}" for level, p in NARROW])
def test_operands_narrower_than_the_softmax(level, program):
    """Scores and sums are f32, and each result is rounded once."""
    if list(LEVELS).index(level) > list(LEVELS).index(host_target().level):
        pytest.skip(f"this machine has no {level}")
    kernels = check(program, level)
    assert kernels.count("structured.attention_gradient") == kernels.count("structured.attention ") == 1
    assert kernels.count("causal = 0 : i64") == 2 * (program.mask == "causal")
    # Roundings of what the products are written as are part of them.
    assert kernels.count("kernel.launch") == 2


def test_rows_that_see_nothing_are_nan():
    program = Program(2, keys=7, mask="keys", forward=False)
    inputs = program.inputs()
    inputs[4][1] = False
    kernels = check(program, "sse4.2", inputs)
    assert "structured.attention_gradient" in kernels
    assert "structured.attention " not in kernels


def test_what_is_too_small_for_tiles_is_computed_as_it_is_written():
    for program in (Program(queries=1, keys=9), Program(keys=3), Program(columns=3)):
        kernels = check(program, "sse4.2")
        assert "structured.attention" not in kernels
        # What the decomposition copied is one again.
        assert kernels.count("math.exp ") == 1
        assert kernels.count("kernel.launch") == stepwell_launches(program)


def stepwell_launches(program: Program) -> int:
    """The launches of a program that is not recognized: its slope is something else by a sign."""
    other = program.text().replace("stablehlo.add %dwz, %nt", "stablehlo.subtract %dwz, %nt")
    return stepwell.compile(other, simd="sse4.2").ir("kernels").count("kernel.launch")


def test_unoptimized_code_gives_the_same():
    program = Program(1, 1, 2, 9, 10, mask="causal")
    given = program.inputs()
    plain = stepwell.compile(program.text(), simd="sse4.2", opt_level=0)(*given)
    for got, want in zip(stepwell.compile(program.text(), simd="sse4.2", cache=False)(*given), plain, strict=True):
        np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=2e-5, atol=2e-5)


def test_weights_that_stay_in_a_cache_are_stored_unless_a_mask_hides_half_of_them(monkeypatch):
    monkeypatch.setattr(attention_gradient, "STORED", 8)
    for mask, queries, count in (("", 9, 0), ("causal", 9, 1), ("", 512, 1)):
        program = Program(queries=queries, keys=queries, mask=mask)
        kernels = stepwell.explain(program.text(), simd="sse4.2").kernels
        assert sum("attention-gradient" in k.schedule for k in kernels) == count
        # The forward pass shares weights that are stored.
        assert sum('"attention"' in k.schedule for k in kernels) == count
