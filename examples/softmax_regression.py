"""Softmax regression trained with a gradient written by hand; `softmax_regression.mlir` is one step as StableHLO text."""

from __future__ import annotations

from typing import Any

import numpy as np

import stepwell
import stepwell.numpy as snp

EXAMPLES, FEATURES, CLASSES = 96, 20, 5


@stepwell.jit(donate_argnums=0)
def step(params: Any, x: Any, labels: Any, rate: Any) -> Any:
    """One step of gradient descent: (new parameters, loss)."""
    logits = x @ params["weight"] + params["bias"]
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - snp.log(snp.exp(shifted).sum(axis=1, keepdims=True))
    target = (labels[:, None] == snp.arange(CLASSES)).astype("float32")
    loss = -(target * log_p).sum() / EXAMPLES
    gradient = (snp.exp(log_p) - target) / EXAMPLES
    weight = params["weight"] - rate * (x.T @ gradient)
    bias = params["bias"] - rate * gradient.sum(axis=0)
    return {"weight": weight, "bias": bias}, loss


def arguments(seed: int = 0) -> tuple[Any, ...]:
    """Zero parameters, and data that a linear model can tell apart."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(EXAMPLES, FEATURES)).astype(np.float32)
    labels = (x @ rng.normal(size=(FEATURES, CLASSES))).argmax(1).astype(np.int32)
    params = {"weight": np.zeros((FEATURES, CLASSES), np.float32), "bias": np.zeros(CLASSES, np.float32)}
    return params, x, labels, np.float32(0.5)


def main() -> None:
    """Train for 200 steps."""
    params, x, labels, rate = arguments()
    for i in range(200):
        params, loss = step(params, x, labels, rate)
        if i % 50 == 0:
            print(f"step {i}: loss {float(loss):.4f}")


if __name__ == "__main__":
    main()
