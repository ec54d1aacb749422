"""Several processes in one: a grid of interpreters that take turns, and what they exchange.

`run_parallel` runs a module as the specification's execution model has it. Each process is an interpreter in a thread of its own, but
only one runs at a time, and the turn passes on in a fixed order when a process must wait: every run is the same, and when nobody
can go on, that is an error which says who waits for what.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects.registry import interpreter_rules
from stepwell.dialects.stablehlo.process_groups import ProcessGrid, ProcessId, declared_grid
from stepwell.ir.errors import InvalidProgramError
from stepwell.ir.interpreter import Interpreter, InterpreterError, Rule, Value

Values = tuple[Value, ...]
Body = Callable[[Interpreter], Values]

_STATE = "process"
"""Where an interpreter keeps the process that it runs."""
_STACK_BYTES = 64 << 20
"""Stack of a process's thread: programs nest deep."""


class _Stopped(Exception):
    """Another process failed."""


@dataclass
class _Wait:
    """What a process waits for, and at which op."""

    op: Operation
    ready: Callable[[], bool]
    what: Callable[[], str]


class _Turns:
    """Lets one process run at a time."""

    def __init__(self, names: Sequence[str]):
        count = len(names)
        self._names = names
        self._gates = [threading.Semaphore(0) for _ in range(count)]
        self._waits: list[_Wait | None] = [None] * count
        self._done = [False] * count
        self._all_done = threading.Semaphore(0)
        self.error: BaseException | None = None

    def begin(self, number: int) -> None:
        """Wait for the first turn."""
        self._gates[number].acquire()
        if self.error is not None:
            raise _Stopped

    def wait(self, number: int, wait: _Wait) -> None:
        """Let others run until what a process waits for is there."""
        while not wait.ready():
            self._waits[number] = wait
            following = self._following(number)
            if following is None:
                raise self._deadlock(wait.op)
            self._gates[following].release()
            self._gates[number].acquire()
            if self.error is not None:
                raise _Stopped
        self._waits[number] = None

    def finish(self, number: int, error: BaseException | None) -> None:
        """A process is at its end; the next one goes on, or stops when something went wrong."""
        self._done[number] = True
        if self.error is None:
            self.error = error
        rest = [i for i, done in enumerate(self._done) if not done]
        if not rest:
            self._all_done.release()
            return
        following = self._following(number) if self.error is None else rest[0]
        if following is None:
            stuck = self._waits[rest[0]]
            assert stuck is not None
            self.error = self._deadlock(stuck.op)
            following = rest[0]
        self._gates[following].release()

    def run(self) -> None:
        """Give the first process its turn and wait for all."""
        self._gates[0].release()
        self._all_done.acquire()

    def _following(self, number: int) -> int | None:
        """The next process, in order, that can run."""
        count = len(self._names)
        for i in ((number + step) % count for step in range(1, count + 1)):
            wait = self._waits[i]
            if not self._done[i] and (wait is None or wait.ready()):
                return i
        return None

    def _deadlock(self, op: Operation) -> InterpreterError:
        lines: list[str] = []
        for name, wait, done in zip(self._names, self._waits, self._done, strict=True):
            if done:
                lines.append(f"process {name} has ended")
            elif wait is not None:
                lines.append(f"process {name} waits in {wait.op.name} for {wait.what()}")
        return InterpreterError(op, f"deadlock: no process can go on; {'; '.join(lines)}")


@dataclass
class World:
    """What the processes of a grid share."""

    grid: ProcessGrid
    infeed: list[deque[Values]] = field(default_factory=list[deque[Values]])
    """For each process, what the host feeds it."""
    outfeed: list[list[Values]] = field(default_factory=list[list[Values]])
    """For each process, what it gave the host."""
    channels: dict[Any, deque[Values]] = field(default_factory=dict[Any, deque[Values]])
    """What was sent and not received yet; channels to the host by their id, others by (id, source, target)."""
    meetings: dict[Any, dict[ProcessId, Values]] = field(default_factory=dict[Any, dict[ProcessId, Values]])
    """What the members of a group have brought to a collective op so far."""

    def __post_init__(self) -> None:
        processes = self.grid.processes
        self.turns = _Turns([str(p) for p in processes])
        self.infeed = [*self.infeed, *(deque[Values]() for _ in processes[len(self.infeed) :])]
        self.outfeed = [[] for _ in processes]


class Process:
    """One process of a grid: its place, and how it reaches the others."""

    def __init__(self, world: World, place: ProcessId):
        self.world = world
        self.id = place
        self._number = world.grid.index(place)
        self._met: dict[Any, int] = {}

    def wait(self, op: Operation, ready: Callable[[], bool], what: Callable[[], str]) -> None:
        """Let the others run until `ready()`."""
        self.world.turns.wait(self._number, _Wait(op, ready, what))

    def meet(self, op: Operation, channel: int, group: Sequence[ProcessId], values: Values) -> list[Values]:
        """What each member of a group brings to its next meeting at this kind of op and channel, in the group's order."""
        kind = (op.name, channel, tuple(group))
        number = self._met[kind] = self._met.get(kind, 0) + 1
        brought = self.world.meetings.setdefault((kind, number), {})
        brought[self.id] = values
        missing = lambda: ", ".join(f"process {p}" for p in group if p not in brought)  # noqa: E731
        self.wait(op, lambda: len(brought) == len(group), missing)
        self.world.meetings.pop((kind, number), None)
        return [brought[p] for p in group]

    def send(self, channel: Any, values: Values) -> None:
        """Put values in a channel."""
        self.world.channels.setdefault(channel, deque()).append(values)

    def receive(self, op: Operation, channel: Any, what: str) -> Values:
        """Take the oldest values from a channel, once there are some."""
        queue = self.world.channels.setdefault(channel, deque())
        self.wait(op, lambda: len(queue) > 0, lambda: what)
        return queue.popleft()

    def next_infeed(self, op: Operation) -> Values:
        """What the host feeds next."""
        queue = self.world.infeed[self._number]
        if not queue:
            raise InterpreterError(op, f"nothing is left in the infeed of process {self.id}")
        return queue.popleft()

    def give_outfeed(self, values: Values) -> None:
        """Give values to the host."""
        self.world.outfeed[self._number].append(values)


def process_of(interp: Interpreter, op: Operation) -> Process:
    """The process that an interpreter runs; one that runs alone is the only process of its grid.

    Raises:
        InterpreterError: it runs alone, but the module says that it is one of several processes.
    """
    process = interp.state.get(_STATE)
    if process is None:
        replicas, partitions = (n or 1 for n in declared_grid(op))
        if replicas * partitions != 1:
            grid = f"{replicas} replicas and {partitions} partitions"
            raise InterpreterError(op, f"a program of {grid}; run it with {__name__}.run_parallel")
        process = interp.state[_STATE] = Process(World(ProcessGrid()), ProcessId(0, 0))
    return process


@dataclass(frozen=True)
class ParallelResults:
    """What the processes of a grid computed, each list in the order of the flattened process ids."""

    results: list[Values]
    """What the entry of each process returned."""
    outfeed: list[list[Values]]
    """What each process gave the host, in order."""
    sent: dict[int, list[Values]]
    """What was sent to the host and nobody received, by channel."""


def run_parallel(
    module: Operation,
    programs: str | Sequence[Sequence[str]],
    inputs: Sequence[Sequence[Value]],
    *,
    num_replicas: int | None = None,
    num_partitions: int | None = None,
    infeed: Sequence[Sequence[Values]] = (),
    received: Mapping[int, Sequence[Values]] | None = None,
    rules: dict[str, Rule] | None = None,
) -> ParallelResults:
    """Run a module in a grid of processes.

    Args:
        module: holds the functions that are run.
        programs: the entry of all processes, or that of each: a list of partitions for every replica.
        inputs: the arguments of each process, in the order of the flattened process ids (replica by replica).
        num_replicas: rows of the grid; as `programs` or the module says when left out, else 1.
        num_partitions: columns of the grid, likewise.
        infeed: for each process, what the host feeds it: tuples of arrays.
        received: for channels from the host, by id, what the host sends.
        rules: what ops mean; by default all there are.

    Raises:
        InterpreterError: an op failed, or no process can go on.
        InvalidProgramError: grid, programs and inputs do not fit together.
    """
    grid, entries = _grid_of(module, programs, num_replicas, num_partitions)
    if len(inputs) != len(entries) or len(infeed) > len(entries):
        raise InvalidProgramError(
            f"{len(entries)} processes, but {len(inputs)} lists of inputs and {len(infeed)} infeeds"
        )
    channels = {(channel, None): deque(values) for channel, values in (received or {}).items()}
    world = World(grid, [deque(queue) for queue in infeed], channels=channels)
    bodies = [_calling(entry, tuple(values)) for entry, values in zip(entries, inputs, strict=True)]
    results = run_processes(world, module, interpreter_rules() if rules is None else rules, bodies)
    sent = {key[0]: list(queue) for key, queue in world.channels.items() if key[1] is None and queue}
    return ParallelResults(results, world.outfeed, sent)


def _calling(entry: str, values: Values) -> Body:
    return lambda interp: interp.call(entry, values)


def _grid_of(
    module: Operation, programs: str | Sequence[Sequence[str]], replicas: int | None, partitions: int | None
) -> tuple[ProcessGrid, list[str]]:
    """The grid and the entry of each of its processes."""
    declared = declared_grid(module)
    if not isinstance(programs, str):
        shape = (len(programs), len(programs[0]) if programs else 0)
        if not shape[1] or any(len(row) != shape[1] for row in programs):
            raise InvalidProgramError("every replica needs one program for each partition")
        wanted = [(replicas, shape[0], "replicas"), (partitions, shape[1], "partitions")]
    else:
        wanted = [(replicas, declared[0] or 1, "replicas"), (partitions, declared[1] or 1, "partitions")]
    sizes: list[int] = []
    for (given, found, what), said in zip(wanted, declared, strict=True):
        size = found if given is None else given
        if size < 1 or (not isinstance(programs, str) and size != found) or (said is not None and said != size):
            raise InvalidProgramError(f"{size} {what}, but the programs have {found} and the module says {said}")
        sizes.append(size)
    grid = ProcessGrid(*sizes)
    if isinstance(programs, str):
        return grid, [programs] * len(grid.processes)
    return grid, [entry for row in programs for entry in row]


def run_processes(world: World, module: Operation, rules: dict[str, Rule], bodies: Sequence[Body]) -> list[Values]:
    """The results of one body for each process of a world, all running together."""
    processes = world.grid.processes
    results: list[Values] = [()] * len(processes)

    def run(number: int) -> None:
        error: BaseException | None = None
        try:
            world.turns.begin(number)
            interp = Interpreter(module, rules)
            interp.state[_STATE] = Process(world, processes[number])
            with np.errstate(all="ignore"):
                results[number] = tuple(bodies[number](interp))
        except _Stopped:
            pass
        except BaseException as raised:  # handed to the thread that asked
            error = _named(raised, processes[number])
        world.turns.finish(number, error)

    before = threading.stack_size(_STACK_BYTES)
    try:
        threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(len(processes))]
        for thread in threads:
            thread.start()
    finally:
        threading.stack_size(before)
    world.turns.run()
    for thread in threads:
        thread.join()
    if world.turns.error is not None:
        raise world.turns.error
    return results


def _named(error: BaseException, process: ProcessId) -> BaseException:
    """The error with the process it happened in, except where all are in it together."""
    if not isinstance(error, InterpreterError) or "deadlock: " in str(error) or "process (" in str(error):
        return error
    text = str(error).removeprefix(f"{error.op.name}: ")
    return InterpreterError(error.op, f"in process {process}: {text}")


__all__ = ["ParallelResults", "Process", "World", "process_of", "run_parallel", "run_processes"]
