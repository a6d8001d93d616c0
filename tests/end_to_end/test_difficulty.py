"""A network learns what a linear model on pixels cannot, and pins alone hardly feel a grating."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Bench

PROFILE = """
base: desk
title: a small supervised network
data:
  stored_size: 64
  simulated:
    counts: {shape: 140, grating: 2100, material: 160, force: 7, contact_point: 7, edge_pose: 7}
encoder: {image_size: 64, width: 16, max_pool: false}
supervised: {epochs: 12, batch_size: 32}
probe: {batch_size: 64}
hardware: {jobs: 1, device: cpu}
"""


@pytest.mark.slow
def test_gratings_are_seen_by_a_network_and_hardly_felt_by_pins(bench: Bench) -> None:
    (bench.folder / "small.yaml").write_text(PROFILE, encoding="utf-8")
    for sensor in ("vitactip", "vitac", "tactip"):
        done = bench(
            *("run", "--data", f"{sensor}-sim", "--profile", "small.yaml", "--tasks", "grating"),
            *("--methods", "supervised", "random_init", "raw_pixels"),
            timeout=1200,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    records = map(json.loads, (p.read_text() for p in bench.folder.glob("runs/cells/*.json")))
    top1 = {(r["sensor"], r["method"]): r["scores"]["top1"] for r in records}

    for seen in ("vitactip", "vitac"):
        assert top1[seen, "supervised"] > 85
        assert top1[seen, "supervised"] > top1["tactip", "supervised"] + 20
        assert top1[seen, "supervised"] > top1[seen, "random_init"] + 20
        assert top1[seen, "supervised"] > top1[seen, "raw_pixels"] + 20
    assert top1["tactip", "supervised"] > 20  # chance is 14
