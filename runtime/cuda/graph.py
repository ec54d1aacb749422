"""Replaying a program that only launches and copies as one CUDA graph.

A graph holds addresses. Calls in a loop see the same few sets of them again and again, since memory that was freed is what is
allocated next: each set that comes a second time gets a graph, and from then on a call with it is one driver call. Where sets do
not come back, work is issued.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from stepwell.runtime.cuda.device import Device, Stream
from stepwell.runtime.cuda.driver import checked
from stepwell.runtime.cuda.executor import CallState, Frame, PreparedProgram

FEWEST = 2
"""A single launch is as quick as a graph of it."""
MOST = 4
"""Graphs of one frame; the one not used for longest is made into the next."""
REMEMBERED = 16
"""Sets of addresses remembered."""
TRIAL = 16
"""Captures after which there must have been as many replays, or no more are made."""

_RELAXED = 2


class FrameGraphs:
    """The graphs of one frame, by addresses, the latest used last; None for a set that was seen once."""

    def __init__(self, device: Device):
        self._device = device
        self._graphs: OrderedDict[bytes, Any] = OrderedDict()
        self.captures = 0
        self.replays = 0

    def launch(self, frame: Frame, program: PreparedProgram, stream: Stream) -> bool:
        """Put the frame's work on a stream as a graph, captured now if its addresses have come before; else False."""
        key = frame.values.tobytes()
        graph = self._graphs.get(key)
        if graph is None:
            if key not in self._graphs or (self.captures >= TRIAL and self.replays < self.captures):
                self._remember(key)
                return False
            graph = self._capture(frame, program)
            self._graphs[key] = graph
            self.captures += 1
        else:
            self.replays += 1
        self._graphs.move_to_end(key)
        api = self._device.api
        checked(api, api.cuGraphLaunch(graph, stream.handle), "launch a graph of kernels")
        return True

    def _remember(self, key: bytes) -> None:
        self._graphs[key] = None
        self._graphs.move_to_end(key)
        if len(self._graphs) > REMEMBERED:
            oldest = next(k for k, graph in self._graphs.items() if graph is None)
            del self._graphs[oldest]

    def _capture(self, frame: Frame, program: PreparedProgram) -> Any:
        """Record the work of a frame, on a stream of its own: another thread may make other streams wait for ours."""
        api = self._device.api
        try:
            stream = self._device.idle_streams.pop()
        except IndexError:
            stream = self._device.new_stream()
        mode = api.CUstreamCaptureMode(_RELAXED)  # collected garbage may free memory meanwhile
        checked(api, api.cuStreamBeginCapture(stream.handle, mode), "capture kernels")
        try:
            program.entry.run_frame(frame, CallState(stream, program.constants))
        finally:
            result = api.cuStreamEndCapture(stream.handle)
        captured = checked(api, result, "capture kernels")
        self._device.idle_streams.append(stream)
        try:
            return self._executable(captured)
        finally:
            api.cuGraphDestroy(captured)

    def _executable(self, captured: Any) -> Any:
        """What can be launched: an older graph with new addresses where there are many, else a new one."""
        api = self._device.api
        made = [key for key, graph in self._graphs.items() if graph is not None]
        if len(made) >= MOST:
            old = self._graphs.pop(made[0])
            if int(api.cuGraphExecUpdate(old, captured)[0]) == 0:
                return old
            api.cuGraphExecDestroy(old)
        return checked(api, api.cuGraphInstantiate(captured, 0), "make a graph of kernels")

    def __del__(self) -> None:
        graphs = [graph for graph in self._graphs.values() if graph is not None]
        if not graphs or not self._device.alive:
            return
        try:
            with self._device.current:
                for graph in graphs:
                    self._device.api.cuGraphExecDestroy(graph)
        except Exception:  # the process ends
            return
