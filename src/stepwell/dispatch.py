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
from collections.abc import Callable, Generator, Hashable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp, StringAttr

from stepwell.compiler import lower, no_garbage_collection
from stepwell.compiling import compile as compile_program
from stepwell.device_targets import CPU, TargetName, choose, machine_for, parse_target, target_of_environment
from stepwell.devices import device_put
from stepwell.frontends.api import EAGER, is_api
from stepwell.frontends.array import Array
from stepwell.frontends.build import Function, tensor
from stepwell.frontends.errors import TracingError, refuse
from stepwell.frontends.locations import caller_source
from stepwell.frontends.mapping import vectorize, vmap
from stepwell.frontends.numpy_api import methods
from stepwell.frontends.pytree import TreeDef, flatten, walk
from stepwell.frontends.tracer import Trace, Tracer, is_array, is_scalar, is_tracing, tracing
from stepwell.ir.diagnostics import Diagnostic, SourceLocation, emit
from stepwell.ir.errors import InvalidProgramError
from stepwell.ir.printer import print_ir
from stepwell.latency import ask_latency, promise_indices
from stepwell.numerics import allow_contraction, allow_winograd
from stepwell.placement import leaves_devices, target_for
from stepwell.program_cache import Program, ProgramCache
from stepwell.runtime.executable import Executable
from stepwell.sections import phase
from stepwell.signatures import (
    Abstract,
    Chosen,
    Ints,
    Names,
    Signature,
    Static,
    abstract,
    arrays_of,
    parameters_of,
    signature_of,
)
from stepwell.steps import STEP_NAMES

CACHE_SIZE = 256
"""Programs kept per jitted function."""
EAGER_CACHE_SIZE = 2048
"""Programs kept for all functions called outside of `jit`."""

_compiling = threading.RLock()


@dataclass(frozen=True)
class Traced:
    """A traced function: its module, the structure of its results."""

    module: ModuleOp
    results: TreeDef


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
        with phase("trace"):
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
            module = self.module.clone()
            allow_contraction(module, self._options["fp_contract"])
            allow_winograd(module, self._options["winograd"])
            ask_latency(module, "main", self._options["latency_target_ns"])
            promise_indices(module, "main", self._options["unchecked_indices"])
            return print_ir(lower(module, step, target=machine, **options))

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


def compiled(traced: Traced, signature: Signature, options: dict[str, Any], donated: tuple[int, ...] = ()) -> Program:
    """Compile a function that was traced for a signature."""
    with _compiling:
        executable = compile_program(traced.module, donate=donated, **options)
    return Program(executable, traced.results, donated, signature)


def run(program: Program, arrays: list[Any]) -> Any:
    """Run a program on its array leaves; the results as a tree of `Array`."""
    outputs = program.executable(*arrays)
    if program.results.kind is None:
        return Array(outputs[0])
    return program.results.unflatten([Array(o) for o in outputs])


def _check_donated(arrays: list[Any], donated: tuple[int, ...]) -> None:
    """A buffer that the program overwrites must not be read as another argument."""
    for i in donated:
        for j, other in enumerate(arrays):
            if j != i and _overlap(arrays[i], other):
                hint = "pass a copy, or do not donate it"
                raise refuse(f"a donated array ({_shown(arrays[i])}) is also part of another argument", hint)


def _overlap(a: Any, b: Any) -> bool:
    """Whether two buffers share memory, which nobody needs to read for that."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and np.may_share_memory(a, b)
    return a.overlaps(b)


def _shown(array: Any) -> str:
    return str(Abstract(array.dtype, array.shape))


def _remark_copies(what: str, target: TargetName | None, arrays: list[Any]) -> None:
    """Say that a program which is about to be made will work on copies of a device's arrays."""
    device = None if target is None else leaves_devices(target, arrays)
    if device is not None:
        message = f"{what} runs on {target}: its arguments on {device} are copied to the host's memory"
        emit(Diagnostic("remark", caller_source(), message, hint=f"without a target it runs on {device}"))


class Jitted:
    """A function that `jit` made; calls like the function it wraps."""

    def __init__(
        self,
        function: Callable[..., Any],
        static: Chosen,
        donated: Chosen,
        target: TargetName | None,
        opt_level: int,
        on_disk: bool = True,
        fp_contract: bool = False,
        winograd: int = 0,
        latency_target_ns: int | None = None,
        unchecked_indices: bool = False,
    ):
        functools.update_wrapper(self, function)
        self._function = function
        self._name = getattr(function, "__name__", type(function).__name__)
        self._static = static
        self._has_static = bool(static)
        self._donated = donated
        self._parameters = [p.name for p in parameters_of(function)]
        self._target = target
        self._opt_level = opt_level
        self._on_disk = on_disk
        self._allowed = {
            "fp_contract": fp_contract,
            "winograd": winograd,
            "latency_target_ns": latency_target_ns,
            "unchecked_indices": unchecked_indices,
        }
        self._cache = ProgramCache(CACHE_SIZE)

    def __repr__(self) -> str:
        return f"<stepwell.jit of {self._name}, {len(self._cache)} programs>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    @property
    def name(self) -> str:
        """The name of the function, in messages."""
        return self._name

    def cache_size(self) -> int:
        """How many programs are kept."""
        return len(self._cache)

    def clear_cache(self) -> None:
        """Forget all programs."""
        self._cache.clear()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function, compiled."""
        if is_tracing():
            _OUTER.remark_dropped(self)
            return self._function(*args, **kwargs)
        if self._has_static:
            args, kwargs = self._static.marked(args, kwargs)
        parts: list[Hashable] = [len(args)]
        leaves: list[Any] = []
        walk(args, parts, leaves)
        if kwargs:
            walk((kwargs,), parts, leaves)
        arrays = arrays_of(leaves, parts)
        target = self._target
        for array in arrays:
            if type(array) is not np.ndarray:  # it is on a device
                target = target_for(target, arrays, parts)
                break
        key = tuple(parts)
        program = self._cache.find(key)
        if program is None:
            _remark_copies(f"'{self._name}'", target, arrays)
            program = self._cache.make(key, lambda: self._made(args, kwargs, target))
        return self._run_donating(program, arrays, leaves) if program.donated else run(program, arrays)

    def _run_donating(self, program: Program, arrays: list[Any], leaves: list[Any]) -> Any:
        _check_donated(arrays, program.donated)
        values = [leaf for leaf in leaves if not isinstance(leaf, Static)]
        try:
            return run(program, arrays)
        finally:
            for i in program.donated:
                if isinstance(values[i], Array):
                    values[i].donate()

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """Trace the function for these arguments (arrays, or anything with `shape` and `dtype`) without running it."""
        args, kwargs = self._static.marked(args, kwargs)
        held = [leaf.raw() for leaf in flatten((args, kwargs))[0] if type(leaf) is Array]
        options = self._options(target_for(self._target, held, []))
        traced = self._trace(signature_of((args, kwargs)))
        return Lowered(traced, {**options, "donate": self._donated.array_leaves(args, kwargs)})

    def _options(self, target: TargetName | None) -> dict[str, Any]:
        code = {"target": target or TargetName(CPU), "opt_level": self._opt_level, **self._allowed}
        return {**code, "cache": self._on_disk}

    def _made(self, args: tuple[Any, ...], kwargs: dict[str, Any], target: TargetName | None) -> Program:
        """The program of a call, whose static arguments are marked."""
        signature = signature_of((args, kwargs))
        if _log_is_asked():
            emit(Diagnostic("remark", caller_source(), self._why(signature)))
        donated = self._donated.array_leaves(args, kwargs)
        return compiled(self._trace(signature), signature, self._options(target), donated)

    def _trace(self, signature: Signature) -> Traced:
        pairs = zip(signature.names, signature.leaves, strict=True)
        names = [re.sub(r"\W+", "_", self._written(n)).strip("_") for n, leaf in pairs if isinstance(leaf, Abstract)]
        with _OUTER.tracing(self):
            return trace(self._function, signature, self._name, names)

    def asked(self) -> dict[str, Any]:
        """The options that were given and decide the code, by name."""
        level = {} if self._opt_level == 2 else {"opt_level": self._opt_level}
        given = {"target": self._target, **self._allowed}
        return {**{name: value for name, value in given.items() if value}, **level}

    def _why(self, signature: Signature) -> str:
        known = self._cache.signatures()
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
        names = self._parameters
        inside = path[path.index("]") + 1 :]
        first = inside[1 : inside.index("]")]
        rest = inside[inside.index("]") + 1 :]
        if first.isdigit():
            first = names[int(first)] if int(first) < len(names) else f"argument {first}"
        return first.strip("'") + rest


class _Outer(threading.local):
    """The functions whose traces this thread is in, each with the functions that became part of it."""

    def __init__(self) -> None:
        self._stack: list[tuple[Jitted, dict[Jitted, None]]] = []

    @contextmanager
    def tracing(self, function: Jitted) -> Generator[None]:
        """What is called meanwhile becomes part of `function`."""
        self._stack.append((function, {}))
        try:
            yield
        finally:
            self._stack.pop()

    def remark_dropped(self, function: Jitted) -> None:
        """Say once a trace which options of a function are not obeyed because it becomes part of another one."""
        outer, seen = self._stack[-1] if self._stack else (None, {})
        obeyed = {} if outer is None else outer.asked()
        dropped = {name: value for name, value in function.asked().items() if obeyed.get(name) != value}
        if not dropped or function in seen:
            return
        seen[function] = None
        options = ", ".join(f"{name}={str(v)!r}" for name, v in dropped.items())
        whole = "another program" if outer is None else f"'{outer.name}'"
        message = f"'{function.name}' becomes part of {whole}, whose options hold: its own {options} does nothing here"
        emit(Diagnostic("remark", caller_source(), message, hint="give them to the outer function"))


_OUTER = _Outer()


def jit(
    function: Callable[..., Any] | None = None,
    *,
    static_argnums: Ints = (),
    static_argnames: Names = (),
    donate_argnums: Ints = (),
    donate_argnames: Names = (),
    target: str | TargetName | None = None,
    opt_level: int = 2,
    cache: bool = True,
    fp_contract: bool = False,
    winograd: int = 0,
    latency_target_ns: int | None = None,
    unchecked_indices: bool = False,
) -> Any:
    """Compile a function over arrays when it is called, once per signature.

    Args:
        function: takes and returns arrays, or dicts, lists, tuples and dataclasses of them. Without it a decorator is returned.
        static_argnums: positions of arguments that are Python values: part of the signature, hashable.
        static_argnames: the same by name.
        donate_argnums: positions of arguments whose buffers the program may overwrite; they cannot be used afterwards.
        donate_argnames: the same by name.
        target: as of `stepwell.compile`: "cpu", "interpreter", "gpu-sim", "cuda:sm_90", ...; by default what `STEPWELL_TARGET`
            says when `jit` is called, else each call runs where its arrays are: on their GPU, or on the CPU.
        opt_level: 0 to 3.
        cache: as of `stepwell.compile`: whether native code may be found in, and is kept in, the cache on disk (docs/cache.md).
        fp_contract: as of `stepwell.compile`: whether `a * b + c` may be one op that rounds once.
        winograd: as of `stepwell.compile`: which of Winograd's convolutions are allowed.
        latency_target_ns: as of `stepwell.compile`: nanoseconds that a call's code should take at most.
        unchecked_indices: as of `stepwell.compile`: whether an index that is out of range is undefined behaviour.

    Raises:
        TracingError: the function has no such parameter; when called, what cannot be traced, at the user's line.
    """
    chosen = target_of_environment() if target is None else parse_target(target)

    def decorate(f: Callable[..., Any]) -> Jitted:
        if not callable(f):
            raise refuse(f"jit takes a function, not {f!r}", "options are given by name: jit(static_argnums=0)")
        parameters = parameters_of(f)
        static = Chosen(parameters, static_argnums, static_argnames, "static")
        donated = Chosen(parameters, donate_argnums, donate_argnames, "donate")
        if static.overlaps(donated):
            raise refuse("an argument cannot be both static and donated", "static values have no buffer")
        allowed = (fp_contract, winograd, latency_target_ns, unchecked_indices)
        return Jitted(f, static, donated, chosen, opt_level, cache, *allowed)

    return decorate if function is None else decorate(function)


# Eager calls -------------------------------------------------------------------------------------------------------

_EAGER_PROGRAMS = ProgramCache(EAGER_CACHE_SIZE)


def eager(
    function: Callable[..., Any], dynamic: frozenset[int | str], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run one function of the Python API as a program of its own."""
    named = target_of_environment()
    parts: list[Hashable] = [function, named, len(args)]
    leaves: list[Any] = []
    for i, argument in enumerate(args):
        _walk_eager(argument, i in dynamic or i >= _variadic(function), parts, leaves)
    for name in sorted(kwargs):
        parts.append(name)
        _walk_eager(kwargs[name], name in dynamic, parts, leaves)
    arrays = arrays_of(leaves, parts)
    target = target_for(named, arrays, parts)
    key = tuple(parts)
    program = _EAGER_PROGRAMS.find(key)
    if program is None:
        _remark_copies(f"stepwell.numpy.{function.__name__}", target, arrays)

        def make() -> Program:
            structure = flatten((args, kwargs))[1]
            signature = Signature(structure, tuple([abstract(leaf) for leaf in leaves]))
            return compiled(trace(function, signature, function.__name__), signature, {"target": target})

        lasting = not any(isinstance(leaf, Static) and _closes_over(leaf.value) for leaf in leaves)
        program = _EAGER_PROGRAMS.make(key, make) if lasting else make()
    return run(program, arrays)


def _log_is_asked() -> bool:
    """Whether `STEPWELL_LOG` asks for the reasons of traces.

    Raises:
        InvalidProgramError: it asks for something else.
    """
    asked = os.environ.get("STEPWELL_LOG", "")
    if asked not in ("", "trace"):
        raise InvalidProgramError(f"STEPWELL_LOG is 'trace' or, for nothing, not set, not '{asked}'")
    return bool(asked)


def _closes_over(value: Any) -> bool:
    """Whether a static value is a function whose meaning may change: all but those of the Python API."""
    return callable(value) and not isinstance(value, type) and not is_api(value)


@functools.cache
def _variadic(function: Callable[..., Any]) -> int:
    """The position from which on arguments are `*operands`."""
    for i, parameter in enumerate(inspect.signature(function).parameters.values()):
        if parameter.kind is parameter.VAR_POSITIONAL:
            return i
    return 1 << 30


def _walk_eager(tree: Any, numbers_are_dynamic: bool, parts: list[Hashable], leaves: list[Any]) -> None:
    """`walk` of one argument; what is no array, and numbers unless they are dynamic, are static leaves."""
    start = len(leaves)
    walk((tree,), parts, leaves)
    for i in range(start, len(leaves)):
        leaf = leaves[i]
        if type(leaf) is Array or isinstance(leaf, np.ndarray | Tracer):
            continue
        if not (numbers_are_dynamic and (isinstance(leaf, np.generic) or is_scalar(leaf))):
            leaves[i] = Static(leaf)


EAGER.run, EAGER.jit = eager, jit
methods.install()

__all__ = ["Array", "Jitted", "Lowered", "TracingError", "device_put", "jit", "vectorize", "vmap"]
