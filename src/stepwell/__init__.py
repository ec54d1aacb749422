"""Stepwell: a multi-level tensor compiler in Python.

Public names load lazily, so `import stepwell` pays for neither xDSL nor llvmlite.
"""

from __future__ import annotations

import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stepwell import build as build
    from stepwell import lax as lax
    from stepwell import nn as nn
    from stepwell import numpy as numpy
    from stepwell import random as random
    from stepwell.compiling import compile as compile
    from stepwell.custom_calls import register_custom_call as register_custom_call
    from stepwell.custom_calls import unregister_custom_call as unregister_custom_call
    from stepwell.devices import available_devices as available_devices
    from stepwell.devices import device_properties as device_properties
    from stepwell.devices import device_put as device_put
    from stepwell.devices import memory_statistics as memory_statistics
    from stepwell.devices import synchronize as synchronize
    from stepwell.dispatch import jit as jit
    from stepwell.errors import CompileError as CompileError
    from stepwell.errors import InvalidProgramError as InvalidProgramError
    from stepwell.errors import UnsupportedError as UnsupportedError
    from stepwell.explanation.explain import explain as explain
    from stepwell.explanation.model import Explanation as Explanation
    from stepwell.frontends.array import Array as Array
    from stepwell.frontends.errors import TracingError as TracingError
    from stepwell.frontends.mapping import vectorize as vectorize
    from stepwell.frontends.mapping import vmap as vmap
    from stepwell.frontends.pytree import tree_map as tree_map
    from stepwell.runtime.executable import Executable as Executable
    from stepwell.runtime.futures import submit as submit
    from stepwell.runtime.pool import num_threads as num_threads
    from stepwell.runtime.pool import set_num_threads as set_num_threads
    from stepwell.schedule_files import schedule as schedule
    from stepwell.sections import Profiler as Profiler
    from stepwell.sections import default_profiler as default_profiler
    from stepwell.source import parse as parse
    from stepwell.timers import Timer as Timer
    from stepwell.tuning.tune import tune as tune

__version__ = "0.1.0"

IMPORTED_NS = time.time_ns()
"""When this process began to load the compiler's code."""

_MODULES = ("build", "lax", "nn", "numpy", "random")

_LAZY = {
    "Array": "stepwell.dispatch",
    "TracingError": "stepwell.dispatch",
    "available_devices": "stepwell.devices",
    "device_properties": "stepwell.devices",
    "device_put": "stepwell.dispatch",
    "memory_statistics": "stepwell.devices",
    "synchronize": "stepwell.devices",
    "jit": "stepwell.dispatch",
    "vectorize": "stepwell.dispatch",
    "vmap": "stepwell.dispatch",
    "explain": "stepwell.explanation.explain",
    "Explanation": "stepwell.explanation.model",
    "schedule": "stepwell.schedule_files",
    "tune": "stepwell.tuning.tune",
    "tree_map": "stepwell.frontends.pytree",
    "compile": "stepwell.compiling",
    "register_custom_call": "stepwell.custom_calls",
    "unregister_custom_call": "stepwell.custom_calls",
    "parse": "stepwell.source",
    "CompileError": "stepwell.errors",
    "InvalidProgramError": "stepwell.errors",
    "UnsupportedError": "stepwell.errors",
    "Executable": "stepwell.runtime.executable",
    "Profiler": "stepwell.sections",
    "default_profiler": "stepwell.sections",
    "Timer": "stepwell.timers",
    "submit": "stepwell.runtime.futures",
    "num_threads": "stepwell.runtime.pool",
    "set_num_threads": "stepwell.runtime.pool",
}

__all__ = [
    "Array",
    "CompileError",
    "Executable",
    "Explanation",
    "InvalidProgramError",
    "Profiler",
    "Timer",
    "TracingError",
    "UnsupportedError",
    "__version__",
    "available_devices",
    "build",
    "compile",
    "default_profiler",
    "device_properties",
    "device_put",
    "explain",
    "jit",
    "lax",
    "memory_statistics",
    "nn",
    "num_threads",
    "numpy",
    "parse",
    "random",
    "register_custom_call",
    "schedule",
    "set_num_threads",
    "submit",
    "synchronize",
    "tree_map",
    "tune",
    "unregister_custom_call",
    "vectorize",
    "vmap",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name in _MODULES:
        return import_module(f"stepwell.{name}")
    raise AttributeError(f"module 'stepwell' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
