"""Nearest neighbours among frozen features: a classifier without any training.

The vote is that of Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance
Discrimination" (CVPR 2018, arXiv 1805.01978, section 3.4): with s_i the cosine of an image and
its i-th nearest training image and τ the temperature, class c gets

    w_c = Σ_{i ∈ N_k} α_i · 1(c_i = c),   α_i = exp(s_i / τ)

Here the votes are divided by Σ α_i, which changes no rank. A regression, which the paper does
not have, is the mean of the neighbours' encoded targets under the same weights.

Shapes: N samples, n training and m asked images, D features, K encoded columns or classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vtbench.tasks.base import Task
from vtbench.tasks.errors import TaskError
from vtbench.tasks.probe import Examples, Scaling
from vtbench.tasks.selection import ProbeResult, best_candidate, split_rows, tensor_of

__all__ = ["KnnProtocol", "fit_knn"]

#: Similarities, and neighbours' votes, held at once: 16 MiB of float32 each.
CELLS = 2**22


@dataclass(frozen=True, kw_only=True)
class KnnProtocol:
    """How many neighbours vote, and how sharply the nearer ones outweigh the others.

    The temperature is the paper's; it takes 200 neighbours, here their number is chosen on the
    validation images. As in the paper features are divided by their length only; standardising
    them by the training images first, as the linear probe does, is a choice.
    """

    neighbours: tuple[int, ...] = (1, 5, 10, 20, 50, 200)
    temperature: float = 0.07
    standardize_features: bool = False

    def __post_init__(self) -> None:
        if not self.neighbours or min(self.neighbours) < 1:
            raise TaskError("Nearest neighbours need numbers of neighbours of at least 1.")
        if not self.temperature > 0:
            raise TaskError(f"The temperature must be above 0, not {self.temperature}.")

    def possible(self, images: int) -> tuple[int, ...]:
        """The numbers of neighbours that so many training images allow; TaskError if none."""
        possible = tuple(k for k in self.neighbours if k <= images)
        if not possible:
            raise TaskError(
                f"{images} training images have no {min(self.neighbours)} neighbours; ask for "
                "fewer neighbours."
            )
        return possible


def fit_knn(
    features: np.ndarray,
    task: Task,
    targets: np.ndarray,
    splits: Mapping[str, np.ndarray],
    *,
    protocol: KnnProtocol,
    device: str | torch.device = "cpu",
) -> ProbeResult:
    """Let the train rows vote, choose the number of neighbours on val, and read test once.

    features: (N, D) float32; targets: what `task.targets` returns for the same N rows; splits:
    row indices of train, val and test. Predictions of a classification are shares of the vote,
    0 for a class that no neighbour has. Nothing is random. Of equally good numbers of
    neighbours the first listed is taken; `chosen` has it as `neighbours`.

    Raises TaskError when a feature is NaN or infinite, when a split is empty, and when the train
    split has fewer images than every number of neighbours asked for.
    """
    rows = split_rows(splits)
    train, val = (Examples.of(features, targets, rows, name) for name in ("train", "val"))
    numbers = protocol.possible(len(train.rows))
    memory = _Memory(train, task, protocol, device)
    val_scores = [task.scores(own, val.targets) for own in memory.predictions(val, numbers)]
    best = best_candidate(task, val_scores)
    assert best is not None  # votes are finite
    test = Examples.of(features, targets, rows, "test")
    (predictions,) = memory.predictions(test, [numbers[best]])
    return ProbeResult(
        scores=task.scores(predictions, test.targets),
        val_scores=val_scores[best],
        predictions=predictions,
        test_indices=test.rows,
        best_epoch=0,
        chosen={"neighbours": numbers[best]},
    )


class _Memory:
    """The training images, as directions in feature space with what each of them says."""

    def __init__(
        self, train: Examples, task: Task, protocol: KnnProtocol, device: str | torch.device
    ) -> None:
        self.task = task
        self.temperature = protocol.temperature
        self.device = device
        self.scaling = Scaling.of(train, standardize=protocol.standardize_features)
        self.statistics = task.statistics(train.targets)
        self.directions = self._directions(train)  # (n, D)
        said = tensor_of(task.encode(train.targets, self.statistics)).to(device)
        if task.kind == "classification":
            said = F.one_hot(said, task.outputs()).float()
        self.said = said  # (n, K)

    def predictions(self, asked: Examples, numbers: Sequence[int]) -> list[np.ndarray]:
        """The predictions for m images, (m, C) or (m, T), with each number of neighbours."""
        widest = max(len(self.directions), max(numbers) * self.task.outputs())
        parts = self._directions(asked).split(max(1, CELLS // widest))
        votes = [self._votes(part, numbers) for part in parts]
        outputs = [torch.cat(own).cpu().numpy() for own in zip(*votes, strict=True)]
        return [self.task.decode(own, self.statistics) for own in outputs]

    def _votes(self, directions: Tensor, numbers: Sequence[int]) -> list[Tensor]:
        """What the k nearest say on average, (m, K), for each k of `numbers`."""
        similarities, nearest = (directions @ self.directions.T).topk(max(numbers))  # (m, k)
        return [
            torch.einsum(
                "mk,mkc->mc",
                F.softmax(similarities[:, :k] / self.temperature, dim=1),  # α_i / Σ α_i
                self.said[nearest[:, :k]],
            )
            for k in numbers
        ]

    def _directions(self, examples: Examples) -> Tensor:
        """Features of length 1, (n, D); those of a feature vector of zeros stay 0."""
        return F.normalize(self.scaling(examples.features).to(self.device), dim=1)
