"""Plain `xdsl-opt` finds our own dialects through the universe entry point."""

from __future__ import annotations

from xdsl.universe import Universe


def test_our_dialects_load_and_carry_their_name():
    from stepwell.universe import UNIVERSE

    assert isinstance(UNIVERSE, Universe)
    assert {"stablehlo", "chlo", "kernel"} <= set(UNIVERSE.all_dialects)
    for name, factory in UNIVERSE.all_dialects.items():
        assert factory().name == name


def test_no_name_clashes_with_upstream():
    from xdsl.dialects import get_all_dialects

    from stepwell.universe import UNIVERSE

    assert not set(UNIVERSE.all_dialects) & set(get_all_dialects())
