"""Reports never replace a file of the user's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vtbench.tasks.data.outputs import check_report
from vtbench.tasks.errors import DataError

HEADER = ("file", "reason")


@pytest.mark.parametrize("content", ["", "file,reason\n", "file,reason\r\na.png,is empty\r\n"])
def test_an_earlier_report_and_an_empty_file_may_be_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "report.csv"
    path.write_text(content, newline="")
    check_report(path, HEADER)
    check_report(tmp_path / "new.csv", HEADER)


@pytest.mark.parametrize(
    "content", [b"image,fz\na.png,1\n", b"file,reason,more\n", b"\n", b"\xff\xfe\x00", b"x" * 9000]
)
def test_any_other_file_is_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"mine\.csv: holds something else .*choose another file"):
        check_report(path, HEADER)
    assert path.read_bytes() == content


def test_what_is_read_and_its_folder_are_kept(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match=r"lies inside .*data; choose another file"):
        check_report(tmp_path / "data" / "report.csv", HEADER, beside=tmp_path / "data")
    manifest = tmp_path / "data.csv"
    manifest.write_text("file,reason\n")
    with pytest.raises(DataError, match="is what is to be read"):
        check_report(manifest, HEADER, beside=manifest)


def test_a_place_that_is_no_file_is_named_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder; give --report a file in it"):
        check_report(tmp_path, HEADER)
    with pytest.raises(DataError, match=r"its folder is missing; make .*reports first"):
        check_report(tmp_path / "reports" / "a.csv", HEADER)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="holds something else"):  # and does not wait for it
        check_report(tmp_path / "pipe", HEADER)
