"""The report lists every image that a finding is about, however short its sentence is."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vtbench.tasks.data.findings import Finding, Item, report_csv, write_report
from vtbench.tasks.data.verify import Verification
from vtbench.tasks.errors import DataError

Check = Callable[..., Verification]
Presses = Callable[..., np.ndarray]


def listed(result: Verification) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(report_csv(result.findings).decode())))


def test_every_pair_and_image_has_a_row(check: Check, presses: Presses) -> None:
    images = presses()
    images[[20, 21]] = images[[30, 31]]
    images[[51, 52, 53]] = images[[1, 2, 3]] + 1
    images[[54, 55]] = images[[4, 7]]
    images[[8, 9, 10, 41, 42]] = 0
    rows = listed(check(images={"tactip": images}))

    def pairs(check: str) -> list[tuple[str, ...]]:
        cells = ("severity", "image_a", "row_a", "image_b", "row_b", "detail")
        return [tuple(row[cell] for cell in cells) for row in rows if row["check"] == check]

    assert pairs("near copy") == [
        ("warning", "51", "53", "1", "3", "test and train"),
        ("warning", "52", "54", "2", "4", "test and train"),
        ("warning", "53", "55", "3", "5", "test and train"),
    ]
    assert pairs("copy across splits") == [
        ("error", "54", "56", "4", "6", "test and train"),
        ("error", "55", "57", "7", "9", "test and train, different labels"),
    ]
    assert [row[1:5] for row in pairs("copy within a split")] == [
        ("30", "32", "20", "22"), ("31", "33", "21", "23"),
    ]  # fmt: skip
    assert [row[1] for row in pairs("blank")] == ["8", "9", "10", "41", "42"]
    assert {row["dataset"] for row in rows} == {"edge"}
    assert {row["file"] for row in rows} == {"edge/tactip.npy"}


def test_values_and_classes_have_rows(check: Check, contents: Callable[..., object]) -> None:
    x = contents().labels["x"].copy()
    x[[11, 12, 13, 14, 15]] = 600
    rows = listed(check(labels={**contents().labels, "x": x}))

    assert [(row["check"], row["image_a"], row["detail"]) for row in rows] == [
        ("outlier", str(index), "600 mm, train") for index in (11, 12, 13, 14, 15)
    ]


def test_a_finding_without_rows_is_listed_as_its_sentence(check: Check) -> None:
    (row,) = listed(check(tasks={}))

    assert (row["check"], row["dataset"], row["file"]) == ("tasks", "", "pack.yaml")
    assert row["detail"].startswith("declares no task")
    assert row["image_a"] == row["row_b"] == ""


def test_a_test_image_in_another_pool_names_the_other_dataset(
    check: Check, presses: Presses, contents: Callable[..., object]
) -> None:
    images = presses(seed=9)
    images[3] = presses()[52]
    (row,) = listed(check(contents(name="other", images={"tactip": images})))

    assert (row["image_a"], row["row_a"]) == ("52", "54")
    assert (row["image_b"], row["row_b"], row["detail"]) == ("3", "5", "test and train of other")


def test_a_sentence_says_where_the_rest_is_only_if_there_is_a_rest() -> None:
    items = [Item(detail=str(index)) for index in range(1200)]
    many, few = (Finding("error", "c", "f", "bad.", items[:n], named=2) for n in (1200, 2))

    assert many.sentence == "f: bad. --report FILE lists all 1,200."
    assert many.said(Path("a.csv")) == "f: bad. a.csv lists all 1,200."
    assert few.sentence == few.said(Path("a.csv")) == "f: bad."


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        write_report(tmp_path / "no" / "report.csv", [])
