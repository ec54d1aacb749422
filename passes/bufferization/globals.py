"""Dense constants as `memref.global`: one per distinct value, at the end of the module."""

from __future__ import annotations

from math import prod

from xdsl.dialects import memref
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, MemRefType, ModuleOp, StringAttr, UnitAttr
from xdsl.ir import SSAValue

from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.dense import splat_value
from stepwell.ir.dtypes import byte_width

LARGE_SPLAT = 1 << 14


class GlobalTable:
    """The globals of a module, by value."""

    def __init__(self, module: ModuleOp):
        self._module = module
        self._known: dict[DenseIntOrFPElementsAttr, memref.GlobalOp] = {}
        self._names: set[str] = set()
        for op in module.ops:
            name = op.get_attr_or_prop("sym_name")
            if isinstance(name, StringAttr):
                self._names.add(name.data)

    def get(self, builder: LocatedBuilder, value: DenseIntOrFPElementsAttr) -> SSAValue:
        """A `memref.get_global` of the global that holds `value`."""
        known = self._known.get(value)
        if known is None:
            kind = MemRefType(value.type.get_element_type(), value.type.get_shape())
            known = memref.GlobalOp.get(StringAttr(self._name()), kind, value, constant=UnitAttr(), alignment=64)
            known.location = builder.location
            self._module.body.block.add_op(known)
            self._known[value] = known
        return builder.insert(memref.GetGlobalOp(known.sym_name.data, known.type)).memref

    def _name(self) -> str:
        number = len(self._known)
        while f"constant_{number}" in self._names:
            number += 1
        self._names.add(f"constant_{number}")
        return f"constant_{number}"


def is_large_splat(value: DenseIntOrFPElementsAttr) -> bool:
    """Whether filling memory at run time is better than keeping the constant in the object file."""
    return (
        splat_value(value) is not None
        and prod(value.type.get_shape()) * byte_width(value.type.get_element_type()) > LARGE_SPLAT
    )
