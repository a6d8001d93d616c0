"""Transfer to another sensor: layer 4 fine-tuned, a classifier from scratch, all else frozen.

The protocol is SARL's (arXiv 2512.01908, V-B): conv1 to layer 3 keep their weights and their
batch norm runs in eval mode; layer 4 and a linear classifier on pooled layer 3 ⊕ pooled layer 4
(the paper's multipool readout) are trained for 60 epochs with AdamW and a cosine to 0. Where the
paper is silent, `TransferProtocol` says what is done. There is no augmentation, so the maps of
layer 3 never change and are computed once, by the caller.

Shapes: N images, B of them in a batch, C3 and C4 channels of the layers, h x w the maps of
layer 3, D the width of the pooled maps.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from vtbench.tasks.base import Task
from vtbench.tasks.errors import TaskError
from vtbench.tasks.selection import ProbeResult, split_rows
from vtbench.tasks.training import CHUNK, Precision, Progress, cosine, fit_network

__all__ = ["TransferProtocol", "fit_transfer"]

Pool = Literal["avg", "avgmax"]


@dataclass(frozen=True, kw_only=True)
class TransferProtocol:
    """How layer 4 and the classifier are trained. Epochs, optimiser and cosine are the paper's.

    The number of its learning rate is lost in the paper's text, and it states no batch size,
    weight decay or warm-up: 3e-4 for both parts, 64 and 1e-4 are chosen here, for all methods
    alike, and the rate falls from the first step on. Norm scales and biases are not decayed.
    "Multipool" could also mean that each layer is pooled by average and by maximum: `avgmax`.
    """

    epochs: int = 60
    batch_size: int = 64
    lr: float = 3e-4
    weight_decay: float = 1e-4
    pool: Pool = "avg"

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2:
            raise TaskError(
                "A transfer needs at least one epoch and batches of at least two images, over "
                "which layer 4 normalises."
            )
        if self.pool not in ("avg", "avgmax"):
            raise TaskError(f"Unknown pooling {self.pool!r}; it is 'avg' or 'avgmax'.")

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from 0; the cosine falls from `lr` towards 0."""
        return cosine(self.lr, step, steps)


def fit_transfer(
    maps: np.ndarray,
    layer4: nn.Module,
    task: Task,
    targets: np.ndarray,
    splits: Mapping[str, np.ndarray],
    *,
    protocol: TransferProtocol,
    seed: int,
    device: str | torch.device = "cpu",
    precision: Precision = "32",
    progress: Progress | None = None,
) -> ProbeResult:
    """Train a copy of layer 4 and a classifier, choose the epoch on val, read test once.

    maps: (N, C3, h, w) float32 or float16, what the frozen layer 3 gives in eval mode; only one
    batch is in memory at a time, so they may be a memory map. layer4: a module from maps
    (B, C3, h, w) to maps (B, C4, h', w'), which is left as it is. targets: what `task.targets`
    returns for the same N rows; splits: row indices of train, val and test; `seed` decides the
    classifier and the order of the images; precision: of layer 4, the classifier is always
    float32; progress: told the epoch's mean training `loss` and its validation scores.

    Raises TaskError when maps and targets do not fit together, when a map is NaN or infinite,
    when a split is empty, when the training diverges, and for an unknown precision.
    """
    rows = split_rows(splits)
    _check(maps, targets, rows)
    return fit_network(
        lambda: Multipool(layer4, protocol.pool),
        lambda own, _: _read(maps, own.numpy(), device),
        task,
        targets,
        rows,
        recipe=protocol,
        seed=seed,
        device=device,
        precision=precision,
        progress=progress,
    )


class Multipool(nn.Module):
    """A trainable copy of layer 4 whose forward returns pooled layer 3 ⊕ pooled layer 4 (B, D).

    D is C3 + C4, and twice that where maps are pooled by average and by maximum.
    """

    def __init__(self, layer4: nn.Module, pool: Pool) -> None:
        super().__init__()
        self.layer4 = copy.deepcopy(layer4).cpu().requires_grad_(True)
        self.pool = pool

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, C3, h, w) of layer 3 -> (B, D) float32."""
        shallow = self._pooled(maps)  # before layer 4, which may work in place
        deep = self.layer4(maps)
        if deep.ndim != 4:
            raise TaskError(
                f"Layer 4 must give maps (B, C, h, w), but gives {deep.ndim} dimensions; hand "
                "over the last stage of the encoder alone."
            )
        return torch.cat([shallow, self._pooled(deep)], dim=1)

    def _pooled(self, maps: Tensor) -> Tensor:
        maps = maps.float()
        average = maps.mean(dim=(2, 3))
        if self.pool == "avg":
            return average
        return torch.cat([average, maps.amax(dim=(2, 3))], dim=1)


def _read(maps: np.ndarray, rows: np.ndarray, device: str | torch.device) -> Tensor:
    """These rows' maps, float32, on the device; float16 is widened there."""
    return torch.from_numpy(np.asarray(maps[rows])).to(device).float()


def _check(maps: np.ndarray, targets: np.ndarray, rows: Mapping[str, np.ndarray]) -> None:
    if maps.ndim != 4 or maps.dtype not in (np.float16, np.float32):
        raise TaskError(
            f"A transfer needs maps (N, C, h, w) of float16 or float32, not {maps.ndim} "
            f"dimensions of {maps.dtype}."
        )
    if len(maps) != len(targets):
        raise TaskError(
            f"There are maps of {len(maps)} images but targets of {len(targets)}; both must "
            "belong to the same data set."
        )
    if len(rows["train"]) < 2:
        raise TaskError(
            "A transfer needs at least two training images, over which layer 4 normalises."
        )
    for name, own in rows.items():
        for start in range(0, len(own), CHUNK):
            if not np.isfinite(maps[own[start : start + CHUNK]]).all():
                raise TaskError(
                    f"The encoder gives non-finite maps for {name} images; it has diverged, or "
                    "its maps exceed float16: train it again with a lower learning rate, or "
                    "keep the maps in float32."
                )
