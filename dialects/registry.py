"""Every dialect by name: ours, and upstream's as we extend them. Imported on use.

`DIALECTS` maps a dialect name to (module, object); `INTERPRETER_RULES` names the modules with a `RULES` dict.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module

from xdsl.context import Context
from xdsl.ir import Dialect

from stepwell.ir.context import make_context
from stepwell.ir.interpreter import Rule

DIALECTS: dict[str, tuple[str, str]] = {
    # name: (module, dialect object); keep sorted.
    "affine": ("xdsl.dialects.affine", "Affine"),
    "arith": ("stepwell.dialects.arith", "Arith"),
    "builtin": ("xdsl.dialects.builtin", "Builtin"),
    "chlo": ("stepwell.dialects.chlo", "Chlo"),
    "complex": ("xdsl.dialects.complex", "Complex"),
    "func": ("stepwell.dialects.func", "Func"),
    "gpu": ("stepwell.dialects.gpu", "Gpu"),
    "kernel": ("stepwell.dialects.kernel", "Kernel"),
    "linalg": ("stepwell.dialects.linalg", "Linalg"),
    "math": ("stepwell.dialects.math", "Math"),
    "memref": ("stepwell.dialects.memref", "MemRef"),
    "nvgpu": ("stepwell.dialects.nvgpu", "Nvgpu"),
    "quant": ("stepwell.dialects.quant", "Quant"),
    "rt": ("stepwell.dialects.rt", "Rt"),
    "scf": ("stepwell.dialects.scf", "Scf"),
    "sdy": ("stepwell.dialects.sdy", "Sdy"),
    "stablehlo": ("stepwell.dialects.stablehlo", "StableHLO"),
    "stepwell": ("stepwell.dialects.stepwell", "Stepwell"),
    "structured": ("stepwell.dialects.structured", "Structured"),
    "tensor": ("stepwell.dialects.tensor", "Tensor"),
    "vector": ("stepwell.dialects.vector", "Vector"),
}

INTERPRETER_RULES: tuple[str, ...] = (
    "affine",
    "arith",
    "chlo",
    "collectives",
    "forall",
    "func",
    "gpu",
    "kernel",
    "linalg",
    "math",
    "memref",
    "rt",
    "scf",
    "sdy",
    "stablehlo",
    "structured",
    "tensor",
    "vector",
)
"""Modules under stepwell.dialects.interp; keep sorted."""


def get_dialect(name: str) -> Dialect:
    """The dialect object called `name`.

    Raises:
        KeyError: no such dialect.
    """
    module, attribute = DIALECTS[name]
    return getattr(import_module(module), attribute)


def context(*, allow_unregistered: bool = False) -> Context:
    """A context that knows every dialect, each loaded on first use."""
    factories = {name: partial(get_dialect, name) for name in DIALECTS}
    return make_context(factories, allow_unregistered=allow_unregistered)


def interpreter_rules() -> dict[str, Rule]:
    """All interpreter rules, by op name."""
    rules: dict[str, Rule] = {}
    for module in INTERPRETER_RULES:
        rules.update(import_module(f"stepwell.dialects.interp.{module}").RULES)
    return rules
