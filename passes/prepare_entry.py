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
recorded stays; `donate` still adds to it while the values are tensors. A tuple in the signature is passed as its members, in order,
and a token, which carries nothing, not at all. How many processes the module is for stays on it. Fails: `InvalidProgramError`
when there is no such function; `UnsupportedError` for a signature that arrays cannot have (scalars, dynamic shapes).
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, DictionaryAttr, ModuleOp, StringAttr, TensorType, i64
from xdsl.ir import Attribute, Operation

from stepwell.dialects.stablehlo.process_groups import PARTITIONS, REPLICAS
from stepwell.dialects.stepwell import ABI, AbiAttr
from stepwell.ir.diagnostics import (
    Diagnostic,
    InvalidProgramDiagnosticError,
    UnsupportedDiagnosticError,
    close_name,
    invalid,
    location_of,
    op_label,
    source_location,
)
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.passes import Pass
from stepwell.passes.flatten_tuples import flatten_entry

_FOREIGN = ("jax.", "mhlo.", "tf.", "sdy.")
_KEPT = (REPLICAS, PARTITIONS)
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
    listed = (
        f"the module has: {', '.join(f'@{n}' for n in names)}" if names else "the module has no function with a body"
    )
    message = f"no entry function @{name}; {listed}"
    raise InvalidProgramDiagnosticError(Diagnostic("error", location_of(module), message, hint=close_name(name, names)))


def _refusal(type_: Attribute, dynamic: bool) -> str | None:
    """Why no array can be passed as a value of `type_`; None when one can."""
    if not isinstance(type_, TensorType):
        return "only ranked tensors are passed to an entry"
    if not dynamic and any(size < 0 for size in type_.get_shape()):
        return "its shape must be known"
    try:
        numpy_dtype(type_.get_element_type())
    except TypeError:
        return f"no array has elements of type {type_.get_element_type()}"
    return None


def check_signature(entry: func.FuncOp, *, dynamic: bool = False) -> None:
    """Refuse an entry that cannot be called with arrays; with `dynamic`, extents may be unknown.

    Raises:
        UnsupportedError: names the first argument or result that is not a tensor of static shape.
    """
    signature = entry.function_type
    for what, types in (("argument", signature.inputs.data), ("result", signature.outputs.data)):
        for i, type_ in enumerate(types):
            reason = _refusal(type_, dynamic)
            if reason is None:
                continue
            place = source_location(entry.body.block.args[i].location) if what == "argument" else None
            message = f"{op_label(entry)} is not supported as the entry: {what} {i} has type {type_}; {reason}"
            hint = (
                "run refine-shapes first, with a static type for each argument, as tensor<4x8xf32>"
                if "shape" in reason
                else "write a scalar as tensor<f32>"
            )
            raise UnsupportedDiagnosticError(Diagnostic("error", place or location_of(entry), message, hint=hint))


def _without_foreign(attributes: dict[str, Attribute]) -> dict[str, Attribute]:
    return {k: v for k, v in attributes.items() if k in _KEPT or not k.startswith(_FOREIGN)}


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
        recorded = entry.attributes.get(ABI)
        if not isinstance(recorded, AbiAttr):
            flatten_entry(entry)
        count = len(recorded.inputs if isinstance(recorded, AbiAttr) else entry.function_type.inputs.data)
        if any(not 0 <= i < count for i in self.donate):
            raise invalid(entry, f"donate={list(self.donate)}: @{self.entry} has {count} inputs")
        donated = sorted({*self.donate, *_donated(entry)})
        op.attributes = _without_foreign(op.attributes)
        for function in op.body.block.ops:
            if isinstance(function, func.FuncOp):
                self._prepare(function, is_entry=function is entry)
        if isinstance(recorded, AbiAttr):
            self._donate_more(entry, recorded)
            return
        check_signature(entry)
        signature = entry.function_type
        entry.attributes[ABI] = AbiAttr.of(signature.inputs.data, signature.outputs.data, donated)

    def _donate_more(self, entry: func.FuncOp, recorded: AbiAttr) -> None:
        """Add `donate` to a signature recorded before; once memory is planned it is too late."""
        more = [i for i in self.donate if i not in recorded.donated]
        if not more:
            return
        if not all(isinstance(t, TensorType) for t in entry.function_type.inputs.data):
            raise invalid(
                entry,
                f"donate={list(self.donate)}: the memory of this module is already planned",
                "donate before step 5",
            )
        donated = DenseArrayBase.from_list(i64, sorted({*recorded.donated, *more}))
        entry.attributes[ABI] = recorded.with_entries(donated=donated)

    def _prepare(self, function: func.FuncOp, *, is_entry: bool) -> None:
        function.properties["sym_visibility"] = StringAttr("public" if is_entry else "private")
        function.attributes = _without_foreign(function.attributes)
        for name in ("arg_attrs", "res_attrs"):
            _clean_argument_attributes(function, name)
