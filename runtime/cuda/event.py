"""`Event`: how far a stream's work is, and how long the device took between two points of it."""

from __future__ import annotations

from typing import Any

from stepwell.runtime.cuda.device import Device, Stream
from stepwell.runtime.cuda.driver import checked

_NOT_READY = 600


class Event:
    """A point in a stream's work, for waiting and for timing.

    ```python
    gpu = device(0)
    start, end = Event(gpu), Event(gpu)
    start.record()
    executable(x)
    end.record()
    print(end.seconds_since(start))
    ```
    """

    def __init__(self, device: Device):
        self.device = device
        self._handle: Any = None
        with device.current:
            self._handle = checked(device.api, device.api.cuEventCreate(0), f"make an event on {device}")

    def record(self, stream: Stream | None = None) -> None:
        """Stand behind the work that is in a stream now: this thread's, unless another is given."""
        api, where = self.device.api, stream or self.device.stream()
        with self.device.current:
            checked(api, api.cuEventRecord(self._handle, where.handle), "record an event")

    @property
    def done(self) -> bool:
        """Whether the device has come to it; True before it is recorded.

        Raises:
            CudaError: the work before it failed.
        """
        api = self.device.api
        result = api.cuEventQuery(self._handle)
        if int(result[0]) == _NOT_READY:
            return False
        checked(api, result, "ask for an event")
        return True

    def synchronize(self) -> None:
        """Wait until the device has come to it.

        Raises:
            CudaError: the work before it failed.
        """
        api = self.device.api
        checked(api, api.cuEventSynchronize(self._handle), "wait for an event")

    def seconds_since(self, earlier: Event) -> float:
        """How long the device took from an earlier event to this one, which is waited for.

        Raises:
            CudaError: one of them is not recorded, is of another device, or the work before it failed.
        """
        self.synchronize()
        api = self.device.api
        result = api.cuEventElapsedTime(earlier._handle, self._handle)
        return float(checked(api, result, "tell the time between two events")) / 1000

    def __del__(self) -> None:
        if self._handle is None or not self.device.alive:
            return
        try:
            with self.device.current:
                self.device.api.cuEventDestroy(self._handle)
        except Exception:  # the driver is gone: the process ends
            return


__all__ = ["Event"]
