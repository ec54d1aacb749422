"""The store of the cache: what is kept is found whole or not at all, in a bounded folder that is the user's own."""

from __future__ import annotations

import errno
import os
import struct
import threading
import time

import pytest

from stepwell.runtime import cache_store
from stepwell.runtime.cache_store import Store, packed, unpacked, why_unsafe

HEADER = {"name": "ä", "numbers": [1, 2.5, None, True]}
PIECES = (b"", b"\0", b"some bytes" * 100)


def key(number: int) -> str:
    return f"{number:064x}"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "cache", 1 << 20)


def test_what_is_kept_is_found(store):
    assert store.get("objects", key(1)) is None
    assert store.put("objects", key(1), HEADER, PIECES)
    entry = store.get("objects", key(1))
    assert (entry.header, entry.pieces) == (HEADER, PIECES)
    assert store.get("programs", key(1)) is None
    assert store.get("objects", key(2)) is None


def test_a_later_entry_replaces_an_earlier_one(store):
    store.put("objects", key(1), {}, [b"one"])
    store.put("objects", key(1), {}, [b"two"])
    assert store.get("objects", key(1)).pieces == (b"two",)
    assert store.info().kinds["objects"][0] == 1


def test_the_folder_is_the_users_alone(store):
    before = os.umask(0)
    try:
        store.put("objects", key(1), {}, [])
    finally:
        os.umask(before)
    made = [store.folder, *(p for p in store.folder.rglob("*") if p.is_dir())]
    assert [oct(p.stat().st_mode & 0o777) for p in made] == ["0o700"] * len(made)


def test_each_flipped_bit_is_a_miss():
    data = packed("objects", key(1), {"a": 1}, [b"xyz"])
    assert unpacked(data, "objects", key(1)) is not None
    for i in range(len(data)):
        damaged = bytearray(data)
        damaged[i] ^= 1 << i % 8
        assert unpacked(bytes(damaged), "objects", key(1)) is None


def test_each_truncation_and_extension_is_a_miss():
    data = packed("objects", key(1), {"a": 1}, [b"xyz", b""])
    assert all(unpacked(data[:size], "objects", key(1)) is None for size in range(len(data)))
    assert unpacked(data + b"\0", "objects", key(1)) is None


def test_an_entry_under_another_name_is_a_miss(store):
    store.put("objects", key(1), {}, [b"one"])
    path = store.folder / "objects" / "00" / f"{key(1)}.entry"
    path.rename(path.with_name(f"{key(2)}.entry"))
    assert store.get("objects", key(2)) is None


def test_another_version_of_the_container_is_a_miss(monkeypatch):
    data = packed("objects", key(1), {}, [b"one"])
    monkeypatch.setattr(cache_store, "VERSION", cache_store.VERSION + 1)
    assert unpacked(data, "objects", key(1)) is None


def test_a_damaged_entry_is_written_again(store):
    store.put("objects", key(1), {}, [b"one"])
    path = store.folder / "objects" / "00" / f"{key(1)}.entry"
    path.write_bytes(path.read_bytes()[:-1])
    assert store.get("objects", key(1)) is None
    store.put("objects", key(1), {}, [b"one"])
    assert store.get("objects", key(1)).pieces == (b"one",)


def test_what_was_used_least_recently_goes_first(tmp_path):
    size = len(packed("objects", key(0), {}, [bytes(1000)]))
    store = Store(tmp_path / "cache", 10 * size)
    for i in range(10):
        store.put("objects", key(i), {}, [bytes(1000)])
        path = store.folder / "objects" / "00" / f"{key(i)}.entry"
        os.utime(path, (1000 + i, 1000 + i))
    assert store.get("objects", key(0)) is not None  # now it is the latest
    store.put("objects", key(10), {}, [bytes(1000)])
    assert store.info().total_bytes <= 8 * size
    left = [i for i in range(11) if store.get("objects", key(i)) is not None]
    assert left == [0, *range(4, 11)]


def test_the_size_stays_bounded_over_many_writes(tmp_path):
    store = Store(tmp_path / "cache", 20_000)
    for i in range(200):
        store.put("objects", key(i), {}, [bytes(500)])
        if i % 20 == 0:
            assert store.info().total_bytes <= 20_000
    assert store.info().total_bytes > 10_000


def test_a_store_that_is_found_full_is_bounded_by_the_first_write(tmp_path):
    Store(tmp_path / "cache", 1 << 20).put("objects", key(1), {}, [bytes(50_000)])
    (tmp_path / "cache" / "sizes").unlink()
    Store(tmp_path / "cache", 10_000).put("objects", key(2), {}, [bytes(10)])
    assert Store(tmp_path / "cache", 10_000).info().total_bytes <= 10_000


def test_what_is_larger_than_the_limit_is_not_kept(tmp_path):
    store = Store(tmp_path / "cache", 1000)
    assert not store.put("objects", key(1), {}, [bytes(1000)])
    assert not store.folder.exists()


def test_a_full_disk_is_a_miss_and_leaves_nothing(store, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    store.put("objects", key(1), {}, [b"one"])
    monkeypatch.setattr(os, "replace", full)
    assert not store.put("objects", key(2), {}, [b"two"])
    monkeypatch.undo()
    assert store.get("objects", key(2)) is None
    assert store.get("objects", key(1)) is not None
    assert not list(store.folder.rglob("*.tmp"))


def test_a_folder_that_cannot_be_made_is_a_miss(tmp_path):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "cache", 1 << 20)
    assert not store.put("objects", key(1), {}, [b"one"])
    assert store.get("objects", key(1)) is None
    assert store.info().total_bytes == 0
    assert store.clear() == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_read(store):
    store.put("objects", key(1), {}, [b"one"])
    folders = [store.folder, *(p for p in store.folder.rglob("*") if p.is_dir())]
    for folder in folders:
        folder.chmod(0o500)
    try:
        assert store.get("objects", key(1)).pieces == (b"one",)
        assert not store.put("objects", key(2), {}, [b"two"])
    finally:
        for folder in folders:
            folder.chmod(0o700)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o1777])
def test_a_folder_that_others_may_write_is_not_used(store, mode):
    store.folder.mkdir()
    store.folder.chmod(mode)
    assert "others" in why_unsafe(store.folder)
    assert not store.put("objects", key(1), {}, [b"one"])
    store.folder.chmod(0o755)
    assert why_unsafe(store.folder) is None


def test_another_users_folder_is_not_used(store, monkeypatch):
    store.folder.mkdir(mode=0o700)
    somebody = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody)
    assert "another user" in why_unsafe(store.folder)
    assert not store.put("objects", key(1), {}, [b"one"])


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    assert "not a folder" in why_unsafe(tmp_path / "file")
    assert why_unsafe(tmp_path / "missing") is None


def test_writers_and_readers_at_once_see_whole_entries(tmp_path):
    store = Store(tmp_path / "cache", 60_000)
    wrong = []

    def work(seed):
        for i in range(60):
            number = (seed + i) % 7
            store.put("objects", key(number), {"n": number}, [bytes([number]) * 3000])
            entry = store.get("objects", key((number + 3) % 7))
            if entry is not None and entry.pieces[0] != bytes([entry.header["n"]]) * 3000:
                wrong.append(entry.header)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert store.verify() == (7, [])
    assert not list(store.folder.rglob("*.tmp"))


def test_what_was_left_unfinished_is_removed_once_it_is_old(store):
    store.put("objects", key(1), {}, [b"one"])
    old, new = (store.folder / "objects" / "00" / name for name in ("1-a.tmp", "2-b.tmp"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    store.evict()
    assert (old.exists(), new.exists()) == (False, True)


def test_verify_finds_and_removes_what_is_damaged(store):
    for i in range(3):
        store.put("programs", key(i), {}, [b"piece"])
    path = store.folder / "programs" / "00" / f"{key(1)}.entry"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert store.verify() == (2, [str(path)])
    assert store.verify() == (2, [])


def test_clear_removes_entries_and_nothing_else(store):
    store.put("programs", key(1), {}, [b"piece"])
    own = store.folder / "programs" / "00" / "notes.txt"
    own.write_text("mine")
    assert store.clear() == 1
    assert [p for p in store.folder.rglob("*") if p.is_file()] == [own]


def test_sizes_that_are_damaged_do_no_harm(store):
    store.put("objects", key(1), {}, [b"one"])
    (store.folder / "sizes").write_bytes(struct.pack("<q", 1 << 62) + b"odd")
    assert store.put("objects", key(2), {}, [b"two"])
    assert store.get("objects", key(1)) is not None
    assert store.get("objects", key(2)) is not None
