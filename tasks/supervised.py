"""The supervised reference: encoder and head trained together, from scratch, on one task.

SARL (arXiv 2512.01908) gives a supervised ResNet-18 as the first row of its Table I and states
no recipe for it; `SupervisedProtocol` says what is done here.

Shapes: N images, B of them in a batch, D embedding width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from vtbench.tasks.base import Task
from vtbench.tasks.errors import TaskError
from vtbench.tasks.selection import ProbeResult
from vtbench.tasks.training import Precision, Progress, cosine, fit_network

#: uint8 images (B, H, W, 3) and a CPU generator -> augmented network input (B, 3, S, S);
#: without a generator the input is the plain image.
Prepare = Callable[[Tensor, torch.Generator | None], Tensor]


class Images(Protocol):
    """A tensor uint8 (N, H, W, 3), or what gives the images of rows when they are asked for."""

    def __getitem__(self, rows: Tensor, /) -> Tensor:
        """The images of these rows, uint8 (B, H, W, 3)."""


@dataclass(frozen=True, kw_only=True)
class SupervisedProtocol:
    """How the reference is trained: AdamW without warm-up, the rate set anew at every step.

    Epochs and batch are those of the paper's pre-training; rate and weight decay are what its
    authors train SARL with (gurmeherr/SARL---Spatially-Aware-Representation-Learning, SARL.py
    at e8ddf8f). Norm scales and biases are not decayed.
    """

    epochs: int = 100
    batch_size: int = 256
    lr: float = 1e-3
    weight_decay: float = 1e-4
    schedule: Literal["cosine", "constant"] = "cosine"

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch_size) < 1:
            raise TaskError("Supervised training needs at least one epoch and a batch of one.")

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from 0; the cosine falls from `lr` towards 0."""
        return self.lr if self.schedule == "constant" else cosine(self.lr, step, steps)


def fit_supervised(
    build_encoder: Callable[[], nn.Module],
    images: Images,
    prepare: Prepare,
    task: Task,
    targets: np.ndarray,
    splits: Mapping[str, np.ndarray],
    *,
    protocol: SupervisedProtocol,
    seed: int,
    device: str | torch.device = "cpu",
    precision: Precision = "32",
    progress: Progress | None = None,
) -> ProbeResult:
    """Train an encoder and a linear head on the train rows, choose the epoch on val, test once.

    build_encoder: makes an untrained module from network input to embedding (B, D), with
    weights that its caller has seeded; `seed` decides the head, the order of the images and the
    augmentation. images: uint8 (N, H, W, 3) on any device, see `Images`; prepare: see `Prepare`;
    targets: what `task.targets` returns for the same N rows; splits: row indices of train, val and
    test; progress: told the epoch's mean training `loss` and its validation scores.

    Raises TaskError when a split is empty, when the training diverges, and for an unknown
    precision.
    """
    return fit_network(
        build_encoder,
        lambda rows, generator: prepare(images[rows], generator),
        task,
        targets,
        splits,
        recipe=protocol,
        seed=seed,
        device=device,
        precision=precision,
        progress=progress,
    )
