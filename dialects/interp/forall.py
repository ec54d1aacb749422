"""Interpreter rules of `scf.forall` and `tensor.parallel_insert_slice`: tasks run one after the other, in order.

Each task sees the shared outputs as they were before the loop; its inserts land in the loop's results. On memrefs the
tasks write in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects.scf import ForallOp
from stepwell.dialects.tensor import ParallelInsertSliceOp
from stepwell.ir.interpreter import Interpreter, InterpreterError, Rule, Value


def _bounds(interp: Interpreter, bounds: Sequence[object]) -> list[int]:
    return [b if isinstance(b, int) else int(interp.get(b)) for b in bounds]  # pyright: ignore[reportArgumentType]


def _forall(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    assert isinstance(op, ForallOp)
    lower, upper, step = (_bounds(interp, b) for b in (op.lower_bounds, op.upper_bounds, op.steps))
    given = args[len(args) - len(op.outputs) :] if op.outputs else ()
    results = [np.array(t) for t in given]
    targets = {arg: result for arg, result in zip(op.region_outputs, results, strict=True)}
    written = [np.zeros(r.shape, np.bool_) for r in results]
    claimed = dict(zip(op.region_outputs, written, strict=True))
    for indices in product(*(range(lo, up, st) for lo, up, st in zip(lower, upper, step, strict=True))):
        interp.run_block(op.body.block, (*indices, *given))
        for insert in op.terminator.body.block.ops:
            assert isinstance(insert, ParallelInsertSliceOp)
            target = _slice(interp, insert, targets[insert.dest])  # pyright: ignore[reportArgumentType]
            seen = _slice(interp, insert, claimed[insert.dest])  # pyright: ignore[reportArgumentType]
            if bool(seen.any()):
                raise InterpreterError(op, f"task {indices} writes what another task wrote")
            seen[...] = True
            target[...] = np.reshape(interp.get(insert.source), target.shape)
    return results


def _slice(interp: Interpreter, op: ParallelInsertSliceOp, target: np.ndarray) -> np.ndarray:
    offsets, sizes, strides = (_bounds(interp, b) for b in (op.mixed_offsets, op.mixed_sizes, op.mixed_strides))
    for offset, size, stride, extent in zip(offsets, sizes, strides, target.shape, strict=True):
        if size and (offset < 0 or offset + (size - 1) * stride >= extent):
            raise InterpreterError(op, f"slice [{offset}, +{size} * {stride}) of extent {extent}")
    slices = (slice(o, o + n * s, s) for o, n, s in zip(offsets, sizes, strides, strict=True))
    return target[(*slices, ...)]


def _in_parallel(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    """The forall reads the inserts itself."""
    del interp, op, args
    return ()


RULES: dict[str, Rule] = {
    "scf.forall": _forall,
    "scf.forall.in_parallel": _in_parallel,
    "tensor.parallel_insert_slice": _in_parallel,
}
