"""refine-shapes: make a program with unknown extents static, for given types of the entry's arguments.

Before, with `types="tensor<3x4xf32>"`:
```mlir
func.func @main(%x: tensor<?x4xf32>) -> tensor<?xf32> {
  %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
  %m = stablehlo.multiply %n, %four : tensor<i32>
  %s = stablehlo.reshape %m : (tensor<i32>) -> tensor<1xi32>
  %r = stablehlo.dynamic_reshape %x, %s : (tensor<?x4xf32>, tensor<1xi32>) -> tensor<?xf32>
```
After:
```mlir
func.func @main(%x: tensor<3x4xf32>) -> tensor<12xf32> {
  %r = stablehlo.reshape %x : (tensor<3x4xf32>) -> tensor<12xf32>
```
Arithmetic on sizes is computed (small integer tensors, by the interpreter's rules), result types are inferred again, dynamic ops
become static ones, private functions are copied per types and sizes they are called with, branches on sizes are decided, and
shape assertions (`custom_call @shape_assertion`) are checked and dropped. `values` are those of arguments that sizes are computed
from. Functions that the entry does not reach are dropped. A second run changes nothing.

Needs: `func`, `stablehlo`, `chlo`. Keeps: what does not depend on a shape. Fails: `InvalidProgramError` for types that do not fit, and
for an assertion that fails; `UnsupportedError` where a shape depends on data, and for recursion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Operation
from xdsl.parser import Parser
from xdsl.utils.exceptions import ParseError

from stepwell.ir.diagnostics import invalid
from stepwell.ir.errors import InvalidProgramError
from stepwell.ir.passes import Pass
from stepwell.passes.prepare_entry import find_entry
from stepwell.passes.shape_refinement.folding import is_small_integer
from stepwell.passes.shape_refinement.refiner import Refiner


def _type(ctx: Context, entry: func.FuncOp, text: str) -> Attribute | None:
    if not text.strip():
        return None
    try:
        inputs = Parser(ctx, f"({text}) -> ()").parse_function_type().inputs.data
    except ParseError:
        inputs = ()
    if len(inputs) != 1:
        raise invalid(entry, f"types: '{text}' is not a type")
    return inputs[0]


def value_text(index: int, values: Sequence[int]) -> str:
    """The value of an argument as the option `values` writes it: `2=[3, 4]`."""
    return f"{index}=[{', '.join(map(str, values))}]"


def _values(entry: func.FuncOp, text: str) -> tuple[int, Any]:
    left, equals, right = text.partition("=")
    try:
        if not equals:
            raise ValueError
        index, numbers = int(left), [int(v) for v in right.strip().strip("[]").split(",") if v.strip()]
    except ValueError:
        raise invalid(entry, f"values: '{text}' is not like 2=[3, 4]") from None
    arguments = entry.body.block.args
    if not 0 <= index < len(arguments):
        raise invalid(entry, f"values: there is no argument {index}")
    type_ = arguments[index].type
    if not is_small_integer(type_):
        raise invalid(entry, f"values: argument {index} has type {type_}; only small integer tensors hold sizes")
    if len(numbers) != int(np.prod(type_.get_shape(), dtype=np.int64)):  # pyright: ignore
        raise invalid(entry, f"values: {len(numbers)} numbers for argument {index} of type {type_}")
    return index, numbers


@dataclass(frozen=True)
class RefineShapesPass(Pass):
    """Make a program with unknown extents static, for given types of the entry's arguments."""

    name = "refine-shapes"

    types: tuple[str, ...] = ()
    """Types of the entry's arguments, in order; an empty one stays as it is. Without any, all do."""

    values: tuple[str, ...] = ()
    """Values of small integer arguments that sizes are computed from, each as `position=[numbers]`."""

    entry: str = "main"
    """Name of the function that will be called."""

    def apply(self, ctx: Context, op: Operation) -> None:
        """Refine the module `op`."""
        if not isinstance(op, ModuleOp):
            raise InvalidProgramError("refine-shapes runs on a module")
        entry = find_entry(op, self.entry)
        count = len(entry.body.block.args)
        if self.types and len(self.types) != count:
            raise invalid(entry, f"types: {len(self.types)} for {count} arguments")
        types: list[Attribute | None] = [_type(ctx, entry, text) for text in self.types] or [None] * count
        values = dict(_values(entry, text) for text in self.values)
        Refiner(op, entry).run(types, values)


__all__ = ["RefineShapesPass", "value_text"]
