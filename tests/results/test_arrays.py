"""Arrays in a store are whole or absent, and never pickled."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from vtbench.results import arrays
from vtbench.results.errors import StoreError

ARRAYS = {
    "float32": np.arange(12, dtype=np.float32).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(20)[::2],
    "no rows": np.zeros((0, 5), dtype=np.float32),
    "scalar": np.array(3.5),
    "text": np.array(["a", "bcd"]),
    "structured": np.array([(1, 2.5)], dtype=[("image", "i8"), ("error", "f8")]),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_an_array_comes_back_as_it_was(store, kind):
    path = store.features_path("abc123", "shape", "vitactip")
    store.write_array(path, ARRAYS[kind])
    read = store.read_array(path)

    assert read.dtype == ARRAYS[kind].dtype
    np.testing.assert_array_equal(read, ARRAYS[kind])


def test_an_absent_array_is_none(store):
    assert store.read_array(store.predictions_path("abc123")) is None


def flipped(path, place):
    """One bit of one byte, as a failing disk or memory leaves it."""
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(content)


def pickled(path):
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)


DAMAGE = {
    "truncated data": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "truncated header": lambda path: path.write_bytes(path.read_bytes()[:40]),
    "empty": lambda path: path.write_bytes(b""),
    "surplus": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "no array": lambda path: path.write_text("hello, I am no array at all"),
    "huge shape": lambda path: path.write_bytes(
        path.read_bytes().replace(b"(3, 4)", b"(9999999999999999, 4)")
    ),
    "pickle": pickled,
    "a bit of a number": lambda path: flipped(path, 140),
    "a bit of the digest": lambda path: flipped(path, -3),
    "another array's digest": lambda path: path.write_bytes(
        path.read_bytes().replace(np.float32(3).tobytes(), np.float32(4).tobytes())
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_array_is_set_aside_and_not_used(store, kind):
    path = store.predictions_path("abc123")
    store.write_array(path, ARRAYS["float32"])
    DAMAGE[kind](path)
    content = path.read_bytes()

    assert store.read_array(path) is None
    assert not path.exists()
    [(aside, reason)] = store.damaged()
    assert aside.read_bytes() == content
    assert reason.startswith("abc123.npy: not a whole array (")


def test_other_readers_see_the_array_alone_and_one_without_a_digest_is_read(store):
    path = store.predictions_path("abc123")
    store.write_array(path, ARRAYS["float32"])
    np.testing.assert_array_equal(np.load(path), ARRAYS["float32"])
    np.testing.assert_array_equal(np.load(path, mmap_mode="r"), ARRAYS["float32"])

    np.save(path, ARRAYS["float32"])  # as earlier versions wrote it
    np.testing.assert_array_equal(store.read_array(path), ARRAYS["float32"])


def test_objects_are_refused(store):
    path = store.predictions_path("abc123")
    with pytest.raises(StoreError, match=r"abc123\.npy cannot be stored: .*pickle"):
        store.write_array(path, np.array([{}], dtype=object))

    assert list(path.parent.iterdir()) == []


def test_a_full_disk_leaves_the_old_array(store, monkeypatch):
    path = store.predictions_path("abc123")
    store.write_array(path, np.zeros(3))

    def fail(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match="no space is left"):
        store.write_array(path, np.ones(3))
    monkeypatch.undo()

    np.testing.assert_array_equal(store.read_array(path), np.zeros(3))
    assert [one.name for one in path.parent.iterdir()] == ["abc123.npy"]


def unreadable(*_, **__):
    raise OSError(errno.EIO, "Input/output error")


def test_an_array_that_cannot_be_opened_is_an_error_and_stays(store, monkeypatch):
    path = store.predictions_path("abc123")
    store.write_array(path, np.zeros(1))
    monkeypatch.setattr(arrays, "load", unreadable)

    with pytest.raises(StoreError, match=r"cannot be read \(Input/output error\)"):
        store.read_array(path)
    assert path.exists()


def test_a_folder_in_the_place_of_an_array_is_set_aside(store):
    path = store.predictions_path("abc123")
    path.mkdir()

    assert store.read_array(path) is None
    assert not path.exists()
    assert (store.root / "set-aside" / path.name).is_dir()


def test_arrays_out_of_the_store_are_refused(store, tmp_path):
    for use in (store.read_array, lambda path: store.write_array(path, np.zeros(1))):
        with pytest.raises(StoreError, match="is not inside the store"):
            use(tmp_path / "x.npy")
