"""The sentences around a table say where its numbers are from and what they do not show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vtbench.results.tables import tabulate


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


def test_failures_of_one_reason_are_one_note_on_one_line(make_record):
    records = [
        make_record("sarl", task, seed, error="line one\nline\x1b[31m two " + "x" * 500)
        for task in ("shape", "grating")
        for seed in (0, 1)
    ]
    done = make_record("byol", "shape", 0, {"top1": 1.0})
    failures = [one for one in tabulate([*records, done]).notes if one.startswith("Failed")]

    assert len(failures) == 1
    assert failures[0].startswith(
        "Failed: SARL on Shape (seed 0), Shape (seed 1), Grating (seed 0), Grating (seed 1): "
        "line one line [31m two …"
    )


def test_a_control_that_is_ahead_of_every_method_is_named(make_record):
    scores = {"sarl": 80.0, "byol": 79.1, "supervised": 99.0, "raw": 81.2}
    records = [make_record(m, "grating", 0, {"top1": v}) for m, v in scores.items()]
    errors = [make_record(m, "force", 0, {"mae": v / 100}) for m, v in scores.items()]
    beaten = [one for one in tabulate(records + errors).notes if "ahead" in one]

    assert beaten == [
        "Raw pixels + linear is ahead of every method, by mean, on Grating Top-1 (81.20 against "
        "80.00)."
    ]


def test_a_control_that_equals_the_best_method_is_not_ahead(shape):
    table = tabulate(shape("sarl", 80.0) + shape("byol", 70.0) + shape("raw", 80.001))

    assert note(table, "Raw") is None


def test_records_of_different_data_are_pointed_out(make_record):
    one = make_record("sarl", scores={"top1": 1.0})
    other = make_record("byol", scores={"top1": 1.0}, data={**one.data, "fingerprint": "other"})

    assert note(tabulate([one, other]), "Caution") == (
        "Caution: the records of Shape rest on 2 versions of its data."
    )
    assert note(tabulate([one, other], stale={other.id}), "Caution") is None


def test_published_numbers_stand_beside_ours_with_a_warning(shape):
    records = shape("sarl", 90.0) + shape("raw", 10.0)
    table = tabulate(records, published=True)

    assert column(table)["sarl"].published == 92.51
    assert column(table)["raw"].published is None
    assert note(table, "In brackets") == (
        "In brackets: the paper's Table I (arXiv 2512.01908), measured on the real ViTacTip data; "
        "ours are simulated: only the order of methods may be compared, not the values."
    )
    assert note(tabulate(records), "In brackets") is None


@pytest.mark.parametrize(
    ("pack", "sensor", "said"),
    [
        ("vitactip", "vitactip", "; the protocols may differ."),
        ("vitactip", "tactip", "only the order of methods may be compared"),
        ("gelsight", "gelsight", "only the order of methods may be compared"),
    ],
)
def test_values_are_comparable_only_on_the_papers_own_data(make_record, pack, sensor, said):
    data = {**make_record().data, "pack": pack, "source": "real"}
    record = make_record("sarl", scores={"top1": 1.0}, data=data, sensor=sensor)

    assert said in note(tabulate([record], published=True), "In brackets")


def test_the_caption_names_source_pack_profile_seeds_and_counts(make_record):
    records = [make_record("sarl", task, 3, {"top1": 1.0}) for task in ("shape", "grating")]
    assert tabulate(records).facts.sentence == (
        "SIMULATED data: ViTacTip simulator (vitactip-sim), sensor vitactip. Profile quick. "
        "Seed 3. Images (train / val / test): 70 / 15 / 15 for each task."
    )
    real = {**records[0].data, "source": "real", "train": 9}
    other = {**records[1].data, "source": "real"}
    records = [
        replace(record, data=data, trained_on=None)
        for record, data in zip(records, (real, other), strict=True)
    ]
    table = tabulate(records)

    assert table.title == "Table I: linear probes on frozen encoders, REAL data"
    assert table.facts.sentence.startswith("REAL data: ")
    assert table.facts.sentence.endswith(": Shape 9 / 15 / 15, Grating 70 / 15 / 15.")


def test_notes_of_records_are_shown_once_with_their_methods(make_record):
    records = [
        make_record(method, task, 0, {"top1": 1.0}, notes=("queue shortened to 128",))
        for method in ("sarl", "byol")
        for task in ("shape", "grating")
    ]
    table = tabulate(records)

    assert [one for one in table.notes if "queue" in one] == ["BYOL, SARL: queue shortened to 128"]
