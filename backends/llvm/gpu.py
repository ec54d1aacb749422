"""`gpu`: what a thread of a grid asks, waits for and exchanges; how, the strategy of the machine says.

Blocks are one-dimensional: a thread's lane is its number modulo the size of a subgroup. Lanes exchange 32 bits at a time; wider
and narrower values travel in as many words as they need. All lanes of a subgroup take part in every exchange.
"""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects.builtin import IntegerAttr, MemRefType, VectorType
from xdsl.ir import Attribute, Operation

from stepwell.backends.gpu_target import SHARED_ALIGN
from stepwell.backends.llvm.arith import lanes_of, refuse_small_float
from stepwell.backends.llvm.device import DYNAMIC_SHARED, GLOBAL_SPACE, SHARED_SPACE, Register, device_of
from stepwell.backends.llvm.types import element_type, is_float, scalar_type, vector_shape
from stepwell.backends.llvm.vector_combine import combine
from stepwell.backends.llvm.writer import (
    Emitter,
    FunctionWriter,
    Index,
    attribute,
    operand,
    static_buffer,
    unsupported,
)
from stepwell.dialects import gpu
from stepwell.dialects.memref import Scope

_MAX_THREADS = 1024
_MAX_BLOCKS = {"x": (1 << 31) - 1, "y": 0xFFFF, "z": 0xFFFF}


# Who am I


def _register(w: FunctionWriter, which: Register, axis: str, first: int, last: int) -> str:
    """What the machine says of a thread, between `first` and `last`, as an index."""
    return w.emit(f"zext nneg i32 {device_of(w).register(w, which, axis, first, last)} to i64")


def _function(op: Operation) -> gpu.FuncOp:
    parent = op.parent_op()
    while parent is not None and not isinstance(parent, gpu.FuncOp):
        parent = parent.parent_op()
    assert parent is not None, f"{op.name} outside of a gpu.func"
    return parent


def _bounded(op: Operation, most: int) -> int:
    """What the op's `upper_bound` leaves of the most its result can be plus one (ids) or itself (sizes)."""
    bound = attribute(op, "upper_bound")
    return min(most, bound.value.data) if isinstance(bound, IntegerAttr) else most


def _axis(op: Operation) -> str:
    dimension = attribute(op, "dimension")
    assert isinstance(dimension, gpu.DimensionAttr)
    return str(dimension.data.value)


def _size(op: Operation, *, grid: bool) -> int | None:
    """The known size of the block or grid along the op's dimension."""
    func, axis = _function(op), "xyz".index(_axis(op))
    sizes = func.grid_size if grid else func.block_size
    return None if sizes is None else sizes[axis]


def _thread(w: FunctionWriter, op: Operation, axis: str) -> Index:
    sizes = _function(op).block_size
    count = _MAX_THREADS if sizes is None else sizes["xyz".index(axis)]
    if count == 1:
        return 0
    return _register(w, Register.THREAD, axis, 0, _bounded(op, count) - 1)


def _thread_id(w: FunctionWriter, op: Operation) -> None:
    w.values[op.results[0]] = str(_thread(w, op, _axis(op)))


def _block(w: FunctionWriter, op: Operation) -> Index:
    count = _size(op, grid=True)
    if count == 1:
        return 0
    most = count if count is not None else _MAX_BLOCKS[_axis(op)]
    return _register(w, Register.BLOCK, _axis(op), 0, _bounded(op, most) - 1)


def _block_id(w: FunctionWriter, op: Operation) -> None:
    w.values[op.results[0]] = str(_block(w, op))


def _block_size(w: FunctionWriter, op: Operation) -> Index:
    count = _size(op, grid=False)
    if count is not None:
        return count
    return _register(w, Register.BLOCK_SIZE, _axis(op), 1, _bounded(op, _MAX_THREADS))


def _block_dim(w: FunctionWriter, op: Operation) -> None:
    w.values[op.results[0]] = str(_block_size(w, op))


def _grid_dim(w: FunctionWriter, op: Operation) -> None:
    count = _size(op, grid=True)
    most = _bounded(op, _MAX_BLOCKS[_axis(op)])
    w.values[op.results[0]] = str(count) if count is not None else _register(w, Register.GRID_SIZE, _axis(op), 1, most)


def _global_id(w: FunctionWriter, op: Operation) -> None:
    first = w.mul(_block(w, op), _block_size(w, op))
    sizes = _function(op).block_size
    axis = _axis(op)
    count = _MAX_THREADS if sizes is None else sizes["xyz".index(axis)]
    thread: Index = 0 if count == 1 else _register(w, Register.THREAD, axis, 0, count - 1)
    w.values[op.results[0]] = str(w.add(first, thread))


def _flat_thread(w: FunctionWriter, op: Operation) -> Index:
    """The thread's number in its block, without the bound of `op`, which is of something else."""
    sizes = _function(op).block_size
    return _register(w, Register.THREAD, "x", 0, (_MAX_THREADS if sizes is None else sizes[0]) - 1)


def _lane_id(w: FunctionWriter, op: Operation) -> None:
    w.values[op.results[0]] = w.emit(f"and i64 {_flat_thread(w, op)}, {device_of(w).subgroup - 1}")


def _subgroup_id(w: FunctionWriter, op: Operation) -> None:
    w.values[op.results[0]] = w.emit(f"lshr i64 {_flat_thread(w, op)}, {device_of(w).subgroup.bit_length() - 1}")


def _num_subgroups(w: FunctionWriter, op: Operation) -> None:
    sizes, subgroup = _function(op).block_size, device_of(w).subgroup
    if sizes is not None:
        w.values[op.results[0]] = str(-(-sizes[0] // subgroup))
        return
    threads = w.add(_register(w, Register.BLOCK_SIZE, "x", 1, _MAX_THREADS), subgroup - 1)
    w.values[op.results[0]] = w.emit(f"lshr i64 {threads}, {subgroup.bit_length() - 1}")


def _subgroup_size(w: FunctionWriter, op: Operation) -> None:
    w.values[op.results[0]] = str(device_of(w).subgroup)


# Waiting and sharing


def _barrier(w: FunctionWriter, _: Operation) -> None:
    device_of(w).barrier(w)


def _subgroup_barrier(w: FunctionWriter, _: Operation) -> None:
    device_of(w).subgroup_barrier(w)


def _fence(w: FunctionWriter, op: Operation) -> None:
    assert isinstance(op, gpu.FenceOp)
    w.line(f"fence{device_of(w).sync_scope(Scope(op.scope.data), GLOBAL_SPACE)} seq_cst")


def _dynamic_shared_memory(w: FunctionWriter, op: Operation) -> None:
    declared = f"@{DYNAMIC_SHARED} = external addrspace({SHARED_SPACE}) global [0 x i8], align {SHARED_ALIGN}"
    w.module.globals.setdefault(DYNAMIC_SHARED, declared)
    type_ = op.results[0].type
    assert isinstance(type_, MemRefType)
    w.values[op.results[0]] = static_buffer(f"@{DYNAMIC_SHARED}", type_, space=SHARED_SPACE)


# Exchanging


def by_words(w: FunctionWriter, type_: Attribute, value: str, act: Callable[[str], str]) -> str:
    """Apply `act`, a function of `i32`, to every word of a scalar or row."""
    name = scalar_type(element_type(type_))
    bits = {"float": 32, "double": 64}.get(name) or int(name[1:])
    lanes = vector_shape(type_)[-1] if isinstance(type_, VectorType) else None
    total = bits * (lanes or 1)
    if lanes is not None and (bits < 8 or total % 32):
        return _lane_by_lane(w, element_type(type_), lanes, value, act)
    whole = name if lanes is None else f"<{lanes} x {name}>"
    if total < 32:
        moved = act(w.emit(f"zext {whole} {value} to i32"))
        return w.emit(f"trunc i32 {moved} to {whole}")
    if total == 32:
        return _cast(w, act(_cast(w, value, whole, "i32")), "i32", whole)
    words = total // 32
    packed = _cast(w, value, whole, f"<{words} x i32>")
    moved = "poison"
    for word in range(words):
        one = act(w.emit(f"extractelement <{words} x i32> {packed}, i64 {word}"))
        moved = w.emit(f"insertelement <{words} x i32> {moved}, i32 {one}, i64 {word}")
    return _cast(w, moved, f"<{words} x i32>", whole)


def _cast(w: FunctionWriter, value: str, source: str, target: str) -> str:
    return value if source == target else w.emit(f"bitcast {source} {value} to {target}")


def _lane_by_lane(w: FunctionWriter, element: Attribute, lanes: int, row: str, act: Callable[[str], str]) -> str:
    name = scalar_type(element)
    result = "poison"
    for lane in range(lanes):
        one = by_words(w, element, w.emit(f"extractelement <{lanes} x {name}> {row}, i64 {lane}"), act)
        result = w.emit(f"insertelement <{lanes} x {name}> {result}, {name} {one}, i64 {lane}")
    return result


def _shuffle(w: FunctionWriter, op: Operation) -> None:
    mode = attribute(op, "mode")
    assert isinstance(mode, gpu.ShuffleModeAttr)
    source, offset, width = operand(op, 0), w.index(operand(op, 1)), w.index(operand(op, 2))
    lanes = device_of(w).subgroup
    if isinstance(width, int) and width > lanes:
        raise unsupported(op, f"segments of {width} lanes; a subgroup has {lanes}")
    exchange = device_of(w).shuffle(w, mode.data, offset, width)
    value = w.values[source]
    rows = value if isinstance(value, list) else [str(value)]
    w.bind(op.results[0], [by_words(w, source.type, row, exchange.read) for row in rows])
    w.values[op.results[1]] = exchange.valid()


_AS_WORDS = ("add", "and", "or", "xor", "minsi", "maxsi", "minui", "maxui")
"""How integers are combined by an instruction, where the machine has one."""


def _subgroup_reduce(w: FunctionWriter, op: Operation) -> None:
    kind = attribute(op, "op")
    assert isinstance(kind, gpu.ReduceKindAttr)
    name = str(kind.data.value)
    source = operand(op, 0)
    element = element_type(source.type)
    if is_float(element):
        refuse_small_float(op, source.type)
    value = w.values[source]
    rows = value if isinstance(value, list) else [str(value)]
    lanes = lanes_of(source.type)
    bits = _integer_bits(element)
    if lanes is None and bits is not None and bits <= 32 and name in _AS_WORDS and w.module.strategy.reductions:
        w.bind(op.results[0], [_reduced_word(w, name, bits, rows[0])])
        return
    results: list[str] = []
    for row in rows:
        step = device_of(w).subgroup // 2
        while step:
            other = by_words(w, source.type, row, _butterfly(w, step))
            row = combine(w, name, element, lanes, row, other)
            step //= 2
        results.append(row)
    w.bind(op.results[0], results)


def _integer_bits(element: Attribute) -> int | None:
    return None if is_float(element) else int(scalar_type(element)[1:])


def _reduced_word(w: FunctionWriter, kind: str, bits: int, value: str) -> str:
    extend = "sext" if kind in ("minsi", "maxsi") else "zext"
    wide = value if bits == 32 else w.emit(f"{extend} i{bits} {value} to i32")
    total = device_of(w).reduce_word(w, kind, wide)
    return total if bits == 32 else w.emit(f"trunc i32 {total} to i{bits}")


def _butterfly(w: FunctionWriter, step: int) -> Callable[[str], str]:
    return lambda word: device_of(w).butterfly(w, word, step)


# Asking


def _mask(w: FunctionWriter, op: Operation, mask: str, result: Attribute) -> str:
    """A mask of lanes as an integer of the result's type, which has a bit for each lane."""
    name, lanes = scalar_type(result), device_of(w).subgroup
    bits = int(name[1:])
    if bits < lanes:
        raise unsupported(op, f"a mask of {bits} bits of the {lanes} lanes of a subgroup; its type must be i{lanes}")
    return mask if bits == lanes else w.emit(f"zext i{lanes} {mask} to {name}")


def _ballot(w: FunctionWriter, op: Operation) -> None:
    mask = device_of(w).ballot(w, w.scalar(operand(op, 0)))
    w.values[op.results[0]] = _mask(w, op, mask, op.results[0].type)


def _vote(w: FunctionWriter, op: Operation) -> None:
    assert isinstance(op, gpu.VoteOp)
    w.values[op.result] = device_of(w).vote(w, op.mode.data, w.scalar(op.predicate))


def _match(w: FunctionWriter, op: Operation) -> None:
    assert isinstance(op, gpu.MatchOp)
    bits, value = int(scalar_type(op.value.type)[1:]), w.scalar(op.value)
    if op.same is None:
        mask = device_of(w).match_any(w, bits, value)
    else:
        mask, w.values[op.same] = device_of(w).match_all(w, bits, value)
    w.values[op.result] = _mask(w, op, mask, op.result.type)


def _all_reduce(w: FunctionWriter, op: Operation) -> None:
    del w
    raise unsupported(op, "reductions over a block become shared memory and barriers before the writer")


EMITTERS: dict[str, Emitter] = {
    "gpu.all_reduce": _all_reduce,
    "gpu.ballot": _ballot,
    "gpu.barrier": _barrier,
    "gpu.block_dim": _block_dim,
    "gpu.block_id": _block_id,
    "gpu.dynamic_shared_memory": _dynamic_shared_memory,
    "gpu.fence": _fence,
    "gpu.global_id": _global_id,
    "gpu.grid_dim": _grid_dim,
    "gpu.lane_id": _lane_id,
    "gpu.match": _match,
    "gpu.num_subgroups": _num_subgroups,
    "gpu.shuffle": _shuffle,
    "gpu.subgroup_barrier": _subgroup_barrier,
    "gpu.subgroup_id": _subgroup_id,
    "gpu.subgroup_reduce": _subgroup_reduce,
    "gpu.subgroup_size": _subgroup_size,
    "gpu.thread_id": _thread_id,
    "gpu.vote": _vote,
}
