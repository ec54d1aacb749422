"""The code blocks of docs/profiling.md, run in order as a reader would type them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

PAGE = Path(__file__).resolve().parents[1] / "docs" / "profiling.md"


def test_the_page_runs(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = ModuleType("profiling_page")
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), page.__dict__)
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert {"load", "call", "done", "weights", "memory"} <= {event["name"] for event in events}
    assert len(list((tmp_path / "logs" / "plugins" / "profile" / "first").iterdir())) == 2
    printed = capsys.readouterr().out
    assert printed.startswith("memory: ")
    assert "\nload " in printed
