"""Class folders, CSV manifests and TacTip recordings become packs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vtbench.tasks.data.importers import import_csv, import_folder, import_tactip
from vtbench.tasks.errors import DataError, TaskError


def _image(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), value).save(path)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for value in range(30):
        _image(
            tmp_path / "Shapes 1" / ("cube", "ball 10", "ball 9")[value % 3] / f"{value}.png", value
        )
    return tmp_path / "Shapes 1"


def _table(path: Path, rows: Sequence[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _manifest(folder: Path, **changes: Sequence[object]) -> Path:
    """24 images in 8 takes of 3, with a force, an angle and a class."""
    for index in range(24):
        _image(folder / "frames" / f"{index}.png", index)
    columns: dict[str, Sequence[object]] = {
        "image": [f"frames/{index}.png" for index in range(24)],
        "fz": [index / 10 for index in range(24)],
        "angle": [index * 15 for index in range(24)],
        "slip": [index % 2 for index in range(24)],
        "take": [index // 3 for index in range(24)],
        "part": ["train"] * 12 + ["val"] * 6 + ["test"] * 6,
    }
    columns |= changes
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return _table(folder / "labels.csv", rows)


def _taps(folder: Path, count: int) -> None:
    for index in range(count):
        _image(folder / "images" / f"image_{index}.png", index)
    rows = [
        {"sensor_image": f"image_{i}.png", "pose_2": i / 10, "pose_3": 3.5, "pose_6": -170 + i}
        for i in range(count)
    ]
    _table(folder / "targets.csv", rows)


def test_class_folders_become_a_stratified_task(folders: Path, tmp_path: Path) -> None:
    report = import_folder(folders, tmp_path / "Pack 1", task="shape")
    dataset = report.pack.dataset("shape")

    assert (report.images, report.skipped) == (30, ())
    assert (report.pack.name, report.pack.title) == ("pack-1", "Pack 1")
    assert report.pack.source == "real"
    assert report.pack.tasks["shape"].label == "shape"
    assert dataset.info["shape"].classes == ("ball 9", "ball 10", "cube")
    assert dataset.images.shape == (30, 4, 4, 1)
    for row, value in enumerate(dataset.images[:, 0, 0, 0]):
        assert dataset.columns["shape"][row] == (2, 1, 0)[value % 3]
    for name, least in (("train", 7), ("val", 1), ("test", 1)):
        assert np.bincount(dataset.columns["shape"][dataset.splits[name]]).min() >= least


def test_importing_twice_gives_the_same_pack(folders: Path, tmp_path: Path) -> None:
    one = import_folder(folders, tmp_path / "one").pack
    two = import_folder(folders, tmp_path / "two").pack
    other = import_folder(folders, tmp_path / "other", seed=1).pack

    assert one.fingerprint("classes") == two.fingerprint("classes")
    assert one.fingerprint("classes") != other.fingerprint("classes")


def test_options_reach_the_pack(folders: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    report = import_folder(
        folders,
        tmp_path / "out",
        name="shapes",
        title="My shapes",
        sensor="digit",
        size=6,
        pretrain=False,
        licence="CC0",
        citation="me",
        progress=lambda *step: seen.append(step),
    )
    pack = report.pack

    assert (pack.name, pack.title, pack.sensors) == ("shapes", "My shapes", ("digit",))
    assert pack.dataset("classes").images.shape == (30, 6, 6, 1)
    assert not pack.datasets["classes"].pretrain
    assert (pack.declaration.licence, pack.declaration.citation) == ("CC0", "me")
    assert pack.tasks["classes"].title == "Classes"
    assert [step for step in seen if step[0] == "look"] == [("look", n, 30) for n in range(1, 31)]
    assert seen[-1] == ("write", 30, 30)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda src: (src / "cube" / "notes.txt").write_text("x"), r"notes\.txt is not an image"),
        (lambda src: (src / "cube" / "more").mkdir(), "more is a folder; put the images directly"),
        (lambda src: (src / "empty").mkdir(), "empty has no images; add some, or remove"),
        (lambda src: Image.new("L", (4, 5)).save(src / "cube" / "x.png"), "with --size 4"),
    ],
)
def test_what_is_wrong_with_a_folder_is_named(
    folders: Path, tmp_path: Path, spoil: Any, message: str
) -> None:
    spoil(folders)

    with pytest.raises(DataError, match=message):
        import_folder(folders, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_folder_without_classes_is_refused(folders: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 0 class folders, classification needs two"):
        import_folder(folders / "cube", tmp_path / "out")
    with pytest.raises(DataError, match="nowhere: cannot be read"):
        import_folder(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(
        DataError, match=r"A task cannot be called 'My Task', .* --task NAME, such as 'my-task'"
    ):
        import_folder(folders, tmp_path / "out", task="My Task")
    with pytest.raises(DataError, match="size is 0"):
        import_folder(folders, tmp_path / "out", size=0)


def test_bad_images_are_left_out_and_reported(folders: Path, tmp_path: Path) -> None:
    (folders / "cube" / "bad.png").write_text("x")
    (folders / "cube" / ".hidden").write_text("x")
    report = import_folder(folders, tmp_path / "out", skip_bad=True)

    assert report.images == 30
    (problem,) = report.skipped
    assert (problem.file, problem.row) == (str(folders / "cube" / "bad.png"), None)
    assert (problem.dataset, problem.reason) == ("classes", "is not an image file")
    assert report.pack.datasets["classes"].left_out == 1
    assert (report.pack.path / "skipped.csv").read_text() == (
        f"dataset,file,row,reason\nclasses,{problem.file},,is not an image file\n"
    )


def test_a_manifest_becomes_a_regression_task(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path / "takes")
    report = import_csv(
        manifest,
        tmp_path / "out",
        targets={"z": "fz:N", "yaw": "angle:deg:360"},
        task="push",
        group_column="take",
        split_column="part",
    )
    dataset = report.pack.dataset("push")

    assert report.pack.name == "out"
    assert report.pack.tasks["push"].targets == ("z", "yaw")
    assert report.pack.tasks["push"].title == "Push"
    assert (dataset.info["z"].unit, dataset.info["z"].period) == ("N", None)
    assert (dataset.info["yaw"].unit, dataset.info["yaw"].period) == ("deg", 360)
    assert np.array_equal(dataset.columns["z"], np.arange(24) / 10)
    assert dataset.splits["val"].tolist() == list(range(12, 18))
    assert report.pack.datasets["push"].group == "recording"


def test_a_manifest_becomes_a_classification_task(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path / "takes")
    report = import_csv(
        manifest, tmp_path / "out", labels={"slip": "slip"}, group_column="take", seed=3
    )
    dataset = report.pack.dataset("slip")
    takes = np.arange(24) // 3

    assert report.pack.tasks["slip"].label == "slip"
    assert report.pack.tasks["slip"].title == "Slip"
    assert np.array_equal(dataset.columns["slip"], np.arange(24) % 2)
    assert sum(len(set(takes[rows])) for rows in dataset.splits.values()) == 8


def test_one_manifest_may_carry_several_tasks(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path / "takes")
    pack = import_csv(
        manifest,
        tmp_path / "out",
        targets={"fz": "fz:N"},
        labels={"slip": "slip", "take": "take"},
    ).pack

    assert list(pack.tasks) == ["targets", "slip", "take"]
    assert {task.dataset for task in pack.tasks.values()} == {"images"}
    assert pack.dataset("images").info["take"].classes == tuple(map(str, range(8)))


def test_images_may_lie_elsewhere_and_rows_keep_their_labels(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path / "takes")
    (tmp_path / "takes" / "frames" / "5.png").write_text("x")
    moved = manifest.rename(tmp_path / "list.csv")
    report = import_csv(
        moved,
        tmp_path / "out",
        images=tmp_path / "takes",
        targets={"fz": "fz"},
        task="push",
        skip_bad=True,
    )
    dataset = report.pack.dataset("push")

    assert report.images == 23
    assert len(report.skipped) == 1
    assert np.array_equal(dataset.images[:, 0, 0, 0] / 10, dataset.columns["fz"])


@pytest.mark.parametrize(
    ("changes", "asked", "message"),
    [
        ({"image": ["../x.png"] * 24}, {}, r"row 2, column 'image': '../x\.png' leads out of the"),
        ({"image": ["/x.png"] * 24}, {}, "row 2, column 'image': '/x.png' leads out of the"),
        ({"image": ["a\\..\\..\\x"] * 24}, {}, "row 2, column 'image': .* leads out of the"),
        ({"image": ["C:\\x.png"] * 24}, {}, "row 2, column 'image': .* leads out of the"),
        ({"image": ["frames/1.png", "./frames/1.png"] * 12}, {},
         "row 2: names the same image as row 3, but not the same labels"),
        ({"image": ["frames/gone.png"] + [f"frames/{i}.png" for i in range(1, 24)]}, {},
         r"labels\.csv, row 2: \S*frames/gone\.png is missing"),
        ({"fz": ["?"] * 24}, {}, r"labels\.csv, row 2, column 'fz': '\?' is not a finite number"),
        ({"fz": [0.0, "nan"] * 12}, {}, "row 3, column 'fz': 'nan' is not a finite number"),
        ({}, {"image_column": "imgae"}, "column 'imgae' is missing; did you mean 'image'"),
        ({}, {"targets": {"z": "fzz:N"}}, "column 'fzz' is missing; did you mean 'fz'"),
        ({}, {"targets": {"z": "fz:N:0"}}, "the period in 'fz:N:0' must be positive"),
        ({}, {"targets": {"z": "fz:N:-1"}}, "the period in 'fz:N:-1' must be positive"),
        ({}, {"targets": {"z": "fz:N:nan"}}, "Target 'z': 'fz:N:nan' is not column, column:unit"),
        ({"fz": ["\uff11"] * 24}, {}, "row 2, column 'fz': '\uff11' has other digits than 0 to 9"),
        ({}, {"images": "nope"}, "^--images nope: is not a folder; give the one that the names"),
        ({}, {"targets": {"z": "fz:N:1:2"}}, "Target 'z': .* write for instance"),
        ({}, {"targets": None}, "Nothing to learn is named; give --target"),
        ({}, {"labels": {"slip": "slip"}}, "2 tasks cannot all be called 'push'; leave --task out"),
        ({}, {"labels": {"z": "slip"}}, "'z' is among targets and labels"),
        ({"slip": [1] * 24}, {"targets": None, "labels": {"slip": "slip"}},
         r"labels\.csv, column 'slip': every row says '1', but .* two classes or more"),
        ({}, {"targets": {"recording": "fz"}, "group_column": "take"}, "'recording' keeps the"),
        ({}, {"group_column": "tak"}, "column 'tak' is missing; did you mean 'take'"),
        ({"part": ["train", "dev"] * 12}, {"split_column": "part"},
         r"labels\.csv, row 3, column 'part': unknown split 'dev'; write train, val or test"),
        ({"take": [0] * 24}, {"split_column": "part", "group_column": "take"},
         r"labels\.csv, row 14: the take '0' is in 'val', but in 'train' on row 2"),
        ({"take": [0, 1] * 12}, {"group_column": "take"},
         "2 groups by the column 'take' cannot fill the splits train, val, test; add groups"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_manifest_is_named(
    tmp_path: Path, changes: dict[str, Any], asked: dict[str, Any], message: str
) -> None:
    manifest = _manifest(tmp_path / "takes", **changes)
    usual = {"targets": {"z": "fz:N"}, "task": "push"}

    with pytest.raises(DataError, match=message):
        import_csv(manifest, tmp_path / "out", **{**usual, **asked})

    assert not (tmp_path / "out").exists()


def test_a_column_name_that_cannot_be_stored_is_refused(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path)
    for asked, message in (
        ({"targets": {"my label": "fz"}}, "^--target 'my label': .* --target my_label=COLUMN:UNIT"),
        ({"targets": {"a/b": "fz:N"}}, "^--target 'a/b': .* --target a_b=COLUMN:UNIT"),
        ({"labels": {"image": "slip"}}, "^--label image: .* --label my_image=COLUMN"),
        ({"labels": {"split": "slip"}}, "^--label split: .* --label my_split=COLUMN"),
    ):
        with pytest.raises(DataError, match=message):
            import_csv(manifest, tmp_path / "out", **asked)


def test_published_tactip_folders_keep_their_held_out_taps(tmp_path: Path) -> None:
    _taps(tmp_path / "taps" / "train", 17)
    _taps(tmp_path / "taps" / "val", 6)
    report = import_tactip(tmp_path / "taps", tmp_path / "out")
    dataset = report.pack.dataset("edge")

    assert report.pack.sensors == ("tactip",)
    assert report.pack.tasks["edge_pose"].targets == ("x", "z", "yaw")
    assert {name: info.unit for name, info in dataset.info.items()} == {
        "x": "mm", "z": "mm", "yaw": "deg",
    }  # fmt: skip
    assert dataset.info["yaw"].period == 360
    assert [len(dataset.splits[name]) for name in ("train", "val", "test")] == [14, 3, 6]
    assert dataset.splits["test"].tolist() == list(range(17, 23))
    assert np.array_equal(dataset.images[:, 0, 0, 0] / 10, dataset.columns["x"])
    labels = (report.pack.path / "edge" / "labels.csv").read_text()
    assert "val/images/image_0.png,test," in labels


def test_one_tactip_folder_is_split(tmp_path: Path) -> None:
    _taps(tmp_path / "taps", 20)
    dataset = import_tactip(tmp_path / "taps", tmp_path / "out", sensor="mine").pack.dataset("edge")

    assert dataset.sensor == "mine"
    assert [len(dataset.splits[name]) for name in ("train", "val", "test")] == [14, 3, 3]


def test_an_incomplete_tactip_folder_is_explained(tmp_path: Path) -> None:
    _taps(tmp_path / "taps" / "train", 5)

    with pytest.raises(DataError, match=r"val/targets\.csv: is missing; give the folder that"):
        import_tactip(tmp_path / "taps", tmp_path / "out")


def test_a_task_that_vtbench_knows_must_have_its_targets_and_units(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path / "takes")
    with pytest.raises(TaskError, match=r"Task 'force' needs the targets fx \(N\)"):
        import_csv(manifest, tmp_path / "out", targets={"z": "fz:N"}, task="force")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("filled", [(), ("a",)])
def test_class_folders_without_images_are_no_classes(
    tmp_path: Path, filled: tuple[str, ...]
) -> None:
    for name in ("a", "b"):
        (tmp_path / "src" / name).mkdir(parents=True)
    for name in filled:
        Image.new("L", (8, 8)).save(tmp_path / "src" / name / "1.png")

    with pytest.raises(DataError, match=f"{len(filled)} of its 2 class folders hold images"):
        import_folder(tmp_path / "src", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_size_that_no_machine_holds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="give a side of 1 to 4096 pixels"):
        import_folder(tmp_path, tmp_path / "out", size=100_000)
