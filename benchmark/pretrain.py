"""The one training loop of all methods.

A step is: take the step's images, make their views, compute the method's terms, sum them by
weight, step the optimiser, let the method move its target network. Order and views of a step are
pure functions of (seed, step), so a training resumed at a step continues as if never stopped.
What is logged on the way (`training_log`, `gradients`, `monitor`) changes nothing in it.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from vtbench.benchmark import checkpoint, gradients, monitor
from vtbench.benchmark.compiling import compile_encoders
from vtbench.benchmark.engine import Plan, make_fabric
from vtbench.benchmark.environment import clock
from vtbench.benchmark.errors import Interrupted
from vtbench.benchmark.optimizers import build_optimizer, set_learning_rate
from vtbench.benchmark.pool import Images, StreamedImages
from vtbench.benchmark.seeding import generator
from vtbench.benchmark.training_log import TrainingLog
from vtbench.benchmark.workers import check_shares
from vtbench.methods import distributed
from vtbench.methods.base import Method, Progress, Views
from vtbench.methods.draws import onto
from vtbench.methods.recipe import Recipe
from vtbench.methods.views import make_views, whole_images


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
        return self.method.losses(self.views(images, progress), progress)

    def views(self, images: Tensor, progress: Progress) -> Views:
        """The views of a step, channels last."""
        drawn = generator(self.seed, "views", progress.step)
        views = make_views(images, self.recipe.views, size=self.size, generator=drawn)
        faster = tuple(v.contiguous(memory_format=torch.channels_last) for v in views.images)
        return Views(faster, views.geometry)


def pretrain(
    method: Method,
    recipe: Recipe,
    images: Images,
    folder: Path,
    plan: Plan,
    fabric: Fabric | None = None,
) -> dict[str, Any]:
    """Train a method on images (N, H, W, 3) uint8 and leave its encoder in the folder.

    The images are moved to the device as a whole, unless they are `StreamedImages`.
    Returns the summary that is stored beside it. Continues from the folder's checkpoint.
    `fabric` is given inside one of several processes, see `together`.
    Raises TrainingDiverged where a loss is not finite, Interrupted where `should_stop` says so.
    """
    training = Training(method, recipe, images, folder, plan, fabric)
    training.resume()
    with closing(training.log):
        while training.step < training.total_steps:
            training.run_epoch()
    training.restore_kept()
    summary = training.summary()
    if distributed.rank() == 0:
        checkpoint.save_encoder(folder, method.encoder, summary)
    return summary


class Training:
    """A training in progress: the state that a checkpoint holds and the steps that change it."""

    def __init__(
        self,
        method: Method,
        recipe: Recipe,
        images: Images,
        folder: Path,
        plan: Plan,
        fabric: Fabric | None = None,
    ) -> None:
        self.method, self.recipe, self.images = method, recipe, images
        self.folder, self.plan = folder, plan
        self.fabric = fabric or make_fabric(plan)
        self.batch_size = min(plan.batch_size, len(images))
        check_shares(self.batch_size, plan.devices)
        self.steps_per_epoch = len(images) // self.batch_size
        self.total_steps = self.steps_per_epoch * plan.epochs
        self.step = 0
        self.kept: dict[str, Any] = {}  # epoch (from 1), loss and monitor of what is to be saved
        self.log = TrainingLog(folder, method, plan.loggers)
        self.compiled = False
        self.seconds = 0.0  # spent by earlier processes on this training
        self.started = clock()
        folder.mkdir(parents=True, exist_ok=True)
        self._set_up()

    def _set_up(self) -> None:
        if self.plan.devices > 1:
            distributed.join_batch_norms(self.method, self.fabric.device)
        self.method.to(self.fabric.device)
        for module in self.method.modules():
            if isinstance(module, type(self.method.encoder)):  # its target network's as well
                module.to(memory_format=torch.channels_last)
        if self.plan.compile:
            self.compiled = compile_encoders(self.method, self.fabric.device)
        optimizer = build_optimizer(self.method, self.recipe, batch_size=self.batch_size)
        objective = Objective(
            self.method, self.recipe, size=self.plan.image_size, seed=self.plan.seed
        )
        self.objective, self.optimizer = self.fabric.setup(objective, optimizer)
        self.images = self.images.to(self.fabric.device)
        self.monitored = monitor.fixed_images(self.images)

    @property
    def progress(self) -> Progress:
        return Progress(self.step, self.total_steps, self.steps_per_epoch)

    # ---------------------------------------------------------------- the loop

    def run_epoch(self) -> None:
        """From the current step to the end of its epoch; then monitor, keep and checkpoint."""
        epoch = self.step // self.steps_per_epoch
        order = torch.randperm(
            len(self.images), generator=generator(self.plan.seed, "order", epoch)
        )
        batches = order.split(self.batch_size)[: self.steps_per_epoch]
        left = batches[self.step % self.steps_per_epoch :]
        if isinstance(self.images, StreamedImages):
            self.images.expect([self._own(rows) for rows in left])
        self.method.train()
        for rows in left:
            if self._must_stop():
                self.save()
                raise Interrupted("Stopped.")
            self.run_step(rows)
        self.flush()
        reading = self.monitor()
        self.log.write([reading])
        self.keep(epoch + 1, self.log.end_epoch(self.steps_per_epoch), reading)
        self.save()

    def _must_stop(self) -> bool:
        """Whether to stop; several processes agree on it when they read their losses anyway."""
        if self.plan.devices == 1:
            return self.plan.should_stop()
        return not self.log.pending and distributed.any_process(
            self.plan.should_stop(), self.fabric.device
        )

    def run_step(self, rows: Tensor) -> None:
        """One optimiser step on the images of these rows, of which each process takes its own."""
        progress = self.progress
        set_learning_rate(self.optimizer, self.recipe, progress)
        looks = gradients.is_due(self.method, progress)
        with self.fabric.no_backward_sync(self.objective, enabled=looks):
            total, losses, norms = self._backward(rows, progress, looks=looks)
        if looks:  # several backward passes, which DDP does not follow
            average_gradients(self.method)
        self.optimizer.step()
        self.method.after_step(progress)
        self.log.add(self.step, total, losses, norms)
        self.step += 1
        if self.log.is_full:
            self.flush()

    def _backward(
        self, rows: Tensor, progress: Progress, *, looks: bool
    ) -> tuple[Tensor, dict[str, Tensor], Tensor | None]:
        """Leaves the gradients; returns the total, its terms, and the terms' gradient norms."""
        step = [progress.step, progress.total_steps, progress.steps_per_epoch]
        losses = self.objective(self._taken(rows), step)
        total = self.method.total(losses)
        self.optimizer.zero_grad(set_to_none=True)  # a parameter without gradient stays as it is
        norms = None
        if looks:
            norms = gradients.gradient_norms(self.method, losses, self.fabric.backward)
        self.fabric.backward(total)
        return total, losses, norms

    def _own(self, rows: Tensor) -> Tensor:
        """Of a joint batch's rows those of this process."""
        return rows if self.plan.devices == 1 else rows[distributed.own_rows(len(rows))]

    def _taken(self, rows: Tensor) -> Tensor:
        """The images of a step, on the device."""
        own = self._own(rows)
        if isinstance(self.images, Tensor):  # copies rows whole, up to 20 times as fast as [own]
            return self.images.index_select(0, onto(self.images.device, own))
        return self.images[own]

    # ---------------------------------------------------------------- what is kept

    def keep(self, epoch: int, loss: float, reading: dict[str, Any]) -> None:
        """Note what would be saved if the training ended with this epoch (`Recipe.keep`).

        loss: the mean of the epoch. Of equal epochs the first is kept.
        """
        lowest = self.recipe.keep == "lowest_loss"
        if lowest and self.kept and loss >= self.kept["loss"]:
            return
        self.kept = {"epoch": epoch, "loss": loss, "monitor": reading}
        if lowest:
            state = self.method.encoder.state_dict()
            self.kept["encoder"] = {name: t.detach().clone() for name, t in state.items()}

    def restore_kept(self) -> None:
        """Give the encoder the weights that are to be saved, once all steps are done."""
        if "encoder" in self.kept:
            self.method.encoder.load_state_dict(self.kept["encoder"])

    # ---------------------------------------------------------------- what is written

    def flush(self) -> None:
        """Log what is pending and report the last losses."""
        losses = self.log.flush()
        if losses:
            self._tell(losses)

    def _tell(self, losses: dict[str, float]) -> None:
        epoch = min(self.step // self.steps_per_epoch + 1, self.plan.epochs)
        where = {"epoch": epoch, "epochs": self.plan.epochs, "images_per_unit": self.batch_size}
        self.plan.report(self.step, self.total_steps, where | losses)

    def monitor(self) -> dict[str, Any]:
        """Signs of collapse in the embeddings of fixed images, in eval mode, and the readings."""
        was_training = self.method.training
        self.method.encoder.eval()
        with torch.no_grad():
            found = [
                self.method.encoder(whole_images(part, size=self.plan.image_size)).embedding
                for part in self.monitored.split(monitor.AT_ONCE)
            ]
        self.method.train(was_training)
        reading = {"step": self.step - 1, **monitor.read(torch.cat(found))}
        if self.method.readings:
            reading["readings"] = monitor.rounded(self.method.readings)
        return reading

    def save(self) -> None:
        """Write the checkpoint from which `resume` continues."""
        self.flush()
        if distributed.rank() > 0:
            return
        checkpoint.save_checkpoint(
            self.folder,
            {
                "identity": self.plan.identity,
                "step": self.step,
                "seconds": self.seconds + clock() - self.started,
                "method": self.method.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "kept": self.kept,
                "log": self.log.state(),
            },
        )

    def resume(self) -> None:
        """Continue from the checkpoint in the folder, if there is one of this training."""
        with self.fabric.rank_zero_first():  # it may set a damaged file aside
            state = checkpoint.load_checkpoint(self.folder, self.plan.identity)
        if state is not None:
            self.method.load_state_dict(state["method"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.seconds = state["step"], state["seconds"]
            self.kept = state["kept"]
            self.log.load_state(state["log"])
        self.log.forget_from(self.step)
        self._tell({})

    def summary(self) -> dict[str, Any]:
        """What the records of this encoder say about its training."""
        reading = self.kept["monitor"]
        summary = {
            "id": self.plan.identity,
            "epochs": self.plan.epochs,
            "steps": self.total_steps,
            "images": len(self.images),
            "batch_size": self.batch_size,
            "devices": self.plan.devices,
            "parameters": sum(p.numel() for p in self.method.encoder.parameters()),
            "config": asdict(self.method.config),
            "weights": self.method.weights,
            "recipe": _facts(self.recipe),
            "monitor": reading | {"collapse": monitor.collapse(reading)},
            "seconds": round(self.seconds + clock() - self.started, 3),
        }
        if self.plan.compile:
            summary["compiled"] = self.compiled
        if self.log.shares:
            summary["gradient_shares"] = self.log.shares
        if self.recipe.keep == "lowest_loss":
            summary["kept_epoch"] = self.kept["epoch"]
        return summary


def average_gradients(method: Method) -> None:
    """The mean over processes of every gradient, as DDP leaves it."""
    distributed.average_([p.grad for p in method.parameters() if p.grad is not None])


def _facts(recipe: Recipe) -> dict[str, Any]:
    """The recipe as it was used; `settings` and `by_epochs` have gone into the other numbers."""
    used = [field.name for field in fields(recipe) if field.name not in ("settings", "by_epochs")]
    facts = {name: getattr(recipe, name) for name in used}
    return facts | {"views": [asdict(view) for view in recipe.views]}
