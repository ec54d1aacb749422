"""`structured.host_call`: a call of a Python function of the process that runs the program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, MemRefType, StringAttr, TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import AttrSizedOperandSegments, irdl_op_definition, opt_prop_def, prop_def, var_operand_def
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects.stablehlo.custom_calls import python_value
from stepwell.dialects.structured_base import StructuredOp, results_of, shape_of
from stepwell.ir.diagnostics import location_of
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.host_calls import ArrayKind, HostCall


@irdl_op_definition
class HostCallOp(StructuredOp):
    """Calls the Python function that `stepwell.register_custom_call(target, callback=...)` registered.

    Semantics: the function gets the inputs as arrays that it may only read, and the `config` as keyword arguments; what it returns is
    written to the destinations, whose contents before do not matter. It is a function of its inputs: calls may be left out,
    moved, or done once for several. `types` are those of inputs and destinations as the user wrote them, with signs.

    Constraints:
        C1: one static tensor type for each input and destination, of its shape.

    Example:
        ```mlir
        %r = structured.host_call ins(%x : tensor<4xi32>) outs(%o : tensor<4xf32>)
            {target = "my_table", types = [tensor<4xui32>, tensor<4xf32>]} -> tensor<4xf32>
        ```
    """

    name = "structured.host_call"
    inputs = var_operand_def(TensorType | MemRefType)
    outs = var_operand_def(TensorType | MemRefType)
    target = prop_def(StringAttr)
    types = prop_def(ArrayAttr[TensorType[Attribute]])
    config = opt_prop_def(DictionaryAttr)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        target: str,
        inputs: Sequence[SSAValue],
        outs: Sequence[SSAValue],
        types: Sequence[TensorType[Attribute]],
        config: DictionaryAttr | None = None,
    ):
        super().__init__(
            operands=[inputs, outs],
            result_types=[results_of(outs)],
            properties={"target": StringAttr(target), "types": ArrayAttr(types), "config": config},
        )

    @property
    def ins(self) -> Sequence[SSAValue]:
        """What is only read."""
        return self.inputs

    @property
    def destinations(self) -> Sequence[SSAValue]:
        """See `StructuredOp`."""
        return self.outs

    @classmethod
    def split_operands(cls, ins: Sequence[SSAValue], outs: Sequence[SSAValue]) -> list[Any]:
        """See `StructuredOp`."""
        return [ins, outs]

    def verify_(self) -> None:
        """Check the constraints."""
        self.verify_destinations()
        shapes = [shape_of(v) for v in self.operands]
        if [t.get_shape() for t in self.types.data] != shapes or any(n < 0 for shape in shapes for n in shape):
            raise VerifyException(
                "structured.host_call: C1: needs a static type of each input's and destination's shape"
            )

    def call(self) -> HostCall:
        """What the call says, for who performs it."""
        kinds = [ArrayKind(numpy_dtype(t.element_type).name, tuple(t.get_shape())) for t in self.types.data]
        count = len(self.inputs)
        config = {} if self.config is None else {k: python_value(v) for k, v in self.config.data.items()}
        return HostCall(self.target.data, tuple(kinds[:count]), tuple(kinds[count:]), config, location_of(self))


def as_kind(array: Any, kind: ArrayKind) -> np.ndarray[Any, Any]:
    """An array of signless elements as one with signs, on the same memory."""
    return array if array.dtype == kind.numpy else array.view(kind.numpy)


__all__ = ["HostCallOp", "as_kind"]
