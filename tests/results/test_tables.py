"""Table I says what the records say: means, ranks, gaps, and what must be known about them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtbench.results.cells import ranks
from vtbench.results.errors import ResultsError
from vtbench.results.record import MetricFacts
from vtbench.results.selection import GroupKey
from vtbench.results.tables import RowSpec, TaskColumns, groups, tabulate

ACCURACY = MetricFacts(
    name="top1", label="Top-1", unit="%", better="higher", decimals=2, primary=True
)
ERROR = replace(ACCURACY, name="mae", label="Avg. MAE", unit="mm", better="lower", decimals=4)


@pytest.fixture
def shape(make_record):
    """shape(method, *top1 of seeds 0, 1, …): records of the Shape task; None is a failed seed."""

    def make(method, *values):
        return [
            make_record(method, "shape", seed, None if value is None else {"top1": value})
            for seed, value in enumerate(values)
        ]

    return make


def column(table, index=0):
    return {row.spec: row.cells[index] for row in table.rows}


def note(table, start):
    found = [one for one in table.notes if one.startswith(start)]
    return found[0] if found else None


def test_mean_spread_and_seeds_by_hand(make_record):
    records = [
        make_record("sarl", "shape", seed, {"top1": top1, "top5": 100.0})
        for seed, top1 in enumerate([90.0, 92.0, 97.0])
    ]
    table = tabulate(records)

    assert [one.name for one in table.columns] == ["shape_top1", "shape_top5"]
    top1, top5 = table.rows[0].cells
    assert (top1.mean, top1.sd, top1.n) == (93.0, math.sqrt(13.0), 3)
    assert (top5.mean, top5.sd, top5.seeds) == (100.0, 0.0, (0, 1, 2))
    assert top1.status == "done"


def test_rows_are_reference_then_methods_as_given_then_controls(shape):
    wanted = [
        RowSpec("raw", "Raw pixels + linear", "control"),
        RowSpec("simclr", "SimCLR", "method"),
        RowSpec("supervised", "Supervised", "reference"),
        RowSpec("byol", "BYOL", "method"),
    ]
    table = tabulate(shape("simclr", 50.0), rows=wanted)

    assert [row.spec for row in table.rows] == ["supervised", "simclr", "byol", "raw"]


def test_rows_and_tasks_not_given_follow_the_paper(make_record):
    records = [
        make_record(method, task, 0, {"mae": 1.0} if task == "force" else {"top1": 1.0})
        for task in ("force", "slip", "grating", "shape")
        for method in ("zeta", "raw", "sarl", "byol", "supervised", "alpha")
    ]
    table = tabulate(records)

    assert [row.spec for row in table.rows] == [
        "supervised", "byol", "sarl", "zeta", "alpha", "raw",
    ]  # fmt: skip
    tasks = list(dict.fromkeys(one.task for one in table.columns))
    assert tasks == ["shape", "grating", "force", "slip"]


def test_ranks_follow_the_direction_and_leave_out_reference_and_controls(make_record):
    scores = {"supervised": 99.0, "sarl": 80.0, "byol": 90.0, "simclr": 70.0, "raw": 60.0}
    records = [make_record(m, "shape", 0, {"top1": v}) for m, v in scores.items()]
    errors = [make_record(m, "force", 0, {"mae": v}) for m, v in scores.items()]
    table = tabulate(records + errors)

    assert {spec: cell.rank for spec, cell in column(table, 0).items()} == {
        "supervised": None, "byol": 1, "sarl": 2, "simclr": 3, "raw": None,
    }  # fmt: skip
    assert {spec: cell.rank for spec, cell in column(table, 2).items()} == {
        "supervised": None, "byol": 3, "sarl": 2, "simclr": 1, "raw": None,
    }  # fmt: skip


def test_values_displayed_alike_share_a_rank(shape):
    records = shape("sarl", 90.001) + shape("byol", 90.004) + shape("simclr", 89.99)
    ranked = column(tabulate(records))

    assert [ranked[spec].rank for spec in ("sarl", "byol", "simclr")] == [1, 1, 3]


def test_a_single_method_has_no_rank(shape):
    table = tabulate(shape("sarl", 90.0) + shape("raw", 20.0))

    assert column(table)["sarl"].rank is None
    assert note(table, "¹ best") is None


@given(st.lists(st.integers(0, 500), min_size=1, max_size=8))
def test_ranks_are_competition_ranks_in_both_directions(values):
    scores = [value / 100 for value in values]

    assert ranks(scores, ACCURACY) == [1 + sum(v > own for v in values) for own in values]
    assert ranks(scores, ERROR) == [1 + sum(v < own for v in values) for own in values]


def test_one_seed_is_said_to_test_nothing(shape):
    table = tabulate(shape("sarl", 90.0) + shape("byol", 80.0))

    assert column(table)["sarl"].sd is None
    assert column(table)["sarl"].rank == 1
    assert note(table, "°") == "° one seed (n = 1): nothing is claimed about differences."


def test_missing_and_failed_cells_are_told_apart(shape):
    wanted = [RowSpec(name, name, "method") for name in ("sarl", "byol", "simclr")]
    table = tabulate(shape("sarl", 90.0) + shape("byol", None), rows=wanted)
    cells = column(table)

    assert [cells[name].status for name in ("sarl", "byol", "simclr")] == [
        "done", "failed", "missing",
    ]  # fmt: skip
    assert cells["byol"].reason == "The loss became NaN."
    assert note(table, "Failed") == "Failed: byol on Shape (seed 0): The loss became NaN."
    assert note(table, "No result") == ("No result yet (–) for 1 of 3 pairs of method and task.")


def test_fewer_seeds_than_others_are_partial_and_still_ranked(shape):
    table = tabulate(shape("sarl", 90.0, 92.0, 94.0) + shape("byol", 95.0, None, 97.0))
    cells = column(table)

    assert (cells["sarl"].status, cells["sarl"].n, cells["sarl"].rank) == ("done", 3, 2)
    assert (cells["byol"].status, cells["byol"].seeds) == ("partial", (0, 2))
    assert (cells["byol"].mean, cells["byol"].rank) == (96.0, 1)
    assert note(table, "(n=…)") == "(n=…) after a number: fewer seeds than the 3 of other cells."
    assert note(table, "Failed") == "Failed: BYOL on Shape (seed 1): The loss became NaN."


def test_stale_records_are_left_out_and_counted(shape):
    sarl, byol = shape("sarl", 90.0), shape("byol", 80.0)
    table = tabulate(sarl + byol, stale={sarl[0].id})
    cell = column(table)["sarl"]

    assert (cell.status, cell.mean, cell.rank) == ("stale", None, None)
    assert note(table, "1 stale") == (
        "1 stale record is left out: code, settings or data have changed since."
    )


def test_stale_records_are_shown_when_asked_for_but_not_ranked(shape):
    sarl, byol, simclr = shape("sarl", 90.0), shape("byol", 80.0), shape("simclr", 70.0)
    stale = {sarl[0].id}
    table = tabulate(sarl + byol + simclr, stale=stale, include_stale=True)
    cells = column(table)

    assert (cells["sarl"].status, cells["sarl"].mean, cells["sarl"].rank) == ("stale", 90.0, None)
    assert (cells["byol"].rank, cells["simclr"].rank) == (1, 2)
    assert note(table, "†").startswith("† rests on stale results")
    assert note(table, "1 stale") is None


def test_a_current_record_goes_before_a_stale_one_of_the_same_seed(make_record):
    current = make_record(scores={"top1": 90.0}, age=1)
    old = make_record(scores={"top1": 10.0}, age=0)
    table = tabulate([old, current], stale={old.id}, include_stale=True)

    assert (column(table)["sarl"].mean, column(table)["sarl"].status) == (90.0, "done")
    assert note(table, "1 stale") is not None


def test_of_two_records_of_one_seed_the_later_stands(make_record):
    later = make_record(scores={"top1": 90.0}, age=0)
    earlier = make_record(scores={"top1": 10.0}, age=3)
    for records in ([earlier, later], [later, earlier]):
        table = tabulate(records)

        assert (column(table)["sarl"].mean, column(table)["sarl"].n) == (90.0, 1)
        assert note(table, "1 older") == (
            "1 older record is left out: the same cells were run again."
        )


@pytest.mark.parametrize(
    "change",
    [
        {"profile": "paper"},
        {"sensor": "tactip"},
        {"data": {"pack": "vitactip"}},
        {"data": {"source": "real"}},
    ],
    ids=["profile", "sensor", "pack", "source"],
)
def test_records_of_two_groups_never_share_a_table(make_record, change):
    one = make_record("sarl", scores={"top1": 1.0})
    if "data" in change:
        change = {"data": {**one.data, **change["data"]}}
    other = make_record("byol", scores={"top1": 1.0}, **change)

    with pytest.raises(ResultsError, match="one table cannot mix data, profiles or sensors"):
        tabulate([one, other])
    assert sorted(len(found) for found in groups([one, other]).values()) == [1, 1]


def test_groups_keep_the_order_of_their_records(make_record):
    records = [
        make_record("sarl", scores={"top1": 1.0}, profile="quick"),
        make_record("sarl", scores={"top1": 1.0}, profile="paper"),
        make_record("byol", scores={"top1": 1.0}, profile="quick"),
    ]
    found = groups(records)

    assert list(found) == [
        GroupKey("vitactip-sim", "simulated", "paper", "vitactip"),
        GroupKey("vitactip-sim", "simulated", "quick", "vitactip"),
    ]
    assert [record.method for record in [*found.values()][1]] == ["sarl", "byol"]


def test_no_records_make_no_table():
    with pytest.raises(ResultsError, match="no records to tabulate"):
        tabulate([])


def test_one_metric_in_two_units_is_refused(make_record):
    one = make_record("sarl", scores={"top1": 1.0})
    share = tuple(replace(metric, unit="") for metric in one.metrics)
    other = make_record("byol", scores={"top1": 0.01}, metrics=share)

    with pytest.raises(ResultsError, match="Top-1 is in %"):
        tabulate([one, other])
    assert len(tabulate([one, other], stale={other.id}).columns) == 2


def test_columns_are_primary_metrics_and_top5_and_on_request_every_axis(make_record):
    records = [
        make_record("sarl", "shape", 0, {"top1": 1.0, "top5": 2.0}),
        make_record("sarl", "force", 0, {"mae": 1.0, "mae_x": 2.0}),
    ]

    def names(**options):
        return [one.name for one in tabulate(records, **options).columns]

    assert names() == ["shape_top1", "shape_top5", "force_mae"]
    assert names(per_axis=True) == ["shape_top1", "shape_top5", "force_mae", "force_mae_x"]


def test_a_task_without_results_has_the_columns_it_declares(shape):
    tasks = [TaskColumns("force", "Force", (ERROR,)), TaskColumns("slip", "Slip")]
    table = tabulate(shape("sarl", 90.0), tasks=tasks)

    assert [one.title for one in table.columns] == ["Force Avg. MAE"]
    assert table.rows[0].cells[0].status == "missing"
    assert note(table, "No column") == "No column yet for Slip: none of its cells is finished."


def test_rows_of_one_title_are_told_apart_by_their_specs(make_record):
    records = [
        make_record("sarl", scores={"top1": 1.0}),
        make_record("sarl:ram=0", scores={"top1": 1.0}, method_title="SARL"),
        make_record("byol", scores={"top1": 1.0}),
    ]

    assert [row.title for row in tabulate(records).rows] == [
        "BYOL", "SARL (sarl)", "SARL (sarl:ram=0)",
    ]  # fmt: skip


def test_an_unknown_role_is_refused():
    with pytest.raises(ResultsError, match="role of sarl must be one of"):
        RowSpec("sarl", "SARL", "winner")
