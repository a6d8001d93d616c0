"""Shared by all tests: one thread, a cache of their own, a tiny profile and a tiny pack."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.data.writer import DatasetContent, write_pack

TESTS = Path(__file__).parent


#: Folders whose files take longest: first, so that no process is left with one at the end.
DEAR = ("end_to_end", "reliability", "plugin", "benchmark")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by folder, the dear ones first; within a folder everything keeps its place."""
    order = {name: number for number, name in enumerate(DEAR)}
    items.sort(key=lambda item: order.get(item.path.relative_to(TESTS).parts[0], len(DEAR)))


@pytest.fixture(scope="session", autouse=True)
def _isolated(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["VTBENCH_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real tactile images; tests that need it are skipped without."""
    folder = os.environ.get("VTBENCH_REAL_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real tactile images are not here (VTBENCH_REAL_DATA names their folder)")
    return Path(folder)


TINY = """
base: quick
title: as small as it gets
data:
  stored_size: 32
  simulated:
    counts:
      {shape: 140, grating: 48, material: 160, force: 30, contact_point: 30, edge_pose: 30,
       magictac_t: 105, magictac_d: 50, gelsight: 45, pnutac: 55}
encoder: {image_size: 32, width: 8}
pretrain: {epochs: 2, batch_size: 16, scale: {head: 0.02, narrowest: 4, codes: 0.01, queue: 0.01}}
probe: {batch_size: 16, classification_epochs: 3, regression_epochs: 3, pixel_size: 8}
supervised: {epochs: 1, batch_size: 16}
hardware: {jobs: 1, device: cpu}
"""


@pytest.fixture(scope="session")
def tiny_profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile file: everything the road needs, in a second."""
    path = tmp_path_factory.mktemp("profiles") / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


def splits(count: int) -> list[str]:
    train, val = int(0.6 * count), int(0.8 * count)
    return ["train"] * train + ["val"] * (val - train) + ["test"] * (count - val)


def write_tiny_pack(folder: Path, *, seed: int = 0, count: int = 40) -> Pack:
    """Two data sets: three bright colours to tell apart, and a bright column to locate."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(count) % 3
    colours = rng.integers(0, 60, (count, 32, 32, 3), dtype=np.uint8)
    colours[np.arange(count), ..., kinds] += 150
    places = rng.uniform(2, 30, count)
    columns = rng.integers(0, 60, (count, 32, 32, 3), dtype=np.uint8)
    for image, place in zip(columns, places, strict=True):
        image[:, int(place) - 1 : int(place) + 1] = 250
    return write_pack(
        folder,
        name="tiny",
        title="A tiny pack for tests",
        source="simulated",
        sensors=["camera"],
        datasets=[
            DatasetContent(
                name="colours",
                count=count,
                images={"camera": [colours]},
                columns={"shape": Column(classes=("red", "green", "blue"))},
                labels={"shape": kinds},
                splits=splits(count),
            ),
            DatasetContent(
                name="bars",
                count=count,
                images={"camera": [columns]},
                columns={"where": Column(unit="px")},
                labels={"where": places},
                splits=splits(count),
            ),
        ],
        tasks={
            "shape": TaskDeclaration(dataset="colours", label="shape"),
            "bar": TaskDeclaration(dataset="bars", targets=("where",), title="Bar"),
        },
    )


@pytest.fixture(scope="session")
def tiny_pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return write_tiny_pack(tmp_path_factory.mktemp("packs") / "tiny")


@pytest.fixture(scope="session")
def make_pack() -> Callable[..., Pack]:
    """Writes a tiny pack: make_pack(folder, seed=0, count=40)."""
    return write_tiny_pack
