"""One parallel phase of a kernel as a `gpu.func`: tasks over the grid, scratch as shared memory or registers, barriers.

A task of a block is its subgroups' common code (uniform loops and branches) with loops over subgroups in it, each joined by
a barrier where the next part depends on it. A task of a subgroup is vector code spread over its lanes. A task of a thread is
copied as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from xdsl.dialects import affine, arith, memref, scf
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseArrayBase,
    IntegerAttr,
    MemRefType,
    NoneAttr,
    StringAttr,
    VectorType,
    i32,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import gpu, kernel, nvgpu, rt, vector
from stepwell.dialects.kernel import Level, ScratchScope, level_of
from stepwell.dialects.scf import ForallOp, InParallelOp
from stepwell.ir.diagnostics import invalid, unsupported
from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription
from stepwell.passes.gpu_mapping.assignment import (
    Assignment,
    assign,
    carried_result,
    is_free,
    is_line,
    is_vector,
    scope_of,
)
from stepwell.passes.gpu_mapping.layouts import Layout
from stepwell.passes.gpu_mapping.ordering import Order, accessed, plan_order, storage_of
from stepwell.passes.gpu_mapping.outside import Argument, Outside
from stepwell.passes.gpu_mapping.places import place_of
from stepwell.passes.gpu_mapping.products import uses_matrix_unit
from stepwell.passes.gpu_mapping.state import Buffer, PhaseState
from stepwell.passes.gpu_mapping.vectors import map_vector_op
from stepwell.passes.schedules.emit import Emitter, Index

THREADS = 128
"""Threads of a block whose tasks are threads, when the schedule does not say."""
SUBGROUPS = 4
"""Subgroups of a block whose tasks are subgroups, when the schedule does not say."""
SHARED_ALIGNMENT = 16


@dataclass(frozen=True)
class Phase:
    """A grid: what it runs, over which arguments of the kernel's launch, and how large it is."""

    function: gpu.FuncOp
    arguments: tuple[Argument, ...]
    grid: int
    block: int
    shared_bytes: int
    """What the launch must ask for; static shared memory does not count."""


def map_phase(func: kernel.FuncOp, loop: ForallOp, name: str, machine: MachineDescription) -> Phase:
    """The phase that `loop`, at the top of kernel `func`, is.

    Raises:
        UnsupportedError: an op has no form on this machine, or its tasks need more than a block has.
    """
    return _PhaseWriter(func, loop, machine).write(name)


class _PhaseWriter:
    def __init__(self, func: kernel.FuncOp, loop: ForallOp, machine: MachineDescription):
        self.func = func
        self.loop = loop
        self.machine = machine
        self.sizes = _static_sizes(loop)
        self.tasks = prod(self.sizes)
        self.level = level_of(loop) or Level.THREAD
        self.numbers = _numbers(func)
        lanes = machine.subgroup
        grid = (self.numbers.get("lanes_m", 1), self.numbers.get("lanes_n", lanes))
        if grid[0] * grid[1] != lanes:
            raise invalid(func, f"has a grid of {grid[0]}x{grid[1]} lanes in its schedule; a subgroup has {lanes}")
        spread = self.level is not Level.THREAD
        self.assignment = assign(loop, lanes, grid) if spread else Assignment(lanes, *grid)
        self.width = self._subgroups()
        self.scratch = [op for op in loop.walk() if isinstance(op, memref.AllocaOp)]
        self.order = Order()
        self._owned: list[SSAValue] = []

    # Sizes.

    def _subgroups(self) -> int:
        """Subgroups of a block."""
        lanes = self.machine.subgroup
        if self.level is Level.THREAD:
            wanted = -(-min(self.numbers.get("threads", THREADS), max(1, self.tasks)) // lanes)
        elif self.level is Level.SUBGROUP:
            wanted = min(self.numbers.get("subgroups", SUBGROUPS), max(1, self.tasks))
        else:
            inner = [op for op in self.loop.walk() if isinstance(op, ForallOp) and op is not self.loop]
            wanted = max((prod(_static_sizes(op)) for op in inner), default=1)
        if wanted * lanes > self.machine.block_threads:
            raise invalid(
                self.func,
                f"asks for blocks of {wanted * lanes} threads; this machine has at most {self.machine.block_threads}",
                "lower `subgroups` in its schedule",
            )
        return wanted

    def _grid(self) -> int:
        if self.level is Level.BLOCK:
            return self.tasks
        each = self.width if self.level is Level.SUBGROUP else self.width * self.machine.subgroup
        return -(-self.tasks // each)

    # The function.

    def write(self, name: str) -> Phase:
        """Make the function."""
        outside = Outside(self.func, self.loop)
        shared = [op for op in self.scratch if op.memref not in self.assignment.registers]
        kinds = [self._shared_type(op) for op in shared]
        total = sum(-(-_bytes(kind) // SHARED_ALIGNMENT) * SHARED_ALIGNMENT for kind in kinds)
        if total > max(self.machine.shared_bytes, self.machine.shared_limit):
            raise invalid(
                self.func,
                f"asks for {total} bytes of memory shared by a block; this machine has {self.machine.shared_limit}",
                "lower the tile sizes or `stages` in its schedule",
            )
        dynamic = total > self.machine.shared_bytes
        block, grid = self.width * self.machine.subgroup, self._grid()
        function = gpu.FuncOp(
            name,
            [a.type for a in outside.arguments],
            workgroup=[] if dynamic else kinds,
            known_block_size=(block, 1, 1),
            known_grid_size=(grid, 1, 1),
        )
        function.location = self.loop.location
        function.attributes["access"] = ArrayAttr([StringAttr(a) for a in self._access(outside)])
        entry = function.body.block
        self.state = PhaseState(Emitter(entry, self.loop.location), self.assignment)
        count = len(outside.arguments)
        for old, new in zip(outside.arguments, entry.args[:count], strict=True):
            new.name_hint = old.name_hint
            self.state.values[old] = new
        outside.copy_into(self.state, vectors=self.level is Level.THREAD)
        views = self._views(kinds) if dynamic else list(entry.args[count:])
        self._bind_scratch(shared, views)
        self._body(grid)
        self.state.em.location = self.func.location
        self.state.em.add(gpu.ReturnOp())
        return Phase(function, tuple(outside.positions), grid, block, total if dynamic else 0)

    def _access(self, outside: Outside) -> list[str]:
        """What the phase does with each argument."""
        read: dict[SSAValue, None] = {}
        written: dict[SSAValue, None] = {}
        for op in self.loop.walk():
            for value, writes in accessed(op):
                (written if writes else read)[outside.base(value)] = None
        kinds: list[str] = []
        for argument in outside.arguments:
            if argument not in written:
                kinds.append(kernel.READ)
            else:
                kinds.append(kernel.READWRITE if argument in read else kernel.WRITE)
        return kinds

    # Scratch.

    def _shared_type(self, op: memref.AllocaOp) -> MemRefType:
        """A scratch in shared memory; one that a task of a subgroup owns is there once a subgroup."""
        kind = op.memref.type
        assert isinstance(kind, MemRefType)
        shape = list(kind.get_shape())
        if self._per_subgroup(op):
            shape.insert(0, self.width)
        return MemRefType(kind.element_type, shape, NoneAttr(), gpu.WORKGROUP)

    def _per_subgroup(self, op: memref.AllocaOp) -> bool:
        """Whether the scratch belongs to a task of a subgroup, rather than to the block's with a dim for subgroups."""
        owner = op.parent_op()
        while owner is not None and not isinstance(owner, ForallOp):
            owner = owner.parent_op()
        assert owner is not None
        return scope_of(op) is ScratchScope.SUBGROUP and level_of(owner) is Level.SUBGROUP

    def _views(self, kinds: Sequence[MemRefType]) -> list[SSAValue]:
        """Scratch as pieces of dynamic shared memory."""
        em = self.state.em
        whole = em.add(gpu.DynamicSharedMemoryOp()).results[0]
        views: list[SSAValue] = []
        offset = 0
        for kind in kinds:
            views.append(em.add(memref.ViewOp(whole, em.index(offset), [], kind)).result)
            offset += -(-_bytes(kind) // SHARED_ALIGNMENT) * SHARED_ALIGNMENT
        return views

    def _bind_scratch(self, shared: Sequence[memref.AllocaOp], views: Sequence[SSAValue]) -> None:
        em = self.state.em
        self._owned = [op.memref for op in shared if self._per_subgroup(op)]
        for op, view in zip(shared, views, strict=True):
            view.name_hint = op.memref.name_hint
            self.state.buffers[op.memref] = Buffer(view, (), "swizzle" in op.attributes, shared=True)
        for root in self.assignment.registers:
            layout = self.assignment.layout(root)
            assert isinstance(root.type, MemRefType)
            kind = MemRefType(root.type.element_type, [layout.count, *layout.piece], NoneAttr(), gpu.PRIVATE)
            held = memref.AllocaOp.build(operands=[[], []], result_types=[kind])
            self.state.registers[root] = em.add(held).memref

    # Tasks.

    def _body(self, grid: int) -> None:
        state, em = self.state, self.state.em
        if self.tasks == 0:
            return
        block: Index = 0 if grid == 1 else em.add(gpu.BlockIdOp("x", upper_bound=grid)).result
        if self.level is Level.THREAD:
            threads = self.width * self.machine.subgroup
            thread = em.add(gpu.ThreadIdOp("x", upper_bound=threads)).result
            self._guarded(self._number(block, thread, threads), grid * threads, self._thread_task)
            return
        state.lane = em.add(gpu.LaneIdOp(upper_bound=self.machine.subgroup)).result
        if self.width > 1:
            state.subgroup = em.add(gpu.SubgroupIdOp(upper_bound=self.width)).result
        for root in self._owned:
            buffer = state.buffers[root]
            state.buffers[root] = Buffer(buffer.value, (state.subgroup,), buffer.swizzled, shared=True)
        if self.level is Level.SUBGROUP:
            self._guarded(self._number(block, state.subgroup, self.width), grid * self.width, self._subgroup_task)
        else:
            self._block_task(block)

    def _number(self, block: Index, within: Index, size: int) -> Index:
        expr = AffineExpr.dimension(0) * size + AffineExpr.dimension(1)
        return self.state.em.apply(expr, [block, within])

    def _guarded(self, task: Index, last: int, body: Callable[[Index], None]) -> None:
        """Do a task unless there are fewer tasks than doers."""
        if last == self.tasks:
            body(task)
            return
        em = self.state.em
        there = em.add(arith.CmpiOp(em.index(task), em.index(self.tasks), "slt")).result
        self.state.when(there, lambda: body(task))

    def _bind_indices(self, loop: ForallOp, task: Index) -> None:
        """A forall's indices from the number of a task."""
        em = self.state.em
        sizes = _static_sizes(loop)
        for dim, argument in enumerate(loop.induction_vars):
            inner = prod(sizes[dim + 1 :])
            expr = AffineExpr.dimension(0) // inner if inner > 1 else AffineExpr.dimension(0)
            if dim > 0 and sizes[dim] > 1:
                expr = expr % sizes[dim]
            lower, step = loop.lower_bounds[dim], loop.steps[dim]
            assert isinstance(lower, int)
            assert isinstance(step, int)
            index: Index = lower if sizes[dim] == 1 else em.apply(expr * step + lower, [task])
            self.state.values[argument] = em.index(index)

    def _thread_task(self, task: Index) -> None:
        self._bind_indices(self.loop, task)
        mapper = dict(self.state.values)
        for op in self.loop.body.block.ops:
            if isinstance(op, InParallelOp):
                continue
            for inner in op.walk():
                if isinstance(inner, rt.WorkerIdOp | ForallOp | memref.AllocaOp):
                    raise unsupported(inner, "it was scheduled for a machine whose workers have memory of their own")
            self.state.em.location = op.location
            copy = op.clone(mapper)
            self.state.em.add(copy)

    def _subgroup_task(self, task: Index) -> None:
        self._bind_indices(self.loop, task)
        self._subgroup_body(self.loop)

    def _subgroup_body(self, loop: ForallOp) -> None:
        order = plan_order(
            loop.body.block, lambda op: bool(accessed(op)), self._seen_by_lanes(loop), writes_conflict=False
        )
        self._ops(loop.body.block, lambda op: self._subgroup_op(op, order))

    def _seen_by_lanes(self, loop: ForallOp) -> Callable[[SSAValue], bool]:
        """Buffers that lanes both read and write."""
        written = [storage_of(place_of(v).root) for op in loop.walk() for v, writes in accessed(op) if writes]
        known = dict.fromkeys(written)
        return lambda root: storage_of(root) in known and root not in self.assignment.registers

    def _block_task(self, task: Index) -> None:
        self._bind_indices(self.loop, task)
        self.order = plan_order(
            self.loop.body.block,
            lambda op: isinstance(op, ForallOp) or bool(accessed(op)),
            lambda root: root not in self.assignment.registers,
            writes_conflict=True,
        )
        self._ops(self.loop.body.block, self._block_op)

    def _ops(self, block: Block, emit: Callable[[Operation], None]) -> None:
        for op in block.ops:
            if op is not block.last_op or not _is_terminator(op):
                self.state.em.location = op.location
                emit(op)

    # Code of a block.

    def _block_op(self, op: Operation) -> None:
        if op in self.order.barriers:
            self._barrier(op)
        if isinstance(op, ForallOp):
            self._inner_loop(op)
        elif op.regions:
            self._rebuild(op, self._block_op)
        elif _writes(op):
            # All threads of the block agree on the value: one stores it.
            first = self._is_first(self.state.subgroup) if self.width > 1 else None
            self._store_once(op, first)
        else:
            self._scalar_op(op)

    def _barrier(self, op: Operation) -> None:
        em = self.state.em
        wait = op.attributes.get("wait")
        if isinstance(wait, IntegerAttr):
            em.add(nvgpu.DeviceAsyncWaitOp(wait.value.data))
        if self.width * self.machine.subgroup > 1:
            em.add(gpu.BarrierOp())

    def _inner_loop(self, loop: ForallOp) -> None:
        if level_of(loop) is not Level.SUBGROUP:
            raise unsupported(loop, "only subgroups share the work of a block", "give it #kernel.level<subgroup>")
        state = self.state
        count = prod(_static_sizes(loop))

        def task() -> None:
            self._bind_indices(loop, state.subgroup)
            self._subgroup_body(loop)

        if count == self.width:
            task()
        elif count > 0:
            em = state.em
            test = arith.CmpiOp(em.index(state.subgroup), em.index(count), "slt")
            self.state.when(em.add(test).result, task)
        if any("async" in op.attributes for op in loop.walk()):
            state.em.add(nvgpu.DeviceAsyncCreateGroupOp())

    # Code of a subgroup.

    def _subgroup_op(self, op: Operation, order: Order) -> None:
        state = self.state
        if op in order.barriers:
            state.em.add(gpu.SubgroupBarrierOp())
        if isinstance(op, ForallOp):
            raise unsupported(op, "a subgroup's task has no parallel loops inside of it")
        if op.regions:
            self._rebuild(op, lambda inner: self._subgroup_op(inner, order))
        elif any(is_vector(v) for v in (*op.results, *op._operands)):  # pyright: ignore[reportPrivateUsage]
            map_vector_op(state, op, self._demands(op))
        elif _writes(op):
            self._store_once(op, None)
        else:
            self._scalar_op(op)

    def _demands(self, op: Operation) -> list[Layout]:
        """The layouts in which a read, or a line, is needed; none when its readers take it from memory themselves."""
        if not isinstance(op, upstream_vector.TransferReadOp) and not is_line(op):
            return []
        result = op.results[0]
        if not is_free(result, self.assignment):
            return [self.assignment.layout(result)]
        found: dict[Layout, None] = {}
        for use in result.uses:
            user = use.operation
            factor = isinstance(user, vector.ContractOp) and use.index < 2 and uses_matrix_unit(user)
            copied = isinstance(user, upstream_vector.TransferWriteOp) and "async" in user.attributes
            if not factor and not is_line(user) and not (copied and result.has_one_use()):
                found[self.assignment.wanted(user, use.index)] = None
        return list(found)

    def _scalar_op(self, op: Operation) -> None:
        """An op without vectors: the same in all lanes."""
        state = self.state
        if isinstance(op, memref.SubviewOp | memref.AllocaOp):
            return
        if isinstance(op, memref.LoadOp | affine.LoadOp):
            root, indices = self._element(op)
            state.values[op.results[0]] = state.em.add(memref.LoadOp.get(root, indices)).res
            return
        if accessed(op) or isinstance(op, rt.WorkerIdOp):
            raise unsupported(op, "it has no form on the lanes of a subgroup")
        state.repeat(op)

    def _element(self, op: Operation) -> tuple[SSAValue, list[SSAValue]]:
        """The buffer and indices of a load or store."""
        state = self.state
        assert isinstance(op, memref.LoadOp | memref.StoreOp | affine.LoadOp | affine.StoreOp)
        place = place_of(op.memref)
        if place.root in self.assignment.registers:
            raise unsupported(op, "it takes one element of what the lanes hold in registers")
        buffer = state.buffer_of(op, place.root)
        given = [state.value(i) for i in op.indices]
        if isinstance(op, affine.LoadOp | affine.StoreOp):
            amap = op.map.data
            given = [
                state.em.index(state.em.apply(e, given[: amap.num_dims], given[amap.num_dims :])) for e in amap.results
            ]
        for old in given:
            state.values.setdefault(old, old)
        return buffer.value, state.em.indices(state.indices(buffer, place, given, {}))

    def _store_once(self, op: Operation, condition: SSAValue | None) -> None:
        """A store that all lanes would do alike, by the first one."""
        assert isinstance(op, memref.StoreOp | affine.StoreOp), op.name
        state = self.state
        value = state.value(op.value)
        root, indices = self._element(op)
        first = self._is_first(state.lane)
        if condition is not None:
            first = state.em.add(arith.AndIOp(first, condition)).result
        self.state.when(first, lambda: (state.em.add(memref.StoreOp.get(value, root, indices)), None)[1])

    def _is_first(self, number: Index) -> SSAValue:
        em = self.state.em
        return em.add(arith.CmpiOp(em.index(number), em.index(0), "eq")).result

    # Control flow.

    def _rebuild(self, op: Operation, emit: Callable[[Operation], None]) -> None:
        """A loop or branch with carried vectors in pieces and its body mapped."""
        em = self.state.em
        operands = [self._flat(op, i) for i in range(len(op._operands))]  # pyright: ignore[reportPrivateUsage]
        regions = [Region([self._block(block, emit) for block in region.blocks]) for region in op.regions]
        em.location = op.location
        properties = dict(op.properties)
        if isinstance(op, affine.ForOp):
            bounds = len(op.lowerBoundOperands), len(op.upperBoundOperands)
            carried = sum(len(o) for o in operands[sum(bounds) :])
            properties["operandSegmentSizes"] = DenseArrayBase.from_list(i32, [*bounds, carried])
        flat = [value for group in operands for value in group]
        kinds = [kind for result in op.results for kind in self._kinds(result)]
        new = type(op).create(
            operands=flat, result_types=kinds, properties=properties, attributes=dict(op.attributes), regions=regions
        )
        em.add(new)
        self._unflatten(op.results, list(new.results))

    def _kinds(self, value: SSAValue) -> list[Attribute]:
        if not is_vector(value):
            return [value.type]
        assert isinstance(value.type, VectorType)
        layout = self.assignment.layout(value)
        return [VectorType(value.type.element_type, layout.piece)] * layout.count

    def _flat(self, op: Operation, position: int) -> list[SSAValue]:
        operand = op._operands[position]  # pyright: ignore[reportPrivateUsage]
        if not is_vector(operand):
            return [self.state.value(operand)]
        if carried_result(op, position) is None:
            raise unsupported(op, "it carries a vector in a way that has no form on lanes")
        return list(self.state.pieces(operand, self.assignment.wanted(op, position)))

    def _unflatten(self, olds: Sequence[SSAValue], news: list[SSAValue]) -> None:
        for old in olds:
            count = len(self._kinds(old))
            taken, news = news[:count], news[count:]
            if is_vector(old):
                self.state.set_pieces(old, self.assignment.layout(old), taken)
            else:
                self.state.values[old] = taken[0]
                taken[0].name_hint = old.name_hint

    def _block(self, block: Block, emit: Callable[[Operation], None]) -> Block:
        kinds = [kind for argument in block.args for kind in self._kinds(argument)]
        new = Block(arg_types=kinds)
        self._unflatten(block.args, list(new.args))

        def fill() -> None:
            self._ops(block, emit)
            last = block.last_op
            assert last is not None
            self.state.em.location = last.location
            operands = [v for i in range(len(last.operands)) for v in self._flat(last, i)]
            end = type(last).create(operands=operands, properties=dict(last.properties))
            self.state.em.add(end)

        self.state.em.inside(new, fill)
        return new


def _writes(op: Operation) -> bool:
    return any(writes for _, writes in accessed(op))


def _is_terminator(op: Operation) -> bool:
    return isinstance(op, InParallelOp | scf.YieldOp | affine.YieldOp | scf.ConditionOp)


def _static_sizes(loop: ForallOp) -> list[int]:
    """Iterations per dim."""
    sizes: list[int] = []
    for lower, upper, step in zip(loop.lower_bounds, loop.upper_bounds, loop.steps, strict=True):
        if not isinstance(lower, int) or not isinstance(upper, int) or not isinstance(step, int):
            raise unsupported(loop, "the number of its tasks is known at run time only")
        sizes.append(max(0, -(-(upper - lower) // step)))
    return sizes


def _numbers(func: kernel.FuncOp) -> dict[str, int]:
    if func.schedule is None:
        return {}
    return {n: v.value.data for n, v in func.schedule.params.data.items() if isinstance(v, IntegerAttr)}


def _bytes(kind: MemRefType) -> int:
    return prod(kind.get_shape()) * byte_width(kind.element_type)


__all__ = ["Phase", "map_phase"]
