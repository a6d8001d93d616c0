"""Asks frozen features by a protocol: from settings and seeds to the trainings of `tasks`.

Shapes: N images of a data set, D features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from vtbench.benchmark.protocols import FRACTIONS, VALIDATION
from vtbench.benchmark.seeding import derive
from vtbench.benchmark.settings import Settings
from vtbench.tasks.few_labels import few_labels
from vtbench.tasks.knn import KnnProtocol, fit_knn
from vtbench.tasks.probe import ProbeProtocol, ProbeResult, fit_probe
from vtbench.tasks.tuned import TunedGrid, fit_tuned

if TYPE_CHECKING:
    from vtbench.tasks.base import Task
    from vtbench.tasks.data.pack import Dataset


def ask(
    protocol: str,
    features: np.ndarray,
    task: Task,
    dataset: Dataset,
    settings: Settings,
    *,
    seed: int,
    device: str,
) -> ProbeResult:
    """What features (N, D) say about a task; `seed` is the run's."""
    targets = task.targets(dataset)
    if protocol == "knn":
        neighbours = KnnProtocol(**settings.knn.model_dump())
        return fit_knn(features, task, targets, dataset.splits, protocol=neighbours, device=device)
    probe = ProbeProtocol(**settings.probe.model_dump(exclude={"pixel_size"}))
    own_seed = derive(seed, "probe", task.name)
    splits = _splits(protocol, task, targets, dataset, seed)
    if protocol == "tuned":
        grid = TunedGrid(**settings.tuned.model_dump())
        return fit_tuned(
            features, task, targets, splits, protocol=probe, grid=grid, seed=own_seed,
            device=device,
        )  # fmt: skip
    return fit_probe(features, task, targets, splits, protocol=probe, seed=own_seed, device=device)


def _splits(
    protocol: str, task: Task, targets: np.ndarray, dataset: Dataset, seed: int
) -> Mapping[str, np.ndarray]:
    """The rows that a linear probe is trained, chosen and scored on."""
    if protocol == VALIDATION:  # a sweep never reads the test images
        return {**dataset.splits, "test": dataset.splits["val"]}
    if protocol in FRACTIONS:
        return few_labels(
            task,
            targets,
            dataset.splits,
            fraction=FRACTIONS[protocol],
            seed=derive(seed, "few labels", task.name),
        )
    return dataset.splits
