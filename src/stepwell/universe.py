"""What plain `xdsl-opt` learns from Stepwell: the dialects that are ours alone.

xDSL refuses names it already owns, so the dialects that extend upstream ones are known to `stepwell-opt` only.
"""

from __future__ import annotations

from functools import partial

from xdsl.universe import Universe

from stepwell.dialects.registry import DIALECTS, get_dialect

OURS = tuple(name for name, (module, _) in DIALECTS.items() if module.startswith("stepwell."))


def _upstream_names() -> frozenset[str]:
    from xdsl.dialects import get_all_dialects

    return frozenset(get_all_dialects())


UNIVERSE = Universe(
    all_dialects={name: partial(get_dialect, name) for name in OURS if name not in _upstream_names()},
)
