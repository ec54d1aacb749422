"""An MLP's forward pass; `mlp.mlir` is the same program as StableHLO text. Run it: `python examples/mlp.py`."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import stepwell
import stepwell.numpy as snp

SIZES = (64, 128, 128, 10)


@stepwell.jit
def forward(layers: Any, x: Any) -> Any:
    """Class probabilities of a batch."""
    *hidden, last = layers
    for layer in hidden:
        x = snp.maximum(x @ layer["weight"] + layer["bias"], 0)
    return snp.softmax(x @ last["weight"] + last["bias"])


def arguments(seed: int = 0) -> tuple[Any, ...]:
    """Random layers and a batch of 32."""
    rng = np.random.default_rng(seed)
    layers = [
        {
            "weight": rng.normal(0, m**-0.5, (m, n)).astype(np.float32),
            "bias": rng.normal(0, 0.1, n).astype(np.float32),
        }
        for m, n in itertools.pairwise(SIZES)
    ]
    return layers, rng.normal(size=(32, SIZES[0])).astype(np.float32)


def main() -> None:
    """Classify a batch, and show what the program is compiled to."""
    args = arguments()
    print(forward(*args).argmax(axis=-1))
    print(forward.lower(*args).ir("kernels"))


if __name__ == "__main__":
    main()
