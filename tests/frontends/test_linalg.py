"""`stepwell.numpy.linalg` against NumPy: factors, solutions, determinants, ranks, norms by singular values."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell
import stepwell.numpy as snp

RNG = np.random.default_rng(11)
A = RNG.standard_normal((4, 4))
T = RNG.standard_normal((2, 5, 3))
C = (RNG.standard_normal((3, 3)) + 1j * RNG.standard_normal((3, 3))).astype(np.complex128)
H = C @ C.conj().T + np.eye(3)
P = A @ A.T + np.eye(4)


def run(function, *arrays, target="interpreter"):
    """What a jitted function gives, as NumPy arrays."""
    return stepwell.tree_map(np.asarray, stepwell.jit(function, target=target)(*arrays))


def close(got, want, rtol=1e-9, atol=1e-10):
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    assert got.dtype.kind == want.dtype.kind
    np.testing.assert_allclose(got, want, rtol=rtol, atol=atol)


def adjoint(x):
    return np.conj(np.swapaxes(x, -1, -2))


@pytest.mark.parametrize("a", [P, H, np.stack([P, 2 * P])])
def test_cholesky(a):
    lower, upper = run(lambda x: (snp.linalg.cholesky(x), snp.linalg.cholesky(x, upper=True)), a)
    close(lower, np.linalg.cholesky(a))
    close(upper, adjoint(lower))


@pytest.mark.parametrize("a", [T, np.swapaxes(T, 1, 2), C, A])
def test_qr_in_every_mode(a):
    def f(x):
        return snp.linalg.qr(x), snp.linalg.qr(x, mode="complete"), snp.linalg.qr(x, mode="r")

    reduced, complete, r = run(f, a)
    want = np.linalg.qr(a)
    close(reduced.Q, want.Q)
    close(reduced.R, want.R)
    close(r, want.R)
    q, whole = complete
    assert (q.shape, whole.shape) == tuple(x.shape for x in np.linalg.qr(a, mode="complete"))
    close(q @ whole, a)
    close(adjoint(q) @ q, np.broadcast_to(np.eye(q.shape[-1], dtype=q.dtype), q.shape))


@pytest.mark.parametrize("a", [P, H])
@pytest.mark.parametrize("uplo", ["L", "U"])
def test_eigh_and_eigvalsh(a, uplo):
    half = np.tril(a) if uplo == "L" else np.triu(a)
    (values, vectors), alone = run(lambda x: (snp.linalg.eigh(x, uplo), snp.linalg.eigvalsh(x, uplo)), half)
    close(values, np.linalg.eigvalsh(a))
    close(alone, values)
    close(a @ vectors, vectors * values)
    close(adjoint(vectors) @ vectors, np.eye(len(a), dtype=a.dtype))


@pytest.mark.parametrize("a", [T, np.swapaxes(T, 1, 2), C])
def test_svd(a):
    def f(x):
        return snp.linalg.svd(x), snp.linalg.svd(x, full_matrices=False), snp.linalg.svd(x, compute_uv=False)

    full, reduced, values = run(f, a)
    want = np.linalg.svd(a)
    k = values.shape[-1]
    for made in (full, reduced):
        close(made.S, want.S)
        close((made.U[..., :k] * made.S[..., None, :]) @ made.Vh[..., :k, :], a)
    assert full.U.shape == want.U.shape
    assert full.Vh.shape == want.Vh.shape
    close(values, want.S)
    close(run(snp.linalg.svdvals, a), want.S)


def test_solve_broadcasts_as_numpy_does():
    b = RNG.standard_normal((4, 2))
    stacked = np.stack([A, A + np.eye(4)])

    def f(a, s, b):
        return (
            snp.linalg.solve(a, b[:, 0]),
            snp.linalg.solve(a, b),
            snp.linalg.solve(s, b),
            snp.linalg.solve(s, b[:, 0]),
        )

    got = run(f, A, stacked, b)
    for one, (x, y) in zip(got, [(A, b[:, 0]), (A, b), (stacked, b), (stacked, b[:, 0])], strict=True):
        close(one, np.linalg.solve(x, y))
    close(run(snp.linalg.solve, C, C[:, :2]), np.linalg.solve(C, C[:, :2]))


def test_inverses_determinants_and_powers():
    stacked = np.stack([A, P])

    def f(s, c):
        powers = [snp.linalg.matrix_power(c, n) for n in (0, 1, 5, -3)]
        return snp.linalg.inv(s), snp.linalg.det(s), snp.linalg.slogdet(s), snp.linalg.slogdet(c), powers

    inverse, det, (sign, size), (phase, complex_size), powers = run(f, stacked, C)
    close(inverse, np.linalg.inv(stacked))
    close(det, np.linalg.det(stacked))
    for got, want in zip(
        (sign, size, phase, complex_size), (*np.linalg.slogdet(stacked), *np.linalg.slogdet(C)), strict=True
    ):
        close(got, want)
    for n, power in zip((0, 1, 5, -3), powers, strict=True):
        close(power, np.linalg.matrix_power(C, n))


def test_singular_matrices_have_no_exceptions():
    singular = np.array([[1.0, 2], [2, 4]])

    def f(a, b):
        return snp.linalg.det(a), snp.linalg.slogdet(a), snp.linalg.solve(a, b), snp.linalg.cholesky(-a)

    det, (sign, size), x, factor = run(f, singular, np.ones(2))
    assert (det, sign, size) == (0, 0, -np.inf)
    assert not np.isfinite(x).all()
    assert np.isnan(factor[np.tril_indices(2)]).all()


def test_ranks_and_pseudo_inverses():
    low = np.outer(np.arange(1.0, 5), np.arange(1.0, 4))

    def f(a, s, t):
        rank = snp.linalg.matrix_rank
        ranks = rank(a), rank(s), rank(t), rank(s, hermitian=True), rank(a, tol=100.0), rank(t, rtol=0.6)
        return ranks, snp.linalg.pinv(a), snp.linalg.pinv(t), snp.linalg.pinv(t, rtol=0.6)

    ranks, p_low, p, p_cut = run(f, low, P, T)
    want = np.linalg.matrix_rank
    wanted = want(low), want(P), want(T), want(P), want(low, tol=100.0), want(T, rtol=0.6)
    for got, one in zip(ranks, wanted, strict=True):
        assert (got == one).all()
    close(p_low, np.linalg.pinv(low))
    close(p, np.linalg.pinv(T))
    close(p_cut, np.linalg.pinv(T, rtol=0.6))


@pytest.mark.parametrize(("m", "n"), [(5, 3), (3, 5), (4, 4)])
def test_lstsq(m, n):
    a, b = RNG.standard_normal((m, n)), RNG.standard_normal((m, 2))
    got, one = run(lambda a, b: (snp.linalg.lstsq(a, b), snp.linalg.lstsq(a, b[:, 0])), a, b)
    want = np.linalg.lstsq(a, b)
    close(got.x, want[0])
    close(got.residuals, want[1])
    assert got.rank == want[2]
    close(got.s, want[3])
    close(one.x, want[0][:, 0])


def test_norms_by_singular_values_and_condition_numbers():
    def f(x, t):
        orders = [snp.linalg.norm(x, o) for o in (2, -2, "nuc")]
        kept = snp.linalg.matrix_norm(t, 2, axis=(2, 0), keepdims=True)
        return orders, kept, [snp.linalg.cond(x, p) for p in (None, 2, -2, 1, "fro", np.inf)]

    orders, kept, conditions = run(f, A, T)
    for got, o in zip(orders, (2, -2, "nuc"), strict=True):
        close(got, np.linalg.norm(A, o))
    close(kept, np.linalg.norm(T, 2, axis=(2, 0), keepdims=True))
    for got, p in zip(conditions, (None, 2, -2, 1, "fro", np.inf), strict=True):
        close(got, np.linalg.cond(A, p))


def test_chains_of_products_and_inverses_of_tensors():
    chain = [RNG.standard_normal(s) for s in ((3,), (3, 50), (50, 2), (2, 7), (7,))]
    close(run(lambda *m: snp.linalg.multi_dot(m), *chain), np.linalg.multi_dot(chain))
    close(run(lambda *m: snp.linalg.multi_dot(m), *chain[1:4]), np.linalg.multi_dot(chain[1:4]))
    cube = RNG.standard_normal((4, 6, 8, 3))
    close(run(snp.linalg.tensorinv, cube), np.linalg.tensorinv(cube))


@pytest.mark.parametrize("dtype", ["float16", "float32", "int32"])
def test_types_of_results_are_those_of_the_operands(dtype):
    a = (P * 4).astype(dtype)

    def f(x):
        return (
            snp.linalg.cholesky(x),
            *snp.linalg.qr(x),
            *snp.linalg.eigh(x),
            *snp.linalg.svd(x),
            snp.linalg.inv(x),
            snp.linalg.det(x),
        )

    got = run(f, a)
    assert {x.dtype.name for x in got} == {"float32" if dtype == "int32" else dtype}
    close(got[4] * got[3], got[4] @ np.diag(got[3]), 0.01, 0.1)


def test_sizes_of_nothing():
    none = np.zeros((0, 0))

    def f(x, b):
        return snp.linalg.solve(x, b), snp.linalg.det(x), snp.linalg.inv(x), *snp.linalg.eigh(x), *snp.linalg.qr(x)

    solution, det, *rest = run(f, none, np.zeros((0, 3)))
    assert solution.shape == (0, 3)
    assert det == 1
    assert [x.shape for x in rest] == [(0, 0), (0,), (0, 0), (0, 0), (0, 0)]
    full = run(snp.linalg.svd, np.zeros((3, 0)))
    close(full.U, np.eye(3))


def test_native_code_solves_and_decomposes():
    b = RNG.standard_normal((4, 2))
    x, s = run(lambda a, b: (snp.linalg.solve(a, b), snp.linalg.svdvals(a)), A, b, target="cpu")
    close(x, np.linalg.solve(A, b))
    close(s, np.linalg.svd(A, compute_uv=False))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: snp.linalg.cholesky(T), "cholesky takes square matrices, got shape (2, 5, 3)"),
        (lambda: snp.linalg.qr(T[0, 0]), "qr takes matrices (at least two dims), got shape (3,)"),
        (lambda: snp.linalg.qr(T, mode="raw"), "qr has no mode 'raw'"),
        (lambda: snp.linalg.eigh(P, "X"), "UPLO is 'L' or 'U', not 'X'"),
        (lambda: snp.linalg.solve(A, T), "solve: shapes (4, 4) and (2, 5, 3) do not fit"),
        (lambda: snp.linalg.lstsq(T, A), "lstsq: shapes (2, 5, 3) and (4, 4) do not fit"),
        (lambda: snp.linalg.matrix_power(T, 2), "matrix_power takes square matrices"),
        (lambda: snp.linalg.matrix_rank(np.zeros((0, 2))), "matrix_rank needs rows and columns"),
        (lambda: snp.linalg.multi_dot([A]), "multi_dot needs at least two arrays"),
        (lambda: snp.linalg.multi_dot([A, T]), "multi_dot: array 1 has shape (2, 5, 3), expected a matrix"),
        (lambda: snp.linalg.multi_dot([A, T[0]]), "multi_dot: shapes (4, 4) and (5, 3) do not fit"),
        (lambda: snp.linalg.tensorinv(A, 0), "tensorinv: ind = 0 must lie in [1, 2]"),
    ],
)
def test_wrong_operands_are_errors_at_their_line(call, message):
    with pytest.raises(stepwell.TracingError) as caught:
        call()
    assert message in str(caught.value)
    assert "test_linalg.py:" in str(caught.value)
