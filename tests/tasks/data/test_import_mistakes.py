"""Mistakes that a laboratory makes with an import: each is accepted and said, or one sentence."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vtbench.tasks.data.importers import import_csv, import_folder, import_tactip
from vtbench.tasks.data.layout_import import import_layout
from vtbench.tasks.data.problems import ImportProblems
from vtbench.tasks.errors import DataError

COUNT = 30


def classes(folder: Path, names: str = "ab", mode: str = "L") -> Path:
    """30 images of one grey value each, in turn in a folder per class."""
    for index in range(COUNT):
        place = folder / names[index % len(names)]
        place.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), index).convert(mode).save(place / f"{index}.png")
    return folder


def table(folder: Path, **changes: list[Any]) -> Path:
    """labels.csv of the images of `classes`, with a number and a class."""
    classes(folder)
    columns: dict[str, list[Any]] = {
        "image": [f"{'ab'[index % 2]}/{index}.png" for index in range(COUNT)],
        "fz": [index / 10 for index in range(COUNT)],
        "kind": ["ab"[index % 2] for index in range(COUNT)],
    }
    columns |= changes
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = zip(*columns.values(), strict=True)
        csv.writer(file).writerows([list(columns), *rows])
    return folder / "labels.csv"


@pytest.mark.parametrize(("mark", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_taken_and_said(tmp_path: Path, mark: str, word: str) -> None:
    manifest = table(tmp_path / "data")
    manifest.write_text(manifest.read_text().replace(",", mark))
    report = import_csv(manifest, tmp_path / "out", targets={"fz": "fz:N"})

    assert report.images == COUNT
    assert report.notices == (f"{manifest}: is separated by {word}, and was read so.",)


def test_decimal_commas_are_named(tmp_path: Path) -> None:
    manifest = table(tmp_path / "data")
    manifest.write_text(manifest.read_text().replace(",", ";").replace(".1;", ",1;"))

    with pytest.raises(ImportProblems, match="'0,1' is not a finite number; write a point where"):
        import_csv(manifest, tmp_path / "out", targets={"fz": "fz:N"})


def test_backslashes_in_names_are_named(tmp_path: Path) -> None:
    names = [f"{'ab'[index % 2]}\\{index}.png" for index in range(COUNT)]
    manifest = table(tmp_path / "data", image=names)

    with pytest.raises(ImportProblems, match=r"0\.png is missing; write / between folders, not"):
        import_csv(manifest, tmp_path / "out", targets={"fz": "fz:N"})


def test_a_class_without_a_readable_image_is_named(tmp_path: Path) -> None:
    data = classes(tmp_path / "data", "abc")
    for file in (data / "c").iterdir():
        file.write_text("x")
    report = import_folder(data, tmp_path / "out", skip_bad=True)

    assert report.notices == (
        "classes: no image of the classes 'c' is usable, so that class is left out.",
    )
    for file in (data / "b").iterdir():
        file.write_text("x")
    with pytest.raises(DataError, match=r"no image of the classes 'b', 'c' is usable .*too few"):
        import_folder(data, tmp_path / "other", skip_bad=True)
    assert not (tmp_path / "other").exists()


def test_a_layout_with_one_class_is_explained_without_braces(tmp_path: Path) -> None:
    classes(tmp_path / "data" / "ViTac" / "shape", "a")

    with pytest.raises(DataError, match=r"1 class folders .*\(ViTac/shape/<class>/\*\)") as caught:
        import_layout("vitactip", tmp_path / "data", tmp_path / "out", sensor="vitac")
    assert "{" not in str(caught.value)


def test_names_that_are_no_task_names_are_answered_with_the_option(tmp_path: Path) -> None:
    manifest = table(tmp_path / "data")
    with pytest.raises(DataError, match=r"'Kind', .* --task NAME, such as 'kind'"):
        import_csv(manifest, tmp_path / "out", labels={"Kind": "kind"})
    with pytest.raises(DataError, match=r"'Kind', .* --label NAME=COLUMN, such as 'kind'"):
        import_csv(manifest, tmp_path / "out", labels={"Kind": "kind"}, targets={"fz": "fz"})
    with pytest.raises(DataError, match=r"2 tasks cannot all be called 'x'; leave --task out"):
        import_csv(manifest, tmp_path / "out", labels={"a": "kind", "b": "kind"}, task="x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed is -1; give a whole number from 0"),
        (
            {"sensor": "My Cam"},
            r"A sensor cannot be called 'My Cam', .* --sensor NAME, such as 'my-",
        ),
        ({"name": "Æ"}, "A pack cannot be called 'Æ', .* --name NAME, such as 'my-pack'"),
    ],
)
def test_options_that_cannot_be_are_refused_before_the_look(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    data = classes(tmp_path / "data")
    seen: list[Any] = []

    with pytest.raises(DataError, match=message):
        import_folder(data, tmp_path / "out", progress=lambda *step: seen.append(step), **options)
    assert seen == []


@pytest.mark.parametrize("place", ["/proc/vtbench-pack", "/dev/null/pack"])
def test_a_place_that_takes_no_folder_is_refused_before_the_look(
    tmp_path: Path, place: str
) -> None:
    data = classes(tmp_path / "data")
    seen: list[Any] = []

    with pytest.raises(DataError, match=rf"^{place}: cannot be written: .*choose another place\.$"):
        import_folder(data, place, progress=lambda *step: seen.append(step))
    assert seen == []


def test_a_pack_inside_the_imported_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = classes(tmp_path / "data")
    for run in (
        lambda: import_folder(data, data / "pack"),
        lambda: import_tactip(data, data / "new" / "pack"),
        lambda: import_layout("vitactip", data, data / "pack"),
    ):
        with pytest.raises(DataError, match=r"pack: lies inside .*data, which is to be imported"):
            run()
    monkeypatch.chdir(data)
    with pytest.raises(DataError, match="pack: lies inside"):
        import_folder(".", "pack")

    assert sorted(path.name for path in data.iterdir()) == ["a", "b"]
    # the names in a CSV file say what is imported, so a pack may lie beside it
    assert import_csv(table(data), "pack", targets={"fz": "fz"}).images == COUNT


def test_many_numbers_as_classes_are_said(tmp_path: Path) -> None:
    manifest = table(tmp_path / "data", kind=[index % 3 for index in range(COUNT)])
    few = import_csv(manifest, tmp_path / "few", labels={"kind": "kind"})
    many = import_csv(manifest, tmp_path / "many", labels={"fz": "fz"})

    assert few.notices == ()
    assert many.notices[0] == (
        "--label fz: its 30 classes are all numbers; if they measure something, import them "
        "with --target fz=COLUMN:UNIT instead."
    )


@pytest.mark.parametrize("value", ["1e300", "-2e18", "inf"])
def test_a_target_beyond_what_can_be_trained_is_a_bad_row(tmp_path: Path, value: str) -> None:
    values = [value if index == 3 else str(index) for index in range(COUNT)]
    manifest = table(tmp_path / "data", fz=values)

    with pytest.raises(ImportProblems, match=rf"labels\.csv, row 5, column 'fz': '{value}' is "):
        import_csv(manifest, tmp_path / "out", targets={"fz": "fz:N"})
    assert import_csv(manifest, tmp_path / "out", targets={"fz": "fz"}, skip_bad=True).images == 29


@pytest.mark.parametrize("sign", ["\0", "\x07", "\n", "\x1b"])
def test_control_characters_are_refused_wherever_they_are(tmp_path: Path, sign: str) -> None:
    kinds = [f"a{sign}" if index == 3 else "ab"[index % 2] for index in range(COUNT)]
    manifest = table(tmp_path / "data", kind=kinds)
    with pytest.raises(ImportProblems, match=r"column 'kind': .* holds a control character; "):
        import_csv(manifest, tmp_path / "out", labels={"kind": "kind"})

    manifest.write_text(table(tmp_path / "data").read_text().replace("fz", f'"f{sign}z"', 1))
    with pytest.raises(DataError, match=r"row 1: the name .* holds a control character; remove it"):
        import_csv(manifest, tmp_path / "out", labels={"kind": "kind"})
    assert not (tmp_path / "out").exists()


def test_a_class_folder_with_a_control_character_is_bad_and_shown_legibly(tmp_path: Path) -> None:
    data = classes(tmp_path / "data", "abc")
    (data / "c").rename(data / "c\x1b[31m")

    with pytest.raises(ImportProblems, match="has a control character in its name; rename it") as e:
        import_folder(data, tmp_path / "out")
    assert r"c\x1b[31m/" in str(e.value)
    assert "\x1b" not in str(e.value)


def test_wide_integers_are_taken_up_to_16_bits_and_refused_beyond(tmp_path: Path) -> None:
    data = classes(tmp_path / "data")
    Image.fromarray(np.full((4, 4), 65535, np.int32)).save(data / "a" / "wide.tif")
    assert import_folder(data, tmp_path / "out").images == COUNT + 1

    Image.fromarray(np.full((4, 4), 70000, np.int32)).save(data / "a" / "wide.tif")
    with pytest.raises(ImportProblems, match=r"wide\.tif .*pixels exceed 16 bits; save it with"):
        import_folder(data, tmp_path / "other")


def test_classes_that_differ_in_colour_mode_are_said(tmp_path: Path) -> None:
    data = classes(tmp_path / "data", "ab")
    for file in (data / "b").iterdir():
        Image.open(file).convert("RGB").save(file)

    (notice,) = import_folder(data, tmp_path / "out").notices
    assert "every image of the classes 'a' is a grey file, every one of 'b' a coloured" in notice

    Image.new("RGB", (4, 4), 77).save(data / "a" / "x.png")
    assert import_folder(data, tmp_path / "other").notices == ()
