"""A clean pack of 60 presses, to plant faults in, and how to ask for the one that was planted."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.data.verify import Verification
from vtbench.tasks.data.verify import verify as verified
from vtbench.tasks.data.writer import DatasetContent, write_pack

COUNT, SIDE = 60, 48
SPLITS = ["train"] * 40 + ["val"] * 10 + ["test"] * 10


@functools.cache
def _pressed(count: int, seed: int, side: int) -> np.ndarray:
    """Images that all look alike, as those of one sensor do: fixed pins, a small moving bump."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    pins = 60 * ((x % 6 < 2) & (y % 6 < 2))
    images = []
    for _ in range(count):
        cx, cy, wide = rng.uniform(8, side - 8), rng.uniform(8, side - 8), rng.uniform(3, 8)
        bump = rng.uniform(20, 60) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * wide**2))
        images.append(90 + pins + bump + rng.normal(0, 1.0, (side, side)))
    return np.stack(images)[..., None].clip(0, 255).round().astype(np.uint8)


@pytest.fixture(scope="session")
def presses() -> Callable[..., np.ndarray]:
    """Makes images uint8 (count, side, side, 3, or 1 if grey) that may be written to."""

    def make(count: int = COUNT, *, seed: int = 0, side: int = SIDE, grey: bool = False):
        return np.repeat(_pressed(count, seed, side), 1 if grey else 3, axis=3)

    return make


@pytest.fixture(scope="session")
def contents(presses: Callable[..., np.ndarray]) -> Callable[..., DatasetContent]:
    """Makes a clean dataset with changes."""

    def make(**changes: Any) -> DatasetContent:
        facts: dict[str, Any] = {
            "name": "edge",
            "count": COUNT,
            "images": {"tactip": presses()},
            "columns": {
                "x": Column(unit="mm"),
                "yaw": Column(unit="deg", period=360),
                "kind": Column(classes=("flat", "round")),
            },
            "labels": {
                "x": np.tile(np.linspace(-6, 6, 10), 6),
                "yaw": np.tile(np.linspace(0, 350, 10), 6),
                "kind": np.arange(COUNT) % 2,
            },
            "splits": SPLITS,
        }
        return DatasetContent(**{**facts, **changes})

    return make


@pytest.fixture(scope="session")
def tasks() -> dict[str, TaskDeclaration]:
    return {
        "pose": TaskDeclaration(dataset="edge", targets=("x", "yaw"), title="Pose"),
        "kind": TaskDeclaration(dataset="edge", label="kind", title="Kind"),
    }


@pytest.fixture
def check(
    tmp_path: Path, contents: Callable[..., DatasetContent], tasks: dict[str, TaskDeclaration]
) -> Callable[..., Verification]:
    """Writes a pack with changes and verifies it."""

    def run(*more: DatasetContent, tasks: Any = tasks, known: Any = None, **changes: Any):
        facts = {"name": "edge", "title": "Edge", "source": "real", "sensors": ["tactip"]}
        datasets = [contents(**changes), *more]
        write_pack(tmp_path / "pack", datasets=datasets, tasks=tasks, overwrite=True, **facts)
        return verified(tmp_path / "pack", known_tasks=known or {})

    return run


@pytest.fixture(scope="session")
def only() -> Callable[..., str]:
    """The text of the one finding, which must have this level and hold these words."""

    def text(result: Verification, level: str, *words: str) -> str:
        sentences = [finding.sentence for finding in result.findings]
        assert len(sentences) == 1, sentences
        assert result.findings[0].level == level
        for word in words:
            assert word in sentences[0], sentences[0]
        assert sentences[0].endswith(".")
        return sentences[0]

    return text
