"""Curves, thumbnails, worst images, problems and facts, each on its own."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from vtbench.results.report import facts
from vtbench.results.report.curves import BOX, MOST_POINTS, curve, read_curves
from vtbench.results.report.markdown import to_markdown
from vtbench.results.report.problems import problems
from vtbench.results.report.samples import thumbnail, worst
from vtbench.results.tables import tabulate


def test_a_log_becomes_a_curve_for_each_term_and_their_total(tmp_path):
    lines = [{"step": s, "sal": 2.0 - s, "ram": 1.0, "total": 3.0 - s} for s in range(3)]
    lines.insert(1, {"step": 0, "gradient_shares": {"sal": 1.0}})
    text = "\n".join(map(json.dumps, lines)) + '\n{"step": 3, "sa\n[1]\n{"total": NaN, "sal": 9}\n'
    (tmp_path / "losses.jsonl").write_text(text)
    found = read_curves(tmp_path)

    assert [one.term for one in found] == ["ram", "sal", "total"]
    assert (found[2].first, found[2].last, found[2].steps) == ("3", "1", 3)


def test_the_total_of_one_term_is_not_shown_twice(tmp_path):
    (tmp_path / "losses.jsonl").write_text('{"step": 0, "global": 1.0, "total": 1.0}\n')

    assert [one.term for one in read_curves(tmp_path)] == ["global"]
    assert read_curves(tmp_path / "nowhere") == []


def test_long_curves_are_thinned_and_stay_in_their_box():
    found = curve("sal", list(np.sin(np.arange(5000))))
    points = np.array([[float(n) for n in p.split(",")] for p in found.points.split()])

    assert len(points) <= MOST_POINTS
    assert points.min() >= 0
    assert (points <= BOX).all()
    assert len(curve("sal", [1.0]).points.split()) == 2


def test_the_worst_of_a_classification_are_wrong_the_surest_first():
    logits = np.array([[9.0, 0.0], [3.0, 0.0], [5.0, 0.0], [0.0, 1.0]])
    truth = np.array([0, 1, 1, 1])

    assert worst(logits, truth, np.array([100.0, 0.0, 0.0, 100.0]), 6) == [2, 1]
    assert worst(logits, truth, np.array([100.0, 0.0, 0.0, 100.0]), 1) == [2]


def test_the_worst_of_a_regression_have_the_largest_error():
    values = np.zeros((3, 2))

    assert worst(values, values, np.array([0.1, 0.3, 0.2]), 2) == [1, 2]
    assert worst(values[:0], values[:0], np.array([]), 2) == []


@pytest.mark.parametrize("shape", [(56, 56, 3), (300, 200, 1), (40, 90)])
def test_a_thumbnail_is_a_small_picture_in_an_address(shape):
    address = thumbnail(np.full(shape, 200, dtype=np.uint8))
    kind, _, content = address.partition(",")
    picture = Image.open(io.BytesIO(base64.b64decode(content)))

    assert kind == "data:image/jpeg;base64"
    assert max(picture.size) <= 72
    assert abs(int(np.asarray(picture).flat[0]) - 200) < 3


def test_problems_name_every_kind_once_with_its_reason(make_record):
    good, late = {"top1": 50.0, "top5": 60.0}, {"top1": 40.0, "top5": 60.0}
    records = [
        make_record("sarl", "shape", 0, good),
        make_record("sarl", "shape", 1, good),
        make_record("byol", "shape", 1, good),
        make_record("simclr", "shape", 0),
        make_record("supervised", "shape", 0, late),
        make_record("sarl", "grating", 0, good),
    ]
    table = tabulate(records, stale={records[4].id})
    found = problems(
        table, "Table I", stale={("supervised", "shape"): "the task code changed"}, fix="bench run"
    )
    told = {(one.kind, one.cells, one.reason) for one in found}

    assert ("failed", "SimCLR on Shape", "The loss became NaN.") in told
    assert ("stale", "Supervised on Shape", "the task code changed") in told
    partial = {reason: cells for kind, cells, reason in told if kind == "partial"}
    assert "BYOL on Shape" in partial["seed 1 alone"]
    assert any(kind == "missing" and "Grating" in cells for kind, cells, _ in told)
    assert [one.kind for one in found] == sorted(
        (one.kind for one in found), key=["failed", "stale", "missing", "partial", "single"].index
    )
    assert all(one.fix for one in found if one.kind != "single")


def test_what_is_true_of_every_cell_is_said_once(make_record):
    record = make_record("sarl", "shape", 0, {"top1": 50.0, "top5": 60.0})
    found = problems(tabulate([record]), "Table I", stale={}, fix="bench run")

    assert [(one.kind, one.cells) for one in found] == [("single", "every cell")]


def test_facts_name_scores_data_settings_code_and_machine(make_record):
    record = make_record(
        "sarl", "force", 2, {"mae": 0.25, "mae_x": 0.2}, val_scores={"mae": 0.3},
        provenance={"device": "cpu", "seconds": 1.5, "versions": {"numpy": "2.0"}, "git": None},
        trained_on={"pack": "home", "title": "Home", "source": "simulated"},
    )  # fmt: skip
    groups = {title: dict(pairs) for title, pairs in facts.groups(record)}

    assert groups["Result"]["Avg. MAE, lower is better"] == "0.2500 (validation 0.3000)"
    assert groups["Result"]["x, lower is better"] == "0.2000 mm"
    assert groups["Data"]["fingerprint"] == "f00d"
    assert groups["Data"]["encoder trained on"] == "Home (home), SIMULATED"
    assert groups["Settings"] == {"probe": "lr = 0.02, epochs = 100"}
    assert groups["Code"] == {"method code": "5e1f"}
    assert groups["Made"] == {"device": "cpu", "seconds": "1.5", "versions": "numpy 2.0"}
    assert facts.headline(record) == "Avg. MAE 0.2500"
    assert facts.headline(make_record()) == "failed"


def test_markdown_has_tables_problems_claims_and_protocol(records, report_of):
    text = to_markdown(report_of(records))

    for part in (
        "# Self-supervised learning on touch", "**SIMULATED data**", "## Tables", "| SARL |",
        "## What is no good number", "### Claims", "## Protocol", "- linear probe",
        "`bench run --tasks transfer` fills it",
    ):  # fmt: skip
        assert part in text, part
    assert len([line for line in text.splitlines() if line.startswith("# ")]) == 1


def test_markdown_shows_hostile_words_as_words(records, report_of):
    text = to_markdown(report_of(records, title="<script>alert(1)</script> *a* [b](c)"))

    assert "\\<script>" in text
    assert "\\[b]" in text
