"""What can go wrong with a GPU; plain Python, so that catching these costs nothing without one."""

from __future__ import annotations

from stepwell.ir.errors import CompileError, InvalidProgramError, UnsupportedError


class NoDriverError(UnsupportedError):
    """There is no CUDA driver, no `cuda-bindings` or no GPU; target "cpu" works without."""

    def __init__(self, reason: str):
        super().__init__(f"CUDA cannot be used here: {reason} (target 'cpu' needs none of it)")


class CudaError(CompileError):
    """The driver refused a call.

    Attributes:
        name: the driver's name of the error, such as "CUDA_ERROR_ILLEGAL_ADDRESS".
        text: the driver's description.
        doing: what was being done, as a phrase that follows "cannot".
    """

    def __init__(self, doing: str, name: str, text: str, log: str = ""):
        super().__init__(f"cannot {doing}: {text} ({name})" + (f"\n{log}" if log else ""))
        self.doing = doing
        self.name = name
        self.text = text


class DeviceOutOfMemoryError(CudaError, InvalidProgramError):
    """The device, or the memory of the host that it can copy from, has not that much memory."""


class KernelLoadError(CudaError):
    """The driver does not take a kernel: PTX it cannot assemble, code for another GPU, too much shared memory."""


class WrongDeviceError(InvalidProgramError):
    """An array is on another device than the program that is to use it."""
