"""`stepwell.random`: random numbers from explicit keys, with JAX's names and, where integers decide, JAX's numbers."""

from __future__ import annotations

from stepwell.frontends.random_api.distributions import (
    bernoulli,
    categorical,
    cauchy,
    exponential,
    gumbel,
    laplace,
    logistic,
    normal,
    rademacher,
    randint,
    truncated_normal,
    uniform,
)
from stepwell.frontends.random_api.keys import PRNGKey, bits, fold_in, key, split
from stepwell.frontends.random_api.selection import choice, permutation

__all__ = [
    "PRNGKey",
    "bernoulli",
    "bits",
    "categorical",
    "cauchy",
    "choice",
    "exponential",
    "fold_in",
    "gumbel",
    "key",
    "laplace",
    "logistic",
    "normal",
    "permutation",
    "rademacher",
    "randint",
    "split",
    "truncated_normal",
    "uniform",
]
