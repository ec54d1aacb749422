"""`scf`: structured control flow becomes blocks and phis right here.

A loop is written rotated (test at the end, a guard before it unless it surely runs), as LLVM would make it. Loop-carried
vectors have one phi per row. A buffer may be carried when its layout is known: its pointer is the phi.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr
from xdsl.ir import Block, Operation, SSAValue

from stepwell.backends.llvm.types import scalar_type
from stepwell.backends.llvm.writer import (
    Emitter,
    FunctionWriter,
    Index,
    Value,
    attribute,
    operand,
    unsupported,
)

Pieces = list[tuple[str, str]]


def all_pieces(w: FunctionWriter, values: Sequence[SSAValue]) -> Pieces:
    """The (type, operand) pairs of several values, in order."""
    return [piece for value in values for piece in w.pieces(value)]


def bind_all(
    w: FunctionWriter, targets: Sequence[SSAValue], names: Sequence[str], like: Sequence[Value | None]
) -> None:
    """Give each target its share of `names`; `like[i]` has the form of target i."""
    position = 0
    for target, model in zip(targets, like, strict=True):
        count = len(model) if isinstance(model, list) else 1
        w.bind(target, list(names[position : position + count]), model)
        position += count


def models(w: FunctionWriter, values: Sequence[SSAValue]) -> list[Value | None]:
    """What the values are now, as models for `bind_all`."""
    return [w.values[v] for v in values]


def emit_loop(
    w: FunctionWriter,
    lower: Index,
    upper: Index,
    step: Index,
    body: Callable[[Index], None],
    metadata: str = "",
) -> None:
    """A loop without carried values; `body` writes one iteration."""

    def write(index: Index, _: list[str]) -> list[str]:
        body(index)
        return []

    counted_loop(w, "i64", lower, upper, step, [], write, metadata)


def counted_loop(
    w: FunctionWriter,
    kind: str,
    lower: Index,
    upper: Index,
    step: Index,
    inits: Pieces,
    body: Callable[[Index, list[str]], list[str]],
    metadata: str = "",
) -> list[str]:
    """`for (i = lower; i < upper; i += step)`; `body` gets the index and the carried names and returns the next ones."""
    trips: int | None = None
    if isinstance(lower, int) and isinstance(upper, int) and isinstance(step, int):
        trips = max(0, -((lower - upper) // step))
    if trips == 0:
        return [name for _, name in inits]
    if trips == 1:
        return body(lower, [name for _, name in inits])
    head, exit_ = w.fresh_labels("for.body", "for.end")
    before = w.block
    if trips is None:
        w.line(f"br i1 {w.emit(f'icmp slt {kind} {lower}, {upper}')}, label %{head}, label %{exit_}")
    else:
        w.branch(head)
    w.start_block(head)
    index = w.fresh()
    carried = [w.fresh() for _ in inits]
    slot = len(w.lines)
    w.lines.extend([""] * (1 + len(inits)))
    nexts = body(index, carried)
    following = w.emit(f"add nsw {kind} {index}, {step}")
    again = w.emit(f"icmp slt {kind} {following}, {upper}")
    latch = w.block
    w.line(f"br i1 {again}, label %{head}, label %{exit_}{metadata}")
    w.lines[slot] = f"  {index} = phi {kind} [ {lower}, %{before} ], [ {following}, %{latch} ]"
    for offset, ((type_, init), name, next_) in enumerate(zip(inits, carried, nexts, strict=True)):
        w.lines[slot + 1 + offset] = f"  {name} = phi {type_} [ {init}, %{before} ], [ {next_}, %{latch} ]"
    w.start_block(exit_)
    if trips is not None:
        return nexts
    return [
        w.emit(f"phi {type_} [ {init}, %{before} ], [ {next_}, %{latch} ]")
        for (type_, init), next_ in zip(inits, nexts, strict=True)
    ]


def loop_metadata(w: FunctionWriter, op: Operation) -> str:
    """`!llvm.loop` of a loop: an `unroll` hint, and no second vectorization of explicit vectors."""
    hint = attribute(op, "unroll")
    count = hint.value.data if isinstance(hint, IntegerAttr) else 0
    vectorized = w.module.has_vectors(op)
    if not count and not vectorized:
        return ""
    return f", !llvm.loop {w.module.loop_node(count, vectorized)}"


def _for(w: FunctionWriter, op: Operation) -> None:
    block = op.regions[0].block
    lower, upper, step = (w.index(operand(op, i)) for i in range(3))
    inits = op.operands[3:]
    carried_args = block.args[1:]
    forms = models(w, inits)

    def body(index: Index, carried: list[str]) -> list[str]:
        w.values[block.args[0]] = str(index)
        bind_all(w, carried_args, carried, forms)
        return [name for _, name in all_pieces(w, w.write_block(block).operands)]

    kind = scalar_type(operand(op, 0).type)
    results = counted_loop(w, kind, lower, upper, step, all_pieces(w, inits), body, loop_metadata(w, op))
    bind_all(w, op.results, results, forms)


def _write_arm(w: FunctionWriter, block: Block | None, exit_: str) -> tuple[str, Pieces, list[Value | None]]:
    """Write the ops of one arm and its jump to `exit_`; returns its last block and what it yields."""
    if block is None or block.last_op is None:
        w.branch(exit_)
        return w.block, [], []
    terminator = w.write_block(block)
    yielded = all_pieces(w, terminator.operands)
    forms = models(w, terminator.operands)
    last = w.block
    w.branch(exit_)
    return last, yielded, forms


def _join(
    w: FunctionWriter,
    op: Operation,
    exit_: str,
    arms: Sequence[tuple[str, Pieces, list[Value | None]]],
) -> None:
    w.start_block(exit_)
    if not op.results:
        return
    names: list[str] = []
    for column in range(len(arms[0][1])):
        type_ = arms[0][1][column][0]
        sources = ", ".join(f"[ {pieces[column][1]}, %{last} ]" for last, pieces, _ in arms)
        names.append(w.emit(f"phi {type_} {sources}"))
    bind_all(w, op.results, names, arms[0][2])


def _if(w: FunctionWriter, op: Operation) -> None:
    branch_on(w, op, w.scalar(operand(op, 0)))


def branch_on(w: FunctionWriter, op: Operation, condition: str) -> None:
    """The two regions of `op`, the second of which may be empty, under an `i1`."""
    then, otherwise, exit_ = w.fresh_labels("if.then", "if.else", "if.end")
    blocks = [region.block if region.blocks.first is not None else None for region in op.regions]
    w.line(f"br i1 {condition}, label %{then}, label %{otherwise}")
    arms: list[tuple[str, Pieces, list[Value | None]]] = []
    for label, block in zip((then, otherwise), blocks, strict=True):
        w.start_block(label)
        arms.append(_write_arm(w, block, exit_))
    _join(w, op, exit_, arms)


def _index_switch(w: FunctionWriter, op: Operation) -> None:
    cases = attribute(op, "cases")
    assert isinstance(cases, DenseArrayBase)
    values = [int(v) for v in cases.get_values()]
    labels = w.fresh_labels("switch.default", *(f"switch.case{i}_" for i in range(len(values))), "switch.end")
    exit_ = labels[-1]
    table = " ".join(f"i64 {v}, label %{label}" for v, label in zip(values, labels[1:-1], strict=True))
    w.line(f"switch i64 {w.scalar(operand(op, 0))}, label %{labels[0]} [ {table} ]")
    arms: list[tuple[str, Pieces, list[Value | None]]] = []
    for label, region in zip(labels[:-1], op.regions, strict=True):
        w.start_block(label)
        arms.append(_write_arm(w, region.block, exit_))
    _join(w, op, exit_, arms)


def _while(w: FunctionWriter, op: Operation) -> None:
    before, after = op.regions[0].block, op.regions[1].block
    head, body, exit_ = w.fresh_labels("while.head", "while.body", "while.end")
    inits = all_pieces(w, op.operands)
    forms = models(w, op.operands)
    entry = w.block
    w.branch(head)
    w.start_block(head)
    carried = [w.fresh() for _ in inits]
    slot = len(w.lines)
    w.lines.extend([""] * len(inits))
    bind_all(w, before.args, carried, forms)
    condition = w.write_block(before)
    test, *passed = condition.operands
    w.line(f"br i1 {w.scalar(test)}, label %{body}, label %{exit_}")
    for target, value in zip((*after.args, *op.results), (*passed, *passed), strict=True):
        w.values[target] = w.values[value]
    w.start_block(body)
    nexts = all_pieces(w, w.write_block(after).operands)
    latch = w.block
    w.branch(head)
    for offset, ((type_, init), name, (_, next_)) in enumerate(zip(inits, carried, nexts, strict=True)):
        w.lines[slot + offset] = f"  {name} = phi {type_} [ {init}, %{entry} ], [ {next_}, %{latch} ]"
    w.start_block(exit_)


def _execute_region(w: FunctionWriter, op: Operation) -> None:
    if len(op.regions[0].blocks) != 1:
        raise unsupported(op, "several blocks in a region")
    terminator = w.write_block(op.regions[0].block)
    for result, value in zip(op.results, terminator.operands, strict=True):
        w.values[result] = w.values[value]


EMITTERS: dict[str, Emitter] = {
    "scf.execute_region": _execute_region,
    "scf.for": _for,
    "scf.if": _if,
    "scf.index_switch": _index_switch,
    "scf.while": _while,
}
