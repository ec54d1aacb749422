"""Makes tests/data/lapack: what JAX prints for linear algebra on a CPU, arguments and JAX's own results.

    <python with jax> tests/data/make_lapack_cases.py

Factors that are unique only up to a phase are multiplied out in the program, so that results compare directly.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
import numpy as np

jax.config.update("jax_enable_x64", True)
HERE = Path(__file__).parent / "lapack"
RNG = np.random.default_rng(7)
C64, C128, F32, F64 = np.complex64, np.complex128, np.float32, np.float64


def normal(*shape, dtype=F32):
    x = RNG.standard_normal(shape)
    return (x + 1j * RNG.standard_normal(shape) if np.dtype(dtype).kind == "c" else x).astype(dtype)


def positive(*shape, dtype=F32):
    g = normal(*shape, dtype=dtype)
    return (g @ np.conj(np.swapaxes(g, -1, -2)) + shape[-1] * np.eye(shape[-1])).astype(dtype)


def adjoint(x):
    return jnp.conj(jnp.swapaxes(x, -1, -2))


def eigh(a):
    values, vectors = jnp.linalg.eigh(a)
    return values, (vectors * values[..., None, :]) @ adjoint(vectors), adjoint(vectors) @ vectors


def svd(full):
    def run(a):
        u, s, vh = jnp.linalg.svd(a, full_matrices=full)
        k = s.shape[-1]
        return s, (u[..., :k] * s[..., None, :]) @ vh[..., :k, :], adjoint(u) @ u, vh @ adjoint(vh)

    return run


CASES = {
    "cho_solve": (lambda a, b: jsl.cho_solve(jsl.cho_factor(a), b), positive(4, 4, dtype=F64), normal(4, 2, dtype=F64)),
    "cholesky": (jnp.linalg.cholesky, positive(5, 5)),
    "cholesky_batched_complex": (jnp.linalg.cholesky, positive(2, 3, 3, dtype=C64)),
    "cholesky_empty": (jnp.linalg.cholesky, np.zeros((0, 0), F32)),
    "cholesky_not_positive": (jnp.linalg.cholesky, np.stack([np.eye(3), -np.eye(3)]).astype(F32)),
    "eigh": (eigh, positive(5, 5)),
    "eigh_batched_complex": (eigh, positive(2, 3, 3, dtype=C64)),
    "eigh_empty": (jnp.linalg.eigh, np.zeros((0, 0), F32)),
    "eigh_equal_values": (eigh, np.eye(4) * 3 + np.diag([0, 0, 1.0, 0])),
    "eigh_gradient": (
        jax.grad(lambda a: jnp.sum(jnp.sin(jnp.linalg.eigvalsh(a)))),
        positive(4, 4, dtype=F64),
    ),
    "eigh_one": (eigh, positive(1, 1, dtype=C64)),
    "eigvalsh": (jnp.linalg.eigvalsh, positive(6, 6, dtype=F64)),
    "householder_product": (jax.lax.linalg.householder_product, normal(5, 3, dtype=F64), normal(2, dtype=F64)),
    "inv": (jnp.linalg.inv, normal(4, 4, dtype=F64)),
    "logpdf": (
        jax.scipy.stats.multivariate_normal.logpdf,
        normal(4, 3, dtype=F64),
        normal(3, dtype=F64),
        positive(3, 3, dtype=F64),
    ),
    "lstsq": (lambda a, b: jnp.linalg.lstsq(a, b), normal(5, 3, dtype=F64), normal(5, 2, dtype=F64)),
    "lu_empty": (jax.lax.linalg.lu, np.zeros((0, 3), F32)),
    "lu_singular": (jax.lax.linalg.lu, np.array([[1, 2, 3], [2, 4, 6], [1, 1, 1]], F32)),
    "lu_tall_batched": (jax.lax.linalg.lu, normal(2, 5, 3)),
    "ormqr": (
        lambda a, t, c: jax.lax.linalg.ormqr(a, t, c, left=True, transpose=True),
        normal(5, 3, dtype=F64),
        normal(3, dtype=F64),
        normal(5, 2, dtype=F64),
    ),
    "ormqr_right_complex": (
        lambda a, t, c: jax.lax.linalg.ormqr(a, t, c, left=False, transpose=False),
        normal(4, 2, dtype=C64),
        normal(2, dtype=C64),
        normal(3, 4, dtype=C64),
    ),
    "qr": (jnp.linalg.qr, normal(5, 3)),
    "qr_complete": (lambda a: jnp.linalg.qr(a, mode="complete"), normal(5, 3, dtype=F64)),
    "qr_wide_complex": (jnp.linalg.qr, normal(2, 3, 4, dtype=C64)),
    "qr_zero_column": (jnp.linalg.qr, np.array([[0, 1], [0, 2], [0, 3]], F32)),
    "slogdet_gradient": (jax.grad(lambda a: jnp.linalg.slogdet(a)[1]), normal(4, 4, dtype=F64)),
    "solve": (jnp.linalg.solve, normal(5, 5, dtype=F64), normal(5, 2, dtype=F64)),
    "solve_triangular": (
        lambda a, b: jsl.solve_triangular(a, b, lower=True, trans=1),
        positive(5, 5, dtype=F64),
        normal(5, 2, dtype=F64),
    ),
    "solve_triangular_unit_complex": (
        lambda a, b: jsl.solve_triangular(a, b, trans="C", unit_diagonal=True),
        normal(4, 4, dtype=C64) / 4,
        normal(4, 2, dtype=C64),
    ),
    "svd_complex": (svd(True), normal(3, 4, dtype=C128)),
    "svd_full": (svd(True), normal(5, 3)),
    "svd_not_finite": (jnp.linalg.svd, np.array([[1, np.nan], [2, 3]], F32)),
    "svd_qr_algorithm": (
        lambda a: jax.lax.linalg.svd(a, compute_uv=False, algorithm=jax.lax.linalg.SvdAlgorithm.QR),
        normal(4, 3),
    ),
    "svd_rank_one": (svd(True), np.outer(np.arange(1.0, 5), np.arange(1.0, 4))),
    "svd_reduced_wide": (svd(False), normal(3, 5, dtype=F64)),
    "svd_values_complex": (lambda a: jnp.linalg.svd(a, compute_uv=False), normal(2, 4, 3, dtype=C64)),
}
REFUSED = {
    "refused_callback": (lambda x: jax.debug.print("{}", x), normal(3)),
    "refused_eig": (jnp.linalg.eig, normal(3, 3)),
    "refused_schur": (jsl.schur, normal(3, 3)),
}


def main() -> None:
    HERE.mkdir(exist_ok=True)
    arrays = {}
    for name, (function, *arguments) in {**CASES, **REFUSED}.items():
        jitted = jax.jit(function)
        (HERE / f"{name}.mlir").write_text(jitted.lower(*arguments).as_text())
        if name in REFUSED:
            continue
        results = jax.tree_util.tree_leaves(jitted(*arguments))
        for kind, values in (("in", arguments), ("out", results)):
            for i, value in enumerate(values):
                arrays[f"{name}/{kind}{i}"] = np.asarray(value)
    np.savez_compressed(HERE / "arrays.npz", **arrays)


if __name__ == "__main__":
    main()
