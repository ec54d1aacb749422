"""Custom calls: their attributes as Python values, and the meanings that users gave to targets.

The table is filled by the driver (`stepwell.register_custom_call`) and read by whoever meets a call: the pass that expands it, and the
interpreter. It is one table of the process; reading and writing it is safe from several threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    AnyFloat,
    ArrayAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    DictionaryAttr,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    StringAttr,
    SymbolRefAttr,
    TensorType,
    UnitAttr,
    i1,
)
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute
from xdsl.traits import SymbolTable

from stepwell.dialects.stablehlo.control_flow import CustomCallOp
from stepwell.ir.dense import dense_to_array
from stepwell.ir.diagnostics import (
    InvalidProgramDiagnosticError,
    UnsupportedDiagnosticError,
    close_name,
    invalid,
    location_of,
    unsupported,
)
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.host_calls import ArrayKind, HostCall, callback_targets

Meaning: TypeAlias = "Callable[[CustomCallOp], FuncOp]"
"""Makes the function that a call stands for: the types of its arguments and results are those of the call."""

CONFIG = "mhlo.backend_config"
"""Where JAX writes the attributes of a call with a typed interface."""

ANNOTATIONS = ("LayoutConstraint", "MoveToDevice", "MoveToHost", "Sharding", "annotate_device_placement")
"""Targets that only say something about their operands to who places and partitions a program, and give them back."""
APPROXIMATE_TOP_K = "ApproxTopK"
"""The target of `jax.lax.approx_max_k` and `approx_min_k`; every answer here is exact."""
DEEPEST = 32
"""How often what was registered may lead to another registered target."""

_lock = threading.Lock()
_meanings: dict[str, Meaning] = {}


def register_meaning(target: str, meaning: Meaning, *, replace: bool = False) -> bool:
    """Give `target` a meaning; False (and nothing done) when it has one, unless `replace`."""
    with _lock:
        if target in _meanings and not replace:
            return False
        _meanings[target] = meaning
        return True


def unregister_meaning(target: str) -> bool:
    """Take a meaning away; False when there is none."""
    with _lock:
        return _meanings.pop(target, None) is not None


def meaning_of(target: str) -> Meaning | None:
    """The meaning a user gave to `target`."""
    with _lock:
        return _meanings.get(target)


def registered_targets() -> list[str]:
    """The targets with a meaning or a callback, sorted."""
    with _lock:
        meanings = dict(_meanings)
    return sorted({**meanings, **dict.fromkeys(callback_targets())})


def attributes_of(op: CustomCallOp) -> dict[str, Attribute]:
    """The named attributes of a call: those of JAX's form, else of a `backend_config` that is a dictionary."""
    for config in (op.attributes.get(CONFIG), op.backend_config):
        if isinstance(config, DictionaryAttr):
            return dict(config.data)
    return {}


def config_text(op: CustomCallOp) -> str:
    """A `backend_config` that is text; "" when it is not, or not there."""
    return op.backend_config.data if isinstance(op.backend_config, StringAttr) else ""


def python_value(attribute: Attribute) -> Any:
    """An attribute as a Python value: numbers, booleans, text, lists, dicts, arrays; what has no such value, as it is."""
    match attribute:
        case IntegerAttr():
            is_bool = isinstance(attribute.type, IntegerType) and attribute.type.width.data == 1
            return bool(attribute.value.data) if is_bool else attribute.value.data
        case FloatAttr() | StringAttr():
            return attribute.value.data if isinstance(attribute, FloatAttr) else attribute.data
        case UnitAttr():
            return True
        case ArrayAttr():
            return [python_value(a) for a in attribute.data]
        case DictionaryAttr():
            return {name: python_value(a) for name, a in attribute.data.items()}
        case DenseArrayBase():
            return list(cast("DenseArrayBase[Any]", attribute).get_values())
        case DenseIntOrFPElementsAttr():
            return dense_to_array(attribute)
        case _:
            return attribute


def config_of(op: CustomCallOp) -> dict[str, Attribute]:
    """The attributes that a function gets as keyword arguments: the named ones, and a text as `backend_config`."""
    text = config_text(op)
    return {**attributes_of(op), **({"backend_config": StringAttr(text)} if text else {})}


def check_callback(op: CustomCallOp) -> None:
    """Refuse a call that a Python function cannot answer: types that no array has, effects, attributes that are no values."""
    target = op.call_target_name.data
    if op.has_side_effect is not None and op.has_side_effect.value.data:
        hint = "the callback is a function of its operands: a call may be left out, moved, or done once for several"
        raise unsupported(op, f"a side effect of the callback of '{target}'", hint)
    if not op.results:
        raise unsupported(op, f"the callback of '{target}' without a result", "nothing would ever call it")
    for value in (*op.operands, *op.results):
        kind = value.type
        if not isinstance(kind, TensorType) or not kind.has_static_shape():
            raise unsupported(op, f"a callback takes and gives arrays of known shape, not {kind}")
        element = kind.element_type
        packed = isinstance(element, IntegerType) and 1 < element.width.data < 8
        if packed or not isinstance(element, IntegerType | AnyFloat):
            raise unsupported(op, f"a callback takes and gives integers and floats of whole bytes, not {element}")
    try:
        host_call_of(op).text()
    except TypeError as error:
        raise unsupported(op, f"an attribute of the callback of '{target}': {error}") from None


def host_call_of(op: CustomCallOp) -> HostCall:
    """What a call of a callback says, for who performs it."""
    kinds = [
        tuple(
            ArrayKind(numpy_dtype(t.element_type).name, tuple(t.get_shape()))
            for t in types
            if isinstance(t, TensorType)
        )
        for types in (op.operand_types, op.result_types)
    ]
    config = {name: python_value(a) for name, a in config_of(op).items()}
    return HostCall(op.call_target_name.data, kinds[0], kinds[1], config, location_of(op))


def check_annotation(op: CustomCallOp) -> None:
    """Refuse a call of one of `ANNOTATIONS` that does not give back what it takes."""
    if list(op.operand_types) != list(op.result_types):
        raise invalid(op, f"of '{op.call_target_name.data}' has results of other types than its operands")


@dataclass(frozen=True)
class TopKCall:
    """What a call of `APPROXIMATE_TOP_K` asks for: the first `count` along `dimension`, in the order of `comparator`."""

    dimension: int
    count: int
    comparator: FuncOp


def approximate_top_k(op: CustomCallOp) -> TopKCall:
    """Read and check a call of `APPROXIMATE_TOP_K`: arrays, then a starting value for each (which an exact answer does not need)."""
    dimension = python_value(attributes_of(op).get("reduction_dim", UnitAttr()))
    arrays, found = op.operands[: len(op.results)], op.results
    if not found or len(op.operands) != 2 * len(found):
        raise invalid(op, f"of '{APPROXIMATE_TOP_K}' needs a starting value for each array, and a result for each")
    shape = arrays[0].type.get_shape() if isinstance(arrays[0].type, TensorType) else ()
    if type(dimension) is not int or not 0 <= dimension < len(shape):
        raise invalid(op, f"of '{APPROXIMATE_TOP_K}' has no reduction_dim among the dimensions of {arrays[0].type}")
    taken = found[0].type.get_shape() if isinstance(found[0].type, TensorType) else ()
    count = taken[dimension] if len(taken) == len(shape) else -1
    for array, result in zip(arrays, found, strict=True):
        if not isinstance(array.type, TensorType) or DYNAMIC_INDEX in array.type.get_shape():
            raise unsupported(op, f"the largest elements of {array.type}", "refine the program to static shapes first")
        cut = TensorType(array.type.element_type, [*shape[:dimension], count, *shape[dimension + 1 :]])
        if array.type.get_shape() != shape or result.type != cut or not 0 <= count <= shape[dimension]:
            raise invalid(op, f"of '{APPROXIMATE_TOP_K}' cannot take {result.type} out of {array.type}")
    return TopKCall(dimension, count, _comparator(op))


def _comparator(op: CustomCallOp) -> FuncOp:
    names = op.called_computations.data if op.called_computations is not None else ()
    name = names[0] if len(names) == 1 else None
    callee = SymbolTable.lookup_symbol(op, name) if isinstance(name, SymbolRefAttr) else None
    if not isinstance(callee, FuncOp) or callee.is_declaration:
        raise invalid(op, f"of '{APPROXIMATE_TOP_K}' needs one called computation that compares")
    expected = [
        TensorType(v.type.element_type, []) for v in op.operands[: len(op.results)] if isinstance(v.type, TensorType)
    ]
    function = callee.function_type
    if list(function.inputs) != [t for t in expected for _ in range(2)] or list(function.outputs) != [
        TensorType(i1, [])
    ]:
        raise invalid(op, f"of '{APPROXIMATE_TOP_K}' cannot compare by @{callee.sym_name.data}: {function}")
    return callee


def never_ends(op: CustomCallOp) -> InvalidProgramDiagnosticError:
    """The error for a call whose meaning leads to itself."""
    return invalid(op, f"of '{op.call_target_name.data}' never ends: what is registered for it calls it again")


_CALLBACKS = ("callback", "py_client", "python")


def unknown_target(op: CustomCallOp, known: list[str]) -> UnsupportedDiagnosticError:
    """The error for a call whose target nobody knows."""
    target = op.call_target_name.data
    if any(word in target for word in _CALLBACKS):
        hint = "it calls back into the Python process that exported the program; export it without callbacks and debug prints"
    elif target.startswith("lapack_"):
        hint = "there are Cholesky, LU, QR, symmetric eigenvalues, singular values and triangular solves"
    else:
        hint = f'stepwell.register_custom_call("{target}") gives it a meaning'
        hint = f"{close_name(target, known) or ''} {hint}".strip()
    return unsupported(op, f"the custom call target '{target}' is not known", hint)


__all__ = [
    "ANNOTATIONS",
    "APPROXIMATE_TOP_K",
    "DEEPEST",
    "Meaning",
    "TopKCall",
    "approximate_top_k",
    "attributes_of",
    "check_annotation",
    "check_callback",
    "config_of",
    "config_text",
    "host_call_of",
    "meaning_of",
    "never_ends",
    "python_value",
    "register_meaning",
    "registered_targets",
    "unknown_target",
    "unregister_meaning",
]
