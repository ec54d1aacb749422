"""Values of expand-linear-algebra and of the LAPACK expansions: reconstruction, orthogonality and NumPy's factors.

The expanded program runs in the interpreter on step 1; a few run natively.
"""

from __future__ import annotations

import numpy as np
import pytest

import stepwell
from stepwell.dialects.registry import context
from stepwell.ir.pass_manager import build_pipeline
from stepwell.passes.registry import PASSES, get_pass

ELEMENTS = {
    "float32": "f32",
    "float64": "f64",
    "complex64": "complex<f32>",
    "complex128": "complex<f64>",
    "int32": "i32",
}
LETTERS = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}
PIPELINE = "builtin.module(expand-custom-calls,expand-linear-algebra)"
EDGES = [1, 7, 48, 49, 65]
"""One column, a prime, the last size of one block, the first of two, the first of three."""


def text_of(dtype: str, shape: tuple[int, ...]) -> str:
    return f"tensor<{''.join(f'{d}x' for d in shape)}{ELEMENTS[dtype]}>"


def type_of(array: np.ndarray) -> str:
    return text_of(array.dtype.name, array.shape)


def run(op: str, arguments: list[np.ndarray], results: list[str], target: str = "interpreter"):
    """The results of one op, expanded."""
    names = ", ".join(f"%{i}" for i in range(len(arguments)))
    types = ", ".join(type_of(a) for a in arguments)
    signature = ", ".join(f"%{i}: {type_of(a)}" for i, a in enumerate(arguments))
    returned = ", ".join(f"%r#{i}" for i in range(len(results))) if len(results) > 1 else "%r"
    count = f":{len(results)}" if len(results) > 1 else ""
    text = f"""func.func @main({signature}) -> ({", ".join(results)}) {{
      %r{count} = {op.format(names)} : ({types}) -> ({", ".join(results)})
      return {returned} : {", ".join(results)}
    }}"""
    module = stepwell.parse(text)
    if target == "interpreter":
        build_pipeline(PIPELINE, get_pass, tuple(PASSES)).run(context(), module)
    return stepwell.compile(module, target=target)(*arguments)


def lapack(routine: str, arguments: list[np.ndarray], results: list[str], target: str = "interpreter", **config: str):
    attributes = ", ".join(f"{k} = {ord(v)} : ui8" for k, v in config.items())
    name = f"lapack_{LETTERS[arguments[0].dtype.name]}{routine}_ffi"
    op = f"stablehlo.custom_call @{name}({{}}) {{{{mhlo.backend_config = {{{{{attributes}}}}}}}}}"
    return run(op, arguments, results, target)


def normal(*shape: int, dtype: str = "float64", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, *shape])
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype.startswith("complex") else x).astype(dtype)


def adjoint(x: np.ndarray) -> np.ndarray:
    return np.conj(np.swapaxes(x, -1, -2))


def positive(*shape: int, dtype: str = "float64") -> np.ndarray:
    g = normal(*shape, dtype=dtype)
    return g @ adjoint(g) + shape[-1] * np.eye(shape[-1], dtype=dtype)


def close(got: np.ndarray, want: np.ndarray, size: int = 1) -> None:
    limit = 8 * max(size, 1) * np.finfo(got.dtype).eps
    assert got.shape == want.shape
    assert np.abs(got - want).max(initial=0) <= limit * max(1, np.abs(want).max(initial=0))


# Cholesky.


def cholesky(a: np.ndarray, lower: bool = True, target: str = "interpreter") -> np.ndarray:
    op = f'"stablehlo.cholesky"({{}}) {{{{lower = {str(lower).lower()}}}}}'
    return run(op, [a], [type_of(a)], target)[0]


@pytest.mark.parametrize("n", EDGES)
def test_cholesky_factors_of_every_size_are_numpys(n):
    a = positive(n, n)
    close(cholesky(a), np.linalg.cholesky(a), n)


@pytest.mark.parametrize("dtype", ELEMENTS)
@pytest.mark.parametrize("lower", [True, False])
def test_cholesky_reads_one_triangle_and_the_real_diagonal_only(dtype, lower):
    if dtype == "int32":
        return
    a = positive(2, 5, 5, dtype=dtype)
    want = np.linalg.cholesky(a)
    unread = np.triu(np.ones((5, 5), bool), 1)
    given = np.where(unread if lower else unread.T, np.nan, a)
    if dtype.startswith("complex"):
        given = given + 1j * np.eye(5, dtype=dtype)
    close(cholesky(given.astype(dtype), lower), want if lower else adjoint(want), 5)


def test_a_matrix_that_is_not_positive_definite_has_a_factor_of_nan_and_leaves_the_others_alone():
    a = np.stack([positive(3, 3), np.diag([1.0, -1, 1]), np.diag([1.0, 1, 0]), np.diag([1, np.nan, 1]), positive(3, 3)])
    got = cholesky(a)
    for i in (1, 2, 3):
        assert np.isnan(got[i][np.tril_indices(3)]).all()
        assert (np.triu(got[i], 1) == 0).all()
    for i in (0, 4):
        close(got[i], np.linalg.cholesky(a[i]), 3)


@pytest.mark.parametrize("n", [5, 50])
def test_potrf_says_which_column_failed_and_keeps_the_other_triangle(n):
    a = np.stack([positive(n, n), positive(n, n)])
    a[1, n - 2, n - 2] = -1
    factor, info = lapack("potrf", [a], [type_of(a), "tensor<2xi32>"], uplo="U")
    assert info.tolist() == [0, n - 1]
    assert (np.tril(factor, -1) == np.tril(a, -1)).all()
    close(np.triu(factor[0]), adjoint(np.linalg.cholesky(a[0])), n)


# Triangular solves.


def solve(a, b, left=True, lower=True, unit=False, transpose="NO_TRANSPOSE", target="interpreter"):
    flags = f"left_side = {left}, lower = {lower}, unit_diagonal = {unit}".lower()
    op = f'"stablehlo.triangular_solve"({{}}) <{{{{{flags}, transpose_a = #stablehlo<transpose {transpose}>}}}}>'
    return run(op, [a, b], [type_of(b)], target)[0]


@pytest.mark.parametrize("transpose", ["NO_TRANSPOSE", "TRANSPOSE", "ADJOINT"])
@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_a_triangular_solve_reads_its_triangle_only(left, lower, unit, transpose):
    a = normal(2, 5, 5, dtype="complex64") / 5 + np.eye(5, dtype="complex64")
    b = normal(2, 5, 3, dtype="complex64") if left else normal(2, 3, 5, dtype="complex64")
    read = np.tril(np.ones((5, 5), bool), -1 if unit else 0)
    read = read if lower else read.T
    x = solve(np.where(read, a, np.nan + 0j).astype("complex64"), b, left, lower, unit, transpose)
    op = np.where(read, a, np.eye(5) if unit else 0)
    op = {"NO_TRANSPOSE": op, "TRANSPOSE": np.swapaxes(op, -1, -2), "ADJOINT": adjoint(op)}[transpose]
    close((op @ x if left else x @ op).astype("complex64"), b, 5)


@pytest.mark.parametrize("n", EDGES)
def test_triangular_solves_of_every_size_are_solutions(n):
    a, b = normal(n, n) + n * np.eye(n), normal(n, 3)
    close(np.tril(a) @ solve(a, b) / n, b / n, 1)
    close(np.triu(a) @ solve(a, b, lower=False) / n, b / n, 1)


def test_what_is_not_finite_reaches_no_row_before_it():
    a, b = np.eye(50) * 2, np.ones((50, 2))
    b[39, 0] = np.inf
    x = solve(a, b)
    assert np.isinf(x[39, 0])
    assert (x[:39] == 0.5).all()
    assert (x[:, 1] == 0.5).all()
    for zero, want in ((0.0, np.inf), (-0.0, -np.inf)):
        a[7, 7] = zero
        x = solve(a, b)
        assert (x[7] == want).all()
        assert (x[:7] == 0.5).all()


# LU.


@pytest.mark.parametrize(("m", "n"), [(1, 1), (3, 7), (7, 3), (49, 49), (51, 60)])
def test_lu_factors_are_those_of_the_rows_as_pivoted(m, n):
    a, k = normal(2, m, n), min(m, n)
    results = [type_of(a), f"tensor<2x{k}xi32>", "tensor<2xi32>"]
    factors, pivots, info = lapack("getrf", [a], results)
    assert info.tolist() == [0, 0]
    lower, upper = np.tril(factors[:, :, :k], -1) + np.eye(m, k), np.triu(factors[:, :k])
    assert np.abs(lower).max() <= 1
    rows = a.copy()
    for member, exchanges in zip(rows, pivots, strict=True):
        for i, p in enumerate(exchanges):
            member[[i, p - 1]] = member[[p - 1, i]]
    close(lower @ upper, rows, n)


def test_getrf_finds_the_first_zero_pivot_and_picks_complex_pivots_as_lapack():
    a = np.array([[0, 1, 2], [0, 0, 3], [0, 0, 4]], np.float64)
    factors, pivots, info = lapack("getrf", [a], [type_of(a), "tensor<3xi32>", "tensor<i32>"])
    assert info == 1
    assert np.isfinite(factors).all()
    assert pivots[0] == 1
    b = np.array([[1.2, 0], [0.8 + 0.8j, 1]], np.complex128)  # the larger by |re| + |im|, not by magnitude
    _, pivots, _ = lapack("getrf", [b], [type_of(b), "tensor<2xi32>", "tensor<i32>"])
    assert pivots.tolist() == [2, 2]


# QR.


@pytest.mark.parametrize(
    ("m", "n", "dtype"),
    [(1, 1, "float64"), (3, 7, "float64"), (7, 3, "complex64"), (3, 4, "complex64"), (50, 49, "float64")],
)
def test_qr_has_orthonormal_columns_and_lapacks_signs(m, n, dtype):
    a, k = normal(m, n, dtype=dtype), min(m, n)
    factors, scales = lapack("geqrf", [a], [type_of(a), text_of(dtype, (k,))])
    (q,) = lapack(
        "ungqr" if dtype == "complex64" else "orgqr", [factors[:, :k].copy(), scales], [text_of(dtype, (m, k))]
    )
    r = np.triu(factors[:k])
    close(q @ r, a, n)
    close(adjoint(q) @ q, np.eye(k, dtype=dtype), m)
    close(r, np.linalg.qr(a)[1], n)


@pytest.mark.parametrize("size", [1e-40, 1e-30, 1e30])
def test_norms_of_columns_neither_overflow_nor_underflow(size):
    a = (normal(4, 3) * size).astype(np.float32)
    factors, _ = lapack("geqrf", [a], [type_of(a), "tensor<3xf32>"])
    want = np.linalg.qr(a.astype(np.float64))[1]
    assert np.abs(np.triu(factors[:3]) - want).max() <= 1e-5 * size + 1e-44


# Eigenvalues and singular values.


@pytest.mark.parametrize("dtype", ["float64", "complex64"])
@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("uplo", ["L", "U"])
def test_eigenvalues_ascend_and_vectors_are_orthonormal(n, dtype, uplo):
    a = normal(2, n, n, dtype=dtype)
    a = (a + adjoint(a)) / 2
    read = np.tril(np.ones((n, n), bool))
    given = np.where(read if uplo == "L" else read.T, a, np.nan).astype(dtype)
    real = "float64" if dtype == "float64" else "float32"
    results = [type_of(a), text_of(real, (2, n)), "tensor<2xi32>"]
    routine = "syevd" if dtype == "float64" else "heevd"
    vectors, values, info = lapack(routine, [given], results, mode="V", uplo=uplo)
    assert info.tolist() == [0, 0]
    close(values, np.linalg.eigvalsh(a).astype(real), n)
    close(a @ vectors, vectors * values[:, None, :], n)
    close(adjoint(vectors) @ vectors, np.broadcast_to(np.eye(n, dtype=dtype), a.shape), n)
    alone = lapack(routine, [given], results, mode="N", uplo=uplo)[1]
    close(alone, values, n)


@pytest.mark.parametrize("size", [1e-38, 1e30])
def test_sizes_of_symmetric_matrices_are_no_matter(size):
    a = np.diag([3.0, 1, 2]).astype(np.float32)
    a[0, 1] = a[1, 0] = 1
    scaled = (a * np.float32(size)).astype(np.float32)
    _, values, _ = lapack("syevd", [scaled], ["tensor<3x3xf32>", "tensor<3xf32>", "tensor<i32>"], mode="V", uplo="L")
    assert np.allclose(values / np.float32(size), np.linalg.eigvalsh(a), rtol=1e-5)


def test_one_matrix_that_is_not_finite_spoils_no_other():
    a = np.stack([np.eye(3), np.full((3, 3), np.nan), np.diag([3.0, np.inf, 1]), np.diag([3.0, 2, 1])])
    vectors, values, info = lapack("syevd", [a], [type_of(a), "tensor<4x3xf64>", "tensor<4xi32>"], mode="V", uplo="L")
    assert info.tolist() == [0, 1, 1, 0]
    assert np.isnan(values[1:3]).all()
    assert np.isnan(vectors[1:3]).all()
    assert values[3].tolist() == [1, 2, 3]
    results = [type_of(a), "tensor<4x3xf64>", type_of(a), type_of(a), "tensor<4xi32>"]
    _, values, u, _, info = lapack("gesdd", [a], results, mode="S")
    assert info.tolist() == [0, -4, -4, 0]
    assert np.isnan(values[1:3]).all()
    assert np.isnan(u[1:3]).all()
    assert values[3].tolist() == [3, 2, 1]


@pytest.mark.parametrize("mode", ["A", "S", "N"])
@pytest.mark.parametrize("dtype", ["float64", "complex64"])
@pytest.mark.parametrize(("m", "n"), [(1, 1), (1, 4), (5, 3), (3, 6)])
def test_singular_values_descend_and_vectors_are_orthonormal(m, n, dtype, mode):
    a, k = normal(m, n, dtype=dtype), min(m, n)
    real = "float64" if dtype == "float64" else "float32"
    ends = ((m, m), (n, n)) if mode == "A" else ((m, k), (k, n))
    results = [type_of(a), text_of(real, (k,)), text_of(dtype, ends[0]), text_of(dtype, ends[1]), "tensor<i32>"]
    _, values, u, vh, info = lapack("gesdd", [a], results, mode=mode)
    assert info == 0
    close(values, np.linalg.svd(a, compute_uv=False), n)
    if mode != "N":
        close((u[:, :k] * values) @ vh[:k], a, m + n)
        close(adjoint(u) @ u, np.eye(u.shape[1], dtype=dtype), m)
        close(vh @ adjoint(vh), np.eye(vh.shape[0], dtype=dtype), n)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_matrices_without_full_rank_have_whole_bases(rank):
    a = normal(6, rank) @ normal(rank, 4)
    results = [type_of(a), "tensor<4xf64>", "tensor<6x6xf64>", "tensor<4x4xf64>", "tensor<i32>"]
    _, values, u, vh, _ = lapack("gesdd", [a], results, mode="A")
    close((u[:, :4] * values) @ vh, a, 6)
    close(u.T @ u, np.eye(6), 6)
    close(vh @ vh.T, np.eye(4), 4)
    assert (values[rank:] < 1e-14).all()


# Natively.


def test_native_factors_of_several_blocks_agree():
    a = positive(2, 70, 70).astype(np.float32)
    close(cholesky(a, target="cpu"), np.linalg.cholesky(a), 70)
    b = normal(2, 70, 9).astype(np.float32)
    x = solve(a, b, lower=False, target="cpu")
    close(np.triu(a) @ x / 70, b / 70, 1)


def test_native_eigenvalues_of_an_odd_size_agree():
    a = positive(33, 33)
    results = [type_of(a), "tensor<33xf64>", "tensor<i32>"]
    vectors, values, _ = lapack("syevd", [a], results, "cpu", mode="V", uplo="L")
    close(values, np.linalg.eigvalsh(a), 33)
    close(a @ vectors, vectors * values, 33)
