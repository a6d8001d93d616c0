"""`bench data import` and `bench data layouts`, as a user types them."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from vtbench.benchmark.cli import app
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.errors import DataError, TaskError

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`bench data ...` in a folder of its own; errors for the user are raised."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, ["data", *words])


def said(result: Result) -> str:
    return " ".join((result.stdout + result.stderr).split())


def classes(folder: Path, count: int = 40) -> None:
    for index in range(count):
        place = folder / "ab"[index % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), index).save(place / f"{index}.png")


def test_a_ready_layout_is_imported_and_says_what_is_not_there(run: Run, tmp_path: Path) -> None:
    classes(tmp_path / "data" / "shape")
    done = run("import", "vitactip", "data", "--out", "pack", "--size", "6", "--title", "Mine")

    assert done.exit_code == 0, said(done)
    assert "force: is not there, so it is not imported (force/labels.csv and" in said(done)
    assert "Sensor tactip: has no images of anything" in said(done)
    assert "Imported 40 images, left out 0 files. Next: bench data verify pack, then" in said(done)
    pack = Pack.open(tmp_path / "pack")
    assert (pack.name, pack.title, list(pack.tasks)) == ("vitactip", "Mine", ["shape"])
    assert pack.dataset("shape").images.shape == (40, 6, 6, 1)
    assert "2402.00199" in pack.declaration.citation


def test_a_layout_file_of_ones_own_is_taken_by_its_path(run: Run, tmp_path: Path) -> None:
    classes(tmp_path / "data" / "bars")
    (tmp_path / "bars.yaml").write_text(
        "format: vtbench-layout/1\nname: bars\ntitle: Bars\nstatus: mine\n"
        "sensors: {digit: DIGIT}\ndatasets:\n  bars:\n"
        "    files: 'bars/{class}/*'\n    tasks: {bars: {label: bars}}\n"
    )

    assert run("import", "bars.yaml", "data", "--out", "pack").exit_code == 0
    assert Pack.open(tmp_path / "pack").sensors == ("digit",)
    assert "bars/<class>/*: the images of bars (tasks: bars)" in said(run("layouts", "bars.yaml"))


def test_more_than_twenty_left_out_are_counted_and_all_are_listed(run: Run, tmp_path: Path) -> None:
    classes(tmp_path / "data")
    for index in range(25):
        (tmp_path / "data" / "a" / f"bad{index:02}.png").write_text("x")
    refused = run("import", "folder", "data", "--out", "pack", "--report", "bad.csv")

    assert isinstance(refused.exception, DataError)
    assert "(and 24 more: bad.csv lists them)" in str(refused.exception)
    assert len((tmp_path / "bad.csv").read_text().splitlines()) == 26
    assert not (tmp_path / "pack").exists()

    done = run("import", "folder", "data", "--out", "pack", "--skip-bad")
    assert said(done).count("left out data/a/bad") == 20
    assert "left out 5 more" in said(done)
    assert "left out 25 files (pack/skipped.csv lists them). Next: bench" in said(done)
    assert len((tmp_path / "pack" / "skipped.csv").read_text().splitlines()) == 26
    assert (
        run("import", "folder", "data", "--out", "pack", "--skip-bad", "--overwrite").exit_code == 0
    )


def test_copies_are_said_and_can_be_dropped(run: Run, tmp_path: Path) -> None:
    classes(tmp_path / "data")
    Image.open(tmp_path / "data" / "a" / "4.png").save(tmp_path / "data" / "a" / "x.png")

    assert "1 image looks exactly like an earlier one; they stay together" in said(
        run("import", "folder", "data", "--out", "one")
    )
    done = run("import", "folder", "data", "--out", "two", "--drop-copies")
    assert "left out a/x.png looks exactly like a/4.png" in said(done)
    assert Pack.open(tmp_path / "two").datasets["classes"].count == 40


def test_clips_are_imported(run: Run, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    for index in range(12):
        path = tmp_path / "clips" / f"{index}.avi"
        path.parent.mkdir(exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 16, 16, "gray"
            for number in range(10):
                picture = np.full((16, 16), 20 * index + number, np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="gray")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    with (tmp_path / "clips" / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["film", "slip"], *([f"{index}.avi", index % 2] for index in range(12))]
        )
    asked = ["video", "clips/labels.csv", "--label", "slip=slip", "--clip-column", "film"]

    done = run("import", *asked, "--every", "5", "--out", "pack")
    assert done.exit_code == 0, said(done)
    assert Pack.open(tmp_path / "pack").dataset("slip").images[:4, 0, 0, 0].tolist() == [
        0,
        5,
        20,
        25,
    ]
    refused = run("import", *asked, "--out", "other")
    assert "give --frames 8" in str(refused.exception)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gelsite", "."], "There is no layout 'gelsite'; did you mean 'gelsight'"),
        (["gelsight", ".", "--task", "x"], "--task is for the layout video, csv and folder"),
        (["tactip", ".", "--task", "x"], "--task is for the layout"),
        (["folder", ".", "--frames", "2"], "--frames is for the layout video only"),
        (["csv", "x.csv", "--every", "2"], "--every is for the layout video only"),
        (["folder", ".", "--label", "a=b"], "--label is for the layout video and csv only"),
        (["video", "x.csv", "--image-column", "b"], "--image-column is for the layout csv only"),
        (["mine.yaml", "."], "mine.yaml: is missing"),
        (["gelsight", "nowhere"], "nowhere: is not a folder"),
        (["video", "x.csv", "--frames", "2", "--label", "a=b"], "x.csv: cannot be read"),
    ],
)  # fmt: skip
def test_wrong_words_are_refused(run: Run, words: list[str], message: str) -> None:
    done = run("import", *words, "--out", "pack")

    assert done.exit_code != 0
    assert message in str(done.exception)


def test_layouts_are_listed_and_shown(run: Run) -> None:
    listed = said(run("layouts"))
    for name in ("vitactip", "magictac-t", "magictac-d", "gelsight", "pnutac"):
        assert f"{name}: " in listed
    assert listed.count("not public as of November 2026") == 3
    shown = said(run("layouts", "pnutac"))
    assert "pneumatic_tactile/images/hand_tools/<class>/*: the images of pnutac" in shown
    assert isinstance(run("layouts", "pnutag").exception, TaskError)


def test_real_frames_of_three_sensors_become_one_pack(run: Run, tmp_path: Path) -> None:
    real = Path(os.environ.get("VTBENCH_REAL_DATA", "/nowhere")) / "vitactip-frames"
    if not real.is_dir():
        pytest.skip("VTBENCH_REAL_DATA does not name the folder of real recordings")
    for sensor in ("TacTip", "ViTac", "ViTacTip"):
        for name in range(11):
            place = (
                tmp_path / "data" / sensor / "odd"
                if name % 2
                else tmp_path / "data" / sensor / "even"
            )
            place.mkdir(parents=True, exist_ok=True)
            if (real / sensor / f"{name}.jpg").exists():
                (place / f"{name}.jpg").symlink_to(real / sensor / f"{name}.jpg")
    (tmp_path / "presses.yaml").write_text(
        "format: vtbench-layout/1\nname: presses\ntitle: Presses\nstatus: mine\n"
        "sensors: {vitactip: ViTacTip, vitac: ViTac, tactip: TacTip}\ndatasets:\n  presses:\n"
        "    files: '{sensor}/{class}/*'\n    tasks: {parity: {label: parity, title: Parity}}\n"
    )
    refused = run("import", "presses.yaml", "data", "--out", "pack")
    assert "0.jpg has no counterpart of sensor vitactip; add it" in str(refused.exception)
    done = run("import", "presses.yaml", "data", "--out", "pack", "--skip-bad", "--size", "64")

    assert done.exit_code == 0, said(done)
    pack = Pack.open(tmp_path / "pack")
    assert pack.sensors == ("vitactip", "vitac", "tactip")
    assert pack.dataset("presses", "tactip").images.shape == (10, 64, 64, 3)
    assert pack.datasets["presses"].left_out == 2  # images of the other two sensors
