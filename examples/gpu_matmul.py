"""A layer on a GPU, without one: `python examples/gpu_matmul.py` simulates it, checks it, and shows its kernel down to PTX.

With a GPU and `pip install 'stepwell[cuda]'`, `python examples/gpu_matmul.py cuda` runs it there.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import ml_dtypes
import numpy as np

import stepwell
import stepwell.numpy as snp

GPU = "sm_90"
ROWS, INNER, COLUMNS = 64, 96, 128


def layer(x: Any, weight: Any, bias: Any) -> Any:
    """`relu(x @ weight + bias)`; in bfloat16 on a GPU, the product is one for the matrix unit."""
    return snp.maximum(x @ weight + bias, 0)


def arguments(seed: int = 0) -> tuple[np.ndarray, ...]:
    """Random inputs, weights and biases in bfloat16."""
    rng = np.random.default_rng(seed)
    shapes = [(ROWS, INNER), (INNER, COLUMNS), (COLUMNS,)]
    return tuple(rng.normal(size=shape).astype(ml_dtypes.bfloat16) for shape in shapes)


def expected(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The layer in NumPy's float64."""
    x, weight, bias = (a.astype(np.float64) for a in (x, weight, bias))
    return np.maximum(x @ weight + bias, 0)


def shown(lowered: Any) -> tuple[str, str]:
    """The schedule of the kernel, and the first matrix instruction of its PTX."""
    schedule = re.search(r"#kernel\.schedule<.*?}>", lowered.ir("scheduled"))
    instruction = re.search(r"mma\.sync\S*", lowered.asm())
    assert schedule is not None
    assert instruction is not None
    return schedule.group(), instruction.group()


def main(target: str = f"gpu-sim:{GPU}") -> None:
    """Run the layer on `target`, compare it, and show what the compiler made of it."""
    args = arguments()
    result, wanted = np.asarray(stepwell.jit(layer, target=target)(*args)), expected(*args)
    print(f"{target}: values up to {wanted.max():.1f}, largest error {np.abs(result.astype(float) - wanted).max():.3f}")
    # The code for a GPU is made without one.
    for text in shown(stepwell.jit(layer, target=f"cuda:{GPU}").lower(*args)):
        print(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
