"""Runs handwritten step-6 IR natively."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from emulated_device import Device

from stepwell.backends.amdgpu import PROCESSORS as AMD
from stepwell.backends.amdgpu import amd_target
from stepwell.backends.llvm import amdgpu, nvptx
from stepwell.backends.llvm_ir import entry_symbol, write_llvm
from stepwell.backends.nvptx import gpu_target
from stepwell.backends.object import compile_llvm
from stepwell.backends.target import LEVELS, host_level, target_for
from stepwell.dialects import gpu
from stepwell.runtime.loader import Library
from stepwell.source import parse

RUNNABLE = [level for level in ("sse4.2", "avx2", "avx512") if LEVELS.index(level) <= LEVELS.index(host_level())]

_PARALLEL_FOR = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
_BODY = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


@_PARALLEL_FOR
def _serial_parallel_for(body, context, count, grain):
    for begin in range(0, count, grain):
        status = _BODY(body)(context, begin, min(begin + grain, count), 0)
        if status:
            return status
    return 0


SERIAL = ctypes.cast(_serial_parallel_for, ctypes.c_void_p).value


class Native:
    """A compiled module; calling it passes arrays by pointer."""

    def __init__(self, text: str, level: str, opt_level: int = 2):
        self.target = target_for(level)
        self.texts = write_llvm(parse(text), self.target)
        self.objects = [compile_llvm(t.text, self.target, opt_level) for t in self.texts]
        self.library = Library(self.objects, [entry_symbol("main")], {"stepwell_parallel_for": SERIAL})
        self.entry = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(self.library.address(entry_symbol("main")))

    def __call__(self, *arrays: np.ndarray) -> None:
        pointers = (ctypes.c_void_p * len(arrays))(*(a.__array_interface__["data"][0] for a in arrays))
        assert self.entry(ctypes.addressof(pointers)) == 0


@pytest.fixture(params=RUNNABLE)
def level(request):
    return request.param


@pytest.fixture
def native(level):
    return lambda text, opt_level=2: Native(text, level, opt_level)


def device_text(text: str, cpu: str = "sm_90") -> str:
    """The LLVM text of the one device module in a program."""
    program = parse(text)
    (module,) = (op for op in program.body.block.ops if isinstance(op, gpu.ModuleOp))
    if cpu in AMD:
        return amdgpu.write_gpu_module(program, module, amd_target(cpu))
    return nvptx.write_gpu_module(program, module, gpu_target(cpu))


@pytest.fixture
def emulated():
    """A device kernel that runs on the CPU."""

    def device(text: str, cpu: str = "sm_90") -> Device:
        return Device(device_text(text, cpu), subgroup=amd_target(cpu).subgroup if cpu in AMD else 32)

    return device


@pytest.fixture
def llvm_of():
    """The LLVM text of a device module."""
    return device_text
