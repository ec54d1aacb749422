"""The stepwell dialect: attributes by which the IR carries what passes need to know.

```mlir
module attributes {stepwell.target = #stepwell.target<{arch = "x86_64", level = "avx2", vector_bits = 256 : i64}>} {
  func.func @main(%x: tensor<2xi32>) -> tensor<2xi32>
      attributes {stepwell.abi = #stepwell.abi<{inputs = ["tensor<2xui32>"], outputs = ["tensor<2xui32>"], donated = array<i64>}>}
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, DictionaryAttr, StringAttr, i64
from xdsl.ir import Attribute, Dialect, ParametrizedAttribute
from xdsl.irdl import irdl_attr_definition

ABI = "stepwell.abi"
"""Name of the attribute on the entry function that holds an `AbiAttr`."""
TARGET = "stepwell.target"
"""Name of the attribute on the module that holds a `TargetAttr`."""
FP_CONTRACT = "stepwell.fp_contract"
"""Name of the attribute on a module whose products and sums may be one op, rounded once (a unit attribute, or true)."""
LATENCY_TARGET = "stepwell.latency_target_ns"
"""Name of the attribute on a function whose latency counts: nanoseconds that it should take at most (`critical-path`)."""
UNCHECKED_INDICES = "stepwell.unchecked_indices"
"""Name of the unit attribute on a function whose indices are all in range, as who wrote it promises (`critical-path`)."""
WINOGRAD = "stepwell.winograd"
"""Name of the attribute on a module whose convolutions may be Winograd's, with tiles of up to so many results along each side."""


@irdl_attr_definition
class TargetAttr(ParametrizedAttribute):
    """`#stepwell.target<{...}>`: the machine a module is compiled for; see the step contracts for its entries."""

    name = "stepwell.target"

    entries: DictionaryAttr

    def __init__(self, entries: DictionaryAttr | Mapping[str, Attribute]):
        super().__init__(_dictionary(entries))


@irdl_attr_definition
class AbiAttr(ParametrizedAttribute):
    """`#stepwell.abi<{...}>`: how the entry is called: types as the user wrote them, donated inputs, sizes of arenas."""

    name = "stepwell.abi"

    entries: DictionaryAttr

    def __init__(self, entries: DictionaryAttr | Mapping[str, Attribute]):
        super().__init__(_dictionary(entries))

    @classmethod
    def of(cls, inputs: Sequence[Attribute], outputs: Sequence[Attribute], donated: Sequence[int] = ()) -> AbiAttr:
        """The signature of an entry."""
        return cls(
            {
                "inputs": ArrayAttr([StringAttr(str(t)) for t in inputs]),
                "outputs": ArrayAttr([StringAttr(str(t)) for t in outputs]),
                "donated": DenseArrayBase.from_list(i64, tuple(donated)),
            }
        )

    def with_entries(self, **entries: Attribute) -> AbiAttr:
        """The same with entries added or replaced."""
        return AbiAttr({**self.entries.data, **entries})

    @property
    def inputs(self) -> tuple[str, ...]:
        """The input types as text."""
        return _strings(self.entries.data.get("inputs"))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The output types as text."""
        return _strings(self.entries.data.get("outputs"))

    @property
    def donated(self) -> tuple[int, ...]:
        """Inputs whose memory the call may reuse."""
        value = self.entries.data.get("donated")
        return tuple(value.get_values()) if isinstance(value, DenseArrayBase) else ()  # pyright: ignore


def _dictionary(entries: DictionaryAttr | Mapping[str, Attribute]) -> DictionaryAttr:
    return entries if isinstance(entries, DictionaryAttr) else DictionaryAttr(dict(entries))


def _strings(attribute: Attribute | None) -> tuple[str, ...]:
    items: Any = attribute.data if isinstance(attribute, ArrayAttr) else ()
    return tuple(item.data for item in items)


Stepwell = Dialect("stepwell", [], [AbiAttr, TargetAttr])
