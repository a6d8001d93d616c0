"""What the tests of the training share: tiny settings, random images, and a training of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from vtbench.benchmark import assemble, registry
from vtbench.benchmark.errors import Interrupted
from vtbench.benchmark.pretrain import Plan, pretrain
from vtbench.benchmark.settings import Settings, load_profile
from vtbench.benchmark.spec import Spec
from vtbench.methods.base import Method
from vtbench.methods.recipe import Recipe

#: A spec such as "sarl:ram=0", or what makes a method and its recipe anew.
Chosen = str | Callable[[], tuple[Method, Recipe]]
Train = Callable[..., dict[str, Any]]

#: Three steps an epoch on the 50 images.
PLAN = {"identity": "a", "epochs": 2, "batch_size": 16, "image_size": 32, "seed": 0}


@pytest.fixture
def settings(tiny_profile: Path) -> Settings:
    return load_profile(str(tiny_profile)).settings


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (50, 32, 32, 3), generator=torch.manual_seed(0)).to(torch.uint8)


@pytest.fixture
def train(settings: Settings, images: torch.Tensor) -> Train:
    """train(chosen, folder, **changes of the plan) -> summary."""

    def build(text: str) -> tuple[Method, Recipe]:
        spec = Spec.parse(text)
        return assemble.build_method(registry.methods()[spec.name], spec, settings, seed=0)

    def run(
        chosen: Chosen, folder: Path, *, images: torch.Tensor = images, **changes: object
    ) -> dict[str, Any]:
        method, recipe = build(chosen) if isinstance(chosen, str) else chosen()
        return pretrain(method, recipe, images, folder, Plan(**{**PLAN, **changes}))

    return run


@pytest.fixture
def train_with_a_stop(train: Train) -> Train:
    """As `train`, stopped before step `stop_at` and resumed."""

    def run(chosen: Chosen, folder: Path, *, stop_at: int, **changes: object) -> dict[str, Any]:
        asked = iter(range(1000))
        with pytest.raises(Interrupted):
            train(chosen, folder, should_stop=lambda: next(asked) >= stop_at, **changes)
        return train(chosen, folder, **changes)

    return run
