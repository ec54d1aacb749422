"""`vmap` and `vectorize`: a function of one example made one of many, in one program.

The function is traced once, for one example, into ops that are then replayed on all of them (`batching`) and thrown away.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple, cast

from stepwell.frontends.api import EAGER
from stepwell.frontends.batching.batcher import Batched, Batcher
from stepwell.frontends.batching.flags import first_unknown
from stepwell.frontends.batching.table import CONTROL, is_known, rule_of
from stepwell.frontends.build import Values, tensor
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import broadcast, broadcast_shapes, lifted, one_axis
from stepwell.frontends.numpy_api.manipulation import moveaxis, reshape
from stepwell.frontends.pytree import TreeDef, flatten
from stepwell.frontends.tracer import Tracer, current_trace, is_array, is_scalar, is_tracing, static_int

Axes = list[int | None]
_LEAF = (int, type(None))


def vmap(
    function: Callable[..., Any] | None = None,
    in_axes: Any = 0,
    out_axes: Any = 0,
    *,
    axis_size: int | None = None,
) -> Any:
    """A function of one example as a function of many, done at once: products become one larger product, loops one loop.

    Args:
        function: takes and returns arrays or trees of them. Without it a decorator is returned.
        in_axes: where the examples are in each positional argument: an axis, None (the same for all), or a tree of those that
            begins as the argument does. Keyword arguments have them first.
        out_axes: where they are to be in the results; None for a result that is the same for all.
        axis_size: how many there are; needed only if no argument has them.

    Returns:
        The function. It may be called inside of `jit`, of loops and of other maps; outside it is compiled as `jit` would.

    Raises:
        TracingError: when called: axes that do not fit, or an op that has no rule for it, at its line.
    """
    if function is None:
        return functools.partial(vmap, in_axes=in_axes, out_axes=out_axes, axis_size=axis_size)
    if not callable(function):
        raise refuse(f"vmap takes a function, not {function!r}", "axes are given by name: vmap(in_axes=1)")
    inner = function

    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten((args, kwargs))
        axes = _argument_axes(in_axes, args, kwargs)
        return map_leaves(
            lambda given: _called(inner, structure, given), leaves, axes, structure.paths(), out_axes, axis_size
        )

    return _compiled_outside(mapped, inner)


def _called(function: Callable[..., Any], structure: TreeDef, leaves: Sequence[Any]) -> Any:
    args, kwargs = structure.unflatten(leaves)
    return function(*args, **kwargs)


def _compiled_outside(mapped: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """`mapped`, which traces, as what is compiled when nothing is being traced; named as `function` is."""
    jitted: list[Callable[..., Any]] = []

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if is_tracing():
            return mapped(*args, **kwargs)
        if not jitted:
            assert EAGER.jit is not None, "import stepwell, not stepwell.frontends"
            jitted.append(EAGER.jit(functools.wraps(function)(mapped)))
        return jitted[0](*args, **kwargs)

    return call


# Axes ------------------------------------------------------------------------------------------------------------------


def _argument_axes(in_axes: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Axes:
    """The axis of every leaf of (args, kwargs)."""
    if isinstance(in_axes, list):
        in_axes = tuple(cast("list[Any]", in_axes))
    if isinstance(in_axes, tuple) and len(cast("tuple[Any, ...]", in_axes)) != len(args):
        raise refuse(f"vmap: in_axes has {len(in_axes)} entries for {len(args)} arguments")  # pyright: ignore
    return [*_leaf_axes(in_axes, args, "in_axes"), *_leaf_axes(0, kwargs, "in_axes")]


def _leaf_axes(axes: Any, tree: Any, what: str) -> Axes:
    """The axis of every leaf of a tree, from a tree of axes that begins as it does."""
    if isinstance(axes, _LEAF) and not isinstance(axes, bool):
        return [axes] * flatten(tree)[1].leaf_count
    wrong = refuse(f"vmap: {what} {axes!r} does not begin as the values do: {flatten(tree)[1].paths()}")
    if isinstance(axes, dict) and isinstance(tree, dict):
        named, values = cast("dict[Any, Any]", axes), cast("dict[Any, Any]", tree)
        if sorted(named) != sorted(values):
            raise wrong
        return [a for key in sorted(values) for a in _leaf_axes(named[key], values[key], what)]
    if isinstance(axes, tuple | list) and isinstance(tree, tuple | list):
        given, parts = cast("Sequence[Any]", axes), cast("Sequence[Any]", tree)
        if len(given) != len(parts):
            raise wrong
        return [a for axis, part in zip(given, parts, strict=True) for a in _leaf_axes(axis, part, what)]
    raise wrong


def _size(leaves: Sequence[Any], axes: Axes, paths: Sequence[str], axis_size: int | None) -> int:
    """How many examples there are."""
    sizes: dict[str, int] = {}
    for leaf, axis, path in zip(leaves, axes, paths, strict=True):
        if axis is None:
            continue
        if not is_array(leaf) or not leaf.shape:
            shown = f"a {leaf.dtype.name}" if is_array(leaf) else repr(leaf)
            hint = "the axis of what is the same for all is None (in_axes)"
            raise refuse(f"vmap: the argument at {path} has no axis {axis}: it is {shown} without dims", hint)
        sizes[path] = leaf.shape[one_axis(axis, len(leaf.shape))]
    if axis_size is not None:
        sizes["axis_size"] = static_int(axis_size, "axis_size")
    if not sizes:
        raise refuse("vmap: no argument has the axis that is mapped", "give in_axes, or axis_size")
    (first, size), *rest = sizes.items()
    for path, other in rest:
        if other != size:
            raise refuse(f"vmap: there are {size} examples at {first}, but {other} at {path}")
    return size


# The map ---------------------------------------------------------------------------------------------------------------


def map_leaves(
    function: Callable[[Sequence[Any]], Any],
    leaves: Sequence[Any],
    axes: Axes,
    paths: Sequence[str],
    out_axes: Any = 0,
    axis_size: int | None = None,
    otherwise: Callable[[], Any] | None = None,
) -> Any:
    """`function` of leaves, each without its axis; the results with their axes, as a tree.

    What `otherwise` gives, if it is there and the function has an op that cannot be done for many.
    """
    trace, size = current_trace(), _size(leaves, axes, paths, axis_size)
    places = [i for i, axis in enumerate(axes) if axis is not None]
    whole = [cast(Tracer, moveaxis(lifted(leaves[i]), cast(int, axes[i]), 0)) for i in places]
    trees: list[tuple[list[Any], TreeDef]] = []

    def body(arguments: Values) -> Values:
        given = list(leaves)
        for i, value, outer in zip(places, arguments, whole, strict=True):
            given[i] = trace.tracer(value, outer.weak)
        results, structure = flatten(function(given))
        trees.append(([_lifted_result(r) for r in results], structure))
        return [t.value_in(trace) for t in trees[0][0]]

    with trace.function.sketch([tensor(w.dtype, *w.shape[1:]) for w in whole], body) as (block, values):
        if otherwise is not None and first_unknown(block, is_known) is not None:
            return otherwise()
        batcher = Batcher(trace.function, size, rule_of, CONTROL)
        batcher.run(block, [Batched(w.value_in(trace), True) for w in whole])
        made = [batcher.lookup(v) for v in values]
        results, structure = trees[0]
        wanted = _leaf_axes(out_axes, structure.unflatten(results), "out_axes")
        outs: list[Any] = []
        for result, value, axis, path in zip(results, made, wanted, structure.paths(), strict=True):
            if axis is None and value.has_batch:
                raise refuse(f"vmap: the result{path} differs from example to example, out_axes says None")
            tracer = trace.tracer(value.value if axis is None else batcher.full(value), result.weak)
            outs.append(tracer if axis is None else moveaxis(tracer, 0, one_axis(axis, len(tracer.shape))))
    return structure.unflatten(outs)


def _lifted_result(result: Any) -> Tracer:
    if not is_array(result) and not is_scalar(result):
        raise refuse(f"vmap: the function returns a {type(result).__name__}, which is not an array")
    return lifted(result)


# NumPy's generalized functions -----------------------------------------------------------------------------------------

_DIMS = r"\(\s*(?:\w+\s*(?:,\s*\w+\s*)*)?\)"
_SIGNATURE = re.compile(rf"\s*(?:{_DIMS}\s*(?:,\s*{_DIMS}\s*)*)?->\s*{_DIMS}\s*(?:,\s*{_DIMS}\s*)*")


class Core(NamedTuple):
    """What a signature such as "(m,n),(n)->(m)" says: the names of the core dims of arguments and results."""

    inputs: list[tuple[str, ...]]
    outputs: list[tuple[str, ...]]


def core_of(signature: str) -> Core:
    """The core dims of a signature.

    Raises:
        TracingError: it is none.
    """
    if not isinstance(signature, str) or not _SIGNATURE.fullmatch(signature):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise refuse(f"vectorize: {signature!r} is not a signature", "for instance '(m,n),(n)->(m)'")
    left, right = signature.split("->")
    return Core(*([tuple(re.findall(r"\w+", dims)) for dims in re.findall(_DIMS, side)] for side in (left, right)))


def vectorize(
    function: Callable[..., Any] | None = None,
    *,
    excluded: Collection[int | str] = (),
    signature: str | None = None,
) -> Any:
    """A function of numbers, or of the core dims that a signature names, over all dims in front of these, broadcast.

    Args:
        function: takes arrays of the core dims ("(m,n),(n)->(m)": a matrix and a vector; without a signature: numbers) and
            returns an array or a tuple of them. Without it a decorator is returned.
        excluded: positions and names of arguments that are passed as they are.
        signature: the core dims of arguments and results, as of NumPy's generalized universal functions.

    Returns:
        The function, which is one program, not a loop: see `vmap`.
    """
    if function is None:
        return functools.partial(vectorize, excluded=excluded, signature=signature)
    core, inner, left_out = None if signature is None else core_of(signature), function, frozenset(excluded)

    def mapped(*args: Any, **kwargs: Any) -> Any:
        if unknown := sorted(name for name in kwargs if name not in left_out):
            raise refuse(f"vectorize: '{unknown[0]}' is given by name", "give it by position, or name it in `excluded`")
        places = [i for i in range(len(args)) if i not in left_out]
        return _vectorized(inner, core, args, kwargs, places)

    return _compiled_vectorized(mapped, inner, left_out)


def _compiled_vectorized(
    mapped: Callable[..., Any], function: Callable[..., Any], excluded: frozenset[int | str]
) -> Callable[..., Any]:
    """As `_compiled_outside`: arguments that are excluded and hold no arrays are static."""
    jitted: dict[tuple[Any, ...], Callable[..., Any]] = {}

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if is_tracing():
            return mapped(*args, **kwargs)
        numbers = tuple(i for i, a in enumerate(args) if i in excluded and not _holds_arrays(a))
        names = tuple(sorted(name for name, a in kwargs.items() if name in excluded and not _holds_arrays(a)))
        if (numbers, names) not in jitted:
            assert EAGER.jit is not None, "import stepwell, not stepwell.frontends"
            named = functools.wraps(function)(lambda *a, **k: mapped(*a, **k))
            del named.__wrapped__  # its parameters are any: those of `function` may have names only
            jitted[numbers, names] = EAGER.jit(named, static_argnums=numbers, static_argnames=names)
        return jitted[numbers, names](*args, **kwargs)

    return call


def _holds_arrays(tree: Any) -> bool:
    return any(is_array(leaf) for leaf in flatten(tree)[0])


def _vectorized(
    function: Callable[..., Any], core: Core | None, args: tuple[Any, ...], kwargs: dict[str, Any], places: list[int]
) -> Any:
    arrays = [lifted(args[i]) for i in places]
    names = [()] * len(arrays) if core is None else core.inputs
    if len(names) != len(arrays):
        raise refuse(f"vectorize: the signature has {len(names)} arguments, {len(arrays)} are given")
    extents: dict[str, int] = {}
    loops = [
        _loop_shape(f"argument {i}", a.shape, dims, extents) for i, a, dims in zip(places, arrays, names, strict=True)
    ]
    loop = broadcast_shapes(*loops)

    def called(given: Sequence[Any]) -> Any:
        every = list(args)
        for i, value in zip(places, given, strict=True):
            every[i] = value
        result = function(*every, **kwargs)
        _check_results(result, core, extents)
        return result

    alone = [all(e == 1 for e in shape) for shape in loops]
    flat = [_flat(a, shape, loop, one) for a, shape, one in zip(arrays, loops, alone, strict=True)]
    if all(alone) and loop == ():
        return called(flat)
    size = 1
    for extent in loop:
        size *= extent
    axes: Axes = [None if one else 0 for one in alone]
    results = map_leaves(called, flat, axes, [f"argument {i}" for i in places], 0, size)
    leaves, structure = flatten(results)
    return structure.unflatten([reshape(r, (*loop, *r.shape[1:])) for r in leaves])


def _loop_shape(what: str, shape: tuple[int, ...], names: tuple[str, ...], extents: dict[str, int]) -> tuple[int, ...]:
    """The dims in front of the core dims, whose extents are entered."""
    if len(shape) < len(names):
        raise refuse(f"vectorize: {what} has shape {shape}, the signature gives it {len(names)} core dims")
    cut = len(shape) - len(names)
    for name, extent in zip(names, shape[cut:], strict=True):
        if extents.setdefault(name, extent) != extent:
            raise refuse(f"vectorize: the core dim '{name}' is {extents[name]}, but {extent} in {what}")
    return shape[:cut]


def _flat(array: Tracer, own: tuple[int, ...], loop: tuple[int, ...], is_alone: bool) -> Any:
    """An argument with its loop dims as one, or without those that repeat all of it."""
    core = array.shape[len(own) :]
    if is_alone:
        return reshape(array, core)
    size = 1
    for extent in loop:
        size *= extent
    aligned = reshape(array, (*[1] * (len(loop) - len(own)), *array.shape))
    return reshape(broadcast(aligned, (*loop, *core)), (size, *core))


def _check_results(result: Any, core: Core | None, extents: dict[str, int]) -> None:
    if core is None:
        return
    results = cast("tuple[Any, ...]", result) if isinstance(result, tuple) else (result,)
    if len(results) != len(core.outputs):
        raise refuse(f"vectorize: the signature has {len(core.outputs)} results, the function returns {len(results)}")
    for i, (value, names) in enumerate(zip(results, core.outputs, strict=True)):
        shape = lifted(value).shape
        if len(shape) != len(names) or _loop_shape(f"result {i}", shape, names, extents):
            raise refuse(f"vectorize: result {i} has shape {shape}, the signature gives it {len(names)} core dims")


__all__ = ["core_of", "map_leaves", "vectorize", "vmap"]
