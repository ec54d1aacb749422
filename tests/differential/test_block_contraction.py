"""Contractions by blocks of subgroups mean what the unscheduled ones mean, on tensors and on buffers, without copies."""

from __future__ import annotations

import re
from io import StringIO

import ml_dtypes
import numpy as np
import pytest
from xdsl.dialects import scf
from xdsl.dialects.builtin import DictionaryAttr, IntegerAttr, StringAttr, i64
from xdsl.printer import Printer

from stepwell.dialects import gpu, kernel
from stepwell.dialects.interp.simt import launch
from stepwell.dialects.kernel import Level, level_of
from stepwell.dialects.registry import DIALECTS, get_dialect, interpreter_rules
from stepwell.ir.context import make_context
from stepwell.ir.errors import InvalidProgramError
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module
from stepwell.ir.pass_manager import Pipeline, build_pipeline
from stepwell.passes.apply_schedule import ApplySchedulePass
from stepwell.passes.bufferize import BufferizePass
from stepwell.passes.choose_schedules import ChooseSchedulesPass
from stepwell.passes.raise_to_affine import RaiseToAffinePass
from stepwell.passes.registry import PASSES, get_pass

pytestmark = pytest.mark.every(3)

DTYPES = {
    "f32": np.float32,
    "f64": np.float64,
    "bf16": ml_dtypes.bfloat16,
    "f16": np.float16,
    "i8": np.int8,
    "i32": np.int32,
    "i1": np.bool_,
}
TARGET = (
    '{level = "simt", subgroup = 32 : i64, vector_bits = 4096 : i64, cores = 132 : i64, block_threads = 1024 : i64, '
    'shared_bytes = 49152 : i64, shared_limit = 232448 : i64, features = "mma_f16,mma_bf16,async_copy"}'
)


def context():
    return make_context({name: (lambda name=name: get_dialect(name)) for name in DIALECTS})


def print_module(module) -> str:
    stream = StringIO()
    Printer(stream).print_op(module)
    return stream.getvalue()


def tensor(shape, dtype: str) -> str:
    return f"tensor<{''.join(f'{s}x' for s in shape)}{dtype}>"


class Program:
    """A kernel: one contraction written as an einsum, then pointwise ops, each with inputs at given letters."""

    def __init__(self, spec: str, sizes: dict[str, int], dtype: str, acc: str | None = None, init: str | None = None):
        operands, out = spec.split("->")
        left, right = operands.split(",")
        letters = [c for c in dict.fromkeys(out + left + right)]
        self.sizes, self.out, self.acc = sizes, out, acc or dtype
        self.letters = letters
        self.inputs = [(left, dtype), (right, dtype)]
        self.kinds = ", ".join('"parallel"' if c in out else '"reduction"' for c in letters)
        self.dtype, self.init = dtype, init
        self.steps: list[tuple[list[int], str, str, str]] = []

    def map(self, at: str) -> str:
        dims = ", ".join(f"d{i}" for i in range(len(self.letters)))
        return f"affine_map<({dims}) -> ({', '.join(f'd{self.letters.index(c)}' for c in at)})>"

    def out_map(self, at: str) -> str:
        dims = ", ".join(f"d{i}" for i in range(len(self.out)))
        return f"affine_map<({dims}) -> ({', '.join(f'd{self.out.index(c)}' for c in at)})>"

    def then(self, body: str, result: str, at: str | None = None, dtype: str | None = None) -> Program:
        """A pointwise op of the value so far (%v) and perhaps an input (%w) at `at`; `body` defines %y."""
        extra: list[int] = []
        if at is not None:
            extra.append(len(self.inputs))
            self.inputs.append((at, dtype or result))
        self.steps.append((extra, body, result, at or ""))
        return self

    def kind(self, at: str, dtype: str) -> str:
        return tensor([self.sizes[c] for c in at], dtype)

    def _contraction(self) -> list[str]:
        acc, out = self.acc, self.kind(self.out, self.acc)
        floats = "f" in acc
        cast = {True: "extf", False: "extsi"}["f" in self.dtype]
        lines = [f"%e = tensor.empty() : {out}"]
        if self.init is None:
            zero = "0.0" if floats else "0"
            lines += [
                f"%c = arith.constant {zero} : {acc}",
                f"%f = linalg.fill ins(%c : {acc}) outs(%e : {out}) -> {out}",
            ]
        start = "%f" if self.init is None else "%init"
        maps = ", ".join(self.map(at) for at in (self.inputs[0][0], self.inputs[1][0], self.out))
        a, b = (self.kind(*i) for i in self.inputs[:2])
        lines.append(
            f"%r0 = linalg.generic {{indexing_maps = [{maps}], iterator_types = [{self.kinds}]}} "
            f"ins(%x0, %x1 : {a}, {b}) outs({start} : {out}) {{"
        )
        lines.append(f"^bb0(%a: {self.dtype}, %b: {self.dtype}, %s: {acc}):")
        left, right = "%a", "%b"
        if self.dtype != acc:
            lines.append(f"%aw = arith.{cast} %a : {self.dtype} to {acc}")
            lines.append(f"%bw = arith.{cast} %b : {self.dtype} to {acc}")
            left, right = "%aw", "%bw"
        suffix = "f" if floats else "i"
        lines += [f"%p = arith.mul{suffix} {left}, {right} : {acc}", f"%t = arith.add{suffix} %s, %p : {acc}"]
        lines += [f"linalg.yield %t : {acc}", f"}} -> {out}"]
        return lines

    def text(self) -> str:
        lines = self._contraction()
        value, kind = "%r0", self.acc
        for number, (extra, body, result, at) in enumerate(self.steps, 1):
            out = self.kind(self.out, result)
            identity = self.out_map(self.out)
            used = [(value, self.kind(self.out, kind), identity, kind)]
            used += [(f"%x{i}", self.kind(*self.inputs[i]), self.out_map(at), self.inputs[i][1]) for i in extra]
            maps = ", ".join([m for _, _, m, _ in used] + [identity])
            names = ["%v", "%w"]
            blocks = ", ".join([f"{n}: {d}" for n, (_, _, _, d) in zip(names, used, strict=False)] + [f"%q: {result}"])
            lines.append(f"%e{number} = tensor.empty() : {out}")
            kinds = ", ".join('"parallel"' for _ in self.out)
            lines.append(
                f"%r{number} = linalg.generic {{indexing_maps = [{maps}], iterator_types = [{kinds}]}} "
                f"ins({', '.join(v for v, *_ in used)} : {', '.join(t for _, t, *_ in used)}) outs(%e{number} : {out}) {{"
            )
            lines += [f"^bb0({blocks}):", *body.split(";"), f"linalg.yield %y : {result}", f"}} -> {out}"]
            value, kind = f"%r{number}", result
        out = self.kind(self.out, kind)
        arguments = [f"%x{i}: {self.kind(*given)}" for i, given in enumerate(self.inputs)]
        access = ['"read"'] * len(arguments)
        if self.init == "read":
            arguments.append(f"%init: {self.kind(self.out, self.acc)}")
            access.append('"read"')
        name = "%init" if self.init == "updated" else "%o"
        access.append('"readwrite"' if self.init == "updated" else '"write"')
        arguments.append(f"{name}: {out}")
        return (
            f"kernel.func @k({', '.join(arguments)}) -> {out} attributes {{access = [{', '.join(access)}]}} {{\n"
            + "\n".join(lines)
            + f"\nkernel.return {value} : {out}\n}}"
        )

    def arguments(self, seed: int = 0) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        given = [values(rng, [self.sizes[c] for c in at], d) for at, d in self.inputs]
        last = self.steps[-1][2] if self.steps else self.acc
        shape = [self.sizes[c] for c in self.out]
        if self.init is not None:
            given.append(values(rng, shape, self.acc))
        if self.init != "updated":
            given.append(np.zeros(shape, DTYPES[last]))
        return given


def values(rng, shape, dtype: str) -> np.ndarray:
    if dtype.startswith("i"):
        return np.asarray(rng.integers(-9, 9, shape)).astype(DTYPES[dtype])
    return np.asarray(rng.standard_normal(shape) * 0.5).astype(DTYPES[dtype])


def scheduled(program: Program, strategy: str = "", tile: dict | None = None):
    """The module with a schedule carried out, and what the kernel computes without."""
    module = parse_module(f"module attributes {{stepwell.target = {TARGET}}} {{\n{program.text()}\n}}", "k", context())
    want = [np.array(w) for w in Interpreter(module, interpreter_rules()).call("k", program.arguments())]
    func = module.body.block.first_op
    ChooseSchedulesPass(strategy=strategy).apply(context(), module)
    if tile is not None:
        chosen = {"vector": 512, "tasks": 64, "subgroup": 32, **tile}
        entries = {k: StringAttr(v) if isinstance(v, str) else IntegerAttr(v, i64) for k, v in chosen.items()}
        func.properties["schedule"] = kernel.ScheduleAttr("block-contraction", DictionaryAttr(entries))
    ApplySchedulePass().apply(context(), func)
    module.verify()
    return module, want


def check(program: Program, tile: dict | None = None, expect: str | None = "block-contraction", tolerance=1e-5) -> str:
    """Compare the kernel before and after scheduling, then on buffers; returns the scheduled text."""
    module, want = scheduled(program, tile=tile)
    func = module.body.block.first_op
    if expect is not None:
        assert func.schedule.strategy.data == expect, func.schedule
    text = print_module(module)
    assert "linalg." not in text
    parse_module(text, "again", context()).verify()
    rules = interpreter_rules()
    compare(Interpreter(module, rules).call("k", program.arguments()), want, tolerance)
    BufferizePass().apply(context(), module)
    RaiseToAffinePass().apply(context(), module)
    module.verify()
    buffers = print_module(module)
    assert "memref.copy" not in buffers
    parse_module(buffers, "again", context()).verify()
    given = program.arguments()
    func = module.body.block.first_op
    scratch = [
        np.full([n if n >= 0 else 1 for n in a.type.get_shape()], 0x5A, np.int8) for a in func.args[len(given) :]
    ]
    if program.init != "updated":
        given[-1][...] = 77
    Interpreter(module, rules).call("k", [*given, *scratch])
    compare(given[-1:], want, tolerance)
    return text


def compare(got, want, tolerance) -> None:
    for one, reference in zip(got, want, strict=True):
        assert one.dtype == reference.dtype
        if reference.dtype.kind in "biu":
            np.testing.assert_array_equal(one, reference)
        else:
            np.testing.assert_allclose(
                one.astype(np.float64), reference.astype(np.float64), rtol=tolerance, atol=tolerance * 10
            )


def phases(text: str) -> list[str]:
    """The top-level loops of a kernel."""
    return re.split(r"\n    \S+ = scf.forall", text)[1:]


def matmul(
    m: int, n: int, k: int, dtype: str = "f32", acc: str | None = None, spec: str = "mk,kn->mn", **more
) -> Program:
    return Program(spec, {"m": m, "n": n, "k": k, **more.pop("sizes", {})}, dtype, acc, **more)


SHARED = {"form": "shared", "bm": 32, "bn": 32, "bk": 32, "wm": 8, "wn": 32, "lanes_m": 1, "lanes_n": 32}
REGISTER = {
    "form": "register", "bm": 64, "bn": 64, "bk": 8, "wm": 32, "wn": 32, "lanes_m": 4, "lanes_n": 8, "stages": 3, "pad": 4,
}  # fmt: skip
MATRIX = {
    "form": "matrix", "bm": 64, "bn": 64, "bk": 32, "wm": 32, "wn": 32, "lanes_m": 4, "lanes_n": 8, "stages": 3, "swizzle": 8,
}  # fmt: skip

SHAPES = [(1, 1, 1), (7, 13, 5), (63, 65, 33), (64, 64, 64), (96, 80, 48), (65, 31, 7)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", [SHARED, REGISTER, MATRIX], ids=lambda f: f["form"])
def test_forms_at_tile_borders(form, shape):
    types = ("f16", "f32") if form is MATRIX else ("f32", None)
    check(matmul(*shape, *types), tile=form)


@pytest.mark.parametrize(
    ("dtype", "acc"), [("f64", None), ("i32", None), ("i8", "i32"), ("bf16", "f32"), ("f16", "f32")]
)
def test_element_types_as_chosen(dtype, acc):
    text = check(matmul(70, 50, 40, dtype, acc))
    assert ('form = "matrix"' in text) == (acc == "f32")


@pytest.mark.parametrize("form", [SHARED, REGISTER], ids=lambda f: f["form"])
def test_small_factors_are_widened_as_they_are_copied(form):
    text = check(matmul(33, 40, 20, "bf16", "f32"), tile=form)
    assert "arith.extf" in text


SPECS = ["km,kn->mn", "mk,nk->mn", "km,nk->mn", "kn,mk->mn"]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("form", [SHARED, REGISTER, MATRIX], ids=lambda f: f["form"])
def test_operands_lie_any_way_round(form, spec):
    types = ("f16", "f32") if form is MATRIX else ("f32", None)
    check(matmul(70, 40, 37, *types, spec=spec), tile=form)


@pytest.mark.parametrize(
    "spec",
    ["bmk,bkn->bmn", "bmk,kn->bmn", "mbk,nbk->mbn", "mbk,bkn->bmn", "bmk,bnk->mbn", "mbkj,nbkj->bmn", "mjk,kjn->mn"],
)
@pytest.mark.parametrize("form", [REGISTER, MATRIX], ids=lambda f: f["form"])
def test_batches_and_several_summed_dims(form, spec):
    types = ("f16", "f32") if form is MATRIX else ("f32", None)
    check(matmul(35, 33, 20, *types, spec=spec, sizes={"b": 2, "j": 3}), tile=form)


def test_strided_and_reversed_operands_are_gathered():
    program = matmul(40, 36, 20)
    text = program.text()
    for strided in ("(d0, d2 * 2)", "(d0, -d2 + 39)", "(d0 * 2, d2)"):
        wider = text.replace("tensor<40x20xf32>", "tensor<80x40xf32>").replace("(d0, d2)", strided, 1)
        program.text = lambda wider=wider: wider
        program.inputs[0] = ("pq", "f32")
        program.sizes.update({"p": 80, "q": 40})
        check(program, tile=REGISTER)


@pytest.mark.parametrize("at", ["n", "m", "mn", ""])
@pytest.mark.parametrize("shape", [(64, 64, 16), (37, 41, 10)])
def test_an_epilogue_reads_rows_columns_and_tiles(at, shape):
    program = (
        matmul(*shape)
        .then("%y = arith.addf %v, %w : f32", "f32", at)
        .then("%z = arith.constant 0.0 : f32;%y = arith.maximumf %v, %z : f32", "f32")
    )
    text = check(program, tile=REGISTER)
    assert len(phases(text)) == 1


def test_an_epilogue_changes_the_type_and_keeps_what_else_is_asked_for():
    program = matmul(50, 40, 24, "f16", "f32")
    program.then("%y = arith.truncf %v : f32 to f16", "f16").then("%y = arith.addf %v, %w : f16", "f16", "n")
    text = check(program, tolerance=1e-2)
    assert len(phases(text)) == 1
    assert text.count("scf.forall") - text.count("scf.forall.in_parallel") <= 7


def test_what_a_tile_cannot_read_stays_behind():
    text = check(matmul(40, 40, 16).then("%y = arith.addf %v, %w : f32", "f32", "nm"), tile=REGISTER)
    assert len(phases(text)) == 2
    assert "vector.contract" in phases(text)[0]
    assert "arith.addf" in phases(text)[1]


def test_divisions_of_numbers_beyond_the_edge_stay_behind():
    program = matmul(33, 33, 8, "i32")
    program.then("%three = arith.constant 3 : i32;%y = arith.divsi %v, %three : i32", "i32")
    text = check(program, tile=REGISTER)
    assert len(phases(text)) == 2


@pytest.mark.parametrize("init", ["read", "updated"])
@pytest.mark.parametrize("shape", [(64, 64, 16), (37, 41, 10)])
def test_sums_start_from_a_tensor(init, shape):
    check(matmul(*shape, init=init), tile=REGISTER)
    check(matmul(*shape, spec="mbk,bkn->mbn", sizes={"b": 2}, init=init), tile=REGISTER)


@pytest.mark.parametrize("stages", [1, 2, 4, 9])
@pytest.mark.parametrize("k", [8, 16, 60])
def test_any_number_of_stages(stages, k):
    check(matmul(40, 36, k), tile={**REGISTER, "stages": stages})


def test_a_loop_meets_once_a_step_and_copies_ahead():
    module, _ = scheduled(matmul(128, 128, 256, "f16", "f32"), tile={**MATRIX, "stages": 4})
    (block,) = [op for op in module.walk() if level_of(op) is Level.BLOCK]
    rings = [op for op in block.body.block.ops if "swizzle" in op.attributes]
    assert [str(r.tensor.type) for r in rings] == ["tensor<4x64x32xf16>", "tensor<4x32x64xf16>"]
    (loop,) = [op for op in block.body.block.ops if isinstance(op, scf.ForOp)]
    multiply, copy = [op for op in loop.body.block.ops if level_of(op) is Level.SUBGROUP]
    assert multiply.attributes["wait"].value.data == 2
    assert not any("async" in op.attributes for op in multiply.walk())
    assert sum("async" in op.attributes for op in copy.walk()) == 2
    ahead = [op for op in block.body.block.ops if level_of(op) is Level.SUBGROUP][1:4]
    assert [sum("async" in op.attributes for op in f.walk()) for f in ahead] == [2, 2, 2]


def test_large_problems_are_small_programs():
    for dtype, acc in (("f32", None), ("f16", "f32")):
        program = matmul(512, 512, 512, dtype, acc)
        module = parse_module(
            f"module attributes {{stepwell.target = {TARGET}}} {{\n{program.text()}\n}}", "k", context()
        )
        ChooseSchedulesPass().apply(context(), module)
        func = module.body.block.first_op
        assert func.schedule.strategy.data == "block-contraction"
        ApplySchedulePass().apply(context(), func)
        assert sum(1 for _ in module.walk()) < 400


def test_few_rows_or_columns_are_left_to_other_loops():
    for shape in ((1, 64, 64), (64, 3, 64), (1, 1, 1)):
        check(matmul(*shape), expect=None)
        module, _ = scheduled(matmul(*shape))
        schedule = module.body.block.first_op.schedule
        assert schedule.strategy.data != "block-contraction"
        assert "no tiles of blocks" in schedule.params.data["reason"].data


def test_convolutions_are_left_to_other_loops():
    program = matmul(30, 16, 8, spec="mk,kn->mn")
    text = program.text().replace("tensor<30x8xf32>", "tensor<37xf32>").replace("(d0, d2)", "(d0 + d2)", 1)
    program.text = lambda: text
    program.inputs[0] = ("p", "f32")
    program.sizes["p"] = 37
    check(program, expect=None)
    module, _ = scheduled(program)
    assert "mixes a summed dim" in module.body.block.first_op.schedule.params.data["reason"].data


WRONG = [
    ({"wm": 24}, "a 64x64 tile is not made of 24x32 parts"),
    ({"lanes_m": 2}, "a grid of 2x8 lanes is not a subgroup of 32"),
    ({"wm": 2, "bm": 2}, "a 2x32 part does not divide into a grid of 4x8 lanes"),
    ({"stages": 64, "bk": 64}, "bytes of block scratch of 232448"),
    ({"form": "matrix"}, "a matrix unit multiplies f16 or bf16"),
    ({"form": "cube"}, "there is no form 'cube'"),
    ({"subgroups": 3}, "subgroups = 3, but 64x64 is 4 parts of 32x32"),
    ({"bk": 0}, "bk = 0 must be at least 1"),
    ({"bm": 32 * 32, "bn": 64, "wm": 8, "wn": 8}, "more than the 1024 threads of a block"),
    ({"bm": 96, "wm": 32, "bk": 7}, "cannot be shared out among 6 subgroups"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_numbers_that_do_not_fit_are_an_error(change, message):
    with pytest.raises(InvalidProgramError, match=message):
        scheduled(matmul(64, 64, 64), tile={**REGISTER, **change})


def test_stages_need_copies_that_go_on_beside_products(monkeypatch):
    """On a machine without such copies they became waits that its code cannot have."""
    monkeypatch.setitem(globals(), "TARGET", TARGET.replace(",async_copy", ""))
    with pytest.raises(InvalidProgramError, match="stages = 2 need copies that go on beside products"):
        scheduled(matmul(64, 64, 64), tile={**REGISTER, "stages": 2})
    scheduled(matmul(64, 64, 64), tile={**REGISTER, "stages": 1})


def test_a_schedule_without_its_numbers_is_an_error():
    with pytest.raises(InvalidProgramError, match="it does not say bm, bn, bk"):
        scheduled(matmul(64, 64, 64), tile={"form": "shared"})


def test_a_matrix_unit_must_be_there(monkeypatch):
    monkeypatch.setitem(globals(), "TARGET", TARGET.replace("mma_f16,", ""))
    module, _ = scheduled(matmul(64, 64, 64, "f16", "f32"))
    assert module.body.block.first_op.schedule.params.data["form"].data != "matrix"
    with pytest.raises(InvalidProgramError, match="the machine has no matrix unit for f16"):
        scheduled(matmul(64, 64, 64, "f16", "f32"), tile=MATRIX)


def test_the_sums_are_kept_too_when_they_are_asked_for():
    program = matmul(40, 36, 12).then("%y = arith.addf %v, %w : f32", "f32", "n")
    out = program.kind("mn", "f32")
    text = program.text().replace(f"%o: {out}) -> {out}", f"%sums: {out}, %o: {out}) -> ({out}, {out})")
    text = text.replace('"write"', '"write", "write"').replace(f"return %r1 : {out}", f"return %r0, %r1 : {out}, {out}")
    module = parse_module(f"module attributes {{stepwell.target = {TARGET}}} {{\n{text}\n}}", "k", context())
    a, b, bias, _ = program.arguments()
    ChooseSchedulesPass().apply(context(), module)
    ApplySchedulePass().apply(context(), module.body.block.first_op)
    blocks = [op for op in module.walk() if level_of(op) is Level.BLOCK]
    assert [len(op.res) for op in blocks] == [2]
    zeros = np.zeros((40, 36), np.float32)
    compare(Interpreter(module, interpreter_rules()).call("k", [a, b, bias, zeros, zeros]), [a @ b, a @ b + bias], 1e-5)


def on_lanes(program: Program, tile: dict | None = None, tolerance=1e-5) -> str:
    """Step 6 in the simulator, which checks every access; returns its text."""
    module, want = scheduled(program, tile=tile)
    func = module.body.block.first_op
    names = [argument.name_hint for argument in func.args]
    pipeline = "builtin.module(bufferize,raise-to-affine,gpu-outline-kernels)"
    Pipeline(build_pipeline(pipeline, get_pass, tuple(PASSES)).items, []).run(context(), module)
    text = print_module(module)
    dynamic = 1 << 17 if "gpu.dynamic_shared_memory" in text else 0
    given = program.arguments()
    for phase in module.walk():
        if isinstance(phase, gpu.FuncOp):
            chosen = [given[names.index(argument.name_hint)] for argument in phase.args]
            launch(phase, chosen, grid=phase.grid_size, block=phase.block_size, shared_bytes=dynamic)
    compare(given[-1:], want, tolerance)
    return text


@pytest.mark.parametrize("shape", [(64, 64, 40), (37, 41, 29), (1, 1, 1)])
@pytest.mark.parametrize("form", [SHARED, REGISTER, MATRIX], ids=lambda f: f["form"])
def test_forms_run_on_lanes(form, shape):
    types = ("f16", "f32") if form is MATRIX else ("f32", None)
    text = on_lanes(matmul(*shape, *types).then("%y = arith.addf %v, %w : f32", "f32", "n"), tile=form)
    assert ("nvgpu.mma.sync" in text) == (form is MATRIX)
    assert ("math.fma" in text) == (form is not MATRIX)


@pytest.mark.parametrize("spec", SPECS)
def test_operands_of_a_matrix_unit_lie_any_way_round(spec):
    on_lanes(matmul(48, 40, 56, "f16", "f32", spec=spec), tile=MATRIX)


@pytest.mark.parametrize("stages", [1, 2, 4])
def test_stages_do_not_overtake_each_other(stages):
    text = on_lanes(
        matmul(64, 128, 128, "bf16", "f32", spec="bmk,bkn->mbn", sizes={"b": 2}), {**MATRIX, "stages": stages}
    )
    assert ("nvgpu.device_async_copy" in text) == (stages > 1)
    assert text.count("gpu.barrier") <= (stages if stages > 1 else 2)
    on_lanes(matmul(64, 64, 32), {**REGISTER, "stages": stages})


@pytest.mark.parametrize("spec", ["mbk,bkn->mbn", "bmk,bkn->bmn"])
def test_partial_tiles_of_batches_run_on_lanes(spec):
    on_lanes(matmul(70, 70, 20, spec=spec, sizes={"b": 2}), tile=REGISTER)


@pytest.mark.parametrize("at", ["m", "mn", ""])
def test_an_epilogue_runs_on_lanes(at):
    for tile, types in ((REGISTER, ("f32", None)), (MATRIX, ("f16", "f32"))):
        program = matmul(50, 70, 16, *types).then("%y = arith.mulf %v, %w : f32", "f32", at)
        on_lanes(program.then("%y = math.absf %v : f32", "f32"), tile=tile)


@pytest.mark.parametrize("shape", [(64, 64, 16), (37, 41, 10), (32, 32, 8)])
@pytest.mark.parametrize("form", [SHARED, REGISTER, MATRIX], ids=lambda f: f["form"])
def test_a_tile_knows_where_in_the_result_it_is(form, shape):
    """A causal mask, and numbers of rows and batches: nothing of it takes a phase of its own."""
    types = ("f16", "f32") if form is MATRIX else ("f32", None)

    def masked() -> Program:
        program = matmul(*shape, *types, spec="bmk,bkn->bmn", sizes={"b": 2})
        return program.then(
            "%i = linalg.index 1 : index;%j = linalg.index 2 : index;%b = linalg.index 0 : index;"
            "%seen = arith.cmpi sge, %i, %j : index;%far = arith.constant -1.0 : f32;"
            "%kept = arith.select %seen, %v, %far : f32;%s = arith.addi %i, %b : index;"
            "%s32 = arith.index_cast %s : index to i32;%sf = arith.sitofp %s32 : i32 to f32;"
            "%y = arith.addf %kept, %sf : f32",
            "f32",
        )

    assert len(phases(check(masked(), tile=form))) == 1
    text = on_lanes(masked(), tile=form)
    assert text.count("gpu.func") == 1
