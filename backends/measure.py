"""Kernels that find out what a machine can do: multiply-adds in registers, and reading, copying and a triad over arrays, as LLVM IR.

Each is `i32 @stepwell_measure_<name>(ptr %args)`; `args` are 8-byte words:

| name | args | does |
|---|---|---|
| `fma_f32`, `fma_f64` | rounds, result | `ACCUMULATORS` vectors of multiply-adds a round (or of products and of sums, without fused ones) |
| `read` | bytes, rounds, x, result | reads x |
| `copy` | bytes, rounds, x, y | y = x |
| `triad` | bytes, rounds, x, y, z | z = x + 3 y, in f32 |

Bytes are a multiple of `STRIDE`. Accesses are volatile, so that LLVM neither drops them nor makes library calls of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stepwell.backends.target import Target

ACCUMULATORS = 12
"""Independent vectors of multiply-adds: more than two units with a latency of four need, and all fit into 16 registers with the factors."""
UNROLL = 8
STRIDE = UNROLL * 64
"""What the loops over arrays do at once, in bytes of the widest vectors."""
KERNELS = ("fma_f32", "fma_f64", "read", "copy", "triad")


def symbol(name: str) -> str:
    """The symbol of a kernel."""
    return f"stepwell_measure_{name}"


def operations_a_round(target: Target, name: str) -> int:
    """Floating-point operations that a round of `fma_f32` or `fma_f64` does."""
    return ACCUMULATORS * 2 * _lanes(target, 64 if name.endswith("f64") else 32)


def measurement_text(target: Target) -> str:
    """All kernels for a machine."""
    wide = '"prefer-vector-width"="512"' if target.level == "avx512" else ""
    parts = [
        _multiply_adds(target, "float", 32),
        _multiply_adds(target, "double", 64),
        _over_arrays(target, "read", 1, _read_body, "x, result"),
        _over_arrays(target, "copy", 2, _copy_body, "x, y"),
        _over_arrays(target, "triad", 3, _triad_body, "x, y, z"),
        f"attributes #0 = {{ nounwind {wide} }}",
    ]
    return "\n".join(parts)


def _lanes(target: Target, bits: int) -> int:
    return max(1, target.vector_bits // bits)


def _word(name: str, index: int, kind: str) -> str:
    return f"  %p.{name} = getelementptr i64, ptr %args, i64 {index}\n  %{name} = load {kind}, ptr %p.{name}, align 8\n"


def _multiply_adds(target: Target, kind: str, bits: int) -> str:
    """Accumulators in registers; the factors come from memory, so that nothing is known of them."""
    vector = f"<{_lanes(target, bits)} x {kind}>"
    name = symbol(f"fma_f{bits}")
    numbers = range(ACCUMULATORS)
    phis = [f"  %a{i} = phi {vector} [ %f, %entry ], [ %n{i}, %loop ]" for i in numbers]
    steps = [_multiply_add(target, vector, bits, i) for i in numbers]
    sums = [f"  %s0 = fadd {vector} %n0, %n1"]
    sums += [f"  %s{i - 1} = fadd {vector} %s{i - 2}, %n{i}" for i in range(2, ACCUMULATORS)]
    return (
        f"declare {vector} @llvm.fma.v{_lanes(target, bits)}f{bits}({vector}, {vector}, {vector})\n"
        f"define i32 @{name}(ptr %args) #0 {{\nentry:\n{_word('rounds', 0, 'i64')}{_word('result', 1, 'ptr')}"
        f"  %f = load volatile {vector}, ptr %result, align 64\n"
        "  br label %loop\nloop:\n  %i = phi i64 [ 0, %entry ], [ %next, %loop ]\n"
        + "\n".join([*phis, *steps])
        + "\n  %next = add i64 %i, 1\n  %done = icmp uge i64 %next, %rounds\n  br i1 %done, label %exit, label %loop\nexit:\n"
        + "\n".join(sums)
        + f"\n  store volatile {vector} %s{ACCUMULATORS - 2}, ptr %result, align 64\n  ret i32 0\n}}\n"
    )


def _multiply_add(target: Target, vector: str, bits: int, i: int) -> str:
    if target.has_fma:
        lanes = _lanes(target, bits)
        return f"  %n{i} = call {vector} @llvm.fma.v{lanes}f{bits}({vector} %a{i}, {vector} %f, {vector} %f)"
    return f"  %m{i} = fmul {vector} %a{i}, %f\n  %n{i} = fadd {vector} %m{i}, %f"


Body = Callable[[str, int, int], Sequence[str]]
"""The lines for one vector, given its type, its number and its bytes."""


def _over_arrays(target: Target, name: str, arrays: int, body: Body, words: str) -> str:
    """A loop over arrays, `STRIDE` bytes at once."""
    kind, width = ("i32", 4) if name != "triad" else ("float", 4)
    size = max(target.vector_bits // 8, 16)
    vector = f"<{size // width} x {kind}>"
    names = words.split(", ")
    entry = "".join(_word(word, 2 + i, "ptr") for i, word in enumerate(names))
    count = STRIDE // size
    carried = name == "read"
    phis = [f"  %a{j} = phi {vector} [ %b{j}, %outer ], [ %n{j}, %loop ]" for j in range(count)] if carried else []
    outer = [f"  %b{j} = phi {vector} [ zeroinitializer, %entry ], [ %n{j}, %next ]" for j in range(count)]
    lines: list[str] = []
    for j in range(count):
        for word in names[:arrays]:
            lines.append(f"  %o.{word}{j} = getelementptr i8, ptr %{word}, i64 %at{j}")
        lines[-arrays:-arrays] = [f"  %at{j} = add i64 %i, {j * size}"]
        lines.extend(body(vector, j, size))
    end = _folded(vector, count) if carried else ""
    return (
        f"define i32 @{symbol(name)}(ptr %args) #0 {{\nentry:\n{_word('bytes', 0, 'i64')}{_word('rounds', 1, 'i64')}{entry}"
        "  br label %outer\nouter:\n  %round = phi i64 [ 0, %entry ], [ %round.next, %next ]\n"
        + "\n".join([*(outer if carried else []), "  br label %loop", "loop:"])
        + "\n  %i = phi i64 [ 0, %outer ], [ %i.next, %loop ]\n"
        + "\n".join([*phis, *lines])
        + f"\n  %i.next = add i64 %i, {STRIDE}\n  %end = icmp uge i64 %i.next, %bytes\n  br i1 %end, label %next, label %loop\n"
        "next:\n  %round.next = add i64 %round, 1\n  %done = icmp uge i64 %round.next, %rounds\n"
        f"  br i1 %done, label %exit, label %outer\nexit:\n{end}  ret i32 0\n}}\n"
    )


def _read_body(vector: str, j: int, size: int) -> Sequence[str]:
    return (f"  %v{j} = load volatile {vector}, ptr %o.x{j}, align {size}", f"  %n{j} = or {vector} %a{j}, %v{j}")


def _copy_body(vector: str, j: int, size: int) -> Sequence[str]:
    return (
        f"  %v{j} = load volatile {vector}, ptr %o.x{j}, align {size}",
        f"  store volatile {vector} %v{j}, ptr %o.y{j}, align {size}",
    )


def _triad_body(vector: str, j: int, size: int) -> Sequence[str]:
    return (
        f"  %v{j} = load volatile {vector}, ptr %o.x{j}, align {size}",
        f"  %w{j} = load volatile {vector}, ptr %o.y{j}, align {size}",
        f"  %m{j} = fmul {vector} %w{j}, splat (float 3.0)",
        f"  %t{j} = fadd {vector} %v{j}, %m{j}",
        f"  store volatile {vector} %t{j}, ptr %o.z{j}, align {size}",
    )


def _folded(vector: str, count: int) -> str:
    lines = [f"  %s1 = or {vector} %n0, %n1"] if count > 1 else [f"  %s0 = or {vector} %n0, %n0"]
    lines += [f"  %s{j} = or {vector} %s{j - 1}, %n{j}" for j in range(2, count)]
    return "\n".join(lines) + f"\n  store volatile {vector} %s{count - 1}, ptr %result, align 16\n"


__all__ = ["ACCUMULATORS", "KERNELS", "STRIDE", "measurement_text", "operations_a_round", "symbol"]
