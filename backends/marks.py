"""What the writer says of an LLVM module to who compiles it, in the module's text."""

from __future__ import annotations

WHOLE_PROGRAM = "!stepwell.whole_program = !{}"
"""The module holds a program's host and kernels."""

__all__ = ["WHOLE_PROGRAM"]
