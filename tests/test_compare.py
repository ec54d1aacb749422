"""Comparison and array files of the command line."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from stepwell.arrays import load_arrays, save_arrays
from stepwell.compare import TOLERANCES, Tolerance, first_difference, tolerance_for
from stepwell.errors import InvalidProgramError


def test_first_difference_names_the_index_and_both_values():
    want = np.zeros((2, 3), np.float32)
    got = want.copy()
    got[1, 2] = 5
    message = first_difference(got, want)
    assert message is not None
    assert "index [1, 2]: got 5.0, expected 0.0 (1 of 6" in message


def test_nan_equals_nan_and_differs_from_numbers():
    nan, one = np.array([np.nan], np.float32), np.array([1], np.float32)
    assert first_difference(nan, nan) is None
    assert first_difference(nan, nan, Tolerance()) is None
    assert first_difference(nan, one) is not None
    assert first_difference(one, nan, Tolerance()) is not None


def test_shape_and_dtype_are_compared_first():
    assert first_difference(np.zeros(2, np.int32), np.zeros(3, np.int32)) == "shape [2], expected [3]"
    assert first_difference(np.zeros(2, np.int32), np.zeros(2, np.int64)) == "dtype int32, expected int64"


def test_a_result_that_passed_through_a_narrow_type_has_its_tolerance():
    f32, bf16, i32 = np.dtype(np.float32), np.dtype(ml_dtypes.bfloat16), np.dtype(np.int32)
    assert tolerance_for(f32, [f32, i32]) == TOLERANCES["float32"]
    assert tolerance_for(f32, [f32, bf16]) == TOLERANCES["bfloat16"]
    assert tolerance_for(i32, [bf16]) == Tolerance()


def test_small_floats_survive_the_file(tmp_path):
    arrays = [
        np.array([1.5, -2], ml_dtypes.bfloat16),
        np.array(3, np.uint32),
        np.zeros((0, 4), np.float16),
        np.array([True]),
    ]
    save_arrays(tmp_path / "a.npz", arrays)
    for a, b in zip(load_arrays(tmp_path / "a.npz"), arrays, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert (a == b).all()


def test_plain_npz_and_npy_are_read(tmp_path):
    np.savez(tmp_path / "p.npz", np.arange(3), np.ones(2))
    np.savez(tmp_path / "named.npz", x=np.arange(3), y=np.ones(2))
    np.save(tmp_path / "p.npy", np.arange(4))
    assert [a.size for a in load_arrays(tmp_path / "p.npz")] == [3, 2]
    assert [a.size for a in load_arrays(tmp_path / "named.npz")] == [3, 2]
    assert load_arrays(tmp_path / "p.npy")[0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04garbage", b"hello", b"\x93NUMPY\x01\x00"])
def test_unreadable_files_are_diagnosed(tmp_path, content):
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(InvalidProgramError, match="not a readable npz"):
        load_arrays(path)


def test_missing_positions_are_diagnosed(tmp_path):
    np.savez(tmp_path / "gap.npz", **{"0@int64": np.arange(2), "2@int64": np.arange(2)})
    with pytest.raises(InvalidProgramError, match=r"positions \[0, 2\]"):
        load_arrays(tmp_path / "gap.npz")
