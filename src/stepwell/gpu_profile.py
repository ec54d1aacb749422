"""`exe.profile(...)` of a program on a GPU: the time of each grid, copy and fill, by the device's clock."""

from __future__ import annotations

from typing import Any

import numpy as np

from stepwell.profile import Profile, profile_of
from stepwell.runtime.cuda.executable import CudaExecutable


class GpuProfiler:
    """The profiled form of a program: its kernels with events around each launch, and no graphs."""

    def __init__(self, executable: CudaExecutable, program: str):
        self._executable = executable
        self._program = program

    def profile(self, arrays: tuple[Any, ...], repeat: int) -> Profile:
        """Call the program so often, after once to warm up, and read its times."""
        recorded = self._executable.record(arrays, repeat)
        results = tuple(np.asarray(result.numpy()) for result in recorded.results)
        return profile_of(self._program, recorded.recording, recorded.names, {}, "", results)


__all__ = ["GpuProfiler"]
