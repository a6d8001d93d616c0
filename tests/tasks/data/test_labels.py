"""Every mistake in a labels.csv is one sentence with the file, the row and the fix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vtbench.tasks.data.pack import Pack
from vtbench.tasks.errors import DataError

FIRST = "0,train,tap 0,-6.0,0.0,flat"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("-6.0", "six", "row 2, column 'x': 'six' is not a finite number; write one"),
        ("-6.0", "nan", "row 2, column 'x': 'nan' is not a finite number"),
        ("-6.0", "-inf", "row 2, column 'x': '-inf' is not a finite number"),
        ("-6.0", "1_0", "row 2, column 'x': '1_0' is not a finite number"),
        ("-6.0", "", "row 2, column 'x': is empty; fill it in"),
        ("-6.0", '"-6,0"', "row 2, column 'x': '-6,0' is not a finite number"),
        ("-6.0", "-6,0", "row 2: has 7 columns, but the header has 6"),
        (FIRST, "0,train", "row 2: has 2 columns, but the header has 6"),
        (",flat", ",flta", "row 2, column 'kind': unknown class 'flta'; did you mean 'flat'"),
        (
            "0,train",
            "0,trian",
            "row 2, column 'split': unknown split 'trian'; did you mean 'train'",
        ),
        ("0,train,tap 0", "0,train,", "row 2, column 'recording': is empty"),
        (
            "image,split,recording,x",
            "image,split,recording,y",
            "column 'x' is missing; known: image, ",
        ),
        ("image,split", "picture,split", "column 'image' is missing"),
        ("x,yaw", "x,x", "row 1: the column 'x' is there twice; rename one"),
        ("x,yaw", "x,", "row 1: column 5 has no name"),
        (FIRST + "\n", "", r"has 19 rows, but pack\.yaml says count: 20"),
        (FIRST, FIRST + "\n" + FIRST, r"has 21 rows, but pack\.yaml says count: 20"),
        ("0,train,tap 0", "0,test,tap 0", "row 3: the recording 'tap 0' is in 'train', but in "),
        (FIRST, FIRST.replace("flat", '"fl"at'), "row 2: is not CSV"),
    ],
)
def test_a_mistake_is_named_with_its_row_and_fix(
    edit: Callable[[str, str, str], Path], old: str, new: str, message: str
) -> None:
    path = edit("edge/labels.csv", old, new)

    with pytest.raises(DataError, match=rf"edge/labels\.csv(: |, )(?:.*){message}") as caught:
        Pack.open(path)

    assert "\n" not in str(caught.value)


def test_a_leak_names_both_rows(edit: Callable[[str, str, str], Path]) -> None:
    path = edit("edge/labels.csv", "11,train,tap 2", "11,test,tap 2")

    with pytest.raises(
        DataError, match=r"row 13: .*'tap 2' is in 'test', but in 'train' on row 10"
    ):
        Pack.open(path)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_an_empty_split_is_refused(pack: Pack, split: str) -> None:
    labels = pack.path / "edge" / "labels.csv"
    other = "val" if split == "train" else "train"
    labels.write_text(labels.read_text().replace(f",{split},", f",{other},"))

    with pytest.raises(DataError, match=rf"labels\.csv, column 'split': no row is in '{split}'"):
        Pack.open(pack.path)


def test_an_undeclared_column_is_refused(pack: Pack) -> None:
    labels = pack.path / "edge" / "labels.csv"
    labels.write_text("\n".join(f"{line},note" for line in labels.read_text().splitlines()))

    with pytest.raises(DataError, match=r"column 'note' is not declared in pack\.yaml"):
        Pack.open(pack.path)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "is empty; it needs a header"), (b"image,split\n\xff", "is not UTF-8 text; save it")],
)
def test_a_file_that_is_no_table_is_refused(pack: Pack, data: bytes, message: str) -> None:
    (pack.path / "edge" / "labels.csv").write_bytes(data)

    with pytest.raises(DataError, match=rf"labels\.csv: {message}"):
        Pack.open(pack.path)


def test_a_missing_file_is_named(pack: Pack) -> None:
    (pack.path / "edge" / "labels.csv").unlink()

    with pytest.raises(DataError, match=r"labels\.csv: cannot be read \(No such file"):
        Pack.open(pack.path)


def test_what_spreadsheets_do_to_a_file_does_no_harm(pack: Pack) -> None:
    labels = pack.path / "edge" / "labels.csv"
    text = labels.read_text().replace("\n", "\r\n") + "\r\n"
    labels.write_bytes(b"\xef\xbb\xbf" + text.encode())

    again = Pack.open(pack.path).dataset("edge")

    assert np.array_equal(again.columns["x"], pack.dataset("edge").columns["x"])


def test_columns_may_be_in_any_order(pack: Pack) -> None:
    labels = pack.path / "edge" / "labels.csv"
    rows = [line.split(",") for line in labels.read_text().splitlines()]
    labels.write_text("\n".join(",".join(row[::-1]) for row in rows))

    again = Pack.open(pack.path).dataset("edge")

    assert np.array_equal(again.columns["yaw"], pack.dataset("edge").columns["yaw"])
