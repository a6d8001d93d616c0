"""The supervised reference: the same encoder, trained from scratch on the labels of one task."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from vtbench.benchmark.assemble import build_encoder
from vtbench.benchmark.seeding import derive
from vtbench.benchmark.settings import Settings
from vtbench.methods.recipe import Augmentation
from vtbench.methods.views import make_views, whole_images
from vtbench.tasks.probe import ProbeResult
from vtbench.tasks.supervised import SupervisedProtocol, fit_supervised

if TYPE_CHECKING:
    from torch import Tensor

    from vtbench.benchmark.pool import Images
    from vtbench.tasks.base import Task
    from vtbench.tasks.data.pack import Dataset

#: Labels of pose and force do not survive crops and flips, so the reference sees colour changes
#: only: the jitter of the common pipeline.
AUGMENTATION = Augmentation(
    crop_area=(1.0, 1.0),
    crop_ratio=(1.0, 1.0),
    flip_probability=0.0,
    gray_probability=0.0,
    blur_probability=0.0,
)


def train_reference(
    task: Task,
    dataset: Dataset,
    images: Images,
    settings: Settings,
    *,
    seed: int,
    device: str,
    precision: str,
    progress: Callable[[int, int, dict[str, float]], None],
) -> ProbeResult:
    """Encoder and head trained end to end on the task; images are uint8 (N, S, S, 3).

    They are moved to the device as a whole, unless they are `StreamedImages`.
    """
    size = settings.encoder.image_size
    return fit_supervised(
        lambda: Embedding(build_encoder(settings, seed=seed)),
        images.to(device),
        lambda batch, generator: network_input(batch, generator, size),
        task,
        task.targets(dataset),
        dataset.splits,
        protocol=SupervisedProtocol(**settings.supervised.model_dump()),
        seed=derive(seed, "supervised", task.name),
        device=device,
        precision=precision,  # type: ignore[arg-type]
        progress=progress,
    )


class Embedding(torch.nn.Module):
    """An encoder whose forward returns only the embedding (B, D)."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> Tensor:
        return self.encoder(images).embedding


def network_input(batch: Tensor, generator: torch.Generator | None, size: int) -> Tensor:
    """Images uint8 (B, S, S, 3) as (B, 3, size, size); augmented where a generator is given."""
    if generator is None:
        return whole_images(batch, size=size)
    return make_views(batch, (AUGMENTATION,), size=size, generator=generator).images[0]
