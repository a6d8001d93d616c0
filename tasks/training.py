"""One network and a fresh linear head, trained together on the train rows of a task.

The epoch is chosen on val and test is read once. What the network is fed, and what it is, comes
from the caller: whole images and an encoder (`supervised`), or maps and layer 4 (`transfer`).

Shapes: N images, B of them in a batch, D embedding width, K outputs of the head.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, Protocol

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
#: Row indices int64 (B,) and a CPU generator -> network input (B, C, h, w) on any device, as a
#: training may vary it; without a generator the input is the plain one.
Read = Callable[[Tensor, torch.Generator | None], Tensor]
#: Called after each epoch with epochs done, epochs in all, and what is known about the epoch.
Progress = Callable[[int, int, dict[str, float]], None]

#: Images per forward pass of an evaluation; in eval mode it changes no number.
CHUNK = 256


class Recipe(Protocol):
    """How a network is trained with AdamW; norm scales and biases are not decayed."""

    @property
    def epochs(self) -> int:
        """Passes over the training images."""

    @property
    def batch_size(self) -> int:
        """Images per step; a last batch of one image joins the one before it."""

    @property
    def weight_decay(self) -> float:
        """Of matrices and kernels."""

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from 0."""


def cosine(lr: float, step: int, steps: int) -> float:
    """The rate of a step, counted from 0, on the half cosine from `lr` towards 0."""
    return lr * (1 + math.cos(math.pi * step / steps)) / 2


def fit_network(
    build: Callable[[], nn.Module],
    read: Read,
    task: Task,
    targets: np.ndarray,
    splits: Mapping[str, np.ndarray],
    *,
    recipe: Recipe,
    seed: int,
    device: str | torch.device,
    precision: Precision,
    progress: Progress | None,
) -> ProbeResult:
    """Train what `build` makes, and a linear head on it; see `fit_supervised`, `fit_transfer`.

    build: makes a module on the CPU from network input to embedding (B, D), in which whatever
    requires a gradient is trained.

    Raises TaskError when a split is empty, when the training diverges, and for an unknown
    precision.
    """
    rows = split_rows(splits)
    own = {name: targets[rows[name]] for name in SPLITS}
    run = _Training(task, recipe, read=read, precision=precision, device=device, seed=seed)
    run.build(build, rows["val"][:1])
    statistics = task.statistics(own["train"])
    wanted = tensor_of(task.encode(own["train"], statistics))
    best: BestEpoch[dict[str, Tensor]] = BestEpoch(task, own["val"])
    for epoch in range(recipe.epochs):
        loss = run.epoch(epoch, rows["train"], wanted)
        predictions = task.decode(run.outputs(rows["val"]), statistics)
        scores = best.offer(epoch + 1, predictions, partial(copied_weights, run.network))
        if progress is not None:
            progress(epoch + 1, recipe.epochs, {"loss": loss, **scores})
    run.network.load_state_dict(best.weights)
    predictions = task.decode(run.outputs(rows["test"]), statistics)
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
        recipe: Recipe,
        *,
        read: Read,
        precision: Precision,
        device: str | torch.device,
        seed: int,
    ) -> None:
        if precision not in ("32", "bf16"):
            raise TaskError(f"Unknown precision {precision!r}; it is '32' or 'bf16'.")
        self.read = read
        self.task = task
        self.recipe = recipe
        self.half = precision == "bf16"
        self.device = torch.device(device)
        seeds = torch.randint(2**62, (3,), generator=torch.Generator().manual_seed(seed))
        self.weights, self.order, self.augmentation = (
            torch.Generator().manual_seed(int(own)) for own in seeds
        )

    def build(self, build: Callable[[], nn.Module], sample: np.ndarray) -> None:
        """Encoder, head of the width that the encoder gives for a sample row, optimiser."""
        encoder = build()
        with torch.no_grad():
            width = encoder.eval()(self.read(torch.from_numpy(sample), None).cpu()).shape[1]
        head = self.task.head(width, generator=self.weights)
        self.network = nn.Sequential(encoder, head)
        self.network.to(self.device).to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(
            _groups(self.network, self.recipe.weight_decay), lr=self.recipe.rate(0, 1), fused=True
        )

    def epoch(self, epoch: int, rows: np.ndarray, wanted: Tensor) -> float:
        """One pass over the training images; the mean loss per image."""
        self.network.train()
        order = torch.randperm(len(rows), generator=self.order)
        batches = _batches(order, self.recipe.batch_size)
        total = torch.zeros((), device=self.device)
        for number, batch in enumerate(batches):
            step, steps = epoch * len(batches) + number, self.recipe.epochs * len(batches)
            inputs = self.read(torch.from_numpy(rows)[batch], self.augmentation)
            loss = self.task.loss(self._forward(inputs), wanted[batch].to(self.device))
            self._update(loss, self.recipe.rate(step, steps))
            total += len(batch) * loss.detach()
        return float(total) / len(rows)

    @torch.no_grad()
    def outputs(self, rows: np.ndarray) -> np.ndarray:
        """Outputs (len(rows), K) in eval mode, of plain inputs."""
        self.network.eval()
        parts = torch.from_numpy(rows).split(CHUNK)
        outputs = [self._forward(self.read(part, None)) for part in parts]
        return torch.cat(outputs).cpu().numpy()

    def _forward(self, inputs: Tensor) -> Tensor:
        """(B, C, h, w) -> float32 (B, K); only the encoder runs in reduced precision."""
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


def _batches(order: Tensor, size: int) -> list[Tensor]:
    """Consecutive parts of `order`; a last part of one image joins the one before it.

    Batch normalisation has no variance over a single image.
    """
    parts = list(order.split(size))
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
