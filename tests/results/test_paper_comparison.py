"""Our cells stand beside the paper's, and values are held against values only where they may be."""

from __future__ import annotations

from collections import Counter

import pytest

from vtbench.results.paper import published
from vtbench.results.paper_comparison import Ours, agreement, match_table, printed_column
from vtbench.results.tables import RowSpec, tabulate

REAL = {
    "pack": "vitactip",
    "title": "ViTacTip",
    "source": "real",
    "fingerprint": "f00d",
    "dataset": "shape",
    "train": 70,
    "val": 15,
    "test": 15,
}


@pytest.fixture
def shape(make_record):
    """shape(method, *top1 of seeds 0, 1, …, **fields): records of the Shape task."""

    def make(method, *values, **fields):
        return [
            make_record(method, "shape", seed, None if v is None else {"top1": v}, **fields)
            for seed, v in enumerate(values)
        ]

    return make


def matched(records, number=1, stale=frozenset()):
    return match_table(Ours.of(tabulate(records, number=number, stale=stale), records, stale))


def cell(match, row, column="shape_top1"):
    found = next(one for one in match.columns if one.column.name == column)
    return next(one for one in found.cells if one.row == row)


def test_every_cell_of_the_paper_is_there_even_where_ours_is_not(shape):
    match = matched(shape("sarl", 90.0))

    assert {(one.row, column.column.name) for column in match.columns for one in column.cells} == {
        (row, f"{task}_{metric}") for row, cells in published(1).items() for task, metric in cells
    }
    assert match.missing == (98, 99)


def test_a_published_number_inside_and_outside_our_interval(shape):
    match = matched(
        [
            *shape("sarl", 92.0, 92.5, 93.0, data=REAL),
            *shape("byol", 90.0, 90.1, 90.2, data=REAL),
        ]
    )

    sarl, byol = cell(match, "sarl"), cell(match, "byol")
    assert (sarl.verdict, byol.verdict) == ("within", "outside")
    assert sarl.difference == pytest.approx(92.5 - 92.51)
    assert byol.difference == pytest.approx(90.1 - 82.67)
    assert match.comparable


def test_the_rounding_of_the_printed_number_counts_in_its_favour(shape):
    just_inside = matched(shape("sarl", 92.5149, 92.5149, data=REAL))
    outside = matched(shape("sarl", 92.5151, 92.5151, data=REAL))

    assert cell(just_inside, "sarl").verdict == "within"
    assert cell(outside, "sarl").verdict == "outside"


def test_one_seed_has_no_interval_and_other_cells_say_what_they_lack(shape):
    stale = shape("simclr", 80.0, data=REAL)
    match = matched(
        [*shape("sarl", 92.51, data=REAL), *shape("byol", None, data=REAL), *stale],
        stale={stale[0].id},
    )

    verdicts = {row: cell(match, row).verdict for row in ("sarl", "byol", "simclr", "vicreg")}
    assert verdicts == {
        "sarl": "no interval",
        "byol": "failed",
        "simclr": "stale",
        "vicreg": "missing",
    }
    assert cell(match, "simclr").ours is None


def test_simulated_values_are_never_held_against_real_ones(shape):
    match = matched(shape("sarl", 92.0, 92.5, 93.0))

    assert not match.comparable
    assert "SIMULATED" in match.standing
    assert "only the ORDER" in match.standing
    assert cell(match, "sarl").verdict == "not comparable"
    assert cell(match, "sarl").difference is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"data": {**REAL, "pack": "gelsight"}}, "pack gelsight"),
        ({"data": REAL, "sensor": "vitac"}, "sensor vitac"),
        (
            {
                "data": {**REAL, "source": "simulated"},
                "trained_on": {"pack": "vitactip", "title": "ViTacTip", "source": "real"},
            },
            "simulated data",
        ),
    ],
)
def test_other_data_is_compared_by_order_alone(shape, fields, words):
    match = matched(shape("sarl", 92.0, 92.5, **fields))

    assert not match.comparable
    assert words in match.standing


def test_the_order_is_that_of_methods_that_both_have_without_reference_and_controls(shape):
    records = [
        *shape("supervised", 10.0),
        *shape("raw", 99.0),
        *shape("sarl", 90.0),
        *shape("byol", 70.0),
        *shape("simclr", 80.0),
        *shape("simsiam", 75.0),
    ]
    column = matched(records).columns[0]

    # theirs: sarl, simclr, byol, simsiam; ours: sarl, simclr, simsiam, byol: 5 of 6 pairs agree
    assert column.agreement.tau == pytest.approx((5 - 1) / 6)
    assert column.agreement.methods == 4
    ranks = {one.row: (one.rank, one.published_rank) for one in column.cells if one.rank}
    assert ranks == {"sarl": (1, 1), "simclr": (2, 2), "byol": (4, 3), "simsiam": (3, 4)}
    assert (column.first, column.published_first) == (("SARL",), ("SARL",))


def test_a_lower_error_is_better_in_both_orders(make_record):
    errors = {"sarl": 0.1, "simsiam": 0.2, "byol": 0.3}
    records = [
        make_record(row, "edge_pose", 0, {"mae": value, "mae_x": value})
        for row, value in errors.items()
    ]
    column = next(c for c in matched(records).columns if c.column.name == "edge_pose_mae")

    assert column.agreement.tau == 1
    assert column.first == ("SARL",)


def test_means_that_are_displayed_alike_are_tied():
    assert agreement([1.0, 1.0, 2.0], [1.0, 2.0, 3.0]).tau == pytest.approx(2 / 6**0.5)


def test_two_methods_and_equal_methods_have_no_coefficient():
    assert agreement([1.0, 2.0], [1.0, 2.0]) is None
    assert agreement([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]) is None


def test_rows_of_table_four_are_sensors_whatever_their_packs(make_record):
    records = [
        make_record(
            "sarl", "shape", seed, {"top1": value + seed}, sensor=sensor,
            data={**REAL, "pack": sensor}, id=f"{seed}{value:.0f}abcd",
        )
        for sensor, value in [("tactip", 40.0), ("vitac", 88.0), ("vitactip", 91.0)]
        for seed in (0, 1)
    ]  # fmt: skip
    match = matched(records, number=4)

    assert match.comparable
    assert Counter(one.verdict for one in match.columns[0].cells) == {"within": 3}
    assert match.columns[0].agreement.tau == 1


def test_a_row_that_failed_on_all_tasks_is_told_from_one_that_was_never_run(shape):
    records = [*shape("byol", None), *shape("sarl", 90.0)]
    table = tabulate(records, rows=[RowSpec("sarl", "SARL", "method")])
    match = match_table(Ours.of(table, records))

    assert cell(match, "byol").verdict == "failed"


def test_printed_columns_know_their_decimals():
    assert printed_column(("magictac_t", "top5")).title == "MagicTac-T Top-5"
    assert printed_column(("force", "mae")).metric.decimals == 4
