"""The named pipelines, as a table of contents: which passes lead to each step, in order, and why.

`STEPS[i]` holds the passes that turn step i-1 into step i; what is printed as step "kernels" is the module after its passes.
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
        ("canonicalize", "fold constants, identities and reshapes while ops are few"),
        ("cse", "JAX repeats constants and broadcasts"),
    ),
)

STRUCTURED = Step(
    "structured",
    (
        ("convert-chlo-to-stablehlo", "CHLO is sugar"),
        ("convert-stablehlo-to-linalg", "explicit iteration spaces and indexing maps"),
        ("canonicalize", "reshape pairs, constant branches, invariant loop carries"),
        ("cse", "equal fills and index generics"),
    ),
)

KERNELS = Step(
    "kernels",
    (
        ("fuse-elementwise", "producers into consumers, siblings together"),
        ("cse", "fusion leaves equal generics"),
        ("plan-kernels", "decide the groups and say why"),
        ("outline-kernels", "obey: one kernel.func a group, launched from the host"),
        ("deduplicate-kernels", "equal kernels are compiled once"),
    ),
)

SCHEDULED = Step(
    "scheduled",
    (
        ("choose-schedules", "a schedule for every kernel from the machine and the shapes"),
        ("apply-schedule", "obey: tile, pack, vectorize"),
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
    (("lower-forall-to-rt", "phases become calls of the parallel runtime, or loops when small"),),
)

STEPS = (TENSOR, STRUCTURED, KERNELS, SCHEDULED, BUFFERS, DEVICE)
"""-O1 to -O3 (their difference, so far, is LLVM's effort)."""

STEPS_O0 = (
    Step("tensor", TENSOR.passes[:3]),
    Step("structured", STRUCTURED.passes[:2]),
    Step(
        "kernels",
        (
            ("plan-kernels{fuse=false}", "one op, one kernel"),
            *KERNELS.passes[3:],
        ),
    ),
    Step(
        "scheduled",
        (
            ("choose-schedules{scalar=true}", "plain loops, for debugging and as fuzzing's baseline"),
            *SCHEDULED.passes[1:3],
        ),
    ),
    Step("buffers", BUFFERS.passes[:3]),
    DEVICE,
)
"""-O0: straight lowering, no fusion, no vectors."""


def steps(opt_level: int) -> tuple[Step, ...]:
    """The steps at an optimization level (0 to 3)."""
    return STEPS_O0 if opt_level == 0 else STEPS
