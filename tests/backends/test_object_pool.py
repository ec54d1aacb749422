"""Objects made by several processes: the same ones, in the same order, whatever becomes of the processes."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import pytest

from stepwell.backends import object_pool
from stepwell.backends.object import compile_llvm
from stepwell.backends.object_pool import Child, Team, compile_all, predicted_seconds
from stepwell.backends.target import target_for
from stepwell.errors import UnsupportedError

TARGET = target_for("sse4.2")
TEXTS = [f"define i64 @f{i}(i64 %x) {{\n  %y = mul i64 %x, {i + 3}\n  ret i64 %y\n}}\n" for i in range(4)]
CALLS_A_LIBRARY = "define double @f(double %x) {\n  %y = call double @llvm.sin.f64(double %x)\n  ret double %y\n}\ndeclare double @llvm.sin.f64(double)\n"
REQUEST = json.dumps({"target": asdict(TARGET), "opt_level": 2}).encode()


@pytest.fixture(scope="module")
def expected():
    return [compile_llvm(text, TARGET) for text in TEXTS]


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(object_pool, "usable_cores", lambda: 2)


def test_a_child_makes_the_same_objects_and_says_nothing_of_errors(expected):
    child = Child()
    try:
        assert [child.ask(REQUEST, text) for text in TEXTS] == expected
        assert child.ask(REQUEST, CALLS_A_LIBRARY) is None
        assert child.ask(REQUEST, "no LLVM") is None
        assert child.ask(REQUEST, TEXTS[1]) == expected[1]
        child._process.kill()
        child._process.wait()
        assert child.ask(REQUEST, TEXTS[0]) is None
        assert not child.is_alive
    finally:
        child.end()


def test_a_team_shares_the_work_and_keeps_its_child(two_cores, expected, monkeypatch):
    team = Team()
    asked = []
    ask = Child.ask
    monkeypatch.setattr(Child, "ask", lambda self, request, text: asked.append(text) or ask(self, request, text))
    made = object_pool.compile_llvm

    def slow(text, *rest):  # lets the child take something
        while not asked:
            os.sched_yield()
        return made(text, *rest)

    monkeypatch.setattr(object_pool, "compile_llvm", slow)
    try:
        assert team.compile(TEXTS, TARGET, 2) == expected
        assert team.is_running()
        (child,) = team._children
        assert team.compile(TEXTS, TARGET, 2) == expected
        assert team._children == [child]
        team.forget()
        assert not team.is_running()
        team.end()
        assert child.is_alive  # it is another process's now
        team._children = [child]
    finally:
        team.end()
    assert asked
    assert not child.is_alive


@pytest.mark.parametrize("failure", [lambda *_: None, "start"])
def test_what_children_do_not_make_is_made_here(two_cores, expected, monkeypatch, failure):
    class NoChild:
        is_alive = True

        def __init__(self):
            if failure == "start":
                raise OSError

        def ask(self, request, text):
            return failure(request, text)

        def end(self):
            pass

    monkeypatch.setattr(object_pool, "Child", NoChild)
    assert Team().compile(TEXTS, TARGET, 2) == expected


def test_a_child_that_hangs_is_ended(two_cores, expected, monkeypatch):
    class Hanging:
        def __init__(self):
            self.is_alive = True
            self.ended = object_pool.threading.Event()

        def ask(self, request, text):
            self.ended.wait(60)
            return None

        def end(self):
            self.is_alive = False
            self.ended.set()

    monkeypatch.setattr(object_pool, "Child", Hanging)
    monkeypatch.setattr(object_pool, "_PATIENCE", (0.05, 0.0))
    assert Team().compile(TEXTS, TARGET, 2) == expected


def test_errors_are_those_of_one_process(two_cores):
    team = Team()
    try:
        with pytest.raises(UnsupportedError, match="sin"):
            team.compile([TEXTS[0], CALLS_A_LIBRARY], TARGET, 2)
    finally:
        team.end()


def test_little_work_starts_no_process(monkeypatch, expected):
    class Forbidden:
        def is_running(self):
            return False

        def compile(self, texts, target, opt_level):
            return ["shared"]

    monkeypatch.setattr(object_pool, "_team", Forbidden())
    assert compile_all(TEXTS, TARGET) == expected
    large = TEXTS[0] + "; " + "x" * 1_000_000
    assert predicted_seconds(large) > 1
    assert compile_all([large], TARGET) == expected[:1]
    assert compile_all([large, TEXTS[1]], TARGET) == ["shared"]
