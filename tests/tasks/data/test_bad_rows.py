"""Everything bad is found before anything is written, named, counted, and left out when asked."""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vtbench.tasks.data.importers import import_csv, import_folder
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.problems import ImportProblems
from vtbench.tasks.errors import DataError

COUNT = 30


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """30 images `N.png` of one grey value each, with a force, a class, a take and a split."""
    (tmp_path / "takes").mkdir()
    for index in range(COUNT):
        Image.new("L", (4, 4), index).save(tmp_path / "takes" / f"{index}.png")
    rows = [
        [f"{i}.png", i / 10, "ab"[i % 2], i // 3, ["train", "val", "test"][i // 3 % 3]]
        for i in range(COUNT)
    ]
    path = tmp_path / "takes" / "labels.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["image", "fz", "kind", "take", "part"], *rows])
    return path


def spoil(manifest: Path, row: int, text: str) -> None:
    """Replace a line; rows are counted as editors do, so the header is row 1."""
    lines = manifest.read_text().splitlines()
    lines[row - 1] = text
    manifest.write_text("\n".join(lines) + "\n")


def load(manifest: Path, **options: Any) -> Any:
    asked: dict[str, Any] = {"targets": {"fz": "fz:N"}, "labels": {"kind": "kind"}}
    asked |= {"group_column": "take", "split_column": "part"}
    return import_csv(manifest, manifest.parents[1] / "out", **{**asked, **options})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("3.png,nan,b,1,val", "column 'fz': 'nan' is not a finite number"),
        ("3.png,,b,1,val", "column 'fz': is empty"),
        ("3.png,0.3,,1,val", "column 'kind': is empty"),
        ("3.png,0.3, ,1,val", "column 'kind': is empty"),
        ("3.png,0.3,NaN,1,val", "column 'kind': 'NaN' is no class"),
        ("3.png,0.3,b,,val", "column 'take': is empty"),
        ("3.png,0.3,b,1,valid", "column 'part': unknown split 'valid'"),
        ("3.png,0.3,b,1", "has 4 columns, but the header has 5"),
        ("3.png,0.3,b,1,val,x", "has 6 columns, but the header has 5"),
        (",0.3,b,1,val", "column 'image': is empty"),
        ("../3.png,0.3,b,1,val", "column 'image': '../3.png' leads out of the image folder"),
    ],
)
def test_a_bad_row_is_named_and_can_be_left_out(manifest: Path, text: str, reason: str) -> None:
    spoil(manifest, 5, text)

    with pytest.raises(ImportProblems) as caught:
        load(manifest)

    assert f"{manifest}, row 5" in str(caught.value)
    assert reason in str(caught.value)
    assert str(caught.value).endswith("or leave what is bad out with --skip-bad.")
    assert not (manifest.parents[1] / "out").exists()

    report = load(manifest, skip_bad=True)

    assert [(p.file, p.row, p.reason) for p in report.skipped] == [(str(manifest), 5, reason)]
    dataset = report.pack.dataset("images")
    assert dataset.images[:, 0, 0, 0].tolist() == [i for i in range(COUNT) if i != 3]
    assert np.array_equal(dataset.images[:, 0, 0, 0] / 10, dataset.columns["fz"])


def test_all_problems_of_rows_and_files_are_counted_and_listed(manifest: Path) -> None:
    folder = manifest.parent
    spoil(manifest, 4, "2.png,much,a,0,train")
    spoil(manifest, 9, "7.png,0.7,b")
    (folder / "5.png").unlink()
    (folder / "6.png").write_bytes((folder / "6.png").read_bytes()[:10])
    listed = folder.parent / "bad.csv"

    with pytest.raises(ImportProblems, match=r"row 4, column 'fz'.*\(and 3 more: --report FILE l"):
        load(manifest)
    with pytest.raises(ImportProblems, match=r"\(and 3 more: \S*bad\.csv lists them\)\.$"):
        load(manifest, report=listed)

    rows = list(csv.DictReader(listed.read_text().splitlines()))
    assert [(row["file"], row["row"]) for row in rows] == [
        (str(manifest), "4"), (str(manifest), "9"),
        (str(folder / "5.png"), "7"), (str(folder / "6.png"), "8"),
    ]  # fmt: skip
    assert [row["reason"] for row in rows[2:]] == ["is missing", "is not an image file"]

    report = load(manifest, skip_bad=True)
    skipped = list(csv.DictReader((report.pack.path / "skipped.csv").read_text().splitlines()))
    assert (report.images, report.pack.datasets["images"].left_out) == (26, 4)
    assert [{**row, "dataset": ""} for row in skipped] == [{**row, "dataset": ""} for row in rows]
    assert {row["dataset"] for row in skipped} == {"images"}


def test_a_row_given_twice_is_left_out_once(manifest: Path) -> None:
    with manifest.open("a") as file:
        file.write("./3.png,0.3,b,1,val\n")

    with pytest.raises(ImportProblems, match="row 32: names the same image as row 5; remove one"):
        load(manifest)

    report = load(manifest, skip_bad=True)
    assert [problem.row for problem in report.skipped] == [32]
    assert report.images == COUNT


def test_rows_that_contradict_each_other_are_both_left_out(manifest: Path) -> None:
    with manifest.open("a") as file:
        file.write("3.png,0.3,a,1,val\n")

    with pytest.raises(ImportProblems, match="row 5: names the same image as row 32, but not the"):
        load(manifest)

    report = load(manifest, skip_bad=True)
    assert [problem.row for problem in report.skipped] == [5, 32]
    assert 3 not in report.pack.dataset("images").images[:, 0, 0, 0]


def test_blank_rows_of_a_spreadsheet_are_passed_over(manifest: Path) -> None:
    with manifest.open("a") as file:
        file.write(",,,,\n\n,,,,\n")

    report = load(manifest)

    assert (report.images, report.skipped) == (COUNT, ())


def test_a_clean_import_leaves_no_list(manifest: Path) -> None:
    pack = load(manifest).pack

    assert not (pack.path / "skipped.csv").exists()
    assert "left_out" not in (pack.path / "pack.yaml").read_text()
    assert pack.datasets["images"].left_out == 0


def test_a_class_that_loses_all_images_is_no_class_any_more(manifest: Path) -> None:
    spoil(manifest, 5, "3.png,0.3,rare,1,val")
    (manifest.parent / "3.png").write_text("x")

    pack = load(manifest, skip_bad=True).pack

    assert pack.datasets["images"].columns["kind"].classes == ("a", "b")


def test_nothing_usable_names_the_first_reason(manifest: Path) -> None:
    for index in range(COUNT):
        (manifest.parent / f"{index}.png").unlink()

    with pytest.raises(
        DataError, match=r"no usable image \(.*row 2: \S*0\.png is missing; add it, .*"
    ):
        load(manifest, skip_bad=True)
    manifest.write_text("image,fz,kind,take,part\n")
    with pytest.raises(DataError, match="has a header but no rows"):
        load(manifest)


def test_an_image_of_another_size_is_a_bad_file_unless_all_are_resized(manifest: Path) -> None:
    Image.new("L", (6, 5)).save(manifest.parent / "8.png")
    (manifest.parent / "3.png").unlink()
    listed = manifest.parents[1] / "bad.csv"

    with pytest.raises(ImportProblems, match=r"row 5: \S*3\.png is missing; .*and 1 more"):
        load(manifest, report=listed)
    assert '8.png,10,"is 6 x 5 pixels, but 28 of 29 images are 4 x 4"' in listed.read_text()

    report = load(manifest, skip_bad=True)
    assert [problem.row for problem in report.skipped] == [5, 10]
    assert report.pack.dataset("images").images.shape == (COUNT - 2, 4, 4, 1)
    report = load(manifest, overwrite=True, skip_bad=True, size=4)
    assert [problem.row for problem in report.skipped] == [5]


def test_the_fix_for_another_size_is_named(manifest: Path) -> None:
    Image.new("L", (6, 5)).save(manifest.parent / "8.png")

    with pytest.raises(ImportProblems, match="give all of them one size, for instance with --size"):
        load(manifest)


def test_any_mix_of_formats_becomes_one_array(manifest: Path) -> None:
    folder = manifest.parent
    Image.new("RGBA", (4, 4), (200, 100, 50, 255)).save(folder / "1.png")
    Image.fromarray(np.full((4, 4), 65535, np.uint16)).save(folder / "2.png")
    Image.new("P", (4, 4), 0).save(folder / "3.png")
    images = load(manifest).pack.dataset("images").images

    assert images.shape == (COUNT, 4, 4, 3)
    assert images[1, 0, 0].tolist() == [200, 100, 50]
    assert images[2, 0, 0].tolist() == [255, 255, 255]
    assert images[9, 0, 0].tolist() == [9, 9, 9]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_with_accents_are_found_however_they_are_written(manifest: Path, form: str) -> None:
    other = "NFD" if form == "NFC" else "NFC"
    (manifest.parent / "3.png").rename(manifest.parent / unicodedata.normalize(other, "é 3.png"))
    spoil(manifest, 5, f"{unicodedata.normalize(form, 'é 3.png')},0.3,b,1,val")
    pack = load(manifest).pack

    assert pack.dataset("images").images[3, 0, 0, 0] == 3
    assert "é 3.png" in unicodedata.normalize("NFC", (pack.path / "images/labels.csv").read_text())


def test_a_name_that_is_no_text_is_a_bad_file(tmp_path: Path) -> None:
    for index in range(20):
        (tmp_path / "src" / "ab"[index % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), index).save(tmp_path / "src" / "ab"[index % 2] / f"{index}.png")
    Image.new("L", (4, 4), 99).save(str(tmp_path / "src" / "a" / "x") + "\udcff.png")

    with pytest.raises(
        ImportProblems, match="has a name that is not valid text; rename it"
    ) as caught:
        import_folder(tmp_path / "src", tmp_path / "out")

    assert str(caught.value).encode()
    assert import_folder(tmp_path / "src", tmp_path / "out", skip_bad=True).images == 20


def test_a_taken_place_is_refused_before_images_are_looked_at(manifest: Path) -> None:
    load(manifest)
    seen: list[object] = []

    with pytest.raises(DataError, match="holds a pack already"):
        load(manifest, progress=lambda *step: seen.append(step))

    assert seen == []
    (manifest.parent / "3.png").unlink()
    report = load(manifest, overwrite=True, skip_bad=True)
    assert Pack.open(report.pack.path).datasets["images"].left_out == 1
    (manifest.parent / "4.png").unlink()
    assert len(load(manifest, overwrite=True, skip_bad=True).skipped) == 2  # skipped.csv is ours


def test_system_files_and_files_beside_the_classes_are_passed_over(tmp_path: Path) -> None:
    for index in range(20):
        folder = tmp_path / "src" / "ab"[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), index).save(folder / f"{index}.png")
    for name in ("a/Thumbs.db", "a/.DS_Store", "b/desktop.ini", ".git"):
        (tmp_path / "src" / name).write_text("x")

    assert import_folder(tmp_path / "src", tmp_path / "one").notices == ()
    (tmp_path / "src" / "README.txt").write_text("x")
    report = import_folder(tmp_path / "src", tmp_path / "two")
    assert report.notices == (
        "Passed over 1 file that is not where images of a class should be, "
        "for instance README.txt.",
    )
