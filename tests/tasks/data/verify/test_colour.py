"""Grey images among coloured ones are reported, with what their colour mode gives away."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from vtbench.tasks.data.findings import Rows
from vtbench.tasks.data.importers import import_folder
from vtbench.tasks.data.labels import Labels
from vtbench.tasks.data.schema import Column
from vtbench.tasks.data.verify import Verification, verify
from vtbench.tasks.data.verify_colour import colour_findings, grey_images

Check = Callable[..., Verification]
Only = Callable[..., str]
Presses = Callable[..., np.ndarray]

COUNT = 60
ODD = np.arange(COUNT) % 2 == 1  # the class `round` of the clean pack


def tinted(images: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The chosen images in colour, the others as they are: grey."""
    images = images.copy()
    images[chosen] -= np.array([0, 9, 18], np.uint8)
    return images


def test_a_class_that_its_colour_mode_gives_away_is_named(
    check: Check, presses: Presses, only: Only
) -> None:
    text = only(
        check(images={"tactip": tinted(presses(), ODD)}), "warning",
        "edge/tactip.npy: 30 images are grey among 30 coloured ones", "0 (row 2), 2 (row 4)",
        "grey are 30 of 30 flat, 0 of 30 round", "convert all to one mode",
    )  # fmt: skip
    assert "the splits" not in text
    assert "column 'x'" not in text


def test_a_mode_that_goes_with_most_of_a_class_is_named(
    check: Check, presses: Presses, only: Only
) -> None:
    chosen = ODD.copy()
    chosen[[0, 20, 40, 1, 21, 41]] ^= True

    only(check(images={"tactip": tinted(presses(), chosen)}), "warning", "27 of 30 flat, 3 of 30")


def test_a_split_that_its_colour_mode_gives_away_is_named(
    check: Check, presses: Presses, only: Only
) -> None:
    text = only(
        check(images={"tactip": tinted(presses(), np.arange(COUNT) >= 50)}), "warning",
        "10 images are coloured among 50 grey ones",
        "50 (row 52), 51 (row 53), 52 (row 54) and 7 more",
        "the splits apart (grey are 0 of 10 test", "lists all 10",
    )  # fmt: skip
    assert "column 'kind'" not in text


def test_numbers_that_the_colour_mode_gives_away_are_named(
    check: Check, presses: Presses, only: Only
) -> None:
    deep = np.arange(COUNT) % 10 >= 5  # x runs from -6 to 6 in tens

    only(
        check(images={"tactip": tinted(presses(), deep)}), "warning",
        "column 'x' apart (grey are 30 of 30 smaller values, 0 of 30 larger values)",
    )  # fmt: skip


def test_a_mixture_that_goes_with_nothing_is_counted(
    check: Check, presses: Presses, only: Only
) -> None:
    chosen = np.random.default_rng(0).random(COUNT) < 0.3
    text = only(
        check(images={"tactip": tinted(presses(), chosen)}), "warning",
        f"{chosen.sum()} images are coloured among {COUNT - chosen.sum()} grey ones",
        "goes with no label and no split",
    )  # fmt: skip
    assert "apart" not in text


def test_pure_classes_of_few_images_are_named_too() -> None:
    """So few cannot be beyond chance, but nobody could tell the classes from the modes."""
    kinds = np.array([0, 1, 0, 1, 0, 1])
    info = {"kind": Column(classes=("flat", "round", "never seen"))}
    rows = Rows("abcdef", range(2, 8), np.array(["train"] * 2 + ["val"] * 2 + ["test"] * 2))
    labels, none = Labels({"kind": kinds}, {}, ""), np.zeros(6, bool)
    (pure,) = colour_findings("f", kinds == 0, none, rows, labels, info)
    (mixed,) = colour_findings("f", np.arange(6) < 2, none, rows, labels, info)

    assert "grey are 3 of 3 flat, 0 of 3 round" in pure.text
    assert "never seen" not in pure.text
    assert "column 'kind'" not in mixed.text


def test_blank_images_among_coloured_ones_are_not_called_grey(
    check: Check, presses: Presses, only: Only
) -> None:
    images = tinted(presses(), np.ones(COUNT, bool))
    images[7] = 0

    only(check(images={"tactip": images}), "error", "all black")


def test_images_of_one_mode_are_fine(check: Check, presses: Presses) -> None:
    assert check(images={"tactip": tinted(presses(), np.ones(COUNT, bool))}).findings == []


def test_one_coloured_pixel_makes_a_coloured_image() -> None:
    images = np.full((3, 40, 40, 3), 90, np.uint8)
    images[1, 13, 21] = 90, 90, 99
    images[2] += np.array([0, 1, 2], np.uint8)

    assert grey_images(images).tolist() == [True, False, True]
    assert grey_images(images[..., :1]).tolist() == [True, True, True]


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_grey_files_among_coloured_ones_are_known_after_an_import(
    presses: Presses, only: Only, tmp_path, form: str
) -> None:
    """An import converts both to three channels; a grey JPEG stays grey within rounding."""
    images = tinted(presses(), ODD)
    for index, image in enumerate(images):
        folder = tmp_path / "files" / ("round" if ODD[index] else "flat")
        folder.mkdir(parents=True, exist_ok=True)
        file = io.BytesIO()
        mode = "RGB" if ODD[index] else "L"
        Image.fromarray(image).convert(mode).save(file, form)
        (folder / f"{index}.{form.lower()}").write_bytes(file.getvalue())
    pack = import_folder(tmp_path / "files", tmp_path / "pack", task="shape").pack

    only(verify(pack.path, known_tasks={}), "warning", "grey are 30 of 30 flat, 0 of 30 round")
