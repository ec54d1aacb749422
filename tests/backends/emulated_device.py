"""Runs the LLVM text of a device kernel on the CPU: one host thread for each thread of a block, lanes meeting in Python.

The text is what goes to NVPTX or AMDGPU but for address spaces and intrinsics: each `llvm.nvvm.*` and `llvm.amdgcn.*` becomes a call
of Python, which does what the PTX manual, or AMD's of the instruction set, says. So values are checked without a GPU, and so is every emitter above LLVM.
"""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Callable

import ml_dtypes
import numpy as np

from stepwell.backends.llvm.device import DYNAMIC_SHARED
from stepwell.backends.object import compile_llvm
from stepwell.backends.target import host_level, target_for
from stepwell.runtime.loader import Library

PREFIXES = r"llvm\.(?:nvvm|amdgcn)\."
PATIENCE = 300.0
_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)


def _slots(address: int, count: int, dtype: type = np.uint32) -> np.ndarray:
    """`count` values at an address, one every eight bytes."""
    width = 8 // np.dtype(dtype).itemsize
    raw = (ctypes.c_uint8 * (8 * count)).from_address(address)
    return np.frombuffer(raw, dtype)[::width]


def _product(words: np.ndarray, depth: int, dtype: type) -> np.ndarray:
    """A * B + C of the registers of 32 lanes."""
    pairs = depth // 4
    halves = np.ascontiguousarray(words[:, : pairs + pairs // 2]).view(dtype).astype(np.float32)
    sums = np.ascontiguousarray(words[:, -4:]).view(np.float32)
    a, b, c = np.zeros((16, depth), np.float32), np.zeros((depth, 8), np.float32), np.zeros((16, 8), np.float32)
    for lane in range(32):
        group, member = lane // 4, lane % 4
        for i in range(2 * pairs):
            a[group + 8 * (i // 2 % 2), 2 * member + i % 2 + 8 * (i // 4)] = halves[lane, i]
        for i in range(pairs):
            b[2 * member + i % 2 + 8 * (i // 2), group] = halves[lane, 2 * pairs + i]
        for i in range(4):
            c[group + 8 * (i // 2), 2 * member + i % 2] = sums[lane, i]
    return a @ b + c


_ASSEMBLY = re.compile(
    r'call (\w+) asm sideeffect "atom\.relaxed\.(?:cta|sys)\.(?:global|shared)\.(\w+)\.([usbf])\d+ \$0, \[\$1\], \$2;", '
    r'"[^"]*"\(ptr (\S+), (\w+ \S+)\)'
)


def _from_assembly(match: re.Match[str]) -> str:
    """An update written in PTX as LLVM's instruction."""
    name, kind = match[2], match[3]
    prefix = {"f": "f", "u": "u" if name in ("max", "min") else ""}.get(kind, "")
    return f"atomicrmw {'xchg' if name == 'exch' else prefix + name} ptr {match[4]}, {match[5]} monotonic"


class _Meeting:
    """Threads that exchange what each of them brings."""

    def __init__(self, count: int):
        self.brought: list = [None] * count
        self.barrier = threading.Barrier(count, timeout=PATIENCE)

    def exchange(self, who: int, value: object) -> list:
        self.brought[who] = value
        self.barrier.wait()
        everything = list(self.brought)
        self.barrier.wait()
        return everything


class Device:
    """One kernel of an LLVM module, ready to launch."""

    def __init__(self, text: str, kernel: str = "phase0", *, shared_bytes: int = 1 << 16, subgroup: int = 32):
        self.subgroup = subgroup
        self.names: list[str] = []
        self.errors: list[BaseException] = []
        self.here = threading.local()
        self._callback = _CALLBACK(self._called)
        address = ctypes.cast(self._callback, ctypes.c_void_p).value
        self.library = Library(
            [compile_llvm(self._hosted(text, shared_bytes), target_for(host_level()), 1)],
            [kernel],
            {"emulated": address},
        )
        self.address = self.library.address(kernel)

    # The text

    def _hosted(self, text: str, shared_bytes: int) -> str:
        text = re.sub(
            rf"@{DYNAMIC_SHARED} = external addrspace\(3\) global \[0 x i8\]",
            f"@{DYNAMIC_SHARED} = internal global [{shared_bytes} x i8] zeroinitializer",
            text,
        )
        text = re.sub(r"internal addrspace\(3\) global (\[.*?\]) poison", r"internal global \1 zeroinitializer", text)
        text = re.sub(r",? addrspace\(\d\)", "", text)
        text = re.sub(r"(?:ptx|amdgpu)_kernel ", "", text)
        text = _ASSEMBLY.sub(_from_assembly, text)
        text = re.sub(r"(@llvm\.[\w.]*?[.v\d])p[135](?=[.(\s])", r"\1p0", text)
        text = re.sub(r"(@llvm\.memcpy\.p0\.)p[135]", r"\1p0", text)
        declared = re.compile(rf"^declare (.*) @({PREFIXES}[\w.]+)\((.*)\)$", re.MULTILINE)
        wrappers = [self._wrapper(*match.groups()) for match in declared.finditer(text)]
        text = re.sub(f"@{PREFIXES}", "@emulated.", declared.sub("", text))
        return text + "\ndeclare void @emulated(i64, ptr, ptr)\n" + "\n".join(wrappers)

    def _wrapper(self, result: str, name: str, parameters: str) -> str:
        """A function that hands its arguments to Python, and gives back what Python leaves."""
        kinds = re.findall(r"<[^>]*>|[^,\s]+", parameters)
        results = [] if result == "void" else re.findall(r"<[^>]*>|\w+", result.strip("{} "))
        number = len(self.names)
        self.names.append(re.sub(f"^{PREFIXES}", "", name))
        arguments = ", ".join(f"{kind} %a{i}" for i, kind in enumerate(kinds))
        lines = [f"define internal {result} @emulated.{self.names[-1]}({arguments}) noinline {{"]
        lines += ["  %in = alloca [32 x i64], align 16", "  %out = alloca [32 x i64], align 16"]
        for i, kind in enumerate(kinds):
            lines += [f"  %p{i} = getelementptr i64, ptr %in, i64 {i}", f"  store {kind} %a{i}, ptr %p{i}"]
        lines.append(f"  call void @emulated(i64 {number}, ptr %in, ptr %out)")
        last = "poison"
        for i, kind in enumerate(results):
            lines += [f"  %q{i} = getelementptr i64, ptr %out, i64 {i}", f"  %r{i} = load {kind}, ptr %q{i}"]
            if result.startswith("{"):
                lines.append(f"  %s{i} = insertvalue {result} {last}, {kind} %r{i}, {i}")
                last = f"%s{i}"
            else:
                last = f"%r{i}"
        lines += [f"  ret {result} {last}" if results else "  ret void", "}"]
        return "\n".join(lines)

    # The machine

    def launch(self, blocks: int, threads: int, *arguments: np.ndarray | np.generic) -> None:
        """Run the grid, block by block; raises what a thread raised."""
        kinds = {np.float32: ctypes.c_float, np.float64: ctypes.c_double, np.int64: ctypes.c_int64}
        signature = [kinds[type(a)] if isinstance(a, np.generic) else ctypes.c_void_p for a in arguments]
        passed = [a.item() if isinstance(a, np.generic) else a.__array_interface__["data"][0] for a in arguments]
        function = ctypes.CFUNCTYPE(None, *signature)(self.address)
        for block in range(blocks):
            whole = _Meeting(threads)
            size = self.subgroup
            groups = [_Meeting(min(size, threads - first)) for first in range(0, threads, size)]

            def run(thread: int, block: int = block, whole: _Meeting = whole, groups: list[_Meeting] = groups) -> None:
                here = self.here
                here.thread, here.block, here.sizes = thread, block, (threads, blocks)
                here.whole, here.group, here.lane = whole, groups[thread // self.subgroup], thread % self.subgroup
                function(*passed)

            workers = [threading.Thread(target=run, args=(t,), daemon=True) for t in range(threads)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            if self.errors:
                raise self.errors[0]

    def _called(self, number: int, arguments: int, results: int) -> None:
        name = self.names[number]
        try:
            for prefix, act in self._MEANINGS.items():
                if name.startswith(prefix):
                    act(self, name.removeprefix(prefix).strip("."), arguments, results)
                    return
            raise NotImplementedError(name)
        except BaseException as error:
            self.errors.append(error)
            self.here.whole.barrier.abort()
            self.here.group.barrier.abort()

    def _register(self, name: str, _: int, results: int) -> None:
        here = self.here
        _slots(results, 1)[0] = {
            "tid.x": here.thread,
            "ctaid.x": here.block,
            "ntid.x": here.sizes[0],
            "nctaid.x": here.sizes[1],
            "laneid": here.lane,
        }[name]

    def _barrier(self, _: str, __: int, ___: int) -> None:
        self.here.whole.barrier.wait()

    def _subgroup_barrier(self, _: str, __: int, ___: int) -> None:
        self.here.group.barrier.wait()

    def _shuffle(self, name: str, arguments: int, results: int) -> None:
        mask, value, offset, limits = (int(v) for v in _slots(arguments, 4))
        assert mask == 0xFFFFFFFF
        lane, segments = self.here.lane, limits >> 8 & 31
        last = (lane & segments) | (limits & 31 & ~segments)
        mode = name.split(".")[0]
        source = {
            "up": lane - (offset & 31),
            "down": lane + (offset & 31),
            "bfly": lane ^ (offset & 31),
            "idx": (lane & segments) | (offset & 31 & ~segments),
        }[mode]
        valid = source >= last if mode == "up" else source <= last
        values = self.here.group.exchange(lane, value)
        out = _slots(results, 2)
        out[0] = values[source if valid else lane]
        if name.endswith("p"):
            out[1] = valid

    def _redux(self, name: str, arguments: int, results: int) -> None:
        value, mask = _slots(arguments, 2)
        assert mask == 0xFFFFFFFF
        values = np.array(self.here.group.exchange(self.here.lane, value), np.uint32)
        signed = values.view(np.int32)
        act: dict[str, Callable[[], np.generic]] = {
            "add": lambda: values.sum(dtype=np.uint32),
            "and": lambda: np.bitwise_and.reduce(values),
            "or": lambda: np.bitwise_or.reduce(values),
            "xor": lambda: np.bitwise_xor.reduce(values),
            "min": lambda: signed.min().view(np.uint32),
            "max": lambda: signed.max().view(np.uint32),
            "umin": lambda: values.min(),
            "umax": lambda: values.max(),
        }
        _slots(results, 1)[0] = act[name]()

    def _vote(self, name: str, arguments: int, results: int) -> None:
        mask, value = (int(v) for v in _slots(arguments, 2))
        assert mask == 0xFFFFFFFF
        lanes = [v & 1 for v in self.here.group.exchange(self.here.lane, value)]
        ballot = sum(bit << lane for lane, bit in enumerate(lanes))
        _slots(results, 1)[0] = {"ballot": ballot, "any": any(lanes), "all": all(lanes)}[name.removesuffix(".sync")]

    def _match(self, name: str, arguments: int, results: int) -> None:
        mode, _, kind = name.split(".")
        value = int(_slots(arguments, 2, np.uint64 if "64" in kind else np.uint32)[1])
        lanes = self.here.group.exchange(self.here.lane, value)
        mask = sum((other == value) << lane for lane, other in enumerate(lanes))
        out = _slots(results, 2)
        out[0] = mask if mode == "any" or mask == 0xFFFFFFFF else 0
        if mode == "all":
            out[1] = mask == 0xFFFFFFFF

    def _ldmatrix(self, name: str, arguments: int, results: int) -> None:
        address = int(_slots(arguments, 1, np.uint64)[0])
        rows = self.here.group.exchange(self.here.lane, address)
        tiles = int(name[1])
        lane = self.here.lane
        for tile in range(tiles):
            matrix = np.stack(
                [np.ctypeslib.as_array((ctypes.c_uint16 * 8).from_address(rows[8 * tile + r])) for r in range(8)]
            )
            assert all(rows[8 * tile + r] % 16 == 0 for r in range(8)), "rows of a tile are aligned to 16 bytes"
            if "trans" in name:
                matrix = matrix.T
            low, high = (int(v) for v in matrix[lane // 4, 2 * (lane % 4) : 2 * (lane % 4) + 2])
            _slots(results, tiles)[tile] = low | high << 16
        self.here.group.barrier.wait()

    def _mma(self, name: str, arguments: int, results: int) -> None:
        """m16n8k8 and m16n8k16 with f32 accumulators, laid out as the PTX manual says."""
        depth = int(re.match(r"m16n8k(\d+)", name).group(1))
        dtype = ml_dtypes.bfloat16 if name.endswith("bf16") else np.float16
        pairs = depth // 4
        words = _slots(arguments, pairs + pairs // 2 + 4).copy()
        meeting, lane = self.here.group, self.here.lane
        all_words = np.stack(meeting.exchange(lane, words))
        product = _product(all_words, depth, dtype) if lane == 0 else None
        product = meeting.exchange(lane, product)[0]
        out = _slots(results, 4, np.float32)
        for i in range(4):
            out[i] = product[lane // 4 + 8 * (i // 2), 2 * (lane % 4) + i % 2]

    def _copy(self, name: str, arguments: int, _: int) -> None:
        size = int(name.removesuffix(".s").rsplit(".", 1)[-1])
        target, source, read = (int(v) for v in _slots(arguments, 3, np.uint64))
        count = read & 0xFFFFFFFF if name.endswith(".s") else size
        assert target % size == 0, "a copy is aligned to its size"
        assert source % size == 0
        ctypes.memset(target, 0, size)
        ctypes.memmove(target, source, count)

    # AMD's

    def _take(self, results: int, source: int, value: int) -> None:
        """Give the value that another lane brought, which has to be there."""
        _slots(results, 1)[0] = self.here.group.exchange(self.here.lane, value)[source]

    def _workitem(self, _: str, __: int, results: int) -> None:
        _slots(results, 1)[0] = self.here.thread

    def _workgroup(self, _: str, __: int, results: int) -> None:
        _slots(results, 1)[0] = self.here.block

    def _count_before(self, name: str, arguments: int, results: int) -> None:
        """Bits of the mask below the lane's, in one half of a subgroup, and what is added to them."""
        mask, base = (int(v) for v in _slots(arguments, 2))
        below = min(max(self.here.lane - (32 if name == "hi" else 0), 0), 32)
        _slots(results, 1)[0] = base + (mask & (1 << below) - 1).bit_count()

    def _permute(self, _: str, arguments: int, results: int) -> None:
        address, value = (int(v) for v in _slots(arguments, 2))
        self._take(results, address // 4 % self.subgroup, value)

    def _swizzle(self, _: str, arguments: int, results: int) -> None:
        value, control = (int(v) for v in _slots(arguments, 2))
        assert control < 1 << 15, "bits are kept, set and flipped within 32 lanes"
        lane = self.here.lane
        self._take(results, lane & 32 | ((lane & control & 31 | control >> 5 & 31) ^ control >> 10 & 31), value)

    def _move(self, _: str, arguments: int, results: int) -> None:
        _, value, control, rows, banks, _ = (int(v) for v in _slots(arguments, 6))
        assert (rows, banks) == (15, 15), "all lanes move"
        lane = self.here.lane
        assert control <= 0xFF or 0x160 <= control <= 0x16F, "within four lanes, or an exclusive or within sixteen"
        quad = lane & ~3 | control >> 2 * (lane & 3) & 3
        self._take(results, quad if control <= 0xFF else lane ^ control & 15, value)

    def _other_row(self, _: str, arguments: int, results: int) -> None:
        _, value, low, high = (int(v) for v in _slots(arguments, 4))
        lane = self.here.lane
        place = (high << 32 | low) >> 4 * (lane & 15) & 15
        self._take(results, (lane ^ 16) & ~15 | place, value)

    def _read_lane(self, _: str, arguments: int, results: int) -> None:
        value, lane = (int(v) for v in _slots(arguments, 2))
        self._take(results, lane, value)

    def _read_first_lane(self, name: str, arguments: int, results: int) -> None:
        kind = np.uint64 if name == "i64" else np.uint32
        value = int(_slots(arguments, 1, kind)[0])
        _slots(results, 1, kind)[0] = self.here.group.exchange(self.here.lane, value)[0]

    def _ballot(self, name: str, arguments: int, results: int) -> None:
        assert name == f"i{self.subgroup}"
        lanes = [v & 1 for v in self.here.group.exchange(self.here.lane, int(_slots(arguments, 1)[0]))]
        _slots(results, 1, np.uint64)[0] = sum(bit << lane for lane, bit in enumerate(lanes))

    def _nothing(self, _: str, __: int, ___: int) -> None:
        pass

    _MEANINGS = {  # noqa: RUF012
        "read.ptx.sreg.": _register,
        "barrier.cta.sync.aligned.all": _barrier,
        "bar.warp.sync": _subgroup_barrier,
        "shfl.sync.": _shuffle,
        "redux.sync.": _redux,
        "vote.": _vote,
        "match.": _match,
        "ldmatrix.sync.aligned.m8n8.": _ldmatrix,
        "mma.": _mma,
        "cp.async.commit.group": _nothing,
        "cp.async.wait.group": _nothing,
        "cp.async.": _copy,
        "workitem.id.x": _workitem,
        "workgroup.id.x": _workgroup,
        "s.barrier": _barrier,
        "wave.barrier": _subgroup_barrier,
        "mbcnt": _count_before,
        "ds.bpermute": _permute,
        "ds.swizzle": _swizzle,
        "update.dpp.i32": _move,
        "permlanex16.i32": _other_row,
        "readlane.i32": _read_lane,
        "readfirstlane": _read_first_lane,
        "ballot": _ballot,
    }
