"""The supervised reference: encoder and head trained together, from scratch, on one task.

SARL (arXiv 2512.01908) gives a supervised ResNet-18 as the first row of its Table I and states
no recipe for it; `SupervisedProtocol` says what is done here.

Shapes: N images, B of them in a batch, D embedding width, K outputs of the head.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
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

Precision = Literal["32", "bf16"]
#: uint8 images (B, H, W, 3) and a CPU generator -> augmented network input (B, 3, S, S);
#: without a generator the input is the plain image.
Prepare = Callable[[Tensor, torch.Generator | None], Tensor]
#: Called after each epoch with epochs done, epochs in all, and what is known about the epoch.
Progress = Callable[[int, int, dict[str, float]], None]

#: Images per forward pass of an evaluation; in eval mode it changes no number.
CHUNK = 256


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
        if self.schedule == "constant":
            return self.lr
        return self.lr * (1 + math.cos(math.pi * step / steps)) / 2


def fit_supervised(
    build_encoder: Callable[[], nn.Module],
    images: Tensor,
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
    augmentation. images:
    uint8 (N, H, W, 3) on any device; prepare: see `Prepare`; targets: what `task.targets`
    returns for the same N rows; splits: row indices of train, val and test; progress: told the
    epoch's mean training `loss` and its validation scores.

    Raises TaskError when a split is empty, when the training diverges, and for an unknown
    precision.
    """
    rows = split_rows(splits)
    own = {name: targets[rows[name]] for name in SPLITS}
    run = _Training(task, protocol, prepare=prepare, precision=precision, device=device, seed=seed)
    run.build(build_encoder, images[rows["val"][:1]])
    statistics = task.statistics(own["train"])
    wanted = tensor_of(task.encode(own["train"], statistics))
    best: BestEpoch[dict[str, Tensor]] = BestEpoch(task, own["val"])
    for epoch in range(protocol.epochs):
        loss = run.epoch(epoch, images, rows["train"], wanted)
        predictions = task.decode(run.outputs(images, rows["val"]), statistics)
        scores = best.offer(epoch + 1, predictions, lambda: copied_weights(run.network))
        if progress is not None:
            progress(epoch + 1, protocol.epochs, {"loss": loss, **scores})
    run.network.load_state_dict(best.weights)
    predictions = task.decode(run.outputs(images, rows["test"]), statistics)
    return best.result(predictions, own["test"], rows["test"])


class _Training:
    """One network on its way: weights, optimiser and generators.

    Weights, order of the images and augmentation have a generator each, so that an augmentation
    that draws more numbers leaves the other two as they were.
    """

    network: nn.Sequential
    optimizer: torch.optim.Optimizer

    def __init__(
        self,
        task: Task,
        protocol: SupervisedProtocol,
        *,
        prepare: Prepare,
        precision: Precision,
        device: str | torch.device,
        seed: int,
    ) -> None:
        if precision not in ("32", "bf16"):
            raise TaskError(f"Unknown precision {precision!r}; it is '32' or 'bf16'.")
        self.prepare = prepare
        self.task = task
        self.protocol = protocol
        self.half = precision == "bf16"
        self.device = torch.device(device)
        seeds = torch.randint(2**62, (3,), generator=torch.Generator().manual_seed(seed))
        self.weights, self.order, self.augmentation = (
            torch.Generator().manual_seed(int(own)) for own in seeds
        )

    def build(self, build_encoder: Callable[[], nn.Module], sample: Tensor) -> None:
        """Encoder, head of the width that the encoder gives for a sample image, optimiser."""
        encoder = build_encoder()
        with torch.no_grad():
            width = encoder.eval()(self.prepare(sample, None).cpu()).shape[1]
        head = self.task.head(width, generator=self.weights)
        self.network = nn.Sequential(encoder, head)
        self.network.to(device=self.device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(
            _groups(self.network, self.protocol.weight_decay), lr=self.protocol.lr, fused=True
        )

    def epoch(self, epoch: int, images: Tensor, rows: np.ndarray, wanted: Tensor) -> float:
        """One pass over the training images; the mean loss per image."""
        self.network.train()
        batches = _batches(torch.randperm(len(rows), generator=self.order), self.protocol)
        total = torch.zeros((), device=self.device)
        for number, batch in enumerate(batches):
            step, steps = epoch * len(batches) + number, self.protocol.epochs * len(batches)
            inputs = self.prepare(images[torch.from_numpy(rows)[batch]], self.augmentation)
            loss = self.task.loss(self._forward(inputs), wanted[batch].to(self.device))
            self._update(loss, self.protocol.rate(step, steps))
            total += len(batch) * loss.detach()
        return float(total) / len(rows)

    @torch.no_grad()
    def outputs(self, images: Tensor, rows: np.ndarray) -> np.ndarray:
        """Outputs (len(rows), K) in eval mode, without augmentation."""
        self.network.eval()
        parts = torch.from_numpy(rows).split(CHUNK)
        outputs = [self._forward(self.prepare(images[part], None)) for part in parts]
        return torch.cat(outputs).cpu().numpy()

    def _forward(self, inputs: Tensor) -> Tensor:
        """(B, 3, S, S) -> float32 (B, K); only the encoder runs in reduced precision."""
        encoder, head = self.network
        inputs = inputs.to(self.device, memory_format=torch.channels_last)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.half):
            embedding = encoder(inputs)  # (B, D)
        return head(embedding.float())

    def _update(self, loss: Tensor, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def _batches(order: Tensor, protocol: SupervisedProtocol) -> list[Tensor]:
    """Consecutive parts of `order`; a last part of one image joins the one before it.

    Batch normalisation has no variance over a single image.
    """
    parts = list(order.split(protocol.batch_size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Matrices and kernels with weight decay, norm scales and biases without."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
