"""Layouts say where the data of a sensor lies; one import makes one pack of all its datasets."""

from __future__ import annotations

import csv
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from vtbench.tasks.data.layout import expected_tree, find_layout, known_layouts
from vtbench.tasks.data.layout_import import import_layout
from vtbench.tasks.data.problems import ImportProblems
from vtbench.tasks.errors import DataError, TaskError

SENSORS = {"ViTacTip": 0, "ViTac": 100, "TacTip": 200}
TARGETS = {
    "force": ("fx", "fy", "fz"),
    "contact_point": ("x", "y"),
    "edge_pose": ("x", "z", "yaw"),
}
COUNT = 20


def save(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), value).save(path)


def write_rows(path: Path, header: list[str], rows: list[list[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def vitactip(tmp_path: Path) -> Path:
    """The whole tree of the layout, 20 presses a dataset; the grey value is sensor + press."""
    root = tmp_path / "data"
    for folder, base in SENSORS.items():
        for dataset in ("shape", "grating", "material"):
            for press in range(COUNT):
                save(root / folder / dataset / "ab"[press % 2] / f"{press}.png", base + press)
        for dataset in TARGETS:
            for press in range(COUNT):
                save(root / folder / dataset / f"{press}.png", base + press)
    for dataset, columns in TARGETS.items():
        rows = [
            [f"{press}.png", *(press / 10 for _ in columns), press // 2] for press in range(COUNT)
        ]
        write_rows(root / dataset / "labels.csv", ["image", *columns, "recording"], rows)
    return root


def test_a_whole_tree_becomes_one_pack_of_three_sensors(vitactip: Path, tmp_path: Path) -> None:
    report = import_layout("vitactip", vitactip, tmp_path / "out", licence="", title=None)
    pack = report.pack

    assert (pack.name, pack.title, report.notices) == ("vitactip", "ViTacTip", ())
    assert "2402.00199" in pack.declaration.citation
    assert pack.sensors == ("vitactip", "vitac", "tactip")
    assert list(pack.tasks) == list(pack.datasets) == [
        "shape", "grating", "material", "force", "contact_point", "edge_pose",
    ]  # fmt: skip
    assert report.images == 6 * 3 * COUNT
    assert pack.tasks["edge_pose"].targets == ("x", "z", "yaw")
    for name in pack.datasets:
        for sensor, base in zip(pack.sensors, SENSORS.values(), strict=True):
            data = pack.dataset(name, sensor)
            presses = data.images[:, 0, 0, 0].astype(int) - base
            assert sorted(presses) == list(range(COUNT))
            if name in TARGETS:
                assert np.allclose(data.columns[TARGETS[name][0]], presses / 10)
            else:
                assert np.array_equal(data.columns[name], presses % 2)
        assert sum(map(len, data.splits.values())) == COUNT
    edge = pack.dataset("edge_pose", "vitac")
    assert edge.info["yaw"].period == 360
    assert pack.datasets["edge_pose"].group == "recording"
    assert {len({row // 2 for row in rows}) * 2 for rows in edge.splits.values()} == {
        len(rows) for rows in edge.splits.values()
    }


def test_one_sensor_may_lie_there_without_its_folder(vitactip: Path, tmp_path: Path) -> None:
    for dataset in ("shape", "force"):
        shutil.copytree(
            vitactip / "ViTacTip" / dataset, tmp_path / "flat" / dataset, dirs_exist_ok=True
        )
    shutil.copy(vitactip / "force" / "labels.csv", tmp_path / "flat" / "force")
    report = import_layout("vitactip", tmp_path / "flat", tmp_path / "out")

    assert (report.pack.sensors, list(report.pack.datasets)) == (("vitactip",), ["shape", "force"])
    other = import_layout("vitactip", tmp_path / "flat", tmp_path / "tac", sensor="tactip")
    assert other.pack.sensors == ("tactip",)


def test_what_is_absent_is_named(vitactip: Path, tmp_path: Path) -> None:
    shutil.rmtree(vitactip / "ViTac")
    shutil.rmtree(vitactip / "TacTip" / "force")
    for folder in ("ViTacTip", "TacTip"):
        shutil.rmtree(vitactip / folder / "material")
    report = import_layout("vitactip", vitactip, tmp_path / "out")

    assert "material" not in report.pack.datasets
    assert report.pack.sensors == ("vitactip",)
    assert report.notices == (
        "material: is not there, so it is not imported (ViTacTip/material/<class>/*).",
        "Sensor vitac: has no images of anything, so it is not imported.",
        "Sensor tactip: has no images of force, so it is not imported.",
    )


def test_a_sensor_may_be_chosen(vitactip: Path, tmp_path: Path) -> None:
    shutil.rmtree(vitactip / "TacTip" / "force")
    report = import_layout("vitactip", vitactip, tmp_path / "out", sensor="tactip")

    assert report.pack.sensors == ("tactip",)
    assert "force" not in report.pack.datasets
    assert report.notices == (
        "force: is not there, so it is not imported (force/labels.csv and ViTacTip/force/<image>).",
    )
    with pytest.raises(DataError, match="has no sensor 'tactyp'; did you mean 'tactip'"):
        import_layout("vitactip", vitactip, tmp_path / "other", sensor="tactyp")


def test_no_sensor_for_all_datasets_is_explained(vitactip: Path, tmp_path: Path) -> None:
    for folder, datasets in {"ViTacTip": ["shape"], "TacTip": ["grating"], "ViTac": []}.items():
        for dataset in [*TARGETS, "shape", "grating", "material"]:
            if dataset not in datasets:
                shutil.rmtree(vitactip / folder / dataset)
    for dataset in TARGETS:
        shutil.rmtree(vitactip / dataset)

    with pytest.raises(
        DataError, match=r"No sensor has images of all of shape, grating; .*--sensor"
    ):
        import_layout("vitactip", vitactip, tmp_path / "out")


def test_a_press_that_one_sensor_missed_is_a_bad_file(vitactip: Path, tmp_path: Path) -> None:
    (vitactip / "ViTac" / "shape" / "a" / "4.png").unlink()
    (vitactip / "TacTip" / "force" / "7.png").unlink()
    with pytest.raises(
        ImportProblems, match=r"ViTacTip/shape/a/4\.png has no counterpart of sensor"
    ):
        import_layout("vitactip", vitactip, tmp_path / "out")

    report = import_layout("vitactip", vitactip, tmp_path / "out", skip_bad=True)
    assert [
        (p.dataset, Path(p.file).relative_to(vitactip).as_posix(), p.row, p.reason.split(",")[0])
        for p in report.skipped
    ] == [
        ("shape", "ViTacTip/shape/a/4.png", None, "has no counterpart of sensor vitac"),
        ("shape", "TacTip/shape/a/4.png", None, "has no counterpart of sensor vitac"),
        ("force", "TacTip/force/7.png", 9, "is missing"),
        ("force", "ViTacTip/force/7.png", 9, f"goes with {vitactip}/TacTip/force/7.png"),
        ("force", "ViTac/force/7.png", 9, f"goes with {vitactip}/TacTip/force/7.png"),
    ]
    assert not any(problem.is_row for problem in report.skipped)
    assert report.pack.datasets["shape"].count == report.pack.datasets["force"].count == COUNT - 1
    assert report.pack.datasets["shape"].left_out == 2
    assert report.pack.datasets["grating"].left_out == 0
    data = report.pack.dataset("shape", "tactip")
    assert np.array_equal(data.columns["shape"], data.images[:, 0, 0, 0] % 2)


def test_folders_among_the_images_are_bad_files(vitactip: Path, tmp_path: Path) -> None:
    (vitactip / "ViTac" / "shape" / "a" / "more").mkdir()
    (vitactip / "ViTac" / "shape" / "c").mkdir()
    report = import_layout("vitactip", vitactip, tmp_path / "out", skip_bad=True)

    assert [(Path(p.file).name, p.reason) for p in report.skipped] == [
        ("more", "is a folder"),
        ("c", "has no images"),
    ]


def test_problems_of_all_datasets_are_counted_together(vitactip: Path, tmp_path: Path) -> None:
    (vitactip / "ViTacTip" / "shape" / "a" / "4.png").write_text("x")
    labels = vitactip / "edge_pose" / "labels.csv"
    labels.write_text(labels.read_text().replace("5.png,0.5,", "5.png,deep,", 1))

    with pytest.raises(ImportProblems, match=r"\(and 3 more: ") as caught:
        import_layout("vitactip", vitactip, tmp_path / "out")

    assert {problem.dataset for problem in caught.value.problems} == {"shape", "edge_pose"}


def test_a_missing_recording_column_is_said(vitactip: Path, tmp_path: Path) -> None:
    labels = vitactip / "force" / "labels.csv"
    labels.write_text(labels.read_text().replace("recording", "run", 1))
    report = import_layout("vitactip", vitactip, tmp_path / "out")

    assert len(report.notices) == 1
    assert "force: " in report.notices[0]
    assert "has no column 'recording', so images are split one by one" in report.notices[0]
    assert report.pack.datasets["force"].group is None
    assert report.pack.datasets["edge_pose"].group == "recording"


def test_given_splits_of_a_layout_are_kept(vitactip: Path, tmp_path: Path) -> None:
    labels = vitactip / "force" / "labels.csv"
    lines = labels.read_text().splitlines()
    splits = ["split"] + ["test"] * 4 + ["train"] * 12 + ["val"] * 4
    labels.write_text("\n".join(f"{a},{b}" for a, b in zip(lines, splits, strict=True)))
    pack = import_layout("vitactip", vitactip, tmp_path / "out").pack

    assert pack.dataset("force", "vitac").splits["test"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["magictac-t", "magictac-d", "gelsight", "pnutac"])
def test_transfer_sets_are_split_60_20_20(tmp_path: Path, name: str) -> None:
    task = name.replace("-", "_")
    place = find_layout(name).datasets[task].files
    for index in range(50):
        folder = place.replace("{class}/*", f"type_{index % 2 + 9}")
        save(tmp_path / "data" / folder / f"{index}.png", index)
    report = import_layout(name, tmp_path / "data", tmp_path / "out")
    dataset = report.pack.dataset(task)

    assert [len(dataset.splits[split]) for split in ("train", "val", "test")] == [30, 10, 10]
    assert dataset.info[task].classes == ("type_9", "type_10")
    assert report.pack.tasks[task].label == task
    assert report.pack.tasks[task].title == find_layout(name).title
    published = [notice for notice in report.notices if "were published" in notice]
    assert bool(published) == (name in ("gelsight", "pnutac"))
    if published:
        assert "50 images in 2 classes are here, but " in published[0]


def test_nothing_of_a_layout_names_what_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()

    with pytest.raises(
        DataError,
        match=r"holds nothing of the layout 'gelsight'; it needs for inst"
        r"ance gel_type_vision/images/carbide_tools/<class>/\*, and `bench data layo",
    ):
        import_layout("gelsight", tmp_path / "data", tmp_path / "out")  # fmt: skip
    with pytest.raises(DataError, match=r"vitactip'.*ViTacTip/shape/<class>/\*"):
        import_layout("vitactip", tmp_path / "data", tmp_path / "out")
    with pytest.raises(DataError, match="nowhere: is not a folder"):
        import_layout("gelsight", tmp_path / "nowhere", tmp_path / "out")
    save(tmp_path / "data" / "only" / "1.png", 1)
    with pytest.raises(DataError, match="has 1 class folders with images for magictac_t"):
        import_layout("magictac-t", tmp_path / "data", tmp_path / "out")
    save(tmp_path / "tip" / "force" / "1.png", 1)
    with pytest.raises(DataError, match=r"force/labels\.csv: cannot be read \(No such file"):
        import_layout("vitactip", tmp_path / "tip", tmp_path / "out")


# --- layouts of one's own ---------------------------------------------------------------------

OWN: dict[str, Any] = {
    "format": "vtbench-layout/1",
    "name": "bars",
    "title": "Bars",
    "status": "mine",
    "sensors": {"tactip": "TacTip", "vitac": "ViTac"},
    "datasets": {
        "pose": {
            "manifest": "poses.csv",
            "images": "{sensor}/{pose_id}.png",
            "targets": {"x": {"column": "pose_1", "unit": "mm"}},
            "labels": {"kind": {"column": "obj", "classes": ["a", "b", "c"]}},
            "tasks": {"x": {"targets": ["x"]}, "kind": {"label": "kind", "title": "Kind"}},
        },
        "object": {
            "files": "{split}/{class}/{group}/{sensor}_*",
            "tasks": {"object": {"label": "object"}},
            "pretrain": False,
        },
    },
}


def own(folder: Path, place: tuple[Any, ...] = (), value: Any = None) -> str:
    """The layout file above, with one value replaced, or removed where the value is None."""
    content = yaml.safe_load(yaml.safe_dump(OWN))
    if place:
        inside = content
        for key in place[:-1]:
            inside = inside[key]
        if value is None:
            del inside[place[-1]]
        else:
            inside[place[-1]] = value
    path = folder / "bars.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def bars(folder: Path) -> Path:
    rows = [[press + 1, press / 10, "ab"[press % 2]] for press in range(COUNT)]
    write_rows(folder / "poses.csv", ["pose_id", "pose_1", "obj"], rows)
    for sensor, base in (("TacTip", 200), ("ViTac", 100)):
        for press in range(COUNT):
            save(folder / sensor / f"{press + 1}.png", base + press)
        for place, split in enumerate(("train", "val", "test")):
            for kind, index in (("a", 0), ("b", 1)):
                path = folder / split / kind / f"run{place}" / f"{sensor}_{index}.png"
                save(path, base + 10 * place + index)
    return folder


def test_a_layout_of_ones_own(tmp_path: Path) -> None:
    pack = import_layout(own(tmp_path), bars(tmp_path / "data"), tmp_path / "out").pack

    assert pack.sensors == ("tactip", "vitac")
    pose = pack.dataset("pose", "vitac")
    assert np.allclose(pose.columns["x"], (pose.images[:, 0, 0, 0] - 100.0) / 10)
    assert pose.info["kind"].classes == ("a", "b", "c")
    assert pack.tasks["kind"].title == "Kind"
    thing = pack.dataset("object", "tactip")
    assert {split: len(rows) for split, rows in thing.splits.items()} == {
        "train": 2, "val": 2, "test": 2,
    }  # fmt: skip
    assert set(thing.images[thing.splits["test"]][:, 0, 0, 0]) == {220, 221}
    assert pack.datasets["object"].group == "recording"
    assert "a/run0" in (pack.path / "object" / "labels.csv").read_text()
    assert not pack.datasets["object"].pretrain


def test_declared_classes_stay_even_when_images_are_left_out(tmp_path: Path) -> None:
    data = bars(tmp_path / "data")
    (data / "TacTip" / "3.png").write_text("x")
    (data / "ViTac" / "4.png").write_text("x")
    pack = import_layout(own(tmp_path), data, tmp_path / "out", skip_bad=True).pack

    assert pack.datasets["pose"].left_out == 4  # of both sensors
    assert pack.dataset("pose", "vitac").info["kind"].classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("titel",), "x", "unknown key 'titel'; did you mean 'title'"),
        (("title",), None, "the key 'title' is missing"),
        (("format",), "vtbench-layout/2", "format: 'vtbench-layout/2' must be 'vtbench-layout/1'"),
        (("format",), None, "the key 'format' is missing; add `format: vtbench-layout/1`"),
        (("sensors",), {}, "sensors: needs at least 1"),
        (("datasets", "pose", "manifets"), "x",
         r"datasets\.pose: unknown key 'manifets'.*'manifest'"),
        (("datasets", "pose", "targets", "x", "units"), "mm",
         r"targets\.x: unknown key 'units'.*'unit'"),
        (("datasets", "pose", "targets", "x", "period"), -1,
         r"x\.period: -1 must be greater than 0"),
        (("datasets", "pose", "tasks"), {}, r"datasets\.pose\.tasks: needs at least 1"),
        (("datasets", "pose", "files"), "{class}/*", r"datasets\.pose: must have either `files`"),
        (("datasets", "pose", "images"), None, r"datasets\.pose: images: must say where an image"),
        (("datasets", "pose", "images"), "{sensor}/x.png", "images: must say where an image"),
        (("datasets", "pose", "images"), "{pose_id}.png", r"pose\.images: needs \{sensor\}"),
        (("datasets", "pose", "images"), "../{sensor}/{pose_id}", "images: .* must be relative"),
        (("datasets", "pose", "manifest"), "/poses.csv", "manifest: .* must be relative"),
        (("datasets", "pose", "manifest"), "{sensor}.csv", "manifest has no words in braces"),
        (("datasets", "pose", "classes"), ["a", "b"], "classes: are for class folders"),
        (("datasets", "pose", "optional"), ["run"], "optional: 'run' is not the group_column"),
        (("datasets", "pose", "labels", "x"), {"column": "obj"}, "'x' is among targets and labels"),
        (("datasets", "pose", "labels", "recording"), {"column": "obj"}, "'recording' keeps the"),
        (("datasets", "pose", "fractions"), [0.5, 0.2, 0.2], "fractions: must sum to 1"),
        (("datasets", "object", "files"), "{sensor}/{klass}/*", r"unknown word \{klass\}; did you"),
        (("datasets", "object", "files"), "{sensor}/*", r"files: needs \{class\}, and \*"),
        (("datasets", "object", "files"), "{sensor}/{class}", r"files: needs \{class\}, and \*"),
        (("datasets", "object", "files"), "{class}/*", r"object\.files: needs \{sensor\}"),
        (("datasets", "object", "split_column"), "s", "split_column: is for a manifest"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_layout_is_one_sentence(
    tmp_path: Path, place: tuple[Any, ...], value: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        find_layout(own(tmp_path, place, value))

    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'bars.yaml'}: ")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("datasets", "pose", "tasks", "x"), {"targets": ["y"]}, "asks for column 'y'"),
        (("datasets", "pose", "tasks", "force"), {"targets": ["x"]}, "needs the targets fx"),
        (("datasets", "pose", "tasks", "object"), {"label": "kind"},
         "Two datasets have a task 'obj"),
        (("datasets", "pose", "group_column"), "run", "column 'run' is missing"),
        (("datasets", "pose", "labels", "kind", "classes"), ["a", "c"],
         "column 'obj': unknown class"),
        (("datasets", "object", "classes"), ["a", "c"], "the layout knows no class 'b'"),
        (("datasets", "object", "files"), "{group}/{class}/{split}/{sensor}_*", "called 'run0'"),
        (("datasets", "object", "files"), "{split}/{group}/run0/{class}_*",
         "datasets.object.files: needs"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_data_is_one_sentence(
    tmp_path: Path, place: tuple[Any, ...], value: Any, message: str
) -> None:
    with pytest.raises(TaskError, match=message):
        import_layout(own(tmp_path, place, value), bars(tmp_path / "data"), tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_group_in_two_splits_is_refused(tmp_path: Path) -> None:
    data = bars(tmp_path / "data")
    (data / "test" / "a" / "run2").rename(data / "test" / "a" / "run0")

    with pytest.raises(DataError, match=r"the group 'a/run0' is in 'test' and in 'train'"):
        import_layout(own(tmp_path), data, tmp_path / "out")


def test_unknown_layouts_are_answered_with_the_nearest() -> None:
    with pytest.raises(DataError, match="no layout 'gelsite'; did you mean 'gelsight'"):
        find_layout("gelsite")
    with pytest.raises(DataError, match=r"mine\.yaml: is missing; check the path"):
        find_layout("mine.yaml")


def test_the_layouts_are_packaged() -> None:
    root = Path(__file__).parents[3]
    packaging = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    data = packaging["tool"]["setuptools"]["package-data"]

    assert data["vtbench.tasks.data.layouts"] == ["*.yaml"]


def test_every_known_layout_is_valid_and_says_where_to_put_what() -> None:
    assert known_layouts() == ["gelsight", "magictac-d", "magictac-t", "pnutac", "vitactip"]
    for name in known_layouts():
        layout = find_layout(name)
        lines = "\n".join(expected_tree(layout))
        assert layout.name == name
        assert layout.status
        assert layout.citation
        assert all(dataset in lines for dataset in layout.datasets)
        assert ("not public as of November 2026" in layout.status) == (
            name in ("vitactip", "magictac-t", "magictac-d")
        )
    assert (
        "edge_pose/labels.csv: a CSV file with the columns image, x (mm), z (mm), yaw (deg), "
        in ("\n".join(expected_tree(find_layout("vitactip"))))
    )
