"""Running programs on NVIDIA GPUs; imports neither the CUDA bindings nor a driver until a device is used.

For who compiles (`stepwell.gpu_program` has the wrappers that know IR):

    program = stepwell.gpu_program.program_of(module)        # of a step-6 module in GPU form
    executable = stepwell.gpu_program.cuda_executable(
        signature,                                           # of `stepwell.native.signature_of`
        program,
        images={"k_map_0": ptx_or_cubin_bytes, ...},         # one a gpu.module, by its name
        host_kernels={"k_single_5": address, ...},           # native entries `void (ptr...)`, operands of the launch in order
        device=0, ir=..., asm=..., keep_alive=...,
    )

The executable is made without touching a driver: the first call (or `executable.load()`) opens the device, loads the modules
and may raise `NoDriverError`, `KernelLoadError`, `DeviceOutOfMemoryError`. It takes NumPy arrays (uploaded), arrays on its
device (used in place) and anything with DLPack on its device; it gives `stepwell.Array`s in device memory, not waiting for them.

- `driver`: the driver's functions, `use(module)` to replace them, typed errors. `device`: contexts, streams, events, memory.
- `modules`: loaded kernels. `program`, `scalars`, `executor`, `graph`: what runs in a call. `executable`: the call.
- `array`, `dlpack`: arrays in device memory, and exchanging them without copies.
"""

from __future__ import annotations

from stepwell.runtime.cuda.driver import available, driver_status
from stepwell.runtime.cuda.errors import (
    CudaError,
    DeviceOutOfMemoryError,
    KernelLoadError,
    NoDriverError,
    WrongDeviceError,
)

__all__ = [
    "CudaError",
    "DeviceOutOfMemoryError",
    "KernelLoadError",
    "NoDriverError",
    "WrongDeviceError",
    "available",
    "driver_status",
]
