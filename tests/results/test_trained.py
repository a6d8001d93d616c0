"""The folder of a finished training: what its digests cover, and folders of earlier versions."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from vtbench.results import trained
from vtbench.results.trained import DamagedError, log_damage, read_summary

SUMMARY = {"id": "a", "epochs": 2, "monitor": {"rank": 1.5}, "seconds": 3.25, "devices": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / trained.LOG).write_text('{"step": 0, "total": 1.0}\n')
    write(tmp_path, SUMMARY)
    return tmp_path


def write(folder: Path, summary: dict) -> None:
    content, text = b"weights", trained.to_json(summary)
    (folder / trained.ENCODER).write_bytes(content)
    (folder / trained.DIGESTS).write_bytes(trained.digests(folder, content, text))
    (folder / trained.SUMMARY).write_bytes(text)


def test_a_summary_comes_back_and_its_times_change_no_digest(folder: Path) -> None:
    before = (folder / trained.DIGESTS).read_bytes()
    assert read_summary(folder, "a") == SUMMARY

    write(folder, SUMMARY | {"seconds": 9.0, "devices": 2})
    assert (folder / trained.DIGESTS).read_bytes() == before
    assert read_summary(folder, "a")["seconds"] == 9.0

    write(folder, SUMMARY | {"epochs": 3})
    assert (folder / trained.DIGESTS).read_bytes() != before


@pytest.mark.parametrize("name", [trained.ENCODER, trained.SUMMARY, trained.LOG])
def test_each_changed_letter_is_noticed_where_it_is(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content.replace(b"t", b"s", 1))

    if name == trained.LOG:  # no number rests on it
        assert read_summary(folder, "a") == SUMMARY
        assert log_damage(folder) == trained.UNLIKE
    else:
        with pytest.raises(DamagedError, match=f"{name} is not "):
            read_summary(folder, "a")
        assert log_damage(folder) is None


@pytest.mark.parametrize("kept", range(0, 245, 35))
def test_digests_that_were_cut_off_are_damage(folder: Path, kept: int) -> None:
    whole = (folder / trained.DIGESTS).read_bytes()
    assert len(whole) > kept
    (folder / trained.DIGESTS).write_bytes(whole[:kept])

    with pytest.raises(DamagedError, match="sha256 is not whole"):
        read_summary(folder, "a")


@pytest.mark.parametrize("digest", [True, False])
def test_folders_of_earlier_versions_are_read(tmp_path: Path, digest: bool) -> None:
    """Their summaries are flat, and one digest is of encoder and summary, or there is none."""
    text = json.dumps(SUMMARY, indent=1, sort_keys=True).encode() + b"\n"
    (tmp_path / trained.ENCODER).write_bytes(b"weights")
    (tmp_path / trained.SUMMARY).write_bytes(text)
    if digest:
        (tmp_path / "sha256").write_text(hashlib.sha256(b"weights" + text).hexdigest() + "\n")

    assert read_summary(tmp_path, "a") == SUMMARY
    assert log_damage(tmp_path) is None

    (tmp_path / trained.ENCODER).write_bytes(b"Weights")
    if digest:
        with pytest.raises(DamagedError, match="as their digest shows"):
            read_summary(tmp_path, "a")
