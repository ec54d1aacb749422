"""`stepwell.numpy.fft` against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell
import stepwell.numpy as snp
from stepwell.frontends.errors import TracingError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4, 6)).astype(np.float32)
Z = (X + 1j * RNG.standard_normal((3, 4, 6))).astype(np.complex64)
W = RNG.standard_normal((2, 3, 2, 4)).astype(np.float32)

CALLS = [
    *(
        (name, "x", (), {"norm": norm})
        for norm in (None, "ortho", "forward")
        for name in ("fft", "ifft", "rfft", "ihfft")
    ),
    *((name, "z", (), {"norm": norm}) for norm in ("ortho", "forward") for name in ("irfft", "hfft", "irfftn")),
    ("fft", "x", (9, 1), {}),
    ("fft", "x", (3,), {}),
    ("rfft", "x", (5, 0), {}),
    ("irfft", "z", (7,), {}),
    ("irfft", "z", (3,), {"axis": 1}),
    ("hfft", "z", (7,), {}),
    ("fft2", "x", (), {}),
    ("ifft2", "z", (), {}),
    ("rfft2", "x", (), {}),
    ("irfft2", "z", (), {}),
    ("fftn", "w", (), {}),
    ("rfftn", "w", (), {}),
    ("ifftn", "w", (), {"axes": (0, 2)}),
    ("fftn", "x", (), {"s": (5, 3), "axes": (2, 0)}),
    ("irfftn", "w", (), {}),
    ("fftshift", "x", (), {}),
    ("fftshift", "x", (), {"axes": (0, 2)}),
    ("ifftshift", "x", (), {"axes": 1}),
]


@pytest.fixture(scope="module")
def results():
    """All calls in one program, interpreted: what an op computes natively is `tests/passes/test_expand_fft.py`'s."""
    program = stepwell.jit(
        lambda x, z, w: [
            getattr(snp.fft, name)({"x": x, "z": z, "w": w}[which], *args, **options)
            for name, which, args, options in CALLS
        ],
        target="interpreter",
    )
    return program(X, Z, W)


@pytest.mark.parametrize("index", range(len(CALLS)), ids=[f"{c[0]}{c[2]}{c[3]}" for c in CALLS])
@pytest.mark.every(3)
def test_transforms_are_numpys(index, results):
    name, which, args, options = CALLS[index]
    with np.errstate(all="ignore"):
        wanted = getattr(np.fft, name)({"x": X, "z": Z, "w": W}[which], *args, **options)
    got = results[index].numpy()
    assert got.shape == wanted.shape
    assert got.dtype == (np.complex64 if wanted.dtype.kind == "c" else np.float32)
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def test_double_precision_stays_double():
    x = RNG.standard_normal(12)
    got = np.asarray(snp.fft.fft(x))
    assert got.dtype == np.complex128
    np.testing.assert_allclose(got, np.fft.fft(x), rtol=1e-13, atol=1e-13)


def test_frequencies_are_numpys():
    np.testing.assert_allclose(np.asarray(snp.fft.fftfreq(7, 0.5)), np.fft.fftfreq(7, 0.5), rtol=1e-6)
    np.testing.assert_allclose(np.asarray(snp.fft.rfftfreq(8)), np.fft.rfftfreq(8))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: snp.fft.fft(X, norm="x"), "no norm 'x'"),
        (lambda: snp.fft.hfft(X, norm="x"), "no norm 'x'"),
        (lambda: snp.fft.rfft(Z), "real transform of complex numbers"),
        (lambda: snp.fft.rfftn(Z), "real transform of complex numbers"),
        (lambda: snp.fft.fft(X, 0), "0 points"),
        (lambda: snp.fft.fft(X, axis=5), "out of bounds"),
        (lambda: snp.fft.fftn(X, s=(2, 3), axes=(0,)), "2 lengths for 1 axes"),
        (lambda: snp.fft.fftn(np.float32(1)), "no axes"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(TracingError, match=message):
        call()
