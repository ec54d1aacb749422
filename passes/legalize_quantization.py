"""legalize-quantization: quantized tensors become the integers that are stored, and arithmetic on them floats and integers.

Before:
```mlir
func.func public @main(%x: tensor<4x!quant.uniform<i8:f32, 0.5:3>>) -> tensor<4x!quant.uniform<i8:f32, 0.25>> {
  %0 = stablehlo.tanh %x : (tensor<4x!quant.uniform<i8:f32, 0.5:3>>) -> tensor<4x!quant.uniform<i8:f32, 0.25>>
```
After:
```mlir
func.func public @main(%x: tensor<4xi8>) -> tensor<4xi8> {
  %0 = stablehlo.convert %x : (tensor<4xi8>) -> tensor<4xf32>
  %1 = ... (%0 - 3.0) * 0.5                               // dequantized
  %2 = stablehlo.tanh %1 : tensor<4xf32>
  %3 = ... clamp(-128.0, %2 * 4.0, 127.0), rounded to even // quantized
  %4 = stablehlo.convert %3 : (tensor<4xf32>) -> tensor<4xi8>
```
Ops that only move elements move integers. Dot products and convolutions of two quantized operands are products of integers with
exact sums (`quantized/contractions.py`); every other op runs on floats between a dequantization and a quantization. Reductions
whose region works on a wider quantized type convert their inputs to it first; a region is legalized like any other code.

Needs: static shapes, no tuples. Keeps: everything else, attributes, locations. The entry's recorded signature keeps its types:
an array of the stored integers is what is passed.
Fails: `UnsupportedError` for a quantized operand of an op that has no meaning on it; for 64-bit integers with zero points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, FunctionType, TensorType, i1
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.quant import UniformType, quantized, storage_of
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.passes import Pass
from stepwell.passes.hlo import replace, shape_of
from stepwell.passes.quantized.contractions import integer_product
from stepwell.passes.quantized.conversions import Quantizer

_MOVED = frozenset(
    {
        *("func.call", "func.func", "func.return"),
        *(
            f"stablehlo.{name}"
            for name in (
                "bitcast_convert broadcast broadcast_in_dim case composite concatenate dynamic_slice dynamic_update_slice"
                " gather get_dimension_size if map optimization_barrier pad reshape return reverse slice sort transpose while"
            ).split()
        ),
    }
)
"""Ops that mean on stored integers what they mean on the numbers these stand for."""

_BY_FLOATS = frozenset(
    f"stablehlo.{name}"
    for name in (
        "abs add atan2 batch_norm_grad batch_norm_inference batch_norm_training cbrt ceil cholesky clamp compare convolution"
        " cosine divide dot_general exponential exponential_minus_one floor iota log log_plus_one logistic maximum minimum"
        " multiply negate power reduce_precision remainder round_nearest_afz round_nearest_even rsqrt select sign sine sqrt"
        " subtract tan tanh triangular_solve"
    ).split()
)
"""Ops that are defined by floats: dequantize, compute, quantize."""


@dataclass
class _Work:
    """An op with quantized operands or results, and what types these had."""

    op: Operation
    operands: list[UniformType | None]
    results: list[UniformType | None]

    def float_types(self) -> list[Attribute]:
        """The result types with expressed for quantized elements."""
        pairs = zip(self.op.results, self.results, strict=True)
        return [r.type if of is None else TensorType(of.expressed, shape_of(r)) for r, of in pairs]


def _dequantized(q: Quantizer, work: _Work) -> list[SSAValue]:
    pairs = zip(work.op.operands, work.operands, strict=True)
    return [v if of is None else q.dequantize(v, of) for v, of in pairs]


def _quantized(q: Quantizer, work: _Work, values: Sequence[SSAValue]) -> list[SSAValue]:
    pairs = zip(values, work.results, strict=True)
    return [v if of is None else q.quantize(v, of) for v, of in pairs]


def _by_floats(q: Quantizer, work: _Work) -> list[SSAValue]:
    """The same op on the expressed types; comparisons are those of floats."""
    op = work.op
    properties = {k: v for k, v in op.properties.items() if k != "compare_type"}
    made = type(op).create(
        operands=_dequantized(q, work),
        result_types=work.float_types(),
        properties=properties,
        attributes=dict(op.attributes),
    )
    return _quantized(q, work, q.h.builder.insert(made).results)


def _contraction(q: Quantizer, work: _Work) -> list[SSAValue]:
    op, (lhs, rhs), (result,) = work.op, work.operands, work.results
    if isinstance(op, stablehlo.DotGeneralOp | stablehlo.ConvolutionOp) and lhs is not None and result is not None:
        assert rhs is not None
        product = integer_product(q, op, lhs, rhs, result)
        if product is not None:
            return [product]
    return _by_floats(q, work)


def _select(q: Quantizer, work: _Work) -> list[SSAValue] | None:
    """Nothing to do where all values have one type."""
    return None if len({*work.operands[1:], *work.results}) == 1 else _by_floats(q, work)


def _constant(q: Quantizer, work: _Work) -> list[SSAValue]:
    """The value's bits as the storage type reads them."""
    value = work.op.properties["value"]
    if not isinstance(value, DenseIntOrFPElementsAttr):
        raise unsupported(work.op, "its value is not written out")
    (of,) = work.results
    assert of is not None
    if value.type.get_element_type() == of.storage:
        return [q.h.insert(stablehlo.ConstantOp(value))]
    return [q.h.bitcast(q.h.insert(stablehlo.ConstantOp(value)), of.storage)]


def _is_finite(q: Quantizer, work: _Work) -> list[SSAValue]:
    return [q.h.full(True, shape_of(work.op.results[0]), i1)]


def _uniform_quantize(q: Quantizer, work: _Work) -> list[SSAValue]:
    return _quantized(q, work, _dequantized(q, work))


def _uniform_dequantize(q: Quantizer, work: _Work) -> list[SSAValue]:
    return _dequantized(q, work)


Rule = Callable[[Quantizer, _Work], "list[SSAValue] | None"]

_RULES: dict[str, Rule] = {
    **dict.fromkeys(_BY_FLOATS, _by_floats),
    "stablehlo.constant": _constant,
    "stablehlo.convolution": _contraction,
    "stablehlo.dot_general": _contraction,
    "stablehlo.is_finite": _is_finite,
    "stablehlo.select": _select,
    "stablehlo.uniform_dequantize": _uniform_dequantize,
    "stablehlo.uniform_quantize": _uniform_quantize,
}
"""What replaces an op's results; None: the op stays, on stored integers."""


def _accumulators(op: Operation) -> list[UniformType | None] | None:
    """For an op that combines operands by a region: the types these become, None for those that do not."""
    if not isinstance(
        op, stablehlo.ReduceOp | stablehlo.ReduceWindowOp | stablehlo.SelectAndScatterOp | stablehlo.ScatterOp
    ):
        return None
    types = [quantized(a.type) for a in op.regions[-1].block.args]
    half = types[: len(types) // 2]
    if isinstance(op, stablehlo.SelectAndScatterOp):
        return [None, types[0], types[0]]
    return [*half, None, *half] if isinstance(op, stablehlo.ScatterOp) else half * 2


class _Legalization:
    """One module: what is quantized is written down first, since types change at once."""

    def __init__(self, module: Operation):
        self.module = module
        self.works: list[_Work] = []
        self.accumulators: dict[Operation, list[UniformType | None]] = {}

    def run(self) -> None:
        for op in self.module.walk():
            self._note(op)
        if not self.works and not self.accumulators:
            return
        self._store_types()
        for work in self.works:
            self._legalize(work)

    def _note(self, op: Operation) -> None:
        operands = [quantized(t) for t in op.operand_types]
        results = [quantized(t) for t in op.result_types]
        arguments = [quantized(a.type) for r in op.regions for b in r.blocks for a in b.args]
        if not any((*operands, *results, *arguments)):
            return
        accumulators = _accumulators(op)
        if accumulators is not None:
            self.accumulators[op] = accumulators
        elif op.name not in _MOVED and op.name not in _RULES:
            raise unsupported(op, "no meaning on quantized operands", "dequantize them first")
        self.works.append(_Work(op, operands, results))

    def _store_types(self) -> None:
        """Every quantized value has the integers' type from here on."""
        for op in self.module.walk():
            values: list[SSAValue] = [*op.results, *(a for r in op.regions for b in r.blocks for a in b.args)]
            for value in values:
                if quantized(value.type) is not None:
                    value._type = storage_of(value.type)  # pyright: ignore[reportPrivateUsage]
            if isinstance(op, func.FuncOp):
                signature = op.function_type
                stored = [[storage_of(t) for t in types.data] for types in (signature.inputs, signature.outputs)]
                op.properties["function_type"] = FunctionType.from_lists(*stored)

    def _legalize(self, work: _Work) -> None:
        op = work.op
        if (accumulators := self.accumulators.get(op)) is not None:
            self._widen_inputs(work, accumulators)
            return
        rule = _RULES.get(op.name)
        if rule is None:
            return
        made = rule(Quantizer(op), work)
        if made is not None:
            replace(op, made)

    def _widen_inputs(self, work: _Work, accumulators: Sequence[UniformType | None]) -> None:
        q = Quantizer(work.op)
        for index, (of, to) in enumerate(zip(work.operands, accumulators, strict=True)):
            if of is not None and to is not None and of != to:
                work.op.operands[index] = q.requantize(work.op.operands[index], of, to)


REPLACES: tuple[str, ...] = ("stablehlo.uniform_dequantize", "stablehlo.uniform_quantize")
"""The ops it takes away, by name (`docs/stablehlo-status.md` reads this)."""


@dataclass(frozen=True)
class LegalizeQuantizationPass(Pass):
    """Quantized tensors become stored integers, arithmetic on them floats and integers."""

    name = "legalize-quantization"
    numerics = "rounding"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Legalize the whole module."""
        _Legalization(op).run()
