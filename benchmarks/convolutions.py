"""Time convolutions beside torch: convolutions.py [--suite layers|sweep|all] [--only RE] [--rounds N] [--peers torch,stepwell].

A line a shape, with torch's time over Stepwell's (above 1: Stepwell is faster). `c8` in a name is eight channels, `b` the
batch, `s` the stride, `g` the groups, `d` the dilation; `layers` are those that networks have, `sweep` others: primes, one image,
all windows, one and three dims. NHWC shapes have weights HWIO, and torch the same numbers as channels_last. Results are
compared with torch's. `--one-thread` counts the CPU time of one thread, which other processes disturb less. Programs come
from Stepwell's cache the second time: run once with `--rounds 0` before measuring. `winograd2` and `winograd4` are peers too:
Stepwell with that option.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np
import peers


@dataclass(frozen=True)
class Shape:
    """A convolution, of the same extents along all of its spatial dims."""

    name: str
    batch: int
    channels: int
    features: int
    image: int
    taps: int
    stride: int = 1
    groups: int = 1
    nhwc: bool = False
    kind: str = "f32"
    gradient: str = ""
    """`lhs` or `rhs`: the gradient with respect to that, given one of the result."""
    dims: int = 2
    dilation: int = 1

    @property
    def reach(self) -> int:
        """Extent of the window."""
        return (self.taps - 1) * self.dilation + 1

    @property
    def pad(self) -> int:
        """Zeros on every side."""
        return self.reach // 2

    @property
    def result(self) -> int:
        """Extent of the result."""
        return (self.image + 2 * self.pad - self.reach) // self.stride + 1

    @property
    def flops(self) -> int:
        """Of the convolution, and of each gradient."""
        terms = self.channels // self.groups * self.taps**self.dims
        return 2 * self.batch * self.features * self.result**self.dims * terms


SHAPES = (
    Shape("conv3x3_b8_c64_56", 8, 64, 64, 56, 3),
    Shape("conv3x3_b8_c128_28", 8, 128, 128, 28, 3),
    Shape("conv3x3_b8_c512_7", 8, 512, 512, 7, 3),
    Shape("conv3x3_b1_c256_14", 1, 256, 256, 14, 3),
    Shape("conv3x3_b1_c512_7", 1, 512, 512, 7, 3),
    Shape("conv3x3_s2_b8_c256to512_14", 8, 256, 512, 14, 3, 2),
    Shape("conv5x5_b8_c96_27", 8, 96, 256, 27, 5),
    Shape("conv3x3_b2_c61to67_31", 2, 61, 67, 31, 3),
    Shape("conv1x1_b8_c64to256_56", 8, 64, 256, 56, 1),
    Shape("conv1x1_b8_c256to64_56", 8, 256, 64, 56, 1),
    Shape("conv1x1_b8_c1024to256_14", 8, 1024, 256, 14, 1),
    Shape("conv1x1_s2_b8_c256to512_56", 8, 256, 512, 56, 1, 2),
    Shape("conv3x3_s2_b8_c128_56", 8, 128, 128, 56, 3, 2),
    Shape("stem7x7_s2_b8_c3to64_224", 8, 3, 64, 224, 7, 2),
    Shape("depthwise3x3_b1_c32_112", 1, 32, 32, 112, 3, groups=32),
    Shape("depthwise3x3_b1_c96_s2_112", 1, 96, 96, 112, 3, 2, groups=96),
    Shape("depthwise3x3_b1_c512_14", 1, 512, 512, 14, 3, groups=512),
    Shape("depthwise3x3_b8_c144_56", 8, 144, 144, 56, 3, groups=144),
    Shape("grouped3x3_b8_c128_g32_56", 8, 128, 128, 56, 3, groups=32),
    Shape("grouped3x3_b8_c256_g4_28", 8, 256, 256, 28, 3, groups=4),
    Shape("nhwc3x3_b8_c64_56", 8, 64, 64, 56, 3, nhwc=True),
    Shape("nhwc1x1_b8_c64to256_56", 8, 64, 256, 56, 1, nhwc=True),
    Shape("nhwc3x3_b8_c512_7", 8, 512, 512, 7, 3, nhwc=True),
    Shape("nhwc3x3_b1_c256_14", 1, 256, 256, 14, 3, nhwc=True),
    Shape("nhwc3x3_s2_b8_c128_56", 8, 128, 128, 56, 3, 2, nhwc=True),
    Shape("nhwc_stem7x7_s2_b8_c3to64_224", 8, 3, 64, 224, 7, 2, nhwc=True),
    Shape("nhwc_depthwise3x3_b1_c32_112", 1, 32, 32, 112, 3, groups=32, nhwc=True),
    Shape("nhwc_depthwise3x3_b1_c96_s2_112", 1, 96, 96, 112, 3, 2, groups=96, nhwc=True),
    Shape("nhwc_depthwise3x3_b1_c512_14", 1, 512, 512, 14, 3, groups=512, nhwc=True),
    Shape("nhwc_depthwise3x3_b8_c144_56", 8, 144, 144, 56, 3, groups=144, nhwc=True),
    Shape("bf16_conv3x3_b8_c64_56", 8, 64, 64, 56, 3, kind="bf16"),
    Shape("bf16_nhwc3x3_b8_c64_56", 8, 64, 64, 56, 3, nhwc=True, kind="bf16"),
    Shape("grad_lhs_3x3_b8_c64_28", 8, 64, 64, 28, 3, gradient="lhs"),
    Shape("grad_rhs_3x3_b8_c64_28", 8, 64, 64, 28, 3, gradient="rhs"),
    Shape("grad_lhs_3x3_s2_b8_c64_28", 8, 64, 64, 28, 3, 2, gradient="lhs"),
    Shape("grad_lhs_3x3_s2_b8_c64to128_56", 8, 64, 128, 56, 3, 2, gradient="lhs"),
    Shape("grad_lhs_1x1_s2_b8_c256to512_28", 8, 256, 512, 28, 1, 2, gradient="lhs"),
    Shape("grad_lhs_3x3_b8_c256_14", 8, 256, 256, 14, 3, gradient="lhs"),
    Shape("grad_rhs_3x3_b8_c256_14", 8, 256, 256, 14, 3, gradient="rhs"),
    Shape("grad_rhs_3x3_s2_b8_c64_28", 8, 64, 64, 28, 3, 2, gradient="rhs"),
)


SWEEP = (
    Shape("conv3x3_b1_c64_56", 1, 64, 64, 56, 3),
    Shape("conv3x3_b1_c128_28", 1, 128, 128, 28, 3),
    Shape("conv3x3_b1_c64_53", 1, 64, 64, 53, 3),
    Shape("conv3x3_b8_c61to127_29", 8, 61, 127, 29, 3),
    Shape("conv3x3_b1_c16to32_112", 1, 16, 32, 112, 3),
    Shape("conv5x5_b1_c32to64_47", 1, 32, 64, 47, 5),
    Shape("conv7x7_b1_c32_31", 1, 32, 32, 31, 7),
    Shape("conv1x1_b1_c64to256_56", 1, 64, 256, 56, 1),
    Shape("conv1x1_b1_c256to64_53", 1, 256, 64, 53, 1),
    Shape("conv1x1_b1_c2048to512_7", 1, 2048, 512, 7, 1),
    Shape("conv3x3_s2_b1_c64to128_56", 1, 64, 128, 56, 3, 2),
    Shape("conv3x3_s2_b8_c32to64_61", 8, 32, 64, 61, 3, 2),
    Shape("conv3x3_d2_b1_c64_56", 1, 64, 64, 56, 3, dilation=2),
    Shape("conv3x3_d2_b8_c128_28", 8, 128, 128, 28, 3, dilation=2),
    Shape("grouped3x3_b1_c128_g4_28", 1, 128, 128, 28, 3, groups=4),
    Shape("grouped3x3_s2_b8_c256_g32_56", 8, 256, 256, 56, 3, 2, 32),
    Shape("depthwise5x5_b1_c96_56", 1, 96, 96, 56, 5, groups=96),
    Shape("depthwise7x7_b8_c96_28", 8, 96, 96, 28, 7, groups=96),
    Shape("nhwc3x3_b1_c64_56", 1, 64, 64, 56, 3, nhwc=True),
    Shape("nhwc3x3_b8_c128_28", 8, 128, 128, 28, 3, nhwc=True),
    Shape("nhwc3x3_b8_c256_14", 8, 256, 256, 14, 3, nhwc=True),
    Shape("nhwc3x3_b1_c61to127_29", 1, 61, 127, 29, 3, nhwc=True),
    Shape("nhwc3x3_b1_c512_7", 1, 512, 512, 7, 3, nhwc=True),
    Shape("nhwc5x5_b1_c32to64_47", 1, 32, 64, 47, 5, nhwc=True),
    Shape("nhwc7x7_b1_c32_31", 1, 32, 32, 31, 7, nhwc=True),
    Shape("nhwc1x1_b1_c64to256_56", 1, 64, 256, 56, 1, nhwc=True),
    Shape("nhwc1x1_b8_c256to64_56", 8, 256, 64, 56, 1, nhwc=True),
    Shape("nhwc1x1_b8_c1024to256_14", 8, 1024, 256, 14, 1, nhwc=True),
    Shape("nhwc1x1_s2_b8_c256to512_56", 8, 256, 512, 56, 1, 2, nhwc=True),
    Shape("nhwc3x3_s2_b8_c256to512_14", 8, 256, 512, 14, 3, 2, nhwc=True),
    Shape("nhwc3x3_s2_b1_c64to128_56", 1, 64, 128, 56, 3, 2, nhwc=True),
    Shape("nhwc3x3_d2_b8_c64_56", 8, 64, 64, 56, 3, nhwc=True, dilation=2),
    Shape("nhwc_grouped3x3_b8_c256_g4_28", 8, 256, 256, 28, 3, groups=4, nhwc=True),
    Shape("nhwc_grouped3x3_b8_c128_g32_56", 8, 128, 128, 56, 3, groups=32, nhwc=True),
    Shape("nhwc_depthwise5x5_b1_c96_56", 1, 96, 96, 56, 5, groups=96, nhwc=True),
    Shape("nhwc_depthwise7x7_b8_c96_28", 8, 96, 96, 28, 7, groups=96, nhwc=True),
    Shape("bf16_conv1x1_b8_c64to256_56", 8, 64, 256, 56, 1, kind="bf16"),
    Shape("bf16_nhwc1x1_b8_c256to64_28", 8, 256, 64, 28, 1, nhwc=True, kind="bf16"),
    Shape("bf16_conv3x3_s2_b1_c64_56", 1, 64, 64, 56, 3, 2, kind="bf16"),
    Shape("line3_b8_c256_512", 8, 256, 256, 512, 3, dims=1),
    Shape("line9_b1_c64_4001", 1, 64, 64, 4001, 9, dims=1),
    Shape("line4_s4_b1_c128_4096", 1, 128, 128, 4096, 4, 4, dims=1),
    Shape("nwc_line3_b8_c256_512", 8, 256, 256, 512, 3, nhwc=True, dims=1),
    Shape("space3_b1_c32_28", 1, 32, 32, 28, 3, dims=3),
    Shape("space3_b2_c64_s2_14", 2, 64, 64, 14, 3, 2, dims=3),
    Shape("ndhwc_space3_b1_c32_28", 1, 32, 32, 28, 3, nhwc=True, dims=3),
    Shape("grad_lhs_3x3_b1_c128_28", 1, 128, 128, 28, 3, gradient="lhs"),
    Shape("grad_rhs_3x3_b1_c128_28", 1, 128, 128, 28, 3, gradient="rhs"),
    Shape("grad_lhs_5x5_b8_c32_27", 8, 32, 32, 27, 5, gradient="lhs"),
    Shape("grad_rhs_1x1_b8_c256to64_28", 8, 256, 64, 28, 1, gradient="rhs"),
    Shape("stem7x7_s2_b1_c3to64_224", 1, 3, 64, 224, 7, 2),
    Shape("nhwc_stem7x7_s2_b1_c3to64_224", 1, 3, 64, 224, 7, 2, nhwc=True),
    Shape("depthwise3x3_d2_b1_c96_56", 1, 96, 96, 56, 3, groups=96, dilation=2),
    Shape("nhwc_depthwise3x3_d2_b1_c96_56", 1, 96, 96, 56, 3, groups=96, nhwc=True, dilation=2),
    Shape("nhwc_depthwise3x3_s2_b8_c144_56", 8, 144, 144, 56, 3, 2, groups=144, nhwc=True),
    Shape("nhwc_grouped3x3_b8_c256_g32_28", 8, 256, 256, 28, 3, groups=32, nhwc=True),
    Shape("nhwc_grouped3x3_s2_b8_c256_g32_56", 8, 256, 256, 56, 3, 2, groups=32, nhwc=True),
    Shape("nhwc_grouped3x3_b1_c512_g32_14", 1, 512, 512, 14, 3, groups=32, nhwc=True),
    Shape("nhwc_multiplied3x3_b1_c32to128_56", 1, 32, 128, 56, 3, groups=32, nhwc=True),
    Shape("bf16_nhwc_depthwise3x3_b8_c144_56", 8, 144, 144, 56, 3, groups=144, nhwc=True, kind="bf16"),
    Shape("bf16_conv3x3_b8_c128_28", 8, 128, 128, 28, 3, kind="bf16"),
    Shape("grad_lhs_3x3_s2_b1_c64to128_56", 1, 64, 128, 56, 3, 2, gradient="lhs"),
    Shape("grad_lhs_4x4_s2_b8_c64_28", 8, 64, 64, 28, 4, 2, gradient="lhs"),
    Shape("grad_rhs_7x7_s2_b8_c3to64_112", 8, 3, 64, 112, 7, 2, gradient="rhs"),
    Shape("grad_rhs_3x3_s2_b8_c64to128_56", 8, 64, 128, 56, 3, 2, gradient="rhs"),
)
SUITES = {"layers": SHAPES, "sweep": SWEEP, "all": (*SHAPES, *SWEEP)}


def operands(s: Shape) -> list[np.ndarray[Any, Any]]:
    """The two operands: image and weights, or the one of them and the gradient of the result."""
    rng = np.random.default_rng(7)
    element = ml_dtypes.bfloat16 if s.kind == "bf16" else np.float32

    def numbers(*shape: int, fan: int = 1) -> np.ndarray[Any, Any]:
        return (rng.standard_normal(shape) / math.sqrt(fan)).astype(element)

    image, result, window = ([n] * s.dims for n in (s.image, s.result, s.taps))
    per_group = s.channels // s.groups
    fan = per_group * s.taps**s.dims
    if s.nhwc:
        return [numbers(s.batch, *image, s.channels), numbers(*window, per_group, s.features, fan=fan)]
    x = numbers(s.batch, s.channels, *image)
    w = numbers(s.features, per_group, *window, fan=fan)
    if not s.gradient:
        return [x, w]
    y = numbers(s.batch, s.features, *result)
    return [y, w] if s.gradient == "lhs" else [x, y]


def program(s: Shape) -> str:
    """The convolution in StableHLO; gradients as JAX writes them."""
    space, results = ", ".join(map(str, range(s.dims))), (s.result,) * s.dims
    numbers = f"[b, f, {space}]x[o, i, {space}]->[b, f, {space}]"
    shape: tuple[int, ...] = (s.batch, s.features, *results)
    if s.nhwc:
        numbers, shape = f"[b, {space}, f]x[{space}, i, o]->[b, {space}, f]", (s.batch, *results, s.features)
    window = f"stride = {[s.stride] * s.dims}, pad = {[[s.pad] * 2] * s.dims}, rhs_dilate = {[s.dilation] * s.dims}"
    rest = s.image + 2 * s.pad - s.taps - (s.result - 1) * s.stride
    if s.gradient == "lhs":
        numbers, shape = "[b, f, 0, 1]x[i, o, 0, 1]->[b, f, 0, 1]", (s.batch, s.channels, s.image, s.image)
        low, high = s.taps - 1 - s.pad, s.taps - 1 - s.pad + rest
        window = f"pad = [[{low}, {high}], [{low}, {high}]], lhs_dilate = [{s.stride}, {s.stride}]"
        window += ", reverse = [1, 1]"
    elif s.gradient == "rhs":
        numbers, shape = "[f, b, 0, 1]x[i, o, 0, 1]->[f, b, 0, 1]", (s.features, s.channels, s.taps, s.taps)
        window = f"pad = [[{s.pad}, {s.pad - rest}], [{s.pad}, {s.pad - rest}]], rhs_dilate = [{s.stride}, {s.stride}]"
    types = [f"tensor<{'x'.join(map(str, a.shape))}x{s.kind}>" for a in operands(s)]
    result = f"tensor<{'x'.join(map(str, shape))}x{s.kind}>"
    return f"""func.func @main(%a: {types[0]}, %b: {types[1]}) -> {result} {{
  %0 = stablehlo.convolution(%a, %b) dim_numbers = {numbers}, window = {{{window}}}
    {{batch_group_count = 1 : i64, feature_group_count = {s.groups} : i64}} : ({", ".join(types)}) -> {result}
  return %0 : {result}
}}"""


def torch_runner(w: peers.Workload) -> Callable[[], Any]:
    """Eager torch, on all cores."""
    import torch

    s: Shape = w["shape"]
    torch.set_num_threads(int(os.environ.get("STEPWELL_NUM_THREADS", os.cpu_count() or 1)))

    def tensor(a: np.ndarray[Any, Any]) -> torch.Tensor:
        return torch.from_numpy(a.astype(np.float32)).to(torch.bfloat16 if s.kind == "bf16" else torch.float32)

    a, b = (tensor(x) for x in operands(s))
    convolve = getattr(torch.nn.functional, f"conv{s.dims}d")
    if s.nhwc:
        layout = {2: torch.channels_last, 3: torch.channels_last_3d}.get(s.dims, torch.contiguous_format)
        a, b = a.movedim(-1, 1), b.movedim((-1, -2), (0, 1)).contiguous(memory_format=layout)
    if s.gradient:
        mask = [s.gradient == "lhs", s.gradient == "rhs", False]
        image = torch.empty(s.batch, s.channels, s.image, s.image) if mask[0] else a
        y, x, k = (a, image, b) if mask[0] else (b, image, torch.empty(s.features, s.channels, s.taps, s.taps))

        def gradient() -> Any:
            backward = torch.ops.aten.convolution_backward
            settings = [s.stride] * 2, [s.pad] * 2, [1, 1], False, [0, 0], s.groups, mask
            return backward(y, x, k, None, *settings)[mask.index(True)]

        return gradient

    def forward() -> Any:
        with torch.no_grad():
            r = convolve(a, b, None, s.stride, s.pad, s.dilation, s.groups)
        return r.movedim(1, -1) if s.nhwc else r

    return forward


def stepwell_runner(w: peers.Workload, winograd: int = 0) -> Callable[[], Any]:
    """Stepwell, from its cache when it can; with Winograd's convolutions where they are allowed and quicker."""
    import stepwell

    exe, args = stepwell.compile(program(w["shape"]), winograd=winograd), operands(w["shape"])
    return lambda: exe(*args)


RUNNERS = {
    "torch": torch_runner,
    "stepwell": stepwell_runner,
    "winograd2": partial(stepwell_runner, winograd=2),
    "winograd4": partial(stepwell_runner, winograd=4),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=SUITES, default="layers")
    parser.add_argument("--only", default="", metavar="RE", help="shapes whose name matches")
    parser.add_argument("--peers", default="torch,stepwell")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--one-thread", action="store_true", help="CPU time of one thread")
    arguments = parser.parse_args()
    if arguments.worker:
        clock = time.thread_time if os.environ.get("STEPWELL_NUM_THREADS") == "1" else time.perf_counter
        peers.worker(arguments.worker, RUNNERS, {s.name: {"shape": s} for s in SUITES["all"]}, clock)
        return
    if arguments.one_thread:
        os.environ["STEPWELL_NUM_THREADS"] = "1"
    workers = peers.Peers(arguments.peers.split(","), __file__)
    for s in SUITES[arguments.suite]:
        if re.search(arguments.only, s.name):
            print(line(workers, s, arguments.rounds), flush=True)
    workers.close()


def line(workers: peers.Peers, s: Shape, rounds: int) -> str:
    """One shape's figures as text."""
    with tempfile.TemporaryDirectory() as folder:
        row = {p: workers.ask(p, s.name, folder) for p in workers}
        if all("warm" in r for r in row.values()) and len(row) == 2:
            mismatch = peers.wrong(folder, "stepwell", "torch", rtol=2e-2 if s.kind == "bf16" else 2e-3)
            if mismatch:
                row["stepwell"] = {"error": "WRONG: " + mismatch}
    if not rounds:
        return f"{s.name:32s} " + ", ".join(f"{p} {r.get('error', 'ready')}" for p, r in row.items())
    row = peers.timed(workers, s.name, row, rounds)
    ratio = peers.ratio_to_best(row)
    ours = row.get("stepwell", {}).get("ms")
    rate = f"  {s.flops / ours / 1e6:.0f} GFLOP/s" if ours else ""
    return peers.render(f"{s.name:32s}", row, ratio) + rate


if __name__ == "__main__":
    main()
