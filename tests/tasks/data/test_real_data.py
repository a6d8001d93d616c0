"""Recordings of real sensors are imported as they were published."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vtbench.tasks.data.importers import import_csv, import_folder, import_tactip

pytestmark = pytest.mark.skipif(
    "VTBENCH_REAL_DATA" not in os.environ,
    reason="VTBENCH_REAL_DATA does not name the folder of real recordings",
)


@pytest.fixture
def real() -> Path:
    return Path(os.environ["VTBENCH_REAL_DATA"])


def test_all_edge_taps(real: Path, tmp_path: Path) -> None:
    dataset = import_tactip(real / "tactip-edge-tap", tmp_path / "out").pack.dataset("edge")
    columns = dataset.columns

    assert dataset.images.shape == (7000, 128, 128, 1)
    assert {name: len(rows) for name, rows in dataset.splits.items()} == {
        "train": 4118, "val": 882, "test": 2000,
    }  # fmt: skip
    assert dataset.splits["test"].min() == 5000
    assert 5.9 < np.abs(columns["x"]).max() <= 6
    assert 3 <= columns["z"].min() < columns["z"].max() <= 5
    assert 170 < np.abs(columns["yaw"]).max() <= 180


def test_a_tap_keeps_its_own_image_and_pose(real: Path, tmp_path: Path) -> None:
    part = real / "tactip-edge-tap" / "val"
    taps = tmp_path / "taps"
    (taps / "images").mkdir(parents=True)
    with (part / "targets.csv").open(newline="") as file:
        header, *rows = list(csv.reader(file))[:61]
    with (taps / "targets.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    names = [row[header.index("sensor_image")] for row in rows]
    for name in names:
        shutil.copy(part / "images" / name, taps / "images" / name)
    dataset = import_tactip(taps, tmp_path / "out").pack.dataset("edge")

    assert [len(dataset.splits[split]) for split in ("train", "val", "test")] == [42, 9, 9]
    for row in (0, 30, 59):
        assert np.array_equal(
            dataset.images[row, :, :, 0], np.asarray(Image.open(taps / "images" / names[row]))
        )
        assert dataset.columns["yaw"][row] == float(rows[row][header.index("pose_6")])


def test_shapes(real: Path, tmp_path: Path) -> None:
    for folder in sorted((real / "tactip-shapes").iterdir()):
        (tmp_path / "shapes" / folder.name).mkdir(parents=True)
        for file in sorted(folder.iterdir())[:20]:
            shutil.copy(file, tmp_path / "shapes" / folder.name)
    pack = import_folder(
        tmp_path / "shapes", tmp_path / "out", task="shape", sensor="tactip", size=64
    ).pack
    dataset = pack.dataset("shape", "tactip")

    assert dataset.info["shape"].classes == ("cuboid", "cylinderR4", "cylinderR8", "prism")
    assert dataset.images.shape == (80, 64, 64, 1)
    for name, each in (("train", 14), ("val", 3), ("test", 3)):
        assert np.bincount(dataset.columns["shape"][dataset.splits[name]]).tolist() == [each] * 4


def test_slip(real: Path, tmp_path: Path) -> None:
    with (real / "gelsight-slip" / "labels.csv").open(newline="") as file:
        header, *rows = list(csv.reader(file))[:161]
    manifest = tmp_path / "labels.csv"
    with manifest.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    pack = import_csv(
        manifest,
        tmp_path / "out",
        images=real / "gelsight-slip",
        labels={"slip": "slip"},
        group_column="recording",
        sensor="gelsight",
    ).pack
    dataset = pack.dataset("slip")
    recordings = np.array([row[header.index("recording")] for row in rows])
    inside = [set(recordings[indices]) for indices in dataset.splits.values()]

    assert dataset.images.shape == (160, 224, 224, 3)
    assert sum(map(len, inside)) == len(set(recordings))
    assert dataset.columns["slip"].tolist() == [int(row[header.index("slip")]) for row in rows]
