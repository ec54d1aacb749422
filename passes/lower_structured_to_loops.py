"""lower-structured-to-loops: the structured dialect's ops on memrefs become loops.

Before:
    structured.update_slice ins(%u, %i, %j : memref<2x3xf32>, memref<i32>, memref<i32>) outs(%x : memref<8x6xf32>)

After:
    %i0 = ... clamp of the loaded index
    %s = memref.subview %x[%i0, %j0] [2, 3] [1, 1] : memref<8x6xf32> to memref<2x3xf32, strided<[6, 1], offset: ?>>
    memref.copy %u, %s

A scan runs along its lines (`structured_loops/scan.py`), sorting merges runs (`structured_loops/sort.py`), the largest
elements are kept in a buffer (`structured_loops/top_k.py`), scattering goes through the updates one by one in order
(`structured_loops/scatter.py`). What the schedule wrote on an op says how: `vector`, the bytes of its vectors, and what else
the module of the op names.

Needs: `bufferize`. Keeps: calls of Python functions, which code is made of as they are; structured ops on tensors are refused.
Fails: UnsupportedError on tensors and on ops without loops yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xdsl.context import Context
from xdsl.ir import Operation

from stepwell.dialects.structured import (
    HostCallOp,
    ScanOp,
    ScatterOp,
    SelectAndScatterOp,
    SortOp,
    StructuredOp,
    TopKOp,
    UpdateSliceOp,
)
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.passes import Pass
from stepwell.passes.structured_loops.scan import scan_loops
from stepwell.passes.structured_loops.scatter import (
    scatter_loops,
    select_and_scatter_loops,
    update_slice_loops,
)
from stepwell.passes.structured_loops.sort import sort_loops
from stepwell.passes.structured_loops.top_k import top_k_loops

LOOPS: dict[type[Operation], Callable[[Any], None]] = {
    ScanOp: scan_loops,
    ScatterOp: scatter_loops,
    SelectAndScatterOp: select_and_scatter_loops,
    SortOp: sort_loops,
    TopKOp: top_k_loops,
    UpdateSliceOp: update_slice_loops,
}


@dataclass(frozen=True)
class LowerStructuredToLoopsPass(Pass):
    """Sort, scatter and the like as loops over memrefs."""

    name = "lower-structured-to-loops"
    numerics = "rounding"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Replace each structured op."""
        del ctx
        found = [inner for inner in op.walk() if isinstance(inner, StructuredOp) and not isinstance(inner, HostCallOp)]
        for structured in found:
            if structured.results:
                raise unsupported(structured, f"'{self.name}' needs buffers (step 5)", "run bufferize first")
            emit = LOOPS.get(type(structured))
            if emit is None:
                raise unsupported(structured, "it has no form as loops yet")
            emit(structured)
            structured.detach()
            structured.erase()


__all__ = ["LowerStructuredToLoopsPass"]
