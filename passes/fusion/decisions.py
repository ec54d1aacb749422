"""What fusion decided, as data: taken or not, why, the bytes it saves and the work it repeats.

A decision is a dictionary in `kernel.decisions` of the op it is about, from where `outline-kernels` takes it to the launch;
`stepwell explain` prints the sentences and gives the numbers in its JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import prod

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, IntegerAttr, StringAttr, TensorType, i1, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Operation

from stepwell.ir.diagnostics import source_location
from stepwell.ir.dtypes import byte_width

DECISIONS = "kernel.decisions"
"""Name of the attribute."""
REMARKS = "kernel.remarks"
"""Name of that for what other passes have to say."""


@dataclass(frozen=True)
class Decision:
    """One decision.

    Attributes:
        taken: whether ops were put together.
        reason: the decision and why, as a sentence.
        bytes_saved: memory traffic that is saved, or would be.
        flops_repeated: operations that are done again for it, or would be.
        location: where the op stands in the source, as `line:column`, or as `file:line` where the program names another
            file; empty when nobody knows.
    """

    taken: bool
    reason: str
    bytes_saved: int
    flops_repeated: int
    location: str = ""


def size_text(size: int) -> str:
    """Bytes for a sentence: `32.0 MB`."""
    for scale, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} B"


def what_it_costs(saved: int, repeated: int) -> str:
    """The second half of a sentence about something that was taken."""
    return f"saves {size_text(max(saved, 0))} of memory traffic, repeats {max(repeated, 0)} flops"


def described(op: Operation) -> str:
    """An op for a sentence: what it does, how large its result is, and its name where it has one."""
    if not op.results:
        return op.name
    kind = op.results[0].type
    sizes = "x".join([*map(str, kind.get_shape()), _text(kind.element_type)]) if isinstance(kind, TensorType) else kind
    hint = op.results[0].name_hint
    return f"%{hint} ({_action(op)}, {sizes})" if hint else f"{_action(op)} of {sizes}"


@lru_cache(maxsize=256)
def _text(kind: Attribute) -> str:
    return str(kind)


def _action(op: Operation) -> str:
    """What an op does, in a word: of a body, what makes its first result."""
    if not isinstance(op, linalg.GenericOp):
        return op.name.partition(".")[2]
    last = op.body.block.last_op
    made = last.operands[0].owner if last is not None and last.operands else None
    return made.name.partition(".")[2] if isinstance(made, Operation) else "move"


def result_bytes(op: Operation) -> int:
    """Bytes of an op's results."""
    return sum(
        prod(r.type.get_shape()) * byte_width(r.type.element_type) for r in op.results if isinstance(r.type, TensorType)
    )


def place_of(op: Operation) -> str:
    """Where an op stands in the source: `line:column` of the program itself, so that its IR is the same wherever it is kept."""
    found = source_location(op.location)
    if found is None:
        return ""
    outermost = op
    while (outer := outermost.parent_op()) is not None:
        outermost = outer
    home = source_location(outermost.location)
    if home is not None and home.file == found.file:
        return f"{found.line}:{found.col}"
    return f"{found.file}:{found.line}"


def note(op: Operation, decisions: Iterable[Decision]) -> None:
    """Add decisions to an op."""
    new = [_attribute(d.taken, d.reason, d.bytes_saved, d.flops_repeated, d.location) for d in decisions]
    if new:
        op.attributes[DECISIONS] = ArrayAttr([*noted(op), *new])


def noted(op: Operation) -> list[Attribute]:
    """What is noted on an op."""
    found = op.attributes.get(DECISIONS)
    return list(found.data) if isinstance(found, ArrayAttr) else []


def keep_taken(op: Operation) -> None:
    """Forget what was refused: it is decided again."""
    before = noted(op)
    if not before:
        return
    left = [a for a in before if isinstance(a, DictionaryAttr) and a.data["taken"] == _flag(True)]
    if left:
        op.attributes[DECISIONS] = ArrayAttr(left)
    else:
        op.attributes.pop(DECISIONS, None)


def take_over(op: Operation, other: Operation) -> None:
    """Note on an op what was taken into another one that disappears into it, and what was said of that."""
    keep_taken(other)
    for name in (DECISIONS, REMARKS):
        more = other.attributes.get(name)
        if isinstance(more, ArrayAttr):
            known = op.attributes.get(name)
            before = list(known.data) if isinstance(known, ArrayAttr) else []
            op.attributes[name] = ArrayAttr([*before, *(m for m in more.data if m not in before)])


def decisions_on(op: Operation) -> tuple[Decision, ...]:
    """The decisions noted on an op or a launch; what is no decision is passed over."""
    return tuple(d for d in map(_read, noted(op)) if d is not None)


def _read(attribute: Attribute) -> Decision | None:
    if not isinstance(attribute, DictionaryAttr):
        return None
    match [attribute.data.get(n) for n in ("taken", "reason", "bytes_saved", "flops_repeated", "location")]:
        case [IntegerAttr() as taken, StringAttr() as reason, IntegerAttr() as saved, IntegerAttr() as repeated, place]:
            location = place.data if isinstance(place, StringAttr) else ""
            return Decision(bool(taken.value.data), reason.data, saved.value.data, repeated.value.data, location)
        case _:
            return None


# Attributes are immutable and decisions about equal layers equal: each is built once.


@lru_cache(maxsize=4096)
def _attribute(taken: bool, reason: str, saved: int, repeated: int, location: str) -> DictionaryAttr:
    entries: dict[str, Attribute] = {
        "bytes_saved": _number(saved),
        "flops_repeated": _number(repeated),
        "reason": StringAttr(reason),
        "taken": _flag(taken),
    }
    if location:
        entries["location"] = StringAttr(location)
    return DictionaryAttr(entries)


@lru_cache(maxsize=1024)
def _number(value: int) -> Attribute:
    return IntegerAttr(value, i64)


@lru_cache(maxsize=2)
def _flag(value: bool) -> Attribute:
    return IntegerAttr(int(value), i1)
