"""What the processes of a distributed test run; they import it by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from lightning_fabric import Fabric

from vtbench.benchmark import assemble, pretrain, registry
from vtbench.benchmark.pretrain import Plan, Training
from vtbench.benchmark.settings import load_profile
from vtbench.benchmark.spec import Spec
from vtbench.methods import distributed, views
from vtbench.methods.base import Views

SMALL = (
    "encoder.width=8", "encoder.image_size=32", "pretrain.scale.head=0.05",
    "pretrain.scale.narrowest=8", "pretrain.scale.codes=0.02", "pretrain.scale.queue=0.02",
    "pretrain.scale.waiting=0.01", "pretrain.optimizer=method", "pretrain.views=method",
)  # fmt: skip
STEPS, BATCH = 4, 16


def images() -> torch.Tensor:
    """Smooth coloured images, uint8 (N, 40, 40, 3)."""
    noise = torch.rand(STEPS * BATCH, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(noise.float(), size=(40, 40), mode="bilinear")
    return (255 * smooth).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def train_each(
    fabric: Fabric | None, specs: Sequence[str], folder: Path, plan: dict[str, Any]
) -> dict[str, bool]:
    """Train one epoch of each spec; returns whether all processes end with the same state."""
    torch.set_num_threads(1)
    pictures, equal = images(), {}
    settings = load_profile("quick", SMALL).settings
    for text in specs:
        spec = Spec.parse(text)
        method, recipe = assemble.build_method(
            registry.methods()[spec.name], spec, settings, seed=0
        )
        exact = plan.get("precision") == "64"
        method = method.double() if exact else method
        full = {"identity": text, "epochs": 1, "batch_size": BATCH, "image_size": 32} | plan
        training = Training(
            method, recipe, pictures, folder / spec.name, Plan(**full, seed=0), fabric
        )
        with _in_float64() if exact else nullcontext():
            training.run_epoch()
        equal[text] = all(_is_shared(t) for t in method.state_dict().values())
    return equal


def _is_shared(tensor: torch.Tensor) -> bool:
    every = distributed.gathered(tensor.detach()[None])
    return bool((every == every[0]).all())


@contextmanager
def _in_float64() -> Iterator[None]:
    """Views are made in float32 as ever, and handed on in float64."""

    def made(*args: Any, **options: Any) -> Views:
        with _float32():
            found = views.make_views(*args, **options)
        return Views(tuple(view.double() for view in found.images), found.geometry.double())

    def whole(*args: Any, **options: Any) -> torch.Tensor:
        return views.whole_images(*args, **options).double()

    with mock.patch.multiple(pretrain, make_views=made, whole_images=whole):
        yield


@contextmanager
def _float32() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
