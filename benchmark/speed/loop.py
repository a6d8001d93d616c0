"""The training loop's own cost: steps of a method that computes next to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from vtbench.benchmark.pretrain import Plan, Training
from vtbench.benchmark.speed.measuring import Work, waiting
from vtbench.benchmark.speed.views import synthetic_images
from vtbench.methods.base import Method, MethodConfig, Progress, Views
from vtbench.methods.encoder import Encoder
from vtbench.methods.recipe import Recipe


class Nothing(Method):
    """A loss without an encoder."""

    title: ClassVar = "Nothing"
    terms: ClassVar = {"nothing": 1.0}
    recipes: ClassVar = {"official": Recipe(optimizer="sgd", lr=1e-3)}

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        """The square of one parameter."""
        del views, progress
        return {"nothing": self.encoder.conv1.weight[0, 0, 0, 0].square()}


def loops(folder: Path, *, count: int, device: str) -> Iterator[tuple[str, Work]]:
    """`count` steps of the training loop, and of the same arithmetic in a bare loop."""
    method, recipe = Nothing(Encoder(width=4), MethodConfig()), Nothing.recipes["official"]
    images = synthetic_images(64, 32)
    plan = Plan(identity="loop", epochs=10**6, batch_size=16, image_size=32, seed=0, device=device)
    training = Training(method, recipe, images, folder, plan)
    ready = Views((torch.zeros(1),), torch.zeros(1))
    training.objective.module.views = lambda *_: ready
    rows = torch.arange(16)

    def ours() -> None:
        for _ in range(count):
            training.run_step(rows)

    def bare() -> None:
        for _ in range(count):
            _ = training.images.index_select(0, rows)
            total = method.total(method.losses(ready, training.progress))
            training.optimizer.zero_grad(set_to_none=True)
            total.backward()
            training.optimizer.step()
            method.after_step(training.progress)

    yield "vtbench", lambda: waiting(device, ours) or count
    yield "bare", lambda: waiting(device, bare) or count
