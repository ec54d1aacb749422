"""What LLVM may know of a kernel without seeing it: that it comes back, waits for nobody, and touches the memory it is given only."""

from __future__ import annotations

from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Operation

_DIALECTS = ("affine", "arith", "math", "vector")
_OPS = frozenset(
    {
        *(f"kernel.{name}" for name in ("dot", "prefetch", "return")),
        *(f"scf.{name}" for name in ("for", "if", "index_switch", "yield")),
        *(
            f"memref.{name}"
            for name in (
                "alloca", "assume_alignment", "cast", "collapse_shape", "copy", "dim", "expand_shape", "get_global", "load",
                "prefetch", "reinterpret_cast", "store", "subview", "view",
            )
        ),
    }
)  # fmt: skip
"""Ops that do no more than compute and move: a loop of these has a last iteration."""


def promises(kernel: Operation) -> str:
    """LLVM's attributes of a kernel; none of one that shares loops with other threads, or has an op that could do anything."""
    fetches = elsewhere = bypasses = False
    for op in kernel.walk():
        if op is kernel:
            continue
        if op.name not in _OPS and op.name.split(".", 1)[0] not in _DIALECTS:
            return ""
        elsewhere = elsewhere or op.name == "memref.get_global"
        flag = op.attributes.get("nontemporal", op.properties.get("nontemporal"))
        bypasses = bypasses or (isinstance(flag, IntegerAttr) and bool(flag.value.data))
        fetches = fetches or op.name.endswith(".prefetch") or "prefetch" in op.attributes or "prefetch" in op.properties
    # To LLVM a fetched cache line is a change of memory that nobody can read.
    memory = "argmem: readwrite, inaccessiblemem: readwrite" if fetches else "argmem: readwrite"
    if bypasses:  # and ends with a fence, which other threads and all memory take part in
        return "mustprogress nofree norecurse nounwind willreturn"
    touched = "" if elsewhere else f" memory({memory})"
    return f"mustprogress nofree norecurse nosync nounwind willreturn{touched}"


__all__ = ["promises"]
