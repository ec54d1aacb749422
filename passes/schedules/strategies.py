"""The registered strategies: which applies to a kernel, with which parameters, and how to carry one out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod

from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import kernel
from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription, machine_of
from stepwell.ir.structured import indexing_maps, iterator_kinds
from stepwell.passes.fusion.classify import is_parallel
from stepwell.passes.fusion.epilogue import not_of_a_reduction
from stepwell.passes.schedules.attention import schedule_attention
from stepwell.passes.schedules.attention_choice import (
    AnyAttention,
    AttentionTiles,
    choose_attention,
    few_obstacle,
    find_attention,
    obstacle,
    tiles_of,
)
from stepwell.passes.schedules.attention_gradient import schedule_attention_gradient
from stepwell.passes.schedules.attention_gradient_choice import choose_gradient, find_gradient, gradient_tiles_of
from stepwell.passes.schedules.block_choice import choose_blocks, tiles_for
from stepwell.passes.schedules.block_contraction import schedule_block_contraction
from stepwell.passes.schedules.block_rows import BlockRows
from stepwell.passes.schedules.contraction import schedule_contraction
from stepwell.passes.schedules.contraction_analysis import Contraction, find_contraction
from stepwell.passes.schedules.contraction_choice import Tiling, better_by_lines, choose_tiling, tiling_of, turned
from stepwell.passes.schedules.contraction_parts import choose_parts
from stepwell.passes.schedules.convolution import copied, most_copied
from stepwell.passes.schedules.dots import DotTile, dot_tile_of, first_dots, schedule_dots
from stepwell.passes.schedules.fold import fold_obstacle, folding
from stepwell.passes.schedules.kernel_builder import KernelBuilder
from stepwell.passes.schedules.lanes import can_vectorize
from stepwell.passes.schedules.lines import with_lines
from stepwell.passes.schedules.loops import copy_phase, schedule_loops
from stepwell.passes.schedules.nest import Access, Nest, generic_extents, generic_outputs
from stepwell.passes.schedules.parameters import GRAIN, checked, numbers_of, too_many_sums, wrong
from stepwell.passes.schedules.plan import Machine, plan_space
from stepwell.passes.schedules.rows import EmitsRows, RowShape, find_rows, row_nests, rows_cost, schedule_rows
from stepwell.passes.schedules.rows_across import AcrossRows, across_obstacle, pays_across
from stepwell.passes.schedules.selection import selecting
from stepwell.passes.schedules.simt_choice import Choice, choose_simt, crosses, parameters, probe, segment_obstacle
from stepwell.passes.schedules.subgroup_rows import SubgroupRows
from stepwell.passes.schedules.turning_choice import turning_numbers
from stepwell.passes.schedules.window import (
    Window,
    WindowTile,
    choose_window,
    find_window,
    most_staged,
    schedule_window,
    staged,
    window_tile_of,
)

COPYING = Machine(16)
"""What copies of whole tensors are made with: short vectors, one task."""


AHEAD = 2048
"""Bytes ahead of what is written that its lines are fetched: about as much as memory's latency lets through."""

FINER = 8
"""Tasks a core of a contraction: products say well how long they take, and a core that does something else is waited for."""

LINES = 4
"""Lines of a large array that are reduced to one at once: what hardware foresees, and a result is read and written for."""

PAGE = 4096
"""Bytes of memory that are translated together, and beyond which hardware foresees nothing: what is read once is fetched so
far ahead, and a block that is turned reads as much of each row."""


def _result_bytes(func: kernel.FuncOp) -> int:
    """Bytes of the largest result of a kernel."""
    return _bytes(func.args[func.num_inputs : len(func.access.data)])


def _bytes(arguments: Sequence[SSAValue]) -> int:
    """Bytes of the largest of some arguments."""
    types = [a.type for a in arguments]
    return max(
        (prod(t.get_shape()) * byte_width(t.element_type) for t in types if isinstance(t, TensorType)), default=0
    )


def choose(func: kernel.FuncOp, machine: MachineDescription, forced: str = "") -> Choice:
    """The schedule of a kernel on a machine."""
    if machine.subgroup > 1:
        return _choose_for_subgroups(func, machine, forced)
    common = {
        "vector": machine.vector_bytes,
        "unroll": 4,
        "tasks": machine.cores * 4 if machine.cores > 1 else 1,
        "grain": GRAIN,
    }
    if _result_bytes(func) > machine.l2_bytes:
        common["prefetch"] = AHEAD
    attention = find_attention(func)
    if attention is not None and obstacle(attention) is None:
        # Nothing else carries it out, whatever was asked for.
        return (
            "attention",
            {**common, **choose_attention(attention, machine, common["tasks"])},
            "online softmax over tiles of keys",
        )
    gradient = find_gradient(func)
    if gradient is not None and obstacle(gradient) is None:
        why = "scores of a block of queries made again, in tiles that stay in a core's caches"
        return "attention-gradient", {**common, **choose_gradient(gradient, machine)}, why
    window = _first_window(func, machine) if forced in ("", "window") else None
    if window is not None:
        return "window", {**common, **window}, "sums over a window that share its numbers, not their weights"
    dots = first_dots([*func.body.block.ops], machine) if forced in ("", "dots") else None
    if dots is not None:
        common.pop("prefetch", None)
        return "dots", {**common, **dots}, "sums of products along lines of both factors, which few rows share"
    if forced in ("", "contraction"):
        tasks = machine.cores * FINER if machine.cores > 1 else 1
        tiled = _first_tiling(func, machine, tasks, asked=bool(forced))
        if not isinstance(tiled, str):
            # What most tiles read hardware foresees: asking for it costs more than it gives.
            common.pop("prefetch", None)
            common["tasks"] = tasks
            parts = tiled.get("k_split", 1)
            how = (
                "epilogue on the tile" if parts == 1 else f"in {parts} parts that are added up then, with the epilogue"
            )
            return "contraction", {**common, **tiled}, f"sum of products in register tiles, {how}"
    short = _short_reduction(func, machine) if forced in ("", "rows") else None
    if short is not None:
        return "rows", {**common, "across": 1}, "a reduction of short rows: lanes are rows"
    rows = find_rows(func)
    if isinstance(rows, RowShape) and forced in ("", "rows"):
        costs = _costs(rows, Machine(machine.vector_bytes))
        across = pays_across(rows, _row_nests(rows), Machine(machine.vector_bytes))
        points = not_of_a_reduction(rows.ops) is None
        if forced or across or (costs[0] <= 1.25 * costs[1] and not points):
            how = ", short: lanes are rows" if across else _in_turn(func, machine)
            numbers = {**common, "across": 1} if across else common
            return "rows", numbers, f"{len(rows.ops)} ops share {len(rows.sizes)} leading dims{how}"
        rows = "nothing of a row is kept, but maps of what it is reduced to"
        if not points:
            rows = f"row by row is estimated at {costs[0] / costs[1]:.1f} times its cost"
    reason = _why_loops(func, machine, rows, forced)
    return (
        "loops",
        common | _from_afar(func, machine),
        f"one parallel phase per op or pointwise run: {reason}{_in_turn(func, machine)}",
    )


def _in_turn(func: kernel.FuncOp, machine: MachineDescription) -> str:
    """What is to be said of reductions that are no vectors' work."""
    said: dict[str, None] = {}
    for op in func.body.block.ops:
        if not isinstance(op, linalg.GenericOp) or is_parallel(op):
            continue
        nest = folding(selecting(_unfolded_nest(op), [r for r in op.results if r.first_use is not None]))
        problem = fold_obstacle(nest)
        if problem is not None:
            said[f"reduces element by element: {problem}"] = None
        elif nest.points > 1 and plan_space([nest], Machine(machine.vector_bytes)).vector is None:
            vectors = all(can_vectorize(body) for body in nest.bodies)
            said[f"reduces in scalar code: {'it is short' if vectors else 'its body has no vector form'}"] = None
    return "".join(f"; {text}" for text in said)


def _why_loops(func: kernel.FuncOp, machine: MachineDescription, rows: RowShape | str, forced: str) -> str:
    """Why a kernel is done by loops: what stands against the strategy asked for, or against those that come before."""
    tiled = _first_tiling(func, machine, 1)
    products = f"no register tiles: {tiled}" if isinstance(tiled, str) and tiled else ""
    refusals = {
        "rows": f"the kernel has no rows: {rows}",
        "contraction": products or "no op of the kernel is a contraction",
        "dots": "no op of the kernel is a contraction along lines of both factors, which few rows share",
        "window": "no op of the kernel is a sum of products over a window that has tiles",
        "attention": "no op of the kernel is an attention that has tiles",
        "attention-gradient": "no op of the kernel is the gradient of an attention that has tiles",
    }
    if forced not in ("", "loops"):
        return f"'{forced}' was asked for, but {refusals.get(forced, 'only subgroups of lanes do it')}"
    reasons = [rows if isinstance(rows, str) else "asked for", products]
    return "; ".join(filter(None, reasons))


def _from_afar(func: kernel.FuncOp, machine: MachineDescription) -> dict[str, int]:
    """The parameters of loops over what is read or written once and is larger than a core's second cache."""
    numbers: dict[str, int] = {}
    if _bytes(func.args[: func.num_inputs]) > machine.l2_bytes:
        numbers["fetch"] = PAGE
        if _reduces_columns(func, machine):
            numbers["lines"] = LINES
    if _result_bytes(func) > machine.l2_bytes:
        numbers |= turning_numbers(func, _turned_nests(func, machine), machine)
    return numbers


def _reduces_columns(func: kernel.FuncOp, machine: MachineDescription) -> bool:
    """Whether some op of a kernel reduces what is in lines to one line, of vectors."""
    for op in func.body.block.ops:
        if isinstance(op, linalg.GenericOp) and not is_parallel(op):
            nest = _unfolded_nest(op)
            plan = plan_space([nest], Machine(machine.vector_bytes))
            if with_lines(plan, [nest], [], Machine(machine.vector_bytes, lines=LINES)).lines:
                return True
    return False


def _turned_nests(func: kernel.FuncOp, machine: MachineDescription) -> list[Nest]:
    """The ops of a kernel that read along another dim than they write along."""
    nests = [_dry_nest(op) for op in func.body.block.ops if isinstance(op, linalg.GenericOp)]
    return [n for n in nests if plan_space([n], Machine(machine.vector_bytes)).crossed is not None]


def scalar_parameters(machine: MachineDescription) -> dict[str, int]:
    """The parameters of `loops` for scalar code: one task, or where there are subgroups a thread a point."""
    if machine.subgroup == 1:
        return {"vector": 0, "tasks": 1}
    return parameters(replace(probe(machine), vector_bytes=0))


def _choose_for_subgroups(func: kernel.FuncOp, machine: MachineDescription, forced: str) -> Choice:
    """The schedule where a subgroup of lanes holds a vector: strategies for contractions first, then all others."""
    refused = ""
    if forced in ("", "block-contraction"):
        blocks = choose_blocks(func, machine)
        if not isinstance(blocks, str):
            numbers, reason = blocks
            return "block-contraction", {**parameters(probe(machine)), **numbers}, reason
        refused = f"; no tiles of blocks: {blocks}" if blocks else ""
    strategy, numbers, reason = choose_simt(func, machine, forced)
    return strategy, numbers, f"{reason}{refused}"


def _first_tiling(
    func: kernel.FuncOp, machine: MachineDescription, tasks: int, *, asked: bool = False
) -> dict[str, int] | str:
    """The tiling of the kernel's first contraction worth tiles, as parameters; or why the first has none, "" without one.

    Where tiles were `asked` for, one that other loops do better has them too.
    """
    refused = ""
    for op in func.body.block.ops:
        found = find_contraction(op)
        if not isinstance(found, Contraction):
            continue
        tiling = choose_tiling(turned(found), machine)
        better = "" if asked or isinstance(tiling, str) else better_by_lines(turned(found), machine)
        if isinstance(tiling, Tiling) and not better:
            if copied(op, machine) is not None:
                # Each part of the sums would copy all of the image.
                return {**tiling.numbers(), "border": most_copied(machine)}
            return replace(tiling, k_split=choose_parts(turned(found), tiling, machine, tasks)).numbers()
        refused = refused or better or str(tiling)
    return refused


def _first_window(func: kernel.FuncOp, machine: MachineDescription) -> dict[str, int] | None:
    """The tile of the kernel's first sums over a window, as parameters."""
    for op in func.body.block.ops:
        found = find_window(op)
        tile = choose_window(found, machine) if isinstance(found, Window) else found
        if isinstance(found, Window) and isinstance(tile, WindowTile):
            return {**tile.numbers(), **({"border": most_staged(machine)} if staged(op, machine) is not None else {})}
    return None


def _tiling_for(numbers: Mapping[str, int], machine: MachineDescription) -> Callable[[Contraction], Tiling | str]:
    """The schedule's numbers, corrected where an operand's layout or extent leaves no choice."""
    vectors = replace(machine, vector_bits=numbers["vector"] * 8)
    return lambda found: tiling_of(found, numbers, vectors)


def _dots_for(numbers: Mapping[str, int], machine: MachineDescription) -> Callable[[Contraction], DotTile | str]:
    """The schedule's numbers for dot products."""
    vectors = replace(machine, vector_bits=numbers["vector"] * 8)
    return lambda found: dot_tile_of(found, numbers, vectors)


def _window_tiles_for(numbers: Mapping[str, int], machine: MachineDescription) -> Callable[[Window], WindowTile | str]:
    """The schedule's numbers for sums over a window."""
    vectors = replace(machine, vector_bits=numbers["vector"] * 8)
    return lambda found: window_tile_of(found, numbers, vectors)


def _short_reduction(func: kernel.FuncOp, machine: MachineDescription) -> RowShape | None:
    """The rows of a kernel that reduces short ones, and nothing else."""
    rows = find_rows(func, least=1)
    if not isinstance(rows, RowShape) or len(rows.ops) != 1:
        return None
    nests = _row_nests(rows)
    known = all(o.combiner is not None for o in nests[0].outputs)
    return rows if known and pays_across(rows, nests, Machine(machine.vector_bytes)) else None


def _row_nests(rows: RowShape) -> list[Nest]:
    """The ops of rows as nests over the kernel's own values."""
    return row_nests(rows, _dry_nest)


def _costs(rows: RowShape, machine: Machine) -> tuple[float, float]:
    """Estimated work by rows, and op by op."""
    nests: dict[Operation, Nest] = {op: _dry_nest(op) for op in rows.ops}
    by_rows = rows_cost(rows, row_nests(rows, lambda op: nests[op]), machine)
    by_ops = sum(n.points * plan_space([n], machine).cost for n in nests.values())
    return by_rows, by_ops


def _dry_nest(op: Operation) -> Nest:
    """A generic as a nest over the kernel's own values, for cost questions."""
    return folding(_unfolded_nest(op))


def _unfolded_nest(op: Operation) -> Nest:
    """The same as the op has it, whether its region can be told from its elements or not."""
    assert isinstance(op, linalg.GenericOp)
    inputs: list[Access | SSAValue] = [
        Access(v, m.results) if hasattr(v.type, "shape") else v
        for v, m in zip(op.inputs, indexing_maps(op), strict=False)
    ]
    kinds = tuple(k != "parallel" for k in iterator_kinds(op))
    return Nest(generic_extents(op), kinds, inputs, generic_outputs(op), op.body.block, op.location)


def carry_out(func: kernel.FuncOp, schedule: kernel.ScheduleAttr) -> None:
    """Rebuild the kernel's body as its schedule says.

    Raises:
        InvalidProgramError: the schedule says something that does not exist, or that the kernel or its machine has not.
    """
    values = checked(func, schedule)
    strategy, numbers = schedule.strategy.data, numbers_of(values)
    description = machine_of(func)
    machine = replace(_machine(numbers), line_bytes=description.line_bytes)
    _check_subgroup(func, strategy, machine, description)
    builder = KernelBuilder(func, _copied_by(machine if machine.subgroup > 1 else COPYING))
    if strategy in ("rows", "block-rows"):
        rows = _rows_for(func, strategy, machine, least=2 - numbers.get("across", 0))
        across = bool(numbers.get("across", 0)) and 0 not in rows.sizes
        if across:
            _check_across(func, rows, machine)
        schedule_rows(builder, rows, machine, AcrossRows if across else _row_form(strategy, machine))
    elif strategy == "contraction":
        tilings = _tiling_for(numbers, description)
        products = [f for f in map(find_contraction, func.body.block.ops) if isinstance(f, Contraction)]
        _check_tiles(func, strategy, "a contraction", [tilings(turned(f)) for f in products])
        schedule_contraction(builder, machine, tilings, numbers["border"])
    elif strategy == "dots":
        dots = _dots_for(numbers, description)
        products = [f for f in map(find_contraction, func.body.block.ops) if isinstance(f, Contraction)]
        _check_tiles(func, strategy, "a contraction", [dots(f) for f in products])
        schedule_dots(builder, machine, dots)
    elif strategy == "window":
        tiles = _window_tiles_for(numbers, description)
        windows = [f for f in map(find_window, func.body.block.ops) if isinstance(f, Window)]
        _check_tiles(func, strategy, "a sum of products over a window", [tiles(f) for f in windows])
        schedule_window(builder, machine, tiles, numbers["border"])
    elif strategy == "attention":
        _check_attention(func, strategy, numbers)
        schedule_attention(builder, machine, lambda op: tiles_of(op, numbers, machine.vector_bytes))
    elif strategy == "attention-gradient":
        _check_gradient(func, strategy, numbers)
        schedule_attention_gradient(builder, machine, lambda op: gradient_tiles_of(op, numbers, machine.vector_bytes))
    elif strategy == "block-contraction":
        schedule_block_contraction(builder, machine, tiles_for(func, values, description))
    else:
        if strategy == "block-transpose" and not crosses(func, machine):
            reason = f"nothing it reads along another dim than it writes along is as large as tile = {machine.tile}"
            raise wrong(func, strategy, reason, "use 'loops'")
        schedule_loops(builder, machine)
    builder.finish()


def _check_tiles(
    func: kernel.FuncOp, strategy: str, kind: str, tiles: Sequence[Tiling | WindowTile | DotTile | str]
) -> None:
    """Some op of the kernel is of the strategy's kind, and the schedule has tiles for it: nothing becomes loops in silence."""
    if not tiles:
        raise wrong(func, strategy, f"no op of the kernel is {kind}", "use 'loops'")
    if all(isinstance(t, str) for t in tiles):
        raise wrong(func, strategy, f"it has no tiles for {kind}: {tiles[0]}", "use 'loops'")


def _check_attention(func: kernel.FuncOp, strategy: str, numbers: Mapping[str, int]) -> None:
    """The kernel has an attention, in a form that the strategy takes."""
    attention = find_attention(func)
    if attention is None:
        raise wrong(func, strategy, "no op of the kernel is an attention", "use 'loops'")
    problem = obstacle(attention)
    if problem is not None:
        raise wrong(func, strategy, problem, "materialize its operands row by row")
    if numbers.get("few"):
        problem = few_obstacle(attention, max(1, (numbers["vector"] or 16) // byte_width(attention.score_type)))
        if problem is not None:
            raise wrong(func, strategy, f"queries cannot be rows: {problem}", "leave out 'few'")
    _check_sums(func, strategy, tiles_of(attention, numbers, numbers["vector"]), attention, numbers)


def _check_gradient(func: kernel.FuncOp, strategy: str, numbers: Mapping[str, int]) -> None:
    """The kernel has the gradient of an attention, in a form that the strategy takes."""
    gradient = find_gradient(func)
    if gradient is None:
        raise wrong(func, strategy, "no op of the kernel is the gradient of an attention", "use 'loops'")
    problem = obstacle(gradient)
    if problem is not None:
        raise wrong(func, strategy, problem, "materialize its operands row by row")
    _check_sums(func, strategy, gradient_tiles_of(gradient, numbers, numbers["vector"]).tiles, gradient, numbers)


def _check_sums(
    func: kernel.FuncOp, strategy: str, tiles: AttentionTiles, op: AnyAttention, numbers: Mapping[str, int]
) -> None:
    """The register tiles of an attention, of scores and of results, are no longer than code should be."""
    lanes = max(1, (numbers["vector"] or 16) // byte_width(op.score_type))
    if tiles.few:
        shapes = ((tiles.queries, tiles.keys * lanes), (tiles.queries, tiles.columns))
    else:
        shapes = ((tiles.keys, tiles.queries), (tiles.columns, tiles.queries))
    problem = next(filter(None, (too_many_sums(rows, columns, lanes) for rows, columns in shapes)), None)
    if problem is not None:
        raise wrong(func, strategy, problem, "say less 'queries', 'keys' or 'columns'")


def _check_subgroup(func: kernel.FuncOp, strategy: str, machine: Machine, description: MachineDescription) -> None:
    """A machine whose vectors are held by subgroups takes schedules for just these; others may take any."""
    if description.subgroup > 1 and machine.subgroup != description.subgroup:
        what = f"subgroup = {machine.subgroup}, but" if machine.subgroup > 1 else "it does not say 'subgroup', and"
        problem = f"{what} the machine has subgroups of {description.subgroup} lanes"
        raise wrong(func, strategy, problem, f"say subgroup = {description.subgroup} : i64")


def _rows_for(func: kernel.FuncOp, strategy: str, machine: Machine, least: int = 2) -> RowShape:
    """The rows of a kernel that is to be done by rows."""
    rows = find_rows(func, least)
    if not isinstance(rows, RowShape):
        raise wrong(func, strategy, f"the kernel has no rows: {rows}", "use 'loops'")
    if strategy == "block-rows" and 0 not in rows.sizes:
        obstacle = segment_obstacle(func, rows, machine)
        if obstacle is not None:
            raise wrong(func, strategy, f"its rows have no segments: {obstacle}", "use 'rows', a subgroup does a row")
    return rows


def _check_across(func: kernel.FuncOp, rows: RowShape, machine: Machine) -> None:
    """Lanes may be rows, where that is asked for."""
    problem = across_obstacle(rows, _row_nests(rows), machine)
    if problem is not None:
        raise wrong(func, "rows", f"its rows cannot be lanes: {problem}", "leave out 'across'")


def _row_form(strategy: str, machine: Machine) -> Callable[[KernelBuilder, RowShape, Machine], EmitsRows] | None:
    """What makes the phase."""
    if strategy == "block-rows":
        return BlockRows
    return SubgroupRows if machine.subgroup > 1 else None


def _machine(numbers: Mapping[str, int]) -> Machine:
    """What a schedule says about vectors and tasks."""
    return Machine(
        numbers["vector"],
        numbers["unroll"],
        numbers["tasks"],
        numbers.get("grain", GRAIN),
        subgroup=numbers.get("subgroup", 1),
        subgroups=numbers.get("subgroups", 1),
        vectors=numbers.get("vectors", 1),
        split=numbers.get("split", 1),
        tile=numbers.get("tile", 0),
        pad=numbers.get("pad", 1),
        shared_bytes=numbers.get("shared", 0),
        kept=numbers.get("kept", 0),
        prefetch=numbers.get("prefetch", 0),
        fetch=numbers.get("fetch", 0),
        stage=numbers.get("stage", 0),
        run=numbers.get("run", 128),
        bypass=bool(numbers.get("bypass", 0)),
        lines=numbers.get("lines", 0),
    )


def _copied_by(machine: Machine) -> Callable[[KernelBuilder, SSAValue, SSAValue], SSAValue]:
    """How a builder copies a tensor."""
    return lambda builder, source, target: copy_phase(builder, source, target, machine)
