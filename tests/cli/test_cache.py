"""`stepwell cache`."""

from __future__ import annotations

import json

import pytest

from stepwell.cli import main
from stepwell.runtime.cache_store import Store


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A cache with an object and two programs."""
    monkeypatch.setenv("STEPWELL_CACHE", "1")
    monkeypatch.setenv("STEPWELL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("STEPWELL_CACHE_LIMIT", "1M")
    store = Store(tmp_path / "cache", 1 << 20)
    store.put("objects", "1" * 64, {}, [bytes(10)])
    store.put("programs", "2" * 64, {}, [bytes(2000)])
    store.put("programs", "3" * 64, {}, [bytes(3000)])
    return store


def run(capsys, *words):
    """(exit code, what is printed)."""
    code = main(["cache", *words])
    return code, capsys.readouterr().out


def test_info_says_what_there_is(store, capsys):
    code, text = run(capsys, "info")
    assert code == 0
    assert text.splitlines()[0] == f"folder: {store.folder} (in use)"
    assert [line.split(",")[0] for line in text.splitlines()[2:]] == [
        "objects: 1",
        "programs: 2",
        "texts: 0",
        "explanations: 0",
    ]
    facts = json.loads(run(capsys, "info", "--json")[1])
    assert (facts["folder"], facts["in_use"], facts["limit_bytes"]) == (str(store.folder), True, 1 << 20)
    assert [facts[kind]["entries"] for kind in ("objects", "programs")] == [1, 2]
    assert facts["bytes"] == facts["objects"]["bytes"] + facts["programs"]["bytes"] > 5010


def test_info_says_why_the_cache_is_not_in_use(store, capsys, monkeypatch):
    store.folder.chmod(0o777)
    assert "not in use: it may be written by others" in run(capsys, "info")[1]
    monkeypatch.setenv("STEPWELL_CACHE", "0")
    assert "not in use: STEPWELL_CACHE is 0" in run(capsys, "info")[1]
    assert json.loads(run(capsys, "info", "--json")[1])["in_use"] is False


def test_clear_removes_all_entries(store, capsys):
    assert run(capsys, "clear") == (0, "removed 3 entries\n")
    code, text = run(capsys, "clear", "--json")
    assert (code, json.loads(text)["removed"]) == (0, 0)


def test_verify_removes_damaged_entries_and_says_so(store, capsys):
    assert run(capsys, "verify") == (0, "3 entries whole, 0 damaged\n")
    path = store.folder / "programs" / "22" / f"{'2' * 64}.entry"
    path.write_bytes(path.read_bytes()[:50])
    code, text = run(capsys, "verify", "--json")
    assert code == 1
    assert json.loads(text) == {"folder": str(store.folder), "whole": 2, "damaged": [str(path)]}
    assert run(capsys, "verify") == (0, "2 entries whole, 0 damaged\n")


def test_an_action_that_does_not_exist_is_a_wrong_command_line(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["cache", "burn"])
    assert "info" in capsys.readouterr().err


def test_a_wrong_limit_is_an_error(store, capsys, monkeypatch):
    monkeypatch.setenv("STEPWELL_CACHE_LIMIT", "lots")
    assert main(["cache", "info"]) == 1
    assert "STEPWELL_CACHE_LIMIT" in capsys.readouterr().err
