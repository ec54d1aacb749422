"""Type inference: the result types that an op's operands, attributes and regions imply, for every op of StableHLO and CHLO.

`infer_types(op)` is one call of the op's rule in `RULES`. What nothing implies (the element type of a `convert`, the shape of a
`reshape`) is taken from the types that are written; an extent that nobody says is `?`. A rule asks a `View` for the extents of
its operands: seen with their bounds in the place of `?`, the same rule gives the bounds of the results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

from xdsl.dialects.builtin import (
    ComplexType,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    IntegerType,
    Signedness,
    TensorType,
    TupleType,
    i1,
    i32,
)
from xdsl.ir import Attribute, Operation, Region, SSAValue
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects.stablehlo import attrs, contractions, dynamic, indexing, reductions
from stepwell.dialects.stablehlo.attrs import TypeExtensionsAttr
from stepwell.dialects.stablehlo.base import AnyTensor, bit_width, bounds_of, returned_types
from stepwell.dialects.stablehlo.distributed import CollectiveOp
from stepwell.ir import shapes
from stepwell.ir.dense import dense_to_list
from stepwell.ir.shapes import DYNAMIC, Shape, ShapeError

Types: TypeAlias = "Sequence[Attribute]"


class View:
    """The extents of operands, as rules see them."""

    def shape(self, value: SSAValue) -> Shape:
        """The extents in a value's type."""
        return cast(AnyTensor, value.type).get_shape()

    def merge(self, seen: Sequence[Shape]) -> Shape:
        """What shapes that must agree say together."""
        return shapes.join(seen)


class BoundsView(View):
    """Extents with their upper bounds in the place of `?`."""

    def shape(self, value: SSAValue) -> Shape:
        """The extents, or their bounds, in a value's type."""
        type_ = cast(AnyTensor, value.type)
        bounds = bounds_of(type_)
        return tuple(b if e == DYNAMIC else e for e, b in zip(type_.get_shape(), bounds, strict=True))

    def merge(self, seen: Sequence[Shape]) -> Shape:
        """The lowest bounds."""
        return tuple(min([e for e in dims if e != DYNAMIC], default=DYNAMIC) for dims in zip(*seen, strict=True))


Rule: TypeAlias = Callable[[Any, View], Types]


def bounded(type_: AnyTensor, bounds: Sequence[int]) -> AnyTensor:
    """The type with upper bounds for those extents that are `?`."""
    kept = [b if e == DYNAMIC else DYNAMIC for e, b in zip(type_.get_shape(), bounds, strict=True)]
    if all(b == DYNAMIC for b in kept):
        return type_
    extension = TypeExtensionsAttr(tuple(-1 if b == DYNAMIC else b for b in kept))
    return TensorType(type_.element_type, type_.get_shape(), extension)


def infer_types(op: Operation) -> list[Attribute]:
    """The result types of an op.

    Raises:
        VerifyException: the operands violate a constraint, named as the verifier does.
        KeyError: the op is not of these dialects.
    """
    rule = RULES[op.name]
    try:
        types = list(rule(op, View()))
    except ShapeError as error:
        raise VerifyException(f"{op.name}: {error.label}: {error}") from error
    types = [_quantized_as_written(t, r.type) for t, r in zip(types, op.results, strict=True)]
    if any(isinstance(o.type, TensorType) and o.type.encoding != _NO_ENCODING for o in op.operands):
        return _with_bounds(op, rule, types)
    return types


_NO_ENCODING = TensorType(i1, []).encoding


def _quantized_as_written(inferred: Attribute, written: Attribute) -> Attribute:
    """Operands do not imply how a result is quantized."""
    if not isinstance(inferred, TensorType) or not isinstance(written, TensorType):
        return inferred
    element = cast(Attribute, written.element_type)
    return TensorType(element, inferred.get_shape()) if element.name.startswith("quant.") else inferred


def _with_bounds(op: Operation, rule: Rule, types: list[Attribute]) -> list[Attribute]:
    """Bounds for what is `?`: what the rule makes of the operands' bounds, as extents never shrink when operands grow."""
    try:
        upper = rule(op, BoundsView())
    except ShapeError:
        return types
    result: list[Attribute] = []
    for type_, bound in zip(types, upper, strict=True):
        plain = isinstance(type_, TensorType) and isinstance(bound, TensorType)
        result.append(bounded(cast(AnyTensor, type_), cast(AnyTensor, bound).get_shape()) if plain else type_)
    return result


# Parts of rules ----------------------------------------------------------------------------------------------------


def _element(value: SSAValue) -> Attribute:
    return cast(AnyTensor, value.type).element_type


def _ints(op: Operation, name: str) -> tuple[int, ...]:
    return cast("DenseArrayBase[Any]", op.properties[name]).get_values()


def _int(op: Operation, name: str) -> int:
    return cast("IntegerAttr[Any]", op.properties[name]).value.data


def _written(op: Operation, view: View) -> Types:
    """Nothing implies them."""
    return [r.type for r in op.results]


def _same(op: Operation, view: View) -> Types:
    """The type of the first operand."""
    first = op.operands[0]
    return [TensorType(_element(first), view.shape(first))]


def _all_same(op: Operation, view: View) -> Types:
    """The types of the operands, in order."""
    return [_type(o, view) for o in op.operands]


def _type(value: SSAValue, view: View) -> Attribute:
    return TensorType(_element(value), view.shape(value)) if isinstance(value.type, TensorType) else value.type


def _elementwise(op: Operation, view: View) -> Types:
    """The element type of the first operand, the shape of all."""
    return [TensorType(_element(op.operands[0]), view.merge([view.shape(o) for o in op.operands]))]


def _predicate(op: Operation, view: View) -> Types:
    return [TensorType(i1, view.merge([view.shape(o) for o in op.operands]))]


def _part(op: Operation, view: View) -> Types:
    """The type of the parts of complex numbers."""
    element = _element(op.operands[0])
    real = cast(Attribute, element.element_type) if isinstance(element, ComplexType) else element
    return [TensorType(real, view.shape(op.operands[0]))]


def _complex(op: Operation, view: View) -> Types:
    element = ComplexType(cast(Any, _element(op.operands[0])))
    return [TensorType(element, view.merge([view.shape(o) for o in op.operands]))]


def _convert(op: Operation, view: View) -> Types:
    """The written element type."""
    return [TensorType(_element(op.results[0]), view.shape(op.operands[0]))]


def _select(op: Operation, view: View) -> Types:
    seen = [view.shape(o) for o in op.operands[1:]]
    predicate = view.shape(op.operands[0])
    return [TensorType(_element(op.operands[1]), view.merge([*seen, predicate] if predicate else seen))]


def _clamp(op: Operation, view: View) -> Types:
    """Bounds may be scalars."""
    operand = op.operands[1]
    seen = [shape for o in (op.operands[0], op.operands[2]) if (shape := view.shape(o))]
    return [TensorType(_element(operand), view.merge([view.shape(operand), *seen]))]


def _map(op: Operation, view: View) -> Types:
    element = _region_elements(op.regions[0])[0]
    return [TensorType(element, view.merge([view.shape(o) for o in op.operands]))]


def _region_elements(region: Region) -> list[Attribute]:
    """Element types of what a region on scalars returns."""
    return [cast(AnyTensor, t).element_type for t in returned_types(region.block)]


# Moving data -------------------------------------------------------------------------------------------------------


def _bitcast_convert(op: Operation, view: View) -> Types:
    shape, target = view.shape(op.operands[0]), _element(op.results[0])
    narrow, wide = bit_width(_element(op.operands[0])), bit_width(target)
    if narrow < wide:
        shape = shape[:-1]
    elif narrow > wide:
        shape = (*shape, narrow // wide)
    return [TensorType(target, shape)]


def _broadcast_in_dim(op: Operation, view: View) -> Types:
    """The written shape; an operand's extent other than one stays."""
    operand, result = op.operands[0], cast(AnyTensor, op.results[0].type)
    shape = list(result.get_shape())
    for extent, d in zip(view.shape(operand), _ints(op, "broadcast_dimensions"), strict=True):
        if extent not in (1, DYNAMIC) and d < len(shape) and shape[d] == DYNAMIC:
            shape[d] = extent
    return [TensorType(_element(operand), shape)]


def _broadcast(op: Operation, view: View) -> Types:
    operand = op.operands[0]
    return [TensorType(_element(operand), (*_ints(op, "broadcast_sizes"), *view.shape(operand)))]


def _concatenate(op: Operation, view: View) -> Types:
    shape = shapes.concatenate([view.shape(o) for o in op.operands], _int(op, "dimension"))
    return [TensorType(_element(op.operands[0]), shape)]


def _constant(op: Operation, view: View) -> Types:
    return [cast(Any, op.properties["value"]).type]


def _dynamic_slice(op: Operation, view: View) -> Types:
    return [TensorType(_element(op.operands[0]), _ints(op, "slice_sizes"))]


def _pad(op: Operation, view: View) -> Types:
    paddings = [_ints(op, name) for name in ("edge_padding_low", "edge_padding_high", "interior_padding")]
    return [TensorType(_element(op.operands[0]), shapes.pad(view.shape(op.operands[0]), *paddings))]


def fill_one(operand: Shape, result: Shape) -> Shape:
    """The result of a reshape, with its extent that is `?`, if it is the only one, from the number of elements."""
    unknown = [d for d, e in enumerate(result) if e == DYNAMIC]
    known = shapes.count([e for e in result if e != DYNAMIC])
    if len(unknown) != 1 or DYNAMIC in operand or known == 0 or shapes.count(operand) % known:
        return result
    return tuple(shapes.count(operand) // known if e == DYNAMIC else e for e in result)


def _reshape(op: Operation, view: View) -> Types:
    """The written shape; one `?` follows from the number of elements."""
    operand, result = op.operands[0], cast(AnyTensor, op.results[0].type)
    return [TensorType(_element(operand), fill_one(view.shape(operand), result.get_shape()))]


def _slice(op: Operation, view: View) -> Types:
    ranges = [_ints(op, name) for name in ("start_indices", "limit_indices", "strides")]
    return [TensorType(_element(op.operands[0]), shapes.slice_(view.shape(op.operands[0]), *ranges))]


def _transpose(op: Operation, view: View) -> Types:
    shape = shapes.transpose(view.shape(op.operands[0]), _ints(op, "permutation"))
    return [TensorType(_element(op.operands[0]), shape)]


def _gather(op: indexing.GatherOp, view: View) -> Types:
    sizes = op.slice_sizes.get_values()
    numbers = op.dimension_numbers.data
    shape = shapes.gather(view.shape(op.operand), view.shape(op.start_indices), *numbers, sizes)
    return [TensorType(_element(op.operand), shape)]


# Dynamic ops -------------------------------------------------------------------------------------------------------


def _extents(op: Operation, view: View) -> Types:
    """The extents in the last operand (broadcast, reshape, iota)."""
    sizes = op.operands[-1]
    shape = dynamic.extents(sizes, cast(AnyTensor, sizes.type).get_shape()[0])
    if op.name == "stablehlo.dynamic_reshape":
        shape = fill_one(view.shape(op.operands[0]), shape)
    element = _element(op.operands[0] if len(op.operands) > 1 else op.results[0])
    return [TensorType(element, shape)]


def _dynamic_result(op: Any, view: View) -> Types:
    """As the op itself says."""
    return [TensorType(_element(op.operands[0]), op.result_shape())]


def _set_dimension_size(op: dynamic.SetDimensionSizeOp, view: View) -> Types:
    """Unknown, bounded by the operand's extent (or bound)."""
    shape = op.result_shape()
    return [bounded(TensorType(_element(op.operand), shape), BoundsView().shape(op.operand))]


# Reductions, contractions and linear algebra -----------------------------------------------------------------------


def _reduce(op: reductions.ReduceOp, view: View) -> Types:
    count = len(op.operands) // 2
    shape = shapes.reduce([view.shape(o) for o in op.operands[:count]], _ints(op, "dimensions"))
    return [TensorType(e, shape) for e in _region_elements(op.body)]


def _reduce_window(op: reductions.ReduceWindowOp, view: View) -> Types:
    inputs = [view.shape(o) for o in op.operands[: len(op.operands) // 2]]
    window = (op.window, op.strides, op.base_dilation, op.window_dilation, op.pads)
    shape = shapes.reduce_window(inputs, *window)
    return [TensorType(e, shape) for e in _region_elements(op.body)]


def _select_and_scatter(op: reductions.SelectAndScatterOp, view: View) -> Types:
    return [TensorType(_region_elements(op.scatter)[0], view.shape(op.operand))]


def _scatter(op: Operation, view: View) -> Types:
    elements = _region_elements(op.regions[0])
    return [TensorType(e, view.shape(o)) for e, o in zip(elements, op.operands, strict=False)]


def _sort(op: Operation, view: View) -> Types:
    shape = view.merge([view.shape(o) for o in op.operands])
    return [TensorType(_element(o), shape) for o in op.operands]


def _dot(op: contractions.DotGeneralOp, view: View) -> Types:
    """The written element type: products may be summed in a wider one."""
    shape = shapes.dot_general(view.shape(op.lhs), view.shape(op.rhs), *op.numbers)
    return [TensorType(_element(op.result), shape)]


def _convolution(op: contractions.ConvolutionOp, view: View) -> Types:
    window = (op.strides, op.pads, op.lhs_dilations, op.rhs_dilations)
    groups = (op.feature_groups, op.batch_groups)
    shape = shapes.convolution(view.shape(op.lhs), view.shape(op.rhs), op.numbers, *window, *groups)
    return [TensorType(_element(op.result), shape)]


def _triangular_solve(op: Operation, view: View) -> Types:
    return [_type(op.operands[1], view)]


def _fft(op: Operation, view: View) -> Types:
    """RFFT keeps half of the last dim, IRFFT makes all of it again."""
    shape, kind = list(view.shape(op.operands[0])), cast(attrs.FftTypeAttr, op.properties["fft_type"]).data.value
    element, length = _element(op.operands[0]), _ints(op, "fft_length")
    if kind == "RFFT":
        shape[-1] = length[-1] // 2 + 1 if length[-1] else 0
        element = ComplexType(cast(Any, element))
    elif kind == "IRFFT":
        shape[-1] = length[-1]
        element = cast(Attribute, cast("ComplexType[Any]", element).element_type)
    return [TensorType(element, shape)]


def _batch_norm(op: Operation, view: View) -> Types:
    """The operand's type, and for two more results the type of one number a feature."""
    operand, index = op.operands[0], _int(op, "feature_index")
    others = [o for o in op.operands[1:] if len(view.shape(o)) == 1]
    features = view.merge([(view.shape(operand)[index],), *(view.shape(o) for o in others)])
    whole = list(view.shape(operand))
    whole[index] = features[0]
    first = TensorType(_element(operand), whole)
    return [first, *(TensorType(_element(operand), features) for _ in op.results[1:])]


def _rng(op: Operation, view: View) -> Types:
    sizes = op.operands[2]
    return [TensorType(_element(op.operands[0]), dynamic.extents(sizes, view.shape(sizes)[0]))]


def _rng_bit_generator(op: Operation, view: View) -> Types:
    return [_type(op.operands[0], view), op.results[1].type]


def _top_k(op: Operation, view: View) -> Types:
    operand = op.operands[0]
    shape = (*view.shape(operand)[:-1], _int(op, "k"))
    return [TensorType(_element(operand), shape), TensorType(i32, shape)]


# Control flow and calls --------------------------------------------------------------------------------------------


def _branches(op: Operation, view: View) -> Types:
    """What the branches return: extents on which they agree."""
    per_branch = [returned_types(region.block) for region in op.regions]
    return [_agreed(column) for column in zip(*per_branch, strict=True)]


def _agreed(types: Sequence[Attribute]) -> Attribute:
    first = types[0]
    if all(t == first for t in types) or not all(isinstance(t, TensorType) for t in types):
        return first
    seen = [cast(AnyTensor, t).get_shape() for t in types]
    if any(len(s) != len(seen[0]) for s in seen):
        raise ShapeError("C3", f"branches return {', '.join(map(str, types))}")
    shape = [dims[0] if len(set(dims)) == 1 else DYNAMIC for dims in zip(*seen, strict=True)]
    return TensorType(cast(AnyTensor, first).element_type, shape)


def _custom_call(op: Operation, view: View) -> Types:
    """As written; `indices_of_shape_operands` names operands with the extents of the results."""
    types = [r.type for r in op.results]
    named = op.attributes.get("indices_of_shape_operands")
    if not isinstance(named, DenseIntOrFPElementsAttr):
        return types
    indices = dense_to_list(cast(Any, named), flat=True)
    if len(indices) != len(types) or any(not 0 <= i < len(op.operands) for i in indices):
        raise ShapeError("C1", f"indices_of_shape_operands = {indices} does not name one operand per result")
    for i, index in enumerate(indices):
        known, type_ = dynamic.known_values(op.operands[index]), types[i]
        if known is not None and isinstance(type_, TensorType):
            types[i] = TensorType(cast(Attribute, type_.element_type), known)
    return types


def _tuple(op: Operation, view: View) -> Types:
    return [TupleType(tuple(cast(Any, o.type) for o in op.operands))]


def _get_tuple_element(op: Operation, view: View) -> Types:
    return [cast(TupleType, op.operands[0].type).types.data[_int(op, "index")]]


def _token(op: Operation, view: View) -> Types:
    return [attrs.TokenType()]


# Several processes -------------------------------------------------------------------------------------------------


def group_size(op: CollectiveOp) -> int:
    """How many processes exchange data; `?` where the module does not say."""
    rows = op.group_rows()
    size, several = (0, False) if rows is None else op.group_size(rows)
    return DYNAMIC if several or not size else size


def _data(op: CollectiveOp, view: View) -> Types:
    """The types of the operands that are sent."""
    return [_type(o, view) for o in op.data_operands()]


def _scaled(op: CollectiveOp, view: View, dimension: str, by: Callable[[int, int], int]) -> Types:
    """Operand types with one extent times or divided by the number of processes in a group."""
    size, d = group_size(op), _int(op, dimension)
    types: list[Attribute] = []
    for operand, result in zip(op.operands, op.results, strict=True):
        shape = list(view.shape(operand))
        written = cast(AnyTensor, result.type).get_shape()[d]
        shape[d] = written if DYNAMIC in (size, shape[d]) else by(shape[d], size)
        types.append(TensorType(_element(operand), shape))
    return types


def _all_gather(op: CollectiveOp, view: View) -> Types:
    return _scaled(op, view, "all_gather_dim", lambda extent, size: extent * size)


def _reduce_scatter(op: CollectiveOp, view: View) -> Types:
    (type_,) = _scaled(op, view, "scatter_dimension", lambda extent, size: extent // size)
    return [TensorType(_region_elements(op.regions[0])[0], cast(AnyTensor, type_).get_shape())]


def _collective_reduction(op: CollectiveOp, view: View) -> Types:
    element = _region_elements(op.regions[0])[0]
    return [TensorType(element, view.shape(o)) for o in op.data_operands()]


def _all_to_all(op: Operation, view: View) -> Types:
    count = _int(op, "split_count")
    split, joined = _int(op, "split_dimension"), _int(op, "concat_dimension")
    types: list[Attribute] = []
    for operand in op.operands:
        shape = list(view.shape(operand))
        shape[split] = shape[split] // count if shape[split] != DYNAMIC else DYNAMIC
        shape[joined] = shape[joined] * count if shape[joined] != DYNAMIC else DYNAMIC
        types.append(TensorType(_element(operand), shape))
    return types


def _process_id(op: Operation, view: View) -> Types:
    return [TensorType(IntegerType(32, Signedness.UNSIGNED), [])]


def _stablehlo(names: str, rule: Rule) -> dict[str, Rule]:
    return {f"stablehlo.{name}": rule for name in names.split()}


def _chlo(names: str, rule: Rule) -> dict[str, Rule]:
    return {f"chlo.{name}": rule for name in names.split()}


RULES: dict[str, Rule] = {
    **_stablehlo(
        "cbrt ceil cosine count_leading_zeros exponential exponential_minus_one floor log log_plus_one logistic negate not"
        " popcnt round_nearest_afz round_nearest_even rsqrt sign sine sqrt tan tanh cholesky reverse reduce_precision"
        " dynamic_update_slice collective_permute",
        _same,
    ),
    **_stablehlo(
        "add and atan2 divide maximum minimum multiply or power remainder shift_left shift_right_arithmetic"
        " shift_right_logical subtract xor",
        _elementwise,
    ),
    **_stablehlo("compare is_finite", _predicate),
    **_stablehlo("abs real imag", _part),
    **_stablehlo("convert uniform_quantize uniform_dequantize", _convert),
    **_stablehlo("all_reduce collective_reduce", _collective_reduction),
    **_stablehlo("constant", _constant),
    **_stablehlo("iota composite infeed recv async_start", _written),
    **_stablehlo("optimization_barrier while", _all_same),
    **_stablehlo("if case", _branches),
    **_stablehlo("create_token after_all outfeed send", _token),
    **_stablehlo("partition_id replica_id", _process_id),
    **_stablehlo("dynamic_broadcast_in_dim dynamic_reshape dynamic_iota", _extents),
    **_stablehlo("dynamic_pad real_dynamic_slice dynamic_gather", _dynamic_result),
    **_stablehlo("dot dot_general", _dot),
    **_stablehlo("batch_norm_grad batch_norm_inference batch_norm_training", _batch_norm),
    "stablehlo.all_gather": _all_gather,
    "stablehlo.async_done": lambda op, view: list(op.operands[0].type.types.data),
    "stablehlo.all_to_all": _all_to_all,
    "stablehlo.bitcast_convert": _bitcast_convert,
    "stablehlo.broadcast": _broadcast,
    "stablehlo.broadcast_in_dim": _broadcast_in_dim,
    "stablehlo.clamp": _clamp,
    "stablehlo.collective_broadcast": _data,
    "stablehlo.complex": _complex,
    "stablehlo.concatenate": _concatenate,
    "stablehlo.convolution": _convolution,
    "stablehlo.custom_call": _custom_call,
    "stablehlo.dynamic_conv": _dynamic_result,
    "stablehlo.dynamic_slice": _dynamic_slice,
    "stablehlo.fft": _fft,
    "stablehlo.gather": _gather,
    "stablehlo.get_dimension_size": lambda op, view: [TensorType(i32, [])],
    "stablehlo.get_tuple_element": _get_tuple_element,
    "stablehlo.map": _map,
    "stablehlo.pad": _pad,
    "stablehlo.reduce": _reduce,
    "stablehlo.reduce_scatter": _reduce_scatter,
    "stablehlo.reduce_window": _reduce_window,
    "stablehlo.reshape": _reshape,
    "stablehlo.return": lambda op, view: [],
    "stablehlo.rng": _rng,
    "stablehlo.rng_bit_generator": _rng_bit_generator,
    "stablehlo.scatter": _scatter,
    "stablehlo.select": _select,
    "stablehlo.select_and_scatter": _select_and_scatter,
    "stablehlo.set_dimension_size": _set_dimension_size,
    "stablehlo.slice": _slice,
    "stablehlo.sort": _sort,
    "stablehlo.transpose": _transpose,
    "stablehlo.triangular_solve": _triangular_solve,
    "stablehlo.tuple": _tuple,
    **_chlo(
        "acos acosh asin asinh atan atanh bessel_i1e conj cosh digamma erf erf_inv erfc lgamma sinh square tan"
        " constant_like _asin_acos_kernel",
        _same,
    ),
    **_chlo("mulhi next_after polygamma zeta", _elementwise),
    **_chlo("is_inf is_neg_inf is_pos_inf", _predicate),
    "chlo.constant": _constant,
    "chlo.top_k": _top_k,
    **_chlo(
        "broadcast_add broadcast_and broadcast_atan2 broadcast_compare broadcast_complex broadcast_divide broadcast_maximum"
        " broadcast_minimum broadcast_multiply broadcast_next_after broadcast_or broadcast_polygamma broadcast_power"
        " broadcast_remainder broadcast_select broadcast_shift_left broadcast_shift_right_arithmetic"
        " broadcast_shift_right_logical broadcast_subtract broadcast_xor broadcast_zeta ragged_dot scan",
        lambda op, view: op.inferred_types(view),
    ),
}
"""The rule of each op."""
