"""Trees of arrays: dict, list, tuple, named tuple, dataclass and None, with anything else as a leaf.

`flatten` gives the leaves in a fixed order (dicts by sorted key) and a hashable `TreeDef` that puts leaves back. A field of a
dataclass with `metadata={"static": True}` belongs to the structure, not to the leaves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stepwell.frontends.errors import TracingError, refuse


@dataclass(frozen=True)
class TreeDef:
    """The structure of a tree: the kind of node, what it needs to be rebuilt, and its children. A leaf has no kind."""

    kind: Any
    data: Any
    children: tuple[TreeDef, ...]

    @property
    def leaf_count(self) -> int:
        """Number of leaves."""
        return 1 if self.kind is None else sum(child.leaf_count for child in self.children)

    def unflatten(self, leaves: Sequence[Any]) -> Any:
        """The tree with these leaves.

        Raises:
            TracingError: not `leaf_count` leaves.
        """
        if len(leaves) != self.leaf_count:
            raise refuse(f"the tree has {self.leaf_count} leaves, got {len(leaves)}")
        return self._build(iter(leaves))

    def _build(self, leaves: Iterator[Any]) -> Any:
        if self.kind is None:
            return next(leaves)
        children = [child._build(leaves) for child in self.children]
        if self.kind is type(None):
            return None
        if self.kind in (list, tuple):
            return self.kind(children)
        if self.kind is dict:
            return dict(zip(self.data, children, strict=True))
        if issubclass(self.kind, tuple):
            return self.kind(*children)
        return _rebuild(self.kind, self.data, children)

    def paths(self, prefix: str = "") -> list[str]:
        """How one writes each leaf: `['w'][0]`, `.bias`."""
        if self.kind is None:
            return [prefix]
        if self.kind is dict:
            names = [f"[{key!r}]" for key in self.data]
        elif isinstance(self.data, tuple):
            names = [f".{name}" for name in self.data[0]]
        else:
            names = [f"[{i}]" for i in range(len(self.children))]
        return [path for name, child in zip(names, self.children, strict=True) for path in child.paths(prefix + name)]


LEAF = TreeDef(None, None, ())
_NONE = TreeDef(type(None), None, ())


def _rebuild(cls: type[Any], data: Any, children: list[Any]) -> Any:
    result = object.__new__(cls)
    names, statics = data
    for name, value in (*zip(names, children, strict=True), *statics):
        object.__setattr__(result, name, value)
    return result


def flatten(tree: Any) -> tuple[list[Any], TreeDef]:
    """(leaves, structure)."""
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves)


def _flatten(tree: Any, leaves: list[Any]) -> TreeDef:
    kind = type(tree)
    if tree is None:
        return _NONE
    if kind is list or kind is tuple:
        return TreeDef(kind, None, tuple([_flatten(child, leaves) for child in tree]))
    if kind is dict:
        keys = _sorted_keys(tree)
        return TreeDef(dict, keys, tuple([_flatten(tree[key], leaves) for key in keys]))
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return TreeDef(kind, None, tuple([_flatten(child, leaves) for child in tree]))
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return _flatten_dataclass(tree, leaves)
    leaves.append(tree)
    return LEAF


def _flatten_dataclass(tree: Any, leaves: list[Any]) -> TreeDef:
    fields = dataclasses.fields(tree)
    names = tuple(f.name for f in fields if not f.metadata.get("static"))
    statics = tuple((f.name, getattr(tree, f.name)) for f in fields if f.metadata.get("static"))
    children = tuple([_flatten(getattr(tree, name), leaves) for name in names])
    return TreeDef(type(tree), (names, statics), children)


def _sorted_keys(tree: dict[Any, Any]) -> tuple[Any, ...]:
    try:
        return tuple(sorted(tree))
    except TypeError:
        hint = "use keys of one type, such as strings"
        raise refuse("the keys of a dict of arrays cannot be sorted", hint, TracingError) from None


def tree_map(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """`function` of corresponding leaves, as a tree of the first one's structure.

    Raises:
        TracingError: the trees differ in structure.
    """
    leaves, structure = flatten(tree)
    others = [flatten(other) for other in rest]
    for _, other in others:
        if other != structure:
            raise refuse("the trees have different structures")
    return structure.unflatten([function(*group) for group in zip(leaves, *(o for o, _ in others), strict=True)])
