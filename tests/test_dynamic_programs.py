"""Programs of symbolic shapes as `jax.export` prints them (tests/data/dynamic), against NumPy at several shapes."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

import stepwell
from stepwell.compare import Tolerance, first_difference
from stepwell.compiler import parse
from stepwell.dynamic import DynamicExecutable

DATA = Path(__file__).parent / "data" / "dynamic"
F32 = np.float32


def floats(*shapes):
    generator = np.random.default_rng(7)
    return [generator.standard_normal(shape).astype(F32) for shape in shapes]


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention(q, k, v):
    return softmax(q @ k.swapaxes(1, 2) / np.sqrt(8)) @ v


def layernorm(x, gain, bias):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * gain + bias


def same_windows(x, window, stride):
    """The windows of `x` [b, h, w, c] that cover it as "SAME" does: [b, h', w', window, window, c]."""
    counts = [-(-n // stride) for n in x.shape[1:3]]
    total = [max((c - 1) * stride + window - n, 0) for c, n in zip(counts, x.shape[1:3], strict=True)]
    padded = np.pad(x, ((0, 0), *((t // 2, t - t // 2) for t in total), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (window, window), (1, 2))[:, ::stride, ::stride]
    return np.moveaxis(views[:, : counts[0], : counts[1]], 3, -1)


def convolution(x, kernel):
    return np.einsum("bhwijc,ijco->bhwo", same_windows(x, 3, 2), kernel)


def update_slice(x, i):
    row = min(max(int(i), 0), len(x) - 2)
    result = x.copy()
    result[:2, :3] = x[row : row + 2, :3] * 2
    return result


def top_k(x):
    order = np.argsort(-x, axis=1, kind="stable")[:, :3].astype(np.int32)
    return np.take_along_axis(x, order, 1), order


def image(b, h, w):
    return floats((b, h, w, 3))


CASES = {
    # name: (function, arguments for each of several shapes)
    "mlp": (
        lambda x, w, c, v: np.maximum(x @ w + c, 0) @ v,
        [floats((b, 8), (8, 16), (16,), (16, 4)) for b in (1, 5)],
    ),
    "attention": (attention, [floats(*[(b, n, 8)] * 3) for b, n in ((2, 5), (1, 1))]),
    "layernorm": (layernorm, [floats((b, n), (1,), (1,)) for b, n in ((3, 17), (1, 2))]),
    "convolution": (convolution, [[*image(*s), *floats((3, 3, 3, 4))] for s in ((2, 7, 6), (1, 1, 1))]),
    "average_pool": (lambda x: same_windows(x, 2, 2).sum((3, 4)), [image(2, 5, 4), image(1, 1, 1)]),
    "reshape": (lambda x: x.reshape(-1) * 2, [floats((3, 4)), floats((1, 1))]),
    "concatenate": (lambda x, y: np.concatenate([x, y]), [floats((b,), (2 * b,)) for b in (3, 1)]),
    "embedding": (lambda t, i: t[i], [[*floats((10, 4)), np.arange(n, dtype=np.int32) * 3] for n in (3, 1)]),
    "cumulative_sum": (lambda x: np.cumsum(x, 0), [floats((7, 3)), floats((1, 3))]),
    "arange": (lambda x: np.arange(len(x), dtype=np.int32) + x, [[np.arange(n, dtype=np.int32)] for n in (5, 1)]),
    "pad": (lambda x: np.pad(x, ((1, 2), (0, 1))), [floats((2, 3)), floats((1, 1))]),
    "update_slice": (update_slice, [[*floats(s), np.int32(i)] for s, i in (((4, 5), 9), ((2, 3), 0))]),
    "accumulate": (lambda x: np.full_like(x, (x * np.arange(len(x))).sum()), [floats((5,)), floats((1,))]),
    "halves": (lambda x: x[: len(x) // 2] + x[len(x) // 2 :], [floats((6,)), floats((2,))]),
    "constraints": (lambda x: x * 2, [floats((4, 3)), floats((2, 1))]),
    "top_k": (top_k, [floats((4, 5)), floats((1, 5))]),
}
TOLERANCE = Tolerance(1e-5, 1e-5)


def check(executable, name, most=2):
    function, calls = CASES[name]
    for arguments in calls[:most]:
        expected = function(*arguments)
        expected = expected if isinstance(expected, tuple) else (expected,)
        results = executable(*arguments)
        assert len(results) == len(expected)
        for got, want in zip(results, expected, strict=True):
            difference = first_difference(got, want.astype(got.dtype), TOLERANCE)
            assert got.shape == want.shape
            assert difference is None, f"{name}{[np.shape(a) for a in arguments]}: {difference}"


@pytest.mark.parametrize("name", CASES)
def test_the_interpreter_matches_numpy_at_every_shape(name):
    check(stepwell.compile(DATA / f"{name}.mlir", target="interpreter", verify_each=True), name)


@pytest.mark.parametrize("name", CASES)
def test_native_code_matches_numpy(name):
    check(stepwell.compile(DATA / f"{name}.mlir", opt_level=1), name, most=2 if name in ("pad", "arange") else 1)


def test_a_program_without_optimization_matches_numpy():
    check(stepwell.compile(DATA / "pad.mlir", opt_level=0), "pad", most=1)


def test_a_simulated_gpu_matches_numpy():
    check(stepwell.compile(DATA / "arange.mlir", target="gpu-sim"), "arange", most=1)


def test_random_numbers_are_those_of_the_interpreter():
    arguments = [np.array([3, 4], np.uint32), np.zeros(5, F32)]
    native, interpreted = (
        stepwell.compile(DATA / "random.mlir", target=t)(*arguments)[0] for t in ("cpu", "interpreter")
    )
    assert native.tobytes() == interpreted.tobytes()
    assert len(np.unique(native)) == 5


def test_every_file_is_used():
    assert {path.stem for path in DATA.glob("*.mlir")} == {*CASES, "random"}


# The executable.


DOUBLE = """
func.func @main(%x: tensor<?x4xf32>, %y: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = stablehlo.add %x, %y : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
"""

COUNT = """
func.func @main(%n: tensor<i32>, %x: tensor<f32>) -> tensor<?xf32> {
  %s = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
  %i = stablehlo.dynamic_iota %s, dim = 0 : (tensor<1xi32>) -> tensor<?xf32>
  %b = stablehlo.dynamic_broadcast_in_dim %x, %s, dims = [] : (tensor<f32>, tensor<1xi32>) -> tensor<?xf32>
  %r = stablehlo.multiply %i, %b : tensor<?xf32>
  return %r : tensor<?xf32>
}
"""


def compiled(text, **options):
    executable = stepwell.compile(text, target=options.pop("target", "interpreter"), **options)
    assert isinstance(executable, DynamicExecutable)
    return executable


def test_a_shape_is_compiled_once():
    executable = compiled(DOUBLE)
    x = np.ones((3, 4), F32)
    for _ in range(3):
        assert (executable(x, x)[0] == 2).all()
    executable(x[:2], x[:2])
    assert [e.input_types[0].shape for e in executable.specializations()] == [(3, 4), (2, 4)]


def test_extents_of_zero_are_extents():
    (result,) = compiled(DOUBLE, target="cpu")(np.ones((0, 4), F32), np.ones((0, 4), F32))
    assert result.shape == (0, 4)


def test_values_that_sizes_are_computed_from_are_part_of_the_key():
    executable = compiled(COUNT, target="cpu")
    assert executable.size_arguments == (0,)
    for n in (3, 0, 1, 3):
        (result,) = executable(np.int32(n), np.float32(0.5))
        assert result.tolist() == (np.arange(n) * 0.5).tolist()
    executable(np.int32(3), np.float32(7))
    assert len(executable.specializations()) == 3


def test_sizes_are_followed_through_calls_loops_branches_and_composites():
    text = """
    func.func @main(%n: tensor<i32>, %m: tensor<i32>, %k: tensor<i32>, %unused: tensor<i32>, %x: tensor<f32>) -> tensor<?xf32> {
      %zero = stablehlo.constant dense<0> : tensor<i32>
      %half = stablehlo.constant dense<0.5> : tensor<f32>
      %0 = func.call @sum(%n, %m) : (tensor<i32>, tensor<i32>) -> tensor<i32>
      %1:2 = stablehlo.while(%i = %zero, %a = %0) : tensor<i32>, tensor<i32>
      cond {
        %p = stablehlo.compare LT, %i, %unused : (tensor<i32>, tensor<i32>) -> tensor<i1>
        stablehlo.return %p : tensor<i1>
      } do {
        %j = stablehlo.add %i, %i : tensor<i32>
        stablehlo.return %j, %a : tensor<i32>, tensor<i32>
      }
      %p = stablehlo.compare GT, %k, %zero : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %2 = "stablehlo.if"(%p) ({
        stablehlo.return %1#1 : tensor<i32>
      }, {
        stablehlo.return %zero : tensor<i32>
      }) : (tensor<i1>) -> tensor<i32>
      %r = stablehlo.composite "my.fill" %2, %x {decomposition = @fill} : (tensor<i32>, tensor<f32>) -> tensor<?xf32>
      return %r : tensor<?xf32>
    }
    func.func private @sum(%a: tensor<i32>, %b: tensor<i32>) -> tensor<i32> {
      %r = stablehlo.add %a, %b : tensor<i32>
      return %r : tensor<i32>
    }
    func.func private @fill(%n: tensor<i32>, %x: tensor<f32>) -> tensor<?xf32> {
      %s = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
      %r = stablehlo.dynamic_broadcast_in_dim %x, %s, dims = [] : (tensor<f32>, tensor<1xi32>) -> tensor<?xf32>
      return %r : tensor<?xf32>
    }"""
    executable = compiled(text)
    assert executable.size_arguments == (0, 1, 2)
    assert executable(2, 1, 1, 0, 0.5)[0].tolist() == [0.5] * 3
    assert executable(2, 1, 0, 0, 0.5)[0].tolist() == []
    with pytest.raises(stepwell.InvalidProgramError, match="must not be negative"):
        executable(-2, 1, 1, 0, 0.5)


def test_python_numbers_are_taken_as_sizes():
    assert compiled(COUNT)(2, 0.5)[0].tolist() == [0, 0.5]


def test_a_negative_size_is_refused():
    with pytest.raises(stepwell.InvalidProgramError, match="must not be negative"):
        compiled(COUNT)(-1, 0.5)


def test_types_show_what_is_unknown():
    executable = compiled(DOUBLE)
    assert repr(executable) == "<stepwell.Executable (float32[?x4], float32[?x4]) -> (float32[?x4])>"


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(3, 4)], "takes 2 arguments, got 1"),
        ([(3, 4), (3, 5)], r"argument 1 must be float32\[\?x4\], got float32\[3x5\]"),
        ([(4,), (4,)], r"argument 0 must be float32\[\?x4\], got float32\[4\]"),
        ([(3, 4), (2, 4)], r"stablehlo.add: C1: .*tensor<2x4xf32>, expected tensor<3x4xf32>"),
    ],
)
def test_arguments_that_do_not_fit_are_named(shapes, message):
    with pytest.raises(stepwell.InvalidProgramError, match=message):
        compiled(DOUBLE)(*(np.ones(s, F32) for s in shapes))


def test_another_dtype_is_refused():
    with pytest.raises(stepwell.InvalidProgramError, match=r"argument 0 must be float32\[\?x4\], got float64\[3x4\]"):
        compiled(DOUBLE)(np.ones((3, 4)), np.ones((3, 4)))


def test_extents_that_disagree_are_located():
    with pytest.raises(stepwell.InvalidProgramError, match=r"<string>:3:8"):
        compiled(DOUBLE)(np.ones((3, 4), F32), np.ones((2, 4), F32))


def test_an_assertion_says_its_message_with_the_sizes():
    executable = compiled((DATA / "constraints.mlir").read_text())
    with pytest.raises(
        stepwell.InvalidProgramError, match=r"<string>:19:5: .*failed: .*constraint b >= 2\. .* found -1"
    ):
        executable(np.ones((1, 3), F32))
    with pytest.raises(stepwell.InvalidProgramError, match=r"failed: .*constraint 2\*floordiv\(b, 2\) == b\."):
        executable(np.ones((3, 3), F32))


def test_specialize_takes_types_shapes_and_arrays():
    executable = compiled(DOUBLE)
    made = executable.specialize("tensor<3x4xf32>", (3, 4))
    assert made is executable.specialize(np.ones((3, 4), F32), np.ones((3, 4), F32))
    assert made.output_types[0].shape == (3, 4)
    assert "tensor<3x4xf32>" in executable.ir("tensor")
    with pytest.raises(stepwell.InvalidProgramError, match="'tensor<' is not a type"):
        executable.specialize("tensor<", (3, 4))


def test_specialize_needs_the_values_of_sizes():
    executable = compiled(COUNT)
    with pytest.raises(stepwell.InvalidProgramError, match="argument 0 is what sizes are computed from"):
        executable.specialize("tensor<i32>", ())
    assert executable.specialize(4, ()).output_types[0].shape == (4,)


def test_there_is_no_code_before_the_first_shapes():
    with pytest.raises(stepwell.CompileError, match="call it, or specialize it"):
        compiled(DOUBLE).ir("tensor")


def test_the_ir_is_that_of_the_latest_call():
    executable = compiled(DOUBLE)
    for rows in (3, 5):
        executable(*[np.ones((rows, 4), F32)] * 2)
        assert f"tensor<{rows}x4xf32>" in executable.ir("structured")


def test_results_may_be_given():
    executable, out = compiled(DOUBLE, target="cpu"), np.zeros((2, 4), F32)
    (result,) = executable(*[np.ones((2, 4), F32)] * 2, out=[out])
    assert result is out
    assert (out == 2).all()


def test_donated_arguments_are_overwritten():
    executable = compiled(DOUBLE, target="cpu", donate=[0])
    assert executable.signature.donated == (0,)
    (result,) = executable(np.ones((300, 4), F32), np.ones((300, 4), F32))
    assert (result == 2).all()
    assert executable.specializations()[0].signature.donated == (0,)


def test_threads_share_one_compilation(monkeypatch):
    executable, x = compiled(DOUBLE), np.ones((6, 4), F32)
    build, built = executable._build, []
    monkeypatch.setattr(executable, "_build", lambda module: (built.append(1), build(module))[1])
    threads = [threading.Thread(target=executable, args=(x, x)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1


def test_the_cache_is_bounded(monkeypatch):
    executable = compiled(DOUBLE)
    executable._cache.size = 2
    for rows in (1, 2, 3):
        executable(*[np.ones((rows, 4), F32)] * 2)
    assert [e.input_types[0].shape[0] for e in executable.specializations()] == [2, 3]


def test_sizes_that_depend_on_data_are_refused_by_name():
    text = """
    func.func @main(%x: tensor<100000xi32>) -> tensor<?xi32> {
      %c = stablehlo.constant dense<0> : tensor<i32>
      %n = stablehlo.reduce(%x init: %c) applies stablehlo.add across dimensions = [0] : (tensor<100000xi32>, tensor<i32>) -> tensor<i32>
      %s = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
      %r = stablehlo.dynamic_iota %s, dim = 0 : (tensor<1xi32>) -> tensor<?xi32>
      return %r : tensor<?xi32>
    }"""
    with pytest.raises(stepwell.UnsupportedError, match=r"operand 0 depend on the result of 'stablehlo.reduce'"):
        stepwell.compile(text)


def test_an_unknown_extent_inside_of_a_static_program_is_found_at_once():
    text = """
    func.func @main(%x: tensor<2x3xf32>) -> tensor<6xf32> {
      %c = stablehlo.constant dense<6> : tensor<1xi32>
      %0 = stablehlo.dynamic_reshape %x, %c : (tensor<2x3xf32>, tensor<1xi32>) -> tensor<?xf32>
      %1 = stablehlo.negate %0 : (tensor<?xf32>) -> tensor<6xf32>
      return %1 : tensor<6xf32>
    }"""
    executable = stepwell.compile(text, target="interpreter")
    assert not isinstance(executable, DynamicExecutable)
    assert (executable(np.ones((2, 3), F32))[0] == -1).all()


BOUNDED = """
func.func @main(%x: tensor<?xf32, #stablehlo.bounds<5>>, %n: tensor<i32>) -> tensor<?xf32, #stablehlo.bounds<5>> {
  %0 = stablehlo.exponential %x : tensor<?xf32, #stablehlo.bounds<5>>
  %1 = stablehlo.set_dimension_size %0, %n, dim = 0 : (tensor<?xf32, #stablehlo.bounds<5>>, tensor<i32>) -> tensor<?xf32, #stablehlo.bounds<5>>
  return %1 : tensor<?xf32, #stablehlo.bounds<5>>
}
"""


def test_bounded_extents_are_refined():
    (result,) = compiled(BOUNDED, target="cpu")(np.zeros(4, F32), 3)
    assert result.tolist() == [1, 1, 1]


def test_bounds_are_respected():
    with pytest.raises(
        stepwell.InvalidProgramError,
        match=r"tensor<6xf32> is beyond the bounds of tensor<\?xf32, #stablehlo.bounds<5>>",
    ):
        compiled(BOUNDED)(np.zeros(6, F32), 3)
    with pytest.raises(stepwell.InvalidProgramError, match=r"size 5 must lie in \[0, 4\]|limit <= 4"):
        compiled(BOUNDED)(np.zeros(4, F32), 5)


def test_the_command_line_runs_dynamic_programs(tmp_path, capsys):
    from stepwell.cli import main

    (tmp_path / "m.mlir").write_text(DOUBLE)
    np.savez(tmp_path / "in.npz", *[np.ones((2, 4), F32)] * 2)
    command = ["run", str(tmp_path / "m.mlir"), "--target", "interpreter", "--inputs", str(tmp_path / "in.npz")]
    assert main(command) == 0
    assert "result 0: float32[2x4]" in capsys.readouterr().out
    np.savez(tmp_path / "in.npz", *[np.ones((2, 3), F32)] * 2)
    assert main(command) == 1
    assert "argument 0 must be float32[?x4], got float32[2x3]" in capsys.readouterr().err


def test_a_refined_program_is_refined_already():
    from stepwell.dynamic import refined
    from stepwell.ir.printer import print_ir
    from stepwell.passes.refine_shapes import RefineShapesPass

    for name in ("convolution", "halves", "accumulate"):
        types = tuple(f"tensor<{'x'.join(map(str, np.shape(a)))}xf32>" for a in CASES[name][1][0])
        once = refined(parse(DATA / f"{name}.mlir"), RefineShapesPass(types), verify_each=True)
        twice = refined(once, RefineShapesPass(types), verify_each=True)
        assert "?" not in print_ir(once).replace("error_message", "")
        assert print_ir(once) == print_ir(twice)


def test_a_refinement_is_replayed_from_its_text():
    from stepwell.ir.pass_manager import Pipeline, build_pipeline
    from stepwell.passes.refine_shapes import RefineShapesPass, value_text
    from stepwell.passes.registry import PASSES, get_pass

    refinement = RefineShapesPass(("tensor<?x2xf32, #stablehlo.bounds<3, ?>>", ""), (value_text(1, [3, -4]),), "f")
    text = str(Pipeline((refinement,)))
    assert build_pipeline(text, get_pass, tuple(PASSES)).items == (refinement,)


def test_validation_covers_the_programs_of_each_shape():
    executable = stepwell.compile(DATA / "concatenate.mlir", validate=True)
    check(executable, "concatenate", most=1)
