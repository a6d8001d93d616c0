"""Best, tied and worse are said only where a test says so; intervals are those of Student's t."""

from __future__ import annotations

import errno
import subprocess
import sys

import numpy as np
import pytest

from vtbench.results import arrays, marks
from vtbench.results.errors import StoreError
from vtbench.results.tables import tabulate


@pytest.fixture
def measured(make_record):
    """measured(method, *arrays of 0 and 100, one a seed): records, and their samples by id."""

    def make(method, *seeds, task="shape", metric="top1"):
        records = [
            make_record(method, task, seed, {metric: float(np.mean(scores))})
            for seed, scores in enumerate(seeds)
        ]
        return records, {r.id: np.asarray(s, float) for r, s in zip(records, seeds, strict=True)}

    return make


def hits(share, n=200, *, shift=0):
    """Scores of n images of which `share` is right, the right ones starting at `shift`."""
    return 100.0 * (np.roll(np.arange(n), shift) < round(share * n))


def table_of(*made, samples=True):
    records = [record for found, _ in made for record in found]
    known = {id: scores for _, found in made for id, scores in found.items()}
    read = (lambda record: known.get(record.id)) if samples else None
    return tabulate(records, samples=read)


def cells(table, index=0):
    return {row.spec: row.cells[index] for row in table.rows}


def verdicts(table, index=0):
    return {spec: cell.verdict for spec, cell in cells(table, index).items()}


def note(table, start):
    return next((one for one in table.notes if one.startswith(start)), None)


def test_intervals_are_students_and_absent_for_one_seed(make_record):
    values = {"sarl": [90.0, 91.0, 92.0], "byol": [80.0]}
    table = tabulate(
        [
            make_record(m, "shape", seed, {"top1": v})
            for m, found in values.items()
            for seed, v in enumerate(found)
        ]
    )
    sarl, byol = cells(table)["sarl"], cells(table)["byol"]

    assert (round(sarl.low, 2), round(sarl.high, 2)) == (88.52, 93.48)
    assert (byol.low, byol.high) == (None, None)
    assert (sarl.single, byol.single) == (False, True)


def test_clear_differences_are_best_and_worse_and_close_ones_are_tied(measured):
    table = table_of(
        measured("sarl", hits(0.90), hits(0.91), hits(0.92)),
        measured("byol", hits(0.89), hits(0.91), hits(0.90)),
        measured("simclr", hits(0.50), hits(0.51), hits(0.52)),
        measured("minc", hits(0.40), hits(0.41), hits(0.42)),
        measured("supervised", hits(0.99), hits(0.99), hits(0.98)),
        measured("raw", hits(0.10), hits(0.11), hits(0.12)),
    )
    found = cells(table)

    assert verdicts(table) == {
        "sarl": "best", "byol": "tied", "simclr": "worse", "minc": "worse",
        "supervised": None, "raw": None,
    }  # fmt: skip
    assert {spec: marks.mark(cell) for spec, cell in found.items()} == {
        "sarl": "¹", "byol": "≈", "simclr": "³", "minc": "", "supervised": "", "raw": "",
    }  # fmt: skip
    assert table.columns[0].evidence == "samples and seeds"


def test_the_choice_of_test_images_is_counted_where_their_scores_are_known(measured):
    """Seeds agree to a tenth of a percent, but on 40 images 90 and 85 % are no difference."""
    made = (
        measured("sarl", hits(0.900, 40), hits(0.925, 40), hits(0.900, 40)),
        measured("byol", *(hits(0.825, 40, shift=10) for _ in range(3))),
    )

    with_samples, without = table_of(*made), table_of(*made, samples=False)
    assert verdicts(with_samples) == {"sarl": "best", "byol": "tied"}
    assert verdicts(without) == {"sarl": "best", "byol": "worse"}
    assert with_samples.columns[0].evidence == "samples and seeds"
    assert without.columns[0].evidence == "seeds only"
    assert "two errors" in note(with_samples, "≈ means")
    assert "two errors" not in note(without, "≈ means")
    assert "Only the luck of the seeds is counted" in note(without, "≈ means")


@pytest.mark.parametrize("damage", ["none", "missing", "other N", "other mean", "two axes", "nan"])
def test_seed_means_are_judged_where_samples_of_one_record_do_not_fit(measured, damage):
    sarl = measured("sarl", hits(0.90), hits(0.91), hits(0.92))
    byol = measured("byol", hits(0.50), hits(0.51), hits(0.52))
    broken = byol[0][1].id
    byol[1][broken] = {
        "none": byol[1][broken],
        "missing": None,
        "other N": hits(0.51, 100),
        "other mean": hits(0.60),
        "two axes": hits(0.51)[:, None],
        "nan": np.full(200, np.nan),
    }[damage]
    table = table_of(sarl, byol)

    expected = "samples and seeds" if damage == "none" else "seeds only"
    assert table.columns[0].evidence == expected
    assert verdicts(table) == {"sarl": "best", "byol": "worse"}


def test_samples_speak_for_the_primary_metric_only(make_record):
    scores = {"sarl": 0.9, "byol": 0.5}
    records = [
        make_record(m, "shape", seed, {"top1": 100 * share + seed, "top5": 100 * share + seed})
        for m, share in scores.items()
        for seed in range(3)
    ]
    table = tabulate(records, samples=lambda r: hits(r.scores["top1"] / 100))

    assert [column.evidence for column in table.columns] == ["samples and seeds", "seeds only"]
    assert "On Shape Top-5 only the luck of the seeds is counted" in note(table, "≈ means")


def test_methods_tied_and_displayed_alike_are_all_best(make_record):
    records = [
        make_record(m, "shape", seed, {"top1": value})
        for m, value in {"byol": 100.0, "sarl": 100.0, "simclr": 99.0}.items()
        for seed in range(3)
    ]
    table = tabulate(records)

    assert verdicts(table) == {"byol": "best", "sarl": "best", "simclr": "undecided"}
    assert marks.mark(cells(table)["simclr"]) == "?"
    assert note(table, "? not decided") is not None


def test_nothing_is_claimed_of_single_seeds(make_record):
    table = tabulate(
        [make_record(m, "shape", 0, {"top1": v}) for m, v in {"sarl": 90.0, "byol": 10.0}.items()]
    )

    assert verdicts(table) == {"sarl": None, "byol": None}
    assert [cell.rank for cell in cells(table).values()] == [2, 1]
    assert {marks.mark(cell) for cell in cells(table).values()} == {"°"}
    assert note(table, "¹ best") is None
    assert note(table, "Mean ±") is None
    assert [one for one in table.notes if "°" in one] == [
        "° one seed (n = 1): nothing is claimed about differences."
    ]


def test_a_single_seed_among_several_is_undecided_and_as_the_best_leaves_no_claim(measured):
    below = table_of(
        measured("sarl", hits(0.90), hits(0.91)),
        measured("byol", hits(0.50), hits(0.51)),
        measured("simclr", hits(0.70)),
    )
    assert verdicts(below)["simclr"] == "undecided"
    assert marks.mark(cells(below)["simclr"]) == "°"
    assert below.columns[0].evidence == "samples and seeds"

    above = table_of(
        measured("sarl", hits(0.90), hits(0.91)),
        measured("byol", hits(0.50), hits(0.51)),
        measured("simclr", hits(0.99)),
    )
    assert set(verdicts(above).values()) == {None}
    assert [marks.mark(cell) for cell in cells(above).values()] == ["°", "", ""]
    assert note(above, "No method is called best on Shape Top-1") is not None


def test_a_lower_error_is_best(measured):
    table = table_of(
        measured("sarl", *(np.full(50, 0.5) + np.arange(50) / 500 for _ in range(2)), task="force",
                 metric="mae"),
        measured("byol", *(np.full(50, 0.2) + np.arange(50) / 500 for _ in range(2)), task="force",
                 metric="mae"),
    )  # fmt: skip

    assert verdicts(table) == {"byol": "best", "sarl": "worse"}


def test_stale_cells_do_not_compete(measured):
    made = [
        measured("sarl", hits(0.90), hits(0.91)),
        measured("byol", hits(0.50), hits(0.51)),
        measured("simclr", hits(0.99), hits(0.98)),
    ]
    records = [record for found, _ in made for record in found]
    stale = {record.id for record in records if record.method == "simclr"}
    table = tabulate(records, stale=stale, include_stale=True)

    assert verdicts(table) == {"sarl": "best", "byol": "worse", "simclr": None}
    assert marks.mark(cells(table)["simclr"]) == "†"


def test_a_store_gives_the_scores_of_single_images(store, make_record):
    record = make_record(scores={"top1": 50.0}, predictions="predictions/abc.npy")
    assert store.sample_scores(record) is None
    assert store.sample_scores(make_record(scores={"top1": 50.0})) is None

    store.write_array(store.root / "predictions/abc.scores.npy", np.array([0.0, 100.0]))
    assert store.sample_scores(record).tolist() == [0.0, 100.0]

    (store.root / "predictions/abc.scores.npy").write_bytes(b"damaged")
    assert store.sample_scores(record) is None
    assert not (store.root / "predictions/abc.scores.npy").exists()


def test_scores_of_single_images_that_cannot_be_opened_are_an_error(
    store, make_record, monkeypatch
):
    def unreadable(_):
        raise OSError(errno.EIO, "Input/output error")

    record = make_record(scores={"top1": 50.0}, predictions="predictions/abc.npy")
    monkeypatch.setattr(arrays, "load", unreadable)

    with pytest.raises(StoreError, match="cannot be read"):
        store.sample_scores(record)


def test_single_seeds_cost_no_import_of_numpy_or_scipy():
    script = """
import sys
from vtbench.results.cells import Column, Row, Cell
from vtbench.results.record import MetricFacts
from vtbench.results.verdicts import with_verdicts
metric = MetricFacts(name="a", label="A", unit="", better="lower", decimals=1, primary=True)
rows = [Row(spec="m", title="M", role="reference", cells=(Cell(status="missing"),))]
with_verdicts(rows, [Column(task="t", task_title="T", metric=metric)], {})
print(sorted({"numpy", "scipy", "torch"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
