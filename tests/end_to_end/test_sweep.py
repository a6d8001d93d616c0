"""`bench sweep` as a user meets it: trials, choice and the one look at the test images."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.schema import TaskDeclaration
from vtbench.tasks.data.writer import DatasetContent, write_pack

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Here

SWEEP = """
title: A tiny search
method: simclr
tasks: {tasks}
profile: tiny.yaml
data: pack
over:
  temperature: [0.1, 0.5]
  pretrain.lr: [2e-3, 1e-2]
"""


def write_sweep(here: Here, tasks: str = "shape") -> None:
    (here.folder / "mine.yaml").write_text(SWEEP.format(tasks=tasks))


def records(store: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted((store / "cells").glob("*.json"))]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_winner_alone_and_the_default_are_tested_and_nothing_is_done_twice(
    here: Here,
) -> None:
    write_sweep(here, "[shape, bar]")
    dry = here("sweep", "mine.yaml", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "8 cells: 0 cached, 8 to do" in dry.stdout
    assert not (here.folder / "runs").exists()

    done = here("sweep", "mine.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    text = " ".join(done.stdout.split())
    assert "SIMULATED data tiny" in text
    assert "Selection effect: 4 settings were tried" in text

    found = records(here.folder / "runs")
    protocols = Counter(record["protocol"] for record in found)
    assert protocols["validation"] == 4 * 2
    tested = {(r["method"], r["profile"]) for r in found if r["protocol"] == "linear"}
    assert protocols["linear"] == 2 * len(tested)
    assert ("simclr", "tiny") in tested
    assert len(tested) <= 2
    for record in (r for r in found if r["protocol"] == "validation"):
        assert record["scores"] == record["val_scores"]
    assert len(list((here.folder / "runs" / "encoders").iterdir())) == 4

    before = {path: path.read_bytes() for path in (here.folder / "runs/cells").iterdir()}
    (here.folder / "mine.csv").write_text("mine\n")
    refused = here("sweep", "mine.yaml", "--format", "csv", "--out", "mine.csv")
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    for _ in range(2):
        assert here("sweep", "mine.yaml", "--format", "csv", "--out", "own.csv").returncode == 0

    again = here("sweep", "mine.yaml", "--format", "csv")
    assert again.returncode == 0, again.stderr
    assert {p: p.read_bytes() for p in (here.folder / "runs/cells").iterdir()} == before
    lines = rows(again.stdout)  # progress is elsewhere
    assert len(lines) == 4
    assert [line["winner"] for line in lines] == ["True", "False", "False", "False"]
    assert {line["method"] for line in lines if line["shape_top1_test"]} == {m for m, _ in tested}
    assert [float(line["mean_rank"]) for line in lines] == sorted(
        float(line["mean_rank"]) for line in lines
    )

    table = here("table", "--profile", "tiny", "--format", "csv")
    shown = {row["method"] for row in rows(table.stdout)}
    assert shown == {method for method, profile in tested if profile == "tiny"}


def test_the_default_is_the_cell_of_bench_run(here: Here) -> None:
    write_sweep(here)
    run = ("run", "--methods", "simclr", "--tasks", "shape", "--profile", "tiny.yaml")
    assert here(*run, "--data", "pack").returncode == 0
    done = here("sweep", "mine.yaml", "--set", "pretrain.epochs=2", "--set", "probe.batch_size=16")

    assert done.returncode == 0, done.stderr
    linear = [r for r in records(here.folder / "runs") if r["protocol"] == "linear"]
    assert sum(r["method"] == "simclr" and "lr=" not in r["profile"] for r in linear) == 1
    assert len(list((here.folder / "runs" / "encoders").iterdir())) == 4


def test_garbage_for_test_labels_changes_no_choice(
    here: Here, make_pack: Callable[..., Pack]
) -> None:
    write_sweep(here)
    data = make_pack(here.folder / "made", count=60).dataset("colours")
    honest, garbage = data.columns["shape"].copy(), data.columns["shape"].copy()
    garbage[data.splits["test"]] = 2 - garbage[data.splits["test"]] // 2
    assert (honest != garbage).any()
    sets = {row: name for name, where in data.splits.items() for row in where}
    outputs = {}
    for name, labels in (("honest", honest), ("garbage", garbage)):
        write_pack(
            here.folder / name,
            name="tiny",
            title="Colours",
            source="simulated",
            sensors=["camera"],
            datasets=[
                DatasetContent(
                    name="colours",
                    count=len(labels),
                    images={"camera": [data.images]},
                    columns={"shape": data.info["shape"]},
                    labels={"shape": labels},
                    splits=[sets[row] for row in range(len(labels))],
                )
            ],
            tasks={"shape": TaskDeclaration(dataset="colours", label="shape")},
        )
        done = here(
            "sweep", "mine.yaml", "--data", name, "--store", f"runs-{name}", "--format", "csv"
        )
        assert done.returncode == 0, done.stderr
        outputs[name] = rows(done.stdout)

    tests = [
        {line["trial"]: line.pop(key) for line in lines for key in ("shape_top1_test",)}
        for lines in outputs.values()
    ]
    assert tests[0] != tests[1]  # the test labels were garbage indeed
    assert outputs["honest"] == outputs["garbage"]


def test_a_trial_that_diverges_is_shown_and_not_chosen(here: Here) -> None:
    write_sweep(here)
    path = here.folder / "mine.yaml"
    path.write_text(path.read_text().partition("over:")[0] + "over: {lr: [2e-3, 1e30]}\n")
    done = here("sweep", "mine.yaml", "--out", "found.md", "--format", "markdown")

    assert done.returncode == 1
    text = (here.folder / "found.md").read_text()
    assert "Trial 1 failed" in text
    assert "No trial is better than the default" in text
    found = records(here.folder / "runs")
    assert [r["method"] for r in found if r["protocol"] == "linear"] == ["simclr"]


def test_wrong_sweeps_end_before_anything_is_made(here: Here) -> None:
    write_sweep(here)
    for arguments, reason in (
        (("nothing",), "There is no sweep 'nothing'; known: sarl_lambda, simclr_lr."),
        (("mine.yaml", "--tasks", "shap"), "did you mean 'shape'"),
        (("simclr_lr", "--tasks", "gelsight", "--profile", "tiny.yaml"), "another pack's"),
    ):
        done = here("sweep", *arguments)
        assert done.returncode == 2, arguments
        assert reason in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
    assert not (here.folder / "runs").exists()
