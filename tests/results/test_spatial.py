"""Measurements of maps: whole or refused, their intervals, and tables that claim no more."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import numpy as np
import pytest
from scipy import stats

from vtbench.results import spatial
from vtbench.results.errors import RecordError, ResultsError
from vtbench.results.spatial import MEASURES, Diagnosis
from vtbench.results.spatial_render import text, to_csv, to_markdown
from vtbench.results.spatial_table import half_interval, newest, tabulate
from vtbench.results.store import Store

WARPS, CELLS, IMAGES = ("identity", "crop", "flip"), {"layer3": 6, "layer4": 3}, 40


def diagnosis(method: str = "sarl", seed: int = 0, level: float = 0.6, **changes: Any) -> Diagnosis:
    """Values about `level`, chance about 0.1, and 1 without movement."""
    rng = np.random.default_rng([seed, *method.encode()])
    shift = rng.normal(0, 0.01)

    def of(warp: str) -> dict[str, list[float]]:
        noise = rng.normal(0, 0.05, (2, IMAGES)).round(4)
        values = [1.0] * IMAGES if warp == "identity" else (level + shift + noise[0]).tolist()
        return {"value": values, "chance": (0.1 + noise[1]).tolist()}

    values = {c: {m: {w: of(w) for w in WARPS} for m in MEASURES} for c in CELLS}
    fields: dict[str, Any] = {
        "id": "ab12", "encoder": f"e{seed}{method}", "method": method,
        "method_title": {"sarl": "SARL", "byol": "BYOL"}.get(method, method), "role": "method",
        "seed": seed, "profile": "quick", "sensor": "vitactip",
        "data": {"pack": "p", "title": "P", "source": "simulated", "dataset": "shape",
                 "fingerprint": "f"},
        "images": IMAGES, "cells": CELLS, "values": values, "ideal": spatial.means(values),
        "settings": {}, "code": "c0de", "provenance": {"finished": "2026-01-01"},
    }  # fmt: skip
    return Diagnosis(**{**fields, **changes})


def test_a_measurement_survives_writing_and_reading() -> None:
    made = diagnosis()

    assert Diagnosis.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.pop("values"),
        lambda found: found.update(schema=99),
        lambda found: found["values"]["layer3"]["map"]["crop"].update(value=[1.0]),
        lambda found: found["values"]["layer4"].pop("parts"),
        lambda found: found["data"].update(source="dreamt"),
        lambda found: found.update(values=3),
    ],
)
def test_what_is_no_measurement_is_refused(change: Any) -> None:
    found = json.loads(diagnosis().to_json())
    change(found)

    with pytest.raises(RecordError):
        Diagnosis.from_json(json.dumps(found))
    with pytest.raises(RecordError, match="not readable"):
        Diagnosis.from_json(b"\xff{")


def test_a_store_is_read_whatever_lies_in_it(tmp_path: Any) -> None:
    store = Store.open(tmp_path / "runs")
    good = spatial.path(store, "abc", "shape", "ff")
    store.write_file(good, lambda file: file.write(diagnosis().to_json().encode()))
    good.with_name("bad.json").write_text("{}")
    found, damaged = spatial.read(store)

    assert found == [diagnosis()]
    assert len(damaged) == 1
    assert damaged[0].startswith("bad.json")


def test_the_interval_of_one_seed_is_students_over_images() -> None:
    scores = np.random.default_rng(0).normal(size=30)
    low, high = stats.t.interval(0.95, 29, scores.mean(), stats.sem(scores))

    assert half_interval([scores.tolist()]) == pytest.approx((high - low) / 2)
    assert half_interval([[1.0]]) is None
    assert half_interval([[1.0, 1.0], [1.0, 1.0]]) == 0


def test_the_interval_of_seeds_knows_how_much_they_differ() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, (3, 100))
    apart = noise + np.array([[0.0], [0.3], [0.6]])

    assert half_interval(apart.tolist()) > 20 * half_interval(noise.tolist())
    # Nothing but seeds differs: Student's t with two degrees.
    same = np.repeat([[0.0], [0.3], [0.6]], 100, axis=1)
    expected = stats.t.ppf(0.975, 2) * stats.sem([0.0, 0.3, 0.6])
    assert half_interval(same.tolist()) == pytest.approx(expected)


def test_an_image_counts_under_the_movements_that_it_has() -> None:
    made = diagnosis()
    crop = made.values["layer3"]["map"]["crop"]
    crop["value"][0] = crop["chance"][0] = None
    for warp in ("crop", "flip"):
        made.values["layer4"]["map"][warp]["value"] = [None] * IMAGES
    row = tabulate([made]).rows[0]
    flip = made.values["layer3"]["map"]["flip"]

    assert row.readings["layer3", "map", "all"].images == IMAGES
    assert row.readings["layer3", "map", "crop"].images == IMAGES - 1
    assert row.samples["layer3", "map"][0, 0] == pytest.approx(flip["value"][0] - flip["chance"][0])
    assert row.readings["layer4", "map", "all"].excess is None


def test_the_table_names_the_data_and_what_one_seed_is_worth() -> None:
    table = tabulate([diagnosis(), diagnosis("byol", level=0.5)], left_out=["SimCLR: stale."])
    shown = " ".join(text(table).split())

    for words in (shown, to_markdown(table)):
        assert "SIMULATED" in words
        assert "nothing is claimed about methods" in words
        assert "SimCLR: stale." in words
        assert "Ideal field" in words
    assert "one seed, no claim" in shown
    assert "(shown)" not in shown


def test_a_difference_is_shown_with_seeds_and_only_where_there_is_one() -> None:
    runs = [diagnosis("sarl", seed, level=0.7) for seed in range(3)]
    lower = tabulate([*runs, *(diagnosis("byol", seed, level=0.5) for seed in range(3))])
    equal = tabulate([*runs, *(diagnosis("byol", seed, level=0.7) for seed in range(3))])

    said = [note for note in lower.notes if note.startswith("layer3, SARL minus BYOL")]
    assert re.search(r"Map \+0\.[12]\d \(shown\)", said[0])
    assert said[0].count("(shown)") == len(MEASURES)
    said = [note for note in equal.notes if note.startswith("layer3, SARL minus BYOL")]
    assert said[0].count("(not shown)") == len(MEASURES)


def test_a_map_that_fails_the_check_is_named() -> None:
    made = diagnosis("byol")
    made.values["layer4"]["pattern"]["identity"]["value"] = [0.0] * IMAGES
    notes = tabulate([made]).notes

    assert any("Caution" in note and "BYOL layer4 Pattern (0.00)" in note for note in notes)


def test_one_table_is_of_one_data_set() -> None:
    with pytest.raises(ResultsError, match="mix"):
        tabulate([diagnosis(), diagnosis("byol", profile="paper")])
    with pytest.raises(ResultsError, match="no measured"):
        tabulate([])


def test_csv_has_every_movement_and_text_no_cut_digit() -> None:
    table = tabulate([diagnosis(), diagnosis("byol")])
    lines = list(csv.DictReader(io.StringIO(to_csv(table))))

    assert len(lines) == 3 * len(CELLS) * len(MEASURES) * (len(WARPS) + 1)
    assert {line["source"] for line in lines} == {"SIMULATED"}
    one = lines[0]
    assert float(one["excess"]) == pytest.approx(float(one["value"]) - float(one["chance"]))
    assert "…" not in text(table, width=30)


@pytest.mark.parametrize("width", [160, 100, 80, 60, 44])
def test_text_fits_the_terminal_and_keeps_every_number(width: int) -> None:
    table = tabulate([diagnosis(), diagnosis("byol", level=0.5)])
    shown = text(table, width)
    numbers = re.compile(r"-?\d\.\d\d ±\d\.\d\d|\[-?\d\.\d\d\]")

    assert max(map(len, shown.splitlines())) <= width
    assert sorted(numbers.findall(shown)) == sorted(numbers.findall(text(table, 1000)))
    for title, _ in MEASURES.values():
        assert title in shown


def test_the_newest_group_is_one_that_fits_a_table() -> None:
    old = diagnosis(code="01d", provenance={"finished": "2025"})
    new = [diagnosis(method, provenance={"finished": "2026"}) for method in ("sarl", "byol")]
    other = diagnosis(profile="paper", provenance={"finished": "2027"})

    assert newest([*new, other, old], profile="quick", pack=None) == new
    assert newest([*new, other, old]) == [other]
    assert newest(new, pack="elsewhere") == []
