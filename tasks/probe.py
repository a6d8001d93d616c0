"""The linear probe: one linear layer on frozen features.

The protocol is SARL's (arXiv 2512.01908, linear evaluation): SGD with learning rate 0.02 and
momentum 0.9 for 100 epochs of classification, AdamW with learning rate 0.01 for 200 epochs of
regression. Where the paper is silent, `ProbeProtocol` says what is done.

Shapes: N samples, D features, K outputs of the head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vtbench.tasks.base import Task
from vtbench.tasks.errors import TaskError
from vtbench.tasks.selection import (
    SPLITS,
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

    def optimizer(self, task: Task, head: nn.Linear) -> torch.optim.Optimizer:
        """The optimiser for this kind of task."""
        if task.kind == "regression":
            return torch.optim.AdamW(
                head.parameters(),
                lr=self.regression_lr,
                weight_decay=self.regression_weight_decay,
                fused=True,
            )
        return torch.optim.SGD(
            head.parameters(),
            lr=self.classification_lr,
            momentum=self.classification_momentum,
            weight_decay=self.classification_weight_decay,
            fused=True,
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
    inputs = _inputs(features, rows, protocol, device)
    own = {name: targets[rows[name]] for name in SPLITS}
    generator = torch.Generator().manual_seed(seed)
    head = task.head(features.shape[1], generator=generator).to(device)
    statistics = task.statistics(own["train"])
    wanted = tensor_of(task.encode(own["train"], statistics)).to(device)
    optimizer = protocol.optimizer(task, head)
    best: BestEpoch[dict[str, Tensor]] = BestEpoch(task, own["val"])
    for epoch in range(1, protocol.epochs(task) + 1):
        order = torch.randperm(len(wanted), generator=generator).to(device)
        for batch in order.split(protocol.batch_size):
            optimizer.zero_grad()
            protocol.loss(task, head(inputs["train"][batch]), wanted[batch]).backward()
            optimizer.step()
        predictions = task.decode(_outputs(head, inputs["val"]), statistics)
        best.offer(epoch, predictions, lambda: copied_weights(head))
    head.load_state_dict(best.weights)
    predictions = task.decode(_outputs(head, inputs["test"]), statistics)
    return best.result(predictions, own["test"], rows["test"])


def _inputs(
    features: np.ndarray,
    rows: Mapping[str, np.ndarray],
    protocol: ProbeProtocol,
    device: str | torch.device,
) -> dict[str, Tensor]:
    """The features of each split on the device, standardised by those of the train split."""
    parts = {name: np.asarray(features[rows[name]], dtype=np.float32) for name in SPLITS}
    for name, part in parts.items():
        if not np.isfinite(part).all():
            raise TaskError(
                f"The encoder gives non-finite features for {name} images; it has diverged: "
                "train it again with a lower learning rate or in precision 32."
            )
    if protocol.standardize_features:
        centre, scale = feature_statistics(parts["train"])
        parts = {name: (part - centre) / scale for name, part in parts.items()}
    return {name: torch.from_numpy(part).to(device) for name, part in parts.items()}


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
