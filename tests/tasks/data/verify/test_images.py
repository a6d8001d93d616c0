"""Faults planted in the images of a clean pack are reported, and nothing else is."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vtbench.tasks.data.similar import (
    NearCopy,
    Thumbnails,
    frames_that_follow,
    luminance,
    near_copies,
)
from vtbench.tasks.data.verify import Verification

Check = Callable[..., Verification]
Only = Callable[..., str]
Presses = Callable[..., np.ndarray]

COUNT, SIDE = 60, 48
SPLITS = ["train"] * 40 + ["val"] * 10 + ["test"] * 10

# -------------------------------------------------------------------------------- blank images


@pytest.mark.parametrize(
    ("pixels", "level", "words"),
    [
        (0, "error", "1 image is all black: 7 (row 9); leave"),
        (2, "error", "all black"),
        (255, "error", "all white"),
        (128, "error", "of one colour"),
        ((10, 200, 30), "error", "of one colour"),
        ((0, 0, 17), "error", "of one colour"),
    ],
)
def test_a_blank_image_is_named(
    check: Check, pixels: object, level: str, words: str, presses: Presses, only: Only
) -> None:
    images = presses()
    images[7] = pixels

    only(check(images={"tactip": images}), level, "edge/tactip.npy", words)


def test_many_blank_images_are_counted_and_not_called_copies(
    check: Check, presses: Presses, only: Only
) -> None:
    images = presses()
    images[[1, 2, 3, 45, 55]] = 0

    only(
        check(images={"tactip": images}), "error", "5 images are all black: 1 (row 3)", "and 2 more"
    )


@pytest.mark.parametrize(("level", "word"), [(0, "nearly all black"), (255, "nearly all white")])
def test_a_saturated_image_is_a_warning(
    check: Check, level: int, word: str, presses: Presses, only: Only
) -> None:
    images = presses()
    images[7] = level
    images[7, :5, :5] = 100

    only(check(images={"tactip": images}), "warning", word)


# -------------------------------------------------------------------------------------- copies


def test_a_copy_in_another_split_is_an_error(check: Check, presses: Presses, only: Only) -> None:
    images = presses()
    images[50] = images[10]  # 50 % 10 and 50 % 2 give them the same labels

    text = only(
        check(images={"tactip": images}), "error", "1 image of val or test is also in",
        "50 (row 52, test) and 10 (row 12, train)",
    )  # fmt: skip
    assert "different labels" not in text


def test_copies_in_val_and_test_count_once_each(check: Check, presses: Presses, only: Only) -> None:
    images = presses()
    images[45] = images[55] = images[3]

    only(
        check(images={"tactip": images}), "error", "2 images of val or test are",
        "2 of them with different labels",
    )  # fmt: skip


def test_a_copy_within_a_split_is_a_warning(check: Check, presses: Presses, only: Only) -> None:
    images = presses()
    images[20] = images[10]

    only(
        check(images={"tactip": images}), "warning", "1 image is there twice within a split",
        "20 (row 22, train) and 10 (row 12, train)",
    )  # fmt: skip


def as_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


NEAR = {
    "jpeg of quality 90": lambda image: as_jpeg(image, 90),
    "one level brighter": lambda image: image + 1,
    "one level darker": lambda image: image - 1,
    "a pixel to the right": lambda image: np.roll(image, 1, axis=1),
    "a pixel up and left": lambda image: np.roll(image, (-1, -1), axis=(0, 1)),
}


@pytest.mark.parametrize("change", NEAR.values(), ids=NEAR)
def test_a_changed_copy_of_the_same_frame_is_found(
    check: Check, change: Callable[[np.ndarray], np.ndarray], presses: Presses, only: Only
) -> None:
    images = presses()
    images[55] = change(images[10])

    only(
        check(images={"tactip": images}), "warning", "1 test image is nearly a copy",
        "55 (row 57, test) and 10 (row 12, train)", "--group-column",
    )  # fmt: skip


@pytest.mark.parametrize("change", NEAR.values(), ids=NEAR)
def test_a_changed_copy_within_a_split_is_no_leak(
    check: Check, change: Callable[[np.ndarray], np.ndarray], presses: Presses
) -> None:
    images = presses()
    images[30] = change(images[10])

    assert check(images={"tactip": images}).findings == []


def test_a_near_copy_of_val_in_test_is_found(check: Check, presses: Presses, only: Only) -> None:
    images = presses()
    images[55] = images[45] + 1

    only(check(images={"tactip": images}), "warning", "55 (row 57, test) and 45 (row 47, val)")


@pytest.mark.parametrize(("side", "small"), [(223, True), (224, False)])
def test_small_images_that_are_nearly_copies_may_be_different_presses(
    check: Check, presses: Presses, only: Only, side: int, small: bool
) -> None:
    images = presses(side=side, grey=True)
    images[55] = images[10] + 1
    text = only(check(images={"tactip": images}), "warning", "1 test image is nearly a copy")

    assert (f"at {side} x {side} pixels different presses may look like that too" in text) == small


def test_what_to_do_about_images_that_are_too_much_alike_does_not_suppose_one_recording(
    check: Check, presses: Presses, only: Only
) -> None:
    """They may come from two recordings; only who knows them can say that they belong together."""
    images = presses()
    images[55] = images[10] + 1
    takes = [f"take {index // 2}" for index in range(COUNT)]
    text = only(
        check(images={"tactip": images}, group="take", groups=takes),
        "warning", "if they are one press or recording, give them one value of 'take'",
    )  # fmt: skip

    assert "frames of one recording" not in text


def test_a_shift_by_two_pixels_is_another_image(check: Check, presses: Presses) -> None:
    images = presses()
    images[55] = np.roll(images[10], 2, axis=1)

    assert check(images={"tactip": images}).findings == []


def test_a_bump_that_is_elsewhere_is_another_image(check: Check, presses: Presses) -> None:
    images = presses()
    images[55] = images[10]
    images[55, 8:24, 8:24] += 6

    assert check(images={"tactip": images}).findings == []


def test_faint_images_are_not_all_called_copies(check: Check, presses: Presses) -> None:
    faint = (100 + (presses().astype(float) - 128) / 6).round().astype(np.uint8)

    assert check(images={"tactip": faint}).findings == []


def test_simulated_images_of_a_crowd_are_no_copies_but_those_of_a_lonely_one_are(
    presses: Presses,
) -> None:
    """Twenty presses that hardly touch look alike; a copied press does only to its copy."""
    images = presses(grey=True)
    images[:10], images[40:50] = images[0], images[0]
    images[:10, 5, 5, 0] = images[40:50, 6, 6, 0] = np.arange(10) + 100  # no two are equal
    images[55] = images[15] + 1
    splits = np.array(SPLITS)
    indices = {split: np.flatnonzero(splits == split) for split in ("train", "val", "test")}
    thumbnails = Thumbnails(SIDE, SIDE).straight(luminance(images))
    none = np.zeros(COUNT, bool)

    recorded = near_copies(images, thumbnails, indices, none)
    simulated = near_copies(images, thumbnails, indices, none, independent=True)
    assert {pair.index for pair in recorded} == {*range(40, 50), 55}
    assert simulated == [NearCopy(55, 15)]


def recordings(frames: int = 6, count: int = 30) -> np.ndarray:
    """Frames of recordings: the bump of each wanders by half a pixel from frame to frame."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:SIDE, :SIDE]
    images = []
    for _ in range(count):
        place, step = rng.uniform(12, SIDE - 12, 2), rng.normal(0, 0.7, 2)
        for frame in range(frames):
            cx, cy = place + frame * step
            bump = 80 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 18)
            images.append(90 + bump + rng.normal(0, 4, (SIDE, SIDE)))
    grey = np.stack(images)[..., None].clip(0, 255).astype(np.uint8)
    return np.repeat(grey, 3, axis=3)


def of_recordings(splits: list[str], order: np.ndarray | None = None, **changes: Any) -> dict:
    images = recordings()
    order = np.arange(len(images)) if order is None else order
    return {
        "count": len(images),
        "images": {"tactip": images[order]},
        "image_names": [f"frame_{index}.png" for index in order],
        "labels": {
            "x": np.tile(np.linspace(-6, 6, 10), 18),
            "yaw": np.tile(np.linspace(0, 350, 10), 18),
            "kind": np.arange(180) // 6 % 2,
        },
        "splits": [splits[index] for index in order],
        **changes,
    }


DIVIDED = [("train", "train", "val", "train", "test", "train")[i % 6] for i in range(180)]
TOGETHER = [("train", "train", "val", "train", "test")[i // 6 % 5] for i in range(180)]


def test_frames_of_recordings_in_two_splits_are_found(check: Check, only: Only) -> None:
    only(
        check(**of_recordings(DIVIDED)), "warning", "neighbour in the order of names",
        "--group-column", "frame_2.png (row 4, val) and frame_",
    )  # fmt: skip


def test_their_order_is_that_of_the_names_not_of_the_rows(check: Check, only: Only) -> None:
    shuffled = np.random.default_rng(0).permutation(180)

    only(check(**of_recordings(DIVIDED, shuffled)), "warning", "neighbour in the order of names")


def test_recordings_that_stay_together_are_fine(check: Check) -> None:
    assert check(**of_recordings(TOGETHER)).findings == []


def test_the_advice_names_the_group_column(check: Check, only: Only) -> None:
    groups = [f"half {i // 3}.{DIVIDED[i]}" for i in range(180)]
    changes = of_recordings(DIVIDED, group="recording", groups=groups)

    assert "one value of 'recording'" in only(check(**changes), "warning")


def test_images_sorted_by_class_are_no_recordings(check: Check, presses: Presses) -> None:
    """Twenty classes of nine images: the most similar image is always near, but rarely next."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    places = rng.uniform(6, SIDE - 6, (180, 2))
    bumps = [60 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 18) for cx, cy in places]
    images = 0.7 * np.repeat(presses(20, seed=5), 9, axis=0) + np.stack(bumps)[..., None]
    splits = [("train", "train", "val", "train", "test")[i] for i in rng.integers(0, 5, 180)]
    changes = of_recordings(splits, images={"tactip": images.astype(np.uint8)})

    assert check(**changes).findings == []


def test_chance_makes_no_recordings() -> None:
    found = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        thumbnails = rng.normal(size=(100, 6)).astype(np.float32)
        splits = np.array(["train", "train", "val", "test"])[rng.integers(0, 4, 100)]
        names = [str(index) for index in range(100)]
        found += frames_that_follow(thumbnails, names, splits, np.zeros(100, bool)) is not None

    assert found == 0


def test_thumbnails_of_a_shifted_image_are_those_of_the_image(presses: Presses) -> None:
    image = luminance(presses(1))
    maker = Thumbnails(SIDE, SIDE)
    moved = np.roll(image, (1, -1), axis=(1, 2))

    assert np.allclose(maker.shifted(moved)[:, 2 * 3 + 0], maker.straight(image), atol=1e-3)
    assert np.allclose(maker.shifted(image)[:, 4], maker.straight(image), atol=1e-3)
