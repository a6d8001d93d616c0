"""One command from nothing to Table I, and again, and under every kind of interruption."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import load_file

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Bench, Here


RUN = ["run", "--profile", "tiny.yaml", "--data", "pack", "--tasks", "all"]


def contents(store: Path) -> dict[str, object]:
    """All that a store holds, less what may differ between two identical runs."""
    found: dict[str, object] = {}
    for path in sorted(path for path in store.rglob("*") if path.is_file()):
        name = path.relative_to(store)
        if name.parts[0] == "locks" or path.name.startswith(".tmp-"):
            continue
        found[str(name)] = path.read_bytes()
        if path.suffix == ".json":
            content = json.loads(path.read_text())
            found[str(name)] = {k: v for k, v in content.items() if k != "provenance"}
    return found


def records(store: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted((store / "cells").glob("*.json"))]


def test_all_methods_and_controls_reach_table_one_and_a_second_run_has_nothing_to_do(
    here: Here,
) -> None:
    first = here(*RUN, "--methods", "all")

    assert first.returncode == 0, first.stdout + first.stderr
    for title in ("SARL", "SimCLR", "BYOL", "SimSiam", "Barlow Twins", "VICReg", "SwAV", "MINC",
                  "CPLearn", "DenseCL", "SARL, λ = 0", "SARL, corrected", "Supervised",
                  "Random init", "Raw pixels + linear"):  # fmt: skip
        assert f" {title} " in first.stdout
    assert "MINC is our reconstruction" in " ".join(first.stdout.split())
    assert "SIMULATED" in first.stdout
    found = records(here.folder / "runs")
    assert len(found) == 15 * 2
    assert {record["status"] for record in found} == {"done"}
    for record in found:
        predictions = np.load(here.folder / "runs" / record["predictions"])
        assert len(predictions) == record["data"]["test"]

    before = contents(here.folder / "runs")
    second = here(*RUN, "--methods", "all")

    assert second.returncode == 0
    assert "Nothing is left to do" in second.stdout
    assert contents(here.folder / "runs") == before


def test_the_trained_encoder_differs_from_the_untrained_one_and_is_plain_safetensors(
    here: Here,
) -> None:
    assert here(*RUN, "--methods", "simclr,random_init").returncode == 0
    weights = [load_file(path) for path in (here.folder / "runs").rglob("encoder.safetensors")]

    assert len(weights) == 1
    assert weights[0]["conv1.weight"].shape == (8, 3, 7, 7)
    assert weights[0]["bn1.num_batches_tracked"] > 0
    first, second = (
        next(r["scores"] for r in records(here.folder / "runs")
             if r["method"] == m and r["task"] == "bar")
        for m in ("simclr", "random_init")
    )  # fmt: skip
    assert first != second


def test_the_number_of_processes_changes_no_result(here: Here, bench: Bench) -> None:
    one = here(*RUN, "--methods", "byol simclr raw_pixels", "--store", "one")
    two = bench(*RUN, "--methods", "raw_pixels simclr byol", "--jobs", "2", "--store", "two")

    assert one.returncode == 0, one.stdout + one.stderr
    assert two.returncode == 0, two.stdout + two.stderr
    assert contents(here.folder / "one") == contents(here.folder / "two")


KILLED = [*RUN, "--methods", "sarl,random_init", "--set", "pretrain.epochs=3"]


def test_a_run_killed_again_and_again_ends_as_one_never_killed(here: Here, bench: Bench) -> None:
    """With workers, of which one is left alone; more moments: `reliability/test_kill.py`."""
    whole = here(*KILLED, "--store", "whole")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    store = here.folder / "killed"

    def log_lines() -> int:
        logs = list(store.glob("encoders/*/losses.jsonl"))
        return logs[0].read_text().count("\n") if logs else 0

    for reached in (lambda: log_lines() >= 4, lambda: any(store.glob("features/*.npy"))):
        code, output = bench.kill_when([*KILLED, "--jobs", "2", "--store", "killed"], reached)
        assert code == -signal.SIGKILL, output
    last = here(*KILLED, "--store", "killed")

    assert last.returncode == 0, last.stdout + last.stderr
    assert contents(store) == contents(here.folder / "whole")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_stops_cleanly_and_the_next_run_goes_on(here: Here, bench: Bench, jobs: str) -> None:
    command = [*KILLED[:-1], "pretrain.epochs=40", "--jobs", jobs, "--store", "stopped"]
    store = bench.folder / "stopped"
    code, output = bench.kill_when(
        command, lambda: any(store.glob("encoders/*/checkpoint.pt")), signal.SIGINT
    )

    assert code == 130, output
    assert "run the same command again to go on" in output
    assert "Traceback" not in output
    assert list(store.glob("encoders/*/checkpoint.pt"))
    status = here("status", "--store", "stopped")
    assert "trainings have begun" in status.stdout


def test_the_table_can_be_had_again_in_every_format(here: Here) -> None:
    here(*RUN, "--methods", "simclr,byol,raw_pixels")

    text = here("table", "--published", "--per-axis")
    assert "MAE where" in text.stdout or "where" in text.stdout
    assert "SIMULATED" in text.stdout
    markdown = here("table", "--format", "markdown")
    assert "| SimCLR" in markdown.stdout
    written = here("table", "--format", "csv", "--out", "table.csv")
    assert written.returncode == 0
    assert "simclr" in (here.folder / "table.csv").read_text()


def test_a_simulated_pack_is_made_on_first_use_and_said_to_be_simulated(here: Here) -> None:
    done = here("run", "--profile", "tiny.yaml", "--methods", "random_init", "raw_pixels")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "rendering 438 simulated images" in done.stdout
    found = records(here.folder / "runs")
    assert {record["task"] for record in found} == {
        "shape", "grating", "material", "force", "contact_point", "edge_pose",
    }  # fmt: skip
    assert {record["data"]["source"] for record in found} == {"simulated"}
    assert here("plan", "--profile", "tiny.yaml").returncode == 0


def test_a_changed_profile_makes_its_old_results_stale_and_the_card_tells_the_new_one(
    here: Here,
) -> None:
    profile = here.folder / "tiny.yaml"
    assert here(*RUN, "--methods", "random_init,raw_pixels").returncode == 0
    profile.write_text(
        profile.read_text().replace("classification_epochs: 3", "classification_epochs: 4")
    )
    assert here(*RUN, "--methods", "random_init").returncode == 0
    table = here("table").stdout

    assert "4 epochs, or" in table
    assert "3 epochs, or" not in table
    assert "stale" in table
    assert "4 stale" in here("status").stdout
