"""docs/floating-point.md says what the code and the tests use."""

from __future__ import annotations

import re
from pathlib import Path

from stepwell.compare import TOLERANCES

TEXT = (Path(__file__).parent.parent / "docs" / "floating-point.md").read_text()


def test_the_tolerance_table_is_the_one_in_the_code():
    rows = re.findall(r"^\| ([a-z0-9, ]+) \| ([0-9.e-]+) \| ([0-9.e-]+) \|$", TEXT, re.M)
    documented = {name: (float(rtol), float(atol)) for names, rtol, atol in rows for name in names.split(", ")}
    for name, tolerance in TOLERANCES.items():
        assert documented[name] == (tolerance.rtol, tolerance.atol)
