"""Claims follow from numbers: those of the paper, and any of ours, whatever they say."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from vtbench.results.claim_verdicts import Measured, Printed, judge
from vtbench.results.paper import published
from vtbench.results.paper_claims import CLAIMS, NONE, Ahead, BestAverage, Claim, Gain
from vtbench.results.paper_comparison import Ours, printed_column
from vtbench.results.record import MetricFacts
from vtbench.results.tables import tabulate

TOP1 = MetricFacts(name="top1", label="Top-1", unit="%", better="higher", decimals=2, primary=True)
#: Claims that the paper's own tables do not bear out; each says why in its note.
CONTRADICTED = {"sarl-all-six", "sal-modest", "sal-completes-best-pair"}

SHAPE, POSE = ("shape", "top1"), ("edge_pose", "mae")
REAL = {
    "pack": "vitactip", "title": "ViTacTip", "source": "real", "fingerprint": "f00d",
    "dataset": "shape", "train": 70, "val": 15, "test": 15,
}  # fmt: skip


def claim(*checks):
    return Claim(id="it", sentence="It is so.", source="here", checks=checks)


def first_in_shape(*others):
    return claim(Ahead(1, "sarl", others or ("byol", "simclr"), SHAPE))


@pytest.fixture
def measured(make_record):
    """measured({method: [top1 of each seed]}, samples=None): Table I of the Shape task."""

    def make(scores, samples=None, task="shape", metric="top1", **fields):
        records = [
            make_record(
                method, task, seed, {metric: value} if metric == "top1" else
                {metric: value, "mae_x": value}, **fields,
            )
            for method, values in scores.items()
            for seed, value in enumerate(values)
        ]  # fmt: skip
        return Measured({1: Ours.of(tabulate(records), records)}, samples)

    return make


def only(source, one):
    (finding,) = judge(source, [one])
    return finding


# ------------------------------------------------------------------------------- the paper


def test_which_claims_hold_in_the_papers_own_tables():
    verdicts = {found.claim.id: found.verdict for found in judge(Printed())}

    assert {name for name, verdict in verdicts.items() if verdict != "holds"} == CONTRADICTED
    assert {verdicts[name] for name in CONTRADICTED} == {"does not hold"}


def test_a_contradicted_claim_says_so_in_its_note():
    assert all(one.note for one in CLAIMS if one.id in CONTRADICTED)


def test_ids_are_unique_and_every_source_names_a_place():
    assert len({one.id for one in CLAIMS}) == len(CLAIMS)
    assert all(re.search(r"\bI?V?I?-?[A-D]?\d?;? ?(Table|Figure)", one.source) for one in CLAIMS)


def test_every_check_reads_a_number_that_the_paper_prints():
    for one in CLAIMS:
        for check in one.checks:
            rows = published(check.number)
            keys = check.keys if isinstance(check, BestAverage) else (check.key,)
            others = () if isinstance(check, BestAverage) else check.others
            known = {*rows, NONE}
            assert {check.row, *others} <= known
            assert all(
                Printed().read(check.number, row, key).mean is not None
                for row in (check.row, *others)
                for key in keys
            ), one.id


def test_percentages_of_the_text_are_those_of_the_table():
    gains = {one.id: one.checks[0].percent for one in CLAIMS if isinstance(one.checks[0], Gain)}
    table = published(1)

    pose = [cells[POSE] for row, cells in table.items() if row not in ("sarl", "supervised")]
    shape = [cells[SHAPE] for row, cells in table.items() if row not in ("sarl", "supervised")]
    assert gains["edge-pose-30-percent"] == round(100 * (1 - table["sarl"][POSE] / min(pose)), 1)
    assert gains["shape-36-percent"] == round(
        100 * (1 - (100 - table["sarl"][SHAPE]) / (100 - max(shape))), 1
    )


def test_changing_a_printed_number_changes_the_verdict(monkeypatch):
    from vtbench.results import claim_sources

    other = {row: dict(cells) for row, cells in published(2).items()}
    other["byol"]["gelsight", "top1"] = 99.0
    tables = {n: other if n == 2 else published(n) for n in (1, 2, 3, 4)}
    monkeypatch.setattr(claim_sources, "published", tables.__getitem__)

    verdicts = {found.claim.id: found.verdict for found in judge(Printed())}
    assert verdicts["barlow-twins-gelsight"] == "does not hold"


# ------------------------------------------------------------------------------- ours


def test_a_clear_lead_holds(measured):
    found = only(
        measured({"sarl": [95, 95.1, 95.2], "byol": [80, 80.1, 80.2], "simclr": [85, 85.1, 85.2]}),
        first_in_shape(),
    )

    assert (found.verdict, found.reason, found.seen) == ("holds", "", "as claimed")
    assert found.evidence == ("Shape Top-1: SARL 95.10 ahead of SimCLR 85.10 (p < 0.001, n = 3).",)


def test_a_clear_lag_refutes_even_where_other_cells_are_missing(measured):
    found = only(measured({"sarl": [80, 80.1, 80.2], "byol": [95, 95.1, 95.2]}), first_in_shape())

    assert (found.verdict, found.seen) == ("does not hold", "not as claimed")
    assert "SARL 80.10 behind BYOL 95.10" in found.evidence[0]
    assert "no result of SimCLR" in found.evidence[0]


def test_a_lead_over_some_is_not_decided_while_others_are_missing(measured):
    found = only(measured({"sarl": [95, 95.1, 95.2], "byol": [80, 80.1, 80.2]}), first_in_shape())

    assert (found.verdict, found.reason, found.seen) == (
        "not decided",
        "cells missing",
        "as claimed",
    )


def test_one_seed_decides_nothing_but_shows_a_direction(measured):
    ahead = only(measured({"sarl": [95], "byol": [80]}), first_in_shape("byol"))
    behind = only(measured({"sarl": [70], "byol": [80]}), first_in_shape("byol"))
    level = only(measured({"sarl": [80.001], "byol": [80]}), first_in_shape("byol"))

    assert {one.verdict for one in (ahead, behind, level)} == {"not decided"}
    assert {one.reason for one in (ahead, behind, level)} == {"n = 1"}
    assert [one.seen for one in (ahead, behind, level)] == [
        "as claimed",
        "not as claimed",
        "level",
    ]


def test_overlapping_methods_are_tied(measured):
    found = only(
        measured({"sarl": [90, 92, 94], "byol": [89, 91, 93.5], "simclr": [10, 11, 12]}),
        first_in_shape(),
    )

    assert (found.verdict, found.reason) == ("not decided", "tied")
    assert "not told apart from BYOL." in found.evidence[0]


def test_significance_is_corrected_for_the_number_of_rivals(measured):
    seeds = {"sarl": [90.0, 91.0, 92.0], "byol": [87.0, 88.0, 89.0]}
    rivals = {name: [86.9, 87.9, 88.9] for name in ("simclr", "simsiam", "swav")}
    alone = only(measured(seeds), first_in_shape("byol"))
    among = only(measured(seeds | rivals), first_in_shape("byol", *rivals))

    assert alone.verdict == "holds"
    assert (among.verdict, among.reason) == ("not decided", "tied")


def test_lower_is_better_for_errors(measured):
    lead = claim(Ahead(1, "sarl", ("byol",), POSE))
    errors = {"sarl": [0.1, 0.11, 0.12], "byol": [0.5, 0.51, 0.52]}

    assert only(measured(errors, task="edge_pose", metric="mae"), lead).verdict == "holds"
    swapped = {"sarl": errors["byol"], "byol": errors["sarl"]}
    assert only(measured(swapped, task="edge_pose", metric="mae"), lead).verdict == "does not hold"


def test_test_samples_can_take_a_verdict_back(measured):
    """Seeds that hardly vary look sure; few test images that differ show that they are not."""
    scores = {"sarl": [60.0, 60.0, 62.0], "byol": [50.0, 50.0, 52.0]}

    def samples(record):
        hits = round(record.scores["top1"] / 2)
        rng = np.random.default_rng(record.method == "sarl")
        return 100.0 * (rng.permutation(50) < hits)

    one = first_in_shape("byol")
    assert only(measured(scores), one).verdict == "holds"
    assert only(measured(scores, samples), one).verdict == "not decided"


@pytest.mark.parametrize(
    "samples",
    [
        lambda record: None,
        lambda record: np.full(50, 12.0),  # not the scores of this record
        lambda record: np.zeros(50 + record.seed),
    ],
    ids=["unknown", "of something else", "of different sizes"],
)
def test_samples_that_do_not_fit_are_left_aside(measured, samples):
    scores = {"sarl": [95, 95.1, 95.2], "byol": [80, 80.1, 80.2]}

    assert only(measured(scores, samples), first_in_shape("byol")).verdict == "holds"


@pytest.mark.parametrize(("prints", "verdict"), [("aa", "not decided"), ("ab", "holds")])
def test_only_samples_of_the_same_data_are_paired(make_record, prints, verdict):
    """Twenty images that differ much say little; images of other data say nothing, seeds do."""

    def samples(record):
        hits = 100.0 * (np.arange(20) < (19 if record.method == "sarl" else 16))
        return hits + record.scores["top1"] - hits.mean()

    records = [
        make_record(
            row, "shape", seed, {"top1": top + seed / 10}, data={**REAL, "fingerprint": one}
        )
        for (row, top), one in zip((("sarl", 95.0), ("byol", 80.0)), prints, strict=True)
        for seed in range(3)
    ]
    source = Measured({1: Ours.of(tabulate(records), records)}, samples)

    assert only(source, first_in_shape("byol")).verdict == verdict


def test_a_claim_of_two_columns_needs_both(measured):
    both = claim(
        Ahead(1, "sarl", ("byol",), SHAPE), Ahead(1, "sarl", ("byol",), ("grating", "top1"))
    )
    found = only(measured({"sarl": [95, 95.1], "byol": [80, 80.1]}), both)

    assert (found.verdict, found.reason) == ("not decided", "cells missing")
    assert found.evidence[1] == "No result of SARL, BYOL on Grating Top-1."


def test_a_percentage_is_not_judged_on_other_data(measured):
    gain = claim(Gain(1, "sarl", ("byol", "simclr"), SHAPE, 50.0))
    scores = {"sarl": [90, 90.2], "byol": [80, 80.2], "simclr": [70, 70.2]}

    found = only(measured(scores), gain)
    assert found.verdict == "not decided"
    assert found.reason.startswith("other data")
    assert "SARL 90.10 against BYOL 80.10, an error 50.3 % smaller" in found.evidence[0]


def test_a_percentage_holds_inside_our_interval(measured):
    scores = {"sarl": [90, 90.2, 90.4], "byol": [80, 80.2, 80.4]}
    source = measured(scores, data=REAL)

    for percent, verdict in ((50.0, "holds"), (30.4, "does not hold")):
        assert only(source, claim(Gain(1, "sarl", ("byol",), SHAPE, percent))).verdict == verdict
    single = measured({"sarl": [90], "byol": [80]}, data=REAL)
    assert only(single, claim(Gain(1, "sarl", ("byol",), SHAPE, 50.0))).reason == "n = 1"


def test_an_average_needs_every_task_of_every_method(measured):
    average = claim(BestAverage(1, "sarl", (SHAPE, ("grating", "top1"))))
    found = only(measured({"sarl": [95, 96], "byol": [80, 81]}), average)

    assert (found.verdict, found.reason) == ("not decided", "cells missing")


def test_an_average_over_many_tasks_is_decided_by_the_critical_difference(make_record):
    """All ten methods in the paper's order on twelve columns: enough to tell first from last."""
    rows = [row for row in published(1) if row != "supervised"]
    metrics = [
        TOP1, *(replace(TOP1, name=f"top{i}", label=f"Top-{i}", primary=False) for i in (5,)),
    ]  # fmt: skip
    tasks = ["shape", "grating", "material"] * 2
    records = [
        make_record(
            row, f"{task}{i}", seed, {"top1": 50.0 + place, "top5": 60.0 + place}, metrics=metrics
        )
        for place, row in enumerate(rows)
        for i, task in enumerate(tasks)
        for seed in (0, 1)
    ]
    keys = tuple((f"{task}{i}", name) for i, task in enumerate(tasks) for name in ("top1", "top5"))
    source = Measured({1: Ours.of(tabulate(records), records)})

    last, middle = rows[0], rows[-2]
    assert only(source, claim(BestAverage(1, last, keys))).verdict == "does not hold"
    assert only(source, claim(BestAverage(1, rows[-1], keys))).reason == "tied"
    assert only(source, claim(BestAverage(1, middle, keys))).seen == "not as claimed"


def test_stale_and_failed_records_are_no_evidence(make_record):
    records = [
        make_record(row, "shape", seed, None if row == "simclr" else {"top1": top + seed / 10})
        for row, top in (("sarl", 95.0), ("byol", 80.0), ("simclr", 0.0))
        for seed in range(3)
    ]
    old = {record.id for record in records if record.method == "byol"}
    source = Measured({1: Ours.of(tabulate(records, stale=old), records, old)})
    found = only(source, first_in_shape())

    assert (found.verdict, found.reason, found.seen) == ("not decided", "cells missing", None)
    assert found.evidence == ("No result of BYOL, SimCLR on Shape Top-1.",)


def test_an_empty_store_decides_nothing():
    findings = judge(Measured({}))

    assert {found.verdict for found in findings} == {"not decided"}
    assert {found.reason for found in findings} == {"cells missing"}


def test_our_records_of_the_papers_numbers_bear_out_what_its_tables_do(make_record):
    """Means alone: with two seeds close by, directions are those of the printed numbers."""
    records = {n: [] for n in (1, 2, 3, 4)}
    for number, made in records.items():
        for place, (row, cells) in enumerate(published(number).items()):
            for key, value in cells.items():
                metric = printed_column(key).metric
                if metric.name == "top5":
                    continue
                for seed in (0, 1):
                    made.append(
                        make_record(
                            "sarl" if number == 4 else row, key[0], seed,
                            {metric.name: value + (seed - 0.5) * 1e-6},
                            metrics=[metric], sensor=row if number == 4 else "vitactip",
                            id=f"{number}{place:02d}{seed}abcd",
                        )
                    )  # fmt: skip
    source = Measured(
        {n: Ours.of(tabulate(found, number=n), found) for n, found in records.items()}
    )
    verdicts = {found.claim.id: found.verdict for found in judge(source)}

    undecided = {"sarl-average", "sarl-edge-pose-axes", "each-loss-helps"}
    undecided |= {"edge-pose-30-percent", "shape-36-percent"}
    assert {name for name, one in verdicts.items() if one == "not decided"} == undecided
    assert {name for name, one in verdicts.items() if one == "does not hold"} == CONTRADICTED
