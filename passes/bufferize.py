"""bufferize: give every tensor memory, updating in place where nothing is lost.

Before:
    kernel.func @k(%x: tensor<8xf32>, %o: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "write"]} {
      %r = scf.forall (%i) in (1) shared_outs(%s = %o) -> (tensor<8xf32>) { ... }
      kernel.return %r : tensor<8xf32>
    }
    func.func @main(%a: tensor<8xf32>) -> tensor<8xf32> {
      %d = tensor.empty() : tensor<8xf32>
      %r = kernel.launch @k ins(%a : tensor<8xf32>) outs(%d : tensor<8xf32>) -> tensor<8xf32>
      return %r : tensor<8xf32>
    }

After:
    kernel.func @k(%x: memref<8xf32>, %o: memref<8xf32>) attributes {access = ["read", "write"]} {
      scf.forall (%i) in (1) { ... }
      kernel.return
    }
    func.func @main(%a: memref<8xf32>, %out: memref<8xf32>, %workers: memref<?x0xi8>) {
      kernel.launch @k ins(%a : memref<8xf32>) outs(%out : memref<8xf32>)
      func.return
    }

Needs: step 4 (no `linalg` in kernels), static shapes. Keeps: everything that is not a tensor.
Fails: UnsupportedError, naming the op, on dynamic shapes and ops without a buffer form.

What is in place and why is decided in `bufferization/engine.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from stepwell.dialects import kernel
from stepwell.ir.passes import Pass
from stepwell.passes.bufferization.globals import GlobalTable
from stepwell.passes.bufferization.host import bufferize_function
from stepwell.passes.bufferization.kernels import bufferize_kernel, guard_scratch, place_scratch, row_bytes
from stepwell.passes.memory_guards import guard_of
from stepwell.passes.preconditions import needs_tensors


@dataclass(frozen=True)
class BufferizePass(Pass):
    """Tensors to memrefs, destination-passing, in place where nothing is lost."""

    name = "bufferize"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Bufferize the kernels, then the host functions, which pass them scratch."""
        del ctx
        assert isinstance(op, ModuleOp)
        needs_tensors(op, self.name, "step 4")
        constants = GlobalTable(op)
        kernels = [f for f in op.ops if isinstance(f, kernel.FuncOp)]
        functions = [f for f in op.ops if isinstance(f, func.FuncOp) and f.body.blocks]
        bufferized = [bufferize_kernel(f, constants) for f in kernels]
        guard = guard_of(op)
        if guard is not None:
            guard_scratch(bufferized, guard)
        row = row_bytes(bufferized)
        for result in bufferized:
            place_scratch(result, row)
        for function in functions:
            bufferize_function(function, constants, row)


__all__ = ["BufferizePass"]
