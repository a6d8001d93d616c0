"""A dataset that reads what a camera took, from a plugin: no number of images need be said."""

from __future__ import annotations

from pathlib import Path

import pytest

SOURCE = '''
import numpy as np
from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.data.writer import DatasetContent, write_pack
from vtbench.tasks.errors import DataError


class Frames:
    """Thirty frames of a slip."""

    name = "frames"
    title = "Frames"
    source = "real"
    sensors = ("camera",)
    tasks = ("slip",)

    def prepare(self, folder, *, size, counts, seed, progress=None, world=None):
        if set(counts) != {"slip"}:
            raise DataError("There is only slip.")
        codes = np.arange(30) % 2
        images = np.random.default_rng(7).integers(0, 99, (30, size, size, 3), dtype=np.uint8)
        images[codes == 1] += 100
        if progress:
            progress(30, 30)
        content = DatasetContent(
            name="slip", count=30, images={"camera": [images]}, labels={"slip": codes},
            columns={"slip": Column(classes=("no", "yes"))},
            splits=["train"] * 16 + ["val"] * 6 + ["test"] * 8,
        )
        return write_pack(
            folder, name="frames", title="Frames", source="real", sensors=self.sensors,
            datasets=[content], tasks={"slip": TaskDeclaration(dataset="slip", label="slip")},
        )
'''


@pytest.fixture
def _frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    info = site / "frames-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "frames_plugin.py").write_text(SOURCE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: frames\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[vtbench.datasets]\nframes = frames_plugin:Frames\n")
    monkeypatch.syspath_prepend(str(site))


REQUEST = ("--data", "frames", "--methods", "random_init", "--profile", "tiny.yaml")


@pytest.mark.usefixtures("_frames")
def test_it_keeps_its_contract_and_needs_no_number_of_images(here) -> None:
    checked, planned = here("check", "frames"), here("plan", *REQUEST)

    assert checked.returncode == 0, checked.stdout
    assert "skipped  another seed makes other images" in checked.stdout
    assert "real images would be" in planned.stdout, planned.stdout + planned.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("_frames")
def test_it_is_read_and_run(here) -> None:
    ran = here("run", *REQUEST)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "reading real images into" in ran.stdout
    assert "REAL data" in ran.stdout
    assert "SIMULATED" not in ran.stdout
