"""`stepwell.jit`: traces a Python function once per signature, compiles it, and runs what was compiled.

A signature is the tree structure of the arguments, shape and dtype of every array leaf, and the value of every static one. What is
compiled is kept per function, least recently used out first. `STEPWELL_LOG=trace` says on standard error why a function is traced.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp, StringAttr

from stepwell.compiler import compile as compile_program
from stepwell.compiler import lower, no_garbage_collection
from stepwell.device_targets import TargetName, choose, default_target, machine_for, parse_target
from stepwell.frontends import numpy_api
from stepwell.frontends.api import EAGER
from stepwell.frontends.array import Array
from stepwell.frontends.build import Function, tensor
from stepwell.frontends.dtypes import as_dtype, scalar_dtype
from stepwell.frontends.errors import LeakedTracerError, TracingError, refuse
from stepwell.frontends.locations import caller_source
from stepwell.frontends.pytree import TreeDef, flatten
from stepwell.frontends.tracer import Trace, Tracer, is_array, is_scalar, is_tracing, scalar_array, tracing
from stepwell.ir.diagnostics import Diagnostic, SourceLocation, emit
from stepwell.ir.printer import print_ir
from stepwell.runtime.executable import Executable
from stepwell.steps import STEP_NAMES

CACHE_SIZE = 256
"""Programs kept per jitted function."""
EAGER_CACHE_SIZE = 2048
"""Programs kept for all functions called outside of `jit`."""

_compiling = threading.RLock()


class Static:
    """A leaf that is part of the signature: its value, and its type since `1 == True == 1.0`."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and type(self.value) is type(other.value) and self.value == other.value

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))

    def __str__(self) -> str:
        return f"the static value {self.value!r}"


@dataclass(frozen=True)
class Abstract:
    """An array leaf of a signature; a Python number is weak."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    weak: bool = False

    def __str__(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]" + (" (weak)" if self.weak else "")


Leaf = Static | Abstract


@dataclass(frozen=True)
class Signature:
    """What a program is compiled for; `names` says how the user writes each leaf."""

    structure: TreeDef
    leaves: tuple[Leaf, ...]

    def __hash__(self) -> int:
        return hash((self.structure, self.leaves))

    @functools.cached_property
    def names(self) -> list[str]:
        """How the user writes each leaf."""
        return self.structure.paths()


@dataclass(frozen=True)
class Traced:
    """A traced function: its module, the structure of its results."""

    module: ModuleOp
    results: TreeDef


@dataclass(frozen=True)
class Program:
    """A compiled signature: the executable, which leaves it takes, and what it gives back."""

    executable: Executable
    results: TreeDef
    donated: tuple[int, ...]


def abstract(value: Any) -> Abstract:
    """The signature of an array leaf.

    Raises:
        TracingError: not an array.
    """
    if isinstance(value, Array | np.ndarray | np.generic):
        return Abstract(as_dtype(value.dtype), value.shape)
    if isinstance(value, Tracer):
        hint = "a value of one trace cannot be used in another, or after it"
        raise refuse(f"{value!r} is used outside of the trace it belongs to", hint, LeakedTracerError)
    if is_scalar(value):
        return Abstract(scalar_dtype(value), (), True)
    hint = "arguments are arrays, numbers and trees of them; name others in static_argnums or static_argnames"
    raise refuse(f"an argument of type {type(value).__name__} is not an array", hint)


def concrete(value: Any, leaf: Abstract) -> np.ndarray[Any, Any]:
    """The NumPy array behind an array leaf."""
    if isinstance(value, Array):
        return value.raw()
    return scalar_array(value, leaf.dtype) if leaf.weak else np.asarray(value)


def trace(function: Callable[..., Any], signature: Signature, name: str, names: Sequence[str] = ()) -> Traced:
    """Trace `function` for a signature, whose structure is that of (args, kwargs)."""
    arrays = [leaf for leaf in signature.leaves if isinstance(leaf, Abstract)]
    builder = Function("main", [tensor(leaf.dtype, *leaf.shape) for leaf in arrays])
    running = Trace(name, builder)
    with no_garbage_collection(), tracing(running):
        for name_, value in zip(names, builder.arguments, strict=False):
            value.name_hint = name_
        tracers = iter([running.tracer(v, a.weak) for v, a in zip(builder.arguments, arrays, strict=True)])
        leaves = [leaf.value if isinstance(leaf, Static) else next(tracers) for leaf in signature.leaves]
        args, kwargs = signature.structure.unflatten(leaves)
        results, structure = flatten(function(*args, **kwargs))
        for path, result in zip(structure.paths(), results, strict=True):
            if not is_array(result) and not is_scalar(result):
                raise _wrong_result(function, path, result)
        values = [running.value(result) for result in results]
        module = builder.finish(*values)
    module.sym_name = StringAttr(name)
    return Traced(module, structure)


def _wrong_result(function: Callable[..., Any], path: str, result: Any) -> TracingError:
    """The error at the function's own line: no line of its body is running any more."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    place = caller_source() if code is None else SourceLocation(code.co_filename, code.co_firstlineno, 1)
    message = f"the function returns a value of type {type(result).__name__}, which is not an array"
    hint = "return arrays, numbers and dicts, lists, tuples, dataclasses of them"
    return TracingError(Diagnostic("error", place, message + (f" (at {path})" if path else ""), hint=hint))


class Lowered:
    """A traced function that is not compiled: its module, and every later step as text."""

    def __init__(self, traced: Traced, options: dict[str, Any]):
        self._traced = traced
        self._options = options
        self._executable: Executable | None = None

    @property
    def module(self) -> ModuleOp:
        """The module of step 1."""
        return self._traced.module

    def as_text(self) -> str:
        """The module of step 1 as text."""
        return print_ir(self.module)

    def ir(self, step: str) -> str:
        """The program at a step ("tensor" ... "device"), or as "llvm", as text."""
        if step not in STEP_NAMES:
            return self.compile().ir(step)
        with _compiling, no_garbage_collection():
            options = {name: self._options[name] for name in ("opt_level", "donate")}
            machine = machine_for(choose(self._options["target"], self.module))
            return print_ir(lower(self.module.clone(), step, target=machine, **options))

    def asm(self) -> str:
        """The assembly of the program."""
        return self.compile().asm()

    def compile(self) -> Executable:
        """The program, which takes and gives flat lists of arrays."""
        if self._executable is None:
            with _compiling:
                self._executable = compile_program(self.module, **self._options)
        return self._executable

    def __repr__(self) -> str:
        return f"<stepwell.Lowered {self.module.sym_name.data if self.module.sym_name else 'main'}>"


class ProgramCache:
    """Programs by key, bounded, least recently used out first; one thread compiles a key, others wait for it."""

    def __init__(self, size: int):
        self.size = size
        self._programs: OrderedDict[Hashable, Program] = OrderedDict()
        self._lock = threading.Lock()
        self._pending: dict[Hashable, threading.RLock] = {}

    def __len__(self) -> int:
        return len(self._programs)

    def keys(self) -> list[Any]:
        """The keys, the latest used last."""
        with self._lock:
            return list(self._programs)

    def clear(self) -> None:
        """Forget all programs."""
        with self._lock:
            self._programs.clear()

    def find(self, key: Hashable) -> Program | None:
        """The program of a key, if there is one."""
        with self._lock:
            program = self._programs.get(key)
            if program is not None:
                self._programs.move_to_end(key)
            return program

    def get(self, key: Hashable, make: Callable[[], Program]) -> Program:
        """The program of a key, made if need be."""
        program = self.find(key)
        if program is not None:
            return program
        with self._lock:
            mutex = self._pending.setdefault(key, threading.RLock())
        with mutex:
            program = self.find(key)
            if program is None:
                try:
                    program = make()
                    self._put(key, program)
                finally:
                    with self._lock:
                        self._pending.pop(key, None)
        return program

    def _put(self, key: Hashable, program: Program) -> None:
        with self._lock:
            self._programs[key] = program
            while len(self._programs) > self.size:
                self._programs.popitem(last=False)


def compiled(traced: Traced, options: dict[str, Any], donated: tuple[int, ...] = ()) -> Program:
    """Compile a traced function."""
    with _compiling:
        executable = compile_program(traced.module, donate=donated, **options)
    return Program(executable, traced.results, donated)


def run(program: Program, arrays: list[np.ndarray[Any, Any]]) -> Any:
    """Run a program on its array leaves; the results as a tree of `Array`."""
    outputs = program.executable(*arrays)
    if program.results.kind is None:
        return Array(outputs[0])
    return program.results.unflatten([Array(o) for o in outputs])


def _check_donated(arrays: list[np.ndarray[Any, Any]], donated: tuple[int, ...]) -> None:
    """A buffer that the program overwrites must not be read as another argument."""
    for i in donated:
        for j, other in enumerate(arrays):
            if j != i and np.may_share_memory(arrays[i], other):
                hint = "pass a copy, or do not donate it"
                raise refuse(f"a donated array ({_shown(arrays[i])}) is also part of another argument", hint)


def _shown(array: np.ndarray[Any, Any]) -> str:
    return str(Abstract(array.dtype, array.shape))


class Jitted:
    """A function that `jit` made; calls like the function it wraps."""

    def __init__(self, function: Callable[..., Any], static: _StaticNames, donate: tuple[int, ...], **options: Any):
        functools.update_wrapper(self, function)
        self._function = function
        self._name = getattr(function, "__name__", type(function).__name__)
        self._static = static
        self._donate = donate
        self._options = options
        self._cache = ProgramCache(CACHE_SIZE)
        self._fast: dict[Any, Program] = {}

    def __repr__(self) -> str:
        return f"<stepwell.jit of {self._name}, {len(self._cache)} programs>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def cache_size(self) -> int:
        """How many programs are kept."""
        return len(self._cache)

    def clear_cache(self) -> None:
        """Forget all programs."""
        self._fast = {}
        self._cache.clear()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function, compiled."""
        if not kwargs and not is_tracing():
            arrays: list[np.ndarray[Any, Any]] = []
            key: list[Any] = []
            for value in args:
                if type(value) is Array:
                    value = value.raw()
                elif type(value) is not np.ndarray:
                    break
                arrays.append(value)
                key.append(value.dtype)
                key.append(value.shape)
            else:
                program = self._fast.get(tuple(key))
                if program is not None:
                    return run(program, arrays)
        return self._slow_call(args, kwargs)

    def _slow_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if is_tracing():
            return self._function(*args, **kwargs)
        leaves, signature = self._signature(args, kwargs)
        program = self._cache.get(signature, lambda: self._made(args, signature))
        arrays = [concrete(v, s) for v, s in zip(leaves, signature.leaves, strict=True) if isinstance(s, Abstract)]
        values = [v for v, s in zip(leaves, signature.leaves, strict=True) if isinstance(s, Abstract)]
        _check_donated(arrays, program.donated)
        self._remember(args, kwargs, program)
        try:
            return run(program, arrays)
        finally:
            for i in program.donated:
                if isinstance(values[i], Array):
                    values[i].donate()

    def _remember(self, args: tuple[Any, ...], kwargs: dict[str, Any], program: Program) -> None:
        """Calls with plain arrays only need no trees: their dtypes and shapes are the whole key."""
        plain = all(type(a) is Array or type(a) is np.ndarray for a in args)
        if plain and not kwargs and not program.donated and not self._static:
            if len(self._fast) >= CACHE_SIZE:
                self._fast = {}
            key = [part for a in args for part in (a.dtype, a.shape)]
            self._fast[tuple(key)] = program

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """Trace the function for these arguments (arrays, or anything with `shape` and `dtype`) without running it."""
        _, signature = self._signature(args, kwargs)
        traced = self._trace(signature)
        return Lowered(traced, {**self._options, "donate": self._donated(args, signature)})

    def _made(self, args: tuple[Any, ...], signature: Signature) -> Program:
        if os.environ.get("STEPWELL_LOG") == "trace":
            emit(Diagnostic("remark", caller_source(), self._why(signature)))
        return compiled(self._trace(signature), self._options, self._donated(args, signature))

    def _trace(self, signature: Signature) -> Traced:
        pairs = zip(signature.names, signature.leaves, strict=True)
        names = [re.sub(r"\W+", "_", self._written(n)).strip("_") for n, leaf in pairs if isinstance(leaf, Abstract)]
        return trace(self._function, signature, self._name, names)

    def _signature(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], Signature]:
        args, kwargs = self._static.marked(args, kwargs)
        leaves, structure = flatten((args, kwargs))
        return leaves, Signature(structure, tuple([_leaf(v) for v in leaves]))

    def _donated(self, args: tuple[Any, ...], signature: Signature) -> tuple[int, ...]:
        """The positions, among the array leaves, of those of donated arguments."""
        if not self._donate:
            return ()
        found: list[int] = []
        position = 0
        marked, _ = self._static.marked(args, {})
        for i, argument in enumerate(marked):
            count = sum(not isinstance(v, Static) for v in flatten(argument)[0])
            if i in self._donate:
                found.extend(range(position, position + count))
            position += count
        return tuple(found)

    def _why(self, signature: Signature) -> str:
        known = [k for k in self._cache.keys() if isinstance(k, Signature)]
        if not known:
            return f"tracing '{self._name}' for the first time"
        return f"tracing '{self._name}' again: {min((self._difference(k, signature) for k in known), key=len)}"

    def _difference(self, old: Signature, new: Signature) -> str:
        if old.structure != new.structure:
            return f"the arguments have another structure: {new.structure.paths()}, not {old.structure.paths()}"
        pairs = zip(new.names, old.leaves, new.leaves, strict=True)
        changes = [f"{self._written(n)} is {b}, it was {a}" for n, a, b in pairs if a != b]
        return "; ".join(changes)

    def _written(self, path: str) -> str:
        """`[0][1]['w']` as the user says it: argument 1 or its name."""
        names = self._static.parameters
        inside = path[path.index("]") + 1 :]
        first = inside[1 : inside.index("]")]
        rest = inside[inside.index("]") + 1 :]
        if first.isdigit():
            first = names[int(first)] if int(first) < len(names) else f"argument {first}"
        return first.strip("'") + rest


def _leaf(value: Any) -> Leaf:
    if isinstance(value, Static):
        return value
    if hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, Tracer):
        return Abstract(as_dtype(value.dtype), tuple(value.shape))
    return abstract(value)


class _StaticNames:
    """Which arguments are static."""

    def __init__(self, function: Callable[..., Any], numbers: tuple[int, ...], names: tuple[str, ...]):
        try:
            self.parameters = list(inspect.signature(function).parameters)
        except (TypeError, ValueError):
            self.parameters = []
        by_number = [self.parameters[i] for i in numbers if -len(self.parameters) <= i < len(self.parameters)]
        for name in names:
            if self.parameters and name not in self.parameters:
                raise refuse(f"static_argnames: the function has no parameter '{name}'")
        self._names = frozenset([*names, *by_number])
        self._numbers = frozenset(
            [*(i % max(len(self.parameters), 1) for i in numbers if i < 0), *(i for i in numbers if i >= 0)]
        ) | frozenset(i for i, name in enumerate(self.parameters) if name in self._names)

    def __bool__(self) -> bool:
        return bool(self._names or self._numbers)

    def marked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with the static ones wrapped as leaves."""
        if not self:
            return args, kwargs
        marked = tuple([self._wrapped(a, f"argument {i}") if i in self._numbers else a for i, a in enumerate(args)])
        return marked, {k: self._wrapped(v, f"'{k}'") if k in self._names else v for k, v in kwargs.items()}

    def _wrapped(self, value: Any, what: str) -> Static:
        try:
            hash(value)
        except TypeError:
            hint = "pass a tuple instead of a list, an object with __hash__ and __eq__, or make it dynamic"
            raise refuse(f"the static {what} of type {type(value).__name__} is not hashable", hint) from None
        return Static(value)


def jit(
    function: Callable[..., Any] | None = None,
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    donate_argnums: int | Sequence[int] = (),
    target: str | TargetName | None = None,
    opt_level: int = 2,
) -> Any:
    """Compile a function over arrays when it is called, once per signature.

    Args:
        function: takes and returns arrays, or dicts, lists, tuples and dataclasses of them. Without it a decorator is returned.
        static_argnums: positions of arguments that are Python values: part of the signature, hashable.
        static_argnames: the same by name.
        donate_argnums: positions of arguments whose buffers the program may overwrite; they cannot be used afterwards.
        target: as of `stepwell.compile`: "cpu", "interpreter", "gpu-sim", "cuda:sm_90", ...; by default what `STEPWELL_TARGET`
            says when `jit` is called, else the CPU.
        opt_level: 0 to 3.

    Raises:
        TracingError: when called, what cannot be traced, at the user's line.
    """
    numbers, donated = ((n,) if isinstance(n, int) else tuple(n) for n in (static_argnums, donate_argnums))
    names = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
    chosen = default_target() if target is None else parse_target(target)

    def decorate(f: Callable[..., Any]) -> Jitted:
        return Jitted(f, _StaticNames(f, numbers, names), donated, target=chosen, opt_level=opt_level)

    return decorate if function is None else decorate(function)


# Eager calls -------------------------------------------------------------------------------------------------------

_EAGER_PROGRAMS = ProgramCache(EAGER_CACHE_SIZE)


def eager(
    function: Callable[..., Any], dynamic: frozenset[int | str], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run one function of the Python API as a program of its own."""
    marked = tuple([_eager_tree(a, i in dynamic or i >= _variadic(function)) for i, a in enumerate(args)])
    named = {k: _eager_tree(v, k in dynamic) for k, v in kwargs.items()}
    leaves, structure = flatten((marked, named))
    signature = Signature(structure, tuple([_leaf(v) for v in leaves]))
    target = default_target()
    options = {"target": target}
    key = (function, signature, target)
    try:
        hash(key)
    except TypeError:
        raise refuse(f"{function.__name__}: an argument is neither an array nor hashable") from None
    if any(isinstance(leaf, Static) and callable(leaf.value) for leaf in signature.leaves):
        program = compiled(trace(function, signature, function.__name__), options)  # what it closes over may change
    else:
        program = _EAGER_PROGRAMS.get(key, lambda: compiled(trace(function, signature, function.__name__), options))
    pairs = zip(leaves, signature.leaves, strict=True)
    return run(program, [concrete(v, s) for v, s in pairs if isinstance(s, Abstract)])


@functools.cache
def _variadic(function: Callable[..., Any]) -> int:
    """The position from which on arguments are `*operands`."""
    for i, parameter in enumerate(inspect.signature(function).parameters.values()):
        if parameter.kind is parameter.VAR_POSITIONAL:
            return i
    return 1 << 30


def _eager_tree(tree: Any, numbers_are_dynamic: bool) -> Any:
    """The tree with what is no array as static leaves."""
    leaves, structure = flatten(tree)
    return structure.unflatten([_eager_leaf(leaf, numbers_are_dynamic) for leaf in leaves])


def _eager_leaf(leaf: Any, numbers_are_dynamic: bool) -> Any:
    if isinstance(leaf, Array | np.ndarray | Tracer):
        return leaf
    if numbers_are_dynamic and (isinstance(leaf, np.generic) or is_scalar(leaf)):
        return leaf
    return Static(leaf)


EAGER.run = eager
assert numpy_api.METHODS, "operators on arrays are the functions of numpy_api"

__all__ = ["Array", "Jitted", "Lowered", "TracingError", "jit"]
