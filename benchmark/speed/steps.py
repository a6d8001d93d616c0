"""Training steps of a method against what they must cost at least, and against the usual way.

Four candidates do the same number of steps on the same images: the training as it runs; the same
steps on views that are made already; the bare passes of the encoders that a step makes, forward
and backward, without heads, losses and optimiser; and the training fed by a DataLoader with
lightly's transforms, one image at a time.

Shapes: B images, V views of S_v x S_v pixels.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import to_pil_image

from vtbench.benchmark import assemble, registry
from vtbench.benchmark.pretrain import Plan, Training
from vtbench.benchmark.settings import Settings
from vtbench.benchmark.spec import Spec
from vtbench.benchmark.speed.measuring import Work, waiting
from vtbench.benchmark.speed.views import lightly_view, synthetic_images
from vtbench.methods.base import Views
from vtbench.methods.encoder import Encoder
from vtbench.methods.recipe import Recipe

#: Names of the candidates.
TRAINING, RESIDENT, PASSES, LOADER = (
    "training", "views made already", "encoder passes", "lightly and DataLoader",
)  # fmt: skip
BATCHES = 8  # of different images; the order of a step's images costs the same for all


@dataclass(frozen=True)
class Pass:
    """One batch through an encoder: the shape of its images, and whether a gradient follows."""

    shape: tuple[int, ...]
    backward: bool


def start(
    text: str,
    settings: Settings,
    folder: Path,
    *,
    device: str,
    precision: str,
    images: Tensor | None = None,
    seed: int = 0,
) -> Training:
    """A training of a spec such as `sarl:ram=0`, on synthetic images where none are given."""
    spec = Spec.parse(text)
    method, recipe = assemble.build_method(registry.methods()[spec.name], spec, settings, seed=seed)
    if images is None:
        images = synthetic_images(BATCHES * settings.pretrain.batch_size, settings.data.stored_size)
    plan = Plan(
        identity=text,
        epochs=settings.pretrain.epochs,
        batch_size=settings.pretrain.batch_size,
        image_size=settings.encoder.image_size,
        seed=seed,
        device=device,
        precision=precision,
    )
    training = Training(method, recipe, images, folder, plan)
    method.train()
    return training


def steps(training: Training, *, count: int, workers: int = 0) -> Iterator[tuple[str, Work]]:
    """The candidates of a training; each does `count` steps and returns the images in them."""
    device, images = training.plan.device, count * training.batch_size
    batches = torch.arange(len(training.images)).split(training.batch_size)
    objective = training.objective.module

    def train() -> int:
        for rows in itertools.islice(itertools.cycle(batches), count):
            training.step = 1  # in this step no training looks at the gradients of its terms
            training.run_step(rows)
        return images

    yield TRAINING, lambda: waiting(device, train) or images
    fixed = objective.views(training.images[batches[0]], training.progress)

    def resident() -> int:
        with _fed_by(objective, itertools.repeat(fixed)):
            return train()

    yield RESIDENT, lambda: waiting(device, resident) or images
    passes = encoder_passes(training, fixed)
    yield PASSES, lambda: waiting(device, lambda: run_passes(training, passes, count)) or images
    loader = _forever(training, fixed.geometry, workers)

    def loaded() -> int:
        with _fed_by(objective, loader):
            return train()

    yield LOADER, lambda: waiting(device, loaded) or images


@contextmanager
def _fed_by(objective: torch.nn.Module, views: Iterator[Views]) -> Iterator[None]:
    """The objective takes ready views from an iterator instead of making them."""
    objective.views = lambda *_: next(views)  # type: ignore[assignment]
    try:
        yield
    finally:
        del objective.views


# ---------------------------------------------------------------------------- encoder passes


def encoder_passes(training: Training, views: Views) -> list[Pass]:
    """The passes through encoders, its target network's included, that one step makes."""
    passes: list[Pass] = []

    def note(encoder: Encoder, inputs: tuple[Tensor]) -> None:
        trained = next(encoder.parameters()).requires_grad
        passes.append(Pass(tuple(inputs[0].shape), trained and torch.is_grad_enabled()))

    encoders = [module for module in training.method.modules() if isinstance(module, Encoder)]
    hooks = [encoder.register_forward_pre_hook(note) for encoder in encoders]
    training.method.losses(views, training.progress)
    for hook in hooks:
        hook.remove()
    return passes


def run_passes(training: Training, passes: list[Pass], count: int) -> None:
    """Do the passes of `count` steps on the encoder, and nothing else."""
    encoder, device = training.method.encoder, training.fabric.device
    batches = [torch.zeros(own.shape, device=device) for own in passes]
    batches = [batch.contiguous(memory_format=torch.channels_last) for batch in batches]
    for _ in range(count):
        outputs = []
        with training.fabric.autocast():
            for own, batch in zip(passes, batches, strict=True):
                with torch.set_grad_enabled(own.backward):
                    outputs.append(encoder(batch).embedding)
        torch.stack(
            [out.sum() for out, own in zip(outputs, passes, strict=True) if own.backward]
        ).sum().backward()
        for parameter in encoder.parameters():
            parameter.grad = None


# ------------------------------------------------------------------------- the usual pipeline


class _Pictures(Dataset):
    """Images one at a time, as the views of a recipe by lightly's transforms."""

    def __init__(self, images: Tensor, recipe: Recipe, size: int) -> None:
        self.pictures = [to_pil_image(image) for image in images.cpu().permute(0, 3, 1, 2)]
        self.transforms = [lightly_view(augmentation, size) for augmentation in recipe.views]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> list[Tensor]:
        return [transform(self.pictures[index]) for transform in self.transforms]


def _forever(training: Training, geometry: Tensor, workers: int) -> Iterator[Views]:
    """Batches of views without end. lightly tells no geometry: one that is given stands in."""
    size, device = training.plan.image_size, training.fabric.device
    loader = DataLoader(
        _Pictures(training.images, training.recipe, size),
        batch_size=training.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
    )
    while True:
        for batch in loader:
            moved = (view.to(device, non_blocking=True) for view in batch)
            views = tuple(view.contiguous(memory_format=torch.channels_last) for view in moved)
            yield Views(views, geometry)
