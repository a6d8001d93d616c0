"""Training steps of a method against what they must cost at least, and against the usual way.

Four candidates do the same number of steps on the same images: the training as it runs; the same
steps on views that are made already; the bare passes of the encoders that a step makes, forward
and backward, without heads, losses and optimiser; and the training fed by a DataLoader with
lightly's transforms, one image at a time.

The steps are those of the second half of a training, where warm-ups are over and queues are full,
without the looks at gradients; all candidates do the same steps in the same round.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision.transforms.functional import to_pil_image

from vtbench.benchmark import assemble, gradients, registry
from vtbench.benchmark.pretrain import Plan, Training
from vtbench.benchmark.settings import Settings
from vtbench.benchmark.spec import Spec
from vtbench.benchmark.speed.measuring import Work, waiting
from vtbench.benchmark.speed.passes import encoder_passes, run_passes
from vtbench.benchmark.speed.views import lightly_view, synthetic_images
from vtbench.methods.base import Progress, Views
from vtbench.methods.recipe import Recipe

#: Names of the candidates.
TRAINING, RESIDENT, PASSES, LOADER = (
    "training", "views made already", "encoder passes", "lightly and DataLoader",
)  # fmt: skip
BATCHES = 8  # of different images, which are an epoch
EPOCHS = 100  # as many as durations in epochs are meant for, so that half of them is past all


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
    """A training of a spec such as `sarl:ram=0`, on synthetic images where none are given.

    Its encoders are compiled under `hardware.compile`. The caller closes its log.
    """
    spec = Spec.parse(text)
    method, recipe = assemble.build_method(registry.methods()[spec.name], spec, settings, seed=seed)
    if images is None:
        images = synthetic_images(BATCHES * settings.pretrain.batch_size, settings.data.stored_size)
    plan = Plan(
        identity=text,
        epochs=EPOCHS,
        batch_size=settings.pretrain.batch_size,
        image_size=settings.encoder.image_size,
        seed=seed,
        device=device,
        precision=precision,
        compile=settings.hardware.compile,
    )
    training = Training(method, recipe, images, folder, plan)
    method.train()
    return training


def steps(training: Training, *, count: int, workers: int = 0) -> Iterator[tuple[str, Work]]:
    """The candidates of a training, made when asked for.

    Each does `count` steps and returns the images in them.
    """
    device, images = training.plan.device, count * training.batch_size
    objective = training.objective.module

    def waited(work: Callable[[], None]) -> Work:
        return lambda: waiting(device, work) or images

    def fed(train: Callable[[], None], batches: Callable[[], Iterator[Views]]) -> None:
        with _fed_by(objective, batches()):
            train()

    yield TRAINING, waited(_stepping(training, count))
    training.step = next(step_numbers(training))
    fixed = objective.views(training.images[: training.batch_size], training.progress)
    resident = _stepping(training, count)
    yield RESIDENT, waited(lambda: fed(resident, lambda: itertools.repeat(fixed)))
    passes = encoder_passes(training, fixed)
    yield PASSES, waited(lambda: run_passes(training, passes, count))
    loader, loaded = _loader(training, count, workers), _stepping(training, count)
    yield LOADER, waited(lambda: fed(loaded, lambda: _batches(loader, training, fixed.geometry)))


def candidate(training: Training, name: str, *, count: int) -> Work:
    """One of the candidates."""
    return next(work for found, work in steps(training, count=count) if found == name)


def step_numbers(training: Training) -> Iterator[int]:
    """The steps of a training's second half again and again, but those that look at gradients."""
    total, each = training.total_steps, training.steps_per_epoch
    return itertools.cycle(
        step
        for step in range(total // 2, total)
        if not gradients.is_due(training.method, Progress(step, total, each))
    )


def _stepping(training: Training, count: int) -> Callable[[], None]:
    """Does the next `count` steps whenever it is called."""
    batches = torch.arange(len(training.images)).split(training.batch_size)
    numbers = step_numbers(training)

    def train() -> None:
        for training.step in itertools.islice(numbers, count):
            training.run_step(batches[training.step % len(batches)])

    return train


@contextmanager
def _fed_by(objective: torch.nn.Module, views: Iterator[Views]) -> Iterator[None]:
    """The objective takes ready views from an iterator instead of making them."""
    objective.views = lambda *_: next(views)  # type: ignore[assignment]
    try:
        yield
    finally:
        del objective.views


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


def _loader(training: Training, count: int, workers: int) -> DataLoader:
    """Its epoch is the batches of one round, so that no worker makes any between rounds.

    The workers start with the first, uncounted round.
    """
    pictures = _Pictures(training.images, training.recipe, training.plan.image_size)
    return DataLoader(
        pictures,
        batch_size=training.batch_size,
        sampler=RandomSampler(pictures, num_samples=count * training.batch_size),
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=training.fabric.device.type == "cuda",
    )


def _batches(loader: DataLoader, training: Training, geometry: Tensor) -> Iterator[Views]:
    """An epoch of views. lightly tells no geometry: one that is given stands in."""
    for batch in loader:
        moved = (view.to(training.fabric.device, non_blocking=True) for view in batch)
        views = tuple(view.contiguous(memory_format=torch.channels_last) for view in moved)
        yield Views(views, geometry)
