"""The code blocks of docs/tutorial/write-a-pass.md, run as a reader would type them."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from filecheck.finput import FInput
from filecheck.matcher import Matcher
from filecheck.options import Options
from filecheck.parser import Parser

from stepwell.dialects.registry import DIALECTS, get_dialect
from stepwell.ir.context import make_context
from stepwell.ir.parser import parse_module

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tutorial" / "write-a-pass.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def as_module(name: str, source: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(source, str(PAGE), "exec"), module.__dict__)
    return module


def test_the_tutorial_pass_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pass_source, values_source = blocks("python")
    monkeypatch.setitem(__import__("sys").modules, "split_square_root", tutorial := ModuleType("split_square_root"))
    exec(compile(pass_source, str(PAGE), "exec"), tutorial.__dict__)
    assert (tutorial.__doc__ or "").startswith(f"{tutorial.SplitSquareRootPass.name}: ")
    (cases,) = blocks("mlir")
    ctx = make_context({n: partial(get_dialect, n) for n in DIALECTS})
    before = parse_module(cases, "tutorial.mlir", ctx)
    after = before.clone()
    tutorial.SplitSquareRootPass().apply(ctx, after)
    after.verify()

    source = tmp_path / "cases.mlir"
    source.write_text(cases)
    options = Options(match_filename=str(source))
    assert Matcher(options, FInput("after", str(after)), Parser.from_opts(options)).run() == 0

    values = as_module("values", values_source).values
    x = np.float32(7.0)
    (wanted,), (got,) = values(before, x), values(after, x)
    np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_the_files_the_tutorial_names_exist():
    for path in re.findall(r"`((?:passes|dialects|ir|tests|tools|docs)/[\w./-]+\.(?:py|md))`", PAGE.read_text()):
        if "split_square_root" not in path and "split-square-root" not in path:
            assert (ROOT / path).exists(), path
