"""The ops of the StableHLO and CHLO specifications that are not there, each with the reason: a program with one is refused."""

from __future__ import annotations

from collections.abc import Iterable

_SIZES = "sizes known only at run time; export the program with static shapes"


def _table(names: str, reason: str, dialect: str = "stablehlo") -> Iterable[tuple[str, str]]:
    return ((f"{dialect}.{name}", reason) for name in names.split())


STABLEHLO = dict(
    [
        *_table("einsum torch_index_select unary_einsum", "deprecated; use dot_general or gather"),
    ]
)

CHLO = dict(
    [
        *_table("ragged_dot", "groups of run-time sizes; use one dot_general a group", "chlo"),
        *_table("scan", "use stablehlo.while, or reduce_window for cumulative sums", "chlo"),
        *_table("dynamic_reshape minimum_broadcast_shapes", _SIZES, "chlo"),
        *_table(
            "broadcast_add broadcast_and broadcast_atan2 broadcast_compare broadcast_complex broadcast_divide"
            " broadcast_maximum broadcast_minimum broadcast_multiply broadcast_next_after broadcast_or broadcast_polygamma"
            " broadcast_power broadcast_remainder broadcast_select broadcast_shift_left broadcast_shift_right_arithmetic"
            " broadcast_shift_right_logical broadcast_subtract broadcast_xor broadcast_zeta",
            "implicit broadcasting; write broadcast_in_dim and the StableHLO op",
            "chlo",
        ),
    ]
)
