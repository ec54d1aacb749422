"""`stepwell.build`: step-1 functions op by op, with inferred types and no text."""

from __future__ import annotations

from stepwell.frontends.build import BINARY, UNARY, Body, Function, Values, tensor

__all__ = ["BINARY", "UNARY", "Body", "Function", "Values", "tensor"]
