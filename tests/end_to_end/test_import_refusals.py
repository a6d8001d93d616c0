"""What `bench data import` refuses, and how it ends: nothing of the user's is lost or left out."""

from __future__ import annotations

import csv
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from vtbench.tasks.data import ingest
from vtbench.tasks.data.brief import brief
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.problems import HEADER

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Here

COUNT = 24
CSV = ["data", "import", "csv", "data/labels.csv"]
FZ = ["--target", "fz=fz:N"]


@pytest.fixture
def data(here: Here) -> Path:
    """labels.csv, and an image for each of its rows in the folder of its class."""
    folder = here.folder / "data"
    rows: list[list[object]] = [["image", "fz", "kind", "run", "one"]]
    for index in range(COUNT):
        kind = "ab"[index % 2]
        path = folder / kind / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), index * 9).save(path)
        rows.append([f"{kind}/{index}.png", index / 10, kind, index // 4, 0])
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


@pytest.mark.parametrize("report", ["data/labels.csv", "notes.txt", "data", "new/bad.csv"])
def test_a_report_replaces_nothing_of_the_users(here: Here, data: Path, report: str) -> None:
    (here.folder / "notes.txt").write_text("mine")
    before = (data / "labels.csv").read_bytes()
    done = here(*CSV, *FZ, "--out", "new", "--report", report)

    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: {report}: ")
    assert (data / "labels.csv").read_bytes() == before
    assert (here.folder / "notes.txt").read_text() == "mine"
    assert not (here.folder / "new").exists()


def test_a_report_lies_outside_the_source_and_replaces_an_earlier_one(
    here: Here, data: Path
) -> None:
    folder = ["data", "import", "folder", "data", "--out", "new"]
    inside = here(*folder, "--report", "data/bad.csv")
    assert "data/bad.csv: lies inside data; choose another file" in inside.stderr
    (data / "a" / "bad.png").write_text("x")
    for _ in range(2):
        assert "bad.png is not an image file" in here(*folder, "--report", "bad.csv").stderr
    assert (here.folder / "bad.csv").read_text().splitlines()[0] == ",".join(HEADER)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*CSV, *FZ, "--target", "fz=one:N"],
         "--target fz is given twice, as 'fz:N' and 'one:N'; leave one out"),
        ([*CSV, "--label", "k=kind", "--label", "k=run"], "--label k is given twice"),
        ([*CSV, *FZ, "--label", "fz=kind"], "'fz' is among targets and labels"),
        ([*CSV, "--label", "image=kind"], "--label image: every pack has a column 'image'"),
        ([*CSV, "--target", "a/b=fz:N"], "--target 'a/b': a name has only letters"),
        ([*CSV, "--target", "fz=fz:N:0"], "must be positive"),
        ([*CSV, *FZ, "--images", "nope"], "--images nope: is not a folder"),
        (["data", "import", "csv", ".", *FZ], ".: is a folder; give the CSV file"),
        (["data", "import", "csv", "nowhere.csv", *FZ], "nowhere.csv: cannot be read"),
        (["data", "import", "folder", "nowhere"], "nowhere: cannot be read"),
        (["data", "import", "folder", "data", "--task", ""], "A task cannot be called ''"),
        ([*CSV, *FZ, "--title", "a\nb"], "--title 'a\\nb' holds a control character"),
        ([*CSV, *FZ, "--licence", "\x1b[1m"], "--licence '\\x1b[1m' holds a control character"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_also_where_the_place_is_taken(
    here: Here, data: Path, words: list[str], message: str
) -> None:
    (here.folder / "taken").write_text("mine")
    done = here(*words, "--out", "taken")

    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert (here.folder / "taken").read_text() == "mine"


def test_a_place_that_is_taken_or_empty_is_refused(here: Here, data: Path) -> None:
    (here.folder / "taken").write_text("mine")
    assert "taken: is a file; choose a new folder" in here(*CSV, *FZ, "--out", "taken").stderr
    assert "--out is empty; name the folder" in here(*CSV, *FZ, "--out", "").stderr


def test_pictures_are_sent_to_the_layout_for_pictures(here: Here, data: Path) -> None:
    pytest.importorskip("av")
    done = here("data", "import", "video", "data", "--out", "new")
    assert done.stderr == (
        "Error: data: holds pictures, not clips; import them with `bench data import folder`.\n"
    )


def test_too_few_groups_name_their_column(here: Here, data: Path) -> None:
    done = here(*CSV, *FZ, "--group-column", "one", "--out", "new")
    assert done.stderr == (
        "Error: 1 group by the column 'one' cannot fill the splits train, val, test; add groups.\n"
    )


@pytest.mark.parametrize(("mark", "word"), [("|", "|"), (" ", "spaces")])
def test_a_separator_that_is_not_read_is_named(
    here: Here, data: Path, mark: str, word: str
) -> None:
    manifest = data / "labels.csv"
    manifest.write_text(manifest.read_text().replace(",", mark))
    assert f"it seems to be separated by {word}, so save" in here(*CSV, *FZ, "--out", "new").stderr


def test_other_digits_are_a_bad_row(here: Here, data: Path) -> None:
    manifest = data / "labels.csv"
    manifest.write_text(manifest.read_text().replace(",0.1,", ",0.\uff11,"))
    done = here(*CSV, *FZ, "--out", "new")
    assert "row 3, column 'fz': '0.\uff11' has other digits than 0 to 9; write" in done.stderr
    done = here(*CSV, *FZ, "--out", "new", "--skip-bad")
    assert "Imported 23 images, left out 1 row (new/skipped.csv lists them)." in done.stdout


def test_a_pipe_among_the_images_is_left_out_and_not_waited_for(here: Here, data: Path) -> None:
    os.mkfifo(data / "a" / "pipe.png")
    folder = ["data", "import", "folder", "data", "--out", "new"]
    assert "pipe.png is a pipe, a socket or a device, not a file" in here(*folder).stderr
    done = here(*folder, "--skip-bad")
    assert "left out 1 file (new/skipped.csv lists them)" in done.stdout
    manifest = data / "labels.csv"
    manifest.write_text(manifest.read_text().replace("a/0.png", "a/pipe.png"))
    assert "pipe.png is a pipe" in here(*CSV, *FZ, "--out", "other").stderr


def test_the_files_of_all_sensors_are_counted(here: Here, data: Path) -> None:
    for sensor in ("one", "two"):
        for kind in "ab":
            shutil.copytree(data / kind, here.folder / "both" / sensor / kind)
    (here.folder / "both" / "two" / "a" / "4.png").unlink()
    (here.folder / "both" / "two" / "b" / "5.png").write_text("x")
    (here.folder / "both.yaml").write_text(
        "format: vtbench-layout/1\nname: both\ntitle: Both\nstatus: mine\n"
        "sensors: {one: one, two: two}\ndatasets:\n  kinds:\n"
        "    files: '{sensor}/{class}/*'\n    tasks: {kinds: {label: kinds, title: Kinds}}\n"
    )
    done = here("data", "import", "both.yaml", "both", "--out", "new", "--skip-bad")

    assert "Imported 44 images (22 of each of 2 sensors), left out 3 files" in done.stdout
    with (here.folder / "new" / "skipped.csv").open(newline="") as file:
        assert [(row["file"], row["reason"]) for row in csv.DictReader(file)] == [
            ("both/one/a/4.png", "has no counterpart of sensor two"),
            ("both/two/b/5.png", "is not an image file"),
            ("both/one/b/5.png", "goes with both/two/b/5.png, which is left out"),
        ]


def test_classes_that_a_split_lacks_are_said(here: Here, data: Path) -> None:
    manifest = data / "labels.csv"
    lines = manifest.read_text().splitlines()
    kinds = ["kind", *("c" if row // 4 == 5 else "ab"[row % 2] for row in range(COUNT))]
    changed = [line.split(",") for line in lines]
    for cells, kind in zip(changed, kinds, strict=True):
        cells[2] = kind
    manifest.write_text("\n".join(",".join(cells) for cells in changed))
    grouped = here(*CSV, "--label", "kind=kind", "--group-column", "run", "--out", "new")
    labels = Pack.open(here.folder / "new").dataset("kind")
    where = next(
        split for split, rows in labels.splits.items() if 2 in labels.columns["kind"][rows]
    )

    assert grouped.returncode == 0, grouped.stderr
    lacking = ["train"] if where != "train" else ["val", "test"]
    for split in lacking:
        assert (
            f"kind: 1 of 3 classes of 'kind' has no {split} image ('c'), because recordings stay "
            "whole: add recordings of such classes"
        ) in grouped.stderr


def test_a_class_of_two_images_is_said_to_lack_a_split(here: Here, data: Path) -> None:
    manifest = data / "labels.csv"
    manifest.write_text(manifest.read_text().replace("0,a,", "0,c,", 1).replace("0.2,a,", "0.2,c,"))
    done = here(*CSV, "--label", "kind=kind", "--out", "new")

    assert "of 'kind' has no val image ('c'), because they have too few different" in done.stderr


@pytest.fixture
def heard() -> Iterator[None]:
    """Signals that end a process are heard, also where the tests themselves ignore them (nohup)."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_behind_and_says_so(
    here: Here, data: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    class Steps(ingest.Steps):
        def add(self, pictures: int) -> None:
            super().add(pictures)
            assert any(".new.partial-" in path.name for path in here.folder.iterdir())
            os.kill(os.getpid(), number)

    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    monkeypatch.setattr(ingest, "Steps", Steps)
    done = here(*CSV, *FZ, "--out", "new")

    assert done.returncode == 128 + number
    assert done.stderr == "\nStopped. new is as it was; run the same command again to import.\n"
    assert not [path for path in here.folder.iterdir() if "new" in path.name]
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


def test_the_end_names_the_pack_as_typed_and_has_no_empty_units(here: Here, data: Path) -> None:
    done = here(*CSV, "--target", "fz=fz", "--out", "my pack")

    assert "fz: 0 to 2.3\n" in done.stdout
    assert done.stdout.endswith(
        "Imported 24 images, left out 0 files. Next: bench data verify 'my pack', then "
        "bench run --data 'my pack' --methods all --tasks all\n"
    )


def test_a_rendered_pack_says_what_to_do_next(here: Here) -> None:
    done = here("data", "make", "pnutac-sim", "--profile", "tiny.yaml", "--set", "seeds=1")

    assert done.returncode == 0, done.stderr
    assert "\nPnuTac (simulated) (pack pnutac-sim, sensors " in done.stdout
    same = "pnutac-sim --profile tiny.yaml --set seeds=1"
    assert done.stdout.endswith(
        f"Next: bench data verify {same}, then bench run --data {same} --methods all --tasks all\n"
    )


def test_simulated_is_said_where_the_title_does_not(here: Here) -> None:
    pack = Pack.open(here.folder / "pack")
    assert brief(pack)[0] == ("A tiny pack for tests (simulated data, pack tiny, sensors camera)")
