"""Write tests/dialects/stablehlo/constraints/labels.txt: every constraint that the StableHLO specification labels.

python tools/spec_labels.py SPEC                # write; `declarative` marks that are there are kept
python tools/spec_labels.py SPEC --check        # exit 1 when the list is not SPEC's

SPEC is docs/spec.md of the StableHLO project. A line `op label` stands for one bullet `* (C1) ...`: of the section of an
op, or of the types and constants (named after the production of the grammar that the bullets follow). An op without bullets
has a line without label. No sentence of the specification is copied.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

LABELS = Path(__file__).resolve().parent.parent / "tests/dialects/stablehlo/constraints/labels.txt"
HEAD = """\
# Every labelled constraint of the StableHLO specification 1.20, as `op label`: first those of the ops (an op without
# constraints stands alone), then those of types and constants. `declarative`: the op's definition (types, counts, syntax)
# rules a violation out before the verifier runs, so no message can have the label. Written by tools/spec_labels.py; only
# the marks are by hand.
"""
CONSTANTS = ("integer_constant", "float_constant", "complex_constant", "tensor_constant", "quantized_tensor_constant")


def snake_case(name: str) -> str:
    """`FloatConstant` as `float_constant`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def labels_of(text: str) -> tuple[list[str], list[str]]:
    """The lines of ops, and those of types and constants, in the order of the specification."""
    ops: list[str] = []
    labelled: set[str] = set()
    others: list[str] = []
    chapter = section = ""
    for line in text.splitlines():
        if found := re.match(r"(##+) (.*)", line):
            chapter = found[2] if len(found[1]) == 2 else chapter
            if len(found[1]) == 3:
                section = found[2]
                if chapter == "Ops" and re.fullmatch(r"[a-z_0-9]+", section):
                    ops.append(section)
        elif chapter == "Programs" and (found := re.match(r"(\w+) *::=", line)):
            name = snake_case(found[1])
            section = name if name in CONSTANTS else "quantized_type" if section == "Types" else section
        elif found := re.match(r" *\* \((C\d+)\)", line):
            (ops if chapter == "Ops" else others).append(f"{section} {found[1]}")
            labelled.add(section)
    return [line for line in ops if line not in labelled], others


def declarative() -> frozenset[str]:
    """The labels that the list marks now."""
    lines = LABELS.read_text().splitlines() if LABELS.exists() else []
    return frozenset(line.removesuffix(" declarative") for line in lines if line.endswith(" declarative"))


def page(text: str) -> str:
    """The whole list."""
    marked = declarative()
    ops, others = ([line + " declarative" * (line in marked) for line in lines] for lines in labels_of(text))
    return "\n".join([HEAD, *ops, "", *others]) + "\n"


def main() -> int:
    """Write the list, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", type=Path, help="docs/spec.md of the StableHLO project")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the list differs")
    arguments = parser.parse_args()
    made = page(arguments.spec.read_text())
    if arguments.check:
        if made != LABELS.read_text():
            print("labels.txt is not the specification's: run tools/spec_labels.py", file=sys.stderr)
            return 1
        return 0
    LABELS.parent.mkdir(parents=True, exist_ok=True)
    LABELS.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
