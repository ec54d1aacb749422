"""Array files: what is written is read again, and a damaged file is one message that names it and the array."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from stepwell.arrays import load_arrays, save_arrays
from stepwell.errors import InvalidProgramError


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def write(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_every_dtype_survives(tmp_path):
    names = ["bfloat16", "float8_e4m3fn", "int4", "uint2"]
    arrays = [np.array([1, 0, 1]).astype(np.dtype(getattr(ml_dtypes, n))) for n in names]
    arrays += [np.array(2.5, np.float16), np.zeros((0, 3), np.complex64), np.array([[True], [False]])]
    save_arrays(tmp_path / "a.npz", arrays)
    for got, want in zip(load_arrays(tmp_path / "a.npz"), arrays, strict=True):
        assert got.dtype == want.dtype
        assert got.shape == want.shape
        assert got.tobytes() == want.tobytes()


def test_a_stored_array_may_have_the_other_byte_order(tmp_path):
    want = np.array([1.5, -2], ml_dtypes.bfloat16)
    swapped = want.view(np.uint16).astype(">u2")
    np.savez(tmp_path / "a.npz", **{"0@bfloat16": swapped})
    assert load_arrays(tmp_path / "a.npz")[0].tolist() == want.tolist()


def test_numbers_order_a_plain_npz(tmp_path):
    np.savez(tmp_path / "a.npz", arr_1=np.ones(1), arr_0=np.zeros(1))
    assert [a[0] for a in load_arrays(tmp_path / "a.npz")] == [0, 1]
    np.save(tmp_path / "one.npy", np.arange(3))
    assert load_arrays(tmp_path / "one.npy")[0].tolist() == [0, 1, 2]


X = np.arange(64, dtype=np.float32)
HEADER = npy(X)[:128]


def damaged_header(text: str) -> bytes:
    data = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(data).to_bytes(2, "little") + data + bytes(256)


MEMBERS = {
    "0-d float64 under a bfloat16 key": ({"0@bfloat16.npy": npy(np.array(1.0))}, "0@bfloat16"),
    "wrong width": ({"0@bfloat16.npy": npy(np.zeros(4, np.uint8))}, "0@bfloat16"),
    "wrong kind": ({"0@bfloat16.npy": npy(np.zeros(4, np.int16))}, "0@bfloat16"),
    "not the named type": ({"0@float32.npy": npy(np.zeros(4, np.float64))}, "0@float32"),
    "no such type": ({"0@float33.npy": npy(X)}, "unknown dtype 'float33'"),
    "a class that is no type": ({"0@finfo.npy": npy(X)}, "unknown dtype 'finfo'"),
    "not an npy": ({"0.npy": npy(X), "readme.txt": b"hello"}, "readme.txt"),
    "empty npy": ({"0.npy": b""}, "'0'"),
    "truncated": ({"0.npy": npy(X)[:-5]}, "'0'"),
    "header not Python": ({"0.npy": damaged_header("{'descr': ((((")}, "'0'"),
    "header of another kind": ({"0.npy": damaged_header("[1, 2]")}, "'0'"),
    "dtype of another kind": (
        {"0.npy": damaged_header("{'descr': 'q9', 'fortran_order': False, 'shape': (3,)}")},
        "'0'",
    ),
    "beyond memory": (
        {"0.npy": damaged_header("{'descr': '<f4', 'fortran_order': False, 'shape': (100000000000000,)}")},
        "'0'",
    ),
    "negative shape": (
        {"0.npy": damaged_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-4,)}")},
        "'0'",
    ),
    "objects": ({"0.npy": npy(np.array([None, 1], object))}, "'0'"),
    "two for one position": ({"0.npy": npy(X), "0@float32.npy": npy(X)}, "two arrays for position 0"),
    "a hole": ({"0.npy": npy(X), "2.npy": npy(X)}, "positions [0, 2]"),
}


@pytest.mark.parametrize("damage", MEMBERS)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_wrong_member_is_named(tmp_path, damage, compression):
    members, text = MEMBERS[damage]
    write(tmp_path / "bad.npz", members, compression)
    with pytest.raises(InvalidProgramError) as caught:
        load_arrays(tmp_path / "bad.npz")
    message = str(caught.value)
    assert str(tmp_path / "bad.npz") in message
    assert text in message
    assert "\n" not in message


def test_any_damage_to_a_file_is_one_message(tmp_path):
    """Each byte in turn changed, and the file cut anywhere: the arrays, or one refusal that names the file."""
    write(tmp_path / "ok.npz", {"0.npy": npy(X), "1@bfloat16.npy": npy(X.astype(np.uint16))}, zipfile.ZIP_DEFLATED)
    good = (tmp_path / "ok.npz").read_bytes()
    path = tmp_path / "bad.npz"
    messages: list[str] = []
    for i in range(len(good)):
        for data in (good[:i], good[:i] + bytes([good[i] ^ 0x55]) + good[i + 1 :]):
            path.write_bytes(data)
            try:
                load_arrays(path)
            except InvalidProgramError as error:
                messages.append(str(error))
    assert len(messages) > len(good)
    assert all(str(path) in message for message in messages)


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "none" / "x.npz", Path("/dev/full")):
        with pytest.raises(InvalidProgramError, match="cannot write"):
            save_arrays(path, [X])
