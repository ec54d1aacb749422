"""Factors of matrices: time to compile, time of a run beside NumPy's LAPACK, and errors in units of eps * n.

    python benchmarks/linear_algebra.py [--sizes 64,256] [--dtype float32] [--only svd]

Errors are of reconstruction (relative to the largest element) and of orthogonality, each as LAPACK's own tests count them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import stepwell
import stepwell.numpy as snp

Arrays = tuple[np.ndarray[Any, Any], ...]


def _adjoint(x: Any) -> Any:
    return np.conj(x.T)


def _identity(q: Any) -> Any:
    return _adjoint(q) @ q - np.eye(q.shape[1])


CASES: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[[Any, Any], list[Any]]]] = {
    # name: (ours, NumPy's, what should be zero of a matrix and our results)
    "cholesky": (snp.linalg.cholesky, np.linalg.cholesky, lambda a, f: [f @ _adjoint(f) - a]),
    "solve": (
        lambda a: snp.linalg.solve(a, a[:, :8]),
        lambda a: np.linalg.solve(a, a[:, :8]),
        lambda a, x: [x - np.eye(len(a), 8)],
    ),
    "inv": (snp.linalg.inv, np.linalg.inv, lambda a, x: [a @ x - np.eye(len(a))]),
    "qr": (snp.linalg.qr, np.linalg.qr, lambda a, r: [r.Q @ r.R - a, _identity(r.Q)]),
    "eigh": (
        snp.linalg.eigh,
        np.linalg.eigh,
        lambda a, r: [a @ r.eigenvectors - r.eigenvectors * r.eigenvalues, _identity(r.eigenvectors)],
    ),
    "svd": (
        snp.linalg.svd,
        np.linalg.svd,
        lambda a, r: [(r.U * r.S) @ r.Vh - a, _identity(r.U), _identity(_adjoint(r.Vh))],
    ),
    "svdvals": (snp.linalg.svdvals, np.linalg.svdvals, lambda a, s: [s - np.linalg.svdvals(a)]),
}


def _best(function: Callable[[], Any], seconds: float = 0.5) -> float:
    best, end = float("inf"), time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        function()
        now = time.perf_counter()
        best = min(best, now - start)
        if now > end:
            return best


def _measure(name: str, n: int, dtype: str) -> str:
    ours, theirs, zeros = CASES[name]
    rng = np.random.default_rng(n)
    a = rng.standard_normal((n, n))
    a = (a @ a.T / n + np.eye(n)).astype(dtype)
    start = time.perf_counter()
    executable = stepwell.jit(ours).lower(a).compile()
    compiled = time.perf_counter() - start
    jitted = stepwell.jit(ours)
    result = stepwell.tree_map(lambda x: np.asarray(x).astype(np.float64), jitted(a))
    wide = a.astype(np.float64)
    unit = np.finfo(dtype).eps * n * max(1.0, np.abs(wide).max())
    errors = ", ".join(f"{np.abs(z).max() / unit:.2f}" for z in zeros(wide, result))
    run, other = _best(lambda: executable(a)), _best(lambda: theirs(a))
    return f"{name:9s} {n:4d} {compiled:8.2f} s {run * 1e3:9.2f} ms {other * 1e3:9.2f} ms   {errors}"


def main() -> None:
    """Print a line per case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="64,256", help="rows of the square matrices (default: 64,256)")
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--only", choices=CASES, help="one case")
    arguments = parser.parse_args()
    print("                  compile       run     NumPy runs   errors / (eps n)")
    for name in CASES if arguments.only is None else [arguments.only]:
        for n in map(int, arguments.sizes.split(",")):
            print(_measure(name, n, arguments.dtype), flush=True)


if __name__ == "__main__":
    main()
