"""Kernels in a device's memory: PTX or cubin images loaded by the driver."""

from __future__ import annotations

from typing import Any

from stepwell.runtime.cuda.device import Device
from stepwell.runtime.cuda.driver import checked, failure
from stepwell.runtime.cuda.errors import CudaError, KernelLoadError

_LOG_BYTES = 8192
_OUT_OF_MEMORY = 2


class Module:
    """A loaded image; unloaded when the object goes, which waits for the device."""

    def __init__(self, device: Device, name: str, image: bytes):
        self._device = device
        self._name = name
        self._handle: Any = None
        api = device.api
        log = bytearray(_LOG_BYTES)
        options = [
            api.CUjit_option.CU_JIT_ERROR_LOG_BUFFER,
            api.CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
        ]
        with device.current:
            # PTX is text that ends with a zero; a cubin ignores what follows it.
            result = api.cuModuleLoadDataEx(image + b"\0", len(options), options, [log, _LOG_BYTES])
        if int(result[0]):
            text = bytes(log).split(b"\0", 1)[0].decode(errors="replace").strip()
            raise failure(api, result[0], f"load kernel '{name}' on {device}", KernelLoadError, text)
        self._handle = result[1]

    def function(self, name: str, shared: int) -> Any:
        """The handle of a function that is launched with `shared` bytes of dynamic shared memory.

        Raises:
            KernelLoadError: there is none of that name, or it needs more shared memory than a block can have.
        """
        api, device = self._device.api, self._device
        doing = f"find function '{name}' of kernel '{self._name}' on {device}"
        with device.current:
            result = api.cuModuleGetFunction(self._handle, name.encode())
            if int(result[0]):
                raise failure(api, result[0], doing, KernelLoadError)
            if shared > device.properties.shared_bytes:
                attribute = api.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
                status = api.cuFuncSetAttribute(result[1], attribute, shared)[0]
                if int(status):
                    limit = device.properties.shared_limit
                    doing = f"give kernel '{self._name}' {shared} bytes of shared memory ({device} has {limit} a block)"
                    raise failure(api, status, doing, KernelLoadError)
        return result[1]

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is None or not self._device.alive:
            return
        try:
            with self._device.current:
                self._device.api.cuCtxSynchronize()  # one of its kernels may be running
                checked(self._device.api, self._device.api.cuModuleUnload(self._handle), "unload a kernel")
        except (CudaError, AttributeError, TypeError):  # the process ends
            return
