"""Tiles of products by blocks: every core has work where there is some, and no more parts of sums than that takes."""

from __future__ import annotations

import re

import pytest

from stepwell.native import emit

CORES = 132


def chosen(m: int, n: int, k: int, dtype: str = "f32", sm: str = "sm_90", then: str = "negate") -> dict[str, str]:
    """The parameters of a product's schedule, and of what is done with it then."""
    program = f"""func.func public @main(%a: tensor<{m}x{k}x{dtype}>, %b: tensor<{k}x{n}x{dtype}>) -> tensor<{m}x{n}x{dtype}> {{
      %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<{m}x{k}x{dtype}>, tensor<{k}x{n}x{dtype}>) -> tensor<{m}x{n}x{dtype}>
      %1 = stablehlo.{then} %0 : tensor<{m}x{n}x{dtype}>
      return %1 : tensor<{m}x{n}x{dtype}>
    }}"""
    text = emit(program, "scheduled", target=f"cuda:{sm}")
    assert isinstance(text, str)
    found = re.search(r'#kernel.schedule<"block-contraction", \{(.*?)\}>', text)
    assert found is not None
    return {
        name: text or number for name, text, number in re.findall(r'(\w+) = (?:"(.*?)"|(\d+) : i64)', found.group(1))
    }


def tiles(m: int, n: int, schedule: dict[str, str]) -> int:
    return -(-m // int(schedule["bm"])) * -(-n // int(schedule["bn"]))


@pytest.mark.parametrize(
    ("m", "n", "k", "dtype"), [(64, 64, 4096, "f32"), (256, 256, 65536, "f32"), (512, 512, 65536, "bf16")]
)
def test_few_tiles_of_long_sums_are_made_in_parts_until_every_core_has_one(m, n, k, dtype):
    schedule = chosen(m, n, k, dtype)
    parts = int(schedule["k_split"])
    assert parts > 1
    assert tiles(m, n, schedule) * parts >= min(CORES - 4, 64 * tiles(m, n, schedule))
    assert "parts that are added up" in schedule["reason"]


@pytest.mark.parametrize(
    ("m", "n", "k", "dtype"), [(4096, 4096, 4096, "f32"), (4096, 4096, 64, "f16"), (128, 128, 32, "f32")]
)
def test_sums_are_in_one_part_where_tiles_are_many_or_sums_are_short(m, n, k, dtype):
    assert chosen(m, n, k, dtype)["k_split"] == "1"


def test_machines_whose_copies_do_not_go_on_beside_products_make_none_early():
    assert chosen(512, 512, 512, sm="sm_75")["stages"] == "1"


def test_factors_are_copied_first_where_lanes_could_take_next_to_nothing_of_their_rows():
    odd, even = chosen(1000, 513, 777, "f16"), chosen(1000, 512, 776, "f16")
    assert (odd["pack_a"], odd["pack_b"]) == ("1", "1")
    assert (even["pack_a"], even["pack_b"]) == ("0", "0")


def test_lanes_hold_fewer_sums_where_functions_follow():
    def sums(schedule: dict[str, str]) -> int:
        return int(schedule["wm"]) * int(schedule["wn"]) // 32

    assert sums(chosen(2048, 2048, 512)) == 64
    assert sums(chosen(2048, 2048, 512, then="tanh")) == 32
