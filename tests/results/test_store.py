"""A store keeps whole records, whatever happens to its writers and its files."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from vtbench.results.errors import RecordError, StoreError
from vtbench.results.folder import file_name
from vtbench.results.names import slug
from vtbench.results.record import Record
from vtbench.results.store import Store


@pytest.fixture
def record(make_record):
    return make_record(scores={"top1": 50.0})


def test_a_record_is_read_back_by_list_and_by_id(store, record):
    path = store.write(record)

    assert path.name == f"vitactip-sim--vitactip--sarl--shape--seed0--{record.id}.json"
    assert store.records() == [record]
    assert store.get(record.id) == record
    assert store.get("0123456789") is None
    assert store.damaged() == []


def test_writing_again_replaces_the_record_with_the_same_id(store, make_record):
    store.write(make_record(scores={"top1": 1.0}))
    store.write(make_record(scores={"top1": 2.0}))

    assert [record.scores["top1"] for record in store.records()] == [2.0]


def test_a_thousand_records_come_back_in_the_order_of_their_files(store, make_record, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    written = [
        make_record(f"m{m}", f"t{t}", seed, {"top1": float(seed)})
        for m in range(10)
        for t in range(10)
        for seed in range(10)
    ]
    for one in reversed(written):
        store.write(one)

    assert len({one.id for one in written}) == 1000
    assert store.records() == sorted(written, key=file_name)
    assert store.damaged() == []


def test_stores_opened_in_one_folder_share_everything(store, record):
    store.write(record)

    assert Store.open(store.root).records() == [record]
    assert Store.open(store.root, create=False).records() == [record]


FAULTS = {
    "disk full": (errno.ENOSPC, "no space is left for .*: free some, or .*--store DIR"),
    "quota": (errno.EDQUOT, "no space is left for .*: free some, or .*--store DIR"),
    "permission": (errno.EACCES, "is read-only: change its permissions, or .*--store DIR"),
    "read-only": (errno.EROFS, "is read-only: change its permissions, or .*--store DIR"),
    "fault": (errno.EIO, r"cannot be written \(Input/output error\).*--store DIR"),
}


@pytest.mark.parametrize("call", ["replace", "fsync"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_write_leaves_the_old_record_and_no_rubbish(
    store, make_record, monkeypatch, fault, call
):
    code, message = FAULTS[fault]
    old = make_record(scores={"top1": 1.0})
    store.write(old)

    def fail(*_args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(StoreError, match=message):
        store.write(make_record(scores={"top1": 2.0}))
    monkeypatch.undo()

    assert store.records() == [old]
    assert len(list((store.root / "cells").iterdir())) == 1


def test_the_file_reaches_the_disk_before_its_name_and_then_the_folder(store, record, monkeypatch):
    order = []
    rename = os.replace

    def note_sync(handle):
        order.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")

    def note_rename(source, target):
        order.append("name")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_rename)
    store.write(record)

    assert order == ["file", "name", "folder"]


def test_an_interrupted_write_leaves_the_old_record(store, make_record, monkeypatch):
    old = make_record(scores={"top1": 1.0})
    store.write(old)

    def interrupt(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.write(make_record(scores={"top1": 2.0}))
    monkeypatch.undo()

    assert store.records() == [old]
    assert len(list((store.root / "cells").iterdir())) == 1


KILLED_WRITER = """
import os, signal, sys
from vtbench.results.record import Record
from vtbench.results.store import Store
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
store = Store.open(sys.argv[1])
store.write(Record.from_json(sys.stdin.read()))
"""


def test_a_writer_killed_before_the_rename_leaves_the_old_record(store, make_record):
    old, new = make_record(scores={"top1": 1.0}), make_record(scores={"top1": 2.0})
    store.write(old)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_WRITER, store.root],
        input=new.to_json(),
        text=True,
        check=False,
    )
    [leftover] = (store.root / "cells").glob(".tmp-*")

    assert killed.returncode == -9
    assert Record.from_json(leftover.read_text()) == new
    assert store.records() == [old]
    assert store.damaged() == []


def test_only_old_leftovers_are_cleaned(store):
    cells = store.root / "cells"
    young, old, other = cells / ".tmp-1-a", cells / ".tmp-2-b", cells / ".nfs0001"
    for path in (young, old, other):
        path.write_text("{")
    hour_ago = young.stat().st_mtime - 3700
    for path in (old, other):
        os.utime(path, (hour_ago, hour_ago))
    Store.open(store.root)

    assert sorted(cells.iterdir()) == [other, young]
    assert store.records() == []
    assert store.damaged() == []


def test_a_file_is_no_store(tmp_path):
    path = tmp_path / "results.txt"
    path.write_text("x")

    for create in (True, False):
        with pytest.raises(StoreError, match=r"results\.txt is a file, not a folder.*--store DIR"):
            Store.open(path, create=create)
    with pytest.raises(StoreError, match="cannot be written"):
        Store.open(path / "below")


def test_looking_at_a_store_that_is_not_there_makes_none(tmp_path):
    with pytest.raises(StoreError, match=r"there is no store in .*--store DIR"):
        Store.open(tmp_path / "runs", create=False)

    assert not (tmp_path / "runs").exists()


def test_an_empty_folder_is_a_store_without_records(tmp_path):
    store = Store.open(tmp_path, create=False)

    assert store.records() == []
    assert store.damaged() == []
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_folder_is_refused_for_writing_and_fine_for_reading(store, record, monkeypatch):
    store.write(record)
    monkeypatch.setattr(os, "access", lambda *_: False)

    with pytest.raises(StoreError, match=r"is read-only: change its permissions, or .*--store DIR"):
        Store.open(store.root)
    assert Store.open(store.root, create=False).records() == [record]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StoreError, match="is read-only: change its permissions"):
        Store.open(tmp_path / "runs")


HOSTILE = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "",
    "a/b",
    "a\\b",
    "C:\\x",
    "\0",
    "\n",
    "x" * 1000,
    "-rf",
    "~root",
    "$(rm)",
    "é",
    "\ud800",
    "con",
    ".hidden",
    "a--b",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leads_out_of_the_store(store, make_record, name):
    paths = [
        store.encoder_dir(name),
        store.predictions_path(name),
        store.features_path(name, name, name),
        store.root / "cells" / file_name(make_record(method=f"{name}!", sensor=f"{name}!")),
    ]
    for path in paths:
        assert path.parent.parent == store.root
        assert not path.name.startswith(".")
        assert len(path.name.encode()) <= 255


def test_slugs_stay_readable_and_tell_names_apart():
    assert slug("sarl:ram=0") == "sarl,ram=0"
    assert slug("sarl:ram=-0.5") == "sarl,ram=-0.5"
    assert slug("vitactip-sim") == "vitactip-sim"
    names = [*HOSTILE, "sarl:ram=0", "sarl,ram=0", "a-b", "a b", "x" * 999]
    assert len({slug(name) for name in names}) == len(names)


def test_features_of_two_data_sets_never_share_a_file(store):
    one = store.features_path("e", "a--b", "c")
    other = store.features_path("e", "a", "b--c")

    assert one != other


def test_paths_out_of_the_store_are_refused(store, tmp_path):
    for path in (tmp_path / "x", store.root / ".." / "x", store.root / "cells" / ".." / ".." / "x"):
        with pytest.raises(StoreError, match="is not inside the store"):
            store.write_file(path, lambda file: file.write(b"x"))

    assert not (tmp_path / "x").exists()


def test_an_invalid_record_cannot_be_made_and_so_not_written(make_record):
    with pytest.raises(RecordError, match="seed"):
        make_record(seed="zero")
