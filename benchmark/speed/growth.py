"""How costs grow: with resolution, batch, images and seeds of trainings, with images of probes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from vtbench.benchmark.settings import Settings
from vtbench.benchmark.speed import steps
from vtbench.benchmark.speed.measuring import Rate, Work, measured
from vtbench.benchmark.speed.probes import Probes
from vtbench.benchmark.speed.views import synthetic_images

SIZES, BATCHES, IMAGES = (32, 48, 64, 96, 128), (8, 16, 32, 64), (500, 1000, 2000, 4000, 8000)
#: Batches in an epoch, and seeds, of whole trainings.
LENGTHS, SEEDS, LENGTH = (4, 8, 16), (1, 2, 4), 4
#: Title, unit and rates of one thing that varies; its last word names it.
Growth = tuple[str, str, list[Rate]]


class Growing:
    """A method under a profile, on a device, larger in one respect at a time."""

    def __init__(self, method: str, settings: Settings, *, device: str, precision: str) -> None:
        self.method, self.settings = method, settings
        self.device, self.precision = device, precision

    def tables(self, *, rounds: int, time: Callable[[], float]) -> Iterator[Growth]:
        """Rates of training steps, of whole trainings, and of the epochs of a probe."""
        sizes = {f"{size}": _resized(self.settings, size) for size in SIZES}
        batches = {f"{size}": _batched(self.settings, size) for size in BATCHES}
        batch = self.settings.pretrain.batch_size
        lengths = {f"{own * batch}": self.training(own * batch, seeds=1) for own in LENGTHS}
        seeds = {f"{own}": self.training(LENGTH * batch, seeds=own) for own in SEEDS}
        for what, variants in {"image size": sizes, "images in a batch": batches}.items():
            with ExitStack() as stack:
                candidates = self.steps(variants, stack)
                rates = measured(candidates, rounds=rounds, time=time)
            yield f"{self.method}: {what}", "images/s", rates
        for title, candidates in {
            f"{self.method}: a training of one epoch by images": lengths,
            f"{self.method}: such trainings by seeds": seeds,
            "probe: epochs by images": self.probes(),
        }.items():
            yield title, "images/s", measured(candidates, rounds=rounds, time=time)

    def steps(self, variants: Mapping[str, Settings], stack: ExitStack) -> dict[str, Work]:
        """Steps under each of the settings, of trainings that end with the stack."""
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        works = {}
        for name, settings in variants.items():
            training = steps.start(
                self.method, settings, folder / name, device=self.device, precision=self.precision
            )
            stack.enter_context(closing(training.log))
            works[name] = steps.candidate(training, steps.TRAINING, count=2)
        return works

    def training(self, count: int, *, seeds: int) -> Work:
        """One epoch of `count` images for each seed, set-up and checkpoint included."""
        images = synthetic_images(count, self.settings.data.stored_size)

        def work() -> int:
            for seed in range(seeds):
                with tempfile.TemporaryDirectory() as folder:
                    training = steps.start(
                        self.method, self.settings, Path(folder),
                        device=self.device, precision=self.precision, images=images, seed=seed,
                    )  # fmt: skip
                    with closing(training.log):
                        training.run_epoch()
            return seeds * count

        return work

    def probes(self) -> dict[str, Work]:
        """Five epochs of a linear probe on features of different numbers of images."""
        return {
            f"{count}": dict(
                Probes(samples=count, width=512, epochs=5, batch=256, device=self.device).loops()
            )["slices"]
            for count in IMAGES
        }


def _resized(settings: Settings, size: int) -> Settings:
    encoder = settings.encoder.model_copy(update={"image_size": size})
    data = settings.data.model_copy(update={"stored_size": size + size // 8})
    return settings.model_copy(update={"encoder": encoder, "data": data})


def _batched(settings: Settings, batch: int) -> Settings:
    pretrain = settings.pretrain.model_copy(update={"batch_size": batch})
    return settings.model_copy(update={"pretrain": pretrain})
