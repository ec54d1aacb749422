"""Replaying a program that only launches and copies as one CUDA graph.

A graph holds addresses. While they are those of the call it was captured in, a call is one driver call; when they changed, the
work is captured again and the graph updated, which costs about as much as issuing it. A program whose addresses change in every
call is issued instead.
"""

from __future__ import annotations

from typing import Any

from stepwell.runtime.cuda.device import Device, Stream
from stepwell.runtime.cuda.driver import checked
from stepwell.runtime.cuda.executor import CallState, Frame, PreparedProgram

FEWEST = 2
"""A single launch is as quick as a graph of it."""
PATIENCE = 4
"""Captures in a row, never replayed, after which a frame's work is issued from then on."""

_RELAXED = 2


class FrameGraph:
    """The graph of one frame: what it replays, and for which addresses."""

    def __init__(self, device: Device):
        self._device = device
        self._exec: Any = None
        self._version = 0
        self._unused = 0

    @property
    def gave_up(self) -> bool:
        """Whether capturing never pays here."""
        return self._unused >= PATIENCE

    def launch(self, frame: Frame, program: PreparedProgram, stream: Stream) -> bool:
        """Replay, after capturing if the addresses are new; whether it was captured."""
        api = self._device.api
        stale = self._exec is None or frame.version != self._version
        if stale:
            self._capture(frame, program)
            self._version = frame.version
        self._unused = self._unused + 1 if stale else 0
        checked(api, api.cuGraphLaunch(self._exec, stream.handle), "launch a graph of kernels")
        return stale

    def _capture(self, frame: Frame, program: PreparedProgram) -> None:
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
        graph = checked(api, result, "capture kernels")
        self._device.idle_streams.append(stream)
        try:
            self._instantiate(graph)
        finally:
            api.cuGraphDestroy(graph)

    def _instantiate(self, graph: Any) -> None:
        api = self._device.api
        if self._exec is not None:
            if int(api.cuGraphExecUpdate(self._exec, graph)[0]) == 0:
                return
            old, self._exec = self._exec, None
            api.cuGraphExecDestroy(old)
        self._exec = checked(api, api.cuGraphInstantiate(graph, 0), "make a graph of kernels")

    def __del__(self) -> None:
        if self._exec is None or not self._device.alive:
            return
        try:
            with self._device.current:
                self._device.api.cuGraphExecDestroy(self._exec)
        except Exception:  # the process ends
            return
