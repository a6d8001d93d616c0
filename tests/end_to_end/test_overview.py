"""What `bench plan` and `bench status` count: what is really left, and what is really wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vtbench.benchmark.api import plan
from vtbench.results.store import Store

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Here

ON = ("--data", "pack", "--profile", "tiny.yaml", "--tasks", "shape")


def test_probes_of_encoders_that_are_there_cost_no_training(here: Here) -> None:
    rows = ("--methods", "simclr", "random_init")
    assert here("run", *ON, *rows).returncode == 0
    asked = {"methods": ["simclr"], "tasks": ["shape"], "protocols": ["knn"], "frame": True}
    asked |= {"data": "pack", "profile": "tiny.yaml"}
    kept = plan(**asked).attrs  # type: ignore[arg-type]

    more = here("plan", *ON, *rows, "--protocol", "linear", "knn").stdout
    assert "To do: 0 pre-trainings, 0 supervised trainings, 1 probes, 1 probes of stored" in more
    seeds = here("plan", *ON, *rows, "--protocol", "knn", "--seeds", "2").stdout
    assert "To do: 1 pre-trainings, 0 supervised trainings, 3 probes, 1 probes of stored" in seeds

    for file in (here.folder / "runs" / "encoders").glob("*/training.json"):
        file.unlink()
    gone = plan(**asked).attrs  # type: ignore[arg-type]
    assert kept["bytes"] < gone["bytes"]
    assert kept["seconds"] < gone["seconds"]


def test_failures_of_replaced_code_are_stale_and_no_present_ones(
    here: Here,
) -> None:
    assert here("run", *ON, "--methods", "random_init", "raw_pixels").returncode == 0
    store = Store.open("runs")
    failed = [
        replace(record, status="failed", error="it broke", scores={}, val_scores={},
                predictions=None)
        for record in store.records()
    ]  # fmt: skip
    now, before = failed
    store.write(now)
    store.write(replace(before, id="0" * len(before.id), code={**before.code, "task": "other"}))

    said = here("status").stdout
    assert f"failed: {now.method_title} on shape, seed 0: it broke" in said
    assert said.count("it broke") == 1
    assert "1 cells done, 1 failed, 1 stale" in said
    assert "stale: 1 failed of code, settings or data that have been changed since" in said
