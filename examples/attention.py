"""Causal multi-head attention; `attention.mlir` is the same program as StableHLO text. Run it: `python examples/attention.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

import stepwell
import stepwell.numpy as snp

BATCH, HEADS, LENGTH, WIDTH = 2, 4, 32, 16


@stepwell.jit
def attention(q: Any, k: Any, v: Any) -> Any:
    """Each position looks at itself and those before it."""
    length, width = q.shape[-2:]
    scores = snp.einsum("bhqd,bhkd->bhqk", q, k) * width**-0.5
    mask = snp.tri(length, dtype=bool)
    weights = snp.softmax(snp.where(mask, scores, -snp.inf))
    return snp.einsum("bhqk,bhkd->bhqd", weights, v)


def arguments(seed: int = 0) -> tuple[Any, ...]:
    """Random queries, keys and values."""
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=(BATCH, HEADS, LENGTH, WIDTH)).astype(np.float32) for _ in range(3))


def main() -> None:
    """Run it, and show what the program is compiled to."""
    args = arguments()
    print(attention(*args)[0, 0, 0])
    print(attention.lower(*args).ir("kernels"))


if __name__ == "__main__":
    main()
