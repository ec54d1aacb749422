"""Shape functions: what an op's result shape is, or which constraint its operands violate.

Shared by constructors, verifiers and frontends. Shapes are tuples of ints, `DYNAMIC` for an unknown extent (xDSL's `?`).
A violated constraint raises `ShapeError`, whose `label` is the constraint's number in the StableHLO specification.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import DYNAMIC_INDEX

Shape = tuple[int, ...]
DYNAMIC = DYNAMIC_INDEX


class ShapeError(ValueError):
    """A shape constraint does not hold; `label` is the specification's name for it."""

    def __init__(self, label: str, message: str):
        super().__init__(message)
        self.label = label


def _check(label: str, condition: bool, message: str) -> None:
    if not condition:
        raise ShapeError(label, message)


def compatible(a: Sequence[int], b: Sequence[int]) -> bool:
    """Equal ranks, and extents equal where both are known."""
    return len(a) == len(b) and all(x == y or x == DYNAMIC or y == DYNAMIC for x, y in zip(a, b, strict=True))


def same_extent(a: int, b: int) -> bool:
    """Equal, or one of them unknown."""
    return a == b or a == DYNAMIC or b == DYNAMIC


def join(shapes: Sequence[Sequence[int]]) -> Shape:
    """The most precise shape all of `shapes` agree on."""
    return tuple(next((d for d in dims if d != DYNAMIC), DYNAMIC) for dims in zip(*shapes, strict=True))


def _in_range(label: str, dims: Sequence[int], rank: int, what: str) -> None:
    _check(label, all(0 <= d < rank for d in dims), f"{what} = {list(dims)} must lie in [0, {rank})")


def _unique(label: str, dims: Sequence[int], what: str) -> None:
    _check(label, len(set(dims)) == len(dims), f"{what} = {list(dims)} must not repeat a dimension")


def _sorted(label: str, dims: Sequence[int], what: str) -> None:
    _check(label, list(dims) == sorted(dims), f"{what} = {list(dims)} must be sorted")


# Moving data -------------------------------------------------------------------------------------------------------


def broadcast_in_dim(operand: Sequence[int], dims: Sequence[int], result: Sequence[int]) -> Shape:
    """Check a broadcast of `operand` to `result`; returns `result`."""
    _check("C2", len(dims) == len(operand), f"{len(dims)} dims for an operand of rank {len(operand)}")
    _in_range("C3", dims, len(result), "dims")
    _unique("C4", dims, "dims")
    for i, d in enumerate(dims):
        ok = operand[i] == 1 or same_extent(operand[i], result[d])
        _check(
            "C5", ok, f"operand dim {i} has extent {operand[i]}, result dim {d} has {result[d]}: not 1 and not equal"
        )
    return tuple(result)


def reshape(operand: Sequence[int], result: Sequence[int]) -> Shape:
    """Check that both shapes have the same number of elements; returns `result`."""
    if DYNAMIC not in operand and DYNAMIC not in result:
        sizes = (count(operand), count(result))
        _check("C2", sizes[0] == sizes[1], f"operand has {sizes[0]} elements, result has {sizes[1]}")
    return tuple(result)


def count(shape: Sequence[int]) -> int:
    """Number of elements."""
    product = 1
    for extent in shape:
        product *= extent
    return product


def transpose(operand: Sequence[int], permutation: Sequence[int]) -> Shape:
    """Result dim i is operand dim `permutation[i]`."""
    _check(
        "C2",
        sorted(permutation) == list(range(len(operand))),
        f"dims = {list(permutation)} is not a permutation of {list(range(len(operand)))}",
    )
    return tuple(operand[p] for p in permutation)


def slice_(operand: Sequence[int], starts: Sequence[int], limits: Sequence[int], strides: Sequence[int]) -> Shape:
    """`operand[start:limit:stride]` in each dim."""
    sizes = (len(starts), len(limits), len(strides))
    _check("C2", all(s == len(operand) for s in sizes), f"{sizes} indices for an operand of rank {len(operand)}")
    result: list[int] = []
    for d, (extent, start, limit, stride) in enumerate(zip(operand, starts, limits, strides, strict=True)):
        ok = 0 <= start <= limit and (extent == DYNAMIC or limit <= extent)
        _check("C3", ok, f"dim {d}: need 0 <= start <= limit <= {extent}, got start {start}, limit {limit}")
        _check("C4", stride > 0, f"dim {d}: stride {stride} must be positive")
        result.append(-(-(limit - start) // stride))
    return tuple(result)


def pad(operand: Sequence[int], low: Sequence[int], high: Sequence[int], interior: Sequence[int]) -> Shape:
    """Extents after padding `low` before, `high` after and `interior` between elements (edges may be negative)."""
    sizes = (len(low), len(high), len(interior))
    _check("C2", all(s == len(operand) for s in sizes), f"{sizes} paddings for an operand of rank {len(operand)}")
    result: list[int] = []
    for d, extent in enumerate(operand):
        _check("C3", interior[d] >= 0, f"dim {d}: interior padding {interior[d]} must not be negative")
        if extent == DYNAMIC:
            result.append(DYNAMIC)
            continue
        padded = low[d] + extent + max(extent - 1, 0) * interior[d] + high[d]
        _check("C4", padded >= 0, f"dim {d}: padded extent {padded} is negative")
        result.append(padded)
    return tuple(result)


def dynamic_pad(
    operand: Sequence[int],
    low: Sequence[int] | None,
    high: Sequence[int] | None,
    interior: Sequence[int] | None,
) -> Shape:
    """Extents after padding, `?` where a padding is None (not known)."""
    if low is None or high is None or interior is None:
        return (DYNAMIC,) * len(operand)
    return pad(operand, low, high, interior)


def concatenate(inputs: Sequence[Sequence[int]], dimension: int) -> Shape:
    """Inputs one after the other along `dimension`."""
    _check("C3", len(inputs) > 0, "needs at least one input")
    first = inputs[0]
    _check("C4", 0 <= dimension < len(first), f"dim = {dimension} must lie in [0, {len(first)})")
    for i, shape in enumerate(inputs):
        ok = len(shape) == len(first) and all(
            d == dimension or same_extent(x, y) for d, (x, y) in enumerate(zip(shape, first, strict=True))
        )
        _check(
            "C2", ok, f"input {i} has shape {list(shape)}, input 0 {list(first)}: may differ in dim {dimension} only"
        )
    along = [s[dimension] for s in inputs]
    total = DYNAMIC if DYNAMIC in along else sum(along)
    joined = list(join(inputs)) if all(len(s) == len(first) for s in inputs) else list(first)
    joined[dimension] = total
    return tuple(joined)


def dynamic_slice(operand: Sequence[int], indices: int, sizes: Sequence[int]) -> Shape:
    """A slice of `sizes` at run-time indices."""
    ok = indices == len(sizes) == len(operand)
    _check("C2", ok, f"{indices} start indices and {len(sizes)} sizes for an operand of rank {len(operand)}")
    for d, (size, extent) in enumerate(zip(sizes, operand, strict=True)):
        ok = 0 <= size and (extent == DYNAMIC or size <= extent)
        _check("C4", ok, f"dim {d}: slice size {size} must lie in [0, {extent}]")
    return tuple(sizes)


def dynamic_update_slice(operand: Sequence[int], update: Sequence[int], indices: int) -> Shape:
    """`operand` with `update` written at run-time indices."""
    _check("C3", len(update) == len(operand), f"update has rank {len(update)}, operand {len(operand)}")
    _check("C4", indices == len(operand), f"{indices} start indices for an operand of rank {len(operand)}")
    for d, (size, extent) in enumerate(zip(update, operand, strict=True)):
        ok = size == DYNAMIC or extent == DYNAMIC or 0 <= size <= extent
        _check("C6", ok, f"dim {d}: update extent {size} is larger than the operand's {extent}")
    return tuple(operand)


def reverse(operand: Sequence[int], dims: Sequence[int]) -> Shape:
    """The same shape; `dims` are distinct dims of it."""
    _unique("C2", dims, "dims")
    _in_range("C3", dims, len(operand), "dims")
    return tuple(operand)


def iota(result: Sequence[int], dimension: int) -> Shape:
    """Check the counting dim of an iota; returns `result`."""
    _check("C1", 0 <= dimension < len(result), f"dim = {dimension} must lie in [0, {len(result)})")
    return tuple(result)


# Indexing ----------------------------------------------------------------------------------------------------------


def gather(
    operand: Sequence[int],
    indices: Sequence[int],
    offset_dims: Sequence[int],
    collapsed_slice_dims: Sequence[int],
    operand_batching_dims: Sequence[int],
    start_indices_batching_dims: Sequence[int],
    start_index_map: Sequence[int],
    index_vector_dim: int,
    slice_sizes: Sequence[int],
) -> Shape:
    """Batch dims of the indices combined with the offset dims of the slices."""
    rank = len(operand)
    dropped = [*collapsed_slice_dims, *operand_batching_dims]
    ok = rank == len(offset_dims) + len(dropped)
    _check(
        "C1", ok, f"operand has rank {rank}, offset, collapsed and batching dims are {len(offset_dims) + len(dropped)}"
    )
    ok = 0 <= index_vector_dim <= len(indices)
    _check("C2", ok, f"index_vector_dim = {index_vector_dim} must lie in [0, {len(indices)}]")
    vector = indices[index_vector_dim] if index_vector_dim < len(indices) else 1
    ok = same_extent(len(start_index_map), vector)
    _check("C3", ok, f"start_index_map has {len(start_index_map)} entries, an index vector has {vector}")
    _unique("C4", offset_dims, "offset_dims")
    _sorted("C4", offset_dims, "offset_dims")
    _unique("C6", dropped, "collapsed_slice_dims + operand_batching_dims")
    _sorted("C7", collapsed_slice_dims, "collapsed_slice_dims")
    _in_range("C8", collapsed_slice_dims, rank, "collapsed_slice_dims")
    _sorted("C10", operand_batching_dims, "operand_batching_dims")
    _in_range("C11", operand_batching_dims, rank, "operand_batching_dims")
    _check("C20", len(slice_sizes) == rank, f"{len(slice_sizes)} slice sizes for an operand of rank {rank}")
    for label, dims in (("C9", collapsed_slice_dims), ("C12", operand_batching_dims)):
        _check(label, all(slice_sizes[d] <= 1 for d in dims), f"slice sizes of dims {list(dims)} must be at most 1")
    _gather_batching("gather", operand, indices, operand_batching_dims, start_indices_batching_dims, index_vector_dim)
    _unique("C18", [*start_index_map, *operand_batching_dims], "start_index_map + operand_batching_dims")
    _in_range("C19", start_index_map, rank, "start_index_map")
    for d, (size, extent) in enumerate(zip(slice_sizes, operand, strict=True)):
        ok = 0 <= size and (extent == DYNAMIC or size <= extent)
        _check("C21", ok, f"dim {d}: slice size {size} must lie in [0, {extent}]")
    batch = iter([e for d, e in enumerate(indices) if d != index_vector_dim])
    offsets = iter([e for d, e in enumerate(slice_sizes) if d not in dropped])
    result_rank = len(indices) - (1 if index_vector_dim < len(indices) else 0) + len(offset_dims)
    _in_range("C5", offset_dims, result_rank, "offset_dims")
    return tuple(next(offsets) if d in offset_dims else next(batch) for d in range(result_rank))


_BATCHING_LABELS = {
    "gather": ("C13", "C14", "C15", "C16", "C17"),
    "scatter": ("C14", "C15", "C16", "C17", "C18"),
}


def _gather_batching(
    op: str,
    operand: Sequence[int],
    indices: Sequence[int],
    operand_dims: Sequence[int],
    index_dims: Sequence[int],
    index_vector_dim: int,
) -> None:
    unique, in_range, not_vector, same_size, same_extents = _BATCHING_LABELS[op]
    _unique(unique, index_dims, "batching dims of the indices")
    _in_range(in_range, index_dims, len(indices), "batching dims of the indices")
    _check(not_vector, index_vector_dim not in index_dims, f"index_vector_dim = {index_vector_dim} is a batching dim")
    ok = len(operand_dims) == len(index_dims)
    _check(same_size, ok, f"{len(operand_dims)} operand and {len(index_dims)} index batching dims")
    for a, b in zip(operand_dims, index_dims, strict=True):
        ok = same_extent(operand[a], indices[b])
        _check(same_extents, ok, f"batching dims {a} and {b} have extents {operand[a]} and {indices[b]}")


def scatter(
    operand: Sequence[int],
    indices: Sequence[int],
    updates: Sequence[int],
    update_window_dims: Sequence[int],
    inserted_window_dims: Sequence[int],
    input_batching_dims: Sequence[int],
    scatter_indices_batching_dims: Sequence[int],
    scatter_dims_to_operand_dims: Sequence[int],
    index_vector_dim: int,
) -> Shape:
    """Check the shape of `updates`; returns the operand's shape."""
    rank = len(operand)
    inserted = [*inserted_window_dims, *input_batching_dims]
    ok = rank == len(update_window_dims) + len(inserted)
    _check(
        "C2",
        ok,
        f"input has rank {rank}, window, inserted and batching dims are {len(update_window_dims) + len(inserted)}",
    )
    _unique("C7", update_window_dims, "update_window_dims")
    _sorted("C7", update_window_dims, "update_window_dims")
    _in_range("C8", update_window_dims, len(updates), "update_window_dims")
    _unique("C9", inserted, "inserted_window_dims + input_batching_dims")
    _sorted("C10", inserted_window_dims, "inserted_window_dims")
    _in_range("C11", inserted_window_dims, rank, "inserted_window_dims")
    _sorted("C12", input_batching_dims, "input_batching_dims")
    _in_range("C13", input_batching_dims, rank, "input_batching_dims")
    ok = 0 <= index_vector_dim <= len(indices)
    _check("C22", ok, f"index_vector_dim = {index_vector_dim} must lie in [0, {len(indices)}]")
    _gather_batching("scatter", operand, indices, input_batching_dims, scatter_indices_batching_dims, index_vector_dim)
    vector = indices[index_vector_dim] if index_vector_dim < len(indices) else 1
    ok = same_extent(len(scatter_dims_to_operand_dims), vector)
    _check(
        "C19",
        ok,
        f"scatter_dims_to_operand_dims has {len(scatter_dims_to_operand_dims)} entries, an index vector {vector}",
    )
    _unique(
        "C20", [*scatter_dims_to_operand_dims, *input_batching_dims], "scatter_dims_to_operand_dims + batching dims"
    )
    _in_range("C21", scatter_dims_to_operand_dims, rank, "scatter_dims_to_operand_dims")
    scatter_sizes = [e for d, e in enumerate(indices) if d != index_vector_dim]
    ok = len(updates) == len(scatter_sizes) + len(update_window_dims)
    _check("C4", ok, f"updates has rank {len(updates)}, expected {len(scatter_sizes) + len(update_window_dims)}")
    window = iter([operand[d] for d in range(rank) if d not in inserted])
    rest = iter(scatter_sizes)
    for d, extent in enumerate(updates):
        if d in update_window_dims:
            bound = next(window)
            ok = extent == DYNAMIC or bound == DYNAMIC or extent <= bound
            _check("C4", ok, f"updates dim {d} has extent {extent}, larger than the input's {bound}")
        else:
            expected = next(rest)
            _check(
                "C4", same_extent(extent, expected), f"updates dim {d} has extent {extent}, the indices say {expected}"
            )
    return tuple(operand)


# Reductions and windows --------------------------------------------------------------------------------------------


def reduce(inputs: Sequence[Sequence[int]], dims: Sequence[int]) -> Shape:
    """The inputs' common shape without `dims`."""
    first = inputs[0]
    for i, shape in enumerate(inputs):
        _check("C1", compatible(first, shape), f"input {i} has shape {list(shape)}, input 0 has {list(first)}")
    _in_range("C4", dims, len(first), "dimensions")
    _unique("C5", dims, "dimensions")
    return tuple(e for d, e in enumerate(join(inputs)) if d not in dims)


def dilate(extent: int, dilation: int) -> int:
    """Extent after inserting `dilation - 1` holes between elements."""
    return extent if extent in (0, DYNAMIC) else (extent - 1) * dilation + 1


def window_extent(extent: int, window: int, stride: int, low: int, high: int, base: int = 1, dilation: int = 1) -> int:
    """How many windows fit."""
    if extent == DYNAMIC or window == DYNAMIC:
        return DYNAMIC
    padded = low + dilate(extent, base) + high
    reach = dilate(window, dilation)
    return 0 if padded == 0 or reach > padded else (padded - reach) // stride + 1


def reduce_window(
    inputs: Sequence[Sequence[int]],
    window: Sequence[int],
    strides: Sequence[int],
    base_dilations: Sequence[int],
    window_dilations: Sequence[int],
    padding: Sequence[tuple[int, int]],
) -> Shape:
    """Number of windows per dim."""
    first = inputs[0]
    for i, shape in enumerate(inputs):
        _check("C2", compatible(first, shape), f"input {i} has shape {list(shape)}, input 0 has {list(first)}")
    rank = len(first)
    sized = (("C4", "C5", window, "window_dimensions"), ("C6", "C7", strides, "window_strides"))
    sized += (("C8", "C9", base_dilations, "base_dilations"), ("C10", "C11", window_dilations, "window_dilations"))
    for size_label, positive_label, values, what in sized:
        _check(size_label, len(values) == rank, f"{what} has {len(values)} entries for rank {rank}")
        _check(positive_label, all(v > 0 for v in values), f"{what} = {list(values)} must be positive")
    _check("C12", len(padding) == rank, f"padding has {len(padding)} rows for rank {rank}")
    joined = join(inputs)
    return tuple(
        window_extent(joined[d], window[d], strides[d], *padding[d], base_dilations[d], window_dilations[d])
        for d in range(rank)
    )


def select_and_scatter(
    operand: Sequence[int],
    source: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
) -> Shape:
    """Check that `source` has one element per window; returns the operand's shape."""
    rank = len(operand)
    for size_label, positive_label, values, what in (
        ("C4", "C5", window, "window_dimensions"),
        ("C6", "C7", strides, "window_strides"),
    ):
        _check(size_label, len(values) == rank, f"{what} has {len(values)} entries for rank {rank}")
        _check(positive_label, all(v > 0 for v in values), f"{what} = {list(values)} must be positive")
    _check("C8", len(padding) == rank, f"padding has {len(padding)} rows for rank {rank}")
    windows = tuple(window_extent(operand[d], window[d], strides[d], *padding[d]) for d in range(rank))
    _check("C2", compatible(source, windows), f"source has shape {list(source)}, there are {list(windows)} windows")
    return tuple(operand)


# Contractions ------------------------------------------------------------------------------------------------------


def dot_general(
    lhs: Sequence[int],
    rhs: Sequence[int],
    lhs_batch: Sequence[int],
    rhs_batch: Sequence[int],
    lhs_contract: Sequence[int],
    rhs_contract: Sequence[int],
) -> Shape:
    """Batch dims, then the free dims of `lhs`, then those of `rhs`."""
    _check(
        "C1", len(lhs_batch) == len(rhs_batch), f"batching_dims {list(lhs_batch)} x {list(rhs_batch)} differ in number"
    )
    ok = len(lhs_contract) == len(rhs_contract)
    _check("C2", ok, f"contracting_dims {list(lhs_contract)} x {list(rhs_contract)} differ in number")
    _unique("C3", [*lhs_batch, *lhs_contract], "lhs batching and contracting dims")
    _unique("C4", [*rhs_batch, *rhs_contract], "rhs batching and contracting dims")
    _in_range("C5", lhs_batch, len(lhs), "lhs batching dims")
    _in_range("C6", lhs_contract, len(lhs), "lhs contracting dims")
    _in_range("C7", rhs_batch, len(rhs), "rhs batching dims")
    _in_range("C8", rhs_contract, len(rhs), "rhs contracting dims")
    for label, pairs in (("C9", (lhs_batch, rhs_batch)), ("C10", (lhs_contract, rhs_contract))):
        for a, b in zip(*pairs, strict=True):
            _check(label, same_extent(lhs[a], rhs[b]), f"lhs dim {a} has extent {lhs[a]}, rhs dim {b} has {rhs[b]}")
    batch = [rhs[b] if lhs[a] == DYNAMIC else lhs[a] for a, b in zip(lhs_batch, rhs_batch, strict=True)]
    lhs_free = [e for d, e in enumerate(lhs) if d not in lhs_batch and d not in lhs_contract]
    rhs_free = [e for d, e in enumerate(rhs) if d not in rhs_batch and d not in rhs_contract]
    return (*batch, *lhs_free, *rhs_free)


def convolution(
    lhs: Sequence[int],
    rhs: Sequence[int],
    dims: Sequence[int | Sequence[int]],
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int],
    rhs_dilation: Sequence[int],
    feature_groups: int,
    batch_groups: int,
) -> Shape:
    """Output shape of a convolution; `dims` are the nine fields of its dimension numbers, in order."""
    rank = len(lhs)
    _check("C1", rank == len(rhs), f"lhs has rank {rank}, rhs {len(rhs)}")
    for size_label, positive_label, values, what in (
        ("C2", "C3", strides, "window_strides"),
        ("C5", "C6", lhs_dilation, "lhs_dilation"),
        ("C7", "C8", rhs_dilation, "rhs_dilation"),
    ):
        _check(size_label, len(values) == rank - 2, f"{what} has {len(values)} entries for {rank - 2} spatial dims")
        _check(positive_label, all(v > 0 for v in values), f"{what} = {list(values)} must be positive")
    _check("C4", len(padding) == rank - 2, f"padding has {len(padding)} rows for {rank - 2} spatial dims")
    sides: list[tuple[int, int, list[int]]] = []
    for index, (size_label, label, what) in enumerate(
        (("C12", "C13", "input"), ("C17", "C18", "kernel"), ("C19", "C20", "output"))
    ):
        first, second, spatial = dims[3 * index : 3 * index + 3]
        if not isinstance(first, int) or not isinstance(second, int) or isinstance(spatial, int):
            raise TypeError("dims: two ints and a list of ints per side")
        _check(size_label, len(spatial) == rank - 2, f"{len(spatial)} {what} spatial dims for rank {rank}")
        _unique(label, [first, second, *spatial], f"{what} dimensions")
        _in_range(label, [first, second, *spatial], rank, f"{what} dimensions")
        sides.append((first, second, list(spatial)))
    (in_batch, in_feature, in_spatial), (k_in, k_out, k_spatial), (out_batch, out_feature, out_spatial) = sides
    _conv_groups(lhs[in_batch], lhs[in_feature], rhs[k_in], rhs[k_out], feature_groups, batch_groups)
    result = [0] * rank
    result[out_batch] = lhs[in_batch] // batch_groups if lhs[in_batch] != DYNAMIC else DYNAMIC
    result[out_feature] = rhs[k_out]
    for i in range(rank - 2):
        result[out_spatial[i]] = window_extent(
            lhs[in_spatial[i]], rhs[k_spatial[i]], strides[i], *padding[i], lhs_dilation[i], rhs_dilation[i]
        )
    return tuple(result)


def _conv_groups(batch: int, features: int, k_in: int, k_out: int, feature_groups: int, batch_groups: int) -> None:
    _check("C21", feature_groups > 0, f"feature_group_count = {feature_groups} must be positive")
    _check("C22", batch_groups > 0, f"batch_group_count = {batch_groups} must be positive")
    _check("C23", feature_groups == 1 or batch_groups == 1, "feature and batch groups cannot both be used")
    ok = batch == DYNAMIC or batch % batch_groups == 0
    _check("C10", ok, f"batch {batch} is not divisible by batch_group_count = {batch_groups}")
    ok = features == DYNAMIC or features % feature_groups == 0
    _check("C11", ok, f"{features} input features are not divisible by feature_group_count = {feature_groups}")
    ok = features == DYNAMIC or same_extent(k_in, features // feature_groups)
    _check("C14", ok, f"kernel has {k_in} input features, expected {features} / {feature_groups}")
    ok = k_out == DYNAMIC or k_out % batch_groups == 0
    _check("C15", ok, f"{k_out} output features are not divisible by batch_group_count = {batch_groups}")
    ok = k_out == DYNAMIC or k_out % feature_groups == 0
    _check("C16", ok, f"{k_out} output features are not divisible by feature_group_count = {feature_groups}")
