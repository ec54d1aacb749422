"""The ops of the StableHLO and CHLO specifications that are not there, each with the reason: a program with one is refused."""

from __future__ import annotations

from collections.abc import Iterable

_SIZES = "sizes known only at run time; export the program with static shapes"


def _table(names: str, reason: str, dialect: str = "stablehlo") -> Iterable[tuple[str, str]]:
    return ((f"{dialect}.{name}", reason) for name in names.split())


STABLEHLO = dict(
    [
        *_table("einsum torch_index_select unary_einsum", "deprecated; use dot_general or gather"),
        *_table("cross-replica-sum", "deprecated; use all_reduce"),
    ]
)

CHLO = dict(_table("dynamic_reshape minimum_broadcast_shapes", _SIZES, "chlo"))
