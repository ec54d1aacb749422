"""Programs from a seed: `generate(seed)`."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from stepwell.fuzz.chains import Chains
from stepwell.fuzz.complex_numbers import ComplexNumbers
from stepwell.fuzz.contractions import Contractions
from stepwell.fuzz.control_flow import ControlFlow
from stepwell.fuzz.elementwise import Elementwise
from stepwell.fuzz.indexing import Indexing
from stepwell.fuzz.movement import Movement
from stepwell.fuzz.reductions import Reductions
from stepwell.fuzz.special import Special
from stepwell.fuzz.values import MAX_ELEMENTS, MAX_LARGE, Program

Maker = Callable[["Generator"], object]


class Generator(
    Elementwise, Movement, Indexing, Reductions, Contractions, Chains, ControlFlow, ComplexNumbers, Special
):
    """Grows a program op by op."""

    def step(self) -> None:
        """Append one op (or a few that belong together), or nothing when what was picked does not fit."""
        makers = MAKERS if self.depth < 2 else MAKERS[:-NESTING]
        self.rng.choices([maker for _, maker in makers], [weight for weight, _ in makers])[0](self)


MAKERS: tuple[tuple[int, Maker], ...] = (
    (8, Generator.binary),
    (5, Generator.unary),
    (3, Generator.transcendental),
    (4, Generator.integer_op),
    (2, Generator.boolean_op),
    (3, Generator.compare),
    (3, Generator.select),
    (1, Generator.clamp),
    (3, Generator.convert),
    (1, Generator.bitcast),
    (1, Generator.reduce_precision),
    (3, Generator.broadcast),
    (3, Generator.transpose),
    (3, Generator.reshape),
    (3, Generator.slice),
    (1, Generator.reverse),
    (2, Generator.concatenate),
    (2, Generator.pad),
    (2, Generator.dynamic_slice),
    (3, Generator.dynamic_update_slice),
    (2, Generator.gather),
    (2, Generator.scatter),
    (5, Generator.reduce),
    (1, Generator.argmax),
    (1, Generator.reduce_window),
    (1, Generator.cumulative),
    (1, Generator.select_and_scatter),
    (4, Generator.dot_general),
    (1, Generator.convolution),
    (1, Generator.sort),
    (1, Generator.top_k),
    (3, Generator.complex_step),
    (1, Generator.fft),
    (1, Generator.cholesky),
    (1, Generator.triangular_solve),
    (1, Generator.random_bits),
    (1, Generator.batch_norm),
    (1, Generator.map),
    (1, Generator.barrier),
    (1, Generator.tuple),
    (1, Generator.special_function),
    (1, Generator.softmax),
    (1, Generator.normalized_rows),
    (1, Generator.attention),
    (1, Generator.layer),
    (1, Generator.loop),
    (1, Generator.branch),
)
"""Weight and maker of every kind of op; those that nest blocks come last."""
NESTING = 2


def generate(seed: int, size: int | None = None) -> Program:
    """The program of a seed, of `size` steps (default: 3 to 24)."""
    rng = random.Random(seed)
    made = Generator(rng, np.random.default_rng(seed), limit=MAX_LARGE if rng.random() < 0.12 else MAX_ELEMENTS)
    for _ in range(rng.randint(3, 24) if size is None else size):
        made.step()
    if not made.scope:
        made.argument((), "f32")
    inner = [v for v in made.scope if not v.name.startswith("%a")] or made.scope
    results = [*rng.sample(inner, min(len(inner), rng.randint(0, 3))), inner[-1]]
    if rng.random() < 0.1:
        results.append(rng.choice(made.scope))
    header = ", ".join(f"{a.name}: {a.type}" for a in made.arguments)
    return Program(header, made.lines, made.inputs, results, inner)


__all__ = ["MAKERS", "Generator", "generate"]
