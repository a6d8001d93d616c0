"""Fewer labels: the train split cut down to a share of its images, val and test left whole."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch

from vtbench.tasks.base import Task
from vtbench.tasks.errors import TaskError
from vtbench.tasks.selection import SPLITS, split_rows

__all__ = ["few_labels"]


def few_labels(
    task: Task,
    targets: np.ndarray,
    splits: Mapping[str, np.ndarray],
    *,
    fraction: float,
    seed: int,
) -> dict[str, np.ndarray]:
    """The splits with only a fraction, in (0, 1], of the train rows, in their old order.

    targets: what `task.targets` returns for all N rows. Of a classification each class keeps
    its share, rounded, and at least one image; of a regression the share is drawn from all
    training images. Seed, targets and splits alone decide the draw, so all encoders get the
    same images, and a smaller fraction of the same seed is a part of a larger one.

    Raises TaskError for a fraction outside (0, 1] and when a split is empty.
    """
    if not 0 < fraction <= 1:
        raise TaskError(f"A fraction of the labels lies above 0 and up to 1, not at {fraction}.")
    rows = split_rows(splits)
    train = rows["train"]
    shuffled = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed)).numpy()
    groups = np.zeros(len(train), np.int64)
    if task.kind == "classification":
        groups = np.asarray(targets)[train]
    kept = [
        own[: _share(len(own), fraction)]
        for own in (shuffled[groups[shuffled] == group] for group in np.unique(groups))
    ]
    return {name: rows[name] for name in SPLITS} | {"train": train[np.sort(np.concatenate(kept))]}


def _share(images: int, fraction: float) -> int:
    """The fraction of a number of images, halves rounded up, and at least one."""
    return max(1, math.floor(fraction * images + 0.5))
