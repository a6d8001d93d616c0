"""A pack in words: what is counted is right, and nothing that is declared is left out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vtbench.tasks.data.brief import brief
from vtbench.tasks.data.describe import describe, histogram, summarised, value_text
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.errors import DataError


def test_the_short_description_says_what_an_import_made(pack: Pack) -> None:
    assert brief(pack) == [
        "Taps on an edge (real data, pack tactip-edge, sensors tactip)",
        "  edge: 6 x 8 x 3 pixels; train 12, val 4, test 4",
        "    x: -6 to 6 mm",
        "    yaw: 0 to 190 deg, wraps at 360",
        "    kind: 2 classes",
        "  tasks: edge_pose, kind",
    ]


def test_an_edited_file_is_mentioned(pack: Pack, edit: Callable[..., object]) -> None:
    edit("edge/labels.csv", "0,train,tap 0,-6.0", "0,train,tap 0,-5.0")

    assert brief(Pack.open(pack.path))[-1] == (
        "  edge/labels.csv has been edited since the pack was made"
    )


def test_everything_declared_is_described(write: Callable[..., Pack]) -> None:
    pack = write(licence="BSD", citation="A. Author, 2024")
    lines = [" ".join(line.split()) for line in describe(pack)]

    for line in (
        "Taps on an edge",
        "data REAL",
        f"pack tactip-edge in {pack.path}",
        "licence BSD",
        "citation A. Author, 2024",
        "tasks edge_pose (x, yaw of edge), kind (kind of edge)",
        "edge: 20 images",
        "tactip 6 x 8 pixels, colour",
        "splits train 12, val 4, test 4",
        "groups 5 of column 'recording', each within one split",
        "pool train and val join pre-training",
        "kind: 2 classes of 10 images, median 10",
        "kind train val test all",
        "flat 6 2 2 10 ████████████████████",
    ):
        assert line in lines
    row = next(line for line in lines if line.startswith("x mm"))
    assert row.startswith("x mm -6.00 6.00 0.00 3.64 ")


def test_what_is_not_stated_is_said(pack: Pack) -> None:
    lines = describe(pack)

    assert "  licence   not stated" in lines
    assert "  citation  not stated" in lines


def test_one_dataset_and_one_sensor_can_be_chosen(
    write: Callable[..., Pack], content: Callable[..., object], images: np.ndarray
) -> None:
    seen = {"tactip": images[..., :1], "digit": images}
    both = [content(images=seen), content(name="other", images=seen)]
    pack = write(sensors=["tactip", "digit"], datasets=both)
    text = "\n".join(describe(pack, dataset="other", sensor="digit"))

    assert "other: 20 images\n  digit     6 x 8 pixels, colour" in text
    assert "edge: " not in text
    assert "grey" not in text
    everything = "\n".join(describe(pack))
    assert "edge: 20 images of each sensor\n  tactip    6 x 8 pixels, grey\n  digit" in everything
    with pytest.raises(DataError, match="did you mean 'other'"):
        describe(pack, dataset="othr")
    with pytest.raises(DataError, match="no sensor 'dgit'; did you mean 'digit'"):
        describe(pack, sensor="dgit")


def test_a_list_of_very_many_classes_is_summarised(
    write: Callable[..., Pack], content: Callable[..., object]
) -> None:
    names = tuple(f"class {index}" for index in range(61))
    kinds = {**content().columns, "kind": Column(classes=names)}
    lines = describe(write(datasets=[content(columns=kinds)]))

    assert any("kind: 61 classes of 0 to 10 images" in line for line in lines)
    assert not any("class 5" in line for line in lines)


def test_columns_stand_under_each_other(pack: Pack) -> None:
    header, x, yaw = (
        next(line for line in describe(pack) if line.startswith(f"  {word}"))
        for word in ("column", "x ", "yaw ")
    )

    assert x.index("-6.00") + 5 == header.index("min") + 3
    assert yaw.index("wraps at 360") < header.index("min")


def test_an_angle_is_averaged_on_the_circle() -> None:
    near_north = summarised(np.array([350.0, 355.0, 5.0, 10.0]), 360.0)

    assert near_north.mean == pytest.approx(0, abs=1e-6)
    assert near_north.std == pytest.approx(np.std([-10, -5, 5, 10]), rel=0.01)
    assert summarised(np.arange(0, 360, 10.0), 360.0).mean is None
    assert summarised(np.array([350.0, 10.0]), None).mean == 180


EXTREMES = [
    [-1.5e308, 1.5e308],
    [1e308] * 3,
    [0.0, 1.0, 1.7e308],
    [0.0, 1e-308],
    [-1e-320, 1e-320],
    [0.0, 5e-324],
    [1.0, 1.0 + 2**-52],
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", EXTREMES, ids=str)
@pytest.mark.parametrize("period", [None, 360.0, 1e308, 1e-308])
def test_the_largest_and_smallest_numbers_are_described(
    values: list[float], period: float | None, write: Callable[..., Pack], content
) -> None:
    facts = {
        "columns": {"x": Column(unit="mm", period=period)},
        "labels": {"x": np.resize(np.array(values), 20)},
    }
    tasks = {"press": TaskDeclaration(dataset="edge", targets=("x",), title="Press")}
    lines = describe(write(datasets=[content(**facts)], tasks=tasks))

    row = next(line for line in lines if line.startswith("  x "))
    assert len(row) < 140
    assert "nan" not in row
    assert "inf" not in row


def test_mean_and_spread_of_the_largest_numbers_are_right() -> None:
    large = summarised(np.array([1e308, 1.5e308]), None)
    small = summarised(np.array([1e-300, 3e-300]), None)

    assert (large.mean, large.std) == (pytest.approx(1.25e308), pytest.approx(2.5e307))
    assert (small.mean, small.std) == (pytest.approx(2e-300), pytest.approx(1e-300))


def test_every_image_is_somewhere_in_the_histogram() -> None:
    assert histogram(np.array([0.0] * 1000 + [1.0]), bins=2) == "█▁"
    assert histogram(np.array([0.0, 1.0, 1.0]), bins=4) == "▄  █"
    assert len(histogram(np.array([3.0, 3.0]))) == 24
    assert histogram(np.array([-1.5e308, 0.0, 1.5e308]), bins=3) == "███"


@pytest.mark.parametrize(
    ("value", "values", "text"),
    [
        (3.14159, [0, 8], "3.14"),
        (-0.0004, [-6, 6], "0.0"),
        (179.6, [-180, 180], "180"),
        (0.00123, [0, 0.01], "0.0012"),
        (-1e308, [-1e308, 1e308], "-1e+308"),
        (2.5e-9, [0, 1e-8], "2.5e-09"),
        (123456789.0, [0, 1e9], "123456789"),
    ],
)
def test_values_have_three_digits_of_their_range(value: float, values: list, text: str) -> None:
    assert value_text(value, np.array(values, float)) == text
