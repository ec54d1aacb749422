"""Fill docs/architecture.md with the IR of its example at every step; `--check` fails when the page is not up to date.

Each block between `<!-- step: NAME -->` and `<!-- end -->` is replaced by what `stepwell compile --emit=NAME` prints for
`examples/residual_norm.mlir` at the avx2 level, whatever machine this runs on. The machine description is the same at
every step and long: after the first block it is shortened to `{...}`; so are the decisions of fusion, which `explain` shows.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
EXAMPLE = ROOT / "examples" / "residual_norm.mlir"
BLOCK = re.compile(r"(<!-- step: (\w+)(?: lines (\d+))? -->\n).*?(<!-- end -->)", re.S)
MACHINE = re.compile(r"#stepwell\.target<\{.*?\}>")
DECISIONS = re.compile(r"kernel\.decisions = \[\{.*?\}\]")


def regenerated(page: str) -> str:
    """The page with every block made anew."""
    from stepwell.native import emit

    first = page.index("<!-- step: ")

    def fill(match: re.Match[str]) -> str:
        head, step, limit, tail = match[1], match[2], match[3], match[4]
        text = emit(EXAMPLE, step, simd="avx2", reproducible=True)
        assert isinstance(text, str)
        if match.start() != first:
            text = MACHINE.sub("#stepwell.target<{...}>", text)
        text = DECISIONS.sub("kernel.decisions = [...]", text)
        lines = text.rstrip().splitlines()
        if limit and len(lines) > int(limit):
            lines = [*lines[: int(limit)], "..."]
        language = "llvm" if step == "llvm" else "mlir"
        return f"{head}```{language}\n" + "\n".join(lines) + f"\n```\n{tail}"

    return BLOCK.sub(fill, page)


def main() -> int:
    """Rewrite or check the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    before = PAGE.read_text()
    after = regenerated(before)
    if arguments.check:
        if before != after:
            print(f"{PAGE}: not up to date; run python tools/architecture.py", file=sys.stderr)
        return int(before != after)
    PAGE.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
