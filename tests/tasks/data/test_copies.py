"""Images that look exactly the same are counted, kept together, or left out."""

from __future__ import annotations

import csv
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vtbench.tasks.data.importers import import_csv, import_folder, import_tactip
from vtbench.tasks.data.splits import assign_splits, connected
from vtbench.tasks.errors import DataError


def classes(folder: Path, count: int = 40) -> Path:
    """`count` different images in the class folders a and b."""
    for index in range(count):
        place = folder / "ab"[index % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), index).save(place / f"{index}.png")
    return folder


def split_of(pack: Any, dataset: str) -> dict[int, set[str]]:
    """grey value -> the splits it is in."""
    found = defaultdict(set)
    data = pack.dataset(dataset)
    for split, rows in data.splits.items():
        for row in rows:
            found[int(data.images[row, 0, 0, 0])].add(split)
    return found


def test_copies_are_counted_and_stay_in_one_split(tmp_path: Path) -> None:
    src = classes(tmp_path / "src")
    for index in range(0, 40, 2):
        shutil.copy(src / "a" / f"{index}.png", src / "a" / f"z{index}.png")
        Image.open(src / "a" / f"{index}.png").save(src / "a" / f"y{index}.bmp")
    report = import_folder(src, tmp_path / "out", task="shape")

    assert report.images == 80
    assert report.pack.datasets["shape"].copies == 40
    assert report.pack.datasets["shape"].copies_across_splits == 0
    assert all(len(splits) == 1 for splits in split_of(report.pack, "shape").values())
    assert report.notices == (
        "shape: 40 images look exactly like an earlier one; they stay together in one split "
        "(--drop-copies leaves copies out).",
    )


def test_without_copies_nothing_is_said_and_the_splits_are_those_of_before(tmp_path: Path) -> None:
    report = import_folder(classes(tmp_path / "src"), tmp_path / "out")
    labels = report.pack.dataset("classes").columns["classes"]
    splits = report.pack.dataset("classes").splits
    expected = assign_splits(40, seed=0, stratify=labels.tolist())

    assert report.notices == ()
    assert "copies" not in (report.pack.path / "pack.yaml").read_text()
    assert all((expected[rows] == split).all() for split, rows in splits.items())


def test_the_same_image_under_two_labels_is_said(tmp_path: Path) -> None:
    src = classes(tmp_path / "src")
    shutil.copy(src / "a" / "4.png", src / "b" / "odd.png")
    shutil.copy(src / "a" / "6.png", src / "a" / "even.png")
    report = import_folder(src, tmp_path / "out")

    assert (
        "2 images look exactly like an earlier one (labels differ among 2 such" in report.notices[0]
    )

    dropped = import_folder(src, tmp_path / "dropped", drop_copies=True)
    assert [(p.file, p.reason) for p in dropped.skipped] == [
        ("a/4.png", "looks exactly like b/odd.png, but their labels differ"),
        ("a/even.png", "looks exactly like a/6.png"),
        ("b/odd.png", "looks exactly like a/4.png, but their labels differ"),
    ]
    assert dropped.pack.datasets["classes"].left_out == 3
    assert dropped.pack.datasets["classes"].copies == 0
    assert dropped.images == 39


def table(folder: Path, splits: list[str] | None = None) -> Path:
    """40 images in takes of 4, of which images 0, 4, 8 ... look the same."""
    folder.mkdir()
    rows = []
    for index in range(40):
        Image.new("L", (4, 4), 0 if index % 4 == 0 else index).save(folder / f"{index}.png")
        split = "train" if index < 24 else "val" if index < 32 else "test"
        rows.append([f"{index}.png", index, index // 4, split])
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "x", "take", "part"], *rows])
    return folder / "labels.csv"


def test_copies_across_given_splits_are_kept_but_counted(tmp_path: Path) -> None:
    report = import_csv(
        table(tmp_path / "src"), tmp_path / "out", targets={"x": "x:mm"}, split_column="part"
    )

    assert report.pack.datasets["targets"].copies == 9
    assert report.pack.datasets["targets"].copies_across_splits == 2
    assert "2 test images with such a twin in train or val" in report.notices[0]
    assert len(report.pack.dataset("targets").splits["test"]) == 8


def test_groups_that_share_an_image_stay_together_or_are_too_few(tmp_path: Path) -> None:
    manifest = table(tmp_path / "src")
    asked = {"targets": {"x": "x:mm"}, "group_column": "take"}

    with pytest.raises(DataError, match="Identical images tie 10 groups together into 1, too few"):
        import_csv(manifest, tmp_path / "out", **asked)

    report = import_csv(manifest, tmp_path / "out", **asked, drop_copies=True)
    # 0.png and its copies have different x, so nobody knows which is right
    assert report.images == 30
    assert len(report.skipped) == 10

    for index in range(8, 40, 4):
        Image.new("L", (4, 4), 100 + index).save(manifest.parent / f"{index}.png")
    report = import_csv(manifest, tmp_path / "tied", **asked)
    splits = {
        split: set(rows // 4) for split, rows in report.pack.dataset("targets").splits.items()
    }
    assert any({0, 1} <= takes for takes in splits.values())
    assert sum(map(len, splits.values())) == 10


def test_entries_are_connected_through_others() -> None:
    one, two = ["a", "a", "b", "c", "d"], [1, 2, 2, 3, 4]

    assert connected(one, two).tolist() == [0, 0, 0, 1, 2]
    assert connected(one).tolist() == [0, 0, 1, 2, 3]
    assert connected(np.arange(4), [0, 1, 1, 2], [5, 6, 7, 7]).tolist() == [0, 1, 1, 1]


def test_identical_images_count_once_when_the_splits_are_made() -> None:
    identical = [0] * 50 + list(range(1, 51))
    splits = assign_splits(100, seed=0, fractions=(0.6, 0.2, 0.2), identical=identical)

    assert len(set(splits[:50])) == 1
    firsts = splits[49:]
    assert abs(np.count_nonzero(firsts == "train") - 0.6 * 51) <= 1
    with pytest.raises(DataError, match="2 different images cannot fill the splits"):
        assign_splits(6, seed=0, identical=[0, 0, 0, 1, 1, 1])


def test_copies_within_published_training_taps_stay_together(tmp_path: Path) -> None:
    for part, count in (("train", 30), ("val", 6)):
        folder = tmp_path / "taps" / part
        (folder / "images").mkdir(parents=True)
        rows: list[list[object]] = [["sensor_image", "pose_2", "pose_3", "pose_6"]]
        for index in range(count):
            value = index // 2 if part == "train" else 100 + index
            Image.new("L", (4, 4), value).save(folder / "images" / f"{index}.png")
            rows.append([f"{index}.png", index, 3, index])
        with (folder / "targets.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    report = import_tactip(tmp_path / "taps", tmp_path / "out")

    assert report.pack.datasets["edge"].copies == 15
    assert all(len(splits) == 1 for splits in split_of(report.pack, "edge").values())

    shutil.copy(
        tmp_path / "taps" / "train" / "images" / "0.png",
        tmp_path / "taps" / "val" / "images" / "0.png",
    )
    report = import_tactip(tmp_path / "taps", tmp_path / "leaky")
    assert report.pack.datasets["edge"].copies_across_splits == 1
    assert "1 test image with such a twin" in report.notices[0]
