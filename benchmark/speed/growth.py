"""How costs grow: trainings with resolution and batch, probes with the number of images."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from vtbench.benchmark.settings import Settings
from vtbench.benchmark.speed import steps
from vtbench.benchmark.speed.measuring import Rate, measured
from vtbench.benchmark.speed.probes import Probes

SIZES, BATCHES, IMAGES = (32, 48, 64, 96, 128), (8, 16, 32, 64), (500, 1000, 2000, 4000, 8000)
#: Title, whose last word is what varies; unit of the rates; rates.
Growth = tuple[str, str, list[Rate]]


def grown(
    method: str,
    settings: Settings,
    *,
    device: str,
    precision: str,
    rounds: int,
    time: Callable[[], float],
) -> Iterator[Growth]:
    """Rates of whole training steps, then of a linear probe of five epochs."""
    variants = {
        f"{method}: image size": {f"{size}": _resized(settings, size) for size in SIZES},
        f"{method}: images in a batch": {f"{size}": _batched(settings, size) for size in BATCHES},
    }
    for title, own in variants.items():
        with tempfile.TemporaryDirectory() as folder:
            candidates = {}
            for name, changed in own.items():
                training = steps.start(
                    method, changed, Path(folder) / name, device=device, precision=precision
                )
                candidates[name] = dict(steps.steps(training, count=2))[steps.TRAINING]
            yield title, "images/s", measured(candidates, rounds=rounds, time=time)
    probes = {
        f"{count}": dict(
            Probes(samples=count, width=512, epochs=5, batch=256, device=device).candidates()
        )["slices"]
        for count in IMAGES
    }
    yield "probe: images", "images/s", measured(probes, rounds=rounds, time=time)


def _resized(settings: Settings, size: int) -> Settings:
    encoder = settings.encoder.model_copy(update={"image_size": size})
    data = settings.data.model_copy(update={"stored_size": size + size // 8})
    return settings.model_copy(update={"encoder": encoder, "data": data})


def _batched(settings: Settings, batch: int) -> Settings:
    pretrain = settings.pretrain.model_copy(update={"batch_size": batch})
    return settings.model_copy(update={"pretrain": pretrain})
