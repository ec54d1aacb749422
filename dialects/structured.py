"""The structured dialect: what `linalg.generic` cannot say, in the same destination style.

The last operands are the destinations (`outs`). On tensors each op is pure and returns the destinations' new contents; on
memrefs it updates them in place and returns nothing.

```mlir
%r = structured.update_slice ins(%u, %i, %j : tensor<2x3xf32>, tensor<i32>, tensor<i32>) outs(%x : tensor<8x6xf32>) -> tensor<8x6xf32>
%s = structured.sort outs(%x : tensor<5x9xf32>) {dimension = 1 : i64, stable} {
^bb0(%a: f32, %b: f32):
  %lt = arith.cmpf olt, %a, %b : f32
  structured.yield %lt : i1
} -> tensor<5x9xf32>
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xdsl.dialects.builtin import (
    DenseArrayBase,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
    TensorType,
    UnitAttr,
    i64,
)
from xdsl.ir import Attribute, Dialect, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    var_operand_def,
)
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects.structured_attention import AttentionOp
from stepwell.dialects.structured_attention_gradient import AttentionGradientOp
from stepwell.dialects.structured_base import (
    StructuredOp,
    YieldOp,
    element_type_of,
    i64_array,
    results_of,
    shape_of,
)
from stepwell.dialects.structured_element import ElementOp
from stepwell.dialects.structured_host_call import HostCallOp
from stepwell.dialects.structured_scan import ScanOp
from stepwell.dialects.structured_top_k import TopKOp
from stepwell.dialects.structured_winograd import WinogradFilterOp, WinogradInputOp, WinogradOutputOp


@irdl_op_definition
class SortOp(StructuredOp):
    """Sorts along one dimension, all destinations by one permutation per line.

    Semantics: the comparator takes a pair of elements of each destination (`%a0, %b0, %a1, %b1, ...`) and yields true
    when the `a` elements must come before the `b` elements. With `stable` equal elements keep their order.
    On memrefs, `scratch` may hold one dense buffer per destination, of its element type and as long as the dimension,
    and behind these what keys of the elements are sorted in.

    Constraints:
        C1: all destinations have one shape.
        C2: 0 <= dimension < rank.
        C3: the comparator takes two scalars of each element type and yields i1.
        C4: scratch, where given, is one buffer per destination, then buffers of integers.
    """

    name = "structured.sort"
    outs = var_operand_def(TensorType | MemRefType)
    scratch = var_operand_def(MemRefType)
    dimension = prop_def(IntegerAttr.constr(i64))
    stable = opt_prop_def(UnitAttr)
    comparator = region_def("single_block")
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        outs: Sequence[SSAValue],
        dimension: int,
        comparator: Region,
        *,
        stable: bool = False,
        scratch: Sequence[SSAValue] = (),
    ):
        super().__init__(
            operands=[outs, scratch],
            result_types=[results_of(outs)],
            properties={"dimension": IntegerAttr(dimension, i64), "stable": UnitAttr() if stable else None},
            regions=[comparator],
        )

    @property
    def ins(self) -> Sequence[SSAValue]:
        """What is only read."""
        return ()

    @property
    def destinations(self) -> Sequence[SSAValue]:
        """See `StructuredOp`."""
        return self.outs

    @property
    def scratch_operands(self) -> Sequence[SSAValue]:
        """See `StructuredOp`."""
        return self.scratch

    @classmethod
    def split_operands(cls, ins: Sequence[SSAValue], outs: Sequence[SSAValue]) -> list[Any]:
        """See `StructuredOp`."""
        return [outs, []]

    def verify_(self) -> None:
        """Check the constraints."""
        self.verify_destinations()
        if not self.outs:
            raise VerifyException("structured.sort: C1: needs a destination")
        shapes = [shape_of(o) for o in self.outs]
        if any(s != shapes[0] for s in shapes):
            raise VerifyException("structured.sort: C1: all destinations must have one shape")
        dimension = self.dimension.value.data
        if not 0 <= dimension < len(shapes[0]):
            raise VerifyException(f"structured.sort: C2: dimension {dimension} out of range for rank {len(shapes[0])}")
        lines = [shape_of(b) for b in self.scratch[: len(self.outs)]]
        if self.scratch and lines != [(shapes[0][dimension],)] * len(self.outs):
            raise VerifyException(
                f"structured.sort: C4: scratch must be one buffer of {shapes[0][dimension]} elements per destination"
            )
        if any(not isinstance(element_type_of(b), IntegerType) for b in self.scratch[len(self.outs) :]):
            raise VerifyException("structured.sort: C4: scratch behind the lines must be buffers of integers")
        pairs = [t for o in self.outs for t in (element_type_of(o),) * 2]
        self.verify_region(self.comparator, "C3: the comparator", pairs, [IntegerType(1)])


@irdl_op_definition
class ScatterOp(StructuredOp):
    """StableHLO's scatter, in place.

    Semantics: for every index vector, in row-major order of the scatter dims of the updates, and every element of its
    window (all distinct elements of the destinations): the start index is read from `indices` (signed), the window
    offset added; when the element is inside the destinations, the region combines the current elements (first
    arguments) with the update elements (last arguments) and its results are stored. Outside, the update is dropped; with
    `unchecked`, an index outside is undefined behaviour.

    Constraints: as `stablehlo.scatter`; C1: one update tensor per destination, all updates of one shape and all
    destinations of one shape; C2: the region takes the element types twice and yields them; C3: dimension numbers fit
    the ranks.
    """

    name = "structured.scatter"
    indices = operand_def(TensorType | MemRefType)
    updates = var_operand_def(TensorType | MemRefType)
    outs = var_operand_def(TensorType | MemRefType)
    update_window_dims = prop_def(DenseArrayBase.constr(i64))
    inserted_window_dims = prop_def(DenseArrayBase.constr(i64))
    input_batching_dims = prop_def(DenseArrayBase.constr(i64))
    scatter_indices_batching_dims = prop_def(DenseArrayBase.constr(i64))
    scatter_dims_to_operand_dims = prop_def(DenseArrayBase.constr(i64))
    index_vector_dim = prop_def(IntegerAttr.constr(i64))
    unique_indices = opt_prop_def(UnitAttr)
    unchecked = opt_prop_def(UnitAttr)
    update_computation = region_def("single_block")
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        indices: SSAValue,
        updates: Sequence[SSAValue],
        outs: Sequence[SSAValue],
        dimension_numbers: Mapping[str, Sequence[int]],
        index_vector_dim: int,
        update_computation: Region,
        *,
        unique_indices: bool = False,
    ):
        """`dimension_numbers` has one list per array property, by its name."""
        properties: dict[str, Attribute | None] = {k: i64_array(v) for k, v in dimension_numbers.items()}
        properties["index_vector_dim"] = IntegerAttr(index_vector_dim, i64)
        properties["unique_indices"] = UnitAttr() if unique_indices else None
        super().__init__(
            operands=[indices, updates, outs],
            result_types=[results_of(outs)],
            properties=properties,
            regions=[update_computation],
        )

    @property
    def destinations(self) -> Sequence[SSAValue]:
        """See `StructuredOp`."""
        return self.outs

    @classmethod
    def split_operands(cls, ins: Sequence[SSAValue], outs: Sequence[SSAValue]) -> list[Any]:
        """See `StructuredOp`."""
        return [ins[0], ins[1:], outs]

    def verify_(self) -> None:
        """Check the constraints."""
        self.verify_destinations()
        if not self.outs or len(self.updates) != len(self.outs):
            raise VerifyException("structured.scatter: C1: needs one update per destination")
        if any(shape_of(u) != shape_of(self.updates[0]) for u in self.updates) or any(
            shape_of(o) != shape_of(self.outs[0]) for o in self.outs
        ):
            raise VerifyException("structured.scatter: C1: updates, and destinations, must have one shape each")
        elements = [element_type_of(o) for o in self.outs]
        self.verify_region(self.update_computation, "C2: the region", elements * 2, elements)
        self._verify_dimension_numbers()

    def _verify_dimension_numbers(self) -> None:
        rank, indices_rank = len(shape_of(self.outs[0])), len(shape_of(self.indices))
        windows = len(self.update_window_dims)
        if windows + len(self.inserted_window_dims) + len(self.input_batching_dims) != rank:
            raise VerifyException(
                f"structured.scatter: C3: window, inserted and batching dims must add up to rank {rank}"
            )
        vector_dim = self.index_vector_dim.value.data
        scatter_rank = indices_rank - (vector_dim < indices_rank)
        if len(shape_of(self.updates[0])) != windows + scatter_rank:
            raise VerifyException("structured.scatter: C3: update rank must be window dims plus index dims")
        size = shape_of(self.indices)[vector_dim] if vector_dim < indices_rank else 1
        if len(self.scatter_dims_to_operand_dims) != size:
            raise VerifyException(f"structured.scatter: C3: index vectors have {size} elements")
        if any(not 0 <= d < rank for d in self.scatter_dims_to_operand_dims.get_values()):
            raise VerifyException("structured.scatter: C3: scatter_dims_to_operand_dims out of range")


@irdl_op_definition
class SelectAndScatterOp(StructuredOp):
    """StableHLO's select_and_scatter (the gradient of a max pooling).

    Semantics: the destination is filled with `init`; then for every index of `source`, in row-major order, the window
    of `operand` at it is searched in row-major order: `select(selected, candidate)` yields whether the selected
    element stays; the destination at the selected element becomes `scatter(current, source element)`. Window positions
    in the padding are skipped.

    Constraints:
        C1: the destination has the operand's shape; init is 0-d.
        C2: the window arrays have one entry per dimension, and the source one element per window.
        C3: select takes two operand elements and yields i1; scatter takes two elements and yields one.
    """

    name = "structured.select_and_scatter"
    operand = operand_def(TensorType | MemRefType)
    source = operand_def(TensorType | MemRefType)
    init = operand_def(TensorType | MemRefType)
    out = operand_def(TensorType | MemRefType)
    window_dimensions = prop_def(DenseArrayBase.constr(i64))
    window_strides = prop_def(DenseArrayBase.constr(i64))
    padding_low = prop_def(DenseArrayBase.constr(i64))
    padding_high = prop_def(DenseArrayBase.constr(i64))
    select = region_def("single_block")
    scatter = region_def("single_block")

    def __init__(
        self,
        inputs: tuple[SSAValue, SSAValue, SSAValue],
        out: SSAValue,
        window: Mapping[str, Sequence[int]],
        select: Region,
        scatter: Region,
    ):
        """`inputs` are operand, source and init; `window` has one list per array property, by its name."""
        super().__init__(
            operands=[*inputs, out],
            result_types=[results_of([out])],
            properties={k: i64_array(v) for k, v in window.items()},
            regions=[select, scatter],
        )

    @property
    def destinations(self) -> Sequence[SSAValue]:
        """See `StructuredOp`."""
        return (self.out,)

    @classmethod
    def split_operands(cls, ins: Sequence[SSAValue], outs: Sequence[SSAValue]) -> list[Any]:
        """See `StructuredOp`."""
        return [*ins, *outs]

    def verify_(self) -> None:
        """Check the constraints."""
        self.verify_destinations()
        shape = shape_of(self.operand)
        if shape_of(self.out) != shape or shape_of(self.init) != ():
            raise VerifyException(
                "structured.select_and_scatter: C1: destination must have the operand's shape, init none"
            )
        arrays = (self.window_dimensions, self.window_strides, self.padding_low, self.padding_high)
        if any(len(a) != len(shape) for a in arrays):
            raise VerifyException(f"structured.select_and_scatter: C2: window arrays must have {len(shape)} entries")
        sizes, strides, low, high = (a.get_values() for a in arrays)
        windows = tuple(
            max(0, (n + lo + hi - w) // s + 1) for n, w, s, lo, hi in zip(shape, sizes, strides, low, high, strict=True)
        )
        if windows != shape_of(self.source):
            raise VerifyException(f"structured.select_and_scatter: C2: source must have shape {list(windows)}")
        element, out = element_type_of(self.operand), element_type_of(self.out)
        self.verify_region(self.select, "C3: select", [element] * 2, [IntegerType(1)])
        self.verify_region(self.scatter, "C3: scatter", [out] * 2, [out])


@irdl_op_definition
class UpdateSliceOp(StructuredOp):
    """Writes `update` into the destination at a start known at run time.

    Semantics: start i is clamped to [0, destination size i - update size i] (indices are signed); with `unchecked`, a start outside
    of that is undefined behaviour.

    Constraints:
        C1: update and destination have one element type and rank, and the update fits.
        C2: one 0-d integer index per dimension, all of one type.
    """

    name = "structured.update_slice"
    update = operand_def(TensorType | MemRefType)
    indices = var_operand_def(TensorType | MemRefType)
    out = operand_def(TensorType | MemRefType)
    unchecked = opt_prop_def(UnitAttr)

    def __init__(self, update: SSAValue, indices: Sequence[SSAValue], out: SSAValue):
        super().__init__(operands=[update, indices, out], result_types=[results_of([out])])

    @property
    def destinations(self) -> Sequence[SSAValue]:
        """See `StructuredOp`."""
        return (self.out,)

    @classmethod
    def split_operands(cls, ins: Sequence[SSAValue], outs: Sequence[SSAValue]) -> list[Any]:
        """See `StructuredOp`."""
        return [ins[0], ins[1:], outs[0]]

    def verify_(self) -> None:
        """Check the constraints."""
        self.verify_destinations()
        update, out = shape_of(self.update), shape_of(self.out)
        fits = len(update) == len(out) and all(u <= o or o < 0 for u, o in zip(update, out, strict=True))
        if not fits or element_type_of(self.update) != element_type_of(self.out):
            raise VerifyException("structured.update_slice: C1: the update must fit into the destination")
        types = [element_type_of(i) for i in self.indices]
        valid = all(isinstance(t, IntegerType | IndexType) and t == types[0] for t in types)
        if len(types) != len(out) or not valid or any(shape_of(i) != () for i in self.indices):
            raise VerifyException(f"structured.update_slice: C2: needs {len(out)} 0-d integer indices of one type")


Structured = Dialect(
    "structured",
    [
        AttentionGradientOp,
        AttentionOp,
        ElementOp,
        HostCallOp,
        ScanOp,
        ScatterOp,
        SelectAndScatterOp,
        SortOp,
        TopKOp,
        UpdateSliceOp,
        WinogradFilterOp,
        WinogradInputOp,
        WinogradOutputOp,
        YieldOp,
    ],
    [],
)

__all__ = [
    "AttentionGradientOp",
    "AttentionOp",
    "ElementOp",
    "HostCallOp",
    "ScanOp",
    "ScatterOp",
    "SelectAndScatterOp",
    "SortOp",
    "Structured",
    "StructuredOp",
    "TopKOp",
    "UpdateSliceOp",
    "WinogradFilterOp",
    "WinogradInputOp",
    "WinogradOutputOp",
    "YieldOp",
    "element_type_of",
    "i64_array",
    "shape_of",
]
