"""The comparison can be read at any width, and every form says what may be compared."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from vtbench.results.claim_verdicts import Measured, judge
from vtbench.results.compare_text import (
    Comparison,
    claims_csv,
    tally,
    to_markdown,
    to_text,
    values_csv,
)
from vtbench.results.paper import published
from vtbench.results.paper_claims import CLAIMS
from vtbench.results.paper_comparison import Ours, match_table
from vtbench.results.tables import tabulate

REAL = {
    "pack": "vitactip", "title": "ViTacTip", "source": "real", "fingerprint": "f00d",
    "dataset": "shape", "train": 70, "val": 15, "test": 15,
}  # fmt: skip


@pytest.fixture
def comparison(make_record):
    """comparison(**fields): Table I of the Shape task, with a gap, a failure and a single seed."""

    def make(**fields):
        values = {row: cells["shape", "top1"] for row, cells in published(1).items()}
        del values["swav"]
        records = [
            make_record(row, "shape", seed, {"top1": value + seed / 10}, **fields)
            for row, value in values.items()
            for seed in range(1 if row == "byol" else 3)
            if row != "minc"
        ]
        records.append(make_record("minc", "shape", 0, None, **fields))
        ours = Ours.of(tabulate(records), records)
        lacking = ["Table II is not in this store: `bench run --tasks transfer` fills it."]
        return Comparison(
            tables=[match_table(ours)], findings=judge(Measured({1: ours})), lacking=lacking
        )

    return make


def row(text, title, heading="Shape Top-1 (%) ↑"):
    lines = text[text.index(f"\n{heading}\n") :].splitlines()
    return next(line for line in lines if line.startswith(title)).split()


@pytest.mark.parametrize("width", [40, 60, 80, 132])
def test_no_line_is_wider_than_the_terminal(comparison, width):
    for made in (comparison(), comparison(data=REAL)):
        assert max(map(len, to_text(made, width).splitlines())) <= width


def test_what_may_be_compared_and_what_is_missing_comes_first(comparison):
    lines = to_text(comparison(), 200).splitlines()

    assert "SIMULATED" in lines[2]
    assert "only the ORDER" in lines[2]
    assert "`bench run --tasks transfer` fills it" in lines[3]


def test_real_values_have_differences_and_verdicts(comparison):
    text = to_text(comparison(data=REAL))

    assert row(text, "SARL") == [
        "SARL", "92.61", "[92.36,", "92.86]", "3", "92.51", "+0.10", "within",
    ]  # fmt: skip
    assert row(text, "BYOL")[-2:] == ["no", "interval"]
    assert row(text, "MINC") == ["MINC", "failed", "84.19"]
    assert row(text, "SwaV") == ["SwaV", "–", "80.38"]


def test_simulated_values_have_ranks_and_no_verdicts(comparison):
    text = to_text(comparison(), claims=False)

    assert row(text, "SARL") == ["SARL", "92.61", "[92.36,", "92.86]", "3", "1", "92.51", "1"]
    assert row(text, "BYOL")[-2:] == ["one", "seed"]
    for word in ("within", "outside", "Diff."):
        assert word not in text


def test_columns_without_any_result_are_one_line(comparison):
    assert "Edge pose Avg. MAE ↓: no result yet" in to_text(comparison())
    assert "**Edge pose Avg. MAE ↓**: no result yet" in to_markdown(comparison())


def test_claims_show_verdict_source_evidence_and_what_the_paper_itself_says(comparison):
    text = to_text(comparison(), 200)

    assert "not decided (cells missing): SARL has the highest Top-1 accuracy" in text
    assert "[sarl-classification; V-A; Table I]" in text
    assert text.count("In the paper's own tables this does not hold.") == 3
    assert "The means are as claimed." in text
    assert tally(comparison().findings) in text


def test_one_part_can_be_left_out(comparison):
    made = comparison()

    assert "Claims" not in to_text(made, claims=False)
    assert "Kendall" not in to_text(made, values=False)
    assert "## Claims" not in to_markdown(made, claims=False)
    assert "Kendall" not in to_markdown(made, values=False)


def test_markdown_tables_have_as_many_cells_in_every_line(comparison):
    for block in to_markdown(comparison(data=REAL)).split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.count(" | ") for line in lines}) <= 1


def test_csv_of_values_has_a_line_for_each_cell_of_the_paper(comparison):
    lines = list(csv.DictReader(io.StringIO(values_csv(comparison(data=REAL)))))
    sarl = next(line for line in lines if line["row"] == "sarl" and line["column"] == "shape_top1")
    minc = next(line for line in lines if line["row"] == "minc" and line["column"] == "shape_top1")

    assert len(lines) == 99
    assert float(sarl["ours"]) == pytest.approx(92.61)
    assert (sarl["paper"], sarl["verdict"], sarl["n"]) == ("92.51", "within", "3")
    assert float(sarl["low"]) < 92.51 < float(sarl["high"])
    assert (minc["status"], minc["ours"], minc["verdict"]) == ("failed", "", "failed")


def test_csv_of_claims_has_a_line_for_each_claim(comparison):
    lines = list(csv.DictReader(io.StringIO(claims_csv(comparison()))))

    assert [line["id"] for line in lines] == [one.id for one in CLAIMS]
    assert {line["in_print"] for line in lines} == {"holds", "does not hold"}


def test_nothing_at_all_is_said_plainly():
    empty = Comparison(tables=[], findings=judge(Measured({})), lacking=["`bench run` fills it."])

    assert to_text(empty).splitlines()[2:4] == [
        "- Nothing to compare yet.",
        "- `bench run` fills it.",
    ]
    assert values_csv(empty).count("\n") == 1


# ------------------------------------------------------------------------------- the command


@pytest.fixture
def bench():
    """bench(*arguments): `bench compare` with these."""
    import typer
    from typer.testing import CliRunner

    from vtbench.benchmark.cli_compare import compare

    app = typer.Typer()
    app.command()(compare)

    def run(*arguments):
        return CliRunner().invoke(app, list(map(str, arguments)))

    return run


def test_an_empty_store_is_told_which_commands_fill_it(bench, store):
    result = bench("--store", store.root)
    said = " ".join(result.output.split())

    assert result.exit_code == 0
    for command in (
        "`bench run`", "`bench run --tasks transfer`",
        "`bench ablate sarl --terms sal,ppda,ram`",
        "`bench ablate sarl --sensors tactip,vitac,vitactip`",
    ):  # fmt: skip
        assert command in said


def test_the_papers_sensor_is_compared_although_another_is_newer(
    bench, store, make_record, monkeypatch, tmp_path
):
    from vtbench.benchmark import tabling

    monkeypatch.setattr(tabling, "stale_records", lambda *_, **__: {})
    for age, sensor in enumerate(("tactip", "vitactip")):
        record = make_record(
            "sarl", "shape", 0, {"top1": 50.0 + age}, age, sensor=sensor, settings={}
        )
        store.write(record)
    result = bench("--store", store.root, "--format", "csv", "--out", tmp_path / "values.csv")
    lines = list(csv.DictReader(io.StringIO((tmp_path / "values.csv").read_text())))

    assert result.exit_code == 0, result.output
    ours = {(one["table"], one["row"]): one["ours"] for one in lines if one["ours"]}
    assert ours == {
        ("1", "sarl"): "51.0", ("3", "sarl"): "51.0",
        ("4", "tactip"): "50.0", ("4", "vitactip"): "51.0",
    }  # fmt: skip


def test_scores_of_single_images_are_read_beside_the_predictions(store, make_record):
    record = make_record("sarl", "shape", 0, {"top1": 50.0}, predictions="predictions/abc.npy")
    read = store.sample_scores
    assert read(record) is None

    store.write_array(store.root / "predictions/abc.scores.npy", np.array([0.0, 100.0]))
    assert read(record).tolist() == [0.0, 100.0]
    assert read(make_record("sarl", "shape", 0, {"top1": 50.0})) is None
