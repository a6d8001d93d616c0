"""Which rows each split has, which epoch's weights are kept, and which of several candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from vtbench.tasks.base import Task
from vtbench.tasks.errors import TaskError

SPLITS = ("train", "val", "test")

Weights = TypeVar("Weights")


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """What one training on a task found, at the epoch that was best on the validation images.

    scores, val_scores: metric name -> number on the test and the validation images;
    predictions: (n_test, C) float32 logits or (n_test, T) float64 values in the targets' units;
    test_indices: (n_test,) rows of the dataset, in the order of `predictions`;
    best_epoch: counted from 1; 0 where nothing was trained in epochs;
    chosen: what else the validation images decided, name -> number.
    """

    scores: dict[str, float]
    val_scores: dict[str, float]
    predictions: np.ndarray
    test_indices: np.ndarray
    best_epoch: int
    chosen: Mapping[str, float | int] = field(default_factory=dict)


class BestEpoch(Generic[Weights]):
    """Keeps the weights of the epoch with the best primary score on the validation images.

    Of equal scores the last is kept: on an easy task the first epoch may already classify a
    small validation split without error, with a head that is hardly trained. An epoch with NaN
    or infinite predictions is never kept.
    """

    def __init__(self, task: Task, targets: np.ndarray) -> None:
        """`targets` are those of the validation images."""
        self._task = task
        self._targets = targets
        self._best: float | None = None
        self._weights: Weights | None = None
        self.epoch = 0
        self.scores: dict[str, float] = {}

    def offer(
        self, epoch: int, predictions: np.ndarray, weights: Callable[[], Weights]
    ) -> dict[str, float]:
        """Compare one epoch and return its scores, none when its predictions are not finite.

        `weights()` must return a copy; it is called only for an epoch that is kept.
        """
        if not np.isfinite(predictions).all():
            return {}
        scores = self._task.scores(predictions, self._targets)
        score = scores[self._task.primary.name]
        if score == self._best or self._task.primary.improves(score, self._best):
            self._best, self.epoch, self.scores = score, epoch, scores
            self._weights = weights()
        return scores

    @property
    def weights(self) -> Weights:
        """The weights of the best epoch; TaskError when no epoch gave finite predictions."""
        if self._weights is None:
            raise TaskError(
                "The training diverged: no epoch gives finite predictions on the validation "
                "images; lower the learning rate."
            )
        return self._weights

    def result(
        self,
        predictions: np.ndarray,
        targets: np.ndarray,
        rows: np.ndarray,
        chosen: Mapping[str, float | int] | None = None,
    ) -> ProbeResult:
        """The finished training, given predictions, targets and row indices of the test images."""
        return ProbeResult(
            scores=self._task.scores(predictions, targets),
            val_scores=self.scores,
            predictions=predictions,
            test_indices=rows,
            best_epoch=self.epoch,
            chosen=dict(chosen or {}),
        )


def best_candidate(task: Task, val_scores: Sequence[Mapping[str, float]]) -> int | None:
    """Index of the candidate with the best primary score; of equal ones the first.

    Empty scores are those of a candidate that diverged; None when all did.
    """
    best: int | None = None
    name = task.primary.name
    for index, scores in enumerate(val_scores):
        held = None if best is None else val_scores[best][name]
        if scores and task.primary.improves(scores[name], held):
            best = index
    return best


def split_rows(splits: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The row indices of train, val and test, int64; TaskError when a split has no image."""
    rows = {name: np.array(splits.get(name, ()), dtype=np.int64) for name in SPLITS}
    for name, indices in rows.items():
        if not len(indices):
            raise TaskError(f"The {name} split has no image; a task needs train, val and test.")
    return rows


def copied_weights(module: nn.Module) -> dict[str, Tensor]:
    """A copy of all parameters and buffers, where they lie."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def tensor_of(targets: np.ndarray) -> Tensor:
    """Encoded targets for a loss: class codes stay int64, everything else becomes float32."""
    if not np.issubdtype(targets.dtype, np.integer):
        targets = targets.astype(np.float32)
    return torch.from_numpy(targets)
