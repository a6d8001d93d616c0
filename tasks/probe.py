"""The linear probe: one linear layer on frozen features.

The protocol is SARL's (arXiv 2512.01908, linear evaluation): SGD with learning rate 0.02 and
momentum 0.9 for 100 epochs of classification, AdamW with learning rate 0.01 for 200 epochs of
regression. Where the paper is silent, `ProbeProtocol` says what is done.

Training knows the train and the val images only (`train_heads`); the test images are read after
it, once (`TrainedHead.read`). Several heads can be trained side by side, as `tuned` does.

Shapes: N samples, n of them in a split, D features, K outputs of the head.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vtbench.tasks.base import Task
from vtbench.tasks.encoding import TargetStatistics
from vtbench.tasks.errors import TaskError
from vtbench.tasks.selection import (
    BestEpoch,
    ProbeResult,
    copied_weights,
    split_rows,
    tensor_of,
)

__all__ = ["ProbeProtocol", "ProbeResult", "fit_probe"]

#: A feature is never divided by less than this share of the mean standard deviation: one that
#: is all but dead on the training images must not dominate a test image where it wakes up.
RELATIVE_SD_FLOOR = 0.1
#: Nor by less than this share of the features' root mean square: what varies less is rounding
#: (a float32 forward pass leaves about 1e-6), as in the features of a collapsed encoder.
RELATIVE_SIZE_FLOOR = 1e-4


@dataclass(frozen=True)
class Rates:
    """Learning rate and weight decay of one head."""

    lr: float
    weight_decay: float


@dataclass(frozen=True, kw_only=True)
class ProbeProtocol:
    """How the probe is trained. Epochs, rates and momentum are the paper's.

    The paper states no batch size, weight decay, schedule or loss: 256 is its pre-training
    batch, 0 and 0.01 are torch's defaults for SGD and AdamW, the rate is constant, and the
    loss is cross-entropy or the mean squared error of standardised targets.
    """

    batch_size: int = 256
    classification_epochs: int = 100
    classification_lr: float = 0.02
    classification_momentum: float = 0.9
    classification_weight_decay: float = 0.0
    regression_epochs: int = 200
    regression_lr: float = 0.01
    regression_weight_decay: float = 0.01
    standardize_features: bool = True
    regression_loss: Literal["mse", "l1"] = "mse"

    def __post_init__(self) -> None:
        if min(self.batch_size, self.classification_epochs, self.regression_epochs) < 1:
            raise TaskError("A probe needs a batch size and numbers of epochs of at least 1.")

    def epochs(self, task: Task) -> int:
        """Number of epochs for this kind of task."""
        if task.kind == "regression":
            return self.regression_epochs
        return self.classification_epochs

    def rates(self, task: Task) -> Rates:
        """Learning rate and weight decay for this kind of task."""
        if task.kind == "regression":
            return Rates(self.regression_lr, self.regression_weight_decay)
        return Rates(self.classification_lr, self.classification_weight_decay)

    def optimizer(
        self, task: Task, heads: Sequence[nn.Linear], rates: Sequence[Rates]
    ) -> torch.optim.Optimizer:
        """The optimiser for this kind of task, with each head's own rates."""
        groups = [
            {"params": list(head.parameters()), "lr": own.lr, "weight_decay": own.weight_decay}
            for head, own in zip(heads, rates, strict=True)
        ]
        if task.kind == "regression":
            return torch.optim.AdamW(groups, fused=True)
        return torch.optim.SGD(
            groups, lr=self.classification_lr, momentum=self.classification_momentum, fused=True
        )

    def loss(self, task: Task, predicted: Tensor, target: Tensor) -> Tensor:
        """The task's own loss, unless the absolute error of a regression is asked for."""
        if task.kind == "regression" and self.regression_loss == "l1":
            return F.l1_loss(predicted, target)
        return task.loss(predicted, target)


def fit_probe(
    features: np.ndarray,
    task: Task,
    targets: np.ndarray,
    splits: Mapping[str, np.ndarray],
    *,
    protocol: ProbeProtocol,
    seed: int,
    device: str | torch.device = "cpu",
) -> ProbeResult:
    """Train a linear head on the train rows, choose its epoch on val, and score it on test once.

    features: (N, D) float32; targets: what `task.targets` returns for the same N rows; splits:
    row indices of train, val and test.

    The seed alone decides the weights at the start and the order of the images; the global
    random state is neither read nor changed. Every image is seen once per epoch, so the last
    batch may be short. Centre and scale of features and targets come from the train rows.

    Raises TaskError when a feature is NaN or infinite, when a split is empty, and when the
    training diverges.
    """
    rows = split_rows(splits)
    train, val = (Examples.of(features, targets, rows, name) for name in ("train", "val"))
    (head,) = train_heads(
        train, val, task, [protocol.rates(task)], protocol=protocol, seed=seed, device=device
    )
    return head.read(Examples.of(features, targets, rows, "test"))


@dataclass(frozen=True, eq=False)
class Examples:
    """The images of one split: features (n, D) float32, targets and rows of the dataset (n,)."""

    features: np.ndarray
    targets: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(
        cls,
        features: np.ndarray,
        targets: np.ndarray,
        rows: Mapping[str, np.ndarray],
        split: str,
    ) -> Self:
        """A split's part of all features and targets; TaskError when a feature is not finite."""
        part = np.asarray(features[rows[split]], dtype=np.float32)
        if not np.isfinite(part).all():
            raise TaskError(
                f"The encoder gives non-finite features for {split} images; it has diverged: "
                "train it again with a lower learning rate or in precision 32."
            )
        return cls(part, targets[rows[split]], rows[split])


@dataclass(frozen=True, eq=False)
class Scaling:
    """How features are centred and divided, (D,) each; 0 and 1 leave them as they are."""

    centre: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, train: Examples, *, standardize: bool) -> Self:
        """The training features' own statistics, where they are to be standardised."""
        if standardize:
            return cls(*feature_statistics(train.features))
        return cls(np.zeros(1, np.float32), np.ones(1, np.float32))

    def __call__(self, features: np.ndarray) -> Tensor:
        """Features (n, D) as the head is given them."""
        return torch.from_numpy((features - self.centre) / self.scale)


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """One trained head, its best epoch, and how features and targets are scaled for it."""

    task: Task
    head: nn.Linear
    best: BestEpoch[dict[str, Tensor]]
    scaling: Scaling
    statistics: TargetStatistics

    def read(self, test: Examples, chosen: Mapping[str, float | int] | None = None) -> ProbeResult:
        """Score the head of the best epoch on the test images; TaskError when it diverged."""
        self.head.load_state_dict(self.best.weights)
        inputs = self.scaling(test.features).to(self.head.weight.device)
        predictions = self.task.decode(_outputs(self.head, inputs), self.statistics)
        return self.best.result(predictions, test.targets, test.rows, chosen)


def train_heads(
    train: Examples,
    val: Examples,
    task: Task,
    rates: Sequence[Rates],
    *,
    protocol: ProbeProtocol,
    seed: int,
    device: str | torch.device,
) -> list[TrainedHead]:
    """One head for each of the `rates`, trained side by side; no test image is at hand here.

    All heads start from the same weights and see the same batches, and each has a loss and an
    epoch of its own: a head becomes, to the last bit, what it becomes when trained alone.
    """
    scaling = Scaling.of(train, standardize=protocol.standardize_features)
    statistics = task.statistics(train.targets)
    generator = torch.Generator().manual_seed(seed)
    first = task.head(train.features.shape[1], generator=generator)
    heads = [copy.deepcopy(first).to(device) for _ in rates]
    best = [BestEpoch[dict[str, Tensor]](task, val.targets) for _ in rates]
    inputs, asked = (scaling(part.features).to(device) for part in (train, val))
    wanted = tensor_of(task.encode(train.targets, statistics)).to(device)
    optimizer = protocol.optimizer(task, heads, rates)
    for epoch in range(1, protocol.epochs(task) + 1):
        order = torch.randperm(len(wanted), generator=generator).to(device)
        batches = order.split(protocol.batch_size)
        train_epoch(heads, optimizer, partial(protocol.loss, task), inputs, wanted, batches)
        for head, own in zip(heads, best, strict=True):
            predictions = task.decode(_outputs(head, asked), statistics)
            own.offer(epoch, predictions, partial(copied_weights, head))
    return [
        TrainedHead(task, head, own, scaling, statistics)
        for head, own in zip(heads, best, strict=True)
    ]


def train_epoch(
    heads: Sequence[nn.Module],
    optimizer: torch.optim.Optimizer,
    loss: Callable[[Tensor, Tensor], Tensor],
    inputs: Tensor,
    wanted: Tensor,
    batches: Iterable[Tensor],
) -> None:
    """A step of all heads for each batch of rows of `inputs` (n, D) and of what is `wanted` (n, …).

    The rows are copied for each step, not all of them for each epoch: a batch stays in the cache.
    `index_select` takes a third of the time that `inputs[batch]` takes on a CPU.
    """
    for batch in batches:
        features, target = inputs.index_select(0, batch), wanted.index_select(0, batch)
        optimizer.zero_grad()
        torch.autograd.backward([loss(head(features), target) for head in heads])
        optimizer.step()


def feature_statistics(train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and floored standard deviation (D,), float32, of training features (n, D).

    The floor is the larger of RELATIVE_SD_FLOOR times the mean deviation of all features and
    RELATIVE_SIZE_FLOOR times their root mean square. Features that are all zero keep scale 1.
    """
    mean = train.mean(axis=0, dtype=np.float64)
    sd = train.std(axis=0, dtype=np.float64)
    size = np.sqrt(np.mean(sd**2 + mean**2))
    scale = np.maximum(sd, max(RELATIVE_SD_FLOOR * sd.mean(), RELATIVE_SIZE_FLOOR * size))
    return mean.astype(np.float32), np.where(scale > 0, scale, 1.0).astype(np.float32)


@torch.no_grad()
def _outputs(head: nn.Linear, inputs: Tensor) -> np.ndarray:
    return head(inputs).cpu().numpy()
