"""The road on real images: the TacTip edge data becomes a pack, is trained on and probed."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Bench


@pytest.fixture
def taps(real_data: Path, tmp_path: Path) -> Path:
    """A small part of the TacTip edge data, in its published layout."""
    source = real_data / "tactip-edge-tap"
    if not source.is_dir():
        pytest.skip("the TacTip edge data is not here")
    for part, count in (("train", 120), ("val", 40)):
        folder = tmp_path / "taps" / part
        (folder / "images").mkdir(parents=True)
        with (source / part / "targets.csv").open(newline="") as file:
            rows = [row for row, _ in zip(csv.DictReader(file), range(count), strict=False)]
        with (folder / "targets.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        for row in rows:
            name = Path("images") / row["sensor_image"]
            shutil.copy(source / part / name, folder / name)
    return tmp_path / "taps"


def test_real_taps_are_trained_on_and_edge_pose_is_probed(bench: Bench, taps: Path) -> None:
    imported = bench("data", "import", "tactip", str(taps), "--out", "edge", "--title", "Taps")
    assert imported.returncode == 0, imported.stderr
    assert "wraps at 360" in imported.stdout
    done = bench("run", "--profile", "tiny.yaml", "--data", "edge", "--methods", "all")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "REAL data: Taps" in done.stdout
    assert "SIMULATED" not in done.stdout
    records = [json.loads(path.read_text()) for path in (bench.folder / "runs/cells").iterdir()]
    assert len(records) == 15
    for record in records:
        assert (record["task"], record["data"]["source"]) == ("edge_pose", "real")
        units = {metric["name"]: metric["unit"] for metric in record["metrics"]}
        assert (units["mae_x"], units["mae_z"], units["mae_yaw"]) == ("mm", "mm", "deg")
        assert record["scores"]["mae_yaw"] <= 180
