"""Loggers are told how trainings go; results, their names and the encoders are the same."""

from __future__ import annotations

import csv
import importlib.util
import json
from pathlib import Path

import pytest

from vtbench.benchmark import loggers
from vtbench.benchmark.loggers import LoggerPlan, Loggers
from vtbench.benchmark.settings import load_profile

RUN = ("run", "--profile", "tiny.yaml", "--data", "pack", "--tasks", "shape", "--methods", "sarl")


def content(store: Path) -> dict[str, bytes]:
    """What must not differ: names of cells, encoders, predictions and logs of the trainings."""
    kept = ("*.safetensors", "losses.jsonl", "predictions/*.npy", "features/*.npy")
    files = {path for pattern in kept for path in store.rglob(pattern)}
    found = {str(path.relative_to(store)): path.read_bytes() for path in files}
    return found | {path.name: b"" for path in (store / "cells").iterdir()}


def test_a_logger_gets_every_number_and_changes_no_result(here) -> None:
    assert here(*RUN, "--store", "plain").returncode == 0
    told = here(*RUN, "--store", "told", "--logger", "csv")

    assert told.returncode == 0, told.stderr
    assert content(Path("plain")) == content(Path("told"))
    (path,) = Path("told").glob("logs/csv/sarl-seed0-*/version_0/metrics.csv")
    rows = list(csv.DictReader(path.read_text().splitlines()))
    (log,) = Path("told").glob("encoders/*/losses.jsonl")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [int(row["step"]) for row in rows] == [line["step"] for line in lines]
    for row, line in zip(rows, lines, strict=True):
        if "total" in line:
            assert float(row["loss/total"]) == line["total"]
            assert float(row["loss/sal"]) == line["sal"]
        elif "gradient_shares" in line:
            assert float(row["gradient_shares/ram"]) == line["gradient_shares"]["ram"]
        else:
            assert float(row["monitor/spread"]) == line["spread"]
    again = here(*RUN, "--store", "told", "--set", "logging.loggers=[]")
    assert "Nothing is left to do" in again.stdout


def test_tensorboard_is_told_where_it_is_installed(here) -> None:
    pytest.importorskip("tensorboard")
    assert here(*RUN, "--logger", "tensorboard").returncode == 0
    assert list(Path("runs").glob("logs/tensorboard/sarl-seed0-*/version_0/events*"))


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_missing_package_is_named_before_anything_runs(
    name: str, here, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        loggers, "find_spec", lambda n, *a: None if n.startswith(name) else real(n, *a)
    )
    done = here(*RUN, "--logger", name)

    assert done.returncode == 2
    assert f"pip install {name}" in done.stderr
    assert not Path("runs").exists()


@pytest.mark.parametrize("text", ["csv", "[csv]", "[csv, csv]"])
def test_loggers_are_set_as_a_list_and_are_no_part_of_the_profile(text: str) -> None:
    profile = load_profile("quick", [f"logging.loggers={text}"])

    assert profile.settings.logging.loggers == ("csv",)
    assert profile.name == "quick"


class Broken:
    """A logger that fails at the second call."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def log_metrics(self, numbers: dict[str, float], step: int) -> None:
        if self.told:
            raise ConnectionError("no network")
        self.told.append(step)

    def save(self) -> None:
        pass


def test_a_logger_that_fails_is_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    broken = Broken()
    monkeypatch.setitem(loggers._MAKERS, "wandb", lambda plan: broken)
    told = Loggers(LoggerPlan(("wandb", "csv"), tmp_path, "run"))
    for step in range(3):
        told.write([{"step": step, "total": 1.0}])
    told.close()

    assert broken.told == [0]
    assert len(caplog.messages) == 1
    assert "wandb failed (ConnectionError: no network)" in caplog.text
    assert len((tmp_path / "csv/run/version_0/metrics.csv").read_text().splitlines()) == 4


def test_a_logger_that_cannot_begin_is_left_out_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def fail(plan: LoggerPlan) -> None:
        raise PermissionError("no key")

    monkeypatch.setitem(loggers._MAKERS, "mlflow", fail)
    told = Loggers(LoggerPlan(("mlflow",), tmp_path, "run"))
    told.write([{"step": 0, "total": 1.0}])
    told.write([{"step": 1, "total": 1.0}])
    told.close()

    assert len(caplog.messages) == 1
