"""Trees of arrays: dict, list, tuple, named tuple, dataclass and None, with anything else as a leaf.

`flatten` gives the leaves in a fixed order (dicts by sorted key) and a hashable `TreeDef` that puts leaves back. A field of a
dataclass with `metadata={"static": True}` belongs to the structure, not to the leaves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, cast

import numpy as np

from stepwell.frontends.errors import TracingError, refuse


@dataclass(frozen=True)
class TreeDef:
    """The structure of a tree: the kind of node, what it needs to be rebuilt, and its children. A leaf has no kind."""

    kind: Any
    data: Any
    children: tuple[TreeDef, ...]

    @cached_property
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


_LEAF, _SEQUENCE, _DICT, _EMPTY, _NAMED_TUPLE, _DATACLASS = range(6)


@lru_cache(maxsize=4096)
def _node(kind: type[Any]) -> int:
    """Which kind of node values of a type are."""
    if kind is list or kind is tuple:
        return _SEQUENCE
    if kind is dict:
        return _DICT
    if kind is type(None):
        return _EMPTY
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _NAMED_TUPLE
    return _DATACLASS if dataclasses.is_dataclass(kind) else _LEAF


@lru_cache(maxsize=4096)
def _fields(kind: type[Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of a dataclass's fields: those that are children, those that are static."""
    fields = dataclasses.fields(kind)
    children = tuple(f.name for f in fields if not f.metadata.get("static"))
    return children, tuple(f.name for f in fields if f.metadata.get("static"))


def flatten(tree: Any) -> tuple[list[Any], TreeDef]:
    """(leaves, structure).

    Raises:
        TracingError: the keys of a dict cannot be sorted, or the tree contains itself.
    """
    leaves: list[Any] = []
    try:
        return leaves, _flatten(tree, leaves)
    except RecursionError:
        raise _endless() from None


def _flatten(tree: Any, leaves: list[Any]) -> TreeDef:
    kind = type(tree)
    node = _node(kind)
    if node == _LEAF:
        leaves.append(tree)
        return LEAF
    if node == _EMPTY:
        return _NONE
    if node == _DICT:
        keys = _sorted_keys(tree)
        return TreeDef(dict, keys, tuple([_flatten(tree[key], leaves) for key in keys]))
    if node == _DATACLASS:
        names, statics = _fields(kind)
        children = tuple([_flatten(getattr(tree, name), leaves) for name in names])
        return TreeDef(kind, (names, tuple([(name, getattr(tree, name)) for name in statics])), children)
    return TreeDef(kind, None, tuple([_flatten(child, leaves) for child in tree]))


def walk(trees: Sequence[Any], key: list[Hashable], leaves: list[Any]) -> None:
    """Append to `leaves` what `flatten` gives, and to `key` what tells structures apart (a prefix code), without a `TreeDef`.

    Raises:
        TracingError: as `flatten`.
    """
    try:
        _walk(trees, key, leaves)
    except RecursionError:
        raise _endless() from None


def _walk(trees: Sequence[Any], key: list[Hashable], leaves: list[Any]) -> None:
    for tree in trees:
        kind = type(tree)
        node = _node(kind)
        if node == _LEAF:
            leaves.append(tree)
            key.append(None)
            continue
        key.append(kind)
        if node == _DICT:
            keys = _sorted_keys(tree)
            key.append(keys)
            _walk([tree[k] for k in keys], key, leaves)
        elif node == _DATACLASS:
            names, statics = _fields(kind)
            key.extend([exact(getattr(tree, name)) for name in statics])
            _walk([getattr(tree, name) for name in names], key, leaves)
        elif node != _EMPTY:
            key.append(len(tree))
            _walk(tree, key, leaves)


def _endless() -> TracingError:
    return refuse("the tree is too deep, or contains itself")


def exact(value: Any) -> Hashable:
    """A key for a static value: Python finds 1, 1.0 and True equal, and 0.0 and -0.0, but programs do not."""
    if isinstance(value, tuple):
        return (type(value), *[exact(part) for part in cast("tuple[Any, ...]", value)])
    if isinstance(value, float | complex | np.floating | np.complexfloating):
        return type(value), repr(value)
    return type(value), value


def _sorted_keys(tree: dict[Any, Any]) -> tuple[Any, ...]:
    try:
        return tuple(sorted(tree))
    except TypeError:
        hint = "use keys of one type, such as strings"
        raise refuse("the keys of a dict of arrays cannot be sorted", hint) from None


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
