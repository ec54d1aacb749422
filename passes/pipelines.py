"""The named pipelines, as a table of contents: which passes lead to each step, in order, and why.

`STEPS[i]` holds the passes that turn step i-1 into step i; what is printed as step "kernels" is the module after its passes.
A machine driven by a host (a GPU) takes the road `GPU_STEPS`: the same steps by the same passes, and what is added on the way.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step of the well: its name and the passes that lead to it, each with the reason it is there."""

    name: str
    passes: tuple[tuple[str, str], ...]

    def pipeline(self) -> str:
        """The passes as `--pass-pipeline` text."""
        return f"builtin.module({','.join(spec for spec, _ in self.passes)})"


TENSOR = Step(
    "tensor",
    (
        ("prepare-entry", "mark the entry and record its signature as the user wrote it"),
        ("inline", "one function: fusion sees across calls"),
        ("symbol-dce", "drop what the entry does not reach"),
        (
            "unroll-loops",
            "few trips of pointwise ops are one map, not so many sweeps over memory: rounds of random numbers",
        ),
        ("canonicalize", "fold constants, identities and reshapes while ops are few"),
        ("cse", "JAX repeats constants and broadcasts"),
        ("raise-attention-gradient", "makes scores again, so that attention has no other readers of its weights"),
        ("raise-attention", "what has a strategy of its own is named while it can be seen whole"),
        ("raise-softmax", "so is what people know by name: explanations use it; attention's own is gone by now"),
        ("raise-norm", "layer, RMS and batch norm"),
        ("raise-convolution", "with bias and activation"),
        ("raise-activation", "gelu and silu of anything else"),
    ),
)

LEGALIZATIONS = (
    # step 1 said by fewer ops of step 1 (docs/decisions/0006-tensor-step.md); in this order.
    ("drop-distribution", "shardings, and collectives of one process"),
    ("legalize-dynamic-ops", "sizes are what the types say"),
    ("expand-custom-calls", "LAPACK's routines and users' own, for every machine"),
    ("convert-chlo-to-stablehlo", "CHLO is sugar"),
    ("flatten-tuples", "tuples become their members, tokens nothing"),
    ("legalize-quantization", "quantized numbers are integers, arithmetic on them floats and integers"),
    ("expand-linear-algebra", "factors and triangular solves are loops over blocks"),
    ("expand-fft", "transforms are contractions with small matrices"),
    ("expand-random", "generators are integer arithmetic"),
    ("decompose-batch-norm", "reductions and maps fuse with what is around them"),
    ("split-complex", "no machine has complex numbers: pairs of real ones"),
)

LOWERING = (
    *LEGALIZATIONS,
    ("convert-stablehlo-to-linalg", "explicit iteration spaces and indexing maps"),
)

STRUCTURED = Step(
    "structured",
    (
        ("inline-composites", "what no strategy claims is its parts again, and says what they are"),
        ("split-long-softmax", "rows longer than a cache are read once for their maximum and their sum"),
        *LOWERING,
        ("winograd-convolution", "fewer products, where the program allows their rounding and that is quicker"),
        ("canonicalize", "reshape pairs, constant branches, invariant loop carries"),
        ("cse", "equal fills and index generics"),
    ),
)

KERNELS = Step(
    "kernels",
    (
        ("fuse-elementwise", "producers into consumers, siblings together"),
        ("cse", "fusion leaves equal generics"),
        ("split-dilated-windows", "no products by the zeros between the numbers of an image with gaps"),
        ("merge-contraction-dims", "sums of products over few and long dims"),
        ("plan-kernels", "decide the groups and say why"),
        ("outline-kernels", "obey: one kernel.func a group, launched from the host"),
        ("deduplicate-kernels", "equal kernels are compiled once"),
    ),
)

SCHEDULED = Step(
    "scheduled",
    (
        ("choose-schedules", "a schedule for every kernel from the machine and the shapes"),
        ("critical-path", "small work whose latency counts stays on one thread"),
        ("apply-schedule", "obey: tile, pack, vectorize"),
        ("contract-products", "where the user allows it, a product and a sum round once"),
        ("expand-math", "exp and friends as polynomials"),
        ("cse", "index arithmetic repeats"),
    ),
)

BUFFERS = Step(
    "buffers",
    (
        ("bufferize", "tensors become buffers, updated in place where legal"),
        ("lower-structured-to-loops", "sort, scatter and the like as loops"),
        ("plan-memory", "temporaries share one arena by liveness"),
        ("raise-to-affine", "constant bounds and affine accesses, where provable"),
    ),
)

DEVICE = Step(
    "device",
    (
        ("lower-forall-to-rt", "phases become calls of the parallel runtime, or loops when small"),
        ("verify-critical-path", "where latency counts nothing allocates or leaves the code"),
    ),
)

STEPS = (TENSOR, STRUCTURED, KERNELS, SCHEDULED, BUFFERS, DEVICE)
"""-O1 to -O3 (their difference, so far, is LLVM's effort)."""

STEPS_O0 = (
    Step("tensor", TENSOR.passes[:3]),
    Step("structured", LOWERING),
    Step(
        "kernels",
        (
            ("plan-kernels{fuse=false}", "one op, one kernel"),
            *KERNELS.passes[-2:],
        ),
    ),
    Step(
        "scheduled",
        (
            ("choose-schedules{scalar=true}", "plain loops, for debugging and as fuzzing's baseline"),
            *SCHEDULED.passes[1:5],
        ),
    ),
    Step("buffers", BUFFERS.passes[:3]),
    DEVICE,
)
"""-O0: straight lowering, no fusion, no vectors."""


GPU_KERNELS = Step(
    "kernels",
    (*KERNELS.passes, ("place-kernels", "what has no device form stays on the host")),
)

GPU_SCHEDULED = Step(
    "scheduled",
    (("place-kernels", "a program that comes in on step 3 has places too"), *SCHEDULED.passes),
)

GPU_DEVICE = Step(
    "device",
    (
        ("gpu-outline-kernels", "phases become grids; the host launches them and copies"),
        ("lower-forall-to-rt", "kernels of the host, as on a CPU"),
    ),
)

GPU_STEPS = (TENSOR, STRUCTURED, GPU_KERNELS, GPU_SCHEDULED, BUFFERS, GPU_DEVICE)
"""-O1 to -O3 on a GPU."""

GPU_STEPS_O0 = (
    *STEPS_O0[:2],
    Step("kernels", (*STEPS_O0[2].passes, GPU_KERNELS.passes[-1])),
    Step("scheduled", (GPU_SCHEDULED.passes[0], *STEPS_O0[3].passes)),
    STEPS_O0[4],
    GPU_DEVICE,
)
"""-O0 on a GPU: no fusion, a thread an element."""

ROADS = {"cpu": (STEPS_O0, STEPS), "gpu": (GPU_STEPS_O0, GPU_STEPS)}
"""What the driver calls a machine's road -> its steps at -O0, and above."""


def steps(opt_level: int, road: str = "cpu") -> tuple[Step, ...]:
    """The steps at an optimization level (0 to 3) on a road (of `ROADS`)."""
    straight, optimized = ROADS[road]
    return straight if opt_level == 0 else optimized
