"""prepare-entry: mark the function that will be called and record its signature as the user wrote it.

Before:
```mlir
func.func @main(%x: tensor<2xui32>) -> (tensor<2xui32> {jax.result_info = "result"})
```
After:
```mlir
func.func public @main(%x: tensor<2xui32>) -> tensor<2xui32>
    attributes {stepwell.abi = #stepwell.abi<{inputs = ["tensor<2xui32>"], outputs = ["tensor<2xui32>"], donated = array<i64>}>}
```
Every other function becomes private. An argument with `tf.aliasing_output` or `jax.buffer_donor` is donated, beside those
of the option `donate`. Attributes of `jax`, `mhlo` and `tf` mean nothing below and are dropped. A signature already
recorded stays. Fails: `InvalidProgramError` when there is no such function.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr
from xdsl.ir import Attribute, Operation

from stepwell.dialects.stepwell import ABI, AbiAttr
from stepwell.ir.diagnostics import close_name, invalid
from stepwell.ir.passes import Pass

_FOREIGN = ("jax.", "mhlo.", "tf.", "sdy.")
_DONATIONS = ("tf.aliasing_output", "jax.buffer_donor")


def find_entry(module: ModuleOp, name: str) -> func.FuncOp:
    """The function called `name`; the only public one when `name` is empty.

    Raises:
        InvalidProgramError: there is none; lists the functions there are.
    """
    functions = [f for f in module.body.block.ops if isinstance(f, func.FuncOp)]
    for function in functions:
        if function.sym_name.data == name and not function.is_declaration:
            return function
    names = [f.sym_name.data for f in functions if not f.is_declaration]
    listed = ", ".join(f"@{n}" for n in names) or "none"
    raise invalid(module, f"no entry function @{name}; the module has: {listed}", close_name(name, names))


def _without_foreign(attributes: dict[str, Attribute]) -> dict[str, Attribute]:
    return {k: v for k, v in attributes.items() if not k.startswith(_FOREIGN)}


def _donated(function: func.FuncOp) -> list[int]:
    if function.arg_attrs is None:
        return []
    return [i for i, d in enumerate(function.arg_attrs.data) if any(name in d.data for name in _DONATIONS)]


def _clean_argument_attributes(function: func.FuncOp, name: str) -> None:
    """Drop foreign argument or result attributes; the whole list when nothing is left."""
    attributes = function.properties.get(name)
    if not isinstance(attributes, ArrayAttr):
        return
    kept = [DictionaryAttr(_without_foreign(dict(d.data))) for d in attributes.data if isinstance(d, DictionaryAttr)]
    if any(d.data for d in kept):
        function.properties[name] = ArrayAttr(kept)
    else:
        del function.properties[name]


@dataclass(frozen=True)
class PrepareEntryPass(Pass):
    """Mark the entry function, record its signature and drop what only other compilers read."""

    name = "prepare-entry"

    entry: str = "main"
    """Name of the function that will be called."""

    donate: tuple[int, ...] = ()
    """Inputs whose memory the call may overwrite."""

    def apply(self, ctx: Context, op: Operation) -> None:
        """Mark the entry of the module."""
        assert isinstance(op, ModuleOp)
        entry = find_entry(op, self.entry)
        count = len(entry.function_type.inputs.data)
        if any(not 0 <= i < count for i in self.donate):
            raise invalid(entry, f"donate={list(self.donate)}: @{self.entry} has {count} inputs")
        donated = sorted({*self.donate, *_donated(entry)})
        op.attributes = _without_foreign(op.attributes)
        for function in op.body.block.ops:
            if isinstance(function, func.FuncOp):
                self._prepare(function, is_entry=function is entry)
        if ABI not in entry.attributes:
            signature = entry.function_type
            entry.attributes[ABI] = AbiAttr.of(signature.inputs.data, signature.outputs.data, donated)

    def _prepare(self, function: func.FuncOp, *, is_entry: bool) -> None:
        function.properties["sym_visibility"] = StringAttr("public" if is_entry else "private")
        function.attributes = _without_foreign(function.attributes)
        for name in ("arg_attrs", "res_attrs"):
            _clean_argument_attributes(function, name)
