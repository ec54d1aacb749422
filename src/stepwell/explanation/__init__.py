"""`stepwell.explain`: what a program becomes, kernel by kernel, and why; read off the IR."""

from __future__ import annotations

from stepwell.explanation.explain import explain
from stepwell.explanation.model import Branch, Call, Explanation, Kernel, Launch, Loop, Value

__all__ = ["Branch", "Call", "Explanation", "Kernel", "Launch", "Loop", "Value", "explain"]
