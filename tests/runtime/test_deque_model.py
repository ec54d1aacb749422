"""The deque and the sleeping of `runtime/*.mlir` as a small model, run in every order of steps, on three memories.

A step here is an op there, of the same label: `test_the_model_takes_the_steps_of_the_source` holds the two together. The memories:
"sc", one step after the other; "tso", x86: a store waits in its thread's buffer, in order, while later loads go ahead; "pso": stores
to different words may also pass each other, unless a release fence is between. What the acquire orders and the thief's fence [S2]
forbid (loads that pass loads) none of them does: there the proof is that of the paper.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import pytest

RING = 2
"""Slots, few enough to be written again while a slow thief looks at one."""

END = "end"
Registers = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One access to memory: (what, word, value...) of the registers, and where to go on, which may note what was taken."""

    label: str
    access: Callable[[Registers], tuple[Any, ...]]
    then: Callable[[Registers, Any], str] = lambda r, value: ""


# What follows are the functions of runtime/deque.mlir, step by step. A thread runs them with an item as argument `r["item"]`.


def _took(r: Registers, item: Any) -> str:
    r["taken"] = item
    return END


PUSH = [
    Step("P1", lambda r: ("load", "bottom"), lambda r, v: r.update(b=v) or ""),
    Step(
        "P2",
        lambda r: ("load", "top"),
        # Who finds the ring full does the work itself.
        lambda r, v: "" if r["b"] - v < RING else _took(r, r["item"]),
    ),
    # An item has several words; two show whether a thief may have one of each of two items.
    Step("P3", lambda r: ("store", ("slot", r["b"] % RING, 0), r["item"])),
    Step("P3", lambda r: ("store", ("slot", r["b"] % RING, 1), r["item"])),
    Step("P4", lambda r: ("release fence",)),
    Step("P5", lambda r: ("store", "bottom", r["b"] + 1), lambda r, v: END),
]


def _popped_from(r: Registers, top: int) -> str:
    r["t"] = top
    return "T5" if top <= r["b"] - 1 else "T8"


def _read_own(r: Registers, value: int) -> str:
    r["x"] = value
    return "T6" if r["t"] == r["b"] - 1 else _took(r, value)


POP = [
    Step("T1", lambda r: ("load", "bottom"), lambda r, v: r.update(b=v) or ""),
    Step("T2", lambda r: ("store", "bottom", r["b"] - 1)),
    Step("T3", lambda r: ("fence",)),
    Step("T4", lambda r: ("load", "top"), _popped_from),
    Step("T5", lambda r: ("load", ("slot", (r["b"] - 1) % RING, 0)), _read_own),
    Step("T6", lambda r: ("exchange", "top", r["t"], r["t"] + 1), lambda r, v: r.update(won=v) or ""),
    Step("T7", lambda r: ("store", "bottom", r["b"]), lambda r, v: _took(r, r["x"]) if r["won"] else END),
    Step("T8", lambda r: ("store", "bottom", r["b"]), lambda r, v: END),
]

STEAL = [
    Step("S1", lambda r: ("load", "top"), lambda r, v: r.update(t=v) or ""),
    Step("S2", lambda r: ("fence",)),
    Step("S3", lambda r: ("load", "bottom"), lambda r, v: "" if r["t"] < v else END),
    Step("S4", lambda r: ("load", ("slot", r["t"] % RING, 0)), lambda r, v: r.update(x=v) or ""),
    Step("S4", lambda r: ("load", ("slot", r["t"] % RING, 1)), lambda r, v: r.update(y=v) or ""),
    Step(
        "S5",
        lambda r: ("exchange", "top", r["t"], r["t"] + 1),
        lambda r, v: (_took(r, r["x"] if r["x"] == r["y"] else (r["x"], r["y"]))) if v else END,
    ),
]

# Waking and sleeping, of runtime/threads.mlir. `wait` blocks while a word has a value: a futex, as long as nobody wakes it.


def notifying(idle: int = 0) -> list[Step]:
    """What a push does for those that sleep, where so many sleep whatever there is to do."""
    return [
        Step("N1", lambda r: ("fence",)),
        Step("N2", lambda r: ("load", "sleepers"), lambda r, v: "" if v > idle else END),
        Step("N3", lambda r: ("load", "sleepers"), lambda r, v: r.update(s=v) or ("" if v > idle else END)),
        Step("N3", lambda r: ("exchange", "sleepers", r["s"], r["s"] - 1), lambda r, v: "" if v else "N3"),
        Step("N4", lambda r: ("add", "permits", 1), lambda r, v: END),
    ]


def sleeping(idle: int = 0, looks_from: int = 0) -> list[Step]:
    """Falling asleep; who finds less than `looks_from` asleep does not look for work."""
    return [
        Step("Z1", lambda r: ("add", "sleepers", 1), lambda r, v: "" if v >= looks_from else "Z5"),
        Step("Z2", lambda r: ("fence",)),
        Step("Z3", lambda r: ("load", "bottom"), lambda r, v: r.update(b=v) or ""),
        Step("Z3", lambda r: ("load", "top"), lambda r, v: "Z4" if v < r["b"] else "Z5"),
        Step("Z4", lambda r: ("load", "sleepers"), lambda r, v: r.update(s=v) or ("" if v > idle else "Z5")),
        Step("Z4", lambda r: ("exchange", "sleepers", r["s"], r["s"] - 1), lambda r, v: END if v else "Z4"),
        Step("Z5", lambda r: ("wait", "permits", 0), lambda r, v: r.update(p=v) or ""),
        Step("Z5", lambda r: ("exchange", "permits", r["p"], r["p"] - 1), lambda r, v: END if v else "Z5"),
    ]


FINISH = [
    Step("C1", lambda r: ("add", "left", -1), lambda r, v: "" if v == 1 else END),
    Step("C2", lambda r: ("load", "joiners"), lambda r, v: "" if v > 0 else END),
    Step("C3", lambda r: ("add", "epoch", 1), lambda r, v: END),
]

JOIN = [
    Step("J1", lambda r: ("add", "joiners", 1)),
    Step("J2", lambda r: ("load", "epoch"), lambda r, v: r.update(e=v) or ""),
    Step("J3", lambda r: ("fence",)),
    Step("J4", lambda r: ("load", "left"), lambda r, v: END if v == 0 else ""),
    # Awake again it looks again, as @wait does.
    Step("J5", lambda r: ("wait", "epoch", r["e"]), lambda r, v: "J2"),
]

FUNCTIONS = {
    "push": PUSH, "pop": POP, "steal": STEAL, "notify": notifying(), "sleep": sleeping(), "finish": FINISH, "join": JOIN,
}  # fmt: skip


# The machine ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Thread:
    """Where a thread is: the call of its program, the step, its registers and its store buffer."""

    call: int = 0
    step: int = 0
    registers: tuple[tuple[str, Any], ...] = ()
    buffer: tuple[tuple[Any, Any], ...] = ()


@dataclass(frozen=True)
class State:
    """All of it."""

    memory: tuple[tuple[Any, Any], ...]
    threads: tuple[Thread, ...]
    taken: tuple[Any, ...] = ()


@dataclass
class Outcome:
    """What some order of the steps led to: the states in which nothing can happen any more, and how many there were in all."""

    final: list[State] = field(default_factory=list[State])
    blocked: list[State] = field(default_factory=list[State])
    states: int = 0


class Machine:
    """Runs programs, a list of (function, item) a thread, in every order of their steps."""

    def __init__(
        self, programs: list[list[tuple[str, int]]], memory: str, changed: dict[str, list[Step]] | None = None
    ):
        self.programs = programs
        self.memory = memory
        self.functions = FUNCTIONS | (changed or {})

    def explore(self, words: dict[Any, Any]) -> Outcome:
        """Every state that can be reached."""
        first = State(tuple(sorted(words.items(), key=str)), tuple(Thread() for _ in self.programs))
        seen, waiting, outcome = {first}, [first], Outcome()
        while waiting:
            state = waiting.pop()
            following = [new for number in range(len(self.programs)) for new in self._moves(state, number)]
            if not following:
                done = all(t.call == len(p) for t, p in zip(state.threads, self.programs, strict=True))
                (outcome.final if done else outcome.blocked).append(state)
            for new in following:
                if new not in seen:
                    seen.add(new)
                    waiting.append(new)
        outcome.states = len(seen)
        return outcome

    def _moves(self, state: State, number: int) -> list[State]:
        thread = state.threads[number]
        moves = [self._drained(state, number, i) for i in self._may_drain(thread.buffer)]
        if thread.call < len(self.programs[number]):
            moves += self._stepped(state, number)
        return moves

    def _may_drain(self, buffer: tuple[tuple[Any, Any], ...]) -> list[int]:
        """Which buffered stores may reach memory next."""
        if self.memory != "pso":
            return [0] if buffer else []
        return [i for i, (word, _) in enumerate(buffer) if word not in [w for w, _ in buffer[:i]]]

    def _drained(self, state: State, number: int, position: int) -> State:
        thread = state.threads[number]
        word, value = thread.buffer[position]
        rest = thread.buffer[:position] + thread.buffer[position + 1 :]
        threads = _replaced(state.threads, number, Thread(thread.call, thread.step, thread.registers, rest))
        return State(_stored(state.memory, word, value), threads, state.taken)

    def _stepped(self, state: State, number: int) -> list[State]:
        thread = state.threads[number]
        function, item = self.programs[number][thread.call]
        steps = self.functions[function]
        step = steps[thread.step]
        registers = dict(thread.registers) | {"item": item}
        kind, *operands = step.access(registers)
        memory, buffer, value = state.memory, thread.buffer, None
        if kind == "load":
            value = next((v for w, v in reversed(buffer) if w == operands[0]), _loaded(memory, operands[0]))
        elif kind == "store":
            if self.memory == "sc":
                memory = _stored(memory, *operands)
            else:
                buffer = (*buffer, (operands[0], operands[1]))
        elif kind != "release fence" or self.memory == "pso":
            if buffer:  # everything else waits for the buffer to drain
                return []
            if kind == "wait":
                value = _loaded(memory, operands[0])
                if value == operands[1]:
                    return []
            elif kind == "exchange":
                value = _loaded(memory, operands[0]) == operands[1]
                memory = _stored(memory, operands[0], operands[2]) if value else memory
            elif kind == "add":
                value = _loaded(memory, operands[0])
                memory = _stored(memory, operands[0], value + operands[1])
        return [self._after(state, number, steps, step.then(registers, value), registers, memory, buffer)]

    def _after(
        self, state: State, number: int, steps: list[Step], target: str, registers: Registers, memory: Any, buffer: Any
    ) -> State:
        thread = state.threads[number]
        taken = state.taken
        if "taken" in registers:
            taken = tuple(sorted((*taken, registers.pop("taken")), key=str))
        if target == END or (not target and thread.step + 1 == len(steps)):
            new = Thread(thread.call + 1, 0, (), buffer)
        else:
            labels = [s.label for s in steps]
            following = labels.index(target) if target else thread.step + 1
            registers.pop("item")
            new = Thread(thread.call, following, tuple(sorted(registers.items())), buffer)
        return State(memory, _replaced(state.threads, number, new), taken)


def _replaced(threads: tuple[Thread, ...], number: int, new: Thread) -> tuple[Thread, ...]:
    return (*threads[:number], new, *threads[number + 1 :])


def _loaded(memory: tuple[tuple[Any, Any], ...], word: Any) -> Any:
    return next(v for w, v in memory if w == word)


def _stored(memory: tuple[tuple[Any, Any], ...], word: Any, value: Any) -> tuple[tuple[Any, Any], ...]:
    return tuple((w, value if w == word else v) for w, v in memory)


def without(function: str, label: str) -> dict[str, list[Step]]:
    """A function that lacks a step."""
    return {function: [s for s in FUNCTIONS[function] if s.label != label]}


# The deque -----------------------------------------------------------------------------------------------------------

DEQUE = {"top": 0, "bottom": 0} | {("slot", i, j): 0 for i in range(RING) for j in range(2)}


def calls(text: str) -> list[tuple[str, int]]:
    """`"push pop push steal"` as a program; items are numbered as they are pushed."""
    pushed, program = 0, []
    for name in text.split():
        pushed += name == "push"
        program.append((name, pushed))
    return program


def wrong(outcome: Outcome, pushed: int) -> list[State]:
    """Final states in which not each item was taken once or is still there."""
    bad = list(outcome.blocked)
    for state in outcome.final:
        memory = dict(state.memory)
        left = [memory["slot", i % RING, 0] for i in range(memory["top"], memory["bottom"])]
        if sorted([*state.taken, *left], key=str) != list(range(1, pushed + 1)):
            bad.append(state)
    return bad


CASES = [
    ["push push pop pop", "steal", "steal"],
    ["push pop push pop", "steal steal"],
    ["push push push pop pop", "steal steal"],
    ["push push pop push pop", "steal", "steal"],
]


@pytest.mark.parametrize("memory", ["sc", "tso", "pso"])
@pytest.mark.parametrize("programs", CASES, ids=" | ".join)
def test_each_item_is_taken_once_in_every_order(programs, memory):
    outcome = Machine([calls(p) for p in programs], memory).explore(DEQUE)
    assert outcome.final
    assert not wrong(outcome, programs[0].count("push"))


@pytest.mark.parametrize("memory", ["tso", "pso"])
def test_without_the_fence_of_a_pop_two_threads_have_the_same_item(memory):
    programs = [calls("push push pop pop"), calls("steal"), calls("steal")]
    bad = wrong(Machine(programs, memory, without("pop", "T3")).explore(DEQUE), 2)
    assert any(len(set(state.taken)) < len(state.taken) for state in bad)


def test_without_the_release_fence_of_a_push_a_thief_reads_what_is_not_written_yet():
    programs = [calls("push"), calls("steal")]
    assert wrong(Machine(programs, "pso", without("push", "P4")).explore(DEQUE), 1)
    assert not wrong(Machine(programs, "tso", without("push", "P4")).explore(DEQUE), 1)  # x86 keeps stores in order


def test_without_the_exchange_of_a_pop_the_last_item_is_taken_twice():
    raised = [
        s
        if s.label != "T6"
        else Step("T6", lambda r: ("store", "top", r["t"] + 1), lambda r, v: r.update(won=True) or "")
        for s in POP
    ]
    assert wrong(Machine([calls("push pop"), calls("steal")], "sc", {"pop": raised}).explore(DEQUE), 1)


def test_a_ring_written_without_a_look_at_the_top_loses_items():
    careless = [s if s.label != "P2" else Step("P2", s.access) for s in PUSH]
    assert wrong(Machine([calls("push push push"), calls("steal")], "sc", {"push": careless}).explore(DEQUE), 3)


# Sleeping ------------------------------------------------------------------------------------------------------------

THREADS = DEQUE | {"sleepers": 0, "permits": 0}


def sleeps_on(outcome: Outcome) -> list[State]:
    """States in which somebody sleeps for good."""
    return outcome.blocked


@pytest.mark.parametrize("memory", ["sc", "tso", "pso"])
@pytest.mark.parametrize("sleepers", [1, 2])
def test_a_push_wakes_who_sleeps_in_every_order(memory, sleepers):
    """Nothing takes the item here, so nobody may sleep on: a push for each sleeper."""
    producer = [call for _ in range(sleepers) for call in (("push", 1), ("notify", 0))]
    outcome = Machine([producer, *[[("sleep", 0)]] * sleepers], memory).explore(THREADS)
    assert outcome.final
    assert not sleeps_on(outcome)
    for state in outcome.final:  # and nobody is counted who is awake
        assert dict(state.memory)["sleepers"] == 0
        assert dict(state.memory)["permits"] == 0


@pytest.mark.parametrize("memory", ["tso", "pso"])
def test_without_the_fence_after_a_push_somebody_sleeps_on(memory):
    producer = [("push", 1), ("notify", 0)]
    assert sleeps_on(Machine([producer, [("sleep", 0)]], memory, without("notify", "N1")).explore(THREADS))


@pytest.mark.parametrize("memory", ["sc", "tso", "pso"])
def test_only_the_idle_thread_sleeps_on_in_every_order(memory):
    programs = [[("push", 1), ("notify", 0)], [("sleep", 0)], [("sleep", 0)]]
    outcome = Machine(programs, memory, {"notify": notifying(1), "sleep": sleeping(1, 1)}).explore(THREADS)
    assert not outcome.final
    for state in outcome.blocked:
        asleep = [t for t, p in zip(state.threads, programs, strict=True) if t.call < len(p)]
        assert len(asleep) == 1
        assert dict(state.memory)["sleepers"] == 1
        assert dict(state.memory)["permits"] == 0


@pytest.mark.parametrize(("idle", "looks_from", "asleep"), [(1, 2, 2), (0, 1, 0)])
def test_who_does_not_look_although_it_should_or_leaves_although_it_may_not_is_noticed(idle, looks_from, asleep):
    programs = [[("push", 1), ("notify", 0)], [("sleep", 0)], [("sleep", 0)]]
    changed = {"notify": notifying(1), "sleep": sleeping(idle, looks_from)}
    outcome = Machine(programs, "sc", changed).explore(THREADS)
    seen = {
        sum(t.call < len(p) for t, p in zip(s.threads, programs, strict=True)) for s in outcome.final + outcome.blocked
    }
    assert asleep in seen


JOINING = {"left": 2, "joiners": 0, "epoch": 0}


@pytest.mark.parametrize("memory", ["sc", "tso", "pso"])
def test_the_last_piece_wakes_who_waits_in_every_order(memory):
    outcome = Machine([[("finish", 0)], [("finish", 0)], [("join", 0)]], memory).explore(JOINING)
    assert outcome.final
    assert not sleeps_on(outcome)


@pytest.mark.parametrize("order", [["J1", "J4", "J2", "J3", "J5"], ["J2", "J3", "J4", "J1", "J5"]])
def test_a_joiner_that_looks_before_it_says_so_sleeps_on(order):
    join = {s.label: s for s in JOIN}
    changed = {"join": [join[label] for label in order]}
    assert sleeps_on(Machine([[("finish", 0)], [("finish", 0)], [("join", 0)]], "sc", changed).explore(JOINING))


# The source ----------------------------------------------------------------------------------------------------------

OPS = {
    "load": "rt.atomic_load", "store": "rt.atomic_store", "fence": "rt.fence seq_cst", "release fence": "rt.fence release",
    "exchange": "rt.compare_exchange", "add": "rt.atomic_rmw", "wait": "@futex_sleep",
}  # fmt: skip
BEHIND_CALLS = {"P3": "@write_item", "T5": "@read_item", "S4": "@read_item", "Z3": "@is_work"}
"""Steps that are calls of a function there."""


def source_labels() -> dict[str, str]:
    """The labelled steps of the source in their order, with the text up to the next label."""
    found: dict[str, str] = {}
    for name in ("deque.mlir", "pool.mlir", "threads.mlir"):
        text = resources.files("stepwell.runtime").joinpath(name).read_text()
        parts = re.split(r"^ *// ((?:\[[A-Z]\d\] ?)+)", text, flags=re.MULTILINE)
        for labels, body in zip(parts[1::2], parts[2::2], strict=True):
            for label in re.findall(r"[A-Z]\d", labels):
                assert label not in found, label
                found[label] = body
    return found


def test_the_model_takes_the_steps_of_the_source():
    source = source_labels()
    sample = {"b": 1, "t": 0, "x": 1, "y": 1, "s": 1, "p": 1, "e": 0, "won": True, "item": 1}
    for steps in FUNCTIONS.values():
        for step in steps:
            op = BEHIND_CALLS.get(step.label) or OPS[step.access(sample)[0]]
            if step.label == "C1":
                op = "rt.atomic_rmw sub seq_cst"
            assert op in source[step.label], step.label
    modelled = {step.label for steps in FUNCTIONS.values() for step in steps}
    assert modelled == set(source)
    for steps in FUNCTIONS.values():
        if steps is not FINISH:  # its steps are in two functions
            order = [s.label for s in steps]
            assert order == sorted(order)
            assert [x for x in source if x in order] == list(dict.fromkeys(order))
