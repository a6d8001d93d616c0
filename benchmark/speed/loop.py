"""The training loop's own cost: steps of a method that computes next to nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
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

#: Names of the candidates.
LOOP, WITHOUT, PLAIN = "vtbench", "its parts without the loop", "plain torch"


class Nothing(Method):
    """A loss without an encoder."""

    title: ClassVar = "Nothing"
    terms: ClassVar = {"nothing": 1.0}
    recipes: ClassVar = {"official": Recipe(optimizer="sgd", lr=1e-3)}

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        """The square of one parameter."""
        del views, progress
        return {"nothing": self.encoder.conv1.weight[0, 0, 0, 0].square()}


@contextmanager
def loops(folder: Path, *, count: int, device: str) -> Iterator[dict[str, Work]]:
    """`count` steps of the training loop, of the same arithmetic without it, and of plain torch."""
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
            _ = training.images.index_select(0, rows.to(device))
            total = method.total(method.losses(ready, training.progress))
            training.optimizer.zero_grad(set_to_none=True)
            total.backward()
            training.optimizer.step()
            method.after_step(training.progress)

    works = {LOOP: ours, WITHOUT: bare, PLAIN: plain(training.images, rows, recipe, count)}
    with closing(training.log):
        yield {name: partial(_counted, device, work, count) for name, work in works.items()}


def plain(images: Tensor, rows: Tensor, recipe: Recipe, count: int) -> Callable[[], None]:
    """The steps as one writes them with torch alone: no Fabric, method, schedule or log."""
    encoder = Encoder(width=4).to(images.device)
    momentum, decay = recipe.optimizer_momentum, recipe.weight_decay
    optimizer = torch.optim.SGD(
        encoder.parameters(), lr=recipe.lr, momentum=momentum, weight_decay=decay, fused=True
    )

    def train() -> None:
        for _ in range(count):
            _ = images.index_select(0, rows.to(images.device))
            loss = encoder.conv1.weight[0, 0, 0, 0].square()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    return train


def _counted(device: str, work: Callable[[], None], count: int) -> int:
    waiting(device, work)
    return count
