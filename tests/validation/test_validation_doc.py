"""What docs/validation.md shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stepwell.cli import main
from stepwell.errors import MiscompileError
from stepwell.validation.execution import STEP_LIMIT

TEXT = (Path(__file__).parents[2] / "docs" / "validation.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_worked_example_prints_what_the_page_shows(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (source,), (wanted,) = blocks("python"), blocks("text")
    with pytest.raises(MiscompileError) as caught:
        exec(compile(source, "docs/validation.md", "exec"), {"__name__": "example"})
    assert str(caught.value).split("\nnote: inputs and results")[0].strip() == wanted.strip()


def test_the_example_of_the_reducer_gives_what_the_page_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    script = next(block for block in blocks("sh") if block.startswith("#!"))
    program, wanted = blocks("mlir")
    Path("is-interesting").write_text(script)
    Path("is-interesting").chmod(0o755)
    Path("model.mlir").write_text(program)
    assert main(["reduce", "model.mlir", "--test", "./is-interesting"]) == 0
    assert capsys.readouterr().out == wanted


def test_the_limit_is_the_one_the_page_names():
    assert f"more than {STEP_LIMIT:,} ops" in TEXT
