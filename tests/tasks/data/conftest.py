"""A small pack to take apart: 20 images of 8 x 6 pixels seen by one sensor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.data.writer import DatasetContent, write_pack

COUNT = 20


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (COUNT, 8, 6, 3), dtype=np.uint8)


@pytest.fixture
def content(images: np.ndarray) -> Callable[..., DatasetContent]:
    def make(**changes: Any) -> DatasetContent:
        facts = {
            "name": "edge",
            "count": COUNT,
            "images": {"tactip": (images[start : start + 6] for start in range(0, COUNT, 6))},
            "columns": {
                "x": Column(unit="mm"),
                "yaw": Column(unit="deg", period=360),
                "kind": Column(classes=("flat", "round")),
            },
            "labels": {
                "x": np.linspace(-6, 6, COUNT),
                "yaw": np.arange(COUNT) * 10,
                "kind": np.arange(COUNT) % 2,
            },
            "splits": ["train"] * 12 + ["val"] * 4 + ["test"] * 4,
            "group": "recording",
            "groups": [f"tap {index // 4}" for index in range(COUNT)],
        }
        return DatasetContent(**{**facts, **changes})

    return make


@pytest.fixture
def write(content: Callable[..., DatasetContent], tmp_path: Path) -> Callable[..., Pack]:
    def make(path: Path = tmp_path / "pack", **changes: Any) -> Pack:
        facts = {
            "name": "tactip-edge",
            "title": "Taps on an edge",
            "source": "real",
            "sensors": ["tactip"],
            "datasets": [content()],
            "tasks": {
                "edge_pose": TaskDeclaration(dataset="edge", targets=("x", "yaw")),
                "kind": TaskDeclaration(dataset="edge", label="kind", title="Kind"),
            },
        }
        return write_pack(path, **{**facts, **changes})

    return make


@pytest.fixture
def pack(write: Callable[..., Pack]) -> Pack:
    return write()


@pytest.fixture
def edit(pack: Pack) -> Callable[[str, str, str], Path]:
    """Replace text in a file of the pack, once; the pack's folder."""

    def replace(file: str, old: str, new: str) -> Path:
        path = pack.path / file
        text = path.read_text()

        assert old in text

        path.write_text(text.replace(old, new, 1))
        return pack.path

    return replace
