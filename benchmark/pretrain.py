"""The one training loop of all methods.

A step is: take the step's images, make their views, compute the method's terms, sum them by
weight, step the optimiser, let the method move its target network. Order and views of a step are
pure functions of (seed, step), so a training resumed at a step continues as if never stopped.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from vtbench.benchmark import checkpoint, monitor
from vtbench.benchmark.environment import clock
from vtbench.benchmark.errors import Interrupted, TrainingDiverged
from vtbench.benchmark.optimizers import build_optimizer, set_learning_rate
from vtbench.benchmark.seeding import generator
from vtbench.methods.base import Method, Progress, Views
from vtbench.methods.recipe import Recipe
from vtbench.methods.views import make_views, whole_images

# Fabric announces its precision on every start; the protocol says it already.
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)

MONITORED_IMAGES = 256
LOG_EVERY = 20  # steps between transfers of the losses from the device

Report = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the loop needs to know beside the method: sizes, seed, and who is told what."""

    identity: str
    epochs: int
    batch_size: int
    image_size: int
    seed: int
    device: str = "cpu"
    precision: str = "32"  # 32 | bf16
    report: Report = field(default=lambda *_: None)
    should_stop: Callable[[], bool] = field(default=lambda: False)


class Objective(nn.Module):
    """The method as one module from uint8 images to losses.

    The views are made inside, because what Fabric hands to a module in bfloat16 training is
    rounded to bfloat16, and the geometry of the views must not be.
    """

    def __init__(self, method: Method, recipe: Recipe, *, size: int, seed: int) -> None:
        super().__init__()
        self.method, self.recipe, self.size, self.seed = method, recipe, size, seed

    def forward(self, images: Tensor, step: list[int]) -> dict[str, Tensor]:
        """images: uint8 (B, H, W, 3); step: the fields of Progress."""
        progress = Progress(*step)
        drawn = generator(self.seed, "views", progress.step)
        views = make_views(images, self.recipe.views, size=self.size, generator=drawn)
        faster = tuple(v.contiguous(memory_format=torch.channels_last) for v in views.images)
        return self.method.losses(Views(faster, views.geometry), progress)


def pretrain(
    method: Method, recipe: Recipe, images: Tensor, folder: Path, plan: Plan
) -> dict[str, Any]:
    """Train a method on images (N, H, W, 3) uint8 and leave its encoder in the folder.

    Returns the summary that is stored beside it. Continues from the folder's checkpoint.
    Raises TrainingDiverged where a loss is not finite, Interrupted where `should_stop` says so.
    """
    training = Training(method, recipe, images, folder, plan)
    training.resume()
    while training.step < training.total_steps:
        training.run_epoch()
    summary = training.summary()
    checkpoint.save_encoder(folder, method.encoder, summary)
    return summary


class Training:
    """A training in progress: the state that a checkpoint holds and the steps that change it."""

    def __init__(
        self, method: Method, recipe: Recipe, images: Tensor, folder: Path, plan: Plan
    ) -> None:
        self.method, self.recipe, self.images = method, recipe, images
        self.folder, self.plan = folder, plan
        self.batch_size = min(plan.batch_size, len(images))
        self.steps_per_epoch = len(images) // self.batch_size
        self.total_steps = self.steps_per_epoch * plan.epochs
        self.step = 0
        self.pending: list[tuple[int, Tensor]] = []  # losses not yet read from the device
        self.seconds = 0.0  # spent by earlier processes on this training
        self.started = clock()
        folder.mkdir(parents=True, exist_ok=True)
        self._set_up()

    def _set_up(self) -> None:
        accelerator, _, index = self.plan.device.partition(":")
        self.fabric = Fabric(
            accelerator=accelerator,
            devices=[int(index or 0)] if accelerator == "cuda" else 1,
            precision="bf16-mixed" if self.plan.precision == "bf16" else "32-true",
        )
        self.method.to(self.fabric.device)
        self.method.encoder.to(memory_format=torch.channels_last)
        optimizer = build_optimizer(self.method, self.recipe, batch_size=self.batch_size)
        objective = Objective(
            self.method, self.recipe, size=self.plan.image_size, seed=self.plan.seed
        )
        self.objective, self.optimizer = self.fabric.setup(objective, optimizer)
        self.images = self.images.to(self.fabric.device)

    @property
    def progress(self) -> Progress:
        return Progress(self.step, self.total_steps, self.steps_per_epoch)

    # ---------------------------------------------------------------- the loop

    def run_epoch(self) -> None:
        """From the current step to the end of its epoch; then monitor and checkpoint."""
        epoch = self.step // self.steps_per_epoch
        order = torch.randperm(
            len(self.images), generator=generator(self.plan.seed, "order", epoch)
        )
        self.method.train()
        while self.step < (epoch + 1) * self.steps_per_epoch:
            if self.plan.should_stop():
                self.save()
                raise Interrupted("Stopped.")
            start = self.step % self.steps_per_epoch * self.batch_size
            self.run_step(order[start : start + self.batch_size])
        self.flush()
        checkpoint.append_lines(self.folder / checkpoint.LOG, [self.monitor()])
        self.save()

    def run_step(self, rows: Tensor) -> None:
        """One optimiser step on the images of these rows."""
        progress = self.progress
        set_learning_rate(self.optimizer, self.recipe, progress)
        step = [progress.step, progress.total_steps, progress.steps_per_epoch]
        losses = self.objective(self.images[rows.to(self.images.device)], step)
        total = self.method.total(losses)
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(total)
        self.optimizer.step()
        self.method.after_step(progress)
        terms = [losses[name] for name in self.method.terms if self.method.wants(name)]
        self.pending.append((self.step, torch.stack([total, *terms]).detach().float()))
        self.step += 1
        if len(self.pending) >= LOG_EVERY:
            self.flush()

    # ---------------------------------------------------------------- what is written

    def flush(self) -> None:
        """Read the pending losses from the device, check them, log them, report them."""
        names = ["total", *(name for name in self.method.terms if self.method.wants(name))]
        rows = [
            {"step": step, **dict(zip(names, values.tolist(), strict=True))}
            for step, values in self.pending
        ]
        self.pending = []
        checkpoint.append_lines(self.folder / checkpoint.LOG, _checked(rows, self.method.title))
        if rows:
            self._tell({name: rows[-1][name] for name in names})

    def _tell(self, losses: dict[str, float]) -> None:
        epoch = min(self.step // self.steps_per_epoch + 1, self.plan.epochs)
        where = {"epoch": epoch, "epochs": self.plan.epochs, "images_per_unit": self.batch_size}
        self.plan.report(self.step, self.total_steps, where | losses)

    def monitor(self) -> dict[str, float]:
        """Spread and effective rank of the embeddings of fixed images, in eval mode."""
        was_training = self.method.training
        self.method.encoder.eval()
        with torch.no_grad():
            images = whole_images(self.images[:: self._stride()], size=self.plan.image_size)
            embeddings = self.method.encoder(images).embedding
        self.method.train(was_training)
        return {
            "step": self.step - 1,
            "spread": round(monitor.spread(embeddings), 4),
            "effective_rank": round(monitor.effective_rank(embeddings), 3),
        }

    def _stride(self) -> int:
        return max(1, len(self.images) // MONITORED_IMAGES)

    def save(self) -> None:
        """Write the checkpoint from which `resume` continues."""
        self.flush()
        checkpoint.save_checkpoint(
            self.folder,
            {
                "identity": self.plan.identity,
                "step": self.step,
                "seconds": self.seconds + clock() - self.started,
                "method": self.method.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            },
        )

    def resume(self) -> None:
        """Continue from the checkpoint in the folder, if there is one of this training."""
        state = checkpoint.load_checkpoint(self.folder, self.plan.identity)
        if state is not None:
            self.method.load_state_dict(state["method"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.seconds = state["step"], state["seconds"]
        checkpoint.keep_lines_before(self.folder / checkpoint.LOG, self.step)
        self._tell({})

    def summary(self) -> dict[str, Any]:
        """What the records of this encoder say about its training."""
        reading = self.monitor()
        return {
            "id": self.plan.identity,
            "epochs": self.plan.epochs,
            "steps": self.total_steps,
            "images": len(self.images),
            "batch_size": self.batch_size,
            "parameters": sum(p.numel() for p in self.method.encoder.parameters()),
            "monitor": reading | {"collapsed": monitor.collapsed(reading)},
            "seconds": round(self.seconds + clock() - self.started, 3),
        }


def _checked(rows: list[dict[str, float]], title: str) -> list[dict[str, float]]:
    for row in rows:
        for name, value in row.items():
            if not math.isfinite(value):
                raise TrainingDiverged(
                    f"{title}: the loss term {name!r} became {value} at step {row['step']}; "
                    "lower its learning rate or weight."
                )
    return rows
