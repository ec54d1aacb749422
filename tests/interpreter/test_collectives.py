"""Several processes in one: collectives, channels, the host's feeds, and what happens when nobody can go on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

from stepwell.dialects.interp.processes import ParallelResults, run_parallel
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.dialects.stablehlo.process_groups import ProcessGrid
from stepwell.ir.errors import InvalidProgramError
from stepwell.ir.interpreter import Interpreter, InterpreterError
from stepwell.ir.parser import parse_module
from stepwell.ir.verify import verify_module

ADD = """({
  ^bb0(%a: tensor<i64>, %b: tensor<i64>):
    %s = stablehlo.add %a, %b : tensor<i64>
    stablehlo.return %s : tensor<i64>
  })"""


def module_of(text: str) -> ModuleOp:
    module = parse_module(text, "parallel.mlir", context())
    verify_module(module)
    return module


def function(types: str, body: str, results: str, name: str = "main") -> str:
    """A function of %x that returns %r."""
    return f"func.func @{name}(%x: {types}) -> {results} {{\n{body}\n  return %r : {results}\n}}\n"


def run(text: str, inputs: Sequence[Sequence[Any]], programs: Any = "main", **options: Any) -> ParallelResults:
    return run_parallel(module_of(text), programs, inputs, **options)


def values(found: ParallelResults) -> list[Any]:
    """The only result of each process, as lists."""
    return [result[0].tolist() for result in found.results]


def vectors(count: int, size: int = 2) -> list[list[Any]]:
    """For process p: [10p, 10p + 1, ...]."""
    return [[np.arange(size) + 10 * p] for p in range(count)]


def test_groups_follow_the_four_strategies():
    grid = ProcessGrid(4, 2)
    assert grid.cross_replica([[0, 1], [2, 3]]) == [
        [(0, 0), (1, 0)],
        [(0, 1), (1, 1)],
        [(2, 0), (3, 0)],
        [(2, 1), (3, 1)],
    ]
    assert grid.cross_partition([[1, 0]]) == [[(r, 1), (r, 0)] for r in range(4)]
    assert grid.cross_replica_and_partition([[0, 1], [2, 3]]) == [
        [(0, 0), (1, 0), (0, 1), (1, 1)],
        [(2, 0), (3, 0), (2, 1), (3, 1)],
    ]
    assert grid.flattened_ids([[0, 1, 2, 3]]) == [[(0, 0), (0, 1), (1, 0), (1, 1)]]
    assert [grid.index(p) for p in grid.processes] == list(range(8))


GATHER = """  %r = "stablehlo.all_gather"(%x) <{{all_gather_dim = 0 : i64, replica_groups = dense<{groups}> : tensor<{shape}xi64>{more}}}>
      : (tensor<2xi64>) -> tensor<{size}xi64>"""
CHANNEL = ", channel_handle = #stablehlo.channel_handle<handle = 1, type = 0>"


@pytest.mark.parametrize(
    ("groups", "shape", "more", "grid", "expected"),
    [
        ("[[1, 0]]", "1x2", "", (2, 1), [[10, 11, 0, 1]] * 2),
        # Groups of replicas, each within its partition.
        ("[[0, 1]]", "1x2", "", (2, 2), [[0, 1, 20, 21], [10, 11, 30, 31]] * 2),
        # With a channel, all partitions of a group's replicas: partition by partition.
        ("[[0, 1]]", "1x2", CHANNEL, (2, 2), [[0, 1, 20, 21, 10, 11, 30, 31]] * 4),
        # Flattened ids: groups of any processes.
        (
            "[[3, 0], [1, 2]]",
            "2x2",
            CHANNEL + ", use_global_device_ids",
            (2, 2),
            [[30, 31, 0, 1], [10, 11, 20, 21], [10, 11, 20, 21], [30, 31, 0, 1]],
        ),
    ],
)
def test_all_gather_concatenates_in_the_order_of_the_group(
    groups: str, shape: str, more: str, grid: tuple[int, int], expected: list[list[int]]
):
    text = GATHER.format(groups=groups, shape=shape, more=more, size=len(expected[0]))
    program = function("tensor<2xi64>", text, f"tensor<{len(expected[0])}xi64>")
    found = run(program, vectors(len(expected)), num_replicas=grid[0], num_partitions=grid[1])
    assert values(found) == expected


def test_all_reduce_combines_in_the_order_of_the_group_and_converts_first():
    body = """
    %r = "stablehlo.all_reduce"(%x) <{replica_groups = dense<[[2, 0], [1, -1]]> : tensor<2x2xi64>}> ({
    ^bb0(%a: tensor<i64>, %b: tensor<i64>):
      %d = stablehlo.subtract %a, %b : tensor<i64>
      stablehlo.return %d : tensor<i64>
    }) : (tensor<1xi8>) -> tensor<1xi64>"""
    inputs = [[np.array([n], np.int8)] for n in (-100, 7, 100)]
    found = run(function("tensor<1xi8>", body, "tensor<1xi64>"), inputs, num_replicas=3)
    assert values(found) == [[200], [7], [200]]


def test_several_operands_are_reduced_together():
    text = f"""func.func @main(%x: tensor<2xi64>, %y: tensor<i64>) -> (tensor<2xi64>, tensor<i64>) {{
      %r:2 = "stablehlo.all_reduce"(%x, %y) <{{replica_groups = dense<[[0, 1, 2]]> : tensor<1x3xi64>}}> {ADD}
          : (tensor<2xi64>, tensor<i64>) -> (tensor<2xi64>, tensor<i64>)
      return %r#0, %r#1 : tensor<2xi64>, tensor<i64>
    }}"""
    found = run(text, [[np.array([p, 10 * p]), np.array(p * p)] for p in range(3)], num_replicas=3)
    assert [[r.tolist() for r in results] for results in found.results] == [[[3, 30], 5]] * 3


def test_reduce_scatter_gives_each_its_part():
    body = f"""  %r = "stablehlo.reduce_scatter"(%x) <{{scatter_dimension = 0 : i64, replica_groups = dense<[[1, 0]]> : tensor<1x2xi64>}}> {ADD}
        : (tensor<4xi64>) -> tensor<2xi64>"""
    found = run(function("tensor<4xi64>", body, "tensor<2xi64>"), vectors(2, 4), num_replicas=2)
    assert values(found) == [[14, 16], [10, 12]]


def test_all_to_all_transposes_parts_within_the_group():
    body = """  %r = "stablehlo.all_to_all"(%x) <{split_dimension = 1 : i64, concat_dimension = 0 : i64, split_count = 2 : i64,
        replica_groups = dense<[[1, 0]]> : tensor<1x2xi64>, channel_handle = #stablehlo.channel_handle<handle = 3, type = 0>}>
        : (tensor<1x4xi64>) -> tensor<2x2xi64>"""
    inputs = [[np.arange(4).reshape(1, 4) + 10 * p] for p in range(2)]
    found = run(function("tensor<1x4xi64>", body, "tensor<2x2xi64>"), inputs, num_partitions=2)
    assert values(found) == [[[12, 13], [2, 3]], [[10, 11], [0, 1]]]


def test_collective_permute_gives_zeros_without_a_source():
    body = """  %r = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<[[0, 2], [2, 1], [3, 3]]> : tensor<3x2xi64>}>
        : (tensor<2xi64>) -> tensor<2xi64>"""
    found = run(function("tensor<2xi64>", body, "tensor<2xi64>"), vectors(4), num_replicas=4)
    assert values(found) == [[0, 0], [20, 21], [0, 1], [30, 31]]


def test_collective_broadcast_sends_from_the_first_of_each_group():
    body = """  %r = "stablehlo.collective_broadcast"(%x) <{replica_groups = dense<[[2, 1], [3, -1]]> : tensor<2x2xi64>}>
        : (tensor<2xi64>) -> tensor<2xi64>"""
    found = run(function("tensor<2xi64>", body, "tensor<2xi64>"), vectors(4), num_replicas=4)
    assert values(found) == [[0, 0], [20, 21], [20, 21], [30, 31]]


ROOTED = """func.func @main(%x: tensor<2xi64>, %y: tensor<2xi64>, %root: tensor<2xi32>) -> (tensor<2xi64>, tensor<2xi64>) {{
  %r:2 = "stablehlo.{name}"(%x, %y, %root) <{{has_dynamic_root, replica_groups = dense<[[1, 0, 2]]> : tensor<1x3xi64>}}> {region}
      : (tensor<2xi64>, tensor<2xi64>, tensor<2xi32>) -> (tensor<2xi64>, tensor<2xi64>)
  return %r#0, %r#1 : tensor<2xi64>, tensor<2xi64>
}}"""


def rooted(name: str, region: str, roots: list[int]) -> list[Any]:
    inputs = [[np.arange(2) + 10 * p, np.arange(2) - 10 * p, np.array(roots, np.int32)] for p in range(3)]
    found = run(ROOTED.format(name=name, region=region), inputs, num_replicas=3)
    return [[r.tolist() for r in results] for results in found.results]


def test_a_dynamic_root_is_a_place_in_the_group():
    assert rooted("collective_broadcast", "", [0, 2]) == [[[10, 11], [-20, -19]]] * 3
    none, first, second = [0, 0], [30, 33], [-30, -27]
    assert rooted("collective_reduce", ADD, [1, 2]) == [[first, none], [none, none], [none, second]]


def test_a_root_outside_of_the_group_is_an_error():
    with pytest.raises(InterpreterError, match=r"collective_broadcast: in process \(2, 0\): root 3 is not in \[0, 3\)"):
        rooted("collective_broadcast", "", [0, 3])


def test_each_process_knows_its_place():
    text = """func.func @main() -> (tensor<ui32>, tensor<ui32>) {
      %0 = stablehlo.replica_id : tensor<ui32>
      %1 = stablehlo.partition_id : tensor<ui32>
      return %0, %1 : tensor<ui32>, tensor<ui32>
    }"""
    found = run(text, [[]] * 6, num_replicas=2, num_partitions=3)
    assert [tuple(int(r) for r in results) for results in found.results] == [(r, p) for r in range(2) for p in range(3)]
    assert found.results[0][0].dtype == np.uint32


def test_collectives_in_loops_meet_once_a_turn():
    text = f"""func.func @main(%x: tensor<1xi64>) -> tensor<1xi64> {{
      %zero = stablehlo.constant dense<0> : tensor<i32>
      %r:2 = stablehlo.while(%i = %zero, %v = %x) : tensor<i32>, tensor<1xi64>
      cond {{
        %n = stablehlo.constant dense<3> : tensor<i32>
        %c = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
        stablehlo.return %c : tensor<i1>
      }} do {{
        %one = stablehlo.constant dense<1> : tensor<i32>
        %j = stablehlo.add %i, %one : tensor<i32>
        %w = "stablehlo.all_reduce"(%v) <{{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}}> {ADD} : (tensor<1xi64>) -> tensor<1xi64>
        stablehlo.return %j, %w : tensor<i32>, tensor<1xi64>
      }}
      return %r#1 : tensor<1xi64>
    }}"""
    assert values(run(text, vectors(2, 1), num_replicas=2)) == [[40], [40]]


def test_groups_may_name_the_axes_of_a_mesh():
    text = 'sdy.mesh @mesh = <["x"=2, "y"=2], device_ids=[3, 2, 1, 0]>\n' + function(
        "tensor<1xi64>",
        """  %r = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, replica_groups = #stablehlo.replica_group_mesh_axes<mesh = @mesh,
            axes = [#stablehlo.axis_ref<name = "x">]>}> : (tensor<1xi64>) -> tensor<2xi64>""",
        "tensor<2xi64>",
    )
    assert values(run(text, vectors(4, 1), num_replicas=4)) == [[20, 0], [30, 10], [20, 0], [30, 10]]


FEED = """func.func @main(%x: tensor<2xi64>, %t: !stablehlo.token) -> (tensor<2xi64>, !stablehlo.token) {
  %a:2 = "stablehlo.infeed"(%t) <{infeed_config = ""}> : (!stablehlo.token) -> (tensor<2xi64>, !stablehlo.token)
  %b:3 = "stablehlo.infeed"(%a#1) : (!stablehlo.token) -> (tensor<2xi64>, tensor<i1>, !stablehlo.token)
  %s = stablehlo.add %a#0, %b#0 : tensor<2xi64>
  %o = "stablehlo.outfeed"(%s, %x, %b#2) <{outfeed_config = ""}> : (tensor<2xi64>, tensor<2xi64>, !stablehlo.token) -> !stablehlo.token
  return %s, %o : tensor<2xi64>, !stablehlo.token
}"""


def test_the_host_feeds_each_process_in_order():
    feeds = [[(np.array([p, 1]),), (np.array([5, 5]), np.array(True))] for p in range(2)]
    found = run(FEED, [[*x, None] for x in vectors(2)], num_partitions=2, infeed=feeds)
    assert values(found) == [[5, 6], [6, 6]]
    assert [[[v.tolist() for v in given] for given in queue] for queue in found.outfeed] == [
        [[[5, 6], [0, 1]]],
        [[[6, 6], [10, 11]]],
    ]


def test_an_empty_or_wrong_infeed_is_an_error():
    inputs = [[*x, None] for x in vectors(1)]
    with pytest.raises(InterpreterError, match=r"nothing is left in the infeed of process \(0, 0\)"):
        run(FEED, inputs)
    with pytest.raises(InterpreterError, match=r"the infeed has \(int32\[2\]\), expected \(tensor<2xi64>\)"):
        run(FEED, inputs, infeed=[[(np.zeros(2, np.int32),)]])


def channel(number: int, kind: int) -> str:
    return f"channel_handle = #stablehlo.channel_handle<handle = {number}, type = {kind}>"


HOST = f"""
func.func @send(%x: tensor<2xi64>, %t: !stablehlo.token) -> !stablehlo.token {{
  %0 = "stablehlo.send"(%x, %t) <{{{channel(7, 2)}, is_host_transfer = true}}> : (tensor<2xi64>, !stablehlo.token) -> !stablehlo.token
  %y = stablehlo.add %x, %x : tensor<2xi64>
  %1 = "stablehlo.send"(%y, %0) <{{{channel(7, 2)}, is_host_transfer = true}}> : (tensor<2xi64>, !stablehlo.token) -> !stablehlo.token
  return %1 : !stablehlo.token
}}
func.func @recv(%t: !stablehlo.token) -> tensor<2xi64> {{
  %0:2 = "stablehlo.recv"(%t) <{{{channel(7, 3)}, is_host_transfer = true}}> : (!stablehlo.token) -> (tensor<2xi64>, !stablehlo.token)
  %1:2 = "stablehlo.recv"(%0#1) <{{{channel(7, 3)}, is_host_transfer = true}}> : (!stablehlo.token) -> (tensor<2xi64>, !stablehlo.token)
  %r = stablehlo.subtract %1#0, %0#0 : tensor<2xi64>
  return %r : tensor<2xi64>
}}
"""


def test_the_host_hands_on_what_it_gets_in_order():
    # The receiver comes first in the grid and waits.
    found = run(HOST, [[None], [np.array([3, 4]), None]], [["recv"], ["send"]])
    assert found.results[0][0].tolist() == [3, 4]
    assert found.sent == {}


def test_the_host_may_be_the_only_other_end():
    found = run(HOST, [[np.array([3, 4]), None]], [["send"]])
    assert [[v.tolist() for v in sent] for sent in found.sent[7]] == [[[3, 4]], [[6, 8]]]
    received = {7: [(np.array([1, 1]),), (np.array([5, 6]),)]}
    assert run(HOST, [[None]], [["recv"]], received=received).results[0][0].tolist() == [4, 5]


def test_processes_send_to_their_targets():
    pairs = "source_target_pairs = dense<[[0, 1], [1, 2]]> : tensor<2x2xi64>"
    text = f"""func.func @main(%x: tensor<2xi64>, %t: !stablehlo.token) -> tensor<2xi64> {{
      %0 = "stablehlo.send"(%x, %t) <{{{channel(1, 1)}, {pairs}}}> : (tensor<2xi64>, !stablehlo.token) -> !stablehlo.token
      %1:2 = "stablehlo.recv"(%0) <{{{channel(1, 1)}, {pairs}}}> : (!stablehlo.token) -> (tensor<2xi64>, !stablehlo.token)
      return %1#0 : tensor<2xi64>
    }}"""
    found = run(text, [[*x, None] for x in vectors(3)], num_partitions=3)
    assert values(found) == [[0, 0], [0, 1], [10, 11]]


def test_a_future_is_what_its_body_gives():
    text = """func.func @main(%x: tensor<2xi64>) -> tensor<4xi64> {
      %f = "stablehlo.async_start"(%x) ({
      ^bb0(%a: tensor<2xi64>):
        %g = "stablehlo.all_gather"(%a) <{all_gather_dim = 0 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}>
            : (tensor<2xi64>) -> tensor<4xi64>
        stablehlo.return %g : tensor<4xi64>
      }) : (tensor<2xi64>) -> !stablehlo.future<tensor<4xi64>>
      %r = "stablehlo.async_done"(%f) : (!stablehlo.future<tensor<4xi64>>) -> tensor<4xi64>
      return %r : tensor<4xi64>
    }"""
    assert values(run(text, vectors(2), num_replicas=2)) == [[0, 1, 10, 11]] * 2


def test_quantized_values_are_summed_as_what_they_mean():
    narrow, wide = "!quant.uniform<i8:f32, 2.0:15>", "!quant.uniform<i32:f32, 0.5>"
    text = f"""func.func @main(%x: tensor<2x{narrow}>) -> (tensor<2x{wide}>, tensor<2x{narrow}>) {{
      %r = "stablehlo.all_reduce"(%x) <{{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}}> ({{
      ^bb0(%a: tensor<{wide}>, %b: tensor<{wide}>):
        %s = stablehlo.add %a, %b : tensor<{wide}>
        stablehlo.return %s : tensor<{wide}>
      }}) : (tensor<2x{narrow}>) -> tensor<2x{wide}>
      %p = "stablehlo.collective_permute"(%x) <{{source_target_pairs = dense<[[0, 1]]> : tensor<1x2xi64>}}>
          : (tensor<2x{narrow}>) -> tensor<2x{narrow}>
      return %r, %p : tensor<2x{wide}>, tensor<2x{narrow}>
    }}"""
    found = run(text, [[np.array([17, 16], np.int8)], [np.array([14, 15], np.int8)]], num_replicas=2)
    # (17 - 15) * 2 and (14 - 15) * 2 are 4 and -2: their sum is 4 halves.
    assert [[r.tolist() for r in results] for results in found.results] == [[[4, 4], [15, 15]], [[4, 4], [17, 16]]]


# What cannot go on.


def test_a_deadlock_says_who_waits_for_what():
    gather = GATHER.format(groups="[[0, 1]]", shape="1x2", more="", size=4)
    text = function("tensor<2xi64>", gather, "tensor<4xi64>")
    text += "func.func @ends(%x: tensor<2xi64>) -> tensor<2xi64> {\n  return %x : tensor<2xi64>\n}\n"
    with pytest.raises(InterpreterError) as error:
        run(text, vectors(2), [["main"], ["ends"]])
    assert str(error.value) == (
        "stablehlo.all_gather: deadlock: no process can go on; "
        "process (0, 0) waits in stablehlo.all_gather for process (1, 0); process (1, 0) has ended"
    )


def test_receiving_what_nobody_sends_is_a_deadlock():
    with pytest.raises(InterpreterError, match=r"waits in stablehlo.recv for channel 7 of the host"):
        run(HOST, [[None], [None]], [["recv"], ["recv"]])


def test_collectives_in_another_order_are_a_deadlock():
    def ops(first: str, second: str) -> str:
        each = """  %{0} = "stablehlo.all_gather"(%x) <{{all_gather_dim = 0 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>,
            channel_handle = #stablehlo.channel_handle<handle = {0}, type = 0>, use_global_device_ids}}>
            : (tensor<2xi64>) -> tensor<4xi64>"""
        return f"{each.format(first)}\n{each.format(second)}\n  %r = stablehlo.add %1, %2 : tensor<4xi64>"

    text = function("tensor<2xi64>", ops("1", "2"), "tensor<4xi64>", "forth")
    text += function("tensor<2xi64>", ops("2", "1"), "tensor<4xi64>", "back")
    with pytest.raises(InterpreterError, match="deadlock: no process can go on"):
        run(text, vectors(2), [["forth"], ["back"]])
    assert values(run(text, vectors(2), [["back"], ["back"]])) == [[0, 2, 20, 22]] * 2


def test_the_error_of_one_process_stops_all_and_names_it():
    text = GATHER.format(groups="[[0, 1]]", shape="1x2", more="", size=4)
    program = function("tensor<2xi64>", text, "tensor<4xi64>")
    with pytest.raises(
        InterpreterError, match=r"in process \(0, 0\): its groups hold 2 processes, but there are 3 replicas"
    ):
        run(program, vectors(3), num_replicas=3)
    with pytest.raises(InterpreterError, match=r"process \(1, 0\) of its groups does not exist: there are 1 replicas"):
        run(program, vectors(1))
    with pytest.raises(InterpreterError, match=r"\(0, 0\) brings int64\[2\], process \(1, 0\) brings int64\[3\]"):
        run(program, [[np.arange(2)], [np.arange(3)]], num_replicas=2)


def test_what_does_not_fit_the_grid_is_refused():
    text = function("tensor<2xi64>", "  %r = stablehlo.add %x, %x : tensor<2xi64>", "tensor<2xi64>")
    with pytest.raises(InvalidProgramError, match="2 processes, but 1 lists of inputs"):
        run(text, vectors(1), num_replicas=2)
    with pytest.raises(InvalidProgramError, match="one program for each partition"):
        run(text, vectors(3), [["main"], ["main", "main"]])
    with pytest.raises(InvalidProgramError, match="3 replicas, but the programs have 2"):
        run(text, vectors(2), [["main"], ["main"]], num_replicas=3)
    declared = f"module attributes {{mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32}} {{\n{text}}}"
    assert values(run(declared, vectors(2))) == [[0, 2], [20, 22]]
    with pytest.raises(InvalidProgramError, match=r"1 replicas, .* the module says 2"):
        run(declared, vectors(1), num_replicas=1)


def test_a_program_alone_is_the_only_process_of_its_grid():
    body = GATHER.format(groups="[[0]]", shape="1x1", more="", size=2)
    alone = module_of(function("tensor<2xi64>", body, "tensor<2xi64>"))
    (result,) = Interpreter(alone, interpreter_rules()).call("main", [np.arange(2)])
    assert result.tolist() == [0, 1]
    text = function("tensor<2xi64>", GATHER.format(groups="[[0, 1]]", shape="1x2", more="", size=4), "tensor<4xi64>")
    several = module_of(
        f"module attributes {{mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32}} {{\n{text}}}"
    )
    with pytest.raises(InterpreterError, match="a program of 2 replicas and 1 partitions; run it with"):
        Interpreter(several, interpreter_rules()).call("main", [np.arange(2)])


def test_every_run_is_the_same():
    """The last of several sends from processes that do not wait for each other is always that of the last process."""
    text = f"""func.func @send(%x: tensor<2xi64>, %t: !stablehlo.token) -> !stablehlo.token {{
      %0 = "stablehlo.send"(%x, %t) <{{{channel(7, 2)}, is_host_transfer = true}}> : (tensor<2xi64>, !stablehlo.token) -> !stablehlo.token
      return %0 : !stablehlo.token
    }}"""
    for _ in range(20):
        found = run(text, [[*x, None] for x in vectors(5)], [["send"] * 5])
        assert [sent[0].tolist() for sent in found.sent[7]] == [[10 * p, 10 * p + 1] for p in range(5)]


def test_the_example_of_the_page_runs():
    page = (Path(__file__).resolve().parents[2] / "docs" / "several-processes.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(example, "several-processes.md", "exec"), {})
