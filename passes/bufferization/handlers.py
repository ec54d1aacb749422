"""The buffer form of ops that appear in kernels and host functions alike: slices, elements, transfers, destinations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from xdsl.dialects import arith, memref, tensor
from xdsl.dialects.builtin import (
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    DenseResourceAttr,
    MemRefType,
    TensorType,
    i32,
)
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation, Region, SSAValue

from stepwell.dialects.structured import HostCallOp, ScanOp, SelectAndScatterOp, SortOp, TopKOp, element_type_of
from stepwell.dialects.tensor import ParallelInsertSliceOp
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.bufferization.engine import (
    UNDEFINED,
    Bufferizer,
    Handler,
    reshape_memref,
    subview,
)
from stepwell.passes.bufferization.homes import Home, covers, slice_key, slice_place
from stepwell.passes.bufferization.reads import is_tensor
from stepwell.passes.structured_loops.sort import RUN
from stepwell.passes.structured_loops.sort_form import key_buffers
from stepwell.passes.structured_loops.top_k import top_k_buffers


def rebuild(op: Operation, operands: Sequence[SSAValue], keep_results: bool = False) -> Operation:
    """A copy of `op` on other operands, with its regions; without results unless kept."""
    return type(op).create(
        operands=operands,
        result_types=[r.type for r in op.results] if keep_results else [],
        properties=dict(op.properties),
        attributes=dict(op.attributes),
        regions=[Region(r.detach_block(r.block)) if r.blocks else Region() for r in list(op.regions)],
    )


def _shape(value: SSAValue) -> tuple[int, ...]:
    assert isinstance(value.type, TensorType | MemRefType)
    return value.type.get_shape()


def _empty(state: Bufferizer, op: Operation) -> None:
    state.homes[op.results[0]] = UNDEFINED
    state.retire(op)


def _constant(state: Bufferizer, op: Operation) -> None:
    assert isinstance(op, arith.ConstantOp)
    if not is_tensor(op.result):
        return
    value = op.value
    if not isinstance(value, DenseIntOrFPElementsAttr):
        kind = "a dense resource" if isinstance(value, DenseResourceAttr) else type(value).__name__
        raise unsupported(op, f"it holds {kind}", "write it as dense<...>")
    state.homes[op.result] = Home(None, None, constant=value)
    state.retire(op)


def _extract(state: Bufferizer, op: Operation) -> None:
    assert isinstance(op, tensor.ExtractOp)
    source = state.read(op.tensor, op)
    load = state.builder(op).insert(memref.LoadOp.get(source, op.indices))
    op.result.replace_all_uses_with(load.res)
    state.retire(op)


def _insert(state: Bufferizer, op: Operation) -> None:
    assert isinstance(op, tensor.InsertOp)
    home = state.destination(op, 1, op.result)
    assert home.memref is not None
    state.builder(op).insert(memref.StoreOp.get(op.scalar, home.memref, op.indices))
    state.define(op.result, Home(home.place, home.memref))
    state.retire(op)


def _elements(state: Bufferizer, op: Operation) -> None:
    """`tensor.from_elements` and `tensor.splat` of few elements."""
    assert isinstance(op, tensor.FromElementsOp)
    home = state.storage(op, op.result, op.result.type)
    assert home.memref is not None
    builder = state.builder(op)
    for scalar, position in zip(op.elements, product(*map(range, _shape(op.result))), strict=True):
        indices = [state.index(builder, i) for i in position]
        builder.insert(memref.StoreOp.get(scalar, home.memref, indices))
    state.define(op.result, home)
    state.retire(op)


def _dim(state: Bufferizer, op: Operation) -> None:
    assert isinstance(op, tensor.DimOp)
    owner = op.index.owner
    if not isinstance(owner, arith.ConstantOp):
        raise unsupported(op, "the dimension is not constant")
    size = _shape(op.source)[owner.value.value.data]  # pyright: ignore
    op.result.replace_all_uses_with(state.index(state.builder(op), size))
    state.retire(op)


def _extract_slice(state: Bufferizer, op: Operation) -> None:
    assert isinstance(op, tensor.ExtractSliceOp)
    source = state.read(op.source, op)
    home = state.home(op.source)
    reached = subview(state.builder(op), source, op, _shape(op.result))
    place = slice_place(home.place, op, _shape(op.source)) if home.place is not None else None
    state.define(op.result, Home(place, reached, undefined=home.undefined))
    state.retire(op)


def _insert_slice(state: Bufferizer, op: Operation) -> None:
    assert isinstance(op, tensor.InsertSliceOp)
    source = state.home(op.source)
    old = state.home(op.dest)
    back = old.place is not None and slice_place(old.place, op, _shape(op.dest)) is source.place
    if back:  # The slice is in its place: nothing moves, so nothing is lost.
        state.define(op.result, Home(old.place, old.memref))
        state.retire(op)
        return
    overwrites = covers(slice_key(op), _shape(op.dest))
    home = state.destination(op, 1, op.result, others=[op.source], overwrites=overwrites)
    put_slice(state, op, op, op.source, home)
    state.define(op.result, Home(home.place, home.memref))
    state.retire(op)


def put_slice(state: Bufferizer, before: Operation, op: Operation, value: SSAValue, home: Home) -> None:
    """Copy `value` into the slice of `home` that `op` names, unless it is there already."""
    assert home.memref is not None
    assert home.place is not None
    source = state.home(value)
    place = slice_place(home.place, op, _shape(op.operands[1]))
    if source.undefined or source.place is place:
        return
    target = subview(state.builder(before), home.memref, op, _shape(value))
    state.copy_home(before, value, Home(place, target))


def _reshape(state: Bufferizer, op: Operation) -> None:
    assert isinstance(op, tensor.CollapseShapeOp | tensor.ExpandShapeOp)
    home = state.home(op.src)
    if home.place is None and home.constant is None:
        state.homes[op.result] = UNDEFINED
        state.retire(op)
        return
    source = state.read(op.src, op)
    home = state.home(op.src)
    expand = isinstance(op, tensor.ExpandShapeOp)
    shape = _shape(op.result)
    reached = reshape_memref(state.builder(op), source, shape, op.reassociation, expand)
    place = home.place
    if reached is None:
        dense = state.fresh(op, op.src.type, None)
        assert dense.memref is not None
        state.copy(state.builder(op), source, dense.memref)
        reached = reshape_memref(state.builder(op), dense.memref, shape, op.reassociation, expand)
        place = dense.place
    state.define(op.result, Home(place, reached, undefined=home.undefined))
    state.retire(op)


def _read_only(state: Bufferizer, op: Operation) -> None:
    """Ops that read a tensor or memref operand and produce vectors or scalars: changed in place."""
    for i, operand in enumerate(op.operands):
        if is_tensor(operand):
            op.operands[i] = state.read(operand, op)


def _transfer_write(state: Bufferizer, op: Operation) -> None:
    _write(state, op, 1)


def _vector_scatter(state: Bufferizer, op: Operation) -> None:
    _write(state, op, 0)


def _write(state: Bufferizer, op: Operation, operand: int) -> None:
    if not is_tensor(op.operands[operand]):
        return
    home = state.destination(op, operand, op.results[0])
    assert home.memref is not None
    operands = list(op.operands)
    operands[operand] = home.memref
    state.builder(op).insert(rebuild(op, operands))
    state.define(op.results[0], Home(home.place, home.memref))
    state.retire(op)


def _destination_style(state: Bufferizer, op: Operation) -> None:
    """`structured.*` and `linalg.*`: the last operands are the destinations."""
    if not op.results:
        return
    first = len(op.operands) - len(op.results)
    inputs = [v for v in op.operands[:first] if is_tensor(v)]
    later = list(op.operands[first:])
    homes: list[Home] = []
    overwrites = isinstance(op, linalg.FillOp | HostCallOp | ScanOp | SelectAndScatterOp | TopKOp)
    for i, result in enumerate(op.results):
        rest = [v for v in later[i + 1 :] if state.home(v).place is not None]
        home = state.destination(op, first + i, result, others=[*inputs, *rest], taken=homes, overwrites=overwrites)
        homes.append(home)
    reached = [state.read(v, op) if is_tensor(v) else v for v in op.operands[:first]]
    for home in homes:
        assert home.memref is not None
        reached.append(home.memref)
    results = list(op.results)
    scratch = _scratch_lines(state, op)
    replacement = rebuild(op, [*reached, *scratch])
    if scratch:
        before = (1, len(reached) - 1) if isinstance(op, TopKOp) else (len(reached),)
        segments = DenseArrayBase.from_list(i32, (*before, len(scratch)))
        replacement.properties["operandSegmentSizes"] = segments
    state.builder(op).insert(replacement)
    for region in replacement.regions:
        state.run_block(region.block)
    for result, home in zip(results, homes, strict=True):
        state.define(result, Home(home.place, home.memref))
    state.retire(op)


def _scratch_lines(state: Bufferizer, op: Operation) -> list[SSAValue]:
    """One line of scratch per destination for a sort of long lines, and what keys are sorted in; so for a selection."""
    types: list[TensorType] = []
    if isinstance(op, SortOp):
        length = _shape(op.outs[0])[op.dimension.value.data]
        keys = key_buffers(op)
        types = [TensorType(element_type_of(out), [length]) for out in op.outs] if length > RUN or keys else []
        types += keys
    elif isinstance(op, TopKOp):
        types = top_k_buffers(op)
    lines: list[SSAValue] = []
    for kind in types:
        home = state.fresh(op, kind, None)
        assert home.memref is not None
        lines.append(home.memref)
    return lines


def redirect_foreign_reads(root: Operation) -> None:
    """Let tasks read what they do not themselves replace from the tensor the loop started with.

    In a `scf.forall`, the argument of a shared output is that output as it was before the loop. A task that reads it
    elsewhere than in the slices it replaces would, in place, see what other tasks write; the loop's operand has the
    same value and is not written.
    """
    for op in root.walk():
        if op.name != "scf.forall":
            continue
        terminator = op.regions[0].block.last_op
        assert terminator is not None
        for insert in terminator.regions[0].block.ops:
            assert isinstance(insert, ParallelInsertSliceOp)
        _redirect(op, terminator)


def _redirect(op: Operation, terminator: Operation) -> None:
    outputs = op.operands[len(op.operands) - len(op.results) :]
    arguments = op.regions[0].block.args[len(op.regions[0].block.args) - len(op.results) :]
    for argument, initial in zip(arguments, outputs, strict=True):
        inserts = [i for i in terminator.regions[0].block.ops if i.operands[1] is argument]
        own = {slice_key(i) for i in inserts}
        whole = any(covers(slice_key(i), _shape(argument)) for i in inserts)
        for use in list(argument.uses):
            user = use.operation
            if whole or isinstance(user, ParallelInsertSliceOp):
                continue
            if isinstance(user, tensor.ExtractSliceOp) and slice_key(user) in own:
                continue
            user.operands[use.index] = initial


READS = ("kernel.prefetch", "vector.transfer_read", "vector.gather", "vector.load", "vector.maskedload")

HANDLERS: dict[str, Handler] = {
    "arith.constant": _constant,
    "tensor.collapse_shape": _reshape,
    "tensor.dim": _dim,
    "tensor.empty": _empty,
    "tensor.expand_shape": _reshape,
    "tensor.extract": _extract,
    "tensor.extract_slice": _extract_slice,
    "tensor.from_elements": _elements,
    "tensor.insert": _insert,
    "tensor.insert_slice": _insert_slice,
    "vector.scatter": _vector_scatter,
    "vector.transfer_write": _transfer_write,
    **dict.fromkeys(READS, _read_only),
    **{
        f"structured.{n}": _destination_style
        for n in (
            "host_call",
            "scan",
            "scatter",
            "select_and_scatter",
            "sort",
            "top_k",
            "update_slice",
            "fft",
            "cholesky",
            "triangular_solve",
        )
    },
    **{f"linalg.{n}": _destination_style for n in ("fill", "generic")},
}
"""Per op name; control flow and what ends functions come from the other modules."""
