"""split-complex: complex numbers become pairs of real tensors.

Before:
```mlir
func.func public @main(%z: tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>> {
  %0 = stablehlo.multiply %z, %z : tensor<4xcomplex<f32>>
  return %0 : tensor<4xcomplex<f32>>
}
```
After:
```mlir
func.func public @main(%z: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %z_re = ...                                            // slice and reshape: z[:, 0]
  %z_im = ...                                            // z[:, 1]
  %a = stablehlo.multiply %z_re, %z_re : tensor<4xf32>
  %b = stablehlo.multiply %z_im, %z_im : tensor<4xf32>
  %re = stablehlo.subtract %a, %b : tensor<4xf32>
  ...
  %r = stablehlo.concatenate ...                         // the parts side by side in the last dim
  return %r : tensor<4x2xf32>
}
```
A value `tensor<SxcomplexT>` becomes two values `tensor<SxT>`, in regions and private functions too, the pair at the value's
place. A function that is not private is called with arrays: there the parts lie side by side in memory, in a last dim of 2.
Functions of complex numbers (`complex_numbers/`) neither overflow nor cancel on the way; their errors are in
docs/floating-point.md. Sums and assignments (`reduce`, `reduce_window`, `scatter`) are done for each part, contractions and
convolutions are four real ones.

Needs: no tuples, no `fft`, `cholesky` or `triangular_solve` on complex numbers. Keeps: everything real, attributes, locations.
Fails: `UnsupportedError` naming an op that has no meaning on pairs, or a complex tensor of unknown extents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, ModuleOp
from xdsl.ir import Attribute, Operation

from stepwell.ir.passes import Pass
from stepwell.passes.complex_numbers.rules import RULES
from stepwell.passes.complex_numbers.splitter import Splitter, check_static, is_complex


def _is_interface(function: func.FuncOp) -> bool:
    """Whether a function is called from outside of the program."""
    return function.sym_visibility is None or function.sym_visibility.data != "private"


def _expand_attributes(function: func.FuncOp, name: str, types: ArrayAttr[Attribute]) -> None:
    """An attribute dictionary for each part of a complex argument or result."""
    given: Any = function.properties.get(name)
    if isinstance(given, ArrayAttr):
        pairs = zip(given.data, types.data, strict=True)
        function.properties[name] = ArrayAttr([d for d, t in pairs for _ in range(2 if is_complex(t) else 1)])


def split_function(splitter: Splitter, function: func.FuncOp) -> None:
    """Convert a function's body and signature."""
    interface = function.sym_name.data in splitter.interfaces
    old = function.function_type
    check_static(function, [*old.inputs.data, *old.outputs.data])
    if not interface:
        _expand_attributes(function, "arg_attrs", old.inputs)
        _expand_attributes(function, "res_attrs", old.outputs)
    for block in function.body.blocks:
        if interface and block is function.body.first_block:
            splitter.convert_interface_block(block)
        else:
            splitter.convert_block(block)
    function.properties["function_type"] = splitter.convert_signature(old, interface=interface)


REPLACES: tuple[str, ...] = ("stablehlo.complex", "stablehlo.imag", "stablehlo.real")
"""The ops it takes away, by name (`docs/stablehlo-status.md` reads this)."""


@dataclass(frozen=True)
class SplitComplexPass(Pass):
    """Replace complex tensors by pairs of real tensors."""

    name = "split-complex"
    numerics = "rounding"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Convert every function of the module."""
        assert isinstance(op, ModuleOp)
        functions = [f for f in op.body.block.ops if isinstance(f, func.FuncOp)]
        interfaces = {f.sym_name.data for f in functions if _is_interface(f)}
        splitter = Splitter(RULES, interfaces)
        for function in functions:
            split_function(splitter, function)


__all__ = ["SplitComplexPass"]
