"""Files that are no records are set aside, named, kept, and stop nobody."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from vtbench.results.digest import digest_of
from vtbench.results.quarantine import Quarantine
from vtbench.results.store import Store


@pytest.fixture
def record(make_record):
    return make_record(scores={"top1": 50.0})


def edited(**changes):
    """An edit that keeps the digest right, so that what it breaks is found by itself."""

    def edit(good):
        content = {**json.loads(good), **changes}
        return json.dumps({**content, "digest": digest_of(content)}).encode()

    return edit


DAMAGE = {
    "truncated": (lambda good: good[: len(good) // 2], "not readable as JSON"),
    "empty": (lambda good: b"", "not readable as JSON"),
    "zeros": (lambda good: b"\0" * 500, "not readable as JSON"),
    "not UTF-8": (lambda good: b"\xff\xfe" + good, "not readable as JSON"),
    "no object": (lambda good: b"[1, 2]", "holds no JSON object"),
    "foreign JSON": (lambda good: b'{"a": 1}', "no schema number"),
    "older schema": (edited(schema=0), "schema must be 1 to 3, not 0"),
    "unknown key": (edited(colour="red"), "unknown keys: colour"),
    "wrong type": (edited(seed="0"), "seed must be a whole number"),
    "NaN": (lambda good: good.replace(b"50.0", b"NaN"), "only finite numbers"),
    "a score changed by hand": (
        lambda good: good.replace(b"50.0", b"59.0"),
        "changed after it was written",
    ),
    "a setting changed by hand": (lambda good: good.replace(b"0.02", b"0.03"), "as its digest"),
    "other id": (edited(id="abcdef0123"), "does not end with the record's id"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_set_aside_with_its_reason_and_reading_goes_on(store, make_record, kind):
    damage, reason = DAMAGE[kind]
    good = make_record("byol", scores={"top1": 1.0})
    store.write(good)
    path = store.write(make_record("sarl", scores={"top1": 50.0}))
    content = damage(path.read_bytes())
    path.write_bytes(content)

    assert store.records() == [good]
    assert not path.exists()
    [(aside, said)] = store.damaged()
    assert aside == store.root / "set-aside" / path.name
    assert aside.read_bytes() == content
    assert said.startswith(f"{path.name}: ")
    assert reason in said


def test_damage_is_named_without_asking_for_records_first(store, record):
    store.write(record).write_text("{")

    assert len(store.damaged()) == 1
    assert len(store.damaged()) == 1
    assert store.get(record.id) is None


def test_a_foreign_file_is_set_aside(store, record):
    store.write(record)
    foreign = store.root / "cells" / "notes.txt"
    foreign.write_text("my notes")

    assert store.records() == [record]
    assert [path.name for path, _ in store.damaged()] == ["notes.txt"]
    assert (store.root / "set-aside" / "notes.txt").read_text() == "my notes"


def test_files_of_one_name_are_all_kept_aside(store, record):
    for content in ("first", "second", "third"):
        store.write(record).write_text(content)
        store.records()

    kept = [path.read_text() for path, _ in store.damaged()]
    assert sorted(kept) == ["first", "second", "third"]


def test_a_sentence_that_names_the_path_does_not_name_the_file_again(store, record):
    for _ in range(2):  # the second one lies under another name
        store.write(record).write_text("{")
        store.records()

    for damage in store.set_aside():
        assert damage.reason == f"{Path(store.write(record)).name}: {damage.why}"
        assert "json" not in damage.why


def test_a_file_set_aside_without_a_note_is_still_named(store):
    (store.root / "set-aside" / "old.json").write_text("{")

    assert store.damaged()[0].reason == "old.json: set aside, and its reason was not noted"


def test_a_second_file_of_one_record_is_set_aside(store, record):
    path = store.write(record)
    for name in (f"a copy--{record.id}.json", f"z copy--{record.id}.json"):
        (store.root / "cells" / name).write_bytes(path.read_bytes())

    assert store.records() == [record]
    assert path.exists()
    assert [reason for _, reason in store.damaged()] == [
        f"a copy--{record.id}.json: a second file of record {record.id}",
        f"z copy--{record.id}.json: a second file of record {record.id}",
    ]


def test_the_record_of_a_later_vtbench_stays_for_it_to_read(store, record):
    path = store.write(record)
    path.write_bytes(edited(schema=4)(path.read_bytes()))

    assert store.records() == []
    assert path.exists()
    assert store.damaged() == [
        (
            path,
            f"{path.name}: written with schema 4, and this vtbench reads schema 3: update vtbench",
        )
    ]


def test_what_cannot_be_opened_stays_where_it_is(store, record):
    store.write(record)
    folder = store.root / "cells" / "folder"
    folder.mkdir()
    link = store.root / "cells" / "link"
    link.symlink_to(store.root / "nowhere")

    assert store.records() == [record]
    assert [path for path, _ in store.damaged()] == [folder, link]


def test_a_good_file_written_while_the_bad_one_is_moved_goes_back(store, record, monkeypatch):
    path = store.write(record)
    good = path.read_bytes()
    path.write_text("{")
    move = Path.replace

    def replaced_meanwhile(self, target):
        if self == path:
            path.write_bytes(good)
        return move(self, target)

    monkeypatch.setattr(Path, "replace", replaced_meanwhile)
    assert store.records() == []
    monkeypatch.undo()

    assert store.records() == [record]
    assert store.damaged() == []


def test_damage_in_a_read_only_store_is_named_in_place(store, record, monkeypatch):
    good = store.write(record)
    bad = store.root / "cells" / "bad.json"
    bad.write_text("{")

    def refuse(*_args, **_kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    assert Store.open(store.root, create=False).records() == [record]
    assert [path for path, _ in store.damaged()] == [bad]
    assert good.exists()


def test_a_file_that_another_reader_has_set_aside_is_no_fault(tmp_path):
    quarantine = Quarantine(tmp_path / "set-aside")

    assert quarantine.take(tmp_path / "gone.json", "gone", lambda _: False) is None
    assert quarantine.entries() == []


def test_no_foreign_name_is_taken_for_a_note(store):
    (store.root / "cells" / "mine.reason").write_text("a foreign file")

    assert [reason.split(":")[0] for _, reason in store.damaged()] == ["mine.reason"]
    assert store.damaged()[0].path.read_text() == "a foreign file"


def test_a_record_that_this_version_cannot_read_is_not_replaced(store, record):
    path = store.write(record)
    later = json.dumps({**json.loads(path.read_text()), "schema": 99})
    path.write_text(later)

    assert store.write(record) == path
    assert store.get(record.id) == record
    [aside] = store.set_aside()
    assert aside.path.read_text() == later
    assert "written with schema 99" in aside.reason


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
def test_a_pipe_in_the_place_of_a_file_holds_up_nobody(store, record):
    os.mkfifo(store.root / "cells" / f"x--{record.id}.json")
    os.mkfifo(store.predictions_path("abc123"))
    folder = store.encoder_dir("abc123")
    folder.mkdir()
    for name in ("training.json", "sha256", "losses.jsonl"):
        os.mkfifo(folder / name)

    [damage] = store.damaged()
    assert (damage.fate, damage.why) == ("left out", "cannot be opened (a device or a pipe)")
    assert store.read_array(store.predictions_path("abc123")) is None
    assert store.damaged_logs() == []
