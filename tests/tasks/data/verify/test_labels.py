"""Faults planted in the labels of a clean pack are reported, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.data.verify import Verification
from vtbench.tasks.data.verify_labels import outliers
from vtbench.tasks.data.writer import DatasetContent

Check = Callable[..., Verification]
Only = Callable[..., str]
Presses = Callable[..., np.ndarray]
Contents = Callable[..., DatasetContent]
Tasks = dict[str, TaskDeclaration]

COUNT = 60


def three_kinds(contents: Contents, codes: np.ndarray) -> dict[str, Any]:
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
        (
            ([16, 20, 4], [5, 3, 2], [5, 3, 2]),
            "warning",
            "train images show 'sharp' (4 train images)",
        ),
        (([20, 15, 5], [5, 3, 2], [5, 3, 2]), None, ""),
    ],
)
def test_classes_that_lack_images_are_named(
    check: Check, counts: tuple, level: str | None, words: str, only: Only, contents: Contents
) -> None:
    result = check(**three_kinds(contents, codes(*counts)))

    if level is None:
        assert result.findings == []
    else:
        only(result, level, "edge/labels.csv: column 'kind'", words)


def test_a_class_without_training_images_is_no_error_when_no_task_asks_for_it(
    check: Check, only: Only, contents: Contents, tasks: Tasks
) -> None:
    changes = three_kinds(contents, codes([20, 20, 0], [5, 5, 0], [5, 3, 2]))

    only(check(tasks={"pose": tasks["pose"]}, **changes), "warning", "but no train image")


def test_uneven_classes_are_a_warning(
    check: Check, presses: Presses, contents: Contents, only: Only
) -> None:
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


def numbers(contents: Contents, **values: np.ndarray) -> dict[str, Any]:
    return {"labels": {**contents().labels, **values}}


def test_a_constant_target_is_an_error(check: Check, only: Only, contents: Contents) -> None:
    only(
        check(**numbers(contents, x=np.full(COUNT, 2.5))),
        "error",
        "column 'x': all images",
        "2.5 mm",
    )


def test_a_target_that_is_constant_in_train_is_an_error(
    check: Check, only: Only, contents: Contents
) -> None:
    values = np.full(COUNT, 2.5)
    values[50:] = 3.0

    only(check(**numbers(contents, x=values)), "error", "all train images have the value 2.5 mm")


def test_a_constant_column_that_no_task_asks_for_is_a_warning(
    check: Check, only: Only, contents: Contents, tasks: Tasks
) -> None:
    changed = {"kind": tasks["kind"]}

    only(
        check(tasks=changed, **numbers(contents, x=np.full(COUNT, 2.5))),
        "warning",
        "all images have",
    )


def test_an_outlier_is_named_with_its_row(check: Check, contents: Contents, only: Only) -> None:
    values = contents().labels["x"].copy()
    values[12] = 600

    only(
        check(**numbers(contents, x=values)),
        "warning",
        "1 value lies far from all others",
        "12 (row 14)",
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("column", ["x", "yaw"])
def test_a_number_too_large_to_train_on_is_an_error(
    check: Check, contents: Contents, only: Only, column: str
) -> None:
    """Without overflow in what else is said of the column."""
    values = contents().labels[column].copy()
    values[12], values[50] = -1.5e308, 1.5e308

    only(
        check(**numbers(contents, **{column: values})), "error",
        f"column '{column}': 2 values are beyond 1e+18, at 12 (row 14), 50 (row 52)",
    )  # fmt: skip


def test_outliers_are_measured_in_robust_standard_deviations() -> None:
    values = np.concatenate([np.linspace(-1, 1, 101), [0.0]])
    scale = 1.4826 * np.median(np.abs(values))

    values[-1] = 7.9 * scale
    assert outliers(values).tolist() == []
    values[-1] = -8.3 * scale
    assert outliers(values).tolist() == [101]
    assert outliers(np.array([0.0] * 9 + [5.0])).tolist() == []


def test_test_values_outside_the_training_range_are_counted(
    check: Check, contents: Contents, only: Only
) -> None:
    values = contents().labels["x"].copy()
    values[52] = 7.3  # 40 values over 12 mm: four times their mean distance is 1.2 mm
    values[53] = 7.1
    values[45] = -7.1

    text = only(check(**numbers(contents, x=values)), "warning", "52 (row 54)")
    assert "1 test value of 10 lies outside the train range" in text


def test_an_angle_over_more_than_its_period_is_a_warning(
    check: Check, contents: Contents, only: Only
) -> None:
    values = contents().labels["yaw"].copy()
    values[12] = 365

    only(
        check(**numbers(contents, yaw=values)),
        "warning",
        "from 0 to 365 deg, more than the one turn",
    )
    values[12] = 360
    assert check(**numbers(contents, yaw=values)).findings == []


@pytest.mark.parametrize(("unit", "turn", "period"), [("deg", 350, "360"), ("rad", 6, "6.283185")])
def test_a_whole_turn_without_a_period_is_a_warning(
    check: Check, unit: str, turn: float, period: str, contents: Contents, only: Only
) -> None:
    columns = {**contents().columns, "yaw": Column(unit=unit)}
    angles = np.tile(np.linspace(0, turn, 10), 6)

    only(check(columns=columns, **numbers(contents, yaw=angles)), "warning", f"`period: {period}`")
    assert check(columns=columns, **numbers(contents, yaw=angles / 2)).findings == []
