"""Each fault that is planted in a clean pack is reported, and nothing else is."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vtbench.tasks.data.importers import import_csv, import_folder, import_tactip
from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.data.similar import (
    NearCopy,
    Thumbnails,
    frames_that_follow,
    luminance,
    near_copies,
)
from vtbench.tasks.data.verify import Verification, summary, verify
from vtbench.tasks.data.verify_labels import outliers
from vtbench.tasks.data.writer import DatasetContent, write_pack
from vtbench.tasks.edge_pose import EdgePose

COUNT, SIDE = 60, 48
SPLITS = ["train"] * 40 + ["val"] * 10 + ["test"] * 10


def presses(count: int = COUNT, *, seed: int = 0, side: int = SIDE, grey: bool = False):
    """Images that all look alike, as those of one sensor do: fixed pins, a small moving bump."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    pins = 60 * ((x % 6 < 2) & (y % 6 < 2))
    images = []
    for _ in range(count):
        cx, cy, wide = rng.uniform(8, side - 8), rng.uniform(8, side - 8), rng.uniform(3, 8)
        bump = rng.uniform(20, 60) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * wide**2))
        images.append(90 + pins + bump + rng.normal(0, 1.0, (side, side)))
    stacked = np.stack(images)[..., None].clip(0, 255).round().astype(np.uint8)
    return stacked if grey else np.repeat(stacked, 3, axis=3)


def contents(**changes: Any) -> DatasetContent:
    facts: dict[str, Any] = {
        "name": "edge",
        "count": COUNT,
        "images": {"tactip": presses()},
        "columns": {
            "x": Column(unit="mm"),
            "yaw": Column(unit="deg", period=360),
            "kind": Column(classes=("flat", "round")),
        },
        "labels": {
            "x": np.tile(np.linspace(-6, 6, 10), 6),
            "yaw": np.tile(np.linspace(0, 350, 10), 6),
            "kind": np.arange(COUNT) % 2,
        },
        "splits": SPLITS,
    }
    return DatasetContent(**{**facts, **changes})


TASKS = {
    "pose": TaskDeclaration(dataset="edge", targets=("x", "yaw"), title="Pose"),
    "kind": TaskDeclaration(dataset="edge", label="kind", title="Kind"),
}


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., Verification]:
    """Writes a pack with changes and verifies it."""

    def run(*more: DatasetContent, tasks: Any = TASKS, known: Any = None, **changes: Any):
        facts = {"name": "edge", "title": "Edge", "source": "real", "sensors": ["tactip"]}
        datasets = [contents(**changes), *more]
        write_pack(tmp_path / "pack", datasets=datasets, tasks=tasks, overwrite=True, **facts)
        return verify(tmp_path / "pack", known_tasks=known or {})

    return run


def only(result: Verification, level: str, *words: str) -> str:
    """The text of the one finding, which must have this level and hold these words."""
    sentences = [finding.sentence for finding in result.findings]
    assert len(sentences) == 1, sentences
    assert result.findings[0].level == level
    for word in words:
        assert word in sentences[0], sentences[0]
    assert sentences[0].endswith(".")
    return sentences[0]


def test_a_clean_pack_has_no_finding(check: Callable[..., Verification]) -> None:
    result = check()

    assert result.findings == []
    assert result.images == COUNT
    assert summary(result) == "Checked 60 images of 1 dataset, REAL data: 0 errors, 0 warnings."


def test_a_clean_grey_pack_of_two_sensors_has_no_finding(tmp_path: Path) -> None:
    seen = {"tactip": presses(grey=True), "digit": presses(seed=1, side=40)}
    write_pack(
        tmp_path / "pack", name="p", title="P", source="simulated", sensors=list(seen),
        datasets=[contents(images=seen)], tasks=TASKS,
    )  # fmt: skip
    steps: list[tuple[int, int]] = []
    progress = lambda done, total: steps.append((done, total))  # noqa: E731
    result = verify(tmp_path / "pack", known_tasks={}, progress=progress)

    assert result.findings == []
    assert steps[-1] == (2 * COUNT, 2 * COUNT)


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
    check: Callable[..., Verification], pixels: object, level: str, words: str
) -> None:
    images = presses()
    images[7] = pixels

    only(check(images={"tactip": images}), level, "edge/tactip.npy", words)


def test_many_blank_images_are_counted_and_not_called_copies(
    check: Callable[..., Verification],
) -> None:
    images = presses()
    images[[1, 2, 3, 45, 55]] = 0

    only(
        check(images={"tactip": images}), "error", "5 images are all black: 1 (row 3)", "and 2 more"
    )


@pytest.mark.parametrize(("level", "word"), [(0, "nearly all black"), (255, "nearly all white")])
def test_a_saturated_image_is_a_warning(
    check: Callable[..., Verification], level: int, word: str
) -> None:
    images = presses()
    images[7] = level
    images[7, :5, :5] = 100

    only(check(images={"tactip": images}), "warning", word)


# -------------------------------------------------------------------------------------- copies


def test_a_copy_in_another_split_is_an_error(check: Callable[..., Verification]) -> None:
    images = presses()
    images[50] = images[10]  # 50 % 10 and 50 % 2 give them the same labels

    text = only(
        check(images={"tactip": images}), "error", "1 image of val or test is also in",
        "50 (row 52, test) and 10 (row 12, train)",
    )  # fmt: skip
    assert "different labels" not in text


def test_copies_in_val_and_test_count_once_each(check: Callable[..., Verification]) -> None:
    images = presses()
    images[45] = images[55] = images[3]

    only(
        check(images={"tactip": images}), "error", "2 images of val or test are",
        "2 of them with different labels",
    )  # fmt: skip


def test_a_copy_within_a_split_is_a_warning(check: Callable[..., Verification]) -> None:
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
    check: Callable[..., Verification], change: Callable[[np.ndarray], np.ndarray]
) -> None:
    images = presses()
    images[55] = change(images[10])

    only(
        check(images={"tactip": images}), "warning", "1 test image is nearly a copy",
        "55 (row 57, test) and 10 (row 12, train)", "--group-column",
    )  # fmt: skip


@pytest.mark.parametrize("change", NEAR.values(), ids=NEAR)
def test_a_changed_copy_within_a_split_is_no_leak(
    check: Callable[..., Verification], change: Callable[[np.ndarray], np.ndarray]
) -> None:
    images = presses()
    images[30] = change(images[10])

    assert check(images={"tactip": images}).findings == []


def test_a_near_copy_of_val_in_test_is_found(check: Callable[..., Verification]) -> None:
    images = presses()
    images[55] = images[45] + 1

    only(check(images={"tactip": images}), "warning", "55 (row 57, test) and 45 (row 47, val)")


def test_a_shift_by_two_pixels_is_another_image(check: Callable[..., Verification]) -> None:
    images = presses()
    images[55] = np.roll(images[10], 2, axis=1)

    assert check(images={"tactip": images}).findings == []


def test_a_bump_that_is_elsewhere_is_another_image(check: Callable[..., Verification]) -> None:
    images = presses()
    images[55] = images[10]
    images[55, 8:24, 8:24] += 6

    assert check(images={"tactip": images}).findings == []


def test_faint_images_are_not_all_called_copies(check: Callable[..., Verification]) -> None:
    faint = (100 + (presses().astype(float) - 128) / 6).round().astype(np.uint8)

    assert check(images={"tactip": faint}).findings == []


def test_simulated_images_of_a_crowd_are_no_copies_but_those_of_a_lonely_one_are() -> None:
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


def test_frames_of_recordings_in_two_splits_are_found(check: Callable[..., Verification]) -> None:
    only(
        check(**of_recordings(DIVIDED)), "warning", "neighbour in the order of names",
        "--group-column", "frame_2.png (row 4, val) and frame_",
    )  # fmt: skip


def test_their_order_is_that_of_the_names_not_of_the_rows(
    check: Callable[..., Verification],
) -> None:
    shuffled = np.random.default_rng(0).permutation(180)

    only(check(**of_recordings(DIVIDED, shuffled)), "warning", "neighbour in the order of names")


def test_recordings_that_stay_together_are_fine(check: Callable[..., Verification]) -> None:
    assert check(**of_recordings(TOGETHER)).findings == []


def test_the_advice_names_the_group_column(check: Callable[..., Verification]) -> None:
    groups = [f"half {i // 3}.{DIVIDED[i]}" for i in range(180)]
    changes = of_recordings(DIVIDED, group="recording", groups=groups)

    assert "one value of 'recording'" in only(check(**changes), "warning")


def test_images_sorted_by_class_are_no_recordings(check: Callable[..., Verification]) -> None:
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


def test_thumbnails_of_a_shifted_image_are_those_of_the_image() -> None:
    image = luminance(presses(1))
    maker = Thumbnails(SIDE, SIDE)
    moved = np.roll(image, (1, -1), axis=(1, 2))

    assert np.allclose(maker.shifted(moved)[:, 2 * 3 + 0], maker.straight(image), atol=1e-3)
    assert np.allclose(maker.shifted(image)[:, 4], maker.straight(image), atol=1e-3)


# ----------------------------------------------------------------------------------- the files


def test_an_edited_labels_file_is_a_warning(
    check: Callable[..., Verification], tmp_path: Path
) -> None:
    check()
    labels = tmp_path / "pack/edge/labels.csv"
    labels.write_text(labels.read_text().replace("5,train,0.66", "5,train,0.67", 1))

    only(verify(tmp_path / "pack", known_tasks={}), "warning", "edge/labels.csv: has been edited")


def test_a_changed_byte_of_an_image_is_an_error_even_when_the_file_looks_unchanged(
    check: Callable[..., Verification], tmp_path: Path
) -> None:
    check()
    file = tmp_path / "pack/edge/tactip.npy"
    verify(tmp_path / "pack", known_tasks={})
    stamp = file.stat()
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))

    only(verify(tmp_path / "pack", known_tasks={}), "error", "edge/tactip.npy: is not what was")


def test_missing_checksums_are_a_warning(
    check: Callable[..., Verification], tmp_path: Path
) -> None:
    check()
    file = tmp_path / "pack/pack.yaml"
    lines = file.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip().startswith("digests"))
    stop = next(i for i in range(start, len(lines)) if "tasks:" in lines[i])
    file.write_text("\n".join(lines[:start] + lines[stop:]))
    result = verify(tmp_path / "pack", known_tasks={})

    assert [finding.sentence.partition(",")[0] for finding in result.warnings] == [
        "edge/labels.csv: has no checksum in pack.yaml",
        "edge/tactip.npy: has no checksum in pack.yaml",
    ]
    assert result.errors == []


def test_a_truncated_image_file_and_a_bad_label_are_both_reported(
    check: Callable[..., Verification], tmp_path: Path
) -> None:
    check()
    file = tmp_path / "pack/edge/tactip.npy"
    file.write_bytes(file.read_bytes()[:-1])
    labels = tmp_path / "pack/edge/labels.csv"
    labels.write_text(labels.read_text().replace("0,train,-6.0", "0,train,deep"))
    result = verify(tmp_path / "pack", known_tasks={})

    first, second = (finding.sentence for finding in result.errors)
    assert first.startswith("edge/labels.csv, row 2, column 'x': 'deep' is not a finite number")
    assert second.startswith("edge/tactip.npy: is truncated")


def test_a_folder_that_is_no_pack_is_one_error(tmp_path: Path) -> None:
    result = verify(tmp_path / "nowhere", known_tasks={})

    only(result, "error", "nowhere", "bench data import")
    assert summary(result) == "Nothing could be checked: 1 error, 0 warnings."


# ------------------------------------------------------------------------------------- splits


def test_a_recording_in_two_splits_is_an_error(
    check: Callable[..., Verification], tmp_path: Path
) -> None:
    check(group="recording", groups=[f"tap {index // 10}" for index in range(COUNT)])
    labels = tmp_path / "pack/edge/labels.csv"
    labels.write_text(labels.read_text().replace("3,train,tap 0", "3,test,tap 0"))

    only(
        verify(tmp_path / "pack", known_tasks={}), "error", "edge/labels.csv, row 5",
        "'tap 0' is in 'test', but in 'train' on row 2",
    )  # fmt: skip


def test_groups_of_one_image_keep_nothing_together(check: Callable[..., Verification]) -> None:
    result = check(group="recording", groups=[f"tap {index}" for index in range(COUNT)])

    only(result, "warning", "column 'recording': every image has a group of its own")


def other(images: np.ndarray, **changes: Any) -> DatasetContent:
    return contents(**{"name": "other", "images": {"tactip": images}, **changes})


def test_a_test_image_in_the_pool_of_another_dataset_is_an_error(
    check: Callable[..., Verification],
) -> None:
    images = presses(seed=9)
    images[3] = presses()[52]

    only(
        check(other(images)), "error", "edge/tactip.npy", "1 test image would be seen in",
        "52 (row 54)", "3 (row 5) of other", "`pretrain: false` for other",
    )  # fmt: skip
    assert check(other(images, pretrain=False)).findings == []


def test_the_same_test_image_in_two_datasets_is_fine(check: Callable[..., Verification]) -> None:
    images = presses(seed=9)
    images[53] = presses()[52]

    assert check(other(images)).findings == []


# ------------------------------------------------------------------------------------- labels


def three_kinds(codes: np.ndarray) -> dict[str, Any]:
    base = contents()
    return {
        "columns": {**base.columns, "kind": Column(classes=("flat", "round", "sharp"))},
        "labels": {**base.labels, "kind": codes},
    }


def codes(train: list[int], val: list[int], test: list[int]) -> np.ndarray:
    """Class codes with so many images of each class in each split."""
    return np.concatenate([np.repeat([0, 1, 2], part) for part in (train, val, test)])


@pytest.mark.parametrize(
    ("counts", "level", "words"),
    [
        (([20, 20, 0], [5, 5, 0], [5, 5, 0]), "warning", "no image shows 'sharp' (0 images)"),
        (([20, 20, 0], [5, 5, 0], [5, 3, 2]), "error", "ask for 'sharp' (2 images), but no train"),
        (([20, 10, 10], [5, 5, 0], [4, 3, 3]), "warning", "no val image shows 'sharp'"),
        (([20, 10, 10], [5, 2, 3], [5, 5, 0]), "warning", "no test image shows 'sharp'"),
        (([16, 20, 4], [5, 3, 2], [5, 3, 2]), "warning", "fewer than 5 train images"),
        (([20, 15, 5], [5, 3, 2], [5, 3, 2]), None, ""),
    ],
)
def test_classes_that_lack_images_are_named(
    check: Callable[..., Verification], counts: tuple, level: str | None, words: str
) -> None:
    result = check(**three_kinds(codes(*counts)))

    if level is None:
        assert result.findings == []
    else:
        only(result, level, "edge/labels.csv: column 'kind'", words)


def test_a_class_without_training_images_is_no_error_when_no_task_asks_for_it(
    check: Callable[..., Verification],
) -> None:
    changes = three_kinds(codes([20, 20, 0], [5, 5, 0], [5, 3, 2]))

    only(check(tasks={"pose": TASKS["pose"]}, **changes), "warning", "but no train image")


def test_uneven_classes_are_a_warning(check: Callable[..., Verification]) -> None:
    """51 against 5 is uneven, 50 against 5 not yet."""
    images, base = presses(80), contents()
    for large, found in ((51, True), (50, False)):
        kinds = np.concatenate([np.repeat([0, 1], [large, 5]), np.arange(75 - large) % 2])
        result = check(
            count=80,
            images={"tactip": images},
            labels={
                "x": np.tile(np.linspace(-6, 6, 10), 8),
                "yaw": np.tile(np.linspace(0, 350, 10), 8),
                "kind": kinds,
            },
            columns=base.columns,
            splits=["train"] * (large + 5) + ["val"] * 10 + ["test"] * (65 - large),
        )
        if found:
            only(result, "warning", "largest class has 51 train images ('flat'), the smallest 5")
        else:
            assert result.findings == []


def numbers(**values: np.ndarray) -> dict[str, Any]:
    return {"labels": {**contents().labels, **values}}


def test_a_constant_target_is_an_error(check: Callable[..., Verification]) -> None:
    only(check(**numbers(x=np.full(COUNT, 2.5))), "error", "column 'x': all images", "2.5 mm")


def test_a_target_that_is_constant_in_train_is_an_error(
    check: Callable[..., Verification],
) -> None:
    values = np.full(COUNT, 2.5)
    values[50:] = 3.0

    only(check(**numbers(x=values)), "error", "all train images have the value 2.5 mm")


def test_a_constant_column_that_no_task_asks_for_is_a_warning(
    check: Callable[..., Verification],
) -> None:
    tasks = {"kind": TASKS["kind"]}

    only(check(tasks=tasks, **numbers(x=np.full(COUNT, 2.5))), "warning", "all images have")


def test_an_outlier_is_named_with_its_row(check: Callable[..., Verification]) -> None:
    values = contents().labels["x"].copy()
    values[12] = 600

    only(check(**numbers(x=values)), "warning", "1 value lies far from all others", "12 (row 14)")


def test_outliers_are_measured_in_robust_standard_deviations() -> None:
    values = np.concatenate([np.linspace(-1, 1, 101), [0.0]])
    scale = 1.4826 * np.median(np.abs(values))

    values[-1] = 7.9 * scale
    assert outliers(values).tolist() == []
    values[-1] = -8.3 * scale
    assert outliers(values).tolist() == [101]
    assert outliers(np.array([0.0] * 9 + [5.0])).tolist() == []


def test_test_values_outside_the_training_range_are_counted(
    check: Callable[..., Verification],
) -> None:
    values = contents().labels["x"].copy()
    values[52] = 7.3  # 40 values over 12 mm: four times their mean distance is 1.2 mm
    values[53] = 7.1
    values[45] = -7.1

    only(
        check(**numbers(x=values)), "warning", "1 test value of 10 lies outside the train range",
        "52 (row 54)",
    )  # fmt: skip


def test_an_angle_over_more_than_its_period_is_a_warning(
    check: Callable[..., Verification],
) -> None:
    values = contents().labels["yaw"].copy()
    values[12] = 365

    only(check(**numbers(yaw=values)), "warning", "from 0 to 365 deg, more than the one turn")
    values[12] = 360
    assert check(**numbers(yaw=values)).findings == []


@pytest.mark.parametrize(("unit", "turn", "period"), [("deg", 350, "360"), ("rad", 6, "6.283185")])
def test_a_whole_turn_without_a_period_is_a_warning(
    check: Callable[..., Verification], unit: str, turn: float, period: str
) -> None:
    columns = {**contents().columns, "yaw": Column(unit=unit)}
    angles = np.tile(np.linspace(0, turn, 10), 6)

    only(check(columns=columns, **numbers(yaw=angles)), "warning", f"`period: {period}`")
    assert check(columns=columns, **numbers(yaw=angles / 2)).findings == []


# -------------------------------------------------------------------------------------- tasks


def test_a_task_that_does_not_fit_the_one_vtbench_knows_is_an_error(
    check: Callable[..., Verification],
) -> None:
    tasks = {**TASKS, "edge_pose": TaskDeclaration(dataset="edge", targets=("x", "yaw"))}

    only(check(tasks=tasks, known={"edge_pose": EdgePose}), "error", "pack.yaml", "'edge_pose'")
    assert check(tasks=tasks).findings == []


def test_a_pack_without_a_task_is_a_warning(check: Callable[..., Verification]) -> None:
    only(check(tasks={}), "warning", "pack.yaml: declares no task")


# ---------------------------------------------------------------------------------- real data


@pytest.fixture
def real() -> Path:
    if "VTBENCH_REAL_DATA" not in os.environ:
        pytest.skip("VTBENCH_REAL_DATA does not name the folder of real recordings")
    return Path(os.environ["VTBENCH_REAL_DATA"])


def test_real_taps_and_shapes_are_clean(real: Path, tmp_path: Path) -> None:
    taps = import_tactip(real / "tactip-edge-tap", tmp_path / "edge").pack
    shapes = import_folder(real / "tactip-shapes", tmp_path / "shapes", task="shape").pack

    assert verify(taps.path, known_tasks={}).findings == []
    assert verify(shapes.path, known_tasks={}).findings == []


def test_real_clips_that_were_divided_are_found(real: Path, tmp_path: Path) -> None:
    manifest = real / "gelsight-slip" / "labels.csv"
    options: dict[str, Any] = {"labels": {"slip": "slip"}, "sensor": "gelsight", "size": 96}
    divided = import_csv(manifest, tmp_path / "divided", **options).pack
    together = import_csv(manifest, tmp_path / "together", group_column="recording", **options).pack

    def order_findings(path: Path) -> list[str]:
        found = verify(path, known_tasks={}).findings
        return [finding.text for finding in found if "order of names" in finding.text]

    assert len(order_findings(divided.path)) == 1
    assert order_findings(together.path) == []
