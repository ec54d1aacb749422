"""What an explanation says: the kernels, the order the host launches them in, and the memory of the program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from stepwell.passes.fusion.decisions import Decision


@dataclass(frozen=True)
class Value:
    """A tensor of the host: its name in the explanation and its type, `f32[4x256]`."""

    name: str
    type: str


@dataclass(frozen=True)
class Launch:
    """A kernel at work.

    Attributes:
        kernel: its name.
        reads, makes: values of the host.
        remarks: what passes remarked.
        location: where it comes from.
        decisions: what was fused into it, what is around it and was not, and why.
    """

    kernel: str
    reads: tuple[Value, ...]
    makes: tuple[Value, ...]
    remarks: tuple[str, ...] = ()
    location: str = ""
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True)
class Loop:
    """A loop of the host; `trips` is None where the program decides how often."""

    trips: int | None
    body: tuple[Node, ...]
    makes: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Branch:
    """A choice of the host."""

    arms: tuple[tuple[Node, ...], ...]
    makes: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Call:
    """A function of the host is called."""

    function: str
    reads: tuple[Value, ...]
    makes: tuple[Value, ...]


Node: TypeAlias = Launch | Loop | Branch | Call


@dataclass(frozen=True)
class Kernel:
    """One kernel.

    Attributes:
        name: its symbol.
        hash: its structural hash before it was scheduled: the key of schedule files and tuning records.
        kind: what `plan-kernels` made of it: map, rows, contraction, single.
        reason: why its ops are one kernel.
        schedule: the attribute, as text.
        because: why this schedule.
        launches: how often it runs in one call, if all branches are taken; loops whose trips are unknown count once, see `repeated`.
        certain: how often it runs whatever is taken, and however often such loops go round.
        repeated: whether it is in a loop whose trips are unknown, or in a function that calls itself.
        place: "host" for what a GPU's program leaves to the CPU.
        flops, integer_ops, work: operations of one launch (see `estimate-costs`); None below step 3.
        element: the type most flops are in.
        bytes_read, bytes_written: what one launch has to move.
        seconds: what the machine's limits allow for one launch, None where they are not known.
        bound: which limit it is: "compute", or the memory the bytes come from.
    """

    name: str
    hash: str
    kind: str
    reason: str
    schedule: str
    because: str
    launches: int
    certain: int
    repeated: bool
    place: str
    flops: int | None
    integer_ops: int | None
    work: int | None
    element: str
    bytes_read: int | None
    bytes_written: int | None
    seconds: float | None
    bound: str
    location: str

    @property
    def bytes(self) -> int | None:
        """Bytes moved by one launch."""
        if self.bytes_read is None or self.bytes_written is None:
            return None
        return self.bytes_read + self.bytes_written

    @property
    def intensity(self) -> float | None:
        """Flops a byte."""
        return self.flops / self.bytes if self.flops is not None and self.bytes else None


@dataclass(frozen=True)
class Explanation:
    """What a program becomes.

    Attributes:
        program: its name.
        entry: the function.
        target: the machine, as text.
        opt_level: the optimization level.
        inputs, outputs: of the entry.
        graph: what the host does, in order.
        functions: what other functions of the host do.
        kernels: in the order of the module.
        remarks: what passes before the kernels had to say.
        arena_bytes, lower_bound_bytes, worker_bytes: memory for temporaries, the least any plan could need, and scratch a worker.
        limits: where the machine's limits come from: "measured", "assumed" or "" for none.
    """

    program: str
    entry: str
    target: str
    opt_level: int
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    graph: tuple[Node, ...]
    functions: dict[str, tuple[Node, ...]]
    kernels: tuple[Kernel, ...]
    remarks: tuple[str, ...] = ()
    arena_bytes: int | None = None
    lower_bound_bytes: int | None = None
    worker_bytes: int | None = None
    limits: str = ""
    schedules: str = field(default="", repr=False)
    """The schedule file of the program: JSON (docs/explain.md)."""
    text: str = field(default="", repr=False)
    """The explanation for a terminal."""

    def kernel(self, name: str) -> Kernel:
        """The kernel called `name`.

        Raises:
            KeyError: there is none.
        """
        for kernel in self.kernels:
            if kernel.name == name:
                return kernel
        raise KeyError(name)

    def total(self, attribute: str, *, certain: bool = False) -> float | None:
        """Sum of a number of the kernels over all launches, or those that are certain; None where one does not know it."""
        values = [getattr(kernel, attribute) for kernel in self.kernels]
        if any(value is None for value in values):
            return None
        times = [kernel.certain if certain else kernel.launches for kernel in self.kernels]
        return sum(value * count for value, count in zip(values, times, strict=True))

    def launches(self) -> Iterator[Launch]:
        """Every launch of the entry, inside of loops too."""
        yield from launches_of(self.graph)

    def json(self) -> str:
        """The explanation as JSON, keys and order fixed."""
        entries = {k: v for k, v in asdict(self).items() if k not in ("schedules", "text", "graph", "functions")}
        entries["graph"] = [_node(n) for n in self.graph]
        entries["functions"] = {name: [_node(n) for n in nodes] for name, nodes in self.functions.items()}
        for entry, kernel in zip(entries["kernels"], self.kernels, strict=True):
            entry["intensity"] = kernel.intensity
        return json.dumps(entries, indent=2) + "\n"

    def __str__(self) -> str:
        return self.text


def launches_of(nodes: Sequence[Node]) -> Iterator[Launch]:
    """Every launch in a sequence of nodes, in order."""
    for node in nodes:
        if isinstance(node, Launch):
            yield node
        elif isinstance(node, Loop):
            yield from launches_of(node.body)
        elif isinstance(node, Branch):
            for arm in node.arms:
                yield from launches_of(arm)


def _node(node: Node) -> dict[str, Any]:
    """A node with its kind said."""
    kind = type(node).__name__.lower()
    if isinstance(node, Loop):
        return {
            "op": kind,
            "trips": node.trips,
            "body": [_node(n) for n in node.body],
            "makes": [asdict(v) for v in node.makes],
        }
    if isinstance(node, Branch):
        arms = [[_node(n) for n in arm] for arm in node.arms]
        return {"op": kind, "arms": arms, "makes": [asdict(v) for v in node.makes]}
    return {"op": kind, **asdict(node)}
