"""Executables of programs with unknown extents: a call finds the program for its shapes, made when they come for the first time.

A call's key is the shapes of its arguments, and the values of those small integer arguments that sizes are computed from. For a new
key `refine-shapes` makes a static program, which is compiled as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.parser import Parser

from stepwell.bounded_cache import BoundedCache
from stepwell.dialects.registry import context
from stepwell.ir.diagnostics import InternalDiagnosticError
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.errors import CompileError, InvalidProgramError
from stepwell.ir.instrumentation import VerifyEach, write_reproducer
from stepwell.ir.pass_manager import Pipeline
from stepwell.passes.prepare_entry import check_signature, find_entry
from stepwell.passes.refine_shapes import RefineShapesPass, value_text
from stepwell.passes.shape_refinement.arguments import is_dynamic, shape_arguments
from stepwell.runtime.arguments import Array, ArrayType, check_count, fitting
from stepwell.runtime.executable import Executable, Signature
from stepwell.steps import STEP_NAMES, current_step

CACHE_SIZE = 256
"""Static programs kept per dynamic one."""

UNKNOWN = -1
"""An extent of an `ArrayType` that differs from call to call."""


def is_dynamic_program(module: ModuleOp) -> bool:
    """Whether some value has an unknown extent, on the step where that means a call decides."""
    if current_step(module) != STEP_NAMES.index("tensor"):
        return False
    return any(is_dynamic(op) or (isinstance(op, func.FuncOp) and not _is_static(op)) for op in module.walk())


def _is_static(function: func.FuncOp) -> bool:
    types = (*function.function_type.inputs.data, *function.function_type.outputs.data)
    return all(not isinstance(t, TensorType) or t.has_static_shape() for t in types)


def _array_type(type_: Any) -> ArrayType:
    shape = tuple(UNKNOWN if extent < 0 else extent for extent in type_.get_shape())
    return ArrayType(shape, numpy_dtype(type_.get_element_type()))


_Values: TypeAlias = "tuple[tuple[int, tuple[int, ...]], ...]"
"""Position and value of each argument that sizes are computed from."""


class DynamicExecutable(Executable):
    """A program with unknown extents, called as any `Executable`; compiles when shapes come for the first time.

    `build` makes an executable of a static module. Extents of `input_types` and `output_types` that differ from call to call are -1.
    """

    def __init__(
        self,
        module: ModuleOp,
        entry: str,
        build: Callable[[ModuleOp], Executable],
        *,
        donated: tuple[int, ...] = (),
        verify_each: bool = False,
    ):
        function = find_entry(module, entry)
        check_signature(function, dynamic=True)
        types = function.function_type
        inputs, outputs = (tuple(map(_array_type, t.data)) for t in (types.inputs, types.outputs))
        super().__init__(Signature(inputs, outputs, donated), None)
        self._module = module
        self._entry_name = entry
        self._types = tuple(cast("TensorType[Any]", t) for t in types.inputs.data)
        self._sizes = shape_arguments(module, function)
        self._build = build
        self._verify_each = verify_each
        self._cache: BoundedCache[Executable] = BoundedCache(CACHE_SIZE)
        self._latest: Executable | None = None

    def __call__(self, *arrays: Any, out: Sequence[Array] | None = None) -> tuple[Any, ...]:
        """Run on `arrays`; see `Executable.__call__`.

        Raises:
            InvalidProgramError: also when the shapes do not fit one another: located in the program.
            UnsupportedError: a size depends on data.
        """
        check_count(len(arrays), self.signature.inputs)
        executable = self._executable(arrays)
        try:
            return executable(*arrays, out=out)
        finally:
            for remark in executable.remarks:
                self._remark(remark)

    def profile(self, *arrays: Any, repeat: int = 10) -> Any:
        """Measure the program for the shapes of `arrays`; see `Executable.profile`."""
        check_count(len(arrays), self.signature.inputs)
        return self._executable(arrays).profile(*arrays, repeat=repeat)

    def specialize(self, *arguments: Any) -> Executable:
        """The executable for certain arguments, compiled if need be.

        Args:
            *arguments: one per argument: its type ("tensor<3x4xf32>"), its shape (a tuple), or an array. An integer
                argument that sizes are computed from is given by its value.
        """
        check_count(len(arguments), self.signature.inputs)
        return self._executable([self._example(i, a) for i, a in enumerate(arguments)])

    def specializations(self) -> list[Executable]:
        """The static executables there are, the latest used last."""
        return self._cache.values()

    @property
    def size_arguments(self) -> tuple[int, ...]:
        """Positions of the arguments whose values the program's sizes are computed from."""
        return self._sizes

    def ir(self, step: str) -> str:
        """The program of the latest call at a step."""
        return self._last().ir(step)

    def asm(self) -> str:
        """The assembly of the program of the latest call."""
        return self._last().asm()

    def _last(self) -> Executable:
        if self._latest is None:
            raise CompileError("the program has unknown extents: call it, or specialize it, to have code to look at")
        return self._latest

    def _executable(self, arrays: Sequence[Any]) -> Executable:
        shapes = [fitting(i, a, t) for i, (a, t) in enumerate(zip(arrays, self.signature.inputs, strict=True))]
        values = tuple((i, _numbers(arrays[i])) for i in self._sizes)
        key: Hashable = (tuple(shapes), values)
        executable = self._cache.find(key)
        if executable is None:
            executable = self._cache.make(key, lambda: self._compile(shapes, values))
        self._latest = executable
        return executable

    def _compile(self, shapes: Sequence[tuple[int, ...]], values: _Values) -> Executable:
        types = tuple(str(TensorType(t.element_type, s)) for t, s in zip(self._types, shapes, strict=True))
        refinement = RefineShapesPass(types, tuple(value_text(i, v) for i, v in values), self._entry_name)
        return self._build(refined(self._module, refinement, self._verify_each))

    def _example(self, i: int, argument: Any) -> Any:
        """An array, or something with the shape and dtype of one, of what `specialize` got."""
        want = self.signature.inputs[i]
        if isinstance(argument, str):
            type_ = _parsed(i, argument)
            example: Any = _Shaped(_array_type(type_).shape, numpy_dtype(type_.get_element_type()))
        elif isinstance(argument, tuple):
            example = _Shaped(cast("tuple[int, ...]", argument), want.dtype)
        else:
            return argument
        if i in self._sizes:
            raise InvalidProgramError(f"argument {i} is what sizes are computed from: give its value, an array")
        return example


@dataclass(frozen=True)
class _Shaped:
    """A shape and a dtype, in the place of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def _parsed(i: int, text: str) -> Any:
    try:
        type_ = Parser(context(), text).parse_type()
    except Exception:
        type_ = None
    if not isinstance(type_, TensorType) or not type_.has_static_shape():
        raise InvalidProgramError(f"argument {i}: '{text}' is not a type like tensor<3x4xf32>")
    return type_


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(int(v) for v in np.asarray(value).reshape(-1))


def refined(module: ModuleOp, refinement: RefineShapesPass, verify_each: bool = False) -> ModuleOp:
    """A static copy of a dynamic module.

    Raises:
        InvalidProgramError: the types do not fit the program.
        UnsupportedError: a size depends on data.
    """
    copy = module.clone()
    pipeline = Pipeline((refinement,), [VerifyEach()] if verify_each else [])
    try:
        pipeline.run(context(), copy)
    except InternalDiagnosticError as error:
        raise error.with_reproducer(write_reproducer(module.clone(), str(pipeline))) from error.__cause__
    return copy


__all__ = ["DynamicExecutable", "is_dynamic_program", "refined"]
