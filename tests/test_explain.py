"""`stepwell explain`: what is said of kernels is what they do, and it is read off the IR."""

import functools
import json

import numpy as np
import pytest

import stepwell
from stepwell.backends.target import target_for
from stepwell.cli import main
from stepwell.explanation.model import Loop
from stepwell.machine_limits import assumed_limits

LAYER = """
func.func @main(%x: tensor<64x48xf32>, %w: tensor<48x80xf32>, %b: tensor<80xf32>) -> tensor<64x80xf32> {
  %p = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<64x48xf32>, tensor<48x80xf32>) -> tensor<64x80xf32>
  %c = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<80xf32>) -> tensor<64x80xf32>
  %s = stablehlo.add %p, %c : tensor<64x80xf32>
  return %s : tensor<64x80xf32>
}
"""

TWO_LAYERS = """
func.func @main(%x: tensor<64x48xf32>, %w: tensor<48x48xf32>, %b: tensor<48xf32>) -> tensor<64x48xf32> {
  %c = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<48xf32>) -> tensor<64x48xf32>
  %p = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<64x48xf32>, tensor<48x48xf32>) -> tensor<64x48xf32>
  %s = stablehlo.add %p, %c : tensor<64x48xf32>
  %q = stablehlo.dot_general %s, %w, contracting_dims = [1] x [0] : (tensor<64x48xf32>, tensor<48x48xf32>) -> tensor<64x48xf32>
  %t = stablehlo.add %q, %c : tensor<64x48xf32>
  return %t : tensor<64x48xf32>
}
"""

ADD = """
func.func @main(%x: tensor<64xf32>) -> tensor<64xf32> {
  %s = stablehlo.add %x, %x : tensor<64xf32>
  return %s : tensor<64xf32>
}
"""

COUNTED = """
func.func @main(%x: tensor<10xf32>) -> tensor<10xf32> {{
  %first = stablehlo.constant dense<{first}> : tensor<i32>
  %last = stablehlo.constant dense<{last}> : tensor<i32>
  %step = stablehlo.constant dense<{step}> : tensor<i32>
  %r:2 = stablehlo.while(%i = %first, %y = %x) : tensor<i32>, tensor<10xf32>
    cond {{
      %c = stablehlo.compare {direction}, %i, %last : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    }} do {{
      %d = stablehlo.add %i, %step : tensor<i32>
      %e = stablehlo.sine %y : tensor<10xf32>
      stablehlo.return %d, %e : tensor<i32>, tensor<10xf32>
    }}
  return %r#1 : tensor<10xf32>
}}
"""

TWICE = """
func.func @main(%x: tensor<100xf32>, %n: tensor<i32>) -> tensor<100xf32> {
  %one = stablehlo.constant dense<1> : tensor<i32>
  %r:2 = stablehlo.while(%a = %n, %y = %x) : tensor<i32>, tensor<100xf32>
    cond {
      %zero = stablehlo.constant dense<0> : tensor<i32>
      %c = stablehlo.compare GT, %a, %zero : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    } do {
      %d = stablehlo.subtract %a, %one : tensor<i32>
      %e = stablehlo.exponential %y : tensor<100xf32>
      stablehlo.return %d, %e : tensor<i32>, tensor<100xf32>
    }
  return %r#1 : tensor<100xf32>
}
"""


CHOICE = """
func.func @main(%x: tensor<100xf32>, %n: tensor<i32>) -> tensor<100xf32> {
  %r = "stablehlo.case"(%n) ({
    %a = stablehlo.exponential %x : tensor<100xf32>
    stablehlo.return %a : tensor<100xf32>
  }, {
    %a = stablehlo.negate %x : tensor<100xf32>
    stablehlo.return %a : tensor<100xf32>
  }) : (tensor<i32>) -> tensor<100xf32>
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %three = stablehlo.constant dense<3> : tensor<i32>
  %l:2 = stablehlo.while(%i = %zero, %y = %r) : tensor<i32>, tensor<100xf32>
    cond {
      %c = stablehlo.compare LT, %i, %three : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    } do {
      %j = stablehlo.add %i, %one : tensor<i32>
      %z = stablehlo.multiply %y, %y : tensor<100xf32>
      stablehlo.return %j, %z : tensor<i32>, tensor<100xf32>
    }
  return %l#1 : tensor<100xf32>
}
"""


def test_a_layer_is_one_kernel_with_its_flops_and_bytes():
    found = explained()
    (kernel,) = found.kernels
    assert kernel.kind == "contraction"
    assert kernel.launches == 1
    assert not kernel.repeated
    assert kernel.flops == 2 * 64 * 48 * 80 + 64 * 80
    assert kernel.bytes_read == 4 * (64 * 48 + 48 * 80 + 80)
    assert kernel.bytes_written == 4 * 64 * 80
    assert kernel.intensity == kernel.flops / kernel.bytes
    assert kernel.schedule.startswith('#kernel.schedule<"contraction"')
    assert kernel.because
    assert found.arena_bytes == found.lower_bound_bytes == 0
    assert [v.type for v in found.inputs] == ["f32[64x48]", "f32[48x80]", "f32[80]"]


def test_every_decision_of_fusion_has_its_reason_and_its_numbers():
    found = explained()
    (launch,) = found.launches()
    taken = [d for d in launch.decisions if d.taken]
    assert any("takes its operand" in d.reason or "fuses" in d.reason for d in taken)
    assert all(d.bytes_saved > 0 and d.flops_repeated == 0 for d in taken)
    said = json.loads(found.json())["graph"][0]["decisions"]
    assert len(said) == len(launch.decisions)
    assert {"taken", "reason", "bytes_saved", "flops_repeated", "location"} == set(said[0])
    assert {d["location"] for d in said} <= {"4:8", "5:8"}  # of the program, whatever file it is in
    assert "fusion    " in found.text


def test_decisions_about_a_kernel_launched_again_are_shown_once():
    found = stepwell.explain(TWO_LAYERS, simd="avx2")
    (kernel,) = found.kernels
    assert kernel.launches == 2
    first, second = found.launches()
    assert second.decisions
    assert first.decisions != second.decisions
    assert found.text.count("takes its operand") == sum("takes its operand" in d.reason for d in first.decisions) == 1
    assert "(so at the first of 2 launches; --json has them all)" in found.text


def test_the_time_is_the_roof_of_the_limits():
    limits = assumed_limits(target_for("avx2", generic=True))
    seconds, bound = limits.roof(10**9, 1000, 1000, "f32", 1)
    assert bound == "compute"
    assert seconds == pytest.approx(10**9 / limits.one.flops["f32"])
    seconds, bound = limits.roof(1, 10**9, 10**9, "f32", 1)
    assert bound == "memory"
    assert seconds == pytest.approx(2e9 / limits.one.triad)
    assert limits.roof(1, 1000, 1000, "f32", 1)[1] == "L2"
    assert limits.roof(10**9, 0, 0, "f64", 1)[0] == 2 * limits.roof(10**9, 0, 0, "f32", 1)[0]


def test_what_the_text_and_the_json_say_is_the_same_every_time():
    first, second = explained(), stepwell.explain(LAYER, simd="avx2")
    assert first.text == second.text
    assert first.json() == second.json()
    said = json.loads(first.json())
    assert said["graph"][0]["op"] == "launch"
    assert said["kernels"][0]["flops"] == first.kernels[0].flops
    assert max(len(line) for line in first.text.splitlines()) <= 140


def test_a_reduction_that_names_its_op_is_shown_where_it_stands():
    sum_of_rows = """func.func @main(%x: tensor<30x40xf32>) -> tensor<30xf32> {
      %z = stablehlo.constant dense<0.0> : tensor<f32>
      %s = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [1]
        : (tensor<30x40xf32>, tensor<f32>) -> tensor<30xf32>
      return %s : tensor<30xf32>
    }"""
    assert "k_single_0: single, launched once, from <string>:3\n" in stepwell.explain(sum_of_rows, simd="avx2").text


def test_a_loop_is_shown_with_what_it_repeats():
    found = stepwell.explain(TWICE, simd="avx2")
    assert "loop until its condition fails" in found.text
    inside = [kernel for kernel in found.kernels if kernel.repeated]
    assert any(kernel.flops == 100 for kernel in inside)
    assert "launched 0 times or more" in found.text
    assert "launched once or more" in found.text  # the condition
    assert "in and out of kernels if loops of unknown length go round once; at least " in " ".join(found.text.split())
    assert found.total("seconds", certain=True) < found.total("seconds")


def test_work_of_branches_is_said_to_be_all_of_theirs_and_no_least_time_counts_it():
    found = stepwell.explain(CHOICE, simd="avx2")
    assert [(kernel.launches, kernel.certain) for kernel in found.kernels] == [(1, 0), (1, 0), (4, 4), (3, 3), (3, 3)]
    assert found.total("flops") == 500
    assert found.total("flops", certain=True) == 300
    text = " ".join(found.text.split())
    assert "in and out of kernels if all branches are taken; at least" in text
    assert text.count("launched once at most") == 2
    assert text.count("launched 3 times,") == 2


@pytest.mark.parametrize(
    ("first", "direction", "last", "step", "trips"),
    [
        (0, "LT", 5, 1, 5),
        (3, "LE", 9, 2, 4),
        (7, "LT", 7, 1, 0),
        (9, "LT", 2, 1, 0),
        (0, "NE", 5, 1, None),
        (0, "LT", 5, -1, None),
    ],
)
def test_a_loop_that_counts_from_constant_to_constant_says_how_often_it_runs(first, direction, last, step, trips):
    text = COUNTED.format(first=first, direction=direction, last=last, step=step)
    found = stepwell.explain(text, simd="avx2", opt_level=0)
    (loop,) = [node for node in found.graph if isinstance(node, Loop)]
    assert loop.trips == trips
    sine = next(kernel for kernel in found.kernels if kernel.flops == 10)
    assert sine.launches == (1 if trips is None else trips)
    assert sine.repeated == (trips is None)
    test = next(kernel for kernel in found.kernels if kernel.bytes_written == 1)
    assert test.launches == (1 if trips is None else trips + 1)


def test_a_program_below_its_kernels_is_explained_by_what_it_says():
    scheduled = stepwell.compile(LAYER, simd="avx2").ir("scheduled")
    found = stepwell.explain(scheduled, simd="avx2")
    (kernel,) = found.kernels
    assert kernel.flops is None
    assert kernel.schedule
    assert "fused" in found.text


def test_a_program_for_a_gpu_is_explained_without_times():
    found = stepwell.explain(LAYER, target="cuda:sm_90")
    assert found.kernels[0].flops == 2 * 64 * 48 * 80 + 64 * 80
    assert found.kernels[0].seconds is None
    assert "at least" in found.text


def test_unknown_extents_are_refused():
    text = """func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> {
      %r = stablehlo.add %x, %x : tensor<?xf32>
      return %r : tensor<?xf32>
    }"""
    with pytest.raises(stepwell.UnsupportedError, match="unknown extents"):
        stepwell.explain(text)


def test_the_command_prints_writes_and_refuses(tmp_path, capsys):
    file = tmp_path / "layer.mlir"
    file.write_text(LAYER)
    assert main(["explain", str(file), "--simd", "avx2"]) == 0
    assert "k_contraction_0: contraction, launched once" in capsys.readouterr().out
    assert main(["explain", str(file), "--json", "-o", str(tmp_path / "e.json")]) == 0
    assert json.loads((tmp_path / "e.json").read_text())["entry"] == "main"
    assert main(["explain", str(file), "--entry", "other"]) == 1
    assert "other" in capsys.readouterr().err


# Schedules ----------------------------------------------------------------------------------------------------------


@functools.cache
def explained():
    return stepwell.explain(LAYER, simd="avx2")


@pytest.fixture
def schedules(tmp_path):
    file = tmp_path / "schedules.json"
    file.write_text(explained().schedules)
    return file


def edit(file, schedule):
    """Give the kernel of a file another schedule."""
    content = json.loads(file.read_text())
    content["kernels"][0]["schedule"] = schedule
    file.write_text(json.dumps(content))


def test_the_schedules_written_give_the_same_code(schedules):
    plain = stepwell.compile(LAYER, simd="avx2", cache=False)
    obeyed = stepwell.compile(LAYER, simd="avx2", schedules=schedules, cache=False)
    assert obeyed.ir("llvm") == plain.ir("llvm")
    assert "stepwell.schedules" not in obeyed.ir("scheduled")


@pytest.mark.parametrize("key", ["name", "hash"])
def test_a_schedule_made_in_python_is_obeyed_and_right(key):
    kernel = explained().kernels[0]
    wanted = stepwell.schedule("contraction", vector=32, mr=3, nr=8, tasks=2)
    exe = stepwell.compile(LAYER, simd="avx2", schedules={getattr(kernel, key): wanted})
    assert "mr = 3" in exe.ir("scheduled")
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s).astype(np.float32) for s in ((64, 48), (48, 80), (80,)))
    np.testing.assert_allclose(exe(x, w, b)[0], x @ w + b, rtol=1e-4, atol=1e-4)


def test_an_edited_file_is_not_found_in_the_cache_of_the_old_one(schedules):
    before = stepwell.compile(LAYER, simd="avx2", schedules=schedules).ir("scheduled")
    edit(schedules, '#kernel.schedule<"loops", {vector = 32 : i64}>')
    after = stepwell.compile(LAYER, simd="avx2", schedules=schedules).ir("scheduled")
    assert before != after


def test_a_schedule_for_no_kernel_is_a_warning(schedules, tmp_path, capsys):
    program = tmp_path / "p.mlir"
    program.write_text(LAYER)
    content = json.loads(schedules.read_text())
    content["kernels"].append({"kernel": "k_contraction_9", "schedule": '#kernel.schedule<"loops", {}>'})
    schedules.write_text(json.dumps(content))
    assert main(["compile", str(program), "--simd", "avx2", "--schedules", str(schedules), "--emit=scheduled"]) == 0
    err = capsys.readouterr().err
    assert "warning: " in err
    assert "no kernel 'k_contraction_9'" in err
    assert "did you mean 'k_contraction_0'" in err


def test_two_schedules_for_one_kernel_are_refused():
    kernel = explained().kernels[0]
    twice = {kernel.name: stepwell.schedule("loops"), kernel.hash: stepwell.schedule("loops", vector=32)}
    with pytest.raises(stepwell.InvalidProgramError, match=r"error: .*@k_contraction_0 is given two schedules"):
        stepwell.compile(LAYER, simd="avx2", schedules=twice)


def test_a_schedule_asked_for_comes_before_one_that_the_program_brings():
    own = 'schedule = #kernel.schedule<"loops", {}>, access ='
    brought = stepwell.compile(LAYER, simd="avx2").ir("kernels").replace("access =", own)
    assert "mr = " not in stepwell.compile(brought, simd="avx2").ir("scheduled")
    wanted = {"k_contraction_0": stepwell.schedule("contraction", vector=32, mr=3)}
    assert "mr = 3" in stepwell.compile(brought, simd="avx2", schedules=wanted).ir("scheduled")


def test_schedules_that_are_carried_out_are_not_written(tmp_path, capsys):
    file = tmp_path / "p.mlir"
    file.write_text(stepwell.compile(LAYER, simd="avx2").ir("scheduled"))
    for _ in range(2):  # the second explanation is a kept one
        assert main(["explain", str(file), "--simd", "avx2", "--emit-schedules"]) == 1
        assert "p.mlir: error: its schedules are carried out already" in capsys.readouterr().err


def test_schedules_for_a_program_whose_schedules_are_carried_out_are_refused(schedules):
    program = stepwell.compile(LAYER, simd="avx2").ir("scheduled")
    with pytest.raises(
        stepwell.InvalidProgramError, match="comes in on step 'scheduled', where its schedules are carried out"
    ):
        stepwell.compile(program, simd="avx2", schedules=schedules)


def test_a_schedule_that_a_kernel_cannot_have_is_a_located_error(schedules):
    edit(schedules, '#kernel.schedule<"rows", {vector = 32 : i64, mr = 3 : i64}>')
    with pytest.raises(stepwell.InvalidProgramError, match=r"<string>:\d+:\d+: error: .* it has no parameter 'mr'"):
        stepwell.compile(LAYER, simd="avx2", schedules=schedules)
    wanted = {"k_map_0": stepwell.schedule("contraction", vector=32)}
    with pytest.raises(
        stepwell.InvalidProgramError, match=r"<string>:3:\d+: error: .*no op of the kernel is a contraction"
    ):
        stepwell.compile(ADD, simd="avx2", schedules=wanted)


def test_a_tile_that_would_be_endless_code_is_refused():
    wanted = {"k_contraction_0": stepwell.schedule("contraction", vector=16, mr=64, nr=4096)}
    with pytest.raises(
        stepwell.InvalidProgramError, match="a tile of 64 x 4096 is 65536 vectors, and 1024 are the most"
    ):
        stepwell.compile(LAYER, schedules=wanted)
    wanted = {"k_contraction_0": stepwell.schedule("contraction", vector=16, mr=16, nr=64, k_unroll=48)}
    with pytest.raises(stepwell.InvalidProgramError, match="256 vectors 48 times over, and 4096 products are the most"):
        stepwell.compile(LAYER, schedules=wanted)


@pytest.mark.parametrize(
    ("tile", "message"),
    [
        ({"queries": 4096, "keys": 40}, "a tile of 40 x 4096 is 40960 vectors"),
        ({"queries": 4096, "keys": 1, "columns": 40}, "a tile of 40 x 4096 is 40960 vectors"),
        ({"queries": 4096, "few": 1, "columns": 1024}, "a tile of 160 x 1024 is 40960 vectors"),
    ],
)
def test_tiles_of_attention_have_bounds_too(tile, message):
    q, k = (np.zeros((1, n, heads, 48), np.float32) for n, heads in ((40, 4), (40, 1)))
    attention = stepwell.jit(stepwell.nn.dot_product_attention).lower(q, k, k).as_text()
    (kernel,) = [k for k in stepwell.explain(attention).kernels if k.kind == "attention"]
    wanted = {kernel.name: stepwell.schedule("attention", vector=16, **tile)}
    with pytest.raises(stepwell.InvalidProgramError, match=f"{message}, and 1024 are the most"):
        stepwell.compile(attention, schedules=wanted)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "schedules.json:1:2: error: no file of schedules"),
        ("[]", '"format" is not "stepwell-schedules-1"'),
        ('{"format": "stepwell-schedules-1"}', '"kernels" is no list'),
        ('{"format": "stepwell-schedules-1", "kernels": [3]}', 'the entry 3 has no "kernel"'),
        (
            '{"format": "stepwell-schedules-1",\n "kernels": [{"kernel": "k", "schedule": "fast"}]}',
            "schedules.json:2:42: error: 'fast' is no schedule",
        ),
        ('{"format": 1' + 5000 * "0" + "}", "schedules.json:1:1: error: no file of schedules: a number is too long"),
        *[
            (
                f'{{"format": "stepwell-schedules-1", "kernels": [{{"kernel": "k", "schedule": {json.dumps(wrong)}}}]}}',
                "is no schedule, as in",
            )
            for wrong in (
                '#kernel.schedule<"loops", {tasks = 99999999999999999999 : i64}>',
                '#kernel.schedule<"loops", {}> {}',
            )
        ],
        (
            '{"format": "stepwell-schedules-1", "kernels": [{"kernel": "k", "schedule": ""}, {"kernel": "k", "schedule": ""}]}',
            "has two entries",
        ),
    ],
)
def test_a_wrong_file_says_where(schedules, content, message):
    schedules.write_text(content)
    with pytest.raises(stepwell.InvalidProgramError) as error:
        stepwell.compile(LAYER, schedules=schedules)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: stepwell.schedule("loop"), "there is no strategy 'loop'\nhint: did you mean 'loops'"),
        (lambda: stepwell.schedule("loops", mr=3), "has no parameter 'mr'"),
        (lambda: stepwell.schedule("loops", vector=48), "must be a power of two"),
        (lambda: stepwell.schedule("loops", vector=8), "vector = 8 must be 0 or at least 16"),
        (lambda: stepwell.schedule("loops", vector=512), "must be at most 256"),
        (lambda: stepwell.schedule("loops", vector=1.5), "neither a number of 64 bits nor a text"),
        (lambda: stepwell.schedule("loops", tasks=1 << 63), "neither a number of 64 bits nor a text"),
        (lambda: stepwell.compile(LAYER, schedules="a\0b"), "is no path of a file of schedules"),
        (lambda: stepwell.compile(LAYER, schedules={"k": 3}), "no schedule: make one with stepwell.schedule"),
        (lambda: stepwell.compile(LAYER, schedules={3: "x"}), "by hash or name, not for 3"),
        (lambda: stepwell.compile(LAYER, schedules=3), "not int"),
        (lambda: stepwell.compile(LAYER, schedules="/nowhere/s.json"), "cannot read"),
    ],
)
def test_wrong_schedules_are_refused_with_what_helps(make, message):
    with pytest.raises(stepwell.InvalidProgramError) as error:
        make()
    assert message in str(error.value)
