"""Reading and extending `#stepwell.abi`, the entry's signature as the user wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from xdsl.dialects.builtin import DenseArrayBase, DictionaryAttr
from xdsl.ir import Attribute, Operation, ParametrizedAttribute

ABI = "stepwell.abi"


def abi_entries(function: Operation) -> dict[str, Attribute] | None:
    """The entries of the function's `stepwell.abi`, None when it has none."""
    attribute = function.attributes.get(ABI)
    if isinstance(attribute, DictionaryAttr):
        return dict(attribute.data)
    if isinstance(attribute, ParametrizedAttribute):
        for parameter in attribute.parameters:
            if isinstance(parameter, DictionaryAttr):
                return dict(parameter.data)
    return None


def extend_abi(function: Operation, entries: Mapping[str, Attribute]) -> bool:
    """Add entries to the function's `stepwell.abi`; false when it has none."""
    known = abi_entries(function)
    if known is None:
        return False
    attribute = function.attributes[ABI]
    extended = DictionaryAttr({**known, **entries})
    if isinstance(attribute, ParametrizedAttribute) and not isinstance(attribute, DictionaryAttr):
        kept = [extended if isinstance(p, DictionaryAttr) else p for p in attribute.parameters]
        function.attributes[ABI] = cast(Any, type(attribute)).new(kept)
    else:
        function.attributes[ABI] = extended
    return True


def donated_inputs(function: Operation) -> list[int]:
    """Positions of the inputs whose memory the program may overwrite."""
    donated = (abi_entries(function) or {}).get("donated")
    if not isinstance(donated, DenseArrayBase):
        return []
    return [int(v) for v in donated.get_values()]
