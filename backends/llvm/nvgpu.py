"""`nvgpu`: matrix units and copies that complete later, as NVPTX intrinsics.

A lane's part of a matrix is a vector whose rows are the 32-bit registers PTX speaks of: pairs of 16-bit elements, or pairs of
`f32`, which are two registers. Tokens are no values in LLVM: groups complete in order.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import BFloat16Type, Float32Type, VectorType
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.backends.llvm.types import element_bytes
from stepwell.backends.llvm.writer import Buffer, Emitter, FunctionWriter
from stepwell.dialects import nvgpu

_WIDEST_COPY = 16


def _address(w: FunctionWriter, memref: SSAValue, indices: Sequence[SSAValue]) -> tuple[Buffer, str]:
    buffer = w.buffer(memref)
    return buffer, w.address(buffer, [w.index(i) for i in indices])


def _ldmatrix(w: FunctionWriter, op: Operation) -> None:
    assert isinstance(op, nvgpu.LdMatrixOp)
    buffer, pointer = _address(w, op.source, op.indices)
    tiles = op.num_tiles.value.data
    transposed = ".trans" if op.transpose.value.data else ""
    name = f"llvm.nvvm.ldmatrix.sync.aligned.m8n8.x{tiles}{transposed}.b16.p{buffer.space}"
    result = "i32" if tiles == 1 else "{ " + ", ".join(["i32"] * tiles) + " }"
    loaded = w.call(result, name, [(buffer.pointer, pointer)])
    words = [loaded] if tiles == 1 else [w.emit(f"extractvalue {result} {loaded}, {i}") for i in range(tiles)]
    w.values[op.result] = [w.emit(f"bitcast i32 {word} to <2 x i16>") for word in words]


def _factors(w: FunctionWriter, value: SSAValue) -> list[tuple[str, str]]:
    """The registers of A or B: `<2 x half>`, or `i32` for bf16."""
    assert isinstance(value.type, VectorType)
    kind = "i32" if isinstance(value.type.element_type, BFloat16Type) else "<2 x half>"
    return [(kind, w.emit(f"bitcast <2 x i16> {row} to {kind}")) for row in w.rows(value)]


def _terms(w: FunctionWriter, value: SSAValue, element: Attribute) -> list[tuple[str, str]]:
    """The registers of C: scalars of f32, or pairs of f16."""
    if not isinstance(element, Float32Type):
        return _factors(w, value)
    return [
        ("float", w.emit(f"extractelement <2 x float> {row}, i64 {lane}")) for row in w.rows(value) for lane in (0, 1)
    ]


def _mma_sync(w: FunctionWriter, op: Operation) -> None:
    assert isinstance(op, nvgpu.MmaSyncOp)
    assert isinstance(op.a.type, VectorType)
    assert isinstance(op.c.type, VectorType)
    element: Attribute = op.c.type.element_type
    single = isinstance(element, Float32Type)
    kinds = "bf16" if isinstance(op.a.type.element_type, BFloat16Type) else "f32.f32" if single else "f16.f16"
    m, n, k = op.shape
    terms = _terms(w, op.c, element)
    result = "{ " + ", ".join(kind for kind, _ in terms) + " }"
    registers = [*_factors(w, op.a), *_factors(w, op.b), *terms]
    product = w.call(result, f"llvm.nvvm.mma.m{m}n{n}k{k}.row.col.{kinds}", registers)
    parts = [w.emit(f"extractvalue {result} {product}, {i}") for i in range(len(terms))]
    if not single:
        w.values[op.result] = [w.emit(f"bitcast <2 x half> {part} to <2 x i16>") for part in parts]
        return
    rows: list[str] = []
    for low, high in zip(parts[::2], parts[1::2], strict=True):
        first = w.emit(f"insertelement <2 x float> poison, float {low}, i64 0")
        rows.append(w.emit(f"insertelement <2 x float> {first}, float {high}, i64 1"))
    w.values[op.result] = rows


def _device_async_copy(w: FunctionWriter, op: Operation) -> None:
    """The widest copies pass by the first cache: what is shared is read from it once."""
    assert isinstance(op, nvgpu.DeviceAsyncCopyOp)
    source, from_ = _address(w, op.src, op.src_indices)
    target, to = _address(w, op.dst, op.dst_indices)
    cache = "cg" if op.bytes == _WIDEST_COPY else "ca"
    name = f"llvm.nvvm.cp.async.{cache}.shared.global.{op.bytes}"
    arguments = [(target.pointer, to), (source.pointer, from_)]
    if op.src_elements is not None:
        read = w.mul(w.index(op.src_elements), element_bytes(source.element))
        size = str(read) if isinstance(read, int) else w.emit(f"trunc i64 {read} to i32")
        name, arguments = f"{name}.s", [*arguments, ("i32", size)]
    w.call("void", name, arguments)
    w.values[op.token] = ""


def _device_async_create_group(w: FunctionWriter, op: Operation) -> None:
    w.call("void", "llvm.nvvm.cp.async.commit.group", [])
    w.values[op.results[0]] = ""


def _device_async_wait(w: FunctionWriter, op: Operation) -> None:
    assert isinstance(op, nvgpu.DeviceAsyncWaitOp)
    w.call("void", "llvm.nvvm.cp.async.wait.group", [("i32", str(op.pending))])


EMITTERS: dict[str, Emitter] = {
    "nvgpu.device_async_copy": _device_async_copy,
    "nvgpu.device_async_create_group": _device_async_create_group,
    "nvgpu.device_async_wait": _device_async_wait,
    "nvgpu.ldmatrix": _ldmatrix,
    "nvgpu.mma.sync": _mma_sync,
}
