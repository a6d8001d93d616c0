"""`bench data verify`, `describe` and `render` as a user meets them.

Each has one test in a process of its own; in the others the same entry point is called in this one,
because starting a process takes longer than what it does.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml
from PIL import Image

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Bench, Here


TINY_SET = ["--size", "32", "--count", "3"]


def pixels(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image)


def spoil(here: Here, image: int, pixels: object) -> None:
    """Change an image of the pack, as a bad disk would."""
    file = here.folder / "pack/colours/camera.npy"
    images = np.load(file)
    images[image] = pixels
    np.save(file, images)


def test_a_clean_pack_passes_with_the_next_step(bench: Bench) -> None:
    done = bench("data", "verify", "pack")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Checked 80 images of 2 datasets, SIMULATED data: 0 errors, 0 warnings." in done.stdout
    assert done.stdout.strip().endswith(
        "Next: bench data describe pack, then bench run --data pack"
    )


def test_errors_fail_and_name_dataset_file_and_row(here: Here) -> None:
    spoil(here, 3, 0)
    done = here("data", "verify", "pack")

    assert done.returncode == 1
    assert "error   colours/camera.npy: is not what was written with the pack" in done.stdout
    assert "error   colours/camera.npy: 1 image is all black: 3 (row 5)" in done.stdout
    assert "2 errors, 0 warnings" in done.stdout
    assert "Next: mend what is named above, then bench data verify pack" in done.stdout


def test_warnings_fail_only_when_strict(here: Here) -> None:
    labels = here.folder / "pack/colours/labels.csv"
    labels.write_text(labels.read_text().replace("0,train,red", "0,train,green", 1))
    loose, strict = here("data", "verify", "pack"), here("data", "verify", "pack", "--strict")

    assert "warning colours/labels.csv: has been edited" in loose.stdout
    assert "after a look at the warnings" in loose.stdout
    assert (loose.returncode, strict.returncode) == (0, 1)


def test_a_report_lists_what_the_sentences_leave_out(here: Here) -> None:
    file = here.folder / "pack/colours/camera.npy"
    images = np.load(file)
    images[[33, 36, 38]] = images[3] + np.array([[1], [2], [3]], np.uint8)[..., None, None]
    np.save(file, images)
    short, full = (
        here("data", "verify", "pack", *more) for more in ([], ["--report", "found.csv"])
    )
    rows = list(csv.DictReader((here.folder / "found.csv").read_text("utf-8").splitlines()))
    near = [row for row in rows if row["check"] == "near copy"]

    assert "--report FILE lists all 3." in short.stdout
    assert "found.csv lists all 3." in full.stdout
    assert "Report: found.csv" in full.stdout
    assert (short.returncode, full.returncode) == (1, 1)
    assert [row["image_a"] for row in near] == ["33", "36", "38"]
    assert {row["image_b"] for row in near} == {"3"}


def test_a_report_of_a_clean_pack_has_no_rows(here: Here) -> None:
    assert here("data", "verify", "pack", "--report", "found.csv").returncode == 0

    assert (here.folder / "found.csv").read_text().startswith("severity,check,dataset,")
    assert len((here.folder / "found.csv").read_text().splitlines()) == 1


def all_files(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def other_files(here: Here) -> dict[Path, bytes]:
    """What a user may have beside a pack, and must not lose: all that is in the folder."""
    shutil.copytree(here.folder / "pack", here.folder / "other")
    Image.new("L", (4, 4)).save(here.folder / "photo.png")
    (here.folder / "mine.csv").write_text("image,slip\n1.png,0\n")
    return all_files(here.folder)


OUTPUTS = [
    ["verify", "pack", "--report", "pack/colours/labels.csv"],
    ["verify", "pack", "--report", "pack/new/found.csv"],
    ["verify", "pack", "--report", "pack"],
    ["verify", "pack", "--report", "other/colours/labels.csv"],
    ["verify", "pack", "--report", "other/found.csv"],
    ["verify", "pack", "--report", "mine.csv"],
    ["verify", "pack", "--report", "mine.csv/found.csv"],
    ["verify", "pack", "--report", "photo.png"],
]
for _command in (["describe", "pack", "--dataset", "bars"], ["render", "gelsight", "--size", "32"]):
    OUTPUTS += [
        [*_command, "--out", place]
        for place in (
            "pack", "pack/new/a.png", "other", "photo.png", "mine.csv", "mine.csv/a.png",
            "new.jpg", "new.TIFF", "new/a.svg",
        )
    ]  # fmt: skip


@pytest.mark.parametrize("arguments", OUTPUTS, ids=" ".join)
def test_an_output_in_a_wrong_place_is_refused_before_anything_is_read(
    here: Here, arguments: list[str]
) -> None:
    before = other_files(here)
    done = here("data", *arguments)

    assert done.returncode == 2
    assert arguments[-1] in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert all_files(here.folder) == before
    assert not (here.folder / "new").exists()
    assert not (here.folder / "pack/new").exists()


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (["verify", "pack", "--report", "no/folder/found.csv"], "no/folder/found.csv"),
        (["describe", "pack", "--dataset", "bars", "--out", "no/folder/a.PNG"], "no/folder/a.PNG"),
        (["render", "gelsight", "gelsight", *TINY_SET, "--out", "no/a.png"], "no/a.png"),
        (
            ["render", "gelsight", "gelsight", *TINY_SET, "--out", "no/v1.2"],
            "no/v1.2/gelsight-gelsight-simulated.png",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_missing_folder_of_an_output_is_made_and_an_earlier_one_replaced(
    here: Here, arguments: list[str], file: str
) -> None:
    for _ in range(2):
        done = here("data", *arguments)
        assert done.returncode == 0, done.stderr
        assert (here.folder / file).is_file()


def test_a_title_with_a_line_break_is_drawn_as_one_line(here: Here) -> None:
    declaration = here.folder / "pack/pack.yaml"
    facts = yaml.safe_load(declaration.read_text())
    declaration.write_text(yaml.safe_dump({**facts, "title": "Presses\nof a bar"}))
    done = here("data", "describe", "pack", "--dataset", "bars")

    assert done.returncode in (0, 2), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.filterwarnings("error")
def test_labels_too_large_to_train_on_are_named_and_described(here: Here) -> None:
    labels = here.folder / "pack/bars/labels.csv"
    head, first, *rest = labels.read_text().splitlines()
    first = ",".join([*first.split(",")[:-1], "-1e308"])
    rest[0] = ",".join([*rest[0].split(",")[:-1], "1.5e308"])
    labels.write_text("\n".join([head, first, *rest]) + "\n")
    verified, described = here("data", "verify", "pack"), here("data", "describe", "pack")

    assert verified.returncode == 1
    assert "column 'where': 2 values are beyond 1e+18, at 0 (row 2), 1 (row 3)" in verified.stdout
    assert described.returncode == 0, described.stderr
    assert "-1e+308  1.5e+308" in described.stdout


def test_a_folder_that_is_no_pack_is_an_error(here: Here) -> None:
    done = here("data", "verify", "nowhere")

    assert done.returncode == 1
    assert "is not a data pack" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_pack_is_described_with_a_picture_of_each_dataset(here: Here) -> None:
    done = here("data", "describe", "pack", "--out", "pictures")
    files = sorted((here.folder / "pictures").iterdir())

    assert done.returncode == 0, done.stderr
    assert [file.name for file in files] == [
        "tiny-bars-simulated.png", "tiny-colours-simulated.png",
    ]  # fmt: skip
    assert all(pixels(file).shape[1] == 1600 for file in files)
    for words in ("SIMULATED", "colours: 40 images", "where", "px", "Next: bench data verify pack"):
        assert words in done.stdout


def test_one_picture_goes_where_it_is_asked_for(here: Here) -> None:
    one = here("data", "describe", "pack", "--dataset", "bars", "--out", "here/bars.png")
    two = here("data", "describe", "pack", "--out", "both.png")
    none = here("data", "describe", "pack", "--no-picture")

    assert one.returncode == 0, one.stderr
    assert "colours: " not in one.stdout
    assert (here.folder / "here/bars.png").exists()
    assert two.returncode == 2
    assert "--out both.png is one picture, but there would be 2" in two.stderr
    assert none.returncode == 0
    assert not list(here.folder.glob("*.png"))


def test_the_default_picture_lies_in_the_current_folder(bench: Bench) -> None:
    assert bench("data", "describe", "pack", "--dataset", "bars").returncode == 0

    assert [file.name for file in bench.folder.glob("*.png")] == ["tiny-bars-simulated.png"]


def test_a_simulated_sensor_is_rendered(bench: Bench) -> None:
    done = bench("data", "render", "gelsight", "gelsight", *TINY_SET)

    assert done.returncode == 0, done.stderr
    assert "Picture: gelsight-gelsight-simulated.png" in done.stdout
    assert "Next: bench data make gelsight-sim" in done.stdout
    assert pixels(bench.folder / "gelsight-gelsight-simulated.png").std() > 10


def test_all_sets_of_a_sensor_are_rendered(here: Here) -> None:
    done = here("data", "render", "gelsight", "--size", "32", "--out", "own.png")

    assert done.returncode == 0, done.stderr
    assert pixels(here.folder / "own.png").std() > 10


def test_a_rendered_picture_is_the_same_again_and_another_with_another_seed(here: Here) -> None:
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        here(
            "data", "render", "gelsight", "gelsight", *TINY_SET, "--seed", seed, "-o", f"{name}.png"
        )
    a, b, c = (pixels(here.folder / f"{name}.png") for name in "abc")

    assert np.array_equal(a, b)
    assert a.shape != c.shape or not np.array_equal(a, c)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["describe", "pack", "--dataset", "colour"], "did you mean 'colours'"),
        (["describe", "pack", "--sensor", "camra", "--dataset", "bars"], "did you mean 'camera'"),
        (["describe", "nowhere"], "is not a data pack"),
        (["describe", "vitactip-sim", "--set", "stored_size=40"], "bench data make vitactip-sim"),
        (["verify", "vitactip-sim"], "has not been made with these settings"),
        (["render", "gelsigth"], "did you mean 'gelsight'"),
        (["render", "gelsight", "gratings"], "did you mean 'grating'"),
        (["render", "all", "shape"], "takes no set"),
        (["render", "gelsight", "--size", "31"], "31"),
        (["render", "gelsight", "--size", "32", "--seed", "-1"], "--seed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_words_are_refused(here: Here, arguments: list[str], words: str) -> None:
    done = here("data", *arguments)

    assert done.returncode == 2, done.stdout
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(here.folder.glob("*.png"))
