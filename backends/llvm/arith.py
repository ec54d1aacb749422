"""`arith`, on scalars and on vectors row by row.

IEEE by default: a fast-math flag appears only where the op's `fastmath` attribute asks. Shifts by the width or more and
division by zero are undefined here as in MLIR: what StableHLO says about them is expanded when it is lowered.
"""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects.arith import CMPF_COMPARISON_OPERATIONS, CMPI_COMPARISON_OPERATIONS
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, IntegerAttr, VectorType
from xdsl.dialects.utils.bit_enum_attribute import BitEnumAttribute
from xdsl.ir import Attribute, Operation

from stepwell.backends.llvm import soft_float
from stepwell.backends.llvm.straight_line import literal, typed
from stepwell.backends.llvm.types import (
    element_type,
    is_float,
    is_small_float,
    row_type,
    scalar_literal,
    scalar_type,
    splat_literal,
    vector_literals,
    vector_shape,
)
from stepwell.backends.llvm.writer import Emitter, FunctionWriter, attribute, operand, unsupported
from stepwell.ir.dtypes import is_byte_float

_FLAG_ORDER = ("reassoc", "nnan", "ninf", "nsz", "arcp", "contract", "afn")

RowFunction = Callable[..., str]


def fast_math(op: Operation, name: str = "fastmath") -> str:
    """The op's fast-math flags as LLVM text with a trailing space, or nothing."""
    flags = attribute(op, name)
    if not isinstance(flags, BitEnumAttribute) or not flags.data:
        return ""
    asked = {str(flag.value) for flag in flags.data}
    return "".join(f"{flag} " for flag in _FLAG_ORDER if flag in asked)


def lanes_of(type_: Attribute) -> int | None:
    """Lanes of one row, or None for a scalar."""
    return vector_shape(type_)[-1] if isinstance(type_, VectorType) else None


def register_type(type_: Attribute) -> str:
    """The LLVM type of a scalar, or of one row of a vector."""
    return row_type(type_) if isinstance(type_, VectorType) else scalar_type(type_)


def intrinsic_suffix(type_: Attribute) -> str:
    """The overload suffix of a row or scalar: `f32`, `v16f32`, `i64`, ..."""
    return suffix_of(scalar_type(element_type(type_)), lanes_of(type_))


def suffix_of(name: str, lanes: int | None) -> str:
    """The overload suffix of an LLVM scalar type and a lane count."""
    short = {"float": "f32", "double": "f64", "ptr": "p0"}.get(name, name)
    return short if lanes is None else f"v{lanes}{short}"


def per_row(w: FunctionWriter, op: Operation, function: Callable[..., str]) -> None:
    """Set the op's result to `function(rows...)`, called once for a scalar and once per row for a vector."""
    result = op.results[0]
    operands = [w.values[v] for v in op._operands]  # pyright: ignore[reportPrivateUsage]
    if isinstance(result.type, VectorType):
        columns = [v if isinstance(v, list) else None for v in operands]
        count = max(len(c) for c in columns if c is not None)
        w.values[result] = [
            function(*(c[r] if c is not None else operands[i] for i, c in enumerate(columns))) for r in range(count)
        ]
        return
    w.values[result] = function(*operands)


def refuse_small_float(op: Operation, type_: Attribute) -> None:
    """Arithmetic on bf16 and f16 must have been expanded to f32."""
    if is_small_float(type_):
        raise unsupported(op, f"arithmetic on {type_} must be expanded to f32 before the writer (run expand-math)")


def _binary(opcode: str, *, floating: bool) -> Emitter:
    def emit(w: FunctionWriter, op: Operation) -> None:
        type_ = op.results[0].type
        flags = ""
        if floating:
            refuse_small_float(op, type_)
            flags = fast_math(op)
        elif isinstance(overflow := attribute(op, "overflowFlags"), BitEnumAttribute):
            asked = {str(flag.value) for flag in overflow.data}
            flags = "".join(f"{flag} " for flag in ("nuw", "nsw") if flag in asked)
        name = register_type(type_)
        per_row(w, op, lambda a, b: w.emit(f"{opcode} {flags}{name} {a}, {b}"))

    return emit


def _intrinsic(name: str, *, floating: bool, extra: str = "") -> Emitter:
    def emit(w: FunctionWriter, op: Operation) -> None:
        type_ = op.results[0].type
        if floating:
            refuse_small_float(op, type_)
        row = register_type(type_)
        full = f"llvm.{name}.{intrinsic_suffix(type_)}"
        flags = fast_math(op) if floating else ""

        def one(*args: str) -> str:
            pairs = [(row, a) for a in args] + ([("i1", extra)] if extra else [])
            return w.call(row, full, pairs, flags)

        per_row(w, op, one)

    return emit


intrinsic = _intrinsic
"""Makes an emitter that calls `llvm.<name>` on each row."""


def _negf(w: FunctionWriter, op: Operation) -> None:
    type_ = op.results[0].type
    if is_small_float(type_) and not is_byte_float(element_type(type_)):
        row = register_type(type_)
        sign = "-32768" if lanes_of(type_) is None else splat_literal("-32768", "i16")
        per_row(w, op, lambda a: w.emit(f"xor {row} {a}, {sign}"))
        return
    refuse_small_float(op, type_)
    per_row(w, op, lambda a: w.emit(f"fneg {fast_math(op)}{register_type(type_)} {a}"))


def _constant(w: FunctionWriter, op: Operation) -> None:
    result = op.results[0]
    value = attribute(op, "value")
    assert value is not None
    if isinstance(result.type, VectorType):
        if not isinstance(value, DenseIntOrFPElementsAttr):
            raise unsupported(op, f"a vector constant must be dense elements, not {value.name}")
        w.values[result] = list(vector_literals(value, result.type))
        return
    if isinstance(value, DenseIntOrFPElementsAttr):
        raise unsupported(op, "a dense constant outside registers must be a memref.global (run bufferize)")
    w.values[result] = scalar_literal(value, result.type)


def _compare(opcode: str, predicates: list[str]) -> Emitter:
    def emit(w: FunctionWriter, op: Operation) -> None:
        predicate = attribute(op, "predicate")
        assert isinstance(predicate, IntegerAttr)
        type_ = operand(op, 0).type
        flags = ""
        if opcode == "fcmp":
            refuse_small_float(op, type_)
            flags = fast_math(op)
        name = predicates[predicate.value.data]
        per_row(w, op, lambda a, b: w.emit(f"{opcode} {flags}{name} {register_type(type_)} {a}, {b}"))

    return emit


def _select(w: FunctionWriter, op: Operation) -> None:
    result = op.results[0]
    condition = operand(op, 0)
    if not isinstance(result.type, VectorType):
        name = scalar_type(result.type)
        if name == "ptr" and result.type.name != "rt.ptr":
            raise unsupported(op, "selecting between buffers; select values instead")
        c, a, b = (w.scalar(v) for v in op.operands)
        w.values[result] = w.emit(f"select i1 {c}, {name} {a}, {name} {b}")
        return
    row = row_type(result.type)
    mask = row_type(condition.type) if isinstance(condition.type, VectorType) else "i1"
    per_row(w, op, lambda c, a, b: w.emit(f"select {mask} {c}, {row} {a}, {row} {b}"))


def _cast(opcode: str) -> Emitter:
    def emit(w: FunctionWriter, op: Operation) -> None:
        source, target = operand(op, 0).type, op.results[0].type
        for type_ in (source, target):
            if is_float(type_):
                refuse_small_float(op, type_)
        per_row(w, op, lambda a: w.emit(f"{opcode} {register_type(source)} {a} to {register_type(target)}"))

    return emit


def _index_cast(extend: str) -> Emitter:
    def emit(w: FunctionWriter, op: Operation) -> None:
        source, target = operand(op, 0).type, op.results[0].type
        widths = [int(scalar_type(element_type(t))[1:]) for t in (source, target)]
        if widths[0] == widths[1]:
            w.values[op.results[0]] = w.values[operand(op, 0)]
            return
        opcode = extend if widths[0] < widths[1] else "trunc"
        per_row(w, op, lambda a: w.emit(f"{opcode} {register_type(source)} {a} to {register_type(target)}"))

    return emit


def _bitcast(w: FunctionWriter, op: Operation) -> None:
    source, target = operand(op, 0).type, op.results[0].type
    if register_type(source) == register_type(target):
        w.values[op.results[0]] = w.values[operand(op, 0)]
        return
    opcode = "bitcast"
    if is_byte_float(element_type(source)):  # a float of 4 bits in a byte, as an integer of 4
        opcode = "trunc"
    elif is_byte_float(element_type(target)):
        opcode = "zext"
    per_row(w, op, lambda a: w.emit(f"{opcode} {register_type(source)} {a} to {register_type(target)}"))


def _extf(w: FunctionWriter, op: Operation) -> None:
    source, target = operand(op, 0), op.results[0].type
    per_row(w, op, lambda a: convert_float(w, a, source.type, target))


def _truncf(w: FunctionWriter, op: Operation) -> None:
    mode = attribute(op, "roundingmode")
    if isinstance(mode, IntegerAttr) and mode.value.data != 0:
        raise unsupported(op, "only rounding to nearest even is supported")
    source, target = operand(op, 0), op.results[0].type
    if "exact" in op.attributes and soft_float.halves(w, source.type, target):
        per_row(w, op, lambda a: soft_float.upper_half(w, a, lanes_of(target)))
        return
    short = "short_nans" in op.attributes
    per_row(w, op, lambda a: convert_float(w, a, source.type, target, short))


def convert_float(w: FunctionWriter, value: str, source: Attribute, target: Attribute, short_nans: bool = False) -> str:
    """Convert one scalar or row between float types, rounding to nearest even, without library calls."""
    if element_type(source) == element_type(target):
        return value
    lanes = lanes_of(target)
    small_in, small_out = is_small_float(source), is_small_float(target)
    if small_in:
        value = soft_float.extend(w, value, element_type(source), lanes)
        source_name = "float"
    else:
        source_name = scalar_type(element_type(source))
    if small_out:
        if source_name == "double":
            value = soft_float.round_to_odd_f32(w, value, lanes)
        return soft_float.truncate(w, value, element_type(target), lanes, short_nans)
    target_name = scalar_type(element_type(target))
    if source_name == target_name:
        return value
    opcode = "fpext" if target_name == "double" else "fptrunc"
    wide = typed(source_name, lanes)
    return w.emit(f"{opcode} {wide} {value} to {typed(target_name, lanes)}")


def _extended_multiply(extend: str) -> Emitter:
    def emit(w: FunctionWriter, op: Operation) -> None:
        type_ = op.results[0].type
        name, lanes = scalar_type(element_type(type_)), lanes_of(type_)
        bits = int(name[1:])
        row, wide_name = register_type(type_), f"i{2 * bits}"
        wide = typed(wide_name, lanes)
        shift = literal(str(bits), wide_name, lanes)
        rows_of = [w.values[v] for v in op._operands]  # pyright: ignore[reportPrivateUsage]
        lhs, rhs = (v if isinstance(v, list) else [str(v)] for v in rows_of)
        low: list[str] = []
        high: list[str] = []
        for a, b in zip(lhs, rhs, strict=True):
            wide_a = w.emit(f"{extend} {row} {a} to {wide}")
            wide_b = w.emit(f"{extend} {row} {b} to {wide}")
            product = w.emit(f"mul {wide} {wide_a}, {wide_b}")
            low.append(w.emit(f"trunc {wide} {product} to {row}"))
            upper = w.emit(f"lshr {wide} {product}, {shift}")
            high.append(w.emit(f"trunc {wide} {upper} to {row}"))
        for result, names in zip(op.results, (low, high), strict=True):
            w.bind(result, names)

    return emit


def _add_extended(w: FunctionWriter, op: Operation) -> None:
    type_ = op.results[0].type
    row = register_type(type_)
    values = [w.values[v] for v in op._operands]  # pyright: ignore[reportPrivateUsage]
    lhs, rhs = (v if isinstance(v, list) else [str(v)] for v in values)
    sums = [w.emit(f"add {row} {a}, {b}") for a, b in zip(lhs, rhs, strict=True)]
    carries = [w.emit(f"icmp ult {row} {s}, {a}") for s, a in zip(sums, lhs, strict=True)]
    w.bind(op.results[0], sums)
    w.bind(op.results[1], carries)


def _rounded_division(kind: str) -> Emitter:
    """`ceildivui`, `ceildivsi`, `floordivsi`: truncating division, then a step of one where it rounded wrongly."""

    def emit(w: FunctionWriter, op: Operation) -> None:
        type_ = op.results[0].type
        row, lanes = register_type(type_), lanes_of(type_)
        name = scalar_type(element_type(type_))
        zero = literal("0", name, lanes)
        mask = typed("i1", lanes)
        unsigned = kind == "ceildivui"

        def one(a: str, b: str) -> str:
            quotient = w.emit(f"{'udiv' if unsigned else 'sdiv'} {row} {a}, {b}")
            product = w.emit(f"mul {row} {quotient}, {b}")
            step = w.emit(f"icmp ne {row} {product}, {a}")
            if not unsigned:
                signs = w.emit(f"xor {row} {a}, {b}")
                side = "slt" if kind == "floordivsi" else "sge"
                opposite = w.emit(f"icmp {side} {row} {signs}, {zero}")
                step = w.emit(f"and {mask} {step}, {opposite}")
            widened = step if name == "i1" else w.emit(f"zext {mask} {step} to {row}")
            return w.emit(f"{'sub' if kind == 'floordivsi' else 'add'} {row} {quotient}, {widened}")

        per_row(w, op, one)

    return emit


EMITTERS: dict[str, Emitter] = {
    "arith.addf": _binary("fadd", floating=True),
    "arith.addi": _binary("add", floating=False),
    "arith.addui_extended": _add_extended,
    "arith.andi": _binary("and", floating=False),
    "arith.bitcast": _bitcast,
    "arith.ceildivsi": _rounded_division("ceildivsi"),
    "arith.ceildivui": _rounded_division("ceildivui"),
    "arith.cmpf": _compare("fcmp", CMPF_COMPARISON_OPERATIONS),
    "arith.cmpi": _compare("icmp", CMPI_COMPARISON_OPERATIONS),
    "arith.constant": _constant,
    "arith.divf": _binary("fdiv", floating=True),
    "arith.divsi": _binary("sdiv", floating=False),
    "arith.divui": _binary("udiv", floating=False),
    "arith.extf": _extf,
    "arith.extsi": _cast("sext"),
    "arith.extui": _cast("zext"),
    "arith.floordivsi": _rounded_division("floordivsi"),
    "arith.fptosi": _cast("fptosi"),
    "arith.fptoui": _cast("fptoui"),
    "arith.index_cast": _index_cast("sext"),
    "arith.index_castui": _index_cast("zext"),
    "arith.maximumf": _intrinsic("maximum", floating=True),
    "arith.maxnumf": _intrinsic("maxnum", floating=True),
    "arith.maxsi": _intrinsic("smax", floating=False),
    "arith.maxui": _intrinsic("umax", floating=False),
    "arith.minimumf": _intrinsic("minimum", floating=True),
    "arith.minnumf": _intrinsic("minnum", floating=True),
    "arith.minsi": _intrinsic("smin", floating=False),
    "arith.minui": _intrinsic("umin", floating=False),
    "arith.mulf": _binary("fmul", floating=True),
    "arith.muli": _binary("mul", floating=False),
    "arith.mulsi_extended": _extended_multiply("sext"),
    "arith.mului_extended": _extended_multiply("zext"),
    "arith.negf": _negf,
    "arith.ori": _binary("or", floating=False),
    "arith.remsi": _binary("srem", floating=False),
    "arith.remui": _binary("urem", floating=False),
    "arith.select": _select,
    "arith.shli": _binary("shl", floating=False),
    "arith.shrsi": _binary("ashr", floating=False),
    "arith.shrui": _binary("lshr", floating=False),
    "arith.sitofp": _cast("sitofp"),
    "arith.subf": _binary("fsub", floating=True),
    "arith.subi": _binary("sub", floating=False),
    "arith.truncf": _truncf,
    "arith.trunci": _cast("trunc"),
    "arith.uitofp": _cast("uitofp"),
    "arith.xori": _binary("xor", floating=False),
}
