"""`bench diagnose`: looks at the encoders of a store, trains nothing, and says what is missing."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable

import pytest

RUN = ("--profile", "tiny.yaml", "--data", "pack", "--tasks", "shape")
LOOK = ("--profile", "tiny.yaml", "--data", "pack", "--task", "shape", "--images", "8")


@pytest.fixture
def trained(here_after: Callable) -> Callable:
    """A folder with a store that holds SimCLR of one seed."""
    return here_after("run", *RUN, "--methods", "simclr")


def test_stored_encoders_are_measured_once(trained: Callable) -> None:
    first = trained("diagnose", *LOOK, "--methods", "simclr,byol,random_init,raw_pixels")
    files = sorted(trained.folder.glob("runs/diagnostics/*.json"))
    before = [file.read_bytes() for file in files]
    second = trained("diagnose", *LOOK, "--methods", "simclr,byol,random_init,raw_pixels")

    assert first.returncode == 0, first.stderr
    assert len(files) == 2
    assert "SIMULATED" in first.stdout
    assert "SimCLR" in first.stdout
    assert "BYOL, seed 0: no finished encoder yet" in " ".join(first.stdout.split())
    assert "has no encoder" in first.stdout
    assert second.stdout == first.stdout
    assert [file.read_bytes() for file in files] == before
    assert len(list((trained.folder / "runs" / "encoders").iterdir())) == 1


def test_the_numbers_do_not_depend_on_when_they_are_taken(trained: Callable) -> None:
    found = []
    for _ in range(2):
        assert trained("diagnose", *LOOK, "--methods", "simclr").returncode == 0
        file = next(trained.folder.glob("runs/diagnostics/*.json"))
        content = json.loads(file.read_text())
        found.append({key: content[key] for key in content if key != "provenance"})
        file.unlink()

    assert found[0] == found[1]


def test_without_movement_everything_is_one(trained: Callable) -> None:
    assert trained("diagnose", *LOOK, "--format", "csv", "--out", "table.csv").returncode == 0
    with (trained.folder / "table.csv").open() as file:
        lines = list(csv.DictReader(file))
    still = [line for line in lines if line["warp"] == "identity" and line["value"]]

    assert {line["method"] for line in still} == {"simclr", "random_init", "ideal"}
    assert all(float(line["value"]) == pytest.approx(1, abs=1e-3) for line in still)


def test_a_damaged_measurement_is_taken_again(trained: Callable) -> None:
    first = trained("diagnose", *LOOK, "--methods", "simclr")
    next(trained.folder.glob("runs/diagnostics/*.json")).write_text("{torn")

    assert trained("diagnose", *LOOK, "--methods", "simclr").stdout == first.stdout


def test_a_stale_encoder_is_left_out_and_named(
    trained: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vtbench.benchmark import planning

    real = planning.encoder_id
    monkeypatch.setattr(planning, "encoder_id", lambda *a, **k: real(*a, **k)[::-1])  # code changed
    found = trained("diagnose", *LOOK, "--methods", "simclr,random_init")

    assert found.returncode == 0, found.stderr
    assert "SimCLR, seed 0: left out as stale" in found.stdout


def test_results_without_their_encoder_are_named(trained: Callable) -> None:
    shutil.rmtree(trained.folder / "runs" / "encoders")
    found = trained("diagnose", *LOOK, "--methods", "simclr,random_init")

    assert "SimCLR, seed 0: its encoder is no longer in the store" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--methods", "raw_pixels"], "no encoder to look at"),
        (["--methods", "nobody"], "There is no method"),
        (["--task", "nothing"], "There is no task"),
        (["--store", "elsewhere"], "there is no store"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    trained: Callable, arguments: list[str], reason: str
) -> None:
    found = trained("diagnose", *LOOK, *arguments)

    assert found.returncode == 2
    assert reason in found.stderr.replace("\n", " ")
    assert "Traceback" not in found.stderr


def test_another_profile_than_the_stores_is_named_before_anything_is_rendered(
    trained: Callable,
) -> None:
    done = trained("diagnose", "--methods", "simclr")

    assert done.returncode == 2
    assert (
        "no results of the profile 'quick'; choose one of those that it has: --profile tiny.yaml."
        in done.stderr
    )
    assert "rendering" not in done.stdout
