"""The GPU simulator: runs one `gpu.func`, block by block, all threads of a block as NumPy lanes under a mask."""

from __future__ import annotations

from stepwell.dialects.interp.simt.launch import launch
from stepwell.dialects.interp.simt.reports import ReportKind, SimulationError

__all__ = ["ReportKind", "SimulationError", "launch"]
