"""A shuffle gives the same values and flags in the simulator and in the code of every target."""

from __future__ import annotations

import numpy as np
import pytest
from shuffle_programs import MODES, Run, cases, check_shuffles, shuffle_kernel

from stepwell.backends.amdgpu import PROCESSORS, amd_target
from stepwell.dialects.gpu import FuncOp
from stepwell.dialects.interp.simt import launch
from stepwell.ir.errors import UnsupportedError
from stepwell.source import parse


def simulated(text: str, lanes: int) -> Run:
    """A kernel in the simulator of a machine."""
    target = f'#stepwell.target<{{level = "simt", subgroup = {lanes} : i64, block_threads = 1024 : i64}}>'
    module = parse(f"builtin.module attributes {{stepwell.target = {target}}} {{ {text} }}")
    (function,) = (op for op in module.walk() if isinstance(op, FuncOp))
    return lambda arguments: launch(function, arguments, grid=[1], block=[lanes])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lanes", [32, 64])
def test_the_simulator_takes_offsets_of_both_signs(mode, lanes):
    given = cases(lanes, [1 << k for k in range(lanes.bit_length())])
    check_shuffles(simulated(shuffle_kernel(mode, given, lanes, known=False), lanes), mode, given, lanes)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("cpu", ["sm_90", "gfx90a", "gfx1100"])
def test_targets_take_offsets_of_both_signs(emulated, cpu, known, mode):
    """Known or not while compiling, an offset out of the segment gives a lane's own value and says so."""
    lanes = amd_target(cpu).subgroup if cpu in PROCESSORS else 32
    given = cases(lanes, [1, 4, lanes])
    device = emulated(shuffle_kernel(mode, given, lanes, known=known), cpu)
    check_shuffles(lambda arguments: device.launch(1, lanes, *arguments), mode, given, lanes)


@pytest.mark.parametrize("mode", ["up", "down"])
@pytest.mark.parametrize("cpu", ["sm_90", "gfx1100"])
def test_each_lane_may_have_an_offset_of_its_own(emulated, cpu, mode):
    """Also where half of the lanes read upwards and half downwards."""
    text = shuffle_kernel(mode, [(0, 16)], 32, known=False)
    text = text.replace("%offsets: memref<1xi32>", "%offsets: memref<32xi32>")
    device = emulated(
        text.replace("memref.load %offsets[%c0] : memref<1xi32>", "memref.load %offsets[%t] : memref<32xi32>"), cpu
    )
    lanes, x = np.arange(32), np.arange(32, dtype=np.int32) * 7
    offsets = np.where(lanes % 2, lanes % 5, -(lanes % 3)).astype(np.int32)
    out, flags = np.zeros((1, 32), np.int32), np.zeros((1, 32), np.bool_)
    device.launch(1, 32, x, offsets, np.array([16], np.int32), out, flags)
    source = lanes - offsets if mode == "up" else lanes + offsets
    valid = source // 16 == lanes // 16
    np.testing.assert_array_equal(flags[0], valid)
    np.testing.assert_array_equal(out[0], x[np.where(valid, source, lanes)])


@pytest.mark.parametrize(("cpu", "lanes"), [("sm_90", 32), ("gfx90a", 64)])
def test_segments_of_more_lanes_than_a_subgroup_are_refused(llvm_of, cpu, lanes):
    text = shuffle_kernel("up", [(1, 2 * lanes)], lanes, known=True)
    with pytest.raises(UnsupportedError, match=f"segments of {2 * lanes} lanes; a subgroup has {lanes}"):
        llvm_of(text, cpu)
