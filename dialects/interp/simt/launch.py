"""Running one launch: the checks of what the machine allows, then block after block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import product
from math import prod
from typing import Any

import numpy as np
from xdsl.dialects.builtin import DYNAMIC_INDEX, MemRefType
from xdsl.ir import BlockArgument, Operation, OpResult, SSAValue

from stepwell.dialects.gpu import MAX_BLOCK_THREADS, DynamicSharedMemoryOp, FuncOp, SubgroupBarrierOp
from stepwell.dialects.interp.simt import (
    asynchronous,
    atomics,
    control_flow,
    elementwise,
    identity,
    matrix,
    memrefs,
    output,
    subgroups,
    vectors,
)
from stepwell.dialects.interp.simt.block import SUBGROUP, Dims, LaunchState, ThreadBlock, poisoned
from stepwell.dialects.interp.simt.fragments import FragmentCheck
from stepwell.dialects.interp.simt.memory import Memory, MemRef, arguments_in_memory, contiguous, elements
from stepwell.dialects.interp.simt.origins import Origins, Views, unknown
from stepwell.dialects.interp.simt.program import Body, Builder, Follower, Prepare, Run
from stepwell.dialects.interp.simt.reports import EnoughReportsError, ReportKind, Reports, SimulationError
from stepwell.dialects.interp.simt.values import Array, Value
from stepwell.dialects.nvgpu import MmaSyncOp
from stepwell.dialects.registry import interpreter_rules
from stepwell.ir.diagnostics import invalid
from stepwell.ir.dtypes import byte_width, numpy_dtype
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.machine import machine_of

RULES: dict[str, Prepare] = {
    **asynchronous.RULES,
    **atomics.RULES,
    **control_flow.RULES,
    **elementwise.RULES,
    **identity.RULES,
    **matrix.RULES,
    **memrefs.RULES,
    **output.RULES,
    **subgroups.RULES,
    **vectors.RULES,
}
"""What each op means to the threads of a block."""

SHARED_BYTES = 48 << 10
"""Shared memory that a function may declare, where the module names no machine that says otherwise."""
SHARED_LIMIT = 227 << 10
"""Shared memory a launch may have in all, where the module names no machine that says otherwise."""
GRID_LIMITS = (2**31 - 1, 65535, 65535)

_VIEWS = frozenset(
    f"memref.{name}"
    for name in (
        "assume_alignment",
        "cast",
        "collapse_shape",
        "expand_shape",
        "memory_space_cast",
        "reinterpret_cast",
        "subview",
        "view",
    )
)
"""Ops that give another memref of the memory of their first operand, and touch nothing."""

_WRITTEN_OPERAND = {
    "affine.store": 1,
    "affine.vector_store": 1,
    "memref.atomic_rmw": 1,
    "memref.copy": 1,
    "memref.store": 1,
    "vector.maskedstore": 0,
    "vector.scatter": 0,
    "vector.store": 1,
    "vector.transfer_write": 1,
}
"""Where ops that write memory have its memref."""


def launch(
    function: FuncOp,
    args: Sequence[Value],
    *,
    grid: Sequence[int],
    block: Sequence[int],
    shared_bytes: int = 0,
    check: bool = True,
    collect: int = 0,
    at: Operation | None = None,
) -> tuple[SimulationError, ...]:
    """Run a kernel; arrays among `args` are its global memory and are written in place.

    Args:
        function: The kernel.
        args: An array for each memref and a number for each scalar of its signature.
        grid: Blocks along x, y and z; the missing are 1.
        block: Threads of a block along x, y and z; the missing are 1.
        shared_bytes: Dynamic shared memory.
        check: Look for races, uninitialized reads, copies not waited for and wrong fragments of matrices. Bounds,
            alignment and who reaches what are always checked.
        collect: How many reports to collect; with 0 the first is raised.
        at: The op to blame for a wrong launch; the kernel itself when None.

    Returns:
        The reports collected, one per op and kind, in the order they were found.

    Raises:
        SimulationError: the first report, when none are collected.
        InvalidProgramDiagnosticError: the arguments do not fit the signature.
        UnsupportedDiagnosticError: the kernel has an op that the simulator does not know.
    """
    reports = Reports(collect)
    builder = Builder(RULES, Interpreter(function, interpreter_rules()), _follower(function) if check else None)
    body = builder.region(function.body)
    lanes = machine_of(function).subgroup
    state = LaunchState(
        grid=_dims(grid),
        block=_dims(block),
        shared_bytes=shared_bytes,
        check=check,
        reports=reports,
        ops=tuple(builder.numbers),
        numbers=builder.numbers,
        granules=_granules(function),
        has_subgroup_barriers=any(isinstance(op, SubgroupBarrierOp) for op in builder.numbers),
        subgroup=lanes if lanes > 1 else SUBGROUP,
    )
    _check_launch(function, state, at or function)
    values = _arguments(function, args, state, at or function)
    with suppress(EnoughReportsError), np.errstate(all="ignore"):
        for number, index in enumerate(_blocks(state.grid)):
            _run_block(function, body, ThreadBlock(state, index, number, builder.size), values)
    return tuple(reports.found)


def _follower(function: FuncOp) -> Follower | None:
    """What follows the elements of matrices, where there are products of them."""
    if not any(isinstance(op, MmaSyncOp) for op in function.walk()):
        return None
    views = Views()
    return Origins(function, views, FragmentCheck(views))


def _dims(sizes: Sequence[int]) -> Dims:
    x, y, z = (*(int(n) for n in sizes), 1, 1, 1)[:3]
    return x, y, z


def _blocks(grid: Dims) -> Iterator[Dims]:
    """Block indices, along x first."""
    return ((x, y, z) for z, y, x in product(*(range(n) for n in reversed(grid))))


def _run_block(function: FuncOp, body: Body, block: ThreadBlock, args: Sequence[Value]) -> None:
    state = block.launch
    shared = [_shared(state, arg, i) for i, arg in enumerate(function.workgroup_args)]
    private: list[MemRef] = []
    for arg in function.private_args:
        kind = arg.type
        assert isinstance(kind, MemRefType)
        name = f"private memory %{arg.name_hint or arg.index}"
        private.append(memrefs.private_memory(block, name, kind.get_shape(), numpy_dtype(kind.element_type)))
    block.dynamic_shared = Memory("dynamic shared memory", poisoned(state.shared_bytes), space="workgroup")
    state.watch(block.dynamic_shared)
    given = [*args, *shared, *private]
    companions = [unknown(()) for _ in range(len(body.arguments) - len(given))]  # of scalars
    block.run(body, [*given, *companions])
    if state.check:
        asynchronous.check_all_arrived(block)


def _shared(state: LaunchState, arg: BlockArgument, number: int) -> MemRef:
    kind = arg.type
    assert isinstance(kind, MemRefType)
    dtype, shape = numpy_dtype(kind.element_type), kind.get_shape()
    memory = Memory(
        f"shared memory %{arg.name_hint or number}", poisoned(elements(shape) * dtype.itemsize), space="workgroup"
    )
    state.watch(memory)
    return contiguous(memory, dtype, 0, shape)


def _dynamic_shared_memory(op: Operation, builder: Builder) -> Run:
    del op, builder

    def run(block: ThreadBlock) -> Sequence[Value]:
        assert block.dynamic_shared is not None
        return (contiguous(block.dynamic_shared, np.dtype(np.int8), 0, (block.launch.shared_bytes,)),)

    return run


RULES["gpu.dynamic_shared_memory"] = _dynamic_shared_memory


def _check_launch(function: FuncOp, state: LaunchState, at: Operation) -> None:
    """What a driver refuses."""
    machine = machine_of(function)
    on_device = machine.subgroup > 1
    most_threads = machine.block_threads if on_device and machine.block_threads else MAX_BLOCK_THREADS
    declared_limit = machine.shared_bytes if on_device and machine.shared_bytes else SHARED_BYTES
    limit = machine.shared_limit if on_device and machine.shared_limit else SHARED_LIMIT
    declared = sum(_bytes_of(arg.type) for arg in function.workgroup_args)
    threads = prod(state.block)
    problems = (
        (min(state.block) < 1, f"a block of {state.block} threads"),
        (threads > most_threads, f"a block of {threads} threads; at most {most_threads} are possible"),
        (
            any(not 1 <= n <= most for n, most in zip(state.grid, GRID_LIMITS, strict=True)),
            f"a grid of {state.grid} blocks; from 1 to {GRID_LIMITS} are possible",
        ),
        (
            function.block_size not in (None, state.block),
            f"blocks of {state.block} threads, but the kernel knows of {function.block_size}",
        ),
        (
            function.grid_size not in (None, state.grid),
            f"a grid of {state.grid} blocks, but the kernel knows of {function.grid_size}",
        ),
        (declared > declared_limit, f"{declared} bytes of declared shared memory; {declared_limit} are possible"),
        (state.shared_bytes < 0, f"{state.shared_bytes} bytes of dynamic shared memory"),
        (
            declared + state.shared_bytes > limit,
            f"{declared + state.shared_bytes} bytes of shared memory; {limit} are possible",
        ),
    )
    for wrong, message in problems:
        if wrong:
            raise SimulationError(ReportKind.LAUNCH, at, f"@{function.sym_name.data} is launched with {message}")


def _bytes_of(kind: Any) -> int:
    assert isinstance(kind, MemRefType)
    return elements(kind.get_shape()) * byte_width(kind.element_type)


def _arguments(function: FuncOp, args: Sequence[Value], state: LaunchState, at: Operation) -> list[Value]:
    """The kernel's arguments as its threads hold them."""
    if len(args) != len(function.args):
        raise invalid(at, f"@{function.sym_name.data} takes {len(function.args)} arguments, not {len(args)}")
    values: list[Value] = list(args)
    arrays: list[tuple[str, Array]] = []
    places: list[int] = []
    for i, (arg, value) in enumerate(zip(function.args, args, strict=True)):
        name = f"%{arg.name_hint or i}"
        if isinstance(arg.type, MemRefType):
            arrays.append((name, _checked_array(name, arg.type, value, at)))
            places.append(i)
        else:
            values[i] = numpy_dtype(arg.type).type(value)[()]
            values[i] = int(values[i]) if arg.type.name == "index" else values[i]
    try:
        refs = arguments_in_memory(arrays)
    except ValueError as error:
        raise invalid(at, f"@{function.sym_name.data}: {error}") from None
    written = _written_arguments(function)
    for i, ref in zip(places, refs, strict=True):
        values[i] = ref
        if i in written and ref.memory.shadow is None:
            state.watch(ref.memory)
    return values


def _checked_array(name: str, kind: MemRefType[Any], value: Value, at: Operation) -> Array:
    wanted = numpy_dtype(kind.element_type)
    if not isinstance(value, np.ndarray):
        raise invalid(at, f"argument {name} is {kind}, not a number")
    shape = kind.get_shape()
    fits = len(shape) == value.ndim and all(n in (DYNAMIC_INDEX, m) for n, m in zip(shape, value.shape, strict=True))
    same_bits = value.dtype == wanted or (value.dtype.kind in "iu" and wanted.kind in "iu")
    if not fits or not same_bits or value.dtype.itemsize != wanted.itemsize:
        raise invalid(at, f"argument {name} is {kind}, not an array of {value.dtype} and shape {value.shape}")
    if kind.layout.name == "none" and value.size and not value.flags.c_contiguous:
        raise invalid(at, f"argument {name} is {kind}, but the array is not contiguous")
    return value.view(wanted)


def _granules(function: FuncOp) -> dict[str, int]:
    """Per memory space the bytes of the smallest element that an op touches."""
    result: dict[str, int] = {}
    for op in function.walk():
        if op.name in _VIEWS:
            continue
        for operand in op.operands:
            kind = operand.type
            if isinstance(kind, MemRefType):
                space = space_of(kind)
                width = byte_width(kind.element_type)
                result[space] = min(width, result.get(space, width))
    return result


def _written_arguments(function: FuncOp) -> frozenset[int]:
    """Which arguments the kernel may write: no other memory needs watching for races."""
    everything = frozenset(range(len(function.args)))
    found: set[int] = set()
    for op in function.walk():
        place = _WRITTEN_OPERAND.get(op.name)
        if place is None:
            continue
        root = _root(op.operands[place])
        if root is None:
            return everything
        if isinstance(root, BlockArgument):
            found.add(root.index)
    return frozenset(found) & everything


def _root(value: SSAValue) -> SSAValue | None:
    """The function's argument or the op that a memref's memory comes from; None when it is not plain to see."""
    while isinstance(value, OpResult):
        if value.op.name not in _VIEWS:
            return value if value.op.name in _OWN_MEMORY else None
        value = value.op.operands[0]
    assert isinstance(value, BlockArgument)
    return value if isinstance(value.block.parent_op(), FuncOp) else None


_OWN_MEMORY = frozenset({"memref.alloca", "memref.get_global", DynamicSharedMemoryOp.name})


def space_of(kind: MemRefType[Any]) -> str:
    """The memory space of a memref by the name memories go by."""
    space = getattr(kind.memory_space, "data", None)
    return "global" if space is None else str(space)


__all__ = ["RULES", "launch"]
